"""What must hold of every certification, whatever the series: symmetry, scale, and that nothing missing passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from certify_market import Market
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification import CertifyRequest, certify
from ctl.certification.layers.roll_schedule import align
from ctl.certification.window import WindowRoll
from ctl.model.bars import ContractBars, DailySeries
from ctl.model.reference import Reference

MARKET = Market(contracts=10)
GAP_SESSIONS = MARKET.gap_sessions()


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """Another vendor: each roll a few sessions off, some gaps wrong by whole ticks, some closes off by a tick."""
    shifts = draw(st.lists(st.integers(-5, 5), min_size=9, max_size=9))
    errors = draw(st.dictionaries(st.integers(0, 8), st.integers(-40, 40).map(lambda n: n * 0.25), max_size=4))
    offsets = draw(st.lists(st.integers(0, MARKET.total - 1), max_size=10))

    def change(close: Any) -> Any:
        changed = close.copy()
        changed[offsets] += 0.25
        return changed

    indices = [index + shift for index, shift in zip(GAP_SESSIONS, shifts, strict=True)]
    return MARKET.reference(indices, errors, change=change)


def scaled(series: DailySeries, factor: float) -> DailySeries:
    columns = [name for name in ("open", "high", "low", "close", "adjustment") if name in series.frame.columns]
    return dataclasses.replace(series, frame=series.frame.with_columns(series.frame[name] * factor for name in columns))


def scaled_request(reference: Reference, factor: float) -> CertifyRequest:
    bars, canonical = MARKET.bars(), MARKET.canonical()
    prices = ("open", "high", "low", "close")
    series = ("adjustment", "close_unadjusted")
    frame = bars.frame.with_columns(bars.frame[name] * factor for name in prices)
    built = canonical.frame.with_columns(canonical.frame[name] * factor for name in (*prices, *series))
    rolls = tuple(
        dataclasses.replace(
            roll, from_close=roll.from_close * factor, to_close=roll.to_close * factor, gap=roll.gap * factor
        )
        for roll in canonical.rolls
    )
    return MARKET.request(
        tick=0.25 * factor,
        contracts=ContractBars(frame, bars.meta, bars.contracts),
        canonical=dataclasses.replace(canonical, frame=built, rolls=rolls),
        reference=dataclasses.replace(
            reference,
            adjusted=None if reference.adjusted is None else scaled(reference.adjusted, factor),
            unadjusted=None if reference.unadjusted is None else scaled(reference.unadjusted, factor),
        ),
    )


@given(references(), st.sampled_from([0.5, 4.0, 64.0]))
def test_counts_do_not_depend_on_the_price_scale_and_drift_follows_it(reference: Reference, factor: float) -> None:
    # Powers of two: scaling is exact in floating point.
    one = certify(MARKET.request(reference=reference)).document
    other = certify(scaled_request(reference, factor)).document
    for key in (
        "n_canonical",
        "n_reference",
        "n_pass",
        "n_watch",
        "n_fail",
        "day_delta_histogram",
        "mean_gap_diff_ticks",
    ):
        assert other[key] == one[key], key
    for key in ("mean_gap_diff", "mean_drift", "max_drift", "signed_mean", "anchor"):
        if one[key] is not None:
            assert other[key] == pytest.approx(one[key] * factor, rel=1e-12, abs=1e-9 * factor), key


@given(references())
def test_counts_add_up(reference: Reference) -> None:
    document = certify(MARKET.request(reference=reference)).document
    assert document["n_paired"] == document["n_pass"] + document["n_watch"] == len(document["pairs"])
    assert document["n_canonical"] == document["n_paired"] + len(document["unmatched_canonical"])
    assert document["n_reference"] == document["n_paired"] + len(document["unmatched_reference"])
    assert document["n_fail"] == len(document["unmatched_canonical"]) + len(document["unmatched_reference"])
    assert len(document["canonical_rolls"]) == document["n_canonical"] + document["n_edge_canonical"]
    assert sum(document["day_delta_histogram"].values()) == document["n_paired"]
    for pair in document["pairs"]:
        assert abs(pair["day_delta"]) <= 3
        if pair["date_effect"] is not None:
            assert pair["date_effect"] + pair["price_effect"] == pytest.approx(pair["gap_diff"], abs=1e-9)


@given(references())
def test_drift_is_bounded_by_its_extremes_and_splits_over_intervals(reference: Reference) -> None:
    document = certify(MARKET.request(reference=reference)).document
    assert abs(document["signed_mean"]) <= document["mean_drift"] + 1e-9
    assert document["mean_drift"] <= document["max_drift"] + 1e-9
    assert document["p95"] <= document["max_drift"] + 1e-9
    intervals = document["layers"]["L4"]["values"]["intervals"]
    sessions = document["overlap"]["shared_sessions"]
    assert sum(interval["sessions"] for interval in intervals) == sessions
    mean = sum(interval["mean"] * interval["sessions"] for interval in intervals) / sessions
    assert mean == pytest.approx(document["mean_drift"], abs=1e-9)
    assert document["ledger"]["sum_residual"] <= 1e-9 * 3000.0


@given(
    references(),
    st.sets(st.sampled_from(["contracts", "canonical", "reference", "adjusted", "unadjusted"]), min_size=1),
)
def test_nothing_missing_ever_passes(reference: Reference, missing: set[str]) -> None:
    for part in ("adjusted", "unadjusted"):
        if part in missing:
            reference = dataclasses.replace(reference, **{part: None})
    changes: dict[str, Any] = {part: None for part in ("contracts", "canonical") if part in missing}
    changes["reference"] = None if "reference" in missing else reference
    certificate = certify(MARKET.request(**changes))
    layers = certificate.document["layers"]
    silent = [name for name in ("L0", "L2", "L3", "L4") if layers[name]["status"] in {"NOT_RUN", "ERROR"}]
    if silent:
        assert certificate.decision in {"ERROR", "REJECT"}
        assert certificate.reasons
    if certificate.decision in {"ACCEPT", "WATCH"}:
        assert not silent
    for layer in layers.values():
        if layer["status"] in {"NOT_RUN", "ERROR"}:
            assert layer["text"]


@st.composite
def schedules(draw: st.DrawFn) -> list[WindowRoll]:
    indices = draw(st.lists(st.integers(0, 300), max_size=30, unique=True).map(sorted))
    gaps = draw(st.lists(st.integers(-20, 20), min_size=len(indices), max_size=len(indices)))
    day = MARKET.day(0)
    return [
        WindowRoll(day, day, None, None, gap * 0.25, "canonical", index, index + 1, edge=False)
        for index, gap in zip(indices, gaps, strict=True)
    ]


@given(schedules(), schedules(), st.integers(0, 10))
@settings(max_examples=150, deadline=None)
def test_both_sides_see_the_same_cost_and_a_wider_limit_costs_no_more(
    own: list[WindowRoll], other: list[WindowRoll], limit: int
) -> None:
    one = align(own, other, tick=0.25, max_day_delta=limit)
    mirrored = align(other, own, tick=0.25, max_day_delta=limit)
    assert one.cost == mirrored.cost
    assert align(own, other, tick=0.25, max_day_delta=limit + 1).cost <= one.cost
    assert align(own, own, tick=0.25, max_day_delta=limit).figures().n_pass == len(own)
