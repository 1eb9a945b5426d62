"""Past bars that read otherwise now than when they were locked, or than at the last passed gate.

A vendor may correct its history: that is reported. What is off by more than a tick too often, or lately, refuses until
a new version is locked. An adjusted file is new in every value after every roll, so one constant (of ratios and shares
one factor) that the rolls or actions since account for is taken out first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ctl.model.findings import counted, in_full
from ctl.model.run import RESTATED_HISTORY, RestatedValue, Restatement

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from ctl.model.contracts import Contract

    Floats = npt.NDArray[np.float64]

Adjustment = Literal["difference", "ratio"]
PRICES: Final = ("open", "high", "low", "close")
COLUMNS: Final = (*PRICES, "volume", "open_interest")
WINDOW: Final = 250
MOST_OFF: Final = 0.01
"""Of any window of sessions: the share that may be off by more than a tick."""
NEWEST: Final = 60
"""Sessions before the newest common one, none of which may be off."""
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Shift:
    """What a roll or an action since moved an adjusted file's history by: prices, of ratios and shares logarithms.

    day: its first session. size: the gap, or the logarithm of the factor. within: how far off it may be known.
    """

    day: date
    size: float
    within: float


@dataclass(frozen=True, slots=True)
class Table:
    """One vendor's bars of one symbol.

    series: `contracts`, `daily`, `adjusted` or `unadjusted`. adjusted: how its history moves with every roll or action,
    None where it stands still. shifts: the rolls or actions known, ascending. unseen: what one roll after
    them, too late to be seen in the file, may have moved it by, whichever its session. traded: whether the strategy
    reads its opens, highs and lows. held: of contracts, columns session and contract of the bars that our series is
    made of; others are reported and refuse nothing.
    """

    symbol: str
    vendor: str
    series: str
    tick: float
    adjusted: Adjustment | None = None
    shifts: Sequence[Shift] = ()
    unseen: Sequence[Shift] = ()
    traded: bool = False
    held: pl.DataFrame | None = None


def compare(
    table: Table,
    readings: Sequence[pl.DataFrame],
    now: pl.DataFrame,
    *,
    rolls_moved: Sequence[str] = (),
    limit: int = 100,
) -> Restatement | None:
    """What `now` says otherwise than earlier readings; None where nothing.

    readings: the locked bars, then those of the last passed gate; of a later one the sessions after the earlier. All
    frames: columns session, contract (may be absent or null), open, high, low, close, volume, open_interest. Sessions
    after the last reading are new, not restated; those after the newest of `now` are gone, which refuses nothing here:
    data that end too early are stale. limit: how many changes to list, at least one; `total`
    counts them all.
    """
    import polars as pl

    joined: list[pl.DataFrame] = []
    after: date | None = None
    newest = now["session"].max()
    for reading in readings:
        until = reading["session"].max()
        if not isinstance(until, date) or not isinstance(newest, date):
            continue
        if after is not None and until <= after:
            continue
        within = pl.col("session") <= until if after is None else pl.col("session").is_between(after, until, "right")
        as_read, as_now = reading if after is None else reading.filter(within), now.filter(within)
        after = until
        if as_read.columns == as_now.columns and as_read.equals(as_now, null_equal=True):
            continue  # what mostly is, and needs no sorting
        old, new = _bars(as_read, table.symbol), _bars(as_now, table.symbol)
        if not old.equals(new, null_equal=True):
            joined.append(_joined(table, old, new, min(until, newest)))
    if not joined or after is None:
        return None
    both = pl.concat(joined)
    changes, level = _changes(both, table), _moved_as_a_whole(both, table)
    if changes.is_empty() and not level:
        return None
    return _restatement(table, changes, _refusal(both, table, readings, now), level, limit)


def differences(table: Table, reading: pl.DataFrame, now: pl.DataFrame) -> tuple[float, pl.DataFrame]:
    """By what an adjusted file was moved between two readings of the same sessions, and every value that differs.

    Both frames: as for `compare`, at least one session each. The frame returned: columns contract, session, column
    (`bar` for one that came or went), old, new, by session.
    """
    old, new = _bars(reading, table.symbol), _bars(now, table.symbol)
    both = _joined(table, old, new, date.min)
    return float(both["moved"][0]), _changes(both, table).select("contract", "session", "column", "old", "new")


def with_moved_rolls(found: Restatement, rolls: Sequence[str]) -> Restatement:
    """The restatement, which refuses where it moves our rolls, whatever its prices."""
    if not rolls:
        return found
    refusal = f"it moves {', '.join(rolls[:3])}" + (f" and {len(rolls) - 3} more" if len(rolls) > 3 else "")
    return replace(found, refusal=refusal, text=f"{found.text}; {refusal}")


def past_gone(
    rolls: Iterable[tuple[str, str]], read: Iterable[Contract], there: Sequence[Contract]
) -> tuple[tuple[str, str], ...]:
    """The rolls, as (from, to), that pass over a contract that was read earlier and is gone.

    read, there: contracts of the earlier reading that may be held, and those of now. What such a roll leads to is not
    the next contract, and may be one that hardly trades.
    """
    gone, known = set(read) - set(there), {contract.name: contract for contract in there}
    return tuple(
        (old, new)
        for old, new in rolls
        if old in known and new in known and any(known[old] < each < known[new] for each in gone)
    )


def _bars(frame: pl.DataFrame, symbol: str) -> pl.DataFrame:
    import polars as pl

    if "contract" not in frame.columns:
        frame = frame.with_columns(contract=pl.lit(symbol))
    return frame.select(
        "session",
        pl.col("contract").fill_null(symbol),
        *(pl.col(name).cast(pl.Float64).fill_nan(None) for name in COLUMNS),
    ).sort("session", "contract")


def _joined(table: Table, old: pl.DataFrame, new: pl.DataFrame, until: date) -> pl.DataFrame:
    """Both readings side by side, the old one moved by what rolls or actions since account for."""
    import polars as pl

    marked = (frame.with_columns(present=pl.lit(True)) for frame in (old, new))
    both = next(marked).join(next(marked), on=["session", "contract"], how="full", suffix="_new", coalesce=True)
    both = both.with_columns(moved=pl.lit(0.0))
    if table.adjusted is None:
        return both
    since = [shift for shift in table.shifts if shift.day > until]
    ratio = table.adjusted == "ratio"
    before, after = both["close"].to_numpy(), both["close_new"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.log(after / before) if ratio else after - before
    size = _moved_by(difference[np.isfinite(difference)], since, table, float(np.nanmedian(np.abs(before))))
    factor = float(np.exp(size)) if ratio else 1.0
    constant = 0.0 if ratio else size
    moved = [pl.col(name) * factor + constant for name in PRICES]
    return both.with_columns(*moved, moved=pl.lit(size))


def _moved_by(difference: Floats, since: Sequence[Shift], table: Table, price: float) -> float:
    """The constant that leaves the fewest closes off, of those that the rolls or actions since account for."""
    tick = table.tick / price if table.adjusted == "ratio" else table.tick
    best, fewest = 0.0, int((np.abs(difference) > tick).sum())
    totals = list(accumulate(((shift.size, shift.within) for shift in since), _added, initial=(0.0, 0.0)))
    totals += [_added(totals[-1], (shift.size, shift.within)) for shift in table.unseen]
    for total, within in totals[1:]:
        near = difference[np.abs(difference - total) <= within + tick]
        if near.size:
            size = float(np.median(near))
            off = int((np.abs(difference - size) > tick).sum())
            if off < fewest:
                best, fewest = size, off
    return best


def _added(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] + other[0], one[1] + other[1]


def _moved_as_a_whole(both: pl.DataFrame, table: Table) -> str:
    """By what a file was moved where rolls that are not known here may account for any level; else empty."""
    unknown = next((shift for shift in table.shifts if shift.within == float("inf")), None)
    moved = float(both["moved"][0])
    if unknown is None or moved == 0.0:
        return ""
    size = (
        f"times {in_full(np.exp(moved), 6)}" if table.adjusted == "ratio" else f"moved by {in_full(moved, signed=True)}"
    )
    return f"every price {size}, which only rolls from {unknown.day} on can account for"


def _changes(both: pl.DataFrame, table: Table) -> pl.DataFrame:
    """One row per value that differs, by session, contract and column; `bar` for one that came or went."""
    import polars as pl

    came, went = pl.col("present").is_null(), pl.col("present_new").is_null()
    parts = [
        both.filter(came | went).select(
            "session", "contract", column=pl.lit("bar"), order=pl.lit(-1), old="close", new="close_new"
        )
    ]
    for order, name in enumerate(COLUMNS):
        old, new = pl.col(name), pl.col(f"{name}_new")
        # A file whose prices were moved, by a vendor that rounds, is the same to a tick.
        rounded = pl.when(pl.col("moved") == 0.0).then(0.0).otherwise(table.tick)
        allowed = rounded + _SAME * pl.max_horizontal(old.abs(), pl.lit(1.0)) if name in PRICES else pl.lit(0.0)
        differs = (old.is_null() != new.is_null()) | ((new - old).abs() > allowed).fill_null(value=False)
        parts.append(
            both.filter(~came & ~went & differs).select(
                "session", "contract", column=pl.lit(name), order=pl.lit(order), old=name, new=f"{name}_new"
            )
        )
    return pl.concat(parts).sort("session", "contract", "order")


def _refusal(both: pl.DataFrame, table: Table, readings: Sequence[pl.DataFrame], now: pl.DataFrame) -> str:
    """Why a restatement is too large to go on with; empty where it is not."""
    import polars as pl

    off = pl.col("present").is_null() | pl.col("present_new").is_null()
    for name in PRICES if table.traded else ("close",):
        old, new = pl.col(name), pl.col(f"{name}_new")
        off |= ((new - old).abs() > table.tick + _SAME).fill_null(value=False)
        if name == "close":
            off |= old.is_null() != new.is_null()
    rows = both.filter(off, pl.col("session") <= now["session"].max())
    if table.held is not None:
        rows = _of_held(rows, table.held)
    if rows.is_empty():
        return ""
    days = np.unique(rows["session"].to_numpy().astype("datetime64[D]"))
    then = np.unique(np.concatenate([reading["session"].to_numpy().astype("datetime64[D]") for reading in readings]))
    common = np.intersect1d(then, now["session"].to_numpy().astype("datetime64[D]"))
    listed = np.union1d(then, days)
    return _too_often(np.isin(listed, days), listed, common[-1] if common.size else listed[-1])


def _of_held(rows: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """The rows of bars that our series is made of, and of those that it lacks because they went.

    A series cannot name the bar of a session that it lost: that was the contract's of the session before.
    """
    import polars as pl

    days = held.select("session", before="session").unique().sort("session")
    lost = rows.filter(pl.col("present_new").is_null()).join(days, on="session", how="anti").sort("session")
    lost = lost.join_asof(days, on="session").join(
        held, left_on=["before", "contract"], right_on=["session", "contract"], how="semi"
    )
    return pl.concat([rows.join(held, on=["session", "contract"], how="semi"), lost.drop("before")])


def _too_often(off: npt.NDArray[np.bool_], days: npt.NDArray[np.datetime64], newest: np.datetime64) -> str:
    """off: by session (n). newest: the newest that both readings have, where settlements are still corrected."""
    before = np.flatnonzero(days < newest)[-NEWEST:]
    late = before[off[before]]
    if late.size:
        return f"off by more than a tick on {days[late[-1]]}, one of the {NEWEST} sessions before {newest}"
    width = min(WINDOW, len(off))
    summed = np.concatenate(([0], np.cumsum(off)))
    inside = summed[width:] - summed[:-width]
    worst = int(np.argmax(inside))
    if inside[worst] <= MOST_OFF * width:
        return ""
    return f"off by more than a tick on {inside[worst]} of {width} sessions to {days[worst + width - 1]}"


def _said(value: float | None) -> str:
    return "nothing" if value is None else str(value)


def _restatement(table: Table, changes: pl.DataFrame, refusal: str, level: str, limit: int) -> Restatement:
    shown = tuple(
        RestatedValue(contract, session, column, before, after)
        for session, contract, column, _, before, after in changes.head(max(limit, 1)).iter_rows()
    )
    count = changes["session"].n_unique()
    said = [level]
    if shown:
        first = shown[0]
        said.append(f"{counted(changes.height, 'value')} on {counted(count, 'session')}")
        said.append(f"first {first.contract} {first.session} {first.column} {_said(first.old)} -> {_said(first.new)}")
    text = f"{RESTATED_HISTORY}: {table.symbol}, {table.vendor} {table.series}: "
    return Restatement(
        symbol=table.symbol,
        vendor=table.vendor,
        series=table.series,
        text=text + "; ".join(filter(None, [*said, refusal])),
        refusal=refusal,
        total=changes.height,
        sessions=count,
        contracts=tuple(changes["contract"].unique().sort().to_list()),
        changes=shown,
        truncated=len(shown) < changes.height,
    )
