"""How much of the best of many tries is luck.

Deflated Sharpe ratio: Bailey and Lopez de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (2014).
Odds of backtest overfitting: Bailey, Borwein, Lopez de Prado and Zhu, Journal of Computational Finance 20 (2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.model.statistics import TrialLuck

if TYPE_CHECKING:
    from ctl.statistics.resampling import Floats

BLOCKS: Final = 12
"""Parts that history is cut into: 924 ways to choose on one half and score on the other."""
_EULER: Final = 0.5772156649015329
_FEWEST: Final = 3  # results that a Sharpe ratio is compared for: fewer have no third moment to speak of


def sharpe(results: Sequence[float] | Floats) -> float | None:
    """Mean over standard deviation (with n - 1) of results, per result; None where it is not defined."""
    values = np.asarray(results, np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()) / spread if spread > 0.0 else None


def expected_best(trials: int, variance: float) -> float:
    """The Sharpe ratio that the best of `trials` without any skill is expected to show; variance: of theirs."""
    if trials <= 1:
        return 0.0
    normal = NormalDist()
    quantile = (1.0 - _EULER) * normal.inv_cdf(1.0 - 1.0 / trials)
    return math.sqrt(variance) * (quantile + _EULER * normal.inv_cdf(1.0 - 1.0 / (trials * math.e)))


def deflated_sharpe(ratio: float, count: int, skew: float, kurtosis: float, trials: int, variance: float) -> float:
    """Odds that a Sharpe ratio, seen on `count` results, is above what the best of `trials` shows by luck.

    ratio and variance are per result, not annualised. kurtosis: 3 of a normal distribution.
    """
    spread = math.sqrt(max(1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2, 1e-12))
    return NormalDist().cdf((ratio - expected_best(trials, variance)) * math.sqrt(count - 1) / spread)


def score(results: Sequence[float] | Floats) -> float | None:
    """Sharpe ratio times the square root of the number of results: comparable where their numbers differ."""
    ratio = sharpe(results)
    return None if ratio is None else ratio * math.sqrt(len(results))


def trial_luck(results: Sequence[float] | Floats, trials: int, spread: float | None) -> TrialLuck:
    """The luck in the results of one variant, R of its closed trades.

    spread: variance of the trials' scores; over the number of results at hand it is that of their Sharpe ratios. None
    where fewer than two have one: then it is that of pure chance, 1.
    """
    values = np.asarray(results, np.float64)
    ratio = sharpe(values)
    if ratio is None or len(values) < _FEWEST:
        return TrialLuck(trials, None, None, note=f"too few trades for a deflated Sharpe ratio ({len(values)})")
    variance = (1.0 if spread is None else spread) / len(values)
    normed = (values - values.mean()) / values.std()
    skew, kurtosis = float((normed**3).mean()), float((normed**4).mean())
    return TrialLuck(trials, variance, deflated_sharpe(ratio, len(values), skew, kurtosis, trials, variance))


def backtest_overfitting(sums: Floats, squares: Floats) -> float | None:
    """The share of ways to halve history in which the best variant of one half is in the worse half on the other.

    sums, squares: (blocks, variants), of R and of its square over the trades that closed in each block, blocks of
    equal time and even in number. A variant's score on some blocks is sum / sqrt(squares), the Sharpe ratio in time
    of trades that come at random; 0 without trades. Equal ranks count half. None with fewer than two variants.
    """
    blocks, variants = sums.shape
    if variants < 2:
        return None
    chosen = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, members in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, list(members)] = 1.0
    overfit = 0.0
    for part in np.array_split(chosen, max(1, chosen.shape[0] * variants // 500_000)):
        inside, outside = _scores(part, sums, squares), _scores(1.0 - part, sums, squares)
        rows = np.arange(len(part))
        best = outside[rows, inside.argmax(axis=1)][:, None]
        rank = (outside < best).sum(axis=1) + ((outside == best).sum(axis=1) + 1.0) / 2.0
        share = rank / (variants + 1.0)
        overfit += float((share < 0.5).sum()) + 0.5 * float((share == 0.5).sum())
    return overfit / len(chosen)


def _scores(chosen: Floats, sums: Floats, squares: Floats) -> Floats:
    total, spread = chosen @ sums, np.sqrt(chosen @ squares)
    found: Floats = np.divide(total, spread, out=np.zeros_like(total), where=spread > 0.0)
    return found
