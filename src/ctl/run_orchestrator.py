"""The one way to run a portfolio: gate -> plan -> execute -> summarise -> settle -> persist.

The plan is built without side effects and is the same object that a dry run prints and a real run
executes. Executing needs the GatePass of a passed gate. One symbol's failure leaves the others running.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import __version__, clock, digests, ops_notifier, stopping, store
from ctl.errors import CtlError, DataError, GateRefused, UsageError, WorkspaceError
from ctl.flows import kept_bars, next_open, paper, portfolio
from ctl.flows.pipeline import Made
from ctl.flows.portfolio import SymbolOutcome
from ctl.flows.run_statistics import of_governed, of_portfolio
from ctl.flows.trials import Trials
from ctl.flows.watching import Watched
from ctl.flows.workers import HERE, Workers, opened
from ctl.gatekeeper import GateDecision, GatePass, require_pass
from ctl.model.bars import AS_DELIVERED
from ctl.model.documents import document
from ctl.model.paper import LedgerHead
from ctl.model.run import (
    SUMMARY_ENDING,
    Digests,
    PlanEntry,
    Role,
    RunPlan,
    RunSummary,
    SymbolRun,
    SymbolState,
    TradesFile,
)
from ctl.model.trades import Timeframe
from ctl.operating_profile import OperatingProfile
from ctl.strategy import registry

if TYPE_CHECKING:
    import polars as pl

TRADES_ENDING = "_trades.parquet"
MOST_VARIED = 50
"""Symbols up to which a run also computes the R under other rolls; it takes as long as building them eight times."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is asked of a run. dry_run: plan and check; run nothing, record nothing. record: settle the paper ledger and
    write the summary. as_of: sessions after it are left out (inclusive). profile: another than the workspace's.
    secrets: what no reason may show. jobs, cluster: where symbols are certified and run, as for `flows.workers`.
    """

    dry_run: bool = False
    include_non_gating: bool = False
    timeframe: Timeframe = "daily"
    as_of: date | None = None
    profile: Path | None = None
    record: bool = True
    secrets: tuple[str, ...] = field(default=(), repr=False)
    jobs: int | None = None
    cluster: str | None = None

    @property
    def rehearsal(self) -> str:
        """In words what makes this run one that nothing may be traded on; empty where nothing does."""
        said = [] if self.as_of is None else [f"as of {self.as_of}"]
        said += [] if self.profile is None else [f"on the profile {self.profile}"]
        return ", ".join(said)

    def require_real(self) -> None:
        """Refuse a run for the record that is not of the profile in force at the instant itself.

        Raises UsageError.
        """
        if self.record and not self.dry_run and self.rehearsal:
            raise UsageError(
                "a real run uses the profile in force, at the instant itself", found=self.rehearsal,
                remedy="add --dry-run, or leave --profile and --as-of out (ctl gate, orders and replay take them)",
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A run as far as it has come: gate, plan, one result after the other, summary, and last where it was written.

    certified: the gating symbols as the gate saw them. watched: what has happened to them since the lock. outcomes:
    what stands behind the results. not_kept: why the bars of the passed gate could not be kept; empty where they were.
    """

    decision: GateDecision
    certified: Mapping[str, Made] = field(default_factory=dict, repr=False)
    watched: Mapping[str, Watched] = field(default_factory=dict, repr=False)
    plan: RunPlan | None = None
    results: tuple[SymbolRun, ...] = ()
    outcomes: tuple[SymbolOutcome, ...] = field(default=(), repr=False)
    summary: RunSummary | None = None
    summary_path: Path | None = None
    not_kept: str = ""

    def finished(self) -> RunSummary:
        """The summary. Raises ValueError for a run that has not come to it."""
        if self.summary is None:
            raise ValueError("the run has no summary yet")
        return self.summary

    @property
    def coming(self) -> str:
        """The symbol that is under way; empty before the first and after the last."""
        entries = () if self.plan is None else self.plan.entries
        return entries[len(self.results)].symbol if len(self.results) < len(entries) else ""


