"""The risk governor: how many contracts of each entry, and which entries the budget refuses.

The book is replayed from the first entry on, in the order in which entries were decided, so that a position that
the budget refused is nobody's position later, and every run derives the same book from the same bars and terms.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from ctl.model.orders import (
    Book,
    EntryIntent,
    Market,
    RiskCap,
    RiskPnl,
    RiskPoint,
    RiskState,
    RiskTerms,
    tranche_lots,
)

if TYPE_CHECKING:
    from ctl.model.trades import Trade, Trigger

OPEN_R: Final = "MAX_OPEN_R"
DAILY_LOSS: Final = "MAX_DAILY_LOSS_R"
WEEKLY_LOSS: Final = "MAX_WEEKLY_LOSS_R"
MONTHLY_LOSS: Final = "MAX_MONTHLY_LOSS_R"
SIZE_ZERO: Final = "SIZE_ZERO"
NO_RATE: Final = "CURRENCY_WITHOUT_RATE"

_ROUNDING: Final = 1e-9
"""What float arithmetic may take from an exact multiple before a contract is lost or a cap is passed."""


@dataclass(frozen=True, slots=True)
class Held:
    """One entry that the budget took: its lots, and what it risks in R of the account."""

    symbol: str
    trade: Trade
    lots: int
    r: float

    def realised(self) -> Iterator[tuple[date, float]]:
        """(session, R of the account) of every tranche that has left."""
        trade = self.trade
        per_lot = self.r / self.lots
        fills = (trade.tp1_fill, trade.tp2_fill, trade.tp3_fill)
        for lots, fill, session in zip(tranche_lots(self.lots), fills, _target_sessions(trade), strict=True):
            if lots and fill is not None and session is not None:
                yield session, per_lot * lots * (fill - trade.entry_price) / trade.risk
            elif lots and trade.exit_reason != "Open":
                yield trade.exit_session, per_lot * lots * (trade.exit_price - trade.entry_price) / trade.risk

    def left(self, session: date) -> int:
        """Lots still held after the close of `session`."""
        if self.trade.exit_reason != "Open" and self.trade.exit_session <= session:
            return 0
        gone = zip(tranche_lots(self.lots), _target_sessions(self.trade), strict=True)
        return self.lots - sum(lots for lots, left in gone if left is not None and left <= session)


@dataclass(frozen=True, slots=True)
class Sizing:
    """What the budget says of one entry before its open. lots and r are 0 wherever there are codes.

    r: what the entry risks in R of the account. r_money: the money of 1 R after the reduction in a drawdown.
    """

    lots: int
    r: float
    r_money: float
    codes: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ordered:
    """R set aside for an entry from the close that decided it to the open it is for (None: still to come)."""

    decided: date
    open: date | None
    r: float


class Account:
    """The book, walked forward session by session. taken and refused: by (symbol, trigger session)."""

    def __init__(self, terms: RiskTerms) -> None:
        self.terms = terms
        self.taken: dict[tuple[str, date], Held] = {}
        self.refused: dict[tuple[str, date], Sizing] = {}
        self.curve: list[RiskPoint] = []
        self._peak = 0.0
        self._coming: list[tuple[date, str, float]] = []
        self._held: list[Held] = []
        self._ordered: list[_Ordered] = []

    def advance(self, day: date) -> None:
        """Realise everything up to the close of `day`. Days may not go back."""
        while self._coming and self._coming[0][0] <= day:
            session, r = self._coming[0][0], 0.0
            while self._coming and self._coming[0][0] == session:
                r += heapq.heappop(self._coming)[2]
            self.curve.append(RiskPoint(session, r, self.total() + r))
            self._peak = max(self._peak, self.total())
        self._held = [item for item in self._held if item.left(day)]
        self._ordered = [item for item in self._ordered if item.open is None or item.open > day]

    def size(self, entry: EntryIntent, market: Market) -> Sizing:
        """Lots of an entry decided on the close of its confirmation session, and why not where none.

        Lots = floor(R money / (risk per unit x point value x rate)), on that close with slippage, at least on the
        smallest risk that the strategy enters with.
        """
        day, terms = entry.confirmation_session, self.terms
        self.advance(day)
        money = self.r_money_next()
        rate = terms.rate(market.currency)
        if rate is None:
            text = f"{market.currency} has no rate into {terms.currency} under [risk.rates]"
            return Sizing(0, 0.0, money, (NO_RATE,), (text,))
        risk = unit_risk(entry, market) * market.point_value * rate
        lots = math.floor(money / risk + _ROUNDING)
        r = lots * risk / terms.r_money
        codes: dict[str, str] = {}
        if lots == 0:
            codes[SIZE_ZERO] = f"one contract risks {risk:,.2f} {terms.currency}; 1 R is {money:,.2f}"
        used = self.open_r(day) + self.ordered_r(day)
        if used + r > terms.max_open_r + _ROUNDING:
            codes[OPEN_R] = f"open risk {used:.2f} R with this entry's {r:.2f} R passes {terms.max_open_r:g} R"
        for code, name, limit, value in self.losses(day):
            if value <= -limit + _ROUNDING:
                codes[code] = f"the {name} stands at {value:+.2f} R; its limit is -{limit:g} R"
        return Sizing(0 if codes else lots, 0.0 if codes else r, money, tuple(codes), tuple(codes.values()))

    def order(self, entry: EntryIntent, sizing: Sizing, session: date | None = None) -> None:
        """Set R aside for an entry until the open of `session`, for the entries that come after it."""
        if not sizing.codes:
            self._ordered.append(_Ordered(entry.confirmation_session, session, sizing.r))

    def take(self, symbol: str, trade: Trade, market: Market, sizing: Sizing) -> None:
        """Enter `trade` in the book: at most the lots sized, fewer where the open left less room than the close."""
        key, rate = (symbol, trade.trigger_session), self.terms.rate(market.currency)
        if sizing.codes or rate is None:
            self.refused[key] = sizing
            return
        risk = trade.risk * market.point_value * rate
        lots = min(sizing.lots, math.floor(sizing.r_money / risk + _ROUNDING))
        if lots == 0:
            text = f"at the open one contract risked {risk:,.2f} {self.terms.currency}; 1 R was {sizing.r_money:,.2f}"
            self.refused[key] = Sizing(0, 0.0, sizing.r_money, (SIZE_ZERO,), (text,))
            return
        held = Held(symbol, trade, lots, lots * risk / self.terms.r_money)
        self.taken[key] = held
        self._held.append(held)
        for session, r in held.realised():
            heapq.heappush(self._coming, (session, symbol, r))

    def open_r(self, day: date) -> float:
        """R at risk after the close of `day`: each position's R, in proportion to the lots still held."""
        return sum(item.r * item.left(day) / item.lots for item in self._held if item.trade.entry_session <= day)

    def ordered_r(self, day: date) -> float:
        """R set aside at the close of `day` for entries whose open is still to come."""
        return sum(item.r for item in self._ordered if item.decided <= day)

    def total(self) -> float:
        """R realised so far."""
        return self.curve[-1].total_r if self.curve else 0.0

    def losses(self, day: date) -> tuple[tuple[str, str, float, float], ...]:
        """(code, name, limit, value) of the day, the ISO week and the month of `day`, as realised up to its close."""
        terms = self.terms
        monday = date.fromordinal(day.toordinal() - day.weekday())
        return (
            (DAILY_LOSS, "day", terms.max_daily_loss_r, self._since(day)),
            (WEEKLY_LOSS, "week", terms.max_weekly_loss_r, self._since(monday)),
            (MONTHLY_LOSS, "month", terms.max_monthly_loss_r, self._since(day.replace(day=1))),
        )

    def drawdown(self) -> float:
        """How far the curve stands below its highest point so far, which starts at 0."""
        return self._peak - self.total()

    def reduced(self) -> bool:
        """Whether the next entries carry reduced risk."""
        return self.drawdown() >= self.terms.drawdown_threshold_r - _ROUNDING

    def r_money_next(self) -> float:
        """The money of 1 R of the next entry."""
        return self.terms.r_money * (self.terms.drawdown_factor if self.reduced() else 1.0)

    def _since(self, first: date) -> float:
        total = 0.0
        for point in reversed(self.curve):
            if point.session < first:
                break
            total += point.r
        return total


