"""The durable outbox: a message is on disk before its first delivery, and stays until it needs no other.

One file per message, `.ctl/outbox/<stamp>_<idempotency key>.json`. No file holds a URL: the next run
delivers to the webhook that is configured then, under the same idempotency key. Nothing is dropped for its age; a file
that cannot be read is put aside as `<name>.damaged` and said.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args

from ctl import clock, store
from ctl.model.notifications import DeliveryResult, Kind, Message
from ctl.store.files import remove_temporaries

MOST_PER_RUN: Final = 50
MOST_SECONDS: Final = 30.0

_NAME: Final = re.compile(r"\d{8}_\d{6}_[0-9a-f]{32}\.json")
_LEVELS: Final = ("info", "warn", "alert")
_KINDS: Final = get_args(Kind)

Send = Callable[[Message, frozenset[str]], DeliveryResult]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox. served: the destinations that have had it."""

    path: Path
    message: Message
    created: datetime
    attempts: int
    served: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resent:
    """What became of the messages of earlier runs. left: how many wait; problems: files that were put aside."""

    results: tuple[DeliveryResult, ...]
    left: int
    problems: tuple[str, ...]


def folder_of(workspace: store.Workspace) -> Path:
    """Where messages wait."""
    return workspace.root / ".ctl" / "outbox"


def put(folder: Path, message: Message, *, instant: datetime) -> Waiting:
    """Write a message down before it is delivered. Raises WorkspaceError or OSError where that is impossible."""
    path = folder / f"{clock.stamp(instant)}_{message.idempotency_key}.json"
    waiting = Waiting(path, message, instant, 0)
    _write(waiting)
    return waiting


def clear(folder: Path) -> None:
    """Remove what killed runs left half written. Only while nobody else can be writing there."""
    remove_temporaries(folder)


def withdraw(waiting: Waiting) -> None:
    """Take out a message that is not to be delivered any more."""
    waiting.path.unlink(missing_ok=True)


def settle(waiting: Waiting, result: DeliveryResult) -> None:
    """Take a message out that was delivered or never will be; count the attempts of any other."""
    if result.delivered or result.permanent:
        waiting.path.unlink(missing_ok=True)
    else:
        attempts, served = waiting.attempts + result.attempts, waiting.served | set(result.served)
        _write(replace(waiting, attempts=attempts, served=served))


def names(folder: Path) -> list[str]:
    """The files of the messages that wait, oldest first, by name alone."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))  # noqa: PTH208 - names are enough


def resend(folder: Path, send: Send) -> Resent:
    """Deliver what earlier runs left, oldest first; the first failure that may pass, or a bound, ends it."""
    waiting = names(folder)
    results: list[DeliveryResult] = []
    problems: list[str] = []
    taken, until = 0, time.monotonic() + MOST_SECONDS
    for name in waiting[:MOST_PER_RUN]:
        if time.monotonic() > until:
            break
        path = folder / name
        held = None if path.is_symlink() else _read(path)
        if held is None:
            path.rename(path.with_name(f"{name}.damaged"))
            problems.append(f"a notification in the outbox cannot be read: {path}.damaged")
            taken += 1
            continue
        result = send(held.message, held.served)
        settle(held, result)
        results.append(result)
        if not result.delivered and not result.permanent:
            break
        taken += 1
    return Resent(tuple(results), len(waiting) - taken, tuple(problems))


def _write(waiting: Waiting) -> None:
    message = waiting.message
    document: dict[str, Any] = {
        "created": waiting.created.isoformat(),
        "attempts": waiting.attempts,
        "served": sorted(waiting.served),
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
        attempts, served = int(document["attempts"]), frozenset(map(str, document["served"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Waiting(path, message, created, attempts, served) if sound else None
