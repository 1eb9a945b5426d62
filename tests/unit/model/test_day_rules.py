"""Rules of exchanges in a few words, against dates that exchanges published and against a count day by day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl import sessions
from ctl.model.day_rules import DayRule, days_named, parse

CRUDE = "3 bd before day 25 of the month before"
BRENT = "last bd of the 2nd month before or one bd earlier before Christmas and New Year"


def named(words: str, calendar: str, *months: str) -> list[str]:
    business_days, *_ = sessions.business_days(calendar, date(1999, 1, 1), date(2027, 12, 31))
    found, _ = days_named(parse(words), np.array(months, dtype="datetime64[M]"), business_days)
    return [str(day) for day in found]


# Each turns on a holiday. Published by the exchanges; BRN by ICE's expiry calendar.
PUBLISHED = [
    ("3rd Friday", "CMES", "2008-03", "2008-03-20"),  # Good Friday
    ("3rd Friday", "CMES", "2026-06", "2026-06-18"),  # Juneteenth
    (CRUDE, "CMEGlobex_Energy", "2009-01", "2008-12-19"),  # the 25th is Christmas
    (CRUDE, "CMEGlobex_Energy", "2020-05", "2020-04-21"),  # the 25th is a Saturday
    ("Monday after the 1st Friday", "CME_Agriculture", "2013-04", "2013-04-08"),
    (BRENT, "XLON", "2024-02", "2023-12-28"),  # Friday 29 December is the one before New Year
    (BRENT, "XLON", "2024-03", "2024-01-31"),
    ("3rd last bd", "CMEGlobex_Metals", "2025-12", "2025-12-29"),
    ("last bd of the month before", "CMEGlobex_Metals", "2025-12", "2025-11-28"),
    ("8th last bd", "CME_Bond", "2025-06", "2025-06-18"),
    ("9th last bd", "ICEUS", "2024-05", "2024-05-20"),
    ("7 bd before the 1st bd", "ICEUS", "2024-05", "2024-04-22"),
    ("5 bd before the 1st bd", "ICEUS", "2024-05", "2024-04-24"),
    ("17th last bd", "ICEUS", "2024-05", "2024-05-08"),
    ("last bd before day 15", "CBOT_Agriculture", "2024-12", "2024-12-13"),  # the 15th is a Sunday
    ("last bd before day 15", "CBOT_Agriculture", "2024-03", "2024-03-14"),
    ("2 bd before the 3rd Wednesday", "CMEGlobex_FX", "2025-06", "2025-06-16"),
    ("last Friday", "CMES", "2025-05", "2025-05-30"),
    ("10th bd", "CME_Agriculture", "1999-10", "1999-10-14"),  # CME advisory 99-92: Columbus Day is a business day
]


@pytest.mark.parametrize(("words", "calendar", "month", "day"), PUBLISHED)
def test_published_dates(words: str, calendar: str, month: str, day: str) -> None:
    assert named(words, calendar, month) == [day]


def test_many_months_at_once() -> None:
    months = [month for words, _, month, _ in PUBLISHED if words == CRUDE]
    assert named(CRUDE, "CMEGlobex_Energy", *months) == ["2008-12-19", "2020-04-21"]


def test_words_taken_apart() -> None:
    assert parse(CRUDE) == DayRule(months_before=1, day=25, before=3)
    assert parse("8th last bd of the month") == DayRule(from_last=8)
    assert parse("10th bd") == DayRule(from_first=10)
    assert parse("last bd before day 15") == DayRule(from_last=1, until=15)
    assert parse("Monday after the 1st Friday") == DayRule(weekday=4, nth=1, following=0)
    assert parse("last Friday of the month before") == DayRule(months_before=1, weekday=4, nth=-1)
    assert parse(BRENT) == DayRule(months_before=2, from_last=1, before_holidays=True)


@pytest.mark.parametrize(
    "words",
    ["", "last day", "third Friday", "5th Friday", "day 32", "day 0", "bd before day 25", "3 bd", "last bd of May",
     "3 bd before day 25 of the month before that", "3rd Sunday", "last bd before day 40", "0th last bd", "0th bd"],
)  # fmt: skip
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="day"):
        parse(words)


# ---------------------------------------------------------------- day by day


@st.composite
def closed_days(draw: st.DrawFn) -> frozenset[date]:
    """Weekdays of 2020 and 2021 without a session."""
    offsets = draw(st.frozensets(st.integers(0, 730), max_size=60))
    return frozenset(date(2020, 1, 1) + timedelta(days=offset) for offset in offsets)


@given(closed=closed_days(), month=st.integers(4, 20), count=st.integers(1, 8), day=st.integers(1, 31))
def test_counting_equals_a_walk_through_the_calendar(closed: frozenset[date], month: int, count: int, day: int) -> None:
    every = [date(2020, 1, 1) + timedelta(days=offset) for offset in range(730)]
    open_days = [each for each in every if each.weekday() < 5 and each not in closed]
    year, index = 2020 + month // 12, month % 12 + 1
    in_month = [each for each in open_days if (each.year, each.month) == (year, index)]

    def found(words: str) -> date:
        business_days = np.array(open_days, dtype="datetime64[D]")
        days, _ = days_named(parse(words), np.array([f"{year}-{index:02d}"], dtype="datetime64[M]"), business_days)
        return days[0].item()

    def ordinal(number: int) -> str:
        return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"

    if len(in_month) >= count:
        assert found(f"{ordinal(count)} last bd") == in_month[-count]
        assert found(f"{ordinal(count)} bd") == in_month[count - 1]
    limit = min(date(year, index, 28) + timedelta(days=3), date(year, index, 1) + timedelta(days=day - 1))
    while limit.month != index:
        limit -= timedelta(days=1)
    back = [each for each in open_days if each <= limit]
    assert found(f"{count} bd before day {day}") == back[-1 - count]
    third = [each for each in every if (each.year, each.month) == (year, index) and each.weekday() == 4][2]
    assert found("3rd Friday") == [each for each in open_days if each <= third][-1]


def test_business_days_that_begin_too_late_are_refused() -> None:
    with pytest.raises(IndexError):
        days_named(
            parse("8th last bd"), np.array(["2020-01"], dtype="datetime64[M]"), np.array(["2020-01-30"], "M8[D]")
        )
