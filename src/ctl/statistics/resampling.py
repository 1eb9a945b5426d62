"""The stationary bootstrap (Politis and Romano 1994) of a mean, and its block length.

Block length: Politis and White 2004, corrected by Patton, Politis and White 2009.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ctl.kernels import kernel

if TYPE_CHECKING:
    Floats = npt.NDArray[np.float64]

DRAWS: Final = 2_000
_SEED: Final = 20_260_301
_FULL_WEIGHT: Final = 0.5  # of the flat-top lag window, up to this share of its width


@kernel
def resample(values: Floats, restart: float, seed: int, means: Floats, errors: Floats) -> None:
    """Fill in the mean and its standard error (as if independent) of len(means) stationary resamples of `values`.

    restart: chance that a block ends after a value, 1 / mean block length; blocks wrap around. Draws are those of
    splitmix64 from `seed`: the same on every machine.
    """
    count = len(values)
    state = np.uint64(seed)
    for draw in range(len(means)):
        total = 0.0
        squares = 0.0
        at = 0
        for k in range(count):
            state += np.uint64(0x9E3779B97F4A7C15)
            mixed = state
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed = mixed ^ (mixed >> np.uint64(31))
            chance = np.float64(mixed >> np.uint64(32)) / 4294967296.0
            where = np.float64(mixed & np.uint64(0xFFFFFFFF)) / 4294967296.0
            if k == 0 or chance < restart:
                at = int(where * count)
            else:
                at += 1
                if at == count:
                    at = 0
            total += values[at]
            squares += values[at] * values[at]
        mean = total / count
        means[draw] = mean
        errors[draw] = math.sqrt(max(squares / count - mean * mean, 0.0) / count)


def block_length(values: Floats) -> float:
    """The mean block length that suits the dependence of `values`, between 1 and min(3 sqrt(n), n / 3), rounded up."""
    count = len(values)
    longest = math.ceil(min(3.0 * math.sqrt(count), count / 3.0))
    run = max(5, int(math.log10(count)))
    most = min(math.ceil(math.sqrt(count)) + run, count - 1)
    from_mean = values - values.mean()
    covariance = np.array([from_mean[lag:] @ from_mean[: count - lag] for lag in range(most + 1)]) / count
    if covariance[0] <= 0.0:
        return 1.0
    negligible = np.abs(covariance[1:] / covariance[0]) < 2.0 * math.sqrt(math.log10(count) / count)
    width = min(2 * _first_negligible_lag(negligible, run), most)
    lags = np.arange(1, width + 1)
    weights = np.minimum(1.0, (1.0 - lags / width) / (1.0 - _FULL_WEIGHT))
    spectrum = covariance[0] + 2.0 * float(weights @ covariance[1 : width + 1])
    slope = 2.0 * float((weights * lags) @ covariance[1 : width + 1])
    if spectrum == 0.0:
        return float(longest)
    return float(min(max(((slope / spectrum) ** 2 * count) ** (1.0 / 3.0), 1.0), longest))


def mean_distribution(values: Floats, length: float) -> tuple[Floats, Floats]:
    """DRAWS resampled means of `values` in blocks of that mean length, and the standard error of each."""
    means, errors = np.empty(DRAWS), np.empty(DRAWS)
    resample(np.ascontiguousarray(values, np.float64), 1.0 / length, _SEED, means, errors)
    return means, errors


def _first_negligible_lag(negligible: npt.NDArray[np.bool_], run: int) -> int:
    """The first lag from which on `run` autocorrelations in a row are negligible; the last lag where none is."""
    for at in range(len(negligible) - run + 1):
        if negligible[at : at + run].all():
            return at + 1
    return len(negligible)
