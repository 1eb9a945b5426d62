"""B1's parameters: registered ranges hold, and a refused value says what was received and what is allowed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctl.errors import UsageError
from ctl.strategy.b1 import B1Parameters, registered_ranges

# The section "Parameters and their registered ranges" of the specification, copied by hand.
SPECIFIED = {
    "ema": (10, 9, 11),
    "slope_lookback": (20, 15, 30),
    "slope_threshold": (8, 4, 14),
    "min_bars_of_air": (6, 3, 10),
    "max_air_lookback": (50, 20, 100),
    "entry_grace_bars": (3, 1, 5),
    "breakdown_buffer_atr": (0.5, 0.3, 0.7),
    "swing_lookback": (20, 15, 25),
    "gap_scan_window": (100, 50, 200),
    "min_risk_atr": (0.1, 0, 0.25),
    "atr": (14, 14, 14),
    "williams": (10, 10, 10),
}
REALS = {"slope_threshold", "breakdown_buffer_atr", "min_risk_atr"}


def test_defaults_and_ranges_are_the_registered_ones():
    document = B1Parameters.registered("daily").document()
    assert list(document) == [*SPECIFIED, "stop_mode", "collision"]
    assert {name: document[name] for name in SPECIFIED} == {name: row[0] for name, row in SPECIFIED.items()}
    assert (document["stop_mode"], document["collision"]) == (1, "tp_wins")
    assert registered_ranges("daily") == {name: row[1:] for name, row in SPECIFIED.items()}
    weekly = B1Parameters.registered("weekly")
    assert weekly.swing_lookback == 12
    assert registered_ranges("weekly")["swing_lookback"] == (8, 16)
    assert B1Parameters() == B1Parameters.registered("daily")


@pytest.mark.parametrize("name", sorted(SPECIFIED))
def test_ends_of_a_range_are_inside_and_one_step_further_is_refused(name):
    _, low, high = SPECIFIED[name]
    step = 0.001 if name in REALS else 1
    for inside in (low, high):
        assert getattr(B1Parameters.from_overrides({name: inside}, "daily"), name) == inside
        assert getattr(B1Parameters.from_overrides({name: f"{inside}"}, "daily"), name) == inside
    for outside in (low - step, high + step):
        with pytest.raises(UsageError, match=rf"parameter {name} is outside") as caught:
            B1Parameters.from_overrides({name: outside}, "daily")
        assert f"found {outside:g}" in str(caught.value)
        if low != high:
            assert f"expected {low:g} to {high:g}" in str(caught.value)


def test_swing_lookback_is_judged_by_the_timeframe():
    assert B1Parameters.from_overrides({"swing_lookback": "8"}, "weekly").swing_lookback == 8
    with pytest.raises(UsageError, match="8 to 16"):
        B1Parameters.from_overrides({"swing_lookback": 20}, "weekly")
    with pytest.raises(UsageError, match="15 to 25"):
        B1Parameters.from_overrides({"swing_lookback": 12}, "daily")


def test_unregistered_values_pass_only_when_asked_for():
    with pytest.raises(UsageError):
        B1Parameters.from_overrides({"williams": 12}, "daily")
    assert B1Parameters.from_overrides({"williams": 12, "ema": 30}, "daily", unregistered=True).ema == 30


@pytest.mark.parametrize(
    ("name", "received"),
    [
        ("ema", "10.5"),
        ("ema", "10.0"),
        ("ema", 10.0),
        ("ema", "ten"),
        ("ema", ""),
        ("ema", None),
        ("ema", True),
        ("ema", "1_0"),
        ("ema", "٩"),
        ("ema", "9" * 30),
        ("ema", math.nan),
        ("slope_threshold", "nan"),
        ("slope_threshold", "inf"),
        ("slope_threshold", math.nan),
        ("slope_threshold", math.inf),
        ("slope_threshold", "8,5"),
        ("slope_threshold", "1e999"),
        ("slope_threshold", "8%"),
        ("slope_threshold", False),
        ("slope_threshold", None),
        ("slope_threshold", [8]),
        ("stop_mode", 4),
        ("stop_mode", "0"),
        ("stop_mode", "trailing"),
        ("collision", "TP_WINS"),
        ("collision", 1),
    ],
)
def test_wrong_values_are_refused_by_name(name, received):
    for unregistered in (False, True):
        with pytest.raises(UsageError, match=f"parameter {name} ") as caught:
            B1Parameters.from_overrides({name: received}, "daily", unregistered)
        assert "expected" in str(caught.value)
        assert caught.value.exit_code == 64


@pytest.mark.parametrize("received", ["1e999", math.inf, -math.inf, math.nan])
def test_numbers_that_are_not_finite_are_wrong_not_merely_outside(received):
    with pytest.raises(UsageError, match=r"slope_threshold has a wrong value.*expected a finite number, 4 to 14 reg"):
        B1Parameters.from_overrides({"slope_threshold": received}, "daily", unregistered=True)


def test_values_that_no_rule_can_be_computed_with_are_refused_even_unregistered():
    for name, value in (("ema", 0), ("slope_lookback", 0), ("min_risk_atr", -0.1), ("atr", 0), ("swing_lookback", 0)):
        with pytest.raises(UsageError, match=f"parameter {name} is outside a value"):
            B1Parameters.from_overrides({name: value}, "daily", unregistered=True)
    with pytest.raises(UsageError, match="min_bars_of_air can never be reached"):
        B1Parameters.from_overrides({"min_bars_of_air": 21, "max_air_lookback": 20}, "daily", unregistered=True)


def test_unknown_names_and_timeframes():
    with pytest.raises(UsageError, match="unknown B1 parameter 'emma'") as caught:
        B1Parameters.from_overrides({"emma": 10}, "daily")
    assert "slope_lookback" in str(caught.value)
    with pytest.raises(UsageError, match="daily or weekly"):
        B1Parameters.from_overrides({}, "hourly")


def test_text_numbers_and_numpy_numbers_mean_the_same():
    parsed = B1Parameters.from_overrides(
        {"ema": "11", "slope_threshold": "8.5", "stop_mode": "2", "collision": "stop_wins"}, "daily"
    )
    given = B1Parameters.from_overrides(
        {"ema": np.int64(11), "slope_threshold": np.float64(8.5), "stop_mode": 2, "collision": "stop_wins"}, "daily"
    )
    assert parsed == given
    assert type(given.ema) is int
    assert type(given.slope_threshold) is float
    assert B1Parameters.from_overrides({"slope_threshold": "9"}, "daily").slope_threshold == 9.0


def test_warm_up_is_at_least_two_hundred_bars():
    assert B1Parameters().warm_up == 200
    assert B1Parameters(slope_lookback=250).warm_up == 250
