"""What a certificate may carry, and what becomes of it there."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from ctl.certification.written.document import Rows, plain


def test_values_become_plain_json() -> None:
    found = plain(
        {"day": date(2024, 3, 1), "at": np.datetime64("2024-03-02"), "n": np.int64(3), "x": float("nan"), 4: (1.5,)}
    )
    assert found == {"day": "2024-03-01", "at": "2024-03-02", "n": 3, "x": None, "4": [1.5]}
    assert type(found["n"]) is int


def test_arrays_become_lists_without_numbers_that_json_lacks() -> None:
    assert plain(np.array([1.0, np.nan, -np.inf])) == [1.0, None, None]
    assert plain(np.array([1.0, 2.5])) == [1.0, 2.5]
    assert plain(np.array(["2024-03-01", "2024-03-04"], dtype="datetime64[D]")) == ["2024-03-01", "2024-03-04"]
    assert plain(np.array([[1.0, np.inf]])) == [[1.0, None]]


def test_rows_kept_by_column_become_records() -> None:
    rows = Rows(
        {"session": np.array(["2024-03-01", "2024-03-04"], dtype="datetime64[D]"), "share": np.array([0.5, np.nan])}
    )
    assert plain({"rows": rows}) == {
        "rows": [{"session": "2024-03-01", "share": 0.5}, {"session": "2024-03-04", "share": None}]
    }
    assert plain(Rows({"session": np.empty(0, dtype="datetime64[D]")})) == []


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot carry set"):
        plain({"names": {"a"}})
