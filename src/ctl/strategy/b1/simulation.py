"""The kernel behind a panel of symbols: costs checked, events allotted, threads shared out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ctl.errors import UsageError
from ctl.strategy.b1 import kernel
from ctl.strategy.b1.kernel import Gates
from ctl.strategy.b1.parameters import B1Parameters
from ctl.strategy.bars import Floats, Integers, Panel


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


def closed_trades(rows: Integers) -> Gates:
    """Which rows of events are triggers whose trade has closed."""
    entered, exited = rows[:, kernel.I_STATUS] == kernel.CONFIRMED, rows[:, kernel.I_EXIT_REASON] != kernel.EXIT_OPEN
    closed: Gates = entered & exited
    return closed


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
    slippage, known_tick = checked_costs(symbols, slippage_per_side, tick, lots)
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

    in_parts(part, symbols, threads)
    return events


def in_parts(part: Callable[[int, int], None], symbols: int, threads: int) -> None:
    """Call `part` for as many runs of symbols (first, end exclusive) of about equal size as there are threads."""
    workers = max(1, min(threads, symbols))
    if workers == 1:
        part(0, symbols)
        return
    cuts = [symbols * worker // workers for worker in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(part, cuts[:-1], cuts[1:]))


def checked_costs(
    symbols: int, slippage_per_side: Sequence[float], tick: Sequence[float | None], lots: int
) -> tuple[Floats, Floats]:
    """Slippages and ticks (0 where unknown) as the kernel takes them. Raises UsageError, also for unusable lots."""
    slippage = _costs("slippage_per_side", slippage_per_side, symbols)
    known_tick = _costs("tick", [0.0 if item is None else item for item in tick], symbols)
    if any(item is not None and not item > 0.0 for item in tick):
        raise UsageError("a tick must be above zero where it is known", found=repr(list(tick))[:60])
    if isinstance(lots, bool) or not isinstance(lots, int) or lots < 1:
        raise UsageError("lots must be a whole number of at least 1", found=repr(lots)[:60])
    return slippage, known_tick


def _costs(name: str, values: Sequence[float], symbols: int) -> Floats:
    if len(values) != symbols:
        raise UsageError(f"{name} must be given per symbol", found=str(len(values)), expected=str(symbols))
    for value in values:
        if not (math.isfinite(value) and value >= 0.0):
            raise UsageError(f"{name} must be a finite price of zero or more", found=repr(value)[:60])
    costs = np.array(values, np.float64)
    costs.flags.writeable = False
    return costs
