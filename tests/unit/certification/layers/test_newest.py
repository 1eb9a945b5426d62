"""Checks 5 to 7 of L0 on series whose dates, units and levels are known by construction."""

from __future__ import annotations

import numpy as np
import pytest

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.layers import newest
from ctl.certification.newest_range import true_range
from ctl.certification.series_arrays import CanonicalArrays
from ctl.model.findings import Finding

SESSIONS = np.arange(np.datetime64("2020-01-01"), np.datetime64("2021-06-01"))
COUNT = SESSIONS.size


def walk(seed: int = 1, count: int = COUNT) -> np.ndarray:
    return 100.0 + np.cumsum(np.random.default_rng(seed).normal(0.0, 1.0, count))


def changes(closes: np.ndarray) -> np.ndarray:
    return np.diff(closes, prepend=np.nan)


def shifts(own: np.ndarray, other: np.ndarray, atr: float = 1.0) -> tuple[newest.DateShift, ...]:
    return newest.date_shifts(changes(own), changes(other), np.arange(own.size), atr=atr)


def late(closes: np.ndarray, by: int, first: int, end: int) -> np.ndarray:
    """Bars first..end labelled `by` sessions later."""
    out = closes.copy()
    out[first:end] = closes[first - by : end - by]
    return out


def test_equal_series_are_not_shifted() -> None:
    assert shifts(walk(), walk()) == ()


@pytest.mark.parametrize("by", [1, 2, 3, -1, -2, -3])
def test_a_shift_of_the_whole_is_found_with_its_size(by: int) -> None:
    own = walk()
    found = newest.date_shifts(changes(own), np.roll(changes(own), by), np.arange(COUNT), atr=1.0)
    assert [shift.by for shift in found] == [by]
    assert (found[0].first, found[0].last) == (0, COUNT - 1)
    assert found[0].at_shift == pytest.approx(1.0)
    assert abs(found[0].at_zero) < 0.3
    assert found[0].newest


def test_a_stretch_has_its_edges_where_it_begins_and_ends() -> None:
    own = walk()
    found = shifts(own, late(own, 1, 150, 330))
    assert [shift.by for shift in found] == [1]
    assert abs(found[0].first - 150) <= 2
    assert abs(found[0].last - 329) <= 2
    assert not found[0].newest


@pytest.mark.parametrize("sessions", [5, 10, 20, 40])
def test_the_newest_sessions_alone_are_enough(sessions: int) -> None:
    own = 100.0 + np.cumsum(np.resize([1.0, -2.0, 3.0, -1.0, 2.0, -3.0, 1.5, -2.5], COUNT))
    found = shifts(own, late(own, 1, COUNT - sessions, COUNT), atr=2.0)
    assert [shift.by for shift in found] == [1]
    assert found[0].newest


def test_a_change_of_unit_in_the_newest_sessions_is_no_shift() -> None:
    own = walk()
    for factor in (0.01, 42.0, 100.0):
        other = own.copy()
        other[-8:] *= factor
        assert shifts(own, other) == ()


def test_the_side_the_dates_and_the_correlations_are_said() -> None:
    own = walk()
    finding = newest.check_dates(shifts(own, late(own, 1, 150, COUNT)), SESSIONS)
    assert (finding.status, finding.code) == ("FAIL", "DATE_SHIFT")
    assert finding.evidence["shifts"][0]["sessions"] == 1
    assert finding.evidence["shifts"][0]["last_session"] == str(SESSIONS[-1])


def test_a_short_old_stretch_is_a_warning_only() -> None:
    own, days = walk(count=2400), np.arange(np.datetime64("2010-01-01"), np.datetime64("2010-01-01") + 2400)
    finding = newest.check_dates(shifts(own, late(own, 1, 600, 690)), days)
    assert (finding.status, finding.code) == ("WATCH", "DATE_SHIFT")


def test_summers_are_told_as_such() -> None:
    days = np.arange(np.datetime64("2010-01-01"), np.datetime64("2016-01-01"))
    own = walk(count=days.size)
    month = days.astype("datetime64[M]").astype(int) % 12 + 1
    summer = (month >= 4) & (month <= 10)
    other = np.where(summer, np.roll(own, 1), own)
    finding = newest.check_dates(shifts(own, other), days)
    assert "every April to October" in finding.text


def test_a_unit_step_has_its_session_factor_and_side() -> None:
    own = walk()
    other = np.where(np.arange(COUNT) < 200, own, own * 100.0)
    (step,) = newest.unit_steps(own, other)
    assert (step.at, step.ours) == (200, False)
    assert step.factor == pytest.approx(100.0, rel=0.02)


def test_a_unit_step_lasts_five_sessions() -> None:
    own = walk()
    four = np.where((np.arange(COUNT) >= 200) & (np.arange(COUNT) < 202), own * 100.0, own)
    five = np.where((np.arange(COUNT) >= 200) & (np.arange(COUNT) < 205), own * 100.0, own)
    assert newest.unit_steps(own, four) == ()
    assert [step.at for step in newest.unit_steps(own, five)] == [200, 205]


