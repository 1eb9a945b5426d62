"""Generated vendor pairs: our contracts, and a reference that rolls between the same contracts.

Prices are whole ticks. Without a defect both sides agree to the last one; every defect is named, has one size, and
several at once make the pairs that invariants are tried on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

import numpy as np
import polars as pl

from ctl.model.bars import ContractBars, DailySeries, SeriesMeta
from ctl.model.contracts import Contract
from ctl.model.reference import Reference

if TYPE_CHECKING:
    import numpy.typing as npt

    Days = npt.NDArray[np.datetime64]
    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

SEED: Final = 20260301
ROOT: Final = "ZZ"
_FIRST: Final = np.datetime64("2008-01-07", "D")
_LISTED_CYCLES: Final = 3
_CROSSOVER: Final = 9
# Prices trend up and down, strongly enough for a trend-following strategy to trade.
_TREND: Final = 0.2
_TREND_SESSIONS: Final = 160
NEWEST: Final = (20, 60)
MISPRINT_MOVES: Final = 10.0
_RESTLESS: Final = 12

DefectKind = Literal[
    "settlement_noise",
    "wrong_gap",
    "unadjusted_roll",
    "roll_shift",
    "restated_bar",
    "missing_sessions",
    "unit_scale",
    "wrong_commodity",
    "finer_grid",
    "inverted_adjustment",
    "newest_20_level",
    "newest_60_level",
    "newest_20_late",
    "newest_60_late",
    "newest_20_unit",
    "newest_60_unit",
    "newest_20_stale",
    "newest_60_stale",
    "misprints",
    "stale_closes",
    "repeated_closes",
    "other_hour",
    "labels_late",
    "rounded_closes",
    "unadjusted_patch",
    "reference_missing",
    "reference_hole",
    "gaps_late",
    "gaps_doubled",
    "gaps_inverted",
    "volume_scale",
    "ghost_sessions",
    "swapped_labels",
    "months_never_held",
    "rule_changed",
    "ratio_adjusted",
    "not_adjusted",
]
# Sized by the gap of every roll.
GAP_OF_EVERY_ROLL: Final[tuple[DefectKind, ...]] = ("inverted_adjustment", "ratio_adjusted", "not_adjusted")
Shipped = Literal["both", "adjusted", "unadjusted"]


@dataclass(frozen=True, slots=True)
class Market:
    """A market to generate.

    cycle: sessions from one expiry to the next (21, 42, 63: contracts of every, every second, every third month).
    tick: quote units. level, move, carry, carry_noise: in ticks; the first price, the standard deviation of a
    session's change, mean and standard deviation of a roll's gap.
    """

    seed: int
    contracts: int = 26
    cycle: int = 63
    tick: float = 0.25
    level: int = 6_000
    move: float = 90.0
    carry: float = 24.0
    carry_noise: float = 12.0


@dataclass(frozen=True, slots=True)
class VendorPair:
    """Our contracts and a reference. sessions: datetime64[D] of the exchange, ascending."""

    sessions: Days
    contracts: ContractBars
    reference: Reference
    tick: float
    root: str = ROOT


def generate(
    market: Market,
    defects: Mapping[DefectKind, float] | None = None,
    shipped: Shipped = "both",
    *,
    adjusted_rightly: bool = False,
) -> VendorPair:
    """A vendor pair with every defect given, at its size; none: the two sides agree to the tick.

    shipped: which of its two series the reference ships. adjusted_rightly: the gaps that a defect brings along
    stand, and the reference adjusts for them as it should: what such a defect is to be compared with. Same
    arguments, same pair, and a defect does not change what the others do to it.
    """
    sizes = dict(defects or {})
    draw = {
        name: np.random.default_rng((market.seed, n)) for n, name in enumerate(("price", "spread", "gap", "defect"))
    }
    count = market.cycle * market.contracts
    sessions = _weekdays(count)
    expiry = market.cycle * (np.arange(market.contracts) + 1) - 1
    middle = market.contracts // 2

    gaps = np.rint(draw["gap"].normal(market.carry, market.carry_noise, market.contracts - 1))
    for kind in GAP_OF_EVERY_ROLL:
        if kind in sizes:
            gaps = _dithered(np.full(market.contracts - 1, sizes[kind]))
    if "unadjusted_roll" in sizes:
        gaps[middle] = sizes["unadjusted_roll"]
    changes = draw["price"].normal(0.0, market.move, count)
    spread = np.cumsum(draw["spread"].random((market.contracts, count)) < 0.1, axis=1)
    spread = spread - np.cumsum(draw["spread"].random((market.contracts, count)) < 0.1, axis=1)
    carried = np.concatenate([[0.0], np.cumsum(gaps)])
    # Spreads move on all sessions but those before a crossover: there a roll's gap is the one that was drawn.
    # Late gaps differ where spreads move.
    restless = _RESTLESS if "gaps_late" in sizes else 1
    true = _path(market, changes)[None, :] + carried[:, None] + restless * spread
    for k, gap in enumerate(gaps.tolist()):
        at = int(expiry[k]) - _CROSSOVER + 1
        true[k + 1 :] += gap - (true[k + 1, at] - true[k, at])
    our_closes = _our_closes(market, true, changes, carried, spread, expiry, sizes, draw["defect"])
    missing = _missing(sizes, count, draw["defect"])
    return VendorPair(
        sessions,
        _contract_bars(market, sessions, our_closes, expiry, missing, sizes),
        _reference(market, sessions, true, expiry, gaps, {} if adjusted_rightly else sizes, middle, shipped),
        market.tick,
    )


def clean_markets(count: int, seed: int = SEED, *, flat: bool = False) -> list[Market]:
    """Markets of all sorts: ticks, levels, quiet and wild, of every, every second and every third month.

    flat: neighbouring contracts lie within a few ticks of each other, else 16 or more apart.
    """
    draw = np.random.default_rng((seed, int(flat)))
    markets = []
    for n in range(count):
        cycle, move = int(draw.choice([21, 42, 63])), float(draw.choice([8.0, 30.0, 90.0]))
        gap = float(draw.choice([0.0, 2.0, 5.0] if flat else [-120.0, -40.0, -16.0, 16.0, 40.0, 120.0]))
        markets.append(
            Market(
                seed + 1 + n, contracts=max(26, 1_300 // cycle), cycle=cycle,
                tick=float(draw.choice([0.01, 0.05, 0.1, 0.25, 0.5])), level=int(60 * move) + 4_000, move=move,
                carry=gap, carry_noise=0.25 * max(abs(gap), 2.0),
            )
        )  # fmt: skip
    return markets


def _weekdays(count: int) -> Days:
    days = np.arange(_FIRST, _FIRST + 2 * count)
    return days[np.is_busday(days)][:count]


def _path(market: Market, changes: Floats) -> Floats:
    """Whole ticks; turned back at a third of the level, so that no price nears zero."""
    swing = _TREND * market.move * np.sin(2.0 * np.pi * np.arange(changes.size) / _TREND_SESSIONS)
    path = market.level + np.cumsum(changes + swing)
    floor = market.level / 3.0
    return np.rint(floor + np.abs(path - floor))


def _dithered(sizes: Floats) -> Floats:
    """Whole numbers whose running sum stays within one of that of the sizes."""
    whole = np.floor(np.cumsum(sizes) + 1e-9)
    return np.diff(whole, prepend=0.0)


def _our_closes(
    market: Market,
    true: Floats,
    changes: Floats,
    carried: Floats,
    spread: Ints,
    expiry: Ints,
    sizes: Mapping[DefectKind, float],
    draw: np.random.Generator,
) -> Floats:
    """Our closes in ticks, contract by session."""
    our_closes = true.copy()
    if "wrong_commodity" in sizes:
        kept = 1.0 - sizes["wrong_commodity"]
        other = kept * changes + np.sqrt(max(0.0, 1.0 - kept * kept)) * draw.normal(0.0, market.move, changes.size)
        our_closes = our_closes - _path(market, changes) + _path(market, other)
    if "settlement_noise" in sizes:
        our_closes += np.rint(draw.normal(0.0, sizes["settlement_noise"], our_closes.shape))
    if "restated_bar" in sizes:
        contract = market.contracts // 3
        our_closes[contract, int(expiry[contract]) - market.cycle // 2] += sizes["restated_bar"]
    for newest in NEWEST:
        our_closes[:, -newest:] += _size(sizes, newest, "level")
    if "unit_scale" in sizes:
        our_closes = np.rint(our_closes * (1.0 + sizes["unit_scale"] / 100.0))
    if "finer_grid" in sizes:
        our_closes += 0.5 * _dithered(np.full(our_closes.size, sizes["finer_grid"] / 100.0)).reshape(our_closes.shape)
    return our_closes


def _missing(sizes: Mapping[DefectKind, float], count: int, draw: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Sessions without a bar of ours: never the first or the last."""
    missing = np.zeros(count, dtype=np.bool_)
    lost = min(int(sizes.get("missing_sessions", 0)), count - 2)
    missing[1 + draw.permutation(count - 2)[:lost]] = True
    return missing


