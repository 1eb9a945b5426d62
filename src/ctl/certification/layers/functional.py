"""L5: would a trade change? Triggers and trades of a strategy on both adjusted series, side by side.

This room does not know the strategy: its caller runs it, on both sides and on what is made between them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from ctl.arrays import Days, Ints
from ctl.certification.layers.experiment import UNEXPLAINED, Experiment
from ctl.certification.recovery.spread_steps import match_in_order
from ctl.certification.tolerance import COMPARED_DECIMALS, exceeds, watch_above
from ctl.model.certificate import MovedTrades, ParityFigures
from ctl.model.findings import LayerName, LayerResult, NotRun, counted, worst_status

if TYPE_CHECKING:
    from ctl.certification.functional_input import FunctionalInput, FunctionalSide
    from ctl.certification.recovery.reference import RecoveredReference
    from ctl.certification.request import CertifyRequest

LAYER: Final[LayerName] = "L5"
PAIR_SESSIONS: Final = 3
BORDERLINE_MARGIN: Final = 0.001
MAX_BORDERLINE_SHARE: Final = 0.05
MAX_DELTA_R: Final = 0.1

TriggerClass = Literal["matched", "borderline", "mismatched"]


class _Signal(NamedTuple):
    """A trigger's session, and R of its trade; None where none closed."""

    session: date
    result: float | None


def _results(side: FunctionalSide) -> list[float | None]:
    """R of each trigger's trade; None where none closed."""
    still_open = np.isnat(side.exits).tolist()
    return [None if without else result for without, result in zip(still_open, side.results.tolist(), strict=True)]


def _signals(side: FunctionalSide) -> list[_Signal]:
    return [*map(_Signal, side.triggers.tolist(), _results(side))]


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """One trigger, or a pair of them. margin: the smaller of both sides' on the trigger's session, None if unknown.

    canonical_r, reference_r: of the trade where it closed. delta_r: of trades closed on both sides. parts: what each
    ingredient, and `unexplained`, adds to canonical less reference R; empty where they were not put in.
    """

    kind: TriggerClass
    canonical_session: date | None
    reference_session: date | None
    margin: float | None
    canonical_r: float | None
    reference_r: float | None
    delta_r: float | None
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def moved_by(self) -> str | None:
        """The ingredient that moved it most; None where nothing did, or they were not put in."""
        name = max(self.parts, key=lambda name: abs(self.parts[name]), default=None)
        return name if name is not None and round(abs(self.parts[name]), COMPARED_DECIMALS) > 0 else None

    @property
    def effect(self) -> float:
        """What the row adds to canonical less reference total R: a trade that did not close counts nothing."""
        return (self.canonical_r or 0.0) - (self.reference_r or 0.0)

    @property
    def one_sided(self) -> bool:
        """Whether a matched trigger's trade closed on one side only: not entered, or still open, on the other."""
        return self.kind == "matched" and (self.canonical_r is None) != (self.reference_r is None)

    @property
    def session(self) -> date:
        """Our trigger's session, or the reference's where it is alone."""
        session = self.canonical_session or self.reference_session
        if session is None:
            raise ValueError("a trigger row without a session")
        return session

    def evidence(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "class": self.kind,
            "canonical_session": None if self.canonical_session is None else self.canonical_session.isoformat(),
            "reference_session": None if self.reference_session is None else self.reference_session.isoformat(),
            "margin": self.margin,
            "canonical_r": self.canonical_r,
            "reference_r": self.reference_r,
            "delta_r": self.delta_r,
            "moved_by": self.moved_by,
            "parts": dict(self.parts),
        }


