"""Common CSV without a mapping: every layout gives the same bars, what is undecidable is refused, proposals read."""

from __future__ import annotations

from datetime import date

import pytest
from ingest_vendor_texts import EVERY, Bar, barchart, lines, pandas_index, tape
from pydantic import ValidationError

from ctl import ingest
from ctl.errors import InputError
from ctl.ingest import mapping_named_or_at, proposed_mapping, read_contracts, read_series
from ctl.model.csv_mapping import MappingKeys

BARS = tape()


def mapped(keys, *, name):
    return MappingKeys.model_validate(keys).named(name)


def of(series):
    """Session, open, high, low, close, volume, open interest; prices to the vendors' two places."""
    columns = ("session", "open", "high", "low", "close", "volume", "open_interest")
    return [
        tuple(round(cell, 2) if isinstance(cell, float) else cell for cell in row)
        for row in series.frame.select(columns).rows()
    ]


def expected(name: str, bars: list[Bar] = BARS):
    """What a layout says of the bars: some leave a column out."""
    no_interest = {"yahoo", "yfinance", "yfinance_history", "stooq", "investing", "investing_german", "tradingview",
                   "tradingview_iso", "pandas_index", "pandas_date_index", "metatrader", "nasdaq", "sierra", "polygon",
                   "months_in_words", "preamble", "investing_spanish", "alpha_vantage", "polygon_answer"}  # fmt: skip
    rows: list[tuple] = [(*bar[:6], None if name in no_interest else bar[6]) for bar in bars]
    if name == "settles":
        rows = [(bar[0], None, None, None, bar[4], None, None) for bar in bars]
    if name == "stooq_polish":
        rows[-1] = (*rows[-1][:6], None)
    return rows


@pytest.mark.parametrize("name", EVERY)
def test_every_layout_gives_the_same_bars(write, instruments, name):
    path = write("download.csv", EVERY[name](BARS))
    series = read_series(path, symbol="ES", instruments=instruments, calendar="CMES" if "trading" in name else "XNYS")
    assert of(series) == expected(name)
    assert any(note.startswith("assumed exchange sessions") for note in series.meta.notes)


@pytest.mark.parametrize("name", EVERY)
def test_the_proposed_mapping_reads_the_same(write, instruments, name):
    path = write("download.csv", EVERY[name](BARS))
    text, bars = proposed_mapping(path)
    assert bars is not None
    mapping = mapping_named_or_at(str(write("proposed.toml", text)))
    calendar = "CMES" if "trading" in name else "XNYS"
    plain = read_series(path, symbol="ES", instruments=instruments, calendar=calendar)
    again = read_series(path, symbol="ES", instruments=instruments, calendar=calendar, mapping=mapping)
    assert again.frame.equals(plain.frame)
    assert not any(note.startswith("assumed") for note in again.meta.notes)  # the mapping states it


@pytest.mark.parametrize(
    ("layout", "packaged"),
    [("yahoo", "yahoo"), ("stooq_polish", "stooq"), ("investing", "investing"), ("barchart", "barchart"),
     ("tradingview", "tradingview"), ("tradingview_iso", "tradingview")],
)  # fmt: skip
def test_the_packaged_mappings_read_the_same(write, instruments, layout, packaged):
    path = write("download.csv", EVERY[layout](BARS))
    series = read_series(
        path, symbol="ES", instruments=instruments, calendar="CMES", mapping=ingest.named_mapping(packaged)
    )
    assert of(series) == expected(layout)
    assert series.meta.vendor == packaged


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("date,close,high,low,open,volume,adjClose,divCash,splitFactor", "{d},{c},{h},{l},{o},{v},1,0,1"),
        ("date,close,high,low,open,volume,adjClose,divCash,splitFactor", "{d:%d/%m/%Y},{c},{h},{l},{o},{v},1,0,1"),
        ("Date,Open,High,Low,Close,Volume,Ex-Dividend,Split Ratio,Adj. Close", "{d},{o},{h},{l},{c},{v},0,1,1"),
        ('"Date","Time","Open","High","Low","Close","Vol","OI"', "{d:%m/%d/%y},1600,{o},{h},{l},{c},{v},0"),
        ('"Date","Time","Open","High","Low","Close","Vol","OI"', "{d:%m/%d/%Y},16:00,{o},{h},{l},{c},{v},0"),
    ],
)
def test_order_and_dates_of_known_vendors_are_the_files(write, instruments, header, row, newest_first):
    rows = [row.format(d=d, o=o, h=h, l=low, c=c, v=v) for d, o, h, low, c, v, _ in BARS]
    text = lines(header, rows[::-1] if newest_first else rows)
    series = read_series(write("a.csv", text), symbol="X", instruments=instruments)
    assert [bar[:6] for bar in of(series)] == [bar[:6] for bar in BARS]


