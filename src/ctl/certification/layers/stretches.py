"""L1: stretches of sessions on which the two sides' closes part, and what the closes there are instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats, Ints
from ctl.certification.layers.prints import DEVIATIONS, LEAST_ATR, LEAST_TICKS
from ctl.certification.price_grid import divides, infer_grid, on_grid
from ctl.certification.series_arrays import UNKNOWN, median
from ctl.certification.window import roll_starts
from ctl.model.findings import Finding, counted, finding, first_few, in_full

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.layers.prints import WindowPrints
    from ctl.certification.window import Window


SHORTEST: Final = 3
LONGEST: Final = 250
# Of the sessions: from there on nothing is a stretch, but the rule.
MOST_SHARE: Final = 0.2
BRIDGED: Final = 3
SHIFTS: Final = (1, -1, 2, -2, 3, -3)
LONGEST_REPEAT: Final = 60
SAME_TICKS: Final = 1.5
# Closes of another kind: more than a tick apart on most sessions of a quarter, while elsewhere they agree.
NOISE_SESSIONS: Final = 20
NOISE_BLOCKS: Final = 3
NOISY_SHARE: Final = 0.6
QUIET_SHARE: Final = 0.1
LEAST_PATCH_TICKS: Final = 4.0
LEAST_PATCH_ATR: Final = 0.25
ALIKE_SHARE: Final = 0.8
COARSE: Final = (2, 5)
AROUND: Final = 5
STALE_CHANGES: Final = 4


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sessions first to last, positions among the shared ones, both inclusive; code and text say what is there."""

    first: int
    last: int
    code: str
    text: str


def check(window: Window, found: WindowPrints) -> list[Finding]:
    """A finding per kind of stretch, in the order in which a reader should look at them; none where closes agree."""
    sessions, tick = window.overlap.sessions, window.request.tick
    coarse, ours = coarse_grid(window), own_coarse_grid(window)
    rounding = [] if coarse is None else [_rounded(coarse, tick, "the reference's closes", "ours")]
    if ours is not None:
        coarse, rounding = ours, [_rounded(ours, tick, "our closes", "the reference's")]
    if window.log_points is not None or coarse is not None or window.recovered.inconsistent:
        # In log points, on a coarse grid or with dates of its own for each file, closes are not to compare one by one.
        return rounding
    noisy = other_hours(found, window)
    apart = found.apart.copy()
    for stretch in noisy:
        apart[stretch.first : stretch.last + 1] = np.nan
    stretches = (
        noisy
        + exchanged(apart, found.own, tick)
        + closes_apart(apart, found.own, window.overlap.reference_contract, window)
    )
    if window.overlap.has_reference_adjusted:
        # An isolated print is no edge of a stretch.
        kept = np.delete(np.arange(window.overlap.sessions.size), found.prints.at)
        stretches += stale_adjusted(window)
        stretches += unadjusted_patches(window, kept)
        stretches += level_patches(window, kept, stretches)
    by_code: dict[str, list[Stretch]] = {}
    for stretch in stretches:
        by_code.setdefault(stretch.code, []).append(stretch)
    return rounding + [_finding(code, kind, sessions) for code, kind in by_code.items()]


def _finding(code: str, stretches: list[Stretch], sessions: Days) -> Finding:
    """WATCH, with every stretch in the evidence and the first few in the text."""
    told = [f"from {sessions[s.first]} to {sessions[s.last]} {s.text}" for s in stretches]
    text = first_few(told, ("stretch", "stretches"))
    rows = [{"first": str(sessions[s.first]), "last": str(sessions[s.last]), "text": s.text} for s in stretches]
    return finding(code.lower(), "WATCH", text, code, float(len(rows)), 0.0, "stretches", {"stretches": rows})


# ---------------------------------------------------------------- rounding


def coarse_grid(window: Window) -> float | None:
    """The grid that the reference's closes are rounded to, where ours lie on a finer one; else None."""
    return _coarser(_their_closes(window), window.overlap.canonical_unadjusted, window)


