"""`ctl contracts`: the contracts of a root, when each trades last and when its first notice day is, and who says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output
from ctl.cli.workspace_commands import open_workspace
from ctl.errors import EXIT_OK, UsageError
from ctl.model.findings import counted

if TYPE_CHECKING:
    from datetime import date

    from ctl.model.bars import TermSource
    from ctl.model.contract_list import ContractList


def contracts(
    workspace_path: Path | None,
    symbol: str | None,
    files: Sequence[Path],
    root: str | None,
    *,
    publisher: int | None,
    mapping: str | None,
    json: bool,
) -> int:
    """List the contracts of a workspace's root, or of files."""
    from ctl.flows import contract_list
    from ctl.model import documents

    instant = clock.now()
    if files:
        from ctl import ingest
        from ctl.flows import plain

        if root is None:
            raise UsageError("--contracts needs --root", remedy="name the root of the contracts, e.g. --root ES")
        bars = plain.load_contracts(files, root, publisher=publisher, mapping=mapping, now=instant)
        listed = contract_list.of_bars(bars, ingest.load_instruments())
    else:
        name = symbol or root
        if name is None:
            raise UsageError("which contracts?", expected="a root of the workspace, or --contracts FILE... --root ROOT")
        listed = contract_list.of_workspace(open_workspace(workspace_path), name, instant)
    if json:
        output.print_json(documents.document(listed))
    else:
        _print(listed)
    return EXIT_OK


def _print(listed: ContractList) -> None:
    ended = output.sources(each.last_trade_source for each in listed.contracts)
    noticed = output.sources(each.first_notice_source for each in listed.contracts)
    print(f"{listed.root}: {counted(len(listed.contracts), 'contract')} from {listed.vendor}")
    print(f"  last trade by {ended}; first notice by {noticed}")
    rows = [
        (
            each.contract, str(each.first_bar), str(each.last_bar), str(each.bars),
            _day(each.last_trade, each.last_trade_source), _day(each.first_notice, each.first_notice_source),
            f"{each.bars_after_last_trade} after last trade" if each.bars_after_last_trade else "",
        )
        for each in listed.contracts
    ]  # fmt: skip
    columns = ("contract", "first bar", "last bar", "bars", "last trade", "first notice", "")
    output.print_table(columns, rows, right=(3,))
    for rule in listed.rules:
        since = f" from {rule.since}" if rule.since else ""
        print(f"  rule{since}: last trade {rule.last_trade}; first notice {rule.first_notice} ({rule.calendar})")
        print(f"    source: {rule.source}")
    if not listed.rules:
        print(f"  no rule of {listed.root} is known: columns last_trade and first_notice can state its days")


def _day(day: date | None, source: TermSource) -> str:
    return source if day is None else f"{day} {source}"
