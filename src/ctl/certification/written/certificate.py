"""The certificate: what is published of one examination and its decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.certification.acceptance import limits_document
from ctl.certification.layers.roll_schedule import NOT_ALIGNED
from ctl.certification.watched import watch
from ctl.certification.what_if.path_range import range_of
from ctl.certification.written.tables import LazyTables, table_makers
from ctl.errors import CtlError
from ctl.model.certificate import (
    AcceptanceTerms,
    Certificate,
    CertifiedPair,
    CertifiedRoll,
    Counterfactuals,
    Inputs,
    Layers,
    OverlapSpan,
    SeriesDescription,
)
from ctl.model.documents import Records, document
from ctl.model.findings import NotRun
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.examination import Examination
    from ctl.certification.overlap import Overlap
    from ctl.certification.request import CertifyRequest
    from ctl.certification.what_if.other_series import WhatIfs
    from ctl.certification.window import WindowRoll
    from ctl.model.bars import ContractBars, DailySeries, SeriesMeta, SourceFile
    from ctl.model.certificate import RollStatus
    from ctl.model.findings import Decision, Reason
    from ctl.model.rolls import RollPolicy

# What the layers measure, once more at the top, for those who read nothing else; null where a layer did not run.
TOP_LEVEL_FIGURES: Final = (
    "n_canonical", "n_reference", "n_pass", "n_watch", "n_fail", "n_paired",
    "n_unmatched_canonical", "n_unmatched_reference", "n_edge_canonical", "n_edge_reference",
    "unmatched_share", "fail_share", "strict_status", "policy_status", "day_delta_histogram",
    "mean_gap_diff", "max_gap_diff", "mean_gap_diff_ticks", "max_gap_diff_ticks",
    "mean_drift", "max_drift", "signed_mean", "p95", "anchor",
)  # fmt: skip


def write(examination: Examination, decision: Decision, reasons: tuple[Reason, ...], what_ifs: WhatIfs) -> Certificate:
    """The certificate of one symbol, its tables made when they are read."""
    request, window, explained = examination.request, examination.window, examination.drift.measured
    schedules = examination.roll_schedule.measured_or(NOT_ALIGNED)
    built = request.canonical if isinstance(request.canonical, ContinuousSeries) else None
    recovered = examination.recovered
    removed = what_ifs.counterfactuals if isinstance(what_ifs.counterfactuals, Counterfactuals) else None
    return Certificate(
        symbol=request.symbol,
        root=request.root,
        decision=decision,
        reasons=reasons,
        acceptance=AcceptanceTerms(**limits_document(request.acceptance_policy)),
        package_version=request.package_version,
        quote_unit=request.quote_unit,
        tick=float(request.tick),
        max_day_delta=int(request.max_day_delta),
        overlap=None if isinstance(window, NotRun) else _overlap(window.overlap),
        **_figures(examination),
        rule_mismatch=schedules.rule_mismatch,
        **_rolls(examination),
        ledger=None if isinstance(explained, NotRun) else explained.ledger.summary,
        path_range=None if isinstance(explained, NotRun) else range_of(explained.ledger),
        rebuilt=what_ifs.rebuilt,
        smallest_flip=None if removed is None else removed.smallest_flip,
        flips_by_check=None if removed is None else removed.flips_by_check,
        counterfactuals=what_ifs.counterfactuals,
        layers=Layers(*(layer.report for layer in examination.layers())),
        reference_recovery=None if isinstance(recovered, NotRun) else recovered.record(),
        inputs=_inputs(request),
        roll_policy=None if built is None else _policy(built.policy),
        pending_roll=None if built is None else built.pending_roll,
        equity_basis=None if request.equity_basis is None else request.equity_basis.document,
        tables=LazyTables(table_makers(examination)),
        watched=watch(examination, decision, reasons),
    )


def _figures(examination: Examination) -> dict[str, Any]:
    """The figures at the top level, from the layers that came to them."""
    published = [layer.report.values for layer in (examination.drift, examination.roll_gaps, examination.roll_schedule)]
    return {
        name: next((getattr(values, name) for values in published if hasattr(values, name)), None)
        for name in TOP_LEVEL_FIGURES
    }


def _overlap(overlap: Overlap) -> OverlapSpan:
    return OverlapSpan(
        first_session=overlap.first,
        last_session=overlap.last,
        shared_sessions=int(overlap.sessions.size),
        union_sessions=int(overlap.union.size),
        same_contract_sessions=int(np.count_nonzero(overlap.same_contract)),
        contracts_known=overlap.contracts_known,
    )


def _rolls(examination: Examination) -> dict[str, Any]:
    """Both sides' rolls, those that paired, and those without a partner; none where rolls were not aligned."""
    window, schedules, gaps = examination.window, examination.roll_schedule.measured, examination.roll_gaps.measured
    if isinstance(window, NotRun) or isinstance(schedules, NotRun):
        none, pairs = Records(CertifiedRoll), Records(CertifiedPair)
        return {
            "canonical_rolls": none, "reference_rolls": none, "pairs": pairs, "unmatched_canonical": none,
            "unmatched_reference": none,
        }  # fmt: skip
    alignment, (ours, theirs) = schedules.alignment, (window.canonical_rolls, window.reference_rolls)
    our_status, their_status = alignment.statuses()
    alone, alone_reference = alignment.unmatched_canonical, alignment.unmatched_reference
    pairs = Records(CertifiedPair)
    if not isinstance(gaps, NotRun) and alignment.pairs:
        rolls = [ours[pair.canonical] for pair in alignment.pairs]
        partners = [theirs[pair.reference] for pair in alignment.pairs]
        columns = [
            [roll.from_contract for roll in rolls],
            [roll.to_contract for roll in rolls],
            [roll.gap_session for roll in rolls],
            [partner.gap_session for partner in partners],
            [pair.day_delta for pair in alignment.pairs],
            [pair.status for pair in alignment.pairs],
            gaps.canonical,
            gaps.reference,
            gaps.difference,
            gaps.date_effect,
            gaps.price_effect,
        ]
        pairs = Records(CertifiedPair, columns)
    return {
        "canonical_rolls": _records(ours, our_status),
        "reference_rolls": _records(theirs, their_status),
        "pairs": pairs,
        "unmatched_canonical": _records([ours[i] for i in alone], ["FAIL"] * len(alone)),
        "unmatched_reference": _records([theirs[j] for j in alone_reference], ["FAIL"] * len(alone_reference)),
    }


