"""Run B1: bars in, triggers, trades and metrics out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ctl.errors import UsageError
from ctl.model.trades import (
    ClosedR,
    ExitReason,
    NoTradeReason,
    OpenTrade,
    Outcome,
    StrategyResult,
    StressedTrades,
    Timeframe,
    Trade,
    Trigger,
    TriggerStatus,
)
from ctl.strategy.b1 import kernel
from ctl.strategy.b1.behaviour import fingerprint
from ctl.strategy.b1.parameters import B1Parameters, require_timeframe
from ctl.strategy.bars import Floats, Integers, Panel, Sessions, StrategyBars, weekly_bars
from ctl.strategy.metrics import measure

STRESS_TICKS: Final = (0, 1, 2, 3)
SCRATCH_BELOW: Final = 1e-12

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
class Events:
    """The kernel's table: symbol s has rows row_offsets[s] to row_offsets[s] + counts[s], end exclusive.

    rows and values have one line per trigger; their columns are kernel.I_* and kernel.F_*.
    """

    row_offsets: Integers
    counts: Integers
    undefined_slopes: Integers
    rows: Integers
    values: Floats

    def of(self, symbol: int) -> tuple[Integers, Floats]:
        """One symbol's rows and values."""
        start = int(self.row_offsets[symbol])
        stop = start + int(self.counts[symbol])
        return self.rows[start:stop], self.values[start:stop]


def run(
    bars: StrategyBars,
    params: B1Parameters | None = None,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: float = 0.0,
    tick: float | None = None,
    lots: int = 3,
) -> StrategyResult:
    """B1 over one symbol's daily bars, on `timeframe`.

    params: None means the timeframe's registered defaults. slippage_per_side and tick in price units;
    without a tick the smallest risk follows ATR alone and no slippage stress is reported.
    Raises DataError for unusable bars, UsageError for unusable costs or lots.
    """
    return run_batch(
        [bars], params, timeframe=timeframe, slippage_per_side=[slippage_per_side], tick=[tick], lots=lots
    )[0]


def run_batch(
    bars: Sequence[StrategyBars],
    params: B1Parameters | None = None,
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: Sequence[float] | None = None,
    tick: Sequence[float | None] | None = None,
    lots: int = 3,
    threads: int = 1,
) -> list[StrategyResult]:
    """B1 over several symbols' daily bars; results in the order given, whatever the number of threads.

    slippage_per_side and tick: one per symbol (None: no slippage, no tick known).
    Raises DataError for unusable bars, UsageError for unusable costs or lots.
    """
    require_timeframe(timeframe)
    params = params or B1Parameters.registered(timeframe)
    if not bars:
        return []
    slippages = [0.0] * len(bars) if slippage_per_side is None else list(slippage_per_side)
    ticks = [None] * len(bars) if tick is None else list(tick)
    framed = [weekly_bars(item) for item in bars] if timeframe == "weekly" else list(bars)
    panel = Panel.of(framed, bars if timeframe == "weekly" else None)
    events = simulate(panel, params, slippage_per_side=slippages, tick=ticks, lots=lots, threads=threads)
    stressed = _stress(panel, params, ticks, lots, threads)
    print_of_rules = fingerprint(params, timeframe)
    results = []
    for s, item in enumerate(framed):
        rows, values = events.of(s)
        triggers = _triggers(item.session, rows, values)
        closed, still_open = _trades(item.session, rows, values, lots)
        evaluated = max(0, len(item) - params.warm_up)
        settings = {
            **params.document(),
            "timeframe": timeframe,
            "slippage_per_side": float(slippages[s]),
            "tick": ticks[s],
            "lots": lots,
        }
        levels = stressed[s] if ticks[s] is not None else None
        results.append(
            StrategyResult(
                symbol=item.symbol,
                timeframe=timeframe,
                parameters=settings,
                triggers=triggers,
                trades=closed,
                open=still_open,
                metrics=measure(triggers, closed, still_open, evaluated, int(events.undefined_slopes[s]), levels),
                fingerprint=print_of_rules,
                first_session=item.session[0].item(),
                last_session=item.session[-1].item(),
                bar_count=len(item),
                evaluated_bars=evaluated,
                stressed=levels,
            )
        )
    return results


