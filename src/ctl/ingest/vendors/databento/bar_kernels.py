"""Daily bars of a DBN file from its record bytes to columns: checked in one pass, put in their places in another."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctl.ingest.vendors.databento.text import INT64_MAX, NANOSECONDS_PER_DAY, UNIT
from ctl.kernels import kernel


@kernel
def survey(
    records: Any,
    length: int,
    rtype: int,
    earliest: int,
    latest: int,
    most: int,
    mapped: Any,
    day: Any,
    symbol: Any,
    bars: Any,
    last: Any,
) -> tuple[bool, bool]:
    """Whether every record is sound, and whether all are of one publisher.

    A sound record has this length and rtype, starts a UTC day of earliest to latest (inclusive), has a symbol on it and
    traded `most` at most. mapped: `Lookup.columns`. day, symbol: int32[n], filled; bars, last: int64[symbols], number
    and last day of each symbol's bars, filled. What was filled means nothing where a record is unsound.
    """
    table, low, keys, step, ident_of, first, end, number = mapped
    moment, today, one = np.uint64(0), np.int64(0), True
    for i in range(len(records)):
        record = records[i]
        if record.length != length or record.rtype != rtype or record.volume > np.uint64(most):
            return False, False
        if i == 0 or record.ts_event != moment:
            moment = record.ts_event
            if moment > np.uint64(INT64_MAX):
                return False, False
            today = np.int64(moment) // NANOSECONDS_PER_DAY
            if today * NANOSECONDS_PER_DAY != np.int64(moment) or today < earliest or today > latest:
                return False, False
        one &= record.publisher_id == records[0].publisher_id
        ident = np.int64(record.instrument_id)
        at = table[ident - low] if 0 <= ident - low < len(table) else len(ident_of)
        if not first[at] <= today < end[at]:
            at = np.searchsorted(keys, ident * step + today, side="right") - 1
            if at < 0 or ident_of[at] != ident or today >= end[at]:
                return False, False
        day[i], symbol[i] = today, number[at]
        bars[number[at]] += 1
        last[number[at]] = max(last[number[at]], today)
    return True, one


@kernel
def put(records: Any, symbol: Any, counts: Any, code: Any, part: Any, free: Any, day: Any, columns: Any) -> None:
    """Copy the bars that count to their places.

    counts: bool[n], of every record, or bool[0]: all do. code, part: int64[symbols], the symbol's new number and the
    run of places its bars go to (-1: nowhere); free: int64[parts], the first place of each run, moved on.
    day: of every record. columns: days, symbols, open, high, low, close, volume and lines (from 1), filled.
    """
    days, symbols, opening, high, low, close, volume, line = columns
    for i in range(len(records)):
        of = symbol[i]
        if part[of] < 0 or (len(counts) > 0 and not counts[i]):
            continue
        at = free[part[of]]
        free[part[of]] = at + 1
        record = records[i]
        days[at], symbols[at], line[at] = day[i], code[of], i + 1
        opening[at] = np.nan if record.open == INT64_MAX else record.open / UNIT
        high[at] = np.nan if record.high == INT64_MAX else record.high / UNIT
        low[at] = np.nan if record.low == INT64_MAX else record.low / UNIT
        close[at] = np.nan if record.close == INT64_MAX else record.close / UNIT
        volume[at] = np.int64(record.volume)
