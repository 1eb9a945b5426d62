"""What a compiled roll rule sees of a root, and what rules share.

Bars stay in the order in which they arrive: contract after contract in expiry order, sessions ascending within a
contract. A contract is a half-open range of rows, a day a number (days since 1970-01-01), a missing volume or open
interest -1. Looking a bar up moves that contract's cursor, so days asked for must not decrease.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from numba import types

from ctl.kernels import callback, part

UNKNOWN_DAY: Final = 2**31 - 1  # a day that never comes
NO_CONTRACT: Final = -1
UNDECIDED: Final = -2


class Tape(NamedTuple):
    """The eligible contracts of one root.

    days: int32[n]; volume, interest: int64[n], -1 where missing; first_row, end_row: int64[c], half-open rows.
    cursor: int64[c], where the last look-up in each contract ended. first_day: int64[c], the day of a contract's first
    bar; none_before: int64[c], the day before which neither the contract nor a later one has a bar.
    roll_day: int32[c], the day at whose close the policy leaves the contract, UNKNOWN_DAY where it names none.
    leave_day: int32[c], the day at whose close anybody has to leave it (the guard), UNKNOWN_DAY where none is known.
    most_active: whether rolls lead to the contract with the largest measure of those to come, not to the adjacent one.
    """

    days: Any
    volume: Any
    interest: Any
    first_row: Any
    end_row: Any
    cursor: Any
    first_day: Any
    none_before: Any
    roll_day: Any
    leave_day: Any
    most_active: bool


_INT32S: Final = types.Array(types.int32, 1, "C", readonly=True)
_INT64S: Final = types.Array(types.int64, 1, "C", readonly=True)
_CURSOR: Final = types.Array(types.int64, 1, "C")
_TAPE: Final = types.NamedTuple(
    (_INT32S, _INT64S, _INT64S, _INT64S, _INT64S, _CURSOR, _INT64S, _INT64S, _INT32S, _INT32S, types.boolean), Tape
)
_ANSWER: Final = types.UniTuple(types.int64, 2)

# A rule: (tape, day, active, row, oldest) -> (contract, firm). active: the contract held; row: its bar on that day, -1
# without one; oldest: the first contract that may still have a bar. The answer names the later contract that this
# close speaks for, NO_CONTRACT for none (a run of confirming sessions breaks), UNDECIDED where the bars are silent
# (it neither grows nor breaks); firm 0: this session counts towards a run and cannot be the one that confirms.
rule: Callable[[Callable[..., Any]], Any] = callback(_ANSWER(_TAPE, *[types.int64] * 4))


@part
def bar_on(tape: Any, contract: int, day: int) -> int:
    """Row of a contract's bar on a day, -1 without one."""
    days, cursor = tape.days, tape.cursor
    row: int = cursor[contract]
    end: int = tape.end_row[contract]
    if row < end and days[row] < day:
        row += 1
        if row < end and days[row] < day:
            stop = end
            row += 1
            while row < stop:
                middle = (row + stop) // 2
                if days[middle] < day:
                    row = middle + 1
                else:
                    stop = middle
        cursor[contract] = row
    if row < end and days[row] == day:
        return row
    return -1


@part
def adjacent(tape: Any, contract: int, day: int) -> int:
    """The next contract that is listed (has had a bar) by a day and may be held after it; NO_CONTRACT without one."""
    for other in range(contract + 1, len(tape.first_day)):
        if tape.first_day[other] <= day and tape.leave_day[other] > day:
            return other
    return NO_CONTRACT


@part
def leader(tape: Any, measure: Any, first: int, day: int, only_holdable: bool) -> int:
    """The contract from `first` on with the largest measure of a day (ties: the earliest); NO_CONTRACT without one.

    only_holdable: of those that may be held after the day.
    """
    most, found = -1, NO_CONTRACT
    for contract in range(first, len(tape.end_row)):
        if tape.none_before[contract] > day:
            break
        if only_holdable and tape.leave_day[contract] <= day:
            continue
        row = bar_on(tape, contract, day)
        if row >= 0 and measure[row] > most:
            most, found = measure[row], contract
    return found


@part
def successor(tape: Any, measure: Any, active: int, day: int) -> int:
    """The contract that a roll of this day leads to; NO_CONTRACT without one."""
    if tape.most_active:
        other = leader(tape, measure, active + 1, day, True)
        if other >= 0:
            return other
    return adjacent(tape, active, day)


@part
def crossing(tape: Any, measure: Any, day: int, active: int, row: int) -> int:
    """The next contract where its measure exceeds the active one's; NO_CONTRACT or UNDECIDED where it does not."""
    other = successor(tape, measure, active, day)
    if other < 0:
        return NO_CONTRACT
    other_row = bar_on(tape, other, day)
    if other_row < 0:
        return NO_CONTRACT
    if row < 0 or measure[row] < 0 or measure[other_row] < 0:
        return UNDECIDED
    return other if measure[other_row] > measure[row] else NO_CONTRACT
