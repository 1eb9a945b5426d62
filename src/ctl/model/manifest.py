"""The published roll manifest: what a continuous series was built from, and why each roll happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from ctl.model import documents
from ctl.model.bars import CloseBasis, ContractTerms, SessionBasis, SourceFile, TermSource
from ctl.model.rolls import (
    Adjustment,
    BadClose,
    CalendarAnchor,
    ContinuousSeries,
    PendingRoll,
    PolicyKind,
    Roll,
    RollPolicy,
    RollTarget,
    ScheduledRoll,
    Timing,
)


@dataclass(frozen=True, slots=True)
class RollOptions:
    """The roll policy with all its options; what a kind does not use keeps its default."""

    kind: PolicyKind
    consecutive_days: int
    eligible_months: str | None
    timing: Timing
    anchor: CalendarAnchor
    offset: int
    fixed_day: int | None
    months_before: int
    schedule: tuple[ScheduledRoll, ...]
    guard_sessions: int | None
    target: RollTarget
    bridge_holes: bool

    @classmethod
    def of(cls, policy: RollPolicy) -> RollOptions:
        """The options of a policy; its adjustment stands beside them in the manifest."""
        return cls(**{name: getattr(policy, name) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class HeldTerms:
    """The last days of a contract that is held, and who says them."""

    contract: str
    last_trade: date | None
    last_trade_source: TermSource
    first_notice: date | None
    first_notice_source: TermSource

    @classmethod
    def of(cls, terms: ContractTerms) -> HeldTerms:
        """Of a contract's terms."""
        return cls(**{name: getattr(terms, name) for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class RollManifest:
    """`<ROOT>_roll_manifest.json` and `ctl build --json`.

    Beside its series a manifest also cites the files (`outputs`, file name to sha256) and, in a workspace, what they
    were made of (`build_digest`).
    """

    kind: Literal["roll_manifest"] = "roll_manifest"
    schema_version: Literal[1] = 1
    root: str
    vendor: str
    policy: RollOptions
    adjustment: Adjustment
    close_basis: CloseBasis
    session_basis: SessionBasis
    quote_unit: str
    first_session: date
    last_session: date
    inputs: tuple[SourceFile, ...]
    counts: Mapping[str, int]
    warnings: tuple[str, ...]
    bad_closes: tuple[BadClose, ...]
    package_version: str
    terms: tuple[HeldTerms, ...]
    pending_roll: PendingRoll | None
    rolls: tuple[Roll, ...]

    @classmethod
    def of(cls, series: ContinuousSeries, *, package_version: str) -> RollManifest:
        """The manifest of a series."""
        meta, sessions = series.meta, series.frame["session"]
        return cls(
            root=meta.root,
            vendor=meta.vendor,
            policy=RollOptions.of(series.policy),
            adjustment=series.policy.adjustment,
            close_basis=meta.close_basis,
            session_basis=meta.session_basis,
            quote_unit=meta.quote_unit,
            first_session=sessions[0],
            last_session=sessions[-1],
            inputs=meta.sources,
            counts=series.counts,
            warnings=series.warnings,
            bad_closes=series.bad_closes,
            package_version=package_version,
            terms=tuple(map(HeldTerms.of, series.terms)),
            pending_roll=series.pending_roll,
            rolls=series.rolls,
        )


CITED: Final = {
    "build_digest": {"title": "Build Digest", "type": "string"},
    "outputs": {"title": "Outputs", "type": "object", "additionalProperties": {"type": "string"}},
}
"""What only a manifest beside its series holds."""


def json_schema() -> dict[str, Any]:
    """JSON Schema of the manifest, with or without what it cites."""
    schema = documents.json_schema(RollManifest, "Roll manifest")
    return {**schema, "properties": {**schema["properties"], **CITED}}
