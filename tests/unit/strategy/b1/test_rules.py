"""B1's rules one by one, on a tape whose numbers can be worked out on paper.

220 bars stand at 100, then 30 bars rise by 1 a day. On such a ramp the close runs ahead of EMA(10) by
d_k = 4.5 * (1 - (9/11)**k) after k bars, because d_k = (1 - a)(d_(k-1) + 1) with a = 2/11 and d_0 = 0.
Every ramp bar has true range 1.5 (high above the last close), so ATR(14) = 1.5 * (1 - (13/14)**k).
Bar 250 is the trigger: low 125, close 127. Its levels: swing high 130.5 (bar 249), range 5.5,
TP1 = 125 + 5.5 * 0.618 = 128.399, TP2 = 125 + 5.5 * 0.786 = 129.323, TP3 = 130.5.
"""

from __future__ import annotations

import math

import pytest
from b1_twin_tapes import as_bars, weekdays

from ctl.strategy.b1 import B1Parameters, run

FLAT = [(100.0, 100.0, 100.0, 100.0)] * 220
RAMP = [(99.5 + k, 100.5 + k, 99.5 + k, 100.0 + k) for k in range(1, 31)]
TRIGGER = (129.0, 129.5, 125.0, 127.0)
N = 250
DAYS = [day.isoformat() for day in weekdays(400)]

E_249 = 130 - 4.5 * (1 - (9 / 11) ** 30)
E_230 = 111 - 4.5 * (1 - (9 / 11) ** 11)  # bar 230 is the eleventh of the ramp
E_250 = 2 / 11 * 127 + 9 / 11 * E_249
# True range of bar 250: max(4.5, |129.5 - 130|, |125 - 130|) = 5.
ATR_250 = 1.5 * (1 - (13 / 14) ** 30) * 13 / 14 + 5 / 14
TP1, TP2, TP3 = 128.399, 129.323, 130.5

# Bars after the trigger. QUIET confirms (its close is above the EMA, about 126) without touching a target.
QUIET = (127.0, 128.0, 126.5, 127.5)
ENTRY = (127.0, 128.0, 126.5, 127.5)


def play(*after, trigger=TRIGGER, before=(*FLAT, *RAMP), rules=None, adjustment=None, **costs):
    """The result document over the tape with `after` following the trigger bar."""
    bars = as_bars([*before, trigger, *after], adjustment=adjustment)
    return run(bars, rules or B1Parameters(), **costs).document()


def only(rows):
    assert len(rows) == 1
    return rows[0]


# --- the trigger ----------------------------------------------------------------------------------


def test_indicators_and_levels_of_the_trigger():
    trigger = only(play()["triggers"])
    assert trigger["trigger_session"] == DAYS[N]
    assert trigger["ema"] == pytest.approx(E_250, rel=1e-12)
    assert trigger["atr"] == pytest.approx(ATR_250, rel=1e-12)
    assert trigger["slope"] == pytest.approx(100 * (E_250 - E_230) / E_230, rel=1e-12)
    assert trigger["bars_of_air"] == 30
    assert (trigger["stop"], trigger["swing_high"], trigger["tp3"]) == (125.0, 130.5, 130.5)
    assert trigger["tp1"] == pytest.approx(TP1, rel=1e-12)
    assert trigger["tp2"] == pytest.approx(TP2, rel=1e-12)
    assert trigger["tp4"] == pytest.approx(125 + 5.5 * 1.618, rel=1e-12)
    assert trigger["tp5"] == pytest.approx(125 + 5.5 * 2.618, rel=1e-12)


def test_slope_at_the_threshold_is_enough():
    slope = only(play()["triggers"])["slope"]
    assert play(rules=B1Parameters(slope_threshold=slope))["triggers"]
    assert not play(rules=B1Parameters(slope_threshold=math.nextafter(slope, 99)))["triggers"]


def test_slope_is_taken_in_the_frame_of_its_bar():
    # 60 of the price are adjustment: the rise is 100 * (e - e20) / (e20 - 60), about 42 percent.
    adjustment = [60.0] * (N + 1)
    trigger = only(play(adjustment=adjustment)["triggers"])
    assert trigger["slope"] == pytest.approx(100 * (E_250 - E_230) / (E_230 - 60), rel=1e-12)
    # What earlier bars carry does not matter, only what bar n carries.
    adjustment = [999.0] * N + [60.0]
    assert only(play(adjustment=adjustment)["triggers"])["slope"] == trigger["slope"]


