"""DBN files: a genuine one, and files written by the vendor's own encoder."""

from __future__ import annotations

from datetime import date

import databento_dbn
import pytest
import zstandard
from ingest_dbn_writer import dbn_bytes

from ctl.errors import InputError
from ctl.ingest import read_contracts, read_series

G = 1_000_000_000
MON, TUE, WED = date(2024, 1, 8), date(2024, 1, 9), date(2024, 1, 10)
ALL = (date(2000, 1, 1), date(2030, 1, 1))


def bar(day, ident, close=100 * G, volume=5, publisher=1):
    return (day, ident, close - G, close + G, close - 2 * G, close, volume, publisher)


def test_genuine_bar_and_definition(shared, instruments):
    folder = shared / "databento" / "GLBX.MDP3"
    bars = read_contracts(
        [folder / "test_data.ohlcv-1d.dbn.zst", folder / "test_data.definition.dbn.zst"], "ES", instruments=instruments
    )
    assert bars.frame.rows() == [(date(2020, 12, 28), "ESH21", 3702.75, 3735.0, 3697.25, 3735.0, 718_174, None)]
    assert (bars.meta.vendor, bars.meta.session_basis, bars.meta.close_basis) == ("databento", "utc_day", "last_trade")
    terms = bars.terms["ESH21"]
    assert (terms.last_trade, terms.tick, terms.currency, terms.asset) == (date(2021, 3, 19), 0.25, "USD", "ES")
    assert bars.meta.sources[0].sha256 == "b3b9c2a3f3293d2838b39b6c11ba70d09250c83d4c85a1dcfffb484ff41d12c5"
    assert bars.meta.sources[0].size == 146


@pytest.mark.parametrize("schema", ["ohlcv-1h", "ohlcv-1m", "ohlcv-1s", "statistics"])
def test_other_schemas_are_refused_by_name(shared, instruments, schema):
    path = shared / "databento" / "GLBX.MDP3" / f"test_data.{schema}.dbn.zst"
    with pytest.raises(InputError, match=f"found {schema}; expected ohlcv-1d"):
        read_contracts([path], "ES", instruments=instruments)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_symbols_follow_the_dated_mappings(write, instruments, version):
    """Instrument 7 is one contract on Monday and another from Tuesday on; 8 takes over the first."""
    mappings = [("ESH4", MON, TUE, 7), ("ESH4", TUE, date(2024, 2, 1), 8), ("ESM4", TUE, date(2024, 2, 1), 7)]
    data = dbn_bytes(
        [bar(MON, 7, 10 * G), bar(TUE, 7, 20 * G), bar(TUE, 8, 30 * G), bar(WED, 8, 40 * G)], mappings, version=version
    )
    bars = read_contracts([write("ES.dbn", data)], "ES", instruments=instruments)
    found = [(row["session"], row["contract"], row["close"]) for row in bars.frame.iter_rows(named=True)]
    assert found == [(MON, "ESH24", 10.0), (TUE, "ESH24", 30.0), (WED, "ESH24", 40.0), (TUE, "ESM24", 20.0)]


def test_far_apart_instrument_ids_are_found_by_bisection(write, instruments):
    mappings = [("ESH4", *ALL, 5), ("ESM4", *ALL, 4_000_000_000)]
    data = dbn_bytes([bar(MON, 4_000_000_000, 20 * G), bar(MON, 5, 10 * G)], mappings)
    bars = read_contracts([write("x.dbn", data)], None, instruments=instruments)
    assert bars.frame["contract"].to_list() == ["ESH24", "ESM24"]
    assert bars.frame["close"].to_list() == [10.0, 20.0]


def test_mappings_from_instrument_id_to_symbol(write, instruments):
    from types import SimpleNamespace

    import databento_dbn as dbn

    metadata = dbn.Metadata(
        "GLBX.MDP3", 0, dbn.SType("instrument_id"), dbn.SType("raw_symbol"), dbn.Schema.OHLCV_1D, symbols=["7"],
        partial=[], not_found=[], limit=None, ts_out=False, version=3, end=2**63,
        mappings=[SimpleNamespace(raw_symbol="7", intervals=[
            SimpleNamespace(start_date=ALL[0], end_date=ALL[1], symbol="ESH4")])],
    )  # fmt: skip
    body = dbn_bytes([bar(MON, 7)], [("X", *ALL, 7)])[-56:]
    bars = read_contracts([write("x.dbn", bytes(metadata) + body)], None, instruments=instruments)
    assert bars.frame["contract"].to_list() == ["ESH24"]


