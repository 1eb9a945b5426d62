"""What the layers of one certification have found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ctl.model.findings import LayerResult

if TYPE_CHECKING:
    from ctl.certify.contract_closes import ContractCloses
    from ctl.certify.drift import Drift
    from ctl.certify.ledger import Ledger
    from ctl.certify.recovery import RecoveredReference
    from ctl.certify.request import CertifyRequest
    from ctl.certify.roll_gaps import RollGaps
    from ctl.certify.roll_schedule import RollAlignment
    from ctl.certify.window import Overlap, WindowRoll

TITLES: Final = {
    "L0": "identity",
    "L1": "raw data",
    "L2": "roll schedule",
    "L3": "roll gaps",
    "L4": "drift",
    "L5": "functional parity",
}


@dataclass(slots=True)
class CertificationState:
    """What the layers have found so far."""

    request: CertifyRequest
    closes: ContractCloses | None = None
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
    layers: dict[str, LayerResult] = field(default_factory=dict)

    def keep(self, result: LayerResult) -> None:
        """Take a layer's result in."""
        self.layers[result.layer] = result

    def not_run(self, layer: str, why: str) -> None:
        """Say that a layer lacks an input."""
        self.layers[layer] = LayerResult(layer, TITLES[layer], "NOT_RUN", why)
