"""Commands that make pages: `ctl report` and `ctl serve`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock, store
from ctl.cli import output, screens
from ctl.cli.arguments import day
from ctl.cli.glossary import TERMS
from ctl.cli.workspace_commands import open_workspace
from ctl.errors import EXIT_MISMATCH, EXIT_OK, DataError, UsageError
from ctl.model.printed import WrittenReport

if TYPE_CHECKING:
    from ctl.ops.report import Asked


def asked(symbols: Sequence[str], first: str | None, last: str | None, *, include_non_gating: bool) -> Asked:
    """The options of `ctl report`. Raises UsageError for dates in the wrong order."""
    from ctl.ops.report import Asked

    begin, end = day(first, "--from") or date.min, day(last, "--to") or date.max
    if begin > end:
        raise UsageError("--from comes after --to", found=f"{begin} and {end}")
    window = None if first is None and last is None else (begin, end)
    return Asked(tuple(symbols), window, include_non_gating)


def report(workspace_path: Path | None, out: Path | None, options: Asked, *, json: bool) -> int:
    """Write the report of a workspace; exit 2 where the gate refuses, which the report then says."""
    from ctl import reports
    from ctl.ops.report import of_now

    workspace = open_workspace(workspace_path)
    made = of_now(workspace, options, TERMS, instant=clock.now(), show=output.shown)
    path = out or workspace.cycle / "report.html"
    text = reports.page(made)
    store.write_atomic(path.absolute(), text.encode())
    passed = made.gate is not None and made.gate.passed
    shown, recommendation = workspace.relative(path.absolute()), "" if made.gate is None else made.gate.recommendation
    written = WrittenReport(
        file=shown, gate_passed=passed, recommendation=recommendation or None, bytes=len(text.encode()),
        symbols=tuple(item.symbol for item in made.symbols),
    )  # fmt: skip
    verdict = [f"REPORT: DONE   {shown}", f"Gate: {'PASS' if passed else 'MISMATCH'}", recommendation]
    verdict += [f"{len(text) / 1e6:.1f} MB", "simulated market" if workspace.simulated else ""]
    output.answer(written, lambda on: [*screens.parts(verdict, on), f"next: {made.follow}"], json=json)
    return EXIT_OK if passed else EXIT_MISMATCH


def serve(workspace_path: Path | None, host: str, port: int, names: Sequence[str]) -> int:
    """Serve the report of a workspace until the process is stopped."""
    from ctl.ops import serve as server

    if importlib.util.find_spec("uvicorn") is None or importlib.util.find_spec("starlette") is None:
        raise DataError("no web server is installed", remedy="pip install 'ctl-cutover[serve]'", code="EXTRA_MISSING")
    workspace = open_workspace(workspace_path)
    if not server.is_loopback(host):
        output.warn(f"whoever reaches {host}:{port} reads this workspace: there is no password")
    verdict = [f"SERVE: OK   http://{host}:{port}/", workspace.cycle_id, "read-only, Ctrl-C ends it"]
    screens.show(lambda on: screens.parts(verdict, on))
    sys.stdout.flush()
    server.run(workspace, TERMS, host, port, names)
    return EXIT_OK
