"""Metrics of one symbol's run and of a portfolio of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ctl.kernels import kernel, part, table
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

# What metrics are made from, all zero at the start. peak_r: highest total so far. known: alignments that are not null.
SUMS: Final = np.dtype(
    [(name, np.int64) for name in ("trigger_count", "confirmed_count", "trade_count", "win_count", "open_count")]
    + [(name, np.int64) for name in ("hold_bars", "slope_undefined_count")]
    + [(name, np.int64) for name in ("weekly_known", "weekly_true", "monthly_known", "monthly_true")]
    + [(name, np.float64) for name in ("total_r", "won_r", "lost_r", "peak_r", "max_drawdown_r", "open_r")]
)


@part
def close_trade(sums: Any, r: float) -> None:
    """Add a closed trade's R, in the order of closing."""
    sums.trade_count += 1
    sums.total_r += r
    sums.peak_r = max(sums.peak_r, sums.total_r)
    sums.max_drawdown_r = max(sums.max_drawdown_r, sums.peak_r - sums.total_r)
    if r >= SCRATCH_BELOW:
        sums.win_count += 1
        sums.won_r += r
    elif r <= -SCRATCH_BELOW:
        sums.lost_r += r


@kernel
def add_up(results: npt.NDArray[np.float64], sums: npt.NDArray[np.void]) -> None:
    """Add closed trades' R, in order, to the one line of `sums`."""
    for k in range(len(results)):
        close_trade(sums[0], results[k])


def closed_sums(results: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """One line of SUMS over closed trades' R, in order."""
    sums: npt.NDArray[np.void] = table(1, SUMS, np.zeros)
    add_up(np.ascontiguousarray(results, np.float64), sums)
    return sums


def add_lines(sums: npt.NDArray[np.void], lines: npt.NDArray[np.void]) -> None:
    """Add to one line over closed trades the counts of several, and their open R, that do not depend on an order."""
    for name in (
        "trigger_count", "confirmed_count", "open_count", "hold_bars", "slope_undefined_count", "weekly_known",
        "weekly_true", "monthly_known", "monthly_true",
    ):  # fmt: skip
        sums[name] = lines[name].sum()
    sums["open_r"] = sum(lines["open_r"].tolist())


def metrics_of(sums: np.void, evaluated_bars: int, stressed: Mapping[int, np.void] | None = None) -> Metrics:
    """Metrics from one line of SUMS; stressed: ticks of slippage to the closed trades' sums, None where unknown."""
    found = _named(sums)
    held, trades = found["hold_bars"], found["trade_count"]
    return Metrics(
        trigger_count=found["trigger_count"],
        confirmed_count=found["confirmed_count"],
        **_closed(found),
        mean_hold_bars=held / trades if trades else None,
        exposure=held / evaluated_bars if evaluated_bars > 0 else None,
        open_count=found["open_count"],
        open_r=found["open_r"],
        slope_undefined_count=found["slope_undefined_count"],
        mtfa=HigherTimeframes(
            weekly_aligned=_rate(found["weekly_known"], found["weekly_true"]),
            monthly_aligned=_rate(found["monthly_known"], found["monthly_true"]),
        ),
        slippage_stress=None
        if stressed is None
        else tuple(StressMetrics(ticks=ticks, **_closed(_named(level))) for ticks, level in stressed.items()),
    )


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
    confirmed = [trigger for trigger in triggers if trigger.status == "confirmed"]
    aligned = [trigger for trigger in confirmed if isinstance(trigger, Trigger)]
    sums = closed_sums([trade.r_theoretical for trade in trades])
    sums["trigger_count"] = len(triggers)
    sums["confirmed_count"] = len(confirmed)
    sums["hold_bars"] = sum(trade.hold_bars for trade in trades)
    sums["open_count"] = len(still_open)
    sums["open_r"] = sum(trade.r_theoretical for trade in still_open)
    sums["slope_undefined_count"] = slope_undefined_count
    sums["weekly_known"], sums["weekly_true"] = _known(trigger.weekly_aligned for trigger in aligned)
    sums["monthly_known"], sums["monthly_true"] = _known(trigger.monthly_aligned for trigger in aligned)
    levels = None
    if stressed is not None:
        levels = {level.ticks: closed_sums([item.r_theoretical for item in level.closed])[0] for level in stressed}
    return metrics_of(sums[0], evaluated_bars, levels)


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


def _named(sums: np.void) -> dict[str, Any]:
    return dict(zip(sums.dtype.names or (), sums.item(), strict=True))


def _closed(found: Mapping[str, Any]) -> dict[str, Any]:
    trades, lost = found["trade_count"], found["lost_r"]
    return {
        "trade_count": trades,
        "win_rate": found["win_count"] / trades if trades else None,
        "total_r": found["total_r"],
        "expectancy_r": found["total_r"] / trades if trades else None,
        "profit_factor": None if lost == 0.0 else found["won_r"] / abs(lost),
        "max_drawdown_r": found["max_drawdown_r"],
    }


def _known(flags: Iterable[bool | None]) -> tuple[int, int]:
    known = [flag for flag in flags if flag is not None]
    return len(known), sum(known)


def _rate(known: int, true: int) -> AlignmentRate:
    return AlignmentRate(known, true, true / known if known else None)
