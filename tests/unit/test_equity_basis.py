"""Adjustment bases of equities: hand-worked conversions, bases recognised, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl import equity_basis
from ctl.errors import DataError
from ctl.model.actions import CorporateAction, CorporateActions
from ctl.model.bars import AdjustmentBasis, DailySeries, SeriesMeta

MONDAY = date(2024, 1, 1)


def daily(closes: list[float], basis: AdjustmentBasis | None, *, first: date = MONDAY) -> DailySeries:
    """Weekday bars: open and low a unit below, high a unit above each close, volume 1,000."""
    days = [first + timedelta(days=7 * (k // 5) + k % 5) for k in range(len(closes))]
    frame = pl.DataFrame(
        {
            "session": days,
            "open": [close - 1.0 for close in closes],
            "high": [close + 1.0 for close in closes],
            "low": [close - 1.0 for close in closes],
            "close": closes,
            "volume": [1000] * len(closes),
        }
    ).with_columns(open_interest=pl.lit(None, pl.Int64), contract=pl.lit(None, pl.String), adjustment=pl.lit(0.0))
    return DailySeries(frame, SeriesMeta("XX", "v", "exchange_session", "settlement", adjustment_basis=basis))


def closes(series: DailySeries) -> list[float]:
    return series.frame["close"].to_list()


# A week: Wednesday splits 2 for 1, Friday pays 1.00. Worked by hand:
#   raw        100    104    51     50     49
#   split      50     52     51     50     49        halves before Wednesday
#   ex_close   f = 49 / (49 + 1) = 0.98              49.00  50.96  49.98  49.00  49
#   prev_close f = 1 - 1 / 50    = 0.98              the same, since the close before was 50
WEEK = [100.0, 104.0, 51.0, 50.0, 49.0]
ACTIONS = CorporateActions((CorporateAction(date(2024, 1, 3), 2.0), CorporateAction(date(2024, 1, 5), 1.0, 1.0)))


def test_a_split_and_a_dividend_by_hand() -> None:
    raw = daily(WEEK, "raw")
    split = equity_basis.convert(raw, "split_adjusted", ACTIONS)
    assert closes(split) == [50.0, 52.0, 51.0, 50.0, 49.0]
    assert split.frame["high"].to_list() == [50.5, 52.5, 52.0, 51.0, 50.0]
    assert split.frame["volume"].to_list() == [2000, 2000, 1000, 1000, 1000]
    assert split.meta.adjustment_basis == "split_adjusted"
    total = equity_basis.convert(raw, "total_return", ACTIONS)
    assert closes(total) == pytest.approx([49.0, 50.96, 49.98, 49.0, 49.0], rel=1e-15)
    assert total.frame["volume"].to_list() == [2000, 2000, 1000, 1000, 1000]
    assert closes(equity_basis.convert(split, "total_return", ACTIONS)) == pytest.approx(closes(total), rel=1e-15)


def test_the_two_dividend_formulas_by_hand() -> None:
    """A dividend of 2 on Wednesday: 98 / (98 + 2) = 0.98 by the ex-date's close, 1 - 2 / 104 by the one before."""
    raw = daily([100.0, 104.0, 98.0, 99.0, 100.0], "raw")
    actions = CorporateActions((CorporateAction(date(2024, 1, 3), 1.0, 2.0),))
    assert closes(equity_basis.convert(raw, "total_return", actions))[:2] == pytest.approx([98.0, 101.92])
    by_previous = equity_basis.convert(raw, "total_return", actions, formula="prev_close")
    assert closes(by_previous)[:2] == pytest.approx([100 * 102 / 104, 102.0])
    assert closes(by_previous)[2:] == [98.0, 99.0, 100.0]


@pytest.mark.parametrize("formula", ["ex_close", "prev_close"])
def test_a_split_and_a_dividend_on_one_day(formula: equity_basis.Formula) -> None:
    """2 for 1 and 1.00 per new share on Wednesday, after a close of 104 (52 in new shares)."""
    raw = daily(WEEK, "raw")
    actions = CorporateActions((CorporateAction(date(2024, 1, 3), 2.0, 1.0),))
    factor = {"ex_close": 51 / 52, "prev_close": 1 - 1 / 52}[formula]
    total = equity_basis.convert(raw, "total_return", actions, formula=formula)
    assert closes(total)[:2] == pytest.approx([50 * factor, 52 * factor])
    split = equity_basis.convert(raw, "split_adjusted", actions)
    again = equity_basis.convert(split, "total_return", actions, formula=formula)
    assert closes(again) == pytest.approx(closes(total))


