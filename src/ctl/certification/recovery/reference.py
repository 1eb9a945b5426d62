"""Which contract a reference held on which session, and where it rolled.

Sources, best first: fingerprinting against our contracts' closes, the reference's own contract column, the
steps of the spread between its two series, rolls that it states. The best available one is used and named;
every other one is cross-checked against it and its disagreements are listed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Days, Floats, Ints
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
from ctl.certification.series_arrays import UNKNOWN, median, reference_closes
from ctl.model.certificate import IndistinguishableStretch, ReferenceRecovery, UnattributedStep
from ctl.model.findings import counted
from ctl.model.rolls import ReferenceRoll, RollSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    import polars as pl

    from ctl.certification.recovery.roll_sources import Candidate, Labels
    from ctl.certification.series_arrays import HeldContracts
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.reference import Reference


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
    pair = _pair(closes, bars, reference, tick, cap_ticks)
    steps, said = _spread_steps(pair)
    ours = None if our_series is None else _held_by_us(pair, our_series)
    reading = _by_closes(pair, ours, max_day_delta, steps)
    reading = replace(reading, notes=(*said, *reading.notes)) if said else reading
    sources = (
        reading.candidate,
        roll_sources.by_column(_contract_column(reference, pair.days), pair.place),
        roll_sources.by_statement(reference.stated_rolls, pair.days, pair.place),
        None if pair.spread is None else roll_sources.by_steps(steps),
    )
    candidates = [candidate for candidate in sources if candidate is not None]
    used = _best(candidates, reading, steps)
    alone = _adjusted_alone(pair, reading, used, steps, moves=bool(said))
    if alone is not None:
        settled = _settled(replace(pair, spread=None), alone[0], alone[1], alone[1].starts, alone[1].labels, candidates)
        return replace(settled, basis_identifiable=False)
    starts, labels = _dated(pair, used, steps)
    path, stretches = _read_again(pair, reading, ours, max_day_delta, starts, labels)
    again = None if path is None else partial(_settled_on_path, pair, reading, path, steps, candidates, stretches)
    return _settled(pair, reading, used, starts, labels, candidates, stretches, again)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A reference on its sessions (T), and our contracts to hold it against.

    at: positions of the sessions among those of `closes`, -1 for none. place: index of each of our contracts by name.
    shipped: the adjusted series. adjusted, unadjusted: closes, all NaN of a series that is not there. spread:
    unadjusted less adjusted, where both are.
    """

    closes: ContractCloses
    bars: ContractBars | None
    place: Mapping[str, int]
    shipped: DailySeries | None
    days: Days
    at: Ints
    adjusted: Floats
    unadjusted: Floats
    has_adjusted: bool
    has_unadjusted: bool
    spread: Floats | None
    tick: float
    cap_ticks: float

    @property
    def values(self) -> Floats:
        """What is held against our contracts' closes: the unadjusted closes, where there are any."""
        return self.unadjusted if self.has_unadjusted else self.adjusted


@dataclass(frozen=True, slots=True)
class _Reading:
    """What can be read off our contracts' closes.

    candidate: the rolls; None where nothing matches. unadjusted: the reference's own closes, or as recovered with the
    rolls (T). contract, residual_ticks: the best path's on each session (T), -1 and NaN where nothing was compared.
    path: of unadjusted closes the best path's contracts on the sessions compared, and the positions of these.
    median_residual: of what is used. The others as in `RecoveredReference`.
    """

    candidate: Candidate | None
    unadjusted: Floats
    contract: Ints
    residual_ticks: Floats
    median_residual: float | None = None
    path: tuple[Ints, Ints] | None = None
    uncertain: bool = False
    by_ratio: bool = False
    methods: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ours_fit: Callable[[], bool] | None = None
    inconsistent: tuple[date, ...] = ()


def _pair(
    closes: ContractCloses, bars: ContractBars | None, reference: Reference, tick: float, cap_ticks: float
) -> _Pair:
    days, adjusted, unadjusted = reference_closes(reference)
    stated = _stated_adjustment(reference, days)
    unadjusted = unadjusted if stated is None else adjusted - stated
    has_adjusted, has_unadjusted = bool(np.isfinite(adjusted).any()), bool(np.isfinite(unadjusted).any())
    return _Pair(
        closes, bars, {name: k for k, name in enumerate(closes.names)}, reference.adjusted, days, closes.index_of(days),
        adjusted, unadjusted, has_adjusted, has_unadjusted,
        unadjusted - adjusted if has_adjusted and has_unadjusted else None, tick, cap_ticks,
    )  # fmt: skip


