"""The risk budget against sums done by hand: 1 R = 200 USD, 5 points x 10 USD = 50 USD a contract."""

from __future__ import annotations

from dataclasses import replace

import pytest
from order_builders import book, day, open_trade, result, terms, trade, trigger

from ctl.model.bars import ContractTerms
from ctl.model.orders import (
    Book,
    Brake,
    EntryBar,
    EntryIntent,
    RiskPnl,
    RiskPoint,
    RiskTerms,
    SizeCaps,
    Verdict,
    tranche_lots,
)
from ctl.trading import risk


def entry(confirmed: str, close: float = 104.75, symbol: str = "AA") -> EntryIntent:
    targets = (112.36, 115.72, 120.0)
    return EntryIntent(
        symbol, "AAH26", day("2026-01-01"), day(confirmed), close, 100.0, targets, atr=4.0, no_buy_below=100.4
    )


def bar(close: float = 104.75, volume: float | None = None) -> EntryBar:
    return EntryBar(close, day("2026-02-02"), "AAH26", close, volume)


def closed(symbol: str, decided: str, entered: str, left: str, exit_price: float, **changed: object) -> Book:
    return book(
        result(symbol, (trigger(decided, decided, entered),), (trade(decided, entered, left, exit_price, **changed),))
    )


def sized(given: RiskTerms, books: dict[str, Book], at: EntryIntent) -> risk.Sizing:
    market = next(iter(books.values())).market if books else book(result("AA")).market
    return risk.replay(given, books, first_live=day("2025-01-01")).size(at, market, bar(at.close))


def test_lots_are_the_whole_contracts_that_one_r_pays_for() -> None:
    made = sized(terms(), {}, entry("2026-01-30"))
    assert (made.lots, made.codes) == (4, ())
    assert made.r == pytest.approx(1.0)


def test_lots_round_down() -> None:
    # 105.75 + 0.25 - 100 = 6 points, 60 USD: three contracts and 20 USD to spare.
    made = sized(terms(), {}, entry("2026-01-30", close=105.75))
    assert made.lots == 3
    assert made.r == pytest.approx(0.9)


def test_a_close_under_the_stop_is_sized_on_the_smallest_risk_that_is_entered_with() -> None:
    # 0.4 of minimum and 0.25 of slippage: 6.50 USD, 30.77 contracts.
    assert sized(terms(), {}, entry("2026-01-30", close=99.0)).lots == 30


def test_less_than_one_contract_is_no_order() -> None:
    made = sized(terms(equity=4_999.0), {}, entry("2026-01-30"))
    assert (made.lots, made.r, made.codes) == (0, 0.0, (risk.SIZE_ZERO,))
    assert "one contract risks 50.00 USD; 1 R is 49.99" in made.texts[0]


def test_exactly_one_contract_is_an_order() -> None:
    assert sized(terms(equity=5_000.0), {}, entry("2026-01-30")).lots == 1


@pytest.mark.parametrize(("rates", "lots"), [({"EUR": 1.25}, 3), ({"EUR": 2.0}, 2)])
def test_another_currency_is_sized_at_its_rate(rates: dict[str, float], lots: int) -> None:
    market = book(result("AA"), currency="EUR").market
    assert risk.replay(terms(rates=rates), {}).size(entry("2026-01-30"), market, bar()).lots == lots


def test_another_currency_without_a_rate_is_refused() -> None:
    market = book(result("AA"), currency="EUR").market
    made = risk.replay(terms(), {}).size(entry("2026-01-30"), market, bar())
    assert (made.lots, made.codes) == (0, (risk.NO_RATE,))


def test_realised_r_follows_the_lots_and_the_fills() -> None:
    # Four lots: one at TP1 (+7.36), one at TP2 (+10.72), two at 103 (-2 each): 14.08 points of 20.
    held = closed(
        "AA", "2026-01-05", "2026-01-06", "2026-01-09", 103.0,
        tp1_session=day("2026-01-07"), tp1_fill=112.36, tp2_session=day("2026-01-08"), tp2_fill=115.72,
    )  # fmt: skip
    account = risk.replay(terms(), {"AA": held})
    account.advance(day("2026-01-30"))
    assert [point.session for point in account.curve] == [day("2026-01-07"), day("2026-01-08"), day("2026-01-09")]
    assert [point.r for point in account.curve] == pytest.approx([7.36 / 20, 10.72 / 20, -4 / 20])
    assert account.total() == pytest.approx(14.08 / 20)


