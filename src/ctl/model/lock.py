"""The published records about the lock: what a plan, a lock, a comparison of profiles and a replay say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from ctl.model.findings import Decision, Reason, Recommendation
from ctl.model.run import LockResult, ProfileReference, Restatement, ValueChange

# ---------------------------------------------------------------- plan


@dataclass(frozen=True, slots=True)
class DerivedRecommendation:
    """The portfolio's recommendation as locked and as the data now derive it."""

    expected: Recommendation
    derived: Recommendation


@dataclass(frozen=True, slots=True)
class PlannedFigures:
    """What one gating symbol comes to on one set of settings. trades, total_r: closed ones, null where none could run.

    mean_drift in quote units.
    """

    decision: Decision
    mean_drift: float | None
    trades: int | None
    total_r: float | None


@dataclass(frozen=True, slots=True)
class ChangedTrades:
    """Trades that settings would make otherwise: how many of how many, and the largest difference of one, in R.

    A trade that comes or goes differs by the whole of its R. entry: its entry session.
    """

    changed: int
    of: int
    most_r: float | None
    entry: date | None


@dataclass(frozen=True, slots=True)
class PlannedSymbol:
    """One gating symbol as locked and as the data now derive it.

    derived: with the settings that are tried, if any. locked_drift: null where no lock can be used. now: on the
    settings in force; tried: on others; both null for `ctl lock`, which does not ask.
    """

    symbol: str
    expected: Decision
    derived: Decision
    changed: bool
    locked_drift: float | None
    now: PlannedFigures | None
    tried: PlannedFigures | None
    trades: ChangedTrades | None
    reasons: tuple[Reason, ...]
    certificate_sha256: str | None


