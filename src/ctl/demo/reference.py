"""The reference vendor's continuous series: its own roll rule on the exchange's sessions and settlements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctl.demo.rawbars import session_index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from ctl.demo.listing import Days, Index
    from ctl.demo.quotes import Quotes
    from ctl.demo.spec import ReferenceCauses, RollRule


@dataclass(frozen=True, slots=True)
class TrueRoll:
    """A roll as the vendor made it; indices into the sessions and contracts, gap in ticks."""

    gap_session: int
    from_contract: int
    to_contract: int
    gap: int


@dataclass(frozen=True, slots=True)
class Continuous:
    """Prices in ticks, one value per session kept. adjusted = unadjusted + offset."""

    sessions: Days
    contract: Index
    open: Index
    high: Index
    low: Index
    close: Index
    volume: Index
    open_interest: Index
    offset: Index
    rolls: tuple[TrueRoll, ...]


def continuous(quotes: Quotes, rule: RollRule, causes: ReferenceCauses) -> Continuous:
    """Build the series, defects included."""
    sessions = quotes.calendar.sessions
    days = np.flatnonzero(quotes.calendar.is_session)
    rows = quotes.rows
    first, rolls = _rolls(quotes, rule, days)
    held = np.zeros(sessions.size, dtype=np.int64)
    held[0] = first
    for roll in rolls:
        if roll.gap_session + 1 < sessions.size:
            held[roll.gap_session + 1] = roll.to_contract - roll.from_contract
    held = np.cumsum(held)
    row = rows.start[held] + days - rows.day[rows.start[held]]

    left_out = {_roll_on_or_after(rolls, sessions, day) for day in causes.unadjusted}
    step = np.zeros(sessions.size + 1, dtype=np.int64)
    for number, roll in enumerate(rolls):
        if number not in left_out:
            step[roll.gap_session] += -roll.gap if causes.inverted else roll.gap
    offset = np.cumsum(step[::-1])[::-1][:-1]

    bars = quotes.exchange
    prices = {name: getattr(bars, name)[row].copy() for name in ("open", "high", "low", "close")}
    for day, ticks in causes.misprints:
        at = session_index(sessions, day)
        prices["close"][at] += ticks
        prices["high"][at] = max(prices["high"][at], prices["close"][at])
        prices["low"][at] = min(prices["low"][at], prices["close"][at])
    keep = np.ones(sessions.size, dtype=bool)
    for day in causes.missing:
        keep[session_index(sessions, day)] = False
    return Continuous(
        sessions[keep], held[keep], prices["open"][keep], prices["high"][keep], prices["low"][keep],
        prices["close"][keep], quotes.reported_volume[row][keep], quotes.open_interest[row][keep], offset[keep], rolls,
    )  # fmt: skip


def _roll_on_or_after(rolls: Sequence[TrueRoll], sessions: Days, day: date) -> int:
    dates = sessions[[roll.gap_session for roll in rolls]]
    return min(int(np.searchsorted(dates, np.datetime64(day))), len(rolls) - 1)


def _rolls(quotes: Quotes, rule: RollRule, days: Index) -> tuple[int, tuple[TrueRoll, ...]]:
    """Walk the chain of contracts. Returns the first held, the most active one of the first session, and the rolls.

    days: which trading days are sessions.
    """
    listing, rows, sessions = quotes.listing, quotes.rows, quotes.calendar.sessions
    volume, close = quotes.reported_volume, quotes.exchange.close
    count = days.size
    listed, last = np.searchsorted(days, listing.first), np.searchsorted(days, listing.last)
    beyond = np.maximum(listing.expiry_index - quotes.calendar.days.size, 0)
    expiry = np.searchsorted(days, listing.expiry_index) + beyond
    opening = np.flatnonzero(rows.day == days[0])
    first = held = int(rows.contract[opening[np.argmax(volume[opening])]])
    since = 0
    rolls = []
    while (new := _next(quotes, held, rule)) < len(listing.contracts):
        start = max(since, int(listed[new]))
        stop = int(last[held])
        follows = rule.later is not None and sessions[min(start, count - 1)] >= np.datetime64(rule.later[0])
        current = rule.later[1] if rule.later is not None and follows else rule
        if current.kind == "before_expiry":
            at = int(expiry[held]) - current.sessions
            if at > stop:
                break
            at = max(at, start)
        else:
            both = days[start : stop + 1]
            ahead = volume[rows.on(new, both)] > volume[rows.on(held, both)]
            run = np.convolve(ahead, np.ones(current.sessions, dtype=np.int64))[: ahead.size] >= current.sessions
            # A contract that no volume left is left on its last trade.
            at = start + int(np.argmax(run)) if run.any() else stop
        if at + 1 >= count:
            break
        gap = int(close[rows.at(new, int(days[at]))] - close[rows.at(held, int(days[at]))])
        rolls.append(TrueRoll(at, held, new, gap))
        held = new
        since = at + 1
    return first, tuple(rolls)


def _next(quotes: Quotes, held: int, rule: RollRule) -> int:
    """The contract after the one held, of the months that the rule holds."""
    contracts = quotes.listing.contracts
    return next(
        (k for k in range(held + 1, len(contracts)) if contracts[k].month_code not in rule.skip), len(contracts)
    )