def test_spreads_options_and_user_defined_are_dropped_and_counted(write, instruments):
    symbols = ["ESH4", "ESH4-ESM4", "ESH4 C4000", "UD:1V: GN 2342", "ES:BF H4-M4-U4"]
    mappings = [(symbol, *ALL, at) for at, symbol in enumerate(symbols, start=1)]
    data = dbn_bytes([bar(day, at) for day in (MON, TUE) for at in range(1, 6)], mappings)
    bars = read_contracts([write("es.fut.dbn", data)], "ES", instruments=instruments)
    assert bars.frame["contract"].unique().to_list() == ["ESH24"]
    assert dict(bars.meta.counts) == {
        "instruments_dropped": 4, "options_dropped": 2, "spreads_dropped": 4, "user_defined_dropped": 2,
    }  # fmt: skip


def test_largest_int64_is_a_null_price(write, instruments):
    nothing = 2**63 - 1
    data = dbn_bytes([(MON, 7, nothing, nothing, nothing, 5 * G, 3)], [("ESH4", *ALL, 7)])
    bars = read_contracts([write("x.dbn", data)], "ES", instruments=instruments)
    assert bars.frame.row(0)[2:6] == (None, None, None, 5.0)


def test_series_of_one_symbol_and_publisher(write, instruments):
    mappings = [("VOO", *ALL, 1), ("SPY", *ALL, 2)]
    path = write("eq.dbn", dbn_bytes([bar(MON, 1), bar(MON, 2), bar(TUE, 1, 7 * G, publisher=2)], mappings))
    series = read_series(path, symbol="VOO", instruments=instruments)
    assert series.frame["close"].to_list() == [100.0, 7.0]
    assert dict(series.meta.counts) == {"other_symbols_dropped": 1}
    with pytest.raises(InputError, match="no bars of QQQ; found SPY, VOO"):
        read_series(path, symbol="QQQ", instruments=instruments)


def test_two_publishers_of_one_bar_need_a_choice(write, instruments):
    data = dbn_bytes([bar(MON, 7, 10 * G, publisher=1), bar(MON, 7, 20 * G, publisher=2)], [("ESH4", *ALL, 7)])
    path = write("x.dbn", data)
    with pytest.raises(InputError, match="several publishers for ESH4 on 2024-01-08; found publishers 1, 2"):
        read_contracts([path], "ES", instruments=instruments)
    bars = read_contracts([path], "ES", instruments=instruments, publisher=2)
    assert bars.frame["close"].to_list() == [20.0]
    assert bars.meta.counts["other_publishers_dropped"] == 1
    with pytest.raises(InputError, match="no bars of publisher 9; found publishers 1, 2"):
        read_contracts([path], "ES", instruments=instruments, publisher=9)


GOOD = [bar(MON, 7), bar(TUE, 7)]
MAPPED = [("ESH4", *ALL, 7)]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "bytes after the last record"),
        (lambda data: data + b"garbage", "bytes after the last record"),
        (lambda data: data + b"\0" * 56, "record 3: damaged, its length is wrong; found 0; expected 14"),
        (
            lambda data: data[:-55] + b"\x22" + data[-54:],
            "record 2: damaged, its rtype is wrong; found 34; expected 35",
        ),
        (lambda data: data[:-48] + b"\x01" + data[-47:], "record 2: damaged, the bar does not start a UTC day"),
        (lambda data: data[:100], "truncated DBN: the metadata are incomplete"),
        (lambda data: data[:6], "truncated DBN"),
        (lambda data: b"DBN\x09" + data[4:], "another DBN version; found 9"),
        (lambda data: data[:8] + b"\xff" * 200 + data[208:], "damaged content"),
    ],
)
def test_damage_is_one_clear_error(write, instruments, damage, message):
    with pytest.raises(InputError, match=message) as caught:
        read_contracts([write("bad.dbn", damage(dbn_bytes(GOOD, MAPPED)))], "ES", instruments=instruments)
    assert "bad.dbn" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("where", [20, -20])
