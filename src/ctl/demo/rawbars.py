"""The daily bars that the system of record delivers for one root: UTC days, Sunday evenings, calendar spreads."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.demo.instruments import instrument_ids

if TYPE_CHECKING:
    from datetime import date

    from ctl.demo.listing import Days, Index
    from ctl.demo.quotes import Bars, Mask, Quotes
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


def delivered_rows(quotes: Quotes, causes: CanonicalCauses) -> Mask:
    """Which rows (contract, session) are in the files at all."""
    kept = quotes.rows.session < quotes.sessions.size - causes.sessions_short
    for day in causes.missing:
        kept &= quotes.rows.session != session_index(quotes.sessions, day)
    return kept


def raw_bars(spec: FutureSpec, quotes: Quotes) -> RawBars:
    """The bars of a root's files, with the root's causes."""
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
    named = replace(merged, instrument=instrument_ids(spec.root, merged.contract, merged.is_spread, merged.day))
    return named.take(np.lexsort((named.instrument, named.day)))


def _outrights(quotes: Quotes, bars: Bars, chosen: Index, days_later: int, scale: int) -> RawBars:
    day = quotes.sessions[quotes.rows.session[chosen]] + days_later
    zeros = np.zeros(chosen.size, dtype=np.int64)
    return RawBars(
        day, quotes.rows.contract[chosen], zeros, zeros, bars.open[chosen] * scale, bars.high[chosen] * scale,
        bars.low[chosen] * scale, bars.close[chosen] * scale, bars.volume[chosen],
    )  # fmt: skip


def _restated(quotes: Quotes, bars: Bars, causes: CanonicalCauses) -> Bars:
    """The bars, with the most active contract's close raised on each restated session."""
    close, high = bars.close.copy(), bars.high.copy()
    for day in causes.restated:
        on_day = np.flatnonzero(quotes.rows.session == session_index(quotes.sessions, day))
        row = on_day[np.argmax(bars.volume[on_day])]
        close[row] += round(int(close[row]) * RESTATED_BY / 1000)
        high[row] = max(high[row], close[row])
    return replace(bars, close=close, high=high)


def _spreads(quotes: Quotes, bars: Bars, kept: Mask, scale: int) -> RawBars:
    """Calendar spreads of adjacent contracts on the sessions on which both legs are active."""
    rows = quotes.rows
    following = np.minimum(rows.contract + 1, rows.start.size - 2)
    far = rows.start[following] + rows.session - rows.session[rows.start[following]]
    listed = (following > rows.contract) & (far >= rows.start[following]) & (far < rows.start[following + 1])
    far = np.where(listed, far, 0)
    smaller, larger = np.minimum(bars.volume, bars.volume[far]), np.maximum(bars.volume, bars.volume[far])
    near = np.flatnonzero(listed & kept & (smaller >= 100) & (10 * smaller >= larger))
    far = far[near]
    opened, closed = bars.open[far] - bars.open[near], bars.close[far] - bars.close[near]
    high, low = np.maximum(opened, closed) + 1, np.minimum(opened, closed) - 1
    ones = np.ones(near.size, dtype=np.int64)
    return RawBars(
        quotes.sessions[rows.session[near]], rows.contract[near], ones, ones,
        opened * scale, high * scale, low * scale, closed * scale, smaller[near] // 3 + 1,
    )  # fmt: skip
