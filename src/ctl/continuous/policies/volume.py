"""Rolls once the adjacent contract trades more than the active one on consecutive sessions.

The confirming session must also show it with the largest volume of all or with more open interest than the active
one: single bad volumes must not cascade down the chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ctl.continuous.tape import CONFIRMS, COUNTS, bar_on, crossing, leader, rule

if TYPE_CHECKING:
    from ctl.continuous.policies import Need
    from ctl.model.rolls import RollReason

needs: Final[tuple[Need, ...]] = ("volume", "consecutive_days")
reason: Final[RollReason] = "volume"


@rule
def confirm(tape: Any, day: int, active: int, row: int, oldest: int) -> tuple[int, int]:
    other, word = crossing(tape, tape.volume, day, active, row)
    if word != CONFIRMS:
        return other, word
    other_row = bar_on(tape, other, day)
    if tape.interest[row] >= 0 and tape.interest[other_row] > tape.interest[row]:
        return other, CONFIRMS
    most = bar_on(tape, leader(tape, tape.volume, oldest, day, False), day)
    return other, CONFIRMS if tape.volume[other_row] >= tape.volume[most] else COUNTS
