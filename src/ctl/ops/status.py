"""How a workspace stands: the last cycles, each symbol beside its lock, the next slot, what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from ctl import sessions, store
from ctl.errors import CtlError
from ctl.model.data_report import DoctorFinding, DoctorReport
from ctl.model.registry import RunChange, RunComparison, RunRecord, Status, StatusSymbol
from ctl.model.run import OPS_ENDING, SUMMARY_ENDING, Ping
from ctl.ops import outbox, schedule, schedule_check
from ctl.store.lock import holder
from ctl.store.registry import Registry

SHOWN_RUNS: Final = 10
DRIFT_RUNS: Final = 13
_LOOK_BACK: Final = 60
_VERDICTS: Final = {"P": "OK", "W": "WARN", "M": "MISMATCH", "E": "ERROR", "S": "STOPPED", "I": "ERROR"}


def status(workspace: store.Workspace, registry: Registry, *, instant: datetime) -> Status:
    """The status at an instant. Real runs count; where there has been none, dry runs do."""
    found = registry.runs(limit=_LOOK_BACK, dry_run=False) or registry.runs(limit=_LOOK_BACK)
    last = next(iter(found), None)
    decided = [run for run in found if run.symbols]
    slot, missed, zone = _schedule(workspace, instant)
    problems = (*_lost(workspace, last), *schedule_check.problems(workspace))
    held = holder(workspace.lock_path)
    verdict = "NEVER" if last is None else _VERDICTS[last.letter]
    if held is not None:
        verdict = "RUNNING"
    elif missed is not None:
        verdict = "MISSED"
    elif verdict == "OK" and any(item.level == "mend" for item in problems):
        verdict = "WARN"
    return Status(
        simulated=workspace.simulated,
        verdict=verdict,
        last_run=last,
        next_slot=slot,
        zone=zone,
        missed_slot=missed,
        holder=None if held is None else held.text,
        symbols=_symbols(workspace, decided, instant),
        runs=tuple(reversed(found[:SHOWN_RUNS])),
        undelivered=len(outbox.names(outbox.folder_of(workspace))),
        last_ping=None if last is None else _last_ping(workspace, last),
        caps_hit=_caps_hit(workspace, found),
        problems=problems,
        next_command=next((item.command for item in problems if item.command), None) or _next(verdict),
    )


def compare(old: RunRecord, new: RunRecord) -> RunComparison:
    """What one run says otherwise than an earlier one, key by key; a symbol's keys are `ES.actual` and the like."""
    names = ("exit_code", "error", "gate_passed", "has_errors", "recommendation", "data_to", "profile")
    changes = [
        RunChange(name, getattr(old, name), getattr(new, name))
        for name in names
        if getattr(old, name) != getattr(new, name)
    ]
    for symbol in sorted({*old.symbols, *new.symbols}):
        before, after = old.symbols.get(symbol, {}), new.symbols.get(symbol, {})
        changes += [
            RunChange(f"{symbol}.{key}", before.get(key), after.get(key))
            for key in sorted({*before, *after})
            if before.get(key) != after.get(key)
        ]
    return RunComparison(old=old, new=new, changes=tuple(changes))


def _schedule(workspace: store.Workspace, instant: datetime) -> tuple[datetime | None, datetime | None, str]:
    """Next slot, the missed one, and the zone; without a schedule nothing."""
    try:
        found = schedule.standing(workspace, instant)
    except CtlError:  # none is installed, or its record is damaged: `ctl schedule status` says which
        return None, None, "UTC"
    return found.next_slot, found.last_slot if found.missed else None, found.installed.zone


def _symbols(workspace: store.Workspace, decided: Sequence[RunRecord], instant: datetime) -> tuple[StatusSymbol, ...]:
    if not decided:
        return ()
    newest = decided[0].symbols
    ends = {symbol: _day(item.get("data_to")) for symbol, item in newest.items()}
    known = max((end for end in ends.values() if end is not None), default=None)
    return tuple(
        StatusSymbol(
            symbol=symbol,
            now=str(item.get("actual")),
            locked=str(item.get("expected")),
            data_to=ends[symbol],
            late=_late(workspace, symbol, ends[symbol], known, instant),
            drift=tuple(run.symbols.get(symbol, {}).get("mean_drift") for run in reversed(decided[:DRIFT_RUNS])),
            most_drift=next((most for run in decided if (most := run.symbols.get(symbol, {}).get("most_drift"))), None),
            roll_to=item.get("roll_to"),
            roll_by=_day(item.get("roll_by")),
        )
        for symbol, item in newest.items()
    )


def _late(
    workspace: store.Workspace, symbol: str, end: date | None, known: date | None, instant: datetime
) -> int | None:
    """Sessions after the end of the data up to the last that is over; a simulated market stands still at its end."""
    config = workspace.symbols.get(symbol)
    if end is None or known is None or config is None:
        return None
    try:
        over = known if workspace.simulated else sessions.previous_session(config.calendar, instant.date())
        return 0 if over <= end else sessions.count_between(config.calendar, end + timedelta(days=1), over)
    except CtlError:  # a calendar that does not reach there
        return None


def _caps_hit(workspace: store.Workspace, runs: Sequence[RunRecord]) -> tuple[str, ...]:
    path = next((run.summary_path for run in runs if run.summary_path), None)
    try:
        risk = None if path is None else json.loads((workspace.root / Path(path)).read_bytes())["risk"]
        return () if risk is None else tuple(map(str, risk["caps_hit"]))
    except (OSError, ValueError, KeyError, TypeError):  # retention has removed it, or it is damaged: the run says more
        return ()


def _lost(workspace: store.Workspace, last: RunRecord | None) -> Iterator[DoctorFinding]:
    """The newest record is none that retention removes: where it is not there, older files were put in its place."""
    if last is None:
        return
    file = workspace.ops_logs / f"{last.name}{OPS_ENDING}"
    if last.kind == "run":
        file = workspace.run_summaries / f"{last.name}{SUMMARY_ENDING}"
    if not file.exists():
        text = f"{workspace.relative(file)} is not here any more: restore what came after the backup, or run again"
        yield DoctorFinding("mend", "records", "RECORDS_LOST", text, "ctl runs list")


def _last_ping(workspace: store.Workspace, last: RunRecord) -> Ping | None:
    """The last signal of a run to the dead-man's switch, by its log; None where it sent none."""
    from pydantic import TypeAdapter

    try:
        log = json.loads((workspace.ops_logs / f"{last.name}{OPS_ENDING}").read_bytes())
        pings = TypeAdapter(tuple[Ping, ...]).validate_python(log["pings"])
    except (OSError, ValueError, KeyError, TypeError):  # a run without a cycle, or retention has removed its log
        return None
    return pings[-1] if pings else None


def doctor(workspace: store.Workspace, symbols: Sequence[str], instant: datetime) -> DoctorReport:
    """What is amiss with the workspace's files, and with its schedule."""
    from ctl.flows import data_report

    found, broken = data_report.doctor(workspace, symbols, instant), schedule_check.problems(workspace)
    fine = found.ok if broken or schedule.installed(workspace) is None else (*found.ok, "schedule")
    return replace(found, findings=(*broken, *found.findings), ok=fine)


def _next(verdict: str) -> str:
    commands = {"OK": "ctl orders", "WARN": "ctl doctor", "MISMATCH": "ctl gate", "ERROR": "ctl doctor"}
    return commands.get(verdict, "ctl ops" if verdict != "RUNNING" else "ctl status")


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
