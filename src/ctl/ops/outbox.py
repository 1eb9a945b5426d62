"""The durable outbox: a message is on disk before its first delivery, and stays until it needs no other.

One file per message, `.ctl/outbox/<stamp>_<idempotency key>.json`. No file holds a URL: the next run
delivers to the webhook that is configured then, under the same idempotency key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ctl import clock, store
from ctl.model.notifications import DeliveryResult, Message
from ctl.store.files import remove_temporaries

KEEP_DAYS: Final = 14
MOST_PER_RUN: Final = 5

_NAME: Final = re.compile(r"\d{8}_\d{6}_[0-9a-f]{32}\.json")
_LEVELS: Final = ("info", "warn", "alert")
_KINDS: Final = ("success", "symbol_failure", "gate_failure", "runner_error")

Send = Callable[[Message], DeliveryResult]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox."""

    path: Path
    message: Message
    created: datetime
    attempts: int


def put(folder: Path, message: Message, *, instant: datetime) -> Waiting:
    """Write a message down before it is delivered. Raises WorkspaceError or OSError where that is impossible."""
    remove_temporaries(folder)
    pending(folder, instant=instant)  # drops what is too old, so that a webhook that is gone fills no disk
    path = folder / f"{clock.stamp(instant)}_{message.idempotency_key}.json"
    waiting = Waiting(path, message, instant, 0)
    _write(waiting)
    return waiting


def withdraw(waiting: Waiting) -> None:
    """Take out a message that is not to be delivered any more."""
    waiting.path.unlink(missing_ok=True)


def settle(waiting: Waiting, result: DeliveryResult) -> None:
    """Take a message out that was delivered or never will be; count the attempts of any other."""
    if result.delivered or result.permanent:
        waiting.path.unlink(missing_ok=True)
    else:
        _write(Waiting(waiting.path, waiting.message, waiting.created, waiting.attempts + result.attempts))


def pending(folder: Path, *, instant: datetime) -> list[Waiting]:
    """Messages that earlier runs left, oldest first; those older than KEEP_DAYS and unreadable ones are dropped."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    found: list[Waiting] = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not _NAME.fullmatch(path.name):
            continue
        waiting = _read(path)
        if waiting is None or instant - waiting.created > timedelta(days=KEEP_DAYS):
            path.unlink(missing_ok=True)
        else:
            found.append(waiting)
    return found


def resend(folder: Path, send: Send, *, instant: datetime) -> list[DeliveryResult]:
    """Deliver what earlier runs left, at most MOST_PER_RUN; the first failure that may pass ends it."""
    results: list[DeliveryResult] = []
    for waiting in pending(folder, instant=instant)[:MOST_PER_RUN]:
        result = send(waiting.message)
        settle(waiting, result)
        results.append(result)
        if not result.delivered and not result.permanent:
            break
    return results


def _write(waiting: Waiting) -> None:
    message = waiting.message
    document: dict[str, Any] = {
        "created": waiting.created.isoformat(),
        "attempts": waiting.attempts,
        "kind": message.kind,
        "level": message.level,
        "text": message.text,
        "meta": dict(message.meta),
    }
    store.write_atomic(waiting.path, store.json_bytes(document))


def _read(path: Path) -> Waiting | None:
    try:
        document = json.loads(path.read_bytes())
        created = datetime.fromisoformat(document["created"])
        message = Message(document["kind"], document["level"], document["text"], document["meta"])
        sound = (
            created.tzinfo is not None
            and message.kind in _KINDS
            and message.level in _LEVELS
            and isinstance(message.text, str)
            and isinstance(message.meta, dict)
        )
        attempts = int(document["attempts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Waiting(path, message, created, attempts) if sound else None
