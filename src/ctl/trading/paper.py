"""The live-sim ledger: what became of the orders of earlier runs, settled on the bars that have come since.

Settlement walks session by session with the strategy's execution rules and nothing else: it knows orders and bars, not
the backtest, so that comparing the two means something. Prices of a record are those of the contract that the series
holds on its session; a roll moves everything that is open by its gap, so no record depends on a later roll.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Literal, cast

from ctl.errors import DataError
from ctl.model.orders import TRANCHES
from ctl.model.paper import (
    OrderDocument,
    PaperComparisonDocument,
    PaperTradeDocument,
    PositionDocument,
    RecordDocument,
)
from ctl.model.trades import StrategyResult, Trade

SCHEMA_VERSION: Final = 1
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
class Entry:
    """An entry for the next open. smallest: do not buy where open - stop is less. live: decided by a run on that very
    close, in time for the open; else by a later run on what that session's close knew.
    """

    trigger_session: date
    stop: float
    tp: tuple[float, float, float]
    smallest: float
    live: bool

    def moved(self, gap: float) -> Entry:
        """The same in the terms of the contract rolled into."""
        first, second, third = self.tp
        return replace(self, stop=self.stop + gap, tp=(first + gap, second + gap, third + gap))


@dataclass(frozen=True, slots=True)
class Position:
    """What was bought, in thirds. hit: session and R of each target's fill, None while it rests. due: sold at the
    next open.
    """

    entry: Entry
    entry_session: date
    entry_price: float
    hit: tuple[tuple[date, float] | None, ...] = (None, None, None)
    due: bool = False

    @property
    def risk(self) -> float:
        """Price risked per unit."""
        return self.entry_price - self.entry.stop

    def moved(self, gap: float) -> Position:
        """The same in the terms of the contract rolled into; R already realised stays."""
        return replace(self, entry=self.entry.moved(gap), entry_price=self.entry_price + gap)


@dataclass(frozen=True, slots=True)
class State:
    """What one symbol carries from one session to the next."""

    entries: tuple[Entry, ...] = ()
    positions: tuple[Position, ...] = ()


@dataclass(slots=True)
class Settled:
    """What one session did."""

    state: State
    closed: list[PaperTradeDocument] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)


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
    made, held = Settled(State()), []
    for position in carried.positions:
        if position.due:
            made.closed.append(_closed(symbol, position, bar, bar.open - costs.slippage_per_side, "Stop"))
            continue
        after = _day(position, bar)
        if all(after.hit):
            made.closed.append(_closed(symbol, after, bar, max(after.entry.tp[2], bar.open), "TP3"))
        else:
            held.append(after)
    for entry in carried.entries:
        distance = round(bar.open - entry.stop, _DIGITS)
        if distance <= 0.0 or distance < round(entry.smallest, _DIGITS):
            reason = "entry_at_or_below_stop" if distance <= 0.0 else "risk_too_small"
            made.refused.append({"trigger_session": entry.trigger_session.isoformat(), "reason": reason})
        else:
            held.append(Position(entry, bar.session, bar.open + costs.slippage_per_side))
    made.state = State((), tuple(held))
    return made


def _day(position: Position, bar: Bar) -> Position:
    hit = list(position.hit)
    for index, target in enumerate(position.entry.tp):
        if hit[index] is None and round(bar.high - target, _DIGITS) >= 0.0:
            hit[index] = (bar.session, (max(target, bar.open) - position.entry_price) / position.risk)
    breached = round(bar.close - position.entry.stop, _DIGITS) < 0.0
    return replace(position, hit=tuple(hit), due=breached and not all(hit))


def _closed(
    symbol: str, position: Position, bar: Bar, price: float, reason: Literal["TP3", "Stop"]
) -> PaperTradeDocument:
    rest = (price - position.entry_price) / position.risk
    parts = [rest if item is None else item[1] for item in position.hit]
    return {
        "symbol": symbol,
        "trigger_session": position.entry.trigger_session.isoformat(),
        "entry_session": position.entry_session.isoformat(),
        "exit_session": bar.session.isoformat(),
        "contract": bar.contract,
        "entry_price": position.entry_price,
        "stop_price": position.entry.stop,
        "exit_price": price,
        "exit_reason": reason,
        "targets": [None if item is None else item[0].isoformat() for item in position.hit],
        "r_theoretical": sum(parts) / 3.0,
        "live": position.entry.live,
    }


# ---------------------------------------------------------------- records


def record(
    symbol: str,
    state: State,
    bar: Bar,
    decided: Sequence[Entry],
    costs: Costs,
    *,
    instant: str,
) -> tuple[State, RecordDocument]:
    """Settle one session, add what its close decided, and give the line of the ledger that says both."""
    made = settle(symbol, state, bar, costs)
    after = State(tuple(decided), made.state.positions)
    return after, {
        "schema_version": 1,
        "symbol": symbol,
        "session": bar.session.isoformat(),
        "contract": bar.contract,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "gap": bar.gap,
        "history": bar.history,
        "slippage_per_side": costs.slippage_per_side,
        "tick": costs.tick,
        "orders": [_entry_document(entry) for entry in after.entries],
        "positions": [_position_document(position) for position in after.positions],
        "refused": made.refused,
        "closed": made.closed,
        "run": instant,
    }


@dataclass(frozen=True, slots=True)
class Ledger:
    """The records of a ledger by symbol, sessions increasing."""

    records: Mapping[str, tuple[RecordDocument, ...]]

    def last_session(self, symbol: str) -> date | None:
        """The last session that was settled; None before the first."""
        held = self.records.get(symbol)
        return date.fromisoformat(held[-1]["session"]) if held else None

    def first_session(self, symbol: str) -> date | None:
        """The session on whose close the ledger's first decision was taken."""
        held = self.records.get(symbol)
        return date.fromisoformat(held[0]["session"]) if held else None

    def state(self, symbol: str) -> State:
        """What a symbol carries into the next session."""
        held = self.records.get(symbol)
        if not held:
            return State()
        return State(
            tuple(_entry(item) for item in held[-1]["orders"]),
            tuple(_position(item) for item in held[-1]["positions"]),
        )

    def closed(self, symbol: str) -> list[PaperTradeDocument]:
        """Closed trades in order of exit."""
        return [trade for item in self.records.get(symbol, ()) for trade in item["closed"]]


