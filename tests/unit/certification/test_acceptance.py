"""Acceptance by hand: every limit at, just within and just beyond its value, and the texts people read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from ctl.certification.acceptance import LIMITS_V1, Measures, evaluate, limits_document, worst
from ctl.certification.tolerance import compared, exceeds
from ctl.digests import digest
from ctl.errors import DataError
from ctl.model.findings import Reason

# 30 pairs, nothing unmatched, half of each limit.
CLEAN = Measures(
    shared_sessions=1000,
    n_paired=30,
    unmatched_canonical=0,
    unmatched_reference=0,
    mean_gap_diff=0.5,
    mean_drift=2.5,
)


def verdict(**changes: object) -> tuple[str, list[str], list[str]]:
    decision, reasons = evaluate(replace(CLEAN, **changes), quote_unit="index points")  # type: ignore[arg-type]
    return decision, [reason.code for reason in reasons], [reason.text for reason in reasons]


def test_clean_measures_are_accepted() -> None:
    assert verdict() == ("ACCEPT", [], [])


@pytest.mark.parametrize(
    ("changes", "code", "decision", "text"),
    [
        ({"shared_sessions": 499}, "INSUFFICIENT_OVERLAP", "REJECT", "shared sessions 499 < 500"),
        ({"n_paired": 19}, "PAIRED_ROLLS", "REJECT", "paired rolls 19 < 20"),
        ({"mean_gap_diff": 1.0004}, "MEAN_GAP_DIFF", "WATCH", "mean gap difference 1.0004 > 1.0000 (index points)"),
        ({"mean_gap_diff": 2.087}, "MEAN_GAP_DIFF", "WATCH", "mean gap difference 2.09 > 1.00 (index points)"),
        ({"mean_drift": 7.33}, "MEAN_DRIFT", "WATCH", "mean drift 7.33 > 5.00 (index points)"),
        ({"mean_drift": 5.004}, "MEAN_DRIFT", "WATCH", "mean drift 5.004 > 5.000 (index points)"),
    ],
)  # fmt: skip
def test_one_breach(changes: dict[str, object], code: str, decision: str, text: str) -> None:
    assert verdict(**changes) == (decision, [code], [text])


@pytest.mark.parametrize(
    "changes",
    [
        {"shared_sessions": 500},
        {"n_paired": 20},
        {"mean_gap_diff": 1.0},
        {"mean_drift": 5.0},
        {"mean_drift": 5.0 + 4e-10},
        # Unmatched 4 + 4 of 2 * 36 + 8 = 80 rolls: exactly 10 %; but 8 / 36 fail, so 15 % is tested apart.
        # 3 fails on 20 pairs: exactly 15 %; unmatched 3 / 43.
        {"n_paired": 20, "unmatched_canonical": 3},
    ],
)
def test_limits_are_inclusive_after_rounding(changes: dict[str, object]) -> None:
    assert verdict(**changes)[0] == "ACCEPT"


def test_shares_have_their_own_denominators() -> None:
    # 36 pairs, 4 + 4 unmatched: unmatched 8 / 80 = 10 % passes, failed 8 / 36 = 22.22 % does not.
    assert verdict(n_paired=36, unmatched_canonical=4, unmatched_reference=4) == (
        "REJECT",
        ["FAIL_SHARE"],
        ["fail share 22.22 % > 15.00 %"],
    )
    # 30 pairs, 8 unmatched on one side: 8 / 68 = 11.76 % and 8 / 30 = 26.67 %.
    assert verdict(unmatched_reference=8)[2] == ["unmatched share 11.76 % > 10.00 %", "fail share 26.67 % > 15.00 %"]


def test_no_pairs_reject_with_a_null_fail_share() -> None:
    decision, reasons = evaluate(replace(CLEAN, n_paired=0, mean_gap_diff=None), quote_unit="x")
    assert decision == "REJECT"
    assert [reason.code for reason in reasons] == ["PAIRED_ROLLS", "FAIL_SHARE"]
    assert reasons[1].value is None


def test_what_cannot_be_averaged_never_passes() -> None:
    assert verdict(mean_drift=None)[:2] == ("WATCH", ["MEAN_DRIFT"])
    assert verdict(mean_gap_diff=None)[:2] == ("WATCH", ["MEAN_GAP_DIFF"])


def test_reject_outweighs_watch_and_all_breaches_are_told() -> None:
    decision, codes, _ = verdict(n_paired=12, mean_drift=9.0, mean_gap_diff=3.0, shared_sessions=10)
    assert decision == "REJECT"
    assert codes == ["INSUFFICIENT_OVERLAP", "PAIRED_ROLLS", "MEAN_GAP_DIFF", "MEAN_DRIFT"]


def test_comparison_rounds_both_sides_to_nine_decimals() -> None:
    assert not exceeds(0.1 + 0.2, 0.3)
    assert not exceeds(5.0 + 4.9e-10, 5.0)
    assert exceeds(5.0 + 6e-10, 5.0)
    assert compared(5.0000001, 5.0) == ("5.0000001", "5.0000000")


def test_limits_cannot_be_changed_and_have_a_stable_digest() -> None:
    with pytest.raises(FrozenInstanceError):
        LIMITS_V1.max_mean_drift = 9.0  # type: ignore[misc]
    document = limits_document("v1")
    assert document == limits_document("v1")
    assert digest(document) != digest(limits_document("v2"))
    with pytest.raises(DataError):
        limits_document("V1")
    with pytest.raises(DataError):
        evaluate(CLEAN, quote_unit="x", policy="V1")


def test_policy_v2_is_free_of_the_quote_unit() -> None:
    # ES-like: tick 0.25, ATR 40: gap 0.5 = 2 ticks = 0.0125 ATR, drift 2.5 = 10 ticks = 0.0625 ATR.
    own = replace(CLEAN, tick=0.25, atr=40.0, unexplained_share=0.01, rebuilt_decision="ACCEPT")
    assert evaluate(own, quote_unit="index points", policy="v2") == ("ACCEPT", ())
    # The same in cents: every price a hundredfold.
    cents = replace(own, mean_gap_diff=50.0, mean_drift=250.0, tick=25.0, atr=4000.0)
    assert evaluate(cents, quote_unit="cents", policy="v2") == ("ACCEPT", ())
    decision, reasons = evaluate(
        replace(own, mean_drift=5.5, unexplained_share=0.06, rebuilt_decision=None), quote_unit="x", policy="v2"
    )
    assert decision == "WATCH"
    assert [reason.code for reason in reasons] == ["MEAN_DRIFT_TICKS", "UNEXPLAINED_SHARE", "REBUILT_SERIES"]
    assert reasons[0].text == "mean drift 22.00 > 20.00 (ticks)"
    # An unknown ATR cannot be compared with and does not pass.
    codes = [reason.code for reason in evaluate(replace(own, atr=None), quote_unit="x", policy="v2")[1]]
    assert codes == ["MEAN_GAP_DIFF_ATR", "MEAN_DRIFT_ATR"]
    assert evaluate(replace(own, rebuilt_decision="REJECT"), quote_unit="x", policy="v2")[0] == "REJECT"


def test_every_limit_is_the_locked_one() -> None:
    common = {
        "min_shared_sessions": 500,
        "min_paired_rolls": 20,
        "max_unmatched_share": 0.10,
        "max_fail_share": 0.15,
        "min_change_correlation": 0.90,
        "max_median_level_difference": 0.05,
        "max_off_grid_share": 0.01,
    }
    assert limits_document("v1") == {
        "policy": "v1",
        "limits": {**common, "max_mean_gap_diff": 1.0, "max_mean_drift": 5.0},
    }
    assert limits_document("v2") == {
        "policy": "v2",
        "limits": {
            **common,
            "max_mean_gap_diff_ticks": 4.0,
            "max_mean_gap_diff_atr": 0.05,
            "max_mean_drift_ticks": 20.0,
            "max_mean_drift_atr": 0.25,
            "max_unexplained_share": 0.05,
        },
    }


def test_every_breach_has_its_severity_value_limit_and_unit() -> None:
    measures = replace(
        CLEAN, shared_sessions=499, n_paired=10, unmatched_canonical=5, mean_gap_diff=2.0, mean_drift=6.0
    )
    found = [
        (reason.code, reason.severity, reason.value, reason.limit, reason.unit)
        for reason in evaluate(measures, quote_unit="cents")[1]
    ]
    assert found == [
        ("INSUFFICIENT_OVERLAP", "REJECT", 499.0, 500.0, "sessions"),
        ("PAIRED_ROLLS", "REJECT", 10.0, 20.0, "rolls"),
        ("UNMATCHED_SHARE", "REJECT", 5 / 25, 0.10, "fraction"),
        ("FAIL_SHARE", "REJECT", 5 / 10, 0.15, "fraction"),
        ("MEAN_GAP_DIFF", "WATCH", 2.0, 1.0, "cents"),
        ("MEAN_DRIFT", "WATCH", 6.0, 5.0, "cents"),
    ]
    (alone,) = [r for r in evaluate(replace(CLEAN, n_paired=0), quote_unit="x")[1] if r.code == "FAIL_SHARE"]
    assert (alone.severity, alone.limit) == ("REJECT", 0.15)


def test_a_bare_number_has_no_brackets() -> None:
    assert evaluate(replace(CLEAN, mean_drift=6.0), quote_unit="")[1][0].text == "mean drift 6.00 > 5.00"


def test_an_error_outweighs_everything() -> None:
    severities = ("WATCH", "ERROR", "REJECT")
    reasons = [Reason("X", severity, "x") for severity in severities]  # type: ignore[arg-type]
    assert worst(reasons) == "ERROR"
    assert worst(reasons[:1]) == "WATCH"
    assert worst([reasons[0], reasons[2]]) == "REJECT"
    assert worst([]) == "ACCEPT"


def test_policy_v2_reasons_one_by_one() -> None:
    own = replace(CLEAN, tick=0.25, atr=40.0, unexplained_share=0.05, rebuilt_decision="ACCEPT")

    def told(**changes: object) -> list[tuple[str, str]]:
        found = evaluate(replace(own, **changes), quote_unit="x", policy="v2")[1]  # type: ignore[arg-type]
        return [(reason.code, reason.severity) for reason in found]

    assert told() == []
    assert told(mean_gap_diff=1.0, mean_drift=5.0) == []
    assert told(mean_gap_diff=1.001) == [("MEAN_GAP_DIFF_TICKS", "WATCH")]
    assert told(atr=9.9) == [("MEAN_GAP_DIFF_ATR", "WATCH"), ("MEAN_DRIFT_ATR", "WATCH")]
    assert told(atr=10.0) == []
    assert told(unexplained_share=None) == [("UNEXPLAINED_SHARE", "WATCH")]
    assert told(unexplained_share=0.0501) == [("UNEXPLAINED_SHARE", "WATCH")]
    # 1e-14 of a price is no drift, and three quarters of it are nothing unexplained.
    assert told(unexplained_share=0.75, mean_drift=1e-14) == []
    assert told(rebuilt_decision="WATCH") == [("REBUILT_SERIES", "WATCH")]
    assert told(rebuilt_decision="ERROR", mean_drift=6.0) == [
        ("REBUILT_SERIES", "REJECT"),
        ("MEAN_DRIFT_TICKS", "WATCH"),
    ]
    assert told(mean_gap_diff=None) == [("MEAN_GAP_DIFF_TICKS", "WATCH"), ("MEAN_GAP_DIFF_ATR", "WATCH")]
    assert told(mean_gap_diff=None, n_paired=0) == [("PAIRED_ROLLS", "REJECT"), ("FAIL_SHARE", "REJECT")]
    reasons = evaluate(replace(own, rebuilt_decision=None), quote_unit="x", policy="v2")[1]
    assert reasons[0].text == "rebuilt on the reference's rolls: not run"
    (watched,) = evaluate(replace(own, rebuilt_decision="WATCH"), quote_unit="x", policy="v2")[1]
    assert watched.text == "rebuilt on the reference's rolls: WATCH"