def test_slope_over_a_price_of_zero_or_less_is_undefined_and_counted():
    document = play(adjustment=[0.0] * 240 + [200.0] * 11)
    assert document["triggers"] == []
    # Bars 240 to 250 carry 200 above prices near 110.
    assert document["metrics"]["slope_undefined_count"] == 11
    # Exactly zero: the EMA of 20 bars before bar 219 is 100, from bar 200 on 20 such bars.
    document = play(adjustment=[100.0] * 220 + [0.0] * 31)
    assert document["metrics"]["slope_undefined_count"] == 20


def broken(position):
    """The ramp with one bar that falls through the EMA too far to trigger itself."""
    rows = [*FLAT, *RAMP]
    rows[position] = (122.0, 122.5, 110.0, 110.0)
    return rows


def test_six_bars_of_air_are_needed():
    assert only(play(before=broken(243))["triggers"])["bars_of_air"] == 6
    assert play(before=broken(244))["triggers"] == []


def test_air_is_counted_no_further_than_max_air_lookback():
    long_ramp = [(99.5 + k, 100.5 + k, 99.5 + k, 100.0 + k) for k in range(1, 71)]
    trigger = (169.0, 169.5, 165.0, 167.0)
    assert only(play(before=(*FLAT, *long_ramp), trigger=trigger)["triggers"])["bars_of_air"] == 50
    rules = B1Parameters(max_air_lookback=60)
    assert only(play(before=(*FLAT, *long_ramp), trigger=trigger, rules=rules)["triggers"])["bars_of_air"] == 60


def test_a_low_on_the_ema_touches_it():
    average = only(play()["triggers"])["ema"]
    assert play(trigger=(129.0, 129.5, average, 127.0))["triggers"]
    assert not play(trigger=(129.0, 129.5, math.nextafter(average, 999), 127.0))["triggers"]


def test_the_close_must_stay_above_half_an_atr_below_the_ema():
    # c > e - 0.5 atr with e = a c + (1 - a) e_249 means c > e_249 - 0.5 atr / (1 - a).
    limit = E_249 - 0.5 * ATR_250 / (9 / 11)
    low = 120.0
    # A low of 120 makes the true range |120 - 130| = 10.
    limit = E_249 - 0.5 * (1.5 * (1 - (13 / 14) ** 30) * 13 / 14 + 10 / 14) / (9 / 11)
    assert play(trigger=(129.0, 129.5, low, limit + 1e-9))["triggers"]
    assert not play(trigger=(129.0, 129.5, low, limit - 1e-9))["triggers"]


def test_the_swing_high_is_that_of_the_twenty_bars_before():
    rows = [*FLAT, *RAMP]
    rows[230] = (109.5, 150.0, 109.5, 110.0)
    assert only(play(before=rows)["triggers"])["swing_high"] == 150.0
    rows[230] = RAMP[10]
    rows[229] = (108.5, 150.0, 108.5, 109.0)
    assert only(play(before=rows)["triggers"])["swing_high"] == 130.5
    # The trigger bar's own high is not part of it.
    assert only(play(trigger=(129.0, 140.0, 125.0, 127.0))["triggers"])["swing_high"] == 130.5


def test_nothing_triggers_during_warm_up():
    short = [(100.0, 100.0, 100.0, 100.0)] * 169
    assert not play(before=(*short, *RAMP))["triggers"]  # bar 199
    assert play(before=(*short, FLAT[0], *RAMP))["triggers"]  # bar 200
    longer = B1Parameters.from_overrides({"slope_lookback": 201}, "daily", unregistered=True)
    assert not play(before=(*short, FLAT[0], *RAMP), rules=longer)["triggers"]


# --- pending --------------------------------------------------------------------------------------


def below(close):
    """A bar that closes below the EMA."""
    return (close, close + 0.5, close - 0.5, close)


def test_confirmed_on_the_next_bar_and_entered_on_the_one_after():
    document = play(QUIET, ENTRY)
    trigger = only(document["triggers"])
    assert (trigger["status"], trigger["reason"]) == ("confirmed", None)
    assert (trigger["confirmation_session"], trigger["entry_session"]) == (DAYS[N + 1], DAYS[N + 2])
    assert only(document["open"])["entry_session"] == DAYS[N + 2]


