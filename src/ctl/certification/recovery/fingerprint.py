"""Which contract a series held on which day, read off the contracts' own closes.

Two shortest-path problems over (session, contract), solved exactly by dynamic programming backwards in
time. Costs are whole millionths of a tick, so that equal paths compare equal and the tie rules decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Floats, Ints
from ctl.certification.series_arrays import median
from ctl.kernels import kernel

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses

CAP_TICKS: Final = 40.0
PENALTY_TICKS: Final = 40.0
# Prices at most so far apart in the median are the same prices.
SAME_PRICE_TICKS: Final = 0.5
MAX_STEPS_WITHIN_CONTRACTS: Final = 3
_UNITS_PER_TICK: Final = 1e6
_UNREACHABLE: Final = 2**61


@dataclass(frozen=True, slots=True)
class HeldPath:
    """The contracts a series held over T sessions.

    contract_on_day: contract index per session (T); non-decreasing; empty where no path exists.
    residual_ticks: distance to the held contract's close, at most the cap (T).
    offsets: what was taken off the series to meet that close (T); zeros for an unadjusted series.
    """

    contract_on_day: Ints
    residual_ticks: Floats
    offsets: Floats
    cap_ticks: float

    @property
    def median_residual_ticks(self) -> float | None:
        """None where there is no path."""
        return median(self.residual_ticks) if len(self.contract_on_day) else None

    @property
    def matches(self) -> bool:
        """Whether the path is a match at all: median residual not above half the cap."""
        median = self.median_residual_ticks
        return median is not None and round(median, 9) <= self.cap_ticks / 2

    @property
    def same_prices(self) -> bool:
        """Whether the prices are the contracts' own, in the median."""
        median = self.median_residual_ticks
        return median is not None and round(median, 9) <= SAME_PRICE_TICKS


def no_match(path: HeldPath, *, by_ratio: bool = False) -> str | None:
    """Why a path is no match; None where it is one. by_ratio: factors fit the series, offsets do not."""
    if not len(path.contract_on_day):
        return "no path through the contracts"
    if not path.matches:
        return "median residual above half the cap"
    if by_ratio:
        return "adjusted by ratios"
    between = int(np.count_nonzero(np.diff(path.contract_on_day)))
    within = int(np.count_nonzero((np.diff(path.offsets) != 0) & (np.diff(path.contract_on_day) == 0)))
    # Free offsets follow any series, another instrument's too, if they may step often enough.
    if within > max(between, MAX_STEPS_WITHIN_CONTRACTS):
        return f"{within} steps within contracts against {between} changes of contract"
    return None


def fingerprint(
    unadjusted: Floats,
    index: Ints,
    closes: ContractCloses,
    *,
    tick: float,
    cap_ticks: float = CAP_TICKS,
    penalty_ticks: float = PENALTY_TICKS,
) -> HeldPath:
    """The contract path of an unadjusted series over shared sessions.

    unadjusted: finite closes (T); index: their positions in `closes.sessions`, ascending (T). A contract
    is listed from its first to its last bar, both inclusive. Among all paths non-decreasing in expiry the
    one of least sum of min(|unadjusted - close| / tick, cap) + penalty * switches; a missing close costs
    the cap; ties go to the earliest roll, then to the nearest expiry.
    """
    if len(index) == 0 or len(closes.names) == 0:
        return _no_path(cap_ticks)
    contract_on_day, residual = _shortest_path(
        np.ascontiguousarray(unadjusted, dtype=np.float64),
        np.ascontiguousarray(index, dtype=np.int64),
        closes.first,
        closes.last,
        closes.start,
        closes.flat,
        float(tick),
        round(cap_ticks * _UNITS_PER_TICK),
        round(penalty_ticks * _UNITS_PER_TICK),
    )
    if len(contract_on_day) == 0:
        return _no_path(cap_ticks)
    return HeldPath(contract_on_day, residual, np.zeros(len(contract_on_day)), cap_ticks)


def _no_path(cap_ticks: float) -> HeldPath:
    return HeldPath(np.empty(0, np.int64), np.empty(0), np.empty(0), cap_ticks)


@kernel
def close_cost(value: float, close: float, tick: float, cap: int) -> int:
    """min(|value - close| / tick, cap) in millionths of a tick; the cap where the close is missing."""
    if np.isnan(close):
        return cap
    distance = abs(value - close) / tick * _UNITS_PER_TICK
    if not distance < cap:
        return cap
    return int(np.floor(distance + 0.5))


@kernel
def listed_range(index: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Per session the lowest contract not yet ended and the highest one begun; both never decrease."""
    sessions, contracts = len(index), len(first)
    low = np.empty(sessions, np.int64)
    high = np.empty(sessions, np.int64)
    k = 0
    for t in range(sessions):
        while k < contracts - 1 and last[k] < index[t]:
            k += 1
        low[t] = k
    k = contracts - 1
    for t in range(sessions - 1, -1, -1):
        while k > 0 and first[k] > index[t]:
            k -= 1
        high[t] = k
    return low, high


@kernel
def _shortest_path(
    values: Floats, index: Ints, first: Ints, last: Ints, start: Ints, flat: Floats, tick: float, cap: int, penalty: int
) -> tuple[Ints, Floats]:
    """Path of least cost and its residuals in ticks; both empty where no monotone path exists."""
    sessions, contracts = len(values), len(first)
    low, high = listed_range(index, first, last)
    row = np.empty(sessions + 1, np.int64)
    row[0] = 0
    for t in range(sessions):
        row[t + 1] = row[t] + max(0, high[t] - low[t] + 1)
    # Contract held on the next session, given the one held now.
    following = np.empty(row[sessions], np.int64)
    # Least cost from session t to the end, by contract held at t; rewritten in place from t + 1 to t.
    ahead = np.empty(contracts, np.int64)
    ahead[:] = _UNREACHABLE
    for t in range(sessions - 1, -1, -1):
        best, best_k = _UNREACHABLE, -1
        if t < sessions - 1:
            for k in range(high[t + 1], high[t], -1):
                if ahead[k] <= best:
                    best, best_k = ahead[k], k
                ahead[k] = _UNREACHABLE
        for k in range(high[t], low[t] - 1, -1):
            stay = ahead[k]
            if index[t] < first[k] or index[t] > last[k]:
                ahead[k] = _UNREACHABLE
            else:
                cost = close_cost(values[t], flat[start[k] + index[t] - first[k]], tick, cap)
                if t == sessions - 1:
                    ahead[k] = cost
                elif best + penalty <= stay and best < _UNREACHABLE:
                    ahead[k] = cost + penalty + best
                    following[row[t] + k - low[t]] = best_k
                elif stay < _UNREACHABLE:
                    ahead[k] = cost + stay
                    following[row[t] + k - low[t]] = k
                else:
                    ahead[k] = _UNREACHABLE
            if stay <= best and t < sessions - 1:
                best, best_k = stay, k
    k = -1
    best = _UNREACHABLE
    for j in range(low[0], high[0] + 1):
        if ahead[j] < best:
            best, k = ahead[j], j
    if k < 0:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    contract_on_day = np.empty(sessions, np.int64)
    residual = np.empty(sessions, np.float64)
    for t in range(sessions):
        contract_on_day[t] = k
        residual[t] = close_cost(values[t], flat[start[k] + index[t] - first[k]], tick, cap) / _UNITS_PER_TICK
        if t < sessions - 1:
            k = following[row[t] + k - low[t]]
    return contract_on_day, residual
