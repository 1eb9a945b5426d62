"""What stands between symbols and their next status, and what would take them there; published as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from ctl.model.certificate import Flip
from ctl.model.findings import Decision, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Settings tried in place of those in force, judged by the certificate's own layers and limits.

    settings: keys as `ctl lock --set` takes them; empty for the settings in force. earlier, later: mean drift up to the
    split and after it, of candidates that are chosen walk-forward; None of others. problem: why it was not judged.
    """

    name: str
    settings: Mapping[str, str]
    decision: Decision | None
    mean_drift: float | None
    earlier: float | None = None
    later: float | None = None
    trades: int | None = None
    total_r: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolPromotion:
    """One gating symbol. blockers: the certificate's reasons; without `flip.units` the decision is `flip.decision`.

    split: the last session that policies are chosen on; chosen: the policy that was best there, and held: whether it is
    better than the one in force on the sessions after it. proposed: the candidate that takes the symbol further, None
    where no setting does. tried: variants of the symbol tried so far, None where the ledger cannot be read.
    """

    symbol: str
    expected: Decision | None
    decision: Decision
    quote_unit: str
    mean_drift: float | None
    blockers: tuple[Reason, ...]
    flip: Flip | None
    flip_note: str
    candidates: tuple[Candidate, ...]
    split: date | None
    chosen: str | None
    held: bool | None
    proposed: Candidate | None
    tried: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """`ctl promote --json`. symbols: nearest to their next status first. errors: those that could not be certified."""

    kind: Literal["promotion"] = "promotion"
    schema_version: Literal[1] = 1
    timestamp: datetime
    simulated: bool
    symbols: tuple[SymbolPromotion, ...]
    errors: Mapping[str, str]
