"""The walk over sessions that chooses the contract, compiled.

Bars stay as they arrive (`ctl.continuous.tape`): nothing is sorted or copied, so memory grows with the rows alone, and
the walk touches only the active contract, the next one and, where a rule asks, the others that trade.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ctl.continuous.tape import (
    BREAKS,
    COUNTS,
    LINE,
    NO_CONTRACT,
    UNKNOWN_DAY,
    Tape,
    bar_on,
    leader,
    successor,
)
from ctl.kernels import fixed, kernel, part, table

POLICY_ROLL: Final = 0  # the policy's own rule
ENDED_ROLL: Final = 1  # the active contract ended
GUARD_ROLL: Final = 2  # it may be held no longer

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Sessions(NamedTuple):
    """days: int32[m], the union of all bars' sessions, ascending. trades: bool[m], an eligible contract has a bar."""

    days: Int32s
    trades: Bools


class Path(NamedTuple):
    """What the walk decided; sessions are indices into Sessions.days, contracts indices into first_row.

    row: int64[m], the bar used on each session, -1 where there is none; holder: int64[m], whose it is. first: the
    session on which the series begins, m where it never does.
    Per roll, in order: from_contract, to_contract; force, the session from which the new contract is used; known,
    the session whose close made it knowable; gap_day, the day number at or before which the gap session lies;
    reason, POLICY_ROLL, ENDED_ROLL or GUARD_ROLL; confirming: int64[rolls, consecutive_days], the sessions that
    confirmed, -1 where the rule has none.
    pending_to, pending_known, pending_reason: a roll known and not in force at the end, -1 where there is none; it
    leaves `active`.
    unconfirmed: sessions whose crossing lasted long enough and failed only the second part of the rule.
    """

    row: Int64s
    holder: Int64s
    first: int
    from_contract: Int64s
    to_contract: Int64s
    force: Int64s
    known: Int64s
    gap_day: Int64s
    reason: Int64s
    confirming: Int64s
    active: int
    pending_to: int
    pending_known: int
    pending_reason: int
    unconfirmed: int


@part
def _trades(tape: Any, contract: int, day: int, holdable: bool) -> bool:
    """Whether a contract has not ended by a day, or may even be held on it."""
    line = tape.contracts[contract]
    return day <= line.last_trade and (day <= line.leave_day or not holdable)


