"""Settlements from `statistics` records, and bars that close at them. Expected values are worked by hand."""

from __future__ import annotations

from datetime import date

import databento_dbn as dbn
import pytest
from ingest_dbn_records import as_csv, document, nanos
from ingest_dbn_writer import dbn_bytes

from ctl import ingest
from ctl.errors import DataError, InputError

G = 1_000_000_000
ALWAYS = (date(2000, 1, 1), date(2030, 1, 1))
MON, TUE, WED = date(2024, 1, 8), date(2024, 1, 9), date(2024, 1, 10)
DELETE = dbn.StatUpdateAction.DELETE
UNDEFINED = 2**64 - 1


def stat(
    ident, session, price, published, *, kind=dbn.StatType.SETTLEMENT_PRICE, message=dbn.StatMsg, publisher=1, **more
):
    """A statistic of 1e-9 units; session None: no ts_ref."""
    reference = UNDEFINED if session is None else nanos(f"{session} 00:00")
    received = nanos(published)
    return message(publisher, ident, received - 1_000, received, reference, price, 2**31 - 1, kind, **more)


def statistics(records, mappings=(("ESH4", *ALWAYS, 7),), *, version=3):
    return document("statistics", "2024-01-01 00:00", "2024-02-01 00:00", list(mappings), records, version=version)


def rows(bars):
    return bars.frame.select("session", "contract", "close").rows()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_latest_publication_wins_in_whatever_order_and_file_it_stands(write, instruments, version):
    message = dbn.StatMsg if version == 3 else dbn.StatMsgV1
    late = statistics(
        [
            stat(7, MON, 101 * G, "2024-01-08 22:00", message=message),
            stat(7, MON, 100 * G, "2024-01-08 20:00", message=message),
            stat(7, TUE, 103 * G, "2024-01-09 22:00", message=message),
        ],
        version=version,
    )
    early = statistics([stat(7, TUE, 102 * G, "2024-01-09 20:00", message=message)], version=version)
    # The file that comes first by name holds the later publication.
    paths = [write("a.dbn", late), write("b.dbn", early)]
    bars = ingest.read_settlements(paths, "ES", instruments=instruments)
    assert rows(bars) == [(MON, "ESH24", 101.0), (TUE, "ESH24", 103.0)]
    assert bars.meta.counts == {"settlements_superseded": 2}
    assert (bars.meta.session_basis, bars.meta.close_basis) == ("exchange_session", "settlement")
    assert [(source.name, source.rows) for source in bars.meta.sources] == [("a.dbn", 3), ("b.dbn", 1)]


def test_an_instrument_id_is_another_contract_on_another_day(write, instruments):
    """Instrument 7 is March until Monday and June from Tuesday; Monday's final comes on Tuesday, from 8."""
    mappings = [("ESH4", ALWAYS[0], TUE, 7), ("ESH4", TUE, ALWAYS[1], 8), ("ESM4", TUE, ALWAYS[1], 7)]
    records = [
        stat(7, MON, 100 * G, "2024-01-08 20:00"),
        stat(8, MON, 101 * G, "2024-01-09 03:00"),
        stat(7, TUE, 200 * G, "2024-01-09 20:00"),
    ]
    bars = ingest.read_settlements([write("s.dbn", statistics(records, mappings))], "ES", instruments=instruments)
    assert rows(bars) == [(MON, "ESH24", 101.0), (TUE, "ESM24", 200.0)]


def test_what_is_no_settlement_of_a_session_is_counted(write, instruments):
    records = [
        stat(7, MON, 100 * G, "2024-01-08 20:00"),
        stat(7, MON, 555 * G, "2024-01-08 23:00", kind=dbn.StatType.OPENING_PRICE),
        stat(7, None, 777 * G, "2024-01-08 23:00"),
        stat(7, TUE, 300 * G, "2024-01-09 20:00"),
        stat(7, TUE, 300 * G, "2024-01-09 21:00", update_action=DELETE),
        stat(7, WED, 2**63 - 1, "2024-01-10 21:00"),
    ]
    bars = ingest.read_settlements([write("s.dbn", statistics(records))], "ES", instruments=instruments)
    assert rows(bars) == [(MON, "ESH24", 100.0)]
    assert bars.meta.counts == {
        "other_statistics_ignored": 1,
        "settlements_superseded": 1,
        "settlements_withdrawn": 2,
        "settlements_without_session": 1,
    }


@pytest.mark.parametrize("pretty", [True, False])
def test_the_vendors_csv_says_the_same(write, tmp_path, instruments, pretty):
    data = statistics(
        [
            stat(7, MON, 4_500 * G, "2024-01-08 20:00"),
            stat(7, MON, 4_501 * G, "2024-01-08 22:00"),
            stat(7, MON, 4_555 * G, "2024-01-08 23:00", kind=dbn.StatType.OPENING_PRICE),
            stat(7, None, 4_777 * G, "2024-01-08 23:00"),
            stat(7, TUE, 4_600 * G, "2024-01-09 20:00"),
            stat(7, TUE, 4_600 * G, "2024-01-09 21:00", update_action=DELETE),
            stat(7, WED, 2**63 - 1, "2024-01-10 21:00"),
        ]
    )
    # Without its column the symbol is the file's name.
    path = as_csv(data, tmp_path / "ESH4.csv", pretty=pretty)
    bars = ingest.read_settlements([path], "ES", instruments=instruments)
    known = ingest.read_settlements([write("s.dbn", data)], "ES", instruments=instruments)
    assert rows(bars) == [(MON, "ESH24", 4501.0)]
    assert bars.frame.equals(known.frame)
    assert bars.meta.counts == known.meta.counts
    text = path.read_text()
    damaged = text.replace("2024-01-08T00:00:00.0", "2024-01-08 noon").replace(",17046720", ",x7046720")
    with pytest.raises(InputError, match="column 'ts_ref': not an instant"):
        ingest.read_settlements([write("ESH4b.csv", damaged)], "ES", instruments=instruments)
    with pytest.raises(InputError, match="column 'stat_type' is missing"):
        ingest.read_settlements([write("ESH4c.csv", text.replace("stat_type", "kind"))], "ES", instruments=instruments)


