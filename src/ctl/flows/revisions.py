"""Every reading of a symbol's bars that the workspace kept, side by side: locks, passed gates, and the files now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctl import operating_profile
from ctl.errors import CtlError
from ctl.flows import inputs, kept_bars, portfolio
from ctl.flows.kept_bars import CANONICAL, COLUMNS, REFERENCE
from ctl.model.bars import AS_DELIVERED, SeriesChoice
from ctl.model.revisions import BarReading, Reading, RestatementRate, Revision, Revisions
from ctl.since_lock import restated
from ctl.since_lock.restated import PRICES, Adjustment, Shift, Table
from ctl.store import anchors, decision_log

if TYPE_CHECKING:
    import polars as pl

    from ctl.store import Workspace
    from ctl.store.decision_log import DecisionEntry

_LOCKED_FILE: Final = r"{symbol}_(contracts|daily|adjusted|unadjusted)\.parquet"
_ANY_LEVEL: Final = (Shift(date.max, 0.0, float("inf")),)
_LEVELS: Final[Mapping[str, tuple[Adjustment | None, ...]]] = {
    "adjusted": (None, "difference", "ratio"),
    "equity": (None, "ratio"),
}
"""How a file's history may have been moved as a whole since, by series: what leaves the fewest values off counts."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A table of one reading, first to last session. at: when it was made; None: now."""

    name: str
    at: datetime | None
    vendor: str
    series: str
    frame: pl.DataFrame
    first: date
    last: date


def _read(name: str, at: datetime | None, vendor: str, series: str, frame: pl.DataFrame) -> Iterator[_Read]:
    """The reading, if it has any bars."""
    first, last = frame["session"].min(), frame["session"].max()
    if isinstance(first, date) and isinstance(last, date):
        yield _Read(name, at, vendor, series, frame, first, last)


def revisions(workspace: Workspace, symbol: str, session: date | None, *, instant: datetime) -> Revisions:
    """All readings of a symbol, and every value that a later one has otherwise.

    session: only that one, with every bar of it. Raises WorkspaceError for an unknown symbol or a damaged log,
    DecisionLogError likewise. What cannot be read is said and left out.
    """
    config = workspace.symbol(symbol)
    unread: list[str] = []
    locked, passed = [*_locked(workspace, symbol, unread)], [*_passed(workspace, symbol, unread)]
    locked = [_after_its_day(read, passed) for read in locked]
    reads = [
        *sorted((*locked, *passed), key=lambda read: (read.at or instant, read.name.startswith("lock"))),
        *_now(workspace, symbol, instant, unread),
    ]
    readings: list[Reading] = []
    found: list[Revision] = []
    rates: list[RestatementRate] = []
    bars: list[BarReading] = []
    for vendor, series in dict.fromkeys((read.vendor, read.series) for read in reads):
        own = [read for read in reads if (read.vendor, read.series) == (vendor, series)]
        table = Table(symbol=symbol, vendor=vendor, series=series, tick=config.tick)
        chain = _chained(table, own, _LEVELS.get("equity" if config.asset_class == "equity" else series, (None,)))
        readings += chain.readings
        rates.append(chain.rate)
        found += [each for each in chain.revisions if session is None or each.session == session]
        if session is not None:
            bars += [bar for read in own for bar in _bars_of(read, session, symbol)]
    data_to = next((read.last for read in reads if read.series not in REFERENCE and read.at is None), None)
    return Revisions(
        symbol=symbol,
        simulated=workspace.simulated,
        session=session,
        data_to=data_to,
        rates=tuple(rates),
        readings=tuple(readings),
        revisions=tuple(sorted(found, key=lambda each: each.session, reverse=True)),
        bars=tuple(bars),
        unread=tuple(unread),
    )


# ---------------------------------------------------------------- what was kept


def _locked(workspace: Workspace, symbol: str, unread: list[str]) -> Iterator[_Read]:
    """The bars that each version was locked on, of every cycle."""
    import polars as pl

    entries = [entry for entry in decision_log.read(workspace) if entry.lock is not None and entry.profiles]
    name = re.compile(_LOCKED_FILE.format(symbol=re.escape(symbol)))
    for path in sorted(workspace.processed.glob("*/locked/*/*.parquet")):
        found = name.fullmatch(path.name)
        if found is None:
            continue
        entry = next((each for each in entries if Path(each.profiles[-1].path).stem == path.parent.name), None)
        if entry is None:
            unread.append(f"{workspace.relative(path)}: no entry of the decision log locks it")
            continue
        try:
            frame = pl.read_parquet(path)
            vendor, choice = _locked_as(workspace, entry, symbol, ours=found[1] in CANONICAL)
        except (OSError, pl.exceptions.PolarsError) as error:
            unread.append(f"{workspace.relative(path)}: {type(error).__name__}")
            continue
        except CtlError as error:
            unread.append(f"{workspace.relative(path)}: {error}")
            continue
        version = operating_profile.version_of(f"{path.parent.name}.yaml")
        at = datetime.combine(entry.date or date.min, time.min, UTC)
        name_of_lock = f"lock v{version}" if version else f"lock {path.parent.name}"
        yield from _read(name_of_lock, at, vendor, kept_bars.read_as(found[1], choice), frame)


