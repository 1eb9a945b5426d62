"""The drift ledger: the difference of two adjusted series as an exact sum of named causes.

Write, on session t, C = Cu + Gc + ec and A = U + Gr + er: an adjusted close is its unadjusted close, plus
the gaps of the rolls still to come, plus what the series does not explain of itself. On a session on which
both sides hold the same contract

    C - A = (Cu - U) + (Gc - Gr) + ec - er

and every term has its own definition: same-contract basis, gaps of later rolls, residuals. On the other
sessions the unadjusted closes belong to different contracts and mean nothing side by side: there the gaps
of later blocks are taken off and what is left is named for the block that holds the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ctl.arrays import Bools, Days, Floats, Ints
from ctl.certification.series_arrays import days_of, median, percentile
from ctl.certification.tolerance import exceeds, watch_above
from ctl.errors import DataError
from ctl.model.certificate import Component, LedgerSummary, Unexplained
from ctl.model.documents import Records
from ctl.model.findings import counted, in_full

if TYPE_CHECKING:
    from ctl.certification.series_arrays import RollLike
    from ctl.model.certificate import AligningRule
    from ctl.model.findings import Finding


UNEXPLAINED_LIMIT: Final = 0.001
BASIS: Final = "basis"
CONTRACT: Final = "contract"
REFERENCE_RESIDUAL: Final = "reference_residual"
CANONICAL_RESIDUAL: Final = "canonical_residual"
PRINT: Final = "print:"
UNEXPLAINED: Final = (CONTRACT, REFERENCE_RESIDUAL, CANONICAL_RESIDUAL)


@dataclass(frozen=True, slots=True)
class Side:
    """One series on T shared sessions.

    adjusted: adjusted closes (T). unadjusted: unadjusted closes (T), NaN where unknown. contract: index into the
    contract names (T), -1 where unknown. rolls: this side's rolls, ascending by roll_date.
    """

    adjusted: Floats
    unadjusted: Floats
    contract: Ints
    rolls: Sequence[RollLike]


class Block(NamedTuple):
    """The rolls between two neighbouring same-contract sessions, or one date pair, or one unmatched roll.

    canonical, reference: indices into each side's rolls. gap: sum of canonical less sum of reference gaps,
    carried by sessions[:before]. sessions[inside_from:until] lie inside this block and no earlier one;
    inside_from is `before` but where date pairs overlap. date_effect + price_effect = gap where the block is
    one roll of each side and our closes allow the split. A tuple, because a ledger has hundreds.
    """

    name: str
    canonical: tuple[int, ...]
    reference: tuple[int, ...]
    gap: float
    before: int
    inside_from: int
    until: int
    date_effect: float | None = None
    price_effect: float | None = None
    paired: bool = True

    @property
    def unit(self) -> str:
        """The block's name as a unit of removal."""
        return f"block:{self.name}"

    @property
    def steps(self) -> tuple[tuple[str, float], ...]:
        """Names and sizes of the components that the sessions before the block carry."""
        if not self.paired:
            return ((self.name, self.gap),)
        if self.date_effect is None or self.price_effect is None:
            return ((f"gap:{self.name}", self.gap),)
        return ((f"gap:{self.name}:date", self.date_effect), (f"gap:{self.name}:price", self.price_effect))

    @property
    def carried(self) -> float:
        """What the sessions before the block carry: the sum of its steps."""
        if not self.paired or self.date_effect is None or self.price_effect is None:
            return self.gap
        return self.date_effect + self.price_effect

    @property
    def timing(self) -> str:
        """Name of the component on the sessions inside the block."""
        return f"timing:{self.name}"

    @property
    def inside(self) -> slice:
        """The sessions inside the block; empty for an unmatched roll."""
        return slice(self.inside_from, self.until)


class Prints(NamedTuple):
    """Isolated prints: positions on the ledger's sessions, ascending, and our close less the reference's there, as far
    as it is off.
    """

    at: Ints
    size: Floats

    def named(self, sessions: Days) -> tuple[list[str], Ints, Floats]:
        """Names, positions and sizes of the components."""
        return [f"{PRINT}{day}" for day in sessions[self.at]], self.at, self.size

    def columns(self, sessions: Days) -> dict[str, Floats]:
        """Each as a component over all sessions (T)."""
        out = {}
        for name, at, size in zip(*self.named(sessions), strict=True):
            out[name] = np.zeros(len(sessions))
            out[name][at] = size
        return out


