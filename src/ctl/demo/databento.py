"""The system of record's files: Databento DBN and CSV with daily bars, definitions and settlement statistics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import databento_dbn as dbn
import numpy as np
import polars as pl
import zstandard
from numpy.typing import NDArray

from ctl.demo import faults
from ctl.demo.draws import Draws
from ctl.demo.hourly import hourly
from ctl.demo.instruments import instrument_ids, instruments, symbols
from ctl.demo.rawbars import NANOS, delivered_rows, last_day, raw_bars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from ctl.demo.instruments import Instrument
    from ctl.demo.listing import Days, Index
    from ctl.demo.quotes import Quotes
    from ctl.demo.rawbars import RawBars
    from ctl.demo.spec import FutureSpec

Records = NDArray[Any]

DATASET: Final = "GLBX.MDP3"
PUBLISHER: Final = 1
HOUR_NANOS: Final = 3_600 * NANOS
DAY_NANOS: Final = 24 * HOUR_NANOS

_VERSION: Final = 3
_OHLCV_1H: Final = 34
_OHLCV_1D: Final = 35
_INSTRUMENT_DEF: Final = 19
_STATISTICS: Final = 24
_SETTLEMENT: Final = 3
_FINAL: Final = 1
_NO_PRICE: Final = 2**63 - 1
_NO_INT32: Final = 2**31 - 1
_LEVEL: Final = 3
_REVISED_SHARE: Final = 0.02
"""Share of settlements first published a tick or two beside the final ones."""


def files(spec: FutureSpec, quotes: Quotes) -> dict[str, bytes]:
    """File name -> bytes of one root's folder."""
    last = last_day(quotes, spec.canonical)
    bars = raw_bars(spec, quotes, partial(faults.of_canonical, spec.canonical.faults))
    span = f"{stamp(quotes.calendar.days[0])}-{stamp(quotes.calendar.days[last])}"
    outrights, spreads = symbols(spec.root, quotes)
    stem = f"{spec.venue}-{span}"
    if spec.files == "dbn":
        listed, days = instruments(spec.root, quotes, last), quotes.calendar.days
        encoded = {
            "ohlcv-1d": _dbn(spec, "ohlcv-1d", days, last, listed, _ohlcv(bars)),
            "definition": _dbn(spec, "definition", days, last, listed, _definitions(spec, quotes, listed)),
        }
        return {f"{stem}.{schema}.dbn.zst": compress(data) for schema, data in encoded.items()}
    names = np.array(outrights + spreads)
    if spec.files == "parent_csv":
        return {f"{stem}.ohlcv-1d.csv.zst": compress(_csv(bars, names, len(outrights), pretty=True))}
    single = bars.take(np.flatnonzero(bars.is_spread == 0))
    by_contract = single.take(np.argsort(single.contract, kind="stable"))
    bounds = np.searchsorted(by_contract.contract, np.arange(len(outrights) + 1))
    result = {}
    for k, symbol in enumerate(outrights):
        chosen = np.arange(bounds[k], bounds[k + 1])
        if chosen.size:
            text = _csv(by_contract.take(chosen), names, len(outrights), pretty=False)
            result[f"{stem}.ohlcv-1d.{symbol}.csv.zst"] = compress(text)
    return result


def statistics_files(spec: FutureSpec, quotes: Quotes, seed: int) -> dict[str, bytes]:
    """File name -> bytes: the exchange's settlements of every outright, as DBN."""
    last = last_day(quotes, spec.canonical)
    listed = [each for each in instruments(spec.root, quotes, last) if not each.is_spread]
    data = _dbn(spec, "statistics", quotes.calendar.days, last, listed, _settlements(spec, quotes, seed))
    span = f"{stamp(quotes.calendar.days[0])}-{stamp(quotes.calendar.days[last])}"
    return {f"{spec.venue}-{span}.statistics.dbn.zst": compress(data)}