def unit_risk(entry: EntryIntent, market: Market) -> float:
    """Price risked per unit if it opens at the last close; never below the smallest risk that is entered with."""
    return max(entry.close, entry.no_buy_below) + market.slippage_per_side - entry.stop


def replay(terms: RiskTerms, books: Mapping[str, Book]) -> Account:
    """The account after every entry of the books' results so far, decided in order of session, then symbol."""
    account = Account(terms)
    decided: list[tuple[date, str, Trigger]] = [
        (trigger.confirmation_session, symbol, trigger)
        for symbol, book in books.items()
        for trigger in book.result.triggers
        if trigger.status in ("confirmed", "no_trade") and trigger.confirmation_session is not None
    ]
    trades = {
        (symbol, trade.trigger_session): trade
        for symbol, book in books.items()
        for trade in (*book.result.trades, *book.result.open)
    }
    for day, symbol, trigger in sorted(decided, key=lambda item: item[:2]):
        if terms.since is not None and day < terms.since:
            continue
        book = books[symbol]
        entry = _as_decided(book, trigger, day)
        sizing = account.size(entry, book.market)
        account.order(entry, sizing, trigger.entry_session)
        trade = trades.get((symbol, trigger.trigger_session))
        if trade is not None:
            account.take(symbol, trade, book.market, sizing)
    return account


