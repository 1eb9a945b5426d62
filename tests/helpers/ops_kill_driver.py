"""Kills weekly cycles at the system calls that change the disk, and resumes them.

`ops_kill_driver.py FOLDER before|half|after STEP` kills one cycle at every STEP-th call, each in a workspace of
its own; `ops_kill_driver.py FOLDER kill|terminate COUNT SEED` sends SIGKILL or SIGTERM to COUNT scheduled cycles of one
workspace, a slot each, at a random call or at a random time, starts some of them again as a person does, and at last
runs one in peace. It prints one JSON line per cycle. Cycles run in forked children, so that the parent pays for the
imports once; one that does not end within four minutes says where it hangs, and fails.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import alembic.command  # noqa: F401 - imported by a claim, and so here once
import httpx  # noqa: F401 - imported by a delivery, and so here once
import sqlalchemy as sa
import stamina  # noqa: F401
from ops_workspace import BOARD, INSTANT, make_up, make_workspace

from ctl import ops_notifier, run_orchestrator, stopping, store
from ctl.errors import SlotTaken
from ctl.flows import paper
from ctl.model.documents import document
from ctl.model.run import is_cut_short
from ctl.ops import registered, schedule, weekly
from ctl.ops.retention import RetentionLimits
from ctl.ops.schedule import Installed
from ctl.store.registry import Registry
from ctl.strategy import metrics, registry  # noqa: F401 - imported by the run, and so here once
from ctl.trading import paper as ledger

CALLS = ("write", "fsync", "replace", "link", "unlink", "ftruncate", "pwrite")
DEAD_URL = "http://127.0.0.1:9/services/abcdefghijklmnop"
LIMITS = ops_notifier.DeliveryLimits(attempts=1, connect=0.5, read=0.5, total=5.0)
HUNG = 240

# A signal loses nothing that was written: only a power cut asks for syncs, and on a busy disk each can take seconds.
os.fsync = lambda handle: None  # type: ignore[assignment]  # still one of the calls


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
                    written = real(args[0], bytes(args[1])[: len(args[1]) // 2])
                    os.kill(os.getpid(), by)
                    return written
                if mode == "after":
                    try:
                        return real(*args, **options)
                    finally:
                        os.kill(os.getpid(), by)
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
            faulthandler.dump_traceback_later(HUNG, exit=True)
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
        "cut_short": [is_cut_short(log) for log in logs],
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


# ---------------------------------------------------------------- many weeks of one workspace

SLOT_TAKEN = 97
REFUSED_WEEK = 5
"""Every fifth week the gate refuses."""


def installed(workspace: store.Workspace) -> None:
    """A schedule of Mondays at five, as `ctl schedule install` leaves it."""
    state = Installed("cron", "ctl-x", "Mon 05:00", "UTC", ("ctl",), (), "2026-01-01T00:00:00+00:00")
    store.write_atomic(workspace.root / schedule.STATE, store.json_bytes(document(state)))


def make_up_paper() -> None:
    """Let every run settle one session of ES in the paper ledger, by the ledger's own writing."""

    def settle(workspace: store.Workspace, *_: Any, instant: datetime, **__: Any) -> int:
        bar = ledger.Bar(instant.date(), "ESH26", 10.0, 11.0, 9.0, 10.0, 0.0, "5" * 64)
        entry: Any = SimpleNamespace(symbol="ES", slippage_per_side=0.25, tick=0.25)
        new = paper.last_sessions(workspace).get("ES", date.min) < instant.date()
        return paper.settle(workspace, [paper.Following(entry, (paper.Close(bar),) * new)], {}, instant=instant)

    run_orchestrator.next_open.settle_paper = settle  # type: ignore[assignment]
    governed = SimpleNamespace(orders=None, risk=None, curve=None, verdicts={})
    run_orchestrator._govern = lambda *_, **__: governed  # type: ignore[assignment, return-value]


def slot(workspace: store.Workspace, week: int, *, hours: int = 0) -> int:
    """Serve a week's slot, `hours` after its time; the cycle's exit code."""
    make_up(board={**BOARD, "ES": "REJECT"} if week % REFUSED_WEEK == REFUSED_WEEK - 1 else None)
    instant = INSTANT + timedelta(weeks=week, hours=hours)
    options = weekly.WeeklyOptions(notify="webhook", webhook_url=DEAD_URL, retention=RetentionLimits(days=None))
    try:
        return registered.run_registered(
            workspace,
            lambda: weekly.run_weekly(workspace, options, instant=instant, limits=LIMITS),
            instant=instant, url=None, scheduled=True,
        ).log.exit_code  # fmt: skip
    except SlotTaken:
        return SLOT_TAKEN


def hit(workspace: store.Workspace, chance: random.Random, by: signal.Signals, week: int) -> int:
    """The exit code of a cycle that a signal reaches at some call, or at some time, or not at all."""
    number, mode = chance.randint(1, 75), chance.choice(["before", "half", "after"])
    seconds = chance.uniform(0.0, 0.15) if chance.random() < 0.5 else None

    def work() -> int:
        if seconds is None:
            die_at(number, mode, by)
        else:
            threading.Timer(seconds, os.kill, (os.getpid(), by)).start()
        try:
            with stopping.stoppable():
                return slot(workspace, week)
        except stopping.Stopped as stop:
            return stop.exit_code

    return forked(work)


def many_weeks(folder: Path, by: signal.Signals, count: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice
    workspace = make_workspace(folder)
    installed(workspace)
    make_up_paper()
    for week in range(count):
        line: dict[str, Any] = {"week": week, "code": hit(workspace, chance, by, week), "after": state(workspace)}
        if line["code"] in {1, 99}:
            sys.exit(f"week {week}: the cycle hung or failed: {line}")
        if chance.random() < 0.3:
            line["again"] = forked(lambda week=week: slot(workspace, week, hours=1))  # type: ignore[misc]
        print(json.dumps(line), flush=True)
    count += count % REFUSED_WEEK == REFUSED_WEEK - 1  # the last week passes
    line = {"week": count, "code": forked(lambda: slot(workspace, count)), "after": state(workspace)}
    held = Registry(workspace)
    held.sync()
    line["registry"] = [[run.name, run.exit_code, run.error] for run in held.runs(limit=10 * count)]
    with sa.create_engine(f"sqlite:///{workspace.root}/.ctl/registry.sqlite").connect() as connection:
        line["slots"] = [
            list(row) for row in connection.execute(sa.text("SELECT slot, begun, ended, exit_code FROM slots"))
        ]
    line["ledger"] = [json.loads(text)["session"] for text in workspace.paper_ledger.read_text().splitlines()]
    paper.ledger_head(workspace)  # raises where a summary cites another ledger
    print(json.dumps(line), flush=True)


def main() -> None:
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    make_up()
    registry.find(registry.DEFAULT)
    if mode in {"kill", "terminate"}:
        by = signal.SIGKILL if mode == "kill" else signal.SIGTERM
        many_weeks(folder, by, int(sys.argv[3]), int(sys.argv[4]))
        return
    for number in range(1, 1000, int(sys.argv[3])):
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
