"""The grid of parameter sets: its figures against whole runs, its refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from b1_twin_tapes import walk

from ctl.errors import UsageError
from ctl.strategy.b1 import B1Parameters, grid, run
from ctl.strategy.metrics import measure, portfolio

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
    result = grid.run(bars, VARIANTS, **costs(len(bars)), trades=True, stress=True)
    trades = 0
    for v, params in enumerate(VARIANTS):
        for s, item in enumerate(bars):
            whole = run(item, params, slippage_per_side=0.25, tick=0.25)
            metrics = whole.metrics
            assert result.metrics(v, s) == metrics
            trades += metrics.trade_count
    assert trades > 60


def test_portfolios_are_those_of_whole_runs():
    bars = tapes()
    bars = [replace(bars[0], symbol="Z"), *bars[1:]]  # trades of one session go by symbol, not by position
    slippage, tick = [0.25, 0.0, 0.5, 0.25], [0.25, 0.5, 0.25, 0.25]
    result = grid.run(bars, VARIANTS, slippage_per_side=slippage, tick=tick, trades=True, stress=True)
    for v, found in enumerate(result.portfolios(range(4))):
        costs_of = zip(bars, slippage, tick, strict=True)
        whole = [run(item, VARIANTS[v], slippage_per_side=cost, tick=size) for item, cost, size in costs_of]
        assert found == portfolio(whole)
        assert result.portfolios([1, 3])[v] == portfolio([whole[1], whole[3]])
        trades = [trade for item in sorted(whole, key=lambda each: each.symbol) for trade in item.trades]
        closing = sorted(trades, key=lambda trade: trade.exit_session)
        assert result.closed_r(v) == [trade.r_theoretical for trade in closing]


def test_stress_is_left_out_where_a_tick_is_not_known():
    bars = tapes()
    result = grid.run(
        bars, VARIANTS, slippage_per_side=[0.25] * 4, tick=[None, 0.25, None, 0.25], trades=True, stress=True
    )
    assert result.metrics(0, 0).slippage_stress is None
    assert result.metrics(0, 1) == run(bars[1], VARIANTS[0], slippage_per_side=0.25, tick=0.25).metrics
    assert result.portfolios(range(4))[0].slippage_stress is None
    assert result.portfolios([1, 3])[0].slippage_stress is not None


def test_a_variant_given_twice_or_elsewhere_keeps_its_figures():
    bars = tapes()
    forward = grid.run(bars, VARIANTS, **costs(len(bars)))
    backward = grid.run(bars, [*VARIANTS[::-1], VARIANTS[0]], **costs(len(bars)))
    assert (backward.sums[0, :3] == forward.sums[0, ::-1]).all()
    assert (backward.sums[0, 3] == forward.sums[0, 0]).all()


def test_a_symbol_too_short_to_trade_has_no_figures():
    result = grid.run([walk(1, 150)], VARIANTS, **costs(1), trades=True)
    assert result.metrics(0, 0) == measure([], [], [], 0, 0)
    assert len(result.trades_of(0, 0)) == 0
    assert result.portfolios([0])[0] == measure([], [], [], 0, 0)


def test_unusable_grids_are_refused():
    bars = tapes()[:1]
    with pytest.raises(UsageError, match="at least one variant"):
        grid.run(bars, [], **costs(1))
    with pytest.raises(UsageError, match="per symbol"):
        grid.run(bars, VARIANTS, **costs(2))
    with pytest.raises(UsageError, match="lots"):
        grid.run(bars, VARIANTS, **costs(1), lots=0)


def test_some_symbols_after_others_are_all_of_them():
    bars = tapes()
    whole = grid.run(bars, VARIANTS, **costs(4), trades=True, stress=True)
    parts = [grid.run(part, VARIANTS, **costs(len(part)), trades=True, stress=True) for part in (bars[:3], bars[3:])]
    made = grid.joined(parts)
    assert made.portfolios(range(4)) == whole.portfolios(range(4))
    assert [made.closed_r(v) for v in range(3)] == [whole.closed_r(v) for v in range(3)]
    assert [made.metrics(v, s) for v in range(3) for s in range(4)] == [
        whole.metrics(v, s) for v in range(3) for s in range(4)
    ]
