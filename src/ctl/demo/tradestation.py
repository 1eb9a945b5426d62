"""The reference vendor's files: TradeStation's text exports, sessions of the exchange closing at the settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ctl.demo.databento import compress, stamp

if TYPE_CHECKING:
    from ctl.demo.draws import Floats
    from ctl.demo.listing import Days, Index
    from ctl.demo.quotes import Quotes
    from ctl.demo.reference import Continuous
    from ctl.demo.spec import FutureSpec


def future_files(spec: FutureSpec, series: Continuous) -> dict[str, bytes]:
    """File name -> bytes: the custom continuous series of a root, adjusted and unadjusted."""
    span = f"{stamp(series.sessions[0])}_{stamp(series.sessions[-1])}"
    result = {}
    for kind, offset in (("ADJ", series.offset), ("UNADJ", np.zeros_like(series.offset))):
        prices = {
            name.title(): (getattr(series, name) + offset) * spec.tick for name in ("open", "high", "low", "close")
        }
        text = daily_text(
            series.sessions, spec.reference_time, prices, series.volume, series.open_interest, decimals_of(spec.tick)
        )
        result[f"TS_{spec.root}_CUSTOM_{kind}_1D_{span}.csv"] = text
    return result


def contract_files(spec: FutureSpec, quotes: Quotes) -> dict[str, bytes]:
    """File name -> bytes: the bars of every contract that traded, in one table with its `Symbol` (`ESH18`)."""
    bars = quotes.exchange
    rows = np.flatnonzero(bars.traded)
    names = np.array([contract.name for contract in quotes.listing.contracts])
    sessions = quotes.calendar.days[quotes.rows.day[rows]]
    frame = pl.DataFrame(
        {
            "Symbol": names[quotes.rows.contract[rows]],
            "Date": pl.Series(sessions.astype("M8[D]")).dt.strftime("%m/%d/%Y"),
            **{name.title(): getattr(bars, name)[rows] * spec.tick for name in ("open", "high", "low", "close")},
            "Vol": quotes.reported_volume[rows],
            "OI": quotes.open_interest[rows],
        }
    )
    text = frame.write_csv(float_precision=decimals_of(spec.tick), line_terminator="\r\n").encode()
    span = f"{stamp(quotes.calendar.days[0])}_{stamp(quotes.calendar.days[-1])}"
    return {f"TS_{spec.root}_CONTRACTS_1D_{span}.csv.zst": compress(text)}


def daily_text(
    sessions: Days, time: str, prices: dict[str, Floats], volume: Index, open_interest: Index, decimals: int
) -> bytes:
    """The daily layout: quoted header, MM/DD/YYYY, local closing time, CRLF."""
    day = pl.Series("Date", sessions.astype("M8[D]")).dt.strftime("%m/%d/%Y")
    frame = pl.DataFrame({"Date": day, "Time": [time] * sessions.size, **prices, "Vol": volume, "OI": open_interest})
    body = frame.write_csv(include_header=False, float_precision=decimals, line_terminator="\r\n", quote_style="never")
    header = ",".join(f'"{name}"' for name in frame.columns)
    return f"{header}\r\n{body}".encode()


def decimals_of(tick: float) -> int:
    """Decimals that the vendor prints: at least two, more where the tick needs them."""
    text = f"{tick:.9f}".rstrip("0")
    return max(2, len(text.partition(".")[2]))
