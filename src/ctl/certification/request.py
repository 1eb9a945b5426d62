"""What a certification needs, all of it as values: the room reads no file, clock or network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any

from ctl.arrays import Days, Floats
from ctl.errors import DataError

if TYPE_CHECKING:
    from ctl.certification.functional_input import FunctionalInput, RunBars
    from ctl.errors import CtlError
    from ctl.model.bars import ContractBars, DailySeries
    from ctl.model.reference import Reference
    from ctl.model.rolls import ContinuousSeries, ScheduledRoll

Recovered = Callable[[Days, Floats], "FunctionalInput | None"]
RunOn = Callable[["ContinuousSeries"], "tuple[FunctionalInput | None, Recovered | None]"]
Rebuild = Callable[[tuple["ScheduledRoll", ...]], "ContinuousSeries"]


@dataclass(frozen=True, slots=True)
class EquityBasis:
    """What both sides of an equity were adjusted for before they were brought here, made by the caller.

    text: the bases and the common one. refusal: code and text where there is no common basis: nothing is compared.
    notes: where a series is not in the basis that it states. closes: the canonical closes as read (n), whose tick
    grid is the exchange's. residuals: of each action its session, whether a split or a dividend, and the log price that
    it leaves between both sides on the common basis. document: the evidence, JSON-ready.
    """

    text: str
    refusal: tuple[str, str] | None
    notes: tuple[str, ...]
    closes: Floats
    document: Mapping[str, Any]
    residuals: tuple[tuple[date, str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class CertifyRequest:
    """One symbol to certify. An absent input (None) makes the layers that need it NOT_RUN.

    tick: the profile's price grid in quote units. max_day_delta: the farthest a canonical and a
    reference roll may lie apart and still pair, in trading days, inclusive.
    calendar_sessions: datetime64[D], the exchange's sessions over the range of the data, ascending.
    other_contracts: bars of the workspace's other roots, to name a mix-up.
    rebuild: builds our contracts on a given schedule (first session on each new contract).
    functional: triggers and trades of the strategy on both sides, made by the caller. run_on_recovered: makes them once
    the reference is recovered, where it ships its adjusted series alone: from its sessions and what each adjusted
    price carries above the contract's own, on which the strategy's percentages rest. run_on: both of another series of
    ours, so that every series that is judged has its own L5.
    run_bars: runs the strategy on series made between ours and the reference's, to tell what moves a trade.
    currency: compared with the vendor's definition records where both are known.
    intended_bases: the caller means to compare series of different adjustment bases.
    alternatives: our series built from other closes (settlement, session-true bars), judged beside the decision;
        an error where its files were meant to be read and could not.
    equity_basis: of an equity with known actions, the basis that both sides are on.
    """

    symbol: str
    root: str
    tick: float
    max_day_delta: int
    quote_unit: str
    contracts: ContractBars | None
    canonical: ContinuousSeries | DailySeries | None
    reference: Reference | None
    acceptance_policy: str = "v1"
    calendar_sessions: Days | None = None
    other_contracts: Mapping[str, ContractBars] = field(default_factory=dict)
    rebuild: Rebuild | None = None
    functional: FunctionalInput | None = None
    run_on_recovered: Recovered | None = None
    run_on: RunOn | None = None
    run_bars: RunBars | None = None
    package_version: str = ""
    currency: str = ""
    intended_bases: bool = False
    alternatives: Mapping[str, ContinuousSeries | CtlError] = field(default_factory=dict)
    equity_basis: EquityBasis | None = None

    def validate(self) -> None:
        """Raise DataError for a request that no certificate can answer."""
        where = f"certification of {self.symbol}"
        if not (isfinite(self.tick) and self.tick > 0):
            raise DataError("tick is not positive", where=where, found=repr(self.tick), expected="a price step > 0")
        if self.max_day_delta < 0:
            raise DataError("max_day_delta is negative", where=where, found=str(self.max_day_delta), expected=">= 0")
        if self.acceptance_policy == "e1" and self.contracts is not None:
            raise DataError("policy e1 judges shares", where=where, found="contracts", expected="v1 or v2")
