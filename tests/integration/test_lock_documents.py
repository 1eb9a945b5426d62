"""What plan, lock, profile diff, replay and build write fits its published schema, on the clean market and off it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from published_schemas import check

from ctl import demo

V1, V2 = (f"configs/cutover/operating_profile_v{version}.yaml" for version in (1, 2))


def test_the_documents_of_a_changed_lock_fit_their_schemas(workspace: Path, ctl: Any) -> None:
    for name, data in demo.generate(inject=[("unadjusted-roll", "CL")]).items():
        if name.startswith("data/raw/"):
            (workspace / name).write_bytes(data)
    plan = ctl("plan", "-w", workspace, "--json").document
    assert plan["changed"] is True
    check("lock_plan_v1.schema.json", plan)
    locked = ctl("lock", "-w", workspace, "--reason", "reviewed", "--json").document
    check("lock_v1.schema.json", locked)
    difference = ctl("profile", "diff", workspace / V1, workspace / V2, "--json").document
    assert difference["changes"]
    check("profile_difference_v1.schema.json", difference)


def test_an_unreadable_symbol_fits_the_plan_and_a_blocked_week_fits_the_replay(workspace: Path, ctl: Any) -> None:
    for path in (workspace / "data/raw/databento/CL").iterdir():
        path.write_bytes(b"no bars")
    plan = ctl("plan", "-w", workspace, "--json").document
    assert plan["lockable"] is False
    check("lock_plan_v1.schema.json", plan)
    replay = ctl("replay", "-w", workspace, "--from", "2026-02-09", "--to", "2026-02-22", "--json").document
    assert replay["blocked"] == 2
    check("replay_v1.schema.json", replay)


@pytest.mark.parametrize("policy", ["volume", "calendar", "databento_v"])
def test_a_roll_manifest_fits_its_schema(workspace: Path, ctl: Any, policy: str) -> None:
    files = workspace / "data/raw/databento/PL"
    ran = ctl("build", "--contracts", files, "--root", "PL", "--policy", policy, "--out", workspace / "out", "--json")
    assert ran.code == 0, ran.err
    assert ran.document["rolls"]
    check("roll_manifest_v1.schema.json", ran.document)


def test_the_manifest_beside_a_workspace_series_fits_its_schema(workspace: Path, ctl: Any) -> None:
    document = ctl("build", "ES", "-w", workspace, "--json").document
    assert document["outputs"]
    check("roll_manifest_v1.schema.json", document)


def test_a_document_that_says_more_or_less_does_not_fit(workspace: Path, ctl: Any) -> None:
    plan = ctl("plan", "-w", workspace, "--json").document
    with pytest.raises(AssertionError, match="unknown surprise"):
        check("lock_plan_v1.schema.json", {**plan, "surprise": 1})
    del plan["inputs"]
    with pytest.raises(AssertionError, match="lacks inputs"):
        check("lock_plan_v1.schema.json", plan)
