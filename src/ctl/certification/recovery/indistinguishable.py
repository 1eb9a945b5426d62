"""Rolls that the reference's closes cannot show: is our schedule contradicted, or only dearer in switches?

Fingerprinting charges a penalty for every switch. Where a contract's closes lie nearly on its neighbours', the
path of least cost skips it, or dates its roll by the rule on ties, although the reference's closes fit our own
schedule as well or better. There the fingerprint is no evidence against our rolls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats, Ints
from ctl.certification.recovery.fingerprint import close_cost
from ctl.kernels import kernel
from ctl.model.certificate import IndistinguishableStretch

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses


INDISTINGUISHABLE_CONTRACTS: Final = "INDISTINGUISHABLE_CONTRACTS"
_UNITS_PER_TICK: Final = 1e6


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive shared sessions on which our schedule and the fingerprint path hold different contracts.

    first, last: positions among the shared sessions, both inclusive. own, recovered: contract indices that either
    holds there, ascending. distance_ticks: between the closes of the two, mean per session. own_ticks,
    recovered_ticks: summed distance of the reference's closes to either. fits: our schedule fits the closes no worse.
    """

    first: int
    last: int
    own: tuple[int, ...]
    recovered: tuple[int, ...]
    distance_ticks: float
    own_ticks: float
    recovered_ticks: float
    fits: bool

    def record(self, sessions: Days, names: tuple[str, ...]) -> IndistinguishableStretch:
        """What is published. sessions: the shared ones, datetime64[D]."""
        return IndistinguishableStretch(
            code=INDISTINGUISHABLE_CONTRACTS,
            first_session=sessions[self.first].item(),
            last_session=sessions[self.last].item(),
            own_contracts=tuple(names[k] for k in self.own),
            recovered_contracts=tuple(names[k] for k in self.recovered),
            distance_ticks=self.distance_ticks,
            own_ticks=self.own_ticks,
            recovered_ticks=self.recovered_ticks,
            fits=self.fits,
        )


def switches(contract_on_day: Ints) -> Ints:
    """First sessions on a new contract, both it and the one before known (-1: unknown)."""
    turn: Ints = np.flatnonzero(contract_on_day[1:] != contract_on_day[:-1]) + 1
    return turn[(contract_on_day[turn] >= 0) & (contract_on_day[turn - 1] >= 0)]


def read_again(
    values: Floats,
    index: Ints,
    closes: ContractCloses,
    path: Ints,
    our_contracts: Ints,
    at: Ints,
    *,
    unseen: Bools,
    within: int,
    tick: float,
    cap_ticks: float,
    penalty_ticks: float,
) -> tuple[Ints, tuple[Stretch, ...]]:
    """The fingerprint path, with our schedule in its place where it contradicts a roll of ours without evidence.

    values: unadjusted closes (T) at positions `index` of `closes.sessions`. path: contracts by fingerprint (T).
    our_contracts: ours (T), -1 before and after our series; at: their `switches` (S). unseen: per switch whether no
    recovered roll to the same contract lies within the day limit (S). within: that limit, in sessions.

    Our schedule: our contracts in our order, each switch on the session within the limit on which the closes fit
    best (ties: nearest ours, then the earlier). A stretch on which it differs from the path and that an unseen
    switch bounds or lies in is taken where the summed min(|close - contract's close|, cap) is no larger than the
    path's. It is named besides where the two sides' closes lie closer together than the penalty of the path's
    missing switches: there even an exact reference could not have shown the roll. Anything else stays as it is.
    """
    cap = round(cap_ticks * _UNITS_PER_TICK)
    dates = _best_dates(
        values, index, closes.first, closes.last, closes.start, closes.flat, tick, cap, our_contracts, at, within
    )
    our_schedule = np.where(our_contracts >= 0, our_contracts, path)
    for old, new in zip(at.tolist(), dates.tolist(), strict=True):
        our_schedule[min(old, new) : max(old, new)] = our_contracts[old - 1] if new > old else our_contracts[old]
    bounds = np.flatnonzero(np.diff(np.concatenate(([0], (our_schedule != path).astype(np.int8), [0]))))
    contract_on_day, stretches = path.copy(), []
    for first, end in bounds.reshape(-1, 2).tolist():
        touched = (dates >= first) & (dates <= end)
        if not (touched & unseen).any():
            continue
        span = slice(first, end)
        ours, theirs, apart = _costs(
            values[span], index[span], closes.first, closes.last, closes.start, closes.flat, tick, cap,
            our_schedule[span], path[span],
        )  # fmt: skip
        in_order = (first == 0 or path[first - 1] <= our_schedule[first]) and (
            end == len(path) or our_schedule[end - 1] <= path[end]
        )
        fits = in_order and ours <= theirs and 2 * ours <= cap * (end - first)
        near = slice(max(first - 1, 0), end + 1)
        missing = np.count_nonzero(np.diff(our_schedule[near])) - np.count_nonzero(np.diff(path[near]))
        if fits:
            contract_on_day[span] = our_schedule[span]
        elif apart > missing * penalty_ticks * _UNITS_PER_TICK:
            continue
        stretches.append(
            Stretch(
                first,
                end - 1,
                tuple(np.unique(our_schedule[span]).tolist()),
                tuple(np.unique(path[span]).tolist()),
                apart / _UNITS_PER_TICK / (end - first),
                ours / _UNITS_PER_TICK,
                theirs / _UNITS_PER_TICK,
                fits,
            )
        )
    return contract_on_day, tuple(stretches)


