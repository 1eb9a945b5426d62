"""The risk governor: how many contracts of each entry, and which entries the budget refuses.

The book is replayed from the first entry on, in the order in which entries were decided, so that a position that
the budget refused is nobody's position later, and every run derives the same book from the same bars and terms.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from ctl.model.orders import (
    Book,
    EntryBar,
    EntryIntent,
    GovernedCurve,
    GovernedTrade,
    Key,
    Market,
    RiskCap,
    RiskPnl,
    RiskPoint,
    RiskState,
    RiskTerms,
    Verdict,
    tranche_lots,
)

if TYPE_CHECKING:
    from ctl.model.bars import ContractTerms
    from ctl.model.trades import Trade, Trigger

EXPIRES: Final = "CONTRACT_EXPIRES"
NOTICE: Final = "FIRST_NOTICE"
ENDED: Final = "CONTRACT_ENDED"
OPEN_R: Final = "MAX_OPEN_R"
DAILY_LOSS: Final = "MAX_DAILY_LOSS_R"
WEEKLY_LOSS: Final = "MAX_WEEKLY_LOSS_R"
MONTHLY_LOSS: Final = "MAX_MONTHLY_LOSS_R"
SIZE_ZERO: Final = "SIZE_ZERO"
NO_RATE: Final = "CURRENCY_WITHOUT_RATE"
HALTED: Final = "DRAWDOWN_HALT"
CONTRACTS: Final = "MAX_CONTRACTS"
NOTIONAL: Final = "MAX_NOTIONAL"
MARGIN: Final = "MAX_MARGIN"
VOLUME: Final = "MAX_VOLUME_SHARE"
NO_VOLUME: Final = "VOLUME_UNKNOWN"
BEFORE: Final = "BEFORE_SINCE"

Reason = tuple[str, str]
"""A code and its text."""

_ROUNDING: Final = 1e-9
"""What float arithmetic may take from an exact multiple before a contract is lost or a cap is passed."""


@dataclass(frozen=True, slots=True)
class Held:
    """One entry that the budget took: its lots, what it risks in R of the account, and what a price unit of one lot
    is worth in it.
    """

    symbol: str
    trade: Trade
    lots: int
    r: float
    r_per_point: float

    def realised(self) -> Iterator[tuple[date, float]]:
        """(session, R of the account) of every tranche that has left."""
        trade = self.trade
        fills = (trade.tp1_fill, trade.tp2_fill, trade.tp3_fill)
        for lots, fill, session in zip(tranche_lots(self.lots), fills, _target_sessions(trade), strict=True):
            if lots and fill is not None and session is not None:
                yield session, self.r_per_point * lots * (fill - trade.entry_price)
            elif lots and trade.exit_reason != "Open":
                yield trade.exit_session, self.r_per_point * lots * (trade.exit_price - trade.entry_price)

    def left(self, session: date) -> int:
        """Lots still held after the close of `session`."""
        if self.trade.exit_reason != "Open" and self.trade.exit_session <= session:
            return 0
        gone = zip(tranche_lots(self.lots), _target_sessions(self.trade), strict=True)
        return self.lots - sum(lots for lots, left in gone if left is not None and left <= session)


@dataclass(frozen=True, slots=True)
class Sizing:
    """What the budget says of one entry before its open. lots and r are 0 wherever there are reasons.

    r: what the entry risks in R of the account. unit: money that one contract is taken to risk. r_money: money that the
    entry may risk: 1 R after the brakes, at most what the cap on open risk leaves. largest: distance of the open from
    the stop beyond which not one contract fits it. capped: codes of the caps that made it smaller.
    """

    lots: int
    r: float
    unit: float
    r_money: float
    largest: float | None = None
    reasons: tuple[Reason, ...] = ()
    capped: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Why it is refused; empty where it is not."""
        return tuple(code for code, _ in self.reasons)

    @property
    def texts(self) -> tuple[str, ...]:
        """The same in words."""
        return tuple(text for _, text in self.reasons)

    @property
    def verdict(self) -> Verdict:
        """The same for the paper ledger."""
        return Verdict(self.codes, None if self.reasons else self.largest)


