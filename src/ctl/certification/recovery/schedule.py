"""The reference's recovered rolls as a schedule to build our contracts on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctl.model.rolls import ScheduledRoll

if TYPE_CHECKING:
    from ctl.certification.recovery.reference import RecoveredReference


def reference_schedule(recovered: RecoveredReference) -> tuple[ScheduledRoll, ...]:
    """The recovered reference's rolls as a schedule to build our contracts on; empty where contracts are unknown.

    Steps without a change of contract are no rolls. Without any roll the one contract held is scheduled from
    the first session.
    """
    rolls = tuple(
        ScheduledRoll(roll.roll_date, roll.from_contract, roll.to_contract)
        for roll in recovered.rolls
        if roll.to_contract is not None
    )
    known = np.flatnonzero(recovered.contract_on_day >= 0)
    if rolls or not known.size:
        return rolls
    name = recovered.contracts[int(recovered.contract_on_day[known[0]])]
    return (ScheduledRoll(recovered.sessions[known[0]].item(), name, name),)
