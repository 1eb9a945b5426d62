"""Intraday bars put together by the exchange's trade date. Expected values are worked by hand."""

from __future__ import annotations

from datetime import date

import databento_dbn as dbn
import pytest
from ingest_dbn_records import as_csv, document, nanos

from ctl import ingest
from ctl.errors import InputError, UsageError
from ctl.ingest import source
from ctl.ingest.vendors.databento import session_bars
from ctl.ingest.vendors.databento.dbn import prices_of

G = 1_000_000_000
ALWAYS = (date(2000, 1, 1), date(2030, 1, 1))
RTYPE = {"ohlcv-1h": 34, "ohlcv-1m": 33}


def bars(schema, start, end, intervals, mappings=(("ESZ4", *ALWAYS, 7),)):
    """intervals: (UTC time, instrument, open, high, low, close, volume), prices in whole units."""
    records = [
        dbn.OHLCVMsg(RTYPE[schema], 1, ident, nanos(time), *(price * G for price in prices), volume)
        for time, ident, *prices, volume in intervals
    ]
    return document(schema, start, end, list(mappings), records)


def rows(found):
    return found.frame.select("session", "open", "high", "low", "close", "volume").rows()


def read(paths, instruments, calendar="CMES", **more):
    return ingest.read_session_bars(paths, "ES", calendar=calendar, instruments=instruments, **more)


# Chicago opens at 17:00: 23:00 UTC in winter, 22:00 in summer. Clocks went forward on Sunday 2024-03-10 and back on
# Sunday 2024-11-03, so that each Sunday already opens by the new time and the Friday before it traded by the old one.
SPRING = [
    ("2024-03-07 23:00", 10, 15, 9, 14, 1, date(2024, 3, 8)),
    ("2024-03-08 21:00", 14, 16, 13, 13, 2, date(2024, 3, 8)),
    ("2024-03-10 22:00", 20, 25, 19, 24, 3, date(2024, 3, 11)),
    ("2024-03-11 20:00", 24, 24, 18, 21, 4, date(2024, 3, 11)),
    ("2024-03-11 22:00", 30, 31, 29, 30, 5, date(2024, 3, 12)),
    ("2024-03-12 20:00", 30, 33, 30, 32, 6, date(2024, 3, 12)),
]
AUTUMN = [
    ("2024-10-31 22:00", 10, 15, 9, 14, 1, date(2024, 11, 1)),
    ("2024-11-01 20:00", 14, 16, 13, 13, 2, date(2024, 11, 1)),
    ("2024-11-03 23:00", 20, 25, 19, 24, 3, date(2024, 11, 4)),
    ("2024-11-04 22:00", 24, 24, 18, 21, 4, date(2024, 11, 4)),
    ("2024-11-04 23:00", 30, 31, 29, 30, 5, date(2024, 11, 5)),
    ("2024-11-05 22:00", 30, 33, 30, 32, 6, date(2024, 11, 5)),
]


@pytest.mark.parametrize(
    ("hours", "start", "end"),
    [(SPRING, "2024-03-07 00:00", "2024-03-13 00:00"), (AUTUMN, "2024-10-31 00:00", "2024-11-06 00:00")],
)
def test_a_session_opens_at_five_in_chicago_on_both_sides_of_a_change_of_clocks(write, instruments, hours, start, end):
    data = bars("ohlcv-1h", start, end, [(time, 7, *values) for time, *values, _ in hours])
    found = read([write("h.dbn", data)], instruments)
    days = [day for *_, day in hours[::2]]
    assert rows(found) == [
        (days[0], 10.0, 16.0, 9.0, 13.0, 3),
        (days[1], 20.0, 25.0, 18.0, 21.0, 7),
        (days[2], 30.0, 33.0, 29.0, 32.0, 11),
    ]
    assert (found.meta.session_basis, found.meta.close_basis) == ("exchange_session", "last_trade")
    assert found.frame["contract"].unique().to_list() == ["ESZ24"]


def test_minutes_on_either_side_of_the_close_belong_to_two_sessions(write, instruments):
    data = bars(
        "ohlcv-1m", "2024-11-04 00:00", "2024-11-06 00:00",
        [("2024-11-04 22:59", 7, 1, 2, 1, 2, 10), ("2024-11-04 23:00", 7, 3, 4, 3, 4, 20)],
    )  # fmt: skip
    assert rows(read([write("m.dbn", data)], instruments)) == [
        (date(2024, 11, 4), 1.0, 2.0, 1.0, 2.0, 10),
        (date(2024, 11, 5), 3.0, 4.0, 3.0, 4.0, 20),
    ]


@pytest.mark.parametrize("pretty", [True, False])
def test_the_vendors_csv_says_the_same(write, tmp_path, instruments, pretty):
    """A CSV does not say up to where it reaches: its last session counts where its last interval ends it."""
    hours = [(time, 7, *values) for time, *values, _ in [*AUTUMN, ("2024-11-06 23:00", 1, 1, 1, 1, 1, None)]]
    data = bars("ohlcv-1h", "2024-10-31 00:00", "2024-11-07 00:00", hours)
    path = as_csv(data, tmp_path / "ESZ4.csv", pretty=pretty)
    found, known = read([path], instruments), read([write("h.dbn", data)], instruments)
    assert len(rows(found)) == 3
    assert found.frame.equals(known.frame)
    assert found.meta.counts == known.meta.counts == {"unfinished_sessions_dropped": 1}
    text = path.read_text()
    moved = text.replace("2024-10-31T22:00", "2024-10-31T22:10").replace("1730412000", "1730412600")
    with pytest.raises(InputError, match="row 2, column 'ts_event': not the start of an interval"):
        read([write("ESZ4b.csv", moved)], instruments)
    with pytest.raises(InputError, match="found rtype 35; expected ohlcv-1h or ohlcv-1m"):
        read([write("ESZ4c.csv", text.replace(",34,", ",35,"))], instruments)
    with pytest.raises(InputError, match="row 3, column 'rtype': records of two schemas"):
        read(
            [write("ESZ4d.csv", ",33,".join([text[: text.index(",34,")], text[text.index(",34,") + 4 :]]))], instruments
        )


