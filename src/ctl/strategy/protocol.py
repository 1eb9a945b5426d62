"""What a strategy is to the runner: bars in, trades out.

The records are protocols, so that a strategy can keep its own dataclasses: what is named here is what the runner
reads of them, and whatever else their fields hold is published with the run. docs/extending/strategy.md is the guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ctl.model.trades import Metrics, StressedTrades, Timeframe
    from ctl.strategy.bars import Floats, Sessions, StrategyBars


class Signal(Protocol):
    """What a strategy saw on a bar, and what became of it; `status` `awaiting_entry` is an order for the next open.

    Its document holds at least `status`, `trigger_session` and `stop`.
    """

    @property
    def status(self) -> str:
        """confirmed, expired, pending, awaiting_entry or no_trade."""


class Position(Protocol):
    """One trade, closed or still open (then marked at the last close).

    Its document holds at least `trigger_session`, `entry_session`, `exit_session` (ISO dates), `entry_price`,
    `stop_price`, `exit_price`, `exit_reason`, `r_theoretical` and `hold_bars`; of an open one `awaiting_exit` too.
    """

    @property
    def entry_session(self) -> date:
        """Session of the fill."""

    @property
    def exit_session(self) -> date:
        """Session on which the last unit left, or of the mark."""

    @property
    def r_theoretical(self) -> float:
        """Result in multiples of the risk taken at the entry."""

    @property
    def hold_bars(self) -> int:
        """Bars from the entry bar to the exit bar."""


class Result(Protocol):
    """What one strategy did on one symbol's bars; `ctl.model.trades.StrategyResult` is one.

    trades: closed, ordered by entry. evaluated_bars: bars on which the strategy could act.
    stressed: the closed trades at other slippages, None where the strategy does not test them.
    """

    @property
    def symbol(self) -> str: ...
    @property
    def timeframe(self) -> Timeframe: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def triggers(self) -> Sequence[Signal]: ...
    @property
    def trades(self) -> Sequence[Position]: ...
    @property
    def open(self) -> Sequence[Position]: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def first_session(self) -> date: ...
    @property
    def last_session(self) -> date: ...
    @property
    def bar_count(self) -> int: ...
    @property
    def evaluated_bars(self) -> int: ...
    @property
    def stressed(self) -> tuple[StressedTrades, ...] | None: ...


class Strategy(Protocol):
    """A strategy that the runner can plan, run and lock."""

    @property
    def name(self) -> str:
        """Short lower-case name, as in the entry-point group."""

    def configured(self, overrides: Mapping[str, Any], *, timeframe: Timeframe, unregistered: bool = False) -> Strategy:
        """The same strategy with other parameters: numbers, or text as typed on a command line.

        Raises UsageError for an unknown name or a wrong value, and for one outside the range the strategy is
        registered for unless `unregistered`.
        """

    def run(
        self,
        bars: Sequence[StrategyBars],
        *,
        timeframe: Timeframe,
        slippage_per_side: Sequence[float],
        tick: Sequence[float | None],
        lots: int = 3,
    ) -> Sequence[Result]:
        """One result per symbol, in the order given; costs in price units, one per symbol."""


class Swept(Protocol):
    """What many variants of a strategy did on several symbols; positions are those of what was asked."""

    def metrics(self, variant: int, symbol: int) -> Metrics:
        """What `run` of that variant measures on that symbol."""

    def portfolios(self, symbols: Sequence[int], stress: bool) -> Sequence[Metrics]:
        """Each variant's metrics over several symbols, as `ctl.strategy.metrics.portfolio` measures them."""

    def moments(self, symbol: int) -> tuple[Floats, Floats, Floats]:
        """Per variant the number of closed trades on a symbol, the sum of their R and of its square."""

    def closed_r(self, variant: int) -> list[float]:
        """R of a variant's closed trades on all symbols, in the order of closing, then of symbols."""

    def by_time(self, edges: Sessions) -> tuple[Floats, Floats]:
        """(len(edges), variants): R of trades that closed on all symbols from each edge to the next, and its square."""


class Sweeping(Strategy, Protocol):
    """A strategy that computes what its variants share once; `ctl research` asks it instead of each variant."""

    def sweep(
        self,
        variants: Sequence[Any],
        bars: Sequence[StrategyBars],
        *,
        timeframe: Timeframe,
        slippage_per_side: Sequence[float],
        tick: Sequence[float | None],
        stress: bool,
    ) -> Swept:
        """`variants` are this strategy as `configured`; stress: whether slippage stress is measured too."""

    def joined(self, parts: Sequence[Any]) -> Swept:
        """What `sweep` gives on all symbols, from what it gave on some after others (`--jobs`)."""
