"""The latent price of a root: where it stands at each boundary that a vendor's bar may have.

A trading day d of Globex, in order:
    reopen      17:00 Chicago on the evening before (Sunday for a Monday)
    midnight    00:00 UTC, where the UTC day d begins
    settle      the exchange settles; on a holiday, whose shorter hours count to the next session, it does not
    after       trading ends, an hour or more later
Between `after` and the next `midnight` lies the evening that the UTC day d still holds and trading day d does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ctl.demo.draws import Draws, Floats, bridge_extremes

if TYPE_CHECKING:
    from ctl.demo.listing import Days, TradingDays
    from ctl.demo.spec import Curve, PriceSpec

Flags = NDArray[np.bool_]

_HOLIDAY_MOVE: Final = 0.5
"""Standard deviation of a holiday's shorter hours as a fraction of a session's."""


@dataclass(frozen=True, slots=True)
class Extremes:
    """Log high and low of one stretch, one value per trading day."""

    high: Floats
    low: Floats


@dataclass(frozen=True, slots=True)
class LatentPath:
    """Log prices per trading day d, for a contract of zero time to delivery.

    contiguous: the next trading day is the next calendar day, so its evening lies in this UTC day.
    sunday: the evening before d is a Sunday's and makes a bar of its own.
    evening, day, after: reopen -> midnight, midnight -> settle, settle -> after.
    """

    reopen: Floats
    midnight: Floats
    settle: Floats
    after: Floats
    utc_close: Floats
    evening: Extremes
    day: Extremes
    after_hours: Extremes
    carry_settle: Floats
    carry_utc: Floats
    volatility: Floats
    late_news: Flags
    contiguous: Flags
    sunday: Flags


def curve(points: Curve, on: Days) -> Floats:
    """Linear interpolation of a curve's points on days."""
    days = np.array([day for day, _ in points], dtype="M8[D]").astype(np.float64)
    values: Floats = np.interp(on.astype("M8[D]").astype(np.float64), days, np.array([value for _, value in points]))
    return values


def pinned(walk: Floats, points: Curve, on: Days) -> Floats:
    """A correction that, added to `walk`, makes it start on the curve and pass through its points."""
    days = np.array([day for day, _ in points], dtype="M8[D]")
    inside = (days > on[0]) & (days <= on[-1])
    at = np.append(0, np.searchsorted(on, days[inside]))
    values = np.append(curve(points, on[:1]), np.array([value for _, value in points])[inside])
    index = np.arange(on.size, dtype=np.float64)
    correction: Floats = np.interp(index, at.astype(np.float64), values - walk[at])
    return correction


def latent_path(spec: PriceSpec, calendar: TradingDays, seed: int, label: str) -> LatentPath:
    """Simulate one root's path over the trading days."""
    days = calendar.days
    count = days.size
    distance = np.diff(days).astype(np.int64)
    contiguous = np.append(distance == 1, False)
    weekday = (days.astype("M8[D]").astype(np.int64) + 3) % 7
    follows_gap = np.append(False, distance > 1)
    sunday = follows_gap & (weekday == 0)

    volatility = curve(spec.volatility, days) * _clusters(Draws(seed, label, "volatility"), count)
    news = Draws(seed, label, "late news")
    late_news = (news.uniform(count) < spec.late_news_share) & contiguous
    scale = np.where(late_news, spec.late_news, spec.evening) * np.where(contiguous, 1.0, 0.35)
    evening_deviation = volatility * scale
    evening_move = evening_deviation * Draws(seed, label, "evening").normal(count)
    reopened = Draws(seed, label, "reopen").uniform(count) * 0.4 + 0.2
    weekend_deviation = volatility * 0.25
    weekend = np.where(follows_gap, weekend_deviation * Draws(seed, label, "weekend").normal(count), 0.0)
    sunday_deviation = volatility * 0.12
    sunday_move = np.where(follows_gap, sunday_deviation * Draws(seed, label, "sunday").normal(count), 0.0)
    hours = np.where(calendar.is_session, 1.0, _HOLIDAY_MOVE)
    day_deviation = volatility * hours * np.sqrt(1.0 - spec.evening**2 - 0.02)
    day_move = day_deviation * Draws(seed, label, "day").normal(count)

    change = day_move + weekend + sunday_move
    change[1:] += evening_move[:-1]
    change[0] = 0.0
    walk = np.cumsum(change)
    levels: Curve = tuple((day, float(np.log(value))) for day, value in spec.level)
    settle = walk + pinned(walk, levels, days)

    # The last day is followed by nothing, so its UTC day ends with it.
    after = settle + evening_move * np.where(contiguous, reopened, 1.0)
    utc_close = settle + evening_move
    previous_after = np.append(settle[0], after[:-1])
    previous_close = np.append(settle[0], utc_close[:-1])
    reopen = np.where(follows_gap, previous_close + weekend, previous_after)
    midnight = np.where(follows_gap, reopen + sunday_move, previous_close)
    reopen[0] = midnight[0] = settle[0] - day_move[0]

    ranges = Draws(seed, label, "ranges")
    before = np.where(follows_gap, sunday_deviation, np.append(0.0, evening_deviation[:-1]) * 0.7)
    evening = Extremes(*bridge_extremes(ranges, reopen, midnight, before))
    day = Extremes(*bridge_extremes(ranges, midnight, settle, day_deviation))
    after_hours = Extremes(*bridge_extremes(ranges, settle, after, evening_deviation * 0.7))

    carry_walk = np.cumsum(spec.carry_noise * Draws(seed, label, "carry").normal(count))
    carry = carry_walk + pinned(carry_walk, spec.carry, days)
    carry_evening = spec.carry_evening_noise * Draws(seed, label, "carry evening").normal(count)
    loud = np.where(late_news, 3.0, 1.0)
    return LatentPath(
        reopen, midnight, settle, after, utc_close, evening, day, after_hours,
        carry, carry + carry_evening * loud, volatility, late_news, contiguous, sunday,
    )  # fmt: skip


def _clusters(draws: Draws, count: int) -> Floats:
    """Volatility relative to its curve: slow waves and rare days of two to three times the usual move."""
    kernel = np.linspace(1.0, 0.0, 15, endpoint=False)
    kernel = kernel / np.sqrt(np.cumsum(kernel**2)[-1])
    waves = np.convolve(draws.normal(count + kernel.size - 1), kernel, mode="valid")
    shocks = np.where(draws.uniform(count) < 0.025, 2.2, 1.0)
    clusters: Floats = np.exp(0.28 * waves - 0.04) * shocks
    return clusters
