"""Reference data of instruments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ctl.errors import DataError


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the package knows of one futures root.

    tick: smallest price step, in quote units. point_value: money in `currency` for one quote unit of
    one contract. liquid_months: the delivery months that trade actively (`HMUZ`); None where every month does.
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


@dataclass(frozen=True, slots=True)
class Instruments:
    """Instruments by root. `aliases` maps other vendors' roots to those listed; an alias answers under its own name."""

    entries: Mapping[str, Instrument] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def get(self, root: str) -> Instrument | None:
        """The instrument of `root`; None where it is not listed."""
        found = self.entries.get(root)
        if found is None and (target := self.entries.get(self.aliases.get(root, ""))) is not None:
            found = replace(target, root=root)
        return found

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
