"""Findings of the certification layers, and the reasons of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["PASS", "WATCH", "FAIL", "NOT_RUN", "ERROR"]
Decision = Literal["ACCEPT", "WATCH", "REJECT", "ERROR"]
Severity = Literal["WATCH", "REJECT", "ERROR"]
Recommendation = Literal["GO", "CONDITIONAL GO", "NO-GO"]


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
