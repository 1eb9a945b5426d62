"""What has happened to the gating symbols since the lock: how far the data reach, the ratchet, restated bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.errors import CtlError
from ctl.flows import kept_bars, locked_past, pipeline, standing
from ctl.flows.backtest import newest_impossible
from ctl.flows.inputs import SymbolInputs, inputs_up_to
from ctl.flows.kept_bars import KeptBars, KeptTable
from ctl.flows.locked_workspace import changed_terms, contradicted
from ctl.flows.series import as_traded, canonical_series
from ctl.gatekeeper import LockRead, SinceLock
from ctl.model.findings import Reason
from ctl.model.locked import DataTo
from ctl.model.rolls import ContinuousSeries
from ctl.model.run import SymbolState
from ctl.since_lock import ratchet, restated, staleness
from ctl.since_lock.restated import Shift, Table

if TYPE_CHECKING:
    import polars as pl

    from ctl.flows.pipeline import Made
    from ctl.model.bars import Lacking
    from ctl.model.findings import Decision
    from ctl.model.lock_file import LockedInputs, LockFile
    from ctl.model.locked import LockedSymbol, WatchedMetrics
    from ctl.model.run import Restatement
    from ctl.operating_profile import OperatingProfile
    from ctl.since_lock.ratchet import Judged
    from ctl.since_lock.restated import Adjustment
    from ctl.store import Workspace

LOCKED_BARS_MISSING: Final = "LOCKED_BARS_MISSING"
_UNSEEN_SESSIONS: Final = 10
"""Within which a roll may not be seen in adjusted closes alone, and the session before it."""
_DIVIDEND_WITHIN: Final = 0.005
"""How far off the factor of a share's action may be known: what certification leaves unexplained of it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What has happened to one symbol. missing: why it cannot be held against the lock. after: its bars since, as a
    passed gate keeps them; None where nothing is locked. contradicted: its settings by what is known of it, or its
    newest bars by themselves. changed: its terms since they were locked. ours_lack, theirs_lack: sessions at the end of
    either side's files.
    """

    judged: Judged | None = None
    missing: Reason | None = None
    restatements: tuple[Restatement, ...] = ()
    data_to: DataTo = field(default_factory=DataTo)
    after: pl.DataFrame | None = None
    contradicted: tuple[Reason, ...] = ()
    changed: tuple[Reason, ...] = ()
    state: SymbolState = field(default_factory=SymbolState)
    ours_lack: tuple[Lacking, ...] = ()
    theirs_lack: tuple[Lacking, ...] = ()


@dataclass(frozen=True, slots=True)
class Locked:
    """What a lock holds of one symbol, and what it is expected to be. sha256: of the lock file, once it is written."""

    symbol: LockedSymbol
    inputs: LockedInputs
    expected: Decision | None
    ratchet: float
    sha256: str | None


def locked(profile: OperatingProfile, held: LockRead | None, symbol: str) -> Locked | None:
    """What the lock holds of a symbol; None where nothing."""
    lock = None if held is None else held.lock
    found = None if lock is None else lock.symbols.get(symbol)
    if held is None or lock is None or found is None:
        return None
    expected = profile.symbol_settings[symbol].expected_status
    return Locked(found, lock.inputs[symbol], expected, profile.ratchet, held.sha256)


def of_symbol(
    workspace: Workspace,
    profile: OperatingProfile,
    made: Made,
    lock: Locked | None,
    *,
    as_of: date | None,
    kept: KeptBars | None,
    before: Watched | None = None,
    keep: bool = False,
) -> Watched:
    """Hold one certified symbol against the lock, what was kept of earlier readings, and what is known of it.

    as_of: the symbol is cut there, and so are the kept readings that its bars are compared with. kept: None where the
    lock is made of these very bars. before: what was found beside another lock. keep: whether what the locked sessions
    come to is kept for later commands.
    """
    if before is None:
        against = _known(workspace, profile, made)
    else:
        against = replace(before, judged=None, missing=None, restatements=(), after=None, changed=())
    if lock is None:
        return against
    restatements: list[Restatement] = []
    missing: Reason | None = None
    judged: Judged | None = None
    try:
        missing = None if kept is None else _absent(made, kept, lock.inputs)
        if missing is None and kept is not None:
            restatements += restated_bars(made, lock.symbol, kept, as_of=as_of)
        if lock.expected is not None:
            judged = judge(
                workspace, made, lock.symbol, lock.expected, ratchet_by=lock.ratchet, as_of=as_of, kept=kept, keep=keep
            )
    except CtlError as error:
        missing = Reason(error.code, "ERROR", f"it cannot be held against the lock: {error}")
    return replace(
        against,
        judged=judged,
        missing=missing,
        restatements=tuple(restatements),
        after=None if kept is None else kept_bars.after(made.inputs, lock.symbol),
        changed=() if kept is None else changed_terms(made.inputs, lock.inputs),
    )


def _known(workspace: Workspace, profile: OperatingProfile, made: Made) -> Watched:
    """What there is to say of a symbol beside any lock."""
    symbol = made.inputs.symbol
    calendar = workspace.symbol(symbol).calendar
    return Watched(
        data_to=data_to(made),
        contradicted=(*contradicted(workspace, profile, symbol, made.inputs), *_impossible(made, calendar)),
        state=standing.state(made, calendar),
        ours_lack=made.inputs.meta.lacking,
        theirs_lack=_reference_lacks(made.inputs),
    )


def _impossible(made: Made, calendar: str) -> tuple[Reason, ...]:
    """Newest bars of the traded series that cannot be: a stop, a target or a size would rest on them."""
    series = as_traded(made.inputs, made.series)
    found = "" if series is None else newest_impossible(series, calendar=calendar)
    symbol, vendor = made.inputs.symbol, made.inputs.vendor_name
    return (Reason("BAD_BARS", "ERROR", f"{symbol}, {vendor}: {found}; mend the file"),) if found else ()


def _reference_lacks(held: SymbolInputs) -> tuple[Lacking, ...]:
    reference = held.reference
    sides = () if reference is None else (reference.unadjusted, reference.adjusted)
    return tuple(each for side in sides if side is not None for each in side.meta.lacking)


def since_lock(
    workspace: Workspace,
    profile: OperatingProfile,
    lock: LockFile | None,
    watched: Mapping[str, Watched],
    *,
    instant: datetime,
    as_of: date | None,
) -> SinceLock:
    """What `of_symbol` found of the certified symbols, and how far their data reach beside one another."""
    reaches = [
        staleness.Reach(
            symbol, workspace.symbol(symbol).calendar, found.data_to, lock.symbols.get(symbol) if lock else None
        )
        for symbol, found in watched.items()
    ]
    now: date | datetime = as_of or instant
    if workspace.simulated:
        now = max((day for reach in reaches if (day := reach.data_to.newest) is not None), default=instant.date())
    limit = None if profile.max_staleness_sessions == "none" else profile.max_staleness_sessions
    stale = dict(staleness.judge(reaches, now=now, limit=limit, as_of=as_of))
    for symbol, found in watched.items():
        lost = staleness.lacking(found.ours_lack, found.theirs_lack, found.data_to, instant=instant, as_of=as_of)
        if lost is not None:
            stale.setdefault(symbol, lost)
    return SinceLock(
        {symbol: found.judged for symbol, found in watched.items() if found.judged is not None},
        stale,
        {symbol: found.missing for symbol, found in watched.items() if found.missing is not None},
        {reach.symbol: reach.data_to for reach in reaches},
        tuple(restatement for found in watched.values() for restatement in found.restatements),
    )


def data_to(made: Made) -> DataTo:
    """How far both sides of a certified symbol reach; of contracts that make no series, their newest bar."""
    watched = made.certificate.watched
    reach = DataTo() if watched is None else watched.symbol.data_to
    if reach.canonical is not None:
        return reach
    newest = made.inputs.bars["session"].max()
    return replace(reach, canonical=newest if isinstance(newest, date) else None)


# ---------------------------------------------------------------- the ratchet


def judge(
    workspace: Workspace,
    made: Made,
    locked: LockedSymbol,
    expected: Decision,
    *,
    ratchet_by: float,
    as_of: date | None,
    kept: KeptBars | None,
    keep: bool,
) -> Judged:
    """Hold one certified symbol against its lock; certified again on cut sides only where that can differ.

    as_of, kept, keep: as for `of_symbol`.
    """
    now = made.certificate.watched
    if now is None:
        raise ValueError(f"the certificate of {made.inputs.symbol} was not made by a certification")
    last, against, history = locked.data_to.both, locked, now.symbol
    if as_of is not None and last is not None and as_of < last:
        against = replace(locked, metrics=_locked_metrics(made, kept, as_of) or now.symbol.metrics)
    elif now.symbol.data_to != locked.data_to:
        cut = inputs_up_to(_plain(made.inputs), locked.last_canonical, locked.last_reference)
        history = locked_past.certified_again(
            workspace, cut, made.terms, lambda: pipeline.watch_symbol(cut, made.terms).symbol, keep=keep
        )

    def cut_before(day: date) -> LockedSymbol:
        before = inputs_up_to(_plain(made.inputs), day - timedelta(days=1))
        return pipeline.watch_symbol(before, made.terms).symbol

    return ratchet.judge(expected, against, now, history=history, ratchet=ratchet_by, cut_before=cut_before)


def _plain(held: SymbolInputs) -> SymbolInputs:
    """The inputs without what is told beside the decision."""
    return replace(held, settlements=None, session_bars=None)


def _locked_metrics(made: Made, kept: KeptBars | None, as_of: date) -> WatchedMetrics | None:
    """The metrics of the locked reading cut at an earlier day; None where today's reading is the same up to there."""
    import polars as pl

    frames: dict[str, pl.DataFrame] = {}
    same = True
    for table in kept_bars.tables(made.inputs):
        frame = None if kept is None else kept.locked(made.inputs.symbol, table.series)
        if frame is None:
            return None
        frames[table.series] = frame
        same = same and frame.filter(pl.col("session") <= as_of).equals(table.frame, null_equal=True)
    if same:
        return None
    locked = kept_bars.with_tables(made.inputs, frames)
    return pipeline.watch_symbol(inputs_up_to(locked, as_of), made.terms).symbol.metrics