def hourly_files(spec: FutureSpec, quotes: Quotes, seed: int) -> dict[str, bytes]:
    """File name -> bytes: hourly bars of the liquid outrights, as DBN."""
    last = last_day(quotes, spec.canonical)
    listed = [each for each in instruments(spec.root, quotes, last) if not each.is_spread]
    bars = hourly(spec, quotes, seed)
    records = _records(dbn.OHLCVMsg, bars.day.size, _OHLCV_1H)
    records["instrument_id"] = instrument_ids(spec.root, bars.contract, np.zeros_like(bars.contract), bars.day)
    records["ts_event"] = _nanos(bars.day) + bars.hour * HOUR_NANOS
    for name in ("open", "high", "low", "close"):
        records[name] = getattr(bars, name) * round(spec.tick * NANOS) * spec.canonical.price_scale
    records["volume"] = bars.volume
    data = _dbn(spec, "ohlcv-1h", quotes.calendar.days, last, listed, records)
    span = f"{stamp(quotes.calendar.days[0])}-{stamp(quotes.calendar.days[last])}"
    return {f"{spec.venue}-{span}.ohlcv-1h.dbn.zst": compress(data)}


def compress(data: bytes) -> bytes:
    """Zstandard in one thread, with a checksum as the vendor's files have one: the same bytes on every machine."""
    return zstandard.ZstdCompressor(level=_LEVEL, threads=0, write_checksum=True).compress(data)


def stamp(day: np.datetime64) -> str:
    """A day as vendors put it into file names: 20180102."""
    return str(day).replace("-", "")


@dataclass(slots=True)
class _Interval:
    start_date: date
    end_date: date
    symbol: str


@dataclass(slots=True)
class _Mapping:
    raw_symbol: str
    intervals: Sequence[_Interval]


def _dbn(spec: FutureSpec, schema: str, days: Days, last: int, listed: Sequence[Instrument], records: Records) -> bytes:
    """A DBN document asked for by parent symbol: metadata with dated symbol mappings, then the records."""
    mappings: list[Any] = [
        _Mapping(
            instrument.symbol,
            [
                _Interval(s.first, (np.datetime64(s.last) + 1).item(), str(s.instrument_id))
                for s in instrument.stretches
            ],
        )
        for instrument in listed
    ]
    metadata = dbn.Metadata(
        dataset=DATASET,
        start=int(_nanos(days[:1])[0]),
        end=int(_nanos(days[last : last + 1] + 1)[0]),
        stype_in=dbn.SType.from_str("parent"),
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=dbn.Schema.from_str(schema),
        symbols=[f"{spec.root}.FUT"],
        partial=[],
        not_found=[],
        mappings=mappings,
        version=_VERSION,
    )
    return metadata.encode() + records.tobytes()


def _records(message: type[Any], count: int, rtype: int) -> Records:
    """Empty records of a message type with their headers filled."""
    records = np.zeros(count, dtype=np.dtype(message._dtypes))
    records["length"] = records.dtype.itemsize // 4
    records["rtype"] = rtype
    records["publisher_id"] = PUBLISHER
    return records


def _nanos(days: Days) -> Index:
    """Start of each UTC day, ns since the epoch."""
    return days.astype("M8[D]").astype(np.int64) * DAY_NANOS


def _ohlcv(bars: RawBars) -> Records:
    records = _records(dbn.OHLCVMsg, bars.day.size, _OHLCV_1D)
    records["instrument_id"] = bars.instrument
    records["ts_event"] = _nanos(bars.day)
    for name in ("open", "high", "low", "close", "volume"):
        records[name] = getattr(bars, name)
    return records


