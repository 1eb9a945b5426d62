"""L2: which rule does a reference roll by, does it change, and which delivery months does it hold?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats, Ints
from ctl.certification.series_arrays import days_of
from ctl.certification.tolerance import exceeds
from ctl.model.contracts import MONTH_CODES
from ctl.model.findings import Finding, counted, finding
from ctl.model.rolls import MOST_MONTHS_BEFORE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ctl.certification.window import WindowRoll
    from ctl.model.bars import ContractBars


MOST_OFFSET: Final = 60
CONFIRMED: Final = (1, 2, 3, 4, 5)
FIXED_DAYS: Final = range(1, 29)
MONTHS_BEFORE: Final = range(MOST_MONTHS_BEFORE + 1)
NAMED_SHARE: Final = 2.0 / 3.0
LEAST_ROLLS: Final = 8
CHANGED_SHARE: Final = 0.80
CHANGED_LEAD: Final = 0.25
LEAST_ROLLS_EACH: Final = 5
SAME_RULE_SESSIONS: Final = 1
YEARS_HELD: Final = 2
OPTIONS: Final = {
    "policy": "--policy",
    "anchor": "--anchor",
    "offset": "--offset",
    "fixed_day": "--fixed-day",
    "months_before": "--months-before",
    "consecutive_days": "--days",
}
_FAR: Final = 10**6


@dataclass(frozen=True, slots=True)
class Rule:
    """A roll rule: its name in words, and the keys of a roll policy that follow it."""

    text: str
    policy: Mapping[str, str | int]

    @property
    def options(self) -> str:
        """The same keys as options of `ctl build`."""
        return " ".join(f"{OPTIONS[key]} {value}" for key, value in self.policy.items())


@dataclass(frozen=True, slots=True)
class RuleFit:
    """A rule with the share of rolls that it gives within the day limit, and the mean distance of those in sessions."""

    rule: Rule
    share: float
    distance: float
    explained: int
    rolls: int

    @property
    def words(self) -> str:
        """The rule with its share."""
        return f"{self.rule.text} ({self.explained} of {self.rolls} rolls)"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Rules in order of time and the roll dates from which the second and later ones hold.

    share: of rolls that they explain together.
    """

    rules: tuple[RuleFit, ...]
    changed_on: tuple[date, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rules (C) and how far each roll's gap session lies from each, in sessions (C, R); far away where it gives none.

    roll_dates: of the rolls that were judged (R), those whose contracts are known.
    """

    rules: tuple[Rule, ...]
    distance: Ints
    roll_dates: tuple[date, ...]


def candidates(contracts: ContractBars, rolls: Sequence[WindowRoll]) -> Candidates:
    """Every candidate rule against the rolls whose contracts are known.

    Calendar rules count back on the sessions of `contracts`. A contract whose last trade date is not stated is taken
    to expire on its last bar, unless its bars go on to the end of the data.
    """
    frame = contracts.frame
    days = frame["session"].to_physical().to_numpy().astype(np.int64)
    sessions = np.unique(days)
    index = {contract.name: k for k, contract in enumerate(contracts.contracts)}
    known = [roll for roll in rolls if roll.from_contract in index and roll.to_contract in index]
    old, new = (
        np.array([index[name or ""] for name in names], dtype=np.int64)
        for names in ([roll.from_contract for roll in known], [roll.to_contract for roll in known])
    )
    gap = _place(sessions, days_of([roll.gap_session for roll in known]).astype(np.int64))
    run = frame["contract"].rle_id().to_numpy().astype(np.int64)
    bounds = np.searchsorted(run, np.arange(len(index) + 1))
    last = days[bounds[1:] - 1]
    expiry = np.where(last < sessions[-1], last, -1)
    notice = np.full(len(index), -1, dtype=np.int64)
    for name, terms in contracts.terms.items():
        if name in index:
            for anchors, day in ((expiry, terms.last_trade), (notice, terms.first_notice)):
                if day is not None:
                    anchors[index[name]] = np.datetime64(day, "D").astype(np.int64)
    rules: list[Rule] = []
    distances: list[Ints] = []
    for words, option, anchors in (("expiry", "expiry", expiry), ("first notice", "first_notice", notice)):
        anchor = anchors[old]
        if (anchor >= 0).any():
            # Beyond the data, sessions are weekdays.
            back = _sessions_until(sessions, gap, anchor)
            for offset in range(MOST_OFFSET + 1):
                rules.append(Rule(f"{counted(offset, 'session')} before {words}",
                                  {"policy": "calendar", "anchor": option, "offset": offset}))  # fmt: skip
                distances.append(np.where(anchor >= 0, np.abs(back - offset), _FAR))
    keys = np.array([contract.expiry_key for contract in contracts.contracts], dtype=np.int64)[old]
    for months in MONTHS_BEFORE:
        first = (keys - months - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        where = ("the delivery month", "the month before delivery", "the second month before delivery")[months]
        for fixed in FIXED_DAYS:
            policy: dict[str, str | int] = {"policy": "calendar", "anchor": "fixed_day", "fixed_day": fixed}
            rules.append(Rule(f"on day {fixed} of {where}", policy | ({"months_before": months} if months else {})))
            distances.append(np.abs(_place(sessions, first + fixed - 1) - gap))
    for column in ("volume", "open_interest"):
        activity = frame[column].to_numpy().astype(np.float64, copy=False)
        confirmed = _crossovers(days, activity, bounds, old, new, gap, sessions)
        for n, count in enumerate(CONFIRMED):
            rules.append(Rule(f"after {counted(count, 'day')} of higher {column.replace('_', ' ')}",
                              {"policy": column, "consecutive_days": count}))  # fmt: skip
            distances.append(np.where(confirmed[n] >= 0, np.abs(confirmed[n] - gap), _FAR))
    shape = (0, len(known))
    return Candidates(
        tuple(rules), np.stack(distances) if distances else np.empty(shape, np.int64), tuple(r.roll_date for r in known)
    )


def best_rule(found: Candidates, within: int) -> RuleFit | None:
    """The rule that gives most rolls within so many sessions; equal shares: the smallest mean distance, then the first.

    None with fewer than 8 rolls, or where no rule gives two thirds of them.
    """
    rolls = len(found.roll_dates)
    if rolls < LEAST_ROLLS:
        return None
    fit = _fit(found, within, slice(None))
    return fit if not exceeds(NAMED_SHARE, fit.share) else None


def rule_change(found: Candidates, within: int) -> RuleChange | None:
    """Two rules with one change date that explain 80 % and 25 points more than one, each with 5 rolls or more.

    Else three, with two dates. Within so many sessions; else, because two rules that lie within the day limit of a
    third are still two, within one.
    """
    near = min(within, SAME_RULE_SESSIONS)
    return _change(found, within) or _change(found, near) or _change_back(found, within) or _change_back(found, near)


def _change_back(found: Candidates, within: int) -> RuleChange | None:
    """Three rules with two change dates, under the conditions of two with one."""
    rolls, least = len(found.roll_dates), LEAST_ROLLS_EACH
    if rolls < 3 * least:
        return None
    hits = np.zeros((len(found.rules), rolls + 1), dtype=np.int64)
    np.cumsum(found.distance <= within, axis=1, out=hits[:, 1:])
    # Most that a rule explains of the rolls from i to before j.
    middle = np.zeros((rolls + 1, rolls + 1), dtype=np.int64)
    for row in hits:
        np.maximum(middle, row[None, :] - row[:, None], out=middle)
    explained = hits.max(axis=0)[:, None] + middle + (hits[:, -1:] - hits).max(axis=0)[None, :]
    place = np.arange(rolls + 1)
    allowed = (place[:, None] >= least) & (place[None, :] - place[:, None] >= least) & (rolls - place[None, :] >= least)
    first, second = np.unravel_index(int(np.where(allowed, explained, -1).argmax()), explained.shape)
    bounds = (0, int(first), int(second), rolls)
    fits = tuple(_fit(found, within, slice(start, end)) for start, end in pairwise(bounds))
    share = sum(fit.explained for fit in fits) / rolls
    if exceeds(CHANGED_SHARE, share) or exceeds(int(hits[:, -1].max()) / rolls + CHANGED_LEAD, share):
        return None
    if min(fit.explained for fit in fits) < least or any(a.rule == b.rule for a, b in pairwise(fits)):
        return None
    return RuleChange(fits, tuple(found.roll_dates[at] for at in bounds[1:-1]), share)


def _change(found: Candidates, within: int) -> RuleChange | None:
    rolls = len(found.roll_dates)
    if rolls < 2 * LEAST_ROLLS_EACH:
        return None
    hits = np.zeros((len(found.rules), rolls + 1), dtype=np.int64)
    np.cumsum(found.distance <= within, axis=1, out=hits[:, 1:])
    before = hits.max(axis=0)
    after = (hits[:, -1:] - hits).max(axis=0)
    split = np.arange(LEAST_ROLLS_EACH, rolls - LEAST_ROLLS_EACH + 1)
    explained = before[split] + after[split]
    one = int(hits[:, -1].max())
    # Of equal ones the split whose two rules lie nearest to their rolls.
    best = split[explained == explained.max()]
    fits = [(_fit(found, within, slice(0, at)), _fit(found, within, slice(at, rolls)), int(at)) for at in best.tolist()]
    first, second, at = min(fits, key=lambda pair: (pair[0].distance + pair[1].distance, pair[2]))
    share, alone = (first.explained + second.explained) / rolls, one / rolls
    if exceeds(CHANGED_SHARE, share) or exceeds(alone + CHANGED_LEAD, share) or first.rule == second.rule:
        return None
    if min(first.explained, second.explained) < LEAST_ROLLS_EACH:
        return None
    return RuleChange((first, second), (found.roll_dates[at],), share)


def _fit(found: Candidates, within: int, rolls: slice) -> RuleFit:
    distance = found.distance[:, rolls]
    hit = distance <= within
    counts = hit.sum(axis=1)
    mean = np.where(hit, distance, 0).sum(axis=1) / np.maximum(counts, 1)
    best = int(np.lexsort((np.arange(counts.size), mean, -counts))[0])
    number = distance.shape[1]
    return RuleFit(found.rules[best], counts[best] / number, float(mean[best]), int(counts[best]), number)


def _place(sessions: Ints, days: Ints) -> Ints:
    """Position of the last session on or before each day."""
    return np.searchsorted(sessions, days, side="right") - 1


def _sessions_until(sessions: Ints, place: Ints, days: Ints) -> Ints:
    """Sessions from a position to a day; after the last session weekdays count."""
    beyond = np.maximum(days, sessions[-1])
    more = np.busday_count(
        np.full(days.size, sessions[-1] + 1).astype("datetime64[D]"), (beyond + 1).astype("datetime64[D]")
    )
    until: Ints = _place(sessions, days) - place + np.maximum(more, 0)
    return until


def _crossovers(
    days: Ints, activity: Floats, bounds: Ints, old: Ints, new: Ints, gap: Ints, sessions: Ints
) -> list[Ints]:
    """Per number of days, the session that confirms the new contract's larger activity that often running (-1: none).

    Counted from the roll before on, as a policy does.
    """
    found = [np.full(old.size, -1, dtype=np.int64) for _ in CONFIRMED]
    for i in range(old.size):
        since = sessions[gap[i - 1]] if i else sessions[max(gap[i] - 120, 0)]
        own, other = (slice(bounds[k], bounds[k + 1]) for k in (old[i], new[i]))
        own_days, other_days = days[own], days[other]
        first = np.searchsorted(own_days, since, side="right")
        own_days, own_values = own_days[first:], activity[own][first:]
        at = np.searchsorted(other_days, own_days)
        there = (at < other_days.size) & (other_days[np.minimum(at, other_days.size - 1)] == own_days)
        ahead = np.zeros(own_days.size, dtype=np.bool_)
        ahead[there] = activity[other][at[there]] > own_values[there]
        running = np.cumsum(ahead)
        for n, count in enumerate(CONFIRMED):
            if running.size >= count:
                whole: Bools = running[count - 1 :] - np.concatenate(([0], running[: running.size - count])) == count
                hits = np.flatnonzero(whole)
                if hits.size:
                    found[n][i] = np.searchsorted(sessions, own_days[hits[0] + count - 1])
    return found


def check_change(change: RuleChange | None) -> list[Finding]:
    """ROLL_RULE_CHANGED, where two rules with one change date explain what one does not."""
    if change is None:
        return []
    (before, *later), days = change.rules, change.changed_on
    on = " and again on ".join(map(str, days))
    then = "; ".join(
        f"from {day if n else 'then'} on {fit.words}, `{fit.rule.options}`"
        for n, (day, fit) in enumerate(zip(days, later, strict=True))
    )
    text = f"the reference changes its roll rule on {on}: before it {before.words}, `{before.rule.options}`; {then}"
    rules = [{"rule": fit.rule.text, "options": fit.rule.options, "share": fit.share} for fit in change.rules]
    evidence = {
        "changed_on": days[0].isoformat(),
        "before": rules[0],
        "after": rules[1],
        "later": [{"changed_on": day.isoformat(), **rule} for day, rule in zip(days[1:], rules[2:], strict=True)],
    }
    return [
        finding("rule_change", "WATCH", text, "ROLL_RULE_CHANGED", change.share, CHANGED_SHARE, "fraction", evidence)
    ]


# ---------------------------------------------------------------- delivery months


def months_held(names: Sequence[str], contract_on_day: Ints, sessions: Days) -> dict[str, set[int]]:
    """Per delivery month letter the calendar years on which a series held it. contract_on_day: -1 unknown."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(contract_on_day)) + 1))
    ends = np.append(starts[1:], contract_on_day.size) - 1
    years = [(sessions[at].astype("datetime64[Y]").astype(np.int64) + 1970).tolist() for at in (starts, ends)]
    out: dict[str, set[int]] = {}
    for contract, first, last in zip(contract_on_day[starts].tolist(), *years, strict=True):
        if contract >= 0:
            # The month code stands before the year's two digits.
            out.setdefault(names[contract][-3], set()).update(range(first, last + 1))
    return out


def check_months(ours: dict[str, set[int]], theirs: dict[str, set[int]]) -> list[Finding]:
    """MONTH_CYCLE_MISMATCH: delivery months that one side holds in two years or more and the other never does."""
    if not ours or not theirs:
        return []
    never_theirs = sorted((m for m in ours if len(ours[m]) >= YEARS_HELD and m not in theirs), key=MONTH_CODES.index)
    never_ours = sorted((m for m in theirs if len(theirs[m]) >= YEARS_HELD and m not in ours), key=MONTH_CODES.index)
    if not never_theirs and not never_ours:
        return []
    # A month that it holds for less is chance, unless it is one that we hold too.
    cycle = "".join(m for m in MONTH_CODES if len(theirs.get(m, ())) >= YEARS_HELD or (m in theirs and m in ours))
    told = []
    if never_theirs:
        told.append(f"the reference never holds {_months(never_theirs)}, which ours does")
    if never_ours:
        told.append(f"the reference holds {_months(never_ours)}, which ours never does")
    text = f"{'; '.join(told)}: its cycle is {cycle}, `--months {cycle}` follows it"
    evidence = {"only_ours": "".join(never_theirs), "only_reference": "".join(never_ours), "months": cycle}
    return [finding("month_cycle", "WATCH", text, "MONTH_CYCLE_MISMATCH", evidence=evidence)]


def _months(letters: Sequence[str]) -> str:
    names = (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    )  # fmt: skip
    return ", ".join(f"{names[MONTH_CODES.index(letter)]} ({letter})" for letter in letters)