def own_coarse_grid(window: Window) -> float | None:
    """The grid that our closes are rounded to, where the reference's lie on a finer one; else None."""
    return _coarser(window.overlap.canonical_unadjusted, _their_closes(window), window)


def _their_closes(window: Window) -> Floats:
    overlap = window.overlap
    return overlap.reference_unadjusted if overlap.has_reference_unadjusted else overlap.reference_adjusted


def _coarser(rounded: Floats, exact: Floats, window: Window) -> float | None:
    tick = window.request.tick
    if window.log_points is not None or not any(on_grid(rounded, n * tick) for n in COARSE):
        return None
    grid, finer = infer_grid(rounded), infer_grid(exact)
    if grid is None or finer is None or not divides(finer, grid) or grid < 2 * max(finer, tick):
        return None
    return grid


def _rounded(grid: float, tick: float, whose: str, others: str) -> Finding:
    text = (
        f"{whose} are rounded to {in_full(grid)}, which is {grid / tick:g} ticks; {others} are not: gaps and drift "
        "cannot be told finer than that"
    )
    return finding("reference_grid", "WATCH", text, "COARSE_GRID", grid, tick, "price", {"grid": grid, "tick": tick})


# ---------------------------------------------------------------- closes of one contract


def other_hours(found: WindowPrints, window: Window) -> list[Stretch]:
    """Quarters and longer on which closes of one contract differ on most sessions, while elsewhere they agree.

    Not where they are those of a neighbouring contract, so near that the path could not tell the two apart.
    """
    apart, overlap, tick = found.apart, window.overlap, window.request.tick
    known = np.flatnonzero(np.isfinite(apart))
    if known.size < 10 * NOISE_SESSIONS:
        return []
    values = apart[known] - median(apart[known])
    off = np.abs(values) >= SAME_TICKS * tick
    whole = known.size - known.size % NOISE_SESSIONS
    share = off[:whole].reshape(-1, NOISE_SESSIONS).mean(axis=1)
    noisy = share >= NOISY_SHARE
    if not noisy.any() or median(share) > QUIET_SHARE or float(noisy.mean()) > 0.5:
        return []
    elsewhere = float(off[:whole].reshape(-1, NOISE_SESSIONS)[~noisy].mean())
    out = []
    for first, end in _runs(np.flatnonzero(noisy), 2):
        if end - first < NOISE_BLOCKS:
            continue
        a, b = first * NOISE_SESSIONS, end * NOISE_SESSIONS
        size = np.abs(values[a:b])
        # One level throughout is no noise.
        if np.ptp(np.quantile(values[a:b], (0.1, 0.9))) < SAME_TICKS * tick:
            continue
        place = known[a:b]
        held, at = overlap.reference_contract[place], window.closes.index_of(overlap.sessions[place])
        if _neighbour(found.own[place] + apart[place], held, at, window.closes, tick) is not None:
            continue
        text = (
            f"closes of one contract differ on {100 * float(off[a:b].mean()):.0f} % of the sessions, "
            f"{in_full(float(np.median(size)), 6)} in the median; elsewhere on {100 * elsewhere:.0f} %: "
            "closes of another hour, or settlements"
        )
        out.append(Stretch(int(known[a]), int(known[b - 1]), "CLOSES_DIFFER", text))
    return out


def exchanged(apart: Floats, own: Floats, tick: float) -> list[Stretch]:
    """Two closes in a row of the reference that are each other's, between closes that are ours.

    apart: theirs less ours on the shared sessions (n), NaN where not compared; own: our closes.
    """
    known = np.flatnonzero(np.isfinite(apart))
    if known.size < 4 * LONGEST_REPEAT:
        return []
    ours, theirs = own[known], own[known] + apart[known]
    off = np.abs(apart[known] - median(apart[known]))
    least = max(LEAST_TICKS * tick, DEVIATIONS * median(off))
    # No print is taken for ours of another day where ours moved by no more than closes differ anyway.
    crossed = (np.abs(theirs[:-1] - ours[1:]) <= 0.5 * tick) & (np.abs(theirs[1:] - ours[:-1]) <= 0.5 * tick)
    at = np.flatnonzero(crossed & (np.abs(np.diff(ours)) > least))
    beside = [off[np.clip(at + by, 0, off.size - 1)] <= least for by in (-1, 2)]
    edge = (at == 0, at + 2 >= off.size)
    at = at[(beside[0] | edge[0]) & (beside[1] | edge[1])]
    text = "the reference's two closes are exchanged"
    return [Stretch(int(known[t]), int(known[t + 1]), "CLOSES_EXCHANGED", text) for t in at.tolist()]


