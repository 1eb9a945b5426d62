"""What of an examination is locked and watched: the figures that a later one is held against.

Mean drift alone cannot be: each roll's gap difference shifts all earlier history, and the level hangs on the few
sessions since the last roll. So gaps and basis are kept by session, and drift is measured a second time with both sides
aligned on many sessions.
"""

from __future__ import annotations

from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Days, Floats
from ctl.certification import acceptance
from ctl.certification.layers.roll_schedule import NOT_ALIGNED
from ctl.certification.series_arrays import median
from ctl.certification.window import roll_starts
from ctl.model.certificate import DeviationFigures, NotComputed
from ctl.model.findings import NotRun
from ctl.model.locked import GapDifference, LockedSymbol, Watched, WatchedMetrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.examination import Examination
    from ctl.certification.layers.ledger import Ledger
    from ctl.certification.window import Window
    from ctl.model.findings import Decision, Reason


MEAN_OVER: Final = 20
ALIGNED_ON: Final = 250
_NO_VERDICT: Final = NotComputed("NOT_RUN", "not asked")
_NO_DAYS: Final = np.empty(0, dtype="datetime64[D]")


def watch(examination: Examination, decision: Decision, reasons: Sequence[Reason]) -> Watched:
    """The figures of one examination; what its layers did not come to is None, or empty."""
    request, window = examination.request, examination.window
    series, reference = request.canonical, request.reference
    end = None if series is None else series.frame["session"].max()
    gaps: tuple[GapDifference, ...] = ()
    days, basis, to_moves, aligned = _NO_DAYS, np.empty(0), np.empty(0), None
    roll_days: tuple[date, ...] = ()
    newest: tuple[date, ...] = ()
    if not isinstance(window, NotRun):
        gaps = _gap_differences(examination, window)
        days, basis, to_moves = _basis_means(examination, window)
        aligned = _aligned_drift(examination, window)
        starts = {roll.roll_date for roll in (*window.canonical_rolls, *window.reference_rolls)}
        roll_days = tuple(sorted(starts))
        newest = tuple(window.overlap.sessions[-MEAN_OVER:].astype(object).tolist())
    symbol = LockedSymbol(
        decision=decision,
        breached=tuple(reason.code for reason in reasons),
        metrics=_metrics(examination, gaps, basis, to_moves, aligned),
        last_canonical=end if isinstance(end, date) else None,
        last_reference=None if reference is None else reference.last_session,
    )
    return Watched(symbol, gaps, days, basis, to_moves, roll_days, newest, _margins(examination))


def _margins(examination: Examination) -> dict[str, tuple[float, float]]:
    request, deviation = examination.request, examination.drift.report.values
    if isinstance(deviation, DeviationFigures):
        return acceptance.share_margins(deviation.mean_deviation, deviation.max_deviation)
    if isinstance(examination.window, NotRun):
        return {}
    # The rebuilt series' verdict is no value with a margin.
    return acceptance.margins(examination.measures(_NO_VERDICT), policy=request.acceptance_policy)


def _metrics(
    examination: Examination, gaps: Sequence[GapDifference], basis: Floats, to_moves: Floats, aligned: float | None
) -> WatchedMetrics:
    window, schedules = examination.window, examination.roll_schedule.measured
    figures = None if isinstance(schedules, NotRun) else schedules.alignment.figures()
    gap_figures, explained = examination.roll_gaps.measured, examination.drift.measured
    deviation = examination.drift.report.values
    scale = None
    if isinstance(deviation, DeviationFigures) and not isinstance(window, NotRun):
        scale = float(window.overlap.canonical_adjusted[-1])
    elif not isinstance(window, NotRun) and window.log_points is not None:
        scale = window.log_points.scale
    mean_drift = None if isinstance(explained, NotRun) else explained.drift.figures.mean_drift
    if isinstance(deviation, DeviationFigures) and scale is not None:
        mean_drift = deviation.mean_deviation * scale
    return WatchedMetrics(
        n_paired=None if figures is None else figures.n_paired,
        n_unmatched_canonical=None if figures is None else figures.n_unmatched_canonical,
        n_unmatched_reference=None if figures is None else figures.n_unmatched_reference,
        n_fail=None if figures is None else figures.n_fail,
        mean_gap_diff=None if isinstance(gap_figures, NotRun) else gap_figures.figures.mean_gap_diff,
        mean_drift=mean_drift,
        unexplained_share=None
        if isinstance(explained, NotRun)
        else abs(explained.ledger.summary.unexplained.share or 0.0),
        max_gap_diff=max((gap.size for gap in gaps), default=None),
        max_basis=float(basis.max()) if basis.size else None,
        max_basis_to_moves=float(to_moves.max()) if to_moves.size else None,
        aligned_drift=aligned,
        tick=float(examination.request.tick),
        scale=scale,
    )


