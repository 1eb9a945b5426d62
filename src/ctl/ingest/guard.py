"""The two places where foreign bytes could do harm: the opening of a file, and a compiled decoder's work on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ctl import stopping, strict_files
from ctl.errors import CtlError, InputError

_PANICS = "pyo3_runtime"


@contextmanager
def opened(path: Path, most: int) -> Iterator[BinaryIO]:
    """A regular file of 1 to `most` bytes, open for reading. Nothing else is waited for or read.

    Raises InputError: missing, a folder, FIFO or device, empty, larger, or not readable.
    """
    where = str(path)
    try:
        with strict_files.opened(path, most) as handle:
            if os.fstat(handle.fileno()).st_size == 0:
                raise InputError("the file is empty", where=where)
            yield handle
    except OSError as error:
        raise InputError("cannot be read", where=where, found=error.strerror or type(error).__name__) from error


def edited(path: Path) -> bytes:
    """The bytes of a file that a person edits. Raises InputError as `opened`."""
    with opened(path, strict_files.MAX_BYTES) as handle:
        return handle.read(strict_files.MAX_BYTES)


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn every failure of a decoder on the content of file `name` into an InputError.

    Rust decoders panic with a class that derives from BaseException, so that is caught too; anything else that is no
    Exception stops the process, and passes through. So does a stop that the decoder has made an error of its own of.
    """
    try:
        yield
    except CtlError:
        raise
    except BaseException as error:  # a panic is not an Exception
        stopping.check()
        if not isinstance(error, Exception) and type(error).__module__ != _PANICS:
            raise
        reason = str(error).split("\n", 1)[0][:200] or type(error).__name__
        raise InputError("damaged content", where=name, found=reason) from error
