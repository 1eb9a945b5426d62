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
NEWEST = ("20260224_050000", "20260225_050000", "20260226_050000", "20260227_050000")


@pytest.fixture
def workspace(tmp_path: Path) -> store.Workspace:
    (tmp_path / "ctl.toml").write_text(TOML)
    found = store.Workspace.load(tmp_path)
    for stamp in (*DATES, *NEWEST):
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
    """The files of these records, and of the four newest, which always stay."""
    return sorted(
        f"{stamp}_{end}" for stamp in (*stamps, *NEWEST) for end in ("ops.json", "portfolio_run.json", "trades.parquet")
    )


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
    dry = sweep(workspace, dry_run=True, max_files=6, max_mb=0.002)
    assert left(workspace) == before
    real = sweep(workspace, max_files=6, max_mb=0.002)
    assert dry.removed == real.removed
    assert dry.kept == real.kept
    assert (dry.dry_run, real.dry_run) == (True, False)


def test_count_keeps_the_newest_records_of_each_folder(workspace: store.Workspace) -> None:
    found = sweep(workspace, days=None, max_files=6)
    assert left(workspace) == of("20260209_050000", "20260223_050000")
    assert {item.reason for item in found.removed} == {"beyond the newest 6"}


def test_size_removes_the_oldest_until_the_rest_fits(workspace: store.Workspace) -> None:
    # a run is 150 + 850 bytes, its log 100: nine are 9,900 bytes
    sweep(workspace, days=None, max_mb=0.0078)
    assert left(workspace) == of("20260116_050007", "20260209_050000", "20260223_050000")
    sweep(workspace, days=None, max_mb=0.0077)
    assert left(workspace) == of("20260116_050007", "20260209_050000", "20260223_050000")
    sweep(workspace, days=None, max_mb=0.00765)
    assert left(workspace) == sorted(
        [
            *of("20260209_050000", "20260223_050000"),
            "20260116_050007_portfolio_run.json",
            "20260116_050007_trades.parquet",
        ]
    )


def test_the_newest_four_of_a_kind_are_never_removed(workspace: store.Workspace) -> None:
    found = sweep(workspace, days=3, max_files=0, max_mb=0)
    assert left(workspace) == of()
    assert {item.reason for item in found.kept} == {"older than 3 days, but one of the newest 4 of its kind"}


def test_the_newest_trades_stay_also_where_later_runs_have_none(workspace: store.Workspace) -> None:
    for stamp in NEWEST:
        (workspace.run_summaries / f"{stamp}_trades.parquet").unlink()
    sweep(workspace, days=3)
    kept = [name[:15] for name in left(workspace) if name.endswith("_trades.parquet")]
    assert kept == ["20260116_050006", "20260116_050007", "20260209_050000", "20260223_050000"]


@pytest.mark.parametrize(
    ("instant", "doubtful"),
    [("2026-05-28T05:00:00", False), ("2026-05-28T05:00:01", True), ("2027-03-02T05:00:00", True)],
)
def test_a_clock_twice_the_retention_age_after_the_newest_record_removes_nothing(
    workspace: store.Workspace, instant: str, doubtful: bool
) -> None:
    # the newest record is of 2026-02-27 05:00:00; 90 days later is 2026-05-28 05:00:00
    before = left(workspace)
    now = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    own = workspace.ops_logs / f"{now:%Y%m%d_%H%M%S}_ops.json"
    store.write_atomic(own, b"{}")
    found = retain(workspace, RetentionLimits(max_files=1, max_mb=0), instant=now, dry_run=False, own={own.name})
    assert any(problem.startswith("CLOCK_DOUBTFUL") for problem in found.problems) is doubtful
    assert (left(workspace) == sorted([*before, own.name])) is doubtful
    assert (found.removed == ()) is doubtful


def test_a_clock_that_is_ahead_for_the_second_time_finds_the_gap_of_the_first(workspace: store.Workspace) -> None:
    store.write_atomic(workspace.ops_logs / "20270301_050000_ops.json", b"{}")
    before = left(workspace)
    later = datetime(2027, 3, 2, 5, 0, 7, tzinfo=UTC)
    found = retain(workspace, RetentionLimits(), instant=later, dry_run=False)
    assert (left(workspace), found.removed) == (before, ())
    # and the right clock, after it, removes what is old by it, and no more
    assert len(sweep(workspace).removed) == 6


def test_second_runs_of_a_second_are_later(workspace: store.Workspace) -> None:
    for number in (2, 3, 10):
        store.write_atomic(workspace.ops_logs / f"20260227_050000_{number}_ops.json", b"{}")
    sweep(workspace, days=None, max_files=1)
    names = [name for name in left(workspace) if name.endswith("_ops.json")]
    assert names == [f"20260227_050000_{number}ops.json" for number in ("10_", "2_", "3_", "")]


@pytest.mark.parametrize("citing", ["log_name", "log_digest", "certificate_name", "certificate_digest"])
def test_cited_records_stay_whole(workspace: store.Workspace, citing: str) -> None:
    name = "20260105_050000_portfolio_run.json"
    needle = name if citing.endswith("name") else sha256_bytes((workspace.run_summaries / name).read_bytes())
    path = workspace.decision_log if citing.startswith("log") else workspace.certificate_path("ES")
    store.write_atomic(path, f'{{"inputs": ["{needle}"]}}\n'.encode())
    found = sweep(workspace, days=2, max_mb=0)
    assert "20260105_050000_portfolio_run.json" in left(workspace)
    assert "20260105_050000_trades.parquet" in left(workspace)
    assert "20260105_050000_ops.json" not in left(workspace)
    reasons = {item.reason for item in found.kept if item.file.endswith(name)}
    assert reasons == {f"older than 2 days, but cited by {workspace.relative(path)}"}


def test_an_unreadable_decision_log_keeps_everything(workspace: store.Workspace) -> None:
    workspace.decision_log.mkdir(parents=True)
    before = left(workspace)
    found = sweep(workspace, days=2)
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
    sweep(workspace, days=2, max_files=1, max_mb=0)
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
    sweep(workspace, days=2)
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
