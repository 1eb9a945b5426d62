"""The simulated market's causes: who trades when, and what makes the two vendors differ."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from ctl import demo
from ctl.demo.draws import Draws, bridge_extremes
from ctl.demo.hourly import hourly
from ctl.demo.listing import TradingDays, listing, trading_days
from ctl.demo.quotes import Quotes, quotes
from ctl.demo.rawbars import raw_bars
from ctl.demo.reference import continuous
from ctl.demo.spec import FutureSpec, PriceSpec, ReferenceCauses, RollRule
from ctl.sessions import sessions_between

MARKET = demo.default_market()
ROOTS = [future.root for future in MARKET.futures]


@cache
def days_of(root: str) -> TradingDays:
    return trading_days(MARKET.future(root).calendar, MARKET.first, MARKET.last)


@cache
def simulated(root: str) -> Quotes:
    return quotes(MARKET.future(root), days_of(root), MARKET.seed)


def replaced_price(root: str, **changes: float) -> FutureSpec:
    spec = MARKET.future(root)
    price: PriceSpec = replace(spec.price, **changes)  # type: ignore[arg-type]
    return replace(spec, price=price)


# Last trade dates as the exchanges published them.
@pytest.mark.parametrize(
    ("contract", "expiry"),
    [
        ("ESH18", date(2018, 3, 16)),
        ("ESM24", date(2024, 6, 21)),
        ("CLG18", date(2018, 1, 22)),
        ("CLK20", date(2020, 4, 21)),
        ("CLJ24", date(2024, 3, 20)),
        ("PLJ24", date(2024, 4, 26)),
        ("PLN23", date(2023, 7, 27)),
        ("PAM23", date(2023, 6, 28)),
    ],
)
def test_contracts_expire_by_the_exchanges_rules(contract: str, expiry: date) -> None:
    root = contract[:2]
    listed = listing(MARKET.future(root), days_of(root))
    at = [c.name for c in listed.contracts].index(contract)
    assert listed.expiry[at].item() == expiry
    assert listed.last[at] == np.searchsorted(days_of(root).days, np.datetime64(expiry))


def test_a_contract_that_outlives_the_data_ends_with_the_data() -> None:
    listed = listing(MARKET.future("ES"), days_of("ES"))
    assert [c.name for c in listed.contracts if c.year == 2026] == ["ESH26", "ESM26", "ESU26", "ESZ26"]
    assert listed.last[-1] == days_of("ES").days.size - 1
    assert listed.expiry_index[-1] > listed.last[-1]


@pytest.mark.parametrize("root", ROOTS)
def test_volume_moves_to_the_next_contract_before_expiry(root: str) -> None:
    """In every chain the next contract is the more active one on the last session, and was not 60 sessions before."""
    known = simulated(root)
    rows, volume = known.rows, known.utc.volume
    for k in range(len(known.listing.contracts) - 1):
        last = int(known.listing.last[k])
        if known.listing.expiry_index[k] != last or last < 70 or (root == "CL" and last < 25):
            continue
        assert volume[rows.at(k + 1, last)] > volume[rows.at(k, last)]
        before = last - (15 if root == "CL" else 40)
        assert volume[rows.at(k + 1, before)] < volume[rows.at(k, before)]


@pytest.mark.parametrize("root", ROOTS)
def test_bars_enclose_their_open_and_close_on_the_grid(root: str) -> None:
    known = simulated(root)
    for bars in (known.exchange, known.utc, known.sunday):
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.volume >= 0).all()
        assert (bars.low[bars.traded] > 0).all()


def test_without_an_evening_both_vendors_close_together() -> None:
    """The difference of the closes is the hours between settlement and 00:00 UTC, and nothing else."""
    quiet = replaced_price("ES", evening=0.0, late_news=0.0, carry_evening_noise=0.0)
    spec = replace(quiet, liquidity=replace(quiet.liquidity, bounce_ticks=0))
    known = quotes(spec, days_of("ES"), MARKET.seed)
    liquid = known.exchange.volume >= 2000
    assert (known.utc.close[liquid] == known.exchange.close[liquid]).all()


def test_the_difference_of_the_closes_grows_with_the_evening() -> None:
    def mean_difference(evening: float, late_news: float) -> float:
        known = quotes(replaced_price("ES", evening=evening, late_news=late_news), days_of("ES"), MARKET.seed)
        liquid = known.exchange.volume >= 100_000
        return float(np.abs(known.utc.close - known.exchange.close)[liquid].mean())

    assert mean_difference(0.05, 0.05) < mean_difference(0.15, 0.15) < mean_difference(0.15, 0.6)


def test_late_news_moves_more_than_a_quiet_evening() -> None:
    known = simulated("ES")
    front = known.exchange.volume >= 500_000
    move = np.abs(known.utc.close - known.exchange.close)[front]
    assert np.quantile(move, 0.99) > 6 * np.median(move)


def test_sunday_bars_lie_on_sundays_and_continue_into_the_session() -> None:
    bars = raw_bars(MARKET.future("ES"), simulated("ES"))
    weekday = (bars.day.astype("M8[D]").astype(np.int64) + 3) % 7
    assert set(weekday.tolist()) == {0, 1, 2, 3, 4, 6}
    sunday = bars.take(np.flatnonzero((weekday == 6) & (bars.is_spread == 0)))
    monday = bars.take(np.flatnonzero((weekday == 0) & (bars.is_spread == 0)))
    opened = {
        (int(d.astype(int)), int(c)): int(o) for d, c, o in zip(monday.day, monday.contract, monday.open, strict=True)
    }
    assert all(
        opened[int(d.astype(int)) + 1, int(c)] == int(price)
        for d, c, price in zip(sunday.day, sunday.contract, sunday.close, strict=True)
    )


def test_a_holidays_hours_count_to_the_next_session() -> None:
    """Thanksgiving 2024: a thin bar of its own at the system of record, part of Friday's session at the exchange."""
    spec, known = MARKET.future("ES"), simulated("ES")
    names = [contract.name for contract in known.listing.contracts]
    thursday = int(np.searchsorted(known.calendar.days, np.datetime64("2024-11-28")))
    row = known.rows.at(names.index("ESZ24"), thursday)
    assert known.calendar.days[thursday + 1] == np.datetime64("2024-11-29")
    assert not known.calendar.is_session[thursday]
    assert 0 < known.utc.volume[row] < 0.5 * known.utc.volume[row - 1]

    exchange, utc, parts = known.exchange, known.utc, known.stretches
    assert (exchange.volume[row], exchange.traded[row], known.reported_volume[row]) == (0, False, 0)
    # The session begins in Wednesday's evening, the last hours of whose UTC day are its first.
    assert exchange.open[row + 1] == parts.evening_open[row - 1]
    # All but the hours after Friday's settlement: two UTC days' bars, Wednesday's evening, without Friday's.
    assert exchange.high[row + 1] >= max(parts.day_high[row], parts.after_high[row], parts.evening_high[row - 1])
    assert exchange.low[row + 1] <= min(parts.day_low[row], parts.after_low[row], parts.evening_low[row - 1])
    both = utc.volume[row] + utc.volume[row + 1] + parts.evening_volume[row - 1] - parts.evening_volume[row + 1]
    assert exchange.volume[row + 1] == both

    for series in (continuous(known, spec.rule, ReferenceCauses()), continuous(known, RollRule(), ReferenceCauses())):
        assert np.datetime64("2024-11-28") not in series.sessions
        assert series.sessions.tolist() == known.calendar.sessions.tolist()


