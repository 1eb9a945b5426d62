"""Reference data of instruments, and the mapping that makes an unknown vendor's CSV readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from ctl.errors import DataError

if TYPE_CHECKING:
    from ctl.model.bars import AdjustmentBasis, CloseBasis, SessionBasis

MappedField = Literal[
    "session",
    "contract",
    "delivery_month",
    "last_trade",
    "first_notice",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "open_interest",
    "roll_gap",
    "roll_to",
    "adjustment",
]
MAPPED_FIELDS: Final[tuple[MappedField, ...]] = (
    "session", "contract", "delivery_month", "last_trade", "first_notice", "open", "high", "low", "close",
    "volume", "open_interest", "roll_gap", "roll_to", "adjustment",
)  # fmt: skip

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
                remedy="add it to the workspace's instruments file or to ctl.toml",
            )
        return found

    def __contains__(self, root: object) -> bool:
        return isinstance(root, str) and self.get(root) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True)
class CsvMapping:
    """How to read one vendor's CSV.

    columns: canonical field -> column name, or 1-based position where the file has no header.
        A `contract` with `close` alone is settlement-only. `roll_gap`: non-zero on the first session of the
        new contract, new less old price. `roll_to`: delivery month (YYYYMM) of the next contract, stated on
        the last session before it is used; 0 elsewhere.
    recognised_by: column names that identify the format; empty: only ever used when named.
    date_format: strftime format of every date column.
    point_values: where not empty, prices in the file are multiplied by the root's point value and are divided by it.
    price_divisor: every price is divided by it.
    contract_suffix: text to strip from the contract column.
    name_pattern: what the file's name (without extension) tells, with `{root}`, `{contract}`, `{yyyymm}` and `*`.
    quote_units: by root, where they differ from the instrument reference data.
    descending: rows stand newest first. optional: canonical fields whose columns a file may lack.
    """

    name: str
    columns: Mapping[MappedField, str | int]
    vendor: str = ""
    recognised_by: tuple[str, ...] = ()
    header: bool = True
    separator: str = ","
    date_format: str = "%Y-%m-%d"
    price_divisor: float = 1.0
    point_values: Mapping[str, float] = field(default_factory=dict)
    quote_units: Mapping[str, str] = field(default_factory=dict)
    session_basis: SessionBasis = "exchange_session"
    close_basis: CloseBasis = "settlement"
    adjustment_basis: AdjustmentBasis | None = None
    contract_suffix: str = ""
    name_pattern: str = ""
    descending: bool = False
    optional: tuple[MappedField, ...] = ()

    @property
    def has_contracts(self) -> bool:
        """Whether bars are per contract: by a column or by the file's name."""
        return (
            "contract" in self.columns
            or "delivery_month" in self.columns
            or any(part in self.name_pattern for part in ("{contract}", "{yyyymm}"))
        )
