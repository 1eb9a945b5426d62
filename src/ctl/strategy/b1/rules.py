"""B1's rules, compiled: each stands here once, for one run (kernel.py) and for grids of them (grid_kernel.py).

No fast-math, so that every platform rounds alike.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ctl.kernels import part

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Events = npt.NDArray[np.void]

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

# One trigger and, where it was entered, its trade; fields from entry_price on are undefined where it was not.
# Bars count from the symbol's first; TP3 is the swing high.
EVENT: Final = np.dtype(
    [(name, np.int64) for name in ("trigger_bar", "touch_bar", "bars_of_air", "confirmation_bar", "entry_bar")]
    + [(name, np.float64) for name in ("slope", "ema", "atr", "stop", "swing_high", "tp1", "tp2", "tp4", "tp5")]
    + [(name, np.int64) for name in ("tp1_bar", "tp2_bar", "tp3_bar", "exit_bar")]
    + [(name, np.float64) for name in ("entry_price", "tp1_fill", "tp2_fill", "tp3_fill", "exit_price", "risk")]
    + [(name, np.float64) for name in ("r_theoretical", "r_actual", "mfe_r", "mae_r")]
    + [(name, np.int8) for name in ("status", "reason", "stop_breached_while_pending")]
    + [(name, np.int8) for name in ("wr_divergence", "clean_pullback", "volume_declining", "gap_below", "near_high")]
    + [(name, np.int8) for name in ("fib_confluence", "single_bar_pullback", "weekly_aligned", "monthly_aligned")]
    + [(name, np.int8) for name in ("exit_reason", "same_bar_collision", "day1_fail", "awaiting_exit")],
    align=True,
)

_BREAK_EVEN: Final = 2
_TRAILING: Final = 3
_HIGHER_BARS_NEEDED: Final = 30
# Only speed hangs on these two; numba compiles anew for every literal, not for an int64.
_USUAL_WEEK: Final[Any] = np.int64(5)
_USUAL_MONTH: Final[Any] = np.int64(20)


class Symbol(NamedTuple):
    """One symbol's bars and costs. day_*: the sessions that higher timeframes are grouped from, on daily bars the bars.

    slippage: price per side. tick: 0 where unknown.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adjustment: Floats
    week_key: Integers
    month_key: Integers
    day_high: Floats
    day_low: Floats
    day_close: Floats
    day_week_key: Integers
    day_month_key: Integers
    slippage: float
    tick: float


class Rules(NamedTuple):
    """B1Parameters as numbers, and the lots traded."""

    ema: int
    slope_lookback: int
    slope_threshold: float
    min_bars_of_air: int
    max_air_lookback: int
    entry_grace_bars: int
    breakdown_buffer_atr: float
    swing_lookback: int
    gap_scan_window: int
    min_risk_atr: float
    atr: int
    williams: int
    stop_mode: int
    stop_wins: bool
    warm_up: int
    lots: int


class Pullbacks(NamedTuple):
    """A symbol's EMA, and the bars that touch it after enough air: as many of the other arrays as are counted."""

    ema: Floats
    bar: Integers
    air: Integers
    atr: Floats
    slope: Floats


class Higher(NamedTuple):
    """Ends and EMAs of a symbol's weeks and months; state: their numbers, then how many lie before the last trigger."""

    week_end: Integers
    week_ema: Floats
    month_end: Integers
    month_ema: Floats
    state: Integers


def new_pullbacks(bars: int) -> Pullbacks:
    """Room for the pullbacks of a symbol of at most so many bars."""
    return Pullbacks(
        np.empty(bars), np.empty(bars, np.int64), np.empty(bars, np.int64), np.empty(bars), np.empty(bars)
    )  # fmt: skip


def new_higher(sessions: int) -> Higher:
    """Room for the weeks and months of at most so many sessions."""
    ends, emas = np.empty((2, sessions), np.int64), np.empty((2, sessions))
    return Higher(ends[0], emas[0], ends[1], emas[1], np.zeros(4, np.int64))


@part
def highest(values: Floats, start: int, stop: int) -> float:
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


@part
def lowest(values: Floats, start: int, stop: int) -> float:
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


@part
def _advance(
    n: int, symbol: Symbol, found: Pullbacks, alpha: float, divisor: float, min_air: int,
    average: float, average_range: float, clear: int, count: int,
) -> tuple[float, float, int, int]:  # fmt: skip
    """Take EMA, ATR, the number of clear bars and that of pullbacks from bar n - 1 to bar n.

    A pullback is written for every bar and kept by counting on: no branch to mispredict.
    """
    h = symbol.high[n]
    l = symbol.low[n]  # noqa: E741 - the specification's letter
    c = symbol.close[n]
    previous = symbol.close[n - 1]
    average = alpha * c + (1.0 - alpha) * average
    found.ema[n] = average
    true_range = max(h - l, abs(h - previous), abs(l - previous))
    average_range = average_range + (true_range - average_range) / divisor
    found.bar[count] = n
    found.air[count] = clear
    found.atr[count] = average_range
    touched = l <= average
    count += int(touched and clear >= min_air)
    clear = 0 if touched else clear + 1
    return average, average_range, clear, count


