"""L2 by hand: costs, statuses, EDGE rolls, ties, and the alignment against an exhaustive search."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers.changed_pairs import Floats, clean_pair, findings, sessions, with_closes

from ctl.certification.layers.roll_schedule import RollAlignment, align, rules_differ
from ctl.certification.window import WindowRoll
from ctl.power.certified_pair import certify_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

TICK = 0.25
START = date(2020, 1, 1)


def roll(index: int, *, gap: float | None = 1.0, to: str | None = None, edge: bool = False) -> WindowRoll:
    """A roll whose gap session is the union's session number `index`."""
    session = START + timedelta(days=index)
    return WindowRoll(session, session + timedelta(days=1), None, to, gap, "canonical", index, index + 1, edge)


def pairs_of(alignment: RollAlignment) -> list[tuple[int, int]]:
    return [(pair.canonical, pair.reference) for pair in alignment.pairs]


def cheapest_by_search(
    canonical: Sequence[WindowRoll], reference: Sequence[WindowRoll], limit: int | None
) -> list[tuple[int, int]]:
    """Every order-preserving matching, priced in whole hundredths of a cost; the smallest list among the cheapest."""
    best: tuple[int, list[tuple[int, int]]] | None = None
    rows, columns = range(len(canonical)), range(len(reference))
    for count in range(min(len(canonical), len(reference)) + 1):
        for chosen_rows in itertools.combinations(rows, count):
            for chosen_columns in itertools.combinations(columns, count):
                matching = list(zip(chosen_rows, chosen_columns, strict=True))
                cost = 5000 * (len(canonical) + len(reference) - 2 * count)
                allowed = True
                for i, j in matching:
                    own, other = canonical[i], reference[j]
                    days = abs(own.gap_index - other.gap_index)
                    contracts = {own.to_contract, other.to_contract} - {None}
                    allowed &= (limit is None or days <= limit) and len(contracts) <= 1
                    cost += 100 * days
                    if own.gap is not None and other.gap is not None:
                        cost += round(abs(own.gap - other.gap) / TICK)
                if allowed and (best is None or (cost, matching) < best):
                    best = (cost, matching)
    assert best is not None
    return best[1]


def rolls_of(draw: st.DrawFn, contracts: bool) -> list[WindowRoll]:
    indices = draw(st.lists(st.integers(0, 40), max_size=5, unique=True).map(sorted))
    names = st.sampled_from([None, "XH20", "XM20", "XU20"]) if contracts else st.none()
    gaps = st.one_of(st.none(), st.integers(-8, 8).map(lambda ticks: ticks * TICK))
    return [roll(index, gap=draw(gaps), to=draw(names)) for index in indices]


@st.composite
def schedules(draw: st.DrawFn) -> tuple[list[WindowRoll], list[WindowRoll], int | None]:
    contracts = draw(st.booleans())
    return rolls_of(draw, contracts), rolls_of(draw, contracts), draw(st.one_of(st.none(), st.integers(0, 6)))


@given(schedules())
@settings(max_examples=300, deadline=None)
def test_alignment_is_the_smallest_of_the_cheapest_matchings(
    case: tuple[list[WindowRoll], list[WindowRoll], int | None],
) -> None:
    canonical, reference, limit = case
    alignment = align(canonical, reference, tick=TICK, max_day_delta=limit)
    assert pairs_of(alignment) == cheapest_by_search(canonical, reference, limit)


@given(schedules())
@settings(max_examples=200, deadline=None)
def test_alignment_keeps_order_and_never_pairs_beyond_the_limit(
    case: tuple[list[WindowRoll], list[WindowRoll], int | None],
) -> None:
    canonical, reference, limit = case
    alignment = align(canonical, reference, tick=TICK, max_day_delta=limit)
    pairs = pairs_of(alignment)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(pairs))
    assert all(limit is None or abs(pair.day_delta) <= limit for pair in alignment.pairs)
    assert sorted([i for i, _ in pairs] + [*alignment.unmatched_canonical]) == list(range(len(canonical)))
    assert sorted([j for _, j in pairs] + [*alignment.unmatched_reference]) == list(range(len(reference)))


def test_statuses_and_signed_deltas() -> None:
    # Gap sessions 100/100 (same), 160/163 (3 apart, canonical earlier: -3), 220/216 (4 apart: beyond the limit of 3).
    alignment = align([roll(100), roll(160), roll(220)], [roll(100), roll(163), roll(216)], tick=TICK, max_day_delta=3)
    assert [pair.status for pair in alignment.pairs] == ["PASS", "WATCH"]
    assert alignment.figures().day_delta_histogram == {"-3": 1, "0": 1}
    assert (alignment.figures().n_pass, alignment.figures().n_watch, alignment.figures().n_paired) == (1, 1, 2)
    assert (alignment.figures().n_canonical, alignment.figures().n_reference, alignment.figures().n_fail) == (3, 3, 2)
    # Cost: 0 + 3 * 1.0 + 2 * 50.
    assert alignment.cost == pytest.approx(103.0)
    assert alignment.figures().unmatched_share == pytest.approx(2 / 6)
    assert alignment.figures().strict_status == "FAIL"
    assert alignment.figures().policy_status == "FAIL"


