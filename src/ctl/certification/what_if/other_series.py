"""What if: other canonical series judged against the same reference, and causes of the drift removed.

Nothing here changes the certified series or its decision; policy v2 alone reads the rebuilt series' verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ctl.certification import acceptance
from ctl.certification.attempt import attempt
from ctl.certification.layers import drift, functional, roll_gaps, roll_schedule
from ctl.certification.layers.roll_schedule import NOT_ALIGNED
from ctl.certification.measures import take_measures
from ctl.certification.series_arrays import canonical_arrays
from ctl.certification.tolerance import exceeds
from ctl.certification.what_if import removals
from ctl.certification.what_if.removals import Board
from ctl.certification.window import build_window
from ctl.errors import CtlError, DataError
from ctl.model.certificate import (
    Breach,
    Counterfactuals,
    CounterfactualsNotComputed,
    JudgedParity,
    JudgedSeries,
    NotComputed,
    RebuiltNotComputed,
    RebuiltSeries,
    RollRuleDifference,
)
from ctl.model.findings import NotRun, in_full
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.acceptance import Measures
    from ctl.certification.examination import Examination
    from ctl.certification.layers.functional import FunctionalParity
    from ctl.certification.recovery.reference import RecoveredReference
    from ctl.certification.window import Window
    from ctl.model.certificate import Removals
    from ctl.model.findings import Decision, LayerResult

RECOVERY_DOUBTFUL: Final = "RECOVERY_DOUBTFUL"
# The right rolls can drift a little more than ours, whose gap differences happen to cancel.
DOUBTFUL_FROM: Final = 1.1
_AS_CERTIFIED_ALONE = NotRun("only the certified series' trades are traced to ingredients")
Judged = JudgedSeries | NotComputed


@dataclass(frozen=True, slots=True)
class WhatIfs:
    """Everything that informs and decides nothing; None where the identity failed."""

    rebuilt: RebuiltSeries | RebuiltNotComputed | None
    counterfactuals: Counterfactuals | CounterfactualsNotComputed | None


def rebuilt(examination: Examination) -> Judged:
    """The canonical series built on the reference's own rolls: data parity, apart from the roll rule."""
    series = examination.on_reference_rolls
    judged = _judged(examination, lambda window: series if isinstance(series, NotRun) else judge(window, series))
    explained = examination.drift.measured
    if isinstance(judged, NotComputed) or isinstance(explained, NotRun):
        return judged
    as_built = explained.drift.figures.mean_drift
    if not exceeds(judged.mean_drift, max(DOUBTFUL_FROM * as_built, as_built + examination.request.tick)):
        return judged
    text = (
        "the rolls recovered from the reference are in doubt: our contracts drift more on them "
        f"({in_full(judged.mean_drift, 6)}) than as built ({in_full(as_built, 6)}), so they give no verdict"
    )
    return NotComputed(RECOVERY_DOUBTFUL, text)


def what_ifs(examination: Examination, decision: Decision, as_rebuilt: Judged) -> WhatIfs:
    """What would turn the decision, and how other closes would do."""
    if examination.identity.status == "FAIL" or examination.request.acceptance_policy == "e1":
        return WhatIfs(None, None)
    measures = examination.measures(as_rebuilt)
    removed = attempt(lambda: _removals(examination, measures, decision))
    others: dict[str, Any] = {
        "alternatives": {
            name: _judged(examination, partial(_alternative, name)) for name in sorted(examination.request.alternatives)
        },
        "read_again": _judged(examination, partial(_read_again, examination)),
    }
    counterfactuals: Counterfactuals | CounterfactualsNotComputed
    if isinstance(removed, NotRun):
        counterfactuals = CounterfactualsNotComputed(**_values(_not_computed(removed)), **others)
    else:
        counterfactuals = Counterfactuals(**_values(removed), **others)
    return WhatIfs(_with_difference(as_rebuilt, measures), counterfactuals)


