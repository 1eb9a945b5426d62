"""The contracts behind a series that ships only its adjusted closes: segments, each with an offset of its own.

The path over (contract, offset) states that minimises the truncated absolute distance of A(t) - offset to
the contract's close, plus a penalty per switch. For a given segment the best offset is one of the
differences A(t) - close(t) seen in it (the cost is piecewise linear in the offset, and only those points
are convex kinks), so the differences themselves are the candidates and the dynamic program is exact. Two
economies for a contract with more candidates than its part of `MAX_STATES`: differences less than a tick apart
share their median as one candidate, and of what is left it keeps those that most sessions lie near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from ctl.certify.fingerprint import CAP_TICKS, HeldPath

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.certify.contract_closes import ContractCloses

# States alive on one session, shared among the contracts listed then; no contract has fewer candidates than the
# second figure or more than the third.
MAX_STATES: Final = 8192
FEWEST_CANDIDATES: Final = 48
MOST_CANDIDATES: Final = 256
_UNITS_PER_TICK: Final = 1e6
_COMPARED_DECIMALS: Final = 9
_UNREACHABLE: Final = 2.0**52


def free_offset_path(
    adjusted: npt.NDArray[np.float64],
    index: npt.NDArray[np.int64],
    closes: ContractCloses,
    *,
    tick: float,
    cap_ticks: float = CAP_TICKS,
    penalty_ticks: float = CAP_TICKS,
) -> HeldPath:
    """The contract path of an adjusted series over shared sessions, and what to take off it.

    adjusted: finite closes (T); index: their positions in `closes.sessions`, ascending (T). Contracts never
    go back in expiry; the same contract may follow itself with another offset. A missing close costs the cap.
    Ties go to the latest roll: on the gap session both contracts fit; a roll goes to the nearest of equally good
    contracts, and to the offset of it that lasts longest. `offsets` of the result are constant
    over a segment: adjusted - offsets is the recovered unadjusted series.
    """
    count = len(closes.names)
    nothing = HeldPath(np.empty(0, np.int64), np.empty(0), np.empty(0), cap_ticks)
    if len(index) == 0 or count == 0:
        return nothing
    values = np.ascontiguousarray(adjusted, dtype=np.float64)
    at = np.ascontiguousarray(index, dtype=np.int64)
    limit = _candidate_limit(closes)
    candidates = [_candidates(values, at, closes, k, tick, limit) for k in range(count)]
    begin = np.zeros(count + 1, dtype=np.int64)
    np.cumsum([len(c) for c in candidates], out=begin[1:])
    offsets = np.concatenate(candidates)
    state = _best_states(
        values,
        at,
        closes.first,
        closes.last,
        closes.start,
        closes.flat,
        begin,
        offsets,
        float(tick),
        float(round(cap_ticks * _UNITS_PER_TICK)),
        float(round(penalty_ticks * _UNITS_PER_TICK)),
    )
    if len(state) == 0:
        return nothing
    held = (np.searchsorted(begin, state, side="right") - 1).astype(np.int64)
    distance = np.abs(values - offsets[state] - closes.close(held, at)) / tick
    residual = np.where(np.isnan(distance), cap_ticks, np.minimum(distance, cap_ticks))
    return HeldPath(held, residual, offsets[state], cap_ticks)


def _candidate_limit(closes: ContractCloses) -> int:
    """Candidates per contract, by the largest number of contracts listed on one session."""
    change = np.zeros(len(closes.sessions) + 1, dtype=np.int64)
    np.add.at(change, closes.first, 1)
    np.add.at(change, closes.last + 1, -1)
    listed = int(np.cumsum(change).max())
    return min(max(MAX_STATES // max(listed, 1), FEWEST_CANDIDATES), MOST_CANDIDATES)


def _candidates(
    values: npt.NDArray[np.float64],
    index: npt.NDArray[np.int64],
    closes: ContractCloses,
    k: int,
    tick: float,
    limit: int,
) -> npt.NDArray[np.float64]:
    """Offsets worth trying for contract k: its differences, most supported first; [0] if it has none."""
    a, b = np.searchsorted(index, [closes.first[k], closes.last[k] + 1])
    row = closes.flat[closes.start[k] + index[a:b] - closes.first[k]]
    differences = np.sort((values[a:b] - row)[~np.isnan(row)])
    if len(differences) == 0:
        return np.zeros(1)
    starts = np.flatnonzero(np.diff(np.round(differences, _COMPARED_DECIMALS), prepend=-np.inf))
    if len(starts) > limit:
        # Neighbours belong together until the bin they opened is a tick wide.
        number = np.floor((differences - differences[0]) / tick + 0.5).astype(np.int64)
        starts = np.flatnonzero(np.diff(number, prepend=-1))
    ends = np.append(starts[1:], len(differences))
    middles = differences[(starts + ends - 1) // 2]
    near = np.searchsorted(differences, middles + 2 * tick, side="right")
    near = near - np.searchsorted(differences, middles - 2 * tick, side="left")
    return np.asarray(middles[np.argsort(-near, kind="stable")][:limit], dtype=np.float64)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba ships no types
def _minimum(values: npt.NDArray[np.float64], start: int, end: int) -> float:
    """Least of values[start:end], in four lanes."""
    a = b = c = d = np.inf
    whole = end - (end - start) % 4
    for i in range(start, whole, 4):
        a = min(a, values[i])
        b = min(b, values[i + 1])
        c = min(c, values[i + 2])
        d = min(d, values[i + 3])
    for i in range(whole, end):
        a = min(a, values[i])
    return min(a, b, c, d)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba ships no types
def _latest(costs: npt.NDArray[np.float64], until: npt.NDArray[np.int64], start: int, end: int, cost: float) -> int:
    """Of the states from start to end that cost just that, the one that is left last; -1 for none."""
    found, latest = -1, -1
    for s in range(start, end):
        if costs[s] == cost and until[s] > latest:
            found, latest = s, until[s]
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba ships no types
def _best_states(
    values: npt.NDArray[np.float64],
    index: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    flat: npt.NDArray[np.float64],
    begin: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.float64],
    tick: float,
    cap: float,
    penalty: float,
) -> npt.NDArray[np.int64]:
    """Index into `offsets` per session along the path of least cost; empty where no monotone path exists."""
    sessions, contracts = len(values), len(first)
    low = np.empty(sessions, np.int64)
    high = np.empty(sessions, np.int64)
    row = np.zeros(sessions + 1, np.int64)
    line = np.zeros(sessions + 1, np.int64)
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
    for t in range(sessions):
        span = max(0, high[t] - low[t] + 1)
        line[t + 1] = line[t] + span
        row[t + 1] = row[t] + (begin[high[t] + 1] - begin[low[t]] if span else 0)
    # Whether to leave a state after session t, and the state to go to from each contract.
    leave = np.zeros(row[sessions], np.uint8)
    target = np.full(line[sessions], -1, np.int64)
    # Costs are whole numbers held as floats, exact below 2**53: the loops over states then run on vectors.
    ahead = np.full(len(offsets), _UNREACHABLE)
    # Per state the session after which it is left.
    until = np.full(len(offsets), sessions, np.int64)
    # Per contract the least of its states on the session after.
    least = np.full(contracts, _UNREACHABLE)
    scale = _UNITS_PER_TICK / tick
    for t in range(sessions - 1, -1, -1):
        best, best_state = _UNREACHABLE, -1
        top = high[t] if t == sessions - 1 else high[t + 1]
        for k in range(top, low[t] - 1, -1):
            if least[k] <= best and least[k] < _UNREACHABLE:
                best, best_state = least[k], _latest(ahead, until, begin[k], begin[k + 1], least[k])
            if k > high[t] or index[t] < first[k] or index[t] > last[k]:
                ahead[begin[k] : begin[k + 1]] = _UNREACHABLE
                least[k] = _UNREACHABLE
                continue
            target[line[t] + k - low[t]] = best_state
            difference = values[t] - flat[start[k] + index[t] - first[k]]
            if t == sessions - 1:
                ahead[begin[k] : begin[k + 1]] = 0.0
            leaving = best + penalty if t < sessions - 1 else _UNREACHABLE
            place = row[t] - begin[low[t]]
            if np.isnan(difference):
                for s in range(begin[k], begin[k + 1]):
                    leave[place + s] = ahead[s] > leaving
                    until[s] = t if ahead[s] > leaving else until[s]
                    ahead[s] = min(ahead[s], leaving) + cap
            else:
                for s in range(begin[k], begin[k + 1]):
                    leave[place + s] = ahead[s] > leaving
                    until[s] = t if ahead[s] > leaving else until[s]
                    cost = np.floor(abs(difference - offsets[s]) * scale + 0.5)
                    ahead[s] = min(ahead[s], leaving) + min(cost, cap)
            least[k] = _minimum(ahead, begin[k], begin[k + 1])
    state = -1
    lowest = _UNREACHABLE
    for k in range(low[0], high[0] + 1):
        if least[k] < lowest:
            lowest, state = least[k], _latest(ahead, until, begin[k], begin[k + 1], least[k])
    if state < 0:
        return np.empty(0, np.int64)
    path = np.empty(sessions, np.int64)
    k = low[0]
    for t in range(sessions):
        path[t] = state
        if t < sessions - 1 and leave[row[t] + state - begin[low[t]]]:
            while begin[k + 1] <= state:
                k += 1
            state = target[line[t] + k - low[t]]
    return path
