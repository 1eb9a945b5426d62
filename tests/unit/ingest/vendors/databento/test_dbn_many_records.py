"""DBN files of many records: what is said of one record is said of its place in the file."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import zstandard
from ingest_dbn_writer import dbn_bytes

from ctl.errors import InputError
from ctl.ingest import read_contracts, read_series, source

G = 1_000_000_000
FRI, SAT, SUN, MON = date(2024, 1, 5), date(2024, 1, 6), date(2024, 1, 7), date(2024, 1, 8)
ALL = (date(2000, 1, 1), date(2030, 1, 1))
SYMBOLS = [("ESH4", *ALL, 7), ("ESM4", *ALL, 8), ("ESH4-ESM4", *ALL, 9)]
RECORD = 56


def bar(day, ident, close=100 * G, volume=5, publisher=1):
    return (day, ident, close - G, close + G, close - 2 * G, close, volume, publisher)


DAYS = [bar(day, ident, (100 + ident) * G) for day in (FRI, MON) for ident in (7, 8, 9)]


def damaged(data: bytes, record: int, offset: int, value: bytes) -> bytes:
    at = len(data) - len(DAYS) * RECORD + (record - 1) * RECORD + offset
    return data[:at] + value + data[at + len(value) :]


class TestManyRecords:
    def test_bars_of_all_records(self, write, instruments):
        bars = read_contracts([write("x.dbn", dbn_bytes(DAYS, SYMBOLS))], None, instruments=instruments)
        assert bars.frame.select("session", "contract", "close").rows() == [
            (FRI, "ESH24", 107.0), (MON, "ESH24", 107.0), (FRI, "ESM24", 108.0), (MON, "ESM24", 108.0),
        ]  # fmt: skip
        assert dict(bars.meta.counts) == {"instruments_dropped": 1, "spreads_dropped": 2}

    @pytest.mark.parametrize(
        ("record", "offset", "value", "message"),
        [
            (5, 1, b"\x22", "record 5: damaged, its rtype is wrong; found 34; expected 35"),
            (5, 8, b"\x01", "record 5: damaged, the bar does not start a UTC day"),
            (6, 8, b"\xff" * 8, "record 6: no ts_event"),
            (6, 8, b"\0" * 8, "record 6: outside the period that the file states"),
            (4, 4, b"\x06", "record 4: instrument 6 has no symbol on 2024-01-08"),
            (6, 48, b"\xff" * 8, "record 6: implausible volume; found 18446744073709551615"),
        ],
    )
    def test_the_record_named_is_the_file_s(self, write, instruments, record, offset, value, message):
        data = damaged(dbn_bytes(DAYS, SYMBOLS), record, offset, value)
        with pytest.raises(InputError, match=message):
            read_contracts([write("x.dbn", data)], None, instruments=instruments)

    def test_of_two_damages_the_length_is_named(self, write, instruments):
        data = damaged(damaged(dbn_bytes(DAYS, SYMBOLS), 1, 48, b"\xff" * 8), 5, 0, b"\x0d")
        with pytest.raises(InputError, match="record 5: damaged, its length is wrong; found 13; expected 14"):
            read_contracts([write("x.dbn", data)], None, instruments=instruments)

    def test_the_source_states_the_extent_of_the_file_with_its_spreads(self, write, instruments):
        records = [bar(FRI, 9), bar(MON, 7), bar(date(2024, 1, 9), 9)]
        bars = read_contracts([write("x.dbn", dbn_bytes(records, SYMBOLS))], None, instruments=instruments)
        (file,) = bars.meta.sources
        assert (file.rows, file.first_session, file.last_session) == (3, FRI, date(2024, 1, 9))
        assert bars.frame.height == 1

    def test_bars_of_another_publisher_are_dropped_before_spreads(self, write, instruments):
        records = [bar(FRI, 9, publisher=2), bar(FRI, 9), bar(MON, 7, publisher=2), bar(MON, 7, 50 * G)]
        path = write("x.dbn", dbn_bytes(records, SYMBOLS))
        bars = read_contracts([path], None, instruments=instruments, publisher=1)
        assert bars.frame["close"].to_list() == [50.0]
        assert dict(bars.meta.counts) == {
            "instruments_dropped": 1, "other_publishers_dropped": 2, "spreads_dropped": 1,
        }  # fmt: skip
        assert bars.meta.sources[0].rows == 2

    def test_a_bar_twice_is_named_by_its_rows_in_the_file(self, write, instruments):
        records = [bar(FRI, 9), bar(MON, 7), bar(MON, 9), bar(MON, 7)]
        with pytest.raises(
            InputError, match=r"x\.dbn row 4: two bars of ESH24 on 2024-01-08; found the first at .*row 2"
        ):
            read_contracts([write("x.dbn", dbn_bytes(records, SYMBOLS))], None, instruments=instruments)

    def test_a_series_names_the_row_of_the_file(self, write, instruments):
        nothing = 2**63 - 1
        records = [bar(FRI, 8), bar(FRI, 7), bar(MON, 8), (MON, 7, G, G, G, nothing, 3)]
        with pytest.raises(InputError, match="row 4, column 'close': empty"):
            read_series(write("x.dbn", dbn_bytes(records, SYMBOLS)), symbol="ESH4", instruments=instruments)


def test_saturday_and_sunday_merge_into_monday_of_their_root(write, instruments):
    """NQ trades on Sunday and not on Monday: its session is Tuesday's, whatever ES does."""
    nothing, tue = 2**63 - 1, date(2024, 1, 9)
    symbols = [*SYMBOLS, ("NQH4", *ALL, 10)]
    records = [
        bar(FRI, 7), (SAT, 7, nothing, 104 * G, 99 * G, 101 * G, 2), (SUN, 7, 98 * G, 103 * G, 90 * G, 102 * G, 3),
        (SUN, 10, 7 * G, 7 * G, 7 * G, 7 * G, 1), (MON, 7, 95 * G, 96 * G, 94 * G, nothing, 4), bar(tue, 10),
    ]  # fmt: skip
    bars = read_contracts([write("x.dbn", dbn_bytes(records, symbols))], None, instruments=instruments)
    assert bars.frame.rows() == [
        (FRI, "ESH24", 99.0, 101.0, 98.0, 100.0, 5, None),
        (MON, "ESH24", 98.0, 104.0, 90.0, 102.0, 9, None),
        (tue, "NQH24", 7.0, 101.0, 7.0, 100.0, 6, None),
    ]
    assert bars.meta.counts["weekend_bars_folded"] == 3


