"""Ledgers worked by hand; the arithmetic stands beside each expectation."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from ctl.certification.layers.ledger import Ledger, Side, compute
from ctl.errors import DataError
from ctl.model.certificate import Unexplained
from ctl.model.rolls import ReferenceRoll

START = date(2008, 1, 7)
NAMES = ("WN08", "WU08", "WZ08")


def day(index: int) -> date:
    return START + timedelta(days=index)


def days(count: int) -> np.ndarray:
    return np.array([day(i) for i in range(count)], dtype="datetime64[D]")


def roll(at: int, old: str | None, new: str | None, gap: float | None) -> ReferenceRoll:
    """A roll whose first session on the new contract is session `at`."""
    return ReferenceRoll(day(at - 1), day(at), old, new, gap, "fingerprint")


def side(adjusted: list[float], unadjusted: list[float] | None, held: list[int] | None, *rolls: ReferenceRoll) -> Side:
    return Side(
        np.array(adjusted, dtype=float),
        np.full(len(adjusted), np.nan) if unadjusted is None else np.array(unadjusted, dtype=float),
        np.full(len(adjusted), -1) if held is None else np.array(held, dtype=np.int64),
        rolls,
    )


def share(ledger: Ledger, name: str) -> float:
    (found,) = [c.share for c in ledger.summary.components if c.name == name]
    assert found is not None
    return found


def check_sum(ledger: Ledger) -> None:
    total = sum(ledger.columns().values())
    np.testing.assert_allclose(total, ledger.drift, rtol=0, atol=1e-9)
    assert ledger.summary.sum_residual <= 1e-9
    shares = [c.share for c in ledger.summary.components]
    if all(s is not None for s in shares) and shares:
        assert sum(s or 0.0 for s in shares) == pytest.approx(1.0, abs=1e-9)


def two_day_roll() -> Ledger:
    """Eight sessions; N closes 100..107, U closes 104 105 106 108 109 110 111 112.

    We roll N>U into session 3 (gap on session 2: 106 - 102 = 4). The reference rolls into session 5 (gap on
    session 4 on our closes: 109 - 104 = 5), adjusts by 5.5, and closes 0.25 above us on sessions 6 and 7.
    """
    n = [100.0, 101, 102, 103, 104, 105, 106, 107]
    u = [104.0, 105, 106, 108, 109, 110, 111, 112]
    canonical_raw = n[:3] + u[3:]
    canonical = [x + 4 for x in n[:3]] + u[3:]
    reference_raw = [*n[:5], u[5], u[6] + 0.25, u[7] + 0.25]
    reference = [x + 5.5 for x in n[:5]] + reference_raw[5:]
    return compute(
        days(8),
        side(canonical, canonical_raw, [0, 0, 0, 1, 1, 1, 1, 1], roll(3, "WN08", "WU08", 4.0)),
        side(reference, reference_raw, [0, 0, 0, 0, 0, 1, 1, 1], roll(5, "WN08", "WU08", 5.5)),
        names=NAMES,
        our_gaps=np.array([5.0]),
    )


def test_different_roll_days_split_into_date_price_timing_and_basis() -> None:
    ledger = two_day_roll()
    # Last run of same-contract sessions: 5, 6, 7, with C - A = 0, -0.25, -0.25; median -0.25.
    assert ledger.summary.anchor == -0.25
    assert ledger.summary.aligning_sessions == 3
    # D: sessions 0-2 (x + 4) - (x + 5.5) + 0.25 = -1.25; session 3: 108 - 108.5 + 0.25 = -0.25;
    # session 4: 109 - 109.5 + 0.25 = -0.25; session 5: 0 + 0.25; sessions 6, 7: 0.
    assert ledger.drift.tolist() == [-1.25, -1.25, -1.25, -0.25, -0.25, 0.25, 0.0, 0.0]
    columns = ledger.columns()
    # gap_c - g = 4 - 5, g - gap_r = 5 - 5.5, carried by sessions 0-2.
    assert columns["gap:WN08>WU08:date"].tolist() == [-1.0] * 3 + [0.0] * 5
    assert columns["gap:WN08>WU08:price"].tolist() == [-0.5] * 3 + [0.0] * 5
    # Sessions 3 and 4 hold different contracts; no later block, so all of D.
    assert columns["timing:WN08>WU08"].tolist() == [0, 0, 0, -0.25, -0.25, 0, 0, 0]
    # Same-contract difference of raw closes 0 0 0 . . 0 -0.25 -0.25 less its median -0.25 over the run.
    assert columns["basis"].tolist() == [0.25, 0.25, 0.25, 0, 0, 0.25, 0, 0]
    assert columns["contract"].tolist() == [0.0] * 8
    assert columns["reference_residual"].tolist() == [0.0] * 8
    check_sum(ledger)


def test_statistics_of_the_two_day_roll() -> None:
    ledger = two_day_roll()
    summary = ledger.summary
    # |D| sums to 3 * 1.25 + 3 * 0.25 = 4.5 over 8 sessions.
    assert summary.mean_drift == 0.5625
    assert summary.max_drift == 1.25
    # Signed: (-3.75 - 0.5 + 0.25) / 8.
    assert summary.signed_mean == -0.5
    # Shares: date 3 / 4.5, price 1.5 / 4.5, timing 0.5 / 4.5, basis (-0.75 + 0.25) / 4.5.
    assert share(ledger, "gap:WN08>WU08:date") == pytest.approx(3 / 4.5)
    assert share(ledger, "gap:WN08>WU08:price") == pytest.approx(1.5 / 4.5)
    assert share(ledger, "timing:WN08>WU08") == pytest.approx(0.5 / 4.5)
    assert share(ledger, "basis") == pytest.approx(-0.5 / 4.5)
    # Gross: (3 + 1.5 + 0.5 + 1) / 4.5.
    assert summary.gross == pytest.approx(6 / 4.5)
    first = summary.components[0]
    assert first.name == "gap:WN08>WU08:date"
    assert (first.mean, first.max) == (3 / 8, 1.0)
    assert summary.unexplained == Unexplained(mean=0.0, share=0.0, of_median_price=0.0)
    assert ledger.finding().status == "PASS"


def test_a_whole_block_is_one_unit_of_removal() -> None:
    ledger = two_day_roll()
    (block,) = ledger.blocks
    assert block.unit == "block:WN08>WU08"
    assert ledger.unit_drift_of(block).tolist() == [-1.5, -1.5, -1.5, -0.25, -0.25, 0, 0, 0]
    assert ledger.dense["basis"].tolist() == [0.25, 0.25, 0.25, 0, 0, 0.25, 0, 0]


def test_skipped_month_is_one_block_that_cannot_be_split() -> None:
    # We roll N>U>Z (gaps 2 and 3), the reference N>Z at once (gap 4.5) on the session of our first roll.
    canonical_raw = [100.0, 101, 104, 105, 109, 110]
    canonical = [105.0, 106, 107, 108, 109, 110]
    reference_raw = [100.0, 101, 107, 108, 109, 110]
    reference = [104.5, 105.5, 107, 108, 109, 110]
    ledger = compute(
        days(6),
        side(canonical, canonical_raw, [0, 0, 1, 1, 2, 2], roll(2, "WN08", "WU08", 2.0), roll(4, "WU08", "WZ08", 3.0)),
        side(reference, reference_raw, [0, 0, 2, 2, 2, 2], roll(2, "WN08", "WZ08", 4.5)),
        names=NAMES,
        our_gaps=np.array([5.0]),
    )
    (block,) = ledger.blocks
    assert (block.canonical, block.reference, block.gap) == ((0, 1), (0,), 0.5)
    # Aligned on sessions 4, 5: anchor 0. D = 0.5 before the block, 0 inside (107 - 107, 108 - 108).
    assert ledger.columns()["gap:WN08>WZ08"].tolist() == [0.5, 0.5, 0, 0, 0, 0]
    assert ledger.columns()["timing:WN08>WZ08"].tolist() == [0.0] * 6
    check_sum(ledger)


def test_step_without_a_change_of_contract_is_named_by_the_contract_held() -> None:
    # The reference steps by -2 into session 2 and by +1 into session 4, always holding N.
    raw = [100.0, 101, 102, 103, 104, 105]
    reference = [99.0, 100, 103, 104, 104, 105]
    ledger = compute(
        days(6),
        side(raw, raw, [0] * 6),
        side(reference, raw, [0] * 6, roll(2, None, None, -2.0), roll(4, None, None, 1.0)),
        names=NAMES,
    )
    # A - U = -1 -1 1 1 0 0 = sum of the gaps to come; C - A = 1 1 -1 -1 0 0; aligned on sessions 4, 5.
    assert (ledger.summary.alignment, ledger.summary.aligning_sessions) == ("same_contract_run", 2)
    assert ledger.columns()["gap:WN08>WN08"].tolist() == [2.0, 2.0, 0, 0, 0, 0]
    assert ledger.columns()[f"gap:WN08>WN08@{day(4)}"].tolist() == [-1.0, -1, -1, -1, 0, 0]
    assert ledger.columns()["reference_residual"].tolist() == [0.0] * 6
    check_sum(ledger)


def test_roll_the_reference_never_adjusted_is_a_price_effect() -> None:
    # Both roll into session 2; our gap is 4; the reference's adjusted series has no step there.
    canonical_raw = [100.0, 101, 106, 107]
    ledger = compute(
        days(4),
        side([104, 105, 106, 107], canonical_raw, [0, 0, 1, 1], roll(2, "WN08", "WU08", 4.0)),
        side(canonical_raw, canonical_raw, [0, 0, 1, 1], roll(2, "WN08", "WU08", 0.0)),
        names=NAMES,
        our_gaps=np.array([4.0]),
    )
    assert ledger.drift.tolist() == [4.0, 4.0, 0.0, 0.0]
    assert ledger.columns()["gap:WN08>WU08:price"].tolist() == [4.0, 4.0, 0, 0]
    assert ledger.columns()["gap:WN08>WU08:date"].tolist() == [0.0] * 4
    check_sum(ledger)


def test_restated_bar_of_the_adjusted_series_is_residual() -> None:
    # The reference's adjusted close of session 1 is 0.75 too high; its unadjusted one is right.
    raw = [100.0, 101, 102, 103]
    ledger = compute(days(4), side(raw, raw, [0] * 4), side([100, 101.75, 102, 103], raw, [0] * 4), names=NAMES)
    assert ledger.drift.tolist() == [0, -0.75, 0, 0]
    assert ledger.columns()["reference_residual"].tolist() == [0, -0.75, 0, 0]
    finding = ledger.finding()
    # Mean 0.1875 against 0.1 % of the median 101.5.
    assert (finding.status, finding.code, finding.value) == ("WATCH", "UNEXPLAINED_DRIFT", 0.1875)
    # All of the drift is residual: a share of 1.
    assert finding.evidence == {"share": 1.0}
    check_sum(ledger)


def test_sessions_outside_the_same_contract_range_are_contract() -> None:
    # The reference starts on a contract we had left and ends on one we have not reached.
    canonical_raw = [104.0, 105, 106, 107, 108, 109]
    reference_raw = [100.0, 101, 106, 107, 112, 113]
    reference = [103.5, 104.5, 106, 107, 107.5, 108.5]
    ledger = compute(
        days(6),
        side(canonical_raw, canonical_raw, [1] * 6),
        side(reference, reference_raw, [0, 0, 1, 1, 2, 2], roll(2, "WN08", "WU08", 3.5), roll(4, "WU08", "WZ08", -4.5)),
        names=NAMES,
    )
    assert ledger.blocks == ()
    # Aligned on sessions 2, 3: anchor 0. D = 0.5 0.5 0 0 0.5 0.5.
    assert ledger.columns()["contract"].tolist() == [0.5, 0.5, 0, 0, 0.5, 0.5]
    assert ledger.summary.unexplained.share == pytest.approx(1.0)
    check_sum(ledger)


def test_last_run_ends_at_the_last_roll_of_either_side() -> None:
    # Both roll into session 3 and the basis on U is 1: only sessions 3-5 align, the basis before is -1.
    canonical_raw = [100.0, 101, 102, 106, 107, 108]
    reference_raw = [100.0, 101, 102, 105, 106, 107]
    ledger = compute(
        days(6),
        side([104, 105, 106, 106, 107, 108], canonical_raw, [0, 0, 0, 1, 1, 1], roll(3, "WN08", "WU08", 4.0)),
        side([104, 105, 106, 105, 106, 107], reference_raw, [0, 0, 0, 1, 1, 1], roll(3, "WN08", "WU08", 4.0)),
        names=NAMES,
        our_gaps=np.array([4.0]),
    )
    assert ledger.summary.anchor == 1.0
    assert ledger.summary.aligning_sessions == 3
    assert ledger.columns()["basis"].tolist() == [-1.0, -1, -1, 0, 0, 0]
    check_sum(ledger)


def test_a_session_of_unknown_contract_breaks_the_aligning_run() -> None:
    raw = [100.0, 101, 102, 103]
    ledger = compute(days(4), side([101, 102, 103, 103], raw, [0] * 4), side(raw, raw, [0, 0, -1, 0]), names=NAMES)
    # Only session 3 aligns; session 2 lies between same-contract sessions without a roll: contract.
    assert ledger.summary.aligning_sessions == 1
    assert ledger.columns()["contract"].tolist() == [0, 0, 1, 0]
    check_sum(ledger)


def test_no_same_contract_session_leaves_everything_to_contract() -> None:
    raw = [100.0, 101, 102]
    ledger = compute(days(3), side([103, 105, 107], raw, [0] * 3), side(raw, raw, [1] * 3), names=NAMES)
    # C - A = 3 4 5, median 4.
    assert ledger.summary.alignment == "after_last_roll"
    assert ledger.columns()["contract"].tolist() == [-1.0, 0.0, 1.0]
    assert ledger.summary.notes
    check_sum(ledger)


def test_unknown_contracts_use_date_pairs_and_say_so() -> None:
    # Our rolls into 2 (gap 4) and 6 (gap 1); the reference's into 3 (gap 4.5) and 5 (gap 2). First two pair.
    canonical_raw = [100.0, 101, 106, 107, 108, 109, 111, 112]
    canonical = [105.0, 106, 107, 108, 109, 110, 111, 112]
    reference_raw = [100.0, 101, 102, 107, 108, 111, 112, 113]
    reference = [106.5, 107.5, 108.5, 109, 110, 111, 112, 113]
    ledger = compute(
        days(8),
        side(canonical, canonical_raw, None, roll(2, "WN08", "WU08", 4.0), roll(6, "WU08", "WZ08", 1.0)),
        side(reference, reference_raw, None, roll(3, None, None, 4.5), roll(5, None, None, 2.0)),
        names=NAMES,
        pairs=[(0, 0)],
    )
    assert not ledger.summary.contracts_known
    # Aligned on sessions 6, 7: C - A = -1, so D = C - A + 1.
    assert ledger.summary.anchor == -1.0
    assert ledger.drift.tolist() == [-0.5, -0.5, -0.5, 0, 0, 0, 0, 0]
    columns = ledger.columns()
    assert columns["gap:WN08>WU08"].tolist() == [-0.5, -0.5, 0, 0, 0, 0, 0, 0]
    assert columns["unmatched:WU08>WZ08"].tolist() == [1.0] * 6 + [0, 0]
    assert columns[f"unmatched:{day(5)}"].tolist() == [-2.0] * 5 + [0, 0, 0]
    # Session 2 is inside the pair: D - later = -0.5 - (1 - 2).
    assert columns["timing:WN08>WU08"].tolist() == [0, 0, 0.5, 0, 0, 0, 0, 0]
    # Cu - U less its median -1 over sessions 6, 7, outside the pair: 1 1 . 1 1 -1 0 0.
    assert columns["contract"].tolist() == [1, 1, 0, 1, 1, -1, 0, 0]
    assert columns["basis"].tolist() == [0.0] * 8
    assert "contracts are unknown" in ledger.summary.notes[0]
    check_sum(ledger)


def test_sessions_inside_two_date_pairs_belong_to_the_first() -> None:
    # Ours rolls into 2 and 4, theirs into 5 and 7, first with first, second with second: 2 to 4 lie inside the first
    # pair, 4 to 6 inside the second. No gaps; D = 1 on sessions 2 to 6, aligned on 7 and 8.
    theirs = [50.0] * 9
    ours = [50.0, 50, 51, 51, 51, 51, 51, 50, 50]
    ledger = compute(
        days(9),
        side(ours, None, None, roll(2, "WN08", "WU08", 0.0), roll(4, "WU08", "WZ08", 0.0)),
        side(theirs, None, None, roll(5, None, None, 0.0), roll(7, None, None, 0.0)),
        pairs=[(0, 0), (1, 1)],
    )
    assert ledger.columns()["timing:WN08>WU08"].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert ledger.columns()["timing:WU08>WZ08"].tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0]
    assert share(ledger, "timing:WN08>WU08") == pytest.approx(3 / 5)
    check_sum(ledger)


def test_identical_series_have_no_drift_and_no_shares() -> None:
    raw = [100.0, 101, 102]
    ledger = compute(days(3), side(raw, raw, [0] * 3), side(raw, raw, [0] * 3), names=NAMES)
    assert float(np.abs(ledger.drift).mean()) == 0.0
    assert ledger.summary.gross is None
    assert all(c.share is None for c in ledger.summary.components)


def test_ratio_adjusted_canonical_series_keeps_its_own_residual_apart() -> None:
    # Our series is the raw one times 1.01 before session 2: no difference gap explains it. C - A = 1 2 0 0,
    # aligned on all four sessions by their median 0.5.
    raw = [100.0, 200, 106, 107]
    ledger = compute(days(4), side([101, 202, 106, 107], raw, [0] * 4), side(raw, raw, [0] * 4), names=NAMES)
    assert ledger.columns()["canonical_residual"].tolist() == [0.5, 1.5, -0.5, -0.5]
    check_sum(ledger)


def test_sessions_without_both_adjusted_closes_are_left_out() -> None:
    raw = [100.0, 101, 102]
    ledger = compute(days(3), side(raw, raw, [0] * 3), side([100, float("nan"), 102], raw, [0] * 3), names=NAMES)
    assert ledger.sessions.tolist() == [day(0), day(2)]
    assert ledger.summary.contracts_known
    assert ledger.same_contract.tolist() == [True, True]
    unknown = compute(days(3), side(raw, raw, None), side([100, float("nan"), 102], None, None))
    assert (unknown.summary.contracts_known, len(unknown.drift)) == (False, 2)


def test_nothing_shared_is_refused() -> None:
    empty = side([], [], [])
    with pytest.raises(DataError, match="no drift ledger"):
        compute(days(0), empty, empty)


def test_rolls_outside_the_sessions_touch_nothing() -> None:
    # One roll takes force on the first session, one after the last: no session lies on both sides of them.
    raw = [100.0, 101, 102]
    outside = (roll(0, "WH08", "WN08", 7.0), roll(3, "WN08", "WU08", 9.0))
    for held in ([0, 0, 0], None):
        ledger = compute(days(3), side(raw, raw, held, *outside), side(raw, raw, held, *outside), names=NAMES)
        assert ledger.blocks == ()
        assert float(np.abs(ledger.drift).mean()) == 0.0
        assert ledger.summary.aligning_sessions == 3
        # Nor where one side alone has them.
        for ours, theirs in ((outside, ()), ((), outside)):
            ledger = compute(days(3), side(raw, raw, held, *ours), side(raw, raw, held, *theirs), names=NAMES)
            assert ledger.columns()["reference_residual"].tolist() == [0.0] * 3
            assert ledger.blocks == ()


def test_a_pair_with_a_roll_outside_the_sessions_is_an_unmatched_roll() -> None:
    # Ours into session 2 pairs with one into session 4, of which no session is there: ours stands alone.
    raw = [100.0, 101, 102, 103]
    ledger = compute(
        days(4),
        side([103.0, 104, 102, 103], raw, None, roll(2, "WN08", "WU08", 3.0)),
        side(raw, raw, None, roll(4, "WN08", "WU08", 3.0)),
        names=NAMES,
        pairs=[(0, 0)],
    )
    assert ledger.columns()["unmatched:WN08>WU08"].tolist() == [3.0, 3.0, 0, 0]
    check_sum(ledger)


def test_a_roll_right_after_the_aligning_run_is_not_taken_for_one_before() -> None:
    # Ours rolls into session 2, behind the run 0-1; the reference stays. C - A = 4 4 0 0, anchor 4.
    raw = [100.0, 101, 106, 107]
    ledger = compute(
        days(4),
        side([104.0, 105, 106, 107], raw, [0, 0, 1, 1], roll(2, "WN08", "WU08", 4.0)),
        side([100.0, 101, 102, 103], [100.0, 101, 102, 103], [0] * 4),
        names=NAMES,
    )
    assert ledger.summary.anchor == 4.0
    assert ledger.columns()["contract"].tolist() == [0, 0, 0, 0]
    assert ledger.columns()["reference_residual"].tolist() == [0, 0, 0, 0]
    assert ledger.summary.notes == ("2 sessions after the last same-contract session are `contract`",)
    check_sum(ledger)


def test_a_gap_the_reference_does_not_state_is_not_split() -> None:
    canonical_raw = [100.0, 101, 106, 107]
    ledger = compute(
        days(4),
        side([104, 105, 106, 107], canonical_raw, [0, 0, 1, 1], roll(2, "WN08", "WU08", 4.0)),
        side(canonical_raw, canonical_raw, [0, 0, 1, 1], roll(2, "WN08", "WU08", None)),
        names=NAMES,
        our_gaps=np.array([4.0]),
    )
    assert ledger.columns()["gap:WN08>WU08"].tolist() == [4.0, 4.0, 0, 0]
    check_sum(ledger)


def test_unexplained_nets_contract_and_residual_session_by_session() -> None:
    # Unknown contracts: Cu - U is 2 on session 0 and A - U is 2 there as well, so D is 0 throughout.
    ledger = compute(
        days(3), side([102.0, 100, 100], [102.0, 100, 100], None), side([102.0, 100, 100], [100.0, 100, 100], None)
    )
    assert ledger.columns()["contract"].tolist() == [2.0, 0, 0]
    assert ledger.columns()["reference_residual"].tolist() == [-2.0, 0, 0]
    assert ledger.summary.unexplained.mean == 0.0
    assert ledger.summary.gross is None
    # With a drift of 1 on session 1 beside it: shares 0 + 1, gross (2 + 2 + 1) / 1.
    ledger = compute(
        days(3), side([102.0, 101, 100], [102.0, 101, 100], None), side([102.0, 100, 100], [100.0, 100, 100], None)
    )
    assert ledger.drift.tolist() == [0, 1, 0]
    assert ledger.summary.unexplained.mean == pytest.approx(1 / 3)
    assert ledger.summary.unexplained.share == pytest.approx(1.0)
    assert ledger.summary.gross == pytest.approx(5.0)


def test_median_price_falls_back_to_the_adjusted_closes() -> None:
    bare = side([100.0, 104, 102], None, None)
    ledger = compute(days(3), bare, bare)
    assert ledger.median_price == 102.0
    assert ledger.finding().limit == pytest.approx(0.102)
    nothing = side([100.0, 104, 102], [float("nan")] * 3, None)
    assert compute(days(3), nothing, nothing).median_price == 102.0
    raw = side([100.0, 104, 102], [-50.0, -54, -52], None)
    assert compute(days(3), raw, raw).median_price == 52.0


def test_third_step_within_one_contract_on_one_date_is_numbered() -> None:
    # Unknown contracts: both sides and a double entry name the same roll.
    raw = [100.0, 101, 102]
    twice = (roll(1, "WN08", "WU08", 1.0), roll(1, "WN08", "WU08", 1.0))
    ledger = compute(days(3), side(raw, raw, None, roll(1, "WN08", "WU08", 1.0)), side(raw, raw, None, *twice))
    assert [block.name for block in ledger.blocks] == [
        "unmatched:WN08>WU08",
        f"unmatched:WN08>WU08@{day(1)}",
        f"unmatched:WN08>WU08@{day(1)}#2",
    ]
    check_sum(ledger)


def test_aligning_sessions_without_unadjusted_closes_take_the_level_from_the_others() -> None:
    # The last roll is into session 2; from there U is unknown, so contract is centred on sessions 0 and 1.
    nan = float("nan")
    ledger = compute(
        days(4),
        side([100.0, 101, 102, 103], [100.0, 101, 102, 103], None, roll(2, "WN08", "WU08", 0.0)),
        side([99.0, 99, 102, 103], [99.0, 99, nan, nan], None),
        names=NAMES,
    )
    # C - A = 1 2 0 0, anchor 0; Cu - U = 1 2, median 1.5; the level 1.5 is what the reference leaves.
    assert ledger.columns()["contract"].tolist() == [-0.5, 0.5, 0, 0]
    assert ledger.columns()["reference_residual"].tolist() == [1.5, 1.5, 0, 0]
    check_sum(ledger)
