"""The sessions that both sides share, with every close of either on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats, Ints
from ctl.certification.series_arrays import CanonicalArrays
from ctl.errors import DataError

if TYPE_CHECKING:
    from ctl.certification.recovery.reference import RecoveredReference


INSUFFICIENT_OVERLAP: Final = "INSUFFICIENT_OVERLAP"


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


def build_overlap(canonical: CanonicalArrays, reference: RecoveredReference) -> Overlap:
    """Lay both sides over each other; contract indices of either are into `reference.contracts`.

    Raises DataError (code INSUFFICIENT_OVERLAP) where a side is empty or the two never overlap in time.
    """
    known = np.isfinite(canonical.adjusted)
    if not known.all():
        canonical = CanonicalArrays(
            canonical.sessions[known], canonical.adjusted[known], canonical.unadjusted[known], canonical.contract[known]
        )
    canonical_days = canonical.sessions
    reference_days = reference.sessions
    if not canonical_days.size or not reference_days.size:
        raise DataError(
            "no sessions to compare",
            found=f"{canonical_days.size} canonical and {reference_days.size} reference sessions with a close",
            code=INSUFFICIENT_OVERLAP,
        )
    first, last = max(canonical_days[0], reference_days[0]), min(canonical_days[-1], reference_days[-1])
    if first > last:
        raise DataError(
            "the two series do not overlap in time",
            found=f"canonical {canonical_days[0]} to {canonical_days[-1]}, "
            f"reference {reference_days[0]} to {reference_days[-1]}",
            code=INSUFFICIENT_OVERLAP,
        )
    canonical_part = slice(np.searchsorted(canonical_days, first), np.searchsorted(canonical_days, last, side="right"))
    reference_part = slice(np.searchsorted(reference_days, first), np.searchsorted(reference_days, last, side="right"))
    canonical_offset = (canonical_days[canonical_part] - first).astype(np.int64)
    reference_offset = (reference_days[reference_part] - first).astype(np.int64)
    span = int((last - first).astype(np.int64)) + 1
    in_canonical, in_reference = np.zeros(span, dtype=np.bool_), np.zeros(span, dtype=np.bool_)
    in_canonical[canonical_offset] = True
    in_reference[reference_offset] = True
    union = np.flatnonzero(in_canonical | in_reference)
    shared = in_canonical & in_reference
    canonical_pick, reference_pick = shared[canonical_offset], shared[reference_offset]
    shared_days = np.flatnonzero(shared)
    return Overlap(
        first=first.astype(object),
        last=last.astype(object),
        union=first + union,
        sessions=first + shared_days,
        union_index=np.searchsorted(union, shared_days).astype(np.int64),
        canonical_adjusted=canonical.adjusted[canonical_part][canonical_pick],
        canonical_unadjusted=canonical.unadjusted[canonical_part][canonical_pick],
        canonical_contract=canonical.contract[canonical_part][canonical_pick],
        reference_adjusted=reference.adjusted[reference_part][reference_pick],
        reference_unadjusted=reference.unadjusted[reference_part][reference_pick],
        reference_contract=reference.contract_on_day[reference_part][reference_pick],
        contracts=reference.contracts,
        has_reference_adjusted=bool(np.isfinite(reference.adjusted).any()),
        has_reference_unadjusted=reference.basis_identifiable,
    )
