"""Timing: rounds in which every contender runs once, so that a noisy machine disturbs all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Timed = Callable[[], float]


@dataclass(frozen=True)
class Figure:
    """One line of the table: ours against one peer (or bound), medians over the rounds of one run.

    ratio: peer's time over ours, above one where we are faster; the median of the rounds' own ratios.
    target: the ratio, or with `most` the time in seconds, that was asked for; None where nothing was.
    """

    job: str
    ours: str
    seconds: float
    peer: str
    peer_seconds: float
    ratio: float
    rate: str = ""
    target: float | None = None
    most: float | None = None
    agreement: str = ""
    note: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None without one."""
        if self.target is None and self.most is None:
            return None
        fast = self.target is None or self.ratio >= self.target
        return fast and (self.most is None or self.seconds <= self.most)

    def document(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self) | {"met": self.met}


def clocked(job: Callable[[], Any]) -> Timed:
    """A callable that runs `job` once and returns the seconds it took."""

    def run() -> float:
        start = time.perf_counter()
        job()
        return time.perf_counter() - start

    return run


def worked(job: Callable[[], Any]) -> Timed:
    """Likewise, in processor seconds of this thread, which other programs on the machine hardly lengthen."""

    def run() -> float:
        start = time.thread_time()
        job()
        return time.thread_time() - start

    return run


def spent(job: Callable[[], Any]) -> Timed:
    """Likewise, in processor seconds of all threads of this process."""

    def run() -> float:
        start = time.process_time()
        job()
        return time.process_time() - start

    return run


def rounds(contenders: Mapping[str, Timed], repeats: int) -> dict[str, list[float]]:
    """Seconds of every contender, `repeats` times round the circle; one unrecorded round first."""
    for run in contenders.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            found[name].append(run())
    return found


def ratio(ours: list[float], peer: list[float]) -> float:
    """Median over the rounds of peer's seconds over ours."""
    return statistics.median(theirs / mine for mine, theirs in zip(ours, peer, strict=True))
