"""`ctl orders` and the orders of a run, on the simulated workspace, beside what the backtest knows."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ctl import clock, run_orchestrator
from ctl.flows.portfolio import read_profile
from ctl.model.documents import document
from ctl.store import Workspace


def ran_in_process(workspace: Path, as_of: str) -> run_orchestrator.Run:
    """A run of a past date, which is not for the record."""
    options = run_orchestrator.RunOptions(as_of=date.fromisoformat(as_of), record=False)
    held = Workspace.load(workspace)
    *_, done = run_orchestrator.run(held, read_profile(held), options, instant=clock.now())
    return done


@pytest.fixture
def orders(workspace: Path, ctl: Callable[..., Any]) -> Callable[[str], Any]:
    return lambda as_of: ctl("orders", "-w", workspace, "--as-of", as_of, "--json")


def test_a_confirmed_trigger_is_bought_at_the_next_open_in_the_contract_of_the_series(
    workspace: Path, orders: Callable[[str], Any]
) -> None:
    ran = orders("2025-07-14")
    assert ran.code == 0
    (order,) = [item for item in ran.document["orders"]["orders"] if item["symbol"] == "PL"]
    assert (order["action"], order["contract"], order["session"]) == ("enter", "PLV25", "2025-07-15")
    done = ran_in_process(workspace, "2025-07-25")
    (platinum,) = [item for item in done.finished().symbol_run_results if item.symbol == "PL"]
    assert platinum.metrics is not None
    assert platinum.metrics["trade_count"] == 8
    trades = run_orchestrator.all_trades(done.outcomes)
    assert trades is not None
    bought = trades.filter((pl.col("symbol") == "PL") & (pl.col("entry_session").cast(pl.String) == "2025-07-15"))
    assert bought["stop_price"][0] == order["stop"]
    assert bought["entry_price"][0] - 0.1 >= order["no_buy_below"]


def test_an_open_position_rests_its_targets_and_a_breached_one_is_sold(orders: Callable[[str], Any]) -> None:
    resting = [item for item in orders("2025-07-16").document["orders"]["orders"] if item["symbol"] == "PL"]
    assert [(item["tranche"], item["type"], item["price"]) for item in resting] == [
        ("TP2", "limit", 1513.5),
        ("TP3", "limit", 1536.1),
    ]
    (due,) = [item for item in orders("2025-07-21").document["orders"]["orders"] if item["symbol"] == "PL"]
    assert (due["action"], due["type"], due["session"], due["contract"]) == ("exit", "market", "2025-07-22", "PLV25")


def test_a_run_carries_the_same_orders_and_the_state_of_the_budget(
    workspace: Path, orders: Callable[[str], Any]
) -> None:
    alone = orders("2025-07-16").document
    written = document(ran_in_process(workspace, "2025-07-16").finished())
    assert written["orders"] == alone["orders"]
    assert written["risk"] == alone["risk"]
    assert written["risk"]["currency"] == "USD"
    assert written["risk"]["curve"][-1]["total_r"] == written["risk"]["r_pnl"]["total"]
    # The budget's curve is the backtest as sized and capped, where no session was live and nothing says since when.
    assert written["governed"]["curve"] == written["risk"]["curve"]
    assert written["governed"]["trade_count"] <= written["portfolio"]["trade_count"]
    assert (
        written["governed_statistics"]["losses_beyond_1r"]["count"]
        < (written["statistics"]["losses_beyond_1r"]["count"])
    )


def test_the_table_and_the_csv_say_the_same(workspace: Path, ctl: Callable[..., Any], tmp_path: Path) -> None:
    target = tmp_path / "monday.csv"
    ran = ctl("orders", "-w", workspace, "--as-of", "2025-07-14", "--csv", target)
    assert "2025-07-15" in ran.out  # tests/golden/orders.txt holds the words
    assert ran.err == ""  # a simulated market stands still at the end of its data
    (row,) = [item for item in csv.DictReader(target.read_text().splitlines()) if item["symbol"] == "PL"]
    assert (row["contract"], row["side"], row["type"], row["quantity"]) == ("PLV25", "buy", "market", "5")


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
    assert ctl("lock", "-w", workspace, "--reason", "no budget").code == 0
    ran = ctl("orders", "-w", workspace, "--as-of", "2025-07-14", "--json")
    assert ran.document["risk"] is None
    assert ran.document["orders"]["governed"] is False
    assert [item["quantity"] for item in ran.document["orders"]["orders"] if item["symbol"] == "PL"] == [3]


def test_weekly_bars_in_the_middle_of_a_week_place_no_late_entry(workspace: Path, ctl: Callable[..., Any]) -> None:
    ran = ctl("orders", "-w", workspace, "--timeframe", "weekly", "--as-of", "2025-07-16", "--json")
    assert ran.code == 0
    assert all(item["status"] == "blocked" for item in ran.document["orders"]["orders"] if item["action"] == "enter")
    assert {item["as_of"] for item in ran.document["orders"]["orders"]} <= {"2025-07-11"}


def test_in_a_market_that_goes_on_nothing_is_placed_for_an_open_that_has_passed(
    workspace: Path, ctl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The files end on Friday 2026-02-27; a real market's lock refuses stale ones.
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))
    config = workspace / "ctl.toml"
    text = config.read_text()
    assert text.count("simulated = true") == 1
    config.write_text(text.replace("simulated = true", "simulated = false"))
    # The data end months ago, which a lock of a real market refuses otherwise.
    old = ("--set", "max_staleness_sessions=none")
    assert ctl("lock", "-w", workspace, *old, "--reason", "a real market").code == 0
    ran = ctl("orders", "-w", workspace, "--as-of", "2025-07-14", "--json").document["orders"]
    assert ran["orders"]
    assert all(item["status"] == "blocked" and "OPEN_HAS_PASSED" in item["codes"] for item in ran["orders"])
    late = [text for text in ran["alerts"] if "OPEN_HAS_PASSED" in text]
    assert len(late) == sum(item["action"] in ("exit", "roll") for item in ran["orders"])


def test_the_governed_curve_of_a_run_is_that_of_a_sum_made_by_itself(workspace: Path) -> None:
    """Triggers and trades of the strategy, sized again from the text of ctl.toml: 1 R is 1 % of 1,000,000 USD."""
    done = ran_in_process(workspace, "2026-02-27")
    markets = {"ES": (0.25, 50.0), "CL": (0.01, 1_000.0), "PL": (0.1, 50.0)}  # tick (the slippage too), USD a point
    entries = []
    for outcome in done.outcomes[:3]:
        assert outcome.measured is not None
        assert outcome.next_open is not None
        trades = {trade.trigger_session: trade for trade in outcome.measured.result.trades}
        for trigger in outcome.measured.result.triggers:
            if trigger.trigger_session in trades:
                bar = outcome.next_open.book.market.bars[trigger.confirmation_session]
                entries.append((outcome.run.symbol, trigger, trades[trigger.trigger_session], bar.close, bar.price))
    expected = {}
    for symbol, trigger, trade, close, price in entries:
        tick, point = markets[symbol]
        planned = round(max(close - trigger.stop, tick, 0.1 * trigger.atr) + tick, 9)
        fits = 10_000.0 / point // max(planned, trigger.atr)
        lots = int(min(fits, 10_000.0 / point // max(trade.risk, trigger.atr), 25, 2_000_000.0 // (price * point)))
        thirds = (lots // 3, lots // 3, lots - 2 * (lots // 3)) if lots > 2 else ((lots + 1) // 2, 0, lots // 2)
        fills = (trade.tp1_fill, trade.tp2_fill, trade.tp3_fill)
        points = sum(
            n * ((trade.exit_price if fill is None else fill) - trade.entry_price)
            for n, fill in zip(thirds, fills, strict=True)
        )
        if lots:
            expected[symbol, trigger.trigger_session] = (lots, pytest.approx(points * point / 10_000.0))
    governed = done.finished().governed
    assert governed is not None
    assert {(made.symbol, made.trigger_session): (made.lots, made.r) for made in governed.trades} == expected
    assert governed.refused == {"SIZE_ZERO": len(entries) - len(expected)}
    assert len(expected) > 30


def test_two_symbols_of_one_root_are_two_positions_of_one_budget(workspace: Path, ctl: Callable[..., Any]) -> None:
    config = workspace / "ctl.toml"
    first, _, rest = config.read_text().partition("[symbols.PL]")
    table, blank, others = rest.partition("\n\n")
    named = '\nvendor_symbols = { tradestation = "PL" }'
    config.write_text(f"{first}[symbols.PL]{table}{blank}[symbols.PLAT]{table}{named}{blank}{others}")
    (profile,) = (workspace / "configs").glob("*/operating_profile_v1.yaml")
    text = profile.read_text().replace("  - PL\n", "  - PL\n  - PLAT\n")
    settings = text[text.index("  PL:\n") : text.index("\n# What the lock must hold")]
    profile.write_text(text.replace(settings, settings + settings.replace("  PL:\n", "  PLAT:\n")))
    ran = ctl("lock", "-w", workspace, "--reason", "platinum twice")
    assert ran.code == 0, ran.err
    document = ctl("orders", "-w", workspace, "--as-of", "2025-07-14", "--json").document
    bought = [(item["symbol"], item["contract"], item["quantity"]) for item in document["orders"]["orders"]]
    assert bought == [("PL", "PLV25", 5), ("PLAT", "PLV25", 5)]
    alone = document["orders"]["orders"][0]
    assert document["risk"]["r_ordered"] == pytest.approx(2 * alone["r"])
