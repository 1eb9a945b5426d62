"""The batch call: arrays and frames of many symbols say what the typed results of each say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from b1_twin_tapes import walk

from ctl.strategy.b1 import B1Parameters, run, run_batch
from ctl.strategy.metrics import measure

EAGER = B1Parameters(slope_threshold=4.0, min_bars_of_air=3, stop_mode=2)
COSTS = {"slippage_per_side": [0.25, 0.0, 0.5, 0.25, 0.0], "tick": [0.25, None, 0.5, 0.25, None]}


@pytest.fixture(scope="module")
def bars():
    walks = [walk(seed, 420 + 31 * seed, start=200, noise=9, trend=3, rolls=seed % 3) for seed in range(5)]
    return [replace(item, symbol=f"S{n}") for n, item in enumerate(walks)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_symbol_is_what_it_is_alone(bars, threads):
    batch = run_batch(bars, EAGER, **COSTS, threads=threads)
    assert len(batch) == 5
    for s, result in enumerate(batch):
        alone = run(bars[s], EAGER, slippage_per_side=COSTS["slippage_per_side"][s], tick=COSTS["tick"][s])
        assert result == alone
        assert batch.metrics(s) == alone.metrics
    assert batch[-1] == batch[4]
    assert batch[1:3] == [batch[1], batch[2]]
    with pytest.raises(IndexError):
        batch[5]


def test_metrics_from_arrays_are_those_of_the_typed_records(bars):
    for result in run_batch(bars, EAGER, **COSTS):
        undefined = result.metrics.slope_undefined_count
        typed = measure(result.triggers, result.trades, result.open, result.evaluated_bars, undefined, result.stressed)
        assert result.metrics == typed
        assert (result.metrics.slippage_stress is None) == (result.stressed is None)


def test_frames_hold_every_symbol(bars):
    batch = run_batch(bars, EAGER, **COSTS)
    trades = batch.trades_frame().filter(pl.col("exit_reason") != "Open")
    triggers = batch.triggers_frame()
    for result in batch:
        assert (
            trades.filter(symbol=result.symbol)
            .drop("symbol")
            .equals(result.to_polars().filter(pl.col("exit_reason") != "Open"))
        )
        assert triggers.filter(symbol=result.symbol).drop("symbol").equals(result.triggers_frame())
    assert triggers.height == len(batch.events) > 20
    assert run_batch([]).trades_frame().is_empty()


def test_an_event_without_a_trade_has_no_numbers_of_one(bars):
    events = run_batch(bars, EAGER).events
    untraded = events[events["entry_bar"] < 0]
    assert len(untraded) > 0
    assert np.isnan(untraded["r_theoretical"]).all()
    assert (untraded["exit_bar"] == -1).all()
