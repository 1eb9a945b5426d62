"""Distances on the New York calendar of early 2026: 19 January and 16 February are holidays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from locked_symbols import locked_symbol

from ctl.model.bars import Lacking
from ctl.model.findings import Reason
from ctl.model.locked import DataTo
from ctl.since_lock import staleness
from ctl.since_lock.staleness import Reach

FRIDAY = date(2026, 2, 27)


def reach(
    canonical: date = FRIDAY, reference: date = FRIDAY, *, symbol: str = "CL", locked: date | None = None
) -> Reach:
    held = None if locked is None else replace(locked_symbol(), last_canonical=locked, last_reference=locked)
    return Reach(symbol, "XNYS", DataTo(canonical, reference), held)


def judged(
    *reaches: Reach, now: date | datetime = FRIDAY, limit: int | None = 5, as_of: date | None = None
) -> Reason | None:
    return staleness.judge(reaches, now=now, limit=limit, as_of=as_of).get("CL")


@pytest.mark.parametrize(
    ("until", "count"),
    [
        # 2 to 6 March are five sessions; New York closes at 21:00 UTC in winter.
        (datetime(2026, 3, 6, 20, 59, tzinfo=UTC), 4),
        (datetime(2026, 3, 6, 21, 0, tzinfo=UTC), 5),
        (datetime(2026, 3, 8, 12, 0, tzinfo=UTC), 5),
        (date(2026, 3, 6), 5),
        (date(2026, 2, 27), 0),
        (date(2026, 1, 2), 0),
    ],
)
def test_finished_sessions_are_counted(until: date | datetime, count: int) -> None:
    assert staleness.sessions_since("XNYS", FRIDAY, until) == count


def test_without_a_calendar_weekdays_count() -> None:
    assert staleness.sessions_since("none", FRIDAY, date(2026, 3, 8)) == 5
    assert staleness.sessions_since("none", FRIDAY, datetime(2026, 3, 6, 23, 59, tzinfo=UTC)) == 4


@pytest.mark.parametrize(("now", "stale"), [(date(2026, 3, 6), False), (date(2026, 3, 9), True)])
def test_more_sessions_behind_the_instant_than_the_limit(now: date, stale: bool) -> None:
    found = judged(reach(), now=now)
    assert (found is not None) is stale
    if found is not None:
        assert (found.code, found.value, found.limit) == ("STALE_INPUT", 6.0, 5.0)
        assert judged(reach(), now=now, limit=6) is None
        assert judged(reach(), now=now, limit=None) is None


@pytest.mark.parametrize("limit", [5, 60, None])
def test_the_sides_may_lie_five_sessions_apart_whatever_the_limit(limit: int | None) -> None:
    # Five sessions before 27 February is the 20th, six the 19th.
    assert judged(reach(reference=date(2026, 2, 20)), limit=limit) is None
    found = judged(reach(reference=date(2026, 2, 19)), limit=limit)
    assert found is not None
    assert found.value == 6.0
    assert found.text.startswith("its reference ends 2026-02-19")
    ours = judged(reach(canonical=date(2026, 2, 19)), limit=limit)
    assert ours is not None
    assert ours.text.startswith("ends 2026-02-19")


def test_data_that_end_before_the_locked_last_session_are_stale_also_without_a_limit() -> None:
    short = reach(date(2026, 1, 16), date(2026, 1, 16), locked=FRIDAY)
    found = judged(short, now=date(2026, 1, 16), limit=None)
    assert found is not None
    # 20 to 30 January are nine sessions, February to the 27th nineteen.
    assert found.value == 28.0
    assert "the locked last session 2026-02-27" in found.text


def test_before_the_locked_last_session_the_distance_to_it_is_not_judged() -> None:
    day = date(2026, 1, 16)
    assert judged(reach(day, day, locked=FRIDAY), now=day, as_of=day) is None


def test_one_symbol_may_not_lie_behind_the_others() -> None:
    late = reach(date(2026, 1, 16), FRIDAY)
    others = [reach(symbol="ES"), reach(symbol="PL")]
    found = judged(late, *others, limit=None)
    assert found is not None
    assert found.text == "ends 2026-01-16, 28 sessions behind (limit 5); its reference, ES and PL 2026-02-27"
    assert judged(reach(), *others) is None
    assert set(staleness.judge([late, *others], now=FRIDAY, limit=5)) == {"CL"}


def test_both_sides_behind_the_others() -> None:
    late = reach(date(2026, 1, 16), date(2026, 1, 16))
    found = judged(late, reach(symbol="ES"), limit=None)
    assert found is not None
    assert found.text == "ends 2026-01-16, 28 sessions behind (limit 5); ES 2026-02-27"


def test_a_session_to_come_is_refused_and_makes_no_other_symbol_stale() -> None:
    ahead = reach(date(2027, 2, 26), symbol="ES")
    found = staleness.judge([reach(), ahead], now=FRIDAY, limit=5)
    assert {symbol: reason.code for symbol, reason in found.items()} == {"ES": "FUTURE_SESSION"}
    # A Globex session carries the next day's date.
    assert judged(reach(date(2026, 2, 28), FRIDAY)) is None


def test_a_side_that_is_not_known_is_left_to_the_certificate() -> None:
    assert judged(Reach("CL", "XNYS", DataTo(FRIDAY, None))) is None


OVER = datetime(2026, 2, 28, 0, 0, tzinfo=UTC)
PART = Lacking("UNFINISHED_SESSION", FRIDAY, OVER, "a.dbn holds a part of it")


@pytest.mark.parametrize(
    ("instant", "as_of", "code"),
    [
        (datetime(2026, 2, 27, 23, 59, tzinfo=UTC), None, None),  # it is running, and rightly left out
        (OVER, None, "UNFINISHED_SESSION"),
        (OVER, FRIDAY, "UNFINISHED_SESSION"),
        (OVER, date(2026, 2, 26), None),
    ],
)
def test_a_session_that_is_left_out_is_missed_once_it_is_over(
    instant: datetime, as_of: date | None, code: str | None
) -> None:
    found = staleness.lacking([PART], [], DataTo(), instant=instant, as_of=as_of)
    assert (None if found is None else found.code) == code


def test_the_side_that_lacks_it_is_named() -> None:
    found = staleness.lacking([], [PART], DataTo(), instant=OVER)
    assert found is not None
    assert found.text.startswith("its reference's session 2026-02-27 is unfinished, over since 2026-02-28 00:00 UTC")


@pytest.mark.parametrize(
    ("data_to", "code"),
    [
        (DataTo(date(2026, 2, 26), FRIDAY), "LOST_SESSION"),
        (DataTo(date(2026, 2, 26), date(2026, 2, 26)), None),  # a calendar may list a day on which nobody traded
        (DataTo(date(2026, 2, 26), None), None),
    ],
)
def test_a_session_without_a_bar_is_lost_where_the_other_side_has_it(data_to: DataTo, code: str | None) -> None:
    found = staleness.lacking([replace(PART, code="LOST_SESSION")], [], data_to, instant=OVER)
    assert (None if found is None else found.code) == code
