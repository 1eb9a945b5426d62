"""What commands print under `--json` where it is no record of its own: each a document with its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from ctl.model.registry import RunRecord
from ctl.model.statistics import TradeStatistics, TrialLuck
from ctl.model.trades import Metrics, OpenTrade, Timeframe, Trade, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFilled:
    """`ctl demo --json`. injected: `CAUSE:SYMBOL`. profile_kept: another than the one derived stood there and stays."""

    kind: Literal["demo"] = "demo"
    schema_version: Literal[1] = 1
    workspace: str
    raw_files: int
    raw_bytes: int
    injected: tuple[str, ...]
    profile: str
    profile_kept: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """A defect that the simulated market can have, and the symbols it can have it in."""

    what: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """`ctl demo --causes --json`."""

    kind: Literal["causes"] = "causes"
    schema_version: Literal[1] = 1
    causes: Mapping[str, Cause]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glossary:
    """`ctl glossary --json`."""

    kind: Literal["glossary"] = "glossary"
    schema_version: Literal[1] = 1
    terms: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedMapping:
    """`ctl mapping --json`. mapping: a TOML text. first_rows: what it reads of the file, none with a `?` in it."""

    kind: Literal["mapping"] = "mapping"
    schema_version: Literal[1] = 1
    file: str
    mapping: str
    first_rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """`ctl data head --json`: bars by the names of their columns."""

    kind: Literal["bars"] = "bars"
    schema_version: Literal[1] = 1
    symbol: str
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedFile:
    """A file that `ctl fetch` buys: the UTC days of it, both inclusive, and its price."""

    symbol: str
    schema: str
    first: date
    last: date
    cost_usd: float
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """`ctl fetch --json`. bought: how many of the files, in order."""

    kind: Literal["fetch"] = "fetch"
    schema_version: Literal[1] = 1
    total_usd: float
    bought: int
    files: tuple[PricedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShown:
    """`ctl runs show --json`."""

    kind: Literal["run"] = "run"
    schema_version: Literal[1] = 1
    run: RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDue:
    """`ctl ops --if-missed|--scheduled --json` where nothing is to be run here."""

    kind: Literal["not_due"] = "not_due"
    schema_version: Literal[1] = 1
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """`ctl backtest --json`."""

    kind: Literal["backtest"] = "backtest"
    schema_version: Literal[1] = 1
    parameters: Mapping[str, Any]
    triggers: tuple[Trigger, ...]
    trades: tuple[Trade, ...]
    open: tuple[OpenTrade, ...]
    metrics: Metrics
    fingerprint: str
    statistics: TradeStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchedSymbol:
    """One variant on one symbol; metrics None where it failed, and reason says why."""

    symbol: str
    role: str
    status: Literal["EXECUTED", "ERROR"]
    reason: str
    metrics: Metrics | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchedVariant:
    """One variant; portfolio: over all symbols, None where none could be tried."""

    variant: str
    strategy: str
    overrides: Mapping[str, str]
    fingerprint: str
    symbols: tuple[ResearchedSymbol, ...]
    portfolio: Metrics | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Researched:
    """`ctl research --json`. trials: variants tried here; tried_so_far: of each symbol ever. best: its label."""

    kind: Literal["research"] = "research"
    schema_version: Literal[1] = 1
    label: str
    gating: Literal[False] = False
    simulated: bool
    timeframe: Timeframe
    as_of: date | None
    trials: int
    best: str
    luck: TrialLuck
    tried_so_far: Mapping[str, int]
    variants: tuple[ResearchedVariant, ...]
    package_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """`ctl report --json`. recommendation: None where the gate could not decide."""

    kind: Literal["report"] = "report"
    schema_version: Literal[1] = 1
    file: str
    gate_passed: bool
    recommendation: str | None
    bytes: int
    symbols: tuple[str, ...]
