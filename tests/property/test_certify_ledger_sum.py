"""The components of the ledger sum to the drift, whatever the two series are."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.layers.ledger import Ledger, Side, compute
from ctl.certification.recovery.reference import recover
from ctl.model.bars import DailySeries, SeriesMeta
from ctl.model.reference import Reference
from ctl.model.rolls import ReferenceRoll

START = date(2015, 1, 1)
TICK = 0.25
META = SeriesMeta("X", "vendor", "exchange_session", "settlement")


def day(index: int) -> date:
    return START + timedelta(days=index)


def check(ledger: Ledger, adjusted: np.ndarray) -> None:
    scale = max(1.0, float(np.abs(adjusted[np.isfinite(adjusted)]).max()))
    total = np.zeros(len(ledger.drift))
    for values in ledger.columns().values():
        assert np.isfinite(values).all()
        total += values
    assert np.abs(total - ledger.drift).max() <= 1e-9 * scale
    assert ledger.summary.sum_residual <= 1e-9 * scale
    units = [block.unit for block in ledger.blocks] + ["basis", "contract", "reference_residual"]
    assert len(set(units)) == len(units)
    by_unit = sum((ledger.unit_drift_of(block) for block in ledger.blocks), np.zeros(len(ledger.drift)))
    by_unit = by_unit + ledger.basis + ledger.contract + ledger.reference_residual
    if ledger.canonical_residual is not None:
        by_unit = by_unit + ledger.canonical_residual
    assert np.abs(by_unit - ledger.drift).max() <= 1e-9 * scale
    shares = [component.share for component in ledger.summary.components]
    if np.abs(ledger.drift).sum() > 1e-6 * scale:
        assert abs(sum(share or 0.0 for share in shares) - 1.0) <= 1e-6


@st.composite
def arbitrary_side(draw: st.DrawFn, count: int, named: bool) -> Side:
    """Anything at all: contracts that jump back and forth, rolls that belong to nothing, holes."""
    price = st.floats(-500, 500).map(lambda x: round(x, 2))
    adjusted = np.array(draw(st.lists(price, min_size=count, max_size=count)))
    raw = np.array(draw(st.lists(st.one_of(price, st.just(float("nan"))), min_size=count, max_size=count)))
    held = np.array(draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count)), dtype=np.int64)
    places = draw(st.lists(st.integers(-2, count + 2), max_size=6, unique=True).map(sorted))
    rolls = []
    for place in places:
        old, new = draw(st.sampled_from([(None, None), ("A", "B"), ("B", "C"), ("A", "C")]))
        gap = draw(st.one_of(st.none(), price))
        rolls.append(ReferenceRoll(day(place - 1), day(place), old, new, gap, "fingerprint"))
    raw = raw if draw(st.booleans()) else np.full(count, np.nan)
    return Side(adjusted, raw, held if named else np.full(count, -1), tuple(rolls))


@given(st.data())
def test_any_two_sides_sum(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    named = data.draw(st.booleans())
    canonical, reference = data.draw(arbitrary_side(count, named)), data.draw(arbitrary_side(count, named))
    gaps = data.draw(
        st.lists(
            st.one_of(st.just(float("nan")), st.floats(-50, 50)),
            min_size=len(reference.rolls),
            max_size=len(reference.rolls),
        )
    )
    size = min(len(canonical.rolls), len(reference.rolls))
    pairs = [(i, i) for i in range(data.draw(st.integers(0, size)))]
    sessions = np.array([day(i) for i in range(count)], dtype="datetime64[D]")
    ledger = compute(
        sessions, canonical, reference, names=("A", "B", "C"), our_gaps=np.array(gaps, dtype=float), pairs=pairs
    )
    check(ledger, np.concatenate([canonical.adjusted, reference.adjusted]))


def schedule(rng: np.random.Generator, count: int, contracts: int, shift: int, skip: bool) -> tuple[np.ndarray, list]:
    """Held contract per session and rolls (first session, old, new) around evenly spaced expiries."""
    step = count // contracts
    held = np.zeros(count, dtype=np.int64)
    rolls = []
    current = 0
    for k in range(1, contracts):
        if skip and k < contracts - 1 and rng.random() < 0.2:
            continue
        at = k * step - 3 + int(rng.integers(-shift, shift + 1))
        at = max(at, rolls[-1][0] + 1 if rolls else 1)
        if at >= count:
            break
        held[at:] = k
        rolls.append((at, current, k))
        current = k
    return held, rolls


def frame(days: np.ndarray, close: np.ndarray) -> DailySeries:
    import polars as pl

    none = {"open": pl.Float64, "high": pl.Float64, "low": pl.Float64, "volume": pl.Int64, "open_interest": pl.Int64}
    out = pl.DataFrame({"session": days, "close": close}).with_columns(
        *(pl.lit(None, dtype=kind).alias(name) for name, kind in none.items()),
        pl.lit(None, dtype=pl.String).alias("contract"),
        pl.lit(0.0).alias("adjustment"),
    )
    columns = ["session", "open", "high", "low", "close", "volume", "open_interest", "contract", "adjustment"]
    return DailySeries(out.select(columns), META)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shift=st.integers(0, 6),
    skip=st.booleans(),
    noise=st.sampled_from([0.0, 0.25, 1.0]),
    defects=st.sets(st.sampled_from(["unadjusted", "wrong_gap", "restated", "holes", "offset", "wrong_contract"])),
    shipped=st.sampled_from(["both", "adjusted", "unknown"]),
)
def test_vendor_pairs_with_every_defect_sum(
    seed: int, shift: int, skip: bool, noise: float, defects: set[str], shipped: str
) -> None:
    rng = np.random.default_rng(seed)
    count, contracts = 240, 6
    days = np.array([day(i) for i in range(count)], dtype="datetime64[D]")
    base = 100 + np.cumsum(rng.normal(0, 0.5, count))
    carry = np.cumsum(rng.normal(4, 1.5, contracts))
    prices = np.round((base + carry[:, None] + rng.normal(0, 0.25, (contracts, count)).cumsum(axis=1)) / TICK) * TICK
    names = tuple(f"XH{10 + k}" for k in range(contracts))
    rows = np.repeat(np.arange(contracts), count)
    closes = ContractCloses.from_arrays(
        names, np.tile(days.astype(np.int64), contracts), rows, prices.reshape(-1)
    )  # fmt: skip

    held, rolls = schedule(rng, count, contracts, shift, skip)
    raw = prices[held, np.arange(count)]
    gaps = [prices[new, at - 1] - prices[old, at - 1] for at, old, new in rolls]
    adjusted = raw + np.array(
        [sum(g for g, (at, _, _) in zip(gaps, rolls, strict=True) if at > t) for t in range(count)]
    )
    ours = tuple(
        ReferenceRoll(day(at - 1), day(at), names[old], names[new], float(g), "canonical")
        for g, (at, old, new) in zip(gaps, rolls, strict=True)
    )

    their_held, their_rolls = schedule(rng, count, contracts, shift, skip)
    if "wrong_contract" in defects:
        their_held, their_rolls = np.full(count, contracts - 1, dtype=np.int64), []
    quoted = prices + np.round(rng.normal(0, noise, prices.shape) / TICK) * TICK
    their_raw = quoted[their_held, np.arange(count)]
    their_adjusted = their_raw.copy()
    for at, old, new in their_rolls:
        gap = quoted[new, at - 1] - quoted[old, at - 1]
        if "unadjusted" in defects and rng.random() < 0.3:
            gap = 0.0
        if "wrong_gap" in defects and rng.random() < 0.3:
            gap += float(rng.integers(-8, 9)) * TICK
        their_adjusted[:at] += gap
    if "restated" in defects:
        their_adjusted[rng.integers(0, count, 3)] += 5.0
        their_raw[rng.integers(0, count, 2)] -= 7.0
    if "offset" in defects:
        their_adjusted += 3.0
    ours_kept, theirs_kept = np.ones(count, dtype=bool), np.ones(count, dtype=bool)
    if "holes" in defects:
        ours_kept, theirs_kept = rng.random(count) > 0.05, rng.random(count) > 0.05

    reference = Reference(
        "vendor",
        frame(days[theirs_kept], their_adjusted[theirs_kept]),
        None if shipped == "adjusted" else frame(days[theirs_kept], their_raw[theirs_kept]),
    )
    found = recover(None if shipped == "unknown" else closes, reference, tick=TICK)
    assert found.contracts_known or shipped != "both" or noise > 0 or "wrong_contract" in defects or found.notes

    mine = days[ours_kept]
    shared = np.intersect1d(mine, found.sessions)
    at = np.searchsorted(found.sessions, shared)
    here = np.searchsorted(days, shared)
    pairs = [(i, i) for i in range(min(len(ours), len(found.rolls)) // 2)]
    ledger = compute(
        shared,
        Side(adjusted[here], raw[here], held[here], ours),
        Side(found.adjusted[at], found.unadjusted[at], found.contract_on_day[at], found.rolls),
        names=names,
        our_gaps=found.our_gaps,
        pairs=pairs,
    )
    assert ledger.summary.contracts_known is found.contracts_known
    check(ledger, adjusted)
