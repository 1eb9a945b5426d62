"""Session-true daily bars: Databento `ohlcv-1h` or `ohlcv-1m` put together by the exchange's trade date.

The calendar tells the trade date of an interval from its start, in UTC: the Sunday evening of a Globex week belongs to
Monday, on either side of a change of clocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import databento_dbn
import numpy as np

from ctl import sessions
from ctl.errors import InputError
from ctl.ingest import finished
from ctl.ingest.bars import contract_bars
from ctl.ingest.rows import FileBars, OtherSchema, Rows, as_date
from ctl.ingest.table import MAX_COUNT, require_columns
from ctl.ingest.vendors.databento import dbn, text
from ctl.ingest.vendors.databento.publishers import single_publisher
from ctl.ingest.vendors.databento.text import INT64_MAX, NANOSECONDS_PER_DAY, VENDOR
from ctl.model.bars import PRICES, UNFINISHED, ContractBars, SourceFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.source import RawFile
    from ctl.ingest.table import Table
    from ctl.model.instruments import Instruments

SCHEMAS: Final = {"ohlcv-1h": (34, 3_600_000_000_000), "ohlcv-1m": (33, 60_000_000_000)}
"""Schema -> its rtype, and the length of its intervals in ns."""
_LATEST: Final = 84_005 * 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intraday bars of one file, in file order.

    symbol: index into `symbols`. start: ns since 1970-01-01 UTC at which the interval begins; step: its length.
    end: up to where the file reaches, exclusive; stated: whether it says so itself. prices: open, high, low, close in
    units of 1e-9.
    """

    file: RawFile
    schema: str
    symbols: tuple[str, ...]
    symbol: NDArray[np.int32]
    start: NDArray[np.int64]
    end: int
    prices: Mapping[str, NDArray[np.int64]]
    volume: NDArray[np.int64]
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    stated: bool = False