def _contract_column(reference: Reference, days: Days) -> pl.Series | None:
    """The reference's own contract column on `days`."""
    for series in (reference.unadjusted, reference.adjusted):
        if series is not None and series.frame["contract"].null_count() < series.frame.height:
            return _pick(series, "contract", days)
    return None


def _stated_adjustment(reference: Reference, days: Days) -> Floats | None:
    """What an adjusted series that is shipped alone says that its prices carry on `days`; None where it is silent."""
    if reference.unadjusted is not None or reference.adjusted is None:
        return None
    stated = reference.adjusted.frame["adjustment"]
    if stated.null_count() or not bool((stated != 0.0).any()):
        return None
    return _pick(reference.adjusted, "adjustment", days).to_numpy().astype(np.float64)


def _pick(series: DailySeries, name: str, days: Days) -> pl.Series:
    """A column of the series on `days`, all of which it has."""
    days_shipped = series.frame["session"].to_numpy().astype("datetime64[D]")
    # Indexing, because gather goes through the query engine and its thread pool.
    return (
        series.frame[name]
        if np.array_equal(days_shipped, days)
        else series.frame[name][np.searchsorted(days_shipped, days)]
    )


def _held_by_us(pair: _Pair, own: HeldContracts) -> Ints | None:
    """What our series held on the reference's sessions (T), -1 beyond it; None where that is not known of all of it."""
    if not pair.closes.names or not len(own.sessions) or (own.contract < 0).any():
        return None
    if np.array_equal(pair.days, own.sessions):
        return own.contract
    before = np.searchsorted(own.sessions, pair.days, side="right") - 1
    inside = (before >= 0) & (pair.days <= own.sessions[-1])
    return np.where(inside, own.contract[before], UNKNOWN)


def _spread_steps(pair: _Pair) -> tuple[list[tuple[int, float]], tuple[str, ...]]:
    """Steps of the spread; where it steps so often that it is no sum of gaps, none, and a note that says so."""
    if pair.spread is None:
        return [], ()
    changes = np.abs(np.diff(pair.spread)) / pair.tick
    moving = int(np.count_nonzero(changes >= MIN_STEP_TICKS))
    if moving >= FEW_STEPS and moving > MAX_MOVING_SPREAD * len(changes):
        text = (
            f"the spread between the reference's two series moves on {moving} of {len(changes)} sessions: they are "
            "not adjusted by differences, or not of one instrument; its steps are not read as rolls"
        )
        return [], (text,)
    return find_steps(pair.spread, tick=pair.tick), ()


# ---------------------------------------------------------------- our contracts' closes


def _by_closes(pair: _Pair, ours: Ints | None, within: int, steps: list[tuple[int, float]]) -> _Reading:
    """Rolls read off our contracts' closes: our own schedule where it explains them, else the best path."""
    schedule = None if ours is None else _measured(pair, ours)
    if schedule is not None and schedule.exact:
        # Nothing fits better than what fits exactly.
        return _adopted(pair, schedule, _nothing_read(pair))
    reading = _followed(pair)
    if schedule is None or not schedule.matches or not np.isfinite(reading.residual_ticks).any():
        return reading
    starts = np.flatnonzero(np.diff(schedule.contract_on_day)) + 1
    if schedule.explains(reading.residual_ticks) and np.isin([index for index, _ in steps], starts).all():
        # Closes of another kind leave a few per cent open; steps of the vendor's own spread do not.
        return _adopted(pair, schedule, reading)
    return replace(reading, ours_fit=partial(_moved_fits, pair, reading, schedule, within))


def _nothing_read(pair: _Pair, **said: Any) -> _Reading:
    count = len(pair.days)
    return _Reading(None, pair.unadjusted, np.full(count, UNKNOWN, dtype=np.int64), np.full(count, np.nan), **said)


def _measured(pair: _Pair, contract_on_day: Ints) -> OwnSchedule:
    return own_schedule(
        pair.values, pair.at, contract_on_day, pair.closes,
        tick=pair.tick, adjusted=not pair.has_unadjusted, cap_ticks=pair.cap_ticks,
    )  # fmt: skip


