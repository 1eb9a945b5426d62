"""The one serialiser: a published record is a dataclass; its document and its JSON Schema follow from its fields.

A record holds what is published and nothing else, in the order of the document. Dates become ISO text, instants ISO
text ending in `Z`, tuples lists, numbers that JSON cannot carry (NaN, infinities) null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache
from math import inf, isfinite
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar, get_args, overload

from ctl import clock

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_READY: Final = frozenset({str, int, bool, type(None)})
# Arrays of truth values, integers and text hold plain values alone.
_PLAIN_KINDS: Final = frozenset("biuU")
Record = TypeVar("Record")


class Records(Sequence[Record], Generic[Record]):
    """Records of one dataclass that are kept by column until one is asked for, or until they are written.

    columns: one list or array per field, in the order of the fields. NaN reads as None, a datetime64 as a date.
    """

    __slots__ = ("_columns", "_kind")

    def __init__(self, kind: type[Record], columns: Sequence[Any] = ()) -> None:
        self._kind: Any = kind
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0]) if len(self._columns) else 0

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return list(Records[Record](self._kind, [column[index] for column in self._columns]))
        at = range(len(self))[index]
        record: Record = self._kind(*(_listed(column[at : at + 1])[0] for column in self._columns))
        return record

    def __iter__(self) -> Iterator[Record]:
        return map(self._kind, *map(_listed, self._columns)) if len(self._columns) else iter(())

    def document(self) -> list[dict[str, Any]]:
        """JSON-ready: one object per record."""
        names, _ = _fields(self._kind)
        return [dict(zip(names, row, strict=True)) for row in zip(*map(document, self._columns), strict=True)]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        (kind,) = get_args(source)
        return handler.generate_schema(list[kind])  # type: ignore[valid-type]


def _listed(column: Any) -> list[Any]:
    """A column as Python's own values."""
    values = column.tolist() if hasattr(column, "dtype") else list(column)
    return [None if type(item) is float and item != item else item for item in values]  # noqa: PLR0124 - NaN


def document(value: Any) -> Any:
    """The JSON-ready document of a record, or of any value that a record may hold.

    Raises TypeError for a value that no document can carry, ValueError for a naive datetime.
    """
    kind = type(value)
    if kind in _READY:
        return value
    if kind is float:
        return value if isfinite(value) else None
    if kind is dict:
        return {
            key if type(key) is str else str(key): item if type(item) in _READY else document(item)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        # Most items are plain already: they are let through here, because a call for each would take the longest.
        return [
            item
            if type(item) in _READY or (type(item) is float and isfinite(item))
            else item.isoformat()
            if type(item) is date
            else document(item)
            for item in value
        ]
    if kind is date:
        return value.isoformat()
    if kind is Records:
        return value.document()
    if is_dataclass(kind):
        names, values = _fields(kind)
        held = values(value)
        return {name: item if type(item) in _READY else document(item) for name, item in zip(names, held, strict=True)}
    return _other(value)


@cache
def _fields(kind: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of a record's fields, and what takes their values out of one."""
    attributes = tuple(item.name for item in fields(kind))
    names = tuple(_key(name) for name in attributes)
    if not names:
        return names, lambda record: ()
    get = attrgetter(*attributes)
    return names, get if len(names) > 1 else lambda record: (get(record),)


def _key(name: str) -> str:
    """The key of a field: `from_` is `from`, which Python keeps to itself."""
    return name.removesuffix("_")


def _other(value: Any) -> Any:
    if isinstance(value, datetime):
        return clock.iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return document(dict(value))
    if isinstance(value, (str, int, float)):  # of a subclass: numpy's, an enumeration's
        return document(next(kind for kind in (str, bool, int, float) if isinstance(value, kind))(value))
    if hasattr(value, "dtype"):
        if value.dtype.kind == "M":
            import numpy as np

            return np.datetime_as_string(value).tolist()
        listed = value.tolist()
        plain = value.dtype.kind in _PLAIN_KINDS or (value.dtype.kind == "f" and bool((abs(value) < inf).all()))
        return listed if plain else document(listed)
    if isinstance(value, (frozenset, set)):
        return document(sorted(value))
    raise TypeError(f"a document cannot carry {type(value).__name__}: {value!r}")


def json_schema(record: Any, title: str) -> dict[str, Any]:
    """JSON Schema of a record's document: every field is there, and no other."""
    from pydantic import TypeAdapter

    return {"$schema": DIALECT, **_closed(TypeAdapter(record).json_schema(mode="serialization")), "title": title}


def _closed(schema: Any) -> Any:
    """The schema with every object of fixed properties closed, and all of these required."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items() if key != "default"}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed["properties"] = {_key(name): item for name, item in closed["properties"].items()}
        closed.setdefault("additionalProperties", False)
        closed["required"] = list(closed["properties"])
    return closed
