"""`python -m benchmarks.causes [--roots ZC,HG] [--only NAME] [--misses]`: is a difference's true cause named first?

Known differences are put into references made from real contracts (../shared/data/contracts/bloomberg_settles), one at
a time, each in two sizes and at two dates, the newest sessions among them; then pairs without a fault. Nothing of the
package makes a reference: schedules, gaps and series are computed here.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ctl import continuous
from ctl.certification import CertifyRequest, certify
from ctl.model.bars import ContractBars, ContractTerms, DailySeries, SeriesMeta
from ctl.model.contracts import MONTH_CODES, Contract
from ctl.model.reference import Reference
from ctl.model.rolls import RollPolicy

DATA = Path(__file__).resolve().parents[2] / "shared/data/contracts/bloomberg_settles"
ROOTS = {
    "ZC": ("corn", "HKNUZ", 0.25, "cents per bushel"),
    "ZS": ("soybean", "FHKNQUX", 0.25, "cents per bushel"),
    "HO": ("heating_oil", "FGHJKMNQUVXZ", 0.01, "cents per gallon"),
    "HG": ("copper", "HKNUZ", 0.05, "cents per pound"),
}
MAX_DAY_DELTA = 3

# What other findings follow from: never the cause itself.
CONSEQUENCES = {
    "MEAN_GAP_DIFF", "MEAN_DRIFT", "UNEXPLAINED_DRIFT", "PAIRED_ROLLS", "UNMATCHED_SHARE", "FAIL_SHARE",
    "L2_FAIL", "INDISTINGUISHABLE_CONTRACTS", "NO_FINGERPRINT_MATCH", "UNCERTAIN_ROLLS", "MEAN_GAP_DIFF_TICKS",
    "NON_SESSION_BARS", "FINER_GRID", "SIGNAL_DIVERGENCE", "RECOVERY_DOUBTFUL", "PRICE_SPIKES",
}  # fmt: skip


@dataclass
class Market:
    """One root: closes and volume on (session, contract), which contract its series holds, and that series.

    price, volume, interest: (T, K), NaN where there is no bar. held (T): the contract of our series. keys (K):
    year * 12 + month - 1.
    """

    root: str
    tick: float
    unit: str
    months: str
    days: np.ndarray
    keys: np.ndarray
    price: np.ndarray
    volume: np.ndarray
    interest: np.ndarray
    last_trade: np.ndarray
    held: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def names(self) -> list[str]:
        return [f"{self.root}{MONTH_CODES[k % 12]}{k // 12 % 100:02d}" for k in self.keys.tolist()]

    @property
    def atr(self) -> float:
        """Mean absolute change of the last 60 sessions, of the contract held on both."""
        p = self.price[np.arange(len(self.days)), self.held]
        q = self.price[np.arange(len(self.days)) - 1, self.held]
        return float(np.nanmean(np.abs(p - q)[-60:]))

    def bars(self) -> ContractBars:
        contract, session = np.nonzero(np.isfinite(self.price.T))
        empty = pl.lit(None, dtype=pl.Float64)
        count = [pl.Series(x[session, contract]).fill_nan(None).cast(pl.Int64) for x in (self.volume, self.interest)]
        names = self.names
        frame = pl.DataFrame(
            {
                "session": self.days[session],
                "contract": pl.Series(names).gather(contract),
                "close": self.price[session, contract],
                "volume": count[0],
                "open_interest": count[1],
            }
        ).with_columns(open=empty, high=empty, low=empty)
        columns = ("session", "contract", "open", "high", "low", "close", "volume", "open_interest")
        kept = np.unique(contract).tolist()
        contracts = tuple(Contract(int(self.keys[k]) // 12, int(self.keys[k]) % 12 + 1, self.root) for k in kept)
        terms = {
            names[k]: ContractTerms(names[k], last_trade=self.last_trade[k].astype(object))
            for k in kept
            if not np.isnat(self.last_trade[k])
        }
        meta = SeriesMeta(self.root, "own", "exchange_session", "settlement", self.unit)
        return ContractBars(frame.select(columns), meta, contracts, terms)

    def build(self) -> Any:
        return continuous.build(self.bars(), RollPolicy(eligible_months=self.months))


@lru_cache
def market(root: str) -> Market:
    """The root's contracts over its last ten years or so, from the first session on which our series can begin."""
    name, months, tick, unit = ROOTS[root]
    frame = pl.read_csv(DATA / f"{name}.csv", try_parse_dates=True)
    keys = {}
    for symbol, last in frame.select("contract", pl.col("last_trade").cast(pl.String)).unique().iter_rows():
        code, year, more = re.match(r"^[A-Z ]{2}([FGHJKMNQUVXZ])(\d{1,2})( \d{2})? Comdty$", symbol).groups()
        number = int(more or year)
        if len(year) == 1 and not more:
            number = next(y for y in range(int(last[:4]) - 1, int(last[:4]) + 2) if y % 10 == int(year))
        full = number if number > 1900 else number + (1900 if number > 50 else 2000)
        keys[symbol] = full * 12 + MONTH_CODES.index(code)
    frame = frame.with_columns(key=pl.col("contract").replace_strict(keys, return_dtype=pl.Int64))
    frame = frame.filter(pl.col("date") >= pl.date(1998, 1, 1)).unique(["date", "key"]).sort("date", "key")
    days, at = np.unique(frame["date"].to_numpy().astype("datetime64[D]"), return_inverse=True)
    contract, to = np.unique(frame["key"].to_numpy(), return_inverse=True)
    grid = [np.full((len(days), len(contract)), np.nan) for _ in range(3)]
    for x, column in zip(grid, ("settle", "volume", "oi"), strict=True):
        x[at, to] = frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
    ends = np.full(len(contract), np.datetime64("NaT"), dtype="datetime64[D]")
    ends[to] = frame["last_trade"].to_numpy().astype("datetime64[D]")
    if root == "ZS":
        # The file counts the volume of these two in hundreds; VOLUME_SCALE names both.
        for key in (2005 * 12, 2005 * 12 + 4):
            grid[1][:, np.flatnonzero(contract == key)] *= 100.0
    made = Market(root, tick, unit, months, days, contract, *grid, ends)
    made.held = held_by(made)
    return made


def held_by(made: Market) -> np.ndarray:
    """Which contract our own series holds: the column of the built series, as indices into the market's contracts."""
    frame = made.build().frame
    place = {name: k for k, name in enumerate(made.names)}
    held = np.array([place[name] for name in frame["contract"].to_list()], dtype=np.int64)
    at = np.searchsorted(frame["session"].to_numpy().astype("datetime64[D]"), made.days, side="right") - 1
    return held[np.maximum(at, 0)]


# ---------------------------------------------------------------- a reference