def _records(rolls: Sequence[WindowRoll], statuses: Sequence[RollStatus]) -> Records[CertifiedRoll]:
    # The first six fields of a roll of the window are those that are published.
    return Records(CertifiedRoll, [*list(zip(*rolls, strict=True))[:6], statuses] if rolls else ())


def _inputs(request: CertifyRequest) -> Inputs:
    reference = request.reference
    adjusted, unadjusted, theirs = (
        (None, None, None) if reference is None else (reference.adjusted, reference.unadjusted, reference.contracts)
    )
    theirs = None if isinstance(theirs, CtlError) else theirs
    others = {
        name: None if isinstance(series, CtlError) else series for name, series in sorted(request.alternatives.items())
    }
    return Inputs(
        contracts=_described(request.contracts),
        canonical=_described(request.canonical),
        reference_vendor=None if reference is None else reference.vendor,
        reference_adjusted=_described(adjusted),
        reference_unadjusted=_described(unadjusted),
        reference_contracts=_described(theirs),
        canonical_files=_files(request.contracts, request.canonical),
        reference_files=_files(adjusted, unadjusted, theirs),
        alternatives={name: _described(series) for name, series in others.items()},
        alternative_files=_files(*others.values()),
    )


def _described(series: ContractBars | ContinuousSeries | DailySeries | None) -> SeriesDescription | None:
    if series is None:
        return None
    meta: SeriesMeta = series.meta
    days = series.frame.get_column("session")
    first: Any = days.min()
    last: Any = days.max()
    return SeriesDescription(
        vendor=meta.vendor,
        root=meta.root,
        session_basis=meta.session_basis,
        close_basis=meta.close_basis,
        adjustment_basis=meta.adjustment_basis,
        quote_unit=meta.quote_unit,
        rows=series.frame.height,
        first_session=first,
        last_session=last,
        counts=dict(sorted(meta.counts.items())),
        notes=meta.notes,
    )


def _files(*series: ContractBars | ContinuousSeries | DailySeries | None) -> tuple[SourceFile, ...]:
    """Every file that bars came from, once, in order of name and digest."""
    files: dict[tuple[str, str], SourceFile] = {}
    for side in series:
        for file in () if side is None else side.meta.sources:
            files.setdefault((file.name, file.sha256), file)
    return tuple(files[key] for key in sorted(files))


def _policy(policy: RollPolicy) -> dict[str, Any]:
    """A roll policy with all its options; a schedule's rolls are counted, not repeated."""
    return {**document(policy), "schedule": len(policy.schedule)}
