"""`ctl revisions`: every reading that the workspace kept of a past bar, and how often a vendor restates."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

PERIOD = "20180102_20260227"
SESSION = "2024-05-15"
DAY = "05/15/2024"


def reference(folder: Path, symbol: str, series: str) -> Path:
    return folder / f"data/raw/tradestation/TS_{symbol}_CUSTOM_{series}_1D_{PERIOD}.csv"


def with_close(path: Path, day: str, by: float) -> tuple[float, float]:
    """Move one close, and the extremes that it would leave; old and new."""
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.split(",")[0].strip('"') == day)
    row = next(csv.reader([lines[number]]))
    old = float(row[5])
    row[5] = f"{old + by}"
    row[3], row[4] = (f"{edge(float(row[at]), old + by)}" for at, edge in ((3, max), (4, min)))
    path.write_text("\n".join([*lines[:number], ",".join(row), *lines[number + 1 :], ""]))
    return old, old + by


@pytest.fixture(scope="module")
def relocked(filled_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float, float, float]:
    """ES restated twice at the reference: before version 2 was locked, and after it."""
    from ctl.cli import main

    folder = tmp_path_factory.mktemp("revisions") / "workspace"
    shutil.copytree(filled_workspace, folder)
    first, second = with_close(reference(folder, "ES", "UNADJ"), DAY, 1.0)
    assert main(["lock", "-w", str(folder), "--set", "ratchet=0.9", "--reason", "restated once"]) == 0
    _, third = with_close(reference(folder, "ES", "UNADJ"), DAY, -3.0)
    return folder, first, second, third


def test_a_bar_that_was_restated_twice_is_shown_by_every_reading(relocked: Any, ctl: Any) -> None:
    folder, first, second, third = relocked
    document = ctl("revisions", "ES", SESSION, "-w", folder, "--json").document
    closes = [each for each in document["revisions"] if each["column"] == "close"]
    assert [(each["old"], each["new"], each["old_reading"], each["new_reading"]) for each in closes] == [
        (first, second, "lock v1", "lock v2"),
        (second, third, "lock v2", "now"),
    ]
    assert {(each["vendor"], each["series"], each["session"]) for each in closes} == {
        ("tradestation", "unadjusted", SESSION)
    }
    bars = [each for each in document["bars"] if each["series"] == "unadjusted"]
    assert [(each["reading"], each["values"]["close"]) for each in bars] == [
        ("lock v1", first), ("lock v2", second), ("now", third),
    ]  # fmt: skip
    screen = ctl("revisions", "ES", SESSION, "-w", folder).out
    for value in (first, second, third):
        assert f"{value:g}" in screen


def test_the_rate_counts_sessions_by_vendor_and_series(relocked: Any, ctl: Any) -> None:
    document = ctl("revisions", "ES", "-w", relocked[0], "--json").document
    rates = {(each["vendor"], each["series"]): each for each in document["rates"]}
    unadjusted = rates["tradestation", "unadjusted"]
    assert (unadjusted["readings"], unadjusted["restated"], unadjusted["older"]) == (3, 1, 1)
    assert unadjusted["rate"] == pytest.approx(1 / unadjusted["read_again"])
    lines = reference(relocked[0], "ES", "UNADJ").read_text().splitlines()
    assert unadjusted["read_again"] == len(lines) - 1
    assert rates["databento", "contracts"]["rate"] == rates["tradestation", "adjusted"]["rate"] == 0.0
    assert document["bars"] == []


def test_an_adjusted_file_that_a_roll_moved_is_restated_nowhere(workspace: Path, ctl: Any) -> None:
    path = reference(workspace, "ES", "ADJ")
    head, *lines = path.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[2:6] = [f"{float(value) + 37.25}" for value in row[2:6]]
    path.write_text("\n".join([head, *(",".join(row) for row in rows), ""]))
    document = ctl("revisions", "ES", "-w", workspace, "--json").document
    assert [each for each in document["revisions"] if each["series"] == "adjusted"] == []
    (now,) = [each for each in document["readings"] if each["series"] == "adjusted" and each["name"] == "now"]
    assert now["moved"] == pytest.approx(37.25)


def test_passes_count_between_the_lock_and_now(workspace: Path, ctl: Any) -> None:
    """Locked a week ago, passed once, then restated: the newest pass is named, not the lock."""
    from datetime import UTC, date, datetime

    import polars as pl

    from ctl import store
    from ctl.flows import kept_bars

    opened = store.Workspace.load(workspace)
    contracts = pl.read_parquet(opened.locked_bars("ES", "contracts"))
    early = contracts.filter(pl.col("session") <= date(2026, 2, 20))
    opened.locked_bars("ES", "contracts").write_bytes(kept_bars.packed(early))
    names = {"symbol": "ES", "vendor": "databento", "series": "contracts"}
    passed = contracts.filter(pl.col("session") > date(2026, 2, 20)).select(
        *(pl.lit(value).alias(name) for name, value in names.items()),
        "session",
        "contract",
        *(pl.col(name).cast(pl.Float64) for name in kept_bars.COLUMNS[2:]),
    )
    moved = pl.col("session") == date(2026, 2, 25)
    other = passed.with_columns(close=pl.when(moved).then(pl.col("close") + 1.0).otherwise(pl.col("close")))
    stamp = datetime(2026, 3, 8, 21, 0, 12, tzinfo=UTC)
    store.write_atomic(opened.passes / f"{stamp:%Y%m%d_%H%M%S}_bars.parquet", kept_bars.packed(other))
    document = ctl("revisions", "ES", "-w", workspace, "--json").document
    found = [each for each in document["revisions"] if each["series"] == "contracts"]
    assert {(each["session"], each["column"]) for each in found} == {("2026-02-25", "close")}
    assert {(each["old_reading"], each["new_reading"], each["old"] - each["new"]) for each in found} == {
        ("pass 20260308_210012", "now", 1.0)
    }


def test_what_cannot_be_read_is_said(workspace: Path, ctl: Any) -> None:
    folder = workspace / "data/processed/cutover_v1/locked/operating_profile_v1"
    (folder / "ES_adjusted.parquet").write_bytes(b"none")
    shutil.rmtree(workspace / "data/raw/databento/ES")
    ran = ctl("revisions", "ES", "-w", workspace, "--json")
    assert ran.code == 0
    assert len(ran.document["unread"]) == 2
    assert ctl("revisions", "XX", "-w", workspace).code == 64
    assert ctl("revisions", "ES", "yesterday", "-w", workspace).code == 64


def test_a_refusal_for_restated_history_points_to_it(relocked: Any, ctl: Any) -> None:
    folder, *_ = relocked
    path = reference(folder, "ES", "UNADJ")
    whole = path.read_bytes()
    with_close(path, "02/20/2026", 40.0)
    try:
        ran = ctl("gate", "-w", folder)
        assert ran.code == 2
        assert "next: ctl revisions ES" in ran.out
    finally:
        path.write_bytes(whole)


def test_bars_of_another_choice_restate_nothing(workspace: Path, ctl: Any) -> None:
    """Version 2 is traded on settlements: its closes are others than those of version 1, and nobody restated one."""
    assert ctl("lock", "-w", workspace, "--set", "ES.series.closes=settlement", "--reason", "settled").code == 0
    document = ctl("revisions", "ES", SESSION, "-w", workspace, "--json").document
    assert document["revisions"] == []
    readings = {(each["series"], each["name"]) for each in document["readings"] if each["vendor"] == "databento"}
    assert readings == {
        ("contracts", "lock v1"), ("contracts settlement", "lock v2"), ("contracts settlement", "now"),
    }  # fmt: skip
