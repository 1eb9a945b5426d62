"""The grid of parameter sets: its figures against whole runs, its refusals, its ratios."""

from __future__ import annotations

import math

import numpy as np
import pytest
from b1_twin_tapes import walk

from ctl.errors import UsageError
from ctl.strategy.b1 import B1Parameters, Panel, grid, run
from ctl.strategy.metrics import measure

VARIANTS = [
    B1Parameters(slope_threshold=4.0, min_bars_of_air=3),
    B1Parameters(slope_threshold=6.0, min_bars_of_air=3, ema=9, stop_mode=3),
    B1Parameters(slope_threshold=4.0, min_bars_of_air=4, slope_lookback=15, collision="stop_wins"),
]


def tapes():
    return [walk(seed, 420, start=200, noise=9, trend=3, rolls=seed % 3) for seed in range(4)]


def costs(symbols, slippage=0.25):
    return {"slippage_per_side": [slippage] * symbols, "tick": [0.25] * symbols}


def test_figures_are_those_of_whole_runs():
    bars = tapes()
    result = grid.run(Panel.of(bars), VARIANTS, **costs(len(bars)))
    trades = 0
    for v, params in enumerate(VARIANTS):
        for s, item in enumerate(bars):
            whole = run(item, params, slippage_per_side=0.25, tick=0.25)
            metrics = whole.metrics
            assert result.trigger_count[v, s] == metrics.trigger_count
            assert result.confirmed_count[v, s] == metrics.confirmed_count
            assert result.trade_count[v, s] == metrics.trade_count
            assert result.open_count[v, s] == metrics.open_count
            assert result.slope_undefined_count[v, s] == metrics.slope_undefined_count
            assert result.evaluated_bars[v, s] == whole.evaluated_bars
            for name in ("win_rate", "total_r", "expectancy_r", "profit_factor", "max_drawdown_r", "open_r"):
                expected = getattr(metrics, name)
                found = getattr(result, name)[v, s]
                assert math.isnan(found) if expected is None else found == pytest.approx(expected, rel=1e-12, abs=1e-12)
            trades += metrics.trade_count
    assert trades > 60


def test_candidates_serve_other_costs():
    bars = tapes()
    panel = Panel.of(bars)
    shared = grid.candidates(panel, VARIANTS)
    assert [found.members for found in shared] == [(0,), (1,), (2,)]
    dear = grid.walk(panel, VARIANTS, shared, **costs(len(bars), 1.0))
    assert (dear.total_r == grid.run(panel, VARIANTS, **costs(len(bars), 1.0)).total_r).all()
    assert (dear.total_r != grid.walk(panel, VARIANTS, shared, **costs(len(bars))).total_r).any()


def test_a_variant_given_twice_or_elsewhere_keeps_its_figures():
    bars = tapes()
    panel = Panel.of(bars)
    forward = grid.run(panel, VARIANTS, **costs(len(bars)))
    backward = grid.run(panel, [*VARIANTS[::-1], VARIANTS[0]], **costs(len(bars)))
    assert (backward.total_r[:3] == forward.total_r[::-1]).all()
    assert (backward.total_r[3] == forward.total_r[0]).all()


def test_ratios_of_a_symbol_too_short_to_trade_are_not_numbers():
    bars = [walk(1, 150)]
    result = grid.run(Panel.of(bars), VARIANTS, **costs(1), trades=True)
    empty = measure([], [], [], 0, 0)
    assert np.isnan(result.win_rate).all()
    assert np.isnan(result.expectancy_r).all()
    assert np.isnan(result.profit_factor).all()
    assert (result.total_r == empty.total_r).all()
    assert result.evaluated_bars.tolist() == [[0], [0], [0]]
    assert len(result.trades.r_theoretical) == 0


def test_unusable_grids_are_refused():
    panel = Panel.of(tapes()[:1])
    with pytest.raises(UsageError, match="at least one variant"):
        grid.run(panel, [], **costs(1))
    with pytest.raises(UsageError, match="per symbol"):
        grid.run(panel, VARIANTS, **costs(2))
    with pytest.raises(UsageError, match="lots"):
        grid.run(panel, VARIANTS, **costs(1), lots=0)