def test_open_risk_falls_with_the_lots_that_leave() -> None:
    held = closed("AA", "2026-01-05", "2026-01-06", "2026-01-09", 103.0, tp1_session=day("2026-01-07"), tp1_fill=112.36)
    account = risk.replay(terms(), {"AA": held})
    seen = []
    for text in ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09"):
        account.advance(day(text))
        seen.append((account.ordered_r(day(text)), account.open_r(day(text))))
    assert seen == [(1.0, 0.0), (0.0, 1.0), (0.0, 0.75), (0.0, 0.75), (0.0, 0.0)]


def test_open_risk_is_capped_and_orders_of_the_same_open_count() -> None:
    two = {
        name: book(
            result(
                name,
                (trigger("2026-01-28", "2026-01-29", "2026-01-30"),),
                (),
                (open_trade("2026-01-28", "2026-01-30", "2026-01-30", 106.0),),
            )
        )
        for name in ("AA", "BB")
    }
    account = risk.replay(terms(max_open_r=2.5), two)
    market = two["AA"].market
    refused = account.size(entry("2026-01-30"), market, bar())
    assert (refused.lots, refused.codes) == (0, (risk.OPEN_R,))
    wide = risk.replay(terms(max_open_r=3.0), two)
    first = wide.size(entry("2026-01-30"), market, bar())
    assert first.lots == 4
    wide.order(entry("2026-01-30"), first)
    assert wide.size(entry("2026-01-30", symbol="CC"), market, bar()).codes == (risk.OPEN_R,)


def test_the_book_refuses_the_second_of_two_entries_in_order_of_symbol() -> None:
    books = {name: closed(name, "2026-01-05", "2026-01-06", "2026-01-09", 103.0) for name in ("BB", "AA")}
    account = risk.replay(terms(max_open_r=1.5), books)
    assert sorted(symbol for symbol, _ in account.taken) == ["AA"]
    assert {key[0]: made.codes for key, made in account.refused.items()} == {"BB": (risk.OPEN_R,)}


@pytest.mark.parametrize(
    ("left", "decided", "codes"),
    [
        ("2026-01-30", "2026-01-30", (risk.DAILY_LOSS, risk.WEEKLY_LOSS, risk.MONTHLY_LOSS)),
        ("2026-01-29", "2026-01-30", (risk.WEEKLY_LOSS, risk.MONTHLY_LOSS)),
        ("2026-01-23", "2026-01-30", (risk.MONTHLY_LOSS,)),
        ("2026-01-01", "2026-01-30", (risk.MONTHLY_LOSS,)),
        ("2026-01-26", "2026-01-30", (risk.WEEKLY_LOSS, risk.MONTHLY_LOSS)),
        ("2026-01-25", "2026-01-30", (risk.MONTHLY_LOSS,)),
        ("2025-12-31", "2026-01-30", ()),
    ],
)
def test_losses_refuse_entries_of_their_own_day_week_and_month(left: str, decided: str, codes: tuple[str, ...]) -> None:
    # -20 points at a risk of 5: -4 R.
    books = {"AA": closed("AA", "2025-12-01", "2025-12-02", left, 85.0)}
    assert sized(terms(), books, entry(decided)).codes == codes


def test_a_loss_just_short_of_its_limit_refuses_nothing() -> None:
    books = {"AA": closed("AA", "2026-01-28", "2026-01-29", "2026-01-30", 97.51)}  # -1.498 R
    assert sized(terms(), books, entry("2026-01-30")).codes == ()
    books = {"AA": closed("AA", "2026-01-28", "2026-01-29", "2026-01-30", 97.5)}  # -1.5 R
    assert sized(terms(), books, entry("2026-01-30")).codes == (risk.DAILY_LOSS,)


LOSER = {"AA": closed("AA", "2025-12-01", "2025-12-02", "2025-12-03", 95.0)}  # -2 R


