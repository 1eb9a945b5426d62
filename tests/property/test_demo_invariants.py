"""What holds for every simulated market, whatever its seed and span."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl import demo
from ctl.demo import injection
from ctl.demo.draws import Draws
from ctl.demo.listing import trading_days
from ctl.demo.quotes import quotes
from ctl.demo.rawbars import raw_bars
from ctl.demo.reference import continuous
from ctl.demo.spec import FutureSpec, ReferenceCauses, RollRule
from ctl.errors import UsageError

MARKET = demo.default_market()
CALENDAR_DAYS = (MARKET.last - MARKET.first).days

seeds = st.integers(min_value=0, max_value=2**64)
roots = st.sampled_from(MARKET.futures)
possible = st.sampled_from([(cause, symbol) for cause in demo.CAUSES for symbol in demo.symbols_of(cause)])


@st.composite
def spans(draw: st.DrawFn) -> tuple[date, date]:
    start = draw(st.integers(0, CALENDAR_DAYS - 400))
    length = draw(st.integers(200, 400))
    return MARKET.first + timedelta(start), MARKET.first + timedelta(start + length)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, spec=roots, span=spans())
def test_bars_are_sound_and_unique(seed: int, spec: FutureSpec, span: tuple[date, date]) -> None:
    known = quotes(spec, trading_days(spec.calendar, *span), seed)
    bars = raw_bars(spec, known)
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.volume > 0).all()
    tick = round(spec.tick * 1e9)
    for name in ("open", "high", "low", "close"):
        assert (getattr(bars, name) % tick == 0).all()
    day = bars.day.astype("M8[D]").astype(np.int64)
    assert (np.diff(day) >= 0).all()
    assert np.unique(np.stack([day, bars.instrument]), axis=1).shape[1] == day.size


@settings(max_examples=25, deadline=None)
@given(seed=seeds, spec=roots, span=spans(), days=st.integers(1, 4))
def test_the_adjusted_reference_earns_what_a_holder_earned(
    seed: int, spec: FutureSpec, span: tuple[date, date], days: int
) -> None:
    """Every change of the adjusted series is one contract's own: the old one's up to the gap session."""
    known = quotes(spec, trading_days(spec.calendar, *span), seed)
    series = continuous(known, RollRule("volume", days), ReferenceCauses())
    adjusted = series.close + series.offset
    close = known.exchange.close
    days = np.flatnonzero(known.calendar.is_session)
    for t in range(1, series.sessions.size):
        earlier, later = known.rows.on(int(series.contract[t]), days[t - 1 : t + 1])
        assert adjusted[t] - adjusted[t - 1] == close[later] - close[earlier]
    assert (np.diff(series.contract) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(first=possible, second=possible)
def test_causes_of_different_symbols_commute(first: tuple[str, str], second: tuple[str, str]) -> None:
    one = injection.apply(MARKET, [first, second])
    if first[1] != second[1]:
        assert one == injection.apply(MARKET, [second, first])
    assert one != MARKET
    untouched = {first[1], second[1]}
    for spec in MARKET.futures:
        if spec.root not in untouched:
            assert one.future(spec.root) == spec


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=30))
def test_any_text_is_an_injection_or_a_usage_error(text: str) -> None:
    try:
        cause, symbol = demo.parse_injection(text)
    except UsageError:
        return
    assert f"{cause}:{symbol}" == text
    assert symbol in demo.symbols_of(cause)


@settings(max_examples=50, deadline=None)
@given(seed=seeds, label=st.text(max_size=10), short=st.integers(0, 50), more=st.integers(0, 50))
def test_a_longer_draw_begins_with_the_shorter_one(seed: int, label: str, short: int, more: int) -> None:
    whole = Draws(seed, label).uniform(short + more)
    assert whole[:short].tolist() == Draws(seed, label).uniform(short).tolist()
    assert ((whole >= 0) & (whole < 1)).all()


@settings(max_examples=10, deadline=None)
@given(seed=seeds, spec=roots)
def test_settlement_closes_are_the_exchange_bars_whatever_the_seed(seed: int, spec: FutureSpec) -> None:
    settled = replace(spec, canonical=replace(spec.canonical, close="settlement"))
    known = quotes(settled, trading_days(spec.calendar, date(2021, 1, 4), date(2021, 12, 30)), seed)
    bars = raw_bars(settled, known)
    outright = bars.take(np.flatnonzero(bars.is_spread == 0))
    assert np.isin(outright.day, known.calendar.sessions).all()
    at = np.searchsorted(known.calendar.days, outright.day.astype("M8[D]"))
    rows = [known.rows.at(int(c), int(t)) for c, t in zip(outright.contract, at, strict=True)]
    assert (outright.close == known.exchange.close[rows] * round(spec.tick * 1e9)).all()
