"""Faults of a vendor's files, each by its name: what it does to the series or the bars that are written.

A new fault is one function and one line in a table. `code`: what a certificate names it by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.demo.rawbars import RawBars, session_index
from ctl.demo.reference import Continuous

if TYPE_CHECKING:
    from ctl.demo.listing import Index, Mask
    from ctl.demo.quotes import Quotes

_SINCE: Final = date(2022, 1, 3)
_NEWEST: Final = 20
_HOLE: Final = 40
_MISSING: Final = 20
_PRINTS: Final = 20
_PRINT_OFF: Final = 0.08
_LEVEL_OFF: Final = 0.08
_LATE: Final = 3
_FILES_APART: Final = 8
_STEP: Final = 0.02
_SHORT: Final = 400
_SWAPPED_APART: Final = 3
_UNIT: Final = 100
_LEGS: Final = 2
_PRICES: Final = ("open", "high", "low", "close")
_PER_SESSION: Final = (*_PRICES, "contract", "volume", "open_interest", "offset")


@dataclass(frozen=True, slots=True)
class ReferenceFault:
    """A fault of the reference. at_settlement: it shows only where our own closes are settlements as well."""

    text: str
    code: str
    apply: Callable[[Continuous, Quotes], Continuous]
    at_settlement: bool = False


@dataclass(frozen=True, slots=True)
class CanonicalFault:
    """A fault of the system of record's bars. apply: given the bars, the quotes and the tick in 1e-9 quote units."""

    text: str
    code: str
    apply: Callable[[RawBars, Quotes, int], RawBars]


# ---------------------------------------------------------------- the reference


def _kept(series: Continuous, kept: Mask | Index) -> Continuous:
    return _with(series, {name: getattr(series, name)[kept] for name in ("sessions", *_PER_SESSION)})


def _with(series: Continuous, changed: Mapping[str, Any]) -> Continuous:
    return replace(series, **changed)


def _labels_late(series: Continuous, _: Quotes) -> Continuous:
    late = {name: getattr(series, name)[:-1] for name in _PER_SESSION}
    return replace(series, sessions=series.sessions[1:], **late)


def _newest_labels_late(series: Continuous, _: Quotes) -> Continuous:
    def late(values: Index) -> Index:
        return np.concatenate([values[:-_NEWEST], values[-_NEWEST - 1 : -1]])

    return _with(series, {name: late(getattr(series, name)) for name in _PER_SESSION})


def _unit(series: Continuous, _: Quotes) -> Continuous:
    factor = np.where(series.sessions < np.datetime64(_SINCE), 1, _UNIT)
    return replace(series, **{name: getattr(series, name) * factor for name in (*_PRICES, "offset")})


def _newest_level(series: Continuous, _: Quotes) -> Continuous:
    off = np.zeros(series.sessions.size, dtype=np.int64)
    off[-_NEWEST:] = round(_LEVEL_OFF * int(series.close[-1]))
    return replace(series, **{name: getattr(series, name) + off for name in _PRICES})


def _offset(series: Continuous, quotes: Quotes, gaps: list[int], early: int = 0) -> Index:
    """What the adjusted series carries, with these gaps taken at its rolls, or so many sessions earlier."""
    step = np.zeros(quotes.calendar.sessions.size + 1, dtype=np.int64)
    for roll, gap in zip(series.rolls, gaps, strict=True):
        step[roll.gap_session - early] += gap
    offset = np.cumsum(step[::-1])[::-1][:-1]
    return offset[np.searchsorted(quotes.calendar.sessions, series.sessions)]


def _spread_at(quotes: Quotes, series: Continuous, later: int, price: str) -> list[int]:
    """Each roll's gap, of other prices or so many sessions later; as it was where a contract has no bar there."""
    days = np.flatnonzero(quotes.calendar.is_session)
    gaps = []
    for roll in series.rolls:
        at = min(roll.gap_session + later, days.size - 1)
        legs = [
            rows[0]
            for contract in (roll.from_contract, roll.to_contract)
            if (rows := np.flatnonzero((quotes.rows.contract == contract) & (quotes.rows.day == days[at]))).size
        ]
        prices = getattr(quotes.exchange, price)
        gaps.append(int(prices[legs[1]] - prices[legs[0]]) if len(legs) == _LEGS else roll.gap)
    return gaps


def _gaps_late(series: Continuous, quotes: Quotes) -> Continuous:
    return replace(series, offset=_offset(series, quotes, _spread_at(quotes, series, _LATE, "close")))


def _gaps_from_opens(series: Continuous, quotes: Quotes) -> Continuous:
    return replace(series, offset=_offset(series, quotes, _spread_at(quotes, series, 0, "open")))


def _not_adjusted(series: Continuous, _: Quotes) -> Continuous:
    return replace(series, offset=np.zeros_like(series.offset))


