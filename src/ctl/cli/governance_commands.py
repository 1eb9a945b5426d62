"""Commands that put decisions and a cycle's closeout on record: decide, closeout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ctl import clock
from ctl.cli import output, screens
from ctl.cli.lock_commands import signing_keys
from ctl.cli.workspace_commands import open_workspace
from ctl.errors import EXIT_MISMATCH, EXIT_OK, UsageError

if TYPE_CHECKING:
    from ctl.cli.screens import Terminal
    from ctl.ops.closeout import CloseoutVerification


def decide(
    workspace_path: Path | None,
    *,
    decision: str,
    rationale: str,
    scope: str,
    inputs: Sequence[str],
    impact: str,
    next_actions: Sequence[str],
    sign: Sequence[Path],
    json: bool,
) -> int:
    """Append an entry that rests on the profile in force and the certificates it was locked on."""
    from ctl import store
    from ctl.flows import signing
    from ctl.store import decision_log

    signers = signing_keys(sign)
    instant, workspace = clock.now(), open_workspace(workspace_path)
    for name, text in (("--decision", decision), ("--rationale", rationale)):
        if not text.strip():
            raise UsageError(f"{name} says nothing", expected="a sentence")
    with store.RunLock(workspace.lock_path, instant=instant, purpose="ctl decide"):
        entries = decision_log.require_whole(workspace)
        locked = decision_log.locking(entries)
        made = decision_log.Decision(
            decision=decision.strip(),
            date=instant.date(),
            scope=scope.strip() or ("" if locked is None else locked.scope),
            inputs=tuple(inputs),
            rationale=rationale.strip(),
            gate_impact=impact.strip(),
            next_actions=tuple(next_actions),
            profiles=() if locked is None else locked.profiles[-1:],
            certificates={} if locked is None else locked.certificates,
        )
        signing.write(workspace, decision_log.chained(entries, (made,)), signers)
        entry = decision_log.append(workspace, made)
    if json:
        output.print_json({"kind": "decision", **entry.model_dump(mode="json")})
        return EXIT_OK
    log = workspace.relative(workspace.decision_log)
    rests = (
        f"{locked.profiles[-1].path}, {len(locked.certificates)} certificates" if locked is not None else "no profile"
    )
    signed = ", ".join(f"key {each.public_key.keyid[:12]}" for each in signers)
    facts = {
        "Decision": entry.decision,
        "Rests on": rests,
        "Digest": entry.sha256 if screens.verbose.get() else entry.sha256[:12],
        "Signed": signed,
    }
    screens.show(
        lambda on: [
            *screens.parts([f"DECIDE: DONE   {entry.id} recorded", log], on), "", *screens.facts(facts, on),
            "next: ctl verify",
        ]
    )  # fmt: skip
    return EXIT_OK


def closeout(workspace_path: Path | None, options: Mapping[str, frozenset[str]], *, check: bool, json: bool) -> int:
    """Write a cycle's closeout from state, or derive every claim of it anew: exit 2 where one does not hold."""
    from ctl.ops import closeout as closing

    instant = clock.now()
    root = _root(workspace_path)
    if not check:
        with output.progress("deriving"):
            made = closing.write(root, options, instant=instant)
        head = f"CLOSEOUT: DONE   {made.cycle_id}   {sum(len(section.rows) for section in made.sections)} claims"
        follow = [f"proof {made.proof}", "next: ctl closeout --verify"]
        output.answer(made, lambda on: [*screens.parts([head, made.path], on), *follow], json=json)
        return EXIT_OK
    with output.progress("deriving every claim"):
        found = closing.verify(root, options, instant=instant)
    output.answer(found, lambda on: _verified_lines(found, on), json=json)
    return EXIT_OK if found.verified else EXIT_MISMATCH


def _verified_lines(found: CloseoutVerification, on: Terminal) -> list[str]:
    if found.verified:
        return [f"CLOSEOUT: OK   {found.cycle_id}   {found.claims} claims hold   {found.path}"]
    count = f"{len(found.broken)} difference{'s' * (len(found.broken) > 1)} in {found.claims} claims"
    lines = [f"CLOSEOUT: MISMATCH   {count}   {found.path}", ""]
    for claim in found.broken:
        lines += screens.wrapped(claim.section, on)
        lines += screens.wrapped(claim.found or "(nothing)", on, first="  says   ", indent="         ")
        lines += screens.wrapped(claim.expected or "(nothing)", on, first="  state  ", indent="         ")
    return [*lines, "next: ctl closeout"]


def _root(path: Path | None) -> Path:
    """The folder named, or the workspace at or above the current one: the tree of a repository needs no ctl.toml."""
    if path is not None and (path / "configs" / "cutover").is_dir():
        return path.resolve()
    return open_workspace(path).root
