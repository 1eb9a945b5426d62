"""Words of findings."""

from __future__ import annotations

import pytest

from ctl.model.findings import first_few


@pytest.mark.parametrize(
    ("told", "kind", "text"),
    [
        (["a", "b", "c"], None, "a, b, c"),
        (["a", "b", "c", "d", "e"], None, "a, b, c and 2 more"),
        (["a", "b"], ("hole", "holes"), "a; b"),
        (["a", "b", "c", "d"], ("hole", "holes"), "a; b; c; and 1 more hole"),
        (["a", "b", "c", "d", "e"], ("hole", "holes"), "a; b; c; and 2 more holes"),
        (["a", "b", "c", "d"], ("", ""), "a; b; c; and 1 more"),
    ],
)
def test_the_first_three_and_how_many_more(told: list[str], kind: tuple[str, str] | None, text: str) -> None:
    assert first_few(told, kind) == text
