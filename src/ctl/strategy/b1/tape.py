"""The fixed tape that B1's fingerprint is taken on: bars computed in whole numbers, alike everywhere."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from ctl.strategy.bars import Integers, StrategyBars

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


_DAILY: Final = (_Recipe(1, 700, 250, 7),)
_WEEKLY: Final = (_Recipe(1, 2000, 250, 7),)


@cache
def daily_tape() -> tuple[StrategyBars, ...]:
    """Symbols for the daily rules."""
    return tuple(_symbol(f"DAILY{number}", recipe) for number, recipe in enumerate(_DAILY))


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
    day = _FIRST_SESSION.toordinal() + bar + (7 - recipe.week) * (bar // recipe.week)
    session = np.datetime64(_FIRST_SESSION) + (day - day[0])
    return StrategyBars(
        name,
        session,
        open_ * TICK,
        high * TICK,
        low * TICK,
        close * TICK,
        volume,
        adjustment,
        week_key=(day - 1) // 7,
        month_key=session.astype("datetime64[M]").astype(np.int64),
        week_complete=length % recipe.week == 0,
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
