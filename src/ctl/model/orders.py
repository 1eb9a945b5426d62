"""What a trader does at the next open: intentions of a strategy, the risk budget, and the sized orders.

Prices are those of the contract named. An intention says what the strategy would do; an order says how much
of it the risk budget allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal

from ctl.model.bars import ContractTerms
from ctl.model.trades import StrategyResult, Timeframe, frame_schema

if TYPE_CHECKING:
    import polars as pl

Action = Literal["enter", "exit", "roll", "target"]
Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit"]
OrderStatus = Literal["place", "blocked"]
Tranche = Literal["TP1", "TP2", "TP3"]

UNGOVERNED_LOTS: Final = 3
"""Lots per position where the workspace has no [risk] table: one for each target."""

TRANCHES: Final[tuple[Tranche, ...]] = ("TP1", "TP2", "TP3")


def tranche_lots(lots: int) -> tuple[int, int, int]:
    """Whole lots that leave at TP1, TP2 and TP3 (the rule of `r_actual`): one at TP1; two at TP1 and TP3;
    from three on a third each, rounded down, and the rest at TP3.
    """
    if lots <= 2:
        return ((0, 0, 0), (1, 0, 0), (1, 0, 1))[max(lots, 0)]
    third = lots // 3
    return third, third, lots - 2 * third


# ---------------------------------------------------------------- the risk budget


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """`[risk]` of the workspace. 1 R = r_percent of equity; caps in R, above zero.

    rates: currency -> what one unit of it is worth in the equity's currency. since: entries decided before
    this session are not in the book; None counts all.
    """

    equity: float
    currency: str
    r_percent: float
    max_open_r: float
    max_daily_loss_r: float
    max_weekly_loss_r: float
    max_monthly_loss_r: float
    drawdown_threshold_r: float
    drawdown_factor: float
    rates: Mapping[str, float] = field(default_factory=dict)
    since: date | None = None

    @property
    def r_money(self) -> float:
        """1 R in the equity's currency, not reduced."""
        return self.equity * self.r_percent / 100.0

    def rate(self, currency: str) -> float | None:
        """What one unit of `currency` is worth in the equity's; None where that is not configured."""
        return 1.0 if currency == self.currency else self.rates.get(currency)


@dataclass(frozen=True, slots=True)
class Market:
    """What sizing needs to know of one symbol. tick in price units; closes: session -> close, in the frame of
    the strategy's result.
    """

    tick: float
    point_value: float
    currency: str
    slippage_per_side: float
    closes: Mapping[date, float]


@dataclass(frozen=True, slots=True)
class Book:
    """One symbol as the risk budget sees it."""

    result: StrategyResult
    market: Market


# ---------------------------------------------------------------- intentions


@dataclass(frozen=True, slots=True)
class Roll:
    """A roll that takes effect at the next session. gap: close of the new contract less the old one's, both on
    `gap_session`; levels of the old contract plus `gap` are levels of the new one.
    """

    from_contract: str
    to_contract: str
    gap: float
    gap_session: date


@dataclass(frozen=True, slots=True)
class EntryIntent:
    """A confirmed trigger: buy at the next open, unless it opens below `no_buy_below`.

    close: of the as-of session. tp: TP1 to TP3 as frozen at the trigger. All prices in `contract`'s terms.
    late: that open has passed already (weekly bars, in the middle of a week).
    """

    symbol: str
    contract: str
    trigger_session: date
    confirmation_session: date
    close: float
    stop: float
    tp: tuple[float, float, float]
    no_buy_below: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class PositionIntent:
    """A position of the strategy: sold at the next open where `due`, else left with its unhit targets resting.

    held: the contract it is held in now; contract: the one it is held in after the next open; prices in
    `contract`'s terms. stop is in force for the next session's close; tp_hit as of the as-of session.
    """

    symbol: str
    held: str
    contract: str
    trigger_session: date
    entry_session: date
    entry_price: float
    initial_stop: float
    stop: float
    tp: tuple[float, float, float]
    tp_hit: tuple[bool, bool, bool]
    due: bool
    close: float


@dataclass(frozen=True, slots=True)
class PendingIntent:
    """A trigger inside its grace window: no order yet. A close of the next session above `confirm_above` confirms."""

    symbol: str
    contract: str
    trigger_session: date
    sessions_left: int
    confirm_above: float
    stop: float


