"""Which other roots of a workspace a symbol's bars could be of, before bars are compared with bars.

Comparing a symbol with every other root costs as much as certifying both, and among hundreds of exchanged roots that
is every pair. Daily moves of all roots, read once a command, tell in one product which few are worth it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.certification.layers.identity import MIN_CHANGES, active_changes
from ctl.errors import CtlError
from ctl.flows import inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctl.flows.inputs import SymbolInputs
    from ctl.model.bars import ContractBars
    from ctl.store import Workspace

_LEAST_CORRELATION: Final = 0.3
"""Of moves, where bars of one market have 0.90 and more; a symbol resembles few other roots as much."""

_LARGEST: Final = 5.0
"""Usual moves beyond which one counts no further: roll gaps and bad prints decide nothing here."""


@dataclass(frozen=True, slots=True)
class Command:
    """What one command reads of the workspace's roots; equal to itself alone, also in another process."""

    name: str
    workspace: Workspace = field(compare=False)
    now: datetime | None = field(compare=False)
    as_of: date | None = field(compare=False)


@dataclass(frozen=True, slots=True)
class Moves:
    """Daily moves of roots, in usual ones. days: since 1970-01-01, ascending (n); moves: roots x n, 0 where unknown;
    known, squares: of these, 1 where known, and squared.
    """

    roots: tuple[str, ...]
    days: NDArray[np.int32]
    moves: NDArray[np.float32]
    known: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def of(cls, roots: dict[str, tuple[NDArray[np.int32], NDArray[np.float32]]]) -> Moves:
        """By root its days, ascending, and the moves on them."""
        days = np.unique(np.concatenate([np.empty(0, np.int32), *(known for known, _ in roots.values())]))
        moves = np.zeros((len(roots), days.size), np.float32)
        for row, (known, values) in zip(moves, roots.values(), strict=True):
            row[np.searchsorted(days, known)] = values
        return cls(tuple(roots), days, moves, (moves != 0.0).astype(np.float32), moves**2)

    def alike(self, days: NDArray[np.int32], moves: NDArray[np.float32]) -> Iterator[str]:
        """The roots whose moves correlate with these, and those that share too few days to be told."""
        here = np.isin(days, self.days)
        these = np.zeros(self.days.size, np.float32)
        these[np.searchsorted(self.days, days[here])] = moves[here]
        known = (these != 0.0).astype(np.float32)
        counted = self.known @ known
        squares = (self.squares @ known) * (self.known @ these**2)
        for root, count, product, square in zip(self.roots, counted, self.moves @ these, squares, strict=True):
            if count < MIN_CHANGES or product > _LEAST_CORRELATION * np.sqrt(square):
                yield root


def likely(command: Command, held: SymbolInputs) -> dict[str, ContractBars]:
    """The contracts of the other futures that either side of a symbol could be of, by root, as far as they can be read.

    They name a mix-up, nothing else rests on them.
    """
    known = _of_roots(command)
    found = {root for days, moves in _sides(held) for root in known.alike(days, moves)} - {held.symbol}
    return {root: _contracts(command, root) for root in sorted(found)}


@lru_cache(maxsize=1)
def _of_roots(command: Command) -> Moves:
    """All futures, each of which is read and let go."""
    roots = {}
    for name, config in command.workspace.symbols.items():
        if config.asset_class == "future":
            try:
                roots[name] = _of_contracts(_contracts(command, name))
            except CtlError:
                continue
    return Moves.of(roots)


def _contracts(command: Command, root: str) -> ContractBars:
    return inputs.read_contracts(command.workspace, root, command.as_of, command.now, keep=command.as_of is None)


def _sides(held: SymbolInputs) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
    if held.contracts is not None:
        yield _of_contracts(held.contracts)
    sides = () if held.reference is None else (held.reference.adjusted, held.reference.unadjusted)
    for side in sides:
        if side is not None:
            days, closes = (side.frame[name].to_physical().to_numpy() for name in ("session", "close"))
            yield days[1:], _in_usual_moves(np.diff(closes))


def _of_contracts(bars: ContractBars) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    frame = active_changes(bars)
    return frame["session"].to_physical().to_numpy(), _in_usual_moves(frame["change"].to_numpy())


def _in_usual_moves(changes: NDArray[np.float64]) -> NDArray[np.float32]:
    """Changes in median ones, at most `_LARGEST`; 0 where unknown."""
    changes = np.nan_to_num(changes)
    moved = np.abs(changes[changes != 0.0])
    usual = float(np.median(moved)) if moved.size else 1.0
    return np.clip(changes / usual, -_LARGEST, _LARGEST).astype(np.float32)
