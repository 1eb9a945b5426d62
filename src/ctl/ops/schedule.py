"""The weekly slot of a workspace, and the scheduler that keeps it: cron, systemd or launchd.

A slot is a weekday and a time in a named zone. What was installed is written to `.ctl/schedule.json`; whether a slot
was served is read off the ops logs, so that a missed one is caught up once, whichever scheduler missed it.
"""

from __future__ import annotations

import json
import os
import plistlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from ctl import store
from ctl.errors import UsageError, WorkspaceError
from ctl.model.data_report import DoctorFinding
from ctl.model.documents import document
from ctl.model.run import OPS_ENDING, is_cut_short
from ctl.store.lock import holder
from ctl.store.workspace import FILE_NAME

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Kind = Literal["cron", "systemd", "launchd"]


class NotScheduled(WorkspaceError):
    """No schedule is installed: a state of the workspace, and no wrong argument."""

    default_code: ClassVar[str] = "NOT_SCHEDULED"


DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
STATE: Final = Path(".ctl") / "schedule.json"
# What a unit reads before the command: the webhook's address and other secrets never stand in a unit.
ENVIRONMENT: Final = ".config/ctl/environment"
SYSTEMD: Final = Path(".config/systemd/user")
LAUNCHD: Final = Path("Library/LaunchAgents")
_SLOT: Final = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([01]\d|2[0-3]):([0-5]\d)")
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Slot:
    """A weekly time. weekday: 0 is Monday. zone: an IANA name, America/Chicago."""

    weekday: int
    hour: int
    minute: int
    zone: str

    @property
    def at(self) -> str:
        """`Sun 16:00`."""
        return f"{DAYS[self.weekday]} {self.hour:02d}:{self.minute:02d}"

    def last(self, instant: datetime) -> datetime:
        """The latest slot at or before an instant, in UTC."""
        here = instant.astimezone(zone_of(self.zone))
        days = (here.weekday() - self.weekday) % 7
        found = self._on(here, -days)
        return found if found <= instant else self._on(here, -days - 7)

    def next(self, instant: datetime) -> datetime:
        """The first slot after an instant, in UTC."""
        here = instant.astimezone(zone_of(self.zone))
        days = (self.weekday - here.weekday()) % 7
        found = self._on(here, days)
        return found if found > instant else self._on(here, days + 7)

    def _on(self, here: datetime, days: int) -> datetime:
        """The slot so many days from here, by the zone's own clock. A time that daylight saving leaves out is the one
        an hour later, one that it repeats is the first of both.
        """
        wall = (here + timedelta(days=days)).replace(
            hour=self.hour, minute=self.minute, second=0, microsecond=0, fold=0
        )
        return wall.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Installed:
    """What `.ctl/schedule.json` holds. name: of the units, also after the workspace has moved or its cycle has
    ended. files: those written for the scheduler, absolute; empty for cron.
    """

    kind: Kind
    name: str
    at: str
    zone: str
    command: tuple[str, ...]
    files: tuple[str, ...]
    installed: str

    @property
    def slot(self) -> Slot:
        """The slot that was installed."""
        return parse_slot(self.at, self.zone)

    @property
    def again(self) -> str:
        """The command that installs it anew."""
        return f"ctl schedule install --{self.kind} --at {self.at!r} --tz {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`ctl schedule status --json`: how a schedule stands at an instant.

    missed: no cycle since the last slot has come to its end or is under way. problems: why it cannot run, and units
    that folders now gone have left behind.
    """

    kind: Literal["schedule_status"] = "schedule_status"
    schema_version: Literal[1] = 1
    installed: Installed
    last_slot: datetime
    next_slot: datetime
    last_run: datetime | None
    missed: bool
    problems: tuple[DoctorFinding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """`ctl schedule install|remove --json`. schedule: None where units without a workspace were removed. by_hand:
    commands that this machine leaves to a person.
    """

    kind: Literal["schedule"] = "schedule"
    schema_version: Literal[1] = 1
    done: Literal["installed", "removed"]
    name: str
    schedule: Installed | None
    by_hand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """`ctl schedule show --json`: the text of each unit by its path, None where the file is missing."""

    kind: Literal["schedule_units"] = "schedule_units"
    schema_version: Literal[1] = 1
    scheduler: Kind
    units: Mapping[str, str | None]


SCHEMAS: Final = {
    "schedule_v1": (Changed, "A schedule that was installed or removed"),
    "schedule_units_v1": (Units, "The units of a schedule"),
    "schedule_status_v1": (Standing, "How a schedule stands"),
}


def home_folder() -> Path:
    """The user's home folder. Raises WorkspaceError where the machine knows none."""
    try:
        return Path.home()
    except RuntimeError:
        raise WorkspaceError("this user has no home folder", remedy="set HOME", code="NO_SCHEDULER") from None


