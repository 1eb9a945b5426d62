"""A reference vendor's continuous series, as far as the vendor ships it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ctl.errors import CtlError
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.rolls import ReferenceRoll

ASSUMED_UNADJUSTED: Final = "assumed, as its name says neither"
"""In a note of which file is which: nothing but its name says that it is unadjusted."""


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

    @property
    def last_session(self) -> date | None:
        """The last session that every series it ships has; None without any."""
        ends = [side.frame["session"].max() for side in (self.adjusted, self.unadjusted) if side is not None]
        known = [end for end in ends if isinstance(end, date)]
        return min(known) if known and len(known) == len(ends) else None
