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
class Brake:
    """From a drawdown of `drawdown_r` on, 1 R of a new entry is multiplied by `factor`; 0 halts new entries."""

    drawdown_r: float
    factor: float


@dataclass(frozen=True, slots=True)
class SizeCaps:
    """The most that a position in one symbol may be; None: not capped.

    max_notional, max_margin in the equity's currency; margin: of one contract, in the symbol's own.
    max_volume_share: of the median volume of the contract's 20 newest sessions.
    """

    max_contracts: int | None = None
    max_notional: float | None = None
    margin: float | None = None
    max_margin: float | None = None
    max_volume_share: float | None = None


NOTIONAL_PER_EQUITY: Final = 3.0
"""Cap of a position's notional in multiples of the equity, where [risk] names none."""


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """`[risk]` of the workspace. 1 R = r_percent of equity; caps in R, above zero.

    min_risk_atr_sizing: ATRs that one contract is taken to risk at least. caps: of every symbol, where `symbol_caps`
    does not say otherwise. rates: currency -> what one unit of it is worth in the equity's currency. since: entries
    decided before this session are not in the book, and the brakes count from it; None counts all, and the brakes from
    the first live session.
    """

    equity: float
    currency: str
    r_percent: float
    max_open_r: float
    max_daily_loss_r: float
    max_weekly_loss_r: float
    max_monthly_loss_r: float
    min_risk_atr_sizing: float = 1.0
    brakes: tuple[Brake, ...] = ()
    caps: SizeCaps = SizeCaps()
    symbol_caps: Mapping[str, SizeCaps] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    since: date | None = None

    @property
    def r_money(self) -> float:
        """1 R in the equity's currency, not reduced."""
        return self.equity * self.r_percent / 100.0

    def rate(self, currency: str) -> float | None:
        """What one unit of `currency` is worth in the equity's; None where that is not configured."""
        return 1.0 if currency == self.currency else self.rates.get(currency)

    def factor(self, drawdown_r: float) -> float:
        """What 1 R of a new entry is multiplied by at a drawdown: the factor of the deepest brake that it reaches."""
        reached = [brake for brake in self.brakes if drawdown_r >= brake.drawdown_r - 1e-9]
        return max(reached, key=lambda brake: brake.drawdown_r).factor if reached else 1.0

    def caps_of(self, symbol: str) -> SizeCaps:
        """The caps of one symbol, its own before those of all. The notional is always capped."""
        own = self.symbol_caps.get(symbol, SizeCaps())
        made = {
            item.name: getattr(self.caps, item.name) if getattr(own, item.name) is None else getattr(own, item.name)
            for item in fields(SizeCaps)
        }
        if made["max_notional"] is None:
            made["max_notional"] = NOTIONAL_PER_EQUITY * self.equity
        return SizeCaps(**made)


@dataclass(frozen=True, slots=True)
class EntryBar:
    """What sizing knows of the session on whose close an entry was decided.

    close: in the frame of the strategy's result. session: of the next open, contract: what is bought at it, price: the
    close in that contract's terms; volume: median of its 20 newest sessions, None where it is not known or not asked
    for.
    """

    close: float
    session: date
    contract: str
    price: float
    volume: float | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """What sizing needs to know of one symbol. tick in price units; bars: of each session that confirmed an entry."""

    tick: float
    point_value: float
    currency: str
    slippage_per_side: float
    bars: Mapping[date, EntryBar]


@dataclass(frozen=True, slots=True)
class Book:
    """One symbol as the risk budget sees it. terms: when each contract ends; empty where nothing expires."""

    result: StrategyResult
    market: Market
    terms: Mapping[str, ContractTerms] = field(default_factory=dict)