def test_an_ex_date_without_a_bar_takes_effect_on_the_next_session() -> None:
    raw = daily([100.0, 104.0, 102.0, 103.0, 101.0, 50.0], "raw")  # the sixth bar is a Monday
    actions = CorporateActions((CorporateAction(date(2024, 1, 6), 2.0),))
    assert closes(equity_basis.convert(raw, "split_adjusted", actions)) == [50.0, 52.0, 51.0, 51.5, 50.5, 50.0]


@pytest.mark.parametrize("ex_date", [date(2023, 12, 29), MONDAY, date(2024, 1, 6), date(2030, 1, 1)])
def test_actions_outside_the_series_change_nothing(ex_date: date) -> None:
    raw = daily(WEEK, "raw")
    assert closes(equity_basis.convert(raw, "total_return", CorporateActions((CorporateAction(ex_date, 4.0),)))) == WEEK


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(DataError, match="actions are missing"):
        equity_basis.convert(daily(WEEK, "raw"), "split_adjusted", None)
    with pytest.raises(DataError, match="basis of the prices is not known"):
        equity_basis.convert(daily(WEEK, None), "split_adjusted", ACTIONS)
    with pytest.raises(DataError, match="cannot be taken out again"):
        equity_basis.convert(daily(WEEK, "total_return"), "raw", ACTIONS)
    too_much = CorporateActions((CorporateAction(date(2024, 1, 3), 1.0, 104.0),))
    with pytest.raises(DataError, match="no smaller than the price"):
        equity_basis.convert(daily(WEEK, "raw"), "total_return", too_much, formula="prev_close")
    with pytest.raises(DataError, match="not positive"):
        equity_basis.infer(daily([1.0, -1.0, 1.0], None), ACTIONS)


# ---------------------------------------------------------------- which basis


def walk(seed: int, count: int = 900) -> list[float]:
    moves = np.random.default_rng(seed).normal(0.0003, 0.012, count)
    rounded: list[float] = np.round(200.0 * np.exp(np.cumsum(moves)), 2).tolist()
    return rounded


