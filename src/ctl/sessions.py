"""Exchange sessions: the only module that touches calendar libraries.

A calendar is named as exchange_calendars names it (`XNYS`, `CMES`) or, where that library lacks it, as
pandas_market_calendars does (`CME_Equity`, `CMEGlobex_CL`). What the libraries say is kept on disk under the
user's cache folder, so that a warm start imports neither of them nor pandas; a file that is missing, unreadable,
damaged or made by another version of the libraries is computed again. Days that the libraries have wrong are put
right before (`calendar_corrections.toml`): a session is a trade date with a settlement.

Sessions are `datetime.date`, or numpy `datetime64[D]` in arrays; both ends of a range are inclusive.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ctl import calendar_corrections
from ctl.errors import DataError, UsageError

Days = npt.NDArray[np.datetime64]
Keys = npt.NDArray[np.int64]

_LIBRARIES: Final = ("exchange_calendars", "pandas_market_calendars")
_CACHE_SCHEMA: Final = 1
_FIRST_YEAR: Final = 1980
_LATER_STARTS: Final = (2000, 2010, 2020)  # for calendars whose rules do not reach back to _FIRST_YEAR
_YEARS: Final = range(1700, 2261)  # what 64-bit nanoseconds can carry
_EPOCH: Final = date(1970, 1, 1)
_MONDAY_OF_EPOCH: Final = 3  # 1970-01-01 was a Thursday: day number 0 is three days after a Monday
_MONDAY: Final = 0
_FRIDAY: Final = 4


@dataclass(frozen=True, slots=True)
class _Calendar:
    """What a library says of one calendar.

    first, last: the range that the library was asked for, inclusive; *_is_limit where it reaches no further.
    days: int32[n], sessions as days since 1970-01-01, ascending. closes: int64[n], ns since 1970-01-01 UTC.
    week_starts: (day number from which it holds, weekday that starts a week, Monday = 0), ascending.
    """

    name: str
    first: int
    last: int
    first_is_limit: bool
    last_is_limit: bool
    days: npt.NDArray[np.int32]
    closes: npt.NDArray[np.int64]
    week_starts: tuple[tuple[int, int], ...]


def sessions_between(calendar: str, first: date, last: date) -> Days:
    """Sessions from `first` to `last`, both inclusive, as datetime64[D] ascending.

    Raises UsageError for an unknown calendar, DataError where the calendar does not reach so far.
    """
    if last < first:
        return np.empty(0, dtype="datetime64[D]")
    days = _covering(calendar, first, last).days
    low, high = np.searchsorted(days, [_number(first), _number(last) + 1])
    return days[low:high].astype("datetime64[D]")


def closes_of(calendar: str, days: Days) -> npt.NDArray[np.datetime64]:
    """The instants, datetime64[ns] in UTC, at which sessions close. Raises DataError for a day that is no session."""
    if len(days) == 0:
        return np.empty(0, dtype="datetime64[ns]")
    held = _covering(calendar, _as_date(days.min()), _as_date(days.max()))
    numbers = days.astype("datetime64[D]").astype(np.int64)
    index = np.minimum(np.searchsorted(held.days, numbers), len(held.days) - 1)
    foreign = np.flatnonzero(held.days[index] != numbers)
    if len(foreign):
        raise DataError(f"{days[foreign[0]]} is no session of calendar {calendar}")
    return held.closes[index].astype("datetime64[ns]")


def count_between(calendar: str, first: date, last: date) -> int:
    """How many sessions lie from `first` to `last`, both inclusive."""
    return len(sessions_between(calendar, first, last))


def counted_to_next(calendar: str, first: date, last: date) -> Days:
    """Days from `first` to `last`, both inclusive, whose trades count to the next trade date: no sessions.

    A bar of such a day belongs to the session after it, as a weekend's does. Asks no library.
    """
    return calendar_corrections.counted_to_next(calendar, first, last)


def business_days(calendar: str | None, first: date, last: date) -> tuple[Days, date, date]:
    """Days that an exchange's rules count, from `first` to `last` inclusive, and from which to which they are known.

    They are the sessions, and a few days without a settlement that last trade dates count all the same. Where the
    calendar does not reach, and without one (None or 'none'), weekdays stand in; nothing is known then, and the first
    known day lies after the last.
    """
    weekdays = np.arange(_number(first), _number(last) + 1)
    weekdays = weekdays[(weekdays + _MONDAY_OF_EPOCH) % 7 <= _FRIDAY]
    if _named(calendar) is None:
        return weekdays.astype("datetime64[D]"), last, first
    name = str(calendar)
    held = _within(name, first, last)
    low, high = max(held.first, _number(first)), min(held.last, _number(last))
    sessions = held.days[np.searchsorted(held.days, low) : np.searchsorted(held.days, high, side="right")]
    counted = calendar_corrections.counted_in_terms(name, _date(low), _date(high))
    before, after = (weekdays[weekdays < low], weekdays[weekdays > high])
    days = np.concatenate([before, sessions, after]).astype("datetime64[D]")
    return (np.union1d(days, counted) if len(counted) else days), _date(low), _date(high)


def is_known(calendar: str) -> bool:
    """Whether a library knows the calendar by this name (case matters)."""
    return _read_cache(_cache_folder(), calendar) is not None or _library(calendar) is not None


def next_session(calendar: str, day: date) -> date:
    """The first session after `day`, which need not be a session itself."""
    days = _covering(calendar, day, day + timedelta(days=1)).days
    index = int(np.searchsorted(days, _number(day), side="right"))
    if index == len(days):
        raise _out_of_range(calendar, day, "after")
    return _date(int(days[index]))


def previous_session(calendar: str, day: date) -> date:
    """The last session before `day`, which need not be a session itself."""
    days = _covering(calendar, day - timedelta(days=1), day).days
    index = int(np.searchsorted(days, _number(day), side="left")) - 1
    if index < 0:
        raise _out_of_range(calendar, day, "before")
    return _date(int(days[index]))


@lru_cache(maxsize=64)
def opening(calendar: str, session: date) -> datetime:
    """The aware UTC instant at which the trading of a session begins: of Globex's Monday, Sunday 17:00 Chicago.

    It is the library's first opening after the close of the session before. Raises DataError for a day that is no
    session, and where the library has no opening there.
    """
    before = previous_session(calendar, session)
    closed = closes_of(calendar, np.array([before, session], dtype="datetime64[D]"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if _library(calendar) == _LIBRARIES[0]:
            import exchange_calendars

            begin, end = before.isoformat(), (session + timedelta(days=7)).isoformat()
            opens = exchange_calendars.get_calendar(calendar, start=begin, end=end).opens
        else:
            import pandas_market_calendars

            opens = pandas_market_calendars.get_calendar(calendar).schedule(before, session)["market_open"]
    instants = opens.dt.tz_convert(None).to_numpy().astype("datetime64[ns]")
    after = instants[(instants >= closed[0]) & (instants < closed[1])]
    if not after.size:
        raise DataError(f"calendar {calendar} knows no opening of {session}", code="CALENDAR_RANGE")
    opened: datetime = after.min().astype("datetime64[us]").item()
    return opened.replace(tzinfo=UTC)


def trade_date(calendar: str, instant: datetime) -> date:
    """The session that an instant trades for: the first one that closes after it.

    So the evening of a Globex Sunday belongs to Monday, and the instant of a close to the next session.
    Raises ValueError for a naive datetime.
    """
    if instant.tzinfo is None:
        raise ValueError(f"a naive datetime is not an instant: {instant!r}; pass an aware UTC datetime")
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    return _as_date(trade_dates(calendar, np.array([utc], dtype="datetime64[ns]"))[0])


def trade_dates(calendar: str, instants: npt.NDArray[np.datetime64]) -> Days:
    """`trade_date` of many instants: datetime64[ns] in UTC in, datetime64[D] out, same shape and order."""
    if len(instants) == 0:
        return np.empty(0, dtype="datetime64[D]")
    nanoseconds = instants.astype("datetime64[ns]").astype(np.int64)
    day_of = instants.astype("datetime64[D]")
    first, last = _as_date(day_of.min()), _as_date(day_of.max())
    held = _covering(calendar, first - timedelta(days=1), last + timedelta(days=1))
    index = np.searchsorted(held.closes, nanoseconds, side="right")
    if int(index.max()) == len(held.days):
        raise _out_of_range(calendar, last, "after")
    return held.days[index].astype("datetime64[D]")


def week_keys(calendar: str | None, sessions: Days) -> Keys:
    """One number per session, int64, equal within a trading week and increasing from week to week.

    The key is the day number of the week's first day. A week starts on the day after the calendar's longest
    weekly run of closed weekdays: Monday where Saturday and Sunday are closed, Sunday for XSAU. None or 'none'
    groups by ISO weeks.
    """
    numbers = sessions.astype("datetime64[D]").astype(np.int64)
    if len(numbers) == 0:
        return numbers
    starts: tuple[tuple[int, int], ...] = ((int(numbers.min()), _MONDAY),)
    if _named(calendar) is not None:
        starts = _within(str(calendar), _as_date(sessions.min()), _as_date(sessions.max())).week_starts
    keys = _week_start(numbers, starts[0][1])
    for since, weekday in starts[1:]:
        later = numbers >= since
        keys[later] = np.maximum(_week_start(numbers[later], weekday), since)
    return keys


def month_keys(sessions: Days) -> Keys:
    """One number per session, int64: year * 12 + month - 1."""
    return sessions.astype("datetime64[M]").astype(np.int64) + 1970 * 12


def week_is_complete(calendar: str | None, last_session: date) -> bool:
    """Whether no session of the same trading week follows `last_session`.

    Without a calendar (None or 'none'): Friday or later.
    """
    if _named(calendar) is None:
        return last_session.weekday() >= _FRIDAY
    following = next_session(str(calendar), last_session)
    keys = week_keys(calendar, np.array([last_session, following], dtype="datetime64[D]"))
    return bool(keys[0] != keys[1])


def _named(calendar: str | None) -> str | None:
    return None if calendar in (None, "none") else calendar


def _week_start(numbers: Keys, weekday: int) -> Keys:
    return numbers - (numbers + _MONDAY_OF_EPOCH - weekday) % 7


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _date(number: int) -> date:
    return _EPOCH + timedelta(days=number)


def _as_date(day: np.datetime64) -> date:
    return _date(int(day.astype("datetime64[D]").astype(np.int64)))


def _out_of_range(calendar: str, day: date, side: str) -> DataError:
    return DataError(
        f"calendar {calendar} knows no session {side} {day}",
        remedy="update exchange_calendars, or ask for sessions that the calendar covers",
        code="CALENDAR_RANGE",
    )


# What has been loaded in this process, by calendar and what names the cache folder.
_memory: dict[tuple[str | None, ...], _Calendar] = {}


def _covering(calendar: str, first: date, last: date) -> _Calendar:
    """The calendar with at least the range asked. Raises DataError where the library does not reach so far."""
    held = _within(calendar, first, last)
    if _number(first) < held.first or _number(last) > held.last:
        raise DataError(
            f"calendar {calendar} does not cover what was asked",
            found=f"sessions from {_date(held.first)} to {_date(held.last)}",
            expected=f"{first} to {last}",
            remedy="update exchange_calendars, or ask for sessions that the calendar covers",
            code="CALENDAR_RANGE",
        )
    return held


def _within(calendar: str, first: date, last: date) -> _Calendar:
    """The calendar with the range asked, as far as the library reaches."""
    key = (calendar, os.environ.get("XDG_CACHE_HOME"), os.environ.get("HOME"))
    held = _memory.get(key)
    if held is not None and _holds(held, first, last):
        return held
    folder = _cache_folder()
    held = _read_cache(folder, calendar)
    if held is None or not _holds(held, first, last):
        held = _compute(calendar, first, last, held)
        _write_cache(folder, held)
    _memory[key] = held
    return held


def _holds(held: _Calendar, first: date, last: date) -> bool:
    """Whether the library could tell no more than this about the range."""
    return (held.first_is_limit or _number(first) >= held.first) and (held.last_is_limit or _number(last) <= held.last)


def _compute(calendar: str, first: date, last: date, held: _Calendar | None) -> _Calendar:
    """Ask the library for a generous range around first..last and what was held before."""
    library = _library(calendar)
    if library is None:
        raise _unknown(calendar)
    if first.year not in _YEARS or last.year not in _YEARS:
        raise _out_of_range(calendar, first if first.year not in _YEARS else last, "around")
    first_year = min([_FIRST_YEAR, first.year, *([_date(held.first).year] if held else [])])
    last_year = max([last.year + 1, *([_date(held.last).year] if held else [])])
    begin, end = date(first_year, 1, 1), date(min(last_year, _YEARS[-1]), 12, 31)
    low, high = _bounds(calendar)
    begin = max(begin, low or begin)
    end = min(max(end, date(begin.year + 1, 12, 31)), high or date.max)  # a library wants some length
    read = _read_exchange_calendar if library == _LIBRARIES[0] else _read_market_calendar
    refusal: Exception | None = None
    starts = [begin, *(date(year, 1, 1) for year in _LATER_STARTS if begin < date(year, 1, 1) < end)]
    for index, start in enumerate(starts):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecations between the libraries and their pandas
                days, closes, week_starts = read(calendar, start, end)
        except ValueError as error:  # this calendar's rules do not reach so far
            refusal = error
            continue
        days, closes = calendar_corrections.corrected(calendar, start, end, days, closes)
        return _Calendar(
            name=calendar,
            first=_number(start),
            last=_number(end),
            first_is_limit=index > 0 or begin == low,
            last_is_limit=end == high,
            days=days,
            closes=closes,
            week_starts=week_starts,
        )
    raise DataError(
        f"calendar {calendar} cannot be computed by {library}: {str(refusal)[:200]}", code="CALENDAR_RANGE"
    ) from refusal


_Read = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], tuple[tuple[int, int], ...]]


def _read_exchange_calendar(calendar: str, first: date, last: date) -> _Read:
    """Days, closes and week starts."""
    import exchange_calendars

    source = exchange_calendars.get_calendar(calendar, start=first.isoformat(), end=last.isoformat())
    days, closes = _numbers(source.sessions, source.closes)
    return days, closes, _week_starts(source.weekmask, getattr(source, "special_weekmasks", None) or ())


def _read_market_calendar(calendar: str, first: date, last: date) -> _Read:
    """Days, closes and week starts."""
    import pandas_market_calendars

    source = pandas_market_calendars.get_calendar(calendar)
    schedule = source.schedule(first.isoformat(), last.isoformat())
    days, closes = _numbers(schedule.index, schedule["market_close"])
    return days, closes, _week_starts(source.weekmask, ())


def _numbers(sessions: Any, closes: Any) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    days = sessions.to_numpy().astype("datetime64[D]").astype(np.int32)
    instants = closes.dt.tz_convert(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
    return days, np.maximum.accumulate(instants)  # a search needs them ascending whatever a library states


def _week_starts(weekmask: str, special: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    """The weekday that starts a week, per period of the calendar's weekmask."""
    beginning = _number(date(1, 1, 1))
    changes = {beginning: _first_open_weekday(weekmask)}
    for start, end, mask in special:
        changes[beginning if start is None else _number(start.date())] = _first_open_weekday(mask)
        if end is not None:
            changes.setdefault(_number(end.date()) + 1, _first_open_weekday(weekmask))
    ordered: list[tuple[int, int]] = []
    for since in sorted(changes):
        if not ordered or ordered[-1][1] != changes[since]:
            ordered.append((since, changes[since]))
    return tuple(ordered)


