"""One run of B1, compiled: two symbols a call, triggers with their trades and flags into one table."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from ctl.kernels import kernel, part
from ctl.strategy.b1.rules import (
    AWAITING_ENTRY,
    CONFIRMED,
    EXIT_OPEN,
    EXPIRED,
    NO_BAR,
    NO_REASON,
    NO_TRADE,
    NULL,
    PENDING,
    Events,
    Floats,
    Higher,
    Integers,
    Pullbacks,
    Rules,
    Symbol,
    align,
    confirmation_of,
    fetch,
    group_higher,
    highest,
    hold,
    keep_candidates,
    lowest,
    pullbacks,
    refusal,
    set_levels,
    undefined_slopes,
)
from ctl.strategy.metrics import close_trade

CLOSED: Final = np.dtype([("exit_bar", np.int64), ("r_theoretical", np.float64)])  # a trade at another slippage

_DIVERGENCE_REACH: Final = 100
_NEAR_HIGH_BARS: Final = 252


class Work(NamedTuple):
    """What a run of two symbols needs besides: filled and forgotten by every call."""

    of_a: Pullbacks
    of_b: Pullbacks
    higher: Higher
    scratch: Events


class Output(NamedTuple):
    """Tables of several symbols, filled from the first symbol on.

    Symbol s has lines offsets[s] to offsets[s + 1] of events, and at slippage level k the closed trades
    stressed[k, stressed_offsets[k, s] : stressed_offsets[k, s + 1]]. sums: (symbols,), stressed_sums:
    (levels, symbols), both zero at the start.
    """

    offsets: Integers
    events: Events
    sums: Events
    stressed_offsets: Integers
    stressed: Events
    stressed_sums: Events


@part
def _wr_divergence(high: Floats, low: Floats, close: Floats, n: int, touched: int, period: int) -> int:
    """Williams %R against the nearest earlier bar that touched the EMA (`touched`, below 0 where there is none)."""
    if touched < 0 or n - touched > _DIVERGENCE_REACH:
        return 0
    if touched < period - 1:  # n lies after it
        return NULL
    no_higher = low[n] <= low[touched]
    if not no_higher and high[n] > low[n] and high[touched] > low[touched]:
        return 0  # %R is defined on both bars
    top = highest(high, n - period + 1, n + 1)
    span = top - lowest(low, n - period + 1, n + 1)
    top_before = highest(high, touched - period + 1, touched + 1)
    span_before = top_before - lowest(low, touched - period + 1, touched + 1)
    if span == 0.0 or span_before == 0.0:
        return NULL
    now = -100.0 * (top - close[n]) / span
    before = -100.0 * (top_before - close[touched]) / span_before
    return int(now > before and no_higher)


@part
def _gap_below(high: Floats, low: Floats, n: int, window: int, shift: float) -> int:
    """Whether an up gap within `window` bars is still open just below the low of bar n."""
    if n < window:
        return NULL
    stop = low[n] - shift
    floor = 0.98 * stop
    lowest = low[n]
    for m in range(n, n - window, -1):
        lowest = min(lowest, low[m])
        if lowest - shift < floor:
            return 0
        edge = high[m - 1]
        if edge < lowest and floor <= edge - shift < stop:
            return 1
    return 0


@part
def _near_high(high: Floats, n: int, swing_high: float, shift: float) -> int:
    """Whether no high of the last 252 bars puts `swing_high` below 95 % of it, in the frame of bar n.

    Counting the highs that do says the same as taking their maximum, and vectorises.
    """
    if n < _NEAR_HIGH_BARS:
        return NULL
    reached = swing_high - shift
    window = high[n - _NEAR_HIGH_BARS : n]
    beyond = 0
    for m in range(len(window)):
        beyond += int(0.95 * (window[m] - shift) > reached)
    return int(beyond == 0)


@part
def _volume_declining(volume: Floats, n: int) -> int:
    if n < 6:
        return NULL
    recent = (volume[n - 1] + volume[n - 2] + volume[n - 3]) / 3.0
    earlier = (volume[n - 4] + volume[n - 5] + volume[n - 6]) / 3.0
    if np.isnan(recent) or np.isnan(earlier):
        return NULL
    return int(recent < earlier)


@part
def _walk(
    symbol: Symbol, found: Pullbacks, count: int, slippage: float, rules: Rules, events: Events
) -> int:  # fmt: skip
    """Go from trigger to trigger over so many candidates; write their events, return how many."""
    ema = found.ema
    length = len(symbol.close)
    flat_from = 0
    written = 0
    for k in range(count):
        n = found.bar[k]
        if n < flat_from:
            continue
        stop = symbol.low[n]
        swing_high = highest(symbol.high, n - rules.swing_lookback, n)
        if not swing_high > stop:
            continue
        event = events[written]
        written += 1
        set_levels(event, stop, swing_high)
        event.trigger_bar = n
        event.touch_bar = n - 1 - found.air[k]
        event.bars_of_air = min(found.air[k], rules.max_air_lookback)
        event.slope = found.slope[k]
        event.ema = ema[n]
        event.atr = found.atr[k]
        event.entry_bar = NO_BAR
        event.reason = NO_REASON

        last_chance = n + rules.entry_grace_bars
        confirmation = confirmation_of(symbol, ema, n, rules.entry_grace_bars)
        event.confirmation_bar = confirmation
        breached = 0
        for m in range(n + 1, (confirmation if confirmation >= 0 else min(last_chance, length - 1)) + 1):
            breached |= int(symbol.close[m] < stop)
        event.stop_breached_while_pending = breached
        entry_bar = confirmation + 1
        if confirmation < 0:
            event.status = EXPIRED if last_chance < length else PENDING
            flat_from = last_chance + 1
        elif entry_bar == length:
            event.status = AWAITING_ENTRY
            flat_from = length
        else:
            event.entry_bar = entry_bar
            reason = refusal(symbol.open[entry_bar], stop, symbol.tick, rules.min_risk_atr, event.atr)
            if reason == NO_REASON:
                event.status = CONFIRMED
                flat_from = hold(symbol, ema, event, entry_bar, slippage, rules.stop_mode, rules.stop_wins, rules.lots)
                continue
            event.status = NO_TRADE
            event.reason = reason
            flat_from = entry_bar
        _leave_trade_out(event)
    return written


@part
def _leave_trade_out(event: Any) -> None:
    """The fields of a trade where none was entered."""
    event.tp1_bar = event.tp2_bar = event.tp3_bar = event.exit_bar = NO_BAR
    event.entry_price = event.tp1_fill = event.tp2_fill = event.tp3_fill = event.exit_price = np.nan
    event.risk = event.r_theoretical = event.r_actual = event.mfe_r = event.mae_r = np.nan
    event.exit_reason = EXIT_OPEN
    event.same_bar_collision = event.day1_fail = event.awaiting_exit = 0


@part
def _fib_confluence(symbol: Symbol, usable: int, ends: Integers, lookback: int, tp1: float, shift: float) -> int:
    """Whether TP1 lies within 1 % of the weekly retracement, in the frame of the trigger bar."""
    target = tp1 - shift
    if usable < 2 * lookback or not target > 0.0:
        return NULL
    first = 0 if usable == 2 * lookback else ends[usable - 2 * lookback - 1] + 1
    end = ends[usable - 1] + 1
    bottom = lowest(symbol.day_low, first, end)
    level = bottom + 0.618 * (highest(symbol.day_high, first, end) - bottom)
    return int(abs(target - (level - shift)) / target < 0.01)


@part
def _flag(symbol: Symbol, events: Events, first: int, end: int, higher: Higher, rules: Rules) -> None:
    """Confluence flags and alignment of the events from `first` to `end` (exclusive)."""
    h, l = symbol.high, symbol.low  # noqa: E741 - the specification's letters
    for k in range(first, end):
        event = events[k]
        n = event.trigger_bar
        shift = symbol.adjustment[n]
        usable, event.weekly_aligned, event.monthly_aligned = align(symbol, higher, n, rules)
        event.fib_confluence = _fib_confluence(symbol, usable, higher.week_end, rules.swing_lookback, event.tp1, shift)
        event.wr_divergence = _wr_divergence(h, l, symbol.close, n, event.touch_bar, rules.williams)
        event.clean_pullback = int(
            h[n - 1] < h[n - 2] and h[n - 2] < h[n - 3] and l[n - 1] < l[n - 2] and l[n - 2] < l[n - 3]
        )
        event.volume_declining = _volume_declining(symbol.volume, n)
        event.gap_below = _gap_below(h, l, n, rules.gap_scan_window, shift)
        event.near_high = _near_high(h, n, event.swing_high, shift)
        event.single_bar_pullback = int(h[n - 1] == event.swing_high)


@part
def _add_up(events: Events, first: int, end: int, sums: Any) -> None:
    """Metrics of one symbol's events."""
    sums.trigger_count = end - first
    for k in range(first, end):
        event = events[k]
        if event.status != CONFIRMED:
            continue
        sums.confirmed_count += 1
        sums.weekly_known += int(event.weekly_aligned != NULL)
        sums.weekly_true += int(event.weekly_aligned == 1)
        sums.monthly_known += int(event.monthly_aligned != NULL)
        sums.monthly_true += int(event.monthly_aligned == 1)
        if event.exit_reason == EXIT_OPEN:
            sums.open_count += 1
            sums.open_r += event.r_theoretical
            continue
        sums.hold_bars += event.exit_bar - event.entry_bar
        close_trade(sums, event.r_theoretical)


