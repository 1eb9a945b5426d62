"""What bars carry because of the gaps at rolls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctl.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ctl.continuous.layout import Layout

    Floats = npt.NDArray[np.float64]


def sums(gaps: Floats) -> Floats:
    """Per roll the sum of its own and all later gaps, added from the last roll backwards."""
    return np.cumsum(gaps[::-1])[::-1]


def factors(from_close: Floats, to_close: Floats) -> Floats:
    """Per roll the product of new close / old close of its own and all later rolls."""
    return np.asarray(np.cumprod((to_close / from_close)[::-1])[::-1], dtype=np.float64)


def refuse_ratio_of_non_positive(layout: Layout, rows: npt.NDArray[np.int64]) -> None:
    """Raise DataError where a close among `rows` is not above zero: a ratio of it says nothing."""
    bad = rows[layout.close[rows] <= 0]
    if len(bad):
        name, day, found = layout.bar(int(bad.min()))
        raise DataError(
            f"ratio adjustment of {layout.root} is impossible",
            where=f"{name} {day}",
            found=f"close {found:g}",
            expected="closes above 0",
            remedy="use the difference adjustment",
            code="RATIO_OF_NON_POSITIVE",
        )
