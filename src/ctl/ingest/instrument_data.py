"""Instrument reference data: the packaged `instruments.toml` and a workspace's own file of the same form."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cache, lru_cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, ValidationInfo, field_validator

from ctl import strict_files
from ctl.errors import InputError
from ctl.ingest import guard
from ctl.ingest.terms import complete
from ctl.model import day_rules
from ctl.model.contracts import MONTH_CODES
from ctl.model.instruments import NO_NOTICE, UNKNOWN_DAY, Instrument, Instruments, TermRule
from ctl.strict_files import Rule, Strict, expected, shown

if TYPE_CHECKING:
    from pathlib import Path

    from ctl.model.bars import ContractBars

_REQUIRED: Final = ("exchange", "calendar", "currency", "quote_unit", "tick", "point_value")
_ROOT: Final = re.compile(r"[A-Z0-9]{1,6}")
_MONTHS: Final = f"month letters of {MONTH_CODES} in order"


class TermRuleKeys(Strict):
    """`[[terms.<NAME>]]`: how a root's last trade and first notice days follow from its delivery month."""

    last_trade: str = Field(description=f"{day_rules.WORDS}; or unknown")
    first_notice: str = Field(description=f"{day_rules.WORDS}; or none, or after last trade")
    source: str = Field(min_length=1, description="where the rule stands, or how it was checked")
    from_: str = Field("0000-01", alias="from", pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="a month, YYYY-MM")
    calendar: str | None = Field(None, min_length=1, description="the name of an exchange calendar")

    @field_validator("last_trade", "first_notice")
    @classmethod
    def _names_a_day(cls, words: str, info: ValidationInfo) -> str:
        if words not in (NO_NOTICE if info.field_name == "first_notice" else UNKNOWN_DAY):
            try:
                day_rules.parse(words)
            except ValueError:
                raise expected(day_rules.WORDS) from None
        return words

    def made(self) -> TermRule:
        """The rule."""
        year, month = self.from_.split("-")
        since = int(year) * 12 + int(month) - 1 if self.from_ != "0000-01" else 0
        return TermRule(self.last_trade, self.first_notice, self.source, since, self.calendar)


class InstrumentKeys(Strict):
    """`[instruments.<ROOT>]`; of a root that the package lists, the fields that differ."""

    name: str = Field("", description="what it is")
    exchange: str = Field("", min_length=1, description="the exchange that lists it")
    calendar: str = Field("", min_length=1, description="the name of an exchange calendar")
    currency: str = Field("", min_length=1, description="a currency code")
    quote_unit: str = Field("", min_length=1, description="the unit that prices are quoted in")
    tick: float = Field(0, ge=1e-9, le=1e6, description="a number above 0 (1e-9 to 1e6)")
    point_value: float = Field(0, gt=0, le=1e9, description="a number above 0 (at most 1e9)")
    liquid_months: str | None = Field(None, description=_MONTHS)
    terms: str | None = Field(None, description="the name of rules for last trade and first notice")

    @field_validator("liquid_months")
    @classmethod
    def _in_order(cls, months: str) -> str | None:
        if [*months] != sorted(set(months)) or not set(months) <= set(MONTH_CODES):
            raise expected(_MONTHS)
        return months or None


class InstrumentsKeys(Strict):
    """The file."""

    schema_version: int = Field(1, ge=1, le=1, description="1")
    terms: dict[str, list[TermRuleKeys]] = Field({}, description="tables of rules by name")
    instruments: dict[str, InstrumentKeys] = Field({}, description="a table of instruments by root")
    aliases: dict[str, str] = Field({}, description="a table of root = listed root")

    def added_to(self, known: Instruments) -> Instruments:
        """`known` with what the file says."""
        entries = dict(known.entries)
        for root, keys in self.instruments.items():
            given = keys.model_dump(exclude_unset=True)
            entries[root] = replace(entries[root], **given) if root in entries else Instrument(root=root, **given)
        aliases = {**known.aliases, **self.aliases}
        terms = {**known.terms, **{name: tuple(rule.made() for rule in rules) for name, rules in self.terms.items()}}
        return Instruments(dict(sorted(entries.items())), dict(sorted(aliases.items())), terms)


def load(override: Path | None = None) -> Instruments:
    """The packaged data; `override` (TOML of the same form) adds roots and replaces single fields of listed ones.

    Raises InputError with every problem of the file.
    """
    return _packaged() if override is None else _read(guard.edited(override), str(override))


