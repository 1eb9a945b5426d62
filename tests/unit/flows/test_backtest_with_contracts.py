"""The contract and its own price beside a trade's adjusted prices."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from ctl.flows.backtest import with_contracts
from ctl.model.bars import DailySeries, SeriesMeta

MONDAY = date(2024, 3, 4)


def series(**columns: Any) -> DailySeries:
    """Ten sessions of two weeks; the roll of Wednesday of the second week lifted what was before by 2."""
    days = [MONDAY + timedelta(days=n + 2 * (n // 5)) for n in range(10)]
    frame = pl.DataFrame({
        "session": days, "open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 1, "open_interest": 1,
        "contract": ["ZZH24"] * 7 + ["ZZM24"] * 3, "adjustment": [2.0] * 7 + [0.0] * 3,
    } | columns)  # fmt: skip
    return DailySeries(frame, SeriesMeta("ZZ", "made", "exchange_session", "settlement"))


def trade(entered: str, left: str, reason: str = "Stop") -> dict[str, Any]:
    return {
        "entry_session": entered, "entry_price": 100.5, "exit_session": left, "exit_price": 99.25, "exit_reason": reason
    }  # fmt: skip


def fills(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[f"{end}_{key}"] for end in ("entry", "exit") for key in ("contract", "raw_price"))


def test_daily_fills_are_in_the_contract_of_their_session() -> None:
    (found,) = with_contracts([trade("2024-03-12", "2024-03-13")], series(), calendar=None, timeframe="daily")
    assert fills(found) == ("ZZH24", 98.5, "ZZM24", 99.25)
    assert found["entry_price"] == 100.5


def test_weekly_fills_at_the_open_are_in_the_contract_of_the_weeks_first_session() -> None:
    """Weeks are labelled by their Fridays; the second one began in the old contract. A target may fill on any day."""
    rows = [trade("2024-03-15", "2024-03-15"), trade("2024-03-08", "2024-03-15", "TP3")]
    stopped, reached = with_contracts(rows, series(), calendar=None, timeframe="weekly")
    assert fills(stopped) == ("ZZH24", 98.5, "ZZH24", 97.25)
    assert fills(reached) == ("ZZH24", 98.5, "ZZM24", 99.25)


def test_a_share_has_the_price_that_was_printed() -> None:
    """Split 4:1 on the second Wednesday; the traded series is adjusted for it, the vendor's bars are raw."""
    printed = replace(series(close=[400.0] * 7 + [100.0] * 3), meta=replace(series().meta, adjustment_basis="raw"))
    adjusted = replace(
        series(contract=pl.Series([None] * 10, dtype=pl.String), adjustment=0.0),
        meta=replace(series().meta, adjustment_basis="split_adjusted"),
    )
    rows = [trade("2024-03-12", "2024-03-13")]
    (found,) = with_contracts(rows, adjusted, calendar=None, timeframe="daily", unadjusted=printed)
    assert fills(found) == (None, 402.0, None, 99.25)
    (unknown,) = with_contracts(rows, adjusted, calendar=None, timeframe="daily", unadjusted=adjusted)
    assert fills(unknown) == (None, None, None, None)


def test_rows_of_other_strategies_stay_as_they_are() -> None:
    assert with_contracts([{"exit_session": None, "r": 1.0}], series(), calendar=None, timeframe="daily") == [
        {"exit_session": None, "r": 1.0}
    ]
