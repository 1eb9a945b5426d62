"""The guard, the target of a roll, holes, impossible closes and contracts that hardly trade, on roots made by hand.

Roots are written as in roll_roots: one line per contract, its volume on each weekday from 2020-01-06 on.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from roll_roots import day, held, only, root

from ctl import continuous
from ctl.errors import DataError, UsageError
from ctl.model.bars import ContractBars
from ctl.model.rolls import ContinuousSeries, RollPolicy


def codes(series: ContinuousSeries) -> list[str]:
    return [notice.code for notice in series.notices]


def text_of(series: ContinuousSeries, code: str) -> str:
    (text,) = (notice.text for notice in series.notices if notice.code == code)
    return text


# ---------------------------------------------------------------- the guard


@pytest.mark.parametrize(("sessions", "known"), [(0, 6), (1, 5), (2, 4), (3, 3)])
def test_the_new_contract_is_in_force_so_many_sessions_before_the_last_trade(sessions: int, known: int) -> None:
    """Last trade on D7: with two sessions the next contract is in force on D5, known at the close of D4."""
    bars = root({"ESH20": "9 " * 8, "ESM20": "1 " * 8}, last_trade={"ESH20": day(7)})
    roll = only(continuous.build(bars, RollPolicy(guard_sessions=sessions)))
    assert (roll.reason, roll.known_at, roll.roll_date) == ("guard", day(known), day(known + 1))
    assert (roll.gap_session, roll.gap) == (day(known), 10.0)
    assert (roll.from_volume, roll.to_volume) == ((9,), (1,))


def test_first_notice_comes_before_last_trade() -> None:
    bars = root({"ESH20": "9 " * 9, "ESM20": "1 " * 9}, last_trade={"ESH20": day(9)}, first_notice={"ESH20": day(6)})
    assert only(continuous.build(bars, RollPolicy())).roll_date == day(4)


def test_the_default_guard_is_two_sessions_and_a_confirmed_roll_comes_first() -> None:
    bars = root({"ESH20": "9 9 1 1 1 1 1 1", "ESM20": "1 1 5 5 9 9 9 9"}, last_trade={"ESH20": day(8)})
    roll = only(continuous.build(bars, RollPolicy()))
    assert (roll.reason, roll.known_at) == ("volume", day(4))
    assert continuous.build(bars, RollPolicy()).counts["guard_rolls"] == 0


def test_the_guard_counts_on_the_exchange_calendar() -> None:
    bars = root({"ESH20": "9 " * 8, "ESM20": "1 " * 8}, last_trade={"ESH20": day(8)})
    holiday = np.array([day(n) for n in range(1, 30) if n != 7], dtype="datetime64[D]")
    assert only(continuous.build(bars, RollPolicy(), calendar_sessions=holiday)).roll_date == day(5)
    series = continuous.build(bars, RollPolicy())
    assert only(series).roll_date == day(6)
    assert any("weekdays" in text for text in series.warnings)


def test_a_guarded_session_without_any_bar_rolls_on_the_next() -> None:
    """K of last trade D8 is D5; no contract trades then, and D6 is the first session that can know it."""
    bars = root({"ESH20": "9 9 9 9 . 9 9 9", "ESM20": "1 1 1 1 . 1 1 1"}, last_trade={"ESH20": day(8)})
    roll = only(continuous.build(bars, RollPolicy()))
    assert (roll.reason, roll.known_at, roll.roll_date) == ("guard", day(6), day(6))


def test_no_roll_leads_to_a_contract_that_has_to_be_left_already() -> None:
    bars = root(
        {"ESH20": "9 " * 8, "ESM20": "1 " * 8, "ESU20": "1 " * 8}, last_trade={"ESH20": day(8), "ESM20": day(8)}
    )
    assert only(continuous.build(bars, RollPolicy())).to_contract == "ESU20"


def test_the_first_contract_is_one_that_may_still_be_held() -> None:
    bars = root({"ESH20": "9 9 9 9", "ESM20": "1 1 1 1"}, last_trade={"ESH20": day(2)})
    assert held(continuous.build(bars, RollPolicy())) == ["M", "M", "M", "M"]
    assert held(continuous.build(bars, RollPolicy(guard_sessions=None))) == ["H", "H", "M", "M"]


def test_a_roll_that_the_guard_knows_at_the_end_is_pending() -> None:
    bars = root({"ESH20": "9 9 9 9", "ESM20": "1 1 1 1"}, last_trade={"ESH20": day(7)})
    pending = continuous.build(bars, RollPolicy()).pending_roll
    assert pending is not None
    assert (pending.reason, pending.known_at, pending.to_contract) == ("guard", day(4), "ESM20")


def test_without_the_guard_what_is_held_too_long_is_counted_and_said() -> None:
    """Last trade D7: D5, D6 and D7 lie within two sessions of it; the roll comes into force on D8, after it."""
    bars = root({"ESH20": "9 9 9 9 9 9 9", "ESM20": "1 " * 9}, last_trade={"ESH20": day(7)})
    series = continuous.build(bars, RollPolicy(guard_sessions=None))
    assert (series.counts["sessions_held_near_the_end"], series.counts["rolls_after_last_trade"]) == (3, 1)
    assert codes(series) == ["HELD_TO_THE_END"]
    guarded = continuous.build(bars, RollPolicy())
    assert (guarded.counts["sessions_held_near_the_end"], guarded.counts["rolls_after_last_trade"]) == (0, 0)
    assert "HELD_TO_THE_END" not in codes(guarded)


def test_a_schedule_knows_no_guard_and_unknown_terms_are_said() -> None:
    bars = root({"ESH20": "9 9 9 9 9", "ESM20": "1 1 1 1 1"})
    assert codes(continuous.build(bars, RollPolicy())) == ["TERMS_UNKNOWN"]
    assert codes(continuous.build(bars, RollPolicy(guard_sessions=None))) == []


@pytest.mark.parametrize("sessions", [-1, 61])
def test_a_guard_out_of_range_is_refused(sessions: int) -> None:
    with pytest.raises(UsageError):
        continuous.build(root({"ESH20": "9 9"}), RollPolicy(guard_sessions=sessions))


# ---------------------------------------------------------------- the target


def test_most_active_skips_a_month_that_nobody_trades() -> None:
    lines = {"GCQ20": "9 9 5 4 1 1", "GCV20": "1 1 1 1 1 1", "GCZ20": "2 2 7 8 9 9"}
    adjacent = continuous.build(root(lines), RollPolicy())
    assert held(adjacent) == ["Q"] * 6
    series = continuous.build(root(lines), RollPolicy(target="most_active"))
    assert (only(series).to_contract, only(series).known_at, only(series).reason) == ("GCZ20", day(4), "volume")


def test_most_active_is_confirmed_by_one_contract() -> None:
    """Two contracts lead by turns: no run of two sessions is one contract's own."""
    lines = {"GCQ20": "5 5 5 5 5", "GCV20": "1 7 1 7 1", "GCZ20": "1 1 7 1 7"}
    assert continuous.build(root(lines), RollPolicy(target="most_active")).rolls == ()


