"""Every genuine file beside the checkout, against counts made without ctl."""

from __future__ import annotations

import csv
import json
import math
from datetime import date
from pathlib import Path

import pytest

from ctl.errors import InputError
from ctl.ingest import named_mapping, read_contracts, read_reference, read_series

ANSWERS = Path(__file__).resolve().parents[2] / "answers"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), skipinitialspace=True))


@pytest.mark.parametrize(("name", "root"), [("copper", "HG"), ("corn", "C"), ("heating_oil", "HO"), ("soybean", "S")])
def test_bloomberg_settlements(shared, instruments, name, root):
    expected = json.loads((ANSWERS / "ingest_bloomberg_counts.json").read_text())[name]
    bars = read_contracts([shared / f"contracts/bloomberg_settles/{name}.csv"], None, instruments=instruments)
    frame = bars.frame
    assert bars.meta.root == root
    assert bars.meta.sources[0].sha256 == expected["sha256"]
    assert (frame.height, bars.meta.counts) == (expected["rows"], {})
    found = {}
    for (contract,), part in frame.group_by("contract"):
        found[contract] = {
            "bars": part.height,
            "first": str(part["session"].min()),
            "last": str(part["session"].max()),
            "last_trade": str(bars.terms[contract].last_trade),
        }
    assert found == expected["contracts"]
    assert frame["volume"].null_count() == expected["null_volumes"]
    assert frame["open_interest"].null_count() == expected["null_open_interests"]
    assert math.fsum(frame["close"]) == expected["sum_of_settles"]
    assert frame["volume"].sum() == expected["sum_of_volumes"]
    assert frame.select("open", "high", "low").null_count().row(0) == (frame.height,) * 3
    assert (bars.meta.session_basis, bars.meta.close_basis) == ("exchange_session", "settlement")


@pytest.mark.parametrize(("root", "rows"), [("NG", 4601), ("TY", 4604), ("EC", 4604)])
def test_tradestation_exports(shared, instruments, root, rows):
    path = shared / f"continuous/tradestation/{root}_daily_2008_2026_tradestation.csv"
    series = read_series(path, symbol=root, instruments=instruments)
    written = rows_of(path)
    assert series.frame.height == rows == len(written)
    for at in (0, 1000, -1):
        row = series.frame.row(at, named=True)
        assert row["session"].strftime("%m/%d/%Y") == written[at]["Date"]
        assert [row[key] for key in ("open", "high", "low", "close")] == [
            float(written[at][key]) for key in ("Open", "High", "Low", "Close")
        ]
        assert (row["volume"], row["open_interest"]) == (int(written[at]["Vol"]), int(written[at]["OI"]))
    assert (series.meta.vendor, series.meta.session_basis, series.meta.close_basis) == (
        "tradestation", "exchange_session", "settlement",
    )  # fmt: skip


def test_voo_has_one_bar_per_session_whatever_its_instrument_ids(shared, instruments):
    path = shared / "databento/csv/VOO-20200628-20250627.ohlcv-1d.csv"
    written = rows_of(path)
    assert len({row["instrument_id"] for row in written}) == 651
    series = read_series(path, symbol="VOO", instruments=instruments)
    assert series.frame.height == len(written) == 1256
    assert series.frame["close"].to_list() == [float(row["close"]) for row in written]
    assert series.frame["session"].to_list() == [date.fromisoformat(row["ts_event"][:10]) for row in written]


def test_several_publishers_are_refused_until_one_is_chosen(shared, instruments):
    path = shared / "databento/csv/basic-20230328-20240809.ohlcv-1d.csv"
    with pytest.raises(InputError, match="several publishers for META on 2023-03-28; found publishers 39, 40, 41, 42"):
        read_series(path, symbol="META", instruments=instruments)
    written = [row for row in rows_of(path) if row["symbol"] == "META"]
    for publisher in ("40", "41"):
        expected = [(row["ts_event"][:10], float(row["close"])) for row in written if row["publisher_id"] == publisher]
        series = read_series(path, symbol="META", instruments=instruments, publisher=int(publisher))
        assert [(str(day), close) for day, close in series.frame.select("session", "close").rows()] == expected


