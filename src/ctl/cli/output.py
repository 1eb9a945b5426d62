"""What a person, or with `--json` a program, sees."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl.cli import screens
from ctl.model.bars import PLAIN_BASES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ctl.model.bars import SeriesMeta
    from ctl.model.paper import PaperReport
    from ctl.model.run import OpsLog
    from ctl.run_orchestrator import Run
    from ctl.strategy.protocol import Result

_PIPE_WIDTH: Final = 120
SIMULATED: Final = "simulated market: no number here comes from an exchange"


def print_json(document: Any) -> None:
    """One JSON document on stdout, keys in the document's order."""
    screens.documents.set(screens.documents.get() + 1)
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_notes(meta: SeriesMeta) -> None:
    """What a reader left out, assumed or noticed, on stderr; that ctl's own plain tables state no bases goes unsaid."""
    for note in meta.notes:
        if note != PLAIN_BASES:
            print(f"note: {' '.join(note.split())}", file=sys.stderr)


def warn(text: str) -> None:
    """One line on stderr about something that was read and is not as it should be."""
    print(f"warning: {' '.join(text.split())}", file=sys.stderr)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A spinner on stderr while the body runs, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def shown(stages: Iterator[Run]) -> Iterator[Run]:
    """The stages of a run passed through, with a spinner on stderr that names the symbol under way, on a terminal."""
    if not sys.stderr.isatty():
        yield from stages
        return
    from rich.console import Console

    with Console(stderr=True).status("running") as status:
        for run in stages:
            status.update(f"running {run.coming}")
            yield run


def print_causes(causes: Mapping[str, Mapping[str, Any]]) -> None:
    """The defects that the simulated market knows."""
    table = _table("cause", "what it does", "symbols")
    for cause, entry in causes.items():
        table.add_row(cause, entry["what"], " ".join(entry["symbols"]))
    _console().print(table)


def print_filled(document: Mapping[str, Any]) -> None:
    """What `ctl demo` wrote."""
    megabytes = document["raw_bytes"] / 1e6
    print(f"{document['workspace']}: {document['raw_files']} raw files, {megabytes:.1f} MB ({SIMULATED})")
    print(f"injected: {', '.join(document['injected']) or 'nothing'}")
    if document["profile_kept"]:
        print(
            f"{document['profile']}: a different profile stands here and was kept; "
            "delete it and run again to lock the simulated market anew"
        )
    else:
        print(f"{document['profile']}: locked on the clean market")


def sources(found: Iterable[str]) -> str:
    """Who says a term of contracts, and of how many: `definition 30, rule 3`."""
    return ", ".join(f"{source} {number}" for source, number in Counter(found).most_common())


def print_build(name: str, manifest: Mapping[str, Any], files: Sequence[str], *, unchanged: bool = False) -> None:
    """One built series: its range, its rolls, what the builder warns of."""
    rolls = manifest["rolls"]
    state = "unchanged, not built again" if unchanged else "built"
    forced = manifest["counts"].get("guard_rolls", 0)
    by_guard = f" ({forced} forced by the guard)" if forced else ""
    print(
        f"{name}: {state}; {manifest['first_session']} to {manifest['last_session']}, {len(rolls)} rolls{by_guard}, "
        f"{manifest['session_basis']} / {manifest['close_basis']}"
    )
    ended, noticed = (
        sources(each[f"{name}_source"] for each in manifest["terms"]) for name in ("last_trade", "first_notice")
    )
    print(f"  last trade by {ended}; first notice by {noticed}")
    for warning in manifest.get("warnings", []):
        print(f"  warning: {warning if isinstance(warning, str) else warning.get('text', warning)}")
    if rolls and not unchanged:
        table = _table("roll date", "known at", "from", "to", "gap", "cumulative", "reason", right=(4, 5))
        shown = rolls if len(rolls) <= 8 else [*rolls[:3], None, *rolls[-4:]]
        for roll in shown:
            if roll is None:
                table.add_row("...", "", "", "", "", "", "")
                continue
            table.add_row(
                roll["roll_date"], roll["known_at"], roll["from_contract"], roll["to_contract"],
                f"{roll['gap']:+.6g}", f"{roll['cumulative_adjustment']:+.6g}", roll["reason"],
            )  # fmt: skip
        _console().print(table)
    if manifest.get("pending_roll"):
        pending = manifest["pending_roll"]
        print(
            f"  pending roll: {pending['from_contract']} to {pending['to_contract']}, known at {pending['known_at']}, "
            "in force next session"
        )
    print_files(files)


