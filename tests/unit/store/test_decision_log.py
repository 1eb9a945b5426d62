"""The decision log against chains worked by hand, and what each kind of damage is called."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from chain_of import chain_of

from ctl import store
from ctl.errors import DecisionLogError
from ctl.store import decision_log

TOML = """\
schema_version = 1
cycle_id = "cutover_v1"
profile = "configs/operating_profile_v1.yaml"
"""
PROFILE = b"cycle_id: cutover_v1\n"
TEXTS: dict[str, Any] = {
    "date": date(2026, 3, 2),
    "scope": "futures_only",
    "inputs": ["ES: 4 files"],
    "decision": "operating_profile_v2.yaml is in force",
    "rationale": "the vendor restated 2019",
    "gate_impact": "ES WATCH -> ACCEPT",
    "next_actions": ["watch PL"],
    "certificates": {"ES": "c" * 64},
}


@pytest.fixture
def workspace(tmp_path: Path) -> store.Workspace:
    (tmp_path / "ctl.toml").write_text(TOML)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/operating_profile_v1.yaml").write_bytes(PROFILE)
    return store.Workspace.load(tmp_path)


def cited(digest: str = hashlib.sha256(PROFILE).hexdigest()) -> decision_log.ProfileCitation:
    return decision_log.ProfileCitation(path="configs/operating_profile_v1.yaml", version=1, digest=digest)


def add(workspace: store.Workspace, **changes: Any) -> decision_log.DecisionEntry:
    return decision_log.append(workspace, decision_log.Decision(**{"profiles": [cited()], **TEXTS, **changes}))


def test_a_line_is_canonical_json_and_names_the_sha256_of_the_line_before(workspace: store.Workspace) -> None:
    add(workspace)
    add(workspace, decision="PL stays WATCH")
    first, second = workspace.decision_log.read_bytes().splitlines()
    digest = hashlib.sha256(PROFILE).hexdigest()
    assert first.decode() == (
        '{"certificates":{"ES":"' + "c" * 64 + '"},"date":"2026-03-02",'
        '"decision":"operating_profile_v2.yaml is in force","gate_impact":"ES WATCH -> ACCEPT","id":"D-0001",'
        '"inputs":["ES: 4 files"],"lock":null,"next_actions":["watch PL"],"previous":null,'
        '"profiles":[{"digest":"' + digest + '","path":"configs/operating_profile_v1.yaml","version":1}],'
        '"rationale":"the vendor restated 2019","schema_version":1,"scope":"futures_only"}'
    )
    assert json.loads(second)["previous"] == hashlib.sha256(first).hexdigest()
    assert json.loads(second)["id"] == "D-0002"
    found = chain_of(workspace)
    assert found.verified
    assert found.head == hashlib.sha256(second).hexdigest()


def test_no_log_is_no_damage(workspace: store.Workspace) -> None:
    assert decision_log.read(workspace) == ()
    assert chain_of(workspace).verified


DAMAGE = {
    "torn last line": (lambda lines: b"\n".join(lines)[:-1], 2, "a line without its end"),
    "empty file": (lambda lines: b"", None, "no entry"),
    "blank line": (lambda lines: lines[0] + b"\n\n" + lines[1] + b"\n", 2, "no entry"),
    "text changed": (lambda lines: lines[0].replace(b"2019", b"2018") + b"\n" + lines[1] + b"\n", 2, "previous"),
    "key added": (lambda lines: lines[0].replace(b'{"c', b'{"a":1,"c', 1) + b"\n", 1, "a bad a"),
    "key twice": (lambda lines: lines[0].replace(b'{"', b'{"id":"D-0001","', 1) + b"\n", 1, "other bytes"),
    "space added": (lambda lines: lines[0].replace(b":", b": ", 1) + b"\n", 1, "other bytes"),
    "windows line end": (lambda lines: lines[0] + b"\r\n", 1, "other bytes"),
    "order swapped": (lambda lines: lines[1] + b"\n" + lines[0] + b"\n", 1, "found id D-0002; expected D-0001"),
    "first removed": (lambda lines: lines[1] + b"\n", 1, "found id D-0002; expected D-0001"),
    "entry twice": (lambda lines: lines[0] + b"\n" + lines[0] + b"\n", 2, "found id D-0001; expected D-0002"),
    "not UTF-8": (lambda lines: lines[0].replace(b"vendor", b"vend\xff") + b"\n", 1, "no entry"),
    "byte order mark": (lambda lines: b"\xef\xbb\xbf" + lines[0] + b"\n", 1, "no entry"),
    "nested deep": (lambda lines: b"[" * 100_000 + b"\n", 1, "no entry"),
    "not a number": (lambda lines: lines[0].replace(b'"schema_version":1', b'"schema_version":NaN') + b"\n", 1, "bad"),
    "a path outside": (
        lambda lines: lines[0].replace(b'"configs/', b'"../configs/') + b"\n",
        1,
        "a bad profiles.0.path",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_names_the_line_and_is_never_repaired(workspace: store.Workspace, damage: str) -> None:
    add(workspace)
    add(workspace)
    harm, line, text = DAMAGE[damage]
    data = harm(workspace.decision_log.read_bytes().splitlines())
    workspace.decision_log.write_bytes(data)
    found = chain_of(workspace)
    assert [problem.code for problem in found.problems] == ["DECISION_LOG_BROKEN"]
    where = "docs/governance/decision_log.jsonl:" + ("" if line is None else f"{line}: entry D-{line:04d}")
    assert found.problems[0].text.startswith(where)
    assert text in found.problems[0].text
    with pytest.raises(DecisionLogError, match=text) as refused:
        add(workspace)
    assert refused.value.exit_code == 2
    assert workspace.decision_log.read_bytes() == data


def test_entries_missing_at_the_end_show_in_the_document(workspace: store.Workspace) -> None:
    add(workspace)
    add(workspace)
    whole = workspace.decision_log.read_bytes()
    workspace.decision_log.write_bytes(whole.splitlines(keepends=True)[0])
    assert [problem.code for problem in chain_of(workspace).problems] == ["DOCUMENT_DIFFERS"]
    workspace.decision_log.unlink()
    assert [problem.code for problem in chain_of(workspace).problems] == ["DOCUMENT_DIFFERS"]
    with pytest.raises(DecisionLogError):
        add(workspace)


def test_a_document_one_entry_behind_is_a_killed_append_and_no_damage(workspace: store.Workspace) -> None:
    add(workspace)
    behind = workspace.decision_document.read_bytes()
    add(workspace)
    current = workspace.decision_document.read_bytes()
    workspace.decision_document.write_bytes(behind)
    found = chain_of(workspace)
    assert found.verified
    assert "one entry behind" in found.notes[0]
    add(workspace)
    assert workspace.decision_document.read_bytes().startswith(current)


def test_the_document_shows_text_as_it_was_written(workspace: store.Workspace) -> None:
    add(workspace, rationale='<script>alert("x")</script> | a_b *c* `d` [e](f) \\ & ~g~\nsecond line\x1b[31m\u202e')
    row = next(line for line in workspace.decision_document.read_text().splitlines() if line.startswith("| rationale"))
    assert row == (
        '| rationale | &lt;script&gt;alert("x")&lt;/script&gt; &#124; a\\_b \\*c\\* \\`d\\` \\[e\\](f) \\\\ &amp; '
        "\\~g\\~<br>second line\\\\x1b\\[31m\\\\u202e |"
    )


def test_the_document_lists_every_entry_with_its_digest(workspace: store.Workspace) -> None:
    entries = [add(workspace), add(workspace)]
    text = workspace.decision_document.read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## D-0001", "## D-0002"]
    assert all(f"| this entry | sha256 `{entry.sha256}` |" in text for entry in entries)


@pytest.mark.parametrize(
    "changes", [{"decision": ""}, {"id": "H.3"}, {"certificates": {"../x": "c" * 64}}, {"rationale": "\ud800"}]
)
def test_what_is_no_entry_is_refused_and_nothing_is_written(
    workspace: store.Workspace, changes: dict[str, Any]
) -> None:
    with pytest.raises(DecisionLogError):
        add(workspace, **changes)
    assert not workspace.decision_log.exists()
    assert not workspace.decision_document.exists()
