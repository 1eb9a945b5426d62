"""From the rows of files to canonical bars: spreads dropped, weekends and holidays folded, decades resolved.

Rows travel as numpy columns (`Rows`) and become one polars frame at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl import sessions
from ctl.errors import InputError
from ctl.ingest.rows import FileBars, Rows, as_date
from ctl.ingest.symbols import kind_of
from ctl.ingest.terms import complete
from ctl.model.bars import (
    CONTRACT_COLUMNS,
    SERIES_COLUMNS,
    ContractBars,
    ContractTerms,
    DailySeries,
    SeriesMeta,
)
from ctl.model.contracts import Contract, parse_symbol, resolve_year

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.model.instruments import Instruments

HOLE_DAYS: Final = 366
"""A symbol silent for longer is another decade's contract when it trades again."""

FOLD_REACH: Final = 5
"""The bar of a weekend or a holiday folds into the root's next session within this many days, else into a weekday."""

_LARGEST_TABLE: Final = 1 << 26
"""Entries of the largest table of flags: 64 MiB. A hundred roots over a century need 4 million."""


def contract_bars(files: Sequence[FileBars], root: str | None, instruments: Instruments) -> ContractBars:
    """Bars per contract of all `files` together.

    Outrights of every root are kept, everything else is dropped and counted. Raises InputError where nothing
    remains, where a (session, contract) repeats, and where the files disagree on vendor or bases.
    """
    with_bars = [file for file in files if file.bars]
    if not with_bars:
        raise InputError(
            "no daily bars",
            where=", ".join(file.file.name for file in files) or None,
            expected="at least one data file",
        )
    _same_bases(with_bars)
    counts: dict[str, int] = {}
    for file in files:
        for reason, number in file.counts.items():
            counts[reason] = counts.get(reason, 0) + number
    merged = _merge([file.rows for file in with_bars])
    years: dict[str, tuple[int, ...]] = {}
    for file in files:
        for symbol, stated in file.years.items():
            years[symbol] = tuple(sorted({*years.get(symbol, ()), *stated}))
    index = _by_symbol_and_day(merged, _outrights(merged, counts, with_bars))
    index, codes, contracts, part_of = _resolve(merged, index, years)
    day = merged.day[index]
    _refuse_repeats(codes, day, index, _Origin(with_bars), contracts)
    roots = [contract.root for contract in contracts]
    rows = _fold(merged, index, codes, day, counts, roots, instruments)
    count_inconsistent(rows, counts)
    told: dict[str, ContractTerms] = {}
    for file in files:
        for term in file.terms.values():
            for contract in _meant(term, part_of):
                told[contract.name] = replace(term, contract=contract.name)
    terms = complete(contracts, told, instruments)
    notes = list(dict.fromkeys(note for file in files for note in file.notes))
    chosen = _root(root, rows, contracts, notes)
    frame = _frame(rows, [contract.name for contract in contracts]).select(CONTRACT_COLUMNS)
    meta = _meta(files, with_bars[0], chosen, instruments, counts, notes)
    return ContractBars(frame=frame, meta=meta, contracts=contracts, terms=terms)


def daily_series(file: FileBars, symbol: str, instruments: Instruments) -> DailySeries:
    """One bar per session of a file that holds one series.

    Raises InputError for sessions that repeat or do not ascend (descend, where the format says so), and for a
    missing close.
    """
    if not len(file.rows):
        raise InputError("no daily bars", where=file.file.name, expected="one bar per session")
    counts = dict(file.counts)
    rows, contract, adjustment, descending = file.rows, file.contract, file.adjustment, file.descending
    if descending:
        back = np.arange(len(rows) - 1, -1, -1)
        rows = rows.take(back)
        contract = None if contract is None else contract[back]
        adjustment = None if adjustment is None else adjustment[back]
    step = np.flatnonzero(np.diff(rows.day) <= 0)
    if len(step):
        at = int(step[0])
        line = file.rows.line_of(len(rows) - 1 - at if descending else at + 1)
        repeated = rows.day[at] == rows.day[at + 1]
        raise InputError(
            f"row {line}, column 'session': {'a session repeats' if repeated else 'sessions are not in order'}",
            where=file.file.name,
            found=f"{as_date(int(rows.day[at + 1]))} after {as_date(int(rows.day[at]))}",
            expected="one bar per session, " + ("newest first" if descending else "ascending"),
        )
    missing = np.flatnonzero(np.isnan(rows.close))
    if len(missing):
        at = int(missing[0])
        raise InputError(
            f"row {file.rows.line_of(len(rows) - 1 - at if descending else at)}, column 'close': empty",
            where=file.file.name,
            expected="a close per session",
        )
    if file.session_basis == "utc_day":
        only = np.zeros_like(rows.symbol)
        rows = _fold(rows, np.arange(len(rows), dtype=np.intp), only, rows.day, counts, [symbol], instruments)
        contract = adjustment = None
    count_inconsistent(rows, counts)
    held, names = _held(rows, contract, file.file.name)
    frame = _frame(replace(rows, symbol=held), names).with_columns(
        pl.Series("adjustment", np.zeros(len(rows)) if adjustment is None else adjustment, dtype=pl.Float64)
    )
    meta = _meta([file], file, symbol, instruments, counts, list(file.notes))
    return DailySeries(frame=frame.select(SERIES_COLUMNS), meta=meta)


