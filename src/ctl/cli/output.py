"""What a person, or with `--json` a program, sees."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ctl import clock
from ctl.model.findings import counted

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.table import Table

    from ctl.errors import ProfileError
    from ctl.model.certificate import Certificate
    from ctl.model.orders import Order, OrderSheet, RiskState
    from ctl.model.paper import PaperReport
    from ctl.model.run import OpsLog, RunSummary
    from ctl.run_orchestrator import Run
    from ctl.strategy.protocol import Result

_PIPE_WIDTH: Final = 120
_SIMULATED: Final = "simulated market: no number here comes from an exchange"


def print_json(document: Any) -> None:
    """One JSON document on stdout, keys in the document's order."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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


def refused_profile(error: ProfileError, instant: datetime, path: Path) -> dict[str, Any]:
    """The gate's JSON where there is no usable profile to decide on."""
    return {
        "schema_version": 1,
        "timestamp": clock.iso(instant),
        "passed": False,
        "recommendation": "NO-GO",
        "profile": {"path": str(path), "version": None, "digest": None},
        "symbol_results": [],
        "locks": [],
        "problems": [
            {"code": error.code, "severity": "ERROR", "text": text, "value": None, "limit": None, "unit": ""}
            for text in (error.problems or (str(error),))
        ],
        "restatements": [],
    }


def print_causes(causes: Mapping[str, Mapping[str, Any]]) -> None:
    """The defects that the simulated market knows."""
    table = _table("cause", "what it does", "symbols")
    for cause, entry in causes.items():
        table.add_row(cause, entry["what"], " ".join(entry["symbols"]))
    _console().print(table)


def print_filled(document: Mapping[str, Any]) -> None:
    """What `ctl demo` wrote."""
    megabytes = document["raw_bytes"] / 1e6
    print(f"{document['workspace']}: {document['raw_files']} raw files, {megabytes:.1f} MB ({_SIMULATED})")
    print(f"injected: {', '.join(document['injected']) or 'nothing'}")
    if document["profile_kept"]:
        print(
            f"{document['profile']}: a different profile stands here and was kept; "
            "delete it and run again to lock the simulated market anew"
        )
    else:
        print(f"{document['profile']}: locked on the clean market")


def print_build(name: str, manifest: Mapping[str, Any], files: Sequence[str], *, unchanged: bool = False) -> None:
    """One built series: its range, its rolls, what the builder warns of."""
    rolls = manifest["rolls"]
    state = "unchanged, not built again" if unchanged else "built"
    print(
        f"{name}: {state}; {manifest['first_session']} to {manifest['last_session']}, {len(rolls)} rolls, "
        f"{manifest['session_basis']} / {manifest['close_basis']}"
    )
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
    _print_files(files)


def print_certificate(
    certificate: Certificate, files: Sequence[str], *, explain: bool, simulated: bool = False
) -> None:
    """The verdict, the layers and the figures behind it; with `explain` the story."""
    document = certificate.document
    console = _console()
    unit = document["quote_unit"]
    print(f"{certificate.symbol}: {certificate.decision}" + (f"   ({_SIMULATED})" if simulated else ""))
    for reason in certificate.reasons:
        print(f"  {reason.severity} {reason.code}: {reason.text}")
    table = _table("layer", "", "status", "findings")
    for name, layer in document["layers"].items():
        texts = [item["text"] for item in layer["findings"] if item["status"] not in ("PASS", "NOT_RUN")]
        table.add_row(name, layer["title"], layer["status"], "\n".join(texts) or layer["text"])
    console.print(table)
    overlap = document["overlap"]
    if overlap is not None:
        rolls = "rolls not compared"
        if document["n_paired"] is not None:
            rolls = (
                f"rolls {document['n_canonical']} against {document['n_reference']}, {document['n_paired']} paired "
                f"({document['n_pass']} same session), {document['n_fail']} unmatched"
            )
        print(
            f"  {overlap['shared_sessions']} shared sessions {overlap['first_session']} to {overlap['last_session']}; "
            + rolls
        )
    if document["mean_drift"] is not None:
        gap = document["mean_gap_diff"]
        print(
            f"  gap difference mean {_number(gap)} max {_number(document['max_gap_diff'])}; "
            f"drift mean {_number(document['mean_drift'])} max {_number(document['max_drift'])} ({unit})"
        )
    if explain:
        _explain(document, unit)
    _print_files(files)


