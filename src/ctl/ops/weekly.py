"""The weekly cycle: gate -> run -> ops log -> notification -> retention.

The ops log is written first of all, saying that the run has not finished; replaced when the run has
ended, before the notification; and replaced once more with how notification and retention went. So every cycle
that started leaves a log, also one that was killed, and its last state is the last that was reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from ctl import __version__, clock, digests, ops_notifier, run_orchestrator, stopping, store
from ctl.channels import is_durable
from ctl.channels._web import shown_target
from ctl.errors import EXIT_ERROR, EXIT_MISMATCH, EXIT_OK, CtlError, GateRefused, ProfileError
from ctl.flows import portfolio, standing
from ctl.gatekeeper import GateDecision, broken_locks, lock_text
from ctl.model.documents import document
from ctl.model.notifications import DeliveryLimits, DeliveryResult, Message, Route
from ctl.model.notify import NotifyMode
from ctl.model.run import (
    OPS_ENDING,
    SUMMARY_ENDING,
    Digests,
    OpsError,
    OpsGateSymbol,
    OpsLog,
    OpsRunSymbol,
    Ping,
    ProfileReference,
    RunSummary,
    SymbolState,
)
from ctl.operating_profile import OperatingProfile
from ctl.ops import metrics, outbox
from ctl.ops.report_lines import report
from ctl.ops.retention import RetentionLimits, retain
from ctl.ops.transitions import EarlierLogs, announced, compared_with, last_held
from ctl.ops_notifier import Occasion
from ctl.run_orchestrator import Run, RunOptions
from ctl.stopping import Stopped

# A stopped process has little time: one short attempt, and what it could not deliver waits for the next run.
HASTY: Final = DeliveryLimits(attempts=1, connect=1.0, read=2.0, total=3.0)

_STOPPED: Final = 128

Show = Callable[[Iterator[Run]], Iterator[Run]]


@dataclass(frozen=True, slots=True)
class WeeklyOptions:
    """What the command line and the environment ask of a cycle.

    webhook_url: already resolved; notify_urls: of Apprise; ping_url: of a dead-man's switch; registry_url: of a team's
    database; vendor_key: that data are bought with. None of them is ever written anywhere. metrics: a Prometheus
    textfile to write.
    """

    run: RunOptions = field(default_factory=RunOptions)
    notify: NotifyMode = "none"
    webhook_url: str | None = field(default=None, repr=False)
    notify_urls: tuple[str, ...] = field(default=(), repr=False)
    ping_url: str | None = field(default=None, repr=False)
    registry_url: str | None = field(default=None, repr=False)
    vendor_key: str | None = field(default=None, repr=False)
    metrics: Path | None = None
    retention: RetentionLimits = field(default_factory=RetentionLimits)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be shown nowhere."""
        found = (self.webhook_url, *self.notify_urls, self.ping_url, self.registry_url, self.vendor_key)
        return tuple(secret for secret in found if secret)


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
    143, 130, 129 stopped by SIGTERM, SIGINT, SIGHUP. Raises BusyError where another run holds the workspace, and
    WorkspaceError where no ops log can be written: then nothing has run, and `not_started` says so.
    """
    with stopping.stoppable():
        stopping.hold()  # a log that has been begun is finished
        try:
            with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl ops"):
                return _Cycle(workspace, options, instant, monotonic, stream, limits or DeliveryLimits(), show).run()
        finally:
            stopping.release()


def not_started(
    error: CtlError, options: WeeklyOptions, *, workspace: store.Workspace | None, instant: datetime, stream: TextIO
) -> tuple[str, ...]:
    """Notify of a cycle that did not begin, and ping; returns warnings. workspace: None where it cannot be read.

    The outbox keeps the message where it can be written; what the holder of the workspace has there is left alone.
    """
    cycle_id = workspace.cycle_id if workspace is not None else ""
    occasion = Occasion(cycle_id, instant, options.run.dry_run, workspace is not None and workspace.simulated)
    message = ops_notifier.not_started(occasion, ops_notifier.redact(str(error), options.secrets), error.code)
    post = _Post(options, None if workspace is None else outbox.folder_of(workspace), instant, stream, HASTY)
    post.deliver(message, post.put(message))
    post.ping("failure", message.text)
    return tuple(post.warnings)


class _Post:
    """What leaves the machine: messages through the channel and the outbox, pings. Never raises an Exception."""

    def __init__(
        self,
        options: WeeklyOptions,
        folder: Path | None,
        instant: datetime,
        stream: TextIO | None,
        limits: DeliveryLimits,
    ) -> None:
        self._options, self._folder, self._instant = options, folder, instant
        self._stream, self._limits = stream, limits
        self.durable = is_durable(options.notify)
        self.warnings: list[str] = []
        self.late: list[DeliveryResult] = []

    def put(self, message: Message) -> outbox.Waiting | None:
        """Write the message down before it is delivered; a failure is a warning, and delivery goes on."""
        if not self.durable or self._folder is None:
            return None
        try:
            return outbox.put(self._folder, message, instant=self._instant)
        except (CtlError, OSError) as error:
            self.warnings.append(f"the outbox cannot be written: {error}")
            return None

    def deliver(self, message: Message, waiting: outbox.Waiting | None, *, hasty: bool = False) -> DeliveryResult:
        """Deliver a message and settle it in the outbox."""
        result = self._send(message, limits=HASTY if hasty else self._limits)
        try:
            if waiting is not None:
                outbox.settle(waiting, result)
        except (CtlError, OSError) as error:
            self.warnings.append(f"the outbox cannot be used: {error}")
        if not result.delivered and self._options.notify != "none":
            self.warnings.append(f"the notification was not delivered: {result.error}")
        return result

    def deliver_late(self) -> None:
        """Where the channel has just taken a message, deliver what earlier runs left, as far as time allows."""
        if not self.durable or self._folder is None:
            return
        try:
            sent = outbox.resend(self._folder, self._send)
        except (CtlError, OSError) as error:
            self.warnings.append(f"the outbox cannot be used: {error}")
            return
        self.late = list(sent.results)
        self.warnings += [
            f"an earlier notification was not delivered: {late.error}" for late in sent.results if late.error
        ]
        self.warnings += sent.problems
        if sent.left:
            self.warnings.append(f"{sent.left} earlier notifications wait in {self._folder}")

    def _send(
        self, message: Message, served: frozenset[str] = frozenset(), *, limits: DeliveryLimits | None = None
    ) -> DeliveryResult:
        options = self._options
        route = Route(options.webhook_url, options.notify_urls, self._stream, limits or self._limits, served)
        return ops_notifier.notify(message, mode=self._options.notify, route=route)

    def ping(self, signal: Literal["start", "success", "failure"], body: str = "", *, after: float = 0.0) -> list[Ping]:
        """Tell the dead-man's switch, where there is one; what came of it. after: seconds since the run began."""
        url = self._options.ping_url
        if url is None:
            return []
        problem = ops_notifier.ping(url, signal, run_id=_run_id(self._instant), body=body)
        if problem is not None:
            self.warnings.append(f"the dead-man's switch was not told of the {signal}: {problem}")
        return [Ping(signal, self._instant + timedelta(seconds=after), shown_target(url), problem)]