def _contract_bars(
    market: Market,
    sessions: Days,
    our_closes: Floats,
    expiry: Ints,
    missing: npt.NDArray[np.bool_],
    sizes: Mapping[DefectKind, float],
) -> ContractBars:
    """Our bars."""
    contracts = _names(market)
    count = sessions.size
    begins = np.maximum(expiry - _LISTED_CYCLES * market.cycle, 0)
    at = np.arange(count)
    # The contract of most volume: the first whose crossover to the next is still to come.
    active = np.searchsorted(expiry - _CROSSOVER, at, side="right")
    active = np.minimum(active, market.contracts - 1)
    there = (at[None, :] >= begins[:, None]) & (at[None, :] <= expiry[:, None]) & ~missing
    # Whose bars stand under each label.
    labelled = np.arange(market.contracts)
    if "swapped_labels" in sizes:
        pair = market.contracts // 2 + np.array([0, int(sizes["swapped_labels"])])
        labelled[pair] = labelled[pair[::-1]]
    label, session = np.nonzero(there[labelled])
    contract = labelled[label]
    close = our_closes[contract, session]
    volume = np.where(contract == active[session], 10_000, 2_000 // (1 + np.abs(contract - active[session])))
    newest_volume = np.rint(volume * sizes.get("volume_scale", 1.0))
    volume = np.where(session >= count - NEWEST[-1], newest_volume, volume).astype(np.int64)
    columns = _bars(close, session, contract)
    names = pl.Series("contract", [contract.name for contract in contracts])
    frame = pl.DataFrame(
        {
            "session": sessions[session],
            "contract": names.gather(label),
            **{name: prices * market.tick for name, prices in columns.items()},
            "volume": volume,
            "open_interest": volume * 5,
        }
    )
    kept = tuple(contracts[k] for k in np.unique(label).tolist())
    return ContractBars(frame, _meta("own"), kept)


def _reference(
    market: Market,
    sessions: Days,
    true: Floats,
    expiry: Ints,
    gaps: Floats,
    sizes: Mapping[DefectKind, float],
    middle: int,
    shipped: Shipped,
) -> Reference:
    """The other vendor rolls on the crossover's second day (or later by the shift), on the true closes."""
    count = sessions.size
    shift = int(sizes.get("roll_shift", 0))
    numbers = np.arange(gaps.size)
    later = shift + np.where(numbers >= middle, int(sizes.get("rule_changed", 0)), 0)
    gap_session = np.minimum(expiry[:-1] - _CROSSOVER + 1 + later, expiry[:-1])
    # The contract that is held in each one's place: of a month never held the next.
    held = np.arange(gaps.size + 1)
    a_year = max(12 // _month_step(market), 1)
    for k in held[:-1][::-1].tolist():
        held[k] = held[k + 1] if k % a_year < int(sizes.get("months_never_held", 0)) else k
    contract_on_day = held[np.searchsorted(gap_session, np.arange(count), side="left")]
    raw = true[contract_on_day, np.arange(count)]
    old, new = held[numbers], held[numbers + 1]
    stated = true[new, gap_session] - true[old, gap_session]
    if "wrong_gap" in sizes:
        stated[middle] += sizes["wrong_gap"]
    if "unadjusted_roll" in sizes:
        stated[middle] = 0.0
    if "inverted_adjustment" in sizes:
        stated = -stated
    if "gaps_late" in sizes:
        then = np.minimum(gap_session + int(sizes["gaps_late"]), expiry[:-1])
        stated = true[new, then] - true[old, then]
    stated[middle : middle + int(sizes.get("gaps_doubled", 0))] *= 2.0
    stated[middle : middle + int(sizes.get("gaps_inverted", 0))] *= -1.0
    steps = np.zeros(count + 1)
    steps[gap_session] = stated
    offset = np.cumsum(steps[::-1])[::-1][:-1]
    carried = raw + offset
    if "not_adjusted" in sizes:
        carried = raw.copy()
    if "ratio_adjusted" in sizes:
        factors = np.ones(count + 1)
        factors[gap_session] = true[new, gap_session] / true[old, gap_session]
        carried = raw * np.cumprod(factors[::-1])[::-1][:-1]
    off = np.zeros(count)
    # Far enough apart that each stands alone, none at an end.
    off[np.linspace(30, count - 200, int(sizes.get("misprints", 0))).astype(np.int64)] = MISPRINT_MOVES * market.move
    # In the middle of a cycle, where neither side rolls.
    at = int(expiry[middle]) - market.cycle // 2
    patch = slice(at, at + int(sizes.get("unadjusted_patch", 0)))
    carried[patch] = raw[patch]
    kept = np.ones(count, dtype=np.bool_)
    kept[at : at + int(sizes.get("reference_hole", 0))] = False
    kept[np.linspace(30, count - 30, int(sizes.get("reference_missing", 0))).astype(np.int64)] = False
    # A bar of the day after a session, a Saturday, that repeats it.
    fridays = np.flatnonzero(np.is_busday(sessions) & ~np.is_busday(sessions + 1))
    ghosts = fridays[np.linspace(5, fridays.size - 30, int(sizes.get("ghost_sessions", 0))).astype(np.int64)]
    rows = np.sort(np.concatenate([np.flatnonzero(kept), ghosts]))
    is_ghost = np.append(False, rows[1:] == rows[:-1])
    adjusted, unadjusted = (
        _series(
            sessions[rows] + is_ghost, _as_shipped(close + off, at, sizes)[rows], contract_on_day[rows], market.tick,
            np.where(is_ghost, 0, 10_000),
        )
        for close in (carried, raw)
    )  # fmt: skip
    return Reference(
        "other", adjusted if shipped != "unadjusted" else None, unadjusted if shipped != "adjusted" else None
    )


def _as_shipped(close: Floats, at: int, sizes: Mapping[DefectKind, float]) -> Floats:
    """Closes in ticks as they are shipped: what is wrong from session `at` on, and what is wrong with the newest."""
    out, count = close.copy(), close.size
    for newest in NEWEST:
        late, stale = (int(_size(sizes, newest, what)) for what in ("late", "stale"))
        if late:
            out[-newest:] = close[-newest - late : -late]
        if stale:
            out[count - newest : count - newest + stale] = close[count - newest - 1]
        out[-newest:] *= _size(sizes, newest, "unit") or 1.0
    stale, repeated, late, hour = (
        int(sizes.get(kind, 0)) for kind in ("stale_closes", "repeated_closes", "labels_late", "other_hour")
    )
    place = np.arange(count)
    since = place - at
    within = {n: (since >= 0) & (since < n) for n in (stale, repeated, late, hour)}
    source = np.where(within[stale], at - 1, place)
    source = np.where(within[repeated], place - repeated, source)
    source = np.where(within[late], place - 1, source)
    out = out[source]
    out += np.where(within[hour], (3.0 + since * 7 % 10) * np.where(since * 5 % 7 < 3, 1.0, -1.0), 0.0)
    rounded = sizes.get("rounded_closes", 1.0)
    return np.asarray(np.rint(out / rounded) * rounded if rounded > 1.0 else out)


def _size(sizes: Mapping[DefectKind, float], newest: int, what: str) -> float:
    """The size of a defect of the newest sessions; 0.0 where it is not asked for."""
    return sizes.get(cast("DefectKind", f"newest_{newest}_{what}"), 0.0)


def _series(sessions: Days, close: Floats, contract_on_day: Ints, tick: float, volume: Ints) -> DailySeries:
    bars = _bars(close, np.arange(close.size), contract_on_day)
    frame = pl.DataFrame({"session": sessions, **{name: prices * tick for name, prices in bars.items()}})
    frame = frame.with_columns(
        volume=pl.Series(volume, dtype=pl.Int64),
        open_interest=pl.lit(None, dtype=pl.Int64),
        contract=pl.lit(None, dtype=pl.String),
        adjustment=pl.lit(0.0),
    )
    return DailySeries(frame, _meta("other"))


def _bars(close: Floats, session: Ints, contract: Ints) -> dict[str, Floats]:
    """Open, high and low around closes, alike on both sides for the same contract and session."""
    swing = 2.0 + (session * 7 + contract * 3) % 5
    return {"open": close - 1.0, "high": close + swing, "low": close - swing, "close": close}


def _names(market: Market) -> list[Contract]:
    step = _month_step(market)
    first = 2008 * 12 + step - 1
    months = [first + step * k for k in range(market.contracts)]
    return [Contract(month // 12, month % 12 + 1, ROOT) for month in months]


def _month_step(market: Market) -> int:
    return 1 if market.cycle <= 21 else 2 if market.cycle <= 42 else 3


def _meta(vendor: str) -> SeriesMeta:
    return SeriesMeta(ROOT, vendor, "exchange_session", "settlement", "points")