def test_the_last_saturday_of_a_root_does_not_fold_into_the_first_session_of_the_next(write, instruments):
    records = [bar(FRI, 10), bar(SAT, 7)]
    bars = read_contracts(
        [write("x.dbn", dbn_bytes(records, [*SYMBOLS, ("NQH4", *ALL, 10)]))], None, instruments=instruments
    )
    assert bars.frame.select("session", "contract").rows() == [(FRI, "NQH24")]
    assert dict(bars.meta.counts) == {"stubs_dropped": 1}


def streamed(data: bytes, checksum: bool = True) -> bytes:
    """One frame of several blocks that does not state its size, as downloads are."""
    engine = zstandard.ZstdCompressor(write_checksum=checksum).compressobj()
    packed = b"".join(engine.compress(data[at : at + 50_000]) for at in range(0, len(data), 50_000)) + engine.flush()
    assert zstandard.frame_content_size(packed) == -1
    return packed


CONTENTS = [
    b"DBN" + np.random.default_rng(1).integers(0, 255, 400_000, dtype=np.uint8).tobytes() + b"\0" * 600_000,
    b"a,b\n" + b"1,2\n" * 200_000,
]


class TestStreamedFrames:
    @pytest.mark.parametrize("content", CONTENTS)
    @pytest.mark.parametrize("checksum", [True, False])
    def test_content_at_once_is_the_content(self, content, checksum):
        assert source._zstd_at_once(memoryview(streamed(content, checksum))) == content

    @pytest.mark.parametrize("content", CONTENTS)
    def test_what_is_no_whole_frame_is_left_to_the_reader_in_pieces(self, write, content):
        packed = streamed(content)
        flipped = packed[:-1] + bytes([packed[-1] ^ 1])
        for wrong, message in ((packed[:-1], "ends early"), (flipped, "damaged zstd data")):
            assert source._zstd_at_once(memoryview(wrong)) is None
            with pytest.raises(InputError, match=message):
                source.load(write("x.zst", wrong))
        for two in (packed + packed, packed + zstandard.ZstdCompressor().compress(content)):
            assert source._zstd_at_once(memoryview(two)) is None
            assert source.load(write("x.zst", two)).data == content * 2

    def test_dbn_of_another_size_than_its_header_states(self, write):
        packed = bytearray(zstandard.ZstdCompressor().compress(b"DBN" + b"\x20" * 299_997))
        assert int.from_bytes(packed[5:9], "little") == 300_000
        for stated in (100, 299_999, 300_001):
            packed[5:9] = stated.to_bytes(4, "little")
            with pytest.raises(InputError, match="damaged zstd data"):
                source.load(write("a.dbn.zst", bytes(packed)))
