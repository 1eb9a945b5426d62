"""Closes per contract as one flat array that kernels can walk: contract after contract, session after session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ctl.arrays import Days, Floats, Ints
from ctl.kernels import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.model.bars import ContractBars

Named = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class ContractCloses:
    """Closes of K contracts over the D sessions on which any of them has a bar.

    names: canonical contract names in expiry order (K).
    sessions: datetime64[D], ascending, unique (D).
    first, last: index into `sessions` of each contract's first and last bar, both inclusive (K).
    start: where each contract's closes begin in `flat` (K + 1).
    flat: close of contract k at session i is flat[start[k] + i - first[k]]; NaN where it has no close.
    place: index into `sessions` of every calendar day from the first to the last, -1 where no contract has a bar.
    """

    names: tuple[str, ...]
    sessions: Days
    first: Ints
    last: Ints
    start: Ints
    flat: Floats
    place: Ints

    @classmethod
    def empty(cls) -> ContractCloses:
        """No contract, no session."""
        none = np.empty(0, dtype=np.int64)
        return cls((), np.empty(0, dtype="datetime64[D]"), none, none, np.zeros(1, np.int64), np.empty(0), none)

    @classmethod
    def from_bars(cls, bars: ContractBars, price: str = "close") -> ContractCloses:
        """Lay out the closes of `bars`, or another of its prices; the frame is sorted by (expiry, session)."""
        frame = bars.frame
        days = frame["session"].to_physical().to_numpy().astype(np.int64)
        closes = frame[price].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        contract = frame["contract"].rle_id().to_numpy().astype(np.int64)
        return cls.from_arrays(tuple(c.name for c in bars.contracts), days, contract, closes)

    @classmethod
    def from_arrays(cls, names: tuple[str, ...], days: Ints, contract: Ints, closes: Floats) -> ContractCloses:
        """From one row per bar: days since 1970-01-01, index into `names`, close; sorted by (contract, day)."""
        count = len(names)
        sessions, place = _index_days(days)
        position = place[days - days.min()] if days.size else place
        bounds = np.searchsorted(contract, np.arange(count + 1))
        if count == 0 or bool((bounds[1:] == bounds[:-1]).any()):
            filled = bounds[1:] > bounds[:-1]
            if not filled.any():
                empty = np.empty(0, dtype=np.int64)
                return cls((), sessions, empty, empty, np.zeros(1, np.int64), np.empty(0), place)
            names = tuple(name for name, keep in zip(names, filled, strict=True) if keep)
            bounds = np.append(bounds[:-1][filled], bounds[-1])
            count = len(names)
        first = position[bounds[:-1]]
        last = position[bounds[1:] - 1]
        start = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(last - first + 1, out=start[1:])
        flat = np.full(int(start[-1]), np.nan)
        rows = np.repeat(start[:-1] - first, np.diff(bounds))
        rows += position
        flat[rows] = closes
        flat[np.isinf(flat)] = np.nan
        return cls(names, sessions, first, last, start, flat, place)

    def index_of(self, sessions: Days) -> Ints:
        """Index into `self.sessions` of each session; -1 where no contract has a bar."""
        if not self.place.size:
            return np.full(len(sessions), -1, dtype=np.int64)
        offset = (sessions - self.sessions[0]).astype(np.int64)
        return np.where((offset >= 0) & (offset < self.place.size), self.place.take(offset, mode="clip"), -1)

    def close(self, contract: Ints, index: Ints) -> Floats:
        """Closes at pairs of (contract index, session index); NaN where either names none or there is no close."""
        return np.asarray(_closes_at(self.first, self.last, self.start, self.flat, contract, index))

    def places(self, contracts: Sequence[Named]) -> tuple[Ints, Ints]:
        """Indices of old and of new contracts, given by (old, new) name; -1 where a name is none of ours."""
        place = {name: k for k, name in enumerate(self.names)}
        old, new = (np.array([place.get(pair[n] or "", -1) for pair in contracts], dtype=np.int64) for n in (0, 1))
        return old, new

    def gaps(self, contracts: Sequence[Named], sessions: Days) -> Floats:
        """New less old close of (old, new) contracts, per session; NaN where one is unknown or has no close."""
        (old, new), at = self.places(contracts), self.index_of(sessions)
        return self.close(new, at) - self.close(old, at)


@kernel
def _closes_at(first: Ints, last: Ints, start: Ints, flat: Floats, contract: Ints, index: Ints) -> Floats:
    """`ContractCloses.close` on the arrays of that class."""
    out = np.full(contract.size, np.nan)
    for n in range(contract.size):
        k, at = contract[n], index[n]
        # Compiled code reads what lies beyond an array without a word.
        if 0 <= k < first.size and first[k] <= at <= last[k]:
            out[n] = flat[start[k] + at - first[k]]
    return out


def _index_days(days: Ints) -> tuple[Days, Ints]:
    """Distinct days in order, and the position among them of every day from the first to the last, -1 for none."""
    if len(days) == 0:
        return np.empty(0, dtype="datetime64[D]"), np.empty(0, dtype=np.int64)
    origin = int(days.min())
    seen = np.zeros(int(days.max()) - origin + 1, dtype=np.bool_)
    seen[days - origin] = True
    place = np.where(seen, np.cumsum(seen, dtype=np.int64) - 1, -1)
    return (np.flatnonzero(seen) + origin).astype("datetime64[D]"), place
