"""A cycle is opened by a lock; WATCH ends with its last day; failures are one document under --json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from published_schemas import check

V1 = "configs/cutover/operating_profile_v1.yaml"


def test_a_cycle_is_opened_by_a_lock(workspace: Path, ctl: Any) -> None:
    ran = ctl("lock", "--cycle", "cutover_v2", "--reason", "the next vendor", "-w", workspace)
    assert ran.code == 0, ran.err
    config = (workspace / "ctl.toml").read_text()
    assert 'cycle_id = "cutover_v2"' in config
    assert "operating_profile_v2.yaml" in config
    assert "cycle_id: cutover_v2" in (workspace / V1.replace("_v1", "_v2")).read_text()
    assert ctl("gate", "-w", workspace).code == 0
    assert ctl("verify", "-w", workspace).code == 0
    for name in ("cutover_v2", "../x"):
        assert ctl("lock", "--cycle", name, "--reason", "again", "-w", workspace).code == 64
    (workspace / "ctl.toml").write_text(config.replace('cycle_id = "cutover_v2"', 'cycle_id = "cutover_v1"'))
    refused = ctl("gate", "-w", workspace, "--json")
    assert refused.code == 2
    assert "CYCLE_MISMATCH" in {problem["code"] for problem in refused.document["problems"]}


def test_watch_ends_with_its_last_day(workspace: Path, ctl: Any) -> None:
    dated = ("--set", "ES.watch_until=2026-01-31", "--reason", "ES is to be mended by then")
    refused = ctl("lock", *dated, "-w", workspace)
    assert refused.code == 2, "what has expired already passes no gate, so it is not locked"
    assert "accepted until 2026-01-31" in refused.err
    later = ("--set", "ES.watch_until=2099-12-31", "--reason", "ES is to be mended by then")
    assert ctl("lock", *later, "-w", workspace).code == 0
    assert ctl("gate", "-w", workspace).code == 0


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["gate", "--as-of", "soon"], "USAGE", 64),
        (["gate", "--nonsense"], "USAGE", 64),
        (["ops", "--as-of", "2026-02-13"], "USAGE", 64),
        (["run", "--profile", V1], "USAGE", 64),
        (["certify", "NQ"], "USAGE", 64),
        (["lock", "--reason", " "], "USAGE", 64),
        (["data", "head", "NQ"], "USAGE", 64),
        (["gate", "-w", "nowhere"], "WORKSPACE_UNUSABLE", 1),
    ],
)
def test_an_error_is_one_document(
    workspace: Path, ctl: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], code: str, exit_code: int
) -> None:
    monkeypatch.chdir(workspace)
    ran = ctl(*words, "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["kind"], document["code"], document["exit_code"]) == (
        exit_code,
        "error",
        code,
        exit_code,
    )
    check("error_v1.schema.json", document)


@pytest.mark.parametrize("command", ["gate", "run", "orders", "plan", "certify"])
def test_a_refused_profile_is_one_document_with_every_problem(workspace: Path, ctl: Any, command: str) -> None:
    path = workspace / V1
    path.write_text(path.read_text().replace("tick_size: 0.25", "tick_size: -1").replace("WATCH", "MAYBE"))
    ran = ctl(command, "-w", workspace, "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["kind"], document["code"]) == (2, "error", "PROFILE_INVALID")
    assert len(document["problems"]) > 1
