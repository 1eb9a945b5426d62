"""What a trader reads before the next open: each order in a row, what follows it, and what the budget leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ctl.cli import screens
from ctl.cli.screens import Column, Terminal
from ctl.model.orders import at_tick

if TYPE_CHECKING:
    from datetime import date

    from ctl.model.orders import Order, OrderSheet, RiskState

_WIDE: Final = 80  # columns from which money and the latest roll are shown


def order_lines(
    sheet: OrderSheet,
    risk: RiskState | None,
    on: Terminal,
    *,
    simulated: bool,
    errors: Mapping[str, str],
    csv: str = "",
) -> list[str]:
    """The screen of an order sheet behind a passed gate. errors: symbols without orders; csv: the file written."""
    placed = [order for order in sheet.orders if order.status == "place"]
    blocked = len(sheet.orders) - len(placed)
    opens = " and ".join(f"{day:%a} {day}" for day in sorted(set(sheet.sessions.values())))
    lines = screens.parts(
        [
            f"ORDERS: {len(placed) or 'none'} for the open of {opens}" + (f", {blocked} blocked" if blocked else ""),
            "Gate: PASS",
            f"closes of {_days(sheet.as_of)}",
            "simulated market" if simulated else "",
        ],
        on,
    )
    for text in (*sheet.alerts, *(f"{symbol} not run: {why}" for symbol, why in errors.items())):
        lines += screens.wrapped(text, on, first="ALERT ", indent=" " * 6)
    if sheet.orders:
        lines += ["", *_table(sheet.orders, on)]
    facts = dict(sheet.standing)
    if risk is not None:
        facts["Risk"] = risk_text(risk)
    facts |= {f"Note{' ' * number}": text for number, text in enumerate(sheet.notes)}
    if csv:
        facts["Written"] = csv
    following = "ctl paper" if csv or not sheet.orders else screens.same_command("--csv", "orders.csv")
    return [*lines, "", *screens.facts(facts, on), f"next: {following}"]


def risk_text(risk: RiskState) -> str:
    """The budget in a line."""
    limit = next(cap.limit for cap in risk.caps if cap.code == "MAX_OPEN_R")
    text = (
        f"open {risk.r_used:.2f} + ordered {risk.r_ordered:.2f} = {risk.r_used + risk.r_ordered:.2f} of {limit:.2f} R; "
        f"1 R = {risk.r_money:,.0f} {risk.currency}"
    )
    if risk.r_money_next < risk.r_money:
        left = "no new entries" if risk.r_money_next == 0.0 else f"{risk.r_money_next:,.0f} for new entries"
        text += f", {left} (drawdown {risk.drawdown_r:.2f} R)"
    pnl = risk.r_pnl
    text += f"; realised day {pnl.day:+.2f}, week {pnl.week:+.2f}, month {pnl.month:+.2f} R"
    return f"{text}; caps hit: {', '.join(risk.caps_hit) or 'none'}"


def _table(orders: Sequence[Order], on: Terminal) -> list[str]:
    currencies = {order.currency for order in orders}
    one = currencies.pop() if len(currencies) == 1 else ""
    several = len({order.session for order in orders}) > 1
    columns = [
        Column("symbol"), Column("contract"), *([Column("open")] if several else []), Column("do"),
        Column("qty", right=True), Column("price"), Column("in R"),
        Column(f"{one} risk".strip(), right=True, least=_WIDE), Column("rolls by", least=_WIDE),
    ]  # fmt: skip
    rows = [
        (
            order.symbol,
            order.contract,
            *([str(order.session)] if several else []),
            what(order),
            str(order.quantity),
            order.type if order.price is None else f"{order.type} {at_tick(order.price, order.tick)}",
            "-" if order.r is None else f"risks {order.r:.2f}" if order.action == "enter" else f"at {order.r:+.2f}",
            "-" if not order.risk else f"{order.risk:,.2f}" + ("" if one else f" {order.currency}"),
            "-" if order.rolls_by is None else str(order.rolls_by),
        )
        for order in orders
    ]
    return screens.table(columns, rows, on)


def what(order: Order) -> str:
    """`buy`, `sell TP1`, `roll: buy`, `buy (blocked)`: what a trader does with one row."""
    do = f"{order.side} {order.tranche}" if order.tranche else str(order.side)
    if order.action == "roll":
        do = f"roll: {order.side}"
    return do if order.status == "place" else f"{do} (blocked)"


def _days(of: Mapping[str, date]) -> str:
    """The day of most symbols, and that of each other one."""
    if not of:
        return "no session"
    common = Counter(of.values()).most_common(1)[0][0]
    return ", ".join([str(common), *(f"{symbol} {day}" for symbol, day in of.items() if day != common)])
