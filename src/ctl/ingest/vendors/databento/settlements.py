"""The exchange's settlements: Databento `statistics` records of type 3, and daily bars that close at them.

A settlement belongs to the session that `ts_ref` names. It may be published several times, preliminary first: the
latest publication wins, whichever file holds it. The contract is the instrument's symbol on the day of publication.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import databento_dbn
import numpy as np

from ctl.errors import InputError
from ctl.ingest.bars import contract_bars
from ctl.ingest.rows import FileBars, OtherSchema, Rows, as_date
from ctl.ingest.table import require_columns
from ctl.ingest.vendors.databento import dbn, text
from ctl.ingest.vendors.databento.publishers import single_publisher
from ctl.ingest.vendors.databento.text import INT64_MAX, NANOSECONDS_PER_DAY, VENDOR
from ctl.model.bars import ContractBars, SourceFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.source import RawFile
    from ctl.ingest.table import Table
    from ctl.model.instruments import Instruments

SCHEMA: Final = "statistics"
_RTYPE: Final = 24
_SETTLEMENT: Final = 3
_DELETED: Final = 2
_LAST_DAY: Final = 84_005
_COLUMNS: Final = ("ts_recv", "ts_event", "publisher_id", "ts_ref", "price", "stat_type", "update_action")


@dataclass(frozen=True, slots=True)
class Publications:
    """The settlements that one file publishes, in file order.

    symbol: index into `symbols`. session: days since 1970-01-01. published: ns since then, when it was received.
    price: quote units, NaN where the vendor states none or withdraws it.
    """

    file: RawFile
    symbols: tuple[str, ...]
    symbol: NDArray[np.int32]
    session: NDArray[np.int32]
    published: NDArray[np.int64]
    price: NDArray[np.float64]
    counts: Mapping[str, int]
    notes: tuple[str, ...]


def read_dbn(file: RawFile, publisher: int | None) -> Publications:
    """Settlements of a DBN `statistics` file.

    Raises InputError: another schema, damage, an instrument without a mapping on its day, several publishers.
    """
    version, body, metadata = dbn.metadata_of(file)
    schema = str(metadata.schema) if metadata.schema is not None else "none stated"
    if schema != SCHEMA:
        raise OtherSchema("another schema", where=file.name, found=schema, expected=SCHEMA)
    message = databento_dbn.StatMsg if version == dbn.VERSIONS[-1] else databento_dbn.StatMsgV1
    records = dbn.records_of(file, body, message._dtypes, _RTYPE, bool(metadata.ts_out))
    notes = dbn.vendor_notes(file, metadata, len(records))
    counts: dict[str, int] = {}
    reference = np.minimum(records["ts_ref"], INT64_MAX).astype(np.int64)
    settled = _kept(records["stat_type"], reference, records["publisher_id"], publisher, file.name, counts)
    records, reference = records[settled], reference[settled]
    received = np.where(records["ts_recv"] > INT64_MAX, records["ts_event"], records["ts_recv"])
    published = np.minimum(received, INT64_MAX).astype(np.int64)
    session = _sessions(reference, published, file.name)
    symbols, intervals = dbn.mappings_of(file, metadata)
    day = (published // NANOSECONDS_PER_DAY).astype(np.int32)
    symbol = dbn.Lookup(file, intervals).at(records["instrument_id"], day) if len(records) else day
    price = dbn.prices_of(records["price"])
    price[records["update_action"] == _DELETED] = np.nan
    return Publications(file, symbols, symbol, session, published, price, counts, notes)


def read_csv(table: Table, publisher: int | None) -> Publications:
    """Settlements of a CSV of `statistics`, symbols from their column or the file's name.

    Raises InputError as `Table` does, and for a missing column, another schema, several publishers.
    """
    text.of_one_rtype(table, {_RTYPE: SCHEMA})
    require_columns(table.file, table.columns, _COLUMNS)
    counts: dict[str, int] = {}
    whole = {
        name: table.integers(name, nullable=False).values for name in ("stat_type", "publisher_id", "update_action")
    }
    reference = text.instants(table, "ts_ref")
    kept = _kept(whole["stat_type"], reference, whole["publisher_id"], publisher, table.file.name, counts)
    received = text.instants(table, "ts_recv")
    published = np.where(received == INT64_MAX, text.instants(table, "ts_event"), received)[kept]
    session = _sessions(reference[kept], published, table.file.name)
    symbols, codes = text.symbols_of(table)
    price = text.prices_of(table, ("price",))["price"].copy()
    price[whole["update_action"] == _DELETED] = np.nan
    return Publications(table.file, symbols, codes[kept], session, published, price[kept], counts, ())


def _kept(
    kind: NDArray[np.int64],
    reference: NDArray[np.int64],
    publishers: NDArray[np.int64],
    publisher: int | None,
    name: str,
    counts: dict[str, int],
) -> NDArray[np.intp]:
    """The rows that are settlements of a session by the one publisher; the others are counted."""
    rows = np.flatnonzero(kind == _SETTLEMENT)
    dated = rows[reference[rows] != INT64_MAX]
    for reason, count in (
        ("other_statistics_ignored", len(kind) - len(rows)), ("settlements_without_session", len(rows) - len(dated))
    ):  # fmt: skip
        if count:
            counts[reason] = count
    kept: NDArray[np.intp] = dated[single_publisher(publishers[dated], publisher, name, counts)]
    return kept


def _sessions(reference: NDArray[np.int64], published: NDArray[np.int64], name: str) -> NDArray[np.int32]:
    """The days that `ts_ref` names. Raises InputError for what cannot be a session or a time of publication."""
    session = reference // NANOSECONDS_PER_DAY
    for what, late in (("time of publication", published == INT64_MAX), ("session", session > _LAST_DAY)):
        if late.any():
            raise InputError(f"a settlement without a usable {what}", where=name)
    return session.astype(np.int32)


def latest(files: Sequence[Publications], root: str | None, instruments: Instruments) -> ContractBars:
    """The settlement of every contract and session as bars of a close alone.

    The latest publication wins (of the same instant, the one that stands later); those before it are counted, and
    so are sessions whose last word is that there is no settlement. Raises InputError where none is left.
    """
    symbols = tuple(sorted({symbol for file in files for symbol in file.symbols}))
    number = {symbol: at for at, symbol in enumerate(symbols)}
    known = [np.array([number[name] for name in file.symbols], dtype=np.int32)[file.symbol] for file in files]
    symbol = np.concatenate(known)
    session, published, price = (
        np.concatenate([getattr(file, name) for file in files]) for name in ("session", "published", "price")
    )
    order = np.lexsort((published, session, symbol))  # stable: of one instant the later in the files stays later
    symbol, session, price = symbol[order], session[order], price[order]
    last = np.append((symbol[1:] != symbol[:-1]) | (session[1:] != session[:-1]), len(symbol) > 0)[: len(symbol)]
    counts: dict[str, int] = {}
    for file in files:
        for reason, count in file.counts.items():
            counts[reason] = counts.get(reason, 0) + count
    stated = last & ~np.isnan(price)
    for reason, count in (
        ("settlements_superseded", int(np.count_nonzero(~last))),
        ("settlements_withdrawn", int(np.count_nonzero(last & np.isnan(price)))),
    ):
        if count:
            counts[reason] = count
    if not stated.any():
        raise InputError(
            "no settlements", where=", ".join(file.file.name for file in files[:3]), expected="stat_type 3 records"
        )
    symbol, session, price = symbol[stated], session[stated], price[stated]
    nothing = np.full(len(price), np.nan)
    unknown = np.ones(len(price), dtype=np.bool_)
    rows = Rows(
        symbols, session, symbol, nothing, nothing, nothing, price, np.zeros(len(price), dtype=np.int64), unknown,
        None, None,
    )  # fmt: skip
    notes = tuple(note for file in files for note in file.notes)
    whole = FileBars(
        files[0].file, rows, VENDOR, "exchange_session", "settlement", counts=counts, notes=notes, end=INT64_MAX
    )
    bars = contract_bars([whole], root, instruments)
    return replace(bars, meta=replace(bars.meta, sources=tuple(_source(file) for file in files)))


def _source(file: Publications) -> SourceFile:
    some = len(file.session) > 0
    return SourceFile(
        name=file.file.name,
        sha256=file.file.sha256,
        size=file.file.size,
        rows=len(file.session),
        first_session=as_date(int(file.session.min())) if some else None,
        last_session=as_date(int(file.session.max())) if some else None,
    )
