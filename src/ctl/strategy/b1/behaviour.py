"""B1's fingerprint: what the rules do on a fixed tape, as one digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import product
from typing import Any, Final

import numpy as np

from ctl.digests import digest
from ctl.model.trades import Timeframe, Trade, Trigger
from ctl.strategy.b1.parameters import COLLISIONS, STOP_MODES, B1Parameters
from ctl.strategy.b1.passes import framed, rules_of, tables
from ctl.strategy.b1.records import open_of, trades_of, triggers_of
from ctl.strategy.b1.tape import TICK, daily_tape, weekly_tape
from ctl.strategy.bars import StrategyBars

_DECIMALS: Final = 9
# Costs and lots alternate over the runs, so that each of them is part of the fingerprint.
_SLIPPAGE_TICKS: Final = (0, 1)
_MINIMUM_TICKS: Final = (1, 4)
_LOTS: Final = (3, 1, 2, 4)
_TRIGGER_FIELDS: Final = tuple(item.name for item in fields(Trigger))
_TRADE_FIELDS: Final = tuple(item.name for item in fields(Trade))


def fingerprint(params: B1Parameters | None = None, timeframe: Timeframe = "daily") -> str:
    """sha256 of the parameters and of every trigger and trade they make on the tape; lower-case hex.

    Without arguments: the registered strategy, both timeframes. `params` stand in for the registered
    ones of `timeframe`, so a run with registered parameters carries the registered fingerprint on
    either timeframe. Every stop and collision mode is run. Numbers are rounded to 1e-9.
    """
    chosen = {"daily": B1Parameters.registered("daily"), "weekly": B1Parameters.registered("weekly")}
    if params is not None:
        chosen[timeframe] = params
    return _fingerprint(chosen["daily"], chosen["weekly"])


@cache
def _fingerprint(daily: B1Parameters, weekly: B1Parameters) -> str:
    return digest(
        {
            "strategy": "b1",
            "parameters": {"daily": daily.document(), "weekly": weekly.document()},
            "trigger_fields": list(_TRIGGER_FIELDS),
            "trade_fields": list(_TRADE_FIELDS),
            "runs": behaviour(daily, weekly),
        }
    )


def behaviour(daily: B1Parameters, weekly: B1Parameters) -> list[dict[str, Any]]:
    """Triggers and trades on the tape, one entry per timeframe, mode and symbol; rows in field order."""
    runs = []
    for number, (stop_mode, collision) in enumerate(product(STOP_MODES, COLLISIONS)):
        rules = replace(daily, stop_mode=stop_mode, collision=collision)
        runs += _run(daily_tape(), rules, "daily", number)
    return runs + _run(weekly_tape(), weekly, "weekly", 0)


def _run(bars: Sequence[StrategyBars], rules: B1Parameters, timeframe: Timeframe, number: int) -> list[dict[str, Any]]:
    slippage = _SLIPPAGE_TICKS[number % len(_SLIPPAGE_TICKS)] * TICK
    tick = _MINIMUM_TICKS[number % len(_MINIMUM_TICKS)] * TICK
    lots = _LOTS[number % len(_LOTS)]
    framed_bars, symbols = framed(bars, timeframe, [slippage] * len(bars), [tick] * len(bars))
    made = tables(symbols, rules_of(rules, lots), levels=np.empty(0))
    runs = []
    for s, own in enumerate(framed_bars):
        events = made.events[made.offsets[s] : made.offsets[s + 1]]
        runs.append(
            {
                "timeframe": timeframe,
                "stop_mode": rules.stop_mode,
                "collision": rules.collision,
                "symbol": own.symbol,
                "triggers": [_row(trigger, _TRIGGER_FIELDS) for trigger in triggers_of(events, own.session)],
                "trades": [_row(trade, _TRADE_FIELDS) for trade in trades_of(events, own.session, lots)],
                "open": [
                    [*_row(trade, _TRADE_FIELDS), trade.awaiting_exit] for trade in open_of(events, own.session, lots)
                ],
                "undefined_slopes": int(made.sums[s]["slope_undefined_count"]),
            }
        )
    return runs


def _row(record: Trigger | Trade, names: Sequence[str]) -> list[Any]:
    return [_rounded(getattr(record, name)) for name in names]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0  # no negative zero
    return value.isoformat() if hasattr(value, "isoformat") else value
