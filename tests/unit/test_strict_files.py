"""Files that people edit: what is opened at all, and on which line of a TOML file a key stands."""

from __future__ import annotations

import os
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from ctl import strict_files
from ctl.errors import InputError
from ctl.strict_files import Strict

TOML = """\
# a comment with [brackets] and = signs
title = "a # b"
a.b = 1
a."c.d" = 2

[table]
list = [
  1,  # [
  { x = 1, y = [2, 3] },
]
text = \"\"\"
[not.a.table]
key = 1
\"\"\"
date = 2026-03-01
'quoted key' = 1.5

[[rows]]
n = 1
[rows.sub]
m = 2
[[rows]]
n = 3
[[rows.deep]]
k = 4
"""
# Counted by hand in the text above.
LINES = {
    ("title",): 2,
    ("a",): 3,
    ("a", "b"): 3,
    ("a", "c.d"): 4,
    ("table",): 6,
    ("table", "list"): 7,
    ("table", "list", 0): 8,
    ("table", "list", 1): 9,
    ("table", "list", 1, "x"): 9,
    ("table", "list", 1, "y"): 9,
    ("table", "list", 1, "y", 0): 9,
    ("table", "list", 1, "y", 1): 9,
    ("table", "text"): 11,
    ("table", "date"): 15,
    ("table", "quoted key"): 16,
    ("rows",): 18,
    ("rows", 0): 18,
    ("rows", 0, "n"): 19,
    ("rows", 0, "sub"): 20,
    ("rows", 0, "sub", "m"): 21,
    ("rows", 1): 22,
    ("rows", 1, "n"): 23,
    ("rows", 1, "deep"): 24,
    ("rows", 1, "deep", 0): 24,
    ("rows", 1, "deep", 0, "k"): 25,
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_key_and_item_has_its_line(end: str) -> None:
    tree = strict_files.read_toml(TOML.replace("\n", end).encode())
    assert tree.problems == ()
    assert {path: line for path, line in tree.lines.items() if path} == LINES


def paths(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in items for path in ((*here, key), *paths(item, (*here, key)))]


PIECES = st.sampled_from([
    "a", "b.c", '"q"', "'l'", "=", "=", "1", '"x"', "'y'", '"""m\nm"""', "'''n\n'''", "[", "]", "[[", "]]", "{", "}",
    ",", ".", "\n", "\n", "\n", "# c\n", " ", "2026-03-01", "1.5", "true", "a = 1\n", "[t]\n", "[[u]]\n",
    "x = [1, 2]\n", "y = {z = 1}\n", '"', "'", "\\", "9" * 400,
])  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_is_read_as_the_standard_library_reads_it_or_refused(text: str) -> None:
    tree = strict_files.read_toml(text.encode(errors="replace"))
    if tree.problems:
        assert tree.value is None
        return
    assert tree.value == tomllib.loads(text.encode(errors="replace").decode())
    assert set(paths(tree.value)) <= set(tree.lines)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("x = 1\ny = " + "[" * 100_000, 2, "y"),
        ("x = 1\n" + "a." * 100_000 + "b = 1", 2, ""),
        ("[" + "a." * 100_000 + "b]", 1, ""),
        ("x = 1\ny = " + "{a=" * 50_000, 2, "y"),
        ("x = 1\n\ny = " + "9" * 5_000, 3, "y"),
        ("x = 1\ny = [1, " + "9" * 400 + "]", 2, "y[1]"),
        ("x = 1\nx = 2", 2, ""),
        ("x = 1\n[t]\na = 1\n[t]\n", 4, ""),
        ("x = ", 1, ""),
        ("\ufeffx = \u00ff\n", 1, ""),
    ],
)
def test_bombs_and_faults_are_refused_at_their_line(text: str, line: int, key: str) -> None:
    started = time.process_time()
    (problem,) = strict_files.read_toml(text.encode()).problems
    assert problem.line == line
    assert problem.key.startswith(key)  # of endless nesting the key where the limit was reached
    assert len(problem.found) < 300
    assert time.process_time() - started < 5.0


def test_only_a_regular_file_of_bounded_size_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "largest").write_bytes(b"#" * strict_files.MAX_BYTES)
    for name, found in (("fifo", "FIFO"), ("device", "device"), ("folder", "folder"), ("sparse", "bytes, more than")):
        with pytest.raises(OSError, match=found):
            strict_files.read_bytes(tmp_path / name)
    assert len(strict_files.read_bytes(tmp_path / "largest")) == strict_files.MAX_BYTES
    with pytest.raises(FileNotFoundError):
        strict_files.read_bytes(tmp_path / "absent")
    with pytest.raises(OSError, match="no usable file name"):
        strict_files.read_bytes(tmp_path / "a\0b")


class Inner(Strict):
    size: int = Field(ge=1, description="a whole number from 1")


class Outer(Strict):
    name: str = Field(description="a name")
    inner: dict[str, Inner] = Field({}, description="a table of sizes")


def test_every_problem_of_a_file_is_said_at_once_each_with_its_place() -> None:
    text = b"nam = 'x'\n[inner.a]\nsize = 0\n[inner.b]\nsise = 3\n[inner.c]\nsize = true\n"
    with pytest.raises(InputError) as caught:
        strict_files.read_model(text, "f.toml", Outer, InputError)
    assert caught.value.problems == (
        "f.toml:1: nam: found an unknown key; expected one of name, inner; nearest name",
        "f.toml:1: name: found nothing; expected a name",
        "f.toml:3: inner.a.size: found 0; expected a whole number from 1",
        "f.toml:4: inner.b.size: found nothing; expected a whole number from 1",
        "f.toml:5: inner.b.sise: found an unknown key; expected one of size; nearest size",
        "f.toml:7: inner.c.size: found true; expected a whole number from 1",
    )


def test_the_same_model_reads_yaml() -> None:
    found, raw = strict_files.read_model(b"name: x\ninner: {a: {size: 2}}\n", "f.yaml", Outer, InputError)
    assert (found.inner["a"].size, raw["name"]) == (2, "x")
