"""The pages docs/workspace.md, profile.md and formats.md: every key, from the models that validate it."""

from __future__ import annotations

import inspect
import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from ctl import ingest, strict_files
from ctl.cli import glossary
from ctl.ingest import mapping as mappings
from ctl.ingest.instrument_data import InstrumentsKeys
from ctl.model.csv_mapping import MappingKeys, NamedMapping
from ctl.operating_profile import ProfileKeys
from ctl.store.workspace import WorkspaceKeys
from ctl.strict_files import ReadAs, Strict

_NOTE: Final = "<!-- written by `make schemas` from the models that validate; change those -->\n"
_TYPES: Final = {str: "text", int: "whole number", float: "number", bool: "true or false", date: "date", Path: "path"}


def pages() -> dict[str, bytes]:
    """File name under docs/ -> content of every generated page, the same bytes each time."""
    return {
        "workspace.md": _workspace().encode(),
        "profile.md": _profile().encode(),
        "formats.md": _formats().encode(),
        "instruments.md": _instruments().encode(),
        "glossary.md": glossary.markdown().encode(),
    }


def example(name: str) -> str:
    """The text of an example file, which holds every key."""
    return files("ctl.cli.reference").joinpath(name).read_text("utf-8")


def _workspace() -> str:
    text = example("workspace.toml")
    head = (
        "# The workspace file\n\n`ctl.toml` says which vendors there are, where their files lie, and what each symbol "
        "is. `ctl init` writes one from the files of a folder; `ctl doctor` says what is missing. The keys of a "
        "`mapping` stand in [formats.md](formats.md).\n"
    )
    return _page(head, WorkspaceKeys, tomllib.loads(text), f"```toml\n{text}```\n", {MappingKeys, NamedMapping})


def _profile() -> str:
    text = example("profile.yaml")
    head = (
        "# The operating profile\n\nWhat people decide. What the machine derived when it was locked stands beside it "
        "in the lock file (`operating_profile_v1.lock.json`). Nothing runs unless today's data derive it anew. "
        "`ctl lock --set KEY=VALUE --reason TEXT` writes the next version of both; "
        "`--set AAPL.gating=true` moves a non-gating symbol to the gating universe, `--set ES.gating=false` a gating "
        "one out of it.\n"
    )
    return _page(head, ProfileKeys, strict_files.read_yaml(text.encode()).value, f"```yaml\n{text}```\n", set())


def _instruments() -> str:
    text = example("instruments.toml")
    listed = ", ".join(sorted(ingest.load_instruments()))
    head = (
        "# Instruments\n\nThe package knows exchange, calendar, tick, point value, months and last days of "
        f"{listed}. `instruments = FILE` in ctl.toml names a file of your own: of a listed root it says the keys that "
        "differ, of another all of them. What it says is used wherever a root's terms, months, calendar and guard "
        "matter; where Databento's definitions or the symbol's table in ctl.toml say otherwise, both are named and "
        "nothing is read.\n"
    )
    return _page(head, InstrumentsKeys, tomllib.loads(text), f"```toml\n{text}```\n", set())


def _formats() -> str:
    text = example("mapping.toml")
    known = "\n".join(f"| `{name}` | {what} |" for name, what in ingest.format_texts().items())
    packaged = "\n".join(_packaged(name) for name in mappings.PACKAGED)
    head = f"""# Vendor formats

A file is told by its content, never by its extension; `format` in ctl.toml says how a vendor's files are named.

| format | what it reads |
|---|---|
{known}

Of a CSV whose header none of them knows, a mapping says what its columns are. These are packaged; the first whose
columns a header holds reads it without being named.

| mapping | columns that tell it | dates | bars | bases |
|---|---|---|---|---|
{packaged}

Your own is a TOML file for `--mapping`, or a table `mapping` of the vendor in ctl.toml, with these keys.
"""
    return _page(head, MappingKeys, tomllib.loads(text), f"```toml\n{text}```\n", set())


