"""sha256 of bytes and files, and the canonical JSON (RFC 8785) that documents are hashed by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, Final


def sha256_bytes(data: bytes) -> str:
    """Lower-case hex sha256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Lower-case hex sha256 of a file's content, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(document: Any) -> bytes:
    """RFC 8785 bytes of a JSON document (dicts, lists, strings, finite numbers, booleans, None).

    Raises ValueError for what JSON cannot carry: NaN, infinities, integers beyond 2**53, keys that are no text.
    """
    return _text(document).encode()


def _text(value: Any) -> str:
    return _WRITERS.get(type(value), _of_library)(value)


def _of_library(value: Any) -> str:
    """What is rare, and what is refused."""
    import rfc8785

    return rfc8785.dumps(value).decode()


def _of_int(value: int) -> str:
    return str(value) if -_WHOLE < value < _WHOLE else _of_library(value)


def _of_float(value: float) -> str:
    if value == 0.0:
        return "0"
    # Here Python writes the shortest digits as ECMAScript does, but for whole numbers.
    if 1e-4 <= abs(value) < _WHOLE:
        return str(int(value)) if value.is_integer() else repr(value)
    return _of_library(value)


def _of_list(value: list[Any]) -> str:
    return "[" + ",".join([_WRITERS.get(type(item), _of_library)(item) for item in value]) + "]"


def _of_dict(value: dict[str, Any]) -> str:
    order, shape = _object(tuple(value))
    return shape % tuple([_WRITERS.get(type(item := value[key]), _of_library)(item) for key in order])


@lru_cache(maxsize=4096)
def _object(keys: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """An object's keys in order, and its text without the values: a document has many objects of few kinds."""
    if not all(isinstance(key, str) for key in keys):
        raise ValueError(f"an object's keys must be text: {keys!r}")
    order = sorted(keys, key=lambda key: key.encode("utf-16-be"))
    return tuple(order), "{" + ",".join(encode_basestring(key).replace("%", "%%") + ":%s" for key in order) + "}"


_WHOLE: Final = 2**53
_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    str: encode_basestring,
    float: _of_float,
    int: _of_int,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    list: _of_list,
    tuple: _of_list,
    dict: _of_dict,
}


def digest(document: Any) -> str:
    """Lower-case hex sha256 of the canonical JSON of `document`."""
    return sha256_bytes(canonical_json(document))
