"""How often the 95 % interval of R/trade holds the true mean, by number of trades and shape of their R.

`python -m benchmarks.expectancy_coverage`: 1,000 seeded histories a cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ctl.statistics import expectancy

HISTORIES = 1_000
Draw = Callable[[np.random.Generator, int], np.ndarray]


def like_b1(draw: np.random.Generator, count: int) -> np.ndarray:
    """Wins capped by the third target, losses with a tail; mean -0.11."""
    won = draw.random(count) < 0.6
    return np.where(won, draw.uniform(0.3, 2.0, count), -0.4 - draw.exponential(1.6, count))


def dependent(draw: np.random.Generator, count: int) -> np.ndarray:
    """Each trade carries 0.3 of the one before."""
    values = draw.normal(size=count + 20)
    for k in range(1, len(values)):
        values[k] += 0.3 * values[k - 1]
    return values[20:]


SHAPES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda draw, count: draw.normal(size=count), 0.0),
    "capped wins, losses with a tail": (like_b1, 0.6 * 1.15 - 0.4 * 2.0),
    "log-normal, sigma 1": (lambda draw, count: draw.lognormal(0.0, 1.0, count), math.exp(0.5)),
    "dependent, 0.3": (dependent, 0.0),
}


def coverage(shape: Draw, true: float, count: int) -> float:
    """The share of histories whose interval holds the true mean."""
    draw = np.random.default_rng(count)
    held = 0
    for _ in range(HISTORIES):
        found = expectancy(shape(draw, count), 8.0)
        held += found.low is not None and found.high is not None and found.low <= true <= found.high
    return held / HISTORIES


def main(counts: Sequence[int] = (6, 10, 30, 100)) -> None:
    """Print the table."""
    print("| R of trades | " + " | ".join(f"{count} trades" for count in counts) + " |")
    print("|---|" + "---|" * len(counts))
    for name, (shape, true) in SHAPES.items():
        print(f"| {name} | " + " | ".join(f"{coverage(shape, true, count):.3f}" for count in counts) + " |")


if __name__ == "__main__":
    main()
