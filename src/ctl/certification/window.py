"""Both sides on their shared sessions: what our side and the reference are, laid over each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ctl.arrays import Floats, Ints
from ctl.certification.contract_closes import ContractCloses
from ctl.certification.newest_range import earlier_ranges, newest_range
from ctl.certification.our_side import OurSide
from ctl.certification.overlap import INSUFFICIENT_OVERLAP, Overlap, build_overlap
from ctl.certification.recovery.reference import RecoveredReference, recover
from ctl.certification.series_arrays import CanonicalArrays, HeldContracts, days_of
from ctl.errors import DataError
from ctl.model.findings import NotRun
from ctl.model.rolls import ContinuousSeries, ReferenceRoll, RollSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.log_points import LogPoints
    from ctl.certification.request import CertifyRequest
    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference
    from ctl.model.rolls import Roll


EDGE_SESSIONS: Final = 10
_told: Final = attrgetter("gap_session", "roll_date", "from_contract", "to_contract", "gap")


class WindowRoll(NamedTuple):
    """A roll of either side with its place in the window; a tuple, because a symbol has hundreds.

    gap_index, roll_index: positions on `Overlap.union` of the gap session and of the first union session on
    or after roll_date. edge: too near an edge of the window to judge (counts only where it pairs).
    """

    gap_session: date
    roll_date: date
    from_contract: str | None
    to_contract: str | None
    gap: float | None
    source: RollSource
    gap_index: int
    roll_index: int
    edge: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Both sides over their overlap, and the rolls of either inside it.

    ours: our series beyond the overlap as well. atr: mean true range of the newest sessions, the smaller side's.

    request, canonical and every close are in log points where the reference is adjusted by ratios.
    """

    request: CertifyRequest
    canonical: ContinuousSeries | DailySeries
    ours: CanonicalArrays
    reference: Reference
    closes: ContractCloses
    recovered: RecoveredReference
    overlap: Overlap
    canonical_rolls: tuple[WindowRoll, ...]
    reference_rolls: tuple[WindowRoll, ...]
    atr: float
    log_points: LogPoints | None = None

    @property
    def ranges(self) -> Floats:
        """`atr` on every shared session, less where the market moved less (T)."""
        return earlier_ranges(self.overlap.canonical_adjusted, self.atr)

    def prices(self, values: Floats) -> Floats:
        """Prices of this window's closes, which are log points where the reference is adjusted by ratios."""
        return values if self.log_points is None else self.log_points.prices(values)


def both_sides(request: CertifyRequest) -> tuple[ContinuousSeries | DailySeries, Reference] | NotRun:
    """Our series and the reference, or which of them is missing."""
    if request.canonical is None:
        return NotRun("no canonical series")
    reference = request.reference
    if reference is None or (reference.adjusted is None and reference.unadjusted is None):
        return NotRun("no reference")
    return request.canonical, reference


def read_reference(request: CertifyRequest, ours: OurSide) -> RecoveredReference | NotRun:
    """The contracts and rolls of the reference; NOT_RUN where a side is missing or no basis is common to both."""
    sides = both_sides(request)
    if isinstance(sides, NotRun):
        return sides
    if request.equity_basis is not None and request.equity_basis.refusal is not None:
        code, text = request.equity_basis.refusal
        return NotRun(text, code=code)
    series, reference = sides
    rolls = isinstance(series, ContinuousSeries) and bool(series.rolls)
    return recover(
        ours.closes,
        reference,
        tick=request.tick,
        bars=request.contracts,
        our_series=HeldContracts(ours.canonical.sessions, ours.canonical.contract) if rolls else None,
        max_day_delta=request.max_day_delta,
    )


def build_window(
    request: CertifyRequest,
    canonical: CanonicalArrays,
    closes: ContractCloses,
    recovered: RecoveredReference | NotRun,
    log_points: LogPoints | None = None,
) -> Window | NotRun:
    """Both sides over each other; NOT_RUN with the code INSUFFICIENT_OVERLAP where they never overlap in time."""
    sides = both_sides(request)
    if isinstance(sides, NotRun):
        return sides
    if isinstance(recovered, NotRun):
        return recovered
    series, reference = sides
    try:
        overlap = build_overlap(canonical, recovered)
    except DataError as error:
        if error.code != INSUFFICIENT_OVERLAP:
            raise
        return NotRun(str(error), code=error.code)
    rolls = series.rolls if isinstance(series, ContinuousSeries) else ()
    return Window(
        request,
        series,
        canonical,
        reference,
        closes,
        recovered,
        overlap,
        place_rolls(overlap, rolls),
        place_rolls(overlap, recovered.rolls),
        newest_range(overlap, series, reference),
        log_points,
    )


def place_rolls(overlap: Overlap, rolls: Sequence[Roll] | Sequence[ReferenceRoll]) -> tuple[WindowRoll, ...]:
    """The rolls that happen inside the window (first < roll_date <= last), in order, with EDGE marked."""
    inside = [roll for roll in rolls if overlap.first < roll.roll_date <= overlap.last]
    if not inside:
        return ()
    union = overlap.union
    gap_days = days_of([roll.gap_session for roll in inside])
    roll_days = days_of([roll.roll_date for roll in inside])
    gap_index = np.maximum(np.searchsorted(union, gap_days, side="right") - 1, 0)
    roll_index = np.searchsorted(union, roll_days)
    edge = np.minimum(gap_index, union.size - 1 - gap_index) <= EDGE_SESSIONS
    same = np.flatnonzero(overlap.same_contract)
    if same.size:
        edge |= (roll_days <= overlap.sessions[same[0]]) | (roll_days > overlap.sessions[same[-1]])
    sources = [roll.source if isinstance(roll, ReferenceRoll) else "canonical" for roll in inside]
    placed = (sources, gap_index.tolist(), roll_index.tolist(), edge.tolist())
    return tuple(map(WindowRoll, *zip(*map(_told, inside), strict=True), *placed))


def roll_starts(overlap: Overlap, *sides: Sequence[WindowRoll]) -> Ints:
    """Positions on `Overlap.sessions` of the first shared session on or after each roll date, ascending, once each.

    A position equal to the number of sessions belongs to a roll after the last of them.
    """
    starts = np.array([roll.roll_index for rolls in sides for roll in rolls], dtype=np.int64)
    return np.unique(np.searchsorted(overlap.union_index, starts)).astype(np.int64)
