"""A disk that is full from any write of a weekly cycle on: it says so, loses nothing, and the next cycle is whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import MadeUp, make_workspace

from ctl import store
from ctl.model.notifications import DeliveryLimits
from ctl.store.files import TEMPORARY

MOST_WRITES = 40


@contextmanager
def full_from(number: int, patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """From the `number`-th file that is written on, half of each reaches the disk; the names of those that failed."""
    count, failed = 0, list[str]()
    real_open, real_write = os.open, os.write
    names: dict[int, str] = {}

    def opened(path: Any, *args: Any, **options: Any) -> int:
        handle = real_open(path, *args, **options)
        names[handle] = os.path.basename(os.fspath(path))  # noqa: PTH119
        return handle

    def write(handle: int, data: Any) -> int:
        nonlocal count
        if not TEMPORARY.fullmatch(names.get(handle, "")):
            return real_write(handle, data)
        count += 1
        if count >= number:
            failed.append(names[handle])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(handle, data)

    with patch.context() as within:
        within.setattr(os, "open", opened)
        within.setattr(os, "write", write)
        yield failed


def records(workspace: store.Workspace) -> dict[str, Any]:
    """What lies there; raises where a file cannot be read."""
    logs = [json.loads(path.read_bytes()) for path in sorted(workspace.ops_logs.glob("*_ops.json"))]
    summaries = sorted(workspace.run_summaries.glob("*.json"))
    for path in summaries:
        json.loads(path.read_bytes())
    cited = [log["summary_path"] for log in logs if log["summary_path"]]
    assert set(cited) <= {workspace.relative(path) for path in summaries}
    waiting = sorted((workspace.root / ".ctl" / "outbox").glob("*.json"))
    for path in waiting:
        json.loads(path.read_bytes())
    return {
        "codes": sorted(log["exit_code"] for log in logs),
        "summaries": len(summaries),
        "waiting": len(waiting),
        "temporary": [path.name for path in workspace.root.rglob("*") if TEMPORARY.fullmatch(path.name)],
    }


def test_full_from_any_write_on_it_says_so_and_the_next_cycle_is_whole(
    ctl: Callable[..., Any], tmp_path: Path, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTL_OPS_WEBHOOK_URL", "http://127.0.0.1:9/services/abcdefghijklmnop")
    monkeypatch.setattr("ctl.ops.weekly.DeliveryLimits", lambda: DeliveryLimits(attempts=1, total=5.0))
    codes = []
    for number in range(1, MOST_WRITES):
        (tmp_path / str(number)).mkdir()
        workspace = make_workspace(tmp_path / str(number))
        words = ("ops", "-w", workspace.root, "--notify", "webhook")
        with full_from(number, monkeypatch) as failed:
            full = ctl(*words)
        after = records(workspace)
        assert after["temporary"] == []
        if not failed:
            break
        lines = full.err.splitlines()
        assert any("No space left on device" in line for line in lines)
        assert len(lines) == len(set(lines)), "nothing is said twice"
        assert after["codes"] in ([], [full.code])
        codes.append(full.code)
        # with room again the next cycle is whole, and what was there still is
        assert ctl(*words).code == 0
        end = records(workspace)
        assert end["codes"] == sorted([*after["codes"], 0])
        assert (end["summaries"], end["waiting"]) == (after["summaries"] + 1, after["waiting"] + 1)
        assert end["temporary"] == []
    # until the run is on record a full disk is an error; after it, what could not be noted of the delivery is a warning
    assert codes == sorted(codes, reverse=True)
    assert {*codes} == {0, 1}
    assert len(codes) > 5
