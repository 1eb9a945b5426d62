"""B1 on 100 distinct symbols of 5,000 daily bars against vectorbt, backtesting.py, a pandas loop and a memory bound."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.environments import PeerMissing, PeerProcess
from benchmarks.measure import Figure, clocked, ratio, rounds
from benchmarks.tapes import Tapes, trending_tapes

if TYPE_CHECKING:
    from collections.abc import Sequence

_PEERS = {"vectorbt": None, "pandas": None, "backtesting": 10}  # symbols; None: all
_TARGETS = {"vectorbt": 30.0}
_TITLES = {"vectorbt": "vectorbt", "pandas": "pandas and a Python loop", "backtesting": "backtesting.py"}
_UNEXPRESSED = "peers compute no flags, no higher timeframes, no as-of frame"


def figures(python: Path | None, repeats: int) -> list[Figure]:
    """All lines of this section; peers that are not installed are named in a line's note instead."""
    from ctl import sessions
    from ctl.strategy import b1
    from ctl.strategy.b1.simulation import simulate
    from ctl.strategy.bars import Panel, StrategyBars

    tapes = trending_tapes()
    symbols = tapes.close.shape[0]
    weeks, months = sessions.week_keys(None, tapes.session), sessions.month_keys(tapes.session)
    bars = [
        StrategyBars(
            f"S{k:03d}",
            tapes.session,
            tapes.open[k],
            tapes.high[k],
            tapes.low[k],
            tapes.close[k],
            tapes.volume[k],
            None,
            weeks,
            months,
            False,
        )
        for k in range(symbols)
    ]
    panel = Panel.of(bars)
    params = b1.B1Parameters()
    costs: dict[str, Any] = {"slippage_per_side": [0.0] * symbols, "tick": [None] * symbols}

    contenders = {
        "kernel": clocked(lambda: simulate(panel, params, **costs)),
        "batch": clocked(lambda: b1.run_batch(bars, params, threads=1)),
        "bound": clocked(_reading(tapes)),
    }
    ours = _trades(b1.run_batch(bars, params, threads=1), tapes)
    out: list[Figure] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tapes.save(folder)
        peers: dict[str, PeerProcess] = {}
        missing: dict[str, str] = {}
        for peer, count in _PEERS.items():
            try:
                home = Path(sys.executable) if peer == "pandas" else python
                if home is None:
                    raise PeerMissing("not installed: python -m benchmarks --install-peers")
                peers[peer] = PeerProcess(home, peer, folder, count)
                contenders[peer] = peers[peer].run
            except PeerMissing as why:
                missing[peer] = str(why)
        seconds = rounds(contenders, repeats)
        for process in peers.values():
            process.close()
        agreements = {peer: _agreement(ours, np.load(folder / f"{peer}_trades.npy"), _PEERS[peer]) for peer in peers}

    kernel, batch = seconds["kernel"], seconds["batch"]
    for peer in _PEERS:
        title = _TITLES[peer]
        if peer in missing:
            out.append(Figure("B1 detect and simulate", "kernel", _median(kernel), title, 0.0, 0.0, note=missing[peer]))
            continue
        scale = tapes.bars / peers[peer].about["bars"]
        theirs = [value * scale for value in seconds[peer]]
        title = f"{title} {peers[peer].about['version']}"
        for name, mine in (("kernel", kernel), ("batch", batch)):
            out.append(
                Figure(
                    job="B1 detect and simulate" if name == "kernel" else "B1 with typed triggers, trades, metrics",
                    ours=name,
                    seconds=_median(mine),
                    peer=title,
                    peer_seconds=_median(theirs),
                    ratio=ratio(mine, theirs),
                    rate=_per_bar(mine, tapes.bars),
                    target=_TARGETS.get(peer) if name == "kernel" else None,
                    agreement=agreements[peer] if name == "kernel" else "",
                    note=_UNEXPRESSED if name == "kernel" else "",
                    extra={"peer_rate": _per_bar(theirs, tapes.bars)},
                )
            )
    out.append(
        Figure(
            "B1 detect and simulate",
            "kernel",
            _median(kernel),
            "bound: reading the five columns",
            _median(seconds["bound"]),
            ratio(kernel, seconds["bound"]),
            rate=_per_bar(kernel, tapes.bars),
            extra={"peer_rate": _per_bar(seconds["bound"], tapes.bars)},
        )
    )
    return out


def _reading(tapes: Tapes) -> Any:
    columns = (tapes.open, tapes.high, tapes.low, tapes.close, tapes.volume)
    return lambda: [column.sum() for column in columns]


def _median(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)


def _per_bar(seconds: Sequence[float], bars: int) -> str:
    return f"{_median(seconds) / bars * 1e9:,.1f} ns/bar"


def _trades(results: Any, tapes: Tapes) -> dict[tuple[int, int], tuple[float, float, float]]:
    """Our closed trades as (symbol, entry bar) -> (exit bar, entry price, mean fill of the thirds)."""
    position = {session: n for n, session in enumerate(tapes.session.astype(object))}
    return {
        (symbol, position[trade.entry_session]): (
            position[trade.exit_session],
            trade.entry_price,
            trade.entry_price + trade.r_theoretical * trade.risk,
        )
        for symbol, result in enumerate(results)
        for trade in result.trades
    }


def _agreement(ours: dict[tuple[int, int], tuple[float, float, float]], theirs: Any, symbols: int | None) -> str:
    """Trades equal in entry bar, exit bar, entry price and mean fill (1e-9 relative), counted on both sides."""
    mine = {key: value for key, value in ours.items() if symbols is None or key[0] < symbols}
    peer = {(int(row[0]), int(row[1])): row[2:] for row in theirs}
    both = mine.keys() & peer.keys()
    same = sum(bool(np.allclose(mine[key], peer[key], rtol=1e-9, atol=0)) for key in both)
    only = f"; only ours {len(mine) - len(both)}, only theirs {len(peer) - len(both)}, unequal {len(both) - same}"
    return f"{same} of {len(mine)} trades equal" + ("" if same == len(mine) == len(peer) else only)
