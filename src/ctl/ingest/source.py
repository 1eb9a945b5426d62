"""The bytes of one file: its sha256, its compression undone within stated limits.

Nothing here knows a vendor. Files that cannot be what they claim (sparse, huge, bombs) are refused before
they fill the memory.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from ctl.errors import InputError
from ctl.ingest import guard

if TYPE_CHECKING:
    from zstandard import FrameParameters, ZstdDecompressionReader

MAX_BYTES: Final = 1 << 31
"""Largest content accepted, after decompression: 2 GiB hold 38 million DBN bars."""

FREE_BYTES: Final = 1 << 26
MAX_RATIO: Final = 250
"""Beyond 64 MiB a file may not expand more than this; real daily bars stay below 20."""

_BLOCK: Final = 1 << 20
_READ_ONCE: Final = 1 << 24
"""Files below this size are read before they are looked at: most of daily bars are."""

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZIP_MAGIC: Final = b"PK\x03\x04"
_HIDDEN: Final = re.compile(r"(^|/)(\.|__MACOSX/)")
_ENCRYPTED: Final = 0x1
"""Bit of a zip member's flags."""
_MOST_MEMBERS: Final = 10_000
DBN_MAGIC: Final = b"DBN"
PARQUET_MAGIC: Final = b"PAR1"
_MAX_WINDOW: Final = 1 << 27
_AT_ONCE: Final = 1 << 28
"""Files up to this size are read at once, and decompressed in one call where their frame allows it."""

_ZSTD_BLOCK: Final = 1 << 17
"""No block of a zstd frame expands to more (RFC 8878, 3.1.1.2.4)."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file's decompressed content; size, sha256 and written are of the file as it lies on disk.

    written: when it was last written, ns since 1970-01-01 UTC; None where there is no file. member: which file of an
    archive the content is.
    """

    path: Path
    content: bytes | memoryview
    sha256: str
    size: int
    written: int | None = None
    member: str = ""

    @property
    def data(self) -> bytes:
        """The content; copied where it is a view, as that of DBN may be."""
        return self.content if isinstance(self.content, bytes) else bytes(self.content)

    def starts_with(self, mark: bytes) -> bool:
        """Whether the content starts with these bytes."""
        return self.content[: len(mark)] == mark

    @property
    def name(self) -> str:
        """File name without its folder; of a file in an archive, behind the archive's."""
        return f"{self.path.name}/{self.member}" if self.member else self.path.name

    @property
    def stem(self) -> str:
        """File name without folder and without any of the extensions that readers know."""
        stem = Path(self.member or self.path.name).name
        for suffix in (".zst", ".gz", ".csv", ".txt", ".json", ".dbn", ".parquet"):
            if stem.lower().endswith(suffix):
                stem = stem[: -len(suffix)]
        return stem


def load(path: Path) -> RawFile:
    """Read a file, undoing zstd or gzip by their magic bytes (the extension is not believed).

    Raises InputError: missing, not a regular file, empty, over MAX_BYTES, expanding beyond MAX_RATIO, damaged
    compression, or content that starts with NUL bytes.
    """
    files = load_all(path)
    if len(files) > 1:
        raise InputError(
            "several files in the archive", where=str(path), found=", ".join(file.member for file in files[:5]),
            expected="one",
        )  # fmt: skip
    return files[0]


def load_all(path: Path) -> tuple[RawFile, ...]:
    """`load`, where a zip archive gives each of its files, in the order of their names."""
    with guard.opened(path, MAX_BYTES) as handle:
        written = os.fstat(handle.fileno()).st_mtime_ns
        if handle.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC:
            return _members(path, handle, written)
        handle.seek(0)
        return (replace(_load(path, handle), written=written),)


def _members(path: Path, handle: BinaryIO, written: int) -> tuple[RawFile, ...]:
    """The files of a zip archive; hidden ones and those of the system that packed it aside."""
    where = str(path)
    size = os.fstat(handle.fileno()).st_size
    handle.seek(0)
    digest = hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]  # a file is what it takes
    try:
        with zipfile.ZipFile(handle) as archive:
            inside = [item for item in archive.infolist() if not item.is_dir() and not _HIDDEN.search(item.filename)]
            if any(item.flag_bits & _ENCRYPTED for item in inside):
                raise InputError("the zip archive is encrypted", where=where, remedy="unpack it first")
            if any(item.filename == "[Content_Types].xml" for item in inside):
                raise InputError("a spreadsheet", where=where, expected="a table as text", remedy="save it as CSV")
            stated = sum(item.file_size for item in inside)
            if stated > _most_content(size):
                raise InputError(
                    "the archive expands too far", where=where, found=f"{stated} bytes from {size}",
                    expected=f"at most {MAX_RATIO} times its size and {MAX_BYTES} bytes",
                )  # fmt: skip
            if not stated or len(inside) > _MOST_MEMBERS:
                raise InputError(
                    "no usable archive", where=where, found=f"{len(inside)} files", expected=f"1 to {_MOST_MEMBERS}"
                )
            files = []
            for item in sorted(inside, key=lambda item: item.filename):
                with archive.open(item) as member:
                    content = member.read(item.file_size + 1)
                files.append(RawFile(path, content, digest, size, written, item.filename))
    # What zipfile raises of bytes that are no sound archive: an unknown compression, a cut member, a torn extra field.
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, struct.error) as error:
        raise InputError("damaged zip archive", where=where, found=str(error)[:200]) from error
    return tuple(files)


