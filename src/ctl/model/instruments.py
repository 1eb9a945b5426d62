"""Reference data of instruments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ctl.errors import DataError

NO_NOTICE: Final = ("none", "after last trade")
"""What a rule says where no notice is given before the last trade date: settled in cash, or delivered after it."""

UNKNOWN_DAY: Final = ("unknown",)
"""What a rule says of a last trade date that it does not name."""


@dataclass(frozen=True, slots=True)
class TermRule:
    """An exchange's rule for the last trade and first notice days of a root.

    last_trade: words of `ctl.model.day_rules`, or `unknown`. first_notice: likewise words, or `none` (settled in cash),
    or `after last trade`. since: the first delivery month that it holds for, as months since year 0. calendar: whose
    business days it counts; None: the root's. source: where the rule stands, or how it was checked.
    """

    last_trade: str
    first_notice: str
    source: str
    since: int = 0
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the package knows of one futures root.

    tick: smallest price step, in quote units. point_value: money in `currency` for one quote unit of
    one contract. liquid_months: the delivery months that trade actively (`HMUZ`); None where every month does.
    terms: name of the rules for last trade and first notice in `Instruments.terms`; None where none is known.
    """

    root: str
    exchange: str
    calendar: str
    tick: float
    point_value: float
    currency: str
    quote_unit: str
    liquid_months: str | None = None
    name: str = ""
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class Instruments:
    """Instruments by root. `aliases` maps other vendors' roots to those listed; an alias answers under its own name.

    terms: rules by name, each ascending by the delivery month since which it holds.
    """

    entries: Mapping[str, Instrument] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    terms: Mapping[str, tuple[TermRule, ...]] = field(default_factory=dict)

    def get(self, root: str) -> Instrument | None:
        """The instrument of `root`; None where it is not listed."""
        found = self.entries.get(root)
        if found is None and (target := self.entries.get(self.aliases.get(root, ""))) is not None:
            found = replace(target, root=root)
        return found

    def term_rules(self, root: str) -> tuple[TermRule, ...]:
        """The rules for last trade and first notice of `root`; empty where none is known."""
        found = self.get(root)
        return () if found is None or found.terms is None else self.terms[found.terms]

    def __getitem__(self, root: str) -> Instrument:
        found = self.get(root)
        if found is None:
            raise DataError(
                f"no reference data for root {root!r}",
                remedy="add it to the file that `instruments` names in ctl.toml (docs/instruments.md)",
            )
        return found

    def __contains__(self, root: object) -> bool:
        return isinstance(root, str) and self.get(root) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)
