"""Databento CSV: prices and instants in both notations, symbols, publishers, weekends, decades."""

from __future__ import annotations

import gzip
from datetime import date

import pytest
import zstandard

from ctl.errors import InputError
from ctl.ingest import read_contracts, read_series

HEADER = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"


def row(
    day, symbol="ESH5", o="100.000000000", h="103.000000000", low="99.000000000", c="102.000000000", v="7", pub="1"
):
    return f"{day}T00:00:00.000000000Z,35,{pub},42,{o},{h},{low},{c},{v},{symbol}\n"


def closes(bars):
    return [(str(s), name, c) for s, name, c in bars.frame.select("session", "contract", "close").iter_rows()]


def test_decimals_and_units_and_both_clocks_say_the_same(write, instruments):
    pretty = write("a.csv", HEADER + row("2025-01-06"))
    # 2025-01-06T00:00Z is 1736121600 seconds after 1970
    units = write(
        "b.csv", HEADER + "1736121600000000000,35,1,42,100000000000,103000000000,99000000000,102000000000,7,ESH5\n"
    )
    frames = [read_contracts([path], "ES", instruments=instruments).frame for path in (pretty, units)]
    assert frames[0].rows() == frames[1].rows() == [
        (date(2025, 1, 6), "ESH25", 100.0, 103.0, 99.0, 102.0, 7, None)
    ]  # fmt: skip


def test_small_whole_prices_are_decimals(write, instruments):
    bars = read_contracts([write("a.csv", HEADER + row("2025-01-06", o="1", h="3", low="1", c="2"))], "ES",
                          instruments=instruments)  # fmt: skip
    assert bars.frame.row(0)[2:6] == (1.0, 3.0, 1.0, 2.0)


@pytest.mark.parametrize("nothing", ["", "9223372036854775807"])
def test_null_prices(write, instruments, nothing):
    text = HEADER + row("2025-01-06", o=nothing) + row("2025-01-07")
    assert read_contracts([write("a.csv", text)], "ES", instruments=instruments).frame["open"].to_list() == [
        None,
        100.0,
    ]
    units = HEADER + f"1736121600000000000,35,1,42,{nothing},103000000000,99000000000,102000000000,7,ESH5\n"
    assert read_contracts([write("b.csv", units)], "ES", instruments=instruments).frame["open"].to_list() == [None]


def test_pandas_timestamps(write, instruments):
    text = HEADER + row("2025-01-06").replace("T00:00:00.000000000Z", " 00:00:00+00:00")
    assert closes(read_contracts([write("a.csv", text)], "ES", instruments=instruments)) == [
        ("2025-01-06", "ESH25", 102.0)
    ]


def test_negative_prices_are_legal(write, instruments):
    """WTI settled below zero on 2020-04-20."""
    text = HEADER + row("2020-04-20", "CLK0", "17.73", "17.85", "-40.32", "-37.63", "247947")
    assert closes(read_contracts([write("a.csv", text)], "CL", instruments=instruments)) == [
        ("2020-04-20", "CLK20", -37.63)
    ]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_files_are_told_by_content(write, instruments, pack):
    path = write("no_extension", pack((HEADER + row("2025-01-06")).encode()))
    assert closes(read_contracts([path], "ES", instruments=instruments)) == [("2025-01-06", "ESH25", 102.0)]


def test_symbol_from_the_file_name(write, instruments):
    text = HEADER.replace(",symbol", "") + row("2025-01-06").replace(",ESH5", "")
    assert closes(read_contracts([write("ESH5.csv", text)], "ES", instruments=instruments)) == [
        ("2025-01-06", "ESH25", 102.0)
    ]
    with pytest.raises(InputError, match="column 'symbol' is missing and the file's name is no contract"):
        read_contracts([write("es_front.csv", text)], "ES", instruments=instruments)