def _packaged(name: str) -> str:
    found = ingest.named_mapping(name)
    told = ", ".join(found.recognised_by) or f"file name `{found.name_pattern}`, {len(found.columns)} columns"
    bases = ", ".join(text for text in (found.session_basis, found.close_basis, found.adjustment_basis) if text)
    bars = "per contract" if found.has_contracts else "a series"
    return f"| `{name}` | {told} | `{found.date_format}` | {bars} | {bases} |"


# ---------------------------------------------------------------- tables


def _page(head: str, model: type[Strict], values: Any, shown: str, elsewhere: set[type[Strict]]) -> str:
    sections = [f"{_NOTE}{head}"]
    for place, part, examples in _models(model, "", [values], elsewhere):
        title = f"## `{place}`" if place else "## Keys"
        rows = [_row(name, info, examples) for name, info in part.model_fields.items()]
        table = "\n".join(["| key | type | what is expected | default | example |", "|---|---|---|---|---|", *rows])
        sections.append(f"{title}\n\n{inspect.cleandoc(part.__doc__ or '')}\n\n{table}\n")
    return "\n".join([*sections, f"## Example\n\n{shown}"])


def _models(
    model: type[Strict], place: str, values: list[Any], elsewhere: set[type[Strict]]
) -> Iterator[tuple[str, type[Strict], list[Any]]]:
    """The model and every model inside it, each with its place and the examples' values of it."""
    yield place, model, values
    for name, info in model.model_fields.items():
        held = [value[name] for value in values if isinstance(value, Mapping) and name in value]
        for inner, each in _inner([info.annotation, *info.metadata]):
            if inner not in elsewhere:
                below = [item for value in held for item in _items(value)] if each else held
                where = f"{place}.{name}" if place else name
                yield from _models(inner, f"{where}.NAME" if each is dict else where, below, elsewhere)


def _items(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [item for held in value.values() for item in (held if isinstance(held, list) else [held])]
    return list(value)


def _inner(parts: list[Any]) -> Iterator[tuple[type[Strict], type | None]]:
    """The models that an annotation holds, and whether in a mapping or a list."""
    for part in parts:
        if isinstance(part, ReadAs):
            yield part.model, None
            return
    for part in parts:
        origin, arguments = get_origin(part), list(get_args(part))
        if isinstance(part, type) and issubclass(part, Strict):
            yield part, None
        elif origin in (Annotated, Union, UnionType):
            yield from _inner(arguments)
        elif origin in (dict, tuple, list):
            yield from ((model, origin) for model, _ in _inner(arguments))


def _row(field: str, info: FieldInfo, examples: list[Any]) -> str:
    name = info.alias or field
    held = [value[name] for value in examples if isinstance(value, Mapping) and name in value]
    shown = next((f"`{_written(value)}`" for value in held if not _is_table(value)), "" if not held else "below")
    default = "required" if info.is_required() else _default(info)
    kind = _type([info.annotation, *info.metadata])
    wanted = (info.description or kind).replace("|", "\\|")
    return f"| `{name}` | {kind} | {wanted} | {default} | {shown} |"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(item, (Mapping, list)) for item in value.values())


def _default(info: FieldInfo) -> str:
    value = info.get_default(call_default_factory=True)
    plain = value is None or isinstance(value, (str, int, float, bool))
    if value in (None, "", (), {}):
        return "none"
    return f"`{_written(value)}`" if plain else "its defaults"


def _written(value: Any) -> str:
    text = str(value) if isinstance(value, date) else json.dumps(value, ensure_ascii=False, default=str)
    return text.replace("|", "\\|")


def _type(parts: list[Any]) -> str:
    for part in parts:
        origin, arguments = get_origin(part), list(get_args(part))
        if isinstance(part, ReadAs) or (isinstance(part, type) and issubclass(part, Strict)):
            return "table"
        if part in _TYPES:
            return _TYPES[part]
        if origin is Literal:
            return "text"
        if origin in (Annotated, Union, UnionType):
            kinds = [_type([argument]) for argument in arguments if argument is not type(None)]
            return " or ".join(dict.fromkeys(kinds if origin is not Annotated else kinds[:1]))
        if origin in (dict, Mapping) or (origin is not None and issubclass(origin, Mapping)):
            return "table"
        if origin is tuple:
            return "list"
    return "table"
