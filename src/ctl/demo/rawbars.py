"""The daily bars that the system of record delivers for one root: UTC days, Sunday evenings, calendar spreads."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.demo.instruments import instrument_ids

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from ctl.demo.listing import Days, Index, Mask
    from ctl.demo.quotes import Bars, Quotes
    from ctl.demo.spec import CanonicalCauses, FutureSpec

NANOS: Final = 1_000_000_000
RESTATED_BY: Final = 15
"""Thousandths by which a restated close is higher than the first one published."""


@dataclass(frozen=True, slots=True)
class RawBars:
    """Sorted by (day, instrument id). Prices are integers of 1e-9 quote units.

    contract: index of the outright, or of the spread's first leg. is_spread: 0 or 1.
    """

    day: Days
    contract: Index
    is_spread: Index
    instrument: Index
    open: Index
    high: Index
    low: Index
    close: Index
    volume: Index

    def take(self, chosen: Index) -> RawBars:
        """The rows chosen, in the order given."""
        return RawBars(*(getattr(self, field.name)[chosen] for field in fields(self)))


def session_index(sessions: Days, day: date) -> int:
    """Index of the first session on or after a day; the last one where there is none."""
    return min(int(np.searchsorted(sessions, np.datetime64(day))), sessions.size - 1)


def last_day(quotes: Quotes, causes: CanonicalCauses) -> int:
    """Index of the trading day, a session, with which the files end."""
    return int(np.flatnonzero(quotes.calendar.is_session)[-1 - causes.sessions_short])


def delivered_rows(quotes: Quotes, causes: CanonicalCauses) -> Mask:
    """Which rows (contract, trading day) are in the files at all."""
    kept = quotes.rows.day <= last_day(quotes, causes)
    for day in causes.missing:
        kept &= quotes.rows.day != _first_session(quotes, day)
    return kept


def _first_session(quotes: Quotes, day: date) -> int:
    """Index among the trading days of the first session on or after a day."""
    sessions = np.flatnonzero(quotes.calendar.is_session)
    return int(sessions[session_index(quotes.calendar.sessions, day)])


def _unchanged(bars: RawBars, _quotes: Quotes, _tick: int) -> RawBars:
    return bars


def raw_bars(
    spec: FutureSpec, quotes: Quotes, change: Callable[[RawBars, Quotes, int], RawBars] = _unchanged
) -> RawBars:
    """The bars of a root's files, with the root's causes. change: what faults make of them, given the tick too."""
    causes = spec.canonical
    session_bars = causes.close == "settlement"
    published = quotes.exchange if session_bars else quotes.utc
    main = _restated(quotes, published, causes)
    kept = delivered_rows(quotes, causes)
    scale = round(spec.tick * NANOS) * causes.price_scale

    parts = [_outrights(quotes, main, np.flatnonzero(main.traded & kept), 0, scale)]
    if not session_bars:
        parts.append(_outrights(quotes, quotes.sunday, np.flatnonzero(quotes.sunday.traded & kept), -1, scale))
    parts.append(_spreads(quotes, published, kept, scale))
    merged = RawBars(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(RawBars)))
    merged = change(merged, quotes, scale)
    named = replace(merged, instrument=instrument_ids(spec.root, merged.contract, merged.is_spread, merged.day))
    return named.take(np.lexsort((named.instrument, named.day)))


def _outrights(quotes: Quotes, bars: Bars, chosen: Index, days_later: int, scale: int) -> RawBars:
    day = quotes.calendar.days[quotes.rows.day[chosen]] + days_later
    zeros = np.zeros(chosen.size, dtype=np.int64)
    return RawBars(
        day, quotes.rows.contract[chosen], zeros, zeros, bars.open[chosen] * scale, bars.high[chosen] * scale,
        bars.low[chosen] * scale, bars.close[chosen] * scale, bars.volume[chosen],
    )  # fmt: skip


def _restated(quotes: Quotes, bars: Bars, causes: CanonicalCauses) -> Bars:
    """The bars, with the most active contract's close raised on each restated session."""
    close, high = bars.close.copy(), bars.high.copy()
    for day in causes.restated:
        on_day = np.flatnonzero(quotes.rows.day == _first_session(quotes, day))
        row = on_day[np.argmax(bars.volume[on_day])]
        close[row] += round(int(close[row]) * RESTATED_BY / 1000)
        high[row] = max(high[row], close[row])
    return replace(bars, close=close, high=high)


def _spreads(quotes: Quotes, bars: Bars, kept: Mask, scale: int) -> RawBars:
    """Calendar spreads of adjacent contracts on the days on which both legs are active."""
    rows = quotes.rows
    following = np.minimum(rows.contract + 1, rows.start.size - 2)
    far = rows.start[following] + rows.day - rows.day[rows.start[following]]
    listed = (following > rows.contract) & (far >= rows.start[following]) & (far < rows.start[following + 1])
    far = np.where(listed, far, 0)
    smaller, larger = np.minimum(bars.volume, bars.volume[far]), np.maximum(bars.volume, bars.volume[far])
    near = np.flatnonzero(listed & kept & (smaller >= 100) & (10 * smaller >= larger))
    far = far[near]
    opened, closed = bars.open[far] - bars.open[near], bars.close[far] - bars.close[near]
    high, low = np.maximum(opened, closed) + 1, np.minimum(opened, closed) - 1
    ones = np.ones(near.size, dtype=np.int64)
    return RawBars(
        quotes.calendar.days[rows.day[near]], rows.contract[near], ones, ones,
        opened * scale, high * scale, low * scale, closed * scale, smaller[near] // 3 + 1,
    )  # fmt: skip