def test_a_unit_step_of_the_last_four_sessions_has_its_own_session_and_side() -> None:
    own = walk()
    (step,) = newest.unit_steps(own, np.where(np.arange(COUNT) < COUNT - 4, own, own / 2.0))
    assert (step.at, step.ours) == (COUNT - 4, False)
    assert step.factor == pytest.approx(0.5, rel=0.05)


def test_a_factor_below_one_and_a_half_is_no_unit() -> None:
    own = np.full(COUNT, 100.0)
    assert newest.unit_steps(own, np.where(np.arange(COUNT) < 200, own, own / 1.49)) == ()
    (step,) = newest.unit_steps(own, np.where(np.arange(COUNT) < 200, own, own / 1.5))
    assert step.at == 200


def test_a_contract_in_another_unit_is_named_with_its_factor() -> None:
    days, contract = np.tile(np.arange(100), 4), np.repeat(np.arange(4), 100)
    close = np.where(contract == 2, 5000.0, 50.0 + contract)
    closes = ContractCloses.from_arrays(("AAF20", "AAG20", "AAH20", "AAJ20"), days, contract, close)
    ((at, factor),) = newest.unit_contracts(closes)
    assert at == 2
    assert factor == pytest.approx(5000.0 / 52.0, rel=0.03)


def test_a_contract_beside_one_neighbour_only_is_not() -> None:
    days, contract = np.tile(np.arange(100), 4), np.repeat(np.arange(4), 100)
    closes = ContractCloses.from_arrays(
        ("AAF20", "AAG20", "AAH20", "AAJ20"), days, contract, np.where(contract >= 2, 100.0, 50.0)
    )
    assert newest.unit_contracts(closes) == ()


def test_a_level_step_is_kept_to_the_end() -> None:
    own = walk()
    other = own + np.where(np.arange(COUNT) >= COUNT - 30, 7.0, 0.0)
    step = newest.level_step(own, other, atr=1.0)
    assert step == newest.LevelStep(COUNT - 30, -7.0)
    assert newest.level_step(own, other, atr=1.76) is None  # 7 / 1.76 < 4


def test_a_print_and_a_level_that_comes_back_are_no_step() -> None:
    own = walk()
    for first, end in ((COUNT - 3, COUNT - 2), (COUNT - 2, COUNT - 1), (COUNT - 30, COUNT - 10)):
        at = np.arange(COUNT)
        other = own + np.where((at >= first) & (at < end), 50.0, 0.0)
        assert newest.level_step(own, other, atr=1.0) is None


def test_an_older_step_is_no_matter_of_the_newest_level() -> None:
    own = walk()
    assert newest.level_step(own, own + np.where(np.arange(COUNT) >= COUNT - 100, 7.0, 0.0), atr=1.0) is None


def test_the_gap_of_our_roll_is_an_adjustment() -> None:
    step = newest.LevelStep(300, 24.0)
    assert newest.gap_of_roll(step, np.array([100, 300]), np.array([3.0, -12.0]), tick=0.25) == 1
    assert newest.gap_of_roll(step, np.array([300]), np.array([23.7]), tick=0.25) == 0
    assert newest.gap_of_roll(step, np.array([300]), np.array([23.5]), tick=0.25) is None
    assert newest.gap_of_roll(step, np.array([310]), np.array([24.0]), tick=0.25) is None


@pytest.mark.parametrize(
    ("apart", "breached"),
    [(np.zeros(20), False), (np.full(20, 1.0), False), (np.full(20, 1.1), True),
     (np.append(np.zeros(19), 1.0), False), (np.append(np.zeros(19), 1.1), True),
     (np.append(np.resize([0.5, -0.5], 19), 3.0), False), (np.append(np.resize([0.5, -0.5], 19), 3.1), True),
     (np.append(np.zeros(15), np.full(5, 1.1)), True), (np.append(np.zeros(18), [9.0, 0.0]), False)],
)  # fmt: skip
def test_level_now_has_inclusive_limits(apart: np.ndarray, breached: bool) -> None:
    none = np.full(20, np.nan)
    now = newest.level_now(apart, none, none, atr=1.0)
    assert now is not None
    assert now.breached == breached


@pytest.mark.parametrize(("size", "status"), [(0.9, "PASS"), (1.1, "FAIL"), (-3.1, "FAIL")])
def test_the_newest_close_alone_may_lie_one_atr_off(size: float, status: str) -> None:
    apart = np.append(np.zeros(59), size)
    none = np.full(60, np.nan)
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + 60)
    words = {"atr": 1.0, "quote_unit": "points", "why_not": "no unadjusted closes"}
    both = newest.check_level(newest.level_now(apart, none, none, atr=1.0), days, **words)
    adjusted = newest.check_level(newest.adjusted_now(100.0 + apart, np.full(60, 90.0), atr=1.0), days, **words)
    assert (both.status, adjusted.status) == (status, status)
    assert (both.value, both.code) == (abs(size), None if status == "PASS" else "LEVEL_NOW")


def test_a_newest_close_of_sides_that_always_differ_may_lie_farther_off() -> None:
    """Ten median deviations of the last sessions: a settlement lies so far off the last trade."""
    apart = np.append(np.resize([0.2, -0.2], 59), 1.5)
    now = newest.level_now(apart, np.full(60, np.nan), np.full(60, np.nan), atr=1.0)
    assert now is not None
    assert not now.breached


