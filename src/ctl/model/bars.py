"""Daily bars with the metadata that says what they are. No function may drop the metadata.

Frames are polars; columns and their order are fixed here and checked by the constructors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal

from ctl.model.display import NOTEBOOK_POINTS, Card, Tabular

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.contracts import Contract

SessionBasis = Literal["exchange_session", "utc_day"]
CloseBasis = Literal["last_trade", "settlement"]
AdjustmentBasis = Literal["raw", "split_adjusted", "total_return"]

PLAIN_BASES: Final = "bases are not stated in plain files: exchange_session and settlement assumed"
UNFINISHED: Final = "unfinished_sessions_dropped"
"""Reason under which `counts` have the sessions that were not over."""

BarsChoice = Literal["daily", "session"]
ClosesChoice = Literal["last_trade", "settlement"]

PRICES: Final[tuple[str, ...]] = ("open", "high", "low", "close")
COUNTS: Final[tuple[str, ...]] = ("volume", "open_interest")
CONTRACT_COLUMNS: Final = ("session", "contract", *PRICES, *COUNTS)
SERIES_COLUMNS: Final = ("session", *PRICES, *COUNTS, "contract", "adjustment")


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """The bars that a symbol is traded on: the vendor's daily ones or exchange sessions made of intraday ones, closing
    as they do or, with `settlement`, at the vendor's settlements.
    """

    bars: BarsChoice = "daily"
    closes: ClosesChoice = "last_trade"

    @property
    def name(self) -> str:
        """`daily`, `settlement`, `session` or `session_settlement`."""
        if self.closes == "last_trade":
            return self.bars
        return "settlement" if self.bars == "daily" else "session_settlement"

    @classmethod
    def all(cls) -> tuple[SeriesChoice, ...]:
        """Every combination, the vendor's daily bars as they are first."""
        return (cls(), cls("daily", "settlement"), cls("session"), cls("session", "settlement"))


AS_DELIVERED: Final = SeriesChoice()
"""The vendor's daily bars, closing as they do."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file that bars were read from. `name` is the file's name without its folder."""

    name: str
    sha256: str
    size: int
    rows: int
    first_session: date | None
    last_session: date | None


@dataclass(frozen=True, slots=True)
class Lacking:
    """A session at the end of the files of which they hold a part, or nothing though they state that they cover it.

    over: the instant at which it is over. Before that it is running and rightly left out; from then on it is lost.
    """

    code: Literal["UNFINISHED_SESSION", "LOST_SESSION"]
    session: date
    over: datetime
    text: str


@dataclass(frozen=True, slots=True)
class SeriesMeta:
    """What a series is. `counts` says, by reason, what the reader folded, dropped or ignored."""

    root: str
    vendor: str
    session_basis: SessionBasis
    close_basis: CloseBasis
    quote_unit: str = ""
    adjustment_basis: AdjustmentBasis | None = None
    sources: tuple[SourceFile, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lacking: tuple[Lacking, ...] = ()


TermSource = Literal["definition", "column", "rule", "estimated", "assumed", "none", "unknown"]
"""Who says a term: the vendor's definition record or a column of its file; the exchange's rule of the root on business
days that the calendar knows, or (`estimated`) on weekdays beyond them; `assumed`: nobody, and the last business day
before the delivery month stands in for first notice; `none`: no notice is given before the last trade date (settled in
cash, or delivered after it); `unknown`: nobody."""


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """What is known in advance of one contract.

    last_trade: the last day on which it trades. first_notice: the first on which a holder can be called to deliver.
    Both None where their source is `unknown`, first_notice also where it is `none`. tick, currency, asset: as the
    vendor's definition record states them, None where it is silent.
    """

    contract: str
    last_trade: date | None = None
    first_notice: date | None = None
    tick: float | None = None
    currency: str | None = None
    asset: str | None = None
    last_trade_source: TermSource = "unknown"
    first_notice_source: TermSource = "unknown"

    @property
    def end(self) -> date | None:
        """The earlier of last trade and first notice, on which nobody wants to hold it; None: neither is known."""
        return min((day for day in (self.last_trade, self.first_notice) if day is not None), default=None)

    @property
    def stated(self) -> bool:
        """Whether the vendor itself says anything of the contract."""
        sources = {self.last_trade_source, self.first_notice_source}
        return bool(sources & {"definition", "column"}) or (self.tick, self.currency, self.asset) != (None, None, None)


@dataclass(frozen=True, slots=True, repr=False)
class ContractBars(Tabular):
    """Daily bars per contract.

    frame: columns CONTRACT_COLUMNS; session Date, contract String (canonical name, `ESH25`), prices
    Float64 (open, high, low null for settlement-only data), volume and open_interest Int64 (nullable);
    sorted by (expiry, session); (contract, session) unique.
    contracts: every contract in the frame, in expiry order.
    terms: by contract name; readers give those of every contract.
    """

    frame: pl.DataFrame
    meta: SeriesMeta
    contracts: tuple[Contract, ...]
    terms: Mapping[str, ContractTerms] = field(default_factory=dict)

    @property
    def roots(self) -> tuple[str, ...]:
        """The distinct roots of the contracts, sorted."""
        return tuple(sorted({contract.root for contract in self.contracts}))

    def to_polars(self) -> pl.DataFrame:
        """One row per contract and session: CONTRACT_COLUMNS."""
        return self.frame

    @property
    def caption(self) -> str:
        """Roots, sessions, contracts and bases."""
        return series_caption(self.frame, self.meta, f"{len(self.contracts)} contracts", name=", ".join(self.roots))

    def _card(self) -> Card:
        return Card(self.caption, (self.frame,), None, self.meta.notes)


@dataclass(frozen=True, slots=True, repr=False)
class DailySeries(Tabular):
    """One bar per session of one instrument or continuous series.

    frame: columns SERIES_COLUMNS; sorted by session, unique. open, high, low, volume, open_interest
    and contract may be null. `adjustment` is what each bar carries above its raw price (0.0 where
    nothing is known): raw = price - adjustment.
    """

    frame: pl.DataFrame
    meta: SeriesMeta

    def to_polars(self) -> pl.DataFrame:
        """One row per session: SERIES_COLUMNS."""
        return self.frame

    @property
    def caption(self) -> str:
        """Name, sessions and bases."""
        return series_caption(self.frame, self.meta)

    def _card(self) -> Card:
        from ctl.model.pictures import daily_closes

        return Card(self.caption, (self.frame,), daily_closes(self, NOTEBOOK_POINTS), self.meta.notes)


_BASES: Final[Mapping[str, str]] = {"utc_day": "UTC days", "exchange_session": "exchange sessions"}


def series_caption(frame: pl.DataFrame, meta: SeriesMeta, *said: str, name: str = "") -> str:
    """Bars in one line: name, first and last session, their number, what else is `said`, close and session basis."""
    first, last = frame["session"].min(), frame["session"].max()
    bases = (meta.close_basis.replace("_", " "), _BASES.get(meta.session_basis, meta.session_basis))
    sessions = f"{frame['session'].n_unique()} sessions"
    return ", ".join([f"{name or meta.root} {first!s} to {last!s}", sessions, *said, *bases])
