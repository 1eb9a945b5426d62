"""Rolls that the reference's closes cannot show: told by name, read again where they fit ours no worse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification import CertifyRequest, certify
from ctl.certification.contract_closes import ContractCloses
from ctl.certification.recovery.fingerprint import fingerprint
from ctl.certification.recovery.indistinguishable import Stretch, read_again, switches
from ctl.continuous import build
from ctl.model.reference import Reference
from ctl.model.rolls import RollPolicy
from ctl.power import vendor_pairs

if TYPE_CHECKING:
    from ctl.model.bars import DailySeries

CODE = "INDISTINGUISHABLE_CONTRACTS"
FLAT = vendor_pairs.Market(7, contracts=40, cycle=21, carry=2.0, carry_noise=0.5, move=30.0)
WIDE = vendor_pairs.Market(7)


def closes_of(table: list[list[float]]) -> ContractCloses:
    """One row per contract, one column per session."""
    rows = [(k, t, v) for k, row in enumerate(table) for t, v in enumerate(row)]
    return ContractCloses.from_arrays(
        tuple(f"K{k}" for k in range(len(table))),
        np.array([t for _, t, _ in rows], dtype=np.int64),
        np.array([k for k, _, _ in rows], dtype=np.int64),
        np.array([v for _, _, v in rows], dtype=np.float64),
    )


def again(
    values: list[float], table: list[list[float]], path: list[int], own: list[int], *, within: int = 1
) -> tuple[list[int], tuple[Stretch, ...]]:
    held = np.array(own, dtype=np.int64)
    at = switches(held)
    begun = {int(path[t]): int(t) for t in switches(np.array(path, dtype=np.int64))}
    unseen = np.array([abs(begun.get(own[t], -99) - t) > within for t in at.tolist()])
    found, stretches = read_again(
        np.array(values), np.arange(len(values)), closes_of(table), np.array(path, dtype=np.int64), held, at,
        unseen=unseen, within=within, tick=1.0, cap_ticks=40.0, penalty_ticks=40.0,
    )  # fmt: skip
    return found.tolist(), stretches


# K1 lies one above K0 and one below K2: ten sessions on K1 cost the path that skips it 10 ticks, a switch costs 40.
STEPS = [[100.0] * 12, [101.0] * 12, [102.0] * 12]
HELD = [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]
VALUES = [100.0 + k for k in HELD]
SKIPPING = [0] * 8 + [2] * 4


def test_a_contract_skipped_for_the_penalty_alone_is_read_again() -> None:
    found, (stretch,) = again(VALUES, STEPS, SKIPPING, HELD)
    assert found == HELD
    assert stretch == Stretch(3, 7, (1,), (0,), 1.0, 0.0, 5.0, fits=True)


def test_our_rolls_are_dated_by_the_closes_within_the_day_limit() -> None:
    # Ours rolls a session later than the reference does, at both rolls: the closes say so, and the dates are theirs.
    ours = [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2]
    assert again(VALUES, STEPS, SKIPPING, ours, within=1)[0] == HELD
    # Two sessions later with a limit of one: as near as that allows, 2 ticks off against 5 for skipping.
    later = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]
    assert again(VALUES, STEPS, SKIPPING, later, within=1)[0] == ours


def test_of_equal_dates_ours_is_taken() -> None:
    # Both close alike on sessions 2 to 6: the rule on ties rolls on 2, ours on 6.
    table = [[100.0] * 10, [120.0, 120.0, *[100.0] * 5, 120.0, 120.0, 120.0]]
    values = [100.0] * 7 + [120.0] * 3
    earliest, ours = [0, 0] + [1] * 8, [0] * 6 + [1] * 4
    assert again(values, table, earliest, ours) == (ours, (Stretch(2, 5, (0,), (1,), 0.0, 0.0, 0.0, fits=True),))


def test_a_month_that_the_reference_skips_stays_skipped_and_is_no_doubt() -> None:
    table = [[100.0] * 12, [150.0] * 12, [200.0] * 12]
    values = [100.0] * 8 + [200.0] * 4
    assert again(values, table, SKIPPING, HELD) == (SKIPPING, ())


def test_closes_against_ours_are_named_where_they_could_not_have_shown_the_roll() -> None:
    # The reference lies on K0 on all five sessions that ours spends on K1, or on four if it rolls one later.
    values = [100.0] * 8 + [102.0] * 4
    found, (stretch,) = again(values, STEPS, SKIPPING, HELD)
    assert found == SKIPPING
    assert (stretch.fits, stretch.own_ticks, stretch.recovered_ticks) == (False, 4.0, 0.0)
    # Eleven ticks apart four sessions are more than the penalty: the closes speak, and nothing is to be named.
    apart = [[100.0] * 12, [111.0] * 12, [122.0] * 12]
    assert again([100.0] * 8 + [122.0] * 4, apart, SKIPPING, HELD) == (SKIPPING, ())


def test_ours_begins_on_no_contract_that_the_reference_has_left() -> None:
    alike = [[100.0] * 6, [100.0] * 6]
    found, (stretch,) = again([100.0] * 6, alike, [1] * 6, [-1, -1, 0, 0, 1, 1])
    assert found == [1] * 6
    assert not stretch.fits


def test_closes_that_fit_nothing_prove_nothing() -> None:
    strange = VALUES[:3] + [900.0] * 5 + VALUES[8:]
    found, (stretch,) = again(strange, STEPS, SKIPPING, HELD)
    assert found == SKIPPING
    assert not stretch.fits


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_second_reading_never_fits_worse_and_never_turns_back(data: st.DataObject) -> None:
    sessions, contracts = data.draw(st.integers(4, 25)), data.draw(st.integers(2, 4))
    close = st.integers(0, 6).map(float)
    table = [data.draw(st.lists(close, min_size=sessions, max_size=sessions)) for _ in range(contracts)]
    values = data.draw(st.lists(close, min_size=sessions, max_size=sessions))
    own = sorted(data.draw(st.lists(st.integers(0, contracts - 1), min_size=sessions, max_size=sessions)))
    path = fingerprint(
        np.array(values), np.arange(sessions), closes_of(table), tick=1.0, cap_ticks=4.0, penalty_ticks=4.0
    )
    found, stretches = again(values, table, path.contract_on_day.tolist(), own, within=data.draw(st.integers(0, 3)))
    assert found == sorted(found)
    taken = {t for stretch in stretches if stretch.fits for t in range(stretch.first, stretch.last + 1)}
    assert all(found[t] == path.contract_on_day[t] for t in range(sessions) if t not in taken)

    def misfit(held: list[int]) -> float:
        return sum(min(abs(values[t] - table[k][t]), 40.0) for t, k in enumerate(held))

    assert misfit(found) <= misfit(path.contract_on_day.tolist())


# ---------------------------------------------------------------- certificates


def certificate(pair: vendor_pairs.VendorPair, policy: str = "v1") -> Any:
    """The certificate's document, with what it is rebuilt on the reference's rolls."""
    roll = RollPolicy()
    return certify(
        CertifyRequest(
            symbol=pair.root,
            root=pair.root,
            tick=pair.tick,
            max_day_delta=3,
            quote_unit="points",
            contracts=pair.contracts,
            canonical=build(pair.contracts, roll),
            reference=pair.reference,
            calendar_sessions=pair.sessions,
            rebuild=lambda rolls: build(pair.contracts, replace(roll, kind="schedule", schedule=rolls)),
            acceptance_policy=policy,
        )
    ).document


def named(document: Any) -> list[Any]:
    return [found for found in document["layers"]["L2"]["findings"] if found["code"] == CODE]


@pytest.mark.parametrize("policy", ["v1", "v2"])
def test_our_schedule_that_explains_the_closes_needs_no_second_reading(policy: str) -> None:
    found = certificate(vendor_pairs.generate(FLAT), policy)
    assert (found["decision"], found["n_pass"], found["n_fail"]) == ("ACCEPT", FLAT.contracts - 1, 0)
    assert {roll["source"] for roll in found["reference_rolls"]} == {"ours"}
    assert named(found) == []


@pytest.mark.parametrize("policy", ["v1", "v2"])
def test_defects_of_a_flat_market_are_refused_by_either_reading(policy: str) -> None:
    for kind, size in (("roll_shift", 4), ("wrong_commodity", 0.05), ("settlement_noise", 16)):
        found = certificate(vendor_pairs.generate(FLAT, {kind: size}), policy)  # type: ignore[dict-item]
        assert found["decision"] == "REJECT", kind
        assert (found["counterfactuals"] or {}).get("read_again", {}).get("decision") in (None, "REJECT"), kind


def without(pair: vendor_pairs.VendorPair, skipped: range, market: vendor_pairs.Market) -> vendor_pairs.VendorPair:
    """The pair with a vendor that rolls past these contracts (numbers in expiry order), onto the next."""
    names = [contract.name for contract in pair.contracts.contracts]
    days = pair.contracts.frame.select("contract", "session", "close").partition_by("contract", as_dict=True)
    gap_at = [market.cycle * (k + 1) - 1 - 8 for k in range(market.contracts - 1)]

    def closes(series: DailySeries | None) -> np.ndarray:
        assert series is not None
        return series.frame["close"].to_numpy().copy()

    raw, adjusted = closes(pair.reference.unadjusted), closes(pair.reference.adjusted)
    for k in skipped:
        first, last = gap_at[k - 1] + 1, gap_at[k]
        next_closes = dict(days[(names[k + 1],)].select("session", "close").iter_rows())
        offset = adjusted[last + 1] - raw[last + 1]
        for t in range(first, last + 1):
            raw[t] = next_closes[pair.sessions[t].astype(object)]
            adjusted[t] = raw[t] + offset
    return replace(pair, reference=Reference("other", with_close(pair, adjusted), with_close(pair, raw)))


def with_close(pair: vendor_pairs.VendorPair, close: np.ndarray) -> DailySeries:
    series = pair.reference.unadjusted
    assert series is not None
    bars = [pl.Series(name, close) for name in ("open", "high", "low", "close")]
    return replace(series, frame=series.frame.with_columns(bars))


@pytest.mark.parametrize("policy", ["v1", "v2"])
def test_months_that_the_vendor_skips_between_wide_gaps_fail(policy: str) -> None:
    market = replace(WIDE, carry=40.0, carry_noise=4.0)
    pair = vendor_pairs.generate(market)
    one = certificate(without(pair, range(12, 13), market), policy)
    # Both of our rolls around the month are alone, and so is the reference's roll past it.
    assert (one["n_fail"], one["n_paired"]) == (3, market.contracts - 3)
    many = certificate(without(pair, range(4, 24, 4), market), policy)
    assert many["decision"] == "REJECT"
    assert many["n_fail"] == 15
    for found in (one, many):
        assert named(found) == []
        assert found["counterfactuals"]["read_again"]["status"] == "NOT_RUN"


@pytest.mark.parametrize("policy", ["v1", "v2"])
def test_where_every_roll_is_seen_nothing_is_said_or_read_again(policy: str) -> None:
    found = certificate(vendor_pairs.generate(replace(WIDE, carry=40.0, carry_noise=4.0)), policy)
    assert found["decision"] == "ACCEPT"
    assert found["reference_recovery"]["indistinguishable"] == []
    assert named(found) == []
