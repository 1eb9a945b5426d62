"""How far bars are from triggering, or from not triggering: the near misses that certification looks at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from ctl.kernels import kernel
from ctl.strategy.b1.parameters import B1Parameters
from ctl.strategy.bars import Floats, Integers, Sessions, StrategyBars


@kernel
def smoothed(values: Floats, alpha: float) -> Floats:
    """e[0] = x[0]; e[n] = e[n - 1] + alpha * (x[n] - e[n - 1]).

    values: an array that can be written, so that one type is compiled.
    """
    out = np.empty(len(values))
    average = values[0]
    out[0] = average
    for n in range(1, len(values)):
        average += alpha * (values[n] - average)
        out[n] = average
    return out


def trigger_margins(
    bars: StrategyBars, params: B1Parameters | None = None, *, sessions: Sessions | Sequence[date]
) -> dict[date, float]:
    """Distance of the deciding inequality from turning, per session, as a fraction of the close as it stood.

    Of several inequalities the one that holds least decides, or of those that fail the one that fails
    most: a trigger needs all of them. Sessions without a bar, in warm-up, or where slope or price have
    no meaning are left out. Positions held are not considered.
    """
    asked = np.asarray(sessions, "datetime64[D]")
    at = np.searchsorted(bars.session, asked)
    at = at[bars.session[np.minimum(at, len(bars) - 1)] == asked]
    if not at.size:
        return {}
    slack = slacks(bars, params or B1Parameters(), at)
    price = bars.close[at] - bars.adjustment[at]
    judged = np.isfinite(slack) & (price > 0.0)
    margins = np.abs(slack[judged]) / price[judged]
    return dict(zip(bars.session[at[judged]].tolist(), margins.tolist(), strict=True))


def slacks(bars: StrategyBars, params: B1Parameters, at: Integers) -> Floats:
    """The smallest slack of B1's conditions on the bars `at`, in price; below zero where one fails, NaN in warm-up."""
    slack = np.full(len(at), np.nan)
    warm = at >= max(params.warm_up, params.swing_lookback, params.min_bars_of_air)
    at = at[warm]
    ema = smoothed(bars.close.copy(), 2.0 / (params.ema + 1.0))
    atr = smoothed(_true_range(bars), 1.0 / params.atr)
    average, low, close = ema[at], bars.low[at], bars.close[at]
    before = ema[at - params.slope_lookback]
    denominator = before - bars.adjustment[at]
    conditions = [
        average - before - params.slope_threshold / 100.0 * np.where(denominator > 0.0, denominator, np.nan),
        average - low,
        close - (average - params.breakdown_buffer_atr * atr[at]),
        _before(bars.high, at, params.swing_lookback).max(axis=1) - low,
    ]
    if params.min_bars_of_air:
        conditions.append(_before(bars.low - ema, at, params.min_bars_of_air).min(axis=1))
    slack[warm] = np.min(conditions, axis=0)
    return slack


def _true_range(bars: StrategyBars) -> Floats:
    high, low, last = bars.high[1:], bars.low[1:], bars.close[:-1]
    reach = np.maximum(high - low, np.maximum(np.abs(high - last), np.abs(low - last)))
    return np.concatenate([bars.high[:1] - bars.low[:1], reach])


def _before(values: Floats, at: Integers, count: int) -> Floats:
    """The `count` values before each of `at`, one line each."""
    rows: Floats = values[at[:, None] - np.arange(1, count + 1)]
    return rows
