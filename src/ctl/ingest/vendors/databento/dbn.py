"""Databento Binary Encoding: daily bars (`ohlcv-1d`) and contract terms (`definition`), and how any schema is laid out.

The vendor's decoder reads the metadata and states the record layouts; records of one kind have one size, so
numpy views them where they lie. Symbols come from the metadata's dated mappings: an instrument_id names another
instrument on another day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import databento_dbn
import numpy as np

from ctl.errors import InputError
from ctl.ingest.guard import decoding
from ctl.ingest.rows import FileBars, NoRecords, OtherSchema, Rows, as_date, no_rows
from ctl.ingest.symbols import is_symbol, meant, spelled
from ctl.ingest.table import MAX_COUNT
from ctl.ingest.vendors.databento.publishers import choose_publisher
from ctl.ingest.vendors.databento.text import INT64_MAX, NANOSECONDS_PER_DAY, RTYPE_1D, UNIT, VENDOR
from ctl.model.bars import PRICES, ContractTerms
from ctl.model.contracts import parse_symbol, resolve_year

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.source import RawFile

VERSIONS: Final = (1, 2, 3)
_PREFIX: Final = 8
_RTYPE_DEFINITION: Final = 19
_LENGTH_UNIT: Final = 4
_UINT32_MAX: Final = 2**32 - 1
_UINT64_MAX: Final = 2**64 - 1
_DIRECT_LOOKUP: Final = 1 << 24
_DAYS_APART: Final = np.int64(1 << 20)
"""A step of instrument_id in a key of (instrument_id, day)."""
_EPOCH: Final = date(1970, 1, 1)
_LAST_DAY: Final = 84_005


@dataclass(frozen=True, slots=True)
class Intervals:
    """Dated mappings: on days [first, end) instrument `ident` is symbol number `symbol`. Sorted by (ident, first)."""

    ident: NDArray[np.int64]
    first: NDArray[np.int64]
    end: NDArray[np.int64]
    symbol: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Bars:
    """Of every record of a file its day and symbol; of every symbol the number and the last day of its bars."""

    day: NDArray[np.int32]
    symbol: NDArray[np.int32]
    number: NDArray[np.int64]
    last: NDArray[np.int64]
    one_publisher: bool


def read(
    file: RawFile, *, symbol: str | None = None, publisher: int | None = None, outrights: bool = False
) -> FileBars:
    """Bars of an `ohlcv-1d` file, or the terms of a `definition` file.

    symbol: its bars only, the others are counted. outrights: their bars only, those of each other symbol are counted
    in `dropped`; both are read and checked like the rest.
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
    records = _where_they_lie(file, body, databento_dbn.OHLCVMsg._dtypes, bool(metadata.ts_out))
    end = end_of(metadata, records)
    symbols, intervals = mappings_of(file, metadata)
    lookup = Lookup(file, intervals)
    named = None if symbol is None else meant(symbols, spelled(symbol))
    wanted = np.ones(len(symbols), dtype=np.bool_)
    if symbol is not None:
        wanted = np.array([each == named for each in symbols], dtype=np.bool_)
    elif outrights:
        wanted = np.array([parse_symbol(each) is not None for each in symbols], dtype=np.bool_)
    bars = _surveyed(file, records, lookup, len(symbols), _period(metadata))
    counts: dict[str, int] = {}
    asked = None if symbol is None else wanted[bars.symbol]
    if asked is not None:
        if not asked.any():
            raise InputError(
                f"no bars of {symbol}", where=file.name, found=", ".join(symbols[:8]) or "none", expected=symbol
            )
        if others := len(asked) - int(np.count_nonzero(asked)):
            counts["other_symbols_dropped"] = others
    counted = _of_publisher(symbols, records, bars, asked, publisher, file.name, counts)
    number = bars.number if counted is None else np.bincount(bars.symbol[counted], minlength=len(symbols))
    dropped = {symbols[at]: int(number[at]) for at in np.flatnonzero((number > 0) & ~wanted).tolist()}
    extent = None
    if dropped:
        day = bars.day if counted is None else bars.day[counted]
        extent = (len(day), int(day.min()), int(day.max()))
    read_out = replace(file, content=b"")  # the memory is free for what becomes of the bars
    return FileBars(
        read_out, _rows(symbols, records, bars, wanted, counted, number, by_contract=outrights and symbol is None),
        VENDOR, "utc_day", "last_trade", counts=counts, notes=vendor_notes(file, metadata, len(records)),
        dropped=dropped, extent=extent, end=end,
    )  # fmt: skip


