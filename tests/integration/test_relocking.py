"""What a plan and a lock say of the locks before: whether a flaw creeps, and how many locks followed a refusal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

REFERENCE = "data/raw/tradestation/TS_ES_CUSTOM_{}_1D_20180102_20260227.csv"


@pytest.fixture(scope="module")
def crept(filled_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 2 after a setting alone, version 3 after a refusal for a restated reference."""
    from ctl.cli import main

    folder = tmp_path_factory.mktemp("relocking") / "workspace"
    shutil.copytree(filled_workspace, folder)
    assert main(["lock", "-w", str(folder), "--set", "ratchet=0.9", "--reason", "less room"]) == 0
    for series in ("ADJ", "UNADJ"):
        path = folder / REFERENCE.format(series)
        lines = path.read_text().splitlines()
        for number in range(len(lines) - 300, len(lines) - 100):
            fields = lines[number].split(",")
            fields[2:6] = [f"{float(value) + 1.0}" for value in fields[2:6]]
            lines[number] = ",".join(fields)
        path.write_text("\n".join([*lines, ""]))
    assert main(["gate", "-w", str(folder)]) == 2
    assert main(["lock", "-w", str(folder), "--reason", "the vendor restated"]) == 0
    return folder


def locked_drift(folder: Path, version: int) -> float:
    path = folder / f"configs/cutover/operating_profile_v{version}.lock.json"
    return float(json.loads(path.read_text())["symbols"]["ES"]["metrics"]["mean_drift"])


def test_a_plan_shows_the_drift_of_every_version_and_counts_refusals(crept: Path, ctl: Any) -> None:
    document = ctl("plan", "-w", crept, "--set", "ratchet=0.8", "--json").document
    earlier = document["earlier"]
    assert [(each["version"], each["mean_drift"]["ES"]) for each in earlier["versions"]] == [
        (version, locked_drift(crept, version)) for version in (1, 2, 3)
    ]
    assert locked_drift(crept, 3) != locked_drift(crept, 1), "the restated reference moved it"
    assert (earlier["days"], earlier["recent"], earlier["after_refusal"], earlier["refused"]) == (90, 2, 1, [])
    out = ctl("plan", "-w", crept, "--set", "ratchet=0.8").out
    drifts = ", ".join(f"v{version} {locked_drift(crept, version):.2f}" for version in (1, 2, 3))
    assert f"ES drift  {drifts}" in out
    assert "2 in 90 days, 1 after a refusal" in out


def test_the_entry_of_a_lock_after_a_refusal_says_so(crept: Path) -> None:
    entries = [json.loads(line) for line in (crept / "docs/governance/decision_log.jsonl").read_text().splitlines()]
    second, third = entries[-2:]
    assert not any(text.startswith("the gate refused") for text in second["inputs"])
    (said,) = [text for text in third["inputs"] if text.startswith("the gate refused before this lock: ")]
    assert "RESTATED_HISTORY" in said


def test_a_lock_file_that_is_not_as_it_was_cited_says_nothing(crept: Path, tmp_path: Path, ctl: Any) -> None:
    folder = tmp_path / "workspace"
    shutil.copytree(crept, folder)
    path = folder / "configs/cutover/operating_profile_v1.lock.json"
    path.write_bytes(path.read_bytes() + b" ")
    (folder / "configs/cutover/operating_profile_v2.lock.json").unlink()
    versions = ctl("plan", "-w", folder, "--json").document["earlier"]["versions"]
    assert [bool(each["mean_drift"]) for each in versions] == [False, False, True]


def test_a_plan_after_a_refusal_says_that_the_lock_would_follow_it(workspace: Path, ctl: Any) -> None:
    config = workspace / "ctl.toml"
    config.write_text(config.read_text().replace("r_percent = 1.0", "r_percent = 0.5"))
    found = ctl("plan", "-w", workspace, "--json").document["earlier"]
    assert found["refused"] == ["WORKSPACE_CHANGED"]
    assert "this one follows WORKSPACE_CHANGED" in ctl("plan", "-w", workspace).out
