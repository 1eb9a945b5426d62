"""Frames as tables of text, so that they are held to the same rules as files: Parquet, JSON and those of a caller."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

import numpy as np
import polars as pl

from ctl.errors import InputError
from ctl.ingest import parquet_child
from ctl.ingest.guard import decoding
from ctl.ingest.source import PARQUET_MAGIC, RawFile

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pl.DataFrame | pl.LazyFrame | pd.DataFrame

_DEEPEST: Final = 16
_TIMEOUT_SECONDS: Final = 300
_SMALLEST_PARQUET: Final = 12
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = "%Y-%m-%dT%H:%M:%S%.9f"


def is_frame(value: object) -> TypeGuard[Frame]:
    """Whether `value` is a frame of polars or pandas; neither is imported to tell."""
    kind = type(value)
    return kind.__name__ in ("DataFrame", "LazyFrame") and kind.__module__.partition(".")[0] in {"polars", "pandas"}


def of_caller(frame: Any, name: str = "frame") -> tuple[RawFile, pl.DataFrame]:
    """A polars or pandas frame as text, and what stands for its file: the sha256 is that of the text.

    An index of pandas that is more than row numbers becomes columns. Raises InputError for another type.
    """
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, pl.DataFrame):
        if type(frame).__module__.partition(".")[0] != "pandas" or not hasattr(frame, "columns"):
            found = f"{type(frame).__module__}.{type(frame).__name__}"
            raise InputError("neither a file nor a frame", found=found, expected="a path, a polars or pandas DataFrame")
        frame = _of_pandas(frame)
    cells = as_text(frame, name)
    data = cells.write_csv().encode()
    return RawFile(Path(name), b"", hashlib.sha256(data).hexdigest(), len(data)), cells


def _of_pandas(frame: pd.DataFrame) -> pl.DataFrame:
    """The columns of a pandas frame, its index before them; missing values are null."""
    if frame.columns.nlevels > 1:  # a download of one symbol names it on a level of its own
        kept = [level for level in range(frame.columns.nlevels) if len(frame.columns.unique(level)) > 1]
        if len(kept) != 1:
            raise InputError("several symbols in one frame", found=str(list(frame.columns)[:4]), expected="one series")
        frame = frame.set_axis(frame.columns.get_level_values(kept[0]), axis=1)
    if frame.index.nlevels > 1 or frame.index.dtype.kind not in "iu":
        frame = (
            frame.rename_axis(frame.index.name or "Date").reset_index()
            if frame.index.nlevels == 1
            else frame.reset_index()
        )
    columns = []
    for at, name in enumerate(frame.columns):
        column = frame.iloc[:, at]
        kind = column.dtype.kind
        zone = getattr(column.dtype, "tz", None)
        values: Any
        if zone is not None:
            values = [
                None if each is None else each.isoformat() for each in column.astype(object).where(column.notna(), None)
            ]
        elif kind == "M":
            values = column.to_numpy().astype("datetime64[ns]")
        elif kind in "iufb" and isinstance(column.dtype, np.dtype):
            values = column.to_numpy()
        else:
            values = [str(each) if known else None for each, known in zip(column, column.notna(), strict=True)]
        columns.append(pl.Series(str(name) if name is not None else "", values, nan_to_null=kind == "f"))
    names = [column.name for column in columns]
    unique = [name if names.count(name) == 1 else f"{name} ({at})" for at, name in enumerate(names, start=1)]
    return pl.DataFrame([column.alias(name) for column, name in zip(columns, unique, strict=True)])


def of_parquet(file: RawFile) -> pl.DataFrame:
    """The columns of a Parquet file as text. Raises InputError where it cannot be decoded."""
    if len(file.data) < _SMALLEST_PARQUET or not file.data.endswith(PARQUET_MAGIC):
        raise InputError("damaged content: truncated", where=file.name, expected="a Parquet file")
    try:
        child = subprocess.run(  # noqa: S603 - our own module, no shell
            [sys.executable, "-I", parquet_child.__file__],
            input=file.data,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
            env={**os.environ, "POLARS_MAX_THREADS": "1", "RUST_BACKTRACE": "0"},
        )
    except subprocess.TimeoutExpired as error:
        raise InputError("damaged content: decoding does not end", where=file.name) from error
    if child.returncode != 0:
        said = child.stderr.decode("utf-8", "replace").strip().split("\n")
        reason = said[-1][:200] if child.returncode == parquet_child.REFUSED else "a decoder that gave up"
        raise InputError("damaged content", where=file.name, found=reason, expected="a Parquet file")
    return as_text(pl.read_ipc(child.stdout), file.name)


def of_json(text: bytes, name: str) -> pl.DataFrame:
    """JSON as text cells: one object per line, or one list of them; objects within them become columns.

    Of one object that holds a list of objects, or objects by date, as an API answers, those are the rows.
    Raises InputError for what is neither, and for values nested deeper than a table's.
    """
    buffer = np.frombuffer(text, dtype=np.uint8)
    opened = np.isin(buffer, np.frombuffer(b"[{", dtype=np.uint8)).astype(np.int64)
    depth = np.cumsum(opened - np.isin(buffer, np.frombuffer(b"]}", dtype=np.uint8)))
    if int(depth.max()) > _DEEPEST:
        raise InputError("no table: values nested too deeply", where=name, expected="one object per bar")
    first = text.strip().split(b"\n", 1)[0].rstrip()
    listed = not (first.startswith(b"{") and first.endswith(b"}"))
    try:
        with decoding(name):
            read = pl.read_json if listed else pl.read_ndjson
            frame = read(text, infer_schema_length=None)
            frame = _rows_within(frame) if frame.height == 1 else frame
    except InputError as error:
        raise InputError(
            "no table in JSON", where=name, found=_first_fault(text, listed=listed),
            expected="one object per line, or a list of objects, a value that is missing null",
        ) from error  # fmt: skip
    with decoding(name):
        structs = [column for column, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
        return as_text(frame.unnest(structs), name)


def _rows_within(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that the values of one object hold, each with the object's own plain values; the object where none."""
    for column in frame:
        dtype = column.dtype
        if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
            return frame.explode(column.name)
        if isinstance(dtype, pl.Struct) and all(
            isinstance(each.dtype, pl.Struct) and _DAY.match(each.name) for each in dtype.fields
        ):
            inner = column.struct.unnest()
            return pl.concat(
                [part.struct.unnest().insert_column(0, pl.Series("date", [part.name])) for part in inner],
                how="diagonal_relaxed",
            ).sort("date")
    return frame


