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


def sums(gaps: list[Gap]) -> list[float]:
    """Per roll the sum of its own and all later gaps, added from the last roll backwards."""
    total = 0.0
    reversed_sums: list[float] = []
    for gap in reversed(gaps):
        total += gap.difference
        reversed_sums.append(total)
    return reversed_sums[::-1]


def factors(gaps: list[Gap]) -> list[float]:
    """Per roll the product of new close / old close of its own and all later gaps."""
    product = 1.0
    reversed_products: list[float] = []
    for gap in reversed(gaps):
        product *= gap.to_close / gap.from_close
        reversed_products.append(product)
    return reversed_products[::-1]


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
    force: npt.NDArray[np.int64], sessions: npt.NDArray[np.int64], of_rolls: list[float], neutral: float
) -> Floats:
    """What each bar carries: the value of the first roll in force after its session, `neutral` after the last roll."""
    return np.array([*of_rolls, neutral], dtype=np.float64)[np.searchsorted(force, sessions, side="right")]