@pytest.mark.parametrize(
    ("brakes", "lots"),
    [
        ((Brake(2.0, 0.5),), 2),
        ((Brake(2.01, 0.5),), 4),
        ((Brake(1.0, 0.5), Brake(2.0, 0.25)), 1),
        ((Brake(1.0, 0.5), Brake(3.0, 0.0)), 2),
    ],
)
def test_risk_is_reduced_in_stages(brakes: tuple[Brake, ...], lots: int) -> None:
    assert sized(terms(brakes=brakes), LOSER, entry("2026-01-30")).lots == lots


def test_a_brake_of_zero_halts() -> None:
    made = sized(terms(brakes=(Brake(2.0, 0.0),)), LOSER, entry("2026-01-30"))
    assert (made.lots, made.codes) == (0, (risk.HALTED,))
    account = risk.replay(terms(brakes=(Brake(2.0, 0.0),)), LOSER, first_live=day("2025-01-01"))
    state = risk.state(account, day("2026-01-30"), {})
    assert (state.r_money_next, state.caps_hit) == (0.0, (risk.HALTED,))


@pytest.mark.parametrize(("first_live", "lots"), [(None, 4), ("2025-12-04", 4), ("2025-12-03", 2), ("2025-01-02", 2)])
def test_brakes_count_from_the_first_live_session_not_the_backtest(first_live: str | None, lots: int) -> None:
    live = None if first_live is None else day(first_live)
    account = risk.replay(terms(brakes=(Brake(2.0, 0.5),)), LOSER, first_live=live)
    assert account.size(entry("2026-01-30"), LOSER["AA"].market, bar()).lots == lots


def test_brakes_count_from_since_where_it_is_said() -> None:
    given = terms(brakes=(Brake(2.0, 0.5),), since=day("2025-11-30"))
    account = risk.replay(given, LOSER, first_live=day("2026-01-01"))
    assert (account.since, account.drawdown()) == (day("2025-11-30"), 0.0)
    account.advance(day("2025-12-03"))
    assert account.drawdown() == pytest.approx(2.0)


@pytest.mark.parametrize(("atrs", "lots", "r"), [(0.0, 4, 1.0), (1.25, 4, 1.0), (2.5, 2, 1.0), (3.0, 1, 0.6)])
def test_one_contract_risks_at_least_some_atrs(atrs: float, lots: int, r: float) -> None:
    # The stop is 5 points away; an ATR is 4 points: 2.5 of them are 10 points, 100 USD of 200.
    made = sized(terms(min_risk_atr_sizing=atrs), {}, entry("2026-01-30"))
    assert (made.lots, made.r) == (lots, pytest.approx(r))


def test_a_position_sized_on_atrs_books_what_its_lots_make() -> None:
    # Two contracts for 2.5 ATRs; sold 10 points below the entry: 200 USD of 200, where the stop was 5 points away.
    held = closed("AA", "2026-01-05", "2026-01-06", "2026-01-09", 95.0)
    account = risk.replay(terms(min_risk_atr_sizing=2.5), {"AA": held})
    curve = risk.governed(account, day("2026-01-30"))
    (made,) = curve.trades
    assert (made.lots, made.r, made.of_risk) == (2, pytest.approx(-1.0), pytest.approx(-1.0))
    assert (curve.total_r, curve.max_drawdown_r) == (pytest.approx(-1.0), pytest.approx(1.0))
    assert (curve.trade_count, curve.win_rate, curve.profit_factor) == (1, 0.0, 0.0)


@pytest.mark.parametrize(
    ("caps", "volume", "lots", "code"),
    [
        (SizeCaps(max_contracts=3), None, 3, risk.CONTRACTS),
        (SizeCaps(max_notional=2_100.0), None, 2, risk.NOTIONAL),  # one is worth 104.75 x 10
        (SizeCaps(margin=500.0, max_margin=1_499.0), None, 2, risk.MARGIN),
        (SizeCaps(max_volume_share=0.01), 399.0, 3, risk.VOLUME),
        (SizeCaps(max_contracts=3, max_volume_share=0.01), 100.0, 1, risk.VOLUME),
    ],
)
def test_caps_make_a_position_smaller(caps: SizeCaps, volume: float | None, lots: int, code: str) -> None:
    market = book(result("AA")).market
    account = risk.replay(terms(symbol_caps={"AA": caps}), {})
    made = account.size(entry("2026-01-30"), market, bar(volume=volume))
    assert (made.lots, made.codes) == (lots, ())
    assert code in made.capped
    assert made.r == pytest.approx(lots * 0.25)
    state = risk.state(account, day("2026-01-30"), {"AA": made})
    assert f"{code} AA" in state.caps_hit