def closes_apart(apart: Floats, own: Floats, contract: Ints, window: Window) -> list[Stretch]:
    """Stretches of three sessions or more off the usual distance by more than max(10 MAD, 4 ticks, 0.5 ATR).

    Closes that are the side's own or the other's of other sessions also where the ATR of those days says so.

    apart: theirs less ours on the shared sessions (n), NaN where not compared; own: our closes; contract: held by the
    reference.
    """
    known = np.flatnonzero(np.isfinite(apart))
    if known.size < 4 * LONGEST_REPEAT:
        return []
    tick = window.request.tick
    values, ours = apart[known], own[known]
    size = np.abs(values - median(values))
    least = max(LEAST_TICKS * tick, DEVIATIONS * median(size))
    off = np.flatnonzero(size > np.maximum(least, LEAST_ATR * window.ranges[known]))
    # What shows by itself may be little of today's range; what lies near another contract or level may not.
    far = size > max(least, LEAST_ATR * window.atr if np.isfinite(window.atr) else 0.0)
    if not off.size or off.size > MOST_SHARE * known.size:
        return []
    at = window.closes.index_of(window.overlap.sessions[known])
    out = []
    for first, end in _runs(off, BRIDGED):
        if np.count_nonzero((off >= first) & (off < end)) >= SHORTEST and end - first <= LONGEST:
            kind = _kind_by_itself(ours, ours + values, first, end, tick)
            if kind is None and np.count_nonzero(far[first:end]) >= SHORTEST:
                kind = _kind(ours, ours + values, first, end, contract[known], at, window.closes, tick=tick)
            if kind is not None:
                a, b, code, text = kind
                out.append(Stretch(int(known[a]), int(known[b - 1]), code, text))
    return out


def _kind_by_itself(own: Floats, theirs: Floats, first: int, end: int, tick: float) -> tuple[int, int, str, str] | None:
    """Of which other sessions the closes on [first, end) are, with the edges of what they are; None where of none."""
    for whose, x, y in (("the reference repeats", theirs, own), ("our side repeats", own, theirs)):
        if np.ptp(x[first:end]) == 0.0 and np.ptp(y[first:end]) > tick:
            a, b = _extended(x[1:] == x[:-1], first, end - 1)
            return a, b + 1, "STALE_CLOSES", f"{whose} one close, {in_full(float(x[first]))}, on {b + 1 - a} sessions"
        for back in range(SHORTEST, min(LONGEST_REPEAT, first) + 1):
            same = x[back:] == x[:-back]
            if same[first - back : end - back].all():
                a, b = _extended(same, first - back, end - back)
                text = f"{whose} its closes of {back} sessions before, {b - a} in all"
                return a + back, b + back, "REPEATED_CLOSES", text
    for by in SHIFTS:
        # Theirs on session t is ours on t - by.
        low, high = max(first, by), min(end, own.size + min(by, 0))
        if high - low >= SHORTEST and _near(theirs[low:high], own[low - by : high - by], tick):
            when = f"{counted(abs(by), 'session')} {'later' if by > 0 else 'earlier'}"
            return first, end, "DATE_SHIFT", f"the reference dates its closes {when} than ours"
    return None


