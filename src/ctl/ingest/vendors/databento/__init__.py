"""Databento: DBN, CSV, JSON and Parquet of `ohlcv-1d`, `ohlcv-1h`, `ohlcv-1m`, `statistics`; DBN of `definition`.

Bars of UTC days that close at the last trade. One file per contract, per day or per parent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.errors import InputError
from ctl.ingest import source
from ctl.ingest.rows import OtherSchema
from ctl.ingest.vendor import of_symbol
from ctl.ingest.vendors.databento import text

if TYPE_CHECKING:
    from ctl.ingest.rows import FileBars
    from ctl.ingest.table import Table
    from ctl.ingest.vendor import Opened, Wanted

FORMAT: Final = "databento"


def recognises(file: Opened) -> bool:
    """DBN by its first bytes, the others by their columns; also the symbology file that comes beside a download."""
    return is_dbn(file) or text.recognises(file.columns) or text.is_symbology(file.columns)


def is_dbn(file: Opened) -> bool:
    """Whether a file is Databento Binary Encoding."""
    return file.raw.starts_with(source.DBN_MAGIC)


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Daily bars, or the terms of a `definition` file. Raises OtherSchema for records that are neither."""
    symbol = wanted.symbol if wanted.as_series else None
    if is_dbn(file):
        from ctl.ingest.vendors.databento import dbn

        return dbn.read(file.raw, symbol=symbol, publisher=wanted.publisher, outrights=not wanted.as_series)
    if wanted.as_series and symbol is None and "symbol" not in file.columns:
        symbol = file.raw.stem
    return text.read(cells(file, "ohlcv-1d", text.REQUIRED), symbol=symbol, publisher=wanted.publisher)


def cells(file: Opened, schema: str, required: tuple[str, ...] = ()) -> Table:
    """A Databento CSV as a table. Raises OtherSchema for symbology, InputError for what is not Databento's."""
    if text.is_symbology(file.columns):
        raise OtherSchema("no records", where=file.raw.name, found="symbology", expected=schema)
    if not text.recognises(file.columns):
        found = ", ".join(file.columns)[:120]
        raise InputError("no Databento file", where=file.raw.name, found=found, expected="DBN or CSV")
    return file.table(required)


find_files: Final = of_symbol