@dataclass(frozen=True, slots=True)
class Ledger:
    """Drift D on T sessions and its components.

    carried, before: of each block what it carries, and how many sessions carry it (B). basis, contract,
    reference_residual, canonical_residual: dense components (T). inside: the timing components, each on the sessions
    of its own block (T). prints: single closes, taken out of `basis`. summary: what is published.
    """

    sessions: Days
    drift: Floats
    same_contract: Bools
    blocks: tuple[Block, ...]
    carried: Floats
    before: Ints
    inside: Floats
    prints: Prints
    basis: Floats
    contract: Floats
    reference_residual: Floats
    canonical_residual: Floats | None
    median_price: float
    summary: LedgerSummary

    @property
    def dense(self) -> dict[str, Floats]:
        """The components that are no block's and no print's (T each); `canonical_residual` only where there is one."""
        out = {BASIS: self.basis, CONTRACT: self.contract, REFERENCE_RESIDUAL: self.reference_residual}
        if self.canonical_residual is not None:
            out[CANONICAL_RESIDUAL] = self.canonical_residual
        return out

    @property
    def gaps_to_come(self) -> Floats:
        """Gaps of the blocks that lie wholly after each session (T)."""
        return _to_come(self.before, self.carried, len(self.drift))

    def unit_drift_of(self, block: Block) -> Floats:
        """What a whole block contributes to D (T): its gap before it, its timing inside."""
        out = np.zeros(len(self.drift))
        out[: block.before] = block.carried
        out[block.inside] = self.inside[block.inside]
        return out

    def columns(self) -> dict[str, Floats]:
        """Every component over all sessions (T each), blocks in order of time, then the dense ones."""
        out: dict[str, Floats] = {}
        sessions = len(self.drift)
        for block in self.blocks:
            for name, size in block.steps:
                out[name] = np.zeros(sessions)
                out[name][: block.before] = size
            if block.until > block.inside_from:
                out[block.timing] = np.zeros(sessions)
                out[block.timing][block.inside] = self.inside[block.inside]
        out.update(self.dense)
        return out | self.prints.columns(self.sessions)

    def finding(self) -> Finding:
        """PASS, or WATCH `UNEXPLAINED_DRIFT` above 0.1 % of the median price."""
        value, limit = self.summary.unexplained.mean, UNEXPLAINED_LIMIT * self.median_price
        text = (
            f"{in_full(value, 6)} of the drift is not explained, {'above' if exceeds(value, limit) else 'within'} "
            f"0.1 % of the median price {in_full(self.median_price, 6)}"
        )
        evidence = {"share": self.summary.unexplained.share}
        return watch_above("unexplained", text, "UNEXPLAINED_DRIFT", value, limit, evidence=evidence)


def compute(
    sessions: Days,
    canonical: Side,
    reference: Side,
    *,
    names: Sequence[str] = (),
    our_gaps: Floats | None = None,
    pairs: Sequence[tuple[int, int]] = (),
    prints: Floats | None = None,
) -> Ledger:
    """Align two series and write their difference as a ledger.

    sessions: datetime64[D] shared by both sides, ascending (T); those without a finite adjusted close on
    both sides are left out. names: contract names that `Side.contract` indexes. our_gaps: per reference
    roll its two contracts' gap on our own closes at its gap session, NaN where unknown. pairs: (canonical,
    reference) roll indices paired by the roll schedule; read only where contracts are unknown, where they
    are the blocks. prints: by how much our close less the reference's is off on sessions with an isolated print, else
    zero (T). Raises DataError without a shared session.
    """
    keep = np.isfinite(canonical.adjusted) & np.isfinite(reference.adjusted)
    if not keep.all():
        sessions, canonical, reference = sessions[keep], _take(canonical, keep), _take(reference, keep)
        prints = None if prints is None else prints[keep]
    if len(sessions) == 0:
        raise DataError(
            "no drift ledger: no session has an adjusted close on both sides",
            code="INSUFFICIENT_OVERLAP",
            remedy="compare series that overlap in time",
        )
    split = np.full(len(reference.rolls), np.nan) if our_gaps is None else our_gaps
    book = _Book(sessions, canonical, reference, names, split, np.zeros(len(sessions)) if prints is None else prints)
    if ((canonical.contract >= 0) & (reference.contract >= 0)).any():
        return book.by_contract(canonical.contract, reference.contract)
    return book.by_date(pairs)


