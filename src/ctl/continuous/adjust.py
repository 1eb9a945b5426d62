"""Gaps at rolls, and what every bar carries because of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctl.continuous import kernel
from ctl.continuous.policy import day_of
from ctl.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.continuous.layout import Layout
    from ctl.model.rolls import Adjustment

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gap:
    """Two closes of a roll. `session` is the gap session: the old contract's, where the closes are not concurrent."""

    session: int
    old_row: int
    new_row: int
    from_close: float
    to_close: float
    concurrent: bool

    @property
    def difference(self) -> float:
        """Close of the new contract less close of the old one."""
        return self.to_close - self.from_close


def gap_of_roll(layout: Layout, path: kernel.Path, index: int) -> Gap:
    """The closes that make the gap of one roll of a path."""
    old, new = int(path.from_contract[index]), int(path.to_contract[index])
    old_row, new_row, concurrent = kernel.closes_of_gap(
        layout.days,
        (int(layout.first_row[old]), int(layout.end_row[old])),
        (int(layout.first_row[new]), int(layout.end_row[new])),
        int(path.gap_day[index]),
        int(layout.sessions.days[path.force[index]]),
    )
    close = layout.frame["close"]
    return Gap(int(layout.days[old_row]), old_row, new_row, close[old_row], close[new_row], concurrent)


def carried(gaps: list[Gap], adjustment: Adjustment) -> list[float]:
    """Per roll what the session before it carries, cumulated from the last roll backwards.

    `difference`: the sum of this and all later gaps. `ratio`: the product of new close / old close of this and all
    later rolls. `none`: 0.
    """
    total = 1.0 if adjustment == "ratio" else 0.0
    cumulative: list[float] = []
    for gap in reversed(gaps):
        if adjustment == "difference":
            total += gap.difference
        elif adjustment == "ratio":
            total *= gap.to_close / gap.from_close
        cumulative.append(total)
    return cumulative[::-1]


def refuse_ratio_of_non_positive(layout: Layout, rows: npt.NDArray[np.int64], gaps: list[Gap]) -> None:
    """Raise DataError where a close that a ratio adjustment would multiply or divide is not above zero."""
    used = np.unique(np.concatenate([rows, np.array([row for gap in gaps for row in (gap.old_row, gap.new_row)], int)]))
    closes = layout.frame["close"].to_numpy()[used]
    bad = np.flatnonzero(closes <= 0)
    if len(bad):
        row = int(used[bad[0]])
        raise DataError(
            f"ratio adjustment of {layout.root} is impossible",
            where=f"{layout.frame['contract'][row]} {day_of(int(layout.days[row]))}",
            found=f"close {closes[bad[0]]:g}",
            expected="closes above 0",
            remedy="use the difference adjustment",
            code="RATIO_OF_NON_POSITIVE",
        )


def per_bar(
    force: npt.NDArray[np.int64], sessions: npt.NDArray[np.int64], cumulative: list[float], neutral: float
) -> Floats:
    """What each bar carries: the cumulative value of the first roll that comes into force after its session."""
    return np.array([*cumulative, neutral], dtype=np.float64)[np.searchsorted(force, sessions, side="right")]
