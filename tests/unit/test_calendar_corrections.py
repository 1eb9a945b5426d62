"""What the calendar libraries have wrong, put right: each correction against its notice, whole calendars against files.

Days and notices: CME Globex holiday schedules and press releases (2003 Labor Day, 2006-01-10, 2018-12-02, 2024-12-30),
CME Clearing advisory 25-012, settlements and bars of ../shared/data.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from ctl import calendar_corrections, sessions

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

NG, COPPER, ES, TY, EC, CORN, CATTLE = (
    "CMEGlobex_Energy", "CMEGlobex_Metals", "CMES", "CME_Bond", "CMEGlobex_FX", "CBOT_Agriculture", "CME_Agriculture",
)  # fmt: skip
PRODUCTS = (NG, COPPER, ES, TY, EC, "CME Globex Crypto", "ICEUS")

# name in the file -> (calendars, days without a session, days with one)
CASES: dict[str, tuple[tuple[str, ...], list[str], list[str]]] = {
    "Martin Luther King Day": (PRODUCTS, ["1998-01-19", "2006-01-16", "2026-01-19"], ["1997-01-20", "2026-01-20"]),
    "Presidents' Day": (PRODUCTS, ["1990-02-19", "2024-02-19"], ["2024-02-20"]),
    "Memorial Day": (PRODUCTS, ["2004-05-31", "2024-05-27"], ["2024-05-28"]),
    "Juneteenth": (PRODUCTS, ["2022-06-20", "2023-06-19", "2027-06-18"], ["2021-06-18", "2021-06-21"]),
    "Independence Day": (PRODUCTS, ["2020-07-03", "2021-07-05", "2025-07-04", "2026-07-03"], ["2020-07-06"]),
    "Labor Day": (PRODUCTS, ["2003-09-01", "2024-09-02"], ["2003-09-02"]),
    "Thanksgiving": (PRODUCTS, ["2013-11-28", "2024-11-28"], ["2013-11-29"]),
    "Juneteenth, grains and livestock": (
        (CORN, CATTLE, "CMEGlobex_Grains", "CMEGlobex_Livestock"), ["2022-06-20", "2025-06-19"], ["2025-06-20"],
    ),
    "Christmas on the trading floors of New York": ((NG, COPPER), ["1990-12-25", "1998-12-25"], ["1998-12-28"]),
    "Good Fridays without a jobs report": (("CME_Equity", EC), ["2024-03-29", "2025-04-18", "2027-03-26"], []),
    "Good Fridays with a jobs report, equity index": ((ES,), ["2024-03-29"], ["2021-04-02", "2023-04-07"]),
    "Good Fridays with a jobs report, currencies": ((EC,), ["2013-03-29"], ["2012-04-06", "2015-04-03"]),
    "Day of mourning for President Carter, agriculture and interest rates": ((CORN, CATTLE, TY), [], ["2025-01-09"]),
    "Day of mourning for President Carter, equity index": ((ES, "CME_Equity"), [], ["2025-01-09"]),
    "Day of mourning for President Bush, agriculture": ((CORN, CATTLE), [], ["2018-12-05"]),
    "Days of mourning, ICE": (("ICEUS", "IEPA"), [], ["2018-12-05"]),
    "Days of mourning and the storm of 2012, ICE Europe": (("IEPA",), [], ["2012-10-29", "2025-01-09"]),
    "Days of mourning for Presidents Reagan and Ford, grains": ((CORN,), [], ["2004-06-11", "2007-01-02"]),
    "Day of mourning for President Ford, equity index": ((ES,), [], ["2007-01-02"]),
    "Day of mourning for President Reagan, New York": ((NG, COPPER), ["2004-06-11"], ["2004-06-10"]),
    "Day of mourning for President Ford, NYMEX": ((NG,), ["2007-01-02"], ["2007-01-03"]),
    "NYMEX and COMEX floors, beside holidays": ((NG, COPPER), ["1996-11-29", "2002-11-29", "2000-01-03"], []),
    "NYMEX floor, beside holidays": (
        (NG,), ["1997-11-28", "1999-12-31", "2003-11-28", "2004-12-31"], ["2003-11-26"],
    ),
    "COMEX floor, beside holidays": ((COPPER,), ["1999-11-26", "2004-12-31"], ["1999-11-24"]),
    "NYMEX and COMEX floors, beside holidays before 1996": ((NG, COPPER), ["1993-12-31", "1995-07-03"], []),
    "NYMEX floor, beside holidays before 1996": ((NG,), ["1992-11-27", "1992-12-24"], ["1992-12-23"]),
    "COMEX floor, beside holidays before 1996": ((COPPER,), ["1991-07-05"], ["1991-07-08"]),
    "After the attacks of 11 September 2001": ((NG, COPPER), ["2001-09-12", "2001-09-13"], ["2001-09-14"]),
    "After the attacks of 11 September 2001, equity index": ((ES,), ["2001-09-12", "2001-09-14"], ["2001-09-17"]),
    "CBOT floor, beside New Year": ((CORN,), ["1999-12-31", "2004-12-31"], ["1999-12-30"]),
    "Chicago flood": ((CORN,), ["1992-04-13", "1992-04-14"], ["1992-04-15"]),
}  # fmt: skip


def is_session(calendar: str, day: str) -> bool:
    return sessions.count_between(calendar, date.fromisoformat(day), date.fromisoformat(day)) == 1


@pytest.mark.parametrize("name", sorted(CASES))
def test_each_correction(name: str) -> None:
    calendars, without, having = CASES[name]
    for calendar in calendars:
        assert [day for day in without if is_session(calendar, day)] == [], calendar
        assert [day for day in having if not is_session(calendar, day)] == [], calendar


def test_every_correction_of_the_file_has_a_case_and_a_source() -> None:
    found = calendar_corrections.corrections()
    assert sorted(each.name for each in found) == sorted(CASES)
    assert all(each.source for each in found)


def test_every_calendar_named_in_the_file_is_one_of_a_library() -> None:
    named = frozenset().union(*(each.calendars for each in calendar_corrections.corrections()))
    unknown = {calendar for calendar in named if not sessions.is_known(calendar)}
    assert unknown == set()


def test_europe_settles_brent_on_american_holidays() -> None:
    assert [day for day in ("2024-01-15", "2024-05-27", "2025-07-04") if not is_session("IEPA", day)] == []


def test_hours_of_such_a_holiday_trade_for_the_next_session() -> None:
    # CME for King Day 2026: open on Sunday 18 January at 17:00, halted on Monday at 12:00, for trade date 20 January.
    for instant in (datetime(2026, 1, 19, 0, tzinfo=UTC), datetime(2026, 1, 19, 17, 59, tzinfo=UTC)):
        assert sessions.trade_date(ES, instant) == date(2026, 1, 20)
    # An added session ends at its own close: 12:15 in Chicago, 18:15 UTC.
    assert sessions.trade_date(CORN, datetime(2025, 1, 9, 18, 14, tzinfo=UTC)) == date(2025, 1, 9)
    assert sessions.trade_date(CORN, datetime(2025, 1, 9, 18, 16, tzinfo=UTC)) == date(2025, 1, 10)


def test_days_that_count_to_the_next_trade_date() -> None:
    found = sessions.counted_to_next(ES, date(2024, 1, 1), date(2024, 12, 31))
    assert [str(day) for day in found] == [
        "2024-01-15", "2024-02-19", "2024-05-27", "2024-06-19", "2024-07-04", "2024-09-02", "2024-11-28",
    ]  # fmt: skip
    assert len(sessions.counted_to_next(CORN, date(2024, 1, 1), date(2024, 12, 31))) == 0
    assert len(sessions.counted_to_next("XNYS", date(2024, 1, 1), date(2024, 12, 31))) == 0


def test_business_days_are_weekdays_beyond_what_a_calendar_knows() -> None:
    found, known_from, known_to = sessions.business_days(None, date(2025, 7, 3), date(2025, 7, 7))
    assert [str(day) for day in found] == ["2025-07-03", "2025-07-04", "2025-07-07"]
    assert known_from > known_to
    found, known_from, known_to = sessions.business_days(ES, date(2025, 7, 3), date(2025, 7, 7))
    assert [str(day) for day in found] == ["2025-07-03", "2025-07-07"]
    assert (known_from, known_to) == (date(2025, 7, 3), date(2025, 7, 7))


def test_last_trade_dates_count_some_days_without_a_settlement() -> None:
    found, *_ = sessions.business_days(COPPER, date(1999, 12, 30), date(2000, 1, 4))
    assert [str(day) for day in found] == ["1999-12-30", "1999-12-31", "2000-01-04"]
    assert not is_session(COPPER, "1999-12-31")


# ---------------------------------------------------------------- whole calendars against files


def stated_days(name: str, column: str, form: str) -> np.ndarray:
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"real data are not present at {path}")
    with path.open(newline="") as file:
        days = {datetime.strptime(row[column], form).replace(tzinfo=UTC).date() for row in csv.DictReader(file)}
    return np.array(sorted(days), dtype="datetime64[D]")


# Bars without a trade on days when the exchange was shut (volume 0, or that of the day before).
GHOSTS = ["2008-07-04", "2008-12-25", "2012-09-03", "2013-03-29"]


@pytest.mark.parametrize(
    ("symbol", "calendar", "vendor_lacks", "vendor_adds"),
    [
        ("NG", NG, [], GHOSTS),
        ("TY", TY, ["2021-04-02", "2025-01-09"], [*GHOSTS[:2], "2009-07-03", *GHOSTS[2:]]),
        ("EC", EC, ["2021-04-02"], GHOSTS),
    ],
)
def test_tradestation_has_a_bar_on_every_session(
    symbol: str, calendar: str, vendor_lacks: list[str], vendor_adds: list[str]
) -> None:
    days = stated_days(f"continuous/tradestation/{symbol}_daily_2008_2026_tradestation.csv", "Date", "%m/%d/%Y")
    ours = sessions.sessions_between(calendar, days[0].item(), days[-1].item())
    assert [str(day) for day in np.setdiff1d(ours, days)] == vendor_lacks
    assert [str(day) for day in np.setdiff1d(days, ours)] == vendor_adds


@pytest.mark.parametrize(
    ("name", "calendar", "vendor_lacks", "vendor_adds"),
    [
        ("copper", COPPER, [], []),
        ("heating_oil", NG, [], []),
        ("corn", CORN, [], []),
        ("soybean", CORN, ["2001-12-24"], ["1998-04-10"]),
    ],
)
def test_bloomberg_has_a_settlement_on_every_session(
    name: str, calendar: str, vendor_lacks: list[str], vendor_adds: list[str]
) -> None:
    days = stated_days(f"contracts/bloomberg_settles/{name}.csv", "date", "%Y-%m-%d")
    ours = sessions.sessions_between(calendar, days[0].item(), days[-1].item())
    assert [str(day) for day in np.setdiff1d(ours, days)] == vendor_lacks
    assert [str(day) for day in np.setdiff1d(days, ours)] == vendor_adds
