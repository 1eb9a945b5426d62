"""The compiled B1 and the plain one make the same triggers and trades on whatever bars hypothesis finds."""

from __future__ import annotations

import pytest
from b1_twin import b1
from b1_twin_tapes import as_dicts, differences, walk
from hypothesis import given
from hypothesis import strategies as st

from ctl.strategy.b1 import B1Parameters, registered_ranges, run

_REAL = {"slope_threshold", "breakdown_buffer_atr", "min_risk_atr"}


@st.composite
def overrides(draw, timeframe):
    chosen = {
        "stop_mode": draw(st.sampled_from([1, 2, 3])),
        "collision": draw(st.sampled_from(["tp_wins", "stop_wins"])),
    }
    for name, (low, high) in registered_ranges(timeframe).items():
        if draw(st.integers(0, 3)) == 0:
            values = st.floats(low, high) if name in _REAL else st.integers(int(low), int(high))
            chosen[name] = draw(values)
    return chosen


tapes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**9),
        "start": st.sampled_from([40, 200, 200, 800]),
        "grid": st.sampled_from([0.01, 0.25, 1.0]),
        "noise": st.integers(0, 14),
        "trend": st.integers(1, 14),
        "odd": st.sampled_from([0.0, 0.05, 0.4]),
        "shift": st.sampled_from([0.0, 0.0, -300.0]),
        "rolls": st.integers(0, 5),
        "week_complete": st.booleans(),
    }
)
costs = st.fixed_dictionaries(
    {
        "slippage": st.sampled_from([0.0, 0.25, 1.0]),
        "tick": st.sampled_from([None, 0.25, 2.0]),
        "lots": st.sampled_from([1, 2, 3, 4, 7]),
    }
)


def check(bars, rules, cost, timeframe):
    result = run(
        bars,
        rules,
        timeframe=timeframe,
        slippage_per_side=cost["slippage"],
        tick=cost["tick"],
        lots=cost["lots"],
    )
    expected = b1(as_dicts(bars), rules.document(), **cost, timeframe=timeframe, week_complete=bars.week_complete)
    assert differences(result.document(), expected) == []
    assert result.metrics.slope_undefined_count == expected["slope_undefined_count"]
    return result


@given(tape=tapes, length=st.integers(201, 420), chosen=overrides("daily"), cost=costs)
def test_daily_bars(tape, length, chosen, cost):
    check(walk(length=length, **tape), B1Parameters.from_overrides(chosen, "daily"), cost, "daily")


@given(
    tape=tapes,
    length=st.integers(201, 420),
    air=st.integers(0, 2),
    grace=st.integers(1, 12),
    threshold=st.sampled_from([-50.0, 0.0, 2.0]),
    lookback=st.sampled_from([1, 5, 210]),
    swing=st.sampled_from([1, 3, 205]),
    cost=costs,
)
def test_unregistered_rules_that_trigger_bar_upon_bar(tape, length, air, grace, threshold, lookback, swing, cost):
    rules = B1Parameters(
        slope_lookback=lookback,
        slope_threshold=threshold,
        min_bars_of_air=air,
        entry_grace_bars=grace,
        swing_lookback=swing,
        williams=3,
        breakdown_buffer_atr=2.0,
    )
    check(walk(length=length, **tape), rules, cost, "daily")


@given(tape=tapes, length=st.integers(1100, 1500), chosen=overrides("weekly"), cost=costs)
def test_weekly_bars(tape, length, chosen, cost):
    check(walk(length=length, **tape), B1Parameters.from_overrides(chosen, "weekly"), cost, "weekly")


@pytest.mark.parametrize("stop_mode", [1, 2, 3])
@pytest.mark.parametrize("collision", ["tp_wins", "stop_wins"])
def test_data_that_end_anywhere_in_a_trade(stop_mode, collision):
    rules = B1Parameters(stop_mode=stop_mode, collision=collision, slope_threshold=4.0, min_bars_of_air=3)
    cost = {"slippage": 0.25, "tick": 0.25, "lots": 4}
    trades = still_open = due = waiting = 0
    for seed in range(6):
        bars = walk(seed, 420, start=200, noise=9, trend=3, rolls=seed % 4)
        result = check(bars, rules, cost, "daily")
        trades += len(result.trades)
        position = {session: n for n, session in enumerate(bars.session.tolist())}
        for trigger in result.triggers[:12]:
            first = position[trigger.trigger_session]
            for end in range(first + 1, min(first + 9, len(bars))):
                cut = check(bars.truncated(end), rules, cost, "daily")
                still_open += len(cut.open)
                due += sum(trade.awaiting_exit for trade in cut.open)
                waiting += cut.triggers[-1].status in ("pending", "awaiting_entry")
    assert trades > 30
    assert still_open > 30
    assert due > 5
    assert waiting > 30
