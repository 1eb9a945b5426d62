"""What a roll policy may say, and the days that a calendar or a schedule names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from ctl.continuous.policies import rule_of
from ctl.errors import DataError, UsageError
from ctl.model.contracts import MONTH_CODES, Contract
from ctl.model.rolls import Adjustment, CalendarAnchor, PolicyKind, RollPolicy, ScheduledRoll, Timing

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.continuous.policies import Need
    from ctl.model.bars import ContractTerms

    Days = npt.NDArray[np.datetime64]

_EPOCH: Final = date(1970, 1, 1)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The date of a day number."""
    return _EPOCH + timedelta(days=int(number))


def check(policy: RollPolicy) -> None:
    """Raise UsageError for a policy whose options are unknown, out of range or contradict each other."""
    for name, value, allowed in (
        ("policy", policy.kind, get_args(PolicyKind)),
        ("timing", policy.timing, get_args(Timing)),
        ("adjustment", policy.adjustment, get_args(Adjustment)),
        ("anchor", policy.anchor, get_args(CalendarAnchor)),
    ):
        if value not in allowed:
            raise UsageError(f"unknown {name}", found=repr(value), expected=", ".join(allowed))
    if not 1 <= policy.consecutive_days <= 60:
        raise UsageError(
            "consecutive days of a roll policy out of range", found=str(policy.consecutive_days), expected="1 to 60"
        )
    if policy.eligible_months is not None and (
        not policy.eligible_months or set(policy.eligible_months) - set(MONTH_CODES)
    ):
        raise UsageError(
            "eligible months are delivery month letters",
            found=repr(policy.eligible_months),
            expected=f"letters of {MONTH_CODES}, for example HMUZ",
        )
    if policy.offset < 0:
        raise UsageError("offset of a calendar policy is negative", found=str(policy.offset), expected="0 or more")
    needs = rule_of(policy.kind).needs
    if "anchor" in needs and policy.anchor == "fixed_day" and not 1 <= (policy.fixed_day or 0) <= 31:
        raise UsageError(
            f"a {policy.kind} policy on a fixed day needs that day", found=str(policy.fixed_day), expected="1 to 31"
        )
    if "schedule" in needs and not policy.schedule:
        raise UsageError("a schedule policy needs rolls to follow", found="none", expected="a roll manifest")
    if "next_session" in needs and policy.timing != "next_session":
        raise UsageError(
            f"{policy.kind} ranks contracts by the previous day's values",
            found=f"timing {policy.timing}",
            expected="timing next_session",
        )


def names_days(needs: Collection[Need]) -> bool:
    """Whether a policy leaves each contract on a day known in advance."""
    return "anchor" in needs or "expiry" in needs


class RollCalendar:
    """Sessions before a day, for rolls that are known in advance.

    Counted on the exchange's calendar where one is given (datetime64[D], ascending); outside its range, and without
    one, every weekday counts. `assumed` tells whether a weekday had to stand in for a session.
    """

    def __init__(self, sessions: Days | None) -> None:
        self._given = np.empty(0, dtype="datetime64[D]") if sessions is None else sessions.astype("datetime64[D]")
        self.assumed = False

    def before(self, day: date, offset: int) -> date:
        """The session `offset` sessions before the last session on or before `day`."""
        margin = 2 * offset + 21  # more calendar days than that many sessions can span
        span = np.arange(np.datetime64(day, "D") - margin, np.datetime64(day, "D") + 1)
        weekdays = span[np.is_busday(span)]
        if len(self._given):
            first, last = self._given[0], self._given[-1]
            inside = self._given[(self._given >= span[0]) & (self._given <= span[-1])]
            weekdays = np.concatenate([weekdays[weekdays < first], inside, weekdays[weekdays > last]])
        counted = weekdays[-1 - offset :]
        self.assumed |= not len(self._given) or bool(counted[0] < self._given[0] or counted[-1] > self._given[-1])
        return _date(counted[0])


def roll_days(
    contracts: Sequence[Contract],
    terms: Mapping[str, ContractTerms],
    policy: RollPolicy,
    needs: Collection[Need],
    calendar: RollCalendar,
) -> list[date | None]:
    """Per contract the session that confirms its roll on a day known in advance; None where the anchor is unknown."""
    anchor, offset = ("expiry", 0) if "expiry" in needs else (policy.anchor, policy.offset)
    days: list[date | None] = []
    for contract in contracts:
        known = terms.get(contract.name)
        if anchor == "fixed_day":
            day: date | None = _day_of_month(contract, policy.fixed_day or 1)
        elif known is None:
            day = None
        else:
            day = known.last_trade if anchor == "expiry" else known.first_notice
        days.append(None if day is None else calendar.before(day, offset))
    return days


def require_roll_days(
    names: Sequence[str], days: Sequence[date | None], policy: RollPolicy, needs: Collection[Need], root: str
) -> None:
    """Raise DataError where a contract that was held states no anchor day: its last bar is no substitute."""
    silent = [name for name, day in zip(names, days, strict=True) if day is None]
    if silent:
        anchor = "expiry" if "expiry" in needs else policy.anchor
        what = "first notice day" if anchor == "first_notice" else "last trade date"
        raise DataError(
            f"policy {policy.kind} needs the {what} of every contract of {root} that it holds",
            found=f"none for {', '.join(silent[:5])}{' and others' if len(silent) > 5 else ''}",
            expected=f"a {what} stated by the vendor: a last bar is known only afterwards",
            remedy="supply definition records or a last trade column, or use --policy volume",
            code="UNKNOWN_EXPIRY",
        )


def schedule_in_order(policy: RollPolicy) -> list[ScheduledRoll]:
    """The scheduled rolls by date; of several on one date the last stated counts."""
    by_date = {roll.roll_date: roll for roll in policy.schedule}
    return [by_date[day] for day in sorted(by_date)]


def _day_of_month(contract: Contract, day: int) -> date:
    following = date(contract.year + contract.month // 12, contract.month % 12 + 1, 1)
    last = following - timedelta(days=1)
    return last.replace(day=min(day, last.day))


def _date(day: np.datetime64) -> date:
    return day_of(int(day.astype("datetime64[D]").astype(np.int64)))
