"""Fingerprinting against an exhaustive search over every monotone path, and its rules on ties and holes."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.recovery.fingerprint import fingerprint

NAN = float("nan")


def closes_of(table: list[list[float | None]]) -> ContractCloses:
    """One row per contract, one column per session; None: no bar; NaN: a bar without a close."""
    rows = [(k, t, v) for k, row in enumerate(table) for t, v in enumerate(row) if v is not None]
    return ContractCloses.from_arrays(
        tuple(f"K{k}" for k in range(len(table))),
        np.array([t for _, t, _ in rows], dtype=np.int64),
        np.array([k for k, _, _ in rows], dtype=np.int64),
        np.array([v for _, _, v in rows], dtype=np.float64),
    )


def held(values: list[float], table: list[list[float | None]], **options: float) -> list[int]:
    closes = closes_of(table)
    index = closes.index_of(np.arange(len(values)).astype("datetime64[D]"))
    assert (index >= 0).all()
    return fingerprint(np.array(values), index, closes, tick=1.0, **options).contract_on_day.tolist()


def path_cost(path: tuple[int, ...], values: list[float], table: list[list[float | None]], cap: float) -> float:
    total = 0.0
    for t, k in enumerate(path):
        begun = [i for i, v in enumerate(table[k]) if v is not None]
        if not begun or not begun[0] <= t <= begun[-1]:
            return float("inf")
        close = table[k][t]
        total += cap if close is None or np.isnan(close) else min(abs(values[t] - close), cap)
        total += cap if t and path[t - 1] != k else 0.0
    return total


def oracle(values: list[float], table: list[list[float | None]], cap: float) -> tuple[float, list[tuple[int, ...]]]:
    """Least cost and every monotone path that has it, by trying all of them."""
    paths = list(combinations_with_replacement(range(len(table)), len(values)))
    costs = [path_cost(path, values, table, cap) for path in paths]
    least = min(costs)
    return least, [path for path, cost in zip(paths, costs, strict=True) if cost == least]


def roll_dates(path: tuple[int, ...]) -> list[int]:
    return [t for t in range(1, len(path)) if path[t] != path[t - 1]]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_path_has_the_least_cost_of_all_monotone_paths(data: st.DataObject) -> None:
    sessions = data.draw(st.integers(1, 7))
    contracts = data.draw(st.integers(1, 4))
    cell = st.one_of(st.none(), st.integers(0, 12).map(float))
    table = [data.draw(st.lists(cell, min_size=sessions, max_size=sessions)) for _ in range(contracts)]
    table[0] = [5.0 if v is None else v for v in table[0]]
    values = data.draw(st.lists(st.integers(0, 12).map(float), min_size=sessions, max_size=sessions))
    # Contracts without any bar are not in the data at all.
    table = [row for row in table if any(v is not None for v in row)]
    found = held(values, table, cap_ticks=4.0, penalty_ticks=4.0)
    least, best = oracle(values, table, cap=4.0)
    assert tuple(found) in best
    # Ties go to the earliest roll: no equally good path rolls first on an earlier session.
    earliest = min(roll_dates(path)[:1] or [sessions] for path in best if path[0] == found[0])
    assert (roll_dates(tuple(found))[:1] or [sessions]) == earliest
    assert path_cost(tuple(found), values, table, 4.0) == least


def test_roll_of_zero_gap_is_dated_by_the_earliest_fit() -> None:
    # Both contracts close at 12 on session 2, so rolling on 2 or on 3 costs the same: 2 is taken.
    assert held([10, 11, 12, 53, 54], [[10, 11, 12, 13, 14], [50, 51, 12, 53, 54]]) == [0, 0, 1, 1, 1]


def test_missing_close_costs_the_cap_and_does_not_force_a_roll() -> None:
    # Session 1 has no close of the first contract: 40 for staying, against 80 to leave and not come back.
    assert held([10, 11, 12, 13], [[10, NAN, 12, 13], [90, 91, 92, 93]]) == [0, 0, 0, 0]


def test_a_contract_is_held_only_between_its_first_and_last_bar() -> None:
    # The series goes on at the first contract's level after that contract's last bar: it must move on.
    table: list[list[float | None]] = [[10, 11, None, None], [60, 61, 62, 63]]
    assert held([10, 11, 12, 13], table) == [0, 0, 1, 1]


def test_one_stray_print_is_not_a_roll() -> None:
    assert held([10, 51, 12, 13], [[10, 11, 12, 13], [50, 51, 52, 53]]) == [0, 0, 0, 0]


def test_skipped_month_is_one_roll() -> None:
    table: list[list[float | None]] = [[0] * 4, [100] * 4, [200] * 4]
    assert held([0, 0, 200, 200], table) == [0, 0, 2, 2]


def test_no_monotone_path_is_no_match() -> None:
    # The nearer contract is listed only after the farther one has ended.
    closes = closes_of([[None, None, 5, 5], [5, 5, None, None]])
    path = fingerprint(np.full(4, 5.0), np.arange(4), closes, tick=1.0)
    assert len(path.contract_on_day) == 0
    assert not path.matches


@pytest.mark.parametrize(("distance", "matches"), [(20.0, True), (21.0, False)])
def test_a_median_residual_above_half_the_cap_is_no_match(distance: float, matches: bool) -> None:
    closes = closes_of([[100.0] * 5])
    path = fingerprint(np.full(5, 100.0 + distance), np.arange(5), closes, tick=1.0)
    assert path.median_residual_ticks == distance
    assert path.matches is matches


def test_costs_are_in_ticks() -> None:
    # 0.05 away at a tick of 0.01 is 5 ticks.
    closes = closes_of([[1.0] * 3])
    path = fingerprint(np.full(3, 1.05), np.arange(3), closes, tick=0.01)
    assert path.residual_ticks.tolist() == [5.0, 5.0, 5.0]
