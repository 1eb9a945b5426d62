"""L2: do both sides roll on the same sessions? Alignment of two roll schedules and what it shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from ctl.arrays import Floats, Ints
from ctl.certification.layers import rule_fit
from ctl.certification.recovery.indistinguishable import INDISTINGUISHABLE_CONTRACTS
from ctl.certification.recovery.reference import UNATTRIBUTED_STEP
from ctl.certification.recovery.spread_steps import MIN_STEP_TICKS
from ctl.certification.series_arrays import days_of, gaps_of
from ctl.certification.tolerance import exceeds
from ctl.kernels import kernel
from ctl.model.certificate import ScheduleFigures
from ctl.model.findings import (
    Finding,
    LayerName,
    LayerResult,
    NotRun,
    counted,
    finding,
    first_few,
    in_full,
    worst_status,
)
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.layers.rule_fit import RuleFit
    from ctl.certification.window import Window, WindowRoll
    from ctl.model.certificate import IndistinguishableStretch, RollStatus
    from ctl.model.findings import Status
    from ctl.model.rolls import ReferenceRoll

LAYER: Final[LayerName] = "L2"
LEAST_HELD: Final = 10
MOST_SKIPPED_SHARE: Final = 0.2
# From so many sessions, and ticks on, closes show which of two contracts they are of.
SHOWN_SHARE: Final = 0.8
SHOWN_TICKS: Final = 4.0

DAY_COST: Final = 1.0
TICK_COST: Final = 0.01
UNMATCHED_COST: Final = 50.0
POLICY_MAX_UNMATCHED_SHARE: Final = 0.10
POLICY_MAX_FAIL_SHARE: Final = 0.15
MISMATCH_SHARE: Final = 0.5
RULE_LEAD: Final = 0.05

# Costs are whole billionths, so that equal sums compare equal and the tie rule decides, not rounding noise.
_UNITS: Final = 1e9
_MOST: Final = 1e6
_FORBIDDEN: Final = 2**61
_NO_LIMIT: Final = 2**61


class RollPair(NamedTuple):
    """One roll of each side, as indices into both lists of rolls; a tuple, because a symbol has hundreds.

    day_delta: trading days, canonical less reference; positive where the canonical side rolls later.
    """

    canonical: int
    reference: int
    day_delta: int

    @property
    def status(self) -> Literal["PASS", "WATCH"]:
        """PASS on the same gap session, else WATCH: a pair beyond the limit does not exist."""
        return "PASS" if self.day_delta == 0 else "WATCH"


@dataclass(frozen=True, slots=True)
class RollAlignment:
    """The order-preserving matching of least cost. All indices point into the lists that were aligned.

    unmatched_*: rolls without a partner that count (FAIL). edge_*: unpaired rolls too near an edge to count.
    """

    pairs: tuple[RollPair, ...]
    unmatched_canonical: tuple[int, ...]
    unmatched_reference: tuple[int, ...]
    edge_canonical: tuple[int, ...]
    edge_reference: tuple[int, ...]
    cost: float

    def statuses(self) -> tuple[list[RollStatus], list[RollStatus]]:
        """Status of every roll of each side, in the order of the lists that were aligned."""
        paired, unmatched = len(self.pairs), (self.unmatched_canonical, self.unmatched_reference)
        canonical: list[RollStatus] = ["EDGE"] * (paired + len(unmatched[0]) + len(self.edge_canonical))
        reference: list[RollStatus] = ["EDGE"] * (paired + len(unmatched[1]) + len(self.edge_reference))
        for pair in self.pairs:
            canonical[pair.canonical] = reference[pair.reference] = pair.status
        for i in unmatched[0]:
            canonical[i] = "FAIL"
        for j in unmatched[1]:
            reference[j] = "FAIL"
        return canonical, reference

    def figures(self) -> ScheduleFigures:
        """What is published: rolls that count (paired or unmatched) by status, and the two verdicts on them."""
        alone, alone_reference = len(self.unmatched_canonical), len(self.unmatched_reference)
        paired, failed = len(self.pairs), alone + alone_reference
        deltas = Counter(pair.day_delta for pair in self.pairs)
        rolls = 2 * paired + failed
        unmatched_share = failed / rolls if rolls else None
        strict: Status = "FAIL" if failed or not paired else "PASS" if deltas[0] == paired else "WATCH"
        policy = strict
        if strict != "PASS":
            # WATCH while few rolls are unmatched.
            few_unmatched = unmatched_share is not None and not exceeds(unmatched_share, POLICY_MAX_UNMATCHED_SHARE)
            few_failed = few_unmatched and not exceeds(failed / (paired + failed), POLICY_MAX_FAIL_SHARE)
            policy = "WATCH" if few_failed else "FAIL"
        return ScheduleFigures(
            n_canonical=paired + alone,
            n_reference=paired + alone_reference,
            n_pass=deltas[0],
            n_watch=paired - deltas[0],
            n_fail=failed,
            n_paired=paired,
            n_unmatched_canonical=alone,
            n_unmatched_reference=alone_reference,
            n_edge_canonical=len(self.edge_canonical),
            n_edge_reference=len(self.edge_reference),
            unmatched_share=unmatched_share,
            fail_share=failed / paired if paired else None,
            strict_status=strict,
            policy_status=policy,
            day_delta_histogram={str(days): deltas[days] for days in sorted(deltas)},
        )


@dataclass(frozen=True, slots=True)
class RollSchedules:
    """Both sides' rolls, aligned. rule_mismatch: the two sides follow different roll rules."""

    alignment: RollAlignment
    rule_mismatch: bool


