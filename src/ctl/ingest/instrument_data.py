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
from ctl.model import day_rules
from ctl.model.contracts import MONTH_CODES
from ctl.model.instruments import NO_NOTICE, UNKNOWN_DAY, Instrument, Instruments, TermRule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TEXT: Final = ("name", "exchange", "calendar", "currency", "quote_unit")
_NUMBERS: Final = ("tick", "point_value")
_KNOWN: Final = (*_TEXT, *_NUMBERS, "liquid_months", "terms")
_OPTIONAL: Final = ("liquid_months", "terms")
_RULE: Final = ("last_trade", "first_notice", "source", "from", "calendar")
_REQUIRED: Final = ("exchange", "calendar", "currency", "quote_unit", "tick", "point_value")
_ROOT: Final = re.compile(r"[A-Z0-9]{1,6}")


def load(override: Path | None = None) -> Instruments:
    """The packaged data; `override` (TOML of the same form) adds roots, replaces single fields of listed ones, and
    adds or replaces rules for last trade and first notice.

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
    unknown = sorted(set(document) - {"schema_version", "terms", "instruments", "aliases"})
    if unknown:
        expected = "schema_version, terms, instruments, aliases"
        raise InputError(f"unknown field {unknown[0]!r}", where=where, expected=expected)
    if document.get("schema_version", 1) != 1:
        raise InputError("another schema_version", where=where, found=str(document["schema_version"]), expected="1")
    terms = dict(known.terms)
    for name, rules in _table(document, "terms", where).items():
        terms[name] = _term_rules(name, rules, where)
    entries = dict(known.entries)
    for root, table in _table(document, "instruments", where).items():
        if not _ROOT.fullmatch(root):
            raise InputError("not a root", where=where, found=repr(root[:40]), expected="1 to 6 capitals or digits")
        entries[root] = _instrument(root, table, entries.get(root), terms, where)
    aliases = dict(known.aliases)
    for alias, target in _table(document, "aliases", where).items():
        if not isinstance(target, str) or target not in entries or not _ROOT.fullmatch(alias):
            raise InputError(f"aliases.{alias}: unusable", where=where, found=repr(target), expected="a listed root")
        aliases[alias] = target
    return Instruments(dict(sorted(entries.items())), dict(sorted(aliases.items())), terms)


def _table(document: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise InputError(f"field {name!r}: wrong type", where=where, expected="a table")
    return table


def _term_rules(name: str, rules: Any, where: str) -> tuple[TermRule, ...]:
    """The rules of one name, ascending by the delivery month since which they hold."""
    if not isinstance(rules, list) or not rules or not all(isinstance(rule, dict) for rule in rules):
        raise InputError(f"terms.{name}: wrong type", where=where, expected=f"[[terms.{name}]] tables")
    read = [_term_rule(f"terms.{name}", rule, where) for rule in rules]
    starts = [rule.since for rule in read]
    if starts != sorted(set(starts)):
        raise InputError(f"terms.{name}: rules are not in order", where=where, expected="each `from` after the last")
    return tuple(read)


def _term_rule(what: str, rule: Mapping[str, Any], where: str) -> TermRule:
    for key, value in rule.items():
        if key not in _RULE:
            raise InputError(f"{what}.{key}: unknown field", where=where, expected=", ".join(_RULE))
        if not isinstance(value, str) or not value:
            raise InputError(f"{what}.{key}: unusable", where=where, found=repr(value), expected="text")
    for key in ("last_trade", "first_notice", "source"):
        if key not in rule:
            raise InputError(f"{what}: {key!r} is missing", where=where, expected="last_trade, first_notice, source")
    for key in ("last_trade", "first_notice"):
        if rule[key] in (NO_NOTICE if key == "first_notice" else UNKNOWN_DAY):
            continue
        try:
            day_rules.parse(rule[key])
        except ValueError as error:
            raise InputError(
                f"{what}.{key}: not a rule for a day", where=where, found=repr(rule[key]), expected=day_rules.WORDS
            ) from error
    since = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", rule.get("from", "0000-01"))
    if since is None:
        raise InputError(f"{what}.from: unusable", where=where, found=repr(rule["from"]), expected="YYYY-MM")
    return TermRule(
        last_trade=rule["last_trade"],
        first_notice=rule["first_notice"],
        source=rule["source"],
        since=int(since[1]) * 12 + int(since[2]) - 1,
        calendar=rule.get("calendar"),
    )


def _instrument(
    root: str, table: Any, listed: Instrument | None, terms: Mapping[str, tuple[TermRule, ...]], where: str
) -> Instrument:
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
        elif not isinstance(value, str) or (key not in _OPTIONAL and not value):
            raise InputError(f"{what}: unusable", where=where, found=repr(value), expected="text")
        elif key == "liquid_months" and ([*value] != sorted(set(value)) or not set(value) <= set(MONTH_CODES)):
            raise InputError(
                f"{what}: unusable", where=where, found=repr(value), expected=f"month letters of {MONTH_CODES} in order"
            )
        elif key == "terms" and value and value not in terms:
            raise InputError(
                f"{what}: unknown rules", where=where, found=repr(value), expected=", ".join(sorted(terms))
            )
    values: dict[str, Any] = {key: float(value) if key in _NUMBERS else value for key, value in table.items()}
    values |= {key: None for key in _OPTIONAL if values.get(key) == ""}
    if listed is not None:
        return replace(listed, **values)
    missing = [key for key in _REQUIRED if key not in values]
    if missing:
        raise InputError(f"instruments.{root}: {missing[0]!r} is missing", where=where, expected=", ".join(_REQUIRED))
    return Instrument(root=root, **values)
