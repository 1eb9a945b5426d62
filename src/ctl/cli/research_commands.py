"""Commands that try things out, apart from the gate and the weekly run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl.cli import output
from ctl.cli.arguments import day
from ctl.cli.plain_commands import parameters
from ctl.cli.workspace_commands import chosen_symbols, open_workspace, profile_if_any
from ctl.errors import EXIT_ERROR, EXIT_OK, UsageError

if TYPE_CHECKING:
    from ctl.model.trades import Timeframe


def research(
    workspace_path: Path | None,
    symbols: Sequence[str],
    *,
    strategy: Sequence[str],
    param: Sequence[str],
    unregistered: bool,
    timeframe: Timeframe,
    as_of: str | None,
    out: Path | None,
    json: bool,
) -> int:
    """Variants side by side; exit 1 where one failed on a symbol."""
    from ctl.flows import research as room

    until, workspace = day(as_of), open_workspace(workspace_path)
    grid = {name: _values(name, text) for name, text in parameters(param).items()}
    variants = room.variants(strategy or ["b1"], grid, timeframe=timeframe, unregistered=unregistered)
    if out is not None:
        room.require_apart(out, workspace)
    profile = profile_if_any(workspace)
    chosen = chosen_symbols(symbols, list(workspace.symbols))
    with output.progress("trying variants"):
        found = room.run(workspace, profile, chosen, variants, timeframe=timeframe, as_of=until)
    written = room.write(out, found) if out is not None else ()
    document = found.to_document()
    if json:
        output.print_json(document)
    else:
        _print(document, written)
    return EXIT_ERROR if found.has_errors else EXIT_OK


def _values(name: str, text: str) -> list[str]:
    values = [value.strip() for value in text.split(",")]
    if not all(values) or len(set(values)) != len(values):
        raise UsageError(f"--param {name} needs a value, or several different ones", found=repr(text), expected="4,6,8")
    return values


def _print(document: dict[str, Any], written: Sequence[Path]) -> None:
    rows = []
    for variant in document["variants"]:
        figures = [(item["symbol"], item["metrics"], item["reason"]) for item in variant["symbols"]]
        if len(figures) > 1:
            figures.append(("all", variant["portfolio"], ""))
        for position, (symbol, metrics, reason) in enumerate(figures):
            name = variant["variant"] if position == 0 else ""
            rows.append((name, symbol, *(_figures(metrics) if metrics else ("-",) * 5), reason))
    columns = ("variant", "", "trades", "win rate", "total R", "R/trade", "max DD (R)", "")
    output.print_table(columns, rows, right=(2, 3, 4, 5, 6))
    trials = document["trials"]
    print(f"Research: {trials} variant{'s' if trials > 1 else ''} tried, no gate asked; nothing here may be traded on")
    if document["simulated"]:
        print("Data: simulated market")
    for path in written:
        print(f"  wrote {path}")


def _figures(metrics: dict[str, Any]) -> tuple[str, ...]:
    rate, mean = metrics["win_rate"], metrics["expectancy_r"]
    return (
        str(metrics["trade_count"]),
        "-" if rate is None else f"{100 * rate:.0f} %",
        f"{metrics['total_r']:+.2f}",
        "-" if mean is None else f"{mean:+.2f}",
        f"{metrics['max_drawdown_r']:.2f}",
    )
