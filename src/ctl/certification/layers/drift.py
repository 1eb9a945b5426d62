"""L4: how far apart do the two adjusted series run, once the constant between them is taken off?"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Days, Floats, Ints
from ctl.certification.acceptance import LIMITS_V1
from ctl.certification.layers import ledger, prints
from ctl.certification.recovery import adjustment
from ctl.certification.series_arrays import median, percentile
from ctl.certification.tolerance import watch_above
from ctl.certification.window import roll_starts
from ctl.errors import DataError
from ctl.model.certificate import (
    AlignedOn,
    AligningRule,
    DriftFigures,
    DriftInterval,
    LevelDifference,
    LevelDriftFigures,
)
from ctl.model.documents import Records
from ctl.model.findings import LayerName, LayerResult, NotRun, in_ticks, worst_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.layers.prints import WindowPrints
    from ctl.certification.layers.roll_schedule import RollAlignment
    from ctl.certification.overlap import Overlap
    from ctl.certification.window import Window, WindowRoll


LAYER: Final[LayerName] = "L4"
BASES_DIFFER: Final = "BASES_DIFFER"


@dataclass(frozen=True, slots=True)
class AligningRun:
    """The shared sessions that the constant between both series is measured on.

    start, end: positions on `Overlap.sessions`, both inclusive. contract: index of the one contract that
    both sides hold there, -1 where unknown.
    """

    start: int
    end: int
    contract: int
    rule: AligningRule

    @property
    def window(self) -> slice:
        """The run as a slice of the overlap's arrays."""
        return slice(self.start, self.end + 1)


@dataclass(frozen=True, slots=True)
class Drift:
    """D(t) over the shared sessions (n), in quote units, and what is published of it."""

    d: Floats
    figures: DriftFigures


@dataclass(frozen=True, slots=True)
class ExplainedDrift:
    """The drift of a window and the ledger that it is the sum of."""

    drift: Drift
    ledger: ledger.Ledger


def check(
    window: Window | NotRun, alignment: RollAlignment, isolated: WindowPrints | NotRun | None = None
) -> LayerResult[ExplainedDrift]:
    """The layer: drift and its ledger. alignment: names the blocks where contracts are unknown; may be empty.

    isolated: the window's prints; None: looked for here.
    """
    if isinstance(window, NotRun):
        return LayerResult.absent(LAYER, window)
    measured = explain(window, alignment, isolated)
    if isinstance(measured, NotRun):
        return LayerResult.absent(LAYER, measured)
    overlap, request, drift, book = window.overlap, window.request, measured.drift, measured.ledger
    limit = LIMITS_V1.max_mean_drift
    figures = drift.figures
    mean, most = (in_ticks(value, request.tick) for value in (figures.mean_drift, figures.max_drift))
    text = f"mean drift {mean}, at most {most}, over {overlap.sessions.size} sessions"
    findings = (
        watch_above("mean_drift", text, "MEAN_DRIFT", figures.mean_drift, limit, request.quote_unit),
        book.finding(),
        # Ratios against ratios are told with the identity: here they are differences on both sides.
        *([] if window.log_points else adjustment.mismatch(window.canonical, window.recovered, tick=request.tick)),
    )
    status = worst_status(made.status for made in findings)
    if request.contracts is None:
        # Without contracts, as for equities, the levels themselves are to agree: nothing is rolled or aligned.
        level = np.abs(overlap.canonical_adjusted - overlap.reference_adjusted)
        published = {field.name: getattr(figures, field.name) for field in fields(figures)}
        difference = LevelDifference(float(level.mean()), float(level.max()))
        figures = LevelDriftFigures(**published, level_difference=difference)
    return LayerResult.of(LAYER, status, text, findings, measured=measured, figures=figures)


def explain(
    window: Window, alignment: RollAlignment, isolated: WindowPrints | NotRun | None = None
) -> ExplainedDrift | NotRun:
    """Drift and ledger of a window, or why its sides are not compared; arguments as for `check`."""
    overlap = window.overlap
    if not overlap.has_reference_adjusted:
        return NotRun("the reference ships no adjusted series and states no gaps to build one from")
    refused = _bases_refused(window)
    if refused:
        return NotRun(refused, code=BASES_DIFFER)
    drift = measure(overlap, window.canonical_rolls, window.reference_rolls)
    single = prints.of_window(window) if isolated is None or isinstance(isolated, NotRun) else isolated
    book = _ledger(window, alignment, single)
    scale = max(1.0, float(np.abs(overlap.canonical_adjusted).max()))
    if not np.abs(book.drift - drift.d).max() <= 1e-9 * scale:
        raise DataError("the ledger explains another drift than the one measured")
    return ExplainedDrift(drift, book)