@dataclass(frozen=True, slots=True)
class _Ordered:
    """An entry's R from the close that decided it to the open it is for (None: still to come).

    most: R that it may come to risk where it opens above that close, which is set aside for it.
    """

    decided: date
    open: date | None
    r: float
    most: float


class Account:
    """The book, walked forward session by session. decided, taken and refused: by (symbol, trigger session).

    since: the brakes count the curve from this session on; None: they do not count yet.
    """

    def __init__(self, terms: RiskTerms, since: date | None = None) -> None:
        self.terms = terms
        self.since = since
        self.decided: dict[Key, Sizing] = {}
        self.taken: dict[Key, Held] = {}
        self.refused: dict[Key, Sizing] = {}
        self.curve: list[RiskPoint] = []
        self._counted = self._peak = 0.0
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
            if self.since is not None and session >= self.since:
                self._counted += r
                self._peak = max(self._peak, self._counted)
        self._held = [item for item in self._held if item.left(day)]
        self._ordered = [item for item in self._ordered if item.open is None or item.open > day]

    def size(self, entry: EntryIntent, market: Market, bar: EntryBar, refused: Sequence[Reason] = ()) -> Sizing:
        """Lots of an entry decided on the close of its confirmation session, and why not where none.

        Lots = floor(R money / (risk per unit x point value x rate)), on that close with slippage, at least on the
        smallest risk that the strategy enters with and on min_risk_atr_sizing ATRs; no more than the symbol's caps
        allow. refused: what else speaks against it.
        """
        day, terms = entry.confirmation_session, self.terms
        self.advance(day)
        money = self.r_money_next()
        rate = terms.rate(market.currency)
        if terms.since is not None and day < terms.since:
            refused = (*refused, (BEFORE, f"decided on {day}, before since = {terms.since} of [risk]"))
        if rate is None:
            text = f"{market.currency} has no rate into {terms.currency} under [risk.rates]"
            return Sizing(0, 0.0, 0.0, money, reasons=(*refused, (NO_RATE, text)))
        point = market.point_value * rate
        unit = self.unit(stop_distance(entry, market), entry.atr) * point
        affordable = math.floor(money / unit + _ROUNDING)
        reasons = list(refused)
        caps = _size_caps(terms, entry.symbol, market, bar, rate)
        lots = min(affordable, *(most for _, most, _ in caps))
        if money == 0.0:
            reasons.append((HALTED, f"new entries are halted at a drawdown of {self.drawdown():.2f} R"))
        elif affordable == 0:
            reasons.append((SIZE_ZERO, f"one contract risks {unit:,.2f} {terms.currency}; 1 R is {money:,.2f}"))
        elif lots == 0:
            reasons += [(code, text) for code, most, text in caps if most == 0]
        r = lots * unit / terms.r_money
        used = self.open_r(day) + sum(item.most for item in self._ordered if item.decided <= day)
        if used + r > terms.max_open_r + _ROUNDING:
            reasons.append(
                (OPEN_R, f"open risk of up to {used:.2f} R with this entry's {r:.2f} R passes {terms.max_open_r:g} R")
            )
        for code, name, limit, value in self.losses(day):
            if value <= -limit + _ROUNDING:
                reasons.append((code, f"the {name} stands at {value:+.2f} R; its limit is -{limit:g} R"))
        if reasons:
            return Sizing(0, 0.0, unit, money, reasons=tuple(reasons))
        capped = tuple(code for code, most, _ in caps if most < affordable)
        money = min(money, (terms.max_open_r - used) * terms.r_money)
        return Sizing(lots, r, unit, money, money / point - market.slippage_per_side, capped=capped)

    def order(self, entry: EntryIntent, sizing: Sizing, session: date | None = None) -> None:
        """Set R aside for an entry until the open of `session`, for the entries that come after it."""
        if not sizing.reasons:
            most = sizing.r_money / self.terms.r_money
            self._ordered.append(_Ordered(entry.confirmation_session, session, sizing.r, most))

    def take(self, symbol: str, trade: Trade, market: Market, sizing: Sizing, atr: float) -> None:
        """Enter `trade` in the book: at most the lots sized, fewer where the open left less room than the close."""
        key, rate = (symbol, trade.trigger_session), self.terms.rate(market.currency)
        if sizing.reasons or rate is None:
            self.refused[key] = sizing
            return
        point = market.point_value * rate
        unit = self.unit(trade.risk, atr) * point
        lots = min(sizing.lots, math.floor(sizing.r_money / unit + _ROUNDING))
        if lots == 0:
            text = (
                f"at the open one contract risked {unit:,.2f} {self.terms.currency}; "
                f"{sizing.r_money:,.2f} was left for it"
            )
            self.refused[key] = Sizing(0, 0.0, unit, sizing.r_money, reasons=((SIZE_ZERO, text),))
            return
        money = self.terms.r_money
        held = Held(symbol, trade, lots, lots * unit / money, point / money)
        self.taken[key] = held
        self._held.append(held)
        for session, r in held.realised():
            heapq.heappush(self._coming, (session, symbol, r))

    def unit(self, distance: float, atr: float) -> float:
        """Price units that one unit is taken to risk: a stop acts on a close, so its distance is not the most."""
        return max(distance, self.terms.min_risk_atr_sizing * atr)

    def open_r(self, day: date) -> float:
        """R at risk after the close of `day`: each position's R, in proportion to the lots still held."""
        return sum(item.r * item.left(day) / item.lots for item in self._held if item.trade.entry_session <= day)

    def ordered_r(self, day: date) -> float:
        """R of the entries, at the close of `day`, whose open is still to come."""
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
        """How far the curve since `since` stands below its highest point so far, which starts at 0."""
        return self._peak - self._counted

    def r_money_next(self) -> float:
        """The money of 1 R of the next entry, after the brakes."""
        return self.terms.r_money * self.terms.factor(self.drawdown())

    def _since(self, first: date) -> float:
        total = 0.0
        for point in reversed(self.curve):
            if point.session < first:
                break
            total += point.r
        return total


