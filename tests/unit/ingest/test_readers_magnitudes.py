"""Numbers that are well formed and cannot be: they are named, before sums of them leave what a number can hold."""

from __future__ import annotations

import pytest

from ctl.errors import InputError
from ctl.ingest import read_contracts, read_series

CONTRACTS = "session,contract,open,high,low,close,volume,open_interest\n"
DATABENTO = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("1,1,1,1e308,5,5", "column 'close': not a plausible price; found '1e308'"),
        ("1,1,-2e15,1,5,5", "column 'low': not a plausible price; found '-2e15'"),
        ("1,1,1,1,9223372036854775807,5", "column 'volume': not a plausible number; found '9223372036854775807'"),
        ("1,1,1,1,5,9007199254740993", "column 'open_interest': not a plausible number; found '9007199254740993'"),
    ],
)
def test_what_no_market_has_is_named(write, instruments, row, wrong):
    path = write("a.csv", f"{CONTRACTS}2025-01-06,ESH25,1,1,1,1,5,5\n2025-01-07,ESH25,{row}\n")
    with pytest.raises(InputError, match="row 3, " + wrong):
        read_contracts([path], "ES", instruments=instruments)


def test_the_largest_count_and_price_are_kept_exactly(write, instruments):
    path = write("a.csv", f"{CONTRACTS}2025-01-06,ESH25,1,1,1,-1e15,{2**53},{2**53 - 1}\n")
    bars = read_contracts([path], "ES", instruments=instruments)
    assert bars.frame.select("close", "volume", "open_interest").row(0) == (-1e15, 9007199254740992, 9007199254740991)


def test_an_instant_in_nanoseconds_is_no_count(write, instruments):
    """1,736,121,600 seconds is 2025-01-06T00:00Z."""
    path = write("a.csv", f"{DATABENTO}1736121600000000000,35,1,7,1.0,1.0,1.0,1.0,5,VOO\n")
    assert str(read_series(path, symbol="VOO", instruments=instruments).frame["session"][0]) == "2025-01-06"
