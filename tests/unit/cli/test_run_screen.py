"""The screen of a run: columns that leave below 80, words for what the figures say, nothing cut."""

from __future__ import annotations

from datetime import date

import pytest

from ctl.cli import run_screen
from ctl.cli.screens import Terminal
from ctl.model.statistics import Expectancy, TrialLuck
from ctl.statistics import trade_statistics

SPAN = (date(2018, 1, 2), date(2026, 2, 27))
CLOSED = [(date(2018 + k, 5, 2), (-1) ** k * (1.0 + k)) for k in range(8)]
METRICS = {"trade_count": 8, "win_rate": 0.5, "expectancy_r": -0.5, "total_r": -4.0, "profit_factor": 0.8,
           "max_drawdown_r": 5.0}  # fmt: skip


def rows(width: int | None) -> list[str]:
    found = trade_statistics(CLOSED, 8.0)
    return run_screen.trades_table([("ES", METRICS, found), ("strategy", METRICS, found)], SPAN, Terminal(width))


@pytest.mark.parametrize("width", [60, 80, 100, 120, None])
def test_symbol_and_r_are_never_cut(width: int | None) -> None:
    lines = rows(width)
    assert all(len(line) <= (width or 200) for line in lines)
    for line, name in zip(lines[1:], ("ES", "strategy"), strict=True):
        assert line.startswith(name)
        assert all(text in line for text in ("-0.50", "-4.00", "5.00"))
    words = lines[0].split()
    assert ("win" in words) == ("PF" in words) == ("2018" in words) == (width is None or width >= 80)


def test_a_curve_begins_at_zero_and_is_scaled_on_its_own_row() -> None:
    curve = rows(None)[1].split()[-1]
    assert len(curve) == 10
    assert {"█", "▁"} <= set(curve)


def expectancy(low: float | None, high: float | None, trades: int = 35) -> Expectancy:
    return Expectancy(
        trades=trades, mean_r=0.1, standard_error=0.3, low=low, high=high, block_length=1.0, trades_per_year=4.75,
        trades_needed=668, note="no interval of 5 trades: at least 6 are needed" if low is None else "",
    )  # fmt: skip


def test_evidence_in_words() -> None:
    assert run_screen.evidence(expectancy(-0.8, 0.4)) == "no edge shown: 35 trades, 5 a year; about 670 needed"
    assert run_screen.evidence(expectancy(0.1, 0.4)) == "an edge beyond chance (95 %): 35 trades, 5 a year"
    assert run_screen.evidence(expectancy(-0.9, -0.4)) == "a loss beyond chance (95 %): 35 trades, 5 a year"
    assert run_screen.evidence(expectancy(None, None, 5)) == (
        "none: 5 trades, 5 a year; no interval of 5 trades: at least 6 are needed"
    )


def test_a_ledger_that_cannot_be_read_is_said_and_never_read_as_one_trial() -> None:
    from dataclasses import replace

    found = replace(trade_statistics(CLOSED, 8.0), luck=TrialLuck(None, None, None, note="damaged"))
    assert run_screen.statistics_facts(found)["Variants"] == "not known: damaged"


def test_the_session_that_data_reach_names_those_that_reach_another() -> None:
    assert run_screen.data_to({"ES": "2026-02-27", "CL": "2026-02-24", "PL": "2026-02-27"}) == (
        "data to 2026-02-27, CL 2026-02-24"
    )
    assert run_screen.data_to({}) == ""
