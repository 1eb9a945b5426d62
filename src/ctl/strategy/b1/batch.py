"""B1 over many symbols: arrays out of the kernel, typed triggers, trades and frames when somebody asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, overload

import numpy as np

from ctl.errors import UsageError
from ctl.kernels import table
from ctl.model.trades import ClosedR, Metrics, StrategyResult, StressedTrades, Timeframe, Trade, Trigger, frame_schema
from ctl.strategy.b1.kernel import CLOSED, Output, Work, run_pair
from ctl.strategy.b1.parameters import B1Parameters, require_timeframe
from ctl.strategy.b1.records import open_of, trade_columns, trades_of, trigger_columns, triggers_of
from ctl.strategy.b1.rules import CONFIRMED, EVENT, Events, Floats, Integers, Rules, Symbol, new_higher, new_pullbacks
from ctl.strategy.bars import StrategyBars, weekly_bars
from ctl.strategy.metrics import SUMS, metrics_of

if TYPE_CHECKING:
    import polars as pl

STRESS_TICKS: Final = (0, 1, 2, 3)
_Made = TypeVar("_Made")


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
        from ctl.strategy.b1.behaviour import fingerprint

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
) -> StrategyResult:
    """B1 over one symbol's daily bars, on `timeframe`.

    params: None means the timeframe's registered defaults. slippage_per_side and tick in price units;
    without a tick the smallest risk follows ATR alone and no slippage stress is reported.
    Raises DataError for unusable bars, UsageError for unusable costs or lots.
    """
    return run_batch(
        [bars], params, timeframe=timeframe, slippage_per_side=[slippage_per_side], tick=[tick], lots=lots
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
    parts = in_parts(lambda first, end: _run(symbols[first:end], rules, levels), len(symbols), threads)
    out = parts[0] if len(parts) == 1 else _joined(parts)
    slipped = tuple(symbol.slippage for symbol in symbols)
    return Batch(tuple(own), params, timeframe, slipped, tuple(ticks), lots, *out)


def framed(
    daily: Sequence[StrategyBars], timeframe: Timeframe, slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
) -> tuple[list[StrategyBars], list[Symbol]]:  # fmt: skip
    """Each symbol's bars of `timeframe`, and as the kernels take them. Raises UsageError, DataError."""
    require_timeframe(timeframe)
    slippages = _costs("slippage_per_side", slippage_per_side, len(daily))
    ticks = _costs("tick", [0.0 if item is None else item for item in tick], len(daily))
    if any(item is not None and not item > 0.0 for item in tick):
        raise UsageError("a tick must be above zero where it is known", found=repr(list(tick))[:60])
    own = list(daily) if timeframe == "daily" else [weekly_bars(item) for item in daily]
    symbols = [
        Symbol(
            bars.open, bars.high, bars.low, bars.close, bars.volume, bars.adjustment, bars.week_key, bars.month_key,
            day.high, day.low, day.close, day.week_key, day.month_key, slippage, known,
        )
        for bars, day, slippage, known in zip(own, daily, slippages, ticks, strict=True)
    ]  # fmt: skip
    return own, symbols


def rules_of(params: B1Parameters, lots: int) -> Rules:
    """Parameters as the kernels take them. Raises UsageError for unusable lots."""
    if isinstance(lots, bool) or not isinstance(lots, int) or lots < 1:
        raise UsageError("lots must be a whole number of at least 1", found=repr(lots)[:60])
    values = {name: value for name, value in params.document().items() if name != "collision"}
    return Rules(**values, stop_wins=params.collision == "stop_wins", warm_up=params.warm_up, lots=lots)


def in_parts(part: Callable[[int, int], _Made], symbols: int, threads: int) -> list[_Made]:
    """`part` of as many runs of symbols (first, end exclusive) of about equal size as there are threads, in order."""
    workers = max(1, min(threads, symbols))
    if workers == 1:
        return [part(0, symbols)]
    cuts = [symbols * worker // workers for worker in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(part, cuts[:-1], cuts[1:]))


class _Tables(NamedTuple):
    """The last six fields of a Batch, of a run of its symbols."""

    offsets: Integers
    events: Events
    sums: Events
    stressed_offsets: Integers
    stressed: tuple[Events, ...]
    stressed_sums: Events


def _run(symbols: Sequence[Symbol], rules: Rules, levels: Floats) -> _Tables:
    # Two triggers lie at least as far apart as the air between them asks for, and never on adjacent bars.
    spacing = max(2, rules.min_bars_of_air + 1)
    most = sum(max(len(symbol.close) - rules.warm_up, 0) // spacing + 1 for symbol in symbols) + 1
    out = Output(
        offsets=np.zeros(len(symbols) + 1, np.int64),
        events=table(most, EVENT),
        sums=table(len(symbols), SUMS, np.zeros),
        stressed_offsets=np.zeros((len(levels), len(symbols) + 1), np.int64),
        stressed=table((len(levels), most), CLOSED),
        stressed_sums=table((len(levels), len(symbols)), SUMS, np.zeros),
    )
    longest = max((len(symbol.close) for symbol in symbols), default=0)
    longest_day = max((len(symbol.day_close) for symbol in symbols), default=0)
    work = Work(
        new_pullbacks(longest), new_pullbacks(longest), new_higher(longest_day), table(longest // spacing + 2, EVENT)
    )
    for s in range(0, len(symbols), 2):
        pair = symbols[s : s + 2]
        run_pair(pair[0], pair[-1], len(pair), s, rules, levels, work, out)
    stressed = tuple(out.stressed[k, : out.stressed_offsets[k, -1]] for k in range(len(levels)))
    return _Tables(
        out.offsets, out.events[: out.offsets[-1]], out.sums, out.stressed_offsets, stressed, out.stressed_sums
    )


def _joined(parts: Sequence[_Tables]) -> _Tables:
    """The tables of consecutive runs of symbols as one."""
    return _Tables(
        _chained([part.offsets for part in parts]),
        np.concatenate([part.events for part in parts]),
        np.concatenate([part.sums for part in parts]),
        _chained([part.stressed_offsets for part in parts]),
        tuple(np.concatenate(level) for level in zip(*(part.stressed for part in parts), strict=True)),
        np.concatenate([part.stressed_sums for part in parts], axis=1),
    )


def _chained(offsets: Sequence[Integers]) -> Integers:
    """Offsets of tables laid end to end, from those within each (last axis)."""
    counts = np.concatenate([np.diff(item) for item in offsets], axis=-1)
    return np.concatenate([np.zeros((*counts.shape[:-1], 1), np.int64), np.cumsum(counts, axis=-1)], axis=-1)


def _costs(name: str, values: Sequence[float], symbols: int) -> list[float]:
    if len(values) != symbols:
        raise UsageError(f"{name} must be given per symbol", found=str(len(values)), expected=str(symbols))
    for value in values:
        if not (math.isfinite(value) and value >= 0.0):
            raise UsageError(f"{name} must be a finite price of zero or more", found=repr(value)[:60])
    return [float(value) for value in values]
