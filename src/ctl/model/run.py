"""What the gate, a portfolio run and the weekly cycle say: results of symbols, and the published documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from ctl.model.findings import Decision, Reason, Recommendation
from ctl.model.orders import OrderSheetDocument, RiskStateDocument
from ctl.model.trades import Timeframe

if TYPE_CHECKING:
    import polars as pl

RunStatus = Literal["DRY_RUN", "EXECUTED", "SKIPPED", "ERROR"]
Role = Literal["gating", "non-gating"]
Level = Literal["info", "warn", "alert"]
# Where notifications go: each but `none` is the module of that name in ctl/channels. Every other list follows this one.
NotifyMode = Literal["none", "stdout", "webhook"]
LockName = Literal["thresholds", "strategy", "settings"]


def instant_text(instant: datetime) -> str:
    """ISO-8601 of an aware instant in UTC to the second, ending in `Z`. Raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError(f"a naive datetime is not an instant: {instant!r}; pass an aware UTC datetime")
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---------------------------------------------------------------- gate


@dataclass(frozen=True, slots=True)
class SymbolResult:
    """One gating symbol: what the profile expects and what today's data derive.

    detail: one line for the status board; reasons: everything that explains `actual`, and on a mismatch why.
    """

    symbol: str
    expected: Decision
    actual: Decision
    passed: bool
    detail: str
    reasons: tuple[Reason, ...]
    certificate_sha256: str | None

    def to_document(self) -> SymbolResultDocument:
        """JSON-ready."""
        return {
            "symbol": self.symbol,
            "expected": self.expected,
            "actual": self.actual,
            "passed": self.passed,
            "detail": self.detail,
            "reasons": [reason_document(reason) for reason in self.reasons],
            "certificate_sha256": self.certificate_sha256,
        }


@dataclass(frozen=True, slots=True)
class LockResult:
    """One digest of the lock against what it is now.

    enforced: the profile's constraints require it. held: both digests are there and equal.
    code: THRESHOLDS_CHANGED, STRATEGY_CHANGED, PROFILE_EDITED or LOCK_MISSING where not held.
    """

    name: LockName
    locked: str | None
    current: str
    held: bool
    enforced: bool
    code: str | None = None

    def to_document(self) -> LockResultDocument:
        """JSON-ready."""
        return {
            "name": self.name,
            "locked": self.locked,
            "current": self.current,
            "held": self.held,
            "enforced": self.enforced,
            "code": self.code,
        }


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


@dataclass(frozen=True, slots=True)
class Restatement:
    """The restated history of one symbol. `changes` are the first of `total`, by session and contract.

    note: what is known where the locked values are not at hand; total is 0 then.
    """

    symbol: str
    total: int
    sessions: int
    contracts: tuple[str, ...]
    changes: tuple[RestatedValue, ...]
    note: str = ""

    @property
    def text(self) -> str:
        """One line: how much, where, and the first change."""
        if self.note:
            return f"RESTATED_HISTORY: {self.symbol}: {self.note}"
        what = f"RESTATED_HISTORY: {self.symbol}: {self.total} values on {self.sessions} sessions"
        if not self.changes:
            return what
        first = self.changes[0]
        return f"{what}; first {first.contract} {first.session} {first.column} {first.old} -> {first.new}"

    def to_document(self) -> RestatementDocument:
        """JSON-ready."""
        return {
            "symbol": self.symbol,
            "code": "RESTATED_HISTORY",
            "text": self.text,
            "total": self.total,
            "sessions": self.sessions,
            "contracts": list(self.contracts),
            "changes": [
                {
                    "contract": change.contract,
                    "session": change.session.isoformat(),
                    "column": change.column,
                    "old": change.old,
                    "new": change.new,
                }
                for change in self.changes
            ],
            "truncated": len(self.changes) < self.total,
        }


def reason_document(reason: Reason) -> ReasonDocument:
    """JSON-ready form of a reason."""
    return {
        "code": reason.code,
        "severity": reason.severity,
        "text": reason.text,
        "value": reason.value,
        "limit": reason.limit,
        "unit": reason.unit,
    }


# ---------------------------------------------------------------- run


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """What the plan does with one symbol. tick and slippage_per_side in quote units."""

    symbol: str
    role: Role
    action: Literal["RUN", "SKIP"]
    reason: str
    asset_class: str
    tick: float
    slippage_per_side: float
    slippage_source: Literal["profile", "one tick of the workspace"]
    certificate_sha256: str | None

    def to_document(self) -> PlanEntryDocument:
        """JSON-ready."""
        return {
            "symbol": self.symbol,
            "role": self.role,
            "action": self.action,
            "reason": self.reason,
            "asset_class": self.asset_class,
            "tick": self.tick,
            "slippage_per_side": self.slippage_per_side,
            "slippage_source": self.slippage_source,
            "certificate_sha256": self.certificate_sha256,
        }


@dataclass(frozen=True, slots=True)
class SymbolOutcome:
    """What running a strategy on one symbol gives.

    metrics: JSON-ready, names of b1.md. trades: closed trades, one row each, with `exit_session`; None
    where there are none. extra: further JSON-ready parts of the symbol's result (next-session orders).
    """

    metrics: Mapping[str, Any]
    trades: pl.DataFrame | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SymbolRun:
    """The result of one symbol in a run. `reason` says why a symbol was skipped or failed; else empty."""

    symbol: str
    role: Role
    status: RunStatus
    reason: str = ""
    code: str | None = None
    outcome: SymbolOutcome | None = None

    def to_document(self) -> SymbolRunDocument:
        """JSON-ready."""
        return {
            "symbol": self.symbol,
            "role": self.role,
            "status": self.status,
            "reason": self.reason,
            "code": self.code,
            "metrics": None if self.outcome is None else dict(self.outcome.metrics),
            "extra": {} if self.outcome is None else dict(self.outcome.extra),
        }


