"""Series as arrays: sessions, closes and the contract held, as recovery and every layer read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from ctl.arrays import Days, Floats, Ints
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference


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

    @classmethod
    def empty(cls) -> CanonicalArrays:
        """No series: no session."""
        return cls(np.empty(0, dtype="datetime64[D]"), np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))


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


def days_of(dates: Sequence[date]) -> Days:
    """datetime64[D] of dates; by ordinals, which numpy takes in far faster than date objects."""
    ordinals = np.array([day.toordinal() for day in dates], dtype=np.int64)
    return (ordinals - _EPOCH_ORDINAL).astype("datetime64[D]")


def median(values: Floats) -> float:
    """Median of finite numbers, at least one: as numpy's, bit for bit, which takes three times as long."""
    low, high = (values.size - 1) // 2, values.size // 2
    # Two places also where they are one: for a single place numpy selects a hundred times slower among equal values.
    ordered = np.partition(values, (low, high))
    return float((ordered[low] + ordered[high]) / 2)


def percentile(values: Floats, share: float) -> float:
    """Linear interpolation between order statistics of finite numbers, at least one, as numpy's default."""
    place = share * (values.size - 1)
    low = int(place)
    high = min(low + 1, values.size - 1)
    ordered = np.partition(values, (low, high))
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def gaps_of(rolls: Sequence[RollLike]) -> Floats:
    """Gap of each roll in quote units; NaN where unknown."""
    return np.array([np.nan if roll.gap is None else roll.gap for roll in rolls], dtype=np.float64)


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
    closes = [
        close if series_days.size == days.size else close[np.searchsorted(series_days, days)]
        for series_days, close in columns
    ]
    absent = np.full(days.size, np.nan)
    adjusted = closes[0] if reference.adjusted is not None else absent
    unadjusted = closes[-1] if reference.unadjusted is not None else absent
    return days, adjusted, unadjusted


def _finite(frame: pl.DataFrame) -> tuple[Days, Floats]:
    days = frame.get_column("session").to_numpy().astype("datetime64[D]")
    close = frame.get_column("close").to_numpy()
    known = np.isfinite(close)
    return (days, close) if known.all() else (days[known], close[known])


def carried_of(frame: pl.DataFrame) -> Floats:
    """What each bar of a series carries above its raw price, by its own statement; 0.0 where it states nothing."""
    carried = frame.get_column("adjustment")
    return (carried.fill_null(0.0) if carried.null_count() else carried).to_numpy().astype(np.float64, copy=False)


def shared_rows(left: Days, right: Days) -> tuple[Ints, Ints]:
    """Rows of each of two ascending lists of days, each day once, on the days that both have."""
    if np.array_equal(left, right):
        rows = np.arange(left.size)
        return rows, rows
    place = np.searchsorted(right, left)
    here = np.flatnonzero(right.take(place, mode="clip") == left) if right.size else np.empty(0, dtype=np.int64)
    return here, place[here]


def canonical_arrays(series: ContinuousSeries | DailySeries, contracts: Sequence[str] = ()) -> CanonicalArrays:
    """A canonical series as arrays. contracts: names in expiry order that contract indices refer to."""
    frame = series.frame
    close = frame.get_column("close").to_numpy()
    if isinstance(series, ContinuousSeries):
        raw = frame.get_column("close_unadjusted").to_numpy()
    else:
        raw = close - carried_of(frame)
    days = frame.get_column("session").to_numpy().astype("datetime64[D]")
    return CanonicalArrays(days, close, raw, _contract_index(frame, contracts))


def _contract_index(frame: pl.DataFrame, contracts: Sequence[str]) -> Ints:
    if not contracts:
        return np.full(frame.height, UNKNOWN, dtype=np.int64)
    _, runs, names = label_runs(frame.get_column("contract"))
    place = {name: k for k, name in enumerate(contracts)}
    contract: Ints = np.array([place.get(name or "", UNKNOWN) for name in names], dtype=np.int64)[runs]
    return contract


def label_runs(labels: pl.Series) -> tuple[Ints, Ints, list[str | None]]:
    """First row of each run of equal labels, for every row the number of its run, from 0, and each run's label."""
    count = len(labels)
    if not count:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), []
    # A comparison of neighbours, because rle_id goes through the query engine and its thread pool.
    later, earlier = labels.slice(1), labels.slice(0, count - 1)
    turns = later.ne_missing(earlier) if labels.null_count() else later != earlier
    starts = np.append(0, np.flatnonzero(turns.to_numpy()) + 1)
    names = [labels[0], *later.filter(turns).to_list()]
    return starts, np.repeat(np.arange(starts.size), np.diff(starts, append=count)), names