@pytest.mark.parametrize(
    ("caps", "volume", "code"),
    [
        (SizeCaps(max_notional=1_000.0), None, risk.NOTIONAL),
        (SizeCaps(max_volume_share=0.01), 99.0, risk.VOLUME),
        (SizeCaps(max_volume_share=0.01), None, risk.NO_VOLUME),
    ],
)
def test_a_cap_below_one_contract_refuses(caps: SizeCaps, volume: float | None, code: str) -> None:
    made = risk.replay(terms(caps=caps), {}).size(entry("2026-01-30"), book(result("AA")).market, bar(volume=volume))
    assert (made.lots, made.codes) == (0, (code,))


def test_caps_of_a_symbol_stand_before_those_of_all_and_the_notional_is_always_capped() -> None:
    given = terms(caps=SizeCaps(max_contracts=9), symbol_caps={"AA": SizeCaps(max_contracts=5, max_notional=1.0)})
    assert given.caps_of("AA") == SizeCaps(max_contracts=5, max_notional=1.0)
    assert given.caps_of("BB") == SizeCaps(max_contracts=9, max_notional=60_000.0)


def test_an_entry_in_a_contract_that_ends_is_refused_in_the_book_as_on_the_sheet() -> None:
    held = closed("AA", "2026-01-05", "2026-01-06", "2026-01-09", 103.0)
    ends = {"ZZH26": ContractTerms("ZZH26", day("2026-01-06"), last_trade_source="column")}
    account = risk.replay(terms(), {"AA": replace(held, terms=ends)})
    key = ("AA", day("2026-01-05"))
    assert not account.taken
    assert account.refused[key].codes == (risk.EXPIRES,)
    assert risk.verdicts({"AA": held}, account)[key] == Verdict((risk.EXPIRES,))
    assert risk.verdicts({"AA": replace(held, terms=ends)}, None)[key] == Verdict((risk.EXPIRES,))
    assert risk.verdicts({"AA": held}, None)[key] == Verdict()
    # What is taken may open at most 1 R less slippage above its stop: 20 points less 0.25.
    free = risk.replay(terms(), {"AA": held})
    assert risk.verdicts({"AA": held}, free)[key] == Verdict((), 19.75)


def test_an_open_beyond_the_close_buys_fewer() -> None:
    # Sized for 5 points; entered at 108 with a risk of 8 points: 80 USD, two contracts.
    held = closed("AA", "2026-01-05", "2026-01-06", "2026-01-09", 100.0, entry_price=108.0, risk=8.0)
    account = risk.replay(terms(), {"AA": held})
    taken = account.taken["AA", day("2026-01-05")]
    assert (taken.lots, taken.r) == (2, pytest.approx(0.8))


def test_an_open_too_far_beyond_the_close_is_not_bought() -> None:
    held = closed("AA", "2026-01-05", "2026-01-06", "2026-01-09", 100.0, entry_price=125.0, risk=25.0)
    account = risk.replay(terms(), {"AA": held})
    assert not account.taken
    assert account.refused["AA", day("2026-01-05")].codes == (risk.SIZE_ZERO,)


def test_a_refused_entry_of_the_strategy_still_holds_its_r_until_its_open() -> None:
    books = {
        "AA": book(result("AA", (trigger("2026-01-28", "2026-01-29", "2026-01-30", status="no_trade"),))),
        "BB": closed("BB", "2026-01-29", "2026-01-30", "2026-02-03", 103.0),
    }
    account = risk.replay(terms(max_open_r=1.5), books)
    assert account.refused["BB", day("2026-01-29")].codes == (risk.OPEN_R,)


