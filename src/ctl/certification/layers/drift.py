"""L4: how far apart do the two adjusted series run, once the constant between them is taken off?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from ctl.certification.window import roll_starts
from ctl.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.window import Overlap, WindowRoll

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
AligningRule = Literal["same_contract_run", "after_last_roll"]


@dataclass(frozen=True, slots=True)
class AligningRun:
    """The shared sessions that the constant between both series is measured on.

    start, end: positions on `Overlap.sessions`, both inclusive. contract: index of the one contract that
    both sides hold there, -1 where unknown.
    """

    start: int
    end: int
    contract: int
    rule: AligningRule

    @property
    def window(self) -> slice:
        """The run as a slice of the overlap's arrays."""
        return slice(self.start, self.end + 1)


@dataclass(frozen=True, slots=True)
class DriftIntervals:
    """Drift between consecutive rolls of either side (k intervals).

    start, end: positions on `Overlap.sessions`, both inclusive. mean, signed_mean: of |D| and D. share: of the
    sum of |D|.
    """

    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    mean: Floats
    signed_mean: Floats
    share: Floats


@dataclass(frozen=True, slots=True)
class Drift:
    """D(t) = canonical - reference adjusted close - anchor over the shared sessions, in quote units."""

    run: AligningRun
    anchor: float
    d: Floats
    mean_drift: float
    max_drift: float
    signed_mean_drift: float
    p95_drift: float
    max_at: int
    intervals: DriftIntervals


def aligning_run(
    overlap: Overlap, canonical_rolls: Sequence[WindowRoll], reference_rolls: Sequence[WindowRoll]
) -> AligningRun:
    """The last run of consecutive same-contract sessions: one contract, no roll of either side inside.

    Where both sides are never known to hold the same contract: the sessions after the last roll of either
    side. Raises DataError where there is no session to align on.
    """
    return _aligning_run(overlap, roll_starts(overlap, canonical_rolls, reference_rolls))


def _aligning_run(overlap: Overlap, first_on_new: Ints) -> AligningRun:
    same = np.flatnonzero(overlap.same_contract)
    count = overlap.sessions.size
    if not same.size:
        start = int(first_on_new[-1]) if first_on_new.size else 0
        if start >= count:
            raise DataError(
                "no shared session after the last roll to align on",
                found=f"last shared session {overlap.sessions[-1]}",
            )
        return AligningRun(start, count - 1, -1, "after_last_roll")
    end = int(same[-1])
    contract = int(overlap.canonical_contract[end])
    broken = ~(overlap.same_contract & (overlap.canonical_contract == contract))[: end + 1]
    broken_at = np.flatnonzero(broken)
    start = int(broken_at[-1]) + 1 if broken_at.size else 0
    inside = first_on_new[first_on_new <= end]
    if inside.size:
        start = max(start, int(inside[-1]))
    return AligningRun(start, end, contract, "same_contract_run")


def measure(overlap: Overlap, canonical_rolls: Sequence[WindowRoll], reference_rolls: Sequence[WindowRoll]) -> Drift:
    """D(t) and its statistics. p95 interpolates linearly between order statistics.

    Raises DataError where the reference ships no adjusted series or nothing can be aligned on.
    """
    if not overlap.has_reference_adjusted:
        raise DataError("the reference ships no adjusted series to measure drift against")
    first_on_new = roll_starts(overlap, canonical_rolls, reference_rolls)
    run = _aligning_run(overlap, first_on_new)
    difference = overlap.canonical_adjusted - overlap.reference_adjusted
    anchor = float(np.median(difference[run.window]))
    d = difference - anchor
    size = np.abs(d)
    return Drift(
        run=run,
        anchor=anchor,
        d=d,
        mean_drift=float(size.mean()),
        max_drift=float(size.max()),
        signed_mean_drift=float(d.mean()),
        p95_drift=_percentile(size, 0.95),
        max_at=int(size.argmax()),
        intervals=_intervals(d, size, first_on_new),
    )


def _percentile(values: Floats, share: float) -> float:
    """Linear interpolation between order statistics, as numpy's default."""
    place = share * (values.size - 1)
    low = int(place)
    high = min(low + 1, values.size - 1)
    ordered = np.partition(values, (low, high))
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def _intervals(d: Floats, size: Floats, first_on_new: Ints) -> DriftIntervals:
    starts = np.append(0, first_on_new[(first_on_new > 0) & (first_on_new < d.size)])
    ends = np.append(starts[1:], d.size)
    counts = ends - starts
    signed, absolute = np.add.reduceat(d, starts), np.add.reduceat(size, starts)
    total = absolute.sum()
    share = absolute / total if total > 0.0 else np.zeros_like(absolute)
    return DriftIntervals(starts, ends - 1, absolute / counts, signed / counts, share)
