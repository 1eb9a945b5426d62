"""Exchange sessions against published holidays, and the cache that spares the libraries.

Sources: NYSE and CME Group holiday calendars as published (Good Friday, Christmas, days of mourning); the Saudi
Exchange trades Sunday to Thursday.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from ctl import sessions
from ctl.errors import DataError, UsageError


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache_folder(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's own cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    return shared_cache / "ctl" / "sessions"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sessions, "_memory", {})
    return tmp_path / "ctl" / "sessions"


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


def closed(calendar: str, year: int) -> list[str]:
    """Weekdays without a session."""
    held = sessions.sessions_between(calendar, date(year, 1, 1), date(year, 12, 31))
    weekdays = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    return [str(day) for day in weekdays[np.is_busday(weekdays)] if day not in held]


def test_holidays_of_the_new_york_stock_exchange_in_2025() -> None:
    assert closed("XNYS", 2025) == [
        "2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26", "2025-06-19",
        "2025-07-04", "2025-09-01", "2025-11-27", "2025-12-25",
    ]  # fmt: skip


def test_holidays_of_cme_globex_in_2024() -> None:
    # On seven more the market is open for some hours, which count to the next trade date.
    expected = [
        "2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29", "2024-05-27", "2024-06-19", "2024-07-04", "2024-09-02",
        "2024-11-28", "2024-12-25",
    ]  # fmt: skip
    assert closed("CMES", 2024) == closed("CMEGlobex_CL", 2024) == expected


def test_a_product_calendar_comes_from_the_other_library() -> None:
    # Equity index futures traded on the morning of Good Friday 2021 (jobs report); crude oil did not.
    good_friday = date(2021, 4, 2)
    assert sessions.count_between("CME_Equity", good_friday, good_friday) == 1
    assert sessions.count_between("CMEGlobex_CL", good_friday, good_friday) == 0


def test_both_ends_are_inclusive_and_an_empty_range_is_empty() -> None:
    span = sessions.sessions_between("XNYS", date(2025, 1, 8), date(2025, 1, 10))
    assert span.dtype == np.dtype("datetime64[D]")
    assert span.tolist() == [date(2025, 1, 8), date(2025, 1, 10)]
    assert len(sessions.sessions_between("XNYS", date(2025, 1, 10), date(2025, 1, 8))) == 0
    assert sessions.count_between("XNYS", date(2024, 1, 1), date(2024, 12, 31)) == 252


def test_next_and_previous_session_step_over_what_is_closed() -> None:
    assert sessions.next_session("XNYS", date(2025, 1, 8)) == date(2025, 1, 10)
    assert sessions.next_session("XNYS", date(2025, 1, 9)) == date(2025, 1, 10)
    assert sessions.previous_session("XNYS", date(2025, 1, 10)) == date(2025, 1, 8)
    assert sessions.next_session("CMES", date(2024, 3, 28)) == date(2024, 4, 1)
    assert sessions.previous_session("CMES", date(2024, 4, 1)) == date(2024, 3, 28)


def test_old_and_future_sessions() -> None:
    assert sessions.previous_session("XNYS", date(1963, 11, 26)) == date(1963, 11, 22)
    assert sessions.next_session("XNYS", date(2031, 7, 3)) == date(2031, 7, 7)


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2024-03-03T23:30", "2024-03-04"),  # Sunday 17:30 in Chicago: Monday's trade date
        ("2024-03-04T21:00", "2024-03-04"),
        ("2024-03-04T23:00", "2024-03-05"),  # 17:00 in Chicago, standard time
        ("2024-03-11T21:59", "2024-03-11"),  # daylight saving: the session ends at 22:00 UTC
        ("2024-03-11T22:00", "2024-03-12"),
        ("2024-03-28T23:30", "2024-04-01"),  # the evening before Good Friday
        ("2024-03-08T23:30", "2024-03-11"),  # Friday evening
    ],
)
def test_the_trade_date_of_an_instant(instant: str, expected: str) -> None:
    moment = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert sessions.trade_date("CMES", moment) == date.fromisoformat(expected)
    assert sessions.trade_date("CMES", moment.astimezone(timezone(timedelta(hours=9)))) == date.fromisoformat(expected)


def test_trade_dates_of_many_instants_keep_their_order() -> None:
    instants = np.array(["2024-03-11T22:00", "2024-03-03T23:30", "2024-03-11T21:59"], dtype="datetime64[ns]")
    expected = days("2024-03-12", "2024-03-04", "2024-03-11")
    assert (sessions.trade_dates("CMES", instants) == expected).all()
    assert len(sessions.trade_dates("CMES", instants[:0])) == 0


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        sessions.trade_date("CMES", datetime(2024, 3, 4, 12))  # noqa: DTZ001


def test_weeks_start_after_the_longest_closed_run() -> None:
    span = days("2024-03-01", "2024-03-04", "2024-03-08", "2024-03-11")
    for calendar in ("XNYS", "CME_Equity", None, "none", "24/7"):
        keys = sessions.week_keys(calendar, span)
        assert keys[1] == keys[2]
        assert keys[0] < keys[1] < keys[3]
    riyadh = sessions.week_keys("XSAU", days("2024-03-07", "2024-03-10", "2024-03-14", "2024-03-17"))
    assert riyadh[0] < riyadh[1] == riyadh[2] < riyadh[3]
    tokyo = sessions.week_keys("XTKS", days("2024-03-10", "2024-03-11"))
    assert tokyo[0] < tokyo[1]
    assert len(sessions.week_keys("XNYS", days())) == 0


def test_week_keys_do_not_need_the_calendar_to_reach_the_sessions() -> None:
    keys = sessions.week_keys("XSAU", days("2015-03-05", "2015-03-08"))  # the library begins in 2021
    assert keys[0] < keys[1]


@pytest.mark.parametrize(
    ("weekmask", "weekday"),
    [
        ("1111100", 0), ("1111001", 6), ("1111110", 0), ("0111111", 1), ("1111111", 0), ("1011100", 0), ("1001111", 3),
        ("0111110", 1), ("Mon Tue Wed Thu Fri", 0), ("Sun Mon Tue Wed Thu", 6),
    ],
)  # fmt: skip
def test_the_first_day_of_a_week(weekmask: str, weekday: int) -> None:
    assert sessions._first_open_weekday(weekmask) == weekday


def test_weeks_follow_a_change_of_the_week() -> None:
    import pandas as pd

    starts = sessions._week_starts("1111100", [(None, pd.Timestamp("2026-01-04"), "1111001")])
    assert [weekday for _, weekday in starts] == [6, 0]
    assert starts[1][0] == (date(2026, 1, 5) - date(1970, 1, 1)).days


def test_month_keys() -> None:
    assert sessions.month_keys(days("1969-12-31", "1970-01-01", "2024-03-29")).tolist() == [
        1969 * 12 + 11,
        1970 * 12,
        2024 * 12 + 2,
    ]


def test_completeness_of_weeks() -> None:
    thursday, friday = date(2024, 3, 28), date(2024, 3, 29)  # Friday is Good Friday
    assert sessions.week_is_complete("CMES", thursday)
    assert not sessions.week_is_complete("CME_Equity", date(2021, 4, 1))
    for without in (None, "none"):
        assert not sessions.week_is_complete(without, thursday)
        assert sessions.week_is_complete(without, friday)
    assert sessions.week_is_complete("XSAU", date(2024, 3, 14))


def test_unknown_names_list_what_is_near() -> None:
    assert sessions.is_known("CMES")
    assert sessions.is_known("CME_Equity")
    assert not sessions.is_known("cmes")
    with pytest.raises(UsageError, match=r"unknown calendar 'cmes'.*CMES"):
        sessions.sessions_between("cmes", date(2024, 1, 1), date(2024, 2, 1))
    with pytest.raises(UsageError, match=r"unknown calendar '../../etc/passwd'"):
        sessions.next_session("../../etc/passwd", date(2024, 1, 1))


def test_beyond_the_library_is_an_error_not_an_empty_answer() -> None:
    with pytest.raises(DataError, match="calendar XSAU does not cover what was asked"):
        sessions.sessions_between("XSAU", date(2019, 1, 1), date(2024, 1, 1))
    with pytest.raises(DataError, match="knows no session around"):
        sessions.sessions_between("XNYS", date(1, 1, 1), date(2024, 1, 1))


# ---------------------------------------------------------------- cache


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_warm_start_imports_no_calendar_library(empty_cache: Path) -> None:
    code = (
        "import sys; from datetime import date; from ctl import sessions\n"
        "print(sessions.count_between('CMES', date(2024, 1, 1), date(2024, 12, 31)), sessions.is_known('CMES'),\n"
        "      sorted({'pandas', 'exchange_calendars', 'pandas_market_calendars'} & set(sys.modules)))"
    )
    folder = str(empty_cache.parents[1])
    assert run_python(code, XDG_CACHE_HOME=folder).startswith("252 True ['exchange_calendars', ")
    assert run_python(code, XDG_CACHE_HOME=folder) == "252 True []"


def test_importing_the_module_imports_no_calendar_library() -> None:
    code = "import sys, ctl.sessions; print([m for m in ('pandas', 'exchange_calendars') if m in sys.modules])"
    assert run_python(code) == "[]"


@pytest.mark.parametrize("damage", ["truncate", "flip", "flip header", "empty", "text", "folder"])
def test_a_damaged_cache_is_computed_again(empty_cache: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    span = (date(2024, 1, 1), date(2024, 12, 31))
    expected = sessions.sessions_between("XSAU", *span)
    (file,) = empty_cache.iterdir()
    sound = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        middle = len(sound) // 2
        changed = sound.replace(b'"week_starts": [[-719162, 6]]', b'"week_starts": [[-719162, 5]]')
        assert changed != sound
        file.write_bytes(
            {
                "truncate": sound[:-1],
                "flip": sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :],
                "flip header": changed,
                "empty": b"",
                "text": b"not a cache\n",
            }[damage]
        )
    monkeypatch.setattr(sessions, "_memory", {})
    assert (sessions.sessions_between("XSAU", *span) == expected).all()
    assert sessions.week_keys("XSAU", days("2024-03-10"))[0] == sessions.week_keys("XSAU", days("2024-03-14"))[0]
    if damage != "folder":
        assert file.read_bytes() == sound


def test_a_cache_of_other_library_versions_is_not_used(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions.next_session("XSAU", date(2024, 3, 10))
    monkeypatch.setattr(sessions, "_versions", lambda: ("exchange_calendars 0", "pandas_market_calendars 0"))
    assert sessions._read_cache(empty_cache, "XSAU") is None


def test_an_unwritable_cache_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(sessions, "_memory", {})
    assert sessions.next_session("XSAU", date(2024, 3, 7)) == date(2024, 3, 10)


def test_a_failed_write_leaves_no_half_file(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    assert sessions.next_session("XSAU", date(2024, 3, 7)) == date(2024, 3, 10)
    assert list(empty_cache.iterdir()) == []


def test_a_wider_question_widens_the_cache(empty_cache: Path) -> None:
    sessions.next_session("XNYS", date(2000, 1, 3))
    early = next(empty_cache.iterdir()).read_bytes()
    assert sessions.previous_session("XNYS", date(1970, 1, 5)) == date(1970, 1, 2)
    assert sessions.next_session("XNYS", date(2030, 12, 24)) == date(2030, 12, 26)
    (file,) = empty_cache.iterdir()
    assert len(file.read_bytes()) > len(early)
    (held,) = sessions._memory.values()
    assert (held.first, held.last) == (0, (date(2031, 12, 31) - date(1970, 1, 1)).days)


def test_the_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert sessions._cache_folder() == Path("/home/someone/.cache/ctl/sessions")


def test_closes_in_summer_in_winter_and_before_a_holiday() -> None:
    """New York closes at 16:00, at 13:00 on 2024-07-03 and on the day after Thanksgiving."""
    days = np.array(["2024-07-03", "2024-07-05", "2024-11-27", "2024-11-29"], dtype="datetime64[D]")
    expected = ["2024-07-03T17", "2024-07-05T20", "2024-11-27T21", "2024-11-29T18"]
    assert sessions.closes_of("XNYS", days).tolist() == np.array(expected, dtype="datetime64[ns]").tolist()
    assert sessions.closes_of("XNYS", days[:0]).size == 0
    with pytest.raises(DataError, match="2024-07-04 is no session of calendar XNYS"):
        sessions.closes_of("XNYS", np.array(["2024-07-04"], dtype="datetime64[D]"))


@pytest.mark.parametrize(
    ("calendar", "session", "opened"),
    [
        ("CMES", date(2026, 3, 2), datetime(2026, 3, 1, 23, tzinfo=UTC)),  # Sunday 17:00 Chicago, in winter
        ("CMES", date(2026, 3, 9), datetime(2026, 3, 8, 22, tzinfo=UTC)),  # and on the day the clocks change
        ("CMEGlobex_Energy", date(2026, 2, 20), datetime(2026, 2, 19, 23, tzinfo=UTC)),
        ("XNYS", date(2026, 3, 2), datetime(2026, 3, 2, 14, 30, tzinfo=UTC)),
    ],
)
def test_a_session_opens_when_the_exchange_says(calendar: str, session: date, opened: datetime) -> None:
    assert sessions.opening(calendar, session) == opened


def test_a_day_without_a_session_has_no_opening() -> None:
    with pytest.raises(DataError):
        sessions.opening("CMES", date(2026, 3, 1))
