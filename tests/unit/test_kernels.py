"""Where compiled code is kept: any folder that can be written, or none; never an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ctl.kernels

PROGRAM = """
import numpy as np
from doubling import twice
print(twice(np.arange(3.0)).sum())
"""
MODULE = """
from ctl.kernels import kernel, part

@part
def factor():
    return 2.0

@kernel
def twice(values):
    return values * factor()
"""


def run(folder: Path, **environment: str) -> str:
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), **environment}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=found, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout.strip()


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "doubling.py").write_text(MODULE)
    return folder


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.nbc") if path.name.startswith("doubling"))


def closed(folder: Path) -> None:
    """A folder in which nothing can be made, by root neither: its `__pycache__` is a file."""
    (folder / "__pycache__").write_text("")


def test_code_is_kept_in_the_folder_named_and_made_anew_where_the_source_changed(module: Path, tmp_path: Path):
    cache = tmp_path / "cache"
    assert run(module, NUMBA_CACHE_DIR=str(cache)) == "6.0"
    (first,) = kept(cache)
    before = first.stat().st_mtime_ns
    assert run(module, NUMBA_CACHE_DIR=str(cache)) == "6.0"
    assert first.stat().st_mtime_ns == before  # read, not written
    (module / "doubling.py").write_text(MODULE.replace("2.0", "3.0"))
    assert run(module, NUMBA_CACHE_DIR=str(cache)) == "9.0"


def test_code_is_kept_beside_the_module(module: Path):
    assert run(module, NUMBA_CACHE_DIR="") == "6.0"
    assert [path.parent.name for path in kept(module)] == ["__pycache__"]


def test_without_a_folder_for_code_it_is_kept_among_the_temporary_files_of_this_user(module: Path, tmp_path: Path):
    closed(module)
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    unwritable = {"NUMBA_CACHE_DIR": "", "HOME": str(nowhere), "XDG_CACHE_HOME": str(nowhere), "TMPDIR": str(temporary)}
    assert run(module, **unwritable) == "6.0"
    (home,) = temporary.iterdir()
    assert home.stat().st_mode & 0o777 == 0o700
    assert len(kept(home)) == 1
    home.chmod(0o777)  # anybody could have put code there: it is not run
    assert run(module, **unwritable) == "6.0"
    assert run(module, **{**unwritable, "TMPDIR": str(nowhere)}) == "6.0"


@pytest.mark.parametrize("damage", [b"", b"\x80\x04garbage"])
def test_damaged_code_is_compiled_anew(module: Path, tmp_path: Path, damage: bytes):
    cache = tmp_path / "cache"
    assert run(module, NUMBA_CACHE_DIR=str(cache)) == "6.0"
    for path in [*cache.rglob("*.nbi"), *cache.rglob("*.nbc")]:
        path.write_bytes(damage)
        assert run(module, NUMBA_CACHE_DIR=str(cache)) == "6.0"


def test_every_kernel_is_compiled_by_the_one_decorator():
    """Others would keep their code where it may not be written, and end in an error there."""
    sources = Path(ctl.kernels.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if "njit" in path.read_text(encoding="utf-8")] == ["kernels.py"]