def _by_ratio(series: Continuous, quotes: Quotes) -> Continuous:
    factor = np.ones(quotes.calendar.sessions.size)
    at = {int(np.searchsorted(quotes.calendar.sessions, day)): n for n, day in enumerate(series.sessions)}
    for roll in series.rolls:
        old = float(series.close[at[roll.gap_session]])
        factor[: roll.gap_session + 1] *= (old + roll.gap) / old
    here = factor[np.searchsorted(quotes.calendar.sessions, series.sessions)]
    return replace(series, offset=np.rint(series.close * (here - 1.0)).astype(np.int64))


def _files_apart(series: Continuous, quotes: Quotes) -> Continuous:
    """The adjusted file rolls earlier: on those sessions it carries the new contract's close, not the old one's."""
    offset = _offset(series, quotes, _spread_at(quotes, series, -_FILES_APART, "close"), early=_FILES_APART)
    days = np.flatnonzero(quotes.calendar.is_session)
    place = np.searchsorted(quotes.calendar.sessions, series.sessions)
    for roll in series.rolls:
        for session in range(roll.gap_session - _FILES_APART + 1, roll.gap_session + 1):
            on_day = quotes.rows.day == days[session]
            new = np.flatnonzero(on_day & (quotes.rows.contract == roll.to_contract))
            here = np.flatnonzero(place == session)
            if new.size and here.size:
                offset[here[0]] += quotes.exchange.close[new[0]] - series.close[here[0]]
    return replace(series, offset=offset)


