"""Tapes for B1's tests: synthetic bars, as StrategyBars and as the twin's dicts."""

from __future__ import annotations

import random
from datetime import date, timedelta

import numpy as np

from ctl.strategy.bars import StrategyBars


def weekdays(count, first=date(2001, 1, 1)):
    """`count` weekdays from `first` on."""
    days, day = [], first
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    return days


def keys(days):
    """ISO weeks and months as increasing integers."""
    weeks = [(day.toordinal() - 1) // 7 for day in days]
    months = [day.year * 12 + day.month - 1 for day in days]
    return weeks, months


def as_bars(rows, *, days=None, adjustment=None, symbol="TEST", week_complete=False):
    """StrategyBars of (open, high, low, close[, volume]) rows; volume None where missing."""
    days = days or weekdays(len(rows))
    weeks, months = keys(days)
    volume = [float("nan") if len(row) < 5 or row[4] is None else row[4] for row in rows]
    return StrategyBars(
        symbol,
        np.array(days, "datetime64[D]"),
        *(np.array([row[i] for row in rows], float) for i in range(4)),
        np.array(volume, float),
        np.zeros(len(rows)) if adjustment is None else np.array(adjustment, float),
        np.array(weeks),
        np.array(months),
        week_complete,
    )


def as_dicts(bars):
    """The same bars for the twin."""
    names = ("open", "high", "low", "close", "adjustment")
    return [
        {
            "session": bars.session[n].item().isoformat(),
            **{name: float(getattr(bars, name)[n]) for name in names},
            "volume": None if np.isnan(bars.volume[n]) else float(bars.volume[n]),
            "week": int(bars.week_key[n]),
            "month": int(bars.month_key[n]),
        }
        for n in range(len(bars))
    ]


def walk(seed, length, *, start=800, grid=0.25, noise=5, trend=9, odd=0.05, shift=0.0, rolls=0, week_complete=False):
    """A walk in whole ticks through rises, falls and pauses, with ties, gaps, zero ranges and odd bars.

    `odd` is the share of bars that real vendors get wrong (high below the close and the like) or that
    do not move at all; `rolls` steps of a difference adjustment are carried below random bars.
    """
    source = random.Random(seed)  # noqa: S311 - a reproducible tape, not a secret
    rows, left, drift = [], 0, 0
    close = start
    for _ in range(length):
        if left == 0:
            drift = source.choice([trend, trend, trend // 2, 0, -trend, -3 * trend])
            left = source.randint(3, 25) if drift > 0 else source.randint(1, 5)
        left -= 1
        open_ = close + source.choice([0, 0, source.randint(-noise, noise), source.randint(-4 * noise, 4 * noise)])
        close = open_ + drift + source.randint(-noise, noise)
        if close < start // 4 or close > start * 20:
            close, left = start, 0
        high = max(open_, close) + source.randint(0, noise)
        low = min(open_, close) - source.randint(0, noise)
        if source.random() < odd:
            kind = source.randrange(3)
            if kind == 0:
                open_ = high = low = close
            elif kind == 1:
                high = close - source.randint(0, 3)
            else:
                low = max(open_, close)
        volume = None if source.random() < 0.02 else source.randint(0, 40)
        rows.append((*(price * grid + shift for price in (open_, high, low, close)), volume))
    adjustment = np.zeros(length)
    for _ in range(rolls):
        adjustment[: source.randint(1, length)] += source.randint(-start // 8, start // 8) * grid
    return as_bars(rows, adjustment=adjustment, week_complete=week_complete)


def differences(document, expected, tolerance=1e-9):
    """Every field in which two result documents disagree; numbers relative to their size (at least 1)."""
    found = []
    for part in ("triggers", "trades", "open"):
        if len(document[part]) != len(expected[part]):
            found.append(f"{part}: {len(document[part])} against {len(expected[part])}")
            continue
        for ours, theirs in zip(document[part], expected[part], strict=True):
            if list(ours) != list(theirs):
                found.append(f"{part}: fields {list(ours)} against {list(theirs)}")
            found += [
                f"{part} {ours['trigger_session']} {name}: {ours[name]!r} against {theirs[name]!r}"
                for name in theirs
                if not _equal(ours.get(name), theirs[name], tolerance)
            ]
    return found


def _equal(a, b, tolerance):
    if isinstance(a, float) or isinstance(b, float):
        return a is not None and b is not None and abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))
    return type(a) is type(b) and a == b