def test_entries_before_since_are_not_in_the_book() -> None:
    books = {"AA": closed("AA", "2026-01-05", "2026-01-06", "2026-01-09", 85.0)}
    account = risk.replay(terms(since=day("2026-01-06")), books)
    assert not account.taken
    assert account.refused["AA", day("2026-01-05")].codes == (risk.BEFORE,)
    assert risk.state(account, day("2026-01-30"), {}).refused == {}
    at = risk.replay(terms(since=day("2026-01-05")), books)
    assert [symbol for symbol, _ in at.taken] == ["AA"]


def test_an_entry_before_a_later_since_is_no_order_as_it_would_be_nobodys_position() -> None:
    made = sized(terms(since=day("2026-02-02")), {}, entry("2026-01-30"))
    assert (made.lots, made.codes) == (0, (risk.BEFORE,))
    assert sized(terms(since=day("2026-01-30")), {}, entry("2026-01-30")).lots == 4


# ---------------------------------------------------------------- at, just below and just above each limit


@pytest.mark.parametrize(
    ("caps", "lots"),
    [
        # Four contracts fit 1 R. One is worth 104.75 x 10 = 1,047.50, four of them 4,190.
        (SizeCaps(max_contracts=5), 4),
        (SizeCaps(max_contracts=4), 4),
        (SizeCaps(max_contracts=3), 3),
        (SizeCaps(max_notional=4_190.01), 4),
        (SizeCaps(max_notional=4_190.0), 4),
        (SizeCaps(max_notional=4_189.99), 3),
        (SizeCaps(margin=500.0, max_margin=2_000.01), 4),
        (SizeCaps(margin=500.0, max_margin=2_000.0), 4),
        (SizeCaps(margin=500.0, max_margin=1_999.99), 3),
        # The median is 400.
        (SizeCaps(max_volume_share=0.010_01), 4),
        (SizeCaps(max_volume_share=0.01), 4),
        (SizeCaps(max_volume_share=0.009_99), 3),
    ],
)
def test_a_cap_of_exactly_the_size_leaves_it_and_a_hair_less_takes_one(caps: SizeCaps, lots: int) -> None:
    account = risk.replay(terms(caps=caps), {})
    made = account.size(entry("2026-01-30"), book(result("AA")).market, bar(volume=400.0))
    assert (made.lots, len(made.capped)) == (lots, int(lots < 4))


@pytest.mark.parametrize(("price", "lots"), [(104.5, 4), (104.75, 4), (105.0, 3), (-104.75, 4), (-105.0, 3)])
def test_the_notional_is_that_of_the_contract_bought_on_either_side_of_zero(price: float, lots: int) -> None:
    account = risk.replay(terms(caps=SizeCaps(max_notional=4_190.0)), {})
    at = replace(bar(), price=price)
    assert account.size(entry("2026-01-30"), book(result("AA")).market, at).lots == lots


def test_caps_in_money_are_those_of_the_equitys_currency() -> None:
    # 1 EUR = 1.25 USD: a contract risks 62.50 (three fit), is worth 1,309.38 and needs a margin of 625.
    market = book(result("AA"), currency="EUR").market
    for caps, lots in (
        (SizeCaps(max_notional=2_618.75), 2),
        (SizeCaps(max_notional=2_618.74), 1),
        (SizeCaps(margin=500.0, max_margin=1_250.0), 2),
        (SizeCaps(margin=500.0, max_margin=1_249.0), 1),
    ):
        account = risk.replay(terms(caps=caps, rates={"EUR": 1.25}), {})
        assert account.size(entry("2026-01-30"), market, bar()).lots == lots


@pytest.mark.parametrize(("cap", "codes"), [(2.001, ()), (2.0, ()), (1.999, (risk.OPEN_R,))])
def test_open_risk_may_come_to_exactly_its_cap(cap: float, codes: tuple[str, ...]) -> None:
    held = open_trade("2026-01-28", "2026-01-30", "2026-01-30", 106.0)
    books = {"BB": book(result("BB", (trigger("2026-01-28", "2026-01-29", "2026-01-30"),), (), (held,)))}
    assert sized(terms(max_open_r=cap), books, entry("2026-01-30")).codes == codes


