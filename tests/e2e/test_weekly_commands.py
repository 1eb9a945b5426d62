"""The weekly commands as a person or a scheduler runs them, on the simulated workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILE = "configs/cutover/operating_profile_v1.yaml"
CLEAN_LINE = "[OK] Portfolio run completed successfully. Gate: PASS. Mode: dry-run."


def edit(workspace: Path, old: str, new: str) -> None:
    path = workspace / PROFILE
    text = path.read_text()
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))


def statuses(document):
    return {item["symbol"]: (item["expected"], item["actual"], item["passed"]) for item in document["symbol_results"]}


def test_gate_document_has_every_field(ctl, filled_workspace):
    document = ctl("gate", "-w", filled_workspace, "--json").document
    assert statuses(document) == {
        "ES": ("WATCH", "WATCH", True), "CL": ("ACCEPT", "ACCEPT", True), "PL": ("WATCH", "WATCH", True),
    }  # fmt: skip
    assert document["passed"] is True
    assert document["recommendation"] == "CONDITIONAL GO"
    assert document["profile"]["path"] == PROFILE
    assert document["profile"]["version"] == 1
    assert {"symbol", "expected", "actual", "passed", "detail", "reasons", "certificate_sha256"} <= set(
        document["symbol_results"][0]
    )
    assert {lock["name"]: lock["held"] for lock in document["locks"]} == {
        "thresholds": True, "strategy": True, "profile": True,
    }  # fmt: skip
    assert document["restatements"] == []
    assert document["timestamp"].endswith("Z")


def test_dry_weekly_run_says_the_exact_line_and_keeps_stdout_for_the_document(ctl, workspace):
    ran = ctl("ops", "-w", workspace, "--dry-run", "--notify", "stdout", "--json")
    assert ran.code == 0
    assert CLEAN_LINE in ran.err.splitlines()
    document = ran.document
    fields = {
        "timestamp", "gate_passed", "aborted", "dry_run", "exit_code", "has_errors", "portfolio_recommendation",
        "gate", "run", "notification", "retention", "summary_path", "durations", "digests",
    }  # fmt: skip
    assert fields <= set(document)
    standing = {"expected": "WATCH", "actual": "WATCH", "passed": True, "data_to": "2026-02-27", "contract": "ESH26"}
    assert standing.items() <= document["gate"]["ES"].items()
    assert document["run"]["PL"]["status"] == "DRY_RUN"
    assert document["notification"]["text"] == CLEAN_LINE
    assert document["notification"]["delivered"] is True
    assert document["summary_path"] is None
    logs = list((workspace / "data/processed/cutover_v1/ops_logs").iterdir())
    assert [json.loads(path.read_bytes()) for path in logs] == [document]
    assert not (workspace / "data/processed/cutover_v1/run_summaries").exists()


def test_real_weekly_run_leaves_summary_trades_and_log(ctl, workspace):
    ran = ctl("ops", "-w", workspace, "--notify", "stdout", "--include-non-gating")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == "[OK] Portfolio run completed successfully. Gate: PASS. Mode: real."
    folder = workspace / "data/processed/cutover_v1/run_summaries"
    (summary_path,) = folder.glob("*_portfolio_run.json")
    (trades_path,) = folder.glob("*_trades.parquet")
    assert f"run {summary_path.name.removesuffix('_portfolio_run.json')}" in ran.out
    summary = json.loads(summary_path.read_bytes())
    statuses = {item["symbol"]: item["status"] for item in summary["symbol_run_results"]}
    assert statuses == dict.fromkeys(("ES", "CL", "PL", "PA", "AAPL", "XLE"), "EXECUTED")
    trades = pl.read_parquet(trades_path)
    by_symbol = {item["symbol"]: item["metrics"] for item in summary["symbol_run_results"]}
    for symbol, metrics in by_symbol.items():
        own = trades.filter(pl.col("symbol") == symbol)
        assert own.height == metrics["trade_count"]
        assert own["r_theoretical"].sum() == pytest.approx(metrics["total_r"], abs=1e-9)
    assert summary["portfolio"]["trade_count"] == trades.height
    assert trades["exit_session"].is_sorted()


def test_same_inputs_give_the_same_run(ctl, workspace):
    first = ctl("run", "-w", workspace, "--json").document
    second = ctl("run", "-w", workspace, "--json").document
    for document in (first, second):
        for moving in ("timestamp", "summary_path", "trades"):
            document.pop(moving)
        document["gate_result"].pop("timestamp")
    assert first == second


def test_weekly_timeframe_runs(ctl, workspace):
    document = ctl("run", "-w", workspace, "--timeframe", "weekly", "--json").document
    assert document["plan"]["timeframe"] == "weekly"
    assert {item["status"] for item in document["symbol_run_results"]} == {"EXECUTED", "SKIPPED"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("tick_size: 0.25", "tick_size: 0.5", "PROFILE_EDITED"),
        ("max_day_delta: 2", "max_day_delta: 4", "PROFILE_EDITED"),
        ("slippage_per_side: 0.25", "slippage_per_side: 0.0", "PROFILE_EDITED"),
        ("expected_status: ACCEPT", "expected_status: WATCH", "PROFILE_EDITED"),
    ],
)
def test_an_edited_profile_stops_everything(ctl, workspace, old, new, code):
    edit(workspace, old, new)
    ran = ctl("ops", "-w", workspace, "--notify", "stdout")
    assert ran.code == 2
    assert any(line.startswith(f"{code}: ") for line in ran.out.splitlines())
    assert "Gate: MISMATCH" in ran.out
    assert not (workspace / "data/processed/cutover_v1/run_summaries").exists()
    (log,) = (workspace / "data/processed/cutover_v1/ops_logs").iterdir()
    document = json.loads(log.read_bytes())
    assert (document["aborted"], document["exit_code"], document["gate_passed"]) == (True, 2, False)


def test_better_than_expected_is_a_mismatch_too(ctl, workspace):
    edit(workspace, "expected_status: ACCEPT", "expected_status: WATCH")
    ran = ctl("gate", "-w", workspace, "--json")
    assert ran.code == 2
    assert statuses(ran.document)["CL"] == ("WATCH", "ACCEPT", False)


def test_a_changed_limit_breaks_the_thresholds_lock(ctl, workspace, monkeypatch):
    from dataclasses import replace

    from ctl.certification import acceptance

    monkeypatch.setattr(acceptance, "LIMITS_V1", replace(acceptance.LIMITS_V1, max_mean_drift=8.0))
    ran = ctl("gate", "-w", workspace)
    assert ran.code == 2
    assert any(line.startswith("THRESHOLDS_CHANGED: ") for line in ran.out.splitlines())


def test_a_changed_strategy_parameter_breaks_the_strategy_lock(ctl, workspace, monkeypatch):
    from ctl.strategy.b1 import parameters

    monkeypatch.setitem(parameters._SWING_LOOKBACK, "daily", 21)
    ran = ctl("gate", "-w", workspace)
    assert ran.code == 2
    assert any(line.startswith("STRATEGY_CHANGED: ") for line in ran.out.splitlines())


def test_palladium_contracts_in_the_platinum_folder_are_named(ctl, tmp_path):
    folder = tmp_path / "mixup"
    assert ctl("demo", folder, "--inject", "wrong-commodity:PL").code == 0
    ran = ctl("gate", "-w", folder)
    assert ran.code == 2
    (line,) = [line for line in ran.out.splitlines() if line.strip().startswith("IDENTITY_MISMATCH: ")]
    assert "PA found where PL was asked for" in line
    assert ctl("demo", folder).code == 0
    assert ctl("gate", "-w", folder).code == 0, "filling anew must take the injected files away"


def test_palladium_files_copied_over_platinum_by_hand_are_named(ctl, workspace):
    import shutil

    raw = workspace / "data/raw/databento"
    shutil.rmtree(raw / "PL")
    shutil.copytree(raw / "PA", raw / "PL")
    ran = ctl("certify", "PL", "-w", workspace, "--json")
    assert ran.document["decision"] == "REJECT"
    assert [reason["code"] for reason in ran.document["reasons"]] == ["IDENTITY_MISMATCH"]
    assert "PA" in ran.document["reasons"][0]["text"]
    assert ctl("gate", "-w", workspace).code == 2


@pytest.mark.parametrize("cause", ["settlement-closes:ES", "roll-rule:CL", "unit-change:PL"])
def test_each_injected_cause_moves_the_board(ctl, tmp_path, cause):
    assert ctl("demo", tmp_path, "--inject", cause).code == 0
    assert ctl("gate", "-w", tmp_path).code == 2


def test_restated_history_is_reported_value_by_value_and_does_not_fail_by_itself(ctl, tmp_path):
    ctl("demo", tmp_path, "--inject", "restated-bar:CL")
    ran = ctl("gate", "-w", tmp_path, "--json")
    (found,) = ran.document["restatements"]
    assert (found["symbol"], found["code"]) == ("CL", "RESTATED_HISTORY")
    assert {change["session"] for change in found["changes"]} == {"2024-05-15"}
    assert {change["column"] for change in found["changes"]} >= {"close"}
    close = next(change for change in found["changes"] if change["column"] == "close")
    assert abs(close["new"] / close["old"] - 1) == pytest.approx(0.015, abs=1e-3)
    assert ran.code == 0


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_without_the_locked_bars_nothing_passes(ctl, workspace, damage):
    (path,) = workspace.rglob("CL_contracts.parquet")
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"PAR1 not really")
    ran = ctl("gate", "-w", workspace, "--json")
    assert ran.code == 2
    (failed,) = [item for item in ran.document["symbol_results"] if not item["passed"]]
    assert (failed["symbol"], [reason["code"] for reason in failed["reasons"]]) == ("CL", ["LOCKED_BARS_MISSING"])


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
def test_unreadable_input_refuses_and_says_which(ctl, workspace, damage):
    (path,) = (workspace / "data/raw/databento/CL").iterdir()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.write_bytes(b"")
    ran = ctl("gate", "-w", workspace, "--json")
    assert ran.code == 2
    assert statuses(ran.document)["CL"] == ("ACCEPT", "ERROR", False)
    assert ctl("run", "-w", workspace).code == 2
    assert not (workspace / "data/processed/cutover_v1/run_summaries").exists()


@pytest.fixture
def limited(workspace):
    """A workspace like any other, whose time is the clock's, with a profile that allows data to be ten sessions old."""
    from ctl import store
    from ctl.demo.decisions import LOCKED_AT
    from ctl.flows import lock

    path, config = workspace / PROFILE, workspace / "ctl.toml"
    config.write_text(config.read_text().replace("simulated = true ", "simulated = false"))
    text = path.read_bytes() + b"max_staleness_sessions: 10\n"
    for name in ("docs/governance", "configs"):
        shutil.rmtree(workspace / name)
    assert not lock.first_lock(store.Workspace.load(workspace), text, reason="x", instant=LOCKED_AT)
    return workspace


