"""The rules, the records they leave, and the strategy as ctl's runner sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from ctl.errors import UsageError
from ctl.strategy.bars import StrategyBars, weekly_bars
from ctl.strategy.behaviour import fingerprint_on_tape
from ctl.strategy.metrics import measure

if TYPE_CHECKING:
    from ctl.model.trades import Metrics, Timeframe

_REGISTERED = {"entry_bars": (20, 100), "exit_bars": (10, 50)}


@dataclass(frozen=True, slots=True)
class Breakout:
    """A close above the channel; the next open buys."""

    trigger_session: date
    status: str
    stop: float


@dataclass(frozen=True, slots=True)
class BreakoutTrade:
    """One position from its open to its open; still held ones are marked at the last close."""

    trigger_session: date
    entry_session: date
    entry_price: float
    stop_price: float
    exit_session: date
    exit_price: float
    exit_reason: str
    r_theoretical: float
    hold_bars: int
    awaiting_exit: bool = False


@dataclass(frozen=True, slots=True)
class DonchianResult:
    """What the strategy did on one symbol."""

    symbol: str
    timeframe: Timeframe
    parameters: Mapping[str, Any]
    triggers: tuple[Breakout, ...]
    trades: tuple[BreakoutTrade, ...]
    open: tuple[BreakoutTrade, ...]
    metrics: Metrics
    fingerprint: str
    first_session: date
    last_session: date
    bar_count: int
    evaluated_bars: int
    stressed: None = None


@dataclass(frozen=True, slots=True)
class Donchian:
    """entry_bars: bars whose highest high a close must exceed. exit_bars: bars whose lowest low is the stop."""

    entry_bars: int = 55
    exit_bars: int = 20

    @property
    def name(self) -> str:
        """`donchian`."""
        return "donchian"

    def configured(self, overrides: Mapping[str, Any], *, timeframe: Timeframe, unregistered: bool = False) -> Donchian:
        """The same rules with other look-backs."""
        values: dict[str, int] = {}
        for name, received in overrides.items():
            if name not in _REGISTERED:
                raise UsageError(f"unknown parameter {name!r} of donchian", expected=", ".join(_REGISTERED))
            low, high = (1, 10_000) if unregistered else _REGISTERED[name]
            text = str(received).strip()
            if not text.isdecimal() or len(text) > 5 or not low <= int(text) <= high:
                raise UsageError(f"parameter {name} of donchian", found=text[:20], expected=f"{low} to {high}")
            values[name] = int(text)
        return replace(self, **values)

    def run(
        self,
        bars: Sequence[StrategyBars],
        *,
        timeframe: Timeframe,
        slippage_per_side: Sequence[float],
        tick: Sequence[float | None],
        lots: int = 3,
    ) -> list[DonchianResult]:
        """One result per symbol. The tick and the lots do not matter here: every lot leaves at once."""
        locked = self.fingerprint()
        return [
            self._result(own if timeframe == "daily" else weekly_bars(own), timeframe, slippage, lots, locked)
            for own, slippage in zip(bars, slippage_per_side, strict=True)
        ]

    def fingerprint(self) -> str:
        """What these rules do on ctl's packaged tape."""
        return fingerprint_on_tape(self.name, asdict(self), self._behaviour)

    def _behaviour(
        self, bars: StrategyBars, slippage: float, tick: float
    ) -> tuple[list[Breakout], list[BreakoutTrade], list[BreakoutTrade]]:
        return _trade(bars, self.entry_bars, self.exit_bars, slippage)

    def _result(
        self, bars: StrategyBars, timeframe: Timeframe, slippage: float, lots: int, locked: str
    ) -> DonchianResult:
        triggers, trades, still_open = _trade(bars, self.entry_bars, self.exit_bars, slippage)
        evaluated = max(0, len(bars) - self.entry_bars)
        return DonchianResult(
            symbol=bars.symbol,
            timeframe=timeframe,
            parameters={**asdict(self), "timeframe": timeframe, "slippage_per_side": float(slippage), "lots": lots},
            triggers=tuple(triggers),
            trades=tuple(trades),
            open=tuple(still_open),
            metrics=measure(triggers, trades, still_open, evaluated, 0),
            fingerprint=locked,
            first_session=bars.session[0].item(),
            last_session=bars.session[-1].item(),
            bar_count=len(bars),
            evaluated_bars=evaluated,
        )


def _trade(
    bars: StrategyBars, entry_bars: int, exit_bars: int, slippage: float
) -> tuple[list[Breakout], list[BreakoutTrade], list[BreakoutTrade]]:
    """The state machine: flat, bought at the open after a breakout, sold at the open after a close below the stop."""
    highest, lowest = _channel(bars.high, entry_bars, np.max), _channel(bars.low, exit_bars, np.min)
    day = bars.session.tolist()
    triggers: list[Breakout] = []
    trades: list[BreakoutTrade] = []
    trigger = entry = -1
    initial = stop = price = 0.0
    due = False

    def position(n: int, exit_price: float, reason: str) -> BreakoutTrade:
        result = (exit_price - price) / (price - initial)
        return BreakoutTrade(
            day[trigger], day[entry], price, initial, day[n], exit_price, reason, result, n - entry, due
        )  # fmt: skip

    last = len(bars) - 1
    for n in range(max(entry_bars, exit_bars), last + 1):
        if due:
            trades.append(replace(position(n, float(bars.open[n]) - slippage, "Stop"), awaiting_exit=False))
            trigger, due = -1, False
        elif trigger == n - 1 and entry < trigger:
            entry, price = n, float(bars.open[n]) + slippage
            if price <= initial:  # opened below its own stop: no trade
                triggers[-1] = replace(triggers[-1], status="no_trade")
                trigger = entry = -1
        if trigger < 0 and bars.close[n] > highest[n - 1]:
            trigger, initial = n, float(lowest[n])
            stop = initial
            triggers.append(Breakout(day[n], "awaiting_entry" if n == last else "confirmed", initial))
        elif trigger >= 0 and entry > trigger:
            due = bool(bars.close[n] < stop)
            stop = max(stop, float(lowest[n]))
    held = [position(last, float(bars.close[last]), "Open")] if trigger >= 0 and entry > trigger else []
    return triggers, trades, held


def _channel(values: np.ndarray[Any, Any], count: int, extreme: Any) -> np.ndarray[Any, Any]:
    """At bar n the extreme of bars n-count+1 to n; NaN where there are fewer."""
    found = np.full(len(values), np.nan)
    if len(values) >= count:
        found[count - 1 :] = extreme(np.lib.stride_tricks.sliding_window_view(values, count), axis=1)
    return found
