"""What a folder of contracts may hold: other roots, symbols used again, ICE's names, empty files, archives."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta

import pytest
from ingest_dbn_writer import dbn_bytes

from ctl.errors import InputError
from ctl.ingest import find_files, read_contracts, read_series
from ctl.model.csv_mapping import MappingKeys

ALL = (date(2000, 1, 1), date(2040, 1, 1))
CONTRACTS = "session,contract,open,high,low,close,volume\n"
MON = date(2025, 1, 6)


def mapped(keys, *, name):
    return MappingKeys.model_validate(keys).named(name)


def weekdays(first: date, last: date, step: int = 1) -> list[date]:
    days = [first + timedelta(days=at) for at in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5][::step]


def rows(symbol, days, price, volume):
    return "".join(f"{day},{symbol},{price},{price + 1},{price - 1},{price},{volume}\n" for day in days)


class TestRoots:
    TEXT = CONTRACTS + "2025-01-06,GCJ25,1,1,1,1,5\n2025-01-07,GCJ25,1,1,1,1,5\n2025-01-06,SIH25,9,9,9,9,5\n"

    def test_the_roots_contracts_are_taken_and_the_others_counted_by_root(self, write, instruments):
        bars = read_contracts([write("a.csv", self.TEXT)], "GC", instruments=instruments)
        assert (bars.roots, bars.meta.counts["bars_of_SI_dropped"]) == (("GC",), 1)

    def test_a_file_with_none_of_the_root_is_kept_as_it_is(self, write, instruments):
        """The mix-up is for the certificate to name."""
        bars = read_contracts([write("a.csv", self.TEXT)], "CL", instruments=instruments)
        assert (bars.roots, bars.frame.height, dict(bars.meta.counts)) == (("GC", "SI"), 3, {})

    def test_a_foreign_file_among_the_roots_own_is_a_mix_up(self, write, instruments):
        own = write("gc.csv", CONTRACTS + "2025-01-06,GCJ25,1,1,1,1,5\n")
        foreign = write("si.csv", CONTRACTS + "2025-01-06,SIH25,9,9,9,9,5\n")
        assert read_contracts([own, foreign], "GC", instruments=instruments).roots == ("GC", "SI")

    def test_no_root_asked_for_keeps_all(self, write, instruments):
        assert read_contracts([write("a.csv", self.TEXT)], None, instruments=instruments).roots == ("GC", "SI")

    def test_a_symbol_of_the_metadata_that_never_traded_is_no_contract_of_the_root(self, write, instruments):
        data = dbn_bytes([(MON, 7, 1, 1, 1, 1, 5)], [("NQH5", *ALL, 7), ("ESH5", *ALL, 8)])
        assert read_contracts([write("a.dbn", data)], "ES", instruments=instruments).roots == ("NQ",)


class TestReusedSymbols:
    """CLZ6 is December 2016, which stops trading in November 2016, and December 2026."""

    OLD = weekdays(date(2016, 3, 1), date(2016, 11, 18))

    @pytest.mark.parametrize("first", [date(2016, 11, 21), date(2016, 11, 25), date(2016, 12, 20), date(2017, 6, 1)])
    def test_bars_on_both_sides_of_a_delivery_are_two_contracts(self, write, instruments, first):
        """Whether a hole parts them or not: the next decade is listed the day after, or months later."""
        new = weekdays(first, date(2018, 3, 1), step=3)
        text = CONTRACTS + rows("CLZ6", self.OLD, 45, 90_000) + rows("CLZ6", new, 58, 50)
        bars = read_contracts([write("a.csv", text)], "CL", instruments=instruments)
        ends = {
            name: (part["session"].min(), part["session"].max()) for (name,), part in bars.frame.group_by("contract")
        }
        assert ends == {"CLZ16": (self.OLD[0], self.OLD[-1]), "CLZ26": (new[0], new[-1])}

    def test_one_contract_up_to_a_month_after_its_delivery_month_stays_one(self, write, instruments):
        days = weekdays(date(2016, 1, 4), date(2017, 1, 20))
        bars = read_contracts([write("a.csv", CONTRACTS + rows("CLZ6", days, 45, 90))], "CL", instruments=instruments)
        assert [contract.name for contract in bars.contracts] == ["CLZ16"]

    def test_two_digits_name_one_contract(self, write, instruments):
        text = (
            CONTRACTS
            + rows("CLZ26", self.OLD, 45, 90)
            + rows("CLZ26", weekdays(date(2016, 11, 24), date(2018, 1, 5)), 58, 5)
        )
        bars = read_contracts([write("a.csv", text)], "CL", instruments=instruments)
        assert [contract.name for contract in bars.contracts] == ["CLZ26"]

    def test_a_stated_last_trade_date_parts_them(self, write, instruments):
        """No bar after the delivery month: the date alone tells. The bars around it differ in nothing."""
        mapping = mapped(
            {"columns": {"session": "d", "contract": "c", "close": "p", "volume": "v", "last_trade": "l"}}, name="m"
        )
        text = "d,c,p,v,l\n" + "".join(
            f"{day},CLZ6,45,9,{'2016-11-21' if day <= date(2016, 11, 21) else ''}\n"
            for day in weekdays(date(2016, 10, 3), date(2016, 12, 9))
        )
        bars = read_contracts([write("a.csv", text)], "CL", instruments=instruments, mapping=mapping)
        old = bars.frame.filter(bars.frame["contract"] == "CLZ16")
        assert [contract.name for contract in bars.contracts] == ["CLZ16", "CLZ26"]
        assert old["session"].max() == date(2016, 11, 21)

    def test_sofr_trades_to_the_end_of_its_quarter(self, write, instruments):
        """SR3H6 names March 2026 and ends in June; the next decade's is listed the day after."""
        days = weekdays(date(2025, 6, 2), date(2026, 6, 16))
        bars = read_contracts(
            [write("a.csv", CONTRACTS + rows("SR3H6", days, 96, 900))], "SR3", instruments=instruments
        )
        assert [contract.name for contract in bars.contracts] == ["SR3H26"]
        after = weekdays(date(2026, 6, 17), date(2026, 11, 5), step=2)
        text = CONTRACTS + rows("SR3H6", days, 96, 90_000) + rows("SR3H6", after, 97, 3)
        bars = read_contracts([write("b.csv", text)], "SR3", instruments=instruments)
        firsts = {name: part["session"].min() for (name,), part in bars.frame.group_by("contract")}
        assert firsts == {"SR3H26": days[0], "SR3H36": after[0]}


