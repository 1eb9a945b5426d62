"""Which contract a reference held on which session, and where it rolled.

Sources, best first: fingerprinting against our contracts' closes, the reference's own contract column, the
steps of the spread between its two series, rolls that it states. The best available one is used and named;
every other one is cross-checked against it and its disagreements are listed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.recovery import adjusted_only, roll_sources
from ctl.certification.recovery.fingerprint import (
    CAP_TICKS,
    PENALTY_TICKS,
    SAME_PRICE_TICKS,
    HeldPath,
    fingerprint,
    no_match,
)
from ctl.certification.recovery.indistinguishable import read_again, switches
from ctl.certification.recovery.parsimony import FILES_WITHIN, OwnSchedule, own_schedule, redated
from ctl.certification.recovery.spread_steps import MIN_STEP_TICKS, find_steps, match_in_order, segment_gaps
from ctl.certification.recovery.step_binding import SteppedSeries, put_skipped_back
from ctl.certification.series_arrays import UNKNOWN, reference_closes
from ctl.model.certificate import IndistinguishableStretch, ReferenceRecovery, UnattributedStep
from ctl.model.findings import counted
from ctl.model.rolls import ReferenceRoll, RollSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    import numpy.typing as npt
    import polars as pl

    from ctl.certification.recovery.adjusted_only import AdjustedPath
    from ctl.certification.recovery.roll_sources import Candidate, Labels
    from ctl.certification.series_arrays import HeldContracts
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.reference import Reference

    Days = npt.NDArray[np.datetime64]
    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

UNATTRIBUTED_STEP: Final = "UNATTRIBUTED_STEP"
# A spread that moves on more than this share of the sessions, and on so many of them, is no sum of gaps.
MAX_MOVING_SPREAD: Final = 0.2
FEW_STEPS: Final = 10
# A path that is exact on fewer sessions overrules no two other sources that agree on so many rolls.
LEAST_EXACT: Final = 0.5
AGREEING_SHARE: Final = 0.9
# Steps of the spread off the rolls of the unadjusted file, from which on the adjusted file is read by itself.
INCONSISTENT_SHARE: Final = 0.25
FEWEST_INCONSISTENT: Final = 5
# Of what the adjusted closes lie off on the unadjusted file's dates, what may be left on their own.
INCONSISTENT_LEAVES: Final = 0.5
# On no stretch may our contracts, moved, lie farther off than the best path by more than this.
MOST_WORSE_TICKS: Final = 20.0
_ADJUSTED_ONLY: Final = (
    "adjusted series only: contracts and gaps are recovered against our closes, so a constant difference "
    "of unadjusted closes (basis) within a segment is not identifiable"
)


@dataclass(frozen=True, slots=True)
class RecoveredReference:
    """A reference series with the contracts it held and the rolls it made.

    sessions: datetime64[D] on which every series that the reference ships has a close (T).
    adjusted, unadjusted: closes (T), NaN where unknown; an adjusted-only reference has its recovered
    unadjusted closes. contract_on_day: index into `contracts` (expiry order) per session (T), -1 where unknown.
    rolls: ascending. our_gaps: per roll its contracts' gap on our
    closes at the roll's gap session, NaN where unknown. source: the method used; None where no roll could be
    looked for. basis_identifiable: whether the reference's unadjusted level is its own (False where it was
    recovered against our closes, so that a constant difference is absorbed). unattributed: indices of rolls
    that are steps of the spread without a change of contract. methods: per method its evidence, JSON-ready.
    rolls_uncertain: whether contracts were read off adjusted closes that are not our closes, so that neighbouring
    contracts can be mistaken for each other. ratio_adjusted: whether adjusted closes that no differences fit are our
    closes times a factor per contract. inconsistent: rolls of the adjusted file on other days than the unadjusted
    one's, which then is not relied on. ours_fit: whether our own contracts, each roll moved within the day limit,
    explain the closes as well; None where that was not asked. indistinguishable: stretches whose contracts the
    reference's closes cannot tell apart. read_again: gives the reference with our schedule
    on those of them that its closes fit no worse; None
    where there are none.
    """

    sessions: Days
    adjusted: Floats
    unadjusted: Floats
    contracts: tuple[str, ...]
    contract_on_day: Ints
    rolls: tuple[ReferenceRoll, ...]
    our_gaps: Floats
    source: RollSource | None
    basis_identifiable: bool
    median_residual_ticks: float | None
    unattributed: tuple[int, ...]
    methods: Mapping[str, Any]
    notes: tuple[str, ...]
    rolls_uncertain: bool = False
    ratio_adjusted: bool = False
    inconsistent: tuple[date, ...] = ()
    ours_fit: Callable[[], bool] | None = None
    indistinguishable: tuple[IndistinguishableStretch, ...] = ()
    read_again: Callable[[], RecoveredReference] | None = None

    @property
    def contracts_known(self) -> bool:
        """Whether the reference's contracts are known at all."""
        return bool((self.contract_on_day >= 0).any())

    def record(self) -> ReferenceRecovery:
        """What is published: which source was used, and what the others say."""
        steps = [self.rolls[n] for n in self.unattributed]
        return ReferenceRecovery(
            source=self.source,
            contracts_known=self.contracts_known,
            basis_identifiable=self.basis_identifiable,
            median_residual_ticks=self.median_residual_ticks,
            n_rolls=len(self.rolls),
            unattributed_steps=tuple(UnattributedStep(UNATTRIBUTED_STEP, step.roll_date, step.gap) for step in steps),
            indistinguishable=self.indistinguishable,
            methods=self.methods,
            notes=self.notes,
        )


