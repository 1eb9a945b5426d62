"""Operator notifications: typed messages, and transports that never raise into the run.

A webhook's URL is a secret: what is shown of it, anywhere, is its host and a short digest. Deliveries
are bounded in time whatever the server does, and carry an idempotency key that a retry repeats.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO
from urllib.parse import urlsplit

from ctl.digests import digest, sha256_bytes
from ctl.model.run import Level, NotificationDocument, instant_text

if TYPE_CHECKING:
    import httpx

Mode = Literal["none", "stdout", "webhook"]
Kind = Literal["success", "symbol_failure", "gate_failure", "runner_error"]

URL_VARIABLES: Final = ("CTL_OPS_WEBHOOK_URL", "OPS_WEBHOOK_URL")
MAX_TEXT: Final = 2900

_TAGS: Final[dict[Level, str]] = {"info": "[OK]", "warn": "[WARN]", "alert": "[ALERT]"}
_REDACTED: Final = "[redacted]"
_NO_WAIT: Final = 0.001  # a backoff of zero would read as "do not try again"


# ---------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True)
class Message:
    """One notification. `meta` is JSON-ready and goes into the webhook's payload as it is."""

    kind: Kind
    level: Level
    text: str
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt to deliver this message, and for no other message."""
        return digest({"kind": self.kind, "text": self.text, "meta": dict(self.meta)})[:32]


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
            "timestamp": instant_text(self.instant),
            "mode": self.mode,
            "simulated": self.simulated,
            **more,
        }


@dataclass(frozen=True, slots=True)
class GateLine:
    """One gating symbol in a gate failure."""

    symbol: str
    expected: str
    actual: str
    reason: str


def success(occasion: Occasion, *, recommendation: str) -> Message:
    """A run that completed without any symbol's error."""
    text = f"{_TAGS['info']} Portfolio run completed successfully. Gate: PASS. Mode: {occasion.mode}."
    return Message("success", "info", text, occasion.meta("success", recommendation=recommendation))


def symbol_failure(occasion: Occasion, failures: Mapping[str, str], *, recommendation: str) -> Message:
    """A run that completed, with the reason of each symbol that failed."""
    count = f"{len(failures)} symbol{'s' if len(failures) != 1 else ''}"
    head = f"{_TAGS['warn']} Portfolio run completed with errors in {count}. Gate: PASS. Mode: {occasion.mode}."
    lines = [f"{symbol}: {_one_line(reason)}" for symbol, reason in failures.items()]
    meta = occasion.meta("symbol_failure", recommendation=recommendation, symbols=list(failures))
    return Message("symbol_failure", "warn", "\n".join([head, *lines]), meta)


def gate_failure(
    occasion: Occasion, mismatches: Sequence[GateLine], others: Sequence[str] = (), *, recommendation: str
) -> Message:
    """A refused run: expected and actual per mismatching symbol with the reason, and what else failed."""
    head = f"{_TAGS['alert']} Portfolio run aborted. Gate: MISMATCH. Mode: {occasion.mode}."
    lines = [
        f"{line.symbol}: expected {line.expected}, actual {line.actual}"
        + (f" ({_one_line(line.reason)})" if line.reason else "")
        for line in mismatches
    ]
    lines += [_one_line(other) for other in others]
    meta = occasion.meta(
        "gate_failure",
        recommendation=recommendation,
        symbols={line.symbol: {"expected": line.expected, "actual": line.actual} for line in mismatches},
    )
    return Message("gate_failure", "alert", "\n".join([head, *lines]), meta)


def profile_failure(occasion: Occasion, problems: Sequence[str]) -> Message:
    """A refused run because the operating profile cannot be used."""
    head = f"{_TAGS['alert']} Portfolio run aborted. Gate: PROFILE INVALID. Mode: {occasion.mode}."
    lines = [_one_line(problem) for problem in problems]
    return Message("gate_failure", "alert", "\n".join([head, *lines]), occasion.meta("gate_failure"))


def runner_error(occasion: Occasion, error: str) -> Message:
    """A run that ended in an error of its own."""
    text = f"{_TAGS['alert']} Portfolio run failed. Mode: {occasion.mode}. {_one_line(error)}"
    return Message("runner_error", "alert", text, occasion.meta("runner_error"))


