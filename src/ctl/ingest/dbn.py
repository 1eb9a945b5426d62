"""Databento Binary Encoding: daily bars (`ohlcv-1d`) and contract terms (`definition`), and how any schema is laid out.

The vendor's decoder reads the metadata and states the record layouts; records of one kind have one size, so
numpy views them where they lie. Symbols come from the metadata's dated mappings: an instrument_id names another
instrument on another day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import databento_dbn
import numpy as np

from ctl.errors import InputError
from ctl.ingest.databento_csv import INT64_MAX, NANOSECONDS_PER_DAY, RTYPE_1D, UNIT, VENDOR
from ctl.ingest.guard import decoding
from ctl.ingest.publishers import choose_publisher
from ctl.ingest.rows import FileBars, OtherSchema, Rows, as_date, no_rows
from ctl.ingest.symbols import is_symbol, meant
from ctl.ingest.table import MAX_COUNT
from ctl.model.bars import ContractTerms
from ctl.model.contracts import parse_symbol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.source import RawFile

VERSIONS: Final = (1, 2, 3)
_PREFIX: Final = 8
_RTYPE_DEFINITION: Final = 19
_LENGTH_UNIT: Final = 4
_UINT64_MAX: Final = 2**64 - 1
_DIRECT_LOOKUP: Final = 1 << 24
_EPOCH: Final = date(1970, 1, 1)
_LAST_DAY: Final = 84_005


@dataclass(frozen=True, slots=True)
class Intervals:
    """Dated mappings: on days [first, end) instrument `ident` is symbol number `symbol`. Sorted by (ident, first)."""

    ident: NDArray[np.int64]
    first: NDArray[np.int64]
    end: NDArray[np.int64]
    symbol: NDArray[np.int32]


def read(file: RawFile, *, symbol: str | None = None, publisher: int | None = None) -> FileBars:
    """Bars of an `ohlcv-1d` file, or the terms of a `definition` file.

    Raises InputError: another version or schema, metadata that do not decode, a body that is no whole number of
    records, a record of another length or kind, a bar that does not start a UTC day or lies outside the file's
    stated period, an instrument without a mapping on its day, several publishers of one (session, symbol).
    """
    version, body, metadata = metadata_of(file)
    schema = str(metadata.schema) if metadata.schema is not None else "none stated"
    if schema == "definition":
        return _definitions(file, version, body, metadata)
    if schema != "ohlcv-1d":
        raise OtherSchema("another schema", where=file.name, found=schema, expected="ohlcv-1d or definition")
    records = records_of(file, body, databento_dbn.OHLCVMsg._dtypes, RTYPE_1D, bool(metadata.ts_out))
    day = _days(file, records["ts_event"], metadata)
    symbols, intervals = mappings_of(file, metadata)
    code = symbol_at(file, intervals, records["instrument_id"], day)
    volume = records["volume"]
    if len(volume) and int(volume.max()) > MAX_COUNT:
        raise InputError(
            f"record {int(volume.argmax()) + 1}: implausible volume",
            where=file.name,
            found=str(int(volume.max())),
            expected=f"at most {MAX_COUNT}",
        )
    rows = Rows(
        symbols,
        day,
        code,
        open=prices_of(records["open"]),
        high=prices_of(records["high"]),
        low=prices_of(records["low"]),
        close=prices_of(records["close"]),
        volume=volume.astype(np.int64),
        volume_null=None,
        open_interest=None,
        open_interest_null=None,
    )
    publishers = records["publisher_id"]
    counts: dict[str, int] = {}
    if symbol is not None:
        named = meant(symbols, symbol)
        keep = np.zeros(len(rows), dtype=np.bool_) if named is None else code == symbols.index(named)
        if not keep.any():
            raise InputError(
                f"no bars of {symbol}", where=file.name, found=", ".join(symbols[:8]) or "none", expected=symbol
            )
        if not keep.all():
            counts["other_symbols_dropped"] = int(np.count_nonzero(~keep))
            rows, publishers = rows.take(keep), publishers[keep]
    rows = choose_publisher(rows, publishers, publisher, file.name, counts)
    return FileBars(
        file, rows, VENDOR, "utc_day", "last_trade", counts=counts, notes=vendor_notes(file, metadata, len(day))
    )


def vendor_notes(file: RawFile, metadata: Any, records: int) -> tuple[str, ...]:
    """What the vendor says that the file lacks."""
    notes: list[str] = []
    if metadata.limit and records >= int(metadata.limit):
        notes.append(f"{file.name}: the download ended at its limit of {metadata.limit} records")
    for what, symbols in (("not found", metadata.not_found), ("found on some days only", metadata.partial)):
        if symbols:
            named = ", ".join(repr(symbol)[1:-1] for symbol in symbols[:8])
            notes.append(f"{file.name}: symbols {what}: {named}{', ...' if len(symbols) > 8 else ''}")
    return tuple(notes)


def metadata_of(file: RawFile) -> tuple[int, memoryview, Any]:
    """Version, records and metadata of a DBN file. Raises InputError for another version and for damage."""
    data = file.data
    if len(data) < _PREFIX:
        raise InputError("truncated DBN", where=file.name, found=f"{len(data)} bytes", expected="a header")
    version = data[3]
    if version not in VERSIONS:
        raise InputError("another DBN version", where=file.name, found=str(version), expected="1, 2 or 3")
    length = int.from_bytes(data[4:_PREFIX], "little")
    end = _PREFIX + length
    if end > len(data):
        raise InputError(
            "truncated DBN: the metadata are incomplete", where=file.name, found=f"{len(data)} bytes",
            expected=f"at least {end}",
        )  # fmt: skip
    with decoding(file.name):
        metadata = databento_dbn.Metadata.decode(data[:end])
        _ = (metadata.schema, metadata.mappings, metadata.start, metadata.end, metadata.ts_out)
        _ = (metadata.limit, metadata.not_found, metadata.partial)
    return version, memoryview(data)[end:], metadata


def records_of(
    file: RawFile, body: memoryview, fields: list[tuple[str, str]], rtype: int, with_ts_out: bool
) -> NDArray[np.void]:
    """The records where they lie, after every one's length and kind are checked."""
    layout = np.dtype([*fields, ("ts_out", "u8")] if with_ts_out else fields)
    whole, rest = divmod(len(body), layout.itemsize)
    if rest:
        raise InputError(
            "truncated DBN, or bytes after the last record",
            where=file.name,
            found=f"{whole} records and {rest} bytes",
            expected=f"records of {layout.itemsize} bytes",
        )
    if not whole:
        raise InputError("no records", where=file.name, expected="at least one record")
    records = np.frombuffer(body, dtype=layout)
    for name, value in (("length", layout.itemsize // _LENGTH_UNIT), ("rtype", rtype)):
        wrong = records[name] != value
        if wrong.any():
            at = int(wrong.argmax())
            raise InputError(
                f"record {at + 1}: damaged, its {name} is wrong",
                where=file.name,
                found=str(int(records[name][at])),
                expected=str(value),
            )
    return records


def _days(file: RawFile, moments: NDArray[np.uint64], metadata: Any) -> NDArray[np.int32]:
    """The UTC days that daily bars start, within the period that the file states."""
    if int(moments.max()) > INT64_MAX:
        raise InputError(f"record {int(moments.argmax()) + 1}: no ts_event", where=file.name, expected="a UTC day")
    start = moments.astype(np.int64)
    day = start // NANOSECONDS_PER_DAY
    late = start != day * NANOSECONDS_PER_DAY
    if late.any():
        at = int(late.argmax())
        raise InputError(
            f"record {at + 1}: damaged, the bar does not start a UTC day", where=file.name, found=str(int(start[at])),
            expected="nanoseconds of a midnight",
        )  # fmt: skip
    first = int(metadata.start) // NANOSECONDS_PER_DAY if metadata.start else 0
    end = metadata.end
    last = _LAST_DAY if not end or int(end) >= _UINT64_MAX else (int(end) - 1) // NANOSECONDS_PER_DAY
    outside = (day < first) | (day > min(last, _LAST_DAY))
    if outside.any():
        at = int(outside.argmax())
        raise InputError(
            f"record {at + 1}: outside the period that the file states",
            where=file.name,
            found=f"day {int(day[at])}",
            expected=f"{as_date(min(first, _LAST_DAY))} to {as_date(min(last, _LAST_DAY))}",
        )
    return day.astype(np.int32)


def prices_of(units: NDArray[np.int64]) -> NDArray[np.float64]:
    """Prices in units of 1e-9 as numbers, NaN where null."""
    prices = units / UNIT
    null = units == INT64_MAX
    if null.any():
        prices[null] = np.nan
    return prices


def mappings_of(file: RawFile, metadata: Any) -> tuple[tuple[str, ...], Intervals]:
    """Symbols, and who they were on which days. Either side of a mapping may be the instrument_id."""
    by_id = str(metadata.stype_in) == "instrument_id"
    found: list[tuple[int, int, int, str]] = []
    with decoding(file.name):
        for name, intervals in metadata.mappings.items():
            for interval in intervals:
                text, ident = (interval["symbol"], name) if by_id else (name, interval["symbol"])
                first, end = interval["start_date"], interval["end_date"]
                if text and ident and first < end:
                    found.append((int(ident), (first - _EPOCH).days, (end - _EPOCH).days, str(text)))
    found = sorted(set(found))
    for one, two in pairwise(found):
        if one[0] == two[0] and two[1] < one[2]:
            raise InputError(
                f"instrument {one[0]} is mapped twice on {as_date(two[1])}",
                where=file.name,
                found=f"{one[3]}, {two[3]}",
            )
    symbols = tuple(sorted({entry[3] for entry in found}))
    for text in symbols:
        if not is_symbol(text):
            raise InputError("not a symbol in the metadata", where=file.name, found=repr(text[:60]))
    number = {text: at for at, text in enumerate(symbols)}
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    return symbols, Intervals(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.int64),
        np.array([number[text] for text in columns[3]], dtype=np.int32),
    )


def symbol_at(
    file: RawFile, intervals: Intervals, ident: NDArray[np.uint32], day: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The symbol number of every record: the mapping of its instrument that holds on its day.

    Most instruments have one mapping; they are looked up in a table by instrument_id, the others by bisection.
    """
    if not len(intervals.ident):
        raise InputError(
            "no symbol mappings in the metadata", where=file.name, expected="dated mappings to instrument_id",
            remedy="download with stype_in raw_symbol or parent",
        )  # fmt: skip
    distinct, first_at, times = np.unique(intervals.ident, return_index=True, return_counts=True)
    low, high = int(distinct[0]), int(distinct[-1])
    if high - low < _DIRECT_LOOKUP:
        table = np.full(high - low + 2, -1, dtype=np.int32)
        table[distinct - low] = first_at
        offset = np.minimum(ident - np.int64(low), high - low + 1)
        interval = table[np.where(offset < 0, high - low + 1, offset)]
    else:
        at = np.minimum(np.searchsorted(distinct, ident), len(distinct) - 1)
        interval = np.where(distinct[at] == ident, first_at[at], -1).astype(np.int32)
    if (times > 1).any():
        several = np.zeros(len(intervals.ident) + 1, dtype=np.bool_)
        several[first_at[times > 1]] = True
        rows = np.flatnonzero(several[interval])
        width = np.int64(1) << 20
        keys = intervals.ident * width + intervals.first
        wanted = ident[rows].astype(np.int64) * width + day[rows]
        found = np.searchsorted(keys, wanted, side="right") - 1
        interval[rows] = np.where(intervals.ident[found] == ident[rows], found, -1)
    mapped = (interval >= 0) & (intervals.first[interval] <= day) & (day < intervals.end[interval])
    if not mapped.all():
        at_row = int(np.argmin(mapped))
        raise InputError(
            f"record {at_row + 1}: instrument {int(ident[at_row])} has no symbol on {as_date(int(day[at_row]))}",
            where=file.name,
            expected="a mapping of the metadata",
        )
    return intervals.symbol[interval]


def _definitions(file: RawFile, version: int, body: memoryview, metadata: Any) -> FileBars:
    message = {
        1: databento_dbn.InstrumentDefMsgV1,
        2: databento_dbn.InstrumentDefMsgV2,
        3: databento_dbn.InstrumentDefMsg,
    }[version]
    fields: list[tuple[str, str]] = message._dtypes  # type: ignore[attr-defined]
    records = records_of(file, body, fields, _RTYPE_DEFINITION, bool(metadata.ts_out))
    terms: dict[str, ContractTerms] = {}
    years: dict[str, set[int]] = {}
    dropped = 0
    order = np.argsort(records["ts_recv"], kind="stable")
    for record in records[order]:
        symbol = _text(record["raw_symbol"], file)
        if bytes(record["instrument_class"]) != b"F" or parse_symbol(symbol) is None:
            dropped += 1
            continue
        expiration = int(record["expiration"])
        last_trade = None if expiration >= INT64_MAX else _utc_date(expiration)
        increment = int(record["min_price_increment"])
        year = int(record["maturity_year"])
        if 1900 <= year < 2200:
            years.setdefault(symbol, set()).add(year)
        key = symbol if last_trade is None else f"{symbol}@{last_trade.year}"
        terms[key] = ContractTerms(
            contract=symbol,
            last_trade=last_trade,
            tick=None if increment in (0, INT64_MAX) else increment / UNIT,
            currency=_text(record["currency"], file) or None,
            asset=_text(record["asset"], file) or None,
        )
    counts = {"definitions_dropped": dropped} if dropped else {}
    stated = {symbol: tuple(sorted(found)) for symbol, found in years.items()}
    return FileBars(
        file, no_rows(), VENDOR, "utc_day", "last_trade", counts=counts, terms=terms, years=stated, bars=False
    )


def _text(cell: Any, file: RawFile) -> str:
    try:
        return bytes(cell).split(b"\0", 1)[0].decode("ascii")
    except UnicodeDecodeError as error:
        raise InputError("damaged definition: text that is not ASCII", where=file.name) from error


def _utc_date(nanoseconds: int) -> date:
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, tz=UTC).date()
