"""Kills weekly cycles at the system calls that change the disk, and resumes them.

`ops_kill_driver.py FOLDER before|half|after` kills one cycle at each call in turn, each in a workspace of
its own; `ops_kill_driver.py FOLDER random COUNT` kills COUNT cycles of one workspace at random calls, and
`ops_kill_driver.py FOLDER terminate COUNT` sends them SIGTERM, at a random call or at a random time. It
prints one JSON line per kill. Cycles run in forked children, so that the parent pays for the imports once.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx  # noqa: F401 - imported by a delivery, and so here once
import stamina  # noqa: F401
from ops_workspace import INSTANT, make_up, make_workspace

from ctl import ops_notifier, stopping, store
from ctl.ops import weekly
from ctl.ops.retention import RetentionLimits
from ctl.store.registry import Registry
from ctl.strategy import metrics, registry  # noqa: F401 - imported by the run, and so here once

CALLS = ("write", "fsync", "replace", "link", "unlink", "ftruncate", "pwrite")
DEAD_URL = "http://127.0.0.1:9/services/abcdefghijklmnop"
LIMITS = ops_notifier.DeliveryLimits(attempts=1, connect=0.5, read=0.5, total=5.0)


def cycle(workspace: store.Workspace, week: int) -> int:
    options = weekly.WeeklyOptions(notify="webhook", webhook_url=DEAD_URL, retention=RetentionLimits(days=None))
    instant = INSTANT + timedelta(weeks=week)
    return weekly.run_weekly(workspace, options, instant=instant, limits=LIMITS).log.exit_code


def die_at(number: int, mode: str, by: signal.Signals = signal.SIGKILL) -> Callable[[], int]:
    """Let the process signal itself before, after or halfway through its `number`-th call; returns the counter."""
    count = 0

    def wrap(name: str, real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                if mode == "half" and name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                elif mode == "after":
                    result = real(*args, **options)
                    os.kill(os.getpid(), by)
                    return result
                os.kill(os.getpid(), by)
            return real(*args, **options)

        return call

    for name in CALLS:
        setattr(os, name, wrap(name, getattr(os, name)))
    return lambda: count


def forked(work: Callable[[], int]) -> int:
    """The exit code of `work` in a child; negative for the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(workspace: store.Workspace, number: int, mode: str, week: int = 0) -> int:
    def work() -> int:
        count = die_at(number, mode)
        code = cycle(workspace, week)
        return 100 if code == 0 and count() < number else 98

    return forked(work)


def state(workspace: store.Workspace) -> dict[str, Any]:
    """What lies in the workspace; raises where a file cannot be read."""
    logs = [json.loads(path.read_bytes()) for path in sorted(workspace.ops_logs.glob("*_ops.json"))]
    summaries = sorted(workspace.run_summaries.glob("*_portfolio_run.json"))
    trades = [json.loads(path.read_bytes())["trades"] for path in summaries]
    for item in trades:
        data = (workspace.run_summaries / item["file"]).read_bytes()
        assert data[:4] == data[-4:] == b"PAR1"
    folder = workspace.root / ".ctl" / "outbox"
    outbox = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))] if folder.exists() else []
    return {
        "logs": [[log["timestamp"], log["exit_code"], log["error"] and log["error"]["code"]] for log in logs],
        "summaries": [path.name for path in summaries],
        "cited": [log["summary_path"] for log in logs],
        "outbox": [item["meta"]["timestamp"] for item in outbox],
        "temporary": [
            path.name
            for folder in (workspace.ops_logs, workspace.run_summaries, workspace.root / ".ctl" / "outbox")
            if folder.exists()
            for path in folder.iterdir()
            if path.name.endswith(".tmp")
        ],
    }


def random_kills(folder: Path, count: int) -> None:
    chance = random.Random(20260302)  # noqa: S311 - a repeatable choice of kill points
    workspace = make_workspace(folder)
    for week in range(count):
        code = killed(workspace, chance.randint(1, 45), chance.choice(["before", "half", "after"]), week)
        print(json.dumps({"week": week, "code": code, "after": state(workspace)}), flush=True)
    print(json.dumps({"week": count, "code": forked(lambda: cycle(workspace, count)), "after": state(workspace)}))


def terminated(workspace: store.Workspace, chance: random.Random, week: int) -> int:
    """The exit code of a cycle that SIGTERM reaches at some call, or at some time, or not at all."""
    number, mode = chance.randint(1, 60), chance.choice(["before", "after"])
    seconds = chance.uniform(0.0, 0.08) if chance.random() < 0.5 else None

    def work() -> int:
        if seconds is None:
            die_at(number, mode, signal.SIGTERM)
        else:
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()
        try:
            with stopping.stoppable():
                return cycle(workspace, week)
        except stopping.Stopped as stop:
            return stop.exit_code

    return forked(work)


def random_terminations(folder: Path, count: int) -> None:
    chance = random.Random(20260302)  # noqa: S311 - a repeatable choice
    workspace = make_workspace(folder)
    for week in range(count):
        print(json.dumps({"week": week, "code": terminated(workspace, chance, week)}), flush=True)
    code = forked(lambda: cycle(workspace, count))
    held = Registry(workspace)
    held.sync()
    rows = [[run.name, run.exit_code, run.error] for run in held.runs(limit=10 * count)]
    print(json.dumps({"week": count, "code": code, "after": state(workspace), "registry": rows}))


def main() -> None:
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    make_up()
    registry.find(registry.DEFAULT)
    if mode in {"random", "terminate"}:
        (random_kills if mode == "random" else random_terminations)(folder, int(sys.argv[3]))
        return
    for number in range(1, 1000):
        here = folder / str(number)
        here.mkdir()
        workspace = make_workspace(here)
        code = killed(workspace, number, mode)
        after_kill = state(workspace)
        resumed = forked(lambda workspace=workspace: cycle(workspace, 1))  # type: ignore[misc]
        line = {"number": number, "code": code, "after": after_kill, "resumed": resumed, "end": state(workspace)}
        print(json.dumps(line), flush=True)
        shutil.rmtree(here)
        if code == 100:
            return


if __name__ == "__main__":
    main()
