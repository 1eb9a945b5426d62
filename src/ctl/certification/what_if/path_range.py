"""How much of the mean drift is chance: the same gap differences, in another order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Floats, Ints
from ctl.kernels import kernel
from ctl.model.certificate import PathRange

if TYPE_CHECKING:
    from ctl.certification.layers.ledger import Ledger


ORDERS: Final = 200
SEED: Final = 20260301
RANGE: Final = (0.05, 0.95)
# Orders summed side by side: one sum alone would wait for each addition to end.
_LANES: Final = 8


def range_of(book: Ledger) -> PathRange:
    """The range of a ledger's drift."""
    return path_range(book.drift, book.carried, book.before)


def path_range(drift: Floats, gaps: Floats, before: Ints, *, orders: int = ORDERS, seed: int = SEED) -> PathRange:
    """The range of mean |drift| when the blocks' gap differences change places.

    drift: D on T sessions. gaps: what the sessions before each block carry (B); before: number of those sessions, not
    descending (B). The observed mean may lie outside the range. Percentiles interpolate linearly.
    """
    observed = float(np.abs(drift).mean()) if drift.size else 0.0
    if gaps.size < 2 or not gaps.any():
        return PathRange(observed, observed, 0)
    carried = np.zeros(drift.size + 1)
    np.add.at(carried, before, gaps)
    # A session carries the gaps of the blocks behind it: those with more sessions before them.
    rest = drift - (gaps.sum() - np.cumsum(carried)[:-1])
    moved = np.random.default_rng(seed).permuted(np.tile(gaps, (orders, 1)), axis=1)
    means = _means(rest, moved, before)
    low, high = np.quantile(means, RANGE)
    return PathRange(float(low), float(high), orders)


@kernel
def _means(rest: Floats, gaps: Floats, before: Ints) -> Floats:
    """Mean |rest + carried| for each row of gaps; several orders side by side, each summed session after session."""
    orders, blocks = gaps.shape
    count = rest.size
    out = np.empty(orders)
    level, total = np.empty(_LANES), np.empty(_LANES)
    for first in range(0, orders, _LANES):
        level[:] = 0.0
        total[:] = 0.0
        lanes = min(_LANES, orders - first)
        for b in range(blocks):
            for n in range(lanes):
                level[n] += gaps[first + n, b]
        start = 0
        for b in range(blocks + 1):
            end = min(max(before[b], start), count) if b < blocks else count
            for t in range(start, end):
                for n in range(_LANES):
                    total[n] += abs(rest[t] + level[n])
            start = end
            if b < blocks:
                for n in range(lanes):
                    level[n] -= gaps[first + n, b]
        for n in range(lanes):
            out[first + n] = total[n] / max(count, 1)
    return out
