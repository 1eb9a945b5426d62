"""How cost grows: log-log slopes of B1 over symbols and sessions and of the build over contract bars (1 is linear)."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.builds import contract_bars
from benchmarks.measure import clocked
from benchmarks.tapes import contract_panel, trending_tapes


@dataclass(frozen=True)
class Growth:
    """Seconds at each size, and the slope of log seconds over log size."""

    job: str
    sizes: list[int]
    seconds: list[float]

    @property
    def exponent(self) -> float:
        """Least-squares slope in the log-log plane."""
        return float(np.polyfit(np.log(self.sizes), np.log(self.seconds), 1)[0])

    def document(self) -> dict[str, Any]:
        """JSON-ready: the points of the log-log plot and its slope."""
        return {"job": self.job, "sizes": self.sizes, "seconds": self.seconds, "exponent": self.exponent}


def growths(repeats: int) -> list[Growth]:
    """B1 over symbols, B1 over sessions, build over contract bars."""
    from ctl import continuous
    from ctl.model.rolls import RollPolicy

    def strategy(symbols: int, sessions: int) -> float:
        run = clocked(_strategy(symbols, sessions))
        return _median(run, repeats)

    def build(years: int) -> tuple[int, float]:
        bars = contract_bars(contract_panel(years=years, listed=12))
        return bars.frame.height, _median(clocked(lambda: continuous.build(bars, RollPolicy())), repeats)

    counts, lengths = [10, 30, 100, 300], [1_000, 3_000, 10_000, 30_000]
    builds = [build(years) for years in (5, 10, 20, 40)]
    return [
        Growth("B1 over symbols (2,500 bars each)", counts, [strategy(count, 2_500) for count in counts]),
        Growth("B1 over sessions (20 symbols)", lengths, [strategy(20, length) for length in lengths]),
        Growth("build over contract bars", [rows for rows, _ in builds], [seconds for _, seconds in builds]),
    ]


def _strategy(symbols: int, length: int) -> Any:
    from benchmarks.strategy import strategy_bars
    from ctl.strategy import b1

    bars = strategy_bars(trending_tapes(symbols, length))
    return lambda: b1.run_batch(bars)


def _median(run: Any, repeats: int) -> float:
    run()
    return statistics.median(run() for _ in range(repeats))
