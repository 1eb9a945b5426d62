"""DBN documents of any schema, by the vendor's own encoder."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import databento_dbn as dbn

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def nanos(text: str) -> int:
    """Nanoseconds since 1970 of a UTC time: `2024-03-10 22:00`."""
    return int((datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH).total_seconds()) * 1_000_000_000


def document(
    schema: str, start: str, end: str, mappings: list[tuple[str, date, date, int]], records: list[Any], *, version=3
) -> bytes:
    """mappings: (symbol, first day, day after the last, instrument_id)."""
    grouped: dict[str, list[Any]] = {}
    for symbol, first, last, ident in mappings:
        grouped.setdefault(symbol, []).append(SimpleNamespace(start_date=first, end_date=last, symbol=str(ident)))
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=nanos(start),
        end=nanos(end),
        stype_in=dbn.SType("raw_symbol"),
        stype_out=dbn.SType("instrument_id"),
        schema=dbn.Schema.from_str(schema),
        symbols=sorted(grouped),
        partial=[],
        not_found=[],
        mappings=[SimpleNamespace(raw_symbol=name, intervals=found) for name, found in grouped.items()],
        limit=None,
        ts_out=False,
        version=version,
    )
    return bytes(metadata) + b"".join(bytes(record) for record in records)


def as_csv(data: bytes, path: Path, *, pretty: bool) -> Path:
    """The vendor's own CSV of a DBN document: decimals and times with the symbols, or integers without them."""
    from databento import DBNStore

    DBNStore.from_bytes(data).to_csv(path, pretty_px=pretty, pretty_ts=pretty, map_symbols=pretty)
    return path