def _as_decided(book: Book, trigger: Trigger, day: date) -> EntryIntent:
    """The entry as it stood on the close of its confirmation: differences of prices are the same in every frame."""
    smallest = max(book.market.tick, float(book.result.parameters["min_risk_atr"]) * trigger.atr)
    return EntryIntent(
        symbol=book.result.symbol,
        contract="",
        trigger_session=trigger.trigger_session,
        confirmation_session=day,
        close=book.market.closes[day],
        stop=trigger.stop,
        tp=(trigger.tp1, trigger.tp2, trigger.tp3),
        no_buy_below=trigger.stop + smallest,
    )


def state(account: Account, day: date) -> RiskState:
    """The budget at the close of `day`. A cap is hit where it refuses every further entry."""
    account.advance(day)
    terms = account.terms
    used, ordered = account.open_r(day), account.ordered_r(day)
    losses = account.losses(day)
    caps = (
        RiskCap(OPEN_R, terms.max_open_r, used + ordered, used + ordered >= terms.max_open_r - _ROUNDING),
        *(RiskCap(code, limit, value, value <= -limit + _ROUNDING) for code, _, limit, value in losses),
    )
    refused = Counter(code for sizing in account.refused.values() for code in sizing.codes)
    day_r, week_r, month_r = (value for _, _, _, value in losses)
    return RiskState(
        as_of=day,
        equity=terms.equity,
        currency=terms.currency,
        r_percent=terms.r_percent,
        r_money=terms.r_money,
        r_money_next=account.r_money_next(),
        drawdown_r=account.drawdown(),
        drawdown_threshold_r=terms.drawdown_threshold_r,
        drawdown_factor=terms.drawdown_factor,
        reduced=account.reduced(),
        r_used=used,
        r_ordered=ordered,
        r_pnl=RiskPnl(day_r, week_r, month_r, account.total()),
        caps=caps,
        caps_hit=tuple(cap.code for cap in caps if cap.hit),
        taken=len(account.taken),
        refused={code: refused[code] for code in sorted(refused)},
        curve=tuple(account.curve),
    )


def _target_sessions(trade: Trade) -> tuple[date | None, date | None, date | None]:
    return trade.tp1_session, trade.tp2_session, trade.tp3_session
