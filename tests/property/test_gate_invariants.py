"""The gate passes in exactly one case: everything as locked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from certificate_of import certificate_of
from hypothesis import given
from hypothesis import strategies as st
from locked_symbols import locked_symbol, since_lock

from ctl import gatekeeper
from ctl import operating_profile as op
from ctl.errors import GateRefused
from ctl.model.findings import Decision, Reason
from ctl.model.lock_file import LockedStrategy, LockedText, LockFile
from ctl.model.recommendation import recommend
from ctl.model.run import Restatement

TEMPLATE = (Path(__file__).resolve().parents[2] / "configs/cutover/operating_profile_v1.yaml").read_bytes()
DIGESTS = ("1" * 64, "2" * 64)
PROFILE = op.load(TEMPLATE, "p.yaml")
EXPECTED: dict[str, Decision] = {"ES": "WATCH", "CL": "ACCEPT", "PL": "WATCH"}
LOCKED = {symbol: locked_symbol(status, ()) for symbol, status in EXPECTED.items()}
LOCK = LockFile(
    previous_head=None,
    profile=LockedText("p.yaml", PROFILE.sha256, PROFILE.text),
    thresholds={"v1": DIGESTS[0]},
    strategy=LockedStrategy("b1", DIGESTS[1]),
    workspace={},
    symbols=LOCKED,
    inputs={},
)
INSTANT = datetime(2026, 3, 2, tzinfo=UTC)

decisions = st.sampled_from(["ACCEPT", "WATCH", "REJECT", "ERROR"])
derived = st.one_of(decisions, st.just("unavailable"), st.just("absent"))
digests = st.sampled_from([*DIGESTS, "3" * 64])


def certificates(board: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for symbol, status in board.items():
        if status == "unavailable":
            made[symbol] = gatekeeper.Unavailable("INPUT_MISSING", "no files")
        elif status != "absent":
            made[symbol] = certificate_of(symbol, status)  # type: ignore[arg-type]
    return made


def likely(expected: str, other: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(expected), other)


@given(
    board=st.fixed_dictionaries({symbol: likely(status, derived) for symbol, status in EXPECTED.items()}),
    thresholds=likely(DIGESTS[0], digests),
    strategy=likely(DIGESTS[1], digests),
    stale=st.sets(st.sampled_from(sorted(EXPECTED)), max_size=1),
    restated=st.sampled_from(["nothing", "a report", "too much"]),
    locked=st.booleans(),
)
def test_passed_means_everything_as_locked_and_nothing_else(
    board: dict[str, str],
    thresholds: str,
    strategy: str,
    stale: set[str],
    restated: str,
    locked: bool,
) -> None:
    made, refusal = certificates(board), "off too often" if restated == "too much" else ""
    found = () if restated == "nothing" else (Restatement(symbol="CL", text="restated", refusal=refusal),)
    old = Reason("STALE_INPUT", "ERROR", "ends 2026-01-16")
    watched = since_lock(EXPECTED, made, LOCKED, stale=dict.fromkeys(stale, old), restatements=found)
    decision = gatekeeper.decide(
        PROFILE,
        gatekeeper.LockRead(LOCK if locked else None),
        current=gatekeeper.CurrentParts({"v1": thresholds}, LockedStrategy("b1", strategy), {}),
        certificates=made,
        watched=watched,
        instant=INSTANT,
    )
    fresh = not stale and restated != "too much"
    as_locked = board == EXPECTED and (thresholds, strategy) == DIGESTS and fresh and locked
    assert decision.passed is as_locked
    assert bool(decision.failures) is not as_locked
    statuses = (item.expected if item.passed else item.actual for item in decision.symbol_results)
    assert decision.recommendation == recommend(statuses)
    if as_locked:
        assert decision.grant().profile_sha256 == PROFILE.sha256
    else:
        with pytest.raises(GateRefused):
            decision.grant()
    for item in decision.symbol_results:
        assert item.passed or item.reasons, "a mismatch always says why"


@given(st.lists(decisions))
def test_recommendation(found: list[Decision]) -> None:
    expected = "CONDITIONAL GO"
    if not found or "REJECT" in found or "ERROR" in found:
        expected = "NO-GO"
    elif "WATCH" not in found:
        expected = "GO"
    assert recommend(found) == expected
