"""Rolls a number of sessions before each contract's expiry, first notice or fixed day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ctl.continuous.tape import BREAKS, CONFIRMS, rule, successor

if TYPE_CHECKING:
    from ctl.continuous.policies import Need
    from ctl.model.rolls import RollReason

needs: Final[tuple[Need, ...]] = ("anchor",)
reason: Final[RollReason] = "calendar"


@rule
def confirm(tape: Any, day: int, active: int, _row: int, _oldest: int) -> tuple[int, int]:
    due = tape.contracts[active].roll_day <= day
    return successor(tape, tape.volume, active, day), CONFIRMS if due else BREAKS