def test_limit_is_inclusive() -> None:
    assert align([roll(100)], [roll(103)], tick=TICK, max_day_delta=3).figures().n_paired == 1
    assert align([roll(100)], [roll(104)], tick=TICK, max_day_delta=3).figures().n_paired == 0


def test_gap_decides_between_equally_distant_partners() -> None:
    # Both references are one session away; the second has the canonical gap (cost 1.00 against 1.00 + 0.01 * 8).
    alignment = align([roll(100, gap=3.0)], [roll(99, gap=1.0), roll(101, gap=3.0)], tick=TICK, max_day_delta=3)
    assert pairs_of(alignment) == [(0, 1)]


def test_equal_costs_take_the_smallest_list() -> None:
    alignment = align([roll(100)], [roll(99), roll(101)], tick=TICK, max_day_delta=3)
    assert pairs_of(alignment) == [(0, 0)]


def test_a_pair_that_costs_as_much_as_two_lone_rolls_is_not_made() -> None:
    # 0.01 * 10,000 ticks = 100 = 2 * 50: both lists cost the same and the empty one is the smaller.
    apart = 10_000 * TICK
    assert align([roll(50, gap=0.0)], [roll(50, gap=apart)], tick=TICK, max_day_delta=3).figures().n_paired == 0
    assert align([roll(50, gap=0.0)], [roll(50, gap=apart - TICK)], tick=TICK, max_day_delta=3).figures().n_paired == 1


def test_known_contracts_must_agree_and_unknown_ones_may_pair() -> None:
    assert align([roll(50, to="XH20")], [roll(50, to="XM20")], tick=TICK, max_day_delta=3).figures().n_paired == 0
    assert align([roll(50, to="XH20")], [roll(50, to=None)], tick=TICK, max_day_delta=3).figures().n_paired == 1


def test_edge_rolls_count_only_where_they_pair() -> None:
    canonical = [roll(5, edge=True), roll(60), roll(120)]
    alignment = align(canonical, [roll(60), roll(120)], tick=TICK, max_day_delta=3)
    assert alignment.edge_canonical == (0,)
    assert (alignment.figures().n_canonical, alignment.figures().n_reference, alignment.figures().n_fail) == (2, 2, 0)
    assert alignment.figures().strict_status == "PASS"
    paired = align(canonical, [roll(6, edge=True), roll(60), roll(120)], tick=TICK, max_day_delta=3)
    assert (paired.figures().n_canonical, paired.figures().n_watch) == (3, 1)


def test_policy_status_allows_a_tenth_unmatched_inclusive() -> None:
    # 9 pairs and one lone roll on each side: 2 / 20 = 10 % unmatched, 2 / 11 = 18 % failed: too many failed.
    indices = range(20, 420, 40)
    canonical = [roll(index) for index in indices]
    reference = [*canonical[:-1], roll(400)]
    alignment = align(canonical, reference, tick=TICK, max_day_delta=3)
    assert (alignment.figures().n_paired, alignment.figures().n_fail) == (9, 2)
    assert alignment.figures().policy_status == "FAIL"
    # 18 pairs and one lone canonical roll: 1 / 37 unmatched, 1 / 19 failed.
    longer = [roll(index) for index in range(20, 20 + 19 * 40, 40)]
    alignment = align(longer, longer[:-1], tick=TICK, max_day_delta=3)
    assert (alignment.figures().strict_status, alignment.figures().policy_status) == ("FAIL", "WATCH")


def test_no_roll_on_either_side_is_no_pass() -> None:
    alignment = align([], [], tick=TICK, max_day_delta=3)
    assert alignment.figures().strict_status == alignment.figures().policy_status == "FAIL"
    assert alignment.figures().unmatched_share is None


def test_different_roll_rules_are_told_from_missing_rolls() -> None:
    names = ["XH20", "XM20", "XU20", "XZ20"]
    canonical = [roll(60 * k + 50, to=name) for k, name in enumerate(names)]
    earlier = [roll(60 * k + 40, to=name) for k, name in enumerate(names)]
    alignment = align(canonical, earlier, tick=TICK, max_day_delta=3)
    assert alignment.figures().n_paired == 0
    assert rules_differ(alignment, canonical, earlier, tick=TICK, max_day_delta=3)
    # Exactly half of the rolls elsewhere is not more than half.
    half = earlier[:2] + canonical[2:]
    alignment = align(canonical, half, tick=TICK, max_day_delta=3)
    assert alignment.figures().n_paired == 2
    assert not rules_differ(alignment, canonical, half, tick=TICK, max_day_delta=3)
    # Rolls without contracts cannot show a rule.
    unknown = [roll(60 * k + 40) for k in range(4)]
    alignment = align(canonical, unknown, tick=TICK, max_day_delta=3)
    assert not rules_differ(alignment, canonical, unknown, tick=TICK, max_day_delta=3)


