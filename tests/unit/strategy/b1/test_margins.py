"""Near misses: how far a bar is from triggering."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from b1_twin import Twin
from b1_twin_branches import would_trigger
from b1_twin_tapes import as_bars, as_dicts, walk, weekdays

from ctl.strategy.b1 import B1Parameters, trigger_margins
from ctl.strategy.b1.margins import slacks

DAYS = weekdays(400)
ROWS = [(100.0, 100.0, 100.0, 100.0)] * 220 + [(99.5 + k, 100.5 + k, 99.5 + k, 100.0 + k) for k in range(1, 31)]
E_249 = 130 - 4.5 * (1 - (9 / 11) ** 30)


def margin(trigger, params=None, **columns):
    return trigger_margins(as_bars([*ROWS, trigger], **columns), params, sessions=[DAYS[250]])[DAYS[250]]


def test_the_condition_that_holds_least_decides_on_a_trigger():
    # EMA 125.78 over a low of 125: 0.78 of room; the close, the air and the slope have more.
    ema = 2 / 11 * 127 + 9 / 11 * E_249
    assert margin((129.0, 129.5, 125.0, 127.0)) == pytest.approx((ema - 125.0) / 127.0, rel=1e-9)
    # In the frame of the bar the price is 60 less.
    assert margin((129.0, 129.5, 125.0, 127.0), adjustment=[60.0] * 251) == pytest.approx((ema - 125) / 67, rel=1e-9)


def test_the_condition_that_fails_most_decides_on_a_miss():
    ema = 2 / 11 * 127 + 9 / 11 * E_249
    assert margin((129.0, 129.5, 125.9, 127.0)) == pytest.approx((125.9 - ema) / 127.0, rel=1e-9)
    # A slope threshold of 18 % asks for 19.2 between the EMAs; there are 18.8.
    e_230 = 111 - 4.5 * (1 - (9 / 11) ** 11)
    short = 0.18 * e_230 - (ema - e_230)
    rules = B1Parameters.from_overrides({"slope_threshold": 18}, "daily", unregistered=True)
    assert margin((129.0, 129.5, 125.9, 127.0), rules) == pytest.approx(max(short, 125.9 - ema) / 127.0, rel=1e-9)


def test_sessions_that_cannot_be_judged_are_left_out():
    bars = as_bars([*ROWS, (129.0, 129.5, 125.0, 127.0)])
    saturday = next(day for day in DAYS[201:] if day.weekday() == 4) + timedelta(days=1)
    asked = [DAYS[10], DAYS[199], DAYS[200], saturday, DAYS[250], DAYS[300]]
    assert list(trigger_margins(bars, sessions=asked)) == [DAYS[200], DAYS[250]]
    negative = as_bars([*ROWS, (129.0, 129.5, 125.0, 127.0)], adjustment=[0.0] * 250 + [127.5])
    assert trigger_margins(negative, sessions=[DAYS[250]]) == {}
    assert trigger_margins(bars, sessions=[]) == {}


def test_windows_longer_than_the_warm_up_are_judged_from_where_they_are_full():
    bars = as_bars([*ROWS, (129.0, 129.5, 125.0, 127.0)])
    short = B1Parameters(swing_lookback=250)
    assert list(trigger_margins(bars, short, sessions=DAYS[240:251])) == [DAYS[250]]
    airy = B1Parameters(min_bars_of_air=249, max_air_lookback=249)
    assert list(trigger_margins(bars, airy, sessions=DAYS[240:251])) == [DAYS[249], DAYS[250]]


def test_bars_with_slack_are_those_that_meet_every_condition():
    rules = B1Parameters(slope_threshold=4.0, min_bars_of_air=3)
    meeting = 0
    for seed in range(8):
        bars = walk(seed, 420, start=200, noise=9, trend=3, rolls=seed % 4, odd=0.0)
        twin = Twin(as_dicts(bars), rules.document())
        slack = slacks(bars, rules, np.arange(420))
        assert np.isnan(slack[:200]).all()
        for n in range(200, 420):
            assert (slack[n] > 0.0) == would_trigger(twin, n)
            meeting += slack[n] > 0.0
    assert meeting > 40