def _first_fault(text: bytes, *, listed: bool) -> str | None:
    """What is no JSON first; None where Python's reader takes it all."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant}, which is no JSON")

    for number, line in enumerate([text] if listed else text.split(b"\n"), start=1):
        try:
            json.loads(line or b"null", parse_constant=refuse)
        except json.JSONDecodeError as error:
            return f"line {number + error.lineno - 1}, column {error.colno}: {error.msg}"
        except ValueError as error:
            return str(error)
    return None


def as_text(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Every column as text, null where it is null: dates and instants as ISO 8601, numbers exactly; lists are left out.

    Instants without a zone that are all midnights are dates.
    """
    cells = []
    for column in frame:
        dtype = column.dtype
        if dtype.is_nested() or dtype == pl.Binary:
            continue
        with decoding(name):
            if isinstance(dtype, pl.Datetime):
                days = column.dt.replace_time_zone(None).dt.date()
                if dtype.time_zone is not None:
                    column = column.dt.strftime(f"{_INSTANT}%:z")  # noqa: PLW2901
                elif (days.cast(dtype) == column).all():
                    column = days.cast(pl.String)  # noqa: PLW2901
                else:
                    column = column.dt.strftime(_INSTANT)  # noqa: PLW2901
            cells.append(column.cast(pl.String))
    return pl.DataFrame(cells)