def stop_distance(entry: EntryIntent, market: Market) -> float:
    """Price between entry and stop if it opens at the last close; never below the smallest that is entered with."""
    return max(entry.close, entry.no_buy_below) + market.slippage_per_side - entry.stop


def contract_ends(terms: Mapping[str, ContractTerms], contract: str, session: date) -> Reason | None:
    """Why `contract` is not to be held from the open of `session` on; None where nothing is against it."""
    known = terms.get(contract)
    if known is None:
        return None
    if known.last_trade is not None and session > known.last_trade:
        return ENDED, f"{contract} traded for the last time on {known.last_trade}"
    if known.last_trade == session:
        return EXPIRES, f"{session} is the last trade day of {contract}"
    if known.first_notice is not None and session >= known.first_notice:
        return NOTICE, f"first notice of {contract} is on {known.first_notice}"
    return None


def entry_refused(terms: Mapping[str, ContractTerms], contract: str, session: date) -> Reason | None:
    """Why nothing of `contract` is bought at the open of `session`; None where it may be."""
    ends = contract_ends(terms, contract, session)
    return None if ends is None else (NOTICE if ends[0] == NOTICE else EXPIRES, ends[1])


def _size_caps(terms: RiskTerms, symbol: str, market: Market, bar: EntryBar, rate: float) -> list[tuple[str, int, str]]:
    """(code, most contracts, text) of every cap of a position in the symbol."""
    caps, currency = terms.caps_of(symbol), terms.currency
    made: list[tuple[str, int, str]] = []
    if caps.max_contracts is not None:
        made.append((CONTRACTS, caps.max_contracts, f"at most {caps.max_contracts} contracts"))
    if caps.max_notional is not None:
        each = max(abs(bar.price), market.tick) * market.point_value * rate
        text = f"one contract is worth {each:,.2f} {currency}; its notional is capped at {caps.max_notional:,.2f}"
        made.append((NOTIONAL, math.floor(caps.max_notional / each + _ROUNDING), text))
    if caps.max_margin is not None and caps.margin is not None:
        each = caps.margin * rate
        text = f"one contract needs a margin of {each:,.2f} {currency}; it is capped at {caps.max_margin:,.2f}"
        made.append((MARGIN, math.floor(caps.max_margin / each + _ROUNDING), text))
    if caps.max_volume_share is not None:
        share = 100.0 * caps.max_volume_share
        if bar.volume is None:
            made.append((NO_VOLUME, 0, f"the volume of {bar.contract} is not known; the size is capped at {share:g} %"))
        else:
            text = (
                f"{bar.contract} trades {bar.volume:,.0f} a session (median of 20); the size is capped at {share:g} %"
            )
            made.append((VOLUME, math.floor(caps.max_volume_share * bar.volume + _ROUNDING), text))
    return made


