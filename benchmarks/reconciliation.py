"""B1's trades beside those of the peers, one by one, and why the ones that differ do.

Two tapes: stock-like series, on which every peer can follow the rules it expresses, and the same ones as
difference-adjusted futures, on which none of them can: their percentages are of adjusted prices, ours of
prices as they stood. What that costs is shown twice, with the as-of frame and without it: without it the
trades must be theirs again, so that nothing else is left to explain a difference.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.environments import PeerMissing, PeerProcess
from benchmarks.strategy import Trades, strategy_bars, trades_of
from benchmarks.tapes import rolled_tapes, trending_tapes

SYMBOLS: Final = 20
PEERS: Final = ("vectorbt", "backtesting", "pandas")
_NO = "not expressed"
EXPRESSED: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("trigger C1 to C4, levels", "arrays beforehand", "arrays in init()", "arrays and a row loop"),
    ("grace bars, entry at the next open", "order function", "state in next()", "row loop"),
    ("entry refused by the open", "order function sees the open", "reads the next open before it orders", "row loop"),
    ("thirds, each at its own price", "three sales of one unit", "three trades with a tp each", "row loop"),
    ("target beyond the open fills there", "max(target, open)", "its own limit logic", "max(target, open)"),
    ("stop on a close, filled next open", "order at the next open", "close() fills at the next open", "row loop"),
    ("stop modes 2 and 3, stop_wins", _NO, _NO, _NO),
    ("as-of frame of an adjusted series", _NO, _NO, _NO),
    ("flags, weekly and monthly alignment", _NO, _NO, _NO),
    ("R, mfe, mae, whole lots", "mean fill compared", "mean fill compared", "mean fill compared"),
)  # fmt: skip


@dataclass(frozen=True)
class Reconciled:
    """Closed trades of ours and a peer's on one tape. equal: entry bar, exit bar, entry price and mean fill alike.

    largest_fill_difference: of the trades both have, relative to the price.
    """

    tape: str
    peer: str
    ours: int
    theirs: int
    equal: int
    unequal: int
    only_ours: int
    only_theirs: int
    largest_fill_difference: float
    explanation: str

    def document(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


def reconcile(python: Path | None) -> list[Reconciled]:
    """Every peer that is installed, on both tapes; the rolled one also with our as-of frame left out."""
    from ctl.strategy import b1

    plain = trending_tapes(SYMBOLS)
    rolled, carried = rolled_tapes(SYMBOLS)
    made = {
        "plain": trades_of(b1.run_batch(strategy_bars(plain)), plain),
        "rolled": trades_of(b1.run_batch(strategy_bars(rolled, carried)), rolled),
        "rolled, as-of frame left out": trades_of(b1.run_batch(strategy_bars(rolled)), rolled),
    }
    found: list[Reconciled] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, tapes in {"plain": plain, "rolled": rolled}.items():
            folder = Path(scratch) / name
            tapes.save(folder)
            for peer in PEERS:
                home = Path(sys.executable) if peer == "pandas" else python
                try:
                    if home is None:
                        continue
                    PeerProcess(home, peer, folder).close()
                except PeerMissing:
                    continue
                theirs = np.load(folder / f"{peer}_trades.npy")
                found += [compare(tape, peer, ours, theirs) for tape, ours in made.items() if tape.startswith(name)]
    explained = {item.peer for item in found if item.tape == "rolled, as-of frame left out" and not _differs(item)}
    return [_explained(item, item.peer in explained) for item in sorted(found, key=lambda item: (item.tape, item.peer))]


def compare(tape: str, peer: str, ours: Trades, theirs: npt.NDArray[np.float64]) -> Reconciled:
    """Match trades by symbol and entry bar; theirs: rows of b1_peers. Figures agree within 1e-9 of the price."""
    other = {(int(row[0]), int(row[1])): (float(row[2]), float(row[3]), float(row[4])) for row in theirs}
    both = sorted(ours.keys() & other.keys())
    equal = sum(bool(np.allclose(ours[key], other[key], rtol=1e-9, atol=0)) for key in both)
    apart = [abs(ours[key][2] - other[key][2]) / abs(ours[key][1]) for key in both]
    return Reconciled(
        tape=tape,
        peer=peer,
        ours=len(ours),
        theirs=len(other),
        equal=equal,
        unequal=len(both) - equal,
        only_ours=len(ours) - len(both),
        only_theirs=len(other) - len(both),
        largest_fill_difference=max(apart, default=0.0),
        explanation="",
    )


def _differs(item: Reconciled) -> bool:
    return bool(item.unequal or item.only_ours or item.only_theirs)


def _explained(item: Reconciled, frame_explains: bool) -> Reconciled:
    if not _differs(item):
        text = "nothing differs"
    elif item.tape == "rolled" and frame_explains:
        text = "the slope's as-of frame and the state that follows from it: without it every trade is equal"
    else:
        text = "NOT EXPLAINED"
    return Reconciled(**{**asdict(item), "explanation": text})