def _held(rows: Rows, contract: NDArray[np.int32] | None, name: str) -> tuple[NDArray[np.int32], list[str]]:
    """The canonical contract that each bar of a series holds: indices (-1: unknown) and names."""
    held = np.full(len(rows), -1, dtype=np.int32)
    if contract is None:
        return held, []
    starts = np.flatnonzero(np.concatenate(([True], contract[1:] != contract[:-1])))
    ends = np.append(starts[1:], len(rows))
    number: dict[str, int] = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if contract[start] < 0:
            continue
        held_contract = _contract(rows.symbols[int(contract[start])], as_date(int(rows.day[end - 1])), (), name)
        held[start:end] = number.setdefault(held_contract.name, len(number))
    return held, list(number)


def count_inconsistent(rows: Rows, counts: dict[str, int]) -> None:
    """Count bars whose high or low does not hold the other prices; they are kept as they are."""
    bad = rows.high < rows.low
    for price in (rows.open, rows.close):
        bad |= (rows.high < price) | (rows.low > price)
    inconsistent = int(np.count_nonzero(bad))
    if inconsistent:
        counts["inconsistent_bars"] = inconsistent


class _Origin:
    """Finds the file and row that a merged row came from."""

    def __init__(self, files: Sequence[FileBars]) -> None:
        self._files = files
        self._ends = np.cumsum([len(file.rows) for file in files])

    def __call__(self, index: int) -> str:
        number = int(np.searchsorted(self._ends, index, side="right"))
        file = self._files[number]
        before = int(self._ends[number - 1]) if number else 0
        return f"{file.file.name} row {file.rows.line_of(index - before)}"


def _same_bases(files: Sequence[FileBars]) -> None:
    first = files[0]
    for other in files[1:]:
        for what in ("vendor", "session_basis", "close_basis", "adjustment_basis"):
            if getattr(other, what) != getattr(first, what):
                raise InputError(
                    f"files of different {what.replace('_', ' ')} cannot be read as one set",
                    where=other.file.name,
                    found=str(getattr(other, what)),
                    expected=f"{getattr(first, what)} as in {first.file.name}",
                )


