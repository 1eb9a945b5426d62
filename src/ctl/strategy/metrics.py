"""Metrics of one symbol's run and of a portfolio of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ctl.model.trades import (
    SCRATCH_BELOW,
    AlignmentRate,
    HigherTimeframes,
    Metrics,
    StressedTrades,
    StressMetrics,
    Trigger,
)

if TYPE_CHECKING:
    from ctl.strategy.protocol import Position, Result, Signal


def measure(
    triggers: Sequence[Signal],
    trades: Sequence[Position],
    still_open: Sequence[Position],
    evaluated_bars: int,
    slope_undefined_count: int,
    stressed: Sequence[StressedTrades] | None = None,
) -> Metrics:
    """Metrics over triggers and trades; `trades` are closed and ordered by exit.

    evaluated_bars: bars after warm-up, of all symbols together. stressed: the same trades at other
    slippages, ordered likewise; None where the tick is unknown. Alignment with higher timeframes is counted over
    the triggers that carry it.
    """
    results = [trade.r_theoretical for trade in trades]
    confirmed = [trigger for trigger in triggers if trigger.status == "confirmed"]
    aligned = [trigger for trigger in confirmed if isinstance(trigger, Trigger)]
    held = sum(trade.hold_bars for trade in trades)
    return Metrics(
        trigger_count=len(triggers),
        confirmed_count=len(confirmed),
        trade_count=len(trades),
        win_rate=_win_rate(results),
        total_r=sum(results, 0.0),
        expectancy_r=_mean(results),
        profit_factor=_profit_factor(results),
        max_drawdown_r=_max_drawdown(results),
        mean_hold_bars=held / len(trades) if trades else None,
        exposure=held / evaluated_bars if evaluated_bars > 0 else None,
        open_count=len(still_open),
        open_r=sum((trade.r_theoretical for trade in still_open), 0.0),
        slope_undefined_count=slope_undefined_count,
        mtfa=HigherTimeframes(
            weekly_aligned=_alignment(trigger.weekly_aligned for trigger in aligned),
            monthly_aligned=_alignment(trigger.monthly_aligned for trigger in aligned),
        ),
        slippage_stress=None if stressed is None else tuple(_stress_metrics(level) for level in stressed),
    )


def portfolio(results: Sequence[Result]) -> Metrics:
    """Metrics over several symbols: trades ordered by exit session, then symbol.

    Exposure divides by the evaluated bars of all symbols. Slippage stress needs every symbol's tick.
    """
    ordered = sorted(results, key=lambda result: result.symbol)
    stressed: tuple[StressedTrades, ...] | None = None
    if ordered and all(result.stressed is not None for result in ordered):
        levels = zip(*(result.stressed or () for result in ordered), strict=True)
        stressed = tuple(_merged(level) for level in levels)
    return measure(
        [trigger for result in ordered for trigger in result.triggers],
        # Sorting is stable, so symbols keep their order within a session.
        sorted((trade for result in ordered for trade in result.trades), key=lambda trade: trade.exit_session),
        [trade for result in ordered for trade in result.open],
        sum(result.evaluated_bars for result in ordered),
        sum(result.metrics.slope_undefined_count for result in ordered),
        stressed,
    )


def _merged(levels: Sequence[StressedTrades]) -> StressedTrades:
    closed = sorted((item for level in levels for item in level.closed), key=lambda item: item.exit_session)
    return StressedTrades(levels[0].ticks, tuple(closed))


def _stress_metrics(level: StressedTrades) -> StressMetrics:
    results = [item.r_theoretical for item in level.closed]
    return StressMetrics(
        ticks=level.ticks,
        trade_count=len(results),
        win_rate=_win_rate(results),
        total_r=sum(results, 0.0),
        expectancy_r=_mean(results),
        profit_factor=_profit_factor(results),
        max_drawdown_r=_max_drawdown(results),
    )


def _win_rate(results: Sequence[float]) -> float | None:
    return sum(r >= SCRATCH_BELOW for r in results) / len(results) if results else None


def _mean(results: Sequence[float]) -> float | None:
    return sum(results) / len(results) if results else None


def _profit_factor(results: Sequence[float]) -> float | None:
    losses = sum(r for r in results if r <= -SCRATCH_BELOW)
    if losses == 0.0:
        return None
    return sum(r for r in results if r >= SCRATCH_BELOW) / abs(losses)


def _max_drawdown(results: Iterable[float]) -> float:
    """Largest fall of the running sum below its highest value so far, which starts at 0."""
    equity = peak = deepest = 0.0
    for r in results:
        equity += r
        peak = max(peak, equity)
        deepest = max(deepest, peak - equity)
    return deepest


def _alignment(flags: Iterable[bool | None]) -> AlignmentRate:
    known = [flag for flag in flags if flag is not None]
    true = sum(known)
    return AlignmentRate(len(known), true, true / len(known) if known else None)
