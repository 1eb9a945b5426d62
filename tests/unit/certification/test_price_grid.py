"""Tick grids read from prices."""

from __future__ import annotations

import numpy as np
import pytest

from ctl.certification.layers.identity import check_grid
from ctl.certification.price_grid import divides, infer_grid, off_grid_share, on_grid

STEPS = np.arange(4000, 4400, dtype=np.float64)


@pytest.mark.parametrize("tick", [0.25, 0.1, 0.01, 0.005, 1 / 32, 1 / 64, 0.0005, 5.0, 10.0])
def test_grid_of_exact_multiples_is_found(tick: float) -> None:
    assert infer_grid(STEPS * tick) == pytest.approx(tick)
    assert off_grid_share(STEPS * tick, tick) == 0.0


def test_one_price_off_the_grid_is_seen_wherever_it_stands() -> None:
    prices = STEPS * 0.25
    assert on_grid(prices, 0.25)
    assert not on_grid(prices, 0.5)
    for place in (0, 200, -1):
        off = prices.copy()
        off[place] += 0.1
        assert not on_grid(off, 0.25)
    prices[:100] = np.nan
    assert on_grid(prices, 0.25)
    assert not on_grid(prices, 0.5)


def test_one_percent_of_strays_is_tolerated_and_no_more() -> None:
    prices = STEPS * 0.25
    prices[:4] += 0.1
    assert off_grid_share(prices, 0.25) == pytest.approx(0.01)
    assert infer_grid(prices) == 0.25
    assert check_grid(prices, 0.25).status == "PASS"
    prices[4] += 0.1
    assert infer_grid(prices) == 0.05
    assert check_grid(prices, 0.25).status == "WATCH"


def test_missing_prices_are_passed_over() -> None:
    prices = np.append(STEPS * 0.25, [np.nan, np.inf])
    assert infer_grid(prices) == 0.25
    assert np.isnan(off_grid_share(np.array([np.nan]), 0.25))
    assert check_grid(np.array([np.nan]), 0.25).status == "ERROR"
    assert infer_grid(np.zeros(5)) is None


def test_prices_without_a_grid_have_none() -> None:
    prices = np.random.default_rng(1).normal(100.0, 1.0, 500)
    assert infer_grid(prices) is None
    assert check_grid(prices, 0.25).status == "FAIL"


def test_negative_prices_lie_on_the_same_grid() -> None:
    assert infer_grid(-STEPS * 0.25) == 0.25


def test_settlements_on_a_finer_grid_are_watched_and_foreign_grids_fail() -> None:
    finer = check_grid(STEPS * 0.05, 0.25)
    assert (finer.status, finer.code) == ("WATCH", "FINER_GRID")
    foreign = check_grid(STEPS * 0.1, 0.25)
    assert (foreign.status, foreign.code) == ("FAIL", None)
    # A coarser grid that the tick divides has nothing off the tick's grid.
    assert check_grid(STEPS * 0.5, 0.25).status == "PASS"


def test_divides() -> None:
    assert divides(0.05, 0.25)
    assert divides(0.25, 0.25)
    assert not divides(0.1, 0.25)
    assert not divides(0.5, 0.25)