def _locked_as(workspace: Workspace, entry: DecisionEntry, symbol: str, *, ours: bool) -> tuple[str, SeriesChoice]:
    """Whose bars a lock rests on, and which: what its lock file says of the symbol, else what ctl.toml says now."""
    lock = anchors.read_lock(workspace, workspace.root / entry.profiles[-1].path).lock
    config = workspace.symbol(symbol)
    if lock is None:
        return str(config.canonical if ours else config.reference), AS_DELIVERED
    held = lock.workspace.get("symbols", {}).get(symbol, {})
    settings = operating_profile.load(lock.profile.text.encode(), entry.profiles[-1].path).symbol_settings.get(symbol)
    vendor = held.get("canonical", config.canonical) if ours else held.get("reference", config.reference)
    return str(vendor), settings.series if settings else AS_DELIVERED


def _passed(workspace: Workspace, symbol: str, unread: list[str]) -> Iterator[_Read]:
    """The bars of every passed gate that read others than the pass before, of every cycle."""
    import polars as pl

    for folder in sorted(workspace.processed.glob("*/passes")):
        for path in kept_bars.pass_files(replace(workspace, cycle_id=folder.parent.name)):
            stamp = path.name.removesuffix("_bars.parquet")
            at = datetime.strptime(stamp[:15], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
            try:
                whole = kept_bars.read_pass(path).filter(pl.col("symbol") == symbol)
            except CtlError as error:
                unread.append(str(error))
                continue
            for (vendor, series), frame in whole.group_by("vendor", "series", maintain_order=True):
                yield from _read(f"pass {stamp}", at, str(vendor), str(series), frame)


def _now(workspace: Workspace, symbol: str, instant: datetime, unread: list[str]) -> Iterator[_Read]:
    """The bars of the files now on disk, on the settings of the profile in force."""
    try:
        settings = portfolio.read_profile(workspace).symbol_settings.get(symbol)
        held = inputs.read_symbol(
            workspace,
            symbol,
            policy=settings.roll_policy if settings else None,
            reference=portfolio.deciding_reference(workspace, symbol, settings),
            series=settings.series if settings else AS_DELIVERED,
            now=instant,
        )
    except CtlError as error:
        unread.append(f"now: {error}")
        return
    for table in kept_bars.tables(held):
        yield from _read("now", None, table.vendor, table.read_as, table.frame)


def _after_its_day(read: _Read, passed: Sequence[_Read]) -> _Read:
    """A lock, of which only the day is known, behind the passes of that day that it was not in force for: a pass keeps
    the sessions after the locked ones.
    """
    before = [
        each.at
        for each in passed
        if each.at is not None and read.at is not None and each.at.date() == read.at.date()
        and (each.vendor, each.series) == (read.vendor, read.series) and each.first <= read.last
    ]  # fmt: skip
    return replace(read, at=max(before)) if before else read


# ---------------------------------------------------------------- what changed


@dataclass(frozen=True, slots=True)
class _Chain:
    readings: list[Reading]
    revisions: list[Revision]
    rate: RestatementRate


def _chained(table: Table, reads: Sequence[_Read], levels: Sequence[Adjustment | None]) -> _Chain:
    """Each reading against the last one before it that has a session: of a session only its own changes count."""
    import polars as pl

    readings: list[Reading] = []
    revisions: list[Revision] = []
    again: set[date] = set()
    changed: set[date] = set()
    older: set[date] = set()
    latest: list[tuple[_Read, pl.DataFrame]] = []
    for read in reads:
        moved: float | None = None
        inside = pl.col("session").is_between(read.first, read.last)
        for before, frame in latest:
            part = frame.filter(inside)
            if part.is_empty():
                continue
            now = read.frame.filter(pl.col("session").is_between(part["session"].min(), part["session"].max()))
            moved, rows = min(
                (restated.differences(replace(table, adjusted=kind, shifts=_ANY_LEVEL), part, now) for kind in levels),
                key=lambda found: found[1].height,
            )
            again |= set(part["session"].unique()) & set(now["session"].unique())
            for contract, session, column, old, new in rows.iter_rows():
                revisions.append(
                    Revision(table.vendor, table.series, contract, session, column, old, new, before.name, read.name)
                )
                if column in (*PRICES, "bar"):
                    changed.add(session)
                    if session != before.last:
                        older.add(session)
        latest = [(before, frame.filter(~inside)) for before, frame in latest]
        latest.append((read, read.frame))
        days = read.frame["session"].n_unique()
        level = moved if len(levels) > 1 else None
        readings.append(Reading(read.name, read.vendor, read.series, read.first, read.last, days, level))
    rate = len(changed) / len(again) if again else None
    return _Chain(
        readings,
        revisions,
        RestatementRate(table.vendor, table.series, len(readings), len(again), len(changed), len(older), rate),
    )


def _bars_of(read: _Read, session: date, symbol: str) -> Iterator[BarReading]:
    import polars as pl

    frame = read.frame.filter(pl.col("session") == session)
    for row in frame.iter_rows(named=True):
        values = {name: None if row[name] is None else float(row[name]) for name in COLUMNS[2:]}
        yield BarReading(read.vendor, read.series, str(row.get("contract") or symbol), read.name, values)
