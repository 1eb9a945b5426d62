"""Block lengths, bootstrap errors and overfitting odds as others compute them.

`pip install arch` in an environment of its own, then `python tests/answers/statistics_outside.py > \
tests/answers/statistics_outside.json`. arch: Kevin Sheppard's bootstraps. The odds of overfitting are counted here,
slowly, as Bailey, Borwein, Lopez de Prado and Zhu (2017) describe them.
"""

from __future__ import annotations

import json
import random
from itertools import combinations
from math import sqrt


def moving(seed: int, count: int, rho: float, skewed: bool = False) -> list[float]:
    """A first-order autoregression of a fixed generator."""
    draw = random.Random(seed)  # noqa: S311 - a fixed tape
    values, last = [], 0.0
    for _ in range(count):
        shock = draw.expovariate(1.0) - 1.0 if skewed else draw.gauss(0.0, 1.0)
        last = rho * last + shock
        values.append(last)
    return values


TAPES = [
    (1, 500, 0.0, False), (2, 500, 0.5, False), (3, 1000, 0.8, False), (4, 250, 0.3, True), (5, 2000, -0.4, False),
]  # fmt: skip


def grid(seed: int, blocks: int, variants: int, drift: float) -> tuple[list[list[float]], list[list[float]]]:
    """Sums of R and of its square per block and variant; variant 0 has the drift."""
    draw = random.Random(seed)  # noqa: S311 - a fixed tape
    sums, squares = [], []
    for _ in range(blocks):
        trades = [[draw.gauss(drift if v == 0 else 0.0, 1.5) for _ in range(4)] for v in range(variants)]
        sums.append([sum(found) for found in trades])
        squares.append([sum(r * r for r in found) for found in trades])
    return sums, squares


GRIDS = [(11, 6, 4, 0.0), (12, 8, 7, 0.6), (13, 8, 5, 3.0), (14, 4, 3, 0.0)]


def overfitting(sums: list[list[float]], squares: list[list[float]]) -> float:
    blocks, variants = len(sums), len(sums[0])

    def score(members: tuple[int, ...], v: int) -> float:
        spread = sqrt(sum(squares[b][v] for b in members))
        return sum(sums[b][v] for b in members) / spread if spread else 0.0

    bad = 0.0
    halves = list(combinations(range(blocks), blocks // 2))
    for half in halves:
        other = tuple(b for b in range(blocks) if b not in half)
        best = max(range(variants), key=lambda v: (score(half, v), -v))
        outside = [score(other, v) for v in range(variants)]
        rank = sum(o < outside[best] for o in outside) + (sum(o == outside[best] for o in outside) + 1) / 2
        share = rank / (variants + 1)
        bad += 1.0 if share < 0.5 else 0.5 if share == 0.5 else 0.0
    return bad / len(halves)


def main() -> None:
    import numpy as np
    from arch.bootstrap import StationaryBootstrap, optimal_block_length

    tapes = []
    for tape in TAPES:
        values = np.array(moving(*tape))
        length = float(optimal_block_length(values)["stationary"].iloc[0])
        made = StationaryBootstrap(max(length, 1.0), values, seed=7)
        means = made.apply(lambda x: x.mean(), 20_000)
        tapes.append({"tape": tape, "block_length": max(length, 1.0), "error_of_mean": float(means.std())})
    grids = [{"grid": each, "pbo": overfitting(*grid(*each))} for each in GRIDS]
    print(json.dumps({"arch": __import__("arch").__version__, "tapes": tapes, "grids": grids}, indent=1))


if __name__ == "__main__":
    main()
