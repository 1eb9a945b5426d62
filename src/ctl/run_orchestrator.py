"""A portfolio run: gate -> plan -> execute -> summarise.

The plan is built without side effects and is the same object that a dry run prints and a real run
executes. Executing needs the GatePass of a passed gate. One symbol's failure leaves the others running.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import __version__, clock, digests, store
from ctl.errors import CtlError, DataError, GateRefused
from ctl.gatekeeper import GateDecision, GatePass, profile_reference, require_pass
from ctl.model.orders import OrderSheet
from ctl.model.run import (
    DigestsDocument,
    PlanEntry,
    Role,
    RunPlanDocument,
    RunSummaryDocument,
    SymbolOutcome,
    SymbolRun,
    TradesFileDocument,
    instant_text,
)
from ctl.model.trades import Timeframe
from ctl.operating_profile import OperatingProfile

if TYPE_CHECKING:
    import polars as pl

SUMMARY_ENDING = "_portfolio_run.json"
TRADES_ENDING = "_trades.parquet"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run is going to do, symbol by symbol: gating first, each in the profile's order."""

    cycle_id: str
    timeframe: Timeframe
    dry_run: bool
    include_non_gating: bool
    profile_path: str
    profile_version: int | None
    profile_sha256: str
    entries: tuple[PlanEntry, ...]

    def to_document(self) -> RunPlanDocument:
        """JSON-ready."""
        return {
            "cycle_id": self.cycle_id,
            "timeframe": self.timeframe,
            "dry_run": self.dry_run,
            "include_non_gating": self.include_non_gating,
            "profile": profile_reference(self.profile_path, self.profile_version, self.profile_sha256),
            "entries": [entry.to_document() for entry in self.entries],
        }


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A finished run. `trades` are of every executed symbol, ordered by exit session, then symbol; `orders` are for
    the next open, None where nothing ran.
    """

    plan: RunPlan
    decision: GateDecision
    results: tuple[SymbolRun, ...]
    portfolio: Mapping[str, Any] | None
    trades: pl.DataFrame | None
    simulated: bool
    instant: datetime
    orders: OrderSheet | None = None

    @property
    def has_errors(self) -> bool:
        """Whether any symbol ended in ERROR."""
        return any(result.status == "ERROR" for result in self.results)

    def to_document(self, trades: TradesFileDocument | None = None) -> RunSummaryDocument:
        """JSON-ready (docs/schemas/run_summary_v1.schema.json); `trades` names the file beside it, if any."""
        return {
            "schema_version": 1,
            "timestamp": instant_text(self.instant),
            "cycle_id": self.plan.cycle_id,
            "gate_passed": self.decision.passed,
            "portfolio_recommendation": self.decision.recommendation,
            "dry_run": self.plan.dry_run,
            "simulated": self.simulated,
            "has_errors": self.has_errors,
            "plan": self.plan.to_document(),
            "gate_result": self.decision.to_document(),
            "symbol_run_results": [result.to_document() for result in self.results],
            "portfolio": None if self.portfolio is None else dict(self.portfolio),
            "orders": None if self.orders is None else self.orders.to_document(),
            "risk": None if self.orders is None else self.orders.risk,
            "trades": trades,
            "digests": decision_digests(self.decision),
            "package_version": __version__,
        }


RunSymbol = Callable[[PlanEntry], SymbolOutcome]
PortfolioMetrics = Callable[[Sequence[SymbolRun]], Mapping[str, Any]]
NextOrders = Callable[[Sequence[SymbolRun]], OrderSheet | None]
Progress = Callable[[PlanEntry], None]


def run_portfolio(
    profile: OperatingProfile,
    decision: GateDecision,
    run_symbol: RunSymbol,
    *,
    symbols: Mapping[str, store.SymbolConfig],
    instant: datetime,
    timeframe: Timeframe = "daily",
    include_non_gating: bool = False,
    dry_run: bool = False,
    simulated: bool = False,
    portfolio_metrics: PortfolioMetrics | None = None,
    next_orders: NextOrders | None = None,
    progress: Progress | None = None,
) -> RunSummary:
    """Plan, execute and summarise a run behind a gate decision. Raises GateRefused where it did not pass."""
    plan = build_plan(
        profile,
        decision,
        symbols=symbols,
        timeframe=timeframe,
        include_non_gating=include_non_gating,
        dry_run=dry_run,
    )
    results = execute(plan, decision.grant(), run_symbol, progress=progress)
    return summarise(
        plan,
        decision,
        results,
        instant=instant,
        simulated=simulated,
        portfolio_metrics=portfolio_metrics,
        next_orders=next_orders,
    )


def build_plan(
    profile: OperatingProfile,
    decision: GateDecision,
    *,
    symbols: Mapping[str, store.SymbolConfig],
    timeframe: Timeframe = "daily",
    include_non_gating: bool = False,
    dry_run: bool = False,
) -> RunPlan:
    """The plan of a run; touches nothing. symbols: the workspace's, for what the profile does not set.

    Slippage per side comes from the profile. A non-gating symbol without settings there is planned with
    one tick of the workspace, and says so. Raises GateRefused for a decision on another profile.
    """
    if decision.profile_sha256 != profile.sha256:
        raise GateRefused(
            "the gate decided on another profile",
            found=decision.profile_sha256[:12],
            expected=profile.sha256[:12],
            code="PASS_OF_ANOTHER_PROFILE",
        )
    certificates = {result.symbol: result.certificate_sha256 for result in decision.symbol_results}
    entries = [_entry(profile, symbol, "gating", symbols, True, certificates) for symbol in profile.gating_universe]
    entries += [
        _entry(profile, symbol, "non-gating", symbols, include_non_gating, certificates)
        for symbol in profile.non_gating
    ]
    return RunPlan(
        cycle_id=profile.cycle_id,
        timeframe=timeframe,
        dry_run=dry_run,
        include_non_gating=include_non_gating,
        profile_path=decision.profile_path,
        profile_version=profile.version,
        profile_sha256=profile.sha256,
        entries=tuple(entries),
    )


def execute(
    plan: RunPlan, gate_pass: GatePass, run_symbol: RunSymbol, *, progress: Progress | None = None
) -> tuple[SymbolRun, ...]:
    """Run the plan's symbols one by one; a dry run calls nothing.

    Raises TypeError without the pass of a passed gate, GateRefused where the pass is for another profile.
    Whatever one symbol raises becomes its ERROR, and the others still run.
    """
    require_pass(gate_pass, profile_sha256=plan.profile_sha256)
    results: list[SymbolRun] = []
    for entry in plan.entries:
        if entry.action == "SKIP":
            results.append(SymbolRun(entry.symbol, entry.role, "SKIPPED", entry.reason))
        elif plan.dry_run:
            results.append(SymbolRun(entry.symbol, entry.role, "DRY_RUN"))
        else:
            if progress is not None:
                progress(entry)
            results.append(_run_one(entry, run_symbol))
    return tuple(results)


def summarise(
    plan: RunPlan,
    decision: GateDecision,
    results: Sequence[SymbolRun],
    *,
    instant: datetime,
    simulated: bool = False,
    portfolio_metrics: PortfolioMetrics | None = None,
    next_orders: NextOrders | None = None,
) -> RunSummary:
    """Put a run's results together. portfolio_metrics and next_orders are asked only where some symbol was executed."""
    executed = [result for result in results if result.status == "EXECUTED"]
    portfolio = portfolio_metrics(executed) if portfolio_metrics is not None and executed else None
    return RunSummary(
        plan=plan,
        decision=decision,
        results=tuple(results),
        portfolio=portfolio,
        trades=_all_trades(executed) if executed else None,
        simulated=simulated,
        instant=instant,
        orders=next_orders(results) if next_orders is not None and executed else None,
    )


