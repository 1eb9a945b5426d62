"""B1 over many symbols: arrays out of the kernel, typed triggers, trades and frames when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from ctl.model.trades import ClosedR, Metrics, StrategyResult, StressedTrades, Timeframe, Trade, Trigger, frame_schema
from ctl.strategy.b1.behaviour import fingerprint
from ctl.strategy.b1.parameters import B1Parameters, require_timeframe
from ctl.strategy.b1.passes import framed, rules_of, tables
from ctl.strategy.b1.records import open_of, trade_columns, trades_of, trigger_columns, triggers_of
from ctl.strategy.b1.rules import CONFIRMED, Events, Integers
from ctl.strategy.bars import StrategyBars
from ctl.strategy.metrics import metrics_of

if TYPE_CHECKING:
    import polars as pl

STRESS_TICKS: Final = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Batch(Sequence[StrategyResult]):
    """What B1 did on several symbols, in the order given; `batch[s]` makes the typed result of one.

    bars: of the run's timeframe. events: one line per trigger and the trade it led to, a field per array
    (`batch.events["r_theoretical"]`; rules.EVENT names them); symbol s has lines offsets[s] to offsets[s + 1].
    sums: one line per symbol (metrics.SUMS). stressed, stressed_offsets, stressed_sums: closed trades with
    0, 1, 2, 3 ticks of slippage instead, a line per level; of no symbol where no tick is known.
    """

    bars: tuple[StrategyBars, ...]
    params: B1Parameters
    timeframe: Timeframe
    slippage_per_side: tuple[float, ...]
    tick: tuple[float | None, ...]
    lots: int
    offsets: Integers
    events: Events
    sums: Events
    stressed_offsets: Integers
    stressed: tuple[Events, ...]
    stressed_sums: Events

    def __len__(self) -> int:
        return len(self.bars)

    @overload
    def __getitem__(self, symbol: int) -> StrategyResult: ...
    @overload
    def __getitem__(self, symbol: slice) -> list[StrategyResult]: ...
    def __getitem__(self, symbol: int | slice) -> StrategyResult | list[StrategyResult]:
        """Typed triggers, trades and metrics of one symbol, or of several."""
        if isinstance(symbol, slice):
            return [self[s] for s in range(*symbol.indices(len(self)))]
        s = range(len(self))[symbol]
        bars, events = self.bars[s], self.events_of(s)
        return StrategyResult(
            symbol=bars.symbol,
            timeframe=self.timeframe,
            parameters={
                **self.params.document(),
                "timeframe": self.timeframe,
                "slippage_per_side": self.slippage_per_side[s],
                "tick": self.tick[s],
                "lots": self.lots,
            },
            triggers=triggers_of(events, bars.session),
            trades=trades_of(events, bars.session, self.lots),
            open=open_of(events, bars.session, self.lots),
            metrics=self.metrics(s),
            fingerprint=fingerprint(self.params, self.timeframe),
            first_session=bars.session[0].item(),
            last_session=bars.session[-1].item(),
            bar_count=len(bars),
            evaluated_bars=self.evaluated_bars(s),
            stressed=self._stressed(s),
        )

    def events_of(self, symbol: int) -> Events:
        """One symbol's lines of `events`."""
        return self.events[self.offsets[symbol] : self.offsets[symbol + 1]]

    def evaluated_bars(self, symbol: int) -> int:
        """Bars after warm-up."""
        return max(0, len(self.bars[symbol]) - self.params.warm_up)

    def metrics(self, symbol: int) -> Metrics:
        """One symbol's metrics."""
        levels = None
        if self.stressed and self.tick[symbol] is not None:
            levels = dict(zip(STRESS_TICKS, self.stressed_sums[:, symbol], strict=True))
        return metrics_of(self.sums[symbol], self.evaluated_bars(symbol), levels)

    def triggers_frame(self) -> pl.DataFrame:
        """One row per trigger of all symbols: symbol, then the fields of Trigger."""
        return self._frame(Trigger, trigger_columns, np.ones(len(self.events), bool))

    def trades_frame(self) -> pl.DataFrame:
        """One row per trade of all symbols, closed or open (exit_reason `Open`): symbol, then the fields of Trade."""
        entered = self.events["status"] == CONFIRMED
        return self._frame(Trade, partial(trade_columns, lots=self.lots), entered)

    def _frame(self, record: type, columns: Callable[..., dict[str, Any]], chosen: Any) -> pl.DataFrame:
        import polars as pl

        counts = np.diff(self.offsets)
        starts = np.cumsum([0, *(len(bars) for bars in self.bars)])[:-1]
        session = np.concatenate([bars.session for bars in self.bars]) if self.bars else np.empty(0, "datetime64[D]")
        names = np.repeat([bars.symbol for bars in self.bars], counts)[chosen].tolist()
        found = columns(self.events[chosen], session, start=np.repeat(starts, counts)[chosen])
        return pl.DataFrame({"symbol": names, **found}, schema={"symbol": pl.String, **frame_schema(record)})

    def _stressed(self, symbol: int) -> tuple[StressedTrades, ...] | None:
        if not self.stressed or self.tick[symbol] is None:
            return None
        levels = []
        for k, ticks in enumerate(STRESS_TICKS):
            trades = self.stressed[k][self.stressed_offsets[k, symbol] : self.stressed_offsets[k, symbol + 1]]
            exits = self.bars[symbol].session[trades["exit_bar"]].tolist()
            levels.append(StressedTrades(ticks, tuple(map(ClosedR, exits, trades["r_theoretical"].tolist()))))
        return tuple(levels)


def run(
    bars: StrategyBars,
    params: B1Parameters | None = None,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
    stress: bool = True,
) -> StrategyResult:
    """B1 over one symbol's daily bars, on `timeframe`.

    params: None means the timeframe's registered defaults. slippage_per_side and tick in price units;
    without a tick the smallest risk follows ATR alone and no slippage stress is reported, nor without `stress`.
    Raises DataError for unusable bars, UsageError for unusable costs or lots.
    """
    return run_batch(
        [bars],
        params,
        timeframe=timeframe,
        slippage_per_side=[slippage_per_side],
        tick=[tick],
        lots=lots,
        stress=stress,
    )[0]


def run_batch(
    bars: Sequence[StrategyBars],
    params: B1Parameters | None = None,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: Sequence[float] | None = None,
    tick: Sequence[float | None] | None = None,
    lots: int = 3,
    threads: int = 1,
    stress: bool = True,
) -> Batch:
    """B1 over several symbols' daily bars; results in the order given, whatever the number of threads.

    slippage_per_side and tick: one per symbol (None: no slippage, no tick known). stress: whether slippage
    stress is computed where ticks are known. Raises DataError for unusable bars, UsageError for unusable
    costs or lots.
    """
    require_timeframe(timeframe)
    params = params or B1Parameters.registered(timeframe)
    slippages = [0.0] * len(bars) if slippage_per_side is None else slippage_per_side
    ticks = [None] * len(bars) if tick is None else tick
    own, symbols = framed(bars, timeframe, slippages, ticks)
    rules = rules_of(params, lots)
    levels = np.array(STRESS_TICKS if stress and any(item is not None for item in ticks) else [], np.float64)
    slipped = tuple(symbol.slippage for symbol in symbols)
    return Batch(tuple(own), params, timeframe, slipped, tuple(ticks), lots, *tables(symbols, rules, levels, threads))
