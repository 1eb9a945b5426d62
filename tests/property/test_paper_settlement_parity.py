"""Settling orders bar by bar, in the terms of each bar's own contract, comes to B1's trades on any bars."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from b1_twin_tapes import walk
from hypothesis import given
from hypothesis import strategies as st

from ctl.model.paper import PaperEntry, RefusedEntry
from ctl.strategy.b1 import run
from ctl.trading import paper

SLIPPAGE = 0.25
RUN = datetime(2026, 2, 1, tzinfo=UTC)

# Prices on grids that floats hold exactly, so that no frame rounds otherwise than another.
tapes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**9),
        "start": st.sampled_from([200, 800]),
        "grid": st.sampled_from([0.25, 1.0]),
        "noise": st.integers(0, 14),
        "trend": st.integers(1, 14),
        "odd": st.sampled_from([0.0, 0.05, 0.4]),
        "rolls": st.integers(0, 12),
    }
)


def settled(bars, result, tick, reread):
    """Closed trades on paper; with `reread` the state goes through the ledger's text after every session."""
    decided = {}
    for trigger in result.triggers:
        if trigger.confirmation_session is not None:
            decided.setdefault(trigger.confirmation_session, []).append(trigger)
    state, closed, refused = paper.State(), [], []
    for n, session in enumerate(bars.session.tolist()):
        carried = float(bars.adjustment[n])
        gap = float(bars.adjustment[n - 1]) - carried if n else 0.0
        prices = (float(getattr(bars, name)[n]) - carried for name in ("open", "high", "low", "close"))
        bar = paper.Bar(session, "ZZH26", *prices, gap, "")
        entries = [
            PaperEntry(
                trigger.trigger_session,
                trigger.stop - carried,
                (trigger.tp1 - carried, trigger.tp2 - carried, trigger.tp3 - carried),
                max(tick, 0.1 * trigger.atr),
                None,
                live=True,
            )
            for trigger in decided.get(session, ())
        ]
        line = paper.record("ZZ", state, bar, entries, paper.Costs(SLIPPAGE, tick), instant=RUN)
        if reread:
            (line,) = paper.read(paper.lines([line]), "ledger").records["ZZ"]
        state = paper.state_after(line)
        closed += line.closed
        refused += line.refused
    return state, closed, refused


@given(tapes, st.sampled_from([0.25, 2.0]), st.booleans())
def test_paper_comes_to_the_backtest(tape, tick, reread):
    bars = walk(length=700, **tape)
    result = run(bars, slippage_per_side=SLIPPAGE, tick=tick)
    state, closed, refused = settled(bars, result, tick, reread)
    assert [
        (item.trigger_session, item.entry_session, item.exit_session, item.exit_reason, item.targets) for item in closed
    ] == [
        (
            trade.trigger_session,
            trade.entry_session,
            trade.exit_session,
            trade.exit_reason,
            (trade.tp1_session, trade.tp2_session, trade.tp3_session),
        )
        for trade in result.trades
    ]
    assert [item.r_theoretical for item in closed] == pytest.approx([trade.r_theoretical for trade in result.trades])
    no_trade = [trigger for trigger in result.triggers if trigger.status == "no_trade"]
    assert refused == [RefusedEntry(item.trigger_session, item.reason) for item in no_trade]
    assert [position.due for position in state.positions] == [trade.awaiting_exit for trade in result.open]
    assert len(state.entries) == sum(trigger.status == "awaiting_entry" for trigger in result.triggers)


def test_the_tapes_hold_what_is_to_be_shown():
    """Trades of either end, entries refused, trades over rolls: the property is not empty."""
    seen = set()
    for seed in range(120):
        noise, odd = ((8, 0.05), (14, 0.2))[seed % 2]
        bars = walk(seed, 700, start=800, noise=noise, trend=10, odd=odd, rolls=12)
        result = run(bars, slippage_per_side=SLIPPAGE, tick=2.0)
        seen |= {trade.exit_reason for trade in result.trades}
        seen |= {trigger.reason for trigger in result.triggers if trigger.reason}
        if any(trade.same_bar_collision for trade in result.trades):
            seen.add("collision")
        carried = dict(zip(bars.session.tolist(), bars.adjustment.tolist(), strict=True))
        if any(carried[trade.entry_session] != carried[trade.exit_session] for trade in result.trades):
            seen.add("rolled")
    assert seen >= {"TP3", "Stop", "risk_too_small", "entry_at_or_below_stop", "collision", "rolled"}