def _take(side: Side, keep: Bools) -> Side:
    return Side(
        side.adjusted[keep],
        side.unadjusted[keep],
        side.contract[keep],
        side.rolls,
    )


class _Book:
    """The quantities both kinds of ledger are written from."""

    def __init__(
        self, sessions: Days, canonical: Side, reference: Side, names: Sequence[str], our_gaps: Floats, prints: Floats
    ) -> None:
        self.sessions, self.prints = sessions, prints
        self.canonical, self.reference = canonical, reference
        self.names, self.our_gaps = names, our_gaps
        self.count = len(sessions)
        self.difference = canonical.adjusted - reference.adjusted
        cu, u = canonical.unadjusted, reference.unadjusted
        # Same-session difference of unadjusted closes; NaN where either is unknown.
        self.raw = cu - u
        self.canonical_at, self.canonical_gap = self._rolls(canonical.rolls)
        self.reference_at, self.reference_gap = self._rolls(reference.rolls)
        # What each side's adjusted series does not explain of itself, up to a constant.
        self.ec = canonical.adjusted - cu - self._still_to_come(self.canonical_at, self.canonical_gap)
        self.er = reference.adjusted - u - self._still_to_come(self.reference_at, self.reference_gap)

    def _rolls(self, rolls: Sequence[RollLike]) -> tuple[Ints, Floats]:
        """Index of the first session on the new contract, and the gap, of each roll."""
        dates = days_of([roll.roll_date for roll in rolls])
        gaps = np.array([0.0 if roll.gap is None else roll.gap for roll in rolls], dtype=np.float64)
        return np.searchsorted(self.sessions, dates).astype(np.int64), gaps

    def _still_to_come(self, at: Ints, gaps: Floats) -> Floats:
        """Sum of the gaps of the rolls within the sessions that are in force only after each session (T)."""
        return _to_come(np.where(at < self.count, at, 0), gaps, self.count)

    def by_contract(self, contract: Ints, reference_contract: Ints) -> Ledger:
        """The ledger where contracts are known: blocks lie between neighbouring same-contract sessions."""
        same = (contract >= 0) & (contract == reference_contract) & np.isfinite(self.raw)
        at = np.flatnonzero(same)
        if len(at) == 0:
            return self._write(
                same, self._after_last_roll(), "after_last_roll", (), known=True,
                notes=("no session on which both sides hold the same contract: all drift is `contract`",),
            )  # fmt: skip
        run = self._last_run(contract, at)
        blocks = self._contract_blocks(contract, at)
        notes = []
        if at[-1] < self.count - 1:
            one = "session after the last same-contract session is `contract`"
            many = "sessions after the last same-contract session are `contract`"
            notes.append(counted(self.count - 1 - int(at[-1]), one, many))
        return self._write(same, run, "same_contract_run", blocks, known=True, notes=tuple(notes))

    def by_date(self, pairs: Sequence[tuple[int, int]]) -> Ledger:
        """The ledger where contracts are unknown: blocks are date pairs, unmatched rolls stand alone."""
        blocks = self._date_blocks(pairs)
        notes = (
            "contracts are unknown on one side: blocks are date pairs, and the difference of unadjusted closes, "
            "same contract or not, is `contract`",
        )
        same = np.zeros(self.count, dtype=np.bool_)
        return self._write(same, self._after_last_roll(), "after_last_roll", blocks, known=False, notes=notes)

    def _last_run(self, contract: Ints, at: Ints) -> slice:
        """The last run of consecutive same-contract sessions: one contract, no roll of either side inside."""
        rolls = np.zeros(self.count + 1, dtype=np.bool_)
        rolls[self.canonical_at] = True
        rolls[self.reference_at] = True
        last = int(at[-1])
        breaks = (np.diff(at) != 1) | (contract[at[1:]] != contract[at[:-1]]) | rolls[at[1:]]
        broken = np.flatnonzero(breaks)
        first = int(at[broken[-1] + 1]) if len(broken) else int(at[0])
        return slice(first, last + 1)

    def _after_last_roll(self) -> slice:
        """The sessions from the last roll of either side to the end."""
        rolls = np.concatenate([self.canonical_at, self.reference_at])
        rolls = rolls[rolls < self.count]
        return slice(int(rolls.max()) if len(rolls) else 0, self.count)

    def _contract_blocks(self, contract: Ints, at: Ints) -> tuple[Block, ...]:
        # A roll in force from session p lies between same-contract sessions at[j - 1] < p <= at[j].
        blocks_of = [np.searchsorted(at, rolls_at) for rolls_at in (self.canonical_at, self.reference_at)]
        order = np.unique(np.concatenate(blocks_of))
        order = order[(order > 0) & (order < at.size)]
        # Where each block's rolls begin and end on each side: both are in order of time.
        (ours_from, ours_to), (theirs_from, theirs_to) = (
            [np.searchsorted(of, order, side=side).tolist() for side in ("left", "right")] for of in blocks_of
        )
        ours_gap, theirs_gap, on_ours = self.canonical_gap.tolist(), self.reference_gap.tolist(), self.our_gaps.tolist()
        last, first = at[order - 1], at[order]
        places = zip(
            ours_from, ours_to, theirs_from, theirs_to,
            last.tolist(), first.tolist(), contract[last].tolist(), contract[first].tolist(), strict=True,
        )  # fmt: skip
        blocks: list[Block] = []
        seen: set[str] = set()
        for i, our_end, j, their_end, end, until, old, new in places:
            ours, theirs = tuple(range(i, our_end)), tuple(range(j, their_end))
            name = f"{self.names[old]}>{self.names[new]}"
            if name in seen:
                name = _unique(name, self._first_date(ours, theirs), seen)
            seen.add(name)
            date_effect: float | None = None
            price_effect: float | None = None
            if len(ours) == 1 and len(theirs) == 1:
                gap = ours_gap[i] - theirs_gap[j]
                if isfinite(on_ours[j]) and self._splits(i, j):
                    date_effect, price_effect = ours_gap[i] - on_ours[j], on_ours[j] - theirs_gap[j]
            else:
                gap = sum(ours_gap[i:our_end]) - sum(theirs_gap[j:their_end])
            blocks.append(Block(name, ours, theirs, gap, end + 1, end + 1, until, date_effect, price_effect))
        return tuple(blocks)

    def _first_date(self, ours: tuple[int, ...], theirs: tuple[int, ...]) -> date:
        """The earlier of both sides' first roll of a block."""
        return min(
            [self.canonical.rolls[i].roll_date for i in ours[:1]]
            + [self.reference.rolls[j].roll_date for j in theirs[:1]]
        )

    def _splits(self, canonical: int, reference: int) -> bool:
        """Whether these rolls of both sides are between the same contracts, with a gap to split."""
        roll, partner = self.canonical.rolls[canonical], self.reference.rolls[reference]
        same = roll.from_contract == partner.from_contract and roll.to_contract == partner.to_contract
        return same and partner.gap is not None

    def _date_blocks(self, pairs: Sequence[tuple[int, int]]) -> tuple[Block, ...]:
        inside_ours = {i for i in range(len(self.canonical_at)) if 0 < self.canonical_at[i] < self.count}
        inside_theirs = {j for j in range(len(self.reference_at)) if 0 < self.reference_at[j] < self.count}
        members = [((i,), (j,)) for i, j in pairs if i in inside_ours and j in inside_theirs]
        inside_ours -= {i for (i,), _ in members}
        inside_theirs -= {j for _, (j,) in members}
        everyone: list[tuple[tuple[int, ...], tuple[int, ...]]] = [*members]
        everyone += [((i,), ()) for i in inside_ours]
        everyone += [((), (j,)) for j in inside_theirs]
        drafts = []
        for ours, theirs in everyone:
            at = [int(self.canonical_at[i]) for i in ours] + [int(self.reference_at[j]) for j in theirs]
            roll: RollLike = self.canonical.rolls[ours[0]] if ours else self.reference.rolls[theirs[0]]
            label = (
                f"{roll.from_contract}>{roll.to_contract}"
                if roll.from_contract is not None and roll.to_contract is not None
                else roll.roll_date.isoformat()
            )
            drafts.append((min(at), max(at), label, roll.roll_date, ours, theirs))
        drafts.sort(key=lambda draft: (draft[0], draft[1], draft[2], draft[4], draft[5]))
        blocks: list[Block] = []
        seen: set[str] = set()
        taken = 0
        for before, until, label, roll_date, ours, theirs in drafts:
            paired = bool(ours) and bool(theirs)
            name = _unique(label if paired else f"unmatched:{label}", roll_date, seen)
            gap = sum(float(self.canonical_gap[i]) for i in ours) - sum(float(self.reference_gap[j]) for j in theirs)
            inside_from = min(max(before, taken), until)
            blocks.append(Block(name, ours, theirs, gap, before, inside_from, until, paired=paired))
            taken = max(taken, until)
        return tuple(blocks)

    def _write(
        self,
        same: Bools,
        run: slice,
        alignment: AligningRule,
        blocks: tuple[Block, ...],
        *,
        known: bool,
        notes: tuple[str, ...],
    ) -> Ledger:
        """Components of every session, from their definitions, and what they sum to."""
        anchor = median(self.difference[run])
        drift = self.difference - anchor
        inside = np.zeros(self.count, dtype=np.bool_)
        for block in blocks:
            inside[block.inside_from : block.until] = True
        before = np.array([block.before for block in blocks], dtype=np.int64)
        carried = np.array([block.carried for block in blocks], dtype=np.float64)
        later = _to_come(before, carried, self.count)
        plain = same if known else ~inside & np.isfinite(self.raw)
        level = np.zeros(self.count)
        residual = np.zeros(self.count)
        canonical_residual: Floats | None = None
        if plain.any():
            aligning = np.zeros(self.count, dtype=np.bool_)
            aligning[run] = True
            aligning &= plain
            if not aligning.any():
                aligning = plain
            raw_median = median(self.raw[aligning])
            own_median = median(self.ec[aligning])
            to_come = self._gaps_after(run)
            constant = raw_median + own_median + to_come - anchor
            level[plain] = self.raw[plain] - raw_median
            residual[plain] = constant - self.er[plain]
            canonical_residual = np.zeros(self.count)
            canonical_residual[plain] = self.ec[plain] - own_median
            scale = max(1.0, float(np.abs(self.canonical.adjusted).max()))
            if float(np.abs(canonical_residual).max()) <= 1e-10 * scale:
                residual += canonical_residual
                canonical_residual = None
        rest = drift - later
        timing = np.where(inside, rest, 0.0)
        contract = np.where(~plain & ~inside, rest, 0.0)
        basis = np.zeros(self.count)
        single = Prints(np.empty(0, dtype=np.int64), np.empty(0))
        if known:
            at = np.flatnonzero((self.prints != 0.0) & plain)
            single = Prints(at, self.prints[at])
            basis = level
            basis[at] -= single.size
        else:
            contract = contract + level
        total = later + timing + basis + contract + residual
        total[single.at] += single.size
        if canonical_residual is not None:
            total = total + canonical_residual
        measures = _measure(
            drift, blocks, timing, single.named(self.sessions), basis, contract, residual, canonical_residual
        )
        size, price = np.abs(drift), self._median_price()
        relative = measures.unexplained_mean / price if price > 0 else None
        summary = LedgerSummary(
            anchor=anchor,
            alignment=alignment,
            aligning_sessions=run.stop - run.start,
            contracts_known=known,
            n_sessions=self.count,
            n_same_contract=int(same.sum()),
            mean_drift=float(size.mean()),
            max_drift=float(size.max()),
            signed_mean=float(drift.mean()),
            p95=percentile(size, 0.95),
            gross=measures.gross,
            unexplained=Unexplained(measures.unexplained_mean, measures.unexplained_share, relative),
            sum_residual=float(np.abs(drift - total).max()),
            components=measures.components,
            notes=notes,
        )
        return Ledger(
            sessions=self.sessions,
            drift=drift,
            same_contract=same,
            blocks=blocks,
            carried=carried,
            before=before,
            inside=timing,
            prints=single,
            basis=basis,
            contract=contract,
            reference_residual=residual,
            canonical_residual=canonical_residual,
            median_price=price,
            summary=summary,
        )

    def _gaps_after(self, run: slice) -> float:
        """Canonical less reference gaps in force only after the aligning run."""
        ours = (self.canonical_at >= run.stop) & (self.canonical_at < self.count)
        theirs = (self.reference_at >= run.stop) & (self.reference_at < self.count)
        return float(self.canonical_gap[ours].sum() - self.reference_gap[theirs].sum())

    def _median_price(self) -> float:
        prices = self.canonical.unadjusted
        if not np.isfinite(prices).any():
            prices = self.canonical.adjusted
        return median(np.abs(prices[np.isfinite(prices)]))


