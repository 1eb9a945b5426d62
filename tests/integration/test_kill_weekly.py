"""A weekly cycle killed at any system call leaves a workspace from which the next one continues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import make_workspace

DRIVER = Path(__file__).resolve().parents[1] / "helpers" / "ops_kill_driver.py"
FIRST, SECOND = "2026-03-02T05:00:07Z", "2026-03-09T05:00:07Z"


def kills(folder: Path, *mode: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(DRIVER), str(folder), *mode],
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "mode", ["half", pytest.param("before", marks=pytest.mark.slow), pytest.param("after", marks=pytest.mark.slow)]
)
def test_killed_at_every_call_the_workspace_stays_whole_and_the_next_run_continues(tmp_path: Path, mode: str) -> None:
    found = kills(tmp_path, mode)
    assert [line["code"] for line in found[:-1]] == [-9] * (len(found) - 1)
    assert found[-1]["code"] == 100, "the last cycle runs to its end, so every call before it was a kill point"
    assert len(found) > 30
    for line in found:
        after, end = line["after"], line["end"]
        # a log, once begun, stays and says that the run was interrupted, or how it ended
        assert after["logs"] in ([], [[FIRST, 1, "RUN_INTERRUPTED"]], [[FIRST, 0, None]])
        # what the log cites is there; no summary is there twice
        assert [path.rpartition("/")[2] for path in after["cited"] if path] in ([], after["summaries"])
        assert len(after["summaries"]) <= 1
        # a run whose end is on record is announced, or its message still waits
        if after["logs"] == [[FIRST, 0, None]]:
            assert after["outbox"] == [FIRST]
        # the next run works, keeps all that was there, adds its own once and clears what was half written
        assert line["resumed"] == 0
        assert end["logs"] == [*after["logs"], [SECOND, 0, None]]
        assert end["summaries"] == [*after["summaries"], "20260309_050007_portfolio_run.json"]
        assert end["outbox"] == [*after["outbox"], SECOND]
        assert end["temporary"] == []


@pytest.mark.slow
def test_500_random_kills_of_one_workspace_lose_and_double_nothing(tmp_path: Path) -> None:
    found = kills(tmp_path, "random", "500")
    assert len(found) == 501
    assert found[-1]["code"] == 0
    assert sum(line["code"] == -9 for line in found) > 300
    logs: list[list[Any]] = []
    for line in found:
        after = line["after"]
        assert after["logs"][: len(logs)] == logs, "a log that once was there stays as it was"
        assert len(after["logs"]) - len(logs) <= 1
        logs = after["logs"]
        cited = [path.rpartition("/")[2] for path in after["cited"] if path]
        assert len(set(cited)) == len(cited)
        assert set(cited) <= set(after["summaries"])
        if line["code"] in (0, 100):
            assert logs[-1][1:] == [0, None]
            assert after["temporary"] == []
    assert len({timestamp for timestamp, _, _ in logs}) == len(logs)


@pytest.mark.slow
def test_500_random_sigterms_end_every_started_cycle_exactly_once(tmp_path: Path) -> None:
    found = kills(tmp_path, "terminate", "500")
    *weeks, end = found
    assert len(weeks) == 500
    codes = [line["code"] for line in weeks]
    assert set(codes) <= {0, 143, -15}  # -15: before anything of ctl was in force, or after everything was
    assert codes.count(143) > 250
    assert end["code"] == 0
    logs = end["after"]["logs"]
    # a log that was begun has ended, once, as its process said, and a signal is never told as anything else
    assert {(code, error) for _, code, error in logs} <= {(0, None), (143, "RUN_STOPPED")}
    assert len({timestamp for timestamp, _, _ in logs}) == len(logs)
    assert sum(code == 0 for _, code, _ in logs) >= codes.count(0) + 1
    cited = [path.rpartition("/")[2] for path in end["after"]["cited"] if path]
    assert sorted(cited) == end["after"]["summaries"]
    assert len(end["after"]["outbox"]) == len(set(end["after"]["outbox"])) == len(logs)
    assert end["after"]["temporary"] == []
    assert sorted(code for _, code, _ in end["registry"]) == sorted(code for _, code, _ in logs)
    assert len(end["registry"]) == len(logs)


@pytest.mark.slow
def test_ten_starts_at_once_give_one_run_and_nine_clear_refusals(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    driver = DRIVER.with_name("ops_run_driver.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", str(driver), str(tmp_path), "hold"]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) for _ in range(10)]
    ready = {process.pid: process for process in started}
    refused: list[str] = []
    while len(ready) > 1:
        for process in list(ready.values()):
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            refused.append(process.communicate()[1].decode())
            assert process.returncode == 1
            del ready[process.pid]
    (last,) = ready.values()
    out, _ = last.communicate(b"\n\n\n", timeout=120)
    assert (last.returncode, out[:8]) == (0, b"running\n")
    assert all(f"another run holds the workspace: ctl ops, process {last.pid} on " in text for text in refused)
    assert len(refused) == 9
    assert len(list(workspace.ops_logs.iterdir())) == 1
