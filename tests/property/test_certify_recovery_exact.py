"""What a reference did is recovered exactly where its closes are ours, whatever its schedule and its defects."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.recovery.free_offset import free_offset_path
from ctl.certification.recovery.reference import RecoveredReference, recover
from ctl.model.bars import SERIES_COLUMNS, DailySeries, SeriesMeta
from ctl.model.reference import Reference

START = date(2012, 1, 2)
TICK = 0.25
CONTRACTS = 6
SESSIONS = 240
NAMES = tuple(f"XH{12 + k}" for k in range(CONTRACTS))


def series(close: np.ndarray, keep: np.ndarray) -> DailySeries:
    days = np.array([START + timedelta(days=i) for i in range(SESSIONS)], dtype="datetime64[D]")
    frame = pl.DataFrame({"session": days[keep], "close": close[keep]}).with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("open", "high", "low")),
        *(pl.lit(None, dtype=pl.Int64).alias(name) for name in ("volume", "open_interest")),
        pl.lit(None, dtype=pl.String).alias("contract"),
        pl.lit(0.0).alias("adjustment"),
    )
    return DailySeries(frame.select(SERIES_COLUMNS), SeriesMeta("X", "vendor", "exchange_session", "settlement"))


def market(seed: int) -> np.ndarray:
    """Closes on the tick grid; neighbours are at least 60 ticks apart and never move by the same amount."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.integers(-12, 13, SESSIONS))
    spread = 80 * np.arange(CONTRACTS)[:, None] + np.cumsum(rng.choice([-2, 2, 3], (CONTRACTS, SESSIONS)), axis=1) // 8
    wiggle = rng.integers(0, 6, (CONTRACTS, SESSIONS))
    return (4000 + common + spread + wiggle) * TICK


def closes_of(prices: np.ndarray) -> ContractCloses:
    days = np.datetime64(START, "D").astype(np.int64) + np.arange(SESSIONS)
    return ContractCloses.from_arrays(
        NAMES, np.tile(days, CONTRACTS), np.repeat(np.arange(CONTRACTS), SESSIONS), prices.ravel()
    )


def schedules() -> st.SearchStrategy[list[tuple[int, int]]]:
    """(first session, contract) of up to five rolls, at least eight sessions apart; months may be skipped."""

    def build(raw: tuple[list[int], list[int]]) -> list[tuple[int, int]]:
        places = sorted(set(raw[0]))
        spaced = [p for i, p in enumerate(places) if i == 0 or p - places[i - 1] >= 8]
        contracts = sorted(set(raw[1]))
        return list(zip(spaced, contracts, strict=False))

    return st.tuples(
        st.lists(st.integers(8, SESSIONS - 8), max_size=5), st.lists(st.integers(1, CONTRACTS - 1), max_size=5)
    ).map(build)


def build(
    prices: np.ndarray, rolls: list[tuple[int, int]], wrong: dict[int, int]
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str, str, float]]]:
    """Unadjusted and adjusted closes and the truth: first session, contracts, gap as the vendor adjusted it."""
    held = np.zeros(SESSIONS, dtype=int)
    truth = []
    current = 0
    adjusted_by = np.zeros(SESSIONS)
    for n, (at, k) in enumerate(rolls):
        held[at:] = k
        gap = float(prices[k, at - 1] - prices[current, at - 1]) + wrong.get(n, 0) * TICK
        truth.append((at, NAMES[current], NAMES[k], gap))
        adjusted_by[:at] += gap
        current = k
    raw = prices[held, np.arange(SESSIONS)]
    return raw, raw + adjusted_by, truth


