"""What everything that speaks HTTP shares: which URLs are allowed, what is shown of them, how an answer is read."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ctl.digests import sha256_bytes


def shown_target(url: str) -> str:
    """What may be shown of a URL: its host and 8 digits of its digest."""
    try:
        host = urlsplit(url).hostname or "?"
    except ValueError:
        host = "?"
    if not all(char.isalnum() or char in ".-:" for char in host):
        host = "?"
    return f"{host}#{sha256_bytes(url.encode())[:8]}"


def url_problem(url: str) -> str | None:
    """Why `url` is no webhook to post to, or None. Plain http is for the loopback interface alone."""
    try:
        split = urlsplit(url)
        host, _ = split.hostname, split.port
    except ValueError:
        return "the webhook URL cannot be parsed"
    if not host:
        return "the webhook URL names no host"
    if split.scheme == "https" or (split.scheme == "http" and is_loopback(host)):
        return None
    return "the webhook URL must be https (http only on the loopback interface)"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Answer:
    """One attempt: ok, or the error and how long the server wants us to wait (None: our own backoff)."""

    ok: bool
    error: str = ""
    permanent: bool = False
    wait: float | None = None


def judge(status: int, headers: Mapping[str, str]) -> Answer:
    if 200 <= status < 300:
        return Answer(True)
    if status == 429:
        return Answer(False, "HTTP 429", wait=_retry_after(headers))
    if status >= 500:
        return Answer(False, f"HTTP {status}", wait=_retry_after(headers) if status == 503 else None)
    if 300 <= status < 400:
        return Answer(False, f"HTTP {status}: a redirect, which is not followed", permanent=True)
    return Answer(False, f"HTTP {status}", permanent=True)


def said_in_words(body: bytes) -> Answer | None:
    """The failure that an answer of 200 admits in its body, or None. Microsoft Teams says there what went wrong:
    `Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 ...`.
    """
    text = body.decode("utf-8", "replace")
    if "delivery failed" not in text.lower() and "endpoint returned http error" not in text.lower():
        return None
    found = re.search(r"HTTP error (\d{3})", text, re.IGNORECASE)
    status = int(found[1]) if found else 500
    answer = judge(status, {})
    return Answer(False, f"HTTP 200 with the body of a failure (HTTP {status})", permanent=answer.permanent)


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


class _UrlFilter(logging.Filter):
    """httpx logs every request with its whole URL; of that only the host may stand in a log."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_shown_argument(argument) for argument in record.args)
        return True


def _shown_argument(argument: Any) -> Any:
    text = str(argument)
    return shown_target(text) if text.startswith(("http://", "https://")) else argument


def quiet_http_logs() -> None:
    logger = logging.getLogger("httpx")
    if not any(isinstance(item, _UrlFilter) for item in logger.filters):
        logger.addFilter(_UrlFilter())
