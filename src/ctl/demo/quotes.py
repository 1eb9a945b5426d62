"""Bars per contract as the exchange and a last-trade recorder would each draw them, on the tick grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctl.demo.activity import Rows, activity, rows_of
from ctl.demo.draws import Draws, Floats
from ctl.demo.listing import listing
from ctl.demo.path import latent_path

if TYPE_CHECKING:
    from ctl.demo.listing import Index, Listing, Mask, TradingDays
    from ctl.demo.spec import FutureSpec


@dataclass(frozen=True, slots=True)
class Bars:
    """Prices in ticks and volume in contracts, one value per row; rows without a trade are not `traded`."""

    open: Index
    high: Index
    low: Index
    close: Index
    volume: Index
    traded: Mask


@dataclass(frozen=True, slots=True)
class Stretches:
    """What the UTC day of each row is made of, in ticks.

    midnight -> settlement (`day`), settlement -> end of trading (`after`), and where `has_evening` the next trading
    day's reopening -> 00:00 UTC (`evening`).
    """

    day_close: Index
    day_high: Index
    day_low: Index
    after_high: Index
    after_low: Index
    after_close: Index
    evening_open: Index
    evening_high: Index
    evening_low: Index
    evening_volume: Index
    has_evening: Mask


@dataclass(frozen=True, slots=True)
class Quotes:
    """One root's contracts; all bars share the layout of `rows`, one row per contract and trading day.

    exchange: the exchange's session, closing at the settlement; a holiday's trades are in the session after it, and
    its own row is not traded.
    utc: the UTC day of the row's date, closing at the last trade; holidays have their own.
    sunday: the Sunday evening that precedes the day, dated the day before it.
    reported_volume: the session's volume as the reference counts it.
    """

    calendar: TradingDays
    listing: Listing
    rows: Rows
    exchange: Bars
    utc: Bars
    sunday: Bars
    stretches: Stretches
    reported_volume: Index
    open_interest: Index


def quotes(spec: FutureSpec, calendar: TradingDays, seed: int, *, label: str | None = None) -> Quotes:
    """Simulate every contract of a root over the trading days. `label`: whose random streams, by default its own."""
    label = label or spec.root
    contracts = listing(spec, calendar)
    rows = rows_of(contracts)
    path = latent_path(spec.price, calendar, seed, label)
    flow = activity(spec.liquidity, contracts, rows, path, calendar, seed, label)

    t = rows.day
    count = t.size
    days = (contracts.expiry[rows.contract] - calendar.days[t]).astype(np.int64)
    horizon = 1.0 - np.exp(-np.maximum(days, 0) / 365.0)
    months = np.array([c.month for c in contracts.contracts], dtype=np.float64)
    season = spec.price.seasonality * np.cos(2 * np.pi * (months - 7) / 12)
    curve = path.carry_settle[t] * horizon + season[rows.contract]

    def ticks(log_price: Floats) -> Index:
        return np.rint(np.exp(log_price) / spec.tick).astype(np.int64)

    thin = np.clip((np.log(2000.0) - np.log(np.maximum(flow.volume, 1e-9))) / np.log(100.0), 0.0, 1.0)
    trades = Draws(seed, label, "last trades")
    limit = spec.liquidity.staleness
    missed = trades.uniform(count) * (limit + (1.0 - limit) * thin)
    bounce = trades.integers(count, -spec.liquidity.bounce_ticks, spec.liquidity.bounce_ticks)
    bounce = bounce + np.rint(1.5 * thin * trades.normal(count)).astype(np.int64)
    heard = 1.0 - missed

    # A contract that expires trades no evening; its last UTC day ends with its settlement.
    follows = np.append(rows.contract[1:] == rows.contract[:-1], False)
    has_evening = path.contiguous[t] & follows
    expires = t == contracts.expiry_index[rows.contract]
    beyond = np.where(expires, 0.0, (path.utc_close - path.settle)[t]) * heard
    utc_curve = curve + (path.carry_utc - path.carry_settle)[t] * horizon

    settle = ticks(path.settle[t] + curve)
    utc_close = ticks(path.settle[t] + beyond + utc_curve) + bounce
    reopen = ticks(path.reopen[t] + curve)
    midnight = ticks(path.midnight[t] + curve)
    evening = (ticks(path.evening.high[t] + curve), ticks(path.evening.low[t] + curve))
    day = (ticks(path.day.high[t] + curve), ticks(path.day.low[t] + curve))
    sunday = path.sunday[t]
    # After a weekday without trading the evening counts as part of the next UTC day.
    own_evening = np.append(True, ~path.contiguous[:-1])[t] & ~sunday
    volume = np.rint(flow.volume).astype(np.int64)
    in_evening = np.rint(flow.volume * flow.evening_share).astype(np.int64)
    borrowed = np.where(has_evening, np.append(in_evening[1:], 0), 0)
    after_close = np.where(has_evening, ticks(path.after[t] + curve), utc_close)
    stretches = Stretches(
        day_close=settle,
        day_high=np.where(own_evening, np.maximum(day[0], evening[0]), day[0]),
        day_low=np.where(own_evening, np.minimum(day[1], evening[1]), day[1]),
        after_high=np.where(expires, settle, ticks(path.after_hours.high[t] + curve)),
        after_low=np.where(expires, settle, ticks(path.after_hours.low[t] + curve)),
        after_close=after_close,
        evening_open=np.where(has_evening, np.append(reopen[1:], 0), 0),
        evening_high=np.where(has_evening, np.append(evening[0][1:], 0), settle),
        evening_low=np.where(has_evening, np.append(evening[1][1:], 0), settle),
        evening_volume=borrowed,
        has_evening=has_evening,
    )

    utc_volume = volume - np.where(own_evening, 0, in_evening) + borrowed

    highs = (stretches.day_high, stretches.after_high, stretches.evening_high)
    lows = (stretches.day_low, stretches.after_low, stretches.evening_low)
    utc_open = np.where(own_evening, reopen, midnight)
    own = _bars(reopen, settle, np.maximum(evening[0], day[0]), np.minimum(evening[1], day[1]), volume, volume > 0)
    holidays = np.flatnonzero(~calendar.is_session[t])
    exchange = _counted_to_next(own, stretches, holidays)
    reported = flow.reported.copy()
    reported[holidays + 1] += reported[holidays]
    reported[holidays] = 0
    utc = _bars(utc_open, utc_close, np.maximum.reduce(highs), np.minimum.reduce(lows), utc_volume, utc_volume > 0)
    weekend = _bars(reopen, midnight, *evening, in_evening, sunday & (volume >= 50) & (in_evening > 0))
    return Quotes(
        calendar, contracts, rows, exchange, utc, weekend, stretches, reported, flow.open_interest
    )  # fmt: skip


def _counted_to_next(own: Bars, stretches: Stretches, holidays: Index) -> Bars:
    """Bars of trading days as bars of sessions: what traded in the rows of holidays joins the rows after them."""
    opened, high, low, volume = own.open.copy(), own.high.copy(), own.low.copy(), own.volume.copy()
    rows = holidays[own.traded[holidays]]
    opened[rows + 1] = own.open[rows]
    high[rows + 1] = np.maximum.reduce([own.high[rows + 1], own.high[rows], stretches.after_high[rows]])
    low[rows + 1] = np.minimum.reduce([own.low[rows + 1], own.low[rows], stretches.after_low[rows]])
    volume[rows + 1] += own.volume[rows]
    volume[holidays] = 0
    return Bars(opened, high, low, own.close, volume, volume > 0)


def _bars(first: Index, last: Index, high: Index, low: Index, volume: Index, traded: Mask) -> Bars:
    """Bars whose high and low enclose what they were rounded away from."""
    top = np.maximum(high, np.maximum(first, last))
    bottom = np.minimum(low, np.minimum(first, last))
    return Bars(first, top, bottom, last, np.maximum(volume, 0), traded)
