"""Runs in processes of their own: two at once, one killed, one asked to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import make_workspace

from ctl import store

DRIVER = Path(__file__).resolve().parents[1] / "helpers" / "ops_run_driver.py"


def command(workspace: store.Workspace, *words: str) -> list[str]:
    return [sys.executable, str(DRIVER), str(workspace.root), *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def complete(workspace: store.Workspace) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(workspace), capture_output=True, text=True, check=False, timeout=300, env=environment()
    )


@contextmanager
def holding(workspace: store.Workspace) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun and waits inside its first symbol."""
    with subprocess.Popen(
        command(workspace, "hold"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        try:
            yield process
        finally:
            process.kill()


def logs(workspace: store.Workspace) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(workspace.ops_logs.glob("*_ops.json"))]


@pytest.fixture
def workspace(tmp_path: Path) -> store.Workspace:
    return make_workspace(tmp_path)


def test_a_second_run_is_refused_while_the_first_runs_and_welcome_after_its_death(workspace: store.Workspace) -> None:
    with holding(workspace) as first:
        second = complete(workspace)
        assert second.returncode == 1
        assert f"another run holds the workspace: ctl ops, process {first.pid} on " in second.stderr
        assert "since 2026-03-02T05:00:07" in second.stderr
        assert second.stderr.count("\n") == 1
        assert len(logs(workspace)) == 1
        first.kill()
        first.wait(300)
        assert complete(workspace).returncode == 0
    assert sorted((log["exit_code"], (log["error"] or {}).get("code")) for log in logs(workspace)) == [
        (0, None),
        (1, "RUN_INTERRUPTED"),
    ]


def test_sigterm_ends_the_process_with_143_a_finished_log_and_a_free_workspace(workspace: store.Workspace) -> None:
    with holding(workspace) as process:
        process.terminate()
        assert process.wait(300) == 143
    (log,) = logs(workspace)
    assert (log["exit_code"], log["error"]["code"], log["aborted"]) == (143, "RUN_STOPPED", True)
    assert not workspace.run_summaries.exists()
    assert complete(workspace).returncode == 0


@pytest.mark.parametrize("seed", ["0", "1"])
def test_results_do_not_depend_on_the_hash_seed(tmp_path: Path, seed: str) -> None:
    contents: list[dict[str, bytes]] = []
    for name, value in (("reference", "7"), ("other", seed)):
        folder = tmp_path / name
        folder.mkdir()
        workspace = make_workspace(folder)
        done = subprocess.run(
            command(workspace), check=False, timeout=300, env={**environment(), "PYTHONHASHSEED": value}
        )
        assert done.returncode == 0
        contents.append({path.name: path.read_bytes() for path in workspace.run_summaries.iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"20260302_050007_portfolio_run.json", "20260302_050007_trades.parquet"}
