"""Databento's `.n.0`: the contract with the most open interest of the previous day, never an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ctl.continuous.tape import BREAKS, CONFIRMS, leader, rule

if TYPE_CHECKING:
    from ctl.continuous.policies import Need
    from ctl.model.rolls import RollReason

needs: Final[tuple[Need, ...]] = ("open_interest", "next_session")
reason: Final[RollReason] = "rank"


@rule
def confirm(tape: Any, day: int, active: int, _row: int, oldest: int) -> tuple[int, int]:
    first = leader(tape, tape.interest, oldest, day, True)
    return first, CONFIRMS if first > active else BREAKS
