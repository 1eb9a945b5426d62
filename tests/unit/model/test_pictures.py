"""R curves and their falls, worked by hand."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl.model.pictures import Fall, RCurve, r_curve

DAYS = [date(2024, month, 1) for month in range(1, 9)]


def test_a_curve_adds_trades_of_one_day_together():
    curve = RCurve.of("strategy", [(DAYS[1], -1.0), (DAYS[0], 2.0), (DAYS[1], 0.5)])
    assert curve.days == (DAYS[0], DAYS[1])
    assert curve.r == (2.0, -0.5)
    assert curve.total.tolist() == [2.0, 1.5]


def test_falls_are_dated_from_peak_to_trough_and_back():
    rs = [2.0, -1.0, -2.0, 4.0, -0.5, 1.0, -2.5, 1.0]
    curve = RCurve.of("strategy", list(zip(DAYS, rs, strict=True)))
    assert curve.below_peak().tolist() == [0.0, -1.0, -3.0, 0.0, -0.5, 0.0, -2.5, -1.5]
    assert curve.falls() == (
        Fall(-3.0, DAYS[0], DAYS[2], DAYS[3]),
        Fall(-2.5, DAYS[5], DAYS[6], None),
        Fall(-0.5, DAYS[3], DAYS[4], DAYS[5]),
    )


def test_a_fall_from_the_start_counts_from_zero():
    curve = RCurve.of("strategy", [(DAYS[0], -1.0), (DAYS[1], -0.5)])
    assert curve.falls() == (Fall(-1.5, DAYS[0], DAYS[1], None),)


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=40))
def test_the_deepest_fall_is_the_most_a_peak_was_ever_above_a_later_point(rs: list[float]):
    closed = [(date(2024, 1, 1).replace(year=1980 + k), r) for k, r in enumerate(rs)]
    total, peak, deepest = 0.0, 0.0, 0.0
    for r in rs:
        total += r
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
    falls = RCurve.of("strategy", closed).falls()
    assert (-falls[0].depth if falls else 0.0) == pytest.approx(deepest, abs=1e-9)


def test_without_a_trade_there_is_no_picture():
    assert r_curve([RCurve.of("strategy", [])], "none") is None


def test_a_picture_reads_every_curve_on_every_day():
    curves = [RCurve.of("strategy", [(DAYS[0], 1.0), (DAYS[2], -2.0)]), RCurve.of("governed", [(DAYS[1], 0.5)])]
    readings = r_curve(curves, "title").readings
    assert len(readings.at) == 3
    assert readings.columns == {
        "strategy": [1.0, 1.0, -1.0], "governed": [0.0, 0.5, 0.5], "below peak": [0.0, 0.0, -2.0],
    }  # fmt: skip
