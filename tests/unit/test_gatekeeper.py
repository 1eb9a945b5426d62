"""The gate's verdict, its locks, and that nothing but a passed gate makes a pass."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from certificate_of import certificate_of
from locked_symbols import locked_symbol, since_lock

from ctl import gatekeeper
from ctl import operating_profile as op
from ctl.digests import sha256_bytes
from ctl.errors import GateRefused
from ctl.model.certificate import Certificate
from ctl.model.documents import document
from ctl.model.findings import Decision, Reason
from ctl.model.lock_file import LockedStrategy, LockedText, LockFile
from ctl.model.run import Restatement, ValueChange
from ctl.since_lock.ratchet import Judged

TEMPLATE = Path(__file__).resolve().parents[2] / "configs/cutover/operating_profile_v1.yaml"
INSTANT = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
CURRENT = gatekeeper.CurrentParts(
    {"v1": {"mean_drift": 5.0, "mean_gap": 1.0}}, LockedStrategy("b1", "2" * 64), {"risk": {"equity": 1e6}}
)
DRIFT = Reason("MEAN_DRIFT", "WATCH", "mean drift 7.33 > 5.00 (index points)", 7.33, 5.0, "index points")
GAP = Reason("MEAN_GAP_DIFF", "WATCH", "mean gap difference 1.40 > 1.00 (USD per troy ounce)", 1.4, 1.0, "USD")


EXPECTED: dict[str, Decision] = {"ES": "WATCH", "CL": "ACCEPT", "PL": "WATCH"}
LOCKED = {
    "ES": locked_symbol(),
    "CL": locked_symbol("ACCEPT", ()),
    "PL": locked_symbol(breached=["MEAN_GAP_DIFF"]),
}


def profile(**changes: Any) -> op.OperatingProfile:
    return op.load(TEMPLATE.read_bytes(), TEMPLATE.name).model_copy(update=changes)


def lock(**changes: Any) -> LockFile:
    data = TEMPLATE.read_bytes()
    return replace(
        LockFile(
            previous_head=None,
            profile=LockedText(TEMPLATE.name, sha256_bytes(data), data.decode()),
            thresholds=CURRENT.thresholds,
            strategy=CURRENT.strategy,
            workspace=CURRENT.workspace,
            symbols=LOCKED,
            inputs={},
        ),
        **changes,
    )


def certificate(symbol: str, decision: Decision, *reasons: Reason) -> Certificate:
    return certificate_of(symbol, decision, *reasons)


def board() -> dict[str, Certificate | gatekeeper.Unavailable]:
    return {
        "ES": certificate("ES", "WATCH", DRIFT),
        "CL": certificate("CL", "ACCEPT"),
        "PL": certificate("PL", "WATCH", GAP),
    }


def decide(
    chosen: op.OperatingProfile | None = None,
    locked: gatekeeper.LockRead | None = None,
    watched: dict[str, Any] | None = None,
    **options: Any,
) -> gatekeeper.GateDecision:
    given = {"current": CURRENT, "certificates": board(), "instant": INSTANT, **options}
    given.setdefault("watched", since_lock(EXPECTED, given["certificates"], LOCKED, **(watched or {})))
    return gatekeeper.decide(chosen or profile(), locked or gatekeeper.LockRead(lock(), sha256="5" * 64), **given)


def codes(decision: gatekeeper.GateDecision, symbol: str) -> list[str]:
    return [reason.code for item in decision.symbol_results if item.symbol == symbol for reason in item.reasons]


def test_the_locked_board_passes() -> None:
    decision = decide()
    assert decision.passed
    assert decision.failures == ()
    assert decision.recommendation == "CONDITIONAL GO"
    assert [(item.symbol, item.expected, item.actual, item.passed) for item in decision.symbol_results] == [
        ("ES", "WATCH", "WATCH", True),
        ("CL", "ACCEPT", "ACCEPT", True),
        ("PL", "WATCH", "WATCH", True),
    ]
    granted = decision.grant()
    assert granted.profile_sha256 == profile().sha256
    assert granted.certificates["CL"] == board()["CL"].sha256  # type: ignore[union-attr]
    assert granted.instant == INSTANT


def test_worse_than_expected_refuses() -> None:
    certificates = {
        **board(),
        "CL": certificate("CL", "REJECT", Reason("PAIRED_ROLLS", "REJECT", "paired rolls 3 < 20")),
    }
    decision = decide(certificates=certificates)
    assert not decision.passed
    assert decision.recommendation == "NO-GO"
    assert codes(decision, "CL") == ["PAIRED_ROLLS"]
    with pytest.raises(GateRefused, match="CL: expected ACCEPT, actual REJECT") as caught:
        decision.grant()
    assert caught.value.exit_code == 2


def test_better_than_expected_refuses_and_says_what_to_do() -> None:
    decision = decide(certificates={**board(), "PL": certificate("PL", "ACCEPT")})
    assert not decision.passed
    assert decision.recommendation == "CONDITIONAL GO"
    assert codes(decision, "PL") == ["BETTER_THAN_EXPECTED"]
    assert "a promotion needs a new profile version" in decision.symbol_results[2].detail


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (None, "INPUT_MISSING"),
        (gatekeeper.Unavailable("INPUT_UNREADABLE", "ESH25.dbn.zst: truncated"), "INPUT_UNREADABLE"),
        (certificate("PL", "WATCH"), "CERTIFICATE_OF_ANOTHER_SYMBOL"),
        (certificate_of("ES", "MAYBE"), "CERTIFICATE_UNREADABLE"),  # type: ignore[arg-type]
        # JSON carries no such whole number: the certificate has no digest.
        (certificate_of("ES", "WATCH", max_day_delta=2**60), "CERTIFICATE_UNREADABLE"),
    ],
)
def test_what_cannot_be_relied_on_is_error(found: Certificate | gatekeeper.Unavailable | None, code: str) -> None:
    certificates = board()
    if found is None:
        del certificates["ES"]
    else:
        certificates["ES"] = found
    decision = decide(certificates=certificates)
    assert decision.symbol_results[0].actual == "ERROR"
    assert codes(decision, "ES") == [code]
    assert [reason.severity for reason in decision.symbol_results[0].reasons] == ["ERROR"]
    assert not decision.passed


def test_an_error_certificate_without_reasons_still_says_why() -> None:
    decision = decide(certificates={**board(), "ES": certificate("ES", "ERROR")})
    assert codes(decision, "ES") == ["STATUS_MISMATCH"]


def test_stale_input_is_error_whatever_the_certificate_says() -> None:
    stale = Reason("STALE_INPUT", "ERROR", "ends 2026-01-16, 28 sessions behind (limit 5); ES 2026-02-27", 28.0, 5.0)
    decision = decide(watched={"stale": {"CL": stale}})
    assert decision.symbol_results[1].actual == "ERROR"
    assert codes(decision, "CL") == ["STALE_INPUT"]
    assert decision.recommendation == "NO-GO"
    assert not decision.passed


def test_a_symbol_that_was_not_held_against_the_lock_is_refused() -> None:
    bare = gatekeeper.decide(
        profile(), gatekeeper.LockRead(lock()), current=CURRENT, certificates=board(), instant=INSTANT
    )
    assert [codes(bare, symbol)[-1] for symbol in EXPECTED] == ["LOCK_MISSING"] * 3
    assert not bare.passed
    without = decide(locked=gatekeeper.LockRead(lock(symbols={"ES": LOCKED["ES"]})))
    assert [item.passed for item in without.symbol_results] == [True, False, False]


def test_missing_locked_bars_refuse() -> None:
    missing = Reason("LOCKED_BARS_MISSING", "ERROR", "ES_contracts.parquet is missing")
    decision = decide(watched={"missing": {"ES": missing}})
    assert codes(decision, "ES") == ["LOCKED_BARS_MISSING", "MEAN_DRIFT"]
    assert [item.passed for item in decision.symbol_results] == [False, True, True]


def test_what_passes_while_a_roll_settles_makes_no_other_portfolio() -> None:
    settling = Judged(True, (Reason("ROLL_SETTLING", "WATCH", "REJECT since the roll of 2026-02-20"),))
    certificates = {**board(), "CL": certificate("CL", "REJECT", Reason("UNMATCHED_SHARE", "REJECT", "11 % > 10 %"))}
    since = since_lock(EXPECTED, certificates, LOCKED)
    watched = replace(since, judged={**since.judged, "CL": settling})
    decision = gatekeeper.decide(
        profile(), gatekeeper.LockRead(lock()), current=CURRENT, certificates=certificates, watched=watched,
        instant=INSTANT,
    )  # fmt: skip
    assert (decision.passed, decision.recommendation) == (True, "CONDITIONAL GO")
    assert codes(decision, "CL") == ["UNMATCHED_SHARE", "ROLL_SETTLING"]
    assert decision.symbol_results[1].actual == "REJECT"


@pytest.mark.parametrize(
    ("current", "code", "said"),
    [
        (replace(CURRENT, thresholds={"v1": {"mean_drift": 6.0}}), "THRESHOLDS_CHANGED", "v1.mean_drift 5.0 -> 6.0"),
        (
            replace(CURRENT, thresholds={"v1": {"mean_drift": 5.0}}),
            "THRESHOLDS_CHANGED",
            "v1.mean_gap 1.0 -> nothing",
        ),
        (replace(CURRENT, strategy=LockedStrategy("b1", "9" * 64)), "STRATEGY_CHANGED", "fingerprint 2222222"),
        (
            replace(CURRENT, strategy=replace(CURRENT.strategy, version="2.0")),
            "STRATEGY_CHANGED",
            "version nothing -> 2.0",
        ),
    ],
)
def test_a_changed_part_refuses_with_both_values(current: gatekeeper.CurrentParts, code: str, said: str) -> None:
    decision = decide(current=current)
    assert not decision.passed
    assert [each.code for each in decision.locks if not each.held] == [code]
    (line,) = decision.failures
    assert line.startswith(f"{code}: ")
    assert said in line
    with pytest.raises(GateRefused, match=code):
        decision.grant()


def test_equity_may_move_a_fifth_and_is_reported() -> None:
    moved = decide(current=replace(CURRENT, workspace={"risk": {"equity": 1.2e6}}))
    assert (moved.passed, [note.code for note in moved.notes]) == (True, ["EQUITY_MOVED"])
    assert moved.notes[0].text == "risk.equity 1,000,000.00 -> 1,200,000.00 (locked, now)"
    assert decide(current=replace(CURRENT, workspace={"risk": {"equity": 0.8e6}})).passed
    for wrong in (
        {"risk": {"equity": 1.2e6 + 0.01}},
        {"risk": {"equity": 0.8e6 - 0.01}},
        {"risk": {"equity": 1e6, "max_open_r": 400.0}},
        {"risk": None},
    ):
        refused = decide(current=replace(CURRENT, workspace=wrong))
        assert (refused.passed, refused.notes) == (False, ())
        assert [each.code for each in refused.locks if not each.held] == ["WORKSPACE_CHANGED"]


def test_an_edited_profile_refuses_key_by_key() -> None:
    data = TEMPLATE.read_bytes()
    edited = data.replace(b"slippage_per_side: 0.01", b"slippage_per_side: 0.00")
    assert edited != data
    decision = decide(op.load(edited, TEMPLATE.name))
    (broken,) = [each for each in decision.locks if not each.held]
    assert broken.code == "PROFILE_EDITED"
    assert broken.changes == (ValueChange("symbol_settings.CL.slippage_per_side", 0.01, 0.0),)
    assert not decision.passed
    commented = decide(op.load(data + b"# more\n", TEMPLATE.name))
    assert not commented.passed
    assert "comments or layout alone" in commented.failures[0]


def test_switching_a_constraint_off_is_an_edit() -> None:
    loosened = TEMPLATE.read_bytes().replace(b"thresholds_locked: true", b"thresholds_locked: false")
    decision = decide(op.load(loosened, TEMPLATE.name), current=replace(CURRENT, thresholds={}))
    assert not decision.passed
    assert [(each.name, each.enforced, each.code) for each in decision.locks] == [
        ("profile", True, "PROFILE_EDITED"),
        ("thresholds", False, "THRESHOLDS_CHANGED"),
        ("strategy", True, None),
        ("workspace", True, None),
    ]


def test_without_a_lock_file_nothing_passes() -> None:
    decision = decide(locked=gatekeeper.LockRead(None))
    assert [problem.code for problem in decision.problems] == ["LOCK_MISSING"]
    assert (decision.passed, decision.locks) == (False, ())
    why = Reason("LOCK_EDITED", "ERROR", "p.lock.json is no lock file")
    assert decide(locked=gatekeeper.LockRead(None, (why,))).problems == (why,)
    free = profile(policy_constraints=op.PolicyConstraints(thresholds_locked=False, strategy_logic_locked=False))
    assert not decide(free, gatekeeper.LockRead(None)).passed


def test_the_recommendation_is_derived_again() -> None:
    decision = decide(profile(portfolio_recommendation="GO"))
    assert [problem.code for problem in decision.problems] == ["RECOMMENDATION_MISMATCH"]
    assert not decision.passed


def test_document_is_json_and_complete() -> None:
    written = json.loads(json.dumps(document(decide(profile_path="configs/p_v1.yaml")), allow_nan=False))
    assert written["passed"] is True
    assert written["timestamp"] == "2026-03-02T05:00:00Z"
    assert written["profile"] == {"path": "configs/p_v1.yaml", "version": 1, "digest": profile().sha256}
    assert written["symbol_results"][0] == {
        "symbol": "ES",
        "expected": "WATCH",
        "actual": "WATCH",
        "passed": True,
        "detail": "mean drift 7.33 > 5.00 (index points)",
        "reasons": [
            {
                "code": "MEAN_DRIFT",
                "severity": "WATCH",
                "text": "mean drift 7.33 > 5.00 (index points)",
                "value": 7.33,
                "limit": 5.0,
                "unit": "index points",
            }
        ],
        "certificate_sha256": board()["ES"].sha256,  # type: ignore[union-attr]
        "metrics": document(board()["ES"].watched.symbol.metrics),  # type: ignore[union-attr]
        "locked": document(LOCKED["ES"]),
        "data_to": None,
    }
    assert written["locks"][0] == {
        "name": "profile",
        "locked": profile().sha256,
        "current": profile().sha256,
        "held": True,
        "enforced": True,
        "code": None,
        "changes": [],
    }
    assert written["lock_sha256"] == "5" * 64


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        decide(instant=datetime(2026, 3, 2, 5, 0))  # noqa: DTZ001


# ---------------------------------------------------------------- forging


def test_passes_and_decisions_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError):
        gatekeeper.GatePass("a" * 64, {}, INSTANT)
    with pytest.raises(TypeError):
        gatekeeper.GatePass("a" * 64, {}, INSTANT, _issuer=object())
    with pytest.raises(TypeError):
        gatekeeper.GateDecision(passed=True)
    with pytest.raises(TypeError):
        type("Mine", (gatekeeper.GatePass,), {})
    with pytest.raises(TypeError):
        type("Mine", (gatekeeper.GateDecision,), {})


@pytest.mark.parametrize("forge", [copy.copy, copy.deepcopy, pickle.dumps])
def test_passes_and_decisions_cannot_be_copied(forge: Any) -> None:
    decision = decide()
    for thing in (decision.grant(), decision):
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            forge(thing)


def test_passes_and_decisions_cannot_be_changed() -> None:
    decision = decide()
    granted = decision.grant()
    for thing, name in ((granted, "profile_sha256"), (decision, "symbol_results")):
        with pytest.raises(TypeError, match="cannot be changed"):
            setattr(thing, name, "x")
        with pytest.raises(TypeError, match="cannot be changed"):
            delattr(thing, name)
    with pytest.raises(TypeError):
        granted.certificates["ES"] = "x"  # type: ignore[index]
    with pytest.raises(TypeError):
        replace(granted, profile_sha256="x")  # type: ignore[type-var]
    with pytest.raises(TypeError, match="comes from decide"):
        replace(decision, recommendation="GO")
    refused = decide(certificates={})
    object.__setattr__(refused, "passed", True)
    with pytest.raises(GateRefused):
        refused.grant()


def test_a_pass_built_around_the_constructor_is_not_accepted() -> None:
    forged = object.__new__(gatekeeper.GatePass)
    object.__setattr__(forged, "profile_sha256", "a" * 64)
    with pytest.raises(TypeError, match="needs the GatePass of a passed gate"):
        gatekeeper.require_pass(forged, profile_sha256="a" * 64)
    with pytest.raises(TypeError):
        gatekeeper.require_pass(None, profile_sha256="a" * 64)


def test_a_pass_is_good_for_its_own_profile_only() -> None:
    granted = decide().grant()
    assert gatekeeper.require_pass(granted, profile_sha256=profile().sha256) is granted
    with pytest.raises(GateRefused, match="another profile"):
        gatekeeper.require_pass(granted, profile_sha256="f" * 64)


# ---------------------------------------------------------------- restated history


@pytest.mark.parametrize("refusal", ["", "off by more than a tick on 2026-02-20"])
def test_restated_history_is_shown_and_refuses_where_it_is_too_large(refusal: str) -> None:
    found = Restatement(
        symbol="ES", vendor="tradestation", series="adjusted", refusal=refusal,
        text="RESTATED_HISTORY: ES, tradestation adjusted: 1 value on 1 session",
    )  # fmt: skip
    decision = decide(watched={"restatements": (found,)})
    assert decision.passed is not bool(refusal)
    assert ("RESTATED_HISTORY" in codes(decision, "ES")) is bool(refusal)
    assert document(decision)["restatements"][0]["code"] == "RESTATED_HISTORY"


# ---------------------------------------------------------------- cases that a changed rule would pass by


def test_a_lock_is_said_in_words() -> None:
    held, *_ = decide().locks
    assert gatekeeper.lock_text(held) == "profile: held"
    many = {"v1": {f"limit_{number}": number for number in range(6)}}
    decision = decide(locked=gatekeeper.LockRead(lock(thresholds={})), current=replace(CURRENT, thresholds=many))
    (changed,) = [each for each in decision.locks if not each.held]
    assert gatekeeper.lock_text(changed).endswith("; 2 more; restore it, or lock a new version (ctl lock)")


def test_a_failure_says_expected_actual_and_why() -> None:
    certificates = {**board(), "ES": gatekeeper.Unavailable("INPUT_MISSING", "no files")}
    assert decide(certificates=certificates).failures[0] == "ES: expected WATCH, actual ERROR (no files)"


def test_what_a_decision_calls_itself() -> None:
    assert repr(decide()) == "GATE: PASS   CONDITIONAL GO   operating_profile_v1.yaml   2026-03-02T05:00:00Z"
    assert repr(decide(certificates={})) == (
        "GATE: MISMATCH, nothing may run   NO-GO   operating_profile_v1.yaml   2026-03-02T05:00:00Z"
    )
    assert repr(decide().grant()) == f"GatePass(profile {profile().sha256[:12]}, 3 certificates)"


def test_a_decision_as_a_frame_has_a_row_per_gating_symbol() -> None:
    frame = decide(certificates={**board(), "CL": gatekeeper.Unavailable("INPUT_MISSING", "no files")}).to_polars()
    assert dict(frame.schema) == {
        "symbol": pl.String,
        "expected": pl.String,
        "actual": pl.String,
        "passed": pl.Boolean,
        "detail": pl.String,
    }
    assert frame.rows() == [
        ("ES", "WATCH", "WATCH", True, "mean drift 7.33 > 5.00 (index points)"),
        ("CL", "ACCEPT", "ERROR", False, "no files"),
        ("PL", "WATCH", "WATCH", True, "mean gap difference 1.40 > 1.00 (USD per troy ounce)"),
    ]


def test_a_notebook_shows_verdict_profile_and_time() -> None:
    page = decide(profile_path="configs/p_v1.yaml")._repr_html_()
    for shown in ("GATE: PASS   CONDITIONAL GO", "configs/p_v1.yaml", "2026-03-02T05:00:00Z", "mean drift 7.33"):
        assert shown in page
    assert "MISMATCH, nothing may run" in decide(certificates={})._repr_html_()
