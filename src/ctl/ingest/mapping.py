"""A CSV through a mapping (`CsvMapping`), and the mappings that the package ships.

The roll column of the `quantiacs` mapping
------------------------------------------
RINFO stands on the first session of the NEW contract, and is new less old price. Evidence, by matching the file's
closes with Bloomberg's settlements of single contracts (copper, corn, heating oil, soybean, 1995-2010): of 405 rolls
where both sessions can be named, the row holds the contract that P announced on 400 and the row before holds it on 4
(rows where P or the date is the vendor's error); the closes change contract between those two rows on 394. The value is
near, but seldom equal to, the difference of the two settlements of the session before: it is a traded spread,
and its mean distance is smallest for that session among the two before, the same and the one after. So
`roll_date` is the row's session, the gap session is the one before, and the adjusted series adds the value to
every session before the row.
P on the last row before it is the delivery month (YYYYMM) of the contract that follows, 0 elsewhere; a P without a
RINFO is a roll of zero gap.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl import strict_files
from ctl.errors import InputError
from ctl.ingest import cells, guard, headers
from ctl.ingest import table as tables
from ctl.ingest.rows import FileBars, NoRecords, as_date
from ctl.ingest.symbols import EXPECTED, MONTHS, coded, is_symbol, kind_of, spelled
from ctl.ingest.terms import stated_in_columns
from ctl.model.bars import PRICES
from ctl.model.contracts import MONTH_CODES, parse_symbol
from ctl.model.csv_mapping import CsvMapping, MappingKeys
from ctl.model.rolls import ReferenceRoll

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.table import Table
    from ctl.ingest.vendor import Opened, Wanted

PACKAGED: Final = (
    "bloomberg_settles", "quantiacs", "norgate", "norgate_equity", "lean", "lean_equity", "pysystemtrade",
    "pysystemtrade_contract", "yahoo", "stooq", "investing", "barchart", "tradingview", "wiki", "tiingo",
)  # fmt: skip


@cache
def packaged(name: str) -> CsvMapping:
    """A mapping that the package ships, by name. Raises InputError for an unknown name."""
    if name not in PACKAGED:
        raise InputError(f"no packaged mapping named {name!r}", expected=", ".join(PACKAGED))
    text = resources.files("ctl.ingest").joinpath("mappings", f"{name}.toml").read_text("utf-8")
    return MappingKeys.model_validate(tomllib.loads(text)).named(name)


def recognised(file: Opened, names: Sequence[str]) -> CsvMapping | None:
    """The packaged mapping whose format a header shows; of a file without one, its name and first cells."""
    for name in names:
        mapping = packaged(name)
        if mapping.recognised_by and set(mapping.recognised_by) <= set(file.columns):
            return mapping
        if not mapping.header and _from_name(mapping.name_pattern, file.raw.stem) and _reads(mapping, file.columns):
            return mapping
    return None


def read_recognised(file: Opened, wanted: Wanted, names: Sequence[str]) -> FileBars:
    """Bars through the mapping that the caller names, else the packaged one that is recognised."""
    mapping = wanted.mapping or recognised(file, names)
    if mapping is None:
        raise InputError("no mapping fits", where=file.raw.name, found=", ".join(file.columns)[:120])
    return read_through(file, mapping, wanted)


def read_through(file: Opened, mapping: CsvMapping, wanted: Wanted) -> FileBars:
    """Bars of a file through a mapping; where that says so, what it leaves open is told from the cells."""
    table, mapping = taken_apart(file, mapping, wanted.symbol)
    return read(table, mapping, as_series=wanted.as_series, root=wanted.symbol, calendar=wanted.calendar)


def taken_apart(file: Opened, mapping: CsvMapping, root: str | None = None) -> tuple[Table, CsvMapping]:
    """The table of a file, and the mapping without anything left open."""
    if mapping.detect and file.frame is None:
        header = headers.find(file)
        if header is not None:
            mapping = mapping.model_copy(update={"separator": header.separator, "header_lines": header.lines})
        footer, short = headers.ends(
            file.text, mapping.separator, mapping.header_lines, len(header.names if header else mapping.columns)
        )
        mapping = mapping.model_copy(update={"footer_lines": footer, "short_rows": short})
    if file.frame is not None:
        table = file.table(names=header_names(file, mapping))
    else:
        table = tables.parse(
            file.raw, file.text, separator=mapping.separator,
            columns=None if mapping.header else position_names(len(tables.header_of(file.text, mapping.separator))),
            names=header_names(file, mapping) if mapping.header else None,
            header_lines=mapping.header_lines, footer_lines=mapping.footer_lines, short_rows=mapping.short_rows,
        )  # fmt: skip
    if mapping.detect:
        columns = {key: column for key, column in mapping.columns.items() if str(column) in table.columns}
        group = columns.get("contract") or columns.get("symbol")
        groups = (
            None if group is None else table.text(str(group)).rank("dense").fill_null(0).to_numpy().astype(np.int32)
        )
        found = mapping.model_copy(update={"columns": columns})
        mapping = cells.with_dates(table, cells.with_numbers(table, found), groups)
        mapping = mapping.model_copy(update={"detect": False})
    return table, mapping


def header_names(file: Opened, mapping: CsvMapping) -> tuple[str, ...] | None:
    """The names that a header of several lines or without a name for its index means; None: those of its last line."""
    header = headers.find(file, strict=mapping.detect) if mapping.header else None
    return header.names if header and (mapping.detect or header.lines == mapping.header_lines) else None


def _reads(mapping: CsvMapping, cells: tuple[str, ...]) -> bool:
    """Whether a first line without a header holds the columns of a mapping, its session where it should be."""
    positions = [int(position) for position in mapping.columns.values()]
    if max(positions) != len(cells):
        return False
    try:
        datetime.strptime(cells[int(mapping.columns["session"]) - 1], mapping.date_format)  # noqa: DTZ007 - a session
    except ValueError:
        return False
    return True


def named_or_at(text: str) -> CsvMapping:
    """See `ctl.ingest.mapping_named_or_at`."""
    if text in PACKAGED:
        return packaged(text)
    path = Path(text)
    if path.suffix.lower() != ".toml":
        raise InputError(f"no packaged mapping named {text!r}", expected=", ".join(PACKAGED) + ", or a TOML file")
    keys, _ = strict_files.read_model(guard.edited(path), text, MappingKeys, InputError)
    return keys.named(path.stem)


def position_names(width: int) -> tuple[str, ...]:
    """Names for the columns of a file without a header: their 1-based positions."""
    return tuple(str(position) for position in range(1, width + 1))


def read(
    table: Table, mapping: CsvMapping, *, as_series: bool, root: str | None = None, calendar: str | None = None
) -> FileBars:
    """Bars of a file through its mapping; `root` where neither the file nor its name tells it.

    calendar: whose trade dates instants belong to. Raises InputError as `Table` does, for columns that the mapping
    names and the file lacks, and where prices are multiplied by a point value that the mapping does not list.
    """
    columns: dict[str, str] = {key: str(column) for key, column in mapping.columns.items()}
    for key, column in tuple(columns.items()):
        if column in table.columns:
            continue
        if key in mapping.optional:
            del columns[key]
        else:
            raise InputError(
                f"row 1: column {column!r} ({key}) is missing",
                where=table.file.name,
                found=", ".join(table.columns)[:200],
                expected=f"the columns of mapping {mapping.name!r}",
            )
    counts: dict[str, int] = {}
    if mapping.footer_lines:
        counts["lines_of_text_ignored"] = mapping.footer_lines
    table = cells.cleaned(table, mapping)
    line = table.lines()
    kept = _chosen(table, mapping, columns, counts, root, as_series=as_series)
    if kept is not None:
        table, line = replace(table, cells=table.frame.filter(kept)), line[kept.to_numpy()]
    notes = _notes(table, mapping, columns)
    told = _from_name(mapping.name_pattern, table.file.stem)
    root = told.get("root", "").upper() or root
    symbols, codes = _contracts(table, mapping, columns, told, root)
    divisor = _divisor(table, mapping, root)

    prices = {
        name: table.floats(columns[name], nullable=name != "close" or not as_series) / divisor
        for name in PRICES
        if name in columns
    }
    day = cells.session_days(table, columns["session"], mapping.date_format, calendar, notes)
    volume, interest = (
        table.integers(columns[name]) if name in columns else None for name in ("volume", "open_interest")
    )
    rows = table.rows(day, prices, volume, interest, symbols, codes)
    if kept is not None:
        rows = replace(rows, line=line)
    adjustment = None
    if "adjustment" in columns:
        adjustment = table.floats(columns["adjustment"]) / divisor
    return FileBars(
        table.file,
        rows,
        mapping.vendor,
        mapping.session_basis,
        mapping.close_basis,
        mapping.adjustment_basis,
        counts=counts,
        notes=tuple(notes),
        terms=stated_in_columns(table, columns, mapping.date_format, symbols, codes),
        quote_units=mapping.quote_units,
        contract=codes if as_series and symbols else None,
        adjustment=adjustment,
        root=root,
        descending=mapping.descending,
        rolls=_rolls(table, columns, day, divisor, root),
    )


def _chosen(
    table: Table,
    mapping: CsvMapping,
    columns: Mapping[str, str],
    counts: dict[str, int],
    symbol: str | None,
    *,
    as_series: bool,
) -> pl.Series | None:
    """The rows that are bars of the symbol: those of others and those without a price are counted; None: all."""
    kept = pl.Series([True]).extend_constant(True, len(table) - 1)
    by_symbol = as_series or ("delivery_month" in columns and not _are_contracts(table, columns.get("symbol", "")))
    if by_symbol and "symbol" in columns and "contract" not in columns:
        present = table.text(columns["symbol"]).str.strip_chars()
        names = present.unique().drop_nulls().to_list()
        if symbol is not None and symbol in names:
            kept = (present == symbol).fill_null(value=False)
            if not kept.all():
                counts["other_symbols_dropped"] = len(kept) - int(kept.sum())
        elif len(names) > 1:
            raise InputError(
                "several symbols in one file", where=table.file.name, found=", ".join(sorted(names)[:8]),
                expected=symbol or "one series", remedy="choose one with --symbol",
            )  # fmt: skip
    if mapping.daily_time:
        daily = table.text(columns["session"]).str.contains(mapping.daily_time, literal=True).fill_null(value=False)
        if not daily.all() and daily.any():
            counts["rows_of_the_day_dropped"] = len(daily) - int(daily.sum())
            kept &= daily
    if mapping.nulls:
        prices = [columns[name] for name in PRICES if name in columns]
        empty = table.frame.select(pl.all_horizontal(pl.col(prices).is_null())).to_series() & kept
        if empty.any():
            counts["rows_without_prices_dropped"] = int(empty.sum())
            kept &= ~empty
    if kept.all():
        return None
    if not kept.any():
        raise NoRecords("no row has a price", where=table.file.name, expected="at least one bar")
    return kept


def _notes(table: Table, mapping: CsvMapping, columns: Mapping[str, str]) -> list[str]:
    """What was assumed, and what was not used."""
    notes = []
    if mapping.assumed:
        notes.append(f"assumed {', '.join(mapping.assumed)}: neither the file nor mapping {mapping.name!r} says so")
    unused = [name for name in table.columns if name not in columns.values()]
    if unused and mapping.name in ("csv", "tradestation"):
        notes.append(f"columns not used: {', '.join(unused)[:200]}")
    return notes


def _from_name(pattern: str, stem: str) -> dict[str, str]:
    if not pattern:
        return {}
    parts = {"{root}": "(?P<root>[A-Za-z0-9]{1,6})", "{contract}": "(?P<contract>[A-Za-z0-9]{3,10})",
             "{yyyymm}": r"(?P<yyyymm>\d{6})", "*": ".*"}  # fmt: skip
    expression = "".join(parts.get(piece) or re.escape(piece) for piece in re.split(r"(\{\w+\}|\*)", pattern))
    match = re.fullmatch(expression, stem)
    return match.groupdict() if match else {}


def _contracts(
    table: Table, mapping: CsvMapping, columns: Mapping[str, str], told: Mapping[str, str], root: str | None
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The contract of every row: from its column, a delivery month, or the file's name; -1 where none tells."""
    none = np.full(len(table), -1, dtype=np.int32)
    named = columns.get("contract") or columns.get("symbol")
    by_month = named is not None and table.text(named).str.contains(r"^(19|20)\d{4}(00)?$").all()
    if named is not None and not by_month and ("contract" in columns or _are_contracts(table, named)):
        return coded(table, named, mapping.contract_suffix, contracts=True)
    column = columns.get("delivery_month") or (named if by_month else None)
    if column is not None:
        if root is None:
            return (), none
        cells_of = table.text(column).str.strip_chars().fill_null("0")
        distinct, codes = np.unique(cells_of.to_numpy(), return_inverse=True)
        names = [None if re.fullmatch(r"0+(\.0+)?", text) else _delivery_of(root, text) or "" for text in distinct]
        if "" in names:
            row = int(np.argmax(codes == names.index("")))
            table.fail(row, column, "not a delivery month", expected="YYYYMM, YYYY-MM or Mar-24")
        number = np.cumsum([name is not None for name in names], dtype=np.int32) - 1
        number[[at for at, name in enumerate(names) if name is None]] = -1
        return tuple(name for name in names if name), number[codes].astype(np.int32)
    name = told.get("contract", "").upper() or None
    if name is None and not told:
        name = _named_in(table.file.stem.upper(), root)
    if name is None and root is not None and "yyyymm" in told:
        name = _delivery(root, int(told["yyyymm"]))
    if name is None:
        return (), none
    if not is_symbol(name):
        raise InputError("the file's name is no contract", where=table.file.name, expected=EXPECTED)
    return (name,), np.zeros(len(table), dtype=np.int32)


