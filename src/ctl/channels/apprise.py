"""Any service that the Apprise library knows (e-mail, Teams, Telegram, ...), by the URLs of CTL_OPS_NOTIFY_URLS.

A URL carries its service's secrets: of each only the scheme and a short digest is shown. Each is a destination of its
own: one that has had the message is not sent it again.
"""

from __future__ import annotations

import logging
import re
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from ctl.digests import sha256_bytes
from ctl.model.notifications import DeliveryResult, Message, Route, outcome

if TYPE_CHECKING:
    from ctl.model.notify import NotifyMode

name: Final[NotifyMode] = "apprise"
durable: Final = True

URLS_VARIABLE: Final = "CTL_OPS_NOTIFY_URLS"
_TYPES: Final = {"info": "success", "warn": "warning", "alert": "failure"}
_BETWEEN: Final = re.compile(r"\s+|,\s*(?=[A-Za-z0-9+.-]+://)")


def split_urls(text: str | None) -> tuple[str, ...]:
    """The URLs of the variable: apart by white space, or by a comma before the next scheme."""
    return tuple(part for part in _BETWEEN.split((text or "").strip().strip(",")) if part)


def shown(url: str) -> str:
    """What may be shown of a URL: its scheme and 8 digits of its digest."""
    scheme = url.partition("://")[0]
    return f"{scheme if scheme.isalnum() else 'apprise'}#{sha256_bytes(url.encode())[:8]}"


def deliver(message: Message, route: Route) -> DeliveryResult:
    """Send the message to each of `route.urls` that has not had it."""
    if not route.urls:
        missing = f"no Apprise URL: set {URLS_VARIABLE}"
        return outcome(message, name, delivered=False, attempts=0, error=missing)
    if find_spec("apprise") is None:
        missing = "the package apprise is not installed: pip install 'ctl-cutover[apprise]'"
        return outcome(message, name, delivered=False, attempts=0, error=missing)
    due = [url for url in route.urls if shown(url) not in route.served]
    problems = {shown(url): _send(message, url, route.limits.total) for url in due}
    failed = {target: problem for target, problem in problems.items() if problem is not None}
    return outcome(
        message,
        name,
        delivered=not failed,
        attempts=len(due),
        target=", ".join(problems) or None,
        error="; ".join(f"{target}: {problem}" for target, problem in failed.items()) or None,
        permanent=bool(failed) and all(problem == _NO_URL for problem in failed.values()),
        served=tuple(target for target in problems if target not in failed),
    )


_NO_URL: Final = "no URL that Apprise knows"


def _send(message: Message, url: str, total: float) -> str | None:
    """Why the message did not go, or None. The thread is given up when the time is over."""
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(_notify(message, url)), name="ctl-apprise", daemon=True)
    thread.start()
    thread.join(total)
    return found[0] if found else f"no answer within {total:g} s"


def _notify(message: Message, url: str) -> str | None:
    try:
        import apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines hold URLs
        # A redirect would take the secret along.
        service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
        if not service.add(url):
            return _NO_URL
        title, _, body = message.text.partition("\n")
        sent = service.notify(body=body or title, title=title if body else "", notify_type=_TYPES[message.level])
    except Exception as error:  # noqa: BLE001 - the thread has nobody to raise to
        return type(error).__name__
    return None if sent else "not accepted"