def test_a_session_without_the_active_contract_keeps_no_run_of_a_contract_that_does_not_lead_then() -> None:
    """Z leads on D2 and D4; on D3 Q is silent and V is the most active: no two consecutive sessions are Z's."""
    lines = {"GCQ20": "5 5 . 5 5", "GCV20": "1 1 3 1 1", "GCZ20": "1 7 . 7 1"}
    assert continuous.build(root(lines), RollPolicy(target="most_active")).rolls == ()
    lines |= {"GCV20": "1 1 . 1 1", "GCZ20": "1 7 8 7 1"}  # Z leads on D3 too: a silent Q neither confirms nor breaks
    assert only(continuous.build(root(lines), RollPolicy(target="most_active"))).known_at == day(4)


def test_the_guard_leads_to_the_most_active_too() -> None:
    lines = {"GCQ20": "9 9 9 9 9 9", "GCV20": "1 1 1 1 1 1", "GCZ20": "2 2 2 2 2 2"}
    bars = root(lines, last_trade={"GCQ20": day(6)})
    assert only(continuous.build(bars, RollPolicy(target="most_active"))).to_contract == "GCZ20"
    assert only(continuous.build(bars, RollPolicy())).to_contract == "GCV20"


# ---------------------------------------------------------------- holes


def parted(sessions_between: int) -> ContractBars:
    """H trades on D1 to D3; then no contract of the root for so many weekdays; then M on three."""
    again = 4 + sessions_between
    cells = ["."] * (again + 2)
    h, m = cells.copy(), cells.copy()
    h[:3], m[again - 1 :] = ["9"] * 3, ["9"] * 3
    return root({"ESH20": " ".join(h), "ESM20": " ".join(m)})


