"""What refuses, in words and with the command that helps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gate_results import gate_result, result

from ctl.model.findings import Reason, Severity
from ctl.model.run import LockResult, ValueChange
from ctl.ops.refusals import Refusal, headline, refusals

EDITED = LockResult(
    "profile", "a", "b", False, True, "PROFILE_EDITED", (ValueChange("symbol_settings.ES.tick_size", 0.25, 0.5),)
)


@pytest.mark.parametrize(
    ("actual", "code", "severity", "text", "expected"),
    [
        ("ERROR", "STALE_INPUT", "ERROR", "x", Refusal("PL: data 28 sessions behind (limit 5)", "ctl doctor PL")),
        ("ERROR", "INPUT_MISSING", "ERROR", "no files; look", Refusal("PL: no files", "ctl doctor PL")),
        ("REJECT", "IDENTITY_MISMATCH", "REJECT", "PA found; more", Refusal("PL: PA found", "ctl data show PL")),
        ("REJECT", "LEVEL_NOW", "REJECT", "x", Refusal("PL: newest prices are wrong", "ctl certify PL --explain")),
        ("REJECT", "DATE_SHIFT", "REJECT", "x", Refusal("PL: prices carry wrong dates", "ctl certify PL --explain")),
        ("WATCH", "WORSE_THAN_LOCKED", "ERROR", "x", Refusal("PL: worse than locked", "ctl plan")),
        ("ACCEPT", "BETTER_THAN_EXPECTED", "ERROR", "x", Refusal("PL: better than expected", "ctl plan")),
        ("WATCH", "MEAN_DRIFT", "WATCH", "drift 8 > 5", Refusal("PL: drift 8 > 5", "ctl certify PL --explain")),
    ],
)  # fmt: skip
def test_a_symbol(actual, code: str, severity: Severity, text: str, expected: Refusal) -> None:
    reason = Reason(code, severity, text, 28.0, 5.0)
    found = gate_result(result("ES", "WATCH"), result("PL", "WATCH", actual, reason, passed=False))
    assert refusals(found) == [expected]
    assert headline(found) == expected.text


def test_the_reason_of_the_status_comes_before_what_follows_from_it() -> None:
    reasons = [
        Reason("RESTATED_HISTORY", "ERROR", "2 values"),
        Reason("IDENTITY_MISMATCH", "REJECT", "PA found"),
        Reason("WORSE_THAN_LOCKED", "ERROR", "no drift"),
    ]
    found = gate_result(result("PL", "WATCH", "REJECT", *reasons, passed=False))
    assert headline(found) == "PL: PA found"


def test_unfit_data_come_before_locks_and_these_before_a_status() -> None:
    unfit = result("ES", "WATCH", "REJECT", Reason("LEVEL_NOW", "REJECT", "x"), passed=False)
    other = result("PL", "ACCEPT", "WATCH", Reason("MEAN_DRIFT", "WATCH", "drift 8 > 5"), passed=False)
    found = replace(gate_result(other, unfit), locks=(EDITED,))
    texts = [item.text for item in refusals(found)]
    assert texts == ["ES: newest prices are wrong", "profile edited: ES.tick_size", "PL: drift 8 > 5"]
    assert headline(found) == "ES: newest prices are wrong and 2 more"


def test_the_recommendation_is_the_cause_only_where_nothing_else_is() -> None:
    follows = Reason("RECOMMENDATION_MISMATCH", "ERROR", "the data derive GO, the profile locks NO-GO")
    log = Reason("DECISION_MISSING", "ERROR", "no entry locks it; restore it")
    assert [item.command for item in refusals(replace(gate_result(), problems=(follows, log)))] == ["ctl verify"]
    assert headline(replace(gate_result(), problems=(follows,))) == follows.text


def test_a_pass_has_none() -> None:
    assert (refusals(gate_result(result("ES", "WATCH"))), headline(gate_result())) == ([], "")