def heartbeat(message: Message, *, since: str) -> Message:
    """In place of an alert that would say once more what the last one said: the same facts, one level lower."""
    _, _, facts = message.text.partition(" ")
    text = f"{_TAGS['warn']} Unchanged since {since}. {facts}"
    return Message(message.kind, "warn", text, {**message.meta, "unchanged_since": since})


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------- secrets


def resolve_url(argument: str | None, environment: Mapping[str, str]) -> str | None:
    """The webhook's URL: the argument, CTL_OPS_WEBHOOK_URL, OPS_WEBHOOK_URL, or None; empty counts as absent."""
    for value in (argument, *(environment.get(name) for name in URL_VARIABLES)):
        if value and value.strip():
            return value.strip()
    return None


def shown_target(url: str) -> str:
    """What may be shown of a URL: its host and 8 digits of its digest."""
    try:
        host = urlsplit(url).hostname or "?"
    except ValueError:
        host = "?"
    if not all(char.isalnum() or char in ".-:" for char in host):
        host = "?"
    return f"{host}#{sha256_bytes(url.encode())[:8]}"


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


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How a notification went. `target` shows host and short digest only; `error` is None where delivered.

    permanent: not delivered, and trying again would not help.
    """

    mode: Mode
    level: Level
    text: str
    delivered: bool
    attempts: int
    target: str | None
    error: str | None
    idempotency_key: str
    permanent: bool = False

    def to_document(self) -> NotificationDocument:
        """JSON-ready."""
        return {
            "mode": self.mode,
            "level": self.level,
            "text": self.text,
            "delivered": self.delivered,
            "attempts": self.attempts,
            "target": self.target,
            "error": self.error,
            "idempotency_key": self.idempotency_key,
        }


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Bounds of one delivery, in seconds and attempts. `total` holds whatever the server does."""

    attempts: int = 4
    connect: float = 3.0
    read: float = 5.0
    total: float = 15.0
    backoff_first: float = 0.25
    backoff_most: float = 4.0
    retry_after_most: float = 8.0


def notify(
    message: Message,
    *,
    mode: Mode,
    url: str | None = None,
    stream: TextIO | None = None,
    limits: DeliveryLimits = DeliveryLimits(),
) -> DeliveryResult:
    """Deliver a message; never raises. url: of the webhook; stream: where mode `stdout` prints.

    Transient failures (connection, timeout, 5xx, 429 after its Retry-After) are tried again with
    jittered backoff within the limits; other answers are permanent.
    """
    secrets = [url] if url else []
    text = redact(message.text, secrets)
    message = Message(message.kind, message.level, text, message.meta)
    try:
        if mode == "none":
            return _result(message, mode, delivered=False, attempts=0)
        if mode == "stdout":
            if stream is None:
                return _result(message, mode, delivered=False, attempts=0, error="no stream to print to")
            print(text, file=stream, flush=True)
            return _result(message, mode, delivered=True, attempts=1)
        if url is None:
            missing = f"no webhook URL: pass --webhook-url or set {' or '.join(URL_VARIABLES)}"
            return _result(message, mode, delivered=False, attempts=0, error=missing)
        problem = url_problem(url)
        if problem is not None:
            return _result(
                message, mode, delivered=False, attempts=0, target=shown_target(url), error=problem, permanent=True
            )
        return _Delivery(message, url, limits).run()
    except Exception as error:  # noqa: BLE001 - a notification must not change the outcome of a run
        target = shown_target(url) if url else None
        return _result(message, mode, delivered=False, attempts=0, target=target, error=type(error).__name__)


def url_problem(url: str) -> str | None:
    """Why `url` is no webhook to post to, or None. Plain http is for the loopback interface alone."""
    try:
        split = urlsplit(url)
        host, _ = split.hostname, split.port
    except ValueError:
        return "the webhook URL cannot be parsed"
    if not host:
        return "the webhook URL names no host"
    if split.scheme == "https" or (split.scheme == "http" and _is_loopback(host)):
        return None
    return "the webhook URL must be https (http only on the loopback interface)"


