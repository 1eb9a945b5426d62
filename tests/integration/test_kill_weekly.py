"""A weekly cycle killed at any system call leaves a workspace from which the next one continues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
