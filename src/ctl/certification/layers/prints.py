"""L1: single closes on which the two sides part, though they agree on the sessions before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Bools, Days, Floats, Ints
from ctl.certification.newest_range import NEWEST
from ctl.certification.series_arrays import UNKNOWN
from ctl.certification.tolerance import exceeds
from ctl.model.findings import Finding, counted, finding, in_full

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.overlap import Overlap
    from ctl.certification.window import Window
    from ctl.model.findings import Status


SIDE_SESSIONS: Final = 30
DEVIATIONS: Final = 10.0
LEAST_TICKS: Final = 4.0
LEAST_ATR: Final = 0.5
NEAR_ROLL: Final = 3
MOST_SKIPPED: Final = 6
MOST_SHARE: Final = 0.001
WORST: Final = 10
_LEAST_AROUND: Final = 10


@dataclass(frozen=True, slots=True)
class Prints:
    """Isolated prints: positions on the shared sessions, ascending, how far each is off (theirs less ours, less the
    usual), and whether it is our close that left its own neighbours.
    """

    at: Ints
    off: Floats
    ours: Bools

    def mask(self, count: int) -> Bools:
        """True on the prints' sessions, of `count` shared ones."""
        out = np.zeros(count, dtype=np.bool_)
        out[self.at] = True
        return out


def distances(overlap: Overlap, closes: ContractCloses) -> tuple[Floats, Floats]:
    """The reference's close less our close of the contract that it holds, on the shared sessions; and that close.

    Within three sessions of its rolls the nearest of its contracts is taken. Where the contract is not known, the two
    adjusted closes are compared, which agree but for a constant between rolls.
    """
    held, theirs = overlap.reference_contract, overlap.reference_unadjusted
    if not (held != UNKNOWN).any():
        return overlap.reference_adjusted - overlap.canonical_adjusted, overlap.canonical_adjusted
    at = closes.index_of(overlap.sessions)
    own = closes.close(held, at)
    turn = np.flatnonzero(held[1:] != held[:-1]) + 1
    turn = turn[(held[turn] != UNKNOWN) & (held[turn - 1] != UNKNOWN)]
    if turn.size:
        near = (turn[:, None] + np.arange(-NEAR_ROLL, NEAR_ROLL)[None, :]).ravel()
        before, after = (np.repeat(held[turn + n], 2 * NEAR_ROLL) for n in (-1, 0))
        inside = (near >= 0) & (near < held.size)
        near, before, after = near[inside], before[inside], after[inside]
        # Also those between the two: a short hold leaves no trace in the path.
        for ahead in range(min(int((after - before).max(initial=0)), MOST_SKIPPED) + 1):
            other = closes.close(np.minimum(before + ahead, after), at[near])
            with np.errstate(invalid="ignore"):
                closer = ~(np.abs(own[near] - theirs[near]) <= np.abs(other - theirs[near])) & np.isfinite(other)
            own[near[closer]] = other[closer]
    return theirs - own, own


def isolated_prints(apart: Floats, own: Floats, *, tick: float, atr: float) -> Prints:
    """Sessions off the median of 30 on either side by more than max(10 MAD, 4 ticks, 0.5 ATR), their neighbours not.

    apart: theirs less ours (n), NaN where not compared. own: our closes that were compared (n).
    """
    known = np.flatnonzero(np.isfinite(apart))
    values, count = apart[known], known.size
    nothing = Prints(np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_))
    if count < 2 * _LEAST_AROUND:
        return nothing
    floor = max(LEAST_TICKS * tick, LEAST_ATR * atr if np.isfinite(atr) else 0.0)
    before, after = np.empty(count), np.empty(count)
    before[1:] = after[:-1] = np.abs(np.diff(values))
    before[0], after[-1] = 0.0, 0.0
    # A print leaves both neighbours; half the limit on both sides is the least that it can leave them by.
    candidates = np.flatnonzero(np.minimum(before, after) > 0.5 * floor)
    if candidates.size > 100:
        # Noise: the limit is ten deviations of it, so that half of it is five of the calmest stretch's.
        blocks = values[: count - count % 50].reshape(-1, 50)
        usual = np.median(np.abs(blocks - np.median(blocks, axis=1)[:, None]), axis=1)
        least = np.repeat(usual, 50)[np.minimum(candidates, count - count % 50 - 1)]
        sizes = np.minimum(before, after)[candidates]
        candidates = candidates[sizes > np.maximum(0.5 * floor, 2.5 * least)]
    if not candidates.size:
        return nothing
    # The candidate itself counts in its own median: one of sixty does not move it.
    start = np.clip(candidates - SIDE_SESSIONS, 0, max(count - 2 * SIDE_SESSIONS - 1, 0))
    width = min(2 * SIDE_SESSIONS + 1, count)
    around = values[start[:, None] + np.arange(width)[None, :]]
    middle = np.median(around, axis=1)
    limit = np.maximum(DEVIATIONS * np.median(np.abs(around - middle[:, None]), axis=1), floor)
    off = values[candidates] - middle
    beside = [np.abs(values[np.clip(candidates + n, 0, count - 1)] - middle) for n in (-1, 1)]
    alone = (np.abs(off) > limit) & (beside[0] <= limit) & (beside[1] <= limit)
    alone &= (candidates > 0) & (candidates < count - 1)
    at, off = candidates[alone], off[alone]
    left = []
    for closes in (own, own + apart):
        series = closes[known]
        left.append(np.abs(series[at] - 0.5 * (series[at - 1] + series[at + 1])))
    return Prints(known[at], off, left[0] > left[1])


