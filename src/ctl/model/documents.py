"""The one serialiser: a published record is a dataclass; its document and its JSON Schema follow from its fields.

A record holds what is published and nothing else, in the order of the document. Dates become ISO text, instants ISO
text ending in `Z`, tuples lists, numbers that JSON cannot carry (NaN, infinities) null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache
from math import isfinite
from operator import attrgetter
from typing import Any, Final

from ctl import clock

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_READY: Final = frozenset({str, int, bool, type(None)})


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
        return {key if type(key) is str else str(key): document(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [item if type(item) in _READY else document(item) for item in value]
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
        return document(value.tolist())
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
