"""How the data of a certified symbol stand: to when they reach, how far they drift, and by when its contract rolls."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from ctl import sessions
from ctl.certification.acceptance import LIMITS_V1
from ctl.errors import CtlError
from ctl.flows.next_open import next_contract, rolls_by
from ctl.model.run import SymbolState

if TYPE_CHECKING:
    from ctl.flows.pipeline import Made
    from ctl.model.run import SymbolResult
    from ctl.operating_profile import OperatingProfile


def state(certified: Made, calendar: str | None) -> SymbolState:
    """The state of one symbol. What a missing calendar or term leaves open is None."""
    series, watched = certified.series, certified.certificate.watched
    drift = None if watched is None else watched.symbol.metrics.mean_drift
    if series is None or not series.frame.height:
        return SymbolState(mean_drift=drift)
    newest = series.frame["session"].max()
    if not isinstance(newest, date):
        return SymbolState(mean_drift=drift)
    policy, held = certified.inputs.policy, certified.inputs.contracts
    if policy is None or held is None:
        return SymbolState(newest, drift)
    contract = str(series.frame["contract"][-1])
    pending = getattr(series, "pending_roll", None)
    if pending is not None:
        by = None if calendar is None else _after(calendar, newest)
        return SymbolState(newest, drift, contract, pending.to_contract, by, 1)
    following = next_contract(certified.inputs, contract)
    by = None if calendar is None else rolls_by(certified.inputs, contract, calendar)
    if by is None or calendar is None:
        return SymbolState(newest, drift, contract, following)
    try:
        left = sessions.count_between(calendar, newest + timedelta(days=1), by) if by > newest else 0
    except CtlError:  # a calendar that does not reach there: the date is unknown, which is no fault of the run
        return SymbolState(newest, drift, contract, following)
    return SymbolState(newest, drift, contract, following, by, left)


def most_drift(result: SymbolResult, profile: OperatingProfile) -> float | None:
    """The mean drift from which the gate refuses: of an ACCEPT the limit of acceptance, of a WATCH the ratchet's.

    None where there is no one number: nothing is locked, or the policy measures in more than one unit.
    """
    if result.expected == "ACCEPT":
        return LIMITS_V1.max_mean_drift if profile.acceptance_policy == "v1" else None
    locked = None if result.locked is None else result.locked.metrics.aligned_drift
    return None if locked is None else (1.0 + profile.ratchet) * locked


def _after(calendar: str, day: date) -> date | None:
    try:
        return sessions.next_session(calendar, day)
    except CtlError:  # as above
        return None
