"""What a lock holds of a plug-in: every file that its package is imported from."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ctl.flows import lock_parts
from ctl.strategy import registry


def test_code_behind_a_linked_folder_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, elsewhere = tmp_path / "linked_rules", tmp_path / "elsewhere"
    for folder in (package, elsewhere):
        folder.mkdir()
        (folder / "__init__.py").touch()
    (elsewhere / "exits.py").write_text("LIMIT = 3\n")
    (package / "rules").symlink_to(elsewhere)
    (package / "round").symlink_to(package)
    (package / "gone.py").symlink_to(tmp_path / "nothing.py")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        registry, "offered", lambda name: EntryPoint(name, "linked_rules.rules.exits:X", registry.GROUP)
    )

    def source() -> str | None:
        return lock_parts.locked_strategy("b1").source

    before = source()
    assert source() == before
    (package / "__pycache__").mkdir()
    (package / "__pycache__/exits.pyc").write_bytes(b"compiled")
    assert source() == before
    (elsewhere / "exits.py").write_text("LIMIT = 4\n")
    assert source() != before
