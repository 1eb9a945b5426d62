"""What would the decision be without this cause? Removals are computed, judged by acceptance, never applied.

A unit of removal is a whole block (its gap and its timing) or a dense component. A removed block counts as
max(its canonical, its reference rolls) pairs without a gap difference, its EDGE rolls included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Bools, Floats, Ints
from ctl.certification import acceptance
from ctl.certification.layers.ledger import BASIS, UNEXPLAINED
from ctl.kernels import kernel
from ctl.model.certificate import Flip, Removal, Removals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ctl.certification.acceptance import Measures
    from ctl.certification.layers.ledger import Ledger
    from ctl.certification.layers.roll_schedule import RollSchedules
    from ctl.model.findings import Decision, Reason

    _Wanted = Callable[[Decision, tuple[Reason, ...]], bool]
    _Shortfall = Callable[[tuple[Reason, ...]], float]

LARGEST_REMOVED: Final = 10
EXHAUSTIVE_SIZE: Final = 2
LARGEST_FLIP: Final = 10
# Up to so many values plain arrays are as quick as the kernel, and need no compiling.
FEW_FOR_ARRAYS: Final = 100_000
_DECIMALS: Final = 9
_RANK: Final = {"ERROR": 0, "REJECT": 1, "WATCH": 2, "ACCEPT": 3}


@dataclass(frozen=True, slots=True)
class Board:
    """What a decision was made from.

    schedules: aligned on the same lists of rolls as the ledger's blocks. gap_difference: canonical less reference
    gap per pair of the alignment, NaN where unknown.
    """

    measures: Measures
    ledger: Ledger
    schedules: RollSchedules
    gap_difference: Floats
    quote_unit: str
    policy: str = "v1"


def report(board: Board) -> Removals:
    """What would turn one decision: the largest causes removed, the smallest flip, and the flips of each check."""
    units = _Units(board)
    flip, why = units.smallest_flip()
    return Removals("RUN", tuple(units.removals()), flip, why, units.flips_by_check())


def smallest_flip(board: Board) -> tuple[Flip | None, str]:
    """The smallest removal that betters the decision, and where there is none the reason why."""
    return _Units(board).smallest_flip()


class _Units:
    """The units of one board in order of name, what each adds to the drift, what its removal does to the counts.

    Sets of units are tuples of ascending indices, so that sets of one size sort by name as they sort by index.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        ledger, alignment = board.ledger, board.schedules.alignment
        self.drift = ledger.drift
        blocks = {block.unit: block for block in ledger.blocks}
        self.names = sorted([*blocks, BASIS])
        self.basis_at = self.names.index(BASIS)
        self.blocks = [blocks.get(name) for name in self.names]
        # What each unit adds to the drift: `carried` before `before`, the ledger's `inside` up to `until`; or `basis`.
        self.carried = np.array([0.0 if block is None else block.carried for block in self.blocks])
        self.spans = np.array(
            [
                (0, 0, 0) if block is None else (block.before, block.inside_from, block.until)
                for block in self.blocks
            ],
            dtype=np.int64,
        )  # fmt: skip
        gaps = np.abs(board.gap_difference)
        known = np.isfinite(gaps)
        self.gap_sum, self.gap_count = float(gaps[known].sum()), int(known.sum())
        ours = _unit_of([block.canonical if block else () for block in self.blocks])
        theirs = _unit_of([block.reference if block else () for block in self.blocks])
        # Every pair with each of the units that hold one of its rolls, pair after pair.
        sides = np.array(
            [(ours.get(pair.canonical, -1), theirs.get(pair.reference, -1)) for pair in alignment.pairs], dtype=np.int64
        ).reshape(-1, 2)
        held = sides >= 0
        held[:, 1] &= sides[:, 1] != sides[:, 0]
        at, pair = sides[held], np.nonzero(held)[0]
        count = len(self.blocks)
        compared = known[pair]
        gained = np.array([max(len(b.canonical), len(b.reference)) if b else 0 for b in self.blocks], dtype=np.int64)
        alone = (
            [units[roll] for roll in rolls if roll in units]
            for units, rolls in ((ours, alignment.unmatched_canonical), (theirs, alignment.unmatched_reference))
        )
        # Per unit: change of pairs, of unmatched rolls on each side, of the number of gaps compared and their sum.
        self.counts = np.column_stack(
            [
                gained - np.bincount(at, minlength=count),
                *(-np.bincount(np.array(units, dtype=np.int64), minlength=count) for units in alone),
                gained - np.bincount(at[compared], minlength=count),
            ]
        )
        self.gap_change = -np.bincount(at[compared], weights=gaps[pair[compared]], minlength=count)
        within = np.append(np.abs(ledger.inside), 0.0)
        inside = np.add.reduceat(within, self.spans[:, 1:].reshape(-1))[::2]
        inside = np.where(self.spans[:, 2] > self.spans[:, 1], inside, 0.0)
        self.sizes = (np.abs(self.carried) * self.spans[:, 0] + inside) / len(self.drift)
        self.sizes[self.basis_at] = float(np.abs(ledger.basis).mean())
        self.mean_drift = float(np.abs(self.drift).mean())
        # Sets that more than one search looks at, by what they all have in common.
        self._small: dict[int, _Sets] = {}
        self._grown: dict[tuple[int, ...], _Sets] = {}
        self.decision, self.reasons = self._judge(board.measures)

    def _judge(self, measures: Measures) -> tuple[Decision, tuple[Reason, ...]]:
        return acceptance.evaluate(measures, quote_unit=self.board.quote_unit, policy=self.board.policy)

    def measures(self, chosen: Sequence[int]) -> Measures:
        """The measures with these units removed."""
        rows = list(chosen)
        left = self.left(rows)
        counts, gap = self.counts[rows].sum(axis=0), float(self.gap_change[rows].sum())
        return self._changed_measures(counts, self._mean_gap(counts, gap), float(np.abs(left).mean()), left)

    def values(self, n: int) -> Floats:
        """What a unit adds to the drift (T)."""
        block = self.blocks[n]
        return self.board.ledger.basis if block is None else self.board.ledger.unit_drift_of(block)

    def left(self, chosen: Sequence[int]) -> Floats:
        """The drift that is left without these units (T)."""
        left = self.drift.copy()
        for n in chosen:
            left -= self.values(n)
        return left

    def mean_left(self, common: tuple[int, ...], more: Ints) -> Floats:
        """Mean |drift| that is left without the common units and each row (n, one or two units) of more."""
        if more.shape[1] == 1:
            return self._mean_without_each(self.left(common), more[:, 0])
        out = np.empty(len(more))
        for first in np.unique(more[:, 0]).tolist():
            rows = np.flatnonzero(more[:, 0] == first)
            out[rows] = self._mean_without_each(self.left((*common, first)), more[rows, 1])
        return out

    def _mean_without_each(self, drift: Floats, removed: Ints) -> Floats:
        """Mean |drift| that is left of some drift without each of these units."""
        if len(removed) * len(drift) <= FEW_FOR_ARRAYS:
            return np.array([np.abs(drift - self.values(n)).mean() for n in removed.tolist()])
        size = np.abs(drift)
        # Summed |drift| from each session on: what a block does not touch need not be summed again.
        tail = np.append(np.cumsum(size[::-1])[::-1], 0.0)
        out = np.asarray(_summed_left(drift, tail, self.carried, self.spans, self.board.ledger.inside, removed))
        out[removed == self.basis_at] = np.abs(drift - self.board.ledger.basis).sum()
        return np.asarray(out / len(drift), dtype=np.float64)

    def _mean_gap(self, counts: Ints, gap: float) -> float | None:
        compared = self.gap_count + int(counts[3])
        return max(self.gap_sum + gap, 0.0) / compared if compared > 0 else None

    def _changed_measures(
        self, counts: Ints, mean_gap: float | None, mean_drift: float, left: Floats | None, gone: Floats | float = 0.0
    ) -> Measures:
        """Changed measures. left: the drift left (None: for a bound); gone: what of it was unexplained and went."""
        base = self.board.measures
        share = base.unexplained_share
        if share is not None:
            whole = 0.0 if left is None else float(np.abs(left).sum())
            share = 0.0 if left is None or whole == 0.0 else float(np.sign(left) @ (self._unexplained() - gone)) / whole
        return replace(
            base,
            n_paired=base.n_paired + int(counts[0]),
            unmatched_canonical=base.unmatched_canonical + int(counts[1]),
            unmatched_reference=base.unmatched_reference + int(counts[2]),
            mean_gap_diff=mean_gap,
            mean_drift=mean_drift,
            unexplained_share=share,
        )

    def judged(
        self, counts: Ints, gap: float, drift: float, left: Floats | None
    ) -> tuple[Decision, tuple[Reason, ...]]:
        """The verdict on changed counts, a mean gap (NaN: none) and a mean drift."""
        return self._judge(self._changed_measures(counts, None if np.isnan(gap) else gap, drift, left))

    def _unexplained(self) -> Floats:
        dense = self.board.ledger.dense
        return np.asarray(sum(dense[name] for name in UNEXPLAINED if name in dense), dtype=np.float64)

    def removals(self) -> list[Removal]:
        """Each of the ten largest units removed alone, largest mean |contribution| first."""
        ledger = self.board.ledger
        others = {name: values for name, values in ledger.dense.items() if name != BASIS}
        others |= ledger.prints.columns(ledger.sessions)
        sized = [*zip(self.sizes.tolist(), self.names, strict=True)]
        sized += [(float(np.abs(values).mean()), name) for name, values in others.items()]
        none = np.zeros(4, dtype=np.int64)
        sized = sorted((row for row in sized if row[0] > 0.0), key=lambda row: (-row[0], row[1]))
        place = {name: n for n, name in enumerate(self.names)}
        out = []
        for size, name in sized[:LARGEST_REMOVED]:
            values = others[name] if name in others else self.values(place[name])
            left = self.drift - values
            counts, gap = (self.counts[place[name]], self.gap_change[place[name]]) if name in place else (none, 0.0)
            gone = 0.0 if name in place else values
            mean_gap = self._mean_gap(counts, float(gap))
            measures = self._changed_measures(counts, mean_gap, float(np.abs(left).mean()), left, gone)
            decision, reasons = self._judge(measures)
            out.append(
                Removal(
                    unit=name,
                    mean=size,
                    decision=decision,
                    reasons=tuple(reason.code for reason in reasons),
                    mean_drift=measures.mean_drift,
                    mean_gap_diff=measures.mean_gap_diff,
                    n_paired=measures.n_paired,
                    unmatched_share=measures.unmatched_share,
                    fail_share=measures.fail_share,
                )
            )
        return out

    def smallest_flip(self) -> tuple[Flip | None, str]:
        """See `smallest_flip`: fewest remaining breaches, least drift, then name decide among sets of one size."""
        if self.decision == "ACCEPT":
            return None, "the decision is ACCEPT already"
        if self.board.schedules.rule_mismatch:
            return None, "no removal can help: the two sides use different roll rules"
        rank = _RANK[self.decision]

        def better(decision: Decision, reasons: tuple[Reason, ...]) -> bool:
            return _RANK[decision] > rank

        def breaches(reasons: tuple[Reason, ...]) -> float:
            return float(len(reasons))

        ideal, left = self._judge(self._ideal())
        if not better(ideal, left):
            return None, f"no removal can mend {', '.join(r.code for r in left if r.severity == self.decision)}"
        flip = self._search(better, breaches)
        return flip, "" if flip else f"no set of up to {LARGEST_FLIP} units found"

    def flips_by_check(self) -> dict[str, Flip | None]:
        """Per breached check the smallest removal that mends it alone, None where there is none."""
        out: dict[str, Flip | None] = {}
        for breached in self.reasons:
            code = breached.code

            def mended(decision: Decision, reasons: tuple[Reason, ...], code: str = code) -> bool:
                return all(reason.code != code for reason in reasons)

            def excess(reasons: tuple[Reason, ...], code: str = code) -> float:
                found = [reason for reason in reasons if reason.code == code]
                if not found:
                    return 0.0
                value, limit = found[0].value, found[0].limit
                return float("inf") if value is None or limit is None else abs(value - limit)

            flip = self._search(mended, excess) if mended(*self._judge(self._ideal())) else None
            out[code] = flip
        return out

    def _ideal(self) -> Measures:
        """A bound no removal can beat: every block removed, nothing left of gaps and drift."""
        return self._changed_measures(
            self._most(), 0.0 if self.gap_count or self.counts[:, 3].any() else None, 0.0, None
        )

    def _most(self) -> Ints:
        """Changes of the counts that no removal can better: as many pairs, as few unmatched as any makes."""
        least, most = np.minimum(self.counts, 0).sum(axis=0), np.maximum(self.counts, 0).sum(axis=0)
        return np.array([most[0], least[1], least[2], most[3]], dtype=np.int64)

    def _hopeless_up_to(self, size: int, wanted: _Wanted) -> bool:
        """Whether no set of this size can be wanted: every count mended, the largest gaps and drifts taken off."""
        counts = self._most()
        drift = max(self.mean_drift - float(np.sort(self.sizes)[-size:].sum()), 0.0)
        most = self.gap_count + int(counts[3])
        gap = max(self.gap_sum + float(np.sort(self.gap_change)[:size].sum()), 0.0) / most if most else None
        return not wanted(*self._judge(self._changed_measures(counts, gap, drift, None)))

    def _search(self, wanted: _Wanted, shortfall: _Shortfall) -> Flip | None:
        """Smallest set that is wanted; of one size by (shortfall, mean drift, names)."""
        for size in range(1, min(EXHAUSTIVE_SIZE, len(self.names)) + 1):
            if self._hopeless_up_to(size, wanted):
                continue
            found = self._of_size(size).best(wanted, shortfall)
            if found is not None:
                return self._flip(found, exact=True)
        if self._hopeless_up_to(LARGEST_FLIP, wanted):
            return None
        chosen: tuple[int, ...] = ()
        while len(chosen) < min(LARGEST_FLIP, len(self.names)):
            step = self._one_more(chosen).best(None, shortfall)
            if step is None:
                return None
            chosen = step
            if len(chosen) > EXHAUSTIVE_SIZE and wanted(*self._judge(self.measures(chosen))):
                return self._flip(chosen, exact=False)
        return None

    def _of_size(self, size: int) -> _Sets:
        """All sets of one or of two units."""
        if size not in self._small:
            count = len(self.names)
            every = np.arange(count)[:, None] if size == 1 else np.column_stack(np.triu_indices(count, k=1))
            self._small[size] = _Sets(self, (), every)
        return self._small[size]

    def _one_more(self, chosen: tuple[int, ...]) -> _Sets:
        """Every set that has one unit more."""
        if chosen not in self._grown:
            more = np.delete(np.arange(len(self.names)), chosen)
            self._grown[chosen] = _Sets(self, chosen, more[:, None])
        return self._grown[chosen]

    def _flip(self, chosen: tuple[int, ...], *, exact: bool) -> Flip:
        measures = self.measures(chosen)
        decision, reasons = self._judge(measures)
        return Flip(
            units=tuple(self.names[n] for n in chosen),
            size=len(chosen),
            exact=exact,
            decision=decision,
            mean_drift=measures.mean_drift,
            mean_gap_diff=measures.mean_gap_diff,
            n_paired=measures.n_paired,
            remaining=tuple(reason.code for reason in reasons),
        )


