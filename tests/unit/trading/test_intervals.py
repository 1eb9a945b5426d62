"""Intervals: published tables, figures by hand, and how often they hold a known mean."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctl.trading.intervals import clustered_mean, student_quantile, weighted_mean

# Two-sided 95 % and 99 % points of Student's t as printed in statistical tables.
TABLE = [
    (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 4, 2.776), (0.95, 9, 2.262), (0.95, 10, 2.228),
    (0.95, 35, 2.030), (0.95, 60, 2.000), (0.95, 120, 1.980), (0.95, 100_000, 1.960),
    (0.99, 1, 63.657), (0.99, 5, 4.032), (0.99, 10, 3.169), (0.99, 30, 2.750),
]  # fmt: skip


@pytest.mark.parametrize(("confidence", "freedom", "point"), TABLE)
def test_student_points_are_those_of_the_tables(confidence: float, freedom: int, point: float):
    assert student_quantile(confidence, freedom) == pytest.approx(point, abs=6e-4)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
@example([0.0, 5e-128])
def test_equal_weights_give_the_usual_mean_and_error(values: list[float]):
    found = weighted_mean(values, [3.0] * len(values))
    assert found.value == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.standard_error == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)), abs=1e-9)
    assert found.low <= found.value <= found.high


def test_weights_by_hand():
    # mean (2*1 + 1*4)/3 = 2; sum(w^2 (x-m)^2) = 4*1 + 1*4 = 8; se = sqrt(2/1 * 8)/3 = 4/3
    found = weighted_mean([1.0, 4.0], [2.0, 1.0])
    assert found.value == 2.0
    assert found.standard_error == pytest.approx(4 / 3)
    assert found.high == pytest.approx(2.0 + 12.7062 * 4 / 3, abs=1e-3)
    assert weighted_mean([1.5], [2.0]).standard_error is None


def test_values_of_one_cluster_are_one_piece_of_evidence():
    # Cluster means 1 and 3 weigh 2 and 1: mean 5/3, residuals 2*(-2/3) and 4/3, error sqrt(2/1 * 32/9)/3.
    found = clustered_mean([0.5, 1.5, 3.0], [1.0, 1.0, 1.0], ["a", "a", "b"])
    assert (found.count, found.clusters) == (3, 2)
    assert found.value == pytest.approx(5 / 3)
    assert found.standard_error == pytest.approx(8 / 9)
    assert clustered_mean([1.0, 2.0], [1.0, 1.0], ["a", "a"]).low is None


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12), st.floats(0.1, 10.0), st.floats(-50.0, 50.0))
@example([0.0, 5e-138], 1.0, 0.0)
def test_the_interval_moves_and_stretches_with_the_values(values: list[float], scale: float, shift: float):
    found = clustered_mean(values, [1.0] * len(values), range(len(values)))
    moved = clustered_mean([scale * value + shift for value in values], [2.0] * len(values), range(len(values)))
    if np.ptp(values) > 1e-3:
        assert moved.low == pytest.approx(scale * found.low + shift, rel=1e-6, abs=1e-6)
        assert moved.high == pytest.approx(scale * found.high + shift, rel=1e-6, abs=1e-6)
    assert found.low <= found.value <= found.high


NORMAL = (lambda z: z, 0.0)
LOG_NORMAL = (np.exp, math.exp(0.5))
EXPONENTIAL = (lambda z: -np.log1p(-np.vectorize(statistics.NormalDist().cdf)(z)), 1.0)


@pytest.mark.parametrize(("sessions", "each"), [(10, 1), (30, 1), (100, 1), (2, 5), (6, 5), (20, 5)])
@pytest.mark.parametrize(("costs", "mean"), [NORMAL, LOG_NORMAL, EXPONENTIAL], ids=["normal", "log-normal", "expo"])
def test_the_interval_holds_the_mean_as_often_as_it_says(costs, mean, sessions: int, each: int):
    """400 samples: the share's own error is 0.011, so 0.89 to 0.98 here is 0.90 to 0.97 of benchmarks/intervals.py."""
    draw = np.random.default_rng([sessions, each])
    own = 0.2 if each > 1 else 0.0
    z = draw.standard_normal((400, sessions, 1)) + own * draw.standard_normal((400, sessions, each))
    samples = costs(z / math.sqrt(1.0 + own**2)).reshape(400, -1)
    of_session = np.repeat(np.arange(sessions), each).tolist()
    found = [clustered_mean(sample, [1.0] * len(of_session), of_session) for sample in samples]
    assert 0.89 <= sum(item.low <= mean <= item.high for item in found) / 400 <= 0.985


def test_the_same_values_give_the_same_interval():
    once, again = (clustered_mean([1.0, 2.0, 9.0], [1.0, 3.0, 1.0], [1, 2, 3]) for _ in range(2))
    assert once == again
