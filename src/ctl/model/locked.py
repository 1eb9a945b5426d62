"""What a lock holds of a symbol, and what is watched of it since: figures comparable from certificate to certificate.

Made by `ctl.certification.watched` of an examination; the lock file carries `LockedSymbol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ctl.model.findings import Decision, Reason

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedMetrics:
    """The metrics behind a decision, and those that the ratchet holds later sessions against; null: not measured.

    Drift, gaps and basis are sizes in quote units. n_*: as in a certificate. max_gap_diff: the largest of any pair.
    max_basis: the largest mean of |basis| over 20 consecutive same-contract sessions; where contracts are unknown, of
    the changes of our close less the reference's between rolls. max_basis_to_moves: the largest such mean as a multiple
    of the mean |change of close| on the same sessions, the smaller side's. aligned_drift: mean |drift| with both sides
    aligned on the median over the newest 250 same-contract sessions, the gap differences carried there taken out.
    scale: the close that the figures are in proportion to, where ratios or shares of the price were compared; null
    where they are differences of prices.
    """

    n_paired: int | None = None
    n_unmatched_canonical: int | None = None
    n_unmatched_reference: int | None = None
    n_fail: int | None = None
    mean_gap_diff: float | None = None
    mean_drift: float | None = None
    unexplained_share: float | None = None
    max_gap_diff: float | None = None
    max_basis: float | None = None
    max_basis_to_moves: float | None = None
    aligned_drift: float | None = None
    tick: float
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class DataTo:
    """The last session of either side, inclusive; null where it is not known."""

    canonical: date | None = None
    reference: date | None = None

    @property
    def both(self) -> date | None:
        """The last session that both sides have; None where one is not known."""
        return None if self.canonical is None or self.reference is None else min(self.canonical, self.reference)

    @property
    def newest(self) -> date | None:
        """The last session that either side has."""
        return max((day for day in (self.canonical, self.reference) if day is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSymbol:
    """One gating symbol as it was locked. breached: codes of the acceptance checks that it breaches, all of which are
    known flaws from then on. last_canonical, last_reference: the last session of either side, inclusive.
    """

    decision: Decision
    breached: tuple[str, ...]
    metrics: WatchedMetrics
    last_canonical: date | None
    last_reference: date | None

    @property
    def data_to(self) -> DataTo:
        """The last session of either side."""
        return DataTo(self.last_canonical, self.last_reference)


@dataclass(frozen=True, slots=True)
class GapDifference:
    """A pair of rolls: its contracts, the later gap session of both sides, |canonical - reference gap|."""

    block: str
    session: date
    size: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A symbol as today's data derive it, and by session what the ratchet looks at.

    gaps: pairs whose gaps are known, by session. days, basis: sessions (n) and the mean of |basis| (or of the changes,
    see `WatchedMetrics`) over the 20 that end there. basis_to_moves: the same as a multiple of the moves (n).
    roll_days: first sessions after a roll of either side, ascending. newest: the last sessions that both sides share,
    ascending. margins: value and inclusive limit of every check that makes a WATCH.
    """

    symbol: LockedSymbol
    gaps: tuple[GapDifference, ...]
    days: npt.NDArray[np.datetime64]
    basis: npt.NDArray[np.float64]
    basis_to_moves: npt.NDArray[np.float64]
    roll_days: tuple[date, ...]
    newest: tuple[date, ...]
    margins: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class KnownRoll:
    """A roll of the reference: its date, and the contract and the gap where they are known."""

    roll_date: date
    to_contract: str | None
    gap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate reads of a certificate: a small part of it, in its words. unread: references that cannot be read."""

    symbol: str
    decision: Decision
    reasons: tuple[Reason, ...]
    sha256: str
    reference_rolls: tuple[KnownRoll, ...]
    watched: Watched | None
    unread: tuple[str, ...] = ()
