"""The mean R of a trade, its interval, and the years and losses it is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.model.statistics import (
    CurvePoint,
    Expectancy,
    LossBin,
    LossesBeyondOneR,
    TradeStatistics,
    YearOfTrades,
)
from ctl.statistics.resampling import block_length, mean_distribution

if TYPE_CHECKING:
    from datetime import date

    from ctl.statistics.resampling import Floats

FEWEST_TRADES: Final = 6  # that an interval is given for: below, resamples of so few values cover far less than 95 %
LEVEL: Final = 0.95
_TAILS: Final = (0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0)
_POWER: Final = 0.8
_ALIKE: Final = 1e-9
_BINS: Final = (1.0, 1.5, 2.0, 3.0, 5.0)
_NO_SPREAD: Final = 1e-6  # of the spread of all trades: rounding of squares


def expectancy(results: Sequence[float] | Floats, years: float) -> Expectancy:
    """Mean R of closed trades, in the order of closing, with its standard error and 95 % interval.

    The interval is studentised: quantiles of (resampled mean - mean) / its error, from the stationary bootstrap with
    automatic block length and from independent draws, the wider end of the two on each side. With few trades the block
    length itself is uncertain, and one chosen on a chance negative correlation would narrow the interval
    (docs/decisions/0060). years: time in which the strategy could act. Below FEWEST_TRADES no interval is given.
    """
    values = np.asarray(results, np.float64)
    count = len(values)
    mean = float(values.mean()) if count else None
    per_year = count / years if years > 0.0 else None
    if count < FEWEST_TRADES or mean is None:
        note = f"no interval of {count} trade{'' if count == 1 else 's'}: at least {FEWEST_TRADES} are needed"
        return _without(count, mean, per_year, note)
    centred = values - mean
    if float(np.ptp(values)) < _ALIKE:
        return _without(count, mean, per_year, "no interval: all trades have the same R")
    length = block_length(values)
    naive = float(values.std()) / math.sqrt(count)
    error, low, high = 0.0, math.inf, -math.inf
    for blocks in {1.0, length}:
        means, errors = mean_distribution(centred, blocks)
        spread = errors > _NO_SPREAD * naive  # a resample of one value drawn over and over has none
        if float((~spread).mean()) > _TAILS[0] / 2.0:
            return _without(count, mean, per_year, "no interval: too many trades have the same R")
        lower, upper = np.quantile(means[spread] / errors[spread], _TAILS)
        low, high = min(low, mean - float(upper) * naive), max(high, mean - float(lower) * naive)
        error = max(error, float(means.std()) * math.sqrt(count / (count - 1)))
    return Expectancy(
        trades=count, mean_r=mean, standard_error=error, low=low, high=high, block_length=length,
        trades_per_year=per_year, trades_needed=_needed(mean, error * math.sqrt(count)),
    )  # fmt: skip


def _without(count: int, mean: float | None, per_year: float | None, note: str) -> Expectancy:
    return Expectancy(
        trades=count, mean_r=mean, standard_error=None, low=None, high=None, block_length=None,
        trades_per_year=per_year, trades_needed=None, note=note,
    )  # fmt: skip


def trade_statistics(
    closed: Sequence[tuple[date, float]], years: float, *, beyond: Sequence[float] | None = None
) -> TradeStatistics:
    """Everything that closed trades alone say. closed: (exit session, R) in the order of closing.

    years: as `expectancy` takes them. beyond: losses in R of the trade, where `closed` is in another R.
    """
    results = [r for _, r in closed]
    by_year: dict[int, list[float]] = {}
    totals: dict[date, float] = {}
    total = 0.0
    for day, r in closed:
        by_year.setdefault(day.year, []).append(r)
        total += r
        totals[day] = total
    made = tuple(YearOfTrades(year, len(found), sum(found)) for year, found in sorted(by_year.items()))
    return TradeStatistics(
        expectancy=expectancy(results, years),
        curve=tuple(map(CurvePoint, totals, totals.values())),
        years=made,
        best_year=max(made, key=lambda year: year.total_r, default=None),
        worst_year=min(made, key=lambda year: year.total_r, default=None),
        losses_beyond_1r=losses_beyond_one_r(results if beyond is None else beyond),
    )


def losses_beyond_one_r(results: Sequence[float]) -> LossesBeyondOneR:
    """The distribution of the losses beyond 1 R among the R of closed trades."""
    losses = [-r for r in results if r < -1.0 - _ALIKE]
    return LossesBeyondOneR(
        count=len(losses),
        share=len(losses) / len(results) if results else None,
        mean_r=-sum(losses) / len(losses) if losses else None,
        worst_r=-max(losses) if losses else None,
        bins=tuple(
            LossBin(over, up_to, sum(over < loss and (up_to is None or loss <= up_to) for loss in losses))
            for over, up_to in zip(_BINS, (*_BINS[1:], None), strict=True)
        ),
    )


def _needed(mean: float, spread: float) -> int | None:
    """Trades of this mean and long-run spread that tell it from zero at LEVEL, in _POWER of all histories."""
    if abs(mean) < _ALIKE:
        return None
    normal = NormalDist()
    distance = normal.inv_cdf(_TAILS[1]) + normal.inv_cdf(_POWER)
    return math.ceil((distance * spread / mean) ** 2)
