"""What the run registry holds: one row per cycle or run, derived from the file that is its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from ctl.model.data_report import DoctorFinding
from ctl.model.run import Ping

RunKind = Literal["ops", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One weekly cycle (`ops`), or one `ctl run` outside of any (`run`).

    workspace: `host:/folder`. name: the stamp of its file. sha256: of that file, by which a change is seen. error: its
    code; None where it ended well. symbols: per gating symbol actual, expected, mean_drift, data_to. data_to: the
    earliest of them. seconds: all stages together.
    """

    workspace: str
    name: str
    kind: RunKind
    cycle_id: str
    begun: datetime
    dry_run: bool
    exit_code: int
    error: str | None
    gate_passed: bool
    has_errors: bool
    recommendation: str | None
    data_to: date | None
    profile: str | None
    summary_path: str | None
    seconds: float
    symbols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sha256: str

    @property
    def letter(self) -> str:
        """P passed, W passed with errors, M mismatch, E error, S stopped, I interrupted: one sign in a row of runs."""
        if self.error == "RUN_INTERRUPTED":
            return "I"
        if self.exit_code == 0:
            return "W" if self.has_errors else "P"
        return "M" if self.exit_code == 2 else "S" if self.exit_code > 128 else "E"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """`ctl runs list --json`."""

    schema_version: Literal[1] = 1
    kind: Literal["runs"] = "runs"
    runs: tuple[RunRecord, ...]


@dataclass(frozen=True, slots=True)
class RunChange:
    """One value that two runs have differently."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """`ctl runs compare A B --json`: what B says otherwise than A."""

    schema_version: Literal[1] = 1
    kind: Literal["runs_compared"] = "runs_compared"
    old: RunRecord
    new: RunRecord
    changes: tuple[RunChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSymbol:
    """A gating symbol in `ctl status`. late: sessions between the end of its data and the newest finished session.

    most_drift: the mean drift from which the gate refuses; None where no cycle has said it.
    """

    symbol: str
    now: str
    locked: str
    data_to: date | None
    late: int | None
    drift: tuple[float | None, ...]
    most_drift: float | None
    roll_to: str | None
    roll_by: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`ctl status --json`. verdict: OK, WARN, MISMATCH, ERROR, STOPPED, MISSED, RUNNING or NEVER.

    runs: the newest, oldest first. undelivered: messages in the outbox. holder: who runs now. last_ping: of the last
    run; None where it sent none. problems: what is to be mended of its records and its schedule.
    """

    schema_version: Literal[1] = 1
    kind: Literal["status"] = "status"
    simulated: bool
    verdict: str
    last_run: RunRecord | None
    next_slot: datetime | None
    zone: str
    missed_slot: datetime | None
    holder: str | None
    symbols: tuple[StatusSymbol, ...]
    runs: tuple[RunRecord, ...]
    undelivered: int
    last_ping: Ping | None
    caps_hit: tuple[str, ...]
    problems: tuple[DoctorFinding, ...]
    next_command: str
