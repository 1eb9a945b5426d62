"""Triggers and trades as the kernel's events say them: columns for frames, records for people."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ctl.model.trades import SCRATCH_BELOW, OpenTrade, Trade, Trigger
from ctl.strategy.b1 import rules
from ctl.strategy.b1.rules import Events, Integers
from ctl.strategy.bars import Sessions

_STATUS: Final = {
    rules.EXPIRED: "expired",
    rules.PENDING: "pending",
    rules.AWAITING_ENTRY: "awaiting_entry",
    rules.NO_TRADE: "no_trade",
    rules.CONFIRMED: "confirmed",
}
_REASON: Final = {
    rules.NO_REASON: None,
    rules.RISK_TOO_SMALL: "risk_too_small",
    rules.ENTRY_AT_OR_BELOW_STOP: "entry_at_or_below_stop",
}
_EXIT: Final = {rules.EXIT_TP3: "TP3", rules.EXIT_STOP: "Stop", rules.EXIT_OPEN: "Open"}
_FLAG: Final = {rules.NULL: None, 0: False, 1: True}
_FLAGS: Final = (
    "wr_divergence", "clean_pullback", "volume_declining", "gap_below", "near_high", "fib_confluence",
    "single_bar_pullback", "weekly_aligned", "monthly_aligned",
)  # fmt: skip


def closed(events: Events) -> Any:
    """Which events led to a trade that has closed: booleans."""
    return (events["status"] == rules.CONFIRMED) & (events["exit_reason"] != rules.EXIT_OPEN)


def still_open(events: Events) -> Any:
    """Which events led to a position that is still held: booleans."""
    return (events["status"] == rules.CONFIRMED) & (events["exit_reason"] == rules.EXIT_OPEN)


def trigger_columns(events: Events, session: Sessions, start: Integers | int = 0) -> dict[str, list[Any]]:
    """The fields of Trigger in order, one list each.

    session: of every bar; start: where the symbol of each event begins in it.
    """
    columns = {
        "trigger_session": _sessions(events["trigger_bar"], session, start),
        "status": _named(events["status"], _STATUS),
        "reason": _named(events["reason"], _REASON),
    }
    for name in ("slope", "bars_of_air", "ema", "atr", "stop", "swing_high", "tp1", "tp2"):
        columns[name] = events[name].tolist()
    columns["tp3"] = columns["swing_high"]
    for name in ("tp4", "tp5"):
        columns[name] = events[name].tolist()
    for name in _FLAGS:
        columns[name] = _named(events[name], _FLAG)
    columns["stop_breached_while_pending"] = (events["stop_breached_while_pending"] == 1).tolist()
    columns["confirmation_session"] = _sessions(events["confirmation_bar"], session, start)
    columns["entry_session"] = _sessions(events["entry_bar"], session, start)
    return columns


def trade_columns(events: Events, session: Sessions, lots: int, start: Integers | int = 0) -> dict[str, list[Any]]:
    """The fields of Trade in order, one list each; every event must have been entered."""
    columns = {
        "trigger_session": _sessions(events["trigger_bar"], session, start),
        "entry_session": _sessions(events["entry_bar"], session, start),
        "entry_price": events["entry_price"].tolist(),
        "stop_price": events["stop"].tolist(),
        "tp1": events["tp1"].tolist(),
        "tp2": events["tp2"].tolist(),
        "tp3": events["swing_high"].tolist(),
    }
    targets = ("tp1", "tp2", "tp3")
    for name in targets:
        columns[f"{name}_hit"] = (events[f"{name}_bar"] >= 0).tolist()
    for name in targets:
        columns[f"{name}_session"] = _sessions(events[f"{name}_bar"], session, start)
    for name in targets:
        fills = zip(events[f"{name}_fill"].tolist(), columns[f"{name}_hit"], strict=True)
        columns[f"{name}_fill"] = [fill if hit else None for fill, hit in fills]
    columns["exit_session"] = _sessions(events["exit_bar"], session, start)
    columns["exit_price"] = events["exit_price"].tolist()
    columns["exit_reason"] = _named(events["exit_reason"], _EXIT)
    columns["outcome"] = list(map(_outcome, columns["exit_reason"], events["r_theoretical"].tolist()))
    for name in ("risk", "r_theoretical", "r_actual"):
        columns[name] = events[name].tolist()
    columns["lots"] = [lots] * len(events)
    for name in ("mfe_r", "mae_r"):
        columns[name] = events[name].tolist()
    columns["hold_bars"] = (events["exit_bar"] - events["entry_bar"]).tolist()
    for name in ("day1_fail", "same_bar_collision"):
        columns[name] = (events[name] == 1).tolist()
    return columns


def triggers_of(events: Events, session: Sessions) -> tuple[Trigger, ...]:
    """One symbol's triggers, oldest first."""
    return tuple(Trigger(*row) for row in zip(*trigger_columns(events, session).values(), strict=True))


def trades_of(events: Events, session: Sessions, lots: int) -> tuple[Trade, ...]:
    """One symbol's closed trades, by entry."""
    return tuple(
        Trade(*row) for row in zip(*trade_columns(events[closed(events)], session, lots).values(), strict=True)
    )


def open_of(events: Events, session: Sessions, lots: int) -> tuple[OpenTrade, ...]:
    """One symbol's position still held, if any."""
    held = events[still_open(events)]
    columns = {**trade_columns(held, session, lots), "awaiting_exit": (held["awaiting_exit"] == 1).tolist()}
    return tuple(OpenTrade(*row) for row in zip(*columns.values(), strict=True))


def _named(codes: Any, names: dict[int, Any]) -> list[Any]:
    return [names[code] for code in codes.tolist()]


def _sessions(bar: Integers, session: Sessions, start: Integers | int) -> list[Any]:
    """The session of each bar, None where there is none (NO_BAR)."""
    found = session[np.maximum(bar, 0) + start].tolist()
    return [label if at >= 0 else None for label, at in zip(found, bar.tolist(), strict=True)]


def _outcome(reason: str, r_theoretical: float) -> str:
    if reason == "Open":
        return "Open"
    if abs(r_theoretical) < SCRATCH_BELOW:
        return "Scratch"
    return "Win" if r_theoretical > 0.0 else "Loss"