@kernel
def _walk(
    confirm: Any,
    tape: Any,
    same_session: bool,
    consecutive_days: int,
    nearest_first: bool,
    schedule_day: Any,
    schedule_prior: Any,
    schedule_from: Any,
    schedule_to: Any,
    session: Any,
    trades: Any,
    used: Any,
    used_of: Any,
    roll: Any,
    confirming: Any,
    recent: Any,
) -> Any:
    """See `roll_path`. used to recent are filled: rows used and their contracts, int64[c, 6] rolls (from, to, force,
    known, gap day, reason), int64[c, k] confirming sessions, int64[k] scratch.
    """
    contracts, sessions, needed = len(tape.contracts), len(session), max(consecutive_days, 1)
    planned = len(schedule_day) > 0
    oldest = 0  # the first contract that may still have a bar
    rolls = 0

    pending_why = POLICY_ROLL
    begin, active, missing, unconfirmed = sessions, -1, 0, 0
    run, left, candidate = 0, -1, -1  # sessions in a row that speak for leaving one contract for another
    pending, pending_known, reached = -1, -1, -1  # reached: the last entry of the schedule that is due

    for i in range(sessions):
        day = session[i]
        while oldest < contracts and tape.days[tape.contracts[oldest].end_row - 1] < day:
            oldest += 1

        # A roll confirmed at the last close comes into force.
        if pending >= 0:
            active, pending, missing = pending, -1, 0
        while reached + 1 < len(schedule_day) and schedule_day[reached + 1] <= day:
            reached += 1

        # The first contract.
        if active < 0:
            if not trades[i]:
                continue
            if planned:
                if reached >= 0 and bar_on(tape, schedule_to[reached], day) >= 0:
                    active = schedule_to[reached]
                elif schedule_from[max(reached, 0)] >= 0:
                    holder = schedule_from[max(reached, 0)]
                    if bar_on(tape, holder, day) < 0:
                        continue
                    active = holder
            if active < 0:
                for holdable in (True, False):  # one that may still be held, else one that trades
                    most = np.int64(-2)
                    for c in range(oldest, contracts):
                        row = bar_on(tape, c, day)
                        if row >= 0 and _trades(tape, c, day, holdable) and tape.volume[row] > most:
                            most, active = tape.volume[row], c
                            if nearest_first:
                                break
                    if active >= 0:
                        break
                if active < 0:
                    continue
            begin = i

        # A scheduled roll comes into force on the first session on which its contract has a bar.
        elif reached >= 0 and schedule_to[reached] > active:
            target = schedule_to[reached]
            if bar_on(tape, target, day) >= 0:
                knew = i
                while knew > begin and session[knew - 1] >= schedule_prior[reached]:
                    knew -= 1
                roll[rolls, 0], roll[rolls, 1], roll[rolls, 2] = active, target, i
                roll[rolls, 3], roll[rolls, 5] = knew, POLICY_ROLL
                roll[rolls, 4] = day if same_session else day - 1
                rolls += 1
                active, missing = target, 0

        # A roll day without a bar of any contract: the next session is the first to know.
        elif min(tape.contracts[active].roll_day, tape.contracts[active].leave_day) < day:
            other = successor(tape, tape.volume, active, session[i - 1])
            if other >= 0:
                roll[rolls, 0], roll[rolls, 1], roll[rolls, 2] = active, other, i
                roll[rolls, 3], roll[rolls, 4] = i, day - 1
                roll[rolls, 5] = POLICY_ROLL if tape.contracts[active].roll_day < day else GUARD_ROLL
                rolls += 1
                active, missing = other, 0

        # The active contract may have ended.
        row = bar_on(tape, active, day)
        past = day > tape.contracts[active].last_trade
        if past:
            row = -1
        if row >= 0:
            missing = 0
        elif trades[i]:
            missing += 1
        waits = False
        if planned:
            # What the schedule says to hold, or to roll to, waits for its next bar while the schedule goes on.
            holder = schedule_to[reached] if reached >= 0 else schedule_from[0]
            waits = holder > active or (holder == active and reached + 1 < len(schedule_day))
        if past or (missing >= 2 and not waits):
            other = leader(tape, tape.volume, active + 1, day, True) if tape.most_active else NO_CONTRACT
            for holdable in (True, False):
                for c in range(active + 1, contracts):
                    if other < 0 and _trades(tape, c, day, holdable) and bar_on(tape, c, day) >= 0:
                        other = c
            if other >= 0:
                roll[rolls, 0], roll[rolls, 1], roll[rolls, 2] = active, other, i
                roll[rolls, 3], roll[rolls, 5] = i, ENDED_ROLL
                roll[rolls, 4] = min(day - 1, tape.contracts[active].last_trade)
                rolls += 1
                active, missing = other, 0
                row = bar_on(tape, other, day)
        used[i], used_of[i] = row, active

        # Does this close confirm a roll? A run of sessions belongs to one pair of contracts.
        chosen, why = NO_CONTRACT, POLICY_ROLL
        new, word = confirm(tape, day, active, row, oldest)
        if word == BREAKS or active != left or new != candidate:
            run, left, candidate = 0, active, new
        if new >= 0 and word >= COUNTS:
            recent[run % needed] = i
            run += 1
            if run >= needed and word == COUNTS:
                unconfirmed += 1
            elif run >= needed:
                chosen = new
        if chosen < 0 and tape.contracts[active].leave_day <= day:
            chosen, why = successor(tape, tape.volume, active, day), GUARD_ROLL
        if chosen >= 0:
            pending, pending_known = chosen, i
            new_row = bar_on(tape, chosen, day)
            at_once = same_session and new_row >= 0
            roll[rolls, 0], roll[rolls, 1], roll[rolls, 2] = active, chosen, i if at_once else i + 1
            roll[rolls, 3], roll[rolls, 4], roll[rolls, 5] = i, day, why
            if why == POLICY_ROLL:
                for k in range(consecutive_days):
                    confirming[rolls, k] = recent[(run + k) % needed]
            rolls += 1
            if at_once:
                used[i], used_of[i] = new_row, chosen

    if planned and active >= 0:
        # An entry is known once the session before its day is over.
        last, due = session[sessions - 1], reached
        while due + 1 < len(schedule_day) and schedule_prior[due + 1] <= last:
            due += 1
        if due >= 0 and schedule_to[due] > active:
            pending, pending_known = schedule_to[due], sessions - 1
            while pending_known > begin and session[pending_known - 1] >= schedule_prior[due]:
                pending_known -= 1
    elif pending >= 0 and roll[rolls - 1, 2] >= sessions:
        rolls -= 1  # still pending: not a roll yet
        pending_why = roll[rolls, 5]
        active = roll[rolls, 0]
    else:
        if pending >= 0:
            active = pending
        pending, pending_known = -1, -1
    return begin, rolls, active, pending, pending_known, pending_why, unconfirmed


