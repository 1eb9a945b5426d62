"""Which reader reads a file: told by its content, never by its extension, unless a mapping is given."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from ctl.errors import InputError
from ctl.ingest import headers, source, table, vendors
from ctl.ingest.bars import contract_bars, daily_series
from ctl.ingest.instrument_data import load as load_instruments
from ctl.ingest.proposal import mapping_proposal
from ctl.ingest.rows import FileBars, NoRecords, OtherSchema, no_rows
from ctl.ingest.symbols import require_symbol, spelled
from ctl.ingest.vendor import Opened, SeriesFiles, Wanted, opened
from ctl.ingest.vendors import common, databento, mapped
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.contracts import parse_symbol
from ctl.model.csv_mapping import CsvMapping
from ctl.model.instruments import Instruments
from ctl.model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

_Read = TypeVar("_Read")
Given = Path | Any
"""A path, or a polars or pandas frame."""

_KINDS: Final = ("csv", "txt", "dbn", "parquet", "json")
_EXTENSIONS: Final = (*(f".{kind}{packing}" for kind in _KINDS for packing in ("", ".gz", ".zst")), ".zip")


def read_contracts(
    paths: Sequence[Given],
    root: str | None,
    *,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
    calendar: str | None = None,
    now: datetime | None = None,
) -> ContractBars:
    """Daily bars per contract from any known format; a folder stands for the data files in it, a frame for itself.

    Of a file that holds any of `root` its outrights are kept, of every other one all outrights (the caller compares
    `.roots`). Spreads, options, user-defined instruments and the rest are dropped and counted.
    Weekend-dated bars are folded into the next session of their root. Sessions that are not over where a file ends or
    at the instant `now`, and stubs, are left out, counted and named. `publisher` chooses among Databento's venues.
    calendar: the root's; None: the one that the reference data name. Raises InputError.
    """
    if root is not None:
        require_symbol(root, what="root")
    files: list[FileBars] = []
    unused: list[str] = []
    wanted = Wanted(False, root, publisher, mapping, _calendar(calendar, root, instruments))
    for file, named in _files(paths):
        try:
            files.append(_read(file, wanted))
        except NoRecords as error:
            files.append(_empty(file, error))
        except OtherSchema as error:
            if named:
                raise
            unused.append(f"{file.raw.name} not used: {error.found}")
    return _noted(contract_bars(files, root, instruments, calendar, now), unused)


def _empty(file: Opened, error: NoRecords) -> FileBars:
    """A file without a record: of a contract that did not trade."""
    return FileBars(
        replace(file.raw, content=b""), no_rows(), "", "exchange_session", "settlement", bars=False,
        counts={"empty_files": 1}, notes=(f"{file.raw.name}: {error.what}",),
    )  # fmt: skip


def _calendar(calendar: str | None, name: str | None, instruments: Instruments) -> str | None:
    known = instruments.get(name or "")
    return calendar or (known.calendar if known else None)


def read_settlements(
    paths: Sequence[Path], root: str | None, *, instruments: Instruments, publisher: int | None = None
) -> ContractBars:
    """The exchange's settlements from Databento `statistics` files, as bars of a close alone per contract and session.

    A folder stands for the data files in it. The latest publication of a session wins, over all files; those
    that it replaces are counted. Raises InputError.
    """
    from ctl.ingest.vendors.databento import settlements

    found, unused = _each(paths, root, publisher, settlements.read_dbn, settlements.read_csv, settlements.SCHEMA)
    return _noted(settlements.latest(found, root, instruments), unused)


def read_session_bars(
    paths: Sequence[Path],
    root: str | None,
    *,
    calendar: str,
    instruments: Instruments,
    publisher: int | None = None,
    now: datetime | None = None,
) -> ContractBars:
    """Daily bars per contract over the exchange's trade dates, from Databento `ohlcv-1h` or `ohlcv-1m` files.

    A folder stands for the data files in it. calendar: whose sessions they are. Raises InputError, and DataError
    where the calendar does not cover the files.
    """
    from ctl.ingest.vendors.databento import session_bars

    expected = " or ".join(session_bars.SCHEMAS)
    found, unused = _each(paths, root, publisher, session_bars.read_dbn, session_bars.read_csv, expected)
    return _noted(session_bars.aggregate(found, root, calendar, instruments, now), unused)


def _each(
    paths: Sequence[Path],
    root: str | None,
    publisher: int | None,
    of_dbn: Callable[[source.RawFile, int | None], _Read],
    of_csv: Callable[[table.Table, int | None], _Read],
    expected: str,
) -> tuple[list[_Read], list[str]]:
    """What is read of every Databento file meant; files of a folder that hold another schema are named instead."""
    if root is not None:
        require_symbol(root, what="root")
    found: list[_Read] = []
    unused: list[str] = []
    for file, named in _files(paths):
        try:
            if databento.is_dbn(file):
                found.append(of_dbn(file.raw, publisher))
            else:
                found.append(of_csv(databento.cells(file, expected), publisher))
        except NoRecords as error:
            unused.append(f"{file.raw.name}: {error.what}")
        except OtherSchema as error:
            if named:
                raise
            unused.append(f"{file.raw.name} not used: {error.found}")
    if not found:
        raise InputError(f"no {expected} files", where=str(paths[0]), found="; ".join(unused), expected=expected)
    return found, unused


def _noted(bars: ContractBars, notes: Sequence[str]) -> ContractBars:
    return replace(bars, meta=replace(bars.meta, notes=(*bars.meta.notes, *notes))) if notes else bars


def read_series(
    path: Given,
    *,
    symbol: str | None,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
    calendar: str | None = None,
    now: datetime | None = None,
) -> DailySeries:
    """One bar per session of one equity or continuous series; of a Databento file the bars of `symbol`.

    symbol None: the only one that the file holds. calendar, now: as for `read_contracts`. Raises InputError, also for
    sessions that repeat or do not ascend.
    """
    return _series(path, symbol, instruments, mapping, publisher, calendar, now)[0]


def _series(
    path: Given,
    symbol: str | None,
    instruments: Instruments,
    mapping: CsvMapping | None,
    publisher: int | None,
    calendar: str | None,
    now: datetime | None,
) -> tuple[DailySeries, FileBars, str]:
    """The series of a file, what the file holds, and the symbol: the one asked for, else the only one."""
    if symbol is not None:
        require_symbol(symbol)
    files = opened(path)
    if len(files) > 1:
        raise InputError(
            "several files in the archive", where=str(path), found=", ".join(each.raw.member for each in files[:5]),
            expected="one series",
        )  # fmt: skip
    wanted = Wanted(True, symbol, publisher, mapping, _calendar(calendar, symbol, instruments))
    bars = _read(files[0], wanted)
    name = symbol or _only_symbol(bars)
    return daily_series(bars, name, instruments, calendar, now), bars, name


def _only_symbol(bars: FileBars) -> str:
    """The symbol of a file whose rows name it, else the file's name (the rows of a series name what it holds)."""
    if bars.contract is not None or not bars.rows.symbols:
        return bars.root or bars.file.stem
    present = [bars.rows.symbols[code] for code in np.unique(bars.rows.symbol).tolist() if code >= 0]
    if len(present) > 1:
        raise InputError(
            "several symbols in one file",
            where=bars.file.name,
            found=", ".join(present[:8]) + (", ..." if len(present) > 8 else ""),
            expected="one series",
            remedy=f"choose one, as --symbol {present[0]}",
        )
    return present[0] if present else bars.file.stem


