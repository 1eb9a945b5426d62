"""Delivery years from the digits written, and what a fold does with a volume that is not known."""

from __future__ import annotations

from datetime import date

import pytest

from ctl.ingest import read_contracts
from ctl.model.contracts import parse_symbol, resolve_year

CONTRACTS = "session,contract,open,high,low,close,volume,open_interest\n"


@pytest.mark.parametrize(
    ("symbol", "last_bar", "year"),
    [
        # One digit: nearest delivery after the last bar, not earlier than one month before it.
        ("ESH5", date(2024, 12, 31), 2025),
        ("ESH5", date(2025, 4, 2), 2025),  # March is one month before April
        ("ESH5", date(2025, 5, 2), 2035),  # and two before May
        ("ESZ9", date(2020, 1, 3), 2019),
        ("ESZ9", date(2020, 2, 3), 2029),
        ("CLZ4", date(2015, 12, 1), 2024),  # listed nine years ahead
        # Two digits: the nearest century on either side.
        ("CLF25", date(2026, 1, 5), 2025),  # a stale bar a year after delivery
        ("CLZ34", date(2025, 1, 2), 2034),
        ("CLF00", date(1999, 3, 1), 2000),
        ("CLZ99", date(2001, 3, 1), 1999),
        # Four digits: as written.
        ("CLZ2099", date(2001, 3, 1), 2099),
    ],
)
def test_a_delivery_year_is_told_from_its_digits_and_the_last_bar(symbol, last_bar, year):
    parsed = parse_symbol(symbol)
    assert parsed is not None
    assert resolve_year(parsed, last_bar) == year


@pytest.mark.parametrize(
    ("sunday", "monday", "expected"),
    [("25", "", None), ("", "40", None), ("", "", None), ("25", "40", 65)],
)
def test_an_unknown_volume_plus_a_known_one_is_unknown(write, instruments, sunday, monday, expected):
    """2025-01-12 is a Sunday; its open interest is dropped, Monday's stays."""
    rows = f"2025-01-10,ESH25,1,1,1,1,7,100\n2025-01-12,ESH25,2,9,2,3,{sunday},111\n"
    rows += f"2025-01-13,ESH25,4,5,1,4,{monday},122\n"
    bars = read_contracts([write("a.csv", CONTRACTS + rows)], "ES", instruments=instruments)
    assert bars.frame.rows() == [
        (date(2025, 1, 10), "ESH25", 1.0, 1.0, 1.0, 1.0, 7, 100),
        (date(2025, 1, 13), "ESH25", 2.0, 9.0, 1.0, 4.0, expected, 122),
    ]
