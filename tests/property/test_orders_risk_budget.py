"""What the risk budget promises, over random books."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_builders import book, result, terms, trade, trigger

from ctl.model.orders import Book, tranche_lots
from ctl.trading import risk

START = date(2026, 1, 1)
gaps = st.tuples(st.integers(1, 4), st.integers(1, 12), st.floats(85.0, 120.0))


@st.composite
def books(draw: st.DrawFn) -> dict[str, Book]:
    made: dict[str, Book] = {}
    for symbol in draw(st.permutations(["AA", "BB", "CC"])):
        at, triggers, trades = START, [], []
        for wait, hold, price in draw(st.lists(gaps, max_size=6)):
            decided = at + timedelta(wait)
            entered, left = decided + timedelta(1), decided + timedelta(1 + hold)
            days = [str(item) for item in (decided, entered, left)]
            changed: dict[str, Any] = {}
            if hold > 2 and price > 100:
                changed = {"tp1_session": entered + timedelta(1), "tp1_fill": 112.36}
            triggers.append(trigger(days[0], days[0], days[1]))
            trades.append(trade(*days, price, **changed))
            at = left
        made[symbol] = book(result(symbol, tuple(triggers), tuple(trades)), close=draw(st.floats(99.0, 112.0)))
    return made


budget = st.builds(
    lambda equity, cap, loss: terms(equity=equity, max_open_r=cap, max_weekly_loss_r=loss),
    st.floats(4_000.0, 60_000.0),
    st.floats(0.5, 4.0),
    st.floats(0.5, 4.0),
)


@given(books(), budget)
def test_open_risk_never_passes_its_cap_and_no_entry_risks_more_than_one_r(held: dict[str, Book], given_: Any) -> None:
    account = risk.replay(given_, held)
    for item in account.taken.values():
        assert item.lots >= 1
        assert item.lots * item.trade.risk * 10.0 <= given_.r_money * (1 + 1e-6)
    last = max((item.trade.exit_session for item in account.taken.values()), default=START)
    day = START
    while day <= last:
        used = sum(
            item.r * item.left(day) / item.lots for item in account.taken.values() if item.trade.entry_session <= day
        )
        assert used <= given_.max_open_r + 1e-6
        day += timedelta(1)


@given(books(), budget)
def test_every_entry_is_either_taken_or_refused_with_a_code(held: dict[str, Book], given_: Any) -> None:
    account = risk.replay(given_, held)
    entered = {(symbol, made.trigger_session) for symbol, item in held.items() for made in item.result.trades}
    assert account.taken.keys() | account.refused.keys() == entered
    assert not account.taken.keys() & account.refused.keys()
    assert all(made.codes and made.lots == 0 for made in account.refused.values())


@given(books(), budget)
def test_the_book_does_not_depend_on_the_order_of_the_symbols(held: dict[str, Book], given_: Any) -> None:
    turned = dict(reversed(held.items()))
    assert risk.replay(given_, held).taken == risk.replay(given_, turned).taken


@given(books(), budget, st.integers(0, 60))
def test_the_future_changes_nothing_that_was_decided(held: dict[str, Book], given_: Any, days: int) -> None:
    cut = START + timedelta(days)
    past = {
        symbol: Book(
            replace(
                item.result, triggers=tuple(t for t in item.result.triggers if (t.confirmation_session or cut) <= cut)
            ),
            item.market,
        )
        for symbol, item in held.items()
    }
    whole, known = risk.replay(given_, held), risk.replay(given_, past)
    assert {key: made for key, made in whole.taken.items() if key[1] <= cut} == known.taken


@given(books(), budget)
def test_the_curve_sums_what_the_positions_realised(held: dict[str, Book], given_: Any) -> None:
    account = risk.replay(given_, held)
    account.advance(date(2030, 1, 1))
    realised = sum(r for item in account.taken.values() for _, r in item.realised())
    assert account.total() == pytest.approx(realised)
    assert [point.session for point in account.curve] == sorted({point.session for point in account.curve})


@given(st.integers(0, 1_000))
def test_every_lot_leaves_somewhere(lots: int) -> None:
    parts = tranche_lots(lots)
    assert sum(parts) == lots
    assert all(part >= 0 for part in parts)
