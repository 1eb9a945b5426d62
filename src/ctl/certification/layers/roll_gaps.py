"""L3: do paired rolls carry the same gap, and if not, is it the date or the price?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ctl.certification.acceptance import LIMITS_V1
from ctl.certification.series_arrays import days_of, gaps_of
from ctl.certification.tolerance import watch_above
from ctl.model.certificate import GapFigures
from ctl.model.findings import Finding, LayerName, LayerResult, NotRun, finding, worst_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.layers.roll_schedule import RollAlignment, RollSchedules
    from ctl.certification.window import Window, WindowRoll

Floats = npt.NDArray[np.float64]

LAYER: Final[LayerName] = "L3"
MOST_NAMED: Final = 3
UNADJUSTED_TICKS: Final = 1.0
APART_TICKS: Final = 8.0
APART_NOISES: Final = 5.0


@dataclass(frozen=True, slots=True)
class RollGaps:
    """Gaps of the pairs of an alignment, in its order (n); quote units, NaN where unknown.

    difference: canonical - reference gap = date_effect + price_effect where our closes allow the split.
    date_effect: canonical gap less the same contracts' gap on our closes at the reference's gap session.
    price_effect: that gap less the reference's. figures: means and maxima of |difference|, as published.
    """

    canonical: Floats
    reference: Floats
    difference: Floats
    date_effect: Floats
    price_effect: Floats
    figures: GapFigures


def check(window: Window | NotRun, schedules: RollSchedules | NotRun) -> LayerResult[RollGaps]:
    """The layer: the gaps of the paired rolls, and those that the reference left unadjusted."""
    if isinstance(window, NotRun):
        return LayerResult.absent(LAYER, window)
    if isinstance(schedules, NotRun):
        return LayerResult.absent(LAYER, schedules)
    request, alignment = window.request, schedules.alignment
    gaps = compare(alignment, window.canonical_rolls, window.reference_rolls, window.closes, tick=request.tick)
    figures, mean = gaps.figures, gaps.figures.mean_gap_diff
    if mean is None:
        if alignment.pairs:
            text = "the reference's gaps are unknown: it ships no adjusted series and states none"
            return LayerResult.of(LAYER, "NOT_RUN", text, measured=gaps, figures=figures)
        return LayerResult.of(LAYER, "FAIL", "no paired rolls", measured=gaps, figures=figures)
    text = f"mean gap difference {mean:.6g} over {figures.n_compared} pairs"
    limit = LIMITS_V1.max_mean_gap_diff
    findings = [
        watch_above("mean_gap_diff", text, "MEAN_GAP_DIFF", mean, limit, request.quote_unit),
        *check_unadjusted(window, alignment, gaps),
    ]
    status = worst_status(made.status for made in findings)
    return LayerResult.of(LAYER, status, text, findings, measured=gaps, figures=figures)


def check_unadjusted(window: Window, alignment: RollAlignment, gaps: RollGaps) -> list[Finding]:
    """Rolls whose gap the reference left in its adjusted series."""
    left = left_unadjusted(gaps, tick=window.request.tick).tolist()
    if not left:
        return []
    rolls = [
        {
            "block": f"{roll.from_contract}>{roll.to_contract}",
            "gap_session": window.reference_rolls[pair.reference].gap_session.isoformat(),
            "reference_gap": float(gaps.reference[at]),
            "gap": float(gaps.price_effect[at] + gaps.reference[at]),
        }
        for at in left
        for pair in [alignment.pairs[at]]
        for roll in [window.canonical_rolls[pair.canonical]]
    ]
    shown = ", ".join(f"{roll['block']} on {roll['gap_session']} ({roll['gap']:.6g})" for roll in rolls[:MOST_NAMED])
    more = f" and {len(rolls) - MOST_NAMED} more" if len(rolls) > MOST_NAMED else ""
    text = f"the reference left the gap of {shown}{more} in its adjusted series"
    return [finding("unadjusted_rolls", "WATCH", text, "UNADJUSTED_ROLL", evidence={"rolls": rolls})]


def compare(
    alignment: RollAlignment,
    canonical: Sequence[WindowRoll],
    reference: Sequence[WindowRoll],
    closes: ContractCloses,
    *,
    tick: float,
) -> RollGaps:
    """Compare the gaps of every pair.

    A pair is split where both sides roll between the same contracts (or the reference's are unknown) and
    our closes of both exist on the reference's gap session.
    """
    rolls = [canonical[pair.canonical] for pair in alignment.pairs]
    partners = [reference[pair.reference] for pair in alignment.pairs]
    gap_canonical, gap_reference = gaps_of(rolls), gaps_of(partners)
    difference = gap_canonical - gap_reference
    ours = _our_gaps(rolls, partners, closes)
    size = np.abs(difference[np.isfinite(difference)])
    figures = GapFigures(None, None, None, None, 0)
    if size.size:
        mean, largest = float(size.mean()), float(size.max())
        figures = GapFigures(mean, largest, mean / tick, largest / tick, int(size.size))
    return RollGaps(
        canonical=gap_canonical,
        reference=gap_reference,
        difference=difference,
        date_effect=gap_canonical - ours,
        price_effect=ours - gap_reference,
        figures=figures,
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
    pairs = np.flatnonzero(missing)
    return pairs if 2 * pairs.size <= known.sum() else pairs[:0]


def _our_gaps(rolls: Sequence[WindowRoll], partners: Sequence[WindowRoll], closes: ContractCloses) -> Floats:
    """Gap of each own roll's contracts on our closes, at the gap session of the other side's roll."""
    alike = [roll if _same_contracts(roll, partner) else None for roll, partner in zip(rolls, partners, strict=True)]
    return closes.gaps(
        [None if roll is None else roll.from_contract for roll in alike],
        [None if roll is None else roll.to_contract for roll in alike],
        days_of([roll.gap_session for roll in partners]),
    )


def _same_contracts(roll: WindowRoll, partner: WindowRoll) -> bool:
    """Whether the other roll is between the contracts of the own one, as far as its are known."""
    return partner.from_contract in (None, roll.from_contract) and partner.to_contract in (None, roll.to_contract)