def test_lean_contracts_around_the_2013_roll(shared, instruments):
    paths = sorted((shared / "contracts/lean_es_2013").glob("es_trade_*.csv"))
    bars = read_contracts(paths, "ES", instruments=instruments, mapping=named_mapping("lean"))
    volume = {(row["contract"], row["session"]): row["volume"] for row in bars.frame.iter_rows(named=True)}
    assert volume["ESH14", date(2013, 12, 13)] == 868_208
    assert volume["ESZ13", date(2013, 12, 13)] == 347_764
    written = [line.split(",") for path in paths for line in path.read_text().split("\n") if line]
    weekend = [row for row in written if date(int(row[0][:4]), int(row[0][4:6]), int(row[0][6:8])).weekday() >= 5]
    thanksgiving = [row for row in written if row[0].startswith("20131128")]
    assert bars.meta.counts == {"weekend_bars_folded": len(weekend), "holiday_bars_folded": len(thanksgiving)}
    assert bars.frame.height == len(written) - len(weekend) - len(thanksgiving)
    assert bars.frame["volume"].sum() == sum(int(float(row[5])) for row in written)


POINT_VALUE = {"C": 50, "CL": 1000, "ES": 50, "GC": 100, "HG": 250, "HO": 420, "PA": 100, "PL": 50, "S": 50}


@pytest.mark.parametrize("root", sorted(POINT_VALUE))
def test_quantiacs_series_and_stated_rolls(shared, instruments, root):
    path = shared / f"continuous/quantiacs/F_{root}.txt"
    written = rows_of(path)
    reference = read_reference(symbol=root, adjusted=None, unadjusted=path, instruments=instruments)
    raw, adjusted = reference.unadjusted.frame, reference.adjusted.frame
    assert raw.height == len(written)
    value = POINT_VALUE[root]
    assert raw["close"].to_list() == [float(row["CLOSE"]) / value for row in written]
    stated = {row["DATE"]: float(row["RINFO"]) / value for row in written if float(row["RINFO"]) != 0}
    rolls = {roll.roll_date.strftime("%Y%m%d"): roll.gap for roll in reference.stated_rolls if roll.gap != 0}
    assert rolls == stated
    carried = raw.height * [0.0]
    total = 0.0
    for at in range(len(written) - 1, -1, -1):
        carried[at] = total
        total += float(written[at]["RINFO"]) / value
    assert adjusted["adjustment"].to_list() == pytest.approx(carried, abs=1e-9)
    assert (adjusted["close"] - raw["close"]).to_list() == pytest.approx(carried, abs=1e-9)
    assert (adjusted["low"] - raw["low"]).to_list() == pytest.approx(carried, abs=1e-9)
    inconsistent = sum(
        not (
            float(row["LOW"]) <= min(float(row["OPEN"]), float(row["CLOSE"]))
            and max(float(row["OPEN"]), float(row["CLOSE"])) <= float(row["HIGH"])
        )
        for row in written
    )
    assert reference.unadjusted.meta.counts.get("inconsistent_bars", 0) == inconsistent


@pytest.mark.parametrize(("root", "name"), [("HG", "copper"), ("C", "corn"), ("HO", "heating_oil"), ("S", "soybean")])
def test_quantiacs_roll_dates_are_the_first_sessions_on_the_new_contract(shared, instruments, root, name):
    """Bloomberg's settlements say which contract a close belongs to."""
    reference = read_reference(
        symbol=root, adjusted=None, unadjusted=shared / f"continuous/quantiacs/F_{root}.txt", instruments=instruments
    )
    contracts = read_contracts([shared / f"contracts/bloomberg_settles/{name}.csv"], root, instruments=instruments)
    settles: dict[date, dict[str, float]] = {}
    for day, contract, settle in contracts.frame.select("session", "contract", "close").iter_rows():
        settles.setdefault(day, {})[contract] = settle
    closes = dict(reference.unadjusted.frame.select("session", "close").rows())

    def held(day: date) -> set[str]:
        return {name for name, settle in settles.get(day, {}).items() if abs(settle - closes[day]) < 0.006}

    # Sessions on which the close is nobody's settlement (corn 2004 to 2007) say nothing.
    new = [roll.to_contract in held(roll.roll_date) for roll in reference.stated_rolls if held(roll.roll_date)]
    early = [roll.to_contract in held(roll.gap_session) for roll in reference.stated_rolls if held(roll.gap_session)]
    assert len(new) > 45
    assert sum(new) / len(new) > 0.95
    assert sum(early) / len(early) < 0.1