def _surveyed(file: RawFile, records: NDArray[np.void], lookup: Lookup, symbols: int, period: tuple[int, int]) -> _Bars:
    """Every record checked. Raises InputError as `read` does."""
    from ctl.ingest.vendors.databento import bar_kernels

    day, symbol = np.empty((2, len(records)), dtype=np.int32)
    number, last = np.zeros((2, symbols), dtype=np.int64)
    length, latest = records.dtype.itemsize // _LENGTH_UNIT, min(period[1], _LAST_DAY)
    sound, one_publisher = bar_kernels.survey(
        records, length, RTYPE_1D, period[0], latest, MAX_COUNT, lookup.columns(), day, symbol, number, last
    )
    if not sound:
        # Of several damages the one to name is told by what is wrong first, then by where.
        _check_kind(file, records, RTYPE_1D)
        lookup.at(records["instrument_id"], _days(file, records["ts_event"], period))
        at = int(records["volume"].argmax())
        raise InputError(
            f"record {at + 1}: implausible volume",
            where=file.name,
            found=str(int(records["volume"][at])),
            expected=f"at most {MAX_COUNT}",
        )
    return _Bars(day, symbol, number, last, one_publisher)


def _of_publisher(
    symbols: tuple[str, ...],
    records: NDArray[np.void],
    bars: _Bars,
    asked: NDArray[np.bool_] | None,
    publisher: int | None,
    name: str,
    counts: dict[str, int],
) -> NDArray[np.bool_] | None:
    """Which records are asked for and of the chosen publisher; None: all. asked: None: all."""
    if publisher is None and bars.one_publisher:
        return asked
    at = np.arange(len(records)) if asked is None else np.flatnonzero(asked)
    publishers = records["publisher_id"][at]
    venue = choose_publisher(symbols, bars.day[at], bars.symbol[at], publishers, publisher, name, counts)
    if venue is None:
        return asked
    counted = np.zeros(len(records), dtype=np.bool_)
    counted[at[venue]] = True
    return counted


def _rows(
    symbols: tuple[str, ...],
    records: NDArray[np.void],
    bars: _Bars,
    wanted: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None,
    number: NDArray[np.int64],
    *,
    by_contract: bool,
) -> Rows:
    """The bars of `wanted` symbols, in file order, or contract after contract in expiry order and so their symbols.

    number: of the records that count, by symbol.
    """
    from ctl.ingest.vendors.databento import bar_kernels

    code, part, free = np.arange(len(symbols)), np.where(wanted, 0, -1), np.zeros(1, dtype=np.int64)
    if by_contract:
        order = sorted(range(len(symbols)), key=lambda at: (not wanted[at], *_expiry(symbols[at], int(bars.last[at]))))
        code[order] = np.arange(len(symbols))
        part = np.where(wanted, code, -1)
        free = np.cumsum(np.append(0, number[order]))
        symbols = tuple(symbols[at] for at in order)
    size = int(number[wanted].sum())
    days, coded = np.empty((2, size), dtype=np.int32)
    *prices, volumes, lines = np.empty((len(PRICES) + 2, size), dtype=np.float64)  # one piece: of few, large pages
    volume, line = volumes.view(np.int64), lines.view(np.int64)
    every = np.empty(0, dtype=np.bool_) if counted is None else counted
    columns = (days, coded, *prices, volume, line)
    bar_kernels.put(records, bars.symbol, every, code, part, free, bars.day, columns)
    opening, high, low, close = prices
    return Rows(symbols, days, coded, opening, high, low, close, volume, None, None, None, line=line)