# ---------------------------------------------------------------- restated bars


def _absent(made: Made, kept: KeptBars, inputs: LockedInputs) -> Reason | None:
    """Which locked bars are missing, or are not those that were locked."""
    symbol = made.inputs.symbol
    for table in kept_bars.tables(made.inputs):
        path, side = kept.locked_path(symbol, table.series), inputs.side(table.series)
        frame = kept.locked(symbol, table.series)
        if side is None:
            continue
        what = None
        if frame is None:
            what = "is missing or cannot be read"
        elif kept_bars.digest(frame) != side.bars:
            what = "is not what was locked"
        if what is not None:
            text = (
                f"{path.name} {what}, so restated history cannot be told; restore it, or lock a new version (ctl lock)"
            )
            return Reason(LOCKED_BARS_MISSING, "ERROR", text)
    return None


def restated_bars(made: Made, locked: LockedSymbol, kept: KeptBars, *, as_of: date | None) -> list[Restatement]:
    """What each vendor's past bars read otherwise than when they were locked, or at the last passed gate.

    as_of: the last session of `made`; the kept readings are cut there too (inclusive).
    """
    symbol, found = made.inputs.symbol, []
    for table in kept_bars.tables(made.inputs):
        reading = kept.locked(symbol, table.series)
        if reading is None:
            continue
        reading = _up_to(reading, as_of)
        readings = [reading, *(_up_to(passed, as_of) for passed in kept.last_passed(symbol, table))]
        restatement = restated.compare(_table(made, locked, table, as_of), readings, table.frame)
        if restatement is None:
            continue
        if table.series == "contracts" and not restatement.refusal:
            restatement = restated.with_moved_rolls(restatement, _moved_rolls(made, reading))
        found.append(restatement)
    return found


