"""What is wrong with the bars or with the contracts held: impossible closes, holes, contracts that hardly trade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ctl.continuous.kernel import Bools, Int32s, Int64s, Path, Sessions
from ctl.kernels import kernel, part

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.model.contracts import Contract

    Floats = npt.NDArray[np.float64]

MOST_FACTOR: Final = 5.0  # a close farther off than this from those before it is no price
MOST_STEPS: Final = 3.0  # but for one that is no larger a step than so many of the largest of late
NEW_LEVEL: Final = 5  # so many such closes in a row that agree are a level of their own
LONGEST_HOLE: Final = 20  # sessions
THIN_SHARE: Final = 0.1  # of the most active contract's volume
THIN_SESSIONS: Final = 0.02  # share of sessions

LOOK_BACK: Final = 20  # closes whose changes say what is usual
_FEW: Final = 3  # changes, fewer say nothing of what is usual
_NEAR_FACTOR: Final = 4.0
_NEAR: Final = 5  # bars in which a negative close finds others that bear it out
_WEEKEND_FROM: Final = 5  # Saturday, with Monday = 0


@part
def _far(close: float, other: float) -> bool:
    """Whether two closes of one contract lie apart by more than the factor, or on two sides of zero."""
    if close == 0.0 or other == 0.0:
        return close != other
    ratio = close / other
    return ratio > MOST_FACTOR or ratio < 1.0 / MOST_FACTOR


@part
def _usual_later(close: Any, end: int, row: int, step: float) -> bool:
    """Whether half of the changes between the closes after this one are large beside a step: their median, tripled, is
    about the largest of so many.
    """
    first, stop, large = row + 2, min(row + LOOK_BACK, end), 0
    for at in range(first, stop):
        large += abs(close[at] - close[at - 1]) * MOST_STEPS * MOST_STEPS >= step
    return bool(_FEW <= stop - first <= 2 * large)


@part
def _usual_step(close: Any, bad: Any, first: int, end: int, row: int, level: float) -> bool:
    """Whether a close lies no farther from the last good one than the good ones before moved: as where prices hover at
    zero, and a factor says nothing. A contract's first closes have too few before them: those after them are asked too.
    """
    largest, seen, at, after = 0.0, 0, row - 1, level
    while at >= first and seen < LOOK_BACK:
        if not bad[at]:
            largest = max(largest, abs(after - close[at]))
            after = close[at]
            seen += 1
        at -= 1
    step = abs(close[row] - level)
    return bool(step <= MOST_STEPS * largest or (seen < LOOK_BACK and _usual_later(close, end, row, step)))


@part
def _borne_out(low: Any, high: Any, close: Any, first: int, end: int, row: int, level: float) -> bool:
    """Whether a close across zero is a price: its own bar reaches both sides, or a near bar lies on its side too."""
    if low[row] < 0.0 < high[row]:
        return not _far(abs(close[row]), abs(level)) or not _far(high[row], level) or not _far(low[row], level)
    for other in range(max(first, row - _NEAR), min(end, row + _NEAR + 1)):
        if other != row and (close[other] * level < 0.0 or (level > 0.0 > low[other]) or (level < 0.0 < high[other])):
            return True
    return False


@part
def _mark_bad(low: Any, high: Any, close: Any, first: int, end: int, bad: Any) -> int:
    """Mark the closes of one contract that cannot be a price there; the first row of a new level, -1 without one.

    A close is judged by the last good one before it: zero where that is not, off it by a factor above MOST_FACTOR, or
    across zero with no other bar that bears it out. NEW_LEVEL such closes in a row that agree are a new level. So later
    bars do not decide what was known on a session, but for the first close of a contract, for closes across zero and
    for a new level.
    """
    stepped = -1
    if end - first < 2:
        return stepped
    level = close[first]
    # The first close has none before it: those after it judge it.
    second, third = close[first + 1], close[min(first + 2, end - 1)]
    step = abs(level - second)
    agree = second != 0.0 and not _far(second, third) and step > MOST_STEPS * abs(second - third)
    agree = agree and not _usual_later(close, end, first + 1, step)
    if end - first > 2 and agree and _far(level, second) and _far(level, third):
        bad[first] = True
        level = second
    since = first  # the first of the closes in a row that are far off and agree with one another
    run = 0
    for row in range(first + 1, end):
        value = close[row]
        if not _far(value, level) or _usual_step(close, bad, first, end, row, level):
            level, run = value, 0
            continue
        if value * level < 0.0 and _borne_out(low, high, close, first, end, row, level):
            level, run = value, 0
            continue
        if run == 0 or _far(value, close[row - 1]):
            since, run = row, 0
        run += 1
        bad[row] = True
        if run >= NEW_LEVEL and value != 0.0:
            for again in range(since, row + 1):
                bad[again] = False
            stepped = stepped if stepped >= 0 else since
            level, run = value, 0
    return stepped


@part
def _mark_torn(open_: Any, high: Any, low: Any, close: Any, first: int, end: int, torn: Any) -> None:
    """Mark the bars of one contract whose open, high or low is zero where the close is not, or far off it."""
    for row in range(first, end):
        value = close[row]
        for price in (open_[row], high[row], low[row]):
            # Beyond zero a price says nothing of a factor; NaN compares as nothing.
            ratio = price / value if value != 0.0 else 1.0
            if ratio == 0.0 or ratio > MOST_FACTOR or 0.0 < ratio < 1.0 / MOST_FACTOR:
                torn[row] = True


@part
def _near(price: float, value: float) -> bool:
    """Whether a price is within a factor of a value above zero, of which rounding takes none beyond MOST_FACTOR."""
    return (not price > _NEAR_FACTOR * value) & (not _NEAR_FACTOR * price < value)


@kernel
def _examine(
    days: Any,
    open_: Any,
    high: Any,
    low: Any,
    close: Any,
    volume: Any,
    interest: Any,
    first_row: Any,
    end_row: Any,
    eligible: Any,
    start: int,
    seen: Any,
    most: Any,
    leader: Any,
    bad: Any,
    torn: Any,
) -> tuple[int, int, int, int]:
    """See `examine`. seen, most, leader: by day from `start`; seen: 1 where any contract has a bar, 3 where an eligible
    one has. Returns unordered, not_finite, negative, stepped.
    """
    not_finite, negative, stepped, number = 0, 0, -1, 0
    for contract in range(len(first_row)):
        first, end = first_row[contract], end_row[contract]
        ascending = True
        for i in range(first + 1, end):
            ascending &= days[np.uint64(i - 1)] < days[np.uint64(i)]
        if not ascending:
            for i in range(first + 1, end):
                if days[i - 1] >= days[i]:
                    return i, not_finite, negative, stepped
        usual = True
        for at in range(first, end):
            row = np.uint64(at)  # an unsigned index is not looked at for its sign
            value = close[row]
            before = close[np.uint64(max(at - 1, first))]
            usual &= (value > 0.0) & _near(open_[row], value) & _near(high[row], value) & _near(low[row], value)
            usual &= _near(before, value)
            # What is infinite or no number less itself is not zero.
            not_finite += (open_[row] - open_[row] != 0.0) + (high[row] - high[row] != 0.0)
            not_finite += (low[row] - low[row] != 0.0) + (value - value != 0.0)
            negative += (volume[row] < 0) + (interest[row] < 0)
        if not eligible[contract]:
            for i in range(first, end):
                seen[days[i] - start] |= 1
            continue
        if not usual:
            level = _mark_bad(low, high, close, first, end, bad)
            stepped = level if stepped < 0 else stepped
            _mark_torn(open_, high, low, close, first, end, torn)
        for at in range(first, end):
            row = np.uint64(at)
            day = np.uint64(days[row] - start)
            seen[day] = 3
            if volume[row] > most[day]:
                most[day], leader[day] = volume[row], number
        number += 1
    return -1, not_finite, negative, stepped


class Examined(NamedTuple):
    """What one pass over all bars of a root finds.

    sessions: those of any contract. unordered: the first row that does not come after the row before it in the same
    contract, or -1; nothing else holds then. not_finite: prices, negative: volumes and open interests, of all
    contracts, missing ones with them. bad: bool[n], closes that cannot be a price there; torn: bool[n], bars with
    another price that is zero where the close is not, or off it by a factor above MOST_FACTOR; stepped: the first row
    from which on a contract's closes lie at another level, or -1; these of eligible contracts alone.
    most, leader: by session, the largest volume of an eligible contract and its number among them, -1 where none has.
    """

    sessions: Sessions
    unordered: int
    not_finite: int
    negative: int
    bad: Bools
    torn: Bools
    stepped: int
    most: Int64s
    leader: Int32s


def examine(
    days: Int32s,
    prices: tuple[Floats, ...],
    volume: Int64s,
    interest: Int64s,
    first_row: Int64s,
    end_row: Int64s,
    eligible: Bools,
) -> Examined:
    """Look at every bar once.

    days: int32[n]; prices: open, high, low, close, NaN where missing; volume, interest: int64[n], -1 where missing.
    first_row, end_row: int64[c], half-open, none empty; eligible: bool[c].
    """
    start, stop = int(days[first_row].min()), int(days[end_row - 1].max())
    span = max(stop - start + 1, 0)
    seen, leader = np.zeros(span, dtype=np.uint8), np.full(span, -1, dtype=np.int32)
    most = np.full(span, -1, dtype=np.int64)
    bad, torn = np.zeros((2, len(days)), dtype=np.bool_)
    open_, high, low, close = prices
    unordered, not_finite, negative, stepped = _examine(
        days, open_, high, low, close, volume, interest, first_row, end_row, eligible, start, seen, most, leader, bad,
        torn,
    )  # fmt: skip
    at = np.flatnonzero(seen)
    sessions = Sessions(days=(at + start).astype(np.int32), trades=seen[at] == 3)
    torn &= ~bad
    return Examined(sessions, unordered, not_finite, negative, bad, torn, stepped, most[at], leader[at])


class Hole(NamedTuple):
    """A run of sessions without a bar of any contract of the root, more than LONGEST_HOLE; days are day numbers."""

    last_before: int
    first_after: int
    sessions: int


def holes(days: Int32s, calendar: Int32s | None) -> list[Hole]:
    """The holes between ascending days. calendar: the exchange's sessions; where it does not reach, weekdays count."""
    if len(days) < 2:
        return []
    wide = np.flatnonzero(np.diff(days) > LONGEST_HOLE)
    found = []
    for at in wide.tolist():
        last, following = int(days[at]), int(days[at + 1])
        between = np.arange(last + 1, following)
        weekdays = between[(between + 3) % 7 < _WEEKEND_FROM]
        if calendar is not None and len(calendar):
            known = calendar[(calendar > last) & (calendar < following)]
            weekdays = np.concatenate([weekdays[(weekdays < calendar[0]) | (weekdays > calendar[-1])], known])
        if len(weekdays) > LONGEST_HOLE:
            found.append(Hole(last, following, len(weekdays)))
    return found


