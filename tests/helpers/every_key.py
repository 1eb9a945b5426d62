"""Every key that a strict file may have, set to other values: those of the models that read it, not of an example."""

from __future__ import annotations

import collections.abc
import copy
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path as FilePath
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from ctl.model.csv_mapping import NamedMapping

VALUES: dict[Any, tuple[Any, ...]] = {
    bool: (True, False),
    int: (0, 1, 2, 7, 13),
    float: (0.0, 0.25, 0.5, 0.75, 2.5, 30_000.0),
    str: (
        "x", ",", "XNYS", "EUR", "databento", "tradestation", "norgate", "EFGH", "none", "b2", ";", "12:00", "%d/%m/%Y",
        "elsewhere", "elsewhere/{symbol}.csv", "{root}_{contract}",
    ),
    date: (date(2026, 1, 5),),
    tuple: (["x"], ["norgate", "tradestation"], ["volume"]),
    dict: ({"x": "y"}, {"EUR": 1.25}, {"ES": 2.0}, {"tradestation": "x"}),
    NamedMapping: ({"name": "tradestation"},),
}  # fmt: skip
"""Values of every kind that some key takes; a model refuses those that a key does not."""

INSTEAD = {"references": "reference"}
"""Keys that stand in another's place."""

Key = tuple[str | int, ...]


def models_of(model: type[BaseModel]) -> set[type[BaseModel]]:
    """A model and all that its keys lead to."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [model]
    while waiting:
        item = waiting.pop()
        read_as = None if isinstance(item, type) else getattr(item, "model", None)
        if isinstance(item, type) and issubclass(item, BaseModel):
            if item not in found:
                found.add(item)
                for each in item.model_fields.values():
                    waiting += [each.annotation, *each.metadata]
        elif isinstance(read_as, type):
            waiting.append(read_as)
        else:
            waiting += get_args(item)
    return found


def changed(
    document: Mapping[str, Any], places: Mapping[Key, type[BaseModel]], beside: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[Key, Any]]:
    """(path of a key, the document with that key set to another value, added or left out).

    places: where tables of each model stand. beside: by key, what another key has to say for it to be possible.
    """
    for place, model in places.items():
        for name in model.model_fields:
            for value in (*values_of(model.model_fields[name].annotation), None):
                other = copy.deepcopy(dict(document))
                table: Any = other
                for part in place:
                    table = table[part] if isinstance(part, int) else table.setdefault(part, {})
                if value is None:
                    if name not in table:
                        continue
                    del table[name]
                else:
                    table[name] = value
                    table.update({key: each for key, each in beside.get(name, {}).items() if key not in table})
                    if name in INSTEAD:
                        table.pop(INSTEAD[name], None)
                yield (*place, name), other


def values_of(annotation: Any) -> list[Any]:
    """Values of the kinds that a key may have: of a choice, each that it names."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    kind = get_origin(annotation) or annotation
    for known, values in VALUES.items():
        if kind is known or {FilePath: str, collections.abc.Mapping: dict}.get(kind) is known:
            return list(values)
    return [value for each in get_args(annotation) for value in values_of(each)]


def toml(value: Any) -> str:
    """A value as TOML, tables in a line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


def toml_file(document: Mapping[str, Any]) -> bytes:
    """A document as a TOML file."""
    return "".join(f"{key} = {toml(value)}\n" for key, value in document.items()).encode()
