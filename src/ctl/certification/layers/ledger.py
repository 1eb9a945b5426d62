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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ctl.certification.acceptance import exceeds, watch_above
from ctl.certification.window import days_of
from ctl.errors import DataError
from ctl.model.findings import counted

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.certification.layers.drift import AligningRule
    from ctl.certification.window import RollLike
    from ctl.model.findings import Finding

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

UNEXPLAINED_LIMIT: Final = 0.001
BASIS: Final = "basis"
CONTRACT: Final = "contract"
REFERENCE_RESIDUAL: Final = "reference_residual"
CANONICAL_RESIDUAL: Final = "canonical_residual"
UNEXPLAINED: Final = (CONTRACT, REFERENCE_RESIDUAL, CANONICAL_RESIDUAL)


@dataclass(frozen=True, slots=True)
class Side:
    """One series on T shared sessions.

    adjusted: adjusted closes (T). unadjusted: unadjusted closes (T), NaN where unknown; None: unknown
    throughout. contract: index into the contract names (T), -1 where unknown; None: unknown throughout.
    rolls: this side's rolls, ascending by roll_date.
    """

    adjusted: Floats
    unadjusted: Floats | None
    contract: Ints | None
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


class Component(NamedTuple):
    """One cause. share: of the summed |drift|, signed; None without drift. mean, max, gross: of |component|.

    gross is the sum of |component| over the sum of |drift|.
    """

    name: str
    share: float | None
    mean: float
    max: float
    gross: float | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Drift D on T sessions and its components.

    basis, contract, reference_residual, canonical_residual: dense components (T). inside: the timing
    components, each on the sessions of its own block (T). anchor: what was removed to align. components:
    largest mean first, then by name. sum_residual: largest |D - sum of components|.
    """

    sessions: npt.NDArray[np.datetime64]
    drift: Floats
    anchor: float
    alignment: AligningRule
    aligning_sessions: int
    contracts_known: bool
    same_contract: npt.NDArray[np.bool_]
    blocks: tuple[Block, ...]
    inside: Floats
    basis: Floats
    contract: Floats
    reference_residual: Floats
    canonical_residual: Floats | None
    components: tuple[Component, ...]
    sum_residual: float
    median_price: float
    notes: tuple[str, ...] = ()
    _totals: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def mean_drift(self) -> float:
        """Mean |D|."""
        return float(np.abs(self.drift).mean())

    @property
    def gross(self) -> float | None:
        """Summed |component| over summed |drift|: 1.0 where nothing cancels; None without drift."""
        return self._totals["gross"]

    @property
    def unexplained_mean(self) -> float:
        """Mean |contract + residuals|, in price units."""
        total = self._totals["unexplained_mean"]
        return 0.0 if total is None else total

    @property
    def unexplained_share(self) -> float | None:
        """Summed share of contract and residuals; None without drift."""
        return self._totals["unexplained_share"]

    @property
    def dense(self) -> dict[str, Floats]:
        """The components that are no block's (T each); `canonical_residual` only where there is one."""
        out = {BASIS: self.basis, CONTRACT: self.contract, REFERENCE_RESIDUAL: self.reference_residual}
        if self.canonical_residual is not None:
            out[CANONICAL_RESIDUAL] = self.canonical_residual
        return out

    def unit_drift(self, unit: str) -> Floats:
        """What a unit of removal contributes to D (T): a whole block (`block:WN08>WU08`) or a dense component."""
        for block in self.blocks:
            if block.unit == unit:
                return self.unit_drift_of(block)
        return self.dense[unit].copy()

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
        return out

    def document(self) -> dict[str, Any]:
        """JSON-ready summary: the `ledger` of the certificate."""
        size = np.abs(self.drift)
        return {
            "anchor": self.anchor,
            "alignment": self.alignment,
            "aligning_sessions": self.aligning_sessions,
            "contracts_known": self.contracts_known,
            "n_sessions": len(self.drift),
            "n_same_contract": int(self.same_contract.sum()),
            "mean_drift": self.mean_drift,
            "max_drift": float(size.max()),
            "signed_mean": float(self.drift.mean()),
            "p95": float(np.quantile(size, 0.95)),
            "gross": self.gross,
            "unexplained": {
                "mean": self.unexplained_mean,
                "share": self.unexplained_share,
                "of_median_price": self.unexplained_mean / self.median_price if self.median_price > 0 else None,
            },
            "sum_residual": self.sum_residual,
            "components": [
                {"name": c.name, "share": c.share, "mean": c.mean, "max": c.max, "gross": c.gross}
                for c in self.components
            ],
            "notes": list(self.notes),
        }

    def finding(self) -> Finding:
        """PASS, or WATCH `UNEXPLAINED_DRIFT` above 0.1 % of the median price."""
        value, limit = self.unexplained_mean, UNEXPLAINED_LIMIT * self.median_price
        text = (
            f"{value:.6g} of the drift is not explained, {'above' if exceeds(value, limit) else 'within'} 0.1 % of the "
            f"median price {self.median_price:.6g}"
        )
        evidence = {"share": self.unexplained_share}
        return watch_above("L4", "unexplained", text, "UNEXPLAINED_DRIFT", value, limit, evidence=evidence)