class Thin(NamedTuple):
    """How often the contract held hardly trades. thin, known: sessions; passed_over: contracts, as indices, that never
    led in volume although a later one did while they traded.
    """

    thin: int
    known: int
    passed_over: list[int]

    @property
    def too_often(self) -> bool:
        """Whether it is a finding."""
        return self.thin > THIN_SESSIONS * self.known


def thin_contracts(path: Path, examined: Examined, days: Int32s, volume: Int64s, end_row: Int64s) -> Thin:
    """Compare the volume of the contract held with the most active one's; arguments as in `kernel.roll_path`."""
    used = path.row >= 0
    own, largest = volume[path.row[used]], examined.most[used]
    known = own >= 0
    thin = int((known & (own < THIN_SHARE * largest)).sum())
    found = Thin(thin, int(known.sum()), [])
    if not found.too_often:
        return found
    leader, session = examined.leader[path.first :], examined.sessions.days[path.first :]
    led = np.unique(leader[leader >= 0])
    furthest = np.maximum.accumulate(leader)
    last = np.clip(np.searchsorted(session, days[end_row - 1], side="right") - 1, 0, len(session) - 1)
    passed = np.setdiff1d(np.flatnonzero(furthest[last] > np.arange(len(end_row))), led)
    return found._replace(passed_over=passed[passed > led[0]].tolist() if len(led) else [])


def months_to_leave_out(contracts: tuple[Contract, ...], passed_over: list[int]) -> str:
    """The delivery months most of whose contracts were passed over, as letters in delivery order."""
    span = contracts[min(passed_over) : max(passed_over) + 1] if passed_over else ()
    passed = [contracts[index].month_code for index in passed_over]
    listed = [contract.month_code for contract in span]
    return "".join(sorted(code for code in set(passed) if 2 * passed.count(code) > listed.count(code)))