def _kind(
    own: Floats, theirs: Floats, first: int, end: int, contract: Ints, at: Ints, closes: ContractCloses, *, tick: float
) -> tuple[int, int, str, str] | None:
    """What else the closes on [first, end) are; None where that is nothing to tell."""
    span = slice(first, end)
    names = _neighbour(theirs[span], contract[span], at[span], closes, tick)
    if names is not None:
        return first, end, "OTHER_CONTRACT", "the reference's closes are those of {}, not {}".format(*names)
    apart = theirs[span] - own[span]
    if np.ptp(apart) <= SAME_TICKS * tick:
        level = float(np.median(apart))
        where = f"{in_full(abs(level))} {'above' if level > 0 else 'below'} ours"
        return first, end, "LEVEL_PATCH", f"the reference's closes lie {where} on {counted(end - first, 'session')}"
    if end - first <= SHORTEST + 1:
        return None
    text = f"closes of one contract differ by up to {in_full(float(np.abs(apart).max()))}, reason not known"
    return first, end, "CLOSES_DIFFER", text


# ---------------------------------------------------------------- adjusted closes


def stale_adjusted(window: Window) -> list[Stretch]:
    """Stretches on which the reference's adjusted file repeats one close, while its unadjusted file goes on."""
    overlap = window.overlap
    if not overlap.has_reference_unadjusted:
        return []
    out = []
    for first, last in _runs(np.flatnonzero(np.diff(overlap.reference_adjusted) == 0.0), 1):
        span = slice(first, last + 1)
        moved = min(np.ptp(overlap.reference_unadjusted[span]), np.ptp(overlap.canonical_adjusted[span]))
        if last - first >= STALE_CHANGES and moved > window.request.tick:
            text = f"the reference's adjusted file repeats one close on {counted(last + 1 - first, 'session')}"
            out.append(Stretch(first, last, "STALE_CLOSES", f"{text}, its unadjusted file goes on"))
    return out


def unadjusted_patches(window: Window, kept: Ints) -> list[Stretch]:
    """Stretches on which the reference's adjusted closes are its unadjusted ones, while those around are not.

    kept: positions without isolated prints, ascending. Told only where the adjustment is four ticks or more. A gap that
    was left out leaves all closes before it off, a stretch does not; one from roll to roll is told only at the end,
    where no chance brings the sum of all later gaps to nothing. Without unadjusted closes of its own, ours are taken.
    """
    overlap, tick = window.overlap, window.request.tick
    ours, theirs = overlap.canonical_adjusted[kept], overlap.reference_adjusted[kept]
    lift = (overlap.canonical_adjusted - overlap.canonical_unadjusted)[kept]
    lift = np.abs(lift - lift[-1])
    adjusts = lift >= LEAST_PATCH_TICKS * tick
    if overlap.has_reference_unadjusted:
        # On its newest contract there is nothing to adjust, whatever we hold.
        held = overlap.reference_contract[kept]
        adjusts &= (held != held[-1]) | (held == UNKNOWN)
    raw = overlap.reference_unadjusted if overlap.has_reference_unadjusted else overlap.canonical_unadjusted
    places = np.flatnonzero(adjusts)
    bare = np.abs(theirs - raw[kept])[places] <= SAME_TICKS * tick
    if not bare.any() or np.count_nonzero(bare) > MOST_SHARE * places.size:
        return []
    apart = theirs - ours
    rolls = np.searchsorted(kept, roll_starts(overlap, window.canonical_rolls))
    out = []
    for first, end in _runs(np.flatnonzero(bare), 1):
        a, b = int(places[first]), int(places[end - 1]) + 1
        if b - a < SHORTEST or b - a > LONGEST or a == 0 or b == kept.size:
            continue
        at_rolls = all(np.abs(rolls - edge).min(initial=kept.size) <= BRIDGED for edge in (a, b))
        if at_rolls and end < places.size:
            continue
        before, after = float(np.median(apart[max(a - AROUND, 0) : a])), float(np.median(apart[b:][:AROUND]))
        off, least = np.abs(apart[a:b] - before), 0.5 * float(lift[places[first:end]].min())
        if abs(before - after) < least < float(np.median(off)):
            text = (
                f"the reference's adjusted closes are its unadjusted closes on {counted(b - a, 'session')}, up to "
                f"{in_full(float(off.max()))} off their level"
            )
            out.append(Stretch(int(kept[a]), int(kept[b - 1]), "UNADJUSTED_PATCH", text))
    return out


