"""Which days a folder covers by the names of its files, and which are missing."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl.flows import fetch

DAY = timedelta(days=1)
START = date(2020, 1, 1)


def test_names_state_the_days_that_are_there(tmp_path: Path):
    for name in (
        "glbx-mdp3-20180102-20181231.ohlcv-1d.dbn.zst",
        "glbx-mdp3-20190101-20190630.ohlcv-1d.PAM9.csv.zst",
        "glbx-mdp3-20200101-20200131.ohlcv-1d.csv",
        "glbx-mdp3-20210101-20211231.ohlcv-1h.dbn.zst",
        "glbx-mdp3-20229901-20221231.ohlcv-1d.dbn.zst",
        ".glbx-mdp3-20230101-20231231.ohlcv-1d.dbn.zst.0123abcd.tmp",
        "notes.txt",
    ):
        (tmp_path / name).touch()
    assert fetch.covered(tmp_path, "ohlcv-1d") == (
        (date(2018, 1, 2), date(2019, 6, 30)),
        (date(2020, 1, 1), date(2020, 1, 31)),
    )
    assert fetch.covered(tmp_path / "absent", "ohlcv-1d") == ()


@given(
    spans=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 60)), max_size=6),
    first=st.integers(0, 900),
    length=st.integers(0, 400),
)
def test_what_is_missing_and_what_is_there_make_the_range(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]], first: int, length: int
):
    folder = tmp_path_factory.mktemp("files")
    there: set[date] = set()
    for begin, days in spans:
        a, b = START + begin * DAY, START + (begin + days) * DAY
        (folder / f"x-{a:%Y%m%d}-{b:%Y%m%d}.ohlcv-1d.dbn").touch()
        there |= {a + n * DAY for n in range(days + 1)}
    a, b = START + first * DAY, START + (first + length) * DAY
    missing = [
        day
        for begin, end in fetch._holes(a, b, fetch.covered(folder, "ohlcv-1d"))
        for year_begin, year_end in fetch._years(begin, end)
        for day in (year_begin + n * DAY for n in range((year_end - year_begin).days + 1))
    ]
    assert missing == sorted({a + n * DAY for n in range(length + 1)} - there)