@dataclass
class Side:
    """A reference: its days, unadjusted and adjusted closes, None where it ships none."""

    days: np.ndarray
    unadjusted: np.ndarray | None
    adjusted: np.ndarray | None
    volume: np.ndarray | None = None

    def on(self, keep: np.ndarray) -> Side:
        return Side(self.days[keep], *(None if x is None else x[keep] for x in (self.unadjusted, self.adjusted)))

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Side:
        return replace(
            self,
            unadjusted=None if self.unadjusted is None else change(self.unadjusted.copy()),
            adjusted=None if self.adjusted is None else change(self.adjusted.copy()),
        )

    def reference(self, m: Market) -> Reference:
        return Reference("other", self._series(self.adjusted, m), self._series(self.unadjusted, m))

    def _series(self, closes: np.ndarray | None, m: Market) -> DailySeries | None:
        if closes is None:
            return None
        empty = pl.lit(None, dtype=pl.Float64)
        volume = np.full(len(closes), 1000) if self.volume is None else self.volume
        frame = pl.DataFrame({"session": self.days, "close": np.round(closes, 6), "volume": volume})
        frame = frame.filter(pl.col("close").is_finite()).with_columns(
            open=empty, high=empty, low=empty, open_interest=pl.lit(None, dtype=pl.Int64),
            contract=pl.lit(None, dtype=pl.String), adjustment=pl.lit(0.0),
        )  # fmt: skip
        columns = ("session", "open", "high", "low", "close", "volume", "open_interest", "contract", "adjustment")
        return DailySeries(frame.select(columns), SeriesMeta(m.root, "other", "exchange_session", "settlement", m.unit))


def steps(held: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.diff(held)) + 1


def gap_at(m: Market, old: int, new: int, t: int) -> float:
    """New less old close on the latest session up to t that has both."""
    both = np.isfinite(m.price[: t + 1, old]) & np.isfinite(m.price[: t + 1, new])
    if not both.any():
        return 0.0
    at = np.flatnonzero(both)[-1]
    return float(m.price[at, new] - m.price[at, old])


def both_series(
    m: Market,
    held: np.ndarray | None = None,
    *,
    late: int = 0,
    left_out: Callable[[int], bool] = lambda _: False,
    wrong: Callable[[int], float] = lambda _: 0.0,
    sign: float = 1.0,
    ratio: bool = False,
) -> Side:
    """Unadjusted and adjusted closes on a schedule. late: sessions after the gap session at which gaps are taken."""
    held = m.held if held is None else held
    unadjusted = m.price[np.arange(len(m.days)), held]
    carried = np.zeros(len(m.days)) if not ratio else np.ones(len(m.days))
    for n, t in enumerate(steps(held)[::-1].tolist()):
        old, new = int(held[t - 1]), int(held[t])
        gap = gap_at(m, old, new, max(min(t - 1 + late, len(m.days) - 1), 0))
        if ratio:
            carried[:t] *= m.price[t - 1, new] / m.price[t - 1, old] if np.isfinite(m.price[t - 1, new]) else 1.0
        else:
            carried[:t] += 0.0 if left_out(n) else sign * gap + wrong(n)
    known = np.isfinite(unadjusted)
    return Side(m.days[known], unadjusted[known], (unadjusted * carried if ratio else unadjusted + carried)[known])


def schedule(m: Market, switch: Callable[[int, int], int], months: str | None = None) -> np.ndarray:
    """Contract per session: of the delivery months given, each left on the session switch(old, new)."""
    own = [k for k in range(len(m.keys)) if MONTH_CODES[m.keys[k] % 12] in (months or m.months)]
    first = int(m.held[0])
    chain = [k for k in own if k >= first]
    held = np.full(len(m.days), chain[0], dtype=np.int64)
    at = 0
    for old, new in pairwise(chain):
        t = max(switch(old, new), at + 1)
        # A contract that does not trade yet is held from its first close on.
        while t < len(m.days) and not np.isfinite(m.price[t, new]):
            t += 1
        if t >= len(m.days):
            break
        held[t:] = new
        at = t
    return held


def last_bar(m: Market, k: int) -> int:
    return int(np.flatnonzero(np.isfinite(m.price[:, k]))[-1])


def before_expiry(sessions: int, m: Market, old: int, new: int) -> int:
    end = m.last_trade[old]
    if end > m.days[-1]:
        return len(m.days)
    return int(np.searchsorted(m.days, end, side="right")) - 1 - sessions


def fixed_day(day: int, months_before: int, m: Market, old: int, new: int) -> int:
    key = int(m.keys[old]) - months_before
    target = np.datetime64(f"{key // 12:04d}-{key % 12 + 1:02d}-{day:02d}", "D")
    return int(np.searchsorted(m.days, target))


def by_activity(m: Market, activity: np.ndarray, confirm: int, months: str | None = None) -> np.ndarray:
    """The walk of the volume rule: the next contract's is larger on `confirm` sessions running, held from the next."""
    chain = [k for k in range(len(m.keys)) if MONTH_CODES[m.keys[k] % 12] in (months or m.months)]
    chain = [k for k in chain if k >= m.held[0]]
    held = np.empty(len(m.days), dtype=np.int64)
    at, run, due = 0, 0, False
    for t in range(len(m.days)):
        if due or (t > 0 and at + 1 < len(chain) and not np.isfinite(m.price[t, chain[at]])):
            at, run, due = at + 1, 0, False
        held[t] = chain[at]
        if at + 1 < len(chain):
            old, new = activity[t, chain[at]], activity[t, chain[at + 1]]
            run = run + 1 if new > old else 0
            due = run >= confirm
    return held


# ---------------------------------------------------------------- differences


@dataclass(frozen=True)
class Case:
    """A difference in one size at one date. codes: any of them names it. make: our market and the reference."""

    name: str
    size: str
    where: str
    codes: tuple[str, ...]
    make: Callable[[Market], tuple[Market, Side]]


def shifted(side: Side, by: int, where: np.ndarray) -> Side:
    """Labels `by` sessions later on the sessions `where`: bars move, what they run into is overwritten."""
    at = np.arange(len(side.days))
    source = np.where(where, at - by, at)
    inside = (source >= 0) & (source < len(at))
    source = np.clip(source, 0, len(at) - 1)
    return side.each(lambda x: x[source]).on(inside)


def part(m: Market, days: np.ndarray, where: str, sessions: int) -> np.ndarray:
    """The newest sessions, or as many around 2005."""
    count = len(days)
    if where == "newest":
        return np.arange(count) >= count - sessions
    start = int(np.searchsorted(days, np.datetime64("2005-03-01")))
    return (np.arange(count) >= start) & (np.arange(count) < start + sessions)


