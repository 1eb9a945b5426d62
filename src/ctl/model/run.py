"""What the gate, a portfolio run and the weekly cycle say; every class here is published as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

from ctl.model.bars import AS_DELIVERED, SeriesChoice
from ctl.model.findings import Decision, Reason, Recommendation
from ctl.model.locked import DataTo, LockedSymbol, WatchedMetrics
from ctl.model.notify import NotifyMode
from ctl.model.orders import GovernedCurve, OrderSheet, RiskState
from ctl.model.paper import LedgerHead
from ctl.model.statistics import TradeStatistics
from ctl.model.trades import Timeframe

RunStatus = Literal["DRY_RUN", "EXECUTED", "SKIPPED", "ERROR"]
Role = Literal["gating", "non-gating"]
Level = Literal["info", "warn", "alert"]
RESTATED_HISTORY: Final = "RESTATED_HISTORY"
SUMMARY_ENDING: Final = "_portfolio_run.json"
OPS_ENDING: Final = "_ops.json"
LockName = Literal["profile", "thresholds", "strategy", "workspace"]

# ---------------------------------------------------------------- gate


@dataclass(frozen=True, slots=True)
class ProfileReference:
    """Which profile was used. `digest` is the sha256 of its file."""

    path: str
    version: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class SymbolResult:
    """One gating symbol: what the profile expects and what today's data derive.

    detail: one line for the status board; reasons: everything that explains `actual`, and on a mismatch why. metrics,
    locked: what it is held against the lock by, now and as locked; null where it could not be certified, or no lock
    holds it. data_to: the last sessions of its data, null where it could not be certified.
    """

    symbol: str
    expected: Decision
    actual: Decision
    passed: bool
    detail: str
    reasons: tuple[Reason, ...]
    metrics: WatchedMetrics | None = None
    locked: LockedSymbol | None = None
    data_to: DataTo | None = None
    certificate_sha256: str | None = None

    @property
    def telling_first(self) -> tuple[Reason, ...]:
        """Its reasons, those of its status first."""
        severity = {"REJECT": "REJECT", "ERROR": "ERROR"}.get(self.actual)
        own = [item for item in self.reasons if item.severity == severity and item.code != "WORSE_THAN_LOCKED"]
        own = own or [item for item in self.reasons if item.severity == "ERROR"]
        return (*own, *(item for item in self.reasons if item not in own))


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One key whose value differs between two documents; None where one of them has no such key."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class LockResult:
    """One part of the lock file against what it is now, as digests and value by value.

    enforced: its difference refuses; else it is reported. code: PROFILE_EDITED, THRESHOLDS_CHANGED, STRATEGY_CHANGED or
    WORKSPACE_CHANGED where not held.
    """

    name: LockName
    locked: str
    current: str
    held: bool
    enforced: bool
    code: str | None = None
    changes: tuple[ValueChange, ...] = ()


@dataclass(frozen=True, slots=True)
class RestatedValue:
    """One value of locked history that reads otherwise now.

    column `bar` stands for a whole bar that came (old None) or went (new None), with its close.
    """

    contract: str
    session: date
    column: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """The restated history of one symbol at one vendor. `changes` are the first of `total`, by session and contract.

    series: `contracts`, `daily`, `adjusted` or `unadjusted`. text: one line: how much, where, and the first change.
    refusal: why it cannot be gone on with until a new version is locked; empty where it is a report.
    """

    symbol: str
    vendor: str = ""
    series: str = ""
    code: Literal["RESTATED_HISTORY"] = "RESTATED_HISTORY"
    text: str
    refusal: str = ""
    total: int = 0
    sessions: int = 0
    contracts: tuple[str, ...] = ()
    changes: tuple[RestatedValue, ...] = ()
    truncated: bool = False

    @property
    def said(self) -> str:
        """The text without its code."""
        return self.text.removeprefix(f"{self.code}: ")

    @property
    def command(self) -> str:
        """The command that shows its readings."""
        day = f" {self.changes[0].session}" if self.changes else ""
        return f"ctl revisions {self.symbol}{day}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """`ctl gate --json`: what the gate says of a profile. It grants nothing: only a `GateDecision` does.

    as_of: sessions after it were left out. problems: what refuses beside symbols and locks. notes: what is reported and
    refuses nothing. log_head: digest of the decision log's newest entry. decision_entry: the id of the one that locks
    the profile. signed_by: which of the profile's signers signed it.
    """

    kind: Literal["gate"] = "gate"
    schema_version: Literal[1] = 1
    timestamp: datetime
    as_of: date | None
    passed: bool
    recommendation: Recommendation
    expected_recommendation: Recommendation
    profile: ProfileReference
    symbol_results: tuple[SymbolResult, ...]
    locks: tuple[LockResult, ...]
    problems: tuple[Reason, ...]
    notes: tuple[Reason, ...]
    restatements: tuple[Restatement, ...]
    lock_sha256: str | None
    workspace_sha256: str | None
    log_head: str | None
    decision_entry: str | None
    signed_by: tuple[str, ...] = ()


# ---------------------------------------------------------------- run


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """What the plan does with one symbol. tick and slippage_per_side in quote units. series: what it is traded on."""

    symbol: str
    role: Role
    action: Literal["RUN", "SKIP"]
    reason: str
    asset_class: str
    tick: float
    slippage_per_side: float
    slippage_source: Literal["profile", "one tick of the workspace"]
    certificate_sha256: str | None
    series: SeriesChoice = AS_DELIVERED


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run is going to do, symbol by symbol: gating first, each in the profile's order.

    A dry run prints the same object that a real run executes.
    """

    cycle_id: str
    timeframe: Timeframe
    dry_run: bool
    include_non_gating: bool
    profile: ProfileReference
    entries: tuple[PlanEntry, ...]