def test_confirmed_on_the_third_bar_at_the_latest():
    document = play(below(125.2), below(125.2), QUIET, ENTRY)
    assert only(document["triggers"])["confirmation_session"] == DAYS[N + 3]
    document = play(below(125.2), below(125.2), below(125.2), QUIET, ENTRY)
    trigger = only(document["triggers"])
    assert (trigger["status"], trigger["confirmation_session"], trigger["entry_session"]) == ("expired", None, None)
    assert document["trades"] == document["open"] == []


def test_a_close_on_the_ema_does_not_confirm():
    average = only(play()["triggers"])["ema"]
    # Closing on the last EMA leaves the EMA where it is, up to rounding; just above it confirms.
    on_it = play((average, average, average, average))["triggers"][0]
    above = play((average, average + 1, average, average + 1e-6))["triggers"][0]
    assert above["status"] == "awaiting_entry"
    recomputed = 2 / 11 * average + (1 - 2 / 11) * average
    assert on_it["status"] == ("awaiting_entry" if average > recomputed else "pending")


def test_a_close_below_the_stop_while_pending_is_noted_and_cancels_nothing():
    trigger = play(below(124.0), QUIET, ENTRY)["triggers"][0]
    assert (trigger["status"], trigger["stop_breached_while_pending"]) == ("confirmed", True)
    trigger = play(below(125.2), below(124.0), below(124.9))["triggers"][0]
    assert (trigger["status"], trigger["stop_breached_while_pending"]) == ("expired", True)
    # Equal to the stop is no breach.
    trigger = play(below(125.0), QUIET, ENTRY)["triggers"][0]
    assert (trigger["status"], trigger["stop_breached_while_pending"]) == ("confirmed", False)


def test_the_confirming_bar_can_itself_close_below_the_stop():
    # Two closes at 105 pull the EMA to about 118.4; 124 is above it and below the stop of 125.
    trigger = play(below(105.0), below(105.0), below(124.0))["triggers"][0]
    assert (trigger["status"], trigger["stop_breached_while_pending"]) == ("awaiting_entry", True)
    assert trigger["confirmation_session"] == DAYS[N + 3]


def test_what_the_end_of_the_data_leaves_waiting():
    for bars in ((), (below(125.2),), (below(125.2), below(125.2))):
        document = play(*bars)
        assert only(document["triggers"])["status"] == "pending"
        assert document["metrics"]["confirmed_count"] == 0
    document = play(QUIET)
    trigger = only(document["triggers"])
    assert trigger["status"] == "awaiting_entry"
    assert (trigger["confirmation_session"], trigger["entry_session"]) == (DAYS[N + 1], None)
    assert document["trades"] == document["open"] == []
    assert document["metrics"]["confirmed_count"] == 0


# --- entry ----------------------------------------------------------------------------------------


def opened(price):
    return play(QUIET, (price, 128.0, min(price, 126.5), 127.5), tick=0.25, slippage_per_side=0.5)


def test_entry_pays_slippage_and_risk_includes_it():
    trade = only(opened(127.0)["open"])
    assert (trade["entry_price"], trade["stop_price"], trade["risk"]) == (127.5, 125.0, 2.5)


def test_entries_too_near_the_stop_are_refused_by_the_unslipped_open():
    # The minimum is 0.1 * ATR(trigger), about 0.16, or one tick, 0.25, whichever is larger.
    assert 0.1 * ATR_250 < 0.25
    assert only(opened(125.25)["triggers"])["status"] == "confirmed"
    for price, reason in (
        (125.2, "risk_too_small"),
        (125.0, "entry_at_or_below_stop"),
        (124.0, "entry_at_or_below_stop"),
    ):
        document = opened(price)
        trigger = only(document["triggers"])
        assert (trigger["status"], trigger["reason"]) == ("no_trade", reason)
        assert (trigger["confirmation_session"], trigger["entry_session"]) == (DAYS[N + 1], DAYS[N + 2])
        assert document["trades"] == document["open"] == []


