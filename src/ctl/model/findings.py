"""Findings of the certification layers, and the reasons of a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Status = Literal["PASS", "WATCH", "FAIL", "NOT_RUN", "ERROR"]
Decision = Literal["ACCEPT", "WATCH", "REJECT", "ERROR"]
Severity = Literal["WATCH", "REJECT", "ERROR"]
Recommendation = Literal["GO", "CONDITIONAL GO", "NO-GO"]

_WORST_FIRST: Final[tuple[Status, ...]] = ("ERROR", "FAIL", "WATCH", "PASS")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of one layer. `evidence` is JSON-ready."""

    layer: str
    check: str
    status: Status
    text: str
    code: str | None = None
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a decision is not ACCEPT: one breached limit or failed layer."""

    code: str
    severity: Severity
    text: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class LayerResult:
    """One layer of a certification. text: why it was not run or could not finish, else a summary.

    NOT_RUN and ERROR are never PASS: `ran` is what decides whether a layer may be relied on.
    """

    layer: str
    title: str
    status: Status
    text: str
    findings: tuple[Finding, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ran(self) -> bool:
        """Whether the layer reached a verdict, good or bad."""
        return self.status in {"PASS", "WATCH", "FAIL"}


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 bar`, `2 bars`: a number with what is counted. many: the plural where it is not `one` and an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def worst_status(statuses: Iterable[Status]) -> Status:
    """The status of a whole from its parts: ERROR, FAIL, WATCH, then PASS; NOT_RUN only where nothing ran."""
    found = set(statuses)
    for status in _WORST_FIRST:
        if status in found:
            return status
    return "NOT_RUN"