class TestIce:
    def test_months_are_outrights_and_the_rest_is_counted(self, write, instruments):
        mappings = [
            ("BRN FMJ0024!", *ALL, 7),
            ("BRN FMK0024!", *ALL, 8),
            ("BRN SMJ0024K0024!", *ALL, 9),
            ("BRN FD00124!", *ALL, 10),
        ]
        data = dbn_bytes([(MON, ident, 1, 1, 1, 1, 5) for ident in (7, 8, 9, 10)], mappings)
        bars = read_contracts([write("a.dbn", data)], "BRN", instruments=instruments)
        assert [contract.name for contract in bars.contracts] == ["BRNJ24", "BRNK24"]
        assert bars.meta.counts["instruments_dropped"] == 2

    def test_a_series_of_one_of_them(self, write, instruments):
        data = dbn_bytes([(MON, 7, 1, 1, 1, 1, 5)], [("KC  FMN0025!", *ALL, 7)])
        assert read_series(write("a.dbn", data), symbol="KCN25", instruments=instruments).frame.height == 1

    @pytest.mark.parametrize(
        ("case", "root", "name", "close", "volume"),
        [("IFEU", "BRN", "BRNJ24", 78.49, 254_382), ("NDEX", "TFM", "TFMH24", 28.15, 28_917)],
    )
    def test_the_vendors_own_files(self, shared, instruments, case, root, name, close, volume):
        path = shared.parent / "cases" / "ice_symbols" / f"{case}.IMPACT__test_data.ohlcv-1d.dbn.zst"
        if not path.is_file():
            pytest.skip("the cases are absent")
        bars = read_contracts([path], root, instruments=instruments)
        assert bars.frame.select("contract", "close", "volume").rows() == [(name, close, volume)]


