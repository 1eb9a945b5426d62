"""Futures contracts and their symbols: `ESH5`, `ESH25`, `ESH2025`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

MONTH_CODES: Final = "FGHJKMNQUVXZ"

_OUTRIGHT = re.compile(r"^(?P<root>[A-Z0-9]{1,6}?)\s?(?P<month>[FGHJKMNQUVXZ])(?P<year>\d{1,2}|\d{4})$")


@dataclass(frozen=True, slots=True, order=True)
class Contract:
    """One delivery of one root. Order is expiry order: (year, month), then root."""

    year: int
    month: int
    root: str

    @property
    def code(self) -> str:
        """Month code and two-digit year: `H25`."""
        return f"{MONTH_CODES[self.month - 1]}{self.year % 100:02d}"

    @property
    def name(self) -> str:
        """Canonical name with a two-digit year: `ESH25`."""
        return f"{self.root}{self.code}"

    @property
    def month_code(self) -> str:
        """The month letter."""
        return MONTH_CODES[self.month - 1]

    @property
    def expiry_key(self) -> int:
        """Months since year 0: increases with delivery."""
        return self.year * 12 + self.month - 1


@dataclass(frozen=True, slots=True)
class ParsedSymbol:
    """A symbol taken apart; `year` is as written (1, 2 or 4 digits), so its decade may be open."""

    root: str
    month: int
    year: int
    year_digits: int


@lru_cache(maxsize=1 << 14)
def parse_symbol(symbol: str) -> ParsedSymbol | None:
    """Take an outright's symbol apart; None for spreads, options and everything else."""
    match = _OUTRIGHT.match(symbol)
    if match is None:
        return None
    year = match["year"]
    return ParsedSymbol(match["root"], MONTH_CODES.index(match["month"]) + 1, int(year), len(year))


def is_root(text: str) -> bool:
    """Whether a text can be a root: up to six capitals and digits."""
    return re.fullmatch(r"[A-Z0-9]{1,6}", text) is not None


def canonical_name(symbol: str, last_bar: date) -> str:
    """The name of an outright with a two-digit year, told from its last bar; any other text as it stands."""
    parsed = parse_symbol(symbol)
    return symbol if parsed is None else Contract(resolve_year(parsed, last_bar), parsed.month, parsed.root).name


def resolve_year(parsed: ParsedSymbol, last_bar: date) -> int:
    """Full delivery year of a symbol whose last bar is known.

    One digit: of the years that end in it, the one whose delivery month is nearest after the last bar, where a
    month before the last bar's still counts as after. Two digits: the year nearest to the last bar's, on either
    side, so that a stale bar after the delivery does not move the contract by a century. Four: as written.
    """
    if parsed.year_digits == 4:
        return parsed.year
    if parsed.year_digits == 2:
        return parsed.year + 100 * ((last_bar.year - parsed.year + 50) // 100)
    earliest = last_bar.year * 12 + last_bar.month - 2
    year = last_bar.year - 1
    year += (parsed.year - year) % 10
    return year if year * 12 + parsed.month - 1 >= earliest else year + 10