# Of a pair of sides whose rolls were not compared.
NOT_ALIGNED: Final = RollSchedules(RollAlignment((), (), (), (), (), 0.0), rule_mismatch=False)


def check(window: Window | NotRun) -> LayerResult[RollSchedules]:
    """The layer: alignment of both roll schedules, and what keeps rolls from being seen or paired."""
    if isinstance(window, NotRun):
        return LayerResult.absent(LAYER, window)
    if not isinstance(window.canonical, ContinuousSeries):
        return LayerResult.absent(LAYER, "the canonical series is no continuous series: it has no rolls")
    if window.recovered.source is None:
        why = "the reference's rolls cannot be recovered: it ships neither contracts nor both of its series"
        return LayerResult.absent(LAYER, why)
    measured = schedules_of(window)
    alignment, rule_mismatch = measured.alignment, measured.rule_mismatch
    figures = alignment.figures()
    text = f"{figures.n_pass} pass, {figures.n_watch} watch, {figures.n_fail} fail"
    findings = [
        finding("schedule", figures.policy_status, text, evidence={"strict_status": figures.strict_status}),
        *check_inconsistent(window),
        *(check_cycle_and_rule(window, figures, rule_mismatch) or check_apart(window)),
        *check_indistinguishable(window),
        *check_unattributed(window),
        *check_forced(window, alignment),
    ]
    status = worst_status(made.status for made in findings)
    return LayerResult.of(LAYER, status, text, findings, measured=measured, figures=figures)


def schedules_of(window: Window) -> RollSchedules:
    """The rolls of a window's sides, aligned."""
    rolls, tick, most = (
        (window.canonical_rolls, window.reference_rolls),
        window.request.tick,
        window.request.max_day_delta,
    )
    alignment = align(*rolls, tick=tick, max_day_delta=most)
    return RollSchedules(alignment, rules_differ(alignment, *rolls, tick=tick, max_day_delta=most))


def check_indistinguishable(window: Window) -> list[Finding]:
    """Stretches of the window whose contracts the reference's closes cannot tell apart."""
    first, last = window.overlap.first, window.overlap.last
    inside = [
        stretch
        for stretch in window.recovered.indistinguishable
        if stretch.last_session >= first and stretch.first_session <= last
    ]
    if not inside:
        return []
    text = "the reference's closes cannot tell " + first_few([*map(_apart, inside)], ("stretch", "stretches"))
    evidence = {"stretches": inside}
    return [finding("indistinguishable_contracts", "WATCH", text, INDISTINGUISHABLE_CONTRACTS, evidence=evidence)]


