"""L5 on small hand-made sets of triggers and trades."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from ctl.certification.functional_input import FunctionalInput, FunctionalSide
from ctl.certification.layers.functional import check, compare, strategy_input
from ctl.certification.layers.ledger import Ledger, Side, compute
from ctl.certification.request import CertifyRequest
from ctl.model.findings import NotRun
from ctl.model.rolls import ReferenceRoll

NO_LEDGER = NotRun("the drift was not measured")
START = date(2020, 1, 1)


def day(index: int) -> date:
    return START + timedelta(days=index)


def side(
    triggers: list[int], trades: dict[int, tuple[int, float]] | None = None, margins: dict[int, float] | None = None
) -> FunctionalSide:
    """A side that triggers on the days given; trades: by trigger, the day of the exit and R."""
    closed = [(trades or {}).get(trigger) for trigger in triggers]
    return FunctionalSide(
        np.array([day(trigger) for trigger in triggers], "datetime64[D]"),
        np.array([None if trade is None else day(trade[0]) for trade in closed], "datetime64[D]"),
        np.array([np.nan if trade is None else trade[1] for trade in closed]),
        {day(t): margin for t, margin in (margins or {}).items()},
    )


def given_input(canonical: FunctionalSide, reference: FunctionalSide, count: int = 100) -> FunctionalInput:
    return FunctionalInput(np.array([day(i) for i in range(count)], dtype="datetime64[D]"), canonical, reference)


def kinds(canonical: FunctionalSide, reference: FunctionalSide) -> list[tuple[str, date | None, date | None]]:
    rows = compare(given_input(canonical, reference), NO_LEDGER).rows
    return [(row.kind, row.canonical_session, row.reference_session) for row in rows]


def test_same_session_pairs_before_neighbours_do() -> None:
    # 12 pairs with 12; 10 and 14 are four apart, so they stay alone.
    assert kinds(side([10, 12]), side([12, 14])) == [
        ("mismatched", day(10), None),
        ("matched", day(12), day(12)),
        ("mismatched", None, day(14)),
    ]


def test_neighbours_pair_up_to_three_sessions_apart() -> None:
    assert kinds(side([10, 30]), side([13, 34])) == [
        ("matched", day(10), day(13)),
        ("mismatched", day(30), None),
        ("mismatched", None, day(34)),
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ({10: 0.001}, {}, "borderline"),
        ({10: 0.0011}, {}, "mismatched"),
        ({10: 0.05}, {10: -0.0004}, "borderline"),
        ({}, {}, "mismatched"),
        ({10: float("nan")}, {}, "mismatched"),
    ],
)
def test_a_near_miss_of_either_side_is_borderline(ours: dict[int, float], theirs: dict[int, float], kind: str) -> None:
    assert kinds(side([10], margins=ours), side([], margins=theirs)) == [(kind, day(10), None)]


def test_matched_trades_and_totals() -> None:
    # Delta R: 0.55 - 0.5 = 0.05 and -1 + 1.2 = 0.2; the third trade closed on one side only.
    parity = compare(
        given_input(
            side([10, 40, 70], {10: (20, 0.55), 40: (50, -1.0), 70: (80, 0.3)}),
            side([10, 41, 70], {10: (20, 0.5), 41: (52, -1.2)}),
        ),
        NO_LEDGER,
    )
    assert [row.delta_r for row in parity.rows] == [pytest.approx(0.05), pytest.approx(0.2), None]
    figures = parity.figures()
    assert (figures.n_matched, figures.n_matched_trades) == (3, 2)
    assert figures.max_delta_r == pytest.approx(0.2)
    assert figures.mean_delta_r == pytest.approx(0.125)
    assert figures.canonical_total_r == pytest.approx(-0.15)
    assert figures.reference_total_r == pytest.approx(-0.7)


def test_a_trade_that_closed_on_one_side_only_is_told_with_what_it_is_worth() -> None:
    ours = side([10, 40, 70], {10: (20, 0.5), 70: (80, -3.5)})
    theirs = side([10, 40, 70], {10: (20, 0.5), 40: (50, 0.25)})
    result = check(given_input(ours, theirs), NO_LEDGER)
    assert result.report.values.n_one_sided_trades == 2
    (told,) = [finding for finding in result.findings if finding.check == "one_sided"]
    assert (told.status, told.code, told.value) == ("WATCH", "TRADE_ON_ONE_SIDE", 3.5)
    assert [row["canonical_session"] for row in told.evidence["triggers"]] == [day(40).isoformat(), day(70).isoformat()]
    small = check(given_input(side([10], {10: (20, 0.1)}), side([10])), NO_LEDGER)
    assert (small.status, [finding.code for finding in small.findings if finding.code]) == ("PASS", [])


def test_what_moved_adds_up_to_the_difference_of_the_totals() -> None:
    """Two matched trades moved by 0.3 and 0.1, one that only we closed (-1.5), a trigger that only they have (0.4)."""
    canonical = side([45, 47, 48], {45: (55, 1.0), 47: (57, -1.5), 48: (58, 0.5)})
    reference = side([45, 47, 48, 60], {45: (55, 0.7), 48: (58, 0.4), 60: (64, 0.4)})
    parity = compare(given_input(canonical, reference), ledger())
    moved = sum(item.delta_r for item in parity.figures().moved)
    assert moved == pytest.approx(0.3 + 0.1 - 1.5 - 0.4)
    assert moved == pytest.approx(parity.canonical_total_r - parity.reference_total_r)


def codes(canonical: FunctionalSide, reference: FunctionalSide) -> tuple[str, list[str]]:
    result = check(given_input(canonical, reference), NO_LEDGER)
    return result.status, [finding.code for finding in result.findings if finding.code]


def test_findings_and_their_limits() -> None:
    twenty = list(range(0, 80, 4))
    assert codes(side(twenty), side(twenty)) == ("PASS", [])
    # One borderline of 20 is 5 %, inclusive; of 19 it is more.
    assert codes(side(twenty, margins={0: 0.0}), side(twenty[1:])) == ("PASS", [])
    assert codes(side(twenty[:19], margins={0: 0.0}), side(twenty[1:19])) == ("WATCH", ["BORDERLINE_SIGNALS"])
    assert codes(side(twenty), side(twenty[1:])) == ("WATCH", ["SIGNAL_DIVERGENCE"])
    # |delta R| of 0.1 passes although 0.8 - 0.7 is a little more in floats.
    assert codes(side([4], {4: (9, 0.8)}), side([4], {4: (9, 0.7)})) == ("PASS", [])
    assert codes(side([4], {4: (9, 0.8)}), side([4], {4: (9, 0.69)})) == ("WATCH", ["TRADE_RESULT_DIFFERS"])


def test_no_input_is_not_run_and_says_why() -> None:
    nothing = market_request()
    none = strategy_input(nothing, NotRun("no reference"))
    assert isinstance(none, NotRun)
    absent = FunctionalInput(np.empty(0, "datetime64[D]"), side([]), side([]), absent="no open, high and low")
    given = strategy_input(replace(nothing, functional=absent), NotRun("no reference"))
    assert given == NotRun("no open, high and low")
    result = check(given, NO_LEDGER)
    assert (result.status, result.text, result.measured) == ("NOT_RUN", "no open, high and low", given)


def market_request() -> CertifyRequest:
    return CertifyRequest("ES", "ES", 0.25, 3, "points", contracts=None, canonical=None, reference=None)


def test_trades_on_a_recovered_level_wait_for_the_recovery() -> None:
    def never(*given: object) -> FunctionalInput:
        raise AssertionError(given)

    waiting = replace(market_request(), run_on_recovered=never)
    assert isinstance(strategy_input(waiting, NotRun("no reference")), NotRun)


def test_no_triggers_pass_with_null_share() -> None:
    result = check(given_input(side([]), side([])), NO_LEDGER)
    assert result.status == "PASS"
    assert result.report.values.share_borderline is None
    assert result.report.values.max_delta_r is None


def ledger() -> Ledger:
    """100 sessions; a gap wrong by 2 at the roll into session 50, a basis of 1 on session 80."""
    count = 100
    held = np.repeat([0, 1], 50)
    raw = np.full(count, 500.0)
    basis = np.zeros(count)
    basis[80] = 1.0
    wrong = np.where(np.arange(count) < 50, 2.0, 0.0)
    roll = ReferenceRoll(day(49), day(50), "A", "B", 0.0, "canonical")
    other = ReferenceRoll(day(49), day(50), "A", "B", -2.0, "fingerprint")
    return compute(
        np.array([day(i) for i in range(count)], dtype="datetime64[D]"),
        Side(raw, raw, held, (roll,)),
        Side(raw - wrong - basis, raw - basis, held, (other,)),
        names=("A", "B"),
    )


def test_what_moved_within_a_trade_is_named_as_its_cause() -> None:
    # Held over the roll; held over the session of the odd basis; held while nothing changed but differing all the same.
    canonical = side([45, 75, 10], {45: (55, 1.0), 75: (85, 0.5), 10: (20, 0.2)})
    reference = side([45, 75, 10], {45: (55, 0.9), 75: (85, 0.4), 10: (20, 0.1)})
    parity = compare(given_input(canonical, reference), ledger())
    moved = {row.canonical_session: row.moved_by for row in parity.rows}
    assert moved == {day(45): "block:A>B", day(75): "basis", day(10): None}
    assert [entry.name for entry in parity.figures().moved] == ["basis", "block:A>B"]


def test_what_our_series_does_not_explain_of_itself_can_move_a_trade() -> None:
    # No roll on either side, equal raw closes: ours is the raw one times 1.01 before session 50, as ratios adjust.
    raw = np.linspace(500.0, 600.0, 100)
    sessions = np.array([day(i) for i in range(100)], dtype="datetime64[D]")
    held = np.zeros(100, dtype=np.int64)
    ours = np.where(np.arange(100) < 50, 1.01, 1.0) * raw
    book = compute(sessions, Side(ours, raw, held, ()), Side(raw, raw, held, ()), names=("A",))
    canonical, reference = side([45], {45: (55, 1.0)}), side([45], {45: (55, 0.9)})
    assert [row.moved_by for row in compare(given_input(canonical, reference), book).rows] == ["canonical_residual"]


def test_a_trigger_on_one_side_is_traced_over_what_it_looks_back_on() -> None:
    parity = compare(given_input(side([60]), side([90])), ledger())
    assert [row.moved_by for row in parity.rows] == ["block:A>B", "basis"]


def test_equal_trades_are_moved_by_nothing() -> None:
    both = side([45], {45: (55, 1.0)})
    assert [row.moved_by for row in compare(given_input(both, both), ledger()).rows] == [None]


def test_rows_tell_each_side_apart() -> None:
    canonical = side([10, 60], {10: (20, 1.0), 60: (70, 0.4)})
    reference = side([12, 90], {12: (20, 0.7), 90: (95, -1.0)})
    rows = [row.evidence() for row in compare(given_input(canonical, reference), NO_LEDGER).rows]
    assert rows == [
        {
            "class": "matched", "canonical_session": "2020-01-11", "reference_session": "2020-01-13", "margin": None,
            "canonical_r": 1.0, "reference_r": 0.7, "delta_r": pytest.approx(0.3), "moved_by": None,
        },
        {
            "class": "mismatched", "canonical_session": "2020-03-01", "reference_session": None, "margin": None,
            "canonical_r": 0.4, "reference_r": None, "delta_r": None, "moved_by": None,
        },
        {
            "class": "mismatched", "canonical_session": None, "reference_session": "2020-03-31", "margin": None,
            "canonical_r": None, "reference_r": -1.0, "delta_r": None, "moved_by": None,
        },
    ]  # fmt: skip
    (signals,) = [f for f in check(given_input(canonical, reference), NO_LEDGER).findings if f.check == "signals"]
    assert signals.value == 2.0
    assert [row["canonical_session"] for row in signals.evidence["triggers"]] == ["2020-03-01", None]


def test_moved_trades_add_up_per_cause() -> None:
    canonical = side([45, 48, 60], {45: (55, 1.0), 48: (58, 0.5)})
    reference = side([45, 48], {45: (55, 0.9), 48: (58, 0.2)})
    (moved,) = compare(given_input(canonical, reference), ledger()).figures().moved
    assert moved.name == "block:A>B"
    assert moved.delta_r == pytest.approx(0.4)
    assert moved.triggers == (day(45), day(48), day(60))


def test_a_trigger_is_traced_back_twenty_sessions_and_no_further() -> None:
    # The roll's step lies between sessions 49 and 50: in the span from 49 on, not in the one from 50 on.
    parity = compare(given_input(side([69, 70]), side([])), ledger())
    assert [row.moved_by for row in parity.rows] == ["block:A>B", None]
