"""Run B1: daily bars in, triggers, trades, metrics and the fingerprint out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ctl.model.trades import ClosedR, StrategyResult, StressedTrades, Timeframe
from ctl.strategy.b1 import kernel
from ctl.strategy.b1.behaviour import fingerprint
from ctl.strategy.b1.outcomes import framed, outcomes_of
from ctl.strategy.b1.parameters import B1Parameters, require_timeframe
from ctl.strategy.b1.simulation import closed_trades, simulate
from ctl.strategy.bars import Panel, StrategyBars
from ctl.strategy.metrics import measure

STRESS_TICKS: Final = (0, 1, 2, 3)


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
) -> list[StrategyResult]:
    """B1 over several symbols' daily bars; results in the order given, whatever the number of threads.

    slippage_per_side and tick: one per symbol (None: no slippage, no tick known).
    Raises DataError for unusable bars, UsageError for unusable costs or lots.
    """
    require_timeframe(timeframe)
    params = params or B1Parameters.registered(timeframe)
    if not bars:
        return []
    slippages = [0.0] * len(bars) if slippage_per_side is None else list(slippage_per_side)
    ticks = [None] * len(bars) if tick is None else list(tick)
    own, panel = framed(bars, timeframe)
    made = outcomes_of(own, panel, params, slippages, ticks, lots, threads)
    stressed = _stress(panel, params, ticks, lots, threads)
    locked = fingerprint(params, timeframe)
    results = []
    for outcome, slippage, known_tick, levels in zip(made, slippages, ticks, stressed, strict=True):
        evaluated = max(0, len(outcome.bars) - params.warm_up)
        tested = None if known_tick is None else levels
        results.append(
            StrategyResult(
                symbol=outcome.bars.symbol,
                timeframe=timeframe,
                parameters={
                    **params.document(),
                    "timeframe": timeframe,
                    "slippage_per_side": float(slippage),
                    "tick": known_tick,
                    "lots": lots,
                },
                triggers=outcome.triggers,
                trades=outcome.trades,
                open=outcome.open,
                metrics=measure(
                    outcome.triggers, outcome.trades, outcome.open, evaluated, outcome.undefined_slopes, tested
                ),
                fingerprint=locked,
                first_session=outcome.bars.session[0].item(),
                last_session=outcome.bars.session[-1].item(),
                bar_count=len(outcome.bars),
                evaluated_bars=evaluated,
                stressed=tested,
            )
        )
    return results


def _stress(
    panel: Panel, params: B1Parameters, tick: Sequence[float | None], lots: int, threads: int
) -> list[tuple[StressedTrades, ...]]:
    """Closed trades per symbol at each number of ticks of slippage."""
    levels: list[list[StressedTrades]] = [[] for _ in panel.symbols]
    for ticks in STRESS_TICKS:
        slippage = [ticks * (item or 0.0) for item in tick]
        events = simulate(panel, params, slippage_per_side=slippage, tick=tick, lots=lots, threads=threads)
        for s, level in enumerate(levels):
            rows, values = events.of(s)
            closed = closed_trades(rows)
            exits = panel.session[panel.offsets[s] + rows[closed, kernel.I_EXIT]].tolist()
            results = values[closed, kernel.F_R_THEORETICAL].tolist()
            level.append(StressedTrades(ticks, tuple(map(ClosedR, exits, results))))
    return [tuple(level) for level in levels]
