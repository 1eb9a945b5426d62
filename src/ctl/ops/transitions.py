"""Whether a cycle ended otherwise than the one before: transitions alert, an unchanged failure does not again.

The state of a cycle is read off its ops log; dry runs are compared with dry runs, real runs with real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ctl import clock
from ctl.channels import is_durable
from ctl.model.run import OpsLog
from ctl.ops.retention import newest_ops_logs

_LOOK_BACK: Final = 60


def announced_since(folder: Path, current: Path, log: OpsLog) -> str | None:
    """The timestamp since when the state of `log` has lasted and is known where notifications go, or None.

    None where the cycle before ended otherwise, or was not announced there: then an alert is due.
    `current` is the file of `log` itself, which is passed over.
    """
    since = None
    for before in _earlier(folder, current, dry_run=log.dry_run):
        sent = before.notification
        if sent is None or not sent.delivered or not is_durable(sent.mode) or _state(before) != _state(log):
            break
        since = clock.iso(before.timestamp)
    return since


def _state(log: OpsLog) -> tuple[Any, ...]:
    """How a cycle ended: verdict, statuses, broken locks, failed symbols; not when, and no figures."""
    return (
        log.exit_code,
        None if log.error is None else log.error.code,
        {symbol: item.actual for symbol, item in log.gate.items()},
        {lock.code for lock in log.locks if not lock.held},
        {symbol for symbol, item in log.run.items() if item.status == "ERROR"},
    )


def _earlier(folder: Path, current: Path, *, dry_run: bool) -> Iterator[OpsLog]:
    """Earlier logs of the same kind, newest first, up to one that cannot be read."""
    from pydantic import TypeAdapter

    adapter = TypeAdapter(OpsLog)
    for path in newest_ops_logs(folder, _LOOK_BACK):
        if path == current:
            continue
        try:
            log = adapter.validate_json(path.read_bytes())
        except (OSError, ValueError):
            return
        if log.dry_run is dry_run:
            yield log
