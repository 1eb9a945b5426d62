"""The serialiser: what a record becomes, and the schema that follows from the same fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import numpy as np
import pytest

from ctl.model.documents import Records, document, json_schema


@dataclass(frozen=True, slots=True)
class Part:
    session: date
    price: float | None


@dataclass(frozen=True, slots=True)
class Whole:
    kind: Literal["a", "b"]
    instant: datetime
    parts: tuple[Part, ...]
    by_name: Mapping[str, Part]
    note: str = ""


WHOLE = Whole(
    "a",
    datetime(2026, 3, 1, 22, 49, 32, tzinfo=UTC),
    (Part(date(2026, 2, 27), 7.25), Part(date(2026, 3, 2), float("nan"))),
    {"ES": Part(date(2026, 3, 2), float("inf"))},
)


def test_a_record_becomes_its_fields_in_their_order():
    assert json.dumps(document(WHOLE)) == (
        '{"kind": "a", "instant": "2026-03-01T22:49:32Z", "parts": [{"session": "2026-02-27", "price": 7.25}, '
        '{"session": "2026-03-02", "price": null}], "by_name": {"ES": {"session": "2026-03-02", "price": null}}, '
        '"note": ""}'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([1.0, np.nan]), [1.0, None]),
        (np.array(["2026-03-02"], dtype="datetime64[D]"), ["2026-03-02"]),
        ({3: (1, 2)}, {"3": [1, 2]}),
        (frozenset({"b", "a"}), ["a", "b"]),
    ],
)
def test_plain_values(value: Any, expected: Any):
    found = document(value)
    assert found == expected
    assert type(found) is type(expected)


def test_what_no_document_can_carry_is_refused():
    with pytest.raises(TypeError, match="object"):
        document(Whole("a", object(), (), {}))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="naive"):
        document(datetime(2026, 3, 1))  # noqa: DTZ001


def test_the_schema_closes_every_object_and_asks_for_every_field():
    schema = json_schema(Whole, "Whole")
    assert schema["title"] == "Whole"
    assert schema["required"] == ["kind", "instant", "parts", "by_name", "note"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Part"]["required"] == ["session", "price"]
    assert schema["properties"]["kind"]["enum"] == ["a", "b"]


def test_records_are_counted_from_either_end_and_end_where_there_is_none():
    held = Records(Part, [[date(2026, 2, 27), date(2026, 3, 2)], [1.0, 2.0]])
    assert (held[0], held[-1]) == (Part(date(2026, 2, 27), 1.0), Part(date(2026, 3, 2), 2.0))
    for rows, index in ((held, 2), (Records(Part, [[], []]), -1)):
        with pytest.raises(IndexError):
            rows[index]
