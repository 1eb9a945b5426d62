"""Certification from the first check to the decision: runs every layer and writes the certificate.

A layer that cannot finish is an ERROR of that layer, never a crash and never a pass; this is the one place
where unexpected exceptions are caught.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from ctl.certification import acceptance, run_layers
from ctl.certification.layers import identity
from ctl.certification.state import TITLES, CertificationState
from ctl.certification.what_if import other_series, removals
from ctl.certification.what_if.other_series import OtherSeries
from ctl.certification.written.document import certificate_document
from ctl.certification.written.tables import LazyTables, tables
from ctl.errors import CtlError, DataError
from ctl.model.certificate import Certificate
from ctl.model.findings import Decision, Finding, LayerResult, Reason

if TYPE_CHECKING:
    from ctl.certification.request import CertifyRequest
    from ctl.certification.what_if.removals import Board
    from ctl.model.rolls import ContinuousSeries

Result = TypeVar("Result")

REQUIRED_LAYERS: Final = ("L0", "L2", "L3", "L4")


@dataclass(frozen=True, slots=True)
class _Failure:
    """Work that raised, told in one line."""

    text: str


def certify(request: CertifyRequest) -> Certificate:
    """Certify one symbol: every layer, the decision with all its reasons, and the document that says so.

    Raises DataError only for a request that no certificate can answer: a tick that is not positive, a
    negative day limit, or an unknown acceptance policy.
    """
    _check_request(request)
    state = examine(request)
    if state.layers["L0"].status == "FAIL":
        decision, reasons = _rejected_identity(state)
        return _certificate(state, decision, reasons)
    rebuilt = _other_series(state, lambda: other_series.rebuild(state))
    state.rebuilt, state.rebuilt_decision = rebuilt.document, rebuilt.decision
    decision, reasons = _decide(state)
    _counterfactuals(state, decision)
    return _certificate(state, decision, reasons)


def examine(request: CertifyRequest) -> CertificationState:
    """What layers L0 to L5 find, before any decision; after a failed L0 the others are NOT_RUN."""
    state = CertificationState(request)
    _identify(state)
    if state.layers["L0"].status == "FAIL":
        for layer in ("L1", "L2", "L3", "L4", "L5"):
            state.not_run(layer, "identity failed: nothing else was compared")
        return state
    _run(state, "L1", run_layers.raw_data)
    _run(state, "L2", run_layers.rolls)
    _run(state, "L3", run_layers.gaps)
    _run(state, "L4", run_layers.drift_layer)
    _run(state, "L5", run_layers.functional_parity)
    return state


def _check_request(request: CertifyRequest) -> None:
    where = f"certification of {request.symbol}"
    if not (np.isfinite(request.tick) and request.tick > 0):
        raise DataError("tick is not positive", where=where, found=repr(request.tick), expected="a price step > 0")
    if request.max_day_delta < 0:
        raise DataError("max_day_delta is negative", where=where, found=str(request.max_day_delta), expected=">= 0")
    acceptance.limits_document(request.acceptance_policy)


def _attempt(work: Callable[[], Result]) -> Result | _Failure:
    """Do a piece of work; what it raises becomes the text of a failure."""
    try:
        return work()
    except CtlError as error:
        return _Failure(str(error))
    except Exception as error:  # noqa: BLE001  # nothing that a layer raises may read as a pass or stop the others
        return _Failure(f"{type(error).__name__}: {error}")


def _run(state: CertificationState, layer: str, work: Callable[[CertificationState], LayerResult | None]) -> None:
    """Run one layer; a failure is its ERROR."""
    result = _attempt(lambda: work(state))
    if isinstance(result, _Failure):
        result = LayerResult(layer, TITLES[layer], "ERROR", result.text)
    if result is not None:
        state.keep(result)


def _other_series(state: CertificationState, series: Callable[[], ContinuousSeries | str]) -> OtherSeries:
    """Judge another canonical series; without one, or where it fails, the document says why."""

    def judged() -> OtherSeries:
        found = series()
        return other_series.not_run(found) if isinstance(found, str) else other_series.judge(state, found)

    return _judged(state, judged)


def _judged(state: CertificationState, judged: Callable[[], OtherSeries]) -> OtherSeries:
    """What a judgement by the certificate's own layers finds; where it cannot be made, the document says why."""
    if not all(state.layers[layer].ran for layer in REQUIRED_LAYERS[1:]):
        return other_series.not_run("the layers that it would be compared with did not run")
    result = _attempt(judged)
    return OtherSeries(None, {"status": "ERROR", "text": result.text}) if isinstance(result, _Failure) else result