def test_a_session_that_the_files_do_not_finish_is_left_out(write, instruments):
    """Two files of a UTC day each: Tuesday's session lies in both, Wednesday's begins in the second and never ends."""
    one = bars("ohlcv-1h", "2024-03-12 00:00", "2024-03-13 00:00", [
        ("2024-03-12 14:00", 7, 10, 12, 9, 11, 1), ("2024-03-12 23:00", 7, 20, 22, 19, 21, 2)])  # fmt: skip
    two = bars("ohlcv-1h", "2024-03-13 00:00", "2024-03-14 00:00", [
        ("2024-03-13 01:00", 7, 21, 23, 20, 20, 4), ("2024-03-13 22:00", 7, 50, 50, 50, 50, 8)])  # fmt: skip
    found = read([write("b.dbn", two), write("a.dbn", one)], instruments)
    assert rows(found) == [
        (date(2024, 3, 12), 10.0, 12.0, 9.0, 11.0, 1),
        (date(2024, 3, 13), 20.0, 23.0, 19.0, 20.0, 6),
    ]
    assert found.meta.counts == {"unfinished_sessions_dropped": 1}
    assert [source.name for source in found.meta.sources] == ["b.dbn", "a.dbn"]
    alone = bars("ohlcv-1h", "2024-03-13 00:00", "2024-03-14 00:00", [("2024-03-13 22:00", 7, 50, 50, 50, 50, 8)])
    with pytest.raises(InputError, match=r"no finished session.*data end at 2024-03-14 00:00 UTC"):
        read([write("c.dbn", alone)], instruments)


def test_an_instrument_id_is_another_contract_on_another_day(write, instruments):
    mappings = [("ESH4", ALWAYS[0], date(2024, 3, 12), 7), ("ESM4", date(2024, 3, 12), ALWAYS[1], 7)]
    hours = [("2024-03-11 14:00", 7, 1, 1, 1, 1, 1), ("2024-03-12 14:00", 7, 2, 2, 2, 2, 2)]
    data = bars("ohlcv-1h", "2024-03-11 00:00", "2024-03-13 00:00", hours, mappings)
    found = read([write("h.dbn", data)], instruments)
    assert found.frame.select("session", "contract").rows() == [
        (date(2024, 3, 11), "ESH24"), (date(2024, 3, 12), "ESM24"),
    ]  # fmt: skip


def test_what_cannot_be_one_set_is_refused(write, instruments):
    span = ("2024-03-12 00:00", "2024-03-13 00:00")
    hour = ("2024-03-12 14:00", 7, 1, 1, 1, 1, 1)
    hours = write("h.dbn", bars("ohlcv-1h", *span, [hour]))
    with pytest.raises(InputError, match="two bars of ESZ4 at 2024-03-12T14:00"):
        read([hours, write("again.dbn", bars("ohlcv-1h", *span, [hour]))], instruments)
    with pytest.raises(InputError, match="different schemas"):
        read([hours, write("m.dbn", bars("ohlcv-1m", *span, [("2024-03-12 15:00", 7, 1, 1, 1, 1, 1)]))], instruments)
    with pytest.raises(InputError, match="does not start its interval"):
        read([write("x.dbn", bars("ohlcv-1h", *span, [("2024-03-12 14:30", 7, 1, 1, 1, 1, 1)]))], instruments)
    with pytest.raises(InputError, match="outside the period"):
        read([write("x.dbn", bars("ohlcv-1h", *span, [("2024-03-13 00:00", 7, 1, 1, 1, 1, 1)]))], instruments)
    with pytest.raises(UsageError, match="calendar"):
        read([hours], instruments, calendar="none")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        # Four hours and four minutes from 2020-12-28 00:00 UTC: first open, extremes, last close, summed volumes.
        ("ohlcv-1h", (date(2020, 12, 28), 3702.75, 3719.75, 3697.25, 3717.75, 11_891 + 14_364 + 10_784 + 8_651)),
        ("ohlcv-1m", (date(2020, 12, 28), 3702.75, 3705.0, 3702.5, 3703.0, 306 + 214 + 192 + 158)),
    ],
)
def test_genuine_intraday_bars(shared, instruments, schema, expected):
    """They end at their limit, four intervals after midnight: what they hold is read, no session of it is finished."""
    path = shared / "databento" / "GLBX.MDP3" / f"test_data.{schema}.dbn.zst"
    found = session_bars.read_dbn(source.load(path), None)
    units = {name: prices_of(values) for name, values in found.prices.items()}
    assert found.symbols == ("ESH1",)
    assert (
        units["open"][0], units["high"].max(), units["low"].min(), units["close"][-1], found.volume.sum()
    ) == expected[1:]  # fmt: skip
    with pytest.raises(InputError, match=r"no finished session.*limit of 4 records.*2020-12-28 left out"):
        read([path], instruments)
