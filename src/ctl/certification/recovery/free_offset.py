"""The contracts behind a series that ships only its adjusted prices: segments, each with an offset of its own.

The path over (contract, offset) states that minimises the truncated absolute distance of A(t) - offset to
the contract's price, plus a penalty per change of contract and a greater one per step of the offset within a
contract: vendors roll every few weeks and misadjust rarely, and at the price of a roll every few sessions' noise
would buy a fresh offset. For a given segment the best offset is one of the differences A(t) - price(t) seen in
it (the cost is piecewise linear in the offset, and only those points are convex kinks), so the differences
themselves are the candidates and the dynamic program is exact. Two economies for a contract with more candidates
than its part of `MAX_STATES`: differences less than a tick apart share their median as one candidate, and of what
is left it keeps those that most sessions lie near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Floats, Ints
from ctl.certification.recovery.fingerprint import CAP_TICKS, HeldPath, listed_range
from ctl.kernels import kernel

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses

# States alive on one session, shared among the contracts listed then; no contract has fewer candidates than the
# second figure or more than the third.
MAX_STATES: Final = 8192
FEWEST_CANDIDATES: Final = 48
MOST_CANDIDATES: Final = 256
# A step of the offset within a contract costs as many caps.
STEP_CAPS: Final = 2.0
_UNITS_PER_TICK: Final = 1e6
_COMPARED: Final = 1e9
_UNREACHABLE: Final = 2.0**52


def free_offset_path(
    adjusted: Floats,
    index: Ints,
    closes: ContractCloses,
    *,
    tick: float,
    prices: Floats | None = None,
    cap_ticks: float = CAP_TICKS,
    penalty_ticks: float = CAP_TICKS,
    step_ticks: float = STEP_CAPS * CAP_TICKS,
    most_candidates: int = MOST_CANDIDATES,
) -> HeldPath:
    """The contract path of an adjusted series over shared sessions, and what to take off it.

    adjusted: closes (T), or prices of several kinds (F, T), NaN where missing. index: their positions in
    `closes.sessions`, ascending (T). prices: of the same kinds per contract, laid out as `closes.flat` (F, N);
    without them the closes. penalty_ticks: of a change of contract. step_ticks: of another offset for the same
    contract. most_candidates: offsets tried per contract; where the prices are the contract's own, few stand out.
    Contracts never go back in expiry. A missing price costs the cap.
    Ties go to the latest roll: on the gap session both contracts fit; a roll goes to the nearest of equally good
    contracts, and to the offset of it that lasts longest. `offsets` of the result are constant
    over a segment: adjusted - offsets is the recovered unadjusted series. `residual_ticks` has F x T
    distances, kind after kind.
    """
    count = len(closes.names)
    nothing = HeldPath(np.empty(0, np.int64), np.empty(0), np.empty(0), cap_ticks)
    if len(index) == 0 or count == 0:
        return nothing
    values = np.atleast_2d(np.ascontiguousarray(adjusted, dtype=np.float64))
    flats = np.atleast_2d(np.ascontiguousarray(closes.flat if prices is None else prices, dtype=np.float64))
    at = np.ascontiguousarray(index, dtype=np.int64)
    limit = min(_candidate_limit(closes), most_candidates)
    begin, offsets = _candidates(values, at, closes.first, closes.last, closes.start, flats, float(tick), limit)
    state = _best_states(
        values,
        at,
        closes.first,
        closes.last,
        closes.start,
        flats,
        begin,
        offsets,
        float(tick),
        float(round(cap_ticks * _UNITS_PER_TICK)),
        float(round(penalty_ticks * _UNITS_PER_TICK)),
        float(round(step_ticks * _UNITS_PER_TICK)),
    )
    if len(state) == 0:
        return nothing
    contract_on_day = (np.searchsorted(begin, state, side="right") - 1).astype(np.int64)
    distance = (
        np.abs(values - offsets[state] - flats[:, closes.start[contract_on_day] + at - closes.first[contract_on_day]])
        / tick
    )
    residual = np.where(np.isnan(distance), cap_ticks, np.minimum(distance, cap_ticks)).ravel()
    return HeldPath(contract_on_day, residual, offsets[state], cap_ticks)


def _candidate_limit(closes: ContractCloses) -> int:
    """Candidates per contract, by the largest number of contracts listed on one session."""
    change = np.zeros(len(closes.sessions) + 1, dtype=np.int64)
    np.add.at(change, closes.first, 1)
    np.add.at(change, closes.last + 1, -1)
    listed = int(np.cumsum(change).max())
    return min(max(MAX_STATES // max(listed, 1), FEWEST_CANDIDATES), MOST_CANDIDATES)


@kernel
def _candidates(
    values: Floats, index: Ints, first: Ints, last: Ints, start: Ints, flats: Floats, tick: float, limit: int
) -> tuple[Ints, Floats]:
    """Offsets worth trying, contract after contract, and where each contract's begin (K + 1).

    A contract's are its differences, most supported first; 0 if it has none.
    """
    kinds, contracts = len(values), len(first)
    begin = np.zeros(contracts + 1, np.int64)
    out = np.zeros(contracts * limit, np.float64)
    for k in range(contracts):
        a, b = np.searchsorted(index, first[k]), np.searchsorted(index, last[k] + 1)
        differences = np.empty(kinds * (b - a), np.float64)
        count = 0
        for kind in range(kinds):
            for t in range(a, b):
                difference = values[kind, t] - flats[kind, start[k] + index[t] - first[k]]
                if not np.isnan(difference):
                    differences[count] = difference
                    count += 1
        if count == 0:
            begin[k + 1] = begin[k] + 1
            continue
        differences = np.sort(differences[:count])
        starts = np.empty(count, np.int64)
        groups = 0
        for i in range(count):
            if i == 0 or np.rint(differences[i] * _COMPARED) != np.rint(differences[i - 1] * _COMPARED):
                starts[groups] = i
                groups += 1
        if groups > limit:
            # Neighbours belong together until the bin they opened is a tick wide.
            groups, before = 0, -1.0
            for i in range(count):
                number = np.floor((differences[i] - differences[0]) / tick + 0.5)
                if number != before:
                    starts[groups] = i
                    groups += 1
                before = number
        middles = np.empty(groups, np.float64)
        support = np.empty(groups, np.int64)
        low = high = 0
        for i in range(groups):
            end = starts[i + 1] if i + 1 < groups else count
            middles[i] = differences[(starts[i] + end - 1) // 2]
            while low < count and differences[low] < middles[i] - 2 * tick:
                low += 1
            while high < count and differences[high] <= middles[i] + 2 * tick:
                high += 1
            support[i] = high - low
        order = np.argsort(-support, kind="mergesort")[:limit]
        for i in range(len(order)):
            out[begin[k] + i] = middles[order[i]]
        begin[k + 1] = begin[k] + len(order)
    return begin, out[: begin[contracts]]


@kernel
def _minimum(values: Floats, start: int, end: int) -> float:
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


@kernel
def _latest(costs: Floats, until: Ints, start: int, end: int, cost: float) -> int:
    """Of the states from start to end that cost just that, the one that is left last; -1 for none."""
    chosen, latest = -1, -1
    for s in range(start, end):
        if costs[s] == cost and until[s] > latest:
            chosen, latest = s, until[s]
    return chosen


@kernel
def _best_states(
    values: Floats,
    index: Ints,
    first: Ints,
    last: Ints,
    start: Ints,
    flats: Floats,
    begin: Ints,
    offsets: Floats,
    tick: float,
    cap: float,
    penalty: float,
    step: float,
) -> Ints:
    """Index into `offsets` per session along the path of least cost; empty where no monotone path exists."""
    kinds, sessions, contracts = len(values), values.shape[1], len(first)
    low, high = listed_range(index, first, last)
    row = np.zeros(sessions + 1, np.int64)
    line = np.zeros(sessions + 1, np.int64)
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
            # Cheapest from the next session on, of the later contracts, or of this one with another offset.
            stay, stay_state = least[k], -1
            if stay < _UNREACHABLE and (stay <= best or stay + step <= best + penalty):
                stay_state = _latest(ahead, until, begin[k], begin[k + 1], stay)
            leaving, leaving_state = best + penalty, best_state
            if stay_state >= 0 and stay + step <= leaving:
                leaving, leaving_state = stay + step, stay_state
            if stay_state >= 0 and stay <= best:
                best, best_state = stay, stay_state
            if k > high[t] or index[t] < first[k] or index[t] > last[k]:
                ahead[begin[k] : begin[k + 1]] = _UNREACHABLE
                least[k] = _UNREACHABLE
                continue
            target[line[t] + k - low[t]] = leaving_state
            if t == sessions - 1:
                ahead[begin[k] : begin[k + 1]] = 0.0
                leaving = _UNREACHABLE
            place = row[t] - begin[low[t]]
            for s in range(begin[k], begin[k + 1]):
                leave[place + s] = ahead[s] > leaving
                until[s] = t if ahead[s] > leaving else until[s]
                ahead[s] = min(ahead[s], leaving)
            for kind in range(kinds):
                difference = values[kind, t] - flats[kind, start[k] + index[t] - first[k]]
                if np.isnan(difference):
                    ahead[begin[k] : begin[k + 1]] += cap
                else:
                    for s in range(begin[k], begin[k + 1]):
                        ahead[s] += min(np.floor(abs(difference - offsets[s]) * scale + 0.5), cap)
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
