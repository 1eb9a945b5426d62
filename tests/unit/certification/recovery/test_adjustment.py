"""How a reference adjusts, told from its own two series, or from its adjusted closes and ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ctl import continuous
from ctl.certification import CertifyRequest, certify
from ctl.certification.recovery import adjustment
from ctl.certification.recovery.reference import recover
from ctl.model.bars import SERIES_COLUMNS, DailySeries, SeriesMeta
from ctl.model.reference import Reference
from ctl.model.rolls import RollPolicy
from ctl.power import vendor_pairs

MARKET = vendor_pairs.Market(3, contracts=26, cycle=21, tick=0.25, level=8_000, move=40.0, carry=240.0)


def series(sessions: np.ndarray, close: np.ndarray) -> DailySeries:
    frame = pl.DataFrame({"session": sessions.astype("datetime64[D]"), "close": close}).with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("open", "high", "low")),
        *(pl.lit(None, dtype=pl.Int64).alias(name) for name in ("volume", "open_interest")),
        contract=pl.lit(None, dtype=pl.String),
        adjustment=pl.lit(0.0),
    )
    return DailySeries(frame.select(SERIES_COLUMNS), SeriesMeta("ZZ", "vendor", "exchange_session", "settlement"))


def references() -> tuple[vendor_pairs.VendorPair, dict[str, DailySeries]]:
    """A clean pair and its vendor's series: unadjusted, by differences, by ratios, by ratios rounded to the tick."""
    pair = vendor_pairs.generate(MARKET)
    both = recover(pair.contracts, pair.reference, tick=MARKET.tick)
    raw, factor = both.unadjusted, np.ones(len(both.sessions))
    for roll, gap in zip(both.rolls, both.our_gaps, strict=True):
        at = int(np.searchsorted(both.sessions, np.datetime64(roll.roll_date)))
        factor[:at] *= (raw[at - 1] + gap) / raw[at - 1]
    ratio = raw * factor
    rounded = np.round(ratio / MARKET.tick) * MARKET.tick
    # What the difference adds to a session's price the wrong sign takes off it.
    inverted = 2 * raw - both.adjusted
    made = {"none": raw, "difference": both.adjusted, "ratio": ratio, "rounded": rounded, "inverted": inverted}
    return pair, {name: series(both.sessions, close) for name, close in made.items()}


PAIR, SERIES = references()


def certified(policy: RollPolicy, reference: Reference) -> dict[str, Any]:
    return certify(
        CertifyRequest(
            symbol="ZZ",
            root=PAIR.root,
            tick=MARKET.tick,
            max_day_delta=3,
            quote_unit="points",
            contracts=PAIR.contracts,
            canonical=continuous.build(PAIR.contracts, policy),
            reference=reference,
        )
    ).document


@pytest.mark.parametrize(
    ("shipped", "expected"),
    [
        ("difference", "difference"),
        ("ratio", "ratio"),
        ("rounded", "ratio"),
        ("none", "none"),
        ("inverted", "inverted"),
    ],
)
@pytest.mark.parametrize("alone", [False, True], ids=["both", "alone"])
def test_the_adjustment_is_told(shipped: str, expected: str, alone: bool) -> None:
    reference = Reference("v", SERIES[shipped], None if alone else SERIES["none"])
    told = adjustment.of_reference(recover(PAIR.contracts, reference, tick=MARKET.tick), tick=MARKET.tick)
    assert told is not None
    assert told.kind == expected


@pytest.mark.parametrize("own", ["difference", "ratio", "none"])
@pytest.mark.parametrize("shipped", ["difference", "ratio", "none"])
def test_certificate_warns_where_the_two_sides_adjust_differently(own: str, shipped: str) -> None:
    policy = RollPolicy(adjustment=own)  # type: ignore[arg-type]
    document = certified(policy, Reference("v", SERIES[shipped], SERIES["none"]))
    found = [
        (name, finding)
        for name, layer in document["layers"].items()
        for finding in layer["findings"]
        if finding["code"] == "ADJUSTMENT_MISMATCH"
    ]
    if own == shipped:
        assert found == []
        return
    # Ratios are compared as such, which L0 says; where changes no longer correlate it ends the certificate.
    ended = document["layers"]["L0"]["status"] == "FAIL"
    assert [name for name, _ in found] == ["L0" if ended or shipped == "ratio" else "L4"]
    (_, finding) = found[0]
    assert finding["status"] == "WATCH"
    assert (finding["evidence"]["canonical"], finding["evidence"]["reference"]) == (own, shipped)


def test_an_adjustment_with_the_wrong_sign_has_a_code_of_its_own() -> None:
    document = certified(RollPolicy(), Reference("v", SERIES["inverted"], SERIES["none"]))
    told = [finding for layer in document["layers"].values() for finding in layer["findings"]]
    (finding,) = [item for item in told if item["code"] == "INVERTED_ADJUSTMENT"]
    assert finding["status"] == "WATCH"
    assert finding["evidence"]["opposite_gaps"] == finding["evidence"]["rolls"] >= 20
    assert "ADJUSTMENT_MISMATCH" not in {item["code"] for item in told}


def test_a_few_gaps_of_the_wrong_sign_are_single_errors() -> None:
    """Two of the gaps turned round: each stands in the ledger by itself."""
    turned = SERIES["difference"].frame["close"].to_numpy().copy()
    raw = SERIES["none"].frame["close"].to_numpy()
    steps = np.flatnonzero(np.abs(np.diff(raw - turned)) > MARKET.tick)[[4, 9]]
    for at in steps:
        turned[: at + 1] += 2 * (np.diff(turned - raw)[at])
    reference = Reference("v", series(SERIES["none"].frame["session"].to_numpy(), turned), SERIES["none"])
    told = adjustment.of_reference(recover(PAIR.contracts, reference, tick=MARKET.tick), tick=MARKET.tick)
    assert told is not None
    assert told.kind == "difference"


def test_another_market_is_no_ratio_of_ours_and_fails_by_its_changes() -> None:
    # So quiet a market that offsets could follow it: its changes say that it is another.
    other = vendor_pairs.generate(replace(MARKET, seed=44), shipped="adjusted")
    assert not recover(PAIR.contracts, other.reference, tick=MARKET.tick).ratio_adjusted
    document = certified(RollPolicy(), other.reference)
    assert document["decision"] == "REJECT"
    assert [reason["code"] for reason in document["reasons"]] == ["IDENTITY_MISMATCH"]
    assert not any(finding["code"] == "ADJUSTMENT_MISMATCH" for finding in document["layers"]["L0"]["findings"])


def test_without_rolls_nothing_can_be_told() -> None:
    days = np.array([date(2020, 1, 1) + timedelta(days=i) for i in range(50)], dtype="datetime64[D]")
    flat = series(days, np.full(50, 10.0))
    assert adjustment.of_reference(recover(None, Reference("v", flat, flat), tick=0.25), tick=0.25) is None
