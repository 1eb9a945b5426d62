"""`ctl fetch`: buy what the workspace lacks from Databento."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.arguments import day
from ctl.cli.screens import Column
from ctl.cli.workspace_commands import chosen_symbols, open_workspace
from ctl.errors import EXIT_OK, UsageError
from ctl.model.documents import document
from ctl.model.findings import counted
from ctl.model.printed import Fetched, PricedFile

if TYPE_CHECKING:
    from datetime import date

    from ctl.cli.screens import Terminal
    from ctl.flows.fetch import Purchase, Vendor


def fetch(
    workspace_path: Path | None,
    symbols: Sequence[str],
    *,
    first: str | None,
    last: str | None,
    dataset: str | None,
    schemas: Sequence[str],
    estimate: bool,
    yes: bool,
    max_cost: float | None,
    json: bool,
) -> int:
    """Plan, price, ask, buy. Nothing is bought without `--yes` or a person's word at a terminal."""
    from ctl.flows import fetch as flow

    instant, workspace = clock.now(), open_workspace(workspace_path)
    asked = (
        chosen_symbols(symbols, list(workspace.symbols))
        if symbols
        else tuple(
            name
            for name, config in workspace.symbols.items()
            if workspace.vendors[config.canonical].format == "databento"
        )
    )
    planned = flow.plan(
        workspace,
        asked,
        instant=instant,
        first=day(first, "--from"),
        last=day(last, "--to"),
        dataset=dataset,
        schemas=schemas,
    )
    purchases: tuple[Purchase, ...] = ()
    prices: tuple[float, ...] = ()
    vendor = flow.Vendor(os.environ) if planned else None
    if vendor is not None:
        purchases = _available(planned, vendor)
        prices = tuple(vendor.price(purchase) for purchase in purchases)
    total = sum(prices)
    rows = [
        PricedFile(symbol=item.symbol, schema=item.schema, first=item.first, last=item.last,
                   cost_usd=round(price, 4), file=workspace.relative(item.path))
        for item, price in zip(purchases, prices, strict=True)
    ]  # fmt: skip
    buys = vendor is not None and bool(purchases) and not estimate
    if not json and rows:
        following = "" if buys else screens.same_command("--yes")
        screens.show(lambda on: _priced_lines(rows, total, on, following=following))
    if vendor is not None and buys:
        _agree(total, len(purchases), yes=yes, max_cost=max_cost)
        with output.progress("fetching") as track:
            for purchase in track(purchases):
                vendor.fetch(purchase)
    bought = len(purchases) if buys else 0
    if json:
        output.print_json(document(Fetched(total_usd=round(total, 4), bought=bought, files=tuple(rows))))
    elif buys:
        screens.show(lambda _: [f"FETCH: DONE   {counted(bought, 'file')}, {total:.2f} USD", "next: ctl gate"])
    elif not rows:
        screens.show(lambda _: ["FETCH: OK   nothing is missing", "next: ctl doctor"])
    return EXIT_OK


def _priced_lines(rows: Sequence[PricedFile], total: float, on: Terminal, *, following: str) -> list[str]:
    columns = (
        Column("symbol"), Column("schema"), Column("from"), Column("to"), Column("USD", right=True),
        Column("file", least=100),
    )  # fmt: skip
    cells = [(row.symbol, row.schema, str(row.first), str(row.last), f"{row.cost_usd:.2f}", row.file) for row in rows]
    cells.append(("total", "", "", "", f"{total:.2f}", ""))
    state = "nothing bought" if following else "to be bought"
    lines = [f"FETCH: {counted(len(rows), 'file')} missing, {total:.2f} USD   {state}", ""]
    lines += screens.table(columns, cells, on)
    return [*lines, f"next: {following}"] if following else lines


def _available(planned: Sequence[Purchase], vendor: Vendor) -> tuple[Purchase, ...]:
    """The purchases as far as the vendor's datasets are complete."""
    from dataclasses import replace

    until: dict[str, date] = {}
    for purchase in planned:
        if purchase.dataset not in until:
            until[purchase.dataset] = vendor.available_until(purchase.dataset)
    clipped = (replace(item, last=min(item.last, until[item.dataset])) for item in planned)
    return tuple(item for item in clipped if item.first <= item.last)


def _agree(total: float, count: int, *, yes: bool, max_cost: float | None) -> None:
    """Return where the money may be spent; raise UsageError where nobody has said so."""
    import typer

    if max_cost is not None and total > max_cost:
        raise UsageError("costs more than allowed", found=f"{total:.2f} USD", expected=f"at most {max_cost:.2f}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody to ask at this terminal", found=f"{total:.2f} USD", remedy="add --yes, or --estimate")
    if not typer.confirm(f"Buy {counted(count, 'file')} for {total:.2f} USD?", err=True):
        raise UsageError("not bought")
