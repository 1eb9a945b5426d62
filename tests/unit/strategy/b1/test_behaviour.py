"""The fingerprint stands on a tape that goes through every branch, and moves when behaviour does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import changed_rules
import pytest
from b1_twin import b1
from b1_twin_branches import EXPECTED, MODES, branches
from b1_twin_tapes import as_dicts, differences

from ctl.digests import digest
from ctl.strategy.b1 import B1Parameters, fingerprint, registered_ranges, run, tape
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


def test_plain_python_behaves_as_the_compiled_rules_and_every_changed_rule_changes_the_behaviour():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    ran = subprocess.run(
        [sys.executable, changed_rules.__file__], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(ran.stdout)
    usual = changed_rules.digest_of(behaviour(DAILY, WEEKLY))
    assert found.pop("nothing") == usual
    assert [what for what, made in found.items() if made == usual] == []
    assert len(found) == 40
