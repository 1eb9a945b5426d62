"""Steps of a spread, gaps of its segments, and positions matched in order, on a few numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ctl.certification.recovery.spread_steps import find_steps, match_in_order, segment_gaps


def test_steps_are_dated_on_the_session_that_changed() -> None:
    assert find_steps(np.array([-3.0, -3, -3, -1, -1, 0, 0, 0, 0]), tick=0.25) == [(3, 3.0)]
    assert find_steps(np.array([-3.0, -3, -3, -1, -1, -1, -1, 0, 0]), tick=0.25) == [(3, 2.0), (7, 1.0)]


def test_steps_below_two_ticks_are_rounding() -> None:
    spread = np.array([0.0, 0.25, 0.0, 0.5, 0.5])
    assert find_steps(spread, tick=0.25) == [(3, 0.5)]
    # 0.02 at a tick of 0.01 is two ticks, although the difference of the floats is 0.01999...
    assert find_steps(np.array([1.13, 1.13, 1.15, 1.15]), tick=0.01) == [(2, pytest.approx(0.02))]


def test_steps_within_three_sessions_merge_at_the_first() -> None:
    # +2 into session 2, +1 into session 5: three sessions apart, one roll; +1 into session 6 is a new one.
    assert find_steps(np.array([0.0, 0, 2, 2, 2, 3, 3, 3]), tick=0.25) == [(2, 3.0)]
    assert find_steps(np.array([0.0, 0, 2, 2, 2, 2, 3, 3]), tick=0.25) == [(2, 2.0), (6, 1.0)]


def test_a_slip_taken_back_is_no_step() -> None:
    assert find_steps(np.array([0.0, 0, 5, 0, 0, 0]), tick=0.25) == []


def test_gaps_are_steps_between_segment_medians() -> None:
    # Segments 0-3 and 4-7; one restated bar in each does not move a median.
    spread = np.array([-2.0, -2, 9, -2, 0, 0, -7, 0])
    assert segment_gaps(spread, [4]) == [2.0]
    assert segment_gaps(spread, []) == []


def test_matching_in_order_takes_most_pairs_then_least_distance() -> None:
    def pairs(left: list[int], right: list[int]) -> list[tuple[int, int]]:
        return match_in_order(np.array(left, np.int64), np.array(right, np.int64), within=3)

    assert pairs([10, 12], [8, 11]) == [(0, 0), (1, 1)]
    assert pairs([10, 11], [12]) == [(1, 0)]
    assert pairs([10], [14]) == []
    assert pairs([10], [13]) == [(0, 0)]
    assert pairs([10], [9, 11]) == [(0, 0)]
    assert pairs([], [1]) == []
