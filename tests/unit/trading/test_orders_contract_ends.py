"""Orders in contracts that end, for an open that has passed, and at targets that the market has reached."""

from __future__ import annotations

from dataclasses import replace

import pytest
from order_builders import LAST, MONDAY, awaiting, book, day, holding, intents, terms

from ctl.model.bars import ContractTerms, TermSource
from ctl.model.orders import OrderSheet, Roll, SymbolIntents
from ctl.model.trades import StrategyResult
from ctl.trading.orders import order_sheet


def ends(
    last_trade: str | None, first_notice: str | None = None, source: TermSource = "column", contract: str = "ZZH26"
) -> dict[str, ContractTerms]:
    return {
        contract: ContractTerms(
            contract,
            None if last_trade is None else day(last_trade),
            None if first_notice is None else day(first_notice),
            last_trade_source="unknown" if last_trade is None else source,
            first_notice_source="none" if first_notice is None else source,
        )
    }


def sheet(made: StrategyResult, close: float = 104.75, **changed: object) -> OrderSheet:
    item: SymbolIntents = replace(intents(made, close), next_contract="ZZM26", **changed)  # type: ignore[arg-type]
    return order_sheet([item], {made.symbol: book(made, close)}, terms()).sheet


@pytest.mark.parametrize(
    ("known", "codes"),
    [
        (ends("2026-02-03"), ()),
        (ends("2026-02-02"), ("CONTRACT_EXPIRES",)),
        (ends("2026-01-30"), ("CONTRACT_EXPIRES",)),
        (ends("2026-03-20", "2026-02-03"), ()),
        (ends("2026-03-20", "2026-02-02"), ("FIRST_NOTICE",)),
    ],
)
def test_no_entry_from_the_last_trade_day_or_first_notice_on(
    known: dict[str, ContractTerms], codes: tuple[str, ...]
) -> None:
    (order,) = sheet(awaiting(), terms=known).orders
    assert (order.codes, order.status) == (codes, "blocked" if codes else "place")
    assert (order.quantity > 0) is not bool(codes)
    assert ("ZZM26" in order.reason) is bool(codes)


def test_a_refused_entry_takes_no_part_of_the_budget() -> None:
    item = replace(intents(awaiting()), terms=ends("2026-02-02"))
    state = order_sheet([item], {"ZZ": book(awaiting())}, terms()).state
    assert state is not None
    assert state.r_ordered == 0.0


@pytest.mark.parametrize(
    ("known", "code"), [(ends("2026-02-02"), "CONTRACT_EXPIRES"), (ends("2026-03-20", "2026-02-02"), "FIRST_NOTICE")]
)
def test_a_position_in_a_contract_that_ends_is_sold_at_the_open_with_an_alert(
    known: dict[str, ContractTerms], code: str
) -> None:
    made = sheet(holding(), terms=known)
    (order,) = made.orders  # no target rests
    assert (order.action, order.side, order.type, order.contract, order.status) == (
        "exit", "sell", "market", "ZZH26", "place",
    )  # fmt: skip
    assert order.codes == (code,)
    assert [code in alert for alert in made.alerts] == [True]


def test_a_contract_that_trades_no_more_is_not_sold_due_or_not_rolling_or_not() -> None:
    roll = Roll("ZZH26", "ZZM26", 2.0, day(LAST))
    rolling = replace(intents(holding(), roll=roll), terms=ends("2026-01-30"))
    for item in (
        replace(intents(holding()), terms=ends("2026-01-30")),
        replace(intents(holding(due=True)), terms=ends("2026-01-30")),
        rolling,
    ):
        made = order_sheet([item], {"ZZ": book(holding())}, terms()).sheet
        assert [(order.status, order.codes) for order in made.orders] == [("blocked", ("CONTRACT_ENDED",))]
        assert [" CONTRACT_ENDED" in alert for alert in made.alerts] == [True]


def test_a_roll_out_of_a_contract_in_its_notice_period_is_a_roll() -> None:
    known = ends("2026-03-20", "2026-02-02") | ends("2026-06-19", "2026-05-29", contract="ZZM26")
    item = replace(intents(holding(), roll=Roll("ZZH26", "ZZM26", 2.0, day(LAST))), terms=known)
    made = order_sheet([item], {"ZZ": book(holding())}, terms()).sheet
    assert [order.action for order in made.orders][:2] == ["roll", "roll"]
    assert {order.status for order in made.orders} == {"place"}
    assert made.alerts == ()


def test_what_was_for_an_open_that_has_passed_is_blocked() -> None:
    for made in (awaiting(), holding(), holding(due=True)):
        orders = sheet(made, opened=True).orders
        assert orders
        assert all(order.status == "blocked" and order.codes[-1] == "OPEN_HAS_PASSED" for order in orders)
    assert sheet(holding(due=True), opened=True).alerts


def test_a_target_at_or_below_the_market_sells_at_once() -> None:
    """TP1 112.36 and TP2 115.72 on ticks of 0.25: limits 112.50 and 115.75; TP3 120."""
    made = order_sheet([intents(holding(), 115.75)], {"ZZ": book(holding(), 115.75)}, None).sheet
    reached = {o.tranche: "at once" in o.reason for o in made.orders}
    assert reached == {"TP1": True, "TP2": True, "TP3": False}


def test_prices_stand_beside_those_of_the_series() -> None:
    """A roll of +2 at the open: the contract's prices are 2 above those of the series."""
    item = intents(holding(), roll=Roll("ZZH26", "ZZM26", 2.0, day(LAST)))
    targets = [o for o in order_sheet([item], {"ZZ": book(holding())}, terms()).sheet.orders if o.action == "target"]
    assert {(o.contract, o.price, o.adjusted_price, o.stop, o.adjusted_stop) for o in targets} >= {
        ("ZZM26", 122.0, 120.0, 102.0, 100.0)
    }


def test_terms_that_nobody_states_are_said() -> None:
    for known, word in ((ends(None), "not known"), (ends("2026-03-20", "2026-02-27", "assumed"), "assumed")):
        assert any(word in note and "ZZH26" in note for note in sheet(awaiting(), terms=known).notes)
    (said,) = (note for note in sheet(awaiting(), terms=ends("2026-03-20", "2026-02-27")).notes if "ZZH26" in note)
    assert said == "ZZH26: last trade 2026-03-20 by column, first notice 2026-02-27 by column"
    assert not any("not known" in note for note in sheet(awaiting()).notes)  # a share
    assert awaiting().last_session == day(LAST)
    assert day(LAST) < MONDAY
