"""L3: do paired rolls carry the same gap, and if not, is it the date or the price?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Bools, Floats, Ints
from ctl.certification.acceptance import LIMITS_V1
from ctl.certification.contract_closes import ContractCloses, Named
from ctl.certification.layers import gap_timing
from ctl.certification.layers.stretches import coarse_grid
from ctl.certification.recovery.fingerprint import SAME_PRICE_TICKS
from ctl.certification.series_arrays import days_of, gaps_of, median
from ctl.certification.tolerance import watch_above
from ctl.model.certificate import GapFigures
from ctl.model.findings import (
    Finding,
    LayerName,
    LayerResult,
    NotRun,
    counted,
    finding,
    first_few,
    in_full,
    in_ticks,
    worst_status,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.layers.roll_schedule import RollAlignment, RollSchedules
    from ctl.certification.window import Window, WindowRoll


LAYER: Final[LayerName] = "L3"
WRONG_TICKS: Final = 4.0
WRONG_DEVIATIONS: Final = 10.0
NEAR_TICKS: Final = 1.5
FEW_SESSIONS: Final = 5
# Of the pairs: so many alike are a habit; above so many of other kinds the two sides are not comparable.
WRONG_HABIT: Final = 0.8
MOST_WRONG: Final = 0.2
GAPS_UNKNOWN: Final = "the reference's gaps are unknown: it ships no adjusted series and states none"


@dataclass(frozen=True, slots=True)
class RollGaps:
    """Gaps of the pairs of an alignment, in its order (n); quote units, NaN where unknown.

    difference: canonical - reference gap = date_effect + price_effect where our closes allow the split.
    date_effect: canonical gap less the same contracts' gap on our closes at the reference's gap session.
    price_effect: that gap less the reference's. figures: means and maxima of |difference|, as published.
    """

    canonical: Floats
    reference: Floats
    difference: Floats
    date_effect: Floats
    price_effect: Floats
    figures: GapFigures


def check(window: Window | NotRun, schedules: RollSchedules | NotRun) -> LayerResult[RollGaps]:
    """The layer: the gaps of the paired rolls, and those that the reference left unadjusted."""
    if isinstance(window, NotRun):
        return LayerResult.absent(LAYER, window)
    if isinstance(schedules, NotRun):
        return LayerResult.absent(LAYER, schedules)
    request, alignment = window.request, schedules.alignment
    gaps = of_window(window, schedules)
    figures, mean = gaps.figures, gaps.figures.mean_gap_diff
    if mean is None:
        if alignment.pairs:
            return LayerResult.of(LAYER, "NOT_RUN", GAPS_UNKNOWN, measured=gaps, figures=figures)
        return LayerResult.of(LAYER, "FAIL", "no paired rolls", measured=gaps, figures=figures)
    text = f"mean gap difference {in_ticks(mean, request.tick)} over {figures.n_compared} pairs"
    limit = LIMITS_V1.max_mean_gap_diff
    findings = [
        watch_above("mean_gap_diff", text, "MEAN_GAP_DIFF", mean, limit, request.quote_unit),
        *(check_timing(window, alignment, gaps) or check_wrong(window, alignment, gaps)),
        *check_unadjusted(window),
    ]
    status = worst_status(made.status for made in findings)
    return LayerResult.of(LAYER, status, text, findings, measured=gaps, figures=figures)


def of_window(window: Window, schedules: RollSchedules) -> RollGaps:
    """The gaps of a window's paired rolls."""
    rolls = window.canonical_rolls, window.reference_rolls
    return compare(schedules.alignment, *rolls, window.closes, tick=window.request.tick)


def check_timing(window: Window, alignment: RollAlignment, gaps: RollGaps) -> list[Finding]:
    """One habit in place of many blocks: gaps taken some sessions off, or from opens."""
    closes, tick = window.closes, window.request.tick
    off = np.round(np.abs(gaps.price_effect) / tick, 9) > gap_timing.WITHIN_TICKS
    if np.count_nonzero(off) < gap_timing.LEAD * max(gaps.reference.size, 1):
        return []
    rolls = [window.reference_rolls[pair.reference] for pair in alignment.pairs]
    place = _contracts_and_sessions(rolls, closes)
    late = gap_timing.gaps_taken_late(gaps.reference, *place, closes, tick=tick)
    opens = None
    contracts = window.request.contracts
    # Spreads of other closes than ours, settlements say, can lie nearer our opens than our closes without being them.
    off_ours = window.recovered.median_residual_ticks
    alike = off_ours is not None and off_ours <= SAME_PRICE_TICKS
    if alike and contracts is not None and contracts.frame["open"].null_count() < contracts.frame.height:
        prices = ContractCloses.from_bars(contracts, "open")
        opens = gap_timing.gaps_from_opens(gaps.reference, *place, closes, prices, tick=tick)
    return gap_timing.check_timing(late, opens)


