"""L0, checks 5 to 7: dates, unit and level of every part of the history, and most of all of the newest.

A wrong date or level bends the recovered path and hides in a mean over the whole history, so nothing here rests on
either but for the contract that the reference holds on the newest sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Days, Floats, Ints
from ctl.certification.layers import prints
from ctl.certification.log_points import priced
from ctl.certification.newest_range import NEWEST
from ctl.certification.series_arrays import UNKNOWN, days_of, gaps_of, median
from ctl.certification.tolerance import exceeds
from ctl.model.findings import Finding, counted, finding, first_few, in_full
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.overlap import Overlap
    from ctl.certification.series_arrays import CanonicalArrays
    from ctl.certification.window import Window
    from ctl.model.findings import Status


WINDOW: Final = NEWEST
WINDOW_STEP: Final = 20
LAGS: Final = (-3, -2, -1, 1, 2, 3)
SHIFT_CORRELATION: Final = 0.60
SHIFT_LEAD: Final = 0.30
SAME_CLOSES: Final = 0.90
# Windows of the newest sessions that are judged by their differences, and the lags that each can tell.
SHORT_WINDOWS: Final = ((5, (-1, 1)), (10, LAGS), (20, LAGS))
SHORT_SHARE: Final = 0.25
SHORT_ATR: Final = 0.3
SHIFTED_SHARE: Final = 0.05
_MOST_ATR: Final = 4.0
_EDGE_DAYS: Final = 4
LEAST_CHANGES: Final = 30

UNIT_FACTOR: Final = 1.5
UNIT_SESSIONS: Final = 5
MOVES_OFF_ZERO: Final = 8.0  # prices nearer to zero, in usual changes, say nothing by a factor
_NAMED_FACTORS: Final = {100.0: "100 cents to the dollar", 42.0: "42 gallons to the barrel"}
_ROUND_FACTORS: Final = (2.0, 4.0, 5.0, 10.0, 12.0, 20.0, 25.0, 42.0, 50.0, 60.0, 100.0, 1000.0, 10_000.0)
_CONTRACT_SAMPLES: Final = 9

STEP_ATR: Final = 4.0
STEP_KEPT: Final = 0.6
ROLL_SESSIONS: Final = 3
ROUNDING_TICKS: Final = 1.5
SAME_LEVEL_ATR: Final = 0.25
NOW_WINDOWS: Final = (20, 5)
NOW_MEDIAN_ATR: Final = 1.0
NOW_NEWEST_ATR: Final = 3.0
NOW_CHANGES: Final = 60
NOW_LEAST_CHANGES: Final = 40
NOW_RECENT: Final = 80
NOW_SPREAD: Final = (0.8, 1.25)
ENDS_APART_SESSIONS: Final = 5
# In mean changes of close: 5.5 are 3 mean true ranges on nine real markets, where only closes are known as well.
AHEAD_MOVES: Final = 5.5
ALONE_MOVES: Final = 2.0

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


# ---------------------------------------------------------------- 5. dates


@dataclass(frozen=True, slots=True)
class DateShift:
    """A stretch on which the other side's closes are ours `by` sessions later (negative: earlier).

    first, last: positions on our sessions, both inclusive. at_shift, at_zero: correlations of changes over the
    stretch. newest: the stretch reaches the newest sessions.
    """

    by: int
    first: int
    last: int
    at_shift: float
    at_zero: float
    newest: bool


def date_shifts(own: Floats, other: Floats, place: Ints, *, atr: float) -> tuple[DateShift, ...]:
    """Stretches on which two series agree some sessions apart and not on the same session.

    own: our closes' changes on their sessions (n), NaN where left out. other: the other side's on its own (m). place:
    position among the other side's of each of our sessions (n), ascending. atr: mean true range of the newest sessions.
    """
    count = own.size
    if count < LEAST_CHANGES:
        return ()
    starts, ends = _windows(count)
    same_session = _at(other, place)
    at_zero = _window_correlation(own, same_session, starts, ends)
    low = np.flatnonzero(at_zero <= 1.0 - SHIFT_LEAD)
    newest = slice(count - SHORT_WINDOWS[-1][0], count)
    if not low.size and not np.nanmax(np.abs(own[newest] - same_session[newest]), initial=0.0) >= SHORT_ATR * atr:
        # No lag can lead by so much, and the newest sessions agree.
        return ()
    lagged = {0: same_session} | {k: _at(other, place + k) for k in LAGS}
    at_lags = np.stack([_window_correlation(own, lagged[k], starts, ends) for k in LAGS])
    best = at_lags.argmax(axis=0)
    found = at_lags[best, np.arange(starts.size)]
    stretches: list[tuple[int, int, int]] = []
    for at in low[(found[low] >= SHIFT_CORRELATION) & (at_zero[low] <= found[low] - SHIFT_LEAD)].tolist():
        by = LAGS[int(best[at])]
        if stretches and stretches[-1][0] == by and starts[at] <= stretches[-1][2]:
            stretches[-1] = (by, stretches[-1][1], int(ends[at]))
        else:
            stretches.append((by, int(starts[at]), int(ends[at])))
    stretches += _newest_short(own, lagged, stretches, atr)
    return tuple(_edged(own, lagged, *stretch) for stretch in stretches)


def _newest_short(
    own: Floats, lagged: dict[int, Floats], stretches: list[tuple[int, int, int]], atr: float
) -> list[tuple[int, int, int]]:
    """The shortest window of the newest sessions that only differences can judge, where one is shifted."""
    count = own.size
    if stretches and stretches[-1][2] == count:
        return []
    for sessions, lags in SHORT_WINDOWS:
        newest = slice(count - sessions, count)
        found = []
        for k in lags:
            apart = np.abs(np.stack([own - lagged[0], own - lagged[k]])[:, newest])
            # On the same sessions for both, and no misprint or change of unit may speak for a date.
            apart = np.minimum(apart[:, np.isfinite(apart).all(axis=0)], _MOST_ATR * atr)
            if 2 * apart.shape[1] > sessions:
                at_zero, at_lag = apart.mean(axis=1).tolist()
                if at_zero >= SHORT_ATR * atr and at_lag <= SHORT_SHARE * at_zero:
                    found.append((at_lag, k))
        if found:
            return [(min(found)[1], count - sessions, count)]
    return []


def _edged(own: Floats, lagged: dict[int, Floats], by: int, first: int, end: int) -> DateShift:
    """The stretch with its edges where the summed differences of changes are least."""
    count = own.size
    gain = np.abs(own - lagged[0]) - np.abs(own - lagged[by])
    # A huge difference (a misprint, a change of unit) stands on both sides of the comparison: it says nothing of dates.
    usual = np.nanmedian(np.abs(own)) + 1e-12
    summed = np.concatenate([[0.0], np.cumsum(np.clip(np.nan_to_num(gain), -10.0 * usual, 10.0 * usual))])
    reaches_end = end == count
    low, high = max(first - WINDOW, 0), min(first + WINDOW, end - 1)
    first = low + int(np.argmin(summed[low : high + 1]))
    low, high = max(end - WINDOW, first + 1), min(end + WINDOW, count)
    end = count if reaches_end else low + int(np.argmax(summed[low : high + 1]))
    bounds = np.array([first]), np.array([end])
    return DateShift(
        by,
        first,
        end - 1,
        float(_window_correlation(own, lagged[by], *bounds, least=3)[0]),
        float(_window_correlation(own, lagged[0], *bounds, least=3)[0]),
        end >= count - max(abs(by), 1),
    )


def _window_correlation(x: Floats, y: Floats, starts: Ints, ends: Ints, least: int = LEAST_CHANGES) -> Floats:
    """Pearson of x and y on each [start, end); -1 where fewer than `least` pairs are known or one side stands still."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    sums = np.zeros((6, x.size + 1))
    np.cumsum((both, x, y, x * x, y * y, x * y), axis=1, out=sums[:, 1:])
    n, sx, sy, sxx, syy, sxy = sums[:, ends] - sums[:, starts]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (sxy - sx * sy / n) / np.sqrt((sxx - sx * sx / n) * (syy - sy * sy / n))
    return np.where((n >= least) & np.isfinite(found), found, -1.0)


