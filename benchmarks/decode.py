"""Databento DBN to canonical contract bars against the vendor's own client, and against undoing the compression.

In processor time of the calling thread: neither of the two decodes in another one.
"""

from __future__ import annotations

import statistics
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import Figure, ratio, rounds, worked
from benchmarks.tapes import ContractPanel, contract_panel

_MONTHS = "FGHJKMNQUVXZ"


def write_dbn(panel: ContractPanel, path: Path, root: str = "ES") -> None:
    """The panel as a zstd-compressed ohlcv-1d file of one parent, symbols mapped by dated metadata."""
    import databento_dbn as dbn
    import zstandard

    deliveries, at = np.unique(panel.delivery, return_inverse=True)
    names = [f"{root}{_MONTHS[each % 12]}{each // 12 % 100:02d}" for each in deliveries.tolist()]
    records = np.zeros(panel.rows, dtype=np.dtype(dbn.OHLCVMsg._dtypes))
    records["length"], records["rtype"], records["publisher_id"] = records.dtype.itemsize // 4, 35, 1
    records["instrument_id"] = 1000 + at
    records["ts_event"] = panel.session.astype("datetime64[ns]").astype(np.uint64)
    for name in ("open", "high", "low", "close"):
        records[name] = np.round(getattr(panel, name) * 1e9).astype(np.int64)
    records["volume"] = panel.volume
    first, last = panel.session[0], panel.session[-1] + np.timedelta64(1, "D")
    span = {"start_date": first.astype(object), "end_date": last.astype(object)}
    mappings = [  # the encoder reads these two shapes by attribute
        SimpleNamespace(raw_symbol=name, intervals=[SimpleNamespace(**span, symbol=str(1000 + n))])
        for n, name in enumerate(names)
    ]
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=int(first.astype("datetime64[ns]").astype(np.int64)),
        end=int(last.astype("datetime64[ns]").astype(np.int64)),
        stype_in=dbn.SType.from_str("parent"),
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=dbn.Schema.from_str("ohlcv-1d"),
        symbols=[f"{root}.FUT"],
        partial=[],
        not_found=[],
        mappings=mappings,
    )
    path.write_bytes(zstandard.ZstdCompressor(level=3).compress(metadata.encode() + records.tobytes()))


def figures(repeats: int) -> list[Figure]:
    """All lines of this section."""
    import databento
    import zstandard

    from ctl import ingest

    panel = contract_panel(years=20, listed=80)
    instruments = ingest.load_instruments()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "glbx-mdp3-es.ohlcv-1d.dbn.zst"
        write_dbn(panel, path)

        def ours() -> object:
            return ingest.read_contracts([path], "ES", instruments=instruments)

        def theirs() -> object:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the client's own use of pandas
                return databento.DBNStore.from_file(path).to_df(map_symbols=True)

        def array() -> object:
            return _mapped(databento.DBNStore.from_file(path))

        def unpacked() -> object:
            return zstandard.ZstdDecompressor().decompress(path.read_bytes(), max_output_size=1 << 30)

        bars, frame = ingest.read_contracts([path], "ES", instruments=instruments), theirs()
        equal = _agree(bars, frame)
        jobs = {"ctl": worked(ours), "to_df": worked(theirs), "to_ndarray": worked(array), "zstd": worked(unpacked)}
        seconds = rounds(jobs, repeats)
    mine = statistics.median(seconds["ctl"])
    peers = {
        "to_df": f"databento {databento.__version__} to_df",
        "to_ndarray": f"databento {databento.__version__} to_ndarray, symbols and prices by numpy",
        "zstd": "bound: zstd undone, nothing read",
    }
    return [
        Figure(
            job="DBN decode, symbols mapped, checked and ordered by contract",
            ours="read_contracts",
            seconds=mine,
            peer=name,
            peer_seconds=statistics.median(seconds[key]),
            ratio=ratio(seconds["ctl"], seconds[key]),
            rate=f"{panel.rows / mine / 1e6:,.1f} M rows/s of a core",
            most=panel.rows / 10e6,  # ten million rows a second
            agreement=equal if key == "to_df" else "",
            extra={"rows": panel.rows},
        )
        for key, name in peers.items()
    ]


def _mapped(store: Any) -> tuple[np.ndarray, ...]:
    """What a skilled user makes of the client's array: days, symbols by instrument, prices as floats."""
    records = store.to_ndarray()
    named = {int(each["symbol"]): text for text, found in store.mappings.items() for each in found}
    idents = np.array(sorted(named))
    symbols = np.array([named[ident] for ident in idents.tolist()])[np.searchsorted(idents, records["instrument_id"])]
    prices = tuple(records[name] / 1e9 for name in ("open", "high", "low", "close"))
    return (records["ts_event"].astype("datetime64[ns]").astype("datetime64[D]"), symbols, *prices, records["volume"])


def _agree(bars: Any, frame: Any) -> str:
    """Closes compared bar by bar; theirs of holidays, which we fold into the session that follows, are counted."""
    found = frame.reset_index()
    theirs = pl.DataFrame(
        {
            "session": found["ts_event"].dt.tz_localize(None).to_numpy().astype("datetime64[D]"),
            "contract": found["symbol"].to_list(),
            "their_close": found["close"].to_numpy(),
        }
    )
    both = bars.frame.join(theirs, on=["session", "contract"])
    equal = int((both["close"] - both["their_close"]).abs().le(1e-9).sum())
    folded = bars.meta.counts.get("holiday_bars_folded", 0)
    return f"{equal} of {bars.frame.height} closes equal; with {folded} bars of holidays folded {len(theirs)} of theirs"
