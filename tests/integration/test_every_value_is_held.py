"""Every value of ctl.toml, profile, lock file and decision log, changed by hand, refuses or is reported.

The exceptions are the closed list of docs/security.md, which this test reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from changed_values import leaves, with_other

from ctl import digests, store
from ctl import operating_profile as op
from ctl.errors import CtlError
from ctl.flows import lock_parts, portfolio
from ctl.store import anchors, decision_log
from ctl.store.workspace import parse

SECURITY = Path(__file__).resolve().parents[2] / "docs/security.md"
INSTANT = datetime(2026, 3, 9, 5, 0, 7, tzinfo=UTC)
GATING = ("ES", "CL", "PL")
VENDORS = ("databento", "tradestation")


@pytest.fixture(scope="module")
def opened(filled_workspace: Path) -> store.Workspace:
    return store.Workspace.load(filled_workspace)


@pytest.fixture(scope="module")
def profile(opened: store.Workspace) -> op.OperatingProfile:
    return op.load(opened.profile_path.read_bytes(), opened.relative(opened.profile_path))


@pytest.fixture(scope="module")
def certified(opened: store.Workspace, profile: op.OperatingProfile) -> portfolio.CertifiedSymbols:
    """The files are read once: what is held of them here does not depend on reading them again."""
    return portfolio.certify_gating(opened, profile, instant=INSTANT)


def exempt() -> list[str]:
    """The keys of the closed list."""
    table = SECURITY.read_text().partition("## Values that are not locked")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)


def pattern_of(key: str) -> str:
    """The entry of the closed list that a key would fall under."""
    kind, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    if kind == "symbols" and name not in GATING:
        return "symbols.<not gating>.*"
    if kind == "vendors" and name not in VENDORS:
        return "vendors.<not used>.*"
    return key


def changed_lines(text: str) -> Iterator[tuple[str, str]]:
    """(key, the text with its value changed) for every line of ctl.toml that gives one."""
    lines, table = text.splitlines(), ""
    for number, line in enumerate(lines):
        if header := re.match(r"\[([^\]]+)\]", line):
            table = header[1] + "."
        elif found := re.match(r"""(\w+)( = )("[^"]*"|[^#\s]+)(.*)""", line):
            for other in others(found[3]):
                edited = [*lines[:number], f"{found[1]}{found[2]}{other}{found[4]}", *lines[number + 1 :]]
                yield f"{table}{found[1]}", "\n".join([*edited, ""])


def others(value: str) -> tuple[str, ...]:
    """Other values of the same kind."""
    if value in ("true", "false"):
        return ("false" if value == "true" else "true",)
    if value.startswith('"'):
        return (f'"{value[1:-1]}x"', '"tradestation"', '"CMES"')
    number = float(value.replace("_", ""))
    whole = "." not in value
    return tuple(str(int(each)) if whole else str(each) for each in (number * 2, number + 7))


def outcome(workspace: store.Workspace, profile: op.OperatingProfile, certified: Any, key: str = "") -> bool:
    """Whether the gate refuses, or passes and names the key that was changed."""
    decision = portfolio.gate(workspace, profile, instant=INSTANT, certified=certified).decision
    return not decision.passed or any(key and key.rpartition(".")[2] in note.text for note in decision.notes)


def test_as_written_all_holds(opened: store.Workspace, profile: op.OperatingProfile, certified: Any) -> None:
    assert not outcome(opened, profile, certified)


def test_every_value_of_the_workspace_file(
    opened: store.Workspace, profile: op.OperatingProfile, certified: Any
) -> None:
    text = (opened.root / "ctl.toml").read_text()
    passed: set[str] = set()
    seen = 0
    for key, edited in changed_lines(text):
        if edited == text:
            continue
        seen += 1
        try:
            workspace = parse(edited.encode(), opened.root)
            held = outcome(workspace, profile, certified, key)
        except CtlError:
            continue  # refused where it is read
        if not held:
            passed.add(pattern_of(key))
    assert seen > 150
    assert passed <= set(exempt()), "a value that nobody holds"
    assert {"symbols.<not gating>.*", "vendors.<not used>.*"} <= passed, "the list says no more than is so"


def test_every_line_of_the_profile(opened: store.Workspace, profile: op.OperatingProfile, certified: Any) -> None:
    lines = profile.text.splitlines()
    for number, line in enumerate(lines):
        for edited in ([*lines[:number], *lines[number + 1 :]], [*lines[:number], f"{line} # x", *lines[number + 1 :]]):
            try:
                other = op.load("\n".join([*edited, ""]).encode(), profile.name)
            except CtlError:
                continue
            assert outcome(opened, other, certified), line


def test_every_value_of_the_lock_file(opened: store.Workspace, profile: op.OperatingProfile, tmp_path: Path) -> None:
    entries = decision_log.read(opened)
    document = json.loads(anchors.lock_path(opened.profile_path).read_bytes())
    elsewhere = tmp_path / opened.profile_path.name
    paths = [*leaves(document)]
    assert len(paths) > 300
    for path in paths:
        anchors.lock_path(elsewhere).write_bytes(store.json_bytes(with_other(document, path)))
        read = anchors.read_lock(opened, elsewhere)
        said = [*anchors.contradictions(opened, opened.profile_path, read, entries), *filter(None, [read.problem])]
        assert "LOCK_EDITED" in {problem.code for problem in said}, path


def test_every_value_of_the_decision_log(workspace: Path, ctl: Any) -> None:
    assert ctl("ops", "-w", workspace).code == 0  # something cites the newest entry
    opened = store.Workspace.load(workspace)
    profile = op.load(opened.profile_path.read_bytes(), opened.relative(opened.profile_path))
    instant = datetime.now(UTC)
    whole = opened.decision_log.read_bytes()
    lines = whole.splitlines(keepends=True)
    for number, line in enumerate(lines):
        entry = json.loads(line)
        for path in leaves(entry):
            edited = digests.canonical_json(with_other(entry, path))
            opened.decision_log.write_bytes(b"".join((*lines[:number], edited + b"\n", *lines[number + 1 :])))
            problems = lock_parts.read_lock(opened, profile, instant=instant).problems
            assert {"LOG_CONTRADICTED", "DECISION_MISSING"} & {problem.code for problem in problems}, (number, path)
    opened.decision_log.write_bytes(whole)
    assert lock_parts.read_lock(opened, profile, instant=instant).problems == ()