def test_without_a_tick_the_minimum_is_a_share_of_atr():
    smallest = 0.1 * ATR_250
    for distance, status in ((smallest + 1e-9, "confirmed"), (smallest - 1e-9, "no_trade")):
        price = 125 + distance
        assert only(play(QUIET, (price, 128.0, price, 127.5))["triggers"])["status"] == status
    rules = B1Parameters(min_risk_atr=0.0)
    assert only(play(QUIET, (125.001, 128.0, 125.0, 127.5), rules=rules)["triggers"])["status"] == "confirmed"
    trigger = only(play(QUIET, (125.0, 128.0, 125.0, 127.5), rules=rules)["triggers"])
    assert (trigger["status"], trigger["reason"]) == ("no_trade", "entry_at_or_below_stop")


def test_a_refused_entry_leaves_its_bar_free_to_trigger():
    # Only a rule without air lets two triggers come that close: bar 252 opens below the stop and touches the EMA.
    rules = B1Parameters.from_overrides({"min_bars_of_air": 0}, "daily", unregistered=True)
    document = play(QUIET, (124.0, 127.5, 124.0, 127.0), rules=rules)
    last = document["triggers"][-2:]
    assert [trigger["trigger_session"] for trigger in last] == [DAYS[N], DAYS[N + 2]]
    assert [trigger["status"] for trigger in last] == ["no_trade", "pending"]


def test_the_expiring_bar_does_not_trigger_and_the_next_one_may():
    rules = B1Parameters.from_overrides({"min_bars_of_air": 0}, "daily", unregistered=True)
    touching = (125.0, 125.6, 124.8, 125.2)
    document = play(*[touching] * 4, rules=rules)
    sessions = [trigger["trigger_session"] for trigger in document["triggers"]]
    assert sessions[-2:] == [DAYS[N], DAYS[N + 4]]


# --- exits ----------------------------------------------------------------------------------------


def held(*after, **options):
    """Entered at 127 (risk 2 without slippage) on bar 252; `after` begins at bar 253."""
    return play(QUIET, ENTRY, *after, **options)


NOTHING = (127.0, 128.0, 126.5, 127.0)


def test_targets_on_the_entry_bar_do_not_fill_and_a_low_close_there_does_not_stop():
    document = play(QUIET, (127.0, 140.0, 120.0, 121.0), NOTHING)
    trade = only(document["open"])
    assert (trade["tp1_hit"], trade["day1_fail"], trade["awaiting_exit"]) == (False, True, False)
    assert only(held(NOTHING)["open"])["day1_fail"] is False


def test_each_third_leaves_at_its_own_target():
    trade = only(
        held((127.0, 128.4, 126.5, 128.0), (128.0, 129.4, 127.5, 129.0), (129.0, 131.0, 128.0, 129.0))["trades"]
    )
    assert [trade[f"tp{k}_session"] for k in (1, 2, 3)] == DAYS[N + 3 : N + 6]
    assert [trade[f"tp{k}_fill"] for k in (1, 2, 3)] == pytest.approx([TP1, TP2, TP3], rel=1e-12)
    assert (trade["exit_session"], trade["exit_price"], trade["exit_reason"]) == (DAYS[N + 5], 130.5, "TP3")
    # ((128.399 - 127) + (129.323 - 127) + (130.5 - 127)) / 3 / 2 = (1.399 + 2.323 + 3.5) / 6
    assert trade["r_theoretical"] == pytest.approx(7.222 / 6, rel=1e-12)
    assert (trade["outcome"], trade["hold_bars"]) == ("Win", 3)
    # Highest price held 131, lowest 126.5 on the entry bar.
    assert trade["mfe_r"] == pytest.approx((131 - 127) / 2, rel=1e-12)
    assert trade["mae_r"] == pytest.approx((127 - 126.5) / 2, rel=1e-12)


def test_a_target_exactly_reached_is_hit():
    target = only(play()["triggers"])["tp1"]
    assert only(held((127.0, target, 126.5, 127.0))["open"])["tp1_hit"] is True
    assert only(held((127.0, math.nextafter(target, 0), 126.5, 127.0))["open"])["tp1_hit"] is False


