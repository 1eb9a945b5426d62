"""Commands that estimate what a profile says, and propose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output
from ctl.cli.arguments import day
from ctl.cli.workspace_commands import chosen_symbols, open_workspace, profile_if_any
from ctl.errors import EXIT_ERROR, EXIT_OK
from ctl.model.documents import document

if TYPE_CHECKING:
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
    if json:
        output.print_json(document(report))
    else:
        _print(report)
    return EXIT_ERROR if any(item.error for item in report.symbols) else EXIT_OK


def _print(report: SlippageReport) -> None:
    rows = []
    for item in report.symbols:
        found = item.calibration
        if found is None:
            rows.append((item.symbol, _value(item.locked), "", "", "", "", item.error or ""))
            continue
        verdict = {True: "locked value lies outside the interval", False: "", None: ""}[item.locked_outside_interval]
        rows.append(
            (
                item.symbol,
                _value(item.locked),
                _value(found.per_side),
                f"{_value(found.low)} to {_value(found.high)}" if found.low is not None else "-",
                "-" if found.proposed is None else f"{_value(found.proposed)} = {found.proposed_ticks} x tick",
                found.method,
                "; ".join(text for text in (verdict, *found.notes) if text),
            )
        )
    columns = ("", "locked", "per side", "95 % interval", "would propose", "from", "")
    output.print_table(columns, rows, right=(1, 2))
    print(
        f"Price units per side, for {report.lots} lots where it comes from bars. Nothing was changed: write a value "
        "into the"
    )
    print("profile's slippage_per_side and record why with `ctl lock --reason TEXT`")
    if report.simulated:
        print("Data: simulated market")


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
