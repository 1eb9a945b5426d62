"""Closes at (contract, session): what names no contract or no session is NaN, never memory beside the array."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification import contract_closes
from ctl.certification.contract_closes import ContractCloses

BARS = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=30)
ASKED = st.lists(st.tuples(st.integers(-3, 9), st.integers(-3, 16)), max_size=40)


@pytest.fixture(autouse=True, params=["compiled", "checked"])
def closes_at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled, and as plain Python, which refuses an index beyond an array."""
    if request.param == "checked":
        plain = getattr(contract_closes._closes_at, "py_func", contract_closes._closes_at)
        monkeypatch.setattr(contract_closes, "_closes_at", plain)


@settings(max_examples=60)
@given(bars=BARS, asked=ASKED)
def test_any_pair_of_indices(bars: set[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    rows = sorted(bars)
    days = np.array([20_000 + day for _, day in rows], dtype=np.int64)
    contract = np.array([k for k, _ in rows], dtype=np.int64)
    names = tuple(f"ZZH{10 + k}" for k in range(5))
    prices = np.arange(len(rows)) + 100.0
    made = ContractCloses.from_arrays(names, days, contract, prices)

    at = np.array(asked, dtype=np.int64).reshape(-1, 2)
    found = made.close(np.ascontiguousarray(at[:, 0]), np.ascontiguousarray(at[:, 1]))

    held = sorted({k for k, _ in rows})
    sessions = sorted({day for _, day in rows})
    expected = [
        dict(zip(rows, prices.tolist(), strict=True)).get((held[k], sessions[t]), np.nan)
        if 0 <= k < len(held) and 0 <= t < len(sessions)
        else np.nan
        for k, t in asked
    ]
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float64))
