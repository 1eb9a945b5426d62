"""Many parameter sets over one panel: what they share is computed once, each then walks its own triggers.

Variants with the same EMA, ATR and slope lookback share the indicators and one list of candidate bars,
found under the loosest limits of them all. Those with the same swing lookback, stop mode and collision
rule share the trade that each candidate leads to. A variant is then a choice of candidates and a chain
from one trigger to the first candidate after its end. Confluence flags and higher timeframes filter
nothing and are left out; `simulate` has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ctl.errors import UsageError
from ctl.strategy.b1 import kernel
from ctl.strategy.b1.parameters import B1Parameters
from ctl.strategy.b1.simulation import checked_costs, in_parts
from ctl.strategy.bars import Floats, Integers, Panel

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Bars that at least one of `members` may trigger on: symbol s has lines offsets[s] to offsets[s] + counts[s].

    members: positions of the variants that share them. ema: of every bar of the panel.
    """

    members: tuple[int, ...]
    warm_up: int
    offsets: Integers
    counts: Integers
    ema: Floats
    bars: Integers
    air: Integers
    reals: Floats
    undefined_slopes: Integers


@dataclass(frozen=True, slots=True, eq=False)
class GridTrades:
    """Trades of all variants end to end, closed and open: variant v on symbol s has those of `of(v, s)`.

    trigger_bar, entry_bar, exit_bar count from the symbol's first bar.
    """

    offsets: Integers
    counts: Integers
    trigger_bar: Integers
    entry_bar: Integers
    exit_bar: Integers
    closed: npt.NDArray[np.bool_]
    r_theoretical: Floats
    r_actual: Floats

    def of(self, variant: int, symbol: int) -> slice:
        """Where one variant's trades on one symbol stand, oldest first."""
        start = int(self.offsets[symbol, variant])
        return slice(start, start + int(self.counts[symbol, variant]))


@dataclass(frozen=True, slots=True, eq=False)
class GridResult:
    """Per variant and symbol, arrays of shape (variants, symbols).

    Sums run over closed trades in order of entry, of r_theoretical. won_r and lost_r leave scratches
    out; lost_r is zero or below, max_drawdown_r zero or above. open_r: of positions still held.
    hold_bars: bars held by closed trades. evaluated_bars: bars after warm-up.
    """

    symbols: tuple[str, ...]
    variants: tuple[B1Parameters, ...]
    trigger_count: Integers
    confirmed_count: Integers
    trade_count: Integers
    win_count: Integers
    open_count: Integers
    hold_bars: Integers
    evaluated_bars: Integers
    slope_undefined_count: Integers
    total_r: Floats
    won_r: Floats
    lost_r: Floats
    max_drawdown_r: Floats
    open_r: Floats
    trades: GridTrades | None

    @property
    def win_rate(self) -> Floats:
        """Wins over closed trades; NaN without any."""
        return _quotient(self.win_count, self.trade_count)

    @property
    def expectancy_r(self) -> Floats:
        """Mean R of closed trades; NaN without any."""
        return _quotient(self.total_r, self.trade_count)

    @property
    def profit_factor(self) -> Floats:
        """Sum of wins over the size of the sum of losses; NaN without losses."""
        return _quotient(self.won_r, -self.lost_r)


def run(
    panel: Panel,
    variants: Sequence[B1Parameters],
    *,
    slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
    lots: int = 3,
    threads: int = 1,
    trades: bool = False,
) -> GridResult:
    """Every variant over every symbol, to the last bit what `simulate` gives for each of them alone.

    slippage_per_side, tick: one per symbol. threads: symbols are split into as many runs; the result
    does not depend on it. trades: list the trades as well. Raises UsageError for unusable costs or
    lots, for no variant and for more bars than a grid can count.
    """
    shared = candidates(panel, variants, threads=threads)
    return walk(
        panel, variants, shared, slippage_per_side=slippage_per_side, tick=tick, lots=lots, threads=threads,
        trades=trades,
    )  # fmt: skip


def candidates(panel: Panel, variants: Sequence[B1Parameters], *, threads: int = 1) -> list[Candidates]:
    """Indicators and candidate bars, one entry per distinct EMA, ATR and slope lookback. Raises UsageError."""
    if not variants:
        raise UsageError("a grid needs at least one variant")
    lengths = np.diff(panel.offsets)
    if lengths.size and int(lengths.max()) > kernel.MOST_CANDIDATES:
        raise UsageError("too many bars for a grid", found=str(lengths.max()), expected=f"{kernel.MOST_CANDIDATES}")
    sharing: dict[tuple[int, int, int], list[int]] = {}
    for position, params in enumerate(variants):
        sharing.setdefault((params.ema, params.atr, params.slope_lookback), []).append(position)
    return [_candidates(panel, [variants[k] for k in members], members, threads) for members in sharing.values()]


