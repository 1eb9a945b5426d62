"""Many variants of B1 over one symbol, compiled: what they share is computed once, each then walks its own triggers."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ctl.kernels import kernel, part
from ctl.model.trades import SCRATCH_BELOW
from ctl.strategy.b1.rules import (
    EXIT_OPEN,
    NO_BAR,
    NO_REASON,
    NULL,
    Events,
    Floats,
    Higher,
    Integers,
    Pullbacks,
    Rules,
    Symbol,
    aligned,
    confirmation_of,
    group_higher,
    higher_slopes,
    highest,
    hold,
    holds_above,
    keep_candidates,
    pullbacks,
    refusal,
    set_levels,
    undefined_slopes,
)

Positions = npt.NDArray[np.uint32]  # unsigned, because numba tests signed ones for counting from the end
Gates = npt.NDArray[np.bool_]

# A trade of one variant; bars count from the symbol's first.
TRADE: Final = np.dtype(
    [
        ("variant", np.uint16),
        ("closed", np.bool_),
        *((name, np.int32) for name in ("trigger_bar", "entry_bar", "exit_bar")),
        *((name, np.float64) for name in ("r_theoretical", "r_actual")),
    ],
    align=True,
)
# Three numbers share an integer while they are counted.
_TALLY_BITS: Final = 21
_TALLY_MASK: Final = (1 << _TALLY_BITS) - 1
MOST_CANDIDATES: Final = _TALLY_MASK


class Plan(NamedTuple):
    """The distinct limits, filters, trades and walks of some variants, and what each variant takes of them.

    slopes, airs, buffers, swings: distinct limits. filters: lines of positions in them, of which swings come
    first. trades: lines of (position in swings, stop mode, stop wins). walks: lines of (position in trades,
    grace bars), beside them min_risks. variants: lines of (filter, walk, line of the output), by rising filter,
    every filter used.
    """

    slopes: Floats
    airs: Integers
    buffers: Floats
    swings: Integers
    filters: Integers
    trades: Integers
    walks: Integers
    min_risks: Floats
    variants: Integers


@kernel
def list_candidates(
    a: Symbol, b: Symbol, of_a: Pullbacks, of_b: Pullbacks, rules: Rules, first_bar: int, found: Integers
) -> None:  # fmt: skip
    """The bars of two symbols from `first_bar` on that meet C1 to C4 under `rules`, the loosest limits of a grid.

    found: (2, 2), of each symbol the number of candidates and of undefined slopes.
    """
    count_a, count_b = pullbacks(a, b, of_a, of_b, rules)
    found[0, 0] = keep_candidates(a, of_a, count_a, rules, first_bar)
    found[0, 1] = undefined_slopes(a, of_a.ema, rules)
    found[1, 0] = keep_candidates(b, of_b, count_b, rules, first_bar)
    found[1, 1] = undefined_slopes(b, of_b.ema, rules)


@part
def _first_from(bars: Integers, count: int, k: int, bar: int) -> int:
    """Position of the first candidate after k that lies on `bar` or later."""
    k += 1
    while k < count and bars[k] < bar:
        k += 1
    return k


@part
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


@part
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


@part
def _write_sums(
    sums: Any, _: int, total: float, peak: float, deepest: float, won: float, lost: float, marked: float,
    counted: int, held: int,
) -> None:  # fmt: skip
    sums.total_r = total
    sums.peak_r = peak
    sums.max_drawdown_r = deepest
    sums.won_r = won
    sums.lost_r = lost
    sums.open_r = marked
    sums.trigger_count = counted & _TALLY_MASK
    sums.trade_count = counted >> _TALLY_BITS & _TALLY_MASK
    sums.win_count = counted >> 2 * _TALLY_BITS
    sums.open_count = held & 1
    sums.confirmed_count = sums.trade_count + sums.open_count
    sums.hold_bars = held >> 1


@kernel
def sweep(
    symbol: Symbol, found: Pullbacks, candidates: int, slippage: float, rules: Rules, plan: Plan, higher: Higher,
    trades: Events, listed: bool, sums: Events, out: Events,
) -> int:  # fmt: skip
    """Walk every variant of a grid over the candidates of a symbol; return the number of trades listed.

    rules: what the variants share (slope lookback, EMA, lots, warm-up). trades: room for one of each kind
    from each candidate. Variant v adds to sums[v]. Where
    `listed`, every trade is written to `out` (room for candidates times variants), variant by variant in the
    order of the plan, and alignment is counted.
    """
    gates = np.empty((len(plan.slopes) + len(plan.airs) + len(plan.buffers) + len(plan.swings), candidates), np.bool_)
    confirmations = np.empty(candidates, np.int64)
    flat_from = np.empty((len(plan.trades), candidates), np.uint32)
    following = np.empty((3, candidates + 1), np.uint32)
    passing = np.empty(candidates, np.bool_)
    after_all = np.empty((len(plan.walks), candidates + 1), np.uint32)
    gain_all = np.zeros((len(plan.walks), candidates + 1, 4))
    tally_all = np.empty((len(plan.walks), candidates + 1, 2), np.int64)
    longest_grace = 0
    for w in range(len(plan.walks)):
        longest_grace = max(longest_grace, plan.walks[w, 1])
    first_buffer = len(plan.slopes) + len(plan.airs)
    first_swing = first_buffer + len(plan.buffers)
    length = len(symbol.close)
    bar = found.bar

    for i in range(len(plan.slopes)):
        for k in range(candidates):
            gates[i, k] = found.slope[k] >= plan.slopes[i]
    for i in range(len(plan.airs)):
        for k in range(candidates):
            gates[len(plan.slopes) + i, k] = found.air[k] >= plan.airs[i]
    for k in range(candidates):
        n = bar[k]
        for i in range(len(plan.buffers)):
            gates[first_buffer + i, k] = holds_above(symbol.close[n], found.ema[n], plan.buffers[i], found.atr[k])
        confirmations[k] = confirmation_of(symbol, found.ema, n, longest_grace)

    for i in range(len(plan.swings)):
        start = max(rules.warm_up, plan.swings[i])
        for k in range(candidates):
            n = bar[k]
            gates[first_swing + i, k] = False
            if n < start:
                continue
            swing_high = highest(symbol.high, n - plan.swings[i], n)
            stop = symbol.low[n]
            if not swing_high > stop:
                continue
            gates[first_swing + i, k] = True
            entry_bar = confirmations[k] + 1
            if confirmations[k] < 0 or entry_bar == length or symbol.open[entry_bar] - stop <= 0.0:
                continue
            for t in range(len(plan.trades)):
                if plan.trades[t, 0] == i:
                    event = trades[t, k]
                    set_levels(event, stop, swing_high)
                    mode, stop_wins = plan.trades[t, 1], plan.trades[t, 2] == 1
                    flat = hold(symbol, found.ema, event, entry_bar, slippage, mode, stop_wins, rules.lots)
                    flat_from[t, k] = _first_from(bar, candidates, k, flat)

    for w in range(len(plan.walks)):
        t = plan.walks[w, 0]
        grace = plan.walks[w, 1]
        passed = gates[first_swing + plan.trades[t, 0]]
        after = after_all[w]
        gain = gain_all[w]
        tally = tally_all[w]
        for k in range(candidates):
            n = bar[k]
            tally[k, 0] = 1
            tally[k, 1] = 0
            after[k] = candidates
            if not passed[k]:
                continue
            confirmation = confirmations[k]
            if confirmation < 0 or confirmation > n + grace:
                after[k] = _first_from(bar, candidates, k, n + grace + 1)
                continue
            entry_bar = confirmation + 1
            if entry_bar == length:
                continue
            reason = refusal(symbol.open[entry_bar], symbol.low[n], symbol.tick, plan.min_risks[w], found.atr[k])
            if reason != NO_REASON:
                after[k] = _first_from(bar, candidates, k, entry_bar)
                continue
            after[k] = flat_from[t, k]
            r = trades[t, k].r_theoretical
            if trades[t, k].exit_reason == EXIT_OPEN:
                gain[k, 3] = r
                tally[k, 1] = 1
                continue
            gain[k, 0] = r
            gain[k, 1] = r if r >= SCRATCH_BELOW else 0.0
            gain[k, 2] = r if r <= -SCRATCH_BELOW else 0.0
            tally[k, 0] += (1 << _TALLY_BITS) + (int(r >= SCRATCH_BELOW) << 2 * _TALLY_BITS)
            tally[k, 1] = (trades[t, k].exit_bar - entry_bar) << 1
        after[candidates] = candidates
        tally[candidates] = 0

    # Three variants at a time: each step of a walk waits for the one before. They need at most three filters.
    made = NO_BAR
    last = len(plan.variants) - 1
    for v in range(0, len(plan.variants), 3):
        x = plan.variants[v]
        y = plan.variants[min(v + 1, last)]
        z = plan.variants[min(v + 2, last)]
        while made < z[0]:
            made += 1
            _next_open(gates, plan.filters[made], passing, following[made % 3])
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
        _write_sums(sums[x[2]], *sums_x)
        _write_sums(sums[y[2]], *sums_y)
        _write_sums(sums[z[2]], *sums_z)
    if not listed or candidates == 0:
        return 0

    slopes = np.empty((2, candidates))
    above = np.empty((2, candidates), np.bool_)
    group_higher(symbol, higher, rules.ema)
    for k in range(candidates):
        _, slopes[0, k], above[0, k], slopes[1, k], above[1, k] = higher_slopes(
            symbol, higher, bar[k], rules.slope_lookback
        )
    at = 0
    for v in range(len(plan.variants)):
        variant = plan.variants[v]
        if v == 0 or variant[0] != plan.variants[v - 1, 0]:
            _next_open(gates, plan.filters[variant[0]], passing, following[0])
        threshold = plan.slopes[plan.filters[variant[0], 3]]
        w = variant[1]
        t = plan.walks[w, 0]
        line = sums[variant[2]]
        k = following[0, 0]
        while k < candidates:
            closed = tally_all[w, k, 0] > 1
            if closed or tally_all[w, k, 1] & 1:
                week = aligned(slopes[0, k], above[0, k], threshold)
                month = aligned(slopes[1, k], above[1, k], threshold)
                line.weekly_known += int(week != NULL)
                line.weekly_true += int(week == 1)
                line.monthly_known += int(month != NULL)
                line.monthly_true += int(month == 1)
                trade = out[at]
                trade.variant = variant[2]
                trade.closed = closed
                trade.trigger_bar = bar[k]
                trade.entry_bar = confirmations[k] + 1
                trade.exit_bar = trades[t, k].exit_bar
                trade.r_theoretical = trades[t, k].r_theoretical
                trade.r_actual = trades[t, k].r_actual
                at += 1
            k = following[0, after_all[w, k]]
    return at
