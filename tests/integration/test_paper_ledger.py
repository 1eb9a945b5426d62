"""The live-sim ledger on the simulated market: whatever the cadence of the runs, it comes to the backtest's trades."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from paper_replay import profile_of, settle_to

from ctl import clock
from ctl.errors import DataError
from ctl.flows import paper
from ctl.model.orders import Verdict
from ctl.store import Workspace

DRIVER = Path(__file__).resolve().parents[1] / "helpers" / "paper_kill_driver.py"


def fridays(first: str, count: int) -> list[date]:
    return [date.fromisoformat(first) + timedelta(weeks=week) for week in range(count)]


def records(workspace: Workspace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in workspace.paper_ledger.read_text().splitlines()]


def compared(workspace: Workspace, symbols: tuple[str, ...]) -> list[tuple[str, str]]:
    """(symbol, trigger) of every trade on either side; fails where one differs."""
    made = paper.report(workspace, profile_of(workspace), instant=clock.now())
    assert {item.symbol for item in made.symbols} == set(symbols)
    for item in made.trades:
        assert item.differences == (), item
        assert item.paper is not None
        assert item.backtest is not None
        assert item.paper.r_theoretical == pytest.approx(item.backtest.r_theoretical, abs=1e-9)
    return [(item.symbol, str(item.trigger_session)) for item in made.trades]


def test_weekly_runs_come_to_the_trades_of_the_backtest(workspace: Path) -> None:
    held = Workspace.load(workspace)
    settle_to(held, fridays("2020-06-05", 4), symbols=("ES", "PL"))
    # 2020-06-12 is a roll of ES: the ledger's prices are those of the contract held on each session.
    assert compared(held, ("ES", "PL")) == [("ES", "2020-06-08"), ("PL", "2020-06-08")]
    contracts = {item["contract"] for item in records(held) if item["symbol"] == "ES"}
    assert contracts == {"ESM20", "ESU20"}


def test_a_position_held_over_a_roll_comes_to_the_backtest(workspace: Path) -> None:
    held = Workspace.load(workspace)
    settle_to(held, fridays("2024-11-01", 3), symbols=("CL",))
    assert compared(held, ("CL",)) == [("CL", "2024-11-05")]
    made = records(held)
    (roll,) = [number for number, item in enumerate(made) if item["gap"] != 0.0]
    assert made[roll - 1]["positions"]


@pytest.mark.slow
def test_fifty_two_weekly_runs_come_to_the_trades_of_the_backtest(workspace: Path) -> None:
    held = Workspace.load(workspace)
    settle_to(held, fridays("2025-02-28", 53))
    trades = compared(held, ("CL", "ES", "PL"))
    assert trades == [
        ("CL", "2025-07-01"),
        ("PL", "2025-07-11"), ("PL", "2025-08-22"), ("PL", "2025-10-07"), ("PL", "2025-12-30"),
    ]  # fmt: skip


@pytest.mark.slow
def test_eight_years_in_one_run_come_to_the_trades_of_the_backtest(workspace: Path) -> None:
    held = Workspace.load(workspace)
    settle_to(held, [date(2019, 1, 4), date(2026, 2, 27)], symbols=("ES", "CL"))
    assert len(compared(held, ("CL", "ES"))) == 24


def test_the_cadence_changes_nothing_but_who_decided_when(workspace: Path) -> None:
    held = Workspace.load(workspace)
    first, last = date(2024, 11, 29), date(2024, 12, 20)
    every = [first + timedelta(n) for n in range((last - first).days + 1) if (first + timedelta(n)).weekday() < 5]
    seen = []
    for cadence in (every, fridays("2024-11-29", 4), [first, last]):
        held.paper_ledger.unlink(missing_ok=True)
        settle_to(held, cadence, symbols=("ES",))
        seen.append(records(held))
    daily, weekly, once = seen
    assert [item["live"] for day in daily for item in day["closed"]] == [True]
    assert [item["live"] for day in once for item in day["closed"]] == [False]
    stripped = [[_without_run(item) for item in made] for made in seen]
    assert stripped[0] == stripped[1] == stripped[2]
    assert len({item["run"] for item in weekly}) == 4


def _without_run(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _without_run(value) for key, value in item.items() if key not in ("run", "live")}
    return [_without_run(one) for one in item] if isinstance(item, list) else item


def test_an_entry_whose_open_had_passed_when_the_run_was_made_is_not_live(workspace: Path) -> None:
    held = Workspace.load(workspace)
    seen = []
    for late in (0, 1, 2):  # the trigger is confirmed on Tuesday 2024-12-03, for the open of Wednesday
        held.paper_ledger.unlink(missing_ok=True)
        settle_to(held, [date(2024, 12, 3)], symbols=("ES",), days_late=late)
        (line,) = records(held)
        seen.append([order["live"] for order in line["orders"]])
    assert seen == [[True], [True], [False]]


def test_a_second_run_of_one_session_adds_nothing(workspace: Path) -> None:
    held = Workspace.load(workspace)
    assert settle_to(held, [date(2024, 11, 29), date(2024, 12, 6)], symbols=("ES",)) == [1, 5]
    before = held.paper_ledger.read_bytes()
    assert settle_to(held, [date(2024, 12, 6), date(2024, 11, 29)], symbols=("ES",)) == [0, 0]
    assert held.paper_ledger.read_bytes() == before


def test_what_stands_in_the_ledger_is_never_changed(workspace: Path) -> None:
    held = Workspace.load(workspace)
    settle_to(held, [date(2024, 12, 6)], symbols=("ES",))
    before = held.paper_ledger.read_bytes()
    settle_to(held, [date(2024, 12, 13)], symbols=("ES",))
    assert held.paper_ledger.read_bytes().startswith(before)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_while_it_writes_loses_and_doubles_nothing(workspace: Path, when: str) -> None:
    held = Workspace.load(workspace)
    settle_to(held, [date(2024, 12, 6), date(2024, 12, 13)], symbols=("ES",))
    expected = held.paper_ledger.read_bytes()
    held.paper_ledger.unlink()
    settle_to(held, [date(2024, 12, 6)], symbols=("ES",))
    command = [sys.executable, str(DRIVER), str(workspace), "2024-12-13", when]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    settle_to(held, [date(2024, 12, 13)], symbols=("ES",))
    assert held.paper_ledger.read_bytes() == expected
    settle_to(held, [date(2024, 12, 20)], symbols=("ES",))
    assert [path.name for path in held.paper_ledger.parent.iterdir()] == ["ledger.jsonl"]


def test_a_damaged_ledger_is_refused_and_left_alone(workspace: Path) -> None:
    held = Workspace.load(workspace)
    settle_to(held, [date(2024, 12, 6)], symbols=("ES",))
    damaged = held.paper_ledger.read_bytes()[:-40] + b"\n"
    held.paper_ledger.write_bytes(damaged)
    with pytest.raises(DataError, match="the paper ledger is damaged"):
        settle_to(held, [date(2024, 12, 13)], symbols=("ES",))
    assert held.paper_ledger.read_bytes() == damaged


def test_real_runs_settle_and_ctl_paper_shows_it(workspace: Path, ctl: Callable[..., Any]) -> None:
    assert "PAPER: EMPTY" in ctl("paper", "-w", workspace).out
    assert ctl("run", "-w", workspace, "--as-of", "2024-12-03", "--dry-run").code == 0
    assert ctl("orders", "-w", workspace, "--as-of", "2024-12-03").code == 0
    held = Workspace.load(workspace)
    assert not held.paper_ledger.exists()
    settle_to(held, [date(2024, 12, 3)])  # as the run of that evening did
    assert ctl("run", "-w", workspace).code == 0
    settled = held.paper_ledger.read_bytes()
    assert ctl("ops", "-w", workspace).code == 0
    assert held.paper_ledger.read_bytes() == settled
    document = ctl("paper", "-w", workspace, "--json").document
    assert document["unexplained"] == 0
    (es,) = [item for item in document["trades"] if item["symbol"] == "ES"]
    assert (es["trigger_session"], es["paper"]["live"], es["differences"]) == ("2024-12-02", True, [])
    assert es["paper"]["r_theoretical"] == pytest.approx(-1.48, abs=0.005)
    # What the run made long afterwards decided had no open left to be placed for.
    assert {item["paper"]["live"] for item in document["trades"] if item is not es} == {False}
    # 310: the rows of each reference file from 2024-12-03 to its end.
    assert {item["symbol"]: item["sessions"] for item in document["symbols"]} == {"ES": 310, "CL": 310, "PL": 310}
    shown = ctl("paper", "-w", workspace).out
    assert "paper -6.47 R, backtest -6.47 R" in shown


def test_a_weekly_timeframe_leaves_the_ledger_alone(workspace: Path, ctl: Callable[..., Any]) -> None:
    assert ctl("run", "-w", workspace, "--timeframe", "weekly").code == 0
    assert not Workspace.load(workspace).paper_ledger.exists()


@pytest.mark.parametrize("fault", ["cut", "rewritten", "removed"])
def test_a_ledger_that_a_run_has_cited_is_refused_once_it_reads_otherwise(
    workspace: Path, ctl: Callable[..., Any], fault: str
) -> None:
    ran = ctl("run", "-w", workspace, "--json").document
    path = Workspace.load(workspace).paper_ledger
    data = path.read_bytes()
    cited = json.loads((workspace / ran["summary_path"]).read_bytes())["paper"]
    assert (cited["records"], cited["bytes"], cited["sha256"]) == (3, len(data), hashlib.sha256(data).hexdigest())
    lines = data.splitlines(keepends=True)
    if fault == "cut":
        path.write_bytes(b"".join(lines[:-1]))
    elif fault == "rewritten":
        path.write_bytes(data.replace(b'"slippage_per_side":0.25', b'"slippage_per_side":0.15'))
    else:
        path.unlink()
    changed = path.read_bytes() if path.exists() else None
    for command in (("run",), ("orders",), ("paper",)):
        refused = ctl(*command, "-w", workspace)
        assert refused.code == 1
        assert "is not the one that a run has cited" in refused.err
    assert (path.read_bytes() if path.exists() else None) == changed
    path.write_bytes(data)
    assert ctl("paper", "-w", workspace).code == 0


def test_what_a_sheet_refuses_is_refused_on_paper_and_explained(workspace: Path) -> None:
    """PL's entry decided on 2025-07-14 is refused; the backtest takes every trade."""
    held = Workspace.load(workspace)
    settle_to(held, [date(2025, 7, 10)], symbols=("PL",))
    key = ("PL", date(2025, 7, 11))
    settle_to(held, [date(2025, 7, 25)], symbols=("PL",), verdicts={key: Verdict(("FIRST_NOTICE",))})
    refused = [line["refused"] for line in records(held) if line["session"] == "2025-07-14"]
    assert refused == [[{"trigger_session": "2025-07-11", "reason": "FIRST_NOTICE"}]]
    assert not any(line["positions"] or line["closed"] for line in records(held))
    report = paper.report(held, profile_of(held), instant=clock.now())
    (only,) = report.trades
    assert only.paper is None
    assert only.explanation is not None
    assert only.explanation.startswith("REFUSED: FIRST_NOTICE on 2025-07-14")
    assert report.unexplained == 0
