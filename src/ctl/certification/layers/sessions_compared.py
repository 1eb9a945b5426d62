"""L1: sessions that one side has and the other lacks, over the union of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats
from ctl.certification.tolerance import exceeds
from ctl.model.findings import Finding, counted, finding

if TYPE_CHECKING:
    from ctl.certification.window import Window
    from ctl.model.findings import Status


MOST_SHARE: Final = 0.005
NEWEST: Final = 60
LISTED: Final = 20
HOLE_SESSIONS: Final = 20


@dataclass(frozen=True, slots=True)
class OneSided:
    """Sessions of one side only (datetime64[D], ascending).

    missing_ours, missing_theirs: exchange sessions that our side, the reference lacks, holes of more than
    20 left out. ghosts_ours, ghosts_theirs:
    bars of our side, the reference on days that are none. calendar_off: days that the calendar has and both sides
    lack, or that both have and it lacks.
    """

    union: Days
    missing_ours: Days
    missing_theirs: Days
    ghosts_ours: Days
    ghosts_theirs: Days
    calendar_off: Days


def one_sided(
    own: Days, other: Days, *, own_repeats: Bools, other_repeats: Bools, calendar: Days | None = None
) -> OneSided:
    """Compare two sides' sessions over the window that both cover.

    own, other: sessions, ascending. own_repeats, other_repeats: bars without volume that repeat the close before:
    without a calendar such a bar of one side only is on no session. calendar: the exchange's sessions, ascending.
    """
    nothing = np.empty(0, dtype="datetime64[D]")
    if not own.size or not other.size or max(own[0], other[0]) > min(own[-1], other[-1]):
        return OneSided(nothing, nothing, nothing, nothing, nothing, nothing)
    first, last = max(own[0], other[0]), min(own[-1], other[-1])
    if calendar is None and np.array_equal(own, other):
        return OneSided(own, nothing, nothing, nothing, nothing, nothing)

    def table(days: Days, marked: Bools | None = None) -> Bools:
        out: Bools = np.zeros(int((last - first).astype(np.int64)) + 1, dtype=np.bool_)
        inside = (days >= first) & (days <= last)
        out[(days[inside] - first).astype(np.int64)] = True if marked is None else marked[inside]
        return out

    ours, theirs = table(own), table(other)
    if calendar is None:
        # A day that one side has is a session, unless its bar there only repeats the one before.
        ghost = table(own, own_repeats) & ~theirs | table(other, other_repeats) & ~ours
        session = (ours | theirs) & ~ghost
    else:
        session = table(calendar)

    def days(found: Bools) -> Days:
        return np.asarray(first + np.flatnonzero(found), dtype="datetime64[D]")

    union = days(ours | theirs)
    return OneSided(
        union=union,
        missing_ours=_short_runs(days(session & theirs & ~ours), union),
        missing_theirs=_short_runs(days(session & ours & ~theirs), union),
        ghosts_ours=days(ours & ~theirs & ~session),
        ghosts_theirs=days(theirs & ~ours & ~session),
        calendar_off=nothing if calendar is None else days((session & ~ours & ~theirs) | (~session & ours & theirs)),
    )


_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FEWEST_MISDATED: Final = 3
MOST_DAYS_BESIDE: Final = 4


def of_window(window: Window) -> OneSided:
    """Our series' sessions against the reference's, by the exchange's calendar where there is one."""
    ours, theirs = window.ours, window.recovered
    shipped = window.reference.adjusted or window.reference.unadjusted
    if window.request.calendar_sessions is None and np.array_equal(ours.sessions, theirs.sessions):
        none = np.zeros(ours.sessions.size, dtype=np.bool_)
        return one_sided(ours.sessions, theirs.sessions, own_repeats=none, other_repeats=none)
    closes = theirs.adjusted if np.isfinite(theirs.adjusted).any() else theirs.unadjusted
    sides = []
    for series, sessions, values in (
        (window.canonical, ours.sessions, ours.adjusted),
        (shipped, theirs.sessions, closes),
    ):
        volume = np.full(sessions.size, np.nan)
        if series is not None:
            volume = series.frame["volume"].to_numpy().astype(np.float64, copy=False)
            if volume.size != sessions.size:
                days = series.frame["session"].to_numpy().astype("datetime64[D]")
                volume = volume[np.searchsorted(days, sessions)]
        sides.append(repeats(values, volume))
    return one_sided(
        ours.sessions, theirs.sessions, own_repeats=sides[0], other_repeats=sides[1],
        calendar=window.request.calendar_sessions,
    )  # fmt: skip


def _short_runs(missing: Days, union: Days) -> Days:
    """Without the runs that are a hole of the data, which is a finding of its own."""
    if missing.size <= HOLE_SESSIONS:
        return missing
    place = np.searchsorted(union, missing)
    begins = np.append(True, np.diff(place) > 1)
    run = np.cumsum(begins) - 1
    alone: Days = missing[np.bincount(run)[run] <= HOLE_SESSIONS]
    return alone


def repeats(closes: Floats, volume: Floats) -> Bools:
    """Bars without volume (0 or unknown) that repeat the close before."""
    found: Bools = (np.diff(closes, prepend=np.nan) == 0.0) & ~(volume > 0.0)
    return found