def split_text(text: str, limit: int = MAX_TEXT) -> tuple[str, ...]:
    """`text` in parts of at most `limit` characters, cut between lines where a line fits."""
    parts: list[str] = []
    part = ""
    for line in text.split("\n"):
        while True:
            joined = f"{part}\n{line}" if part else line
            if len(joined) <= limit:
                part = joined
                break
            if part:
                parts.append(part)
                part = ""
            else:
                parts.append(line[:limit])
                line = line[limit:]  # noqa: PLW2901 - the rest of an overlong line goes into the next part
    return (*parts, part) if part or not parts else tuple(parts)


def payload(message: Message, part: str, number: int, count: int) -> dict[str, Any]:
    """The JSON that is posted: Slack reads `text` and ignores the rest."""
    key = message.idempotency_key if count == 1 else f"{message.idempotency_key}-{number}"
    meta = {**message.meta, "idempotency_key": key, "part": number, "parts": count}
    return {"text": part, "level": message.level, "meta": meta}


def _result(
    message: Message,
    mode: Mode,
    *,
    delivered: bool,
    attempts: int,
    target: str | None = None,
    error: str | None = None,
    permanent: bool = False,
) -> DeliveryResult:
    return DeliveryResult(
        mode, message.level, message.text, delivered, attempts, target, error, message.idempotency_key, permanent
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Answer:
    """One attempt: ok, or the error and how long the server wants us to wait (None: our own backoff)."""

    ok: bool
    error: str = ""
    permanent: bool = False
    wait: float | None = None


class _TransientError(Exception):
    """An attempt that failed in a way that may pass."""

    def __init__(self, answer: _Answer) -> None:
        super().__init__(answer.error)
        self.answer = answer


class _Delivery:
    """Posts the parts of one message in a thread that is given up when the total time is over.

    httpx bounds each read, not the whole answer; a server that drips bytes would otherwise hold the run.
    """

    def __init__(self, message: Message, url: str, limits: DeliveryLimits) -> None:
        self._message, self._url, self._limits = message, url, limits
        self._attempts = 0
        self._answer = _Answer(False, f"no answer within {limits.total:g} s")
        self._deadline = 0.0
        self._abandoned = threading.Event()

    def run(self) -> DeliveryResult:
        self._deadline = time.monotonic() + self._limits.total
        thread = threading.Thread(target=self._post_all, name="ctl-webhook", daemon=True)
        thread.start()
        thread.join(self._limits.total)
        if thread.is_alive():
            self._abandoned.set()
            answer = _Answer(False, f"no answer within {self._limits.total:g} s")
        else:
            answer = self._answer
        return _result(
            self._message,
            "webhook",
            delivered=answer.ok,
            attempts=self._attempts,
            target=shown_target(self._url),
            error=None if answer.ok else answer.error,
            permanent=answer.permanent,
        )

    def _post_all(self) -> None:
        try:
            import httpx

            _quiet_http_logs()
            parts = split_text(self._message.text)
            timeout = httpx.Timeout(self._limits.read, connect=self._limits.connect)
            host = urlsplit(self._url).hostname or ""
            with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=not _is_loopback(host)) as client:
                for number, part in enumerate(parts, start=1):
                    body = payload(self._message, part, number, len(parts))
                    self._answer = self._post_until_answered(client, body)
                    if not self._answer.ok:
                        return
        except Exception as error:  # noqa: BLE001 - the thread has nobody to raise to
            self._answer = _Answer(False, type(error).__name__)

    def _post_until_answered(self, client: httpx.Client, body: dict[str, Any]) -> _Answer:
        import stamina
        from stamina import instrumentation

        # Its own hook would log to stderr, where a run's document or a person's board stands.
        instrumentation.set_on_retry_hooks([])
        limits = self._limits
        try:
            for attempt in stamina.retry_context(
                on=self._backoff,
                attempts=limits.attempts,
                timeout=limits.total,
                wait_initial=limits.backoff_first,
                wait_max=limits.backoff_most,
                wait_jitter=limits.backoff_first,
            ):
                with attempt:
                    self._attempts += 1
                    answer = self._post(client, body)
                    if answer.ok or answer.permanent:
                        return answer
                    raise _TransientError(answer)
        except _TransientError as error:
            return error.answer
        raise AssertionError("a retry context ends by returning or raising")

    def _backoff(self, error: Exception) -> bool | float:
        """Whether to try again, and where the server says when, after how many seconds."""
        if not isinstance(error, _TransientError) or self._abandoned.is_set():
            return False
        wait = error.answer.wait
        if wait is None:
            return True
        if wait > self._limits.retry_after_most or time.monotonic() + wait >= self._deadline:
            return False
        return max(wait, _NO_WAIT)

    def _post(self, client: httpx.Client, body: dict[str, Any]) -> _Answer:
        import httpx

        headers = {"Content-Type": "application/json", "Idempotency-Key": body["meta"]["idempotency_key"]}
        try:
            # The answer's body says nothing we use: it is never read, so it cannot be too long.
            with client.stream("POST", self._url, content=json.dumps(body).encode(), headers=headers) as response:
                return _judge(response.status_code, response.headers)
        except httpx.TimeoutException:
            return _Answer(False, "timeout")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return _Answer(False, "the webhook URL cannot be used", permanent=True)
        except httpx.HTTPError as error:
            return _Answer(False, f"connection failed ({type(error).__name__})")


