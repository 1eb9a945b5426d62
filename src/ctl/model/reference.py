"""A reference vendor's continuous series, as far as the vendor ships it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.rolls import ReferenceRoll


@dataclass(frozen=True, slots=True)
class Reference:
    """Adjusted and/or unadjusted series of one vendor, rolls it states itself, and its contract bars if any."""

    vendor: str
    adjusted: DailySeries | None
    unadjusted: DailySeries | None
    stated_rolls: tuple[ReferenceRoll, ...] = ()
    contracts: ContractBars | None = None