def seen(found: RecoveredReference) -> list[tuple[int, str | None, str | None, float | None]]:
    return [((r.roll_date - START).days, r.from_contract, r.to_contract, r.gap) for r in found.rolls]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    rolls=schedules(),
    wrong=st.dictionaries(st.integers(0, 4), st.integers(-20, 20), max_size=2),
    restated=st.lists(st.integers(0, SESSIONS - 1), max_size=3),
)
def test_both_series_give_back_schedule_and_gaps(
    seed: int, rolls: list[tuple[int, int]], wrong: dict[int, int], restated: list[int]
) -> None:
    prices = market(seed)
    raw, adjusted, truth = build(prices, rolls, wrong)
    # One bar of both series misprinted alike moves neither the spread nor the contract.
    for t in restated:
        near = any(abs(t - at) <= 4 for at, _ in rolls) or t in (0, SESSIONS - 1)
        if not near:
            raw[t] += 30.0
            adjusted[t] += 30.0
    keep = np.ones(SESSIONS, dtype=bool)
    found = recover(closes_of(prices), Reference("v", series(adjusted, keep), series(raw, keep)), tick=TICK)
    assert found.source == "fingerprint"
    assert seen(found) == truth
    assert found.unattributed == ()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), rolls=schedules(), holes=st.lists(st.integers(1, SESSIONS - 2), max_size=10))
def test_missing_sessions_move_a_roll_to_the_next_session_there_is(
    seed: int, rolls: list[tuple[int, int]], holes: list[int]
) -> None:
    prices = market(seed)
    raw, _, truth = build(prices, rolls, {})
    keep = np.ones(SESSIONS, dtype=bool)
    keep[holes] = False
    found = recover(closes_of(prices), Reference("v", None, series(raw, keep)), tick=TICK)
    there = np.flatnonzero(keep)
    expected = [(int(there[there >= at][0]), old, new) for at, old, new, _ in truth if (there >= at).any()]
    assert [row[:3] for row in seen(found)] == expected
    for roll in found.rolls:
        position = (roll.roll_date - START).days
        assert (roll.gap_session - START).days == int(there[there < position][-1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), rolls=schedules(), constant=st.integers(-400, 400))
def test_a_constant_on_the_adjusted_series_is_no_roll(seed: int, rolls: list[tuple[int, int]], constant: int) -> None:
    prices = market(seed)
    raw, adjusted, truth = build(prices, rolls, {})
    keep = np.ones(SESSIONS, dtype=bool)
    reference = Reference("v", series(adjusted + constant * TICK, keep), series(raw, keep))
    assert seen(recover(closes_of(prices), reference, tick=TICK)) == truth


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), rolls=schedules())
def test_adjusted_only_path_costs_no_more_than_the_truth(seed: int, rolls: list[tuple[int, int]]) -> None:
    prices = market(seed)
    _, adjusted, truth = build(prices, rolls, {})
    path = free_offset_path(
        adjusted, np.arange(SESSIONS), closes_of(prices), tick=TICK, cap_ticks=10.0, penalty_ticks=10.0
    )
    switches = np.count_nonzero((np.diff(path.contract_on_day) != 0) | (np.diff(path.offsets) != 0))
    # The truth fits every session, so it costs its rolls alone.
    assert path.residual_ticks.sum() + 10.0 * switches <= 10.0 * len(truth) + 1e-6
    assert (np.diff(path.contract_on_day) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), rolls=schedules())
def test_adjusted_only_offsets_step_by_the_gaps(seed: int, rolls: list[tuple[int, int]]) -> None:
    prices = market(seed)
    _, adjusted, _ = build(prices, rolls, {})
    keep = np.ones(SESSIONS, dtype=bool)
    found = recover(closes_of(prices), Reference("v", series(adjusted, keep), None), tick=TICK, cap_ticks=10.0)
    assert not found.basis_identifiable
    offset = found.adjusted - found.unadjusted
    steps = {(roll.roll_date - START).days: roll.gap for roll in found.rolls}
    for t in range(1, SESSIONS):
        assert abs((offset[t - 1] - offset[t]) - (steps.get(t) or 0.0)) <= 1e-9
