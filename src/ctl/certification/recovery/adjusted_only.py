"""A reference that ships its adjusted series alone: which contracts it held, and by how much it was adjusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Days, Floats, Ints
from ctl.certification.recovery.day_ranges import day_ranges
from ctl.certification.recovery.fingerprint import no_match
from ctl.certification.recovery.free_offset import FEWEST_CANDIDATES, MOST_CANDIDATES, STEP_CAPS, free_offset_path
from ctl.certification.recovery.roll_sources import Candidate, Labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.recovery.fingerprint import HeldPath
    from ctl.model.bars import ContractBars, DailySeries


PENALTY_CAPS: Final = 1.0
# Highs and lows are one trade or two: farther apart than this says no more.
RANGE_CAP_TICKS: Final = 10.0
# Of a factor's fit: a vendor rounds its products to its grid.
MAX_RATIO_RESIDUAL_TICKS: Final = 2.0


@dataclass(frozen=True, slots=True)
class FollowedPath:
    """A path through our contracts, and how far it can be relied on.

    series: the prices that it is read off. median_residual_ticks: of the closes, whatever it is read off; None without
    a path. uncertain: neighbouring contracts can be mistaken for each other. by_ratio: the closes are our contracts'
    times a factor each, and no offsets fit them.
    """

    path: HeldPath
    series: str
    median_residual_ticks: float | None
    uncertain: bool = False
    by_ratio: bool = False


def follow(
    adjusted: Floats,
    index: Ints,
    days: Days,
    closes: ContractCloses,
    *,
    tick: float,
    cap_ticks: float,
    shipped: DailySeries | None,
    bars: ContractBars | None,
) -> FollowedPath:
    """The contracts of an adjusted series, by its closes, or by its highs and lows.

    adjusted: finite closes (T) on `days`, at positions `index` of `closes.sessions`. shipped, bars: where the highs and
    lows of both sides are. They are asked where the closes are not our closes but the highs and lows are ours: closes
    of another moment lie farther from ours than the spread of two contracts moves in a week.
    """
    path = _path(adjusted, index, closes, None, tick, cap_ticks)
    median = path.median_residual_ticks
    if path.same_prices:
        return FollowedPath(path, "adjusted", median)
    ranges = None if bars is None or shipped is None else day_ranges(shipped, days, bars, closes)
    if ranges is not None:
        by_ranges = _path(ranges[0], index, closes, ranges[1], tick, min(cap_ticks, RANGE_CAP_TICKS))
        if by_ranges.same_prices:
            residual = _close_residual(by_ranges, adjusted, index, closes, tick, cap_ticks)
            return FollowedPath(by_ranges, "adjusted highs and lows", residual)
    # Factors follow a few weeks' noise as well as offsets do: they are asked where offsets do not follow.
    by_ratio = (median is None or median > MAX_RATIO_RESIDUAL_TICKS) and _fits_by_ratio(adjusted, index, closes, tick)
    return FollowedPath(path, "adjusted", median, uncertain=len(path.contract_on_day) > 0, by_ratio=by_ratio)


def _path(
    values: Floats, index: Ints, closes: ContractCloses, prices: Floats | None, tick: float, cap: float
) -> HeldPath:
    return free_offset_path(
        values,
        index,
        closes,
        tick=tick,
        prices=prices,
        cap_ticks=cap,
        penalty_ticks=cap * PENALTY_CAPS,
        step_ticks=cap * STEP_CAPS,
        most_candidates=MOST_CANDIDATES if prices is None else FEWEST_CANDIDATES,
    )


def _fits_by_ratio(adjusted: Floats, index: Ints, closes: ContractCloses, tick: float) -> bool:
    """Whether the adjusted closes are the contracts' times a factor each: offsets of their logarithms."""
    if not ((adjusted > 0.0).all() and (closes.flat[np.isfinite(closes.flat)] > 0.0).all()):
        return False
    path = free_offset_path(
        np.log(adjusted),
        index,
        closes,
        # A tick at the level of the day would be another unit each day; the greatest is the strictest in logarithms.
        tick=tick / float(max(adjusted.max(), np.nanmax(closes.flat))),
        prices=np.log(closes.flat),
        most_candidates=FEWEST_CANDIDATES,
    )
    median = path.median_residual_ticks
    return median is not None and median <= MAX_RATIO_RESIDUAL_TICKS and no_match(path) is None


def _close_residual(
    path: HeldPath, adjusted: Floats, index: Ints, closes: ContractCloses, tick: float, cap_ticks: float
) -> float:
    """How far the closes lie from those of the contracts held, in ticks: the path's own prices are others."""
    distance = adjusted - path.offsets - closes.close(path.contract_on_day, index)
    residual = np.abs(distance) / tick
    return float(np.median(np.where(np.isnan(residual), cap_ticks, np.minimum(residual, cap_ticks))))


def by_segments(
    path: HeldPath, chosen: Ints, contract_on_day: Ints, adjusted: Floats, names: Sequence[str]
) -> tuple[Candidate, Floats]:
    """Rolls of the path's segments, their offsets' steps as gaps; and the unadjusted closes that follow (T).

    chosen: positions of the path's sessions among all T. contract_on_day: the path's, on every session, -1
    beyond it.
    """
    offsets = np.full(len(adjusted), np.nan)
    span = np.arange(int(chosen[0]), int(chosen[-1]) + 1)
    offsets[span] = path.offsets[np.searchsorted(chosen, span, side="right") - 1]
    # Beyond our closes the nearest segment goes on.
    offsets[: span[0]] = offsets[span[0]]
    offsets[span[-1] + 1 :] = offsets[span[-1]]
    changed = (np.diff(offsets) != 0) | (np.diff(contract_on_day) != 0)
    changed[: span[0]] = False
    changed[span[-1] :] = False
    starts: list[int] = (np.flatnonzero(changed) + 1).tolist()
    labels: Labels = []
    for start in starts:
        old, new = int(contract_on_day[start - 1]), int(contract_on_day[start])
        labels.append((None, None) if old == new else (names[old], names[new]))
    gaps: list[float | None] = [float(offsets[start - 1] - offsets[start]) for start in starts]
    return Candidate("fingerprint", starts, labels, gaps, contract_on_day), adjusted - offsets