def check_wrong(window: Window, alignment: RollAlignment, gaps: RollGaps) -> list[Finding]:
    """Rolls that the reference adjusts by another gap than our contracts show on its gap session: how, and by how much.

    A gap is wrong by more than max(4 ticks, 10 median differences); one that it left out is check_unadjusted's.
    """
    tick = window.request.tick
    spread, theirs = gaps.reference + gaps.price_effect, gaps.reference
    off = np.abs(gaps.price_effect)
    known = np.isfinite(off)
    if window.log_points is not None or not known.any():
        return []
    limit = max(WRONG_TICKS * tick, WRONG_DEVIATIONS * median(off[known]))
    near = np.round((np.abs(theirs + spread) / tick, np.abs(theirs - 2.0 * spread) / tick), 9) <= NEAR_TICKS
    wide = np.abs(spread) >= WRONG_TICKS * tick
    turned, twice = wide & near[0], wide & near[1]
    left_out = np.abs(theirs) < gap_timing.NO_STEP_TICKS * tick
    rolls = [window.reference_rolls[pair.reference] for pair in alignment.pairs]
    wrong = known & (off > limit) & ~left_out
    if wrong.any():
        wrong &= ~_near_in_time(theirs, rolls, window.closes, tick)
    if not window.overlap.has_reference_unadjusted:
        # Where adjusted closes stand alone, a contract held for a few sessions has no level of its own.
        held = np.diff([roll.gap_index for roll in window.reference_rolls], prepend=-FEW_SESSIONS)
        held = np.minimum(held, np.append(held[1:], FEW_SESSIONS))
        wrong &= held[[pair.reference for pair in alignment.pairs]] >= FEW_SESSIONS
    alike = int(np.count_nonzero(known & wide))
    if alike >= gap_timing.LEAST_PAIRS and np.count_nonzero(known & turned) >= WRONG_HABIT * alike:
        # The wrong sign throughout is L4's `INVERTED_ADJUSTMENT`.
        return []
    if alike >= gap_timing.LEAST_PAIRS and np.count_nonzero(known & twice) >= WRONG_HABIT * alike:
        # A habit: then the median difference is no measure of what is usual.
        wrong = known & twice
    elif wrong.mean() > MOST_WRONG:
        return []
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return []
    words = {"GAPS_INVERTED": "with the wrong sign", "GAPS_DOUBLED": "twice", "WRONG_GAPS": "by another gap"}
    codes = ["GAPS_INVERTED" if turned[n] else "GAPS_DOUBLED" if twice[n] else "WRONG_GAPS" for n in rows.tolist()]
    found = []
    for code, word in words.items():
        named: list[dict[str, Any]] = [
            {
                "block": f"{roll.from_contract}>{roll.to_contract}",
                "gap_session": roll.gap_session.isoformat(),
                "reference_gap": float(theirs[n]),
                "gap": float(spread[n]),
            }
            for n, of in zip(rows.tolist(), codes, strict=True)
            if of == code
            for roll in rolls[n : n + 1]
        ]
        if named:
            total = float(sum((theirs - spread)[n] for n, of in zip(rows.tolist(), codes, strict=True) if of == code))
            shown = first_few([
                f"{row['block']} on {row['gap_session']} ({in_full(row['reference_gap'])} for {in_full(row['gap'])})"
                for row in named
            ])  # fmt: skip
            text = (
                f"the reference adjusts {word} at {len(named)} of {counted(int(known.sum()), 'roll')}: {shown}; "
                f"its closes before {'it' if len(named) == 1 else 'all of them'} are off by {in_full(abs(total))}"
            )
            found.append(finding(code.lower(), "WATCH", text, code, float(len(named)), 0.0, "rolls", {"rolls": named}))
    return found


