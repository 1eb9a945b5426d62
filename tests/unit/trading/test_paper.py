"""Orders settled on bars, worked by hand: stop 100, targets 110, 115, 120, slippage 0.5."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from order_builders import open_trade, result, trade, trigger

from ctl.errors import DataError
from ctl.model.paper import LedgerRecord, PaperEntry, PaperTrade, RefusedEntry
from ctl.model.trades import StrategyResult
from ctl.trading import paper

COSTS = paper.Costs(0.5, 0.25)
FIRST = date(2026, 1, 5)
RUN = datetime(2026, 2, 1, tzinfo=UTC)
ENTRY = PaperEntry(date(2026, 1, 1), 100.0, (110.0, 115.0, 120.0), 1.0, None, live=True)


def bar(number: int, o: float, h: float, low: float, c: float, gap: float = 0.0, contract: str = "ZZH26") -> paper.Bar:
    return paper.Bar(FIRST + timedelta(number), contract, o, h, low, c, gap, f"history {number}")


def walk(*bars: paper.Bar) -> tuple[list[paper.Settled], paper.State]:
    """The entry ordered before the first bar, settled on each."""
    state, made = paper.State((ENTRY,)), []
    for one in bars:
        settled = paper.settle("ZZ", state, one, COSTS)
        made.append(settled)
        state = settled.state
    return made, state


def test_an_entry_fills_at_the_open_plus_slippage_and_nothing_else_happens_that_day() -> None:
    (made,), state = walk(bar(0, 104.5, 125.0, 95.0, 99.0))
    (position,) = state.positions
    assert (position.entry_price, position.risk, position.due) == (105.0, 5.0, False)
    assert position.hit == (None, None, None)
    assert not made.closed
    assert not made.refused


@pytest.mark.parametrize(
    ("opened", "reason"),
    [(100.0, "entry_at_or_below_stop"), (99.0, "entry_at_or_below_stop"), (100.75, "risk_too_small")],
)
def test_an_open_too_near_to_the_stop_is_no_trade(opened: float, reason: Any) -> None:
    (made,), state = walk(bar(0, opened, 110.0, 90.0, 105.0))
    assert made.refused == (RefusedEntry(date(2026, 1, 1), reason),)
    assert state == paper.State()


def test_an_open_at_the_smallest_risk_is_bought() -> None:
    _, state = walk(bar(0, 101.0, 102.0, 100.0, 101.0))
    assert state.positions[0].entry_price == 101.5


def test_targets_fill_at_the_better_of_limit_and_open() -> None:
    made, state = walk(
        bar(0, 104.5, 106.0, 104.0, 105.0), bar(1, 112.0, 113.0, 111.0, 112.0), bar(2, 113.0, 120.0, 113.0, 119.0)
    )
    # (112 - 105)/5, (115 - 105)/5, (120 - 105)/5 over three.
    (closed,) = made[2].closed
    assert closed.r_theoretical == pytest.approx((1.4 + 2.0 + 3.0) / 3)
    assert (closed.exit_reason, closed.exit_price) == ("TP3", 120.0)
    assert closed.targets == (date(2026, 1, 6), date(2026, 1, 7), date(2026, 1, 7))
    assert state == paper.State()


def test_a_close_below_the_stop_sells_at_the_next_open_less_slippage() -> None:
    made, _ = walk(
        bar(0, 104.5, 106.0, 104.0, 105.0), bar(1, 104.0, 105.0, 98.0, 99.75), bar(2, 97.5, 130.0, 97.0, 129.0)
    )
    assert not made[1].closed
    (closed,) = made[2].closed
    assert (closed.exit_session, closed.exit_reason, closed.exit_price) == (date(2026, 1, 7), "Stop", 97.0)
    assert closed.r_theoretical == pytest.approx(-8.0 / 5.0)


def test_a_low_or_a_close_at_the_stop_sells_nothing() -> None:
    _, state = walk(bar(0, 104.5, 106.0, 104.0, 105.0), bar(1, 104.0, 105.0, 90.0, 100.0))
    assert not state.positions[0].due


def test_targets_fill_first_where_the_same_day_closes_below_the_stop() -> None:
    made, _ = walk(bar(0, 104.5, 106.0, 104.0, 105.0), bar(1, 104.0, 110.0, 98.0, 99.0), bar(2, 98.5, 99.0, 97.0, 98.0))
    (closed,) = made[2].closed
    assert closed.r_theoretical == pytest.approx((1.0 - 1.4 - 1.4) / 3)
    assert closed.targets == (date(2026, 1, 6), None, None)


def test_a_day_that_hits_every_target_and_closes_below_the_stop_is_over() -> None:
    made, state = walk(bar(0, 104.5, 106.0, 104.0, 105.0), bar(1, 104.0, 121.0, 98.0, 99.0))
    assert made[1].closed[0].exit_reason == "TP3"
    assert state == paper.State()


def test_a_roll_moves_everything_by_its_gap_and_no_result() -> None:
    plain, _ = walk(
        bar(0, 104.5, 106.0, 104.0, 105.0), bar(1, 109.0, 111.0, 108.0, 109.0), bar(2, 103.0, 104.0, 98.0, 99.0),
        bar(3, 98.5, 99.0, 97.0, 98.0),
    )  # fmt: skip
    rolled, _ = walk(
        bar(0, 104.5, 106.0, 104.0, 105.0), bar(1, 109.0, 111.0, 108.0, 109.0),
        bar(2, 106.3, 107.3, 101.3, 102.3, gap=3.3, contract="ZZM26"),
        bar(3, 101.8, 102.3, 100.3, 101.3, contract="ZZM26"),
    )  # fmt: skip
    before, after = plain[3].closed[0], rolled[3].closed[0]
    assert after.r_theoretical == pytest.approx(before.r_theoretical)
    assert after.contract == "ZZM26"
    assert after.entry_price == pytest.approx(108.3)
    assert after.targets == before.targets


def test_an_entry_moves_with_a_roll_at_its_open() -> None:
    _, state = walk(bar(0, 107.8, 109.0, 107.0, 108.0, gap=3.3))
    assert state.positions[0].risk == pytest.approx(5.0)


# ---------------------------------------------------------------- records


def ledger(*bars: paper.Bar, orders: int = 0) -> tuple[bytes, paper.Ledger]:
    """A ledger of these bars; the entry is decided on the close of bar number `orders`."""
    state, made = paper.State(), []
    for number, one in enumerate(bars):
        decided = [ENTRY] if number == orders else []
        line = paper.record("ZZ", state, one, decided, COSTS, instant=RUN)
        state = paper.state_after(line)
        made.append(line)
    data = paper.lines(made)
    return data, paper.read(data, "ledger.jsonl")


def records(*bars: paper.Bar, orders: int = 0) -> tuple[LedgerRecord, ...]:
    return ledger(*bars, orders=orders)[1].records["ZZ"]


BARS = (
    bar(0, 103.0, 104.0, 102.0, 103.0),
    bar(1, 104.5, 106.0, 104.0, 105.0),
    bar(2, 104.0, 110.0, 98.0, 99.0),
    bar(3, 98.5, 99.0, 97.0, 98.0),
)


def test_what_is_read_is_what_was_written() -> None:
    data, held = ledger(*BARS)
    assert paper.lines(held.records["ZZ"]) == data
    assert held.last_session("ZZ") == FIRST + timedelta(3)
    assert held.last_session("YY") is None


def test_a_ledger_read_half_way_goes_on_as_if_it_had_not_been() -> None:
    for cut in range(1, 4):
        _, held = ledger(*BARS[:cut])
        state = held.state("ZZ")
        closed: list[PaperTrade] = []
        for one in BARS[cut:]:
            line = paper.record("ZZ", state, one, [], COSTS, instant=RUN)
            state = paper.state_after(line)
            closed += line.closed
        assert closed == [trade for line in records(*BARS) for trade in line.closed]
        assert len(closed) == 1


@pytest.mark.parametrize(
    "harm",
    [
        lambda line: line[:-20],
        lambda line: line.replace('"tp":[110.0,', '"tp":[NaN,'),
        lambda line: line.replace('"tp":[110.0,', '"tp":['),
        lambda line: line.replace('"schema_version":1', '"schema_version":2'),
        lambda line: line.replace('"session":"2026-01-05"', '"session":"2026-02-31"'),
        lambda line: line.replace('"gap":0.0,', ""),
        lambda line: line.replace('"gap":0.0,', '"gap":0.0,"gap2":0.0,'),
        lambda line: line.replace('"gap":0.0', '"gap":"0"'),
        lambda line: line.replace('"live":true', '"live":1'),
        lambda line: "[]",
        lambda line: "\x00",
    ],
)
def test_a_damaged_line_is_named(harm: object) -> None:
    data, _ = ledger(*BARS)
    first, *rest = data.decode().splitlines()
    assert callable(harm)
    harmed = harm(first)
    assert harmed != first
    with pytest.raises(DataError, match=r"ledger\.jsonl:1: the paper ledger is damaged") as caught:
        paper.read("\n".join([harmed, *rest]).encode(), "ledger.jsonl")
    assert caught.value.code == "PAPER_LEDGER_DAMAGED"


def test_a_session_that_stands_there_twice_is_damage() -> None:
    data, _ = ledger(*BARS[:1])
    with pytest.raises(DataError, match=r":2: the paper ledger is damaged"):
        paper.read(data + data, "ledger.jsonl")


# ---------------------------------------------------------------- beside the backtest


def backtest(**changed: object) -> StrategyResult:
    fields = {"tp1_hit": True, "tp1_session": date(2026, 1, 7), "tp1_fill": 110.0, "r_theoretical": -1.8 / 3, **changed}
    made = trade("2026-01-01", "2026-01-06", "2026-01-08", 98.0, **fields)
    return result(
        "ZZ",
        (trigger("2026-01-01", "2026-01-05", "2026-01-06"),),
        (made,),
        parameters={"slippage_per_side": 0.5, "tick": 0.25},
    )


HISTORY = {FIRST + timedelta(n): f"history {n}" for n in range(4)}


def test_equal_trades_are_said_to_be() -> None:
    (row,) = paper.compare(records(*BARS), backtest(), HISTORY)
    assert (row.differences, row.explanation) == ((), None)
    assert row.r_difference == pytest.approx(0.0, abs=1e-12)


def test_a_difference_on_data_that_read_otherwise_now_is_restated_data() -> None:
    (row,) = paper.compare(records(*BARS), backtest(r_theoretical=-0.5), {**HISTORY, FIRST + timedelta(2): "other"})
    assert row.differences == ("R: -0.6000 on paper, -0.5000 in the backtest",)
    assert row.explanation is not None
    assert row.explanation.startswith("RESTATED_DATA: up to 2026-01-07 ")


@pytest.mark.parametrize(("restated", "code"), [(3, "RESTATED_DATA"), (4, "UNEXPLAINED")])
def test_data_restated_after_the_exit_explain_nothing(restated: int, code: str) -> None:
    after = bar(4, 98.5, 99.0, 97.0, 98.0)
    history = {FIRST + timedelta(n): f"history {n}" for n in range(5)} | {FIRST + timedelta(restated): "other"}
    (row,) = paper.compare(records(*BARS, after), backtest(r_theoretical=-0.5), history)
    assert row.explanation is not None
    assert row.explanation.startswith(code)


def test_a_difference_on_other_costs_says_so() -> None:
    made = backtest(r_theoretical=-0.5)
    made = replace(made, parameters={**made.parameters, "slippage_per_side": 0.25})
    (row,) = paper.compare(records(*BARS), made, HISTORY)
    assert row.explanation is not None
    assert row.explanation.startswith("COSTS_CHANGED: 2026-01-05 ")


def test_a_difference_on_the_same_data_and_costs_is_unexplained() -> None:
    (row,) = paper.compare(records(*BARS), backtest(exit_reason="TP3"), HISTORY)
    assert row.differences == ("exit reason: Stop on paper, TP3 in the backtest",)
    assert row.explanation is not None
    assert row.explanation.startswith("UNEXPLAINED")


def test_a_trade_of_one_side_alone_is_a_difference() -> None:
    (only_paper,) = paper.compare(records(*BARS), replace(backtest(), trades=()), HISTORY)
    assert only_paper.differences == ("only on paper",)
    (only_backtest,) = paper.compare(records(*BARS, orders=9), backtest(), HISTORY)
    assert only_backtest.differences == ("only in the backtest",)


def test_trades_decided_before_the_ledger_or_closed_after_it_are_not_its_own() -> None:
    assert paper.compare(records(*BARS[1:], orders=9), backtest(), HISTORY) == []
    assert paper.compare(records(*BARS[:3]), backtest(), HISTORY) == []
    still = open_trade("2026-01-01", "2026-01-06", "2026-01-08", 98.0)
    assert paper.compare(records(*BARS[:3]), replace(backtest(), trades=(), open=(still,)), HISTORY) == []


def test_a_line_is_one_session() -> None:
    data, _ = ledger(*BARS)
    assert [json.loads(line)["session"] for line in data.decode().splitlines()] == [
        str(FIRST + timedelta(n)) for n in range(4)
    ]
