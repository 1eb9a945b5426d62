"""The run that certification compares: triggers and closed trades as arrays, against the plain B1 of the answers."""

from __future__ import annotations

import math

import pytest
from b1_twin import b1
from b1_twin_tapes import as_dicts, walk

from ctl.errors import UsageError
from ctl.strategy.b1 import B1Parameters, run_signals


def listed(signals):
    columns = (signals.trigger_session, signals.exit_session, signals.r_theoretical)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def expected(made):
    """(trigger, exit, R) of every trigger, None for both where no trade closed."""
    closed = {trade["trigger_session"]: trade for trade in made["trades"]}
    found = []
    for trigger in made["triggers"]:
        trade = closed.get(trigger["trigger_session"], {})
        found.append((trigger["trigger_session"], trade.get("exit_session"), trade.get("r_theoretical")))
    return found


def test_triggers_and_results_are_those_of_the_plain_b1_for_several_symbols_at_once():
    rules = B1Parameters(slope_threshold=4.0, min_bars_of_air=3)
    slippage, tick = [0.0, 0.25, 0.5, 0.25, 0.0, 0.0], [0.25, None, 1.0, 0.25, None, None]
    tapes = [walk(seed, 420 + 30 * seed, start=200, noise=9, trend=3, rolls=seed % 3) for seed in range(5)]
    # The last one again, but it ends before its last trade does.
    whole = as_dicts(tapes[-1])
    last = b1(whole, rules.document(), slippage=slippage[-1], tick=tick[-1])["trades"][-1]
    tapes.append(tapes[-1].truncated([bar["session"] for bar in whole].index(last["exit_session"])))
    found = run_signals(tapes, rules, slippage_per_side=slippage, tick=tick)
    still_open = unclosed = 0
    for bars, signals, cost, step in zip(tapes, found, slippage, tick, strict=True):
        made = b1(as_dicts(bars), rules.document(), slippage=cost, tick=step)
        plain = expected(made)
        still_open += len(made["open"])
        mine = listed(signals)
        assert [(session.isoformat(), out and out.isoformat()) for session, out, _ in mine] == [
            row[:2] for row in plain
        ]
        for (_, _, r), (_, _, other) in zip(mine, plain, strict=True):
            assert math.isnan(r) if other is None else r == pytest.approx(other, abs=1e-9)
        unclosed += sum(out is None for _, out, _ in mine)
        assert any(out is not None for _, out, _ in mine)
    assert still_open
    assert unclosed > still_open


def test_no_symbol_and_no_trigger():
    assert run_signals([], slippage_per_side=[], tick=[]) == []
    (nothing,) = run_signals([walk(1, 150)], slippage_per_side=[0.0], tick=[None])
    assert listed(nothing) == []


def test_unusable_costs_are_refused():
    with pytest.raises(UsageError, match="per symbol"):
        run_signals([walk(1, 300)], slippage_per_side=[0.0, 0.0], tick=[None])