@dataclass(frozen=True, slots=True)
class SymbolRun:
    """The result of one symbol in a run. `reason` says why a symbol was skipped or failed; else empty.

    metrics: names of b1.md, with statistics None where nothing was executed. extra: what else the strategy says.
    """

    symbol: str
    role: Role
    status: RunStatus
    reason: str = ""
    code: str | None = None
    metrics: Mapping[str, Any] | None = None
    statistics: TradeStatistics | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Digests:
    """What a run rests on; what is not known yet is null. passed_bars: sha256 of the newest kept pass, by file name."""

    profile: str | None = None
    lock: str | None = None
    workspace: str | None = None
    certificates: Mapping[str, str | None] = field(default_factory=dict)
    strategy: str | None = None
    thresholds: str | None = None
    log_head: str | None = None
    passed_bars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TradesFile:
    """The trades beside a run summary."""

    file: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """`run_summaries/<stamp>_portfolio_run.json`: a finished run.

    states: how the data of each gating symbol stand. portfolio, statistics, orders, risk: None where nothing was
    executed; the first two are of the curve `strategy`, every trade at 1 R. governed, governed_statistics: of the
    curve `governed`, as sized and capped; with risk None without a budget. paper: the paper ledger as it stood when
    the run ended. trades: None until they are written.
    """

    kind: Literal["run_summary"] = "run_summary"
    schema_version: Literal[1] = 1
    timestamp: datetime
    as_of: date | None
    cycle_id: str
    gate_passed: bool
    portfolio_recommendation: Recommendation
    dry_run: bool
    simulated: bool
    has_errors: bool
    plan: RunPlan
    gate_result: GateResult
    states: Mapping[str, SymbolState]
    symbol_run_results: tuple[SymbolRun, ...]
    portfolio: Mapping[str, Any] | None
    statistics: TradeStatistics | None
    orders: OrderSheet | None
    risk: RiskState | None
    governed: GovernedCurve | None
    governed_statistics: TradeStatistics | None
    paper: LedgerHead | None
    trades: TradesFile | None
    digests: Digests
    package_version: str


# ---------------------------------------------------------------- weekly cycle


ROLLS_WITHIN: Final = 5
"""Sessions within which a roll is due."""


