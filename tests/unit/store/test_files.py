"""Whole-or-nothing files, also when the disk is full, read-only or the name is taken."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ctl import store
from ctl.errors import WorkspaceError
from ctl.store import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folders_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.json"
    store.write_atomic(path, b"one")
    store.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["x.json"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data[:3])))
    store.write_atomic(tmp_path / "x", b"0123456789")
    monkeypatch.undo()
    assert (tmp_path / "x").read_bytes() == b"0123456789"


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_failing_disk_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "x.json"
    store.write_atomic(path, b"old")

    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(WorkspaceError, match="cannot be written") as caught:
        store.write_atomic(path, b"new")
    monkeypatch.undo()
    assert os.strerror(number) in str(caught.value)
    assert caught.value.code == "WRITE_FAILED"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.json"]


def test_an_interrupted_write_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write_atomic(tmp_path / "x", b"new")
    monkeypatch.undo()
    assert names(tmp_path) == []


def test_a_file_in_place_of_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        store.write_atomic(tmp_path / "a" / "x", b"new")


def test_data_reaches_the_disk_before_the_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    for call in ("write", "fsync", "replace"):
        real = getattr(os, call)

        def record(*args: Any, _real: Any = real, _call: str = call) -> Any:
            order.append(_call)
            return _real(*args)

        monkeypatch.setattr(os, call, record)
    store.write_atomic(tmp_path / "x", b"new")
    assert order == ["write", "fsync", "replace", "fsync"]


def test_write_new_never_replaces(tmp_path: Path) -> None:
    path = tmp_path / "x"
    store.write_new(path, b"first")
    with pytest.raises(FileExistsError):
        store.write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["x"]


def test_write_new_works_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", fail)
    store.write_new(tmp_path / "x", b"first")
    with pytest.raises(FileExistsError):
        store.write_new(tmp_path / "x", b"second")
    assert (tmp_path / "x").read_bytes() == b"first"
    assert names(tmp_path) == ["x"]


def test_unique_names(tmp_path: Path) -> None:
    path = tmp_path / "20260302_050000_ops.json"
    assert store.unique_path(path) == path
    path.touch()
    assert store.unique_path(path).name == "20260302_050000_ops_2.json"
    places = [(tmp_path, "_ops.json"), (tmp_path / "absent", "_ops.json"), (tmp_path, "_x.parquet")]
    assert store.unique_stem("20260302_050000", places) == "20260302_050000_2"
    (tmp_path / "20260302_050000_2_x.parquet").symlink_to("nowhere")
    assert store.unique_stem("20260302_050000", places) == "20260302_050000_3"
    assert store.unique_stem("20260302_050000", [(tmp_path / "absent", "_ops.json")]) == "20260302_050000"


def test_json_is_stable_and_refuses_nan() -> None:
    assert store.json_bytes({"b": 1, "a": "é"}) == '{\n  "b": 1,\n  "a": "é"\n}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        store.json_bytes({"a": float("nan")})


def test_temporary_names_are_recognised() -> None:
    assert files.TEMPORARY.fullmatch(".x.json.0123abcd.tmp")
    assert not files.TEMPORARY.fullmatch("x.json")
    assert not files.TEMPORARY.fullmatch(".x.json.tmp")
