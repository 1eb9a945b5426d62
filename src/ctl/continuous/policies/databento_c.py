"""Databento's `.c.0`: the contract nearest to expiry, left after its last trade date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ctl.continuous.policies.calendar import confirm

if TYPE_CHECKING:
    from ctl.continuous.policies import Need
    from ctl.model.rolls import RollReason

__all__ = ["confirm", "needs", "reason"]

needs: Final[tuple[Need, ...]] = ("expiry", "next_session")
reason: Final[RollReason] = "rank"
