"""`ctl data` and `ctl doctor`: what the workspace's files hold, and what of them is amiss."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output
from ctl.cli.workspace_commands import chosen_symbols, open_workspace
from ctl.errors import EXIT_ERROR, EXIT_OK, UsageError
from ctl.model.documents import document
from ctl.model.findings import counted

if TYPE_CHECKING:
    from ctl.model.data_report import DataPart, DataReport, DoctorReport


def listed(workspace_path: Path | None, symbols: Sequence[str], *, details: bool, json: bool) -> int:
    """What is there of every symbol; with details the files, counts and notes too."""
    from ctl.flows import data_report

    workspace = open_workspace(workspace_path)
    chosen = chosen_symbols(symbols, list(workspace.symbols))
    with output.progress("reading"):
        found = data_report.report(workspace, chosen, clock.now())
    if json:
        output.print_json(document(found))
    else:
        _print(found, details=details)
    return EXIT_ERROR if any(part.problem for each in found.symbols for part in each.parts) else EXIT_OK


def head(workspace_path: Path | None, symbol: str, *, vendor: str | None, rows: int, last: bool, json: bool) -> int:
    """The first or last bars of a symbol, as they are read."""
    from ctl.flows.inputs import SymbolFiles

    workspace = open_workspace(workspace_path)
    config = workspace.symbol(symbol)
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
        output.print_json({"kind": "bars", "symbol": symbol, "rows": [document(row) for row in shown.to_dicts()]})
    else:
        print(shown.write_csv(), end="")
    return EXIT_OK


def doctor(workspace_path: Path | None, symbols: Sequence[str], *, json: bool) -> int:
    """What is missing, stale, unfinished or unreadable. Exit 1 where something is to be mended."""
    from ctl.flows import data_report

    workspace = open_workspace(workspace_path)
    chosen = chosen_symbols(symbols, list(workspace.symbols))
    with output.progress("reading"):
        found = data_report.doctor(workspace, chosen, clock.now())
    if json:
        output.print_json(document(found))
    else:
        _print_doctor(found)
    return EXIT_ERROR if any(item.level == "mend" for item in found.findings) else EXIT_OK


def _print(found: DataReport, *, details: bool) -> None:
    problems = sum(part.problem is not None for each in found.symbols for part in each.parts)
    until = f"   data to {found.newest}" if found.simulated and found.newest else ""
    verdict = f"{problems} not readable" if problems else "all readable"
    print(f"DATA: {counted(len(found.symbols), 'symbol')}, {verdict}{until}"
          + ("   simulated market" if found.simulated else ""))  # fmt: skip
    rows = [(each.symbol, part) for each in found.symbols for part in each.parts]
    symbols = max((len(symbol) for symbol, _ in rows), default=0)
    vendors = max((len(part.vendor) for _, part in rows), default=0)
    for symbol, part in rows:
        print(f"{symbol:<{symbols}}  {part.vendor:<{vendors}}  {part.part:<10}  {_range(part)}")
        if details and part.problem is None:
            for line in _details(part):
                print(f"{'':<{symbols}}  {line}")
    if not details and rows:
        print(f"next: ctl data show {rows[0][0]}")


def _range(part: DataPart) -> str:
    if part.problem is not None:
        return f"{part.problem.code}: {part.problem.text}"
    late = "" if not part.behind else f", {counted(part.behind, 'session')} behind"
    return f"{part.first} to {part.last}, {part.sessions} sessions{late}"


def _details(part: DataPart) -> list[str]:
    basis = ", ".join(text for text in (part.session_basis, part.close_basis, part.adjustment_basis) if text)
    lines = [f"basis {basis}" + (f", {part.quote_unit}" if part.quote_unit else "")]
    if part.contracts is not None:
        lines.append(counted(part.contracts, "contract"))
    lines += [f"file {file.name}  {file.rows} rows  sha256 {file.sha256[:12]}" for file in part.files]
    lines += [f"{name.replace('_', ' ')}: {count}" for name, count in part.counts.items()]
    lines += [f"note {note}" for note in part.notes]
    return lines


def _print_doctor(found: DoctorReport) -> None:
    mend = sum(item.level == "mend" for item in found.findings)
    print(f"DOCTOR: {mend} to mend, {len(found.findings) - mend} to know, {len(found.ok)} ok")
    subjects = max((len(item.subject) for item in found.findings), default=0)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for item in found.findings:
        text = f"{item.level:<5} {item.subject:<{subjects}}  {item.text}"
        indent = " " * (8 + subjects)
        print("\n".join(textwrap.wrap(text, width, subsequent_indent=indent)) if width else text)
    print(f"ok    {', '.join(found.ok)}")
    commands = [item.command for item in found.findings if item.command is not None and item.level == "mend"]
    print(f"next: {commands[0] if commands else 'ctl gate'}" if commands or not mend else "next: ctl data list")