def parse_slot(at: str, zone: str) -> Slot:
    """The slot of `Sun 16:00` and a zone. Raises UsageError."""
    match = _SLOT.fullmatch(at)
    if match is None:
        raise UsageError("--at is no weekly time", found=repr(at), expected="like 'Sun 16:00'")
    zone_of(zone)
    return Slot(DAYS.index(match[1]), int(match[2]), int(match[3]), zone)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises UsageError."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError("--tz is no time zone", found=repr(name), expected="like America/Chicago or UTC") from None


def machine_zone(root: Path = Path("/")) -> str:
    """The IANA name of the machine's own zone; UTC where it states none."""
    named = root / "etc" / "timezone"
    if named.is_file() and (text := named.read_text().strip()):
        return text
    link = root / "etc" / "localtime"
    return str(link.resolve()).partition("/zoneinfo/")[2] or "UTC"


# ---------------------------------------------------------------- units


def units(kind: Kind, slot: Slot, name: str, command: tuple[str, ...], folder: Path, home: Path) -> dict[Path, str]:
    """The files of a schedule and their content; for cron one line each of `crontab`, under the path `crontab`."""
    if kind == "systemd":
        return _systemd(slot, name, command, folder, home)
    if kind == "launchd":
        return _launchd(slot, name, command, folder, home)
    return {Path("crontab"): _cron(slot, name, command, folder, home)}


