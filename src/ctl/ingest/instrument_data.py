"""Instrument reference data: the packaged `instruments.toml` and a workspace's own file of the same form."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from ctl.errors import InputError
from ctl.ingest import guard
from ctl.model.contracts import MONTH_CODES
from ctl.model.instruments import Instrument, Instruments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TEXT: Final = ("name", "exchange", "calendar", "currency", "quote_unit")
_NUMBERS: Final = ("tick", "point_value")
_KNOWN: Final = (*_TEXT, *_NUMBERS, "liquid_months")
_REQUIRED: Final = ("exchange", "calendar", "currency", "quote_unit", "tick", "point_value")
_ROOT: Final = re.compile(r"[A-Z0-9]{1,6}")


def load(override: Path | None = None) -> Instruments:
    """The packaged data; `override` (TOML of the same form) adds roots and replaces single fields of listed ones.

    Raises InputError naming the root and field.
    """
    known = _packaged()
    if override is None:
        return known
    where = str(override)
    return _read(guard.toml(override), known, where)


@cache
def _packaged() -> Instruments:
    text = resources.files("ctl.ingest").joinpath("instruments.toml").read_text("utf-8")
    return _read(tomllib.loads(text), Instruments(), "instruments.toml")


def _read(document: Mapping[str, Any], known: Instruments, where: str) -> Instruments:
    unknown = sorted(set(document) - {"schema_version", "instruments", "aliases"})
    if unknown:
        raise InputError(f"unknown field {unknown[0]!r}", where=where, expected="schema_version, instruments, aliases")
    if document.get("schema_version", 1) != 1:
        raise InputError("another schema_version", where=where, found=str(document["schema_version"]), expected="1")
    entries = dict(known.entries)
    for root, table in _table(document, "instruments", where).items():
        if not _ROOT.fullmatch(root):
            raise InputError("not a root", where=where, found=repr(root[:40]), expected="1 to 6 capitals or digits")
        entries[root] = _instrument(root, table, entries.get(root), where)
    aliases = dict(known.aliases)
    for alias, target in _table(document, "aliases", where).items():
        if not isinstance(target, str) or target not in entries or not _ROOT.fullmatch(alias):
            raise InputError(f"aliases.{alias}: unusable", where=where, found=repr(target), expected="a listed root")
        aliases[alias] = target
    return Instruments(dict(sorted(entries.items())), dict(sorted(aliases.items())))


def _table(document: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise InputError(f"field {name!r}: wrong type", where=where, expected="a table")
    return table


def _instrument(root: str, table: Any, listed: Instrument | None, where: str) -> Instrument:
    if not isinstance(table, dict):
        raise InputError(f"instruments.{root}: wrong type", where=where, expected="a table")
    for key, value in table.items():
        what = f"instruments.{root}.{key}"
        if key not in _KNOWN:
            raise InputError(f"{what}: unknown field", where=where, expected=", ".join(_KNOWN))
        if key in _NUMBERS:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < float("inf"):
                raise InputError(f"{what}: unusable", where=where, found=repr(value), expected="a positive number")
        elif not isinstance(value, str) or (key != "liquid_months" and not value):
            raise InputError(f"{what}: unusable", where=where, found=repr(value), expected="text")
        elif key == "liquid_months" and ([*value] != sorted(set(value)) or not set(value) <= set(MONTH_CODES)):
            raise InputError(
                f"{what}: unusable", where=where, found=repr(value), expected=f"month letters of {MONTH_CODES} in order"
            )
    values: dict[str, Any] = {key: float(value) if key in _NUMBERS else value for key, value in table.items()}
    if values.get("liquid_months") == "":
        values["liquid_months"] = None
    if listed is not None:
        return replace(listed, **values)
    missing = [key for key in _REQUIRED if key not in values]
    if missing:
        raise InputError(f"instruments.{root}: {missing[0]!r} is missing", where=where, expected=", ".join(_REQUIRED))
    return Instrument(root=root, **values)
