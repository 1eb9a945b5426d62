"""From the rows of files to canonical bars: unfinished ones and spreads dropped, days that are no sessions folded.

Rows travel as numpy columns (`Rows`) and become one polars frame at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
import polars as pl

from ctl import sessions
from ctl.errors import DataError, InputError
from ctl.ingest import finished
from ctl.ingest.rows import FileBars, Rows, as_date
from ctl.ingest.symbols import kind_of
from ctl.ingest.terms import complete
from ctl.model.bars import (
    PRICES,
    SERIES_COLUMNS,
    ContractBars,
    ContractTerms,
    DailySeries,
    Lacking,
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

_FAR_FROM_ZERO: Final = 20
"""Days' changes that separate a price from zero for a zero beside it to be a missing one."""

_SEVEN_DAY_FROM: Final = 20
"""A market of which fewer weekend days are known is not said to trade on them."""

_AFTER_DELIVERY: Final = {"SR3": 3}
"""Months by which trading goes on after the month that the symbol names: that of SOFR is where its quarter begins."""


def contract_bars(
    files: Sequence[FileBars],
    root: str | None,
    instruments: Instruments,
    calendar: str | None = None,
    now: datetime | None = None,
) -> ContractBars:
    """Bars per contract of all `files` together.

    Outrights are kept, of a file that holds any of `root` those of that root alone; everything else is dropped and
    counted. Unfinished sessions and stubs are left out, counted and named.
    calendar: the root's; None: that of the reference data. now: the instant of the command; None: nothing is bounded
    by it. Raises InputError where nothing remains, where a (session, contract) repeats, and where the files disagree
    on vendor or bases.
    """
    known = instruments.get(root or "")
    calendar = calendar or (known.calendar if known else None)
    files = [_of_root(finished.without_unfinished(file, calendar, now), root) for file in files]
    with_bars = [file for file in files if file.bars]
    if not with_bars:
        raise InputError(
            "no daily bars",
            where=", ".join(file.file.name for file in files[:5]) or None,
            expected="at least one data file with records",
        )
    _same_bases(with_bars)
    if not any(len(file.rows) or file.dropped for file in with_bars):
        _refuse_nothing_finished(with_bars)
    counts: dict[str, int] = {}
    for file in files:
        for reason, number in file.counts.items():
            counts[reason] = counts.get(reason, 0) + number
    merged = _merge([file.rows for file in with_bars])
    years: dict[str, tuple[int, ...]] = {}
    for file in files:
        for symbol, stated in file.years.items():
            years[symbol] = tuple(sorted({*years.get(symbol, ()), *stated}))
    notes = list(dict.fromkeys(note for file in files for note in file.notes))
    index = _by_symbol_and_day(merged, _outrights(merged, counts, with_bars))
    index, codes, contracts, part_of = _resolve(merged, index, years, _last_trades(files))
    day = merged.day[index]
    _refuse_repeats(codes, day, index, _Origin(with_bars), contracts)
    roots = [contract.root for contract in contracts]
    calendars = {name: calendar or _calendar_of(name, instruments) for name in set(roots)}
    rows, odd = _fold(merged, index, codes, day, counts, roots, notes, calendar, calendars)
    if not len(rows):
        _refuse_nothing_finished([replace(with_bars[0], notes=tuple(notes))])
    if odd:
        _note_impossible(rows, [contract.name for contract in contracts], counts, notes)
    lacking = finished.lacking(with_bars, merged, int(rows.day.max()), calendar, now)
    if thin := finished.thin_last_session(rows, tuple(with_bars)):
        notes.append(thin)
    told: dict[str, ContractTerms] = {}
    for file in files:
        for term in file.terms.values():
            for contract in _meant(term, part_of):
                told[contract.name] = replace(term, contract=contract.name)
    terms = complete(contracts, told, instruments)
    chosen = _root(root, rows, contracts, notes)
    frame = _frame(rows, [contract.name for contract in contracts])
    meta = _meta(files, with_bars[0], chosen, instruments, counts, notes, lacking)
    return ContractBars(frame=frame, meta=meta, contracts=contracts, terms=terms)


