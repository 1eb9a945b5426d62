"""Highs and lows of both sides, where closes are of different moments: most are the same trade on either clock.

One vendor's day closes at the settlement, another's at the last trade before midnight in London. Their closes then
lie ticks apart, and the offset of an adjusted series cannot be read off them to the tick; the highest and the
lowest trade of the day mostly lie in both days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctl.arrays import Days, Floats
from ctl.certification.contract_closes import ContractCloses

if TYPE_CHECKING:
    from ctl.model.bars import ContractBars, DailySeries


KINDS = ("high", "low")


def day_ranges(
    series: DailySeries, days: Days, bars: ContractBars, closes: ContractCloses
) -> tuple[Floats, Floats] | None:
    """(highs and lows of `series` on `days` (2, T), of the contracts laid out as `closes.flat` (2, N)).

    days: datetime64[D], all of which the series has. closes: those of `bars`. NaN where a price is missing; None
    where a side has no day with a range (settlement files repeat the close or leave both empty).
    """
    days_shipped = series.frame["session"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(days_shipped, days)
    theirs = np.stack([series.frame[kind].to_numpy()[at] for kind in KINDS])
    ours = np.stack([ContractCloses.from_bars(bars, kind).flat for kind in KINDS])
    if ours.shape[1] != closes.flat.size or not (_has_range(theirs) and _has_range(ours)):
        return None
    return np.where(np.isfinite(theirs), theirs, np.nan), ours


def _has_range(prices: Floats) -> bool:
    """Whether the median day's high lies above its low."""
    size = prices[0] - prices[1]
    size = size[np.isfinite(size)]
    return bool(size.size) and float(np.median(size)) > 0.0
