"""Values against limits: both rounded to 1e-9, limits inclusive, and texts that show the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ctl.model.findings import Finding, finding

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPARED_DECIMALS: Final = 9


def exceeds(value: float, limit: float) -> bool:
    """Whether a value lies above an inclusive limit, both rounded to 1e-9."""
    return round(value, COMPARED_DECIMALS) > round(limit, COMPARED_DECIMALS)


def compared(value: float, limit: float) -> tuple[str, str]:
    """Both numbers with two decimals, or with as many as it takes to tell them apart (at most nine)."""
    for decimals in range(2, COMPARED_DECIMALS + 1):
        left, right = f"{value:.{decimals}f}", f"{limit:.{decimals}f}"
        if left != right:
            return left, right
    return f"{value:.2f}", f"{limit:.2f}"


def watch_above(
    check: str,
    text: str,
    code: str,
    value: float,
    limit: float,
    unit: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> Finding:
    """A measured value as a finding: WATCH with its code above the inclusive limit, else PASS without one."""
    if exceeds(value, limit):
        return finding(check, "WATCH", text, code, value, limit, unit, evidence)
    return finding(check, "PASS", text, None, value, limit, unit, evidence)