def read(data: bytes, where: str) -> Ledger:
    """The ledger of `ledger.jsonl`. Raises DataError naming the first line that cannot be one of ours."""
    records: dict[str, list[RecordDocument]] = {}
    for number, line in enumerate(data.decode("utf-8", errors="replace").splitlines(), 1):
        try:
            found = json.loads(line, parse_constant=_refused)
            if not isinstance(found, dict) or set(found) != set(RecordDocument.__annotations__):
                raise ValueError
            item = cast(RecordDocument, found)
            held = records.setdefault(item["symbol"], [])
            if item["schema_version"] != SCHEMA_VERSION or (held and item["session"] <= held[-1]["session"]):
                raise ValueError
            date.fromisoformat(item["session"])
            for order in item["orders"]:
                _entry(order)
            for position in item["positions"]:
                _position(position)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                "the paper ledger is damaged",
                where=f"{where}:{number}",
                expected="a record of a later session of its symbol",
                remedy="restore the file from a backup, or move it away to begin a new ledger",
                code="PAPER_LEDGER_DAMAGED",
            ) from error
        held.append(item)
    return Ledger({symbol: tuple(held) for symbol, held in records.items()})


def lines(records: Iterable[RecordDocument]) -> bytes:
    """Records as lines of the ledger."""
    return b"".join(
        json.dumps(item, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        for item in records
    )


def _refused(name: str) -> float:
    raise ValueError(name)


def _entry_document(entry: Entry) -> OrderDocument:
    return {
        "trigger_session": entry.trigger_session.isoformat(),
        "stop": entry.stop,
        "tp": list(entry.tp),
        "smallest": entry.smallest,
        "live": entry.live,
    }


def _entry(item: OrderDocument) -> Entry:
    first, second, third = (_price(level) for level in item["tp"])
    return Entry(
        date.fromisoformat(item["trigger_session"]),
        _price(item["stop"]),
        (first, second, third),
        _price(item["smallest"]),
        bool(item["live"]),
    )


def _position_document(position: Position) -> PositionDocument:
    return {
        "entry": _entry_document(position.entry),
        "entry_session": position.entry_session.isoformat(),
        "entry_price": position.entry_price,
        "hit": [None if item is None else [item[0].isoformat(), item[1]] for item in position.hit],
        "due": position.due,
    }


def _position(item: PositionDocument) -> Position:
    hit = tuple(None if one is None else (date.fromisoformat(str(one[0])), _price(one[1])) for one in item["hit"])
    if len(hit) != len(TRANCHES):
        raise ValueError
    return Position(
        _entry(item["entry"]), date.fromisoformat(item["entry_session"]), _price(item["entry_price"]), hit, item["due"]
    )


def _price(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return float(value)


# ---------------------------------------------------------------- beside the backtest


def compare(ledger: Ledger, result: StrategyResult, history: Mapping[date, str]) -> list[PaperComparisonDocument]:
    """Closed paper trades of one symbol beside the backtest's of the same dates, by trigger session.

    Of the backtest: entries decided on the close of a session of the ledger, and closed by its last. history: what the
    series reads now, by session, as `Bar.history`; it tells restated data from a difference of rules.
    """
    symbol = result.symbol
    records = ledger.records.get(symbol, ())
    if not records:
        return []
    first, last = ledger.first_session(symbol), ledger.last_session(symbol)
    decided = {t.trigger_session: t.confirmation_session for t in result.triggers}
    theirs = {
        trade.trigger_session.isoformat(): trade
        for trade in result.trades
        if _within(first, decided.get(trade.trigger_session), last) and _within(first, trade.exit_session, last)
    }
    ours = {trade["trigger_session"]: trade for trade in ledger.closed(symbol)}
    made: list[PaperComparisonDocument] = []
    for key in sorted(ours.keys() | theirs.keys()):
        paper, backtest = ours.get(key), theirs.get(key)
        differences = _differences(paper, backtest)
        until = max(
            date.fromisoformat(paper["exit_session"]) if paper else date.min,
            backtest.exit_session if backtest else date.min,
        )
        made.append(
            {
                "symbol": symbol,
                "trigger_session": key,
                "paper": paper,
                "backtest": None if backtest is None else _backtest_document(symbol, backtest),
                "r_difference": paper["r_theoretical"] - backtest.r_theoretical if paper and backtest else None,
                "differences": differences,
                "explanation": _explanation(records, history, until, result) if differences else None,
            }
        )
    return made


def _within(first: date | None, day: date | None, last: date | None) -> bool:
    return first is not None and day is not None and last is not None and first <= day <= last


def _differences(paper: PaperTradeDocument | None, backtest: Trade | None) -> list[str]:
    if paper is None or backtest is None:
        return ["only in the backtest" if paper is None else "only on paper"]
    targets = (backtest.tp1_session, backtest.tp2_session, backtest.tp3_session)
    pairs = (
        ("entry session", paper["entry_session"], backtest.entry_session.isoformat()),
        ("exit session", paper["exit_session"], backtest.exit_session.isoformat()),
        ("exit reason", paper["exit_reason"], backtest.exit_reason),
        ("targets", paper["targets"], [None if item is None else item.isoformat() for item in targets]),
    )
    found = [f"{name}: {here} on paper, {there} in the backtest" for name, here, there in pairs if here != there]
    if abs(paper["r_theoretical"] - backtest.r_theoretical) > R_TOLERANCE:
        found.append(f"R: {paper['r_theoretical']:+.4f} on paper, {backtest.r_theoretical:+.4f} in the backtest")
    return found


def _explanation(
    records: Sequence[RecordDocument], history: Mapping[date, str], until: date, result: StrategyResult
) -> str:
    """Why a trade differs: what the ledger saw at the time against what the data and the terms say now."""
    for item in records:
        session = date.fromisoformat(item["session"])
        if session > until:
            break
        if history.get(session) != item["history"]:
            return (
                f"RESTATED_DATA: up to {session} the bars or the rolls of the series read otherwise now than when the "
                f"session was settled"
            )
        costs = (item["slippage_per_side"], item["tick"])
        now = (result.parameters["slippage_per_side"], result.parameters["tick"])
        if costs != now:
            return (
                f"COSTS_CHANGED: {session} was settled with slippage {costs[0]:g} and tick {costs[1]:g}; "
                f"now they are {now[0]:g} and {now[1]:g}"
            )
    return "UNEXPLAINED: the data and the costs are as they were; one of the two does not follow the rules"


def _backtest_document(symbol: str, trade: Trade) -> dict[str, Any]:
    document = trade.document()
    kept = (
        "trigger_session",
        "entry_session",
        "exit_session",
        "entry_price",
        "exit_price",
        "exit_reason",
        "r_theoretical",
    )
    return {"symbol": symbol, **{name: document[name] for name in kept}}