def run(
    workspace: store.Workspace, profile: OperatingProfile, options: RunOptions, *, instant: datetime
) -> Iterator[Run]:
    """Run a profile's portfolio. The first value is the gate's decision, the last the whole run.

    Nothing is planned before the second value is asked for; then a gate that did not pass raises GateRefused.
    """
    options.require_real()
    with opened(options.jobs, options.cluster, workspace.root) as workers:
        gated = portfolio.gate(workspace, profile, instant=instant, as_of=options.as_of, workers=workers)
        run = Run(gated.decision, gated.certified, gated.watched)
        yield run
        gate_pass = gated.decision.grant()
        not_kept = keep_pass(workspace, gated, rehearsal=options.rehearsal, instant=instant)
        if not_kept is not None and options.record and not options.dry_run:
            raise not_kept
        run = replace(run, not_kept="" if not_kept is None else str(not_kept))
        plan = build_plan(profile, gated.decision, workspace.symbols, options)
        ledger = paper.ledger_head(workspace)
        run = replace(run, plan=plan)
        yield run
        for outcome in execute(
            plan, gate_pass, workspace, gated.certified, profile, options, instant=instant, workers=workers
        ):
            run = replace(run, results=(*run.results, outcome.run), outcomes=(*run.outcomes, outcome))
            yield run
        outcomes = run.outcomes
        governed = _govern(workspace, profile.strategy, outcomes, ledger, instant=instant, rehearsal=options.rehearsal)
        states = {symbol: found.state for symbol, found in gated.watched.items()}
        summary = summarise(workspace, plan, gated.decision, states, outcomes, governed, ledger, instant=instant)
        run = replace(run, summary=summary)
        yield run
        if options.record and not options.dry_run:
            if options.timeframe == "daily" and governed is not None:
                next_open.settle_paper(workspace, _following(outcomes), governed.verdicts, instant=instant)
                summary = replace(summary, paper=paper.ledger_head(workspace))
            yield replace(run, summary=summary, summary_path=persist(summary, all_trades(outcomes), workspace))


def keep_pass(
    workspace: store.Workspace, gated: portfolio.Gated, *, rehearsal: str = "", instant: datetime
) -> WorkspaceError | None:
    """Keep the bars since the lock that a passed gate read: the next gate holds its own against them.

    Of a gate that refused, and of a rehearsal, which read other bars or another lock, nothing is kept. Returns why they
    could not be written, where they could not: a gate holds in a workspace that nobody may write to.
    """
    if not gated.decision.passed or rehearsal:
        return None
    bars = [found.after for found in gated.watched.values() if found.after is not None]
    try:
        kept_bars.keep_pass(workspace, bars, instant)
    except WorkspaceError as error:
        return error
    return None


# ---------------------------------------------------------------- plan


def build_plan(
    profile: OperatingProfile,
    decision: GateDecision,
    symbols: Mapping[str, store.SymbolConfig],
    options: RunOptions,
) -> RunPlan:
    """The plan of a run; touches nothing. symbols: the workspace's, for what the profile does not set.

    Slippage per side comes from the profile. A non-gating symbol without settings there is planned with
    one tick of the workspace, and says so. Raises GateRefused for a decision on another profile.
    """
    if decision.profile.digest != profile.sha256:
        raise GateRefused(
            "the gate decided on another profile",
            found=decision.profile.digest[:12],
            expected=profile.sha256[:12],
            code="PASS_OF_ANOTHER_PROFILE",
        )
    certificates = {result.symbol: result.certificate_sha256 for result in decision.symbol_results}
    wanted = options.include_non_gating
    entries = [_entry(profile, symbol, "gating", symbols, True, certificates) for symbol in profile.gating_universe]
    entries += [
        _entry(profile, symbol, "non-gating", symbols, wanted, certificates) for symbol in profile.non_gating_symbols
    ]
    return RunPlan(
        cycle_id=profile.cycle_id,
        timeframe=options.timeframe,
        dry_run=options.dry_run,
        include_non_gating=options.include_non_gating,
        profile=decision.profile,
        entries=tuple(entries),
    )


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
        series=settings.series if settings is not None else AS_DELIVERED,
    )


# ---------------------------------------------------------------- execute