def _explain(document: Mapping[str, Any], unit: str) -> None:
    """The largest causes of the drift, what would change the verdict, and what would not."""
    ledger = document.get("ledger")
    tick = document["tick"]
    if ledger and ledger["mean_drift"] <= _NO_DRIFT_TICKS * tick:
        print("\nNo drift: both series move alike on every session")
    elif ledger and ledger.get("components"):
        print(f"\nWhere the drift comes from (share of the mean; the shares sum to 1; {unit}):")
        table = _table("component", "share", "mean", "mean (ticks)", "max", right=(1, 2, 3, 4))
        shown = [item for item in ledger["components"] if item["mean"]][:3]
        for item in shown:
            table.add_row(
                item["name"], f"{100 * (item['share'] or 0.0):.1f} %", _number(item["mean"]),
                _number(item["mean"] / tick), _number(item["max"]),
            )  # fmt: skip
        _console().print(table)
        unadjusted = _unadjusted_blocks(document)
        for item in shown:
            print(f"  {item['name']}: {_cause(item['name'], unadjusted)}")
    rebuilt = document.get("rebuilt")
    if rebuilt and rebuilt.get("decision"):
        print(
            f"Rebuilt on the reference's rolls: {rebuilt['decision']}"
            + (f", mean drift {_number(rebuilt['mean_drift'])} {unit}" if rebuilt.get("mean_drift") is not None else "")
        )
    again = (document.get("counterfactuals") or {}).get("read_again") or {}
    if again.get("decision"):
        print(
            f"Read with our rolls where the reference's closes cannot tell contracts apart: {again['decision']}, "
            f"{again['n_pass']} pass, {again['n_watch']} watch, {again['n_fail']} fail"
        )
    for line in _alternative_lines(document, unit):
        print(line)
    print(f"What would change the verdict: {_flip_text(document)}")
    basis = document.get("equity_basis")
    if basis is not None:
        held = next(item for item in document["layers"]["L0"]["findings"] if item["check"] == "adjustment_basis")
        print(f"Adjustment basis: {held['text']}")
    functional = document["layers"]["L5"]
    if functional["status"] != "NOT_RUN":
        print(f"What it costs in trades: {functional['text']}")
        moved = sorted(functional["values"].get("moved", ()), key=lambda item: (-abs(item["delta_r"]), item["name"]))
        for item in moved[:3]:
            trades = counted(len(item["triggers"]), "trade")
            print(f"  {item['name']} moved {trades}, {item['delta_r']:+.2f} R in all")


def _unadjusted_blocks(document: Mapping[str, Any]) -> frozenset[str]:
    """Blocks whose roll the reference did not adjust for."""
    told = [item for item in document["layers"]["L3"]["findings"] if item["check"] == "unadjusted_rolls"]
    return frozenset(roll["block"] for item in told for roll in item["evidence"]["rolls"])


def _cause(component: str, unadjusted: frozenset[str]) -> str:
    """What a component of the ledger stands for, in a trader's words."""
    kind, _, rest = component.partition(":")
    block, _, effect = rest.rpartition(":")
    match kind, effect:
        case "gap", "price" if block in unadjusted:
            return "the reference left this roll's gap in its adjusted series"
        case "gap", "date":
            return "the sides rolled on different sessions"
        case "gap", "price":
            return "same session, other closes: settlement against last trade, or a vendor's error"
        case "gap", _:
            return "the sides' gaps differ"
        case _:
            return _CAUSES.get(kind, "")


_CAUSES: Final = {
    "basis": "closes of the same contract differ: settlement against last trade, session against UTC day",
    "timing": "the sides held different contracts around the roll",
    "unmatched": "a roll of one side alone",
    "contract": "different contracts, or contracts that are not known",
    "reference_residual": "the reference's adjusted series does not follow from its own rolls",
    "canonical_residual": "our series is not adjusted by differences",
}