def _windows(count: int) -> tuple[Ints, Ints]:
    """Starts and ends of every window of 60 (step 20, and the last 60) over `count` sessions."""
    last = max(count - WINDOW, 0)
    starts = np.arange(0, last + 1, WINDOW_STEP)
    starts = starts if starts[-1] == last else np.append(starts, last)
    return starts, np.minimum(starts + WINDOW, count)


def typical_correlation(own: Floats, other: Floats) -> float:
    """Median over the windows of 60 sessions of the correlation of changes on the same session: one defect, a level or
    a stretch of dates, does not move it. own, other: changes on shared sessions, NaN where left out.
    """
    if own.size < LEAST_CHANGES:
        return float("nan")
    return float(np.median(_window_correlation(own, other, *_windows(own.size))))


def _at(values: Floats, place: Ints) -> Floats:
    inside = (place >= 0) & (place < values.size)
    return np.where(inside, values[np.where(inside, place, 0)], np.nan) if values.size else np.full(place.size, np.nan)


def check_dates(shifts: tuple[DateShift, ...], sessions: Days) -> Finding:
    """Check 5: both sides date their closes alike, in every part of the history."""
    if not shifts:
        return finding("dates", "PASS", "changes agree best on the same session in every part of the history")
    lengths = dict.fromkeys(LAGS, 0)
    for shift in shifts:
        if shift.at_shift >= SAME_CLOSES:
            lengths[shift.by] += shift.last - shift.first + 1
    share = sum(lengths.values()) / sessions.size
    fails = any(shift.newest for shift in shifts) or not exceeds(SHIFTED_SHARE, share)
    worst = max(shifts, key=lambda shift: (shift.newest, shift.last - shift.first))
    alike = [shift for shift in shifts if shift.by == worst.by]
    by, later = abs(worst.by), "later" if worst.by > 0 else "earlier"
    span = "one session" if by == 1 else f"{by} sessions"
    text = (
        f"the reference dates its closes {span} {later} than ours {_when(alike, sessions)}: changes correlate "
        f"{worst.at_shift:.2f} {span} apart, {worst.at_zero:.2f} on the same session"
    )
    if worst.at_shift < SAME_CLOSES:
        text += f"; they are closes of another hour, nearest to our session {'before' if worst.by > 0 else 'after'}"
    evidence = {
        "shifts": [
            {
                "sessions": shift.by,
                "first_session": str(sessions[shift.first]),
                "last_session": str(sessions[shift.last]),
                "correlation": shift.at_shift,
                "correlation_same_session": shift.at_zero,
            }
            for shift in shifts
        ],
        "share": share,
    }
    status: Status = "FAIL" if fails else "WATCH"
    return finding("dates", status, text, "DATE_SHIFT", share, SHIFTED_SHARE, "fraction", evidence)


