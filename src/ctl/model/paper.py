"""The live-sim ledger as it is kept and shown: its lines, and its trades beside the backtest's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import ClassVar, Final, Literal

from ctl.model.statistics import LossesBeyondOneR
from ctl.model.trades import ExitReason

_AS_WRITTEN: Final = {"extra": "forbid", "allow_inf_nan": False}
"""How pydantic reads a line of the ledger back: every key, no other, and numbers that JSON can carry."""


@dataclass(frozen=True, slots=True)
class PaperEntry:
    """An entry for the next open, in the terms of the record's contract. smallest, largest: do not buy where open -
    stop is less or more (None: however much). live: decided by a run on that very close, in time for the open; else by
    a later run on what that session's close knew.
    """

    __pydantic_config__: ClassVar = _AS_WRITTEN

    trigger_session: date
    stop: float
    tp: tuple[float, float, float]
    smallest: float
    largest: float | None
    live: bool

    def moved(self, gap: float) -> PaperEntry:
        """The same in the terms of the contract rolled into."""
        first, second, third = self.tp
        return replace(self, stop=self.stop + gap, tp=(first + gap, second + gap, third + gap))


TargetFill = tuple[date, float]
"""Session and R of a target's fill."""


@dataclass(frozen=True, slots=True)
class PaperPosition:
    """What was bought, in thirds, after the close. hit: each target's fill, None while it rests. due: sold at the next
    open.
    """

    __pydantic_config__: ClassVar = _AS_WRITTEN

    entry: PaperEntry
    entry_session: date
    entry_price: float
    hit: tuple[TargetFill | None, TargetFill | None, TargetFill | None]
    due: bool

    @property
    def risk(self) -> float:
        """Price risked per unit."""
        return self.entry_price - self.entry.stop

    def moved(self, gap: float) -> PaperPosition:
        """The same in the terms of the contract rolled into; R already realised stays."""
        return replace(self, entry=self.entry.moved(gap), entry_price=self.entry_price + gap)


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry that was not taken. reason: what its open was (too near to the stop, below it, too far above it), or a
    code of why no order was placed.
    """

    __pydantic_config__: ClassVar = _AS_WRITTEN

    trigger_session: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrade:
    """A closed trade, prices in the terms of `contract`, held at its exit. live: its entry was an order of a run."""

    __pydantic_config__: ClassVar = _AS_WRITTEN

    symbol: str
    trigger_session: date
    entry_session: date
    exit_session: date
    contract: str
    entry_price: float
    stop_price: float
    exit_price: float
    exit_reason: Literal["TP3", "Stop"]
    targets: tuple[date | None, date | None, date | None]
    r_theoretical: float
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRecord:
    """One line of the ledger: one symbol's session as it was settled, and what is carried into the next one.

    Prices are those of `contract`, which the series holds on the session; gap: of the rolls that took effect on it.
    history: sha256 of the series up to the session, each bar in its own contract's terms. run: when it was written.
    """

    __pydantic_config__: ClassVar = _AS_WRITTEN

    schema_version: Literal[1]
    symbol: str
    session: date
    contract: str
    open: float
    high: float
    low: float
    close: float
    gap: float
    history: str
    slippage_per_side: float
    tick: float
    orders: tuple[PaperEntry, ...]
    positions: tuple[PaperPosition, ...]
    refused: tuple[RefusedEntry, ...]
    closed: tuple[PaperTrade, ...]
    run: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """The ledger as a whole: its lines, bytes and their sha256. A later ledger begins with these very bytes.

    first_session: the first live session.
    """

    first_session: date
    records: int
    bytes: int
    sha256: str


# ---------------------------------------------------------------- beside the backtest


@dataclass(frozen=True, slots=True)
class BacktestTrade:
    """A closed trade of the backtest, as far as paper has the same of it."""

    symbol: str
    trigger_session: date
    entry_session: date
    exit_session: date
    entry_price: float
    exit_price: float
    exit_reason: ExitReason
    r_theoretical: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperComparison:
    """One trade on paper and in the backtest; `explanation` where they differ."""

    symbol: str
    trigger_session: date
    paper: PaperTrade | None
    backtest: BacktestTrade | None
    r_difference: float | None
    differences: tuple[str, ...]
    explanation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSymbol:
    """One symbol's part of the ledger. live: closed trades whose entry a run decided on its own close. runs: how many
    runs wrote its sessions.
    """

    symbol: str
    first_session: date
    last_session: date
    sessions: int
    open: tuple[PaperPosition, ...]
    orders: tuple[PaperEntry, ...]
    paper_r: float
    backtest_r: float
    live: int
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperReport:
    """`ctl paper --json`."""

    kind: Literal["paper"] = "paper"
    schema_version: Literal[1] = 1
    timestamp: datetime
    cycle_id: str
    simulated: bool
    symbols: tuple[PaperSymbol, ...]
    trades: tuple[PaperComparison, ...]
    paper_r: float
    backtest_r: float
    losses_beyond_1r: LossesBeyondOneR
    unexplained: int
    head: LedgerHead | None
