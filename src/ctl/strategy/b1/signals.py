"""B1's triggers and what they came to, as arrays: all that a comparison of two series needs of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctl.strategy.b1 import kernel
from ctl.strategy.b1.parameters import B1Parameters
from ctl.strategy.b1.simulation import closed_trades, simulate
from ctl.strategy.bars import Floats, Panel, Sessions, StrategyBars


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Triggers of one symbol, oldest first (n).

    trigger_session: datetime64[D]. exit_session: datetime64[D] of the last fill, NaT where no trade closed.
    r_theoretical: float64, the closed trade's result, NaN likewise.
    """

    trigger_session: Sessions
    exit_session: Sessions
    r_theoretical: Floats


def run_signals(
    bars: Sequence[StrategyBars],
    params: B1Parameters | None = None,
    *,
    slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
) -> list[Signals]:
    """The triggers and closed trades of `run_batch` on daily bars, without levels, metrics and slippage stress.

    One result per symbol, in the order given. params: None means the daily defaults. Raises UsageError for
    unusable costs.
    """
    if not bars:
        return []
    events = simulate(Panel.of(bars), params or B1Parameters(), slippage_per_side=slippage_per_side, tick=tick)
    found = []
    for symbol, item in enumerate(bars):
        rows, values = events.of(symbol)
        closed = closed_trades(rows)
        exits = np.full(len(rows), np.datetime64("NaT", "D"))
        exits[closed] = item.session[rows[closed, kernel.I_EXIT]]
        results = np.where(closed, values[:, kernel.F_R_THEORETICAL], np.nan)
        found.append(Signals(item.session[rows[:, kernel.I_BAR]], exits, results))
    return found
