"""The gate: today's certificates against the profile and its lock file. It has no override.

`decide` is the only maker of a `GateDecision`, and a passed decision the only maker of a `GatePass`,
which executing a run requires. Pure: no file, clock or network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn
from weakref import WeakSet

from ctl.digests import digest
from ctl.errors import GateRefused
from ctl.model.certificate import Certificate
from ctl.model.display import Card, Tabular
from ctl.model.documents import document
from ctl.model.findings import Decision, Reason
from ctl.model.lock_file import LockedStrategy, LockFile
from ctl.model.locked import DataTo, Verdict, WatchedMetrics
from ctl.model.recommendation import recommend
from ctl.model.run import (
    GateResult,
    LockName,
    LockResult,
    ProfileReference,
    Restatement,
    SymbolResult,
    ValueChange,
)
from ctl.operating_profile import OperatingProfile, changes, difference
from ctl.since_lock.ratchet import Judged

if TYPE_CHECKING:
    import polars as pl

_LOCK_CODES: Final[dict[LockName, tuple[str, str]]] = {
    "profile": ("PROFILE_EDITED", "the profile was edited after it was locked"),
    "thresholds": ("THRESHOLDS_CHANGED", "the acceptance limits are not the locked ones"),
    "strategy": ("STRATEGY_CHANGED", "the strategy is not the locked one"),
    "workspace": ("WORKSPACE_CHANGED", "what turns prices into money, or picks the data, is not as locked"),
}
EQUITY_TOLERANCE: Final = 0.2
_SHOWN_CHANGES: Final = 4
_LONGEST_VALUE: Final = 40
_ISSUER: Final = object()
_ISSUED: WeakSet[GatePass] = WeakSet()


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a symbol could not be certified: a reason code (such as INPUT_UNREADABLE) and one line of text."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class CurrentParts:
    """What runs now, in the form in which the lock file holds it."""

    thresholds: Mapping[str, Any]
    strategy: LockedStrategy
    workspace: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LockRead:
    """The lock file beside a profile, as it was read and held against the decision log.

    lock: None where there is none that can be used; problems then say why. sha256: of the lock file's bytes.
    log_head: digest of the log's newest entry. entry: the id of the one that locks the profile. workspace_sha256: of
    ctl.toml. notes: what is said and refuses nothing. signed_by: names of the profile's signers who signed it.
    """

    lock: LockFile | None
    problems: tuple[Reason, ...] = ()
    sha256: str | None = None
    log_head: str | None = None
    workspace_sha256: str | None = None
    entry: str | None = None
    notes: tuple[Reason, ...] = ()
    signed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SinceLock:
    """What has happened to the gating symbols since they were locked, by symbol; and restated bars of every vendor.

    judged: of symbols that are certified and locked. stale, missing: why a symbol is refused, where it is. data_to: how
    far its data reach.
    """

    judged: Mapping[str, Judged] = field(default_factory=dict)
    stale: Mapping[str, Reason] = field(default_factory=dict)
    missing: Mapping[str, Reason] = field(default_factory=dict)
    data_to: Mapping[str, DataTo] = field(default_factory=dict)
    restatements: tuple[Restatement, ...] = ()

    def missing_of(self, symbol: str) -> tuple[Reason, ...]:
        """Why nothing can be held against what was locked of a symbol."""
        return (self.missing[symbol],) if symbol in self.missing else ()

    def restated_of(self, symbol: str) -> tuple[Reason, ...]:
        """The restatements of a symbol that are too large to go on with."""
        return tuple(
            Reason(each.code, "ERROR", each.said)
            for each in self.restatements
            if each.symbol == symbol and each.refusal
        )


class GatePass:
    """Leave to execute a run, given by a passed gate alone. Identity counts: no copy or pickle is a pass."""

    __slots__ = ("__weakref__", "certificates", "instant", "lock_sha256", "profile_sha256", "workspace_sha256")

    profile_sha256: str
    lock_sha256: str | None
    workspace_sha256: str | None
    certificates: Mapping[str, str]
    instant: datetime

    def __init__(
        self,
        profile_sha256: str,
        lock_sha256: str | None,
        workspace_sha256: str | None,
        certificates: Mapping[str, str],
        instant: datetime,
        *,
        _issuer: object = None,
    ) -> None:
        if _issuer is not _ISSUER:
            raise TypeError("a GatePass comes from GateDecision.grant() of a passed gate alone")
        object.__setattr__(self, "profile_sha256", profile_sha256)
        object.__setattr__(self, "lock_sha256", lock_sha256)
        object.__setattr__(self, "workspace_sha256", workspace_sha256)
        object.__setattr__(self, "certificates", MappingProxyType(dict(certificates)))
        object.__setattr__(self, "instant", instant)
        _ISSUED.add(self)

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("GatePass cannot be subclassed")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError("a GatePass cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError("a GatePass cannot be changed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a GatePass cannot be copied or pickled")

    def __repr__(self) -> str:
        return f"GatePass(profile {self.profile_sha256[:12]}, {len(self.certificates)} certificates)"


def require_pass(gate_pass: object, *, profile_sha256: str) -> GatePass:
    """The pass itself, if a passed gate issued it for this profile.

    Raises TypeError for anything that no gate issued, GateRefused for a pass of another profile.
    """
    if not isinstance(gate_pass, GatePass) or gate_pass not in _ISSUED:
        raise TypeError("executing a run needs the GatePass of a passed gate")
    if gate_pass.profile_sha256 != profile_sha256:
        raise GateRefused(
            "the gate pass belongs to another profile",
            found=gate_pass.profile_sha256[:12],
            expected=profile_sha256[:12],
            code="PASS_OF_ANOTHER_PROFILE",
        )
    return gate_pass


class GateDecision(GateResult, Tabular):
    """What the gate found. Made by `decide` alone; `passed` follows from the rest and cannot be set."""

    __slots__ = ()

    def __init__(self, *, _issuer: object = None, **found: Any) -> None:
        if _issuer is not _ISSUER:
            raise TypeError("a GateDecision comes from decide() alone")
        failures = _failures(found["symbol_results"], found["locks"], found["problems"])
        GateResult.__init__(self, passed=bool(found["symbol_results"]) and not failures, **found)

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("GateDecision cannot be subclassed")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError("a GateDecision cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError("a GateDecision cannot be changed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a GateDecision cannot be copied or pickled")

    __repr__ = Tabular.__repr__

    @property
    def failures(self) -> tuple[str, ...]:
        """Why the gate did not pass, one line each; empty if it passed."""
        return _failures(self.symbol_results, self.locks, self.problems)

    def grant(self) -> GatePass:
        """The pass of a passed gate. Raises GateRefused, saying every reason, if it did not pass."""
        if not self.passed or self.failures:
            raise GateRefused("the gate did not pass: " + "; ".join(self.failures))
        certificates = {result.symbol: result.certificate_sha256 or "" for result in self.symbol_results}
        return GatePass(
            self.profile.digest, self.lock_sha256, self.workspace_sha256, certificates, self.timestamp, _issuer=_ISSUER
        )

    def to_polars(self) -> pl.DataFrame:
        """One row per gating symbol: symbol, expected, actual, passed, detail."""
        import polars as pl

        names = ("symbol", "expected", "actual", "passed", "detail")
        rows = [tuple(getattr(result, name) for name in names) for result in self.symbol_results]
        schema = {name: pl.Boolean if name == "passed" else pl.String for name in names}
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def caption(self) -> str:
        """The gate's line: verdict, recommendation, profile, instant."""
        verdict = "PASS" if self.passed else "MISMATCH, nothing may run"
        return f"GATE: {verdict}   {self.recommendation}   {self.profile.path}   {document(self.timestamp)}"

    def _card(self) -> Card:
        return Card(self.caption, (self.to_polars(),), notes=self.failures)


