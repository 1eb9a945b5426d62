"""Every document that a cycle writes fits its published schema, in every ending."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import INSTANT, make_steps, make_workspace
from published_schemas import check

from ctl.ops import weekly


def fail(_: Any) -> Any:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize("ending", ["passed", "dry", "mismatch", "profile", "error", "symbol"])
def test_documents_fit_their_schemas(tmp_path: Path, ending: str) -> None:
    workspace = make_workspace(tmp_path)
    steps = make_steps(workspace)
    if ending == "mismatch":
        steps = make_steps(workspace, board={"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"})
    elif ending == "profile":
        workspace.profile_path.write_bytes(b"nothing: here\n")
    elif ending == "error":
        steps = replace(steps, decide=fail)
    elif ending == "symbol":
        steps = make_steps(workspace, run_symbol=fail)
    found = weekly.run_weekly(workspace, steps, weekly.WeeklyOptions(dry_run=ending == "dry"), instant=INSTANT)
    assert found.log_path is not None
    check("ops_log_v1.schema.json", json.loads(found.log_path.read_bytes()))
    if found.decision is not None:
        check("gate_result_v1.schema.json", found.decision.to_document())
    if found.summary is not None:
        check("run_summary_v1.schema.json", found.summary.to_document())
    if found.document["summary_path"] is not None:
        summary = json.loads((workspace.root / found.document["summary_path"]).read_bytes())
        check("run_summary_v1.schema.json", summary)
        check("gate_result_v1.schema.json", summary["gate_result"])


def test_the_checker_can_fail() -> None:
    with pytest.raises(AssertionError):
        check("ops_log_v1.schema.json", {"timestamp": 1})
