"""Does our own schedule explain the reference's closes? Then it is the recovery, before any path is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.certification.recovery.fingerprint import CAP_TICKS

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.certification.contract_closes import ContractCloses

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

# Our schedule is taken where its residual is at most so much above the recovered path's.
MOST_ABOVE: Final = 0.01
# How far the dates of two files may lie apart, in sessions.
FILES_WITHIN: Final = 15
_ROUNDING_TICKS: Final = 1e-6


@dataclass(frozen=True, slots=True)
class OwnSchedule:
    """How our schedule explains a series on its sessions (T).

    contract_on_day: ours, index in expiry order, -1 beyond our series. residual_ticks: truncated distance of the series
    to its close, NaN where there is nothing to compare. offsets: what the series carries
    above it, by segment; zeros for unadjusted closes.
    """

    contract_on_day: Ints
    residual_ticks: Floats
    offsets: Floats
    cap_ticks: float

    @property
    def total(self) -> float:
        """Sum of the residuals, in ticks."""
        return float(np.nansum(self.residual_ticks))

    def explains(self, path_ticks: Floats) -> bool:
        """Whether the residual is at most 1 % above that of a path on the same sessions (T)."""
        known = np.isfinite(self.residual_ticks)
        if not known.any():
            return False
        there = float(np.nansum(path_ticks[known]))
        return self.total <= (1.0 + MOST_ABOVE) * there + _ROUNDING_TICKS

    def worst_stretch(self, path: Ints, path_ticks: Floats) -> float:
        """By how many ticks it lies farther off than a path, at most, over neighbouring sessions of other contracts.

        path, path_ticks: contracts and residuals of the path on the same sessions (T).
        """
        other = self.compared & (path >= 0) & (path != self.contract_on_day)
        if not other.any():
            return 0.0
        run = np.cumsum(np.diff(other.astype(np.int8), prepend=0) > 0)[other]
        return float(np.bincount(run, (self.residual_ticks - path_ticks)[other]).max())

    @property
    def compared(self) -> npt.NDArray[np.bool_]:
        """Sessions on which there is something to compare."""
        found: npt.NDArray[np.bool_] = np.isfinite(self.residual_ticks)
        return found

    @property
    def matches(self) -> bool:
        """Whether it is a match at all, by the rule of a path."""
        known = self.residual_ticks[self.compared]
        return known.size > 0 and round(float(np.median(known)), 9) <= self.cap_ticks / 2

    @property
    def exact(self) -> bool:
        """Whether nothing is left to explain: no path can be better."""
        known = self.residual_ticks[np.isfinite(self.residual_ticks)]
        return known.size > 0 and float(known.sum()) <= _ROUNDING_TICKS * known.size


def own_schedule(
    values: Floats,
    at: Ints,
    contract_on_day: Ints,
    closes: ContractCloses,
    *,
    tick: float,
    adjusted: bool,
    cap_ticks: float = CAP_TICKS,
) -> OwnSchedule:
    """The reference's closes against our contracts on our schedule.

    values: closes (T) at positions `at` of `closes.sessions` (-1: none). contract_on_day: what our series held (T),
    -1 unknown. adjusted: each of our segments gets the median of its differences as offset. A missing close costs the
    cap.
    """
    apart = values - closes.close(contract_on_day, at)
    offsets = np.zeros(values.size)
    if adjusted:
        bounds = np.concatenate(([0], np.flatnonzero(np.diff(contract_on_day)) + 1, [contract_on_day.size]))
        lengths = np.diff(bounds)
        segment = np.repeat(np.arange(lengths.size), lengths)
        # NaN sorts last within its segment; the median is of the finite ones.
        order = np.lexsort((apart, segment))
        known = np.add.reduceat(np.isfinite(apart), bounds[:-1])
        ordered = apart[order]
        low, high = (bounds[:-1] + np.maximum(known - 1, 0) // 2), bounds[:-1] + np.maximum(known, 1) // 2
        middle = np.where(known > 0, (ordered[low] + ordered[np.minimum(high, ordered.size - 1)]) / 2, 0.0)
        offsets = middle[segment]
    residual = np.minimum(np.abs(apart - offsets) / tick, cap_ticks)
    residual = np.where(np.isfinite(residual), residual, cap_ticks)
    there = (contract_on_day >= 0) & (at >= 0) & np.isfinite(values)
    return OwnSchedule(contract_on_day, np.where(there, residual, np.nan), offsets, cap_ticks)


def redated(
    values: Floats, at: Ints, contract_on_day: Ints, closes: ContractCloses, *, tick: float, within: int, adjusted: bool
) -> Ints:
    """A schedule with every switch on the session, within so many, on which the closes fit both contracts best.

    Shapes as in `own_schedule`. Each contract's offset of an adjusted series is the median of its segment, `within`
    sessions off its ends where it is long enough. Ties: the nearest, then the earlier session; of an adjusted series
    the latest, because on the gap session both contracts fit.
    """
    moved = contract_on_day.copy()
    known = (contract_on_day[1:] >= 0) & (contract_on_day[:-1] >= 0)
    starts = np.flatnonzero((np.diff(contract_on_day) != 0) & known) + 1
    bounds = [0, *starts.tolist(), contract_on_day.size]
    offsets = [0.0] * (len(bounds) - 1)
    if adjusted:
        apart = values - closes.close(contract_on_day, at)
        for n, (first, end) in enumerate(pairwise(bounds)):
            inset = within if end - first > 3 * within else (end - first) // 3
            inner = apart[first + inset : max(end - inset, first + inset + 1)]
            inner = inner[np.isfinite(inner)]
            offsets[n] = float(np.median(inner)) if inner.size else np.nan
    # All sessions around all switches at once: the distance to the contract before, and to the one after.
    low = np.maximum(starts - within, np.array(bounds[:-2], dtype=np.int64) + 1)
    high = np.minimum(starts + within, np.array(bounds[2:], dtype=np.int64) - 1)
    around = low[:, None] + np.arange(2 * within)[None, :]
    inside = around < high[:, None]
    span = np.where(inside, around, 0).ravel()
    costs = []
    for contract, offset in ((contract_on_day[starts - 1], offsets[:-1]), (contract_on_day[starts], offsets[1:])):
        close = closes.close(np.repeat(contract, 2 * within), at[span])
        distance = np.abs(values[span] - np.repeat(np.array(offset), 2 * within) - close) / tick
        distance = np.minimum(np.where(np.isfinite(distance), distance, CAP_TICKS), CAP_TICKS)
        costs.append(np.where(inside, distance.reshape(inside.shape), 0.0))
    # A switch at low + k holds the old contract on k sessions of the span and the new one on the rest.
    nothing = np.zeros((starts.size, 1))
    before = np.concatenate([nothing, np.cumsum(costs[0], axis=1)], axis=1)
    after = costs[1].sum(axis=1, keepdims=True) - np.concatenate([nothing, np.cumsum(costs[1], axis=1)], axis=1)
    place = low[:, None] + np.arange(2 * within + 1)[None, :]
    allowed = place <= np.maximum(high, low)[:, None]
    total = np.where(allowed, np.round(before + after, 6), np.inf)
    away = -place + place.max() if adjusted else np.abs(place - starts[:, None])
    best = np.where(total == total.min(axis=1, keepdims=True), away, np.iinfo(np.int64).max).argmin(axis=1)
    for n, (start, new) in enumerate(zip(starts.tolist(), (low + best).tolist(), strict=True)):
        moved[min(start, new) : start] = contract_on_day[start]
        moved[start:new] = contract_on_day[bounds[n + 1] - 1]
    return moved