def _up_to(frame: pl.DataFrame, as_of: date | None) -> pl.DataFrame:
    import polars as pl

    return frame if as_of is None else frame.filter(pl.col("session") <= as_of)


def _table(made: Made, locked: LockedSymbol, table: KeptTable, as_of: date | None) -> Table:
    held: pl.DataFrame | None = None
    if table.series == "contracts" and isinstance(made.series, ContinuousSeries):
        held = _held(made.series)
    adjustment, shifts, unseen = _shifts(made, locked, table, as_of)
    return Table(
        symbol=made.inputs.symbol,
        vendor=table.vendor,
        series=table.series,
        tick=made.terms.tick,
        adjusted=adjustment,
        shifts=shifts,
        unseen=unseen,
        traded=table.ours,
        held=held,
    )


def _held(series: ContinuousSeries) -> pl.DataFrame:
    """Sessions and contracts of the bars that our series is made of, both contracts on a gap session."""
    import polars as pl

    gaps = pl.DataFrame(
        {
            "session": [roll.gap_session for roll in series.rolls],
            "contract": [roll.to_contract for roll in series.rolls],
        },
        schema={"session": pl.Date, "contract": pl.String},
    )
    return pl.concat([series.frame.select("session", pl.col("contract").cast(pl.String)), gaps]).unique()


def _shifts(
    made: Made, locked: LockedSymbol, table: KeptTable, as_of: date | None
) -> tuple[Adjustment | None, list[Shift], list[Shift]]:
    """How an adjusted file's history moves, by what the rolls or actions known now have moved it, and by what one roll
    that is too late to be known may have.

    Rolls after `as_of` have moved the whole file and are not among those of a symbol cut there: any constant.
    """
    held = made.inputs
    if held.equity is not None:
        basis = held.equity.meta.adjustment_basis if table.ours else _reference_basis(held, table)
        return (None, [], []) if basis in (None, "raw") else ("ratio", _of_actions(held, table.frame, basis), [])
    if table.series != "adjusted":
        return None, [], []
    metrics = locked.metrics
    tick = made.terms.tick
    both = held.reference is not None and held.reference.unadjusted is not None
    within = tick if both else ratchet.GAP_FACTOR * (metrics.max_gap_diff or 0.0) + tick
    scale = None if made.certificate.watched is None else made.certificate.watched.symbol.metrics.scale
    last = locked.last_reference
    rolls = [
        Shift(roll.roll_date, roll.gap / (scale or 1.0), within / (scale or 1.0))
        for roll in made.certificate.reference_rolls
        if roll.gap is not None and (last is None or roll.roll_date > last)
    ]
    if as_of is not None:
        rolls.append(Shift(as_of + timedelta(days=1), 0.0, float("inf")))
    unseen = [] if both else [Shift(day, gap / (scale or 1.0), within / (scale or 1.0)) for day, gap in _unseen(made)]
    return ("difference" if scale is None else "ratio"), rolls, unseen


