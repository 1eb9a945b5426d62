"""`ctl research`: variants side by side; no gate is asked, and nothing of the weekly run is touched."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest


def everything(folder: Path) -> dict[str, bytes]:
    """Every file but the ledger of trials, which is what research adds to, and the cache of what was read."""
    kept = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "trials")
    return {str(path): path.read_bytes() for path in kept if ".ctl" not in path.parts}


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
    lock = json.loads((workspace / "configs/cutover/operating_profile_v1.lock.json").read_bytes())
    assert variant["fingerprint"] == lock["strategy"]["fingerprint"]
    roles = {symbol: item["role"] for symbol, item in by_symbol(variant).items()}
    assert roles == {"ES": "gating", "CL": "gating", "PL": "gating"} | dict.fromkeys(
        ("PA", "AAPL", "XLE"), "non-gating"
    )


def test_every_combination_stands_beside_the_registered_one(ctl, workspace: Path):
    words = ["--param", "slope_threshold=6,10", "--param", "entry_grace_bars=2,4", "-w", workspace]
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
    assert shown.startswith("RESEARCH: 5 variants, 1 symbol   no gate asked: nothing here may be traded")
    assert "simulated market" in shown


def test_variants_that_come_to_the_same_are_tried_once(ctl, workspace: Path):
    words = ["--param", "slope_threshold=8,6,6.0", "--param", "entry_grace_bars=3", "-w", workspace]
    document = ctl("research", "ES", *words, "--json").document
    assert [item["overrides"] for item in document["variants"]] == [
        {},  # which the threshold 8 comes to as well
        {"slope_threshold": "6", "entry_grace_bars": "3"},
    ]
    assert document["trials"] == 2


def test_variants_tried_together_are_what_each_is_alone(ctl, workspace: Path):
    grid = ["--param", "slope_threshold=4,10", "--param", "stop_mode=2,3", "--param", "ema=9", "--timeframe", "weekly"]
    together = ctl("research", *grid, "-w", workspace, "--json").document["variants"]
    assert len(together) == 5
    for variant in together[1:]:
        for item in variant["symbols"]:
            words = [f"{name}={value}" for name, value in variant["overrides"].items()]
            options = [word for text in words for word in ("--param", text)]
            alone = ctl(
                "research", item["symbol"], *options, "--timeframe", "weekly", "-w", workspace, "--json"
            ).document["variants"][1]
            assert by_symbol(alone)[item["symbol"]] == item


def test_of_a_large_grid_the_best_are_shown(ctl, workspace: Path):
    words = ["--param", "slope_threshold=4,5,6,7", "--param", "min_bars_of_air=3,4,5,6,7,8", "-w", workspace]
    shown = ctl("research", "ES", "CL", *words).out
    assert "the 20 of the highest total R; --json or --out DIR has all 25" in shown
    assert shown.startswith("RESEARCH: 25 variants, 2 symbols")


def test_what_was_tried_stays_counted_and_counts_once(ctl, workspace: Path):
    words = ["--param", "slope_threshold=6,10", "--param", "min_bars_of_air=4,8", "-w", workspace, "--json"]
    first = ctl("research", "ES", "CL", *words).document
    assert first["tried_so_far"] == {"ES": 5, "CL": 5}
    assert first["luck"]["trials"] == 5
    assert 0.0 <= first["luck"]["pbo"] <= 1.0
    assert first["best"] in {item["variant"] for item in first["variants"]}
    assert ctl("research", "ES", "CL", *words).document == first
    assert len(list((workspace / "data/processed/trials").iterdir())) == 1
    more = ctl("research", "ES", "--param", "min_bars_of_air=5", "-w", workspace, "--json").document
    assert more["tried_so_far"] == {"ES": 6}
    run = ctl("run", "-w", workspace, "--json").document
    tried = {
        item["symbol"]: item["statistics"]["luck"]["trials"] for item in run["symbol_run_results"] if item["metrics"]
    }
    assert tried == {"ES": 6, "CL": 5, "PL": 1}
    assert run["statistics"]["luck"]["trials"] == 6


def test_variants_run_one_by_one_are_counted_and_scored_as_swept_ones(ctl, workspace: Path, monkeypatch):
    """A strategy without a sweep: the ledger holds the same trials with the same scores."""
    from ctl import store
    from ctl.store import trials
    from ctl.strategy.b1.strategy import B1

    words = ["research", "ES", "PL", "--param", "slope_threshold=4,6", "-w", workspace, "--json"]
    swept = ctl(*words).document
    space = store.Workspace.load(workspace)
    one = trials.read(space)
    for path in space.trials.iterdir():
        path.unlink()
    monkeypatch.delattr(B1, "sweep")
    alone = ctl(*words).document
    assert trials.read(space).drop("score").equals(one.drop("score"))
    assert trials.read(space)["score"].to_list() == pytest.approx(one["score"].to_list())
    assert (alone["best"], alone["luck"]["pbo"]) == (swept["best"], None)
    assert alone["luck"]["deflated_sharpe"] == pytest.approx(swept["luck"]["deflated_sharpe"])


def test_a_damaged_ledger_is_an_error(ctl, workspace: Path):
    folder = workspace / "data/processed/trials"
    folder.mkdir(parents=True)
    (folder / f"{'0' * 64}.parquet").write_bytes(b"nonsense")
    ran = ctl("research", "ES", "-w", workspace)
    assert ran.code == 1
    assert "ledger of variants tried is damaged" in ran.err


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


def test_as_of_and_timeframe_reach_the_strategy(ctl, workspace: Path):
    base = ["research", "ES", "-w", workspace, "--json"]
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
        (["--param", "slope_threshold"], 64, "KEY=VALUE"),
        (["--param", "slope_threshold=6,,8"], 64, "needs a value"),
        (["--param", "slope_threshold=6,6"], 64, "different"),
        (["--strategy", "b1", "--strategy", "b1"], 64, "named twice"),
        (["--strategy", "nonsense"], 64, "no such strategy; found nonsense; expected one of b1"),
        (["NQ"], 64, "no such symbol"),
        (["--param", "gap_scan_window=" + ",".join(map(str, range(50, 200))), "--param",
          "max_air_lookback=" + ",".join(map(str, range(20, 30)))], 64, "too many variants; found 1500"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_one_clear_error(ctl, workspace: Path, words: list[str], code: int, text: str):
    ran = ctl("research", *words, "-w", workspace)
    assert ran.code == code
    assert text in ran.err
    assert ran.out == ""


def test_unregistered_values_must_be_asked_for(ctl, workspace: Path):
    ran = ctl("research", "ES", "--param", "slope_threshold=99", "--unregistered", "-w", workspace, "--json")
    assert by_symbol(ran.document["variants"][1])["ES"]["metrics"]["trigger_count"] == 0


WAYS = [["--jobs", "2"], ["--cluster", "local:2"]]


@pytest.mark.parametrize("way", WAYS, ids=["processes", "cluster"])
@pytest.mark.parametrize("alone", [False, True], ids=["swept", "alone"])
def test_it_is_the_same_wherever_it_is_done(ctl, workspace: Path, tmp_path: Path, monkeypatch, way, alone: bool):
    from ctl.strategy.b1.strategy import B1

    if "--cluster" in way:
        pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    if alone:
        monkeypatch.delattr(B1, "sweep")
    words = ["research", "--param", "slope_threshold=4,6", "-w", workspace, "--json", "--out"]
    here = ctl(*words, tmp_path / "here")
    there = ctl(*words, tmp_path / "there", *way)
    assert there.document == here.document
    assert list(everything(tmp_path / "there").values()) == list(everything(tmp_path / "here").values())


@pytest.mark.parametrize("asked", [{"jobs": 2}, {"cluster": "local:2"}], ids=["processes", "cluster"])
def test_a_killed_worker_loses_no_result(workspace: Path, tmp_path: Path, asked: dict[str, object]):
    from dying_strategy import DiesOnce

    from ctl import store
    from ctl.flows import research
    from ctl.flows.workers import HERE, opened

    if "cluster" in asked:
        pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
    space, mark = store.Workspace.load(workspace), tmp_path / "died"
    dying = research.Variant(DiesOnce(os.getpid(), mark), {})
    options = {"instant": datetime(2026, 3, 1, tzinfo=UTC)}
    with opened(**asked) as workers:
        made = research.run(space, None, ["ES", "CL", "PL", "PA"], [dying], **options, workers=workers)
    assert mark.exists()
    here = research.run(space, None, ["ES", "CL", "PL", "PA"], [dying], **options, workers=HERE)
    assert made.to_document() == here.to_document()
