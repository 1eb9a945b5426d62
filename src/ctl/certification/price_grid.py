"""The grid that prices lie on, read from the prices themselves."""

from __future__ import annotations

from typing import Final

import numpy as np

from ctl.arrays import Floats

TOLERATED_OFF_GRID: Final = 0.01
_RELATIVE_NOISE: Final = 1e-9
_MAX_DECIMALS: Final = 8
_FEW: Final = 64
_PRIMES: Final = (2, 3, 5, 7)


def off_grid_share(prices: Floats, step: float) -> float:
    """Share of finite prices that are no multiple of `step`, but for rounding noise of doubles; NaN without prices."""
    finite = np.isfinite(prices)
    known = prices if finite.all() else prices[finite]
    if not known.size:
        return float("nan")
    steps = known / step
    distance = np.abs(steps - np.rint(steps)) * step
    # No price's noise is below that of 1: what lies nearer to the grid than that is on it, whatever the price.
    off = distance > _RELATIVE_NOISE
    noise = _RELATIVE_NOISE * np.maximum(np.abs(known[off]), 1.0)
    return float(np.count_nonzero(distance[off] > noise) / known.size)


def on_grid(prices: Floats, step: float) -> bool:
    """Whether every finite price is a multiple of `step`, as `off_grid_share` counts; True without prices."""
    # Most grids that are asked for are refuted by the first few prices.
    return not off_grid_share(prices[:_FEW], step) > 0.0 and not off_grid_share(prices, step) > 0.0


def infer_grid(prices: Floats) -> float | None:
    """The coarsest step that all but 1 % of the prices are multiples of; None where rounding noise hides it.

    First the fewest decimals that carry the prices, then the largest number of such decimals that divides them.
    """
    known = prices[np.isfinite(prices)]
    if not known.size or not np.any(known):
        return None
    # A decimal within a few times the noise of a price would have every price on its grid.
    finest = 10.0 * _RELATIVE_NOISE * max(float(np.median(np.abs(known))), 1.0)
    for decimals in range(_MAX_DECIMALS + 1):
        scale = 10.0**decimals
        if 1.0 / scale < finest:
            return None
        if off_grid_share(known, 1.0 / scale) <= TOLERATED_OFF_GRID:
            break
    else:
        return None
    units = np.rint(known * scale).astype(np.int64)
    step = 1
    for prime in _PRIMES:
        while np.count_nonzero(units % (step * prime)) <= TOLERATED_OFF_GRID * units.size:
            step *= prime
    return step / scale


def divides(step: float, whole: float) -> bool:
    """Whether `whole` is an integer multiple of `step`, to 1e-9."""
    parts = whole / step
    return parts > 0.5 and abs(parts - round(parts)) <= 1e-9 * max(1.0, parts)
