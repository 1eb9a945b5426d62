"""What goes wrong around weekly cycles on a Monday morning, one mishap a test."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ops_workspace import BOARD, INSTANT, MadeUp, make_workspace

from ctl import store
from ctl.ops import weekly
from ctl.store.registry import Registry

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
    assert (status["verdict"], len(status["runs"])) == ("OK", 2)  # of a deleted log the run's own summary stands


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_an_hour_off_and_set_right_loses_no_run(workspace: store.Workspace, hours: int) -> None:
    """As daylight saving does to a machine whose clock is local: both runs are on record, in their order."""
    for off in (0, hours):
        instant = INSTANT + timedelta(hours=off)
        done = weekly.run_weekly(workspace, weekly.WeeklyOptions(), instant=instant)
        assert (done.log.exit_code, done.warnings) == (0, ())
    held = Registry(workspace)
    held.sync()
    assert [run.begun for run in held.runs(limit=5)] == sorted(
        [INSTANT, INSTANT + timedelta(hours=hours)], reverse=True
    )
    held.close()
    assert len(list(workspace.run_summaries.glob("*.json"))) == 2


@pytest.mark.parametrize("command", [["ops"], ["run"], ["lock", "--reason", "x"], ["decide", "--decision", "a",
                                     "--rationale", "b"]])  # fmt: skip
def test_a_disk_that_does_not_lock_is_refused(
    ctl: Callable[..., Any], workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))  # what a network drive without a lock daemon answers

    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    monkeypatch.setattr(fcntl, "flock", refuse)
    found = ctl(*command, "-w", workspace.root)
    assert found.code == 1
    assert "the file system does not lock; found No locks available; keep the workspace on a local disk" in found.err
    after = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    assert after == before | {workspace.lock_path: b""}
    assert ctl("status", "-w", workspace.root).code == 0


def test_of_two_who_lock_at_once_one_is_refused_and_names_the_other(
    ctl: Callable[..., Any], workspace: store.Workspace
) -> None:
    before = workspace.profile_path.read_bytes(), (workspace.root / "ctl.toml").read_bytes()
    for purpose, words in (("ctl lock", ["lock", "--reason", "x"]), ("ctl ops", ["lock", "--reason", "x"]),
                           ("ctl lock", ["ops"])):  # fmt: skip
        with store.RunLock(workspace.lock_path, instant=INSTANT, purpose=purpose):
            found = ctl(*words, "-w", workspace.root, "--json")
        assert (found.code, found.document["code"]) == (1, "WORKSPACE_BUSY")
        assert f"{purpose}, process {os.getpid()} on " in found.document["message"]
    assert (workspace.profile_path.read_bytes(), (workspace.root / "ctl.toml").read_bytes()) == before
    assert not workspace.decision_log.exists()


DROPPED = "-dac_override,-dac_read_search"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("ops --notify stdout", 1, "the run lock cannot be opened; found Permission denied; mend the permissions"),
        ("ops --scheduled", 1, ".ctl/schedule.json: the schedule's record cannot be read; found Permission denied"),
        ("schedule status", 1, ".ctl/schedule.json: the schedule's record cannot be read; found Permission denied"),
        ("status", 1, ".ctl/outbox: Permission denied; mend its permissions"),
        ("runs list", 0, "RUNS: 1 of cutover_v1"),
    ],
)
def test_a_folder_of_ours_that_cannot_be_read_is_named(
    ctl: Callable[..., Any], workspace: store.Workspace, command: str, code: int, said: str
) -> None:
    assert ctl("ops", "-w", workspace.root).code == 0
    folder, root = workspace.root / ".ctl", os.geteuid() == 0
    if root and shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and there is no setpriv to take that away")
    prefix = ["setpriv", f"--bounding-set={DROPPED}", f"--inh-caps={DROPPED}"] if root else []
    folder.chmod(0)
    try:
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "ctl", *command.split(), "-w", str(workspace.root)],
            capture_output=True, text=True, check=False, timeout=300,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    finally:
        folder.chmod(0o755)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done.stderr
    assert len(list(workspace.ops_logs.iterdir())) == 1
