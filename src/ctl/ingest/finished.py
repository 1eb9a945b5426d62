"""Which bars of a file are finished: a session counts only once it is over, for the file and for the command.

A file's data reach to the end that it states, else to when it was last written; what the command may know ends with
its own instant. A bar whose session is over later than either is unfinished.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl import sessions
from ctl.errors import DataError
from ctl.ingest.rows import FileBars, as_date
from ctl.model.bars import UNFINISHED, Lacking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ctl.ingest.rows import Rows
    from ctl.model.bars import SessionBasis

DAY: Final = 86_400_000_000_000
"""Nanoseconds of a UTC day."""

_NEVER: Final = 2**63 - 1
_WEEK: Final = 7
_NAMED: Final = 3
_THIN: Final = 0.25
_MEDIAN_OF: Final = 20


def nanoseconds(instant: datetime) -> int:
    """An aware instant as ns since 1970-01-01 UTC."""
    if instant.tzinfo is None:
        raise ValueError(f"a naive datetime is not an instant: {instant!r}")
    return int(np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "ns").astype(np.int64))


def without_unfinished(file: FileBars, calendar: str | None, now: datetime | None) -> FileBars:
    """The file without its unfinished bars, which are counted and named.

    calendar: whose sessions bars of `exchange_session` are; without one, and on days that it does not list, a day
    is over at 24:00 UTC. now: None bounds nothing. When a file was last written speaks of its newest bar alone: the
    time of a file may be that of a copy.
    """
    day = file.rows.day
    bounds = [bound for bound in (file.end, None if now is None else nanoseconds(now)) if bound is not None]
    end, written = min(bounds, default=_NEVER), _NEVER if file.end is not None else file.file.written or _NEVER
    if not len(day) or (int(day.max()) + 2) * DAY <= min(end, written):
        return file
    late = np.flatnonzero(day >= min(end, written, (int(day.max()) + 1) * DAY) // DAY - 2)
    days, where = np.unique(day[late], return_inverse=True)
    over = _over(days, None if file.session_basis == "utc_day" else calendar)
    unfinished = over > end
    finished = np.flatnonzero(~unfinished)
    if len(finished) and over[finished[-1]] > written:
        unfinished[finished[-1]] = True
    if not unfinished.any():
        return file
    left = [
        f"UNFINISHED_SESSION: {file.file.name}: {as_date(day)} left out, over at {instant_text(until)}; the data reach "
        f"to {instant_text(min(end, written))}"
        for day, until in zip(days[unfinished].tolist(), over[unfinished].tolist(), strict=True)
    ]
    named = left if len(left) <= _NAMED else [*left[:_NAMED], f"UNFINISHED_SESSION: {len(left) - _NAMED} more left out"]
    kept = np.ones(len(day), dtype=np.bool_)
    kept[late] = ~unfinished[where]
    until = instant_text(min(file.end or written, written))
    names = np.array([*file.rows.symbols, ""])[file.rows.symbol]
    parts = [
        (part_of(int(each), file.session_basis, calendar, file.file.name, until), frozenset(names[day == each]))
        for each in days[unfinished]
    ]
    return replace(
        kept_rows(file, kept),
        unfinished=tuple(parts),
        counts={**file.counts, UNFINISHED: len(left)},
        notes=(*file.notes, *named),
        extent=file.extent or (len(day), int(day.min()), int(day.max())),
    )


def part_of(day: int, basis: SessionBasis, calendar: str | None, name: str, until: str) -> Lacking:
    """The session that a day's bars belong to, of a weekend's or a holiday's the next one, of which a file has part."""
    days = _listed(calendar, day, day + _WEEK)
    session = int(days[0]) if len(days) else day
    text = f"{name} holds a part of it: its data reach to {until}"
    return Lacking("UNFINISHED_SESSION", as_date(session), _instant(session, basis, calendar), text)


