"""The layers L0 to L5 of one certification, each from the state that the earlier ones left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.certification import acceptance
from ctl.certification.contract_closes import ContractCloses
from ctl.certification.layers import drift, functional, identity, integrity, ledger, roll_gaps, roll_schedule
from ctl.certification.layers.roll_rule import apparent_rule
from ctl.certification.recovery import adjustment
from ctl.certification.recovery.indistinguishable import INDISTINGUISHABLE_CONTRACTS
from ctl.certification.recovery.reference import UNATTRIBUTED_STEP, recover
from ctl.certification.state import TITLES
from ctl.certification.window import (
    UNKNOWN,
    HeldContracts,
    ReferenceArrays,
    build_overlap,
    canonical_arrays,
    place_rolls,
)
from ctl.certification.written.document import Rows
from ctl.errors import DataError
from ctl.model.findings import Finding, LayerResult, Status, counted, worst_status
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.request import CertifyRequest
    from ctl.certification.state import CertificationState
    from ctl.certification.window import Overlap

MOST_NAMED: Final = 3


def own_identity(state: CertificationState, findings: list[Finding]) -> LayerResult | None:
    """Checks 1, 2 and 4, which need no reference."""
    request = state.request
    findings.append(identity.check_root(request))
    if findings[0].status == "FAIL":
        # Bars of several roots are in no order that the later checks could rely on.
        return identity.result(findings)
    if request.contracts is not None and request.contracts.contracts:
        state.bars = bars = integrity.Bars(request.contracts)
        state.closes = ContractCloses.from_arrays(bars.names, bars.day, bars.contract, bars.close)
        if request.canonical is not None:
            state.canonical = canonical_arrays(request.canonical, state.closes.names)
    prices, basis = identity.closes_for_grid(request, state.closes), request.equity_basis
    twice = basis is not None and basis.refusal is not None and basis.refusal[0] == "DOUBLE_ADJUSTED"
    if twice:
        findings.append(Finding("L0", "tick_grid", "NOT_RUN", "prices that were adjusted twice lie on no grid"))
    elif prices is None:
        findings.append(Finding("L0", "tick_grid", "NOT_RUN", "no closes to compare with the tick grid"))
    else:
        findings.append(identity.check_grid(prices, request.tick))
    findings.append(identity.check_terms(request))
    if basis is not None:
        findings.append(identity.check_basis(basis))
    return identity.result(findings) if any(finding.status == "FAIL" for finding in findings[:2]) else None


def reference_identity(state: CertificationState, findings: list[Finding]) -> LayerResult:
    """Check 3, on the window that it lays."""
    absent = absent_side(state.request)
    if absent is not None:
        findings.insert(2, Finding("L0", "reference_match", "NOT_RUN", absent))
        return identity.result(findings)
    basis = state.request.equity_basis
    if basis is not None and basis.refusal is not None:
        findings.insert(2, Finding("L0", "reference_match", "NOT_RUN", basis.refusal[1], basis.refusal[0]))
        return identity.result(findings)
    try:
        lay_window(state)
    except DataError as error:
        if error.code != "INSUFFICIENT_OVERLAP":
            raise
        state.never_overlaps = True
        findings.insert(2, Finding("L0", "reference_match", "ERROR", str(error), error.code))
        return identity.result(findings)
    if state.overlap is None or state.recovered is None:
        raise DataError("the overlap window could not be laid")
    findings.insert(2, identity.check_reference_match(state.overlap, state.canonical_rolls, state.reference_rolls))
    findings.append(identity.check_fingerprint(state.recovered))
    if findings[2].status == "FAIL":
        # Changes of another adjustment correlate less the farther back they lie: no other instrument is needed.
        mismatch = adjustment.finding(state.request.canonical, state.recovered, tick=state.request.tick, layer="L0")
        findings += [] if mismatch is None else [mismatch]
    return identity.result(findings)


def lay_window(state: CertificationState) -> None:
    """Recover the reference, unless that is done, and lay both sides over each other."""
    request = state.request
    reference, canonical = request.reference, request.canonical
    if reference is None or canonical is None:
        return
    names = state.closes.names if state.closes is not None else ()
    if state.canonical is None:
        state.canonical = canonical_arrays(canonical, names)
    if state.recovered is None:
        rolls = isinstance(canonical, ContinuousSeries) and bool(canonical.rolls)
        state.recovered = recover(
            state.closes,
            reference,
            tick=request.tick,
            bars=request.contracts,
            own=HeldContracts(state.canonical.sessions, state.canonical.contract) if rolls else None,
            max_day_delta=request.max_day_delta,
        )
    recovered = state.recovered
    held = np.full(recovered.sessions.size, UNKNOWN, dtype=np.int64) if recovered.held is None else recovered.held
    state.overlap = overlap = build_overlap(
        state.canonical,
        ReferenceArrays(
            recovered.sessions, recovered.adjusted, recovered.unadjusted, held, recovered.basis_identifiable
        ),
        contracts=names,
    )
    own_rolls = canonical.rolls if isinstance(canonical, ContinuousSeries) else ()
    state.canonical_rolls = place_rolls(overlap, own_rolls)
    state.reference_rolls = place_rolls(overlap, recovered.rolls)


def absent_side(request: CertifyRequest) -> str | None:
    """Which side is missing; None where both are there."""
    if request.canonical is None:
        return "no canonical series"
    reference = request.reference
    if reference is None or (reference.adjusted is None and reference.unadjusted is None):
        return "no reference"
    return None


def _no_rolls(state: CertificationState) -> str | None:
    """Why rolls cannot be compared; None where they can."""
    absent = absent_side(state.request)
    if absent is not None:
        return absent
    if not isinstance(state.request.canonical, ContinuousSeries):
        return "the canonical series is no continuous series: it has no rolls"
    if state.overlap is None:
        return "no overlap window"
    if state.recovered is None or state.recovered.source is None:
        return "the reference's rolls cannot be recovered: it ships neither contracts nor both of its series"
    return None


def raw_data(state: CertificationState) -> LayerResult:
    """L1: the raw bars."""
    request = state.request
    if request.contracts is None or state.bars is None:
        return LayerResult("L1", TITLES["L1"], "NOT_RUN", "no contract bars")
    return integrity.check(
        request.contracts,
        state.bars,
        state.canonical,
        tick=request.tick,
        calendar_sessions=request.calendar_sessions,
        reference_contracts=None if request.reference is None else request.reference.contracts,
    )


def rolls(state: CertificationState) -> LayerResult:
    """L2: alignment of both roll schedules."""
    why = _no_rolls(state)
    if why is not None:
        return LayerResult("L2", TITLES["L2"], "NOT_RUN", why)
    request, own, other = state.request, state.canonical_rolls, state.reference_rolls
    alignment = roll_schedule.align(own, other, tick=request.tick, max_day_delta=request.max_day_delta)
    state.alignment = alignment
    state.rule_mismatch = roll_schedule.rules_differ(
        alignment, own, other, tick=request.tick, max_day_delta=request.max_day_delta
    )
    text = f"{alignment.n_pass} pass, {alignment.n_watch} watch, {alignment.n_fail} fail"
    findings = [
        Finding("L2", "schedule", alignment.policy_status, text, evidence={"strict_status": alignment.strict_status})
    ]
    findings += _indistinguishable(state)
    findings += _unattributed_steps(state)
    if state.rule_mismatch:
        findings.append(_rule_mismatch(state))
    values = {
        "n_canonical": alignment.n_canonical,
        "n_reference": alignment.n_reference,
        "n_pass": alignment.n_pass,
        "n_watch": alignment.n_watch,
        "n_fail": alignment.n_fail,
        "n_paired": alignment.n_paired,
        "n_unmatched_canonical": len(alignment.unmatched_canonical),
        "n_unmatched_reference": len(alignment.unmatched_reference),
        "n_edge_canonical": len(alignment.edge_canonical),
        "n_edge_reference": len(alignment.edge_reference),
        "unmatched_share": alignment.unmatched_share,
        "fail_share": alignment.n_fail / alignment.n_paired if alignment.n_paired else None,
        "strict_status": alignment.strict_status,
        "policy_status": alignment.policy_status,
        "day_delta_histogram": {str(days): count for days, count in alignment.day_delta_histogram.items()},
    }
    status: Status = worst_status(finding.status for finding in findings)
    return LayerResult("L2", TITLES["L2"], status, text, tuple(findings), values)


def _indistinguishable(state: CertificationState) -> list[Finding]:
    """Stretches of the window whose contracts the reference's closes cannot tell apart."""
    recovered, overlap = state.recovered, state.overlap
    if recovered is None or overlap is None:
        return []
    first, last = overlap.first.isoformat(), overlap.last.isoformat()
    inside = [
        found
        for found in recovered.indistinguishable
        if found["last_session"] >= first and found["first_session"] <= last
    ]
    if not inside:
        return []
    shown = "; ".join(_apart(found) for found in inside[:MOST_NAMED])
    more = len(inside) - MOST_NAMED
    text = (
        "the reference's closes cannot tell "
        + shown
        + (f"; and {counted(more, 'more stretch', 'more stretches')}" if more > 0 else "")
    )
    return [
        Finding(
            "L2", "indistinguishable_contracts", "WATCH", text, INDISTINGUISHABLE_CONTRACTS,
            evidence={"stretches": inside},
        )
    ]  # fmt: skip