def compute(
    sessions: npt.NDArray[np.datetime64],
    canonical: Side,
    reference: Side,
    *,
    names: Sequence[str] = (),
    our_gaps: Floats | None = None,
    pairs: Sequence[tuple[int, int]] = (),
) -> Ledger:
    """Align two series and write their difference as a ledger.

    sessions: datetime64[D] shared by both sides, ascending (T); those without a finite adjusted close on
    both sides are left out. names: contract names that `Side.contract` indexes. our_gaps: per reference
    roll its two contracts' gap on our own closes at its gap session, NaN where unknown. pairs: (canonical,
    reference) roll indices paired by the roll schedule; read only where contracts are unknown, where they
    are the blocks. Raises DataError without a shared session.
    """
    keep = np.isfinite(canonical.adjusted) & np.isfinite(reference.adjusted)
    if not keep.all():
        sessions, canonical, reference = sessions[keep], _take(canonical, keep), _take(reference, keep)
    if len(sessions) == 0:
        raise DataError(
            "no drift ledger: no session has an adjusted close on both sides",
            code="INSUFFICIENT_OVERLAP",
            remedy="compare series that overlap in time",
        )
    split = np.full(len(reference.rolls), np.nan) if our_gaps is None else our_gaps
    book = _Book(sessions, canonical, reference, names, split)
    if canonical.contract is not None and reference.contract is not None:
        return book.by_contract(canonical.contract, reference.contract)
    return book.by_date(pairs)


def _take(side: Side, keep: npt.NDArray[np.bool_]) -> Side:
    return Side(
        side.adjusted[keep],
        None if side.unadjusted is None else side.unadjusted[keep],
        None if side.contract is None else side.contract[keep],
        side.rolls,
    )


