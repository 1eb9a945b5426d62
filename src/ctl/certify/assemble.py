"""Certification from the first check to the decision: runs every layer and writes the certificate.

A layer that cannot finish is an ERROR of that layer, never a crash and never a pass; this is the one place
where unexpected exceptions are caught.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.certify import acceptance, identity, layers
from ctl.certify.acceptance import Measures
from ctl.certify.document import certificate_document
from ctl.certify.state import TITLES, CertificationState
from ctl.certify.tables import LazyTables, tables
from ctl.errors import CtlError, DataError
from ctl.model.certificate import Certificate
from ctl.model.findings import Decision, Finding, LayerResult, Reason

if TYPE_CHECKING:
    from ctl.certify.request import CertifyRequest

REQUIRED_LAYERS: Final = ("L0", "L2", "L3", "L4")


def certify(request: CertifyRequest) -> Certificate:
    """Certify one symbol: every layer, the decision with all its reasons, and the document that says so.

    Raises DataError only for a request that no certificate can answer: a tick that is not positive, a
    negative day limit, or an unknown acceptance policy.
    """
    _check_request(request)
    state = CertificationState(request)
    _identify(state)
    if state.layers["L0"].status == "FAIL":
        decision, reasons = _rejected_identity(state)
        for layer in ("L1", "L2", "L3", "L4", "L5"):
            state.not_run(layer, "identity failed: nothing else was compared")
        return _certificate(state, decision, reasons)
    _run(state, "L1", layers.raw_data)
    _run(state, "L2", layers.rolls)
    _run(state, "L3", layers.gaps)
    _run(state, "L4", layers.drift_layer)
    _run(state, "L5", layers.functional)
    decision, reasons = _decide(state)
    return _certificate(state, decision, reasons)


def _check_request(request: CertifyRequest) -> None:
    where = f"certification of {request.symbol}"
    if not (np.isfinite(request.tick) and request.tick > 0):
        raise DataError("tick is not positive", where=where, found=repr(request.tick), expected="a price step > 0")
    if request.max_day_delta < 0:
        raise DataError("max_day_delta is negative", where=where, found=str(request.max_day_delta), expected=">= 0")
    acceptance.limits_document(request.acceptance_policy)


def _run(state: CertificationState, layer: str, work: Callable[[CertificationState], LayerResult | None]) -> None:
    """Run one layer; what it raises becomes its ERROR."""
    try:
        result = work(state)
    except CtlError as error:
        result = LayerResult(layer, TITLES[layer], "ERROR", str(error))
    except Exception as error:  # noqa: BLE001  # nothing that a layer raises may read as a pass or stop the others
        result = LayerResult(layer, TITLES[layer], "ERROR", f"{type(error).__name__}: {error}")
    if result is not None:
        state.keep(result)


def _identify(state: CertificationState) -> None:
    """L0, and with it the window that the later layers compare on."""
    findings: list[Finding] = []
    _run(state, "L0", lambda state: layers.own_identity(state, findings))
    if "L0" in state.layers:
        return
    _run(state, "L0", lambda state: layers.reference_identity(state, findings))


def _rejected_identity(state: CertificationState) -> tuple[Decision, tuple[Reason, ...]]:
    failed = [finding for finding in state.layers["L0"].findings if finding.status == "FAIL"]
    failed = [finding for finding in failed if finding.check in identity.GATING_CHECKS] or failed
    text = "; ".join(finding.text for finding in failed)
    request = state.request
    if request.contracts is not None:
        match = identity.best_matching_root(request.contracts, request.other_contracts)
        if match is not None:
            text += f"; the bars match {match[0]} (correlation of daily changes {match[1]:.4f})"
    first = failed[0]
    return "REJECT", (Reason("IDENTITY_MISMATCH", "REJECT", text, first.value, first.limit, first.unit),)


def _decide(state: CertificationState) -> tuple[Decision, tuple[Reason, ...]]:
    """The decision where identity did not fail: what did not run first, then the limits."""
    absent = layers.absent_side(state.request)
    if absent is not None:
        code = "REFERENCE_MISSING" if absent == "no reference" else "CANONICAL_MISSING"
        return "ERROR", (Reason(code, "ERROR", f"{absent}: nothing to compare"),)
    measures = _measures(state)
    known = state.overlap is not None or state.never_overlaps
    short = known and measures.shared_sessions < acceptance.LIMITS_V1.min_shared_sessions
    unfit = [
        Reason(f"{layer}_{result.status}", "ERROR", f"{layer} {result.title} {_words(result.status)}: {result.text}")
        for layer, result in state.layers.items()
        if layer in REQUIRED_LAYERS and not result.ran
    ]
    if unfit and not short:
        return "ERROR", tuple(unfit)
    quote_unit, policy = state.request.quote_unit, state.request.acceptance_policy
    decision, reasons = acceptance.evaluate(measures, quote_unit=quote_unit, policy=policy)
    if unfit:
        # Too short a window rejects by itself; what it was too short to measure is not held against it as well.
        measured = {"INSUFFICIENT_OVERLAP"}
        measured |= set() if state.alignment is None else {"PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE"}
        measured |= set() if state.gaps is None else {"MEAN_GAP_DIFF"}
        measured |= set() if state.drift is None else {"MEAN_DRIFT"}
        reasons = tuple(found for found in reasons if found.code in measured)
    return decision, reasons


def _words(status: str) -> str:
    return "did not run" if status == "NOT_RUN" else "could not finish"


def _measures(state: CertificationState) -> Measures:
    alignment, overlap = state.alignment, state.overlap
    return Measures(
        shared_sessions=0 if overlap is None else int(overlap.sessions.size),
        n_paired=0 if alignment is None else alignment.n_paired,
        unmatched_canonical=0 if alignment is None else len(alignment.unmatched_canonical),
        unmatched_reference=0 if alignment is None else len(alignment.unmatched_reference),
        mean_gap_diff=None if state.gaps is None else state.gaps.mean_gap_diff,
        mean_drift=None if state.drift is None else state.drift.mean_drift,
        tick=state.request.tick,
    )


def _certificate(state: CertificationState, decision: Decision, reasons: tuple[Reason, ...]) -> Certificate:
    return Certificate(
        symbol=state.request.symbol,
        decision=decision,
        reasons=reasons,
        document=certificate_document(state, decision, reasons),
        tables=LazyTables(tables(state)),
    )