def _merge(parts: Sequence[Rows]) -> Rows:
    """All rows one after the other, their symbols numbered anew in sorted order."""
    symbols = tuple(sorted({symbol for part in parts for symbol in part.symbols}))
    number = {symbol: at for at, symbol in enumerate(symbols)}
    renumbered = []
    for part in parts:
        table = np.array([number[symbol] for symbol in part.symbols], dtype=np.int32)
        renumbered.append(part.symbol if part.symbols == symbols else table[part.symbol])
    if len(parts) == 1:
        return replace(parts[0], symbols=symbols, symbol=renumbered[0], line=None)

    def whole(name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        values, nulls = [], []
        for part in parts:
            stated, null = getattr(part, name), getattr(part, f"{name}_null")
            missing = stated is None
            values.append(np.zeros(len(part), dtype=np.int64) if missing else stated)
            nulls.append(np.full(len(part), missing) if null is None else null)
        return np.concatenate(values), np.concatenate(nulls)

    volume, volume_null = whole("volume")
    open_interest, open_interest_null = whole("open_interest")
    return Rows(
        symbols,
        np.concatenate([part.day for part in parts]),
        np.concatenate(renumbered),
        np.concatenate([part.open for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.close for part in parts]),
        volume,
        volume_null,
        open_interest,
        open_interest_null,
    )


def _outrights(rows: Rows, counts: dict[str, int], files: Sequence[FileBars]) -> NDArray[np.intp]:
    """The positions of the bars of outrights; the others are counted, with those that the readers left out."""
    keep = np.array([parse_symbol(symbol) is not None for symbol in rows.symbols], dtype=np.bool_)
    index = np.arange(len(rows), dtype=np.intp)
    dropped: dict[str, int] = {}
    for file in files:
        for symbol, number in file.dropped.items():
            dropped[symbol] = dropped.get(symbol, 0) + number
    if not keep.all():
        per_symbol = np.bincount(rows.symbol, minlength=len(keep))
        here = [at for at in range(len(keep)) if not keep[at] and per_symbol[at]]
        for at in here:
            dropped[rows.symbols[at]] = dropped.get(rows.symbols[at], 0) + int(per_symbol[at])
        if here:
            index = np.flatnonzero(keep[rows.symbol])
    for symbol, number in dropped.items():
        reason = f"{kind_of(symbol)}_dropped"
        counts[reason] = counts.get(reason, 0) + number
    if dropped:
        counts["instruments_dropped"] = len(dropped)
    if not len(index):
        found = sorted(symbol for file in files for symbol in file.rows.symbols)
        raise InputError(
            "no bars of an outright contract",
            where=", ".join(file.file.name for file in files[:3]) + (" and others" if len(files) > 3 else ""),
            found=", ".join(found[:5]) or "no symbol",
            expected="symbols like ESH5 or ESH25",
        )
    return index


def _by_symbol_and_day(rows: Rows, index: NDArray[np.intp]) -> NDArray[np.intp]:
    """The positions `index`, which ascend, in stable order by symbol, then day."""
    every = len(index) == len(rows)
    symbol, day = (rows.symbol, rows.day) if every else (rows.symbol[index], rows.day[index])
    days_ascend = bool(np.all(day[1:] >= day[:-1]))
    if days_ascend and len(rows.symbols) < 1 << 16:
        order = np.argsort(symbol.astype(np.uint16), kind="stable")  # a radix sort
        return order if every else index[order]
    same = symbol[1:] == symbol[:-1]
    if bool(np.all((symbol[1:] > symbol[:-1]) | (same & (day[1:] >= day[:-1])))):
        return index
    return index[np.lexsort((day, symbol))]


def _refuse_repeats(
    symbol: NDArray[np.int32],
    day: NDArray[np.int32],
    index: NDArray[np.intp],
    origin: _Origin,
    contracts: Sequence[Contract],
) -> None:
    repeats = np.flatnonzero((symbol[1:] == symbol[:-1]) & (day[1:] == day[:-1]))
    if len(repeats):
        at = int(repeats[0])
        raise InputError(
            f"two bars of {contracts[int(symbol[at])].name} on {as_date(int(day[at]))}",
            where=origin(int(index[at + 1])),
            found=f"the first at {origin(int(index[at]))}",
            expected="one bar per contract and session",
        )


def _fold(
    rows: Rows,
    index: NDArray[np.intp],
    symbol: NDArray[np.int32],
    day: NDArray[np.int32],
    counts: dict[str, int],
    roots: Sequence[str],
    instruments: Instruments,
) -> Rows:
    """The rows at `index`, bars of days that are no sessions of their own merged into the next session of their root.

    Those days are weekends, and holidays whose trades the root's exchange counts to the next trade date.
    symbol, day: of every row at `index`, in this order, days unique per symbol. roots: the root of every symbol
    number. A session of a root is any other day with a bar of any of its symbols.
    """
    numbers = {name: number for number, name in enumerate(sorted(set(roots)))}
    first = int(day.min())
    span = int(day.max()) - first + 1 + FOLD_REACH  # the next root's first session is out of reach
    key: NDArray[np.int64] | NDArray[np.int32] = day - np.int32(first)
    if len(numbers) > 1:
        key = np.array([numbers[name] * span for name in roots], dtype=np.int64)[symbol] + key
    folds = _no_sessions(numbers, first, span, instruments).take(key)
    if not folds.any():
        return rows.take(index, day, symbol)
    at = np.flatnonzero(folds)
    weekends = int(np.count_nonzero((day[at] + 3) % 7 >= 5))
    for reason, number in (("weekend_bars_folded", weekends), ("holiday_bars_folded", len(at) - weekends)):
        if number:
            counts[reason] = number
    ordinary = _distinct(key[~folds], len(numbers) * span)
    following = np.append(ordinary, np.iinfo(np.int64).max)[np.searchsorted(ordinary, key[at])] - key[at]
    day = day.copy()
    day[at] += np.where(following <= FOLD_REACH, following, _to_weekday(day[at])).astype(np.int32)
    starts = np.flatnonzero(np.concatenate(([True], (symbol[1:] != symbol[:-1]) | (day[1:] != day[:-1]))))
    ends = np.append(starts[1:], len(index))
    folded = rows.take(index[starts], day[starts], symbol[starts])
    several = np.flatnonzero(ends - starts > 1)
    _merge_into(folded, several, rows, index, starts[several], ends[several] - 1)
    return folded


def _to_weekday(day: NDArray[np.int32]) -> NDArray[np.int32]:
    """Days from each day to the first weekday after it."""
    weekday = (day + 3) % 7
    return np.where(weekday >= 4, 7 - weekday, 1).astype(np.int32)


def _no_sessions(numbers: Mapping[str, int], first: int, span: int, instruments: Instruments) -> NDArray[np.bool_]:
    """Per root number and day (number * span + day - first) whether its bars belong to the next session."""
    weekend = (np.arange(first, first + span) + 3) % 7 >= 5
    flags = np.tile(weekend, len(numbers))
    for root, number in numbers.items():
        known = instruments.get(root)
        if known is not None:
            counted = sessions.counted_to_next(known.calendar, as_date(first), as_date(first + span - 1))
            flags[counted.astype(np.int64) - first + number * span] = True
    return flags


def _distinct(keys: NDArray[np.int64] | NDArray[np.int32], end: int) -> NDArray[np.int64]:
    """The distinct numbers among `keys`, all in [0, end), ascending; by a table of flags where it can be small."""
    if end > _LARGEST_TABLE:
        return np.unique(keys).astype(np.int64)
    seen = np.zeros(end, dtype=np.bool_)
    seen[keys] = True
    return np.flatnonzero(seen)


def _merge_into(
    folded: Rows,
    at: NDArray[np.intp],
    rows: Rows,
    index: NDArray[np.intp],
    starts: NDArray[np.intp],
    last: NDArray[np.intp],
) -> None:
    """Set the bars `at` of `folded` to what groups of `rows` make: those at `index`, from `starts` to `last` inclusive.

    The open leads, close and open interest are the last, high, low and volume merge; an unknown volume plus a known
    one is unknown.
    """
    lead, end = index[starts], index[last]
    opening, high, low, close = rows.open[lead], rows.high[lead], rows.low[lead], rows.close[end]
    volume, unknown = rows.volume[lead], None if rows.volume_null is None else rows.volume_null[lead]
    for step in range(1, int((last - starts).max(initial=0)) + 1):  # a holiday after a weekend at most
        more, before = index[np.minimum(starts + step, last)], index[np.maximum(last - step, starts)]
        opening = np.where(np.isnan(opening), rows.open[more], opening)
        close = np.where(np.isnan(close), rows.close[before], close)
        high, low = np.fmax(high, rows.high[more]), np.fmin(low, rows.low[more])
        volume = volume + np.where(starts + step <= last, rows.volume[more], 0)
        if rows.volume_null is not None and unknown is not None:
            unknown = unknown | rows.volume_null[more]
    folded.open[at], folded.high[at], folded.low[at], folded.close[at] = opening, high, low, close
    folded.volume[at] = volume if unknown is None else np.where(unknown, 0, volume)
    if folded.volume_null is not None and unknown is not None:
        folded.volume_null[at] = unknown
    if folded.open_interest is not None and rows.open_interest is not None:
        folded.open_interest[at] = rows.open_interest[end]
    if folded.open_interest_null is not None and rows.open_interest_null is not None:
        folded.open_interest_null[at] = rows.open_interest_null[end]


def _resolve(
    rows: Rows, index: NDArray[np.intp], years: Mapping[str, tuple[int, ...]]
) -> tuple[NDArray[np.intp], NDArray[np.int32], tuple[Contract, ...], dict[str, list[Contract]]]:
    """Name every run of bars by its contract.

    index: positions in (symbol, day) order; years: delivery years that definitions state. Returns the positions in
    (expiry, session) order, the contract number of each, the contracts in expiry order, and those of every symbol.
    """
    symbol, day = rows.symbol[index], rows.day[index]
    starts = np.flatnonzero(np.concatenate(([True], (symbol[1:] != symbol[:-1]) | (np.diff(day) > HOLE_DAYS))))
    ends = np.append(starts[1:], len(index))
    named: list[Contract] = []
    part_of: dict[str, list[Contract]] = {}
    for code, last_day in zip(symbol[starts].tolist(), day[ends - 1].tolist(), strict=True):
        text = rows.symbols[code]
        contract = _contract(text, as_date(last_day), years.get(text, ()), None)
        named.append(contract)
        part_of.setdefault(text, []).append(contract)
    contracts = tuple(sorted(set(named)))
    number = {contract: at for at, contract in enumerate(contracts)}
    part_number = np.array([number[contract] for contract in named], dtype=np.int32)
    order = np.lexsort((day[starts], part_number))
    sizes = (ends - starts)[order]
    index = np.concatenate([index[a:b] for a, b in zip(starts[order].tolist(), ends[order].tolist(), strict=True)])
    numbers = np.repeat(part_number[order], sizes)
    if len(contracts) < len(named):  # one contract in several parts, or under two spellings
        again = np.lexsort((index, rows.day[index], numbers))
        index, numbers = index[again], numbers[again]
    return index, numbers, contracts, part_of


def _contract(symbol: str, last_bar: date, stated: Sequence[int], where: str | None) -> Contract:
    """The contract of a symbol whose last bar is known; a year that a definition states comes first."""
    parsed = parse_symbol(symbol)
    if parsed is None:
        raise InputError(
            "column 'contract': not an outright contract",
            where=where,
            found=repr(symbol),
            expected="a contract like ESH25",
        )
    earliest = last_bar.year * 12 + last_bar.month - 2
    for year in stated:
        if year * 12 + parsed.month - 1 >= earliest:
            return Contract(year, parsed.month, parsed.root)
    return Contract(resolve_year(parsed, last_bar), parsed.month, parsed.root)


def _meant(term: ContractTerms, part_of: Mapping[str, list[Contract]]) -> list[Contract]:
    """The contracts that terms of a symbol speak of: by the year of the last trade date where it is known."""
    candidates = part_of.get(term.contract, [])
    if term.last_trade is None or not candidates:
        return candidates
    month = term.last_trade.year * 12 + term.last_trade.month - 1
    nearest = min(candidates, key=lambda contract: (abs(contract.expiry_key - month), contract))
    return [nearest] if abs(nearest.expiry_key - month) <= 12 else []


def _root(root: str | None, rows: Rows, contracts: Sequence[Contract], notes: list[str]) -> str:
    if root is not None:
        return root
    bars: dict[str, int] = {}
    for contract, number in zip(contracts, np.bincount(rows.symbol, minlength=len(contracts)).tolist(), strict=True):
        bars[contract.root] = bars.get(contract.root, 0) + number
    if len(bars) > 1:
        notes.append(f"several roots found: {', '.join(sorted(bars))}")
    return min(bars, key=lambda name: (-bars[name], name))


def _frame(rows: Rows, names: Sequence[str]) -> pl.DataFrame:
    def unknown(dtype: type[pl.DataType]) -> pl.Series:
        return pl.Series([], dtype=dtype).extend_constant(None, len(rows))

    def nullable(values: NDArray[np.int64] | None, null: NDArray[np.bool_] | None) -> pl.Series:
        if values is None or (null is not None and null.all()):
            return unknown(pl.Int64)
        series = pl.Series(values)
        return series if null is None or not null.any() else series.set(pl.Series(null), None)

    def prices_of(values: NDArray[np.float64]) -> pl.Series:
        missing = np.isnan(values)
        if missing.all():
            return unknown(pl.Float64)
        return pl.Series(values).fill_nan(None) if missing.any() else pl.Series(values)

    index = pl.Series(np.where(rows.symbol < 0, len(names), rows.symbol).astype(np.uint32))
    name_of = pl.Series([*names, None], dtype=pl.String)
    prices = {name: prices_of(getattr(rows, name)) for name in ("open", "high", "low", "close")}
    return pl.DataFrame(
        {
            "session": pl.Series(rows.day).cast(pl.Date),
            "contract": name_of.gather(index),
            **prices,
            "volume": nullable(rows.volume, rows.volume_null),
            "open_interest": nullable(rows.open_interest, rows.open_interest_null),
        }
    )


def _meta(
    files: Sequence[FileBars],
    first: FileBars,
    root: str,
    instruments: Instruments,
    counts: Mapping[str, int],
    notes: Sequence[str],
) -> SeriesMeta:
    known = instruments.get(root)
    return SeriesMeta(
        root=root,
        vendor=first.vendor,
        session_basis=first.session_basis,
        close_basis=first.close_basis,
        quote_unit=first.quote_units.get(root) or (known.quote_unit if known else ""),
        adjustment_basis=first.adjustment_basis,
        sources=tuple(file.source() for file in files),
        counts=dict(sorted(counts.items())),
        notes=tuple(notes),
    )
