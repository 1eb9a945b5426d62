"""`ctl schedule` in a workspace: installed, shown, told as missed, caught up once, removed again."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ops_workspace import INSTANT

from ctl import clock, store

CRONTAB = """#!/bin/sh
case "$1" in
-l) [ -f "$CRONTAB_FILE" ] && cat "$CRONTAB_FILE" || { echo "no crontab for t" >&2; exit 1; };;
-) cat > "$CRONTAB_FILE";;
*) exit 1;;
esac
"""

SWITCHED_ON = """#!/bin/sh
[ "$1" = list ] || [ "$2" = is-enabled ] && echo enabled
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, a crontab in it, systemd and launchd that say all is on and let nobody switch it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in {"crontab": CRONTAB, "systemctl": SWITCHED_ON, "launchctl": SWITCHED_ON}.items():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        (tools / "systemd-analyze").symlink_to(analyze)
    for name in ("sh", "cat"):
        (tools / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CRONTAB_FILE", str(tmp_path / "crontab.txt"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def at(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_systemd_units_are_written_checked_and_removed(ctl, workspace: Path, home: Path):
    made = ctl(
        "schedule", "install", "--systemd", "--at", "Sun 16:00", "--tz", "America/Chicago", "-w", workspace, "--json"
    )
    assert made.code == 0
    files = [Path(path) for path in made.document["schedule"]["files"]]
    assert [path.suffix for path in files] == [".service", ".timer"]
    assert all(path.is_file() for path in files)
    assert made.document["by_hand"][-1].startswith("systemctl --user enable --now ctl-")
    shown = ctl("schedule", "show", "-w", workspace)
    assert "Persistent=true" in shown.out
    assert ctl("schedule", "remove", "-w", workspace).code == 0
    assert not any(path.exists() for path in files)
    for words in (("show",), ("status",), ("remove",)):
        gone = ctl("schedule", *words, "-w", workspace)
        assert (gone.code, gone.out) == (1, ""), "a state of the workspace, no wrong argument"
        assert "ctl schedule install" in gone.err


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd to ask")
def test_what_systemd_refuses_is_not_left_behind(ctl, workspace: Path, home: Path, monkeypatch: pytest.MonkeyPatch):
    from ctl.ops import schedule

    monkeypatch.setattr(schedule, "_calendar", lambda slot: "Sun *-*-* 99:00:00")
    ran = ctl("schedule", "install", "--systemd", "--at", "Sun 16:00", "-w", workspace)
    assert ran.code == 1
    assert "systemd-analyze" in ran.err
    assert not list((home / ".config/systemd/user").iterdir())


def test_cron_keeps_the_lines_of_others(ctl, workspace: Path, home: Path, tmp_path: Path):
    table = tmp_path / "crontab.txt"
    table.write_text("0 1 * * * backup")
    for hour in ("05:00", "06:00"):
        assert ctl("schedule", "install", "--cron", "--at", f"Mon {hour}", "-w", workspace).code == 0
    lines = table.read_text().splitlines()
    assert lines[0] == "0 1 * * * backup"
    assert [line.split()[:2] for line in lines if " * * 1 " in line] == [["0", "6"]], "installed twice, kept once"
    assert ctl("schedule", "remove", "-w", workspace).code == 0
    assert table.read_text() == "0 1 * * * backup\n"


def test_a_zone_that_cron_cannot_hold_is_refused(ctl, workspace: Path, home: Path):
    from ctl.ops import schedule

    zone = "Asia/Tokyo" if schedule.machine_zone() != "Asia/Tokyo" else "Europe/Rome"
    for kind in ("--cron", "--launchd"):
        ran = ctl("schedule", "install", kind, "--tz", zone, "-w", workspace)
        assert ran.code == 64
        assert "--systemd" in ran.err


@pytest.mark.parametrize("kinds", [(), ("--cron", "--systemd")])
def test_one_scheduler_is_named(ctl, workspace: Path, home: Path, kinds: tuple[str, ...]):
    assert ctl("schedule", "install", *kinds, "-w", workspace).code == 64


def test_a_missed_slot_is_told_and_caught_up_once(ctl, workspace: Path, home: Path, monkeypatch: pytest.MonkeyPatch):
    at(monkeypatch, "2026-03-01T12:00:00")
    installed = ctl("schedule", "install", "--systemd", "--at", "Sun 16:00", "--tz", "UTC", "-w", workspace)
    assert installed.code == 0
    assert ctl("schedule", "status", "-w", workspace).code == 0, "the slot before the installation was nobody's"
    at(monkeypatch, "2026-03-02T09:00:00")
    late = ctl("schedule", "status", "-w", workspace, "--json")
    assert (late.code, late.document["missed"], late.document["last_slot"]) == (1, True, "2026-03-01T16:00:00Z")
    assert "2026-03-01 16:00 UTC was missed" in late.err
    caught = ctl("ops", "--if-missed", "-w", workspace, "--json")
    assert caught.code == 0
    assert caught.document["gate_passed"]
    at(monkeypatch, "2026-03-02T09:30:00")
    assert ctl("schedule", "status", "-w", workspace).code == 0
    again = ctl("ops", "--if-missed", "-w", workspace)
    assert (again.code, again.out) == (0, "")
    logs = list((workspace / "data/processed/cutover_v1/ops_logs").iterdir())
    assert len(logs) == 1


@pytest.mark.parametrize("code", ["RUN_INTERRUPTED", "RUN_STOPPED"])
def test_a_slot_whose_run_was_cut_short_is_a_missed_one(
    ctl, workspace: Path, home: Path, monkeypatch: pytest.MonkeyPatch, code: str
):
    at(monkeypatch, "2026-03-01T12:00:00")
    assert ctl("schedule", "install", "--systemd", "--at", "Sun 16:00", "--tz", "UTC", "-w", workspace).code == 0
    logs = workspace / "data/processed/cutover_v1/ops_logs"
    logs.mkdir()
    cut = {"dry_run": False, "aborted": True, "exit_code": 143, "error": {"code": code}}
    (logs / "20260301_160002_ops.json").write_text(json.dumps(cut))
    at(monkeypatch, "2026-03-01T16:10:00")
    assert ctl("schedule", "status", "-w", workspace).code == 1
    held = store.Workspace.load(workspace)
    with store.RunLock(held.lock_path, instant=INSTANT, purpose="ctl ops"):
        assert ctl("schedule", "status", "-w", workspace).code == 0, "it is under way"
    cut |= {"aborted": False, "error": {"code": "RUN_STOPPED"}}
    (logs / "20260301_160002_ops.json").write_text(json.dumps(cut))
    assert ctl("schedule", "status", "-w", workspace).code == 0, "its run is on record"


def test_a_damaged_record_is_said(ctl, workspace: Path, home: Path):
    (workspace / ".ctl").mkdir(exist_ok=True)
    for text in ("{", json.dumps({"kind": "systemd"}), json.dumps([])):
        (workspace / ".ctl" / "schedule.json").write_text(text)
        assert ctl("schedule", "status", "-w", workspace).code == 1
    assert os.environ["HOME"] == str(home)
    assert ctl("schedule", "install", "--cron", "-w", workspace).code == 0, "the remedy that it names"
    assert ctl("schedule", "status", "-w", workspace).code == 0


# ---------------------------------------------------------------- what cannot run any more


def codes(ctl, workspace: Path) -> list[str]:
    """What the three commands name of the schedule; each says the same, and gives the command that mends it."""
    of_schedule = ctl("schedule", "status", "-w", workspace, "--json").document.get("problems", [])
    of_status = ctl("status", "-w", workspace, "--json").document
    of_doctor = ctl("doctor", "-w", workspace, "--json").document["findings"]
    assert of_status["problems"] == of_schedule
    assert [item for item in of_doctor if item["subject"] == "schedule"] == of_schedule
    assert all(item["command"] for item in of_schedule)
    return [item["code"] for item in of_schedule]


@pytest.mark.parametrize("kind", ["--cron", "--systemd", "--launchd"])
def test_a_moved_workspace_names_its_schedule_and_installing_it_anew_mends_it(
    ctl, workspace: Path, home: Path, tmp_path: Path, kind: str
):
    assert ctl("schedule", "install", kind, "-w", workspace).code == 0
    assert codes(ctl, workspace) == []
    moved = workspace.rename(tmp_path / "moved")
    assert codes(ctl, moved) == ["SCHEDULE_MOVED"]
    told = ctl("schedule", "status", "-w", moved)
    assert (told.code, told.out.splitlines()[0].split("   ")[0]) == (1, "SCHEDULE: ERROR, 1 to mend")
    assert f"it runs {workspace}, which is no workspace any more, and not this folder" in told.out
    following = told.out.splitlines()[-1].removeprefix("next: ctl ")
    assert ctl(*shlex.split(following), "-w", moved).code == 0
    assert codes(ctl, moved) == [], "and the units of the old place have gone"


def test_a_copied_workspace_leaves_the_units_of_the_other_alone(ctl, workspace: Path, home: Path, tmp_path: Path):
    assert ctl("schedule", "install", "--cron", "-w", workspace).code == 0
    copy = tmp_path / "copy"
    shutil.copytree(workspace, copy)
    assert codes(ctl, copy) == ["SCHEDULE_MOVED"]
    assert ctl("schedule", "install", "--cron", "-w", copy).code == 0
    assert (codes(ctl, workspace), codes(ctl, copy)) == ([], [])
    assert ctl("schedule", "remove", "-w", copy).code == 0
    assert codes(ctl, workspace) == []


def test_units_of_a_folder_that_is_gone_are_named_and_taken_away(ctl, workspace: Path, home: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(workspace, other)
    assert ctl("schedule", "install", "--systemd", "-w", workspace).code == 0
    assert ctl("schedule", "install", "--cron", "-w", other).code == 0
    name = ctl("schedule", "install", "--cron", "-w", other, "--json").document["name"]
    shutil.rmtree(other)
    assert codes(ctl, workspace) == ["SCHEDULE_LEFT_BEHIND"]
    assert f"next: ctl schedule remove --name {name}\n" in ctl("schedule", "status", "-w", workspace).out
    assert ctl("schedule", "remove", "--name", name).code == 0
    assert codes(ctl, workspace) == []
    assert ctl("schedule", "remove", "--name", name).code == 64
    assert (tmp_path / "crontab.txt").read_text() == ""


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("units", "SCHEDULE_UNIT_GONE"),
        ("python", "SCHEDULE_PYTHON_GONE"),
        ("ctl", "SCHEDULE_PYTHON_GONE"),
        ("record", "SCHEDULE_DAMAGED"),
    ],
)
def test_what_keeps_a_slot_from_running_is_named(ctl, workspace: Path, home: Path, fault: str, code: str):
    assert ctl("schedule", "install", "--systemd", "-w", workspace).code == 0
    record = workspace / ".ctl" / "schedule.json"
    state = json.loads(record.read_text())
    match fault:
        case "units":
            for path in state["files"]:
                Path(path).unlink()
        case "python":
            state["command"][0] = "/opt/gone/bin/python"
        case "ctl":
            python = home / "python"
            python.write_text("#!/bin/sh\nexit 1\n")  # finds no ctl
            python.chmod(0o755)
            state["command"][0] = str(python)
    record.write_text("{" if fault == "record" else json.dumps(state))
    if fault == "record":
        found = ctl("status", "-w", workspace, "--json").document["problems"]
        assert [item["code"] for item in found] == [code]
        assert ctl("schedule", "status", "-w", workspace).code == 1
    else:
        assert codes(ctl, workspace) == [code]
    assert ctl("schedule", "install", "--systemd", "-w", workspace).code == 0
    assert codes(ctl, workspace) == []


def test_a_scheduler_that_cannot_be_asked_is_said_and_is_none_that_runs(
    ctl, workspace: Path, home: Path, tmp_path: Path
):
    assert ctl("schedule", "install", "--systemd", "-w", workspace).code == 0
    (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    told = ctl("schedule", "status", "-w", workspace)
    assert (told.code, told.out.splitlines()[0].split("   ")[0]) == (0, "SCHEDULE: WARN, 1 to know")
    assert "systemctl could not be asked" in told.out
    assert "Failed to connect to bus" in told.out


def test_a_schedule_outlives_its_cycle(ctl, workspace: Path, home: Path, tmp_path: Path):
    """Its units keep their name where the workspace goes on under another cycle."""
    assert ctl("schedule", "install", "--cron", "-w", workspace).code == 0
    toml = workspace / "ctl.toml"
    toml.write_text(toml.read_text().replace('cycle_id = "cutover_v1"', 'cycle_id = "cutover_v2"'))
    assert ctl("schedule", "remove", "-w", workspace).code == 0
    assert (tmp_path / "crontab.txt").read_text() == ""