def _first_open_weekday(weekmask: str) -> int:
    """The weekday after the longest run of closed weekdays, the week taken as a circle; Monday where none is closed.

    Of two equally long runs the one that ends latest in the week (the weekend) counts.
    """
    if not set(weekmask) <= {"0", "1"}:
        names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
        weekmask = "".join("1" if name in weekmask.split() else "0" for name in names)
    best, start = 0, _MONDAY
    for weekday in range(7):
        if weekmask[weekday] == "1" and weekmask[weekday - 1] == "0":
            run = 1
            while weekmask[weekday - 1 - run] == "0":
                run += 1
            if run > best or (run == best and weekday == _MONDAY):
                best, start = run, weekday
    return start


def _library(calendar: str) -> str | None:
    """The library that serves a calendar; None where neither knows it."""
    for library, names in zip(_LIBRARIES, _names(), strict=True):
        if calendar in names:
            return library
    return None


@lru_cache(maxsize=1)
def _names() -> tuple[frozenset[str], frozenset[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import exchange_calendars
        import pandas_market_calendars

        return (
            frozenset(exchange_calendars.get_calendar_names(include_aliases=True)),
            frozenset(pandas_market_calendars.get_calendar_names()),
        )


def _bounds(calendar: str) -> tuple[date | None, date | None]:
    """First and last day that the library can be asked for; None where it sets no bound."""
    if _library(calendar) != _LIBRARIES[0]:
        return None, None
    from exchange_calendars import calendar_utils

    dispatcher = calendar_utils.global_calendar_dispatcher
    factory = dispatcher._calendar_factories.get(dispatcher.resolve_alias(calendar))
    if factory is None:
        return None, None
    low, high = factory.bound_min(), factory.bound_max()
    return (low.date() if low is not None else None), (high.date() if high is not None else None)


def _unknown(calendar: str) -> UsageError:
    names = sorted(frozenset().union(*_names()))
    wanted = calendar.casefold()
    near = [name for name in names if name.casefold() == wanted]
    near += difflib.get_close_matches(calendar, names, n=5, cutoff=0.6)
    near += [name for name in names if len(wanted) > 1 and wanted in name.casefold()]
    listed = ", ".join(dict.fromkeys(near[:8])) or "CMES, XNYS"
    return UsageError(
        f"unknown calendar {calendar!r}",
        expected=f"a name of exchange_calendars or pandas_market_calendars, for example {listed}",
        code="UNKNOWN_CALENDAR",
    )


@lru_cache(maxsize=1)
def _versions() -> tuple[str, ...]:
    from importlib import metadata

    libraries = tuple(f"{library} {metadata.version(library)}" for library in _LIBRARIES)
    return (*libraries, f"corrections {calendar_corrections.digest()}")


def _cache_folder() -> Path | None:
    """`$XDG_CACHE_HOME/ctl/sessions`, else `~/.cache/ctl/sessions`; None where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base and Path(base).is_absolute():
        return Path(base) / "ctl" / "sessions"
    try:
        return Path.home() / ".cache" / "ctl" / "sessions"
    except RuntimeError:
        return None


def _cache_file(folder: Path, calendar: str) -> Path:
    key = hashlib.sha256(json.dumps([_CACHE_SCHEMA, calendar, *_versions()]).encode()).hexdigest()
    return folder / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', calendar)[:40]}-{key[:16]}.bin"


def _read_cache(folder: Path | None, calendar: str) -> _Calendar | None:
    """The cached calendar: one line of JSON, then int32 days and int64 closes, little-endian. None if unusable."""
    if folder is None:
        return None
    try:
        head, _, body = _cache_file(folder, calendar).read_bytes().partition(b"\n")
        header = json.loads(head)
        count = int(header["count"])
        starts = tuple((int(since), int(weekday)) for since, weekday in header["week_starts"])
        sound = (
            header["schema"] == _CACHE_SCHEMA
            and header["calendar"] == calendar
            and header["libraries"] == list(_versions())
            and len(body) == 12 * count
            and header["sha256"] == _checksum(header, body)
        )
        if not sound:
            return None
        return _Calendar(
            name=calendar,
            first=int(header["first"]),
            last=int(header["last"]),
            first_is_limit=bool(header["first_is_limit"]),
            last_is_limit=bool(header["last_is_limit"]),
            days=np.frombuffer(body, dtype="<i4", count=count),
            closes=np.frombuffer(body, dtype="<i8", offset=4 * count, count=count),
            week_starts=starts,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cache(folder: Path | None, held: _Calendar) -> None:
    """Keep a calendar for the next process. A folder that cannot be written costs time, not correctness."""
    if folder is None:
        return
    body = held.days.astype("<i4").tobytes() + held.closes.astype("<i8").tobytes()
    header: dict[str, Any] = {
        "schema": _CACHE_SCHEMA,
        "calendar": held.name,
        "libraries": list(_versions()),
        "first": held.first,
        "last": held.last,
        "first_is_limit": held.first_is_limit,
        "last_is_limit": held.last_is_limit,
        "count": len(held.days),
        "week_starts": [list(start) for start in held.week_starts],
    }
    header["sha256"] = _checksum(header, body)
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".sessions-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(header).encode() + b"\n" + body)
            Path(temporary).replace(_cache_file(folder, held.name))
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise


def _checksum(header: dict[str, Any], body: bytes) -> str:
    stated = {key: value for key, value in header.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode() + body).hexdigest()