def check_dates(window: Window, found: OneSided) -> list[Finding]:
    """BARS_MISDATED: bars of one side's own days that are the other's of a day beside, by their closes.

    WATCH as missing sessions are, from three bars on and where they are most of the days that only one side has.
    """
    ours, theirs, union = window.ours, window.recovered, found.union
    our_days = np.union1d(found.missing_theirs, found.ghosts_ours)
    their_days = np.union1d(found.missing_ours, found.ghosts_theirs)
    if min(our_days.size, their_days.size) < FEWEST_MISDATED:
        return []
    place = np.minimum(np.searchsorted(our_days, their_days), our_days.size - 1)
    before = np.maximum(place - 1, 0)
    apart = [np.abs((our_days[at] - their_days).astype(np.int64)) for at in (place, before)]
    nearest = np.where(apart[0] <= apart[1], place, before)
    ours_at, theirs_at = np.searchsorted(ours.sessions, our_days[nearest]), np.searchsorted(theirs.sessions, their_days)
    off = np.abs(ours.unadjusted[ours_at] - theirs.unadjusted[theirs_at])
    same = (np.minimum(*apart) <= MOST_DAYS_BESIDE) & (off <= window.request.tick * (1 + 1e-9))
    count = int(np.count_nonzero(same))
    recent = int(np.count_nonzero(their_days[same] >= union[-min(NEWEST, union.size)]))
    if count < FEWEST_MISDATED or 2 * count < min(our_days.size, their_days.size):
        return []
    if not recent and not exceeds(count / union.size, MOST_SHARE):
        return []
    days, others = their_days[same], our_days[nearest][same]
    by = (days - others).astype(np.int64)
    usual = int(np.median(by))
    when = f"{counted(abs(usual), 'calendar day')} {'before' if usual < 0 else 'after'} ours"
    weekdays = {int(day) for day in (days.astype("datetime64[D]").astype(np.int64) + 3) % 7}
    on = f", all on {_WEEKDAYS[weekdays.pop()]}s" if len(weekdays) == 1 else ""
    text = (
        f"the reference dates {count} of its bars {when}{on}: {days[0]} for our {others[0]} to {days[-1]} for our "
        f"{others[-1]}, with our closes"
    )
    text += f"; {recent} in the last {NEWEST}" if recent else ""
    evidence = {"count": count, "calendar_days": usual, "in_last_60": recent, "days": [str(d) for d in days[-LISTED:]]}
    return [finding("bar_dates", "WATCH", text, "BARS_MISDATED", float(count), 0.0, "bars", evidence)]


def check(found: OneSided) -> list[Finding]:
    """MISSING_SESSIONS and GHOST_SESSIONS, each over both sides: WATCH above 0.5 % or with one in the last 60."""
    return [
        _compared("one_sided_sessions", "MISSING_SESSIONS", found, found.missing_ours, found.missing_theirs),
        _compared("ghost_sessions", "GHOST_SESSIONS", found, found.ghosts_ours, found.ghosts_theirs),
    ]


def _compared(check_name: str, code: str, found: OneSided, ours: Days, theirs: Days) -> Finding:
    lacking = code == "MISSING_SESSIONS"
    total, union = ours.size + theirs.size, found.union
    share = total / union.size if union.size else 0.0
    newest = union[-NEWEST] if union.size >= NEWEST else union[0] if union.size else None
    recent = 0 if newest is None else int(np.count_nonzero(ours >= newest) + np.count_nonzero(theirs >= newest))
    evidence: dict[str, Any] = {
        side: {
            "count": int(days.size),
            "first": str(days[0]) if days.size else None,
            "last": str(days[-1]) if days.size else None,
            "early_closes": int(np.count_nonzero(early_closes(days))),
            "days": [str(day) for day in days[-LISTED:]],
        }
        for side, days in (("canonical", ours), ("reference", theirs))
    }
    evidence |= {"in_last_60": recent, "union": int(union.size), "calendar_off": int(found.calendar_off.size)}
    told = []
    for side, days in (("our series", ours), ("the reference", theirs)):
        if not days.size:
            continue
        verb = "lacks" if lacking else "has bars on"
        what = counted(int(days.size), "session" if lacking else "day that is no session",
                       "sessions" if lacking else "days that are no sessions")  # fmt: skip
        text = f"{side} {verb} {what} ({days[0]}" + (f" to {days[-1]})" if days.size > 1 else ")")
        short = int(np.count_nonzero(early_closes(days)))
        if lacking and 2 * short >= days.size:
            text += f", {short} of them early closes around holidays"
        told.append(text)
    status: Status = "WATCH" if total and (exceeds(share, MOST_SHARE) or recent) else "PASS"
    said = "; ".join(told) or ("both sides have the same sessions" if lacking else "no bar of one side on a day off")
    if recent:
        said += f"; {recent} in the last {NEWEST}"
    return finding(
        check_name, status, said, code if status == "WATCH" else None, share, MOST_SHARE, "fraction", evidence
    )  # fmt: skip


def early_closes(days: Days) -> Bools:
    """Whether days are of the kind on which American exchanges close early: the days around Independence Day, after
    Thanksgiving, before Christmas and New Year.
    """
    month = days.astype("datetime64[M]")
    number = month.astype(np.int64) % 12 + 1
    day = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
    friday = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7 == 4
    summer = (number == 7) & ((day >= 2) & (day <= 5))
    autumn = (number == 11) & friday & (day >= 23) & (day <= 29)
    winter = (number == 12) & ((day >= 22) & (day <= 26) | (day >= 29))
    early: Bools = summer | autumn | winter
    return early