@part
def _stress(
    symbol: Symbol, found: Pullbacks, count: int, s: int, rules: Rules, levels: Floats, scratch: Events, out: Output
) -> None:  # fmt: skip
    """The closed trades at each level of ticks in place of the slippage; none where the tick is unknown."""
    for k in range(len(levels)):
        at = out.stressed_offsets[k, s]
        if symbol.tick > 0.0:
            for i in range(_walk(symbol, found, count, levels[k] * symbol.tick, rules, scratch)):
                event = scratch[i]
                if event.status == CONFIRMED and event.exit_reason != EXIT_OPEN:
                    trade = out.stressed[k, at]
                    trade.exit_bar = event.exit_bar
                    trade.r_theoretical = event.r_theoretical
                    close_trade(out.stressed_sums[k, s], event.r_theoretical)
                    at += 1
        out.stressed_offsets[k, s + 1] = at


@part
def _run_one(
    symbol: Symbol, found: Pullbacks, pulled_back: int, s: int, rules: Rules, levels: Floats, work: Work, out: Output
) -> None:  # fmt: skip
    count = keep_candidates(symbol, found, pulled_back, rules, max(rules.warm_up, rules.swing_lookback))
    out.sums[s].slope_undefined_count = undefined_slopes(symbol, found.ema, rules)
    first = out.offsets[s]
    if count:
        out.events[first].risk = fetch(symbol.open) + fetch(symbol.volume)
    end = first + _walk(symbol, found, count, symbol.slippage, rules, out.events[first:])
    out.offsets[s + 1] = end
    if end > first:
        group_higher(symbol, work.higher, rules.ema)
        _flag(symbol, out.events, first, end, work.higher, rules)
    _add_up(out.events, first, end, out.sums[s])
    if len(levels):
        _stress(symbol, found, count, s, rules, levels, work.scratch, out)


@kernel
def run_pair(
    a: Symbol, b: Symbol, count: int, s: int, rules: Rules, levels: Floats, work: Work, out: Output
) -> None:  # fmt: skip
    """Run B1 on a, and on b where `count` is 2; they are symbols s and s + 1 of the output."""
    of_a, of_b = pullbacks(a, b, work.of_a, work.of_b, rules)
    _run_one(a, work.of_a, of_a, s, rules, levels, work, out)
    if count == 2:
        _run_one(b, work.of_b, of_b, s + 1, rules, levels, work, out)