@dataclass(frozen=True, slots=True)
class WindowPrints:
    """The prints of a window with what they were read off: distances and our closes on the shared sessions (n)."""

    prints: Prints
    apart: Floats
    own: Floats

    @property
    def sizes(self) -> Floats:
        """By how much our close less the reference's is off on the prints' sessions; else zero (n)."""
        out = np.zeros(self.apart.size)
        out[self.prints.at] = -self.prints.off
        return out


def of_window(window: Window) -> WindowPrints:
    """The isolated prints of a window."""
    apart, own = distances(window.overlap, window.closes)
    return WindowPrints(isolated_prints(apart, own, tick=window.request.tick, atr=window.atr), apart, own)


def check_window(window: Window, found: WindowPrints) -> Finding:
    """The check of a window's prints; of files that roll on different days the contract held is not known by day."""
    if window.recovered.inconsistent:
        return finding("isolated_prints", "PASS", "not looked for: the reference's two files roll on different days")
    own, theirs = window.prices(found.own), window.prices(found.own + found.apart)
    return check(found.prints, window.overlap.sessions, own, theirs - own)


def check(prints: Prints, sessions: Days, own: Floats, apart: Floats) -> Finding:
    """ISOLATED_PRINTS: WATCH above 0.1 % of the sessions or with one in the last 60."""
    count = sessions.size
    share = prints.at.size / count if count else 0.0
    recent = int(np.count_nonzero(prints.at >= count - NEWEST))
    if not prints.at.size:
        return finding("isolated_prints", "PASS", "no close stands alone off the other side's", None, 0.0, MOST_SHARE,
                        "fraction")  # fmt: skip
    worst = prints.at[np.argsort(-np.abs(prints.off), kind="stable")][:WORST]
    index = {int(at): n for n, at in enumerate(prints.at.tolist())}
    rows: list[dict[str, Any]] = [
        {
            "session": str(sessions[at]),
            "canonical": float(own[at]),
            "reference": float(own[at] + apart[at]),
            "off": float(prints.off[index[at]]),
            "side": "ours" if prints.ours[index[at]] else "reference",
        }
        for at in worst.tolist()
    ]
    ours = int(np.count_nonzero(prints.ours))
    shown = ", ".join(
        f"{row['session']} ({in_full(row['reference'])} against our {in_full(row['canonical'])})" for row in rows[:3]
    )
    whose = "ours" if ours == prints.at.size else "the reference's" if not ours else f"{ours} of them ours"
    text = (
        f"{counted(int(prints.at.size), 'single close')} off the other side's, neighbours alike; {whose} left "
        f"{'its' if prints.at.size == 1 else 'their'} own neighbours: {shown}"
    )
    if recent:
        text += f"; {recent} in the last {NEWEST} sessions"
    status: Status = "WATCH" if exceeds(share, MOST_SHARE) or recent else "PASS"
    code = "ISOLATED_PRINTS" if status == "WATCH" else None
    evidence = {"count": int(prints.at.size), "in_last_60": recent, "ours": ours, "worst": rows}
    return finding("isolated_prints", status, text, code, share, MOST_SHARE, "fraction", evidence)