def test_a_bar_opening_beyond_targets_fills_them_at_its_open():
    trade = only(held((129.5, 130.0, 128.0, 129.0))["open"])
    assert (trade["tp1_fill"], trade["tp2_fill"], trade["tp3_hit"]) == (129.5, 129.5, False)
    # All three at the open of 131: the position is gone there, and the bar's later range was not held.
    trade = only(held((131.0, 150.0, 90.0, 129.0))["trades"])
    assert [trade[f"tp{k}_fill"] for k in (1, 2, 3)] == [131.0] * 3
    assert trade["r_theoretical"] == pytest.approx(2.0, rel=1e-12)
    assert trade["mfe_r"] == pytest.approx(2.0, rel=1e-12)
    assert trade["mae_r"] == pytest.approx(0.25, rel=1e-12)
    # Through the last target during the bar: its whole range was held.
    trade = only(held((130.0, 150.0, 90.0, 129.0))["trades"])
    assert trade["mfe_r"] == pytest.approx((150 - 127) / 2, rel=1e-12)
    assert trade["mae_r"] == pytest.approx((127 - 90) / 2, rel=1e-12)


def test_a_close_below_the_stop_leaves_at_the_next_open_less_slippage():
    document = held((126.0, 126.5, 124.0, 124.5), (123.0, 135.0, 110.0, 130.0), slippage_per_side=0.5)
    trade = only(document["trades"])
    assert (trade["exit_reason"], trade["exit_price"], trade["exit_session"]) == ("Stop", 122.5, DAYS[N + 4])
    # Entry 127.5, risk 2.5: (122.5 - 127.5) / 2.5 = -2, more than one R.
    assert trade["r_theoretical"] == pytest.approx(-2.0, rel=1e-12)
    assert (trade["outcome"], trade["hold_bars"]) == ("Loss", 2)
    # Gone at the open of 123: neither the targets nor the range of that bar count.
    assert (trade["tp1_hit"], trade["same_bar_collision"]) == (False, False)
    assert trade["mfe_r"] == pytest.approx((128 - 127.5) / 2.5, rel=1e-12)
    assert trade["mae_r"] == pytest.approx((127.5 - 123) / 2.5, rel=1e-12)
    # A close on the stop is no breach.
    assert only(held((126.0, 126.5, 124.0, 125.0), NOTHING)["open"])["awaiting_exit"] is False


COLLISION = (126.0, 129.0, 124.0, 124.5)


def test_targets_win_a_collision_and_the_stop_takes_the_rest():
    trade = only(held(COLLISION, (126.0, 131.0, 125.0, 126.0))["trades"])
    assert (trade["tp1_hit"], trade["tp2_hit"], trade["same_bar_collision"]) == (True, False, True)
    assert (trade["exit_reason"], trade["exit_price"]) == ("Stop", 126.0)
    # (1.399 - 1 - 1) / 2 / 3
    assert trade["r_theoretical"] == pytest.approx((1.399 - 2) / 6, rel=1e-12)
    everything = only(held((126.0, 131.0, 124.0, 124.5), NOTHING)["trades"])
    assert (everything["exit_reason"], everything["same_bar_collision"]) == ("TP3", True)


def test_the_stop_wins_a_collision_where_asked_to():
    rules = B1Parameters(collision="stop_wins")
    trade = only(held(COLLISION, (126.0, 131.0, 125.0, 126.0), rules=rules)["trades"])
    assert (trade["tp1_hit"], trade["same_bar_collision"], trade["exit_price"]) == (False, True, 126.0)
    assert trade["r_theoretical"] == pytest.approx(-0.5, rel=1e-12)


def test_a_scratch_is_neither_won_nor_lost():
    document = held((126.0, 126.5, 124.0, 124.5), (127.0, 127.0, 127.0, 127.0))
    assert (only(document["trades"])["outcome"], document["metrics"]["win_rate"]) == ("Scratch", 0.0)
    assert document["metrics"]["profit_factor"] is None


def test_whole_lots_follow_the_thirds():
    after = ((127.0, 128.4, 126.5, 128.0), (126.0, 126.5, 124.0, 124.5), (124.0, 125.0, 123.0, 124.0))
    won, lost = 1.399 / 2, -1.5
    expected = {
        1: won,
        2: (won + lost) / 2,
        3: (won + 2 * lost) / 3,
        4: (won + lost + 2 * lost) / 4,
        5: (won + lost + 3 * lost) / 5,
        6: (2 * won + 4 * lost) / 6,
    }
    for lots, r_actual in expected.items():
        trade = only(held(*after, lots=lots)["trades"])
        assert trade["lots"] == lots
        assert trade["r_actual"] == pytest.approx(r_actual, rel=1e-12)
        assert trade["r_theoretical"] == pytest.approx((won + 2 * lost) / 3, rel=1e-12)
        # One lot is gone at TP1; the held range still follows the thirds to the stop fill at 124.
        assert trade["mae_r"] == pytest.approx(1.5, rel=1e-12)