def _near_in_time(gaps: Floats, rolls: Sequence[WindowRoll], closes: ContractCloses, tick: float) -> Bools:
    """Gaps that are our contracts' spread on a session within three of the gap session (n): a matter of dates."""
    old, new, at = _contracts_and_sessions(rolls, closes)
    around = at[:, None] + np.arange(-gap_timing.AROUND, gap_timing.AROUND + 1)
    place = np.where((around >= 0) & (around < closes.sessions.size) & (at >= 0)[:, None], around, -1).ravel()
    count = around.shape[1]
    spread = closes.close(np.repeat(new, count), place) - closes.close(np.repeat(old, count), place)
    near = np.abs(spread.reshape(around.shape) - gaps[:, None]) <= NEAR_TICKS * tick
    near[:, gap_timing.AROUND] = False
    return np.asarray(near.any(axis=1))


def check_unadjusted(window: Window) -> list[Finding]:
    """Rolls whose gap the reference left in its adjusted series; where it leaves nearly all, it does not adjust."""
    rolls = [roll for roll in window.reference_rolls if roll.from_contract and roll.to_contract]
    if not rolls:
        return []
    closes = window.closes
    unattributed = [window.recovered.rolls[n].gap_session for n in window.recovered.unattributed]
    steps = closes.index_of(days_of(unattributed))
    left = gap_timing.left_unadjusted(
        gaps_of(rolls), *_contracts_and_sessions(rolls, closes), closes, steps, tick=window.request.tick
    )
    if left.not_adjusted:
        return []
    # What a reference rounds to is the least that it can show.
    least = (coarse_grid(window) or 0.0) if left.rolls.any() else 0.0
    named: list[dict[str, Any]] = [
        {
            "block": f"{rolls[at].from_contract}>{rolls[at].to_contract}",
            "gap_session": rolls[at].gap_session.isoformat(),
            "reference_gap": rolls[at].gap,
            "gap": float(left.spread[at]),
        }
        for at in np.flatnonzero(left.rolls & (np.abs(left.spread) >= least)).tolist()
    ]
    if not named:
        return []
    shown = first_few([f"{roll['block']} on {roll['gap_session']} ({in_full(roll['gap'])})" for roll in named])
    text = f"the reference left the gap of {shown} in its adjusted series"
    return [finding("unadjusted_rolls", "WATCH", text, "UNADJUSTED_ROLL", evidence={"rolls": named})]


def _contracts_and_sessions(rolls: Sequence[WindowRoll], closes: ContractCloses) -> tuple[Ints, Ints, Ints]:
    """Old and new contract of each roll, as indices into ours (-1: none), and the place of its gap session."""
    old, new = closes.places([(roll.from_contract, roll.to_contract) for roll in rolls])
    return old, new, closes.index_of(days_of([roll.gap_session for roll in rolls]))


def compare(
    alignment: RollAlignment,
    canonical: Sequence[WindowRoll],
    reference: Sequence[WindowRoll],
    closes: ContractCloses,
    *,
    tick: float,
) -> RollGaps:
    """Compare the gaps of every pair.

    A pair is split where both sides roll between the same contracts (or the reference's are unknown) and
    our closes of both exist on the reference's gap session.
    """
    rolls = [canonical[pair.canonical] for pair in alignment.pairs]
    partners = [reference[pair.reference] for pair in alignment.pairs]
    gap_canonical, gap_reference = gaps_of(rolls), gaps_of(partners)
    difference = gap_canonical - gap_reference
    ours = _our_gaps(rolls, partners, closes)
    size = np.abs(difference[np.isfinite(difference)])
    figures = GapFigures(None, None, None, None, 0)
    if size.size:
        mean, largest = float(size.mean()), float(size.max())
        figures = GapFigures(mean, largest, mean / tick, largest / tick, int(size.size))
    return RollGaps(
        canonical=gap_canonical,
        reference=gap_reference,
        difference=difference,
        date_effect=gap_canonical - ours,
        price_effect=ours - gap_reference,
        figures=figures,
    )


def _our_gaps(rolls: Sequence[WindowRoll], partners: Sequence[WindowRoll], closes: ContractCloses) -> Floats:
    """Gap of each own roll's contracts on our closes, at the gap session of the other side's roll."""
    contracts: list[Named] = [
        (roll.from_contract, roll.to_contract)
        if partner.from_contract in (None, roll.from_contract) and partner.to_contract in (None, roll.to_contract)
        else (None, None)
        for roll, partner in zip(rolls, partners, strict=True)
    ]
    return closes.gaps(contracts, days_of([roll.gap_session for roll in partners]))
