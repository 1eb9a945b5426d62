"""What stands beside the R of a run: intervals, years, stability and the variants tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from ctl.flows import stability
from ctl.statistics import trade_statistics

if TYPE_CHECKING:
    from datetime import date

    from ctl.flows.trials import Trials
    from ctl.model.orders import GovernedCurve
    from ctl.model.statistics import Stability, TradeStatistics
    from ctl.model.trades import Metrics
    from ctl.strategy.protocol import Result


@dataclass(frozen=True, slots=True)
class Measured:
    """One symbol's result with its statistics, and the identity of the variant that it is of."""

    result: Result
    trial: str
    statistics: TradeStatistics


def years_of(result: Result) -> float:
    """Time in years in which the strategy could act: the sessions after its warm-up."""
    days = (result.last_session - result.first_session).days + 1
    return days / 365.25 * result.evaluated_bars / result.bar_count if result.bar_count else 0.0


def closed_r(results: Sequence[Result]) -> list[tuple[date, float]]:
    """(exit session, R) of closed trades in the order of closing, then of symbols."""
    ordered = sorted(results, key=lambda result: result.symbol)
    trades = chain.from_iterable(result.trades for result in ordered)
    return [(trade.exit_session, trade.r_theoretical) for trade in sorted(trades, key=lambda trade: trade.exit_session)]


def of_symbol(result: Result, trial: str, held: Stability | None, trials: Trials) -> Measured:
    """The statistics of one symbol's result."""
    closed = closed_r([result])
    found = trade_statistics(closed, years_of(result))
    own = {result.symbol: (trial, [r for _, r in closed])}
    return Measured(result, trial, replace(found, stability=held, luck=trials.luck(own, own[result.symbol][1])))


def of_backtest(result: Result) -> TradeStatistics:
    """The statistics of a backtest by itself: its slippage is varied where the tick is known, its rolls are given."""
    found, levels = trade_statistics(closed_r([result]), years_of(result)), stability.under_slippage(result.metrics)
    if not levels:
        return found
    held = stability.put_together(result.metrics.expectancy_r, (), (), levels, "the rolls are the file's")
    return replace(found, stability=held)


def of_portfolio(measured: Sequence[Measured], metrics: Metrics, trials: Trials) -> TradeStatistics:
    """The statistics of several symbols together, every trade at 1 R."""
    results = [item.result for item in measured]
    closed = closed_r(results)
    found = trade_statistics(closed, max(map(years_of, results)))
    parts = [
        (item.statistics.stability, item.result.metrics) for item in measured if item.statistics.stability is not None
    ]
    own = {item.result.symbol: (item.trial, [r for _, r in closed_r([item.result])]) for item in measured}
    return replace(
        found,
        stability=stability.of_portfolio(metrics, parts) if parts else None,
        luck=trials.luck(own, [r for _, r in closed]),
    )


def of_governed(curve: GovernedCurve, measured: Sequence[Measured]) -> TradeStatistics:
    """The statistics of the same symbols as sized and capped; losses in multiples of what their size risked."""
    closed = [(trade.exit_session, trade.r) for trade in curve.trades]
    years = max((years_of(item.result) for item in measured), default=0.0)
    return trade_statistics(closed, years, beyond=[trade.of_risk for trade in curve.trades])
