"""The two places where foreign bytes could do harm: the opening of a file, and a compiled decoder's work on it."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from ctl.errors import CtlError, InputError

_EDITED: Final = 1 << 20
"""Largest file that a person edits."""

_AT_ONCE: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
"""A FIFO without a writer would hold up the call itself; regular files are opened as ever."""


@contextmanager
def opened(path: Path, most: int) -> Iterator[BinaryIO]:
    """A regular file of 1 to `most` bytes, open for reading. Nothing else is waited for or read.

    Raises InputError: missing, a folder, FIFO or device, empty, larger, or not readable.
    """
    where = str(path)
    try:
        number = os.open(path, _AT_ONCE)
    except OSError as error:
        raise InputError("cannot be read", where=where, found=error.strerror or type(error).__name__) from error
    except ValueError as error:  # a NUL in the name
        raise InputError("not a usable file name", where=repr(where), found=str(error)) from error
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file", where=where)
        if status.st_size == 0:
            raise InputError("the file is empty", where=where)
        if status.st_size > most:
            found, expected = f"{status.st_size} bytes", f"at most {most}"
            raise InputError("the file is too large", where=where, found=found, expected=expected)
        with os.fdopen(number, "rb", closefd=False) as handle:
            yield handle
    except OSError as error:
        raise InputError("cannot be read", where=where, found=error.strerror or type(error).__name__) from error
    finally:
        os.close(number)


def toml(path: Path) -> dict[str, Any]:
    """The document of a TOML file that a person edits. Raises InputError as `opened`, and where it is not TOML."""
    with opened(path, _EDITED) as handle:
        data = handle.read(_EDITED)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError("not TOML", where=str(path), found=str(error)) from error


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn every failure of a decoder on the content of file `name` into an InputError.

    Rust decoders panic with classes that derive from BaseException, so those are caught too; what
    stops the interpreter passes through.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, CtlError):
        raise
    except BaseException as error:  # a panic is not an Exception
        reason = str(error).split("\n", 1)[0][:200] or type(error).__name__
        raise InputError("damaged content", where=name, found=reason) from error
