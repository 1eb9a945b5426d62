"""Frames of polars or pandas, as the plain CSV that they would be written to: one reader, one set of checks.

Columns as in plain files: contracts `session,contract,open,high,low,close,volume[,open_interest]`, series
`session,open,high,low,close,volume[,adjustment]`. In pandas the sessions may be the index, and NaN is missing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard

from ctl.errors import InputError
from ctl.ingest.source import RawFile

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    Frame: TypeAlias = pl.DataFrame | pd.DataFrame

NAME: Final = "frame"
_COUNTS: Final = ("volume", "open_interest")


def is_frame(value: object) -> TypeGuard[Frame]:
    """Whether `value` is a frame of polars or pandas; neither is imported to tell."""
    kind = type(value)
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] in {"polars", "pandas"}


def as_file(frame: Frame) -> RawFile:
    """A frame as a CSV file named `frame`. Raises InputError naming column, type found and type expected."""
    import polars as pl

    rows = frame if isinstance(frame, pl.DataFrame) else _from_pandas(frame)
    data = pl.DataFrame([_written(column) for column in rows]).write_csv().encode()
    return RawFile(Path(NAME), data, hashlib.sha256(data).hexdigest(), len(data))


def _written(column: pl.Series) -> pl.Series:
    """A column as its cells are written: sessions as days, whole counts without a decimal point."""
    import polars as pl

    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        days = column.dt.date()
        if kind.time_zone is not None or (column != days.cast(kind)).any():
            raise _unfit(column, "days: dates, or datetimes at midnight without a zone")
        return days
    if column.name in _COUNTS and kind.is_float() and (column.drop_nulls().drop_nans() % 1 == 0).all():
        return column.cast(pl.Int64, strict=False) if not column.is_nan().any() else column
    if not (kind.is_numeric() or kind in (pl.String, pl.Categorical, pl.Date, pl.Null) or isinstance(kind, pl.Enum)):
        raise _unfit(column, "text, numbers or dates")
    return column


def _from_pandas(frame: Any) -> pl.DataFrame:
    """A pandas frame in polars, without Arrow between them; NaN and NaT become null."""
    import numpy as np
    import pandas as pd
    import polars as pl

    if "session" not in frame.columns and "Session" not in frame.columns:
        days = isinstance(frame.index, pd.DatetimeIndex)
        frame = frame.rename_axis("session").reset_index() if days else frame.reset_index()
    columns = []
    for at, name in enumerate(frame.columns):
        held = frame.iloc[:, at]
        if isinstance(held.dtype, pd.DatetimeTZDtype):
            raise _unfit(pl.Series(str(name), held.to_list()), "days: dates, or datetimes at midnight without a zone")
        if isinstance(held.dtype, np.dtype) and held.dtype.kind in "iufM":
            values = held.to_numpy()
            column = pl.Series(str(name), values.astype("M8[us]") if held.dtype.kind == "M" else values)
        else:
            cells = [None if pd.isna(cell) else cell for cell in held.astype(object)]
            column = pl.Series(str(name), cells, strict=False)
        columns.append(column.fill_nan(None) if column.dtype.is_float() else column)
    return pl.DataFrame(columns)


def _unfit(column: pl.Series, expected: str) -> InputError:
    return InputError(f"column {column.name!r}: wrong type", where=NAME, found=str(column.dtype), expected=expected)