def _gap_differences(examination: Examination, window: Window) -> tuple[GapDifference, ...]:
    """Every pair whose gaps are known on both sides, by the later gap session."""
    alignment = examination.roll_schedule.measured_or(NOT_ALIGNED).alignment
    gaps = examination.roll_gaps.measured
    if isinstance(gaps, NotRun):
        return ()
    found = []
    for pair, difference in zip(alignment.pairs, gaps.difference.tolist(), strict=True):
        ours, theirs = window.canonical_rolls[pair.canonical], window.reference_rolls[pair.reference]
        if isfinite(difference):
            later = max(ours.gap_session, theirs.gap_session)
            found.append(GapDifference(f"{ours.from_contract}>{ours.to_contract}", later, abs(difference)))
    return tuple(sorted(found, key=lambda gap: gap.session))


def _basis_means(examination: Examination, window: Window) -> tuple[Days, Floats, Floats]:
    """Sessions, the means that end there, and those to the moves, see `Watched`; empty with fewer than 20 sessions."""
    overlap, explained = window.overlap, examination.drift.measured
    difference = _difference(window)
    if isinstance(examination.drift.report.values, DeviationFigures):
        at = np.flatnonzero(np.isfinite(difference))
        size = np.abs(difference[at])
    elif overlap.contracts_known:
        raw = overlap.canonical_unadjusted - overlap.reference_unadjusted
        if not isinstance(explained, NotRun):
            book = explained.ledger
            prints = np.searchsorted(overlap.sessions, book.sessions[book.prints.at])
            raw[prints] -= book.prints.size
        at = np.flatnonzero(overlap.same_contract & np.isfinite(raw))
        size = np.abs(raw[at])
    else:
        change = np.diff(difference, prepend=np.nan)
        rolled = roll_starts(overlap, window.canonical_rolls, window.reference_rolls)
        change[rolled[rolled < change.size]] = np.nan
        at = np.flatnonzero(np.isfinite(change))
        size = np.abs(change[at])
    if at.size < MEAN_OVER:
        return _NO_DAYS, np.empty(0), np.empty(0)
    means = _means(size)
    theirs = overlap.reference_adjusted if overlap.has_reference_adjusted else overlap.reference_unadjusted
    moves = [_means(np.abs(np.diff(closes, prepend=closes[0]))[at]) for closes in (overlap.canonical_adjusted, theirs)]
    # Where a side does not move at all, every difference is large beside it.
    to_moves = means / np.maximum(np.fmin(*moves), 1e-9)
    return overlap.sessions[at[MEAN_OVER - 1 :]], means, to_moves


def _means(values: Floats) -> Floats:
    """The mean of every 20 values in a row; a value that is not known counts as zero."""
    summed = np.concatenate(([0.0], np.cumsum(np.where(np.isnan(values), 0.0, values))))
    means: Floats = (summed[MEAN_OVER:] - summed[:-MEAN_OVER]) / MEAN_OVER
    return means


def _aligned_drift(examination: Examination, window: Window) -> float | None:
    explained = examination.drift.measured
    if isinstance(examination.drift.report.values, DeviationFigures):
        difference = _difference(window)
        known = difference[np.isfinite(difference)]
        return float(np.abs(known).mean()) if known.size else None
    return None if isinstance(explained, NotRun) else aligned_drift(explained.ledger)


def aligned_drift(book: Ledger) -> float:
    """Mean |drift|, both sides aligned on the median of the newest 250 same-contract sessions, gaps carried there out.

    Where contracts are unknown: of the newest 250 sessions outside of rolls, or of all where there is none.
    """
    plain = book.same_contract
    if not plain.any():
        plain = np.ones(book.drift.size, dtype=np.bool_)
        for block in book.blocks:
            plain[block.inside] = False
    at = (np.flatnonzero(plain) if plain.any() else np.arange(book.drift.size))[-ALIGNED_ON:]
    return float(np.abs(book.drift - median(book.drift[at] - book.gaps_to_come[at])).mean())


def _difference(window: Window) -> Floats:
    """Our close less the reference's on every shared session; of shares in shares of the price, at our last close."""
    overlap = window.overlap
    theirs = overlap.reference_adjusted if overlap.has_reference_adjusted else overlap.reference_unadjusted
    difference: Floats = overlap.canonical_adjusted - theirs
    if window.request.acceptance_policy == "e1":
        difference = difference / np.abs(overlap.canonical_adjusted) * overlap.canonical_adjusted[-1]
    return difference