def _to_come(before: Ints, gaps: Floats, count: int) -> Floats:
    """Sum of the gaps that each of so many sessions carries: gap n is carried by sessions[:before[n]]."""
    steps = np.bincount(before, weights=gaps, minlength=count + 1)
    return np.asarray(np.cumsum(steps[::-1])[::-1][1:], dtype=np.float64)


def _unique(name: str, roll_date: date, seen: set[str]) -> str:
    """`name`; with its date where an earlier block has it already, numbered where even that is taken."""
    chosen, number = name, 1
    while chosen in seen:
        chosen = f"{name}@{roll_date.isoformat()}" + (f"#{number}" if number > 1 else "")
        number += 1
    seen.add(chosen)
    return chosen


class _Measures(NamedTuple):
    """gross: summed |component| over summed |drift|; unexplained_mean: of |contract + residuals|, in price units."""

    components: Records[Component]
    gross: float | None
    unexplained_mean: float
    unexplained_share: float | None


def _measure(
    drift: Floats,
    blocks: tuple[Block, ...],
    timing: Floats,
    prints: tuple[list[str], Ints, Floats],
    basis: Floats,
    contract: Floats,
    residual: Floats,
    canonical_residual: Floats | None,
) -> _Measures:
    """Shares and sizes of the components, largest mean first, and the totals over them."""
    count = len(drift)
    sign = np.sign(drift)
    whole = float(np.abs(drift).sum())
    # Summed sign of the drift over sessions[:n], n = 0..T: a step's share is its size times this.
    signs = np.concatenate([[0.0], np.cumsum(sign)])
    carried = [(name, step, block.before) for block in blocks for name, step in block.steps]
    before = np.array([end for _, _, end in carried], dtype=np.int64)
    step = np.array([size for _, size, _ in carried])
    names = [name for name, _, _ in carried]
    # Per component: summed component where the drift is positive less where it is negative, summed size, largest size.
    pulls, sizes, largest = [step * signs[before]], [np.abs(step) * before], [np.where(before > 0, np.abs(step), 0.0)]
    wide = [block for block in blocks if block.until > block.inside_from]
    if wide:
        # Ends of the blocks, in pairs; the pad keeps the last end a valid index.
        ends = np.array([end for block in wide for end in (block.inside_from, block.until)], dtype=np.int64)
        padded = np.append(timing, 0.0)
        names += [block.timing for block in wide]
        pulls.append(np.add.reduceat(np.append(sign, 0.0) * padded, ends)[::2])
        sizes.append(np.add.reduceat(np.abs(padded), ends)[::2])
        largest.append(np.maximum.reduceat(np.abs(padded), ends)[::2])
    if prints[0]:
        names += prints[0]
        pulls.append(sign[prints[1]] * prints[2])
        sizes.append(np.abs(prints[2]))
        largest.append(np.abs(prints[2]))
    dense = np.stack(
        [basis, contract, residual] if canonical_residual is None else [basis, contract, residual, canonical_residual]
    )
    absolute = np.abs(dense)
    names += (BASIS, *UNEXPLAINED)[: len(dense)]
    pulls.append((sign * dense).sum(axis=1))
    sizes.append(absolute.sum(axis=1))
    largest.append(absolute.max(axis=1))
    pull, size, most = (np.concatenate(parts) for parts in (pulls, sizes, largest))
    unknown = np.full(len(names), np.nan)
    share, gross = (pull / whole, size / whole) if whole > 0 else (unknown, unknown)
    mean = size / count
    # Largest mean first; of equal ones by name.
    by_name = np.array(sorted(range(len(names)), key=names.__getitem__))
    order = by_name[np.argsort(-mean[by_name], kind="stable")]
    columns = [[names[n] for n in order.tolist()], *(values[order] for values in (share, mean, most, gross))]
    unexplained = contract + residual if canonical_residual is None else contract + residual + canonical_residual
    return _Measures(
        components=Records(Component, columns),
        gross=sum(gross.tolist()) if whole > 0 else None,
        unexplained_mean=float(np.abs(unexplained).mean()),
        unexplained_share=sum(share[1 - len(dense) :].tolist()) if whole > 0 else None,
    )
