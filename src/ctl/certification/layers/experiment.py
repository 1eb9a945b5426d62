"""L5 by experiment: the reference's ingredients put into our series one at a time, the strategy run after each.

What a trade's R changes by when an ingredient goes in is that ingredient's: nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Floats
from ctl.certification.functional_input import FunctionalSide, TradedBars
from ctl.certification.series_arrays import canonical_arrays, carried_of, shared_rows
from ctl.errors import DataError
from ctl.model.findings import NotRun
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.request import CertifyRequest
    from ctl.certification.window import Window
    from ctl.model.bars import DailySeries


ROLLS: Final = "rolls and gaps"
CLOSES: Final = "closes"
RANGES: Final = "opens with highs and lows"
SESSIONS: Final = "sessions"
UNEXPLAINED: Final = "unexplained"
# Sums of prices and of what they carry are exact to less; the strategy's comparisons must not turn on it.
_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class Experiment:
    """What the strategy did after each ingredient, in the order in which they were put in (n each)."""

    order: tuple[str, ...]
    sides: tuple[FunctionalSide, ...]


def run(request: CertifyRequest, window: Window, on_reference_rolls: ContinuousSeries | NotRun) -> Experiment | NotRun:
    """Run the strategy on our series with the reference's rolls and gaps, then its closes too, and so on.

    on_reference_rolls: our contracts on the reference's recovered rolls; not needed of a share, which has none.
    """
    ours, reference = request.canonical, request.reference
    if request.run_bars is None or ours is None or reference is None or reference.adjusted is None:
        return NotRun("the strategy cannot be run on series between ours and the reference's")
    if window.log_points is not None:
        return NotRun("the reference is adjusted by ratios: its gaps cannot be put into prices")
    if request.contracts is None:
        theirs = _bars(reference.adjusted, carried_of(reference.adjusted.frame))
        made = [*put_in(*_overlapping(_bars(ours, carried_of(ours.frame)), theirs))]
    elif isinstance(on_reference_rolls, NotRun):
        return NotRun(f"the reference's rolls cannot be put in: {on_reference_rolls.reason}")
    else:
        theirs = _bars(reference.adjusted, _recovered(window, reference.adjusted))
        with_rolls, theirs = _overlapping(_on_their_gaps(window, on_reference_rolls), theirs)
        made = [(ROLLS, with_rolls), *put_in(with_rolls, theirs)]
    return Experiment(tuple(name for name, _ in made), tuple(request.run_bars([bars for _, bars in made])))


def put_in(ours: TradedBars, theirs: TradedBars) -> tuple[tuple[str, TradedBars], ...]:
    """Our bars with their closes; with their opens, highs and lows as well; and on their sessions, which is theirs.

    Both on one level. Sessions of ours alone keep our bar until sessions are put in.
    """
    here, there = shared_rows(ours.sessions, theirs.sessions)

    def taken(name: str) -> Floats:
        values: Floats = getattr(ours, name).copy()
        values[here] = getattr(theirs, name)[there]
        return values

    closes = replace(ours, close=taken("close"))
    ranges = replace(closes, open=taken("open"), high=taken("high"), low=taken("low"))
    return (CLOSES, closes), (RANGES, ranges), (SESSIONS, theirs)


def _bars(series: ContinuousSeries | DailySeries, carried: Floats) -> TradedBars:
    frame = series.frame
    prices = {
        name: np.round(frame.get_column(name).to_numpy().astype(np.float64), _DECIMALS)
        for name in ("open", "high", "low", "close")
    }
    return TradedBars(frame.get_column("session").to_numpy().astype("datetime64[D]"), **prices, carried=carried)


def _recovered(window: Window, adjusted: DailySeries) -> Floats:
    """What each bar of the reference carries: where it lacks a close, what the next one with it does; 0 behind all."""
    recovered = window.recovered
    carried = recovered.adjusted - recovered.unadjusted
    known = np.isfinite(carried)
    days = adjusted.frame.get_column("session").to_numpy().astype("datetime64[D]")
    return np.append(carried[known], 0.0)[np.searchsorted(recovered.sessions[known], days)]


def _on_their_gaps(window: Window, on_reference_rolls: ContinuousSeries) -> TradedBars:
    """Our contracts' bars on the reference's rolls, each carrying what the reference's bar carries.

    A session on which the reference has no bar, or another contract, carries what our own gaps make of the session
    before it that has.
    """
    recovered = window.recovered
    own = canonical_arrays(on_reference_rolls, recovered.contracts)
    bars = _bars(on_reference_rolls, carried_of(on_reference_rolls.frame))
    theirs = recovered.adjusted - recovered.unadjusted
    here, there = shared_rows(own.sessions, recovered.sessions)
    alike = np.isfinite(theirs[there]) & (own.contract[here] == recovered.contract_on_day[there])
    here, there = here[alike], there[alike]
    if not here.size:
        raise DataError("on no session do our contracts on the reference's rolls meet the reference's")
    last = np.maximum(np.searchsorted(here, np.arange(own.sessions.size), side="right") - 1, 0)
    carried = theirs[there[last]] + (bars.carried - bars.carried[here[last]])
    by = carried - bars.carried
    moved = {name: np.round(getattr(bars, name) + by, _DECIMALS) for name in ("open", "high", "low", "close")}
    return TradedBars(bars.sessions, **moved, carried=carried)


def _overlapping(ours: TradedBars, theirs: TradedBars) -> tuple[TradedBars, TradedBars]:
    """Both from the later first to the earlier last session, both inclusive."""
    first = max(ours.sessions[0], theirs.sessions[0])
    last = min(ours.sessions[-1], theirs.sessions[-1])
    return ours.between(first, last), theirs.between(first, last)
