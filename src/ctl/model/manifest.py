"""The published roll manifest: what a continuous series was built from, and why each roll happened."""

from __future__ import annotations

from typing import (
    Literal,
    NotRequired,  # pydantic reads no other before Python 3.12
)

from typing_extensions import TypedDict

from ctl.model.rolls import PolicyKind


class ScheduledRollDocument(TypedDict):
    """One roll that a `schedule` policy was told to follow: the first session on the new contract."""

    roll_date: str
    from_contract: str | None
    to_contract: str


class RollPolicyDocument(TypedDict):
    """The roll policy with all its options; what a kind does not use keeps its default."""

    kind: PolicyKind
    consecutive_days: int
    eligible_months: str | None
    timing: Literal["next_session", "same_session"]
    anchor: Literal["expiry", "first_notice", "fixed_day"]
    offset: int
    fixed_day: int | None
    schedule: list[ScheduledRollDocument]


class InputFileDocument(TypedDict):
    """A file that bars were read from; sessions are null where it held none."""

    name: str
    sha256: str
    size: int
    rows: int
    first_session: str | None
    last_session: str | None


class RollDocument(TypedDict):
    """One roll.

    roll_date: first session on the new contract. known_at: the session whose close made it knowable. gap: new less
    old close on the gap session. cumulative_adjustment: the sum of this and all later gaps. from_volume, to_volume: of
    the confirming sessions. concurrent: both closes are of the gap session.
    """

    roll_date: str
    gap_session: str
    known_at: str
    from_contract: str
    to_contract: str
    from_close: float
    to_close: float
    gap: float
    cumulative_adjustment: float
    from_volume: list[int | None]
    to_volume: list[int | None]
    reason: str
    concurrent: bool


class PendingRollDocument(TypedDict):
    """A roll known at the end of the data but not yet in force."""

    known_at: str
    from_contract: str
    to_contract: str
    reason: str


class RollManifestDocument(TypedDict):
    """`<ROOT>_roll_manifest.json` and `ctl build --json`.

    build_digest and outputs (file name to sha256) stand only in a manifest that lies beside its series.
    """

    schema_version: Literal[1]
    root: str
    vendor: str
    policy: RollPolicyDocument
    adjustment: Literal["difference", "ratio", "none"]
    close_basis: Literal["settlement", "last_trade"]
    session_basis: Literal["exchange_session", "utc_day"]
    quote_unit: str
    first_session: str
    last_session: str
    inputs: list[InputFileDocument]
    counts: dict[str, int]
    warnings: list[str]
    package_version: str
    pending_roll: PendingRollDocument | None
    build_digest: NotRequired[str]
    outputs: NotRequired[dict[str, str]]
    rolls: list[RollDocument]