def read_reference(
    *,
    symbol: str | None,
    adjusted: Given | None,
    unadjusted: Given | None,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
    vendor: str | None = None,
    calendar: str | None = None,
    now: datetime | None = None,
) -> Reference:
    """A reference vendor's continuous series; symbol None: whatever the file holds.

    A file that states its rolls and their gaps is unadjusted, and gives the stated rolls and the
    difference-adjusted series too. `vendor` overrides the name that the format implies. Raises InputError.
    """
    name = symbol or ""
    found: dict[str, DailySeries | None] = {"adjusted": None, "unadjusted": None}
    rolled: FileBars | None = None
    for kind, path in (("unadjusted", unadjusted), ("adjusted", adjusted)):
        if path is None:
            continue
        series, read, name = _series(path, symbol, instruments, mapping, publisher, calendar, now)
        if read.rolls:
            # Such a file is unadjusted under whichever name it was given.
            rolled, kind = read, "unadjusted"  # noqa: PLW2901
        found[kind] = series
    if rolled is not None and found["adjusted"] is None:
        found["adjusted"] = daily_series(_back_adjusted(rolled), name, instruments, calendar, now)
    given = found["unadjusted"] or found["adjusted"]
    if given is None:
        raise InputError(
            f"no reference file for {symbol or 'a series'}", expected="an adjusted or an unadjusted series"
        )
    named = vendor or given.meta.vendor
    return Reference(
        vendor=named,
        adjusted=_of_vendor(found["adjusted"], named),
        unadjusted=_of_vendor(found["unadjusted"], named),
        stated_rolls=rolled.rolls if rolled else (),
    )


def _of_vendor(series: DailySeries | None, vendor: str) -> DailySeries | None:
    return None if series is None else replace(series, meta=replace(series.meta, vendor=vendor))