def execute(
    plan: RunPlan,
    gate_pass: GatePass,
    workspace: store.Workspace,
    certified: Mapping[str, Made],
    profile: OperatingProfile,
    options: RunOptions,
    *,
    instant: datetime,
    workers: Workers = HERE,
) -> Iterator[SymbolOutcome]:
    """Run the plan's symbols one by one, in its order; of a dry run none is run.

    Raises TypeError without the pass of a passed gate, GateRefused where the pass is for another profile.
    Whatever one symbol raises becomes its ERROR, and the others still run.
    """
    require_pass(gate_pass, profile_sha256=plan.profile.digest)
    running = [entry for entry in plan.entries if entry.action == "RUN"]
    task = partial(
        _executed,
        workspace,
        profile,
        options,
        instant=instant,
        timeframe=plan.timeframe,
        trials=Trials.read(workspace),
        vary_rolls=len(running) <= MOST_VARIED,
        settled=paper.last_sessions(workspace)
        if options.record and not plan.dry_run and plan.timeframe == "daily"
        else None,
    )
    asked = [] if plan.dry_run else [(entry, certified.get(entry.symbol)) for entry in running]
    made = workers.each(task, asked)
    for entry in plan.entries:
        if entry.action == "SKIP":
            yield SymbolOutcome(SymbolRun(entry.symbol, entry.role, "SKIPPED", entry.reason))
        elif plan.dry_run:
            yield SymbolOutcome(SymbolRun(entry.symbol, entry.role, "DRY_RUN"))
        else:
            yield next(made)


def _executed(
    workspace: store.Workspace,
    profile: OperatingProfile,
    options: RunOptions,
    asked: tuple[PlanEntry, Made | None],
    *,
    instant: datetime,
    timeframe: Timeframe,
    trials: Trials,
    vary_rolls: bool,
    settled: Mapping[str, date] | None,
) -> SymbolOutcome:
    """One symbol run; whatever it raises is its ERROR."""
    entry, certified = asked
    try:
        outcome = portfolio.run_symbol(
            workspace,
            entry,
            certified,
            profile,
            instant=instant,
            timeframe=timeframe,
            as_of=options.as_of,
            trials=trials,
            vary_rolls=vary_rolls,
            settled=settled,
        )
        _require_writable(outcome)
    except CtlError as error:
        stopping.check()
        return _failed(entry, str(error), error.code, options.secrets)
    except Exception as error:  # noqa: BLE001 - whatever one symbol does, the others still run
        stopping.check()
        text = f"unexpected {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        return _failed(entry, text, "UNEXPECTED", options.secrets)
    return outcome


def _failed(entry: PlanEntry, text: str, code: str, secrets: Sequence[str]) -> SymbolOutcome:
    reason = ops_notifier.redact(" ".join(text.split()), secrets)
    return SymbolOutcome(SymbolRun(entry.symbol, entry.role, "ERROR", reason, code))


