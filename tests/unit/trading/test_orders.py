"""Orders for the next open, worked by hand on a market of 10 USD a point and ticks of 0.25."""

from __future__ import annotations

from dataclasses import replace

import pytest
from order_builders import LAST, MONDAY, awaiting, bars, book, day, holding, intents, open_trade, result, terms, trigger

from ctl.errors import DataError
from ctl.model.orders import OrderSheet, RiskTerms, Roll, SymbolIntents, on_grid_down, on_grid_up
from ctl.model.trades import StrategyResult
from ctl.strategy.orders import next_session_intents
from ctl.trading.orders import order_sheet


def sheet(made: StrategyResult, given: RiskTerms | None = None, close: float = 104.75, **changed: object) -> OrderSheet:
    made_of, books = [intents(made, close, **changed)], {made.symbol: book(made, close)}
    return order_sheet(made_of, books, given).sheet


def rows(made: OrderSheet) -> list[tuple[str, str, str, str, int, float | None]]:
    return [(o.action, o.side, o.type, o.contract, o.quantity, o.price) for o in made.orders]


def test_a_confirmed_entry_says_what_to_buy_and_when_not_to() -> None:
    (order,) = sheet(awaiting(), terms()).orders
    assert (order.action, order.side, order.type, order.status) == ("enter", "buy", "market", "place")
    assert (order.symbol, order.contract, order.quantity) == ("ZZ", "ZZH26", 4)
    assert (order.session, order.as_of) == (MONDAY, day(LAST))
    # 0.1 x ATR 4 = 0.4 over the stop at 100, up to the next tick.
    assert order.no_buy_below == 100.5
    # Four contracts cost 200 USD at 5 points of risk, one at 20 points; slippage 0.25.
    assert order.full_size_up_to == 104.75
    assert order.no_buy_above == 119.75
    assert (order.risk_per_contract, order.currency) == (pytest.approx(50.0), "USD")
    assert order.r == pytest.approx(1.0)
    assert (order.stop, order.tp1, order.tp2, order.tp3) == (100.0, 112.36, 115.72, 120.0)


def test_what_follows_a_confirmed_entry_is_said_beforehand() -> None:
    text = sheet(awaiting(), terms()).standing["ZZ"]
    # Bought at 105 (close and slippage): 7.36 + 10.72 + 2 x 15 points over 4 x 5.
    assert text == (
        "buy if it opens 100.50 to 119.75 (all 4 up to 104.75, fewer above), else no trade; then sell 1 at TP1 112.50, "
        "1 at TP2 115.75, 2 at TP3 120.00 (reward to risk 2.4), or at the open after a close below 100.00"
    )
    (order,) = sheet(awaiting(), terms()).orders
    assert order.reward_to_risk == pytest.approx((7.36 + 10.72 + 30.0) / 20.0)
    assert order.risk == pytest.approx(200.0)


def test_a_tick_above_the_smallest_risk_moves_the_price_not_to_buy_below() -> None:
    made = result("ZZ", (trigger("2026-01-28", LAST, None, status="awaiting_entry", atr=1.0),))
    (order,) = sheet(made, terms()).orders
    assert order.no_buy_below == 100.25


def test_without_a_risk_table_orders_are_for_three_lots_and_say_so() -> None:
    made = sheet(awaiting())
    assert not made.governed
    assert order_sheet([], {}, None).state is None
    assert made.orders[0].quantity == 3
    assert any("size is not governed" in note for note in made.notes)


def test_a_refused_entry_stands_there_with_its_reason_and_no_size() -> None:
    (order,) = sheet(awaiting(), terms(equity=100.0)).orders
    assert (order.status, order.quantity, order.codes) == ("blocked", 0, ("SIZE_ZERO",))
    assert "not bought: one contract risks 50.00 USD" in order.reason


def test_a_position_rests_its_unhit_targets_on_the_tick_grid() -> None:
    made = sheet(holding(tp1_hit=True, tp1_session=day("2026-01-28"), tp1_fill=112.36), terms())
    assert rows(made) == [
        ("target", "sell", "limit", "ZZH26", 1, 115.75),
        ("target", "sell", "limit", "ZZH26", 2, 120.0),
    ]
    assert [order.tranche for order in made.orders] == ["TP2", "TP3"]
    assert [order.r for order in made.orders] == pytest.approx([2.144, 3.0])
    assert made.standing["ZZ"] == (
        "held 3 since 2026-01-22 at 105.00; sell all at the open after a close below 100.00; no stop order rests in "
        "the market"
    )


def test_an_exit_that_is_due_sells_what_is_left_and_rests_nothing() -> None:
    made = sheet(holding(due=True, tp1_hit=True, tp1_session=day("2026-01-28"), tp1_fill=112.36), terms())
    assert rows(made) == [("exit", "sell", "market", "ZZH26", 3, None)]


def test_one_lot_that_left_at_its_target_leaves_nothing_to_do() -> None:
    made = sheet(holding(tp1_hit=True, tp1_session=day("2026-01-28"), tp1_fill=112.36), terms(equity=5_000.0))
    assert made.orders == ()
    assert "have left at their targets" in made.standing["ZZ"]


def test_a_position_that_the_budget_refused_has_no_orders() -> None:
    made = sheet(holding(), terms(equity=100.0))
    assert made.orders == ()
    assert "not in the book (one contract risks 50.00 USD" in made.standing["ZZ"]


ROLL = Roll("ZZH26", "ZZM26", 1.5, day(LAST))


