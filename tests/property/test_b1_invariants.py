"""What must not change B1: data of the future, later rolls, the unit of price, the number of threads."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from b1_twin_tapes import walk
from hypothesis import given
from hypothesis import strategies as st

from ctl.model.trades import Trigger
from ctl.strategy.b1 import B1Parameters, StrategyBars, run, run_batch

EAGER = B1Parameters(slope_threshold=4.0, min_bars_of_air=3)
EAGER_WEEKLY = B1Parameters(slope_threshold=4.0, min_bars_of_air=3, swing_lookback=12)
COLUMNS = ("session", "open", "high", "low", "close", "volume", "adjustment", "week_key", "month_key")
LEVELS = ("ema", "stop", "swing_high", "tp1", "tp2", "tp3", "tp4", "tp5")
# Decided by bars after the trigger, so that a truncated run cannot know them yet.
LATER = ("status", "reason", "stop_breached_while_pending", "confirmation_session", "entry_session")

tapes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**9),
        "start": st.sampled_from([200, 400]),
        "noise": st.integers(6, 12),
        "trend": st.integers(2, 5),
        "rolls": st.integers(0, 5),
    }
)


def changed(bars, count=None, **columns):
    values = {name: columns.get(name, getattr(bars, name))[:count] for name in COLUMNS}
    return StrategyBars("TEST", **values, week_complete=bars.week_complete)


def as_it_stood(bars, end):
    """The first `end` bars in the frame of their last one: later rolls undone."""
    frame = bars.adjustment[end - 1]
    shifted = {name: getattr(bars, name) - frame for name in ("open", "high", "low", "close", "adjustment")}
    return changed(bars, end, **shifted), frame


def assert_same_triggers(full, cut, last, frame):
    expected = [trigger for trigger in full.triggers if trigger.trigger_session <= last]
    assert [t.trigger_session for t in cut.triggers] == [t.trigger_session for t in expected]
    for ours, theirs in zip(cut.triggers, expected, strict=True):
        for item in fields(Trigger):
            mine, whole = getattr(ours, item.name), getattr(theirs, item.name)
            if item.name in LATER:
                continue
            if item.name in LEVELS:
                assert mine == pytest.approx(whole - frame, rel=1e-9, abs=1e-9), item.name
            elif isinstance(whole, float):
                assert mine == pytest.approx(whole, rel=1e-9, abs=1e-9), item.name
            else:
                assert mine == whole, item.name
    return len(expected)


@given(tape=tapes, ends=st.lists(st.integers(202, 420), min_size=1, max_size=4))
def test_bars_and_rolls_after_a_session_change_nothing_up_to_it(tape, ends):
    bars = walk(length=420, **tape)
    full = run(bars, EAGER, tick=0.25)
    for end in ends:
        cut, frame = as_it_stood(bars, end)
        assert_same_triggers(full, run(cut, EAGER, tick=0.25), bars.session[end - 1].item(), frame)


def test_truncation_at_every_bar_of_a_tape_with_rolls():
    compared = 0
    for seed in range(4):
        bars = walk(seed, 420, start=200, noise=9, trend=3, rolls=4)
        full = run(bars, EAGER, tick=0.25)
        for end in range(205, 421, 3):
            cut, frame = as_it_stood(bars, end)
            compared += assert_same_triggers(full, run(cut, EAGER, tick=0.25), bars.session[end - 1].item(), frame)
    assert compared > 500


def test_weekly_truncation_leaves_complete_weeks_as_they_were():
    compared = 0
    for seed in range(6):
        bars = walk(seed, 1400, start=200, noise=9, trend=3, rolls=4)
        full = run(bars, EAGER_WEEKLY, timeframe="weekly", tick=0.25)
        for end in range(1101, 1400, 23):
            cut, frame = as_it_stood(bars, end)
            result = run(cut, EAGER_WEEKLY, timeframe="weekly", tick=0.25)
            compared += assert_same_triggers(full, result, result.last_session, frame)
    assert compared > 10


@given(tape=tapes, power=st.integers(-4, 6), count=st.sampled_from([0.0, 0.25]))
def test_another_unit_of_price_changes_no_ratio(tape, power, count):
    # Powers of two scale binary fractions without rounding, so equality is exact.
    bars = walk(length=420, **tape)
    factor = 2.0**power
    names = ("open", "high", "low", "close", "adjustment")
    scaled = changed(bars, **{name: getattr(bars, name) * factor for name in names})
    plain = run(bars, EAGER, tick=0.25, slippage_per_side=count)
    other = run(scaled, EAGER, tick=0.25 * factor, slippage_per_side=count * factor)
    assert [(t.trigger_session, t.status, t.slope, t.bars_of_air) for t in plain.triggers] == [
        (t.trigger_session, t.status, t.slope, t.bars_of_air) for t in other.triggers
    ]
    assert [(t.stop * factor, t.tp1 * factor) for t in plain.triggers] == [(t.stop, t.tp1) for t in other.triggers]
    assert [(t.r_theoretical, t.mfe_r, t.exit_session, t.outcome) for t in plain.trades] == [
        (t.r_theoretical, t.mfe_r, t.exit_session, t.outcome) for t in other.trades
    ]
    assert plain.metrics == other.metrics


@given(tape=tapes, shift=st.sampled_from([-1000.0, 64.0, 4096.0]))
def test_a_constant_in_price_and_adjustment_alike_changes_no_trade(tape, shift):
    bars = walk(length=420, **tape)
    names = ("open", "high", "low", "close", "adjustment")
    moved = changed(bars, **{name: getattr(bars, name) + shift for name in names})
    plain, other = run(bars, EAGER, tick=0.25), run(moved, EAGER, tick=0.25)
    assert assert_same_triggers(plain, other, plain.last_session, -shift) == len(plain.triggers)
    assert [t.exit_session for t in plain.trades] == [t.exit_session for t in other.trades]
    assert [t.r_theoretical for t in plain.trades] == pytest.approx(
        [t.r_theoretical for t in other.trades], rel=1e-7, abs=1e-9
    )


@given(tape=tapes)
def test_levels_and_outcomes_are_consistent(tape):
    bars = walk(length=420, odd=0.0, **tape)
    result = run(bars, EAGER, tick=0.25, slippage_per_side=0.25)
    for t in result.triggers:
        assert t.stop < t.tp1 <= t.tp2 <= t.tp3 == t.swing_high <= t.tp4 <= t.tp5
        assert t.bars_of_air >= 3
        assert (t.reason is not None) == (t.status == "no_trade")
    confirmed = [t.entry_session for t in result.triggers if t.status == "confirmed"]
    assert confirmed == [t.entry_session for t in (*result.trades, *result.open)]
    for trade in result.trades:
        assert trade.risk == trade.entry_price - trade.stop_price > 0
        assert trade.hold_bars >= 1
        assert trade.mae_r >= -1e-9
        assert trade.r_actual == pytest.approx(trade.r_theoretical, rel=1e-9, abs=1e-9)  # three lots
    exits = [trade.exit_session for trade in result.trades]
    assert exits == sorted(exits)
    assert len(result.open) <= 1


def test_symbols_side_by_side_and_threads_give_what_each_alone_gives():
    bars = [walk(seed, 300 + 20 * seed, start=200, noise=9, trend=3, rolls=seed % 3) for seed in range(9)]
    ticks = [0.25 if seed % 2 else None for seed in range(9)]
    slippages = [0.25 * (seed % 3) for seed in range(9)]
    alone = [
        run(item, EAGER, tick=tick, slippage_per_side=slippage).document()
        for item, tick, slippage in zip(bars, ticks, slippages, strict=True)
    ]
    for threads in (1, 2, 4, 20):
        together = run_batch(bars, EAGER, tick=ticks, slippage_per_side=slippages, threads=threads)
        assert [result.document() for result in together] == alone
    assert sum(len(document["trades"]) for document in alone) > 30


def test_missing_volume_leaves_everything_but_its_flag():
    bars = walk(3, 420, start=200, noise=9, trend=3)
    with_volume = run(bars, EAGER).document()
    without = run(changed(bars, volume=np.full(420, np.nan)), EAGER).document()
    assert {t["volume_declining"] for t in without["triggers"]} == {None}
    for one, other in zip(with_volume["triggers"], without["triggers"], strict=True):
        assert {**one, "volume_declining": None} == other
    assert with_volume["trades"] == without["trades"]