def _moved_fits(pair: _Pair, reading: _Reading, ours: OwnSchedule, within: int) -> bool:
    """Whether our own contracts, each roll moved within the day limit, explain the closes as well as the path."""
    dates = redated(
        pair.values, pair.at, ours.contract_on_day, pair.closes,
        tick=pair.tick, within=within, adjusted=not pair.has_unadjusted,
    )  # fmt: skip
    moved = _measured(pair, dates)
    worse = moved.worst_stretch(reading.contract, reading.residual_ticks)
    return moved.explains(reading.residual_ticks) and worse <= MOST_WORSE_TICKS


def _adopted(pair: _Pair, ours: OwnSchedule, reading: _Reading) -> _Reading:
    """Our own schedule as the reading; the gaps of an adjusted-only series are the steps of its offsets."""
    residual = ours.residual_ticks[ours.compared]
    middle = median(residual)
    evidence = {
        "used": False,
        "series": "unadjusted" if pair.has_unadjusted else "adjusted",
        "sessions": int(residual.size),
        "median_residual_ticks": middle,
        "exact_share": float((residual <= SAME_PRICE_TICKS).mean()),
    }
    unadjusted, notes = pair.unadjusted, reading.notes
    if pair.has_unadjusted:
        candidate = roll_sources.by_path(ours.contract_on_day, pair.closes.names)
    else:
        known = np.flatnonzero(ours.contract_on_day >= 0)
        path = HeldPath(ours.contract_on_day[known], ours.residual_ticks[known], ours.offsets[known], pair.cap_ticks)
        candidate, unadjusted = adjusted_only.by_segments(
            path, known, ours.contract_on_day, pair.adjusted, pair.closes.names
        )
        notes = (*(note for note in notes if note != _ADJUSTED_ONLY), _ADJUSTED_ONLY)
    return replace(
        reading, candidate=replace(candidate, source="ours"), unadjusted=unadjusted, residual_ticks=ours.residual_ticks,
        median_residual=middle, path=None, uncertain=False, by_ratio=False,
        methods={**reading.methods, "ours": evidence}, notes=notes,
    )  # fmt: skip


def _followed(pair: _Pair) -> _Reading:
    """The best path through our contracts' closes; without a candidate where there are none or they do not fit."""
    if not pair.closes.names:
        return _nothing_read(pair, methods={"fingerprint": {"used": False, "reason": "no contract closes"}})
    values = pair.values
    chosen = np.flatnonzero((pair.at >= 0) & np.isfinite(values))
    if not chosen.size:
        return _nothing_read(pair, methods={"fingerprint": {"used": False, "reason": "no shared session"}})
    values, at = values[chosen], pair.at[chosen]
    if pair.has_unadjusted:
        path = fingerprint(values, at, pair.closes, tick=pair.tick, cap_ticks=pair.cap_ticks)
        followed = adjusted_only.FollowedPath(path, "unadjusted", path.median_residual_ticks)
    else:
        followed = adjusted_only.follow(
            values, at, pair.days[chosen], pair.closes,
            tick=pair.tick, cap_ticks=pair.cap_ticks, shipped=pair.shipped, bars=pair.bars,
        )  # fmt: skip
        path = followed.path
    found, count = bool(len(path.contract_on_day)), len(pair.days)
    evidence: dict[str, Any] = {
        "used": False,
        "series": followed.series,
        "sessions": len(chosen),
        "median_residual_ticks": path.median_residual_ticks,
        "exact_share": float((path.residual_ticks <= SAME_PRICE_TICKS).mean()) if found else None,
        "at_cap_share": float((path.residual_ticks >= path.cap_ticks).mean()) if found else None,
    }
    contract, residual = np.full(count, UNKNOWN, dtype=np.int64), np.full(count, np.nan)
    if len(path.residual_ticks) == len(chosen):
        # One distance a session: highs and lows are two.
        contract[chosen], residual[chosen] = path.contract_on_day, path.residual_ticks
    reason = no_match(path, by_ratio=followed.by_ratio)
    evidence |= {} if reason is None else {"reason": reason}
    read = _Reading(
        None, pair.unadjusted, contract, residual, followed.median_residual_ticks, None, followed.uncertain,
        followed.by_ratio, {"fingerprint": evidence},
    )  # fmt: skip
    if reason is not None:
        notes = ["fingerprinting: the reference matches no path through our contracts"]
        if followed.by_ratio:
            notes.append(
                "the adjusted closes are our contracts' times a factor per contract: adjusted by ratios, not "
                "differences; with the vendor's unadjusted series its rolls can be compared"
            )
        return replace(read, notes=tuple(notes))
    contract_on_day = _spread_out(path.contract_on_day, chosen, count)
    if pair.has_unadjusted:
        candidate = roll_sources.by_path(contract_on_day, pair.closes.names)
        return replace(read, candidate=candidate, path=(path.contract_on_day, chosen))
    candidate, unadjusted = adjusted_only.by_segments(path, chosen, contract_on_day, pair.adjusted, pair.closes.names)
    notes = [_ADJUSTED_ONLY]
    if followed.uncertain:
        notes.append(
            f"the closes lie {followed.median_residual_ticks:.2f} ticks beside our contracts' in the median, and no "
            "highs and lows on both sides agree: neighbouring contracts can be mistaken for each other"
        )
    return replace(read, candidate=candidate, unadjusted=unadjusted, notes=tuple(notes))


