"""What `ctl contracts` says of one root: every contract with its bars and its terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from ctl.model.bars import TermSource


@dataclass(frozen=True, slots=True)
class ListedContract:
    """One contract. first_bar, last_bar: sessions; bars_after_last_trade: how many of its bars contradict its terms."""

    contract: str
    first_bar: date
    last_bar: date
    bars: int
    last_trade: date | None
    last_trade_source: TermSource
    first_notice: date | None
    first_notice_source: TermSource
    bars_after_last_trade: int


@dataclass(frozen=True, slots=True)
class Rule:
    """An exchange's rule in its words. since: the first delivery month it holds for (YYYY-MM); None: the earliest."""

    since: str | None
    last_trade: str
    first_notice: str
    calendar: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractList:
    """The contracts of one root in expiry order, and the rules that stand in where the vendor states no term."""

    kind: Literal["contracts"] = "contracts"
    schema_version: Literal[1] = 1
    root: str
    vendor: str
    rules: tuple[Rule, ...]
    contracts: tuple[ListedContract, ...]