def test_parent_file_drops_what_is_no_outright(write, instruments):
    text = HEADER + row("2025-01-06") + row("2025-01-06", "ESH5-ESM5") + row("2025-01-06", "UD:1V: VT 123")
    text += row("2025-01-06", "ESH5 P4000") + row("2025-01-07", "ESH5-ESM5") + row("2025-01-06", "NQH5")
    bars = read_contracts([write("ES.FUT.csv", text)], "ES", instruments=instruments)
    assert bars.roots == ("ES",)
    assert dict(bars.meta.counts) == {
        "bars_of_NQ_dropped": 1, "instruments_dropped": 3, "options_dropped": 1, "spreads_dropped": 2,
        "user_defined_dropped": 1,
    }  # fmt: skip


class TestDecades:
    def test_one_symbol_of_two_decades(self, write, instruments):
        text = HEADER + row("2014-12-01") + row("2015-03-18") + row("2024-06-03") + row("2025-03-18")
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert closes(bars) == [
            ("2014-12-01", "ESH15", 102.0), ("2015-03-18", "ESH15", 102.0),
            ("2024-06-03", "ESH25", 102.0), ("2025-03-18", "ESH25", 102.0),
        ]  # fmt: skip

    def test_a_hole_of_366_days_is_no_new_decade(self, write, instruments):
        text = HEADER + row("2023-06-05") + row("2024-06-05") + row("2025-06-05", "ESZ5")
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert [contract.name for contract in bars.contracts] == ["ESH25", "ESZ25"]

    def test_last_bar_up_to_a_month_after_the_delivery_month(self, write, instruments):
        text = HEADER + row("2025-02-27", "CLF5") + row("2025-03-03", "CLF5")
        with_slack = read_contracts([write("a.csv", HEADER + row("2025-02-27", "CLF5"))], "CL", instruments=instruments)
        assert with_slack.contracts[0].name == "CLF25"
        beyond = read_contracts([write("b.csv", text)], "CL", instruments=instruments)
        assert beyond.contracts[0].name == "CLF35"

    def test_a_two_digit_year_stays_in_its_century(self, write, instruments):
        text = HEADER + row("2025-02-27", "CLF25") + row("2025-06-03", "CLF25") + row("2025-06-03", "CLG99")
        bars = read_contracts([write("a.csv", text)], "CL", instruments=instruments)
        assert [(contract.name, contract.year) for contract in bars.contracts] == [("CLG99", 1999), ("CLF25", 2025)]

    def test_two_spellings_of_one_contract_are_one(self, write, instruments):
        one = write("a.csv", HEADER + row("2025-01-07"))
        two = write("b.csv", HEADER + row("2025-01-06", "ESH25") + row("2025-01-08", "ESH2025"))
        bars = read_contracts([one, two], "ES", instruments=instruments)
        assert closes(bars) == [(f"2025-01-0{day}", "ESH25", 102.0) for day in (6, 7, 8)]

    def test_two_spellings_of_one_bar_are_refused(self, write, instruments):
        one = write("a.csv", HEADER + row("2025-01-07"))
        two = write("b.csv", HEADER + row("2025-01-06", "ESH25") + row("2025-01-07", "ESH25"))
        with pytest.raises(
            InputError, match=r"b\.csv row 3: two bars of ESH25 on 2025-01-07; found the first at a\.csv row 2"
        ):
            read_contracts([one, two], "ES", instruments=instruments)