def test_what_is_left_out_is_counted(write, instruments):
    yahoo = read_series(write("a.csv", EVERY["yahoo"](BARS)), symbol="X", instruments=instruments)
    assert dict(yahoo.meta.counts) == {"rows_without_prices_dropped": 1}
    assert (yahoo.meta.adjustment_basis, yahoo.meta.close_basis) == ("split_adjusted", "settlement")
    footer = read_series(write("b.csv", barchart(BARS)), symbol="X", instruments=instruments)
    assert dict(footer.meta.counts) == {"lines_of_text_ignored": 1}


@pytest.mark.parametrize(
    ("header", "basis"),
    [
        ("date,open,high,low,close,adjClose,splitFactor", "raw"),
        ("Date,Open,High,Low,Close,Adj Close,Volume", "split_adjusted"),
        ("Date,Open,High,Low,Adj Close,Volume,X", "total_return"),
        ("Date,Open,High,Low,Close,Volume,X", None),
    ],
)
def test_the_columns_beside_a_close_say_its_basis(write, instruments, header, basis):
    series = read_series(write("a.csv", header + "\n2025-01-06,1,4,0.5,3,9,1\n"), symbol="X", instruments=instruments)
    assert series.meta.adjustment_basis == basis


class TestContracts:
    def test_by_a_column(self, write, instruments):
        text = "Date,Symbol,Open,High,Low,Close,Volume,Open Interest\n01/06/2025,ESM25,1,4,0.5,3,10,20\n"
        text += "01/13/2025,ESM25,1,4,0.5,3,10,20\n01/06/2025,ESH5,1,4,0.5,2,9,8\n"
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert bars.frame.select("session", "contract", "close").rows() == [
            (date(2025, 1, 6), "ESH25", 2.0), (date(2025, 1, 6), "ESM25", 3.0), (date(2025, 1, 13), "ESM25", 3.0),
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["GCJ24.csv", "gcj24_daily_historical-data-03-25-2024.csv", "x.GCJ2024.txt"])
    def test_by_the_files_name(self, write, instruments, name):
        bars = read_contracts([write(name, barchart(BARS))], "GC", instruments=instruments)
        assert [contract.name for contract in bars.contracts] == ["GCJ24"]

    def test_a_series_is_no_contract(self, write, instruments):
        with pytest.raises(InputError, match="it does not say the contract of each bar"):
            read_contracts([write("gold.csv", barchart(BARS))], "GC", instruments=instruments)

    def test_pysystemtrade(self, write, instruments):
        """Prices at 23:00 are those of the day; files are named <instrument>_<yyyymm>00."""
        text = "DATETIME,OPEN,HIGH,LOW,FINAL,VOLUME\n2025-01-06 23:00:00,1,4,0.5,3,10\n2025-01-07 14:00:00,1,1,1,1,1\n"
        text += "2025-01-07 23:00:00,2,5,1.5,4,11\n"
        bars = read_contracts([write("GOLD_20250200.csv", text)], "GOLD", instruments=instruments)
        assert bars.frame.select("session", "contract", "close").rows() == [
            (date(2025, 1, 6), "GOLDG25", 3.0), (date(2025, 1, 7), "GOLDG25", 4.0),
        ]  # fmt: skip
        assert bars.meta.counts["rows_of_the_day_dropped"] == 1
        adjusted = "DATETIME,price\n2025-01-06 23:00:00,3.5\n2025-01-07 23:00:00,4.5\n"
        series = read_series(write("GOLD.csv", adjusted), symbol="GOLD", instruments=instruments)
        assert series.frame.select("session", "open", "close").rows() == [
            (date(2025, 1, 6), None, 3.5), (date(2025, 1, 7), None, 4.5),
        ]  # fmt: skip

    def test_by_delivery_months_in_numbers(self, write, instruments):
        text = "date,contract,close\n2025-01-06,202503,1\n2025-01-06,202506,2\n2025-01-07,202503,3\n"
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert bars.frame.select("contract", "close").rows() == [("ESH25", 1.0), ("ESH25", 3.0), ("ESM25", 2.0)]