@dataclass(frozen=True, slots=True)
class FunctionalParity:
    """Triggers of both sides in order of time, and what they add up to. experiment: what moved them."""

    rows: tuple[TriggerRow, ...]
    canonical_total_r: float
    reference_total_r: float
    experiment: Experiment | NotRun

    def count(self, kind: TriggerClass) -> int:
        """Triggers (a pair counts once) of one class."""
        return sum(row.kind == kind for row in self.rows)

    @property
    def canonical_trades(self) -> int:
        """Closed trades of our side."""
        return sum(row.canonical_r is not None for row in self.rows)

    @property
    def share_borderline(self) -> float | None:
        """Borderline over all; None without triggers."""
        return self.count("borderline") / len(self.rows) if self.rows else None

    @property
    def deltas(self) -> list[float]:
        """|delta R| of the matched trades that closed on both sides."""
        return [abs(row.delta_r) for row in self.rows if row.delta_r is not None]

    def figures(self) -> ParityFigures:
        """What is published."""
        deltas = self.deltas
        return ParityFigures(
            n_matched=self.count("matched"),
            n_borderline=self.count("borderline"),
            n_mismatched=self.count("mismatched"),
            share_borderline=self.share_borderline,
            n_matched_trades=len(deltas),
            n_one_sided_trades=sum(row.one_sided for row in self.rows),
            max_delta_r=max(deltas) if deltas else None,
            mean_delta_r=sum(deltas) / len(deltas) if deltas else None,
            canonical_total_r=self.canonical_total_r,
            reference_total_r=self.reference_total_r,
            moved=tuple(self._moved(name) for name in self.ingredients),
            moved_note=self.experiment.reason if isinstance(self.experiment, NotRun) else None,
        )

    @property
    def ingredients(self) -> tuple[str, ...]:
        """What was put in, in its order, and `unexplained`; empty where nothing was."""
        return () if isinstance(self.experiment, NotRun) else (*self.experiment.order, UNEXPLAINED)

    def _moved(self, name: str) -> MovedTrades:
        parts = [(row.session, row.parts[name]) for row in self.rows if name in row.parts]
        changed = tuple(session for session, part in parts if round(abs(part), COMPARED_DECIMALS) > 0)
        return MovedTrades(name, sum((part for _, part in parts), 0.0), changed)


def strategy_input(request: CertifyRequest, recovered: RecoveredReference | NotRun) -> FunctionalInput | NotRun:
    """Triggers and trades of both sides as the caller gives them, or makes them once the reference is recovered."""
    given = request.functional
    if given is None and request.run_on_recovered is not None:
        if isinstance(recovered, NotRun) or not recovered.contracts_known:
            return NotRun("the reference ships its adjusted series alone, and what its prices carry is not recovered")
        given = request.run_on_recovered(recovered.sessions, recovered.adjusted - recovered.unadjusted)
    if given is None:
        return NotRun("no triggers and trades of the strategy were given")
    return given if given.absent is None else NotRun(given.absent)


def check(given: FunctionalInput | NotRun, experiment: Experiment | NotRun) -> LayerResult[FunctionalParity]:
    """The layer. It informs: WATCH at worst. experiment: names what moved each trade that differs."""
    if isinstance(given, NotRun):
        return LayerResult.absent(LAYER, given)
    parity = compare(given, experiment)
    mismatched, borderline, total = parity.count("mismatched"), parity.count("borderline"), len(parity.rows)
    text = counted(
        mismatched,
        "trigger on one side only that is no near miss",
        "triggers on one side only that are no near miss",
    )
    evidence = {"triggers": [row.evidence() for row in parity.rows if row.kind == "mismatched"]}
    findings = [watch_above("signals", text, "SIGNAL_DIVERGENCE", float(mismatched), 0.0, "triggers", evidence)]
    share, deltas = parity.share_borderline, parity.deltas
    if share is not None:
        text = f"{borderline} of {total} triggers are near misses of one side"
        findings.append(watch_above("borderline", text, "BORDERLINE_SIGNALS", share, MAX_BORDERLINE_SHARE, "fraction"))
    if deltas:
        largest, mean = max(deltas), sum(deltas) / len(deltas)
        text = f"matched trades differ by at most {largest:.2f} R, on average {mean:.2f} R"
        findings.append(watch_above("delta_r", text, "TRADE_RESULT_DIFFERS", largest, MAX_DELTA_R, "R"))
    alone = [row for row in parity.rows if row.one_sided]
    if alone:
        largest, worth = max(abs(row.effect) for row in alone), sum(row.effect for row in alone)
        text = f"{counted(len(alone), 'trade')} of matched triggers closed on one side only, worth {worth:+.2f} R"
        evidence = {"triggers": [row.evidence() for row in alone]}
        findings.append(watch_above("one_sided", text, "TRADE_ON_ONE_SIDE", largest, MAX_DELTA_R, "R", evidence))
    text = (
        f"{parity.count('matched')} matched, {borderline} borderline, {mismatched} mismatched; "
        f"total R {parity.canonical_total_r:+.2f} against {parity.reference_total_r:+.2f}"
    )
    status = worst_status(made.status for made in findings)
    return LayerResult.of(LAYER, status, text, findings, measured=parity, figures=parity.figures())