def test_flipped_bit_in_a_compressed_file(write, instruments, where):
    data = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(dbn_bytes(GOOD, MAPPED)))
    data[where] ^= 0x10
    with pytest.raises(InputError, match=r"bad\.dbn\.zst"):
        read_contracts([write("bad.dbn.zst", bytes(data))], "ES", instruments=instruments)


def test_truncated_compressed_file(write, instruments):
    data = zstandard.ZstdCompressor(write_checksum=True).compress(dbn_bytes(GOOD, MAPPED))
    with pytest.raises(InputError, match="ends early"):
        read_contracts([write("bad.dbn.zst", data[:-8])], "ES", instruments=instruments)


def test_record_outside_the_stated_period(write, instruments):
    data = dbn_bytes([bar(MON, 7)], MAPPED, start=TUE, end=WED)
    with pytest.raises(InputError, match="outside the period that the file states"):
        read_contracts([write("x.dbn", data)], "ES", instruments=instruments)


def test_instrument_without_a_mapping_on_its_day(write, instruments):
    data = dbn_bytes([bar(MON, 7), bar(TUE, 7)], [("ESH4", MON, TUE, 7)])
    with pytest.raises(InputError, match="record 2: instrument 7 has no symbol on 2024-01-09"):
        read_contracts([write("x.dbn", data)], "ES", instruments=instruments)


def test_instrument_with_two_symbols_on_a_day(write, instruments):
    data = dbn_bytes([bar(MON, 7)], [("ESH4", *ALL, 7), ("ESM4", MON, TUE, 7)])
    with pytest.raises(InputError, match="instrument 7 is mapped twice on 2024-01-08"):
        read_contracts([write("x.dbn", data)], "ES", instruments=instruments)


def test_continuous_symbols_are_no_contracts(write, instruments):
    data = dbn_bytes([bar(MON, 7)], [("ES.c.0", *ALL, 7)], stype_in="continuous")
    with pytest.raises(InputError, match=r"no bars of an outright contract; found ES\.c\.0"):
        read_contracts([write("x.dbn", data)], "ES", instruments=instruments)


def test_definitions_alone_are_no_bars(shared, instruments):
    path = shared / "databento" / "GLBX.MDP3" / "test_data.definition.dbn.zst"
    with pytest.raises(InputError, match="no daily bars"):
        read_contracts([path], "ES", instruments=instruments)


def test_definition_layouts_cover_every_version():
    for message in (databento_dbn.InstrumentDefMsgV1, databento_dbn.InstrumentDefMsgV2, databento_dbn.InstrumentDefMsg):
        names = {name for name, _ in message._dtypes}
        assert {"raw_symbol", "expiration", "min_price_increment", "currency", "asset", "maturity_year"} <= names


def test_what_the_vendor_says_is_lacking_is_noted(write, instruments):
    """The last day of a download that its limit cut is not a day."""
    data = dbn_bytes(
        [bar(date(2024, 1, 5), 7), bar(MON, 7)], [("ESH4", *ALL, 7)], limit=2, not_found=["ESX4"], partial=["ESH4"]
    )
    bars = read_contracts([write("x.dbn", data)], "ES", instruments=instruments)
    assert bars.meta.notes[:3] == (
        "x.dbn: the download ended at its limit of 2 records",
        "x.dbn: symbols not found: ESX4",
        "x.dbn: symbols found on some days only: ESH4",
    )
    assert bars.meta.notes[3].startswith("UNFINISHED_SESSION: x.dbn: 2024-01-08 left out")
    assert bars.frame["session"].to_list() == [date(2024, 1, 5)]
    assert dict(bars.meta.counts) == {"unfinished_sessions_dropped": 1}
    assert bars.meta.sources[0].rows == 2  # what the file holds
