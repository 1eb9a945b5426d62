"""Rules by fit on schedules made by a rule, months held, gap timing and our own schedule; all by construction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from ctl import continuous
from ctl.certification.contract_closes import ContractCloses
from ctl.certification.layers import gap_timing, rule_fit
from ctl.certification.recovery.parsimony import own_schedule
from ctl.certification.what_if.path_range import path_range
from ctl.certification.window import WindowRoll
from ctl.model.bars import ContractBars, ContractTerms, SeriesMeta
from ctl.model.contracts import Contract
from ctl.model.rolls import RollPolicy

MONTHS = (3, 6, 9, 12)
CROSS = 12  # volume moves 12 sessions before the last trade


def market(years: int = 6) -> tuple[ContractBars, np.ndarray, list[int]]:
    """Quarterly contracts, all listed throughout; last trade on the 15th; and the sessions, and each expiry's place."""
    days = np.arange(np.datetime64("2010-01-01"), np.datetime64(f"{2010 + years}-12-31"))
    days = days[np.is_busday(days)]
    contracts = [Contract(2010 + y, m, "AA") for y in range(years) for m in MONTHS]
    ends = [
        int(np.searchsorted(days, np.datetime64(f"{c.year}-{c.month:02d}-15"), side="right")) - 1 for c in contracts
    ]
    frames = []
    for k, (contract, end) in enumerate(zip(contracts, ends, strict=True)):
        at = np.arange(end + 1)
        active = (at < end - CROSS) & (at >= (ends[k - 1] - CROSS if k else 0))
        volume = np.where(active, 1000, 10)
        frames.append(
            pl.DataFrame({"session": days[at], "contract": contract.name, "close": 50.0 + k, "volume": volume})
        )
    frame = pl.concat(frames).with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(n) for n in ("open", "high", "low")),
        pl.col("volume").cast(pl.Int64), open_interest=pl.lit(None, dtype=pl.Int64),
    )  # fmt: skip
    columns = ("session", "contract", "open", "high", "low", "close", "volume", "open_interest")
    terms = {
        c.name: ContractTerms(c.name, last_trade=days[end].astype(object))
        for c, end in zip(contracts, ends, strict=True)
    }
    meta = SeriesMeta("AA", "own", "exchange_session", "settlement")
    return ContractBars(frame.select(columns), meta, tuple(contracts), terms), days, ends


def rolls(bars: ContractBars, days: np.ndarray, gap_places: list[int]) -> list[WindowRoll]:
    names = [c.name for c in bars.contracts]
    return [
        WindowRoll(
            days[at].item(), days[at + 1].item(), names[k], names[k + 1], 1.0, "fingerprint", at, at + 1, edge=False
        )
        for k, at in enumerate(gap_places)
    ]  # fmt: skip


@pytest.mark.parametrize("offset", [0, 3, 10, 40])
def test_sessions_before_last_trade_are_named(offset: int) -> None:
    bars, days, ends = market()
    fit = rule_fit.best_rule(rule_fit.candidates(bars, rolls(bars, days, [e - offset for e in ends[:-1]])), 3)
    assert fit is not None
    assert fit.rule.options == f"--policy calendar --anchor expiry --offset {offset}"
    assert (fit.share, fit.distance) == (1.0, 0.0)


@pytest.mark.parametrize("confirmed", [1, 2, 5])
def test_days_of_higher_volume_are_named(confirmed: int) -> None:
    bars, days, ends = market()
    made = rule_fit.candidates(bars, rolls(bars, days, [e - CROSS + confirmed - 1 for e in ends[:-1]]))
    volume = next(n for n, r in enumerate(made.rules) if r.options == f"--policy volume --days {confirmed}")
    assert (made.distance[volume] == 0).all()


