"""A weekly cycle killed at any system call leaves a workspace from which the next one continues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
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
        timeout=500,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("mode", "step"),
    [("half", "7"), *(pytest.param(mode, "1", marks=pytest.mark.slow) for mode in ("half", "before", "after"))],
)
def test_killed_at_every_call_the_workspace_stays_whole_and_the_next_run_continues(
    tmp_path: Path, mode: str, step: str
) -> None:
    found = kills(tmp_path, mode, step)
    assert [line["code"] for line in found[:-1]] == [-9] * (len(found) - 1)
    assert found[-1]["code"] == 100, "the last cycle runs to its end, so every call before it was a kill point"
    assert len(found) > 30 // int(step)
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


def stamped(text: str) -> datetime:
    return datetime.fromisoformat(text)


SAMPLE, SEEDS = ("10", "0"), [("100", str(seed)) for seed in range(1, 6)]


@pytest.mark.parametrize("by", ["kill", "terminate"])
@pytest.mark.parametrize(
    ("count", "seed"), [SAMPLE, *(pytest.param(*words, marks=pytest.mark.slow) for words in SEEDS)]
)
def test_random_signals_end_every_started_slot_exactly_once(tmp_path: Path, by: str, count: str, seed: str) -> None:
    *weeks, end = found = kills(tmp_path, by, count, seed)
    assert len(weeks) == int(count)
    codes = [line["code"] for line in weeks]
    # -15: before anything of ctl was in force, or after everything was
    assert set(codes) <= ({0, 2, -9} if by == "kill" else {0, 2, 143, -15})
    assert sum(code not in {0, 2} for code in codes) > int(count) // 3
    assert end["code"] == 0

    before: list[Any] = []
    for line in found:
        after = line["after"]["logs"]
        assert after[: len(before)] == before, "a log once written stays as it was"
        before = after
    after = end["after"]
    assert after["temporary"] == []
    allowed = {(0, None), (2, "GATE_MISMATCH"), (1, "RUN_INTERRUPTED") if by == "kill" else (143, "RUN_STOPPED")}
    assert {(code, error) for _, code, error in after["logs"]} <= allowed

    # every slot that was begun has ended, and was served by one cycle at most, whose verdict is the week's
    served: dict[str, int] = {}
    starts = [stamped(slot) for slot, *_ in end["slots"]]
    starts_at = stamped(FIRST).replace(second=0)
    for (timestamp, code, error), cut_short in zip(after["logs"], after["cut_short"], strict=True):
        begun = stamped(timestamp)
        (of,) = (start for start in starts if start <= begun < start + timedelta(days=7))
        if not cut_short:
            assert served.setdefault(of.isoformat(), code) == code
            week = (of - starts_at).days // 7
            assert error == "RUN_STOPPED" or code == (2 if week % 5 == 4 else 0)
    assert len(served) == after["cut_short"].count(False)
    assert {stamped(slot).isoformat(): code for slot, _, _, code in end["slots"] if code is not None} == served
    assert all(ended is not None for _, _, ended, _ in end["slots"])
    assert {line.get("again", 0) for line in weeks} <= {0, 2, 97}

    # what the logs cite is there; each session is settled once, and each end announced once
    cited = [path.rpartition("/")[2] for path in after["cited"] if path]
    assert len(set(cited)) == len(cited)
    assert set(cited) <= set(after["summaries"])
    assert end["ledger"] == sorted(set(end["ledger"]))
    ended = {timestamp for timestamp, _, error in after["logs"] if error != "RUN_INTERRUPTED"}
    assert {timestamp[:10] for timestamp, code, _ in after["logs"] if code == 0} <= {*end["ledger"]}
    assert len(after["outbox"]) == len(set(after["outbox"]))
    assert ended <= {*after["outbox"]}
    assert by == "kill" or ended == {*after["outbox"]}
    assert sorted(end["registry"]) == sorted(
        [stamped(timestamp).strftime("%Y%m%d_%H%M%S"), code, error] for timestamp, code, error in after["logs"]
    )


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
    out, _ = last.communicate(b"\n\n\n", timeout=300)
    assert (last.returncode, out[:8]) == (0, b"running\n")
    assert all(f"another run holds the workspace: ctl ops, process {last.pid} on " in text for text in refused)
    assert len(refused) == 9
    assert len(list(workspace.ops_logs.iterdir())) == 1
