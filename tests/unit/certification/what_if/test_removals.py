"""Removals and flips: worked by hand, and searched exhaustively by another program."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification.acceptance import Measures, evaluate
from ctl.certification.layers.ledger import Ledger, Side, compute
from ctl.certification.layers.roll_schedule import RollAlignment, RollPair, RollSchedules
from ctl.certification.what_if import removals
from ctl.certification.what_if.removals import Board, report, smallest_flip
from ctl.model.certificate import Flip
from ctl.model.rolls import ReferenceRoll

START = date(2000, 1, 1)
EVERY = 25


def day(index: int) -> date:
    return START + timedelta(days=index)


def board(
    errors: list[float],
    *,
    basis: list[float] | None = None,
    missing: tuple[int, ...] = (),
    edge: tuple[int, ...] = (),
    mismatch: bool = False,
) -> Board:
    """One roll of each side every 25 sessions; the reference's gap at roll k is wrong by -errors[k].

    So every session before roll k drifts by errors[k]. basis: same-contract difference over the sessions.
    missing: the reference steps there although its roll went unrecognised (canonical unmatched); edge: likewise,
    but too near an edge to count.
    """
    rolls = len(errors)
    count = EVERY * (rolls + 1)
    held = np.repeat(np.arange(rolls + 1), EVERY)
    names = tuple(f"K{k:02d}" for k in range(rolls + 1))
    at = [EVERY * (k + 1) for k in range(rolls)]
    raw = np.full(count, 1000.0)
    ours = tuple(ReferenceRoll(day(p - 1), day(p), names[k], names[k + 1], 0.0, "canonical") for k, p in enumerate(at))
    alone = set(missing) | set(edge)
    theirs = [k for k in range(rolls) if k not in alone]
    their_rolls = tuple(
        ReferenceRoll(day(at[k] - 1), day(at[k]), names[k], names[k + 1], -errors[k], "fingerprint") for k in theirs
    )
    offset = np.zeros(count) if basis is None else np.array(basis)
    carried = np.array([sum(errors[k] for k in theirs if at[k] > t) for t in range(count)])
    ledger = compute(
        np.array([day(t) for t in range(count)], dtype="datetime64[D]"),
        Side(raw, raw, held, ours),
        Side(raw - carried - offset, raw - offset, held, their_rolls),
        names=names,
    )
    pairs = tuple(RollPair(k, j, 0) for j, k in enumerate(theirs))
    difference = np.array([errors[k] for k in theirs])
    alignment = RollAlignment(pairs, tuple(missing), (), tuple(edge), (), 0.0)
    measures = Measures(
        shared_sessions=count,
        n_paired=len(pairs),
        unmatched_canonical=len(missing),
        unmatched_reference=0,
        mean_gap_diff=float(np.abs(difference).mean()) if len(difference) else None,
        mean_drift=float(np.abs(ledger.drift).mean()),
        tick=0.25,
    )
    return Board(measures, ledger, RollSchedules(alignment, mismatch), difference, "points")


def unit_drift(ledger: Ledger, unit: str) -> np.ndarray:
    """What a unit contributes to the drift."""
    blocks = {block.unit: block for block in ledger.blocks}
    return ledger.unit_drift_of(blocks[unit]) if unit in blocks else ledger.dense[unit]


def errors_at(rolls: int, **values: float) -> list[float]:
    out = [0.0] * rolls
    for key, value in values.items():
        out[int(key.removeprefix("k"))] = value
    return out


def test_one_wrong_gap_is_named_and_its_removal_flips() -> None:
    # 24 rolls, 625 sessions; roll 19 (session 500) wrong by 8: mean drift 8 * 500 / 625 = 6.4 > 5.
    given_board = board(errors_at(24, k19=8.0))
    found = report(given_board)
    assert given_board.measures.mean_drift == pytest.approx(6.4)
    assert found.smallest_flip == Flip(
        units=("block:K19>K20",), size=1, exact=True, decision="ACCEPT", mean_drift=0.0,
        mean_gap_diff=0.0, n_paired=24, remaining=(),
    )  # fmt: skip
    assert found.flips_by_check == {"MEAN_DRIFT": found.smallest_flip}
    (removal,) = found.removals
    assert (removal.unit, removal.decision, removal.mean_drift) == ("block:K19>K20", "ACCEPT", 0.0)
    # The gap difference of the pair goes with it: 8 / 24 before, 0 / 24 after.
    assert given_board.measures.mean_gap_diff == pytest.approx(8 / 24)
    assert removal.mean_gap_diff == 0.0


def test_what_is_left_of_gaps_and_drift_after_a_removal() -> None:
    # 9 before session 375 and 4 before session 500, over 24 pairs: gap differences 13 / 24.
    first, second = report(board(errors_at(24, k14=9.0, k19=4.0))).removals
    assert (first.unit, first.n_paired, first.unmatched_share) == ("block:K14>K15", 24, 0.0)
    assert first.mean == pytest.approx(9 * 375 / 625)
    assert first.mean_gap_diff == pytest.approx(4 / 24)
    assert first.mean_drift == pytest.approx(4 * 500 / 625)
    assert second.mean_gap_diff == pytest.approx(9 / 24)
    assert (first.reasons, second.reasons) == ((), ("MEAN_DRIFT",))


def with_spare_steps(steps: list[int]) -> Board:
    """24 pairs without a gap difference, and steps of 1 of the reference alone, each within one contract."""
    plain = board(errors_at(24))
    count, rolls = 625, 24
    held = np.repeat(np.arange(rolls + 1), EVERY)
    names = tuple(f"K{k:02d}" for k in range(rolls + 1))
    own = [
        ReferenceRoll(day(EVERY * k - 1), day(EVERY * k), names[k - 1], names[k], 0.0, "canonical")
        for k in range(1, 25)
    ]
    spare = [ReferenceRoll(day(at - 1), day(at), None, None, 1.0, "spread_step") for at in steps]
    other = sorted([*own, *spare], key=lambda roll: roll.roll_date)
    raw = np.full(count, 1000.0)
    carried = np.array([sum(at > t for at in steps) for t in range(count)], dtype=float)
    ledger = compute(
        np.array([day(t) for t in range(count)], dtype="datetime64[D]"),
        Side(raw, raw, held, tuple(own)),
        Side(raw + carried, raw, held, tuple(other)),
        names=names,
    )
    place = {roll.roll_date: j for j, roll in enumerate(other)}
    pairs = tuple(RollPair(i, place[roll.roll_date], 0) for i, roll in enumerate(own))
    alone = tuple(j for j, roll in enumerate(other) if roll.to_contract is None)
    alignment = RollAlignment(pairs, (), alone, (), (), 0.0)
    measures = Measures(count, 24, 0, len(alone), 0.0, float(np.abs(ledger.drift).mean()), 0.25)
    return Board(measures, ledger, RollSchedules(alignment, rule_mismatch=False), np.zeros(24), plain.quote_unit)


def test_removing_a_step_of_the_reference_alone_makes_a_pair_of_it() -> None:
    # 5 steps against 24 pairs: fail share 20.8 %. One removed: 4 / 25 = 16 %; two: 3 / 26 = 11.5 %.
    found = report(with_spare_steps([60, 110, 160, 210, 260]))
    # The steps that carry furthest leave the least drift.
    assert found.smallest_flip.units == ("block:K08>K08", "block:K10>K10")
    assert found.smallest_flip.n_paired == 26
    removal = found.removals[0]
    assert (removal.unit, removal.n_paired, removal.fail_share) == ("block:K10>K10", 25, 4 / 25)
    assert removal.unmatched_share == pytest.approx(4 / 54)
    assert removal.reasons == ("FAIL_SHARE",)


def test_policy_v2_measures_what_stays_unexplained_of_the_drift_that_is_left() -> None:
    # Gaps wrong by 8 before session 500 beside a residual of 1 on sessions 0 to 299: the residual is 300 of
    # 4300 = 7 % of the summed drift, all of it once the block is removed, and nothing once it goes itself.
    given_board = board(errors_at(24, k19=8.0))
    residual = np.where(np.arange(625) < 300, 1.0, 0.0)
    ledger = replace(given_board.ledger, drift=given_board.ledger.drift + residual, reference_residual=residual)
    measures = replace(
        given_board.measures, mean_drift=float(np.abs(ledger.drift).mean()), atr=100.0, unexplained_share=300 / 4300,
        rebuilt_decision="ACCEPT", tick=1.0,
    )  # fmt: skip
    found = report(replace(given_board, ledger=ledger, measures=measures, policy="v2"))
    by_unit = {removal.unit: removal for removal in found.removals}
    assert by_unit["block:K19>K20"].reasons == ("UNEXPLAINED_SHARE",)
    assert by_unit["reference_residual"].reasons == ()


def test_policy_v2_takes_the_larger_drift_where_the_smaller_leaves_too_much_unexplained() -> None:
    # Gaps wrong by 24 before session 500 and by 12 before session 375, and a residual of 1 on sessions 0 to 299:
    # 12000 + 4500 + 300 over 625 is 26.88 ticks. Without the first block 4800 are left, 7.68 a session, of which the
    # residual is 6.25 %; without the second 12300, 19.68 a session, of which it is 2.4 %.
    given_board = board(errors_at(24, k19=24.0, k14=12.0))
    residual = np.where(np.arange(625) < 300, 1.0, 0.0)
    ledger = replace(given_board.ledger, drift=given_board.ledger.drift + residual, reference_residual=residual)
    measures = replace(
        given_board.measures, mean_drift=float(np.abs(ledger.drift).mean()), atr=100.0, unexplained_share=300 / 16800,
        rebuilt_decision="ACCEPT", tick=1.0,
    )  # fmt: skip
    found = report(replace(given_board, ledger=ledger, measures=measures, policy="v2"))
    by_unit = {removal.unit: removal.reasons for removal in found.removals}
    assert (by_unit["block:K19>K20"], by_unit["block:K14>K15"]) == (("UNEXPLAINED_SHARE",), ())
    flip = found.smallest_flip
    assert (flip.units, flip.exact, flip.decision) == (("block:K14>K15",), True, "ACCEPT")
    assert flip.mean_drift == pytest.approx(19.68)


def test_of_several_single_flips_the_least_drift_wins() -> None:
    # 9 before session 375 and 4 before session 500: 9 * 375 + 4 * 500 = 5375 over 625 is 8.6.
    # Without the first 3.2, without the second 5.4: only the first flips.
    found = report(board(errors_at(24, k14=9.0, k19=4.0)))
    assert found.smallest_flip.units == ("block:K14>K15",)
    assert found.smallest_flip.mean_drift == pytest.approx(3.2)


def test_two_blocks_are_found_exactly() -> None:
    # Three errors of 7 before sessions 550, 575, 600: each contributes at least 6.16, one alone still breaches.
    found = report(board(errors_at(24, k21=7.0, k22=7.0, k23=7.0))).smallest_flip
    # Left: 7 * 600 / 625 = 6.72 or 6.44 or 6.16, all above 5: two are not enough, three are.
    assert (found.size, found.exact, found.decision) == (3, False, "ACCEPT")
    found = report(board(errors_at(24, k7=7.0, k22=7.0, k23=7.0))).smallest_flip
    # Two of them: leaving the one before session 200 gives 7 * 200 / 625 = 2.24.
    assert (found.units, found.exact) == (("block:K22>K23", "block:K23>K24"), True)
    assert found.mean_drift == pytest.approx(2.24)


def test_basis_is_a_unit() -> None:
    # The same-contract difference is -6 until the last segment and nothing after: D = -6 on 600 of 625 sessions.
    found = report(board(errors_at(24), basis=[6.0] * 600 + [0.0] * 25))
    assert found.smallest_flip.units == ("basis",)
    assert found.removals[0].unit == "basis"


def test_removing_unmatched_rolls_makes_pairs_of_them() -> None:
    # 30 rolls, 5 of ours without a partner: 5 / (30 + 25) = 9.1 % unmatched, 5 / 25 = 20 % fail share: REJECT.
    # One removed: 26 pairs, 4 unmatched: 4 / 26 = 15.4 %; two removed: 3 / 27 = 11.1 %.
    found = report(board(errors_at(30), missing=(3, 9, 15, 21, 27)))
    flip = found.smallest_flip
    assert (flip.size, flip.exact, flip.n_paired, flip.decision) == (2, True, 27, "ACCEPT")
    # All removals are alike but for the name.
    assert flip.units == ("block:K03>K04", "block:K09>K10")
    assert found.flips_by_check["FAIL_SHARE"].units == ("block:K03>K04", "block:K09>K10")


def test_edge_rolls_of_a_removed_block_count_as_paired() -> None:
    # 20 rolls of ours, the last at an edge: 19 pairs. Removing the edge block makes 20.
    found = report(board(errors_at(20), edge=(19,)))
    assert found.smallest_flip.units == ("block:K19>K20",)
    assert found.smallest_flip.n_paired == 20


def test_an_edge_roll_does_not_stand_in_for_one_that_counts() -> None:
    # 30 rolls of ours, one at an edge and five without a partner: 24 pairs, 5 / 24 = 20.8 % fail share. The EDGE roll
    # and one of the five: 26 pairs, 4 / 26 = 15.4 %; two of the five: 3 / 26 = 11.5 %.
    flip = report(board(errors_at(30), missing=(3, 9, 15, 21, 27), edge=(1,))).smallest_flip
    assert (flip.units, flip.exact, flip.n_paired) == (("block:K03>K04", "block:K09>K10"), True, 26)


def test_too_few_rolls_cannot_be_mended_but_the_drift_check_is_still_named() -> None:
    given_board = board(errors_at(19 - 1, k17=8.0), basis=[0.0] * (19 * EVERY))
    assert given_board.measures.shared_sessions == 475
    found = report(given_board)
    assert found.smallest_flip is None
    assert found.smallest_flip_note == "no removal can mend INSUFFICIENT_OVERLAP, PAIRED_ROLLS"
    assert found.flips_by_check["INSUFFICIENT_OVERLAP"] is None
    assert found.flips_by_check["PAIRED_ROLLS"] is None
    assert found.flips_by_check["MEAN_DRIFT"].units == ("block:K17>K18",)


def test_under_a_rule_mismatch_only_checks_are_named() -> None:
    found = report(board(errors_at(24, k19=8.0), mismatch=True))
    assert found.smallest_flip is None
    assert "different roll rules" in found.smallest_flip_note
    assert found.flips_by_check["MEAN_DRIFT"].units == ("block:K19>K20",)


def test_accept_needs_no_flip() -> None:
    flip, why = smallest_flip(board(errors_at(24, k1=1.0)))
    assert flip is None
    assert "ACCEPT already" in why


def test_no_set_of_ten_is_enough() -> None:
    # Forty alike blocks: ten of them do not bring the drift below the limit.
    flip, why = smallest_flip(board([3.0] * 40))
    assert flip is None
    assert "up to 10" in why


def test_ten_largest_units_by_mean_contribution() -> None:
    errors = [0.5 * (k + 1) for k in range(14)] + [0.0] * 10
    removals = report(board(errors)).removals
    assert [removal.unit for removal in removals] == [f"block:K{k:02d}>K{k + 1:02d}" for k in range(13, 3, -1)]


def test_what_our_series_does_not_explain_of_itself_is_removed_like_any_component() -> None:
    made = board(errors_at(24, k14=9.0))
    residual = np.zeros_like(made.ledger.drift)
    residual[:100] = 60.0
    book = replace(made.ledger, drift=made.ledger.drift + residual, canonical_residual=residual)
    own, wrong = report(replace(made, ledger=book)).removals
    assert (own.unit, own.mean) == ("canonical_residual", pytest.approx(60.0 * 100 / 625))
    # Before roll 14, on sessions 0 to 374, every close is 9.0 off: that is left of the drift.
    assert own.mean_drift == pytest.approx(9.0 * 375 / 625)
    assert wrong.unit == "block:K14>K15"


def exhaustive(given_board: Board) -> tuple[int, list[tuple[str, ...]]]:
    """Size of the smallest better set of up to two units, and every set of that size with the best rank."""
    ledger, base, alignment = given_board.ledger, given_board.measures, given_board.schedules.alignment
    order = {"REJECT": 0, "WATCH": 1, "ACCEPT": 2}
    now = order[evaluate(base, quote_unit="points")[0]]
    units = [block.unit for block in ledger.blocks] + ["basis"]
    for size in (1, 2):
        rows = []
        for chosen in combinations(units, size):
            left = ledger.drift.copy()
            paired = {pair.canonical: abs(given_board.gap_difference[n]) for n, pair in enumerate(alignment.pairs)}
            unmatched = set(alignment.unmatched_canonical)
            for unit in chosen:
                left -= unit_drift(ledger, unit)
                for block in ledger.blocks:
                    if block.unit == unit:
                        paired[block.canonical[0]] = 0.0
                        unmatched.discard(block.canonical[0])
            gaps = list(paired.values())
            measures = Measures(
                base.shared_sessions, len(gaps), len(unmatched), 0, sum(gaps) / len(gaps), float(np.abs(left).mean())
            )
            decision, reasons = evaluate(measures, quote_unit="points")
            if order[decision] > now:
                rows.append((len(reasons), round(float(np.abs(left).mean()), 6), tuple(sorted(chosen))))
        if rows:
            best = min(row[:2] for row in rows)
            return size, [row[2] for row in rows if row[:2] == best]
    return 0, []


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    wrong=st.integers(1, 6),
    missing=st.integers(0, 4),
    noise=st.sampled_from([0.0, 3.0, 8.0]),
)
def test_smallest_flip_is_that_of_an_exhaustive_search(seed: int, wrong: int, missing: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    rolls = 22
    errors = [0.0] * rolls
    for k in rng.choice(rolls, wrong, replace=False):
        errors[int(k)] = float(rng.integers(-40, 41)) / 2
    alone = tuple(sorted(int(k) for k in rng.choice(rolls, missing, replace=False)))
    basis = (np.round(rng.normal(0, noise, EVERY * (rolls + 1)) * 4) / 4).tolist()
    given_board = board(errors, basis=basis, missing=alone)
    flip, _ = smallest_flip(given_board)
    size, best = exhaustive(given_board)
    if size and given_board.measures.n_paired + missing >= 20:
        assert flip is not None
        assert flip.exact
        assert flip.units in best
    else:
        assert flip is None or not flip.exact
    if flip is not None:
        left = given_board.ledger.drift - sum(unit_drift(given_board.ledger, unit) for unit in flip.units)
        assert flip.mean_drift == pytest.approx(float(np.abs(left).mean()), abs=1e-9)


@pytest.mark.parametrize("policy", ["v1", "v2"])
def test_the_kernel_measures_as_arrays_do(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offset = np.sin(np.arange(625)).tolist()
    given_board = board(errors_at(24, k12=6.0, k15=7.0, k19=8.0, k21=-3.0), basis=offset, missing=(3, 5))
    given_board = replace(given_board, policy=policy)
    monkeypatch.setattr(removals, "FEW_FOR_ARRAYS", 10**9)
    by_arrays = report(given_board)
    monkeypatch.setattr(removals, "FEW_FOR_ARRAYS", 0)
    assert report(given_board) == by_arrays
    units = removals._Units(given_board)
    more = np.column_stack(np.triu_indices(len(units.names), k=1))
    expected = [np.abs(units.left(pair)).mean() for pair in more.tolist()]
    assert units.mean_left((), more) == pytest.approx(expected, abs=1e-12)
    for common in ((), (3,), (3, 7)):
        others = np.delete(np.arange(len(units.names)), common)[:, None]
        expected = [np.abs(units.left((*common, n))).mean() for n in others[:, 0].tolist()]
        assert units.mean_left(common, others) == pytest.approx(expected, abs=1e-12)
