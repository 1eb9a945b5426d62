"""B1's confluence flags and higher timeframes, one by one, on the ramp of test_b1_rules.py.

Bars 0 to 219 stand at 100, bar 219 + k closes at 100 + k with high + 0.5 and low - 0.5, bar 250 triggers
with low 125 and close 127.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from b1_twin_tapes import as_bars, weekdays
from numba import njit

from ctl.strategy.b1 import B1Parameters, StrategyBars, rules, run
from ctl.strategy.bars import weekly_bars

N = 250
BASE = [(100.0, 100.0, 100.0, 100.0, 10)] * 220 + [(99.5 + k, 100.5 + k, 99.5 + k, 100.0 + k, 10) for k in range(1, 31)]
TRIGGER = (129.0, 129.5, 125.0, 127.0, 10)


def tape(trigger=TRIGGER, changes=None):
    rows = [*BASE, trigger]
    for position, row in (changes or {}).items():
        rows[position] = (*row, 10) if len(row) == 4 else row
    return rows


def flags(rows, *, adjustment=None, rules=None, days=None):
    result = run(as_bars(rows, adjustment=adjustment, days=days), rules or B1Parameters())
    assert result.triggers[-1].trigger_session == (days or weekdays(len(rows)))[len(rows) - 1]
    return result.triggers[-1]


# --- pullback shape and volume --------------------------------------------------------------------


def test_clean_pullback_needs_three_falling_highs_and_lows_before_the_trigger():
    assert flags(tape()).clean_pullback is False
    falling = {
        247: (128, 131.0, 128.0, 129),
        248: (128, 130.0, 127.5, 128.5),
        249: (128, 129.5, 127.0, 128),
    }
    assert flags(tape(changes=falling)).clean_pullback is True
    assert flags(tape(changes={**falling, 248: (128, 131.0, 127.5, 128.5)})).clean_pullback is False
    assert flags(tape(changes={**falling, 248: (128, 130.0, 127.0, 128.5)})).clean_pullback is False


def volumes(recent, earlier):
    """Volume of bars n-1..n-3 and n-4..n-6, nearest first."""
    rows = tape()
    for back, volume in enumerate((*recent, *earlier), start=1):
        rows[N - back] = (*rows[N - back][:4], volume)
    return rows


def test_volume_declining_compares_the_means_of_three_bars():
    assert flags(volumes((9, 10, 10), (10, 10, 10))).volume_declining is True
    assert flags(volumes((10, 10, 10), (10, 10, 10))).volume_declining is False
    assert flags(volumes((0, 0, 31), (10, 10, 10))).volume_declining is False
    assert flags(volumes((0, 0, 29), (10, 10, 10))).volume_declining is True
    for gap in range(6):
        held = [5, 5, 5, 10, 10, 10]
        held[gap] = None
        assert flags(volumes(held[:3], held[3:])).volume_declining is None
    # The trigger bar's own volume and the seventh bar back play no part.
    rows = volumes((9, 10, 10), (10, 10, 10))
    rows[N] = (*rows[N][:4], None)
    rows[N - 7] = (*rows[N - 7][:4], None)
    assert flags(rows).volume_declining is True


def test_single_bar_pullback_means_that_the_swing_ended_on_the_last_bar():
    assert flags(tape()).single_bar_pullback is True
    assert flags(tape(changes={248: (127.5, 130.5, 127.5, 128)})).single_bar_pullback is True
    assert flags(tape(changes={248: (127.5, 131.0, 127.5, 128)})).single_bar_pullback is False


# --- divergence -----------------------------------------------------------------------------------


def divergence(rows):
    return flags(rows, rules=B1Parameters(slope_threshold=4.0)).wr_divergence


def test_without_an_earlier_touch_there_is_no_divergence():
    # Bar 219, the last that touches, is 31 bars back; its ten bars have no range, so %R is undefined there.
    assert flags(tape()).wr_divergence is None
    long_ramp = [(99.5 + k, 100.5 + k, 99.5 + k, 100.0 + k, 10) for k in range(1, 100)]
    base = [(100.0, 101.0, 99.0, 100.0, 10)] * 220
    # The last touch of the flat part is exactly 100 bars before the trigger, then 101.
    assert flags([*base, *long_ramp, (198.0, 198.5, 194.0, 196.0, 10)]).wr_divergence is False
    flat = [*[(100.0, 100.0, 100.0, 100.0, 10)] * 220, *long_ramp]
    assert flags([*flat, (198.0, 198.5, 194.0, 196.0, 10)]).wr_divergence is None
    longer = [*flat, (198.5, 200.5, 198.5, 200.0, 10)]
    assert flags([*longer, (199.0, 199.5, 195.0, 197.0, 10)]).wr_divergence is False


def touched_before(low, close, now):
    """A touch on bar 242 with `low` and `close`, air from 243 on, the trigger of `now` on bar 250."""
    changes = {242: (122.0, 122.5, low, close)}
    for k, n in enumerate(range(243, 250), start=1):
        changes[n] = (122.0 + k, 123.5 + k, 122.0 + k, 123.0 + k)
    return tape(trigger=now, changes=changes)


def test_divergence_is_a_higher_percent_r_at_an_equal_or_lower_low():
    # %R(242): highest 122.5 (bar 241 closes at 122: high 122.5), lowest 110; close 112: -100 * 10.5 / 12.5 = -84.
    # %R(250): highest 130.5, lowest 110; close 125: -100 * 5.5 / 20.5 = -26.8, higher.
    assert divergence(touched_before(110.0, 112.0, (126.0, 126.5, 110.0, 125.0, 10))) is True
    assert divergence(touched_before(110.0, 112.0, (126.0, 126.5, 109.0, 125.0, 10))) is True
    assert divergence(touched_before(110.0, 112.0, (126.0, 126.5, 110.25, 125.0, 10))) is False
    # %R(242) with a close of 112.0 to 122.5 passes -26.8 near 119.15: -100 * 3.3 / 12.5 = -26.4 is above it.
    assert divergence(touched_before(110.0, 119.2, (126.0, 126.5, 110.0, 125.0, 10))) is False


def test_percent_r_of_the_touch_looks_back_over_ten_bars():
    # A high of 130 within the ten bars of 242 makes %R(242) = -100 * (130 - 119.2) / 20 = -54, below the -26.8 of 250.
    # Bar 233 is the tenth, bar 232 the eleventh.
    for spike, diverges in ((233, True), (232, False)):
        rows = touched_before(110.0, 119.2, (126.0, 126.5, 110.0, 125.0, 10))
        rows[spike] = (*rows[spike][:1], 130.0, *rows[spike][2:])
        assert divergence(rows) is diverges


@njit
def highest(values, start, stop):
    return rules.highest(values, start, stop)


@njit
def lowest(values, start, stop):
    return rules.lowest(values, start, stop)


def test_extremes_are_found_at_every_place_of_a_window():
    # Parts of the kernel are called from compiled code alone. Beyond the window stand larger extremes.
    for length in range(1, 14):
        for place in range(length):
            values = np.zeros(length + 2)
            for sign, extreme in ((1.0, highest), (-1.0, lowest)):
                values[place + 1] = sign
                values[[0, -1]] = 9.0 * sign
                assert extreme(values, 1, length + 1) == sign
                values[place + 1] = 0.0


# --- levels in the as-of frame --------------------------------------------------------------------


def gap_tape(edge, floor, position=240):
    """A bar at `position` whose low is above the high `edge` of the bar before; lows stay at or above `floor`."""
    rows = tape(trigger=(129.0, 129.5, floor, 127.0, 10))
    close = rows[position - 1][3]
    rows[position - 1] = (close, edge, min(edge, close) - 1, close, 10)
    return rows


def test_gap_below_lies_within_two_percent_under_the_stop_and_is_still_open():
    # Bar 240 has low 119.5. An edge of 118.5 against a stop of 119 is 0.4 % below it.
    assert flags(gap_tape(118.5, 119.0)).gap_below is True
    # 0.98 * 119 = 116.62 is the lowest edge that counts.
    assert flags(gap_tape(116.62, 119.0)).gap_below is True
    assert flags(gap_tape(116.61, 119.0)).gap_below is False
    # Closed by the trigger bar itself: its low reaches the edge.
    assert flags(gap_tape(119.0, 119.0)).gap_below is False
    # Closed by a bar in between.
    rows = gap_tape(118.5, 119.0)
    rows[243] = (122.5, 123.5, 118.4, 123.0, 10)
    assert flags(rows).gap_below is False


def test_gap_below_is_looked_for_in_its_window_and_its_frame():
    rows = gap_tape(117.5, 120.0)  # 2.08 % below
    assert flags(rows).gap_below is False
    # Below a stop of 220 in the frame of the trigger the same 2.5 are 1.1 %.
    assert flags(rows, adjustment=[-100.0] * len(rows), rules=B1Parameters(slope_threshold=4.0)).gap_below is True
    # The gap into bar 240 is 11 bars old on bar 250.
    for window, found in ((11, True), (10, False)):
        rules = B1Parameters(gap_scan_window=window)
        assert flags(gap_tape(118.5, 119.0), rules=rules).gap_below is found


def test_near_high_compares_with_the_252_bars_before():
    assert flags(tape()).near_high is None  # bar 250 has only 250 bars before it
    two_more = [BASE[0], BASE[0], *tape()]
    assert flags(two_more).near_high is True
    # 130.5 / 0.95 = 137.368...
    for high, near in ((137.36, True), (137.37, False)):
        rows = list(two_more)
        rows[0] = (100.0, high, 100.0, 100.0, 10)
        assert flags(rows).near_high is near
    rows = [BASE[0], *two_more]
    rows[0] = (100.0, 500.0, 100.0, 100.0, 10)  # 253 bars back
    assert flags(rows).near_high is True
    # In a frame 80 lower the same 6.87 difference is far more than 5 %.
    rows = list(two_more)
    rows[0] = (100.0, 137.36, 100.0, 100.0, 10)
    assert flags(rows, adjustment=[80.0] * len(rows)).near_high is False


# --- higher timeframes ----------------------------------------------------------------------------


def test_fib_confluence_uses_the_last_forty_complete_weeks():
    # 251 weekdays from a Monday: bar 250 opens week 50, so 50 weeks are usable: bars 0 to 249.
    # Of the last 40 (bars 50 to 249) low is 100, high 130.5: F = 100 + 0.618 * 30.5 = 118.849.
    # TP1 = 125 + 0.618 * 5.5 = 128.399: 7.4 % away.
    assert flags(tape()).fib_confluence is False
    # A low of L on bar 60 gives F = L + 0.618 * (130.5 - L); a high of H on bar 60 lifts it as well.
    # With high 146 on bar 60: F = 100 + 0.618 * 46 = 128.428, 0.02 % away.
    near = {60: (100.0, 146.0, 100.0, 100.0)}
    assert flags(tape(changes=near)).fib_confluence is True
    # The week of bar 49 is the forty-first.
    assert flags(tape(changes={50: near[60]})).fib_confluence is True
    assert flags(tape(changes={49: near[60]})).fib_confluence is False
    # Highs of 145.7 and 145.4 give F = 128.243 and 128.057, both within 0.3 % of TP1. In a frame 105 lower
    # TP1' = 23.399, and the differences 0.156 and 0.342 are 0.67 % and 1.46 % of it.
    rules = B1Parameters(slope_threshold=4.0)
    for high, expected in ((145.7, True), (145.4, False)):
        rows = tape(changes={60: (100.0, high, 100.0, 100.0)})
        assert flags(rows).fib_confluence is True
        assert flags(rows, adjustment=[0.0] * 250 + [105.0], rules=rules).fib_confluence is expected


def test_fib_confluence_needs_its_weeks():
    rules = B1Parameters.from_overrides({"swing_lookback": 25}, "daily")
    assert flags(tape(), rules=rules).fib_confluence is False
    days = [date(2001, 1, 1) + timedelta(days=k) for k in range(251)]
    assert flags(tape(), days=days).fib_confluence is None  # 35 weeks of seven sessions


def test_weekly_alignment_takes_the_last_complete_week():
    # 50 weeks of five sessions: flat at 100 for 44 weeks (220 bars), then closes 105, 110, ..., 130.
    # On week 49: EMA after six steps of 5 from 100: 130 - 22.5 * (1 - (9/11)**6) = 114.25; 20 weeks before: 100.
    trigger = flags(tape())
    slope = 30 - 22.5 * (1 - (9 / 11) ** 6)
    assert slope == pytest.approx(14.25, abs=0.01)
    assert trigger.weekly_aligned is True  # 14.25 >= 8 and 130 > 114.25
    assert flags(tape(), rules=B1Parameters(slope_threshold=14.2)).weekly_aligned is True
    assert flags(tape(), rules=B1Parameters(slope_threshold=14.3)).weekly_aligned is False
    # One bar later the same week counts; the developing one never does. Starting on a Tuesday, week 49 ends a bar
    # earlier (bar 248, close 129), and bars 249 and 250 stand in the week that still develops.
    days = weekdays(252)[1:]
    # Weeks then close on bars 3, 8, ..., 248: closes 104, 109, ..., 129 after 100: the first step is 4.
    average = 100.0
    for close in (104, 109, 114, 119, 124, 129):
        average = 2 / 11 * close + 9 / 11 * average
    for threshold, aligned in ((average - 100 - 0.01, True), (average - 100 + 0.01, False)):
        rules = B1Parameters(slope_threshold=threshold)
        assert flags(tape(), days=days, rules=rules).weekly_aligned is aligned


def test_weekly_alignment_is_taken_in_the_frame_of_the_trigger():
    # 100 * 14.25 / (100 - 50) = 28.5
    rules = B1Parameters(slope_threshold=28.0)
    assert flags(tape(), adjustment=[50.0] * 251, rules=rules).weekly_aligned is True
    rules = B1Parameters(slope_threshold=29.0)
    assert flags(tape(), adjustment=[50.0] * 251, rules=rules).weekly_aligned is False
    # At 104 the weekly denominator is negative, while the daily one, 111 - d, is not.
    assert flags(tape(), adjustment=[104.0] * 251).weekly_aligned is None


def test_thirty_higher_bars_are_needed():
    assert flags(tape()).monthly_aligned is None  # a year of sessions
    days = [date(2001, 1, 1) + timedelta(days=k) for k in range(251)]
    # Sessions on all seven days: 35 weeks are usable. Their last closes, 104, 111, 118, 125 on bars 223 to 244,
    # lift the EMA from 100 to 108.96.
    assert flags(tape(), days=days).weekly_aligned is True
    week = np.arange(251) // 9  # 27 usable weeks
    bars = as_bars(tape())
    columns = [getattr(bars, name) for name in ("session", "open", "high", "low", "close", "volume", "adjustment")]
    assert run(StrategyBars("X", *columns, week, week)).triggers[-1].weekly_aligned is None
    for groups, expected in ((29, None), (30, True)):
        key = np.r_[np.arange(250) * groups // 250, groups]
        trigger = run(StrategyBars("X", *columns, week, key)).triggers[-1]
        assert trigger.monthly_aligned is expected
        assert trigger.weekly_aligned is None


def test_without_keys_higher_timeframes_are_unknown():
    bars = as_bars(tape())
    columns = [getattr(bars, name) for name in ("session", "open", "high", "low", "close")]
    trigger = run(StrategyBars("X", *columns)).triggers[-1]
    assert (trigger.weekly_aligned, trigger.monthly_aligned, trigger.fib_confluence) == (None, None, None)
    assert trigger.volume_declining is None


# --- weekly bars ----------------------------------------------------------------------------------


def test_weekly_bars_are_grouped_and_a_developing_one_is_left_out():
    rows = [(10.0, 12.0, 9.0, 11.0, 5), (11.0, 15.0, 10.0, 14.0, 6), (14.0, 14.5, 8.0, 9.0, 7)]
    days = [date(2024, 1, 4), date(2024, 1, 5), date(2024, 1, 8)]
    bars = as_bars(rows, days=days, adjustment=[3.0, 2.0, 1.0])
    weekly = weekly_bars(bars)
    assert weekly.session.tolist() == [date(2024, 1, 5)]
    assert (weekly.open[0], weekly.high[0], weekly.low[0], weekly.close[0]) == (10.0, 15.0, 9.0, 14.0)
    assert (weekly.volume[0], weekly.adjustment[0]) == (11.0, 2.0)
    both = weekly_bars(as_bars(rows, days=days, week_complete=True))
    assert both.session.tolist() == [date(2024, 1, 5), date(2024, 1, 8)]
    missing = weekly_bars(as_bars([rows[0], (*rows[1][:4], None), rows[2]], days=days))
    assert np.isnan(missing.volume[0])
