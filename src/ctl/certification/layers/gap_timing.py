"""L3: does one habit explain the reference's gaps: taken some sessions off, from opens, or not taken at all?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Floats, Ints
from ctl.certification.tolerance import exceeds
from ctl.model.findings import Finding, counted, finding

if TYPE_CHECKING:
    from ctl.certification.contract_closes import ContractCloses


MOST_LATE: Final = 5
EXPLAINED_SHARE: Final = 0.80
LEAD: Final = 0.25
LEAST_PAIRS: Final = 5
WITHIN_TICKS: Final = 1.0
NO_STEP_TICKS: Final = 2.0
AROUND: Final = 3
STEP_NEAR: Final = 10
NOT_ADJUSTED_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Explained:
    """Share of pairs whose gap is our contracts' spread `late` sessions after the gap session, and on it."""

    late: int
    share: float
    at_zero: float
    pairs: int


def gaps_taken_late(
    gaps: Floats, old: Ints, new: Ints, at: Ints, closes: ContractCloses, *, tick: float
) -> Explained | None:
    """By how many sessions the reference takes its gaps off its gap sessions; None where it does not.

    gaps: of the reference's rolls (n). old, new: their contracts, indices into `closes`; at: their gap sessions,
    positions on `closes.sessions`. Named where 80 % are within a tick, and 25 points more than on the gap session.
    """
    lags = np.arange(-MOST_LATE, MOST_LATE + 1)
    place = at[:, None] + lags[None, :]
    flat = np.where((place >= 0) & (place < len(closes.sessions)), place, -1).ravel()
    spread = closes.close(np.repeat(new, lags.size), flat) - closes.close(np.repeat(old, lags.size), flat)
    spread = spread.reshape(place.shape)
    compared = np.isfinite(spread) & np.isfinite(gaps)[:, None]
    near = compared & (np.round(np.abs(spread - gaps[:, None]) / tick, 9) <= WITHIN_TICKS)
    counts = compared.sum(axis=0)
    # Where a contract ends at its roll nothing can be taken later: the pairs whose spread exists there decide.
    enough = (counts >= LEAST_PAIRS) & (2 * counts >= np.isfinite(gaps).sum())
    shares = np.where(enough, near.sum(axis=0) / np.maximum(counts, 1), 0.0)
    order = sorted(range(lags.size), key=lambda n: (-shares[n], abs(int(lags[n])), -int(lags[n])))
    best = next(n for n in order if lags[n] != 0)
    share = float(shares[best])
    here = compared[:, best]
    at_zero = float(near[here, MOST_LATE].sum() / here.sum()) if here.any() else 0.0
    if exceeds(EXPLAINED_SHARE, share) or exceeds(at_zero + LEAD, share):
        return None
    return Explained(int(lags[best]), share, at_zero, int(counts[best]))


def gaps_from_opens(
    gaps: Floats, old: Ints, new: Ints, at: Ints, closes: ContractCloses, opens: ContractCloses, *, tick: float
) -> Explained | None:
    """Whether the reference's gaps are our contracts' spread of opens, on the gap session or the one after it."""
    compared = int(np.isfinite(gaps).sum())
    if compared < LEAST_PAIRS:
        return None

    def share(prices: ContractCloses, later: int) -> float:
        inside = np.where(at + later < len(prices.sessions), at + later, -1)
        spread = prices.close(new, inside) - prices.close(old, inside)
        return float((np.round(np.abs(spread - gaps) / tick, 9) <= WITHIN_TICKS).sum() / compared)

    at_zero = share(closes, 0)
    best, later = max((share(opens, later), -later) for later in (0, 1))
    if exceeds(EXPLAINED_SHARE, best) or exceeds(at_zero + LEAD, best):
        return None
    return Explained(-later, best, at_zero, compared)


def check_timing(late: Explained | None, opens: Explained | None) -> list[Finding]:
    """GAPS_TAKEN_LATE and GAPS_FROM_OPENS: one cause instead of many blocks."""
    found = []
    if opens is not None and (late is None or opens.share > late.share):
        where = "on the gap session" if not opens.late else "on the first session of the new contract"
        text = (
            f"the reference takes its gaps from opens {where}: {100 * opens.share:.0f} % of {opens.pairs} gaps are our "
            f"contracts' spread of opens, {100 * opens.at_zero:.0f} % that of closes"
        )
        evidence = {"sessions": opens.late, "share": opens.share, "share_of_closes": opens.at_zero}
        code, limit = "GAPS_FROM_OPENS", EXPLAINED_SHARE
        found.append(finding("gap_prices", "WATCH", text, code, opens.share, limit, "fraction", evidence))
    elif late is not None:
        when = f"{counted(abs(late.late), 'session')} {'after' if late.late > 0 else 'before'} its gap sessions"
        text = (
            f"the reference takes its gaps {when}: {100 * late.share:.0f} % of {late.pairs} gaps are our contracts' "
            f"spread there, {100 * late.at_zero:.0f} % on the gap session"
        )
        evidence = {"sessions": late.late, "share": late.share, "share_on_gap_session": late.at_zero}
        code, limit = "GAPS_TAKEN_LATE", EXPLAINED_SHARE
        found.append(finding("gap_timing", "WATCH", text, code, late.share, limit, "fraction", evidence))
    return found


@dataclass(frozen=True, slots=True)
class LeftUnadjusted:
    """Rolls without a step though our contracts lie apart all around (n), and our spread on the gap session (n).

    apart: rolls whose contracts lie apart all around.
    """

    rolls: Bools
    spread: Floats
    apart: int

    @property
    def not_adjusted(self) -> bool:
        """Nine of ten so, five at least: nothing is adjusted."""
        count = int(np.count_nonzero(self.rolls))
        return count >= LEAST_PAIRS and count >= NOT_ADJUSTED_SHARE * self.apart


def left_unadjusted(
    gaps: Floats, old: Ints, new: Ints, at: Ints, closes: ContractCloses, steps: Ints, *, tick: float
) -> LeftUnadjusted:
    """Rolls of the reference that it made no step for.

    A step is 2 ticks; around is within 3 sessions of the gap session, where our spread keeps its sign. steps: positions
    of steps that no roll accounts for: one within 10 sessions is that roll's. Shapes as in `gaps_taken_late`.
    """
    around = np.arange(-AROUND, AROUND + 1)
    place = at[:, None] + around[None, :]
    flat = np.where((place >= 0) & (place < len(closes.sessions)), place, -1).ravel()
    spread = closes.close(np.repeat(new, around.size), flat) - closes.close(np.repeat(old, around.size), flat)
    spread = spread.reshape(place.shape)
    known = np.isfinite(spread)
    apart = known[:, AROUND] & (known.sum(axis=1) > AROUND)
    # Of one sign throughout: a spread that crosses zero is noise of two closes, and a gap of nothing may well be true.
    sign = np.sign(spread[:, AROUND])[:, None]
    apart &= (~known | (np.round(sign * spread / tick, 9) >= NO_STEP_TICKS)).all(axis=1)
    with np.errstate(invalid="ignore"):
        none = np.round(np.abs(gaps) / tick, 9) < NO_STEP_TICKS
    accounted = np.zeros(gaps.size, dtype=np.bool_)
    if steps.size:
        accounted = (np.abs(at[:, None] - steps[None, :]) <= STEP_NEAR).any(axis=1)
    return LeftUnadjusted(none & apart & ~accounted, spread[:, AROUND], int(np.count_nonzero(apart)))
