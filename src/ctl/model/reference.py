"""A reference vendor's continuous series, as far as the vendor ships it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctl.errors import CtlError
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.rolls import ReferenceRoll


@dataclass(frozen=True, slots=True)
class Reference:
    """Adjusted and/or unadjusted series of one vendor, rolls it states itself, and its contract bars if any.

    contracts: an error where the files that should hold them cannot be read; None where the vendor ships none.
    """

    vendor: str
    adjusted: DailySeries | None
    unadjusted: DailySeries | None
    stated_rolls: tuple[ReferenceRoll, ...] = ()
    contracts: ContractBars | CtlError | None = None
