"""`ctl status` and `ctl runs`: what the run registry says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.screens import Column
from ctl.cli.workspace_commands import open_workspace
from ctl.errors import EXIT_OK, UsageError
from ctl.model.findings import in_full, in_points
from ctl.model.printed import RunShown

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.model.registry import RunComparison, RunRecord, Status
    from ctl.model.run import Ping
    from ctl.store import Workspace
    from ctl.store.registry import Registry


@contextmanager
def opened(workspace: Workspace) -> Iterator[Registry]:
    """The workspace's registry with what its files say by now."""
    from ctl.store.registry import URL_VARIABLE, Registry

    registry = Registry(workspace, url=os.environ.get(URL_VARIABLE) or None)
    try:
        registry.sync()
        yield registry
    finally:
        registry.close()


def status(workspace_path: Path | None, *, json: bool) -> int:
    """How the workspace stands."""
    from ctl.ops import status as standing

    instant, workspace = clock.now(), open_workspace(workspace_path)
    with opened(workspace) as registry:
        found = standing.status(workspace, registry, instant=instant)
    output.answer(found, lambda on: _status_lines(found, on), json=json)
    return EXIT_OK


def listed(
    workspace_path: Path | None, *, limit: int, dry_run: bool | None, failed: bool, everywhere: bool, json: bool
) -> int:
    """The newest runs."""
    from ctl.model.registry import RunList

    workspace = open_workspace(workspace_path)
    with opened(workspace) as registry:
        runs = registry.runs(limit=limit, dry_run=dry_run, failed=failed, everywhere=everywhere)
    columns = [
        Column("run"), Column("began (UTC)"), Column("mode"), Column("ended"), Column("recommendation", least=80),
        Column("data to"), Column("seconds", right=True, least=100),
    ]  # fmt: skip
    rows = [
        [
            run.name, f"{run.begun:%Y-%m-%d %H:%M}", "dry-run" if run.dry_run else "real", _ended(run),
            run.recommendation or "-", _text(run.data_to), f"{run.seconds:.1f}",
        ]
        for run in runs
    ]  # fmt: skip
    head, following = f"RUNS: {len(runs)} of {workspace.cycle_id}, newest first", "runs show last" if runs else "ops"
    output.answer(
        RunList(runs=runs),
        lambda on: [head, "", *screens.table(columns, rows, on), f"next: ctl {following}"],
        json=json,
    )
    return EXIT_OK


def show(workspace_path: Path | None, name: str, *, json: bool) -> int:
    """One run."""
    workspace = open_workspace(workspace_path)
    with opened(workspace) as registry:
        run = _found(registry, name)
    output.answer(RunShown(run=run), lambda on: _run_lines(run, on), json=json)
    return EXIT_OK


def _run_lines(run: RunRecord, on: Terminal) -> list[str]:
    mode = "dry-run" if run.dry_run else "real"
    lines = [*screens.parts([f"RUN: {_ended(run)}", run.name, mode, f"data to {_text(run.data_to)}"], on), ""]
    columns = [Column("symbol"), Column("now"), Column("locked"), Column("data to"), Column("drift", right=True)]
    rows = [
        [
            symbol,
            str(item.get("actual")),
            str(item.get("expected")),
            _text(item.get("data_to")),
            in_points(item.get("mean_drift")),
        ]
        for symbol, item in run.symbols.items()
    ]
    if rows:
        lines += [*screens.table(columns, rows, on), ""]
    lines += screens.facts(
        {
            "Portfolio": run.recommendation or "",
            "Error": run.error or "",
            "Profile": "" if run.profile is None else run.profile[:12],
            "Summary": run.summary_path or "",
            "Where": run.workspace,
        },
        on,
    )
    return [*lines, "next: ctl runs list"]


def compare(workspace_path: Path | None, old: str, new: str, *, json: bool) -> int:
    """What one run says otherwise than another."""
    from ctl.ops import status as standing

    workspace = open_workspace(workspace_path)
    with opened(workspace) as registry:
        found = standing.compare(_found(registry, old), _found(registry, new))
    output.answer(found, lambda on: _compared_lines(found, on), json=json)
    return EXIT_OK


