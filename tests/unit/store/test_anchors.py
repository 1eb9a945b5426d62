"""What holds log, lock files, records and clock to each other: each contradiction by its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ops_workspace import lock_of, make_workspace

from ctl import digests, store
from ctl import operating_profile as op
from ctl.flows import lock_parts
from ctl.store import anchors, decision_log

INSTANT = datetime(2026, 3, 9, 5, 0, 7, tzinfo=UTC)
V1 = "configs/cutover/operating_profile_v1.yaml"


@pytest.fixture
def workspace(tmp_path: Path) -> store.Workspace:
    """A profile with its lock file and entry, a second decision, and an ops log that cites it."""
    made = make_workspace(tmp_path)
    data = made.profile_path.read_bytes()
    profile = op.load(data, V1)
    first = decision_log.append(made, decision_log.Decision(decision="data chosen", date=INSTANT.date()))
    lock = lock_parts.lock_bytes(lock_of(profile, previous_head=first.sha256))
    path = anchors.lock_path(made.profile_path)
    path.write_bytes(lock)
    decision_log.append(
        made,
        decision_log.Decision(
            decision="in force",
            profiles=[decision_log.ProfileCitation(path=V1, version=1, digest=profile.sha256)],
            lock=decision_log.LockCitation(path=made.relative(path), digest=digests.sha256_bytes(lock)),
        ),
    )
    last = decision_log.append(made, decision_log.Decision(decision="PL is watched"))
    record(made, "20260308_160000", log_head=last.sha256)
    return made


def record(workspace: store.Workspace, stamp: str, *, log_head: str | None, code: str = "") -> None:
    document = {"digests": {"log_head": log_head}, "error": {"code": code}, "summary_path": None}
    store.write_atomic(workspace.ops_logs / f"{stamp}_ops.json", store.json_bytes(document))


def codes(workspace: store.Workspace) -> set[str]:
    return {problem.code for problem in anchors.verify(workspace).problems}


def at_gate(workspace: store.Workspace, instant: datetime = INSTANT) -> set[str]:
    profile = op.load(workspace.profile_path.read_bytes(), workspace.relative(workspace.profile_path))
    return {problem.code for problem in lock_parts.read_lock(workspace, profile, instant=instant).problems}


def rewrite(workspace: store.Workspace, change: Callable[[list[decision_log.DecisionEntry]], object]) -> None:
    """The log as somebody leaves it who computes the chain and the document anew."""
    entries = [*decision_log.read(workspace)]
    change(entries)
    made: list[decision_log.DecisionEntry] = []
    for entry in entries:
        made.append(entry.model_copy(update={"previous": made[-1].sha256 if made else None}))
    workspace.decision_log.write_bytes(b"".join(entry.line + b"\n" for entry in made))
    workspace.decision_document.write_bytes(decision_log.render(made))


def test_what_was_written_together_holds(workspace: store.Workspace) -> None:
    assert (codes(workspace), at_gate(workspace)) == (set(), set())


def test_a_deleted_log_is_missed(workspace: store.Workspace) -> None:
    workspace.decision_log.unlink()
    workspace.decision_document.unlink()
    assert codes(workspace) >= {"DECISION_MISSING"}
    assert at_gate(workspace) >= {"DECISION_MISSING"}


def test_a_log_cut_at_its_end_contradicts_the_ops_log(workspace: store.Workspace) -> None:
    rewrite(workspace, lambda entries: entries.pop())
    assert (codes(workspace), at_gate(workspace)) == ({"LOG_CONTRADICTED"}, {"LOG_CONTRADICTED"})


def test_runs_that_found_the_log_cut_cite_no_head_and_do_not_wash_it(workspace: store.Workspace) -> None:
    rewrite(workspace, lambda entries: entries.pop())
    profile = op.load(workspace.profile_path.read_bytes(), V1)
    for minute in range(12):
        read = lock_parts.read_lock(workspace, profile, instant=INSTANT + timedelta(hours=1))
        assert {problem.code for problem in read.problems} == {"LOG_CONTRADICTED"}
        record(workspace, f"20260309_05{minute:02d}00", log_head=read.log_head)


def test_a_log_rewritten_before_the_lock_contradicts_the_lock_file(workspace: store.Workspace) -> None:
    for path in workspace.ops_logs.iterdir():
        path.unlink()
    rewrite(workspace, lambda entries: entries.__setitem__(0, entries[0].model_copy(update={"rationale": "approved"})))
    assert (codes(workspace), at_gate(workspace)) == ({"LOG_CONTRADICTED"}, {"LOG_CONTRADICTED"})


@pytest.mark.parametrize("harm", ["edited", "no json"])
def test_an_edited_lock_file_is_told(workspace: store.Workspace, harm: str) -> None:
    path = anchors.lock_path(workspace.profile_path)
    document = json.loads(path.read_bytes())
    document["thresholds"] = {"v1": {"mean_drift": 500.0}}
    path.write_bytes(store.json_bytes(document) if harm == "edited" else b"{")
    assert (codes(workspace), at_gate(workspace)) == ({"LOCK_EDITED"}, {"LOCK_EDITED"})


def test_a_missing_lock_file_is_told(workspace: store.Workspace) -> None:
    anchors.lock_path(workspace.profile_path).unlink()
    assert (codes(workspace), at_gate(workspace)) == ({"LOCK_MISSING"}, {"LOCK_MISSING"})


def test_an_edited_profile_is_told_by_verify(workspace: store.Workspace) -> None:
    workspace.profile_path.write_bytes(workspace.profile_path.read_bytes() + b"# news\n")
    assert codes(workspace) == {"PROFILE_EDITED"}


def test_another_version_than_the_newest_locked_is_not_in_force(workspace: store.Workspace) -> None:
    data = workspace.profile_path.read_bytes()
    newer = workspace.profile_path.with_name("operating_profile_v2.yaml")
    newer.write_bytes(data)
    profile = op.load(data, workspace.relative(newer))
    entries = decision_log.read(workspace)
    lock = lock_parts.lock_bytes(lock_of(profile, previous_head=entries[-1].sha256))
    anchors.lock_path(newer).write_bytes(lock)
    decision_log.append(
        workspace,
        decision_log.Decision(
            decision="v2 in force",
            profiles=[decision_log.ProfileCitation(path=profile.name, version=2, digest=profile.sha256)],
            lock=decision_log.LockCitation(
                path=workspace.relative(anchors.lock_path(newer)), digest=digests.sha256_bytes(lock)
            ),
        ),
    )
    assert (codes(workspace), at_gate(workspace)) == ({"NOT_IN_FORCE"}, {"NOT_IN_FORCE"})


def test_another_cycle_than_that_of_the_workspace_refuses(workspace: store.Workspace) -> None:
    config = workspace.root / "ctl.toml"
    config.write_text(config.read_text().replace('"cutover_v1"', '"cutover_v2"'))
    assert "CYCLE_MISMATCH" in at_gate(store.Workspace.load(workspace.root))


def test_a_clock_before_the_newest_record_is_doubtful(workspace: store.Workspace) -> None:
    before = INSTANT - timedelta(days=1, hours=14)
    assert at_gate(workspace, before) == {"CLOCK_DOUBTFUL"}
    record(workspace, "20270308_160000", log_head=None, code="CLOCK_DOUBTFUL")
    assert at_gate(workspace) == set(), "a record that is itself doubtful does not count"
    record(workspace, "20270308_160001", log_head=None)
    assert at_gate(workspace) == {"CLOCK_DOUBTFUL"}


def test_a_clock_before_the_newest_decision_is_doubtful(workspace: store.Workspace) -> None:
    for path in workspace.ops_logs.iterdir():
        path.unlink()
    assert at_gate(workspace, INSTANT - timedelta(days=1)) == {"CLOCK_DOUBTFUL"}
    assert at_gate(workspace) == set()
