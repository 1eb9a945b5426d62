"""Triggers, trades and books small enough to work through by hand."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np

from ctl.model.orders import Book, Brake, EntryBar, Market, RiskTerms, SymbolIntents
from ctl.model.trades import AlignmentRate, HigherTimeframes, Metrics, OpenTrade, StrategyResult, Trade, Trigger
from ctl.strategy.bars import StrategyBars
from ctl.strategy.orders import next_session_intents

PARAMETERS = MappingProxyType({"ema": 10, "min_risk_atr": 0.1, "entry_grace_bars": 3, "stop_mode": 1})


def day(text: str) -> date:
    return date.fromisoformat(text)


def trigger(session: str, confirmed: str | None, entered: str | None, **changed: Any) -> Trigger:
    """Stop 100, swing high 120, ATR 4."""
    fields: dict[str, Any] = {
        "trigger_session": day(session),
        "status": "confirmed",
        "reason": None,
        "slope": 9.0,
        "bars_of_air": 7,
        "ema": 104.0,
        "atr": 4.0,
        "stop": 100.0,
        "swing_high": 120.0,
        "tp1": 112.36,
        "tp2": 115.72,
        "tp3": 120.0,
        "tp4": 132.36,
        "tp5": 152.36,
        **dict.fromkeys(
            (
                "wr_divergence",
                "clean_pullback",
                "volume_declining",
                "gap_below",
                "near_high",
                "fib_confluence",
                "single_bar_pullback",
                "weekly_aligned",
                "monthly_aligned",
            )
        ),
        "stop_breached_while_pending": False,
        "confirmation_session": None if confirmed is None else day(confirmed),
        "entry_session": None if entered is None else day(entered),
    }
    return Trigger(**{**fields, **changed})


def trade(session: str, entered: str, left: str, exit_price: float, **changed: Any) -> Trade:
    """Bought at 105, stop 100: risk 5 a unit. Everything leaves at `exit_price` but what `changed` says."""
    fields = _trade_fields(session, entered, left, exit_price, "Stop")
    return Trade(**{**fields, **changed})


def open_trade(session: str, entered: str, last: str, close: float, *, due: bool = False, **changed: Any) -> OpenTrade:
    fields = _trade_fields(session, entered, last, close, "Open")
    return OpenTrade(**{**fields, "outcome": "Open", **changed}, awaiting_exit=due)


def _trade_fields(session: str, entered: str, left: str, exit_price: float, reason: str) -> dict[str, Any]:
    r = (exit_price - 105.0) / 5.0
    return {
        "trigger_session": day(session),
        "entry_session": day(entered),
        "entry_price": 105.0,
        "stop_price": 100.0,
        "tp1": 112.36,
        "tp2": 115.72,
        "tp3": 120.0,
        "tp1_hit": False,
        "tp2_hit": False,
        "tp3_hit": False,
        "tp1_session": None,
        "tp2_session": None,
        "tp3_session": None,
        "tp1_fill": None,
        "tp2_fill": None,
        "tp3_fill": None,
        "exit_session": day(left),
        "exit_price": exit_price,
        "exit_reason": reason,
        "outcome": "Win" if r > 0 else "Loss",
        "risk": 5.0,
        "r_theoretical": r,
        "r_actual": r,
        "lots": 3,
        "mfe_r": 0.0,
        "mae_r": 0.0,
        "hold_bars": 1,
        "day1_fail": False,
        "same_bar_collision": False,
    }


def result(
    symbol: str,
    triggers: tuple[Trigger, ...] = (),
    trades: tuple[Trade, ...] = (),
    still_open: tuple[OpenTrade, ...] = (),
    *,
    last: str = "2026-01-30",
    bars: int = 300,
    parameters: dict[str, Any] | None = None,
) -> StrategyResult:
    rate = AlignmentRate(0, 0, None)
    metrics = Metrics(
        0, 0, 0, None, 0.0, None, None, 0.0, None, None, 0, 0.0, 0, HigherTimeframes(rate, rate), slippage_stress=None
    )
    return StrategyResult(
        symbol=symbol,
        timeframe="daily",
        parameters={**PARAMETERS, **(parameters or {})},
        triggers=triggers,
        trades=trades,
        open=still_open,
        metrics=metrics,
        fingerprint="",
        first_session=day("2025-01-02"),
        last_session=day(last),
        bar_count=bars,
        evaluated_bars=100,
    )


def book(made: StrategyResult, close: float = 104.75, **changed: Any) -> Book:
    """A market of 10 currency units a point, ticks of 0.25 (the slippage too); decisions close at `close`. What is
    bought is ZZH26, at the open of the trigger's entry session, of MONDAY where that is still to come.
    """
    bars = {
        t.confirmation_session: EntryBar(close, t.entry_session or MONDAY, "ZZH26", close)
        for t in made.triggers
        if t.confirmation_session is not None
    }
    fields: dict[str, Any] = {
        "tick": 0.25,
        "point_value": 10.0,
        "currency": "USD",
        "slippage_per_side": 0.25,
        "bars": bars,
    }
    return Book(made, Market(**{**fields, **changed}))


def terms(**changed: Any) -> RiskTerms:
    """1 R is 1 % of 20,000, that is 200 USD: four contracts of the market above at a risk of 5 points; of ATRs none is
    asked for, so that stops alone count where nothing else is said.
    """
    fields: dict[str, Any] = {
        "equity": 20_000.0,
        "currency": "USD",
        "r_percent": 1.0,
        "max_open_r": 2.0,
        "max_daily_loss_r": 1.5,
        "max_weekly_loss_r": 2.5,
        "max_monthly_loss_r": 3.5,
        "min_risk_atr_sizing": 0.0,
        "brakes": (Brake(10.0, 0.5),),
    }
    return RiskTerms(**{**fields, **changed})


def bars(closes: list[float], first: str = "2026-01-05", adjustment: float = 0.0) -> StrategyBars:
    """One bar a day, weekends included; each opens, tops and bottoms at its close."""
    session = np.datetime64(first, "D") + np.arange(len(closes))
    column = np.array(closes, np.float64)
    return StrategyBars("ZZ", session, column, column, column, column, adjustment=np.full(len(closes), adjustment))


LAST = "2026-01-30"
MONDAY = day("2026-02-02")


def intents(made: StrategyResult, close: float = 104.75, **changed: object) -> SymbolIntents:
    series = bars([close] * made.bar_count, first="2025-04-06")
    assert series.session[-1].item() == day(LAST)
    given: dict[str, object] = {"contract": "ZZH26", "session": MONDAY, "tick": 0.25, **changed}
    return next_session_intents(series, made, **given)  # type: ignore[arg-type]


def awaiting() -> StrategyResult:
    return result("ZZ", (trigger("2026-01-28", LAST, None, status="awaiting_entry"),))


def holding(*, due: bool = False, **changed: object) -> StrategyResult:
    return result(
        "ZZ",
        (trigger("2026-01-20", "2026-01-21", "2026-01-22"),),
        (),
        (open_trade("2026-01-20", "2026-01-22", LAST, 104.75, due=due, **changed),),
    )