def _judge(status: int, headers: Mapping[str, str]) -> _Answer:
    if 200 <= status < 300:
        return _Answer(True)
    if status == 429:
        return _Answer(False, "HTTP 429", wait=_retry_after(headers))
    if status >= 500:
        return _Answer(False, f"HTTP {status}", wait=_retry_after(headers) if status == 503 else None)
    if 300 <= status < 400:
        return _Answer(False, f"HTTP {status}: a redirect, which is not followed", permanent=True)
    return _Answer(False, f"HTTP {status}", permanent=True)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; a date counts from the answer's own Date. None where absent or unreadable."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 6:
        return float(text)
    try:
        until, sent = (parsedate_to_datetime(value) for value in (text, headers.get("Date", "")))
        return max(0.0, (until - sent).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def ping(
    url: str, signal: Literal["start", "success", "failure"], *, limits: DeliveryLimits | None = None
) -> str | None:
    """Tell a dead-man's switch (healthchecks style: `/start`, nothing, `/fail`) of a run; one bounded attempt.

    Never raises; returns why it failed, without the URL, or None.
    """
    problem = url_problem(url)
    if problem is not None:
        return problem.replace("webhook", "ping")
    split = urlsplit(url)
    ending = {"start": "/start", "success": "", "failure": "/fail"}[signal]
    target = split._replace(path=split.path.rstrip("/") + ending).geturl()
    bounds = limits or DeliveryLimits(connect=2.0, read=2.0, total=4.0)
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(_ping(target, bounds)), name="ctl-ping", daemon=True)
    thread.start()
    thread.join(bounds.total)
    return found[0] if found else f"no answer within {bounds.total:g} s"


def _ping(target: str, limits: DeliveryLimits) -> str | None:
    try:
        import httpx

        _quiet_http_logs()
        timeout = httpx.Timeout(limits.read, connect=limits.connect)
        direct = _is_loopback(urlsplit(target).hostname or "")
        with (
            httpx.Client(timeout=timeout, follow_redirects=False, trust_env=not direct) as client,
            client.stream("GET", target) as response,
        ):
            answer = _judge(response.status_code, response.headers)
    except Exception as error:  # noqa: BLE001 - a dead switch must not change the outcome of a run
        return type(error).__name__
    return None if answer.ok else answer.error


class _UrlFilter(logging.Filter):
    """httpx logs every request with its whole URL; of that only the host may stand in a log."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_shown_argument(argument) for argument in record.args)
        return True


def _shown_argument(argument: Any) -> Any:
    text = str(argument)
    return shown_target(text) if text.startswith(("http://", "https://")) else argument


def _quiet_http_logs() -> None:
    logger = logging.getLogger("httpx")
    if not any(isinstance(item, _UrlFilter) for item in logger.filters):
        logger.addFilter(_UrlFilter())
