"""`ctl contracts`: the contracts of a root, when each trades last and when its first notice day is, and who says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.screens import Column
from ctl.cli.workspace_commands import open_workspace
from ctl.errors import EXIT_OK, UsageError
from ctl.model.findings import counted

if TYPE_CHECKING:
    from datetime import date

    from ctl.cli.screens import Terminal
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
    follow = [] if files else [f"next: ctl build {listed.root}"]
    output.answer(listed, lambda on: [*_lines(listed, on), *follow], json=json)
    return EXIT_OK


def _lines(listed: ContractList, on: Terminal) -> list[str]:
    last_trade = output.sources(each.last_trade_source for each in listed.contracts)
    first_notice = output.sources(each.first_notice_source for each in listed.contracts)
    newest = max((each.last_bar for each in listed.contracts), default=None)
    lines = screens.parts(
        [
            f"CONTRACTS: {listed.root}, {counted(len(listed.contracts), 'contract')} from {listed.vendor}",
            "" if newest is None else f"data to {newest}",
        ],
        on,
    )
    rows = [
        (
            each.contract, str(each.first_bar), str(each.last_bar), str(each.bars),
            _day(each.last_trade), each.last_trade_source, _day(each.first_notice), each.first_notice_source,
            str(each.bars_after_last_trade or ""),
        )
        for each in listed.contracts
    ]  # fmt: skip
    columns = [
        Column("contract"), Column("first bar", least=70), Column("last bar", least=60), Column("bars", right=True),
        Column("last trade"), Column("by", least=100), Column("first notice"), Column("by", least=100),
        Column("bars after", right=True),
    ]  # fmt: skip
    if not any(row[-1] for row in rows):
        columns.pop()
    lines += ["", *screens.table(columns, [row[: len(columns)] for row in rows], on), ""]
    facts = {"Last trade": last_trade, "First notice": first_notice}
    for number, rule in enumerate(listed.rules, 1):
        since = f"from {rule.since}: " if rule.since else ""
        facts["Rule" if len(listed.rules) == 1 else f"Rule {number}"] = (
            f"{since}last trade {rule.last_trade}; first notice {rule.first_notice} ({rule.calendar}); {rule.source}"
        )
    if not listed.rules:
        facts["Rule"] = f"none of {listed.root} is known: columns last_trade and first_notice can state its days"
    return [*lines, *screens.facts(facts, on)]


def _day(day: date | None) -> str:
    return "-" if day is None else str(day)
