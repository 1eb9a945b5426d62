"""A lock killed at any system call: the old profile is in force, or the new one is completely there and cited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).resolve().parents[1] / "helpers" / "lock_kill_driver.py"
FIRST, BOTH = [["D-0001", 1]], [["D-0001", 1], ["D-0002", 2]]
OLD, NEW = ["WATCH", "ACCEPT", "WATCH"], ["ACCEPT", "ACCEPT", "WATCH"]


def kills(folder: Path, mode: str, step: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(DRIVER), str(folder), mode, str(step)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


# Every call is over a minute of forked locks and their syncs: slow. The fast sample takes one call in eleven.
@pytest.mark.parametrize(
    ("mode", "step"),
    [("half", 11), *(pytest.param(mode, 1, marks=pytest.mark.slow) for mode in ("half", "before", "after"))],
)
def test_killed_at_every_call_one_whole_profile_is_in_force(tmp_path: Path, mode: str, step: int) -> None:
    found = kills(tmp_path, mode, step)
    assert [line["code"] for line in found[:-1]] == [-9] * (len(found) - 1)
    assert found[-1]["code"] == 100, "the last lock runs to its end, so every call before it was a kill point"
    assert len(found) > 40 // step
    switched = [line["after"]["in_force"] for line in found]
    assert switched == sorted(switched)
    assert {*switched} == {1, 2}
    for line in found:
        before, after = line["before"], line["after"]
        assert (after["problems"], after["refused"]) == ([], []), "the next run goes on"
        assert after["statuses"] == (OLD if after["in_force"] == 1 else NEW)
        # the old version is never touched
        assert after["profiles"]["operating_profile_v1.yaml"] == before["profiles"]["operating_profile_v1.yaml"]
        assert {*after["profiles"]} <= {"operating_profile_v1.yaml", "operating_profile_v2.yaml"}
        assert after["entries"] in (FIRST, BOTH)
        # what an entry cites is there, and nothing is in force uncited
        assert after["entries"] == (FIRST if after["in_force"] == 1 else BOTH)
        if after["in_force"] == 2:
            assert "operating_profile_v2.yaml" in after["profiles"]

        # the same lock again goes on from where the kill left it: nothing twice
        code, again = line["again"]
        assert (code, again["problems"], again["notes"], again["temporary"]) == (0, [], 0, [])
        assert (again["in_force"], again["entries"], again["refused"]) == (2, BOTH, [])
        assert [*again["profiles"]] == ["operating_profile_v1.yaml", "operating_profile_v2.yaml"]

        # a lock a week later leaves what was written alone: it takes the next free version, or has nothing to lock
        code, later = line["later"]
        written = after["profiles"]
        assert (code, later["problems"], later["notes"], later["temporary"]) == (0, [], 0, [])
        assert {name: later["profiles"][name] for name in written} == written
        new = [] if after["in_force"] == 2 else [[f"D-{len(after['entries']) + 1:04d}", after["taken"] + 1]]
        assert later["entries"] == [*after["entries"], *new]
        assert later["in_force"] == later["entries"][-1][1]
