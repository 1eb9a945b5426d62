"""`ctl decide` and `ctl closeout` as a person runs them."""

from __future__ import annotations

from pathlib import Path


def test_a_decision_rests_on_what_is_locked_and_the_chain_still_holds(ctl, workspace: Path):
    said = ("--decision", "ES stays WATCH", "--rationale", "reviewed", "--next", "look again in May")
    entry = ctl("decide", *said, "-w", workspace, "--json").document
    log = (workspace / "docs/governance/decision_log.jsonl").read_text().splitlines()
    assert len(log) == 12
    assert entry["id"] == "D-0012"
    assert entry["lock"] is None
    assert entry["profiles"][0]["path"] == "configs/cutover/operating_profile_v1.yaml"
    assert set(entry["certificates"]) == {"ES", "CL", "PL"}
    verified = ctl("verify", "-w", workspace, "--json").document
    assert (verified["verified"], verified["entries"]) == (True, 12)
    assert ctl("gate", "-w", workspace).code == 0
    document = (workspace / "docs/governance/cutover_h2_h3_decision_log.md").read_text()
    assert "ES stays WATCH" in document


def test_a_decision_without_a_reason_is_refused(ctl, workspace: Path):
    before = (workspace / "docs/governance/decision_log.jsonl").read_bytes()
    assert ctl("decide", "--decision", "so", "--rationale", " ", "-w", workspace).code == 64
    assert ctl("decide", "--decision", "so", "-w", workspace).code == 64
    assert (workspace / "docs/governance/decision_log.jsonl").read_bytes() == before


def test_a_closeout_is_written_verified_and_refused_after_a_decision(ctl, workspace: Path):
    assert ctl("closeout", "--verify", "-w", workspace).code == 1
    made = ctl("closeout", "-w", workspace, "--json").document
    assert (made["cycle_id"], made["simulated"]) == ("cutover_v1", True)
    assert ctl("closeout", "--verify", "-w", workspace).code == 0
    ctl("decide", "--decision", "ES stays WATCH", "--rationale", "reviewed", "-w", workspace)
    found = ctl("closeout", "--verify", "-w", workspace, "--json")
    assert found.code == 2
    assert "Decisions" in {claim["section"] for claim in found.document["broken"]}
