"""L2: do both sides roll on the same sessions? Alignment of two roll schedules and what it shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ctl.certification.acceptance import exceeds
from ctl.certification.window import gaps_of
from ctl.kernels import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.window import WindowRoll
    from ctl.model.findings import Status

DAY_COST: Final = 1.0
TICK_COST: Final = 0.01
UNMATCHED_COST: Final = 50.0
POLICY_MAX_UNMATCHED_SHARE: Final = 0.10
POLICY_MAX_FAIL_SHARE: Final = 0.15
MISMATCH_SHARE: Final = 0.5

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
    def status(self) -> Status:
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

    @property
    def n_paired(self) -> int:
        """Pairs of either status."""
        return len(self.pairs)

    @property
    def n_pass(self) -> int:
        """Pairs on the same gap session."""
        return [pair.day_delta for pair in self.pairs].count(0)

    @property
    def n_watch(self) -> int:
        """Pairs on different gap sessions within the limit."""
        return self.n_paired - self.n_pass

    @property
    def n_fail(self) -> int:
        """Unmatched rolls of either side."""
        return len(self.unmatched_canonical) + len(self.unmatched_reference)

    @property
    def n_canonical(self) -> int:
        """Canonical rolls that count: paired or unmatched."""
        return self.n_paired + len(self.unmatched_canonical)

    @property
    def n_reference(self) -> int:
        """Reference rolls that count: paired or unmatched."""
        return self.n_paired + len(self.unmatched_reference)

    @property
    def unmatched_share(self) -> float | None:
        """Unmatched rolls of both sides over all rolls that count; None without rolls."""
        rolls = self.n_canonical + self.n_reference
        return self.n_fail / rolls if rolls else None

    @property
    def strict_status(self) -> Status:
        """The worst of the rolls' statuses; FAIL where neither side has a roll to compare."""
        if self.n_fail or not self.pairs:
            return "FAIL"
        return "WATCH" if self.n_watch else "PASS"

    @property
    def policy_status(self) -> Status:
        """PASS where strict passes; WATCH while few rolls are unmatched; else FAIL."""
        if self.strict_status == "PASS":
            return "PASS"
        findings = self.n_paired + self.n_fail
        if not findings or self.unmatched_share is None:
            return "FAIL"
        few_unmatched = not exceeds(self.unmatched_share, POLICY_MAX_UNMATCHED_SHARE)
        few_failed = not exceeds(self.n_fail / findings, POLICY_MAX_FAIL_SHARE)
        return "WATCH" if few_unmatched and few_failed else "FAIL"

    @property
    def day_delta_histogram(self) -> dict[int, int]:
        """Number of pairs by signed day delta, ascending."""
        return dict(sorted(Counter(pair.day_delta for pair in self.pairs).items()))


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
    if not alignment.n_fail or _mostly_paired(alignment, canonical, reference):
        return False
    unlimited = align(canonical, reference, tick=tick, max_day_delta=None, by_contract=True)
    beyond = [pair for pair in unlimited.pairs if abs(pair.day_delta) > max_day_delta]
    canonical_is_larger = alignment.n_canonical >= alignment.n_reference
    if canonical_is_larger:
        counted = set(alignment.unmatched_canonical) | {pair.canonical for pair in alignment.pairs}
        affected = sum(pair.canonical in counted for pair in beyond)
    else:
        counted = set(alignment.unmatched_reference) | {pair.reference for pair in alignment.pairs}
        affected = sum(pair.reference in counted for pair in beyond)
    return bool(counted) and affected > MISMATCH_SHARE * len(counted)


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
    return named >= (1.0 - MISMATCH_SHARE) * max(alignment.n_canonical, alignment.n_reference)


def _gap_index(rolls: Sequence[WindowRoll]) -> npt.NDArray[np.int64]:
    return np.array([roll.gap_index for roll in rolls], dtype=np.int64)


def _to_contracts(
    canonical: Sequence[WindowRoll], reference: Sequence[WindowRoll]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Both sides' new contracts as small numbers, equal where the names are; -1 where unknown."""
    number: dict[str, int] = {}
    sides = [
        [-1 if roll.to_contract is None else number.setdefault(roll.to_contract, len(number)) for roll in rolls]
        for rolls in (canonical, reference)
    ]
    return np.array(sides[0], dtype=np.int64), np.array(sides[1], dtype=np.int64)


@kernel
def _pair_cost(days: int, gap_apart: float, own: int, other: int, most_days: int, by_contract: bool) -> int:
    """Cost of a pair in billionths, `_FORBIDDEN` where there can be none. days: apart; gap_apart: in ticks."""
    known = own >= 0 and other >= 0
    if days > most_days or (known and own != other) or (by_contract and not known):
        return _FORBIDDEN
    cost = DAY_COST * days + TICK_COST * (0.0 if np.isnan(gap_apart) else gap_apart)
    return int(np.rint(min(cost, _MOST) * _UNITS))


@kernel
def _least_cost_matching(
    at: npt.NDArray[np.int64],
    reference_at: npt.NDArray[np.int64],
    gap: npt.NDArray[np.float64],
    reference_gap: npt.NDArray[np.float64],
    contract: npt.NDArray[np.int64],
    reference_contract: npt.NDArray[np.int64],
    tick: float,
    most_days: int,
    by_contract: bool,
    alone: int,
) -> tuple[npt.NDArray[np.int64], int]:
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