@kernel
def _best_dates(
    values: Floats,
    index: Ints,
    first: Ints,
    last: Ints,
    start: Ints,
    flat: Floats,
    tick: float,
    cap: int,
    our_contracts: Ints,
    at: Ints,
    within: int,
) -> Ints:
    """Per switch the session within the limit on which the new contract is best begun; windows never overlap."""
    dates = at.copy()
    sessions = len(values)
    for i in range(len(at)):
        here = at[i]
        low = max(here - within, 1 if i == 0 else (at[i - 1] + here) // 2 + 1)
        high = min(here + within, sessions - 1 if i == len(at) - 1 else (here + at[i + 1]) // 2)
        old, new = our_contracts[here - 1], our_contracts[here]
        for step in (-1, 1):
            lead = 0
            best = 0
            nearest = here
            t = here
            while low <= t + step <= high:
                # Back: the session before the switch goes to the new contract. Forward: the one on it to the old.
                moved = t - 1 if step < 0 else t
                before = _distance(values[moved], old, index[moved], first, last, start, flat, tick, cap)
                after = _distance(values[moved], new, index[moved], first, last, start, flat, tick, cap)
                lead += after - before if step < 0 else before - after
                t += step
                if lead < best:
                    best, nearest = lead, t
            if step < 0:
                back, back_date = best, nearest
            elif best < back or (best == back and nearest - here < here - back_date):
                dates[i] = nearest
            else:
                dates[i] = back_date
    return dates


@kernel
def _distance(
    value: float, k: int, at: int, first: Ints, last: Ints, start: Ints, flat: Floats, tick: float, cap: int
) -> int:
    """Distance to a contract's close in millionths of a tick; the cap where the contract is not listed."""
    if at < first[k] or at > last[k]:
        return cap
    return int(close_cost(value, flat[start[k] + at - first[k]], tick, cap))


@kernel
def _costs(
    values: Floats,
    index: Ints,
    first: Ints,
    last: Ints,
    start: Ints,
    flat: Floats,
    tick: float,
    cap: int,
    our_contracts: Ints,
    path: Ints,
) -> tuple[int, int, int]:
    """Summed distances in millionths of a tick: the values to either path's closes, and the paths to each other."""
    ours, theirs, apart = 0, 0, 0
    for t in range(len(values)):
        k, j, at = our_contracts[t], path[t], index[t]
        ours += _distance(values[t], k, at, first, last, start, flat, tick, cap)
        theirs += _distance(values[t], j, at, first, last, start, flat, tick, cap)
        if first[k] <= at <= last[k]:
            apart += _distance(flat[start[k] + at - first[k]], j, at, first, last, start, flat, tick, cap)
        else:
            apart += cap
    return ours, theirs, apart
