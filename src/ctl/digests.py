"""sha256 of bytes and files, and the canonical JSON (RFC 8785) that documents are hashed by."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


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
    import rfc8785

    return rfc8785.dumps(document)


def digest(document: Any) -> str:
    """Lower-case hex sha256 of the canonical JSON of `document`."""
    return sha256_bytes(canonical_json(document))