def simulate(
    panel: Panel,
    params: B1Parameters,
    *,
    slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
    lots: int = 3,
    threads: int = 1,
) -> Events:
    """The kernel over a panel, without building objects: the fast path of sweeps and benchmarks.

    slippage_per_side, tick: one per symbol. threads: symbols are split into as many runs of equal
    size; the result does not depend on it. Raises UsageError for unusable costs or lots.
    """
    symbols = len(panel.symbols)
    slippage = _costs("slippage_per_side", slippage_per_side, symbols)
    known_tick = _costs("tick", [0.0 if item is None else item for item in tick], symbols)
    if any(item is not None and not item > 0.0 for item in tick):
        raise UsageError("a tick must be above zero where it is known", found=repr(list(tick))[:60])
    if isinstance(lots, bool) or not isinstance(lots, int) or lots < 1:
        raise UsageError("lots must be a whole number of at least 1", found=repr(lots)[:60])
    # Two triggers lie at least as far apart as the air between them asks for, and never on adjacent bars.
    spacing = max(2, params.min_bars_of_air + 1)
    lengths = np.diff(panel.offsets)
    row_offsets = np.zeros(symbols + 1, np.int64)
    np.cumsum(np.maximum(lengths - params.warm_up, 0) // spacing + 1, out=row_offsets[1:])
    capacity = int(row_offsets[-1])
    events = Events(
        row_offsets=row_offsets,
        counts=np.zeros(symbols, np.int64),
        undefined_slopes=np.zeros(symbols, np.int64),
        rows=np.empty((capacity, kernel.INTEGER_COLUMNS), np.int64),
        values=np.empty((capacity, kernel.FLOAT_COLUMNS)),
    )

    def part(first: int, last: int) -> None:
        kernel.simulate(
            panel.offsets,
            panel.open,
            panel.high,
            panel.low,
            panel.close,
            panel.volume,
            panel.adjustment,
            panel.week_key,
            panel.month_key,
            panel.daily_offsets,
            panel.daily_high,
            panel.daily_low,
            panel.daily_close,
            panel.daily_week_key,
            panel.daily_month_key,
            slippage,
            known_tick,
            params.ema,
            params.slope_lookback,
            params.slope_threshold,
            params.min_bars_of_air,
            params.max_air_lookback,
            params.entry_grace_bars,
            params.breakdown_buffer_atr,
            params.swing_lookback,
            params.gap_scan_window,
            params.min_risk_atr,
            params.atr,
            params.williams,
            params.stop_mode,
            params.collision == "stop_wins",
            params.warm_up,
            lots,
            first,
            last,
            events.row_offsets,
            events.rows,
            events.values,
            events.counts,
            events.undefined_slopes,
        )

    workers = max(1, min(threads, symbols))
    if workers == 1:
        part(0, symbols)
    else:
        cuts = [symbols * worker // workers for worker in range(workers + 1)]
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(part, cuts[:-1], cuts[1:]))
    return events


def _costs(name: str, values: Sequence[float], symbols: int) -> Floats:
    if len(values) != symbols:
        raise UsageError(f"{name} must be given per symbol", found=str(len(values)), expected=str(symbols))
    for value in values:
        if not (math.isfinite(value) and value >= 0.0):
            raise UsageError(f"{name} must be a finite price of zero or more", found=repr(value)[:60])
    costs = np.array(values, np.float64)
    costs.flags.writeable = False
    return costs


def _stress(
    panel: Panel, params: B1Parameters, tick: Sequence[float | None], lots: int, threads: int
) -> list[tuple[StressedTrades, ...]]:
    """Closed trades per symbol at each number of ticks of slippage."""
    levels: list[list[StressedTrades]] = [[] for _ in panel.symbols]
    for ticks in STRESS_TICKS:
        slippage = [ticks * (item or 0.0) for item in tick]
        events = simulate(panel, params, slippage_per_side=slippage, tick=tick, lots=lots, threads=threads)
        for s, level in enumerate(levels):
            rows, values = events.of(s)
            closed = (rows[:, kernel.I_STATUS] == kernel.CONFIRMED) & (
                rows[:, kernel.I_EXIT_REASON] != kernel.EXIT_OPEN
            )
            exits = panel.session[panel.offsets[s] + rows[closed, kernel.I_EXIT]].tolist()
            results = values[closed, kernel.F_R_THEORETICAL].tolist()
            level.append(StressedTrades(ticks, tuple(map(ClosedR, exits, results))))
    return [tuple(level) for level in levels]


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
