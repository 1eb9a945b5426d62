"""`ctl revisions`: past bars as the workspace read them before and now, and how often a vendor changes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.arguments import day
from ctl.cli.screens import Column
from ctl.cli.workspace_commands import chosen_symbols, open_workspace
from ctl.errors import EXIT_OK
from ctl.model.findings import counted, in_full

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.model.revisions import BarReading, Revision, Revisions

_SHOWN: Final = 20


def revisions(workspace_path: Path | None, symbol: str, session: str | None, *, json: bool) -> int:
    """Show what was kept; exit 0 whatever it says."""
    from ctl.flows import revisions as reading

    instant = clock.now()
    asked = day(session, "SESSION") if session else None
    with output.progress("reading"):
        workspace = open_workspace(workspace_path)
        (named,) = chosen_symbols([symbol], list(workspace.symbols))
        found = reading.revisions(workspace, named, asked, instant=instant)
    output.answer(found, lambda on: _lines(found, on), json=json)
    return EXIT_OK


def _lines(found: Revisions, on: Terminal) -> list[str]:
    kept = {reading.name for reading in found.readings}
    changed = {each.session for each in found.revisions}
    verdict = (
        f"{found.symbol} {found.session}: {counted(len(found.revisions), 'value')} read otherwise later"
        if found.session
        else f"{found.symbol}: {counted(len(changed), 'session')} read otherwise later"
    )
    lines = screens.parts(
        [
            f"REVISIONS: {verdict}",
            counted(len(kept), "reading"),
            f"data to {found.data_to}" if found.data_to else "",
            "simulated market" if found.simulated else "",
        ],
        on,
    )
    columns = [
        Column("vendor"), Column("series"), Column("readings", right=True, least=70),
        Column("read again", right=True), Column("restated", right=True), Column("rate", right=True),
        Column("before newest", right=True, least=80),
    ]  # fmt: skip
    rows = [
        (
            each.vendor, each.series, str(each.readings), str(each.read_again), str(each.restated),
            "-" if each.rate is None else f"{100 * each.rate:.2f} %", str(each.older),
        )
        for each in found.rates
    ]  # fmt: skip
    lines += ["", *screens.table(columns, rows, on)]
    if found.revisions:
        lines += ["", *_revisions(found.revisions, on)]
    if found.bars:
        lines += ["", *_bars(found, on)]
    facts = {f"Unread {number}": text for number, text in enumerate(found.unread, 1)}
    last = found.revisions[0].session if found.revisions and found.session is None else None
    command = f"ctl revisions {found.symbol} {last}" if last else "ctl plan"
    return [*lines, *([""] if facts else []), *screens.facts(facts, on), f"next: {command}"]


def _revisions(found: tuple[Revision, ...], on: Terminal) -> list[str]:
    most = len(found) if screens.verbose.get() else _SHOWN
    rows = [
        (
            str(each.session), each.contract, each.column,
            f"{_value(each.old)} -> {_value(each.new)}", each.vendor, f"{each.old_reading} -> {each.new_reading}",
        )
        for each in found[:most]
    ]  # fmt: skip
    columns = [
        Column("session"), Column("contract"), Column("value"), Column("old -> new"), Column("vendor", least=80),
        Column("readings", least=60),
    ]  # fmt: skip
    more = [f"{len(found) - most} more (--verbose, --json)"] if len(found) > most else []
    return [*screens.table(columns, rows, on), *more]


def _bars(found: Revisions, on: Terminal) -> list[str]:
    """The session's bars by every reading: of contracts those that changed, or the one that traded most."""
    changed = {(each.vendor, each.series, each.contract) for each in found.revisions}
    for vendor, series in dict.fromkeys((bar.vendor, bar.series) for bar in found.bars):
        own = [bar for bar in found.bars if (bar.vendor, bar.series) == (vendor, series)]
        if not any(each[:2] == (vendor, series) for each in changed):
            changed.add((vendor, series, max(own, key=lambda bar: bar.values["volume"] or 0.0).contract))
    shown = [bar for bar in found.bars if screens.verbose.get() or _key(bar) in changed]
    prices = ("open", "high", "low", "close", "volume", "open_interest")
    columns = [
        Column("vendor", least=80), Column("series"), Column("contract"), Column("reading"),
        *(Column("interest" if name == "open_interest" else name, right=True, least=0 if name == "close" else 100)
          for name in prices),
    ]  # fmt: skip
    rows = [
        (bar.vendor, bar.series, bar.contract, bar.reading, *(_value(bar.values[name]) for name in prices))
        for bar in sorted(shown, key=lambda bar: (bar.series, bar.contract))
    ]
    return screens.table(columns, rows, on)


def _key(bar: BarReading) -> tuple[str, str, str]:
    return bar.vendor, bar.series, bar.contract


def _value(value: float | None) -> str:
    return "-" if value is None else in_full(value)
