"""sha256 of bytes and files, and the canonical JSON (RFC 8785) that documents are hashed by."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

# Of the numbers that ECMAScript writes otherwise than Python, whole floats lose their `.0`; those below 1e-4 or from
# 1e16 on have an exponent.
_WHOLE: Final = re.compile(r"\.0(?!\d)")
_EXPONENT: Final = re.compile(r"e[-+]\d+")
_MINUS_ZERO: Final = re.compile(r"-0(?![\d.])")
_LONGEST: Final = 24
# Sixteen digits and more are left to the library, which refuses integers beyond 2**53.
_LONG: Final = re.compile(r"[:,\[]-?\d{16}")


def sha256_bytes(data: bytes) -> str:
    """Lower-case hex sha256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Lower-case hex sha256 of a file's content, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(document: Any) -> bytes:
    """RFC 8785 bytes of a JSON document (dicts, lists, strings, finite numbers, booleans, None).

    Raises ValueError for what JSON cannot carry: NaN, infinities, integers beyond 2**53.
    """
    text = json.dumps([document], ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    # Without escapes every other part between quotation marks is a string. The library, which takes four times as
    # long, sorts by UTF-16: another order only for what lies beyond 0xFFFF.
    parts = text.split('"')
    bare = '"'.join(parts[::2])
    if "\\" in text or _LONG.search(bare) or not (text.isascii() or max(text) <= "\uffff"):
        import rfc8785

        return rfc8785.dumps(document)
    parts[::2] = _as_ecmascript(bare).split('"')
    return '"'.join(parts)[1:-1].encode()


def _as_ecmascript(text: str) -> str:
    """JSON without its strings, with every number as ECMAScript writes it."""
    import rfc8785

    written, end = [], 0
    for exponent in _EXPONENT.finditer(text):
        before = max(exponent.start() - _LONGEST, end)
        start = before + len(text[before : exponent.start()].rstrip("0123456789.-"))
        number = rfc8785.dumps(float(text[start : exponent.end()])).decode()
        written += [text[end:start], number]
        end = exponent.end()
    return _MINUS_ZERO.sub("0", _WHOLE.sub("", "".join([*written, text[end:]])))


def digest(document: Any) -> str:
    """Lower-case hex sha256 of the canonical JSON of `document`."""
    return sha256_bytes(canonical_json(document))
