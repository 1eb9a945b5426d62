"""L3: do paired rolls carry the same gap, and if not, is it the date or the price?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ctl.certify.window import days_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certify.contract_closes import ContractCloses
    from ctl.certify.roll_schedule import RollAlignment
    from ctl.certify.window import WindowRoll

Floats = npt.NDArray[np.float64]


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
    gap_canonical, gap_reference = _gaps(own), _gaps(other)
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


def _gaps(rolls: Sequence[WindowRoll]) -> Floats:
    return np.array([np.nan if roll.gap is None else roll.gap for roll in rolls], dtype=np.float64)


def _our_gaps(own: Sequence[WindowRoll], other: Sequence[WindowRoll], closes: ContractCloses | None) -> Floats:
    if closes is None or not own:
        return np.full(len(own), np.nan)
    column = {name: k for k, name in enumerate(closes.names)}
    sessions = closes.index_of(days_of([roll.gap_session for roll in other]))
    same = [_same_contracts(roll, partner) for roll, partner in zip(own, other, strict=True)]
    ends = [
        np.array(
            [column.get(name or "", -1) if alike else -1 for name, alike in zip(names, same, strict=True)],
            dtype=np.int64,
        )
        for names in ([roll.from_contract for roll in own], [roll.to_contract for roll in own])
    ]
    gaps: Floats = closes.close(ends[1], sessions) - closes.close(ends[0], sessions)
    return gaps


def _same_contracts(own: WindowRoll, other: WindowRoll) -> bool:
    """Whether the other roll is between the contracts of the own one, as far as its are known."""
    return other.from_contract in (None, own.from_contract) and other.to_contract in (None, own.to_contract)
