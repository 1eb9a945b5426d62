"""Any edit, removal, doubling or reordering of what was appended is found."""

from __future__ import annotations

import hashlib
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import rfc8785
from chain_of import chain_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ctl import store
from ctl.store import decision_log

TOML = 'schema_version = 1\ncycle_id = "c"\nprofile = "p_v1.yaml"\n'
DIGEST = hashlib.sha256(b"").hexdigest()

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
drafts = st.fixed_dictionaries(
    {
        "date": days,
        "scope": texts,
        "inputs": st.lists(texts, max_size=2),
        "decision": texts,
        "rationale": texts,
        "gate_impact": texts,
        "next_actions": st.lists(texts, max_size=2),
        "certificates": st.dictionaries(st.from_regex(r"[A-Z]{1,3}", fullmatch=True), st.just(DIGEST), max_size=2),
    }
)


def made(folder: Path, entries: list[dict[str, Any]]) -> tuple[store.Workspace, list[decision_log.DecisionEntry]]:
    (folder / "ctl.toml").write_text(TOML)
    workspace = store.Workspace.load(folder)
    cited = [decision_log.ProfileCitation(path="p_v1.yaml", version=1, digest=DIGEST)]
    return workspace, [
        decision_log.append(workspace, decision_log.Decision(profiles=cited, **entry)) for entry in entries
    ]


def codes(workspace: store.Workspace) -> list[str]:
    return [problem.code for problem in chain_of(workspace).problems]


QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(st.lists(drafts, min_size=1, max_size=4))
def test_what_is_appended_is_read_back_and_verified(entries: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, appended = made(Path(folder), entries)
        assert list(decision_log.read(workspace)) == appended
        assert codes(workspace) == []
        assert [entry.rationale for entry in appended] == [entry["rationale"] for entry in entries]
        for entry in appended:
            assert entry.line == rfc8785.dumps(entry.model_dump(mode="json"))


@QUICK
@given(st.lists(drafts, min_size=1, max_size=4), st.data())
def test_any_changed_byte_is_found_at_its_entry_or_the_next(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, _ = made(Path(folder), entries)
        log = bytearray(workspace.decision_log.read_bytes())
        at = data.draw(st.integers(0, len(log) - 1))
        touched = bytes(log[:at]).count(b"\n")
        log[at] ^= data.draw(st.integers(1, 255))
        workspace.decision_log.write_bytes(log)
        found = chain_of(workspace)
        assert not found.verified
        if found.problems[0].code == "DECISION_LOG_BROKEN":
            assert touched <= found.entries <= touched + 1
        else:  # still a chain: only the last entry can be, and the document shows it
            assert (found.problems[0].code, touched) == ("DOCUMENT_DIFFERS", len(entries) - 1)


@QUICK
@given(st.lists(drafts, min_size=1, max_size=4), st.data())
def test_any_other_selection_or_order_of_lines_is_found(entries: list[dict[str, Any]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, _ = made(Path(folder), entries)
        lines = workspace.decision_log.read_bytes().splitlines(keepends=True)
        chosen = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=len(lines) + 1))
        assume(chosen != list(range(len(lines))))
        workspace.decision_log.write_bytes(b"".join(lines[index] for index in chosen))
        assert codes(workspace) != []


@QUICK
@given(st.lists(drafts, min_size=2, max_size=4), st.data())
def test_a_rewritten_entry_is_found_even_with_its_own_digest_right(
    entries: list[dict[str, Any]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, appended = made(Path(folder), entries)
        at = data.draw(st.integers(0, len(entries) - 1))
        other = data.draw(texts)
        assume(other != appended[at].decision)
        lines = [entry.line for entry in appended]
        lines[at] = appended[at].model_copy(update={"decision": other}).line
        workspace.decision_log.write_bytes(b"".join(line + b"\n" for line in lines))
        assert codes(workspace) == (["DECISION_LOG_BROKEN"] if at < len(entries) - 1 else ["DOCUMENT_DIFFERS"])


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_are_a_log_or_one_refusal(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, _ = made(Path(folder), [])
        store.write_atomic(workspace.decision_log, data)
        assert codes(workspace) == ["DECISION_LOG_BROKEN"]