def recover(
    contracts: ContractBars | ContractCloses | None,
    reference: Reference,
    *,
    tick: float,
    cap_ticks: float = CAP_TICKS,
    bars: ContractBars | None = None,
    our_series: HeldContracts | None = None,
    max_day_delta: int = 0,
) -> RecoveredReference:
    """Find the contracts and rolls of `reference`.

    contracts: our bars per contract, None where there are none (then contracts stay unknown unless the
    reference names them). tick: quote units.
    bars: the bars that `contracts` are the closes of, for their highs and lows; not needed where they are bars.
    our_series: the contracts that our series held, as indices into ours in expiry order; where no recovered roll
    answers one of its rolls within max_day_delta sessions, the reference is read again
    (`indistinguishable.read_again`).
    """
    if isinstance(contracts, ContractCloses):
        closes = contracts
    elif contracts is None:
        closes = ContractCloses.empty()
    else:
        closes, bars = ContractCloses.from_bars(contracts), bars or contracts
    days, adjusted, unadjusted = reference_closes(reference)
    column, stated_adjustment = _columns(reference, days)
    if stated_adjustment is not None:
        unadjusted = adjusted - stated_adjustment
    return _Recovery(closes, bars, reference, days, adjusted, unadjusted, column, tick=tick, cap_ticks=cap_ticks).run(
        our_series, max_day_delta
    )


def _columns(reference: Reference, days: Days) -> tuple[pl.Series | None, Floats | None]:
    """The reference's own contract column on `days`, and its stated adjustment where that replaces a missing U."""
    column: pl.Series | None = None
    for series in (reference.unadjusted, reference.adjusted):
        if series is not None and column is None and series.frame["contract"].null_count() < series.frame.height:
            column = _pick(series, "contract", days)
    adjustment: Floats | None = None
    if reference.unadjusted is None and reference.adjusted is not None:
        stated = reference.adjusted.frame["adjustment"]
        if stated.null_count() == 0 and bool((stated != 0.0).any()):
            adjustment = _pick(reference.adjusted, "adjustment", days).to_numpy().astype(np.float64)
    return column, adjustment


def _pick(series: DailySeries, name: str, days: Days) -> pl.Series:
    """A column of the series on `days`, all of which it has."""
    days_shipped = series.frame["session"].to_numpy().astype("datetime64[D]")
    # Indexing, because gather goes through the query engine and its thread pool.
    return (
        series.frame[name]
        if np.array_equal(days_shipped, days)
        else series.frame[name][np.searchsorted(days_shipped, days)]
    )


