"""The ratchet on figures worked out by hand: ES, locked WATCH at a mean drift of 7.30, a tick of 0.25."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from locked_symbols import ES, LAST, locked_symbol, watched

from ctl.model.findings import Decision
from ctl.model.locked import LockedSymbol, Watched
from ctl.since_lock import ratchet
from ctl.since_lock.ratchet import Judged

MARCH = date(2026, 3, 13)


def judge(
    now: Watched,
    *,
    expected: Decision = "WATCH",
    locked: LockedSymbol | None = None,
    history: LockedSymbol | None = None,
    before: LockedSymbol | None = None,
) -> Judged:
    held = locked or locked_symbol()

    def cut_before(day: date) -> LockedSymbol:
        assert before is not None, "no roll was to be asked for"
        return before

    return ratchet.judge(expected, held, now, history=history or held, ratchet=1.0, cut_before=cut_before)


def codes(judged: Judged) -> list[str]:
    return [reason.code for reason in judged.reasons]


def test_the_same_figures_are_as_expected() -> None:
    assert judge(watched(locked_symbol())) == Judged(True, ())


@pytest.mark.parametrize(
    ("metric", "value", "refused"),
    [
        # 5 % of 7.30 is 0.365, above one tick: 7.665 is the most.
        ("mean_drift", 7.665, False),
        ("mean_drift", 7.70, True),
        # 5 % of 0.4 is 0.02, below one tick: 0.65 is the most.
        ("mean_gap_diff", 0.65, False),
        ("mean_gap_diff", 0.66, True),
        ("max_gap_diff", 3.01, True),
        ("max_basis", 8.4, False),
        ("max_basis", 8.41, True),
        ("aligned_drift", 7.67, True),
        ("mean_drift", 1.0, False),
        # 32 pairs: 5 % are 1.6.
        ("n_paired", 31, False),
        ("n_paired", 30, True),
        ("n_unmatched_canonical", 1, True),
        ("n_unmatched_reference", 2, True),
        ("n_fail", 2, True),
        # Of a drift of 7.30 a share of 0.01 is 0.073; one tick more is a share of 0.0443.
        ("unexplained_share", 0.044, False),
        ("unexplained_share", 0.045, True),
        ("mean_drift", None, True),
        ("n_paired", None, True),
    ],
)
def test_locked_sessions_may_be_worse_by_five_percent_and_a_tick(metric: str, value: Any, refused: bool) -> None:
    judged = judge(watched(locked_symbol()), history=locked_symbol(**{metric: value}))
    assert judged.passed is not refused
    assert codes(judged) == (["WORSE_THAN_LOCKED"] if refused else [])


@pytest.mark.parametrize(("size", "refused"), [(5.75, False), (5.76, True), (6.25, True)])
def test_a_later_gap_difference_may_be_twice_the_largest_locked_one_and_a_tick(size: float, refused: bool) -> None:
    gaps = [("ESH25>ESM25", date(2025, 3, 17), 99.0), ("ESH26>ESM26", MARCH, size)]
    judged = judge(watched(locked_symbol(), gaps=gaps))
    assert judged.passed is not refused
    if refused:
        (reason,) = judged.reasons
        assert (reason.code, reason.value, reason.limit) == ("WORSE_THAN_LOCKED", size, 5.5)
        assert "ESH26>ESM26 (2026-03-13)" in reason.text


@pytest.mark.parametrize(("mean", "refused"), [(12.25, False), (12.26, True)])
def test_a_later_mean_of_basis_may_be_half_above_the_largest_locked_one_and_a_tick(mean: float, refused: bool) -> None:
    judged = judge(watched(locked_symbol(), basis=[(LAST, 99.0), (MARCH, mean)]))
    assert judged.passed is not refused
    assert all("2026-03-13" in reason.text for reason in judged.reasons)


def test_basis_that_grows_with_the_moves_is_no_other_vendor() -> None:
    # Locked at most 0.2 of the moves: 0.3 are allowed, however far apart in prices.
    assert judge(watched(locked_symbol(), basis=[(MARCH, 99.0)], to_moves=0.3)).passed
    assert not judge(watched(locked_symbol(), basis=[(MARCH, 99.0)], to_moves=0.31)).passed


def test_twice_a_tick_or_two_of_gap_difference_is_noise() -> None:
    # Nothing above 0.25 is locked; four ticks count as locked, so 2.0 and a tick are allowed.
    held = locked_symbol(max_gap_diff=0.25)
    for size, passed in ((2.25, True), (2.26, False)):
        now = watched(held, gaps=[("ESH26>ESM26", MARCH, size)])
        assert judge(now, locked=held, history=held).passed is passed


@pytest.mark.parametrize(("drift", "refused"), [(14.6, False), (14.61, True)])
def test_mean_drift_may_double(drift: float, refused: bool) -> None:
    judged = judge(watched(locked_symbol(aligned_drift=drift)))
    assert judged.passed is not refused


def test_a_ceiling_lies_at_least_a_tick_above_the_locked_value() -> None:
    held = locked_symbol(aligned_drift=0.01)
    assert judge(watched(locked_symbol(aligned_drift=0.26)), locked=held, history=held).passed
    assert not judge(watched(locked_symbol(aligned_drift=0.27)), locked=held, history=held).passed


def test_mean_drift_as_published_is_no_ceiling_since_it_moves_with_every_roll() -> None:
    assert judge(watched(locked_symbol(mean_drift=15.3))).passed


def test_a_check_that_the_lock_does_not_hold_as_breached_refuses() -> None:
    judged = judge(watched(locked_symbol(breached=["MEAN_GAP_DIFF", "MEAN_DRIFT"])))
    assert not judged.passed
    assert codes(judged) == ["WORSE_THAN_LOCKED"]
    assert "MEAN_GAP_DIFF" in judged.reasons[0].text


def test_an_accept_that_is_worse_inside_its_limits_passes_and_is_reported() -> None:
    held = locked_symbol("ACCEPT", (), aligned_drift=2.1)
    judged = judge(watched(locked_symbol("ACCEPT", (), aligned_drift=4.3)), expected="ACCEPT", locked=held)
    assert judged.passed
    assert codes(judged) == ["DRIFTING"]
    assert (judged.reasons[0].value, judged.reasons[0].limit) == (4.3, 4.2)


def test_an_accept_whose_locked_sessions_are_worse_is_refused() -> None:
    held = locked_symbol("ACCEPT", (), mean_drift=2.1)
    judged = judge(watched(held), expected="ACCEPT", locked=held, history=locked_symbol("ACCEPT", (), mean_drift=4.3))
    assert codes(judged) == ["WORSE_THAN_LOCKED"]


@pytest.mark.parametrize(("drift", "passed"), [(4.51, True), (4.5, False), (1.0, False)])
def test_better_than_expected_by_less_than_a_tenth_of_the_limit_passes(drift: float, passed: bool) -> None:
    now = watched(locked_symbol("ACCEPT", (), mean_drift=drift), MEAN_DRIFT=(drift, 5.0), MEAN_GAP_DIFF=(0.95, 1.0))
    judged = judge(now)
    assert judged.passed is passed
    assert codes(judged) == ["BETTER_THAN_EXPECTED"]


class TestNearALimit:
    """ACCEPT locked at a mean drift of 4.30, limit 5.00: a roll may lift it by less than a tenth above the limit."""

    HELD = locked_symbol("ACCEPT", (), mean_drift=4.3, aligned_drift=4.3)

    def judged(self, drift: float, *, aligned: float = 5.2, more: Sequence[str] = (), **parts: Any) -> Judged:
        symbol = locked_symbol("WATCH", ("MEAN_DRIFT", *more), mean_drift=drift, aligned_drift=aligned)
        now = watched(symbol, MEAN_DRIFT=(drift, 5.0), MEAN_GAP_DIFF=(0.95, 1.0), **parts)
        return judge(now, expected="ACCEPT", locked=self.HELD, history=self.HELD)

    def test_less_than_a_tenth_above_passes_and_is_reported_with_both_values(self) -> None:
        judged = self.judged(5.49)
        assert judged.passed
        (reason,) = judged.reasons
        assert (reason.code, reason.severity, reason.value, reason.limit) == ("NEAR_LIMIT", "WATCH", 5.49, 5.0)

    def test_a_tenth_above_is_another_status(self) -> None:
        assert codes(self.judged(5.5)) == ["STATUS_MISMATCH"]

    @pytest.mark.parametrize("code", ["MEAN_GAP_DIFF", "UNMATCHED_SHARE", "LEVEL_NOW"])
    def test_nothing_else_may_be_breached_anew(self, code: str) -> None:
        assert not self.judged(5.2, more=[code]).passed

    def test_worse_than_the_ratchet_allows_is_not_near(self) -> None:
        assert codes(self.judged(5.2, aligned=8.61)) == ["STATUS_MISMATCH", "DRIFTING"]
        assert not self.judged(5.2, gaps=[("ESH26>ESM26", MARCH, 9.0)]).passed
        assert not self.judged(5.2, basis=[(MARCH, 12.26)]).passed

    def test_under_policy_v2_the_farther_of_two_limits_counts(self) -> None:
        codes_v2 = ("MEAN_DRIFT_TICKS", "MEAN_DRIFT_ATR")
        for share, passed in ((0.274, True), (0.275, False)):
            now = watched(
                locked_symbol("WATCH", codes_v2, aligned_drift=5.2),
                MEAN_DRIFT_TICKS=(20.1, 20.0), MEAN_DRIFT_ATR=(share, 0.25),
            )  # fmt: skip
            judged = judge(now, expected="ACCEPT", locked=self.HELD, history=self.HELD)
            assert judged.passed is passed


class TestRollSettling:
    REJECTED = ("UNMATCHED_SHARE", "MEAN_DRIFT")

    def now(self, roll: date, *breached: str, **more: Any) -> Watched:
        symbol = locked_symbol("REJECT", breached or self.REJECTED)
        return watched(symbol, roll_days=[date(2025, 12, 16), roll], newest=MARCH, **more)

    def test_another_decision_since_a_roll_of_the_last_ten_sessions_passes(self) -> None:
        judged = judge(self.now(date(2026, 3, 4)), before=locked_symbol())
        assert judged.passed
        assert codes(judged) == ["ROLL_SETTLING"]

    def test_an_older_roll_accounts_for_nothing(self) -> None:
        assert codes(judge(self.now(date(2026, 3, 3)))) == ["STATUS_MISMATCH"]

    def test_the_decision_before_the_roll_must_be_the_expected_one(self) -> None:
        assert not judge(self.now(MARCH), before=locked_symbol("REJECT", self.REJECTED)).passed
        assert not judge(self.now(MARCH), before=locked_symbol(breached=["MEAN_GAP_DIFF"])).passed

    @pytest.mark.parametrize("code", ["LEVEL_NOW", "DATE_SHIFT", "UNIT_CHANGED", "IDENTITY_MISMATCH"])
    def test_wrong_newest_prices_are_never_a_matter_of_a_roll(self, code: str) -> None:
        assert not judge(self.now(MARCH, code), before=locked_symbol()).passed

    def test_a_new_gap_difference_that_is_too_large_does_not_settle(self) -> None:
        now = self.now(MARCH, gaps=[("ESH26>ESM26", MARCH, 9.0)])
        assert codes(judge(now)) == ["STATUS_MISMATCH", "WORSE_THAN_LOCKED"]

    def test_worse_locked_sessions_do_not_settle(self) -> None:
        assert not judge(self.now(MARCH), history=locked_symbol(mean_drift=9.0)).passed


def test_ratios_are_compared_at_one_price() -> None:
    # Locked at a close of 4000, now at 6000: 7.30 then are 10.95 now, the ceiling 21.90.
    held = locked_symbol(scale=4000.0)
    assert judge(watched(locked_symbol(scale=6000.0, aligned_drift=21.9)), locked=held).passed
    assert not judge(watched(locked_symbol(scale=6000.0, aligned_drift=22.0)), locked=held).passed
    assert ES.scale is None
