"""L3: do paired rolls carry the same gap, and if not, is it the date or the price?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ctl.certification.window import days_of, gaps_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.layers.roll_schedule import RollAlignment
    from ctl.certification.window import WindowRoll

Floats = npt.NDArray[np.float64]

UNADJUSTED_TICKS: Final = 1.0
APART_TICKS: Final = 8.0
APART_NOISES: Final = 5.0


@dataclass(frozen=True, slots=True)
class RollGaps:
    """Gaps of the pairs of an alignment, in its order (n); quote units, NaN where unknown.

    difference: canonical - reference gap = date_effect + price_effect where our closes allow the split.
    date_effect: canonical gap less the same contracts' gap on our closes at the reference's gap session.
    price_effect: that gap less the reference's. Means and maxima are of |difference|; None without pairs.
    """

    canonical: Floats
    reference: Floats
    difference: Floats
    date_effect: Floats
    price_effect: Floats
    mean_gap_diff: float | None
    max_gap_diff: float | None
    mean_gap_diff_ticks: float | None
    max_gap_diff_ticks: float | None
    n_compared: int


def compare(
    alignment: RollAlignment,
    canonical: Sequence[WindowRoll],
    reference: Sequence[WindowRoll],
    closes: ContractCloses | None,
    *,
    tick: float,
) -> RollGaps:
    """Compare the gaps of every pair.

    A pair is split where both sides roll between the same contracts (or the reference's are unknown) and
    our closes of both exist on the reference's gap session.
    """
    own = [canonical[pair.canonical] for pair in alignment.pairs]
    other = [reference[pair.reference] for pair in alignment.pairs]
    gap_canonical, gap_reference = gaps_of(own), gaps_of(other)
    difference = gap_canonical - gap_reference
    ours = _our_gaps(own, other, closes)
    size = np.abs(difference[np.isfinite(difference)])
    mean, largest = (float(size.mean()), float(size.max())) if size.size else (None, None)
    return RollGaps(
        canonical=gap_canonical,
        reference=gap_reference,
        difference=difference,
        date_effect=gap_canonical - ours,
        price_effect=ours - gap_reference,
        mean_gap_diff=mean,
        max_gap_diff=largest,
        mean_gap_diff_ticks=None if mean is None else mean / tick,
        max_gap_diff_ticks=None if largest is None else largest / tick,
        n_compared=int(size.size),
    )


def left_unadjusted(gaps: RollGaps, *, tick: float) -> npt.NDArray[np.int64]:
    """Pairs, by index, that the reference made no step for although the contracts lay apart on its gap session.

    Its gap is at most a tick; ours of the same contracts and session is more than eight, and more than five times what
    the two vendors' gaps differ by in the median. None where that is most pairs: then it does not adjust at all.
    """
    apart = gaps.price_effect + gaps.reference
    known = np.isfinite(apart)
    if not known.any():
        return np.empty(0, dtype=np.int64)
    usual = float(np.median(np.abs(gaps.price_effect[known])))
    with np.errstate(invalid="ignore"):
        no_step = np.round(np.abs(gaps.reference) / tick, 9) <= UNADJUSTED_TICKS
        missing = known & no_step & (np.abs(apart) > max(APART_TICKS * tick, APART_NOISES * usual))
    found = np.flatnonzero(missing)
    return found if 2 * found.size <= known.sum() else found[:0]


def _our_gaps(own: Sequence[WindowRoll], other: Sequence[WindowRoll], closes: ContractCloses | None) -> Floats:
    """Gap of each own roll's contracts on our closes, at the gap session of the other side's roll."""
    if closes is None:
        return np.full(len(own), np.nan)
    alike = [roll if _same_contracts(roll, partner) else None for roll, partner in zip(own, other, strict=True)]
    return closes.gaps(
        [None if roll is None else roll.from_contract for roll in alike],
        [None if roll is None else roll.to_contract for roll in alike],
        days_of([roll.gap_session for roll in other]),
    )


def _same_contracts(own: WindowRoll, other: WindowRoll) -> bool:
    """Whether the other roll is between the contracts of the own one, as far as its are known."""
    return other.from_contract in (None, own.from_contract) and other.to_contract in (None, own.to_contract)
