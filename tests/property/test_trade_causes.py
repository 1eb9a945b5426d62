"""L5 by experiment on generated pairs: parts sum to what R differs by, and without a difference its part is gone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import pytest

from ctl.cli.power_command import certify
from ctl.model.bars import DailySeries
from ctl.model.certificate import Certificate
from ctl.power.vendor_pairs import DefectKind, Market, VendorPair, generate

INGREDIENTS: Final = ("rolls and gaps", "closes", "opens with highs and lows", "sessions")


def pair_with(seed: int, differences: frozenset[str]) -> VendorPair:
    """A pair whose reference differs from ours by the ingredients given, and by nothing else."""
    draw = np.random.default_rng((seed, 5))
    market = Market(seed, contracts=26, cycle=int(draw.choice([21, 42])))
    defects: dict[DefectKind, float] = {}
    if "rolls and gaps" in differences:
        defects = {"roll_shift": float(draw.integers(1, 4)), "wrong_gap": float(draw.integers(8, 60))}
    pair = generate(market, defects)
    count = pair.sessions.size
    ticks = draw.integers(-8, 9, (4, count)) * market.tick
    gone = np.zeros(count, dtype=np.bool_)
    gone[draw.permutation(np.arange(40, count - 40))[:12]] = True

    def differing(series: DailySeries) -> DailySeries:
        frame = series.frame
        if "closes" in differences:
            frame = frame.with_columns(close=pl.col("close") + ticks[0])
        if "opens with highs and lows" in differences:
            frame = frame.with_columns(
                open=pl.col("open") + ticks[1],
                high=pl.col("high") + np.abs(ticks[2]) + 8 * market.tick,
                low=pl.col("low") - np.abs(ticks[3]) - 8 * market.tick,
            )
        return replace(series, frame=frame.filter(pl.lit(~gone)) if "sessions" in differences else frame)

    reference = pair.reference
    assert reference.adjusted is not None
    assert reference.unadjusted is not None
    made = replace(reference, adjusted=differing(reference.adjusted), unadjusted=differing(reference.unadjusted))
    return replace(pair, reference=made)


def parts(certificate: Certificate) -> dict[str, np.ndarray]:
    """Per ingredient what it adds to R, trigger by trigger."""
    trades = certificate.tables["L5_trades.csv"]
    names = [*INGREDIENTS, "unexplained"]
    return {name: trades[f"r_of_{name.replace(' ', '_')}"].to_numpy() for name in names}


def check_pair(seed: int) -> set[str]:
    """Check one pair with all differences and one without each; the ingredients that moved a trade."""
    whole = certify(pair_with(seed, frozenset(INGREDIENTS)))
    figures = whole.layers.L5.values
    assert figures.moved_note is None
    assert tuple(item.name for item in figures.moved) == (*INGREDIENTS, "unexplained")
    trades = whole.tables["L5_trades.csv"]
    effect = trades["canonical_r"].fill_null(0.0) - trades["reference_r"].fill_null(0.0)
    assert np.abs(sum(parts(whole).values()) - effect.to_numpy()).max(initial=0.0) <= 1e-9
    total = figures.canonical_total_r - figures.reference_total_r
    assert sum(item.delta_r for item in figures.moved) == pytest.approx(total, abs=1e-9)
    without = INGREDIENTS[seed % len(INGREDIENTS)]
    fewer = parts(certify(pair_with(seed, frozenset(INGREDIENTS) - {without})))
    assert np.abs(fewer[without]).max(initial=0.0) <= 1e-9, without
    return {item.name for item in figures.moved if item.triggers}


@pytest.mark.parametrize("seed", range(16))
def test_parts_sum_to_the_difference_and_go_with_their_ingredient(seed: int) -> None:
    check_pair(seed)


@pytest.mark.slow
def test_two_hundred_pairs() -> None:
    moved = [check_pair(seed) for seed in range(200)]
    assert {name for names in moved for name in names} >= set(INGREDIENTS)


@pytest.mark.parametrize("name", INGREDIENTS)
def test_a_single_difference_has_all_the_parts(name: str) -> None:
    only = partial(pair_with, differences=frozenset({name}))
    told = [parts(certify(only(seed))) for seed in range(4)]
    assert sum(np.abs(it[name]).sum() for it in told) > 0.0
    for other in {*INGREDIENTS, "unexplained"} - {name}:
        assert sum(np.abs(it[other]).sum() for it in told) <= 1e-9, other