class TestEmptyFiles:
    FULL = CONTRACTS + "2025-01-06,ESH25,1,1,1,1,5\n"

    @pytest.mark.parametrize("empty", [CONTRACTS, dbn_bytes([], [("ESM5", *ALL, 7)]), "Date,Open,High,Low,Close\n"])
    def test_a_contract_that_did_not_trade_is_counted(self, write, tmp_path, instruments, empty):
        write("a.csv", self.FULL)
        write("b.csv", empty)
        bars = read_contracts([tmp_path], "ES", instruments=instruments)
        assert (bars.frame.height, bars.meta.counts["empty_files"]) == (1, 1)
        assert {source.name: source.rows for source in bars.meta.sources} == {"a.csv": 1, "b.csv": 0}

    def test_a_folder_of_them_is_refused(self, write, tmp_path, instruments):
        write("a.csv", CONTRACTS)
        with pytest.raises(InputError, match=r"a\.csv: no daily bars"):
            read_contracts([tmp_path], "ES", instruments=instruments)

    def test_a_file_of_no_bytes_is_damage(self, write, tmp_path, instruments):
        write("a.csv", self.FULL)
        write("b.csv", "")
        with pytest.raises(InputError, match=r"b\.csv: the file is empty"):
            read_contracts([tmp_path], "ES", instruments=instruments)

    def test_a_series_without_rows_is_refused(self, write, instruments):
        with pytest.raises(InputError, match="no data rows"):
            read_series(write("a.csv", "session,open,high,low,close,volume\n"), symbol="X", instruments=instruments)


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