def _apart(found: dict[str, Any]) -> str:
    ours, theirs = found["own_contracts"], found["recovered_contracts"]
    only = [name for name in ours if name not in theirs] or ours
    others = [name for name in theirs if name not in only]
    said = "its roll there was not seen" + (", our schedule fits no worse" if found["fits"] else "")
    return (
        f"{', '.join(only)} from {', '.join(others)} between {found['first_session']} and {found['last_session']} "
        f"({found['distance_ticks']:.2g} ticks apart a session): {said}"
    )


def _unattributed_steps(state: CertificationState) -> list[Finding]:
    """Steps of the reference's spread inside the window that no change of contract explains."""
    recovered, overlap = state.recovered, state.overlap
    if recovered is None or overlap is None:
        return []
    steps = [recovered.rolls[n] for n in recovered.unattributed]
    steps = [step for step in steps if overlap.first < step.roll_date <= overlap.last]
    if not steps:
        return []
    text = f"{counted(len(steps), 'step')} of the reference's spread without a change of contract"
    evidence = {"steps": [{"roll_date": step.roll_date.isoformat(), "gap": step.gap} for step in steps]}
    return [Finding("L2", "unattributed_steps", "WATCH", text, UNATTRIBUTED_STEP, evidence=evidence)]


def _rule_mismatch(state: CertificationState) -> Finding:
    text = "the two sides follow different roll rules: no tuning of prices can help"
    evidence: dict[str, Any] = {}
    rule = None if state.request.contracts is None else apparent_rule(state.request.contracts, state.reference_rolls)
    if rule is not None:
        text += f"; the reference appears to roll {rule.text}, policy `{rule.policy}` would follow it"
        if rule.policy.startswith("calendar") and state.request.calendar_sessions is None:
            text += ", counted on the exchange's calendar, which is not named here (without one it counts weekdays)"
        if not rule.terms_stated:
            text += " once definition records state the last trade dates, and until then `schedule` on the rolls found"
        evidence = {
            "rule": rule.rule,
            "policy": rule.policy,
            "offset": rule.offset,
            "explained": rule.explained,
            "rolls": rule.rolls,
            "terms_stated": rule.terms_stated,
        }
    return Finding("L2", "roll_rule", "WATCH", text, "ROLL_RULE_MISMATCH", evidence=evidence)