def _ledger(window: Window, alignment: RollAlignment, isolated: WindowPrints) -> ledger.Ledger:
    overlap, recovered = window.overlap, window.recovered
    roll_dates = (roll.roll_date for roll in recovered.rolls)
    ours = dict(zip(roll_dates, recovered.our_gaps.tolist(), strict=True))
    our_gaps = np.array([ours.get(roll.roll_date, np.nan) for roll in window.reference_rolls], dtype=np.float64)
    return ledger.compute(
        overlap.sessions,
        ledger.Side(
            overlap.canonical_adjusted, overlap.canonical_unadjusted, overlap.canonical_contract, window.canonical_rolls
        ),
        ledger.Side(
            overlap.reference_adjusted, overlap.reference_unadjusted, overlap.reference_contract, window.reference_rolls
        ),
        names=overlap.contracts,
        our_gaps=our_gaps,
        pairs=[(pair.canonical, pair.reference) for pair in alignment.pairs],
        prints=isolated.sizes,
    )


def _bases_refused(window: Window) -> str:
    """Why series of different adjustment bases are not compared, unless the caller means to; empty where they may."""
    series = window.reference.adjusted or window.reference.unadjusted
    ours, theirs = window.canonical.meta.adjustment_basis, None if series is None else series.meta.adjustment_basis
    if window.request.intended_bases or ours is None or theirs is None or ours == theirs:
        return ""
    return f"bases differ: canonical is {ours}, reference {theirs}; name the pair as intended to compare them"


def aligning_run(overlap: Overlap, first_on_new: Ints) -> AligningRun:
    """The last run of consecutive same-contract sessions: one contract, no roll of either side inside.

    first_on_new: `roll_starts` of both sides. Where both sides are never known to hold the same contract: the
    sessions after the last roll of either side. Raises DataError where there is no session to align on.
    """
    same = np.flatnonzero(overlap.same_contract)
    count = overlap.sessions.size
    if not same.size:
        start = int(first_on_new[-1]) if first_on_new.size else 0
        if start >= count:
            raise DataError(
                "no shared session after the last roll to align on",
                found=f"last shared session {overlap.sessions[-1]}",
            )
        return AligningRun(start, count - 1, -1, "after_last_roll")
    end = int(same[-1])
    contract = int(overlap.canonical_contract[end])
    broken = ~(overlap.same_contract & (overlap.canonical_contract == contract))[: end + 1]
    broken_at = np.flatnonzero(broken)
    start = int(broken_at[-1]) + 1 if broken_at.size else 0
    inside = first_on_new[first_on_new <= end]
    if inside.size:
        start = max(start, int(inside[-1]))
    return AligningRun(start, end, contract, "same_contract_run")


def measure(overlap: Overlap, canonical_rolls: Sequence[WindowRoll], reference_rolls: Sequence[WindowRoll]) -> Drift:
    """D(t) and its statistics. p95 interpolates linearly between order statistics.

    Raises DataError where the reference ships no adjusted series or nothing can be aligned on.
    """
    if not overlap.has_reference_adjusted:
        raise DataError("the reference ships no adjusted series to measure drift against")
    first_on_new = roll_starts(overlap, canonical_rolls, reference_rolls)
    run = aligning_run(overlap, first_on_new)
    difference = overlap.canonical_adjusted - overlap.reference_adjusted
    anchor = median(difference[run.window])
    d = difference - anchor
    size, sessions = np.abs(d), overlap.sessions
    figures = DriftFigures(
        mean_drift=float(size.mean()),
        max_drift=float(size.max()),
        signed_mean=float(d.mean()),
        p95=percentile(size, 0.95),
        max_drift_session=sessions[int(size.argmax())].item(),
        anchor=anchor,
        aligned_on=AlignedOn(
            rule=run.rule,
            first_session=sessions[run.start].item(),
            last_session=sessions[run.end].item(),
            sessions=run.end - run.start + 1,
            contract=overlap.contracts[run.contract] if run.contract >= 0 else None,
        ),
        contracts_known=overlap.contracts_known,
        intervals=_intervals(sessions, d, size, first_on_new),
    )
    return Drift(d, figures)


def _intervals(sessions: Days, d: Floats, size: Floats, first_on_new: Ints) -> Records[DriftInterval]:
    """Drift between consecutive rolls of either side."""
    starts = np.append(0, first_on_new[(first_on_new > 0) & (first_on_new < d.size)])
    ends = np.append(starts[1:], d.size)
    counts = ends - starts
    signed, absolute = np.add.reduceat(d, starts), np.add.reduceat(size, starts)
    total = absolute.sum()
    share = absolute / total if total > 0.0 else np.zeros_like(absolute)
    columns = (sessions[starts], sessions[ends - 1], counts, absolute / counts, signed / counts, share)
    return Records(DriftInterval, columns)