def _expiry(symbol: str, last_day: int) -> tuple[int, int, str]:
    """What orders contracts by delivery. last_day: of the symbol's bars; what is no contract sorts by name."""
    parsed = parse_symbol(symbol)
    if parsed is None:
        return 0, 0, symbol
    return resolve_year(parsed, as_date(last_day)), parsed.month, parsed.root


def end_of(metadata: Any, records: NDArray[np.void]) -> int | None:
    """Up to where the data of a file reach, exclusive, in ns since 1970-01-01 UTC; None where it does not say.

    Where the request's limit was reached, what the last records' instant brought may be cut: they reach up to it.
    """
    if metadata.limit and len(records) >= int(metadata.limit):
        return int(min(records["ts_event"].max(), INT64_MAX))
    end = metadata.end
    return None if not end or int(end) >= _UINT64_MAX else min(int(end), INT64_MAX)


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
    data = memoryview(file.content)
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
        metadata = databento_dbn.Metadata.decode(bytes(data[:end]))
        _ = (metadata.schema, metadata.mappings, metadata.start, metadata.end, metadata.ts_out)
        _ = (metadata.limit, metadata.not_found, metadata.partial)
    return version, data[end:], metadata


def records_of(
    file: RawFile, body: memoryview, fields: list[tuple[str, str]], rtype: int, with_ts_out: bool
) -> NDArray[np.void]:
    """The records where they lie, after every one's length and kind are checked."""
    records = _where_they_lie(file, body, fields, with_ts_out)
    _check_kind(file, records, rtype)
    return records


def _where_they_lie(
    file: RawFile, body: memoryview, fields: list[tuple[str, str]], with_ts_out: bool
) -> NDArray[np.void]:
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
        raise NoRecords("no records", where=file.name, expected="at least one record")
    return np.frombuffer(body.toreadonly(), dtype=layout)  # kernels are made for one kind of array