def print_backtest(result: Result) -> None:
    """Trades and metrics of one backtest."""
    symbol = result.symbol
    print(f"{symbol}: {result.bar_count} {result.timeframe} bars {result.first_session} to {result.last_session}")
    trades = [trade.document() for trade in (*result.trades, *result.open)]
    if trades:
        table = _table(
            "trigger", "entry", "price", "stop", "exit", "price", "reason", "R", "hold", right=(2, 3, 5, 7, 8)
        )
        for trade in trades:
            table.add_row(
                trade["trigger_session"], trade["entry_session"], f"{trade['entry_price']:.6g}",
                f"{trade['stop_price']:.6g}", trade["exit_session"], f"{trade['exit_price']:.6g}",
                trade["exit_reason"], f"{trade['r_theoretical']:+.2f}", str(trade["hold_bars"]),
            )  # fmt: skip
        _console().print(table)
    _print_metrics({symbol: result.metrics.document()})
    for trigger in result.triggers:
        if trigger.status in ("pending", "awaiting_entry"):
            found = trigger.document()
            print(f"  {trigger.status}: trigger of {found['trigger_session']}, stop {found['stop']:.6g}")


def print_paper(report: PaperReport) -> None:
    """Closed paper trades beside the backtest's, and what differs."""
    if not report.symbols:
        print("the live-sim ledger is empty: the first real run begins it")
        return
    table = _table(
        "symbol", "trigger", "entry", "exit", "reason", "paper R", "backtest R", "difference", right=(5, 6, 7)
    )  # fmt: skip
    for item in report.trades:
        trade = item.paper or item.backtest
        table.add_row(
            item.symbol, str(item.trigger_session),
            *(("-", "-", "-") if trade is None
              else (str(trade.entry_session), str(trade.exit_session), trade.exit_reason)),
            "-" if item.paper is None else f"{item.paper.r_theoretical:+.2f}",
            "-" if item.backtest is None else f"{item.backtest.r_theoretical:+.2f}",
            "-" if item.r_difference is None else f"{item.r_difference:+.4f}",
        )  # fmt: skip
    if report.trades:
        _console().print(table)
    for item in report.trades:
        if item.differences:
            print(f"{item.symbol} {item.trigger_session}: {'; '.join(item.differences)}")
            print(f"  {item.explanation}")
    for symbol in report.symbols:
        print(
            f"{symbol.symbol}: {symbol.sessions} sessions from {symbol.first_session} to {symbol.last_session}, "
            f"settled in {symbol.runs} runs; open {len(symbol.open)}, ordered {len(symbol.orders)}; "
            f"paper {symbol.paper_r:+.2f} R, backtest {symbol.backtest_r:+.2f} R; "
            f"{symbol.live} entries decided by a run on their own close"
        )
    print(f"total: paper {report.paper_r:+.2f} R, backtest {report.backtest_r:+.2f} R")
    tail = report.losses_beyond_1r
    worst = "" if tail.worst_r is None else f", worst {tail.worst_r:+.2f} R"
    count = sum(item.paper is not None for item in report.trades)
    print(f"losses beyond 1 R: {tail.count} of {count} paper trades{worst}")
    if report.simulated:
        print(SIMULATED)


def written_facts(summary_path: str | None, log_path: str | None = None) -> dict[str, str]:
    """The run summary and the ops log that were written, by their names."""
    from ctl.ops.weekly import OPS_ENDING
    from ctl.run_orchestrator import SUMMARY_ENDING

    named = {"run": (summary_path, SUMMARY_ENDING), "log": (log_path, OPS_ENDING)}
    names = [f"{what} {Path(path).name.removesuffix(end)}" for what, (path, end) in named.items() if path is not None]
    return {"Written": ", ".join(names)}


def ops_facts(log: OpsLog, log_path: str) -> dict[str, str]:
    """What the weekly cycle left, and how long each stage took."""
    facts = written_facts(log.summary_path, log_path)
    if log.retention is not None and log.retention.removed:
        facts["Retention"] = f"{'would remove' if log.dry_run else 'removed'} {len(log.retention.removed)} files"
    return {**facts, "Took": ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in log.durations.items())}


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Rows under their columns as plain text; nothing in a cell is markup."""
    table = _table(*columns, right=right)
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def _print_metrics(rows: Mapping[str, Mapping[str, Any]]) -> None:
    table = _table(
        "", "triggers", "trades", "win rate", "total R", "R/trade", "profit factor", "max DD (R)", "open R",
        right=tuple(range(1, 9)),
    )  # fmt: skip
    for name, metrics in rows.items():
        rate = metrics["win_rate"]
        table.add_row(
            name, str(metrics["trigger_count"]), str(metrics["trade_count"]),
            "-" if rate is None else f"{100 * rate:.0f} %", f"{metrics['total_r']:+.2f}",
            "-" if metrics["expectancy_r"] is None else f"{metrics['expectancy_r']:+.2f}",
            number(metrics["profit_factor"]), f"{metrics['max_drawdown_r']:.2f}",
            f"{metrics['open_r']:+.2f}" if metrics["open_count"] else "-",
        )  # fmt: skip
    _console().print(table)


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def print_files(files: Sequence[str]) -> None:
    for path in files:
        print(f"  wrote {path}")


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def _table(*columns: str, right: Sequence[int] = ()) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", no_wrap=index in right)
    return table