def roll_path(
    *,
    confirm: Any,
    days: Int32s,
    volume: Int64s,
    interest: Int64s,
    first_row: Int64s,
    end_row: Int64s,
    sessions: Sessions,
    consecutive_days: int = 0,
    same_session: bool = False,
    nearest_first: bool = False,
    last_trade: Int32s | None = None,
    roll_day: Int32s | None = None,
    leave_day: Int32s | None = None,
    most_active: bool = False,
    schedule: tuple[Int32s, Int32s, Int64s, Int64s] | None = None,
) -> Path:
    """Choose the contract of every session.

    confirm: a compiled rule of `ctl.continuous.tape`. consecutive_days: how many closes in a row confirm a roll; 0: one
    does, and no confirming session is kept.
    days: int32[n], day number of each row; volume, interest: int64[n], -1 where missing. Rows lie contract after
    contract, ascending within one; first_row, end_row: int64[c], the half-open rows of the eligible contracts in
    expiry order, none empty (other rows are not looked at).
    nearest_first: begin on the nearest contract, not on the one with most volume.
    last_trade, roll_day, leave_day: int32[c], UNKNOWN_DAY where unknown; at the close of roll_day the policy leaves a
    contract, at that of leave_day the guard does. most_active: see `ctl.continuous.tape.Tape`.
    schedule: int32[s] first day on the new contract, int32[s] the session before it, int64[s] old contract (-1
    where not stated), int64[s] new contract; ascending by day. Its rolls are followed without a confirming close.
    """
    contracts, width = len(first_row), max(consecutive_days, 1)
    none = np.empty(0, dtype=np.int32)
    plan = schedule if schedule is not None else (none, none, none.astype(np.int64), none.astype(np.int64))
    lines = table(contracts, LINE)
    lines["end_row"], lines["cursor"], lines["first_day"] = end_row, first_row, days[first_row]
    lines["none_before"] = np.minimum.accumulate(lines["first_day"][::-1])[::-1]
    for name, named in (("last_trade", last_trade), ("roll_day", roll_day), ("leave_day", leave_day)):
        lines[name] = UNKNOWN_DAY if named is None else named
    used, holder = np.full((2, len(sessions.days)), -1, dtype=np.int64)
    roll = np.full((contracts, 6), -1, dtype=np.int64)
    confirming = np.full((contracts, width), -1, dtype=np.int64)
    tape = Tape(fixed(days), fixed(volume), fixed(interest), lines, most_active)
    first, rolls, active, pending, pending_known, pending_why, unconfirmed = _walk(
        confirm,
        tape,
        same_session,
        consecutive_days,
        nearest_first,
        *plan,
        sessions.days,
        sessions.trades,
        used,
        holder,
        roll,
        confirming,
        np.full(width, -1, dtype=np.int64),
    )
    roll = roll[:rolls]
    return Path(
        row=used,
        holder=holder,
        first=int(first),
        from_contract=roll[:, 0],
        to_contract=roll[:, 1],
        force=roll[:, 2],
        known=roll[:, 3],
        gap_day=roll[:, 4],
        reason=roll[:, 5],
        confirming=confirming[:rolls],
        active=int(active),
        pending_to=int(pending),
        pending_known=int(pending_known),
        pending_reason=int(pending_why),
        unconfirmed=int(unconfirmed),
    )


class RollRows(NamedTuple):
    """Rows behind each roll. gap: int64[rolls, 2], the old and the new contract's close of the gap; concurrent:
    bool[rolls], both of one session. volume: int64[rolls, consecutive_days, 2], the rows whose volumes the roll states,
    -1 where there is no bar; stated: int64[rolls], how many of them count. used: int64[rolls], the first session with a
    bar of the new contract, -1 where it was left without one.
    """

    gap: Int64s
    concurrent: Bools
    volume: Int64s
    stated: Int64s
    used: Int64s