def _named_in(stem: str, root: str | None) -> str | None:
    """The one contract that a file's name says: `ESH20`, or beside the root its month: `ES_202003`, `ES-2020H`."""
    parts = re.split(r"[^A-Z0-9]+", stem)
    found = [part for part in parts if parse_symbol(part)]
    if root is not None and root in parts:
        months = [match for part in parts if (match := re.fullmatch(r"((?:19|20)\d\d)(?:(\d\d)(?:00)?|([A-Z]))", part))]
        found += [
            name for match in months
            if (name := _delivery(root, int(match[1] + match[2])) if match[2] else f"{root}{match[3]}{match[1]}")
            and parse_symbol(name)
        ]  # fmt: skip
    return found[0] if len(found) == 1 else None


def _are_contracts(table: Table, column: str) -> bool:
    """Whether a column holds symbols of outrights, and otherwise of spreads, options and the like alone."""
    symbols = [spelled(text) for text in (table.text(column).drop_nulls().unique().to_list() if column else ())]
    others = [symbol for symbol in symbols if parse_symbol(symbol) is None]
    return len(others) < len(symbols) and all(kind_of(symbol) != "other_instruments" for symbol in others)


def _delivery_of(root: str, text: str) -> str | None:
    """The contract of a root and a delivery month as text; None where that is no month."""
    if number := re.fullmatch(r"(\d{4})[-/]?(\d{2})(?:00)?(?:\.0+)?", text):  # also as 20240300
        return _delivery(root, int(number[1] + number[2]))
    named = re.fullmatch(r"([A-Za-z]{3})[- ']?(\d{2}|\d{4})", text)
    if named and named[1].upper() in MONTHS:
        return f"{root}{MONTH_CODES[MONTHS.index(named[1].upper())]}{named[2]}"
    coded_month = re.fullmatch(rf"([{MONTH_CODES}])(\d{{2}}|\d{{4}})", text)
    return f"{root}{coded_month[1]}{coded_month[2]}" if coded_month else None


