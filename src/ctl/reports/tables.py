"""Tables as files that other programs open: CSV, Parquet, Excel."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl.errors import DataError, UsageError

if TYPE_CHECKING:
    import polars as pl

FORMATS: Final = (".csv", ".parquet", ".xlsx")
_PRICES: Final = (
    "price", "entry_price", "exit_price", "stop_price", "stop", "entry_raw_price", "exit_raw_price", "tp1", "tp2",
    "tp3", "tp1_fill", "tp2_fill", "tp3_fill", "no_buy_below", "full_size_up_to", "no_buy_above", "adjusted_price",
    "adjusted_stop", "canonical_gap", "reference_gap", "gap_diff", "canonical_close", "reference_close",
)  # fmt: skip
_DIGITS: Final = 6  # of every other number
_SHEET_NAME: Final = 31  # letters that Excel allows
_BOOK: Final = {
    "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip


def require_format(path: Path) -> str:
    """The ending of a table's file, lower case. Raises UsageError for one that is no table."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise UsageError("--table names no kind of table", found=path.name, expected=f"a name ending in {_listed()}")
    return ending


@dataclass(frozen=True, slots=True)
class Priced:
    """A table, and the tick of its prices, or the name of the column with each row's; None where there is none."""

    frame: pl.DataFrame
    tick: float | str | None


def files(path: Path, frames: Mapping[str, Priced]) -> dict[Path, bytes]:
    """The files of some tables by name: prices on the tick grid, other numbers to six digits, dates as dates.

    An .xlsx holds all of them, a sheet each. Of the other kinds `path` is the file of a single table; several stand
    beside it, `NAME_<table>.csv`. Raises DataError where Excel is asked for and its writer is not installed.
    """
    ending = require_format(path)
    rounded = {name: on_ticks(table.frame, table.tick) for name, table in frames.items()}
    if ending == ".xlsx":
        return {path: workbook(rounded)}
    if len(rounded) == 1:
        (only,) = rounded.values()
        return {path: _bytes(only, ending)}
    return {path.with_name(f"{path.stem}_{name}{ending}"): _bytes(frame, ending) for name, frame in rounded.items()}


def on_ticks(frame: pl.DataFrame, tick: float | str | None) -> pl.DataFrame:
    """Prices rounded to the nearest tick, where that is known; every other number to six digits."""
    import polars as pl

    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    prices = [name for name in floats if name in _PRICES] if tick else []
    step = pl.col(tick) if isinstance(tick, str) else tick
    return frame.with_columns(
        *(((pl.col(name) / step).round() * step).round(10) for name in prices),
        *(pl.col(name).round(_DIGITS) for name in floats if name not in prices),
    )


def workbook(frames: Mapping[str, pl.DataFrame]) -> bytes:
    """An Excel file with a sheet per table, the same for the same tables. Text stays text, whatever it begins with."""
    try:
        import xlsxwriter
    except ModuleNotFoundError as error:
        raise DataError(
            "no Excel writer is installed", remedy="pip install 'ctl-cutover[excel]', or name a .csv or .parquet",
            code="EXTRA_MISSING",
        ) from error  # fmt: skip
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, _BOOK)
    book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)})
    bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    for name, frame in frames.items():
        sheet = book.add_worksheet(name[:_SHEET_NAME])
        sheet.freeze_panes(1, 1)
        sheet.write_row(0, 0, frame.columns, bold)
        for column, values in enumerate(frame.iter_columns()):
            sheet.set_column(column, column, max(8, min(24, len(values.name) + 1)))
            for row, value in enumerate(values.to_list(), start=1):
                _write(sheet, row, column, value, day)
        sheet.autofilter(0, 0, max(frame.height, 1), max(frame.width - 1, 0))
    book.close()
    return buffer.getvalue()


def _write(sheet: Any, row: int, column: int, value: Any, day: Any) -> None:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)):
        sheet.write_number(row, column, value)
    elif hasattr(value, "isoformat"):
        sheet.write_datetime(row, column, value, day)
    else:
        sheet.write_string(row, column, str(value))


def _bytes(frame: pl.DataFrame, ending: str) -> bytes:
    buffer = io.BytesIO()
    if ending == ".csv":
        frame.write_csv(buffer)
    else:
        frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _listed() -> str:
    return f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
