"""The live-sim ledger: what became of the orders of earlier runs, settled on the bars that have come since.

Settlement walks session by session with the strategy's execution rules and nothing else: it knows orders and bars, not
the backtest, so that comparing the two means something. Prices of a record are those of the contract that the series
holds on its session; a roll moves everything that is open by its gap, so no record depends on a later roll.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from ctl import digests
from ctl.errors import DataError
from ctl.model.documents import document
from ctl.model.findings import in_full
from ctl.model.paper import (
    BacktestTrade,
    LedgerHead,
    LedgerRecord,
    PaperComparison,
    PaperEntry,
    PaperPosition,
    PaperTrade,
    RefusedEntry,
    TargetFill,
)
from ctl.model.trades import StrategyResult, Trade
from ctl.trading import risk

if TYPE_CHECKING:
    from pydantic import TypeAdapter

R_TOLERANCE: Final = 1e-6
"""Two results of one trade within this much R are the same: prices of two frames differ in their last digits."""

_DIGITS: Final = 9  # prices of one grid, reached through different sums, agree to these decimals


@dataclass(frozen=True, slots=True)
class Bar:
    """One session of the series in the terms of the contract it holds. gap: of the rolls that took effect on it."""

    session: date
    contract: str
    open: float
    high: float
    low: float
    close: float
    gap: float
    history: str


@dataclass(frozen=True, slots=True)
class Costs:
    """What an order was to be executed with. slippage_per_side and tick in price units."""

    slippage_per_side: float
    tick: float


@dataclass(frozen=True, slots=True)
class State:
    """What one symbol carries from one session to the next."""

    entries: tuple[PaperEntry, ...] = ()
    positions: tuple[PaperPosition, ...] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """What one session did."""

    state: State
    closed: tuple[PaperTrade, ...]
    refused: tuple[RefusedEntry, ...]


def settle(symbol: str, state: State, bar: Bar, costs: Costs) -> Settled:
    """Execute what was ordered before `bar` on it.

    An entry fills at the open plus slippage, unless the open is too near to its stop; on its own session nothing else
    happens to it. A position that is due is sold at the open less slippage. Any other fills its resting targets at the
    better of target and open, and is due where it closes below its stop with something left.
    """
    carried = State(
        tuple(entry.moved(bar.gap) for entry in state.entries),
        tuple(position.moved(bar.gap) for position in state.positions),
    )
    closed: list[PaperTrade] = []
    refused: list[RefusedEntry] = []
    held: list[PaperPosition] = []
    for position in carried.positions:
        if position.due:
            closed.append(_closed(symbol, position, bar, bar.open - costs.slippage_per_side, "Stop"))
            continue
        after = _day(position, bar)
        if all(after.hit):
            closed.append(_closed(symbol, after, bar, max(after.entry.tp[2], bar.open), "TP3"))
        else:
            held.append(after)
    for entry in carried.entries:
        distance = round(bar.open - entry.stop, _DIGITS)
        if distance <= 0.0:
            refused.append(RefusedEntry(entry.trigger_session, "entry_at_or_below_stop"))
        elif distance < round(entry.smallest, _DIGITS):
            refused.append(RefusedEntry(entry.trigger_session, "risk_too_small"))
        elif entry.largest is not None and distance > round(entry.largest, _DIGITS):
            refused.append(RefusedEntry(entry.trigger_session, risk.SIZE_ZERO))
        else:
            bought = bar.open + costs.slippage_per_side
            held.append(PaperPosition(entry, bar.session, bought, (None, None, None), due=False))
    return Settled(State((), tuple(held)), tuple(closed), tuple(refused))


def _day(position: PaperPosition, bar: Bar) -> PaperPosition:
    def fill(done: TargetFill | None, target: float) -> TargetFill | None:
        if done is None and round(bar.high - target, _DIGITS) >= 0.0:
            return bar.session, (max(target, bar.open) - position.entry_price) / position.risk
        return done

    first, second, third = (fill(*pair) for pair in zip(position.hit, position.entry.tp, strict=True))
    breached = round(bar.close - position.entry.stop, _DIGITS) < 0.0
    hit = (first, second, third)
    return replace(position, hit=hit, due=breached and not all(hit))


def _closed(symbol: str, position: PaperPosition, bar: Bar, price: float, reason: Literal["TP3", "Stop"]) -> PaperTrade:
    rest = (price - position.entry_price) / position.risk
    first, second, third = (None if fill is None else fill[0] for fill in position.hit)
    return PaperTrade(
        symbol=symbol,
        trigger_session=position.entry.trigger_session,
        entry_session=position.entry_session,
        exit_session=bar.session,
        contract=bar.contract,
        entry_price=position.entry_price,
        stop_price=position.entry.stop,
        exit_price=price,
        exit_reason=reason,
        targets=(first, second, third),
        r_theoretical=sum(rest if fill is None else fill[1] for fill in position.hit) / 3.0,
        live=position.entry.live,
    )


# ---------------------------------------------------------------- records


def record(
    symbol: str,
    state: State,
    bar: Bar,
    decided: Sequence[PaperEntry | RefusedEntry],
    costs: Costs,
    *,
    instant: datetime,
) -> LedgerRecord:
    """Settle one session, add what its close decided, and give the line of the ledger that says both.

    decided: entries for the next open, and those that no order was placed for.
    """
    made = settle(symbol, state, bar, costs)
    return LedgerRecord(
        schema_version=1,
        symbol=symbol,
        session=bar.session,
        contract=bar.contract,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        gap=bar.gap,
        history=bar.history,
        slippage_per_side=costs.slippage_per_side,
        tick=costs.tick,
        orders=tuple(item for item in decided if isinstance(item, PaperEntry)),
        positions=made.state.positions,
        refused=(*made.refused, *(item for item in decided if isinstance(item, RefusedEntry))),
        closed=made.closed,
        run=instant,
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """The records of a ledger by symbol, sessions increasing; no symbol without any."""

    records: Mapping[str, tuple[LedgerRecord, ...]]

    def last_session(self, symbol: str) -> date | None:
        """The last session that was settled; None before the first."""
        records = self.records.get(symbol)
        return records[-1].session if records else None

    def state(self, symbol: str) -> State:
        """What a symbol carries into the next session."""
        records = self.records.get(symbol)
        return state_after(records[-1]) if records else State()


def state_after(record: LedgerRecord) -> State:
    """What a symbol carries into the session after a record's."""
    return State(record.orders, record.positions)


