"""Many parameter sets over many symbols: what they share is computed once, each then walks its own triggers.

Variants with the same EMA, ATR and slope lookback share the indicators and one list of candidate bars,
found under the loosest limits of them all. Those with the same swing lookback, stop mode and collision
rule share the trade that each candidate leads to. A variant is then a choice of candidates and a chain
from one trigger to the first candidate after its end. Confluence flags filter nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, TypeVar

import numpy as np

from ctl.errors import UsageError
from ctl.kernels import table
from ctl.model.trades import Metrics, Timeframe
from ctl.strategy.b1.batch import STRESS_TICKS
from ctl.strategy.b1.grid_kernel import MOST_CANDIDATES, TRADE, Plan, list_candidates, sweep
from ctl.strategy.b1.parameters import B1Parameters
from ctl.strategy.b1.passes import framed, in_parts, rules_of
from ctl.strategy.b1.rules import EVENT, Events, Rules, Symbol, new_higher, new_pullbacks
from ctl.strategy.bars import Floats, Sessions, StrategyBars
from ctl.strategy.metrics import SUMS, add_lines, closed_sums, metrics_of

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class GridResult:
    """What every variant did on every symbol.

    sums: (levels, variants, symbols), lines of metrics.SUMS: level 0 at the configured slippage, then, where
    stress was asked for, one per STRESS_TICKS. trades: per level and symbol, lines of grid_kernel.TRADE, by variant
    (in no particular order), then by entry; empty unless listed. bars: of the run's timeframe.
    """

    bars: tuple[StrategyBars, ...]
    variants: tuple[B1Parameters, ...]
    tick: tuple[float | None, ...]
    sums: Events
    trades: tuple[tuple[Events, ...], ...]

    def trades_of(self, variant: int, symbol: int) -> Events:
        """One variant's trades on one symbol, by entry."""
        listed = self.trades[0][symbol]
        chosen: Events = listed[listed["variant"] == variant]
        return chosen

    def moments(self, symbol: int) -> tuple[Floats, Floats, Floats]:
        """Per variant the number of closed trades on a symbol, the sum of their R and of its square."""
        variant, _, r = self._closed(symbol)
        weights = (np.ones(len(r)), r, r * r)
        count, total, squares = (np.bincount(variant, each, minlength=len(self.variants)) for each in weights)
        return count.astype(np.float64), total.astype(np.float64), squares.astype(np.float64)

    def by_time(self, edges: Sessions) -> tuple[Floats, Floats]:
        """(len(edges), variants): R of trades that closed on all symbols from each edge to the next, and its square."""
        most = len(self.variants)
        sums, squares = np.zeros(len(edges) * most), np.zeros(len(edges) * most)
        for symbol in range(len(self.bars)):
            variant, day, r = self._closed(symbol)
            cell = np.maximum(np.searchsorted(edges, day, side="right") - 1, 0) * most + variant
            sums += np.bincount(cell, r, minlength=len(sums))
            squares += np.bincount(cell, r * r, minlength=len(sums))
        return sums.reshape(-1, most), squares.reshape(-1, most)

    def closed_r(self, variant: int) -> list[float]:
        """R of a variant's closed trades on all symbols, in the order of closing, then of symbols."""
        found = []
        for symbol in sorted(range(len(self.bars)), key=lambda s: self.bars[s].symbol):
            of, day, r = self._closed(symbol)
            found.append((day[of == variant], r[of == variant]))
        if not found:
            return []
        days, r = (np.concatenate(parts) for parts in zip(*found, strict=True))
        ordered: list[float] = r[np.argsort(days, kind="stable")].tolist()
        return ordered

    def _closed(self, symbol: int) -> tuple[Any, Sessions, Floats]:
        listed = self.trades[0][symbol]
        closed = listed[listed["closed"]]
        return (
            closed["variant"].astype(np.int64),
            self.bars[symbol].session[closed["exit_bar"]],
            closed["r_theoretical"],
        )

    def metrics(self, variant: int, symbol: int) -> Metrics:
        """What `run_batch` measures for the variant alone, to the last bit."""
        levels = self._levels(self.sums[1:, variant, symbol], self.tick[symbol] is not None)
        evaluated = max(0, len(self.bars[symbol]) - self.variants[variant].warm_up)
        return metrics_of(self.sums[0, variant, symbol], evaluated, levels)

    def portfolios(self, symbols: Sequence[int], stress: bool = True) -> list[Metrics]:
        """Each variant's metrics over several symbols, as `portfolio` measures them; of listed trades.

        stress: whether slippage stress is measured too, where every symbol's tick is known.
        """
        ordered = sorted(symbols, key=lambda s: self.bars[s].symbol)
        stressed = stress and len(self.sums) > 1 and all(self.tick[s] is not None for s in ordered)
        levels = [self._closed_sums(level, ordered) for level in range(len(self.sums) if stressed else 1)]
        lengths = np.array([len(self.bars[s]) for s in ordered])
        evaluated = [int(np.maximum(lengths - params.warm_up, 0).sum()) for params in self.variants]
        found = []
        for v in range(len(self.variants)):
            line = levels[0][v]
            add_lines(line, self.sums[0, v, ordered])
            found.append(metrics_of(line[0], evaluated[v], self._levels([each[v][0] for each in levels[1:]], stressed)))
        return found

    def _closed_sums(self, level: int, symbols: Sequence[int]) -> list[Events]:
        """Per variant the sums of closed trades ordered by exit session, then by the order of `symbols`."""
        tables = [self.trades[level][s] for s in symbols]
        closed = [table["closed"] for table in tables]
        variant = np.concatenate([table["variant"][done] for table, done in zip(tables, closed, strict=True)])
        result = np.concatenate([table["r_theoretical"][done] for table, done in zip(tables, closed, strict=True)])
        day = np.concatenate(
            [
                self.bars[s].session[table["exit_bar"][done]].view(np.int64)
                for s, table, done in zip(symbols, tables, closed, strict=True)
            ]
        )
        if day.size and np.ptp(day) < 1 << 16:
            day = (day - day.min()).astype(np.uint16)  # sorted by radix
        order = np.argsort(variant, kind="stable")
        result, day = result[order], day[order]
        cuts = np.searchsorted(variant[order], np.arange(len(self.variants) + 1))
        found = []
        for first, end in pairwise(cuts.tolist()):
            found.append(closed_sums(result[first:end][np.argsort(day[first:end], kind="stable")]))
        return found

    def _levels(self, sums: Iterable[np.void], known: bool) -> dict[int, np.void] | None:
        return dict(zip(STRESS_TICKS, sums, strict=True)) if known and len(self.sums) > 1 else None