def _unseen(made: Made) -> list[tuple[date, float]]:
    """What the roll after the reference's last known one would have been, on each of the newest sessions.

    Adjusted closes show a roll only some sessions later. Empty unless its newest close is that of the next contract
    (nothing after it is adjusted), or our series rolled to it by then.
    """
    held, known, series = made.inputs, made.certificate.reference_rolls, made.series
    side = None if held.reference is None else held.reference.adjusted
    if held.contracts is None or side is None or not known or not isinstance(series, ContinuousSeries):
        return []
    old, months = known[-1].to_contract, None if held.policy is None else held.policy.eligible_months
    order = [each.name for each in held.contracts.contracts if months is None or each.month_code in months]
    if old not in order[:-1]:
        return []
    new = order[order.index(old) + 1]
    closes = [
        dict(held.contracts.frame.filter(contract=name).select("session", "close").drop_nulls().iter_rows())
        for name in (old, new)
    ]
    newest = side.frame.select("session", "close").tail(_UNSEEN_SESSIONS).rows()
    gaps = [(day, closes[1][day] - closes[0][day]) for day, _ in newest if day in closes[0] and day in closes[1]]
    if not gaps:
        return []
    day, now = newest[-1]
    apart = [abs(each.get(day, float("inf")) - now) for each in closes]
    ours = any((roll.from_contract, roll.to_contract) == (old, new) for roll in series.rolls)
    return gaps if ours or apart[1] < apart[0] else []


def _reference_basis(held: SymbolInputs, table: KeptTable) -> str | None:
    side = None if held.reference is None else getattr(held.reference, table.series)
    return None if side is None else side.meta.adjustment_basis


def _of_actions(held: SymbolInputs, frame: pl.DataFrame, basis: str) -> list[Shift]:
    """By what each action multiplies earlier prices of a basis, as logarithms."""
    days, closes = frame["session"].to_numpy().astype("datetime64[D]"), frame["close"].to_numpy()
    shifts = []
    for event in () if held.actions is None else held.actions.events:
        size = -float(np.log(event.split_ratio))
        before = int(np.searchsorted(days, np.datetime64(event.ex_date))) - 1
        if basis == "total_return" and event.dividend and before >= 0:
            size += float(np.log1p(-event.dividend / closes[before]))
        if size:
            shifts.append(Shift(event.ex_date, size, _DIVIDEND_WITHIN))
    return shifts


def _moved_rolls(made: Made, reading: pl.DataFrame) -> list[str]:
    """Our rolls up to the end of an earlier reading of our contracts that fall otherwise on it than now."""
    held, series = made.inputs, made.series
    until = reading["session"].max()
    if held.contracts is None or held.policy is None or not isinstance(series, ContinuousSeries):
        return []
    then_held = kept_bars.with_tables(replace(held, reference=None), {"contracts": reading})
    built = canonical_series(then_held, made.terms.calendar)
    then = built.rolls if isinstance(built, ContinuousSeries) else ()
    now = {(roll.from_contract, roll.to_contract, roll.roll_date) for roll in series.rolls}
    newest = series.frame["session"].max()
    if not isinstance(until, date) or not isinstance(newest, date):
        return []
    until = min(until, newest)
    moved = [
        roll
        for roll in then
        if roll.roll_date <= until and (roll.from_contract, roll.to_contract, roll.roll_date) not in now
    ]
    before = {(roll.from_contract, roll.to_contract, roll.roll_date) for roll in then}
    came = [
        roll
        for roll in series.rolls
        if roll.roll_date <= until and (roll.from_contract, roll.to_contract, roll.roll_date) not in before
    ]
    names = [(roll.from_contract, roll.to_contract) for roll in (*moved, *came)]
    if then_held.contracts is not None and held.policy.target == "adjacent":
        months = held.policy.eligible_months
        read = [each for each in then_held.contracts.contracts if months is None or each.month_code in months]
        later = [(roll.from_contract, roll.to_contract) for roll in series.rolls if roll.roll_date > until]
        names += restated.past_gone(later, read, held.contracts.contracts)
    return list(dict.fromkeys(f"{old}>{new}" for old, new in names))
