"""Pictures: scales, numbers, and what a long curve keeps. Expected values worked by hand."""

from __future__ import annotations

import json
import re
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ctl import drawing
from ctl.drawing import Picture, Readings, Scale

finite = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 10, 5, (0, 5, 10)),
        (-1.2, 1.2, 3, (-1, 0, 1)),
        (0.13, 0.71, 4, (0.2, 0.4, 0.6)),
        (97, 403, 4, (100, 200, 300, 400)),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, most: int, expected: tuple[float, ...]):
    assert Scale(low, high).ticks(most) == pytest.approx(expected)


@given(st.lists(finite, min_size=1, max_size=20))
@example([5e-324])
@example([0.0, 5e-324])
def test_a_scale_holds_all_its_values(values: list[float]):
    scale = Scale.of(values)
    assert all(-1e-9 <= scale.at(value) <= 1 + 1e-9 for value in values)


@pytest.mark.parametrize(
    ("value", "text"),
    [(6.29542, "6.30"), (-0.0, "0"), (0.0449, "0.0449"), (1234567.0, "1,234,567"), (None, "-"), (float("nan"), "-")],
)
def test_numbers_have_sensible_digits(value: float | None, text: str):
    assert drawing.number(value) == text


def test_a_signed_number_says_its_sign_and_nothing_is_minus_zero():
    assert drawing.number(1.5, signed=True, digits=2) == "+1.50"
    assert drawing.number(-0.001, digits=2) == "0.00"


@given(arrays.arrays(np.float64, st.integers(401, 1500), elements=finite))
def test_a_long_curve_keeps_its_ends_and_its_extremes(values: np.ndarray):
    kept = drawing.shown_points(values)
    assert kept.size <= drawing.MOST_POINTS
    assert kept[0] == 0
    assert kept[-1] == values.size - 1
    assert values[kept].max() == values.max()
    assert values[kept].min() == values.min()


@given(arrays.arrays(np.float64, (2, 900), elements=st.floats(-100, 100)))
def test_means_of_stretches_still_add_up(parts: np.ndarray):
    begins = drawing.stretches(900)
    total = drawing.means(parts.sum(axis=0), begins)
    assert total == pytest.approx(drawing.means(parts[0], begins) + drawing.means(parts[1], begins), abs=1e-9)
    counts = np.diff(np.append(begins, 900))
    assert (total * counts).sum() == pytest.approx(parts.sum(), abs=1e-6)


def test_a_curve_is_drawn_in_whole_steps_and_a_hole_leaves_a_hole():
    picture = Picture("t", Scale(0, 4), Scale(0, 1)).line(
        np.arange(5.0), np.array([0.0, 1.0, np.nan, 0.5, 0.5]), "ours"
    )
    assert re.search(r'd="([^"]+)"', picture.shapes)[1] == "M0 400l250-400M750 200l250 0"


def test_what_is_written_is_escaped_and_the_svg_is_well_formed():
    hostile = '<script>alert("x")</script> & co'
    picture = Picture(hostile, Scale(0, 1), Scale(0, 1)).text(0.5, 0.5, hostile).with_ends((0.5, hostile, "ours"))
    picture = picture.with_readings(Readings([0.5], {hostile: [hostile]}, days=False, labels=[hostile]))
    for text in (picture.svg(), *(part for _, part in picture.parts()), picture._repr_html_()):
        assert "<script" not in text
        ElementTree.fromstring(text)  # noqa: S314 - our own text
    assert "<" not in picture.readings_json()
    assert json.loads(picture.readings_json())["l"] == [hostile]


def test_readings_give_days_as_differences():
    readings = Readings([17532, 17533, 17536], {"total": [1.0, None, 2.123456789]}, notes={1: "gap session"})
    document = readings.document(Scale(17532, 17536))
    assert document["d"] == [17532, 1, 3]
    assert document["x"] == [17532, 17536]
    assert document["p"] == []
    assert document["c"] == {"total": [1, None, 2.123457]}
    assert document["n"] == {"1": "gap session"}


def test_values_are_read_to_a_thousandth_of_their_span():
    assert drawing.readable(np.array([0.0, 12.34567, -7.891234])) == [0.0, 12.3, -7.9]
    assert drawing.readable(np.array([1.00012, 1.00299, np.nan])) == [1.00012, 1.00299, None]


def test_texts_at_the_right_edge_do_not_cover_each_other():
    ends = [(0.9, "a", "ours"), (0.91, "b", "gap"), (0.92, "c", "other"), (0.02, "d", "basis"), (0.0, "e", "loss")]
    drawn = Picture("t", Scale(0, 1), Scale(0, 1), height=120).with_ends(*ends).parts()[2][1]
    places = sorted(float(y) for y in re.findall(r'<text x="14" y="([\d.]+)"', drawn))
    assert all(b - a >= 12.9 for a, b in pairwise(places))
    assert places[-1] <= 121


def test_days_are_labelled_by_year_or_month():
    years = Picture("t", Scale.of_days(date(2018, 1, 2), date(2026, 2, 27)), Scale(0, 1)).with_dates()
    assert [text for _, text in years.x_ticks] == [str(year) for year in range(2019, 2027)]
    months = Picture("t", Scale.of_days(date(2025, 12, 3), date(2026, 2, 27)), Scale(0, 1)).with_dates()
    assert [text for _, text in months.x_ticks] == ["Jan 2026", "Feb 2026"]


def test_layers_of_one_ink_are_told_apart_in_picture_and_legend() -> None:
    days, one = np.arange(3.0), np.ones(3)
    picture = Picture("t", Scale(0.0, 2.0), Scale(0.0, 4.0)).stack(days, [(one, "gap"), (one, "gap"), (one, "basis")])
    picture = picture.with_ends((0.5, "a", "gap"), (1.5, "b", "gap"), (2.5, "c", "basis"))
    svg = picture.svg()
    pale = ' fill-opacity="0.82"'
    assert re.findall(r'fill="#CC79A7"( fill-opacity="[.0-9]+")?', svg) == [pale, "", "", pale]
    assert 'fill="#56B4E9" fill-opacity' not in svg