def replay(terms: RiskTerms, books: Mapping[str, Book], *, first_live: date | None = None) -> Account:
    """The account after every entry of the books' results so far, decided in order of session, then symbol.

    first_live: the first live session, from which the brakes count where the terms do not say since when.
    """
    account = Account(terms, terms.since or first_live)
    trades = {
        (symbol, trade.trigger_session): trade
        for symbol, book in books.items()
        for trade in (*book.result.trades, *book.result.open)
    }
    for day, symbol, trigger in _decided(books):
        book, key = books[symbol], (symbol, trigger.trigger_session)
        entry = _as_decided(book, trigger, day)
        refused = _refused(book, day)
        sizing = account.size(entry, book.market, book.market.bars[day], () if refused is None else (refused,))
        account.decided[key] = sizing
        account.order(entry, sizing, trigger.entry_session)
        trade = trades.get(key)
        if trade is not None:
            account.take(symbol, trade, book.market, sizing, trigger.atr)
    return account


def verdicts(books: Mapping[str, Book], account: Account | None) -> dict[Key, Verdict]:
    """What was said of every entry decided so far. account: None where no budget governs."""
    if account is not None:
        return {key: sizing.verdict for key, sizing in account.decided.items()}
    made = {}
    for day, symbol, trigger in _decided(books):
        refused = _refused(books[symbol], day)
        made[symbol, trigger.trigger_session] = Verdict(() if refused is None else (refused[0],))
    return made


def _decided(books: Mapping[str, Book]) -> list[tuple[date, str, Trigger]]:
    """(confirmation session, symbol, trigger) of every entry whose open has come, in that order."""
    found = [
        (trigger.confirmation_session, symbol, trigger)
        for symbol, book in books.items()
        for trigger in book.result.triggers
        if trigger.status in ("confirmed", "no_trade") and trigger.confirmation_session is not None
    ]
    return sorted(found, key=lambda item: item[:2])


def _refused(book: Book, day: date) -> Reason | None:
    """Why the contract of an entry that was decided on the close of `day` could not be bought."""
    bar = book.market.bars[day]
    return entry_refused(book.terms, bar.contract, bar.session)


