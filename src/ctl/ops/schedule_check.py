"""Whether what a scheduler keeps can still run (its folder, Python and units), and what gone folders left behind."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final
from xml.parsers.expat import ExpatError

from ctl import store
from ctl.errors import UsageError, WorkspaceError, one_of
from ctl.model.data_report import DoctorFinding
from ctl.ops import schedule
from ctl.store.workspace import FILE_NAME

_BLOCK: Final = re.compile(r"# ctl (\S+) begin\n(.*?)# ctl \1 end\n", re.DOTALL)
_HAS_CTL: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ctl') is None)"


@dataclass(frozen=True, slots=True)
class Unit:
    """A weekly cycle that a scheduler of this user keeps, whichever workspace it is of."""

    name: str
    command: tuple[str, ...]


def kept(home: Path) -> Iterator[Unit]:
    """The units of ctl in the user's crontab, systemd and launchd; what cannot be read is none of ours."""
    with suppress(WorkspaceError):
        for name, lines in _BLOCK.findall(schedule.crontab()):
            yield from _unit(name, lines.strip().rpartition("\n")[2].removesuffix(" --if-missed").replace("\\%", "%"))
    for path in sorted((home / schedule.SYSTEMD).glob("ctl-*.service")):
        with suppress(OSError, UnicodeError):
            line = re.search(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
            yield from _unit(path.stem, "" if line is None else line[1].replace("%%", "%").replace("$$", "$"))
    for path in sorted((home / schedule.LAUNCHD).glob("ctl-*.plist")):
        with suppress(OSError, ValueError, LookupError, TypeError, ExpatError):
            yield from _unit(path.stem, plistlib.loads(path.read_bytes())["ProgramArguments"][-1])


def standing(workspace: store.Workspace, instant: datetime) -> schedule.Standing:
    """How a schedule stands, with its problems. Raises NotScheduled where none is, and names what was left."""
    found = problems(workspace)
    try:
        return replace(schedule.standing(workspace, instant), problems=found)
    except schedule.NotScheduled as error:
        if not found:
            raise
        left = "; ".join(item.text for item in found)
        raise schedule.NotScheduled(error.what, found=left, remedy=found[0].command) from None


def problems(workspace: store.Workspace) -> tuple[DoctorFinding, ...]:
    """Why the schedule of a workspace cannot run, and the units of other workspaces whose folder is gone."""
    units: list[Unit] = []
    with suppress(WorkspaceError):  # without a home there are no units
        units = list(kept(schedule.home_folder()))
    try:
        state = schedule.read(workspace)
    except schedule.NotScheduled:
        return tuple(_left_behind(units, None))
    except WorkspaceError as error:
        return (DoctorFinding("mend", "schedule", "SCHEDULE_DAMAGED", str(error), None), *_left_behind(units, None))
    return (*_own(workspace, state, units), *_left_behind(units, state.name))


def remove_left_behind(name: str, home: Path) -> None:
    """Take away the units of a workspace that is gone. Raises UsageError where there are none of that name."""
    known = [unit.name for unit in kept(home)]
    if name not in known:
        expected = one_of(name, known) if known else "none: no unit is installed"
        raise UsageError("--name is no unit of this user", found=name, expected=expected)
    schedule.take_away(name, home)


def _own(workspace: store.Workspace, state: schedule.Installed, units: list[Unit]) -> Iterator[DoctorFinding]:
    folder = schedule.folder_of(state.command)
    if folder is None or not (folder == workspace.root or _is_same(folder, workspace.root)):
        gone = "" if folder is not None and (folder / FILE_NAME).exists() else ", which is no workspace any more"
        yield _mend("SCHEDULE_MOVED", f"it runs {folder}{gone}, and not this folder", state.again)
    elif state.kind == "cron" and shutil.which("crontab") is None:
        yield _not_asked("crontab", state.name)
    elif state.name not in {unit.name for unit in units}:
        text = f"{state.kind} of this user and machine has no {state.name}, which was installed {state.installed[:10]}"
        yield _mend("SCHEDULE_UNIT_GONE", text, state.again)
    problem = _of_python(state.command[0])
    if problem is not None:
        yield _mend("SCHEDULE_PYTHON_GONE", problem, state.again)
    if state.kind == "systemd":
        timer = f"{state.name}.timer"
        code, said = schedule.run_tool("systemctl", "--user", "is-enabled", timer)
        if said == "disabled\n":
            yield _mend("SCHEDULE_OFF", f"{timer} is not switched on", f"systemctl --user enable --now {timer}")
        elif code != 0 and said != "not-found\n":
            yield _not_asked("systemctl", timer, said)
    elif state.kind == "launchd":
        code, said = schedule.run_tool("launchctl", "list", state.name)
        if code is None:
            yield _not_asked("launchctl", state.name)
        elif code:
            load = shlex.join(("launchctl", "load", "-w", *state.files))
            yield _mend("SCHEDULE_OFF", f"{state.name} is not switched on", load)


def _left_behind(units: list[Unit], own: str | None) -> Iterator[DoctorFinding]:
    for unit in units:
        folder = schedule.folder_of(unit.command)
        if unit.name != own and folder is not None and not (folder / FILE_NAME).exists():
            text = f"{unit.name} runs {folder}, which is no workspace any more"
            yield _mend("SCHEDULE_LEFT_BEHIND", text, f"ctl schedule remove --name {unit.name}")


def _of_python(python: str) -> str | None:
    """Why a scheduler's Python cannot run ctl, or None."""
    if shutil.which(python) is None:
        return f"its Python is not there any more: {python}"
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}  # as a scheduler has it
    try:
        asked = subprocess.run([python, "-c", _HAS_CTL], env=bare, capture_output=True, check=False, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"its Python does not run: {python} ({type(error).__name__})"
    return f"its Python has no ctl any more: {python}" if asked.returncode else None


def _unit(name: str, line: str) -> Iterator[Unit]:
    """The unit whose scheduler runs that line: the command is what stands last in it."""
    try:
        words = shlex.split(line)
    except ValueError:  # a quotation without an end: no line of ours
        return
    last = max((at for at, word in enumerate(words) if word in ("&&", "exec")), default=-1)
    if words[last + 1 :]:
        yield Unit(name, tuple(words[last + 1 :]))


def _not_asked(tool: str, unit: str, said: str = "") -> DoctorFinding:
    why = " ".join(said.split()) or "it is not on this machine, or not on this PATH"
    text = f"{tool} could not be asked whether {unit} is switched on: {why}"
    return DoctorFinding("know", "schedule", "SCHEDULE_NOT_ASKED", text, None)


def _mend(code: str, text: str, command: str) -> DoctorFinding:
    return DoctorFinding("mend", "schedule", code, text, command)


def _is_same(one: Path, two: Path) -> bool:
    try:
        return one.samefile(two)
    except OSError:
        return False