@dataclass(frozen=True, slots=True)
class FileChange:
    """A raw file's sha256 as locked and now; None where it was not there, or is not there now."""

    name: str
    locked: str | None
    current: str | None

    @property
    def text(self) -> str:
        """`added NAME`, `removed NAME` or `changed NAME`."""
        what = "added" if self.locked is None else "removed" if self.current is None else "changed"
        return f"{what} {self.name}"


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """Sessions from first to last, both inclusive."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class InputDifference:
    """One gating symbol's inputs against the locked ones.

    readable: the bars on disk could be read; sessions are None where they could not. locked: the profile locks inputs
    of this symbol at all. files: a record, which makes no change by itself: files grow. new_sessions: sessions of the
    bars after the last locked one. restated: locked ranges that read otherwise now.
    """

    symbol: str
    readable: bool
    locked: bool
    changed: bool
    first_session: date | None
    last_session: date | None
    files: tuple[FileChange, ...]
    new_sessions: tuple[date, ...]
    restated: tuple[SessionSpan, ...]

    @classmethod
    def of(
        cls,
        symbol: str,
        sessions: SessionSpan | None,
        *,
        locked: bool = True,
        files: Sequence[FileChange] = (),
        new_sessions: Sequence[date] = (),
        restated: Sequence[SessionSpan] = (),
    ) -> InputDifference:
        """What differs; sessions: of the bars on disk, None where they cannot be read."""
        return cls(
            symbol=symbol,
            readable=sessions is not None,
            locked=locked,
            changed=bool(sessions is None or not locked or new_sessions or restated),
            first_session=None if sessions is None else sessions.first,
            last_session=None if sessions is None else sessions.last,
            files=tuple(files),
            new_sessions=tuple(new_sessions),
            restated=tuple(restated),
        )

    @property
    def text(self) -> str:
        """What differs in one line; `as locked` where nothing does."""
        if not self.readable:
            return "cannot be read"
        if not self.locked:
            return "not locked yet"
        parts = [change.text for change in self.files]
        if self.new_sessions:
            count = len(self.new_sessions)
            span = SessionSpan(self.new_sessions[0], self.new_sessions[-1])
            parts.append(f"{count} new session{'' if count == 1 else 's'} {_range(span)}")
        if self.restated:
            parts.append("restated " + ", ".join(_range(part) for part in self.restated))
        return "; ".join(parts) or "as locked"


def _range(span: SessionSpan) -> str:
    return span.first.isoformat() if span.first == span.last else f"{span.first} to {span.last}"


@dataclass(frozen=True, slots=True)
class EarlierLock:
    """A lock of the decision log: its profile's version, its entry, and each symbol's mean drift in quote units.

    mean_drift: empty where its lock file is gone, or is not as the entry cites it.
    """

    version: int | None
    entry: str
    day: date | None
    mean_drift: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class EarlierLocks:
    """Whether relocking lets a flaw creep. versions: oldest first, the one in force last.

    recent: locks of the last `days` days, the first lock of all left out; after_refusal: those that followed a refusal.
    refused: the codes for which the gate refuses now, so that a lock would follow a refusal; none where it passes.
    """

    versions: tuple[EarlierLock, ...]
    days: int
    recent: int
    after_refusal: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPlan:
    """`ctl plan --json`: the profile in force against what the data now derive.

    changed: the next version would say anything else than the profile in force, its date apart. lockable: no symbol
    forbids it. settings: those that were tried, as typed. problems: what else refuses. earlier: the locks so far.
    """

    kind: Literal["lock_plan"] = "lock_plan"
    schema_version: Literal[1] = 1
    timestamp: datetime
    simulated: bool
    changed: bool
    lockable: bool
    profile: ProfileReference
    next_profile: str
    settings: Mapping[str, str]
    problems: tuple[Reason, ...]
    recommendation: DerivedRecommendation
    symbols: tuple[PlannedSymbol, ...]
    locks: tuple[LockResult, ...]
    inputs: tuple[InputDifference, ...]
    restatements: tuple[Restatement, ...]
    earlier: EarlierLocks


# ---------------------------------------------------------------- lock


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """The decision log's entry of a lock. was_there: an earlier lock wrote it."""

    id: str
    digest: str
    was_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """`ctl lock --json`: the version now in force, its entry, the files written in order, and the plan it carried out.

    files: none where the same lock is in force already.
    """

    kind: Literal["lock"] = "lock"
    schema_version: Literal[1] = 1
    timestamp: datetime
    simulated: bool
    profile: ProfileReference
    recommendation: Recommendation
    symbols: Mapping[str, Decision]
    entry: RecordedEntry
    files: tuple[str, ...]
    plan: LockPlan


# ---------------------------------------------------------------- comparison of profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDifference:
    """`ctl profile diff --json`."""

    kind: Literal["profile_difference"] = "profile_difference"
    schema_version: Literal[1] = 1
    equal: bool
    old: ProfileReference
    new: ProfileReference
    changes: tuple[ValueChange, ...]


# ---------------------------------------------------------------- replay


@dataclass(frozen=True, slots=True)
class ReplayedSymbol:
    """One gating symbol as of one week. mean_drift: both sides aligned as when it was locked, in quote units;
    most_drift: from where the gate refuses. None where it is not known.
    """

    symbol: str
    expected: Decision
    actual: Decision
    passed: bool
    certificate_sha256: str | None
    mean_drift: float | None
    most_drift: float | None


@dataclass(frozen=True, slots=True)
class ReplayedWeek:
    """The gate as of a week's last session, inclusive; first_reason is None where it would have passed."""

    as_of: date
    passed: bool
    recommendation: Recommendation
    symbols: tuple[ReplayedSymbol, ...]
    first_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """`ctl replay --json`. through: the last session considered, where the data end before `to`."""

    kind: Literal["replay"] = "replay"
    schema_version: Literal[1] = 1
    timestamp: datetime
    simulated: bool
    profile: ProfileReference
    from_: date
    to: date
    through: date
    every: Literal["week"] = "week"
    note: str
    passed: int
    blocked: int
    weeks: tuple[ReplayedWeek, ...]