# Below this, in ticks, a drift is rounding of floats, and its causes are noise.
_NO_DRIFT_TICKS: Final = 1e-6

_ALTERNATIVES: Final = {
    "settlement": "settlement closes",
    "session": "session-true bars",
    "session_settlement": "session-true bars and settlement closes",
}
_BETTER: Final = ("ERROR", "REJECT", "WATCH", "ACCEPT")


def _alternative_lines(document: Mapping[str, Any], unit: str) -> list[str]:
    """What the decision would be with other closes of ours, and whether that names its cause."""
    found = (document.get("counterfactuals") or {}).get("alternatives") or {}
    lines: list[str] = []
    better: list[str] = []
    ran = 0
    for name in sorted(found, key=[*_ALTERNATIVES, *sorted(found)].index):
        item, label = found[name], _ALTERNATIVES.get(name, name)
        if item["status"] != "RUN":
            why = "not run" if item["status"] == "NOT_RUN" else "could not be computed"
            lines.append(f"With {label}: {why}: {item['text']}")
            continue
        ran += 1
        drift = f"mean drift {_number(item['mean_drift'])} ({_number(document['mean_drift'])} as built, {unit})"
        lines.append(f"With {label}: {item['decision']}, {drift}")
        if _BETTER.index(item["decision"]) > _BETTER.index(document["decision"]):
            better.append(name)
    if better:
        lines.append(_cause_text(document, better[0]))
    elif ran and document["decision"] != "ACCEPT":
        lines.append("Other closes do not turn the decision: its cause lies elsewhere")
    return lines


def _cause_text(document: Mapping[str, Any], name: str) -> str:
    """Which difference of basis the decision rests on: that between our bars and those that turn it."""
    inputs = document["inputs"]
    own, other = inputs["canonical"], inputs["alternatives"][name]
    reference = inputs["reference_unadjusted"] or inputs["reference_adjusted"]
    words = {
        "last_trade": "at the last trade", "settlement": "at the settlement", "utc_day": "UTC days",
        "exchange_session": "exchange sessions",
    }  # fmt: skip
    changed = [basis for basis in ("session_basis", "close_basis") if own[basis] != other[basis]]

    def told(side: Mapping[str, Any]) -> str:
        texts = {
            "session_basis": f"bars of {words[side['session_basis']]}",
            "close_basis": f"closes {words[side['close_basis']]}",
        }
        return " with ".join(texts[basis] for basis in changed)

    label, decision = _ALTERNATIVES.get(name, name), document["counterfactuals"]["alternatives"][name]["decision"]
    text = f"{label.capitalize()} turn {document['decision']} into {decision}"
    if reference is None or told(reference) == told(own):
        return text
    return f"{text}: the cause is our {told(own)} against the reference's {told(reference)}"


def _flip_text(document: Mapping[str, Any]) -> str:
    flip = document.get("smallest_flip")
    if flip:
        exact = "" if flip.get("exact", True) else " (found greedily: a smaller set may exist)"
        return f"without {', '.join(flip['units'])} it is {flip['decision']}{exact}"
    if document["decision"] == "ACCEPT":
        return "nothing is to be changed"
    if document["rule_mismatch"]:
        by_check = {code: found for code, found in (document.get("flips_by_check") or {}).items() if found}
        cleared = "; ".join(f"{code} clears without {', '.join(found['units'])}" for code, found in by_check.items())
        return "the two sides must follow the same roll rule first" + (f"; {cleared}" if cleared else "")
    if any(reason["code"] == "IDENTITY_MISMATCH" for reason in document["reasons"]):
        return "files of the instrument that was asked for; nothing else was compared"
    if document["overlap"] is None or document["mean_drift"] is None:
        return "the layers that did not run must run first"
    return "no set of up to ten causes"


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


