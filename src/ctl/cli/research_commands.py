"""Commands that try things out, apart from the gate and the weekly run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.arguments import day, parameters, require_strategies
from ctl.cli.screens import Column
from ctl.cli.workspace_commands import chosen_symbols, open_workspace, profile_if_any
from ctl.errors import UsageError

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.flows.research import Lookahead, Ran, Research, SweptVariant
    from ctl.model.trades import Metrics, Timeframe

_MOST_SHOWN: Final = 20
_BEYOND_LUCK: Final = 0.95  # odds of skill from which a best of many is more than luck
_OVERFIT: Final = 0.5  # odds that it is below the median where it was not chosen


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
    jobs: int | None,
    cluster: str | None,
    json: bool,
) -> int:
    """Variants side by side; exit 1 where one failed on a symbol."""
    from ctl.flows import research as room
    from ctl.flows.workers import opened

    require_strategies(strategy)
    instant, until, workspace = clock.now(), day(as_of), open_workspace(workspace_path)
    grid = {name: _values(name, text) for name, text in parameters(param).items()}
    variants = room.variants(strategy or ["b1"], grid, timeframe=timeframe, unregistered=unregistered)
    if out is not None:
        room.require_apart(out, workspace)
    profile = profile_if_any(workspace)
    chosen = chosen_symbols(symbols, list(workspace.symbols))
    with output.progress("trying variants") as track, opened(jobs, cluster, workspace.root) as workers:
        found = room.run(
            workspace, profile, chosen, variants,
            instant=instant, timeframe=timeframe, as_of=until, stress=json or out is not None,
            track=track, workers=workers,
        )  # fmt: skip
    written = room.write(out, found) if out is not None else ()
    if json:
        output.print_json(found.to_document())
    else:
        screens.show(lambda on: _lines(found, written, on))
    return output.ended(
        f"{item.symbol}: {tried.variant.label}: {item.error}"
        for tried in found.tried
        for item in tried.symbols()
        if item.metrics is None
    )


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

    require_strategies([name])
    workspace = open_workspace(workspace_path)
    profile = profile_if_any(workspace)
    gating = list(profile.gating_universe) if profile is not None else list(workspace.symbols)
    chosen = chosen_symbols(symbols, list(workspace.symbols)) if symbols else gating
    with output.progress("running on bars that end at every bar"):
        found = room.lookahead(
            workspace, profile, name, parameters(param), chosen, timeframe=timeframe, now=clock.now()
        )
    output.answer(found, lambda on: _lookahead_lines(found, on), json=json)
    return output.ended(f"{symbol}: {text}" for symbol, text in _failures(found).items())


def _failures(found: Lookahead) -> dict[str, str]:
    """Of each symbol on which the strategy knows the future, or could not be tried: how, or why."""
    told = {}
    for item in found.symbols:
        if item.change is not None:
            change = item.change
            values = f"{f'{change.field} ' if change.field else ''}{change.then} -> {change.later}"
            told[item.symbol] = f"{change.what}, as known on {change.known_on}: {values} once later bars are there"
        elif item.error:
            told[item.symbol] = item.error
    return told


def _lookahead_lines(found: Lookahead, on: Terminal) -> list[str]:
    changed = [item for item in found.symbols if item.change is not None]
    failed = [item for item in found.symbols if item.error]
    state = f"ERROR, {found.strategy} knows the future" if changed else "ERROR, not tried" if failed else "OK"
    tried = f"{found.strategy} on {sum(item.ends for item in found.symbols):,} ends of data"
    lines = screens.parts([f"LOOKAHEAD: {state}", tried, "simulated market" if found.simulated else ""], on)
    fine = {item.symbol: f"no value changes when bars are added ({item.ends:,} ends)" for item in found.symbols}
    facts = fine | _failures(found)
    command = f"ctl doctor {failed[0].symbol}" if failed else f"ctl research --strategy {found.strategy}"
    return [*lines, "", *screens.facts(facts, on), *([] if changed else [f"next: {command}"])]


def _values(name: str, text: str) -> list[str]:
    values = [value.strip() for value in text.split(",")]
    if not all(values) or len(set(values)) != len(values):
        raise UsageError(f"--param {name} needs a value, or several different ones", found=repr(text), expected="4,6,8")
    return values


def _lines(found: Research, written: Sequence[Path], on: Terminal) -> list[str]:
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
    many = f"{len(found.tried)} variant{'' if len(found.tried) == 1 else 's'}"
    lines = screens.parts(
        [
            f"RESEARCH: {many}, {found.symbols} symbol{'' if found.symbols == 1 else 's'}",
            "no gate asked: nothing here may be traded",
            "simulated market" if found.simulated else "",
        ],
        on,
    )
    matrix = _matrix(found, on)
    if not matrix or screens.verbose.get():
        columns = (
            Column("variant"), Column(""), Column("trades", right=True), Column("win", right=True, least=80),
            Column("total R", right=True), Column("R/trade", right=True), Column("max DD", right=True, least=80),
            Column("", least=80),
        )  # fmt: skip
        lines += ["", *screens.table(columns, rows, on)]
    lines += [*matrix, ""]
    facts = {"Best": _best(found)}
    if large:
        facts["Shown"] = f"the {len(best)} of the highest total R; --json or --out DIR has all {len(found.tried)}"
        facts |= {item.symbol: item.error for item in found.tried[0].symbols() if item.error}
    facts["Variants"] = "tried so far: " + ", ".join(f"{name} {count}" for name, count in found.tried_so_far.items())
    facts["Written"] = ", ".join(map(str, written))
    strategy = found.tried[found.best].variant.strategy.name
    return [*lines, *screens.facts(facts, on), f"next: ctl lookahead {strategy}"]


def _matrix(found: Research, on: Terminal) -> list[str]:
    """R a trade by the values of the two parameters that vary, over all symbols; nothing where not exactly two do."""
    names = list(dict.fromkeys(name for item in found.tried for name in item.variant.overrides))
    if len(names) != 2 or len({item.variant.strategy.name for item in found.tried}) != 1:
        return []
    down, across = ([*dict.fromkeys(i.variant.overrides[name] for i in found.tried[1:])] for name in names)
    cells = {tuple(item.variant.overrides.values()): _mean(item.portfolio) for item in found.tried[1:]}
    registered = f"*{_mean(found.tried[0].portfolio)}"  # a combination that comes to it was not tried again
    rows = [[value, *(cells.get((value, other), registered) for other in across)] for value in down]
    whole = len(cells) == len(down) * len(across)
    note = f"* registered{f': {registered[1:]}, none of these' if whole else ''}"
    columns = [Column(names[0]), *(Column(value, right=True) for value in across)]
    return [
        "",
        f"R/trade (trades) by {names[0]}, down, and {names[1]}, across",
        *screens.table(columns, rows, on),
        note,
    ]


def _mean(metrics: Metrics | None) -> str:
    if metrics is None:
        return "-"
    return f"{'-' if metrics.expectancy_r is None else f'{metrics.expectancy_r:+.2f}'} ({metrics.trade_count})"


def _best(found: Research) -> str:
    """The variant that looks best, and how much of that luck explains."""
    tried, luck = found.tried[found.best], found.luck
    metrics = tried.portfolio
    if metrics is None or metrics.expectancy_r is None:
        return "none: no trade was closed"
    text = f"{tried.variant.label}: {metrics.expectancy_r:+.2f} on {metrics.trade_count} trades"
    if luck.deflated_sharpe is None:
        return f"{text}; {luck.note}"
    odds = f"deflated Sharpe {luck.deflated_sharpe:.2f}" + ("" if luck.pbo is None else f", PBO {luck.pbo:.2f}")
    enough = luck.deflated_sharpe < _BEYOND_LUCK or (luck.pbo or 0.0) > _OVERFIT
    return f"{text}: {'luck is enough' if enough else 'more than luck'} ({odds})"


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
