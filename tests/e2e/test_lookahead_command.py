"""`ctl lookahead`: exit code and document."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_the_shipped_strategy_is_clean_on_a_workspace(ctl, filled_workspace: Path) -> None:
    ran = ctl("lookahead", "b1", "PL", "-w", filled_workspace, "--json")
    assert ran.code == 0, ran.err
    document: Any = ran.document
    assert (document["kind"], document["clean"], document["strategy"]) == ("lookahead", True, "b1")
    (found,) = document["symbols"]
    assert found["change"] is None
    assert found["ends"] > 1500


def test_an_unknown_strategy_is_an_error(ctl, filled_workspace: Path) -> None:
    assert ctl("lookahead", "b2", "PL", "-w", filled_workspace).code != 0