def _failures(
    results: Sequence[SymbolResult], locks: Sequence[LockResult], problems: Sequence[Reason]
) -> tuple[str, ...]:
    """Why a gate does not pass, one line each: locks that do not hold, symbols not as expected, other problems."""
    mismatches = [
        f"{result.symbol}: expected {result.expected}, actual {result.actual}"
        + (f" ({result.detail})" if result.detail else "")
        for result in results
        if not result.passed
    ]
    return (*broken_locks(locks), *mismatches, *(f"{problem.code}: {problem.text}" for problem in problems))


def broken_locks(locks: Iterable[LockResult]) -> list[str]:
    """One line for each lock that is required and does not hold."""
    return [lock_text(lock) for lock in locks if lock.enforced and not lock.held]


def decide(
    profile: OperatingProfile,
    locked: LockRead,
    *,
    current: CurrentParts,
    certificates: Mapping[str, Certificate | Verdict | Unavailable],
    contradicted: Sequence[Reason] = (),
    watched: SinceLock | None = None,
    instant: datetime,
    as_of: date | None = None,
    profile_path: str | None = None,
) -> GateDecision:
    """Compare what the data now derive with what the profile and its lock file hold.

    certificates: one per gating symbol, or why there is none; a symbol that is absent is unavailable. contradicted:
    what the workspace says of an instrument against what is known of it. watched: what has happened to the symbols
    since the lock; needed of every certified one that the lock holds. instant: the command's one reading of the clock,
    aware UTC.
    """
    since = watched or SinceLock()
    results = tuple(
        _until(
            profile,
            _symbol_result(profile, symbol, certificates.get(symbol), locked.lock, since),
            as_of or instant.date(),
        )
        for symbol in profile.gating_universe
    )
    # What passes is as expected: a roll that settles, or a little better, makes no other portfolio.
    recommendation = recommend(result.expected if result.passed else result.actual for result in results)
    problems = [*locked.problems, *contradicted]
    if locked.lock is None and not problems:
        problems.append(Reason("LOCK_MISSING", "ERROR", "the profile has no lock file; lock it with `ctl lock`"))
    if recommendation != profile.portfolio_recommendation:
        problems.append(
            Reason(
                "RECOMMENDATION_MISMATCH",
                "ERROR",
                f"the data derive {recommendation}, the profile locks {profile.portfolio_recommendation}",
            )
        )
    document(instant)  # a naive one is refused here, not where the decision is shown
    return GateDecision(
        timestamp=instant,
        as_of=as_of,
        profile=ProfileReference(profile_path or profile.name, profile.version, profile.sha256),
        recommendation=recommendation,
        expected_recommendation=profile.portfolio_recommendation,
        symbol_results=results,
        locks=() if locked.lock is None else compare_locks(profile, locked.lock, current),
        problems=tuple(problems),
        notes=(
            *locked.notes,
            *(() if locked.lock is None else equity_moved(locked.lock, current)),
            *(
                Reason("REFERENCE_UNREAD", "WATCH", f"{symbol} is not compared with its reference {text}")
                for symbol in profile.gating_universe
                for text in getattr(certificates.get(symbol), "unread", ())
            ),
        ),
        restatements=since.restatements,
        lock_sha256=locked.sha256,
        workspace_sha256=locked.workspace_sha256,
        log_head=locked.log_head,
        decision_entry=locked.entry,
        signed_by=locked.signed_by,
        _issuer=_ISSUER,
    )


