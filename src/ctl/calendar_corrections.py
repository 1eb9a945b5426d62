"""What the calendar libraries have wrong, from `calendar_corrections.toml`; `ctl.sessions` applies it."""

from __future__ import annotations

import hashlib
import tomllib
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib import resources
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Kind = Literal["counts_to_next", "closed", "session"]

_EPOCH: Final = date(1970, 1, 1)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_CHICAGO: Final = "America/Chicago"


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day of every year: (month, day), kept on the nearest weekday; or the nth weekday of a month (-1: the last)."""

    month: int
    day: int | None = None
    weekday: str | None = None
    nth: int = 1

    def in_year(self, year: int) -> date:
        """The day on which it is kept in a year."""
        if self.day is not None:
            named = date(year, self.month, self.day)
            return named + timedelta(days={5: -1, 6: 1}.get(named.weekday(), 0))
        weekday = _WEEKDAYS.index(str(self.weekday))
        if self.nth < 0:
            end = date(year, self.month, monthrange(year, self.month)[1])
            return end - timedelta(days=(end.weekday() - weekday) % 7)
        start = date(year, self.month, 1)
        return start + timedelta(days=(weekday - start.weekday()) % 7 + 7 * (self.nth - 1))


@dataclass(frozen=True, slots=True)
class Correction:
    """Days that calendars list wrongly. close: the instant's local time and zone, for days that are sessions.

    business_day: last trade dates count these days, though they had no settlement.
    """

    name: str
    kind: Kind
    calendars: frozenset[str]
    source: str
    days: tuple[date, ...] = ()
    holiday: Holiday | None = None
    first_year: int = 1
    last_year: int = 9999
    close: time | None = None
    zone: str = _CHICAGO
    business_day: bool = False

    def between(self, first: date, last: date) -> Iterator[date]:
        """Its days from first to last, both inclusive, ascending."""
        days = self.days
        if self.holiday is not None:
            years = range(max(first.year, self.first_year), min(last.year, self.last_year) + 1)
            days = tuple(self.holiday.in_year(year) for year in years)
        return (day for day in days if first <= day <= last)


@cache
def corrections() -> tuple[Correction, ...]:
    """Every correction, in the order of the file."""
    document = tomllib.loads(_data().decode())
    groups = document["groups"]
    return tuple(_correction(entry, groups) for entry in document["corrections"])


@cache
def digest() -> str:
    """What the file says, as 16 hexadecimal digits."""
    return hashlib.sha256(_data()).hexdigest()[:16]


def counted_to_next(calendar: str, first: date, last: date) -> npt.NDArray[np.datetime64]:
    """The days from first to last (inclusive) whose trades count to the next trade date, datetime64[D] ascending."""
    return _days(_of(calendar, "counts_to_next"), first, last)


def counted_in_terms(calendar: str, first: date, last: date) -> npt.NDArray[np.datetime64]:
    """The days from first to last (inclusive) that last trade dates count though they had no settlement, ascending."""
    return _days((each for each in _of(calendar, "closed") if each.business_day), first, last)


def corrected(
    calendar: str, first: date, last: date, days: npt.NDArray[np.int32], closes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Sessions (days since 1970) and their closes (ns since 1970, UTC) from first to last, put right."""
    gone = [
        _number(day)
        for kind in ("counts_to_next", "closed")
        for correction in _of(calendar, kind)
        for day in correction.between(first, last)
    ]
    kept = ~np.isin(days, np.array(gone, dtype=np.int32))
    days, closes = days[kept], closes[kept]
    more = {
        _number(day): _instant(day, correction)
        for correction in _of(calendar, "session")
        for day in correction.between(first, last)
        if _number(day) not in days
    }
    days = np.concatenate([days, np.array(list(more), dtype=np.int32)])
    closes = np.concatenate([closes, np.array(list(more.values()), dtype=np.int64)])
    order = np.argsort(days, kind="stable")
    return days[order], np.maximum.accumulate(closes[order])


def _days(found: Iterator[Correction], first: date, last: date) -> npt.NDArray[np.datetime64]:
    days = {day for correction in found for day in correction.between(first, last)}
    return np.array(sorted(days), dtype="datetime64[D]")


def _of(calendar: str, kind: str) -> Iterator[Correction]:
    return (each for each in corrections() if each.kind == kind and calendar in each.calendars)


def _correction(entry: dict[str, object], groups: dict[str, list[str]]) -> Correction:
    given = dict(entry)
    named = given.pop("groups")
    kind = given.pop("kind")
    days = given.pop("days", [])
    holiday = given.pop("holiday", None)
    close = given.pop("close", None)
    if kind not in get_args(Kind) or (kind == "session") != (close is not None) or bool(days) == bool(holiday):
        raise ValueError(f"calendar_corrections.toml: {entry['name']!r} is incomplete")
    return Correction(
        name=str(given.pop("name")),
        kind=kind,  # type: ignore[arg-type]  # one of them, as was just checked
        calendars=frozenset(calendar for group in named for calendar in groups[group]),  # type: ignore[attr-defined]
        source=str(given.pop("source")),
        days=tuple(sorted(date.fromisoformat(day) for day in days)),  # type: ignore[attr-defined]
        holiday=None if holiday is None else Holiday(**holiday),  # type: ignore[arg-type]
        first_year=given.pop("from", 1),  # type: ignore[arg-type]
        last_year=given.pop("to", 9999),  # type: ignore[arg-type]
        close=None if close is None else time.fromisoformat(str(close)),
        **given,  # type: ignore[arg-type]
    )


def _data() -> bytes:
    return resources.files("ctl").joinpath("calendar_corrections.toml").read_bytes()


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _instant(day: date, correction: Correction) -> int:
    """Nanoseconds since 1970, UTC, of the close of an added session."""
    if correction.close is None:
        raise ValueError(f"{correction.name} has no close")
    return int(datetime.combine(day, correction.close, ZoneInfo(correction.zone)).timestamp()) * 1_000_000_000