def compare(given: FunctionalInput, experiment: Experiment | NotRun) -> FunctionalParity:
    """Pair the triggers of both sides and compare their trades.

    Same session first; what is left pairs in order within 3 sessions. A trigger on one side only is
    borderline where on its session the deciding inequality of either side is within 0.1 % of price (inclusive),
    else mismatched. experiment: names what moved each trade that differs.
    """
    ours, theirs = _signals(given.canonical), _signals(given.reference)
    at = np.searchsorted(given.sessions, given.canonical.triggers)
    at_reference = np.searchsorted(given.sessions, given.reference.triggers)
    pairs = _pair(at, at_reference)
    places: list[tuple[_Signal | None, _Signal | None, int]] = [(ours[i], theirs[j], at[i]) for i, j in pairs]
    matched, matched_other = {i for i, _ in pairs}, {j for _, j in pairs}
    places += [(signal, None, at[i]) for i, signal in enumerate(ours) if i not in matched]
    places += [(None, signal, at_reference[j]) for j, signal in enumerate(theirs) if j not in matched_other]
    places.sort(key=lambda place: (place[2], place[0] is None))
    steps: list[list[float | None]] = []
    if isinstance(experiment, Experiment):
        positions = np.array([position for _, _, position in places], dtype=np.int64)
        steps = [_results_at(positions, side, given.sessions) for side in experiment.sides]
    rows = []
    for n, (own, other, _) in enumerate(places):
        row = _row(given, own, other)
        rows.append(row if isinstance(experiment, NotRun) else _explained(row, experiment, [it[n] for it in steps]))
    return FunctionalParity(tuple(rows), _total(ours), _total(theirs), experiment)


def _row(given: FunctionalInput, ours: _Signal | None, theirs: _Signal | None) -> TriggerRow:
    own, other = (None if side is None else side.session for side in (ours, theirs))
    margin = _margin(given, own or other, other or own)
    a, b = (None if side is None else side.result for side in (ours, theirs))
    if ours is not None and theirs is not None:
        return TriggerRow("matched", own, other, margin, a, b, None if a is None or b is None else a - b)
    near = margin is not None and not exceeds(margin, BORDERLINE_MARGIN)
    return TriggerRow("borderline" if near else "mismatched", own, other, margin, a, b, None)


def _results_at(positions: Ints, side: FunctionalSide, sessions: Days) -> list[float | None]:
    """R of the trade that a side closed at each trigger (ascending), or within 3 sessions of it; None without one."""
    results = _results(side)
    found: list[float | None] = [None] * positions.size
    for i, j in _pair(positions, np.searchsorted(sessions, side.triggers)):
        found[i] = results[j]
    return found


def _explained(row: TriggerRow, experiment: Experiment, after: Sequence[float | None]) -> TriggerRow:
    """A row with what each ingredient changed of its R; they sum to canonical less reference.

    after: R after each ingredient, None without a closed trade, which is worth nothing. A trade that both sides closed
    and some ingredients alone do not is no ingredient's own: what changes until it is back is unexplained.
    """
    parts = dict.fromkeys((*experiment.order, UNEXPLAINED), 0.0)
    both = row.canonical_r is not None and row.reference_r is not None
    last, lost = row.canonical_r or 0.0, False
    for name, result in zip((*experiment.order, UNEXPLAINED), (*after, row.reference_r), strict=True):
        if both and result is None:
            lost = True
            continue
        value = result or 0.0
        parts[UNEXPLAINED if lost else name] += last - value
        last, lost = value, False
    return replace(row, parts=parts)


def _total(signals: Iterable[_Signal]) -> float:
    return sum((signal.result for signal in signals if signal.result is not None), 0.0)


def _margin(given: FunctionalInput, left: date | None, right: date | None) -> float | None:
    """The smaller distance of either side's deciding inequality to its turning point, as a fraction of price."""
    known = [
        abs(margin)
        for margin in (given.canonical.margins.get(left or date.min), given.reference.margins.get(right or date.min))
        if margin is not None and math.isfinite(margin)
    ]
    return min(known) if known else None


def _pair(mine: Ints, other: Ints) -> list[tuple[int, int]]:
    there = {place: j for j, place in enumerate(other.tolist())}
    pairs = [(i, there[place]) for i, place in enumerate(mine.tolist()) if place in there]
    taken, taken_other = {i for i, _ in pairs}, {j for _, j in pairs}
    left = [i for i in range(len(mine)) if i not in taken]
    right = [j for j in range(len(other)) if j not in taken_other]
    close = match_in_order(mine[left], other[right], within=PAIR_SESSIONS)
    return sorted(pairs + [(left[i], right[j]) for i, j in close])
