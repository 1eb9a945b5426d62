"""Triggers and trades as the kernel's events say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ctl.model.trades import (
    SCRATCH_BELOW,
    ExitReason,
    NoTradeReason,
    OpenTrade,
    Outcome,
    Timeframe,
    Trade,
    Trigger,
    TriggerStatus,
)
from ctl.strategy.b1 import kernel
from ctl.strategy.b1.parameters import B1Parameters, require_timeframe
from ctl.strategy.b1.simulation import simulate
from ctl.strategy.bars import Floats, Integers, Panel, Sessions, StrategyBars, weekly_bars

_STATUS: Final[Mapping[int, TriggerStatus]] = {
    kernel.EXPIRED: "expired",
    kernel.PENDING: "pending",
    kernel.AWAITING_ENTRY: "awaiting_entry",
    kernel.NO_TRADE: "no_trade",
    kernel.CONFIRMED: "confirmed",
}
_REASON: Final[Mapping[int, NoTradeReason | None]] = {
    kernel.NO_REASON: None,
    kernel.RISK_TOO_SMALL: "risk_too_small",
    kernel.ENTRY_AT_OR_BELOW_STOP: "entry_at_or_below_stop",
}
_EXIT: Final[Mapping[int, ExitReason]] = {
    kernel.EXIT_TP3: "TP3",
    kernel.EXIT_STOP: "Stop",
    kernel.EXIT_OPEN: "Open",
}
_FLAG: Final[Mapping[int, bool | None]] = {kernel.NULL: None, 0: False, 1: True}


@dataclass(frozen=True, slots=True, eq=False)
class SymbolOutcome:
    """What B1 did on one symbol. bars are those of the run's timeframe; trades are closed, ordered by entry."""

    bars: StrategyBars
    triggers: tuple[Trigger, ...]
    trades: tuple[Trade, ...]
    open: tuple[OpenTrade, ...]
    undefined_slopes: int


def framed(daily: Sequence[StrategyBars], timeframe: Timeframe) -> tuple[list[StrategyBars], Panel]:
    """Each symbol's bars of `timeframe`, and the panel of them. Raises UsageError, DataError."""
    require_timeframe(timeframe)
    if timeframe == "daily":
        return list(daily), Panel.of(daily)
    weekly = [weekly_bars(item) for item in daily]
    return weekly, Panel.of(weekly, daily)


def outcomes(
    daily: Sequence[StrategyBars],
    params: B1Parameters,
    *,
    timeframe: Timeframe,
    slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
    lots: int,
    threads: int = 1,
) -> list[SymbolOutcome]:
    """B1 over several symbols' daily bars, in the order given; arguments as those of `run_batch`."""
    bars, panel = framed(daily, timeframe)
    return outcomes_of(bars, panel, params, slippage_per_side, tick, lots, threads)


def outcomes_of(
    bars: Sequence[StrategyBars],
    panel: Panel,
    params: B1Parameters,
    slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
    lots: int,
    threads: int,
) -> list[SymbolOutcome]:
    """The same over bars already framed."""
    events = simulate(panel, params, slippage_per_side=slippage_per_side, tick=tick, lots=lots, threads=threads)
    made = []
    for s, item in enumerate(bars):
        rows, values = events.of(s)
        closed, still_open = _trades(item.session, rows, values, lots)
        triggers = _triggers(item.session, rows, values)
        made.append(SymbolOutcome(item, triggers, closed, still_open, int(events.undefined_slopes[s])))
    return made