@pytest.mark.parametrize(("before", "option"), [(0, ""), (1, " --months-before 1"), (2, " --months-before 2")])
def test_a_fixed_day_is_named_and_the_policy_of_its_options_rolls_on_it(before: int, option: str) -> None:
    bars, days, _ = market()
    first = [np.datetime64(f"{c.year}-{c.month:02d}") - before for c in bars.contracts[:-1]]
    fifth = [month.astype("M8[D]") + 4 for month in first]
    places = [int(np.searchsorted(days, day, side="right")) - 1 for day in fifth]
    fit = rule_fit.best_rule(rule_fit.candidates(bars, rolls(bars, days, places)), 0)
    assert fit is not None
    assert fit.rule.options == f"--policy calendar --anchor fixed_day --fixed-day 5{option}"
    policy: Any = RollPolicy(**{{"policy": "kind"}.get(key, key): value for key, value in fit.rule.policy.items()})
    rolled = continuous.build(bars, replace(policy, guard_sessions=None)).rolls
    expected = {days[place].item() for place in places}
    assert {roll.gap_session for roll in rolled if roll.gap_session <= max(expected)} == expected


def test_no_rule_is_named_below_two_thirds_or_eight_rolls() -> None:
    bars, days, ends = market()
    draw = np.random.default_rng(5)
    wild = [e - int(n) for e, n in zip(ends[:-1], draw.integers(0, 55, len(ends)), strict=False)]
    assert rule_fit.best_rule(rule_fit.candidates(bars, rolls(bars, days, wild)), 1) is None
    few = rolls(bars, days, [e - 3 for e in ends[:7]])
    assert rule_fit.best_rule(rule_fit.candidates(bars, few), 1) is None


def test_a_rule_that_changes_is_named_with_its_date() -> None:
    bars, days, ends = market()
    places = [e - (3 if k < 11 else 30) for k, e in enumerate(ends[:-1])]
    made = rolls(bars, days, places)
    change = rule_fit.rule_change(rule_fit.candidates(bars, made), 1)
    assert change is not None
    assert change.changed_on == (made[11].roll_date,)
    assert change.rules[0].rule.options.endswith("--offset 3")
    assert change.rules[1].rule.options.endswith("--offset 30")
    assert rule_fit.check_change(change)[0].code == "ROLL_RULE_CHANGED"


def test_a_rule_that_changes_twice_is_named_with_both_dates() -> None:
    bars, days, ends = market()
    third = len(ends) // 3
    places = [e - (30 if third <= k < 2 * third else 3) for k, e in enumerate(ends[:-1])]
    made = rolls(bars, days, places)
    change = rule_fit.rule_change(rule_fit.candidates(bars, made), 1)
    assert change is not None
    assert change.changed_on == (made[third].roll_date, made[2 * third].roll_date)
    assert [fit.rule.options[-3:] for fit in change.rules] == ["t 3", " 30", "t 3"]
    assert rule_fit.check_change(change)[0].evidence["later"][0]["changed_on"] == str(made[2 * third].roll_date)


def test_one_rule_or_four_odd_rolls_are_no_change() -> None:
    bars, days, ends = market()
    steady = rolls(bars, days, [e - 3 for e in ends[:-1]])
    odd = rolls(bars, days, [e - (3 if k < len(ends) - 5 else 30) for k, e in enumerate(ends[:-1])])
    assert rule_fit.rule_change(rule_fit.candidates(bars, steady), 1) is None
    assert rule_fit.rule_change(rule_fit.candidates(bars, odd), 1) is None


