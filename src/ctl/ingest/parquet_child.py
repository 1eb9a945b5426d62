"""Decode a Parquet file in a process of its own: bytes on stdin, Arrow IPC of the wanted columns on stdout.

A damaged Parquet file can make a decoder abort the process (an allocation that fails is no exception), so the
process that decodes is not the one that must report. Run as `python -m ctl.ingest.parquet_child COLUMN...`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ctl.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from ctl.ingest.source import RawFile

TIMEOUT_SECONDS: Final = 300
MEMORY_LIMIT: Final = 1 << 34
_REFUSED: Final = 3
_MAGIC: Final = b"PAR1"
_SMALLEST: Final = 12


def decode(file: RawFile, columns: Sequence[str]) -> pl.DataFrame:
    """The columns named `columns` that the file has. Raises InputError where it cannot be decoded."""
    import polars as pl

    if len(file.data) < _SMALLEST or not file.data.endswith(_MAGIC):
        raise InputError("damaged content: truncated", where=file.name, expected="a Parquet file")
    try:
        child = subprocess.run(  # noqa: S603 - our own module, no shell
            [sys.executable, "-I", "-m", "ctl.ingest.parquet_child", *columns],
            input=file.data,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, "POLARS_MAX_THREADS": "1", "RUST_BACKTRACE": "0"},
        )
    except subprocess.TimeoutExpired as error:
        raise InputError("damaged content: decoding does not end", where=file.name) from error
    if child.returncode != 0:
        said = child.stderr.decode("utf-8", "replace").strip().split("\n")
        reason = said[-1][:200] if child.returncode == _REFUSED else "a decoder that gave up"
        raise InputError("damaged content", where=file.name, found=reason, expected="a Parquet file")
    return pl.read_ipc(child.stdout)


def main(columns: Sequence[str]) -> int:
    """Read stdin, write stdout. Returns the exit code."""
    import io

    import polars as pl

    with suppress(ImportError):  # POSIX only
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        frame = pl.read_parquet(io.BytesIO(sys.stdin.buffer.read()), use_pyarrow=False)
        frame = frame.select(name for name in frame.columns if name in columns)
        buffer = io.BytesIO()
        frame.write_ipc(buffer)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent says it in one line
        sys.stderr.write(str(error).split("\n", 1)[0][:200] + "\n")
        return _REFUSED
    sys.stdout.buffer.write(buffer.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
