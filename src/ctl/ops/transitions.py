"""Whether a cycle ended otherwise than the one before: transitions alert, an unchanged failure does not again.

The state of a cycle is read off its ops log; dry runs are compared with dry runs, real runs with real ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ctl.channels import is_durable
from ctl.model.orders import HeldPosition
from ctl.model.run import OpsLog
from ctl.ops.retention import newest_ops_logs
from ctl.store import Workspace

_LOOK_BACK: Final = 60


@dataclass(frozen=True, slots=True)
class Unchanged:
    """How long a state has lasted. since: the instant of its first cycle; runs: how many, the one at hand included."""

    since: datetime
    runs: int


class EarlierLogs:
    """The logs of earlier cycles of the same kind, newest first, as far back as is looked; read when asked for.

    `current` is the file of `log` itself, which is passed over.
    """

    def __init__(self, folder: Path, current: Path, log: OpsLog) -> None:
        self._read: list[OpsLog] = []
        self._left = _earlier(folder, current, dry_run=log.dry_run)

    def __iter__(self) -> Iterator[OpsLog]:
        yield from self._read
        for log in self._left:
            self._read.append(log)
            yield log


def announced(log: OpsLog, earlier: Iterable[OpsLog]) -> Unchanged | None:
    """Since when the state of `log` has lasted and is known where notifications go, or None.

    None where the cycle before ended otherwise, or was not announced there: then an alert is due.
    """
    found = None
    for before in earlier:
        sent = before.notification
        if sent is None or not sent.delivered or not is_durable(sent.mode) or _state(before) != _state(log):
            break
        found = Unchanged(before.timestamp, 2 if found is None else found.runs + 1)
    return found


def compared_with(earlier: Iterable[OpsLog]) -> OpsLog | None:
    """The newest cycle that came to a decision of the gate: what this one has changed since."""
    return next((log for log in earlier if log.gate), None)


def last_held(workspace: Workspace, earlier: Iterable[OpsLog]) -> tuple[HeldPosition, ...]:
    """What the newest order sheet of the earlier cycles says is held; nothing where there is none that can be read."""
    from pydantic import TypeAdapter

    path = next((log.summary_path for log in earlier if log.summary_path is not None), None)
    try:
        sheet = None if path is None else json.loads((workspace.root / path).read_bytes())["orders"]
        found = () if sheet is None else sheet["held"]
        return TypeAdapter(tuple[HeldPosition, ...]).validate_python(found)
    except (OSError, ValueError, KeyError, TypeError):  # gone or damaged: the gate says so where it matters
        return ()


def _state(log: OpsLog) -> tuple[Any, ...]:
    """How a cycle ended: verdict, statuses, broken locks, failed symbols; not when, and no figures."""
    return (
        log.exit_code,
        None if log.error is None else log.error.code,
        {symbol: item.actual for symbol, item in log.gate.items()},
        {lock.code for lock in log.locks if not lock.held},
        {symbol for symbol, item in log.run.items() if item.status == "ERROR"},
        {item.text for item in log.restatements},
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