@pytest.mark.parametrize("root", ROOTS)
def test_trading_days_are_the_sessions_and_54_holidays(root: str) -> None:
    """Seven holidays a year, eight years and two of 2026, less the four Junes before Juneteenth was one."""
    calendar = days_of(root)
    assert np.count_nonzero(~calendar.is_session) == 8 * 7 + 2 - 4
    volume = simulated(root).exchange.volume
    assert (volume[~calendar.is_session[simulated(root).rows.day]] == 0).all()
    counted = raw_bars(MARKET.future(root), simulated(root))
    assert np.isin(calendar.days[~calendar.is_session], counted.day).all()


def test_instrument_ids_are_unique_within_a_day_and_reused_over_time() -> None:
    bars = raw_bars(MARKET.future("CL"), simulated("CL"))
    day = bars.day.astype("M8[D]").astype(np.int64)
    assert np.unique(np.stack([day, bars.instrument]), axis=1).shape[1] == day.size
    contracts_of = {i: np.unique(bars.contract[bars.instrument == i]).size for i in np.unique(bars.instrument)}
    assert max(contracts_of.values()) > 5


@pytest.mark.parametrize("root", ["ES", "PL"])
def test_hours_of_a_utc_day_add_up_to_its_daily_bar(root: str) -> None:
    spec, known = MARKET.future(root), simulated(root)
    hours, days = hourly(spec, known, MARKET.seed), raw_bars(spec, known)
    scale = round(spec.tick * 1_000_000_000)
    daily = {
        (int(d), int(c)): values
        for d, c, s, *values in zip(
            days.day.astype("M8[D]").astype(int), days.contract, days.is_spread,
            days.open // scale, days.high // scale, days.low // scale, days.close // scale, days.volume, strict=True,
        )
        if s == 0
    }  # fmt: skip
    key = hours.day.astype("M8[D]").astype(np.int64) * 1000 + hours.contract
    order = np.lexsort((hours.hour, key))
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    groups = np.split(order, starts[1:])
    assert len(groups) > 4000
    for group in groups:
        first, last = group[0], group[-1]
        expected = daily[int(key[first]) // 1000, int(hours.contract[first])]
        assert hours.open[first] == expected[0]
        assert hours.high[group].max() == expected[1]
        assert hours.low[group].min() == expected[2]
        assert hours.close[last] == expected[3]
        assert hours.volume[group].sum() == expected[4]


def test_reference_difference_adjusts_by_every_roll_but_the_one_left_out() -> None:
    spec, known = MARKET.future("PL"), simulated("PL")
    right = continuous(known, spec.rule, ReferenceCauses())
    wrong = continuous(known, spec.rule, spec.reference)
    assert right.offset[0] == sum(roll.gap for roll in right.rolls)
    assert right.offset[-1] == 0
    difference = right.offset - wrong.offset
    (left_out,) = [r for r in right.rolls if r.gap_session == np.flatnonzero(difference)[-1]]
    assert set(difference.tolist()) == {0, left_out.gap}
    assert right.sessions[left_out.gap_session] >= np.datetime64(spec.reference.unadjusted[0])


def test_reference_rolls_two_sessions_into_the_crossing() -> None:
    """The next contract led on the deciding session and the one before it, and never on two in a row before."""
    known = simulated("CL")
    series = continuous(known, RollRule("volume", 2), ReferenceCauses())
    volume, rows = known.reported_volume, known.rows
    days = np.flatnonzero(known.calendar.is_session)
    assert len(series.rolls) > 90
    since = 0
    for roll in series.rolls:
        held, following = roll.from_contract, roll.to_contract
        until = days[since : roll.gap_session + 1]
        lead = (volume[rows.on(following, until)] > volume[rows.on(held, until)]).tolist()
        assert lead[-2:] == [True, True]
        assert not any(a and b for a, b in itertools.pairwise(lead[:-1]))
        assert series.contract[roll.gap_session] == held
        assert series.contract[roll.gap_session + 1] == following
        since = roll.gap_session + 1


def test_reference_before_expiry_rolls_that_many_sessions_before_the_last_trade() -> None:
    known = simulated("PL")
    series = continuous(known, RollRule("before_expiry", 20), ReferenceCauses())
    assert len(series.rolls) > 30
    for roll in series.rolls:
        expiry = known.listing.expiry[roll.from_contract]
        assert np.searchsorted(known.calendar.sessions, expiry) - roll.gap_session == 20


def test_missing_and_misprinted_sessions_of_the_reference() -> None:
    known = simulated("CL")
    rule = RollRule("volume", 2)
    day = date(2021, 3, 10)
    plain = continuous(known, rule, ReferenceCauses())
    holed = continuous(known, rule, ReferenceCauses(missing=(day,)))
    assert set(plain.sessions.tolist()) - set(holed.sessions.tolist()) == {day}
    misprint = continuous(known, rule, ReferenceCauses(misprints=((day, 75),)))
    changed = np.flatnonzero(misprint.close != plain.close)
    assert plain.sessions[changed].tolist() == [day]
    assert misprint.close[changed] - plain.close[changed] == 75
    assert (misprint.high >= misprint.close).all()


def test_draws_are_the_published_pcg64_stream() -> None:
    """NumPy guarantees the raw stream of PCG64; a uniform is its upper 53 bits."""
    raw = np.random.PCG64(int.from_bytes(hashlib.sha256(b"7/a/b").digest()[:16], "big")).random_raw(3)
    assert Draws(7, "a", "b").uniform(3).tolist() == [(int(value) >> 11) / 2**53 for value in raw]


def test_draws_have_the_moments_they_claim() -> None:
    normal = Draws(1, "moments").normal(200_000)
    assert abs(normal.mean()) < 0.01
    assert normal.std() == pytest.approx(1.0, abs=0.01)
    whole = Draws(1, "whole").integers(10_000, -1, 1)
    assert np.unique(whole).tolist() == [-1, 0, 1]


def test_bridge_extremes_enclose_both_ends_and_match_the_known_mean() -> None:
    """From 0 to 0 with variance 1 the maximum is Rayleigh with mean sqrt(pi/8)."""
    zeros = np.zeros(200_000)
    high, low = bridge_extremes(Draws(3, "bridge"), zeros, zeros, np.ones_like(zeros))
    assert (high >= 0).all()
    assert (low <= 0).all()
    assert high.mean() == pytest.approx(np.sqrt(np.pi / 8), abs=0.005)
    assert low.mean() == pytest.approx(-np.sqrt(np.pi / 8), abs=0.005)


def test_stocks_split_and_pay_on_sessions() -> None:
    from ctl.demo.equities import dividend_factor, simulate

    spec = MARKET.equities[0]
    bars = simulate(spec, sessions_between(spec.calendar, MARKET.first, MARKET.last), MARKET.seed)
    at = int(np.searchsorted(bars.sessions, np.datetime64("2020-08-31")))
    assert bars.split[at] == 4
    assert bars.ratio[at - 1] == 4
    assert bars.ratio[at] == 1
    assert bars.close[at - 1] > 3 * bars.close[at]
    assert np.count_nonzero(bars.dividend) == 33
    factor = dividend_factor(bars)
    paid = np.flatnonzero(bars.dividend)[-1]
    expected = bars.close[paid] / (bars.close[paid] + bars.dividend[paid])
    assert factor[-1] == 1.0
    assert factor[paid] == 1.0
    assert factor[paid - 1] == pytest.approx(expected, abs=1e-15)