def print_run(summary: RunSummary, summary_path: str | None) -> None:
    """Per symbol what a run did, in R; then the portfolio."""
    from ctl.run_orchestrator import SUMMARY_ENDING, TRADES_ENDING

    print()
    executed = {item.symbol: item.metrics for item in summary.symbol_run_results if item.metrics is not None}
    if executed:
        rows = dict(executed)
        if summary.portfolio is not None and len(executed) > 1:
            rows["portfolio"] = summary.portfolio
        _print_metrics(rows)
    for item in summary.symbol_run_results:
        if item.status != "EXECUTED":
            print(f"{item.symbol}: {item.status}" + (f" ({item.reason})" if item.reason else ""))
        for trade in item.extra.get("open", []):
            print(
                f"{item.symbol}: open; entered {trade['entry_session']} at {trade['entry_price']:.6g}, "
                f"stop {trade['stop_price']:.6g}, {trade['r_theoretical']:+.2f} R"
            )
    if summary.orders is not None:
        print_orders(summary.orders, summary.risk)
    if summary_path is not None:
        print(f"\nrun summary  {summary_path}")
        if executed:
            print(f"trades       {summary_path.replace(SUMMARY_ENDING, TRADES_ENDING)}")


def print_orders(sheet: OrderSheet, risk: RiskState | None) -> None:
    """The orders for the next open, what holds beyond them, and the risk budget."""
    print()
    if not sheet.orders:
        print("Orders for the next open: none")
    for session in sorted({order.session for order in sheet.orders}):
        of_session = [order for order in sheet.orders if order.session == session]
        decided = ", ".join(sorted({str(order.as_of) for order in of_session}))
        print(f"Orders for the open of {session} (decided on the close of {decided})")
        table = _table("symbol", "contract", "do", "quantity", "type", "price", "R", "risk each", right=(3, 5, 6, 7))
        for order in of_session:
            table.add_row(
                order.symbol, order.contract, _what(order), str(order.quantity), order.type,
                "-" if order.price is None else f"{order.price:.10g}",
                "-" if order.r is None else f"{order.r:+.2f}",
                "-" if order.risk_per_contract is None else f"{order.risk_per_contract:,.2f} {order.currency}",
            )  # fmt: skip
        _console().print(table)
        for order in of_session:
            print(f"  {order.symbol} {_what(order)}: {order.reason}")
    for text in sheet.standing:
        print(f"  {text}")
    if risk is not None:
        pnl = risk.r_pnl
        print(
            f"Risk at the close of {risk.as_of}: 1 R = {risk.r_money:,.2f} {risk.currency}"
            + (f", reduced to {risk.r_money_next:,.2f} in a drawdown" if risk.reduced else "")
            + f"; open {risk.r_used:.2f} R, ordered {risk.r_ordered:.2f} R; realised day {pnl.day:+.2f}, "
            f"week {pnl.week:+.2f}, month {pnl.month:+.2f} R; drawdown {risk.drawdown_r:.2f} R; "
            f"caps hit: {', '.join(risk.caps_hit) or 'none'}"
        )
    for text in sheet.notes:
        print(f"  note: {text}")


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
    if report.simulated:
        print(_SIMULATED)


def _what(order: Order) -> str:
    """`buy`, `sell TP1`, `roll: buy`, `blocked`: what a trader does with one row."""
    if order.status == "blocked":
        return "blocked"
    if order.action == "roll":
        return f"roll: {order.side}"
    return f"{order.side} {order.tranche}" if order.tranche else str(order.side)


def print_ops(log: OpsLog, log_path: str) -> None:
    """What the weekly cycle left, and how long each stage took."""
    if log.retention is not None and log.retention.removed:
        verb = "would remove" if log.dry_run else "removed"
        print(f"retention    {verb} {len(log.retention.removed)} files")
    stages = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in log.durations.items())
    print(f"ops log      {log_path}   ({stages})")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Rows under their columns as plain text; nothing in a cell is markup."""
    from rich.markup import escape

    table = _table(*columns, right=right)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
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
            _number(metrics["profit_factor"]), f"{metrics['max_drawdown_r']:.2f}",
            f"{metrics['open_r']:+.2f}" if metrics["open_count"] else "-",
        )  # fmt: skip
    _console().print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _print_files(files: Sequence[str]) -> None:
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