class _Book:
    """The quantities both kinds of ledger are written from."""

    def __init__(
        self,
        sessions: npt.NDArray[np.datetime64],
        canonical: Side,
        reference: Side,
        names: Sequence[str],
        our_gaps: Floats,
    ) -> None:
        self.sessions = sessions
        self.canonical, self.reference = canonical, reference
        self.names, self.our_gaps = names, our_gaps
        self.count = len(sessions)
        self.difference = canonical.adjusted - reference.adjusted
        unknown = np.full(self.count, np.nan)
        cu = unknown if canonical.unadjusted is None else canonical.unadjusted
        u = unknown if reference.unadjusted is None else reference.unadjusted
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
        inside = (at > 0) & (at < self.count)
        steps = np.bincount(at[inside] - 1, weights=gaps[inside], minlength=self.count)
        return np.asarray(np.cumsum(steps[::-1])[::-1], dtype=np.float64)

    def by_contract(self, held: Ints, reference_held: Ints) -> Ledger:
        """The ledger where contracts are known: blocks lie between neighbouring same-contract sessions."""
        same = (held >= 0) & (held == reference_held) & np.isfinite(self.raw)
        at = np.flatnonzero(same)
        if len(at) == 0:
            return self._write(
                same, self._after_last_roll(), "after_last_roll", (), known=True,
                notes=("no session on which both sides hold the same contract: all drift is `contract`",),
            )  # fmt: skip
        run = self._last_run(held, at)
        blocks = self._contract_blocks(held, at)
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

    def _last_run(self, held: Ints, at: Ints) -> slice:
        """The last run of consecutive same-contract sessions: one contract, no roll of either side inside."""
        rolls = np.zeros(self.count + 1, dtype=np.bool_)
        rolls[self.canonical_at] = True
        rolls[self.reference_at] = True
        last = int(at[-1])
        breaks = (np.diff(at) != 1) | (held[at[1:]] != held[at[:-1]]) | rolls[at[1:]]
        broken = np.flatnonzero(breaks)
        first = int(at[broken[-1] + 1]) if len(broken) else int(at[0])
        return slice(first, last + 1)

    def _after_last_roll(self) -> slice:
        """The sessions from the last roll of either side to the end."""
        rolls = np.concatenate([self.canonical_at, self.reference_at])
        rolls = rolls[rolls < self.count]
        return slice(int(rolls.max()) if len(rolls) else 0, self.count)

    def _contract_blocks(self, held: Ints, at: Ints) -> tuple[Block, ...]:
        members: dict[int, tuple[list[int], list[int]]] = {}
        for side, rolls_at in enumerate((self.canonical_at, self.reference_at)):
            # A roll in force from session p lies between same-contract sessions at[j - 1] < p <= at[j].
            for roll, j in enumerate(np.searchsorted(at, rolls_at).tolist()):
                if 0 < j < len(at):
                    members.setdefault(j, ([], []))[side].append(roll)
        ours_gap, theirs_gap = self.canonical_gap.tolist(), self.reference_gap.tolist()
        on_ours = self.our_gaps.tolist()
        order = sorted(members)
        last, first = at[np.array(order, dtype=np.int64) - 1], at[order]
        places = zip(order, last.tolist(), first.tolist(), held[last].tolist(), held[first].tolist(), strict=True)
        blocks: list[Block] = []
        seen: set[str] = set()
        for j, end, until, old, new in places:
            ours, theirs = members[j]
            before = end + 1
            name = f"{self.names[old]}>{self.names[new]}"
            if name in seen:
                name = _unique(name, self._first_date(ours, theirs), seen)
            seen.add(name)
            date_effect: float | None = None
            price_effect: float | None = None
            if len(ours) == 1 and len(theirs) == 1:
                own, other = ours_gap[ours[0]], theirs_gap[theirs[0]]
                between = on_ours[theirs[0]]
                gap = own - other
                if isfinite(between) and self._splits(ours[0], theirs[0]):
                    date_effect, price_effect = own - between, between - other
            else:
                gap = sum(ours_gap[i] for i in ours) - sum(theirs_gap[i] for i in theirs)
            blocks.append(
                Block(name, tuple(ours), tuple(theirs), gap, before, before, until, date_effect, price_effect)
            )
        return tuple(blocks)

    def _first_date(self, ours: list[int], theirs: list[int]) -> date:
        """The earlier of both sides' first roll of a block."""
        return min(
            [self.canonical.rolls[i].roll_date for i in ours[:1]]
            + [self.reference.rolls[j].roll_date for j in theirs[:1]]
        )

    def _splits(self, canonical: int, reference: int) -> bool:
        """Whether these rolls of both sides are between the same contracts, with a gap to split."""
        roll, other = self.canonical.rolls[canonical], self.reference.rolls[reference]
        same = roll.from_contract == other.from_contract and roll.to_contract == other.to_contract
        return same and other.gap is not None

    def _date_blocks(self, pairs: Sequence[tuple[int, int]]) -> tuple[Block, ...]:
        ours = {i for i in range(len(self.canonical_at)) if 0 < self.canonical_at[i] < self.count}
        theirs = {j for j in range(len(self.reference_at)) if 0 < self.reference_at[j] < self.count}
        members = [((i,), (j,)) for i, j in pairs if i in ours and j in theirs]
        ours -= {i for (i,), _ in members}
        theirs -= {j for _, (j,) in members}
        everyone: list[tuple[tuple[int, ...], tuple[int, ...]]] = [*members]
        everyone += [((i,), ()) for i in ours]
        everyone += [((), (j,)) for j in theirs]
        drafts = []
        for mine, other in everyone:
            at = [int(self.canonical_at[i]) for i in mine] + [int(self.reference_at[j]) for j in other]
            roll: RollLike = self.canonical.rolls[mine[0]] if mine else self.reference.rolls[other[0]]
            label = (
                f"{roll.from_contract}>{roll.to_contract}"
                if roll.from_contract is not None and roll.to_contract is not None
                else roll.roll_date.isoformat()
            )
            drafts.append((min(at), max(at), label, roll.roll_date, mine, other))
        drafts.sort(key=lambda draft: (draft[0], draft[1], draft[2], draft[4], draft[5]))
        blocks: list[Block] = []
        seen: set[str] = set()
        taken = 0
        for before, until, label, roll_date, mine, other in drafts:
            paired = bool(mine) and bool(other)
            name = _unique(label if paired else f"unmatched:{label}", roll_date, seen)
            gap = sum(float(self.canonical_gap[i]) for i in mine) - sum(float(self.reference_gap[j]) for j in other)
            inside_from = min(max(before, taken), until)
            blocks.append(Block(name, mine, other, gap, before, inside_from, until, paired=paired))
            taken = max(taken, until)
        return tuple(blocks)

    def _write(
        self,
        same: npt.NDArray[np.bool_],
        run: slice,
        alignment: AligningRule,
        blocks: tuple[Block, ...],
        *,
        known: bool,
        notes: tuple[str, ...],
    ) -> Ledger:
        """Components of every session, from their definitions, and what they sum to."""
        anchor = float(np.median(self.difference[run]))
        drift = self.difference - anchor
        inside = np.zeros(self.count, dtype=np.bool_)
        for block in blocks:
            inside[block.inside_from : block.until] = True
        before = np.array([block.before for block in blocks], dtype=np.int64)
        steps = np.bincount(before, weights=[block.carried for block in blocks], minlength=self.count + 1)
        # Gaps of the blocks that lie wholly after each session.
        later = np.cumsum(steps[::-1])[::-1][1:]
        plain = same if known else ~inside & np.isfinite(self.raw)
        level = np.zeros(self.count)
        residual = np.zeros(self.count)
        own: Floats | None = None
        if plain.any():
            aligning = np.zeros(self.count, dtype=np.bool_)
            aligning[run] = True
            aligning &= plain
            if not aligning.any():
                aligning = plain
            raw_median = float(np.median(self.raw[aligning]))
            own_median = float(np.median(self.ec[aligning]))
            to_come = self._gaps_after(run)
            constant = raw_median + own_median + to_come - anchor
            level[plain] = self.raw[plain] - raw_median
            residual[plain] = constant - self.er[plain]
            own = np.zeros(self.count)
            own[plain] = self.ec[plain] - own_median
            scale = max(1.0, float(np.abs(self.canonical.adjusted).max()))
            if float(np.abs(own).max()) <= 1e-10 * scale:
                residual += own
                own = None
        rest = drift - later
        timing = np.where(inside, rest, 0.0)
        contract = np.where(~plain & ~inside, rest, 0.0)
        basis = np.zeros(self.count)
        if known:
            basis = level
        else:
            contract = contract + level
        total = later + timing + basis + contract + residual
        if own is not None:
            total = total + own
        components, totals = _measure(drift, blocks, timing, basis, contract, residual, own)
        return Ledger(
            sessions=self.sessions,
            drift=drift,
            anchor=anchor,
            alignment=alignment,
            aligning_sessions=run.stop - run.start,
            contracts_known=known,
            same_contract=same,
            blocks=blocks,
            inside=timing,
            basis=basis,
            contract=contract,
            reference_residual=residual,
            canonical_residual=own,
            components=components,
            sum_residual=float(np.abs(drift - total).max()),
            median_price=self._median_price(),
            notes=notes,
            _totals=totals,
        )

    def _gaps_after(self, run: slice) -> float:
        """Canonical less reference gaps in force only after the aligning run."""
        ours = (self.canonical_at >= run.stop) & (self.canonical_at < self.count)
        theirs = (self.reference_at >= run.stop) & (self.reference_at < self.count)
        return float(self.canonical_gap[ours].sum() - self.reference_gap[theirs].sum())

    def _median_price(self) -> float:
        prices = self.canonical.unadjusted
        if prices is None or not np.isfinite(prices).any():
            prices = self.canonical.adjusted
        return float(np.median(np.abs(prices[np.isfinite(prices)])))