def _delivery(root: str, yyyymm: int) -> str | None:
    year, month = divmod(yyyymm, 100)
    return f"{root}{MONTH_CODES[month - 1]}{year}" if 1 <= month <= 12 and 1800 <= year < 2200 else None


def _divisor(table: Table, mapping: CsvMapping, root: str | None) -> float:
    if not mapping.point_values:
        return mapping.price_divisor
    value = mapping.point_values.get(root or "")
    if value is None:
        raise InputError(
            f"prices are multiplied by a point value that mapping {mapping.name!r} does not list",
            where=table.file.name,
            found=f"root {root!r}",
            expected="one of " + ", ".join(sorted(mapping.point_values)),
            remedy="name the root, or the file after it" if root is None else None,
        )
    return value * mapping.price_divisor


def _rolls(
    table: Table, columns: Mapping[str, str], day: NDArray[np.int32], divisor: float, root: str | None
) -> tuple[ReferenceRoll, ...]:
    if "roll_gap" not in columns:
        return ()
    gaps = table.floats(columns["roll_gap"]) / divisor
    following = np.zeros(len(table), dtype=np.int64)
    if "roll_to" in columns:
        stated = table.integers(columns["roll_to"]).values
        following[1:] = stated[:-1]
    rolls: list[ReferenceRoll] = []
    held: str | None = None
    for at in np.flatnonzero((gaps != 0) | (following != 0)).tolist():
        if at == 0:
            table.fail(0, columns["roll_gap"], "a roll on the first row", expected="0, there is no contract before it")
        name = _delivery(root, int(following[at])) if root else None
        contract = None if name is None else f"{name[:-4]}{name[-2:]}"
        rolls.append(
            ReferenceRoll(
                gap_session=as_date(int(day[at - 1])),
                roll_date=as_date(int(day[at])),
                from_contract=held,
                to_contract=contract,
                gap=float(gaps[at]),
                source="stated",
            )
        )
        held = contract
    return tuple(rolls)