def gaps(state: CertificationState) -> LayerResult:
    """L3: gaps of the paired rolls."""
    why = _no_rolls(state)
    if why is None and state.alignment is None:
        why = "the roll schedules were not aligned"
    if why is not None or state.alignment is None:
        return LayerResult("L3", TITLES["L3"], "NOT_RUN", why or "")
    request = state.request
    gaps = roll_gaps.compare(
        state.alignment, state.canonical_rolls, state.reference_rolls, state.closes, tick=request.tick
    )
    values = {
        "mean_gap_diff": gaps.mean_gap_diff,
        "max_gap_diff": gaps.max_gap_diff,
        "mean_gap_diff_ticks": gaps.mean_gap_diff_ticks,
        "max_gap_diff_ticks": gaps.max_gap_diff_ticks,
        "n_compared": gaps.n_compared,
    }
    state.gaps = gaps
    if gaps.mean_gap_diff is None:
        if state.alignment.n_paired:
            text = "the reference's gaps are unknown: it ships no adjusted series and states none"
            return LayerResult("L3", TITLES["L3"], "NOT_RUN", text, values=values)
        return LayerResult("L3", TITLES["L3"], "FAIL", "no paired rolls", values=values)
    limit = acceptance.LIMITS_V1.max_mean_gap_diff
    text = f"mean gap difference {gaps.mean_gap_diff:.6g} over {gaps.n_compared} pairs"
    finding = acceptance.watch_above(
        "L3", "mean_gap_diff", text, "MEAN_GAP_DIFF", gaps.mean_gap_diff, limit, request.quote_unit
    )
    findings = (finding, *_left_unadjusted(state, gaps))
    return LayerResult("L3", TITLES["L3"], worst_status(item.status for item in findings), text, findings, values)


