"""DBN bytes written by the vendor's own encoder."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

DAY = 86_400_000_000_000
EPOCH = date(1970, 1, 1)


def dbn_bytes(
    bars, mappings, *, schema=None, version=3, stype_in="raw_symbol", start=None, end=None, **lacking
) -> bytes:
    """A DBN file.

    bars: (day, instrument_id, open, high, low, close in 1e-9, volume[, publisher]); mappings: (symbol, first, end, id).
    end: a day, or ns since 1970.
    """
    import databento_dbn as dbn

    grouped: dict[str, list] = {}
    for symbol, first, last, ident in mappings:
        interval = SimpleNamespace(start_date=first, end_date=last, symbol=str(ident))
        grouped.setdefault(symbol, []).append(interval)
    days = [bar[0] for bar in bars] or [EPOCH]
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=nanoseconds(start or min(days)),
        stype_in=dbn.SType(stype_in),
        stype_out=dbn.SType("instrument_id" if stype_in != "instrument_id" else "raw_symbol"),
        schema=schema or dbn.Schema.OHLCV_1D,
        symbols=sorted(grouped),
        partial=lacking.get("partial", []),
        not_found=lacking.get("not_found", []),
        mappings=[SimpleNamespace(raw_symbol=name, intervals=found) for name, found in grouped.items()],
        end=end if isinstance(end, int) else nanoseconds(end or max(days) + timedelta(days=1)),
        limit=lacking.get("limit"),
        ts_out=False,
        version=version,
    )
    body = b"".join(
        bytes(dbn.OHLCVMsg(35, rest[0] if rest else 1, ident, nanoseconds(day), o, h, low, c, volume))
        for day, ident, o, h, low, c, volume, *rest in bars
    )
    return bytes(metadata) + body


def nanoseconds(day: date) -> int:
    return (day - EPOCH).days * DAY
