"""Commands that say what to trade, and what became of it."""

from __future__ import annotations

import csv as csv_format
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctl import clock
from ctl.cli import output
from ctl.cli.arguments import day
from ctl.cli.workspace_commands import open_workspace, read_profile
from ctl.errors import EXIT_ERROR, EXIT_MISMATCH, EXIT_OK, ProfileError

if TYPE_CHECKING:
    from ctl.model.orders import OrdersDocument, OrderSheet
    from ctl.model.paper import PaperDocument
    from ctl.model.trades import Timeframe


def orders(
    workspace_path: Path | None,
    profile_path: Path | None,
    *,
    csv: Path | None,
    timeframe: Timeframe,
    as_of: str | None,
    json: bool,
) -> int:
    """The orders for the next open, behind the gate. Writes nothing but the CSV; exit 1 where a symbol failed."""
    from ctl import gatekeeper as gate_room
    from ctl import run_orchestrator
    from ctl.flows import portfolio

    instant, until = clock.now(), day(as_of)
    workspace = open_workspace(workspace_path)
    try:
        profile = read_profile(workspace, profile_path)
    except ProfileError as error:
        if json:
            output.print_json(output.refused_profile(error, instant, profile_path or workspace.profile_path))
        raise
    cycle = portfolio.Cycle(workspace, instant, timeframe=timeframe, as_of=until)
    decision = cycle.decide(profile)
    board = gate_room.render_board(decision, profile, simulated=workspace.simulated)
    if not decision.passed:
        if json:
            output.print_json(decision.to_document())
        print(board, file=sys.stderr if json else sys.stdout)
        print("ctl orders: the gate did not pass; there are no orders", file=sys.stderr)
        return EXIT_MISMATCH
    with output.steps("running") as progress:
        summary = run_orchestrator.run_portfolio(
            profile,
            decision,
            cycle.run_symbol,
            symbols=workspace.symbols,
            instant=instant,
            timeframe=timeframe,
            simulated=workspace.simulated,
            next_orders=cycle.next_orders,
            progress=progress,
        )
    errors = {run.symbol: run.reason for run in summary.results if run.status == "ERROR"}
    for symbol, reason in errors.items():
        print(f"ctl orders: {symbol}: no orders: {reason}", file=sys.stderr)
    sheet = summary.orders
    if sheet is None:
        if not errors:
            print("ctl orders: no symbol was run that orders are made of", file=sys.stderr)
        return EXIT_ERROR
    passed = sorted({order.session for order in sheet.orders if order.session < instant.date()})
    if passed:
        print(f"ctl orders: the open of {passed[0]} has passed: the data end before it", file=sys.stderr)
    if csv is not None:
        from ctl import store

        store.write_atomic(csv.absolute(), csv_bytes(sheet))
    document: OrdersDocument = {
        "schema_version": 1,
        "timestamp": clock.iso(instant),
        "cycle_id": workspace.cycle_id,
        "simulated": workspace.simulated,
        "gate_passed": True,
        "orders": sheet.to_document(),
        "risk": sheet.risk,
        "errors": errors,
    }
    if json:
        output.print_json(document)
    else:
        print(board)
        output.print_orders(document["orders"], document["risk"])
    return EXIT_ERROR if errors else EXIT_OK


def paper(workspace_path: Path | None, *, json: bool) -> int:
    """The live-sim ledger beside the backtest of the same dates. Reads only."""
    from ctl.flows import paper

    instant = clock.now()
    workspace = open_workspace(workspace_path)
    symbols, trades = paper.report(workspace, read_profile(workspace, None))
    document: PaperDocument = {
        "schema_version": 1,
        "timestamp": clock.iso(instant),
        "cycle_id": workspace.cycle_id,
        "simulated": workspace.simulated,
        "symbols": symbols,
        "trades": trades,
        "paper_r": sum((item["paper_r"] for item in symbols), 0.0),
        "backtest_r": sum((item["backtest_r"] for item in symbols), 0.0),
        "unexplained": sum((item["explanation"] or "").startswith("UNEXPLAINED") for item in trades),
    }
    if json:
        output.print_json(document)
    else:
        output.print_paper(document)
    return EXIT_OK


def csv_bytes(sheet: OrderSheet) -> bytes:
    """The orders as CSV, one row each, columns as the fields of `Order`; several codes are separated by blanks."""
    from ctl.model.orders import OrderDocument

    text = io.StringIO()
    writer = csv_format.DictWriter(text, list(OrderDocument.__annotations__), lineterminator="\n")
    writer.writeheader()
    for order in sheet.orders:
        row: dict[str, Any] = {**order.to_document()}
        writer.writerow({**row, "codes": " ".join(order.codes)})
    return text.getvalue().encode()