def level_patches(window: Window, kept: Ints, told: list[Stretch]) -> list[Stretch]:
    """Stretches on which the reference's adjusted closes leave their level and come back to it to the tick.

    kept: positions without isolated prints, ascending. told: stretches of closes that differ, which explain theirs. One
    from roll to roll is a gap that was left out.
    """
    overlap, tick = window.overlap, window.request.tick
    by_itself = overlap.has_reference_unadjusted
    apart = (overlap.reference_adjusted - overlap.canonical_adjusted)[kept]
    change = np.abs(np.diff(apart))
    if change.size < 2:
        return []
    # Beside closes that differ everywhere, two that happen to be alike are no level.
    least = max(LEAST_PATCH_TICKS * tick, DEVIATIONS * median(change))
    least = max(least, LEAST_PATCH_ATR * window.atr) if np.isfinite(window.atr) else least
    if by_itself:
        # Its own two series part there too, or it is another contract and no level.
        change = np.minimum(change, np.abs(np.diff((overlap.reference_adjusted - overlap.reference_unadjusted)[kept])))
    steps = np.flatnonzero(change >= least) + 1
    if not 2 <= steps.size <= MOST_SHARE * apart.size:
        return []
    # A step of the spread without a change of contract is no roll; adjusted closes alone make rolls of patches' edges.
    theirs = [roll for roll in window.reference_rolls if by_itself and roll.to_contract is not None]
    near = 1 if by_itself else BRIDGED
    rolls = np.searchsorted(kept, roll_starts(overlap, window.canonical_rolls, theirs))
    out: list[Stretch] = []
    free = 0
    for n, a in enumerate(steps.tolist()):
        if a < free:
            continue
        for b in steps[n + 1 :].tolist():
            if b - a > LONGEST:
                break
            returns = abs(float(apart[b] - apart[a - 1])) <= SAME_TICKS * tick
            if b - a < SHORTEST or not (returns and np.ptp(apart[a:b]) <= SAME_TICKS * tick):
                continue
            free = b
            first, last = int(kept[a]), int(kept[b - 1])
            at_rolls = all(np.abs(rolls - edge).min(initial=kept.size) <= near for edge in (a, b))
            if not at_rolls and not any(s.first <= last and s.last >= first for s in told):
                level = float(apart[a] - apart[a - 1])
                where = f"{in_full(abs(level))} {'above' if level > 0 else 'below'} their level"
                text = f"the reference's adjusted closes lie {where} on {counted(b - a, 'session')}"
                out.append(Stretch(first, last, "LEVEL_PATCH", text))
            break
    return out


# ---------------------------------------------------------------- helpers


def _runs(places: Ints, bridged: int) -> list[tuple[int, int]]:
    """[first, end) of each run of ascending places that lie at most so far apart."""
    if not places.size:
        return []
    ends = np.flatnonzero(np.diff(places) > bridged)
    return list(zip(places[np.append(0, ends + 1)].tolist(), (places[np.append(ends, -1)] + 1).tolist(), strict=True))


def _extended(same: Bools, first: int, end: int) -> tuple[int, int]:
    """[first, end) grown over the neighbours for which `same` holds."""
    while first > 0 and same[first - 1]:
        first -= 1
    while end < same.size and same[end]:
        end += 1
    return first, end


def _neighbour(theirs: Floats, held: Ints, at: Ints, closes: ContractCloses, tick: float) -> tuple[str, str] | None:
    """The contract whose closes these are, and the one said to be held (n); None where no neighbour's are near."""
    for ahead in (1, 2, -1, -2):
        beside = held + ahead
        known = (held >= 0) & (beside >= 0) & (beside < len(closes.names))
        if known.any() and _near(theirs, closes.close(np.where(known, beside, UNKNOWN), at), tick):
            k = int(held[known][0])
            return closes.names[k + ahead], closes.names[k]
    return None


def _near(x: Floats, y: Floats, tick: float) -> bool:
    """Whether four of five pairs agree to a tick: a roll may lie among them."""
    with np.errstate(invalid="ignore"):
        return bool((np.abs(x - y) <= tick * (1 + 1e-9)).mean() >= ALIKE_SHARE)
