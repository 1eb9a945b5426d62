"""What a Databento download holds beside plain daily bars of outrights."""

from __future__ import annotations

from datetime import date

import pytest

from ctl.errors import InputError
from ctl.ingest import read_contracts, read_series

HEADER = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"


def bar(day: str, symbol: str, close: str = "100.000000000", publisher: int = 1) -> str:
    return f"{day}T00:00:00.000000000Z,35,{publisher},7,{close},{close},{close},{close},5,{symbol}\n"


def test_every_other_instrument_of_a_parent_is_dropped_and_counted(write, instruments):
    others = [
        "ESH5-ESM5",
        "ESM5-ESU5",
        "ES:C1 HO5-M5",
        "ESH5 C4500",
        "ESH5 P4500.5",
        "UD:1V: VT 1234567",
        "UD:U$: GN 2503",
    ]
    text = HEADER + "".join(bar("2025-01-06", symbol) for symbol in ["ESH5", *others])
    bars = read_contracts([write("ES.FUT.csv", text)], "ES", instruments=instruments)
    assert [contract.name for contract in bars.contracts] == ["ESH25"]
    # Two legs apart and one named calendar spread; two options; two of users.
    assert dict(bars.meta.counts) == {
        "instruments_dropped": 7, "spreads_dropped": 3, "options_dropped": 2, "user_defined_dropped": 2,
    }  # fmt: skip


@pytest.mark.parametrize("symbol", ["UD:<b>", "UD:../x", "$(x)", "a/b", "ESH5\\..", "ESH5\x01"])
def test_text_that_can_lead_elsewhere_is_no_symbol(write, instruments, symbol):
    with pytest.raises(InputError, match=r"row 3, column 'symbol': not a symbol"):
        read_contracts(
            [write("a.csv", HEADER + bar("2025-01-06", "ESH5") + bar("2025-01-07", symbol))],
            "ES",
            instruments=instruments,
        )


def test_one_file_per_day_with_the_vendors_other_files(tmp_path, instruments):
    """instrument_id is the same for both symbols here: it is not a key."""
    for day in ("2025-01-06", "2025-01-07"):
        name = f"glbx-mdp3-{day.replace('-', '')}.ohlcv-1d.csv"
        (tmp_path / name).write_text(HEADER + bar(day, "ESH5") + bar(day, "ESM5", "110.000000000"))
    for name in ("condition.json", "manifest.json", "metadata.json", "symbology.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "symbology.csv").write_text("raw_symbol,instrument_id,date\nESH5,7,2025-01-06\n")
    bars = read_contracts([tmp_path], "ES", instruments=instruments)
    assert bars.frame.select("session", "contract", "close").rows() == [
        (date(2025, 1, 6), "ESH25", 100.0), (date(2025, 1, 7), "ESH25", 100.0),
        (date(2025, 1, 6), "ESM25", 110.0), (date(2025, 1, 7), "ESM25", 110.0),
    ]  # fmt: skip
    assert "symbology.csv not used: symbology" in bars.meta.notes


def test_two_price_notations_in_one_file_are_refused(write, instruments):
    text = HEADER + bar("2025-01-06", "ESH5") + bar("2025-01-07", "ESH5", "100250000000")
    with pytest.raises(InputError, match="row 3, column 'open': two notations in one file; found '100250000000'"):
        read_contracts([write("a.csv", text)], "ES", instruments=instruments)


def test_a_large_price_with_decimals_is_a_price(write, instruments):
    text = HEADER + bar("2025-01-06", "BTCH5", "1250000.500000000")
    bars = read_contracts([write("a.csv", text)], "BTC", instruments=instruments)
    assert bars.frame["close"].to_list() == [1250000.5]


def test_the_only_symbol_of_a_file_needs_no_name_and_two_do(write, instruments):
    one = write("any.csv", HEADER + bar("2025-01-06", "VOO"))
    assert read_series(one, symbol=None, instruments=instruments).meta.root == "VOO"
    two = write("two.csv", HEADER + bar("2025-01-06", "VOO") + bar("2025-01-06", "SPY"))
    with pytest.raises(InputError, match="several symbols in one file; found SPY, VOO"):
        read_series(two, symbol=None, instruments=instruments)
    assert read_series(two, symbol="SPY", instruments=instruments).frame.height == 1
