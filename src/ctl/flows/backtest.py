"""A strategy on one series."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from ctl import sessions
from ctl.errors import DataError
from ctl.model.bars import DailySeries
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.model.trades import StrategyResult, Timeframe
    from ctl.sessions import Days
    from ctl.strategy.b1 import B1Parameters, StrategyBars
    from ctl.strategy.bars import Floats
    from ctl.strategy.protocol import Result, Strategy


def session_days(series: DailySeries | ContinuousSeries) -> Days:
    """The sessions of a series as numpy days, ascending."""
    return series.frame["session"].to_numpy().astype("datetime64[D]", copy=False)


def strategy_bars(
    series: DailySeries | ContinuousSeries,
    symbol: str,
    calendar: str | None,
    *,
    rows: slice = slice(None),
    adjustment: Floats | None = None,
) -> StrategyBars:
    """A series, or some `rows` of it, as the strategy takes it; the calendar (None: ISO weeks) says what ends a week.

    adjustment: of every session of the series, in place of its own.
    """
    from ctl.strategy.b1 import StrategyBars

    days = session_days(series)[rows]
    last = days[-1].item() if days.size else None
    if not isinstance(last, date):
        raise DataError(f"{symbol}: no sessions to run on")
    return StrategyBars.from_series(
        series,
        symbol=symbol,
        rows=rows,
        adjustment=adjustment,
        week_key=sessions.week_keys(calendar, days),
        month_key=sessions.month_keys(days),
        week_complete=sessions.week_is_complete(calendar, last),
    )


def run_strategy(
    strategy: Strategy,
    series: DailySeries | ContinuousSeries,
    symbol: str,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
    calendar: str | None = None,
) -> Result:
    """A strategy over one series."""
    made = strategy.run(
        [strategy_bars(series, symbol, calendar)],
        timeframe=timeframe,
        slippage_per_side=[slippage_per_side],
        tick=[tick],
        lots=lots,
    )
    if len(made) != 1 or made[0].symbol != symbol:
        found = ", ".join(result.symbol for result in made) or "nothing"
        raise DataError(f"strategy {strategy.name} gave no result of {symbol}", found=found, code="RESULT_UNREADABLE")
    return made[0]


def backtest(
    series: DailySeries | ContinuousSeries,
    symbol: str,
    parameters: B1Parameters | None = None,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
    calendar: str | None = None,
) -> StrategyResult:
    """B1 over one series."""
    from ctl.strategy import b1

    return b1.run(
        strategy_bars(series, symbol, calendar),
        parameters,
        timeframe=timeframe,
        slippage_per_side=slippage_per_side,
        tick=tick,
        lots=lots,
    )
