"""The bytes of one file: its sha256, its compression undone within stated limits.

Nothing here knows a vendor. Files that cannot be what they claim (sparse, huge, bombs) are refused before
they fill the memory.
"""

from __future__ import annotations

import hashlib
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ctl.errors import InputError

MAX_BYTES: Final = 1 << 31
"""Largest content accepted, after decompression: 2 GiB hold 38 million DBN bars."""

FREE_BYTES: Final = 1 << 26
MAX_RATIO: Final = 250
"""Beyond 64 MiB a file may not expand more than this; real daily bars stay below 20."""

_BLOCK: Final = 1 << 20
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_MAY_HOLD_NUL: Final = (b"DBN", b"PAR1")
_MAX_WINDOW: Final = 1 << 27
_AT_ONCE: Final = 1 << 24
"""Compressed files up to this size are decompressed in one call where their header allows it."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file's decompressed content; size and sha256 are of the file as it lies on disk."""

    path: Path
    data: bytes
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """File name without its folder."""
        return self.path.name

    @property
    def stem(self) -> str:
        """File name without folder and without any of the extensions that readers know."""
        stem = self.path.name
        for suffix in (".zst", ".gz", ".csv", ".txt", ".dbn", ".parquet"):
            if stem.lower().endswith(suffix):
                stem = stem[: -len(suffix)]
        return stem


def load(path: Path) -> RawFile:
    """Read a file, undoing zstd or gzip by their magic bytes (the extension is not believed).

    Raises InputError: missing, not a regular file, empty, over MAX_BYTES, expanding beyond MAX_RATIO, damaged
    compression, or content that starts with NUL bytes.
    """
    where = str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file", where=where)
        if status.st_size == 0:
            raise InputError("the file is empty", where=where)
        _check_size(status.st_size, where)
        with path.open("rb") as handle:
            return _load(path, handle)
    except OSError as error:
        raise InputError("cannot be read", where=where, found=error.strerror or type(error).__name__) from error
    except ValueError as error:  # a NUL in the name
        raise InputError("not a usable file name", where=repr(where), found=str(error)) from error


def _load(path: Path, handle: BinaryIO) -> RawFile:
    where = str(path)
    first = handle.read(_BLOCK)
    if first[:8].strip(b"\0") == b"":
        raise InputError("the file starts with NUL bytes", where=where, expected="text, DBN or Parquet")
    handle.seek(0)
    expand = _expander(first, where)
    if expand is None:
        if not first.startswith(_MAY_HOLD_NUL) and b"\0" in first:
            # No text holds one, as its reader will say: a sparse file need not be read to its end for that.
            return RawFile(path=path, data=first, sha256=hashlib.sha256(first).hexdigest(), size=len(first))
        data = handle.read(MAX_BYTES + 1)
        _check_size(len(data), where)  # it may have grown
        return RawFile(path=path, data=data, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    if first.startswith(_ZSTD_MAGIC):
        small = handle.read(_AT_ONCE + 1)
        whole = _zstd_at_once(small) if len(small) <= _AT_ONCE else None
        if whole is not None:
            return RawFile(path=path, data=whole, sha256=hashlib.sha256(small).hexdigest(), size=len(small))
        handle.seek(0)
    digest = hashlib.sha256()
    pieces: list[bytes] = []
    size = held = 0
    while block := handle.read(_BLOCK):
        digest.update(block)
        size += len(block)
        _check_size(size, where)
        for piece in expand(block):
            pieces.append(piece)
            held += len(piece)
            if held > max(FREE_BYTES, min(MAX_BYTES, size * MAX_RATIO)):
                raise InputError(
                    "the file expands too far",
                    where=where,
                    found=f"more than {held} bytes from {size}",
                    expected=f"at most {MAX_RATIO} times its size and {MAX_BYTES} bytes",
                )
    pieces.extend(expand(b""))
    if not held:
        raise InputError("the file holds nothing", where=where)
    return RawFile(path=path, data=b"".join(pieces), sha256=digest.hexdigest(), size=size)


def _check_size(size: int, where: str) -> None:
    if size > MAX_BYTES:
        raise InputError("the file is too large", where=where, found=f"{size} bytes", expected=f"at most {MAX_BYTES}")


Expander = Callable[[bytes], Iterator[bytes]]


def _expander(first: bytes, where: str) -> Expander | None:
    """A function of one compressed block that yields its content in bounded pieces; b'' says that the file ends.

    None for a file that is not compressed.
    """
    if first.startswith(_ZSTD_MAGIC):
        return _zstd_expander(where)
    if first.startswith(_GZIP_MAGIC):
        return _gzip_expander(where)
    return None


def _zstd_at_once(data: bytes) -> bytes | None:
    """The content of a file of one zstd frame that states a size within FREE_BYTES, in a third of the time.

    The decoder is given room for that size and no more. None for every other file, damaged ones included.
    """
    import zstandard

    try:
        if not 0 < zstandard.frame_content_size(data) <= FREE_BYTES:
            return None
        engine = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        return engine.decompress(data, allow_extra_data=False)
    except zstandard.ZstdError:
        return None


def _zstd_expander(where: str) -> Expander:
    import zstandard

    engine = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    current: list[zstandard.ZstdDecompressionObj] = []

    def expand(block: bytes) -> Iterator[bytes]:
        try:
            if not block:
                if current:
                    raise InputError("the zstd stream ends early", where=where, expected="a complete file")
                return
            view = memoryview(block)
            at = 0
            while at < len(view):
                if not current:
                    current.append(engine.decompressobj(write_size=_BLOCK))
                # The output of one call is not bounded, so it is fed little at a time.
                piece = view[at : at + _STEP]
                yield current[0].decompress(piece)
                at += len(piece)
                if current[0].eof:
                    at -= len(current[0].unused_data)
                    current.clear()
        except zstandard.ZstdError as error:
            raise InputError("damaged zstd data", where=where, found=str(error)) from error

    return expand


_STEP: Final = 1 << 11
"""Compressed bytes handed to zstd at once: one 3-byte block expands to at most 128 KiB, so a step to 90 MB."""


def _gzip_expander(where: str) -> Expander:
    current: list[zlib._Decompress] = []

    def expand(block: bytes) -> Iterator[bytes]:
        try:
            if not block:
                if current:
                    raise InputError("the gzip stream ends early", where=where, expected="a complete file")
                return
            while block:
                if not current:
                    current.append(zlib.decompressobj(wbits=31))
                yield current[0].decompress(block, _BLOCK)
                block = current[0].unconsumed_tail
                if current[0].eof:
                    block = current[0].unused_data + block
                    current.clear()
        except zlib.error as error:
            raise InputError("damaged gzip data", where=where, found=str(error)) from error

    return expand