def _systemd(slot: Slot, name: str, command: tuple[str, ...], folder: Path, home: Path) -> dict[Path, str]:
    target = home / SYSTEMD
    line = " ".join(_quoted(word) for word in command)
    here, environment = (str(path).replace("%", "%%") for path in (folder, home / ENVIRONMENT))
    service = (
        f"[Unit]\nDescription=ctl weekly cycle of {here}\n\n[Service]\nType=oneshot\nWorkingDirectory={here}\n"
        f"EnvironmentFile=-{environment}\nExecStart={line}\nSuccessExitStatus=0\n"
    )
    timer = (
        f"[Unit]\nDescription=ctl weekly cycle of {here}, {slot.at} {slot.zone}\n\n[Timer]\n"
        f"OnCalendar={_calendar(slot)}\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {target / f"{name}.service": service, target / f"{name}.timer": timer}


def _calendar(slot: Slot) -> str:
    """The slot as systemd writes it."""
    return f"{DAYS[slot.weekday]} *-*-* {slot.hour:02d}:{slot.minute:02d}:00 {slot.zone}"


def _quoted(word: str) -> str:
    """A word of ExecStart: percent signs and dollars doubled, quoted where it needs to be."""
    word = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _launchd(slot: Slot, name: str, command: tuple[str, ...], folder: Path, home: Path) -> dict[Path, str]:
    sourced = (
        f"set -a; [ -r {shlex.quote(str(home / ENVIRONMENT))} ] && . {shlex.quote(str(home / ENVIRONMENT))}; set +a; "
    )
    plist = {
        "Label": name,
        "WorkingDirectory": str(folder),
        "ProgramArguments": ["/bin/sh", "-c", f"{sourced}exec {shlex.join(command)}"],
        "StartCalendarInterval": {"Weekday": (slot.weekday + 1) % 7, "Hour": slot.hour, "Minute": slot.minute},
        "StandardErrorPath": str(folder / ".ctl" / "schedule.err"),
    }
    return {home / LAUNCHD / f"{name}.plist": plistlib.dumps(plist).decode()}


def _cron(slot: Slot, name: str, command: tuple[str, ...], folder: Path, home: Path) -> str:
    """Two lines between marks: the slot, and after a start of the machine a slot that was missed."""
    environment = shlex.quote(str(home / ENVIRONMENT))
    begin = f"cd {shlex.quote(str(folder))} && set -a && {{ [ ! -r {environment} ] || . {environment}; }} && set +a && "
    run = (begin + shlex.join(command)).replace("%", "\\%")
    zone = "" if slot.zone == machine_zone() else f"CRON_TZ={slot.zone}\n"
    weekday = (slot.weekday + 1) % 7
    return (
        f"# ctl {name} begin\n{zone}{slot.minute} {slot.hour} * * {weekday} {run}\n@reboot {run} --if-missed\n"
        f"# ctl {name} end\n"
    )


# ---------------------------------------------------------------- install, remove


def install(
    kind: Kind, slot: Slot, workspace: store.Workspace, command: tuple[str, ...], *, home: Path, instant: datetime
) -> tuple[Installed, tuple[str, ...]]:
    """Write and check the units, and switch them on where the scheduler runs here; returns what is left to do by hand.

    Raises UsageError where the scheduler cannot hold the slot's zone, WorkspaceError where its own tool refuses them.
    """
    _require_zone(kind, slot)
    if installed(workspace) is not None:
        remove(workspace, home=home)
    name = unit_name(workspace)
    written = units(kind, slot, name, command, workspace.root, home)
    files = () if kind == "cron" else tuple(str(path) for path in written)
    state = Installed(
        kind, name, slot.at, slot.zone, command, files, instant.astimezone(UTC).isoformat(timespec="seconds")
    )
    store.write_atomic(workspace.root / STATE, store.json_bytes(document(state)))
    try:
        if kind == "cron":
            _write_crontab(without(crontab(), name) + written[Path("crontab")])
            return state, ()
        for path, text in written.items():
            store.write_atomic(path, text.encode())
        _check(kind, files, slot)
    except WorkspaceError:
        for file in (*files, str(workspace.root / STATE)):
            store.remove(Path(file))
        raise
    return state, _switch_on(kind, name, files)


def remove(workspace: store.Workspace, *, home: Path) -> Installed:
    """Take the schedule away again; of a copied workspace the record alone, because the units are the other folder's.

    Raises NotScheduled where none is installed.
    """
    state = read(workspace)
    folder = folder_of(state.command)
    if folder is None or folder == workspace.root or not (folder / FILE_NAME).exists():
        take_away(state.name, home)
    store.remove(workspace.root / STATE)
    return state


def take_away(name: str, home: Path) -> bool:
    """Take units away from whichever scheduler of this user keeps them; whether there were any."""
    table = crontab() if shutil.which("crontab") else ""
    kept = without(table, name)
    if kept != table:
        _write_crontab(kept)
    timer, service = (home / SYSTEMD / f"{name}.{kind}" for kind in ("timer", "service"))
    plist = home / LAUNCHD / f"{name}.plist"
    found = [path for path in (timer, service, plist) if os.path.lexists(path)]
    if timer in found:
        run_tool("systemctl", "--user", "disable", "--now", timer.name)
    if plist in found:
        run_tool("launchctl", "unload", str(plist))
    for path in found:
        store.remove(path)
    if service in found:
        run_tool("systemctl", "--user", "daemon-reload")
    return bool(found) or kept != table


def read(workspace: store.Workspace) -> Installed:
    """What is installed. Raises NotScheduled where nothing is, WorkspaceError where the record is damaged."""
    path = workspace.root / STATE
    try:
        held = json.loads(path.read_text())
        state = Installed(
            held["kind"], held["name"], held["at"], held["zone"], tuple(held["command"]), tuple(held["files"]),
            held["installed"],
        )  # fmt: skip
        parse_slot(state.at, state.zone)
    except FileNotFoundError:
        remedy = "ctl schedule install --systemd --at 'Sun 16:00'"
        raise NotScheduled("no schedule is installed", remedy=remedy) from None
    except OSError as error:
        raise WorkspaceError("the schedule's record cannot be read", where=str(path), found=error.strerror,
                             remedy="mend the permissions of .ctl") from error  # fmt: skip
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise WorkspaceError("the schedule's record is damaged", where=str(path), found=type(error).__name__,
                             remedy="ctl schedule install writes it anew") from error  # fmt: skip
    return state


def installed(workspace: store.Workspace) -> Installed | None:
    """What is installed; None where nothing is, or where its record is damaged and is to be written anew."""
    with suppress(WorkspaceError):
        return read(workspace)
    return None


def folder_of(command: Sequence[str]) -> Path | None:
    """The workspace that a scheduler's command names; None where it names none."""
    at = command.index("--workspace") + 1 if "--workspace" in command else len(command)
    return Path(command[at]) if at < len(command) else None


def standing(workspace: store.Workspace, instant: datetime) -> Standing:
    """Last and next slot, and whether the last one was served. A slot before the installation was nobody's to serve."""
    state = read(workspace)
    slot = state.slot
    last, ran = slot.last(instant), last_run(workspace)
    begun = max(last, datetime.fromisoformat(state.installed))
    missed = begun == last and (ran is None or ran < last) and holder(workspace.lock_path) is None
    return Standing(installed=state, last_slot=last, next_slot=slot.next(instant), last_run=ran, missed=missed)


def last_run(workspace: store.Workspace) -> datetime | None:
    """When the newest real cycle that was not cut short began, by its ops log; None before the first."""
    newest = None
    for path in sorted(workspace.ops_logs.glob(f"*{OPS_ENDING}"), reverse=True) if workspace.ops_logs.is_dir() else ():
        try:
            begun = datetime.strptime(path.name[:15], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
            log = json.loads(path.read_text())
            if not log["dry_run"] and not is_cut_short(log):
                newest = begun
                break
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a log that cannot be read says nothing of a run
    return newest


def unit_name(workspace: store.Workspace) -> str:
    """One name per workspace: `ctl-<cycle>-<digest of its path>`."""
    from ctl import digests

    return f"ctl-{workspace.cycle_id}-{digests.sha256_bytes(str(workspace.root).encode())[:8]}"


def _require_zone(kind: Kind, slot: Slot) -> None:
    """Refuse a zone that the scheduler cannot hold."""
    if kind == "systemd" or slot.zone == machine_zone() or (kind == "cron" and _cron_knows_zones()):
        return
    raise UsageError(
        f"{kind} runs by the machine's own zone", found=f"{slot.zone} asked, {machine_zone()} here",
        remedy="use --systemd, which holds a zone, or say the time in the machine's zone",
    )  # fmt: skip


def _cron_knows_zones() -> bool:
    """Whether the machine's cron reads CRON_TZ: cronie does and says its name, Debian's does not."""
    return any("cronie" in run_tool(tool, "-V")[1] for tool in ("crond", "cron", "crontab"))


def _check(kind: Kind, files: tuple[str, ...], slot: Slot) -> None:
    """Ask the scheduler's own tool what it thinks of the units, where it is here."""
    asked: list[tuple[str, ...]] = [("plutil", "-lint", *files)]
    if kind == "systemd":
        asked = [("systemd-analyze", "calendar", _calendar(slot)), ("systemd-analyze", "--user", "verify", *files)]
    for words in asked:
        code, text = run_tool(*words)
        if code not in (0, None) and "Failed to initialize manager" not in text:  # no user session here to check in
            raise WorkspaceError(
                f"{words[0]} refuses the unit", found=" ".join(text.split())[:300], code="UNIT_REFUSED"
            )


def _switch_on(kind: Kind, name: str, files: tuple[str, ...]) -> tuple[str, ...]:
    """Switch the schedule on; the commands that a person must give where this machine does not let us."""
    commands: list[tuple[str, ...]] = [("launchctl", "load", "-w", *files)]
    if kind == "systemd":
        commands = [
            ("systemctl", "--user", "daemon-reload"),
            ("systemctl", "--user", "enable", "--now", f"{name}.timer"),
        ]
    return tuple(shlex.join(words) for words in commands if run_tool(*words)[0] != 0)


def crontab() -> str:
    """The user's crontab. Raises WorkspaceError where there is no crontab command."""
    code, text = run_tool("crontab", "-l")
    if code is None:
        raise WorkspaceError("there is no cron here", remedy="install cron, or use --systemd", code="NO_SCHEDULER")
    return text if code == 0 else ""  # no crontab yet


def without(table: str, name: str) -> str:
    """A crontab without the lines of some units."""
    kept = re.sub(rf"# ctl {re.escape(name)} begin\n.*?# ctl {re.escape(name)} end\n", "", table, flags=re.DOTALL)
    return kept if not kept or kept.endswith("\n") else kept + "\n"


def _write_crontab(text: str) -> None:
    code, said = run_tool("crontab", "-", given=text)
    if code != 0:
        raise WorkspaceError("crontab refuses the schedule", found=said.strip()[:300], code="UNIT_REFUSED")


def run_tool(*words: str, given: str | None = None) -> tuple[int | None, str]:
    """Exit code (None: no such command) and output of a scheduler's own tool."""
    found = shutil.which(words[0])
    if found is None:
        return None, ""
    done = subprocess.run(  # noqa: S603 - the scheduler's tool, by its full path and without a shell
        [found, *words[1:]], input=given, text=True, capture_output=True, check=False, timeout=30
    )
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")