def dated(count: int) -> list[date]:
    return [MONDAY + timedelta(days=7 * (k // 5) + k % 5) for k in range(count)]


def market(
    seed: int, *, splits: tuple[tuple[int, float], ...], dividends: tuple[int, ...]
) -> tuple[DailySeries, CorporateActions]:
    """A raw series whose holder's total return is a walk: each split divides what follows, each dividend lowers it."""
    price = np.array(walk(seed))
    days = dated(price.size)
    events = []
    for at in sorted({at for at, _ in splits} | set(dividends)):
        ratio = dict(splits).get(at, 1.0)
        price[at:] /= ratio
        paid = round(0.006 * float(price[at]), 4) if at in dividends else 0.0
        price[at:] *= price[at] / (price[at] + paid)
        events.append(CorporateAction(days[at], ratio, paid))
    return daily(price.tolist(), "raw"), CorporateActions(tuple(events))


def unstated(series: DailySeries) -> DailySeries:
    return replace(series, meta=replace(series.meta, adjustment_basis=None))


QUARTERS = tuple(range(40, 880, 63))


@given(st.integers(0, 500), st.sampled_from([2.0, 4.0, 7.0, 1.5, 0.1]), st.integers(60, 840))
def test_a_pair_tells_every_basis_of_the_reference(seed: int, ratio: float, at: int) -> None:
    raw, actions = market(seed, splits=((at, ratio),), dividends=tuple(set(QUARTERS) - {at}))
    for basis in equity_basis.BASES:
        other = unstated(equity_basis.convert(raw, basis, actions))
        found = equity_basis.compare(raw, other, actions)
        assert found.basis == basis
        assert max(abs(event.residual or 0.0) for event in found.events) < 1e-9


@given(st.integers(0, 500), st.sampled_from([2.0, 4.0, 7.0, 1.5, 0.1]), st.integers(60, 840))
def test_one_series_tells_how_often_it_was_split_adjusted(seed: int, ratio: float, at: int) -> None:
    raw, actions = market(seed, splits=((at, ratio),), dividends=())
    once = equity_basis.convert(raw, "split_adjusted", actions)
    twice = equity_basis.convert(replace(once, meta=raw.meta), "split_adjusted", actions)
    assert equity_basis.infer(unstated(raw), actions).basis == "raw"
    assert equity_basis.infer(unstated(once), actions).basis == "split_adjusted"
    found = equity_basis.infer(unstated(twice), actions)
    assert (found.basis, found.double_adjusted, found.split_degree) == (None, True, 2)


def test_one_series_does_not_claim_what_its_noise_hides() -> None:
    """Fourteen dividends of 0.6 % against moves of 1.2 %: the standard error is 0.012 / (0.006 sqrt 14) = 0.53."""
    raw, actions = market(1, splits=((400, 4.0),), dividends=QUARTERS)
    total = unstated(equity_basis.convert(raw, "total_return", actions))
    found = equity_basis.infer(total, actions)
    assert found.dividend_degree is None
    assert found.dividend_error == pytest.approx(0.012 / (0.006 * math.sqrt(14)), rel=0.15)
    assert (found.basis, found.split_degree) == (None, 1)


def test_splits_that_were_applied_to_some_and_not_to_others_are_told() -> None:
    raw, actions = market(2, splits=((200, 2.0), (600, 3.0)), dividends=())
    half = equity_basis.convert(raw, "split_adjusted", CorporateActions(actions.events[1:]))
    found = equity_basis.infer(unstated(half), actions)
    assert (found.basis, found.uneven) == (None, True)
    assert [event.degree for event in found.events] == [0, 1]


# ---------------------------------------------------------------- alignment


def test_different_bases_are_refused_unless_declared() -> None:
    raw, actions = market(3, splits=((400, 4.0),), dividends=QUARTERS)
    other = unstated(equity_basis.convert(raw, "split_adjusted", actions))
    refused = equity_basis.align(raw, other, actions)
    assert refused.common is None
    assert refused.refusal is not None
    assert refused.refusal[0] == "BASIS_DIFFERS"
    assert "canonical is raw, reference split_adjusted" in refused.refusal[1]
    assert equity_basis.align(raw, other, actions, declared="raw").common is None
    for declared in ("split_adjusted", "total_return"):
        found = equity_basis.align(raw, other, actions, declared=declared)
        assert (found.common, found.refusal) == (declared, None)
        assert closes(found.canonical) == pytest.approx(closes(found.reference), rel=1e-12)


def test_the_dividend_formula_of_the_reference_is_found() -> None:
    raw, actions = market(4, splits=(), dividends=QUARTERS)
    for formula in equity_basis.FORMULAS:
        other = unstated(equity_basis.convert(raw, "total_return", actions, formula=formula))
        found = equity_basis.align(raw, other, actions, declared="total_return")
        assert found.formula == formula
        assert closes(found.canonical) == pytest.approx(closes(other), rel=1e-12)


def test_a_basis_stated_wrongly_is_corrected_and_told() -> None:
    raw, actions = market(5, splits=((400, 4.0),), dividends=QUARTERS)
    other = replace(raw, meta=replace(raw.meta, adjustment_basis="split_adjusted"))
    found = equity_basis.align(raw, other, actions)
    assert (found.reference_basis, found.common) == ("raw", "raw")
    assert found.notes == (
        "reference is stated as split_adjusted, against ours it is raw: splits alike, dividends alike",
    )
    wrong = equity_basis.align(other, raw, actions)
    assert (wrong.canonical_basis, wrong.common) == ("raw", "raw")
    assert wrong.notes[0] == "canonical is stated as split_adjusted, but splits are not in the earlier prices"


def test_a_reference_that_was_adjusted_twice_is_named() -> None:
    raw, actions = market(6, splits=((400, 4.0),), dividends=QUARTERS)
    once = equity_basis.convert(raw, "split_adjusted", actions)
    twice = unstated(equity_basis.convert(replace(once, meta=raw.meta), "split_adjusted", actions))
    for ours in (raw, once):
        found = equity_basis.align(ours, twice, actions, declared="total_return")
        assert found.refusal is not None
        assert found.refusal[0] == "DOUBLE_ADJUSTED"
    mine = equity_basis.align(twice, raw, actions, declared="total_return")
    assert mine.refusal == ("DOUBLE_ADJUSTED", "canonical is adjusted twice for splits, or the actions file is wrong")


@pytest.mark.parametrize("known", [(), (402,)], ids=["missing", "on another day"])
def test_a_factor_that_no_action_explains_is_told_with_its_day(known: tuple[int, ...]) -> None:
    """A split of 4 for 1 on session 400 that the actions file lacks, or has two sessions late."""
    raw, actions = market(7, splits=((400, 4.0),), dividends=())
    other = unstated(equity_basis.convert(raw, "split_adjusted", actions))
    day = actions.events[0].ex_date
    given = CorporateActions(tuple(CorporateAction(dated(900)[at], 4.0) for at in known))
    found = equity_basis.align(raw, other, given, declared="split_adjusted")
    assert found.refusal is not None
    assert found.refusal[0] == "ACTION_MISSING"
    assert f"part by a factor of 4 on {day}, which no action explains" in found.refusal[1]


# ---------------------------------------------------------------- what a strategy trades


def shares(prices: list[float], volumes: list[int | None], opens: list[float] | None = None) -> DailySeries:
    series = daily(prices, None)
    frame = series.frame.with_columns(open=pl.Series(opens or prices), volume=pl.Series(volumes, dtype=pl.Int64))
    return replace(series, frame=frame)


CALM = [100.0 + 0.5 * (n % 3) for n in range(40)]


@pytest.mark.parametrize(
    ("after", "volume", "ratio"),
    [
        (25.2, 4_000, 4.0),  # 4:1, volume four times as large
        (66.0, 1_600, 1.5),  # 3:2
        (1005.0, 90, 0.1),  # 1:10, a tenth of the volume
        (50.3, None, 2.0),  # volume unknown, price within 2 %
    ],
)
def test_prices_that_jump_like_a_split_are_refused(after: float, volume: int | None, ratio: float) -> None:
    known = [1_000 if volume is not None else None] * len(CALM)
    series = shares([*CALM, after, after], [*known, volume, volume])
    (jump,) = equity_basis.split_jumps(series)
    assert jump.ratio == pytest.approx(ratio)
    assert jump.session == series.frame["session"][len(CALM)]
    with pytest.raises(DataError) as refused:
        equity_basis.traded(series, None)
    assert refused.value.code == "UNADJUSTED_SPLIT"
    assert jump.session.isoformat() in str(refused.value)


@pytest.mark.parametrize(
    ("after", "volume"),
    [
        (51.0, 24_000),  # halved by news: the volume of a crash, not of a split
        (80.0, 1_200),  # a fifth lost is no split
        (54.9, None),  # volume unknown, price 9 % away
    ],
)
def test_a_crash_is_no_split(after: float, volume: int | None) -> None:
    known = [1_000 if volume is not None else None] * len(CALM)
    series = shares([*CALM, after, after], [*known, volume, volume])
    assert list(equity_basis.split_jumps(series)) == []
    assert equity_basis.traded(series, None) is series


def test_a_strategy_sees_split_adjusted_prices() -> None:
    prices = walk(11, 400)
    raw = [4.0 * price if n < 200 else price for n, price in enumerate(prices)]
    series = shares(raw, [1_000 if n < 200 else 4_000 for n in range(400)])
    split = CorporateActions((CorporateAction(series.frame["session"][200], 4.0, 0.0),))
    found = equity_basis.traded(series, split)
    assert closes(found) == pytest.approx(prices)
    assert found.meta.adjustment_basis == "split_adjusted"
    # Prices that carry the split already stay as they are.
    assert closes(equity_basis.traded(shares(prices, [4_000] * 400), split)) == pytest.approx(prices)
    with pytest.raises(DataError) as refused:
        equity_basis.traded(series, CorporateActions(()))
    assert refused.value.code == "UNADJUSTED_SPLIT"


@pytest.mark.parametrize("ratio", [0.1, 4.0])
@pytest.mark.parametrize("basis", ["raw", "split_adjusted", "total_return"])
def test_a_dividend_on_the_day_of_a_split_tells_the_same_as_one_apart(basis: AdjustmentBasis, ratio: float) -> None:
    raw, actions = market(5, splits=((QUARTERS[6], ratio),), dividends=QUARTERS)
    found = equity_basis.infer(unstated(equity_basis.convert(raw, basis, actions)), actions)
    assert found.split_degree == int(basis != "raw")
    error = found.dividend_error or 0.0
    assert found.dividend_estimate == pytest.approx(int(basis == "total_return"), abs=3 * error)