def check_forced(window: Window, alignment: RollAlignment) -> list[Finding]:
    """How many of our rolls the guard forced before last trade or first notice, and how many of those stand alone."""
    series = window.canonical
    if not isinstance(series, ContinuousSeries):
        return []
    forced = {roll.roll_date for roll in series.rolls if roll.reason == "guard"}
    ours = [roll.roll_date for roll in window.canonical_rolls]
    alone = sum(ours[index] in forced for index in alignment.unmatched_canonical)
    count = sum(day in forced for day in ours)
    if not count:
        return []
    text = (
        f"{count} of our {counted(len(ours), 'roll')} forced by the guard before last trade or first notice, "
        f"{alone} of the {len(alignment.unmatched_canonical)} without a partner among them"
    )
    return [finding("forced_rolls", "PASS", text, value=float(count), unit="rolls", evidence={"unmatched": alone})]


def _apart(stretch: IndistinguishableStretch) -> str:
    ours, theirs = stretch.own_contracts, stretch.recovered_contracts
    only = [name for name in ours if name not in theirs] or ours
    others = [name for name in theirs if name not in only]
    one = stretch.first_session == stretch.last_session
    when = f"on {stretch.first_session}" if one else f"between {stretch.first_session} and {stretch.last_session}"
    said = "its roll there was not seen" + (", our schedule fits no worse" if stretch.fits else "")
    return (
        f"{', '.join(only)} from {', '.join(others)} {when} ({stretch.distance_ticks:.2g} ticks apart"
        f"{'' if one else ' a session'}): {said}"
    )


def check_unattributed(window: Window) -> list[Finding]:
    """Steps of the reference's spread inside the window that no change of contract explains."""
    steps = [window.recovered.rolls[n] for n in window.recovered.unattributed]
    steps = [step for step in steps if window.overlap.first < step.roll_date <= window.overlap.last]
    fit = window.recovered.ours_fit
    if steps and fit is not None:
        # A step at a roll of ours is that roll's, where our contracts explain the closes as well as those recovered.
        union = window.overlap.union
        ours = np.array([roll.roll_index for roll in window.canonical_rolls], dtype=np.int64)
        at = np.searchsorted(union, days_of([step.roll_date for step in steps]))
        near = np.abs(at[:, None] - ours[None, :]).min(axis=1, initial=union.size) <= window.request.max_day_delta
        if near.any() and fit():
            steps = [step for step, ours_too in zip(steps, near.tolist(), strict=True) if not ours_too]
    steps = [step for step in steps if not _is_roll_of_ours(step, window)]
    if not steps:
        return []
    shown = first_few([f"{step.roll_date} by {in_full(step.gap)}" for step in steps if step.gap is not None])
    text = (
        f"{counted(len(steps), 'step')} of the reference's spread without a change of contract, {shown}: its "
        "adjusted closes before are off by that"
    )
    evidence = {"steps": [{"roll_date": step.roll_date.isoformat(), "gap": step.gap} for step in steps]}
    return [finding("unattributed_steps", "WATCH", text, UNATTRIBUTED_STEP, evidence=evidence)]


def _is_roll_of_ours(step: ReferenceRoll, window: Window) -> bool:
    """Whether a step is the gap, on its own session, of a roll of ours within the day limit: too short to be seen."""
    if step.gap is None:
        return False
    union, limit = window.overlap.union, window.request.max_day_delta
    at = int(np.searchsorted(union, np.datetime64(step.gap_session)))
    near = [roll for roll in window.canonical_rolls if abs(roll.gap_index - at) <= limit]
    gaps = window.closes.gaps(
        [(roll.from_contract, roll.to_contract) for roll in near], days_of([step.gap_session] * len(near))
    )
    return bool((np.abs(gaps - step.gap) <= MIN_STEP_TICKS * window.request.tick).any())