def _when(shifts: list[DateShift], sessions: Days) -> str:
    """From when to when: one stretch, the same months of every year, or the first few."""
    spans = [(sessions[shift.first], sessions[shift.last]) for shift in shifts]
    if len(spans) >= 3:
        # An edge may lie a session or two beside the turn of a month.
        inner = [(first + _EDGE_DAYS, last - _EDGE_DAYS) for first, last in spans]
        months = [tuple(int(day.astype("datetime64[M]").astype(int)) % 12 for day in span) for span in inner]
        # The newest stretch may still go on, the oldest may have begun before the data.
        begins, ends = [m[0] for m in months[1:]], [m[1] for m in months[:-1]]
        begin, end = max(set(begins), key=begins.count), max(set(ends), key=ends.count)
        near = sum(_months_apart(a, begin) <= 1 for a in begins) + sum(_months_apart(a, end) <= 1 for a in ends)
        if near >= 0.8 * (len(begins) + len(ends)):
            return f"every {_MONTHS[begin]} to {_MONTHS[end]} ({spans[0][0]} to {spans[-1][1]})"
    shown = ", ".join(f"from {first} to {last}" for first, last in spans[-3:])
    return shown + (f" and on {counted(len(spans) - 3, 'earlier stretch', 'earlier stretches')}" if spans[3:] else "")


def _months_apart(a: int, b: int) -> int:
    return min((a - b) % 12, (b - a) % 12)


# ---------------------------------------------------------------- 6. unit and step


@dataclass(frozen=True, slots=True)
class UnitStep:
    """The session from which one side's unit differs: position on the shared sessions, factor, ours or theirs."""

    at: int
    factor: float
    ours: bool


