"""`ctl schedule`: the weekly slot in cron, systemd or launchd."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import clock
from ctl.cli import output
from ctl.cli.workspace_commands import open_workspace
from ctl.errors import EXIT_ERROR, EXIT_OK, UsageError
from ctl.model.documents import document

if TYPE_CHECKING:
    from datetime import datetime

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
    command = (
        sys.executable,
        "-m",
        "ctl",
        "ops",
        "--scheduled",
        "--notify",
        notify,
        "--workspace",
        str(workspace.root),
    )
    installed, by_hand = schedule.install(kinds[0], slot, workspace, command, home=Path.home(), instant=instant)
    if json:
        output.print_json({"kind": "schedule", **document(installed), "by_hand": list(by_hand)})
        return EXIT_OK
    print(f"SCHEDULE: INSTALLED   {installed.kind}, {slot.at} {slot.zone}; next {_local(slot.next(instant), slot)}")
    for path in installed.files:
        print(f"written  {path}")
    for line in by_hand:
        print(f"by hand  {line}")
    print(f"secrets  {Path.home() / schedule.ENVIRONMENT} (CTL_OPS_WEBHOOK_URL=...)\nnext: ctl schedule status")
    return EXIT_OK


def show(workspace_path: Path | None, *, json: bool) -> int:
    """Print the units as they stand on disk, or the lines that cron has."""
    from ctl.ops import schedule

    workspace = open_workspace(workspace_path)
    installed = schedule.read(workspace)
    texts = {path: Path(path).read_text() if Path(path).is_file() else None for path in installed.files}
    if installed.kind == "cron":
        written = schedule.units(
            "cron", installed.slot, schedule.unit_name(workspace), installed.command, workspace.root, Path.home()
        )
        texts = {str(path): text for path, text in written.items()}
    if json:
        output.print_json({"kind": "schedule_units", "scheduler": installed.kind, "units": texts})
    else:
        for path, text in texts.items():
            print(f"# {path}\n{text if text is not None else '# missing: ctl schedule install writes it anew'}")
    return EXIT_OK if all(text is not None for text in texts.values()) else EXIT_ERROR


def status(workspace_path: Path | None, *, json: bool) -> int:
    """Say last run, last and next slot; exit 1 where a slot was missed."""
    from ctl.ops import schedule

    found = schedule.standing(open_workspace(workspace_path), clock.now())
    if json:
        output.print_json({"kind": "schedule_status", **document(found)})
    else:
        print(_standing_text(found))
    return EXIT_ERROR if found.missed else EXIT_OK


def remove(workspace_path: Path | None, *, json: bool) -> int:
    """Take the schedule away."""
    from ctl.ops import schedule

    removed = schedule.remove(open_workspace(workspace_path), home=Path.home())
    if json:
        output.print_json({"kind": "schedule_removed", **document(removed)})
    else:
        print(f"SCHEDULE: REMOVED   {removed.kind}, {removed.at} {removed.zone}")
    return EXIT_OK


def missed(workspace_path: Path | None) -> bool:
    """Whether the installed schedule's last slot was not served; what is decided is said."""
    from ctl.ops import schedule

    found = schedule.standing(open_workspace(workspace_path), clock.now())
    if not found.missed:
        print(
            f"ctl ops: the slot of {_local(found.last_slot, found.installed.slot)} needs no catching up",
            file=sys.stderr,
        )
    return found.missed


def _standing_text(found: Standing) -> str:
    slot = found.installed.slot
    ran = "never" if found.last_run is None else _local(found.last_run, slot)
    head = "MISSED" if found.missed else "OK"
    lines = [
        f"SCHEDULE: {head}   {found.installed.kind}, {slot.at} {slot.zone}",
        f"last run   {ran}",
        f"last slot  {_local(found.last_slot, slot)}" + ("   not served" if found.missed else ""),
        f"next slot  {_local(found.next_slot, slot)}",
    ]
    return "\n".join([*lines, "next: ctl ops --if-missed"] if found.missed else lines)


def _local(instant: datetime, slot: Slot) -> str:
    from ctl.ops import schedule

    return f"{instant.astimezone(schedule.zone_of(slot.zone)):%a %Y-%m-%d %H:%M %Z}"
