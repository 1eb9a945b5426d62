"""What years of records cost the start of a run: a workspace with 100,000 of them beside an empty one.

The start is a dry run: gate and plan. Beside it a dry weekly cycle, whose retention says what it would remove. The
records are copies of one cycle's, under names of their own; the decisions are a chain as `ctl decide` makes it; the
messages wait for a webhook.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.measure import Figure, Timed, ratio, rounds

RECORDS: Final = 100_000
DECISIONS: Final = 10_000
MESSAGES: Final = 10_000
MOST: Final = 1.0
"""Seconds that a run may take beyond that of an empty workspace."""


def figures(repeats: int) -> list[Figure]:
    """The lines of this section: processor seconds of the process, the records' beyond those of the empty workspace."""
    from ctl.flows import demo

    with tempfile.TemporaryDirectory() as scratch:
        empty, full = Path(scratch) / "empty", Path(scratch) / "full"
        demo.fill(empty)
        _ctl("ops", empty)()
        shutil.copytree(empty, full)
        fill(full)
        return [
            _figure("a dry run", repeats, _ctl("run", empty, "--dry-run"), _ctl("run", full, "--dry-run"), MOST),
            _figure("a dry weekly cycle, its retention too", repeats, _ctl("ops", empty, "--dry-run"),
                    _ctl("ops", full, "--dry-run"), None),
        ]  # fmt: skip


def _figure(what: str, repeats: int, empty: Timed, full: Timed, most: float | None) -> Figure:
    seconds = rounds({"empty": empty, "full": full}, repeats)
    more = statistics.median(after - before for before, after in zip(seconds["empty"], seconds["full"], strict=True))
    return Figure(
        job=f"{what}: {RECORDS:,} records, {DECISIONS:,} decisions, {MESSAGES:,} messages",
        ours="more than empty",
        seconds=more,
        peer="the same workspace without them",
        peer_seconds=statistics.median(seconds["empty"]),
        ratio=ratio(seconds["full"], seconds["empty"]),
        rate=f"{more:,.2f} s",
        most=most,
    )


def fill(folder: Path) -> None:
    """Give a workspace that has run once its years of records."""
    from ctl import clock, store
    from ctl.model.notifications import Message
    from ctl.ops import outbox, weekly
    from ctl.store import decision_log

    workspace = store.Workspace.load(folder)
    newest = datetime.now(UTC) - timedelta(days=1)
    for kind, ending in ((workspace.ops_logs, "_ops.json"), (workspace.run_summaries, "_portfolio_run.json")):
        first = next(iter(sorted(kind.glob(f"*{ending}")))).read_bytes()
        for number in range(RECORDS // 2):
            target = kind / f"{clock.stamp(newest - timedelta(hours=number))}{ending}"
            if number % 10_000 == 0:  # a file has only so many names
                target.write_bytes(first)
                source = target
            else:
                os.link(source, target)
    decisions = [decision_log.Decision(decision=f"decision {number}") for number in range(DECISIONS)]
    decision_log.append(workspace, *decisions)
    message = Message("gate_failure", "alert", "[ALERT] made up\nnext: ctl gate", {"kind": "gate_failure"})
    one = outbox.put(weekly.outbox_folder(workspace), message, instant=newest)
    for number in range(MESSAGES - 1):
        shutil.copyfile(one.path, one.path.with_name(f"{one.path.name[:16]}{number:032x}.json"))


def _ctl(command: str, folder: Path, *options: str) -> Timed:
    """A command in a process of its own; its processor seconds. A webhook that nothing answers is where it notifies."""
    words = [sys.executable, "-m", "ctl", command, *options, "--workspace", str(folder)]
    if command == "ops":
        words += ["--notify", "webhook", "--webhook-url", "http://127.0.0.1:9/"]

    def run() -> float:
        child = os.fork()
        if child == 0:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            os.execv(words[0], words)  # noqa: S606 - this very interpreter
        _, status, usage = os.wait4(child, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise RuntimeError(f"{' '.join(words)}: exit {os.waitstatus_to_exitcode(status)}")
        return usage.ru_utime + usage.ru_stime

    return run