@dataclass(frozen=True, slots=True)
class SymbolIntents:
    """What the strategy would do with one symbol at the open of `session`, decided on the close of `as_of`.

    adjustment: what the series carries on its last bar. opened: the session is trading already. terms: when each
    contract ends, where that is known; empty where nothing expires. next_contract: of the series' cycle, after the
    contract of the next open.
    """

    symbol: str
    as_of: date
    session: date
    timeframe: Timeframe
    contract: str
    tick: float
    adjustment: float
    roll: Roll | None
    entries: tuple[EntryIntent, ...]
    positions: tuple[PositionIntent, ...]
    pending: tuple[PendingIntent, ...]
    opened: bool = False
    terms: Mapping[str, ContractTerms] = field(default_factory=dict)
    next_contract: str | None = None

    @property
    def shift(self) -> float:
        """What is added to a price of the series to have it in the contract that is traded at the next open."""
        return (0.0 if self.roll is None else self.roll.gap) - self.adjustment


# ---------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order for the open of `session`. A row of the table, the CSV and the JSON, in this order of fields.

    quantity: whole contracts or shares. price: the limit, on the tick grid; None for market orders.
    r: what the target is worth in R of the trade, on an entry the R that the whole position puts at risk.
    no_buy_below: do not buy where it opens below. full_size_up_to, no_buy_above: the highest open at which the
    whole quantity, and at which one unit, still fits 1 R. risk_per_contract: currency, at the as-of close.
    Prices are the contract's own; adjusted_price, adjusted_stop: price and stop in the series' frame.
    codes: why it is blocked, or of an order to be placed what makes it urgent; mostly empty.
    """

    session: date
    as_of: date
    symbol: str
    contract: str
    action: Action
    side: Side
    type: OrderType
    quantity: int
    price: float | None = None
    tranche: Tranche | None = None
    r: float | None = None
    stop: float | None = None
    tp1: float | None = None
    tp2: float | None = None
    tp3: float | None = None
    no_buy_below: float | None = None
    full_size_up_to: float | None = None
    no_buy_above: float | None = None
    adjusted_price: float | None = None
    adjusted_stop: float | None = None
    risk_per_contract: float | None = None
    currency: str
    status: OrderStatus
    codes: tuple[str, ...] = ()
    reason: str


@dataclass(frozen=True, slots=True)
class OrderSheet:
    """Everything for the next open. standing: what holds beyond orders (stops that act on closes, pending triggers).
    alerts: what a person must look at before anything else.
    """

    governed: bool
    orders: tuple[Order, ...]
    standing: tuple[str, ...]
    notes: tuple[str, ...]
    alerts: tuple[str, ...] = ()

    def to_polars(self) -> pl.DataFrame:
        """One row per order: the fields of Order; several codes are separated by blanks."""
        import polars as pl

        rows = [
            {**{item.name: getattr(order, item.name) for item in fields(Order)}, "codes": " ".join(order.codes)}
            for order in self.orders
        ]
        return pl.DataFrame(rows, schema=frame_schema(Order))


@dataclass(frozen=True, slots=True)
class RiskCap:
    """One cap, in R: what is used of it, and whether that blocks new entries."""

    code: str
    limit: float
    value: float
    hit: bool


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One session of the portfolio's R curve: what was realised on it, and the sum so far."""

    session: date
    r: float
    total_r: float


@dataclass(frozen=True, slots=True)
class RiskPnl:
    """Realised R of the day, the ISO week and the month of the as-of session, and of all time."""

    day: float
    week: float
    month: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskState:
    """The risk budget at the close of `as_of`. Money in `currency`.

    r_money: 1 R; r_money_next: 1 R of the next entry, after the reduction in a drawdown. taken, refused: entries
    of the book so far, and those that the budget refused, by code. r_used: R of open positions; r_ordered: R of the
    entries to be placed.
    """

    as_of: date
    equity: float
    currency: str
    r_percent: float
    r_money: float
    r_money_next: float
    drawdown_r: float
    drawdown_threshold_r: float
    drawdown_factor: float
    reduced: bool
    r_used: float
    r_ordered: float
    r_pnl: RiskPnl
    caps: tuple[RiskCap, ...]
    caps_hit: tuple[str, ...]
    taken: int
    refused: Mapping[str, int]
    curve: tuple[RiskPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextOpenOrders:
    """`ctl orders --json`. profile: path of the one that was used. errors: symbols that could not be run, and why."""

    schema_version: Literal[1] = 1
    timestamp: datetime
    as_of: date | None
    profile: str
    cycle_id: str
    simulated: bool
    gate_passed: Literal[True] = True
    orders: OrderSheet
    risk: RiskState | None
    errors: Mapping[str, str]


def on_grid_up(price: float, tick: float) -> float:
    """The lowest price of the tick grid that is not below `price`; a price on the grid stays, rounding noise aside."""
    from math import ceil

    return _clean(ceil(price / tick - _GRID_NOISE) * tick)


def on_grid_down(price: float, tick: float) -> float:
    """The highest price of the tick grid that is not above `price`."""
    from math import floor

    return _clean(floor(price / tick + _GRID_NOISE) * tick)


_GRID_NOISE: Final = 1e-6


def _clean(price: float) -> float:
    return round(price, 10)
