"""A mapping proposed for a file, as TOML: what `ctl mapping` prints and the error for an unknown header names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ctl.errors import InputError
from ctl.ingest import headers, mapping
from ctl.ingest.table import distinct, header_of
from ctl.ingest.vendors import common
from ctl.model.bars import PRICES
from ctl.model.csv_mapping import ColumnKeys, CsvMapping

if TYPE_CHECKING:
    from ctl.ingest.vendor import Opened

_LAYOUT: Final = (
    "vendor", "header", "separator", "date_format", "decimal", "strip", "suffixes", "nulls", "header_lines",
    "footer_lines", "short_rows", "descending", "session_basis", "close_basis", "adjustment_basis",
)  # fmt: skip
_ALWAYS: Final = ("vendor", "date_format", "session_basis", "close_basis")


def mapping_proposal(file: Opened) -> str:
    """The mapping that reads a file, or where its header does not tell all, one with `?` to fill in, as TOML."""
    if headers.find(file) is not None:
        try:
            _, made = mapping.taken_apart(file, common.proposed(file))
        except InputError as error:
            made, told = common.proposed(file), [f"# {error}"]
        else:
            told = [f"# assumed: {words}" for words in made.assumed]
        return "\n".join((*told, *_toml(made)))
    by_place = _without_header(file) if file.text else None
    if by_place is not None:
        return "\n".join(("# no header: what the columns are is a guess from their places", *_toml(by_place)))
    separator = max(headers.SEPARATORS, key=lambda each: len(header_of(file.text, each))) if file.text else ","
    names = distinct(header_of(file.text, separator)) if file.text else file.columns
    known: dict[Any, Any] = headers.meanings(names)
    columns = {"session": "?", "close": "?"} | known
    return "\n".join(
        (
            f"# columns: {', '.join(names)[:400]}",
            *_toml(CsvMapping.model_construct(name="csv", columns=columns, vendor="?", separator=separator)),
        )
    )


def _without_header(file: Opened) -> CsvMapping | None:
    """The mapping of rows without a header that begin with a date, maybe a time, and at least four prices."""
    separator = max(headers.SEPARATORS, key=lambda each: len(header_of(file.text, each)))
    first = header_of(file.text, separator)
    numbers = [re.fullmatch(r"-?\d+([.,]\d+)?", cell) is not None for cell in first]
    start = 2 if len(first) > 1 and re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", first[1]) else 1
    if not first or not re.match(r"\d{1,4}[-/.]?\d{1,2}[-/.]?\d{1,4}", first[0]) or not all(numbers[start:]):
        return None
    fields = ("open", "high", "low", "close", "volume", "open_interest")[: len(first) - start]
    if len(fields) < len(PRICES):
        return None
    columns = {"session": 1} | {field: start + at for at, field in enumerate(fields, start=1)}
    made = CsvMapping.model_construct(
        name="csv", columns=columns, vendor="csv", header=False, separator=separator, detect=True
    )
    try:
        return mapping.taken_apart(file, made)[1]
    except InputError:
        return made


def _toml(made: CsvMapping) -> list[str]:
    stated = {name: field.default for name, field in CsvMapping.model_fields.items()}
    lines = [
        f"{key} = {_value(value)}"
        for key in _LAYOUT
        if (value := getattr(made, key)) is not None and (key in _ALWAYS or value != stated[key])
    ]
    return [
        *lines,
        "[columns]",
        *(f"{key} = {_value(made.columns[key])}" for key in ColumnKeys.model_fields if key in made.columns),
    ]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        return f'"{escaped}"'
    return str(value)
