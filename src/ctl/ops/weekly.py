"""The weekly cycle: retention -> gate -> run -> ops log -> notification.

The ops log is written first of all, saying that the run has not finished; replaced when the run has
ended, before the notification; and replaced once more with how the notification went. So every cycle
that started leaves a log, also one that was killed, and its last state is the last that was reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TextIO

from ctl import __version__, clock, ops_notifier, run_orchestrator, store
from ctl.channels import is_durable
from ctl.errors import EXIT_ERROR, EXIT_MISMATCH, EXIT_OK, CtlError, GateRefused, ProfileError
from ctl.gatekeeper import GateDecision, lock_text
from ctl.model.notifications import DeliveryLimits, DeliveryResult, Message, Route
from ctl.model.run import NotifyMode, OpsLogDocument, PlanEntry, SymbolRun, instant_text
from ctl.model.trades import Timeframe
from ctl.operating_profile import OperatingProfile
from ctl.ops import outbox
from ctl.ops.retention import RetentionLimits, retain
from ctl.ops.termination import EXIT_TERMINATED, Terminated, stoppable, uninterrupted
from ctl.ops.transitions import announced_since
from ctl.ops_notifier import Occasion

OPS_ENDING: Final = "_ops.json"
EXIT_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class WeeklyOptions:
    """What the command line and the environment ask of a cycle.

    webhook_url: already resolved; ping_url: of a dead-man's switch. Neither is ever written anywhere.
    """

    dry_run: bool = False
    include_non_gating: bool = False
    timeframe: Timeframe = "daily"
    notify: NotifyMode = "none"
    webhook_url: str | None = field(default=None, repr=False)
    ping_url: str | None = field(default=None, repr=False)
    retention: RetentionLimits = field(default_factory=RetentionLimits)


@dataclass(frozen=True, slots=True)
class WeeklySteps:
    """The parts of a cycle that reach into the data.

    load_profile may raise ProfileError; decide re-derives and compares, and answers for every symbol.
    """

    load_profile: Callable[[], OperatingProfile]
    decide: Callable[[OperatingProfile], GateDecision]
    run_symbol: run_orchestrator.RunSymbol
    portfolio_metrics: run_orchestrator.PortfolioMetrics | None = None
    next_orders: run_orchestrator.NextOrders | None = None
    settle_paper: Callable[[Sequence[PlanEntry], Sequence[SymbolRun]], int] | None = None
    progress: run_orchestrator.Progress | None = None


@dataclass(frozen=True, slots=True)
class WeeklyOutcome:
    """How a cycle ended. `warnings` are for stderr; none of them holds a secret."""

    exit_code: int
    document: OpsLogDocument
    log_path: Path | None
    decision: GateDecision | None
    summary: run_orchestrator.RunSummary | None
    notification: DeliveryResult
    warnings: tuple[str, ...]


def run_weekly(
    workspace: store.Workspace,
    steps: WeeklySteps,
    options: WeeklyOptions,
    *,
    instant: datetime,
    monotonic: Callable[[], float] = time.perf_counter,
    stream: TextIO | None = None,
    limits: DeliveryLimits | None = None,
) -> WeeklyOutcome:
    """Run one weekly cycle. stream: where a `stdout` notification is printed.

    exit_code: 0 gate passed and run completed; 1 unexpected error; 2 gate mismatch or invalid profile;
    143 stopped by SIGTERM, 130 by the keyboard. Raises BusyError, leaving nothing, where another run
    holds the workspace, and WorkspaceError, running nothing, where no ops log can be written.
    """
    with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl ops"):
        return _Cycle(workspace, steps, options, instant, monotonic, stream, limits or DeliveryLimits()).run()


class _Cycle:
    """The state of one cycle; `document` is the ops log as far as it is known."""

    def __init__(
        self,
        workspace: store.Workspace,
        steps: WeeklySteps,
        options: WeeklyOptions,
        instant: datetime,
        monotonic: Callable[[], float],
        stream: TextIO | None,
        limits: DeliveryLimits,
    ) -> None:
        self._workspace, self._steps, self._options = workspace, steps, options
        self._instant, self._monotonic, self._stream, self._limits = instant, monotonic, stream, limits
        self._durable = is_durable(options.notify)
        self._secrets = [url for url in (options.webhook_url, options.ping_url) if url]
        self._occasion = Occasion(workspace.cycle_id, instant, options.dry_run, workspace.simulated)
        self._decision: GateDecision | None = None
        self._summary: run_orchestrator.RunSummary | None = None
        self._warnings: list[str] = []
        self._document = self._unfinished()
        self._path: Path | None = None

    def run(self) -> WeeklyOutcome:
        self._open_log()
        self._ping("start")
        message: Message | None = None
        try:
            with stoppable():
                message = self._work()
        except Terminated:
            self._fail(EXIT_TERMINATED, "RUN_STOPPED", "stopped by SIGTERM before the run had completed")
        except KeyboardInterrupt:
            self._fail(EXIT_INTERRUPTED, "RUN_STOPPED", "interrupted from the keyboard before the run had completed")
        with uninterrupted():
            return self._finish(message)

    def _work(self) -> Message:
        """Retention, gate and run; the message that says how they ended. Every error ends up in the log."""
        log = self._document
        try:
            with self._timed("retention"):
                self._retain()
            with self._timed("gate"):
                profile = self._steps.load_profile()
                log["digests"]["profile"] = profile.sha256
                self._decision = decision = self._steps.decide(profile)
                self._log_decision(decision)
            with self._timed("run"):
                summary = self._run(profile, decision)
        except ProfileError as error:
            self._fail(EXIT_MISMATCH, error.code, str(error), problems=error.problems, has_errors=False)
            return ops_notifier.profile_failure(self._occasion, error.problems or (str(error),))
        except GateRefused as error:
            self._fail(EXIT_MISMATCH, error.code, str(error), has_errors=False)
            return self._refusal(error)
        except CtlError as error:
            return self._broken(error.code, str(error))
        except Exception as error:  # noqa: BLE001 - the log and the operator are told of every error
            return self._broken("UNEXPECTED", f"{type(error).__name__}: {error}")
        log["aborted"], log["exit_code"], log["error"] = False, EXIT_OK, None
        log["has_errors"] = summary.has_errors
        failures = {item.symbol: item.reason for item in summary.results if item.status == "ERROR"}
        recommendation = summary.decision.recommendation
        if failures:
            return ops_notifier.symbol_failure(self._occasion, failures, recommendation=recommendation)
        return ops_notifier.success(self._occasion, recommendation=recommendation)

    def _retain(self) -> None:
        found = retain(self._workspace, self._options.retention, instant=self._instant, dry_run=self._options.dry_run)
        self._document["retention"] = found
        self._warnings += [f"retention: {problem}" for problem in found["problems"]]

    def _run(self, profile: OperatingProfile, decision: GateDecision) -> run_orchestrator.RunSummary:
        summary = run_orchestrator.run_portfolio(
            profile,
            decision,
            self._steps.run_symbol,
            symbols=self._workspace.symbols,
            instant=self._instant,
            timeframe=self._options.timeframe,
            include_non_gating=self._options.include_non_gating,
            dry_run=self._options.dry_run,
            simulated=self._workspace.simulated,
            portfolio_metrics=self._steps.portfolio_metrics,
            next_orders=self._steps.next_orders,
            progress=self._steps.progress,
        )
        results = tuple(replace(item, reason=self._clean(item.reason)) for item in summary.results)
        summary = replace(summary, results=results)
        self._document["run"] = {item.symbol: {"status": item.status, "reason": item.reason} for item in results}
        if not self._options.dry_run:
            if self._steps.settle_paper is not None:
                self._steps.settle_paper(summary.plan.entries, results)
            path = run_orchestrator.persist(summary, self._workspace)
            self._document["summary_path"] = self._workspace.relative(path)
        self._summary = summary
        return summary

    def _log_decision(self, decision: GateDecision) -> None:
        log = self._document
        log["gate_passed"] = decision.passed
        log["portfolio_recommendation"] = decision.recommendation
        log["gate"] = {
            item.symbol: {"expected": item.expected, "actual": item.actual, "passed": item.passed}
            for item in decision.symbol_results
        }
        log["locks"] = [lock.to_document() for lock in decision.locks]
        log["digests"] = run_orchestrator.decision_digests(decision)

    def _refusal(self, error: GateRefused) -> Message:
        decision = self._decision
        if decision is None:
            return ops_notifier.profile_failure(self._occasion, [str(error)])
        mismatches = [
            ops_notifier.GateLine(item.symbol, item.expected, item.actual, item.detail)
            for item in decision.symbol_results
            if not item.passed
        ]
        others = [lock_text(lock) for lock in decision.locks if lock.enforced and not lock.held]
        others += [f"{problem.code}: {problem.text}" for problem in decision.problems]
        return ops_notifier.gate_failure(self._occasion, mismatches, others, recommendation=decision.recommendation)

    def _broken(self, code: str, text: str) -> Message:
        self._fail(EXIT_ERROR, code, text)
        return ops_notifier.runner_error(self._occasion, self._clean(text))

    def _fail(
        self, exit_code: int, code: str, text: str, *, problems: tuple[str, ...] = (), has_errors: bool = True
    ) -> None:
        log = self._document
        log["exit_code"], log["has_errors"] = exit_code, has_errors
        log["error"] = {
            "code": code,
            "text": self._clean(text),
            "problems": [self._clean(problem) for problem in problems],
        }

    def _finish(self, message: Message | None) -> WeeklyOutcome:
        """Outbox, log, delivery, log again. A stopped run does not wait for a webhook.

        The message is in the outbox before the log says that the run has ended, so that no run which
        ended on record can go unannounced.
        """
        if message is None:
            self._write_log()
            text = self._document["error"]["text"] if self._document["error"] else "stopped"
            notification = DeliveryResult(
                self._options.notify, "alert", text, False, 0, None, "not attempted: the run was stopped", ""
            )
        else:
            message = self._unless_unchanged(message)
            message = replace(message, text=ops_notifier.redact(message.text, self._secrets))
            waiting = self._put(message)
            if not self._write_log():
                if waiting is not None:
                    outbox.withdraw(waiting)
                message = self._broken("WRITE_FAILED", self._warnings[-1])
                waiting = self._put(message)
            with self._timed("notification"):
                notification = self._deliver(message, waiting)
        self._document["notification"] = notification.to_document()
        self._write_log()
        self._ping("success" if self._document["exit_code"] == EXIT_OK else "failure")
        if not notification.delivered and self._options.notify != "none":
            self._warnings.append(f"the notification was not delivered: {notification.error}")
        return WeeklyOutcome(
            exit_code=self._document["exit_code"],
            document=self._document,
            log_path=self._path,
            decision=self._decision,
            summary=self._summary,
            notification=notification,
            warnings=tuple(self._clean(warning) for warning in self._warnings),
        )

    def _unless_unchanged(self, message: Message) -> Message:
        """The heartbeat in place of an alert that the channel has already had; any other message as it is."""
        if not self._durable or message.level == "info" or self._path is None:
            return message
        since = announced_since(self._workspace.ops_logs, self._path, self._document)
        return message if since is None else ops_notifier.heartbeat(message, since=since)

    def _ping(self, signal: Literal["start", "success", "failure"]) -> None:
        if self._options.ping_url is None:
            return
        problem = ops_notifier.ping(self._options.ping_url, signal)
        if problem is not None:
            self._warnings.append(f"the dead-man's switch was not told of the {signal}: {problem}")

    @property
    def _outbox(self) -> Path:
        return self._workspace.root / ".ctl" / "outbox"

    def _put(self, message: Message) -> outbox.Waiting | None:
        """Write the message down before it is delivered; a failure is a warning, and delivery goes on."""
        if not self._durable:
            return None
        try:
            return outbox.put(self._outbox, message, instant=self._instant)
        except (CtlError, OSError) as error:
            self._warnings.append(f"the outbox cannot be written: {error}")
            return None

    def _send(self, message: Message) -> DeliveryResult:
        return ops_notifier.notify(
            message,
            mode=self._options.notify,
            route=Route(self._options.webhook_url, self._stream, self._limits),
        )

    def _deliver(self, message: Message, waiting: outbox.Waiting | None) -> DeliveryResult:
        """Deliver the message; where a durable channel has taken it, also what earlier runs could not deliver."""
        result = self._send(waiting.message if waiting is not None else message)
        try:
            if waiting is not None:
                outbox.settle(waiting, result)
            if self._durable and result.delivered:
                for late in outbox.resend(self._outbox, self._send, instant=self._instant):
                    if not late.delivered:
                        self._warnings.append(f"an earlier notification was not delivered: {late.error}")
        except (CtlError, OSError) as error:
            self._warnings.append(f"the outbox cannot be used: {error}")
        return result

    def _open_log(self) -> None:
        folder = self._workspace.ops_logs
        while self._path is None:
            stem = store.unique_stem(folder, clock.stamp(self._instant), (OPS_ENDING,))
            path = folder / f"{stem}{OPS_ENDING}"
            try:
                store.write_new(path, store.json_bytes(self._document))
            except FileExistsError:
                continue
            self._path = path

    def _write_log(self) -> bool:
        if self._path is None:
            return False
        try:
            store.write_atomic(self._path, store.json_bytes(self._document))
        except CtlError as error:
            self._warnings.append(f"the ops log cannot be written: {error}")
            return False
        return True

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = self._monotonic()
        try:
            yield
        finally:
            self._document["durations"][stage] = round(max(0.0, self._monotonic() - start), 6)

    def _clean(self, text: str) -> str:
        return ops_notifier.redact(" ".join(text.split()), self._secrets)

    def _unfinished(self) -> OpsLogDocument:
        """The log of a cycle that has begun: what it says stands if the process is killed."""
        return {
            "schema_version": 1,
            "timestamp": instant_text(self._instant),
            "cycle_id": self._workspace.cycle_id,
            "gate_passed": False,
            "aborted": True,
            "dry_run": self._options.dry_run,
            "simulated": self._workspace.simulated,
            "exit_code": EXIT_ERROR,
            "has_errors": True,
            "portfolio_recommendation": None,
            "gate": {},
            "run": {},
            "locks": [],
            "notification": None,
            "retention": None,
            "summary_path": None,
            "durations": {},
            "digests": {
                "profile": None,
                "certificates": {},
                "strategy": None,
                "thresholds": None,
                "settings": None,
            },
            "error": {
                "code": "RUN_INTERRUPTED",
                "text": "the process ended before the cycle had finished; run it again",
                "problems": [],
            },
            "package_version": __version__,
        }
