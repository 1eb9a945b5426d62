"""What certifying leaves on disk, and which options it takes."""

from __future__ import annotations

import json
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
