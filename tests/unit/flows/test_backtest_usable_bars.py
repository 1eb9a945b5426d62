"""Bars that cannot be are refused with the first of them, or left out and counted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from ctl.errors import DataError
from ctl.flows.backtest import newest_impossible, usable_bars
from ctl.flows.plain import between
from ctl.model.bars import CloseBasis, DailySeries, SeriesMeta

MONDAY = date(2024, 3, 4)


def series(changes: dict[int, dict[str, Any]] | None = None, closes: CloseBasis = "last_trade") -> DailySeries:
    """Ten sessions from a Monday, 100 to 102 each, closing at 101."""
    days = [MONDAY + timedelta(days=n + 2 * (n // 5)) for n in range(10)]
    rows = [
        {"session": day, "open": 100.5, "high": 102.0, "low": 100.0, "close": 101.0, "volume": 10,
         "open_interest": None, "contract": None, "adjustment": 0.0, **(changes or {}).get(n, {})}
        for n, day in enumerate(days)
    ]  # fmt: skip
    schema = {"session": pl.Date, "open_interest": pl.Int64, "contract": pl.String}
    return DailySeries(
        pl.DataFrame(rows, schema_overrides=schema), SeriesMeta("ZZ", "made", "exchange_session", closes)
    )


BAD = [
    {"high": 99.0},
    {"high": 100.0, "low": 102.0},
    {"open": 99.0},
    {"open": 0.0, "high": 0.0, "low": 0.0, "close": 0.0},
    {"low": 0.0},
    {"close": 103.0},
    {"session": date(2024, 3, 10)},
]


@pytest.mark.parametrize("change", BAD)
def test_a_bar_that_cannot_be_is_refused_by_date_or_left_out(change: dict[str, Any]) -> None:
    made = series({4: change})
    with pytest.raises(DataError) as refused:
        usable_bars(made)
    assert refused.value.code == "BAD_BARS"
    assert str(made.frame["session"][4]) in str(refused.value)
    kept, notes = usable_bars(made, drop=True)
    assert kept.frame["session"].to_list() == [day for day in series().frame["session"] if day != MONDAY + timedelta(4)]
    assert len(notes) == 1


def test_a_settlement_outside_the_range_is_told_and_kept() -> None:
    made = series({4: {"close": 103.0}}, "settlement")
    kept, notes = usable_bars(made)
    assert kept is made
    assert len(notes) == 1
    assert "2024-03-08" in notes[0]


def test_good_bars_pass_untold_and_so_do_negative_prices_with_a_zero() -> None:
    assert usable_bars(series())[1] == ()
    below = {n: {"open": -1.0, "high": 1.0, "low": -2.0, "close": 0.0} for n in range(10)}
    assert usable_bars(series(below))[1] == ()


def test_settlement_only_bars_and_a_calendar_of_every_day_are_left_alone() -> None:
    assert usable_bars(series({n: {"open": None, "high": None, "low": None} for n in range(10)}))[1] == ()
    assert usable_bars(series({4: {"session": date(2024, 3, 9)}}), calendar="24/7")[1] == ()
    with pytest.raises(DataError):
        usable_bars(series({4: {"session": date(2024, 3, 9)}}), calendar="CMES")


def test_a_part_of_a_series_has_both_ends() -> None:
    part = between(series(), date(2024, 3, 6), date(2024, 3, 12)).frame["session"]
    assert (part[0], part[-1], len(part)) == (date(2024, 3, 6), date(2024, 3, 12), 5)
    with pytest.raises(DataError):
        between(series(), date(2025, 1, 1), None)


def test_a_newest_bar_that_is_the_one_before_again_cannot_be() -> None:
    """The volume tells it from a quiet market, whose prices may well be those of the day before."""
    volumes = {n: {"volume": 10 + n} for n in range(10)}
    assert newest_impossible(series(volumes), calendar="none") == ""
    found = newest_impossible(series(volumes | {9: volumes[8]}), calendar="none")
    assert found == "the bar of the session before, its volume too: 2024-03-15 100.5 102 100 101"
    flat = {"open": 101.0, "high": 101.0, "low": 101.0}
    unmoved = {n: flat | volumes[min(n, 8)] for n in range(10)}
    assert newest_impossible(series(unmoved), calendar="none") == ""
    untraded = {n: {"volume": 0} for n in range(10)}
    assert newest_impossible(series(untraded), calendar="none") == ""
