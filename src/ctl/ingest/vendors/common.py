"""Common CSV of anybody: a header whose columns mean date, prices and volume is read without a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.errors import InputError
from ctl.ingest import headers, mapping
from ctl.ingest.vendor import of_symbol
from ctl.model.csv_mapping import CsvMapping

if TYPE_CHECKING:
    from ctl.ingest.rows import FileBars
    from ctl.ingest.vendor import Opened, Wanted
    from ctl.model.bars import AdjustmentBasis

FORMAT: Final = "common"
_TRADESTATION: Final = ("date", "time", "open", "high", "low", "close")


def recognises(file: Opened) -> bool:
    """By columns that mean a date and a close."""
    return headers.find(file) is not None


def read(file: Opened, wanted: Wanted) -> FileBars:
    """Bars through the mapping that the header and the cells make; what it assumes is said."""
    return mapping.read_through(file, proposed(file), wanted)


def proposed(file: Opened) -> CsvMapping:
    """The mapping that a file's header makes, its cells to be looked at. Raises InputError for an unknown header."""
    header = headers.find(file)
    if header is None:
        raise InputError("row 1: no known header", where=file.raw.name, found=repr(", ".join(file.columns)[:120]))
    named = tuple(headers.plain(name) for name in header.names)
    vendor = "tradestation" if named[:6] == _TRADESTATION and {"vol", "oi"} >= set(named[6:]) else "csv"
    settled = header.settled or vendor == "tradestation"
    basis, assumed = _adjustment(header.adjusted, named)
    return CsvMapping.model_construct(
        name=vendor,
        columns=header.columns,
        vendor=vendor,
        separator=header.separator,
        header_lines=header.lines,
        adjustment_basis=basis,
        detect=True,
        assumed=("exchange sessions", *(() if settled else ("settlement",)), *assumed),
    )


def _adjustment(adjusted: bool, named: tuple[str, ...]) -> tuple[AdjustmentBasis | None, tuple[str, ...]]:
    """On which basis the prices of an equity stand, told by the columns beside them, and what of it is assumed."""
    if adjusted:
        return "total_return", ("prices with dividends",)
    if any(name in named for name in ("splitratio", "splitfactor", "splitcoefficient", "stocksplits")):
        return "raw", ("raw prices",)
    if "adjclose" in named:  # Yahoo's close is adjusted for splits, its adjusted close for dividends too
        return "split_adjusted", ("split-adjusted prices",)
    return None, ()


find_files: Final = of_symbol