def check_inconsistent(window: Window) -> list[Finding]:
    """That the reference's two files roll on different days."""
    days = window.recovered.inconsistent
    if not days:
        return []
    shown = first_few([day.isoformat() for day in days])
    text = (
        f"the reference's adjusted and unadjusted files roll on different days, {counted(len(days), 'roll')} of the "
        f"adjusted one ({shown}): each was read by itself, the adjusted file's rolls count"
    )
    evidence = {"roll_dates": [day.isoformat() for day in days]}
    return [finding("reference_files", "WATCH", text, "REFERENCE_INCONSISTENT", evidence=evidence)]


def check_cycle_and_rule(window: Window, figures: ScheduleFigures, rule_mismatch: bool) -> list[Finding]:
    """Another cycle of delivery months, another roll rule; nothing where our contracts explain the closes as well."""
    if not figures.n_fail:
        # Every roll to a month that only one side holds is without a partner.
        return []
    found = [*check_months(window), *check_rules(window, figures, rule_mismatch)] or check_skipped(window)
    fit = window.recovered.ours_fit
    return [] if found and not rule_mismatch and fit is not None and fit() else found


def check_months(window: Window) -> list[Finding]:
    """Delivery months that one side holds and the other never does."""
    overlap = window.overlap
    ours, theirs = (
        rule_fit.months_held(overlap.contracts, contract_on_day, overlap.sessions)
        for contract_on_day in (overlap.canonical_contract, overlap.reference_contract)
    )
    return rule_fit.check_months(ours, theirs)


def check_skipped(window: Window) -> list[Finding]:
    """CONTRACT_SKIPPED: contracts that one side holds for ten sessions or more and the other never does.

    Not those that the reference's closes cannot tell apart; adjusted closes alone tell too few.
    """
    overlap = window.overlap
    if not overlap.has_reference_unadjusted:
        return []
    ours, theirs = overlap.canonical_contract, overlap.reference_contract
    alike = {name for stretch in window.recovered.indistinguishable for name in stretch.own_contracts}
    both = (ours >= 0) & (theirs >= 0)
    rows: list[dict[str, Any]] = []
    for side, own, other in (("reference", ours, theirs), ("canonical", theirs, ours)):
        for k in np.setdiff1d(own[both], other[both]).tolist():
            at = np.flatnonzero(both & (own == k))
            if at.size >= LEAST_HELD and overlap.contracts[k] not in alike:
                first, last = overlap.sessions[at[[0, -1]]].tolist()
                beside = overlap.contracts[int(np.bincount(other[at]).argmax())]
                rows.append(
                    {"skipped_by": side, "contract": overlap.contracts[k], "holds": beside, "first": str(first),
                     "last": str(last), "sessions": int(at.size)}
                )  # fmt: skip
    if not rows or len(rows) > MOST_SKIPPED_SHARE * np.unique(ours[both]).size:
        return []
    words = {"reference": "the reference never holds", "canonical": "our series never holds"}
    told = [
        f"{words[row['skipped_by']]} {row['contract']}, held by the other from {row['first']} to {row['last']}, but "
        f"{row['holds']}"
        for row in rows
    ]
    evidence = {"contracts": rows}
    text = first_few(told, ("", ""))
    return [finding("skipped", "WATCH", text, "CONTRACT_SKIPPED", float(len(rows)), 0.0, "contracts", evidence)]


