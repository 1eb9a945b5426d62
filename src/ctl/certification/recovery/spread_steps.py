"""Rolls read off the spread between a vendor's own two series: S = unadjusted - adjusted steps by the gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Floats, Ints
from ctl.kernels import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence


MIN_STEP_TICKS: Final = 2.0
MERGE_SESSIONS: Final = 3
_COMPARED_DECIMALS: Final = 9


def find_steps(
    spread: Floats, *, tick: float, min_ticks: float = MIN_STEP_TICKS, merge: int = MERGE_SESSIONS
) -> list[tuple[int, float]]:
    """(index, gap) of every step of the spread, by index.

    spread: unadjusted less adjusted closes on consecutive sessions (T). A step is a change from one session
    to the next of at least `min_ticks`; steps at most `merge` sessions after the first of them are one,
    dated at that first, with the summed gap. What merges to less than `min_ticks` (a slip of one series that
    is taken back) is no step.
    """
    changes = np.diff(spread)
    limit = round(min_ticks, _COMPARED_DECIMALS)
    big = np.round(np.abs(changes) / tick, _COMPARED_DECIMALS) >= limit
    merged: list[tuple[int, float]] = []
    for index in (np.flatnonzero(big) + 1).tolist():
        change = float(changes[index - 1])
        if merged and index - merged[-1][0] <= merge:
            merged[-1] = (merged[-1][0], merged[-1][1] + change)
        else:
            merged.append((index, change))
    return [(index, gap) for index, gap in merged if round(abs(gap) / tick, _COMPARED_DECIMALS) >= limit]


def segment_gaps(spread: Floats, starts: Sequence[int]) -> list[float]:
    """Gap at each roll: the step between the medians of the spread over the adjacent segments.

    starts: index of the first session on each new contract, strictly ascending, each in 1..T-1.
    """
    bounds = np.array([0, *starts, len(spread)], dtype=np.int64)
    # Sorted within each segment; a median is the mean of its two middle values.
    segment = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    ordered = spread[np.lexsort((spread, segment))]
    sizes = np.diff(bounds)
    medians = (ordered[bounds[:-1] + (sizes - 1) // 2] + ordered[bounds[:-1] + sizes // 2]) / 2
    gaps: list[float] = np.diff(medians).tolist()
    return gaps


def match_in_order(left: Ints, right: Ints, *, within: int) -> list[tuple[int, int]]:
    """Pairs (i, j) of two ascending lists of positions, order-preserving, at most `within` apart.

    As many pairs as possible; of those the least summed distance; of those the earliest.
    """
    if len(left) == 0 or len(right) == 0:
        return []
    begin = np.searchsorted(right, left - within)
    end = np.searchsorted(right, left + within, side="right")
    alone = begin[end > begin]
    if (end - begin <= 1).all() and (np.diff(alone) > 0).all():
        # Nobody has a choice.
        return list(zip(np.flatnonzero(end > begin).tolist(), alone.tolist(), strict=True))
    partner = _match(np.ascontiguousarray(left), np.ascontiguousarray(right), within)
    return [(i, int(j)) for i, j in enumerate(partner) if j >= 0]


@kernel
def _match(left: Ints, right: Ints, within: int) -> Ints:
    """Position in `right` that each of `left` is matched with, -1 for none."""
    n, m = len(left), len(right)
    # An unmatched position costs more than any chain of distances could save.
    alone = (within + 1) * (n + m + 1)
    cost = np.zeros((n + 1, m + 1), np.int64)
    for i in range(n, -1, -1):
        for j in range(m, -1, -1):
            if i == n:
                cost[i, j] = (m - j) * alone
            elif j == m:
                cost[i, j] = (n - i) * alone
            else:
                best = min(cost[i + 1, j], cost[i, j + 1]) + alone
                apart = abs(left[i] - right[j])
                if apart <= within:
                    best = min(best, cost[i + 1, j + 1] + apart)
                cost[i, j] = best
    partner = np.full(n, -1, np.int64)
    i, j = 0, 0
    while i < n and j < m:
        apart = abs(left[i] - right[j])
        if apart <= within and cost[i, j] == cost[i + 1, j + 1] + apart:
            partner[i] = j
            i += 1
            j += 1
        elif cost[i, j] == cost[i, j + 1] + alone:
            j += 1
        else:
            i += 1
    return partner
