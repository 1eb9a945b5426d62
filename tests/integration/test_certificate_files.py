"""What certifying leaves on disk, and which options it takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ctl import demo

TABLES = {"L2_roll_schedule.csv", "L3_roll_gaps.csv", "L4_drift.csv", "L4_ledger.json", "L5_trades.csv"}


def test_tables_of_an_earlier_certificate_do_not_stay_beside_another_verdict(workspace: Path, ctl: Any) -> None:
    folder = workspace / "data/processed/cutover_v1/certificates/PL"
    assert ctl("certify", "PL", "-w", workspace).code == 0
    assert {path.name for path in folder.iterdir()} == TABLES | {"PL_certificate.json"}
    (folder / "my_notes.txt").write_text("mine")
    for name, data in demo.generate(inject=[("wrong-commodity", "PL")]).items():
        if name.startswith("data/raw/"):
            (workspace / name).write_bytes(data)
    assert ctl("certify", "PL", "-w", workspace).code == 0
    assert json.loads((folder / "PL_certificate.json").read_bytes())["decision"] == "REJECT"
    assert {path.name for path in folder.iterdir()} == {"PL_certificate.json", "my_notes.txt"}


def test_another_acceptance_policy_is_shown_and_not_written(workspace: Path, ctl: Any) -> None:
    folder = workspace / "data/processed/cutover_v1/certificates/ES"
    shown = ctl("certify", "ES", "-w", workspace, "--acceptance", "v2", "--json").document
    assert shown["acceptance"]["policy"] == "v2"
    assert not folder.exists()
    assert ctl("certify", "ES", "-w", workspace, "--acceptance", "v1").code == 0
    assert (folder / "ES_certificate.json").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("certify", "ES", "--tick", "1"),
        ("certify", "ES", "--max-day-delta", "0"),
        ("certify", "ES", "--policy", "calendar"),
        ("certify", "ES", "--policy", "volume"),
        ("certify", "--out", "somewhere"),
        ("certify", "ES", "--calendar", "none"),
        ("build", "ES", "--months", "H"),
        ("build", "--out", "somewhere"),
    ],
)
def test_options_of_plain_files_are_refused_in_a_workspace(
    filled_workspace: Path, ctl: Any, words: tuple[str, ...]
) -> None:
    ran = ctl(*words, "-w", filled_workspace)
    assert ran.code == 64
    assert f"{next(word for word in words if word.startswith('--'))} goes with --contracts only" in ran.err
    assert ran.out == ""


def test_one_symbol_that_cannot_be_read_leaves_the_others_certified(workspace: Path, ctl: Any) -> None:
    (workspace / "data/raw/actions/AAPL.csv").unlink()
    ran = ctl("certify", "-w", workspace, "--json")
    assert ran.code == 1
    assert "AAPL was not certified" in ran.err
    assert sorted(ran.document.keys() - {"kind", "schema_version"}) == ["CL", "ES", "PA", "PL", "XLE"]
    assert (workspace / "data/processed/cutover_v1/certificates/XLE/XLE_certificate.json").is_file()


def test_a_certificate_is_the_same_in_every_folder_also_where_a_file_beside_it_is_broken(
    workspace: Path, tmp_path: Path, ctl: Any
) -> None:
    for name in ("databento_statistics/ES", "tradestation_contracts/ES", "databento_hourly/PL"):
        for path in (workspace / "data/raw" / name).iterdir():
            path.write_bytes(path.read_bytes()[:40])
    other = shutil.copytree(workspace, tmp_path / "elsewhere")
    one, two = (ctl("certify", "-w", folder, "--json").document for folder in (workspace, other))
    for symbol in ("ES", "PL"):
        assert one[symbol] == two[symbol]
        assert str(workspace) not in json.dumps(one[symbol])
    assert one["ES"]["counterfactuals"]["alternatives"]["settlement"]["status"] == "ERROR"


def test_the_basis_of_an_equity_is_no_setting_of_a_future(workspace: Path, ctl: Any) -> None:
    path = workspace / "ctl.toml"
    path.write_text(path.read_text().replace("[symbols.ES]\n", '[symbols.ES]\ncommon_basis = "raw"\n'))
    ran = ctl("certify", "CL", "-w", workspace)
    assert ran.code == 1
    assert "symbols.ES.common_basis: found 'raw'; expected raw, split_adjusted or total_return, of an equity" in ran.err


def test_certificates_on_one_screen_stand_apart(workspace: Path, ctl: Any) -> None:
    ran = ctl("certify", "CL", "PL", "-w", workspace)
    assert ran.code == 0
    assert ran.out.count("\n\nPL: ") == 1