class TestWeekends:
    """2025-01-05 is a Sunday."""

    def test_sunday_leads_monday(self, write, instruments):
        text = (
            HEADER + row("2025-01-03") + row("2025-01-05", o="90", h="104", low="89", c="91", v="2") + row("2025-01-06")
        )
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert bars.frame.rows() == [
            (date(2025, 1, 3), "ESH25", 100.0, 103.0, 99.0, 102.0, 7, None),
            (date(2025, 1, 6), "ESH25", 90.0, 104.0, 89.0, 102.0, 9, None),
        ]
        assert dict(bars.meta.counts) == {"weekend_bars_folded": 1}

    def test_saturday_and_sunday_and_null_prices(self, write, instruments):
        text = (
            HEADER
            + row("2025-01-04", o="", h="110", low="80", c="", v="1")
            + row("2025-01-05", o="95", h="", low="", c="96")
        )
        text += row("2025-01-06", o="97", h="98", low="96", c="", v="3")
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert bars.frame.rows() == [(date(2025, 1, 6), "ESH25", 95.0, 110.0, 80.0, 96.0, 11, None)]
        assert dict(bars.meta.counts) == {"weekend_bars_folded": 2}

    def test_a_contract_without_monday_gets_the_session_of_its_root(self, write, instruments):
        text = HEADER + row("2025-01-05", "ESM5") + row("2025-01-06", "ESH5") + row("2025-01-07", "ESM5")
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert [(str(s), c) for s, c, _ in bars.frame.select("session", "contract", "close").rows()] == [
            ("2025-01-06", "ESH25"), ("2025-01-06", "ESM25"), ("2025-01-07", "ESM25"),
        ]  # fmt: skip

    def test_a_monday_holiday_of_the_whole_root(self, write, instruments):
        text = HEADER + row("2025-01-03") + row("2025-01-05", v="2") + row("2025-01-07")
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert bars.frame.select("session", "volume").rows() == [(date(2025, 1, 3), 7), (date(2025, 1, 7), 9)]

    def test_a_last_sunday_without_its_monday_is_a_stub(self, write, instruments):
        bars = read_contracts(
            [write("a.csv", HEADER + row("2025-01-03") + row("2025-01-05"))], "ES", instruments=instruments
        )
        assert bars.frame["session"].to_list() == [date(2025, 1, 3)]
        assert dict(bars.meta.counts) == {"stubs_dropped": 1}
        assert [note.partition(":")[0] for note in bars.meta.notes] == ["STUB"]

    def test_a_file_of_stubs_alone_is_refused(self, write, instruments):
        with pytest.raises(InputError, match=r"no finished session.*STUB: 2025-01-05"):
            read_contracts([write("a.csv", HEADER + row("2025-01-05"))], "ES", instruments=instruments)

    def test_another_roots_monday_does_not_count(self, write, instruments):
        text = HEADER + row("2025-01-05") + row("2025-01-07") + row("2025-01-06", "NQH5")
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert closes(bars) == [("2025-01-07", "ESH25", 102.0)]

    def test_series_are_folded_too(self, write, instruments):
        path = write("a.csv", HEADER + row("2025-01-05", "X", v="1") + row("2025-01-06", "X"))
        series = read_series(path, symbol="X", instruments=instruments)
        assert series.frame.select("session", "volume").rows() == [(date(2025, 1, 6), 8)]
        assert dict(series.meta.counts) == {"weekend_bars_folded": 1}


def test_repeated_bar_names_both_rows(write, instruments):
    text = HEADER + row("2025-01-06") + row("2025-01-07") + row("2025-01-06")
    with pytest.raises(
        InputError, match=r"a\.csv row 4: two bars of ESH25 on 2025-01-06; found the first at a\.csv row 2"
    ):
        read_contracts([write("a.csv", text)], "ES", instruments=instruments)


def test_rows_keep_their_numbers_after_a_publisher_is_chosen(write, instruments):
    text = HEADER + row("2025-01-06", pub="1") + row("2025-01-06", pub="2") + row("2025-01-06", pub="2")
    with pytest.raises(InputError, match=r"a\.csv row 4: two bars .* found the first at a\.csv row 3"):
        read_contracts([write("a.csv", text)], "ES", instruments=instruments, publisher=2)


