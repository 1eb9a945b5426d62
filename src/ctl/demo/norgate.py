"""A third vendor's text exports, in Norgate's layout: unadjusted, closing at the settlement, with the held delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ctl.demo.databento import stamp
from ctl.demo.tradestation import decimals_of

if TYPE_CHECKING:
    from ctl.demo.equities import EquityBars
    from ctl.demo.listing import Days
    from ctl.demo.quotes import Quotes
    from ctl.demo.reference import Continuous
    from ctl.demo.spec import EquitySpec, FutureSpec


def future_files(spec: FutureSpec, quotes: Quotes, series: Continuous) -> dict[str, bytes]:
    """File name -> bytes: the unadjusted continuous series of a root with its `Delivery Month` (YYYYMM)."""
    delivery = np.array([c.year * 100 + c.month for c in quotes.listing.contracts], dtype=np.int64)
    frame = pl.DataFrame(
        {
            "Date": np.datetime_as_string(series.sessions.astype("M8[D]")),
            **{name.title(): getattr(series, name) * spec.tick for name in ("open", "high", "low", "close")},
            "Volume": series.volume,
            "Open Interest": series.open_interest,
            "Delivery Month": delivery[series.contract],
        }
    )
    return {_name(spec.root, series.sessions): frame.write_csv(float_precision=decimals_of(spec.tick)).encode()}


def equity_files(spec: EquitySpec, bars: EquityBars) -> dict[str, bytes]:
    """File name -> bytes: split-adjusted prices, the unadjusted close and the dividend of the ex-date."""
    factor = 1.0 / (100.0 * bars.ratio)
    volume = bars.volume * bars.ratio
    frame = pl.DataFrame(
        {
            "Date": np.datetime_as_string(bars.sessions.astype("M8[D]")),
            **{name.title(): getattr(bars, name) * factor for name in ("open", "high", "low", "close")},
            "Volume": volume,
            "Turnover": volume * bars.close * factor,
            "Unadjusted Close": bars.close / 100.0,
            "Dividend": bars.dividend / 100.0,
        }
    )
    return {_name(spec.symbol, bars.sessions): frame.write_csv(float_precision=4).encode()}


def _name(symbol: str, sessions: Days) -> str:
    return f"NG_{symbol}_1D_{stamp(sessions[0])}_{stamp(sessions[-1])}.csv"
