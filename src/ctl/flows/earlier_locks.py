"""What the locks before said: whether a flaw grows from version to version, and how often a refusal was locked away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from ctl import digests
from ctl.errors import WorkspaceError
from ctl.model.lock import EarlierLock, EarlierLocks
from ctl.operating_profile import version_of
from ctl.store import decision_log

if TYPE_CHECKING:
    from ctl.gatekeeper import GateDecision
    from ctl.store import Workspace
    from ctl.store.decision_log import DecisionEntry

AFTER_REFUSAL: Final = "the gate refused before this lock: "
"""How an input of a lock's entry begins that says so."""
DAYS: Final = 90


def earlier_locks(
    workspace: Workspace, entries: Sequence[DecisionEntry], decision: GateDecision, today: date
) -> EarlierLocks:
    """Every lock of the log, oldest first, with the mean drift of each symbol in it, and the refusals behind them.

    decision: of the gate on the profile in force. A lock file that is gone, or not as its entry cites it, says nothing.
    """
    locks = [entry for entry in entries if entry.lock is not None and entry.profiles]
    recent = [entry for entry in locks[1:] if entry.date is not None and entry.date > today - timedelta(days=DAYS)]
    return EarlierLocks(
        versions=tuple(
            EarlierLock(version_of(entry.profiles[-1].path), entry.id, entry.date, _drifts(workspace, entry))
            for entry in locks
        ),
        days=DAYS,
        recent=len(recent),
        after_refusal=sum(any(text.startswith(AFTER_REFUSAL) for text in entry.inputs) for entry in recent),
        refused=_codes(decision) if locks else (),
    )


def _drifts(workspace: Workspace, entry: DecisionEntry) -> dict[str, float | None]:
    """Mean drift by symbol, of the plain document: a lock of another version of this package counts as well."""
    if entry.lock is None:
        return {}
    try:
        data = decision_log.bytes_if_any(workspace.root / entry.lock.path)
    except WorkspaceError:
        return {}
    if data is None or digests.sha256_bytes(data) != entry.lock.digest:
        return {}
    symbols: dict[str, Any] = json.loads(data)["symbols"]
    return {symbol: held["metrics"]["mean_drift"] for symbol, held in symbols.items()}


def _codes(decision: GateDecision) -> tuple[str, ...]:
    """The codes for which the gate refuses, each once; none where it passes."""
    if decision.passed:
        return ()
    found = [problem.code for problem in decision.problems]
    found += [lock.code for lock in decision.locks if lock.enforced and lock.code is not None]
    for result in decision.symbol_results:
        if not result.passed:
            found += [reason.code for reason in result.reasons if reason.severity in ("ERROR", "REJECT")]
    return tuple(dict.fromkeys(found)) or ("STATUS_MISMATCH",)