def daily_series(
    file: FileBars,
    symbol: str,
    instruments: Instruments,
    calendar: str | None = None,
    now: datetime | None = None,
) -> DailySeries:
    """One bar per session of a file that holds one series.

    Unfinished sessions and stubs are left out, bars of weekends folded, all of them counted; calendar and now as for
    `contract_bars`. Raises InputError for sessions that repeat or do not ascend (descend, where the format says so),
    for a missing close, and where nothing remains.
    """
    if not len(file.rows):
        raise InputError("no daily bars", where=file.file.name, expected="one bar per session")
    known = instruments.get(symbol)
    calendar = calendar or (known.calendar if known else None)
    file = finished.without_unfinished(file, calendar, now)
    if not len(file.rows):
        _refuse_nothing_finished([file])
    counts, notes = dict(file.counts), list(file.notes)
    rows, contract, adjustment, descending = file.rows, file.contract, file.adjustment, file.descending
    if descending:
        back = np.arange(len(rows) - 1, -1, -1)
        rows = replace(rows, line=rows.lines()).take(back)
        contract = None if contract is None else contract[back]
        adjustment = None if adjustment is None else adjustment[back]
    step = np.flatnonzero(np.diff(rows.day) <= 0)
    if len(step):
        at = int(step[0])
        line = rows.line_of(at if descending else at + 1)
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
            f"row {rows.line_of(at)}, column 'close': empty",
            where=file.file.name,
            expected="a close per session",
        )
    before, only = rows.day, np.zeros_like(rows.symbol)
    # An exchange's own session bars bear trade dates; UTC days do not.
    counted = (calendar or _calendar_of(symbol, instruments)) if file.session_basis == "utc_day" else None
    every = np.arange(len(rows), dtype=np.intp)
    rows, odd = _fold(rows, every, only, before, counts, [symbol], notes, calendar, {symbol: counted})
    if not len(rows):
        _refuse_nothing_finished([replace(file, notes=tuple(notes))])
    ends = np.searchsorted(before, rows.day, side="right") - 1  # the last bar that went into each session
    contract = None if contract is None else contract[ends]
    adjustment = None if adjustment is None else adjustment[ends]
    if odd:
        _note_impossible(rows, [symbol], counts, notes)
    lacking = finished.lacking([file], rows, int(rows.day[-1]), calendar, now)
    if thin := finished.thin_last_session(rows, (file,)):
        notes.append(thin)
    held, names = _held(rows, contract, file.file.name)
    frame = _frame(replace(rows, symbol=held), names).with_columns(
        pl.Series("adjustment", np.zeros(len(rows)) if adjustment is None else adjustment, dtype=pl.Float64)
    )
    meta = _meta([file], file, symbol, instruments, counts, notes, lacking)
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


def _note_impossible(rows: Rows, names: Sequence[str], counts: dict[str, int], notes: list[str]) -> None:
    """Count and name bars that cannot be: a high below a low or an open, a low above one, a zero among prices.

    They are kept as they are. A close outside high and low is counted with them and named apart, for a settlement may
    lie there. names: by symbol number.
    """
    bad = (rows.high < rows.low) | (rows.high < rows.open) | (rows.low > rows.open)
    outside = (rows.high < rows.close) | (rows.low > rows.close)
    if inconsistent := int(np.count_nonzero(bad | outside)):
        counts["inconsistent_bars"] = inconsistent
    zero = _missing_as_zero(rows)
    if zeros := int(np.count_nonzero(zero)):
        counts["zero_price_bars"] = zeros
        bad |= zero
    for code, found, what in (
        ("IMPOSSIBLE_BARS", bad, "kept as they are"),
        ("CLOSES_OUTSIDE_RANGE", outside & ~bad, "as settlements may be, low or high against close"),
    ):
        if found.any():
            at = int(found.argmax())
            shown = ", ".join(f"{getattr(rows, name)[at]:g}" for name in PRICES)
            notes.append(
                f"{code}: {int(np.count_nonzero(found))}, the first {names[max(int(rows.symbol[at]), 0)]} on "
                f"{as_date(int(rows.day[at]))}: open, high, low, close {shown}; {what}"
            )


