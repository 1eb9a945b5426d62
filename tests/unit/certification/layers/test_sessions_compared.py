"""Sessions of one side only, counted by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from tests.helpers import changed_pairs

from ctl.certification.layers import sessions_compared as compared

DAYS = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-12-31"))
WEEKDAYS = DAYS[np.is_busday(DAYS)]


def sides(own: np.ndarray, other: np.ndarray, calendar: np.ndarray | None = None, ghosts: np.ndarray | None = None):
    none = np.zeros(own.size, dtype=bool)
    repeats = np.zeros(other.size, dtype=bool) if ghosts is None else np.isin(other, ghosts)
    return compared.one_sided(own, other, own_repeats=none, other_repeats=repeats, calendar=calendar)


def statuses(found: compared.OneSided) -> dict[str, str]:
    return {finding.check: finding.status for finding in compared.check(found)}


def test_equal_sessions_are_silent() -> None:
    assert statuses(sides(WEEKDAYS, WEEKDAYS)) == {"one_sided_sessions": "PASS", "ghost_sessions": "PASS"}


def test_missing_sessions_are_counted_for_their_side() -> None:
    lost = WEEKDAYS[[10, 50, 90]]
    found = sides(WEEKDAYS, WEEKDAYS[~np.isin(WEEKDAYS, lost)])
    assert found.missing_theirs.tolist() == lost.tolist()
    assert found.missing_ours.size == 0
    missing = compared.check(found)[0]
    assert (missing.status, missing.code) == ("WATCH", "MISSING_SESSIONS")  # 3 of 261 > 0.5 %
    assert missing.evidence["reference"]["first"] == str(lost[0])


def test_one_old_session_is_within_the_limit_and_one_new_is_not() -> None:
    assert statuses(sides(WEEKDAYS, np.delete(WEEKDAYS, 10)))["one_sided_sessions"] == "PASS"  # 1 of 261 < 0.5 %
    assert statuses(sides(WEEKDAYS, np.delete(WEEKDAYS, WEEKDAYS.size - 60)))["one_sided_sessions"] == "WATCH"
    assert statuses(sides(WEEKDAYS, np.delete(WEEKDAYS, WEEKDAYS.size - 61)))["one_sided_sessions"] == "PASS"


def test_ghosts_are_bars_off_the_calendar_or_repeated_without_volume() -> None:
    free = WEEKDAYS[[20, 40, 60]]
    ours = WEEKDAYS[~np.isin(WEEKDAYS, free)]
    by_calendar = sides(ours, WEEKDAYS, calendar=ours)
    by_repeats = sides(ours, WEEKDAYS, ghosts=free)
    for found in (by_calendar, by_repeats):
        assert found.ghosts_theirs.tolist() == free.tolist()
        assert found.missing_ours.size == 0
        assert statuses(found)["ghost_sessions"] == "WATCH"
    # Without a calendar, a bar that trades is a session that we lack.
    assert sides(ours, WEEKDAYS).missing_ours.tolist() == free.tolist()


def test_what_both_lack_is_the_calendars() -> None:
    calendar, both = WEEKDAYS, np.delete(WEEKDAYS, [5, 6])
    found = sides(both, both, calendar=calendar)
    assert found.calendar_off.tolist() == WEEKDAYS[[5, 6]].tolist()
    assert statuses(found)["one_sided_sessions"] == "PASS"


def test_a_long_run_is_a_hole_and_not_told_twice() -> None:
    assert sides(WEEKDAYS, np.delete(WEEKDAYS, range(50, 71))).missing_theirs.size == 0  # 21 sessions
    assert sides(WEEKDAYS, np.delete(WEEKDAYS, range(50, 70))).missing_theirs.size == 20


def test_half_days_are_named() -> None:
    half = np.array(["2024-07-03", "2024-11-29", "2024-12-24"], dtype="datetime64[D]")
    assert compared.early_closes(half).all()
    assert not compared.early_closes(np.array(["2024-06-03", "2024-11-11", "2024-12-10"], dtype="datetime64[D]")).any()
    finding = compared.check(sides(WEEKDAYS, WEEKDAYS[~np.isin(WEEKDAYS, half)]))[0]
    assert finding.evidence["reference"]["early_closes"] == 3


def test_repeats_need_an_equal_close_and_no_volume() -> None:
    closes, volume = np.array([1.0, 1.0, 1.0, 2.0, 2.0]), np.array([5.0, 0.0, 3.0, 0.0, np.nan])
    assert compared.repeats(closes, volume).tolist() == [False, True, False, False, True]


def test_bars_dated_a_day_before_are_named_by_their_weekday() -> None:
    def sundays(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
        monday = (days.astype(np.int64) + 3) % 7 == 0
        return np.where(monday, days - 1, days)

    found = changed_pairs.findings(changed_pairs.with_days(sundays), "L1")
    assert "BARS_MISDATED" in found
    assert found["BARS_MISDATED"]["evidence"]["calendar_days"] == -1
    assert "Sundays" in found["BARS_MISDATED"]["text"]
