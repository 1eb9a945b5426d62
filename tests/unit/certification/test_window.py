"""The overlap window and EDGE rolls on arrays small enough to check by eye."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from certify_market import meta
from overlaps import overlap_of

from ctl.certification.recovery.reference import RecoveredReference
from ctl.certification.series_arrays import canonical_arrays
from ctl.certification.window import build_overlap, place_rolls
from ctl.errors import DataError
from ctl.model.bars import DailySeries
from ctl.model.rolls import ReferenceRoll

START = np.datetime64("2020-01-01")


def series(days: list[int], close: list[float], adjustment: float = 0.0) -> DailySeries:
    count = len(days)
    frame = pl.DataFrame(
        {
            "session": START + np.array(days),
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "volume": [1] * count,
            "open_interest": [1] * count,
            "contract": pl.Series([None] * count, dtype=pl.String),
            "adjustment": [adjustment] * count,
        }
    )
    return DailySeries(frame, meta("own", "XX", "a.csv"))


def reference(days: list[int], close: list[float]) -> RecoveredReference:
    values, count = np.array(close, dtype=np.float64), len(days)
    return RecoveredReference(
        sessions=START + np.array(days, dtype=np.int64), adjusted=values, unadjusted=values, contracts=(),
        contract_on_day=np.full(count, -1), rolls=(), our_gaps=np.empty(0), source=None, basis_identifiable=True,
        median_residual_ticks=None, unattributed=(), methods={}, notes=(),
    )  # fmt: skip


def test_window_runs_from_the_later_first_to_the_earlier_last_session() -> None:
    overlap = build_overlap(
        canonical_arrays(series([0, 1, 2, 4, 5, 9], [1.0, 2, 3, 4, 5, 6], adjustment=0.5)),
        reference([1, 3, 4, 5, 7], [20.0, 30, 40, 50, 70]),
    )
    # Later first: 1; earlier last: 7. In between ours has 1 2 4 5, theirs 1 3 4 5 7.
    assert (overlap.first, overlap.last) == (date(2020, 1, 2), date(2020, 1, 8))
    assert (overlap.union - START).astype(int).tolist() == [1, 2, 3, 4, 5, 7]
    assert (overlap.sessions - START).astype(int).tolist() == [1, 4, 5]
    assert overlap.union_index.tolist() == [0, 3, 4]
    assert overlap.canonical_adjusted.tolist() == [2.0, 4.0, 5.0]
    assert overlap.canonical_unadjusted.tolist() == [1.5, 3.5, 4.5]
    assert overlap.reference_adjusted.tolist() == [20.0, 40.0, 50.0]
    assert not overlap.contracts_known


def test_sessions_without_a_close_are_no_sessions() -> None:
    overlap = build_overlap(
        canonical_arrays(series([0, 1, 2], [1.0, float("nan"), 3.0])), reference([0, 1, 2], [1.0, 2.0, 3.0])
    )
    assert (overlap.sessions - START).astype(int).tolist() == [0, 2]
    assert overlap.union.size == 3


@pytest.mark.parametrize(("days", "count"), [([10, 11], 2), ([], 0)])
def test_no_overlap_is_said(days: list[int], count: int) -> None:
    with pytest.raises(DataError) as error:
        build_overlap(canonical_arrays(series([0, 1], [1.0, 2.0])), reference(days, [1.0] * count))
    assert error.value.code == "INSUFFICIENT_OVERLAP"


def placed(gap_indices: list[int], sessions: int = 60) -> list[tuple[int, bool]]:
    overlap = overlap_of([1.0] * sessions, [1.0] * sessions)
    days = [date(2020, 1, 1) + timedelta(days=index) for index in gap_indices]
    rolls = [ReferenceRoll(day, day + timedelta(days=1), None, None, 1.0, "spread_step") for day in days]
    return [(found.gap_index, found.edge) for found in place_rolls(overlap, rolls)]


def test_edge_is_ten_sessions_inclusive() -> None:
    # 60 sessions, numbers 0..59: 10 and 49 lie ten from an edge, 11 and 48 eleven.
    assert placed([10, 11, 48, 49]) == [(10, True), (11, False), (48, False), (49, True)]


def test_rolls_outside_the_window_are_left_out() -> None:
    # Gap session 59 would be in force from session 60, beyond the window; gap session -1 before its first.
    assert placed([-1, 30, 59]) == [(30, False)]


def test_rolls_beyond_the_same_contract_sessions_are_edge() -> None:
    # Same contract on sessions 20..39 only: a roll in force from 20 or from 40 is EDGE, from 21 or 39 it is not.
    held = [0] * 60
    theirs = [0 if 20 <= index < 40 else 1 for index in range(60)]
    overlap = overlap_of([1.0] * 60, [1.0] * 60, held, theirs)
    days = [date(2020, 1, 1) + timedelta(days=index) for index in (20, 21, 39, 40)]
    rolls = [ReferenceRoll(day - timedelta(days=1), day, None, None, 1.0, "spread_step") for day in days]
    assert [found.edge for found in place_rolls(overlap, rolls)] == [True, False, False, True]
