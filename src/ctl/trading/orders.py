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
        _Rows(item, market, account, missing, orders, standing).add()
        if item.roll is not None and (item.positions or item.entries or item.pending):
            notes.append(_roll_note(item, item.roll))
    state = None
    if account is not None and books:
        state = risk.state(account, max(book.result.last_session for book in books.values()))
    return OrderSheet(terms is not None, tuple(orders), tuple(standing), tuple(notes)), state


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
    ) -> None:
        self._item, self._market, self._account = item, market, account
        self._missing = missing
        self._orders, self._standing = orders, standing

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
                self._put(
                    "target",
                    "sell",
                    "limit",
                    n,
                    f"resting limit of the position entered {position.entry_session} at {position.entry_price:.10g}",
                    contract=position.contract,
                    position=position,
                    tranche=tranche,
                    price=on_grid_up(level, self._item.tick),
                    r=(level - position.entry_price) / unit,
                )
        self._standing.append(
            f"{position.symbol}: stop {position.stop:.10g} ({position.contract}) acts on closes: after a close below "
            f"it sell what is left at the next open; no stop order rests in the market"
        )

    def _entry(self, entry: EntryIntent) -> None:
        market, tick = self._market, self._item.tick
        sizing = self._sizing(entry)
        codes, texts = list(sizing.codes), list(sizing.texts)
        if entry.late:
            codes.append(LATE)
            texts.append(f"the open it was for came after {entry.confirmation_session} and has passed")
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

    def _sizing(self, entry: EntryIntent) -> risk.Sizing:
        if self._account is None:
            return risk.Sizing(UNGOVERNED_LOTS, 0.0, 0.0, (), ())
        if self._missing:
            text = f"the budget is not known while {', '.join(self._missing)} cannot be run"
            return risk.Sizing(0, 0.0, 0.0, (INCOMPLETE,), (text,))
        sizing = self._account.size(entry, self._market)
        if not entry.late:
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
    ) -> None:
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
                risk_per_contract=per_contract,
                currency=self._market.currency,
                status="place",
                reason=reason,
            )
        )


def _bars(item: SymbolIntents, count: int) -> str:
    word = "session" if item.timeframe == "daily" else "week"
    return word if count == 1 else f"{word}s"