def _require_writable(outcome: SymbolOutcome) -> None:
    """Refuse what the summary could not carry, while it is still one symbol's fault."""
    try:
        json.dumps([outcome.run.metrics, outcome.run.extra], allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError("the results cannot be written as JSON", found=str(error), code="RESULT_UNREADABLE") from error
    if outcome.trades is not None and "exit_session" not in outcome.trades.columns:
        raise DataError("the trades have no exit_session column", code="RESULT_UNREADABLE")


# ---------------------------------------------------------------- summarise


def _govern(
    workspace: store.Workspace,
    strategy: str,
    outcomes: Sequence[SymbolOutcome],
    ledger: LedgerHead | None,
    *,
    instant: datetime,
    rehearsal: str,
) -> next_open.Governed | None:
    """The orders of the gating symbols alone: what is research takes no part of the budget. None where nothing was
    executed, and for another strategy than the shipped one: its levels are its own.

    rehearsal: why none of them may be placed; empty: they may.
    """
    results = [outcome.run for outcome in outcomes]
    if strategy != registry.DEFAULT or all(result.status != "EXECUTED" for result in results):
        return None
    missing = [result.symbol for result in results if result.role == "gating" and result.status == "ERROR"]
    first_live = None if ledger is None else ledger.first_session
    made = next_open.orders(workspace, _following(outcomes), first_live=first_live, missing=missing, instant=instant)
    return replace(made, orders=next_open.rehearsed(made.orders, rehearsal)) if rehearsal else made


def summarise(
    workspace: store.Workspace,
    plan: RunPlan,
    decision: GateDecision,
    states: Mapping[str, SymbolState],
    outcomes: Sequence[SymbolOutcome],
    governed: next_open.Governed | None,
    ledger: LedgerHead | None,
    *,
    instant: datetime,
) -> RunSummary:
    """Put a run's results together; where nothing was executed there are no metrics of a portfolio."""
    results = tuple(outcome.run for outcome in outcomes)
    measured = [outcome.measured for outcome in outcomes if outcome.measured is not None]
    executed = any(result.status == "EXECUTED" for result in results)
    metrics = portfolio.metrics(outcomes) if executed else None
    curve = None if governed is None else governed.curve
    return RunSummary(
        timestamp=instant,
        as_of=decision.as_of,
        cycle_id=plan.cycle_id,
        gate_passed=decision.passed,
        portfolio_recommendation=decision.recommendation,
        dry_run=plan.dry_run,
        simulated=workspace.simulated,
        has_errors=any(result.status == "ERROR" for result in results),
        plan=plan,
        gate_result=decision,
        states=states,
        symbol_run_results=results,
        portfolio=None if metrics is None else document(metrics),
        statistics=None if metrics is None or not measured else of_portfolio(measured, metrics, Trials.read(workspace)),
        orders=None if governed is None else governed.orders,
        risk=None if governed is None else governed.risk,
        governed=curve,
        governed_statistics=None if curve is None else of_governed(curve, measured),
        paper=ledger,
        trades=None,
        digests=replace(decision_digests(decision), passed_bars=kept_bars.newest_pass(workspace)),
        package_version=__version__,
    )


def decision_digests(decision: GateDecision) -> Digests:
    """The digests that a gate decision rests on."""
    current = {lock.name: lock.current for lock in decision.locks}
    return Digests(
        profile=decision.profile.digest,
        lock=decision.lock_sha256,
        workspace=decision.workspace_sha256,
        certificates={result.symbol: result.certificate_sha256 for result in decision.symbol_results},
        strategy=current.get("strategy"),
        thresholds=current.get("thresholds"),
        log_head=decision.log_head,
    )


def _following(outcomes: Sequence[SymbolOutcome]) -> list[next_open.NextOpen]:
    return [outcome.next_open for outcome in outcomes if outcome.next_open is not None]


def all_trades(outcomes: Sequence[SymbolOutcome]) -> pl.DataFrame | None:
    """The closed trades of the executed symbols, ordered by exit session, then symbol; None where none was executed."""
    import polars as pl

    if all(outcome.run.status != "EXECUTED" for outcome in outcomes):
        return None
    frames = [
        outcome.trades.select(pl.lit(outcome.run.symbol).alias("symbol"), pl.exclude("symbol"))
        for outcome in outcomes
        if outcome.trades is not None
    ]
    if not frames:
        return pl.DataFrame(schema={"symbol": pl.String})
    return pl.concat(frames, how="diagonal_relaxed").sort("exit_session", "symbol", maintain_order=True)


# ---------------------------------------------------------------- persist


def persist(summary: RunSummary, trades: pl.DataFrame | None, workspace: store.Workspace) -> Path:
    """Write a real run's trades and then its summary, which cites them; returns the summary's path.

    Two runs of one second get different names. Raises DataError for a dry run, which leaves nothing.
    """
    if summary.dry_run:
        raise DataError("a dry run is not persisted")
    folder = workspace.run_summaries
    while True:
        stem = store.unique_stem(clock.stamp(summary.timestamp), [(folder, SUMMARY_ENDING), (folder, TRADES_ENDING)])
        path = folder / f"{stem}{SUMMARY_ENDING}"
        try:
            written = None if trades is None else _write_trades(trades, folder / f"{stem}{TRADES_ENDING}")
            store.write_new(path, store.json_bytes(document(replace(summary, trades=written))))
        except FileExistsError:
            continue  # another process took the name since it was free
        return path


def _write_trades(trades: pl.DataFrame, path: Path) -> TradesFile:
    buffer = io.BytesIO()
    trades.write_parquet(buffer, compression="zstd")
    store.write_new(path, buffer.getvalue())
    return TradesFile(path.name, digests.sha256_bytes(buffer.getvalue()), trades.height)
