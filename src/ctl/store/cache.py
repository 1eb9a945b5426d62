"""What was computed before, kept in a folder under a key that holds everything it depends on.

Nothing here can make an answer wrong: an entry is used only under its own key and where its own digests hold. One that
is damaged, of other code, or cannot be written is computed again. Per slot one entry is kept, the newest.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import digests
from ctl.errors import WorkspaceError
from ctl.store.files import write_atomic

if TYPE_CHECKING:
    import polars as pl

_NAME: Final = "entry.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept: a JSON-ready value, and tables by name."""

    value: Any
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)


class Cache:
    """The entries below one folder, each in a folder of its own slot (names that can stand in a path)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, slot: tuple[str, ...], key: str) -> Entry | None:
        """The entry of that slot, where it was made under that very key and is whole."""
        import polars as pl

        base = self.folder.joinpath(*slot)
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError):
            sha256, _, data = (base / _NAME).read_bytes().partition(b"\n")
            if digests.sha256_bytes(data).encode() != sha256:
                return None
            found: dict[str, Any] = json.loads(data)
            if found["key"] != key:
                return None
            frames: dict[str, pl.DataFrame] = {}
            for name, digest in found["frames"].items():
                packed = (base / f"{name}.parquet").read_bytes()
                if digests.sha256_bytes(packed) != digest:
                    return None
                frames[name] = pl.read_parquet(io.BytesIO(packed))
            return Entry(found["value"], frames)
        return None

    def keep(self, slot: tuple[str, ...], key: str, entry: Entry) -> None:
        """Keep an entry in place of the slot's; where it cannot be written, none is kept."""
        base = self.folder.joinpath(*slot)
        packed: dict[str, bytes] = {}
        for name, frame in entry.frames.items():
            buffer = io.BytesIO()
            frame.write_parquet(
                buffer, compression="uncompressed", statistics=False
            )  # packing takes as long as reading
            packed[name] = buffer.getvalue()
        shas = {name: digests.sha256_bytes(data) for name, data in packed.items()}
        whole = json.dumps({"key": key, "frames": shas, "value": entry.value}).encode()
        with suppress(WorkspaceError, OSError):
            for name, data in packed.items():
                write_atomic(base / f"{name}.parquet", data, durable=False)
            write_atomic(base / _NAME, digests.sha256_bytes(whole).encode() + b"\n" + whole, durable=False)
