"""What each source says of a reference's rolls, and what one source says of another's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.arrays import Days, Ints
from ctl.certification.recovery.spread_steps import match_in_order
from ctl.certification.series_arrays import UNKNOWN, label_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from ctl.model.rolls import ReferenceRoll, RollSource


Labels = list[tuple[str | None, str | None]]
SNAP_SESSIONS: Final = 3
STEP_OF_ROLL_SESSIONS: Final = 10
AGREE_SESSIONS: Final = 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """Rolls by one source.

    starts: index of the first session on each new contract, ascending. labels: (from, to) contract names, None
    where unknown. gaps: as recovered or stated, None where unknown. contract_on_day: contract index per session, -1
    where unknown; empty where the source knows no contracts.
    """

    source: RollSource
    starts: list[int]
    labels: Labels
    gaps: list[float | None]
    contract_on_day: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def knows_contracts(self) -> bool:
        """Whether the source knows the contract of any session."""
        return bool((self.contract_on_day >= 0).any())


def by_path(contract_on_day: Ints, names: Sequence[str]) -> Candidate:
    """Rolls of a fingerprint path: its changes of contract. contract_on_day: an index per session; -1 is no change."""
    known = np.flatnonzero(contract_on_day >= 0)
    turn = np.flatnonzero(np.diff(contract_on_day[known])) + 1
    starts: list[int] = known[turn].tolist()
    labels: Labels = [
        (names[old], names[new])
        for old, new in zip(
            contract_on_day[known[turn - 1]].tolist(), contract_on_day[known[turn]].tolist(), strict=True
        )
    ]
    return Candidate("fingerprint", starts, labels, [None] * len(starts), contract_on_day)


def by_column(column: pl.Series | None, place: Mapping[str, int]) -> Candidate | None:
    """Rolls by the reference's own contract or delivery-month column. place: index of each of our contracts."""
    if column is None:
        return None
    starts: list[int] = []
    labels: Labels = []
    current: str | None = None
    begins, run, names = label_runs(column)
    for i, name in zip(begins.tolist(), names, strict=True):
        if name is None or name == current:
            continue
        if current is not None:
            starts.append(i)
            labels.append((current, name))
        current = name
    contract_on_day: Ints = np.array([place.get(name or "", UNKNOWN) for name in names], dtype=np.int64)[run]
    return Candidate("contract_column", starts, labels, [None] * len(starts), contract_on_day)


def by_statement(stated: Sequence[ReferenceRoll], days: Days, place: Mapping[str, int]) -> Candidate | None:
    """Rolls as the reference states them. place: index of each of our contracts."""
    starts: list[int] = []
    labels: Labels = []
    gaps: list[float | None] = []
    for roll in sorted(stated, key=lambda roll: roll.roll_date):
        start = int(np.searchsorted(days, np.datetime64(roll.roll_date, "D")))
        if 0 < start < len(days) and (not starts or start > starts[-1]):
            starts.append(start)
            labels.append((roll.from_contract, roll.to_contract))
            gaps.append(roll.gap)
    if not starts:
        return None
    contract_on_day = np.empty(0, dtype=np.int64)
    if all(old in place and new in place for old, new in labels):
        contract_on_day = np.full(len(days), place[labels[0][0] or ""], dtype=np.int64)
        for start, (_, new) in zip(starts, labels, strict=True):
            contract_on_day[start:] = place[new or ""]
    return Candidate("stated", starts, labels, gaps, contract_on_day)


def by_steps(steps: Sequence[tuple[int, float]]) -> Candidate:
    """Rolls by the steps of the spread, (index, gap) each; no contracts."""
    gaps: list[float | None] = [gap for _, gap in steps]
    return Candidate("spread_step", [index for index, _ in steps], [(None, None)] * len(steps), gaps)


