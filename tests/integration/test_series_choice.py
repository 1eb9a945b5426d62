"""The series that a profile names is built, certified, run and ordered on, as its certificate announced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

DATABENTO = "data/raw/databento"


def parts(workspace: Path, symbol: str) -> list[Path]:
    return [workspace / f"{DATABENTO}{kind}" / symbol for kind in ("", "_hourly", "_statistics")]


@pytest.mark.parametrize(
    ("symbol", "name", "options"),
    [("ES", "settlement", ("--closes", "settlement")), ("PL", "session", ("--bars", "session"))],
)
def test_the_chosen_series_shows_what_the_certificate_announced(
    filled_workspace: Path, ctl: Any, symbol: str, name: str, options: tuple[str, ...]
) -> None:
    before = ctl("certify", symbol, "-w", filled_workspace, "--json").document
    announced = before["counterfactuals"]["alternatives"][name]
    chosen = ctl("certify", symbol, "-w", filled_workspace, *options, "--json").document
    assert (chosen["decision"], chosen["mean_drift"]) == (announced["decision"], announced["mean_drift"])
    # What moved a trade is told by the ledger, whose closes are those of the series as built there.
    shown, expected = chosen["layers"]["L5"]["values"], announced["functional"]["figures"]
    assert (shown["moved_note"], expected["moved"]) == (None, [])
    assert expected["moved_note"] != ""
    causes = {"moved": None, "moved_note": None}
    assert {**shown, **causes} == {**expected, **causes}
    back = chosen["counterfactuals"]["alternatives"]["daily"]
    assert (back["decision"], back["mean_drift"]) == (before["decision"], before["mean_drift"])
    assert name not in chosen["counterfactuals"]["alternatives"]


def test_a_locked_series_is_traded(workspace: Path, ctl: Any) -> None:
    announced = ctl("certify", "ES", "-w", workspace, "--json").document["counterfactuals"]["alternatives"]
    chosen = ("--set", "ES.series.closes=settlement")
    assert ctl("lock", *chosen, "--reason", "settlement closes", "-w", workspace).code == 0
    ran = ctl("run", "-w", workspace, "--json")
    assert ran.code == 0, ran.err
    (es,) = [item for item in ran.document["symbol_run_results"] if item["symbol"] == "ES"]
    assert es["metrics"]["trade_count"] == announced["settlement"]["functional"]["trades"]
    assert es["metrics"]["total_r"] == pytest.approx(
        announced["settlement"]["functional"]["figures"]["canonical_total_r"], abs=1e-9
    )
    (entry,) = [item for item in ran.document["plan"]["entries"] if item["symbol"] == "ES"]
    assert entry["series"] == {"bars": "daily", "closes": "settlement"}
    built = ctl("build", "ES", "-w", workspace, "--json").document
    assert built["close_basis"] == "settlement"
    path = workspace / ran.document["summary_path"]
    trades = pl.read_parquet(path.parent / json.loads(path.read_bytes())["trades"]["file"])
    series = pl.read_parquet(next(workspace.glob("data/processed/**/ES_continuous.parquet")))
    held = trades.filter(pl.col("symbol") == "ES").join(series, left_on="entry_session", right_on="session")
    assert held["entry_contract"].to_list() == held["contract"].to_list()
    raw = held["entry_price"] - held["adjustment"]
    assert held["entry_raw_price"].to_list() == pytest.approx(raw.to_list(), abs=1e-9)


def test_plain_files_of_several_kinds_make_the_same_series(filled_workspace: Path, ctl: Any, tmp_path: Path) -> None:
    files = [path for folder in parts(filled_workspace, "PL") for path in sorted(folder.iterdir())]
    choice = ("--bars", "session", "--closes", "settlement")
    common = ("--root", "PL", "--months", "FJNV", *choice, "--json")
    plain = ctl("build", "--contracts", *files, *common)
    assert plain.code == 0, plain.err
    folder = ctl("build", "--contracts", *parts(filled_workspace, "PL"), *common)
    assert plain.document["rolls"] == folder.document["rolls"]
    assert (plain.document["session_basis"], plain.document["close_basis"]) == ("exchange_session", "settlement")
    missing = ctl("build", "--contracts", parts(filled_workspace, "PL")[0], *common)
    assert missing.code == 1
    assert "--contracts" in missing.err


def test_a_series_whose_files_are_missing_is_refused(filled_workspace: Path, ctl: Any) -> None:
    ran = ctl("certify", "CL", "-w", filled_workspace, "--bars", "session")
    assert ran.code == 1
    assert "intraday" in ran.err
