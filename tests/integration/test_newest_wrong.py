"""The newest data wrong on a gating symbol: exit 2, no order, and board and message name the symbol and the cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctl.flows import demo

GATING = ("ES", "CL", "PL")


@pytest.mark.parametrize(
    ("cause", "code", "said"),
    [
        ("own-newest-level", "LEVEL_NOW", "at the newest sessions up to 2026-02-27 our closes lie"),
        ("newest-level", "LEVEL_NOW", "at the newest sessions up to 2026-02-27 our closes lie"),
        ("newest-labels-late", "DATE_SHIFT", "dates its closes one session later"),
        ("unit-change", "IDENTITY_MISMATCH", "prices are 100 times"),
        ("reference-unit", "UNIT_CHANGED", "100 times larger"),
        ("stale-data", "STALE_INPUT", "ends 2026-01-14, 30 sessions behind (limit 5)"),
    ],
)
def test_wrong_newest_data_stop_the_portfolio(
    tmp_path: Path, ctl: Callable[..., Any], cause: str, code: str, said: str
) -> None:
    demo.fill(tmp_path, [(cause, symbol) for symbol in GATING])
    cycle = ctl("ops", "-w", tmp_path, "--notify", "stdout")
    assert cycle.code == 2
    message, _, board = cycle.out.partition("GATE: MISMATCH   NO-GO   ES: ")
    assert message.startswith("[ALERT] Portfolio run aborted. Gate: MISMATCH.")
    assert "No orders" in message
    for symbol in GATING:
        (line,) = [text for text in message.splitlines() if text.startswith(f"{symbol}: expected ")]
        assert said in line
        row = board[board.index(f"\n{symbol} .... ") :].split("\n")[1:3]
        assert row[0].endswith("MISMATCH")
        assert row[1].strip().startswith((code, "LEVEL_STEP"))
    found = ctl("gate", "-w", tmp_path, "--json")
    assert found.code == 2
    for result in found.document["symbol_results"]:
        assert code in [reason["code"] for reason in result["reasons"]]
    assert ctl("orders", "-w", tmp_path, "--json").code == 2
    left = [
        path.relative_to(tmp_path).as_posix() for path in (tmp_path / "data/processed").rglob("*") if path.is_file()
    ]
    assert not [name for name in left if "/passes/" in name or "/run_summaries/" in name]


@pytest.mark.parametrize("symbol", GATING)
def test_one_symbol_is_enough_and_the_others_are_as_expected(
    tmp_path: Path, ctl: Callable[..., Any], symbol: str
) -> None:
    demo.fill(tmp_path, [("own-newest-level", symbol)])
    ran = ctl("run", "-w", tmp_path)
    assert ran.code == 2
    assert ran.out.startswith(f"GATE: MISMATCH   NO-GO   {symbol}: ")
    found = ctl("gate", "-w", tmp_path, "--json").document
    assert {item["symbol"]: item["passed"] for item in found["symbol_results"]} == {
        name: name != symbol for name in GATING
    }
