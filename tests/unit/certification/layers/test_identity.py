"""L0: what makes two series the same instrument."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from changed_pairs import Closes, findings, with_closes
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


@pytest.mark.parametrize("shipped", ["both", "adjusted", "unadjusted"])
@pytest.mark.parametrize(
    ("change", "factor"),
    [
        (lambda raw, adj: (1.02 * raw, 1.02 * adj), 1.02),
        (lambda raw, adj: (0.98 * raw, 0.98 * adj), 0.98),
        (lambda raw, adj: (raw, adj), None),
        (lambda raw, adj: (raw + 300.0, adj + 300.0), None),
    ],
)
def test_prices_that_are_ours_times_one_factor(change: Closes, factor: float | None, shipped: str) -> None:
    pair = with_closes(change)
    lacking = {"adjusted": {"unadjusted": None}, "unadjusted": {"adjusted": None}}.get(shipped, {})
    found = findings(replace(pair, reference=replace(pair.reference, **lacking)), "L0")
    assert ("PRICES_SCALED" in found) == (factor is not None)
    if factor is not None:
        assert found["PRICES_SCALED"]["value"] == pytest.approx(factor, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "a_year"),
    [
        # 252 of its sessions are 0.966 years of weekdays.
        (lambda raw, adj: (raw, adj * np.exp(-0.02 * np.arange(adj.size)[::-1] / 252)), 0.0207),
        (lambda raw, adj: (raw, adj * np.exp(0.05 * np.arange(adj.size)[::-1] / 252)), -0.0518),
        (lambda raw, adj: (raw, 2.0 * adj - raw), None),
        (lambda raw, adj: (raw, raw), None),
        (lambda raw, adj: (raw, adj + 300.0), None),
    ],
)
def test_adjusted_closes_alone_that_gain_a_share_a_year(change: Closes, a_year: float | None) -> None:
    pair = with_closes(change)
    found = findings(replace(pair, reference=replace(pair.reference, unadjusted=None)), "L0")
    assert ("PRICES_DRIFT" in found) == (a_year is not None)
    if a_year is not None:
        assert found["PRICES_DRIFT"]["value"] == pytest.approx(a_year, rel=0.01)
