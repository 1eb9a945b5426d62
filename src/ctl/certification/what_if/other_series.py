"""Counterfactuals of one certification: other canonical series judged against the same reference, and removals.

Nothing here changes the certified series or its decision; policy v2 alone reads the rebuilt series' verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ctl.certification import acceptance, run_layers
from ctl.certification.state import CertificationState
from ctl.certification.what_if import removals
from ctl.certification.what_if.removals import Board
from ctl.errors import CtlError, DataError
from ctl.model.rolls import ContinuousSeries, ScheduledRoll

if TYPE_CHECKING:
    from ctl.certification.acceptance import Measures
    from ctl.certification.recovery.reference import RecoveredReference
    from ctl.model.findings import Decision


@dataclass(frozen=True, slots=True)
class OtherSeries:
    """Another canonical series in place of the certified one: its verdict (None: there is none), and its document."""

    decision: Decision | None
    document: dict[str, Any]


def board(state: CertificationState, measures: Measures, *, policy: str) -> Board | None:
    """What removals are judged on; None where the layers behind it did not run."""
    if state.ledger is None or state.alignment is None or state.gaps is None:
        return None
    return Board(
        measures=measures,
        ledger=state.ledger,
        alignment=state.alignment,
        gap_difference=state.gaps.difference,
        rule_mismatch=state.rule_mismatch,
        quote_unit=state.request.quote_unit,
        policy=policy,
    )


def rebuild(state: CertificationState) -> ContinuousSeries | str:
    """The canonical series built on the reference's own rolls, or why there is none."""
    if state.request.rebuild is None:
        return "no builder was given"
    if state.recovered is None or not state.recovered.contracts_known:
        return "the reference's contracts are unknown: there is no schedule to build on"
    schedule = reference_schedule(state.recovered)
    if not schedule:
        return "the reference has no rolls to build on"
    return state.request.rebuild(schedule)


def reference_schedule(recovered: RecoveredReference) -> tuple[ScheduledRoll, ...]:
    """The recovered reference's rolls as a schedule to build our contracts on; empty where contracts are unknown.

    Steps without a change of contract are no rolls. Without any roll the one contract held is scheduled from
    the first session.
    """
    rolls = tuple(
        ScheduledRoll(roll.roll_date, roll.from_contract, roll.to_contract)
        for roll in recovered.rolls
        if roll.to_contract is not None
    )
    if rolls or recovered.held is None:
        return rolls
    known = np.flatnonzero(recovered.held >= 0)
    if not len(known):
        return ()
    name = recovered.contracts[int(recovered.held[known[0]])]
    return (ScheduledRoll(recovered.sessions[known[0]].astype(object), name, name),)


def alternative(state: CertificationState, name: str) -> ContinuousSeries | str:
    """Our series from other closes, or which files it lacks. Raises what kept its files from being read."""
    found = state.request.alternatives[name]
    if isinstance(found, CtlError):
        if found.code == "INPUT_MISSING":
            return str(found)
        raise found
    return found


def judge(
    state: CertificationState, series: ContinuousSeries, recovered: RecoveredReference | None = None
) -> OtherSeries:
    """Judge another canonical series against the same reference, by the same layers and limits.

    recovered: the reference read otherwise; None: as it was certified against.
    """
    other = CertificationState(replace(state.request, canonical=series, rebuild=None, alternatives={}))
    other.closes, other.recovered = state.closes, recovered or state.recovered
    run_layers.lay_window(other)
    for layer in (run_layers.rolls, run_layers.gaps, run_layers.drift_layer):
        result = layer(other)
        if not result.ran:
            raise DataError(f"{result.layer} did not run on this series: {result.text}")
    # Policy v2 asks for the rebuilt series' verdict, which is no condition of a counterfactual's own.
    other.rebuilt_decision = "ACCEPT"
    measures, policy = other.measures(), state.request.acceptance_policy
    decision, reasons = acceptance.evaluate(measures, quote_unit=state.request.quote_unit, policy=policy)
    judged = board(other, measures, policy=policy)
    flip, note = (None, "no ledger") if judged is None else removals.smallest_flip(judged)
    found, alignment, gaps = other.drift, other.alignment, other.gaps
    return OtherSeries(
        decision,
        {
            "status": "RUN",
            "decision": decision,
            "reasons": [{"code": reason.code, "severity": reason.severity, "text": reason.text} for reason in reasons],
            "shared_sessions": measures.shared_sessions,
            "n_canonical": 0 if alignment is None else alignment.n_canonical,
            "n_reference": 0 if alignment is None else alignment.n_reference,
            "n_pass": 0 if alignment is None else alignment.n_pass,
            "n_watch": 0 if alignment is None else alignment.n_watch,
            "n_fail": 0 if alignment is None else alignment.n_fail,
            "n_paired": measures.n_paired,
            "unmatched_share": measures.unmatched_share,
            "fail_share": measures.fail_share,
            "mean_gap_diff": measures.mean_gap_diff,
            "max_gap_diff": None if gaps is None else gaps.max_gap_diff,
            "mean_drift": measures.mean_drift,
            "max_drift": None if found is None else found.max_drift,
            "signed_mean": None if found is None else found.signed_mean_drift,
            "p95": None if found is None else found.p95_drift,
            "smallest_flip": None if flip is None else flip.document(),
            "smallest_flip_note": note,
        },
    )


def read_again(state: CertificationState) -> OtherSeries:
    """The certified series against the reference read again, where the rolls as recovered refuse it.

    Answers whether a refusal rests on more than fingerprinting's penalty: on the stretches that the reference's
    closes fit our schedule on no worse than the recovered path, ours is taken for the reference's.
    """
    series, recovered, alignment = state.request.canonical, state.recovered, state.alignment
    if recovered is None or recovered.read_again is None or not isinstance(series, ContinuousSeries):
        return not_run("the reference's closes leave no roll of ours open")
    if alignment is None or not acceptance.refuses_rolls(alignment):
        return not_run("the rolls as recovered refuse nothing")
    return judge(state, series, recovered.read_again())


def not_run(why: str) -> OtherSeries:
    """A counterfactual that lacks an input."""
    return OtherSeries(None, {"status": "NOT_RUN", "text": why})


def roll_rule_difference(measures: Measures, rebuilt: dict[str, Any]) -> dict[str, Any] | None:
    """What is left of gap difference and drift once data parity (rebuilt) is taken off the series as built."""
    if rebuilt.get("status") != "RUN":
        return None
    names = ("mean_drift", "mean_gap_diff")
    own = {"mean_drift": measures.mean_drift, "mean_gap_diff": measures.mean_gap_diff}
    difference: dict[str, Any] = {}
    for name in names:
        mine, theirs = own[name], rebuilt[name]
        difference[name] = None if mine is None or theirs is None else mine - theirs
    return difference
