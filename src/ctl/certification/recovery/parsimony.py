"""Does our own schedule explain the reference's closes? Then it is the recovery, before any path is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Floats, Ints
from ctl.certification.recovery.fingerprint import CAP_TICKS
from ctl.certification.series_arrays import median
from ctl.kernels import kernel, part

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses


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
    def compared(self) -> Bools:
        """Sessions on which there is something to compare."""
        found: Bools = np.isfinite(self.residual_ticks)
        return found

    @property
    def matches(self) -> bool:
        """Whether it is a match at all, by the rule of a path."""
        known = self.residual_ticks[self.compared]
        return known.size > 0 and round(median(known), 9) <= self.cap_ticks / 2

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
    places = _best_switches(
        values, at, contract_on_day, starts, np.array(bounds, dtype=np.int64), np.array(offsets),
        closes.first, closes.last, closes.start, closes.flat, tick, within, adjusted,
    )  # fmt: skip
    for n, (start, new) in enumerate(zip(starts.tolist(), places.tolist(), strict=True)):
        moved[min(start, new) : start] = contract_on_day[start]
        moved[start:new] = contract_on_day[bounds[n + 1] - 1]
    return moved


@kernel
def _best_switches(
    values: Floats,
    at: Ints,
    contract_on_day: Ints,
    starts: Ints,
    bounds: Ints,
    offsets: Floats,
    first: Ints,
    last: Ints,
    start: Ints,
    flat: Floats,
    tick: float,
    within: int,
    latest: bool,
) -> Ints:
    """Per switch the session that it is best made on; of equally good ones the latest, or the nearest and earlier."""
    out = starts.copy()
    for n in range(starts.size):
        here = starts[n]
        old, new = contract_on_day[here - 1], contract_on_day[here]
        low, high = max(here - within, bounds[n] + 1), min(here + within, bounds[n + 2] - 1)
        # By how much a switch later by a session fits better: the old contract's distance there less the new one's.
        lead = 0.0
        best = 0.0
        out[n] = low
        for t in range(low, high):
            k = at[t]
            distance = values[t] - offsets[n] - _close(old, k, first, last, start, flat)
            other = values[t] - offsets[n + 1] - _close(new, k, first, last, start, flat)
            lead += _truncated(distance, tick) - _truncated(other, tick)
            cost = np.round(lead, 6)
            place = t + 1
            nearer = place > out[n] if latest else abs(place - here) < abs(out[n] - here)
            if cost < best or (cost == best and nearer):
                best, out[n] = cost, place
    return out


@part
def _close(k: int, at: int, first: Ints, last: Ints, start: Ints, flat: Floats) -> float:
    """Close of a contract at a session; NaN where there is none."""
    return flat[start[k] + at - first[k]] if first[k] <= at <= last[k] else np.nan


@part
def _truncated(distance: float, tick: float) -> float:
    """Size of a distance in ticks, at most the cap; the cap where it is not known."""
    size = abs(distance) / tick
    return size if size < CAP_TICKS else CAP_TICKS
