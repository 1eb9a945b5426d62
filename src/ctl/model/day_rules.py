"""Days that an exchange's rules name in a few words, per delivery month: `3 bd before day 25 of the month before`.

    rule   = [N "bd before"] anchor ["of" month]
    anchor = "last bd" | "Nth last bd" | "Nth bd" | "day D" | "last bd before day D" | "Nth Weekday"
           | "last Weekday" | "Weekday after the Nth Weekday"
    month  = "the month" (of delivery, where none is named) | "the month before" | "the Nth month before"
    rule  += ["or one bd earlier before Christmas and New Year"]

bd is a business day: one with a settlement. A named day (`day D`, a weekday) that is none moves back to the one
before it, and counting starts there. Days are evaluated for many delivery months at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.datetime64]

WORDS: Final = (
    "for example `last bd of the month before`, `3rd last bd`, `10th bd`, `day 14`, `last bd before day 15`, "
    "`3rd Friday`, `Monday after the 1st Friday`, `3 bd before day 25 of the month before`"
)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_WEEKDAY: Final = "|".join(_WEEKDAYS)
_THURSDAY: Final = 3  # 1970-01-01
_EVE: Final = " or one bd earlier before Christmas and New Year"
_RULE: Final = re.compile(
    r"(?:(?P<before>\d{1,2}) bd before (?:the )?)?"
    r"(?:(?P<last>(?:\d{1,2}(?:st|nd|rd|th) )?last bd)(?: before day (?P<until>\d{1,2}))?"
    r"|(?P<first>\d{1,2})(?:st|nd|rd|th) bd"
    r"|day (?P<day>\d{1,2})"
    rf"|(?:(?P<following>{_WEEKDAY}) after the )?(?P<nth>[1-4](?:st|nd|rd|th)|last) (?P<weekday>{_WEEKDAY}))"
    r"(?: of the (?:(?P<month>month)|(?:(?P<months>[2-9])(?:nd|rd|th) )?(?P<earlier>month before)))?"
    rf"(?P<eve>{_EVE})?"
)


@dataclass(frozen=True, slots=True)
class DayRule:
    """A rule taken apart.

    months_before: months from the delivery month back to the one that is spoken of. from_last, from_first: the
    business day counted from an end of that month (1: the last, the first); until: the end that `from_last` counts
    from is this day, exclusive. day; weekday (Monday = 0) and nth (-1: the last): a named day; following: the weekday
    after it.
    before: business days back from there. before_holidays: one more where the next one comes only after Christmas or
    New Year.
    """

    months_before: int = 0
    from_last: int | None = None
    from_first: int | None = None
    until: int | None = None
    day: int | None = None
    weekday: int | None = None
    nth: int = 1
    following: int | None = None
    before: int = 0
    before_holidays: bool = False


@cache
def parse(text: str) -> DayRule:
    """A rule from its words. Raises ValueError for anything else."""
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a rule for a day: {text!r}; {WORDS}")
    count = (match["last"] or "").partition(" ")[0]
    day, until = (None if match[key] is None else int(match[key]) for key in ("day", "until"))
    from_last = None if match["last"] is None else int(re.sub(r"\D", "", count) or 1)
    from_first = None if match["first"] is None else int(match["first"])
    if not all(number is None or 1 <= number <= 31 for number in (day, until, from_last, from_first)):
        raise ValueError(f"not a day of a month: {text!r}")
    return DayRule(
        months_before=int(match["months"] or 1) if match["earlier"] else 0,
        from_last=from_last,
        from_first=from_first,
        until=until,
        day=day,
        weekday=None if match["weekday"] is None else _WEEKDAYS.index(match["weekday"]),
        nth=-1 if match["nth"] == "last" else int((match["nth"] or "1")[0]),
        following=None if match["following"] is None else _WEEKDAYS.index(match["following"]),
        before=int(match["before"] or 0),
        before_holidays=match["eve"] is not None,
    )


def days_named(rule: DayRule, months: npt.NDArray[np.datetime64], business_days: Days) -> tuple[Days, Days]:
    """The day that a rule names for each delivery month, and the last day that had to be known to name it.

    months: datetime64[M]. business_days: datetime64[D] ascending, from before the earliest to after the latest month
    that the rule speaks of. Raises IndexError where they do not reach so far.
    """
    month = months.astype("datetime64[M]") - rule.months_before
    start = month.astype("datetime64[D]")
    end = (month + 1).astype("datetime64[D]")  # exclusive
    if rule.from_last is not None:
        if rule.until is not None:
            end = np.minimum(start + (rule.until - 1), end)
        at = np.searchsorted(business_days, end, side="left") - rule.from_last
        needed = end - 1
    elif rule.from_first is not None:
        at = np.searchsorted(business_days, start, side="left") + (rule.from_first - 1)
        needed = business_days[at]
    else:
        named = np.minimum(start + (rule.day - 1), end - 1) if rule.day is not None else _weekday(rule, start, end)
        at = np.searchsorted(business_days, named, side="right") - 1
        needed = named
    at = at - rule.before
    if rule.before_holidays:
        day, following = business_days[at], business_days[at + 1]
        year = day.astype("datetime64[Y]")
        christmas = year.astype("datetime64[M]") + 11
        eve = np.zeros(len(at), dtype=np.bool_)
        for holiday in (christmas.astype("datetime64[D]") + 24, (year + 1).astype("datetime64[D]")):
            eve |= (day < holiday) & (holiday < following)
        at = at - eve
    if len(at) and int(at.min()) < 0:
        raise IndexError("business days begin after the first day asked for")
    return business_days[at], needed


def _weekday(rule: DayRule, start: Days, end: Days) -> Days:
    """The weekday of the month that a rule names, and the one after it."""

    def on_or_after(day: Days, weekday: int) -> Days:
        return day + (weekday - day.astype(np.int64) - _THURSDAY) % 7

    weekday = int(rule.weekday or 0)
    named = on_or_after(end, weekday) - 7 if rule.nth < 0 else on_or_after(start, weekday) + 7 * (rule.nth - 1)
    return named if rule.following is None else on_or_after(named, rule.following)
