"""Isolated prints: what leaves its neighbours, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from ctl.certification.layers import prints

DAYS = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + 2000)


def found(apart: np.ndarray, *, tick: float = 0.25, atr: float = 4.0) -> prints.Prints:
    own = 100.0 + np.cumsum(np.resize([1.0, -1.0], apart.size))
    return prints.isolated_prints(apart, own, tick=tick, atr=atr)


def at(*places: int, size: float = 10.0, count: int = 2000) -> np.ndarray:
    out = np.zeros(count)
    out[list(places)] = size
    return out


def test_equal_closes_hold_no_print() -> None:
    assert found(np.zeros(2000)).at.size == 0


def test_a_print_is_found_with_its_size() -> None:
    one = found(at(700))
    assert one.at.tolist() == [700]
    assert one.off.tolist() == [10.0]
    assert one.ours.tolist() == [False]


@pytest.mark.parametrize(("size", "count"), [(2.0, 0), (2.01, 1), (-2.01, 1)])
def test_the_limit_is_half_an_atr_and_four_ticks(size: float, count: int) -> None:
    assert found(at(700, size=size)).at.size == count  # 0.5 * 4.0 = 2.0 > 4 * 0.25
    assert found(at(700, size=size * 2.0), tick=1.0).at.size == count  # 4 ticks = 4.0


def test_two_in_a_row_are_no_single_close() -> None:
    assert found(at(700, 701)).at.size == 0


def test_the_first_and_the_newest_session_have_one_neighbour_only() -> None:
    assert found(at(0)).at.size == 0
    assert found(at(1999)).at.size == 0


def test_noise_raises_the_limit() -> None:
    noise = np.random.default_rng(4).normal(0.0, 3.0, 2000)
    assert found(noise).at.size == 0
    noise[900] += 100.0
    assert found(noise).at.tolist() == [900]


def test_a_basis_that_moves_slowly_is_no_print() -> None:
    assert found(np.linspace(0.0, 300.0, 2000)).at.size == 0


def test_the_side_that_left_its_neighbours_is_told() -> None:
    own = np.full(2000, 100.0)
    own[700] = 90.0
    apart = 100.0 - own
    assert prints.isolated_prints(apart, own, tick=0.25, atr=4.0).ours.tolist() == [True]


@pytest.mark.parametrize(("places", "status"), [((700,), "PASS"), ((700, 800), "PASS"), ((700, 800, 900), "WATCH"),
                                                ((1939,), "PASS"), ((1940,), "WATCH")])  # fmt: skip
def test_a_share_of_a_thousandth_or_one_in_the_last_sixty_warns(places: tuple[int, ...], status: str) -> None:
    apart = at(*places)
    finding = prints.check(found(apart), DAYS, np.full(2000, 100.0), apart)
    assert finding.status == status
    assert finding.code == ("ISOLATED_PRINTS" if status == "WATCH" else None)
