"""Whether the sign of R/trade holds when the rules of the series or the costs are changed a little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ctl.model.statistics import RUnder, Sign

_SCRATCH: Final = 1e-12


def sign_of(mean: float | None) -> Sign:
    """The sign of a mean R; `none` where no trade was made."""
    if mean is None:
        return "none"
    return "zero" if abs(mean) < _SCRATCH else "positive" if mean > 0.0 else "negative"


def stability_text(sign: Sign, changes: Mapping[str, Sequence[RUnder]]) -> str:
    """`negative at 0-3 ticks of slippage and at rolls of 1-5 days`, or which changes turn it.

    changes: words for a kind of change (`rolls of 1-5 days`) to what was found under each.
    """
    if sign == "none":
        return "no trade"
    held = [name for name, found in changes.items() if found and all(sign_of(item.mean_r) == sign for item in found)]
    turned = [
        f"{sign_of(item.mean_r).replace('none', 'no trade')} at {item.change} ({_mean(item)})"
        for found in changes.values()
        for item in found
        if sign_of(item.mean_r) != sign
    ]
    kept = f"{sign} at {', at '.join([*held[:-2], ' and at '.join(held[-2:])])}" if held else ""
    if not turned:
        return kept or f"{sign}; nothing was varied"
    return f"{kept or sign}; not stable: {', '.join(turned)}"


def _mean(item: RUnder) -> str:
    return "-" if item.mean_r is None else f"{item.mean_r:+.2f}"
