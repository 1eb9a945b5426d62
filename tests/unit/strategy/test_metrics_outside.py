"""Our metrics against quantstats and empyrical, on lists of R measured by tests/answers/metrics_outside.py."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from ctl.model.trades import Trade
from ctl.strategy.metrics import measure

ANSWERS = json.loads((Path(__file__).resolve().parents[2] / "answers" / "metrics_outside.json").read_text())
CASES = ANSWERS["cases"]


def trade(r, number):
    closed = date(2020, 1, 1) + timedelta(days=number)
    return Trade(
        trigger_session=closed, entry_session=closed, entry_price=10.0, stop_price=9.0, tp1=11.0, tp2=12.0, tp3=13.0,
        tp1_hit=False, tp2_hit=False, tp3_hit=False, tp1_session=None, tp2_session=None, tp3_session=None,
        tp1_fill=None, tp2_fill=None, tp3_fill=None, exit_session=closed, exit_price=10.0 + r, exit_reason="Stop",
        outcome="Win", risk=1.0, r_theoretical=r, r_actual=r, lots=3, mfe_r=0.0, mae_r=0.0, hold_bars=1,
        day1_fail=False, same_bar_collision=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_metrics_equal_those_of_other_libraries_where_they_mean_the_same(name):
    theirs = CASES[name]
    results = theirs["r"]
    ours = measure([], [trade(r, number) for number, r in enumerate(results)], [], len(results), 0)
    assert ours.total_r == pytest.approx(theirs["total"], rel=1e-9)
    assert ours.max_drawdown_r == pytest.approx(theirs["max_drawdown"], rel=1e-9, abs=1e-9)
    # A scratch is a closed trade to us and no trade to quantstats.
    decided = sum(r != 0.0 for r in results) / len(results)
    assert ours.win_rate == pytest.approx(theirs["win_rate"] * decided, rel=1e-12)
    assert ours.expectancy_r == pytest.approx(theirs["expectancy"] * decided, rel=1e-12)
    if theirs["profit_factor"] == "inf":
        assert ours.profit_factor is None
    else:
        assert ours.profit_factor == pytest.approx(theirs["profit_factor"], rel=1e-12)


def test_the_cases_hold_what_tells_the_definitions_apart():
    assert {"with_scratches", "only_wins", "only_losses", "falls_first"} <= set(CASES)
    assert 0.0 in CASES["with_scratches"]["r"]
    assert CASES["only_wins"]["profit_factor"] == "inf"
    assert CASES["only_wins"]["max_drawdown"] == 0.0
    # A curve that falls from the start has its drawdown from 0, not from its first value.
    assert CASES["falls_first"]["max_drawdown"] == pytest.approx(3.5)