@part
def pullbacks(a: Symbol, b: Symbol, found_a: Pullbacks, found_b: Pullbacks, rules: Rules) -> tuple[int, int]:
    """List the pullbacks of two symbols and fill their EMAs; return how many each has.

    Each step of a recursion waits for the one before; two of them side by side share that wait.
    """
    alpha = 2.0 / (rules.ema + 1.0)
    divisor = float(rules.atr)
    air = rules.min_bars_of_air
    x = a.close[0], a.high[0] - a.low[0], int(a.low[0] > a.close[0]), 0
    y = b.close[0], b.high[0] - b.low[0], int(b.low[0] > b.close[0]), 0
    found_a.ema[0] = a.close[0]
    found_b.ema[0] = b.close[0]
    common = min(len(a.close), len(b.close))
    for n in range(1, common):
        x = _advance(n, a, found_a, alpha, divisor, air, *x)
        y = _advance(n, b, found_b, alpha, divisor, air, *y)
    for n in range(common, len(a.close)):
        x = _advance(n, a, found_a, alpha, divisor, air, *x)
    for n in range(common, len(b.close)):
        y = _advance(n, b, found_b, alpha, divisor, air, *y)
    return x[3], y[3]


@part
def holds_above(close: float, average: float, buffer: float, average_range: float) -> bool:
    """C4: the close is no breakdown."""
    return close > average - buffer * average_range


@part
def keep_candidates(symbol: Symbol, found: Pullbacks, count: int, rules: Rules, first_bar: int) -> int:
    """Of so many pullbacks keep those from `first_bar` on that meet C1 and C4, with their slopes; their number."""
    kept = 0
    for k in range(count):
        n = found.bar[k]
        if n < first_bar:
            continue
        average = found.ema[n]
        average_range = found.atr[k]
        if not holds_above(symbol.close[n], average, rules.breakdown_buffer_atr, average_range):
            continue
        before = found.ema[n - rules.slope_lookback]
        denominator = before - symbol.adjustment[n]
        if denominator <= 0.0:
            continue
        slope = 100.0 * (average - before) / denominator
        if not slope >= rules.slope_threshold:
            continue
        found.bar[kept] = n
        found.air[kept] = found.air[k]
        found.atr[kept] = average_range
        found.slope[kept] = slope
        kept += 1
    return kept


@part
def confirmation_of(symbol: Symbol, ema: Floats, n: int, grace: int) -> int:
    """The first of the `grace` bars after n that closes above the EMA, else NO_BAR."""
    for m in range(n + 1, min(n + grace + 1, len(symbol.close))):
        if symbol.close[m] > ema[m]:
            return m
    return NO_BAR


@part
def refusal(open_: float, stop: float, tick: float, min_risk_atr: float, average_range: float) -> int:
    """Why an entry at `open_` is refused; NO_REASON where it is taken."""
    distance = open_ - stop
    if distance <= 0.0:
        return ENTRY_AT_OR_BELOW_STOP
    return RISK_TOO_SMALL if distance < max(tick, min_risk_atr * average_range) else NO_REASON


@part
def set_levels(event: Any, stop: float, swing_high: float) -> None:
    """Freeze stop and targets."""
    span = swing_high - stop
    event.stop = stop
    event.swing_high = swing_high
    event.tp1 = stop + span * 0.618
    event.tp2 = stop + span * 0.786
    event.tp4 = stop + span * 1.618
    event.tp5 = stop + span * 2.618


@part
def undefined_slopes(symbol: Symbol, ema: Floats, rules: Rules) -> int:
    """Bars after warm-up whose slope has a denominator of zero or below."""
    if len(symbol.close) <= rules.warm_up:
        return 0
    now = symbol.adjustment[rules.warm_up :]
    before = ema[rules.warm_up - rules.slope_lookback : len(symbol.close) - rules.slope_lookback]
    count = 0
    for n in range(len(now)):
        count += int(before[n] - now[n] <= 0.0)
    return count


