"""Which reader reads a file: told by its content, never by its extension, unless a mapping is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from ctl.errors import InputError
from ctl.ingest import databento_csv, mapped, plain, source, table, tradestation
from ctl.ingest.bars import contract_bars, daily_series
from ctl.ingest.rows import FileBars, OtherSchema
from ctl.ingest.symbols import require_symbol
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.instruments import CsvMapping, Instruments
from ctl.model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_Read = TypeVar("_Read")

_DBN_MAGIC: Final = b"DBN"
_EXTENSIONS: Final = (".csv", ".txt", ".dbn", ".parquet", ".csv.gz", ".txt.gz", ".csv.zst", ".txt.zst", ".dbn.zst")
_FORMATS: Final = (
    "Databento ohlcv-1d, TradeStation daily, ctl's plain contracts (session,contract,open,high,low,close,volume) "
    "or series (session,open,high,low,close,volume), "
) + ", ".join(name for name in mapped.PACKAGED if name != "lean")

_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_contracts(
    paths: Sequence[Path],
    root: str | None,
    *,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
) -> ContractBars:
    """See `ctl.ingest.read_contracts`."""
    if root is not None:
        require_symbol(root, what="root")
    files: list[FileBars] = []
    unused: list[str] = []
    for path, named in _expand(paths):
        try:
            files.append(_read(path, mapping=mapping, publisher=publisher, as_series=False, root=root).bars)
        except OtherSchema as error:
            if named:
                raise
            unused.append(f"{path.name} not used: {error.found}")
    return _noted(contract_bars(files, root, instruments), unused)


def read_settlements(
    paths: Sequence[Path], root: str | None, *, instruments: Instruments, publisher: int | None = None
) -> ContractBars:
    """See `ctl.ingest.read_settlements`."""
    from ctl.ingest import settlements

    found, unused = _each(paths, root, publisher, settlements.read_dbn, settlements.read_csv, settlements.SCHEMA)
    return _noted(settlements.latest(found, root, instruments), unused)


def read_session_bars(
    paths: Sequence[Path], root: str | None, *, calendar: str, instruments: Instruments, publisher: int | None = None
) -> ContractBars:
    """See `ctl.ingest.read_session_bars`."""
    from ctl.ingest import session_bars

    expected = " or ".join(session_bars.SCHEMAS)
    found, unused = _each(paths, root, publisher, session_bars.read_dbn, session_bars.read_csv, expected)
    return _noted(session_bars.aggregate(found, root, calendar, instruments), unused)


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
    for path, named in _expand(paths):
        raw = source.load(path)
        try:
            found.append(of_dbn(raw, publisher) if raw.starts_with(_DBN_MAGIC) else of_csv(_cells(raw), publisher))
        except OtherSchema as error:
            if named:
                raise
            unused.append(f"{path.name} not used: {error.found}")
    if not found:
        raise InputError(f"no {expected} files", where=str(paths[0]), found="; ".join(unused), expected=expected)
    return found, unused


def _cells(raw: source.RawFile) -> table.Table:
    """A Databento CSV as a table."""
    text = table.check_head(raw)
    columns = table.header_of(text)
    if databento_csv.is_symbology(columns):
        raise OtherSchema("no records", where=raw.name, found="symbology", expected="a Databento schema")
    if not databento_csv.recognises(columns):
        raise InputError("no Databento file", where=raw.name, found=", ".join(columns)[:120], expected="DBN or CSV")
    return table.parse(raw, text)


def _noted(bars: ContractBars, notes: Sequence[str]) -> ContractBars:
    return replace(bars, meta=replace(bars.meta, notes=(*bars.meta.notes, *notes))) if notes else bars


def read_series(
    path: Path,
    *,
    symbol: str | None,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
) -> DailySeries:
    """See `ctl.ingest.read_series`."""
    return _series(path, symbol, instruments, mapping, publisher)[0]


def _series(
    path: Path, symbol: str | None, instruments: Instruments, mapping: CsvMapping | None, publisher: int | None
) -> tuple[DailySeries, mapped.MappedFile, str]:
    """The series of a file, what the file holds, and the symbol: the one asked for, else the only one."""
    if symbol is not None:
        require_symbol(symbol)
    read = _read(path, mapping=mapping, publisher=publisher, as_series=True, root=symbol, symbol=symbol)
    name = symbol or _only_symbol(read.bars)
    return daily_series(read.bars, name, instruments, descending=bool(mapping and mapping.descending)), read, name


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
            remedy="choose one with symbol",
        )
    return present[0] if present else bars.file.stem


def read_reference(
    *,
    symbol: str | None,
    adjusted: Path | None,
    unadjusted: Path | None,
    instruments: Instruments,
    mapping: CsvMapping | None = None,
    publisher: int | None = None,
    vendor: str | None = None,
) -> Reference:
    """See `ctl.ingest.read_reference`."""
    name = symbol or ""
    found: dict[str, DailySeries | None] = {"adjusted": None, "unadjusted": None}
    rolled: mapped.MappedFile | None = None
    for kind, path in (("unadjusted", unadjusted), ("adjusted", adjusted)):
        if path is None:
            continue
        series, read, name = _series(path, symbol, instruments, mapping, publisher)
        if read.rolls:
            # Such a file is unadjusted under whichever name it was given.
            rolled, kind = read, "unadjusted"  # noqa: PLW2901
        found[kind] = series
    if rolled is not None and found["adjusted"] is None:
        series = daily_series(_back_adjusted(rolled), name, instruments)
        found["adjusted"] = series
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


def _back_adjusted(read: mapped.MappedFile) -> FileBars:
    """The difference-adjusted series: every session before a roll carries the gaps of that and all later rolls."""
    bars = read.bars
    rows = bars.rows
    days = np.array([np.datetime64(roll.roll_date) for roll in read.rolls]).astype(np.int64)
    gaps = np.array([roll.gap or 0.0 for roll in read.rolls])
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


def _expand(paths: Sequence[Path]) -> list[tuple[Path, bool]]:
    """The files meant, and whether each was named itself: a folder stands for its data files, hidden ones aside."""
    expanded: list[tuple[Path, bool]] = []
    for path in paths:
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


def _read(
    path: Path,
    *,
    mapping: CsvMapping | None,
    publisher: int | None,
    as_series: bool,
    root: str | None,
    symbol: str | None = None,
) -> mapped.MappedFile:
    raw = source.load(path)
    if raw.starts_with(_DBN_MAGIC):
        from ctl.ingest import dbn

        return mapped.MappedFile(dbn.read(raw, symbol=symbol, publisher=publisher, outrights=not as_series))
    if raw.starts_with(plain.PARQUET_MAGIC):
        return mapped.MappedFile(plain.read(plain.parquet_table(raw), as_series=as_series))
    text = table.check_head(raw)
    if mapping is None:
        columns = table.header_of(text)
        if symbol is None and as_series and "symbol" not in columns:
            symbol = raw.stem
        if databento_csv.is_symbology(columns):
            raise OtherSchema("no bars", where=raw.name, found="symbology", expected="ohlcv-1d")
        if databento_csv.recognises(columns):
            cells = table.parse(raw, text, required=databento_csv.REQUIRED)
            return mapped.MappedFile(databento_csv.read(cells, symbol=symbol, publisher=publisher))
        if tradestation.recognises(columns):
            return mapped.MappedFile(_only_series(tradestation.read(table.parse(raw, text)), as_series=as_series))
        if plain.recognises(columns):
            lower = tuple(name.lower() for name in columns)
            cells = table.parse(raw, text, required=plain.required_columns(as_series=as_series), names=lower)
            return mapped.MappedFile(plain.read(cells, as_series=as_series))
        mapping = mapped.recognised(columns, raw.stem)
        if mapping is None:
            other = next((name for mark, name in _SEPARATORS.items() if mark in columns[0]), None) if columns else None
            raise InputError(
                "row 1: no known header",
                where=raw.name,
                found=repr(", ".join(columns)[:120]) + (f", separated by {other}" if other else ""),
                expected=("cells separated by commas: " if other else "") + _FORMATS,
                remedy="name a mapping",
            )
    names = None if mapping.header else mapped.position_names(len(table.header_of(text, mapping.separator)))
    cells = table.parse(raw, text, separator=mapping.separator, columns=names)
    read = mapped.read(cells, mapping, as_series=as_series, root=root)
    if not as_series and bool((read.bars.rows.symbol < 0).any()):
        return replace(read, bars=_only_series(read.bars, as_series=False))
    return read


def _only_series(bars: FileBars, *, as_series: bool) -> FileBars:
    if as_series:
        return bars
    raise InputError(
        "the file is a series, it does not say the contract of each bar",
        where=bars.file.name,
        expected="bars per contract",
    )
