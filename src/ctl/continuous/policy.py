"""What a roll policy may say, and the days that a calendar or a schedule names."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np

from ctl.continuous.policies import rule_of
from ctl.continuous.tape import UNKNOWN_DAY
from ctl.errors import DataError, UsageError
from ctl.model.contracts import MONTH_CODES, Contract
from ctl.model.rolls import (
    GUARD_SESSIONS,
    MOST_MONTHS_BEFORE,
    MOST_SESSIONS,
    Adjustment,
    CalendarAnchor,
    PolicyKind,
    RollPolicy,
    RollTarget,
    ScheduledRoll,
    Timing,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.continuous.policies import Need, RollRule
    from ctl.model.bars import ContractTerms

    Int32s = npt.NDArray[np.int32]
    Bools = npt.NDArray[np.bool_]

Term = Literal["last_trade", "first_notice", "end"]

_EPOCH: Final = date(1970, 1, 1)
_WEEKEND_FROM: Final = 5  # Saturday, with Monday = 0


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
        ("target", policy.target, get_args(RollTarget)),
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
    if policy.guard_sessions is not None and not 0 <= policy.guard_sessions <= MOST_SESSIONS:
        raise UsageError(
            "guard sessions of a roll policy out of range",
            found=str(policy.guard_sessions),
            expected=f"0 to {MOST_SESSIONS}, or none",
            remedy="--guard, guard_sessions in a profile",
        )
    if not 0 <= policy.offset <= MOST_SESSIONS:
        expected = f"0 to {MOST_SESSIONS}"
        raise UsageError("offset of a calendar policy out of range", found=str(policy.offset), expected=expected)
    if not 0 <= policy.months_before <= MOST_MONTHS_BEFORE or (policy.months_before and policy.anchor != "fixed_day"):
        raise UsageError(
            "months before delivery go with a fixed day",
            found=f"{policy.months_before} with anchor {policy.anchor}",
            expected=f"0 to {MOST_MONTHS_BEFORE} with anchor fixed_day",
        )
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


def sessions_before(days: Int32s, offset: int, calendar: Int32s | None) -> tuple[Int32s, Bools]:
    """Per day the session `offset` sessions before the last session on or before it, and whether a weekday stood in.

    days: int32[c], day numbers, UNKNOWN_DAY where unknown, which stays. calendar: the exchange's sessions, ascending;
    outside its range, and without one, every weekday counts.
    """
    known = days != UNKNOWN_DAY
    found, assumed = days.copy(), np.zeros(len(days), dtype=np.bool_)
    if not known.any():
        return found, assumed
    margin = 2 * offset + 21  # more calendar days than that many sessions can span
    span = np.arange(int(days[known].min()) - margin, int(days[known].max()) + 1, dtype=np.int32)
    counted = span[(span + 3) % 7 < _WEEKEND_FROM]
    if calendar is not None and len(calendar):
        inside = calendar[(calendar >= span[0]) & (calendar <= span[-1])]
        counted = np.concatenate([counted[counted < calendar[0]], inside, counted[counted > calendar[-1]]])
    last = np.searchsorted(counted, days[known], side="right") - 1
    found[known] = counted[last - offset]
    if calendar is None or not len(calendar):
        assumed[known] = True
    else:
        assumed[known] = (found[known] < calendar[0]) | (counted[last] > calendar[-1])
    return found, assumed


def term_days(contracts: Sequence[Contract], terms: Mapping[str, ContractTerms], what: Term) -> Int32s:
    """int32[c]: a day of each contract's terms, UNKNOWN_DAY where nobody states it; `end` is the earliest of them."""
    days = np.full(len(contracts), UNKNOWN_DAY, dtype=np.int32)
    for index, contract in enumerate(contracts if terms else ()):
        known = terms.get(contract.name)
        if known is None:
            continue
        stated = {"last_trade": [known.last_trade], "first_notice": [known.first_notice]}
        for day in stated.get(what, [known.last_trade, known.first_notice]):
            if day is not None:
                days[index] = min(days[index], day_number(day))
    return days


def anchor_days(
    contracts: Sequence[Contract], terms: Mapping[str, ContractTerms], policy: RollPolicy, needs: Collection[Need]
) -> Int32s:
    """int32[c]: the day from which a policy counts back, UNKNOWN_DAY where nobody states it."""
    if "anchor" in needs and policy.anchor == "fixed_day":
        days = [_fixed_day(each, policy.fixed_day or 1, policy.months_before) for each in contracts]
        return np.array([day_number(day) for day in days], dtype=np.int32)
    first_notice = "anchor" in needs and policy.anchor == "first_notice"
    return term_days(contracts, terms, "first_notice" if first_notice else "last_trade")


class NamedDays(NamedTuple):
    """Days of each contract that are known in advance: int32[c], UNKNOWN_DAY where they are not.

    last_trade. roll: at its close the policy leaves the contract. leave: at its close the guard does. latest: the
    session on which the next contract is in force at the latest, with the guard's own sessions where it is off.
    assumed: bool[c], a weekday stood in for a session.
    """

    last_trade: Int32s
    roll: Int32s
    leave: Int32s
    latest: Int32s
    assumed: Bools


def named_days(
    contracts: Sequence[Contract],
    terms: Mapping[str, ContractTerms],
    policy: RollPolicy,
    rule: RollRule,
    calendar: Int32s | None,
) -> NamedDays:
    """The days that terms, policy and guard name for each contract; arguments as in `sessions_before`."""
    unknown = np.full(len(contracts), UNKNOWN_DAY, dtype=np.int32)
    roll, assumed = unknown, np.zeros(len(contracts), dtype=np.bool_)
    if names_days(rule.needs):
        offset = policy.offset if "anchor" in rule.needs else 0
        roll, assumed = sessions_before(anchor_days(contracts, terms, policy, rule.needs), offset, calendar)
    end = term_days(contracts, terms, "end")
    guard = None if "schedule" in rule.needs else policy.guard_sessions
    latest, _ = sessions_before(end, GUARD_SESSIONS if guard is None else guard, calendar)
    leave = unknown
    if guard is not None:
        leave, also = sessions_before(end, guard + 1, calendar)
        assumed = assumed | also
    return NamedDays(term_days(contracts, terms, "last_trade"), roll, leave, latest, assumed)


def require_roll_days(silent: Sequence[str], policy: RollPolicy, needs: Collection[Need], root: str) -> None:
    """Raise DataError where contracts that were held state no anchor day: a last bar is no substitute."""
    if silent:
        first_notice = "anchor" in needs and policy.anchor == "first_notice"
        what = "first notice day" if first_notice else "last trade date"
        raise DataError(
            f"policy {policy.kind} needs the {what} of every contract of {root} that it holds",
            found=f"none for {', '.join(silent[:5])}{' and others' if len(silent) > 5 else ''}",
            expected=f"a {what} from a definition record, a column or the exchange's rule for {root}",
            remedy="use --anchor expiry where no notice is given before the last trade"
            if first_notice
            else "supply definition records or a last trade column, or use --policy volume",
            code="UNKNOWN_EXPIRY",
        )


def schedule_in_order(policy: RollPolicy) -> list[ScheduledRoll]:
    """The scheduled rolls by date; of several on one date the last stated counts."""
    by_date = {roll.roll_date: roll for roll in policy.schedule}
    return [by_date[day] for day in sorted(by_date)]


def _fixed_day(contract: Contract, day: int, months_before: int) -> date:
    """That day of the month so many months before delivery's, or its last one."""
    year, month = divmod(contract.expiry_key - months_before, 12)
    return date(year, month + 1, min(day, monthrange(year, month + 1)[1]))
