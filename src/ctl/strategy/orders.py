"""What a strategy's result asks for at the next open."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from ctl.errors import DataError
from ctl.model.orders import EntryIntent, PendingIntent, PositionIntent, Roll, SymbolIntents

if TYPE_CHECKING:
    from ctl.model.trades import OpenTrade, StrategyResult, Trigger
    from ctl.strategy.bars import Floats, StrategyBars

_BREAK_EVEN = 2
_TRAILING = 3


def next_session_intents(
    bars: StrategyBars,
    result: StrategyResult,
    *,
    contract: str,
    session: date,
    tick: float,
    roll: Roll | None = None,
    late: bool = False,
) -> SymbolIntents:
    """What to do at the open of `session`, decided on the close of the last bar.

    bars: those the result was made from, of its timeframe. contract: what the last bar is a bar of; roll: one
    that takes effect at the next session, so that entries and resting orders are in its new contract. late:
    sessions have passed since the last bar. Prices lose what the last bar carries, and are then the contract's own.
    Raises DataError where the bars are not the result's.
    """
    last = bars.session[-1].item()
    if last != result.last_session or len(bars) != result.bar_count:
        raise DataError(
            "the bars are not those of the result",
            where=result.symbol,
            found=f"{len(bars)} bars to {last}",
            expected=f"{result.bar_count} to {result.last_session}",
        )
    view = _View(bars, result, contract, tick, roll)
    return SymbolIntents(
        symbol=result.symbol,
        as_of=last,
        session=session,
        timeframe=result.timeframe,
        contract=contract,
        tick=tick,
        adjustment=float(bars.adjustment[-1]),
        roll=roll,
        entries=tuple(view.entry(item, late) for item in result.triggers if item.status == "awaiting_entry"),
        positions=tuple(view.position(item) for item in result.open),
        pending=tuple(view.pending(item) for item in result.triggers if item.status == "pending"),
    )


class _View:
    """A result's levels in the terms of the contract to trade at the next open."""

    def __init__(
        self, bars: StrategyBars, result: StrategyResult, contract: str, tick: float, roll: Roll | None
    ) -> None:
        self._bars, self._result, self._tick = bars, result, tick
        self._held = contract
        self._contract = contract if roll is None else roll.to_contract
        self._shift = (0.0 if roll is None else roll.gap) - float(bars.adjustment[-1])
        self._close = float(bars.close[-1]) + self._shift
        self._ema = _ema(bars.close, int(result.parameters["ema"]))

    def entry(self, trigger: Trigger, late: bool) -> EntryIntent:
        """The entry of a trigger confirmed on the last bar."""
        smallest = max(self._tick, float(self._result.parameters["min_risk_atr"]) * trigger.atr)
        return EntryIntent(
            symbol=self._result.symbol,
            contract=self._contract,
            trigger_session=trigger.trigger_session,
            confirmation_session=self._result.last_session,
            close=self._close,
            stop=trigger.stop + self._shift,
            tp=self._targets(trigger),
            atr=trigger.atr,
            no_buy_below=trigger.stop + self._shift + smallest,
            late=late,
        )

    def position(self, trade: OpenTrade) -> PositionIntent:
        """An open position, with the stop in force on the next bar."""
        return PositionIntent(
            symbol=self._result.symbol,
            held=self._held,
            contract=self._contract,
            trigger_session=trade.trigger_session,
            entry_session=trade.entry_session,
            entry_price=trade.entry_price + self._shift,
            initial_stop=trade.stop_price + self._shift,
            stop=self._stop(trade) + self._shift,
            tp=self._targets(trade),
            tp_hit=(trade.tp1_hit, trade.tp2_hit, trade.tp3_hit),
            due=trade.awaiting_exit,
            close=self._close,
        )

    def pending(self, trigger: Trigger) -> PendingIntent:
        """A trigger inside its grace window.

        A close above the EMA of its own bar is a close above the EMA of the bar before, as the weights sum to 1.
        """
        return PendingIntent(
            symbol=self._result.symbol,
            contract=self._contract,
            trigger_session=trigger.trigger_session,
            sessions_left=int(self._result.parameters["entry_grace_bars"]) - self._since(trigger.trigger_session),
            confirm_above=float(self._ema[-1]) + self._shift,
            stop=trigger.stop + self._shift,
        )

    def _targets(self, levels: Trigger | OpenTrade) -> tuple[float, float, float]:
        return levels.tp1 + self._shift, levels.tp2 + self._shift, levels.tp3 + self._shift

    def _stop(self, trade: OpenTrade) -> float:
        mode = self._result.parameters["stop_mode"]
        if trade.tp1_session is None:
            return trade.stop_price
        if mode == _BREAK_EVEN:
            return trade.entry_price
        if mode == _TRAILING:
            since = self._since(trade.tp1_session)
            return max(trade.stop_price, float(self._ema[len(self._ema) - 1 - since :].max()))
        return trade.stop_price

    def _since(self, session: date) -> int:
        """Bars after that of `session`."""
        return int((self._bars.session > np.datetime64(session, "D")).sum())


def _ema(close: Floats, period: int) -> Floats:
    """e[0] = c[0]; e[n] = a*c[n] + (1-a)*e[n-1], a = 2/(period+1)."""
    import polars as pl

    return pl.Series(close).ewm_mean(alpha=2.0 / (period + 1.0), adjust=False).to_numpy()
