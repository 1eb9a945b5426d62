"""The orders for the next open: a strategy's intentions, sized by the risk budget, in words a trader can follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from ctl.model.findings import in_full
from ctl.model.orders import (
    TRANCHES,
    UNGOVERNED_LOTS,
    Action,
    Book,
    EntryIntent,
    HeldPosition,
    Key,
    Market,
    Order,
    OrderSheet,
    OrderType,
    PendingIntent,
    PositionIntent,
    RiskState,
    RiskTerms,
    Roll,
    Side,
    SymbolIntents,
    Tranche,
    Verdict,
    at_tick,
    on_grid_down,
    on_grid_up,
    tranche_lots,
)
from ctl.trading import risk

LATE: Final = "OPEN_HAS_PASSED"
INCOMPLETE: Final = "BOOK_INCOMPLETE"


@dataclass(frozen=True, slots=True)
class Sized:
    """The orders for the next open, the state of the budget, and what was said of every entry up to that open.

    state: None where no budget governs.
    """

    sheet: OrderSheet
    state: RiskState | None
    verdicts: Mapping[Key, Verdict]


def order_sheet(
    intents: Sequence[SymbolIntents],
    books: Mapping[str, Book],
    terms: RiskTerms | None,
    *,
    first_live: date | None = None,
    missing: Sequence[str] = (),
) -> Sized:
    """The orders for the next open, sized, ordered by symbol: exits, rolls, targets, entries.

    terms None: three lots a position, no cap. books: of every symbol of `intents`. first_live: the first live session,
    from which the brakes count. missing: symbols that could not be run; while there are any the budget is not known,
    and a governed sheet places no entry.
    """
    account = None if terms is None else risk.replay(terms, books, first_live=first_live)
    verdicts = risk.verdicts(books, account)
    orders: list[Order] = []
    standing: dict[str, str] = {}
    alerts: list[str] = []
    held: list[HeldPosition] = []
    notes = []
    sizings: dict[str, risk.Sizing] = {}
    if terms is None:
        notes.append(
            f"the size is not governed: ctl.toml has no [risk] table; quantities are {UNGOVERNED_LOTS} per position"
        )
    elif any(item.positions for item in intents):
        notes.append(
            "quantities of open positions follow from the [risk] table as it is now; sell no more than you hold"
        )
    ordered = sorted(intents, key=lambda intent: intent.symbol)
    for item in ordered:
        rows = _Rows(item, books[item.symbol].market, account, missing)
        rows.add()
        orders += rows.orders
        alerts += rows.alerts
        held += rows.held
        if rows.standing:
            standing[item.symbol] = "; ".join(rows.standing)
        for entry, sizing in rows.sized:
            sizings[item.symbol] = sizing
            verdicts[item.symbol, entry.trigger_session] = sizing.verdict
        notes += _terms_of(item, rows.orders)
        if item.roll is not None and (item.positions or item.entries or item.pending):
            notes.append(_roll_note(item, item.roll))
    state = None
    if account is not None and books:
        state = risk.state(account, max(book.result.last_session for book in books.values()), sizings)
    sheet = OrderSheet(
        governed=terms is not None,
        sessions={item.symbol: item.session for item in ordered},
        as_of={item.symbol: item.as_of for item in ordered},
        orders=tuple(orders),
        standing=standing,
        notes=(_NOTE_CONTRACT, *notes) if orders or held else tuple(notes),
        alerts=tuple(alerts),
        held=tuple(held),
    )
    return Sized(sheet, state, verdicts)


_NOTE_CONTRACT: Final = (
    "prices are those of the contract named: the newest part of a difference-adjusted series carries no adjustment; "
    "limits stand on the tick grid"
)


def _roll_note(item: SymbolIntents, roll: Roll) -> str:
    return (
        f"{item.symbol} rolls from {roll.from_contract} to {roll.to_contract} at the open of {item.session}: trade "
        f"{roll.to_contract}; its levels are those of {roll.from_contract} {in_full(roll.gap, signed=True)}, the "
        f"difference of the closes of {roll.gap_session}"
    )


def _terms_of(item: SymbolIntents, orders: Sequence[Order]) -> list[str]:
    """Who says the last days of the contracts that are ordered, and what nobody states of them."""
    notes = []
    traded = {order.contract for order in orders}
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
    """The orders of one symbol, and what else there is to do. sized: its entries, and what the budget says of each."""

    def __init__(
        self, item: SymbolIntents, market: Market, account: risk.Account | None, missing: Sequence[str]
    ) -> None:
        self._item, self._market, self._account, self._missing = item, market, account, missing
        self.orders: list[Order] = []
        self.standing: list[str] = []
        self.alerts: list[str] = []
        self.held: list[HeldPosition] = []
        self.sized: list[tuple[EntryIntent, risk.Sizing]] = []

    def add(self) -> None:
        for position in self._item.positions:
            self._position(position)
        for entry in self._item.entries:
            self._entry(entry)
        for pending in self._item.pending:
            self._pending(pending)

    def _pending(self, pending: PendingIntent) -> None:
        above = self._price(on_grid_down(pending.confirm_above, self._item.tick))
        self.standing.append(
            f"trigger of {pending.trigger_session} waits {pending.sessions_left} more "
            f"{_bars(self._item, pending.sessions_left)}: a next close above {above} "
            f"confirms it, and the open after that is the entry; nothing to do now"
        )

    def _position(self, position: PositionIntent) -> None:
        lots = self._lots(position)
        if lots is None:
            return
        tranches = tranche_lots(lots)
        left = sum(n for n, hit in zip(tranches, position.tp_hit, strict=True) if not hit)
        if left == 0:
            self.standing.append(f"the {lots} lots of {position.entry_session} have left at their targets")
            return
        ends = risk.contract_ends(self._item.terms, position.held, self._item.session)
        if ends is not None and ends[0] == risk.ENDED:
            text = f"{ends[1]}: nothing is sold; what was held has been settled or delivered, ask your broker"
            self._put("exit", "sell", "market", left, text, position.held, position=position, refused=risk.ENDED)
            self.alerts.append(f"{position.symbol}: {risk.ENDED}: {left} {position.held} in the book; {text}")
            return
        ends = risk.contract_ends(self._item.terms, position.contract, self._item.session)
        if ends is not None and not position.due:
            text = f"{ends[1]}: sell what is left of {position.held} at the open, cancel its targets{self._overdue()}"
            self._put("exit", "sell", "market", left, text, position.held, position=position, code=ends[0])
            self.alerts.append(f"{position.symbol}: {ends[0]}: {text}")
            return
        if position.due:
            text = f"closed below its stop on {self._item.as_of}: sell what is left at the open; cancel its targets"
            self._put("exit", "sell", "market", left, text, position.held, position=position)
            self.standing.append(f"held {left} since {position.entry_session}; {text}")
            return
        self._held(position, tranches, left)

    def _lots(self, position: PositionIntent) -> int | None:
        """Lots that the position began with; None where it is not in the book, which is said."""
        if self._account is None:
            return UNGOVERNED_LOTS
        key = (position.symbol, position.trigger_session)
        held = self._account.taken.get(key)
        if held is not None:
            return held.lots
        why = "; ".join(self._account.refused[key].texts)
        self.standing.append(f"the strategy's position of {position.entry_session} is not in the book ({why})")
        return None

    def _held(self, position: PositionIntent, tranches: tuple[int, int, int], left: int) -> None:
        """A position that stays: its roll, its resting targets, its stop."""
        if position.contract != position.held:
            text = f"the position rolls: sell {position.held}, buy {position.contract}"
            self._put("roll", "sell", "market", left, text, position.held)
            self._put("roll", "buy", "market", left, text, position.contract)
        self.held.append(
            HeldPosition(
                position.symbol, position.contract, left, position.entry_session, position.entry_price, position.stop
            )
        )
        unit = position.entry_price - position.initial_stop
        at_once = []
        for tranche, n, level, hit in zip(TRANCHES, tranches, position.tp, position.tp_hit, strict=True):
            if not n or hit:
                continue
            price = on_grid_up(level, self._item.tick)
            text = (
                f"resting limit of the position entered {position.entry_session} at {self._price(position.entry_price)}"
            )
            if price <= position.close:
                at_once.append(tranche)
                text += f"; at or below the last close {self._price(position.close)}: it sells at once"
            self._put(
                "target", "sell", "limit", n, text, position.contract,
                position=position, tranche=tranche, price=price, r=(level - position.entry_price) / unit,
            )  # fmt: skip
        soon = f"{' and '.join(at_once)} at or below the last close sell{'s' * (len(at_once) == 1)} at once; "
        self.standing.append(
            f"held {left} since {position.entry_session} at {self._price(position.entry_price)}; "
            f"{soon if at_once else ''}sell all at the open after a close below {self._price(position.stop)}; no stop "
            f"order rests in the market"
        )

    def _overdue(self) -> str:
        """The roll that should have come."""
        following = self._item.next_contract
        return "" if following is None else f"; the roll to {following} should have come before"

    def _entry(self, entry: EntryIntent) -> None:
        market, tick = self._market, self._item.tick
        sizing = self._sizing(entry, list(self._refusals(entry)))
        self.sized.append((entry, sizing))
        lots = sizing.lots
        distance = risk.stop_distance(entry, market)
        unit = distance if self._account is None else self._account.unit(distance, entry.atr)
        floor = on_grid_up(entry.no_buy_below, tick)
        full = none = None
        if sizing.largest is not None and lots:
            none = on_grid_down(entry.stop + sizing.largest, tick)
            room = (sizing.largest + market.slippage_per_side) / lots - market.slippage_per_side
            full = on_grid_down(entry.stop + room, tick)
        reward = _reward(entry, lots or UNGOVERNED_LOTS, entry.stop + distance)
        text = f"trigger of {entry.trigger_session}, confirmed {entry.confirmation_session}"
        if lots:
            self.standing.append(self._what_to_buy(entry, lots, (floor, full, none), reward))
        else:
            text += f"; not bought: {'; '.join(sizing.texts)}"
            self.standing.append("not bought: " + "; ".join(f"{code}: {why}" for code, why in sizing.reasons))
        if sizing.capped:
            text += f"; made smaller by {', '.join(sizing.capped)}"
        self.orders.append(
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
                reward_to_risk=reward,
                risk_per_contract=unit * market.point_value,
                risk=lots * unit * market.point_value,
                currency=market.currency,
                tick=tick,
                rolls_by=self._item.rolls_by,
                status="place" if lots else "blocked",
                codes=(*sizing.codes, *sizing.capped),
                reason=text,
            )
        )

    def _what_to_buy(
        self, entry: EntryIntent, lots: int, opens: tuple[float, float | None, float | None], reward: float
    ) -> str:
        floor, full, none = opens
        text = f"buy if it opens {self._price(floor)} "
        text += "or above" if none is None else f"to {self._price(none)}"
        if full is not None and full != none:
            text += f" (all {lots} up to {self._price(full)}, fewer above)"
        rests = ", ".join(
            f"{n} at {tranche} {self._price(on_grid_up(level, self._item.tick))}"
            for tranche, n, level in zip(TRANCHES, tranche_lots(lots), entry.tp, strict=True)
            if n
        )
        return (
            f"{text}, else no trade; then sell {rests} (reward to risk {reward:.1f}), or at the open after a close "
            f"below {self._price(entry.stop)}"
        )

    def _refusals(self, entry: EntryIntent) -> Iterator[risk.Reason]:
        """What speaks against an entry beside the budget."""
        ends = risk.entry_refused(self._item.terms, entry.contract, self._item.session)
        if ends is not None:
            yield ends[0], ends[1] + self._overdue()
        if entry.late:
            yield LATE, f"the open it was for came after {entry.confirmation_session} and has passed"
        elif self._item.opened:
            yield LATE, self._passed()

    def _sizing(self, entry: EntryIntent, refused: list[risk.Reason]) -> risk.Sizing:
        if self._account is None:
            return risk.Sizing(0 if refused else UNGOVERNED_LOTS, 0.0, 0.0, 0.0, reasons=tuple(refused))
        if self._missing:
            refused.append((INCOMPLETE, f"the budget is not known while {', '.join(self._missing)} cannot be run"))
            return risk.Sizing(0, 0.0, 0.0, 0.0, reasons=tuple(refused))
        # The bar is of the result's frame and symbol; a refused entry takes no part of the budget.
        sizing = self._account.size(entry, self._market, self._market.bars[entry.confirmation_session], refused)
        self._account.order(entry, sizing)
        return sizing

    def _passed(self) -> str:
        return f"the open of {self._item.session} has passed"

    def _price(self, price: float) -> str:
        return at_tick(price, self._item.tick)

    def _adjusted(self, price: float | None) -> float | None:
        """A price of the contract in the frame of the series."""
        return None if price is None else round(price - self._item.shift, 10)

    def _put(
        self,
        action: Action,
        side: Side,
        kind: OrderType,
        quantity: int,
        reason: str,
        contract: str,
        *,
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
                self.alerts.append(f"{self._item.symbol}: {LATE}: {side} {quantity} {contract}: {reason}")
        per_contract = None
        if position is not None:
            per_contract = (position.entry_price - position.initial_stop) * self._market.point_value
        self.orders.append(
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
                tick=self._item.tick,
                rolls_by=self._item.rolls_by,
                status="blocked" if refused is not None or self._item.opened else "place",
                codes=tuple(codes),
                reason=reason,
            )
        )


def _reward(entry: EntryIntent, lots: int, bought: float) -> float:
    """What `lots` bought at `bought` gain at their targets over what they lose at the stop."""
    gained = sum(n * (level - bought) for n, level in zip(tranche_lots(lots), entry.tp, strict=True))
    return gained / (lots * (bought - entry.stop))


def _bars(item: SymbolIntents, count: int) -> str:
    word = "session" if item.timeframe == "daily" else "week"
    return word if count == 1 else f"{word}s"
