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


# ---------------------------------------------------------------- policy e1

TICKS = 100  # closes of the reference file lie on cents


def change_reference(workspace: Path, change: Any) -> None:
    """Rewrite the prices of the reference's AAPL file; change(session as MM/DD/YYYY, price) gives each price."""
    (path,) = (workspace / "data/raw/tradestation").glob("TS_AAPL_1D_*.csv")
    head, *lines = path.read_text().splitlines()
    made = []
    for line in lines:
        cells = line.split(",")
        day = cells[0].strip('"')
        cells[2:6] = [f"{round(change(day, float(cell)) * TICKS) / TICKS:.2f}" for cell in cells[2:6]]
        made.append(",".join(cells))
    path.write_text("\n".join([head, *made]) + "\n")


def decided(ctl: Any, workspace: Path, symbol: str = "AAPL") -> tuple[str, set[str]]:
    document = certificate(ctl, workspace, symbol)
    return document["decision"], {f"{reason['code']} {reason['severity']}" for reason in document["reasons"]}


@pytest.mark.parametrize("symbol", ["AAPL", "XLE"])
def test_the_simulated_shares_are_decided_on_without_layers_of_futures(
    filled_workspace: Path, ctl: Any, symbol: str
) -> None:
    document = certificate(ctl, filled_workspace, symbol)
    assert document["decision"] == "ACCEPT"
    assert document["acceptance"]["policy"] == "e1"
    statuses = {name: layer["status"] for name, layer in document["layers"].items()}
    assert statuses == {"L0": "PASS", "L1": "PASS", "L2": "N/A", "L3": "N/A", "L4": "PASS", "L5": "PASS"}
    assert document["layers"]["L4"]["values"]["mean_deviation"] <= 0.001
    for text in [layer["text"] + layer["title"] for layer in document["layers"].values()]:
        assert "contract" not in text
        assert "roll" not in text


@pytest.mark.parametrize(
    ("factor", "decision", "reasons"),
    [(1.003, "WATCH", {"MEAN_DEVIATION WATCH"}), (1.01, "REJECT", {"MEAN_DEVIATION REJECT"})],
)
def test_a_share_whose_closes_lie_apart_is_watched_and_then_rejected(
    workspace: Path, ctl: Any, factor: float, decision: str, reasons: set[str]
) -> None:
    change_reference(workspace, lambda day, price: price * factor)
    assert decided(ctl, workspace) == (decision, reasons)


@pytest.mark.parametrize(
    ("factor", "decision", "reasons"),
    [(1.03, "WATCH", {"MAX_DEVIATION WATCH"}), (1.07, "REJECT", {"MAX_DEVIATION REJECT"})],
)
def test_one_close_far_apart_counts_by_itself(
    workspace: Path, ctl: Any, factor: float, decision: str, reasons: set[str]
) -> None:
    change_reference(workspace, lambda day, price: price * (factor if day == "05/15/2024" else 1.0))
    assert decided(ctl, workspace) == (decision, reasons)


def test_an_action_that_leaves_a_step_is_not_explained(workspace: Path, ctl: Any) -> None:
    """All prices of the reference before the split of 31 August 2020 are 1 % off."""
    change_reference(workspace, lambda day, price: price * (1.01 if (day[6:], day[:5]) < ("2020", "08/31") else 1.0))
    decision, reasons = decided(ctl, workspace)
    assert decision == "REJECT"
    assert "ACTION_UNEXPLAINED REJECT" in reasons


def test_a_split_that_the_actions_lack_is_not_explained(workspace: Path, ctl: Any) -> None:
    path = workspace / "data/raw/actions/AAPL.csv"
    path.write_text(
        "\n".join(line for line in path.read_text().splitlines() if not line.startswith("2020-08-31")) + "\n"
    )
    document = certificate(ctl, workspace, "AAPL")
    assert document["decision"] == "REJECT"
    assert [reason["code"] for reason in document["reasons"]] == ["ACTION_UNEXPLAINED"]
    assert document["layers"]["L5"]["status"] == "NOT_RUN"


def test_a_share_gates_is_run_and_locked(workspace: Path, ctl: Any) -> None:
    (profile,) = (workspace / "configs").glob("*/operating_profile_v1.yaml")
    text = profile.read_text()
    text = text.replace("  - PL\n\nnon_gating", "  - PL\n  - AAPL\n\nnon_gating")
    text = text.replace("  AAPL:\n    role: equity reference\n    reason: basis-alignment workstream\n", "")
    text = text.replace(
        "symbol_settings:\n",
        "symbol_settings:\n  AAPL:\n    tick_size: 0.01\n    max_day_delta: 3\n    expected_status: ACCEPT\n"
        "    slippage_per_side: 0.01\n    quote_unit: USD\n    asset_class: equity\n    reference: tradestation\n",
    )
    profile.write_text(text)
    refused = ctl("lock", "--reason", "a share gates", "-w", workspace)
    assert refused.code != 0
    assert "portfolio_scope" in refused.err + refused.out
    wrong = text.replace("futures_only", "futures_and_equities").replace("    asset_class: equity\n", "")
    profile.write_text(wrong)
    refused = ctl("lock", "--reason", "a share gates", "-w", workspace)
    assert refused.code != 0
    assert "asset_class" in refused.err + refused.out
    profile.write_text(text.replace("futures_only", "futures_and_equities"))
    assert ctl("lock", "--reason", "a share gates", "-w", workspace).code == 0
    gated = ctl("gate", "-w", workspace, "--json")
    assert gated.code == 0
    ran = ctl("run", "-w", workspace, "--json")
    assert ran.code == 0, ran.err
    (share,) = [item for item in ran.document["symbol_run_results"] if item["symbol"] == "AAPL"]
    assert share["status"] == "EXECUTED"
    parity = certificate(ctl, workspace, "AAPL")["layers"]["L5"]["values"]
    assert share["metrics"]["total_r"] == pytest.approx(parity["canonical_total_r"], abs=1e-9)