def test_several_publishers_without_a_shared_bar_are_kept(write, instruments):
    text = HEADER + row("2025-01-06", pub="1") + row("2025-01-07", pub="2")
    assert read_contracts([write("a.csv", text)], "ES", instruments=instruments).frame.height == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("2025-01-06").replace(",35,", ",34,"), r"row 2, column 'rtype': not a daily bar; found '34'; expected 35"),
        (row("2025-01-06").replace("T00:", "T14:"), r"row 2, column 'ts_event': not the start of a UTC day"),
        (row("2025-01-06").replace("Z", ""), r"row 2, column 'ts_event': not the start of a UTC day"),
        (row("2025-13-06"), r"row 2, column 'ts_event': not a date; found '2025-13-06"),
        ("1736121600000000001,35,1,42,1,1,1,1,7,ESH5\n", "a bar that does not start a UTC day"),
        (row("2025-01-06", c="nan"), r"row 2, column 'close': not finite; found 'nan'; expected a finite"),
        (row("2025-01-06", c="1e999"), r"row 2, column 'close': not finite"),
        (row("2025-01-06", c="12,5"), r"row 2: wrong number of columns; found 11; expected 10 columns"),
        (row("2025-01-06", c="x"), r"row 2, column 'close': not a number; found 'x'"),
        (row("2025-01-06", v="-1"), r"row 2, column 'volume': negative; found '-1'; expected a whole number"),
        (row("2025-01-06", v="1.5"), r"row 2, column 'volume': not a whole number; found '1.5'"),
        (row("2025-01-06", "../../etc"), r"row 2, column 'symbol': not a symbol; found '../../etc'"),
        (row("2025-01-06", "<b>ES</b>"), r"row 2, column 'symbol': not a symbol; found '<b>ES</b>'"),
        (row("2025-01-06", ""), r"row 2, column 'symbol': empty; found nothing"),
    ],
)  # fmt: skip
def test_every_bad_cell_is_named(write, instruments, line, message):
    with pytest.raises(InputError, match=message) as caught:
        read_contracts([write("bad.csv", HEADER + line)], "ES", instruments=instruments)
    assert str(caught.value).startswith("bad.csv: ")


def test_missing_column(write, instruments):
    with pytest.raises(InputError, match=r"row 1: column 'instrument_id' is missing"):
        read_contracts([write("a.csv", HEADER.replace("instrument_id,", "") + "x\n")], "ES", instruments=instruments)


def test_a_folder_stands_for_its_files(tmp_path, instruments):
    (tmp_path / "b.csv").write_text(HEADER + row("2025-01-07"))
    (tmp_path / "a.csv").write_text(HEADER + row("2025-01-06"))
    (tmp_path / "notes.md").write_text("not data")
    bars = read_contracts([tmp_path], "ES", instruments=instruments)
    assert [source.name for source in bars.meta.sources] == ["a.csv", "b.csv"]
    assert bars.frame.height == 2


def test_symbol_from_a_file_split_by_symbol(write, instruments):
    text = HEADER.replace(",symbol", "") + row("2025-01-06").replace(",ESH5", "")
    path = write("glbx-mdp3-20250101-20250131.ohlcv-1d.ESH5.csv", text)
    assert closes(read_contracts([path], "ES", instruments=instruments)) == [("2025-01-06", "ESH25", 102.0)]


def test_a_continuous_symbol_answers_for_its_root(write, instruments):
    path = write("a.csv", HEADER + row("2025-01-06", "ES.v.0"))
    assert read_series(path, symbol="ES", instruments=instruments).frame["close"].to_list() == [102.0]
    two = write("b.csv", HEADER + row("2025-01-06", "ES.v.0") + row("2025-01-06", "ES.c.0"))
    with pytest.raises(InputError, match=r"no bars of ES; found ES\.c\.0, ES\.v\.0"):
        read_series(two, symbol="ES", instruments=instruments)


def test_other_schemas_in_a_folder_are_named_and_not_used(shared, tmp_path, instruments):
    folder = shared / "databento" / "GLBX.MDP3"
    bars = read_contracts([folder], "ES", instruments=instruments)
    assert bars.frame.height == 1
    assert bars.meta.notes == tuple(
        f"test_data.{schema}.dbn.zst not used: {schema}"
        for schema in ("ohlcv-1h", "ohlcv-1m", "ohlcv-1s", "statistics")
    )
    assert bars.terms["ESH21"].tick == 0.25
