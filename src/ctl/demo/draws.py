"""Random numbers that are the same on every machine.

Raw PCG64 output is the only source (NumPy guarantees that stream), and normals are sums of uniforms, so that no
platform's log or exp enters a draw. Each purpose has its own stream: changing one cause leaves all others' draws alone.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TERMS: Final = 12


class Draws:
    """One stream, named by a seed and labels."""

    def __init__(self, seed: int, *labels: str) -> None:
        name = "/".join((str(seed), *labels))
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
        self._bits = np.random.PCG64(key)

    def uniform(self, count: int) -> Floats:
        """`count` values in [0, 1)."""
        raw = np.asarray(self._bits.random_raw(count), dtype=np.uint64)
        return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, count: int) -> Floats:
        """`count` values of mean 0 and variance 1: the sum of twelve uniforms less 6 (so within -6 .. 6)."""
        total: Floats = self.uniform(count * _TERMS).reshape(_TERMS, count).sum(axis=0)
        return total - _TERMS / 2

    def integers(self, count: int, low: int, high: int) -> NDArray[np.int64]:
        """`count` integers of low .. high, both inclusive."""
        return low + np.floor(self.uniform(count) * (high - low + 1)).astype(np.int64)


def bridge_extremes(draws: Draws, start: Floats, end: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """Highest and lowest point of Brownian bridges from `start` to `end` with the given standard deviation.

    The maximum's distribution is exact (Karatzas and Shreve, 2.8): (a + b + sqrt((b - a)^2 - 2 s^2 ln U)) / 2;
    highs and lows are drawn independently of each other.
    """
    count = start.size
    spread = (end - start) ** 2
    variance = 2.0 * deviation**2
    up = np.sqrt(spread - variance * np.log(1.0 - draws.uniform(count)))
    down = np.sqrt(spread - variance * np.log(1.0 - draws.uniform(count)))
    return (start + end + up) / 2, (start + end - down) / 2