def _back_adjusted(bars: FileBars) -> FileBars:
    """The difference-adjusted series: every session before a roll carries the gaps of that and all later rolls."""
    rows = bars.rows
    days = np.array([np.datetime64(roll.roll_date) for roll in bars.rolls]).astype(np.int64)
    gaps = np.array([roll.gap or 0.0 for roll in bars.rolls])
    to_come: NDArray[np.float64] = np.append(np.cumsum(gaps[::-1])[::-1], 0.0)
    carried = to_come[np.searchsorted(days, rows.day, side="right")]
    return replace(
        bars,
        rows=replace(
            rows,
            open=rows.open + carried,
            high=rows.high + carried,
            low=rows.low + carried,
            close=rows.close + carried,
        ),
        adjustment=carried,
        notes=(*bars.notes, "adjusted by the differences that the file states for its rolls"),
    )


def _files(paths: Sequence[Given]) -> Iterator[tuple[Opened, bool]]:
    """The files meant, one after the other, and whether each was named itself, alone."""
    for path, named in expand(paths):
        files = opened(path)
        for file in files:
            yield file, named and len(files) == 1


def expand(paths: Sequence[Given]) -> list[tuple[Given, bool]]:
    """The files meant, and whether each was named itself: a folder stands for its data files, hidden ones aside."""
    expanded: list[tuple[Given, bool]] = []
    for path in paths:
        if not isinstance(path, Path):
            expanded.append((path, True))
            continue
        try:
            inside = sorted(path.iterdir()) if path.is_dir() else None
        except OSError as error:
            raise InputError("cannot be read", where=str(path), found=error.strerror or type(error).__name__) from error
        if inside is None:
            expanded.append((path, True))
            continue
        data = [each for each in inside if each.name.lower().endswith(_EXTENSIONS) and not each.name.startswith(".")]
        if not data:
            raise InputError("no data files in the folder", where=str(path), expected=", ".join(_EXTENSIONS))
        expanded += [(each, False) for each in data]
    if not expanded:
        raise InputError("no data files", expected="at least one")
    return expanded


def _read(file: Opened, wanted: Wanted) -> FileBars:
    """What a file holds, by the vendor that recognises it; a table through the caller's mapping where there is one."""
    a_table = bool(file.text) or file.frame is not None
    vendor = mapped if wanted.mapping is not None and a_table else vendors.of_file(file)
    if vendor is None:
        raise _unknown(file)
    bars = vendor.read(file, wanted)
    if not wanted.as_series and int(bars.rows.symbol.min(initial=0)) < 0:
        raise InputError(
            "the file is a series, it does not say the contract of each bar",
            where=bars.file.name,
            expected="bars per contract",
        )
    return bars


def _unknown(file: Opened) -> InputError:
    if file.frame is not None and file.raw.size and file.raw.content and not file.raw.starts_with(source.PARQUET_MAGIC):
        found = ", ".join(file.columns)[:120] or "no columns"
        return OtherSchema("no bars", where=file.raw.name, found=found, expected="columns that mean a date and a close")
    months = [name for name in file.columns if parse_symbol(spelled(name)) is not None]
    if len(months) > 1:
        return InputError(
            f"row 1: a column per contract: {months[0]} and {len(months) - 1} more", where=file.raw.name,
            expected="a row per session and contract with open, high, low, close: one price alone makes no bar",
            remedy="save the contracts one below the other, with a column contract",
        )  # fmt: skip
    proposal = "; ".join(line for line in mapping_proposal(file).splitlines() if line and not line.startswith("#"))
    return InputError(
        "row 1: no known header",
        where=file.raw.name,
        found=repr(", ".join(file.columns)[:200]) if file.columns else "no columns",
        expected="columns that mean a date and a close, or a known vendor's",
        remedy=f"name a mapping, such as {proposal}",
    )


def formats() -> tuple[str, ...]:
    """The names of the vendor formats that are known."""
    return tuple(vendor.FORMAT for vendor in vendors.VENDORS)


def find_files(form: str, folder: Path, symbol: str) -> SeriesFiles:
    """The files of a symbol's series in the folder of a vendor whose format is `form`.

    Raises InputError for an unknown format, an unusable folder, and where the choice is open.
    """
    return vendors.of_format(form).find_files(folder, symbol)


def proposed_mapping(path: Path) -> tuple[str, DailySeries | ContractBars | None]:
    """The mapping proposed for a file, as TOML, and what it reads by that; None where it leaves something open.

    Of a file without a header that is known, `?` stands for what a person must fill in. Raises InputError for a file
    that is no table.
    """
    file = opened(path)[0]
    if not file.text and file.frame is None:
        raise InputError("no table: it is read without a mapping", where=file.raw.name, expected="CSV, JSON or Parquet")
    text = mapping_proposal(file)
    if headers.find(file) is None:
        return text, None
    instruments = load_instruments()
    wanted = Wanted(False)
    bars = common.read(file, wanted)
    if len(bars.rows) and int(bars.rows.symbol.min()) >= 0:
        return text, contract_bars([bars], None, instruments)
    return text, daily_series(common.read(file, Wanted(True)), _only_symbol(bars), instruments)