def _check_kind(file: RawFile, records: NDArray[np.void], rtype: int) -> None:
    for name, value in (("length", records.dtype.itemsize // _LENGTH_UNIT), ("rtype", rtype)):
        wrong = records[name] != value
        if wrong.any():
            at = int(wrong.argmax())
            raise InputError(
                f"record {at + 1}: damaged, its {name} is wrong",
                where=file.name,
                found=str(int(records[name][at])),
                expected=str(value),
            )


def _period(metadata: Any) -> tuple[int, int]:
    """The first and the last day that the file states, as days since 1970; the last may be beyond any date."""
    first = int(metadata.start) // NANOSECONDS_PER_DAY if metadata.start else 0
    end = metadata.end
    return first, _LAST_DAY if not end or int(end) >= _UINT64_MAX else (int(end) - 1) // NANOSECONDS_PER_DAY


def _days(file: RawFile, moments: NDArray[np.uint64], period: tuple[int, int]) -> NDArray[np.int32]:
    """The UTC days that daily bars start, within the period (inclusive) that the file states."""
    runs = np.flatnonzero(np.concatenate(([True], moments[1:] != moments[:-1])))  # bars of one day follow each other
    stated = moments[runs]
    if int(stated.max()) > INT64_MAX:
        at = int(runs[stated.argmax()])
        raise InputError(f"record {at + 1}: no ts_event", where=file.name, expected="a UTC day")
    start = stated.astype(np.int64)
    day = start // NANOSECONDS_PER_DAY
    late = start != day * NANOSECONDS_PER_DAY
    if late.any():
        at = int(late.argmax())
        raise InputError(
            f"record {int(runs[at]) + 1}: damaged, the bar does not start a UTC day",
            where=file.name,
            found=str(int(start[at])),
            expected="nanoseconds of a midnight",
        )
    first, last = period
    outside = (day < first) | (day > min(last, _LAST_DAY))
    if outside.any():
        at = int(outside.argmax())
        raise InputError(
            f"record {int(runs[at]) + 1}: outside the period that the file states",
            where=file.name,
            found=f"day {int(day[at])}",
            expected=f"{as_date(min(first, _LAST_DAY))} to {as_date(min(last, _LAST_DAY))}",
        )
    return np.repeat(day.astype(np.int32), np.diff(runs, append=len(moments)))


def prices_of(units: NDArray[np.int64]) -> NDArray[np.float64]:
    """Prices in units of 1e-9 as numbers, NaN where null."""
    prices = units / UNIT
    if len(units) and int(units.max()) == INT64_MAX:
        prices[units == INT64_MAX] = np.nan
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
                    found.append((int(ident), (first - _EPOCH).days, (end - _EPOCH).days, spelled(str(text))))
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


class Lookup:
    """Finds the symbol of an instrument on a day: the mapping of its instrument_id that holds then.

    Most instruments have one mapping; they are looked up in a table by instrument_id, the others by bisection.
    Raises InputError where there are no mappings.
    """

    def __init__(self, file: RawFile, intervals: Intervals) -> None:
        if not len(intervals.ident):
            raise InputError(
                "no symbol mappings in the metadata", where=file.name, expected="dated mappings to instrument_id",
                remedy="download with stype_in raw_symbol or parent",
            )  # fmt: skip
        self._file = file
        self._ident = intervals.ident
        self._none = len(intervals.ident)  # an interval that holds on no day
        self._first = np.append(intervals.first, 1).astype(np.int32)
        self._end = np.append(intervals.end, 0).astype(np.int32)
        self._symbol = np.append(intervals.symbol, -1).astype(np.int32)
        self._distinct, self._first_at, times = np.unique(intervals.ident, return_index=True, return_counts=True)
        self._low, high = int(self._distinct[0]), int(self._distinct[-1])
        self._table: NDArray[np.int32] | None = None
        if self._low >= 0 and high <= _UINT32_MAX and high - self._low < _DIRECT_LOOKUP:
            self._table = np.full(high - self._low + 2, self._none, dtype=np.int32)
            self._table[self._distinct - self._low] = self._first_at
        self._several: NDArray[np.bool_] | None = None
        self._keys = intervals.ident * _DAYS_APART + intervals.first
        if (times > 1).any():
            self._several = np.zeros(self._none + 1, dtype=np.bool_)
            self._several[self._first_at[times > 1]] = True

    def columns(self) -> tuple[Any, ...]:
        """What a kernel looks up in: `at` says how."""
        table = np.empty(0, dtype=np.int32) if self._table is None else self._table
        low, step = self._low, int(_DAYS_APART)
        return table, low, self._keys, step, self._ident, self._first, self._end, self._symbol

    def at(self, ident: NDArray[np.uint32], day: NDArray[np.int32]) -> NDArray[np.int32]:
        """The symbol number of every record. Raises InputError for an instrument without a mapping on its day."""
        interval = self._first_of(ident)
        if self._several is not None:
            rows = np.flatnonzero(self._several[interval])
            wanted = ident[rows].astype(np.int64) * _DAYS_APART + day[rows]
            found = np.searchsorted(self._keys, wanted, side="right") - 1
            interval[rows] = np.where(self._ident[found] == ident[rows], found, self._none)
        mapped = (self._first[interval] <= day) & (day < self._end[interval])
        if not mapped.all():
            at = int(np.argmin(mapped))
            raise InputError(
                f"record {at + 1}: instrument {int(ident[at])} has no symbol on {as_date(int(day[at]))}",
                where=self._file.name,
                expected="a mapping of the metadata",
            )
        return self._symbol[interval]

    def _first_of(self, ident: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The number of the first mapping of every instrument, `_none` where it has none."""
        if self._table is not None:
            # Below the lowest the difference wraps round to beyond the highest; the last entry stands for those.
            return self._table.take(ident - np.uint32(self._low), mode="clip")
        at = np.minimum(np.searchsorted(self._distinct, ident), len(self._distinct) - 1)
        return np.where(self._distinct[at] == ident, self._first_at[at], self._none).astype(np.int32)


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
        symbol = spelled(_text(record["raw_symbol"], file))
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
            last_trade_source="unknown" if last_trade is None else "definition",
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
