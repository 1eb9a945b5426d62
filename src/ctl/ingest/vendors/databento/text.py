"""Databento `ohlcv-1d` as CSV.

One file per contract, per day or per parent. Prices are decimals or integers of 1e-9, `ts_event` is ISO-8601 or
nanoseconds since 1970: both are told from the cells. Symbols come from the `symbol` column, else from the file's
name where that is an outright (`ESH5.csv`); instrument_id is not a key, it is unique only within a day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl.errors import InputError
from ctl.ingest.rows import FileBars, OtherSchema
from ctl.ingest.symbols import coded, meant
from ctl.ingest.table import require_columns
from ctl.ingest.vendors.databento.publishers import choose_publisher
from ctl.model.bars import PRICES
from ctl.model.contracts import parse_symbol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ctl.ingest.table import Table

VENDOR: Final = "databento"
RTYPE_1D: Final = 35
UNIT: Final = 1e9
NANOSECONDS_PER_DAY: Final = 86_400_000_000_000
INT64_MAX: Final = 2**63 - 1
REQUIRED: Final = ("ts_event", "rtype", "publisher_id", "instrument_id", *PRICES, "volume")
_NULL_PRICES: Final = (str(INT64_MAX), "9223372036.854775807", "9223372036.854775")

_NO_INSTANT: Final = str(2**64 - 1)
_FIXED_FROM: Final = 1_000_000
"""Where no price has a decimal point: 1e-9 units from this size on (a price of 0.001), else plain numbers."""


_SYMBOLOGY: Final = {"raw_symbol", "instrument_id", "date"}


def recognises(columns: tuple[str, ...]) -> bool:
    """Whether a header is Databento's."""
    return "ts_event" in columns and "rtype" in columns


def is_symbology(columns: tuple[str, ...]) -> bool:
    """Whether a header is that of the symbology file which comes beside a download."""
    return set(columns) == _SYMBOLOGY


def read(table: Table, *, symbol: str | None = None, publisher: int | None = None) -> FileBars:
    """Bars of a Databento CSV; with `symbol`, of that symbol only.

    Raises InputError as `Table` does, and for a missing column, another rtype, a bar that does not start a UTC day,
    several publishers of one (session, symbol), and an unknown symbol.
    """
    require_columns(table.file, table.columns, REQUIRED)
    rtype = table.integers("rtype", nullable=False).values
    other = np.flatnonzero(rtype != RTYPE_1D)
    if len(other):
        table.fail(int(other[0]), "rtype", "not a daily bar", expected=f"{RTYPE_1D} (ohlcv-1d)")
    day = _days(table)
    publishers = table.integers("publisher_id", nullable=False).values
    table.integers("instrument_id", nullable=False)
    symbols, codes = symbols_of(table, symbol)
    prices = prices_of(table, PRICES)
    volume = table.integers("volume")
    rows = replace(table.rows(day, prices, volume, symbols=symbols, codes=codes), line=table.lines())
    counts: dict[str, int] = {}
    if symbol is not None:
        named = meant(symbols, symbol)
        if named is None:
            raise InputError(
                f"no bars of {symbol}", where=table.file.name, found=", ".join(symbols[:8]), expected=symbol
            )
        keep = codes == symbols.index(named)
        rows, publishers = rows.take(keep), publishers[keep]
        if not keep.all():
            counts["other_symbols_dropped"] = int(np.count_nonzero(~keep))
    kept = choose_publisher(symbols, rows.day, rows.symbol, publishers, publisher, table.file.name, counts)
    if kept is not None:
        rows = rows.take(kept)
    return FileBars(table.file, rows, VENDOR, "utc_day", "last_trade", counts=counts)


def symbols_of(table: Table, symbol: str | None = None) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Symbols and the number of each row's: from their column, else all of the symbol that the file is named after."""
    if "symbol" in table.columns:
        return coded(table, "symbol")
    # `ESH5.csv`, or split by symbol: `glbx-mdp3-20250101-20250131.ohlcv-1d.ESH5.csv.zst`
    outrights = [part for part in table.file.stem.split(".") if parse_symbol(part)]
    name = symbol if symbol is not None else (outrights[0] if len(outrights) == 1 else None)
    if name is None:
        raise InputError(
            "row 1: column 'symbol' is missing and the file's name is no contract",
            where=table.file.name,
            expected="a symbol column, or a name like ESH5.csv",
            remedy="export with map_symbols",
        )
    return (name,), np.zeros(len(table), dtype=np.int32)