def run(
    bars: Sequence[StrategyBars],
    variants: Sequence[B1Parameters],
    *,
    timeframe: Timeframe = "daily",
    slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
    lots: int = 3,
    threads: int = 1,
    trades: bool = False,
    stress: bool = False,
) -> GridResult:
    """Every variant over every symbol, to the last bit what `run_batch` gives for each of them alone.

    bars: daily. slippage_per_side, tick: one per symbol. threads: symbols are split into as many runs; the result
    does not depend on it. trades: list the trades and count alignment with higher timeframes as well. stress: also
    at other slippages. Raises UsageError for unusable costs or lots, for no variant or more than 65,535, and for
    more bars than a grid can count; DataError for unusable bars.
    """
    if not 0 < len(variants) < 1 << 16:
        raise UsageError("a grid needs at least one variant and at most 65,535", found=str(len(variants)))
    own, symbols = framed(bars, timeframe, slippage_per_side, tick)
    longest = max((len(item) for item in own), default=0)
    if longest > MOST_CANDIDATES:
        raise UsageError("too many bars for a grid", found=str(longest), expected=f"at most {MOST_CANDIDATES}")
    levels = 1 + len(STRESS_TICKS) if stress and any(item is not None for item in tick) else 1
    sums = np.zeros((levels, len(variants), len(symbols)), SUMS)
    listed = [[_NOTHING] * len(symbols) for _ in range(levels)]
    sharing: dict[tuple[int, int, int], list[int]] = {}
    for position, params in enumerate(variants):
        sharing.setdefault((params.ema, params.atr, params.slope_lookback), []).append(position)
    for members in sharing.values():
        rules, first_bar = _loosest([variants[position] for position in members], lots)
        plan = _plan(variants, members)

        def part(first: int, end: int, rules: Rules = rules, first_bar: int = first_bar, plan: Plan = plan) -> None:
            for s in range(first, end, 2):
                _pair(symbols[s : min(s + 2, end)], s, rules, first_bar, plan, trades, sums, listed)

        in_parts(part, len(symbols), threads)
    return GridResult(tuple(own), tuple(variants), tuple(tick), sums, tuple(tuple(level) for level in listed))


_NOTHING = np.empty(0, TRADE)


