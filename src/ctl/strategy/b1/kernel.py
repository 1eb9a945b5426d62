"""B1 compiled: one pass over a symbol's bars finds pullbacks, a second follows only those that trigger.

Everything that numba compiles stands in this file, because its cache is keyed by the file of the
entry function. No fast-math, so that every platform rounds alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from ctl.model.trades import SCRATCH_BELOW

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Positions = npt.NDArray[np.uint32]  # unsigned, because numba tests signed ones for counting from the end
Gates = npt.NDArray[np.bool_]
_Function = TypeVar("_Function", bound=Callable[..., object])

# Status of a trigger, reason of a refused entry, reason of an exit, tri-state flags.
EXPIRED: Final = 0
PENDING: Final = 1
AWAITING_ENTRY: Final = 2
NO_TRADE: Final = 3
CONFIRMED: Final = 4
NO_REASON: Final = 0
RISK_TOO_SMALL: Final = 1
ENTRY_AT_OR_BELOW_STOP: Final = 2
EXIT_TP3: Final = 0
EXIT_STOP: Final = 1
EXIT_OPEN: Final = 2
NULL: Final = -1
NO_BAR: Final = -1

# Columns of an event row: one trigger and, where it was entered, its trade.
(
    I_BAR, I_STATUS, I_REASON, I_AIR, I_BREACHED_PENDING, I_CONFIRMATION, I_ENTRY,
    I_WR_DIVERGENCE, I_CLEAN_PULLBACK, I_VOLUME_DECLINING, I_GAP_BELOW, I_NEAR_HIGH, I_FIB, I_SINGLE_BAR,
    I_WEEKLY, I_MONTHLY,
    I_TP1, I_TP2, I_TP3, I_EXIT, I_EXIT_REASON, I_COLLISION, I_DAY1_FAIL, I_AWAITING_EXIT,
) = range(24)  # fmt: skip
INTEGER_COLUMNS: Final = 24
(
    F_SLOPE, F_EMA, F_ATR, F_STOP, F_SWING_HIGH, F_TP1, F_TP2, F_TP4, F_TP5,
    F_ENTRY, F_FILL1, F_FILL2, F_FILL3, F_EXIT, F_RISK, F_R_THEORETICAL, F_R_ACTUAL, F_MFE, F_MAE,
) = range(19)  # fmt: skip
FLOAT_COLUMNS: Final = 19

# Columns of a grid: reals of a candidate; sums and numbers of one variant on one symbol.
C_SLOPE, C_ATR = range(2)
CANDIDATE_COLUMNS: Final = 2
G_TOTAL, G_DRAWDOWN, G_WON, G_LOST, G_OPEN = range(5)
G_TRIGGERS, G_CLOSED, G_WINS, G_STILL_OPEN, G_HELD = range(5)
GRID_COLUMNS: Final = 5
# Three numbers share an integer while they are counted.
_TALLY_BITS: Final = 21
_TALLY_MASK: Final = (1 << _TALLY_BITS) - 1
MOST_CANDIDATES: Final = _TALLY_MASK

_BREAK_EVEN: Final = 2
_TRAILING: Final = 3
_DIVERGENCE_REACH: Final = 100
_NEAR_HIGH_BARS: Final = 252
_HIGHER_BARS_NEEDED: Final = 30
_USUAL_WEEK: Final = 5  # only speed hangs on these two
_USUAL_MONTH: Final = 20


def _entry_point(function: _Function) -> _Function:
    return cast(_Function, njit(cache=True, nogil=True, no_cfunc_wrapper=True)(function))


def _part(function: _Function) -> _Function:
    return cast(_Function, njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


@_part
def _highest(values: Floats, start: int, stop: int) -> float:
    """Maximum of values[start:stop], in four strands because one would wait for itself at every step."""
    window = values[start:stop]
    quarters = len(window) // 4
    a: float = window[0]
    b, c, d = a, a, a
    for quarter in range(quarters):
        n = 4 * quarter
        a = max(a, window[n])
        b = max(b, window[n + 1])
        c = max(c, window[n + 2])
        d = max(d, window[n + 3])
    for n in range(4 * quarters, len(window)):
        a = max(a, window[n])
    return max(a, b, c, d)


@_part
def _lowest(values: Floats, start: int, stop: int) -> float:
    """Minimum of values[start:stop], in four strands likewise."""
    window = values[start:stop]
    quarters = len(window) // 4
    a: float = window[0]
    b, c, d = a, a, a
    for quarter in range(quarters):
        n = 4 * quarter
        a = min(a, window[n])
        b = min(b, window[n + 1])
        c = min(c, window[n + 2])
        d = min(d, window[n + 3])
    for n in range(4 * quarters, len(window)):
        a = min(a, window[n])
    return min(a, b, c, d)


@_part
def _advance(
    n: int,
    high: Floats,
    low: Floats,
    close: Floats,
    alpha: float,
    divisor: float,
    min_bars_of_air: int,
    average: float,
    average_range: float,
    clear: int,
    found: int,
    ema: Floats,
    bars: Integers,
    air: Integers,
    atr: Floats,
) -> tuple[float, float, int, int]:
    """Take EMA, ATR, the count of clear bars and the list of pullbacks from bar n - 1 to bar n.

    A row is written for every bar and kept by moving `found` on: no branch to mispredict.
    """
    h = high[n]
    l = low[n]  # noqa: E741 - the specification's letter
    c = close[n]
    previous = close[n - 1]
    average = alpha * c + (1.0 - alpha) * average
    ema[n] = average
    true_range = max(h - l, abs(h - previous), abs(l - previous))
    average_range = average_range + (true_range - average_range) / divisor
    bars[found] = n
    air[found] = clear
    atr[found] = average_range
    touched = l <= average
    found += int(touched and clear >= min_bars_of_air)
    clear = 0 if touched else clear + 1
    return average, average_range, clear, found


@_part
def _pullbacks(
    high_a: Floats,
    low_a: Floats,
    close_a: Floats,
    high_b: Floats,
    low_b: Floats,
    close_b: Floats,
    ema_period: int,
    atr_period: int,
    min_bars_of_air: int,
    ema: Floats,
    bars: Integers,
    air: Integers,
    atr: Floats,
) -> tuple[int, int]:
    """For two symbols at once, list every bar that touches the EMA after enough air; return how many of each.

    Fills row 0 of ema, bars, air and atr for symbol a, row 1 for b. Each step of a recursion waits for
    the one before; two of them side by side share that wait.
    """
    alpha = 2.0 / (ema_period + 1.0)
    divisor = float(atr_period)
    ema_a, ema_b = ema[0], ema[1]
    bars_a, bars_b = bars[0], bars[1]
    air_a, air_b = air[0], air[1]
    atr_a, atr_b = atr[0], atr[1]
    a = close_a[0], high_a[0] - low_a[0], int(low_a[0] > close_a[0]), 0
    b = close_b[0], high_b[0] - low_b[0], int(low_b[0] > close_b[0]), 0
    ema_a[0] = close_a[0]
    ema_b[0] = close_b[0]
    common = min(len(close_a), len(close_b))
    for n in range(1, common):
        a = _advance(n, high_a, low_a, close_a, alpha, divisor, min_bars_of_air, *a, ema_a, bars_a, air_a, atr_a)
        b = _advance(n, high_b, low_b, close_b, alpha, divisor, min_bars_of_air, *b, ema_b, bars_b, air_b, atr_b)
    for n in range(common, len(close_a)):
        a = _advance(n, high_a, low_a, close_a, alpha, divisor, min_bars_of_air, *a, ema_a, bars_a, air_a, atr_a)
    for n in range(common, len(close_b)):
        b = _advance(n, high_b, low_b, close_b, alpha, divisor, min_bars_of_air, *b, ema_b, bars_b, air_b, atr_b)
    return a[3], b[3]


@_part
def _undefined_slopes(ema: Floats, adjustment: Floats, first: int, lookback: int) -> int:
    """Bars from `first` on whose slope has a denominator of zero or below."""
    if len(ema) <= first:
        return 0
    now = adjustment[first:]
    before = ema[first - lookback : len(ema) - lookback]
    count = 0
    for n in range(len(now)):
        count += int(before[n] - now[n] <= 0.0)
    return count


@_part
def _fetch(values: Floats | Integers) -> float:
    """Read one number per cache line, so that events need not wait for memory at each place they look at.

    The sum only keeps the reading from being optimised away.
    """
    total = 0.0
    for n in range(0, len(values), 8):
        total += values[n]
    return total


@_part
def _higher_bars(key: Integers, close: Floats, ema_period: int, usual: int, ends: Integers, ema: Floats) -> int:
    """List the last position of every run of equal keys and the EMA of the closes there; return the number of runs.

    Keys never fall, so a run of `usual` bars is known by its last bar and the one after it: most weeks
    cost two looks, and the recursion of the EMA runs beside the search for the next end.
    """
    alpha = 2.0 / (ema_period + 1.0)
    keep = 1.0 - alpha
    length = len(key)
    average = 0.0
    count = 0
    start = 0
    while start < length:
        current = key[start]
        end = start + usual - 1
        if end + 1 >= length or key[end] != current:
            end = start
        while end + 1 < length and key[end + 1] == current:
            end += 1
        average = alpha * close[end] + keep * average if count else close[end]
        ends[count] = end
        ema[count] = average
        count += 1
        start = end + 1
    return count


@_part
def _groups_before(key: Integers, ends: Integers, count: int, limit: int, known: int) -> int:
    """How many groups have a key below `limit` (keys increase), where the first `known` are known to."""
    while known < count and key[ends[known]] < limit:
        known += 1
    return known


@_part
def _aligned(
    usable: int, close: Floats, ends: Integers, ema: Floats, lookback: int, threshold: float, shift: float
) -> int:
    """Whether the last of `usable` higher bars rises and closes above its EMA; `shift` is the as-of adjustment."""
    if usable < _HIGHER_BARS_NEEDED or usable <= lookback:
        return NULL
    last = usable - 1
    before = ema[last - lookback]
    denominator = before - shift
    if denominator <= 0.0:
        return NULL
    slope = 100.0 * (ema[last] - before) / denominator
    return int(slope >= threshold and close[ends[last]] > ema[last])


@_part
def _wr_divergence(high: Floats, low: Floats, close: Floats, n: int, touched: int, period: int) -> int:
    """Williams %R against the nearest earlier bar that touched the EMA (`touched`, below 0 where there is none)."""
    if touched < 0 or n - touched > _DIVERGENCE_REACH:
        return 0
    if touched < period - 1:  # n lies after it
        return NULL
    no_higher = low[n] <= low[touched]
    if not no_higher and high[n] > low[n] and high[touched] > low[touched]:
        return 0  # %R is defined on both bars
    top = _highest(high, n - period + 1, n + 1)
    span = top - _lowest(low, n - period + 1, n + 1)
    top_before = _highest(high, touched - period + 1, touched + 1)
    span_before = top_before - _lowest(low, touched - period + 1, touched + 1)
    if span == 0.0 or span_before == 0.0:
        return NULL
    now = -100.0 * (top - close[n]) / span
    before = -100.0 * (top_before - close[touched]) / span_before
    return int(now > before and no_higher)


@_part
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


@_part
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


@_part
def _volume_declining(volume: Floats, n: int) -> int:
    if n < 6:
        return NULL
    recent = (volume[n - 1] + volume[n - 2] + volume[n - 3]) / 3.0
    earlier = (volume[n - 4] + volume[n - 5] + volume[n - 6]) / 3.0
    if np.isnan(recent) or np.isnan(earlier):
        return NULL
    return int(recent < earlier)


@_part
def _hold(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    ema: Floats,
    entry_bar: int,
    slippage: float,
    stop_mode: int,
    stop_wins: bool,
    lots: int,
    row: Integers,
    value: Floats,
) -> int:
    """Hold from the open of `entry_bar` to the exit; return the bar from whose close on the position is flat.

    That is len(close) where it is still held at the end.
    """
    initial_stop = value[F_STOP]
    tp1 = value[F_TP1]
    tp2 = value[F_TP2]
    tp3 = value[F_SWING_HIGH]
    entry = open_[entry_bar] + slippage
    stop = initial_stop
    hit1 = NO_BAR
    hit2 = NO_BAR
    hit3 = NO_BAR
    fill1 = np.nan
    fill2 = np.nan
    fill3 = np.nan
    top = high[entry_bar]
    bottom = low[entry_bar]
    collision = 0
    breached = False
    exit_bar = NO_BAR
    exit_price = np.nan
    exit_reason = EXIT_OPEN
    for n in range(entry_bar + 1, len(close)):
        o = open_[n]
        if breached:
            exit_bar = n
            exit_price = o - slippage
            exit_reason = EXIT_STOP
            top = max(top, o)
            bottom = min(bottom, o)
            break
        h = high[n]
        breached = close[n] < stop
        reached1 = hit1 < 0 and h >= tp1
        reached2 = hit2 < 0 and h >= tp2
        reached3 = hit3 < 0 and h >= tp3
        if reached1 or reached2 or reached3:
            if breached:
                collision = 1
            if not (breached and stop_wins):
                if reached1:
                    hit1 = n
                    fill1 = max(tp1, o)
                if reached2:
                    hit2 = n
                    fill2 = max(tp2, o)
                if reached3:
                    hit3 = n
                    fill3 = max(tp3, o)
        if hit1 >= 0 and hit2 >= 0 and hit3 >= 0:
            exit_bar = n
            exit_price = fill3
            exit_reason = EXIT_TP3
            if o >= tp3:
                top = max(top, o)
                bottom = min(bottom, o)
            else:
                top = max(top, h)
                bottom = min(bottom, low[n])
            break
        top = max(top, h)
        bottom = min(bottom, low[n])
        if hit1 >= 0:
            if stop_mode == _BREAK_EVEN:
                stop = entry
            elif stop_mode == _TRAILING:
                stop = max(stop, ema[n])
    flat_from = exit_bar
    if exit_bar < 0:
        exit_bar = len(close) - 1
        exit_price = close[exit_bar]
        flat_from = len(close)

    risk = entry - initial_stop
    r1 = ((fill1 if hit1 >= 0 else exit_price) - entry) / risk
    r2 = ((fill2 if hit2 >= 0 else exit_price) - entry) / risk
    r3 = ((fill3 if hit3 >= 0 else exit_price) - entry) / risk
    if lots == 1:
        r_actual = r1
    elif lots == 2:
        r_actual = (r1 + r3) / 2.0
    else:
        third = lots // 3
        r_actual = (third * r1 + third * r2 + (lots - 2 * third) * r3) / lots

    row[I_TP1] = hit1
    row[I_TP2] = hit2
    row[I_TP3] = hit3
    row[I_EXIT] = exit_bar
    row[I_EXIT_REASON] = exit_reason
    row[I_COLLISION] = collision
    row[I_DAY1_FAIL] = int(low[entry_bar] < initial_stop)
    row[I_AWAITING_EXIT] = int(breached and exit_reason == EXIT_OPEN)
    value[F_ENTRY] = entry
    value[F_FILL1] = fill1
    value[F_FILL2] = fill2
    value[F_FILL3] = fill3
    value[F_EXIT] = exit_price
    value[F_RISK] = risk
    value[F_R_THEORETICAL] = (r1 + r2 + r3) / 3.0
    value[F_R_ACTUAL] = r_actual
    value[F_MFE] = (top - entry) / risk
    value[F_MAE] = (entry - bottom) / risk
    return flat_from


@_entry_point
def simulate(
    offsets: Integers,
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    adjustment: Floats,
    week_key: Integers,
    month_key: Integers,
    daily_offsets: Integers,
    daily_high: Floats,
    daily_low: Floats,
    daily_close: Floats,
    daily_week_key: Integers,
    daily_month_key: Integers,
    slippage: Floats,
    tick: Floats,
    ema_period: int,
    slope_lookback: int,
    slope_threshold: float,
    min_bars_of_air: int,
    max_air_lookback: int,
    entry_grace_bars: int,
    breakdown_buffer_atr: float,
    swing_lookback: int,
    gap_scan_window: int,
    min_risk_atr: float,
    atr_period: int,
    williams_period: int,
    stop_mode: int,
    stop_wins: bool,
    warm_up: int,
    lots: int,
    first_symbol: int,
    last_symbol: int,
    row_offsets: Integers,
    rows: Integers,
    values: Floats,
    event_counts: Integers,
    undefined_counts: Integers,
) -> None:
    """Run B1 on symbols first_symbol to last_symbol (exclusive) of columns laid end to end.

    Symbol s holds bars offsets[s]:offsets[s + 1] and writes its events, oldest first, to
    rows[row_offsets[s]:] (rows x INTEGER_COLUMNS) and values (rows x FLOAT_COLUMNS), their number to
    event_counts[s] and the number of bars with an undefined slope to undefined_counts[s]. Bar numbers
    in rows count from the symbol's first bar. slippage is in price per side; tick 0 means unknown.
    The daily columns feed the higher timeframes; on daily bars they are the bars' own.
    """
    longest = 1
    longest_daily = 1
    for s in range(first_symbol, last_symbol):
        longest = max(longest, offsets[s + 1] - offsets[s])
        longest_daily = max(longest_daily, daily_offsets[s + 1] - daily_offsets[s])
    # Two rows: symbols are taken in pairs, an odd last one beside itself.
    pair_ema = np.empty((2, longest))
    pair_bar = np.empty((2, longest), np.int64)
    pair_air = np.empty((2, longest), np.int64)
    pair_atr = np.empty((2, longest))
    found_a = 0
    found_b = 0
    week_end = np.empty(longest_daily, np.int64)
    week_ema = np.empty(longest_daily)
    month_end = np.empty(longest_daily, np.int64)
    month_ema = np.empty(longest_daily)

    for s in range(first_symbol, last_symbol):
        side = (s - first_symbol) % 2
        a = offsets[s]
        b = offsets[s + 1]
        if side == 0:
            beside = min(s + 1, last_symbol - 1)
            x = offsets[beside]
            y = offsets[beside + 1]
            found_a, found_b = _pullbacks(
                high[a:b], low[a:b], close[a:b], high[x:y], low[x:y], close[x:y],
                ema_period, atr_period, min_bars_of_air, pair_ema, pair_bar, pair_air, pair_atr,
            )  # fmt: skip
        candidates = found_b if side == 1 else found_a
        touch_bar = pair_bar[side]
        touch_air = pair_air[side]
        touch_atr = pair_atr[side]
        o = open_[a:b]
        h = high[a:b]
        l = low[a:b]  # noqa: E741 - the specification's letter
        c = close[a:b]
        v = volume[a:b]
        shift = adjustment[a:b]
        week = week_key[a:b]
        month = month_key[a:b]
        a = daily_offsets[s]
        b = daily_offsets[s + 1]
        below_high = daily_high[a:b]
        below_low = daily_low[a:b]
        below_close = daily_close[a:b]
        below_week = daily_week_key[a:b]
        below_month = daily_month_key[a:b]
        length = len(c)
        e = pair_ema[side, :length]
        weeks = -1
        months = 0
        usable_weeks = 0
        usable_months = 0

        if candidates:
            touch_atr[candidates] = _fetch(o) + _fetch(v) + _fetch(below_week) + _fetch(below_month)
        undefined_counts[s] = _undefined_slopes(e, shift, warm_up, slope_lookback)
        event = row_offsets[s]
        flat_from = max(warm_up, swing_lookback)
        for k in range(candidates):
            n = touch_bar[k]
            if n < flat_from:
                continue
            average = e[n]
            if not c[n] > average - breakdown_buffer_atr * touch_atr[k]:
                continue
            before = e[n - slope_lookback]
            denominator = before - shift[n]
            if denominator <= 0.0:
                continue
            slope = 100.0 * (average - before) / denominator
            if not slope >= slope_threshold:
                continue
            stop = l[n]
            swing_high = _highest(h, n - swing_lookback, n)
            if not swing_high > stop:
                continue

            row = rows[event]
            value = values[event]
            event += 1
            span = swing_high - stop
            tp1 = stop + span * 0.618
            row[I_BAR] = n
            row[I_AIR] = min(touch_air[k], max_air_lookback)
            value[F_SLOPE] = slope
            value[F_EMA] = average
            value[F_ATR] = touch_atr[k]
            value[F_STOP] = stop
            value[F_SWING_HIGH] = swing_high
            value[F_TP1] = tp1
            value[F_TP2] = stop + span * 0.786
            value[F_TP4] = stop + span * 1.618
            value[F_TP5] = stop + span * 2.618

            if weeks < 0:
                weeks = _higher_bars(below_week, below_close, ema_period, _USUAL_WEEK, week_end, week_ema)
                months = _higher_bars(below_month, below_close, ema_period, _USUAL_MONTH, month_end, month_ema)
            usable = _groups_before(below_week, week_end, weeks, week[n], usable_weeks)
            usable_weeks = usable
            row[I_FIB] = NULL
            if usable >= 2 * swing_lookback and tp1 - shift[n] > 0.0:
                first = 0 if usable == 2 * swing_lookback else week_end[usable - 2 * swing_lookback - 1] + 1
                final = week_end[usable - 1] + 1
                bottom = _lowest(below_low, first, final)
                level = bottom + 0.618 * (_highest(below_high, first, final) - bottom)
                target = tp1 - shift[n]
                row[I_FIB] = int(abs(target - (level - shift[n])) / target < 0.01)
            row[I_WEEKLY] = _aligned(usable, below_close, week_end, week_ema, slope_lookback, slope_threshold, shift[n])
            usable = _groups_before(below_month, month_end, months, month[n], usable_months)
            usable_months = usable
            row[I_MONTHLY] = _aligned(
                usable, below_close, month_end, month_ema, slope_lookback, slope_threshold, shift[n]
            )
            row[I_WR_DIVERGENCE] = _wr_divergence(h, l, c, n, n - 1 - touch_air[k], williams_period)
            row[I_CLEAN_PULLBACK] = int(
                h[n - 1] < h[n - 2] and h[n - 2] < h[n - 3] and l[n - 1] < l[n - 2] and l[n - 2] < l[n - 3]
            )
            row[I_VOLUME_DECLINING] = _volume_declining(v, n)
            row[I_GAP_BELOW] = _gap_below(h, l, n, gap_scan_window, shift[n])
            row[I_NEAR_HIGH] = _near_high(h, n, swing_high, shift[n])
            row[I_SINGLE_BAR] = int(h[n - 1] == swing_high)

            confirmation = NO_BAR
            breached = 0
            for m in range(n + 1, min(n + entry_grace_bars + 1, length)):
                if c[m] < stop:
                    breached = 1
                if c[m] > e[m]:
                    confirmation = m
                    break
            row[I_BREACHED_PENDING] = breached
            row[I_CONFIRMATION] = confirmation
            row[I_ENTRY] = NO_BAR
            row[I_REASON] = NO_REASON
            if confirmation < 0:
                if n + entry_grace_bars < length:
                    row[I_STATUS] = EXPIRED
                    flat_from = n + entry_grace_bars + 1
                else:
                    row[I_STATUS] = PENDING
                    flat_from = length
                continue
            entry_bar = confirmation + 1
            if entry_bar == length:
                row[I_STATUS] = AWAITING_ENTRY
                flat_from = length
                continue
            row[I_ENTRY] = entry_bar
            distance = o[entry_bar] - stop
            if distance <= 0.0 or distance < max(tick[s], min_risk_atr * touch_atr[k]):
                row[I_STATUS] = NO_TRADE
                row[I_REASON] = ENTRY_AT_OR_BELOW_STOP if distance <= 0.0 else RISK_TOO_SMALL
                flat_from = entry_bar
                continue
            row[I_STATUS] = CONFIRMED
            flat_from = _hold(o, h, l, c, e, entry_bar, slippage[s], stop_mode, stop_wins, lots, row, value)
        event_counts[s] = event - row_offsets[s]


@_entry_point
def smoothed(values: Floats, alpha: float) -> Floats:
    """e[0] = x[0]; e[n] = e[n - 1] + alpha * (x[n] - e[n - 1])."""
    out = np.empty(len(values))
    average = values[0]
    out[0] = average
    for n in range(1, len(values)):
        average += alpha * (values[n] - average)
        out[n] = average
    return out


@_entry_point
def list_candidates(
    offsets: Integers,
    high: Floats,
    low: Floats,
    close: Floats,
    adjustment: Floats,
    ema_period: int,
    atr_period: int,
    slope_lookback: int,
    slope_threshold: float,
    min_bars_of_air: int,
    breakdown_buffer_atr: float,
    warm_up: int,
    first_bar: int,
    first_symbol: int,
    last_symbol: int,
    candidate_offsets: Integers,
    ema: Floats,
    bars: Integers,
    air: Integers,
    reals: Floats,
    counts: Integers,
    undefined_counts: Integers,
) -> None:
    """List the bars from `first_bar` on that meet C1 to C4 under the loosest limits of a grid.

    Columns lie as in `simulate`. ema is filled for every bar. Symbol s writes counts[s] candidates to
    bars, air (not capped) and reals (one line each of CANDIDATE_COLUMNS) from candidate_offsets[s] on.
    """
    longest = 1
    for s in range(first_symbol, last_symbol):
        longest = max(longest, offsets[s + 1] - offsets[s])
    pair_ema = np.empty((2, longest))
    pair_bar = np.empty((2, longest), np.int64)
    pair_air = np.empty((2, longest), np.int64)
    pair_atr = np.empty((2, longest))
    found_a = 0
    found_b = 0
    for s in range(first_symbol, last_symbol):
        side = (s - first_symbol) % 2
        a = offsets[s]
        b = offsets[s + 1]
        if side == 0:
            beside = min(s + 1, last_symbol - 1)
            x = offsets[beside]
            y = offsets[beside + 1]
            found_a, found_b = _pullbacks(
                high[a:b], low[a:b], close[a:b], high[x:y], low[x:y], close[x:y],
                ema_period, atr_period, min_bars_of_air, pair_ema, pair_bar, pair_air, pair_atr,
            )  # fmt: skip
        shift = adjustment[a:b]
        e = ema[a:b]
        e[:] = pair_ema[side, : b - a]
        undefined_counts[s] = _undefined_slopes(e, shift, warm_up, slope_lookback)
        kept = candidate_offsets[s]
        for k in range(found_b if side == 1 else found_a):
            n = pair_bar[side, k]
            if n < first_bar:
                continue
            average = e[n]
            before = e[n - slope_lookback]
            denominator = before - shift[n]
            average_range = pair_atr[side, k]
            if denominator <= 0.0 or not close[a + n] > average - breakdown_buffer_atr * average_range:
                continue
            slope = 100.0 * (average - before) / denominator
            if not slope >= slope_threshold:
                continue
            bars[kept] = n
            air[kept] = pair_air[side, k]
            reals[kept, C_SLOPE] = slope
            reals[kept, C_ATR] = average_range
            kept += 1
        counts[s] = kept - candidate_offsets[s]


@_part
def _first_from(bars: Integers, k: int, bar: int) -> int:
    """Position of the first candidate after k that lies on `bar` or later."""
    k += 1
    while k < len(bars) and bars[k] < bar:
        k += 1
    return k


@_part
def _next_open(gates: Gates, chosen: Integers, passing: Gates, following: Positions) -> None:
    """following[k]: the first candidate from k on that passes all four chosen gates; their number where none does."""
    first, second = gates[chosen[0]], gates[chosen[1]]
    third, fourth = gates[chosen[2]], gates[chosen[3]]
    candidates = len(following) - 1
    for k in range(candidates):
        passing[k] = first[k] & second[k] & third[k] & fourth[k]
    following[candidates] = candidates
    nearest = candidates
    for k in range(candidates - 1, -1, -1):
        nearest = k if passing[k] else nearest
        following[k] = nearest


@_part
def _take(
    after: Positions,
    following: Positions,
    gain: Floats,
    tally: Integers,
    k: int,
    total: float,
    peak: float,
    deepest: float,
    won: float,
    lost: float,
    marked: float,
    counted: int,
    held: int,
) -> tuple[int, float, float, float, float, float, float, int, int]:
    """Add what the trigger at candidate k led to; return the next trigger and the sums. Past the last, nothing adds."""
    total += gain[k, 0]
    peak = max(peak, total)
    deepest = max(deepest, peak - total)
    won += gain[k, 1]
    lost += gain[k, 2]
    marked += gain[k, 3]
    counted += tally[k, 0]
    held += tally[k, 1]
    return following[after[k]], total, peak, deepest, won, lost, marked, counted, held


@_part
def _write_sums(
    figures: Floats,
    numbers: Integers,
    _: int,
    total: float,
    peak: float,
    deepest: float,
    won: float,
    lost: float,
    marked: float,
    counted: int,
    held: int,
) -> None:
    figures[G_TOTAL] = total
    figures[G_DRAWDOWN] = deepest
    figures[G_WON] = won
    figures[G_LOST] = lost
    figures[G_OPEN] = marked
    numbers[G_TRIGGERS] = counted & _TALLY_MASK
    numbers[G_CLOSED] = counted >> _TALLY_BITS & _TALLY_MASK
    numbers[G_WINS] = counted >> 2 * _TALLY_BITS
    numbers[G_STILL_OPEN] = held & 1
    numbers[G_HELD] = held >> 1


@_entry_point
def sweep(
    offsets: Integers,
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    slippage: Floats,
    tick: Floats,
    lots: int,
    warm_up: int,
    candidate_offsets: Integers,
    ema: Floats,
    bars: Integers,
    air: Integers,
    reals: Floats,
    counts: Integers,
    slopes: Floats,
    airs: Integers,
    buffers: Floats,
    swings: Integers,
    filters: Integers,
    trades: Integers,
    walks: Integers,
    min_risks: Floats,
    variants: Integers,
    first_symbol: int,
    last_symbol: int,
    figures: Floats,
    numbers: Integers,
    trade_offsets: Integers,
    trade_bars: Integers,
    trade_reals: Floats,
) -> None:
    """Walk every variant of a grid over the candidates of each symbol.

    slopes, airs, buffers, swings: the distinct limits. filters: lines of positions in them. trades:
    lines of (position in swings, stop mode, stop wins). walks: lines of (position in trades, grace bars),
    beside them min_risks. variants: lines of (filter, walk, line of the output), by rising filter, every
    filter used.
    Symbol s writes variant v to figures[s, v] and numbers[s, v] (columns G_*). Where trade_offsets
    (symbols, variants) is not empty, the trades are written from there on as well: trade_bars
    (trigger, entry, exit, closed), trade_reals (r_theoretical, r_actual).
    """
    most = 1
    for s in range(first_symbol, last_symbol):
        most = max(most, counts[s])
    gates_all = np.empty((len(slopes) + len(airs) + len(buffers) + len(swings), most), np.bool_)
    confirmations = np.empty(most, np.int64)
    flat_from = np.empty((len(trades), most), np.uint32)
    exits = np.empty((len(trades), most), np.int64)
    results = np.empty((len(trades), most, 2))
    reasons = np.empty((len(trades), most), np.int8)
    following_all = np.empty((3, most + 1), np.uint32)
    passing = np.empty(most, np.bool_)
    after_all = np.empty((len(walks), most + 1), np.uint32)
    gain_all = np.empty((len(walks), most + 1, 4))
    tally_all = np.empty((len(walks), most + 1, 2), np.int64)
    row = np.empty(INTEGER_COLUMNS, np.int64)
    value = np.empty(FLOAT_COLUMNS)
    longest_grace = 0
    for w in range(len(walks)):
        longest_grace = max(longest_grace, walks[w, 1])
    first_buffer = len(slopes) + len(airs)
    first_swing = first_buffer + len(buffers)

    for s in range(first_symbol, last_symbol):
        a = offsets[s]
        b = offsets[s + 1]
        o = open_[a:b]
        h = high[a:b]
        l = low[a:b]  # noqa: E741 - the specification's letter
        c = close[a:b]
        e = ema[a:b]
        length = b - a
        candidates = counts[s]
        first = candidate_offsets[s]
        bar = bars[first : first + candidates]
        clear = air[first : first + candidates]
        real = reals[first : first + candidates]
        gates = gates_all[:, :candidates]
        if candidates:
            value[F_RISK] = _fetch(o) + _fetch(h) + _fetch(l) + _fetch(c) + _fetch(e)

        for i in range(len(slopes)):
            for k in range(candidates):
                gates[i, k] = real[k, C_SLOPE] >= slopes[i]
        for i in range(len(airs)):
            for k in range(candidates):
                gates[len(slopes) + i, k] = clear[k] >= airs[i]
        for k in range(candidates):
            n = bar[k]
            for i in range(len(buffers)):
                gates[first_buffer + i, k] = c[n] > e[n] - buffers[i] * real[k, C_ATR]
            confirmations[k] = NO_BAR
            for m in range(n + 1, min(n + longest_grace + 1, length)):
                if c[m] > e[m]:
                    confirmations[k] = m
                    break

        for i in range(len(swings)):
            start = max(warm_up, swings[i])
            for k in range(candidates):
                n = bar[k]
                gates[first_swing + i, k] = False
                if n < start:
                    continue
                swing_high = _highest(h, n - swings[i], n)
                stop = l[n]
                if not swing_high > stop:
                    continue
                gates[first_swing + i, k] = True
                entry_bar = confirmations[k] + 1
                if confirmations[k] < 0 or entry_bar == length or o[entry_bar] - stop <= 0.0:
                    continue
                span = swing_high - stop
                value[F_STOP] = stop
                value[F_SWING_HIGH] = swing_high
                value[F_TP1] = stop + span * 0.618
                value[F_TP2] = stop + span * 0.786
                for t in range(len(trades)):
                    if trades[t, 0] == i:
                        flat = _hold(
                            o, h, l, c, e, entry_bar, slippage[s], trades[t, 1], trades[t, 2] == 1, lots, row, value
                        )
                        flat_from[t, k] = _first_from(bar, k, flat)
                        exits[t, k] = row[I_EXIT]
                        reasons[t, k] = row[I_EXIT_REASON]
                        results[t, k, 0] = value[F_R_THEORETICAL]
                        results[t, k, 1] = value[F_R_ACTUAL]

        for w in range(len(walks)):
            t = walks[w, 0]
            grace = walks[w, 1]
            passed = gates[first_swing + trades[t, 0]]
            after = after_all[w]
            gain = gain_all[w]
            tally = tally_all[w]
            gain[: candidates + 1] = 0.0
            for k in range(candidates):
                n = bar[k]
                tally[k, 0] = 1
                tally[k, 1] = 0
                after[k] = candidates
                if not passed[k]:
                    continue
                confirmation = confirmations[k]
                if confirmation < 0 or confirmation > n + grace:
                    after[k] = _first_from(bar, k, n + grace + 1)
                    continue
                entry_bar = confirmation + 1
                if entry_bar == length:
                    continue
                distance = o[entry_bar] - l[n]
                if distance <= 0.0 or distance < max(tick[s], min_risks[w] * real[k, C_ATR]):
                    after[k] = _first_from(bar, k, entry_bar)
                    continue
                after[k] = flat_from[t, k]
                r = results[t, k, 0]
                if reasons[t, k] == EXIT_OPEN:
                    gain[k, 3] = r
                    tally[k, 1] = 1
                    continue
                gain[k, 0] = r
                gain[k, 1] = r if r >= SCRATCH_BELOW else 0.0
                gain[k, 2] = r if r <= -SCRATCH_BELOW else 0.0
                tally[k, 0] += (1 << _TALLY_BITS) + (int(r >= SCRATCH_BELOW) << 2 * _TALLY_BITS)
                tally[k, 1] = (exits[t, k] - entry_bar) << 1
            after[candidates] = candidates
            tally[candidates] = 0

        # Three variants at a time: each step of a walk waits for the one before. They need at most three filters.
        following = following_all[:, : candidates + 1]
        made = NO_BAR
        last = len(variants) - 1
        for v in range(0, len(variants), 3):
            x = variants[v]
            y = variants[min(v + 1, last)]
            z = variants[min(v + 2, last)]
            while made < z[0]:
                made += 1
                _next_open(gates, filters[made], passing, following[made % 3])
            next_x = following[x[0] % 3]
            next_y = following[y[0] % 3]
            next_z = following[z[0] % 3]
            walk_x, walk_y, walk_z = x[1], y[1], z[1]
            sums_x = next_x[0], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0
            sums_y = next_y[0], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0
            sums_z = next_z[0], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0
            while sums_x[0] < candidates or sums_y[0] < candidates or sums_z[0] < candidates:
                sums_x = _take(after_all[walk_x], next_x, gain_all[walk_x], tally_all[walk_x], *sums_x)
                sums_y = _take(after_all[walk_y], next_y, gain_all[walk_y], tally_all[walk_y], *sums_y)
                sums_z = _take(after_all[walk_z], next_z, gain_all[walk_z], tally_all[walk_z], *sums_z)
            _write_sums(figures[s, x[2]], numbers[s, x[2]], *sums_x)
            _write_sums(figures[s, y[2]], numbers[s, y[2]], *sums_y)
            _write_sums(figures[s, z[2]], numbers[s, z[2]], *sums_z)

        if trade_offsets.size:
            for v in range(len(variants)):
                if v == 0 or variants[v, 0] != variants[v - 1, 0]:
                    _next_open(gates, filters[variants[v, 0]], passing, following[0])
                w = variants[v, 1]
                t = walks[w, 0]
                at = trade_offsets[s, variants[v, 2]]
                k = following[0, 0]
                while k < candidates:
                    closed = tally_all[w, k, 0] > 1
                    if closed or tally_all[w, k, 1] & 1:
                        trade_bars[at, 0] = bar[k]
                        trade_bars[at, 1] = confirmations[k] + 1
                        trade_bars[at, 2] = exits[t, k]
                        trade_bars[at, 3] = int(closed)
                        trade_reals[at, 0] = results[t, k, 0]
                        trade_reals[at, 1] = results[t, k, 1]
                        at += 1
                    k = following[0, after_all[w, k]]