def test_one_publisher_is_chosen_or_the_file_refused(write, instruments):
    path = write(
        "s.dbn",
        statistics([stat(7, MON, 100 * G, "2024-01-08 20:00"), stat(7, MON, 90 * G, "2024-01-08 21:00", publisher=2)]),
    )
    with pytest.raises(InputError, match="several publishers"):
        ingest.read_settlements([path], "ES", instruments=instruments)
    bars = ingest.read_settlements([path], "ES", instruments=instruments, publisher=1)
    assert rows(bars) == [(MON, "ESH24", 100.0)]
    assert bars.meta.counts["other_publishers_dropped"] == 1
    with pytest.raises(InputError, match="no records of publisher 3"):
        ingest.read_settlements([path], "ES", instruments=instruments, publisher=3)


def test_a_folder_of_other_schemas_or_formats_is_refused(write, tmp_path, instruments):
    path = write("bars.dbn", dbn_bytes([(MON, 7, G, G, G, G, 1)], [("ESH4", *ALWAYS, 7)]))
    with pytest.raises(InputError, match="found ohlcv-1d; expected statistics"):
        ingest.read_settlements([path], "ES", instruments=instruments)
    with pytest.raises(InputError, match="no statistics files"):
        ingest.read_settlements([tmp_path], "ES", instruments=instruments)
    with pytest.raises(InputError, match="no Databento file"):
        ingest.read_settlements([write("s.csv", "a,b\n1,2\n")], "ES", instruments=instruments)


def test_genuine_statistics_without_a_settlement_are_refused(shared, instruments):
    """The vendor's sample: four records of ESH1, session highs and lows of 2020-12-28, none of them a settlement."""
    path = shared / "databento" / "GLBX.MDP3" / "test_data.statistics.dbn.zst"
    with pytest.raises(InputError, match="no settlements; expected stat_type 3"):
        ingest.read_settlements([path], "ES", instruments=instruments)


def test_bars_close_at_the_settlement_where_there_is_one(write, instruments):
    """Monday settles inside its bar, Tuesday has none, Wednesday settles above its high; Thursday has no bar."""
    day = {MON: 100, TUE: 110, WED: 120}
    bars = ingest.read_contracts(
        [write("d.dbn", dbn_bytes([(d, 7, c * G, (c + 1) * G, (c - 2) * G, c * G, 9) for d, c in day.items()],
                                  [("ESH4", *ALWAYS, 7)]))],
        "ES", instruments=instruments,
    )  # fmt: skip
    settlements = ingest.read_settlements(
        [write("s.dbn", statistics([stat(7, MON, 99 * G, "2024-01-08 20:00"), stat(7, WED, 125 * G, "2024-01-10 20:00"),
                                    stat(7, date(2024, 1, 11), 130 * G, "2024-01-11 20:00")]))],
        "ES", instruments=instruments,
    )  # fmt: skip
    made = ingest.settled(bars, settlements)
    assert made.frame.select("session", "open", "high", "low", "close", "volume").rows() == [
        (MON, 100.0, 101.0, 98.0, 99.0, 9),
        (TUE, 110.0, 111.0, 108.0, 110.0, 9),
        (WED, 120.0, 121.0, 118.0, 125.0, 9),
    ]
    assert made.meta.counts == {
        "closes_at_settlement": 2,
        "closes_kept_at_last_trade": 1,
        "settlements_outside_range": 1,
        "settlements_without_bar": 1,
    }
    assert (made.meta.session_basis, made.meta.close_basis) == ("utc_day", "settlement")
    assert [source.name for source in made.meta.sources] == ["d.dbn", "s.dbn"]
    other = ingest.read_settlements(
        [write("p.dbn", statistics([stat(7, MON, 99 * G, "2024-01-08 20:00")], [("PLF4", *ALWAYS, 7)]))], None,
        instruments=instruments,
    )  # fmt: skip
    with pytest.raises(DataError, match="no bar has a settlement; found PL; expected settlements of ES"):
        ingest.settled(bars, other)


@pytest.mark.parametrize(("settled_on", "lacking"), [(TUE, []), (MON, [TUE])])
def test_a_newest_session_without_a_settlement_is_unfinished(write, instruments, settled_on, lacking):
    bars = [(day, 7, 100 * G, 101 * G, 98 * G, 100 * G, 9) for day in (MON, TUE)]
    daily = ingest.read_contracts(
        [write("d.dbn", dbn_bytes(bars, [("ESH4", *ALWAYS, 7)]))], "ES", instruments=instruments
    )
    stats = statistics([stat(7, settled_on, 99 * G, f"{settled_on} 20:00")])
    made = ingest.settled(daily, ingest.read_settlements([write("s.dbn", stats)], "ES", instruments=instruments))
    assert [each.session for each in made.meta.lacking] == lacking
