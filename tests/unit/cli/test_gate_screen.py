"""The gate's screen: verdict first, now beside locked, why it refuses, and the command that helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from gate_results import DRIFT, FRIDAY, gate_result, result
from locked_symbols import locked_symbol

from ctl import operating_profile
from ctl.cli.gate_screen import data_to, gate_lines
from ctl.cli.screens import Terminal
from ctl.model.findings import Reason
from ctl.model.locked import DataTo
from ctl.model.run import LockResult, ValueChange

TEMPLATE = Path(__file__).resolve().parents[3] / "configs/cutover/operating_profile_v1.yaml"
PROFILE = operating_profile.load(TEMPLATE.read_bytes(), TEMPLATE.name)
DRIFTING = Reason("DRIFTING", "WATCH", "drift 4.30 (locked 2.10)", 4.3, 4.2)
PASSED = gate_result(
    result("ES", "WATCH", "WATCH", DRIFT), result("CL", "ACCEPT", "ACCEPT", DRIFTING), result("PL", "WATCH")
)
STALE = Reason("STALE_INPUT", "ERROR", "ends 2026-01-16, 28 sessions behind (limit 5); ES 2026-02-27", 28.0, 5.0)
WORSE = [Reason("WORSE_THAN_LOCKED", "ERROR", f"locked sessions: metric {number}") for number in range(5)]


def test_a_passed_gate_at_80_columns_is_that_of_the_specification() -> None:
    assert gate_lines(PASSED, PROFILE, Terminal(80), simulated=True) == [
        "GATE: PASS   CONDITIONAL GO   data to 2026-02-27   simulated market",
        "",
        "ES .... WATCH       expected WATCH   ok   mean drift 7.30 > 5.00 (locked 7.30)",
        "CL .... ACCEPT      expected ACCEPT  ok   DRIFTING: drift 4.30 (locked 2.10)",
        "PL .... WATCH       expected WATCH   ok",
        "PA .... NON-GATING  research",
        "AAPL .. NON-GATING  equity reference",
        "XLE ... NON-GATING  equity reference",
        "",
        "Portfolio: CONDITIONAL GO",
        "profile v1, decision H.7; all locks hold",
        "next: ctl run",
    ]


def test_at_60_columns_expected_leaves_and_the_locked_value_stays_whole() -> None:
    lines = gate_lines(PASSED, PROFILE, Terminal(60), simulated=True)
    assert lines[:5] == [
        "GATE: PASS   CONDITIONAL GO   data to 2026-02-27",
        "simulated market",
        "",
        "ES .... WATCH       ok   mean drift 7.30 > 5.00",
        "                         (locked 7.30)",
    ]


@pytest.mark.parametrize("width", [100, 120, None])
def test_units_are_shown_where_there_is_room(width: int | None) -> None:
    line = gate_lines(PASSED, PROFILE, Terminal(width), simulated=True)[2]
    assert line == ("ES .... WATCH       expected WATCH   ok   mean drift 7.30 > 5.00 (locked 7.30), index points")


def test_a_refusal_says_symbol_and_cause_in_line_1_and_the_reasons_under_the_symbol() -> None:
    late = result("CL", "ACCEPT", "ERROR", STALE, passed=False, data_to=DataTo(date(2026, 1, 16), FRIDAY))
    refused = gate_result(result("ES", "WATCH"), late, result("PL", "WATCH"), recommendation="NO-GO")
    lines = gate_lines(refused, PROFILE, Terminal(80), simulated=False)
    assert lines[0] == "GATE: MISMATCH   NO-GO   CL: data 28 sessions behind (limit 5)"
    assert lines[1] == "nothing runs   data to 2026-02-27, CL 2026-01-16 and its reference 2026-02-27"
    at = lines.index("CL .... ERROR       expected ACCEPT  MISMATCH")
    assert lines[at + 1] == "        STALE_INPUT: ends 2026-01-16, 28 sessions behind (limit 5); ES"
    assert lines[-2:] == ["Portfolio: NO-GO (locked CONDITIONAL GO)", "next: ctl doctor CL"]


def test_of_many_reasons_of_one_code_the_first_three_are_shown() -> None:
    lines = gate_lines(
        gate_result(result("ES", "WATCH", "WATCH", *WORSE, passed=False)), PROFILE, Terminal(), simulated=False
    )
    assert "        WORSE_THAN_LOCKED: " + "; ".join(reason.text for reason in WORSE[:3]) + "; 2 more" in lines
    assert lines[0] == "GATE: MISMATCH   CONDITIONAL GO   ES: worse than locked"


def test_a_lock_that_does_not_hold_stands_below_the_board_with_both_values() -> None:
    change = ValueChange("symbols.ES.point_value", 50.0, 5.0)
    broken = LockResult("workspace", "a", "b", False, True, "WORKSPACE_CHANGED", (change,))
    refused = replace(PASSED, passed=False, locks=(*PASSED.locks[:3], broken))
    lines = gate_lines(refused, PROFILE, Terminal(), simulated=False)
    assert lines[0].endswith("workspace changed: symbols.ES.point_value")
    assert any(line.startswith("WORKSPACE_CHANGED: ") and "50.0 -> 5.0" in line for line in lines)
    assert not any("all locks hold" in line for line in lines)
    assert lines[-1] == "next: ctl plan"


def test_a_rehearsal_says_what_it_is_and_leads_back_to_the_gate() -> None:
    lines = gate_lines(replace(PASSED, as_of=FRIDAY), PROFILE, Terminal(), simulated=False, by_flag=True)
    assert lines[0] == (f"GATE: PASS   CONDITIONAL GO   data to 2026-02-27   as of 2026-02-27   profile {PROFILE.name}")
    assert lines[-1] == "next: ctl gate"


def test_data_whose_age_nobody_judges_are_said_to_be_so() -> None:
    chosen = PROFILE.model_copy(update={"max_staleness_sessions": "none"})
    lines = gate_lines(PASSED, chosen, Terminal(), simulated=False)
    assert "max_staleness_sessions is none: how old the data are is not judged" in lines


def test_long_names_widen_the_board() -> None:
    chosen = PROFILE.model_copy(update={"non_gating_symbols": {"LONGNAME1": operating_profile.NonGating(role="x")}})
    lines = gate_lines(PASSED, chosen, Terminal(100), simulated=False)
    assert lines[4].startswith("PL ......... WATCH       expected WATCH   ok")
    assert lines[5] == "LONGNAME1 .. NON-GATING  x"


def test_how_far_the_data_reach() -> None:
    reach = DataTo(FRIDAY, FRIDAY)
    early = date(2026, 2, 24)
    assert data_to({}) == ""
    assert data_to({"ES": reach, "PL": reach, "CL": DataTo(early, early)}) == "data to 2026-02-27, CL 2026-02-24"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_of_a_board_is_wider_than_the_terminal(width: int) -> None:
    late = result("CL", "ACCEPT", "ERROR", STALE, *WORSE, passed=False, locked=locked_symbol("ACCEPT"))
    refused = gate_result(result("ES", "WATCH", "WATCH", DRIFT), late, result("PL", "WATCH"), recommendation="NO-GO")
    assert max(map(len, gate_lines(refused, PROFILE, Terminal(width), simulated=True))) <= width
