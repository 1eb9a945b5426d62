"""Three contracts on a common path, and references that hold them: what recovery and its users are tried on."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from ctl.certification.contract_closes import ContractCloses
from ctl.model.bars import SERIES_COLUMNS, DailySeries, SeriesMeta

START = date(2008, 1, 1)
META = SeriesMeta("LC", "vendor", "exchange_session", "settlement")
NAMES = ("LCM08", "LCQ08", "LCV08")
TICK = 0.25


def day(index: int) -> date:
    return START + timedelta(days=index)


def series(
    close: list[float], contract: list[str | None] | None = None, adjustment: list[float] | None = None, first: int = 0
) -> DailySeries:
    frame = pl.DataFrame(
        {
            "session": [day(first + i) for i in range(len(close))],
            "close": close,
            "contract": pl.Series(contract or [None] * len(close), dtype=pl.String),
            "adjustment": adjustment or [0.0] * len(close),
        }
    ).with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("open", "high", "low")),
        *(pl.lit(None, dtype=pl.Int64).alias(name) for name in ("volume", "open_interest")),
    )
    return DailySeries(frame.select(SERIES_COLUMNS), META)


def market(sessions: int = 30) -> np.ndarray:
    """Closes of three contracts: a common path, spreads 10 and 25 that widen by a tick per session."""
    t = np.arange(sessions)
    common = 100 + np.array([0.25 * ((7 * i) % 11) for i in t])
    return np.vstack([common, common + 10 + 0.25 * t, common + 25 + 0.5 * t])


def closes_of(prices: np.ndarray) -> ContractCloses:
    count, sessions = prices.shape
    days = (np.datetime64(START, "D") + np.arange(sessions)).astype(np.int64)
    return ContractCloses.from_arrays(
        NAMES[:count], np.tile(days, count), np.repeat(np.arange(count), sessions), prices.reshape(-1)
    )


def held_series(prices: np.ndarray, rolls: list[int]) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Unadjusted and back-adjusted closes of a series that moves one contract on into each of `rolls`."""
    sessions = prices.shape[1]
    held = np.zeros(sessions, dtype=int)
    for at in rolls:
        held[at:] += 1
    raw = prices[held, np.arange(sessions)]
    gaps = [float(prices[k + 1, at - 1] - prices[k, at - 1]) for k, at in enumerate(rolls)]
    adjusted = raw + np.array([sum(g for g, at in zip(gaps, rolls, strict=True) if at > t) for t in range(sessions)])
    return raw, adjusted, gaps
