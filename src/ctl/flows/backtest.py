"""A strategy on one series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl import sessions
from ctl.errors import DataError
from ctl.model.bars import DailySeries
from ctl.model.findings import in_full
from ctl.model.rolls import ContinuousSeries
from ctl.model.trades import StrategyResult
from ctl.strategy.bars import floats

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.trades import Timeframe
    from ctl.sessions import Days
    from ctl.strategy.b1 import B1Parameters, StrategyBars
    from ctl.strategy.bars import Floats
    from ctl.strategy.protocol import Result, Strategy


_PRICES: Final = ("open", "high", "low", "close")


def session_days(series: DailySeries | ContinuousSeries) -> Days:
    """The sessions of a series as numpy days, ascending."""
    return series.frame["session"].to_numpy().astype("datetime64[D]", copy=False)


def usable_bars(
    series: DailySeries | ContinuousSeries, *, calendar: str | None = None, drop: bool = False
) -> tuple[DailySeries | ContinuousSeries, tuple[str, ...]]:
    """A series without bars that cannot be, and what is to be said of it.

    Those are dated on a weekend (but for a session of the calendar), have a high below the low, an open or a close
    outside them, or a zero among prices above zero. A close outside them is only told where closes are settlements.
    drop: they are left out and counted. Raises DataError with the first of them, BAD_BARS, unless they are dropped.
    """
    faults, notes = _faults(series, calendar), _settlements_outside(series)
    if not faults:
        return series, notes
    if not drop:
        rows = [f"{kind}: {_bar(series.frame, row)}" for row, kind in islice(faults.items(), 5)]
        raise DataError(
            f"{len(faults)} impossible bars",
            where=series.meta.root or None,
            found="; ".join(rows),
            expected="bars of finished sessions, each with low <= open, close <= high",
            remedy="mend the file, or leave them out with --drop-bad-bars",
            code="BAD_BARS",
        )
    if len(faults) == series.frame.height:
        raise DataError("every bar is impossible", where=series.meta.root or None, code="BAD_BARS")
    kept = np.delete(np.arange(series.frame.height), list(faults))
    return replace(series, frame=series.frame[kept]), (*notes, f"{_counted(faults, series.frame)} left out")


def bar_notes(series: DailySeries | ContinuousSeries, *, calendar: str | None) -> tuple[str, ...]:
    """What is to be said of bars that are traded on although they cannot be; see `usable_bars`."""
    faults = _faults(series, calendar)
    return (f"{_counted(faults, series.frame)} traded on",) if faults else ()


def newest_impossible(series: DailySeries | ContinuousSeries, *, calendar: str) -> str:
    """The bars of the newest sessions that cannot be, which orders would rest on, in words; see `usable_bars`.

    Here a bar cannot be either that is the one before it again, its volume too: a file was filled up with its last row.
    """
    newest = replace(series, frame=series.frame.tail(_NEWEST))
    again = dict.fromkeys(_repeated(newest.frame), "the bar of the session before, its volume too")
    faults = dict(sorted((again | _faults(newest, calendar)).items()))
    return "; ".join(f"{kind}: {_bar(newest.frame, row)}" for row, kind in islice(reversed(faults.items()), 3))


_NEWEST: Final = 20


def _repeated(frame: pl.DataFrame) -> list[int]:
    """Rows that are as the row before them, of bars that moved and were traded."""
    values = np.array([floats(frame[name]) for name in (*_PRICES, "volume")])
    _, high, low, _, volume = values[:, 1:]
    same = (values[:, 1:] == values[:, :-1]).all(axis=0) & (high > low) & (volume > 0.0)
    return (np.flatnonzero(same) + 1).tolist()


def _faults(series: DailySeries | ContinuousSeries, calendar: str | None) -> dict[int, str]:
    """By row of each impossible bar the first fault of it."""
    days = session_days(series)
    opened, high, low, _ = prices = [floats(series.frame[name]) for name in _PRICES]
    weekend = days.astype(np.int64) % 7 // 2 == 1  # days since a Thursday
    if weekend.any() and calendar is not None and calendar != "none":
        first, last = days[weekend][[0, -1]].tolist()
        weekend &= ~np.isin(days, sessions.sessions_between(calendar, first, last))
    above_zero = not any((price < 0.0).any() for price in prices)
    kinds = {
        "high below low": high < low,
        "open outside high and low": (opened > high) | (opened < low),
        "close outside high and low": _outside(series) & (series.meta.close_basis != "settlement"),
        "zero among prices above zero": np.any([price == 0.0 for price in prices], axis=0) & above_zero,
        "dated on a weekend": weekend,
    }
    names, faults = list(kinds), np.array(list(kinds.values()))
    return {row: names[int(faults[:, row].argmax())] for row in np.flatnonzero(faults.any(axis=0)).tolist()}


def _outside(series: DailySeries | ContinuousSeries) -> Any:
    high, low, close = (floats(series.frame[name]) for name in ("high", "low", "close"))
    return (close > high) | (close < low)


def _settlements_outside(series: DailySeries | ContinuousSeries) -> tuple[str, ...]:
    beyond = np.flatnonzero(_outside(series) & (series.meta.close_basis == "settlement"))
    if not len(beyond):
        return ()
    first = _bar(series.frame, int(beyond[0]))
    return (f"{len(beyond)} closes lie outside their bar's high and low, taken for settlements; first {first}",)


def _counted(faults: Mapping[int, str], frame: pl.DataFrame) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(faults.values()).items())
    return f"{len(faults)} impossible bars ({counts}; first {_bar(frame, min(faults))})"


def _bar(frame: pl.DataFrame, row: int) -> str:
    bar = frame.row(row, named=True)
    prices = " ".join("-" if bar[key] is None else in_full(bar[key]) for key in _PRICES)
    return f"{bar['session']} {prices}"


def warm_up_note(result: Result) -> str | None:
    """What is to be said of a series that ends before its warm-up: nothing could trigger."""
    if not isinstance(result, StrategyResult) or result.evaluated_bars > 0:
        return None
    return f"{result.symbol}: nothing could trigger: {result.bar_count} bars, all of them warm-up"


def strategy_bars(
    series: DailySeries | ContinuousSeries,
    symbol: str,
    calendar: str | None,
    *,
    rows: slice = slice(None),
    adjustment: Floats | None = None,
    like: StrategyBars | None = None,
) -> StrategyBars:
    """A series, or some `rows` of it, as the strategy takes it; the calendar (None: ISO weeks) says what ends a week.

    adjustment: of every session of the series, in place of its own. like: as for `calendar_keys`.
    """
    from ctl.strategy.b1 import StrategyBars

    days = session_days(series)[rows]
    if not days.size:
        raise DataError(f"{symbol}: no sessions to run on")
    return StrategyBars.from_series(
        series,
        symbol=symbol,
        rows=rows,
        adjustment=adjustment,
        **calendar_keys(days, calendar, like),
    )


def calendar_keys(days: Days, calendar: str | None, like: StrategyBars | None = None) -> dict[str, Any]:
    """What the calendar (None: ISO weeks) says of a strategy's sessions, at least one, by the names of StrategyBars.

    like: bars on the same calendar, mostly of these very sessions.
    """
    if like is not None and np.array_equal(days, like.session):
        return {name: getattr(like, name) for name in ("week_key", "month_key", "week_complete")}
    return {
        "week_key": sessions.week_keys(calendar, days),
        "month_key": sessions.month_keys(days),
        "week_complete": sessions.week_is_complete(calendar, days[-1].item()),
    }


def with_contracts(
    rows: Sequence[Mapping[str, Any]],
    series: DailySeries | ContinuousSeries,
    *,
    calendar: str | None,
    timeframe: Timeframe,
    unadjusted: DailySeries | None = None,
) -> list[dict[str, Any]]:
    """Documents of trades with the contract and its own price beside each adjusted entry and exit price.

    They are of the session that filled: of weekly bars the week's first where the fill is its open, else its last.
    unadjusted: a share's prices as they were printed; of one that is not known so, the raw price is None. What is no
    trade with sessions and prices stays as it is.
    """
    days = session_days(series)
    contracts, carried = series.frame["contract"].to_list(), series.frame["adjustment"].to_numpy()
    raw_close: dict[date, float] = {}
    if unadjusted is not None and unadjusted.meta.adjustment_basis == "raw":
        raw_close = dict(zip(unadjusted.frame["session"], unadjusted.frame["close"], strict=True))
    closes = series.frame["close"].to_numpy()
    share = series.meta.adjustment_basis is not None
    keys = sessions.week_keys(calendar, days) if timeframe == "weekly" else None

    def filled(day: date, at_open: bool) -> int:
        row = int(days.searchsorted(np.datetime64(day, "D")))
        return int(keys.searchsorted(keys[row])) if keys is not None and at_open else row

    def raw(row: int, price: float) -> float | None:
        if not share:
            return round(price - float(carried[row]), 10)
        close = raw_close.get(date.fromisoformat(str(days[row])))
        return None if close is None else round(price * close / float(closes[row]), 10)

    made = []
    for trade in rows:
        found = dict(trade)
        for end, at_open in (("entry", True), ("exit", trade.get("exit_reason") == "Stop")):
            day, price = trade.get(f"{end}_session"), trade.get(f"{end}_price")
            if day is None or price is None:
                continue
            row = filled(date.fromisoformat(str(day)), at_open)
            found |= {f"{end}_contract": contracts[row], f"{end}_raw_price": raw(row, price)}
        made.append(found)
    return made


def run_strategy(
    strategy: Strategy,
    bars: StrategyBars,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
) -> Result:
    """A strategy over the daily bars of one symbol."""
    made = strategy.run(
        [bars],
        timeframe=timeframe,
        slippage_per_side=[slippage_per_side],
        tick=[tick],
        lots=lots,
    )
    if len(made) != 1 or made[0].symbol != bars.symbol:
        found = ", ".join(result.symbol for result in made) or "nothing"
        text = f"strategy {strategy.name} gave no result of {bars.symbol}"
        raise DataError(text, found=found, code="RESULT_UNREADABLE")
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
    stress: bool = True,
) -> StrategyResult:
    """B1 over one series. stress: whether slippage stress is computed where the tick is known."""
    from ctl.strategy import b1

    return b1.run(
        strategy_bars(series, symbol, calendar),
        parameters,
        timeframe=timeframe,
        slippage_per_side=slippage_per_side,
        tick=tick,
        lots=lots,
        stress=stress,
    )
