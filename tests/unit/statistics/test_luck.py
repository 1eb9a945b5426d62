"""Luck of many tries: the numbers that the papers print, and a slow count by another hand."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from statistics_outside import grid

from ctl.statistics import backtest_overfitting, deflated_sharpe, score, sharpe, trial_luck
from ctl.statistics.luck import expected_best

OUTSIDE = json.loads((Path(__file__).parents[2] / "answers" / "statistics_outside.json").read_text())
# Bailey and Lopez de Prado 2014, "A numerical example": annualised Sharpe 2.5 over 5 years of 250 days, variance of
# the trials' annualised Sharpe ratios 1/2.
RATIO, DAYS, VARIANCE = 2.5 / math.sqrt(250), 1250, 0.5 / 250


def test_the_best_of_a_hundred_without_skill() -> None:
    assert expected_best(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("skew", "kurtosis", "trials", "odds"), [(-3, 10, 100, 0.9004), (-3, 10, 46, 0.9505), (0, 3, 88, 0.9505)]
)
def test_deflated_sharpe_of_the_paper(skew: float, kurtosis: float, trials: int, odds: float) -> None:
    assert deflated_sharpe(RATIO, DAYS, skew, kurtosis, trials, VARIANCE) == pytest.approx(odds, abs=5e-5)


@pytest.mark.parametrize("found", OUTSIDE["grids"], ids=lambda found: str(found["grid"]))
def test_overfitting_as_counted_by_another_hand(found) -> None:
    sums, squares = (np.array(part) for part in grid(*found["grid"]))
    assert backtest_overfitting(sums, squares) == pytest.approx(found["pbo"], abs=1e-12)


def test_one_variant_cannot_be_overfit_by_choice() -> None:
    assert backtest_overfitting(np.ones((12, 1)), np.ones((12, 1))) is None


def test_a_variant_that_is_better_everywhere_is_no_luck() -> None:
    sums = np.tile([3.0, 1.0, 0.5], (12, 1))
    assert backtest_overfitting(sums, np.ones((12, 3))) == 0.0


def test_a_variant_without_trades_scores_zero() -> None:
    sums, squares = np.zeros((4, 2)), np.zeros((4, 2))
    sums[:, 0], squares[:, 0] = -1.0, 1.0
    assert backtest_overfitting(sums, squares) == 0.0  # not trading is the best choice on both halves


def test_more_trials_never_make_a_result_more_believable() -> None:
    draw = random.Random(5)  # noqa: S311
    results = [draw.gauss(0.4, 1.0) for _ in range(40)]
    odds = [trial_luck(results, trials, 0.6).deflated_sharpe for trials in (1, 3, 10, 100, 1000)]
    assert odds == sorted(odds, key=lambda value: -(value or 0.0))
    assert len(set(odds)) == 5


def test_variance_of_trials_is_taken_at_the_trades_at_hand() -> None:
    assert trial_luck([1.0, -1.0, 2.0, 0.5], 2, 2.0).variance == pytest.approx(2.0 / 4)
    assert trial_luck([1.0, -1.0, 2.0, 0.5], 1, None).variance == pytest.approx(1.0 / 4)


@pytest.mark.parametrize("results", [[], [1.0], [1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
def test_too_few_trades_say_so(results: list[float]) -> None:
    found = trial_luck(results, 3, None)
    assert found.deflated_sharpe is None
    assert found.trials == 3
    assert found.note


def test_sharpe_by_hand() -> None:
    assert sharpe([1.0, 2.0, 3.0]) == pytest.approx(2.0)
    assert sharpe([1.0, 1.0]) is None
    assert score([1.0, 2.0, 3.0]) == pytest.approx(2.0 * math.sqrt(3))
