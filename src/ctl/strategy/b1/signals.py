"""B1's triggers and what they came to, as arrays: all that a comparison of two series needs of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctl.strategy.b1.batch import run_batch
from ctl.strategy.b1.parameters import B1Parameters
from ctl.strategy.b1.records import closed
from ctl.strategy.bars import Floats, Sessions, StrategyBars


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
    """The triggers and closed trades of `run_batch` on daily bars, one result per symbol, in the order given.

    params: None means the daily defaults. Raises UsageError for unusable costs.
    """
    batch = run_batch(bars, params, slippage_per_side=slippage_per_side, tick=tick, stress=False)
    found = []
    for symbol, item in enumerate(bars):
        events = batch.events_of(symbol)
        done = closed(events)
        exits = np.full(len(events), np.datetime64("NaT", "D"))
        exits[done] = item.session[events["exit_bar"][done]]
        results = np.where(done, events["r_theoretical"], np.nan)
        found.append(Signals(item.session[events["trigger_bar"]], exits, results))
    return found