def _compared_lines(found: RunComparison, on: Terminal) -> list[str]:
    count = f"{len(found.changes)} values differ" if found.changes else "no difference"
    lines = [f"RUNS: {count}   {found.old.name} -> {found.new.name}"]
    if found.changes:
        rows = [[f"~ {item.key}", f"{_text(item.old)} -> {_text(item.new)}"] for item in found.changes]
        lines += ["", *screens.table([Column(""), Column("")], rows, on)]
    return [*lines, f"next: ctl runs show {found.new.name}"]


def _found(registry: Registry, name: str) -> RunRecord:
    run = registry.find(name)
    if run is None:
        raise UsageError("no such run", found=name, expected="a name of `ctl runs list`, or last")
    return run


def _status_lines(found: Status, on: Terminal) -> list[str]:
    last = found.last_run
    ran = "" if last is None else f"last run {_local(last.begun, found.zone)} {_ended(last)}"
    following = "no run scheduled" if found.next_slot is None else f"next {_local(found.next_slot, found.zone)}"
    missed = "" if found.missed_slot is None else f"missed {_local(found.missed_slot, found.zone)}"
    verdict = "NEVER RUN" if found.verdict == "NEVER" else found.verdict
    simulated = "simulated market" if found.simulated else ""
    lines = screens.parts([f"STATUS: {verdict}", ran, missed, following, simulated], on)
    if found.holder is not None:
        lines += screens.wrapped(f"running: {found.holder}", on)
    if found.symbols:
        count = max(len(item.drift) for item in found.symbols)
        columns = [
            Column(""), Column("now"), Column("locked"), Column("data to"), Column("late", right=True),
            Column(f"drift, {count} run{'s' if count != 1 else ''}", least=70), Column("rolls by", least=60),
        ]  # fmt: skip
        rows = [
            [
                item.symbol, item.now, item.locked, _text(item.data_to), _text(item.late),
                _curve(item.drift, item.most_drift, on),
                "-" if item.roll_by is None else f"{item.roll_to or ''} {item.roll_by}".strip(),
            ]
            for item in found.symbols
        ]  # fmt: skip
        lines += ["", *screens.table(columns, rows, on)]
    lines += ["", *screens.facts(_status_facts(found), on)]
    return [*lines, f"next: {found.next_command}"]


def _status_facts(found: Status) -> dict[str, str]:
    letters = {"P": "pass", "W": "warn", "M": "mismatch", "E": "error", "S": "stopped", "I": "interrupted"}
    shown = "".join(run.letter for run in found.runs)
    meanings = ", ".join(f"{letter} {letters[letter]}" for letter in letters if letter in shown)
    worst = next((run for run in reversed(found.runs) if run.letter not in "PW"), None)
    why = "" if worst is None or worst.error is None else f" ({worst.begun:%Y-%m-%d}: {worst.error})"
    ping = "" if found.last_ping is None else f"{_pinged(found.last_ping, found.zone)}; "
    return {
        "runs": f"{shown}   {meanings}{why}" if shown else "none",
        "messages": f"{found.undelivered} undelivered; {ping}caps hit: {', '.join(found.caps_hit) or 'none'}",
        **output.finding_facts(found.problems),
    }


def _pinged(ping: Ping, zone: str) -> str:
    at = _local(ping.at, zone).split()[-1]
    return f"last ping {at}" if ping.error is None else f"last ping failed at {at} ({ping.error})"


def _curve(drift: Sequence[float | None], most: float | None, on: Terminal) -> str:
    """Between both ends, on the scale of what the lock allows: full is refused."""
    known = [value for value in drift if value is not None]
    if not known:
        return "-"
    curve = screens.sparkline(drift, 0.0, max(*known, most or 0.0), on)
    return f"{in_points(known[0])} {curve} {in_points(known[-1])}"


def _ended(run: RunRecord) -> str:
    return {
        "P": "PASS", "W": "WARN", "M": "MISMATCH", "S": "STOPPED", "I": "INTERRUPTED"
    }.get(run.letter, run.error or "ERROR")  # fmt: skip


def _local(instant: datetime, zone: str) -> str:
    from ctl.ops import schedule

    return f"{instant.astimezone(schedule.zone_of(zone)):%a %Y-%m-%d %H:%M}"


def _text(value: object) -> str:
    if isinstance(value, float):
        return in_full(value)
    return "-" if value is None else str(value)