def _unit_of(rolls: Sequence[tuple[int, ...]]) -> dict[int, int]:
    """Of each roll the number of the unit that holds it."""
    return {roll: number for number, held in enumerate(rolls) for roll in held}


class _Sets:
    """Sets of one size, in order of name, and which of them is best.

    Sets whose counts agree differ in mean gap and mean drift only, and no check minds less of either. So of
    such a group only those that no other beats in both need judging, and a set's drift need not be measured
    where a lower bound of it would not do.
    """

    def __init__(self, units: _Units, common: tuple[int, ...], more: Ints) -> None:
        """The sets of the common units and each row of more (n, one or two units), rows ascending."""
        self.units, self.common, self.more = units, common, more
        self.counts = units.counts[more].sum(axis=1) + units.counts[[*common]].sum(axis=0)
        gap_change = units.gap_change[more].sum(axis=1) + units.gap_change[[*common]].sum()
        sizes = units.sizes[more].sum(axis=1) + units.sizes[[*common]].sum()
        compared = units.gap_count + self.counts[:, 3]
        gaps = np.maximum(units.gap_sum + gap_change, 0.0)
        self.gap = np.where(compared > 0, gaps / np.maximum(compared, 1), np.nan)
        self.least_drift = np.maximum(units.mean_drift - sizes, 0.0)
        self.drift = np.full(len(more), np.nan)
        keys = self.counts - self.counts.min(axis=0)
        number = keys[:, 0]
        for column in (1, 2, 3):
            number = number * (int(keys[:, column].max()) + 1) + keys[:, column]
        order = np.argsort(number, kind="stable")
        self.groups = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)

    def best(self, wanted: _Wanted | None, shortfall: _Shortfall) -> tuple[int, ...] | None:
        """Of the wanted sets the one of least (shortfall, mean drift, names); None where there is none."""
        best: tuple[float, float, int] | None = None
        for group in self.groups:
            for n in self._worth_judging(group, wanted):
                decision, reasons = self._judge(n)
                if wanted is None or wanted(decision, reasons):
                    key = (round(shortfall(reasons), _DECIMALS), round(float(self.drift[n]), _DECIMALS), n)
                    best = key if best is None else min(best, key)
        return None if best is None else self._members(best[2])

    def _members(self, n: int) -> tuple[int, ...]:
        return tuple(sorted([*self.common, *self.more[n].tolist()]))

    def _judge(self, n: int) -> tuple[Decision, tuple[Reason, ...]]:
        units = self.units
        left: Floats | None = None
        if units.board.measures.unexplained_share is not None:
            left = units.left(self._members(n))
        return units.judged(self.counts[n], float(self.gap[n]), float(self.drift[n]), left)

    def _worth_judging(self, group: Ints, wanted: _Wanted | None) -> list[int]:
        units = self.units
        if wanted is not None:
            # How many of the group, by rising lower bound of the drift, might do with its least gap.
            group = group[np.argsort(self.least_drift[group], kind="stable")]
            gap = float(self.gap[group].min())
            low, high = 0, len(group)
            while low < high:
                middle = (low + high) // 2
                n = group[middle]
                if wanted(*units.judged(self.counts[n], gap, float(self.least_drift[n]), None)):
                    low = middle + 1
                else:
                    high = middle
            group = group[:low]
        unknown = np.sort(group[np.isnan(self.drift[group])])
        if len(unknown):
            self.drift[unknown] = units.mean_left(self.common, self.more[unknown])
        if units.board.measures.unexplained_share is not None:
            return [int(n) for n in group]
        rounded = (np.round(values[group], _DECIMALS) for values in (self.drift, self.gap))
        drift, gap_of = (np.asarray(values, dtype=np.float64) for values in rounded)
        order = np.lexsort((group, gap_of, drift))
        return [int(n) for n in group[order[_unbeaten(drift[order], gap_of[order])]]]


