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
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl import strict_files
from ctl.errors import InputError
from ctl.ingest import guard
from ctl.ingest import table as tables
from ctl.ingest.rows import PRICES, FileBars, as_date
from ctl.ingest.symbols import EXPECTED, coded, is_symbol
from ctl.ingest.terms import stated_in_columns
from ctl.model.contracts import MONTH_CODES
from ctl.model.csv_mapping import CsvMapping, MappingKeys
from ctl.model.rolls import ReferenceRoll

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.ingest.table import Table
    from ctl.ingest.vendor import Opened, Wanted

PACKAGED: Final = ("bloomberg_settles", "quantiacs", "norgate", "norgate_equity", "lean")


@cache
def packaged(name: str) -> CsvMapping:
    """A mapping that the package ships, by name. Raises InputError for an unknown name."""
    if name not in PACKAGED:
        raise InputError(f"no packaged mapping named {name!r}", expected=", ".join(PACKAGED))
    text = resources.files("ctl.ingest").joinpath("mappings", f"{name}.toml").read_text("utf-8")
    return MappingKeys.model_validate(tomllib.loads(text)).named(name)


def recognised(file: Opened, names: Sequence[str] = PACKAGED) -> CsvMapping | None:
    """The packaged mapping whose format a header shows; of a file without one, its name and first cells."""
    for name in names:
        mapping = packaged(name)
        if mapping.recognised_by and set(mapping.recognised_by) <= set(file.columns):
            return mapping
        if not mapping.header and _from_name(mapping.name_pattern, file.raw.stem) and _reads(mapping, file.columns):
            return mapping
    return None


def read_recognised(file: Opened, wanted: Wanted, names: Sequence[str] = PACKAGED) -> FileBars:
    """Bars through the mapping that the caller names, else the packaged one that is recognised."""
    mapping = wanted.mapping or recognised(file, names)
    if mapping is None:
        raise InputError("no mapping fits", where=file.raw.name, found=", ".join(file.columns)[:120])
    columns = None if mapping.header else position_names(len(tables.header_of(file.text, mapping.separator)))
    table = tables.parse(file.raw, file.text, separator=mapping.separator, columns=columns)
    return read(table, mapping, as_series=wanted.as_series, root=wanted.symbol)


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


def read(table: Table, mapping: CsvMapping, *, as_series: bool, root: str | None = None) -> FileBars:
    """Bars of a file through its mapping; `root` where neither the file nor its name tells it.

    Raises InputError as `Table` does, for columns that the mapping names and the file lacks, and where prices are
    multiplied by a point value that the mapping does not list.
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
    told = _from_name(mapping.name_pattern, table.file.stem)
    root = told.get("root", "").upper() or root
    symbols, codes = _contracts(table, mapping, columns, told, root)
    divisor = _divisor(table, mapping, root)

    prices = {
        name: table.floats(columns[name], nullable=name != "close" or not as_series) / divisor
        for name in PRICES
        if name in columns
    }
    day = table.days(columns["session"], mapping.date_format)
    volume, interest = (
        table.integers(columns[name]) if name in columns else None for name in ("volume", "open_interest")
    )
    rows = table.rows(day, prices, volume, interest, symbols, codes)
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
        terms=stated_in_columns(table, columns, mapping.date_format, symbols, codes),
        quote_units=mapping.quote_units,
        contract=codes if as_series and symbols else None,
        adjustment=adjustment,
        root=root,
        descending=mapping.descending,
        rolls=_rolls(table, columns, day, divisor, root),
    )


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
    if "contract" in columns:
        return coded(table, columns["contract"], mapping.contract_suffix, contracts=True)
    if "delivery_month" in columns:
        if root is None:
            return (), none
        column = columns["delivery_month"]
        months = table.integers(column)
        distinct, codes = np.unique(months.values, return_inverse=True)
        names = [_delivery(root, int(month)) for month in distinct]
        for at, (name, month) in enumerate(zip(names, distinct.tolist(), strict=True)):
            if name is None and month != 0:
                table.fail(int(np.argmax(codes == at)), column, "not a delivery month", expected="YYYYMM")
        number = np.cumsum([name is not None for name in names], dtype=np.int32) - 1
        number[[at for at, name in enumerate(names) if name is None]] = -1
        return tuple(name for name in names if name), number[codes].astype(np.int32)
    name = told.get("contract", "").upper() or None
    if name is None and root is not None and "yyyymm" in told:
        name = _delivery(root, int(told["yyyymm"]))
    if name is None:
        return (), none
    if not is_symbol(name):
        raise InputError("the file's name is no contract", where=table.file.name, expected=EXPECTED)
    return (name,), np.zeros(len(table), dtype=np.int32)


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