def _spread_out(contract: Ints, chosen: Ints, count: int) -> Ints:
    """Held contract per session: a session without our closes holds what the one before it held."""
    if chosen.size == count:
        return contract
    contract_on_day = np.full(count, UNKNOWN, dtype=np.int64)
    span = np.arange(int(chosen[0]), int(chosen[-1]) + 1)
    contract_on_day[span] = contract[np.searchsorted(chosen, span, side="right") - 1]
    return contract_on_day


def _adjusted_alone(
    pair: _Pair, reading: _Reading, used: Candidate, steps: list[tuple[int, float]], *, moves: bool
) -> tuple[_Reading, Candidate] | None:
    """The adjusted file read by itself, where it rolls on other days than the unadjusted one; None where not.

    moves: the spread between both steps so often that it is no sum of gaps.
    """
    if pair.spread is None or used.source not in ("ours", "fingerprint"):
        return None
    if reading.median_residual is None or reading.median_residual > SAME_PRICE_TICKS:
        return None
    off = {index for index, _ in steps} - set(used.starts)
    if not moves and len(off) < max(INCONSISTENT_SHARE * len(steps), FEWEST_INCONSISTENT):
        return None
    measure = partial(own_schedule, pair.adjusted, pair.at, closes=pair.closes, tick=pair.tick, adjusted=True)
    moved = redated(
        pair.adjusted, pair.at, used.contract_on_day, pair.closes, tick=pair.tick, within=FILES_WITHIN, adjusted=True
    )
    there, here = measure(contract_on_day=moved), measure(contract_on_day=used.contract_on_day)
    if not there.matches or there.total > INCONSISTENT_LEAVES * here.total:
        return None
    known = np.flatnonzero(moved >= 0)
    path = HeldPath(moved[known], there.residual_ticks[known], there.offsets[known], pair.cap_ticks)
    candidate, unadjusted = adjusted_only.by_segments(path, known, moved, pair.adjusted, pair.closes.names)
    elsewhere = sorted(set(candidate.starts) - set(used.starts))
    text = (
        f"REFERENCE_INCONSISTENT: {len(elsewhere)} of {len(candidate.starts)} rolls of the adjusted file lie on "
        "other days than those of the unadjusted one; the adjusted file's rolls count"
    )
    days = tuple(pair.days[start].item() for start in elsewhere)
    return replace(reading, unadjusted=unadjusted, inconsistent=days, notes=(*reading.notes, text)), candidate


# ---------------------------------------------------------------- the source that counts, and its rolls


def _best(candidates: list[Candidate], reading: _Reading, steps: list[tuple[int, float]]) -> Candidate:
    """The source that is used. A path exact on fewer than half of the sessions overrules no two others that agree."""
    if not candidates:
        return roll_sources.by_steps(())
    order: tuple[RollSource, ...] = ("ours", "fingerprint", "contract_column", "stated", "spread_step")
    attributed = [candidate for candidate in candidates if candidate.knows_contracts]
    if not attributed:
        # Without contracts the steps of the vendor's own prices say more than what it states of them.
        return min(candidates, key=lambda found: (found.source != "spread_step", order.index(found.source)))
    exact = reading.methods.get("fingerprint", {}).get("exact_share")
    at = np.array([index for index, _ in steps], dtype=np.int64)
    for candidate in candidates if exact is not None and exact < LEAST_EXACT and at.size else ():
        if candidate.source in ("contract_column", "stated"):
            rolls = np.array(candidate.starts, dtype=np.int64)
            pairs = match_in_order(rolls, at, within=roll_sources.AGREE_SESSIONS)
            if len(pairs) >= AGREEING_SHARE * max(len(rolls), at.size):
                if candidate.knows_contracts:
                    return candidate
                break
    return min(attributed, key=lambda found: order.index(found.source))


