"""`python -m benchmarks.intervals [--simulations N]`: how often the 95 % interval of slippage holds the true mean.

Seeded fills of a known mean cost, each in a session of its own and five to a session: the fills of one session share
its level, and differ by a fifth of its spread. Beside it what Student's interval over the fills would hold.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from ctl.trading.intervals import student_quantile
from ctl.trading.slippage import Fill, from_fills

Floats = npt.NDArray[np.float64]
FIRST = date(2024, 1, 1)
WITHIN = 0.2


@dataclass(frozen=True)
class Costs:
    """A population of costs. of: makes costs from standard normal numbers; mean: their true mean."""

    name: str
    of: Callable[[Floats], Floats]
    mean: float


def lognormal(sigma: float) -> Costs:
    return Costs(f"log-normal, sigma {sigma:g}", lambda z: np.exp(sigma * z), math.exp(sigma**2 / 2.0))


def _exponential(z: Floats) -> Floats:
    return np.array([-math.log(0.5 * math.erfc(x / math.sqrt(2.0))) for x in z.ravel()]).reshape(z.shape)


REQUIRED = (Costs("normal", lambda z: 1.0 + z, 1.0), lognormal(1.0))
RELATIVES = (
    lognormal(0.5),
    lognormal(0.75),
    lognormal(1.25),
    Costs("exponential", _exponential, 1.0),
    Costs("log-normal less 1", lambda z: np.exp(z) - 1.0, math.exp(0.5) - 1.0),
)


@dataclass(frozen=True)
class Coverage:
    """Shares of the simulations whose interval held the mean, and its width beside Student's over the fills."""

    costs: str
    fills: int
    per_session: int
    held: float
    student: float
    width: float


def coverage(costs: Costs, fills: int, per_session: int, simulations: int, *, seed: int = 1) -> Coverage:
    """Simulate fills `per_session` to a session; the within-session part of the normal score is WITHIN of it."""
    draw = np.random.default_rng([seed, fills, per_session])
    sessions = fills // per_session
    share = WITHIN**2 / (1.0 + WITHIN**2) if per_session > 1 else 0.0
    held, student, widths = 0, 0, []
    for _ in range(simulations):
        level, own = draw.standard_normal((sessions, 1)), draw.standard_normal((sessions, per_session))
        drawn = costs.of(math.sqrt(1.0 - share) * level + math.sqrt(share) * own)
        made = [
            Fill(FIRST + timedelta(days=at), "buy", 1.0, 100.0 + float(cost), 100.0, "market")
            for at, row in enumerate(drawn)
            for cost in row
        ]
        found = from_fills(made, tick=0.01).parts["fills"]
        if found.low is None or found.high is None:
            raise ValueError(f"no interval for {fills} fills in {sessions} sessions")
        held += found.low <= costs.mean <= found.high
        reach = student_quantile(0.95, fills - 1) * float(drawn.std(ddof=1)) / math.sqrt(fills)
        student += abs(float(drawn.mean()) - costs.mean) <= reach
        widths.append((found.high - found.low) / (2.0 * reach))
    return Coverage(costs.name, fills, per_session, held / simulations, student / simulations, float(np.median(widths)))


def table(simulations: int, every: tuple[Costs, ...] = (*REQUIRED, *RELATIVES)) -> Iterator[Coverage]:
    """Every population, alone and five to a session, for 10, 30 and 100 fills."""
    for costs in every:
        for per_session in (1, 5):
            for fills in (10, 30, 100):
                yield coverage(costs, fills, per_session, simulations)


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit 1 where an interval of the required populations holds less than 0.90 or more than 0.97."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals", description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    simulations = parser.parse_args(argv).simulations
    required = {costs.name for costs in REQUIRED}
    missed = 0
    print(f"{'costs':24}{'fills':>6}{'a session':>11}{'holds':>8}{'Student':>9}{'width':>7}")
    for row in table(simulations):
        out = row.costs in required and not 0.90 <= row.held <= 0.97
        missed += out
        print(
            f"{row.costs:24}{row.fills:6}{row.per_session:11}{row.held:8.3f}{row.student:9.3f}{row.width:7.2f}"
            f"{'  outside 0.90 to 0.97' if out else ''}",
            flush=True,
        )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
