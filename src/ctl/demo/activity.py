"""Volume and open interest per contract, and how they migrate to the next contract before expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.demo.draws import Draws, Floats

if TYPE_CHECKING:
    from ctl.demo.listing import Index, Listing, TradingDays
    from ctl.demo.path import LatentPath
    from ctl.demo.spec import LiquiditySpec

_MIGRATION_WIDTH: Final = 1.1
_INTEREST_WIDTH: Final = 3.0
_HOLIDAY_VOLUME: Final = 0.2
"""Volume of a holiday's shorter hours as a fraction of a session's."""
_WEEKDAY_VOLUME: Final = np.array([0.92, 1.03, 1.05, 1.04, 0.96, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class Rows:
    """One row per contract and trading day on which it is listed, sorted by (contract, day).

    contract, day: indices; start: first row of each contract, and one past the last row at the end.
    """

    contract: Index
    day: Index
    start: Index

    def at(self, contract: int, day: int) -> int:
        """The row of a listed contract and day."""
        return int(self.on(contract, np.array([day]))[0])

    def on(self, contract: int, days: Index) -> Index:
        """The rows of a contract on days on which it is listed."""
        first = self.start[contract]
        rows: Index = first + days - self.day[first]
        return rows


@dataclass(frozen=True, slots=True)
class Activity:
    """volume: the whole trading day, float; reported: the same as the reference counts it; evening_share: its part
    before 00:00 UTC, per row."""

    volume: Floats
    reported: Index
    open_interest: Index
    evening_share: Floats


def rows_of(listing: Listing) -> Rows:
    """Lay out the rows of a listing."""
    length = listing.last - listing.first + 1
    start = np.append(0, np.cumsum(length))
    contract = np.repeat(np.arange(length.size), length)
    day = np.arange(start[-1]) - np.repeat(start[:-1], length) + np.repeat(listing.first, length)
    return Rows(contract, day, start)


def activity(
    spec: LiquiditySpec, listing: Listing, rows: Rows, path: LatentPath, calendar: TradingDays, seed: int, label: str
) -> Activity:
    """Simulate volume and open interest of every row."""
    count = path.settle.size
    contracts = len(listing.contracts)
    timing = Draws(seed, label, "migration")
    jitter = timing.integers(contracts - 1, -spec.migration_jitter, spec.migration_jitter)
    crossing = listing.expiry_index[:-1] - spec.migration_sessions + jitter + 0.25 + 0.5 * timing.uniform(contracts - 1)
    opens = np.append(-np.inf, crossing)
    ends = np.append(crossing, np.inf)

    at = rows.day.astype(np.float64)
    opened = _sigmoid((at - opens[rows.contract]) / _MIGRATION_WIDTH)
    left = _sigmoid((at - ends[rows.contract]) / _MIGRATION_WIDTH)
    rank = rows.contract - np.searchsorted(crossing, at)
    extra = np.maximum(rank - len(spec.deferred), 0)
    ladder = np.append(np.append(0.0, spec.deferred), np.zeros(1))
    deferred = np.where(
        rank > len(spec.deferred), spec.deferred[-1] * 0.3**extra, ladder[np.clip(rank, 0, len(spec.deferred))]
    )
    remaining = (listing.expiry_index[rows.contract] - rows.day) / max(spec.migration_sessions, 1.0)
    tail = np.where(rank < 0, 0.012 * np.clip(remaining, 0.0, 1.0), 0.0)
    share = np.maximum(opened * (1.0 - left), np.maximum(deferred, tail))

    draws = Draws(seed, label, "volume")
    waves = np.cumsum(draws.normal(count + 10))
    weekday = (calendar.days.astype("M8[D]").astype(np.int64) + 3) % 7
    usual = spec.volume * _WEEKDAY_VOLUME[weekday] * np.where(calendar.is_session, 1.0, _HOLIDAY_VOLUME)
    whole = usual * np.exp(0.06 * (waves[10:] - waves[:-10]))
    whole = whole * np.sqrt(path.volatility / np.sort(path.volatility)[count // 2])
    thin = share < 0.02
    noise = np.exp(np.where(thin, 0.5, 0.1) * draws.normal(rows.day.size))
    volume = whole[rows.day] * share * noise

    crossovers = Draws(seed, label, "single day crossovers")
    chosen = crossovers.uniform(contracts - 1) < spec.single_day_crossovers
    excess = 1.05 + 0.3 * crossovers.uniform(contracts - 1)
    day = np.floor(crossing).astype(np.int64) - crossovers.integers(contracts - 1, 4, 6)
    for k in np.flatnonzero(chosen & (day >= listing.first[1:]) & (day < count)):
        volume[rows.at(int(k) + 1, int(day[k]))] = volume[rows.at(int(k), int(day[k]))] * excess[k]

    blocks = Draws(seed, label, "blocks").uniform(max(contracts - 2, 0)) < spec.deferred_blocks
    confirming = np.ceil(crossing[: blocks.size]).astype(np.int64) + 1
    for k in np.flatnonzero(blocks & (confirming >= listing.first[2:]) & (confirming < count)):
        second = int(confirming[k])
        volume[rows.at(int(k) + 2, second)] = 1.3 * volume[rows.at(int(k) + 1, second)]

    level = _sigmoid((at - opens[rows.contract] - 1) / _INTEREST_WIDTH)
    level = level * (1.0 - 0.97 * _sigmoid((at - ends[rows.contract] - 1) / _INTEREST_WIDTH))
    interest = np.rint(1.8 * spec.volume * np.maximum(level, deferred * 2) * np.exp(0.03 * (waves[10:]))[rows.day])

    counting = np.exp(spec.reporting_noise * Draws(seed, label, "reported volume").normal(volume.size))
    reported = np.rint(volume * counting).astype(np.int64)

    evening = Draws(seed, label, "evening volume")
    per_day = 0.05 + 0.06 * evening.uniform(count)
    per_day[1:] += np.where(path.late_news[:-1], 0.08, 0.0)
    per_row = per_day[rows.day] * np.exp(0.15 * evening.normal(rows.day.size))
    return Activity(volume, reported, interest.astype(np.int64), np.minimum(per_row, 0.5))


def _sigmoid(value: Floats) -> Floats:
    curve: Floats = 1.0 / (1.0 + np.exp(-np.clip(value, -40.0, 40.0)))
    return curve