def _left_unadjusted(state: CertificationState, gaps: roll_gaps.RollGaps) -> list[Finding]:
    """Rolls whose gap the reference left in its adjusted series."""
    found = roll_gaps.left_unadjusted(gaps, tick=state.request.tick).tolist()
    if not found or state.alignment is None:
        return []
    rolls = [
        {
            "block": f"{roll.from_contract}>{roll.to_contract}",
            "gap_session": state.reference_rolls[pair.reference].gap_session.isoformat(),
            "reference_gap": float(gaps.reference[at]),
            "gap": float(gaps.price_effect[at] + gaps.reference[at]),
        }
        for at in found
        for pair in [state.alignment.pairs[at]]
        for roll in [state.canonical_rolls[pair.canonical]]
    ]
    shown = ", ".join(f"{roll['block']} on {roll['gap_session']} ({roll['gap']:.6g})" for roll in rolls[:MOST_NAMED])
    more = f" and {len(rolls) - MOST_NAMED} more" if len(rolls) > MOST_NAMED else ""
    text = f"the reference left the gap of {shown}{more} in its adjusted series"
    return [Finding("L3", "unadjusted_rolls", "WATCH", text, "UNADJUSTED_ROLL", evidence={"rolls": rolls})]


def drift_layer(state: CertificationState) -> LayerResult:
    """L4: drift and its ledger."""
    absent = absent_side(state.request)
    if absent is None and state.overlap is None:
        absent = "no overlap window"
    if absent is None and state.overlap is not None and not state.overlap.has_reference_adjusted:
        absent = "the reference ships no adjusted series and states no gaps to build one from"
    if absent is None:
        absent = _bases_refused(state.request)
    if absent is not None or state.overlap is None:
        return LayerResult("L4", TITLES["L4"], "NOT_RUN", absent or "")
    overlap, request = state.overlap, state.request
    state.drift = found = drift.measure(overlap, state.canonical_rolls, state.reference_rolls)
    state.ledger = book = _ledger(state)
    scale = max(1.0, float(np.abs(overlap.canonical_adjusted).max()))
    if not np.abs(book.drift - found.d).max() <= 1e-9 * scale:
        raise DataError("the ledger explains another drift than the one measured")
    limit = acceptance.LIMITS_V1.max_mean_drift
    text = f"mean drift {found.mean_drift:.6g}, at most {found.max_drift:.6g}, over {overlap.sessions.size} sessions"
    findings = [
        acceptance.watch_above("L4", "mean_drift", text, "MEAN_DRIFT", found.mean_drift, limit, request.quote_unit),
        book.finding(),
    ]
    mismatch = adjustment.finding(request.canonical, state.recovered, tick=request.tick)
    if mismatch is not None:
        findings.append(mismatch)
    status = worst_status(finding.status for finding in findings)
    run = found.run
    values: dict[str, Any] = {
        "mean_drift": found.mean_drift,
        "max_drift": found.max_drift,
        "signed_mean": found.signed_mean_drift,
        "p95": found.p95_drift,
        "max_drift_session": overlap.sessions[found.max_at],
        "anchor": found.anchor,
        "aligned_on": {
            "rule": run.rule,
            "first_session": overlap.sessions[run.start],
            "last_session": overlap.sessions[run.end],
            "sessions": run.end - run.start + 1,
            "contract": overlap.contracts[run.contract] if run.contract >= 0 else None,
        },
        "contracts_known": overlap.contracts_known,
        "intervals": _intervals(overlap, found.intervals),
    }
    if request.contracts is None:
        # Without contracts, as for equities, the levels themselves are to agree: nothing is rolled or aligned.
        level = np.abs(overlap.canonical_adjusted - overlap.reference_adjusted)
        values["level_difference"] = {"mean": float(level.mean()), "max": float(level.max())}
    return LayerResult("L4", TITLES["L4"], status, text, tuple(findings), values)