def _ghosts(series: Continuous, _: Quotes) -> Continuous:
    """A bar without volume that repeats the close before it on every weekday without a session."""
    first, last = series.sessions[0], series.sessions[-1]
    weekdays = np.arange(first, last, dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    ghosts = np.setdiff1d(weekdays, series.sessions)
    before = np.searchsorted(series.sessions, ghosts) - 1
    ghost = _kept(series, before)
    flat = dict.fromkeys(_PRICES, series.close[before])
    ghost = _with(ghost, {"sessions": ghosts, "volume": np.zeros_like(ghost.volume), **flat})
    order = np.argsort(np.concatenate([series.sessions, ghosts]), kind="stable")
    both = {
        name: np.concatenate([getattr(series, name), getattr(ghost, name)])[order]
        for name in ("sessions", *_PER_SESSION)
    }
    return _with(series, both)


def _scattered(count: int, size: int) -> Index:
    """Positions over a series, two of them among the newest 60."""
    return np.unique(np.concatenate([np.linspace(100, size - 100, count - 2), [size - 41, size - 17]]).astype(np.int64))


def _sessions_missing(series: Continuous, _: Quotes) -> Continuous:
    kept = np.ones(series.sessions.size, dtype=np.bool_)
    kept[_scattered(_MISSING, kept.size)] = False
    return _kept(series, kept)


def _misprints(series: Continuous, _: Quotes) -> Continuous:
    close = series.close.copy()
    at = _scattered(_PRINTS, close.size)
    close[at] += np.rint(_PRINT_OFF * close[at]).astype(np.int64)
    return replace(series, close=close, high=np.maximum(series.high, close))


def _hole(series: Continuous, _: Quotes) -> Continuous:
    at = session_index(series.sessions, _SINCE)
    kept = np.ones(series.sessions.size, dtype=np.bool_)
    kept[at : at + _HOLE] = False
    return _kept(series, kept)


def _step(series: Continuous, quotes: Quotes) -> Continuous:
    """A step half-way between two rolls."""
    at = session_index(series.sessions, _SINCE)
    rolls = [session_index(series.sessions, quotes.calendar.sessions[roll.gap_session].item()) for roll in series.rolls]
    begin = max((roll for roll in rolls if roll <= at), default=0)
    middle = (begin + min((roll for roll in rolls if roll > at), default=series.sessions.size)) // 2
    off = np.where(np.arange(series.sessions.size) < middle, round(_STEP * int(series.close[middle])), 0)
    return replace(series, offset=series.offset + off)


def _short(series: Continuous, _: Quotes) -> Continuous:
    return _kept(series, np.arange(series.sessions.size) >= series.sessions.size - _SHORT)


REFERENCE: Final[Mapping[str, ReferenceFault]] = {
    "labels-late": ReferenceFault("the reference labels every session one late", "DATE_SHIFT", _labels_late),
    "newest-labels-late": ReferenceFault(
        "the reference labels its newest 20 sessions one late", "DATE_SHIFT", _newest_labels_late
    ),
    "reference-unit": ReferenceFault("the reference quotes in hundredths from 2022 on", "UNIT_CHANGED", _unit),
    "newest-level": ReferenceFault(
        "the reference's newest 20 sessions lie 8 % too high", "LEVEL_NOW", _newest_level
    ),
    "gaps-late": ReferenceFault(
        "the reference takes its gaps three sessions late; our bars close at the settlement too", "GAPS_TAKEN_LATE",
        _gaps_late, at_settlement=True,
    ),
    "gaps-from-opens": ReferenceFault(
        "the reference takes its gaps from opens; our bars close at the settlement too", "GAPS_FROM_OPENS",
        _gaps_from_opens, at_settlement=True,
    ),
    "not-adjusted": ReferenceFault("the reference's two files are the same", "ADJUSTMENT_MISMATCH", _not_adjusted),
    "ratio-adjusted": ReferenceFault("the reference adjusts by ratios", "ADJUSTMENT_MISMATCH", _by_ratio),
    "files-apart": ReferenceFault(
        "the reference's adjusted file rolls eight sessions before its other one; our bars close at the settlement too",
        "REFERENCE_INCONSISTENT", _files_apart, at_settlement=True,
    ),
    "ghost-sessions": ReferenceFault("the reference repeats its close on every holiday", "GHOST_SESSIONS", _ghosts),
    "reference-sessions": ReferenceFault("the reference lacks 20 sessions", "MISSING_SESSIONS", _sessions_missing),
    "misprints": ReferenceFault("20 closes of the reference are 8 % off", "ISOLATED_PRINTS", _misprints),
    "reference-hole": ReferenceFault("the reference lacks 40 sessions in a row", "DATA_HOLE", _hole),
    "odd-step": ReferenceFault(
        "the reference's adjustment steps by 2 % where it does not roll", "UNATTRIBUTED_STEP", _step
    ),
    "short-reference": ReferenceFault("the reference has 400 sessions", "INSUFFICIENT_OVERLAP", _short),
}  # fmt: skip


# ---------------------------------------------------------------- the system of record


def _some_contract(bars: RawBars) -> int:
    """A contract in the middle."""
    return int(np.median(np.unique(bars.contract)))


def _swapped(bars: RawBars, _: Quotes, __: int) -> RawBars:
    one = _some_contract(bars)
    other = one + _SWAPPED_APART
    contract = np.where(bars.contract == one, other, np.where(bars.contract == other, one, bars.contract))
    return replace(bars, contract=contract)


def _volume(bars: RawBars, _: Quotes, __: int) -> RawBars:
    return replace(bars, volume=np.where(bars.contract == _some_contract(bars), bars.volume * 100, bars.volume))


def _half_ticks(bars: RawBars, _: Quotes, tick: int) -> RawBars:
    half = np.where(np.arange(bars.close.size) % _NEWEST == 0, tick // 2, 0)
    return replace(bars, close=bars.close - half, low=np.minimum(bars.low, bars.close - half))


def _impossible(bars: RawBars, _: Quotes, __: int) -> RawBars:
    """The highs of a few sessions below their lows."""
    days = np.unique(bars.day)
    bad = np.isin(bars.day, days[_scattered(_PRINTS, days.size)]) & (bars.is_spread == 0)
    return replace(bars, high=np.where(bad, bars.low, bars.high), low=np.where(bad, bars.high, bars.low))


def _own_hole(bars: RawBars, quotes: Quotes, _: int) -> RawBars:
    at = session_index(quotes.calendar.sessions, _SINCE)
    first, last = quotes.calendar.sessions[[at, at + _HOLE]]
    return bars.take(np.flatnonzero((bars.day < first) | (bars.day >= last)))


def _own_newest_level(bars: RawBars, quotes: Quotes, tick: int) -> RawBars:
    newest = bars.day >= quotes.calendar.sessions[-_NEWEST]
    level = int(np.median(bars.close[newest & (bars.is_spread == 0)]))
    off = np.where(newest & (bars.is_spread == 0), round(_LEVEL_OFF * level / tick) * tick, 0)
    return replace(bars, **{name: getattr(bars, name) + off for name in _PRICES})


CANONICAL: Final[Mapping[str, CanonicalFault]] = {
    "swapped-contracts": CanonicalFault("two delivery months carry each other's labels", "CONTRACT_ORDER", _swapped),
    "volume-scale": CanonicalFault("one contract's volume is counted in hundredths", "VOLUME_SCALE", _volume),
    "half-ticks": CanonicalFault("every twentieth close lies on half a tick", "FINER_GRID", _half_ticks),
    "impossible-bars": CanonicalFault("highs and lows of 20 sessions are exchanged", "MALFORMED_BARS", _impossible),
    "data-hole": CanonicalFault("our files lack 40 sessions in a row", "DATA_HOLE", _own_hole),
    "own-newest-level": CanonicalFault("our newest 20 sessions lie 8 % too high", "LEVEL_NOW", _own_newest_level),
}


def of_reference(names: tuple[str, ...], series: Continuous, quotes: Quotes) -> Continuous:
    """The reference's series with faults, in order."""
    for name in names:
        series = REFERENCE[name].apply(series, quotes)
    return series


def of_canonical(names: tuple[str, ...], bars: RawBars, quotes: Quotes, tick: int) -> RawBars:
    """The system of record's bars with faults, in order; sorted by the caller. tick: in 1e-9 quote units."""
    for name in names:
        bars = CANONICAL[name].apply(bars, quotes, tick)
    return bars
