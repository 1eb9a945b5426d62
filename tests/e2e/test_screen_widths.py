"""Every command's screen on a real terminal of four widths: nothing is cut, the verdict first, the next command last.

`pytest tests/e2e/test_screen_widths.py --golden=write` writes tests/golden/width_*.txt anew.
"""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Final

import pytest
from tests.e2e.test_screens import steady
from tests.helpers import pty_screens
from tests.integration.test_printed_documents import commands

WIDTHS: Final = (60, 80, 100, 120)
BARS: Final = "data/raw/norgate/NG_CL_1D_20180102_20260227.csv"
PROFILES: Final = "configs/cutover/operating_profile_v1.yaml configs/cutover/operating_profile_v2.yaml"

# In the order in which they are run, in one workspace: what each shows rests on those before.
SCREENS: Final = [
    "gate", "glossary", "orders --as-of 2025-07-14", "doctor", "verify", "data list", "data show ES", "contracts ES",
    "calibrate slippage", "demo --causes", "replay --from 2026-02-16 --to 2026-02-27",
    f"backtest {BARS} --tick 0.01 --slippage 0.02", "build CL", "certify ES", "certify ES --explain",
    "certify ES --explain --verbose", "plan --set ES.series.closes=settlement", "promote ES", "promote",
    "status", "run", "status",
    "lookahead b1 XLE",  # more than a second: runs of one second are named apart
    "research CL --param slope_threshold=6,10", "ops",
    "status", "orders", "paper", "runs list", "runs show last", "runs compare last last", "report --out report.html",
    "revisions ES", "revisions ES 2024-05-15", "schedule install --systemd --tz UTC", "schedule status",
    "schedule remove", "init made --data only --yes", "plan", "lock --set ES.series.closes=settlement --reason closes",
    "plan --set ratchet=0.3", f"profile diff {PROFILES}",
    "decide --decision 'stay with the vendor' --rationale 'the lock holds'", "closeout",
]  # fmt: skip
# Commands that have no screen of the kind, each with what it prints instead.
WITHOUT: Final = {
    "data head": "CSV, to be redirected",
    "mapping": "a mapping file, to be redirected",
    "schedule show": "the scheduler's own files, line by line",
    "fetch": "prices of a vendor's server, which tests do not reach",
    "serve": "an address; it never ends",
    "schemas": "it writes files of the repository",
}
_VERDICT: Final = re.compile(r"[A-Z]+: |ES: ")
_SPINNER: Final = re.compile(r"\x1b\[\?25l.*?\x1b\[\?25h(?:\s|\x1b\[1A|\x1b\[2K)*", re.DOTALL)
_COLOUR: Final = re.compile(r"\x1b\[\d+m")


@pytest.fixture(scope="module")
def shown(filled_workspace: Path) -> dict[int, str]:
    """All screens by width, each checked, without what differs from run to run. Every command runs once: a test that
    is as real as four terminals and costs one.
    """
    with tempfile.TemporaryDirectory(prefix="ctl", dir="/tmp") as base:  # as long on every machine: lines break alike
        folder = Path(base) / "workspace"
        shutil.copytree(filled_workspace, folder)
        for source in (folder / "data/raw").glob("*/*XLE*"):
            target = folder / "only" / source.relative_to(folder / "data/raw")
            (shutil.copytree if source.is_dir() else _copy)(source, target)
        screens = pty_screens.printed(folder, SCREENS, WIDTHS)
        return {width: _told(screens, width, folder) for width in WIDTHS}


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_at_a_width(width: int, shown: dict[int, str], golden) -> None:
    """Columns leave and prose is wrapped; only a path or a command to paste may be wider than the terminal."""
    assert shown[width] == golden(f"width_{width}", shown[width])


def _told(screens: list[pty_screens.Screen], width: int, folder: Path) -> str:
    told = []
    for screen in screens:
        text = _COLOUR.sub("", _SPINNER.sub("", screen.texts[width]))
        lines = text.splitlines()
        assert screen.code == 0, f"{screen.command}: {text}"
        if screen.command != "glossary":  # a list of words
            assert _VERDICT.match(lines[0]), f"{screen.command}: {lines[0]}"
            assert len(lines) == 1 or lines[-1].startswith("next: ctl "), f"{screen.command}: {lines[-1]}"
        for line in lines:
            pasted = line.startswith(("next: ", "  systemctl "))
            whole = len(line) <= width or pasted or max(line.split(), key=len).count("/") > 1
            assert whole, f"{screen.command}: {line}"
        told.append(f"$ ctl {screen.command}\n{text}")
    text = steady("".join(told), folder).replace(socket.gethostname(), "<machine>")
    for pattern, name in (
        (r"^Took .*\n( +.*\n)*", "Took <seconds>\n"),
        (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?=<instant>)", ""),
        (r"(?<=cutover_v1-)[0-9a-f]{8}", "<digest>"),
        (r"^(<run>  <instant>.*\S) +\d+\.\d$", r"\1  <seconds>"),
        (r"\b\d+ sessions ago", "<n> sessions ago"),
        (r"(?<=-> )20\d\d-\d\d-\d\d$", "<today>"),
    ):
        text = re.sub(pattern, name, text, flags=re.MULTILINE)
    return text


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def test_every_command_is_printed_or_has_its_reason() -> None:
    printed = {name for name, _ in commands() for screen in SCREENS if f"{screen} ".startswith(f"{name} ")}
    assert printed | set(WITHOUT) == {name for name, _ in commands()}
    assert not printed & set(WITHOUT)
