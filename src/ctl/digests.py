"""sha256 of bytes and files, and the canonical JSON (RFC 8785) that documents are hashed by."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

_STRINGS: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")')
_WHOLE: Final = re.compile(r"(?<=\d)\.0(?=[,\]}\0]|$)")
_EXPONENT: Final = re.compile(r"-?\d+(?:\.\d+)?e[-+]\d+")
_BEYOND: Final = re.compile("[\ud800-\U0010ffff]")
_MINUS_ZERO: Final = re.compile(r"(?<![\d.e])-0(?![\d.])")
_LONG: Final = re.compile(r"(?<![\d.])\d{16,}(?![\d.e])")


def sha256_bytes(data: bytes) -> str:
    """Lower-case hex sha256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Lower-case hex sha256 of a file's content, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(document: Any) -> bytes:
    """RFC 8785 bytes of a JSON document (dicts with strings as keys, lists, strings, finite numbers, booleans, None).

    Raises ValueError for what JSON cannot carry: NaN, infinities, integers beyond 2**53.
    """
    import rfc8785

    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    except TypeError:
        return rfc8785.dumps(document)
    parts = _STRINGS.split(text)  # what stands between strings, and every second one a string
    between = "\0".join(parts[::2])
    # Keys beyond the basic plane sort otherwise there, and so do long integers read otherwise.
    if _LONG.search(between) or (not text.isascii() and _BEYOND.search(text)):
        return rfc8785.dumps(document)
    # The standard library is tenfold faster, and writes some numbers otherwise: 1.0, 1e-05, 1e+16.
    between = _EXPONENT.sub(lambda found: rfc8785.dumps(float(found[0])).decode(), _WHOLE.sub("", between))
    parts[::2] = _MINUS_ZERO.sub("0", between).split("\0")
    return "".join(parts).encode()


def digest(document: Any) -> str:
    """Lower-case hex sha256 of the canonical JSON of `document`."""
    return sha256_bytes(canonical_json(document))
