"""Whether a cycle ended otherwise than the one before: transitions alert, an unchanged failure does not again.

The state of a cycle is read off its ops log; dry runs are compared with dry runs, real runs with real ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from ctl.channels import is_durable
from ctl.digests import digest
from ctl.model.run import NotifyMode
from ctl.ops.retention import ops_logs_newest_first

_LOOK_BACK: Final = 60


def state_of(log: Mapping[str, Any]) -> str:
    """Digest of how a cycle ended: verdict, statuses, broken locks, failed symbols; not when, and no figures."""
    error = log.get("error")
    return digest(
        {
            "exit_code": log.get("exit_code"),
            "error": error.get("code") if isinstance(error, Mapping) else None,
            "gate": {symbol: entry.get("actual") for symbol, entry in _entries(log.get("gate"))},
            "locks": sorted(str(lock.get("code")) for lock in _list(log.get("locks")) if not lock.get("held")),
            "failed": sorted(symbol for symbol, entry in _entries(log.get("run")) if entry.get("status") == "ERROR"),
        }
    )


def announced_since(folder: Path, current: Path, log: Mapping[str, Any]) -> str | None:
    """The timestamp since when the state of `log` has lasted and is known where notifications go, or None.

    None where the cycle before ended otherwise, or was not announced there: then an alert is due.
    `current` is the file of `log` itself, which is passed over.
    """
    state, since = state_of(log), None
    for before in _earlier(folder, current, dry_run=bool(log.get("dry_run"))):
        notification = before.get("notification")
        delivered = (
            isinstance(notification, Mapping)
            and notification.get("mode") in get_args(NotifyMode)
            and is_durable(notification["mode"])
            and notification.get("delivered") is True
        )
        if state_of(before) != state or not delivered:
            break
        since = str(before.get("timestamp"))
    return since


def _earlier(folder: Path, current: Path, *, dry_run: bool) -> Iterator[Mapping[str, Any]]:
    for path in ops_logs_newest_first(folder)[:_LOOK_BACK]:
        if path == current:
            continue
        try:
            log = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(log, dict) and log.get("dry_run") is dry_run:
            yield log


def _entries(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return [(key, entry) for key, entry in value.items() if isinstance(entry, dict)] if isinstance(value, dict) else []


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