def _missing_as_zero(rows: Rows) -> NDArray[np.bool_]:
    """Which bars hold a zero where the closes beside them lie far from zero, measured in the usual change of a day.

    rows: by symbol, then day.
    """
    zero = np.zeros(len(rows), dtype=np.bool_)
    for name in PRICES:
        zero |= getattr(rows, name) == 0.0
    if not zero.any():
        return zero
    sound = np.flatnonzero(~zero & ~np.isnan(rows.close))
    if len(sound) < 2:
        return np.zeros_like(zero)
    same = rows.symbol[sound[1:]] == rows.symbol[sound[:-1]]
    usual = float(np.median(np.abs(np.diff(rows.close[sound])[same]))) if same.any() else np.inf
    at = np.flatnonzero(zero)
    after = np.minimum(np.searchsorted(sound, at), len(sound) - 1)
    near = np.full(len(at), np.inf)
    for beside in (sound[np.maximum(after - 1, 0)], sound[after]):
        level = np.where(rows.symbol[beside] == rows.symbol[at], np.abs(rows.close[beside]), np.inf)
        near = np.minimum(near, level)
    zero[at] = np.isfinite(near) & (near > _FAR_FROM_ZERO * usual)
    return zero


def _refuse_nothing_finished(files: Sequence[FileBars]) -> NoReturn:
    told = [note for file in files for note in file.notes]
    raise InputError(
        "no finished session",
        where=", ".join(file.file.name for file in files[:3]),
        found="; ".join(told[:3]) or None,
        expected="a session that is over where the data end",
    )


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
    """All rows one after the other, the symbols of several parts numbered anew in sorted order."""
    if len(parts) == 1:
        return replace(parts[0], line=None)
    symbols = tuple(sorted({symbol for part in parts for symbol in part.symbols}))
    number = {symbol: at for at, symbol in enumerate(symbols)}
    renumbered = []
    for part in parts:
        table = np.array([number[symbol] for symbol in part.symbols], dtype=np.int32)
        renumbered.append(part.symbol if part.symbols == symbols else table[part.symbol])

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


def _of_root(file: FileBars, root: str | None) -> FileBars:
    """The file without the contracts of other roots, which are counted by root, where it holds any of `root`.

    A file with none of them is kept as it is: that is a mix-up, for the certificate to name.
    """
    roots = [_root_of(symbol) for symbol in file.rows.symbols]
    if root not in roots or len(set(roots) - {None}) == 1:
        return file
    bars = np.bincount(file.rows.symbol, minlength=len(roots)).tolist()
    if not any(number for each, number in zip(roots, bars, strict=True) if each == root):
        return file
    counts = dict(file.counts)
    for each, number in zip(roots, bars, strict=True):
        if number and each not in (None, root):
            counts[f"bars_of_{each}_dropped"] = counts.get(f"bars_of_{each}_dropped", 0) + number
    keep = np.array([each in (None, root) for each in roots], dtype=np.bool_)[file.rows.symbol]
    day = file.rows.day
    extent = file.extent or (len(day), int(day.min()), int(day.max()))
    return file if keep.all() else replace(finished.kept_rows(file, keep), counts=counts, extent=extent)


def _outrights(rows: Rows, counts: dict[str, int], files: Sequence[FileBars]) -> NDArray[np.intp]:
    """The positions of the bars of outrights; the others are counted, with those that the readers left out."""
    keep = np.array([_root_of(symbol) is not None for symbol in rows.symbols], dtype=np.bool_)
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


