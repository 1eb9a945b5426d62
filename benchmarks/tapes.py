"""Made data for the benchmarks: distinct symbols, seeded, so that no peer profits from a warm cache of one symbol."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tapes:
    """Daily bars of several symbols: arrays of shape (symbols, bars), sessions of shape (bars,)."""

    session: npt.NDArray[np.datetime64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @property
    def bars(self) -> int:
        """Symbols times sessions."""
        return self.close.size

    def save(self, folder: Path) -> None:
        """One .npy per column, for processes that live in another environment."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("session", "open", "high", "low", "close", "volume"):
            np.save(folder / f"{name}.npy", getattr(self, name))


def trending_tapes(symbols: int = 100, bars: int = 5000, seed: int = 7) -> Tapes:
    """Rises with retests of the average, then anything: triggers come densely. Prices positive, in ticks of 0.01."""
    rng = np.random.default_rng(seed)
    step = np.empty((symbols, bars))
    noise = np.empty((symbols, bars))
    for row in range(symbols):
        filled, height = 0, 0.0
        while filled < bars:
            swings = [(rng.integers(12, 30), rng.uniform(0.006, 0.015))]
            for _ in range(rng.integers(1, 4)):
                swings += [(rng.integers(2, 5), -rng.uniform(0.008, 0.026))]
                swings += [(rng.integers(2, 6), rng.uniform(0.004, 0.02))]
                swings += [(rng.integers(4, 14), rng.choice([-0.016, 0.004, 0.008]) * rng.uniform(0.5, 1.5))]
            if height > 1.0:
                swings += [(rng.integers(40, 120), -height / 100)]
            width = rng.uniform(0.003, 0.012)
            for length, drift in swings:
                stop = min(filled + int(length), bars)
                step[row, filled:stop] = drift
                noise[row, filled:stop] = width
                height += drift * (stop - filled)
                filled = stop
    close = 100 * np.exp(np.cumsum(step + noise * rng.standard_normal(step.shape), axis=1))
    close = np.round(close, 2)
    before = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    opening = np.round(before * np.exp(0.4 * noise * rng.standard_normal(step.shape)), 2)
    reach = np.abs(rng.standard_normal((2, *step.shape))) * noise * 0.6
    high = np.round(np.maximum(opening, close) * np.exp(reach[0]), 2)
    low = np.round(np.minimum(opening, close) * np.exp(-reach[1]), 2)
    session = np.busday_offset(np.datetime64("2000-01-03"), np.arange(bars))
    volume = rng.integers(1_000, 500_000, step.shape).astype(float)
    return Tapes(session, opening, high, low, close, volume)


def rolled_tapes(symbols: int = 20, bars: int = 5000, seed: int = 7, every: int = 63) -> tuple[Tapes, Floats]:
    """The same tapes as difference-adjusted futures with a gap up at every roll, and what each bar carries of them."""
    plain = trending_tapes(symbols, bars, seed)
    rng = np.random.default_rng(seed + 1)
    gap = np.zeros((symbols, bars))
    rolls = np.arange(every, bars, every)
    gap[:, rolls] = np.round(rng.uniform(0.1, 1.5, (symbols, rolls.size)), 2)
    carried = np.round(gap.sum(axis=1, keepdims=True) - np.cumsum(gap, axis=1), 2)
    prices = (np.round(column + carried, 2) for column in (plain.open, plain.high, plain.low, plain.close))
    return Tapes(plain.session, *prices, plain.volume), carried


@dataclass(frozen=True)
class ContractPanel:
    """Daily bars of the contracts of one made root, one row per contract and session, ordered by session."""

    session: npt.NDArray[np.datetime64]
    delivery: npt.NDArray[np.int64]  # months since year 0
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: npt.NDArray[np.int64]
    open_interest: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Contract bars."""
        return self.close.size


def contract_panel(
    years: int = 20,
    listed: int = 8,
    every: int = 3,
    seed: int = 11,
    trending: bool = False,
    sessions: npt.NDArray[np.datetime64] | None = None,
) -> ContractPanel:
    """A delivery every `every` months, `listed` of them trading at once; volume and interest move on before expiry.

    trending: prices rise with retests, so that B1 triggers on them; else they drift about, and it does not. sessions:
    in place of every weekday of so many years from 2000 on.
    """
    rng = np.random.default_rng(seed)
    if sessions is None:
        sessions = np.busday_offset(np.datetime64("2000-01-03"), np.arange(261 * years))
    year = 1970 + int(sessions[0].astype("datetime64[Y]").astype(int))
    level = np.round(4 * (3000 + np.cumsum(rng.standard_normal(sessions.size) * 8))) / 4
    level += 4000 - min(level.min(), 0)
    if trending:
        level = np.round(4 * 70 * trending_tapes(1, sessions.size, seed).close[0]) / 4
    parts = []
    deliveries = np.arange(year * 12 + every - 1, (year + years) * 12 + every * listed, every)
    for delivery in deliveries:
        month = np.datetime64(f"{delivery // 12:04d}-{delivery % 12 + 1:02d}", "M")
        expiry = np.busday_offset(month.astype("datetime64[D]"), 14, roll="forward")
        start = expiry - np.timedelta64(30 * every * listed, "D")
        days = sessions[(sessions >= start) & (sessions <= expiry)]
        if days.size == 0:
            continue
        at = np.searchsorted(sessions, days)
        left = (expiry - days).astype(int)
        distance = (
            np.abs(left - 10 - 15 * every) - 15 * every
        ) / 2.5  # from the edge of its time as the active contract
        crowd = 1 / (1 + np.exp(np.minimum(distance, 50))) + 1e-3
        volume = (crowd * rng.uniform(0.7, 1.3, days.size) * 1e6).astype(np.int64)
        interest = (crowd * rng.uniform(0.95, 1.05, days.size) * 3e6).astype(np.int64)
        close = level[at] + np.round(left * 0.02 * 4) / 4
        opening = close + np.round(rng.standard_normal(days.size) * 3 * 4) / 4
        reach = np.round(np.abs(rng.standard_normal((2, days.size))) * 4 * 4) / 4
        high, low = np.maximum(opening, close) + reach[0], np.minimum(opening, close) - reach[1]
        parts.append((days, np.full(days.size, delivery), opening, high, low, close, volume, interest))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return ContractPanel(*(column[order] for column in columns))