def _triggers(session: Sessions, rows: Integers, values: Floats) -> tuple[Trigger, ...]:
    sessions = session.tolist()
    return tuple(
        Trigger(
            trigger_session=sessions[row[kernel.I_BAR]],
            status=_STATUS[row[kernel.I_STATUS]],
            reason=_REASON[row[kernel.I_REASON]],
            slope=value[kernel.F_SLOPE],
            bars_of_air=row[kernel.I_AIR],
            ema=value[kernel.F_EMA],
            atr=value[kernel.F_ATR],
            stop=value[kernel.F_STOP],
            swing_high=value[kernel.F_SWING_HIGH],
            tp1=value[kernel.F_TP1],
            tp2=value[kernel.F_TP2],
            tp3=value[kernel.F_SWING_HIGH],
            tp4=value[kernel.F_TP4],
            tp5=value[kernel.F_TP5],
            wr_divergence=_FLAG[row[kernel.I_WR_DIVERGENCE]],
            clean_pullback=_FLAG[row[kernel.I_CLEAN_PULLBACK]],
            volume_declining=_FLAG[row[kernel.I_VOLUME_DECLINING]],
            gap_below=_FLAG[row[kernel.I_GAP_BELOW]],
            near_high=_FLAG[row[kernel.I_NEAR_HIGH]],
            fib_confluence=_FLAG[row[kernel.I_FIB]],
            single_bar_pullback=_FLAG[row[kernel.I_SINGLE_BAR]],
            weekly_aligned=_FLAG[row[kernel.I_WEEKLY]],
            monthly_aligned=_FLAG[row[kernel.I_MONTHLY]],
            stop_breached_while_pending=row[kernel.I_BREACHED_PENDING] == 1,
            confirmation_session=_at(sessions, row[kernel.I_CONFIRMATION]),
            entry_session=_at(sessions, row[kernel.I_ENTRY]),
        )
        for row, value in zip(rows.tolist(), values.tolist(), strict=True)
    )


def _trades(
    session: Sessions, rows: Integers, values: Floats, lots: int
) -> tuple[tuple[Trade, ...], tuple[OpenTrade, ...]]:
    """Closed and still open trades of one symbol."""
    sessions = session.tolist()
    closed: list[Trade] = []
    still_open: list[OpenTrade] = []
    entered = rows[:, kernel.I_STATUS] == kernel.CONFIRMED
    for row, value in zip(rows[entered].tolist(), values[entered].tolist(), strict=True):
        hits = (row[kernel.I_TP1], row[kernel.I_TP2], row[kernel.I_TP3])
        reason = _EXIT[row[kernel.I_EXIT_REASON]]
        r_theoretical = value[kernel.F_R_THEORETICAL]
        fields: dict[str, Any] = {
            "trigger_session": sessions[row[kernel.I_BAR]],
            "entry_session": sessions[row[kernel.I_ENTRY]],
            "entry_price": value[kernel.F_ENTRY],
            "stop_price": value[kernel.F_STOP],
            "tp1": value[kernel.F_TP1],
            "tp2": value[kernel.F_TP2],
            "tp3": value[kernel.F_SWING_HIGH],
            "tp1_hit": hits[0] >= 0,
            "tp2_hit": hits[1] >= 0,
            "tp3_hit": hits[2] >= 0,
            "tp1_session": _at(sessions, hits[0]),
            "tp2_session": _at(sessions, hits[1]),
            "tp3_session": _at(sessions, hits[2]),
            "tp1_fill": value[kernel.F_FILL1] if hits[0] >= 0 else None,
            "tp2_fill": value[kernel.F_FILL2] if hits[1] >= 0 else None,
            "tp3_fill": value[kernel.F_FILL3] if hits[2] >= 0 else None,
            "exit_session": sessions[row[kernel.I_EXIT]],
            "exit_price": value[kernel.F_EXIT],
            "exit_reason": reason,
            "outcome": _outcome(reason, r_theoretical),
            "risk": value[kernel.F_RISK],
            "r_theoretical": r_theoretical,
            "r_actual": value[kernel.F_R_ACTUAL],
            "lots": lots,
            "mfe_r": value[kernel.F_MFE],
            "mae_r": value[kernel.F_MAE],
            "hold_bars": row[kernel.I_EXIT] - row[kernel.I_ENTRY],
            "day1_fail": row[kernel.I_DAY1_FAIL] == 1,
            "same_bar_collision": row[kernel.I_COLLISION] == 1,
        }
        if reason == "Open":
            still_open.append(OpenTrade(**fields, awaiting_exit=row[kernel.I_AWAITING_EXIT] == 1))
        else:
            closed.append(Trade(**fields))
    return tuple(closed), tuple(still_open)


def _outcome(reason: ExitReason, r_theoretical: float) -> Outcome:
    if reason == "Open":
        return "Open"
    if abs(r_theoretical) < SCRATCH_BELOW:
        return "Scratch"
    return "Win" if r_theoretical > 0.0 else "Loss"


def _at(sessions: list[Any], position: int) -> Any:
    return None if position == kernel.NO_BAR else sessions[position]
