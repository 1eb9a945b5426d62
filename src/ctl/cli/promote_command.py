"""`ctl promote`: what stands between symbols and their next status."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.run_screen import signed
from ctl.cli.screens import Column, Terminal
from ctl.cli.workspace_commands import chosen_symbols, open_workspace, read_profile
from ctl.model.findings import in_points

if TYPE_CHECKING:
    from ctl.model.promotion import Candidate, Promotion, SymbolPromotion


def promote(workspace_path: Path | None, symbol: str | None, *, json: bool) -> int:
    """One symbol in full, or all gating ones by what stands in their way; exit 1 where one could not be certified."""
    from ctl.flows import promote as flow

    workspace, instant = open_workspace(workspace_path), clock.now()
    profile = read_profile(workspace, None)
    chosen = chosen_symbols([symbol] if symbol else [], list(profile.gating_universe))
    with output.progress("certifying candidates"):
        found = flow.promote(workspace, profile, chosen, sweep=symbol is not None, instant=instant)
    output.answer(found, lambda on: _one(found, on) if symbol and found.symbols else _all(found, on), json=json)
    return output.ended(f"{name}: {text}" for name, text in found.errors.items())


def _one(found: Promotion, on: Terminal) -> list[str]:
    (item,) = found.symbols
    way = f"{item.symbol} {item.decision}"
    if item.proposed is not None:
        way += f" -> {item.proposed.decision} through {item.proposed.name}"
    elif item.decision == "ACCEPT":
        way += ", nothing to promote"
    else:
        way += ", no setting of ours changes it"
    lines = screens.parts([f"PROMOTE: {way}", "nothing written", "simulated market" if found.simulated else ""], on)
    lines.append("")
    lines += screens.facts({reason.code: reason.text for reason in item.blockers}, on)
    facts = {"Without": _without(item)}
    columns = (
        Column("candidate"), Column("decision"), Column("drift", right=True),
        Column("earlier", right=True, least=80), Column("later", right=True, least=80),
        Column("total R", right=True),
    )  # fmt: skip
    rows = [
        (
            each.name,
            each.decision or "-",
            in_points(each.mean_drift),
            in_points(each.earlier),
            in_points(each.later),
            signed(each.total_r),
        )
        for each in item.candidates
    ]
    lines += ["", *screens.table(columns, rows, on), ""]
    if item.split is not None:
        facts["Policies"] = f"chosen up to {item.split}: " + (
            f"{item.chosen}; {'it holds' if item.held else 'it does not hold'} on the sessions after"
            if item.chosen
            else "none is better than the one in force"
        )
    facts |= {each.name: each.problem for each in item.candidates if each.problem}
    facts["Variants"] = (
        "not known: the ledger of trials is damaged" if item.tried is None else f"{item.tried} tried so far"
    )
    return [*lines, *screens.facts(facts, on), f"next: {command(item)}"]


def _all(found: Promotion, on: Terminal) -> list[str]:
    ready = [item for item in found.symbols if item.proposed is not None]
    said = f"{len(ready)} of {len(found.symbols)} symbols can be promoted" if found.symbols else "no symbol certified"
    lines = screens.parts([f"PROMOTE: {said}", "nothing written", "simulated market" if found.simulated else ""], on)
    rows = [
        (
            item.symbol, item.decision, "" if item.proposed is None else str(item.proposed.decision),
            in_points(item.mean_drift), _in_the_way(item),
        )
        for item in found.symbols
    ]  # fmt: skip
    columns = (Column(""), Column("now"), Column("next"), Column("drift", right=True), Column("in the way"))
    lines += ["", *screens.table(columns, rows, on, prose="in the way")]
    lines += ["", *screens.facts(found.errors, on)] if found.errors else []
    waiting = ready or [item for item in found.symbols if item.decision != "ACCEPT"]
    return [*lines, f"next: ctl promote {waiting[0].symbol}" if waiting else "next: ctl plan"]


def command(item: SymbolPromotion) -> str:
    """The command that would promote a symbol, ready to be pasted; else the one that says more."""
    if item.proposed is None:
        return f"ctl certify {item.symbol} --explain"
    words = ["ctl", "lock", *_settings(item.proposed)]
    return shlex.join(
        [*words, "--reason", f"{item.symbol} {item.decision} -> {item.proposed.decision}: {item.proposed.name}"]
    )


def _settings(candidate: Candidate) -> list[str]:
    return [word for key, value in candidate.settings.items() for word in ("--set", f"{key}={value}")]


def _without(item: SymbolPromotion) -> str:
    if item.flip is None:
        return item.flip_note
    return f"{', '.join(item.flip.units)} it is {item.flip.decision}, drift {in_points(item.flip.mean_drift)}"


def _in_the_way(item: SymbolPromotion) -> str:
    if item.decision == "ACCEPT":
        return "nothing"
    causes = "; ".join(reason.text for reason in item.blockers)
    if item.proposed is not None:
        return f"{causes}; {item.proposed.name} would do"
    return causes + (f"; without {_without(item)}" if item.flip is not None else "")
