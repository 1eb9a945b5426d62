"""What L5 is given: triggers and trades of a strategy on both sides, made by the caller.

Certification does not know the strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from ctl.arrays import Days, Floats


@dataclass(frozen=True, slots=True, eq=False)
class FunctionalSide:
    """What the strategy did on one side, one entry per trigger, oldest first (n).

    triggers: datetime64[D]. exits: datetime64[D], the session of the last fill; NaT where no trade closed.
    results: float64, R of the closed trade. margins: per session how far the inequality that decides on a
    trigger there is from turning, as a fraction of price (0.001 is 0.1 %); at least for the sessions on which
    either side triggers, so that a near miss can be told from a real one.
    """

    triggers: Days
    exits: Days
    results: Floats
    margins: Mapping[date, float] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> FunctionalSide:
        """A side without triggers."""
        none = np.empty(0, "datetime64[D]")
        return cls(none, none, np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class TradedBars:
    """A series as a strategy takes it: datetime64[D] ascending, adjusted prices, and what each carries above its price
    at the time (n each).
    """

    sessions: Days
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    carried: Floats

    def between(self, first: np.datetime64, last: np.datetime64) -> TradedBars:
        """The sessions from first to last, both inclusive."""
        rows = slice(*np.searchsorted(self.sessions, [first, last + np.timedelta64(1, "D")]).tolist())
        return TradedBars(*(getattr(self, name)[rows] for name in self.__slots__))


RunBars = Callable[[Sequence[TradedBars]], Sequence[FunctionalSide]]


@dataclass(frozen=True, slots=True)
class FunctionalInput:
    """Both sides over the overlap. sessions: datetime64[D] of either side, ascending: distances are counted on it.

    absent: why the strategy could not run on both sides (open, high or low missing); then nothing is compared.
    """

    sessions: Days
    canonical: FunctionalSide
    reference: FunctionalSide
    absent: str | None = None
