"""What a person reads of a backtest: R with its measure, then every trade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ctl.cli import screens
from ctl.cli.run_screen import signed, statistics_facts, trades_table
from ctl.cli.screens import Column, Terminal
from ctl.model.documents import document
from ctl.model.findings import in_full

if TYPE_CHECKING:
    from ctl.model.statistics import TradeStatistics
    from ctl.strategy.protocol import Result


def backtest_lines(result: Result, statistics: TradeStatistics, written: Sequence[str], on: Terminal) -> list[str]:
    """The screen of one backtest. written: files that it left."""
    metrics = result.metrics
    count = f"{metrics.trade_count} trade{'' if metrics.trade_count == 1 else 's'}"
    lines = screens.parts(
        [
            f"BACKTEST: {signed(metrics.total_r)} R on {count}",
            result.symbol,
            f"data to {result.last_session}",
            "no gate asked",
        ],
        on,
    )
    span = (result.first_session, result.last_session)
    lines += ["", *trades_table([("B1", document(metrics), statistics)], span, on)]
    facts = statistics_facts(statistics)
    facts["Data"] = (
        f"{result.bar_count:,} {result.timeframe} bars {span[0]} to {span[1]}; {len(result.triggers)} triggers"
    )
    waiting = [document(item) for item in result.triggers if item.status in ("pending", "awaiting_entry")]
    facts["Pending"] = "; ".join(
        f"{item['status'].replace('_', ' ')}: trigger of {item['trigger_session']}, stop {in_full(item['stop'])}"
        for item in waiting
    )
    facts["Written"] = ", ".join(written)
    return [*lines, "", *screens.facts(facts, on), *_trades(result, on)]


def _trades(result: Result, on: Terminal) -> list[str]:
    columns = (
        Column("trigger", least=80), Column("entry"), Column("price", right=True), Column("stop", right=True, least=70),
        Column("exit"), Column("price", right=True), Column("by"), Column("R", right=True),
        Column("held", right=True, least=80),
    )  # fmt: skip
    rows = []
    for trade in (*result.trades, *result.open):
        found = document(trade)
        rows.append(
            (
                found["trigger_session"], found["entry_session"], in_full(found['entry_price']),
                in_full(found['stop_price']), found["exit_session"], in_full(found['exit_price']),
                found["exit_reason"], signed(found["r_theoretical"]), str(found["hold_bars"]),
            )
        )  # fmt: skip
    return ["", *screens.table(columns, rows, on)] if rows else []