def _as_decided(book: Book, trigger: Trigger, day: date) -> EntryIntent:
    """The entry as it stood on the close of its confirmation: differences of prices are the same in every frame."""
    smallest = max(book.market.tick, float(book.result.parameters["min_risk_atr"]) * trigger.atr)
    bar = book.market.bars[day]
    return EntryIntent(
        symbol=book.result.symbol,
        contract=bar.contract,
        trigger_session=trigger.trigger_session,
        confirmation_session=day,
        close=bar.close,
        stop=trigger.stop,
        tp=(trigger.tp1, trigger.tp2, trigger.tp3),
        atr=trigger.atr,
        no_buy_below=trigger.stop + smallest,
    )


def state(account: Account, day: date, ordered: Mapping[str, Sizing]) -> RiskState:
    """The budget at the close of `day`. A cap is hit where it refuses every further entry, or made an order smaller.

    ordered: the sizing of each symbol's entry for the next open.
    """
    account.advance(day)
    terms = account.terms
    used, aside = account.open_r(day), account.ordered_r(day)
    losses = account.losses(day)
    halts = [brake.drawdown_r for brake in terms.brakes if brake.factor == 0.0]
    caps = [
        RiskCap(OPEN_R, terms.max_open_r, used + aside, used + aside >= terms.max_open_r - _ROUNDING),
        *(RiskCap(code, limit, value, value <= -limit + _ROUNDING) for code, _, limit, value in losses),
    ]
    if halts:
        caps.append(RiskCap(HALTED, halts[0], -account.drawdown(), account.r_money_next() == 0.0))
    smaller = [f"{code} {symbol}" for symbol, sizing in sorted(ordered.items()) for code in sizing.capped]
    day_r, week_r, month_r = (value for _, _, _, value in losses)
    return RiskState(
        as_of=day,
        equity=terms.equity,
        currency=terms.currency,
        r_percent=terms.r_percent,
        r_money=terms.r_money,
        r_money_next=account.r_money_next(),
        since=account.since,
        drawdown_r=account.drawdown(),
        brakes=terms.brakes,
        min_risk_atr_sizing=terms.min_risk_atr_sizing,
        r_used=used,
        r_ordered=aside,
        r_pnl=RiskPnl(day_r, week_r, month_r, account.total()),
        caps=tuple(caps),
        caps_hit=(*(cap.code for cap in caps if cap.hit), *smaller),
        taken=len(account.taken),
        refused=_counted(code for item in account.refused.values() if BEFORE not in item.codes for code in item.codes),
        capped=_capped(account),
        curve=tuple(account.curve),
    )


def governed(account: Account, day: date) -> GovernedCurve:
    """The backtest's trades closed by `day` as the account sized and capped them."""
    account.advance(day)
    trades = [
        GovernedTrade(symbol, trigger, max(sessions), held.lots, sum(r), sum(r) / held.r)
        for (symbol, trigger), held in account.taken.items()
        if not held.left(day)
        for sessions, r in (tuple(zip(*held.realised(), strict=True)),)
    ]
    levels = [0.0, *(point.total_r for point in account.curve)]
    peaks = accumulate(levels, max)
    count, won, lost = len(trades), sum(t.r for t in trades if t.r > 0.0), -sum(t.r for t in trades if t.r < 0.0)
    return GovernedCurve(
        trades=tuple(sorted(trades, key=lambda item: (item.exit_session, item.symbol))),
        refused=_counted(code for sizing in account.refused.values() for code in sizing.codes),
        capped=_capped(account),
        trade_count=count,
        win_rate=sum(t.r > 0.0 for t in trades) / count if count else None,
        total_r=won - lost,
        expectancy_r=(won - lost) / count if count else None,
        profit_factor=won / lost if lost else None,
        max_drawdown_r=max(peak - level for peak, level in zip(peaks, levels, strict=True)),
        curve=tuple(account.curve),
    )


def _capped(account: Account) -> dict[str, int]:
    return _counted(code for key in account.taken for code in account.decided[key].capped)


def _counted(codes: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(codes).items()))


def _target_sessions(trade: Trade) -> tuple[date | None, date | None, date | None]:
    return trade.tp1_session, trade.tp2_session, trade.tp3_session
