"""Data that end too early: inside a session, or behind the instant, the other side, the lock or other symbols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from ctl import sessions
from ctl.model.bars import Lacking
from ctl.model.findings import Reason, counted
from ctl.model.locked import DataTo, LockedSymbol

STALE_INPUT: Final = "STALE_INPUT"
FUTURE_SESSION: Final = "FUTURE_SESSION"
MOST_APART: Final = 5
"""Sessions that a side may lie behind any other data: always, whatever the profile allows behind the instant."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A gating symbol's data: how far both sides reach, on which calendar, and how it was locked."""

    symbol: str
    calendar: str
    data_to: DataTo
    locked: LockedSymbol | None = None


@dataclass(frozen=True, slots=True)
class _Behind:
    """A side that ends `count` sessions before a day, and whose day it is."""

    side: str
    ends: date
    count: int
    day: date
    whose: str
    limit: int


def judge(
    reaches: Sequence[Reach], *, now: date | datetime, limit: int | None, as_of: date | None = None
) -> Mapping[str, Reason]:
    """Symbols whose data are too old, or lie in the future, and why.

    now: an aware instant, whose finished sessions count; or, where time is that of the data (a simulated workspace,
    `as_of`), the last day that counts, inclusive. limit: most sessions behind it; None: not judged. as_of: before the
    locked last session, the distance to that is not judged.
    """
    found: dict[str, Reason] = {}
    for reach in reaches:
        ahead = _ahead(reach, now)
        if ahead is not None:
            found[reach.symbol] = ahead
    known = [reach for reach in reaches if reach.symbol not in found]
    ends = [(newest, reach.symbol) for reach in known if (newest := reach.data_to.newest) is not None]
    latest = max(ends, default=None)
    for reach in known:
        oldest = min((day for day in (reach.data_to.canonical, reach.data_to.reference) if day), default=None)
        others = ends if latest and oldest and latest[0] > oldest else []  # of many symbols mostly none is ahead
        behind = [each for each in _behind(reach, others, now, limit, as_of) if each.count > each.limit]
        if behind:
            found[reach.symbol] = _reason(behind)
    return found


def lacking(
    ours: Iterable[Lacking],
    theirs: Iterable[Lacking],
    data_to: DataTo,
    *,
    instant: datetime,
    as_of: date | None = None,
) -> Reason | None:
    """Why a symbol's newest session cannot be relied on: it is over at the instant, and a side's files lack it.

    ours, theirs: what the files of either side lack. A session without any bar is lost where the other side has it;
    else nobody may have traded, whatever the calendar says. as_of: sessions after it are not asked for.
    """
    lost = [
        (each, side)
        for found, side, partner in ((ours, "", data_to.reference), (theirs, "its reference's ", data_to.canonical))
        for each in found
        if each.over <= instant
        and (as_of is None or each.session <= as_of)
        and (each.code != "LOST_SESSION" or (partner is not None and partner >= each.session))
    ]
    if not lost:
        return None
    each, side = min(lost, key=lambda item: (item[0].session, item[0].over))
    word = "unfinished" if each.code == "UNFINISHED_SESSION" else "lost"
    over = f"{each.over:%Y-%m-%d %H:%M} UTC"
    text = f"{side}session {each.session} is {word}, over since {over}: {each.text}; fetch it anew"
    return Reason(each.code, "ERROR", text)


def _ahead(reach: Reach, now: date | datetime) -> Reason | None:
    """Bars of a session to come: their age cannot be told."""
    last = reach.data_to.newest
    day = now.astimezone(UTC).date() if isinstance(now, datetime) else now
    # A session's label may be a day ahead of the UTC date at which it is already trading.
    if last is None or last <= day + timedelta(days=1):
        return None
    text = f"bars of {last}, a session to come: none is after {day}; mend the vendor's file, or the machine's clock"
    return Reason(FUTURE_SESSION, "ERROR", text)


def _behind(
    reach: Reach, others: Sequence[tuple[date, str]], now: date | datetime, limit: int | None, as_of: date | None
) -> Iterator[_Behind]:
    data_to, locked = reach.data_to, DataTo() if reach.locked is None else reach.locked.data_to
    sides = (
        ("", data_to.canonical, data_to.reference, "its reference", locked.canonical),
        ("its reference ", data_to.reference, data_to.canonical, "our bars", locked.reference),
    )
    for side, ends, partner, partner_name, locked_last in sides:
        if ends is None:
            continue
        if limit is not None:
            day = now.astimezone(UTC).date() if isinstance(now, datetime) else now
            what = "now" if isinstance(now, datetime) else "the newest data" if as_of is None else "the as-of date"
            yield _Behind(side, ends, sessions_since(reach.calendar, ends, now), day, what, limit)
        days = [] if partner is None else [(partner, partner_name)]
        if locked_last is not None and (as_of is None or as_of >= locked_last):
            days.append((locked_last, "the locked last session"))
        days += [other for other in others if other[1] != reach.symbol]
        for day, whose in days:
            if day > ends:
                yield _Behind(side, ends, sessions_since(reach.calendar, ends, day), day, whose, MOST_APART)


def _reason(behind: Sequence[_Behind]) -> Reason:
    worst = max(behind, key=lambda each: (each.count - each.limit, not each.side))
    same = [each for each in behind if (each.side, each.day) == (worst.side, worst.day)]
    names = list(dict.fromkeys(each.whose for each in same))
    whose = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    late = counted(worst.count, "session")
    text = f"{worst.side}ends {worst.ends}, {late} behind (limit {worst.limit}); {whose} {worst.day}"
    return Reason(STALE_INPUT, "ERROR", text, float(worst.count), float(worst.limit), "sessions")


def sessions_since(calendar: str, last: date, until: date | datetime) -> int:
    """Sessions after `last` that are finished: closed at an instant, or up to a day, inclusive.

    Without a calendar (`none`) weekdays count, over at 24:00 UTC. Raises DataError where the calendar does not reach
    so far.
    """
    day = until.astimezone(UTC).date() + timedelta(days=1) if isinstance(until, datetime) else until
    first = last + timedelta(days=1)
    if day < first:
        return 0
    if calendar == "none":
        days = first.toordinal() - date(1970, 1, 1).toordinal() + np.arange((day - first).days + 1)
        days = days[np.is_busday(days.astype("datetime64[D]"))]
        listed, closes = days.astype("datetime64[D]"), (days + 1).astype("datetime64[D]").astype("datetime64[ns]")
    else:
        listed = sessions.sessions_between(calendar, first, day)
        closes = sessions.closes_of(calendar, listed)
    if not isinstance(until, datetime):
        return len(listed)
    return int((closes <= np.datetime64(until.astimezone(UTC).replace(tzinfo=None), "ns")).sum())
