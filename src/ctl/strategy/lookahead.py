"""Whether a strategy knows the future: run on bars that end at every bar, what it said by then must stay.

The bars that end at T stand in the frame of T: prices and adjustment carry no roll that came later. A number may then
differ by what T carries in the full series (a price) or not at all (a ratio, an R); anything else is a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.errors import CtlError
from ctl.model.documents import document

if TYPE_CHECKING:
    from ctl.model.trades import Timeframe
    from ctl.strategy.bars import StrategyBars
    from ctl.strategy.protocol import Position, Result, Strategy

_BATCH: Final = 128
_TOLERANCE: Final = 1e-9  # relative to price
# What becomes of a trigger is known later than the trigger: while it waits, these may still change.
_OUTCOME: Final = frozenset(
    {"status", "reason", "confirmation_session", "entry_session", "stop_breached_while_pending"}
)
PRICE_DECIMALS: Final = 9
_WAITING: Final = frozenset({"pending", "awaiting_entry"})
_ENTRY: Final = ("trigger_session", "entry_session", "entry_price", "stop_price")


@dataclass(frozen=True, slots=True)
class Change:
    """The first value that the future changed. known_on: the last session of the bars it was said on.

    what: `trigger of 2020-05-01`, `trade entered 2020-05-05`. then, later: the value on those bars and on all of them,
    None where there was no such trigger or trade.
    """

    known_on: date
    what: str
    field: str
    then: Any
    later: Any


def first_change(
    strategy: Strategy, bars: StrategyBars, *, timeframe: Timeframe, slippage_per_side: float, tick: float | None
) -> Change | None:
    """The first change over all bars, from the oldest end on; None where there is none.

    Bars that the strategy refuses, such as those before its warm-up, say nothing. Raises what it raises on all bars.
    """
    bars = _less(bars, 0.0)
    whole = _of(_run(strategy, [bars], timeframe, slippage_per_side, tick)[0])
    lengths = range(1, len(bars))
    for first in range(0, len(lengths), _BATCH):
        counts = lengths[first : first + _BATCH]
        cuts = [_ending_at(bars, count) for count in counts]
        for count, found in zip(counts, _each(strategy, cuts, timeframe, slippage_per_side, tick), strict=True):
            if found is not None:
                change = _compare(found, whole, bars.session[count - 1].item(), float(bars.adjustment[count - 1]))
                if change is not None:
                    return change
    return None


def _ending_at(bars: StrategyBars, count: int) -> StrategyBars:
    """The first bars as they stood then; the week is over where the next bar is of another."""
    cut = bars.truncated(count, week_complete=bool(bars.week_key[count] != bars.week_key[count - 1]))
    return _less(cut, float(cut.adjustment[-1]))


def _less(bars: StrategyBars, carried: float) -> StrategyBars:
    """The bars with so much taken off their prices. On the grid of Databento's prices: whether a high reaches a target
    must not hang on the last bit of a sum, which is another in every frame.
    """
    names = ("open", "high", "low", "close", "adjustment")
    return replace(bars, **{name: np.round(getattr(bars, name) - carried, PRICE_DECIMALS) for name in names})


def _each(
    strategy: Strategy, cuts: Sequence[StrategyBars], timeframe: Timeframe, slippage: float, tick: float | None
) -> Iterator[Result | None]:
    try:
        yield from _run(strategy, cuts, timeframe, slippage, tick)
    except CtlError:
        for cut in cuts:
            try:
                yield _run(strategy, [cut], timeframe, slippage, tick)[0]
            except CtlError:
                yield None


def _run(
    strategy: Strategy, bars: Sequence[StrategyBars], timeframe: Timeframe, slippage: float, tick: float | None
) -> Sequence[Result]:
    each = len(bars)
    return strategy.run(bars, timeframe=timeframe, slippage_per_side=[slippage] * each, tick=[tick] * each)


@dataclass(frozen=True, slots=True)
class _Whole:
    """What all bars say, by trigger session, and of trades by (entry session, trigger session)."""

    triggers: Mapping[str, Mapping[str, Any]]
    closed: Mapping[tuple[date, str], tuple[date, Mapping[str, Any]]]
    entries: Mapping[tuple[date, str], Mapping[str, Any]]


def _of(whole: Result) -> _Whole:
    closed = {_key(position): (position.exit_session, document(position)) for position in whole.trades}
    held = {_key(position): document(position) for position in whole.open}
    entries = {
        key: _entry(found) for key, found in {**{key: found for key, (_, found) in closed.items()}, **held}.items()
    }
    return _Whole(_triggers(whole), closed, entries)


def _triggers(result: Result) -> dict[str, Mapping[str, Any]]:
    return {str(found["trigger_session"]): found for found in (document(signal) for signal in result.triggers)}


def _key(position: Position) -> tuple[date, str]:
    return position.entry_session, str(document(position)["trigger_session"])


def _compare(then: Result, whole: _Whole, day: date, carried: float) -> Change | None:
    """What was said on bars up to `day` against what all bars say of the same sessions."""
    said, iso = _triggers(then), day.isoformat()
    for session in sorted({*said, *(session for session in whole.triggers if session <= iso)}):
        waiting = session in said and said[session]["status"] in _WAITING
        change = _difference(
            said.get(session), whole.triggers.get(session), _OUTCOME if waiting else frozenset(), carried
        )
        if change is not None:
            return Change(day, f"trigger of {session}", *change)
    closed = {key: found for key, (exit_session, found) in whole.closed.items() if exit_session <= day}
    over = {_key(position): document(position) for position in then.trades}
    for key in sorted({*closed, *over}):
        change = _difference(over.get(key), closed.get(key), frozenset(), carried)
        if change is not None:
            return Change(day, f"trade entered {key[0]}", *change)
    for position in then.open:
        change = _difference(_entry(document(position)), whole.entries.get(_key(position)), frozenset(), carried)
        if change is not None:
            return Change(day, f"position entered {position.entry_session}", *change)
    return None


def _entry(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in _ENTRY}


def _difference(
    then: Mapping[str, Any] | None, later: Mapping[str, Any] | None, open_fields: frozenset[str], carried: float
) -> tuple[str, Any, Any] | None:
    """(field, then, later) of the first field that differs, `""` where one of them is not there at all."""
    if then is None or later is None:
        return None if then is later else ("", None if then is None else "there", None if later is None else "there")
    for name in dict.fromkeys((*then, *later)):
        if name not in open_fields and not _same(then.get(name), later.get(name), carried):
            return name, then.get(name), later.get(name)
    return None


def _same(then: Any, later: Any, carried: float) -> bool:
    if isinstance(then, bool) or isinstance(later, bool) or not isinstance(then, int | float):
        return bool(then == later)
    if not isinstance(later, int | float):
        return False
    room = _TOLERANCE * max(1.0, abs(later), abs(carried))
    return abs(then - later) <= room or abs(then + carried - later) <= room