def test_two_lots_leave_at_the_first_and_the_last_target():
    after = ((127.0, 128.4, 126.5, 128.0), (128.0, 129.4, 127.5, 129.0), (129.0, 131.0, 128.0, 129.0))
    assert only(held(*after, lots=2)["trades"])["r_actual"] == pytest.approx((1.399 + 3.5) / 4, rel=1e-12)


def test_break_even_stop_holds_from_the_bar_after_the_first_target():
    rules = B1Parameters(stop_mode=2)
    # Bar 253 hits TP1 and closes at 126.8, below the entry of 127 but above the stop of its day.
    hit = (127.0, 128.4, 126.5, 126.8)
    trade = only(held(hit, rules=rules)["open"])
    assert trade["awaiting_exit"] is False
    trade = only(held(hit, (126.8, 127.5, 126.0, 126.9), (126.5, 127.0, 126.0, 126.5), rules=rules)["trades"])
    assert (trade["exit_session"], trade["exit_price"]) == (DAYS[N + 5], 126.5)
    # The static stop holds on; a close on the break-even stop is no breach.
    assert held(hit, (126.8, 127.5, 126.0, 126.9), NOTHING)["trades"] == []
    assert held(hit, (126.8, 127.5, 126.0, 127.0), NOTHING, rules=rules)["trades"] == []


def test_trailing_stop_follows_the_ema_and_never_falls():
    rules = B1Parameters(stop_mode=3)
    hit = (127.0, 128.4, 126.5, 128.0)
    average = E_250
    for close in (127.5, 127.5, 128.0):
        average = 2 / 11 * close + 9 / 11 * average
    # The EMA after bar 253, about 126.63, is the stop of bar 254; the static one stays at 125.
    below_it = (127.0, 127.0, 126.0, average - 1e-6)
    assert only(held(hit, below_it, rules=rules)["open"])["awaiting_exit"] is True
    assert only(held(hit, below_it)["open"])["awaiting_exit"] is False
    assert only(held(hit, (127.0, 127.0, 126.0, average + 1e-6), rules=rules)["open"])["awaiting_exit"] is False
    # Before TP1 nothing trails.
    assert only(held(NOTHING, below_it, rules=rules)["open"])["awaiting_exit"] is False


# --- the end of the data --------------------------------------------------------------------------


def test_a_position_still_open_is_marked_at_the_last_close_and_stands_apart():
    document = held((127.0, 128.4, 126.5, 128.0), slippage_per_side=0.0)
    trade = only(document["open"])
    assert (trade["exit_reason"], trade["outcome"], trade["exit_price"]) == ("Open", "Open", 128.0)
    assert (trade["exit_session"], trade["hold_bars"]) == (DAYS[N + 3], 1)
    r = (1.399 + 1.0 + 1.0) / 6
    assert trade["r_theoretical"] == pytest.approx(r, rel=1e-12)
    metrics = document["metrics"]
    assert document["trades"] == []
    assert (metrics["trade_count"], metrics["total_r"], metrics["open_count"]) == (0, 0.0, 1)
    assert metrics["open_r"] == pytest.approx(r, rel=1e-12)
    assert list(trade)[-1] == "awaiting_exit"


def test_a_stop_breached_on_the_last_bar_awaits_its_exit():
    trade = only(held((126.0, 126.5, 124.0, 124.5), slippage_per_side=0.5)["open"])
    assert (trade["awaiting_exit"], trade["exit_price"]) == (True, 124.5)
    # Marked at the close without slippage: (124.5 - 127.5) / 2.5.
    assert trade["r_theoretical"] == pytest.approx(-1.2, rel=1e-12)


def test_an_entry_on_the_last_bar_is_open_with_no_bar_held():
    trade = only(play(QUIET, ENTRY)["open"])
    assert (trade["hold_bars"], trade["awaiting_exit"]) == (0, False)
    assert trade["r_theoretical"] == pytest.approx(0.25, rel=1e-12)
    assert (trade["mfe_r"], trade["mae_r"]) == pytest.approx((0.5, 0.25), rel=1e-12)
