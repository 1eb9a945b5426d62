"""Stocks and funds: raw prices at the system of record, adjusted ones at the reference, and the actions between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl.demo import tradestation
from ctl.demo.databento import compress, stamp
from ctl.demo.draws import Draws, Floats, bridge_extremes
from ctl.demo.path import curve, pinned
from ctl.demo.rawbars import NANOS, RESTATED_BY, session_index

if TYPE_CHECKING:
    from ctl.demo.listing import Days, Index
    from ctl.demo.spec import Curve, EquitySpec

VENUE: Final = "xnas-itch"
_PUBLISHER: Final = 2
_CENT: Final = NANOS // 100


@dataclass(frozen=True, slots=True)
class EquityBars:
    """Raw prices in cents as traded on the day; `close` is the auction, `last` the last trade of the UTC day.

    ratio: cumulative ratio of the splits after each session. dividend: per share in cents, on the ex-date.
    """

    sessions: Days
    open: Index
    high: Index
    low: Index
    close: Index
    last: Index
    volume: Index
    ratio: Index
    split: Index
    dividend: Index


def simulate(spec: EquitySpec, sessions: Days, seed: int) -> EquityBars:
    """One stock's raw bars."""
    count = sessions.size
    label = spec.symbol
    sigma = curve(spec.volatility, sessions) * np.exp(0.25 * Draws(seed, label, "volatility").normal(count))
    overnight = 0.5 * sigma * Draws(seed, label, "overnight").normal(count)
    day = 0.85 * sigma * Draws(seed, label, "day").normal(count)
    walk = np.cumsum(overnight + day)
    levels: Curve = tuple((text, float(np.log(value))) for text, value in spec.level)
    log_close = walk + pinned(walk, levels, sessions)
    log_open = log_close - day
    log_high, log_low = bridge_extremes(Draws(seed, label, "ranges"), log_open, log_close, 0.85 * sigma)

    split = np.ones(count, dtype=np.int64)
    for when, shares in spec.splits:
        split[session_index(sessions, when)] = shares
    ratio: Index = np.cumprod(split[::-1])[::-1] // split
    raw = np.log(ratio.astype(np.float64))

    def cents(log_price: Floats) -> Index:
        result: Index = np.rint(np.exp(log_price + raw) * 100).astype(np.int64)
        return result

    opened, closed = cents(log_open), cents(log_close)
    after_hours = spec.after_hours * Draws(seed, label, "after hours").normal(count)
    last = cents(log_close + after_hours)
    high = np.maximum(cents(log_high), np.maximum(opened, np.maximum(closed, last)))
    low = np.minimum(cents(log_low), np.minimum(opened, np.minimum(closed, last)))
    volume = spec.volume / ratio * np.exp(0.25 * Draws(seed, label, "volume").normal(count))
    return EquityBars(
        sessions, opened, high, low, closed, last, np.rint(volume).astype(np.int64), ratio, split,
        _dividends(spec, sessions),
    )  # fmt: skip


def canonical_files(spec: EquitySpec, bars: EquityBars) -> dict[str, bytes]:
    """File name -> bytes of the symbol's folder: raw prices, an instrument id that changes from day to day."""
    causes = spec.canonical
    count = bars.sessions.size
    keep = np.arange(count) < count - causes.sessions_short
    for day in causes.missing:
        keep[session_index(bars.sessions, day)] = False
    last = (bars.close if causes.close == "settlement" else bars.last).copy()
    high = bars.high.copy()
    for day in causes.restated:
        at = session_index(bars.sessions, day)
        last[at] += round(int(last[at]) * RESTATED_BY / 1000)
        high[at] = max(high[at], last[at])
    sessions = bars.sessions[keep].astype("M8[D]")
    scale = _CENT * causes.price_scale / NANOS
    ids = 4_000 + (np.arange(count) * 7 // 5 + len(spec.symbol) * 37) % 651
    frame = pl.DataFrame(
        {
            "ts_event": np.datetime_as_string(sessions),
            "rtype": np.full(sessions.size, 35),
            "publisher_id": np.full(sessions.size, _PUBLISHER),
            "instrument_id": ids[keep],
            "open": bars.open[keep] * scale,
            "high": high[keep] * scale,
            "low": bars.low[keep] * scale,
            "close": last[keep] * scale,
            "volume": bars.volume[keep],
            "symbol": [spec.symbol] * sessions.size,
        }
    ).with_columns(pl.col("ts_event") + "T00:00:00.000000000Z")
    span = f"{stamp(sessions[0])}-{stamp(sessions[-1])}"
    text = frame.write_csv(float_precision=9)
    return {f"{VENUE}-{span}.ohlcv-1d.csv.zst": compress(text.encode())}


def reference_files(spec: EquitySpec, bars: EquityBars) -> dict[str, bytes]:
    """File name -> bytes of the reference's export, in its own adjustment basis."""
    factor = 1.0 / bars.ratio
    decimals = 2
    if spec.reference_basis == "total_return":
        factor = factor * dividend_factor(bars)
        decimals = 4
    prices = {name.title(): getattr(bars, name) * factor / 100.0 for name in ("open", "high", "low", "close")}
    volume = bars.volume * bars.ratio
    text = tradestation.daily_text(bars.sessions, "16:00", prices, volume, np.zeros_like(volume), decimals)
    span = f"{stamp(bars.sessions[0])}_{stamp(bars.sessions[-1])}"
    return {f"TS_{spec.symbol}_1D_{span}.csv": text}


def dividend_factor(bars: EquityBars) -> Floats:
    """What each session's price is multiplied by for the dividends after it: C/(C+D), C the ex-date's raw close."""
    paid = bars.dividend > 0
    one = np.where(paid, bars.close / (bars.close + np.where(paid, bars.dividend, 0)), 1.0)
    later = np.append(one[1:], 1.0)
    factor: Floats = np.cumprod(later[::-1])[::-1]
    return factor


def actions_csv(bars: EquityBars) -> bytes:
    """`date,split_ratio,dividend`, one row per event; the dividend per share as paid on the day."""
    at = np.flatnonzero((bars.split != 1) | (bars.dividend > 0))
    frame = pl.DataFrame(
        {
            "date": np.datetime_as_string(bars.sessions[at].astype("M8[D]")),
            "split_ratio": bars.split[at],
            "dividend": bars.dividend[at] / 100.0,
        }
    )
    return frame.write_csv(float_precision=2).encode()


def _dividends(spec: EquitySpec, sessions: Days) -> Index:
    """Cents per share on each ex-date, zero elsewhere."""
    amount = np.rint(curve(spec.dividends.amount, sessions) * 100).astype(np.int64)
    months = np.arange(sessions[0].astype("M8[M]"), sessions[-1].astype("M8[M]") + 1)
    months = months[np.isin(months.astype(np.int64) % 12 + 1, spec.dividends.months)]
    day = months.astype("M8[D]") + (spec.dividends.day - 1)
    at = np.searchsorted(sessions, day[(day > sessions[0]) & (day <= sessions[-1])])
    result = np.zeros(sessions.size, dtype=np.int64)
    result[at] = amount[at]
    return result
