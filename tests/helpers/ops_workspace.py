"""A small workspace with a locked profile and made-up certificates, for the tests of runs and operations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from certificate_of import certificate_of
from locked_symbols import locked_symbol, since_lock

from ctl import gatekeeper, store
from ctl import operating_profile as op
from ctl.flows import lock_parts, portfolio
from ctl.flows.portfolio import SymbolOutcome
from ctl.model.certificate import Certificate
from ctl.model.findings import Decision, Reason
from ctl.model.lock_file import LockedStrategy, LockedText, LockFile
from ctl.model.locked import LockedSymbol
from ctl.model.run import PlanEntry, SymbolRun
from ctl.store import anchors

TEMPLATE = Path(__file__).resolve().parents[2] / "configs/cutover/operating_profile_v1.yaml"
INSTANT = datetime(2026, 3, 2, 5, 0, 7, tzinfo=UTC)
CURRENT = gatekeeper.CurrentParts({"v1": {"mean_drift": 5.0}}, LockedStrategy("b1", "2" * 64), {})
TOML = """\
schema_version = 1
cycle_id = "cutover_v1"
profile = "configs/cutover/operating_profile_v1.yaml"
simulated = true
[vendors.databento]
format = "databento"
path = "data/raw/databento"
[symbols.PA]
calendar = "CMES"
tick = 0.5
point_value = 100
currency = "USD"
quote_unit = "USD per troy ounce"
canonical = "databento"
"""
BOARD: dict[str, Decision] = {"ES": "WATCH", "CL": "ACCEPT", "PL": "WATCH"}
DRIFT = Reason("MEAN_DRIFT", "WATCH", "mean drift 7.33 > 5.00 (index points)", 7.33, 5.0, "index points")


MadeUp = Callable[..., None]


def make_workspace(folder: Path) -> store.Workspace:
    """Write ctl.toml and a locked profile into `folder`."""
    data = TEMPLATE.read_bytes()
    (folder / "ctl.toml").write_text(TOML)
    workspace = store.Workspace.load(folder)
    store.write_atomic(workspace.profile_path, data)
    lock = lock_of(op.load(data, workspace.relative(workspace.profile_path)))
    store.write_atomic(anchors.lock_path(workspace.profile_path), lock_parts.lock_bytes(lock))
    return workspace


def lock_of(profile: op.OperatingProfile, *, previous_head: str | None = None) -> LockFile:
    """A lock file of what `make_up` lets the gate derive."""
    return LockFile(
        previous_head=previous_head,
        profile=LockedText(profile.name, profile.sha256, profile.text),
        thresholds=CURRENT.thresholds,
        strategy=CURRENT.strategy,
        workspace=CURRENT.workspace,
        symbols={symbol: locked_of(symbol, status) for symbol, status in BOARD.items()},
        inputs={},
    )


def locked_of(symbol: str, status: Decision) -> LockedSymbol:
    """What the lock holds of a made-up certificate."""
    return locked_symbol(status, [reason.code for reason in certificate(symbol, status).reasons])


def certificate(symbol: str, decision: Decision) -> Certificate:
    """A certificate that says no more than its decision."""
    reasons = () if decision == "ACCEPT" else (DRIFT,)
    return certificate_of(symbol, decision, *reasons)


def outcome(entry: PlanEntry) -> SymbolOutcome:
    """One winning trade."""
    return SymbolOutcome(
        SymbolRun(
            entry.symbol,
            entry.role,
            "EXECUTED",
            metrics={"trade_count": 1, "total_r": 1.25, "slippage": entry.slippage_per_side},
        ),
        trades=pl.DataFrame({"exit_session": [date(2025, 5, 5)], "r_theoretical": [1.25]}),
    )


def make_up(
    *, board: dict[str, Decision] | None = None, run_symbol: Callable[[PlanEntry], SymbolOutcome] = outcome
) -> None:
    """Let the gate derive `board` from nothing, and every symbol give `run_symbol`, until the process or test ends."""

    def gate(workspace: store.Workspace, profile: op.OperatingProfile, **__: Any) -> portfolio.Gated:
        read = anchors.read_lock(workspace, workspace.profile_path)
        certificates = {symbol: certificate(symbol, status) for symbol, status in (board or BOARD).items()}
        locked = {} if read.lock is None else dict(read.lock.symbols)
        decision = gatekeeper.decide(
            profile,
            gatekeeper.LockRead(read.lock),
            current=CURRENT,
            certificates=certificates,
            watched=since_lock(BOARD, certificates, locked),
            instant=INSTANT,
        )
        return portfolio.Gated(decision, {})

    def run(_: store.Workspace, entry: PlanEntry, *__: Any, **___: Any) -> SymbolOutcome:
        return run_symbol(entry)

    setattr(portfolio, "gate", gate)  # noqa: B010 - mypy sees no assignment to a function
    setattr(portfolio, "run_symbol", run)  # noqa: B010
