"""Commands that estimate what a profile says, and propose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.arguments import day
from ctl.cli.screens import Column
from ctl.cli.workspace_commands import chosen_symbols, open_workspace, profile_if_any
from ctl.model.findings import in_full

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.flows.slippage import SlippageReport


def slippage(
    workspace_path: Path | None,
    symbols: Sequence[str],
    *,
    fills: Path | None,
    lots: int,
    as_of: str | None,
    json: bool,
) -> int:
    """Slippage per side with its uncertainty, beside the locked values; exit 1 where a symbol fails."""
    from ctl.flows import slippage as calibrating

    instant, until, workspace = clock.now(), day(as_of), open_workspace(workspace_path)
    profile = profile_if_any(workspace)
    default = profile.gating_universe if profile else tuple(workspace.symbols)
    chosen = chosen_symbols(symbols, list(workspace.symbols)) if symbols else list(default)
    with output.progress("calibrating"):
        report = calibrating.propose(workspace, profile, chosen, instant=instant, fills=fills, lots=lots, as_of=until)
    output.answer(report, lambda on: _lines(report, on), json=json)
    return output.ended(f"{item.symbol}: {item.error}" for item in report.symbols if item.error)


def _lines(report: SlippageReport, on: Terminal) -> list[str]:
    rows: list[tuple[str, ...]] = []
    notes: list[tuple[str, str]] = []
    outside = [item.symbol for item in report.symbols if item.locked_outside_interval]
    failed = [item.symbol for item in report.symbols if item.error]
    for item in report.symbols:
        found = item.calibration
        if found is None:
            rows.append((item.symbol, _value(item.locked), "-", "-", "-", ""))
            notes.append((item.symbol, item.error or ""))
            continue
        rows.append(
            (
                item.symbol,
                _value(item.locked),
                _value(found.per_side),
                "-" if found.low is None else f"{_value(found.low)}  {_value(found.high)}",
                "-" if found.proposed is None else f"{_value(found.proposed)} ({found.proposed_ticks} x tick)",
                found.method,
            )
        )
        verdict = "the locked value lies outside the interval" if item.locked_outside_interval else ""
        notes += [(item.symbol, text) for text in (verdict, *found.notes)]
    state = f"ERROR, {' '.join(failed)} not measured" if failed else f"WARN, {' '.join(outside)}" if outside else "OK"
    lines = screens.parts([f"SLIPPAGE: {state}", "nothing changed", "simulated market" if report.simulated else ""], on)
    columns = (
        Column(""), Column("locked", right=True), Column("per side", right=True),
        Column("95 % interval", right=True), Column("proposed", right=True), Column("from", least=80),
    )  # fmt: skip
    unit = f"price units per side, for {report.lots} lots where it comes from bars"
    facts = screens.facts({**output.shared_facts(notes), "Unit": unit}, on)
    tried = [
        f" --set {item.symbol}.slippage_per_side={_value(item.calibration.proposed)}"
        for item in report.symbols
        if item.calibration is not None and item.calibration.proposed not in (None, item.locked)
    ]
    lines = [*lines, "", *screens.table(columns, rows, on), "", *facts]
    return [*lines, f"next: ctl plan{''.join(tried)}"] if tried else lines


def _value(value: float | None) -> str:
    return "-" if value is None else in_full(value, 4)
