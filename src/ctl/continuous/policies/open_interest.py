"""Rolls once the adjacent contract has more open interest than the active one on consecutive sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ctl.continuous.tape import crossing, rule

if TYPE_CHECKING:
    from ctl.continuous.policies import Need
    from ctl.model.rolls import RollReason

needs: Final[tuple[Need, ...]] = ("open_interest", "consecutive_days")
reason: Final[RollReason] = "open_interest"


@rule
def confirm(tape: Any, day: int, active: int, row: int, _oldest: int) -> tuple[int, int]:
    return crossing(tape, tape.interest, day, active, row)