def _root_of(symbol: str) -> str | None:
    parsed = parse_symbol(symbol)
    return None if parsed is None else parsed.root


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
    notes: list[str],
    calendar: str | None,
    holidays: Mapping[str, str | None],
) -> tuple[Rows, bool]:
    """The rows at `index`, bars of days that are no sessions of their own merged into the next session of their root.

    Those days are weekends, and holidays whose trades the root's exchange counts to the next trade date.
    symbol, day: of every row at `index`, in this order, days unique per symbol. roots: the root of every symbol
    number. A session of a root is any other day with a bar of any of its symbols; a weekend day is one where `calendar`
    says so, or where the bars show a market that trades on it. holidays: by root the calendar that names those that
    count to the next trade date; None: none do. A bar without a session soon after it is a stub: it is left out,
    counted and named. Also returns whether any bar is to be looked at by `_note_impossible`.
    """
    from ctl.ingest import fold_kernels
    from ctl.kernels import fixed

    numbers = {name: number for number, name in enumerate(sorted(set(roots)))}
    first = int(day.min())
    span = int(day.max()) - first + 1 + FOLD_REACH  # the next root's first session is out of reach
    # A bar folds by its day alone, which a table of every root's days tells.
    offset = np.array([numbers[name] * span - first for name in roots], dtype=np.int64)
    bars = np.zeros(len(numbers) * span, dtype=np.int64)
    fold_kernels.count(fixed(symbol), fixed(day), fixed(offset), bars)
    traded = first + np.flatnonzero(bars.reshape(-1, span).any(axis=0))
    weekend_days = traded[(traded + 3) % 7 >= 5]
    if len(weekend_days):
        weekend_days = weekend_days[~_trades_on_weekends(traded, weekend_days, calendar, notes)]
    weekend = np.zeros(span, dtype=np.bool_)
    weekend[weekend_days - first] = True
    folds = _holidays(numbers, first, span, holidays) | np.tile(weekend, len(numbers))
    goes = np.tile(np.arange(first, first + span, dtype=np.int32), len(numbers))
    at, ordinary = np.flatnonzero(folds & (bars > 0)), np.flatnonzero(~folds & (bars > 0))
    following = np.append(ordinary, np.iinfo(np.int64).max)[np.searchsorted(ordinary, at)] - at
    stub = following > FOLD_REACH
    if stub.any():
        counts["stubs_dropped"] = int(bars[at[stub]].sum())
        shown = ", ".join(str(as_date(each)) for each in np.unique(goes[at[stub]])[-3:].tolist())
        notes.append(f"STUB: {shown} left out: the session that follows has no bar")
    for reason, of_kind in (("weekend_bars_folded", weekend[at % span]), ("holiday_bars_folded", ~weekend[at % span])):
        if number := int(bars[at[of_kind & ~stub]].sum()):
            counts[reason] = number
    goes[at] = np.where(stub, fold_kernels.NO_SESSION, goes[at] + np.minimum(following, FOLD_REACH))
    return _merged(rows, index, symbol, day, offset, goes)


def _merged(
    rows: Rows,
    index: NDArray[np.intp],
    symbol: NDArray[np.int32],
    day: NDArray[np.int32],
    offset: NDArray[np.int64],
    goes: NDArray[np.int32],
) -> tuple[Rows, bool]:
    """`fold_kernels.merge` on rows, with what it makes as rows."""
    from ctl.ingest import fold_kernels
    from ctl.kernels import fixed

    size, none = len(index), np.empty(0, dtype=np.bool_)
    interest = np.empty(0, dtype=np.int64) if rows.open_interest is None else rows.open_interest
    nulls = [none if null is None else null for null in (rows.volume_null, rows.open_interest_null)]
    into = (*np.empty((2, size), dtype=np.int32), *(np.empty(size if len(null) else 0, np.bool_) for null in nulls))
    *prices, volumes = np.empty((5, size), dtype=np.float64)  # one piece: of few, large pages
    volume, to_interest = volumes.view(np.int64), np.empty(size if len(interest) else 0, dtype=np.int64)
    columns: tuple[NDArray[Any], ...] = (rows.open, rows.high, rows.low, rows.close, rows.volume, interest)
    made, odd = fold_kernels.merge(
        fixed(index), fixed(symbol), fixed(day), fixed(offset), fixed(goes), tuple(map(fixed, columns)),
        tuple(map(fixed, nulls)), into, (*prices, volume, to_interest),
    )  # fmt: skip
    days, numbers, unknown, interest_unknown = (column[:made] for column in into)
    opening, high, low, close = (column[:made] for column in prices)
    merged = Rows(
        rows.symbols, days, numbers, opening, high, low, close, volume[:made],
        None if rows.volume_null is None else unknown,
        None if rows.open_interest is None else to_interest[:made],
        None if rows.open_interest_null is None else interest_unknown,
    )  # fmt: skip
    return merged, bool(odd)


def _calendar_of(root: str, instruments: Instruments) -> str | None:
    known = instruments.get(root)
    return None if known is None else known.calendar