@part
def _at_or_before(days: Any, first: int, end: int, day: int) -> int:
    """The last row of first..end whose day is not after `day`; first - 1 without one."""
    low, high = first, end
    while low < high:
        middle = (low + high) // 2
        if days[middle] <= day:
            low = middle + 1
        else:
            high = middle
    return low - 1


@kernel
def _rows_of_rolls(
    days: Any,
    first_row: Any,
    end_row: Any,
    bad: Any,
    session: Any,
    row_used: Any,
    roll: Any,
    confirming: Any,
    gap: Any,
    concurrent: Any,
    volume: Any,
    stated: Any,
    used: Any,
) -> None:
    rolls, width = confirming.shape
    for r in range(rolls):
        old, new, force, gap_day, reason = roll[r, 0], roll[r, 1], roll[r, 2], roll[r, 4], roll[r, 5]
        old_last = _at_or_before(days, first_row[old], end_row[old], gap_day)
        new_last = _at_or_before(days, first_row[new], end_row[new], gap_day)

        # The latest session with both closes.
        a, b = old_last, new_last
        while a >= first_row[old] and b >= first_row[new] and (days[a] != days[b] or bad[a] or bad[b]):
            if days[a] > days[b] or (days[a] == days[b] and bad[a]):
                a -= 1
            else:
                b -= 1
        if a >= first_row[old] and b >= first_row[new]:
            concurrent[r] = True
        else:
            # None: the old contract's last close, and the new one's close nearest to it.
            a = max(old_last, first_row[old])
            while a > first_row[old] and bad[a]:
                a -= 1
            b = first_row[new]
            for row in range(first_row[new], end_row[new]):
                if days[row] > session[force]:
                    break
                if bad[b] or (not bad[row] and abs(days[row] - days[a]) < abs(days[b] - days[a])):
                    b = row
        gap[r, 0], gap[r, 1] = a, b

        for k in range(width):
            if confirming[r, k] >= 0:
                day = session[confirming[r, k]]
            elif k == 0:
                # No confirming sessions: the old contract's last session, or the one on which the rule fired.
                day = gap_day
                if reason == ENDED_ROLL and old_last >= first_row[old]:
                    day = days[old_last]
                elif reason != ENDED_ROLL:
                    day = session[max(_at_or_before(session, 0, len(session), gap_day), 0)]
            else:
                break
            for side in range(2):
                contract = roll[r, side]
                row = _at_or_before(days, first_row[contract], end_row[contract], day)
                if row >= first_row[contract] and days[row] == day:
                    volume[r, k, side] = row
            stated[r] = k + 1

        until = roll[r + 1, 2] if r + 1 < rolls else len(session)
        for i in range(force, until):
            if row_used[i] >= 0:
                used[r] = i
                break


def rows_of_rolls(
    path: Path, days: Int32s, first_row: Int64s, end_row: Int64s, bad: Bools, sessions: Sessions
) -> RollRows:
    """Find the closes of each roll's gap and the volumes it states; arguments as in `roll_path`.

    bad: bool[n], closes that count as missing. The gap session is the latest up to the path's gap_day on which both
    contracts have a close. Where there is none:
    the old contract's last close up to then and of the new one's, up to the session from which it is used, the
    nearest in time (the earlier of two equally near).
    """
    rolls, width = path.confirming.shape
    columns = [path.from_contract, path.to_contract, path.force, path.known, path.gap_day, path.reason]
    found = RollRows(
        gap=np.full((rolls, 2), -1, dtype=np.int64),
        concurrent=np.zeros(rolls, dtype=np.bool_),
        volume=np.full((rolls, width, 2), -1, dtype=np.int64),
        stated=np.zeros(rolls, dtype=np.int64),
        used=np.full(rolls, -1, dtype=np.int64),
    )
    roll = np.stack(columns, axis=1)
    _rows_of_rolls(days, first_row, end_row, bad, sessions.days, path.row, roll, path.confirming, *found)
    return found


def carried_by(path: Path, of_roll: npt.NDArray[np.float64], neutral: float) -> npt.NDArray[np.float64]:
    """float64[sessions]: what each session carries, `of_roll` of the first roll in force after it, else `neutral`."""
    edges = np.concatenate(([0], np.minimum(path.force[: len(of_roll)], len(path.row)), [len(path.row)]))
    return np.repeat(np.append(of_roll, neutral), np.diff(edges))
