"""B1 as the runner sees a strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ctl.strategy.b1.parameters import B1Parameters

if TYPE_CHECKING:
    from ctl.model.trades import StrategyResult, Timeframe
    from ctl.strategy.b1.grid import GridResult
    from ctl.strategy.bars import StrategyBars
    from ctl.strategy.protocol import Strategy


@dataclass(frozen=True, slots=True)
class B1:
    """The 10-EMA retest; `params` None means each timeframe's registered defaults."""

    params: B1Parameters | None = None

    @property
    def name(self) -> str:
        """`b1`."""
        return "b1"

    def configured(self, overrides: Mapping[str, Any], *, timeframe: Timeframe, unregistered: bool = False) -> B1:
        """B1 with a timeframe's defaults and `overrides` in place."""
        return B1(B1Parameters.from_overrides(overrides, timeframe, unregistered=unregistered))

    def run(
        self,
        bars: Sequence[StrategyBars],
        *,
        timeframe: Timeframe,
        slippage_per_side: Sequence[float],
        tick: Sequence[float | None],
        lots: int = 3,
    ) -> Sequence[StrategyResult]:
        """`run_batch` with this strategy's parameters."""
        from ctl.strategy.b1.batch import run_batch

        return run_batch(
            bars, self.params, timeframe=timeframe, slippage_per_side=slippage_per_side, tick=tick, lots=lots
        )

    def sweep(
        self,
        variants: Sequence[B1],
        bars: Sequence[StrategyBars],
        *,
        timeframe: Timeframe,
        slippage_per_side: Sequence[float],
        tick: Sequence[float | None],
        stress: bool,
    ) -> GridResult:
        """Many variants over several symbols in one pass (grid.py), trades listed."""
        from ctl.strategy.b1.grid import run

        rules = [each.params or B1Parameters.registered(timeframe) for each in variants]
        return run(
            bars, rules, timeframe=timeframe, slippage_per_side=slippage_per_side, tick=tick, threads=2, trades=True,
            stress=stress,
        )  # fmt: skip

    def joined(self, parts: Sequence[GridResult]) -> GridResult:
        """Sweeps of the same variants over some symbols after others as one."""
        from ctl.strategy.b1.grid import joined

        return joined(parts)


REGISTERED: Final[Strategy] = B1()