def test_the_series_begins_after_a_hole_and_says_so() -> None:
    series = continuous.build(parted(21), RollPolicy())
    assert series.frame["session"].to_list() == [day(25), day(26), day(27)]
    assert series.rolls == ()
    assert str(day(3)) in text_of(series, "DATA_HOLE")
    assert "21 sessions" in text_of(series, "DATA_HOLE")
    assert series.counts["bars_before_a_hole"] == 3


def test_twenty_sessions_are_no_hole() -> None:
    series = continuous.build(parted(20), RollPolicy())
    assert series.frame.height == 5  # the first session without the old contract is skipped
    assert "DATA_HOLE" not in codes(series)


def test_a_bridged_hole_is_joined_and_still_said() -> None:
    series = continuous.build(parted(21), RollPolicy(bridge_holes=True))
    assert series.frame.height == 5
    assert not only(series).concurrent
    assert "DATA_HOLE" in codes(series)


def test_a_hole_is_counted_on_the_exchange_calendar() -> None:
    days = [day(n) for n in (1, 2, 3, *range(25, 60))]
    calendar = np.array(days, dtype="datetime64[D]")
    assert "DATA_HOLE" not in codes(continuous.build(parted(21), RollPolicy(), calendar_sessions=calendar))


# ---------------------------------------------------------------- impossible closes

CROSSING = {"HGH20": "9 9 9 2 2 2 2", "HGK20": "1 1 1 7 8 9 9"}  # confirmed on D5


@pytest.mark.parametrize("wrong", [0.0, 11_500.0, 2.0, -115.0])
def test_no_gap_is_taken_from_a_bad_close(wrong: float) -> None:
    bars = root(CROSSING, closes={"HGK20": {5: wrong}})
    series = continuous.build(bars, RollPolicy())
    assert (only(series).known_at, only(series).gap_session, only(series).gap) == (day(5), day(4), 10.0)
    (bad,) = series.bad_closes
    assert (bad.contract, bad.session, bad.close) == ("HGK20", day(5), wrong)
    assert f"HGK20 {day(5)}" in text_of(series, "BAD_CLOSE")


def test_zeros_for_days_are_all_bad() -> None:
    series = continuous.build(root(CROSSING, closes={"HGK20": {3: 0.0, 4: 0.0, 5: 0.0}}), RollPolicy())
    assert (only(series).gap_session, only(series).gap) == (day(2), 10.0)
    assert [bad.session for bad in series.bad_closes] == [day(3), day(4), day(5)]


def test_a_new_level_is_no_bad_close() -> None:
    """Five closes in a row that agree are a level: from D3 on the contract is quoted in another unit."""
    closes = {n: 100.0 * (110 + n) for n in range(3, 8)}
    series = continuous.build(root(CROSSING, closes={"HGK20": closes}), RollPolicy())
    assert series.bad_closes == ()
    assert f"HGK20 closes at 112 on {day(2)} and stays near 11300 from {day(3)} on" in text_of(series, "MIXED_UNITS")


def test_a_roll_into_another_unit_is_told() -> None:
    """K20 is quoted in cents, H20 in dollars: no gap of the market."""
    series = continuous.build(
        root(CROSSING, closes={"HGK20": {n: 100.0 * (110 + n) for n in range(1, 8)}}), RollPolicy()
    )
    roll = only(series)
    closes = f"HGH20 {roll.from_close:g} to HGK20 {roll.to_close:g} on {roll.gap_session}"
    assert (roll.to_close - 11000.0) / 100.0 == roll.from_close - 100.0
    assert f"the first from {closes}" in text_of(series, "MIXED_UNITS")
    assert "MIXED_UNITS" not in codes(continuous.build(root(CROSSING), RollPolicy()))


