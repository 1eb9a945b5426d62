"""Variants tried so far for a symbol, and what their number makes of a result."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, Final

from ctl import digests
from ctl.errors import CtlError
from ctl.model.statistics import TrialLuck
from ctl.statistics import score, trial_luck
from ctl.store import trials as ledger

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.bars import SeriesChoice
    from ctl.model.rolls import RollPolicy
    from ctl.model.trades import Timeframe
    from ctl.store import Workspace
    from ctl.strategy.protocol import Strategy


def identity(
    strategy: Strategy,
    overrides: Mapping[str, Any],
    timeframe: Timeframe,
    policy: RollPolicy | None,
    series: SeriesChoice,
) -> str:
    """What tells a variant of a symbol from every other: rules, bars and the series they run on; costs are no choice.

    strategy: as configured with `overrides`. One that does not compare by value is told by its overrides.
    """
    configured = strategy if overrides else strategy.configured({}, timeframe=timeframe)
    by_value = is_dataclass(configured) and isinstance(configured, Hashable)
    rules = repr(configured) if by_value else sorted((name, str(value)) for name, value in overrides.items())
    return digests.digest([strategy.name, rules, timeframe, repr(policy), series.name])


@dataclass(frozen=True, slots=True)
class Trials:
    """The ledger as read for one command; None with a problem: it could not be, without: there is none."""

    frame: pl.DataFrame | None
    problem: str = ""

    @classmethod
    def read(cls, workspace: Workspace) -> Trials:
        """The workspace's ledger; one that is damaged leaves counts unknown, and says so."""
        try:
            return cls(ledger.read(workspace))
        except CtlError as error:
            return cls(None, str(error))

    def luck(self, own: Mapping[str, tuple[str, Sequence[float]]], results: Sequence[float]) -> TrialLuck:
        """What the trials of some symbols make of `results`.

        own: per symbol the identity of the variant at hand, which counts whether it stands in the ledger or not, and
        its R. Of several symbols the most tried one gives the count, and the spread of scores is their mean.
        """
        import polars as pl

        if self.problem:
            return TrialLuck(None, None, None, note=self.problem)
        counts, spreads = [1], []
        for symbol, (trial, r) in own.items():
            scores: list[float] = []
            if self.frame is not None:
                others = self.frame.filter((pl.col("symbol") == symbol) & (pl.col("trial") != trial))
                counts.append(others.height + 1)
                scores = others["score"].drop_nulls().to_list()
            this = score(r)
            scores += [] if this is None else [this]
            if len(scores) > 1:
                mean = sum(scores) / len(scores)
                spreads.append(sum((value - mean) ** 2 for value in scores) / (len(scores) - 1))
        return trial_luck(results, max(counts), sum(spreads) / len(spreads) if spreads else None)


NO_TRIALS: Final = Trials(None)
