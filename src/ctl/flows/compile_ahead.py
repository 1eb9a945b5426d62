"""Compile what a first weekly run needs while something else is done, in processes beside this one.

Numba compiles on one core at a time. `ctl demo` starts this before it generates its market, so that the first gate
and run find their kernels compiled.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Final


def start() -> list[subprocess.Popen[bytes]]:
    """Begin to compile; nothing is begun where the code is kept already, or cannot be kept."""
    from ctl import kernels
    from ctl.certification.recovery.fingerprint import close_cost
    from ctl.ingest.fold_kernels import merge
    from ctl.strategy.b1.kernel import run_pair

    jobs: dict[str, Callable[..., object]] = {"strategy": run_pair, "certification": close_cost, "ingest": merge}
    return [
        subprocess.Popen(  # noqa: S603 - this interpreter, on this module
            [sys.executable, "-m", __name__, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for name, needed in jobs.items()
        if kernels.to_compile(needed)
    ]  # fmt: skip


def finish(started: list[subprocess.Popen[bytes]]) -> None:
    """Wait for what was begun. How it ended does not matter: what is missing is compiled when it is used."""
    for process in started:
        process.wait()


def _strategy() -> None:
    from ctl.strategy.b1 import fingerprint, tape, trigger_margins
    from ctl.strategy.metrics import closed_sums

    fingerprint()
    bars = tape.daily_tape()[0]
    trigger_margins(bars, sessions=bars.session[-1:])
    closed_sums([])


def _certification() -> None:
    """Build and certify a small generated pair, without the strategy."""
    from ctl import certification
    from ctl.flows.series import build_series
    from ctl.model.rolls import RollPolicy
    from ctl.power.vendor_pairs import Market, generate

    pair = generate(Market(seed=1, contracts=6))
    series = build_series(pair.contracts, RollPolicy())
    certification.certify(
        certification.CertifyRequest(
            symbol=pair.root, root=pair.root, tick=pair.tick, max_day_delta=3, quote_unit="points",
            contracts=pair.contracts, canonical=series, reference=pair.reference, calendar_sessions=pair.sessions,
        )
    )  # fmt: skip


def _ingest() -> None:
    """Read a DBN file of one bar."""
    import databento_dbn as dbn
    import numpy as np

    from ctl import ingest

    day = np.datetime64("2024-01-02")
    bar = np.zeros(1, dtype=np.dtype(dbn.OHLCVMsg._dtypes))
    bar["length"], bar["rtype"], bar["ts_event"] = bar.dtype.itemsize // 4, 35, day.astype("datetime64[ns]").view("u8")
    interval = SimpleNamespace(start_date=day.item(), end_date=(day + 1).item(), symbol="0")
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=int(bar["ts_event"][0]),
        end=None,
        stype_in=dbn.SType.from_str("raw_symbol"),
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=dbn.Schema.from_str("ohlcv-1d"),
        symbols=["ESH4"],
        partial=[],
        not_found=[],
        mappings=[SimpleNamespace(raw_symbol="ESH4", intervals=[interval])],
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.dbn"
        path.write_bytes(metadata.encode() + bar.tobytes())
        ingest.read_contracts([path], "ES", instruments=ingest.load_instruments())


_JOBS: Final = {"strategy": _strategy, "certification": _certification, "ingest": _ingest}

if __name__ == "__main__":
    _JOBS[sys.argv[1]]()
