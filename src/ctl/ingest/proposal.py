"""A mapping proposed for a file, as TOML: what `ctl mapping` prints and the error for an unknown header names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ctl.errors import InputError
from ctl.ingest import headers, mapping
from ctl.ingest.table import distinct, header_of
from ctl.ingest.vendors import common
from ctl.model.csv_mapping import ColumnKeys, CsvMapping

if TYPE_CHECKING:
    from ctl.ingest.vendor import Opened

_LAYOUT: Final = (
    "vendor", "separator", "date_format", "decimal", "strip", "suffixes", "nulls", "header_lines", "footer_lines",
    "short_rows", "descending", "session_basis", "close_basis", "adjustment_basis",
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
