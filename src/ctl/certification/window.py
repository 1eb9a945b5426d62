"""The overlap window: both sides on their shared sessions, as arrays that every later layer reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ctl.errors import DataError
from ctl.model.rolls import ContinuousSeries, ReferenceRoll

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference
    from ctl.model.rolls import Roll

Days = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EDGE_SESSIONS: Final = 10
UNKNOWN: Final = -1
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class HeldContracts:
    """Which contract a series held on its sessions (n): datetime64[D] ascending; contract: int64, an index into the
    contract names in expiry order, -1 where unknown.
    """

    sessions: Days
    contract: Ints


@dataclass(frozen=True, slots=True)
class CanonicalArrays:
    """A canonical series on its sessions (n): datetime64[D] ascending, float64 closes, int64 contract indices."""

    sessions: Days
    adjusted: Floats
    unadjusted: Floats
    contract: Ints


@dataclass(frozen=True, slots=True)
class ReferenceArrays:
    """A reference as recovered, on the sessions (n) on which every series that it ships has a close.

    sessions: datetime64[D] ascending. adjusted, unadjusted: float64 closes, NaN where unknown. contract:
    int64, an index into the contract names in expiry order, -1 where unknown. unadjusted_is_own: the
    unadjusted level is the vendor's, not recovered against our closes.
    """

    sessions: Days
    adjusted: Floats
    unadjusted: Floats
    contract: Ints
    unadjusted_is_own: bool


@dataclass(frozen=True, slots=True)
class Overlap:
    """Both sides over the window from the later first to the earlier last session, both inclusive.

    union: sessions of either side in the window, ascending (m): trading days are counted on it.
    sessions: shared sessions, ascending (n <= m); all arrays below have length n.
    union_index: sessions[i] == union[union_index[i]].
    canonical_adjusted, canonical_unadjusted, reference_adjusted, reference_unadjusted: closes in quote
    units; NaN where unknown. has_reference_adjusted: there is an adjusted series at all;
    has_reference_unadjusted: there is an unadjusted one whose level is the vendor's own.
    canonical_contract, reference_contract: index into `contracts` (expiry order), -1 where unknown.
    contracts_known: both sides' contracts are known on some shared session.
    """

    first: date
    last: date
    union: Days
    sessions: Days
    union_index: Ints
    canonical_adjusted: Floats
    canonical_unadjusted: Floats
    canonical_contract: Ints
    reference_adjusted: Floats
    reference_unadjusted: Floats
    reference_contract: Ints
    contracts: tuple[str, ...]
    has_reference_adjusted: bool
    has_reference_unadjusted: bool

    @property
    def same_contract(self) -> Bools:
        """Sessions on which both sides are known to hold the same contract."""
        same: Bools = (self.canonical_contract == self.reference_contract) & (self.canonical_contract >= 0)
        return same

    @property
    def contracts_known(self) -> bool:
        """Whether contracts are known on both sides at all."""
        return bool(((self.canonical_contract >= 0) & (self.reference_contract >= 0)).any())


class RollLike(Protocol):
    """What is read of a roll, whichever side's it is."""

    @property
    def roll_date(self) -> date:
        """First session on the new contract."""

    @property
    def from_contract(self) -> str | None:
        """None where unknown."""

    @property
    def to_contract(self) -> str | None:
        """None where unknown."""

    @property
    def gap(self) -> float | None:
        """New less old price, as this side adjusted it; None counts as zero."""


class WindowRoll(NamedTuple):
    """A roll of either side with its place in the window; a tuple, because a symbol has hundreds.

    gap_index, roll_index: positions on `Overlap.union` of the gap session and of the first union session on
    or after roll_date. edge: too near an edge of the window to judge (counts only where it pairs).
    """

    gap_session: date
    roll_date: date
    from_contract: str | None
    to_contract: str | None
    gap: float | None
    source: str
    gap_index: int
    roll_index: int
    edge: bool


