"""L0: what makes two series the same instrument."""

from __future__ import annotations

import pytest
from overlaps import overlap_of, roll, window_of

from ctl.certification.layers.identity import check_reference_match


def test_thirty_changes_are_enough_for_a_correlation() -> None:
    # 31 sessions make 30 changes. The reference moves as ours does, half a per cent above it.
    close = [100.0 + index % 7 for index in range(31)]
    above = [1.005 * value for value in close]
    found = check_reference_match(window_of(overlap_of(close, above)))
    assert (found.status, found.evidence["changes"]) == ("PASS", 30)
    assert found.value == pytest.approx(1.0)
    assert found.evidence["changes_over"] == "sessions on which neither side rolls"
    fewer = check_reference_match(window_of(overlap_of(close[:30], above[:30])))
    assert (fewer.status, fewer.value, fewer.evidence["changes"]) == ("ERROR", None, 29)
    # One roll takes the change into its session away, on either side.
    for rolls in (([roll(5)], []), ([], [roll(5)])):
        assert check_reference_match(window_of(overlap_of(close, above), *rolls)).evidence["changes"] == 29
    still = check_reference_match(window_of(overlap_of([5.0] * 31, close)))
    assert (still.status, still.value, still.evidence["changes"]) == ("ERROR", None, 30)


def test_changes_are_taken_within_one_contract_where_thirty_are() -> None:
    # Both hold contract 0 on sessions 0 to 30 (30 changes), ours contract 1 from 31 on, theirs from 33 on: the changes
    # within contract 1 on 33 to 35 count as well, those between contracts do not.
    close = [100.0 + index % 7 for index in range(36)]
    overlap = overlap_of(close, close, [0] * 31 + [1] * 5, [0] * 33 + [1] * 3)
    found = check_reference_match(window_of(overlap))
    assert (found.evidence["changes"], found.evidence["changes_over"]) == (32, "same-contract sessions")
    overlap = overlap_of(close, close, [0] * 28 + [1] * 8, [0] * 33 + [1] * 3)
    found = check_reference_match(window_of(overlap))
    assert found.evidence["changes"] == 35