@pytest.mark.parametrize(
    ("session", "exit_price", "codes"),
    [
        # Four lots at 5 points: a tick is 0.05 R. Limits of 1.5, 2.5 and 3.5 R are 7.5, 12.5 and 17.5 points.
        ("2026-01-30", 97.75, ()),
        ("2026-01-30", 97.50, (risk.DAILY_LOSS,)),
        ("2026-01-30", 97.25, (risk.DAILY_LOSS,)),
        ("2026-01-27", 92.75, ()),
        ("2026-01-27", 92.50, (risk.WEEKLY_LOSS,)),
        ("2026-01-27", 92.25, (risk.WEEKLY_LOSS,)),
        ("2026-01-13", 87.75, ()),
        ("2026-01-13", 87.50, (risk.MONTHLY_LOSS,)),
        ("2026-01-13", 87.25, (risk.MONTHLY_LOSS,)),
    ],
)
def test_a_loss_of_exactly_its_limit_refuses_and_a_tick_less_does_not(
    session: str, exit_price: float, codes: tuple[str, ...]
) -> None:
    books = {"AA": closed("AA", "2025-12-01", "2025-12-02", session, exit_price)}
    assert sized(terms(), books, entry("2026-01-30")).codes == codes


def test_a_gap_through_the_stop_is_booked_whole_on_the_session_of_its_fill() -> None:
    # Closed below 100 on Friday, filled at 80 on Monday's open: 25 points of 5, five times 1 R.
    books = {"AA": closed("AA", "2025-12-01", "2025-12-02", "2026-02-02", 80.0)}
    account = risk.replay(terms(), books)
    account.advance(day("2026-01-30"))
    assert (account.curve, account.open_r(day("2026-01-30"))) == ([], 1.0)
    assert account.size(entry("2026-01-30"), books["AA"].market, bar()).codes == ()
    all_three = (risk.DAILY_LOSS, risk.WEEKLY_LOSS, risk.MONTHLY_LOSS)
    assert account.size(entry("2026-02-02"), books["AA"].market, bar()).codes == all_three
    assert account.size(entry("2026-02-03"), books["AA"].market, bar()).codes == all_three[1:]
    assert account.size(entry("2026-02-09"), books["AA"].market, bar()).codes == all_three[2:]
    assert account.size(entry("2026-03-02"), books["AA"].market, bar()).codes == ()
    (made,) = risk.governed(account, day("2026-03-02")).trades
    assert (made.lots, made.r, made.exit_session) == (4, -5.0, day("2026-02-02"))


def test_losses_and_gains_of_one_period_are_set_off() -> None:
    books = {
        "AA": closed("AA", "2025-12-01", "2025-12-02", "2026-01-30", 95.0),  # -2 R
        "BB": closed("BB", "2025-12-01", "2025-12-02", "2026-01-30", 108.0),  # +0.6 R
    }
    account = risk.replay(terms(), books)
    assert account.size(entry("2026-01-30"), books["AA"].market, bar()).codes == ()
    assert [value for *_, value in account.losses(day("2026-01-30"))] == pytest.approx([-1.4, -1.4, -1.4])


# ---------------------------------------------------------------- brakes and the two curves


