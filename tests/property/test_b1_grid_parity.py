"""A grid gives every variant, to the last bit, what a run gives it alone."""

from __future__ import annotations

import pytest
from b1_twin_tapes import walk
from hypothesis import given
from hypothesis import strategies as st

from ctl.strategy.b1 import B1Parameters, grid, registered_ranges, rules, run_batch

_SUMMED = ("total_r", "won_r", "lost_r", "max_drawdown_r", "win_count")
_REAL = {"slope_threshold", "breakdown_buffer_atr", "min_risk_atr"}


@st.composite
def registered(draw, timeframe):
    chosen = {
        "stop_mode": draw(st.sampled_from([1, 2, 3])),
        "collision": draw(st.sampled_from(["tp_wins", "stop_wins"])),
    }
    for name, (low, high) in registered_ranges(timeframe).items():
        if draw(st.booleans()):
            values = st.floats(low, high) if name in _REAL else st.integers(int(low), int(high))
            chosen[name] = draw(values)
    return B1Parameters.from_overrides(chosen, timeframe)


unregistered = st.builds(
    B1Parameters,
    ema=st.sampled_from([3, 10]),
    atr=st.sampled_from([5, 14]),
    slope_lookback=st.sampled_from([1, 20, 210]),
    slope_threshold=st.sampled_from([-50.0, 0.0, 2.0]),
    min_bars_of_air=st.integers(0, 3),
    entry_grace_bars=st.integers(1, 12),
    breakdown_buffer_atr=st.sampled_from([-0.2, 0.5, 2.0]),
    swing_lookback=st.sampled_from([1, 3, 205]),
    min_risk_atr=st.sampled_from([0.0, 0.3, 2.0]),
    stop_mode=st.sampled_from([1, 2, 3]),
    collision=st.sampled_from(["tp_wins", "stop_wins"]),
)
tape = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**9),
        "start": st.sampled_from([40, 200, 800]),
        "noise": st.integers(0, 14),
        "trend": st.integers(1, 14),
        "odd": st.sampled_from([0.0, 0.4]),
        "shift": st.sampled_from([0.0, -300.0]),
        "rolls": st.integers(0, 5),
    }
)
costs = st.fixed_dictionaries(
    {
        "slippage": st.sampled_from([0.0, 0.25, 1.0]),
        "tick": st.sampled_from([None, 0.25, 2.0]),
        "lots": st.sampled_from([1, 2, 3, 7]),
    }
)


def sums(results):
    """Total, wins, losses, deepest fall and number of wins, added up one after the other."""
    total = won = lost = peak = deepest = 0.0
    wins = 0
    for r in results:
        total += r
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
        won += r if r >= 1e-12 else 0.0
        lost += r if r <= -1e-12 else 0.0
        wins += r >= 1e-12
    return total, won, lost, deepest, wins


def check(bars, variants, cost, threads, timeframe="daily"):
    each = {
        "slippage_per_side": [cost["slippage"]] * len(bars),
        "tick": [cost["tick"]] * len(bars),
        "lots": cost["lots"],
        "timeframe": timeframe,
    }
    result = grid.run(bars, variants, **each, threads=threads, trades=True, stress=True)
    for v, params in enumerate(variants):
        alone = run_batch(bars, params, **each)
        for s in range(len(bars)):
            assert result.metrics(v, s) == alone.metrics(s)
            events = alone.events_of(s)
            entered = events[events["status"] == rules.CONFIRMED]
            done = entered["exit_reason"] != rules.EXIT_OPEN
            found = sums(entered["r_theoretical"][done].tolist())
            line = result.sums[0, v, s]
            assert found == tuple(line[list(_SUMMED)].item())
            listed = result.trades_of(v, s)
            assert listed["closed"].tolist() == done.tolist()
            for name in ("trigger_bar", "entry_bar", "exit_bar", "r_theoretical", "r_actual"):
                assert listed[name].tolist() == entered[name].tolist()
    return int(result.sums["trade_count"][0].sum())


@given(
    tapes=st.lists(tape, min_size=1, max_size=3),
    length=st.integers(190, 420),
    variants=st.lists(registered("daily"), min_size=1, max_size=9),
    cost=costs,
    threads=st.integers(1, 3),
)
def test_registered_variants_on_daily_bars(tapes, length, variants, cost, threads):
    bars = [walk(length=length + 17 * number, **given) for number, given in enumerate(tapes)]
    check(bars, variants, cost, threads)


@given(
    tapes=st.lists(tape, min_size=1, max_size=3),
    length=st.integers(201, 420),
    variants=st.lists(unregistered, min_size=1, max_size=9),
    cost=costs,
)
def test_variants_that_trigger_bar_upon_bar(tapes, length, variants, cost):
    bars = [walk(length=length + 17 * number, **given) for number, given in enumerate(tapes)]
    check(bars, variants, cost, 1)


@given(
    given_tape=tape,
    length=st.integers(1100, 1500),
    variants=st.lists(registered("weekly"), min_size=1, max_size=5),
    cost=costs,
)
def test_weekly_bars(given_tape, length, variants, cost):
    daily = [walk(length=length, **given_tape)]
    check(daily, variants, cost, 1, "weekly")


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_full_product_trades_on_every_symbol(threads):
    bars = [walk(seed, 420 + seed, start=200, noise=9, trend=3, rolls=seed % 3) for seed in range(5)]
    variants = [
        B1Parameters(
            slope_threshold=slope, min_bars_of_air=air, entry_grace_bars=grace, stop_mode=mode, collision=collision
        )
        for slope in (4.0, 6.0, 8.0)
        for air in (3, 6)
        for grace in (1, 3)
        for mode in (1, 2, 3)
        for collision in ("tp_wins", "stop_wins")
    ]
    cost = {"slippage": 0.25, "tick": 0.25, "lots": 4}
    assert check(bars, variants, cost, threads) > 500
