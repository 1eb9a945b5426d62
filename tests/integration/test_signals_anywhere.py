"""A signal at any instant of a real cycle, inside every reader too, stops it: never damaged data, never swallowed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctl import stopping
from ctl.store import Workspace

LOGS = Path("data/processed/cutover_v1/ops_logs")


def unread(workspace: Path) -> None:
    """Let every vendor file be read anew."""
    shutil.rmtree(Workspace.load(workspace).cache_folder, ignore_errors=True)


def struck(run: Callable[[], Any], at: int, by: signal.Signals) -> tuple[Any, int]:
    """What a command gave that a signal reached at its `at`-th call of a function (at 0: none did), and how many calls
    there were. SIGTERM has its own handler within a command alone: before, it waits for that.
    """
    count, due = 0, at or sys.maxsize

    def called(*_: Any) -> None:  # returns None, so that no line is traced
        nonlocal count, due
        count += 1
        if count >= due and callable(signal.getsignal(signal.SIGTERM)):
            due = sys.maxsize
            os.kill(os.getpid(), by)

    sys.settrace(called)
    try:
        return run(), count
    finally:
        sys.settrace(None)


@pytest.mark.parametrize("points", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_it_ends_as_stopped_wherever_it_is(ctl: Callable[..., Any], workspace: Path, points: int) -> None:
    unread(workspace)
    clean, calls = struck(lambda: ctl("ops", "-w", workspace, "--json"), 0, signal.SIGTERM)
    assert clean.code == 0
    stopped = 0
    for point in range(points):
        unread(workspace)
        before = {*(workspace / LOGS).iterdir()}
        by = stopping.SIGNALS[point % len(stopping.SIGNALS)]
        found, _ = struck(lambda: ctl("ops", "-w", workspace, "--json"), 1 + calls * point // points, by)
        made = {*(workspace / LOGS).iterdir()} - before
        assert len(made) <= 1
        if not made:
            assert (found.code, found.document["code"]) == (128 + by, "RUN_STOPPED")
            continue
        log = json.loads(made.pop().read_text())
        assert log["exit_code"] == found.code
        if found.code == 0:
            continue  # it came after the end was on record
        assert (found.code, log["error"]["code"]) == (128 + by, "RUN_STOPPED")
        assert {item["actual"] for item in log["gate"].values()} <= {"ACCEPT", "WATCH"}
        stopped += 1
    assert stopped > points // 3


@pytest.mark.parametrize("name", ["read_csv", "read_parquet"])
def test_a_signal_while_polars_reads_is_no_finding(
    ctl: Callable[..., Any], workspace: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import polars as pl

    real, done = getattr(pl, name), []

    def reading(*args: Any, **options: Any) -> Any:
        found = real(*args, **options)
        if not done:
            done.append(name)
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    unread(workspace)
    monkeypatch.setattr(pl, name, reading)
    found = ctl("ops", "-w", workspace, "--json")
    assert done == [name]
    assert (found.code, found.document["error"]["code"]) == (143, "RUN_STOPPED")
    assert not any(item["actual"] == "ERROR" for item in found.document["gate"].values())
