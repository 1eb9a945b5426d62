"""The mean true range of the newest sessions, by which a distance between two sides is measured, and earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Floats

if TYPE_CHECKING:
    from ctl.certification.overlap import Overlap
    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference
    from ctl.model.rolls import ContinuousSeries


NEWEST: Final = 60


def true_range(close: Floats, high: Floats, low: Floats) -> float:
    """Mean true range; |close change| where high or low is missing. NaN with fewer than two closes."""
    if close.size < 2:
        return float("nan")
    before = close[:-1]
    upper, lower = np.fmax(high[1:], close[1:]), np.fmin(low[1:], close[1:])
    ranged = np.isfinite(high[1:]) & np.isfinite(low[1:])
    size = np.where(ranged, np.fmax(upper, before) - np.fmin(lower, before), np.abs(np.diff(close)))
    known = size[np.isfinite(size)]
    return float(known.mean()) if known.size else float("nan")


def earlier_ranges(close: Floats, newest: float) -> Floats:
    """The newest range on every session (T), less where closes moved less in the 61 sessions around it.

    close: without rolls' jumps (T). newest: `newest_range`; 0.0 throughout where that is unknown. What a market of a
    third of today's price calls far is little today.
    """
    if not newest > 0.0:
        return np.zeros(close.size)
    size = np.abs(np.diff(close, prepend=close[:1]))
    known = np.isfinite(size)
    summed, counted = (np.concatenate([[0.0], np.cumsum(x)]) for x in (np.where(known, size, 0.0), known))
    at = np.arange(close.size)
    low, high = np.maximum(at - NEWEST // 2, 0), np.minimum(at + NEWEST // 2 + 1, close.size)
    around = (summed[high] - summed[low]) / np.maximum(counted[high] - counted[low], 1.0)
    today = (summed[-1] - summed[-NEWEST - 1 :][0]) / max(counted[-1] - counted[-NEWEST - 1 :][0], 1.0)
    return newest * np.minimum(around / today, 1.0) if today > 0.0 else np.full(close.size, newest)


def newest_range(overlap: Overlap, canonical: ContinuousSeries | DailySeries, reference: Reference) -> float:
    """The smaller side's mean true range over the last 60 shared sessions; NaN where neither moves."""
    newest = slice(-NEWEST - 1, None)
    sessions = overlap.sessions[newest]
    theirs = reference.adjusted or reference.unadjusted
    ranges = []
    for series, closes in (
        (canonical, overlap.canonical_adjusted),
        (theirs, overlap.reference_adjusted if overlap.has_reference_adjusted else overlap.reference_unadjusted),
    ):
        if series is not None:
            days = series.frame["session"].to_numpy().astype("datetime64[D]")
            rows = slice(int(np.searchsorted(days, sessions[0])), int(np.searchsorted(days, sessions[-1])) + 1)
            high, low = (series.frame.get_column(name).to_numpy()[rows] for name in ("high", "low"))
            if high.size == sessions.size:
                ranges.append(true_range(closes[newest], high, low))
            else:
                absent = np.full(sessions.size, np.nan)
                ranges.append(true_range(closes[newest], absent, absent))
    return min((size for size in ranges if size > 0.0), default=float("nan"))