def test_a_pending_roll_moves_levels_by_its_gap_and_names_the_new_contract() -> None:
    (order,) = sheet(awaiting(), terms(), roll=ROLL).orders
    assert order.contract == "ZZM26"
    assert (order.stop, order.tp1, order.tp3, order.no_buy_below) == (101.5, 113.86, 121.5, 102.0)
    assert (order.full_size_up_to, order.quantity) == (106.25, 4)


def test_a_position_rolls_and_rests_its_targets_in_the_new_contract() -> None:
    made = sheet(holding(), terms(), roll=ROLL)
    assert rows(made) == [
        ("roll", "sell", "market", "ZZH26", 4, None),
        ("roll", "buy", "market", "ZZM26", 4, None),
        ("target", "sell", "limit", "ZZM26", 1, 114.0),
        ("target", "sell", "limit", "ZZM26", 1, 117.25),
        ("target", "sell", "limit", "ZZM26", 2, 121.5),
    ]
    assert any("rolls from ZZH26 to ZZM26" in note and "+1.5" in note for note in made.notes)


def test_an_exit_that_is_due_sells_the_contract_held_before_the_roll() -> None:
    assert rows(sheet(holding(due=True), terms(), roll=ROLL)) == [("exit", "sell", "market", "ZZH26", 4, None)]


def test_an_entry_whose_open_has_passed_is_not_placed() -> None:
    (order,) = sheet(awaiting(), terms(), late=True).orders
    assert (order.status, order.codes) == ("blocked", ("OPEN_HAS_PASSED",))


def test_an_entry_whose_open_has_passed_takes_no_part_of_the_budget() -> None:
    late, timely = awaiting(), awaiting()
    items = [
        replace(intents(late, late=True), symbol="AA"),
        replace(intents(timely), symbol="BB"),
    ]
    made = order_sheet(items, {"AA": book(late), "BB": book(timely)}, terms(max_open_r=1.0))
    budget = made.state
    assert [(order.status, order.quantity) for order in made.sheet.orders] == [("blocked", 0), ("place", 4)]
    assert budget is not None
    assert budget.r_ordered == pytest.approx(1.0)


def test_while_a_symbol_cannot_be_run_no_entry_is_placed() -> None:
    made = awaiting()
    given = order_sheet([intents(made)], {"ZZ": book(made)}, terms(), missing=["YY"]).sheet
    assert given.orders[0].codes == ("BOOK_INCOMPLETE",)
    assert "YY" in given.orders[0].reason


def test_a_pending_trigger_says_above_which_close_it_confirms() -> None:
    # Bars that never move: the EMA is their close, whatever its weight.
    made = result("ZZ", (trigger("2026-01-29", None, None, status="pending"),))
    text = sheet(made, terms(), close=101.25).standing["ZZ"]
    assert "waits 2 more sessions: a next close above 101.25 confirms it" in text


def test_the_confirming_close_is_the_last_ema() -> None:
    # e = 100, then 100 + 2/11 x 11 = 102.
    made = result("ZZ", (trigger("2026-01-05", None, None, status="pending"),), last="2026-01-06", bars=2)
    found = next_session_intents(bars([100.0, 111.0]), made, contract="ZZH26", session=MONDAY, tick=0.25)
    assert found.pending[0].confirm_above == pytest.approx(102.0)


@pytest.mark.parametrize(("mode", "stop"), [(1, 100.0), (2, 105.0), (3, 104.75)])
def test_the_stop_in_force_follows_the_stop_mode_once_tp1_was_hit(mode: int, stop: float) -> None:
    held = open_trade(
        "2026-01-20", "2026-01-22", LAST, 104.75, tp1_hit=True, tp1_session=day("2026-01-28"), tp1_fill=112.36
    )
    made = result(
        "ZZ", (trigger("2026-01-20", "2026-01-21", "2026-01-22"),), (), (held,), parameters={"stop_mode": mode}
    )
    assert intents(made).positions[0].stop == pytest.approx(stop)


def test_prices_lose_what_the_last_bar_carries() -> None:
    made = result("ZZ", (trigger("2026-01-05", LAST, None, status="awaiting_entry"),), last="2026-01-06", bars=2)
    found = next_session_intents(
        bars([107.0, 107.0], adjustment=2.0), made, contract="ZZH26", session=MONDAY, tick=0.25
    )
    assert (found.entries[0].stop, found.entries[0].close) == (98.0, 105.0)


def test_bars_of_another_run_are_refused() -> None:
    with pytest.raises(DataError, match="not those of the result"):
        next_session_intents(bars([100.0]), awaiting(), contract="ZZH26", session=MONDAY, tick=0.25)


def test_orders_are_by_symbol_whatever_the_order_of_the_run() -> None:
    one, two = holding(), holding()
    items = [intents(one), intents(two)]
    named = [
        SymbolIntents(**{field: getattr(item, field) for field in SymbolIntents.__slots__} | {"symbol": symbol})
        for item, symbol in zip(items, ("BB", "AA"), strict=True)
    ]
    given = order_sheet(named, {"AA": book(one), "BB": book(two)}, None).sheet
    assert [order.symbol for order in given.orders] == ["AA"] * 3 + ["BB"] * 3


@pytest.mark.parametrize(
    ("price", "tick", "up", "down"),
    [(112.36, 0.25, 112.5, 112.25), (112.5, 0.25, 112.5, 112.5), (0.1 + 0.2, 0.1, 0.3, 0.3),
     (-37.631, 0.01, -37.63, -37.64)],
)  # fmt: skip
def test_limits_stand_on_the_tick_grid(price: float, tick: float, up: float, down: float) -> None:
    assert (on_grid_up(price, tick), on_grid_down(price, tick)) == (up, down)