def test_stale_data_refuse_where_the_profile_limits_staleness(ctl, limited):
    assert ctl("gate", "-w", limited, "--as-of", "2026-02-27").code == 0
    ran = ctl("gate", "-w", limited, "--as-of", "2026-04-30")
    assert ran.code == 2
    assert ran.out.count("STALE_INPUT") == 3


def test_a_stale_reference_is_stale_input_too(ctl, limited):
    for path in (limited / "data/raw/tradestation").glob("TS_CL_*"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-30]))
    ran = ctl("gate", "-w", limited, "--as-of", "2026-02-27")
    assert ran.code == 2
    assert ran.out.count("STALE_INPUT") == 1


def test_a_bar_from_the_future_does_not_hide_staleness(ctl, limited):
    import zstandard

    (path,) = (limited / "data/raw/databento/CL").iterdir()
    text = zstandard.decompress(path.read_bytes(), max_output_size=1 << 30).decode()
    last = next(line for line in reversed(text.splitlines()) if line.endswith(",CLJ6"))
    later = "2099-01-05" + last[10:]
    path.write_bytes(zstandard.compress(f"{text}{later}\n".encode()))
    ran = ctl("gate", "-w", limited)
    assert ran.code == 2
    cl = ran.out[ran.out.index("CL ..") :]
    assert "STALE_INPUT" in cl[:400]  # a session that is not over does not count
    assert "2099" not in ran.out


def test_scripts_are_the_commands(workspace, tmp_path):
    environment = {**os.environ, "CTL_WORKSPACE": str(workspace)}
    for script, arguments, code in (
        ("check_operating_profile.py", ["--json"], 0),
        ("run_weekly_b1_portfolio.py", ["--dry-run", "--json", "--include-non-gating"], 0),
        ("run_weekly_ops.py", ["--dry-run", "--notify", "stdout", "--json"], 0),
        ("run_weekly_ops.py", ["--notfy", "stdout"], 64),
    ):
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "scripts" / script), *arguments],
            env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        if code == 0:
            json.loads(done.stdout)
        else:
            assert len(done.stderr.splitlines()) == 1


def test_certificates_do_not_depend_on_hash_seed_or_threads(workspace):
    seen = set()
    for seed, threads in (("0", "1"), ("4242", "2")):
        environment = {
            **os.environ, "PYTHONHASHSEED": seed, "POLARS_MAX_THREADS": threads, "NUMBA_NUM_THREADS": threads,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "ctl", "certify", "-w", str(workspace), "--json"],
            env=environment, capture_output=True, timeout=120, check=True,
        )  # fmt: skip
        seen.add(done.stdout)
    assert len(seen) == 1
