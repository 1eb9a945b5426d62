"""The decision of one examination, with every reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.certification import acceptance
from ctl.certification.attempt import attempt
from ctl.certification.layers import identity
from ctl.certification.layers.integrity import told_by_builder
from ctl.certification.layers.scale import DATA_HOLE
from ctl.certification.overlap import INSUFFICIENT_OVERLAP
from ctl.certification.window import both_sides
from ctl.model.certificate import DeviationFigures
from ctl.model.findings import NotRun, Reason
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.examination import Examination
    from ctl.model.certificate import JudgedSeries, NotComputed
    from ctl.model.findings import Decision

REQUIRED_LAYERS: Final = ("L0", "L2", "L3", "L4")


def decide(examination: Examination, rebuilt: JudgedSeries | NotComputed) -> tuple[Decision, tuple[Reason, ...]]:
    """A failed identity first, then what did not run, then the limits.

    rebuilt: our contracts built on the reference's rolls, whose verdict policy v2 reads.
    """
    if examination.request.acceptance_policy == "e1":
        return _decide_share(examination)
    if examination.identity.status == "FAIL":
        return "REJECT", _identity_reasons(examination)
    request, sides = examination.request, both_sides(examination.request)
    if isinstance(sides, NotRun):
        code = "CANONICAL_MISSING" if request.canonical is None else "REFERENCE_MISSING"
        return "ERROR", (Reason(code, "ERROR", f"{sides.reason}: nothing to compare"),)
    measures = examination.measures(rebuilt)
    unfit = [
        Reason(
            f"{layer.layer}_{layer.status}",
            "ERROR",
            f"{layer.layer} {layer.report.title} "
            f"{'did not run' if layer.status == 'NOT_RUN' else 'could not finish'}: {layer.text}",
        )
        for layer in examination.layers()
        if layer.layer in REQUIRED_LAYERS and not layer.report.ran
    ]
    if unfit and not _too_short(examination, measures.shared_sessions):
        return "ERROR", tuple(unfit)
    decision, reasons = acceptance.evaluate(measures, quote_unit=request.quote_unit, policy=request.acceptance_policy)
    if unfit:
        # Too short a window rejects by itself; what it was too short to measure is not held against it as well.
        measured = {INSUFFICIENT_OVERLAP, *_codes_measured(examination)}
        reasons = tuple(reason for reason in reasons if reason.code in measured)
    if any(reason.code == INSUFFICIENT_OVERLAP for reason in reasons):
        # The cause before its consequence: a series that begins after a hole is too short because of it.
        holes = told_by_builder(request.canonical, DATA_HOLE)
        bridged = isinstance(request.canonical, ContinuousSeries) and request.canonical.policy.bridge_holes
        reasons = (*(Reason(DATA_HOLE, "REJECT", hole) for hole in holes[-1:] if not bridged), *reasons)
    return decision, reasons


def _decide_share(examination: Examination) -> tuple[Decision, tuple[Reason, ...]]:
    """Policy e1: what identity and actions refuse, then what did not run, then the deviations."""
    failed = [check for check in examination.identity.findings if check.status == "FAIL"]
    refused = tuple(
        Reason(
            "ACTION_UNEXPLAINED" if check.check in ("actions", "adjustment_basis") else "IDENTITY_MISMATCH",
            "REJECT", check.text, check.value, check.limit, check.unit,
        )
        for check in failed
    )  # fmt: skip
    sides = both_sides(examination.request)
    if isinstance(sides, NotRun) and not refused:
        code = "CANONICAL_MISSING" if examination.request.canonical is None else "REFERENCE_MISSING"
        return "ERROR", (Reason(code, "ERROR", f"{sides.reason}: nothing to compare"),)
    figures, window = examination.drift.report.values, examination.window
    if isinstance(figures, DeviationFigures) and not isinstance(window, NotRun):
        shared = int(window.overlap.sessions.size)
        reasons = acceptance.evaluate_share(shared, figures.mean_deviation, figures.max_deviation)
        if refused or examination.identity.report.ran:
            return acceptance.worst((*refused, *reasons)), (*refused, *reasons)
    if refused:
        return "REJECT", refused
    unfit = [layer for layer in (examination.identity, examination.drift) if not layer.report.ran]
    return "ERROR", tuple(
        Reason(f"{layer.layer}_{layer.status}", "ERROR", f"{layer.layer} {layer.report.title}: {layer.text}")
        for layer in unfit
    )


def _too_short(examination: Examination, shared_sessions: int) -> bool:
    """Whether the window is known, and too short."""
    window = examination.window
    known = not isinstance(window, NotRun) or (window.code == INSUFFICIENT_OVERLAP and not window.failed)
    return known and shared_sessions < acceptance.LIMITS_V1.min_shared_sessions


def _codes_measured(examination: Examination) -> set[str]:
    """Codes of the checks whose layer came to a value."""
    codes = (
        (examination.roll_schedule, ("PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE")),
        (examination.roll_gaps, ("MEAN_GAP_DIFF",)),
        (examination.drift, ("MEAN_DRIFT",)),
    )
    return {code for layer, named in codes if not isinstance(layer.measured, NotRun) for code in named}


def _identity_reasons(examination: Examination) -> tuple[Reason, ...]:
    """One reason for each failed check, the cause first; the bars' own root is looked for where it is no other."""
    reasons = []
    for number, failed in enumerate(identity.refusals(examination.identity.findings)):
        code = failed.code if failed.check in identity.NEWEST_CHECKS and failed.code else "IDENTITY_MISMATCH"
        text = failed.text
        if code == "IDENTITY_MISMATCH" and not number:
            named = attempt(lambda: _matching_roots(examination))
            text += f"; no root could be named: {named.reason}" if isinstance(named, NotRun) else named
        reasons.append(Reason(code, "REJECT", text, failed.value, failed.limit, failed.unit))
    return tuple(reasons)


def _matching_roots(examination: Examination) -> str:
    """Which other roots of the workspace our bars and the reference are, as far as one matches."""
    request, recovered, text = examination.request, examination.recovered, ""
    if request.contracts is not None:
        bars = identity.best_matching_root(request.contracts, request.other_contracts)
        if bars is not None:
            text += f"; the bars match {bars[0]} (correlation of daily changes {bars[1]:.4f})"
    followed = isinstance(recovered, NotRun) or recovered.source in ("fingerprint", "ours")
    if request.reference is not None and not followed:
        match = identity.best_matching_reference(request.reference, request.other_contracts, tick=request.tick)
        if match is not None:
            text += f"; the reference matches {match[0]} (median residual {match[1]:.2f} ticks)"
    return text
