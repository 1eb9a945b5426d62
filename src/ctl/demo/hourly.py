"""Hourly bars of the liquid contracts: those of a UTC day add up to its daily bar, high, low and volume included."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.demo.draws import Draws
from ctl.demo.rawbars import delivered_rows
from ctl.sessions import closes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.demo.listing import Days, Index, Mask
    from ctl.demo.quotes import Quotes
    from ctl.demo.spec import FutureSpec

MIN_VOLUME: Final = 500
_HOURS: Final = 24
_HALTED_HOURS: Final = 5
# Hours from the local clock to UTC in summer; both places change their clocks on the same days.
_SUMMER_OFFSET: Final = {"America/New_York": 4, "America/Chicago": 5}
_HOUR_NANOS: Final = 3_600_000_000_000
# Weight of each UTC hour in a day's volume: Asia, Europe, the American morning, the hours after the settlement.
_BUSY: Final = np.array([3, 3, 2, 2, 2, 2, 3, 5, 6, 6, 6, 6, 9, 12, 13, 12, 10, 8, 5, 3, 2, 2, 2, 2], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class HourlyBars:
    """Sorted by (day, hour, contract). Prices in ticks; `hour` is the UTC hour at which the bar begins."""

    day: Days
    hour: Index
    contract: Index
    open: Index
    high: Index
    low: Index
    close: Index
    volume: Index


def hourly(spec: FutureSpec, quotes: Quotes, seed: int) -> HourlyBars:
    """Hourly bars of every contract and UTC day with at least `MIN_VOLUME` contracts, Sunday evenings included."""
    draws = Draws(seed, spec.root, "hourly")
    kept = delivered_rows(quotes, spec.canonical) & (quotes.utc.volume >= MIN_VOLUME)
    weekdays = _weekday_bars(spec, quotes, np.flatnonzero(kept), draws)
    sundays = _sunday_bars(spec, quotes, np.flatnonzero(kept & quotes.sunday.traded), draws)
    both = {f.name: np.concatenate([getattr(weekdays, f.name), getattr(sundays, f.name)]) for f in fields(HourlyBars)}
    order = np.lexsort((both["contract"], both["hour"], both["day"]))
    return HourlyBars(**{name: values[order] for name, values in both.items()})


def _weekday_bars(spec: FutureSpec, quotes: Quotes, rows: Index, draws: Draws) -> HourlyBars:
    parts, bars = quotes.stretches, quotes.utc
    days = quotes.calendar.days[quotes.rows.day[rows]]
    settles, reopens = _clock(spec, days)
    # Globex closes an hour before it reopens, earlier before some holidays; the last hour follows the settlement.
    # On a holiday itself it is halted at noon.
    is_session = quotes.calendar.is_session[quotes.rows.day[rows]]
    settled = days[is_session]
    closes = (closes_of(spec.calendar, settled) - settled.astype("M8[ns]")).astype(np.int64)
    ends = reopens - _HALTED_HOURS
    ends[is_session] = -(-closes // _HOUR_NANOS)
    settles = np.minimum(settles, ends - 1)
    midnight = np.zeros_like(settles)
    settle, after = parts.day_close[rows], parts.after_close[rows]
    until = np.where(parts.has_evening[rows], _HOURS, reopens)
    day = _fill(draws, midnight, settles, bars.open[rows], settle, parts.day_high[rows], parts.day_low[rows])
    late = _fill(draws, settles, ends, settle, after, parts.after_high[rows], parts.after_low[rows])
    evening = _fill(
        draws, reopens, until, parts.evening_open[rows], bars.close[rows], parts.evening_high[rows],
        parts.evening_low[rows],
    )  # fmt: skip
    in_evening = parts.evening_volume[rows]
    volume = _share_out(bars.volume[rows] - in_evening, day.used | late.used) + _share_out(in_evening, evening.used)
    return _collect(quotes, rows, days, (day, late, evening), volume)


def _sunday_bars(spec: FutureSpec, quotes: Quotes, rows: Index, draws: Draws) -> HourlyBars:
    bars = quotes.sunday
    days = quotes.calendar.days[quotes.rows.day[rows]] - 1
    _, reopens = _clock(spec, days)
    until = np.full_like(reopens, _HOURS)
    evening = _fill(draws, reopens, until, bars.open[rows], bars.close[rows], bars.high[rows], bars.low[rows])
    return _collect(quotes, rows, days, (evening,), _share_out(bars.volume[rows], evening.used))


@dataclass(frozen=True, slots=True)
class _Filled:
    """Arrays (rows, 24); prices are meant where `used`."""

    used: Mask
    open: Index
    high: Index
    low: Index
    close: Index


def _collect(quotes: Quotes, rows: Index, days: Days, parts: Sequence[_Filled], volume: Index) -> HourlyBars:
    """The used hours of stretches that do not overlap, one bar each."""
    used = np.logical_or.reduce([part.used for part in parts])
    row, hour = np.nonzero(used)

    def merged(name: str) -> Index:
        values: Index = np.select([part.used for part in parts], [getattr(part, name) for part in parts])[row, hour]
        return values

    return HourlyBars(
        days[row], hour.astype(np.int64), quotes.rows.contract[rows][row], merged("open"), merged("high"),
        merged("low"), merged("close"), volume[row, hour],
    )  # fmt: skip


def _clock(spec: FutureSpec, days: Days) -> tuple[Index, Index]:
    """UTC hours in which the exchange settles and reopens: one hour later while America keeps standard time."""
    time, _, place = spec.settlement.partition(" ")
    settles = int(time.partition(":")[0]) + _SUMMER_OFFSET[place]
    year = days.astype("M8[Y]")
    march = (year.astype("M8[M]") + 2).astype("M8[D]")
    november = (year.astype("M8[M]") + 10).astype("M8[D]")
    starts = np.busday_offset(march, 1, roll="forward", weekmask="Sun")
    stops = np.busday_offset(november, 0, roll="forward", weekmask="Sun")
    winter = ((days < starts) | (days >= stops)).astype(np.int64)
    return settles + winter, 22 + winter


def _fill(draws: Draws, first: Index, stop: Index, start: Index, end: Index, high: Index, low: Index) -> _Filled:
    """A walk over the hours first .. stop - 1 from `start` to `end`; one hour touches the high, one the low."""
    top = np.maximum(high, np.maximum(start, end))[:, None]
    bottom = np.minimum(low, np.minimum(start, end))[:, None]
    hour = np.arange(_HOURS)[None, :]
    used = (hour >= first[:, None]) & (hour < stop[:, None])
    length = np.maximum(stop - first, 1)[:, None]
    done = np.clip((hour + 1 - first[:, None]) / length, 0.0, 1.0)
    shape = (first.size, _HOURS)
    wobble = (top - bottom) * 0.25 * draws.normal(first.size * _HOURS).reshape(shape) * np.sqrt(done * (1.0 - done))
    close = np.rint(start[:, None] + (end - start)[:, None] * done + wobble).astype(np.int64)
    close = np.clip(close, bottom, top)
    previous = np.concatenate([start[:, None], close[:, :-1]], axis=1)
    opened = np.where(hour == first[:, None], start[:, None], previous)
    reach = ((top - bottom) * 0.08 * draws.uniform(first.size * _HOURS).reshape(shape)).astype(np.int64)
    highs = np.minimum(np.maximum(opened, close) + reach, top)
    lows = np.maximum(np.minimum(opened, close) - reach, bottom)
    peak = first + (draws.uniform(first.size) * length[:, 0]).astype(np.int64)
    trough = first + (draws.uniform(first.size) * length[:, 0]).astype(np.int64)
    highs = np.where(hour == peak[:, None], top, highs)
    lows = np.where(hour == trough[:, None], bottom, lows)
    return _Filled(used, opened, highs, lows, close)


def _share_out(volume: Index, used: Mask) -> Index:
    """Split each row's volume over its hours; what rounding leaves goes to the busiest one."""
    weight = _BUSY[None, :] * used
    total = np.maximum(np.cumsum(weight, axis=1)[:, -1:], 1.0)
    shared = np.floor(volume[:, None] * weight / total).astype(np.int64)
    busiest = np.argmax(weight, axis=1)
    anywhere = used.any(axis=1)
    shared[np.arange(volume.size), busiest] += np.where(anywhere, volume - np.cumsum(shared, axis=1)[:, -1], 0)
    result: Index = shared
    return result
