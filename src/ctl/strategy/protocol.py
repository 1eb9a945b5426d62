"""What a strategy is to the runner: bars in, trades out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ctl.model.trades import StrategyResult, Timeframe
    from ctl.strategy.bars import StrategyBars


class Strategy(Protocol):
    """A strategy that the runner can plan, run and lock."""

    @property
    def name(self) -> str:
        """Short lower-case name, as in the entry-point group."""

    def run(
        self,
        bars: Sequence[StrategyBars],
        *,
        timeframe: Timeframe,
        slippage_per_side: Sequence[float],
        tick: Sequence[float | None],
        lots: int = 3,
    ) -> Sequence[StrategyResult]:
        """One result per symbol, in the order given; costs in price units, one per symbol."""

    def fingerprint(self) -> str:
        """sha256 hex of the strategy's behaviour: the same until its trades would change."""