def check_apart(window: Window) -> list[Finding]:
    """CONTRACTS_APART: stretches beyond the day limit on which the sides hold different contracts, as the closes show.

    The reference's closes are those of its contract on 80 % of the sessions, and 4 ticks or more off ours.
    """
    overlap, tick = window.overlap, window.request.tick
    if not overlap.has_reference_unadjusted or window.log_points is not None or window.recovered.inconsistent:
        return []
    ours, theirs = overlap.canonical_contract, overlap.reference_contract
    off = np.flatnonzero((ours >= 0) & (theirs >= 0) & (ours != theirs))
    rows: list[dict[str, Any]] = []
    # Two rolls beside each other, each within the limit, make no stretch: one pair of contracts at a time.
    turns = (np.diff(off) > 1) | (np.diff(ours[off]) != 0) | (np.diff(theirs[off]) != 0)
    bounds = np.concatenate([[0], np.flatnonzero(turns) + 1, [off.size]])
    for n in np.flatnonzero(np.diff(bounds) > window.request.max_day_delta).tolist():
        run = off[bounds[n] : bounds[n + 1]]
        at, closes = window.closes.index_of(overlap.sessions[run]), overlap.reference_unadjusted[run]
        own, held = (np.abs(window.closes.close(side[run], at) - closes) for side in (ours, theirs))
        if (held <= tick * (1 + 1e-9)).mean() >= SHOWN_SHARE and np.nanmedian(own) >= SHOWN_TICKS * tick:
            names = [overlap.contracts[int(side[run[0]])] for side in (ours, theirs)]
            first, last = overlap.sessions[run[[0, -1]]].tolist()
            rows.append(
                {"canonical": names[0], "reference": names[1], "first": str(first), "last": str(last),
                 "sessions": int(run.size)}
            )  # fmt: skip
    if not rows:
        return []
    told = [
        f"we hold {row['canonical']} and the reference {row['reference']} from {row['first']} to {row['last']}, "
        f"{counted(row['sessions'], 'session')}"
        for row in reversed(rows)
    ]
    text, evidence = first_few(told, ("earlier stretch", "earlier stretches")), {"stretches": rows}
    return [finding("apart", "WATCH", text, "CONTRACTS_APART", float(len(rows)), 0.0, "stretches", evidence)]


def check_rules(window: Window, figures: ScheduleFigures, rule_mismatch: bool) -> list[Finding]:
    """That the two sides follow different roll rules, which one the reference follows, and whether it changes.

    A rule by fit is told also where fewer than half of the rolls lie beyond the day limit, if it explains clearly more
    of the reference's rolls than our schedule does.
    """
    few = max(figures.n_canonical, figures.n_reference)
    unmatched = figures.unmatched_share or 0.0
    failed = figures.n_fail / figures.n_paired if figures.n_paired else 1.0
    within_limits = not exceeds(unmatched, POLICY_MAX_UNMATCHED_SHARE) and not exceeds(failed, POLICY_MAX_FAIL_SHARE)
    if not rule_mismatch and (within_limits or not figures.n_fail):
        return []
    contracts, within = window.request.contracts, window.request.max_day_delta
    if contracts is None:
        return [_rule_mismatch(window, None)] if rule_mismatch else []
    rules = rule_fit.candidates(contracts, window.reference_rolls)
    change = rule_fit.rule_change(rules, within)
    if change is not None:
        return rule_fit.check_change(change)
    fit = rule_fit.best_rule(rules, within)
    if rule_mismatch:
        return [_rule_mismatch(window, fit)]
    paired = figures.n_paired / few if few else 0.0
    return [_rule_mismatch(window, fit)] if fit is not None and fit.share >= paired + RULE_LEAD else []


def _rule_mismatch(window: Window, fit: RuleFit | None) -> Finding:
    text = "the two sides follow different roll rules: no tuning of prices can help"
    evidence: dict[str, Any] = {}
    if fit is not None:
        text += f"; the reference rolls {fit.words}, `{fit.rule.options}` follows it"
        if "calendar" in fit.rule.options and window.request.calendar_sessions is None:
            text += ", counted on the exchange's calendar, which is not named here (without one it counts weekdays)"
        stated = _terms_stated(window)
        if "expiry" in fit.rule.options and not stated:
            text += " once definition records state the last trade dates, and until then `schedule` on the rolls found"
        evidence = {
            "rule": fit.rule.text,
            "options": fit.rule.options,
            "policy": dict(fit.rule.policy),
            "share": fit.share,
            "explained": fit.explained,
            "rolls": fit.rolls,
            "terms_stated": stated,
        }
    return finding("roll_rule", "WATCH", text, "ROLL_RULE_MISMATCH", evidence=evidence)


