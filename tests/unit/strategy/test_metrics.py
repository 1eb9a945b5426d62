"""Metrics of B1 on trades written down by hand."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date

import pytest
from b1_twin_tapes import walk

from ctl.model.trades import OpenTrade, Trade
from ctl.strategy.b1 import B1Parameters, portfolio, run, run_batch
from ctl.strategy.metrics import measure

EAGER = B1Parameters(slope_threshold=4.0, min_bars_of_air=3)


def trade(r, *, day=1, hold=2, cls=Trade, **extra):
    closed = date(2024, 1, day)
    return cls(
        trigger_session=closed, entry_session=closed, entry_price=10.0, stop_price=9.0, tp1=11.0, tp2=12.0, tp3=13.0,
        tp1_hit=False, tp2_hit=False, tp3_hit=False, tp1_session=None, tp2_session=None, tp3_session=None,
        tp1_fill=None, tp2_fill=None, tp3_fill=None, exit_session=closed, exit_price=10.0 + r, exit_reason="Stop",
        outcome="Win", risk=1.0, r_theoretical=r, r_actual=r, lots=3, mfe_r=0.0, mae_r=0.0, hold_bars=hold,
        day1_fail=False, same_bar_collision=False, **extra,
    )  # fmt: skip


def test_figures_over_closed_trades():
    # Curve from 0: -1, 1, 0.5, -0.5, -0.5, 2.5. Deepest fall: from 1 to -0.5.
    trades = [trade(r) for r in (-1.0, 2.0, -0.5, -1.0, 0.0, 3.0)]
    metrics = measure([], trades, [trade(-4.0, cls=OpenTrade, awaiting_exit=False)], 100, 7)
    assert metrics.trade_count == 6
    assert metrics.win_rate == pytest.approx(2 / 6)
    assert metrics.total_r == pytest.approx(2.5)
    assert metrics.expectancy_r == pytest.approx(2.5 / 6)
    assert metrics.profit_factor == pytest.approx(5.0 / 2.5)
    assert metrics.max_drawdown_r == pytest.approx(1.5)
    assert metrics.mean_hold_bars == 2.0
    assert metrics.exposure == pytest.approx(12 / 100)
    assert (metrics.open_count, metrics.open_r, metrics.slope_undefined_count) == (1, -4.0, 7)


def test_a_drawdown_counts_from_zero_and_is_positive():
    assert measure([], [trade(-1.0), trade(-2.0)], [], 10, 0).max_drawdown_r == 3.0
    assert measure([], [trade(1.0), trade(2.0)], [], 10, 0).max_drawdown_r == 0.0


def test_ratios_are_null_where_nothing_stands_below_the_line():
    empty = measure([], [], [], 0, 0)
    assert (empty.win_rate, empty.expectancy_r, empty.profit_factor) == (None, None, None)
    assert (empty.mean_hold_bars, empty.exposure) == (None, None)
    assert (empty.total_r, empty.max_drawdown_r, empty.open_r) == (0.0, 0.0, 0.0)
    assert empty.mtfa.weekly_aligned.rate is None
    winners = measure([], [trade(1.0), trade(1e-13)], [], 10, 0)
    assert (winners.profit_factor, winners.win_rate) == (None, 0.5)
    assert measure([], [trade(-1.0)], [], 10, 0).profit_factor == 0.0


def test_alignment_is_counted_over_confirmed_triggers_only():
    sample = run(walk(1, 420, start=200, noise=9, trend=3), EAGER).triggers[0]
    kinds = [("confirmed", True), ("confirmed", False), ("confirmed", None), ("expired", True), ("no_trade", True)]
    triggers = [replace(sample, status=status, weekly_aligned=flag, monthly_aligned=None) for status, flag in kinds]
    metrics = measure(triggers, [], [], 10, 0)
    assert (metrics.trigger_count, metrics.confirmed_count) == (5, 3)
    assert asdict(metrics.mtfa) == {
        "weekly_aligned": {"non_null": 2, "true": 1, "rate": 0.5},
        "monthly_aligned": {"non_null": 0, "true": 0, "rate": None},
    }


def test_a_portfolio_orders_trades_by_exit_session_then_symbol():
    template = run(walk(1, 420, start=200, noise=9, trend=3), EAGER)
    b = replace(template, symbol="B", trades=(trade(-1.0, day=2), trade(2.0, day=5)), open=(), evaluated_bars=10)
    a = replace(template, symbol="A", trades=(trade(1.0, day=2), trade(-3.0, day=4)), open=(), evaluated_bars=30)
    # A +1, B -1, A -3, B +2: from 1 down to -3. In the order given, or by symbol alone, the fall would be 3 or less.
    metrics = portfolio([b, a])
    assert metrics.max_drawdown_r == 4.0
    assert metrics == portfolio([a, b])
    assert metrics.total_r == -1.0
    assert metrics.exposure == pytest.approx(8 / 40)
    assert metrics.trigger_count == 2 * len(template.triggers)
    assert metrics.slippage_stress is None  # no tick was known


def test_slippage_stress_is_the_same_run_at_other_slippages():
    bars = [walk(seed, 420, start=200, noise=9, trend=3) for seed in range(5)]
    results = run_batch(bars, EAGER, tick=[0.25] * 5, slippage_per_side=[0.3] * 5)
    for item, result in zip(bars, results, strict=True):
        for level in result.metrics.slippage_stress:
            alone = run(item, EAGER, tick=0.25, slippage_per_side=0.25 * level.ticks).metrics
            assert [level.trade_count, level.total_r, level.win_rate, level.max_drawdown_r, level.profit_factor] == [
                alone.trade_count, alone.total_r, alone.win_rate, alone.max_drawdown_r, alone.profit_factor,
            ]  # fmt: skip
        assert [level.ticks for level in result.metrics.slippage_stress] == [0, 1, 2, 3]
    together = portfolio(results).slippage_stress
    unslipped = portfolio(run_batch(bars, EAGER, tick=[0.25] * 5))
    assert together[0].total_r == pytest.approx(unslipped.total_r)
    assert together[0].max_drawdown_r == pytest.approx(unslipped.max_drawdown_r)
    assert together[0].total_r > together[3].total_r


def test_the_document_holds_the_published_fields_in_order():
    document = run(walk(2, 420, start=200, noise=9, trend=3), EAGER, tick=0.25).document()
    assert list(document) == ["parameters", "triggers", "trades", "open", "metrics", "fingerprint"]
    # The section "Output" of the specification.
    assert " ".join(document["triggers"][0]) == (
        "trigger_session status reason slope bars_of_air ema atr stop swing_high tp1 tp2 tp3 tp4 tp5 wr_divergence "
        "clean_pullback volume_declining gap_below near_high fib_confluence single_bar_pullback weekly_aligned "
        "monthly_aligned stop_breached_while_pending confirmation_session entry_session"
    )
    assert " ".join(document["trades"][0]) == (
        "trigger_session entry_session entry_price stop_price tp1 tp2 tp3 tp1_hit tp2_hit tp3_hit tp1_session "
        "tp2_session tp3_session tp1_fill tp2_fill tp3_fill exit_session exit_price exit_reason outcome risk "
        "r_theoretical r_actual lots mfe_r mae_r hold_bars day1_fail same_bar_collision"
    )
    assert " ".join(document["metrics"]) == (
        "trigger_count confirmed_count trade_count win_rate total_r expectancy_r profit_factor max_drawdown_r "
        "mean_hold_bars exposure open_count open_r slope_undefined_count mtfa slippage_stress"
    )
    assert document["parameters"]["tick"] == 0.25