def persist(summary: RunSummary, workspace: store.Workspace) -> Path:
    """Write a real run's trades and then its summary, which cites them; returns the summary's path.

    Two runs of one second get different names. Raises DataError for a dry run, which leaves nothing.
    """
    if summary.plan.dry_run:
        raise DataError("a dry run is not persisted")
    folder = workspace.run_summaries
    while True:
        stem = store.unique_stem(folder, clock.stamp(summary.instant), (SUMMARY_ENDING, TRADES_ENDING))
        path = folder / f"{stem}{SUMMARY_ENDING}"
        try:
            trades = _persist_trades(summary.trades, folder / f"{stem}{TRADES_ENDING}")
            store.write_new(path, store.json_bytes(summary.to_document(trades)))
        except FileExistsError:
            continue  # another process took the name since it was free
        return path


def decision_digests(decision: GateDecision) -> DigestsDocument:
    """The digests that a gate decision rests on."""
    current = {lock.name: lock.current for lock in decision.locks}
    return {
        "profile": decision.profile_sha256,
        "certificates": {result.symbol: result.certificate_sha256 for result in decision.symbol_results},
        "strategy": current.get("strategy"),
        "thresholds": current.get("thresholds"),
        "settings": current.get("settings"),
    }


def trades_bytes(trades: pl.DataFrame) -> bytes:
    """The Parquet file of a run's trades."""
    buffer = io.BytesIO()
    trades.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _entry(
    profile: OperatingProfile,
    symbol: str,
    role: Role,
    symbols: Mapping[str, store.SymbolConfig],
    wanted: bool,
    certificates: Mapping[str, str | None],
) -> PlanEntry:
    settings, config = profile.symbol_settings.get(symbol), symbols.get(symbol)
    reason = "" if wanted else "non-gating"
    if settings is not None:
        tick, slippage, asset_class = settings.tick_size, settings.slippage_per_side, str(settings.asset_class)
    elif config is not None:
        tick, slippage, asset_class = config.tick, config.tick, str(config.asset_class)
    else:
        tick, slippage, asset_class = 0.0, 0.0, "future"
        reason = reason or "neither the profile nor ctl.toml has settings of it"
    return PlanEntry(
        symbol=symbol,
        role=role,
        action="SKIP" if reason else "RUN",
        reason=reason,
        asset_class=asset_class,
        tick=tick,
        slippage_per_side=slippage,
        slippage_source="profile" if settings is not None else "one tick of the workspace",
        certificate_sha256=certificates.get(symbol),
    )