def _terms_stated(window: Window) -> bool:
    """Whether the last trade date of every contract that the reference leaves is stated."""
    terms = {} if window.request.contracts is None else window.request.contracts.terms
    names = {roll.from_contract for roll in window.reference_rolls if roll.from_contract is not None}
    return all(name in terms and terms[name].last_trade is not None for name in names)


def align(
    canonical: Sequence[WindowRoll],
    reference: Sequence[WindowRoll],
    *,
    tick: float,
    max_day_delta: int | None,
    by_contract: bool = False,
) -> RollAlignment:
    """Match two roll schedules, both in order of time.

    A pair costs 1.0 per trading day apart plus 0.01 per tick of gap difference (nothing where a gap is
    unknown); an unmatched roll costs 50. A pair farther apart than max_day_delta (inclusive limit; None:
    no limit) or of different known to_contracts does not exist; by_contract also forbids pairs whose
    contract is unknown on either side. Of equal costs the lexicographically smallest list of pairs wins.
    """
    partner, total = _least_cost_matching(
        _gap_index(canonical),
        _gap_index(reference),
        gaps_of(canonical),
        gaps_of(reference),
        *_to_contracts(canonical, reference),
        float(tick),
        _NO_LIMIT if max_day_delta is None else max_day_delta,
        by_contract,
        round(UNMATCHED_COST * _UNITS),
    )
    partners = partner.tolist()
    pairs = tuple(
        RollPair(i, j, canonical[i].gap_index - reference[j].gap_index) for i, j in enumerate(partners) if j >= 0
    )
    taken = {pair.reference for pair in pairs}
    alone = [i for i, j in enumerate(partners) if j < 0]
    alone_reference = [j for j in range(len(reference)) if j not in taken]
    return RollAlignment(
        pairs=pairs,
        unmatched_canonical=tuple(i for i in alone if not canonical[i].edge),
        unmatched_reference=tuple(j for j in alone_reference if not reference[j].edge),
        edge_canonical=tuple(i for i in alone if canonical[i].edge),
        edge_reference=tuple(j for j in alone_reference if reference[j].edge),
        cost=total / _UNITS,
    )


def rules_differ(
    alignment: RollAlignment,
    canonical: Sequence[WindowRoll],
    reference: Sequence[WindowRoll],
    *,
    tick: float,
    max_day_delta: int,
) -> bool:
    """Whether the two sides follow different roll rules.

    True where, without the day limit, more than half of the counted rolls of the side with more of them
    pair by contract, but farther apart than max_day_delta.
    """
    unmatched, unmatched_reference = alignment.unmatched_canonical, alignment.unmatched_reference
    if not (unmatched or unmatched_reference) or _mostly_paired(alignment, canonical, reference):
        return False
    unlimited = align(canonical, reference, tick=tick, max_day_delta=None, by_contract=True)
    beyond = [pair for pair in unlimited.pairs if abs(pair.day_delta) > max_day_delta]
    if len(unmatched) >= len(unmatched_reference):
        counting = set(unmatched) | {pair.canonical for pair in alignment.pairs}
        affected = sum(pair.canonical in counting for pair in beyond)
    else:
        counting = set(unmatched_reference) | {pair.reference for pair in alignment.pairs}
        affected = sum(pair.reference in counting for pair in beyond)
    return bool(counting) and affected > MISMATCH_SHARE * len(counting)


