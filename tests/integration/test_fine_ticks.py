"""Drift, gaps and prices of markets whose tick is 0.0000005 and 1/32, on every screen, page and message with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import fine_ticks
import pytest

from ctl import clock

DRIFT: Final = (
    "certify {root}", "certify {root} --explain", "plan --set ratchet=0.5", "promote", "run",
    "ops --notify stdout",
    "status", "runs show last", "replay --from 2026-02-16 --to 2026-02-27", "lock --set ratchet=0.5 --reason closer",
    "report --out report.html", "gate",
)  # fmt: skip
OTHERS: Final = ("build {root}", "calibrate slippage", "orders", "contracts {root}")
SCRIPTS: Final = re.compile(r"<script.*?</script>", re.DOTALL)  # numbers for a program, which shows them in full
EXPONENT: Final = re.compile(r"\d[eE]-\d")
NO_DRIFT: Final = re.compile(r"drift -?0\.0+\b(?!\d)|(?:ACCEPT|WATCH) 0\.0+\b(?!\d)")


def three_figures(value: float) -> str:
    """As a person writes it: three figures of what is below 0.1, else cents."""
    told = Decimal(repr(value))
    places = 2 if told >= Decimal("0.1") else 2 - told.adjusted()
    return f"{told.quantize(Decimal(1).scaleb(-places)):f}"


@pytest.mark.parametrize("root", list(fine_ticks.TICKS))
def test_no_drift_and_no_gap_is_rounded_away(
    root: str,
    filled_workspace: Path,
    tmp_path: Path,
    ctl: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))
    monkeypatch.chdir(tmp_path)
    fine_ticks.write(filled_workspace, tmp_path)
    assert ctl("init", ".", "--symbol", root, "--yes").code == 0
    certificate = ctl("certify", root, "--json").document
    drift = three_figures(certificate["mean_drift"])
    for line in (each.format(root=root) for each in (*DRIFT, *OTHERS)):
        ran = ctl(*line.split())
        assert ran.code == 0, (line, ran.err)
        text = ran.out + (SCRIPTS.sub("", Path("report.html").read_text()) if "report.html" in line else "")
        assert not EXPONENT.findall(text), line
        assert not NO_DRIFT.findall(text), line
        if not f"{line} ".startswith(("gate", "run ", "build", "calibrate", "orders", "contracts", "replay")):
            assert drift in text, line
