"""The packaged instrument reference data and a workspace's own."""

from __future__ import annotations

import re

import polars as pl
import pytest

from ctl.errors import DataError, InputError
from ctl.ingest import load_instruments, read_contracts

# Contract specifications as the exchanges publish them: tick, and money per tick.
TICK_VALUES = {
    "ES": (0.25, 12.5), "NQ": (0.25, 5.0), "YM": (1.0, 5.0), "RTY": (0.1, 5.0), "MES": (0.25, 1.25), "MNQ": (0.25, 0.5),
    "ZN": (1 / 64, 15.625), "ZB": (1 / 32, 31.25), "ZT": (1 / 256, 7.8125), "ZF": (1 / 128, 7.8125),
    "CL": (0.01, 10.0), "NG": (0.001, 10.0), "HO": (0.0001, 4.2), "RB": (0.0001, 4.2), "BZ": (0.01, 10.0),
    "GC": (0.1, 10.0), "SI": (0.005, 25.0), "HG": (0.0005, 12.5), "PL": (0.1, 5.0), "PA": (0.5, 50.0),
    "ZC": (0.25, 12.5), "ZS": (0.25, 12.5), "ZW": (0.25, 12.5), "ZM": (0.1, 10.0), "ZL": (0.01, 6.0),
    "LE": (0.025, 10.0), "HE": (0.025, 10.0), "GF": (0.025, 12.5),
    "6E": (0.00005, 6.25), "6J": (0.0000005, 6.25), "6B": (0.0001, 6.25), "6A": (0.00005, 5.0),
    "SR3": (0.0025, 6.25), "VX": (0.05, 50.0), "KC": (0.05, 18.75), "SB": (0.01, 11.2), "CT": (0.01, 5.0),
}  # fmt: skip


@pytest.mark.parametrize("root", sorted(TICK_VALUES))
def test_tick_values(instruments, root):
    tick, money = TICK_VALUES[root]
    assert instruments[root].tick == tick
    assert instruments[root].tick * instruments[root].point_value == pytest.approx(money, rel=1e-12)


def test_every_root_is_complete(instruments):
    assert len(instruments) >= 60
    for root in instruments:
        found = instruments[root]
        assert found.root == root
        assert found.currency == "USD"
        assert found.quote_unit
        assert re.fullmatch("F?G?H?J?K?M?N?Q?U?V?X?Z?", found.liquid_months or "")


def test_liquid_months_of_the_specification(instruments):
    assert (instruments["PL"].liquid_months, instruments["ES"].liquid_months) == ("FJNV", "HMUZ")
    assert instruments["CL"].liquid_months is None


def test_calendars_exist(instruments):
    import exchange_calendars
    import pandas_market_calendars

    known = {*exchange_calendars.get_calendar_names(), *pandas_market_calendars.get_calendar_names()}
    assert {instruments[root].calendar for root in instruments} <= known


def test_aliases_and_unknown_roots(instruments):
    assert (instruments["C"].root, instruments["C"].tick) == ("C", 0.25)
    assert "C" in instruments
    assert "NOPE" not in instruments
    assert instruments.get("NOPE") is None
    with pytest.raises(DataError, match="no reference data for root 'NOPE'"):
        instruments["NOPE"]


def test_override_adds_and_replaces(write):
    path = write("i.toml", '[instruments.ES]\ntick = 0.5\n[instruments.QQ]\nexchange="X"\ncalendar="XNYS"\ntick=1\n'
                 'point_value=2\ncurrency="EUR"\nquote_unit="points"\n[aliases]\nQ1 = "QQ"\n')  # fmt: skip
    found = load_instruments(path)
    assert (found["ES"].tick, found["ES"].point_value) == (0.5, 50.0)
    assert found["Q1"].currency == "EUR"
    assert load_instruments()["ES"].tick == 0.25


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[instruments.ES", "1: found text that is not TOML"),
        (
            "[instrument.ES]\ntick=1",
            "1: instrument: found an unknown key; expected one of schema_version, terms, instruments,",
        ),
        ("[instruments.ES]\ntick=0", "2: instruments.ES.tick: found 0; expected a number above 0"),
        ("[instruments.ES]\ntick=nan", "2: instruments.ES.tick: found nan"),
        ("[instruments.ES]\ntick=true", "2: instruments.ES.tick: found true"),
        ("[instruments.ES]\ncolour=1", "2: instruments.ES.colour: found an unknown key"),
        ('[instruments.ES]\nliquid_months="ZH"', "2: instruments.ES.liquid_months: found 'ZH'"),
        ("[instruments.QQ]\ntick=1", "1: instruments.QQ.exchange: found nothing"),
        ('[instruments."../x"]\ntick=1', "1: instruments.../x: found '../x'; expected a root"),
        ('[aliases]\nA = "NOPE"', "2: aliases.A: found 'NOPE'; expected a listed root"),
        ("instruments = 3", "1: instruments: found 3; expected a table"),
        ("schema_version = 2", "1: schema_version: found 2; expected 1"),
    ],
)
def test_bad_override(write, text, message):
    path = write("i.toml", text)
    with pytest.raises(InputError) as caught:
        load_instruments(path)
    assert any(problem.startswith(f"{path}:{message}") for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("data/contracts/bloomberg_settles/copper.csv", "HG"),
        ("data/contracts/bloomberg_settles/corn.csv", "C"),
        ("data/contracts/bloomberg_settles/soybean.csv", "S"),
        ("cases/gold_august/gc.ohlcv-1d.csv", "GC"),
    ],
)
def test_the_shipped_cycle_is_the_one_that_leads_on_real_volumes(shared, instruments, name, root):
    path = shared.parent / name
    if not path.is_file():
        pytest.skip(f"real volumes are not present at {path}")
    frame = read_contracts([path], root, instruments=instruments).frame
    leaders = frame.filter(pl.col("volume") > 0).sort("volume", descending=True).group_by("session").first()
    months = leaders["contract"].str.slice(len(root), 1)
    assert (
        months.is_in(list(instruments[root].liquid_months)).mean() > 0.985
    )  # soybeans: August and September lead on 43 of 3,950 sessions
