"""B1 on 100 distinct symbols of 5,000 daily bars against vectorbt, backtesting.py, a pandas loop and a memory bound."""

from __future__ import annotations

import statistics
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.environments import PeerMissing, PeerProcess
from benchmarks.measure import Figure, ratio, rounds, worked
from benchmarks.tapes import Floats, Tapes, trending_tapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.strategy.b1 import B1Parameters
    from ctl.strategy.bars import StrategyBars

Trades = dict[tuple[int, int], tuple[float, float, float]]

_PEERS = {"vectorbt": None, "pandas": None, "backtesting": 10}  # symbols; None: all
_TARGETS = {"vectorbt": 30.0}
_NANOSECONDS_PER_BAR = 15.0
_GRID_SECONDS = 1.0
_TITLES = {"vectorbt": "vectorbt", "pandas": "pandas and a Python loop", "backtesting": "backtesting.py"}
_UNEXPRESSED = "peers compute no flags, no higher timeframes, no as-of frame"


def figures(python: Path | None, repeats: int) -> list[Figure]:
    """All lines of this section; peers that are not installed are named in a line's note instead.

    Processor time throughout, of what a user calls: `run_batch` with flags, higher timeframes and metrics.
    """
    from ctl.strategy import b1
    from ctl.strategy.b1 import grid

    tapes = trending_tapes()
    symbols = tapes.close.shape[0]
    bars = strategy_bars(tapes)
    known: dict[str, Any] = {"slippage_per_side": [0.01] * symbols, "tick": [0.01] * symbols}
    variants = sweep_variants()
    contenders = {
        "batch": worked(lambda: b1.run_batch(bars)),
        "batch with slippage stress": worked(lambda: b1.run_batch(bars, **known)),
        "typed": worked(lambda: list(b1.run_batch(bars))),
        "bound": worked(_reading(tapes)),
        "grid": worked(lambda: grid.run(bars, variants, **known, trades=True).portfolios(range(symbols), stress=False)),
        "reruns": worked(lambda: [b1.run_batch(bars, each, **known, stress=False) for each in variants]),
    }
    ours = trades_of(b1.run_batch(bars), tapes)
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

    jobs = {
        "batch": "B1: triggers, trades, flags, metrics as arrays",
        "batch with slippage stress": "the same with slippage stress",
        "typed": "B1 with typed triggers and trades",
    }
    for peer in _PEERS:
        title = _TITLES[peer]
        if peer in missing:
            out.append(Figure(jobs["batch"], "batch", _median(seconds["batch"]), title, 0.0, 0.0, note=missing[peer]))
            continue
        scale = tapes.bars / peers[peer].about["bars"]
        theirs = [value * scale for value in seconds[peer]]
        for name, job in jobs.items():
            asked = peer in _TARGETS and name == "batch"
            out.append(
                Figure(
                    job=job,
                    ours=name,
                    seconds=_median(seconds[name]),
                    peer=f"{title} {peers[peer].about['version']}",
                    peer_seconds=_median(theirs),
                    ratio=ratio(seconds[name], theirs),
                    rate=_per_bar(seconds[name], tapes.bars),
                    target=_TARGETS[peer] if asked else None,
                    agreement=agreements[peer] if name == "batch" else "",
                    note=_UNEXPRESSED if name == "batch" else "",
                    extra={"peer_rate": _per_bar(theirs, tapes.bars)},
                )
            )
    out.append(
        Figure(
            "B1 per bar and core, every flag and higher timeframe",
            "batch",
            _median(seconds["batch"]),
            "bound: reading the five columns",
            _median(seconds["bound"]),
            ratio(seconds["batch"], seconds["bound"]),
            rate=_per_bar(seconds["batch"], tapes.bars),
            most=_NANOSECONDS_PER_BAR * 1e-9 * tapes.bars,
            extra={"peer_rate": _per_bar(seconds["bound"], tapes.bars)},
        )
    )
    job = f"grid of {len(variants)} variants over {symbols} symbols, portfolios"
    out.append(
        Figure(job, "shared pass", _median(seconds["grid"]), "our batch per variant", _median(seconds["reruns"]),
               ratio(seconds["grid"], seconds["reruns"]), most=_GRID_SECONDS,
               agreement="equal to the last bit (tests/property/test_b1_grid_parity.py)")
    )  # fmt: skip
    if "pandas" in seconds:
        peer_seconds = [value * len(variants) for value in seconds["pandas"]]
        out.append(
            Figure(job, "shared pass", _median(seconds["grid"]), "pandas and a Python loop", _median(peer_seconds),
                   ratio(seconds["grid"], peer_seconds),
                   note=f"pandas extrapolated: {len(variants)} times its seconds for one variant")
        )  # fmt: skip
    return out


def sweep_variants() -> list[B1Parameters]:
    """720 registered variants: 6 slopes, 5 counts of air, 4 buffers, 3 graces, 2 swing lookbacks."""
    from ctl.strategy.b1 import B1Parameters

    return [
        B1Parameters(
            slope_threshold=slope,
            min_bars_of_air=air,
            breakdown_buffer_atr=buffer,
            entry_grace_bars=grace,
            swing_lookback=swing,
        )
        for slope, air, buffer, grace, swing in product(
            (4.0, 6.0, 8.0, 10.0, 12.0, 14.0), (3, 4, 6, 8, 10), (0.3, 0.4, 0.5, 0.7), (1, 3, 5), (15, 20)
        )
    ]


def strategy_bars(tapes: Tapes, adjustment: Floats | None = None) -> list[StrategyBars]:
    """One series per symbol; adjustment of shape (symbols, bars), None for none."""
    from ctl import sessions
    from ctl.strategy.bars import StrategyBars

    weeks, months = sessions.week_keys(None, tapes.session), sessions.month_keys(tapes.session)
    return [
        StrategyBars(
            f"S{k:03d}",
            tapes.session,
            tapes.open[k],
            tapes.high[k],
            tapes.low[k],
            tapes.close[k],
            tapes.volume[k],
            None if adjustment is None else adjustment[k],
            weeks,
            months,
            False,
        )
        for k in range(tapes.close.shape[0])
    ]


def _reading(tapes: Tapes) -> Any:
    columns = (tapes.open, tapes.high, tapes.low, tapes.close, tapes.volume)
    return lambda: [column.sum() for column in columns]


def _median(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)


def _per_bar(seconds: Sequence[float], bars: int) -> str:
    return f"{_median(seconds) / bars * 1e9:,.1f} ns/bar"


def trades_of(results: Any, tapes: Tapes) -> Trades:
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


def _agreement(ours: Trades, theirs: Any, symbols: int | None) -> str:
    """Trades equal in entry bar, exit bar, entry price and mean fill (1e-9 relative), counted on both sides."""
    mine = {key: value for key, value in ours.items() if symbols is None or key[0] < symbols}
    peer = {(int(row[0]), int(row[1])): row[2:] for row in theirs}
    both = mine.keys() & peer.keys()
    same = sum(bool(np.allclose(mine[key], peer[key], rtol=1e-9, atol=0)) for key in both)
    only = f"; only ours {len(mine) - len(both)}, only theirs {len(peer) - len(both)}, unequal {len(both) - same}"
    return f"{same} of {len(mine)} trades equal" + ("" if same == len(mine) == len(peer) else only)
