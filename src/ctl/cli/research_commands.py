"""Commands that try things out, apart from the gate and the weekly run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.arguments import day
from ctl.cli.plain_commands import parameters
from ctl.cli.workspace_commands import chosen_symbols, open_workspace, profile_if_any
from ctl.errors import EXIT_ERROR, EXIT_OK, UsageError
from ctl.model.documents import document

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.flows.research import Lookahead, Ran, Research, SweptVariant
    from ctl.model.trades import Metrics, Timeframe

_MOST_SHOWN: Final = 20


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

    instant, until, workspace = clock.now(), day(as_of), open_workspace(workspace_path)
    grid = {name: _values(name, text) for name, text in parameters(param).items()}
    variants = room.variants(strategy or ["b1"], grid, timeframe=timeframe, unregistered=unregistered)
    if out is not None:
        room.require_apart(out, workspace)
    profile = profile_if_any(workspace)
    chosen = chosen_symbols(symbols, list(workspace.symbols))
    with output.progress("trying variants"):
        found = room.run(
            workspace, profile, chosen, variants,
            instant=instant, timeframe=timeframe, as_of=until, stress=json or out is not None,
        )  # fmt: skip
    written = room.write(out, found) if out is not None else ()
    if json:
        output.print_json(found.to_document())
    else:
        _print(found, written)
    return EXIT_ERROR if found.has_errors else EXIT_OK


def lookahead(
    workspace_path: Path | None,
    name: str,
    symbols: Sequence[str],
    *,
    param: Sequence[str],
    timeframe: Timeframe,
    json: bool,
) -> int:
    """Whether a strategy's past values stay when bars are added; exit 1 where one does not, or could not be tried."""
    from ctl.flows import research as room

    workspace = open_workspace(workspace_path)
    profile = profile_if_any(workspace)
    gating = list(profile.gating_universe) if profile is not None else list(workspace.symbols)
    chosen = chosen_symbols(symbols, list(workspace.symbols)) if symbols else gating
    with output.progress("running on bars that end at every bar"):
        found = room.lookahead(
            workspace, profile, name, parameters(param), chosen, timeframe=timeframe, now=clock.now()
        )
    if json:
        output.print_json(document(found))
    else:
        on = screens.terminal()
        screens.show(_lookahead_lines(found, on), on)
    return EXIT_OK if found.clean else EXIT_ERROR


def _lookahead_lines(found: Lookahead, on: Terminal) -> list[str]:
    changed = [item for item in found.symbols if item.change is not None]
    failed = [item for item in found.symbols if item.error]
    state = f"ERROR, {found.strategy} knows the future" if changed else "ERROR, not tried" if failed else "OK"
    tried = f"{found.strategy} on {sum(item.ends for item in found.symbols):,} ends of data"
    lines = screens.parts([f"LOOKAHEAD: {state}", tried, "simulated market" if found.simulated else ""], on)
    facts = {}
    for item in found.symbols:
        facts[item.symbol] = item.error or f"no value changes when bars are added ({item.ends:,} ends)"
        if item.change is not None:
            change = item.change
            values = (
                f"{change.field} {change.then} -> {change.later}"
                if change.field
                else f"{change.then} -> {change.later}"
            )
            facts[item.symbol] = f"{change.what}, as known on {change.known_on}: {values} once later bars are there"
    return [*lines, "", *screens.facts(facts, on)]


def _values(name: str, text: str) -> list[str]:
    values = [value.strip() for value in text.split(",")]
    if not all(values) or len(set(values)) != len(values):
        raise UsageError(f"--param {name} needs a value, or several different ones", found=repr(text), expected="4,6,8")
    return values


def _print(found: Research, written: Sequence[Path]) -> None:
    """Every variant on every symbol; of a large grid the registered variants and the best, over all symbols."""
    shown = list(found.tried)
    large = len(shown) > _MOST_SHOWN
    if large:
        best = sorted((item for item in shown if item.variant.overrides), key=_total, reverse=True)[:_MOST_SHOWN]
        shown = [*(item for item in shown if not item.variant.overrides), *best]
    rows = []
    for tried in shown:
        figures: list[tuple[str, Metrics | None, str]] = []
        if not large:
            figures = [(item.symbol, item.metrics, item.error) for item in tried.symbols()]
        if len(figures) != 1:
            figures.append(("all", tried.portfolio, ""))
        for position, (symbol, metrics, reason) in enumerate(figures):
            name = tried.variant.label if position == 0 else ""
            rows.append((name, symbol, *(_figures(metrics) if metrics else ("-",) * 5), reason))
    columns = ("variant", "", "trades", "win rate", "total R", "R/trade", "max DD (R)", "")
    output.print_table(columns, rows, right=(2, 3, 4, 5, 6))
    if large:
        print(f"The {len(best)} of the highest total R; --json or --out DIR has all {len(found.tried)}")
        errors = {item.symbol: item.error for item in found.tried[0].symbols() if item.error}
        for symbol, error in errors.items():
            print(f"{symbol}: {error}")
    trials = len(found.tried)
    print(f"Research: {trials} variant{'s' if trials > 1 else ''} tried, no gate asked; nothing here may be traded on")
    if found.simulated:
        print("Data: simulated market")
    for path in written:
        print(f"  wrote {path}")


def _total(tried: Ran | SweptVariant) -> float:
    return tried.portfolio.total_r if tried.portfolio else float("-inf")


def _figures(metrics: Metrics) -> tuple[str, ...]:
    rate, mean = metrics.win_rate, metrics.expectancy_r
    return (
        str(metrics.trade_count),
        "-" if rate is None else f"{100 * rate:.0f} %",
        f"{metrics.total_r:+.2f}",
        "-" if mean is None else f"{mean:+.2f}",
        f"{metrics.max_drawdown_r:.2f}",
    )
