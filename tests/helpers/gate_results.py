"""Gate results with figures given by hand: the board of screens.md, and what is changed of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from locked_symbols import locked_symbol

from ctl.model.findings import Decision, Reason
from ctl.model.locked import DataTo
from ctl.model.run import GateResult, LockResult, ProfileReference, SymbolResult

FRIDAY = date(2026, 2, 27)
DRIFT = Reason("MEAN_DRIFT", "WATCH", "mean drift 7.30 > 5.00 (index points)", 7.3, 5.0, "index points")


def result(
    symbol: str, expected: Decision, actual: Decision | None = None, *reasons: Reason, passed: bool = True, **more: Any
) -> SymbolResult:
    """A symbol whose figures are those of the ES of `locked_symbols`; as expected, or refused."""
    locked = locked_symbol()
    given = {"metrics": locked.metrics, "locked": locked, "data_to": DataTo(FRIDAY, FRIDAY), **more}
    return SymbolResult(symbol, expected, actual or expected, passed, "", reasons, **given)


def gate_result(*results: SymbolResult, **changes: Any) -> GateResult:
    """The gate of 2026-03-01, which passed unless a symbol did not."""
    held = [LockResult(name, "a", "a", True, True) for name in ("profile", "thresholds", "strategy", "workspace")]  # type: ignore[arg-type]
    made = GateResult(
        timestamp=datetime(2026, 3, 1, 22, tzinfo=UTC),
        as_of=None,
        passed=all(item.passed for item in results),
        recommendation="CONDITIONAL GO",
        expected_recommendation="CONDITIONAL GO",
        profile=ProfileReference("configs/cutover/operating_profile_v1.yaml", 1, "d"),
        symbol_results=results,
        locks=tuple(held),
        problems=(),
        notes=(),
        restatements=(),
        lock_sha256=None,
        workspace_sha256=None,
        log_head=None,
        decision_entry="H.7",
    )
    return replace(made, **changes)