def _until(profile: OperatingProfile, result: SymbolResult, day: date) -> SymbolResult:
    """The result, which a WATCH is no longer as expected after its last day."""
    last = profile.symbol_settings[result.symbol].watch_until
    if last is None or day <= last or not result.passed or result.actual != "WATCH":
        return result
    text = f"WATCH was accepted until {last}; mend its cause, or lock a later watch_until"
    reasons = (*result.reasons, Reason("WATCH_EXPIRED", "ERROR", text))
    detail = "; ".join(filter(None, (result.detail, text)))
    return replace(result, passed=False, reasons=reasons, detail=detail)


def _symbol_result(
    profile: OperatingProfile,
    symbol: str,
    certificate: Certificate | Verdict | Unavailable | None,
    lock: LockFile | None,
    since: SinceLock,
) -> SymbolResult:
    expected = profile.symbol_settings[symbol].expected_status
    if expected is None:
        raise ValueError(f"{symbol} gates but the profile expects no status of it")
    found = _derived(symbol, certificate, since.stale.get(symbol))
    judged, locked = since.judged.get(symbol), None if lock is None else lock.symbols.get(symbol)
    told: tuple[Reason, ...] = ()
    passed = False
    if found.decision == "ERROR":
        pass
    elif lock is None:
        # Nothing is locked yet: the status alone can be compared, and the missing lock refuses.
        passed = found.decision == expected
    elif locked is None or judged is None:
        text = "the lock file holds nothing of it" if locked is None else "it was not held against the lock"
        told = (Reason("LOCK_MISSING", "ERROR", text),)
    else:
        passed, told = judged.passed, judged.reasons
    refused = [*since.missing_of(symbol), *since.restated_of(symbol)]
    if not passed and not found.reasons and not told:
        refused.append(Reason("STATUS_MISMATCH", "ERROR", f"expected {expected}, derived {found.decision}"))
    # A status that the certificate's own reasons explain needs no further one.
    own = {"STATUS_MISMATCH"} if found.reasons else set()
    reasons = (*refused, *found.reasons, *(reason for reason in told if reason.code not in own))
    detail = "; ".join(reason.text for reason in reasons)
    return SymbolResult(
        symbol=symbol,
        expected=expected,
        actual=found.decision,
        passed=passed and not refused,
        detail=detail,
        reasons=reasons,
        metrics=found.metrics,
        locked=locked,
        data_to=since.data_to.get(symbol),
        certificate_sha256=found.sha256,
    )


