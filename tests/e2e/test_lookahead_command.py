"""`ctl lookahead`: exit code and document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_the_shipped_strategy_is_clean_on_a_workspace(ctl, filled_workspace: Path) -> None:
    ran = ctl("lookahead", "b1", "PL", "-w", filled_workspace, "--json")
    assert ran.code == 0, ran.err
    document: Any = ran.document
    assert (document["kind"], document["clean"], document["strategy"]) == ("lookahead", True, "b1")
    (found,) = document["symbols"]
    assert found["change"] is None
    assert found["ends"] > 1500


@pytest.mark.parametrize(
    "words",
    [
        ("lookahead", "b2", "PL"),
        ("research", "--strategy", "b2"),
        ("lookahead", "b1", "PL", "--param", "emma=10"),
        ("lookahead", "b1", "PQ"),
    ],
)
def test_what_is_mistyped_is_a_usage_error_that_names_the_nearest(
    ctl: Any, filled_workspace: Path, words: tuple[str, ...]
) -> None:
    ran = ctl(*words, "-w", filled_workspace)
    assert ran.code == 64
    assert "; nearest " in ran.err
