"""Records kept by column, and what becomes of values in a document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest
from pydantic import TypeAdapter

from ctl.model.documents import Records, document


@dataclass(frozen=True)
class Interval:
    session: date
    share: float | None


SESSIONS = np.array(["2024-03-01", "2024-03-04"], dtype="datetime64[D]")


def test_values_become_plain_json() -> None:
    found = document(
        {"day": date(2024, 3, 1), "at": np.datetime64("2024-03-02"), "n": np.int64(3), "x": float("nan"), 4: (1.5,)}
    )
    assert found == {"day": "2024-03-01", "at": "2024-03-02", "n": 3, "x": None, "4": [1.5]}
    assert type(found["n"]) is int


def test_arrays_become_lists_without_numbers_that_json_lacks() -> None:
    assert document(np.array([1.0, np.nan, -np.inf])) == [1.0, None, None]
    assert document(np.array([1.0, 2.5])) == [1.0, 2.5]
    assert document(SESSIONS) == ["2024-03-01", "2024-03-04"]
    assert document(np.array([[1.0, np.inf]])) == [[1.0, None]]
    assert document(np.array([2, 3])) == [2, 3]


@pytest.mark.parametrize(
    "columns",
    [(SESSIONS, np.array([0.5, np.nan])), ([date(2024, 3, 1), date(2024, 3, 4)], [0.5, None])],
    ids=["arrays", "lists"],
)
def test_records_kept_by_column_are_records_when_asked_for(columns: tuple[object, object]) -> None:
    records = Records(Interval, columns)
    first, last = Interval(date(2024, 3, 1), 0.5), Interval(date(2024, 3, 4), None)
    assert list(records) == [first, last]
    assert (records[0], records[-1], records[1:], len(records)) == (first, last, [last], 2)
    assert document({"rows": records}) == {
        "rows": [{"session": "2024-03-01", "share": 0.5}, {"session": "2024-03-04", "share": None}]
    }


def test_no_records_are_an_empty_list() -> None:
    for records in (Records(Interval), Records(Interval, (SESSIONS[:0], np.empty(0)))):
        assert (list(records), len(records), document(records)) == ([], 0, [])


def test_the_schema_of_records_is_a_list_of_them() -> None:
    schema = TypeAdapter(Records[Interval]).json_schema()
    assert (schema["type"], schema["items"]) == ("array", {"$ref": "#/$defs/Interval"})


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot carry object"):
        document({"names": object()})
