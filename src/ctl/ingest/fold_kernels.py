"""Bars put in order and those of one session merged, in one pass over the rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ctl.kernels import kernel

NO_SESSION: Final = -(2**31)


@kernel
def count(number: Any, day: Any, offset: Any, bars: Any) -> None:
    """Count bars by cell: that of a bar is its day and the offset of its symbol number. bars: int64, added to."""
    for k in range(len(day)):
        bars[offset[number[k]] + day[k]] += 1


@kernel
def merge(index: Any, number: Any, day: Any, offset: Any, goes: Any, rows: Any, nulls: Any, into: Any, out: Any) -> Any:
    """Copy the rows at `index` to the front of `out`, those that go to one session of their symbol as one bar.

    number, day: of every row at `index`. goes: by cell (see `count`) the session, NO_SESSION: nowhere. rows, out: open,
    high, low, close, volume, open interest; nulls, into: where volume and open interest are unknown, and day, number
    and the same of what is made; an array that has no rows stands for one that is not there.
    Of a merged bar the open leads, close and open interest are the last, high, low and volume merge; an unknown volume
    plus a known one is unknown. Returns the number of bars, and whether any holds a price that cannot be, as far as
    one bar tells.
    """
    opening, high, low, close, volume, interest = rows
    volume_null, interest_null = nulls
    days, numbers, unknown, interest_unknown = into
    to_open, to_high, to_low, to_close, to_volume, to_interest = out
    at, odd = -1, False
    for k in range(len(index)):
        session = goes[offset[number[k]] + day[k]]
        if session == NO_SESSION:
            continue
        i = index[k]
        if at >= 0 and days[at] == session and numbers[at] == number[k]:
            if np.isnan(to_open[at]):
                to_open[at] = opening[i]
            if not np.isnan(close[i]):
                to_close[at] = close[i]
            if not high[i] <= to_high[at] and not np.isnan(high[i]):
                to_high[at] = high[i]
            if not low[i] >= to_low[at] and not np.isnan(low[i]):
                to_low[at] = low[i]
            to_volume[at] += volume[i]
            if len(volume_null) > 0:
                unknown[at] |= volume_null[i]
                if unknown[at]:
                    to_volume[at] = 0
        else:
            at += 1
            days[at], numbers[at] = session, number[k]
            to_open[at], to_high[at], to_low[at], to_close[at] = opening[i], high[i], low[i], close[i]
            to_volume[at] = volume[i]
            if len(volume_null) > 0:
                unknown[at] = volume_null[i]
        if len(interest) > 0:
            to_interest[at] = interest[i]
        if len(interest_null) > 0:
            interest_unknown[at] = interest_null[i]
        # NaN compares as nothing.
        one, two, top, bottom = to_open[at], to_close[at], to_high[at], to_low[at]
        odd |= (one > top) | (two > top) | (one < bottom) | (two < bottom)
        odd |= (one <= 0.0) | (two <= 0.0) | (bottom <= 0.0)
    return at + 1, odd