# ---------------------------------------------------------------- published documents


class ReasonDocument(TypedDict):
    """One reason of a status."""

    code: str
    severity: Literal["WATCH", "REJECT", "ERROR"]
    text: str
    value: float | None
    limit: float | None
    unit: str


class SymbolResultDocument(TypedDict):
    """One gating symbol in a gate result."""

    symbol: str
    expected: Decision
    actual: Decision
    passed: bool
    detail: str
    reasons: list[ReasonDocument]
    certificate_sha256: str | None


class LockResultDocument(TypedDict):
    """One digest of the lock in a gate result."""

    name: LockName
    locked: str | None
    current: str
    held: bool
    enforced: bool
    code: str | None


class RestatedValueDocument(TypedDict):
    """One restated value."""

    contract: str
    session: str
    column: str
    old: float | None
    new: float | None


class RestatementDocument(TypedDict):
    """Restated history of one symbol."""

    symbol: str
    code: Literal["RESTATED_HISTORY"]
    text: str
    total: int
    sessions: int
    contracts: list[str]
    changes: list[RestatedValueDocument]
    truncated: bool


class ProfileReferenceDocument(TypedDict):
    """Which profile was used. `digest` is the sha256 of its file."""

    path: str
    version: int | None
    digest: str


class GateResultDocument(TypedDict):
    """`ctl gate --json`."""

    schema_version: Literal[1]
    timestamp: str
    passed: bool
    recommendation: Recommendation
    expected_recommendation: Recommendation
    profile: ProfileReferenceDocument
    symbol_results: list[SymbolResultDocument]
    locks: list[LockResultDocument]
    problems: list[ReasonDocument]
    restatements: list[RestatementDocument]


class PlanEntryDocument(TypedDict):
    """What a plan does with one symbol."""

    symbol: str
    role: Role
    action: Literal["RUN", "SKIP"]
    reason: str
    asset_class: str
    tick: float
    slippage_per_side: float
    slippage_source: Literal["profile", "one tick of the workspace"]
    certificate_sha256: str | None


class RunPlanDocument(TypedDict):
    """What a run is going to do: the object that a dry run prints and a real run executes."""

    cycle_id: str
    timeframe: Timeframe
    dry_run: bool
    include_non_gating: bool
    profile: ProfileReferenceDocument
    entries: list[PlanEntryDocument]


class SymbolRunDocument(TypedDict):
    """The result of one symbol."""

    symbol: str
    role: Role
    status: RunStatus
    reason: str
    code: str | None
    metrics: dict[str, Any] | None
    extra: dict[str, Any]


class DigestsDocument(TypedDict):
    """What a run rests on."""

    profile: str | None
    certificates: dict[str, str | None]
    strategy: str | None
    thresholds: str | None
    settings: str | None


class TradesFileDocument(TypedDict):
    """The trades beside a run summary."""

    file: str
    sha256: str
    rows: int


class RunSummaryDocument(TypedDict):
    """`run_summaries/<stamp>_portfolio_run.json`."""

    schema_version: Literal[1]
    timestamp: str
    cycle_id: str
    gate_passed: bool
    portfolio_recommendation: Recommendation
    dry_run: bool
    simulated: bool
    has_errors: bool
    plan: RunPlanDocument
    gate_result: GateResultDocument
    symbol_run_results: list[SymbolRunDocument]
    portfolio: dict[str, Any] | None
    orders: OrderSheetDocument | None
    risk: RiskStateDocument | None
    trades: TradesFileDocument | None
    digests: DigestsDocument
    package_version: str


class OpsGateSymbolDocument(TypedDict):
    """The gate's word on one symbol in an ops log."""

    expected: Decision
    actual: Decision
    passed: bool


class OpsRunSymbolDocument(TypedDict):
    """The run's word on one symbol in an ops log."""

    status: RunStatus
    reason: str


class NotificationDocument(TypedDict):
    """How the notification of a weekly cycle went. `target` never shows more than the host and a short digest."""

    mode: NotifyMode
    level: Level
    text: str
    delivered: bool
    attempts: int
    target: str | None
    error: str | None
    idempotency_key: str


class RetentionItemDocument(TypedDict):
    """One file that retention removed, or in a dry run would remove."""

    file: str
    reason: str
    bytes: int


class RetentionDocument(TypedDict):
    """What retention did. `kept` counts files that a limit named but a rule protects."""

    dry_run: bool
    retention_days: int | None
    max_files: int | None
    max_mb: float | None
    removed: list[RetentionItemDocument]
    kept: list[RetentionItemDocument]
    problems: list[str]


class OpsErrorDocument(TypedDict):
    """Why a weekly cycle did not end well."""

    code: str
    text: str
    problems: list[str]


class OpsLogDocument(TypedDict):
    """`ops_logs/<stamp>_ops.json`. Durations are seconds per stage."""

    schema_version: Literal[1]
    timestamp: str
    cycle_id: str
    gate_passed: bool
    aborted: bool
    dry_run: bool
    simulated: bool
    exit_code: int
    has_errors: bool
    portfolio_recommendation: Recommendation | None
    gate: dict[str, OpsGateSymbolDocument]
    run: dict[str, OpsRunSymbolDocument]
    locks: list[LockResultDocument]
    notification: NotificationDocument | None
    retention: RetentionDocument | None
    summary_path: str | None
    durations: dict[str, float]
    digests: DigestsDocument
    error: OpsErrorDocument | None
    package_version: str
