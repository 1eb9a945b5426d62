"""Commands that say what to trade, and what became of it."""

from __future__ import annotations

import csv as csv_format
import io
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.orders_screen import order_lines
from ctl.cli.workspace_commands import open_workspace, read_profile, refused, warn_not_kept
from ctl.errors import EXIT_OK, DataError
from ctl.model.documents import document

if TYPE_CHECKING:
    from ctl.model.orders import OrderSheet
    from ctl.run_orchestrator import RunOptions


def orders(
    workspace_path: Path | None,
    options: RunOptions,
    *,
    csv: Path | None,
    json: bool,
    table: Path | None = None,
) -> int:
    """The orders for the next open, behind the gate. Exit 1 where a symbol failed."""
    from ctl import run_orchestrator
    from ctl.model.orders import NextOpenOrders
    from ctl.reports import tables

    if table is not None:
        tables.require_format(table)

    instant = clock.now()
    workspace = open_workspace(workspace_path)
    profile = read_profile(workspace, options.profile)
    stages = run_orchestrator.run(workspace, profile, options, instant=instant)
    decision = next(stages).decision
    if not decision.passed:
        code = refused(decision, profile, workspace, json=json)
        print("ctl orders: the gate did not pass; there are no orders", file=sys.stderr)
        return code
    *_, done = output.shown(stages)
    warn_not_kept(done.not_kept)
    summary = done.finished()
    errors = {result.symbol: result.reason for result in summary.symbol_run_results if result.status == "ERROR"}
    sheet = summary.orders
    if sheet is None:
        raise DataError("no symbol was run that orders are made of", found="; ".join(errors.values()) or None)
    if csv is not None:
        from ctl import store

        store.write_atomic(csv.absolute(), csv_bytes(sheet))
    if table is not None:
        from ctl.cli.exports import write_tables

        write_tables(table, {"orders": tables.Priced(sheet.to_polars(), "tick")})
    if json:
        made = NextOpenOrders(
            timestamp=instant,
            as_of=options.as_of,
            profile=profile.name,
            cycle_id=workspace.cycle_id,
            simulated=workspace.simulated,
            orders=sheet,
            risk=summary.risk,
            errors=errors,
        )
        output.print_json(document(made))
    else:
        named = "" if csv is None else str(csv)
        screens.show(
            lambda on: order_lines(sheet, summary.risk, on, simulated=workspace.simulated, errors=errors, csv=named)
        )
    return output.ended(f"{symbol}: no orders: {reason}" for symbol, reason in errors.items())


def paper(workspace_path: Path | None, *, json: bool) -> int:
    """The live-sim ledger beside the backtest of the same dates. Reads only."""
    from ctl.flows import paper

    instant = clock.now()
    workspace = open_workspace(workspace_path)
    report = paper.report(workspace, read_profile(workspace, None), instant=instant)
    output.answer(report, lambda on: output.paper_lines(report, on), json=json)
    return EXIT_OK


def csv_bytes(sheet: OrderSheet) -> bytes:
    """The orders as CSV, one row each, columns as the fields of `Order`; several codes are separated by blanks."""
    from ctl.model.orders import Order

    text = io.StringIO()
    writer = csv_format.DictWriter(text, [field.name for field in fields(Order)], lineterminator="\n")
    writer.writeheader()
    for order in sheet.orders:
        writer.writerow({**document(order), "codes": " ".join(order.codes)})
    return text.getvalue().encode()