Key = tuple[str, date]
"""Symbol and trigger session: one entry."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of an entry before its open: refused for `codes`, or to be bought where the open lies at most
    `largest` above the stop (None: wherever).
    """

    codes: tuple[str, ...] = ()
    largest: float | None = None


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

    close: of the as-of session. tp: TP1 to TP3 as frozen at the trigger, atr: that of the trigger bar. All prices in
    `contract`'s terms. late: that open has passed already (weekly bars, in the middle of a week).
    """

    symbol: str
    contract: str
    trigger_session: date
    confirmation_session: date
    close: float
    stop: float
    tp: tuple[float, float, float]
    atr: float
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
    contract of the next open; rolls_by: the session from which it is held at the latest, where that is known.
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
    rolls_by: date | None = None

    @property
    def shift(self) -> float:
        """What is added to a price of the series to have it in the contract that is traded at the next open."""
        return (0.0 if self.roll is None else self.roll.gap) - self.adjustment


# ---------------------------------------------------------------- orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order for the open of `session`. A row of the table, the CSV and the JSON, in this order of fields.

    quantity: whole contracts or shares. price: the limit, on the tick grid; None for market orders. rolls_by: the
    session from which the next contract is held at the latest.
    r: what the target is worth in R of the trade, on an entry the R that the whole position puts at risk.
    no_buy_below: do not buy where it opens below. full_size_up_to, no_buy_above: the highest open at which the
    whole quantity, and at which one unit, still fits 1 R. reward_to_risk: what the whole position gains at its targets
    over what it loses at its stop, entered at the as-of close. risk_per_contract: currency, at the as-of close and at
    least the ATRs that sizing assumes; of a position its entry less its first stop; risk: of the whole quantity.
    Prices are the contract's own; adjusted_price, adjusted_stop: price and stop in the series' frame.
    codes: why it is blocked, or of an order to be placed what makes it urgent or smaller; mostly empty.
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
    reward_to_risk: float | None = None
    risk_per_contract: float | None = None
    risk: float | None = None
    currency: str
    tick: float
    rolls_by: date | None = None
    status: OrderStatus
    codes: tuple[str, ...] = ()
    reason: str


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """What is still held after the closes that decided, and sold at the open after a close below `stop`. Prices are the
    contract's own.
    """

    symbol: str
    contract: str
    quantity: int
    entry_session: date
    entry_price: float
    stop: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSheet:
    """Everything for the next open. sessions: of the opens, as_of: of the closes that decided, by symbol.

    standing: what to do beyond sending orders, by symbol: at which opens to buy, what follows, which stops act on
    closes. alerts: what a person must look at before anything else. held: positions that stay.
    """

    governed: bool
    sessions: Mapping[str, date]
    as_of: Mapping[str, date]
    orders: tuple[Order, ...]
    standing: Mapping[str, str]
    notes: tuple[str, ...]
    alerts: tuple[str, ...] = ()
    held: tuple[HeldPosition, ...] = ()

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

    r_money: 1 R; r_money_next: 1 R of the next entry, after the brakes. since: the brakes count from this session on;
    None where no session was live yet. drawdown_r: of the curve since then. taken, refused, capped: entries of the
    book so far, those that the budget refused and those that a cap made smaller, by code. r_used: R of open positions;
    r_ordered: R of the entries to be placed. caps_hit: codes of caps that refuse every further entry, and code and
    symbol of those that made the orders smaller.
    """

    as_of: date
    equity: float
    currency: str
    r_percent: float
    r_money: float
    r_money_next: float
    since: date | None
    drawdown_r: float
    brakes: tuple[Brake, ...]
    min_risk_atr_sizing: float
    r_used: float
    r_ordered: float
    r_pnl: RiskPnl
    caps: tuple[RiskCap, ...]
    caps_hit: tuple[str, ...]
    taken: int
    refused: Mapping[str, int]
    capped: Mapping[str, int]
    curve: tuple[RiskPoint, ...]


@dataclass(frozen=True, slots=True)
class GovernedTrade:
    """A closed trade as sized and capped. r: in R of the account; of_risk: in multiples of what its size risked."""

    symbol: str
    trigger_session: date
    exit_session: date
    lots: int
    r: float
    of_risk: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernedCurve:
    """The backtest as sized and capped: `strategy` is every trade at 1 R, `governed` this.

    refused, capped: entries by code. Figures as those of `Metrics`, in R of the account.
    """

    trades: tuple[GovernedTrade, ...]
    refused: Mapping[str, int]
    capped: Mapping[str, int]
    trade_count: int
    win_rate: float | None
    total_r: float
    expectancy_r: float | None
    profit_factor: float | None
    max_drawdown_r: float
    curve: tuple[RiskPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextOpenOrders:
    """`ctl orders --json`. profile: path of the one that was used. errors: symbols that could not be run, and why."""

    kind: Literal["orders"] = "orders"
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


def at_tick(price: float, tick: float) -> str:
    """A price with as many decimals as its tick has."""
    text = f"{tick:.9f}".rstrip("0")
    return f"{price:.{len(text) - text.index('.') - 1}f}"


_GRID_NOISE: Final = 1e-6


def _clean(price: float) -> float:
    return round(price, 10)
