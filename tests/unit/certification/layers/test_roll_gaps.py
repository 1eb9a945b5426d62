"""L3 by hand: gap differences, and their exact split into date and price."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from tests.helpers import changed_pairs
from tests.helpers.changed_pairs import Floats

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.layers.roll_gaps import compare
from ctl.certification.layers.roll_schedule import align
from ctl.certification.window import WindowRoll

DAY = date(2020, 3, 2)
TICK = 0.5


def roll(index: int, gap: float | None, old: str | None = "XXH20", new: str | None = "XXM20") -> WindowRoll:
    day = DAY + timedelta(days=index)
    return WindowRoll(day, day + timedelta(days=1), old, new, gap, "canonical", index, index + 1, edge=False)


def closes() -> ContractCloses:
    # Days 0..3; XXH20 closes 100 101 102 103; XXM20 closes 104 106 107 (none on day 3).
    first = int(np.datetime64(DAY, "D").astype(np.int64))
    days = np.array([0, 1, 2, 3, 0, 1, 2], dtype=np.int64) + first
    contract = np.array([0, 0, 0, 0, 1, 1, 1], dtype=np.int64)
    prices = np.array([100.0, 101, 102, 103, 104, 106, 107])
    return ContractCloses.from_arrays(("XXH20", "XXM20"), days, contract, prices)


def gaps_of(own: WindowRoll, other: WindowRoll, with_closes: bool = True):  # type: ignore[no-untyped-def]
    alignment = align([own], [other], tick=TICK, max_day_delta=5)
    assert alignment.figures().n_paired == 1
    return compare(alignment, [own], [other], closes() if with_closes else ContractCloses.empty(), tick=TICK)


def test_difference_splits_into_date_and_price() -> None:
    # Ours on day 1: 106 - 101 = 5. Theirs on day 0 says 4.5; our closes there: 104 - 100 = 4.
    # Difference 0.5 = date effect 5 - 4 = 1, plus price effect 4 - 4.5 = -0.5.
    found = gaps_of(roll(1, 5.0), roll(0, 4.5))
    assert found.difference.tolist() == [0.5]
    assert found.date_effect.tolist() == [1.0]
    assert found.price_effect.tolist() == [-0.5]
    assert (found.figures.mean_gap_diff, found.figures.max_gap_diff) == (0.5, 0.5)
    assert (found.figures.mean_gap_diff_ticks, found.figures.max_gap_diff_ticks) == (1.0, 1.0)


def test_an_unknown_reference_contract_is_split_as_ours() -> None:
    assert gaps_of(roll(1, 5.0), roll(0, 4.5, None, None)).date_effect.tolist() == [1.0]


def test_what_our_closes_do_not_allow_is_not_split() -> None:
    assert np.isnan(gaps_of(roll(1, 5.0), roll(3, 4.5)).date_effect).all()
    assert np.isnan(gaps_of(roll(1, 5.0), roll(0, 4.5, "XXF20", "XXM20")).price_effect).all()
    assert np.isnan(gaps_of(roll(1, 5.0), roll(0, 4.5), with_closes=False).date_effect).all()


def test_unknown_gaps_are_left_out_of_the_means() -> None:
    own, other = [roll(1, 5.0), roll(2, 5.0)], [roll(1, None), roll(2, 2.0)]
    alignment = align(own, other, tick=TICK, max_day_delta=0)
    found = compare(alignment, own, other, closes(), tick=TICK)
    assert (found.figures.n_compared, found.figures.mean_gap_diff) == (1, 3.0)
    assert np.isnan(found.difference[0])


def test_no_pairs_no_means() -> None:
    found = compare(align([], [], tick=TICK, max_day_delta=0), [], [], closes(), tick=TICK)
    assert found.figures.mean_gap_diff is found.figures.max_gap_diff is found.figures.mean_gap_diff_ticks is None


def test_mean_is_of_sizes_not_of_signed_differences() -> None:
    own, other = [roll(1, 5.0), roll(2, 5.0)], [roll(1, 4.0), roll(2, 6.0)]
    alignment = align(own, other, tick=TICK, max_day_delta=0)
    assert compare(alignment, own, other, closes(), tick=TICK).figures.mean_gap_diff == pytest.approx(1.0)


def test_mean_and_largest_of_several_pairs() -> None:
    # |5 - 4| = 1 and |5 - 8| = 3: mean 2 and largest 3, or 4 and 6 ticks of 0.5.
    own, other = [roll(1, 5.0), roll(2, 5.0)], [roll(1, 4.0), roll(2, 8.0)]
    found = compare(align(own, other, tick=TICK, max_day_delta=0), own, other, closes(), tick=TICK)
    assert (found.figures.n_compared, found.figures.mean_gap_diff, found.figures.max_gap_diff) == (2, 2.0, 3.0)
    assert (found.figures.mean_gap_diff_ticks, found.figures.max_gap_diff_ticks) == (4.0, 6.0)
    assert found.difference.tolist() == [1.0, -3.0]
    assert (found.canonical.tolist(), found.reference.tolist()) == ([5.0, 5.0], [4.0, 8.0])
    # Our closes of both contracts on their gap sessions: 106 - 101 and 107 - 102, 5 each.
    assert (found.date_effect.tolist(), found.price_effect.tolist()) == ([0.0, 0.0], [1.0, -3.0])


def carried(factor: float, which: slice):  # type: ignore[no-untyped-def]
    """The reference's adjusted closes with some of its gaps taken times a factor."""

    def change(raw: Floats, adjusted: Floats) -> tuple[Floats, Floats]:
        spread = raw - adjusted
        steps = np.diff(spread)
        at = np.flatnonzero(np.abs(steps) >= 8 * 0.25)[which]
        for t in at.tolist():
            adjusted[: t + 1] += (factor - 1.0) * steps[t]
        return raw, adjusted

    return change


@pytest.mark.parametrize(
    ("factor", "which", "code", "rolls"),
    [
        (-1.0, slice(5, 6), "GAPS_INVERTED", 1),
        (2.0, slice(5, 8), "GAPS_DOUBLED", 3),
        (2.0, slice(None), "GAPS_DOUBLED", None),
        (1.5, slice(5, 6), "WRONG_GAPS", 1),
    ],
)
def test_a_gap_taken_otherwise_is_named(factor: float, which: slice, code: str, rolls: int | None) -> None:
    found = changed_pairs.findings(changed_pairs.with_closes(carried(factor, which)), "L3")
    assert code in found
    named = found[code]["evidence"]["rolls"]
    assert rolls is None or len(named) == rolls
    assert all(abs(row["reference_gap"] - factor * row["gap"]) <= 0.25 for row in named)


def test_no_gap_of_a_clean_pair_is_wrong() -> None:
    assert changed_pairs.findings(changed_pairs.clean_pair(), "L3") == {}