def _candidates(panel: Panel, variants: Sequence[B1Parameters], members: list[int], threads: int) -> Candidates:
    symbols = len(panel.symbols)
    lead = variants[0]
    air = min(params.min_bars_of_air for params in variants)
    slope = min(params.slope_threshold for params in variants)
    buffer = max(params.breakdown_buffer_atr for params in variants)
    first_bar = max(lead.warm_up, min(params.swing_lookback for params in variants))
    offsets = np.zeros(symbols + 1, np.int64)
    np.cumsum(np.maximum(np.diff(panel.offsets) - first_bar, 0) // (air + 1) + 1, out=offsets[1:])
    capacity = int(offsets[-1])
    found = Candidates(
        members=tuple(members),
        warm_up=lead.warm_up,
        offsets=offsets,
        counts=np.zeros(symbols, np.int64),
        ema=np.empty(len(panel.close)),
        bars=np.empty(capacity, np.int64),
        air=np.empty(capacity, np.int64),
        reals=np.empty((capacity, kernel.CANDIDATE_COLUMNS)),
        undefined_slopes=np.zeros(symbols, np.int64),
    )

    def part(first: int, last: int) -> None:
        kernel.list_candidates(
            panel.offsets, panel.high, panel.low, panel.close, panel.adjustment,
            lead.ema, lead.atr, lead.slope_lookback, slope, air, buffer, lead.warm_up, first_bar,
            first, last,
            found.offsets, found.ema, found.bars, found.air, found.reals, found.counts, found.undefined_slopes,
        )  # fmt: skip

    in_parts(part, symbols, threads)
    return found


def walk(
    panel: Panel,
    variants: Sequence[B1Parameters],
    shared: Sequence[Candidates],
    *,
    slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
    lots: int = 3,
    threads: int = 1,
    trades: bool = False,
) -> GridResult:
    """`run` on candidates found before by `candidates` for the same panel and variants; costs may differ."""
    symbols = len(panel.symbols)
    slippage, known_tick = checked_costs(symbols, slippage_per_side, tick, lots)
    figures = np.empty((symbols, len(variants), kernel.GRID_COLUMNS))
    numbers = np.empty((symbols, len(variants), kernel.GRID_COLUMNS), np.int64)
    undefined = np.empty((len(variants), symbols), np.int64)

    def sweep(offsets: Integers, bars: Integers, reals: Floats) -> None:
        for found in shared:
            undefined[list(found.members)] = found.undefined_slopes
            plan = _plan(variants, found.members)

            def part(first: int, last: int, found: Candidates = found, plan: _Plan = plan) -> None:
                kernel.sweep(
                    panel.offsets, panel.open, panel.high, panel.low, panel.close, slippage, known_tick, lots,
                    found.warm_up, found.offsets, found.ema, found.bars, found.air, found.reals, found.counts,
                    *plan, first, last, figures, numbers, offsets, bars, reals,
                )  # fmt: skip

            in_parts(part, symbols, threads)

    sweep(np.empty((0, 0), np.int64), np.empty((0, 4), np.int64), np.empty((0, 2)))
    listed = None
    if trades:
        held = numbers[:, :, kernel.G_CLOSED] + numbers[:, :, kernel.G_STILL_OPEN]
        ends = np.cumsum(held).reshape(held.shape)
        total = int(ends[-1, -1]) if ends.size else 0
        bars, reals = np.empty((total, 4), np.int64), np.empty((total, 2))
        sweep(ends - held, bars, reals)
        listed = GridTrades(
            ends - held, held, bars[:, 0], bars[:, 1], bars[:, 2], bars[:, 3] == 1, reals[:, 0], reals[:, 1]
        )
    lengths = np.diff(panel.offsets)
    warm_up = np.array([params.warm_up for params in variants])
    number, figure = np.transpose(numbers, (2, 1, 0)), np.transpose(figures, (2, 1, 0))
    return GridResult(
        symbols=panel.symbols,
        variants=tuple(variants),
        trigger_count=number[kernel.G_TRIGGERS],
        confirmed_count=number[kernel.G_CLOSED] + number[kernel.G_STILL_OPEN],
        trade_count=number[kernel.G_CLOSED],
        win_count=number[kernel.G_WINS],
        open_count=number[kernel.G_STILL_OPEN],
        hold_bars=number[kernel.G_HELD],
        evaluated_bars=np.maximum(lengths - warm_up[:, None], 0),
        slope_undefined_count=undefined,
        total_r=figure[kernel.G_TOTAL],
        won_r=figure[kernel.G_WON],
        lost_r=figure[kernel.G_LOST],
        max_drawdown_r=figure[kernel.G_DRAWDOWN],
        open_r=figure[kernel.G_OPEN],
        trades=listed,
    )


class _Plan(NamedTuple):
    """The distinct limits, filters, trades and walks of some variants, and what each takes: arguments of the kernel."""

    slopes: Floats
    airs: Integers
    buffers: Floats
    swings: Integers
    filters: Integers
    trades: Integers
    walks: Integers
    min_risks: Floats
    variants: Integers


def _plan(variants: Sequence[B1Parameters], members: Sequence[int]) -> _Plan:
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
    return _Plan(
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


def _quotient(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> Floats:
    out = np.full(above.shape, np.nan)
    np.divide(above, below, out=out, where=below != 0)
    return out
