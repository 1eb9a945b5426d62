"""The ledger of variants tried: append-only Parquet files, each named by the sha256 of its content.

A command that tries something writes the trials that are new in one file, whole or not at all. No file is ever
changed, and the same trial in two files (two commands at once) counts once.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ctl import strict_files
from ctl.digests import sha256_bytes
from ctl.errors import DataError
from ctl.store.files import write_new

if TYPE_CHECKING:
    import polars as pl

    from ctl.store.workspace import Workspace

LARGEST: Final = 256 * 1024 * 1024


def schema() -> dict[str, Any]:
    """Columns of the ledger. trial: what tells a variant from every other; score: its Sharpe ratio times the square
    root of its trades, null where it has none; source: the command that tried it first.
    """
    import polars as pl

    return {
        "symbol": pl.String, "trial": pl.String, "label": pl.String, "source": pl.String, "trades": pl.Int64,
        "score": pl.Float64, "first_tried": pl.Date,
    }  # fmt: skip


def read(workspace: Workspace) -> pl.DataFrame:
    """Every trial once, by symbol and trial. Raises DataError for a file that is not what was written."""
    import polars as pl

    frames = [pl.DataFrame(schema=schema())]
    for path in sorted(workspace.trials.glob("*.parquet")):
        try:
            data = strict_files.read_bytes(path, LARGEST)
            if sha256_bytes(data) != path.stem:
                raise ValueError("its content is not what its name says")
            frames.append(pl.read_parquet(io.BytesIO(data)).match_to_schema(schema()))
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise DataError(
                "the ledger of variants tried is damaged",
                where=workspace.relative(path),
                found=" ".join(str(error).split()),
                expected="a file as ctl wrote it",
                remedy="restore it from a backup: without it results look less tried than they are",
                code="TRIALS_DAMAGED",
            ) from error
    return (
        pl.concat(frames)
        .sort("symbol", "trial", "first_tried")
        .unique(["symbol", "trial"], keep="first", maintain_order=True)
    )


def record(workspace: Workspace, tried: pl.DataFrame) -> pl.DataFrame:
    """Add the trials of `tried` (columns of `schema`) that are new; returns the whole ledger with them."""
    import polars as pl

    known = read(workspace)
    new = tried.match_to_schema(schema()).unique(["symbol", "trial"], keep="first", maintain_order=True)
    new = new.join(known, on=["symbol", "trial"], how="anti", maintain_order="left")
    if new.is_empty():
        return known
    buffer = io.BytesIO()
    new.write_parquet(buffer, compression="zstd")
    data = buffer.getvalue()
    with suppress(FileExistsError):  # another command has just written the very same
        write_new(workspace.trials / f"{sha256_bytes(data)}.parquet", data)
    return pl.concat([known, new])
