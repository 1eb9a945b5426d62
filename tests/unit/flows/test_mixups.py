"""Which roots are worth comparing: those whose daily moves resemble a symbol's, whatever level, gaps or prints say."""

from __future__ import annotations

import numpy as np
import pytest

from ctl.certification.layers.identity import MIN_CHANGES
from ctl.flows import mixups
from ctl.flows.mixups import Moves

DAYS = np.arange(14_000, 14_400, dtype=np.int32)
MARKETS = {name: np.random.default_rng(seed).standard_t(4, DAYS.size) for seed, name in enumerate("ABCDE", start=1)}


def moves(changes: np.ndarray) -> np.ndarray:
    return mixups._in_usual_moves(np.asarray(changes, dtype=np.float64))


KNOWN = Moves.of({name: (DAYS, moves(changes)) for name, changes in MARKETS.items()})


def test_a_market_resembles_itself_alone() -> None:
    for name, changes in MARKETS.items():
        assert list(KNOWN.alike(DAYS, moves(changes))) == [name]


@pytest.mark.parametrize("seed", range(5))
def test_another_vendors_market_is_found_behind_gaps_noise_scale_and_lost_days(seed: int) -> None:
    """Prices in cents, a roll gap of twenty moves a month, closes a third of a move off, every fifth day gone."""
    draw = np.random.default_rng(100 + seed)
    theirs = MARKETS["C"] + np.diff(draw.normal(0, 0.3, DAYS.size + 1))
    theirs[::21] += 20.0
    kept = draw.random(DAYS.size) > 0.2
    assert list(KNOWN.alike(DAYS[kept], moves(100.0 * theirs[kept]))) == ["C"]


def test_roots_of_other_years_are_compared_where_too_few_days_tell() -> None:
    few = MIN_CHANGES - 1
    assert list(KNOWN.alike(DAYS[:few], moves(MARKETS["B"][:few]))) == list("ABCDE")
    assert list(KNOWN.alike(DAYS + 1_000, moves(MARKETS["B"]))) == list("ABCDE")


def test_unknown_changes_and_prices_that_never_move_resemble_nothing() -> None:
    assert list(KNOWN.alike(DAYS, moves(np.full(DAYS.size, np.nan)))) == list("ABCDE")
    half = np.where(DAYS % 2 == 0, MARKETS["D"], np.nan)
    assert list(KNOWN.alike(DAYS, moves(half))) == ["D"]
    assert list(Moves.of({}).alike(DAYS, moves(half))) == []
