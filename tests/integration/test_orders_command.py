"""`ctl orders` and the orders of a run, on the simulated workspace, beside what the backtest knows."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def orders(workspace: Path, ctl: Callable[..., Any]) -> Callable[[str], Any]:
    return lambda as_of: ctl("orders", "-w", workspace, "--as-of", as_of, "--json")


def test_a_confirmed_trigger_is_bought_at_the_next_open_in_the_contract_of_the_series(
    workspace: Path, ctl: Callable[..., Any], orders: Callable[[str], Any]
) -> None:
    ran = orders("2025-05-22")
    assert ran.code == 0
    (order,) = [item for item in ran.document["orders"]["orders"] if item["symbol"] == "ES"]
    assert (order["action"], order["contract"], order["session"]) == ("enter", "ESM25", "2025-05-23")
    later = ctl("run", "-w", workspace, "--as-of", "2025-06-10", "--json").document
    (es,) = [item for item in later["symbol_run_results"] if item["symbol"] == "ES"]
    assert es["metrics"]["trade_count"] == 8
    import polars as pl

    path = workspace / later["summary_path"]
    trades = pl.read_parquet(path.parent / json.loads(path.read_bytes())["trades"]["file"])
    bought = trades.filter((pl.col("symbol") == "ES") & (pl.col("entry_session").cast(pl.String) == "2025-05-23"))
    assert bought["stop_price"][0] == order["stop"]
    assert bought["entry_price"][0] - 0.25 >= order["no_buy_below"]


def test_an_open_position_rests_its_targets_and_a_breached_one_is_sold(orders: Callable[[str], Any]) -> None:
    resting = [item for item in orders("2025-05-27").document["orders"]["orders"] if item["symbol"] == "ES"]
    assert [(item["tranche"], item["type"], item["price"]) for item in resting] == [
        ("TP2", "limit", 5956.0),
        ("TP3", "limit", 6023.5),
    ]
    (due,) = [item for item in orders("2025-11-06").document["orders"]["orders"] if item["symbol"] == "ES"]
    assert (due["action"], due["type"], due["session"], due["contract"]) == ("exit", "market", "2025-11-07", "ESZ25")


def test_a_run_carries_the_same_orders_and_the_state_of_the_budget(
    workspace: Path, ctl: Callable[..., Any], orders: Callable[[str], Any]
) -> None:
    alone = orders("2025-05-27").document
    ran = ctl("run", "-w", workspace, "--as-of", "2025-05-27", "--json").document
    written = json.loads((workspace / ran["summary_path"]).read_bytes())
    assert written["orders"] == alone["orders"]
    assert written["risk"] == alone["risk"]
    assert written["risk"]["currency"] == "USD"
    assert written["risk"]["curve"][-1]["total_r"] == written["risk"]["r_pnl"]["total"]


def test_the_table_and_the_csv_say_the_same(workspace: Path, ctl: Callable[..., Any], tmp_path: Path) -> None:
    target = tmp_path / "monday.csv"
    ran = ctl("orders", "-w", workspace, "--as-of", "2025-05-22", "--csv", target)
    assert "Orders for the open of 2025-05-23 (decided on the close of 2025-05-22)" in ran.out
    assert "buy only if it opens at" in ran.out
    assert ran.err == ""  # a simulated market stands still at the end of its data
    (row,) = [item for item in csv.DictReader(target.read_text().splitlines()) if item["symbol"] == "ES"]
    assert (row["contract"], row["side"], row["type"], row["quantity"]) == ("ESM25", "buy", "market", "3")


def test_a_refused_gate_gives_no_orders(workspace: Path, ctl: Callable[..., Any], tmp_path: Path) -> None:
    ctl("demo", workspace, "--inject", "wrong-commodity:PL")
    target = tmp_path / "monday.csv"
    ran = ctl("orders", "-w", workspace, "--csv", target, "--json")
    assert ran.code == 2
    assert ran.document["passed"] is False
    assert "orders" not in ran.document
    assert not target.exists()


def test_without_a_risk_table_the_size_is_not_governed(workspace: Path, ctl: Callable[..., Any]) -> None:
    config = workspace / "ctl.toml"
    text = config.read_text()
    first = text.index("# What one trade may risk")
    config.write_text(text[:first] + text[text.index("# E-mini") :])
    ran = ctl("orders", "-w", workspace, "--as-of", "2025-05-22", "--json")
    assert ran.document["risk"] is None
    assert ran.document["orders"]["governed"] is False
    assert [item["quantity"] for item in ran.document["orders"]["orders"] if item["symbol"] == "ES"] == [3]


def test_weekly_bars_in_the_middle_of_a_week_place_no_late_entry(workspace: Path, ctl: Callable[..., Any]) -> None:
    ran = ctl("orders", "-w", workspace, "--timeframe", "weekly", "--as-of", "2025-05-22", "--json")
    assert ran.code == 0
    assert all(item["status"] == "blocked" for item in ran.document["orders"]["orders"] if item["action"] == "enter")
    assert {item["as_of"] for item in ran.document["orders"]["orders"]} <= {"2025-05-16"}


def test_in_a_market_that_goes_on_nothing_is_placed_for_an_open_that_has_passed(
    workspace: Path, ctl: Callable[..., Any]
) -> None:
    config = workspace / "ctl.toml"
    text = config.read_text()
    assert text.count("simulated = true") == 1
    config.write_text(text.replace("simulated = true", "simulated = false"))
    for as_of in ("2025-05-22", "2025-05-27", "2025-11-06"):  # an entry, targets, an exit
        ran = ctl("orders", "-w", workspace, "--as-of", as_of, "--json").document["orders"]
        assert ran["orders"]
        assert all(item["status"] == "blocked" and "OPEN_HAS_PASSED" in item["codes"] for item in ran["orders"])
        assert bool(ran["alerts"]) is any(item["action"] in ("exit", "roll") for item in ran["orders"])