@pytest.mark.parametrize(
    "name",
    ["ESH20", "esh20", "ESH2020", "@ESH20", "ESH20-CME", "ESH20_daily", "ES_2020H", "ES-202003", "ES_20200300"],
)
@pytest.mark.parametrize("header", ["Date,Open,High,Low,Close,Volume", "Date,Open,High,Low,Close,Volume,Open Interest"])
def test_the_files_name_says_the_contract(write, instruments, name, header):
    rows = [f"2020-01-{day:02d},1,4,0.5,3,10" + ",7" * header.endswith("Interest") for day in (6, 7, 8)]
    bars = read_contracts([write(f"{name}.csv", "\n".join([header, *rows]))], "ES", instruments=instruments)
    assert [contract.name for contract in bars.contracts] == ["ESH20"]
    assert bars.frame["close"].to_list() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize("name", ["ES_1D_20180102_20260227", "ES", "prices_2020", "ESH20_ESM20"])
def test_a_name_that_says_no_one_contract_is_refused(write, instruments, name):
    path = write(f"{name}.csv", "Date,Open,High,Low,Close,Volume\n2020-01-06,1,4,0.5,3,10\n")
    with pytest.raises(InputError, match="does not say the contract"):
        read_contracts([path], "ES", instruments=instruments)


def test_the_evening_of_a_holiday_is_folded_into_the_next_trade_date(write, instruments):
    """Bars begin at 17:00 Chicago. Monday 2019-01-21 is Martin Luther King's day: its bar counts to Tuesday."""
    starts = ["2019-01-17T23:00:00Z", "2019-01-20T23:00:00Z", "2019-01-21T23:00:00Z", "2019-01-22T23:00:00Z"]
    rows = [f"{start},ESH19,{n},{n + 4},{n - 1},{n + 3},10" for n, start in enumerate(starts, start=1)]
    path = write("a.csv", "\n".join(["datetime,symbol,open,high,low,close,volume", *rows]))
    bars = read_contracts([path], "ES", instruments=instruments)
    assert bars.frame.select("session", "open", "high", "low", "close", "volume").rows() == [
        (date(2019, 1, 18), 1.0, 5.0, 0.0, 4.0, 10), (date(2019, 1, 22), 2.0, 7.0, 1.0, 6.0, 20),
        (date(2019, 1, 23), 4.0, 8.0, 3.0, 7.0, 10),
    ]  # fmt: skip
    assert bars.meta.counts["holiday_bars_folded"] == 1


class TestSymbols:
    TEXT = "date,ticker,open,high,low,close,volume\n2025-01-06,AAPL,1,4,0.5,3,9\n2025-01-06,MSFT,1,4,0.5,2,9\n"

    def test_one_of_several_is_taken(self, write, instruments):
        series = read_series(write("a.csv", self.TEXT), symbol="MSFT", instruments=instruments)
        assert series.frame["close"].to_list() == [2.0]
        assert dict(series.meta.counts) == {"other_symbols_dropped": 1}

    def test_none_of_several_is_refused(self, write, instruments):
        with pytest.raises(InputError, match=r"several symbols in one file; found AAPL, MSFT.*--symbol"):
            read_series(write("a.csv", self.TEXT), symbol=None, instruments=instruments)


