"""The newest prices of one side of the simulated workspace made wrong, in the vendor's own files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import zstandard

TICKS: Final = {"ES": 0.25, "CL": 0.01, "PL": 0.1}
_RECORD: Final = np.dtype([("head", "<u4"), ("id", "<u4"), ("time", "<u8"), ("prices", "<i8", 4), ("volume", "<u8")])


@dataclass(frozen=True)
class Bars:
    """Rows of a file in its order: position of the session among all (n), contract (n), open to close (n, 4)."""

    session: npt.NDArray[np.int64]
    contract: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float64]

    def newest(self, count: int) -> npt.NDArray[np.bool_]:
        return self.session > self.session.max() - count


Change = Callable[[Bars, float], npt.NDArray[np.float64]]
"""Given a file's bars and the mean true range of the newest sessions: the prices as they shall stand."""


def on_newest(change: Callable[[npt.NDArray[np.float64], float], npt.NDArray[np.float64]], sessions: int = 1) -> Change:
    return lambda bars, atr: np.where(bars.newest(sessions)[:, None], change(bars.prices, atr), bars.prices)


def session_late(bars: Bars, atr: float) -> npt.NDArray[np.float64]:
    """On the newest 20 sessions each contract has its prices of the session before."""
    out = bars.prices.copy()
    for contract in np.unique(bars.contract):
        at = np.flatnonzero(bars.contract == contract)
        out[at[1:]] = bars.prices[at[:-1]]
    return np.where(bars.newest(20)[:, None], out, bars.prices)


def canonical(workspace: Path, symbol: str) -> Path:
    (path,) = (workspace / "data/raw/databento" / symbol).glob("*.ohlcv-1d.*")
    return path


def references(workspace: Path, symbol: str) -> list[Path]:
    return sorted((workspace / "data/raw/tradestation").glob(f"TS_{symbol}_CUSTOM_*.csv"))


def damage(workspace: Path, symbol: str, side: str, change: Change | None) -> None:
    """Change the prices of one side; None takes its newest 7 sessions away."""
    tick, atr = TICKS[symbol], _true_range(references(workspace, symbol)[0])
    paths = references(workspace, symbol) if side == "reference" else [canonical(workspace, symbol)]
    for path in paths:
        content = path.read_bytes()
        packed = path.suffix == ".zst"
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(content) if packed else content
        made = _records(raw, change, atr, tick) if ".dbn" in path.name else _lines(raw, change, atr, tick)
        path.write_bytes(zstandard.ZstdCompressor().compress(made) if packed else made)


def _changed(bars: Bars, change: Change, atr: float, tick: float) -> npt.NDArray[np.float64]:
    made = change(bars, atr)
    return np.where(made == bars.prices, bars.prices, np.round(made / tick) * tick)


def _records(raw: bytes, change: Change | None, atr: float, tick: float) -> bytes:
    head = 8 + int.from_bytes(raw[4:8], "little")
    rows = np.frombuffer(raw, _RECORD, offset=head).copy()
    session = np.unique(rows["time"], return_inverse=True)[1]
    bars = Bars(session, rows["id"].astype(np.int64), rows["prices"] / 1e9)
    if change is None:
        rows = rows[~bars.newest(7)]
    else:
        rows["prices"] = np.rint(_changed(bars, change, atr, tick) * 1e9)
    return raw[:head] + rows.tobytes()


def _lines(raw: bytes, change: Change | None, atr: float, tick: float) -> bytes:
    """Databento's ts_event, rtype, publisher_id, instrument_id, open, ...; TradeStation's Date, Time, Open, ..."""
    first, *lines = raw.decode().splitlines()
    rows = [line.split(",") for line in lines]
    at, theirs = (4, False) if first.startswith("ts_event") else (2, True)
    days = [row[0][6:10] + row[0][:5] if theirs else row[0][:10] for row in rows]
    contract = [0 if theirs else int(row[3]) for row in rows]
    bars = Bars(
        np.unique(days, return_inverse=True)[1], np.array(contract), np.array([row[at : at + 4] for row in rows], float)
    )
    if change is None:
        rows = [row for row, gone in zip(rows, bars.newest(7), strict=True) if not gone]
    else:
        for row, prices, before in zip(rows, _changed(bars, change, atr, tick), bars.prices, strict=True):
            if (prices != before).any():
                row[at : at + 4] = [f"{price:.2f}" if theirs else f"{price:.9f}" for price in prices]
    return "\n".join([first, *(",".join(row) for row in rows), ""]).encode()


def _true_range(path: Path) -> float:
    rows = [line.split(",")[3:6] for line in path.read_text().splitlines()[-61:]]
    high, low, close = np.array(rows, float).T
    return float((np.fmax(high[1:], close[:-1]) - np.fmin(low[1:], close[:-1])).mean())
