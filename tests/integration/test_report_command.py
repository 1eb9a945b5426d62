"""`ctl report` on the simulated market."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def page(filled_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    from ctl.cli import main

    path = tmp_path_factory.mktemp("report") / "report.html"
    assert main(["report", "-w", str(filled_workspace), "--out", str(path)]) == 0
    return path.read_text(encoding="utf-8")


def test_it_stands_alone(page: str):
    assert not re.search(r'(?:src|href)="(?!#|data:,")', page)
    assert "url(http" not in page
    assert not re.search(r"\sstyle=|\son[a-z]+=", page.split("</head>")[1].split("<script>", maxsplit=1)[0])


def test_its_policy_allows_its_own_script_and_style_alone(page: str):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_it_has_every_section_in_order_and_every_symbol(page: str):
    # F stands where a run was recorded; this workspace has none.
    assert re.findall(r'<(?:section|header) id="([A-G])"', page) == ["A", "B", "C", "D", "E", "G"]
    assert re.findall(r"<summary><h3>.*?<b>(\w+)</b>", page) == ["PL", "ES", "CL", "AAPL", "PA", "XLE"]
    assert "simulated market" in page


def test_symbols_that_are_as_expected_are_folded(page: str):
    opened = re.findall(r'<details class="symbol" id="sym-\d+"( open)?><summary><h3>.*?<b>(\w+)</b>', page)
    assert [symbol for state, symbol in opened if state] == ["PL", "ES"]


def test_the_same_inputs_give_the_same_bytes(
    page: str, filled_workspace: Path, ctl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from ctl import clock

    instant = clock.now()
    monkeypatch.setattr(clock, "now", lambda: instant)
    texts = []
    for name in ("a.html", "b.html"):
        assert ctl("report", "-w", filled_workspace, "--out", tmp_path / name).code == 0
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]


def test_a_window_and_a_symbol_narrow_what_is_shown(filled_workspace: Path, ctl: Command, tmp_path: Path):
    path = tmp_path / "r.html"
    ran = ctl(
        "report", "-w", filled_workspace, "--symbol", "CL", "--from", "2024-01-01", "--to", "2024-12-31", "--out", path
    )
    assert ran.code == 0
    text = path.read_text()
    assert re.findall(r"<h[23][^>]*><span.*?<b>(\w+)</b>", text) == ["CL"]
    years = re.search(r"R by year and month.*?</table>", text, re.DOTALL)
    assert years is None or re.findall(r'<th scope="row"[^>]*>(\d{4})</th>', years[0]) == ["2024"]


@pytest.mark.parametrize(
    "arguments",
    [("--from", "2024-05-01", "--to", "2024-04-01"), ("--from", "soon"), ("--symbol", "XX")],
)
def test_what_cannot_be_asked_is_64(filled_workspace: Path, ctl: Command, tmp_path: Path, arguments: tuple[str, ...]):
    assert ctl("report", "-w", filled_workspace, "--out", tmp_path / "r.html", *arguments).code == 64
    assert not (tmp_path / "r.html").exists()


def test_a_refused_gate_is_reported_with_its_reason_and_the_recorded_trades(workspace: Path, ctl: Command):
    assert ctl("run", "-w", workspace).code == 0
    for path in (workspace / "data/raw/tradestation").glob("*CL*"):
        path.write_text("not a series\n")
    ran = ctl("report", "-w", workspace)
    assert ran.code == 2
    assert "MISMATCH" in ran.out
    text = next((workspace / "data/processed").glob("*/report.html")).read_text()
    assert "GATE:</b> MISMATCH" in text
    assert "CL: INPUT_UNREADABLE" in text
    assert "R by year and month" in text
    assert "recorded run of" in text


def test_what_data_say_is_escaped(workspace: Path, ctl: Command, tmp_path: Path):
    hostile = "<script>alert(1)</script>"
    toml = workspace / "ctl.toml"
    toml.write_text(toml.read_text().replace('quote_unit = "index points"', f'quote_unit = "{hostile}"'))
    profile = next(workspace.glob("configs/cutover/*.yaml"))
    assert hostile not in profile.read_text()
    ctl("report", "-w", workspace, "--include-non-gating", "--out", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert hostile not in text
    assert text.count("<script>") == 1


def test_rolls_and_records_that_cannot_be_read_are_told(workspace: Path, ctl: Command, tmp_path: Path):
    logs = workspace / "data/processed/cutover_v1/ops_logs"
    logs.mkdir(parents=True)
    (logs / "20260220_220000_ops.json").write_text('{"broken')
    out = tmp_path / "report.html"
    assert ctl("report", "-w", workspace, "--out", out).code == 0
    text = re.sub(r"<[^>]+>", " ", out.read_text(encoding="utf-8"))
    assert re.search(r"20 Feb 2026 22:00 UTC\s+UNREADABLE\s+real\s+20260220_220000_ops.json cannot be read", text)
    # ESH26 ends on its third Friday, 2026-03-20; the guard of two sessions brings that to the 18th: 13 sessions on.
    assert re.search(r"ES\s+ESH26\s+ESM26\s+2026-03-18\s+13\b", text)
    assert re.search(r"rolls in 5 sessions\s+none", text)
