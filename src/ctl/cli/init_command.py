"""`ctl init`: a workspace from the data files of a folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import arguments, output, screens
from ctl.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.flows.first_workspace import Answers, InitResult, InitSymbol
    from ctl.flows.found_files import FoundFiles


def init(
    folder: Path,
    data: Path | None,
    *,
    symbols: Sequence[str],
    canonical: str | None,
    references: Sequence[str],
    equity: float | None,
    settings: Sequence[str],
    yes: bool,
    json: bool,
) -> int:
    """Look at the files, ask where somebody can answer, write ctl.toml, certify, write the first profile."""
    from ctl.flows import first_workspace, found_files, inputs

    instant, root = clock.now(), folder.absolute()
    chosen = arguments.settings(settings)
    workspace = first_workspace.unfinished(root)
    notes: list[str] = []
    unused: list[str] = []
    if workspace is None:
        with output.progress("looking at the files"):
            own = root / inputs.OWN_INSTRUMENTS
            found = found_files.look((data or folder).absolute(), own if own.is_file() else None)
        answers = first_workspace.Answers(tuple(symbols), canonical, tuple(references), equity)
        if sys.stdin.isatty() and not (yes or json):
            answers = _asked(found, answers)
        made = first_workspace.draft(found, root, answers)
        workspace = first_workspace.write_configuration(root, made)
        notes += made.notes
        unused += [f"{workspace.relative(path)}: {why}" for path, why in found.unused.items()]
    elif canonical or references or data or equity is not None:
        raise UsageError(
            "ctl.toml stands here already and says which files are whose", where=str(root),
            remedy="edit it, or remove it to make it anew",
        )  # fmt: skip
    with output.progress("certifying"):
        result = first_workspace.first_profile(workspace, symbols, instant, notes, unused, chosen)
    output.answer(result, lambda on: _lines(result, on), json=json)
    refused = first_workspace.refusal(result)
    if refused is not None:
        raise refused
    return EXIT_OK


def _asked(found: FoundFiles, answers: Answers) -> Answers:
    """The answers that no option gave, from the person at the terminal; Enter takes what is likely."""
    from dataclasses import replace

    import typer

    from ctl.flows.first_workspace import likely_symbols

    pairs = found.pairs()
    chosen = answers.symbols or likely_symbols(found)
    if not answers.symbols and len(chosen) > 1:
        text = typer.prompt("Symbols", default=" ".join(chosen), err=True)
        answers = replace(answers, symbols=tuple(text.split()))
    ours, theirs = next((pairs[symbol] for symbol in chosen if symbol in pairs), ((), ()))
    if answers.canonical is None and len(ours) > 1:
        answers = replace(answers, canonical=typer.prompt("Canonical vendor", default=ours[0], err=True))
    others = [vendor for vendor in theirs if vendor != (answers.canonical or ours[0])]
    if not answers.references and len(others) > 1:
        text = typer.prompt("References, the deciding one first", default=" ".join(others), err=True)
        answers = replace(answers, references=tuple(text.split()))
    return answers


def _lines(result: InitResult, on: Terminal) -> list[str]:
    verdict = f"DONE   {result.recommendation}" if result.profile is not None else "STOPPED   no profile written"
    lines = screens.parts([f"INIT: {verdict}", "STALE data" if result.stale else "", result.workspace], on)
    lines += [*screens.wrapped(result.stale, on), ""] if result.stale else [""]
    width = max((len(each.symbol) for each in result.symbols), default=0)
    for each in result.symbols:
        sides = f"{each.canonical} against {', '.join(each.references)}"
        first, indent = f"{each.symbol:<{width}}  {each.derived:<6}  ", " " * (width + 2)
        lines += screens.wrapped(sides + (f"   {each.detail}" if each.detail else ""), on, first=first, indent=indent)
        if each.failed and result.profile is not None:
            text = f"does not gate: no profile can expect {each.derived}; ctl certify {each.symbol} --explain says more"
            lines += screens.wrapped(text, on, first=indent, indent=indent)
        for text in each.failed:
            lines += screens.wrapped(text, on, first=f"{indent}why: ", indent=f"{indent}     ")
        if each.follow:
            first = f"{indent}to roll as {each.references[0]} does: "
            lines += screens.wrapped(_following(result, each), on, first=first, indent=f"{indent}  ")
    for word, texts in (("note", result.notes), ("not used", result.unused)):
        for text in texts:
            lines += screens.wrapped(text, on, first=f"{word:<8}  ", indent=" " * 10)
    files = [result.configuration, result.profile, *(each.certificate for each in result.symbols)]
    lines += screens.wrapped(", ".join(filter(None, files)), on, first="wrote     ", indent=" " * 10)
    stopped = next((each.symbol for each in result.symbols if each.failed), None)
    command = f"ctl certify {stopped} --explain"
    if result.profile is not None:
        command = "ctl doctor" if result.stale else "ctl gate"
    return [*lines, f"next: {command} --workspace {shlex.quote(result.workspace)}"]


def _following(result: InitResult, each: InitSymbol) -> str:
    """The command that makes our rolls those of the reference: the same again, or a lock where a profile stands now."""
    words = [word for key, value in each.follow.items() for word in ("--set", f"{key}={value}")]
    if result.profile is None:
        return shlex.join(["ctl", "init", result.workspace, *words])
    reason = f"{each.symbol} rolls as {each.references[0]} does"
    gating = ["--set", f"{each.symbol}.gating=true", *words, "--reason", reason]
    return shlex.join(["ctl", "lock", "--workspace", result.workspace, *gating])
