"""Steps of the spread that bind the path: where closes are not quite ours, the vendor's own two series date its rolls.

Closes that lie farther from ours than two contracts from each other (evening moves, settlements) let the path change
contract weeks early, or skip one: what it misses stands in the spread as a step of just those contracts' gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctl.arrays import Floats, Ints
from ctl.certification.recovery.spread_steps import MIN_STEP_TICKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ctl.certification.contract_closes import ContractCloses
    from ctl.certification.recovery.roll_sources import Labels


# A step that differs from the contracts' gap by less is that gap, at closes of another hour.
STEP_LIKE_GAP: Final = 0.25


@dataclass(frozen=True, slots=True)
class SteppedSeries:
    """A reference's unadjusted closes (T) at positions `at` of `closes.sessions` (-1: none), and its spread's steps.

    steps: the gap by the index of the first session after it.
    """

    unadjusted: Floats
    at: Ints
    closes: ContractCloses
    tick: float
    cap_ticks: float
    steps: Mapping[int, float]

    def is_gap(self, old: int, new: int, step: int) -> bool:
        """Whether a step is the gap of two contracts on our closes there, within 2 ticks or a quarter."""
        there = self.at[[step - 1]]
        gap = float(self.closes.close(np.array([new]), there)[0] - self.closes.close(np.array([old]), there)[0])
        stepped = self.steps[step]
        return bool(abs(gap - stepped) <= max(MIN_STEP_TICKS * self.tick, STEP_LIKE_GAP * abs(stepped)))

    def bears(self, held: int, other: int, first: int, end: int) -> bool:
        """Whether the closes of [first, end) leave open that `other` was held there, where the path has `held`.

        They fit it worse by less than half of what the two contracts lie apart.
        """
        there = self.at[first:end]
        close_held, close_other = (self.closes.close(np.full(there.size, k), there) for k in (held, other))
        off_held, off_other = (
            np.minimum(np.abs(self.unadjusted[first:end] - close) / self.tick, self.cap_ticks)
            for close in (close_held, close_other)
        )
        apart = np.minimum(np.abs(close_other - close_held) / self.tick, self.cap_ticks)
        worse = off_other - off_held
        known = np.isfinite(worse)
        return bool(known.any() and worse[known].sum() < apart[known].sum() / 2)

    def answers(self, old: int, new: int, start: int, step: int) -> bool:
        """Whether the roll from one contract to another that the path dates at `start` is the step's."""
        if start < step:
            return self.is_gap(old, new, step) and self.bears(new, old, start, step)
        return self.is_gap(old, new, step) and self.bears(old, new, step, start)

    def between(self, old: int, new: int, start: int, step: int) -> int | None:
        """The contract that a roll at `start` skips, if a step beside it and its own are the gaps from and to it."""
        first, second = sorted((start, step))
        fitting = [
            skipped
            for skipped in range(old + 1, new)
            if self.is_gap(old, skipped, first)
            and self.is_gap(skipped, new, second)
            and self.bears(new if start < step else old, skipped, first, second)
        ]
        return fitting[0] if len(fitting) == 1 else None


def put_skipped_back(
    starts: Sequence[int], labels: Labels, series: SteppedSeries, place: Mapping[str, int], names: Sequence[str]
) -> Labels:
    """Labels of dated rolls, with the contract that the path skips put back where a step beside it tells so.

    starts: first sessions on the new contracts, ascending; labels: contracts' names, (None, None) for a step without.
    """
    bound = list(labels)
    for i, label in enumerate(labels):
        if label != (None, None):
            continue
        for j in (i - 1, i + 1):
            if not 0 <= j < len(bound) or starts[j] not in series.steps:
                continue
            old, new = bound[j]
            if old is None or new is None:
                continue
            skipped = series.between(place[old], place[new], starts[j], starts[i])
            if skipped is not None:
                bound[min(i, j)], bound[max(i, j)] = (old, names[skipped]), (names[skipped], new)
                break
    return bound
