"""ctl's own plain tables, as CSV or Parquet.

contracts: `session,contract,open,high,low,close,volume[,open_interest][,last_trade][,first_notice]`; open, high, low
empty where only settlements are known. series: `session,open,high,low,close,volume[,open_interest][,adjustment]
[,contract]`. Their bases are not in the file: exchange sessions and settlements are assumed, and the series says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from ctl.errors import InputError
from ctl.ingest import parquet_child, terms
from ctl.ingest.guard import decoding
from ctl.ingest.rows import PRICES, FileBars
from ctl.ingest.source import PARQUET_MAGIC
from ctl.ingest.symbols import coded
from ctl.ingest.table import Table, parse, require_columns
from ctl.ingest.vendor import of_symbol

if TYPE_CHECKING:
    from ctl.ingest.source import RawFile
    from ctl.ingest.vendor import Opened, Wanted

FORMAT: Final = "plain"
ASSUMED: Final = "bases are not stated in plain files: exchange_session and settlement assumed"
_REQUIRED: Final = ("session", *PRICES, "volume")
_KNOWN: Final = (*_REQUIRED, "open_interest", "contract", "adjustment", "close_unadjusted", *terms.COLUMNS)


def recognises(file: Opened) -> bool:
    """Parquet, and a header with a `session` column, in capitals or not."""
    return file.raw.starts_with(PARQUET_MAGIC) or any(name.lower() == "session" for name in file.columns)


find_files: Final = of_symbol


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Bars of a plain table. Raises InputError as `Table` does, and for a missing column."""
    as_series = wanted.as_series
    required = _REQUIRED if as_series else (*_REQUIRED[:1], "contract", *_REQUIRED[1:])
    if file.raw.starts_with(PARQUET_MAGIC):
        table = parquet_table(file.raw)
        require_columns(table.file, table.columns, required)
    else:
        lower = tuple(name.lower() for name in file.columns)
        table = parse(file.raw, file.text, required=required, names=lower)
    symbols: tuple[str, ...] = ()
    codes = None
    if "contract" in table.columns and not (as_series and table.text("contract").is_null().all()):
        symbols, codes = coded(table, "contract", contracts=True)
    prices = {name: table.floats(name, nullable=name != "close" or not as_series) for name in PRICES}
    interest = table.integers("open_interest") if "open_interest" in table.columns else None
    day = table.days("session", "%Y-%m-%d")
    rows = table.rows(day, prices, table.integers("volume"), interest, symbols, codes)
    adjustment = table.floats("adjustment") if as_series and "adjustment" in table.columns else None
    ignored = [name for name in table.columns if name not in _KNOWN]
    notes = (ASSUMED, *([f"columns not used: {', '.join(ignored)[:200]}"] if ignored else []))
    held = codes if as_series else None
    stated = {str(name): name for name in terms.COLUMNS if name in table.columns}
    return FileBars(
        table.file, rows, FORMAT, "exchange_session", "settlement", notes=notes, contract=held, adjustment=adjustment,
        terms={} if as_series or codes is None else terms.stated_in_columns(table, stated, "%Y-%m-%d", symbols, codes),
    )  # fmt: skip


def parquet_table(file: RawFile) -> Table:
    """A Parquet file of the canonical schema, as a table of text: it is held to the same rules as CSV.

    Raises InputError for damage, for types other than the canonical ones, and for NaN.
    """
    frame = parquet_child.decode(file, _KNOWN)
    cells: list[pl.Series] = []
    for column in frame:
        name, dtype = column.name, column.dtype
        if name == "session" or name in terms.COLUMNS:
            fits, expected = dtype == pl.Date or (dtype == pl.Null and name != "session"), "Date"
        elif name == "contract":
            fits, expected = dtype in (pl.String, pl.Categorical, pl.Null), "String"
        else:
            fits, expected = dtype.is_numeric() or dtype == pl.Null, "a number"
        if not fits:
            raise InputError(f"column {name!r}: wrong type", where=file.name, found=str(dtype), expected=expected)
        with decoding(file.name):
            cells.append(column.cast(pl.String))
    if not cells or not frame.height:
        raise InputError(
            "no data rows of ctl's schema", where=file.name, found=", ".join(frame.columns)[:200] or "no columns",
            expected=", ".join(_REQUIRED),
        )  # fmt: skip
    return Table(file, tuple(column.name for column in cells), pl.DataFrame(cells), first_line=1)
