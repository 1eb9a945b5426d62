"""The weekly cycle: retention -> gate -> run -> ops log -> notification.

The ops log is written first of all, saying that the run has not finished; replaced when the run has
ended, before the notification; and replaced once more with how the notification went. So every cycle
that started leaves a log, also one that was killed, and its last state is the last that was reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from ctl import __version__, clock, ops_notifier, run_orchestrator, store
from ctl.channels import is_durable
from ctl.errors import EXIT_ERROR, EXIT_MISMATCH, EXIT_OK, CtlError, GateRefused, ProfileError
from ctl.flows import portfolio
from ctl.gatekeeper import GateDecision, broken_locks
from ctl.model.documents import document
from ctl.model.notifications import DeliveryLimits, DeliveryResult, Message, Route
from ctl.model.run import Digests, NotifyMode, OpsError, OpsGateSymbol, OpsLog, OpsRunSymbol, RunSummary
from ctl.operating_profile import OperatingProfile
from ctl.ops import outbox
from ctl.ops.retention import RetentionLimits, retain
from ctl.ops.termination import EXIT_TERMINATED, Terminated, stoppable, uninterrupted
from ctl.ops.transitions import announced_since
from ctl.ops_notifier import Occasion
from ctl.run_orchestrator import Run, RunOptions

OPS_ENDING: Final = "_ops.json"
EXIT_INTERRUPTED: Final = 130

Show = Callable[[Iterator[Run]], Iterator[Run]]


@dataclass(frozen=True, slots=True)
class WeeklyOptions:
    """What the command line and the environment ask of a cycle.

    profile: None for the workspace's. webhook_url: already resolved; ping_url: of a dead-man's switch. Neither is ever
    written anywhere.
    """

    run: RunOptions = field(default_factory=RunOptions)
    profile: Path | None = None
    notify: NotifyMode = "none"
    webhook_url: str | None = field(default=None, repr=False)
    ping_url: str | None = field(default=None, repr=False)
    retention: RetentionLimits = field(default_factory=RetentionLimits)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be shown nowhere."""
        return tuple(url for url in (self.webhook_url, self.ping_url) if url)


@dataclass(frozen=True, slots=True)
class WeeklyOutcome:
    """How a cycle ended. summary: of a run that completed. `warnings` are for stderr; none of them holds a secret."""

    log: OpsLog
    log_path: Path
    profile: OperatingProfile | None
    decision: GateDecision | None
    summary: RunSummary | None
    notification: DeliveryResult
    warnings: tuple[str, ...]


def run_weekly(
    workspace: store.Workspace,
    options: WeeklyOptions,
    *,
    instant: datetime,
    monotonic: Callable[[], float] = time.perf_counter,
    stream: TextIO | None = None,
    limits: DeliveryLimits | None = None,
    show: Show = iter,
) -> WeeklyOutcome:
    """Run one weekly cycle. stream: where a `stdout` notification is printed. show: passes a run's stages through.

    The log's exit_code: 0 gate passed and run completed; 1 unexpected error; 2 gate mismatch or invalid profile;
    143 stopped by SIGTERM, 130 by the keyboard. Raises BusyError, leaving nothing, where another run
    holds the workspace, and WorkspaceError, running nothing, where no ops log can be written.
    """
    with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl ops"):
        return _Cycle(workspace, options, instant, monotonic, stream, limits or DeliveryLimits(), show).run()


