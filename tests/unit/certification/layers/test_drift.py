"""Drift on arrays small enough to check by eye."""

from __future__ import annotations

from datetime import date

import pytest
from overlaps import overlap_of, roll

from ctl.certification.layers.drift import aligning_run, measure
from ctl.certification.window import Overlap, roll_starts
from ctl.errors import DataError
from ctl.model.certificate import DriftInterval


def spanned(interval: DriftInterval) -> tuple[int, int]:
    """Numbers of an interval's first and last session."""
    first = date(2020, 1, 1)
    return (interval.first_session - first).days, (interval.last_session - first).days


def test_aligning_run_is_the_last_of_one_contract() -> None:
    # Held 0 0 0 1 1 1 2 against 0 0 1 1 1 1 1: same on 0, 1, 3, 4, 5; the last run is 3..5.
    overlap = overlap_of([0.0] * 7, [0.0] * 7, [0, 0, 0, 1, 1, 1, 2], [0, 0, 1, 1, 1, 1, 1])
    run = aligning_run(overlap, roll_starts(overlap, [roll(3), roll(6)], [roll(2)]))
    assert (run.start, run.end, run.contract, run.rule) == (3, 5, 1, "same_contract_run")


def test_sessions_of_unknown_contract_cut_the_run() -> None:
    # The reference's contract is unknown on sessions 1 and 3, and no roll lies anywhere: only 4 and 5 align.
    overlap = overlap_of([0.0] * 6, [0.0] * 6, [0] * 6, [0, -1, 0, -1, 0, 0])
    run = aligning_run(overlap, roll_starts(overlap, [], []))
    assert (run.start, run.end, run.contract, run.rule) == (4, 5, 0, "same_contract_run")


def test_a_roll_inside_a_run_of_one_contract_cuts_it() -> None:
    # A step of the reference without a change of contract takes effect on session 4.
    overlap = overlap_of([0.0] * 7, [0.0] * 7, [1] * 7, [1] * 7)
    run = aligning_run(overlap, roll_starts(overlap, [], [roll(4)]))
    assert (run.start, run.end) == (4, 6)


def test_unknown_contracts_align_after_the_last_roll_of_either_side() -> None:
    overlap = overlap_of([0.0] * 9, [0.0] * 9)
    run = aligning_run(overlap, roll_starts(overlap, [roll(2)], [roll(5)]))
    assert (run.start, run.end, run.contract, run.rule) == (5, 8, -1, "after_last_roll")
    assert aligning_run(overlap, roll_starts(overlap, [], [])).start == 0


def test_drift_by_hand() -> None:
    # Difference 9 9 4 | 3 5 3 on the run after the roll in force from 3: median 3. D = 6 6 1 0 2 0.
    overlap = overlap_of([9.0, 9, 4, 3, 5, 3], [0.0] * 6, [0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1])
    drift = measure(overlap, [roll(3)], [roll(3)])
    assert drift.figures.anchor == 3.0
    assert drift.d.tolist() == [6.0, 6.0, 1.0, 0.0, 2.0, 0.0]
    assert drift.figures.mean_drift == pytest.approx(15 / 6)
    assert drift.figures.signed_mean == pytest.approx(15 / 6)
    assert drift.figures.max_drift == 6.0
    # Sorted 0 0 1 2 6 6: position 0.95 * 5 = 4.75 lies between two sixes.
    assert drift.figures.p95 == pytest.approx(6.0)
    first, last = drift.figures.intervals
    assert (spanned(first), spanned(last)) == ((0, 2), (3, 5))
    assert (first.mean, last.mean) == pytest.approx((13 / 3, 2 / 3))
    assert (first.share, last.share) == pytest.approx((13 / 15, 2 / 15))


def test_drift_of_both_signs() -> None:
    # Difference -7 2 | 0 0, aligned on the last two: D = -7 2 0 0, of which |D| sums to 9 and D to -5.
    overlap = overlap_of([-7.0, 2, 0, 0], [0.0] * 4, [0, 0, 1, 1], [0, 0, 1, 1])
    drift = measure(overlap, [roll(2)], [roll(2)])
    assert (drift.figures.mean_drift, drift.figures.signed_mean) == (9 / 4, -5 / 4)
    assert (drift.figures.max_drift, drift.figures.max_drift_session) == (7.0, date(2020, 1, 1))
    # Sorted 0 0 2 7: position 0.95 * 3 = 2.85.
    assert drift.figures.p95 == pytest.approx(2 + 0.85 * 5)
    first, last = drift.figures.intervals
    assert (spanned(first), spanned(last)) == ((0, 1), (2, 3))
    assert (first.mean, first.signed_mean, first.share) == (4.5, -2.5, 1.0)
    assert (last.mean, last.signed_mean, last.share) == (0.0, 0.0, 0.0)


def test_no_drift_has_no_shares() -> None:
    (only,) = measure(overlap_of([3.0] * 3, [1.0] * 3, [0] * 3, [0] * 3), [], []).figures.intervals
    assert (spanned(only), only.sessions, only.share) == ((0, 2), 3, 0.0)


def test_nothing_after_the_last_roll_is_refused() -> None:
    with pytest.raises(DataError, match="no shared session after the last roll"):
        aligning_run(overlap_of([1.0] * 4, [1.0] * 4), roll_starts(overlap_of([1.0] * 4, [1.0] * 4), [roll(4)], []))


def test_p95_interpolates() -> None:
    # |D| = 0 1 2 3 4: position 0.95 * 4 = 3.8, so 3 + 0.8. Aligned on session 0 alone by a roll in force from 1?
    # No: contracts are the same throughout session 4 only (run of one), difference 0 there.
    overlap = overlap_of([4.0, 3, 2, 1, 0], [0.0] * 5, [0, 0, 0, 0, 1], [0, 0, 0, 0, 1])
    assert measure(overlap, [roll(4)], [roll(4)]).figures.p95 == pytest.approx(3.8)


def test_drift_needs_an_adjusted_reference() -> None:
    overlap = overlap_of([1.0], [1.0])
    bare = Overlap(**{name: getattr(overlap, name) for name in Overlap.__slots__} | {"has_reference_adjusted": False})
    with pytest.raises(DataError, match="no adjusted series"):
        measure(bare, [], [])
