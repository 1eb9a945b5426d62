"""What a person reads of a run: the verdict, R with its measure, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from ctl.cli import output, screens
from ctl.cli.output import number
from ctl.cli.screens import Column, Terminal
from ctl.model.findings import in_full
from ctl.model.run import ROLLS_WITHIN

if TYPE_CHECKING:
    from datetime import date

    from ctl.model.orders import OrderSheet, RiskState
    from ctl.model.run import RunSummary, SymbolRun
    from ctl.model.statistics import Expectancy, TradeStatistics

_WIDE: Final = 80  # columns from which win rate, profit factor and curve are shown
_STEPS: Final = 10
_FEW: Final = 0.05


def run_lines(summary: RunSummary, after: Mapping[str, str], rolls: Sequence[str], on: Terminal) -> list[str]:
    """The screen of a finished run. after: facts about what followed it, such as what was written. rolls: those due."""
    results = summary.symbol_run_results
    failed = [item.symbol for item in results if item.status == "ERROR"]
    state = "DRY RUN" if summary.dry_run else "ERROR" if not_run(summary) else "WARN" if failed else "DONE"
    lines = screens.parts(
        [
            f"RUN: {state}" + (f", {' '.join(failed)} not run" if failed else ""),
            "Gate: PASS",
            summary.portfolio_recommendation,
            _data_to(summary),
            "simulated market" if summary.simulated else "",
        ],
        on,
    )
    lines += screens.parts(_board(summary), on)
    gate = summary.gate_result
    warnings = [*(item.text for item in gate.restatements), *(f"{item.code}: {item.text}" for item in gate.problems)]
    for word, texts in (("WARN", warnings), ("ALERT", () if summary.orders is None else summary.orders.alerts)):
        for text in texts:
            lines += screens.wrapped(text, on, first=f"{word} ", indent=" " * (len(word) + 1))
    executed = {item.symbol: item for item in results if item.metrics is not None and item.statistics is not None}
    if executed:
        rows = [(name, item.metrics or {}, item.statistics) for name, item in executed.items()]
        if summary.portfolio is not None and summary.statistics is not None:
            rows.append(("strategy", summary.portfolio, summary.statistics))
        if summary.governed is not None and summary.governed_statistics is not None:
            governed = {item.name: getattr(summary.governed, item.name) for item in fields(summary.governed)}
            rows.append(("governed", governed, summary.governed_statistics))
        lines += [
            "",
            *trades_table([(name, m, s) for name, m, s in rows if s is not None], _span(executed.values()), on),
        ]
    notes = [(item.symbol, item.reason) for item in results if item.status == "ERROR"]
    notes += [(item.symbol, note) for item in results for note in item.extra.get("notes", ())]
    if notes:
        lines += ["", *screens.facts(output.shared_facts(notes), on)]
    facts = {} if summary.statistics is None else statistics_facts(summary.statistics)
    facts["Open"] = "; ".join(_still_open(item) for item in results if item.extra.get("open"))
    facts["Risk"] = "" if summary.risk is None else _risk(summary.risk)
    facts["Orders"] = "" if summary.orders is None else _orders(summary.orders)
    facts["Rolls"] = f"in {ROLLS_WITHIN} sessions: {', '.join(rolls) or 'none'}"
    shown = screens.facts({**facts, **after}, on)
    command = f"ctl doctor {failed[0]}" if failed else "ctl run" if summary.dry_run else "ctl orders"
    return [*lines, *(["", *shown] if shown else []), f"next: {command}"]


def not_run(summary: RunSummary) -> list[str]:
    """Why a real run is a failure, symbol by symbol: it executed no gating one. Empty where it is none."""
    gating = [item for item in summary.symbol_run_results if item.role == "gating"]
    if summary.dry_run or any(item.status == "EXECUTED" for item in gating):
        return []
    return [f"{item.symbol} not run: {item.reason}" for item in gating] or ["not run: no symbol gates"]


def trades_table(
    rows: Sequence[tuple[str, Mapping[str, Any], TradeStatistics]], span: tuple[date, date], on: Terminal
) -> list[str]:
    """A row of R for each name: metrics by their published names, and what stands beside them."""
    first, last = span
    columns = (
        Column(""), Column("trades", right=True, gap=1), Column("win", right=True, least=_WIDE),
        Column("R/trade", right=True), Column("95 % interval", right=True), Column("total R", right=True),
        Column("PF", right=True, least=_WIDE), Column("max DD", right=True),
        Column(f"{first.year} to {last.year % 100:02d}", least=_WIDE),
    )  # fmt: skip
    cells = []
    for name, metrics, found in rows:
        points = [(point.session, point.total_r) for point in found.curve]
        values = screens.in_steps(points, first, last, _STEPS, 0.0)
        low, high = min(value or 0.0 for value in values), max(value or 0.0 for value in values)
        cells.append(
            (
                name,
                str(metrics["trade_count"]),
                percent(metrics["win_rate"]),
                signed(metrics["expectancy_r"]),
                interval(found.expectancy),
                signed(metrics["total_r"]),
                number(metrics["profit_factor"]),
                number(metrics["max_drawdown_r"]),
                screens.sparkline(values, low, high, on) if points else "",
            )
        )
    return screens.table(columns, cells, on)


def statistics_facts(found: TradeStatistics) -> dict[str, str]:
    """Evidence, years, stability and variants of one row, in words."""
    facts = {"Evidence": evidence(found.expectancy), "Years": _years(found)}
    if found.stability is not None:
        facts["Stability"] = found.stability.text
        if found.stability.rolls_note and found.stability.sign != "none":
            facts["Stability"] += f"; {found.stability.rolls_note}"
    if found.luck is not None:
        luck = found.luck
        if luck.trials is None:
            facts["Variants"] = f"not known: {luck.note}"
        else:
            odds = "" if luck.deflated_sharpe is None else f"; deflated Sharpe {luck.deflated_sharpe:.2f}"
            facts["Variants"] = f"{luck.trials} tried so far{odds}"
    return facts


def evidence(found: Expectancy) -> str:
    """What the interval of an expectancy says, in words."""
    count = f"{found.trades} trade{'' if found.trades == 1 else 's'}"
    rate = "" if found.trades_per_year is None else f", {_rate(found.trades_per_year)} a year"
    if found.low is None or found.high is None:
        return f"none: {count}{rate}; {found.note}"
    if found.low > 0.0 or found.high < 0.0:
        return f"{'an edge' if found.low > 0.0 else 'a loss'} beyond chance (95 %): {count}{rate}"
    needed = "" if found.trades_needed is None else f"; about {_about(found.trades_needed)} needed"
    return f"no edge shown: {count}{rate}{needed}"


def interval(found: Expectancy) -> str:
    """`+0.34  +1.75`, or `-` where no honest interval can be given."""
    return "-" if found.low is None or found.high is None else f"{found.low:+.2f}  {found.high:+.2f}"


def signed(value: float | None) -> str:
    """An R with its sign, `-` where there is none."""
    return "-" if value is None else f"{value:+.2f}"


def percent(share: float | None) -> str:
    """A share in whole percent, `-` where there is none."""
    return "-" if share is None else f"{100 * share:.0f} %"


def data_to(ends: Mapping[str, str]) -> str:
    """`data to 2026-02-27, CL 2026-02-24`: the session that most symbols reach, and those that reach another."""
    if not ends:
        return ""
    (usual, _), *_ = sorted(Counter(ends.values()).items(), key=lambda item: (-item[1], item[0]), reverse=False)
    return ", ".join([f"data to {usual}", *(f"{name} {end}" for name, end in ends.items() if end != usual)])


def _data_to(summary: RunSummary) -> str:
    """To where the data reach that were run, and of symbols that were not those that passed the gate."""
    passed = {item.symbol: item.data_to for item in summary.gate_result.symbol_results if item.data_to is not None}
    ends = {name: str(end) for name, reach in passed.items() if (end := reach.both or reach.newest) is not None}
    results = summary.symbol_run_results
    return data_to(ends | {each.symbol: each.extra["last_session"] for each in results if "last_session" in each.extra})


def _board(summary: RunSummary) -> list[str]:
    """The gate's word on each gating symbol, and who was left out."""
    board = [
        f"{item.symbol} {item.actual} {'ok' if item.passed else 'MISMATCH'}"
        for item in summary.gate_result.symbol_results
    ]
    skipped: dict[str, list[str]] = {}
    for item in summary.symbol_run_results:
        if item.status == "SKIPPED":
            skipped.setdefault(item.reason, []).append(item.symbol)
    return board + [f"not run: {' '.join(symbols)} ({reason})" for reason, symbols in skipped.items()]


