"""One pass of B1's kernel over many symbols: bars and rules in, tables of events and sums out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np

from ctl.errors import UsageError
from ctl.kernels import table
from ctl.model.trades import Timeframe
from ctl.strategy.b1.kernel import CLOSED, Output, Work, run_pair
from ctl.strategy.b1.parameters import B1Parameters, require_timeframe
from ctl.strategy.b1.rules import EVENT, Events, Floats, Integers, Rules, Symbol, new_higher, new_pullbacks
from ctl.strategy.bars import StrategyBars, weekly_bars
from ctl.strategy.metrics import SUMS

_Made = TypeVar("_Made")


class Tables(NamedTuple):
    """What the kernel wrote on a run of symbols; Batch's fields of the same names say what each holds."""

    offsets: Integers
    events: Events
    sums: Events
    stressed_offsets: Integers
    stressed: tuple[Events, ...]
    stressed_sums: Events


def tables(symbols: Sequence[Symbol], rules: Rules, levels: Floats, threads: int = 1) -> Tables:
    """Run the kernel over symbols, in as many threads.

    levels: slippage in ticks that closed trades are measured at once more; none where no tick is known.
    """
    parts = in_parts(lambda first, end: _run(symbols[first:end], rules, levels), len(symbols), threads)
    return parts[0] if len(parts) == 1 else _joined(parts)


def framed(
    daily: Sequence[StrategyBars], timeframe: Timeframe, slippage_per_side: Sequence[float],
    tick: Sequence[float | None],
) -> tuple[list[StrategyBars], list[Symbol]]:  # fmt: skip
    """Each symbol's bars of `timeframe`, and as the kernels take them. Raises UsageError, DataError."""
    require_timeframe(timeframe)
    slippages = _costs("slippage_per_side", slippage_per_side, len(daily))
    ticks = _costs("tick", [0.0 if item is None else item for item in tick], len(daily))
    if any(item is not None and not item > 0.0 for item in tick):
        raise UsageError("a tick must be above zero where it is known", found=repr(list(tick))[:60])
    own = list(daily) if timeframe == "daily" else [weekly_bars(item) for item in daily]
    symbols = [
        Symbol(
            bars.open, bars.high, bars.low, bars.close, bars.volume, bars.adjustment, bars.week_key, bars.month_key,
            day.high, day.low, day.close, day.week_key, day.month_key, slippage, known,
        )
        for bars, day, slippage, known in zip(own, daily, slippages, ticks, strict=True)
    ]  # fmt: skip
    return own, symbols


def rules_of(params: B1Parameters, lots: int) -> Rules:
    """Parameters as the kernels take them. Raises UsageError for unusable lots."""
    if isinstance(lots, bool) or not isinstance(lots, int) or lots < 1:
        raise UsageError("lots must be a whole number of at least 1", found=repr(lots)[:60])
    values = {name: value for name, value in params.document().items() if name != "collision"}
    return Rules(**values, stop_wins=params.collision == "stop_wins", warm_up=params.warm_up, lots=lots)


def in_parts(part: Callable[[int, int], _Made], symbols: int, threads: int) -> list[_Made]:
    """`part` of as many runs of symbols (first, end exclusive) of about equal size as there are threads, in order."""
    workers = max(1, min(threads, symbols))
    if workers == 1:
        return [part(0, symbols)]
    cuts = [symbols * worker // workers for worker in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(part, cuts[:-1], cuts[1:]))


def _run(symbols: Sequence[Symbol], rules: Rules, levels: Floats) -> Tables:
    # Two triggers lie at least as far apart as the air between them asks for, and never on adjacent bars.
    spacing = max(2, rules.min_bars_of_air + 1)
    most = sum(max(len(symbol.close) - rules.warm_up, 0) // spacing + 1 for symbol in symbols) + 1
    out = Output(
        offsets=np.zeros(len(symbols) + 1, np.int64),
        events=table(most, EVENT),
        sums=table(len(symbols), SUMS, np.zeros),
        stressed_offsets=np.zeros((len(levels), len(symbols) + 1), np.int64),
        stressed=table((len(levels), most), CLOSED),
        stressed_sums=table((len(levels), len(symbols)), SUMS, np.zeros),
    )
    longest = max((len(symbol.close) for symbol in symbols), default=0)
    longest_day = max((len(symbol.day_close) for symbol in symbols), default=0)
    work = Work(
        new_pullbacks(longest), new_pullbacks(longest), new_higher(longest_day), table(longest // spacing + 2, EVENT)
    )
    for s in range(0, len(symbols), 2):
        pair = symbols[s : s + 2]
        run_pair(pair[0], pair[-1], len(pair), s, rules, levels, work, out)
    stressed = tuple(out.stressed[k, : out.stressed_offsets[k, -1]] for k in range(len(levels)))
    return Tables(
        out.offsets, out.events[: out.offsets[-1]], out.sums, out.stressed_offsets, stressed, out.stressed_sums
    )


def _joined(parts: Sequence[Tables]) -> Tables:
    """The tables of consecutive runs of symbols as one."""
    return Tables(
        _chained([part.offsets for part in parts]),
        np.concatenate([part.events for part in parts]),
        np.concatenate([part.sums for part in parts]),
        _chained([part.stressed_offsets for part in parts]),
        tuple(np.concatenate(level) for level in zip(*(part.stressed for part in parts), strict=True)),
        np.concatenate([part.stressed_sums for part in parts], axis=1),
    )


def _chained(offsets: Sequence[Integers]) -> Integers:
    """Offsets of tables laid end to end, from those within each (last axis)."""
    counts = np.concatenate([np.diff(item) for item in offsets], axis=-1)
    return np.concatenate([np.zeros((*counts.shape[:-1], 1), np.int64), np.cumsum(counts, axis=-1)], axis=-1)


def _costs(name: str, values: Sequence[float], symbols: int) -> list[float]:
    if len(values) != symbols:
        raise UsageError(f"{name} must be given per symbol", found=str(len(values)), expected=str(symbols))
    for value in values:
        if not (math.isfinite(value) and value >= 0.0):
            raise UsageError(f"{name} must be a finite price of zero or more", found=repr(value)[:60])
    return [float(value) for value in values]
