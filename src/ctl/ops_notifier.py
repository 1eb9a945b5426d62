"""Operator notifications: typed messages, and their delivery through a channel, which never raises into the run.

A webhook's URL is a secret: what is shown of it, anywhere, is its host and a short digest. Deliveries
are bounded in time whatever the server does, and carry an idempotency key that a retry repeats.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from ctl import clock
from ctl.channels import channel_of
from ctl.channels._web import is_loopback, judge, quiet_http_logs, shown_target, url_problem
from ctl.channels.webhook import URL_VARIABLES
from ctl.model.notifications import DeliveryLimits, DeliveryResult, Kind, Message, Route, outcome
from ctl.model.notify import NotifyMode
from ctl.model.run import Level

_TAGS: Final[dict[Level, str]] = {"info": "[OK]", "warn": "[WARN]", "alert": "[ALERT]"}
_REDACTED: Final = "[redacted]"
MOST_LINES: Final = 12
_MOST_OF_A_LINE: Final = 240
_MOST_NAMED: Final = 6
_MOST_BODY: Final = 10_000


# ---------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True)
class Occasion:
    """What every message says of its run."""

    cycle_id: str
    instant: datetime
    dry_run: bool
    simulated: bool = False

    @property
    def mode(self) -> str:
        """`dry-run` or `real`."""
        return "dry-run" if self.dry_run else "real"

    def meta(self, kind: Kind, **more: Any) -> dict[str, Any]:
        """The part of `meta` that every message has, and `more`."""
        return {
            "kind": kind,
            "cycle_id": self.cycle_id,
            "timestamp": clock.iso(self.instant),
            "mode": self.mode,
            "simulated": self.simulated,
            **more,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a message says below its first line, a line each; empty ones are left out. log_head: of the decision log.
    signed_by: who of the profile's signers signed the lock in force.
    """

    verdict: str = ""
    board: str = ""
    money: str = ""
    changed: str = ""
    log_head: str | None = None
    next_command: str = ""
    signed_by: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """In the order in which they are read."""
        head = "" if self.log_head is None else f"decision log {self.log_head[:8]}"
        head += f", signed by {', '.join(self.signed_by)}" if self.signed_by else ""
        following = f"next: {self.next_command}" if self.next_command else ""
        return tuple(filter(None, (self.verdict, self.board, self.money, self.changed, head, following)))


@dataclass(frozen=True, slots=True)
class GateLine:
    """One gating symbol in a gate failure."""

    symbol: str
    expected: str
    actual: str
    reason: str


def success(occasion: Occasion, report: Report | None = None, *, recommendation: str) -> Message:
    """A run that completed without any symbol's error."""
    head = f"Portfolio run completed successfully. Gate: PASS. Mode: {occasion.mode}."
    return _message(occasion, "success", "info", head, (), report, recommendation=recommendation)


def symbol_failure(
    occasion: Occasion, failures: Mapping[str, str], report: Report | None = None, *, recommendation: str
) -> Message:
    """A run that completed, with the reason of each symbol that failed."""
    count = f"{len(failures)} symbol{'s' if len(failures) != 1 else ''}"
    head = f"Portfolio run completed with errors in {count}. Gate: PASS. Mode: {occasion.mode}."
    lines = [f"{symbol}: {reason}" for symbol, reason in failures.items()]
    return _message(
        occasion, "symbol_failure", "warn", head, lines, report, recommendation=recommendation, symbols=list(failures)
    )


def restated(
    occasion: Occasion, histories: Mapping[str, str], report: Report | None = None, *, recommendation: str
) -> Message:
    """A run that completed on locked history that reads otherwise now: what changed, per symbol."""
    named = [*histories][:_MOST_NAMED]
    more = f" and {len(histories) - len(named)} more" if len(histories) > len(named) else ""
    head = f"History restated: {', '.join(named)}{more}. Gate: PASS. Mode: {occasion.mode}."
    return _message(
        occasion, "restated", "warn", head, [*histories.values()], report,
        recommendation=recommendation, symbols=list(histories),
    )  # fmt: skip


