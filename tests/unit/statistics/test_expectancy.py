"""The mean R, its interval and its years: against outside packages, by hand, and by coverage."""

from __future__ import annotations

import json
import math
import random
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statistics_outside import moving

from ctl.statistics import FEWEST_TRADES, expectancy, losses_beyond_one_r, trade_statistics
from ctl.statistics.resampling import block_length, mean_distribution

OUTSIDE = json.loads((Path(__file__).parents[2] / "answers" / "statistics_outside.json").read_text())


@pytest.mark.parametrize("found", OUTSIDE["tapes"], ids=lambda found: str(found["tape"]))
def test_block_length_and_error_are_those_of_arch(found) -> None:
    values = np.array(moving(*found["tape"]))
    assert block_length(values) == pytest.approx(found["block_length"], rel=1e-9)
    means, _ = mean_distribution(values, found["block_length"])
    assert float(means.std()) == pytest.approx(found["error_of_mean"], rel=0.05)  # of 2,000 draws: 1.6 % a sigma


def test_the_same_trades_give_the_same_interval() -> None:
    values = moving(1, 40, 0.2)
    assert expectancy(values, 8.0) == expectancy(np.array(values), 8.0)


def like_trades(draw: random.Random, count: int) -> list[float]:
    """Wins capped by the third target, losses with a tail: mean -0.11."""
    return [draw.uniform(0.3, 2.0) if draw.random() < 0.6 else -0.4 - draw.expovariate(1 / 1.6) for _ in range(count)]


@pytest.mark.parametrize("count", [FEWEST_TRADES, 10, 30])
def test_the_interval_covers_the_true_mean_as_often_as_it_says(count: int) -> None:
    """500 histories: a true coverage of 0.95 is seen within 0.92 to 0.98 in all but one of 500 such tests."""
    draw = random.Random(count)  # noqa: S311
    true = 0.6 * 1.15 - 0.4 * 2.0
    covered = 0
    for _ in range(500):
        found = expectancy(like_trades(draw, count), 5.0)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= true <= found.high
    assert 0.91 <= covered / 500 <= 0.985


@pytest.mark.parametrize("count", range(FEWEST_TRADES))
def test_few_trades_have_no_interval_rather_than_a_false_one(count: int) -> None:
    found = expectancy([1.0, -0.5, 0.3, 2.0, -1.4][:count], 2.0)
    assert (found.low, found.high, found.standard_error, found.trades_needed) == (None,) * 4
    assert str(count) in found.note
    assert found.trades_per_year == count / 2.0
    assert (found.mean_r is None) == (count == 0)


@pytest.mark.parametrize("results", [[0.5] * 20, [0.5] * 9 + [-1.0]])
def test_trades_alike_have_no_interval(results: list[float]) -> None:
    """Of nine wins alike and one loss a third of all resamples holds the wins alone, and knows nothing of losses."""
    assert expectancy(results, 2.0).low is None


def test_the_number_needed_is_that_of_the_textbook() -> None:
    """n = ((1.960 + 0.842) x sd / mean)^2: Cohen 1988 has 32 for a mean of half a standard deviation."""
    draw = random.Random(3)  # noqa: S311
    raw = np.array([draw.gauss(0.0, 1.0) for _ in range(4000)])
    values = (raw - raw.mean()) / raw.std() + 0.5
    needed = expectancy(values, 10.0).trades_needed
    assert needed is not None
    assert needed == pytest.approx(32, abs=3)


@given(st.lists(st.floats(-9.0, 3.0).map(lambda value: round(value, 4)), min_size=FEWEST_TRADES, max_size=60))
def test_the_mean_lies_in_its_interval_and_a_shift_moves_it_along(values: list[float]) -> None:
    found, moved = expectancy(values, 3.0), expectancy([value + 2.0 for value in values], 3.0)
    if found.low is None or found.high is None or found.mean_r is None or moved.low is None:
        assert "same R" in found.note
        assert len(set(values)) < len(values)
        return
    assert found.low <= found.mean_r <= found.high
    assert math.isclose(moved.low, found.low + 2.0, abs_tol=1e-6)


def test_years_and_losses_by_hand() -> None:
    closed = [(date(2019, 3, 1), 1.5), (date(2019, 9, 1), -1.0), (date(2020, 2, 1), -2.5), (date(2022, 1, 3), 0.25)]
    found = trade_statistics(closed, 4.0)
    assert [(year.year, year.trades, year.total_r) for year in found.years] == [
        (2019, 2, 0.5), (2020, 1, -2.5), (2022, 1, 0.25),
    ]  # fmt: skip
    assert found.best_year is not None
    assert found.worst_year is not None
    assert (found.best_year.year, found.worst_year.year) == (2019, 2020)
    assert (found.losses_beyond_1r.count, found.losses_beyond_1r.worst_r) == (1, -2.5)  # -1.0 is 1 R, not beyond it


def test_no_trade_at_all() -> None:
    found = trade_statistics([], 4.0)
    assert (found.years, found.best_year, found.worst_year) == ((), None, None)
    assert (found.losses_beyond_1r.count, found.losses_beyond_1r.worst_r) == (0, None)


def test_the_distribution_of_losses_beyond_one_r():
    found = losses_beyond_one_r([2.0, -1.0, -0.5, -1.25, -1.5, -2.5, -9.0, 0.0])
    assert (found.count, found.share, found.worst_r) == (4, 0.5, -9.0)
    assert found.mean_r == pytest.approx(-14.25 / 4)
    assert [(item.over, item.count) for item in found.bins] == [(1.0, 2), (1.5, 0), (2.0, 1), (3.0, 0), (5.0, 1)]
    assert losses_beyond_one_r([]).share is None
