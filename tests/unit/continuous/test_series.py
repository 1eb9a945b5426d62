"""Roll policies on roots small enough to work out by hand.

A root is written as one line per contract: its volume on each of consecutive weekdays from Monday 2020-01-06 on
(D1 = 01-06, D5 = 01-10, D6 = 01-13). `.` is no bar, `?` a bar without volume; `7/40` is volume 7, open interest 40.
Closes are 100, 110, 120 ... for the first, second, third contract, plus 1 for every day.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from roll_roots import VOLUME, day, held, only, root, unguarded

from ctl import continuous
from ctl.errors import DataError, UsageError
from ctl.model.bars import SeriesMeta, SourceFile
from ctl.model.rolls import PendingRoll, RollPolicy, ScheduledRoll


def test_two_sessions_in_a_row_confirm_and_the_next_session_is_the_new_contracts() -> None:
    series = continuous.build(root({"ESH20": "9 9 5 4 3", "ESM20": "1 1 6 7 8"}), VOLUME)
    roll = only(series)
    assert held(series) == ["H", "H", "H", "H", "M"]
    assert (roll.gap_session, roll.known_at, roll.roll_date) == (day(4), day(4), day(5))
    assert (roll.from_close, roll.to_close, roll.gap) == (104.0, 114.0, 10.0)
    assert (roll.from_volume, roll.to_volume) == ((5, 4), (6, 7))
    assert (roll.reason, roll.concurrent, roll.cumulative_adjustment) == ("volume", True, 10.0)
    assert series.frame["close"].to_list() == [111.0, 112.0, 113.0, 114.0, 115.0]
    assert series.frame["open"].to_list() == [110.5, 111.5, 112.5, 113.5, 114.5]
    assert series.frame["high"].to_list() == [113.0, 114.0, 115.0, 116.0, 117.0]
    assert series.frame["low"].to_list() == [109.0, 110.0, 111.0, 112.0, 113.0]
    assert series.frame["close_unadjusted"].to_list() == [101.0, 102.0, 103.0, 104.0, 115.0]
    assert series.frame["adjustment"].to_list() == [10.0, 10.0, 10.0, 10.0, 0.0]
    assert series.frame["volume"].to_list() == [9, 9, 5, 4, 8]
    assert series.frame.columns == [
        "session", "open", "high", "low", "close", "volume", "open_interest", "contract", "adjustment",
        "close_unadjusted",
    ]  # fmt: skip


def test_same_session_uses_the_new_bar_on_the_confirming_session() -> None:
    bars = root({"ESH20": "9 9 5 4 3", "ESM20": "1 1 6 7 8"})
    series = continuous.build(bars, replace(VOLUME, timing="same_session"))
    roll = only(series)
    assert held(series) == ["H", "H", "H", "M", "M"]
    assert (roll.gap_session, roll.known_at, roll.roll_date) == (day(4), day(4), day(4))
    assert series.frame["close"].to_list() == [111.0, 112.0, 113.0, 114.0, 115.0]
    assert series.frame["close_unadjusted"].to_list() == [101.0, 102.0, 103.0, 114.0, 115.0]


def test_an_equal_volume_breaks_the_run() -> None:
    series = continuous.build(root({"ESH20": "9 5 5 5 5", "ESM20": "1 6 5 6 6"}), VOLUME)
    assert held(series) == ["H"] * 5
    assert series.pending_roll == PendingRoll(day(5), "ESH20", "ESM20", "volume")


def test_a_null_volume_neither_confirms_nor_breaks() -> None:
    for lines in ({"ESH20": "9 5 ? 5 5", "ESM20": "1 6 9 6 6"}, {"ESH20": "9 5 5 5 5", "ESM20": "1 6 ? 6 6"}):
        roll = only(continuous.build(root(lines), VOLUME))
        assert roll.known_at == day(4)
        assert (roll.from_volume, roll.to_volume) == ((5, 5), (6, 6))


def test_a_missing_bar_of_the_next_contract_breaks() -> None:
    series = continuous.build(root({"ESH20": "9 5 5 5 5 5", "ESM20": "1 6 . 6 6 6"}), VOLUME)
    assert only(series).known_at == day(5)


def test_a_missing_bar_of_the_active_contract_neither_confirms_nor_breaks() -> None:
    series = continuous.build(root({"ESH20": "9 5 . 5 5", "ESM20": "1 6 6 6 6"}), VOLUME)
    assert only(series).known_at == day(4)
    assert series.frame["session"].to_list() == [day(1), day(2), day(4), day(5)]
    assert series.counts["skipped_sessions"] == 1


def test_a_single_bad_volume_does_not_cascade_down_the_chain() -> None:
    # M leads H on D2 and D3, but U leads all on D3: not confirmed, not broken; confirmed on D4.
    series = continuous.build(root({"ESH20": "9 5 4 3 2", "ESM20": "1 6 7 8 9", "ESU20": "0 0 90 0 0"}), VOLUME)
    assert only(series).known_at == day(4)
    assert (only(series).from_volume, only(series).to_volume) == ((4, 3), (7, 8))
    assert series.counts["unconfirmed_crossovers"] == 1


def test_open_interest_confirms_where_the_volume_is_not_the_largest() -> None:
    lines = {"ESH20": "9/50 5/50 5/50 5/50", "ESM20": "1/10 6/60 6/60 6/60", "ESU20": "0 90 90 90"}
    assert only(continuous.build(root(lines), VOLUME)).known_at == day(3)
    lines["ESM20"] = "1/10 6/60 6/50 6/60"  # not more than the active one's on D3
    series = continuous.build(root(lines), VOLUME)
    assert series.counts["unconfirmed_crossovers"] == 1
    assert series.pending_roll == PendingRoll(day(4), "ESH20", "ESM20", "volume")


def test_with_open_interest_missing_on_either_the_largest_volume_alone_counts() -> None:
    for active, following in (("9 5 5 5", "1/9 6/9 6/9 6/9"), ("9/1 5/1 5/1 5/1", "1 6 6 6")):
        series = continuous.build(root({"ESH20": active, "ESM20": following, "ESU20": "0 90 90 90"}), VOLUME)
        assert series.rolls == ()
        assert series.counts["unconfirmed_crossovers"] == 2


def test_a_shared_largest_volume_is_the_largest() -> None:
    series = continuous.build(root({"ESH20": "9 5 5 5", "ESM20": "1 6 6 6", "ESU20": "0 0 6 0"}), VOLUME)
    assert only(series).known_at == day(3)


def test_only_the_adjacent_contract_is_asked() -> None:
    series = continuous.build(root({"ESH20": "9 5 5 5", "ESM20": "1 1 1 1", "ESU20": "0 9 9 9"}), VOLUME)
    assert series.rolls == ()


def test_a_contract_not_yet_listed_is_not_the_next() -> None:
    # M has no bar before D4: until then U is next to H. From D4 on it is M, with a run of its own.
    series = continuous.build(root({"ESH20": "9 1 5 5 5", "ESM20": ". . . 6 6", "ESU20": "1 1 6 9 9"}), VOLUME)
    assert series.rolls == ()
    assert series.counts["unconfirmed_crossovers"] == 1
    assert only(
        continuous.build(root({"ESH20": "9 5 5 5", "ESM20": ". . . 6", "ESU20": "1 6 6 9"}), VOLUME)
    ).known_at == day(3)


def test_one_day_and_three_days() -> None:
    bars = root({"ESH20": "9 5 5 5 5", "ESM20": "1 6 6 6 6"})
    assert only(continuous.build(bars, replace(VOLUME, consecutive_days=1))).known_at == day(2)
    assert only(continuous.build(bars, replace(VOLUME, consecutive_days=3))).known_at == day(4)


def test_the_run_of_the_next_pair_starts_after_the_confirming_session() -> None:
    lines = {"ESH20": "9 1 1 1 1 1", "ESM20": "1 5 5 5 5 5", "ESU20": "0 0 4 6 6 6"}
    series = continuous.build(root(lines), VOLUME)
    assert [(roll.known_at, roll.to_contract) for roll in series.rolls] == [(day(3), "ESM20"), (day(5), "ESU20")]


def test_the_first_contract_has_the_largest_volume_and_a_tie_goes_to_the_earliest() -> None:
    assert held(continuous.build(root({"ESH20": "1 1", "ESM20": "5 5", "ESU20": "5 5"}), VOLUME)) == ["M", "M"]
    assert held(continuous.build(root({"ESH20": "? 1", "ESM20": "? 5"}), VOLUME)) == ["H", "H"]
    assert held(continuous.build(root({"ESH20": "? 1", "ESM20": "0 5"}), VOLUME)) == ["M", "M"]


def test_a_roll_confirmed_by_the_last_session_is_pending() -> None:
    series = continuous.build(root({"ESH20": "9 5 5", "ESM20": "1 6 6"}), VOLUME)
    assert series.rolls == ()
    assert series.pending_roll == PendingRoll(day(3), "ESH20", "ESM20", "volume")
    assert series.frame["close"].to_list() == series.frame["close_unadjusted"].to_list() == [101.0, 102.0, 103.0]


def test_a_roll_whose_contract_has_not_traded_since_is_pending_and_dated_by_its_first_bar() -> None:
    lines = {"ESH20": "9 5 5 5", "ESM20": "1 6 6 ."}
    assert continuous.build(root(lines), VOLUME).pending_roll == PendingRoll(day(3), "ESH20", "ESM20", "volume")
    series = continuous.build(root({name: f"{line} 7" for name, line in lines.items()}), VOLUME)
    assert only(series).roll_date == day(5)
    assert series.frame["session"].to_list() == [day(1), day(2), day(3), day(5)]


# ---------------------------------------------------------------- ended contracts


def test_a_one_session_hole_is_skipped_and_counted() -> None:
    series = continuous.build(root({"ESH20": "9 9 . 9", "ESM20": "1 1 1 1"}), VOLUME)
    assert series.rolls == ()
    assert series.frame["session"].to_list() == [day(1), day(2), day(4)]
    assert series.counts["skipped_sessions"] == 1


def test_two_sessions_without_a_bar_force_a_roll_on_the_second() -> None:
    series = continuous.build(root({"ESH20": "9/7 9/7 . .", "ESM20": "1 2 3 4"}), VOLUME)
    roll = only(series)
    assert (roll.gap_session, roll.known_at, roll.roll_date) == (day(2), day(4), day(4))
    assert (roll.reason, roll.concurrent, roll.gap) == ("contract_ended", True, 10.0)
    assert (roll.from_volume, roll.to_volume) == ((9,), (2,))
    assert series.frame["session"].to_list() == [day(1), day(2), day(4)]
    assert series.counts["skipped_sessions"] == 1


def test_a_session_on_which_no_eligible_contract_trades_counts_neither_way() -> None:
    policy = replace(VOLUME, eligible_months="HM")
    # K alone trades on D3: H is missing on D2 and D4, which follow one another among the sessions that count.
    series = continuous.build(root({"ESH20": "9 . . . .", "ESK20": "1 1 1 1 1", "ESM20": "1 1 . 1 1"}), policy)
    assert only(series).known_at == day(4)
    assert series.counts["skipped_sessions"] == 2
    assert series.counts["ineligible_contracts"] == 1


def test_a_hole_beside_a_session_without_eligible_trade_is_not_an_end() -> None:
    policy = replace(VOLUME, eligible_months="HM")
    series = continuous.build(root({"ESH20": "9 . . 9", "ESK20": "1 1 1 1", "ESM20": "1 . 1 1"}), policy)
    assert series.rolls == ()
    assert held(series) == ["H", "H"]


def test_a_forced_roll_does_not_go_to_a_contract_past_its_own_end() -> None:
    lines = {"ESH20": "9 . . .", "ESM20": "1 1 1 1", "ESU20": "1 1 1 1"}
    roll = only(continuous.build(root(lines, last_trade={"ESM20": day(2)}), VOLUME))
    assert (roll.to_contract, roll.known_at) == ("ESU20", day(3))


def test_a_late_forced_roll_states_the_last_session_before_the_end() -> None:
    bars = root({"ESH20": "9 8 7 .", "ESM20": "1 2 . 4"}, last_trade={"ESH20": day(2)})
    roll = only(continuous.build(bars, VOLUME))
    assert (roll.gap_session, roll.known_at) == (day(2), day(4))
    assert (roll.from_volume, roll.to_volume) == ((8,), (2,))


def test_a_forced_roll_goes_to_the_adjacent_contract_that_trades() -> None:
    series = continuous.build(root({"ESH20": "9 . . .", "ESM20": "1 1 . 1", "ESU20": "1 1 1 1"}), VOLUME)
    assert only(series).to_contract == "ESU20"
    assert held(series) == ["H", "U", "U"]


def test_past_the_known_last_trade_date_the_roll_is_forced_at_once() -> None:
    bars = root({"ESH20": "9 9 . 9", "ESM20": "1 2 3 4"}, last_trade={"ESH20": day(2)})
    roll = only(continuous.build(bars, VOLUME))
    assert (roll.gap_session, roll.known_at, roll.roll_date, roll.reason) == (day(2), day(3), day(3), "contract_ended")


def test_a_bar_after_the_known_last_trade_date_is_not_used() -> None:
    bars = root({"ESH20": "9 9 9", "ESM20": "1 2 ."}, last_trade={"ESH20": day(2)})
    series = continuous.build(bars, VOLUME)
    assert series.frame["session"].to_list() == [day(1), day(2)]
    assert any(text.startswith(f"the series ends on {day(2)}: up to {day(3)} ") for text in series.warnings)


def test_without_a_successor_the_series_ends() -> None:
    series = continuous.build(root({"ESH20": "9 1 1 1 1", "ESM20": "1 5 5 . ."}), VOLUME)
    assert series.frame["session"].to_list() == [day(1), day(2), day(3)]
    series = continuous.build(root({"ESH20": "9 9 . .", "ESM20": "1 . 1 ."}), replace(VOLUME, eligible_months="H"))
    assert series.frame["session"].to_list() == [day(1), day(2)]
    assert series.meta.notes[-1].startswith(f"the series ends on {day(2)}: ")


def test_the_gap_of_a_forced_roll_falls_back_to_the_latest_session_with_both() -> None:
    roll = only(continuous.build(root({"ESH20": "9 9 9 . .", "ESM20": "1 1 . 3 4"}), VOLUME))
    assert (roll.gap_session, roll.from_close, roll.to_close, roll.concurrent) == (day(2), 102.0, 112.0, True)
    assert (roll.from_volume, roll.to_volume) == ((9,), (None,))  # of the old contract's last session


def test_without_a_common_session_the_nearest_closes_are_flagged() -> None:
    series = continuous.build(root({"ESH20": "9 9 . . .", "ESM20": ". . 1 2 3"}), VOLUME)
    roll = only(series)
    assert (roll.gap_session, roll.from_close, roll.to_close, roll.concurrent) == (day(2), 102.0, 113.0, False)
    assert series.counts["non_concurrent_gaps"] == 1


def test_a_contract_that_never_trades_after_its_roll_leaves_its_gap() -> None:
    # M is confirmed on D3 and silent from then on; U follows by force on D5. 10 + 10 points between H and U.
    series = continuous.build(root({"ESH20": "9 5 5 5 5", "ESM20": "1 6 6 . .", "ESU20": "0 0 0 1 1"}), VOLUME)
    assert [(r.from_contract, r.to_contract, r.reason, r.roll_date) for r in series.rolls] == [
        ("ESH20", "ESM20", "volume", day(4)),
        ("ESM20", "ESU20", "contract_ended", day(5)),
    ]
    assert series.rolls[0].cumulative_adjustment == 20.0
    assert series.frame["close"].to_list() == [121.0, 122.0, 123.0, 125.0]


# ---------------------------------------------------------------- other policies


def test_open_interest_needs_no_second_look() -> None:
    lines = {"ESH20": "9/50 9/50 9/50 9/50", "ESM20": "1/10 1/60 1/60 1/60", "ESU20": "0/90 0/90 0/90 0/90"}
    roll = only(continuous.build(root(lines), unguarded(kind="open_interest")))
    assert (roll.known_at, roll.reason, roll.from_volume, roll.to_volume) == (day(3), "open_interest", (9, 9), (1, 1))


def test_calendar_counts_sessions_before_expiry() -> None:
    bars = root({"ESH20": "9 " * 8, "ESM20": "1 " * 8}, last_trade={"ESH20": day(7), "ESM20": date(2020, 6, 19)})
    for offset, confirming in ((0, 7), (2, 5), (3, 4)):
        roll = only(continuous.build(bars, unguarded(kind="calendar", offset=offset)))
        assert (roll.known_at, roll.gap_session, roll.roll_date) == (
            day(confirming),
            day(confirming),
            day(confirming + 1),
        )
        assert roll.reason == "calendar"
        at_once = only(continuous.build(bars, unguarded(kind="calendar", offset=offset, timing="same_session")))
        assert at_once.roll_date == day(confirming)


def test_calendar_counts_on_the_exchange_calendar() -> None:
    bars = root({"ESH20": "9 " * 8, "ESM20": "1 " * 8}, last_trade={"ESH20": day(7), "ESM20": date(2020, 6, 19)})
    sessions = np.array([day(n) for n in range(1, 200) if n != 6], dtype="datetime64[D]")  # D6 is a holiday
    series = continuous.build(bars, unguarded(kind="calendar", offset=2), calendar_sessions=sessions)
    assert only(series).known_at == day(4)
    assert not any("weekdays" in text for text in series.warnings)
    assert series.counts["sessions_off_calendar"] == 1
    short = continuous.build(bars, unguarded(kind="calendar", offset=2), calendar_sessions=sessions[:3])
    assert "counted on weekdays" in short.warnings[0]


def test_a_roll_day_without_any_bar_is_known_on_the_session_after() -> None:
    bars = root({"ESH20": "9 9 . 9 9", "ESM20": "1 1 . 1 1"}, last_trade={"ESH20": day(3), "ESM20": day(99)})
    roll = only(continuous.build(bars, unguarded(kind="calendar")))
    assert (roll.gap_session, roll.known_at, roll.roll_date) == (day(2), day(4), day(4))


def test_a_roll_day_waits_for_the_next_contract_to_be_listed() -> None:
    bars = root({"ESH20": "9 9 . 9 9", "ESM20": ". . . 1 1"}, last_trade={"ESH20": day(9), "ESM20": day(99)})
    roll = only(continuous.build(bars, unguarded(kind="calendar", offset=6)))
    assert (roll.gap_session, roll.known_at, roll.roll_date) == (day(4), day(4), day(5))


def test_calendar_on_first_notice_and_on_a_fixed_day() -> None:
    bars = root({"ESF20": "9 " * 8, "ESH20": "1 " * 8}, first_notice={"ESF20": day(5), "ESH20": day(50)})
    assert only(continuous.build(bars, unguarded(kind="calendar", anchor="first_notice", offset=1))).known_at == day(4)
    fixed = unguarded(kind="calendar", anchor="fixed_day", fixed_day=12)  # a Sunday: the Friday before
    assert only(continuous.build(bars, fixed)).known_at == day(5)
    later = root({"ESG20": "9 " * 8, "ESJ20": "1 " * 8})
    one_before = unguarded(kind="calendar", anchor="fixed_day", fixed_day=9, months_before=1)
    assert only(continuous.build(later, one_before)).known_at == day(4)  # 2020-01-09, of the month before February


def test_an_unknown_expiry_is_an_error_and_never_the_last_bar() -> None:
    bars = root({"ESH20": "9 9 .", "ESM20": "1 1 1"})
    with pytest.raises(
        DataError, match=r"needs the last trade date of every contract of ES that it holds.*ESH20"
    ) as caught:
        continuous.build(bars, unguarded(kind="calendar"))
    assert caught.value.code == "UNKNOWN_EXPIRY"
    with pytest.raises(DataError, match="first notice day"):
        continuous.build(bars, unguarded(kind="calendar", anchor="first_notice"))
    with pytest.raises(DataError, match="last trade date"):
        continuous.build(bars, unguarded(kind="databento_c"))


def test_a_schedule_is_followed() -> None:
    bars = root({"ESH20": "9 9 9 9 9", "ESM20": "1 1 1 1 1", "ESU20": "1 1 1 1 1"})
    plan = (ScheduledRoll(day(3), "ESH20", "ESM20"), ScheduledRoll(day(5), "ESM20", "ESU20"))
    series = continuous.build(bars, unguarded(kind="schedule", schedule=plan))
    assert held(series) == ["H", "H", "M", "M", "U"]
    assert [(r.roll_date, r.gap_session, r.known_at, r.reason) for r in series.rolls] == [
        (day(3), day(2), day(2), "schedule"),
        (day(5), day(4), day(4), "schedule"),
    ]


def test_a_scheduled_contract_without_a_bar_waits_for_its_next() -> None:
    bars = root({"ESH20": "9 9 9 9 9", "ESM20": "1 1 . . 1"})
    series = continuous.build(bars, unguarded(kind="schedule", schedule=(ScheduledRoll(day(3), None, "ESM20"),)))
    assert held(series) == ["H", "H", "H", "H", "M"]
    assert (only(series).roll_date, only(series).gap_session) == (day(5), day(2))
    waiting = continuous.build(
        root({"ESH20": "9 9 9 9", "ESM20": "1 1 . ."}),
        unguarded(kind="schedule", schedule=(ScheduledRoll(day(3), None, "ESM20"),)),
    )
    assert waiting.pending_roll == PendingRoll(day(2), "ESH20", "ESM20", "schedule")


def test_a_contract_that_the_schedule_holds_waits_for_its_next_bar() -> None:
    bars = root({"ESH20": "9 . . 9 9", "ESM20": "1 1 1 1 1"})
    plan = (ScheduledRoll(day(5), "ESH20", "ESM20"),)
    series = continuous.build(bars, unguarded(kind="schedule", schedule=plan))
    assert held(series) == ["H", "H", "M"]
    assert series.counts["skipped_sessions"] == 2


def test_past_its_end_or_past_the_schedule_a_contract_is_left() -> None:
    lines = {"ESH20": "9 . . 9 9", "ESM20": "1 1 1 . .", "ESU20": "1 1 1 1 1"}
    plan = (ScheduledRoll(day(3), "ESH20", "ESM20"),)
    series = continuous.build(root(lines, last_trade={"ESH20": day(1)}), unguarded(kind="schedule", schedule=plan))
    assert held(series) == ["H", "M", "M", "U"]
    assert [roll.reason for roll in series.rolls] == ["contract_ended", "contract_ended"]


def test_a_schedule_begins_with_the_contract_it_leaves() -> None:
    bars = root({"ESH20": "1 1 1 1", "ESM20": "9 9 9 9"})
    series = continuous.build(bars, unguarded(kind="schedule", schedule=(ScheduledRoll(day(3), "ESH20", "ESM20"),)))
    assert held(series) == ["H", "H", "M", "M"]


def test_of_two_closes_equally_near_the_earlier_makes_the_gap() -> None:
    bars = root({"ESH20": ". 9 .", "ESM20": "1 . 1"})
    series = continuous.build(bars, unguarded(kind="schedule", schedule=(ScheduledRoll(day(3), "ESH20", "ESM20"),)))
    roll = only(series)
    assert (roll.gap_session, roll.from_close, roll.to_close, roll.concurrent) == (day(2), 102.0, 111.0, False)


def test_a_schedule_never_leads_back() -> None:
    bars = root({"ESH20": "9 9 9 9", "ESM20": "1 1 1 1"})
    plan = (ScheduledRoll(day(2), "ESH20", "ESM20"), ScheduledRoll(day(3), "ESM20", "ESH20"))
    assert held(continuous.build(bars, unguarded(kind="schedule", schedule=plan))) == ["H", "M", "M", "M"]


def test_a_schedule_of_unknown_contracts_is_an_error() -> None:
    plan = (ScheduledRoll(day(2), None, "ESZ31"),)
    with pytest.raises(DataError, match=r"none of the scheduled contracts of ES has bars.*ESZ31"):
        continuous.build(root({"ESH20": "9 9"}), unguarded(kind="schedule", schedule=plan))


def test_databento_rules_rank_on_the_previous_day() -> None:
    lines = {"ESH20": "9/9 9/9 9/1 9/1 9/9", "ESM20": "1/1 9/1 8/1 10/1 1/1", "ESU20": "1/1 1/1 1/8 1/1 1/1"}
    by_volume = continuous.build(root(lines), unguarded(kind="databento_v"))
    assert held(by_volume) == ["H", "H", "H", "H", "M"]
    assert (only(by_volume).known_at, only(by_volume).reason) == (day(4), "rank")
    by_interest = continuous.build(root(lines), unguarded(kind="databento_n"))
    assert held(by_interest) == ["H", "H", "H", "U", "U"]
    assert only(by_interest).known_at == day(3)


def test_databento_c_holds_the_nearest_expiry_to_its_end() -> None:
    expiry = {"ESH20": day(3), "ESM20": day(50)}
    series = continuous.build(
        root({"ESH20": "1 1 1 .", "ESM20": "9 9 9 9"}, last_trade=expiry), unguarded(kind="databento_c")
    )
    assert held(series) == ["H", "H", "H", "M"]
    assert only(series).reason == "rank"


# ---------------------------------------------------------------- adjustment and bars


def test_ratio_multiplies_and_none_leaves() -> None:
    bars = root({"ESH20": "9 5 5 5", "ESM20": "1 6 6 6"}, closes={"ESH20": {3: 100.0}, "ESM20": {3: 125.0}})
    ratio = continuous.build(bars, replace(VOLUME, adjustment="ratio"))
    assert ratio.frame["close"].to_list() == [101.0 * 1.25, 102.0 * 1.25, 125.0, 114.0]
    assert ratio.frame["open"].to_list() == [100.5 * 1.25, 101.5 * 1.25, 99.5 * 1.25, 113.5]
    assert ratio.frame["adjustment"].to_list() == [101.0 / 4, 102.0 / 4, 25.0, 0.0]
    none = continuous.build(bars, replace(VOLUME, adjustment="none"))
    assert none.frame["close"].to_list() == none.frame["close_unadjusted"].to_list()
    assert none.frame["adjustment"].to_list() == [0.0] * 4
    assert only(none).gap == only(ratio).gap == 25.0


@pytest.mark.parametrize("close", [0.0, -37.63])
def test_ratio_is_refused_where_a_close_is_not_positive(close: float) -> None:
    bars = root({"CLK20": "9 9 5 5 5", "CLM20": "1 1 6 6 6"}, closes={"CLK20": {2: close}})
    with pytest.raises(DataError, match=r"CLK20 2020-01-07: ratio adjustment of CL is impossible") as caught:
        continuous.build(bars, replace(VOLUME, adjustment="ratio"))
    assert caught.value.code == "RATIO_OF_NON_POSITIVE"
    assert continuous.build(bars, VOLUME).frame["close_unadjusted"][1] == close


def test_settlements_alone_are_enough() -> None:
    bars = root({"ESH20": "9 5 5 5", "ESM20": "1 6 6 6"})
    bare = replace(
        bars, frame=bars.frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(n) for n in ("open", "high", "low"))
    )
    series = continuous.build(bare, VOLUME)
    assert series.frame["close"].to_list() == [111.0, 112.0, 113.0, 114.0]
    assert series.frame["open"].null_count() == 4


def test_a_bar_without_a_close_is_no_bar() -> None:
    bars = root({"ESH20": "9 9 9", "ESM20": "1 1 1"})
    frame = bars.frame.with_columns(close=pl.when(pl.col("session") != day(2)).then(pl.col("close")))
    series = continuous.build(replace(bars, frame=frame), VOLUME)
    assert series.frame["session"].to_list() == [day(1), day(3)]
    assert series.counts["bars_without_close"] == 2


def test_one_contract_alone() -> None:
    series = continuous.build(root({"ESH20": "9 9 9"}), VOLUME)
    assert series.rolls == ()
    assert series.pending_roll is None
    assert series.frame.height == 3


def test_serial_months_without_a_cycle_are_a_warning() -> None:
    bars = root({"PLF20": "9 9", "PLG20": "1 1", "PLJ20": "1 1"})
    series = continuous.build(bars, VOLUME)
    assert "serial months (FGJ) and no liquid cycle is named" in series.warnings[0]
    assert series.meta.notes == series.warnings
    assert continuous.build(bars, replace(VOLUME, eligible_months="FJNV")).warnings == ()
    assert continuous.build(root({"ESH20": "9 9", "ESM20": "1 1"}), VOLUME).warnings == ()


def test_ineligible_contracts_make_sessions_but_are_never_held() -> None:
    series = continuous.build(
        root({"PLF20": "9 9 . 9", "PLG20": "99 99 99 99"}), replace(VOLUME, eligible_months="FJNV")
    )
    assert held(series) == ["F", "F", "F"]
    assert series.counts["skipped_sessions"] == 1


# ---------------------------------------------------------------- refusals


def test_no_contract_of_the_eligible_months() -> None:
    with pytest.raises(DataError, match=r"no contract of ES to build from.*months HM.*eligible months UZ"):
        continuous.build(root({"ESH20": "9", "ESM20": "1"}), replace(VOLUME, eligible_months="UZ"))


def test_no_bars_and_other_roots() -> None:
    bars = root({"ESH20": "9 9"})
    with pytest.raises(DataError, match="no bars of ES"):
        continuous.build(replace(bars, frame=bars.frame.clear(), contracts=()), VOLUME)
    with pytest.raises(DataError, match="no contract of PL among the bars; found ES"):
        continuous.build(bars, VOLUME, root="PL")
    mixed = root({"PAH20": "9 9", "PLJ20": "1 1"})
    with pytest.raises(DataError, match="several roots"):
        continuous.build(mixed, VOLUME)
    series = continuous.build(mixed, VOLUME, root="PL")
    assert (series.meta.root, held(series)) == ("PL", ["J", "J"])
    assert series.counts["contracts_of_other_roots"] == 1


def test_weekend_bars_are_refused() -> None:
    bars = root({"ESH20": "9 9"})
    frame = bars.frame.with_columns(session=pl.col("session").dt.offset_by("-1d"))
    with pytest.raises(DataError, match=r"1 weekend-dated sessions of ES, the first 2020-01-05"):
        continuous.build(replace(bars, frame=frame), VOLUME)


def test_sessions_twice_or_out_of_order_are_refused() -> None:
    bars = root({"ESH20": "9 9 9", "ESM20": "1 1 1"})
    for rows in ([0, 0, 1, 3], [1, 0, 2, 3]):
        with pytest.raises(
            DataError, match=r"ESH20 2020-01-06: sessions of a contract of ES are not ascending and unique"
        ):
            continuous.build(replace(bars, frame=bars.frame[rows]), VOLUME)
    with pytest.raises(DataError, match="not contract after contract"):
        continuous.build(replace(bars, frame=bars.frame.sort("session")), VOLUME)
    with pytest.raises(DataError, match="unlisted contracts ESM20"):
        continuous.build(replace(bars, contracts=bars.contracts[:1]), VOLUME)


@pytest.mark.parametrize(
    ("column", "value"), [("close", float("nan")), ("high", float("inf")), ("volume", -1), ("open_interest", -5)]
)
def test_unsound_bars_are_refused(column: str, value: float) -> None:
    bars = root({"ESH20": "9 9"})
    frame = bars.frame.with_columns(
        pl.when(pl.col("session") == day(2))
        .then(pl.lit(value))
        .otherwise(pl.col(column))
        .cast(bars.frame[column].dtype)
        .alias(column)
    )
    with pytest.raises(DataError, match="ESH20 2020-01-07: unsound bar of ES"):
        continuous.build(replace(bars, frame=frame), VOLUME)


def test_a_policy_that_no_bar_can_support_is_refused() -> None:
    bars = root({"ESH20": "? ?", "ESM20": "? ?"})
    for kind in ("volume", "open_interest", "databento_v", "databento_n"):
        with pytest.raises(DataError, match=f"policy {kind} needs the") as caught:
            continuous.build(bars, unguarded(kind=kind))  # type: ignore[arg-type]
        assert caught.value.code == "MEASURE_MISSING"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (replace(VOLUME, kind="moon"), "unknown policy"),  # type: ignore[arg-type]
        (replace(VOLUME, timing="later"), "unknown timing"),  # type: ignore[arg-type]
        (replace(VOLUME, adjustment="twice"), "unknown adjustment"),  # type: ignore[arg-type]
        (replace(VOLUME, anchor="moon"), "unknown anchor"),  # type: ignore[arg-type]
        (replace(VOLUME, consecutive_days=0), "1 to 60"),
        (replace(VOLUME, eligible_months=""), "delivery month letters"),
        (replace(VOLUME, eligible_months="HMA"), "delivery month letters"),
        (replace(VOLUME, offset=-1), "expected 0 to 60"),
        (unguarded(kind="calendar", anchor="fixed_day"), "needs that day"),
        (unguarded(kind="calendar", anchor="fixed_day", fixed_day=32), "needs that day"),
        (unguarded(kind="calendar", anchor="fixed_day", fixed_day=3, months_before=3), "months before delivery"),
        (unguarded(kind="calendar", months_before=1), "months before delivery"),
        (unguarded(kind="schedule"), "needs rolls to follow"),
        (unguarded(kind="databento_v", timing="same_session"), "previous day's values"),
    ],
)
def test_policies_that_contradict_themselves_are_refused(policy: RollPolicy, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        continuous.build(root({"ESH20": "9 9"}), policy)


def test_metadata_is_kept() -> None:
    source = SourceFile("es.csv", "ab" * 32, 10, 2, day(1), day(2))
    meta = SeriesMeta(
        "ES", "hand", "utc_day", "last_trade", "index points", None, (source,), {"instruments_dropped": 3}, ("x",)
    )
    series = continuous.build(root({"ESH20": "9 9"}, meta=meta), VOLUME)
    assert (series.meta.session_basis, series.meta.close_basis, series.meta.sources) == (
        "utc_day",
        "last_trade",
        (source,),
    )
    assert series.meta.notes == ("x",)
    assert series.counts["dropped_instruments"] == 3
    assert series.meta.sources[0].sha256 == "ab" * 32
