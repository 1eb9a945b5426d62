"""Follows the rolls of a manifest or of a recovered reference: no close has to confirm them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ctl.continuous.tape import BREAKS, NO_CONTRACT, rule

if TYPE_CHECKING:
    from ctl.continuous.policies import Need
    from ctl.model.rolls import RollReason

needs: Final[tuple[Need, ...]] = ("schedule",)
reason: Final[RollReason] = "schedule"


@rule
def confirm(_tape: Any, _day: int, _active: int, _row: int, _oldest: int) -> tuple[int, int]:
    return NO_CONTRACT, BREAKS