@part
def hold(
    symbol: Symbol, ema: Floats, event: Any, entry_bar: int, slippage: float, stop_mode: int, stop_wins: bool, lots: int
) -> int:  # fmt: skip
    """Hold from the open of `entry_bar` to the exit; return the bar from whose close on the position is flat.

    That is len(close) where it is still held at the end. The event has its levels; the trade is written to it.
    """
    stop = event.stop
    tp1 = event.tp1
    tp2 = event.tp2
    tp3 = event.swing_high
    entry = symbol.open[entry_bar] + slippage
    hit1 = NO_BAR
    hit2 = NO_BAR
    hit3 = NO_BAR
    fill1 = np.nan
    fill2 = np.nan
    fill3 = np.nan
    top = symbol.high[entry_bar]
    bottom = symbol.low[entry_bar]
    collision = 0
    breached = False
    exit_bar = NO_BAR
    exit_price = np.nan
    exit_reason = EXIT_OPEN
    for n in range(entry_bar + 1, len(symbol.close)):
        o = symbol.open[n]
        if breached:
            exit_bar = n
            exit_price = o - slippage
            exit_reason = EXIT_STOP
            top = max(top, o)
            bottom = min(bottom, o)
            break
        h = symbol.high[n]
        breached = symbol.close[n] < stop
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
                bottom = min(bottom, symbol.low[n])
            break
        top = max(top, h)
        bottom = min(bottom, symbol.low[n])
        if hit1 >= 0:
            if stop_mode == _BREAK_EVEN:
                stop = entry
            elif stop_mode == _TRAILING:
                stop = max(stop, ema[n])
    flat_from = exit_bar
    if exit_bar < 0:
        exit_bar = len(symbol.close) - 1
        exit_price = symbol.close[exit_bar]
        flat_from = len(symbol.close)

    risk = entry - event.stop
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

    event.tp1_bar = hit1
    event.tp2_bar = hit2
    event.tp3_bar = hit3
    event.exit_bar = exit_bar
    event.exit_reason = exit_reason
    event.same_bar_collision = collision
    event.day1_fail = int(symbol.low[entry_bar] < event.stop)
    event.awaiting_exit = int(breached and exit_reason == EXIT_OPEN)
    event.entry_price = entry
    event.tp1_fill = fill1
    event.tp2_fill = fill2
    event.tp3_fill = fill3
    event.exit_price = exit_price
    event.risk = risk
    event.r_theoretical = (r1 + r2 + r3) / 3.0
    event.r_actual = r_actual
    event.mfe_r = (top - entry) / risk
    event.mae_r = (entry - bottom) / risk
    return flat_from


@part
def fetch(values: Floats) -> float:
    """Read one number per cache line, so that events need not wait for memory at each place they look at.

    The sum only keeps the reading from being optimised away.
    """
    total = 0.0
    for n in range(0, len(values), 8):
        total += values[n]
    return total


@part
def higher_bars(key: Integers, close: Floats, ema_period: int, usual: int, ends: Integers, ema: Floats) -> int:
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


@part
def groups_before(key: Integers, ends: Integers, count: int, limit: int, known: int) -> int:
    """How many groups have a key below `limit` (keys increase), where the first `known` are known to."""
    while known < count and key[ends[known]] < limit:
        known += 1
    return known


@part
def higher_slope(
    usable: int, close: Floats, ends: Integers, ema: Floats, lookback: int, shift: float
) -> tuple[float, bool]:
    """Slope of the last of `usable` higher bars and whether it closes above its EMA; NaN where there is no slope.

    shift: the as-of adjustment.
    """
    if usable < _HIGHER_BARS_NEEDED or usable <= lookback:
        return np.nan, False
    last = usable - 1
    before = ema[last - lookback]
    denominator = before - shift
    if denominator <= 0.0:
        return np.nan, False
    return 100.0 * (ema[last] - before) / denominator, close[ends[last]] > ema[last]


@part
def group_higher(symbol: Symbol, higher: Higher, ema_period: int) -> None:
    """Group a symbol's sessions into weeks and months."""
    higher.state[0] = higher_bars(
        symbol.day_week_key, symbol.day_close, ema_period, _USUAL_WEEK, higher.week_end, higher.week_ema
    )
    higher.state[1] = higher_bars(
        symbol.day_month_key, symbol.day_close, ema_period, _USUAL_MONTH, higher.month_end, higher.month_ema
    )
    higher.state[2:] = 0


@part
def higher_slopes(symbol: Symbol, higher: Higher, n: int, lookback: int) -> tuple[int, float, bool, float, bool]:
    """Usable weeks at bar n, then slope and close above the EMA of the last usable week and month.

    Bars are asked for in rising order.
    """
    shift = symbol.adjustment[n]
    state = higher.state
    weeks = groups_before(symbol.day_week_key, higher.week_end, state[0], symbol.week_key[n], state[2])
    months = groups_before(symbol.day_month_key, higher.month_end, state[1], symbol.month_key[n], state[3])
    state[2] = weeks
    state[3] = months
    week = higher_slope(weeks, symbol.day_close, higher.week_end, higher.week_ema, lookback, shift)
    month = higher_slope(months, symbol.day_close, higher.month_end, higher.month_ema, lookback, shift)
    return weeks, week[0], week[1], month[0], month[1]


@part
def aligned(slope: float, above: bool, threshold: float) -> int:
    """NULL without a slope, else whether it reaches the threshold and the close lies above the EMA."""
    return NULL if np.isnan(slope) else int(slope >= threshold and above)


@part
def align(symbol: Symbol, higher: Higher, n: int, rules: Rules) -> tuple[int, int, int]:
    """Usable weeks at bar n, and the alignment of week and month."""
    weeks, week, week_above, month, month_above = higher_slopes(symbol, higher, n, rules.slope_lookback)
    return (
        weeks, aligned(week, week_above, rules.slope_threshold), aligned(month, month_above, rules.slope_threshold)
    )  # fmt: skip
