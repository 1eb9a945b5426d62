"""Plan, execution and summary of a portfolio run, with made-up strategies."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ctl import __version__, digests, gatekeeper, store
from ctl import operating_profile as op
from ctl import run_orchestrator as runner
from ctl.errors import DataError, GateRefused
from ctl.model.certificate import Certificate
from ctl.model.findings import Decision, Reason
from ctl.model.run import SymbolOutcome, SymbolRun

TEMPLATE = Path(__file__).resolve().parents[3] / "configs/cutover/operating_profile_v1.yaml"
INSTANT = datetime(2026, 3, 2, 5, 0, 7, tzinfo=UTC)
TOML = """\
schema_version = 1
cycle_id = "cutover_v1"
profile = "configs/cutover/operating_profile_v1.yaml"
simulated = true
[vendors.databento]
format = "databento"
path = "data/raw/databento"
[symbols.PA]
calendar = "CMES"
tick = 0.5
point_value = 100
currency = "USD"
quote_unit = "USD per troy ounce"
canonical = "databento"
"""


def locked_profile() -> op.OperatingProfile:
    data = TEMPLATE.read_bytes()
    digest = op.settings_digest(op.load(data, TEMPLATE.name, require_lock=False))
    return op.load(op.with_lock(data, op.Lock("1" * 64, "2" * 64, digest)), TEMPLATE.name)


def decide(es: Decision = "WATCH") -> gatekeeper.GateDecision:
    statuses: dict[str, Decision] = {"ES": es, "CL": "ACCEPT", "PL": "WATCH"}
    drift = Reason("MEAN_DRIFT", "WATCH", "mean drift 7.33 > 5.00 (index points)")
    certificates: dict[str, Certificate | gatekeeper.Unavailable] = {
        symbol: Certificate(symbol, status, () if status == "ACCEPT" else (drift,), {"symbol": symbol})
        for symbol, status in statuses.items()
    }
    return gatekeeper.decide(
        locked_profile(),
        current=gatekeeper.CurrentLocks("1" * 64, "2" * 64),
        certificates=certificates,
        instant=INSTANT,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> store.Workspace:
    (tmp_path / "ctl.toml").write_text(TOML)
    return store.Workspace.load(tmp_path)


def outcome(entry: runner.PlanEntry) -> SymbolOutcome:
    exits = {"ES": [date(2020, 5, 4), date(2021, 1, 5)], "CL": [date(2020, 5, 4)], "PL": [], "PA": []}[entry.symbol]
    trades = pl.DataFrame(
        {"exit_session": exits, "r_theoretical": [entry.slippage_per_side] * len(exits)},
        schema={"exit_session": pl.Date, "r_theoretical": pl.Float64},
    )
    return SymbolOutcome({"trade_count": len(exits)}, trades, {"orders": []})


def run(workspace: store.Workspace, **options: Any) -> runner.RunSummary:
    given: dict[str, Any] = {"run_symbol": outcome, **options}
    return runner.run_portfolio(
        locked_profile(), decide(), given.pop("run_symbol"), symbols=workspace.symbols, instant=INSTANT, **given
    )


def statuses(summary: runner.RunSummary) -> dict[str, str]:
    return {result.symbol: result.status for result in summary.results}


def test_the_plan_takes_slippage_from_the_profile(workspace: store.Workspace) -> None:
    plan = runner.build_plan(locked_profile(), decide(), symbols=workspace.symbols)
    rows = [(e.symbol, e.role, e.action, e.reason, e.tick, e.slippage_per_side) for e in plan.entries]
    assert rows == [
        ("ES", "gating", "RUN", "", 0.25, 0.25),
        ("CL", "gating", "RUN", "", 0.01, 0.01),
        ("PL", "gating", "RUN", "", 0.1, 0.1),
        ("PA", "non-gating", "SKIP", "non-gating", 0.5, 0.5),
        ("AAPL", "non-gating", "SKIP", "non-gating", 0.0, 0.0),
        ("XLE", "non-gating", "SKIP", "non-gating", 0.0, 0.0),
    ]
    assert [entry.slippage_source for entry in plan.entries[:4]] == ["profile"] * 3 + ["one tick of the workspace"]


def test_non_gating_symbols_run_when_asked_for(workspace: store.Workspace) -> None:
    summary = run(workspace, include_non_gating=True)
    assert statuses(summary) == {
        "ES": "EXECUTED", "CL": "EXECUTED", "PL": "EXECUTED", "PA": "EXECUTED", "AAPL": "SKIPPED", "XLE": "SKIPPED",
    }  # fmt: skip
    assert summary.results[4].reason == "neither the profile nor ctl.toml has settings of it"
    assert statuses(run(workspace))["PA"] == "SKIPPED"


def test_a_dry_run_shows_the_same_plan_and_runs_nothing(workspace: store.Workspace) -> None:
    def never(entry: runner.PlanEntry) -> SymbolOutcome:
        raise AssertionError(entry.symbol)

    summary = run(workspace, dry_run=True, run_symbol=never)
    assert set(statuses(summary).values()) == {"DRY_RUN", "SKIPPED"}
    real, dry = run(workspace).plan.to_document(), summary.plan.to_document()
    assert dry.pop("dry_run") is True  # type: ignore[misc]
    assert real.pop("dry_run") is False  # type: ignore[misc]
    assert dry == real
    with pytest.raises(DataError, match="dry run"):
        runner.persist(summary, workspace)
    assert not workspace.processed.exists()


def test_executing_needs_the_pass_of_this_profile(workspace: store.Workspace) -> None:
    plan = runner.build_plan(locked_profile(), decide(), symbols=workspace.symbols)
    for forged in (None, "pass", object(), decide()):
        with pytest.raises(TypeError, match="GatePass"):
            runner.execute(plan, forged, outcome)  # type: ignore[arg-type]
    other = op.load(
        op.with_values(TEMPLATE.read_bytes(), {("policy_constraints", "thresholds_locked"): False}),
        "other.yaml",
        require_lock=False,
    )
    with pytest.raises(GateRefused, match="another profile"):
        runner.build_plan(other, decide(), symbols=workspace.symbols)


def test_a_refused_gate_runs_nothing(workspace: store.Workspace) -> None:
    calls: list[str] = []
    with pytest.raises(GateRefused, match="ES: expected WATCH, actual REJECT"):
        runner.run_portfolio(
            locked_profile(),
            decide("REJECT"),
            lambda entry: calls.append(entry.symbol),  # type: ignore[arg-type, return-value]
            symbols=workspace.symbols,
            instant=INSTANT,
        )
    assert calls == []


@pytest.mark.parametrize(
    ("broken", "code", "text"),
    [
        (DataError("no open, high, low", where="CL"), "DATA_UNFIT", "CL: no open, high, low"),
        (ZeroDivisionError("division by zero"), "UNEXPECTED", "unexpected ZeroDivisionError: division by zero"),
        (SymbolOutcome({"x": float("nan")}), "RESULT_UNREADABLE", "cannot be written as JSON"),
        (SymbolOutcome({"x": object()}), "RESULT_UNREADABLE", "cannot be written as JSON"),
        (SymbolOutcome({}, pl.DataFrame({"a": [1]})), "RESULT_UNREADABLE", "no exit_session"),
    ],
)
def test_one_symbol_fails_and_the_others_run(workspace: store.Workspace, broken: Any, code: str, text: str) -> None:
    def run_symbol(entry: runner.PlanEntry) -> SymbolOutcome:
        if entry.symbol != "CL":
            return outcome(entry)
        if isinstance(broken, Exception):
            raise broken
        return broken  # type: ignore[no-any-return]

    summary = run(workspace, run_symbol=run_symbol)
    assert statuses(summary)["CL"] == "ERROR"
    assert statuses(summary)["ES"] == statuses(summary)["PL"] == "EXECUTED"
    assert summary.has_errors
    assert summary.results[1].code == code
    assert text in summary.results[1].reason
    assert runner.persist(summary, workspace).is_file()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_not_one_symbols_error(workspace: store.Workspace, stop: type[BaseException]) -> None:
    def run_symbol(_: runner.PlanEntry) -> SymbolOutcome:
        raise stop

    with pytest.raises(stop):
        run(workspace, run_symbol=run_symbol)


def test_the_summary_and_its_trades(workspace: store.Workspace) -> None:
    def count(results: Sequence[SymbolRun]) -> dict[str, int]:
        return {"symbols": len(results)}

    summary = run(workspace, portfolio_metrics=count, simulated=True)
    path = runner.persist(summary, workspace)
    assert path.name == "20260302_050007_portfolio_run.json"
    document = json.loads(path.read_bytes())
    trades = path.with_name("20260302_050007_trades.parquet")
    assert document["timestamp"] == "2026-03-02T05:00:07Z"
    assert document["portfolio"] == {"symbols": 3}
    assert document["trades"] == {"file": trades.name, "sha256": digests.sha256_file(trades), "rows": 3}
    assert document["digests"] == {
        "profile": locked_profile().sha256,
        "certificates": {symbol: digests.digest({"symbol": symbol}) for symbol in ("ES", "CL", "PL")},
        "strategy": "2" * 64,
        "thresholds": "1" * 64,
        "settings": op.settings_digest(locked_profile()),
    }
    assert document["package_version"] == __version__
    assert document["simulated"] is True
    assert document["symbol_run_results"][0]["metrics"] == {"trade_count": 2}
    assert document["symbol_run_results"][0]["extra"] == {"orders": []}
    rows = pl.read_parquet(trades).select("exit_session", "symbol", "r_theoretical").rows()
    assert rows == [
        (date(2020, 5, 4), "CL", 0.01),
        (date(2020, 5, 4), "ES", 0.25),
        (date(2021, 1, 5), "ES", 0.25),
    ]


def test_same_inputs_same_bytes_and_two_runs_in_one_second(workspace: store.Workspace) -> None:
    first, second = (runner.persist(run(workspace), workspace) for _ in range(2))
    assert second.name == "20260302_050007_2_portfolio_run.json"
    one, two = first.read_text(), second.read_text()
    assert one.replace("20260302_050007_trades", "X") == two.replace("20260302_050007_2_trades", "X")
    folder = workspace.run_summaries
    assert (folder / "20260302_050007_trades.parquet").read_bytes() == (
        folder / "20260302_050007_2_trades.parquet"
    ).read_bytes()
    assert len(list(folder.iterdir())) == 4


def test_a_run_without_any_trade_still_writes_the_file(workspace: store.Workspace) -> None:
    summary = run(workspace, run_symbol=lambda entry: SymbolOutcome({"trade_count": 0}))
    path = runner.persist(summary, workspace)
    assert json.loads(path.read_bytes())["trades"]["rows"] == 0
    assert pl.read_parquet(io.BytesIO(runner.trades_bytes(summary.trades))).height == 0  # type: ignore[arg-type]


def test_progress_is_told_each_symbol_before_it_runs(workspace: store.Workspace) -> None:
    told: list[str] = []
    run(workspace, progress=lambda entry: told.append(entry.symbol))
    assert told == ["ES", "CL", "PL"]