def _intervals(overlap: Overlap, found: drift.DriftIntervals) -> Rows:
    return Rows(
        {
            "first_session": overlap.sessions[found.start],
            "last_session": overlap.sessions[found.end],
            "sessions": found.end - found.start + 1,
            "mean": found.mean,
            "signed_mean": found.signed_mean,
            "share": found.share,
        }
    )


def _ledger(state: CertificationState) -> ledger.Ledger:
    overlap, recovered = state.overlap, state.recovered
    if overlap is None or recovered is None:
        raise DataError("no overlap window")
    known = overlap.contracts_known
    roll_dates = (roll.roll_date for roll in recovered.rolls)
    ours = dict(zip(roll_dates, recovered.our_gaps.tolist(), strict=True))
    our_gaps = np.array([ours.get(roll.roll_date, np.nan) for roll in state.reference_rolls], dtype=np.float64)
    pairs = () if state.alignment is None else state.alignment.pairs
    return ledger.compute(
        overlap.sessions,
        ledger.Side(
            overlap.canonical_adjusted,
            overlap.canonical_unadjusted,
            overlap.canonical_contract if known else None,
            state.canonical_rolls,
        ),
        ledger.Side(
            overlap.reference_adjusted,
            overlap.reference_unadjusted if np.isfinite(overlap.reference_unadjusted).any() else None,
            overlap.reference_contract if known else None,
            state.reference_rolls,
        ),
        names=overlap.contracts,
        our_gaps=our_gaps,
        pairs=[(pair.canonical, pair.reference) for pair in pairs],
    )


def _bases_refused(request: CertifyRequest) -> str | None:
    """Series of different adjustment bases are compared only where the caller means to."""
    if request.intended_bases or request.canonical is None or request.reference is None:
        return None
    series = request.reference.adjusted or request.reference.unadjusted
    own, other = request.canonical.meta.adjustment_basis, None if series is None else series.meta.adjustment_basis
    if own is None or other is None or own == other:
        return None
    return f"bases differ: canonical is {own}, reference {other}; name the pair as intended to compare them"


def functional_parity(state: CertificationState) -> LayerResult:
    """L5: triggers and trades of the strategy on both sides, where the caller ran it."""
    given, build = state.request.functional, state.request.functional_on
    if given is None and build is not None:
        recovered = state.recovered
        if recovered is None or recovered.held is None:
            text = "the reference ships its adjusted series alone, and what its prices carry could not be recovered"
            return LayerResult("L5", TITLES["L5"], "NOT_RUN", text)
        given = build(recovered.sessions, recovered.adjusted - recovered.unadjusted)
    result, state.parity = functional.check(given, state.ledger)
    return result