class TestDates:
    @pytest.mark.parametrize(
        ("cells", "first", "last"),
        [
            (["01/02/2025", "01/03/2025", "01/13/2025"], date(2025, 1, 2), date(2025, 1, 13)),  # 13 is no month
            (["02/01/2025", "03/01/2025", "13/01/2025"], date(2025, 1, 2), date(2025, 1, 13)),
            (["06/01/2025", "07/01/2025", "08/01/2025"], date(2025, 1, 6), date(2025, 1, 8)),  # not months apart
            (["01/06/2025", "01/07/2025", "01/08/2025"], date(2025, 1, 6), date(2025, 1, 8)),
            (["12/02/2024", "12/03/2024", "01/02/2025"], date(2024, 12, 2), date(2025, 1, 2)),  # else not in order
            (["1/6/25", "1/7/25", "1/13/25"], date(2025, 1, 6), date(2025, 1, 13)),
            (["20250106", "20250107"], date(2025, 1, 6), date(2025, 1, 7)),
            (["45663", "45664"], date(2025, 1, 6), date(2025, 1, 7)),  # as spreadsheets count: 45292 is 2024-01-01
            (["45663.0", "45664.0"], date(2025, 1, 6), date(2025, 1, 7)),
            (["30-Apr-2025", "01-May-2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["April 30, 2025", "May 1, 2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["30 April 2025", "1 May 2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["Apr 30 2025", "May 01 2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["30APR2025", "01MAY2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["2025-Apr-30", "2025-May-01"], date(2025, 4, 30), date(2025, 5, 1)),
            (["30/Apr/2025", "01/May/2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["Apr-30-2025", "May-01-2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["Wed Apr 30 2025", "Thu May 01 2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["Wed, 30 Apr 2025", "Thu, 01 May 2025"], date(2025, 4, 30), date(2025, 5, 1)),
            (["Mon 02/06/2025", "Tue 03/06/2025"], date(2025, 6, 2), date(2025, 6, 3)),  # the weekday tells the order
            (["6 Jan 2025", "7 Jan 2025"], date(2025, 1, 6), date(2025, 1, 7)),
            (["2025-01-06 16:00:00", "2025-01-07 16:00:00"], date(2025, 1, 6), date(2025, 1, 7)),
            (["1/6/2025 4:00 PM", "1/13/2025 4:00 PM"], date(2025, 1, 6), date(2025, 1, 13)),
            (["2025-01-06T00:00:00Z", "2025-01-07T00:00:00Z"], date(2025, 1, 6), date(2025, 1, 7)),
            (["1736121600", "1736208000"], date(2025, 1, 6), date(2025, 1, 7)),  # midnights
            (["2025-01-06T14:30:00Z", "2025-01-07T14:30:00Z"], date(2025, 1, 6), date(2025, 1, 7)),
            (["2025-01-05 18:00:00-05:00", "2025-01-06 18:00:00-05:00"], date(2025, 1, 6), date(2025, 1, 7)),
        ],
    )  # fmt: skip
    def test_the_whole_column_tells(self, write, instruments, cells, first, last):
        text = lines("date,close", [f'"{cell}",{n + 1}' for n, cell in enumerate(cells)])
        series = read_series(write("a.csv", text), symbol="ES", instruments=instruments, calendar="CMES")
        assert (series.frame["session"].min(), series.frame["session"].max()) == (first, last)

    @pytest.mark.parametrize(
        "cells",
        [
            ["01/02/2024"],  # Tuesday 2 January or Thursday 1 February
            ["05/06/2025", "04/07/2025", "09/02/2025", "03/04/2025"],  # in no order either way
        ],
    )
    def test_what_stays_undecided_is_refused_with_both_readings(self, write, instruments, cells):
        text = lines("date,close", [f"{cell},1" for cell in cells])
        with pytest.raises(InputError, match=r"day and month cannot be told apart.*date_format %m/%d/%Y or %d/%m/%Y"):
            read_series(write("a.csv", text), symbol="X", instruments=instruments)

    def test_three_days_in_a_row_tell_day_and_month(self, write, instruments):
        text = lines("date,close", [f"0{day}/01/2024,{day}" for day in (2, 3, 4)])  # 1 February, 1 March, 1 April?
        series = read_series(write("a.csv", text), symbol="X", instruments=instruments)
        assert series.frame["session"].to_list() == [date(2024, 1, day) for day in (2, 3, 4)]

    @pytest.mark.parametrize(
        "name",
        [
            "/ESH24",
            "CME_MINI:ESH2024",
            "CME_ESH2024",
            "ESH24 Index",
            "ESH4 Index",
            "ES Mar24",
            "ES MAR 24",
            "ES Mar'24",
        ],
    )
    def test_contracts_as_platforms_write_them(self, write, instruments, name):
        rows = [f"2024-01-0{day},{name},{day},9" for day in (2, 3, 4)]
        rows += ["2024-01-04,ESH24-ESM24,1,9", "2024-01-04,ESH24 C4700,1,9"]
        bars = read_contracts([write("a.csv", lines("date,symbol,close,volume", rows))], "ES", instruments=instruments)
        assert bars.frame.select("contract", "close").rows() == [("ESH24", 2.0), ("ESH24", 3.0), ("ESH24", 4.0)]
        assert (bars.meta.counts["spreads_dropped"], bars.meta.counts["options_dropped"]) == (1, 1)

    def test_a_ticker_with_a_hyphen_is_no_spread(self, write, instruments):
        text = lines("date,symbol,close", [f"2024-01-0{day},BRK-B,{day}" for day in (2, 3, 4)])
        assert read_series(write("a.csv", text), symbol=None, instruments=instruments).frame.height == 3

    @pytest.mark.parametrize(
        "header",
        [
            "Datum;Zuletzt;Eröffn.;Hoch;Tief;Vol.",
            "Datum;Laatste;Open;Hoog;Laag;Vol.",
            "Data;Ostatnio;Otwarcie;Najwyższy;Najniższy;Wol.",
        ],
    )
    def test_headers_of_other_languages(self, write, instruments, header):
        rows = [f'"1{day}.01.2024";"4.103,00";"4.101,00";"4.104,50";"4.100,25";"1,20K"' for day in (5, 6, 7)]
        series = read_series(write("a.csv", lines(header, rows)), symbol="X", instruments=instruments)
        assert series.frame.select("open", "high", "low", "close", "volume").row(0) == (
            4101.0,
            4104.5,
            4100.25,
            4103.0,
            1200,
        )

    def test_contracts_are_in_order_each_for_itself(self, write, instruments):
        rows = [f"{day:02d}/01/2025,{name},{day}" for name in ("ESH25", "ESM25") for day in (6, 7, 8)]
        bars = read_contracts([write("a.csv", lines("date,contract,close", rows))], "ES", instruments=instruments)
        assert bars.frame["session"].unique().sort().to_list() == [date(2025, 1, day) for day in (6, 7, 8)]

    def test_instants_without_a_calendar_say_what_was_assumed(self, write, instruments):
        rows = [f"2025-01-{day:02d}T23:00:00Z,1" for day in (5, 6, 7, 8, 9)]
        series = read_series(write("a.csv", lines("time,close", rows)), symbol="XYZ", instruments=instruments)
        assert series.frame["session"].to_list() == [date(2025, 1, day) for day in (6, 7, 8, 9, 10)]
        assert any("the weekday after is assumed; --calendar tells" in note for note in series.meta.notes)

    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            (["2025-01-06", "01/07/2025"], "row 3, column 'date': not a date like the others; found '01/07/2025'"),
            (["2025-01-06", "soon"], "row 3, column 'date': not a date like the others; found 'soon'"),
            (["monday", "tuesday"], "row 2, column 'date': not a date; found 'monday'"),
            (["2025-02-28", "2025-02-29"], "row 3, column 'date': not a date; found '2025-02-29'"),
            (["2025-01-06", ""], "row 3, column 'date': empty"),
            (["2025-01-06 09:00", "2025-01-06 10:00"], "row 3, column 'session': a session repeats"),
            (["201010", "201011"], "row 2, column 'date': not a date"),  # months, or the 10th and 11th of one
            (["20094", "20095"], "row 2, column 'date': not a date"),  # days since 1970
            (["60681", "60682"], "row 2, column 'date': not a date"),  # of the astronomers
            (["Mon 07/06/2025", "Tue 08/06/2025"], "row 2, column 'date': not a date"),  # a Saturday or a Sunday
        ],
    )
    def test_odd_dates_are_named(self, write, instruments, cells, message):
        with pytest.raises(InputError, match=message):
            read_series(
                write("a.csv", lines("date,close", [f"{cell},1" for cell in cells])),
                symbol="X",
                instruments=instruments,
            )


class TestContractsAsWritten:
    @pytest.mark.parametrize(
        "written",
        ["CLH24", "clh24", "CLH2024", "CL_H24", "CL-2024H", "CL 03-24", "CL Mar24", "/CLH24", "CLH24.NYM", "CL H24"],
    )
    def test_a_contract_as_vendors_write_it(self, write, instruments, written):
        rows = [f"2024-01-{day:02d},{written},{day}" for day in (8, 9, 10)]
        bars = read_contracts([write("a.csv", lines("date,symbol,close", rows))], "CL", instruments=instruments)
        assert [each.name for each in bars.contracts] == ["CLH24"]
        assert bars.frame["close"].to_list() == [8.0, 9.0, 10.0]

    @pytest.mark.parametrize("month", ["202403", "20240300", "2024-03", "Mar-24", "MAR 24", "March"])
    def test_a_delivery_month_beside_the_root(self, write, instruments, month):
        rows = [f"2024-01-{day:02d},{root},{month},{day}" for root in ("CL", "NG") for day in (8, 9, 10)]
        path = write("a.csv", lines("date,symbol,contract month,close", rows))
        if month == "March":
            with pytest.raises(InputError, match="row 2, column 'contract month': not a delivery month; found 'March'"):
                read_contracts([path], "CL", instruments=instruments)
            return
        bars = read_contracts([path], "CL", instruments=instruments)
        assert [each.name for each in bars.contracts] == ["CLH24"]
        assert (bars.frame.height, bars.meta.counts) == (3, {"other_symbols_dropped": 3})

    @pytest.mark.parametrize(
        ("session", "stated"),
        [("08.01.2024", "2024-02-20"), ("2024-01-08T00:00:00Z", "2/20/2024"), ("45299", "20240220")],
    )
    def test_terms_in_a_form_of_their_own(self, write, instruments, session, stated):
        text = lines("date,contract,close,last trade,first notice day", [f"{session},CLH24,1,{stated},2024-02-22"])
        if "/" in stated:
            with pytest.raises(InputError, match="column 'last trade': not a date"):
                read_contracts([write("a.csv", text)], "CL", instruments=instruments)
            return
        terms = read_contracts([write("a.csv", text)], "CL", instruments=instruments).terms["CLH24"]
        assert (terms.last_trade, terms.first_notice) == (date(2024, 2, 20), date(2024, 2, 22))


class TestNumbers:
    @pytest.mark.parametrize(
        ("separator", "cells", "values"),
        [
            (",", ["1.5", "2.25"], [1.5, 2.25]),
            (";", ["1,5", "2,25"], [1.5, 2.25]),
            (",", ['"1,234"', '"12,345,678"'], [1234.0, 12345678.0]),
            ("\t", ["1 234,5", "999,25"], [1234.5, 999.25]),
            (";", ["1\u00a0234.5", "1\u202f235.5"], [1234.5, 1235.5]),
            (",", ["1'234.5", "1\u2019235.5"], [1234.5, 1235.5]),
            (";", ["1,234", "1,235"], [1.234, 1.235]),  # a list of semicolons: the comma is the decimal mark
            (";", ["1.234,5", "999,25"], [1234.5, 999.25]),
            (",", ["$1.50", "$1.75"], [1.5, 1.75]),
            ("\t", ["1,234.5", "999"], [1234.5, 999.0]),
            ("|", ["-37.63", "10.01"], [-37.63, 10.01]),
            (",", ["1e3", "2"], [1000.0, 2.0]),
        ],
    )
    def test_the_whole_column_tells(self, write, instruments, separator, cells, values):
        rows = [separator.join(("2025-01-06", cells[0])), separator.join(("2025-01-07", cells[1]))]
        series = read_series(
            write("a.csv", lines(separator.join(("date", "close")), rows)), symbol="X", instruments=instruments
        )
        assert series.frame["close"].to_list() == values

    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            (('"1,5"', "1.5"), "numbers are written in two ways"),
            (('"1,234"', '"1,235"'), "numbers can be read in two ways; found '1,234', as 1.234 or 1234"),
            (("1.5", "high"), "row 3, column 'close': not a number; found 'high'"),
            (("112'165", "112'200"), "row 2, column 'close': a price in fractions"),
            (("110-16", "110-24"), "row 2, column 'close': a price in fractions"),
        ],
    )
    def test_two_notations_and_words_are_refused(self, write, instruments, cells, message):
        text = lines("date,close", [f"2025-01-06,{cells[0]}", f"2025-01-07,{cells[1]}"])
        with pytest.raises(InputError, match=message):
            read_series(write("a.csv", text), symbol="X", instruments=instruments)

    def test_counts_tell_the_notation_of_prices(self, write, instruments):
        """Of a German vendor and spreadsheet, an American one, plain prices, and a Swiss one."""
        for separator, row, close, volume in (
            (",", '2025-01-06,"2,531","128,61K"', 2.531, 128_610),
            ("\t", "2025-01-06\t2,531\t128.610", 2.531, 128_610),
            (";", "2025-01-06;38,450;128,610", 38450.0, 128_610),
            (",", '2025-01-06,2.5315,"128,000"', 2.5315, 128_000),
            (",", "2025-01-06,38'450,128'610", 38450.0, 128_610),
        ):
            path = write("a.csv", lines(separator.join(("date", "close", "volume")), [row]))
            frame = read_series(path, symbol="X", instruments=instruments).frame
            assert frame.select("close", "volume").rows() == [(close, volume)]
        path = write("a.csv", lines("date;close;volume", ["2025-01-06;38.450;128.610"]))
        with pytest.raises(InputError, match="column 'volume': not a whole number"):
            read_series(path, symbol="X", instruments=instruments)

    @pytest.mark.parametrize(
        ("cell", "volume"),
        [("165.62K", 165_620), ("165.62 K", 165_620), ("1.2M", 1_200_000), ("2B", 2 * 10**9), ("-", None)],
    )
    def test_volumes_in_thousands(self, write, instruments, cell, volume):
        text = lines("date,close,volume", [f"2025-01-06,1,{cell}"])
        assert read_series(write("a.csv", text), symbol="X", instruments=instruments).frame["volume"].to_list() == [
            volume
        ]

    def test_a_file_without_a_single_price_is_empty(self, write, instruments):
        with pytest.raises(InputError, match="no row has a price"):
            read_series(write("a.csv", lines("date,close", ["2025-01-06,null"])), symbol="X", instruments=instruments)


def test_a_count_of_lines_below_the_bars_is_no_bar_and_a_cut_row_is_damage(write, instruments):
    rows = ["2025-01-06,1,2", "2025-01-07,2,3"]
    series = read_series(write("a.csv", lines("Date,Close,Volume", [*rows, "2"])), symbol="X", instruments=instruments)
    assert (series.frame.height, dict(series.meta.counts)) == (2, {"lines_of_text_ignored": 1})
    with pytest.raises(InputError, match="row 4: wrong number of columns"):
        read_series(
            write("b.csv", lines("Date,Close,Volume", [*rows, "2025-01-0"])), symbol="X", instruments=instruments
        )


class TestUnknownHeaders:
    @pytest.mark.parametrize("time", ["", "16:00,"])
    def test_rows_without_a_header_get_a_mapping_by_their_places(self, write, instruments, time):
        rows = [f"{day:02d}/01/2025,{time}1.5,4,0.5,{day},9" for day in (6, 7, 8, 13)]
        path = write("a.csv", lines(rows[0], rows[1:]))
        with pytest.raises(InputError, match=r"no known header.*header = false.*session = 1"):
            read_series(path, symbol="X", instruments=instruments)
        text, _ = proposed_mapping(path)
        mapping = mapping_named_or_at(str(write("m.toml", text)))
        series = read_series(path, symbol="X", instruments=instruments, mapping=mapping)
        assert series.frame.select("session", "close").rows() == [(date(2025, 1, day), day) for day in (6, 7, 8, 13)]

    def test_the_error_proposes_what_to_fill_in(self, write, instruments):
        with pytest.raises(
            InputError, match=r'no known header.*name a mapping, such as .*session = "\?"; close = "\?"'
        ):
            read_series(write("a.csv", "when,price_a,price_b\n2025-01-06,1,2\n"), symbol="X", instruments=instruments)

    def test_so_does_the_command(self, write, capsys):
        from ctl.cli import main

        path = write("a.csv", "when;open;high\n2025-01-06;1;2\n")
        assert main(["mapping", str(path)]) == 0
        told = capsys.readouterr().out
        for line in ("# columns: when, open, high", 'separator = ";"', 'session = "?"', 'open = "open"', 'close = "?"'):
            assert line in told

    def test_the_command_shows_the_first_rows(self, write, capsys):
        from ctl.cli import main

        path = write("a.csv", barchart(BARS))
        assert main(["mapping", str(path)]) == 0
        told = capsys.readouterr().out
        assert "footer_lines = 1" in told
        assert "# 2024-01-02" in told

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("date,open,high,close", "row 1: column 'low' is missing"),
            ("date,close,Close", "row 1: two columns could be the close"),
            ("date,date,close", "row 1: two columns could be the session"),
        ],
    )
    def test_half_a_header_is_refused(self, write, instruments, header, message):
        row = "2025-01-06" + ",1" * header.count(",")
        with pytest.raises(InputError, match=message):
            read_series(write("a.csv", f"{header}\n{row}\n"), symbol="X", instruments=instruments)


class TestMappingOptions:
    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"header_lines": 0}, "header_lines"),
            ({"footer_lines": -1}, "footer_lines"),
            ({"decimal": ",,"}, "decimal"),
            ({"nulls": "null"}, "nulls"),
            ({"short_rows": "yes"}, "short_rows"),
            ({"daily_time": "noon"}, "daily_time"),
            ({"assumed": ["x"]}, "assumed"),
        ],
    )
    def test_each_is_checked(self, table, message):
        with pytest.raises(ValidationError, match=message):
            mapped({"columns": {"session": "d", "close": "c"}, **table}, name="m")

    def test_a_footer_and_lines_above_the_header(self, write, instruments):
        table = {"columns": {"session": "d", "close": "c"}, "header_lines": 3, "footer_lines": 2, "decimal": ",",
                 "separator": ";", "nulls": ["n/a"], "close_basis": "settlement"}  # fmt: skip
        text = "title\n\nd;c\n2025-01-06;1,5\n2025-01-07;n/a\n2025-01-08;2,5\nsum;4\nend\n"
        series = read_series(write("a.csv", text), symbol="X", instruments=instruments, mapping=mapped(table, name="m"))
        assert series.frame.select("session", "close").rows() == [(date(2025, 1, 6), 1.5), (date(2025, 1, 8), 2.5)]
        assert dict(series.meta.counts) == {"lines_of_text_ignored": 2, "rows_without_prices_dropped": 1}