def _dated(pair: _Pair, used: Candidate, steps: list[tuple[int, float]]) -> tuple[list[int], Labels]:
    """A source's rolls, dated by the spread's steps where it has contracts and there is a spread."""
    if not used.knows_contracts or pair.spread is None:
        return used.starts, used.labels
    within = 0 if used.source == "ours" else roll_sources.SNAP_SESSIONS
    if used.source != "fingerprint":
        return roll_sources.take_step_dates(used, [index for index, _ in steps], within=within)
    series = SteppedSeries(pair.unadjusted, pair.at, pair.closes, pair.tick, pair.cap_ticks, dict(steps))

    def answers(roll: int, step: int) -> bool:
        old, new = (pair.place[name or ""] for name in used.labels[roll])
        return series.answers(old, new, used.starts[roll], step)

    starts, labels = roll_sources.take_step_dates(used, list(series.steps), within=within, answers=answers)
    return starts, put_skipped_back(starts, labels, series, pair.place, pair.closes.names)


def _read_again(
    pair: _Pair, reading: _Reading, ours: Ints | None, within: int, starts: Sequence[int], labels: Labels
) -> tuple[Ints | None, tuple[IndistinguishableStretch, ...]]:
    """The path with our schedule where the closes fit that no worse (T), None where nowhere; stretches they leave open.

    ours: held by our series (T). starts, labels: the dated rolls.
    """
    if reading.path is None or ours is None:
        return None, ()
    path, chosen = reading.path
    contract_on_day = ours[chosen]
    at = switches(contract_on_day)
    # A path that never turns back rolls to each contract once.
    begun = np.full(len(pair.closes.names), -len(pair.days) - within, dtype=np.int64)
    for start, (_, new) in zip(starts, labels, strict=True):
        if new is not None:
            begun[pair.place[new]] = start
    seen = np.abs(chosen[at] - begun[contract_on_day[at]]) <= within
    if seen.all():
        return None, ()
    again, stretches = read_again(
        pair.unadjusted[chosen],
        pair.at[chosen],
        pair.closes,
        path,
        contract_on_day,
        at,
        unseen=~seen,
        within=within,
        tick=pair.tick,
        cap_ticks=pair.cap_ticks,
        penalty_ticks=PENALTY_TICKS,
    )
    days = pair.days[chosen]
    records = tuple(stretch.record(days, pair.closes.names) for stretch in stretches)
    fits = any(stretch.fits for stretch in stretches)
    return _spread_out(again, chosen, len(pair.days)) if fits else None, records


def _settled_on_path(
    pair: _Pair,
    reading: _Reading,
    path: Ints,
    steps: list[tuple[int, float]],
    candidates: Sequence[Candidate],
    stretches: tuple[IndistinguishableStretch, ...],
) -> RecoveredReference:
    used = roll_sources.by_path(path, pair.closes.names)
    return _settled(pair, reading, used, *_dated(pair, used, steps), candidates, stretches)


