"""Retention removes what it may and nothing else."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ctl import store
from ctl.digests import sha256_bytes
from ctl.model.run import Retention
from ctl.ops.retention import RetentionLimits, retain

INSTANT = datetime(2026, 3, 2, 5, 0, 7, tzinfo=UTC)
TOML = 'schema_version = 1\ncycle_id = "cutover_v1"\nprofile = "p.yaml"\n'
DATES = ("20260105_050000", "20260116_050007", "20260116_050006", "20260209_050000", "20260223_050000")


@pytest.fixture
def workspace(tmp_path: Path) -> store.Workspace:
    (tmp_path / "ctl.toml").write_text(TOML)
    found = store.Workspace.load(tmp_path)
    for stamp in DATES:
        store.write_atomic(found.ops_logs / f"{stamp}_ops.json", b"{}" * 50)
        store.write_atomic(found.run_summaries / f"{stamp}_portfolio_run.json", stamp.encode() * 10)
        store.write_atomic(found.run_summaries / f"{stamp}_trades.parquet", b"x" * 850)
    return found


def left(workspace: store.Workspace) -> list[str]:
    folders = (workspace.ops_logs, workspace.run_summaries)
    return sorted(path.name for folder in folders for path in folder.iterdir())


def sweep(workspace: store.Workspace, *, dry_run: bool = False, **limits: Any) -> Retention:
    return retain(workspace, RetentionLimits(**limits), instant=INSTANT, dry_run=dry_run)


def of(*stamps: str) -> list[str]:
    return sorted(f"{stamp}_{end}" for stamp in stamps for end in ("ops.json", "portfolio_run.json", "trades.parquet"))


def test_45_days_by_the_stamp_in_the_name_are_kept(workspace: store.Workspace) -> None:
    found = sweep(workspace)
    assert left(workspace) == of("20260116_050007", "20260209_050000", "20260223_050000")
    assert {item.reason for item in found.removed} == {"older than 45 days"}
    assert [item.file.rpartition("/")[2] for item in found.removed] == [
        "20260105_050000_ops.json",
        "20260105_050000_portfolio_run.json",
        "20260105_050000_trades.parquet",
        "20260116_050006_ops.json",
        "20260116_050006_portfolio_run.json",
        "20260116_050006_trades.parquet",
    ]
    assert found.removed[0].bytes == 100
    assert (found.retention_days, found.kept, found.problems) == (45, (), ())


def test_a_dry_run_says_the_same_and_removes_nothing(workspace: store.Workspace) -> None:
    before = left(workspace)
    dry = sweep(workspace, dry_run=True, max_files=2, max_mb=0.002)
    assert left(workspace) == before
    real = sweep(workspace, max_files=2, max_mb=0.002)
    assert dry.removed == real.removed
    assert dry.kept == real.kept
    assert (dry.dry_run, real.dry_run) == (True, False)


def test_count_keeps_the_newest_records_of_each_folder(workspace: store.Workspace) -> None:
    found = sweep(workspace, days=None, max_files=2)
    assert left(workspace) == of("20260209_050000", "20260223_050000")
    assert {item.reason for item in found.removed} == {"beyond the newest 2"}


def test_size_removes_the_oldest_until_the_rest_fits(workspace: store.Workspace) -> None:
    # a run is 150 + 850 bytes, its log 100: five weeks are 5,500 bytes
    sweep(workspace, days=None, max_mb=0.0034)
    assert left(workspace) == of("20260116_050007", "20260209_050000", "20260223_050000")
    sweep(workspace, days=None, max_mb=0.0033)
    assert left(workspace) == of("20260116_050007", "20260209_050000", "20260223_050000")
    sweep(workspace, days=None, max_mb=0.00325)
    assert left(workspace) == sorted(
        [
            *of("20260209_050000", "20260223_050000"),
            "20260116_050007_portfolio_run.json",
            "20260116_050007_trades.parquet",
        ]
    )


def test_the_newest_of_a_kind_is_never_removed(workspace: store.Workspace) -> None:
    found = sweep(workspace, days=0, max_files=0, max_mb=0)
    assert left(workspace) == of("20260223_050000")
    assert {item.reason for item in found.kept} == {"older than 0 days, but the newest of its kind"}


def test_the_newest_trades_stay_also_where_a_later_run_has_none(workspace: store.Workspace) -> None:
    (workspace.run_summaries / "20260223_050000_trades.parquet").unlink()
    sweep(workspace, days=0)
    assert "20260209_050000_trades.parquet" in left(workspace)


def test_second_runs_of_a_second_are_later(workspace: store.Workspace) -> None:
    for number in (2, 10):
        store.write_atomic(workspace.ops_logs / f"20260223_050000_{number}_ops.json", b"{}")
    sweep(workspace, days=None, max_files=1)
    assert [name for name in left(workspace) if name.endswith("_ops.json")] == ["20260223_050000_10_ops.json"]


@pytest.mark.parametrize("citing", ["log_name", "log_digest", "certificate_name", "certificate_digest"])
def test_cited_records_stay_whole(workspace: store.Workspace, citing: str) -> None:
    name = "20260105_050000_portfolio_run.json"
    needle = name if citing.endswith("name") else sha256_bytes((workspace.run_summaries / name).read_bytes())
    path = workspace.decision_log if citing.startswith("log") else workspace.certificate_path("ES")
    store.write_atomic(path, f'{{"inputs": ["{needle}"]}}\n'.encode())
    found = sweep(workspace, days=1, max_mb=0)
    assert "20260105_050000_portfolio_run.json" in left(workspace)
    assert "20260105_050000_trades.parquet" in left(workspace)
    assert "20260105_050000_ops.json" not in left(workspace)
    reasons = {item.reason for item in found.kept if item.file.endswith(name)}
    assert reasons == {f"older than 1 days, but cited by {workspace.relative(path)}"}


def test_an_unreadable_decision_log_keeps_everything(workspace: store.Workspace) -> None:
    workspace.decision_log.mkdir(parents=True)
    before = left(workspace)
    found = sweep(workspace, days=1)
    assert left(workspace) == before
    assert len(found.problems) == 1
    assert "cannot be read" in found.problems[0]


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "20250101_000000.json",
        "20250101_000000_ops.json.bak",
        "x20250101_000000_ops.json",
        "20251399_000000_ops.json",
        "20250101_000000_0_ops.json",
        "20250101_000000_portfolio_run.json",
        "20250101_000000_OPS.json",
    ],
)
def test_other_files_are_not_ours(workspace: store.Workspace, name: str) -> None:
    path = workspace.ops_logs / name
    path.write_bytes(b"mine")
    sweep(workspace, days=1, max_files=1, max_mb=0)
    assert path.read_bytes() == b"mine"


def test_links_and_folders_are_not_followed(workspace: store.Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = outside / "20250101_000000_ops.json"
    target.write_bytes(b"keep")
    link = workspace.ops_logs / "20250102_000000_ops.json"
    link.symlink_to(target)
    folder = workspace.ops_logs / "20250103_000000_ops.json"
    folder.mkdir()
    sweep(workspace, days=1)
    assert target.read_bytes() == b"keep"
    assert link.is_symlink()
    assert folder.is_dir()


@pytest.mark.parametrize("level", ["folder", "cycle"])
def test_a_linked_folder_is_left_alone_and_said(workspace: store.Workspace, tmp_path: Path, level: str) -> None:
    linked = workspace.ops_logs if level == "folder" else workspace.cycle
    moved = tmp_path / "elsewhere"
    linked.rename(moved)
    linked.symlink_to(moved)
    before = sorted(moved.rglob("*"))
    found = sweep(workspace, days=1)
    assert sorted(moved.rglob("*_ops.json")) == [path for path in before if path.name.endswith("_ops.json")]
    assert any("is a link" in problem for problem in found.problems)


def test_temporary_files_of_killed_runs_are_removed(workspace: store.Workspace) -> None:
    stale = workspace.run_summaries / ".20260105_050000_portfolio_run.json.0a1b2c3d.tmp"
    stale.write_bytes(b"half")
    other = workspace.run_summaries / ".mine.tmp"
    other.write_bytes(b"mine")
    found = sweep(workspace, days=None)
    assert not stale.exists()
    assert other.exists()
    assert [item.reason for item in found.removed] == ["left over from a killed run"]


def test_a_clock_that_went_backwards_removes_nothing(workspace: store.Workspace) -> None:
    before = left(workspace)
    retain(workspace, RetentionLimits(), instant=datetime(2020, 1, 1, tzinfo=UTC), dry_run=False)
    assert left(workspace) == before


def test_a_file_that_cannot_be_removed_is_reported(workspace: store.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "unlink", fail)
    found = sweep(workspace)
    assert found.removed == ()
    assert len(found.problems) == 6
    assert "Permission denied" in found.problems[0]


def test_an_empty_workspace_has_nothing_to_remove(tmp_path: Path) -> None:
    (tmp_path / "ctl.toml").write_text(TOML)
    found = sweep(store.Workspace.load(tmp_path), max_files=1, max_mb=1)
    assert (found.removed, found.kept, found.problems) == ((), (), ())
