"""Decode a Parquet file in a process of its own: bytes on stdin, Arrow IPC on stdout.

A damaged Parquet file can make a decoder abort the process (an allocation that fails is no exception), so the
process that decodes is not the one that must report. Run as a script by `frames.of_parquet`; it imports nothing of
this package.
"""

from __future__ import annotations

import io
import sys
from contextlib import suppress

import polars as pl

MEMORY_LIMIT = 1 << 34
REFUSED = 3


def main() -> int:
    """Read stdin, write stdout. Returns the exit code."""
    with suppress(ImportError):  # POSIX only
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        frame = pl.read_parquet(io.BytesIO(sys.stdin.buffer.read()), use_pyarrow=False)
        buffer = io.BytesIO()
        frame.write_ipc(buffer)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent says it in one line
        sys.stderr.write(str(error).split("\n", 1)[0][:200] + "\n")
        return REFUSED
    sys.stdout.buffer.write(buffer.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