def _definitions(spec: FutureSpec, quotes: Quotes, listed: Sequence[Instrument]) -> Records:
    """One record per instrument and id, on the first day it is in force."""
    rows = sorted(
        (stretch.first, stretch.instrument_id, instrument.symbol, instrument.contract, instrument.is_spread)
        for instrument in listed
        for stretch in instrument.stretches
    )
    records = _records(dbn.InstrumentDefMsg, len(rows), _INSTRUMENT_DEF)
    contract = np.array([row[3] for row in rows])
    is_spread = np.array([row[4] for row in rows])
    contracts = quotes.listing.contracts
    last_trade_hour = 13.5 if spec.expiry == "third_friday" else 18.5
    records["ts_event"] = records["ts_recv"] = _nanos(np.array([row[0] for row in rows], dtype="M8[D]"))
    records["instrument_id"] = [row[1] for row in rows]
    records["raw_symbol"] = np.array([row[2].encode() for row in rows])
    records["expiration"] = _nanos(quotes.listing.expiry[contract]) + int(last_trade_hour * HOUR_NANOS)
    records["activation"] = _nanos(quotes.calendar.days[quotes.listing.first[contract]])
    records["maturity_year"] = [contracts[k].year for k in contract]
    records["maturity_month"] = [contracts[k].month for k in contract]
    records["min_price_increment"] = round(spec.tick * NANOS) * spec.canonical.price_scale
    records["min_price_increment_amount"] = round(spec.tick * spec.point_value * NANOS)
    records["display_factor"] = NANOS
    records["unit_of_measure"] = spec.unit_of_measure.encode()
    records["unit_of_measure_qty"] = round(spec.point_value * NANOS)
    records["currency"] = b"USD"
    records["group"] = records["asset"] = spec.root.encode()
    records["exchange"] = spec.exchange.encode()
    records["cfi"] = np.where(is_spread, b"FMIXSX", b"FFIXSX")
    records["instrument_class"] = np.where(is_spread, b"S", b"F")
    constants: dict[str, int | bytes] = {
        "security_type": b"FUT", "match_algorithm": b"F", "security_update_action": b"A",
        "user_defined_instrument": b"N",
        "leg_instrument_class": b" ", "leg_side": b"N", "market_depth": 10, "min_trade_vol": 1,
        "high_limit_price": _NO_PRICE, "low_limit_price": _NO_PRICE, "max_price_variation": _NO_PRICE,
        "price_ratio": _NO_PRICE, "strike_price": _NO_PRICE, "leg_price": _NO_PRICE, "leg_delta": _NO_PRICE,
        "contract_multiplier": _NO_INT32, "decay_quantity": _NO_INT32, "original_contract_size": _NO_INT32,
        "decay_start_date": 2**16 - 1, "main_fraction": 255, "price_display_format": 255, "sub_fraction": 255,
        "tick_rule": 255, "maturity_day": 255, "maturity_week": 255,
        "contract_multiplier_unit": 127, "flow_schedule_type": 127,
    }  # fmt: skip
    for name, value in constants.items():
        records[name] = value
    return records


def _settlements(spec: FutureSpec, quotes: Quotes, seed: int) -> Records:
    """Settlement statistics per contract and session: the final ones, and before some of them a preliminary one."""
    rows = np.flatnonzero(delivered_rows(quotes, spec.canonical) & (quotes.exchange.volume > 0))
    draws = Draws(seed, spec.root, "preliminary settlements")
    revised = draws.uniform(rows.size) < _REVISED_SHARE
    beside = draws.integers(rows.size, 1, 2) * (2 * draws.integers(rows.size, 0, 1) - 1)
    row = np.concatenate([rows[revised], rows])
    ticks = quotes.exchange.close[row] + np.concatenate([beside[revised], np.zeros(rows.size, dtype=np.int64)])
    final = np.arange(row.size) >= int(np.count_nonzero(revised))
    day = quotes.calendar.days[quotes.rows.day[row]]
    contract = quotes.rows.contract[row]
    ids = instrument_ids(spec.root, contract, np.zeros_like(contract), day)
    published = _nanos(day) + np.where(final, 22, 20) * HOUR_NANOS

    records = _records(dbn.StatMsg, row.size, _STATISTICS)
    records["instrument_id"] = ids
    records["ts_event"] = published
    records["ts_recv"] = published + 1_000
    records["ts_ref"] = _nanos(day)
    records["price"] = ticks * round(spec.tick * NANOS) * spec.canonical.price_scale
    records["quantity"] = _NO_PRICE
    records["stat_type"] = _SETTLEMENT
    records["update_action"] = 1
    records["stat_flags"] = np.where(final, _FINAL, 0)
    order = np.lexsort((ids, published))
    ordered: Records = records[order]
    ordered["sequence"] = np.arange(row.size) + 1
    return ordered


def _csv(bars: RawBars, names: NDArray[np.str_], outrights: int, *, pretty: bool) -> bytes:
    """Databento's CSV layout: pretty decimals and ISO instants, or integers of 1e-9 and ns since the epoch."""
    frame = pl.DataFrame(
        {
            "ts_event": np.datetime_as_string(bars.day.astype("M8[D]")) if pretty else _nanos(bars.day),
            "rtype": np.full(bars.day.size, _OHLCV_1D),
            "publisher_id": np.full(bars.day.size, PUBLISHER),
            "instrument_id": bars.instrument,
            **{name: getattr(bars, name) for name in ("open", "high", "low", "close")},
            "volume": bars.volume,
            "symbol": names[bars.contract + outrights * bars.is_spread],
        }
    )
    if pretty:
        instants = pl.col("ts_event") + "T00:00:00.000000000Z"
        frame = frame.with_columns(instants, pl.col("open", "high", "low", "close") / NANOS)
    return frame.write_csv(float_precision=9).encode()