def _mostly_paired(alignment: RollAlignment, canonical: Sequence[WindowRoll], reference: Sequence[WindowRoll]) -> bool:
    """Whether too many rolls pair within the limit, by contract, for the others to be more than half.

    A contract that each side rolls to once has one possible partner, so that what pairs near never pairs far.
    """
    for rolls in (canonical, reference):
        names = [roll.to_contract for roll in rolls if roll.to_contract is not None]
        if len(set(names)) < len(names):
            return False
    named = sum(
        canonical[pair.canonical].to_contract is not None
        and canonical[pair.canonical].to_contract == reference[pair.reference].to_contract
        for pair in alignment.pairs
    )
    alone = max(len(alignment.unmatched_canonical), len(alignment.unmatched_reference))
    return named >= (1.0 - MISMATCH_SHARE) * (len(alignment.pairs) + alone)


def _gap_index(rolls: Sequence[WindowRoll]) -> Ints:
    return np.array([roll.gap_index for roll in rolls], dtype=np.int64)


def _to_contracts(canonical: Sequence[WindowRoll], reference: Sequence[WindowRoll]) -> tuple[Ints, Ints]:
    """Both sides' new contracts as small numbers, equal where the names are; -1 where unknown."""
    number: dict[str, int] = {}
    sides = [
        [-1 if roll.to_contract is None else number.setdefault(roll.to_contract, len(number)) for roll in rolls]
        for rolls in (canonical, reference)
    ]
    return np.array(sides[0], dtype=np.int64), np.array(sides[1], dtype=np.int64)


@kernel
def _pair_cost(
    days: int, gap_apart: float, contract: int, reference_contract: int, most_days: int, by_contract: bool
) -> int:
    """Cost of a pair in billionths, `_FORBIDDEN` where there can be none. days: apart; gap_apart: in ticks."""
    known = contract >= 0 and reference_contract >= 0
    if days > most_days or (known and contract != reference_contract) or (by_contract and not known):
        return _FORBIDDEN
    cost = DAY_COST * days + TICK_COST * (0.0 if np.isnan(gap_apart) else gap_apart)
    return int(np.rint(min(cost, _MOST) * _UNITS))


@kernel
def _least_cost_matching(
    at: Ints,
    reference_at: Ints,
    gap: Floats,
    reference_gap: Floats,
    contract: Ints,
    reference_contract: Ints,
    tick: float,
    most_days: int,
    by_contract: bool,
    alone: int,
) -> tuple[Ints, int]:
    """Partner of each roll (-1: none) in the order-preserving matching of least cost, and that cost.

    Per roll of each side: place of its gap session, gap (NaN unknown), new contract (-1 unknown).
    least[i, j] is the least cost of matching rows from i with columns from j. Walking forward from (0, 0),
    the smallest list of pairs is: nothing more if that is optimal, else the smallest column that an optimal
    matching gives to row i, else no partner for row i.
    """
    rows, columns = at.size, reference_at.size
    pair_cost = np.empty((rows, columns), dtype=np.int64)
    least = np.empty((rows + 1, columns + 1), dtype=np.int64)
    for i in range(rows, -1, -1):
        for j in range(columns, -1, -1):
            best = alone * (rows - i + columns - j)
            if i < rows:
                best = min(best, alone + least[i + 1, j])
            if j < columns:
                best = min(best, alone + least[i, j + 1])
            if i < rows and j < columns:
                pair_cost[i, j] = _pair_cost(
                    abs(at[i] - reference_at[j]),
                    abs(gap[i] - reference_gap[j]) / tick,
                    contract[i],
                    reference_contract[j],
                    most_days,
                    by_contract,
                )
                if pair_cost[i, j] < _FORBIDDEN:
                    best = min(best, pair_cost[i, j] + least[i + 1, j + 1])
            least[i, j] = best
    partner = np.empty(rows, dtype=np.int64)
    partner[:] = -1
    j = 0
    for i in range(rows):
        if least[i, j] == alone * (rows - i + columns - j):
            break
        for column in range(j, columns):
            if pair_cost[i, column] >= _FORBIDDEN:
                continue
            if alone * (column - j) + pair_cost[i, column] + least[i + 1, column + 1] == least[i, j]:
                partner[i] = column
                j = column + 1
                break
    return partner, least[0, 0]
