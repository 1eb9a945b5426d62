"""The example strategy's rules: trades worked by hand, and nothing that later bars could change."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ctl.errors import UsageError
from ctl.strategy.b1.tape import daily_tape
from ctl.strategy.bars import StrategyBars

SOURCE = Path(__file__).resolve().parents[3] / "examples" / "donchian_breakout" / "src"


@pytest.fixture(scope="module", autouse=True)
def example():
    """The package as it lies in the repository, for this module alone."""
    sys.path.insert(0, str(SOURCE))
    yield
    sys.path.remove(str(SOURCE))
    for name in [name for name in sys.modules if name.startswith("ctl_donchian")]:
        del sys.modules[name]


@pytest.fixture
def donchian():
    from ctl_donchian import Donchian

    return Donchian


def bars(rows: list[tuple[float, float, float, float]]) -> StrategyBars:
    prices = np.array(rows).T
    days = np.datetime64("2025-01-06") + np.arange(len(rows))
    return StrategyBars("X", days, *prices)


def run(strategy, own: StrategyBars, slippage: float = 0.0):
    (result,) = strategy.run([own], timeframe="daily", slippage_per_side=[slippage], tick=[0.25])
    return result


# Three quiet bars, a close above their highs, a day in the trade, a close below the two-bar low, the way out.
ROWS = [
    (10, 11, 9, 10), (10, 11, 9, 10), (10, 11, 9, 10),
    (11, 13, 10, 12),  # closes above 11: trigger; stop = min(9, 10) = 9
    (12, 15, 12, 14),  # bought at 12; the stop rises to min(10, 12) = 10
    (14, 15, 11, 12),  # stays above 10; the stop is now min(12, 11) = 11
    (12, 12, 10, 10.5),  # closes below 11
    (10, 11, 9, 10),  # sold at 10
]  # fmt: skip


def test_one_trade_by_hand(donchian):
    result = run(donchian(entry_bars=3, exit_bars=2), bars(ROWS), slippage=0.5)
    (trade,) = result.trades
    assert [str(day) for day in (trade.trigger_session, trade.entry_session, trade.exit_session)] == [
        "2025-01-09",
        "2025-01-10",
        "2025-01-13",
    ]
    assert (trade.entry_price, trade.stop_price, trade.exit_price, trade.hold_bars) == (12.5, 9.0, 9.5, 3)
    assert trade.r_theoretical == pytest.approx(-3.0 / 3.5)
    assert (result.metrics.trade_count, result.metrics.total_r) == (1, trade.r_theoretical)
    assert result.open == ()


def test_what_the_last_bar_leaves(donchian):
    strategy = donchian(entry_bars=3, exit_bars=2)
    waiting = run(strategy, bars(ROWS[:4]))
    assert [item.status for item in waiting.triggers] == ["awaiting_entry"]
    held = run(strategy, bars(ROWS[:6]))
    assert [(item.exit_reason, item.exit_price, item.awaiting_exit) for item in held.open] == [("Open", 12.0, False)]
    due = run(strategy, bars(ROWS[:7]))
    assert due.open[0].awaiting_exit
    assert (due.trades, due.metrics.open_count) == ((), 1)


def test_an_open_at_or_below_the_stop_is_no_trade(donchian):
    result = run(donchian(entry_bars=3, exit_bars=2), bars([*ROWS[:4], (9, 10, 8, 9), (9, 10, 8, 9)]))
    assert [item.status for item in result.triggers] == ["no_trade"]
    assert (result.trades, result.open) == ((), ())


def test_later_bars_change_no_earlier_record(donchian):
    strategy = donchian(entry_bars=20, exit_bars=10)
    compared = 0
    for own in daily_tape()[:6]:
        full = run(strategy, own)
        for count in range(60, len(own), 37):
            cut = run(strategy, own.truncated(count))
            last = own.session[count - 1].item()
            assert cut.trades == tuple(trade for trade in full.trades if trade.exit_session <= last)
            seen = [item.trigger_session for item in full.triggers if item.trigger_session <= last]
            assert [item.trigger_session for item in cut.triggers] == seen
            compared += len(cut.trades)
    assert compared > 20


def test_the_tape_tells_parameters_apart(donchian):
    prints = {donchian(entry, exit_).fingerprint() for entry in (20, 55) for exit_ in (10, 20)}
    assert len(prints) == 4
    assert donchian().fingerprint() == donchian().fingerprint()


def test_parameters_are_checked(donchian):
    chosen = donchian().configured({"entry_bars": "30"}, timeframe="daily")
    assert (chosen.entry_bars, chosen.exit_bars) == (30, 20)
    for overrides in ({"ema": 10}, {"entry_bars": 5}, {"entry_bars": "x"}, {"exit_bars": -3}):
        with pytest.raises(UsageError):
            donchian().configured(overrides, timeframe="daily")
    assert donchian().configured({"entry_bars": 5}, timeframe="daily", unregistered=True).entry_bars == 5
