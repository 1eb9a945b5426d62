"""`ctl calibrate slippage`: proposals beside the lock, which stays as it is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import ctl as package


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_bars_propose_for_every_gating_symbol_and_change_nothing(ctl, workspace: Path):
    before = everything(workspace)
    document = ctl("calibrate", "slippage", "-w", workspace, "--json").document
    assert [item["symbol"] for item in document["symbols"]] == ["ES", "CL", "PL"]
    for item in document["symbols"]:
        found = item["calibration"]
        assert found["method"] == "proxy"
        assert found["low"] <= found["per_side"] <= found["high"]
        assert found["proposed"] >= found["per_side"]
        assert found["proposed"] == pytest.approx(found["proposed_ticks"] * found["tick"])
    assert [item["locked"] for item in document["symbols"]] == [0.25, 0.01, 0.1]
    shown = ctl("calibrate", "slippage", "-w", workspace).out
    assert "nothing changed" in shown
    assert "simulated market" in shown
    assert everything(workspace) == before
    larger = ctl("calibrate", "slippage", "PL", "--lots", "300", "-w", workspace, "--json").document["symbols"][0]
    assert larger["calibration"]["parts"]["impact"]["value"] == pytest.approx(
        10 * document["symbols"][2]["calibration"]["parts"]["impact"]["value"]
    )


def test_fills_are_measured_against_the_open_of_the_contract(ctl, workspace: Path, tmp_path: Path):
    bars = package.load(workspace / "data" / "raw" / "databento" / "ES", root="ES")
    frame = package.build(bars, months="HMUZ").frame.filter(pl.col("high") - pl.col("open") >= 0.75).tail(12)
    raw = frame.select("session", price=pl.col("open") - pl.col("adjustment"))
    rows = [f"{session},ES,buy,1,{price + 0.75}" for session, price in raw.iter_rows()]
    path = tmp_path / "fills.csv"
    path.write_text("session,symbol,side,quantity,price\n" + "\n".join(rows))
    found = ctl("calibrate", "slippage", "--fills", path, "-w", workspace, "--json").document["symbols"]
    assert [item["calibration"]["method"] for item in found] == ["fills", "proxy", "proxy"]
    fills = found[0]["calibration"]
    assert fills["per_side"] == pytest.approx(0.75)
    assert (fills["proposed"], fills["parts"]["fills"]["count"]) == (0.75, 12)
    assert found[0]["locked_outside_interval"] is True


def test_bad_arguments_and_files_are_one_clear_error(ctl, workspace: Path, tmp_path: Path):
    unknown = ctl("calibrate", "slippage", "NQ", "-w", workspace)
    assert unknown.code == 64
    path = tmp_path / "fills.csv"
    path.write_text("session,symbol,side,quantity,price\n1999-01-04,ES,buy,1,100\n")
    refused = ctl("calibrate", "slippage", "ES", "--fills", path, "-w", workspace)
    assert refused.code == 1
    assert "fills.csv:2: no bar of the fill's session; found 1999-01-04" in refused.err
    assert refused.out == ""
