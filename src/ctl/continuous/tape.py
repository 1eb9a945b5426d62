"""What a compiled roll rule sees of a root, and what rules share.

Bars stay in the order in which they arrive: contract after contract in expiry order, sessions ascending within a
contract. A contract is a half-open range of rows, a day a number (days since 1970-01-01), a missing volume or open
interest -1. Looking a bar up moves that contract's cursor, so days asked for must not decrease.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numba import types
from numba.np import numpy_support

from ctl.kernels import callback, part

UNKNOWN_DAY: Final = 2**31 - 1  # a day that never comes
NO_CONTRACT: Final = -1
BREAKS, SILENT, COUNTS, CONFIRMS = -2, -1, 0, 1  # what a session says of a contract, the weakest first


LINE: Final = np.dtype(
    [
        (name, np.int64)
        for name in ("end_row", "first_day", "none_before", "last_trade", "roll_day", "leave_day", "cursor")
    ]
)


class Tape(NamedTuple):
    """The eligible contracts of one root.

    days: int32[n]; volume, interest: int64[n], -1 where missing. contracts: LINE[c], per contract the end of its rows,
    exclusive; first_day, of its first bar; none_before, the day before which neither it nor a later contract has a bar;
    last_trade; roll_day, at whose close the policy leaves it; leave_day, at whose close anybody has to (the guard);
    these three UNKNOWN_DAY where none is known; cursor, the row where the last look-up in it ended.
    most_active: whether rolls lead to the contract with the largest measure of those to come, not to the adjacent one.
    """

    days: Any
    volume: Any
    interest: Any
    contracts: Any
    most_active: bool


_INT64S: Final = types.Array(types.int64, 1, "C", readonly=True)
_TAPE: Final = types.NamedTuple(
    (
        types.Array(types.int32, 1, "C", readonly=True), _INT64S, _INT64S,
        types.Array(numpy_support.from_dtype(LINE), 1, "C"), types.boolean,
    ), Tape
)  # fmt: skip
_ANSWER: Final = types.UniTuple(types.int64, 2)

# A rule: (tape, day, active, row, oldest) -> (contract, word). active: the contract held; row: its bar on that day, -1
# without one; oldest: the first contract that may still have a bar. The answer names the later contract that a roll of
# this close would lead to, NO_CONTRACT without one, and what the session says of it: CONFIRMS; COUNTS towards a run of
# sessions and cannot be the one that confirms; SILENT, where the bars do not say (a run neither grows nor breaks);
# BREAKS the run.
rule: Callable[[Callable[..., Any]], Any] = callback(_ANSWER(_TAPE, *[types.int64] * 4))


@part
def bar_on(tape: Any, contract: int, day: int) -> int:
    """Row of a contract's bar on a day, -1 without one."""
    days, line = tape.days, tape.contracts[contract]
    row: int = line.cursor
    end: int = line.end_row
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
        line.cursor = row
    if row < end and days[row] == day:
        return row
    return -1


@part
def adjacent(tape: Any, contract: int, day: int) -> int:
    """The next contract that is listed (has had a bar) by a day and may be held after it; NO_CONTRACT without one."""
    for other in range(contract + 1, len(tape.contracts)):
        if tape.contracts[other].first_day <= day < tape.contracts[other].leave_day:
            return other
    return NO_CONTRACT


@part
def leader(tape: Any, measure: Any, first: int, day: int, only_holdable: bool) -> int:
    """The contract from `first` on with the largest measure of a day (ties: the earliest); NO_CONTRACT without one.

    only_holdable: of those that may be held after the day.
    """
    most, found = -1, NO_CONTRACT
    for contract in range(first, len(tape.contracts)):
        if tape.contracts[contract].none_before > day:
            break
        if only_holdable and tape.contracts[contract].leave_day <= day:
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
def crossing(tape: Any, measure: Any, day: int, active: int, row: int) -> tuple[int, int]:
    """A rule's answer: the next contract, and CONFIRMS where its measure exceeds the active one's."""
    other = successor(tape, measure, active, day)
    other_row = bar_on(tape, other, day) if other >= 0 else -1
    if other_row < 0:
        return other, BREAKS
    if row < 0 or measure[row] < 0 or measure[other_row] < 0:
        return other, SILENT
    return other, CONFIRMS if measure[other_row] > measure[row] else BREAKS