def priced(closes: list[float], **prices: list[float]) -> ContractBars:
    frame = pl.DataFrame(
        {
            "session": [day(n) for n in range(1, len(closes) + 1)], "contract": ["CLK20"] * len(closes),
            **{name: prices.get(name, closes) for name in ("open", "high", "low")},
            "close": closes, "volume": [9] * len(closes), "open_interest": [None] * len(closes),
        },
        schema_overrides={"open_interest": pl.Int64},
    )  # fmt: skip
    bars = root({"CLK20": "9"})
    return ContractBars(frame, bars.meta, bars.contracts)


def test_crude_oil_of_april_2020_is_a_price() -> None:
    """May 2020 WTI as printed: 18.27, then -37.63 after an open of 17.73 and a low of -40.32, then 10.01."""
    closes = [22.41, 20.11, 19.87, 19.87, 18.27, -37.63, 10.01]
    low = [22.0, 19.95, 19.2, 19.51, 17.31, -40.32, -16.74]
    high = [24.74, 22.48, 20.47, 20.52, 20.2, 17.85, 13.86]
    series = continuous.build(priced(closes, open=high, high=high, low=low), RollPolicy())
    assert series.bad_closes == ()


def test_negative_prices_that_other_bars_bear_out_are_prices() -> None:
    assert continuous.build(priced([3.0, 1.0, -1.0, -2.5, -2.0, 1.5]), RollPolicy()).bad_closes == ()


def test_a_bar_with_a_zero_beside_its_close_is_said() -> None:
    series = continuous.build(priced([266.0, 266.5, 267.0], low=[265.0, 0.0, 266.0]), RollPolicy())
    assert series.bad_closes == ()
    assert f"CLK20 {day(2)}" in text_of(series, "BAD_BAR")


# ---------------------------------------------------------------- contracts that hardly trade


def test_a_month_that_never_leads_is_named() -> None:
    """October is held for want of anything better while December trades a hundred times as much."""
    lines = {"GCQ20": "99 99 99 . . . . .", "GCV20": "1 1 1 1 1 1 1 1", "GCZ20": "2 2 200 200 200 200 200 200"}
    series = continuous.build(root(lines), RollPolicy(consecutive_days=6))
    assert "leave out V (--months QZ)" in text_of(series, "THIN_CONTRACT")
    assert "THIN_CONTRACT" not in codes(continuous.build(root(lines), RollPolicy(eligible_months="QZ")))


def test_a_tenth_of_the_most_active_is_enough() -> None:
    lines = {"GCQ20": "10 10 10", "GCZ20": "10 100 100"}
    assert "THIN_CONTRACT" not in codes(continuous.build(root(lines), RollPolicy(consecutive_days=6)))


# ---------------------------------------------------------------- rules that never apply


def test_a_fixed_day_after_the_end_of_every_contract_is_refused() -> None:
    ends = {"CLH20": day(5), "CLJ20": day(9)}
    bars = root({"CLH20": "9 9 9 9 9", "CLJ20": "1 " * 9, "CLK20": "1 " * 12}, last_trade=ends)
    policy: Any = RollPolicy(kind="calendar", anchor="fixed_day", fixed_day=15)
    with pytest.raises(DataError) as caught:
        continuous.build(bars, policy)
    assert caught.value.code == "RULE_NEVER_APPLIES"


def test_a_calendar_rule_that_the_guard_always_precedes_is_said() -> None:
    bars = root({"ESH20": "9 " * 8, "ESM20": "1 " * 8}, last_trade={"ESH20": day(7), "ESM20": date(2020, 6, 19)})
    series = continuous.build(bars, RollPolicy(kind="calendar"))
    assert only(series).reason == "guard"
    assert "RULE_NEVER_FIRST" in codes(series)
    assert "RULE_NEVER_FIRST" not in codes(continuous.build(bars, RollPolicy(kind="calendar", offset=4)))