def _holidays(
    numbers: Mapping[str, int], first: int, span: int, calendars: Mapping[str, str | None]
) -> NDArray[np.bool_]:
    """Per root number and day (number * span + day - first) whether its trades count to the next trade date."""
    flags = np.zeros(len(numbers) * span, dtype=np.bool_)
    for root, number in numbers.items():
        calendar = calendars.get(root)
        if calendar is not None and calendar != "none":
            counted = sessions.counted_to_next(calendar, as_date(first), as_date(first + span - 1))
            flags[counted.astype(np.int64) - first + number * span] = True
    return flags


def _trades_on_weekends(
    days: NDArray[np.int64], weekend: NDArray[np.int64], calendar: str | None, notes: list[str]
) -> NDArray[np.bool_]:
    """Which of the days of a weekend are sessions of their own. days: all that have a bar; both ascend."""
    if calendar is not None and calendar != "none":
        try:
            listed = sessions.sessions_between(calendar, as_date(int(weekend[0])), as_date(int(weekend[-1])))
        except DataError:  # beyond what the calendar covers: the bars tell
            listed = np.empty(0, dtype="datetime64[D]")
        else:
            return np.isin(weekend, listed.astype(np.int64))
    # How many days of each kind there are, Monday first: an exchange that opens on Saturdays does so on most of them.
    number = np.bincount((days + 3) % 7, minlength=7)
    usual = number[:5].max()
    saturdays = number[5] >= max(_SEVEN_DAY_FROM, usual / 2)
    sundays = number[6] >= max(_SEVEN_DAY_FROM, usual / 2) and (saturdays or number[4] == 0)
    if saturdays or sundays:
        kept = " and ".join(name for name, open_ in (("Saturdays", saturdays), ("Sundays", sundays)) if open_)
        notes.append(f"{kept} are sessions of their own here: most of them have a bar; a calendar would tell")
    weekday = (weekend + 3) % 7
    own: NDArray[np.bool_] = ((weekday == 5) & saturdays) | ((weekday == 6) & sundays)
    return own


def _resolve(
    rows: Rows, index: NDArray[np.intp], years: Mapping[str, tuple[int, ...]], ends: Mapping[str, tuple[int, ...]]
) -> tuple[NDArray[np.intp], NDArray[np.int32], tuple[Contract, ...], dict[str, list[Contract]]]:
    """Name every run of bars by its contract.

    index: positions in (symbol, day) order; years: delivery years that definitions state; ends: last trade dates of
    each symbol that are stated. A symbol that names another contract ten years on, at a hole or without one, is told
    apart (`_reused`). Returns the positions in
    (expiry, session) order, the contract number of each, the contracts in expiry order, and those of every symbol.
    """
    symbol, day = rows.symbol[index], rows.day[index]
    starts = np.flatnonzero(np.concatenate(([True], (symbol[1:] != symbol[:-1]) | (np.diff(day) > HOLE_DAYS))))
    stops = np.append(starts[1:], len(index))
    again = [
        cut
        for code, start, stop in zip(symbol[starts].tolist(), starts.tolist(), stops.tolist(), strict=True)
        for cut in _reused(rows, index[start:stop], start, rows.symbols[code], ends.get(rows.symbols[code], ()))
    ]
    if again:
        starts = np.union1d(starts, np.array(again, dtype=np.intp))
        stops = np.append(starts[1:], len(index))
    reused = set(again)
    named: list[Contract] = []
    part_of: dict[str, list[Contract]] = {}
    for at, code, last_day in zip(starts.tolist(), symbol[starts].tolist(), day[stops - 1].tolist(), strict=True):
        text = rows.symbols[code]
        contract = _contract(text, as_date(last_day), years.get(text, ()), None)
        if at in reused:
            contract = replace(contract, year=named[-1].year + 10)
        named.append(contract)
        part_of.setdefault(text, []).append(contract)
    contracts = tuple(sorted(set(named)))
    number = {contract: at for at, contract in enumerate(contracts)}
    part_number = np.array([number[contract] for contract in named], dtype=np.int32)
    order = np.lexsort((day[starts], part_number))
    sizes = (stops - starts)[order]
    if (order[1:] < order[:-1]).any():
        index = np.concatenate([index[a:b] for a, b in zip(starts[order].tolist(), stops[order].tolist(), strict=True)])
    numbers = np.repeat(part_number[order], sizes)
    if len(contracts) < len(named):  # one contract in several parts, or under two spellings
        in_order = np.lexsort((index, rows.day[index], numbers))
        index, numbers = index[in_order], numbers[in_order]
    return index, numbers, contracts, part_of