def read_dbn(file: RawFile, publisher: int | None) -> Intervals:
    """Bars of a DBN `ohlcv-1h` or `ohlcv-1m` file.

    Raises InputError: another schema, damage, an interval that does not start on its hour or minute or lies outside
    the file's stated period, a bar without a price, an instrument without a mapping on its day, several publishers.
    """
    _, body, metadata = dbn.metadata_of(file)
    schema = str(metadata.schema) if metadata.schema is not None else "none stated"
    if schema not in SCHEMAS:
        raise OtherSchema("another schema", where=file.name, found=schema, expected=" or ".join(SCHEMAS))
    rtype, step = SCHEMAS[schema]
    records = dbn.records_of(file, body, databento_dbn.OHLCVMsg._dtypes, rtype, bool(metadata.ts_out))
    notes = dbn.vendor_notes(file, metadata, len(records))
    counts: dict[str, int] = {}
    kept = single_publisher(records["publisher_id"], publisher, file.name, counts)
    records = records if kept.all() else records[kept]
    cut = dbn.end_of(metadata, records)
    start, end = _starts(file, records["ts_event"], step, metadata, cut)
    symbols, mapped = dbn.mappings_of(file, metadata)
    day = (start // NANOSECONDS_PER_DAY).astype(np.int32)
    symbol = dbn.Lookup(file, mapped).at(records["instrument_id"], day)
    prices = {name: np.ascontiguousarray(records[name]) for name in PRICES}
    for name, units in prices.items():
        if int(units.max()) == INT64_MAX:
            at = int(units.argmax())
            raise InputError(f"record {at + 1}: a bar without its {name}", where=file.name, expected="a price")
    volume = records["volume"]
    if int(volume.max()) > MAX_COUNT:
        raise InputError(
            f"record {int(volume.argmax()) + 1}: implausible volume", where=file.name, found=str(int(volume.max())),
            expected=f"at most {MAX_COUNT}",
        )  # fmt: skip
    return Intervals(
        file, schema, symbols, symbol, start, end, prices, volume.astype(np.int64), counts, notes, cut is not None
    )


def _starts(
    file: RawFile, moments: NDArray[np.uint64], step: int, metadata: Any, cut: int | None
) -> tuple[NDArray[np.int64], int]:
    """Where the intervals begin, and up to where the file reaches (exclusive): `cut` where it is known."""
    end = min(int(metadata.end or INT64_MAX), _LATEST)
    begin = int(metadata.start or 0)
    start = np.minimum(moments, INT64_MAX).astype(np.int64)
    for what, wrong, expected in (
        ("damaged, the bar does not start its interval", start % step != 0, f"multiples of {step} ns"),
        ("outside the period that the file states", (start < begin) | (start >= end), f"{begin} to {end} ns"),
    ):
        if wrong.any():
            at = int(wrong.argmax())
            raise InputError(f"record {at + 1}: {what}", where=file.name, found=str(int(start[at])), expected=expected)
    return start, int(start.max()) + step if cut is None else min(cut, _LATEST)


def read_csv(table: Table, publisher: int | None) -> Intervals:
    """Bars of a CSV of `ohlcv-1h` or `ohlcv-1m`, symbols from their column or the file's name.

    Such a file does not say up to where it reaches: it is taken to end with its last interval.
    Raises InputError as `Table` does, and for a missing column, another schema, an interval that does not start on
    its hour or minute, a bar without a price, several publishers.
    """
    schema = text.of_one_rtype(table, {rtype: name for name, (rtype, _) in SCHEMAS.items()})
    require_columns(table.file, table.columns, text.REQUIRED)
    step = SCHEMAS[schema][1]
    counts: dict[str, int] = {}
    start = text.instants(table, "ts_event")
    wrong = (start % step != 0) | (start >= _LATEST)
    if wrong.any():
        table.fail(int(wrong.argmax()), "ts_event", "not the start of an interval", expected=f"that of {schema}")
    publishers = table.integers("publisher_id", nullable=False).values
    kept = np.flatnonzero(single_publisher(publishers, publisher, table.file.name, counts))
    symbols, codes = text.symbols_of(table)
    prices: dict[str, NDArray[np.int64]] = {}
    for name, values in text.prices_of(table, PRICES).items():
        if np.isnan(values).any():
            table.fail(int(np.isnan(values).argmax()), name, "a bar without a price", expected="a price")
        prices[name] = np.rint(values[kept] * text.UNIT).astype(np.int64)
    volume = table.integers("volume", nullable=False).values[kept]
    end = int(start.max()) + step
    return Intervals(table.file, schema, symbols, codes[kept], start[kept], end, prices, volume, counts, ())


def aggregate(
    files: Sequence[Intervals],
    root: str | None,
    calendar: str,
    instruments: Instruments,
    now: datetime | None = None,
) -> ContractBars:
    """Daily bars per contract: the first open, the highest high, the lowest low, the last close, all of the volume.

    A session that closes after a contract's files end, or after `now`, would close too early: it is left out, counted
    and named. The first session of a file may lack the evening before it. Raises InputError for files of two schemas,
    for an interval that occurs twice and where no session is finished; DataError for what the calendar does not cover.
    """
    schemas = sorted({file.schema for file in files})
    if len(schemas) > 1:
        raise InputError(
            "files of different schemas cannot be read as one set",
            where=", ".join(file.file.name for file in files[:3]),
            found=", ".join(schemas),
            expected="one of them",
        )
    symbols = tuple(sorted({symbol for file in files for symbol in file.symbols}))
    number = {symbol: at for at, symbol in enumerate(symbols)}
    symbol = np.concatenate(
        [np.array([number[name] for name in file.symbols], dtype=np.int32)[file.symbol] for file in files]
    )
    start = np.concatenate([file.start for file in files])
    ends = _ends(files, number, now)
    day, unfinished = _trade_dates(start, ends, calendar)
    unfinished = unfinished[symbol]
    order = _by_symbol_and_start(symbol, start, len(symbols))
    symbol, start, day, unfinished = symbol[order], start[order], day[order], unfinished[order]
    repeated = np.flatnonzero((symbol[1:] == symbol[:-1]) & (start[1:] == start[:-1]))
    if len(repeated):
        at = int(repeated[0])
        raise InputError(
            f"two bars of {symbols[int(symbol[at])]} at {np.datetime64(int(start[at]), 'ns')}",
            where=", ".join(file.file.name for file in files[:3]),
            expected="one bar per contract and interval",
        )
    whole = day < unfinished
    notes = [note for file in files for note in file.notes]
    counts, parts = {}, []
    if not whole.all():
        left = np.unique(day[~whole])
        counts[UNFINISHED] = len(left)
        shown = ", ".join(str(as_date(int(each))) for each in left[:3]) + (", ..." if len(left) > 3 else "")
        reach = finished.instant_text(int(ends.max()))
        notes.append(f"UNFINISHED_SESSION: {shown} left out: the data end at {reach}")
        names = ", ".join(file.file.name for file in files[:3])
        for each in left.tolist():
            part = finished.part_of(each, "exchange_session", calendar, names, reach)
            parts.append((part, frozenset(symbols[at] for at in np.unique(symbol[~whole & (day == each)]))))
    for file in files:
        for reason, count in file.counts.items():
            counts[reason] = counts.get(reason, 0) + count
    if not whole.any():
        raise InputError(
            "no finished session", where=files[0].file.name, found="; ".join(notes), expected=f"a session of {calendar}"
        )
    order, symbol, day = order[whole], symbol[whole], day[whole]
    first = np.flatnonzero(np.append(True, (symbol[1:] != symbol[:-1]) | (day[1:] != day[:-1])))
    last = np.append(first[1:], len(day)) - 1
    units = (np.concatenate([file.prices[name] for file in files])[order] for name in PRICES)
    opens, highs, lows, closes = units
    volume = np.concatenate([file.volume for file in files])[order]
    rows = Rows(
        symbols, day[first], symbol[first], dbn.prices_of(opens[first]),
        dbn.prices_of(np.maximum.reduceat(highs, first)), dbn.prices_of(np.minimum.reduceat(lows, first)),
        dbn.prices_of(closes[last]), np.add.reduceat(volume, first), None, None, None,
    )  # fmt: skip
    end = max((file.end for file in files if file.stated), default=_LATEST)
    made = FileBars(
        files[0].file, rows, VENDOR, "exchange_session", "last_trade", counts=counts, notes=tuple(notes), end=end,
        unfinished=tuple(parts),
    )  # fmt: skip
    bars = contract_bars([made], root, instruments, calendar)
    return replace(bars, meta=replace(bars.meta, sources=tuple(_source(file) for file in files)))


def _ends(files: Sequence[Intervals], number: Mapping[str, int], now: datetime | None) -> NDArray[np.int64]:
    """Up to where the data of every symbol count, in ns since 1970-01-01 UTC.

    That is what its files state, at most; files that state nothing are taken to end together, with the last interval
    of them all, no later than they were written.
    """
    known = [min(file.end, file.file.written or _LATEST) for file in files if not file.stated]
    together = max(known, default=0)
    ends = np.zeros(len(number), dtype=np.int64)
    for file in files:
        at = [number[symbol] for symbol in file.symbols]
        ends[at] = np.maximum(ends[at], file.end if file.stated else together)
    return ends if now is None else np.minimum(ends, finished.nanoseconds(now))


def _trade_dates(
    start: NDArray[np.int64], ends: NDArray[np.int64], calendar: str
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The trade date of every interval, and the first that is not over at every end, as days since 1970."""
    changes = np.append(True, start[1:] != start[:-1])
    distinct = np.append(start[changes], ends).astype("datetime64[ns]")
    dates = sessions.trade_dates(calendar, distinct).astype(np.int64).astype(np.int32)
    first = len(distinct) - len(ends)
    return dates[np.cumsum(changes, dtype=np.int32) - 1], dates[first:]


def _by_symbol_and_start(symbol: NDArray[np.int32], start: NDArray[np.int64], symbols: int) -> NDArray[np.intp]:
    """The stable order by symbol, then start; files come in the order of time."""
    if symbols < 1 << 16 and bool(np.all(start[1:] >= start[:-1])):
        return np.argsort(symbol.astype(np.uint16), kind="stable")  # a radix sort
    return np.lexsort((start, symbol))


def _source(file: Intervals) -> SourceFile:
    """The file's identity and extent, in UTC days."""
    day = file.start // NANOSECONDS_PER_DAY
    return SourceFile(
        name=file.file.name,
        sha256=file.file.sha256,
        size=file.file.size,
        rows=len(day),
        first_session=as_date(int(day.min())),
        last_session=as_date(int(day.max())),
    )
