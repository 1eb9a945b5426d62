"""The next open: what a strategy does at it with the symbols of a run, the orders of that, and the paper ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ctl import sessions
from ctl.errors import DataError
from ctl.flows import paper
from ctl.flows.backtest import strategy_bars
from ctl.model.orders import Book, Market, OrderSheet, RiskState, Roll, SymbolIntents
from ctl.trading.orders import order_sheet

if TYPE_CHECKING:
    from ctl.flows.inputs import SymbolInputs
    from ctl.model.bars import DailySeries
    from ctl.model.rolls import ContinuousSeries
    from ctl.model.run import PlanEntry
    from ctl.model.trades import StrategyResult, Timeframe
    from ctl.store import SymbolConfig, Workspace


@dataclass(frozen=True, slots=True)
class NextOpen:
    """What the strategy does with one symbol at the next open, and what sizing and the paper ledger need of it."""

    entry: PlanEntry
    inputs: SymbolInputs
    intents: SymbolIntents
    book: Book


def next_open(
    entry: PlanEntry,
    config: SymbolConfig,
    inputs: SymbolInputs,
    series: ContinuousSeries | DailySeries,
    result: StrategyResult,
    *,
    timeframe: Timeframe,
) -> NextOpen:
    """What follows from a result on a series. Raises DataError where a roll is pending whose gap is not known."""
    from ctl.strategy.bars import weekly_bars
    from ctl.strategy.orders import next_session_intents

    symbol = entry.symbol
    daily = strategy_bars(series, symbol, config.calendar)
    bars = daily if timeframe == "daily" else weekly_bars(daily)
    newest = daily.session[-1].item()
    contract = series.frame["contract"][-1]
    intents = next_session_intents(
        bars,
        result,
        contract=symbol if contract is None else str(contract),
        session=sessions.next_session(config.calendar, newest),
        tick=entry.tick,
        roll=_pending_roll(inputs, series),
        late=newest > result.last_session,
    )
    intents = replace(
        intents,
        terms={} if inputs.contracts is None else inputs.contracts.terms,
        next_contract=next_contract(inputs, intents.contract if intents.roll is None else intents.roll.to_contract),
    )
    closes = dict(zip(bars.session.tolist(), bars.close.tolist(), strict=True))
    confirmed = [t.confirmation_session for t in result.triggers if t.confirmation_session is not None]
    market = Market(
        tick=entry.tick,
        point_value=config.point_value,
        currency=config.currency,
        slippage_per_side=entry.slippage_per_side,
        closes={session: closes[session] for session in confirmed},
    )
    return NextOpen(entry, inputs, intents, Book(result, market))


def orders(
    workspace: Workspace, following: Sequence[NextOpen], *, missing: Sequence[str], instant: datetime
) -> tuple[OrderSheet, RiskState | None]:
    """The orders for the next open, and the risk budget. missing: gating symbols that could not be run.

    An open that has passed at `instant` is known as such; a simulated market stands still at the end of its data.
    """
    books = {item.entry.symbol: item.book for item in following}
    intents = [
        replace(
            item.intents,
            opened=not workspace.simulated
            and sessions.opening(workspace.symbol(item.entry.symbol).calendar, item.intents.session) <= instant,
        )
        for item in following
    ]
    return order_sheet(intents, books, workspace.risk, missing=missing)


def rehearsed(sheet: OrderSheet, why: str) -> OrderSheet:
    """The sheet of a run that nothing may be traded on: every order blocked (REHEARSAL)."""
    blocked = tuple(
        replace(order, status="blocked", codes=(*order.codes, "REHEARSAL"), reason=f"made {why}: places nothing")
        for order in sheet.orders
    )
    return replace(sheet, orders=blocked, alerts=(f"REHEARSAL: made {why}; nothing here may be placed", *sheet.alerts))


def settle_paper(workspace: Workspace, following: Sequence[NextOpen], *, instant: datetime) -> int:
    """Settle the live-sim ledger of the symbols on the bars that were run on; the number of sessions added."""
    read = {item.entry.symbol: item.inputs for item in following}
    return paper.settle(workspace, [item.entry for item in following], read, instant=instant)


def next_contract(inputs: SymbolInputs, name: str) -> str | None:
    """The contract after `name` among those that the roll policy may hold; None where the data have none."""
    if inputs.contracts is None or inputs.policy is None:
        return None
    months = inputs.policy.eligible_months
    names = [c.name for c in inputs.contracts.contracts if c.name == name or months is None or c.month_code in months]
    following = names[names.index(name) + 1 :] if name in names else []
    return following[0] if following else None


def _pending_roll(inputs: SymbolInputs, series: ContinuousSeries | DailySeries) -> Roll | None:
    """The roll that takes effect at the next session, with the gap that the series will then be joined by."""
    import polars as pl

    pending = getattr(series, "pending_roll", None)
    if pending is None:
        return None
    frame = inputs.bars
    old, new = (
        frame.filter(pl.col("contract") == name).select("session", "close").drop_nulls()
        for name in (pending.from_contract, pending.to_contract)
    )
    both = old.join(new, on="session", suffix="_new").sort("session")
    if both.is_empty():
        raise DataError(
            f"{inputs.symbol}: a roll is pending, and its contracts have no session in common",
            found=f"{pending.from_contract} to {pending.to_contract}",
            code="NO_GAP",
        )
    session, before, after = both.row(-1)
    return Roll(pending.from_contract, pending.to_contract, after - before, session)