def test_half_of_the_larger_side_is_what_tells_a_rule() -> None:
    # Three of ours pair by contract ten sessions apart; the other side has five rolls, then six.
    names = ["XH20", "XM20", "XU20"]
    canonical = [roll(60 * k + 50, to=name) for k, name in enumerate(names)]
    larger = [roll(60 * k + 40, to=name) for k, name in enumerate(names)] + [roll(300), roll(360), roll(420)]
    for count, differs in ((5, True), (6, False)):
        reference = larger[:count]
        for own, other in ((canonical, reference), (reference, canonical)):
            alignment = align(own, other, tick=TICK, max_day_delta=3)
            assert {alignment.figures().n_canonical, alignment.figures().n_reference} == {3, count}
            assert rules_differ(alignment, own, other, tick=TICK, max_day_delta=3) is differs


def test_edge_rolls_tell_no_rule() -> None:
    # Two EDGE rolls of each side and one of the two that count lie ten sessions apart: one of two is not over half.
    names = ["XH20", "XM20", "XU20", "XZ20"]
    edges = (True, True, False, False)
    canonical = [roll(60 * k + 50, to=names[k], edge=edges[k]) for k in range(4)]
    reference = [roll(60 * k + 40, to=names[k], edge=edges[k]) for k in range(3)] + [roll(230, to="XZ20")]
    alignment = align(canonical, reference, tick=TICK, max_day_delta=3)
    assert (alignment.figures().n_paired, alignment.figures().n_canonical, alignment.figures().n_reference) == (1, 2, 2)
    assert (alignment.edge_canonical, alignment.edge_reference) == ((0, 1), (0, 1))
    assert not rules_differ(alignment, canonical, reference, tick=TICK, max_day_delta=3)


def test_a_distance_at_the_limit_is_within_it() -> None:
    canonical = [roll(50, to="XH20"), roll(51, to="XM20"), roll(52, to="XU20")]
    reference = [roll(53, to="XH20"), roll(54, to="XM20"), roll(55, to="XU20")]
    alignment = align(canonical, reference, tick=TICK, max_day_delta=3)
    assert (alignment.figures().n_paired, alignment.figures().n_fail, alignment.figures().n_watch) == (3, 0, 3)
    assert not rules_differ(alignment, canonical, reference, tick=TICK, max_day_delta=3)


def test_rolls_that_pair_far_with_edge_rolls_tell_a_rule() -> None:
    # Ours has five rolls that count; two pair on the spot, three by contract ten sessions off with EDGE rolls.
    names = ["XH20", "XM20", "XU20", "XZ20", "XH21"]
    canonical = [roll(60 * k + 50, to=name) for k, name in enumerate(names)]
    reference = [*canonical[:2], *(roll(60 * k + 60, to=names[k], edge=True) for k in (2, 3, 4))]
    for own, other in ((canonical, reference), (reference, canonical)):
        alignment = align(own, other, tick=TICK, max_day_delta=3)
        assert sorted((alignment.figures().n_canonical, alignment.figures().n_reference)) == [2, 5]
        assert rules_differ(alignment, own, other, tick=TICK, max_day_delta=3)


@pytest.mark.parametrize(("later", "named"), [(3, False), (8, True)])
def test_contracts_held_apart_beyond_the_day_limit_are_named(later: int, named: bool) -> None:
    """The reference's newest roll is so many sessions later, its gap taken there."""
    roll = certify_pair(clean_pair()).document["reference_rolls"][-1]
    at = sessions().index(roll["roll_date"])
    span = pl.col("session").is_in([date.fromisoformat(day) for day in sessions()[at - 1 : at + later]])
    bars = clean_pair().contracts.frame.filter(span)
    old, new = (
        bars.filter(pl.col("contract") == roll[side])["close"].to_numpy() for side in ("from_contract", "to_contract")
    )
    gap, late = (new - old)[[0, -1]]

    def rolls_late(raw: Floats, adjusted: Floats) -> tuple[Floats, Floats]:
        raw[at : at + later] = old[1:]
        adjusted[:at] += late - gap
        adjusted[at : at + later] = old[1:] + late
        return raw, adjusted

    found = findings(with_closes(rolls_late), "L2")
    assert ("CONTRACTS_APART" in found) == named
    if named:
        assert found["CONTRACTS_APART"]["evidence"]["stretches"] == [
            {"canonical": roll["to_contract"], "reference": roll["from_contract"], "first": sessions()[at],
             "last": sessions()[at + later - 1], "sessions": later}
        ]  # fmt: skip
