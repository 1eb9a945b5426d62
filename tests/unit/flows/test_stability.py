"""The R under other rolls: the series of each change are those that its policy builds alone, and sums add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctl import store
from ctl.flows import inputs
from ctl.flows.backtest import run_strategy, strategy_bars
from ctl.flows.series import build_series, columns_each
from ctl.flows.stability import DAYS, SHIFTS, of_portfolio, stability, varied
from ctl.strategy import registry


@pytest.fixture(scope="module")
def held(filled_workspace: Path):
    return inputs.read_symbol(store.Workspace.load(filled_workspace), "PL", with_reference=False)


def test_series_built_together_are_those_built_alone(held) -> None:
    policies = [replace(held.policy, consecutive_days=days) for days in DAYS]
    policies.append(replace(held.policy, eligible_months=None))
    policies += [replace(held.policy, adjustment=adjustment) for adjustment in ("ratio", "none")]
    for policy, built in zip(policies, columns_each(held.contracts, policies, "CMES"), strict=True):
        frame = build_series(held.contracts, policy, "CMES").frame
        for name, column in built._asdict().items():
            assert np.array_equal(column, frame[name].to_numpy(), equal_nan=name != "session"), (policy, name)


def test_rolls_are_moved_by_as_many_sessions(held) -> None:
    series = build_series(held.contracts, held.policy, "CMES")
    days, shifted = varied(series)
    assert [policy.consecutive_days for policy in days.values()] == list(DAYS)
    sessions = series.frame["session"].to_list()
    for shift, policy in zip(SHIFTS, shifted.values(), strict=True):
        moved = build_series(held.contracts, policy, "CMES")
        steps = [
            sessions.index(new.roll_date) - sessions.index(old.roll_date)
            for old, new in zip(series.rolls, moved.rolls, strict=True)
        ]
        assert set(steps) == {shift}


def test_what_is_found_is_what_the_strategy_makes_of_each_series(held) -> None:
    b1 = registry.find("b1")
    series = build_series(held.contracts, held.policy, "CMES")
    bars = strategy_bars(series, "PL", "CMES")
    result = run_strategy(b1, bars, tick=0.1, slippage_per_side=0.1)
    found = stability(
        result.metrics, b1, bars, series, held.contracts, calendar="CMES", timeframe="daily", slippage_per_side=0.1,
        tick=0.1,
    )  # fmt: skip
    assert [item.change for item in found.slippage] == ["0 ticks", "1 tick", "2 ticks", "3 ticks"]
    assert found.rolls[held.policy.consecutive_days - 1].total_r == pytest.approx(result.metrics.total_r)
    days, shifted = varied(series)
    for found_r, policy in zip((*found.rolls, *found.shifted), (*days.values(), *shifted.values()), strict=True):
        alone = strategy_bars(build_series(held.contracts, policy, "CMES"), "PL", "CMES")
        other = run_strategy(b1, alone, tick=0.1, slippage_per_side=0.1).metrics
        assert (found_r.trades, found_r.total_r) == (other.trade_count, other.total_r), found_r.change
    assert found.sign == "negative" if (result.metrics.expectancy_r or 0) < 0 else "positive"


def test_a_symbol_without_rolls_stands_as_it_is_in_a_portfolio(held) -> None:
    b1 = registry.find("b1")
    series = build_series(held.contracts, held.policy, "CMES")
    bars = strategy_bars(series, "PL", "CMES")
    result = run_strategy(b1, bars, tick=0.1, slippage_per_side=0.1)
    terms = {"calendar": "CMES", "timeframe": "daily", "slippage_per_side": 0.1, "tick": 0.1}
    with_rolls, without = (stability(result.metrics, b1, bars, series, c, **terms) for c in (held.contracts, None))
    both = of_portfolio(result.metrics, [(with_rolls, result.metrics), (without, result.metrics)])
    assert without.rolls_note
    assert [item.total_r for item in both.rolls] == pytest.approx(
        [item.total_r + result.metrics.total_r for item in with_rolls.rolls]
    )