def build_overlap(canonical: CanonicalArrays, reference: ReferenceArrays, *, contracts: Sequence[str] = ()) -> Overlap:
    """Lay both sides over each other. contracts: names in expiry order that contract indices refer to.

    Raises DataError (code INSUFFICIENT_OVERLAP) where a side is empty or the two never overlap in time.
    """
    known = np.isfinite(canonical.adjusted)
    if not known.all():
        canonical = CanonicalArrays(
            canonical.sessions[known], canonical.adjusted[known], canonical.unadjusted[known], canonical.contract[known]
        )
    own_days = canonical.sessions
    ref_days = reference.sessions
    if not own_days.size or not ref_days.size:
        raise DataError(
            "no sessions to compare",
            found=f"{own_days.size} canonical and {ref_days.size} reference sessions with a close",
            code="INSUFFICIENT_OVERLAP",
        )
    first, last = max(own_days[0], ref_days[0]), min(own_days[-1], ref_days[-1])
    if first > last:
        raise DataError(
            "the two series do not overlap in time",
            found=f"canonical {own_days[0]} to {own_days[-1]}, reference {ref_days[0]} to {ref_days[-1]}",
            code="INSUFFICIENT_OVERLAP",
        )
    own = slice(np.searchsorted(own_days, first), np.searchsorted(own_days, last, side="right"))
    ref = slice(np.searchsorted(ref_days, first), np.searchsorted(ref_days, last, side="right"))
    own_offset = (own_days[own] - first).astype(np.int64)
    ref_offset = (ref_days[ref] - first).astype(np.int64)
    span = int((last - first).astype(np.int64)) + 1
    in_own, in_ref = np.zeros(span, dtype=np.bool_), np.zeros(span, dtype=np.bool_)
    in_own[own_offset] = True
    in_ref[ref_offset] = True
    union = np.flatnonzero(in_own | in_ref)
    shared = in_own & in_ref
    own_pick, ref_pick = shared[own_offset], shared[ref_offset]
    shared_days = np.flatnonzero(shared)
    return Overlap(
        first=first.astype(object),
        last=last.astype(object),
        union=first + union,
        sessions=first + shared_days,
        union_index=np.searchsorted(union, shared_days).astype(np.int64),
        canonical_adjusted=canonical.adjusted[own][own_pick],
        canonical_unadjusted=canonical.unadjusted[own][own_pick],
        canonical_contract=canonical.contract[own][own_pick],
        reference_adjusted=reference.adjusted[ref][ref_pick],
        reference_unadjusted=reference.unadjusted[ref][ref_pick],
        reference_contract=reference.contract[ref][ref_pick],
        contracts=tuple(contracts),
        has_reference_adjusted=bool(np.isfinite(reference.adjusted).any()),
        has_reference_unadjusted=reference.unadjusted_is_own,
    )


def place_rolls(overlap: Overlap, rolls: Sequence[Roll] | Sequence[ReferenceRoll]) -> tuple[WindowRoll, ...]:
    """The rolls that happen inside the window (first < roll_date <= last), in order, with EDGE marked."""
    inside = [roll for roll in rolls if overlap.first < roll.roll_date <= overlap.last]
    if not inside:
        return ()
    union = overlap.union
    gap_days = days_of([roll.gap_session for roll in inside])
    roll_days = days_of([roll.roll_date for roll in inside])
    gap_index = np.maximum(np.searchsorted(union, gap_days, side="right") - 1, 0)
    roll_index = np.searchsorted(union, roll_days)
    edge = np.minimum(gap_index, union.size - 1 - gap_index) <= EDGE_SESSIONS
    same = np.flatnonzero(overlap.same_contract)
    if same.size:
        edge |= (roll_days <= overlap.sessions[same[0]]) | (roll_days > overlap.sessions[same[-1]])
    return tuple(
        WindowRoll(
            roll.gap_session,
            roll.roll_date,
            roll.from_contract,
            roll.to_contract,
            roll.gap,
            roll.source if isinstance(roll, ReferenceRoll) else "canonical",
            at,
            start,
            near,
        )
        for roll, at, start, near in zip(inside, gap_index.tolist(), roll_index.tolist(), edge.tolist(), strict=True)
    )


