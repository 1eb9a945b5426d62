"""The next open: what a strategy does at it with the symbols of a run, the orders of that, and the paper ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from ctl import sessions
from ctl.errors import CtlError, DataError
from ctl.flows import paper
from ctl.model.orders import (
    Book,
    EntryBar,
    GovernedCurve,
    Key,
    Market,
    OrderSheet,
    RiskState,
    Roll,
    SymbolIntents,
    Verdict,
)
from ctl.trading import risk
from ctl.trading.orders import order_sheet

if TYPE_CHECKING:
    import polars as pl

    from ctl.flows.inputs import SymbolInputs
    from ctl.flows.pipeline import Made
    from ctl.model.bars import DailySeries
    from ctl.model.rolls import ContinuousSeries
    from ctl.model.run import PlanEntry
    from ctl.model.trades import StrategyResult, Timeframe
    from ctl.store import Workspace
    from ctl.strategy.bars import StrategyBars


@dataclass(frozen=True, slots=True)
class NextOpen:
    """What the strategy does with one symbol at the next open, and what sizing and the paper ledger need of it.

    closes: sessions that the ledger does not have yet; none where the run is not for the record.
    """

    entry: PlanEntry
    intents: SymbolIntents
    book: Book
    closes: tuple[paper.Close, ...] = ()


@dataclass(frozen=True, slots=True)
class Governed:
    """The orders for the next open, the budget, and the backtest as it sized and capped it.

    verdicts: of every entry up to the next open, for the paper ledger.
    """

    orders: OrderSheet
    risk: RiskState | None
    curve: GovernedCurve | None
    verdicts: Mapping[Key, Verdict]


def next_open(
    workspace: Workspace,
    entry: PlanEntry,
    made: Made,
    series: ContinuousSeries | DailySeries,
    daily: StrategyBars,
    result: StrategyResult,
    *,
    timeframe: Timeframe,
    closes: tuple[paper.Close, ...],
) -> NextOpen:
    """What follows from a result on a symbol's traded series, `daily` to the strategy. closes: as in `NextOpen`.

    Raises DataError where a roll is pending whose gap is not known.
    """
    from ctl.strategy.bars import weekly_bars
    from ctl.strategy.orders import next_session_intents

    symbol, config, inputs = entry.symbol, workspace.symbol(entry.symbol), made.inputs
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
    traded = intents.contract if intents.roll is None else intents.roll.to_contract
    intents = replace(
        intents,
        terms={} if inputs.contracts is None else inputs.contracts.terms,
        next_contract=next_contract(inputs, traded),
        rolls_by=rolls_by(inputs, traded, config.calendar),
    )
    with_volume = workspace.risk is not None and workspace.risk.caps_of(symbol).max_volume_share is not None
    market = Market(
        tick=entry.tick,
        point_value=config.point_value,
        currency=config.currency,
        slippage_per_side=entry.slippage_per_side,
        bars=_entry_bars(result, inputs, series, intents, with_volume=with_volume),
    )
    return NextOpen(entry, intents, Book(result, market, intents.terms), closes)


def orders(
    workspace: Workspace,
    following: Sequence[NextOpen],
    *,
    first_live: date | None,
    missing: Sequence[str],
    instant: datetime,
) -> Governed:
    """The orders for the next open, and the risk budget. first_live: of the paper ledger, None before its first
    session. missing: gating symbols that could not be run.

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
    terms = workspace.risk
    made = order_sheet(intents, books, terms, first_live=first_live, missing=missing)
    curve = None
    if terms is not None and books:
        whole = risk.replay(replace(terms, since=None), books, first_live=terms.since or first_live)
        curve = risk.governed(whole, max(book.result.last_session for book in books.values()))
    return Governed(made.sheet, made.state, curve, made.verdicts)


def rehearsed(sheet: OrderSheet, why: str) -> OrderSheet:
    """The sheet of a run that nothing may be traded on: every order blocked (REHEARSAL)."""
    blocked = tuple(
        replace(order, status="blocked", codes=(*order.codes, "REHEARSAL"), reason=f"made {why}: places nothing")
        for order in sheet.orders
    )
    return replace(sheet, orders=blocked, alerts=(f"REHEARSAL: made {why}; nothing here may be placed", *sheet.alerts))


def settle_paper(
    workspace: Workspace, following: Sequence[NextOpen], verdicts: Mapping[Key, Verdict], *, instant: datetime
) -> int:
    """Settle the live-sim ledger of the symbols on the bars that were run on; the number of sessions added."""
    asked = [paper.Following(item.entry, item.closes) for item in following]
    return paper.settle(workspace, asked, verdicts, instant=instant)


def _entry_bars(
    result: StrategyResult,
    inputs: SymbolInputs,
    series: ContinuousSeries | DailySeries,
    intents: SymbolIntents,
    *,
    with_volume: bool,
) -> dict[date, EntryBar]:
    """The bar of every session that confirmed an entry, with what is bought at the open after it."""
    import numpy as np

    frame = series.frame
    days = frame["session"].to_numpy()
    closes, carried = frame["close"].to_numpy(), frame["adjustment"].to_numpy()
    traded = intents.contract if intents.roll is None else intents.roll.to_contract
    made: dict[date, EntryBar] = {}
    for trigger in result.triggers:
        day = trigger.confirmation_session
        if day is None:
            continue
        at = int(np.searchsorted(days, np.datetime64(day, "D"), side="right")) - 1
        close = float(closes[at])
        if at + 1 < len(days):
            contract, session, price = (
                frame["contract"][at + 1],
                frame["session"][at + 1],
                close - float(carried[at + 1]),
            )
        else:
            contract, session, price = traded, intents.session, close + intents.shift
        made[day] = EntryBar(close, session, result.symbol if contract is None else str(contract), price)
    if not with_volume:
        return made
    volumes = _median_volumes(inputs.bars, {day: bar.contract for day, bar in made.items()})
    return {day: replace(bar, volume=volumes[day]) for day, bar in made.items()}


def _median_volumes(bars: pl.DataFrame, contracts: Mapping[date, str]) -> dict[date, float | None]:
    """Day -> median volume of its contract's 20 newest sessions up to the day; None where none of them has one."""
    import polars as pl

    held = bars if "contract" in bars.columns else bars.with_columns(contract=pl.lit(None, dtype=pl.String))
    if held["contract"].null_count() < held.height:
        held = held.filter(pl.col("contract").is_in(list(set(contracts.values()))))
    traded = held.select("session", "contract", "volume").sort("session")
    by_contract = {key[0]: part for key, part in traded.partition_by("contract", as_dict=True).items()}
    made: dict[date, float | None] = {}
    for day, contract in contracts.items():
        part = by_contract.get(contract, by_contract.get(None))
        newest = None if part is None else part.filter(pl.col("session") <= day)["volume"].tail(_VOLUME_SESSIONS)
        median = None if newest is None else newest.median()
        made[day] = float(median) if isinstance(median, int | float) else None
    return made


_VOLUME_SESSIONS = 20


def rolls_by(inputs: SymbolInputs, name: str, calendar: str) -> date | None:
    """The session from which the contract after `name` is held at the latest; None where nothing says so."""
    if inputs.contracts is None or inputs.policy is None or inputs.policy.guard_sessions is None:
        return None
    terms = inputs.contracts.terms.get(name)
    day = None if terms is None else terms.end
    if day is None:
        return None
    try:
        for _ in range(inputs.policy.guard_sessions):
            day = sessions.previous_session(calendar, day)
    except CtlError:  # a calendar that does not reach there: the day is unknown, which is no fault of the run
        return None
    return day


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
