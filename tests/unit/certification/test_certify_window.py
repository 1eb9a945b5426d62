"""The overlap window, EDGE rolls and drift on arrays small enough to check by eye."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from certify_market import meta

from ctl.certification.layers.drift import aligning_run, measure
from ctl.certification.layers.identity import check_reference_match
from ctl.certification.window import Overlap, ReferenceArrays, WindowRoll, build_overlap, canonical_arrays, place_rolls
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


def reference(days: list[int], close: list[float]) -> ReferenceArrays:
    values = np.array(close, dtype=np.float64)
    return ReferenceArrays(
        START + np.array(days, dtype=np.int64), values, values, np.full(len(days), -1), unadjusted_is_own=True
    )


def overlap_of(
    canonical: list[float],
    other: list[float],
    held: list[int] | None = None,
    other_held: list[int] | None = None,
) -> Overlap:
    count = len(canonical)
    sessions = START + np.arange(count)
    unknown = np.full(count, -1, dtype=np.int64)
    return Overlap(
        first=date(2020, 1, 1),
        last=date(2020, 1, 1) + timedelta(days=count - 1),
        union=sessions,
        sessions=sessions,
        union_index=np.arange(count),
        canonical_adjusted=np.array(canonical, dtype=np.float64),
        canonical_unadjusted=np.array(canonical, dtype=np.float64),
        canonical_contract=unknown if held is None else np.array(held),
        reference_adjusted=np.array(other, dtype=np.float64),
        reference_unadjusted=np.array(other, dtype=np.float64),
        reference_contract=unknown if other_held is None else np.array(other_held),
        contracts=("XXH20", "XXM20", "XXU20"),
        has_reference_adjusted=True,
        has_reference_unadjusted=True,
    )


def roll(index: int) -> WindowRoll:
    """A roll whose first session on the new contract is number `index`."""
    day = date(2020, 1, 1) + timedelta(days=index)
    return WindowRoll(day - timedelta(days=1), day, None, None, 1.0, "canonical", index - 1, index, edge=False)


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


def test_aligning_run_is_the_last_of_one_contract() -> None:
    # Held 0 0 0 1 1 1 2 against 0 0 1 1 1 1 1: same on 0, 1, 3, 4, 5; the last run is 3..5.
    overlap = overlap_of([0.0] * 7, [0.0] * 7, [0, 0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 1, 1, 1])
    run = aligning_run(overlap, [roll(3), roll(6)], [roll(2)])
    assert (run.start, run.end, run.contract, run.rule) == (3, 5, 1, "same_contract_run")


def test_sessions_of_unknown_contract_cut_the_run() -> None:
    # The reference's contract is unknown on sessions 1 and 3, and no roll lies anywhere: only 4 and 5 align.
    overlap = overlap_of([0.0] * 6, [0.0] * 6, [0] * 6, [0, -1, 0, -1, 0, 0])
    run = aligning_run(overlap, [], [])
    assert (run.start, run.end, run.contract, run.rule) == (4, 5, 0, "same_contract_run")


def test_a_roll_inside_a_run_of_one_contract_cuts_it() -> None:
    # A step of the reference without a change of contract takes effect on session 4.
    overlap = overlap_of([0.0] * 7, [0.0] * 7, [1] * 7, [1] * 7)
    run = aligning_run(overlap, [], [roll(4)])
    assert (run.start, run.end) == (4, 6)


def test_unknown_contracts_align_after_the_last_roll_of_either_side() -> None:
    overlap = overlap_of([0.0] * 9, [0.0] * 9)
    run = aligning_run(overlap, [roll(2)], [roll(5)])
    assert (run.start, run.end, run.contract, run.rule) == (5, 8, -1, "after_last_roll")
    assert aligning_run(overlap, [], []).start == 0


def test_drift_by_hand() -> None:
    # Difference 9 9 4 | 3 5 3 on the run after the roll in force from 3: median 3. D = 6 6 1 0 2 0.
    overlap = overlap_of([9.0, 9, 4, 3, 5, 3], [0.0] * 6, [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1])
    drift = measure(overlap, [roll(3)], [roll(3)])
    assert drift.anchor == 3.0
    assert drift.d.tolist() == [6.0, 6.0, 1.0, 0.0, 2.0, 0.0]
    assert drift.mean_drift == pytest.approx(15 / 6)
    assert drift.signed_mean_drift == pytest.approx(15 / 6)
    assert drift.max_drift == 6.0
    # Sorted 0 0 1 2 6 6: position 0.95 * 5 = 4.75 lies between two sixes.
    assert drift.p95_drift == pytest.approx(6.0)
    found = drift.intervals
    assert (found.start.tolist(), found.end.tolist()) == ([0, 3], [2, 5])
    assert found.mean.tolist() == pytest.approx([13 / 3, 2 / 3])
    assert found.share.tolist() == pytest.approx([13 / 15, 2 / 15])


def test_drift_of_both_signs() -> None:
    # Difference -7 2 | 0 0, aligned on the last two: D = -7 2 0 0, of which |D| sums to 9 and D to -5.
    overlap = overlap_of([-7.0, 2, 0, 0], [0.0] * 4, [0, 0, 1, 1], [0, 0, 1, 1])
    drift = measure(overlap, [roll(2)], [roll(2)])
    assert (drift.mean_drift, drift.signed_mean_drift) == (9 / 4, -5 / 4)
    assert (drift.max_drift, drift.max_at) == (7.0, 0)
    # Sorted 0 0 2 7: position 0.95 * 3 = 2.85.
    assert drift.p95_drift == pytest.approx(2 + 0.85 * 5)
    found = drift.intervals
    assert (found.start.tolist(), found.end.tolist()) == ([0, 2], [1, 3])
    assert (found.mean.tolist(), found.signed_mean.tolist()) == ([4.5, 0.0], [-2.5, 0.0])
    assert found.share.tolist() == [1.0, 0.0]


def test_no_drift_has_no_shares() -> None:
    found = measure(overlap_of([3.0] * 3, [1.0] * 3, [0] * 3, [0] * 3), [], []).intervals
    assert (found.start.tolist(), found.end.tolist(), found.share.tolist()) == ([0], [2], [0.0])


def test_nothing_after_the_last_roll_is_refused() -> None:
    with pytest.raises(DataError, match="no shared session after the last roll"):
        aligning_run(overlap_of([1.0] * 4, [1.0] * 4), [roll(4)], [])


def test_p95_interpolates() -> None:
    # |D| = 0 1 2 3 4: position 0.95 * 4 = 3.8, so 3 + 0.8. Aligned on session 0 alone by a roll in force from 1?
    # No: contracts are the same throughout session 4 only (run of one), difference 0 there.
    overlap = overlap_of([4.0, 3, 2, 1, 0], [0.0] * 5, [0, 0, 0, 0, 1], [0, 0, 0, 0, 1])
    assert measure(overlap, [roll(4)], [roll(4)]).p95_drift == pytest.approx(3.8)


def test_thirty_changes_are_enough_for_a_correlation() -> None:
    # 31 sessions make 30 changes. The reference moves as ours does, half a per cent above it.
    close = [100.0 + index % 7 for index in range(31)]
    above = [1.005 * value for value in close]
    found = check_reference_match(overlap_of(close, above), [], [])
    assert (found.status, found.evidence["changes"]) == ("PASS", 30)
    assert found.value == pytest.approx(1.0)
    assert found.evidence["changes_over"] == "sessions on which neither side rolls"
    fewer = check_reference_match(overlap_of(close[:30], above[:30]), [], [])
    assert (fewer.status, fewer.text) == (
        "ERROR",
        "correlation of daily changes is undefined: 29 comparable changes",
    )
    # One roll takes the change into its session away, on either side.
    for rolls in (([roll(5)], []), ([], [roll(5)])):
        assert check_reference_match(overlap_of(close, above), *rolls).evidence["changes"] == 29
    still = check_reference_match(overlap_of([5.0] * 31, close), [], [])
    assert (still.status, still.text) == (
        "ERROR",
        "correlation of daily changes is undefined: one side does not move over 30 changes",
    )


def test_changes_are_taken_within_one_contract_where_thirty_are() -> None:
    # Both hold contract 0 on sessions 0 to 30 (30 changes), ours contract 1 from 31 on, theirs from 33 on: the changes
    # within contract 1 on 33 to 35 count as well, those between contracts do not.
    close = [100.0 + index % 7 for index in range(36)]
    overlap = overlap_of(close, close, [0] * 31 + [1] * 5, [0] * 33 + [1] * 3)
    found = check_reference_match(overlap, [], [])
    assert (found.evidence["changes"], found.evidence["changes_over"]) == (32, "same-contract sessions")
    overlap = overlap_of(close, close, [0] * 28 + [1] * 8, [0] * 33 + [1] * 3)
    found = check_reference_match(overlap, [], [])
    assert found.evidence["changes"] == 35


def test_drift_needs_an_adjusted_reference() -> None:
    overlap = overlap_of([1.0], [1.0])
    bare = Overlap(**{name: getattr(overlap, name) for name in Overlap.__slots__} | {"has_reference_adjusted": False})
    with pytest.raises(DataError, match="no adjusted series"):
        measure(bare, [], [])
