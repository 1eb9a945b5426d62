"""How far bars are from triggering, or from not triggering: the near misses that certification looks at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import polars as pl

from ctl.strategy.b1.parameters import B1Parameters
from ctl.strategy.bars import Floats, StrategyBars


def trigger_margins(
    bars: StrategyBars, params: B1Parameters | None = None, *, sessions: Iterable[date]
) -> dict[date, float]:
    """Distance of the deciding inequality from turning, per session, as a fraction of the close as it stood.

    Of several inequalities the one that holds least decides, or of those that fail the one that fails
    most: a trigger needs all of them. Sessions without a bar, in warm-up, or where slope or price have
    no meaning are left out. Positions held are not considered.
    """
    slack = slacks(bars, params or B1Parameters())
    price = bars.close - bars.adjustment
    margins = {}
    for session in sessions:
        n = int(np.searchsorted(bars.session, np.datetime64(session)))
        if n < len(bars) and bars.session[n].item() == session and np.isfinite(slack[n]) and price[n] > 0.0:
            margins[session] = abs(float(slack[n])) / float(price[n])
    return margins


def slacks(bars: StrategyBars, params: B1Parameters) -> Floats:
    """The smallest slack of B1's conditions on every bar, in price; below zero where one fails, NaN in warm-up."""
    close = pl.Series(bars.close)
    ema = close.ewm_mean(alpha=2.0 / (params.ema + 1.0), adjust=False).to_numpy()
    last = np.r_[bars.close[:1], bars.close[:-1]]
    true_range = np.maximum(bars.high - bars.low, np.maximum(np.abs(bars.high - last), np.abs(bars.low - last)))
    true_range[0] = bars.high[0] - bars.low[0]
    atr = pl.Series(true_range).ewm_mean(alpha=1.0 / params.atr, adjust=False).to_numpy()
    before = _shifted(ema, params.slope_lookback)
    denominator = np.where(before - bars.adjustment > 0.0, before - bars.adjustment, np.nan)
    conditions = [
        ema - before - params.slope_threshold / 100.0 * denominator,
        ema - bars.low,
        bars.close - (ema - params.breakdown_buffer_atr * atr),
        _shifted(pl.Series(bars.high).rolling_max(params.swing_lookback).to_numpy(), 1) - bars.low,
    ]
    if params.min_bars_of_air:
        air = pl.Series(bars.low - ema).rolling_min(params.min_bars_of_air)
        conditions.append(_shifted(air.to_numpy(), 1))
    slack: Floats = np.min(conditions, axis=0)
    slack[: params.warm_up] = np.nan
    return slack


def _shifted(values: Floats, by: int) -> Floats:
    moved = np.full(len(values), np.nan)
    moved[by:] = values[: max(len(values) - by, 0)]
    return moved
