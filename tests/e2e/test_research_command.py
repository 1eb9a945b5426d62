"""`ctl research`: variants side by side; no gate is asked, and nothing of the weekly run is touched."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def by_symbol(variant):
    return {item["symbol"]: item for item in variant["symbols"]}


def test_the_registered_variant_is_what_the_run_does(ctl, workspace: Path):
    before = everything(workspace)
    document = ctl("research", "-w", workspace, "--json").document
    assert everything(workspace) == before
    assert (document["label"], document["gating"], document["trials"]) == ("research", False, 1)
    (variant,) = document["variants"]
    run = ctl("run", "--include-non-gating", "-w", workspace, "--json").document
    metrics = {item["symbol"]: item["metrics"] for item in run["symbol_run_results"]}
    assert {symbol: item["metrics"] for symbol, item in by_symbol(variant).items()} == metrics
    assert variant["portfolio"] == run["portfolio"]
    assert variant["fingerprint"] == run["digests"]["strategy"]
    roles = {symbol: item["role"] for symbol, item in by_symbol(variant).items()}
    assert roles == {"ES": "gating", "CL": "gating", "PL": "gating"} | dict.fromkeys(
        ("PA", "AAPL", "XLE"), "non-gating"
    )


def test_every_combination_stands_beside_the_registered_one(ctl, filled_workspace: Path):
    words = ["--param", "slope_threshold=6,10", "--param", "entry_grace_bars=2,4", "-w", filled_workspace]
    document = ctl("research", "ES", *words, "--json").document
    assert [item["overrides"] for item in document["variants"]] == [
        {},
        {"slope_threshold": "6", "entry_grace_bars": "2"},
        {"slope_threshold": "6", "entry_grace_bars": "4"},
        {"slope_threshold": "10", "entry_grace_bars": "2"},
        {"slope_threshold": "10", "entry_grace_bars": "4"},
    ]
    assert len({item["fingerprint"] for item in document["variants"]}) == 5
    triggers = [by_symbol(item)["ES"]["metrics"]["trigger_count"] for item in document["variants"]]
    assert triggers[1] > triggers[0] > triggers[3]  # a lower threshold lets more through
    shown = ctl("research", "ES", *words).out
    assert "5 variants tried, no gate asked; nothing here may be traded on" in shown
    assert "simulated market" in shown


def test_variants_that_come_to_the_same_are_tried_once(ctl, filled_workspace: Path):
    words = ["--param", "slope_threshold=8,6,6.0", "--param", "entry_grace_bars=3", "-w", filled_workspace]
    document = ctl("research", "ES", *words, "--json").document
    assert [item["overrides"] for item in document["variants"]] == [
        {},  # which the threshold 8 comes to as well
        {"slope_threshold": "6", "entry_grace_bars": "3"},
    ]
    assert document["trials"] == 2


def test_variants_tried_together_are_what_each_is_alone(ctl, filled_workspace: Path):
    grid = ["--param", "slope_threshold=4,10", "--param", "stop_mode=2,3", "--param", "ema=9", "--timeframe", "weekly"]
    together = ctl("research", *grid, "-w", filled_workspace, "--json").document["variants"]
    assert len(together) == 5
    for variant in together[1:]:
        for item in variant["symbols"]:
            words = [f"{name}={value}" for name, value in variant["overrides"].items()]
            options = [word for text in words for word in ("--param", text)]
            alone = ctl(
                "research", item["symbol"], *options, "--timeframe", "weekly", "-w", filled_workspace, "--json"
            ).document["variants"][1]
            assert by_symbol(alone)[item["symbol"]] == item


def test_of_a_large_grid_the_best_are_shown(ctl, filled_workspace: Path):
    words = ["--param", "slope_threshold=4,5,6,7", "--param", "min_bars_of_air=3,4,5,6,7,8", "-w", filled_workspace]
    shown = ctl("research", "ES", "CL", *words).out
    assert "The 20 of the highest total R; --json or --out DIR has all 25" in shown
    assert "25 variants tried" in shown


def test_it_goes_on_where_the_gate_refuses_and_says_which_symbol_failed(ctl, workspace: Path):
    for path in (workspace / "data" / "raw" / "databento" / "PL").iterdir():
        path.unlink()
    ran = ctl("research", "-w", workspace, "--json")
    assert ran.code == 1
    (variant,) = ran.document["variants"]
    status = {symbol: item["status"] for symbol, item in by_symbol(variant).items()}
    assert status == {"ES": "EXECUTED", "CL": "EXECUTED", "PL": "ERROR"} | dict.fromkeys(
        ("PA", "AAPL", "XLE"), "EXECUTED"
    )
    assert by_symbol(variant)["PL"]["reason"]
    assert ctl("gate", "-w", workspace).code == 2


def test_as_of_and_timeframe_reach_the_strategy(ctl, filled_workspace: Path):
    base = ["research", "ES", "-w", filled_workspace, "--json"]
    full, early, weekly = (
        ctl(*base, *more).document for more in ([], ["--as-of", "2022-06-30"], ["--timeframe", "weekly"])
    )
    counts = [by_symbol(item["variants"][0])["ES"]["metrics"]["trigger_count"] for item in (full, early, weekly)]
    assert counts[1] < counts[0]
    assert counts[2] != counts[0]
    assert early["as_of"] == "2022-06-30"


def test_out_is_written_apart_from_the_run(ctl, workspace: Path, tmp_path: Path):
    before = everything(workspace)
    out = tmp_path / "notes"
    ran = ctl("research", "ES", "PA", "--param", "slope_threshold=6", "--out", out, "-w", workspace, "--json")
    assert everything(workspace) == before
    assert json.loads((out / "research.json").read_bytes()) == ran.document
    trades = pl.read_parquet(out / "research_trades.parquet")
    counted = {
        (variant["variant"], item["symbol"]): item["metrics"]["trade_count"]
        for variant in ran.document["variants"]
        for item in variant["symbols"]
    }
    assert {key: rows.height for key, rows in trades.partition_by("variant", "symbol", as_dict=True).items()} == counted
    assert trades.schema["entry_session"] == pl.Date
    inside = workspace / "data" / "processed" / "cutover_v1" / "run_summaries"
    refused = ctl("research", "ES", "--out", inside, "-w", workspace)
    assert refused.code == 64
    assert "kept apart from the weekly run" in refused.err
    assert everything(workspace) == before


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--param", "slope_threshold=99"], 64, "registered range"),
        (["--param", "nonsense=1"], 64, "unknown B1 parameter"),
        (["--param", "slope_threshold"], 64, "NAME=VALUE"),
        (["--param", "slope_threshold=6,,8"], 64, "needs a value"),
        (["--param", "slope_threshold=6,6"], 64, "different"),
        (["--strategy", "b1", "--strategy", "b1"], 64, "named twice"),
        (["--strategy", "nonsense"], 2, "is not installed; installed: b1"),
        (["NQ"], 64, "no such symbol"),
        (["--param", "gap_scan_window=" + ",".join(map(str, range(50, 200))), "--param",
          "max_air_lookback=" + ",".join(map(str, range(20, 30)))], 64, "too many variants; found 1500"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_one_clear_error(ctl, filled_workspace: Path, words: list[str], code: int, text: str):
    ran = ctl("research", *words, "-w", filled_workspace)
    assert ran.code == code
    assert text in ran.err
    assert ran.out == ""


def test_unregistered_values_must_be_asked_for(ctl, filled_workspace: Path):
    ran = ctl("research", "ES", "--param", "slope_threshold=99", "--unregistered", "-w", filled_workspace, "--json")
    assert by_symbol(ran.document["variants"][1])["ES"]["metrics"]["trigger_count"] == 0