def _unique(name: str, roll_date: date, seen: set[str]) -> str:
    """`name`; with its date where an earlier block has it already, numbered where even that is taken."""
    chosen, number = name, 1
    while chosen in seen:
        chosen = f"{name}@{roll_date.isoformat()}" + (f"#{number}" if number > 1 else "")
        number += 1
    seen.add(chosen)
    return chosen


def _measure(
    drift: Floats,
    blocks: tuple[Block, ...],
    timing: Floats,
    basis: Floats,
    contract: Floats,
    residual: Floats,
    own: Floats | None,
) -> tuple[tuple[Component, ...], dict[str, float | None]]:
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
    dense = np.stack([basis, contract, residual] if own is None else [basis, contract, residual, own])
    absolute = np.abs(dense)
    names += (BASIS, *UNEXPLAINED)[: len(dense)]
    pulls.append((sign * dense).sum(axis=1))
    sizes.append(absolute.sum(axis=1))
    largest.append(absolute.max(axis=1))
    pull, size, most = (np.concatenate(parts) for parts in (pulls, sizes, largest))
    share: list[Any] = (pull / whole).tolist() if whole > 0 else [None] * len(names)
    gross: list[Any] = (size / whole).tolist() if whole > 0 else [None] * len(names)
    columns = (names, share, (size / count).tolist(), most.tolist(), gross)
    found = [*map(Component._make, zip(*columns, strict=True))]
    unexplained = contract + residual if own is None else contract + residual + own
    shares = {c.name: c.share for c in found[-len(dense) :]}
    totals: dict[str, float | None] = {
        "gross": sum(gross) if whole > 0 else None,
        "unexplained_mean": float(np.abs(unexplained).mean()),
        "unexplained_share": sum(shares.get(name) or 0.0 for name in UNEXPLAINED) if whole > 0 else None,
    }
    # Largest mean first; of equal ones, which stay in order, by name.
    found.sort(key=lambda c: c.name)
    found.sort(key=lambda c: c.mean, reverse=True)
    return tuple(found), totals
