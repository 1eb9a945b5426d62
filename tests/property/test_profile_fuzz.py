"""Whatever bytes come in, the profile loads or is refused with a ProfileError; nothing else happens."""

from __future__ import annotations

import io
import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ctl import operating_profile as op
from ctl import strict_files
from ctl.errors import ProfileError

TEMPLATE = (Path(__file__).resolve().parents[2] / "configs/cutover/operating_profile_v1.yaml").read_bytes()
BASE = op.load(TEMPLATE, "p.yaml")
LINES = TEMPLATE.decode().splitlines()

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.sampled_from(["../x", "WATCH", "GO", "ACCEPT", "*a", "&a", "!!x", "{", "[", "a" * 5000, "9" * 400, "1e999"]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def flow(value: Any) -> str:
    """YAML flow text of a value; strings go in raw half of the time, as a careless hand would write them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str):
        return value if len(value) % 2 else "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def load_or_refuse(data: bytes) -> op.OperatingProfile | None:
    problems: tuple[str, ...]
    try:
        return op.load(data, "p.yaml")
    except ProfileError as error:
        problems, text = error.problems, str(error)
    assert problems
    for problem in (*problems, text):
        assert problem.isprintable()
        assert re.match(r"p\.yaml:\d+: (.*: )?found .*; expected ", problem)
    return None


@given(st.binary(max_size=300))
def test_arbitrary_bytes(data: bytes) -> None:
    assert load_or_refuse(data) is None, "three hundred bytes cannot hold the required keys"


@given(st.text(alphabet=string.ascii_letters + " :-[]{}&*!|>'\"#%@`,?\n\t0123456789.~=\\<", max_size=200))
def test_arbitrary_yaml_like_text(text: str) -> None:
    assert load_or_refuse(text.encode()) is None, "two hundred characters cannot hold the required keys"


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_a_profile_with_mutated_bytes(data: st.DataObject) -> None:
    mutated = bytearray(TEMPLATE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                mutated[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del mutated[at : at + data.draw(st.integers(1, 40))]
            case _:
                mutated[at:at] = data.draw(st.binary(max_size=8))
        if not mutated:
            break
    load_or_refuse(bytes(mutated))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values, st.data())
def test_a_profile_with_any_value_on_any_line(value: Any, data: st.DataObject) -> None:
    index = data.draw(st.sampled_from([i for i, line in enumerate(LINES) if ":" in line and not line.startswith("#")]))
    key = LINES[index].partition(":")[0]
    lines = [*LINES[:index], f"{key}: {flow(value)}", *LINES[index + 1 :]]
    load_or_refuse("\n".join(lines).encode(errors="surrogatepass"))


MEANINGFUL = [i for i, line in enumerate(LINES) if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("index", MEANINGFUL, ids=lambda index: f"{index}:{LINES[index].strip()[:30]}")
def test_every_key_matters(index: int) -> None:
    """Renaming a key is refused, or shows as a difference from the locked text."""
    key, colon, rest = LINES[index].partition(":")
    renamed = f"{key}x{colon}{rest}" if colon else f"{key}x"
    found = load_or_refuse("\n".join([*LINES[:index], renamed, *LINES[index + 1 :]]).encode())
    if found is not None:
        assert op.difference(BASE.text, found.text), LINES[index]


@pytest.mark.parametrize("index", MEANINGFUL, ids=lambda index: f"{index}:{LINES[index].strip()[:30]}")
def test_every_line_matters(index: int) -> None:
    """Removing a line is refused, or shows as a difference from the locked text."""
    found = load_or_refuse("\n".join([*LINES[:index], *LINES[index + 1 :]]).encode())
    if found is not None:
        assert op.difference(BASE.text, found.text), LINES[index]


plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**17), 10**17),
        st.text(alphabet=string.ascii_letters + " -_/", max_size=8),
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_letters, min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), plain, min_size=1, max_size=4))
def test_strict_yaml_reads_what_a_writer_writes(document: dict[str, Any]) -> None:
    out = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, out)
    tree = strict_files.read_yaml(out.getvalue().encode())
    if not any("alias" in problem.found or "nesting" in problem.found for problem in tree.problems):
        assert tree.problems == ()
        assert tree.value == document