def _run_id(instant: datetime) -> str:
    """A UUID for the pings of one run, from its instant and process."""
    import os
    import uuid

    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ctl:{clock.iso(instant)}:{os.getpid()}"))


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
        self._post = _Post(options, outbox.folder_of(workspace), instant, stream, limits)
        self._occasion = Occasion(workspace.cycle_id, instant, options.run.dry_run, workspace.simulated)
        self._profile: OperatingProfile | None = None
        self._decision: GateDecision | None = None
        self._summary: RunSummary | None = None
        self._warnings: list[str] = []
        self._log = OpsLog(
            timestamp=instant,
            cycle_id=workspace.cycle_id,
            as_of=options.run.as_of,
            dry_run=options.run.dry_run,
            simulated=workspace.simulated,
            package_version=__version__,
        )
        self._path = self._open_log()
        self._earlier = EarlierLogs(workspace.ops_logs, self._path, self._log)

    def run(self) -> WeeklyOutcome:
        """The whole cycle, begun and left with signals held."""
        message: Message | None = None
        try:
            stopping.release()
            stopping.check()
            self._note(pings=tuple(self._post.ping("start")))
            message = self._work()
            stopping.hold()
        except Stopped:
            stopping.hold()
        stop = stopping.asked()  # also one that was swallowed
        if stop is not None:
            message = self._stopped(stop)
        assert message is not None  # noqa: S101 - without a stop the work has come to its message
        return self._finish(message)

    def _work(self) -> Message:
        """Gate and run; the message that says how they ended. Every error ends up in the log."""
        options = self._options
        try:
            with self._timed("gate"):
                profile = portfolio.read_profile(self._workspace, options.run.profile)
                self._profile = profile
                self._note(
                    digests=Digests(profile=profile.sha256),
                    profile=ProfileReference(profile.name, profile.version, profile.sha256),
                )
                asked = replace(options.run, secrets=options.secrets)
                stages = run_orchestrator.run(self._workspace, profile, asked, instant=self._instant)
                run = next(stages)
                self._note_gate(run)
            with self._timed("run"):
                summary = self._follow(run, stages)
        except ProfileError as error:
            self._fail(EXIT_MISMATCH, error.code, str(error), problems=error.problems, has_errors=False)
            return ops_notifier.profile_failure(self._occasion, error.problems or (str(error),), self._report())
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
        below, restated = self._report(), {item.symbol: item.text for item in summary.gate_result.restatements}
        if failures:
            told = ops_notifier.symbol_failure(self._occasion, failures, below, recommendation=recommendation)
        elif restated:
            told = ops_notifier.restated(self._occasion, restated, below, recommendation=recommendation)
        else:
            # A clean dry run on a terminal is the one line: the board follows it there.
            line = self._options.run.dry_run and not self._post.durable
            told = ops_notifier.success(self._occasion, None if line else below, recommendation=recommendation)
        return ops_notifier.with_alerts(self._with_notes(told), alerts)

    def _with_notes(self, message: Message) -> Message:
        """The message with what the gate reports beside its verdict."""
        return ops_notifier.with_lines(message, self._reported())

    def _reported(self) -> list[str]:
        """What the gate reports beside its verdict."""
        decision, rehearsal = self._decision, self._options.run.rehearsal
        lines = [f"Rehearsal {rehearsal}: nothing may be traded on it"] if rehearsal else []
        if decision is not None:
            lines += [f"{note.code}: {note.text}" for note in decision.notes]
            lines += [lock_text(lock) for lock in decision.locks if not (lock.held or lock.enforced)]
        return lines

    def _report(self) -> ops_notifier.Report:
        held = last_held(self._workspace, self._earlier) if self._log.aborted else ()
        return report(self._log, compared_with(self._earlier), self._decision, self._summary, held)

    def _note(self, **known: Any) -> None:
        """Put what is known now into the log."""
        self._log = replace(self._log, **known)

    def _retain(self) -> None:
        options = self._options
        if not options.run.dry_run and self._post.durable:
            outbox.clear(outbox.folder_of(self._workspace))
        own = {self._path.name}
        if self._log.summary_path is not None:
            own.add(Path(self._log.summary_path).name)
        done = retain(self._workspace, options.retention, instant=self._instant, dry_run=options.run.dry_run, own=own)
        self._note(retention=done)
        self._warnings += [f"retention: {problem}" for problem in done.problems]

    def _note_gate(self, run: Run) -> None:
        decision = self._decision = run.decision
        self._note(
            gate_passed=decision.passed,
            portfolio_recommendation=decision.recommendation,
            gate={
                item.symbol: OpsGateSymbol(
                    item.expected,
                    item.actual,
                    item.passed,
                    **asdict(self._state(run, item.symbol)),
                    reference_to=None if item.data_to is None else item.data_to.reference,
                    metrics=item.metrics,
                    locked=None if item.locked is None else item.locked.metrics,
                    most_drift=None if self._profile is None else standing.most_drift(item, self._profile),
                )
                for item in decision.symbol_results
            },
            locks=decision.locks,
            restatements=decision.restatements,
            notes=decision.notes,
            signed_by=decision.signed_by,
            digests=run_orchestrator.decision_digests(decision),
        )

    def _state(self, run: Run, symbol: str) -> SymbolState:
        found = run.watched.get(symbol)
        return SymbolState() if found is None else found.state

    def _follow(self, run: Run, stages: Iterator[Run]) -> RunSummary:
        """Go through a run behind its gate; the summary once everything is written. Raises what ends the run."""
        for stage in self._show(stages):
            run = stage
            stopping.check()
            if run.summary is not None and run.summary_path is None:
                stopping.hold()  # settling and persisting are not torn apart
            if run.summary is not None:
                results = run.summary.symbol_run_results
                ran = {item.symbol: OpsRunSymbol(item.status, item.reason) for item in results}
                self._note(run=ran, digests=run.summary.digests)
            if run.summary_path is not None:
                written = digests.sha256_file(run.summary_path)
                self._note(summary_path=self._workspace.relative(run.summary_path), summary_sha256=written)
        if run.not_kept:
            self._warnings.append(f"the bars of this pass were not kept: {run.not_kept}")
        return run.finished()

    def _refusal(self, error: GateRefused) -> Message:
        decision = self._decision
        if decision is None:
            return ops_notifier.profile_failure(self._occasion, [str(error)], self._report())
        mismatches = [
            ops_notifier.GateLine(
                item.symbol, item.expected, item.actual, "; ".join(reason.text for reason in item.telling_first)
            )
            for item in decision.symbol_results
            if not item.passed
        ]
        others = broken_locks(decision.locks)
        others += [f"{problem.code}: {problem.text}" for problem in decision.problems]
        told = ops_notifier.gate_failure(
            self._occasion, mismatches, others, self._report(), recommendation=decision.recommendation
        )
        return self._with_notes(told)

    def _broken(self, code: str, text: str) -> Message:
        self._fail(EXIT_ERROR, code, text)
        return ops_notifier.runner_error(self._occasion, self._clean(text), self._report())

    def _fail(
        self, exit_code: int, code: str, text: str, *, problems: tuple[str, ...] = (), has_errors: bool = True
    ) -> None:
        error = OpsError(code, self._clean(text), tuple(self._clean(problem) for problem in problems))
        self._note(exit_code=exit_code, has_errors=has_errors, error=error)

    def _stopped(self, stop: Stopped) -> Message:
        """The run was asked to end: what it has put on record stays, and the log says that it was stopped."""
        done = self._log.summary_path is not None or not self._log.aborted
        text = f"{stop} {'after the run had completed' if done else 'before the run had completed'}"
        self._fail(stop.exit_code, stopping.CODE, text)
        return ops_notifier.stopped(self._occasion, text, self._report())

    def _finish(self, message: Message) -> WeeklyOutcome:
        """Outbox, log, delivery, retention, log again; signals are held but while the network is waited for.

        The message is in the outbox before the log says that the run has ended, so that no run which
        ended on record can go unannounced.
        """
        message = self._unless_unchanged(message)
        message = replace(message, text=ops_notifier.redact(message.text, self._options.secrets))
        waiting = self._post.put(message)
        if not self._write_log():
            if waiting is not None:
                outbox.withdraw(waiting)
            message = self._broken("WRITE_FAILED", self._warnings[-1])
            waiting = self._post.put(message)
        with self._timed("notification"):
            notification = self._deliver(message, waiting)
        if stopping.asked() is None:
            with self._timed("retention"):
                self._retain()
        self._note(notification=notification.record, late=tuple(late.record for late in self._post.late))
        stopping.ignore()
        late_stop = stopping.asked()
        if late_stop is not None and self._log.exit_code < _STOPPED:
            self._stopped(late_stop)
        self._write_log()
        self._write_metrics()
        good = self._log.exit_code == EXIT_OK and not self._log.has_errors
        took = round(sum(self._log.durations.values()))
        pings = self._post.ping("success" if good else "failure", notification.text, after=took)
        if pings:
            self._note(pings=(*self._log.pings, *pings))
            self._write_log()
        return WeeklyOutcome(
            log=self._log,
            log_path=self._path,
            profile=self._profile,
            decision=self._decision,
            summary=self._summary,
            notification=notification,
            warnings=tuple(dict.fromkeys(map(self._clean, (*self._warnings, *self._post.warnings)))),
        )

    def _write_metrics(self) -> None:
        path = self._options.metrics
        if path is None:
            return
        waiting = len(outbox.names(outbox.folder_of(self._workspace)))
        try:
            store.write_atomic(path, metrics.textfile(self._log, self._earlier, waiting=waiting).encode())
        except CtlError as error:
            self._warnings.append(f"the metrics cannot be written: {error}")

    def _unless_unchanged(self, message: Message) -> Message:
        """The heartbeat in place of an alert that the channel has already had; any other message as it is."""
        if not self._post.durable or message.level == "info":
            return message
        found = announced(self._log, self._earlier)
        if found is None:
            return message
        return ops_notifier.heartbeat(message, since=f"{found.since:%Y-%m-%d}", runs=found.runs)

    def _deliver(self, message: Message, waiting: outbox.Waiting | None) -> DeliveryResult:
        """Deliver the message, and what earlier runs left. A signal ends the waiting; the outbox keeps the message."""
        stopped = stopping.asked() is not None
        try:
            stopping.release()
            try:
                result = self._post.deliver(message, waiting, hasty=stopped)
                if result.delivered and not stopped:
                    self._post.deliver_late()
            finally:
                stopping.hold()
        except Stopped as stop:
            mode, level = self._options.notify, message.level
            error = f"{stop} while it was delivered; it waits in the outbox"
            return DeliveryResult(mode, level, message.text, False, 0, None, error, message.idempotency_key)
        return result

    def _open_log(self) -> Path:
        folder = self._workspace.ops_logs
        while True:
            # a run's summary of the same name would count as this cycle's, also one of a log that was deleted
            taken = [(folder, OPS_ENDING), (self._workspace.run_summaries, SUMMARY_ENDING)]
            stem = store.unique_stem(clock.stamp(self._instant), taken)
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