class _Recovery:
    """One recovery: the reference on its sessions, and every source that can be read off it."""

    def __init__(
        self,
        closes: ContractCloses,
        bars: ContractBars | None,
        reference: Reference,
        days: Days,
        adjusted: Floats,
        unadjusted: Floats,
        column: pl.Series | None,
        *,
        tick: float,
        cap_ticks: float,
    ) -> None:
        self.closes, self.bars, self.reference = closes, bars, reference
        self.days, self.adjusted, self.unadjusted, self.column = days, adjusted, unadjusted, column
        self.tick, self.cap_ticks = tick, cap_ticks
        self.names = closes.names
        self.place = {name: k for k, name in enumerate(self.names)}
        self.has_adjusted = bool(np.isfinite(adjusted).any())
        self.has_unadjusted = bool(np.isfinite(unadjusted).any())
        self.spread = unadjusted - adjusted if self.has_adjusted and self.has_unadjusted else None
        self.at = closes.index_of(days)
        self.basis_identifiable = self.has_unadjusted
        self.median_residual: float | None = None
        self.rolls_uncertain = self.ratio_adjusted = False
        # Distance of each session's close to that of the contract the path holds, in ticks; NaN where not compared.
        self.residual = np.full(len(days), np.nan)
        self.methods: dict[str, Any] = {}
        self.notes: list[str] = []
        self.path_contract = np.full(len(days), UNKNOWN, dtype=np.int64)
        self.path_residual = np.full(len(days), np.nan)
        self.spread_moves = False
        self.unadjusted_as_shipped = unadjusted
        self.ours_fit: Callable[[], bool] | None = None
        self.inconsistent: tuple[date, ...] = ()
        self.path: tuple[HeldPath, Ints] | None = None
        self.stretches: tuple[IndistinguishableStretch, ...] = ()

    def run(self, our_series: HeldContracts | None = None, max_day_delta: int = 0) -> RecoveredReference:
        steps = self._spread_steps()
        candidates = [
            candidate
            for candidate in (
                self._by_closes(our_series, max_day_delta, steps),
                roll_sources.by_column(self.column, self.place),
                self._stated(),
                None if self.spread is None else roll_sources.by_steps(steps),
            )
            if candidate is not None
        ]
        attributed = [candidate for candidate in candidates if candidate.knows_contracts]
        order = self._order(candidates, steps)
        ranked = sorted(attributed or candidates, key=lambda candidate: order.index(candidate.source))
        if not attributed and len(ranked) > 1:
            # Without contracts the steps of the vendor's own prices say more than what it states of them.
            ranked = sorted(ranked, key=lambda candidate: candidate.source != "spread_step")
        if not ranked:
            return self._result(None, [], [], np.full(len(self.days), UNKNOWN, dtype=np.int64), [])
        used = ranked[0]
        alone = self._adjusted_alone(used, steps)
        if alone is not None:
            return self._settled(alone, list(alone.starts), list(alone.labels), candidates)
        starts, labels = self._dated(used, steps)
        path = None if our_series is None else self._read_again(our_series, max_day_delta, starts, labels)
        methods, notes = dict(self.methods), list(self.notes)
        settled = self._settled(used, starts, labels, candidates)
        if path is None or self.path is None:
            return settled
        chosen = self.path[1]

        def settled_again() -> RecoveredReference:
            self.methods, self.notes = dict(methods), list(notes)
            again = roll_sources.by_path(self._spread_out(path, chosen), self.names)
            return self._settled(again, *self._dated(again, steps), candidates)

        return replace(settled, read_again=settled_again)

    def _dated(self, used: Candidate, steps: list[tuple[int, float]]) -> tuple[list[int], Labels]:
        """A source's rolls, dated by the spread's steps where it has contracts and there is a spread."""
        if not used.knows_contracts or self.spread is None:
            return list(used.starts), list(used.labels)
        within = 0 if used.source == "ours" else roll_sources.SNAP_SESSIONS
        if used.source != "fingerprint":
            return roll_sources.take_step_dates(used, [index for index, _ in steps], within=within)
        series = SteppedSeries(self.unadjusted, self.at, self.closes, self.tick, self.cap_ticks, dict(steps))

        def answers(roll: int, step: int) -> bool:
            old, new = (self.place[name or ""] for name in used.labels[roll])
            return series.answers(old, new, used.starts[roll], step)

        starts, labels = roll_sources.take_step_dates(used, list(series.steps), within=within, answers=answers)
        return starts, put_skipped_back(starts, labels, series, self.place, self.names)

    def _own_schedule(self, own: HeldContracts) -> OwnSchedule | None:
        """How our own schedule explains the reference's closes, its unadjusted ones where it ships them."""
        if not self.names or not len(own.sessions) or (own.contract < 0).any():
            return None
        if np.array_equal(self.days, own.sessions):
            contract_on_day = own.contract
        else:
            before = np.searchsorted(own.sessions, self.days, side="right") - 1
            inside = (before >= 0) & (self.days <= own.sessions[-1])
            contract_on_day = np.where(inside, own.contract[before], UNKNOWN)
        schedule = self._measured(contract_on_day)
        return schedule if schedule.matches else None

    def _measured(self, contract_on_day: Ints) -> OwnSchedule:
        return own_schedule(
            self.unadjusted if self.has_unadjusted else self.adjusted, self.at, contract_on_day, self.closes,
            tick=self.tick, adjusted=not self.has_unadjusted, cap_ticks=self.cap_ticks,
        )  # fmt: skip

    def _moved_fits(self, ours: OwnSchedule, within: int) -> bool:
        """Whether our own contracts, each roll moved within the day limit, explain the closes as well as the path."""
        moved = self._measured(
            redated(
                self.unadjusted_as_shipped if self.has_unadjusted else self.adjusted, self.at, ours.contract_on_day,
                self.closes, tick=self.tick, within=within, adjusted=not self.has_unadjusted,
            )
        )  # fmt: skip
        worse = moved.worst_stretch(self.path_contract, self.path_residual)
        return moved.explains(self.path_residual) and worse <= MOST_WORSE_TICKS

    def _ours(self, ours: OwnSchedule) -> Candidate:
        """Rolls of our own schedule; the gaps of an adjusted-only series are the steps of its offsets."""
        self.methods["ours"] = {
            "used": False,
            "series": "unadjusted" if self.has_unadjusted else "adjusted",
            "sessions": int(np.count_nonzero(ours.compared)),
            "median_residual_ticks": float(np.median(ours.residual_ticks[ours.compared])),
            "exact_share": float((ours.residual_ticks[ours.compared] <= SAME_PRICE_TICKS).mean()),
        }
        if self.has_unadjusted:
            return replace(roll_sources.by_path(ours.contract_on_day, self.names), source="ours")
        known = np.flatnonzero(ours.contract_on_day >= 0)
        path = HeldPath(ours.contract_on_day[known], ours.residual_ticks[known], ours.offsets[known], self.cap_ticks)
        candidate, self.unadjusted = adjusted_only.by_segments(
            path, known, ours.contract_on_day, self.adjusted, self.names
        )
        self.notes.append(_ADJUSTED_ONLY)
        return replace(candidate, source="ours")

    def _by_closes(self, own: HeldContracts | None, within: int, steps: list[tuple[int, float]]) -> Candidate | None:
        """Rolls read off our contracts' closes: our own schedule where it explains them, else the best path."""
        ours = None if own is None else self._own_schedule(own)
        if ours is not None and ours.exact:
            # Nothing fits better than what fits exactly.
            return self._adopted_ours(ours)
        path = self._fingerprint()
        if ours is None or not np.isfinite(self.path_residual).any():
            return path
        starts = np.flatnonzero(np.diff(ours.contract_on_day)) + 1
        if ours.explains(self.path_residual) and np.isin([index for index, _ in steps], starts).all():
            # Closes of another kind leave a few per cent open; steps of the vendor's own spread do not.
            return self._adopted_ours(ours)
        self.ours_fit = partial(self._moved_fits, ours, within)
        return path

    def _adopted_ours(self, ours: OwnSchedule) -> Candidate:
        self.median_residual = float(np.median(ours.residual_ticks[ours.compared]))
        self.residual, self.path = ours.residual_ticks, None
        self.ratio_adjusted = self.rolls_uncertain = False
        return self._ours(ours)

    def _order(self, candidates: list[Candidate], steps: list[tuple[int, float]]) -> tuple[RollSource, ...]:
        """Sources, best first. A path exact on fewer than half of the sessions overrules no two others that agree."""
        order: tuple[RollSource, ...] = ("ours", "fingerprint", "contract_column", "stated", "spread_step")
        exact = self.methods.get("fingerprint", {}).get("exact_share")
        at = np.array([index for index, _ in steps], dtype=np.int64)
        if exact is None or exact >= LEAST_EXACT or not at.size:
            return order
        for candidate in candidates:
            if candidate.source in ("contract_column", "stated"):
                rolls = np.array(candidate.starts, dtype=np.int64)
                pairs = match_in_order(rolls, at, within=roll_sources.AGREE_SESSIONS)
                if len(pairs) >= AGREEING_SHARE * max(len(rolls), at.size):
                    return (candidate.source, *(source for source in order if source != candidate.source))
        return order

    def _adjusted_alone(self, used: Candidate, steps: list[tuple[int, float]]) -> Candidate | None:
        """The adjusted file read by itself, where it rolls on other days than the unadjusted one; None where not."""
        if self.spread is None or used.source not in ("ours", "fingerprint"):
            return None
        if self.median_residual is None or self.median_residual > SAME_PRICE_TICKS:
            return None
        off = {index for index, _ in steps} - set(used.starts)
        if not self.spread_moves and len(off) < max(INCONSISTENT_SHARE * len(steps), FEWEST_INCONSISTENT):
            return None
        measure = partial(own_schedule, self.adjusted, self.at, closes=self.closes, tick=self.tick, adjusted=True)
        moved = redated(
            self.adjusted, self.at, used.contract_on_day, self.closes, tick=self.tick, within=FILES_WITHIN,
            adjusted=True,
        )  # fmt: skip
        there, here = measure(contract_on_day=moved), measure(contract_on_day=used.contract_on_day)
        if not there.matches or there.total > INCONSISTENT_LEAVES * here.total:
            return None
        known = np.flatnonzero(moved >= 0)
        path = HeldPath(moved[known], there.residual_ticks[known], there.offsets[known], self.cap_ticks)
        candidate, self.unadjusted = adjusted_only.by_segments(path, known, moved, self.adjusted, self.names)
        elsewhere = sorted(set(candidate.starts) - set(used.starts))
        self.inconsistent = tuple(self.days[start].item() for start in elsewhere)
        self.spread, self.basis_identifiable, self.path = None, False, None
        self.notes.append(
            f"REFERENCE_INCONSISTENT: {len(elsewhere)} of {len(candidate.starts)} rolls of the adjusted file lie on "
            "other days than those of the unadjusted one; the adjusted file's rolls count"
        )
        return candidate

    def _settled(
        self,
        used: Candidate,
        starts: list[int],
        labels: Labels,
        candidates: Sequence[Candidate],
    ) -> RecoveredReference:
        """The reference by one source, dated, the others cross-checked against it."""
        unattributed: list[int] = []
        contract_on_day = np.full(len(self.days), UNKNOWN, dtype=np.int64)
        if used.knows_contracts:
            unattributed = [i for i, label in enumerate(labels) if label == (None, None)]
            contract_on_day = used.contract_on_day
            if starts != used.starts or labels != used.labels:
                contract_on_day = self._moved(contract_on_day, starts, labels)
            if used.source == "fingerprint":
                contract_on_day = self._unknown_where_unlike(contract_on_day, starts, unattributed)
        gaps = self._gaps(used, starts)
        first_on_new = np.array(starts, dtype=np.int64)
        roll_dates, gap_sessions = self.days[first_on_new].tolist(), self.days[first_on_new - 1].tolist()
        rolls = [
            ReferenceRoll(
                gap_session=gap_session,
                roll_date=roll_date,
                from_contract=label[0],
                to_contract=label[1],
                gap=gap,
                source="spread_step" if label == (None, None) and self.spread is not None else used.source,
            )
            for gap_session, roll_date, label, gap in zip(gap_sessions, roll_dates, labels, gaps, strict=True)
        ]
        if unattributed:
            self.notes.append(
                f"{UNATTRIBUTED_STEP}: {counted(len(unattributed), 'step')} of the gap without a change of contract"
            )
        if rolls and self.spread is not None and not self.spread.any():
            self.notes.append("the reference's two series are equal: none of its rolls is adjusted for")
        for candidate in candidates:
            if candidate.source != used.source:
                self.methods[candidate.source] = roll_sources.cross_check(candidate, self.days, starts, labels)
        self.methods[used.source] = {**self.methods.get(used.source, {}), "used": True, "n_rolls": len(used.starts)}
        if not used.knows_contracts:
            self.notes.append("contracts of the reference are unknown: rolls are dated, not named")
        return self._result(used.source, rolls, unattributed, contract_on_day, starts)

    def _spread_steps(self) -> list[tuple[int, float]]:
        """Steps of the spread; none where it steps so often that it is no sum of gaps."""
        if self.spread is None:
            return []
        changes = np.abs(np.diff(self.spread)) / self.tick
        moving = int((changes >= MIN_STEP_TICKS).sum())
        if moving >= FEW_STEPS and moving > MAX_MOVING_SPREAD * len(changes):
            self.spread_moves = True
            self.notes.append(
                f"the spread between the reference's two series moves on {moving} of {len(changes)} sessions: they are "
                "not adjusted by differences, or not of one instrument; its steps are not read as rolls"
            )
            return []
        return find_steps(self.spread, tick=self.tick)

    def _fingerprint(self) -> Candidate | None:
        """Rolls read off our contracts' closes; None where there are none or they do not fit."""
        if not self.names:
            self.methods["fingerprint"] = {"used": False, "reason": "no contract closes"}
            return None
        shared = self.at >= 0
        values = self.unadjusted if self.has_unadjusted else self.adjusted
        shared &= np.isfinite(values)
        chosen = np.flatnonzero(shared)
        if not len(chosen):
            self.methods["fingerprint"] = {"used": False, "reason": "no shared session"}
            return None
        followed: AdjustedPath | None = None
        if self.has_unadjusted:
            path = fingerprint(
                values[chosen],
                self.at[chosen],
                self.closes,
                tick=self.tick,
                cap_ticks=self.cap_ticks,
            )
            if len(path.contract_on_day):
                self.residual[chosen] = path.residual_ticks
            self.median_residual = path.median_residual_ticks
        else:
            followed = adjusted_only.follow(
                values[chosen], self.at[chosen], self.days[chosen], self.closes,
                tick=self.tick, cap_ticks=self.cap_ticks, shipped=self.reference.adjusted, bars=self.bars,
            )  # fmt: skip
            path, self.median_residual = followed.path, followed.median_residual_ticks
            self.rolls_uncertain, self.ratio_adjusted = followed.uncertain, followed.by_ratio
        if len(path.residual_ticks) == len(chosen):
            # One distance a session: highs and lows are two.
            self.path_residual[chosen] = path.residual_ticks
            self.path_contract[chosen] = path.contract_on_day
        evidence: dict[str, Any] = {
            "used": False,
            "series": "unadjusted" if followed is None else followed.series,
            "sessions": len(chosen),
            "median_residual_ticks": path.median_residual_ticks,
            "exact_share": float((path.residual_ticks <= SAME_PRICE_TICKS).mean())
            if len(path.contract_on_day)
            else None,
            "at_cap_share": float((path.residual_ticks >= path.cap_ticks).mean())
            if len(path.contract_on_day)
            else None,
        }
        self.methods["fingerprint"] = evidence
        reason = no_match(path, by_ratio=self.ratio_adjusted)
        if reason is not None:
            evidence["reason"] = reason
            self.notes.append("fingerprinting: the reference matches no path through our contracts")
            if self.ratio_adjusted:
                self.notes.append(
                    "the adjusted closes are our contracts' times a factor per contract: adjusted by ratios, not "
                    "differences; with the vendor's unadjusted series its rolls can be compared"
                )
            return None
        contract_on_day = self._spread_out(path, chosen)
        if followed is not None:
            return self._adopted(path, chosen, contract_on_day)
        self.path = path, chosen
        return roll_sources.by_path(contract_on_day, self.names)

    def _adopted(self, path: HeldPath, chosen: Ints, contract_on_day: Ints) -> Candidate:
        """Rolls of an adjusted-only series, whose unadjusted closes are recovered with them."""
        candidate, self.unadjusted = adjusted_only.by_segments(path, chosen, contract_on_day, self.adjusted, self.names)
        self.notes.append(_ADJUSTED_ONLY)
        if self.rolls_uncertain:
            self.notes.append(
                f"the closes lie {self.median_residual:.2f} ticks beside our contracts' in the median, and no highs "
                "and lows on both sides agree: neighbouring contracts can be mistaken for each other"
            )
        return candidate

    def _stated(self) -> Candidate | None:
        return roll_sources.by_statement(self.reference.stated_rolls, self.days, self.place)

    def _read_again(self, our_series: HeldContracts, within: int, starts: list[int], labels: Labels) -> HeldPath | None:
        """The fingerprint with our schedule where the closes do not contradict it; None where it stays as it is."""
        if self.path is None or not len(our_series.sessions) or (our_series.contract < 0).any():
            return None
        path, chosen = self.path
        days = self.days if len(chosen) == len(self.days) else self.days[chosen]
        if np.array_equal(days, our_series.sessions):
            contract_on_day = our_series.contract
        else:
            before = np.searchsorted(our_series.sessions, days, side="right") - 1
            contract_on_day = np.where(
                (before >= 0) & (days <= our_series.sessions[-1]), our_series.contract[before], UNKNOWN
            )
        at = switches(contract_on_day)
        # A path that never turns back rolls to each contract once.
        begun = np.full(len(self.names), -len(self.days) - within, dtype=np.int64)
        for start, (_, new) in zip(starts, labels, strict=True):
            if new is not None:
                begun[self.place[new]] = start
        seen = np.abs(chosen[at] - begun[contract_on_day[at]]) <= within
        if seen.all():
            return None
        again, stretches = read_again(
            self.unadjusted[chosen],
            self.at[chosen],
            self.closes,
            path.contract_on_day,
            contract_on_day,
            at,
            unseen=~seen,
            within=within,
            tick=self.tick,
            cap_ticks=self.cap_ticks,
            penalty_ticks=PENALTY_TICKS,
        )
        self.stretches = tuple(stretch.record(days, self.names) for stretch in stretches)
        if not any(stretch.fits for stretch in stretches):
            return None
        return replace(path, contract_on_day=again)

    def _spread_out(self, path: HeldPath, chosen: Ints) -> Ints:
        """Held contract per session: a session without our closes holds what the one before it held."""
        contract_on_day = np.full(len(self.days), UNKNOWN, dtype=np.int64)
        span = np.arange(int(chosen[0]), int(chosen[-1]) + 1)
        contract_on_day[span] = path.contract_on_day[np.searchsorted(chosen, span, side="right") - 1]
        return contract_on_day

    def _moved(self, contract_on_day: Ints, starts: list[int], labels: Labels) -> Ints:
        """The contract on each day with the rolls moved to `starts`; what was unknown stays unknown."""
        known = np.flatnonzero(contract_on_day >= 0)
        moved = np.full(len(contract_on_day), contract_on_day[known[0]], dtype=np.int64)
        for start, (_, new) in zip(starts, labels, strict=True):
            if new is not None:
                moved[start:] = self.place.get(new, UNKNOWN)
        return np.where(contract_on_day >= 0, moved, UNKNOWN).astype(np.int64)

    def _unknown_where_unlike(self, contract_on_day: Ints, starts: list[int], unattributed: list[int]) -> Ints:
        """The contracts held, but unknown from a step without a contract to the next roll where the closes there lie,
        in the median, more than half the cap from the path's contract: by the rule of a match it is not held.

        A roll shortly before the data end costs more than the sessions after it tell, so the path stays on the old
        contract. Elsewhere, and where nothing was compared, the path's contract stays.
        """
        bounds = [*starts, len(contract_on_day)]
        kept = contract_on_day.copy()
        for i in unattributed:
            here = slice(bounds[i], bounds[i + 1])
            apart = self.residual[here][np.isfinite(self.residual[here])]
            if apart.size and round(float(np.median(apart)), 9) > self.cap_ticks / 2:
                kept[here] = UNKNOWN
        return kept

    def _gaps(self, used: Candidate, starts: list[int]) -> list[float | None]:
        """Gap of each roll: from the spread, else as recovered or stated; a stated gap near it where none was."""
        if self.spread is not None:
            return [*segment_gaps(self.spread, starts)]
        return roll_sources.filled_gaps(used.gaps, starts, self._stated())

    def _our_gaps(self, rolls: list[ReferenceRoll], starts: list[int]) -> Floats:
        """Each roll's contracts' gap on our closes at its gap session; NaN where we lack one of them."""
        sessions = self.days[np.array(starts, dtype=np.int64) - 1]
        return self.closes.gaps([roll.from_contract for roll in rolls], [roll.to_contract for roll in rolls], sessions)

    def _built_from_stated(self, rolls: list[ReferenceRoll], starts: list[int]) -> Floats:
        """The adjusted series that the reference's own stated gaps make of its unadjusted one; NaN without them."""
        gaps = [roll.gap for roll in rolls]
        if not gaps or any(gap is None for gap in gaps):
            self.notes.append(
                "unadjusted series only: rolls and contracts are recovered, the gaps that the vendor would adjust by "
                "are not; there is no adjusted series to compare"
            )
            return self.adjusted
        steps = np.zeros(len(self.days))
        steps[np.array(starts, dtype=np.int64) - 1] = [gap or 0.0 for gap in gaps]
        self.notes.append("unadjusted series only: the adjusted one is built from the gaps that the reference states")
        return self.unadjusted + np.cumsum(steps[::-1])[::-1]

    def _result(
        self,
        source: RollSource | None,
        rolls: list[ReferenceRoll],
        unattributed: list[int],
        contract_on_day: Ints,
        starts: list[int],
    ) -> RecoveredReference:
        if not self.has_adjusted and self.has_unadjusted:
            self.adjusted = self._built_from_stated(rolls, starts)
        return RecoveredReference(
            sessions=self.days,
            adjusted=self.adjusted,
            unadjusted=self.unadjusted,
            contracts=self.names,
            contract_on_day=contract_on_day,
            rolls=tuple(rolls),
            our_gaps=self._our_gaps(rolls, starts),
            source=source,
            basis_identifiable=self.basis_identifiable,
            median_residual_ticks=self.median_residual,
            unattributed=tuple(unattributed),
            methods=self.methods,
            notes=tuple(self.notes),
            rolls_uncertain=self.rolls_uncertain and source == "fingerprint",
            ratio_adjusted=self.ratio_adjusted,
            inconsistent=self.inconsistent,
            ours_fit=self.ours_fit,
            indistinguishable=self.stretches,
        )
