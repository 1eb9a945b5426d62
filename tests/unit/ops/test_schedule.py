"""The weekly slot: when it comes next, over changes of the clock, and what each scheduler is told."""

from __future__ import annotations

import plistlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl.errors import UsageError
from ctl.ops import schedule

CHICAGO = schedule.parse_slot("Sun 16:00", "America/Chicago")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# In 2026 Chicago's clocks go forward on March 8 (UTC-6 to UTC-5) and back on November 1.
@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        ("2026-03-01T21:59:59", "2026-02-22T22:00:00", "2026-03-01T22:00:00"),
        ("2026-03-01T22:00:00", "2026-03-01T22:00:00", "2026-03-08T21:00:00"),
        ("2026-03-10T00:00:00", "2026-03-08T21:00:00", "2026-03-15T21:00:00"),
        ("2026-10-31T00:00:00", "2026-10-25T21:00:00", "2026-11-01T22:00:00"),
    ],
)
def test_the_slot_follows_its_own_zone(now: str, last: str, following: str):
    assert CHICAGO.last(utc(now)) == utc(last)
    assert CHICAGO.next(utc(now)) == utc(following)


def test_a_time_that_the_clock_leaves_out_is_an_hour_later_and_a_repeated_one_is_the_first():
    # 02:30 does not exist in Chicago on 2026-03-08: 03:30 there, 08:30 UTC. 01:30 comes twice on 2026-11-01.
    assert schedule.parse_slot("Sun 02:30", "America/Chicago").next(utc("2026-03-08T00:00:00")) == utc(
        "2026-03-08T08:30:00"
    )
    assert schedule.parse_slot("Sun 01:30", "America/Chicago").next(utc("2026-11-01T00:00:00")) == utc(
        "2026-11-01T06:30:00"
    )


@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    day=st.sampled_from(schedule.DAYS),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(["UTC", "America/Chicago", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_an_instant_lies_between_two_slots_a_week_apart(moment: datetime, day: str, hour: int, minute: int, zone: str):
    instant = moment.replace(tzinfo=UTC)
    slot = schedule.parse_slot(f"{day} {hour:02d}:{minute:02d}", zone)
    before, after = slot.last(instant), slot.next(instant)
    assert before <= instant < after
    assert abs(after - before - timedelta(days=7)) <= timedelta(hours=1)
    assert slot.next(before) == after


@pytest.mark.parametrize("at", ["Sunday 16:00", "Sun 24:00", "Sun 16:60", "16:00", "Sun 16:00 "])
def test_what_is_no_weekly_time_is_refused(at: str):
    with pytest.raises(UsageError):
        schedule.parse_slot(at, "UTC")


@pytest.mark.parametrize("zone", ["Chicago", "../../etc/passwd", "", "America/Nowhere"])
def test_what_is_no_zone_is_refused(zone: str):
    with pytest.raises(UsageError):
        schedule.parse_slot("Sun 16:00", zone)


COMMAND = ("/opt/ctl/bin/python", "-m", "ctl", "ops", "--notify", "webhook", "--workspace", "/srv/a b/100%")


def test_systemd_gets_a_persistent_timer_in_the_zone():
    made = schedule.units("systemd", CHICAGO, "ctl-x", COMMAND, Path("/srv/a b"), Path("/home/t"))
    service, timer = (made[Path("/home/t/.config/systemd/user") / f"ctl-x.{kind}"] for kind in ("service", "timer"))
    assert "OnCalendar=Sun *-*-* 16:00:00 America/Chicago\nPersistent=true\n" in timer
    assert 'ExecStart=/opt/ctl/bin/python -m ctl ops --notify webhook --workspace "/srv/a b/100%%"\n' in service


def test_launchd_counts_sunday_as_zero():
    made = schedule.units("launchd", CHICAGO, "ctl-x", COMMAND, Path("/srv/a b"), Path("/home/t"))
    plist = plistlib.loads(made[Path("/home/t/Library/LaunchAgents/ctl-x.plist")].encode())
    assert plist["StartCalendarInterval"] == {"Weekday": 0, "Hour": 16, "Minute": 0}
    assert plist["ProgramArguments"][-1].endswith("--workspace '/srv/a b/100%'")


def test_cron_gets_the_slot_and_a_catch_up():
    slot = schedule.parse_slot("Mon 05:00", schedule.machine_zone())
    made = schedule.units("cron", slot, "ctl-x", COMMAND, Path("/srv/a b"), Path("/home/t"))[Path("crontab")]
    begin, weekly, reboot, end = made.splitlines()
    assert (begin, end) == ("# ctl ctl-x begin", "# ctl ctl-x end")
    assert weekly.startswith("0 5 * * 1 cd '/srv/a b' && ")
    assert reboot.startswith("@reboot ")
    assert reboot.endswith(" --if-missed")
    assert "100\\%" in weekly, "cron takes a percent sign for a new line"


def test_the_machine_states_its_zone(tmp_path: Path):
    (tmp_path / "etc").mkdir()
    assert schedule.machine_zone(tmp_path) == "UTC"
    (tmp_path / "usr/share/zoneinfo/Europe").mkdir(parents=True)
    (tmp_path / "usr/share/zoneinfo/Europe/Rome").touch()
    (tmp_path / "etc" / "localtime").symlink_to(tmp_path / "usr/share/zoneinfo/Europe/Rome")
    assert schedule.machine_zone(tmp_path) == "Europe/Rome"
    (tmp_path / "etc" / "timezone").write_text("Asia/Tokyo\n")
    assert schedule.machine_zone(tmp_path) == "Asia/Tokyo"
