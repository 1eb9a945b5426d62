"""The roll manifest: what ours says, and how older ones are read."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import polars as pl
import pytest

from ctl import continuous, digests
from ctl.continuous.manifest import ManifestRoll
from ctl.errors import InputError
from ctl.model.bars import ContractBars, SeriesMeta, SourceFile
from ctl.model.contracts import Contract
from ctl.model.documents import document
from ctl.model.manifest import RollManifest
from ctl.model.rolls import ContinuousSeries, RollPolicy

DAYS = [date(2020, 1, 6), date(2020, 1, 7), date(2020, 1, 8), date(2020, 1, 9)]
BARE: list[dict[str, Any]] = [
    {"date": "2013-12-17", "from_contract": "ESZ13", "to_contract": "ESH14", "from_close": 1785.25,
     "to_close": 1779.0, "gap": -6.25, "cumulative_adj": -1.25},
    {"date": "2014-03-18", "from_contract": "ESH14", "to_contract": "ESM14", "from_close": 1860.0,
     "to_close": 1865.0, "gap": 5.0, "cumulative_adj": 5.0},
]  # fmt: skip


def series() -> ContinuousSeries:
    prices = [[101.0, 102.0, 103.0, 104.0], [111.0, 112.5, 113.25, 114.0]]
    frame = pl.concat(
        pl.DataFrame(
            {
                "session": DAYS, "contract": [name] * 4, "open": close, "high": close, "low": close, "close": close,
                "volume": volume, "open_interest": pl.Series([None] * 4, dtype=pl.Int64),
            }
        )
        for name, close, volume in (("ESH20", prices[0], [9, 5, 5, 5]), ("ESM20", prices[1], [1, 6, 7, 8]))
    )  # fmt: skip
    source = SourceFile("es.csv", "ab" * 32, 123, 8, DAYS[0], DAYS[-1])
    meta = SeriesMeta("ES", "hand", "exchange_session", "settlement", "index points", None, (source,))
    bars = ContractBars(frame, meta, (Contract(2020, 3, "ES"), Contract(2020, 6, "ES")))
    return continuous.build(bars, RollPolicy(eligible_months="HMUZ"))


def manifest(built: ContinuousSeries, version: str) -> dict[str, Any]:
    found: dict[str, Any] = document(RollManifest.of(built, package_version=version))
    return found


def turned() -> list[dict[str, Any]]:
    return [dict(roll, gap=-roll["gap"], cumulative_adj=-roll["cumulative_adj"]) for roll in BARE]


def test_the_manifest_is_complete() -> None:
    found = manifest(series(), "1.2.3")
    assert found == {
        "kind": "roll_manifest",
        "schema_version": 1,
        "root": "ES",
        "vendor": "hand",
        "policy": {
            "kind": "volume", "consecutive_days": 2, "eligible_months": "HMUZ", "timing": "next_session",
            "anchor": "expiry", "offset": 0, "fixed_day": None, "months_before": 0, "schedule": [], "guard_sessions": 2,
            "target": "adjacent", "bridge_holes": False,
        },
        "adjustment": "difference",
        "close_basis": "settlement",
        "session_basis": "exchange_session",
        "quote_unit": "index points",
        "first_session": "2020-01-06",
        "last_session": "2020-01-09",
        "package_version": "1.2.3",
        "inputs": [
            {"name": "es.csv", "sha256": "ab" * 32, "size": 123, "rows": 8, "first_session": "2020-01-06",
             "last_session": "2020-01-09"},
        ],
        "counts": {
            "sessions": 4, "rolls": 1, "skipped_sessions": 0, "unconfirmed_crossovers": 0, "non_concurrent_gaps": 0,
            "dropped_instruments": 0, "bad_closes": 0, "guard_rolls": 0, "sessions_held_near_the_end": 0,
            "rolls_after_last_trade": 0, "ineligible_contracts": 0,
        },
        "warnings": [str(notice) for notice in series().notices],
        "bad_closes": [],
        "terms": [
            {"contract": name, "last_trade": None, "last_trade_source": "unknown", "first_notice": None,
             "first_notice_source": "unknown"}
            for name in ("ESH20", "ESM20")
        ],
        "pending_roll": None,
        "rolls": [
            {
                "roll_date": "2020-01-09", "gap_session": "2020-01-08", "known_at": "2020-01-08",
                "from_contract": "ESH20", "to_contract": "ESM20", "from_close": 103.0, "to_close": 113.25,
                "gap": 10.25, "cumulative_adjustment": 10.25, "from_volume": [5, 5], "to_volume": [6, 7],
                "reason": "volume", "concurrent": True,
            },
        ],
    }  # fmt: skip


def test_the_manifest_is_canonical_json_and_reads_back() -> None:
    found = manifest(series(), "1")
    header, rolls = continuous.read_manifest(digests.canonical_json(found))
    assert {**header, "rolls": found["rolls"]} == found
    assert rolls == [
        ManifestRoll(
            roll_date=DAYS[3], gap_session=DAYS[2], known_at=DAYS[2], from_contract="ESH20", to_contract="ESM20",
            from_close=103.0, to_close=113.25, gap=10.25, cumulative_adjustment=10.25, from_volume=(5, 5),
            to_volume=(6, 7), reason="volume", concurrent=True,
        )
    ]  # fmt: skip


def test_a_pending_roll_stands_in_the_manifest() -> None:
    built = series()
    short = continuous.build(
        ContractBars(
            pl.DataFrame(
                {
                    "session": [*DAYS[:3], *DAYS[:3]], "contract": ["ESH20"] * 3 + ["ESM20"] * 3, "open": 1.0,
                    "high": 1.0, "low": 1.0, "close": 1.0, "volume": [9, 5, 5, 1, 6, 7],
                    "open_interest": pl.Series([None] * 6, dtype=pl.Int64),
                }
            ),
            built.meta,
            (Contract(2020, 3, "ES"), Contract(2020, 6, "ES")),
        ),
        RollPolicy(),
    )  # fmt: skip
    found = manifest(short, "1")
    assert found["rolls"] == []
    assert found["pending_roll"] == {
        "known_at": "2020-01-08", "from_contract": "ESH20", "to_contract": "ESM20", "reason": "volume",
    }  # fmt: skip


def test_a_bare_list_is_read() -> None:
    header, rolls = continuous.read_manifest(json.dumps(BARE).encode())
    assert header == {}
    assert [(roll.roll_date, roll.from_contract, roll.to_contract) for roll in rolls] == [
        (date(2013, 12, 17), "ESZ13", "ESH14"),
        (date(2014, 3, 18), "ESH14", "ESM14"),
    ]
    assert [(roll.gap, roll.cumulative_adjustment) for roll in rolls] == [(-6.25, -1.25), (5.0, 5.0)]
    assert rolls[0].gap_session is None


def test_the_add_convention_is_ours() -> None:
    header, rolls = continuous.read_manifest(json.dumps({"convention": "add", "rolls": BARE}).encode())
    assert "findings" not in header
    assert [roll.gap for roll in rolls] == [-6.25, 5.0]


@pytest.mark.parametrize("key", ["convention", "adjustment", "adjustment_method", "sign"])
def test_a_subtract_manifest_is_reported_and_put_upright(key: str) -> None:
    turned = [
        dict(roll, gap=-float(str(roll["gap"])), cumulative_adj=-float(str(roll["cumulative_adj"]))) for roll in BARE
    ]
    for written in (turned, [dict(roll, cumulative_adj=-float(str(roll["cumulative_adj"]))) for roll in BARE]):
        header, rolls = continuous.read_manifest(json.dumps({key: "subtract", "root": "ES", "rolls": written}).encode())
        assert [finding["code"] for finding in header["findings"]] == ["INVERTED_ADJUSTMENT"]
        assert header["root"] == "ES"
        assert [(roll.gap, roll.cumulative_adjustment) for roll in rolls] == [(-6.25, -1.25), (5.0, 5.0)]


def test_an_inverted_bare_list_is_seen_in_its_numbers() -> None:
    turned = [
        dict(roll, gap=-float(str(roll["gap"])), cumulative_adj=-float(str(roll["cumulative_adj"]))) for roll in BARE
    ]
    header, rolls = continuous.read_manifest(json.dumps(turned).encode())
    assert header["findings"][0]["code"] == "INVERTED_ADJUSTMENT"
    assert [roll.gap for roll in rolls] == [-6.25, 5.0]


def test_old_names_of_contracts_and_closes_are_read() -> None:
    entry: dict[str, Any] = {
        "date": "2013-12-17T00:00:00",
        "old_contract": "ESZ13",
        "new_contract": "ESH14",
        "old_close": 1,
        "new_close": 2,
    }
    _, rolls = continuous.read_manifest(json.dumps([entry]).encode("utf-8-sig"))
    assert (rolls[0].from_contract, rolls[0].to_contract, rolls[0].from_close, rolls[0].to_close) == (
        "ESZ13", "ESH14", 1.0, 2.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a roll manifest"),
        (b"\xff\xfe", "not a roll manifest"),
        (b"[" * 100_000, "not a roll manifest"),
        (b"42", "expected an object with `rolls`"),
        (b'{"root": "ES"}', "expected an object with `rolls`"),
        (b'["ES"]', "roll 1: not a roll"),
        (b'[{"to_contract": "ESH14"}]', "roll 1: a roll without its date"),
        (b'[{"date": "2013-12-17"}]', "roll 1: a roll without its new contract"),
        (b'[{"date": "17.12.2013", "to_contract": "ESH14"}]', "roll 1: not a date"),
        (b'[{"date": "2013-12-17", "to_contract": 7}]', "to_contract is no text"),
        (b'[{"date": "2013-12-17", "to_contract": "ESH14", "gap": "6"}]', "gap is no finite number"),
        (b'[{"date": "2013-12-17", "to_contract": "ESH14", "gap": 1e999}]', "gap is no finite number"),
        (b'[{"date": "2013-12-17", "to_contract": "ESH14", "gap": NaN}]', "not a roll manifest"),
        (b'[{"date": "2013-12-17", "to_contract": "ESH14", "from_volume": ["x"]}]', "volumes are no whole numbers"),
        (
            b'[{"date": "2014-12-17", "to_contract": "ESH15"}, {"date": "2013-12-17", "to_contract": "ESH14"}]',
            "roll 2: rolls of a manifest are not in order",
        ),
    ],
)
def test_anything_else_is_one_clear_error(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        continuous.read_manifest(data)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("gap", ["9" * 400, "-" + "9" * 400, "1e16", "9" * 5000])
def test_a_number_that_no_price_can_be_is_one_clear_error(gap: str) -> None:
    with pytest.raises(InputError) as caught:
        continuous.read_manifest(f'[{{"date": "2020-01-06", "to": "ESH20", "gap": {gap}}}]'.encode())
    assert len(str(caught.value)) < 300