def _span(executed: Any) -> tuple[date, date]:
    from datetime import date

    firsts, lasts = zip(*((item.extra["first_session"], item.extra["last_session"]) for item in executed), strict=True)
    return date.fromisoformat(min(firsts)), date.fromisoformat(max(lasts))


def _years(found: TradeStatistics) -> str:
    best, worst, beyond = found.best_year, found.worst_year, found.losses_beyond_1r
    if best is None or worst is None:
        return ""
    text = f"best {best.year} {best.total_r:+.2f}, worst {worst.year} {worst.total_r:+.2f}"
    if beyond.count == 0:
        return f"{text}; no loss beyond 1 R"
    return f"{text}; {beyond.count} loss{'' if beyond.count == 1 else 'es'} beyond 1 R, worst {signed(beyond.worst_r)}"


def _still_open(item: SymbolRun) -> str:
    (trade, *_) = item.extra["open"]
    return (
        f"{item.symbol} since {trade['entry_session']} at {in_full(trade['entry_price'])}, "
        f"stop {in_full(trade['stop_price'])}, {trade['r_theoretical']:+.2f} R"
    )


def _risk(risk: RiskState) -> str:
    text = f"1 R = {risk.r_money:,.0f} {risk.currency}"
    if risk.r_money_next < risk.r_money:
        share = risk.r_money_next / risk.r_money
        word = "halved" if share == 0.5 else "no new entries" if share == 0.0 else f"cut to {100 * share:.0f} %"
        text += f", {word} (drawdown {risk.drawdown_r:.2f} R)"
    refused = ", ".join(f"{code} {count}" for code, count in risk.refused.items())
    return f"{text}; caps hit: {', '.join(risk.caps_hit) or 'none'}" + (f"; not entered: {refused}" if refused else "")


def _orders(sheet: OrderSheet) -> str:
    placed = [order for order in sheet.orders if order.status != "blocked"]
    blocked = len(sheet.orders) - len(placed)
    opens = " and ".join(f"{day:%a} {day}" for day in sorted({order.session for order in placed}))
    text = f"{len(placed)} for the open of {opens}" if placed else "none"
    return text + (f"; {blocked} blocked" if blocked else "")


def _rate(per_year: float) -> str:
    return f"{per_year:.0f}" if per_year >= 2.0 else f"{per_year:.1f}"


def _about(count: int) -> str:
    """A number with two figures: it is no more exact than that."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
