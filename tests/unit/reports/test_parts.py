"""Words with a shape, gauges and sparklines, worked by hand."""

from __future__ import annotations

import pytest

from ctl.reports.parts import Gauge, Word, sparkline


@pytest.mark.parametrize(
    ("word", "shape"),
    [("ACCEPT", "circle"), ("WATCH", "triangle"), ("REJECT", "cross"), ("ERROR", "cross"), ("NON-GATING", "dash")],
)
def test_a_status_is_told_by_its_shape_too(word: str, shape: str):
    assert Word(word).shape == shape


def test_a_gauge_ends_a_little_beyond_the_most_that_passes_or_what_is_there():
    gauge = Gauge(now=5.0, locked=4.0, most=10.0)
    assert gauge.text == "now 5.00, locked 4.00, at most 10.00"
    assert [gauge.at(value) for value in (0.0, 5.0, 10.0, 99.0)] == [0.0, 43.48, 86.96, 100.0]
    assert Gauge(now=20.0, locked=None, most=10.0).at(20.0) == 86.96


def test_a_sparkline_runs_from_zero_to_the_most_in_equal_steps():
    drawn = sparkline([0.0, 5.0, 10.0, 5.0], top=10.0)
    assert drawn is not None
    assert drawn.path == "M0 20l2-10 2-9 2 9"
    assert (drawn.width, drawn.first, drawn.last) == (6, "0", "5.00")
    assert sparkline([1.0], top=10.0) is None
    assert sparkline([0.0, 0.0], top=0.0) is None