def judge(window: Window, series: ContinuousSeries, recovered: RecoveredReference | None = None) -> JudgedSeries:
    """Judge another canonical series against the same reference, by the same layers and limits.

    recovered: the reference read otherwise; None: as it was certified against. Raises DataError where a layer does
    not run on the series.
    """
    asked = window.request
    own = (None, None) if asked.run_on is None else asked.run_on(series)
    series = series if window.log_points is None else window.log_points.series(series)
    request = replace(
        asked, canonical=series, rebuild=None, alternatives={}, functional=own[0], run_on_recovered=own[1]
    )
    ours = canonical_arrays(series, window.closes.names)
    other = build_window(request, ours, window.closes, recovered or window.recovered, window.log_points)
    if isinstance(other, NotRun):
        raise DataError(other.reason, code=other.code)
    schedules = roll_schedule.schedules_of(other)
    gaps = roll_gaps.of_window(other, schedules)
    if gaps.figures.mean_gap_diff is None and schedules.alignment.pairs:
        raise DataError(f"{roll_gaps.LAYER} did not run on this series: {roll_gaps.GAPS_UNKNOWN}")
    explained = drift.explain(other, schedules.alignment)
    if isinstance(explained, NotRun):
        raise DataError(f"{drift.LAYER} did not run on this series: {explained.reason}")
    policy, quote_unit = request.acceptance_policy, request.quote_unit
    # Policy v2 asks for the rebuilt series' verdict, which is no condition of a counterfactual's own.
    measures = take_measures(
        other, schedules, gaps, explained, tick=request.tick, policy=policy, rebuilt_decision="ACCEPT"
    )
    decision, reasons = acceptance.evaluate(measures, quote_unit=quote_unit, policy=policy)
    flip, note = removals.smallest_flip(
        Board(measures, explained.ledger, schedules, gaps.difference, quote_unit, policy)
    )
    figures, measured = schedules.alignment.figures(), explained.drift.figures
    return JudgedSeries(
        status="RUN",
        decision=decision,
        reasons=tuple(Breach(reason.code, reason.severity, reason.text) for reason in reasons),
        shared_sessions=measures.shared_sessions,
        n_canonical=figures.n_canonical,
        n_reference=figures.n_reference,
        n_pass=figures.n_pass,
        n_watch=figures.n_watch,
        n_fail=figures.n_fail,
        n_paired=measures.n_paired,
        unmatched_share=measures.unmatched_share,
        fail_share=measures.fail_share,
        mean_gap_diff=measures.mean_gap_diff,
        max_gap_diff=gaps.figures.max_gap_diff,
        mean_drift=measured.mean_drift,
        max_drift=measured.max_drift,
        signed_mean=measured.signed_mean,
        p95=measured.p95,
        smallest_flip=flip,
        smallest_flip_note=note,
        functional=_parity(functional.check(functional.strategy_input(request, other.recovered), _AS_CERTIFIED_ALONE)),
    )


def _parity(layer: LayerResult[FunctionalParity]) -> JudgedParity:
    """What would change in trades."""
    parity = layer.measured
    if isinstance(parity, NotRun):
        return JudgedParity(layer.status, layer.text, None, None)
    return JudgedParity(layer.status, layer.text, parity.canonical_trades, parity.figures())


def _removals(examination: Examination, measures: Measures, decision: Decision) -> Removals | NotRun:
    """Causes removed; not where no decision on limits was made."""
    schedules, gaps = examination.roll_schedule.measured, examination.roll_gaps.measured
    explained = examination.drift.measured
    absent = NotRun("no decision on limits was made")
    if decision == "ERROR" or isinstance(schedules, NotRun):
        return absent
    if isinstance(gaps, NotRun) or isinstance(explained, NotRun):
        return absent
    request = examination.request
    board = Board(measures, explained.ledger, schedules, gaps.difference, request.quote_unit, request.acceptance_policy)
    return removals.report(board)


def _alternative(name: str, window: Window) -> JudgedSeries | NotRun:
    """Our series from other closes, judged. Raises what kept its files from being read, unless they are not there."""
    series = window.request.alternatives[name]
    if not isinstance(series, CtlError):
        return judge(window, series)
    if series.code == "INPUT_MISSING":
        return NotRun(str(series))
    raise series


def _read_again(examination: Examination, window: Window) -> JudgedSeries | NotRun:
    """The certified series against the reference read again, where the rolls as recovered refuse it.

    Answers whether a refusal rests on more than fingerprinting's penalty: on the stretches that the reference's
    closes fit our schedule on no worse than the recovered path, ours is taken for the reference's.
    """
    series, again = examination.request.canonical, window.recovered.read_again
    if again is None or not isinstance(series, ContinuousSeries):
        return NotRun("the reference's closes leave no roll of ours open")
    alignment = examination.roll_schedule.measured_or(NOT_ALIGNED).alignment
    counts = (len(alignment.pairs), len(alignment.unmatched_canonical), len(alignment.unmatched_reference))
    if not acceptance.refuses_rolls(*counts):
        return NotRun("not needed: the roll counts are within their limits")
    return judge(window, series, again())


def _judged(examination: Examination, work: Callable[[Window], JudgedSeries | NotRun]) -> Judged:
    """What a judgement by the certificate's own layers finds; where it cannot be made, the record says why."""
    window = examination.window
    layers = (examination.roll_schedule, examination.roll_gaps, examination.drift)
    if isinstance(window, NotRun) or not all(layer.report.ran for layer in layers):
        return NotComputed("NOT_RUN", "the layers that it would be compared with did not run")
    judged = attempt(partial(work, window))
    return _not_computed(judged) if isinstance(judged, NotRun) else judged


def _with_difference(as_rebuilt: Judged, measures: Measures) -> RebuiltSeries | RebuiltNotComputed:
    """The rebuilt series beside what is left of gap difference and drift once it is taken off the series as built."""
    if isinstance(as_rebuilt, NotComputed):
        return RebuiltNotComputed(as_rebuilt.status, as_rebuilt.text)
    difference = RollRuleDifference(
        _less(measures.mean_drift, as_rebuilt.mean_drift), _less(measures.mean_gap_diff, as_rebuilt.mean_gap_diff)
    )
    return RebuiltSeries(**_values(as_rebuilt), roll_rule_difference=difference)


def _less(value: float | None, less: float | None) -> float | None:
    return None if value is None or less is None else value - less


def _not_computed(why: NotRun) -> NotComputed:
    return NotComputed("ERROR" if why.failed else "NOT_RUN", why.reason)


def _values(record: Any) -> dict[str, Any]:
    """The fields of a record, to make a wider one of."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