def with_alerts(message: Message, alerts: Sequence[str]) -> Message:
    """The message of a completed run with what a person must look at in its orders; as it is where there is nothing."""
    if not alerts:
        return message
    head, *rest = message.text.replace(_TAGS[message.level], _TAGS["alert"], 1).split("\n")
    lines = _at_most(head, alerts, rest)
    return replace(message, level="alert", text="\n".join(lines), meta={**message.meta, "alerts": len(alerts)})


def with_lines(message: Message, lines: Sequence[str]) -> Message:
    """The message with further lines, one each."""
    return replace(message, text="\n".join([message.text, *(_one_line(line) for line in lines)]))


def gate_failure(
    occasion: Occasion,
    mismatches: Sequence[GateLine],
    others: Sequence[str] = (),
    report: Report | None = None,
    *,
    recommendation: str,
) -> Message:
    """A refused run: expected and actual per mismatching symbol with the reason, and what else failed."""
    head = f"Portfolio run aborted. Gate: MISMATCH. Mode: {occasion.mode}."
    lines = [
        f"{line.symbol}: expected {line.expected}, actual {line.actual}" + (f" ({line.reason})" if line.reason else "")
        for line in mismatches
    ]
    return _message(
        occasion, "gate_failure", "alert", head, [*lines, *others], report, recommendation=recommendation,
        symbols={line.symbol: {"expected": line.expected, "actual": line.actual} for line in mismatches},
    )  # fmt: skip


def profile_failure(occasion: Occasion, problems: Sequence[str], report: Report | None = None) -> Message:
    """A refused run because the operating profile cannot be used."""
    head = f"Portfolio run aborted. Gate: PROFILE INVALID. Mode: {occasion.mode}."
    return _message(occasion, "gate_failure", "alert", head, problems, report)


def runner_error(occasion: Occasion, error: str, report: Report | None = None) -> Message:
    """A run that ended in an error of its own."""
    head = f"Portfolio run failed. Mode: {occasion.mode}. {_one_line(error)}"
    return _message(occasion, "runner_error", "alert", head, (), report)


def stopped(occasion: Occasion, text: str, report: Report | None = None) -> Message:
    """A run that a signal ended. text: which signal, and how far the run had come."""
    head = f"Portfolio run {_one_line(text)}. Mode: {occasion.mode}."
    return _message(occasion, "stopped", "alert", head, (), report)


def not_started(occasion: Occasion, error: str, code: str) -> Message:
    """A run that could not begin."""
    head = f"Portfolio run not started. Mode: {occasion.mode}. {_one_line(error)}"
    following = Report(next_command="ctl status" if code == "WORKSPACE_BUSY" else "ctl doctor")
    return _message(occasion, "not_started", "alert", head, (), following, code=code)


def heartbeat(message: Message, *, since: str, runs: int) -> Message:
    """In place of an alert that would say once more what the last one said: the same facts, one level lower.

    since: the day from which it has been so; runs: how many cycles have ended so, this one included.
    """
    head, *rest = message.text.split("\n")
    _, _, verdict = head.partition(" ")
    lines = _at_most(f"{_TAGS['warn']} {verdict}", [f"Unchanged since {since}, run {runs} in a row"], rest)
    meta = {**message.meta, "unchanged_since": since, "runs": runs}
    return Message(message.kind, "warn", "\n".join(lines), meta)


def _message(
    occasion: Occasion, kind: Kind, level: Level, head: str, why: Sequence[str], report: Report | None, **meta: Any
) -> Message:
    lines = _at_most(f"{_TAGS[level]} {head}", why, () if report is None else report.lines)
    return Message(kind, level, "\n".join(lines), occasion.meta(kind, **meta))


def _at_most(head: str, why: Sequence[str], rest: Sequence[str]) -> list[str]:
    """The lines of a message that a phone shows: of many reasons the first, and how many more there are."""
    room = max(1, MOST_LINES - 1 - len(rest))
    shown = [_short(line) for line in (why if len(why) <= room else why[: room - 1])]
    if len(why) > room:
        shown.append(f"and {len(why) - room + 1} more")
    return [head, *shown, *rest]