def lacking(
    files: Sequence[FileBars], finished: Rows, newest: int, calendar: str | None, now: datetime | None
) -> tuple[Lacking, ...]:
    """The sessions at the end of all `files` that are not among their finished bars, although they reach into them.

    newest: the last session of the finished bars. One counts that comes after it, or is it where a symbol has only
    part of its bar. A session that the files state to cover (their `end`) and have no bar of at all is lost, where it
    is over at `now`.
    """
    found = []
    for part, symbols in (each for file in files for each in file.unfinished):
        number = int(np.datetime64(part.session).astype(np.int64))
        if number == newest:
            symbols -= {finished.symbols[code] for code in np.unique(finished.symbol[finished.day == newest])}
        if number > newest or (number == newest and symbols):
            found.append(part)
    ends = {file.end: file for file in files if file.end is not None and file.end < _NEVER}
    after = _listed(calendar, newest + 1, newest + _WEEK)
    if not ends or not len(after):
        return tuple(found)
    file = ends[max(ends)]
    over = _instant(int(after[0]), file.session_basis, calendar)
    if nanoseconds(over) <= max(ends) and (now is None or over <= now):
        text = (
            f"{file.file.name} states data to {instant_text(max(ends))} and has no bar after {as_date(newest)}: "
            "it was cut, or no market was open"
        )
        found.append(Lacking("LOST_SESSION", as_date(int(after[0])), over, text))
    return tuple(found)


def _instant(session: int, basis: SessionBasis, calendar: str | None) -> datetime:
    """When a session is over."""
    over = _over(np.array([session], dtype=np.int32), None if basis == "utc_day" else calendar)
    return datetime.fromtimestamp(int(over[0]) // 10**9, tz=UTC)


def _listed(calendar: str | None, first: int, last: int) -> NDArray[np.int64]:
    """The sessions of a calendar, both ends inclusive; none without one, or where it does not reach so far."""
    if calendar is None or calendar == "none":
        return np.empty(0, dtype=np.int64)
    try:
        return sessions.sessions_between(calendar, as_date(first), as_date(last)).astype(np.int64)
    except DataError:
        return np.empty(0, dtype=np.int64)


def kept_rows(file: FileBars, kept: NDArray[np.bool_]) -> FileBars:
    """The file with the rows of a mask alone, and what else it says of each row."""
    rows = file.rows if file.rows.line is not None else replace(file.rows, line=file.rows.lines())
    return replace(
        file,
        rows=rows.take(kept),
        contract=None if file.contract is None else file.contract[kept],
        adjustment=None if file.adjustment is None else file.adjustment[kept],
    )


def _over(days: NDArray[np.int32], calendar: str | None) -> NDArray[np.int64]:
    """When sessions are over: ns since 1970-01-01 UTC."""
    over = (days.astype(np.int64) + 1) * DAY
    listed = _listed(calendar, int(days[0]), int(days[-1]))
    known = np.flatnonzero(np.isin(days, listed))
    if calendar is not None and len(known):
        over[known] = sessions.closes_of(calendar, days[known].astype("datetime64[D]")).astype(np.int64)
    return over


def thin_last_session(rows: Rows, files: tuple[FileBars, ...]) -> str | None:
    """What is to be said of a newest session that traded little, where a file does not state its end.

    Its volume, of all contracts, is below a quarter of the median of the 20 sessions before it.
    """
    if all(file.end is not None for file in files) or not len(rows):
        return None
    newest = int(rows.day.max())
    if rows.volume_null is not None and rows.volume_null[rows.day == newest].all():
        return None
    first = newest - 2 * _MEDIAN_OF
    recent = rows.day >= first
    volume = np.bincount(rows.day[recent] - first, weights=rows.volume[recent])
    traded = np.flatnonzero(np.bincount(rows.day[recent] - first))
    before = volume[traded[-1 - _MEDIAN_OF : -1]]
    usual = float(np.median(before)) if len(before) == _MEDIAN_OF else 0.0
    if volume[-1] >= _THIN * usual:
        return None
    return f"THIN_LAST_SESSION: {as_date(newest)}: volume {volume[-1]:.0f}, below a quarter of the usual {usual:.0f}"


def instant_text(instant: int) -> str:
    """An instant in ns since 1970-01-01 UTC, to the minute."""
    moment = datetime.fromtimestamp(instant / 1e9, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"