def test_changes_of_another_size_are_a_breach() -> None:
    own = np.random.default_rng(3).normal(0.0, 1.0, 80)
    for factor, breached in ((1.0, False), (0.79, True), (1.26, True), (1.2, False)):
        now = newest.level_now(np.zeros(80), factor * own, own, atr=1.0)
        assert now is not None
        assert now.breached == breached
    few = np.where(np.arange(80) < 41, np.nan, own)  # 39 changes
    now = newest.level_now(np.zeros(80), 3.0 * few, few, atr=1.0)
    assert now is not None
    assert now.spread_ratio is None


def test_ends_apart_counts_exchange_sessions() -> None:
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-03-01"))
    assert newest.check_ends(days, days[:-5]).status == "PASS"
    finding = newest.check_ends(days, days[:-6])
    assert (finding.status, finding.code, finding.value) == ("WATCH", "ENDS_APART", 6.0)
    assert newest.check_ends(days, days[:-6], days[::2]).status == "PASS"


def ahead(
    closes: np.ndarray, behind: int, *, beside: np.ndarray | None = None, settled: bool = True, tick: float = 0.1
) -> Finding | None:
    """Our closes of one contract, of the one beside it the same where not given, and a reference that ends earlier."""
    days = np.arange(closes.size)
    flat = np.concatenate([closes, closes if beside is None else beside])
    both = ContractCloses.from_arrays(("AAF20", "AAG20"), np.tile(days, 2), np.repeat([0, 1], closes.size), flat)
    ours = CanonicalArrays(both.sessions, closes, closes, np.zeros(closes.size, dtype=np.int64))
    other = both.sessions[: closes.size - behind]
    return newest.check_ahead(ours, other, both, tick=tick, quote_unit="points", settled=settled)


def to_and_fro(*newest_closes: float) -> np.ndarray:
    """60 closes of 10 and 11 in turn, the last of them 11: the mean change is 1; and those that follow."""
    return np.concatenate([np.tile([10.0, 11.0], 30), newest_closes])


@pytest.mark.parametrize(
    ("newest_closes", "behind", "size", "status"),
    [
        ((16.5,), 1, 5.5, "PASS"),
        ((16.6,), 1, 5.6, "FAIL"),
        ((5.4,), 1, 5.6, "FAIL"),
        ((11.0, 12.0, 12.0, 11.0, 17.0), 5, 6.0, "FAIL"),
        ((18.0, 18.0, 18.0), 3, 7.0, "FAIL"),  # all that the reference lacks, at one new level
    ],
)
def test_closes_after_the_references_end_may_not_jump(
    newest_closes: tuple[float, ...], behind: int, size: float, status: str
) -> None:
    made = ahead(to_and_fro(*newest_closes), behind)
    assert made is not None
    assert (made.status, made.code) == (status, "LEVEL_NOW" if status == "FAIL" else None)
    assert (made.value, made.limit) == (pytest.approx(size), 5.5)
    assert made.evidence["sessions_ahead"] == behind


def test_a_close_that_no_contract_beside_it_follows_is_wrong_where_all_settle_at_one_moment() -> None:
    closes = to_and_fro(14.1)  # 3.1 moves up; the contract beside it 1.0
    made = ahead(closes, 1, beside=to_and_fro(12.0))
    assert made is not None
    assert (made.status, made.value, made.limit) == ("FAIL", pytest.approx(2.1), 2.0)
    for follows, settled in ((12.1, True), (12.0, False), (float("nan"), True)):
        made = ahead(closes, 1, beside=to_and_fro(follows), settled=settled)
        assert made is not None
        assert made.status == "PASS"


def test_a_market_that_stands_still_may_move_by_ticks() -> None:
    still = np.full(61, 10.0)
    for newest_close, status in ((10.5, "PASS"), (10.6, "FAIL")):
        still[-1] = newest_close
        made = ahead(still, 1)
        assert made is not None
        assert made.status == status


@pytest.mark.parametrize("behind", [0, 6])
def test_no_close_is_ahead_and_a_late_reference_is_another_finding(behind: int) -> None:
    assert ahead(to_and_fro(30.0), behind) is None


def test_true_range_is_the_close_change_without_highs_and_lows() -> None:
    close, none = np.array([10.0, 12.0, 11.0]), np.full(3, np.nan)
    assert true_range(close, none, none) == pytest.approx(1.5)
    # 2020's second bar: high 13, low 9 -> 4; third: high 12, low 11, close before 12 -> 1
    assert true_range(close, np.array([np.nan, 13.0, 12.0]), np.array([np.nan, 9.0, 11.0])) == pytest.approx(2.5)


@pytest.mark.parametrize(("factor", "words"), [(100.0, "100 times larger"), (0.01, "100 times smaller"),
                                               (42.0, "42 gallons"), (1.5, "1.5 times larger")])  # fmt: skip
def test_round_factors_are_named(factor: float, words: str) -> None:
    assert words in newest.factor_words(factor)