class _Derived(NamedTuple):
    """The status that a certificate supports."""

    decision: Decision
    reasons: tuple[Reason, ...]
    sha256: str | None = None
    metrics: WatchedMetrics | None = None


def _derived(symbol: str, certificate: Certificate | Verdict | Unavailable | None, stale: Reason | None) -> _Derived:
    """A certificate's decision, or ERROR where it cannot be relied on."""
    if certificate is None:
        return _error("INPUT_MISSING", "no certificate was made")
    if isinstance(certificate, Unavailable):
        return _error(certificate.code, certificate.text)
    if certificate.symbol != symbol:
        return _error("CERTIFICATE_OF_ANOTHER_SYMBOL", f"the certificate is of {certificate.symbol}")
    if certificate.decision not in ("ACCEPT", "WATCH", "REJECT", "ERROR"):
        return _error("CERTIFICATE_UNREADABLE", f"the certificate's decision is {certificate.decision!r}")
    try:
        sha256 = certificate.sha256
    except ValueError as error:
        return _error("CERTIFICATE_UNREADABLE", f"no digest: {error}")
    metrics = None if certificate.watched is None else certificate.watched.symbol.metrics
    if stale is not None:
        return _Derived("ERROR", (stale,), sha256, metrics)
    return _Derived(certificate.decision, certificate.reasons, sha256, metrics)


def _error(code: str, text: str) -> _Derived:
    return _Derived("ERROR", (Reason(code, "ERROR", text),))


def compare_locks(profile: OperatingProfile, lock: LockFile, current: CurrentParts) -> tuple[LockResult, ...]:
    """Each part of the lock file against what it is now, value by value."""
    constraints = profile.policy_constraints
    edited = difference(lock.profile.text, profile.text)
    parts: tuple[tuple[LockName, Any, Any, bool], ...] = (
        ("thresholds", lock.thresholds, current.thresholds, constraints.thresholds_locked),
        ("strategy", lock.strategy, current.strategy, constraints.strategy_logic_locked),
        ("workspace", lock.workspace, current.workspace, True),
    )
    rows = [_lock_result("profile", lock.profile.sha256, profile.sha256, True, edited)]
    for name, locked, now, enforced in parts:
        old, new = document(locked), document(now)
        differing = tuple(change for change in changes(old, new) if not (name == "workspace" and _tolerated(change)))
        rows.append(_lock_result(name, digest(old), digest(new), enforced, differing))
    return tuple(rows)


def equity_moved(lock: LockFile, current: CurrentParts) -> tuple[Reason, ...]:
    """Equity that is not the locked one, and near enough to it to be reported and not refused."""
    found = [change for change in changes(document(lock.workspace), document(current.workspace)) if _tolerated(change)]
    return tuple(
        Reason("EQUITY_MOVED", "WATCH", f"risk.equity {change.old:,.2f} -> {change.new:,.2f} (locked, now)", change.new)
        for change in found
    )


def _tolerated(change: ValueChange) -> bool:
    """Equity within its tolerance of the locked value: it moves from week to week."""
    values = (change.old, change.new)
    known = change.key == "risk.equity" and all(isinstance(value, int | float) for value in values)
    return known and abs(change.new - change.old) <= EQUITY_TOLERANCE * abs(change.old)


def _lock_result(
    name: LockName, locked: str, current: str, enforced: bool, changed: tuple[ValueChange, ...]
) -> LockResult:
    held = locked == current if name == "profile" else not changed
    return LockResult(name, locked, current, held, enforced, None if held else _LOCK_CODES[name][0], changed)


def lock_text(lock: LockResult) -> str:
    """One line on a part of the lock: whether it holds, else code, what happened, old and new values, what to do."""
    if lock.held:
        return f"{lock.name}: held"
    code, what = _LOCK_CODES[lock.name]
    shown = [f"{item.key} {_value(item.old)} -> {_value(item.new)}" for item in lock.changes[:_SHOWN_CHANGES]]
    if len(lock.changes) > _SHOWN_CHANGES:
        shown.append(f"{len(lock.changes) - _SHOWN_CHANGES} more")
    said = "; ".join(shown) or "comments or layout alone"
    return f"{code}: {what}: {said}; restore it, or lock a new version (ctl lock)"


def _value(value: Any) -> str:
    """A value in a line, long ones cut."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
