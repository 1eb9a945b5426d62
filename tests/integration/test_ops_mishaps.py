"""What goes wrong around weekly cycles on a Monday morning, one mishap a test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import BOARD, MadeUp, make_workspace

from ctl import store

HELD = {
    "symbol": "PL", "contract": "PLJ26", "quantity": 3, "entry_session": "2026-01-02", "entry_price": 2341.9,
    "stop": 2321.9,
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path, made_up: MadeUp) -> store.Workspace:
    return make_workspace(tmp_path)


def test_a_cycle_without_orders_names_what_is_held_and_its_stop(
    ctl: Callable[..., Any], workspace: store.Workspace, made_up: MadeUp
) -> None:
    assert ctl("ops", "-w", workspace.root).code == 0
    (path,) = workspace.run_summaries.glob("*.json")
    summary = json.loads(path.read_text())
    path.write_text(json.dumps(summary | {"orders": {"held": [HELD]}}))
    made_up(board={**BOARD, "PL": "REJECT"})
    refused = ctl("ops", "-w", workspace.root, "--notify", "stdout", "--json")
    assert refused.code == 2
    text = refused.document["notification"]["text"]
    assert "No orders. Held: PL 3 from 2341.9, watch its stop 2321.9 yourself. " in text
    assert len(text.splitlines()) <= 12


@pytest.mark.parametrize("mishap", ["moved", "logs deleted", "copied halfway"])
def test_the_next_cycle_of_a_handled_workspace_is_whole(
    ctl: Callable[..., Any], workspace: store.Workspace, tmp_path_factory: pytest.TempPathFactory, mishap: str
) -> None:
    assert ctl("ops", "-w", workspace.root).code == 0
    root = workspace.root
    match mishap:
        case "moved":
            root = workspace.root.rename(tmp_path_factory.mktemp("elsewhere") / "workspace")
        case "logs deleted":
            shutil.rmtree(workspace.ops_logs)
        case "copied halfway":  # what an interrupted rsync leaves: a part of a file under a name of its own
            (log,) = workspace.ops_logs.iterdir()
            log.with_name(f".{log.name}.Xy3k9Q").write_bytes(log.read_bytes()[:200])
    assert ctl("ops", "-w", root).code == 0
    status = ctl("status", "-w", root, "--json").document
    assert (status["verdict"], len(status["runs"])) == ("OK", 1 if mishap == "logs deleted" else 2)