def _days(table: Table) -> NDArray[np.int32]:
    expected = "the start of a UTC day, as 2020-12-28T00:00:00Z or nanoseconds since 1970"
    cells = table.text("ts_event")
    if cells.null_count():
        table.fail(int(cells.is_null().arg_max() or 0), "ts_event", "empty", expected=expected)
    if str(cells[0]).isdigit():
        moments = table.integers("ts_event", nullable=False, maximum=None).values
        day = moments // NANOSECONDS_PER_DAY
        late = np.flatnonzero(moments != day * NANOSECONDS_PER_DAY)
        if len(late):
            table.fail(int(late[0]), "ts_event", "a bar that does not start a UTC day", expected=expected)
        table.require_plausible("ts_event", day)
        return day.astype(np.int32)
    starts = np.flatnonzero((cells != cells.shift(1)).fill_null(value=True).to_numpy())  # one day's bars follow
    text = pl.first()
    checked = (
        cells.gather(starts)
        .to_frame()
        .select(
            text.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]00:00:00(\.0{1,9})?(Z|\+00:00)$").alias("midnight"),
            text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias("day"),
        )
    )
    midnight, dates = checked.get_columns()
    if not midnight.all():
        at = int(starts[(~midnight).arg_max() or 0])
        table.fail(at, "ts_event", "not the start of a UTC day", expected=expected)
    if dates.null_count():
        table.fail(int(starts[dates.is_null().arg_max() or 0]), "ts_event", "not a date", expected=expected)
    days: NDArray[np.int32] = np.repeat(dates.to_physical().to_numpy(), np.diff(starts, append=len(cells)))
    table.require_plausible("ts_event", days)
    return days


def instants(table: Table, column: str) -> NDArray[np.int64]:
    """Nanoseconds since 1970, written as such or as `2020-12-28T01:09:29.471598612Z`; INT64_MAX where there is none."""
    cells = table.text(column)
    if cells.null_count():
        cells = cells.fill_null(_NO_INSTANT)
    absent = cells == _NO_INSTANT
    stated = cells.filter(~absent)
    if not len(stated) or str(stated[0]).isdigit():
        moments = cells.set(absent, str(INT64_MAX)).cast(pl.Int64, strict=False)
        expected = "nanoseconds since 1970"
    else:
        text = cells.str.replace(" ", "T", literal=True).str.replace(r"\+00:00$", "Z")
        times = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns", strict=False)
        moments = times.cast(pl.Int64).set(absent, INT64_MAX)
        expected = "a time as 2020-12-28T01:09:29.471598612Z"
    if moments.null_count():
        table.fail(int(moments.is_null().arg_max() or 0), column, "not an instant", expected=expected)
    if int(moments.min() or 0) < 0:  # type: ignore[arg-type]
        table.fail(int(moments.arg_min() or 0), column, "before 1970", expected=expected)
    return moments.to_numpy()


def of_one_rtype(table: Table, rtypes: Mapping[int, str]) -> str:
    """Which of some schemas the rows are, told by their rtype. Raises OtherSchema for another, InputError for two."""
    rtype = table.integers("rtype", nullable=False).values
    expected = " or ".join(rtypes.values())
    if int(rtype[0]) not in rtypes:
        raise OtherSchema("another schema", where=table.file.name, found=f"rtype {rtype[0]}", expected=expected)
    other = np.flatnonzero(rtype != rtype[0])
    if len(other):
        table.fail(int(other[0]), "rtype", "records of two schemas", expected=str(rtype[0]))
    return rtypes[int(rtype[0])]


def prices_of(table: Table, columns: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Prices in quote units, NaN where null; all columns together tell whether they are decimals or 1e-9 units."""
    units: dict[str, NDArray[np.int64]] = {}
    for name in columns:
        cells = table.text(name)
        whole = cells.cast(pl.Int64, strict=False)
        if whole.null_count() != cells.null_count():
            break
        units[name] = (whole.fill_null(INT64_MAX) if whole.null_count() else whole).to_numpy()
    else:
        if any(((values != INT64_MAX) & (np.abs(values) >= _FIXED_FROM)).any() for values in units.values()):
            return {name: np.where(values == INT64_MAX, np.nan, values / UNIT) for name, values in units.items()}
    return {name: _decimals(table, name) for name in columns}


def _decimals(table: Table, name: str) -> NDArray[np.float64]:
    values = table.floats(name, nullable=True, most=INT64_MAX)  # which stands for null
    with np.errstate(invalid="ignore"):
        huge = np.abs(values) >= _FIXED_FROM
    if huge.any():
        cells = table.text(name)
        null = cells.is_in(_NULL_PRICES).fill_null(value=False).to_numpy()
        whole = huge & ~null & ~cells.str.contains(".", literal=True).fill_null(value=False).to_numpy()
        if whole.any():
            table.fail(int(whole.argmax()), name, "two notations in one file", expected="a decimal, as in other rows")
        return np.where(null, np.nan, values)
    return values