def take_step_dates(
    used: Candidate,
    steps: Sequence[int],
    *,
    within: int = SNAP_SESSIONS,
    answers: Callable[[int, int], bool] = lambda _roll, _step: False,
) -> tuple[list[int], Labels]:
    """Rolls dated by the step of the spread near them, plus the steps that no roll accounts for, in order.

    A step that is left and a roll without one, within 10 sessions, are one roll as well; and farther apart where
    nothing lies between them and `answers`, given the roll's number and the step's session, says so. within: 0 leaves
    the rolls where they are. Returns first sessions on the new contracts and contracts' names, (None, None) for such
    a step.
    """
    rolls, at = np.array(used.starts, dtype=np.int64), np.array(steps, dtype=np.int64)
    pairs = match_in_order(rolls, at, within=within)
    if within:
        left = [_left(side, n, pairs) for n, side in enumerate((rolls, at))]
        pairs += [
            (left[0][i], left[1][j])
            for i, j in match_in_order(rolls[left[0]], at[left[1]], within=STEP_OF_ROLL_SESSIONS)
            if _in_order(left[0][i], left[1][j], pairs)
        ]
        for step in _left(at, 1, pairs):
            beside = (roll for roll in _left(rolls, 0, pairs) if _in_order(roll, step, pairs))
            nearest = min(beside, key=lambda roll: abs(int(rolls[roll] - at[step])), default=None)
            if nearest is not None and answers(nearest, steps[step]):
                pairs.append((nearest, step))
    starts = list(used.starts)
    for i, j in pairs:
        starts[i] = steps[j]
    taken = {j for _, j in pairs}
    rows: list[tuple[int, tuple[str | None, str | None]]] = [*zip(starts, used.labels, strict=True)]
    rows += [(step, (None, None)) for j, step in enumerate(steps) if j not in taken]
    rows.sort(key=lambda row: row[0])
    return [row[0] for row in rows], [row[1] for row in rows]


def _left(side: Ints, n: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Numbers of one side's (n) that are in no pair."""
    paired = {pair[n] for pair in pairs}
    return [number for number in range(len(side)) if number not in paired]


def _in_order(roll: int, step: int, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether a pair crosses none of the others."""
    return all((i < roll) == (j < step) for i, j in pairs)


def filled_gaps(gaps: Sequence[float | None], starts: Sequence[int], stated: Candidate | None) -> list[float | None]:
    """Gaps of the rolls at `starts`; where one is unknown, that of the stated roll near it."""
    filled = list(gaps)
    if stated is not None and any(gap is None for gap in gaps):
        here, there = np.array(starts, dtype=np.int64), np.array(stated.starts, dtype=np.int64)
        for i, j in match_in_order(here, there, within=SNAP_SESSIONS):
            filled[i] = stated.gaps[j] if filled[i] is None else filled[i]
    return filled


def cross_check(candidate: Candidate, days: Days, starts: Sequence[int], labels: Labels) -> dict[str, Any]:
    """Precision and recall of another source against the rolls used, and where they disagree (JSON-ready)."""
    here = np.array(candidate.starts, dtype=np.int64)
    there = np.array(starts, dtype=np.int64)
    pairs = match_in_order(here, there, within=AGREE_SESSIONS)
    mine, theirs = {i for i, _ in pairs}, {j for _, j in pairs}
    other_contract = [
        {
            "roll_date": days[here[i]].astype(object).isoformat(),
            "contract": candidate.labels[i][1],
            "used": labels[j][1],
        }
        for i, j in pairs
        if candidate.labels[i][1] is not None and labels[j][1] is not None and candidate.labels[i][1] != labels[j][1]
    ]
    return {
        "used": False,
        "n_rolls": len(here),
        "same_session": int(sum(here[i] == there[j] for i, j in pairs)),
        "within_one_session": len(pairs),
        "precision": len(pairs) / len(here) if len(here) else None,
        "recall": len(pairs) / len(there) if len(there) else None,
        "only_here": [days[p].astype(object).isoformat() for i, p in enumerate(here) if i not in mine],
        "missing_here": [days[p].astype(object).isoformat() for j, p in enumerate(there) if j not in theirs],
        "other_contract": other_contract,
    }
