"""What `ctl revisions` says: every reading of past bars that was kept, and how often they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True, slots=True)
class Reading:
    """One table as it was read once. name: `lock v2`, `pass 20260308_210012`, `now`. first, last: sessions, inclusive.
    series: `adjusted`, `unadjusted`, `contracts` or `daily`, and what the bars are made of where that is chosen
    (`contracts settlement`): readings of other bars are not compared.

    moved: what has to be added to (of ratios: the logarithm of the factor on) the reading before it for most closes to
    be as here, where the file is adjusted; null otherwise, and of the first.
    """

    name: str
    vendor: str
    series: str
    first: date
    last: date
    sessions: int
    moved: float | None


@dataclass(frozen=True, slots=True)
class Revision:
    """A value that a later reading has otherwise. column: `bar` for one that came or went (its closes are said).

    old is as it would read at the level of `new`, where the file is adjusted.
    """

    vendor: str
    series: str
    contract: str
    session: date
    column: str
    old: float | None
    new: float | None
    old_reading: str
    new_reading: str


@dataclass(frozen=True, slots=True)
class RestatementRate:
    """How often a vendor restates. read_again: sessions that two readings have. restated: those of them that any later
    reading has otherwise in a price or a bar, `older` without the newest session of the earlier reading, which
    is still being settled. rate: restated / read_again, null where nothing was read again.
    """

    vendor: str
    series: str
    readings: int
    read_again: int
    restated: int
    older: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class BarReading:
    """One bar as one reading has it."""

    vendor: str
    series: str
    contract: str
    reading: str
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """`ctl revisions --json`. session: the one asked for, whose `bars` are listed; null: all, without bars.

    revisions: by session, the newest first. unread: readings that could not be read, and why.
    """

    kind: Literal["revisions"] = "revisions"
    schema_version: Literal[1] = 1
    symbol: str
    simulated: bool
    session: date | None
    data_to: date | None
    rates: tuple[RestatementRate, ...]
    readings: tuple[Reading, ...]
    revisions: tuple[Revision, ...]
    bars: tuple[BarReading, ...]
    unread: tuple[str, ...]