class TestLean:
    """Lines of QuantConnect's sample data: a day of the exchange's zone, no header, Sunday 2013-10-06 among them."""

    DECEMBER = "20131006 00:00,1676.75,1678.25,1673.25,1676.5,21573\n20131007 00:00,1669,1679.5,1667,1668,1374818\n"
    MARCH = "20131007 00:00,1662.5,1673,1660.5,1661.5,3248\n"
    AAPL = "19980102 00:00,136300,162500,135000,162500,6315000\n19980105 00:00,165000,165600,151900,160000,5677300\n"

    def test_a_zip_of_contracts(self, write, instruments):
        members = {"es_trade_201312.csv": self.DECEMBER, "es_trade_201403.csv": self.MARCH,
                   "es_openinterest_201312.csv": "20131007 00:00,2674467\n"}  # fmt: skip
        path = write("es_trade.zip", zipped(**members))
        bars = read_contracts([path], "ES", instruments=instruments)
        assert bars.frame.select("session", "contract", "high", "volume").rows() == [
            (date(2013, 10, 7), "ESZ13", 1679.5, 21573 + 1374818), (date(2013, 10, 7), "ESH14", 1673.0, 3248),
        ]  # fmt: skip
        assert dict(bars.meta.counts) == {"weekend_bars_folded": 1}
        assert [source.name for source in bars.meta.sources] == [
            "es_trade.zip/es_trade_201312.csv", "es_trade.zip/es_trade_201403.csv",
        ]  # fmt: skip
        assert any("es_openinterest_201312.csv not used" in note for note in bars.meta.notes)
        assert any(note.startswith("assumed exchange sessions") for note in bars.meta.notes)

    def test_both_ways_to_read_a_contract_agree(self, write, instruments):
        path = write("es_trade_201312.csv", self.DECEMBER)
        series = read_series(path, symbol="ES", instruments=instruments)
        bars = read_contracts([path], "ES", instruments=instruments)
        assert series.frame["session"].to_list() == bars.frame["session"].to_list() == [date(2013, 10, 7)]

    def test_an_equity_in_ten_thousandths(self, write, instruments):
        series = read_series(
            write("aapl.zip", zipped(**{"aapl.csv": self.AAPL})), symbol="AAPL", instruments=instruments
        )
        assert series.frame["close"].to_list() == [16.25, 16.0]

    def test_a_series_of_several_files_is_refused(self, write, instruments):
        path = write("es.zip", zipped(**{"a.csv": self.AAPL, "b.csv": self.AAPL}))
        with pytest.raises(InputError, match=r"es\.zip: several files in the archive; found a\.csv, b\.csv"):
            read_series(path, symbol="ES", instruments=instruments)

    @pytest.mark.parametrize("cut", [30, 60, 120])
    def test_a_damaged_archive_is_one_clear_error(self, write, instruments, cut):
        path = write("es.zip", zipped(**{"a.csv": self.AAPL})[:cut])
        with pytest.raises(InputError, match="damaged zip archive"):
            read_series(path, symbol="ES", instruments=instruments)

    @pytest.mark.parametrize(
        ("at", "value", "said"),
        [(6, 1, "archive is encrypted"), (8, 99, "damaged zip archive")],
        ids=["flag", "method"],
    )
    def test_what_cannot_be_unpacked_is_said(self, write, instruments, at, value, said):
        """Flags stand at byte 6 of a member's own header, its method at 8; in the directory both two bytes later."""
        data = bytearray(zipped(**{"a.csv": self.AAPL}))
        data[at] = data[data.index(b"PK\x01\x02") + at + 2] = value
        with pytest.raises(InputError, match=said):
            read_series(write("es.zip", bytes(data)), symbol="ES", instruments=instruments)

    def test_a_bomb_is_refused(self, write, instruments):
        path = write("es.zip", zipped(**{"a.csv": "0" * (80 << 20)}))
        with pytest.raises(InputError, match="the archive expands too far"):
            read_series(path, symbol="ES", instruments=instruments)

    def test_the_genuine_folder(self, shared, instruments):
        """ESH14's volume first exceeds ESZ13's on 2013-12-13: 868,208 against 347,764."""
        bars = read_contracts([shared / "contracts" / "lean_es_2013"], "ES", instruments=instruments)
        day = bars.frame.filter(bars.frame["session"] == date(2013, 12, 13))
        assert dict(day.select("contract", "volume").rows()) == {"ESZ13": 347_764, "ESH14": 868_208}


