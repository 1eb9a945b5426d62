"""Equities in the simulated workspace: compared on the declared basis, refused by name on none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard


def finding(document: dict[str, Any], check: str) -> dict[str, Any]:
    return next(item for item in document["layers"]["L0"]["findings"] if item["check"] == check)


def certificate(ctl: Any, workspace: Path, symbol: str) -> dict[str, Any]:
    ran = ctl("certify", symbol, "-w", workspace, "--json")
    assert ran.code == 0, ran.err
    document: dict[str, Any] = ran.document
    return document


def edit(path: Path, old: str, new: str, count: int = 1) -> None:
    text = path.read_text()
    assert text.count(old) == count
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("symbol", "basis", "formula"), [("AAPL", "split_adjusted", None), ("XLE", "total_return", "ex_close")]
)
def test_both_sides_are_compared_on_the_declared_basis(
    filled_workspace: Path, ctl: Any, symbol: str, basis: str, formula: str | None
) -> None:
    """The generator's reference is split-adjusted for AAPL, C/(C+D) total return for XLE; closes differ by cents."""
    document = certificate(ctl, filled_workspace, symbol)
    assert finding(document, "adjustment_basis")["status"] == "PASS"
    assert finding(document, "reference_match")["value"] > 0.99
    assert finding(document, "tick_grid")["status"] == "PASS"
    held = document["equity_basis"]
    assert (held["canonical_basis"], held["reference_basis"], held["common_basis"]) == ("raw", basis, basis)
    assert held["dividend_formula"] == formula
    assert document["layers"]["L4"]["values"]["mean_drift"] < 0.1
    assert document["inputs"]["reference_adjusted"]["adjustment_basis"] == basis


def test_without_a_declared_basis_the_pair_is_refused_by_name(workspace: Path, ctl: Any) -> None:
    edit(workspace / "ctl.toml", 'common_basis = "split_adjusted"\n', "")
    document = certificate(ctl, workspace, "AAPL")
    assert document["decision"] == "ERROR"
    assert finding(document, "adjustment_basis")["code"] == "BASIS_DIFFERS"
    assert finding(document, "reference_match")["status"] == "NOT_RUN"
    assert "canonical is raw, reference split_adjusted" in document["layers"]["L0"]["text"]
    assert document["mean_drift"] is None


def test_a_system_of_record_that_was_adjusted_is_told(workspace: Path, ctl: Any) -> None:
    """Prices before the split of 31 August 2020 divided by 4 once, then twice, in the file itself."""
    (path,) = (workspace / "data/raw/databento/AAPL").iterdir()
    raw = pl.read_csv(zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read())

    def divided(times: int) -> dict[str, Any]:
        before = pl.col("ts_event") < "2020-08-31"
        columns = ("open", "high", "low", "close")
        frame = raw.with_columns(pl.when(before).then(pl.col(columns) / 4**times).otherwise(pl.col(columns)))
        path.write_bytes(zstandard.compress(frame.write_csv(float_precision=9).encode()))
        return certificate(ctl, workspace, "AAPL")

    edit(workspace / "ctl.toml", 'common_basis = "split_adjusted"\n', "")
    once = divided(1)
    assert finding(once, "adjustment_basis")["code"] == "BASIS_MISSTATED"
    assert "canonical is stated as raw, but splits are in the earlier prices" in once["layers"]["L0"]["text"]
    assert finding(once, "reference_match")["status"] == "PASS"  # the reference is split-adjusted as well
    assert finding(divided(2), "adjustment_basis")["code"] == "DOUBLE_ADJUSTED"


def test_missing_or_wrong_settings_are_one_error(workspace: Path, ctl: Any) -> None:
    (workspace / "data/raw/actions/AAPL.csv").unlink()
    ran = ctl("certify", "AAPL", "-w", workspace)
    assert ran.code == 1
    assert "AAPL.csv" in ran.err
    edit(workspace / "ctl.toml", 'common_basis = "total_return"', 'common_basis = "adjusted"')
    ran = ctl("certify", "XLE", "-w", workspace)
    assert ran.code == 1
    assert "common_basis: found 'adjusted'; expected raw, split_adjusted or total_return" in ran.err


@pytest.mark.parametrize(("symbol", "as_of"), [("AAPL", "2020-06-30"), ("XLE", "2022-06-30")])
def test_as_of_an_earlier_date_the_factors_of_later_actions_are_taken_off(
    filled_workspace: Path, ctl: Any, symbol: str, as_of: str
) -> None:
    """The files were made after Apple's split of August 2020 and after every dividend of the fund."""
    ran = ctl("certify", symbol, "-w", filled_workspace, "--as-of", as_of, "--json")
    held = finding(ran.document, "adjustment_basis")
    assert f"the reference carries actions after {as_of}" in held["text"]
    assert (held["status"], held["code"]) == ("PASS", None)
    assert ran.document["layers"]["L4"]["values"]["mean_drift"] < 0.5
    assert finding(ran.document, "reference_match")["status"] == "PASS"
