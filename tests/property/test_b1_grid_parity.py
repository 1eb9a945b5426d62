"""A grid gives every variant, to the last bit, what the kernel gives it alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "answers"))
from b1_twin_tapes import walk

from ctl.strategy.b1 import B1Parameters, Panel, grid, registered_ranges, simulate
from ctl.strategy.b1 import kernel as k
from ctl.strategy.bars import weekly_bars

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


def check(panel, variants, cost, threads):
    symbols = len(panel.symbols)
    each = {
        "slippage_per_side": [cost["slippage"]] * symbols,
        "tick": [cost["tick"]] * symbols,
        "lots": cost["lots"],
    }
    result = grid.run(panel, variants, **each, threads=threads, trades=True)
    for v, params in enumerate(variants):
        alone = simulate(panel, params, **each)
        assert result.slope_undefined_count[v].tolist() == alone.undefined_slopes.tolist()
        for s in range(symbols):
            rows, values = alone.of(s)
            entered = rows[:, k.I_STATUS] == k.CONFIRMED
            closed = entered & (rows[:, k.I_EXIT_REASON] != k.EXIT_OPEN)
            still_open = entered & ~closed
            numbers = (
                result.trigger_count[v, s],
                result.confirmed_count[v, s],
                result.trade_count[v, s],
                result.open_count[v, s],
                result.hold_bars[v, s],
            )
            held = rows[:, k.I_EXIT] - rows[:, k.I_ENTRY]
            assert numbers == (len(rows), entered.sum(), closed.sum(), still_open.sum(), held[closed].sum())
            figures = (
                result.total_r[v, s],
                result.won_r[v, s],
                result.lost_r[v, s],
                result.max_drawdown_r[v, s],
                result.win_count[v, s],
            )
            assert figures == sums(values[closed, k.F_R_THEORETICAL].tolist())
            assert result.open_r[v, s] == sum(values[still_open, k.F_R_THEORETICAL].tolist())
            assert result.evaluated_bars[v, s] == max(0, int(np.diff(panel.offsets)[s]) - params.warm_up)
            listed, here = result.trades, result.trades.of(v, s)
            for mine, theirs in (
                (listed.trigger_bar, rows[entered, k.I_BAR]),
                (listed.entry_bar, rows[entered, k.I_ENTRY]),
                (listed.exit_bar, rows[entered, k.I_EXIT]),
                (listed.closed, closed[entered]),
                (listed.r_theoretical, values[entered, k.F_R_THEORETICAL]),
                (listed.r_actual, values[entered, k.F_R_ACTUAL]),
            ):
                assert mine[here].tolist() == theirs.tolist()
    return int(result.trade_count.sum())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tapes=st.lists(tape, min_size=1, max_size=3),
    length=st.integers(190, 420),
    variants=st.lists(registered("daily"), min_size=1, max_size=9),
    cost=costs,
    threads=st.integers(1, 3),
)
def test_registered_variants_on_daily_bars(tapes, length, variants, cost, threads):
    bars = [walk(length=length + 17 * number, **given) for number, given in enumerate(tapes)]
    check(Panel.of(bars), variants, cost, threads)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tapes=st.lists(tape, min_size=1, max_size=3),
    length=st.integers(201, 420),
    variants=st.lists(unregistered, min_size=1, max_size=9),
    cost=costs,
)
def test_variants_that_trigger_bar_upon_bar(tapes, length, variants, cost):
    bars = [walk(length=length + 17 * number, **given) for number, given in enumerate(tapes)]
    check(Panel.of(bars), variants, cost, 1)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    given_tape=tape,
    length=st.integers(1100, 1500),
    variants=st.lists(registered("weekly"), min_size=1, max_size=5),
    cost=costs,
)
def test_weekly_bars(given_tape, length, variants, cost):
    daily = [walk(length=length, **given_tape)]
    check(Panel.of([weekly_bars(item) for item in daily], daily), variants, cost, 1)


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
    assert check(Panel.of(bars), variants, cost, threads) > 500