def _short(text: str) -> str:
    text = _one_line(text)
    return text if len(text) <= _MOST_OF_A_LINE else f"{text[: _MOST_OF_A_LINE - 3]}..."


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------- secrets


def resolve_url(argument: str | None, environment: Mapping[str, str]) -> str | None:
    """The webhook's URL: the argument, CTL_OPS_WEBHOOK_URL, OPS_WEBHOOK_URL, or None; empty counts as absent."""
    for value in (argument, *(environment.get(name) for name in URL_VARIABLES)):
        if value and value.strip():
            return value.strip()
    return None


def redact(text: str, secrets: Sequence[str]) -> str:
    """`text` without any of the secrets: whole URLs, and their user, password, path and query."""
    for secret in sorted(_secret_parts(secrets), key=len, reverse=True):
        text = text.replace(secret, _REDACTED)
    return text


def _secret_parts(secrets: Sequence[str]) -> set[str]:
    parts: set[str] = set()
    for secret in secrets:
        parts.add(secret)
        try:
            split = urlsplit(secret)
            found = [split.path, split.query, split.username or "", split.password or ""]
        except ValueError:
            continue
        found += split.path.split("/")
        # Shorter parts (`services`, `api`) are no secrets, and blotting them out would spoil the text.
        parts.update(part for part in found if len(part) >= 12)
    return {part for part in parts if part}


# ---------------------------------------------------------------- delivery


def notify(message: Message, *, mode: NotifyMode, route: Route) -> DeliveryResult:
    """Deliver a message through the channel of that mode; never raises."""
    text = redact(message.text, [*route.urls, *([route.url] if route.url else [])])
    message = Message(message.kind, message.level, text, message.meta)
    try:
        channel = channel_of(mode)
        if channel is None:
            return outcome(message, mode, delivered=False, attempts=0)
        return channel.deliver(message, route)
    except Exception as error:  # noqa: BLE001 - a notification must not change the outcome of a run
        target = shown_target(route.url) if route.url else None
        return outcome(message, mode, delivered=False, attempts=0, target=target, error=type(error).__name__)


def ping(
    url: str,
    signal: Literal["start", "success", "failure"],
    *,
    run_id: str = "",
    body: str = "",
    limits: DeliveryLimits | None = None,
) -> str | None:
    """Tell a dead-man's switch (healthchecks style: `/start`, nothing, `/fail`) of a run; one bounded attempt.

    run_id: a UUID that the switch pairs start and end by (`?rid=`). body: what it keeps beside the ping.
    Never raises; returns why it failed, without the URL, or None.
    """
    problem = url_problem(url)
    if problem is not None:
        return problem.replace("webhook", "ping")
    split = urlsplit(url)
    ending = {"start": "/start", "success": "", "failure": "/fail"}[signal]
    query = "&".join(part for part in (split.query, f"rid={run_id}" if run_id else "") if part)
    target = split._replace(path=split.path.rstrip("/") + ending, query=query).geturl()
    bounds = limits or DeliveryLimits(connect=2.0, read=2.0, total=4.0)
    text = redact(body, [url]).encode()[:_MOST_BODY]
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(_ping(target, text, bounds)), name="ctl-ping", daemon=True)
    thread.start()
    thread.join(bounds.total)
    return found[0] if found else f"no answer within {bounds.total:g} s"


def _ping(target: str, body: bytes, limits: DeliveryLimits) -> str | None:
    try:
        import httpx

        quiet_http_logs()
        timeout = httpx.Timeout(limits.read, connect=limits.connect)
        direct = is_loopback(urlsplit(target).hostname or "")
        with (
            httpx.Client(timeout=timeout, follow_redirects=False, trust_env=not direct) as client,
            client.stream(
                "POST", target, content=body, headers={"Content-Type": "text/plain; charset=utf-8"}
            ) as response,
        ):
            answer = judge(response.status_code, response.headers)
    except Exception as error:  # noqa: BLE001 - a dead switch must not change the outcome of a run
        return type(error).__name__
    return None if answer.ok else answer.error