def test_brakes_in_three_stages_ease_as_the_curve_recovers() -> None:
    # A lot risks 50 USD of 1 R = 200: four lots, two at half, one at a quarter. R: lots x points x 10 / 200.
    books = {
        name: closed(name, decided, entered, left, price)
        for name, decided, entered, left, price in (
            ("AA", "2025-11-03", "2025-11-04", "2025-11-05", 110.0),  # four lots: +1 R; peak 1
            ("BB", "2025-11-06", "2025-11-07", "2025-11-10", 95.0),  # four lots: -2 R; drawdown 2
            ("CC", "2025-11-11", "2025-11-12", "2025-11-13", 95.0),  # half, two lots: -1 R; drawdown 3
            ("DD", "2025-11-14", "2025-11-17", "2025-11-18", 125.0),  # a quarter, one lot: +1 R; drawdown 2
            ("EE", "2025-11-19", "2025-11-20", "2025-11-21", 95.0),  # half, two lots: -1 R; drawdown 3
        )
    }
    brakes = (Brake(2.0, 0.5), Brake(3.0, 0.25), Brake(4.0, 0.0))
    wide = {"max_daily_loss_r": 9.0, "max_weekly_loss_r": 9.0, "max_monthly_loss_r": 9.0}
    account = risk.replay(terms(brakes=brakes, **wide), books, first_live=day("2025-11-05"))
    assert {symbol: held.lots for (symbol, _), held in account.taken.items()} == {
        "AA": 4, "BB": 4, "CC": 2, "DD": 1, "EE": 2,
    }  # fmt: skip
    account.advance(day("2025-11-30"))
    assert [point.total_r for point in account.curve] == pytest.approx([1.0, -1.0, -2.0, -1.0, -2.0])
    assert (account.drawdown(), account.r_money_next()) == (pytest.approx(3.0), 50.0)


def test_three_trades_as_the_strategy_made_them_and_as_they_were_governed() -> None:
    """1 R is 200 USD, a point 10; the strategy's R is of each trade's own risk, whatever its size.

    AA: risk 5, four lots; TP1 112.36 one lot, the rest out at 103.    Governed (7.36 - 3 x 2) x 10 = 13.60: +0.068 R.
    BB: bought at 108, risk 8: two lots; out at 96.                    2 x -12 x 10 = -240: -1.2 R, of 0.8 R risked.
    CC: refused, as day and week stand at -1.2 R and the limits are 1. The strategy has its +3 R all the same.
    """
    books = {
        "AA": closed("AA", "2026-01-05", "2026-01-06", "2026-01-09", 103.0,
                     tp1_session=day("2026-01-07"), tp1_fill=112.36),
        "BB": closed("BB", "2026-01-12", "2026-01-13", "2026-01-14", 96.0, entry_price=108.0, risk=8.0),
        "CC": closed("CC", "2026-01-14", "2026-01-15", "2026-01-16", 120.0),
    }  # fmt: skip
    account = risk.replay(terms(max_daily_loss_r=1.0, max_weekly_loss_r=1.0), books)
    curve = risk.governed(account, day("2026-01-30"))
    assert [(made.symbol, made.lots, made.exit_session) for made in curve.trades] == [
        ("AA", 4, day("2026-01-09")), ("BB", 2, day("2026-01-14")),
    ]  # fmt: skip
    assert [made.r for made in curve.trades] == pytest.approx([0.068, -1.2])
    assert [made.of_risk for made in curve.trades] == pytest.approx([0.068, -1.5])
    assert [(point.session, point.r) for point in curve.curve] == [
        (day("2026-01-07"), pytest.approx(0.368)),
        (day("2026-01-09"), pytest.approx(-0.3)),
        (day("2026-01-14"), pytest.approx(-1.2)),
    ]
    assert curve.refused == {risk.DAILY_LOSS: 1, risk.WEEKLY_LOSS: 1}
    assert (curve.trade_count, curve.win_rate) == (2, 0.5)
    assert curve.total_r == pytest.approx(-1.132)
    assert curve.profit_factor == pytest.approx(0.068 / 1.2)
    assert curve.max_drawdown_r == pytest.approx(0.368 + 1.132)  # from +0.368 down to -1.132


def test_a_position_of_one_lot_is_closed_where_that_lot_left() -> None:
    """The strategy holds two thirds on; the account's only lot went at TP1: 7.36 points x 10 of 60 USD."""
    held = open_trade("2026-01-05", "2026-01-06", "2026-01-30", 104.0, tp1_session=day("2026-01-08"), tp1_fill=112.36)
    books = {"AA": book(result("AA", (trigger("2026-01-05", "2026-01-05", "2026-01-06"),), (), (held,)))}
    account = risk.replay(terms(equity=6_000.0), books)
    curve = risk.governed(account, day("2026-01-30"))
    (made,) = curve.trades
    assert (made.lots, made.exit_session, made.r) == (1, day("2026-01-08"), pytest.approx(73.6 / 60.0))
    assert curve.curve[-1].total_r == pytest.approx(curve.total_r)


