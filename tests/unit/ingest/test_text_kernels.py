"""Cells of a text, against what Python itself reads of them."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl.ingest import text_kernels

COMMA, LONGEST = np.uint8(ord(",")), 1 << 16
EPOCH = date(1970, 1, 1)


def apart(text: str, width: int, few: int | None = None) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    buffer = np.frombuffer(text.encode(), dtype=np.uint8)
    ends = np.zeros((text.count("\n") + 1, width), dtype=np.uint32)
    fault = text_kernels.take_apart(buffer, COMMA, LONGEST, width if few is None else few, ends)
    ends.flags.writeable = False
    return buffer, ends, fault


def column(cells: list[str], wrap: str = "{}", line_end: str = "\n") -> tuple[np.ndarray, np.ndarray, int]:
    """The cells as the last of two columns."""
    buffer, ends, fault = apart(line_end.join(f"x,{wrap.format(cell)}" for cell in cells), 2)
    assert fault[0] == 0
    return buffer, ends, 1


def spans(buffer: np.ndarray, ends: np.ndarray) -> list[list[str]]:
    return [
        [buffer[slice(*text_kernels.span(buffer, ends, at, row))].tobytes().decode() for at in range(ends.shape[1])]
        for row in range(len(ends))
    ]


plain_cells = st.text(st.characters(codec="ascii", exclude_characters='",\n\r'), max_size=6)


@given(st.integers(2, 5).flatmap(lambda width: st.lists(st.tuples(*[plain_cells] * width), min_size=1, max_size=6)))
def test_both_ways_to_take_rows_apart_find_their_cells(rows: list[tuple[str, ...]]) -> None:
    text, width = "\n".join(map(",".join, rows)), len(rows[0])
    buffer, ends, fault = apart(text, width)
    assert fault[0] == 0
    plain = np.zeros_like(ends)
    assert text_kernels.take_apart_plain(buffer, COMMA, LONGEST, plain)
    assert (plain == ends).all()
    assert spans(buffer, ends) == [list(row) for row in rows]


def test_quotation_marks_and_line_ends_are_no_part_of_a_cell() -> None:
    buffer, ends, fault = apart('"a,b",""\r\nc,"d"\r\n"",\r', 2)
    assert fault[0] == 0
    assert spans(buffer, ends) == [["a,b", ""], ["c", "d"], ["", ""]]


def test_a_row_may_lack_cells_where_it_is_allowed_to() -> None:
    buffer, ends, fault = apart("a,b,c\nd,e\nf,g,h", 3, few=2)
    assert fault[0] == 0
    assert spans(buffer, ends) == [["a", "b", "c"], ["d", "e", ""], ["f", "g", "h"]]


@pytest.mark.parametrize(
    ("text", "fault", "row", "size"),
    [
        ("a,b\nc", text_kernels.OTHER_WIDTH, 1, 1),
        ("a,b\n\nc,d", text_kernels.OTHER_WIDTH, 1, 1),
        ("a,b\nc,d,e,f\ng,h", text_kernels.OTHER_WIDTH, 1, 4),
        ("a,b\nc,d\ne,f,g", text_kernels.OTHER_WIDTH, 2, 3),
        ('a,b\nc,"d', text_kernels.STRAY_QUOTE, 1, 0),
        ('a,b\nc,"d\ne",f', text_kernels.STRAY_QUOTE, 1, 0),
        ('a,b"c\n', text_kernels.STRAY_QUOTE, 0, 0),
        ('a,"b"c', text_kernels.STRAY_QUOTE, 0, 0),
        ('"a""b",c', text_kernels.STRAY_QUOTE, 0, 0),
        (f"a,b\nc,{'d' * LONGEST}", text_kernels.LONG_LINE, 1, LONGEST + 2),
    ],
)
def test_the_first_line_that_is_no_row_is_named(text: str, fault: int, row: int, size: int) -> None:
    buffer, ends, found = apart(text, 2)
    assert (found[0], found[1], found[3]) == (fault, row, size)
    if '"' not in text:
        assert not text_kernels.take_apart_plain(buffer, COMMA, LONGEST, ends.copy())


decimals = st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,7})?", fullmatch=True)
quoting = st.sampled_from(["{}", '"{}"'])
line_ends = st.sampled_from(["\n", "\r\n"])


@given(st.lists(st.one_of(decimals, st.just("")), min_size=1, max_size=8), quoting, line_ends)
def test_decimals_are_the_floats_that_python_reads(cells: list[str], wrap: str, line_end: str) -> None:
    values = np.empty(len(cells))
    plain, empty = text_kernels.floats(*column(cells, wrap, line_end), values)
    if any(int(cell.replace(".", "").replace("-", "") or 0) >= 2**53 for cell in cells):
        assert not plain
        return
    assert (plain, empty) == (True, cells.count(""))
    for cell, value in zip(cells, values.tolist(), strict=True):
        assert math.isnan(value) if not cell else (value, math.copysign(1, value)) == (
            float(cell), math.copysign(1, float(cell))
        )  # fmt: skip


@given(st.lists(st.one_of(st.integers(-(10**17) + 1, 10**17 - 1).map(str), st.just("")), min_size=1), quoting)
def test_whole_numbers_are_those_that_python_reads(cells: list[str], wrap: str) -> None:
    values, null = np.zeros(len(cells), dtype=np.int64), np.empty(len(cells), dtype=np.bool_)
    assert text_kernels.integers(*column(cells, wrap), values, null) == (True, cells.count(""))
    assert null.tolist() == [not cell for cell in cells]
    assert values[~null].tolist() == [int(cell) for cell in cells if cell]


@pytest.mark.parametrize(
    "cell",
    ["1e5", "+1", ".5", "5.", "1.2.3", "nan", "inf", " 1", "1 ", "-", ".", "--1", "1,5", "9" * 19, "0" * 19, "1-"],
)  # fmt: skip
def test_other_notations_are_left_to_others(cell: str) -> None:
    given = column(["1", cell], '"{}"')
    assert not text_kernels.floats(*given, np.empty(2))[0]
    assert not text_kernels.integers(*given, np.zeros(2, dtype=np.int64), np.empty(2, dtype=np.bool_))[0]


def test_no_decimal_is_read_whose_digits_a_float_cannot_hold() -> None:
    assert text_kernels.floats(*column([str(2**53 - 1)]), np.empty(1))[0]
    assert not text_kernels.floats(*column([str(2**53)]), np.empty(1))[0]
    assert not text_kernels.floats(*column(["9007199.254740993"]), np.empty(1))[0]  # 2**53 + 1 of the last digit


FORMS = {"YYYY-MM-DD": "%Y-%m-%d", "MM/DD/YYYY": "%m/%d/%Y", "DD.MM.YYYY": "%d.%m.%Y", "YYYYMMDD": "%Y%m%d"}


@given(st.lists(st.dates(date(1000, 1, 1), date(9999, 12, 31)), min_size=1), st.sampled_from(sorted(FORMS)))
def test_dates_are_the_days_that_python_counts(days: list[date], form: str) -> None:
    values = np.empty(len(days), dtype=np.int32)
    cells = [day.strftime(FORMS[form]) for day in days]
    assert text_kernels.days(*column(cells), np.frombuffer(form.encode(), dtype=np.uint8), values)
    assert [EPOCH + timedelta(days=each) for each in values.tolist()] == days


@pytest.mark.parametrize(
    "cell",
    ["2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32", "2024-1-05",
     "2024/01/05", "2024-01-05T", "", "2o24-01-05", "2024-01-0:"],
)  # fmt: skip
def test_what_is_no_date_is_left_to_others(cell: str) -> None:
    form = np.frombuffer(b"YYYY-MM-DD", dtype=np.uint8)
    assert not text_kernels.days(*column(["2024-02-29", cell], '"{}"'), form, np.empty(2, dtype=np.int32))


@given(st.lists(st.sampled_from(["ESH24", "ESM24", "a", "b", "é", "ESH2", "ESH245"]), min_size=1, max_size=40))
def test_texts_are_numbered_as_they_come(cells: list[str]) -> None:
    codes, first = np.empty(len(cells), dtype=np.int32), np.empty(8, dtype=np.int64)
    known = text_kernels.code(*column(cells), np.full(16, -1, dtype=np.int32), first, codes)
    texts = list(dict.fromkeys(cells))
    assert [cells[row] for row in first[:known]] == texts
    assert [texts[code] for code in codes] == cells


def test_more_texts_than_there_is_room_for_and_empty_ones_are_not_numbered() -> None:
    slots, codes = np.full(16, -1, dtype=np.int32), np.empty(3, dtype=np.int32)
    assert text_kernels.code(*column(["a", "b", "c"]), slots.copy(), np.empty(2, dtype=np.int64), codes) == -1
    assert text_kernels.code(*column(["a", "", "c"]), slots.copy(), np.empty(3, dtype=np.int64), codes) == -1
    assert text_kernels.code(*column(["a", "b", "c"]), slots[:2].copy(), np.empty(3, dtype=np.int64), codes) == -1