def _reused(rows: Rows, index: NDArray[np.intp], start: int, symbol: str, ends: Sequence[int]) -> Iterator[int]:
    """Where, in positions from `start`, the bars of one symbol go over to the contract of ten years later.

    index: the bars, by day. A symbol of one digit with bars before the end of a delivery month that it can name and
    more than a month after it is two contracts. Where the first one's last trade date is stated, the second begins
    after it; else where the two sides differ most around the delivery: in the days between them, in what traded and
    in price.
    """
    parsed = parse_symbol(symbol)
    if parsed is None or parsed.year_digits != 1:
        return
    day = rows.day[index]
    first, last = as_date(int(day[0])), as_date(int(day[-1]))
    lag = _AFTER_DELIVERY.get(parsed.root, 0)
    year = first.year + (parsed.year - first.year) % 10
    year -= 10 if year > first.year else 0
    for each in range(year, last.year + 1, 10):
        month = each * 12 + parsed.month - 1 + lag
        begins, over = (_first_of(month - 2 - lag), _first_of(month + 2))
        stated = [end for end in ends if begins - 62 <= end < over]
        if stated:
            cut = int(np.searchsorted(day, stated[0], side="right"))
        else:
            if day[0] >= _first_of(month + 1) or day[-1] < over:
                continue
            low, high = (int(at) for at in np.searchsorted(day, [begins, over]))
            cut = max(range(max(low, 1), high + 1), key=lambda at: _break(rows, index, day, at))
        if 0 < cut < len(day):
            yield start + cut


def _first_of(month: int) -> int:
    """The first day of a month (months since year 0), as days since 1970-01-01."""
    return (date(month // 12, month % 12 + 1, 1) - date(1970, 1, 1)).days


def _break(rows: Rows, index: NDArray[np.intp], day: NDArray[np.int32], at: int) -> float:
    """How much the bars before position `at` differ from those from it on."""
    before, after = index[max(at - 5, 0) : at], index[at : at + 5]
    apart = float(np.log(day[at] - day[at - 1]))
    traded = abs(float(np.mean(np.log1p(rows.volume[before])) - np.mean(np.log1p(rows.volume[after]))))
    one, two = rows.close[before[-1]], rows.close[after[0]]
    price = abs(float(np.log(two / one))) if one > 0 < two else 0.0
    return apart + traded + 20.0 * price


def _last_trades(files: Sequence[FileBars]) -> dict[str, tuple[int, ...]]:
    """Last trade dates that files state, as days since 1970-01-01, by symbol as the files write it."""
    stated: dict[str, set[int]] = {}
    for file in files:
        for term in file.terms.values():
            if term.last_trade is not None:
                stated.setdefault(term.contract, set()).add((term.last_trade - date(1970, 1, 1)).days)
    return {symbol: tuple(sorted(days)) for symbol, days in stated.items()}


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
    lag = _AFTER_DELIVERY.get(parsed.root, 0)
    earliest = last_bar.year * 12 + last_bar.month - 2 - lag
    for year in stated:
        if year * 12 + parsed.month - 1 >= earliest:
            return Contract(year, parsed.month, parsed.root)
    month = earliest + 1
    near = last_bar if not lag else date(month // 12, month % 12 + 1, 1)
    return Contract(resolve_year(parsed, near), parsed.month, parsed.root)


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
        if not np.isnan(values.min(initial=np.inf)):
            return pl.Series(values)
        return unknown(pl.Float64) if np.isnan(values).all() else pl.Series(values).fill_nan(None)

    known = rows.symbol.min(initial=0) >= 0
    index = pl.Series(rows.symbol if known else np.where(rows.symbol < 0, len(names), rows.symbol))
    name_of = pl.Series([*names, None], dtype=pl.String)
    prices = {name: prices_of(getattr(rows, name)) for name in PRICES}
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
    lacking: tuple[Lacking, ...],
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
        lacking=lacking,
    )