def _settled(
    pair: _Pair,
    reading: _Reading,
    used: Candidate,
    starts: Sequence[int],
    labels: Labels,
    candidates: Sequence[Candidate],
    stretches: tuple[IndistinguishableStretch, ...] = (),
    again: Callable[[], RecoveredReference] | None = None,
) -> RecoveredReference:
    """The reference by one source, dated, the others cross-checked against it."""
    unattributed: list[int] = []
    contract_on_day = np.full(len(pair.days), UNKNOWN, dtype=np.int64)
    if used.knows_contracts:
        unattributed = [i for i, label in enumerate(labels) if label == (None, None)]
        contract_on_day = used.contract_on_day
        if starts != used.starts or labels != used.labels:
            contract_on_day = _moved(contract_on_day, starts, labels, pair.place)
        if used.source == "fingerprint" and unattributed and pair.has_unadjusted:
            contract_on_day = _unknown_where_unlike(contract_on_day, starts, unattributed, reading, pair.cap_ticks)
    if pair.spread is not None:
        gaps: Sequence[float | None] = segment_gaps(pair.spread, starts)
    else:
        stated = next((candidate for candidate in candidates if candidate.source == "stated"), None)
        gaps = roll_sources.filled_gaps(used.gaps, starts, stated)
    first_on_new = np.array(starts, dtype=np.int64)
    rolls = tuple(
        ReferenceRoll(
            gap_session, roll_date, old, new, gap,
            "spread_step" if old is None and new is None and pair.spread is not None else used.source,
        )
        for gap_session, roll_date, (old, new), gap in zip(
            pair.days[first_on_new - 1].tolist(), pair.days[first_on_new].tolist(), labels, gaps, strict=True
        )
    )  # fmt: skip
    notes = list(reading.notes)
    if unattributed:
        notes.append(
            f"{UNATTRIBUTED_STEP}: {counted(len(unattributed), 'step')} of the gap without a change of contract"
        )
    if rolls and pair.spread is not None and not pair.spread.any():
        notes.append("the reference's two series are equal: none of its rolls is adjusted for")
    if candidates and not used.knows_contracts:
        notes.append("contracts of the reference are unknown: rolls are dated, not named")
    checked: dict[str, Any] = {
        candidate.source: roll_sources.cross_check(candidate, pair.days, starts, labels)
        for candidate in candidates
        if candidate.source != used.source
    }
    methods = {**reading.methods, **checked}
    if candidates:
        methods[used.source] = {**methods.get(used.source, {}), "used": True, "n_rolls": len(used.starts)}
    adjusted = pair.adjusted
    if not pair.has_adjusted and pair.has_unadjusted:
        adjusted, text = _built_from_stated(pair, gaps, starts)
        notes.append(text)
    return RecoveredReference(
        sessions=pair.days,
        adjusted=adjusted,
        unadjusted=reading.unadjusted,
        contracts=pair.closes.names,
        contract_on_day=contract_on_day,
        rolls=rolls,
        our_gaps=pair.closes.gaps(labels, pair.days[first_on_new - 1]),
        source=used.source if candidates else None,
        basis_identifiable=pair.has_unadjusted,
        median_residual_ticks=reading.median_residual,
        unattributed=tuple(unattributed),
        methods=methods,
        notes=tuple(notes),
        rolls_uncertain=reading.uncertain and used.source == "fingerprint",
        ratio_adjusted=reading.by_ratio,
        inconsistent=reading.inconsistent,
        ours_fit=reading.ours_fit,
        indistinguishable=stretches,
        read_again=again,
    )


def _moved(contract_on_day: Ints, starts: Sequence[int], labels: Labels, place: Mapping[str, int]) -> Ints:
    """The contract on each day with the rolls moved to `starts`; what was unknown stays unknown."""
    known = contract_on_day >= 0
    named = [
        (start, place.get(new, UNKNOWN)) for start, (_, new) in zip(starts, labels, strict=True) if new is not None
    ]
    held = [int(contract_on_day[known.argmax()]), *(contract for _, contract in named)]
    moved = np.repeat(held, np.diff([0, *(start for start, _ in named), contract_on_day.size]))
    return np.where(known, moved, UNKNOWN)


def _unknown_where_unlike(
    contract_on_day: Ints, starts: Sequence[int], unattributed: Sequence[int], reading: _Reading, cap_ticks: float
) -> Ints:
    """The contracts held, but unknown from a step without a contract to the next roll where the closes there lie,
    in the median, more than half the cap from the path's contract: by the rule of a match it is not held.

    A roll shortly before the data end costs more than the sessions after it tell, so the path stays on the old
    contract. Elsewhere, and where nothing was compared, the path's contract stays.
    """
    bounds = [*starts, len(contract_on_day)]
    kept = contract_on_day.copy()
    for i in unattributed:
        here = slice(bounds[i], bounds[i + 1])
        apart = reading.residual_ticks[here]
        apart = apart[np.isfinite(apart)]
        if apart.size and round(median(apart), 9) > cap_ticks / 2:
            kept[here] = UNKNOWN
    return kept


def _built_from_stated(pair: _Pair, gaps: Sequence[float | None], starts: Sequence[int]) -> tuple[Floats, str]:
    """The adjusted series that the reference's own stated gaps make of its unadjusted one, NaN without them; a note."""
    if not gaps or any(gap is None for gap in gaps):
        return pair.adjusted, (
            "unadjusted series only: rolls and contracts are recovered, the gaps that the vendor would adjust by "
            "are not; there is no adjusted series to compare"
        )
    steps = np.zeros(len(pair.days))
    steps[np.array(starts, dtype=np.int64) - 1] = [gap or 0.0 for gap in gaps]
    text = "unadjusted series only: the adjusted one is built from the gaps that the reference states"
    return pair.unadjusted + np.cumsum(steps[::-1])[::-1], text
