"""How a reference adjusts its series: by each roll's gap, by its ratio, not at all, or with the wrong sign.

Back-adjusted by differences, S(t) = U(t) - A(t) is constant between rolls; by ratios, U(t) / A(t) is. Series of
different adjustment drift apart by construction, and no vendor's prices are to blame.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ctl.arrays import Floats
from ctl.certification.series_arrays import gaps_of, median
from ctl.model.findings import Finding, finding
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.recovery.reference import RecoveredReference
    from ctl.model.bars import DailySeries


ADJUSTMENT_MISMATCH: Final = "ADJUSTMENT_MISMATCH"
INVERTED_ADJUSTMENT: Final = "INVERTED_ADJUSTMENT"
# Of the sessions, those on which the spread must move, and on which the ratio must stand still.
MOVING_SHARE: Final = 0.2
STILL_SHARE: Final = 0.95
# A vendor rounds both of its series to its grid.
ROUNDING_TICKS: Final = 1.5
ADJUSTED_GAP_TICKS: Final = 2.0
# Of the rolls, those without a step of the offset, where contracts lie apart.
UNADJUSTED_SHARE: Final = 0.9
# Of the rolls with a gap, those whose gap is nearer to ours turned round; and how many there must be.
INVERTED_SHARE: Final = 0.9
FEWEST_INVERTED: Final = 5
WORDS: Final = {
    "difference": "adjusted by differences",
    "ratio": "adjusted by ratios",
    "none": "not adjusted",
    "inverted": "adjusted with the wrong sign, which doubles each jump",
}

Kind = Literal["difference", "ratio", "none", "inverted"]


@dataclass(frozen=True, slots=True)
class ReferenceAdjustment:
    """How the reference adjusts, and what tells so (JSON-ready)."""

    kind: Kind
    evidence: dict[str, Any]


def of_reference(recovered: RecoveredReference, *, tick: float) -> ReferenceAdjustment | None:
    """How the reference adjusts its series; None where that cannot be told: no roll, or no adjusted series."""
    if recovered.ratio_adjusted:
        return ReferenceAdjustment("ratio", {"fits": "our contracts' closes times a factor per contract"})
    known = np.isfinite(recovered.adjusted) & np.isfinite(recovered.unadjusted)
    if not recovered.rolls or not known.all():
        return None
    gaps = gaps_of(recovered.rolls) / tick
    ours = np.abs(recovered.our_gaps) / tick
    without = float((np.abs(gaps) <= ROUNDING_TICKS).mean())
    if without >= UNADJUSTED_SHARE and _middle(ours) >= ADJUSTED_GAP_TICKS:
        evidence = {
            "rolls": len(gaps),
            "median_gap_ticks": _middle(np.abs(gaps)),
            "our_median_gap_ticks": _middle(ours),
        }
        return ReferenceAdjustment("none", evidence)
    turned, judged = _turned(gaps, recovered.our_gaps / tick)
    if judged >= FEWEST_INVERTED and turned >= INVERTED_SHARE * judged:
        return ReferenceAdjustment("inverted", {"rolls": judged, "opposite_gaps": turned})
    spread = recovered.unadjusted - recovered.adjusted
    moving = float((np.abs(np.diff(spread)) >= ADJUSTED_GAP_TICKS * tick).mean())
    if moving > MOVING_SHARE:
        still = _still_share(recovered, tick)
        if still >= STILL_SHARE:
            return ReferenceAdjustment("ratio", {"spread_moves_share": moving, "ratio_stands_share": still})
        return None
    return ReferenceAdjustment("difference", {"spread_moves_share": moving})


def mismatch(
    canonical: ContinuousSeries | DailySeries, recovered: RecoveredReference, *, tick: float
) -> tuple[Finding, ...]:
    """That both sides adjust differently, as a WATCH; nothing where they do not or it cannot be told."""
    theirs = of_reference(recovered, tick=tick)
    if not isinstance(canonical, ContinuousSeries) or theirs is None or theirs.kind == canonical.policy.adjustment:
        return ()
    ours = canonical.policy.adjustment
    text = (
        f"our series is {WORDS[ours]}, the reference {WORDS[theirs.kind]}: "
        "they drift apart by construction, whatever the prices"
    )
    evidence = {"canonical": ours, "reference": theirs.kind, **theirs.evidence}
    code = INVERTED_ADJUSTMENT if theirs.kind == "inverted" else ADJUSTMENT_MISMATCH
    return (finding("adjustment", "WATCH", text, code, evidence=evidence),)


def _turned(gaps: Floats, ours: Floats) -> tuple[int, int]:
    """How many of the rolls with a gap on our closes have one that is nearer to its opposite; and of how many."""
    with np.errstate(invalid="ignore"):
        judged = np.isfinite(gaps) & (np.abs(ours) >= ADJUSTED_GAP_TICKS)
    theirs, ours_judged = gaps[judged], ours[judged]
    return int(np.count_nonzero(np.abs(theirs + ours_judged) < np.abs(theirs - ours_judged))), int(judged.sum())


def _still_share(recovered: RecoveredReference, tick: float) -> float:
    """Share of sessions on which U lies where its segment's median ratio U / A puts it, up to rounding."""
    starts = np.array([roll.roll_date for roll in recovered.rolls], dtype="datetime64[D]")
    bounds = [0, *np.searchsorted(recovered.sessions, starts).tolist(), len(recovered.sessions)]
    still = 0
    for begin, end in pairwise(bounds):
        adjusted, unadjusted = recovered.adjusted[begin:end], recovered.unadjusted[begin:end]
        if end > begin and (adjusted > 0.0).all():
            expected = adjusted * median(unadjusted / adjusted)
            still += int((np.abs(unadjusted - expected) <= ROUNDING_TICKS * tick).sum())
    return still / max(len(recovered.sessions), 1)


def _middle(sizes: Floats) -> float:
    """Median of the finite ones; 0 without any."""
    sizes = sizes[np.isfinite(sizes)]
    return median(sizes) if sizes.size else 0.0
