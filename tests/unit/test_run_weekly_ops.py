"""The weekly cycle as a command and as its script, on the simulated workspace."""

from __future__ import annotations

import json
import os
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


def test_the_script_is_the_command(workspace, tmp_path):
    environment = {**os.environ, "CTL_WORKSPACE": str(workspace)}
    for script, arguments, code in (
        ("run_weekly_ops.py", ["--dry-run", "--notify", "stdout", "--json"], 0),
        ("run_weekly_ops.py", ["--notfy", "stdout"], 64),
    ):
        done = subprocess.run(
            [sys.executable, str(REPOSITORY / "scripts" / script), *arguments],
            env=environment, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        if code == 0:
            json.loads(done.stdout)
        else:
            assert len(done.stderr.splitlines()) == 1
