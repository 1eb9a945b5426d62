"""The orders for the next open: a strategy's intentions, sized by the risk budget, in words a trader can follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ctl.model.orders import (
    TRANCHES,
    UNGOVERNED_LOTS,
    Action,
    Book,
    EntryIntent,
    Market,
    Order,
    OrderSheet,
    OrderType,
    PositionIntent,
    RiskState,
    RiskTerms,
    Roll,
    Side,
    SymbolIntents,
    Tranche,
    on_grid_down,
    on_grid_up,
    tranche_lots,
)
from ctl.trading import risk

LATE: Final = "OPEN_HAS_PASSED"
EXPIRES: Final = "CONTRACT_EXPIRES"
NOTICE: Final = "FIRST_NOTICE"
ENDED: Final = "CONTRACT_ENDED"
INCOMPLETE: Final = "BOOK_INCOMPLETE"


def order_sheet(
    intents: Sequence[SymbolIntents],
    books: Mapping[str, Book],
    terms: RiskTerms | None,
    *,
    missing: Sequence[str] = (),
) -> tuple[OrderSheet, RiskState | None]:
    """The orders for the next open, sized, ordered by symbol: exits, rolls, targets, entries; and the budget's state.

    terms None: three lots a position, no cap. books: of every symbol of `intents`. missing: symbols that
    could not be run; while there are any the budget is not known, and a governed sheet places no entry.
    """
    account = None if terms is None else risk.replay(terms, books)
    orders: list[Order] = []
    standing: list[str] = []
    alerts: list[str] = []
    notes = [_NOTE_CONTRACT]
    if terms is None:
        notes.append(
            f"the size is not governed: ctl.toml has no [risk] table; quantities are {UNGOVERNED_LOTS} per position"
        )
    elif any(item.positions for item in intents):
        notes.append(
            "quantities of open positions follow from the [risk] table as it is now; sell no more than you hold"
        )
    for item in sorted(intents, key=lambda intent: intent.symbol):
        market = books[item.symbol].market
        _Rows(item, market, account, missing, orders, standing, alerts).add()
        notes += _terms_of(item, orders)
        if item.roll is not None and (item.positions or item.entries or item.pending):
            notes.append(_roll_note(item, item.roll))
    state = None
    if account is not None and books:
        state = risk.state(account, max(book.result.last_session for book in books.values()))
    return OrderSheet(terms is not None, tuple(orders), tuple(standing), tuple(notes), tuple(alerts)), state


_NOTE_CONTRACT: Final = (
    "prices are those of the contract named: the newest part of a difference-adjusted series carries no adjustment; "
    "limits stand on the tick grid"
)


def _roll_note(item: SymbolIntents, roll: Roll) -> str:
    return (
        f"{item.symbol} rolls from {roll.from_contract} to {roll.to_contract} at the open of {item.session}: trade "
        f"{roll.to_contract}; its levels are those of {roll.from_contract} {roll.gap:+.10g}, the difference of the "
        f"closes of {roll.gap_session}"
    )


def _terms_of(item: SymbolIntents, orders: Sequence[Order]) -> list[str]:
    """Who says the last days of the contracts that are ordered, and what nobody states of them."""
    notes = []
    traded = {order.contract for order in orders if order.symbol == item.symbol}
    for name in sorted(traded & item.terms.keys()):
        terms = item.terms[name]
        said = (("last trade", terms.last_trade, terms.last_trade_source),
                ("first notice", terms.first_notice, terms.first_notice_source))  # fmt: skip
        days = [f"{what} {source if day is None else f'{day} by {source}'}" for what, day, source in said]
        notes.append(f"{name}: {', '.join(days)}")
        for what, day, source in (
            ("last trade day", terms.last_trade, terms.last_trade_source),
            ("first notice day", terms.first_notice, terms.first_notice_source),
        ):
            if day is None and source != "none":
                notes.append(f"{name}: its {what} is not known; nothing here guards against it")
            elif source in ("assumed", "estimated"):
                notes.append(f"{name}: its {what} {day} is {source}, not stated by the vendor or the exchange's rule")
    return notes


class _Rows:
    """The orders of one symbol."""

    def __init__(
        self,
        item: SymbolIntents,
        market: Market,
        account: risk.Account | None,
        missing: Sequence[str],
        orders: list[Order],
        standing: list[str],
        alerts: list[str],
    ) -> None:
        self._item, self._market, self._account = item, market, account
        self._missing = missing
        self._orders, self._standing, self._alerts = orders, standing, alerts

    def add(self) -> None:
        for position in self._item.positions:
            self._position(position)
        for entry in self._item.entries:
            self._entry(entry)
        for pending in self._item.pending:
            self._standing.append(
                f"{pending.symbol}: trigger of {pending.trigger_session} waits {pending.sessions_left} more "
                f"{_bars(self._item, pending.sessions_left)}; a next close above {pending.confirm_above:.10g} "
                f"confirms it, and the open after that is the entry; nothing to do now"
            )

    def _position(self, position: PositionIntent) -> None:
        key = (position.symbol, position.trigger_session)
        lots = UNGOVERNED_LOTS
        if self._account is not None:
            held = self._account.taken.get(key)
            if held is None:
                refused = self._account.refused.get(key)
                why = "; ".join(refused.texts) if refused else "decided before [risk] since"
                self._standing.append(
                    f"{position.symbol}: the strategy's position of {position.entry_session} is not in the book ({why})"
                )
                return
            lots = held.lots
        tranches = tranche_lots(lots)
        left = sum(n for n, hit in zip(tranches, position.tp_hit, strict=True) if not hit)
        if left == 0:
            self._standing.append(
                f"{position.symbol}: the {lots} lots of {position.entry_session} have left at their targets"
            )
            return
        ends = self._ends(position.held)
        if ends is not None and ends[0] == ENDED:
            text = f"{ends[1]}: nothing is sold; what was held has been settled or delivered, ask your broker"
            self._put("exit", "sell", "market", left, text, contract=position.held, position=position, refused=ENDED)
            self._alerts.append(f"{position.symbol}: {ENDED}: {left} {position.held} in the book; {text}")
            return
        ends = self._ends(position.contract)
        if ends is not None and not position.due:
            text = f"{ends[1]}: sell what is left of {position.held} at the open, cancel its targets{self._overdue()}"
            self._put("exit", "sell", "market", left, text, contract=position.held, position=position, code=ends[0])
            self._alerts.append(f"{position.symbol}: {ends[0]}: {text}")
            return
        if position.due:
            text = f"closed below its stop on {self._item.as_of}: sell what is left at the open; cancel its targets"
            self._put("exit", "sell", "market", left, text, contract=position.held, position=position)
            return
        if position.contract != position.held:
            text = f"the position rolls: sell {position.held}, buy {position.contract}"
            self._put("roll", "sell", "market", left, text, contract=position.held)
            self._put("roll", "buy", "market", left, text, contract=position.contract)
        unit = position.entry_price - position.initial_stop
        for tranche, n, level, hit in zip(TRANCHES, tranches, position.tp, position.tp_hit, strict=True):
            if n and not hit:
                price = on_grid_up(level, self._item.tick)
                at_once = f"; at or below the last close {position.close:.10g}: it sells at once"
                self._put(
                    "target",
                    "sell",
                    "limit",
                    n,
                    f"resting limit of the position entered {position.entry_session} at {position.entry_price:.10g}"
                    + (at_once if price <= position.close else ""),
                    contract=position.contract,
                    position=position,
                    tranche=tranche,
                    price=price,
                    r=(level - position.entry_price) / unit,
                )
        self._standing.append(
            f"{position.symbol}: stop {position.stop:.10g} ({position.contract}) acts on closes: after a close below "
            f"it sell what is left at the next open; no stop order rests in the market"
        )

    def _ends(self, contract: str) -> tuple[str, str] | None:
        """The code and the text of why a contract is not to be held at the open; None where nothing is against it."""
        terms, session = self._item.terms.get(contract), self._item.session
        if terms is None:
            return None
        if terms.last_trade is not None and session >= terms.last_trade:
            if session > terms.last_trade:
                return ENDED, f"{contract} traded for the last time on {terms.last_trade}"
            return EXPIRES, f"{session} is the last trade day of {contract}"
        if terms.first_notice is not None and session >= terms.first_notice:
            return NOTICE, f"first notice of {contract} is on {terms.first_notice}"
        return None

    def _overdue(self) -> str:
        """The roll that should have come."""
        following = self._item.next_contract
        return "" if following is None else f"; the roll to {following} should have come before"

    def _entry(self, entry: EntryIntent) -> None:
        market, tick = self._market, self._item.tick
        refused: list[tuple[str, str]] = []
        ends = self._ends(entry.contract)
        if ends is not None:
            refused.append((NOTICE if ends[0] == NOTICE else EXPIRES, ends[1] + self._overdue()))
        if entry.late:
            refused.append((LATE, f"the open it was for came after {entry.confirmation_session} and has passed"))
        elif self._item.opened:
            refused.append((LATE, self._passed()))
        sizing = self._sizing(entry, counted=not refused)
        codes = [*sizing.codes, *(code for code, _ in refused)]
        texts = [*sizing.texts, *(text for _, text in refused)]
        unit = risk.unit_risk(entry, market)
        floor = on_grid_up(entry.no_buy_below, tick)
        full = none = None
        lots = 0 if codes else sizing.lots
        if self._account is not None and lots:
            rate = self._account.terms.rate(market.currency) or 1.0
            room = sizing.r_money / (market.point_value * rate)
            base = entry.stop - market.slippage_per_side
            full, none = on_grid_down(base + room / lots, tick), on_grid_down(base + room, tick)
        text = f"trigger of {entry.trigger_session}, confirmed {entry.confirmation_session}"
        if lots:
            text += f"; buy only if it opens at {floor:.10g} or above"
            if full is not None:
                text += f", all {lots} up to {full:.10g}, fewer above, none above {none:.10g}"
        else:
            text += f"; not bought: {'; '.join(texts)}"
        currency = market.currency
        self._orders.append(
            Order(
                session=self._item.session,
                as_of=self._item.as_of,
                symbol=entry.symbol,
                contract=entry.contract,
                action="enter",
                side="buy",
                type="market",
                quantity=lots,
                r=sizing.r if self._account is not None and lots else None,
                stop=entry.stop,
                tp1=entry.tp[0],
                tp2=entry.tp[1],
                tp3=entry.tp[2],
                no_buy_below=floor,
                full_size_up_to=full,
                no_buy_above=none,
                adjusted_stop=self._adjusted(entry.stop),
                risk_per_contract=unit * market.point_value,
                currency=currency,
                status="blocked" if codes else "place",
                codes=tuple(codes),
                reason=text,
            )
        )
        if lots:
            rests = ", ".join(
                f"{n} at {on_grid_up(level, tick):.10g} ({tranche})"
                for tranche, n, level in zip(TRANCHES, tranche_lots(lots), entry.tp, strict=True)
                if n
            )
            self._standing.append(
                f"{entry.symbol}: once bought, limits rest from the session after {self._item.session} on: {rests};"
                f" from that session on a close below {entry.stop:.10g} sells what is left at the next open"
            )

    def _passed(self) -> str:
        return f"the open of {self._item.session} has passed"

    def _adjusted(self, price: float | None) -> float | None:
        """A price of the contract in the frame of the series."""
        return None if price is None else round(price - self._item.shift, 10)

    def _sizing(self, entry: EntryIntent, *, counted: bool) -> risk.Sizing:
        if self._account is None:
            return risk.Sizing(UNGOVERNED_LOTS, 0.0, 0.0, (), ())
        if self._missing:
            text = f"the budget is not known while {', '.join(self._missing)} cannot be run"
            return risk.Sizing(0, 0.0, 0.0, (INCOMPLETE,), (text,))
        sizing = self._account.size(entry, self._market)
        if counted:
            self._account.order(entry, sizing)
        return sizing

    def _put(
        self,
        action: Action,
        side: Side,
        kind: OrderType,
        quantity: int,
        reason: str,
        *,
        contract: str,
        position: PositionIntent | None = None,
        tranche: Tranche | None = None,
        price: float | None = None,
        r: float | None = None,
        code: str | None = None,
        refused: str | None = None,
    ) -> None:
        """Add an order. code: what makes it urgent; refused: the code of why it is not to be placed."""
        codes = [found for found in (code, refused) if found is not None]
        if self._item.opened and refused is None:
            codes.append(LATE)
            reason = f"{reason}; {self._passed()}: decide by hand"
            if action != "target":
                self._alerts.append(f"{self._item.symbol}: {LATE}: {side} {quantity} {contract}: {reason}")
        per_contract = None
        if position is not None:
            per_contract = (position.entry_price - position.initial_stop) * self._market.point_value
        self._orders.append(
            Order(
                session=self._item.session,
                as_of=self._item.as_of,
                symbol=self._item.symbol,
                contract=contract,
                action=action,
                side=side,
                type=kind,
                quantity=quantity,
                price=price,
                tranche=tranche,
                r=r,
                stop=None if position is None else position.stop,
                adjusted_price=self._adjusted(price),
                adjusted_stop=None if position is None else self._adjusted(position.stop),
                risk_per_contract=per_contract,
                currency=self._market.currency,
                status="blocked" if refused is not None or self._item.opened else "place",
                codes=tuple(codes),
                reason=reason,
            )
        )


def _bars(item: SymbolIntents, count: int) -> str:
    word = "session" if item.timeframe == "daily" else "week"
    return word if count == 1 else f"{word}s"