def exchanged(closes: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Closes with the two that differ most among neighbours `where` in each other's place."""
    at = np.flatnonzero(where[:-1] & where[1:])
    k = int(at[np.abs(np.diff(closes))[at].argmax()])
    closes[[k, k + 1]] = closes[[k + 1, k]]
    return closes


def since(days: np.ndarray, where: str, newest: int) -> np.ndarray:
    if where == "newest":
        return np.arange(len(days)) >= len(days) - newest
    return days >= np.datetime64("2005-03-01")


def shipped(side: Side, what: str) -> Side:
    if what == "adjusted":
        return replace(side, unadjusted=None)
    return replace(side, adjusted=None) if what == "unadjusted" else side


def our(m: Market, **changes: np.ndarray) -> Market:
    """Our market changed; what it holds is built anew."""
    changed = replace(m, **changes)
    changed.held = held_by(changed)
    return changed


def cases() -> Iterator[Case]:
    """Every difference, in two sizes and at two dates where it has them."""

    def of_reference(change: Callable[[Market, Side], Side], what: str = "both") -> Callable[[Market], Any]:
        return lambda m: (m, shipped(change(m, both_series(m)), what))

    both = ("2005", "newest")

    # Labels
    for by in (1, 2, -1, -2):
        name = "labels late" if by > 0 else "labels early"
        yield Case(
            name,
            f"{abs(by)}",
            "all",
            ("DATE_SHIFT",),
            of_reference(lambda m, s, by=by: shifted(s, by, np.ones(len(s.days), dtype=bool))),
        )
    for what in ("adjusted", "unadjusted"):
        for by in (1, -2):
            yield Case(
                f"labels shifted, {what} only",
                f"{by}",
                "all",
                ("DATE_SHIFT",),
                of_reference(lambda m, s, by=by: shifted(s, by, np.ones(len(s.days), dtype=bool)), what),
            )
    for by in (1, -1):
        for where in both:
            yield Case(
                "labels shifted in summers",
                f"{by}",
                where,
                ("DATE_SHIFT",),
                of_reference(
                    lambda m, s, by=by, where=where: shifted(
                        s,
                        by,
                        in_summer(s.days)
                        & (
                            np.ones(len(s.days), dtype=bool)
                            if where == "2005"
                            else s.days >= np.datetime64("2009-01-01")
                        ),
                    )
                ),
            )
    for n in (60, 20, 10):
        for by in (1, -1):
            yield Case(
                f"labels shifted, {n} newest",
                f"{by}",
                "newest",
                ("DATE_SHIFT",),
                of_reference(lambda m, s, by=by, n=n: shifted(s, by, part(m, s.days, "newest", n))),
            )
    for by in (1, 2):
        for where in both:
            yield Case(
                "labels shifted nine months",
                f"{by}",
                where,
                ("DATE_SHIFT",),
                of_reference(lambda m, s, by=by, where=where: shifted(s, by, part(m, s.days, where, 190))),
            )
    for by in (1, -1):
        yield Case(
            "labels a calendar day off",
            f"{by}",
            "all",
            ("DATE_SHIFT",),
            of_reference(lambda m, s, by=by: replace(s, days=s.days + by)),
        )
    for by in (1, -1):
        yield Case(
            "our labels shifted",
            f"{by}",
            "all",
            ("DATE_SHIFT",),
            lambda m, by=by: (
                our(m, **{n: np.roll(getattr(m, n), by, axis=0) for n in ("price", "volume", "interest")}),
                both_series(m),
            ),
        )

    # Units and levels
    for factor in (0.01, 42.0):
        for where in both:
            yield Case(
                "unit of the reference changes",
                f"x{factor:g}",
                where,
                ("UNIT_CHANGED",),
                of_reference(
                    lambda m, s, f=factor, where=where: s.each(lambda x: np.where(since(s.days, where, 20), x * f, x))
                ),
            )
            yield Case(
                "unit of ours changes",
                f"x{factor:g}",
                where,
                ("UNIT_CHANGED",),
                lambda m, f=factor, where=where: (
                    our(m, price=np.where(since(m.days, where, 20)[:, None], m.price * f, m.price)),
                    both_series(m),
                ),
            )
    for factor in (100.0, 0.1):
        for where in both:
            yield Case(
                "unit of one contract",
                f"x{factor:g}",
                where,
                ("UNIT_CHANGED",),
                lambda m, f=factor, where=where: (our(m, price=one_contract(m, where, f)), both_series(m)),
            )
    for sessions in (8, 30):
        for where in both:
            yield Case(
                "unit for a while",
                f"{sessions} sessions",
                where,
                ("UNIT_CHANGED",),
                of_reference(
                    lambda m, s, n=sessions, where=where: s.each(
                        lambda x: np.where(part(m, s.days, where, n), x * 100, x)
                    )
                ),
            )
    for size in (6.0, 20.0):
        for n in (40, 12):
            yield Case(
                "level step of the reference",
                f"{size:g} ATR",
                f"newest {n}",
                ("LEVEL_STEP",),
                of_reference(
                    lambda m, s, size=size, n=n: s.each(
                        lambda x: x + np.where(part(m, s.days, "newest", n), step_of(m, size), 0)
                    )
                ),
            )
        yield Case(
            "level step, adjusted only",
            f"{size:g} ATR",
            "newest 40",
            ("LEVEL_STEP",),
            of_reference(
                lambda m, s, size=size: s.each(
                    lambda x: x + np.where(part(m, s.days, "newest", 40), step_of(m, size), 0)
                ),
                "adjusted",
            ),
        )
    for factor in (1.3, 1.15):
        for n in (20, 120):
            yield Case(
                "our newest level wrong",
                f"x{factor:g}",
                f"newest {n}",
                ("LEVEL_STEP" if n == 20 else "LEVEL_NOW",),
                lambda m, f=factor, n=n: (
                    our(
                        m, price=on_tick(np.where(part(m, m.days, "newest", n)[:, None], m.price * f, m.price), m.tick)
                    ),
                    both_series(m),
                ),
            )
    for factor in (1.5, 0.6):
        for n in (60, 120):
            yield Case(
                "newest changes too large",
                f"x{factor:g}",
                f"newest {n}",
                ("LEVEL_NOW",),
                of_reference(lambda m, s, f=factor, n=n: s.each(lambda x: stretched(x, n, f))),
            )
    for n in (20, 60):
        yield Case(
            "reference ends early",
            f"{n}",
            "newest",
            ("ENDS_APART",),
            of_reference(lambda m, s, n=n: s.on(np.arange(len(s.days)) < len(s.days) - n)),
        )
        yield Case(
            "ours ends early",
            f"{n}",
            "newest",
            ("ENDS_APART",),
            lambda m, n=n: (
                our(m, days=m.days[:-n], **{x: getattr(m, x)[:-n] for x in ("price", "volume", "interest")}),
                both_series(m),
            ),
        )

    # Sessions
    for n in (10, 40):
        for where in both:
            yield Case(
                "ghost bars on holidays",
                f"{n}",
                where,
                ("GHOST_SESSIONS",),
                of_reference(lambda m, s, n=n, where=where: with_ghosts(s, n, where)),
            )
            yield Case(
                "sessions missing",
                f"{n}",
                where,
                ("MISSING_SESSIONS",),
                of_reference(lambda m, s, n=n, where=where: s.on(~scattered(s.days, n, where))),
            )
            yield Case(
                "our sessions missing",
                f"{n}",
                where,
                ("MISSING_SESSIONS",),
                lambda m, n=n, where=where: (without(m, scattered(m.days, n, where)), both_series(m)),
            )
    for where in both:
        yield Case(
            "half days missing",
            "all",
            where,
            ("MISSING_SESSIONS",),
            of_reference(lambda m, s, where=where: s.on(~(half_days(s.days, 1) & since_year(s.days, where)))),
        )
        yield Case(
            "days around holidays missing",
            "all",
            where,
            ("MISSING_SESSIONS",),
            of_reference(lambda m, s, where=where: s.on(~(half_days(s.days, 2) & since_year(s.days, where)))),
        )
    for n in (30, 90):
        for where in both:
            yield Case(
                "hole in the reference",
                f"{n}",
                where,
                ("DATA_HOLE",),
                of_reference(lambda m, s, n=n, where=where: s.on(~hole(s.days, n, where))),
            )
            yield Case(
                "hole in ours",
                f"{n}",
                where,
                ("DATA_HOLE",),
                lambda m, n=n, where=where: (without(m, hole(m.days, n, where)), both_series(m)),
            )

    # Prints
    for size in (8.0, 30.0):
        for where in both:
            yield Case(
                "60 misprints",
                f"{size:g} ATR",
                where,
                ("ISOLATED_PRINTS",),
                of_reference(
                    lambda m, s, size=size, where=where: misprints(m, s, 60 if where == "2005" else 6, size, where)
                ),
            )
            yield Case(
                "one bar restated",
                f"{size:g} ATR",
                where,
                ("ISOLATED_PRINTS",),
                lambda m, size=size, where=where: (
                    (our(m, price=one_print(m, size, where)), both_series(m))
                    if where == "newest"
                    else (our(m, price=one_print(m, size, where, 8)), both_series(m))
                ),
            )
    for factor in (10.0, 100.0):
        yield Case(
            "one close in another unit",
            f"x{factor:g}",
            "newest",
            ("ISOLATED_PRINTS",),
            of_reference(lambda m, s, f=factor: s.each(lambda x: np.where(np.arange(len(x)) == len(x) - 25, x * f, x))),
        )
        yield Case(
            "five closes in another unit",
            f"x{factor:g}",
            "2005",
            ("ISOLATED_PRINTS",),
            of_reference(
                lambda m, s, f=factor: s.each(
                    lambda x: np.where(np.isin(np.arange(len(x)), [500, 700, 900, 1300, 1500]), x * f, x)
                )
            ),
        )
    for n in (6, 60):
        yield Case(
            "misprints, adjusted only",
            f"{n}",
            "newest" if n == 6 else "2005",
            ("ISOLATED_PRINTS",),
            of_reference(lambda m, s, n=n: misprints(m, s, n, 15.0, "newest" if n == 6 else "2005"), "adjusted"),
        )

    # Contracts
    for apart in (1, 2):
        for where in both:
            yield Case(
                "labels of two contracts swapped",
                f"{apart} apart",
                where,
                ("CONTRACT_ORDER",),
                lambda m, n=apart, where=where: (swapped(m, n, where), both_series(m)),
            )
    for factor in (1000.0, 0.01):
        for where in both:
            yield Case(
                "volume of one contract",
                f"x{factor:g}",
                where,
                ("VOLUME_SCALE",),
                lambda m, f=factor, where=where: (our(m, volume=one_volume(m, where, f)), both_series(m)),
            )
            yield Case(
                "volume from a date on",
                f"x{factor:g}",
                where,
                ("VOLUME_SCALE",),
                lambda m, f=factor, where=where: (
                    our(m, volume=np.where(since(m.days, where, 60)[:, None], m.volume * f, m.volume)),
                    both_series(m),
                ),
            )

    # Schedules
    for skipped in (-1, 1):
        for what in ("both", "unadjusted"):
            yield Case(
                "a delivery month never held",
                f"month {skipped}",
                what,
                ("MONTH_CYCLE_MISMATCH",),
                lambda m, n=skipped, what=what: (m, shipped(both_series(m, without_month(m, m.months[n])), what)),
            )
    for k in (8, 15):
        for what in ("both", "unadjusted"):
            yield Case(
                "rolls before expiry",
                f"{k} sessions",
                what,
                ("ROLL_RULE_MISMATCH", "PASSING"),
                lambda m, k=k, what=what: (m, shipped(both_series(m, schedule(m, partial(before_expiry, k, m))), what)),
            )
    for day, before in ((1, 0), (10, 1)):
        yield Case(
            "rolls on a fixed day",
            f"{day} of {before} before",
            "both",
            ("ROLL_RULE_MISMATCH", "PASSING"),
            lambda m, d=day, b=before: (m, both_series(m, schedule(m, partial(fixed_day, d, b, m)))),
        )
    for k in (2, 30):
        for year in (2003, 2006):
            yield Case(
                "roll rule changes",
                f"{k} before expiry",
                f"{year}",
                ("ROLL_RULE_CHANGED", "PASSING"),
                lambda m, k=k, year=year: (m, both_series(m, changed_rule(m, k, year))),
            )

    # Gaps
    for late in (1, 3):
        for what in ("both", "adjusted"):
            yield Case(
                "gaps taken late",
                f"{late}",
                what,
                ("GAPS_TAKEN_LATE",),
                lambda m, n=late, what=what: (m, shipped(both_series(m, late=n), what)),
            )
    for late in (-1, -3):
        yield Case(
            "gaps taken early", f"{late}", "both", ("GAPS_TAKEN_LATE",), lambda m, n=late: (m, both_series(m, late=n))
        )
    for n in (1, 4):
        for where in both:
            for what in ("both", "adjusted"):
                yield Case(
                    "rolls left unadjusted",
                    f"{n}",
                    f"{where} {what}",
                    ("UNADJUSTED_ROLL",),
                    lambda m, n=n, where=where, what=what: (
                        m,
                        shipped(both_series(m, left_out=chosen_rolls(m, n, where)), what),
                    ),
                )
    for what in ("both", "adjusted"):
        yield Case(
            "not adjusted",
            "all",
            what,
            ("ADJUSTMENT_MISMATCH",),
            lambda m, what=what: (m, shipped(both_series(m, left_out=lambda _: True), what)),
        )
        yield Case(
            "adjusted by ratio",
            "all",
            what,
            ("ADJUSTMENT_MISMATCH",),
            lambda m, what=what: (m, shipped(both_series(m, ratio=True), what)),
        )
        yield Case(
            "adjusted with the wrong sign",
            "all",
            what,
            ("INVERTED_ADJUSTMENT",),
            lambda m, what=what: (m, shipped(both_series(m, sign=-1.0), what)),
        )
    for k in (3, 9):
        yield Case(
            "the two files roll on different days",
            f"{k} sessions",
            "all",
            ("REFERENCE_INCONSISTENT",),
            lambda m, k=k: (m, inconsistent(m, k)),
        )

    # Instrument
    for other in ("next", "after"):
        yield Case(
            "another instrument", other, "all", ("IDENTITY_MISMATCH",), lambda m, other=other: (m, another(m, other))
        )
        yield Case(
            "another instrument, adjusted only",
            other,
            "all",
            ("IDENTITY_MISMATCH",),
            lambda m, other=other: (m, shipped(another(m, other), "adjusted")),
        )
    for name, size, where, codes, change, what in (*THROUGHOUT, *(row for w in both for row in dated(w))):
        yield Case(name, str(size), where, codes, partial(made_by, change, what))


# ---------------------------------------------------------------- differences as a table


# Our market and its series on our own rolls: the reference changed, or both.
Change = Callable[[Market, Side], Side | tuple[Market, Side]]
Row = tuple[str, object, str, tuple[str, ...], Change, str]


def made_by(change: Change, what: str, m: Market) -> tuple[Market, Side]:
    found = change(m, both_series(m))
    market_, side = found if isinstance(found, tuple) else (m, found)
    return market_, shipped(side, what)


_RULE = ("ROLL_RULE_CHANGED", "PASSING")
THROUGHOUT: tuple[Row, ...] = (
    *(("rolls and gaps of other days", f"{late:+}", "all", ("ROLL_RULE_MISMATCH", "GAPS_TAKEN_LATE"),
       lambda m, _, n=late: both_series(m, schedule(m, partial(before_expiry, 10, m)), late=n), "both")
      for late in (2, -1)),
    ("Monday's bars dated Sunday", "all", "all", ("BARS_MISDATED",), lambda _, s: on_sundays(s),
     "both"),
    *(("closes rounded", f"{n} ticks", what, ("COARSE_GRID",),
       lambda m, s, n=n: s.each(lambda x: on_tick(x, n * m.tick)), what)
      for n in (4, 20) for what in ("both", "adjusted")),
    *(("every gap twice", "all", what, ("GAPS_DOUBLED",),
       lambda _, s: replace(s, adjusted=2 * s.adjusted - s.unadjusted), what) for what in ("both", "adjusted")),
    # DATE_SHIFT names closes of another hour too, where they are yesterday's as much as today's.
    *(("closes of another hour", share, "2003-2005", codes, lambda m, s, f=share: other_hour(m, s, f), "both")
      for share, codes in ((0.5, ("CLOSES_DIFFER",)), (1.0, ("CLOSES_DIFFER", "DATE_SHIFT")))),
    *(("prices drift", f"{100 * rate:g} % a year", what, codes,
       lambda _, s, r=rate: s.each(lambda x: x * np.exp(-r * np.arange(len(x))[::-1] / 252)), what)
      for rate in (0.01, 0.05) for what, codes in (("both", ("IDENTITY_MISMATCH",)), ("adjusted", ("PRICES_DRIFT",)))),
    *(("reference scaled", f"x{f:g}", what, ("PRICES_SCALED", "LEVEL_NOW"),
       lambda m, s, f=f: s.each(lambda x: on_tick(x * f, m.tick)), what)
      for f in (1.02, 0.98) for what in ("both", "adjusted")),
    *(("two closes exchanged", "2", where, ("CLOSES_EXCHANGED",),
       lambda m, s, where=where: s.each(lambda x: exchanged(x, part(m, s.days, where, 8))), "both")
      for where in ("2005", "newest")),
    ("starts late", 1000, "all", ("PASSING",), lambda _, s: s.on(np.arange(len(s.days)) >= 1000), "both"),
    ("adjusted closes off by a constant", "3 ATR", "all", ("PASSING",),
     lambda m, s: replace(s, adjusted=s.adjusted + step_of(m, 3)), "both"),
    ("unadjusted closes off by a constant", "3 ATR", "all", ("LEVEL_NOW",),
     lambda m, s: replace(s, unadjusted=s.unadjusted + step_of(m, 3)), "both"),
    ("adjusted forward", "all", "all", ("PASSING",),
     lambda _, s: replace(s, adjusted=s.adjusted - s.adjusted[0] + s.unadjusted[0]), "both"),
    ("labels late in winters", 1, "all", ("DATE_SHIFT",), lambda _, s: shifted(s, 1, ~in_summer(s.days)), "both"),
    ("labels late and adjusted by ratio", 1, "all", ("DATE_SHIFT",),
     lambda m, s: shifted(both_series(m, ratio=True), 1, np.ones(len(s.days), dtype=bool)), "both"),
    ("misprints and a month never held", 30, "all", ("ISOLATED_PRINTS", "MONTH_CYCLE_MISMATCH"),
     lambda m, _: misprints(m, both_series(m, without_month(m, m.months[-1])), 30, 15.0, "2005"), "both"),
    *(("roll rule changes and back", f"{k} before expiry", f"{first}-{last}", _RULE,
       lambda m, _, k=k, a=first, b=last: both_series(m, changed_rule(m, k, a, b)), "both")
      for k, first, last in ((15, 2002, 2006), (30, 2003, 2006))),
    ("our closes rounded", "4 ticks", "all", ("COARSE_GRID",),
     lambda m, s: (our(m, price=on_tick(m.price, 4 * m.tick)), s), "both"),
    *(("one contract of the reference in another unit", f"x{f:g}", place, ("UNIT_CHANGED",),
       lambda m, s, f=f, p=place: s.each(lambda x: np.where(on_contract(m, s.days, p), f * x, x)), "both")
      for f in (100.0, 0.1) for place in (0.5, 1.0)),
    ("unit changes with a roll", "x100", "newest 8 rolls", ("UNIT_CHANGED",),
     lambda m, s: s.each(lambda x: np.where(s.days >= m.days[steps(m.held)[-8]], 100 * x, x)), "both"),
    ("bars on Saturdays", 30, "newest", ("GHOST_SESSIONS",), lambda _, s: with_saturdays(s, 30), "both"),
    ("adjusted file repeats one close", 20, "newest", ("STALE_CLOSES",),
     lambda _, s: replace(s, adjusted=np.append(s.adjusted[:-20], np.full(20, s.adjusted[-21]))), "both"),
    *(("rolls of one month late", by, "all", ("CONTRACTS_APART",),
       lambda m, _, by=by: both_series(m, late_rolls(m, by, MONTH_CODES.index(m.months[-1]))), "both")
      for by in (8, 15)),
    ("newest roll late", 8, "newest", ("CONTRACTS_APART",), lambda m, _: both_series(m, late_rolls(m, 8)), "both"),
    ("newest roll missing", "all", "newest", ("CONTRACTS_APART", "CONTRACT_SKIPPED"),
     lambda m, _: both_series(m, late_rolls(m, len(m.days))), "both"),
    *(("newest close alone", f"{size:g} ATR", what, ("LEVEL_NOW",),
       lambda m, s, size=size: s.each(lambda x: np.append(x[:-1], x[-1] + step_of(m, size))), what)
      for size in (1.5, 5.0) for what in ("both", "adjusted")),
    ("newest closes unadjusted", 60, "both", ("UNADJUSTED_PATCH",),
     lambda _, s: replace(s, adjusted=np.append(s.adjusted[:-60], s.unadjusted[-60:])), "both"),
    ("newest closes unadjusted", 60, "adjusted", ("UNADJUSTED_PATCH",),
     lambda _, s: replace(s, adjusted=np.append(s.adjusted[:-60], s.unadjusted[-60:])), "adjusted"),
    *(("one contract of another exchange", place, "all", ("FOREIGN_CONTRACT",),
       lambda m, _, p=place: foreign(m, p), "both") for place in (0.5, 0.8)),
)  # fmt: skip


def dated(where: str) -> Iterator[Row]:
    """Differences that have a date: in 2005, or among the newest."""
    yield (
        "days after holidays labelled on them", "all", where, ("BARS_MISDATED",), lambda _, s: on_holidays(s, where),
        "both",
    )  # fmt: skip
    yield "Fridays missing", "all", where, ("MISSING_SESSIONS",), lambda _, s: s.on(~fridays(s.days, where)), "both"
    yield (
        "a week repeated", 5, where, ("REPEATED_CLOSES",),
        lambda _, s: s.each(lambda x: x[repeated(len(x), where, 5, 5)]), "both",
    )  # fmt: skip
    yield (
        "one close repeated", 8, where, ("STALE_CLOSES",),
        lambda _, s: s.each(lambda x: x[repeated(len(x), where, 8)]), "both",
    )  # fmt: skip
    for n in (30, 10):
        for what in ("both", "adjusted"):
            yield (
                "not adjusted for a while", n, f"{where} {what}",
                ("UNADJUSTED_PATCH",), lambda m, s, n=n: unadjusted_for(m, s, n, where), what,
            )  # fmt: skip
    for n in (1, 4):
        for name, code, times in (
            ("gaps twice", "GAPS_DOUBLED", 1.0),
            ("gaps with the wrong sign", "GAPS_INVERTED", -2.0),
        ):
            yield (
                name, n, where, (code,),
                lambda m, _, n=n, by=times: both_series(m, wrong=some_gaps(m, n, where, by)), "both",
            )  # fmt: skip
    yield (
        "a contract skipped", 1, where, ("CONTRACT_SKIPPED", "PASSING"),
        lambda m, _: both_series(m, skipped_contract(m, where)), "both",
    )  # fmt: skip


def on_contract(m: Market, days: np.ndarray, place: float) -> np.ndarray:
    """The sessions on which we hold the contract that we hold there."""
    held = m.held[min(int(place * len(m.days)), len(m.days) - 1)]
    return np.isin(days, m.days[m.held == held])


def with_saturdays(side: Side, n: int) -> Side:
    saturdays = side.days[weekday(side.days) == 4][-n:] + 1
    days = np.sort(np.concatenate([side.days, saturdays]))
    source = np.searchsorted(side.days, days, side="right") - 1
    return replace(side.each(lambda x: x[source]), days=days, volume=np.where(np.isin(days, saturdays), 0, 1000))


def late_rolls(m: Market, by: int, month: int | None = None) -> np.ndarray:
    """Our schedule with the rolls out of one month so many sessions later; without a month the newest that can be."""
    held, rolls = m.held.copy(), steps(m.held).tolist()
    if month is None:
        fits = [t for t in rolls if by >= len(m.days) or t + by < len(m.days) - 2]
        rolls = fits[-1:]
    for t in rolls:
        old, end = int(m.held[t - 1]), t
        while end < min(t + by, len(held)) and np.isfinite(m.price[end, old]):
            end += 1
        if month is None or m.keys[old] % 12 == month:
            held[t:end] = old
    return np.maximum.accumulate(held)


def on_sundays(side: Side) -> Side:
    return replace(side, days=np.where(weekday(side.days) == 0, side.days - 1, side.days))


def weekday(days: np.ndarray) -> np.ndarray:
    """0 is Monday."""
    return (days.astype("datetime64[D]").astype(int) + 3) % 7


def fridays(days: np.ndarray, where: str) -> np.ndarray:
    return (weekday(days) == 4) & since_year(days, where)


def on_holidays(side: Side, where: str) -> Side:
    """The session after a holiday is dated on the holiday."""
    free = holidays(side.days)[-3:] if where == "newest" else holidays(side.days)
    days = side.days.copy()
    for day in free:
        k = int(np.searchsorted(days, day))
        if 0 < k < len(days) and days[k - 1] < day < days[k]:
            days[k] = day
    return replace(side, days=days)


def repeated(count: int, where: str, n: int, back: int = 0) -> np.ndarray:
    """Positions: n sessions from one on are those `back` sessions before; back 0: all are the one before."""
    at = np.arange(count)
    first = count - 30 if where == "newest" else 900
    at[first : first + n] = at[first : first + n] - back if back else first - 1
    return at


def other_hour(m: Market, side: Side, share: float) -> Side:
    """Closes up to that share of the day's change early, from 2003 to 2005."""
    draw = np.random.default_rng(3)
    on = (side.days >= np.datetime64("2003-01-01")) & (side.days < np.datetime64("2006-01-01"))
    early = share * np.diff(side.unadjusted, prepend=side.unadjusted[0]) * draw.uniform(0, 1, len(side.days))
    return side.each(lambda x: x - np.where(on, on_tick(early, m.tick), 0.0))


def unadjusted_for(m: Market, side: Side, n: int, where: str) -> Side:
    """n sessions; the newest ones end with the last roll whose adjustment is four ticks or more."""
    wide = np.flatnonzero(np.abs(side.adjusted - side.unadjusted) >= 4 * m.tick)
    first = int(wide[-1]) + 1 - n if where == "newest" else 1000
    adjusted = side.adjusted.copy()
    adjusted[first : first + n] = side.unadjusted[first : first + n]
    return replace(side, adjusted=adjusted)


def some_gaps(m: Market, n: int, where: str, times: float) -> Callable[[int], float]:
    """Such a multiple of the gap on top of it, at n rolls."""
    chosen, rolls = chosen_rolls(m, n, where), steps(m.held)[::-1].tolist()
    gap = [gap_at(m, int(m.held[t - 1]), int(m.held[t]), t - 1) for t in rolls]
    return lambda i: times * gap[i] if chosen(i) else 0.0


def skipped_contract(m: Market, where: str) -> np.ndarray:
    """Our schedule with one contract's sessions held in the next one, where that has closes."""
    rolls = steps(m.held).tolist()
    i = len(rolls) - 3 if where == "newest" else len(rolls) // 2
    held, after = m.held.copy(), int(m.held[rolls[i + 1]])
    span = np.arange(rolls[i], rolls[i + 1])
    held[span[np.isfinite(m.price[span, after])]] = after
    return np.maximum.accumulate(held)


def foreign(m: Market, place: float) -> tuple[Market, Side]:
    """One contract's closes of ours are another instrument's at its level."""
    other = market(next(root for root in ROOTS if root != m.root))
    k = int(m.held[int(place * len(m.days))])
    at = np.flatnonzero(np.isfinite(m.price[:, k]))
    beside = np.clip(np.searchsorted(other.days, m.days[at]), 0, len(other.days) - 1)
    closes = other.price[beside, other.held[beside]]
    price = m.price.copy()
    price[at, k] = on_tick(closes * np.nanmean(price[at, k]) / np.nanmean(closes), m.tick)
    return our(m, price=price), both_series(m)


def in_summer(days: np.ndarray) -> np.ndarray:
    month = days.astype("datetime64[M]").astype(int) % 12 + 1
    return (month >= 4) & (month <= 10)


def since_year(days: np.ndarray, where: str) -> np.ndarray:
    return days >= np.datetime64("2009-09-01" if where == "newest" else "1998-01-01")


def step_of(m: Market, size: float) -> float:
    return float(np.rint(size * m.atr / m.tick) * m.tick)


def on_tick(x: np.ndarray, tick: float) -> np.ndarray:
    return np.rint(x / tick) * tick


def stretched(x: np.ndarray, n: int, factor: float) -> np.ndarray:
    change = np.diff(x)
    change[-n:] *= factor
    return np.concatenate([x[:1], x[0] + np.cumsum(change)])


def one_contract(m: Market, where: str, factor: float) -> np.ndarray:
    k = int(m.held[-1]) if where == "newest" else int(m.held[int(np.searchsorted(m.days, np.datetime64("2005-03-01")))])
    price = m.price.copy()
    price[:, k] *= factor
    return price


def one_volume(m: Market, where: str, factor: float) -> np.ndarray:
    ends = np.array([last_bar(m, k) for k in range(len(m.keys))])
    ended = [k for k in np.unique(m.held).tolist() if ends[k] < len(m.days) - 8]
    k = ended[-1] if where == "newest" else int(m.held[int(np.searchsorted(m.days, np.datetime64("2005-03-01")))])
    volume = m.volume.copy()
    volume[:, k] *= factor
    return volume


def scattered(days: np.ndarray, n: int, where: str) -> np.ndarray:
    """n sessions: of all but the ends (2005), or of the newest 80 (a quarter as many)."""
    draw = np.random.default_rng(5)
    out = np.zeros(len(days), dtype=bool)
    if where == "newest":
        out[len(days) - 2 - draw.permutation(57)[: max(n // 4, 1)]] = True
    else:
        out[20 + draw.permutation(len(days) - 100)[: 2 * n]] = True
    return out


def hole(days: np.ndarray, n: int, where: str) -> np.ndarray:
    start = len(days) - 40 - n if where == "newest" else int(np.searchsorted(days, np.datetime64("2005-03-01")))
    out = np.zeros(len(days), dtype=bool)
    out[start : start + n] = True
    return out


def without(m: Market, gone: np.ndarray) -> Market:
    return our(m, days=m.days[~gone], **{x: getattr(m, x)[~gone] for x in ("price", "volume", "interest")})


def holidays(days: np.ndarray) -> np.ndarray:
    every = np.arange(days[0], days[-1])
    weekday = (every.astype("datetime64[D]").astype(int) + 3) % 7 < 5
    return every[weekday & ~np.isin(every, days)]


def half_days(days: np.ndarray, kind: int) -> np.ndarray:
    """The sessions before (kind 1) or after (kind 2) a weekday without bars: Christmas Eve and its like."""
    free = holidays(days)
    after = np.searchsorted(days, free)
    out = np.zeros(len(days), dtype=bool)
    out[np.clip(after - 1 if kind == 1 else after, 5, len(days) - 5)] = True
    return out


def with_ghosts(side: Side, n: int, where: str) -> Side:
    """Bars without volume on exchange holidays that repeat the close before."""
    free = holidays(side.days)
    free = free[-max(n // 10, 2) :] if where == "newest" else free[: 2 * n]
    days = np.sort(np.concatenate([side.days, free]))
    source = np.searchsorted(side.days, days, side="right") - 1
    made = side.each(lambda x: x[source])
    return replace(made, days=days, volume=np.where(np.isin(days, free), 0, 1000))


def misprints(m: Market, side: Side, n: int, size: float, where: str) -> Side:
    draw = np.random.default_rng(7)
    count = len(side.days)
    # Far enough apart that each stands alone.
    at = count - 3 - 8 * np.arange(n) if where == "newest" else 30 + (count - 200) // n * np.arange(n)
    off = np.zeros(count)
    off[at] = step_of(m, size) * draw.choice([-1.0, 1.0], len(at)) * draw.uniform(0.8, 1.2, len(at))
    off = np.rint(off / m.tick) * m.tick
    return side.each(lambda x: x + off)


def one_print(m: Market, size: float, where: str, n: int = 1) -> np.ndarray:
    price = m.price.copy()
    at = [len(m.days) - 18] if where == "newest" else [400 + 150 * j for j in range(n)]
    for t in at:
        price[t, m.held[t]] += step_of(m, size)
    return price


def swapped(m: Market, apart: int, where: str) -> Market:
    ends = np.array([last_bar(m, k) for k in range(len(m.keys))])
    chain = [k for k in range(len(m.keys)) if MONTH_CODES[m.keys[k] % 12] in m.months and ends[k] < len(m.days) - 1]
    at = len(chain) - 1 - apart if where == "newest" else next(i for i, k in enumerate(chain) if m.keys[k] >= 2005 * 12)
    a, b = chain[at], chain[at + apart]
    changed = {}
    for name in ("price", "volume", "interest"):
        x = getattr(m, name).copy()
        x[:, [a, b]] = x[:, [b, a]]
        changed[name] = x
    return our(m, last_trade=np.full(len(m.keys), np.datetime64("NaT"), dtype="datetime64[D]"), **changed)


def without_month(m: Market, code: str) -> np.ndarray:
    return by_activity(m, m.volume, 2, m.months.replace(code, ""))


def changed_rule(m: Market, k: int, year: int, until: int = 9999) -> np.ndarray:
    """Our own rule but for the years from one until before another: there k sessions before expiry."""
    later = schedule(m, partial(before_expiry, k, m))
    inside = (m.days >= np.datetime64(f"{year}-01-01")) & (m.days < np.datetime64(f"{until}-01-01"))
    return np.maximum.accumulate(np.where(inside, later, m.held))


def chosen_rolls(m: Market, n: int, where: str) -> Callable[[int], bool]:
    """n rolls, counted from the newest, whose contracts lie 3 ATR or more apart all around the roll."""
    wide = []
    for i, t in enumerate(steps(m.held)[::-1].tolist()):
        old, new = int(m.held[t - 1]), int(m.held[t])
        gap = m.price[max(t - 5, 0) : t + 4, new] - m.price[max(t - 5, 0) : t + 4, old]
        gap = gap[np.isfinite(gap)]
        if t < len(m.days) - 15 and len(gap) and np.abs(gap).min() >= 8 * m.tick:
            wide.append(i)
    found = set(wide[:n] if where == "newest" else wide[len(wide) // 2 : len(wide) // 2 + n])
    return lambda i: i in found


def inconsistent(m: Market, k: int) -> Side:
    """Unadjusted closes on our schedule, adjusted ones on the same rolls k sessions earlier."""
    early = m.held.copy()
    for t in steps(m.held).tolist():
        begin = t
        while begin > max(t - k, 1) and np.isfinite(m.price[begin - 1, m.held[t]]):
            begin -= 1
        early[begin:t] = m.held[t]
    first, second = both_series(m), both_series(m, early)
    keep = np.isin(first.days, second.days)
    other = np.isin(second.days, first.days)
    return Side(first.days[keep], first.unadjusted[keep], second.adjusted[other])


def another(m: Market, which: str) -> Side:
    roots = list(ROOTS)
    other = market(roots[(roots.index(m.root) + (1 if which == "next" else 2)) % len(roots)])
    return both_series(other)


# ---------------------------------------------------------------- clean pairs


def thin(m: Market) -> bool:
    """Whether the contract held traded less than a tenth of the most active one on more than 2 % of the sessions."""
    rows = np.arange(len(m.days))
    months = [k for k in range(len(m.keys)) if MONTH_CODES[m.keys[k] % 12] in m.months]
    volume = np.nan_to_num(m.volume)
    most, own = volume[:, months].max(axis=1), m.volume[rows, m.held]
    known = np.isfinite(own)
    return bool((own[known] < most[known] / 10.0).mean() > 0.02)


def clean(m: Market, seed: int) -> tuple[Market, Side]:
    """Our contracts over a random stretch, and a reference without a fault: on our rolls, or each up to two
    sessions beside; either file or both; now and then a tick of noise."""
    draw = np.random.default_rng((seed, 11))
    first = int(draw.integers(0, len(m.days) - 2400))
    last = first + int(draw.integers(2000, len(m.days) - first))
    there = np.isfinite(m.price[first:last]).any(axis=0)
    short = replace(
        m, days=m.days[first:last], keys=m.keys[there], last_trade=m.last_trade[there],
        **{x: getattr(m, x)[first:last, there] for x in ("price", "volume", "interest")},
    )  # fmt: skip
    short.held = held_by(short)
    held = short.held.copy()
    if draw.random() < 0.5:
        # Its rolls a session or two beside ours, as a rule with other hours or another number of days makes them.
        for t in steps(short.held).tolist():
            by = int(draw.integers(-1, 3))
            first, end = min(t, t + by), max(t, t + by)
            contract = short.held[t] if by < 0 else short.held[t - 1]
            inside = np.isfinite(short.price[first:end, contract]).all() and end < len(held) and first > 0
            if inside and (short.held[first:end] == (short.held[t - 1] if by < 0 else short.held[t])).all():
                held[first:end] = contract
    side = both_series(short, held)
    if draw.random() < 0.3:
        noise = m.tick * draw.choice([-1.0, 0.0, 0.0, 0.0, 1.0], len(side.days))
        side = side.each(lambda x: x + noise)
    return short, shipped(side, str(draw.choice(["both", "both", "adjusted", "unadjusted"])))


# ---------------------------------------------------------------- what a certificate says


def certified(m: Market, side: Side, others: bool = True) -> Any:
    bars = m.bars()
    policy = RollPolicy(eligible_months=m.months)
    series = continuous.build(bars, policy)
    return certify(
        CertifyRequest(
            symbol=m.root, root=m.root, tick=m.tick, max_day_delta=MAX_DAY_DELTA, quote_unit=m.unit, contracts=bars,
            canonical=series, reference=side.reference(m), calendar_sessions=None,
            rebuild=lambda s: continuous.build(bars, replace(policy, kind="schedule", schedule=s)),
        )
    )  # fmt: skip


def named(document: dict[str, Any]) -> list[str]:
    """Causes in the order in which the certificate names them: a refusal's, then each layer's findings."""
    found = [reason["code"] for reason in document["reasons"]]
    for layer in sorted(document["layers"]):
        found += [
            f["code"] for f in document["layers"][layer]["findings"] if f["status"] in ("WATCH", "FAIL") and f["code"]
        ]
    book = document.get("ledger") or {}
    found += [f"ledger:{c['name']}" for c in (book.get("components") or [])[:1]]
    return list(dict.fromkeys(code for code in found if code not in CONSEQUENCES and not code.endswith("_NOT_RUN")))


def judge(case: Case, document: dict[str, Any]) -> tuple[bool, bool, bool, list[str]]:
    """(named first, named at all, a wrong cause first, what was named)."""
    causes = named(document)
    codes = [code for code in causes if not code.startswith("ledger:")]
    first = bool(codes) and codes[0] in case.codes
    passing = "PASSING" in case.codes and not codes and document["decision"] in ("ACCEPT", "WATCH")
    return first or passing, passing or any(c in case.codes for c in codes), bool(codes) and not first, causes


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.causes", description=__doc__)
    parser.add_argument("--roots", default=",".join(ROOTS))
    parser.add_argument(
        "--only", default="", help="differences whose name holds this text; `clean` for the clean pairs"
    )
    parser.add_argument("--misses", action="store_true", help="list what was not named first")
    parser.add_argument("--clean", type=int, default=300)
    arguments = parser.parse_args(argv)
    if not DATA.exists():
        print(f"needs the shared real data: {DATA}", file=sys.stderr)
        return 1
    rows: dict[str, list[tuple[bool, bool, bool]]] = {}
    for root in arguments.roots.split(","):
        for case in cases():
            if arguments.only and arguments.only not in case.name:
                continue
            document = certified(*case.make(market(root))).document
            *verdict, causes = judge(case, document)
            rows.setdefault(case.name, []).append(tuple(verdict))
            if arguments.misses and not verdict[0]:
                print(f"{root} {case.name} [{case.size}, {case.where}]: {document['decision']} {causes}", flush=True)
    show(rows)
    if not arguments.only or arguments.only == "clean":
        show_clean(arguments.roots.split(","), arguments.clean, arguments.misses)
    return 0


def show(rows: dict[str, list[tuple[bool, bool, bool]]]) -> None:
    width = max((len(name) for name in rows), default=10)
    print(f"{'difference':{width}}  cases  first  named  wrong first")
    total = [v for found in rows.values() for v in found]
    for name, found in [*rows.items(), ("total", total)]:
        n = len(found)
        if n:
            first, at_all, wrong = (sum(v[i] for v in found) for i in range(3))
            print(f"{name:{width}}  {n:5}  {first:5}  {at_all:5}  {wrong:5}")
    if total:
        n = len(total)
        print(
            f"{len(rows)} differences, {n} pairs: named first {100 * sum(v[0] for v in total) / n:.1f} %, "
            f"wrong first {100 * sum(v[2] for v in total) / n:.1f} %"
        )


def show_clean(roots: list[str], count: int, list_them: bool) -> None:
    silent = 0
    for n in range(count):
        root = roots[n % len(roots)]
        made = clean(market(root), n)
        # What is true of the real contracts themselves is no false alarm.
        true = {"THIN_CONTRACT"} if thin(made[0]) else set()
        document = certified(*made).document
        causes = [code for code in named(document) if not code.startswith("ledger:") and code not in true]
        silent += not causes
        if list_them and causes:
            print(f"clean {n} {root}: {document['decision']} {causes}", flush=True)
    print(f"{count} clean pairs: no untrue cause named on {silent} ({100 * silent / max(count, 1):.1f} %)")


if __name__ == "__main__":
    sys.exit(main())
