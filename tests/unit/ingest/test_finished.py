"""A session counts only when it is finished: for the file, for the command, and with a session behind a weekend's bar.

2025-01-06 is a Monday. CME's E-mini closes at 17:00 in Chicago by the exchange's calendar (CMES), 23:00 UTC in January.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

import pytest
from ingest_dbn_writer import DAY, dbn_bytes, nanoseconds

from ctl import sessions
from ctl.errors import InputError
from ctl.ingest import finished, read_contracts, read_reference, read_series

FRI, SAT, SUN, MON, TUE = (date(2025, 1, day) for day in (3, 4, 5, 6, 7))
ALL = (date(2000, 1, 1), date(2030, 1, 1))
HOUR = 3_600_000_000_000
PLAIN = "session,open,high,low,close,volume\n"
CONTRACTS = "session,contract,open,high,low,close,volume\n"


def bar(day, ident=7, volume=100):
    return (day, ident, 10**9, 3 * 10**9, 10**9, 2 * 10**9, volume)


def dbn(*days, end=None, **more):
    return dbn_bytes([bar(day) for day in days], [("ESH5", *ALL, 7)], end=end, **more)


def plain(*days, volume=100):
    return PLAIN + "".join(f"{day},1,3,1,2,{volume}\n" for day in days)


def at(day, hour, minute=0):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def written(path, instant):
    os.utime(path, (instant.timestamp(), instant.timestamp()))
    return path


def codes(meta):
    return [note.partition(":")[0] for note in meta.notes if note.partition(":")[0].isupper()]


class TestEndOfTheFile:
    @pytest.mark.parametrize(
        ("end", "last", "dropped"),
        [
            (nanoseconds(TUE), MON, 0),
            (nanoseconds(TUE) - 1, FRI, 1),
            (nanoseconds(MON) + 12 * HOUR, FRI, 1),  # the request ended at noon
            (None, MON, 0),
        ],
    )
    def test_a_day_counts_where_the_data_reach_its_end(self, write, instruments, end, last, dropped):
        bars = read_contracts([write("a.dbn", dbn(FRI, MON, end=end))], "ES", instruments=instruments)
        assert bars.frame["session"].max() == last
        assert bars.meta.counts.get("unfinished_sessions_dropped", 0) == dropped
        assert codes(bars.meta) == ["UNFINISHED_SESSION"] * dropped

    def test_each_file_ends_for_itself(self, write, instruments):
        """ESH5's file ends at noon of Monday, ESM5's at midnight."""
        early = write("h.dbn", dbn(FRI, MON, end=nanoseconds(MON) + 12 * HOUR))
        whole = write("m.dbn", dbn_bytes([bar(FRI), bar(MON)], [("ESM5", *ALL, 7)]))
        bars = read_contracts([early, whole], "ES", instruments=instruments)
        assert bars.frame.select("session", "contract").rows() == [(FRI, "ESH25"), (FRI, "ESM25"), (MON, "ESM25")]

    def test_an_evening_whose_monday_is_unfinished_is_a_stub(self, write, instruments):
        """Downloaded on Monday at 05:00 UTC: the Sunday evening is over, its session is not."""
        data = dbn(FRI, SUN, MON, end=nanoseconds(MON) + 5 * HOUR)
        bars = read_contracts([write("a.dbn", data)], "ES", instruments=instruments)
        assert bars.frame["session"].to_list() == [FRI]
        assert dict(bars.meta.counts) == {"unfinished_sessions_dropped": 1, "stubs_dropped": 1}

    def test_a_series_is_held_to_it_as_well(self, write, instruments):
        path = write("a.dbn", dbn_bytes([bar(FRI), bar(MON)], [("AAPL", *ALL, 7)], end=nanoseconds(MON) + HOUR))
        series = read_series(path, symbol="AAPL", instruments=instruments)
        assert series.frame["session"].to_list() == [FRI]
        reference = read_reference(symbol="AAPL", adjusted=path, unadjusted=None, instruments=instruments)
        assert reference.adjusted.frame["session"].to_list() == [FRI]

    def test_nothing_finished_is_refused(self, write, instruments):
        with pytest.raises(InputError, match=r"no finished session; found UNFINISHED_SESSION: a.dbn: 2025-01-06"):
            read_contracts([write("a.dbn", dbn(MON, end=nanoseconds(MON) + 1))], "ES", instruments=instruments)


class TestInstantOfTheCommand:
    @pytest.mark.parametrize(
        ("now", "last"), [(at(TUE, 0), MON), (at(MON, 23, 59), FRI), (at(SAT, 0), FRI), (at(date(2026, 1, 1), 0), MON)]
    )
    def test_a_utc_day_is_over_at_midnight(self, write, instruments, now, last):
        path = write("a.dbn", dbn(FRI, MON, end=date(2026, 1, 1)))
        assert read_contracts([path], "ES", instruments=instruments, now=now).frame["session"].max() == last

    @pytest.mark.parametrize("minutes", [-1, 0])
    def test_a_session_is_over_at_the_products_close(self, write, instruments, minutes):
        import numpy as np

        (close,) = sessions.closes_of("CMES", np.array([MON], dtype="datetime64[D]"))
        now = datetime.fromisoformat(f"{close.astype('datetime64[s]')}+00:00") + timedelta(minutes=minutes)
        text = CONTRACTS + "2025-01-03,ESH25,1,3,1,2,9\n2025-01-06,ESH25,1,3,1,2,9\n"
        bars = read_contracts([write("a.csv", text)], "ES", instruments=instruments, calendar="CMES", now=now)
        assert bars.frame["session"].max() == (FRI if minutes < 0 else MON)
        series = read_series(
            write("b.csv", plain(FRI, MON)), symbol="ES", instruments=instruments, calendar="CMES", now=now
        )
        assert series.frame["session"].max() == (FRI if minutes < 0 else MON)

    def test_without_a_calendar_a_session_is_over_with_its_utc_day(self, write, instruments):
        path = write("a.csv", plain(FRI, MON))
        read = [
            read_series(path, symbol="XYZ", instruments=instruments, now=now).frame["session"].max()
            for now in (at(MON, 23, 59), at(TUE, 0))
        ]
        assert read == [FRI, MON]

    def test_a_naive_instant_is_none(self, write, instruments):
        path = write("a.csv", plain(FRI, MON))
        with pytest.raises(ValueError, match="naive"):
            read_series(path, symbol="X", instruments=instruments, now=datetime(2025, 1, 6))  # noqa: DTZ001


class TestWhenTheFileWasWritten:
    def test_before_the_sessions_end_the_newest_bar_is_unfinished(self, write, instruments):
        path = written(write("a.csv", plain(FRI, MON)), at(MON, 15))
        series = read_series(path, symbol="XYZ", instruments=instruments)
        assert series.frame["session"].to_list() == [FRI]
        assert codes(series.meta) == ["UNFINISHED_SESSION"]
        assert read_series(written(path, at(TUE, 0)), symbol="XYZ", instruments=instruments).frame.height == 2

    def test_only_the_newest_bar(self, write, instruments):
        """The time of a file may be that of an archive: whatever it is, it takes one bar at most."""
        path = written(write("a.csv", plain(FRI, MON, TUE)), datetime(1980, 1, 1, tzinfo=UTC))
        assert read_series(path, symbol="XYZ", instruments=instruments).frame["session"].to_list() == [FRI, MON]

    def test_it_says_nothing_where_the_file_states_its_end(self, write, instruments):
        path = written(write("a.dbn", dbn(FRI, MON)), datetime(1980, 1, 1, tzinfo=UTC))
        assert read_contracts([path], "ES", instruments=instruments).frame.height == 2

    @pytest.mark.parametrize(("volume", "thin"), [(24, True), (25, False), (900, False)])
    def test_a_thin_newest_session_is_reported(self, write, instruments, volume, thin):
        """Of 20 sessions with 100 lots each."""
        days = [date(2024, 12, 2) + timedelta(days=step + step // 5 * 2) for step in range(21)]
        path = write("a.csv", plain(*days[:-1]) + f"{days[-1]},1,3,1,2,{volume}\n")
        series = read_series(path, symbol="XYZ", instruments=instruments)
        assert series.frame.height == 21
        assert codes(series.meta) == ["THIN_LAST_SESSION"] * thin

    def test_a_thin_session_of_a_file_that_states_its_end_is_a_quiet_day(self, write, instruments):
        days = [date(2024, 12, 2) + timedelta(days=step + step // 5 * 2) for step in range(21)]
        data = dbn_bytes([*(bar(day) for day in days[:-1]), bar(days[-1], volume=1)], [("ESH5", *ALL, 7)])
        assert codes(read_contracts([write("a.dbn", data)], "ES", instruments=instruments).meta) == []


class TestWeekends:
    def test_the_series_of_a_vendor_of_calendar_days_is_folded(self, write, instruments):
        text = plain(FRI) + f"{SUN},5,6,4,5,20\n{MON},1,3,1,2,100\n"
        series = read_series(write("a.csv", text), symbol="XYZ", instruments=instruments)
        assert series.frame.select("session", "open", "high", "low", "close", "volume").rows() == [
            (FRI, 1.0, 3.0, 1.0, 2.0, 100),
            (MON, 5.0, 6.0, 1.0, 2.0, 120),
        ]
        assert dict(series.meta.counts) == {"weekend_bars_folded": 1}

    def test_what_a_session_carries_is_that_of_its_own_bar(self, write, instruments):
        text = PLAIN.replace("\n", ",adjustment,contract\n")
        text += f"{SUN},5,6,4,5,20,-2.5,ESZ24\n{MON},1,3,1,2,100,0.0,ESH25\n"
        series = read_series(write("a.csv", text), symbol="ES", instruments=instruments)
        assert series.frame.select("session", "contract", "adjustment").rows() == [(MON, "ESH25", 0.0)]

    def test_a_saturday_before_a_holiday_monday(self, write, instruments):
        """Monday 2025-01-20 has no bar; the evening goes to Tuesday. Where Tuesday is not there yet it is a stub."""
        days = (date(2025, 1, 17), date(2025, 1, 18), date(2025, 1, 21))
        whole = read_series(write("a.csv", plain(*days)), symbol="XYZ", instruments=instruments)
        assert whole.frame["volume"].to_list() == [100, 200]
        cut = read_series(write("b.csv", plain(*days[:2])), symbol="XYZ", instruments=instruments)
        assert cut.frame["session"].to_list() == [days[0]]
        assert codes(cut.meta) == ["STUB"]

    def test_a_calendar_with_weekend_sessions_keeps_them(self, write, instruments):
        path = write("a.csv", plain(FRI, SAT, SUN, MON))
        series = read_series(path, symbol="XYZ", instruments=instruments, calendar="24/7")
        assert series.frame["session"].to_list() == [FRI, SAT, SUN, MON]
        assert read_series(path, symbol="XYZ", instruments=instruments).frame["session"].to_list() == [FRI, MON]

    def test_a_market_that_is_open_on_most_weekends_keeps_them(self, write, instruments):
        days = [MON + timedelta(days=step) for step in range(7 * 20)]
        series = read_series(write("a.csv", plain(*days)), symbol="XYZ", instruments=instruments)
        assert series.frame.height == len(days)
        assert any("sessions of their own" in note for note in series.meta.notes)
        sundays = [day for day in days if day.weekday() != 5]  # an evening before every week
        folded = read_series(write("b.csv", plain(*sundays)), symbol="ES", instruments=instruments)
        assert folded.frame.height == 100
        assert dict(folded.meta.counts) == {"weekend_bars_folded": 19, "stubs_dropped": 1}


def test_the_instant_is_in_nanoseconds():
    assert finished.nanoseconds(at(MON, 12)) == nanoseconds(MON) + DAY // 2


class TestLackingAtTheEnd:
    """What a gate refuses: sessions of which files hold a part, or nothing though they state to cover them."""

    @staticmethod
    def lacking(bars):
        return [(each.code, each.session, each.over) for each in bars.meta.lacking]

    @pytest.mark.parametrize(
        ("days", "end", "expected"),
        [
            ((FRI, MON), nanoseconds(TUE), []),
            ((FRI, MON), nanoseconds(MON) + 12 * HOUR, [("UNFINISHED_SESSION", MON, at(TUE, 0))]),
            ((FRI, SUN), nanoseconds(SUN) + 23 * HOUR, [("UNFINISHED_SESSION", MON, at(TUE, 0))]),  # Monday's evening
            ((FRI, SUN), nanoseconds(MON), []),
            ((FRI,), nanoseconds(MON), []),
            ((FRI,), nanoseconds(TUE) - 1, []),
            ((FRI,), nanoseconds(TUE), [("LOST_SESSION", MON, at(TUE, 0))]),
            ((FRI,), None, []),
        ],
    )
    def test_of_one_file(self, write, instruments, days, end, expected):
        data = dbn(*days, end=2**64 - 1 if end is None else end)
        bars = read_contracts([write("a.dbn", data)], "ES", instruments=instruments, calendar="CMES")
        assert self.lacking(bars) == expected

    def test_a_holiday_is_not_lost(self, write, instruments):
        """New York was shut on Thursday, 2025-01-09, for a day of mourning."""
        data = dbn_bytes([bar(date(2025, 1, 8))], [("AAPL", *ALL, 7)], end=date(2025, 1, 10))
        series = read_series(write("a.dbn", data), symbol="AAPL", instruments=instruments, calendar="XNYS")
        assert series.meta.lacking == ()

    def test_a_running_session_is_neither(self, write, instruments):
        data = dbn(FRI, MON, end=nanoseconds(MON) + 12 * HOUR)
        now = at(MON, 12)
        bars = read_contracts([write("a.dbn", data)], "ES", instruments=instruments, calendar="CMES", now=now)
        assert [each.over > now for each in bars.meta.lacking] == [True]

    def test_a_part_that_another_file_has_whole_is_not_lacking(self, write, instruments):
        """Daily downloads: the first was asked for until noon, the next day's brought Monday whole."""
        early = write("1.dbn", dbn(FRI, MON, end=nanoseconds(MON) + 12 * HOUR))
        whole = write("2.dbn", dbn(MON, end=nanoseconds(TUE)))
        other = write("3.dbn", dbn_bytes([bar(MON)], [("ESM5", *ALL, 7)]))
        assert self.lacking(read_contracts([early, whole], "ES", instruments=instruments, calendar="CMES")) == []
        found = read_contracts([early, other], "ES", instruments=instruments, calendar="CMES")
        assert self.lacking(found) == [("UNFINISHED_SESSION", MON, at(TUE, 0))]  # of ESH5

    def test_an_old_file_that_ended_at_noon_is_history(self, write, instruments):
        early = write("1.dbn", dbn(FRI, end=nanoseconds(FRI) + 12 * HOUR))
        later = write("2.dbn", dbn(MON, end=nanoseconds(TUE)))
        assert self.lacking(read_contracts([early, later], "ES", instruments=instruments, calendar="CMES")) == []

    @pytest.mark.parametrize(("hour", "number"), [(22, 1), (23, 0)])
    def test_text_written_before_the_close(self, write, instruments, hour, number):
        path = written(write("a.csv", plain(FRI, MON)), at(MON, hour))
        series = read_series(path, symbol="ES", instruments=instruments, calendar="CMES")
        assert len(self.lacking(series)) == number
