"""What the layers of one certification have found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ctl.certification.acceptance import Measures
from ctl.model.findings import LayerResult

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.layers.drift import Drift
    from ctl.certification.layers.functional import FunctionalParity
    from ctl.certification.layers.integrity import Bars
    from ctl.certification.layers.ledger import Ledger
    from ctl.certification.layers.roll_gaps import RollGaps
    from ctl.certification.layers.roll_schedule import RollAlignment
    from ctl.certification.recovery.reference import RecoveredReference
    from ctl.certification.request import CertifyRequest
    from ctl.certification.window import CanonicalArrays, Overlap, WindowRoll
    from ctl.model.bars import DailySeries
    from ctl.model.findings import Decision
    from ctl.model.rolls import ContinuousSeries

TITLES: Final = {
    "L0": "identity",
    "L1": "raw data",
    "L2": "roll schedule",
    "L3": "roll gaps",
    "L4": "drift",
    "L5": "functional parity",
}


ATR_SESSIONS: Final = 14


@dataclass(slots=True)
class CertificationState:
    """What the layers have found so far."""

    request: CertifyRequest
    bars: Bars | None = None
    closes: ContractCloses | None = None
    canonical: CanonicalArrays | None = None
    recovered: RecoveredReference | None = None
    overlap: Overlap | None = None
    never_overlaps: bool = False
    canonical_rolls: tuple[WindowRoll, ...] = ()
    reference_rolls: tuple[WindowRoll, ...] = ()
    alignment: RollAlignment | None = None
    rule_mismatch: bool = False
    gaps: RollGaps | None = None
    drift: Drift | None = None
    ledger: Ledger | None = None
    parity: FunctionalParity | None = None
    counterfactuals: dict[str, Any] = field(default_factory=dict)
    rebuilt: dict[str, Any] = field(default_factory=dict)
    rebuilt_decision: Decision | None = None
    layers: dict[str, LayerResult] = field(default_factory=dict)

    def keep(self, result: LayerResult) -> None:
        """Take a layer's result in."""
        self.layers[result.layer] = result

    def not_run(self, layer: str, why: str) -> None:
        """Say that a layer lacks an input."""
        self.layers[layer] = LayerResult(layer, TITLES[layer], "NOT_RUN", why)

    def measures(self) -> Measures:
        """What acceptance looks at, from the layers that have run."""
        alignment, overlap, request = self.alignment, self.overlap, self.request
        scale_free = request.acceptance_policy == "v2"
        return Measures(
            shared_sessions=0 if overlap is None else int(overlap.sessions.size),
            n_paired=0 if alignment is None else alignment.n_paired,
            unmatched_canonical=0 if alignment is None else len(alignment.unmatched_canonical),
            unmatched_reference=0 if alignment is None else len(alignment.unmatched_reference),
            mean_gap_diff=None if self.gaps is None else self.gaps.mean_gap_diff,
            mean_drift=None if self.drift is None else self.drift.mean_drift,
            tick=request.tick,
            atr=average_true_range(request.canonical, overlap) if scale_free else None,
            unexplained_share=_unexplained_share(self.ledger) if scale_free else None,
            rebuilt_decision=self.rebuilt_decision,
        )


def average_true_range(canonical: ContinuousSeries | DailySeries | None, overlap: Overlap | None) -> float | None:
    """Median over the window of Wilder's ATR(14), in quote units; of close-to-close moves where bars are settlements.

    None without a window or with fewer than 15 sessions in it.
    """
    if canonical is None or overlap is None:
        return None
    import polars as pl

    before = pl.col("close").shift(1)
    high, low = pl.max_horizontal("high", "close", before), pl.min_horizontal("low", "close", before)
    true_range = (high - low).ewm_mean(alpha=1.0 / ATR_SESSIONS, adjust=False)
    inside = canonical.frame.filter(pl.col("session").is_between(overlap.first, overlap.last))
    found = inside.select(true_range.slice(ATR_SESSIONS).median()).item()
    return None if found is None else float(found)


def _unexplained_share(book: Ledger | None) -> float | None:
    """Unexplained drift as a share of all drift, in size; 0 where there is no drift."""
    if book is None:
        return None
    share = book.unexplained_share
    return 0.0 if share is None else abs(share)