class TestWhichFileIsWhich:
    @pytest.mark.parametrize(
        ("names", "symbol", "found"),
        [
            (("F_C.txt", "F_CL.txt"), "C", "F_C.txt"),
            (("F_C.txt", "F_CL.txt"), "CL", "F_CL.txt"),
            (("C-2024.csv", "CC_2024.csv"), "C", "C-2024.csv"),
            (("brk.b.csv", "brk.csv.old"), "BRK.B", "brk.b.csv"),
            (("es_daily.csv", "mes_daily.csv"), "ES", "es_daily.csv"),
        ],
    )
    def test_by_whole_words_of_the_name(self, write, tmp_path, names, symbol, found):
        for name in names:
            write(name, "x")
        files = find_files("csv", tmp_path, symbol)
        assert (files.adjusted, files.unadjusted) == ((), (tmp_path / found,))

    def test_no_part_of_a_word_matches(self, write, tmp_path):
        write("F_CL.txt", "x")
        assert find_files("csv", tmp_path, "C").unadjusted == ()
        assert find_files("norgate", tmp_path, "NG").unadjusted == ()

    def test_norgates_prefix_is_no_symbol(self, write, tmp_path):
        for name in ("NG_NG_1D_2018.csv", "NG_ES_1D_2018.csv"):
            write(name, "x")
        assert find_files("norgate", tmp_path, "NG").unadjusted == (tmp_path / "NG_NG_1D_2018.csv",)

    def test_norgates_back_adjusted_symbol_is_the_adjusted_series(self, tmp_path):
        path = tmp_path / "NG_ES_CCB_1D_2018.csv"
        path.write_text("Date")
        found = find_files("norgate", tmp_path, "ES")
        assert (found.adjusted, found.unadjusted) == ((path,), ())

    def test_adjusted_and_unadjusted_are_told_apart(self, write, tmp_path):
        for name in ("ES_adjusted.csv", "ES_unadjusted.csv", "NQ_adj.csv"):
            write(name, "x")
        files = find_files("common", tmp_path, "ES")
        assert (files.adjusted, files.unadjusted) == (
            (tmp_path / "ES_adjusted.csv",),
            (tmp_path / "ES_unadjusted.csv",),
        )
        assert not files.assumed
        assert find_files("csv", tmp_path, "NQ").adjusted == (tmp_path / "NQ_adj.csv",)

    def test_two_of_a_kind_are_refused(self, write, tmp_path):
        for name in ("ES_2018.csv", "ES_2019.csv"):
            write(name, "x")
        with pytest.raises(InputError, match=r"several files of ES; found ES_2018\.csv, ES_2019\.csv"):
            find_files("csv", tmp_path, "ES")

    @pytest.mark.parametrize("form", ["norgate", "csv", "databento", "common"])
    def test_exports_of_several_dates_are_one_kind(self, write, tmp_path, form):
        names = [f"NG_KC{kind}_1D_20260101_2026112{day}.csv" for kind in ("", "_CCB") for day in "07"]
        for name in (*names, "NG_KCX_1D_20260101_20261120.csv"):
            write(name, "x")
        files = find_files(form, tmp_path, "KC")
        assert [path.name for path in files.unadjusted] == names[:2]
        assert [path.name for path in files.adjusted] == names[2:]
        assert files.assumed


def test_impossible_bars_are_counted_and_the_first_is_named(write, instruments):
    lines = ["2025-01-06,400,402,399,401,9", "2025-01-07,401,399,402,400,9", "2025-01-08,0,0,0,0,9",
             "2025-01-09,400,402,399,403,9", "2025-01-10,400,402,399,401,9"]  # fmt: skip
    path = write("a.csv", "session,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    series = read_series(path, symbol="XYZ", instruments=instruments)
    assert dict(series.meta.counts) == {"inconsistent_bars": 2, "zero_price_bars": 1}
    told = [note for note in series.meta.notes if note.startswith(("IMPOSSIBLE", "CLOSES"))]
    assert [note.partition(";")[0] for note in told] == [
        "IMPOSSIBLE_BARS: 2, the first XYZ on 2025-01-07: open, high, low, close 401, 399, 402, 400",
        "CLOSES_OUTSIDE_RANGE: 1, the first XYZ on 2025-01-09: open, high, low, close 400, 402, 399, 403",
    ]


def test_a_zero_low_alone_is_impossible_too(write, instruments):
    lines = ["2025-01-06,400,402,399,401,9", "2025-01-07,401,403,0,400,9", "2025-01-08,400,402,399,401,9"]
    path = write("a.csv", "session,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    series = read_series(path, symbol="XYZ", instruments=instruments)
    assert dict(series.meta.counts) == {"zero_price_bars": 1}
    assert any(note.startswith("IMPOSSIBLE_BARS: 1, the first XYZ on 2025-01-07") for note in series.meta.notes)


def test_a_zero_of_a_market_that_trades_around_zero_is_a_price(write, instruments):
    closes = [0.25, -0.5, 0.0, 0.75, -0.25]
    text = "".join(f"2025-01-{day:02d},{p},{p},{p},{p},9\n" for day, p in zip(range(6, 11), closes, strict=True))
    series = read_series(
        write("a.csv", "session,open,high,low,close,volume\n" + text), symbol="X", instruments=instruments
    )
    assert dict(series.meta.counts) == {}
