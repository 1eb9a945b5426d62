"""ctl's own tables, TradeStation names, mappings, and the strictness that all text shares."""

from __future__ import annotations

import os
import subprocess
import zlib
from datetime import date

import polars as pl
import pytest
import zstandard

from ctl.errors import InputError
from ctl.ingest import (
    find_files,
    mapping_named_or_at,
    named_mapping,
    read_contracts,
    read_reference,
    read_series,
    source,
)
from ctl.model.bars import CONTRACT_COLUMNS, SERIES_COLUMNS
from ctl.model.csv_mapping import MappingKeys

CONTRACTS = "session,contract,open,high,low,close,volume,open_interest\n"
SERIES = "session,open,high,low,close,volume\n"
TS = '"Date","Time","Open","High","Low","Close","Vol","OI"\n'


COLUMNS = "[columns]\nsession = 'd'\nclose = 'c'\n"


def mapped(keys, *, name):
    return MappingKeys.model_validate(keys).named(name)


class TestPlainTables:
    def test_contracts(self, write, instruments):
        text = CONTRACTS + "2025-01-07,ESM25,1,4,0.5,3,10,20\n2025-01-06,ESH5,,,,2,,\n"
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        assert tuple(bars.frame.columns) == CONTRACT_COLUMNS
        assert bars.frame.rows() == [
            (date(2025, 1, 6), "ESH25", None, None, None, 2.0, None, None),
            (date(2025, 1, 7), "ESM25", 1.0, 4.0, 0.5, 3.0, 10, 20),
        ]
        assert (bars.meta.session_basis, bars.meta.close_basis) == ("exchange_session", "settlement")
        assert any("assumed" in note for note in bars.meta.notes)

    def test_series_with_adjustment_and_contract(self, write, instruments):
        text = SERIES.replace("\n", ",adjustment,contract\n") + "2025-01-06,1,4,0.5,3,10.0,-2.5,ESH5\n"
        series = read_series(write("a.csv", text), symbol="ES", instruments=instruments)
        assert tuple(series.frame.columns) == SERIES_COLUMNS
        assert series.frame.rows() == [(date(2025, 1, 6), 1.0, 4.0, 0.5, 3.0, 10, None, "ESH25", -2.5)]

    def test_unused_columns_are_named(self, write, instruments):
        text = SERIES.replace("\n", ",remark\n") + "2025-01-06,1,4,0.5,3,10,hello\n"
        series = read_series(write("a.csv", text), symbol="ES", instruments=instruments)
        assert "columns not used: remark" in series.meta.notes

    def test_inconsistent_bars_are_kept_and_counted(self, write, instruments):
        text = SERIES + "2025-01-06,1,4,0.5,5,10\n2025-01-07,1,4,2,3,10\n2025-01-08,1,4,1,3,10\n"
        series = read_series(write("a.csv", text), symbol="ES", instruments=instruments)
        assert dict(series.meta.counts) == {"inconsistent_bars": 2}
        assert series.frame["close"].to_list() == [5.0, 3.0, 3.0]

    def test_parquet_is_held_to_the_same_rules(self, tmp_path, write, instruments):
        text = CONTRACTS + "2025-01-06,ESH25,1,4,0.5,3,10,20\n2025-01-07,ESH25,,,,0.1,11,\n"
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments)
        bars.frame.write_parquet(tmp_path / "a.parquet")
        again = read_contracts([tmp_path / "a.parquet"], "ES", instruments=instruments)
        assert again.frame.equals(bars.frame)
        bars.frame.with_columns(close=pl.lit(float("nan"))).write_parquet(tmp_path / "nan.parquet")
        with pytest.raises(InputError, match="column 'close': not finite"):
            read_contracts([tmp_path / "nan.parquet"], "ES", instruments=instruments)
        bars.frame.with_columns(session=pl.lit("x")).write_parquet(tmp_path / "type.parquet")
        with pytest.raises(InputError, match="column 'session': not a date; found 'x'"):
            read_contracts([tmp_path / "type.parquet"], "ES", instruments=instruments)
        (tmp_path / "cut.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:200])
        with pytest.raises(InputError, match=r"cut\.parquet: damaged content"):
            read_contracts([tmp_path / "cut.parquet"], "ES", instruments=instruments)

    def test_a_parquet_file_that_kills_its_decoder_is_one_clear_error(self, tmp_path, instruments, monkeypatch):
        """The decoder aborts on some damaged files; the process that reports is another one."""
        from ctl.ingest import frames

        path = tmp_path / "a.parquet"
        path.write_bytes(b"PAR1" + b"\0" * 20 + b"PAR1")
        gone = subprocess.CompletedProcess([], returncode=-6, stdout=b"", stderr=b"memory allocation failed")
        monkeypatch.setattr(frames.subprocess, "run", lambda *_, **__: gone)
        with pytest.raises(InputError, match=r"a\.parquet: damaged content; found a decoder that gave up"):
            read_contracts([path], "ES", instruments=instruments)

    def test_parquet_keeps_every_bit_of_a_price(self, tmp_path, instruments):
        prices = [0.1 + 0.2, 1 / 3, 1e-9, 123456.789012345]
        frame = pl.DataFrame({"session": [date(2025, 1, day) for day in (6, 7, 8, 9)]}).with_columns(
            *(pl.Series(name, prices) for name in ("open", "high", "low", "close")), volume=pl.lit(1, dtype=pl.Int64)
        )
        frame.write_parquet(tmp_path / "a.parquet")
        series = read_series(tmp_path / "a.parquet", symbol="X", instruments=instruments)
        assert series.frame["close"].to_list() == prices


GOOD = "2025-01-06,1,4,0.5,3,10\n"


@pytest.mark.parametrize(
    "text",
    [
        SERIES + GOOD,
        "\ufeff" + SERIES + GOOD,
        (SERIES + GOOD).replace("\n", "\r\n"),
        SERIES + GOOD + "\n\r\n   \n",
        (SERIES + GOOD).rstrip("\n"),
        '"session","open","high","low","close","volume"\n"2025-01-06","1","4","0.5","3","10"\n',
        '"session","open","high","low","close","volume"\r\n2025-01-06,"1",4,"0.5",3,"10"\r\n',
        SERIES + "2025-01-06, 1 ,4,0.5,3.0,10.0\n",
        (SERIES + GOOD).replace("\n", "\r"),
        (SERIES + GOOD).encode("utf-16"),
        (SERIES + GOOD).encode("utf-32"),
    ],
)
def test_harmless_variants_read_the_same(write, instruments, text):
    series = read_series(write("a.csv", text), symbol="X", instruments=instruments)
    assert series.frame.row(0)[:6] == (date(2025, 1, 6), 1.0, 4.0, 0.5, 3.0, 10)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty; found blanks alone"),
        (SERIES, "no data rows"),
        ("a,b,c\n1,2,3\n", r"row 1: no known header; found 'a, b, c'; expected columns that mean a date and a close"),
        ((SERIES + GOOD).encode("utf-16")[:-1], "damaged UTF-16 text"),
        ((SERIES + GOOD).encode("utf-16-le"), "not a text file"),
        (SERIES.encode() + b"2025-01-06,1,4,0.5,\xff,10\n", "row 2: not UTF-8; found byte 0xff"),
        (SERIES + GOOD + "2025-01-07,1,4,0.5,3\n", "row 3: wrong number of columns; found 5; expected 6 columns"),
        (SERIES + GOOD + "2025-01-07,1,4,0.5,3,1,1\n", "row 3: wrong number of columns; found 7"),
        ("date,ESH25,ESM25\n2025-01-06,1,2\n", "row 1: a column per contract: ESH25 and 1 more"),
        (SERIES + '2025-01-06,"1,4,0.5,3,10\n', "row 2: a quotation mark that does not enclose a whole cell"),
        (SERIES + '2025-01-06,1"2,4,0.5,3,10"\n', "row 2: a quotation mark"),
        (SERIES.replace("high", "open") + GOOD, "row 1: two columns could be the open; found session, open, open"),
        (SERIES.replace("high", "") + GOOD, "row 1: column 'high' is missing"),
        (SERIES.replace("high,", "") + "2025-01-06,1,0.5,3,10\n", "column 'high' is missing"),
        (SERIES + GOOD + GOOD, "row 3, column 'session': a session repeats; found 2025-01-06 after 2025-01-06"),
        (SERIES + GOOD + "2025-01-03,1,4,0.5,3,10\n", "row 3, column 'session': sessions are not in order"),
        (SERIES + "06.01.2025,1,4,0.5,3,10\n", "row 2, column 'session': not a date; found '06.01.2025'"),
        (SERIES + "2025-02-30,1,4,0.5,3,10\n", "row 2, column 'session': not a date"),
        (SERIES + "0025-01-06,1,4,0.5,3,10\n", "not a plausible date"),
        (SERIES + "2025-01-06,1,4,0.5,,10\n", "row 2, column 'close': empty; found nothing"),
        (SERIES + "2025-01-06,1,4,0.5,inf,10\n", "row 2, column 'close': not finite; found 'inf'"),
        (SERIES + "2025-01-06,1,4,0.5,<script>,10\n", "row 2, column 'close': not a number; found '<script>'"),
        (SERIES + "2025-01-06,1,4,0.5,3,-10\n", "row 2, column 'volume': negative"),
        (SERIES + "2025-01-06,1,4,0.5,3,1e300\n", "row 2, column 'volume': not a whole number"),
        (b"\0" * 4096, "the file starts with NUL bytes"),
        (SERIES.encode() + b"\0" * 4096, "not a text file; found a NUL byte on line 2"),
        (b"BZh91AY&SY" + b"x" * 40, "compressed by bzip2.*unpack it first"),
        (b"ARROW1\0\0" + b"x" * 40, "an Arrow .Feather. file.*save it as CSV or Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 40, "a spreadsheet of old.*save it as CSV"),
        (b"a.csv".ljust(257, b"\0") + b"ustar".ljust(255, b"\0"), "a tar archive.*unpack it first"),
        (b"x" * 100_000, "no line end in 65536 bytes"),
        (SERIES + GOOD + "2025-01-07,1,4,0.5,3," + "1" * 70_000 + "\n", "row 3: the line is too long"),
    ],
)
def test_bad_text_is_one_clear_error(write, instruments, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_series(write("bad.csv", content), symbol="X", instruments=instruments)
    assert "bad.csv" in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_contract_that_is_none(write, instruments):
    for name, message in (
        ("FRONT", "not a contract; found 'FRONT'"),
        ("<i>", "not a symbol"),
        ("../x", "not a symbol"),
    ):
        with pytest.raises(InputError, match=message):
            read_contracts(
                [write("a.csv", CONTRACTS + f"2025-01-06,{name},1,1,1,1,1,1\n")], "ES", instruments=instruments
            )


def test_a_path_in_a_symbol_is_refused(write, tmp_path, instruments):
    path = write("a.csv", SERIES + GOOD)
    with pytest.raises(InputError, match=r"not a usable symbol; found '\.\./x'"):
        read_series(path, symbol="../x", instruments=instruments)
    with pytest.raises(InputError, match="not a usable symbol"):
        find_files("tradestation", tmp_path, "../../etc/passwd")
    with pytest.raises(InputError, match="not a usable root"):
        read_contracts([path], "<b>", instruments=instruments)


class TestFiles:
    def test_sparse_file_is_refused_without_reading_it(self, tmp_path, instruments):
        path = tmp_path / "sparse.csv"
        with path.open("wb") as handle:
            handle.write(SERIES.encode())
            os.ftruncate(handle.fileno(), 10 * 2**30)
        with pytest.raises(InputError, match="cannot be read; found 10737418240 bytes, more than the 2147483648"):
            read_series(path, symbol="X", instruments=instruments)

    @pytest.mark.parametrize("start", [b"", SERIES.encode()])
    def test_zstd_bomb(self, write, instruments, start):
        engine = zstandard.ZstdCompressor().compressobj()
        bomb = engine.compress(start)
        for _ in range(4096):
            bomb += engine.compress(b"\x20" * (1 << 20))
        path = write("bomb.csv.zst", bomb + engine.flush())
        assert path.stat().st_size < 2**20
        with pytest.raises(InputError, match="the file expands too far"):
            read_series(path, symbol="X", instruments=instruments)

    def test_gzip_bomb(self, write, instruments):
        engine = zlib.compressobj(wbits=31)
        bomb = b"".join(engine.compress(b"\x20" * (1 << 20)) for _ in range(512)) + engine.flush()
        with pytest.raises(InputError, match="the file expands too far"):
            read_series(write("bomb.csv.gz", bomb), symbol="X", instruments=instruments)

    @pytest.mark.parametrize("stated", [100, 400_000])
    def test_zstd_content_of_another_size_than_its_header_states(self, write, stated):
        packed = bytearray(zstandard.ZstdCompressor().compress(b"\x20" * 300_000))
        assert packed[4] >> 5 == 0b101  # four bytes of content size, right behind the descriptor
        assert int.from_bytes(packed[5:9], "little") == 300_000
        packed[5:9] = stated.to_bytes(4, "little")
        with pytest.raises(InputError, match="damaged zstd data"):
            source.load(write("a.csv.zst", bytes(packed)))

    def test_frames_one_after_the_other_are_one_file(self, write, instruments):
        pack = zstandard.ZstdCompressor().compress
        data = pack(SERIES.encode()) + pack(GOOD.encode())
        assert read_series(write("a.csv.zst", data), symbol="X", instruments=instruments).frame.height == 1

    @pytest.mark.parametrize("name", ["missing.csv", "folder", "fifo"])
    def test_what_is_no_file(self, tmp_path, instruments, name):
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(InputError, match=r"cannot be read|not a regular file"):
            read_series(tmp_path / name, symbol="X", instruments=instruments)

    def test_identity_is_of_the_file_as_it_lies_on_disk(self, write):
        packed = zstandard.ZstdCompressor().compress(b"a,b\n1,2\n")
        raw = source.load(write("a.csv.zst", packed))
        assert (raw.size, raw.data, raw.stem) == (len(packed), b"a,b\n1,2\n", "a")


class TestTradeStation:
    def test_intraday_export_is_refused(self, write, instruments):
        text = '"Date","Time","Open","High","Low","Close","Up","Down"\n01/06/2025,09:30,1,1,1,1,5,5\n'
        with pytest.raises(InputError, match="row 1: an intraday export"):
            read_series(write("a.csv", text), symbol="ES", instruments=instruments)

    def test_a_series_is_not_read_as_contracts(self, write, instruments):
        path = write("a.csv", TS + "01/06/2025,16:00,1,1,1,1,5,5\n")
        with pytest.raises(InputError, match="the file is a series"):
            read_contracts([path], "ES", instruments=instruments)

    def test_exports_of_every_date_are_found(self, write, tmp_path):
        old = TS + "01/06/2025,16:00,1,1,1,1,5,5\n"
        new = TS + "01/07/2025,16:00,1,1,1,1,5,5\n"
        last = write("TS_ES_CUSTOM_ADJ_1D_20180102_20260227.csv", old)
        first = write("TS_ES_CUSTOM_ADJ_1D_20180102_20260101.csv", new)
        unadjusted = write("ts_es_custom_unadj_1d_20180102.csv", old)
        write("TS_ES_1D_20180102.csv", new)
        write("TS_ESX_CUSTOM_ADJ_1D_20180102.csv", new)
        found = find_files("tradestation", tmp_path, "ES")
        assert (found.adjusted, found.unadjusted) == ((first, last), (unadjusted,))

    def test_equity_name_and_nothing_found(self, write, tmp_path):
        path = write("TS_AAPL_1D_20180102.csv", TS + "01/06/2025,16:00,1,1,1,1,5,5\n")
        found = find_files("tradestation", tmp_path, "AAPL")
        assert (found.adjusted, found.unadjusted, found.assumed) == ((path,), (), False)
        found = find_files("tradestation", tmp_path, "XLE")
        assert (found.adjusted, found.unadjusted, found.assumed) == ((), (), False)

    def test_reference_of_both_files(self, write, instruments):
        adjusted = write("a.csv", TS + "01/06/2025,16:00,1,1,1,1,5,5\n")
        unadjusted = write("u.csv", TS + "01/06/2025,16:00,2,2,2,2,5,5\n")
        reference = read_reference(symbol="ES", adjusted=adjusted, unadjusted=unadjusted, instruments=instruments)
        assert (reference.vendor, reference.stated_rolls) == ("tradestation", ())
        assert reference.adjusted.frame["close"].to_list() == [1.0]
        assert reference.unadjusted.frame["close"].to_list() == [2.0]
        named = read_reference(symbol="ES", adjusted=adjusted, unadjusted=None, instruments=instruments, vendor="TS")
        assert (named.vendor, named.adjusted.meta.vendor, named.unadjusted) == ("TS", "TS", None)

    def test_no_reference_file(self, instruments):
        with pytest.raises(InputError, match="no reference file for ES"):
            read_reference(symbol="ES", adjusted=None, unadjusted=None, instruments=instruments)


QUANTIACS = "DATE, OPEN, HIGH, LOW, CLOSE, VOL, OI, P, R, RINFO\r\n"


class TestMappings:
    def test_stated_rolls_by_hand(self, write, instruments):
        """Point value 50. Segments at 100, 110 (gap 8), 120 (zero gap, told by P alone)."""
        rows = [
            "20250106,5000,5050,4950,5000,1,1,0,0,0",
            "20250107,5000,5050,4950,5000,1,1,202506,202506,0",
            "20250108,5500,5550,5450,5500,1,1,202509,202509,400",
            "20250109,6000,6050,5950,6000,1,1,0,0,0",
        ]
        path = write("F_ES.txt", QUANTIACS + "\r\n".join(rows) + "\r\n")
        reference = read_reference(symbol="ES", adjusted=None, unadjusted=path, instruments=instruments)
        assert [(roll.gap_session, roll.roll_date, roll.from_contract, roll.to_contract, roll.gap)
                for roll in reference.stated_rolls] == [
            (date(2025, 1, 7), date(2025, 1, 8), None, "ESM25", 8.0),
            (date(2025, 1, 8), date(2025, 1, 9), "ESM25", "ESU25", 0.0),
        ]  # fmt: skip
        assert reference.unadjusted.frame["close"].to_list() == [100.0, 100.0, 110.0, 120.0]
        assert reference.adjusted.frame["close"].to_list() == [108.0, 108.0, 110.0, 120.0]
        assert reference.adjusted.frame["adjustment"].to_list() == [8.0, 8.0, 0.0, 0.0]
        # given under the other name it is still the unadjusted series
        swapped = read_reference(symbol="ES", adjusted=path, unadjusted=None, instruments=instruments)
        assert swapped.unadjusted.frame["close"].to_list() == [100.0, 100.0, 110.0, 120.0]
        assert swapped.adjusted.frame["close"].to_list() == [108.0, 108.0, 110.0, 120.0]

    def test_unlisted_point_value_is_refused(self, write, instruments):
        path = write("F_XX.txt", QUANTIACS + "20250106,5000,5050,4950,5000,1,1,0,0,0\r\n")
        with pytest.raises(InputError, match="point value that mapping 'quantiacs' does not list; found root 'XX'"):
            read_series(path, symbol="XX", instruments=instruments)

    def test_bloomberg_spellings(self, write, instruments):
        text = "date,rank,contract,last_trade,settle,volume,oi,ttm\n"
        text += (
            "2007-05-01,1,HGJ8 08 Comdty,2008-04-28,300,,5.0,1\n1997-01-02,1,HGH97 Comdty,1997-03-26,100,7.0,5.0,1\n"
        )
        text += "2010-09-07,1,HGH1 Comdty,2011-03-29,347.95,1649.0,19891.0,203.0\n"
        bars = read_contracts([write("a.csv", text)], "HG", instruments=instruments)
        assert [contract.name for contract in bars.contracts] == ["HGH97", "HGJ08", "HGH11"]
        assert bars.terms["HGJ08"].last_trade == date(2008, 4, 28)
        assert bars.meta.quote_unit == "US cents per pound"

    def test_norgate_delivery_months(self, write, instruments):
        text = "Date,Open,High,Low,Close,Volume,Open Interest,Delivery Month\n2025-01-06,1,1,1,1,5,6,202503\n"
        series = read_series(write("NG_ES_1D_x.csv", text), symbol="ES", instruments=instruments)
        assert series.frame["contract"].to_list() == ["ESH25"]
        bad = text.replace("202503", "202513")
        with pytest.raises(InputError, match="row 2, column 'Delivery Month': not a delivery month; found '202513'"):
            read_series(write("NG_ES_1D_x.csv", bad), symbol="ES", instruments=instruments)

    def test_own_mapping_of_an_equity_file(self, shared, instruments):
        mapping = mapped(
            {"columns": {"session": "Date", "open": "Open", "high": "High", "low": "Low", "close": "Close",
                         "volume": "Volume"},
             "close_basis": "last_trade", "adjustment_basis": "raw", "descending": True},
            name="wiki",
        )  # fmt: skip
        series = read_series(shared / "equities/WIKI-AAPL.csv", symbol="AAPL", instruments=instruments, mapping=mapping)
        assert series.frame.height == 9306
        assert series.frame.row(0)[:6] == (date(1980, 12, 12), 28.75, 28.87, 28.75, 28.75, 2_093_900)
        assert (series.meta.vendor, series.meta.adjustment_basis) == ("wiki", "raw")

    def test_order_is_checked_against_the_mapping(self, shared, instruments):
        mapping = mapped({"columns": {"session": "Date", "close": "Close"}}, name="wiki")
        with pytest.raises(InputError, match="row 3, column 'session': sessions are not in order"):
            read_series(shared / "equities/WIKI-AAPL.csv", symbol="AAPL", instruments=instruments, mapping=mapping)

    def test_day_first_dates(self, shared, instruments):
        mapping = mapped(
            {"columns": {"session": "date", "close": "adjClose"}, "date_format": "%d/%m/%Y"}, name="tiingo"
        )
        series = read_series(
            shared / "equities/AAPL_tiingo.csv", symbol="AAPL", instruments=instruments, mapping=mapping
        )
        assert (series.frame.height, series.frame["session"][-1]) == (3370, date(2018, 5, 22))

    @pytest.mark.parametrize(
        ("lines", "place"),
        [
            ("vendor = 'x'", "1: columns: found nothing"),
            ("[columns]\nclose = 'c'", "1: columns.session: found nothing"),
            (f"{COLUMNS}x = 'y'", "4: columns.x: found an unknown key"),
            ("[columns]\nsession = 1\nclose = 'c'", "2: columns.session: found 1; expected a column name"),
            (
                "header = false\n[columns]\nsession = 0\nclose = 2",
                "3: columns.session: found 0; expected a position from 1",
            ),
            (f"colour = 1\n{COLUMNS}", "1: colour: found an unknown key"),
            (f"separator = ';;'\n{COLUMNS}", "1: separator: found ';;'; expected one ASCII character"),
            (f"close_basis = 'guess'\n{COLUMNS}", "1: close_basis: found 'guess'; expected settlement or last_trade"),
            (f"price_divisor = 0\n{COLUMNS}", "1: price_divisor: found 0; expected a positive number"),
            (f"{COLUMNS}[point_values]\nES = true", "5: point_values.ES: found true"),
            (f"{COLUMNS}close = 'd'", "4: found text that is not TOML"),
            (f"price_divisor = {'9' * 400}\n{COLUMNS}", "1: price_divisor: found a number or date of 400 characters"),
        ],
    )
    def test_bad_mappings_are_refused_with_their_place(self, write, lines, place):
        path = write("mine.toml", lines)
        with pytest.raises(InputError) as caught:
            mapping_named_or_at(str(path))
        assert any(problem.startswith(f"{path}:{place}") for problem in caught.value.problems), caught.value.problems

    def test_all_problems_of_a_mapping_are_said_at_once(self, write):
        path = write("mine.toml", f"colour = 1\nheader = 'no'\nseparator = ''\n{COLUMNS}high = true\n")
        with pytest.raises(InputError) as caught:
            mapping_named_or_at(str(path))
        places = [problem.removeprefix(f"{path}:").partition(": found")[0] for problem in caught.value.problems]
        assert places == ["1: colour", "2: header", "3: separator", "7: columns.high"]

    def test_unknown_named_mapping(self):
        with pytest.raises(InputError, match="no packaged mapping named 'x'; expected bloomberg_settles"):
            named_mapping("x")

    def test_missing_mapped_column(self, write, instruments):
        with pytest.raises(InputError, match=r"row 1: column 'settle' \(close\) is missing"):
            read_contracts([write("a.csv", "date,contract,last_trade,volume,oi\n1,2,3,4,5\n")], "HG",
                           instruments=instruments, mapping=named_mapping("bloomberg_settles"))  # fmt: skip


def test_sets_of_different_vendors_are_refused(write, instruments):
    plain = write("a.csv", CONTRACTS + "2025-01-06,ESH25,1,1,1,1,1,1\n")
    bloomberg = write("b.csv", "date,contract,last_trade,settle,volume,oi\n2025-01-06,ESM25 Comdty,2025-06-20,1,1,1\n")
    with pytest.raises(InputError, match="files of different vendor cannot be read as one set; found bloomberg"):
        read_contracts([plain, bloomberg], "ES", instruments=instruments)


def test_norgate_without_delivery_month_and_for_equities(write, instruments):
    future = "Date,Open,High,Low,Close,Volume,Open Interest\n2025-01-06,1,1,1,1,5,6\n"
    series = read_series(write("NG_ES_1D_x.csv", future), symbol="ES", instruments=instruments)
    assert series.frame.row(0)[5:8] == (5, 6, None)
    equity = "Date,Open,High,Low,Close,Volume,Turnover,Unadjusted Close,Dividend\n2025-01-06,1,1,1,1,5,5,1,0\n"
    series = read_series(write("NG_AAPL_1D_x.csv", equity), symbol="AAPL", instruments=instruments)
    assert (series.meta.vendor, series.frame.height, series.meta.adjustment_basis) == ("norgate", 1, None)


def test_definitions_are_no_series(shared, instruments):
    path = shared / "databento" / "GLBX.MDP3" / "test_data.definition.dbn.zst"
    with pytest.raises(InputError, match="no daily bars"):
        read_series(path, symbol="ES", instruments=instruments)


def test_an_empty_folder_and_a_missing_one(tmp_path, instruments):
    with pytest.raises(InputError, match="no data files in the folder"):
        read_contracts([tmp_path], "ES", instruments=instruments)
    with pytest.raises(InputError, match="cannot be read"):
        read_contracts([tmp_path / "missing"], "ES", instruments=instruments)
    with pytest.raises(InputError, match="no data files; expected at least one"):
        read_contracts([], "ES", instruments=instruments)


def test_single_quotation_marks_enclose_cells_too(write, instruments):
    text = "".join(",".join(f"'{cell}'" for cell in row.split(",")) + "\n" for row in (SERIES + GOOD).split())
    series = read_series(write("a.csv", text), symbol="ES", instruments=instruments)
    assert series.frame.equals(read_series(write("b.csv", SERIES + GOOD), symbol="ES", instruments=instruments).frame)