def read(data: bytes, where: str) -> Ledger:
    """The ledger of `ledger.jsonl`. Raises DataError naming the first line that cannot be one of ours."""
    adapter = _lines_of_the_ledger()
    records: dict[str, list[LedgerRecord]] = {}
    for number, line in enumerate(data.splitlines(), 1):
        try:
            item = adapter.validate_json(line, strict=True)
            earlier = records.setdefault(item.symbol, [])
            if earlier and item.session <= earlier[-1].session:
                raise ValueError
        except ValueError as error:
            raise DataError(
                "the paper ledger is damaged",
                where=f"{where}:{number}",
                expected="a record of a later session of its symbol",
                remedy="restore the file from a backup, or move it away to begin a new ledger",
                code="PAPER_LEDGER_DAMAGED",
            ) from error
        earlier.append(item)
    return Ledger({symbol: tuple(items) for symbol, items in records.items()})


@cache
def _lines_of_the_ledger() -> TypeAdapter[LedgerRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(LedgerRecord)


def head(data: bytes, where: str) -> LedgerHead | None:
    """What a summary cites of a ledger; None for an empty one. Raises DataError for a damaged first line."""
    first = data[: data.find(b"\n") + 1]
    if not data:
        return None
    (record,) = (items[0] for items in read(first or data, where).records.values())
    return LedgerHead(
        first_session=record.session, records=data.count(b"\n"), bytes=len(data), sha256=digests.sha256_bytes(data)
    )


def lines(records: Iterable[LedgerRecord]) -> bytes:
    """Records as lines of the ledger."""
    return b"".join(
        json.dumps(document(item), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        for item in records
    )


# ---------------------------------------------------------------- beside the backtest


def compare(
    records: Sequence[LedgerRecord], result: StrategyResult, history: Mapping[date, str]
) -> list[PaperComparison]:
    """Closed paper trades of one symbol beside the backtest's of the same dates, by trigger session.

    records: all of the symbol's, at least one. Of the backtest: entries decided on the close of a session of the
    ledger, and closed by its last. history: what the series reads now, by session, as `Bar.history`; it tells restated
    data from a difference of rules.
    """
    first, last = records[0].session, records[-1].session
    decided = {trigger.trigger_session: trigger.confirmation_session for trigger in result.triggers}
    backtests = {
        trade.trigger_session: trade
        for trade in result.trades
        if first <= (decided.get(trade.trigger_session) or date.min) <= last and first <= trade.exit_session <= last
    }
    papers = {trade.trigger_session: trade for record in records for trade in record.closed}
    made: list[PaperComparison] = []
    for trigger in sorted(papers.keys() | backtests.keys()):
        paper, backtest = papers.get(trigger), backtests.get(trigger)
        differences = _differences(paper, backtest)
        until = max(trade.exit_session for trade in (paper, backtest) if trade is not None)
        made.append(
            PaperComparison(
                symbol=result.symbol,
                trigger_session=trigger,
                paper=paper,
                backtest=None if backtest is None else _backtest_trade(result.symbol, backtest),
                r_difference=paper.r_theoretical - backtest.r_theoretical if paper and backtest else None,
                differences=tuple(differences),
                explanation=_explanation(records, history, trigger, until, result) if differences else None,
            )
        )
    return made


def _differences(paper: PaperTrade | None, backtest: Trade | None) -> list[str]:
    if paper is None or backtest is None:
        return ["only in the backtest" if paper is None else "only on paper"]
    pairs = (
        ("entry session", paper.entry_session, backtest.entry_session),
        ("exit session", paper.exit_session, backtest.exit_session),
        ("exit reason", paper.exit_reason, backtest.exit_reason),
        ("targets", paper.targets, (backtest.tp1_session, backtest.tp2_session, backtest.tp3_session)),
    )
    found = [
        f"{name}: {document(here)} on paper, {document(there)} in the backtest"
        for name, here, there in pairs
        if here != there
    ]
    if abs(paper.r_theoretical - backtest.r_theoretical) > R_TOLERANCE:
        found.append(f"R: {paper.r_theoretical:+.4f} on paper, {backtest.r_theoretical:+.4f} in the backtest")
    return found


def _explanation(
    records: Sequence[LedgerRecord], history: Mapping[date, str], trigger: date, until: date, result: StrategyResult
) -> str:
    """Why a trade differs: what the ledger saw at the time against what the data and the terms say now."""
    for record in records:
        for refused in record.refused:
            if refused.trigger_session == trigger:
                return f"REFUSED: {refused.reason} on {record.session}; the backtest takes every trade"
    slippage, tick = result.parameters["slippage_per_side"], result.parameters["tick"]
    for record in records:
        if record.session > until:
            break
        if history.get(record.session) != record.history:
            return (
                f"RESTATED_DATA: up to {record.session} the bars or the rolls of the series read otherwise now than "
                f"when the session was settled"
            )
        if (record.slippage_per_side, record.tick) != (slippage, tick):
            return (
                f"COSTS_CHANGED: {record.session} was settled with slippage {in_full(record.slippage_per_side)} and "
                f"tick {in_full(record.tick)}; now they are {in_full(slippage)} and {in_full(tick)}"
            )
    return "UNEXPLAINED: the data and the costs are as they were; one of the two does not follow the rules"


def _backtest_trade(symbol: str, trade: Trade) -> BacktestTrade:
    return BacktestTrade(
        symbol,
        trade.trigger_session,
        trade.entry_session,
        trade.exit_session,
        trade.entry_price,
        trade.exit_price,
        trade.exit_reason,
        trade.r_theoretical,
    )
