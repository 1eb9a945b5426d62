"""Whole certificates of a hand-made market: the numbers, the reasons, and that nothing missing ever passes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from certify_market import TICK, Market

from ctl.certification import certify, limits_document
from ctl.certification.layers.identity import best_matching_root, check_terms, closes_for_grid
from ctl.certification.our_side import read_our_side
from ctl.errors import DataError, InputError
from ctl.model.bars import ContractTerms
from ctl.model.findings import NotRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctl.model.certificate import Certificate
    from ctl.model.findings import Finding


@pytest.fixture(scope="module")
def market() -> Market:
    """24 quarterly contracts, 1,512 sessions, 23 rolls."""
    return Market()


def codes(certificate: Certificate) -> list[str]:
    return [reason.code for reason in certificate.reasons]


def statuses(certificate: Certificate) -> dict[str, str]:
    return {layer: found["status"] for layer, found in certificate.document["layers"].items()}


def test_two_equal_vendors_are_accepted(market: Market) -> None:
    certificate = certify(market.request())
    document = certificate.document
    assert certificate.decision == "ACCEPT"
    assert certificate.reasons == ()
    assert (document["n_canonical"], document["n_reference"], document["n_pass"], document["n_fail"]) == (23, 23, 23, 0)
    assert document["mean_gap_diff"] == document["mean_drift"] == document["max_drift"] == 0.0
    assert statuses(certificate) == {
        "L0": "PASS",
        "L1": "PASS",
        "L2": "PASS",
        "L3": "PASS",
        "L4": "PASS",
        "L5": "NOT_RUN",
    }


def test_one_wrong_gap_shifts_all_earlier_history(market: Market) -> None:
    # The reference adds 8.00 too much at its sixth roll, whose gap session is number 63 * 6 - 8 = 370: the 371
    # sessions 0..370 of its adjusted series stand 8.00 too high. D = -8 there, 0 elsewhere, over 1,512 sessions.
    certificate = certify(market.request(reference=market.reference(gap_errors={5: 8.0})))
    document = certificate.document
    assert certificate.decision == "ACCEPT"
    assert document["mean_gap_diff"] == pytest.approx(8.0 / 23)
    assert document["max_gap_diff"] == pytest.approx(8.0)
    assert document["max_gap_diff_ticks"] == pytest.approx(32.0)
    assert document["mean_drift"] == pytest.approx(8.0 * 371 / 1512)
    assert document["signed_mean"] == pytest.approx(-8.0 * 371 / 1512)
    assert document["max_drift"] == pytest.approx(8.0)
    assert document["p95"] == pytest.approx(8.0)
    assert document["anchor"] == pytest.approx(0.0)
    first = document["ledger"]["components"][0]
    assert first["name"] == "gap:XXM06>XXU06:price"
    assert first["share"] == pytest.approx(1.0)
    pair = document["pairs"][5]
    assert (pair["gap_diff"], pair["date_effect"], pair["price_effect"]) == pytest.approx((-8.0, 0.0, -8.0))


def test_drift_above_its_limit_is_watched_with_the_text_of_the_board(market: Market) -> None:
    # Gap session of the last roll: 63 * 23 - 8 = 1441; 1,442 of 1,512 sessions stand 7.75 too high: 7.3912.
    certificate = certify(market.request(reference=market.reference(gap_errors={22: 7.75})))
    assert certificate.decision == "WATCH"
    assert certificate.detail == "mean drift 7.39 > 5.00 (index points)"
    (reason,) = certificate.document["reasons"]
    assert reason["code"] == "MEAN_DRIFT"
    assert reason["severity"] == "WATCH"
    assert reason["value"] == pytest.approx(7.75 * 1442 / 1512)
    assert (reason["limit"], reason["unit"]) == (5.0, "index points")


def test_limits_are_inclusive(market: Market) -> None:
    # 5.00 * 1512 / 1442 on the last roll drifts by exactly 5.00; a mean gap difference of 23 / 23 = 1.00 likewise.
    error = 5.0 * 1512 / 1442
    at_limit = certify(market.request(reference=market.reference(gap_errors={22: error})))
    assert at_limit.document["mean_drift"] == pytest.approx(5.0, abs=1e-10)
    assert at_limit.decision == "ACCEPT"
    beyond = certify(market.request(reference=market.reference(gap_errors={22: error + 1e-6})))
    assert codes(beyond) == ["MEAN_DRIFT"]
    assert beyond.reasons[0].text == "mean drift 5.000001 > 5.000000 (index points)"


def test_mean_gap_difference_is_watched(market: Market) -> None:
    # Errors of +24 and -24 on neighbouring rolls: 48 / 23 = 2.087 on the mean; history drifts only in between
    # (63 sessions of 24.00: 1.00 on average).
    certificate = certify(market.request(reference=market.reference(gap_errors={5: 24.0, 6: -24.0})))
    assert codes(certificate) == ["MEAN_GAP_DIFF"]
    assert certificate.mean_gap_diff == pytest.approx(48 / 23)
    assert certificate.document["mean_drift"] == pytest.approx(24.0 * 63 / 1512)


def test_rolls_a_few_sessions_apart_pair_and_differ_by_date(market: Market) -> None:
    later = [index + 2 for index in market.gap_sessions()]
    certificate = certify(market.request(reference=market.reference(later)))
    document = certificate.document
    assert (document["n_pass"], document["n_watch"], document["n_fail"]) == (0, 23, 0)
    assert document["day_delta_histogram"] == {"-2": 23}
    assert (document["strict_status"], document["policy_status"]) == ("WATCH", "WATCH")
    for pair in document["pairs"]:
        assert pair["price_effect"] == pytest.approx(0.0)
        assert pair["gap_diff"] == pytest.approx(pair["date_effect"])


def test_another_roll_rule_is_named_and_rejected(market: Market) -> None:
    # The reference rolls 20 sessions earlier, on the 28th session before expiry (63 (k+1) - 1 - (63 (k+1) - 28) = 27).
    earlier = [index - 20 for index in market.gap_sessions()]
    certificate = certify(market.request(reference=market.reference(earlier)))
    assert certificate.decision == "REJECT"
    assert codes(certificate)[:3] == ["PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE"]
    assert certificate.reasons[0].text == "paired rolls 0 < 20"
    assert certificate.reasons[2].value is None
    assert certificate.document["rule_mismatch"] is True
    finding = certificate.document["layers"]["L2"]["findings"][1]
    assert finding["code"] == "ROLL_RULE_MISMATCH"
    assert finding["evidence"]["options"] == "--policy calendar --anchor expiry --offset 27"
    # Read off last bars: the policy itself needs what definition records state.
    assert finding["evidence"]["terms_stated"] is False
    bars = market.request().contracts
    assert bars is not None
    last = bars.frame.group_by("contract").agg(pl.col("session").max()).iter_rows()
    stated = replace(bars, terms={name: ContractTerms(name, last_trade=day) for name, day in last})
    document = certify(replace(market.request(reference=market.reference(earlier)), contracts=stated)).document
    (rule,) = [item for item in document["layers"]["L2"]["findings"] if item["code"] == "ROLL_RULE_MISMATCH"]
    assert rule["evidence"]["terms_stated"] is True
    assert "calendar" not in rule["text"].partition("follows it")[2]
    nameless = replace(market.request(reference=market.reference(earlier)), contracts=stated, calendar_sessions=None)
    layer = certify(nameless).document["layers"]["L2"]
    (rule,) = [item for item in layer["findings"] if item["code"] == "ROLL_RULE_MISMATCH"]
    assert "calendar" in rule["text"].partition("follows it")[2]


def test_missing_reference_is_an_error(market: Market) -> None:
    certificate = certify(market.request(reference=None))
    assert certificate.decision == "ERROR"
    assert codes(certificate) == ["REFERENCE_MISSING"]
    assert all(statuses(certificate)[layer] == "NOT_RUN" for layer in ("L0", "L2", "L3", "L4"))


def test_missing_canonical_is_an_error(market: Market) -> None:
    certificate = certify(market.request(canonical=None))
    assert (certificate.decision, codes(certificate)) == ("ERROR", ["CANONICAL_MISSING"])


def test_missing_contracts_are_an_error(market: Market) -> None:
    certificate = certify(market.request(contracts=None))
    assert certificate.decision == "ERROR"
    assert "L0_NOT_RUN" in codes(certificate)


def test_an_unadjusted_series_alone_leaves_drift_unmeasured(market: Market) -> None:
    certificate = certify(market.request(reference=market.reference(adjusted=False)))
    assert certificate.decision == "ERROR"
    assert {"L3_NOT_RUN", "L4_NOT_RUN"} <= set(codes(certificate))


def test_an_adjusted_series_alone_measures_drift_and_says_what_it_cannot_know(market: Market) -> None:
    certificate = certify(market.request(reference=market.reference(unadjusted=False, gap_errors={5: 8.0})))
    assert certificate.document["mean_drift"] == pytest.approx(8.0 * 371 / 1512)
    assert certificate.document["reference_recovery"]["basis_identifiable"] is False
    evidence = certificate.document["layers"]["L0"]["findings"][2]["evidence"]
    assert evidence["median_level_difference"] is None


def test_a_layer_that_raises_is_an_error_and_stops_no_other(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr("ctl.certification.layers.roll_gaps.compare", broken)
    certificate = certify(market.request())
    assert certificate.decision == "ERROR"
    assert certificate.document["layers"]["L3"]["status"] == "ERROR"
    assert certificate.document["layers"]["L3"]["text"] == "ZeroDivisionError: by design"
    assert certificate.document["layers"]["L4"]["status"] == "PASS"
    assert codes(certificate) == ["L3_ERROR"]


def test_a_window_that_could_not_be_laid_is_an_error_and_no_short_overlap(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("by design")

    monkeypatch.setattr("ctl.certification.window.recover", broken)
    certificate = certify(market.request())
    assert certificate.decision == "ERROR"
    assert codes(certificate) == ["L0_ERROR", "L2_NOT_RUN", "L3_NOT_RUN", "L4_NOT_RUN"]


def test_too_few_shared_sessions_reject_but_are_measured() -> None:
    short = Market(contracts=7)
    certificate = certify(short.request())
    assert certificate.document["overlap"]["shared_sessions"] == 441
    assert certificate.decision == "REJECT"
    assert codes(certificate)[:2] == ["INSUFFICIENT_OVERLAP", "PAIRED_ROLLS"]
    assert certificate.reasons[0].text == "shared sessions 441 < 500"
    assert certificate.document["n_paired"] == 6


def test_no_common_time_at_all_rejects(market: Market) -> None:
    reference = market.reference()
    shifted = {
        name: dataclasses.replace(series, frame=series.frame.with_columns(pl.col("session").dt.offset_by("20y")))
        for name, series in (("adjusted", reference.adjusted), ("unadjusted", reference.unadjusted))
        if series is not None
    }
    certificate = certify(market.request(reference=dataclasses.replace(reference, **shifted)))
    assert (certificate.decision, codes(certificate)) == ("REJECT", ["INSUFFICIENT_OVERLAP"])


def test_the_wrong_root_is_rejected_by_name(market: Market) -> None:
    other = Market(root="PA")
    certificate = certify(
        market.request(symbol="PL", root="PL", contracts=other.bars(), other_contracts={"PA": other.bars()})
    )
    assert (certificate.decision, codes(certificate)) == ("REJECT", ["IDENTITY_MISMATCH"])
    assert "PA found where PL was asked for" in certificate.reasons[0].text
    assert "match PA" in certificate.reasons[0].text
    assert statuses(certificate) == {"L0": "FAIL", **{f"L{n}": "NOT_RUN" for n in range(1, 6)}}


def test_another_instrument_under_the_right_name_is_rejected_and_named(market: Market) -> None:
    # The bars are called XX but move like YY; the reference is the true XX.
    impostor = Market(seed=99)
    true = Market(seed=99, root="YY")
    certificate = certify(
        market.request(
            contracts=impostor.bars(),
            canonical=impostor.canonical(),
            other_contracts={"YY": true.bars(), "ZZ": Market(seed=3, root="ZZ").bars()},
        )
    )
    assert codes(certificate)[0] == "IDENTITY_MISMATCH"
    assert "correlation of daily changes" in certificate.reasons[0].text
    assert "match YY" in certificate.reasons[0].text


def test_levels_far_apart_are_another_instrument(market: Market) -> None:
    # Half the price with half the changes correlates perfectly and is still no match: |1 / 0.5 - 1| = 100 %.
    certificate = certify(market.request(reference=market.reference(change=lambda close: close * 0.5)))
    assert codes(certificate)[0] == "IDENTITY_MISMATCH"
    assert "median level difference 100.00 % > 5.00 %" in certificate.reasons[0].text


def test_closes_off_the_grid_fail_unless_their_grid_is_finer(market: Market) -> None:
    finer = certify(market.request(tick=0.5))
    finding = finer.document["layers"]["L0"]["findings"][1]
    assert (finding["status"], finding["code"], finding["evidence"]["inferred_grid"]) == ("WATCH", "FINER_GRID", 0.25)
    assert finer.decision == "ACCEPT"
    foreign = certify(market.request(tick=0.4))
    assert codes(foreign) == ["IDENTITY_MISMATCH"]
    assert "grid of 0.25" in foreign.reasons[0].text


def test_definition_records_inform(market: Market) -> None:
    bars = market.bars()
    terms = {market.names[0]: ContractTerms(market.names[0], tick=0.1, asset="XX")}
    certificate = certify(market.request(contracts=dataclasses.replace(bars, terms=terms)))
    finding = next(f for f in certificate.document["layers"]["L0"]["findings"] if f["check"] == "definition")
    assert finding["status"] == "FAIL"
    assert "tick 0.1, expected 0.25" in finding["text"]
    assert certificate.decision == "ACCEPT"
    assert statuses(certificate)["L0"] == "WATCH"


def test_definition_records_are_compared_field_by_field(market: Market) -> None:
    # The first contract delivers in March 2005 and has its last bar on session 62.
    name, bars, last_bar = market.names[0], market.bars(), market.day(62)
    good = ContractTerms(name, last_trade=last_bar, tick=0.25, currency="USD", asset=market.root)

    def finding(asked: str = "USD", **changes: Any) -> Finding:
        terms = {name: dataclasses.replace(good, **changes)}
        return check_terms(market.request(contracts=dataclasses.replace(bars, terms=terms), currency=asked))

    assert (finding().status, finding().text) == ("PASS", "definition records of 1 contracts agree")
    for silent in ("last_trade", "tick", "currency", "asset"):
        assert finding(**{silent: None}).status == "PASS"
    assert finding(asked="").status == "PASS"
    assert finding(tick=0.25 + 2e-10).status == "PASS"
    for changes, text in (
        ({"asset": "YY"}, f"asset YY, expected {market.root}"),
        ({"tick": 0.5}, "tick 0.5, expected 0.25"),
        ({"currency": "EUR"}, "currency EUR, expected USD"),
        ({"last_trade": date(2005, 5, 2)}, "expires 2005-05-02, far from its delivery month"),
        ({"last_trade": market.day(61)}, f"bar of {last_bar} after its expiration {market.day(61)}"),
    ):
        found = finding(**changes)
        assert (found.status, found.text) == ("FAIL", f"1 disagreement, first: {name}: {text}")


def test_the_grid_is_checked_on_contract_closes_else_on_unadjusted_ones(market: Market) -> None:
    request = market.request()
    assert request.canonical is not None
    raw = request.canonical.frame["close_unadjusted"].to_list()
    without = replace(request, contracts=None)
    assert closes_for_grid(without, read_our_side(without)).tolist() == raw  # type: ignore[union-attr]
    closes = market.bars().frame["close"].to_list()
    assert sorted(closes_for_grid(request, read_our_side(request)).tolist()) == sorted(closes)  # type: ignore[union-attr]
    # A series without the column: 0.5 of every close is adjustment.
    daily = market.daily(np.full(market.total, 100.75), "own.csv")
    daily = dataclasses.replace(daily, frame=daily.frame.with_columns(adjustment=pl.lit(0.5)))
    given = market.request(canonical=daily, contracts=None)
    found = closes_for_grid(given, read_our_side(given))
    assert found.tolist() == [100.25] * market.total  # type: ignore[union-attr]
    neither = market.request(canonical=None, contracts=None)
    assert isinstance(closes_for_grid(neither, read_our_side(neither)), NotRun)


def test_a_close_of_zero_has_no_level_to_compare(market: Market) -> None:
    bars = market.bars()
    closed = pl.when(pl.col("session") == market.day(700)).then(0.0).otherwise(pl.col("close"))
    zero = dataclasses.replace(bars, frame=bars.frame.with_columns(close=closed))
    assert best_matching_root(zero, {"YY": zero}) == ("YY", pytest.approx(1.0))


def test_a_wrong_unit_is_told_only_where_the_level_alone_differs(market: Market) -> None:
    # A hundredfold reference is another unit. One that moves otherwise besides is another instrument.
    noise = np.random.default_rng(3).normal(0.0, 50.0, market.total)

    def finding(**options: Any) -> dict[str, Any]:
        document = certify(market.request(reference=market.reference(**options))).document
        found = next(f for f in document["layers"]["L0"]["findings"] if f["check"] == "reference_match")
        return {key: found[key] for key in ("status", "code")}

    assert finding(change=lambda raw: raw * 100.0) == {"status": "FAIL", "code": "UNIT_MISMATCH"}
    assert finding(change=lambda raw: (raw + noise) * 100.0) == {"status": "FAIL", "code": None}
    assert finding(change=lambda raw: raw + noise) == {"status": "FAIL", "code": None}
    assert finding(change=lambda raw: raw + noise, unadjusted=False) == {"status": "FAIL", "code": None}


def test_same_request_same_bytes(market: Market) -> None:
    request = market.request(reference=market.reference(gap_errors={5: 8.0}))
    first, second = certify(request), certify(request)
    assert first.sha256 == second.sha256
    assert json.dumps(first.document) == json.dumps(second.document)


def test_document_is_plain_json(market: Market) -> None:
    def leaves(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value)
            for item in value.values():
                yield from leaves(item)
        elif isinstance(value, list):
            for item in value:
                yield from leaves(item)
        else:
            yield value

    certificate = certify(market.request(reference=market.reference([i + 1 for i in market.gap_sessions()])))
    assert {type(leaf) for leaf in leaves(certificate.document)} <= {str, int, float, bool, type(None)}


def test_tables_carry_every_session_pair_and_component(market: Market) -> None:
    certificate = certify(market.request(reference=market.reference(gap_errors={5: 8.0})))
    tables = certificate.tables
    assert set(tables) == {"L2_roll_schedule.csv", "L3_roll_gaps.csv", "L4_drift.csv"}
    drift = tables["L4_drift.csv"]
    assert drift.height == 1512
    assert drift.columns[:4] == ["session", "canonical_close", "reference_close", "drift"]
    components = drift.select(pl.exclude("session", "canonical_close", "reference_close", "drift"))
    np.testing.assert_allclose(components.to_numpy().sum(axis=1), drift["drift"].to_numpy(), atol=1e-9)
    assert tables["L2_roll_schedule.csv"].height == tables["L3_roll_gaps.csv"].height == 23


@pytest.mark.parametrize(
    "change", [{"tick": 0.0}, {"tick": float("nan")}, {"max_day_delta": -1}, {"acceptance_policy": "v9"}]
)
def test_impossible_requests_are_refused(market: Market, change: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        certify(market.request(**change))


def test_limits_document_names_every_limit() -> None:
    limits = limits_document("v1")["limits"]
    assert limits["max_mean_drift"] == 5.0
    assert limits["max_mean_gap_diff"] == 1.0
    assert limits["min_paired_rolls"] == 20
    with pytest.raises(DataError):
        limits_document("v3")
    assert TICK == 0.25


def test_a_reference_of_another_instrument_is_named(market: Market) -> None:
    # Our bars are right; the reference is another root's, which the workspace also holds.
    other = Market(seed=99, root="YY", level=1000.0)
    certificate = certify(market.request(reference=other.reference(), other_contracts={"YY": other.bars()}))
    assert codes(certificate)[0] == "IDENTITY_MISMATCH"
    assert "the reference matches YY (median residual 0.00 ticks)" in certificate.reasons[0].text
    assert "the bars match" not in certificate.reasons[0].text


def test_a_step_without_a_change_of_contract_is_told(market: Market) -> None:
    # From session 700 back the adjusted series alone stands 6.00 higher: no roll explains it.
    reference = market.reference()
    assert reference.adjusted is not None
    early = pl.int_range(pl.len()) < 700
    frame = reference.adjusted.frame.with_columns(pl.col("close") + pl.when(early).then(6.0).otherwise(0.0))
    stepped = dataclasses.replace(reference, adjusted=dataclasses.replace(reference.adjusted, frame=frame))
    document = certify(market.request(reference=stepped)).document
    found = {finding["check"]: finding for finding in document["layers"]["L2"]["findings"]}
    assert found["unattributed_steps"]["code"] == "UNATTRIBUTED_STEP"
    assert found["unattributed_steps"]["evidence"]["steps"] == [{"roll_date": str(market.sessions[700]), "gap": 6.0}]
    assert (document["n_paired"], document["n_unmatched_reference"]) == (23, 1)
    assert document["mean_drift"] == pytest.approx(6.0 * 700 / 1512)


def test_equities_are_measured_but_never_decided(market: Market) -> None:
    # No contracts, no rolls: L2 and L3 do not run by design, so that the decision is ERROR; the level stands in L4.
    raw = market.series(market.gap_sessions(), market.gaps(market.gap_sessions()))[0]
    reference = dataclasses.replace(market.reference(), adjusted=market.daily(raw + 0.5, "b.csv"), unadjusted=None)
    certificate = certify(market.request(contracts=None, canonical=market.daily(raw, "a.csv"), reference=reference))
    assert certificate.decision == "ERROR"
    assert codes(certificate) == ["L0_NOT_RUN", "L2_NOT_RUN", "L3_NOT_RUN"]
    values = certificate.document["layers"]["L4"]["values"]
    assert values["level_difference"] == pytest.approx({"mean": 0.5, "max": 0.5})
    assert (values["mean_drift"], values["anchor"]) == pytest.approx((0.0, -0.5))


def test_series_of_different_bases_are_not_compared_unless_meant(market: Market) -> None:
    raw = market.series(market.gap_sessions(), market.gaps(market.gap_sessions()))[0]

    def based(basis: str) -> Any:
        series = market.daily(raw, "a.csv")
        return dataclasses.replace(series, meta=dataclasses.replace(series.meta, adjustment_basis=basis))

    reference = dataclasses.replace(market.reference(), adjusted=based("total_return"), unadjusted=None)
    given = {"contracts": None, "canonical": based("raw"), "reference": reference}
    refused = certify(market.request(**given)).document["layers"]["L4"]
    assert refused["status"] == "NOT_RUN"
    assert {"raw", "total_return"} <= set(refused["text"].replace(";", " ").replace(",", " ").split())
    assert certify(market.request(**given, intended_bases=True)).document["layers"]["L4"]["status"] == "PASS"


def test_rebuilt_on_the_references_rolls_parts_rule_from_data(market: Market) -> None:
    # Rolls 20 sessions earlier fail as built; built on the reference's own schedule the data agree.
    earlier = [index - 20 for index in market.gap_sessions()]
    schedules = []

    def rebuild(schedule: Any) -> Any:
        schedules.append([roll.roll_date for roll in schedule])
        return market.canonical(earlier)

    document = certify(market.request(reference=market.reference(earlier), rebuild=rebuild)).document
    assert schedules == [[market.day(index + 1) for index in earlier]]
    assert document["decision"] == "REJECT"
    assert (document["rebuilt"]["status"], document["rebuilt"]["decision"]) == ("RUN", "ACCEPT")
    assert (document["rebuilt"]["n_pass"], document["rebuilt"]["mean_drift"]) == (23, 0.0)
    assert document["rebuilt"]["roll_rule_difference"]["mean_drift"] == pytest.approx(document["mean_drift"])
    assert document["smallest_flip"] is None


def test_a_builder_that_fails_leaves_the_decision_alone(market: Market) -> None:
    def rebuild(_: Any) -> Any:
        raise ValueError("by design")

    document = certify(market.request(rebuild=rebuild)).document
    assert document["rebuilt"]["status"] == "ERROR"
    assert document["rebuilt"]["text"] == "ValueError: by design"
    assert document["decision"] == "ACCEPT"
    assert certify(market.request()).document["rebuilt"]["status"] == "NOT_RUN"


def test_other_closes_are_judged_beside_the_decision(market: Market) -> None:
    # The series in use drifts; one built from other closes would not.
    drifting = market.canonical([index + 1 for index in market.gap_sessions()])
    document = certify(market.request(canonical=drifting, alternatives={"settlement": market.canonical()})).document
    other = document["counterfactuals"]["alternatives"]["settlement"]
    assert (other["decision"], other["n_pass"], other["mean_drift"]) == ("ACCEPT", 23, 0.0)
    assert document["n_watch"] == 23


def test_other_closes_that_cannot_be_read_are_said_and_decide_nothing(market: Market) -> None:
    broken = {
        "session": InputError("no intraday files of XX", code="INPUT_MISSING"),
        "settlement": InputError("truncated DBN", where="s.dbn"),
    }
    document = certify(market.request(alternatives=broken)).document
    assert document["decision"] == "ACCEPT"
    assert document["counterfactuals"]["alternatives"] == {
        "session": {"status": "NOT_RUN", "text": "no intraday files of XX"},
        "settlement": {"status": "ERROR", "text": "s.dbn: truncated DBN"},
    }
    assert document["inputs"]["alternatives"] == {"session": None, "settlement": None}
    assert document["inputs"]["alternative_files"] == []


def test_the_smallest_flip_names_the_wrong_gap(market: Market) -> None:
    document = certify(market.request(reference=market.reference(gap_errors={22: 7.75}))).document
    assert document["decision"] == "WATCH"
    assert document["smallest_flip"]["units"] == ["block:XXU10>XXZ10"]
    assert document["smallest_flip"]["decision"] == "ACCEPT"
    assert document["flips_by_check"]["MEAN_DRIFT"]["units"] == ["block:XXU10>XXZ10"]


def test_policy_v2_asks_for_the_rebuilt_series(market: Market) -> None:
    without = certify(market.request(acceptance_policy="v2"))
    assert (without.decision, codes(without)) == ("WATCH", ["REBUILT_SERIES"])
    with_it = certify(market.request(acceptance_policy="v2", rebuild=lambda _: market.canonical()))
    assert with_it.decision == "ACCEPT"
    assert with_it.document["acceptance"]["policy"] == "v2"


def test_a_reference_that_never_moves_is_an_error(market: Market) -> None:
    frozen = market.reference(change=lambda close: np.full_like(close, 1900.0))
    certificate = certify(market.request(reference=frozen))
    assert certificate.decision == "ERROR"
    assert "one side does not move" in certificate.detail


def test_bars_in_disorder_are_an_error(market: Market) -> None:
    bars = market.bars()
    shuffled = dataclasses.replace(bars, frame=bars.frame.sort("session"))
    certificate = certify(market.request(contracts=shuffled))
    assert certificate.decision == "ERROR"
    assert "not grouped by contract in expiry order" in certificate.document["layers"]["L0"]["text"]


def test_two_roots_in_one_folder_are_a_mix_up(market: Market) -> None:
    own, other = market.bars(), Market(root="YY").bars()
    mixed = dataclasses.replace(
        own,
        frame=pl.concat([own.frame, other.frame]).sort("session"),
        contracts=tuple(sorted([*own.contracts, *other.contracts])),
    )
    certificate = certify(market.request(contracts=mixed, other_contracts={"YY": other}))
    assert codes(certificate) == ["IDENTITY_MISMATCH"]
    assert certificate.reasons[0].text.startswith("YY found where XX was asked for")