def test_two_rules_within_the_day_limit_of_a_third_are_still_two() -> None:
    # 3 and then 6 sessions before expiry: 5 before explains all rolls within 3 sessions, and half of them within one.
    bars, days, ends = market()
    made = rolls(bars, days, [e - (3 if k < len(ends) // 2 else 6) for k, e in enumerate(ends[:-1])])
    change = rule_fit.rule_change(rule_fit.candidates(bars, made), 3)
    assert change is not None
    assert (change.changed_on, change.rules[1].rule.options[-8:]) == ((made[len(ends) // 2].roll_date,), "offset 6")


def test_months_are_compared_by_the_years_in_which_they_are_held() -> None:
    names = ["AAH10", "AAM10", "AAU10", "AAH11", "AAM11", "AAU11"]
    days = np.arange(np.datetime64("2010-01-01"), np.datetime64("2011-12-31"))
    third = days.size // 6
    ours = np.minimum(np.arange(days.size) // third, 5)
    theirs = np.array([0, 2, 2, 3, 5, 5])[ours]  # never June
    held = rule_fit.months_held(names, ours, days)
    assert held == {"H": {2010, 2011}, "M": {2010, 2011}, "U": {2010, 2011}}
    (finding,) = rule_fit.check_months(held, rule_fit.months_held(names, theirs, days))
    assert finding.code == "MONTH_CYCLE_MISMATCH"
    assert finding.evidence == {"only_ours": "M", "only_reference": "", "months": "HU"}
    assert rule_fit.check_months(held, held) == []
    assert rule_fit.check_months({"H": {2010}, "M": {2010, 2011}}, {"M": {2010}}) == []  # one year is chance


# ---------------------------------------------------------------- gaps


def two_contracts(count: int = 60) -> tuple[ContractCloses, np.ndarray]:
    """Twelve contracts whose spread to the next moves by 3 every session."""
    day = np.tile(np.arange(count), 12)
    contract = np.repeat(np.arange(12), count)
    close = 100.0 + contract * (50.0 + 3.0 * day)
    return ContractCloses.from_arrays(tuple(f"C{k}" for k in range(12)), day, contract, close), close


@pytest.mark.parametrize("late", [-5, -1, 1, 2, 5])
def test_gaps_taken_off_their_session_are_found(late: int) -> None:
    closes, _ = two_contracts()
    old, at = np.arange(10), np.arange(10, 50, 4)
    gaps = 50.0 + 3.0 * (at + late)
    found = gap_timing.gaps_taken_late(gaps, old, old + 1, at, closes, tick=0.25)
    assert found == gap_timing.Explained(late, 1.0, 0.0, 10)
    assert gap_timing.check_timing(found, None)[0].code == "GAPS_TAKEN_LATE"


def test_right_gaps_and_few_late_ones_are_silent() -> None:
    closes, _ = two_contracts()
    old, at = np.arange(10), np.arange(10, 50, 4)
    right = 50.0 + 3.0 * at
    assert gap_timing.gaps_taken_late(right, old, old + 1, at, closes, tick=0.25) is None
    some = np.where(np.arange(10) < 7, right + 3.0, right)
    assert gap_timing.gaps_taken_late(some, old, old + 1, at, closes, tick=0.25) is None
    assert gap_timing.gaps_taken_late(right[:4] + 3.0, old[:4], old[:4] + 1, at[:4], closes, tick=0.25) is None


def test_gaps_of_opens_are_told_before_their_timing() -> None:
    closes, close = two_contracts()
    day, contract = np.tile(np.arange(60), 12), np.repeat(np.arange(12), 60)
    opens = ContractCloses.from_arrays(closes.names, day, contract, close + 7.0 * contract)
    old, at = np.arange(10), np.arange(10, 50, 4)
    found = gap_timing.gaps_from_opens(57.0 + 3.0 * (at + 1), old, old + 1, at, closes, opens, tick=0.25)
    assert found == gap_timing.Explained(1, 1.0, 0.0, 10)
    assert gap_timing.check_timing(None, found)[0].code == "GAPS_FROM_OPENS"


def test_a_roll_without_a_step_is_left_unadjusted() -> None:
    closes, _ = two_contracts()
    old, at = np.arange(10), np.arange(10, 50, 4)
    gaps = 50.0 + 3.0 * at
    gaps[4] = 0.0
    none = np.empty(0, dtype=np.int64)
    found = gap_timing.left_unadjusted(gaps, old, old + 1, at, closes, none, tick=0.25)
    assert np.flatnonzero(found.rolls).tolist() == [4]
    assert found.spread[4] == 50.0 + 3.0 * at[4]
    near = np.array([at[4] + 10])
    assert not gap_timing.left_unadjusted(gaps, old, old + 1, at, closes, near, tick=0.25).rolls.any()


def test_contracts_that_cross_leave_no_gap_to_adjust() -> None:
    day, contract = np.tile(np.arange(60), 2), np.repeat(np.arange(2), 60)
    closes = ContractCloses.from_arrays(("A", "B"), day, contract, 100.0 + contract * (day - 30.0))
    at = np.array([28])
    found = gap_timing.left_unadjusted(
        np.zeros(1), np.array([0]), np.array([1]), at, closes, np.empty(0, np.int64), tick=0.25
    )
    assert not found.rolls.any()  # equal two sessions later


def test_a_spread_that_changes_its_sign_leaves_no_gap_to_adjust() -> None:
    day, contract = np.tile(np.arange(60), 2), np.repeat(np.arange(2), 60)
    closes = ContractCloses.from_arrays(("A", "B"), day, contract, 100.0 + contract * np.where(day % 2, 5.0, -5.0))
    found = gap_timing.left_unadjusted(
        np.zeros(1), np.array([0]), np.array([1]), np.array([28]), closes, np.empty(0, np.int64), tick=0.25
    )
    assert not found.rolls.any()


# ---------------------------------------------------------------- our own schedule


def test_our_schedule_explains_our_series_from_either_file() -> None:
    closes, _ = two_contracts()
    at = np.arange(60)
    held = at // 6
    unadjusted = 100.0 + held * (50.0 + 3.0 * at)
    plain = own_schedule(unadjusted, at, held, closes, tick=0.25, adjusted=False)
    assert plain.exact
    assert plain.explains(np.zeros(60))
    adjusted = own_schedule(unadjusted + 17.0 * held, at, held, closes, tick=0.25, adjusted=True)
    assert adjusted.exact
    assert adjusted.offsets.tolist() == (17.0 * held).tolist()


def test_another_schedule_is_not_explained() -> None:
    closes, _ = two_contracts()
    at = np.arange(60)
    ours, theirs = at // 6, (at + 2) // 6
    found = own_schedule(100.0 + theirs * (50.0 + 3.0 * at), at, ours, closes, tick=0.25, adjusted=False)
    assert not found.exact
    # Two sessions of every six lie a whole spread, more than the cap, off.
    assert found.total == 40.0 * np.count_nonzero(ours != theirs)
    assert not found.explains(np.zeros(60))
    assert found.explains(np.full(60, found.total / 60 / 1.005))
    assert not found.explains(np.full(60, found.total / 60 / 1.02))


# ---------------------------------------------------------------- path dependence


def test_the_range_by_hand_of_two_blocks() -> None:
    # Ten sessions; 4 before the first block, 7 before the second; gaps 3 and -1. In order: 2 on 4 sessions, -1 on 3.
    drift = np.array([2.0] * 4 + [-1.0] * 3 + [0.0] * 3)
    found = path_range(drift, np.array([3.0, -1.0]), np.array([4, 7]), orders=400)
    # The other order: 2 on 4 sessions, 3 on 3.
    assert found.low == pytest.approx(1.1)
    assert found.high == pytest.approx(1.7)
    assert found.orders == 400


def test_without_gap_differences_there_is_no_range() -> None:
    found = path_range(np.full(10, 2.0), np.zeros(3), np.array([2, 4, 6]))
    assert (found.low, found.high, found.orders) == (2.0, 2.0, 0)


def test_the_range_is_the_same_each_time_and_holds_the_mean_over_orders() -> None:
    draw = np.random.default_rng(9)
    gaps, before = draw.normal(0.0, 2.0, 30), np.arange(10, 310, 10)
    carried = np.array([gaps[before > t].sum() for t in range(320)])
    drift = carried + draw.normal(0.0, 0.1, 320)
    first, second = path_range(drift, gaps, before), path_range(drift, gaps, before)
    assert first == second
    rest = drift - carried
    means = []
    for _ in range(200):
        other = draw.permutation(gaps)
        means.append(np.abs(rest + [other[before > t].sum() for t in range(320)]).mean())
    assert np.quantile(means, 0.05) == pytest.approx(first.low, rel=0.25)
    assert np.quantile(means, 0.95) == pytest.approx(first.high, rel=0.25)
