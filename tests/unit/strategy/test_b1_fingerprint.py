"""The fingerprint stands on a tape that goes through every branch, and moves when behaviour does."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
from b1_twin import b1
from b1_twin_branches import EXPECTED, MODES, branches
from b1_twin_tapes import as_dicts, differences

from ctl.digests import digest
from ctl.strategy.b1 import B1Parameters, fingerprint, kernel, registered_ranges, run, tape
from ctl.strategy.b1.behaviour import behaviour

DAILY = B1Parameters.registered("daily")
WEEKLY = B1Parameters.registered("weekly")


def mode_runs():
    """The daily runs that the fingerprint makes: bars, parameters, tick, slippage, lots."""
    for number, (stop_mode, collision) in enumerate(MODES):
        rules = replace(DAILY, stop_mode=stop_mode, collision=collision)
        for bars in tape.daily_tape():
            yield bars, rules, (0.25, 1.0)[number % 2], (0.0, 0.25)[number % 2], (3, 1, 2, 4)[number % 4]


def test_every_branch_occurs_on_the_tape():
    seen = set()
    for bars, rules, tick, slippage, lots in mode_runs():
        result = run(bars, rules, tick=tick, slippage_per_side=slippage, lots=lots)
        seen |= branches(bars, result, tick)
    assert EXPECTED - seen == set()


def test_the_plain_twin_does_the_same_on_the_tape():
    for bars, rules, tick, slippage, lots in mode_runs():
        result = run(bars, rules, tick=tick, slippage_per_side=slippage, lots=lots)
        expected = b1(as_dicts(bars), rules.document(), tick=tick, slippage=slippage, lots=lots)
        assert differences(result.document(), expected) == []


def test_the_weekly_tape_trades():
    results = [run(bars, timeframe="weekly", tick=0.25) for bars in tape.weekly_tape()]
    assert sum(len(result.triggers) for result in results) == 10
    assert {trigger.weekly_aligned for result in results for trigger in result.triggers} >= {True, False}


def test_the_registered_fingerprint_is_one_for_both_timeframes():
    assert fingerprint() == fingerprint(DAILY, "daily") == fingerprint(WEEKLY, "weekly")
    assert len(fingerprint()) == 64
    assert fingerprint(replace(DAILY, ema=11)) != fingerprint()
    assert run(tape.daily_tape()[0]).fingerprint == fingerprint()
    assert run(tape.weekly_tape()[0], timeframe="weekly").fingerprint == fingerprint()


def test_the_registered_fingerprint_is_the_one_that_profiles_lock():
    # Moves only with B1's behaviour; every profile that locks the strategy then has to be locked anew.
    assert fingerprint() == "36a92d940e6e4ed7c92102a75cd29530b653b87520aec619f44c5e305ac9b81b"


def test_another_process_makes_the_same_fingerprint():
    program = "from ctl.strategy.b1 import fingerprint; print(fingerprint())"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    made = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert made.stdout.strip() == fingerprint()


@pytest.mark.parametrize("name", sorted(registered_ranges("daily")))
def test_a_changed_parameter_changes_behaviour_not_only_the_parameter_list(name):
    usual = digest(behaviour(DAILY, WEEKLY))
    low, high = registered_ranges("daily")[name]
    value = getattr(DAILY, name)
    others = {low, high} - {value} or {value - 4, value + 4}
    made = [digest(behaviour(replace(DAILY, **{name: type(value)(other)}), WEEKLY)) for other in others]
    assert all(other != usual for other in made)


@pytest.mark.parametrize(
    "change", [{"swing_lookback": 10}, {"slope_threshold": 14.0}, {"stop_mode": 3}, {"collision": "stop_wins"}]
)
def test_a_changed_weekly_parameter_changes_the_fingerprint(change):
    assert fingerprint(replace(WEEKLY, **change), "weekly") != fingerprint()


def variant(old, new):
    """The kernel as plain Python with one rule changed."""
    source = Path(kernel.__file__).read_text(encoding="utf-8")
    assert source.count(old) >= 1, old
    changed = types.ModuleType("changed_kernel")
    changed.__file__ = kernel.__file__
    stub = "def njit(**options):\n    return lambda function: function\n"
    text = source.replace("from numba import njit", stub).replace(old, new)
    exec(compile(text, "changed_kernel", "exec"), changed.__dict__)  # noqa: S102 - our own source with one rule changed
    return changed.simulate


CHANGED_RULES = [
    # indicators
    ("alpha = 2.0 / (ema_period + 1.0)", "alpha = 2.0 / (ema_period + 2.0)"),
    ("abs(h - previous), abs(l - previous)", "h - previous, previous - l * 0"),
    ("(true_range - average_range) / divisor", "(true_range - average_range) * 2.0 / (divisor + 1.0)"),
    ("denominator = before - shift[n]", "denominator = before"),
    # trigger
    ("touched = l <= average", "touched = l < average - 0.25"),
    ("clear >= min_bars_of_air", "clear > min_bars_of_air"),
    ("c[n] > average - breakdown_buffer_atr", "c[n] > average + breakdown_buffer_atr"),
    ("if not slope >= slope_threshold", "if not slope >= slope_threshold + 0.2"),
    ("min(touch_air[k], max_air_lookback)", "touch_air[k]"),
    ("_highest(h, n - swing_lookback, n)\n", "_highest(h, n - swing_lookback, n + 1)\n"),
    ("_highest(h, n - swing_lookback, n)\n", "_highest(h, n - swing_lookback + 1, n)\n"),
    ("span * 0.618", "span * 0.5"),
    ("span * 0.786", "span * 0.75"),
    ("span * 1.618", "span * 1.5"),
    ("span * 2.618", "span * 2.5"),
    # pending
    ("if c[m] > e[m]:", "if c[m] > stop:"),
    ("range(n + 1, min(n + entry_grace_bars + 1, length))", "range(n, min(n + entry_grace_bars + 1, length))"),
    ("range(n + 1, min(n + entry_grace_bars + 1, length))", "range(n + 1, min(n + entry_grace_bars, length))"),
    ("breached = 1\n", "breached = 0\n"),
    ("if n + entry_grace_bars < length:", "if n + entry_grace_bars <= length:"),
    ("entry_bar = confirmation + 1", "entry_bar = confirmation"),
    # entry
    ("distance = o[entry_bar] - stop", "distance = o[entry_bar] + slippage[s] - stop"),
    ("max(tick[s], min_risk_atr * touch_atr[k])", "min_risk_atr * touch_atr[k]"),
    ("max(tick[s], min_risk_atr * touch_atr[k])", "tick[s]"),
    ("ENTRY_AT_OR_BELOW_STOP if distance <= 0.0", "ENTRY_AT_OR_BELOW_STOP if distance < 0.0"),
    ("entry = open_[entry_bar] + slippage", "entry = open_[entry_bar]"),
    # exits
    ("for n in range(entry_bar + 1, len(close)):", "for n in range(entry_bar, len(close)):"),
    ("exit_price = o - slippage", "exit_price = o"),
    ("exit_price = o - slippage", "exit_price = close[n] - slippage"),
    ("breached = close[n] < stop", "breached = low[n] < stop"),
    ("breached = close[n] < stop", "breached = close[n] < initial_stop"),
    ("reached1 = hit1 < 0 and h >= tp1", "reached1 = hit1 < 0 and close[n] >= tp1"),
    ("fill1 = max(tp1, o)", "fill1 = tp1"),
    ("fill2 = max(tp2, o)", "fill2 = tp2"),
    ("fill3 = max(tp3, o)", "fill3 = tp3"),
    ("if not (breached and stop_wins):", "if not breached:"),
    ("if not (breached and stop_wins):", "if True:"),
    ("collision = 1", "collision = 0"),
    ("if o >= tp3:", "if o > tp3 * 10:"),
    ("stop = entry\n", "stop = initial_stop\n"),
    ("stop = max(stop, ema[n])", "stop = ema[n]"),
    ("flat_from = exit_bar\n", "flat_from = exit_bar + 1\n"),
    ("top = max(top, o)\n            bottom = min(bottom, o)\n            break", "break"),
    ("int(low[entry_bar] < initial_stop)", "int(close[entry_bar] < initial_stop)"),
    ("int(breached and exit_reason == EXIT_OPEN)", "0"),
    # R
    ("(r1 + r3) / 2.0", "(r1 + r2) / 2.0"),
    ("r_actual = r1\n", "r_actual = r3\n"),
    ("third = lots // 3", "third = lots / 3"),
    # flags
    ("now > before and no_higher", "now < before and no_higher"),
    ("no_higher = low[n] <= low[touched]", "no_higher = True"),
    ("h[n - 2] < h[n - 3] and l[n - 1]", "l[n - 1]"),
    ("recent < earlier", "recent > earlier"),
    ("floor = 0.98 * stop", "floor = 0.9 * stop"),
    ("_NEAR_HIGH_BARS: Final = 252", "_NEAR_HIGH_BARS: Final = 240"),
    ("0.95 * (window[m] - shift)", "0.9 * (window[m] - shift)"),
    ("/ target < 0.01", "/ target < 0.02"),
    ("2 * swing_lookback", "swing_lookback"),
    ("int(h[n - 1] == swing_high)", "int(h[n - 1] > swing_high)"),
    ("_HIGHER_BARS_NEEDED: Final = 30", "_HIGHER_BARS_NEEDED: Final = 31"),
    ("key[ends[known]] < limit:", "key[ends[known]] <= limit:"),
    ("and close[ends[last]] > ema[last]", ""),
    ("denominator = before - shift\n", "denominator = before\n"),
]


def test_the_kernel_as_plain_python_behaves_as_the_compiled_one(monkeypatch):
    usual = behaviour(DAILY, WEEKLY)
    monkeypatch.setattr(kernel, "simulate", variant("from numba import njit", "from numba import njit"))
    assert digest(behaviour(DAILY, WEEKLY)) == digest(usual)


@pytest.mark.parametrize(("old", "new"), CHANGED_RULES)
def test_a_changed_rule_changes_the_behaviour(monkeypatch, old, new):
    usual = behaviour(DAILY, WEEKLY)
    monkeypatch.setattr(kernel, "simulate", variant(old, new))
    changed = behaviour(DAILY, WEEKLY)
    assert digest(changed) != digest(usual)
