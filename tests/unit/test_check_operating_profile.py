"""The gate as a command, and as its script, on the simulated workspace."""

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
        "thresholds": True, "strategy": True, "profile": True, "workspace": True,
    }  # fmt: skip
    assert document["restatements"] == []
    assert document["timestamp"].endswith("Z")


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
    from ctl.strategy.b1 import B1Parameters, parameters

    monkeypatch.setattr(parameters, "_registered", lambda _: B1Parameters(swing_lookback=21))
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


def test_certificates_do_not_depend_on_hash_seed_or_threads(workspace):
    seen = set()
    for seed, threads in (("0", "1"), ("4242", "2")):
        environment = {
            **os.environ, "PYTHONHASHSEED": seed, "POLARS_MAX_THREADS": threads, "NUMBA_NUM_THREADS": threads,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "ctl", "certify", "-w", str(workspace), "--json"],
            env=environment, capture_output=True, timeout=300, check=True,
        )  # fmt: skip
        seen.add(done.stdout)
    assert len(seen) == 1


def test_the_script_is_the_command(workspace, tmp_path):
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "scripts/check_operating_profile.py"), "--json"],
        env={**os.environ, "CTL_WORKSPACE": str(workspace)}, capture_output=True, timeout=300, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(done.stdout)["passed"] is True
