"""What would the decision be without this cause? Removals are computed, judged by acceptance, never applied.

A unit of removal is a whole block (its gap and its timing) or a dense component. A removed block counts as
max(its canonical, its reference rolls) pairs without a gap difference, its EDGE rolls included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from ctl.certify import acceptance
from ctl.certify.ledger import BASIS, CONTRACT, REFERENCE_RESIDUAL
from ctl.model.rolls import ScheduledRoll

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.certify.acceptance import Measures
    from ctl.certify.ledger import Ledger
    from ctl.certify.recovery import RecoveredReference
    from ctl.certify.roll_schedule import RollAlignment
    from ctl.model.findings import Decision, Reason

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

LARGEST_REMOVED: Final = 10
EXHAUSTIVE_SIZE: Final = 2
LARGEST_FLIP: Final = 10
_RANK: Final = {"ERROR": 0, "REJECT": 1, "WATCH": 2, "ACCEPT": 3}


@dataclass(frozen=True, slots=True)
class Board:
    """What a decision was made from.

    alignment indexes the same lists of rolls as the ledger's blocks. gap_difference: canonical less reference
    gap per pair of the alignment, NaN where unknown. rule_mismatch: the two sides follow different roll rules.
    """

    measures: Measures
    ledger: Ledger
    alignment: RollAlignment
    gap_difference: Floats
    rule_mismatch: bool
    quote_unit: str
    policy: str = "v1"


@dataclass(frozen=True, slots=True)
class Flip:
    """A set of units whose removal changes the verdict. exact: no smaller set does, and none of this size is better."""

    units: tuple[str, ...]
    exact: bool
    decision: Decision
    measures: Measures
    remaining: tuple[Reason, ...]

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "units": list(self.units),
            "size": len(self.units),
            "exact": self.exact,
            "decision": self.decision,
            "mean_drift": self.measures.mean_drift,
            "mean_gap_diff": self.measures.mean_gap_diff,
            "n_paired": self.measures.n_paired,
            "remaining": [reason.code for reason in self.remaining],
        }


def report(board: Board) -> dict[str, Any]:
    """The counterfactuals of one decision, JSON-ready: removals, smallest_flip, flips_by_check."""
    units = _Units(board)
    flip, why = units.smallest_flip()
    return {
        "removals": units.removals(),
        "smallest_flip": None if flip is None else flip.document(),
        "smallest_flip_note": why,
        "flips_by_check": units.flips_by_check(),
    }


def smallest_flip(board: Board) -> tuple[Flip | None, str]:
    """The smallest removal that betters the decision, and where there is none the reason why."""
    return _Units(board).smallest_flip()


def reference_schedule(recovered: RecoveredReference) -> tuple[ScheduledRoll, ...]:
    """The recovered reference's rolls as a schedule to build our contracts on; empty where contracts are unknown.

    Steps without a change of contract are no rolls. Without any roll the one contract held is scheduled from
    the first session.
    """
    rolls = tuple(
        ScheduledRoll(roll.roll_date, roll.from_contract, roll.to_contract)
        for roll in recovered.rolls
        if roll.to_contract is not None
    )
    if rolls or recovered.held is None:
        return rolls
    known = np.flatnonzero(recovered.held >= 0)
    if not len(known):
        return ()
    name = recovered.contracts[int(recovered.held[known[0]])]
    return (ScheduledRoll(recovered.sessions[known[0]].astype(object), name, name),)


class _Units:
    """The units of one board, what each contributes to the drift, and what its removal does to the counts."""

    def __init__(self, board: Board) -> None:
        self.board = board
        ledger, alignment = board.ledger, board.alignment
        self.drift = ledger.drift
        self.names = [block.unit for block in ledger.blocks] + [BASIS]
        self.values = np.zeros((len(self.names), len(self.drift)))
        gaps = np.abs(board.gap_difference)
        known = np.isfinite(gaps)
        self.gap_sum, self.gap_count = float(gaps[known].sum()), int(known.sum())
        pair_of_canonical = {pair.canonical: n for n, pair in enumerate(alignment.pairs)}
        pair_of_reference = {pair.reference: n for n, pair in enumerate(alignment.pairs)}
        alone_canonical, alone_reference = set(alignment.unmatched_canonical), set(alignment.unmatched_reference)
        # Per unit: change of pairs, of unmatched rolls on each side, of the summed gap difference and its count.
        self.change = np.zeros((len(self.names), 5))
        for n, block in enumerate(ledger.blocks):
            self.values[n] = ledger.unit_drift_of(block)
            pairs = {pair_of_canonical[i] for i in block.canonical if i in pair_of_canonical}
            pairs |= {pair_of_reference[j] for j in block.reference if j in pair_of_reference}
            paired = sorted(pairs)
            gained = max(len(block.canonical), len(block.reference))
            compared = [p for p in paired if known[p]]
            self.change[n] = (
                gained - len(paired),
                -sum(i in alone_canonical for i in block.canonical),
                -sum(j in alone_reference for j in block.reference),
                -float(gaps[compared].sum()),
                gained - len(compared),
            )
        self.values[-1] = ledger.basis
        self.decision, self.reasons = self._judge(board.measures)

    def _judge(self, measures: Measures) -> tuple[Decision, tuple[Reason, ...]]:
        return acceptance.evaluate(measures, quote_unit=self.board.quote_unit, policy=self.board.policy)

    def measures(self, chosen: Sequence[int]) -> Measures:
        """The measures with these units removed."""
        left = self.drift - self.values[list(chosen)].sum(axis=0)
        return self._measures(self.change[list(chosen)].sum(axis=0), float(np.abs(left).mean()), left)

    def _measures(self, change: Floats, mean_drift: float, left: Floats | None) -> Measures:
        base = self.board.measures
        count = self.gap_count + int(change[4])
        share = base.unexplained_share
        if share is not None and left is not None:
            whole = float(np.abs(left).sum())
            share = float((np.sign(left) * self._unexplained()).sum()) / whole if whole > 0 else 0.0
        return replace(
            base,
            n_paired=base.n_paired + int(change[0]),
            unmatched_canonical=base.unmatched_canonical + int(change[1]),
            unmatched_reference=base.unmatched_reference + int(change[2]),
            mean_gap_diff=max(self.gap_sum + float(change[3]), 0.0) / count if count else None,
            mean_drift=mean_drift,
            unexplained_share=share,
        )

    def _unexplained(self) -> Floats:
        ledger = self.board.ledger
        own = 0.0 if ledger.canonical_residual is None else ledger.canonical_residual
        return np.asarray(ledger.contract + ledger.reference_residual + own, dtype=np.float64)

    def removals(self) -> list[dict[str, Any]]:
        """Each of the ten largest units removed alone, largest mean |contribution| first."""
        ledger = self.board.ledger
        rows = [*zip(self.names, self.values, strict=True)]
        rows += [(CONTRACT, ledger.contract), (REFERENCE_RESIDUAL, ledger.reference_residual)]
        sized = [(float(np.abs(values).mean()), name, values) for name, values in rows]
        sized = [row for row in sized if row[0] > 0.0]
        sized.sort(key=lambda row: (-row[0], row[1]))
        place = {name: n for n, name in enumerate(self.names)}
        out = []
        for size, name, values in sized[:LARGEST_REMOVED]:
            left = self.drift - values
            change = self.change[place[name]] if name in place else np.zeros(5)
            measures = self._measures(change, float(np.abs(left).mean()), left)
            decision, reasons = self._judge(measures)
            out.append(
                {
                    "unit": name,
                    "mean": size,
                    "decision": decision,
                    "reasons": [reason.code for reason in reasons],
                    "mean_drift": measures.mean_drift,
                    "mean_gap_diff": measures.mean_gap_diff,
                    "n_paired": measures.n_paired,
                    "unmatched_share": measures.unmatched_share,
                    "fail_share": measures.fail_share,
                }
            )
        return out

    def smallest_flip(self) -> tuple[Flip | None, str]:
        """See `smallest_flip`: fewest remaining breaches, least drift, then name decide among sets of one size."""
        if self.decision == "ACCEPT":
            return None, "the decision is ACCEPT already"
        if self.board.rule_mismatch:
            return None, "the two sides follow different roll rules: removing blocks answers nothing"
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

    def flips_by_check(self) -> dict[str, Any]:
        """Per breached check the smallest removal that mends it alone, None where there is none."""
        out: dict[str, Any] = {}
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
            out[code] = None if flip is None else flip.document()
        return out

    def _ideal(self) -> Measures:
        """A bound no removal can beat: every block removed, nothing left of gaps and drift."""
        best = self._measures(self.change.sum(axis=0), 0.0, None)
        share = None if best.unexplained_share is None else 0.0
        gap = None if best.mean_gap_diff is None else 0.0
        return replace(best, mean_gap_diff=gap, unexplained_share=share)

    def _search(
        self,
        wanted: Callable[[Decision, tuple[Reason, ...]], bool],
        shortfall: Callable[[tuple[Reason, ...]], float],
    ) -> Flip | None:
        """Smallest set that is wanted; of one size by (shortfall, mean drift, names)."""
        order = range(len(self.names))
        for size in range(1, min(EXHAUSTIVE_SIZE, len(self.names)) + 1):
            found = self._best(list(combinations(order, size)), wanted, shortfall)
            if found is not None:
                return self._flip(found, exact=True)
        chosen: tuple[int, ...] = ()
        while len(chosen) < min(LARGEST_FLIP, len(self.names)):
            step = self._best([(*chosen, n) for n in order if n not in chosen], None, shortfall)
            if step is None:
                return None
            chosen = step
            if len(chosen) > EXHAUSTIVE_SIZE and wanted(*self._judge(self.measures(chosen))):
                return self._flip(chosen, exact=False)
        return None

    def _flip(self, chosen: Iterable[int], *, exact: bool) -> Flip:
        units = tuple(sorted(chosen, key=lambda n: self.names[n]))
        measures = self.measures(units)
        decision, reasons = self._judge(measures)
        return Flip(tuple(self.names[n] for n in units), exact, decision, measures, reasons)

    def _best(
        self,
        sets: list[tuple[int, ...]],
        wanted: Callable[[Decision, tuple[Reason, ...]], bool] | None,
        shortfall: Callable[[tuple[Reason, ...]], float],
    ) -> tuple[int, ...] | None:
        """Of sets of one size the one of least (shortfall, mean drift, names), among those that are wanted.

        Sets whose counts agree differ in gap and drift only, and no check minds less of either: a group is
        passed over where even its least gap with its least drift would not do.
        """
        if not sets:
            return None
        members = np.array(sets, dtype=np.int64)
        change = self.change[members].sum(axis=1)
        drift = _mean_left(self.drift, self.values, members)
        groups: dict[tuple[int, int, int], list[int]] = {}
        for n, counts in enumerate(change[:, :3].astype(np.int64).tolist()):
            groups.setdefault((counts[0], counts[1], counts[2]), []).append(n)
        best: tuple[float, float, tuple[str, ...]] | None = None
        chosen: tuple[int, ...] | None = None
        for rows in groups.values():
            bound = self._bound(change[rows], float(drift[rows].min()))
            if bound is not None and wanted is not None and not wanted(*bound):
                continue
            least = 0.0 if bound is None else shortfall(bound[1])
            for n in sorted(rows, key=lambda n: float(drift[n])):
                if best is not None and (least, round(float(drift[n]), 9)) > best[:2]:
                    break
                verdict = self._judge(self._measures(change[n], float(drift[n]), self._left(sets[n])))
                if wanted is not None and not wanted(*verdict):
                    if bound is not None and self._hopeless(change[rows], float(drift[n]), wanted):
                        break
                    continue
                names = tuple(sorted(self.names[i] for i in sets[n]))
                key = (round(shortfall(verdict[1]), 9), round(float(drift[n]), 9), names)
                if best is None or key < best:
                    best, chosen = key, sets[n]
        return chosen

    def _left(self, chosen: tuple[int, ...]) -> Floats | None:
        if self.board.measures.unexplained_share is None:
            return None
        return np.asarray(self.drift - self.values[list(chosen)].sum(axis=0), dtype=np.float64)

    def _bound(self, change: Floats, drift: float) -> tuple[Decision, tuple[Reason, ...]] | None:
        """Verdict on the least gap of these sets at this drift; None where a measure is not covered by that."""
        if self.board.measures.unexplained_share is not None:
            return None
        counts = self.gap_count + change[:, 4]
        sums = self.gap_sum + change[:, 3]
        known = counts > 0
        least = float((sums[known] / counts[known]).min()) if known.any() else None
        measures = replace(self._measures(change[0], drift, None), mean_gap_diff=least)
        return self._judge(measures)

    def _hopeless(self, change: Floats, drift: float, wanted: Callable[[Decision, tuple[Reason, ...]], bool]) -> bool:
        """Whether no set of this drift or more can be wanted, whatever its gap."""
        bound = self._bound(change, drift)
        return bound is not None and not wanted(*bound)


def _mean_left(drift: Floats, values: Floats, members: Ints) -> Floats:
    """Mean |drift - sum of the members' values| of each set (rows of unit indices)."""
    return np.asarray(_mean_left_kernel(drift, values, members), dtype=np.float64)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]  # numba ships no types
def _mean_left_kernel(drift: Floats, values: Floats, members: Ints) -> Floats:
    sets, size = members.shape
    sessions = len(drift)
    out = np.empty(sets)
    base = np.empty(sessions)
    held = -1
    for n in range(sets):
        # Sets come in order, so that all but the last member seldom change.
        if size > 1 and (held < 0 or not np.array_equal(members[held, : size - 1], members[n, : size - 1])):
            for t in range(sessions):
                base[t] = drift[t]
            for m in range(size - 1):
                for t in range(sessions):
                    base[t] -= values[members[n, m], t]
            held = n
        elif size == 1 and held < 0:
            for t in range(sessions):
                base[t] = drift[t]
            held = 0
        last = values[members[n, size - 1]]
        a = b = c = d = 0.0
        whole = sessions - sessions % 4
        for t in range(0, whole, 4):
            a += abs(base[t] - last[t])
            b += abs(base[t + 1] - last[t + 1])
            c += abs(base[t + 2] - last[t + 2])
            d += abs(base[t + 3] - last[t + 3])
        for t in range(whole, sessions):
            a += abs(base[t] - last[t])
        out[n] = (a + b + c + d) / sessions
    return out
