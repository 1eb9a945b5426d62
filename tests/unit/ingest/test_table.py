"""A column that is read as numbers at once, against the same cells as text: the same values, or the same refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctl.errors import InputError
from ctl.ingest import table
from ctl.ingest.source import RawFile

FILE = RawFile(Path("a.csv"), b"", "", 0)
PRICES = st.floats(-1e6, 1e6).map(repr) | st.decimals(-(10**9), 10**9, places=4).map(str) | st.integers().map(str)
ODD = st.sampled_from(
    ["", " 1", "1 ", "+5", ".5", "5.", "1e3", "1E-7", "nan", "NaN", "inf", "-Infinity", "-", "1_000", "0x10", "110-16",
     "110'4", "1.5.2", "20240102", "007", "-0", "true", "null", "9007199254740991", "9007199254740993", "1e400", "1d"]
)  # fmt: skip
CELLS = st.lists(PRICES, min_size=1, max_size=8) | st.lists(PRICES | ODD, min_size=1, max_size=6)

READINGS: dict[str, Callable[[table.Table], Any]] = {
    "floats": lambda rows: (rows.floats("n"),),
    "nullable floats": lambda rows: (rows.floats("n", nullable=True),),
    "counts": lambda rows: ((found := rows.integers("n")).values, found.null),
    "any integers": lambda rows: (
        (found := rows.integers("n", nullable=False, minimum=None, maximum=None)).values, found.null,
    ),
    "text": lambda rows: (rows.text("n").to_list(),),
}  # fmt: skip


def read(rows: table.Table, reading: str) -> Any:
    try:
        return READINGS[reading](rows)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("reading", READINGS)
@given(cells=CELLS)
@example(cells=["1", "2", ""])
@example(cells=["5.25", "nan"])
@example(cells=["1", "9007199254740993"])
def test_numbers_are_read_as_their_text_says(reading: str, quoted: bool, cells: list[str]) -> None:
    mark = '"' if quoted else ""
    text = "".join(f"{mark}{cell}{mark},{mark}x{mark}\n" for cell in ("n", *cells)).replace("x", "t", 1)
    at_once = table.parse(FILE, text.encode())
    column = pl.Series("n", [cell or None for cell in cells], pl.String)
    as_text = table.Table(FILE, ("n", "t"), pl.DataFrame({"n": column, "t": ["x"] * len(cells)}), 2)
    found, expected = read(at_once, reading), read(as_text, reading)
    if isinstance(expected, str):
        assert found == expected
    else:
        for left, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_date_in_digits_stays_text() -> None:
    rows = table.parse(FILE, b"n,t\n20240102,1.5\n20240103,2.5\n")
    assert rows.text("n").to_list() == ["20240102", "20240103"]
    assert rows.floats("t").tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a,b\n1,2\n3,4,5\n6\n", "row 3: wrong number of columns"),  # as many separators as whole rows would have
        (b"a,b\n1,2\n3\n4,5,6\n", "row 3: wrong number of columns"),
        (b"a,b\n\n1,2\n\n3\n", "row 5: wrong number of columns"),
        (b'a,b\n1,2\n"3,4"\n5,6,7\n', "row 3: wrong number of columns"),
    ],
)
def test_rows_of_other_widths_are_refused(text: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        table.parse(FILE, text)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_blank_lines_are_no_rows_and_rows_keep_their_numbers(end: bytes) -> None:
    rows = table.parse(FILE, end.join([b"a,b", b"", b"1,2", b"", b"", b"3,x", b"", b"5,6", b""]))
    assert rows.floats("a").tolist() == [1.0, 3.0, 5.0]
    assert rows.lines().tolist() == [3, 6, 8]
    with pytest.raises(InputError, match=r"row 6, column 'b'.*'x'"):
        rows.floats("b")