def _unbeaten(drift: Floats, gap: Floats) -> Bools:
    """Of pairs in ascending order those for which none of less drift has as small a gap; of equal ones the first."""
    rows = np.arange(len(drift))
    begins = np.ones(len(drift), dtype=np.bool_)
    begins[1:] = drift[1:] != drift[:-1]
    least = np.minimum.accumulate(np.where(np.isnan(gap), np.inf, gap))
    group = np.maximum.accumulate(np.where(begins, rows, 0))
    floor = np.where(group > 0, least[group - 1], np.inf)
    fresh = begins.copy()
    fresh[1:] |= gap[1:] != gap[:-1]
    unbeaten: Bools = fresh & (np.isnan(gap) | (gap < floor))
    return unbeaten


@kernel
def _summed_left(drift: Floats, tail: Floats, carried: Floats, spans: Ints, inside: Floats, removed: Ints) -> Floats:
    """Summed |drift - block| for each removed block. carried, spans: as `_Units` keeps them; tail: summed |drift|."""
    out = np.empty(len(removed))
    for n in range(len(removed)):
        unit = removed[n]
        before, start, until = spans[unit, 0], spans[unit, 1], spans[unit, 2]
        step = carried[unit]
        total = (tail[before] - tail[start]) + tail[until]
        for t in range(start, until):
            total += abs(drift[t] - inside[t])
        # Four sums side by side: one alone would wait for each addition to end.
        a = b = c = d = 0.0
        whole = before - before % 4
        for t in range(0, whole, 4):
            a += abs(drift[t] - step)
            b += abs(drift[t + 1] - step)
            c += abs(drift[t + 2] - step)
            d += abs(drift[t + 3] - step)
        for t in range(whole, before):
            a += abs(drift[t] - step)
        out[n] = total + (a + b + c + d)
    return out