# ---------------------------------------------------------------- odd markets and accounts


@pytest.mark.parametrize(
    ("tick", "point_value", "prices", "lots"),
    [
        # A Treasury future: 1/32 of 1,000 USD a point, stop 16/32 away and a tick of slippage: 17/32, 531.25 USD.
        (1 / 32, 1_000.0, (110.5, 110.0), 18),
        # A yen future: 0.0000005 of 12,500,000 is 6.25 USD; stop 100 ticks away and one of slippage: 631.25 USD.
        (0.000_000_5, 12_500_000.0, (0.006_900, 0.006_850), 15),
        # A share of a Japanese kind: 1 JPY at 0.0065 USD; 50 + 1 JPY are 0.3315 USD.
        (1.0, 0.0065, (2_050.0, 2_000.0), 30_165),
    ],
)
def test_ticks_and_point_values_of_odd_sizes(
    tick: float, point_value: float, prices: tuple[float, float], lots: int
) -> None:
    close, stop = prices
    market = book(result("AA"), tick=tick, point_value=point_value, slippage_per_side=tick).market
    at = replace(entry("2026-01-30"), close=close, stop=stop, no_buy_below=stop + tick, atr=4 * tick)
    account = risk.replay(terms(equity=1_000_000.0, caps=SizeCaps(max_notional=1e9)), {})  # 1 R: 10,000 USD
    made = account.size(at, market, replace(bar(), price=close))
    assert (made.lots, made.codes) == (lots, ())
    assert made.r == pytest.approx(lots * (close + tick - stop) * point_value / 10_000.0)


@pytest.mark.parametrize(
    ("equity", "lots", "codes"),
    [
        (0.01, 0, (risk.SIZE_ZERO,)),
        (4_999.99, 0, (risk.SIZE_ZERO,)),
        (5_000.0, 1, ()),
        # 1 R = 1e13 USD: 2e11 contracts of 50 USD; three times the equity are 2,863,961,813,842 of 1,047.50.
        (1e15, 200_000_000_000, ()),
    ],
)
def test_equity_of_any_size_sizes_or_says_why_not(equity: float, lots: int, codes: tuple[str, ...]) -> None:
    made = sized(terms(equity=equity), {}, entry("2026-01-30"))
    assert (made.lots, made.codes) == (lots, codes)


def test_a_stop_at_the_entry_is_sized_on_the_smallest_risk_and_on_atrs() -> None:
    # Close = stop: 0.4 (a tenth of ATR 4) and 0.25 of slippage are 6.50 USD: 30. With one ATR, 40 USD: 5.
    assert sized(terms(), {}, entry("2026-01-30", close=100.0)).lots == 30
    assert sized(terms(min_risk_atr_sizing=1.0), {}, entry("2026-01-30", close=100.0)).lots == 5


def test_the_state_names_the_money_the_caps_and_the_curve() -> None:
    books = {"AA": closed("AA", "2026-01-28", "2026-01-29", "2026-01-30", 92.5)}  # -2.5 R
    account = risk.replay(terms(brakes=(Brake(2.0, 0.5),)), books, first_live=day("2026-01-01"))
    state = risk.state(account, day("2026-01-30"), {})
    assert state.currency == "USD"
    assert (state.r_money, state.r_money_next, state.since) == (200.0, 100.0, day("2026-01-01"))
    assert state.r_pnl == RiskPnl(day=-2.5, week=-2.5, month=-2.5, total=-2.5)
    assert state.caps_hit == (risk.DAILY_LOSS, risk.WEEKLY_LOSS)
    assert state.curve == (RiskPoint(day("2026-01-30"), r=-2.5, total_r=-2.5),)
    assert (state.r_used, state.r_ordered, state.drawdown_r, state.taken) == (0.0, 0.0, 2.5, 1)


@pytest.mark.parametrize(
    ("lots", "parts"), [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (5, (1, 1, 3)), (6, (2, 2, 2))]
)
def test_lots_leave_at_the_targets_as_in_r_actual(lots: int, parts: tuple[int, int, int]) -> None:
    assert tranche_lots(lots) == parts
