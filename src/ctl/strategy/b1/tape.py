"""The fixed tape that B1's fingerprint is taken on: bars computed in whole numbers, alike everywhere."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from ctl.strategy.bars import Floats, Integers, StrategyBars

TICK: Final = 0.25

_FIRST_SESSION: Final = date(2001, 1, 1)  # a Monday
_DRIFTS: Final = np.array([4, 4, 2, 4, 0, -4, 3, -11, 2, 4, 5, 1], np.int64)
_BLOCK: Final = 6


class _Recipe(NamedTuple):
    """How one symbol's tape is made: prices, noise and roll gaps in ticks.

    rolls: (first bar on the new contract, gap). still: (first bar, bars) on which the price stands.
    week: sessions in a week, 5 or 7.
    """

    seed: int
    length: int
    start: int
    noise: int
    volume: bool = True
    rolls: tuple[tuple[int, int], ...] = ()
    still: tuple[int, int] = (0, 0)
    week: int = 5


# Found by search, so that together they go through every branch of the rules in few events.
_DAILY: Final = (
    _Recipe(657, 289, 100, 7),
    _Recipe(2643, 306, 250, 7),
    _Recipe(1718, 307, 250, 12, volume=False, rolls=((129, -32),), week=7),
    _Recipe(1419, 289, 400, 12),
    _Recipe(3119, 365, 250, 4, rolls=((250, -40),)),
    _Recipe(1513, 389, 100, 9),
    _Recipe(355, 333, 400, 4, still=(185, 10)),
    _Recipe(650, 329, 250, 4, rolls=((182, -27), (352, 22))),
    _Recipe(3075, 265, 250, 9),
    _Recipe(2381, 238, 150, 12),
    _Recipe(589, 258, 100, 12, still=(223, 10)),
    _Recipe(421, 729, 400, 4),
    _Recipe(3378, 397, 250, 4, rolls=((344, 55),)),
    _Recipe(121, 698, 250, 9, still=(290, 10)),
    _Recipe(1076, 315, 100, 20, rolls=((252, -24),)),
    _Recipe(3106, 389, 250, 20),
    _Recipe(5205, 278, 100, 26, rolls=((284, 48),)),
)
_WEEKLY: Final = (_Recipe(0, 1700, 150, 10, rolls=((1400, 40),)), _Recipe(83, 1703, 150, 10, rolls=((1400, 40),)))

# What no search finds, drawn by hand in ticks: pieces are either (bars, change per bar) or one bar's (open, high, low,
# close). Prices start at the first number.
_SCRIPTS: Final[tuple[tuple[int, tuple[tuple[int, ...], ...]], ...]] = (
    # The EMA lies below the initial stop when the first target is hit: a trailing stop does not fall to it.
    (400, ((220, 0), (30, 4), (516, 518, 500, 508), (420, 422, 418, 420), (420, 422, 418, 420), (496, 498, 494, 496),
           (504, 510, 503, 508), (508, 515, 501, 504), (504, 505, 490, 492), (491, 500, 489, 498))),
    # An open gap just below the stop, 60 and 150 bars back.
    (460, ((190, 0), (472, 474, 470, 472), (29, 0), (30, 4), (585, 588, 466, 580))),
    (460, ((100, 0), (472, 474, 470, 472), (119, 0), (30, 4), (585, 588, 466, 580))),
    # Williams %R of the touch before the trigger depends on a high 7, or 12, bars earlier.
    (400, ((200, 0), (24, 6), (546, 590, 548, 550), (5, 6), (575, 577, 520, 522), (530, 578, 515, 575), (7, 6),
           (610, 612, 514, 604))),
    (400, ((200, 0), (19, 6), (516, 590, 518, 520), (10, 6), (575, 577, 520, 522), (530, 578, 515, 575), (7, 6),
           (610, 612, 514, 604))),
)  # fmt: skip


@cache
def daily_tape() -> tuple[StrategyBars, ...]:
    """Symbols for the daily rules."""
    walked = [_symbol(f"DAILY{number}", recipe) for number, recipe in enumerate(_DAILY)]
    drawn = [_drawn(f"DRAWN{number}", start, pieces) for number, (start, pieces) in enumerate(_SCRIPTS)]
    return (*walked, *drawn)


@cache
def weekly_tape() -> tuple[StrategyBars, ...]:
    """Daily bars of the symbols for the weekly rules."""
    return tuple(_symbol(f"WEEKLY{number}", recipe) for number, recipe in enumerate(_WEEKLY))


def _symbol(name: str, recipe: _Recipe) -> StrategyBars:
    length, noise = recipe.length, recipe.noise
    bar = np.arange(length, dtype=np.int64)
    drift = _DRIFTS[_draw(recipe.seed, 0, bar // _BLOCK, len(_DRIFTS))]
    change = drift + _draw(recipe.seed, 1, bar, 2 * noise + 1) - noise
    # One bar in four opens away from the last close, one in sixteen far away.
    away = _draw(recipe.seed, 2, bar, 16)
    gap = np.where(away == 0, 4, np.where(away < 4, 1, 0)) * (_draw(recipe.seed, 3, bar, 2 * noise + 1) - noise)
    above = _draw(recipe.seed, 4, bar, noise + 1)
    below = _draw(recipe.seed, 5, bar, noise + 1)
    first, count = recipe.still
    for column in (change, gap, above, below):
        column[first : first + count] = 0
    close = recipe.start + np.cumsum(change + gap)
    open_ = close - change
    high = np.maximum(open_, close) + above
    low = np.minimum(open_, close) - below
    volume = _draw(recipe.seed, 6, bar, 50).astype(np.float64)
    if recipe.volume:
        volume[_draw(recipe.seed, 7, bar, 40) == 0] = np.nan
    else:
        volume[:] = np.nan
    adjustment = np.zeros(length)
    for first, ticks in recipe.rolls:
        adjustment[:first] += ticks * TICK
    return _on_sessions(name, (open_, high, low, close), volume, adjustment, recipe.week)


def _drawn(name: str, start: int, pieces: tuple[tuple[int, ...], ...]) -> StrategyBars:
    rows: list[tuple[int, ...]] = []
    close = start
    for piece in pieces:
        if len(piece) == 4:
            rows.append(piece)
            close = piece[3]
            continue
        count, change = piece
        for _ in range(count):
            close += change
            rows.append((close - change, max(close, close - change) + 2, close - 2, close))
    prices = np.array(rows, np.int64).T
    absent = np.full(len(rows), np.nan)
    return _on_sessions(name, (prices[0], prices[1], prices[2], prices[3]), absent, np.zeros(len(rows)), 5)


def _on_sessions(
    name: str, prices: tuple[Integers, Integers, Integers, Integers], volume: Floats, adjustment: Floats, week: int
) -> StrategyBars:
    """Bars on consecutive sessions, `week` of them from each Monday on."""
    bar = np.arange(len(volume), dtype=np.int64)
    day = _FIRST_SESSION.toordinal() + bar + (7 - week) * (bar // week)
    session = np.datetime64(_FIRST_SESSION) + (day - day[0])
    return StrategyBars(
        name,
        session,
        prices[0].astype(np.float64) * TICK,
        prices[1].astype(np.float64) * TICK,
        prices[2].astype(np.float64) * TICK,
        prices[3].astype(np.float64) * TICK,
        volume,
        adjustment,
        week_key=(day - 1) // 7,
        month_key=session.astype("datetime64[M]").astype(np.int64),
        week_complete=len(bar) % week == 0,
    )


def _draw(seed: int, stream: int, position: Integers, sides: int) -> Integers:
    """A die with `sides` faces (0 to sides - 1) for every position: splitmix64 of (seed, stream, position)."""
    with np.errstate(over="ignore"):
        state = position.astype(np.uint64) + np.uint64((seed * 8 + stream) << 32)
        state = state * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
        return (state % np.uint64(sides)).astype(np.int64)
