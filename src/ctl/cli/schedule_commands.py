"""`ctl schedule`: the weekly slot in cron, systemd or launchd."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.workspace_commands import open_workspace
from ctl.errors import EXIT_OK, UsageError
from ctl.model.documents import document
from ctl.model.printed import NotDue

if TYPE_CHECKING:
    from datetime import datetime

    from ctl.cli.screens import Terminal
    from ctl.ops.schedule import Slot, Standing


def install(
    workspace_path: Path | None, kinds: Sequence[Any], *, at: str, tz: str | None, notify: str, json: bool
) -> int:
    """Install the slot; what the machine does not let us switch on is said as commands."""
    from ctl.ops import schedule

    if len(kinds) != 1:
        raise UsageError(
            "name one scheduler", found=", ".join(kinds) or "none", expected="--cron, --systemd or --launchd"
        )
    instant, workspace = clock.now(), open_workspace(workspace_path)
    slot = schedule.parse_slot(at, tz or schedule.machine_zone())
    ops = ("ops", "--scheduled", "--notify", notify, "--workspace", str(workspace.root))
    command = (sys.executable, "-m", "ctl", *ops)
    installed, by_hand = schedule.install(
        kinds[0], slot, workspace, command, home=schedule.home_folder(), instant=instant
    )
    made = schedule.Changed(done="installed", name=installed.name, schedule=installed, by_hand=tuple(by_hand))
    told = ["SCHEDULE: OK, installed", f"{installed.kind}, {slot.at} {slot.zone}"]
    told.append(f"next {_local(slot.next(instant), slot)}")
    secrets = f"{schedule.home_folder() / schedule.ENVIRONMENT}, e.g. CTL_OPS_WEBHOOK_URL=..."
    facts = {"Written": ", ".join(installed.files), "Secrets": secrets}
    rest = ["", "Run by hand, this machine did not let us:", *(f"  {line}" for line in by_hand)] if by_hand else []
    rest.append("next: ctl schedule status")
    output.answer(made, lambda on: [*screens.parts(told, on), "", *screens.facts(facts, on), *rest], json=json)
    return EXIT_OK


def show(workspace_path: Path | None, *, json: bool) -> int:
    """Print the units as they stand on disk, or the lines that cron has."""
    from ctl.ops import schedule

    workspace = open_workspace(workspace_path)
    installed = schedule.read(workspace)
    texts = {path: Path(path).read_text() if Path(path).is_file() else None for path in installed.files}
    if installed.kind == "cron":
        written = schedule.units(
            "cron", installed.slot, installed.name, installed.command, workspace.root, schedule.home_folder()
        )
        texts = {str(path): text for path, text in written.items()}
    missing = [path for path, text in texts.items() if text is None]
    state = f"ERROR, {len(missing)} missing" if missing else "OK"
    lines = [f"SCHEDULE: {state}   {installed.kind}, {installed.at} {installed.zone}"]
    for path, text in texts.items():
        lines += ["", f"# {path}", *("# missing" if text is None else text.rstrip()).splitlines()]
    lines += ["", f"next: {installed.again if missing else 'ctl schedule status'}"]
    output.answer(schedule.Units(scheduler=installed.kind, units=texts), lambda _: lines, json=json)
    return output.ended(f"{path} is missing; {installed.again}" for path in missing)


def status(workspace_path: Path | None, *, json: bool) -> int:
    """Say last run, last and next slot; exit 1 where a slot was missed, or something keeps it from running."""
    from ctl.ops import schedule_check

    found = schedule_check.standing(open_workspace(workspace_path), clock.now())
    output.answer(found, lambda on: _standing_lines(found, on), json=json)
    missed = [f"the slot of {_local(found.last_slot, found.installed.slot)} was missed"] if found.missed else []
    return output.ended([*missed, *(f"{item.code}: {item.text}" for item in found.problems if item.level == "mend")])


def remove(workspace_path: Path | None, *, name: str | None, json: bool) -> int:
    """Take the schedule away; with a name, the units that a workspace which is gone left behind."""
    from ctl.ops import schedule, schedule_check

    home = schedule.home_folder()
    if name is not None:
        schedule_check.remove_left_behind(name, home)
        done, said, following = schedule.Changed(done="removed", name=name, schedule=None), name, "ctl schedule status"
    else:
        gone = schedule.remove(open_workspace(workspace_path), home=home)
        done = schedule.Changed(done="removed", name=gone.name, schedule=gone)
        said, following = f"{gone.kind}, {gone.at} {gone.zone}", gone.again
    output.answer(done, lambda _: [f"SCHEDULE: OK, removed   {said}", f"next: {following}"], json=json)
    return EXIT_OK


def missed(workspace_path: Path | None, *, json: bool) -> bool:
    """Whether the installed schedule's last slot was not served; that it was is said."""
    from ctl.ops import schedule

    found = schedule.standing(open_workspace(workspace_path), clock.now())
    if not found.missed:
        reason = f"the slot of {_local(found.last_slot, found.installed.slot)} needs no catching up"
        print(f"ctl ops: {reason}", file=sys.stderr)
        if json:
            output.print_json(document(NotDue(reason=reason)))
    return found.missed


def _standing_lines(found: Standing, on: Terminal) -> list[str]:
    slot = found.installed.slot
    mend = [item for item in found.problems if item.level == "mend"]
    head = "MISSED" if found.missed else f"ERROR, {len(mend)} to mend" if mend else "OK"
    if found.problems and head == "OK":
        head = f"WARN, {len(found.problems)} to know"
    lines = screens.parts([f"SCHEDULE: {head}", f"{found.installed.kind}, {slot.at} {slot.zone}"], on)
    facts = {
        "last slot": _local(found.last_slot, slot) + (", not served" if found.missed else ""),
        "last run": "never" if found.last_run is None else _local(found.last_run, slot),
        "next slot": _local(found.next_slot, slot),
        **output.finding_facts(found.problems),
    }
    commands = [item.command for item in mend if item.command]
    command = commands[0] if commands else "ctl ops --if-missed" if found.missed else "ctl status"
    return [*lines, "", *screens.facts(facts, on), f"next: {command}"]


def _local(instant: datetime, slot: Slot) -> str:
    from ctl.ops import schedule

    return f"{instant.astimezone(schedule.zone_of(slot.zone)):%a %Y-%m-%d %H:%M %Z}"
