"""The run as a command and as its script, on the simulated workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILE = "configs/cutover/operating_profile_v1.yaml"
SUMMARIES = "data/processed/cutover_v1/run_summaries"


def test_same_inputs_give_the_same_run(ctl, workspace, tmp_path):
    shutil.copytree(workspace, tmp_path / "another")
    first = ctl("run", "-w", workspace, "--json").document
    second = ctl("run", "-w", tmp_path / "another", "--json").document
    for document in (first, second):
        for moving in ("timestamp", "summary_path", "trades", "paper"):  # the ledger holds the instant too
            document.pop(moving)
        document["gate_result"].pop("timestamp")
    assert first == second


def test_weekly_timeframe_runs(ctl, workspace):
    document = ctl("run", "-w", workspace, "--timeframe", "weekly", "--json").document
    assert document["plan"]["timeframe"] == "weekly"
    assert {item["status"] for item in document["symbol_run_results"]} == {"EXECUTED", "SKIPPED"}


def test_a_dry_run_prints_the_plan_and_writes_no_summary(ctl, workspace):
    document = ctl("run", "-w", workspace, "--dry-run", "--json").document
    assert document["dry_run"] is True
    actions = {entry["symbol"]: entry["action"] for entry in document["plan"]["entries"]}
    assert actions == {"ES": "RUN", "CL": "RUN", "PL": "RUN", "PA": "SKIP", "AAPL": "SKIP", "XLE": "SKIP"}
    assert {item["status"] for item in document["symbol_run_results"]} == {"DRY_RUN", "SKIPPED"}
    assert not (workspace / SUMMARIES).exists()


def test_behind_a_refused_gate_nothing_runs(ctl, workspace):
    path = workspace / PROFILE
    path.write_text(path.read_text().replace("max_day_delta: 2", "max_day_delta: 4"))
    ran = ctl("run", "-w", workspace)
    assert ran.code == 2
    assert "PROFILE_EDITED" in ran.out + ran.err
    assert not (workspace / SUMMARIES).exists()


@pytest.mark.parametrize("looking_back", [("--as-of", "2026-01-30"), ("--profile", PROFILE)])
def test_looking_back_needs_a_dry_run(ctl, workspace, monkeypatch, looking_back):
    monkeypatch.chdir(workspace)
    assert ctl("run", "-w", workspace, *looking_back).code == 64
    assert not (workspace / SUMMARIES).exists()
    assert ctl("run", "-w", workspace, "--dry-run", *looking_back).code == 0


def test_the_script_is_the_command(workspace, tmp_path):
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "scripts/run_weekly_b1_portfolio.py"), "--dry-run", "--json"],
        env={**os.environ, "CTL_WORKSPACE": str(workspace)}, capture_output=True, timeout=300, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(done.stdout)["dry_run"] is True