def _load(path: Path, handle: BinaryIO) -> RawFile:
    where = str(path)
    first = handle.read(8)
    if first.strip(b"\0") == b"":
        raise InputError("the file starts with NUL bytes", where=where, expected="text, DBN or Parquet")
    handle.seek(0)
    expand = _expander(first, where)
    if expand is None:
        data: bytes | memoryview | None = _whole(handle) if first.startswith(DBN_MAGIC) else None
        if data is None:
            handle.seek(0)
            size = os.fstat(handle.fileno()).st_size
            data = begin = handle.read(size + 1 if size < _READ_ONCE else _BLOCK)
            if not first.startswith((DBN_MAGIC, PARQUET_MAGIC)) and b"\0" in begin:
                # No text holds one, as its reader will say: a sparse file need not be read to its end for that.
                return RawFile(path=path, content=begin, sha256=hashlib.sha256(begin).hexdigest(), size=len(begin))
            if len(begin) != size:
                data = _rest(handle)
        _check_size(len(data), where)  # it may have grown meanwhile
        return RawFile(path=path, content=data, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    if first.startswith(_ZSTD_MAGIC):
        packed = _whole(handle)
        content = None if packed is None else _zstd_at_once(packed)
        if packed is not None and content is not None:
            return RawFile(path=path, content=content, sha256=hashlib.sha256(packed).hexdigest(), size=len(packed))
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
            if held > _most_content(size):
                raise InputError(
                    "the file expands too far",
                    where=where,
                    found=f"more than {held} bytes from {size}",
                    expected=f"at most {MAX_RATIO} times its size and {MAX_BYTES} bytes",
                )
    pieces.extend(expand(b""))
    if not held:
        raise InputError("the file holds nothing", where=where)
    return RawFile(path=path, content=b"".join(pieces), sha256=digest.hexdigest(), size=size)


def _most_content(size: int) -> int:
    """What a compressed file of this size may expand to."""
    return max(FREE_BYTES, min(MAX_BYTES, size * MAX_RATIO))


def _whole(handle: BinaryIO) -> memoryview | None:
    """The bytes of a file in memory of large pages, which numpy asks for; None beyond _AT_ONCE, or where it grows."""
    import numpy as np

    size = os.fstat(handle.fileno()).st_size
    if size > _AT_ONCE:
        return None
    content = np.empty(size + 1, dtype=np.uint8).data
    end = 0
    while more := handle.readinto(content[end:]):  # type: ignore[attr-defined]
        end += more
    return content[:end] if end <= size else None


def _rest(handle: BinaryIO) -> bytes:
    """The bytes of a file, up to one more than it had, or than is accepted."""
    handle.seek(0)
    return handle.read(min(os.fstat(handle.fileno()).st_size, MAX_BYTES) + 1)


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


def _zstd_at_once(data: memoryview) -> bytes | memoryview | None:
    """The content of a file that is one whole zstd frame, in half of the time that pieces take.

    The decoder is given room for what the frame states or its blocks can hold, and no more; that must be within
    what the file may expand to. None for every other file, damaged ones included.
    """
    import zstandard

    try:
        room = _room_of_blocks(data, zstandard.frame_header_size(data), zstandard.get_frame_parameters(data))
        stated = zstandard.frame_content_size(data)
        room = room if stated < 0 else min(room, stated)
        if not 0 < room <= _most_content(len(data)):
            return None
        engine = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        if engine.stream_reader(data).read(len(DBN_MAGIC)) == DBN_MAGIC:
            return _filled(engine.stream_reader(data), room)
        return engine.decompress(data, max_output_size=room, allow_extra_data=False) or None
    except zstandard.ZstdError:
        return None


def _filled(reader: ZstdDecompressionReader, room: int) -> memoryview | None:
    """A reader's content in memory of large pages, which numpy asks for; None where it is more than `room` bytes."""
    import numpy as np

    content = np.empty(room, dtype=np.uint8).data
    end = 0
    while end < room and (more := reader.readinto(content[end:])):
        end += more
    if reader.read(1):  # nothing but the frame's checksum may follow
        return None
    return content[:end].toreadonly()


def _room_of_blocks(data: memoryview, at: int, frame: FrameParameters) -> int:
    """The most that a frame's blocks, from the first at `at`, expand to; 0 where they do not end with the file.

    Layout of a block: RFC 8878, 3.1.1.2.
    """
    room, last = 0, False
    while not last and at + 3 <= len(data):
        head = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        room += _ZSTD_BLOCK if kind >= 2 else size  # compressed; else as it stands, or one byte repeated
        at += 3 + (1 if kind == 1 else size)
    return room if last and at + 4 * frame.has_checksum == len(data) else 0


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