def joined(parts: Sequence[GridResult]) -> GridResult:
    """Runs of the same variants at the same levels over some symbols after others, as one."""
    return GridResult(
        tuple(bars for part in parts for bars in part.bars),
        parts[0].variants,
        tuple(tick for part in parts for tick in part.tick),
        np.concatenate([part.sums for part in parts], axis=2),
        tuple(tuple(chain.from_iterable(levels)) for levels in zip(*(part.trades for part in parts), strict=True)),
    )


def _pair(
    pair: Sequence[Symbol], s: int, rules: Rules, first_bar: int, plan: Plan, trades: bool, sums: Events,
    listed: list[list[Events]],
) -> None:  # fmt: skip
    """All levels of some variants on one or two symbols, which are s and s + 1 of the result."""
    a, b = pair[0], pair[-1]
    found = new_pullbacks(len(a.close)), new_pullbacks(len(b.close))
    counts = np.empty((2, 2), np.int64)
    list_candidates(a, b, *found, rules, first_bar, counts)
    for k, symbol in enumerate(pair):
        higher = new_higher(len(symbol.day_close))
        room = table(int(counts[k, 0]) * len(plan.variants) if trades else 0, TRADE)
        held = table((len(plan.trades), int(counts[k, 0])), EVENT)
        for level in range(len(sums)):
            if level and not symbol.tick > 0.0:
                continue
            slippage = STRESS_TICKS[level - 1] * symbol.tick if level else symbol.slippage
            lines = table(sums.shape[1], SUMS, np.zeros)
            count = sweep(symbol, found[k], int(counts[k, 0]), slippage, rules, plan, higher, held, trades, lines, room)
            chosen = plan.variants[:, 2]
            lines["slope_undefined_count"] = counts[k, 1]
            sums[level, chosen, s + k] = lines[chosen]
            listed[level][s + k] = np.concatenate([listed[level][s + k], room[:count]])


def _loosest(variants: Sequence[B1Parameters], lots: int) -> tuple[Rules, int]:
    """Rules that pass what any of the variants passes, and the first bar that any may trigger on."""
    rules = rules_of(variants[0], lots)._replace(
        min_bars_of_air=min(params.min_bars_of_air for params in variants),
        slope_threshold=min(params.slope_threshold for params in variants),
        breakdown_buffer_atr=max(params.breakdown_buffer_atr for params in variants),
    )
    return rules, max(rules.warm_up, min(params.swing_lookback for params in variants))


def _plan(variants: Sequence[B1Parameters], members: Sequence[int]) -> Plan:
    """Sort out what the members share.

    Variants of one swing lookback stand together, then those of one filter, so that what they share
    stays in the cache.
    """
    chosen = [variants[position] for position in members]
    slopes = _numbered(params.slope_threshold for params in chosen)
    airs = _numbered(params.min_bars_of_air for params in chosen)
    buffers = _numbered(params.breakdown_buffer_atr for params in chosen)
    swings = _numbered(params.swing_lookback for params in chosen)
    after_slopes, after_airs = len(slopes), len(slopes) + len(airs)
    after_buffers = after_airs + len(buffers)
    wanted = []
    for position, params in zip(members, chosen, strict=True):
        swing = swings[params.swing_lookback]
        gates = (
            after_buffers + swing,
            after_airs + buffers[params.breakdown_buffer_atr],
            after_slopes + airs[params.min_bars_of_air],
            slopes[params.slope_threshold],
        )
        trade = (swing, params.stop_mode, int(params.collision == "stop_wins"))
        wanted.append((gates, trade, params.entry_grace_bars, params.min_risk_atr, position))
    wanted.sort()
    filters = _numbered(item[0] for item in wanted)
    trades = _numbered(item[1] for item in wanted)
    walks = _numbered(item[1:4] for item in wanted)
    return Plan(
        np.array(list(slopes), np.float64),
        np.array(list(airs), np.int64),
        np.array(list(buffers), np.float64),
        np.array(list(swings), np.int64),
        np.array(list(filters), np.int64),
        np.array(list(trades), np.int64),
        np.array([(trades[trade], grace) for trade, grace, _ in walks], np.int64),
        np.array([risk for _, _, risk in walks], np.float64),
        np.array([(filters[item[0]], walks[item[1:4]], item[4]) for item in wanted], np.int64),
    )


def _numbered(items: Iterable[_Item]) -> dict[_Item, int]:
    """Each distinct item and its number in order of appearance."""
    found: dict[_Item, int] = {}
    for item in items:
        found.setdefault(item, len(found))
    return found
