"""The screen of a certificate at the widths that terminals have: nothing cut, figures that add up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ctl.cli import certificate_screen
from ctl.cli.screens import Terminal
from ctl.flows import portfolio
from ctl.model.certificate import Certificate
from ctl.store import Workspace


@pytest.fixture(scope="module")
def certificates(filled_workspace: Path) -> dict[str, Certificate]:
    workspace = Workspace.load(filled_workspace)
    return {symbol: portfolio.certify_symbol(workspace, symbol).certificate for symbol in ("ES", "PL", "AAPL")}


def shown(certificate: Certificate, width: int | None) -> list[str]:
    drawn = certificate_screen.certificate_lines
    return drawn(certificate, ["a/b/L4_drift.csv"], Terminal(width=width), explain=True, workspace=True)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("symbol", ["ES", "PL", "AAPL"])
def test_nothing_is_cut_or_too_wide(certificates, symbol: str, width: int) -> None:
    lines = shown(certificates[symbol], width)
    assert max(map(len, lines)) <= width
    whole = " ".join(" ".join(lines).split())
    piped = " ".join(" ".join(shown(certificates[symbol], None)).split())
    for word in re.findall(r"\b(?:ES|PL)[HMUZJNVF]\d\d\S*|\d{4}-\d\d-\d\d|WATCH|ACCEPT", piped):
        assert word in whole


@pytest.mark.parametrize("symbol", ["ES", "PL"])
def test_points_and_shares_add_up_to_the_drift(certificates, symbol: str) -> None:
    lines = shown(certificates[symbol], None)
    begin = next(n for n, line in enumerate(lines) if line.startswith("drift from"))
    rows = [re.match(r"(.+?)\s{2,}(-?[\d.]+) %\s+(-?[\d.]+)\s", line) for line in lines[begin + 1 : begin + 6]]
    names, shares, points = zip(*((row[1], float(row[2]), float(row[3])) for row in rows if row), strict=True)
    assert (names[-1], re.fullmatch(r"\d+ others", names[-2]) is not None) == ("total", True)
    assert sum(shares[:-1]) == pytest.approx(shares[-1], abs=1e-9)
    assert sum(points[:-1]) == pytest.approx(points[-1], abs=1e-9)


def test_line_one_is_the_verdict_and_the_last_a_command(certificates) -> None:
    lines = shown(certificates["ES"], 80)
    assert lines[0].startswith("ES: WATCH   mean drift 6.30 > 5.00 (index points)   data to 2026-02-27")
    assert lines[-1] == "next: ctl plan --set ES.series.closes=settlement"
