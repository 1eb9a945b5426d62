"""The published documents about the lock: what a plan, a lock, a comparison of profiles and a replay say."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from ctl.model.findings import Decision, Reason, Recommendation
from ctl.model.run import LockResult, ProfileReference, Restatement


class DerivedRecommendationDocument(TypedDict):
    """The portfolio's recommendation as locked and as the data now derive it."""

    expected: Recommendation
    derived: Recommendation


class PlannedSymbolDocument(TypedDict):
    """One gating symbol's status as locked and as the data now derive it."""

    symbol: str
    expected: Decision
    derived: Decision
    changed: bool
    reasons: list[Reason]
    certificate_sha256: str | None


class FileChangeDocument(TypedDict):
    """A raw file's sha256 as locked and now; null where it was not there, or is not there now."""

    name: str
    locked: str | None
    current: str | None


class SessionRangeDocument(TypedDict):
    """Sessions from first to last, both inclusive."""

    first: str
    last: str


class InputDifferenceDocument(TypedDict):
    """One gating symbol's inputs against the locked ones; sessions are null where they could not be read."""

    symbol: str
    readable: bool
    locked: bool
    changed: bool
    first_session: str | None
    last_session: str | None
    files: list[FileChangeDocument]
    new_sessions: list[str]
    restated: list[SessionRangeDocument]


class LockPlanDocument(TypedDict):
    """`ctl plan --json`: the profile in force against what the data now derive. lockable: no symbol forbids it."""

    schema_version: Literal[1]
    timestamp: str
    simulated: bool
    changed: bool
    lockable: bool
    profile: ProfileReference
    next_profile: str
    recommendation: DerivedRecommendationDocument
    symbols: list[PlannedSymbolDocument]
    locks: list[LockResult]
    inputs: list[InputDifferenceDocument]
    restatements: list[Restatement]


class RecordedEntryDocument(TypedDict):
    """The decision log's entry of a lock. was_there: a lock that was killed before its last step had written it."""

    id: str
    digest: str
    was_there: bool


class LockDocument(TypedDict):
    """`ctl lock --json`: the version now in force, its entry, the files written, and the plan it carried out."""

    schema_version: Literal[1]
    timestamp: str
    simulated: bool
    profile: ProfileReference
    recommendation: Recommendation
    symbols: dict[str, Decision]
    entry: RecordedEntryDocument
    files: list[str]
    plan: LockPlanDocument


class ProfileChangeDocument(TypedDict):
    """One key that two profiles do not share; null where a profile does not have it."""

    key: str
    old: Any
    new: Any


class ProfileDifferenceDocument(TypedDict):
    """`ctl profile diff --json`."""

    schema_version: Literal[1]
    equal: bool
    old: ProfileReference
    new: ProfileReference
    changes: list[ProfileChangeDocument]


class ReplayedSymbolDocument(TypedDict):
    """One gating symbol as of one week."""

    symbol: str
    expected: Decision
    actual: Decision
    passed: bool
    certificate_sha256: str | None


class ReplayedWeekDocument(TypedDict):
    """The gate as of a week's last session, inclusive; first_reason is null where it would have passed."""

    as_of: str
    passed: bool
    recommendation: Recommendation
    symbols: list[ReplayedSymbolDocument]
    first_reason: str | None


ReplayDocument = TypedDict(
    "ReplayDocument",
    {
        "schema_version": Literal[1],
        "timestamp": str,
        "simulated": bool,
        "profile": ProfileReference,
        "from": str,
        "to": str,
        "through": str,
        "every": Literal["week"],
        "note": str,
        "passed": int,
        "blocked": int,
        "weeks": list[ReplayedWeekDocument],
    },
)
ReplayDocument.__doc__ = "`ctl replay --json`. through: the last session considered, where the data end before `to`."