@dataclass(frozen=True, slots=True)
class SymbolState:
    """How the data of a symbol stand. data_to: its last session. mean_drift: in quote units.

    contract: the one held at the end of the data; roll_to: the next; roll_by: the session from which that is in force
    at the latest, sessions_to_roll away from the end of the data. None where it is not known, or nothing rolls.
    """

    data_to: date | None = None
    mean_drift: float | None = None
    contract: str | None = None
    roll_to: str | None = None
    roll_by: date | None = None
    sessions_to_roll: int | None = None


@dataclass(frozen=True, slots=True)
class OpsGateSymbol:
    """The gate's word on one symbol in an ops log, and how its data stand, as in `SymbolState`.

    reference_to: the last session of the reference. metrics, locked: now and as locked; null as in `SymbolResult`.
    most_drift: the mean drift from which the gate refuses.
    """

    expected: Decision
    actual: Decision
    passed: bool
    data_to: date | None = None
    mean_drift: float | None = None
    contract: str | None = None
    roll_to: str | None = None
    roll_by: date | None = None
    sessions_to_roll: int | None = None
    reference_to: date | None = None
    metrics: WatchedMetrics | None = None
    locked: WatchedMetrics | None = None
    most_drift: float | None = None


@dataclass(frozen=True, slots=True)
class OpsRunSymbol:
    """The run's word on one symbol in an ops log."""

    status: RunStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Notification:
    """How the notification of a weekly cycle went. `target` never shows more than the host and a short digest."""

    mode: NotifyMode
    level: Level
    text: str
    delivered: bool
    attempts: int
    target: str | None
    error: str | None
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Ping:
    """One signal to the dead-man's switch, sent at `at`. error: why it was not taken; None where it was."""

    signal: Literal["start", "success", "failure"]
    at: datetime
    target: str
    error: str | None


@dataclass(frozen=True, slots=True)
class RetentionItem:
    """One file that retention removed, or in a dry run would remove."""

    file: str
    reason: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Retention:
    """What retention did. `kept` counts files that a limit named but a rule protects."""

    dry_run: bool
    retention_days: int | None
    max_files: int | None
    max_mb: float | None
    removed: tuple[RetentionItem, ...]
    kept: tuple[RetentionItem, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpsError:
    """Why a weekly cycle did not end well."""

    code: str
    text: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsLog:
    """`ops_logs/<stamp>_ops.json`, as far as the cycle has come. Durations are seconds per stage.

    What is not given says that the cycle was killed before it came to that: such a log never reads as a success.
    signed_by: as in `GateResult`. late: what was tried again of the messages of earlier runs. pings: to the dead-man's
    switch, the last of them after everything else was on record.
    """

    kind: Literal["ops_log"] = "ops_log"
    schema_version: Literal[1] = 1
    timestamp: datetime
    as_of: date | None = None
    profile: ProfileReference | None = None
    cycle_id: str
    gate_passed: bool = False
    aborted: bool = True
    dry_run: bool
    simulated: bool
    exit_code: int = 1
    has_errors: bool = True
    portfolio_recommendation: Recommendation | None = None
    gate: Mapping[str, OpsGateSymbol] = field(default_factory=dict)
    run: Mapping[str, OpsRunSymbol] = field(default_factory=dict)
    locks: tuple[LockResult, ...] = ()
    restatements: tuple[Restatement, ...] = ()
    notes: tuple[Reason, ...] = ()
    signed_by: tuple[str, ...] = ()
    notification: Notification | None = None
    late: tuple[Notification, ...] = ()
    pings: tuple[Ping, ...] = ()
    retention: Retention | None = None
    summary_path: str | None = None
    summary_sha256: str | None = None
    durations: Mapping[str, float] = field(default_factory=dict)
    digests: Digests = Digests()
    error: OpsError | None = OpsError(
        "RUN_INTERRUPTED", "the process ended before the cycle had finished; run it again"
    )
    package_version: str


def is_cut_short(log: Mapping[str, Any]) -> bool:
    """Whether the cycle of an ops log was killed, or stopped before its run was on record: its slot was not served."""
    error = log["error"]
    return bool(log["aborted"]) and error is not None and error["code"] in ("RUN_INTERRUPTED", "RUN_STOPPED")
