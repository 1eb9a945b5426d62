"""What a person or a profile asks of one certification."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertifyTerms:
    """The profile's (or the command line's) terms of one certification. tick and slippage in quote units."""

    tick: float
    max_day_delta: int
    quote_unit: str
    calendar: str | None
    currency: str = ""
    acceptance_policy: str = "v1"
    slippage_per_side: float = 0.0
