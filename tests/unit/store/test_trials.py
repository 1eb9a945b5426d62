"""The ledger of variants tried: what stands there stays, counts once, and is not read where it was changed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ctl import store
from ctl.errors import DataError
from ctl.store import trials


def tried(*rows: tuple[str, str], day: date = date(2026, 3, 1), score: float = 0.5) -> pl.DataFrame:
    columns = [(symbol, trial, f"b1 {trial}", "research", 4, score, day) for symbol, trial in rows]
    return pl.DataFrame(columns, schema=trials.schema(), orient="row")


@pytest.fixture
def space(filled_workspace: Path, tmp_path: Path) -> store.Workspace:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "ctl.toml").write_bytes((filled_workspace / "ctl.toml").read_bytes())
    return store.Workspace.load(folder)


def test_what_was_tried_before_is_written_no_second_time(space: store.Workspace) -> None:
    trials.record(space, tried(("ES", "a"), ("ES", "b")))
    first = {path.name: path.read_bytes() for path in space.trials.iterdir()}
    trials.record(space, tried(("ES", "b"), ("ES", "a"), day=date(2026, 4, 1), score=9.0))
    assert {path.name: path.read_bytes() for path in space.trials.iterdir()} == first
    after = trials.record(space, tried(("ES", "b"), ("CL", "a")))
    assert len(list(space.trials.iterdir())) == 2
    assert after.select("symbol", "trial").sort("symbol", "trial").rows() == [("CL", "a"), ("ES", "a"), ("ES", "b")]
    assert trials.read(space).sort("symbol", "trial").equals(after.sort("symbol", "trial"))


def test_the_same_trial_of_two_commands_at_once_counts_once(space: store.Workspace, tmp_path: Path) -> None:
    trials.record(space, tried(("ES", "a")))
    (first,) = space.trials.iterdir()
    aside = first.rename(tmp_path / first.name)
    trials.record(space, tried(("ES", "a"), ("ES", "b")))
    aside.rename(first)
    assert trials.read(space).height == 2


def test_a_file_that_was_changed_is_not_read(space: store.Workspace) -> None:
    trials.record(space, tried(("ES", "a"), ("ES", "b")))
    (path,) = space.trials.iterdir()
    trials.record(space, tried(("ES", "c")))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        trials.read(space)
    assert caught.value.code == "TRIALS_DAMAGED"


def test_a_file_left_half_written_by_a_kill_is_no_part_of_it(space: store.Workspace) -> None:
    trials.record(space, tried(("ES", "a")))
    (space.trials / f".{'0' * 64}.parquet.12ab34cd.tmp").write_bytes(b"half")
    assert trials.read(space).height == 1
