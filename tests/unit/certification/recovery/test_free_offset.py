"""Adjusted-only references: the free-offset path against an exhaustive search, and its rules."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.recovery.free_offset import free_offset_path

CAP = 4.0


def closes_of(table: list[list[float | None]]) -> ContractCloses:
    rows = [(k, t, v) for k, row in enumerate(table) for t, v in enumerate(row) if v is not None]
    return ContractCloses.from_arrays(
        tuple(f"K{k}" for k in range(len(table))),
        np.array([t for _, t, _ in rows], dtype=np.int64),
        np.array([k for k, _, _ in rows], dtype=np.int64),
        np.array([v for _, _, v in rows], dtype=np.float64),
    )


def solve(values: list[float], table: list[list[float | None]]) -> tuple[list[int], list[float]]:
    path = free_offset_path(
        np.array(values), np.arange(len(values)), closes_of(table), tick=1.0, cap_ticks=CAP, penalty_ticks=CAP,
        step_ticks=2 * CAP,
    )  # fmt: skip
    return path.contract_on_day.tolist(), path.offsets.tolist()


Table = list[list[float | None]]


def cost(states: list[tuple[int, float]], kinds: list[tuple[list[float | None], Table]], step: float) -> float:
    """The objective of a path of (contract, offset) states. kinds: values and contracts' prices, kind by kind.

    A contract is listed from its first to its last price of the first kind.
    """
    total = 0.0
    for t, (k, offset) in enumerate(states):
        listed = [i for i, v in enumerate(kinds[0][1][k]) if v is not None]
        if not listed[0] <= t <= listed[-1]:
            return float("inf")
        for values, table in kinds:
            value, price = values[t], table[k][t]
            total += CAP if value is None or price is None else min(abs(value - offset - price), CAP)
        if t and states[t - 1] != (k, offset):
            if k < states[t - 1][0]:
                return float("inf")
            total += step if k == states[t - 1][0] else CAP
    return total


def least_cost(kinds: list[tuple[list[float | None], Table]], step: float) -> float:
    """Over every path of states whose offsets are whole numbers: finer ones cannot do better on whole prices."""
    offsets = {
        value - row[t]
        for values, table in kinds
        for row in table
        for t, value in enumerate(values)
        if value is not None and row[t] is not None
    }
    states = list(product(range(len(kinds[0][1])), sorted(offsets) or [0.0]))
    return min(cost(list(path), kinds, step) for path in product(states, repeat=len(kinds[0][0])))


def laid_out(table: Table, closes: ContractCloses) -> np.ndarray:
    """Prices of the contracts of `table` as `closes` lays out its own."""
    rows = [table[k][closes.first[k] : closes.last[k] + 1] for k in range(len(table))]
    return np.array([np.nan if v is None else v for row in rows for v in row])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_path_has_the_least_cost_of_all_paths(data: st.DataObject) -> None:
    sessions = data.draw(st.integers(1, 4))
    contracts = data.draw(st.integers(1, 2))
    number = data.draw(st.integers(1, 2 if contracts * sessions <= 6 else 1), label="kinds of prices")
    step = data.draw(st.sampled_from([CAP / 2, CAP, 2 * CAP, 100 * CAP]), label="price of a step within a contract")
    price = st.integers(0, 6).map(float)
    kinds: list[tuple[list[float | None], Table]] = []
    for kind in range(number):
        some = st.one_of(st.none(), price) if kind else price
        table: Table = [
            data.draw(st.lists(st.one_of(st.none(), price) if k else some, min_size=sessions, max_size=sessions))
            for k in range(contracts)
        ]
        kinds.append((data.draw(st.lists(some, min_size=sessions, max_size=sessions)), table))
    kept = [k for k, row in enumerate(kinds[0][1]) if any(v is not None for v in row)]
    kinds = [(values, [table[k] for k in kept]) for values, table in kinds]
    # Sessions are counted in the sessions that any contract has: the first one has them all.
    closes = closes_of(kinds[0][1])
    path = free_offset_path(
        np.array([[np.nan if v is None else v for v in values] for values, _ in kinds]),
        np.arange(sessions),
        closes,
        tick=1.0,
        prices=np.stack([laid_out(table, closes) for _, table in kinds]),
        cap_ticks=CAP,
        penalty_ticks=CAP,
        step_ticks=step,
    )
    found = list(zip(path.contract_on_day.tolist(), path.offsets.tolist(), strict=True))
    assert cost(found, kinds, step) == least_cost(kinds, step)
    assert path.residual_ticks.shape == (number * sessions,)


def test_back_adjusted_series_gives_back_its_contracts_and_gaps() -> None:
    # Spread of K1 over K0: 5 6 9 12 15 18 21. Gap session 3 (12): the series is K0 + 12, then K1.
    near: list[float | None] = [10, 14, 11, 13, 12, 16, 15]
    far: list[float | None] = [15, 20, 20, 25, 27, 34, 36]
    values = [22.0, 26, 23, 25, 27, 34, 36]
    held, offsets = solve(values, [near, far])
    # On the gap session 25 = 13 + 12 = 25: both fit, the latest roll is taken.
    assert held == [0, 0, 0, 0, 1, 1, 1]
    assert offsets == [12.0] * 4 + [0.0] * 3


def test_a_step_within_one_contract_is_a_segment_of_its_own() -> None:
    table: list[list[float | None]] = [[10, 11, 12, 13, 14, 15, 16, 17]]
    held, offsets = solve([10, 11, 12, 13, 24, 25, 26, 27], table)
    assert held == [0] * 8
    assert offsets == [0.0] * 4 + [10.0] * 4


def test_a_step_that_is_soon_taken_back_is_noise() -> None:
    # Two sessions of 4 capped ticks cost what one step would; with the way back a step costs twice that.
    table: list[list[float | None]] = [[10, 11, 12, 13, 14, 15, 16, 17]]
    held, offsets = solve([10, 11, 12, 23, 24, 15, 16, 17], table)
    assert held == [0] * 8
    assert offsets == [0.0] * 8


def test_a_change_of_contract_is_cheaper_than_a_step_within_one() -> None:
    # Session 3 on lies 3 ticks higher. A step costs 8; the next contract fits with 4 for the switch and 1 for a tick.
    near: list[float | None] = [10, 11, 12, 13, 14, 15, 16]
    far: list[float | None] = [None, None, 20, 21, 22, 24, 24]
    held, offsets = solve([10, 11, 12, 16, 17, 18, 19], [near, far])
    assert held == [0] * 3 + [1] * 4
    assert offsets == [0.0] * 3 + [-5.0] * 4


def test_one_stray_print_moves_nothing() -> None:
    table: list[list[float | None]] = [[10, 11, 12, 13, 14]]
    assert solve([10, 11, 99, 13, 14], table) == ([0] * 5, [0.0] * 5)


def test_noise_within_a_tick_does_not_split_a_segment() -> None:
    table: list[list[float | None]] = [[10.0, 11, 12, 13, 14, 15]]
    held, offsets = solve([10.3, 10.8, 12.2, 13.1, 13.9, 15.2], table)
    assert held == [0] * 6
    assert len(set(offsets)) == 1


def test_nothing_shared_gives_no_path() -> None:
    path = free_offset_path(np.empty(0), np.empty(0, np.int64), closes_of([[1.0]]), tick=1.0)
    assert len(path.contract_on_day) == 0
    assert path.median_residual_ticks is None
    assert not path.matches


def test_differences_less_than_a_tick_apart_are_offsets_of_their_own() -> None:
    # K0 fits at 0 until K1 is listed; after that its differences 0.4 and 9 take turns, and K1 fits at -20.
    values = [10.0, 12.0, 11.0, 13.4, 22.0, 12.4, 21.0, 14.4, 23.0, 13.4]
    near: list[float | None] = [10, 12, 11, 13, 13, 12, 12, 14, 14, 13]
    far: list[float | None] = [None, None, None, *(value + 20.0 for value in values[3:])]
    held, offsets = solve(values, [near, far])
    assert held == [0] * 3 + [1] * 7
    assert offsets == [0.0] * 3 + [-20.0] * 7


def test_of_equally_good_offsets_the_one_that_rolls_last() -> None:
    # K0 costs 2 at offset 0 and at offset 1. At 1 it fits on its last session too, where K1 fits as well.
    values = [10.0, 10.0, 11.0, 11.0, 11.0, 12.0, 15.0, 13.0]
    near: list[float | None] = [10, 10, 10, 10, 10, None, None, None]
    far: list[float | None] = [None, None, None, None, 31, 32, 35, 33]
    held, offsets = solve(values, [near, far])
    assert held == [0] * 5 + [1] * 3
    assert offsets == [1.0] * 5 + [-20.0] * 3