def _run_one(entry: PlanEntry, run_symbol: RunSymbol) -> SymbolRun:
    try:
        outcome = run_symbol(entry)
        _check(outcome)
    except CtlError as error:
        return SymbolRun(entry.symbol, entry.role, "ERROR", str(error), error.code)
    except Exception as error:  # noqa: BLE001 - whatever one symbol does, the others still run
        text = f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        return SymbolRun(entry.symbol, entry.role, "ERROR", text, "UNEXPECTED")
    return SymbolRun(entry.symbol, entry.role, "EXECUTED", outcome=outcome)


def _check(outcome: SymbolOutcome) -> None:
    """Refuse what the summary could not carry, while it is still one symbol's fault."""
    try:
        json.dumps([dict(outcome.metrics), dict(outcome.extra)], allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError("the results cannot be written as JSON", found=str(error), code="RESULT_UNREADABLE") from error
    if outcome.trades is not None and "exit_session" not in outcome.trades.columns:
        raise DataError("the trades have no exit_session column", code="RESULT_UNREADABLE")


def _all_trades(executed: Sequence[SymbolRun]) -> pl.DataFrame:
    import polars as pl

    frames = [
        result.outcome.trades.select(pl.lit(result.symbol).alias("symbol"), pl.exclude("symbol"))
        for result in executed
        if result.outcome is not None and result.outcome.trades is not None
    ]
    if not frames:
        return pl.DataFrame(schema={"symbol": pl.String})
    return pl.concat(frames, how="diagonal_relaxed").sort("exit_session", "symbol", maintain_order=True)


def _persist_trades(trades: pl.DataFrame | None, path: Path) -> TradesFileDocument | None:
    if trades is None:
        return None
    data = trades_bytes(trades)
    store.write_new(path, data)
    return {"file": path.name, "sha256": digests.sha256_bytes(data), "rows": trades.height}
