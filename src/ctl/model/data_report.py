"""What a workspace's files hold (`ctl data`), and what is amiss with them (`ctl doctor`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from ctl.model.bars import AdjustmentBasis, CloseBasis, Lacking, SessionBasis, SourceFile

Role = Literal["canonical", "reference"]
Part = Literal["contracts", "series", "adjusted", "unadjusted", "statistics", "intraday"]


@dataclass(frozen=True, slots=True)
class DataProblem:
    """Why files could not be read."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class DataPart:
    """One part of a symbol's data at one vendor.

    last: the last session that counts. behind: exchange sessions from it to the newest that could be there. counts,
    notes: what the reader folded, left out, chose and assumed. lacking: sessions at its end that are running, cut or
    lost. problem: None where it was read.
    """

    role: Role
    vendor: str
    part: Part
    first: date | None = None
    last: date | None = None
    sessions: int = 0
    contracts: int | None = None
    behind: int | None = None
    session_basis: SessionBasis | None = None
    close_basis: CloseBasis | None = None
    adjustment_basis: AdjustmentBasis | None = None
    quote_unit: str = ""
    files: tuple[SourceFile, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    problem: DataProblem | None = None


@dataclass(frozen=True, slots=True)
class SymbolData:
    """A symbol's data: of its canonical vendor, then of its references in their order."""

    symbol: str
    asset_class: str
    calendar: str
    parts: tuple[DataPart, ...]


@dataclass(frozen=True, slots=True)
class DataReport:
    """`ctl data list` and `ctl data show`. newest: the session that data are counted behind."""

    timestamp: datetime
    simulated: bool
    newest: date | None
    symbols: tuple[SymbolData, ...]
    kind: Literal["data"] = "data"


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """mend: it stands in the way; know: it does not. command: what mends it, None where only a person can."""

    level: Literal["mend", "know"]
    subject: str
    code: str
    text: str
    command: str | None


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """`ctl doctor`. ok: what was looked at and is as it should be."""

    timestamp: datetime
    simulated: bool
    findings: tuple[DoctorFinding, ...]
    ok: tuple[str, ...]
    kind: Literal["doctor"] = "doctor"
