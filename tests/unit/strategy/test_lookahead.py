"""Peeking strategies are found out, each by the first value that later bars change; B1 has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from ctl.strategy.b1.strategy import B1, REGISTERED
from ctl.strategy.bars import StrategyBars
from ctl.strategy.lookahead import first_change

TERMS: dict[str, Any] = {"timeframe": "daily", "slippage_per_side": 0.25, "tick": 0.25}


@dataclass(frozen=True)
class Peeking:
    """B1 on bars that `see` has changed with what comes later."""

    see: Callable[[Any], Any]
    name: str = "peeking"

    def configured(self, *_: Any, **__: Any) -> Peeking:
        return self

    def fingerprint(self) -> str:
        return "0" * 64

    def run(self, bars: Sequence[Any], **terms: Any) -> Any:
        return B1().run([self.see(each) for each in bars], **terms)


def tomorrows_close(bars: Any) -> Any:
    """The stop's side of a bar moved by the next close: a trigger of the last bar is another once it is known."""
    after = np.append(bars.close[1:], bars.close[-1])
    return replace(bars, low=np.minimum(bars.low, after))


def scaled_by_the_last(bars: Any) -> Any:
    """Prices normalised by the newest close, as careless ratio adjustment does."""
    factor = 100.0 / bars.close[-1]
    return replace(bars, **{name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")})


def unshifted(bars: Any) -> Any:
    """Percentages on adjusted prices, as if nothing were carried: they depend on rolls to come."""
    return replace(bars, adjustment=np.zeros(len(bars)))


@pytest.fixture(scope="module")
def tape() -> StrategyBars:
    """An uptrend with a pullback every twenty-four bars, some of which fail."""
    draw = np.random.default_rng(3)
    n = 420
    close = 100.0 * np.exp(0.006 * np.arange(n) + 0.04 * np.sin(np.arange(n) * 2.0 * np.pi / 24.0))
    close += draw.normal(0.0, 0.008, n) * close
    opens = np.append(100.0, close[:-1]) + draw.normal(0.0, 0.3, n)
    high = np.maximum(opens, close) + draw.uniform(0.1, 1.0, n)
    low = np.minimum(opens, close) - draw.uniform(0.1, 1.0, n)
    session = np.datetime64("2020-01-01") + np.arange(n)
    bars = StrategyBars(
        "ZZ", session, opens, high, low, close, week_key=np.arange(n) // 5, month_key=np.arange(n) // 21
    )
    (result,) = REGISTERED.run([bars], timeframe="daily", slippage_per_side=[0.25], tick=[0.25])
    assert len(result.trades) > 3
    return bars


def test_b1_knows_no_future(tape: StrategyBars) -> None:
    assert first_change(REGISTERED, tape, **TERMS) is None


@pytest.mark.parametrize("see", [tomorrows_close, scaled_by_the_last])
def test_a_strategy_that_peeks_is_found_out(tape: StrategyBars, see: Callable[[Any], Any]) -> None:
    change = first_change(Peeking(see), tape, **TERMS)
    assert change is not None
    assert change.then != change.later
    assert change.known_on < tape.session[-1].item()
    assert change.what.split()[0] in ("trigger", "trade", "position")


def test_percentages_on_a_later_frame_are_found_out(tape: StrategyBars) -> None:
    rolled = np.where(np.arange(len(tape)) < 350, 60.0, 0.0)
    moved = {name: getattr(tape, name) + rolled for name in ("open", "high", "low", "close")}
    bars = replace(tape, **moved, adjustment=rolled)
    assert first_change(REGISTERED, bars, **TERMS) is None
    change = first_change(Peeking(unshifted), bars, **TERMS)
    assert change is not None


def lower_after_equal_highs(bars: Any) -> Any:
    """A rule that asks whether two highs are equal, as one asks whether a high reaches a target."""
    again = np.append(False, bars.high[1:] == bars.high[:-1])
    return replace(bars, low=np.where(again, bars.low - 3.0, bars.low))


def test_the_last_bit_of_a_sum_of_gaps_is_no_knowledge_of_the_future(tape: StrategyBars) -> None:
    """On a grid of 0.05, with a gap of 0.15 every three sessions: highs that are equal are so in every frame."""
    carried = np.cumsum(np.where(np.arange(len(tape)) % 3, 0.0, 0.15)[::-1])[::-1]
    grid = {name: np.round(getattr(tape, name) * 20.0) / 20.0 for name in ("open", "high", "low", "close")}
    grid["high"][1::2] = grid["high"][0::2] = np.maximum(grid["high"][0::2], grid["high"][1::2])
    adjusted = {name: np.round(prices - carried, 2) + carried for name, prices in grid.items()}
    bars = replace(tape, **adjusted, adjustment=carried)
    assert first_change(Peeking(lower_after_equal_highs), bars, **TERMS) is None  # type: ignore[arg-type]
