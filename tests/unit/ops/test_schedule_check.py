"""What each scheduler keeps is read back as it was written, whatever stands in a path."""

from __future__ import annotations

from pathlib import Path

import pytest

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