def _counterfactuals(state: CertificationState, decision: Decision) -> None:
    """What would turn the decision, and how other closes would do. Informs; decides nothing."""
    measures = state.measures()
    state.rebuilt = {
        **state.rebuilt,
        "roll_rule_difference": other_series.roll_rule_difference(measures, state.rebuilt),
    }
    board = None if decision == "ERROR" else other_series.board(state, measures, policy=state.request.acceptance_policy)
    state.counterfactuals = _removals(board)
    state.counterfactuals["alternatives"] = {
        name: _other_series(state, partial(other_series.alternative, state, name)).document
        for name in sorted(state.request.alternatives)
    }
    state.counterfactuals["read_again"] = _judged(state, lambda: other_series.read_again(state)).document


def _removals(board: Board | None) -> dict[str, Any]:
    if board is None:
        return other_series.not_run("no decision on limits was made").document
    found = _attempt(lambda: removals.report(board))
    return {"status": "ERROR", "text": found.text} if isinstance(found, _Failure) else {"status": "RUN", **found}


def _identify(state: CertificationState) -> None:
    """L0, and with it the window that the later layers compare on."""
    findings: list[Finding] = []
    _run(state, "L0", lambda state: run_layers.own_identity(state, findings))
    if "L0" in state.layers:
        return
    _run(state, "L0", lambda state: run_layers.reference_identity(state, findings))


def _rejected_identity(state: CertificationState) -> tuple[Decision, tuple[Reason, ...]]:
    failed = [finding for finding in state.layers["L0"].findings if finding.status == "FAIL"]
    failed = [finding for finding in failed if finding.check in identity.GATING_CHECKS] or failed
    text = "; ".join(finding.text for finding in failed)
    named = _attempt(lambda: _matching_roots(state))
    text += f"; no root could be named: {named.text}" if isinstance(named, _Failure) else named
    first = failed[0]
    return "REJECT", (Reason("IDENTITY_MISMATCH", "REJECT", text, first.value, first.limit, first.unit),)


def _matching_roots(state: CertificationState) -> str:
    """Which other roots of the workspace our bars and the reference are, as far as one matches."""
    request, text = state.request, ""
    if request.contracts is not None:
        bars = identity.best_matching_root(request.contracts, request.other_contracts)
        if bars is not None:
            text += f"; the bars match {bars[0]} (correlation of daily changes {bars[1]:.4f})"
    followed = state.recovered is not None and state.recovered.source == "fingerprint"
    if request.reference is not None and state.recovered is not None and not followed:
        other = identity.best_matching_reference(request.reference, request.other_contracts, tick=request.tick)
        if other is not None:
            text += f"; the reference matches {other[0]} (median residual {other[1]:.2f} ticks)"
    return text


def _decide(state: CertificationState) -> tuple[Decision, tuple[Reason, ...]]:
    """The decision where identity did not fail: what did not run first, then the limits."""
    absent = run_layers.absent_side(state.request)
    if absent is not None:
        code = "REFERENCE_MISSING" if absent == "no reference" else "CANONICAL_MISSING"
        return "ERROR", (Reason(code, "ERROR", f"{absent}: nothing to compare"),)
    measures = state.measures()
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


def _certificate(state: CertificationState, decision: Decision, reasons: tuple[Reason, ...]) -> Certificate:
    return Certificate(
        symbol=state.request.symbol,
        decision=decision,
        reasons=reasons,
        document=certificate_document(state, decision, reasons),
        tables=LazyTables(tables(state)),
    )
