"""The boundary to compiled decoders: whatever they raise on bad bytes becomes one InputError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ctl.errors import CtlError, InputError


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
