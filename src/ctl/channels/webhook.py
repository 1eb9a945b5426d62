"""A Slack-compatible webhook: POST of `{"text", "level", "meta"}`, long texts in several parts.

Transient failures (connection, timeout, 5xx, 429 after its Retry-After) are tried again with jittered backoff within
the limits; other answers are permanent.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ctl.channels import apprise
from ctl.channels._web import (
    Answer,
    is_loopback,
    judge,
    quiet_http_logs,
    said_in_words,
    shown_target,
    url_problem,
)
from ctl.model.notifications import DeliveryLimits, DeliveryResult, Message, Route, outcome

if TYPE_CHECKING:
    import httpx

    from ctl.model.notify import NotifyMode

name: Final[NotifyMode] = "webhook"
durable: Final = True

URL_VARIABLES: Final = ("CTL_OPS_WEBHOOK_URL", "OPS_WEBHOOK_URL")
MAX_TEXT: Final = 2900

_MOST_READ: Final = 4096
_MOST_WAIT: Final = 1.0
_NO_WAIT: Final = 0.001  # a backoff of zero would read as "do not try again"


def deliver(message: Message, route: Route) -> DeliveryResult:
    """Post the message to `route.url`, and where Apprise URLs are set, send it there too."""
    if not route.urls:
        return _deliver(message, route)
    others = apprise.deliver(message, route)
    if route.url is None or shown_target(route.url) in route.served:
        return replace(others, mode=name)
    ours = _deliver(message, route)
    failed = [result for result in (ours, others) if not result.delivered]
    return outcome(
        message,
        name,
        delivered=not failed,
        attempts=ours.attempts + others.attempts,
        target=", ".join(filter(None, (ours.target, others.target))),
        error="; ".join(f"{result.target}: {result.error}" for result in failed) or None,
        permanent=bool(failed) and all(result.permanent for result in failed),
        served=(*ours.served, *others.served),
    )


def _deliver(message: Message, route: Route) -> DeliveryResult:
    if route.url is None:
        missing = f"no webhook URL: pass --webhook-url or set {' or '.join(URL_VARIABLES)}"
        return outcome(message, name, delivered=False, attempts=0, error=missing)
    problem = url_problem(route.url)
    if problem is not None:
        target = shown_target(route.url)
        return outcome(message, name, delivered=False, attempts=0, target=target, error=problem, permanent=True)
    return _Delivery(message, route.url, route.limits).run()


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


def _beginning(response: httpx.Response) -> bytes:
    """The first bytes of an answer's body; what does not come at once, or is longer, says nothing we use."""
    import httpx

    found, until = b"", time.monotonic() + _MOST_WAIT
    try:
        for chunk in response.iter_raw(_MOST_READ):
            found += chunk
            if len(found) >= _MOST_READ or time.monotonic() > until:
                break
    except httpx.HTTPError:
        return b""
    return found[:_MOST_READ]


class _TransientError(Exception):
    """An attempt that failed in a way that may pass."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error)
        self.answer = answer


class _Delivery:
    """Posts the parts of one message in a thread that is given up when the total time is over.

    httpx bounds each read, not the whole answer; a server that drips bytes would otherwise hold the run.
    """

    def __init__(self, message: Message, url: str, limits: DeliveryLimits) -> None:
        self._message, self._url, self._limits = message, url, limits
        self._attempts = 0
        self._answer = Answer(False, f"no answer within {limits.total:g} s")
        self._deadline = 0.0
        self._abandoned = threading.Event()

    def run(self) -> DeliveryResult:
        self._deadline = time.monotonic() + self._limits.total
        thread = threading.Thread(target=self._post_all, name="ctl-webhook", daemon=True)
        thread.start()
        thread.join(self._limits.total)
        if thread.is_alive():
            self._abandoned.set()
            answer = Answer(False, f"no answer within {self._limits.total:g} s")
        else:
            answer = self._answer
        return outcome(
            self._message,
            name,
            delivered=answer.ok,
            attempts=self._attempts,
            target=shown_target(self._url),
            error=None if answer.ok else answer.error,
            permanent=answer.permanent,
            served=(shown_target(self._url),) if answer.ok else (),
        )

    def _post_all(self) -> None:
        try:
            import httpx

            quiet_http_logs()
            parts = split_text(self._message.text)
            timeout = httpx.Timeout(self._limits.read, connect=self._limits.connect)
            host = urlsplit(self._url).hostname or ""
            with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=not is_loopback(host)) as client:
                for number, part in enumerate(parts, start=1):
                    body = payload(self._message, part, number, len(parts))
                    self._answer = self._post_until_answered(client, body)
                    if not self._answer.ok:
                        return
        except Exception as error:  # noqa: BLE001 - the thread has nobody to raise to
            self._answer = Answer(False, type(error).__name__)

    def _post_until_answered(self, client: httpx.Client, body: dict[str, Any]) -> Answer:
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

    def _post(self, client: httpx.Client, body: dict[str, Any]) -> Answer:
        import httpx

        headers = {"Content-Type": "application/json", "Idempotency-Key": body["meta"]["idempotency_key"]}
        try:
            with client.stream("POST", self._url, content=json.dumps(body).encode(), headers=headers) as response:
                answer = judge(response.status_code, response.headers)
                return said_in_words(_beginning(response)) or answer if answer.ok else answer
        except httpx.TimeoutException:
            return Answer(False, "timeout")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Answer(False, "the webhook URL cannot be used", permanent=True)
        except httpx.HTTPError as error:
            return Answer(False, f"connection failed ({type(error).__name__})")