def unit_steps(own: Floats, other: Floats) -> tuple[UnitStep, ...]:
    """Steps of the ratio of two unadjusted series by a factor of 1.5 or more that last five sessions.

    own, other: closes on shared sessions (n); sessions on which one is not above zero are left out. The factor is
    that of the side that moved on the step's session; the medians of five sessions before and after decide.
    """
    usable = np.flatnonzero((own > 0.0) & (other > 0.0) & np.isfinite(own) & np.isfinite(other))
    if usable.size < 2 * UNIT_SESSIONS:
        return ()
    ratio = own[usable] / other[usable]
    if ratio.max() < UNIT_FACTOR * ratio.min() * (1.0 - 1e-9):
        return ()
    # Where prices are a few moves off zero, ordinary differences are large factors.
    usable = usable[
        (own[usable] >= MOVES_OFF_ZERO * _moves(own[usable]))
        & (other[usable] >= MOVES_OFF_ZERO * _moves(other[usable]))
    ]
    if usable.size < 2 * UNIT_SESSIONS:
        return ()
    own, other = np.log(own[usable]), np.log(other[usable])
    ratio, least = own - other, round(float(np.log(UNIT_FACTOR)), 9)
    windows = np.lib.stride_tricks.sliding_window_view(ratio, UNIT_SESSIONS)
    middle = np.sort(windows, axis=1)[:, UNIT_SESSIONS // 2]
    # middle[t] is of [t, t + 5): the median from t on less the one before t.
    step = middle[UNIT_SESSIONS:] - middle[:-UNIT_SESSIONS]
    over = np.flatnonzero(np.round(np.abs(step), 9) >= least) + UNIT_SESSIONS
    found = []
    rises = step[over - UNIT_SESSIONS] > 0.0
    for group in np.split(over, np.flatnonzero((np.diff(over) > 1) | (rises[1:] != rises[:-1])) + 1):
        if not group.size:
            continue
        # The last five sessions have no window of their own: a step among them is seen from the windows before.
        stop = ratio.size if group[-1] == ratio.size - UNIT_SESSIONS else group[-1] + 1
        at = int(group[0] + np.abs(np.diff(ratio[group[0] - 1 : stop])).argmax())
        size = float(step[min(at, int(group[-1])) - UNIT_SESSIONS])
        ours = abs(own[at] - own[at - 1]) >= abs(other[at] - other[at - 1])
        found.append(UnitStep(int(usable[at]), float(np.exp(size if ours else -size)), bool(ours)))
    return tuple(found)


def _moves(closes: Floats) -> Floats:
    """The usual change of closes around each, in its own unit: the median of the five before or after it, the smaller.

    closes: twice as many or more.
    """
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(np.diff(closes)), UNIT_SESSIONS)
    medians, at = np.sort(windows, axis=1)[:, UNIT_SESSIONS // 2], np.arange(closes.size)
    before, after = (medians[np.clip(at - by, 0, medians.size - 1)] for by in (UNIT_SESSIONS, 0))
    return np.asarray(np.minimum(before, after))


def unit_contracts(closes: ContractCloses) -> tuple[tuple[int, float], ...]:
    """Our contracts that stand off both neighbours by a factor of 1.5 or more on the same sessions, with the factor."""
    count = len(closes.names)
    if count < 3:
        return ()
    k = np.arange(1, count - 1)
    low = np.maximum(np.maximum(closes.first[k - 1], closes.first[k]), closes.first[k + 1])
    high = np.minimum(np.minimum(closes.last[k - 1], closes.last[k]), closes.last[k + 1])
    there = high - low >= UNIT_SESSIONS - 1
    k, low, high = k[there], low[there], high[there]
    if not k.size:
        return ()
    share = np.linspace(0.0, 1.0, _CONTRACT_SAMPLES)
    at = np.rint(low[:, None] + share * (high - low)[:, None]).astype(np.int64).ravel()
    here = np.repeat(k, _CONTRACT_SAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        prices = np.log([closes.close(here + n, at) for n in (-1, 0, 1)])
        off = (prices[1] - prices[[0, 2]]).reshape(2, k.size, _CONTRACT_SAMPLES)
        least = np.log(UNIT_FACTOR) - 1e-9
        up, down = (off >= least).all(axis=0), (off <= -least).all(axis=0)
        known = np.isfinite(off).all(axis=0).sum(axis=1)
    far = 2 * np.maximum(up.sum(axis=1), down.sum(axis=1)) > known
    return tuple(
        (int(k[i]), float(np.exp(np.nanmedian(off[:, i]))))
        for i in np.flatnonzero(far & (known > 0)).tolist()
        if _moves_apart(closes, int(k[i]), int(low[i]), int(high[i])) >= MOVES_OFF_ZERO
    )


def _moves_apart(closes: ContractCloses, k: int, first: int, last: int) -> float:
    """How far a contract lies off the nearer of its neighbours, in usual changes of these."""
    at = np.arange(first, last + 1)
    before, own, after = (closes.close(np.full(at.size, k + n), at) for n in (-1, 0, 1))
    apart = min(np.nanmedian(np.abs(own - other)) for other in (before, after))
    usual = max(np.nanmedian(np.abs(np.diff(other))) for other in (before, after))
    return float(apart / usual) if usual > 0.0 else np.inf


@dataclass(frozen=True, slots=True)
class LevelStep:
    """A step of our less their adjusted close that is kept to the end: position on the shared sessions, size."""

    at: int
    size: float


def level_step(own: Floats, other: Floats, *, atr: float) -> LevelStep | None:
    """The largest step, within the last 60 shared sessions, of more than 4 ATR that is kept to 60 % to the end."""
    apart = (own - other)[-WINDOW - 1 :]
    known = np.flatnonzero(np.isfinite(apart))
    if known.size < 2 or not atr > 0.0:
        return None
    values = apart[known]
    steps = np.diff(values)
    # What comes back to where the window began is a wrong level no more.
    moved = median(values[-3:]) - median(values[:5])
    best: LevelStep | None = None
    for n in np.flatnonzero(np.round(np.abs(steps), 9) > round(STEP_ATR * atr, 9)).tolist():
        # From the level before: what a single print takes back is no step.
        since = values[n + 1 :] - np.median(values[max(n - 4, 0) : n + 1])
        kept = min(*(float(np.median(part) / steps[n]) for part in (since, since[-3:])), moved / float(steps[n]))
        if kept >= STEP_KEPT and (best is None or abs(steps[n]) > abs(best.size)):
            best = LevelStep(own.size - apart.size + int(known[n + 1]), float(steps[n]))
    return best


def check_unit(
    steps: tuple[UnitStep, ...], contracts: tuple[tuple[int, float], ...], sessions: Days, closes: ContractCloses
) -> Finding:
    """Check 6, the unit: no step of the ratio, no contract of ours in another unit."""
    if not steps and not contracts:
        return finding("unit", "PASS", "both sides keep one unit")
    told = []
    for step in steps:
        side = "our" if step.ours else "the reference's"
        told.append(f"{side} prices are {factor_words(step.factor)} from {sessions[step.at]} on")
    for k, factor in contracts:
        name = closes.names[k]
        told.append(f"our {name} is {factor_words(factor)} beside its neighbours")
    evidence = {
        "steps": [
            {"session": str(sessions[s.at]), "factor": s.factor, "side": "ours" if s.ours else "reference"}
            for s in steps
        ],
        "contracts": [{"contract": closes.names[k], "factor": factor} for k, factor in contracts],
    }
    text = first_few(told, ("change of unit", "changes of unit"))
    return finding("unit", "FAIL", text, "UNIT_CHANGED", evidence=evidence)


def factor_words(factor: float) -> str:
    """`100 times larger (100 cents to the dollar)`; a factor below one told as its inverse."""
    size, word = (factor, "larger") if factor >= 1.0 else (1.0 / factor, "smaller")
    nearest = min(_ROUND_FACTORS, key=lambda known: abs(np.log(size / known)))
    if abs(size / nearest - 1.0) > 0.03:
        return f"{size:.3g} times {word}"
    unit = _NAMED_FACTORS.get(nearest)
    return f"{nearest:g} times {word}" + (f" ({unit})" if unit else "")


def gap_of_roll(step: LevelStep, starts: Ints, gaps: Floats, *, tick: float) -> int | None:
    """Our roll whose gap the step is, once or twice, within 1.5 ticks: an adjustment left out or turned round.

    starts: first sessions on our new contracts, positions on the shared sessions; gaps: theirs.
    """
    for n in np.flatnonzero(np.abs(starts - step.at) <= ROLL_SESSIONS).tolist():
        if min(abs(abs(step.size) - times * abs(gaps[n])) for times in (1, 2)) <= ROUNDING_TICKS * tick:
            return int(n)
    return None


def check_step(step: LevelStep | None, sessions: Days, *, atr: float, quote_unit: str, is_adjustment: bool) -> Finding:
    """Check 6, the level: no step between the adjusted series within the newest sessions that stays.

    is_adjustment: the newest unadjusted closes agree, or the step is a roll's gap: no level is wrong.
    """
    if step is None or is_adjustment:
        text = f"no step of more than {STEP_ATR:g} ATR stays within the last {WINDOW} sessions"
        if step is not None:
            text = (
                f"the adjusted series part by {in_full(abs(step.size))} on {sessions[step.at]} by an adjustment: the "
                "newest unadjusted closes agree, or it is the gap of our roll"
            )
        return finding("level_step", "PASS", text)
    side = "above" if step.size > 0 else "below"
    text = (
        f"from {sessions[step.at]} on our prices lie {in_full(abs(step.size))} {quote_unit} "
        f"({abs(step.size) / atr:.1f} ATR) further {side} the reference's, and it stays so: "
        "one side's newest level is wrong"
    )
    evidence = {"session": str(sessions[step.at]), "size": step.size, "atr": atr}
    return finding(
        "level_step", "FAIL", text, "LEVEL_STEP", abs(step.size) / atr, STEP_ATR, "ATR", evidence
    )  # fmt: skip


# ---------------------------------------------------------------- 7. level now


@dataclass(frozen=True, slots=True)
class LevelNow:
    """How far our newest closes lie off the reference's, in ATR.

    medians: of the distances of the last 20 and 5 sessions; None where adjusted closes alone are compared, whose level
    is not known. above: the median of the last 5, negative where ours are lower; newest: of the newest session.
    usual: ten median deviations of the last 60 distances. spread_ratio: standard deviation of our last changes over
    theirs; None with fewer than 40. before_end: shared sessions after the newest that was compared.
    """

    medians: tuple[float, float] | None
    above: float
    newest: float
    usual: float
    spread_ratio: float | None
    before_end: int

    @property
    def wide_medians(self) -> tuple[tuple[int, float], ...]:
        """Sessions and median of those that are out of their limit."""
        medians = zip(NOW_WINDOWS, self.medians or (), strict=False)
        return tuple((sessions, median) for sessions, median in medians if exceeds(median, NOW_MEDIAN_ATR))

    @property
    def is_newest_wrong(self) -> bool:
        """Whether the newest close is out of its limit: orders are made of it, and no later close can mend it."""
        return exceeds(abs(self.newest), self.newest_limit)

    @property
    def newest_limit(self) -> float:
        """What the newest close may lie off: 1 ATR, or as far as closes of these sides usually do; at most 3 ATR."""
        return min(max(NOW_MEDIAN_ATR, self.usual), NOW_NEWEST_ATR)

    @property
    def are_changes_others(self) -> bool:
        """Whether the changes are of another size."""
        return self.spread_ratio is not None and not NOW_SPREAD[0] <= round(self.spread_ratio, 9) <= NOW_SPREAD[1]

    @property
    def breached(self) -> bool:
        """Whether anything is out of its limits."""
        return bool(self.wide_medians) or self.is_newest_wrong or self.are_changes_others


def level_now(apart: Floats, own_changes: Floats, other_changes: Floats, *, atr: float) -> LevelNow | None:
    """How far our newest closes of the contract that the reference holds lie off it. None without a newest distance.

    apart: our close of that contract less its unadjusted close on the shared sessions (n), NaN where unknown.
    own_changes, other_changes: same-contract changes on the same sessions, NaN elsewhere.
    """
    known = np.flatnonzero(np.isfinite(apart))
    if not known.size or known[-1] < apart.size - NOW_WINDOWS[1] or not atr > 0.0:
        return None
    off = apart[known] / atr
    both = np.flatnonzero(np.isfinite(own_changes) & np.isfinite(other_changes))[-NOW_CHANGES:]
    ratio = None
    if both.size >= NOW_LEAST_CHANGES:
        spread = float(other_changes[both].std())
        ratio = float(own_changes[both].std()) / spread if spread > 0.0 else float("inf")
    medians = [median(np.abs(off[-sessions:])) for sessions in NOW_WINDOWS]
    above, before_end = median(off[-NOW_WINDOWS[1] :]), apart.size - 1 - int(known[-1])
    return LevelNow((medians[0], medians[1]), above, float(off[-1]), _usual(off), ratio, before_end)


def adjusted_now(own: Floats, other: Floats, *, atr: float) -> LevelNow | None:
    """How far our newest adjusted close moved off the reference's since the five sessions before.

    own, other: adjusted closes on the shared sessions (n). None with fewer than six, or without a newest.
    """
    apart = (own - other)[-NEWEST:]
    if apart.size <= NOW_WINDOWS[1] or not np.isfinite(apart[-1]) or not atr > 0.0:
        return None
    off = (apart - np.nanmedian(apart[-NOW_WINDOWS[1] - 1 : -1])) / atr
    return LevelNow(None, 0.0, float(off[-1]), _usual(off[np.isfinite(off)]), None, 0)


def _usual(off: Floats) -> float:
    """Ten median deviations of the newest distances."""
    newest = off[-NEWEST:]
    return prints.DEVIATIONS * median(np.abs(newest - median(newest)))


def check_level(now: LevelNow | None, sessions: Days, *, atr: float, quote_unit: str, why_not: str) -> Finding:
    """Check 7: the newest level and its changes."""
    untested = f"{why_not}: a level wrong for longer than {WINDOW} sessions is untested"
    if now is None:
        return finding("level_now", "PASS", untested)
    day = sessions[-1 - now.before_end]
    medians = now.medians or (None, None)
    evidence: dict[str, Any] = {
        "median_20_atr": medians[0], "median_5_atr": medians[1], "newest_atr": now.newest,
        "change_ratio": now.spread_ratio, "atr": atr, "session": str(day),
    }  # fmt: skip

    def lies(distance: float, off: float) -> str:
        size = f"{in_full(distance * atr, 6)} {quote_unit} ({distance:.2f} ATR)"
        if now.medians is None:
            return (
                f"{size} {'higher' if off > 0.0 else 'lower'} against the reference's than on the five sessions before"
            )
        side = "from" if abs(off) < distance / 2 else "above" if off > 0.0 else "below"
        return f"{size} {side} the reference's of the same contract"

    told = [
        f"our closes lie {lies(median, now.above)} in the median of the last {count} sessions up to {day}"
        for count, median in now.wide_medians
    ]
    if now.is_newest_wrong:
        told.append(f"our newest close, of {day}, lies {lies(abs(now.newest), now.newest)}")
    if now.are_changes_others:
        told.append(f"our changes of the last {NOW_CHANGES} sessions are {now.spread_ratio:.2f} times the reference's")
    if not told:
        text = untested
        if now.medians is not None:
            text = (
                f"our newest closes are the reference's: {now.medians[1]:.2f} ATR apart over {NOW_WINDOWS[1]} sessions"
            )
        return finding("level_now", "PASS", text, None, abs(now.newest), now.newest_limit, "ATR", evidence)
    limits = f"limits: {NOW_MEDIAN_ATR:g} ATR for a median, {now.newest_limit:.2g} for the newest"
    worst, limit = abs(now.newest), now.newest_limit
    if now.wide_medians:
        worst, limit = max(median for _, median in now.wide_medians), NOW_MEDIAN_ATR
    text = f"{'; '.join(told)} ({limits})"
    return finding("level_now", "FAIL", text, "LEVEL_NOW", worst, limit, "ATR", evidence)


# ---------------------------------------------------------------- ends


def check_ends(own: Days, other: Days, calendar_sessions: Days | None = None) -> Finding:
    """How many exchange sessions apart the two sides end. Informs: the gate judges staleness.

    own, other: both sides' sessions, ascending. Without a calendar the longer side's sessions are counted.
    """
    last = min(own[-1], other[-1])
    late, early = ("ours", "the reference") if own[-1] >= other[-1] else ("the reference", "ours")
    counted_on = calendar_sessions if calendar_sessions is not None else (own if own[-1] >= other[-1] else other)
    end = max(own[-1], other[-1])
    apart = int(np.count_nonzero((counted_on > last) & (counted_on <= end)))
    evidence = {"canonical": str(own[-1]), "reference": str(other[-1]), "sessions_apart": apart}
    if apart <= ENDS_APART_SESSIONS:
        return finding("ends", "PASS", f"both sides end within {counted(apart, 'session')}", None, float(apart),
                        float(ENDS_APART_SESSIONS), "sessions", evidence)  # fmt: skip
    verb = "end" if early == "ours" else "ends"
    text = f"{early} {verb} on {last}, {apart} sessions before {late}: nothing compares the newest of {late}"
    return finding(
        "ends", "WATCH", text, "ENDS_APART", float(apart), float(ENDS_APART_SESSIONS), "sessions", evidence
    )  # fmt: skip


def check_ahead(
    ours: CanonicalArrays, other: Days, closes: ContractCloses, *, tick: float, quote_unit: str, settled: bool
) -> Finding | None:
    """Closes of ours after the reference's last session, which nothing confirms; None where none or too many are.

    other: the reference's sessions, ascending. settled: all our contracts close at one moment. FAIL where the adjusted
    close, which no roll moves, moves by more than AHEAD_MOVES times the mean change of the 60 sessions before, or by
    more than ALONE_MOVES of those otherwise than the contracts beside it: a market moves them all, a wrong close is
    often one. More than ENDS_APART_SESSIONS are another finding: `check_ends`.
    """
    first = int(np.searchsorted(ours.sessions, other[-1], side="right"))
    ahead = ours.sessions.size - first
    if not 0 < ahead <= ENDS_APART_SESSIONS or first < 2:
        return None
    usual = max(float(np.abs(np.diff(ours.adjusted[max(first - NEWEST - 1, 0) : first])).mean()), tick)
    moved = np.abs(np.diff(ours.adjusted[first - 1 :])) / usual
    alone = _moves_alone(ours, closes, first) / usual if settled else np.zeros(ahead)
    # Which of the two is nearer to its limit, or further beyond.
    sizes, limits = np.stack([moved, alone]), np.array([AHEAD_MOVES, ALONE_MOVES])
    which, worst = np.unravel_index(int(np.argmax(sizes / limits[:, None])), sizes.shape)
    size, limit, day = float(sizes[which, worst]), float(limits[which]), ours.sessions[first + worst]
    fails = exceeds(size, limit)
    compared = "moves otherwise than every contract beside it by" if which else "lies off the one before by"
    text = (
        f"our close of {day} {compared} {in_full(size * usual, 6)} {quote_unit} ({size:.2f} usual moves)"
        + (f" > {limit:g}" if fails else "") + f"; the reference ends on {other[-1]} and confirms no later close"
    )  # fmt: skip
    evidence = {"session": str(day), "reference": str(other[-1]), "sessions_ahead": ahead, "usual_move": usual}
    status: Status = "FAIL" if fails else "PASS"
    return finding("ahead", status, text, "LEVEL_NOW" if fails else None, size, limit, "usual moves", evidence)


def _moves_alone(ours: CanonicalArrays, closes: ContractCloses, first: int) -> Floats:
    """From each session before to each from `first` on: the least distance of our contract's change to that of the
    one before it and of the two after it; 0 where no change of theirs is known.
    """
    at = closes.index_of(ours.sessions[first - 1 :])
    held = ours.contract[first:]

    def change(contract: Ints) -> Floats:
        return closes.close(contract, at[1:]) - closes.close(contract, at[:-1])

    beside = np.stack([change(np.where(held != UNKNOWN, held + n, UNKNOWN)) for n in (-1, 1, 2)])
    apart = np.abs(beside - change(held))
    return np.where(np.isfinite(apart).any(axis=0), np.nan_to_num(apart, nan=np.inf).min(axis=0), 0.0)


# ---------------------------------------------------------------- all of them


def check(window: Window) -> list[Finding]:
    """Checks 5 to 7, the ends and what lies after one, in order.

    An equity has no rolls and no contracts: its levels are not judged here.
    """
    overlap, ours, theirs = window.overlap, window.ours, window.recovered
    request = window.request
    atr = window.atr
    other = theirs.adjusted if overlap.has_reference_adjusted else theirs.unadjusted
    sessions = ours.sessions
    place = np.searchsorted(theirs.sessions, sessions)
    there = theirs.sessions[np.minimum(place, theirs.sessions.size - 1)] == sessions
    on = np.flatnonzero(there & (sessions >= overlap.sessions[0]) & (sessions <= overlap.sessions[-1]))
    own_change = np.diff(ours.adjusted, prepend=np.nan)[on]
    other_change = np.diff(other, prepend=np.nan)
    if not overlap.has_reference_adjusted:
        other_change[_near_rolls(window)] = np.nan
    found = [
        check_dates(date_shifts(own_change, other_change, place[on], atr=atr), sessions[on]),
        check_ends(sessions, theirs.sessions, request.calendar_sessions),
    ]
    if isinstance(window.canonical, ContinuousSeries):
        found[1:1] = _check_levels(window, atr)
    settled = request.contracts is not None and request.contracts.meta.close_basis == "settlement"
    ahead = check_ahead(
        ours, theirs.sessions, window.closes, tick=request.tick, quote_unit=request.quote_unit, settled=settled
    )
    return found if ahead is None else [*found, ahead]


def _check_levels(window: Window, atr: float) -> list[Finding]:
    """Checks 6 and 7."""
    overlap, closes, request = window.overlap, window.closes, window.request
    steps: tuple[UnitStep, ...] = ()
    step = now = None
    adjusts = False
    if overlap.has_reference_adjusted:
        step = level_step(overlap.canonical_adjusted, overlap.reference_adjusted, atr=atr)
    if overlap.has_reference_unadjusted:
        steps = unit_steps(window.prices(overlap.canonical_unadjusted), window.prices(overlap.reference_unadjusted))
        apart, own_same, other_same = newest_distances(overlap, closes, _usual_residual(window))
        now = level_now(apart, own_same, other_same, atr=atr)
        if now is not None and now.breached:
            # An isolated print is L1's, and says nothing of the size of changes.
            beside = np.isin(np.arange(apart.size), _beside_prints(window) - (overlap.sessions.size - apart.size))
            own_same, other_same = np.where(beside, np.nan, own_same), np.where(beside, np.nan, other_same)
            now = level_now(apart, own_same, other_same, atr=atr)
        adjusts = now is not None and not exceeds(abs(now.newest), SAME_LEVEL_ATR)
        moved = _adjusted_now(window, atr) if overlap.has_reference_adjusted else None
        if now is not None and moved is not None and moved.is_newest_wrong and not (adjusts or now.is_newest_wrong):
            # A wrong newest close can lie nearer to the reference's of a contract that it does not hold.
            now = replace(now, newest=moved.newest, before_end=0)
    else:
        now = _adjusted_now(window, atr)
        adjusts = step is not None and _is_rolls_gap(window, step)
    why_not = "the contract that the reference holds is not known"
    if not overlap.has_reference_unadjusted:
        why_not = "the reference ships no unadjusted closes"
    sessions, unit = overlap.sessions, request.quote_unit
    return [
        check_unit(steps, unit_contracts(priced(closes, window.log_points)), sessions, closes),
        check_step(step, sessions, atr=atr, quote_unit=unit, is_adjustment=adjusts),
        check_level(now, sessions, atr=atr, quote_unit=unit, why_not=why_not),
    ]


def _adjusted_now(window: Window, atr: float) -> LevelNow | None:
    """Check 7 on adjusted closes; None also where a roll is left out of the adjustment: no close is wrong then."""
    overlap = window.overlap
    now = adjusted_now(overlap.canonical_adjusted, overlap.reference_adjusted, atr=atr)
    if now is not None and _is_rolls_gap(window, LevelStep(overlap.sessions.size - 1, now.newest * atr)):
        return None
    return now


def _is_rolls_gap(window: Window, step: LevelStep) -> bool:
    rolls = [roll for roll in window.canonical_rolls if roll.gap is not None]
    at = np.array([roll.roll_index for roll in rolls], dtype=np.int64)
    starts = np.searchsorted(window.overlap.union_index, at)
    return gap_of_roll(step, starts, gaps_of(rolls), tick=window.request.tick) is not None


def _near_rolls(window: Window) -> Ints:
    """Positions among the reference's sessions whose change may be a roll's: its own rolls, and all around ours."""
    days = window.recovered.sessions
    own = np.searchsorted(days, days_of([roll.roll_date for roll in window.canonical_rolls]))
    theirs = np.searchsorted(days, days_of([roll.roll_date for roll in window.recovered.rolls]))
    near = (own[:, None] + np.arange(-ROLL_SESSIONS, ROLL_SESSIONS + 1)).ravel()
    both: Ints = np.concatenate([near, theirs]).astype(np.int64)
    return both[(both >= 0) & (both < days.size)]


def _usual_residual(window: Window) -> float:
    """Twice the reference's median distance from our closes, a tick at least."""
    return max(2.0 * (window.recovered.median_residual_ticks or 0.0), 1.0) * window.request.tick


def _beside_prints(window: Window) -> Ints:
    """Positions on the shared sessions whose change touches an isolated print."""
    at = prints.of_window(window).prints.at
    return np.concatenate([at, at + 1])


def newest_distances(overlap: Overlap, closes: ContractCloses, least: float) -> tuple[Floats, Floats, Floats]:
    """Our close of the contract that the reference holds less its unadjusted close; both sides' same-contract changes.

    On the last shared sessions that the check looks at, NaN where unknown. Without a known contract the nearest of
    ours, of the one that we hold and the two after it, is taken: a level that fits none of them is wrong whichever it
    is. least: how far the reference's closes usually lie from ours.
    """
    tail = slice(-NOW_RECENT * 4, None)
    theirs = overlap.reference_unadjusted[tail]
    held, ours = overlap.reference_contract[tail], overlap.canonical_contract[tail]
    count = theirs.size
    at = closes.index_of(overlap.sessions[tail])
    own = closes.close(held, at)
    unknown = np.flatnonzero((held == UNKNOWN) & (ours != UNKNOWN))
    if unknown.size:
        first = ours[unknown]
        near = np.stack([
            closes.close(np.where(first + n < len(closes.names), first + n, UNKNOWN), at[unknown]) for n in range(3)
        ])  # fmt: skip
        distance = np.where(np.isfinite(near), np.abs(near - theirs[unknown]), np.inf)
        own[unknown] = near[distance.argmin(axis=0), np.arange(unknown.size)]
    # A roll on the newest sessions is too short for the path: the next contract's close, where it is the reference's.
    newest = np.arange(max(count - ROLL_SESSIONS, 0), count)
    beside = np.where((held[newest] >= 0) & (held[newest] + 1 < len(closes.names)), held[newest] + 1, UNKNOWN)
    following = closes.close(beside, at[newest])
    rolled = np.abs(following - theirs[newest]) <= least
    own[newest[rolled]] = following[rolled]
    apart = own - theirs
    same = (ours == held) & (ours != UNKNOWN)
    both = np.zeros(count, dtype=np.bool_)
    both[1:] = same[1:] & same[:-1] & (held[1:] == held[:-1])
    series = overlap.canonical_unadjusted[tail], theirs
    if overlap.has_reference_adjusted and np.count_nonzero(both[-NOW_RECENT:]) < NOW_LEAST_CHANGES:
        # A wrong level bends the path: adjusted changes are of one contract without it, but for a few around rolls.
        both[:], series = True, (overlap.canonical_adjusted[tail], overlap.reference_adjusted[tail])
    changes = [np.where(both, np.diff(x, prepend=np.nan), np.nan) for x in series]
    return apart, changes[0], changes[1]
