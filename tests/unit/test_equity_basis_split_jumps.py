"""A jump is a split only where prices do not move so much every day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ctl.equity_basis import split_jumps
from ctl.model.bars import DailySeries, SeriesMeta


def series(daily_move: float, *, ratio: float = 2.0, volume_times: float = 2.0) -> DailySeries:
    """300 sessions of moves of that deviation; before the 200th the price is divided by `ratio`, overnight."""
    moves = np.random.default_rng(7).normal(0.0, daily_move, 300)
    opened = np.zeros(300)
    opened[200] = -np.log(ratio)
    close = 50.0 * np.exp(np.cumsum(moves + opened))
    before = np.concatenate([[50.0], close[:-1]])
    volume = np.where(np.arange(300) < 200, 1e6, 1e6 * volume_times).astype(np.int64)
    start = before * np.exp(opened)
    frame = pl.DataFrame({
        "session": [date(2020, 1, 1) + timedelta(days=n) for n in range(300)],
        "open": start, "high": np.maximum(start, close), "low": np.minimum(start, close), "close": close,
        "volume": volume, "open_interest": None, "contract": None, "adjustment": 0.0,
    })  # fmt: skip
    return DailySeries(frame, SeriesMeta("ZZ", "made", "exchange_session", "last_trade"))


def test_an_ordinary_share_that_halves_overnight_with_twice_the_volume_has_split() -> None:
    (jump,) = split_jumps(series(0.02))
    assert jump.session == date(2020, 1, 1) + timedelta(days=200)
    assert jump.ratio == pytest.approx(2.0)


def test_the_same_step_is_none_where_every_day_moves_so_much() -> None:
    """0.69 in log price is 4.6 deviations of 15 %; a split of 20 is 20."""
    assert date(2020, 1, 1) + timedelta(days=200) not in [jump.session for jump in split_jumps(series(0.15))]
    found = [jump.session for jump in split_jumps(series(0.15, ratio=20.0, volume_times=20.0))]
    assert found == [date(2020, 1, 1) + timedelta(days=200)]


def test_a_crash_on_ten_times_the_volume_is_none() -> None:
    assert list(split_jumps(series(0.02, volume_times=10.0))) == []
