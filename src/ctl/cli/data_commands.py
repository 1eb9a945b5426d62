"""`ctl data` and `ctl doctor`: what the workspace's files hold, and what of them is amiss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.screens import Column
from ctl.cli.workspace_commands import chosen_symbols, open_workspace
from ctl.errors import EXIT_OK, UsageError
from ctl.model.documents import document
from ctl.model.findings import counted
from ctl.model.printed import Bars

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.model.data_report import DataPart, DataReport, DoctorReport


def listed(workspace_path: Path | None, symbols: Sequence[str], *, details: bool, json: bool) -> int:
    """What is there of every symbol; with details the files, counts and notes too."""
    from ctl.flows import data_report

    workspace = open_workspace(workspace_path)
    chosen = chosen_symbols(symbols, list(workspace.symbols))
    with output.progress("reading"):
        found = data_report.report(workspace, chosen, clock.now())
    output.answer(found, lambda on: _lines(found, on, details=details), json=json)
    return output.ended(
        f"{each.symbol} {part.vendor} {part.part}: {part.problem.code}: {part.problem.text}"
        for each in found.symbols
        for part in each.parts
        if part.problem
    )


def head(workspace_path: Path | None, symbol: str, *, vendor: str | None, rows: int, last: bool, json: bool) -> int:
    """The first or last bars of a symbol, as they are read."""
    from ctl.flows.inputs import SymbolFiles

    workspace = open_workspace(workspace_path)
    config = workspace.symbol(*chosen_symbols([symbol], list(workspace.symbols)))
    files = SymbolFiles(workspace, config, clock.now())
    if vendor in (None, config.canonical):
        frame = (files.contracts() if config.asset_class == "future" else files.equity()).frame
    else:
        known = (config.canonical, *config.references)
        if vendor not in known:
            raise UsageError(f"--vendor is none of {symbol}", found=vendor, expected=", ".join(known))
        reference = files.reference(files.vendor_of_reference(vendor))
        side = reference.unadjusted or reference.adjusted
        if side is None:
            raise UsageError(f"{vendor} has no series of {symbol}")
        frame = side.frame
    frame = frame.sort("session", maintain_order=True)
    shown = frame.tail(rows) if last else frame.head(rows)
    if json:
        output.print_json(document(Bars(symbol=symbol, rows=tuple(shown.to_dicts()))))
    else:
        print(shown.write_csv(), end="")
    return EXIT_OK


def doctor(workspace_path: Path | None, symbols: Sequence[str], *, json: bool) -> int:
    """What is missing, stale, unfinished or unreadable. Exit 1 where something is to be mended."""
    from ctl.ops import status

    workspace = open_workspace(workspace_path)
    chosen = chosen_symbols(symbols, list(workspace.symbols))
    with output.progress("reading"):
        found = status.doctor(workspace, chosen, clock.now())
    output.answer(found, lambda on: _doctor_lines(found, on), json=json)
    return output.ended(f"{item.subject}: {item.code}: {item.text}" for item in found.findings if item.level == "mend")


def _lines(found: DataReport, on: Terminal, *, details: bool) -> list[str]:
    problems = sum(part.problem is not None for each in found.symbols for part in each.parts)
    rows = [(each.symbol, part) for each in found.symbols for part in each.parts]
    reach = max((part.last for _, part in rows if part.last is not None), default=None)
    verdict = f"ERROR, {problems} not readable" if problems else "OK, all readable"
    lines = screens.parts(
        [
            f"DATA: {verdict}",
            counted(len(found.symbols), "symbol"),
            f"data to {reach}" if reach else "",
            "simulated market" if found.simulated else "",
        ],
        on,
    )
    columns = (
        Column("symbol"), Column("vendor"), Column("part"), Column("from", least=70), Column("to"),
        Column("sessions", right=True, least=70), Column("late", right=True),
    )  # fmt: skip
    cells = [
        (symbol, part.vendor, part.part, "-" if part.first is None else str(part.first),
         "-" if part.last is None else str(part.last), f"{part.sessions or 0:,}", str(part.behind or 0))
        for symbol, part in rows
    ]  # fmt: skip
    lines += ["", *screens.table(columns, cells, on)]
    for symbol, part in rows:
        if part.problem is not None:
            first = f"{symbol} {part.vendor} {part.part}  "
            lines += screens.wrapped(f"{part.problem.code}: {part.problem.text}", on, first=first, indent="    ")
        elif details:
            lines += ["", f"{symbol} {part.vendor} {part.part}"]
            for text in _details(part):
                lines += screens.wrapped(text, on, first="  ", indent="    ")
    if problems:
        command = f"ctl doctor {next(symbol for symbol, part in rows if part.problem is not None)}"
    else:
        command = "ctl doctor" if details or not rows else f"ctl data show {rows[0][0]}"
    return [*lines, f"next: {command}"]


def _details(part: DataPart) -> list[str]:
    basis = ", ".join(text for text in (part.session_basis, part.close_basis, part.adjustment_basis) if text)
    lines = [f"basis {basis}" + (f", {part.quote_unit}" if part.quote_unit else "")]
    if part.contracts is not None:
        lines.append(counted(part.contracts, "contract"))
    lines += [f"file {file.name}  {file.rows} rows  sha256 {file.sha256[:12]}" for file in part.files]
    lines += [f"{name.replace('_', ' ')}: {count}" for name, count in part.counts.items()]
    lines += [f"note {note}" for note in part.notes]
    return lines


def _doctor_lines(found: DoctorReport, on: Terminal) -> list[str]:
    mend = sum(item.level == "mend" for item in found.findings)
    lines = [f"DOCTOR: {mend} to mend, {len(found.findings) - mend} to know, {len(found.ok)} ok"]
    subjects = max((len(item.subject) for item in found.findings), default=0)
    for item in found.findings:
        first = f"{item.level:<5} {item.subject:<{subjects}}  "
        lines += screens.wrapped(item.text, on, first=first, indent=" " * len(first))
    lines += screens.wrapped(", ".join(found.ok), on, first="ok    ", indent="      ")
    commands = [item.command for item in found.findings if item.command is not None and item.level == "mend"]
    command = commands[0] if commands else "ctl data list" if mend else "ctl gate"
    return [*lines, f"next: {command}"]
