"""Every document that a cycle writes fits its published schema, in every ending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import INSTANT, MadeUp, make_workspace
from published_schemas import check

from ctl.flows import portfolio
from ctl.model.documents import document
from ctl.ops import weekly
from ctl.run_orchestrator import RunOptions


def fail(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize("ending", ["passed", "dry", "mismatch", "profile", "error", "symbol"])
def test_documents_fit_their_schemas(tmp_path: Path, made_up: MadeUp, monkeypatch: Any, ending: str) -> None:
    workspace = make_workspace(tmp_path)
    if ending == "mismatch":
        made_up(board={"ES": "REJECT", "CL": "ACCEPT", "PL": "WATCH"})
    elif ending == "profile":
        workspace.profile_path.write_bytes(b"nothing: here\n")
    elif ending == "error":
        monkeypatch.setattr(portfolio, "gate", fail)
    elif ending == "symbol":
        made_up(run_symbol=fail)
    options = weekly.WeeklyOptions(run=RunOptions(dry_run=ending == "dry"))
    found = weekly.run_weekly(workspace, options, instant=INSTANT)
    check("ops_log_v1.schema.json", json.loads(found.log_path.read_bytes()))
    if found.decision is not None:
        check("gate_result_v1.schema.json", document(found.decision))
    if found.summary is not None:
        check("run_summary_v1.schema.json", document(found.summary))
    if found.log.summary_path is not None:
        summary = json.loads((workspace.root / found.log.summary_path).read_bytes())
        check("run_summary_v1.schema.json", summary)
        check("gate_result_v1.schema.json", summary["gate_result"])


def test_the_checker_can_fail() -> None:
    with pytest.raises(AssertionError):
        check("ops_log_v1.schema.json", {"timestamp": 1})