def days_of(dates: Sequence[date]) -> Days:
    """datetime64[D] of dates; by ordinals, which numpy takes in far faster than date objects."""
    ordinals = np.array([day.toordinal() for day in dates], dtype=np.int64)
    return (ordinals - _EPOCH_ORDINAL).astype("datetime64[D]")


def gaps_of(rolls: Sequence[RollLike]) -> Floats:
    """Gap of each roll in quote units; NaN where unknown."""
    return np.array([np.nan if roll.gap is None else roll.gap for roll in rolls], dtype=np.float64)


def roll_starts(overlap: Overlap, *sides: Sequence[WindowRoll]) -> Ints:
    """Positions on `Overlap.sessions` of the first shared session on or after each roll date, ascending, once each.

    A position equal to the number of sessions belongs to a roll after the last of them.
    """
    starts = np.array([roll.roll_index for rolls in sides for roll in rolls], dtype=np.int64)
    return np.unique(np.searchsorted(overlap.union_index, starts)).astype(np.int64)


def reference_closes(reference: Reference) -> tuple[Days, Floats, Floats]:
    """Sessions, adjusted and unadjusted closes of a reference: the sessions on which each shipped series has one.

    A series that is not shipped is all NaN.
    """
    shipped = [series for series in (reference.adjusted, reference.unadjusted) if series is not None]
    if not shipped:
        return np.empty(0, dtype="datetime64[D]"), np.empty(0), np.empty(0)
    columns = [_finite(series.frame) for series in shipped]
    days = columns[0][0]
    for other, _ in columns[1:]:
        days = days if np.array_equal(days, other) else np.intersect1d(days, other, assume_unique=True)
    closes = [close if own.size == days.size else close[np.searchsorted(own, days)] for own, close in columns]
    absent = np.full(days.size, np.nan)
    adjusted = closes[0] if reference.adjusted is not None else absent
    unadjusted = closes[-1] if reference.unadjusted is not None else absent
    return days, adjusted, unadjusted


def _finite(frame: pl.DataFrame) -> tuple[Days, Floats]:
    days = frame.get_column("session").to_numpy().astype("datetime64[D]")
    close = frame.get_column("close").to_numpy()
    known = np.isfinite(close)
    return (days, close) if known.all() else (days[known], close[known])


def canonical_arrays(series: ContinuousSeries | DailySeries, contracts: Sequence[str] = ()) -> CanonicalArrays:
    """A canonical series as arrays. contracts: names in expiry order that contract indices refer to."""
    frame = series.frame
    close = frame.get_column("close").to_numpy()
    if isinstance(series, ContinuousSeries):
        raw = frame.get_column("close_unadjusted").to_numpy()
    else:
        raw = close - frame.get_column("adjustment").fill_null(0.0).to_numpy()
    days = frame.get_column("session").to_numpy().astype("datetime64[D]")
    return CanonicalArrays(days, close, raw, _contract_index(frame, contracts))


def _contract_index(frame: pl.DataFrame, contracts: Sequence[str]) -> Ints:
    if not contracts:
        return np.full(frame.height, UNKNOWN, dtype=np.int64)
    labels = frame.get_column("contract")
    starts, runs = label_runs(labels)
    place = {name: k for k, name in enumerate(contracts)}
    held: Ints = np.array([place.get(name, UNKNOWN) for name in labels[starts.tolist()].to_list()], dtype=np.int64)
    contract: Ints = held[runs]
    return contract


def label_runs(labels: pl.Series) -> tuple[Ints, Ints]:
    """First row of each run of equal labels, and for every row the number of its run, from 0."""
    count = len(labels)
    if not count:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if labels.null_count():
        runs = labels.rle_id().to_numpy().astype(np.int64)
        return np.flatnonzero(np.diff(runs, prepend=-1)), runs
    # A comparison of neighbours, because rle_id goes through the query engine and its thread pool.
    begins = np.ones(count, dtype=np.bool_)
    begins[1:] = (labels.slice(1) != labels.slice(0, count - 1)).to_numpy()
    starts = np.flatnonzero(begins)
    return starts, np.repeat(np.arange(starts.size), np.diff(starts, append=count))
