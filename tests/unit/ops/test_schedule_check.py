"""What each scheduler keeps is read back as it was written, whatever stands in a path."""

from __future__ import annotations

from pathlib import Path

import pytest
from ops_workspace import make_workspace

from ctl import store
from ctl.model.documents import document
from ctl.ops import schedule, schedule_check

SLOT = schedule.parse_slot("Sun 16:00", schedule.machine_zone())


@pytest.mark.parametrize("folder", ["/srv/plain", "/srv/a b/100%", '/srv/it\'s $5 "x"', "/srv/back\\slash"])
@pytest.mark.parametrize("kind", ["cron", "systemd", "launchd"])
def test_the_command_of_a_unit_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: schedule.Kind, folder: str
) -> None:
    command = ("/opt/my ctl/bin/python", "-m", "ctl", "ops", "--scheduled", "--workspace", folder)
    written = schedule.units(kind, SLOT, "ctl-x", command, Path(folder), tmp_path)
    for path, text in written.items():
        if kind == "cron":
            monkeypatch.setattr(schedule, "crontab", lambda text=text: f"0 1 * * * backup\n{text}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (unit,) = schedule_check.kept(tmp_path)
    assert (unit.name, unit.command) == ("ctl-x", command)
    assert schedule.folder_of(unit.command) == Path(folder)


def test_what_is_no_unit_of_ours_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "crontab", lambda: "# ctl ctl-x begin\n# ctl ctl-x end\n0 1 * * * backup\n")
    for folder, name in ((schedule.SYSTEMD, "ctl-x.service"), (schedule.LAUNCHD, "ctl-x.plist")):
        (tmp_path / folder).mkdir(parents=True)
        for text in ("", 'ExecStart="', "<plist><broken", "\x00"):
            (tmp_path / folder / name).write_text(text)
            assert list(schedule_check.kept(tmp_path)) == []


# What systemctl prints and ends with: of a timer that is on, one that is off, one it does not know, and without a bus.
SYSTEMCTL = {
    (0, "enabled\n"): [],
    (1, "disabled\n"): [("mend", "SCHEDULE_OFF")],
    (1, "Failed to connect to bus: No medium found\n"): [("know", "SCHEDULE_NOT_ASKED")],
    (None, ""): [("know", "SCHEDULE_NOT_ASKED")],
}
LAUNCHCTL = {
    (0, '{\n"Label" = "ctl-x";\n};\n'): [],
    (113, 'Could not find service "ctl-x" in domain for user'): [("mend", "SCHEDULE_OFF")],
    (None, ""): [("know", "SCHEDULE_NOT_ASKED")],
}


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        *(("systemd", answer, expected) for answer, expected in SYSTEMCTL.items()),
        *(("launchd", answer, expected) for answer, expected in LAUNCHCTL.items()),
        ("cron", (None, ""), [("know", "SCHEDULE_NOT_ASKED")]),
    ],
)
def test_a_scheduler_that_cannot_be_asked_is_not_taken_for_one_that_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: schedule.Kind,
    answer: tuple[int | None, str],
    expected: list[tuple[str, str]],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(schedule, "run_tool", lambda *words: answer)
    monkeypatch.setattr(schedule_check, "_of_python", lambda python: None)
    workspace = make_workspace(tmp_path)
    command = ("python", "-m", "ctl", "ops", "--workspace", str(workspace.root))
    name = "ctl-x"
    for path, text in schedule.units(kind, SLOT, name, command, workspace.root, tmp_path).items():
        if kind != "cron":
            store.write_atomic(path, text.encode())
    state = schedule.Installed(kind, name, SLOT.at, SLOT.zone, command, (), "2026-03-01T12:00:00+00:00")
    store.write_atomic(workspace.root / schedule.STATE, store.json_bytes(document(state)))
    assert [(item.level, item.code) for item in schedule_check.problems(workspace)] == expected