class _Cycle:
    """One cycle under way; `log` is the ops log as far as it is known."""

    def __init__(
        self,
        workspace: store.Workspace,
        options: WeeklyOptions,
        instant: datetime,
        monotonic: Callable[[], float],
        stream: TextIO | None,
        limits: DeliveryLimits,
        show: Show,
    ) -> None:
        self._workspace, self._options, self._instant = workspace, options, instant
        self._monotonic, self._stream, self._limits, self._show = monotonic, stream, limits, show
        self._durable = is_durable(options.notify)
        self._occasion = Occasion(workspace.cycle_id, instant, options.run.dry_run, workspace.simulated)
        self._profile: OperatingProfile | None = None
        self._decision: GateDecision | None = None
        self._summary: RunSummary | None = None
        self._warnings: list[str] = []
        self._log = OpsLog(
            timestamp=instant,
            cycle_id=workspace.cycle_id,
            dry_run=options.run.dry_run,
            simulated=workspace.simulated,
            package_version=__version__,
        )
        self._path = self._open_log()

    def run(self) -> WeeklyOutcome:
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
        options = self._options
        try:
            with self._timed("retention"):
                self._retain()
            with self._timed("gate"):
                profile = portfolio.read_profile(self._workspace, options.profile)
                self._profile = profile
                self._note(digests=Digests(profile=profile.sha256))
                asked = replace(options.run, secrets=options.secrets)
                stages = run_orchestrator.run(self._workspace, profile, asked, instant=self._instant)
                run = next(stages)
                self._note_gate(run.decision)
            with self._timed("run"):
                summary = self._follow(run, stages)
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
        self._summary = summary
        self._note(aborted=False, exit_code=EXIT_OK, error=None, has_errors=summary.has_errors)
        recommendation = summary.portfolio_recommendation
        failures = {item.symbol: item.reason for item in summary.symbol_run_results if item.status == "ERROR"}
        alerts = summary.orders.alerts if summary.orders is not None else ()
        if failures:
            told = ops_notifier.symbol_failure(self._occasion, failures, recommendation=recommendation)
        else:
            told = ops_notifier.success(self._occasion, recommendation=recommendation)
        return ops_notifier.with_alerts(told, alerts)

    def _note(self, **known: Any) -> None:
        """Put what is known now into the log."""
        self._log = replace(self._log, **known)

    def _retain(self) -> None:
        options = self._options
        done = retain(self._workspace, options.retention, instant=self._instant, dry_run=options.run.dry_run)
        self._note(retention=done)
        self._warnings += [f"retention: {problem}" for problem in done.problems]

    def _note_gate(self, decision: GateDecision) -> None:
        self._decision = decision
        self._note(
            gate_passed=decision.passed,
            portfolio_recommendation=decision.recommendation,
            gate={
                item.symbol: OpsGateSymbol(item.expected, item.actual, item.passed) for item in decision.symbol_results
            },
            locks=decision.locks,
            digests=run_orchestrator.decision_digests(decision),
        )

    def _follow(self, run: Run, stages: Iterator[Run]) -> RunSummary:
        """Go through a run behind its gate; the summary once everything is written. Raises what ends the run."""
        for stage in self._show(stages):
            run = stage
            if run.summary is not None:
                results = run.summary.symbol_run_results
                self._note(run={item.symbol: OpsRunSymbol(item.status, item.reason) for item in results})
            if run.summary_path is not None:
                self._note(summary_path=self._workspace.relative(run.summary_path))
        return run.finished()

    def _refusal(self, error: GateRefused) -> Message:
        decision = self._decision
        if decision is None:
            return ops_notifier.profile_failure(self._occasion, [str(error)])
        mismatches = [
            ops_notifier.GateLine(item.symbol, item.expected, item.actual, item.detail)
            for item in decision.symbol_results
            if not item.passed
        ]
        others = broken_locks(decision.locks)
        others += [f"{problem.code}: {problem.text}" for problem in decision.problems]
        return ops_notifier.gate_failure(self._occasion, mismatches, others, recommendation=decision.recommendation)

    def _broken(self, code: str, text: str) -> Message:
        self._fail(EXIT_ERROR, code, text)
        return ops_notifier.runner_error(self._occasion, self._clean(text))

    def _fail(
        self, exit_code: int, code: str, text: str, *, problems: tuple[str, ...] = (), has_errors: bool = True
    ) -> None:
        error = OpsError(code, self._clean(text), tuple(self._clean(problem) for problem in problems))
        self._note(exit_code=exit_code, has_errors=has_errors, error=error)

    def _finish(self, message: Message | None) -> WeeklyOutcome:
        """Outbox, log, delivery, log again. A stopped run does not wait for a webhook.

        The message is in the outbox before the log says that the run has ended, so that no run which
        ended on record can go unannounced.
        """
        if message is None:
            self._write_log()
            text = self._log.error.text if self._log.error else "stopped"
            notification = DeliveryResult(
                self._options.notify, "alert", text, False, 0, None, "not attempted: the run was stopped", ""
            )
        else:
            message = self._unless_unchanged(message)
            message = replace(message, text=ops_notifier.redact(message.text, self._options.secrets))
            waiting = self._put(message)
            if not self._write_log():
                if waiting is not None:
                    outbox.withdraw(waiting)
                message = self._broken("WRITE_FAILED", self._warnings[-1])
                waiting = self._put(message)
            with self._timed("notification"):
                notification = self._deliver(message, waiting)
        self._note(notification=notification.record)
        self._write_log()
        self._ping("success" if self._log.exit_code == EXIT_OK else "failure")
        if not notification.delivered and self._options.notify != "none":
            self._warnings.append(f"the notification was not delivered: {notification.error}")
        return WeeklyOutcome(
            log=self._log,
            log_path=self._path,
            profile=self._profile,
            decision=self._decision,
            summary=self._summary,
            notification=notification,
            warnings=tuple(self._clean(warning) for warning in self._warnings),
        )

    def _unless_unchanged(self, message: Message) -> Message:
        """The heartbeat in place of an alert that the channel has already had; any other message as it is."""
        if not self._durable or message.level == "info":
            return message
        since = announced_since(self._workspace.ops_logs, self._path, self._log)
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

    def _open_log(self) -> Path:
        folder = self._workspace.ops_logs
        while True:
            stem = store.unique_stem(folder, clock.stamp(self._instant), (OPS_ENDING,))
            path = folder / f"{stem}{OPS_ENDING}"
            try:
                store.write_new(path, self._bytes())
            except FileExistsError:
                continue  # another process took the name since it was free
            return path

    def _write_log(self) -> bool:
        try:
            store.write_atomic(self._path, self._bytes())
        except CtlError as error:
            self._warnings.append(f"the ops log cannot be written: {error}")
            return False
        return True

    def _bytes(self) -> bytes:
        return store.json_bytes(document(self._log))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = self._monotonic()
        try:
            yield
        finally:
            seconds = round(max(0.0, self._monotonic() - start), 6)
            self._note(durations={**self._log.durations, stage: seconds})

    def _clean(self, text: str) -> str:
        return ops_notifier.redact(" ".join(text.split()), self._options.secrets)
