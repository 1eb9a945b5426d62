"""What people read, whole: one file per screen in tests/golden, where words are mended in one place.

`pytest tests/e2e/test_screens.py --golden=write` writes them anew; the diff is then read like any other change.
Folders, instants, run names, digests and seconds differ from run to run and stand as <names>.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tests.conftest import REPOSITORY

import ctl as package

PROFILE: Final = "configs/cutover/operating_profile_v1.yaml"
REFERENCE: Final = "data/raw/norgate/NG_CL_1D_20180102_20260227.csv"

# Screens of commands that leave the workspace as it is.
READING: Final[dict[str, list[list[str]]]] = {
    "gate": [["gate"]],
    "plan": [["plan"]],
    "replay": [["replay", "--from", "2026-02-02", "--to", "2026-02-27"]],
    "backtest": [["backtest", REFERENCE, "--tick", "0.01", "--slippage", "0.02"]],
    "glossary": [["glossary"]],
    "usage": [
        ["gat"], ["gate", "--bogus"], ["gate", "--as-of", "yesterday"], ["ops", "--notify", "sms"],
        ["ops", "--retention-days", "0"], ["run", "--timeframe", "hourly"], ["backtest"], ["backtest", "nowhere.csv"],
        ["demo", "x", "--inject", "gremlins:ES"], ["demo", "x", "--inject", "stale-data"],
        ["build", "--contracts", "x.csv"], ["build", "--contracts", REFERENCE],
        ["certify", "ES", "--contracts", REFERENCE],
        ["certify", "--contracts", REFERENCE, "--root", "ES"], ["research", "ES", "--param", "slope_threshold=99"],
    ],
}  # fmt: skip
# Screens of commands that write, each in a workspace of its own.
WRITING: Final[dict[str, list[list[str]]]] = {
    "certify": [["certify", "ES"], ["certify", "PA", "AAPL"]],
    "certify_explain": [["certify", "ES", "--explain"]],
    "build": [["build", "CL", "PL"]],
    "run": [["run"]],
    "research": [["research", "ES", "CL", "--param", "slope_threshold=6,10"]],
    "orders": [["orders"], ["orders", "--as-of", "2025-07-14"], ["orders", "--as-of", "2025-07-16"]],
    "paper": [["paper"], ["run"], ["paper"]],
    "lock": [["lock", "--set", "ratchet=0.5", "--reason", "a closer watch"], ["lock", "--reason", "again"], ["verify"]],
    "ops": [["ops", "--notify", "stdout"]],
    "ops_dry_run": [["ops", "--dry-run", "--notify", "stdout"]],
}


@pytest.fixture
def screen(ctl, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What commands show, run in a folder, with their exit codes."""

    def shown(folder: Path, commands: list[list[str]]) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("CTL_WORKSPACE", str(folder))
        parts = []
        for words in commands:
            ran = ctl(*words)
            parts.append(f"$ ctl {' '.join(words)}\n{ran.out}")
            parts.append(f"-- stderr\n{ran.err}" if ran.err else "")
            parts.append(f"-- exit {ran.code}\n")
        return steady("".join(parts), folder)

    return shown


def steady(text: str, folder: Path) -> str:
    """A screen without what differs from one run, version or machine to the next."""
    text = text.replace(str(folder), "<workspace>").replace(package.__version__, "<version>")
    for pattern, name in (
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|UTC|\+00:00))?", "<instant>"),
        (r"\b\d{8}_\d{6}(?!\d)", "<run>"),
        (r"\b(?=[0-9]*[a-f])[0-9a-f]{12,64}\b", "<digest>"),
        (r"\b\d+(\.\d+)? m?s\b", "<seconds>"),
        (r"(?<=decision log )[0-9a-f]{8}\b", "<digest>"),
    ):
        text = re.sub(pattern, name, text)
    return text


@pytest.mark.parametrize("name", READING)
def test_a_screen_that_writes_nothing(name: str, filled_workspace: Path, screen, golden) -> None:
    shown = screen(filled_workspace, READING[name])
    assert shown == golden(name, shown)


@pytest.mark.parametrize("name", WRITING)
def test_a_screen(name: str, workspace: Path, screen, golden) -> None:
    shown = screen(workspace, WRITING[name])
    assert shown == golden(name, shown)


def test_a_gate_that_refuses(workspace: Path, screen, golden) -> None:
    """A status and a setting other than those locked: what is shown, and that nothing runs."""
    path = workspace / PROFILE
    text = path.read_text(encoding="utf-8")
    changed = text
    for old, new in (("expected_status: WATCH", "expected_status: ACCEPT"), ("tick_size: 0.25", "tick_size: 0.5")):
        assert old in changed
        changed = changed.replace(old, new, 1)
    path.write_text(changed, encoding="utf-8")
    shown = screen(workspace, [["gate"], ["plan"], ["run"], ["orders"], ["ops", "--notify", "stdout"]])
    assert shown == golden("gate_refused", shown)


def test_errors_of_a_workspace(workspace: Path, tmp_path: Path, screen, golden) -> None:
    """Missing and unusable files: one line each, which says what to do."""
    path = workspace / PROFILE
    text = path.read_text(encoding="utf-8")
    for old, new in (
        ("cycle_id:", "cycel_id:"), ("tick_size: 0.25", "tick_size: -1"), ("CONDITIONAL GO", "GO"),
        ("expected_status: ACCEPT", "expected_status: MAYBE"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    broken = screen(workspace, [["gate"], ["certify", "NQ"], ["run"]])
    path.unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    shown = broken + screen(workspace, [["gate"]]) + screen(empty, [["gate"], ["certify"]])
    assert shown == golden("errors", shown)


def test_every_file_is_a_screen_that_is_compared() -> None:
    known = {*READING, *WRITING, "gate_refused", "errors", *(f"width_{width}" for width in (60, 80, 100, 120))}
    assert {path.stem for path in (REPOSITORY / "tests/golden").glob("*.txt")} == known
