"""The published documents of the live-sim ledger: its lines, and its trades beside the backtest's."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12


class OrderDocument(TypedDict):
    """An entry for the next open, in the terms of the record's contract."""

    trigger_session: str
    stop: float
    tp: list[float]
    smallest: float
    live: bool


class PositionDocument(TypedDict):
    """A position after the close; `hit` holds session and R of each target's fill."""

    entry: OrderDocument
    entry_session: str
    entry_price: float
    hit: list[list[str | float] | None]
    due: bool


class PaperTradeDocument(TypedDict):
    """A closed trade, prices in the terms of `contract`, held at its exit. live: its entry was an order of a run."""

    symbol: str
    trigger_session: str
    entry_session: str
    exit_session: str
    contract: str
    entry_price: float
    stop_price: float
    exit_price: float
    exit_reason: Literal["TP3", "Stop"]
    targets: list[str | None]
    r_theoretical: float
    live: bool


class RecordDocument(TypedDict):
    """One line of the ledger: one symbol's session as it was settled, and what is carried into the next one.

    Prices are those of `contract`, which the series holds on the session; gap: of the rolls that took effect on it.
    history: sha256 of the series up to the session, each bar in its own contract's terms. run: when it was written.
    """

    schema_version: Literal[1]
    symbol: str
    session: str
    contract: str
    open: float
    high: float
    low: float
    close: float
    gap: float
    history: str
    slippage_per_side: float
    tick: float
    orders: list[OrderDocument]
    positions: list[PositionDocument]
    refused: list[dict[str, str]]
    closed: list[PaperTradeDocument]
    run: str


class PaperComparisonDocument(TypedDict):
    """One trade on paper and in the backtest; `explanation` where they differ."""

    symbol: str
    trigger_session: str
    paper: PaperTradeDocument | None
    backtest: dict[str, Any] | None
    r_difference: float | None
    differences: list[str]
    explanation: str | None


class PaperSymbolDocument(TypedDict):
    """One symbol's part of the ledger. live: closed trades whose entry a run decided on its own close. runs: how many
    runs wrote its sessions.
    """

    symbol: str
    first_session: str
    last_session: str
    sessions: int
    open: list[PositionDocument]
    orders: list[OrderDocument]
    paper_r: float
    backtest_r: float
    live: int
    runs: int


class PaperDocument(TypedDict):
    """`ctl paper --json`."""

    schema_version: Literal[1]
    timestamp: str
    cycle_id: str
    simulated: bool
    symbols: list[PaperSymbolDocument]
    trades: list[PaperComparisonDocument]
    paper_r: float
    backtest_r: float
    unexplained: int
