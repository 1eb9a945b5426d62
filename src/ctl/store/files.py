"""Files that are written whole or not at all.

A file is written to a temporary name in its own folder, synced, put in place by one rename or link,
and the folder is synced: a reader sees the old file or the new one, also after a power cut. A process
killed in between leaves at most a temporary file, `.<name>.<8 hex digits>.tmp`, which retention removes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ctl.errors import WorkspaceError

TEMPORARY: Final = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")

_TRIES: Final = 1000


def json_bytes(document: Any) -> bytes:
    """Indented UTF-8 JSON with a final newline, keys in the document's order.

    Raises ValueError for NaN and infinities, TypeError for what JSON cannot carry.
    """
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path`, replacing what is there; missing folders are made.

    durable: whether it outlasts a power cut from then on; what can be made again need not.
    Raises WorkspaceError, with nothing changed at `path` and no temporary file left.
    """
    _write(path, data, exclusive=False, durable=durable)


def write_new(path: Path, data: bytes) -> None:
    """Write `data` to `path`, which must not exist yet; otherwise as `write_atomic`.

    Raises FileExistsError where `path` exists, also if another process has just made it.
    """
    _write(path, data, exclusive=True)


def replace_whole(source: Path, target: Path) -> None:
    """Give a file that is whole the name of another, which is gone then. Raises WorkspaceError where it cannot."""
    try:
        os.replace(source, target)  # noqa: PTH105 - as in _write
        _sync_folder(target.parent)
    except OSError as error:
        raise _failed("cannot be replaced", target, error) from error


def remove(path: Path) -> None:
    """Remove a file; none there is as well. Raises WorkspaceError where it cannot be removed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _failed("cannot be removed", path, error) from error


def _failed(what: str, path: Path, error: OSError, remedy: str = "mend the permissions") -> WorkspaceError:
    found = error.strerror or type(error).__name__
    return WorkspaceError(what, where=str(path), found=found, remedy=f"{remedy}, then run again", code="WRITE_FAILED")


def unique_path(path: Path) -> Path:
    """`path`, or where it exists the first free one of `<stem>_2<suffix>`, `<stem>_3<suffix>`, ..."""
    if not os.path.lexists(path):
        return path
    for number in range(2, _TRIES):
        candidate = path.with_name(f"{path.stem}_{number}{path.suffix}")
        if not os.path.lexists(candidate):
            return candidate
    raise WorkspaceError("too many files of one name", where=str(path), found=f"{_TRIES - 1} of them")


def unique_stem(stamp: str, places: Iterable[tuple[Path, str]]) -> str:
    """The first of `stamp`, `stamp_2`, `stamp_3`, ... for which no `<folder>/<stem><ending>` of `places` exists."""
    places = tuple(places)
    for number in range(1, _TRIES):
        stem = stamp if number == 1 else f"{stamp}_{number}"
        if not any(os.path.lexists(folder / f"{stem}{ending}") for folder, ending in places):
            return stem
    raise WorkspaceError("too many files of one second", where=str(places[0][0]), found=f"{_TRIES - 1} of {stamp}")


def remove_temporaries(folder: Path) -> None:
    """Remove what killed processes left half written in `folder`. Only while nobody else can be writing there."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in folder.iterdir():
        if TEMPORARY.fullmatch(path.name) and not path.is_symlink() and path.is_file():
            path.unlink(missing_ok=True)


def _write(path: Path, data: bytes, *, exclusive: bool, durable: bool = True) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_temporary(temporary, data, durable=durable)
            if exclusive:
                _link(temporary, path)
            else:
                os.replace(temporary, path)  # noqa: PTH105 - the fault injection of the kill tests replaces os.replace
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - gone after a rename, left over after a link or a failure
        if durable:
            _sync_folder(path.parent)
    except FileExistsError:
        if exclusive and os.path.lexists(path):
            raise
        raise WorkspaceError("cannot be written", where=str(path), found="a file where a folder must be") from None
    except OSError as error:
        remedy = "free space on the disk or mend the permissions"
        raise _failed("cannot be written; what was there before still is", path, error, remedy) from error


def _link(temporary: Path, path: Path) -> None:
    """Give the file its name if the name is free."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}:
            raise
        # A file system without hard links: under the run lock nobody else takes the name meanwhile.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.replace(temporary, path)  # noqa: PTH105


def _write_temporary(path: Path, data: bytes, *, durable: bool) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
