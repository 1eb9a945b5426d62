"""Every value of ctl.toml, profile, lock file and decision log, changed by hand, refuses or is reported.

The exceptions are the closed list of docs/security.md, which this test reads.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import every_key
import pytest
from changed_values import leaves, with_other
from pydantic import BaseModel

from ctl import digests, store
from ctl import operating_profile as op
from ctl.errors import CtlError
from ctl.flows import lock_parts, portfolio
from ctl.model.csv_mapping import ColumnKeys, MappingKeys, NamedMapping
from ctl.store import anchors, decision_log
from ctl.store.workspace import (
    BrakeKeys,
    PathKeys,
    RiskKeys,
    SymbolCapsKeys,
    SymbolKeys,
    VendorKeys,
    WorkspaceKeys,
    parse,
)

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


def outcome(workspace: store.Workspace, profile: op.OperatingProfile, certified: Any, key: str = "") -> bool:
    """Whether the gate refuses, or passes and names the key that was changed."""
    decision = portfolio.gate(workspace, profile, instant=INSTANT, certified=certified).decision
    return not decision.passed or any(key and key.rpartition(".")[2] in note.text for note in decision.notes)


def test_as_written_all_holds(opened: store.Workspace, profile: op.OperatingProfile, certified: Any) -> None:
    assert not outcome(opened, profile, certified)


def places_of(document: dict[str, Any]) -> dict[every_key.Key, type[BaseModel]]:
    """Where each table of ctl.toml stands: of a gating symbol and of one that is not, of vendors used and not."""
    mapping: every_key.Key = ("vendors", "tradestation", "contracts_mapping")
    return {
        (): WorkspaceKeys,
        ("paths",): PathKeys,
        **{("vendors", name): VendorKeys for name in document["vendors"]},
        mapping: MappingKeys,
        (*mapping, "columns"): ColumnKeys,
        **{("symbols", name): SymbolKeys for name in ("ES", "AAPL")},
        ("risk",): RiskKeys,
        **{("risk", "brakes", number): BrakeKeys for number in range(len(document["risk"]["brakes"]))},
        ("risk", "symbols", "ES"): SymbolCapsKeys,
    }


def test_every_key_that_the_workspace_file_may_have(
    opened: store.Workspace, profile: op.OperatingProfile, certified: Any
) -> None:
    """Each key of each model, where the file has it and where it does not, two other values and its absence."""
    document = tomllib.loads((opened.root / "ctl.toml").read_text())
    places = places_of(document)
    assert every_key.models_of(WorkspaceKeys) - {NamedMapping} == set(places.values()), "a table that is not tried"
    beside = {"margin": {"max_margin": 30_000.0}, "max_margin": {"margin": 7_000.0}}
    tried: dict[every_key.Key, list[store.Workspace]] = {}
    outcomes: dict[every_key.Key, set[str]] = {}
    for key, edited in every_key.changed(document, places, beside):
        try:
            workspace = replace(parse(every_key.toml_file(edited), opened.root), config_sha256=opened.config_sha256)
            before = tried.setdefault(key, [opened])
            if len(before) == 3 or workspace in before:
                continue
            before.append(workspace)
            name = ".".join(map(str, key))
            held = outcome(workspace, profile, certified, name)
        except CtlError:
            continue  # refused where it is read, or a gating symbol is gone
        outcomes.setdefault(key, set()).add("held" if held else pattern_of(name))
    unchanged = {(model.__name__, name) for place, model in places.items() for name in model.model_fields} - {
        (places[key[:-1]].__name__, str(key[-1])) for key in outcomes
    }
    assert unchanged == {
        ("WorkspaceKeys", "schema_version"), ("MappingKeys", "header"),  # another value is refused where it is read
        ("WorkspaceKeys", "paths"), ("WorkspaceKeys", "vendors"), ("WorkspaceKeys", "symbols"),
        ("MappingKeys", "columns"), ("RiskKeys", "symbols"),  # tables, key by key
    }  # fmt: skip
    passed = {each for found in outcomes.values() for each in found} - {"held"}
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
