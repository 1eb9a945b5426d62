"""A JSON document with one value changed, for every value it has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, item in items:
        found = True
        yield from leaves(item, (*path, key))
    if not found:
        yield path


def with_other(document: Any, path: tuple[Any, ...]) -> Any:
    copy = json.loads(json.dumps(document))
    parent = copy
    for part in path[:-1]:
        parent = parent[part]
    old = parent[path[-1]]
    parent[path[-1]] = not old if isinstance(old, bool) else old * 2 + 1 if isinstance(old, int | float) else f"{old}x"
    return copy
