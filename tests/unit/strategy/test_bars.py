"""Bars that a strategy refuses, and costs that it refuses."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from b1_twin_tapes import as_bars, walk, weekdays

from ctl.errors import DataError, UsageError
from ctl.model.bars import DailySeries, SeriesMeta
from ctl.strategy.b1 import B1, StrategyBars, run, run_batch
from ctl.strategy.bars import weekly_bars

ROWS = [(10.0, 11.0, 9.0, 10.5, 5)] * 4


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1, 2, 3])
def test_a_missing_or_infinite_price_refuses_the_series(column, value):
    rows = [list(row) for row in ROWS]
    rows[2][column] = value
    with pytest.raises(DataError, match=f"TEST: {('open', 'high', 'low', 'close')[column]} is missing") as caught:
        as_bars(rows)
    assert "on 1 of 4 bars" in str(caught.value)
    assert weekdays(4)[2].isoformat() in str(caught.value)


def test_an_unknown_adjustment_refuses_the_series():
    with pytest.raises(DataError, match="adjustment is missing"):
        as_bars(ROWS, adjustment=[0.0, np.nan, 0.0, 0.0])


def test_odd_bars_run_as_given():
    rows = list(ROWS)
    rows[1] = (10.0, 9.0, 12.0, 10.5, 5)  # high below low
    assert run(as_bars(rows)).triggers == ()


def test_sessions_must_increase():
    day = date(2024, 1, 2)
    for days in ([day, day, date(2024, 1, 3), date(2024, 1, 4)], [date(2024, 1, 5), day, day, day]):
        with pytest.raises(DataError, match="strictly increasing"):
            as_bars(ROWS, days=days)


def test_columns_must_fit():
    session = np.array(weekdays(3), "datetime64[D]")
    with pytest.raises(DataError, match=r"low has shape \(2,\)"):
        StrategyBars("X", session, np.ones(3), np.ones(3), np.ones(2), np.ones(3))
    with pytest.raises(DataError, match="week_key must never decrease"):
        StrategyBars("X", session, *[np.ones(3)] * 4, week_key=np.array([2, 1, 3]))
    with pytest.raises(DataError, match="no bars"):
        StrategyBars("X", session[:0], *[np.ones(0)] * 4)


def test_columns_cannot_be_changed_afterwards():
    bars = as_bars(ROWS)
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0] = 1.0


def test_a_series_without_opens_is_refused_and_one_with_holes_in_volume_is_not():
    frame = pl.DataFrame(
        {
            "session": weekdays(3),
            "open": [1.0, 2.0, 3.0],
            "high": [1.0, 2.0, 3.0],
            "low": [1.0, 2.0, 3.0],
            "close": [1.0, 2.0, 3.0],
            "volume": [1, None, 3],
            "open_interest": pl.Series([None] * 3, dtype=pl.Int64),
            "contract": ["A", "A", "A"],
            "adjustment": [0.5, 0.5, 0.0],
        }
    )
    meta = SeriesMeta("X", "vendor", "exchange_session", "settlement")
    bars = StrategyBars.from_series(DailySeries(frame, meta), symbol="X")
    assert bars.session.tolist() == weekdays(3)
    assert bars.adjustment.tolist() == [0.5, 0.5, 0.0]
    assert np.isnan(bars.volume).tolist() == [False, True, False]
    settled = frame.with_columns(open=pl.lit(None, pl.Float64))
    with pytest.raises(DataError, match="X: open is missing or not finite on 3 of 3 bars"):
        StrategyBars.from_series(DailySeries(settled, meta), symbol="X")


def test_some_rows_of_a_series_are_taken_without_looking_at_the_others():
    frame = pl.DataFrame(
        {
            "session": weekdays(5),
            "open": [None, 2.0, 3.0, 4.0, None],
            "high": pl.Series([None, 2, 3, 4, None], dtype=pl.Int64),
            "low": [None, 2.0, 3.0, 4.0, 5.0],
            "close": pl.Series([1.0, 2.0, 3.0, 4.0, 5.0], dtype=pl.Float32),
            "volume": pl.Series([None] * 5),
            "open_interest": pl.Series([None] * 5, dtype=pl.Int64),
            "contract": ["A"] * 5,
            "adjustment": [0.5, 0.5, 0.0, 0.0, 0.0],
        }
    )
    series = DailySeries(frame, SeriesMeta("X", "vendor", "exchange_session", "settlement"))
    rows = slice(1, 4)
    bars = StrategyBars.from_series(series, symbol="X", rows=rows, adjustment=np.arange(5.0), week_key=[1, 1, 2])
    assert bars.session.tolist() == weekdays(5)[1:4]
    assert [column.tolist() for column in (bars.open, bars.high, bars.close)] == [[2.0, 3.0, 4.0]] * 3
    assert bars.adjustment.tolist() == [1.0, 2.0, 3.0]
    assert bars.week_key.tolist() == [1, 1, 2]
    assert np.isnan(bars.volume).all()
    with pytest.raises(DataError, match="open is missing or not finite on 2 of 5 bars"):
        StrategyBars.from_series(series, symbol="X")


def test_no_complete_week_is_refused():
    with pytest.raises(DataError, match="no complete week"):
        weekly_bars(as_bars(ROWS))
    assert len(weekly_bars(as_bars(ROWS, week_complete=True))) == 1


@pytest.mark.parametrize(
    "costs",
    [
        {"slippage_per_side": -0.1},
        {"slippage_per_side": np.nan},
        {"slippage_per_side": np.inf},
        {"tick": 0.0},
        {"tick": -0.25},
        {"tick": np.nan},
        {"lots": 0},
        {"lots": -3},
        {"lots": 1.5},
        {"lots": True},
    ],
)
def test_unusable_costs_are_refused(costs):
    with pytest.raises(UsageError):
        run(as_bars(ROWS), **costs)


def test_costs_are_given_per_symbol():
    with pytest.raises(UsageError, match="per symbol"):
        run_batch([as_bars(ROWS)], tick=[0.25, 0.25])
    assert len(run_batch([])) == 0


def test_the_runner_sees_b1_as_a_strategy():
    strategy = B1()
    bars = [walk(seed, 300, start=200, noise=9, trend=3) for seed in range(2)]
    results = strategy.run(bars, timeframe="daily", slippage_per_side=[0.0, 0.25], tick=[0.25, None])
    assert [result.document() for result in results] == [
        run(bars[0], tick=0.25).document(),
        run(bars[1], slippage_per_side=0.25).document(),
    ]
    assert strategy.name == "b1"
