"""`python -m benchmarks.losses`: B1's losses beyond 1 R on nine real markets, before and after sizing.

Before: R is entry to stop. After: the same trades in multiples of what their size risked, one contract taken to risk at
least `min_risk_atr_sizing` (1.0) ATRs; no cap binds, and lots are so many that none is rounded away.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ctl.model.orders import Book, EntryBar, Market, RiskTerms, SizeCaps
from ctl.model.trades import StrategyResult
from ctl.statistics import losses_beyond_one_r
from ctl.strategy.b1 import run
from ctl.strategy.bars import StrategyBars
from ctl.trading import risk

FOLDER = Path(__file__).resolve().parents[2] / "shared/data/continuous/quantiacs"
# One tick in the files' unit, the money of one contract: it is the slippage per side too.
TICKS = {"C": 12.5, "CL": 10.0, "ES": 12.5, "GC": 10.0, "HG": 12.5, "HO": 4.2, "PA": 5.0, "PL": 5.0, "S": 12.5}
MANY = 1e12
TERMS = RiskTerms(MANY, "USD", 1.0, MANY, MANY, MANY, MANY, caps=SizeCaps(max_notional=1e3 * MANY))


def read(symbol: str) -> StrategyBars:
    """A file's bars adjusted by difference: RINFO is the gap on the first row of a new contract."""
    with (FOLDER / f"F_{symbol}.txt").open(newline="") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file)][1:]
    days = np.array([f"{day[:4]}-{day[4:6]}-{day[6:]}" for day, *_ in rows], "datetime64[D]")
    prices = np.array([row[1:5] for row in rows], np.float64)
    gaps = np.array([float(row[9]) for row in rows])
    carried = gaps.sum() - np.cumsum(gaps)
    high, low = prices.max(axis=1), prices.min(axis=1)
    opened, close = prices[:, 0], prices[:, 3]
    return StrategyBars(
        symbol, days, opened + carried, high + carried, low + carried, close + carried, adjustment=carried
    )


def book(bars: StrategyBars, result: StrategyResult, tick: float) -> Book:
    """The result as the risk budget sees it; one contract throughout, prices in money."""
    at = {day: n for n, day in enumerate(bars.session.tolist())}
    entries = {
        day: EntryBar(
            float(bars.close[at[day]]), day, bars.symbol, float(bars.close[at[day]] - bars.adjustment[at[day]])
        )
        for day in (trigger.confirmation_session for trigger in result.triggers)
        if day is not None
    }
    return Book(result, Market(tick, 1.0, "USD", tick, entries))


def main() -> int:
    """Print a row for each market and one for all."""
    every: tuple[list[float], list[float]] = ([], [])
    print(f"{'':6}{'trades':>7}{'before':>16}{'mean':>8}{'worst':>8}{'after':>16}{'mean':>8}{'worst':>8}")
    for symbol, tick in TICKS.items():
        bars = read(symbol)
        result = run(bars, slippage_per_side=tick, tick=tick)
        curve = risk.governed(risk.replay(TERMS, {symbol: book(bars, result, tick)}), result.last_session)
        before = [trade.r_theoretical for trade in result.trades]
        after = [trade.of_risk for trade in curve.trades]
        _show(symbol, before, after)
        every[0].extend(before)
        every[1].extend(after)
    _show("all", *every)
    return 0


def _show(name: str, before: list[float], after: list[float]) -> None:
    cells = f"{name:6}{len(before):7}"
    for results in (before, after):
        tail = losses_beyond_one_r(results)
        mean, worst = ("-" if r is None else f"{r:.2f}" for r in (tail.mean_r, tail.worst_r))
        cells += f"{tail.count:8} ({100 * (tail.share or 0.0):3.0f} %){mean:>8}{worst:>8}"
    print(cells)


if __name__ == "__main__":
    raise SystemExit(main())
