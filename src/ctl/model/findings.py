"""Findings of the certification layers, and the reasons of a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10
from typing import Any, Final, Generic, Literal, TypeVar

Status = Literal["PASS", "WATCH", "FAIL", "NOT_RUN", "ERROR", "N/A"]
"""N/A: of a layer that such an instrument does not have."""
Decision = Literal["ACCEPT", "WATCH", "REJECT", "ERROR"]
Severity = Literal["WATCH", "REJECT", "ERROR"]
Recommendation = Literal["GO", "CONDITIONAL GO", "NO-GO"]
LayerName = Literal["L0", "L1", "L2", "L3", "L4", "L5"]

TITLES: Final[Mapping[LayerName, str]] = {
    "L0": "identity",
    "L1": "raw data",
    "L2": "roll schedule",
    "L3": "roll gaps",
    "L4": "drift",
    "L5": "functional parity",
}
_MOST_DIGITS: Final = 9
_WORST_FIRST: Final[tuple[Status, ...]] = ("ERROR", "FAIL", "WATCH", "PASS")
Measured_co = TypeVar("Measured_co", covariant=True)
Default = TypeVar("Default")
Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one layer, as published. `evidence` is JSON-ready."""

    check: str
    status: Status
    code: str | None
    text: str
    value: float | None
    limit: float | None
    unit: str
    evidence: Mapping[str, Any]


def finding(
    check: str,
    status: Status,
    text: str,
    code: str | None = None,
    value: float | None = None,
    limit: float | None = None,
    unit: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> Finding:
    """A finding, of which most checks have a status and a text alone."""
    return Finding(check, status, code, text, value, limit, unit, evidence or {})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a decision is not ACCEPT: one breached limit or failed layer. value, limit: in `unit`; None: undefined."""

    code: str
    severity: Severity
    text: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class NotRun:
    """In place of a value that could not be had: why.

    failed: the work was begun and raised. code: what kept it from being done, where that has a name.
    """

    reason: str
    failed: bool = False
    code: str | None = None


@dataclass(frozen=True, slots=True)
class NoFigures:
    """The figures of a layer that publishes none, or did not come to any."""


@dataclass(frozen=True, slots=True)
class LayerReport(Generic[Figures]):
    """One layer as published. NOT_RUN and ERROR are never PASS; the text says why."""

    title: str
    status: Status
    text: str
    findings: tuple[Finding, ...]
    values: Figures | NoFigures

    @property
    def ran(self) -> bool:
        """Whether the layer reached a verdict, good or bad: only then it may be relied on."""
        return self.status in {"PASS", "WATCH", "FAIL"}

    def finding(self, check: str) -> Finding | None:
        """The finding of one check; None where the check was not made."""
        return next((found for found in self.findings if found.check == check), None)


@dataclass(frozen=True, slots=True)
class LayerResult(Generic[Measured_co]):
    """What one layer found: the report that is published, and what it measured, which later layers rest on."""

    layer: LayerName
    report: LayerReport[Any]
    measured: Measured_co | NotRun

    @classmethod
    def of(
        cls,
        layer: LayerName,
        status: Status,
        text: str,
        findings: Iterable[Finding] = (),
        *,
        measured: Measured_co | NotRun,
        figures: Any = None,
    ) -> LayerResult[Measured_co]:
        """A layer that ran. figures: the published record of its values."""
        values = NoFigures() if figures is None else figures
        return cls(layer, LayerReport(TITLES[layer], status, text, tuple(findings), values), measured)

    @classmethod
    def absent(cls, layer: LayerName, why: NotRun | str) -> LayerResult[Any]:
        """A layer that lacks an input: NOT_RUN, with the reason."""
        missing = NotRun(why) if isinstance(why, str) else why
        return cls.of(layer, "NOT_RUN", missing.reason, measured=missing)

    @classmethod
    def not_applicable(cls, layer: LayerName, why: str) -> LayerResult[Any]:
        """A layer that such an instrument does not have."""
        return cls(layer, LayerReport("of futures alone", "N/A", why, (), NoFigures()), NotRun(why))

    @classmethod
    def error(cls, layer: LayerName, why: NotRun) -> LayerResult[Any]:
        """A layer that could not finish."""
        return cls.of(layer, "ERROR", why.reason, measured=why)

    @property
    def status(self) -> Status:
        """The layer's status."""
        return self.report.status

    @property
    def text(self) -> str:
        """Why it was not run or could not finish, else a summary."""
        return self.report.text

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every check of the layer, in its order."""
        return self.report.findings

    def measured_or(self, default: Default) -> Measured_co | Default:
        """What the layer measured, or `default` where it did not."""
        return default if isinstance(self.measured, NotRun) else self.measured


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 bar`, `2 bars`: a number with what is counted. many: the plural where it is not `one` and an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def tick_digits(tick: float) -> int:
    """Decimals of a price on a grid, two at least: 5 of 1/32."""
    return max(2, len(f"{tick:.{_MOST_DIGITS}f}".rstrip("0").partition(".")[2]))


def in_points(value: float | None) -> str:
    """A difference of prices whose grid is not at hand: two decimals, below 0.1 three figures; `-` for none."""
    if value is None:
        return "-"
    value = round(value, _MOST_DIGITS) or 0.0  # nothing is minus zero
    digits = 2 if abs(value) >= 0.1 or not value else min(2 - floor(log10(abs(value))), _MOST_DIGITS)
    whole, _, decimals = f"{value:.{digits}f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def in_full(value: float, figures: int = 10, *, signed: bool = False) -> str:
    """A price, or a difference of prices, in at most so many figures; without an exponent, but where it is noise."""
    text = f"{value:{'+' if signed else ''}.{figures}g}"
    return f"{Decimal(text):{'+' if signed else ''}f}" if "e" in text and abs(value) >= 10**-_MOST_DIGITS else text


def in_ticks(value: float, tick: float) -> str:
    """A difference of prices with the digits of their grid, and two figures of what is smaller."""
    least = 1 - floor(log10(abs(value))) if value else 0
    return f"{value:,.{min(max(tick_digits(tick), least), _MOST_DIGITS)}f}"


MOST_NAMED: Final = 3


def first_few(told: Sequence[str], kind: tuple[str, str] | None = None) -> str:
    """`a, b, c and 2 more`; with a kind (one and many, may be empty) clauses: `a; b; c; and 2 more holes`."""
    left = len(told) - MOST_NAMED
    shown = (", " if kind is None else "; ").join(told[:MOST_NAMED])
    if left <= 0:
        return shown
    return f"{shown} and {left} more" if kind is None else f"{shown}; and {left} more {kind[left > 1]}".rstrip()


def worst_status(statuses: Iterable[Status]) -> Status:
    """The status of a whole from its parts: ERROR, FAIL, WATCH, then PASS; NOT_RUN only where nothing ran."""
    found = set(statuses)
    for status in _WORST_FIRST:
        if status in found:
            return status
    return "NOT_RUN"