@lru_cache(maxsize=2)
def _read(data: bytes, shown_as: str) -> Instruments:
    """The packaged data with what a file of these bytes says: every symbol of a workspace asks for the same."""
    known = _packaged()
    rules = partial(_contradictions, known)
    keys, _ = strict_files.read_model(data, shown_as, InstrumentsKeys, InputError, rules=rules)
    return keys.added_to(known)


def require_agreement(bars: ContractBars, instruments: Instruments, own: Path) -> None:
    """Refuse bars whose vendor's definitions contradict the instruments of a workspace's own file.

    The tick and the currency of the newest contract that is defined; the last trade dates where more of them differ
    from the rule than agree, which a single unforeseen closure makes none of.
    Raises InputError (INSTRUMENT_CONTRADICTED) that names both.
    """
    root = bars.meta.root
    values = own_values(root, instruments)
    defined = [bars.terms[contract.name] for contract in bars.contracts if contract.name in bars.terms]
    found: list[tuple[str, str, str]] = []
    for name in {"tick", "currency"} & values.keys():
        newest = next((term for term in reversed(defined) if getattr(term, name) is not None), None)
        if newest is not None and getattr(newest, name) != values[name]:
            found.append(
                (name, f"{values[name]}", f"{getattr(newest, name)} as the definition of {newest.contract} says")
            )
    ended = [term for term in defined if term.last_trade_source == "definition" and "terms" in values]
    ruled = complete([each for each in bars.contracts if each.root == root], {}, instruments) if ended else {}
    differing = [term for term in ended if ruled[term.contract].last_trade not in (None, term.last_trade)]
    if 2 * len(differing) > len(ended):
        first = differing[0]
        found.append((
            "terms", f"last trade of {first.contract} on {ruled[first.contract].last_trade}",
            f"{first.last_trade} as its definition says (and so of {len(differing)} of {len(ended)} contracts)",
        ))  # fmt: skip
    if found:
        raise InputError(
            f"the own instrument {root} contradicts the definitions of {bars.meta.vendor}",
            where=f"{own}: {', '.join(f'instruments.{root}.{key}' for key, _, _ in sorted(found))}",
            found="; ".join(text for _, text, _ in sorted(found)),
            expected="; ".join(text for _, _, text in sorted(found)),
            remedy="mend the file, or the definitions that were delivered",
            code="INSTRUMENT_CONTRADICTED",
        )


def own_values(root: str, instruments: Instruments) -> dict[str, Any]:
    """Fields of an instrument that the package does not say so, and `terms` where its rules are others."""
    ours, packaged = instruments.get(root), _packaged().get(root)
    names = [each.name for each in fields(Instrument)] if ours is not None else []
    own = {name: getattr(ours, name) for name in names if getattr(ours, name) != getattr(packaged, name, None)}
    if instruments.term_rules(root) != _packaged().term_rules(root):
        own["terms"] = instruments.term_rules(root)
    return own


@cache
def _packaged() -> Instruments:
    text = resources.files("ctl.ingest").joinpath("instruments.toml").read_text("utf-8")
    return InstrumentsKeys.model_validate(tomllib.loads(text)).added_to(Instruments())


def _contradictions(known: Instruments, raw: Mapping[str, Any]) -> Iterator[Rule]:
    """Names that are no roots, what a new root lacks, and aliases of roots that are not listed."""
    tables = {key: raw[key] if isinstance(raw.get(key), dict) else {} for key in ("instruments", "aliases")}
    for key, table in tables.items():
        for root in table:
            if not _ROOT.fullmatch(root):
                yield (key, root), shown(root), "a root: 1 to 6 capitals or digits"
    for root, table in tables["instruments"].items():
        if root not in known.entries and isinstance(table, dict):
            for name in _REQUIRED:
                if name not in table:
                    yield ("instruments", root, name), "nothing", "a value, because the package does not list this root"
    given = raw.get("terms")
    named = {**known.terms, **(given if isinstance(given, dict) else {})}
    for root, table in tables["instruments"].items():
        if isinstance(table, dict) and table.get("terms", "") not in {"", *named}:
            yield ("instruments", root, "terms"), shown(table["terms"]), f"one of {', '.join(sorted(named))}"
    for name, rules in named.items():
        starts = (
            [str(rule.get("from", "")) for rule in rules if isinstance(rule, dict)] if name not in known.terms else []
        )
        if starts != sorted(set(starts)):
            yield ("terms", name), ", ".join(starts), "rules in the order of `from`, each month once"
    for alias, target in tables["aliases"].items():
        if isinstance(target, str) and target not in {*known.entries, *tables["instruments"]}:
            yield ("aliases", alias), shown(target), "a listed root"
