"""What a report shows: the values of one moment of a workspace, or of one certificate or backtest alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.certificate import Certificate
    from ctl.model.findings import Decision
    from ctl.model.orders import RiskTerms
    from ctl.model.run import GateResult, Role, RunSummary, SymbolResult, SymbolRun
    from ctl.model.run import SymbolState as Standing
    from ctl.model.trades import StrategyResult

Window = tuple[date, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolState:
    """One symbol. What could not be had is None, and `problem` says why.

    bars: the series that is traded, columns SERIES_COLUMNS, adjusted. trades: closed ones with their contracts, columns
    as a run's trades file. tick: None: not known. ratchet: how much worse than locked the drift
    may get, None where no lock says. pending: a roll that is known and not yet in force, in words.
    """

    symbol: str
    role: Role = "gating"
    note: str = ""
    judged: SymbolResult | None = None
    certificate: Certificate | None = None
    bars: pl.DataFrame | None = None
    run: SymbolRun | None = None
    result: StrategyResult | None = None
    trades: pl.DataFrame | None = None
    tick: float | None = None
    ratchet: float | None = None
    pending: str = ""
    problem: str = ""

    @property
    def decision(self) -> Decision | None:
        """What the data derive; None of a symbol that was not certified."""
        if self.judged is not None:
            return self.judged.actual
        return None if self.certificate is None else self.certificate.decision

    @property
    def as_expected(self) -> bool:
        """Whether nothing of it needs to be looked at: it passed, and is no WATCH."""
        passed = self.judged is None or self.judged.passed
        return passed and self.decision in ("ACCEPT", None)


@dataclass(frozen=True, slots=True)
class PastRun:
    """One recorded run. letter: P passed, M refused, E ended in an error, small of a dry run; U: unreadable."""

    instant: datetime
    letter: Literal["P", "M", "E", "U"]
    dry_run: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A page. kind: what it is of; title: what it says first where no gate does. gate, run, before: None of plain
    files. run: the one that the state now makes, nothing of it recorded; before: the newest recorded one. window:
    sessions, trades and runs that are shown, both ends inclusive. standing: by when the gating symbols roll. why: what
    the verdict rests on, the most telling first; follow: the command that goes on from here.
    """

    kind: str
    title: str
    version: str
    instant: datetime | None
    simulated: bool = False
    why: tuple[str, ...] = ()
    follow: str = ""
    gate: GateResult | None = None
    symbols: tuple[SymbolState, ...] = ()
    run: RunSummary | None = None
    before: RunSummary | None = None
    risk_terms: RiskTerms | None = None
    runs: tuple[PastRun, ...] = ()
    standing: Mapping[str, Standing] = field(default_factory=dict)
    window: Window | None = None
    terms: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
