"""No name leads out of the workspace; what is written is what is read."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ctl import store
from ctl.errors import WorkspaceError
from ctl.model.names import is_safe_name
from ctl.store.workspace import parse

TOML = b'schema_version = 1\ncycle_id = "c"\nprofile = "p.yaml"\n'
ROOT = Path("/work/space")


@given(st.text(max_size=70) | st.sampled_from(["..", ".", "a/../b", "/etc", "a\x00", "C:\\x", "-", ".x"]))
def test_paths_of_any_name_stay_inside_or_are_refused(name: str) -> None:
    workspace = parse(TOML, ROOT)
    for make in (
        workspace.certificate_path,
        partial(workspace.locked_bars, series="contracts"),
        workspace.manifest_path,
    ):
        try:
            path = make(name)
        except WorkspaceError:
            assert not is_safe_name(name)
        else:
            assert is_safe_name(name)
            assert path.is_relative_to(ROOT)
            assert ".." not in path.parts


def refusal(data: bytes) -> str:
    """Why bytes are no workspace file; empty where they are one."""
    try:
        parse(data, ROOT)
    except WorkspaceError as error:
        return str(error)
    return ""


@given(st.binary(max_size=400))
def test_any_bytes_are_a_workspace_file_or_one_error(data: bytes) -> None:
    assert "\n" not in refusal(data)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_in_place_of_names_is_a_workspace_file_or_one_error(key: str, value: str) -> None:
    quoted = "".join(
        f"\\u{ord(char):04x}" if ord(char) < 0x10000 and not 0xD800 <= ord(char) < 0xE000 else "?" for char in value
    )
    name = "".join(char if char.isalnum() and char.isascii() else "-" for char in key) or "x"
    refused = refusal(TOML + f'{name} = 1\n[symbols."{quoted}"]\ntick = "{quoted}"\n'.encode())
    assert refused, "a symbol without its settings is no workspace file"
    assert "\n" not in refused


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4))
def test_the_last_write_is_what_is_read(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        for data in contents:
            store.write_atomic(path, data)
        assert path.read_bytes() == contents[-1]
        assert [item.name for item in Path(folder).iterdir()] == ["x"]