def test_the_row_named_is_the_files_own(write, instruments):
    """Behind a header of three lines, a null row and newest first."""
    rows = ["2025-01-08,3", "2025-01-07,null", "2025-01-08,1"]
    with pytest.raises(InputError, match=r"row 4, column 'session': a session repeats|row 2, column 'session'"):
        read_series(write("a.csv", lines("date,close", rows)), symbol="X", instruments=instruments)


def test_a_databento_file_with_the_index_of_pandas(write, instruments):
    header = ",ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol"
    row = "0,2025-01-06 00:00:00+00:00,35,1,7,1.0,4.0,0.5,3.0,10,GCG5"
    bars = read_contracts([write("gc.csv", f"{header}\n{row}\n")], "GC", instruments=instruments)
    assert (bars.meta.vendor, bars.frame["close"].to_list()) == ("databento", [3.0])


@pytest.mark.parametrize(
    ("name", "first", "last", "count"),
    [
        ("equities/AAPL_tiingo.csv", date(2005, 1, 3), date(2018, 5, 22), 3370),  # DD/MM/YYYY
        ("equities/WIKI-AAPL.csv", date(1980, 12, 12), date(2017, 11, 7), 9306),
        ("equities/XLE_yahoo_1999_2017.csv", date(1999, 1, 4), date(2017, 10, 13), 4727),
    ],
)
def test_published_files_are_read_without_a_mapping(shared, instruments, name, first, last, count):
    series = read_series(shared / name, symbol="X", instruments=instruments)
    assert (series.frame["session"].min(), series.frame["session"].max(), series.frame.height) == (first, last, count)


def test_row_numbers_are_no_dates(write, instruments):
    series = read_series(write("a.csv", pandas_index(BARS)), symbol="X", instruments=instruments)
    assert "columns not used: column 1" in series.meta.notes
