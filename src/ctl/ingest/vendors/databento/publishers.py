"""Several publishers (venues) in one Databento file: one is chosen by name or the file is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctl.errors import InputError
from ctl.ingest.rows import as_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def choose_publisher(
    symbols: Sequence[str],
    day: NDArray[np.int32],
    symbol: NDArray[np.int32],
    publishers: NDArray[np.int64] | NDArray[np.uint16],
    publisher: int | None,
    name: str,
    counts: dict[str, int],
) -> NDArray[np.bool_] | None:
    """Which bars are the one publisher's; None: all stay. symbol: index into `symbols`.

    Without `publisher` all bars stay where no (session, symbol) has two of them; bars of two venues are never
    averaged and neither wins silently. Raises InputError with the list of publishers.
    """
    if publisher is None and (publishers == publishers[0]).all():
        return None
    present = np.unique(publishers)
    listed = ", ".join(str(number) for number in present.tolist())
    if publisher is not None:
        keep: NDArray[np.bool_] = publishers == publisher
        if not keep.any():
            raise InputError(f"no bars of publisher {publisher}", where=name, found=f"publishers {listed}")
        if keep.all():
            return None
        counts["other_publishers_dropped"] = int(np.count_nonzero(~keep))
        return keep
    order = np.lexsort((day, symbol))
    day, symbol, venue = day[order], symbol[order], publishers[order]
    repeated = np.flatnonzero((day[1:] == day[:-1]) & (symbol[1:] == symbol[:-1]) & (venue[1:] != venue[:-1]))
    if len(repeated):
        at = int(repeated[0])
        raise InputError(
            f"several publishers for {symbols[int(symbol[at])]} on {as_date(int(day[at]))}",
            where=name,
            found=f"publishers {listed}",
            expected="one publisher",
            remedy=f"choose one, as --publisher {present[0]}",
        )
    return None


def single_publisher(
    publishers: NDArray[np.int64], publisher: int | None, name: str, counts: dict[str, int]
) -> NDArray[np.bool_]:
    """Which records are the one publisher's; the others are counted.

    Raises InputError where none is, and without `publisher` where the file holds several.
    """
    present = np.unique(publishers)
    listed = ", ".join(str(number) for number in present.tolist())
    if publisher is None:
        if len(present) > 1:
            raise InputError(
                "several publishers", where=name, found=f"publishers {listed}", expected="one publisher",
                remedy=f"choose one, as --publisher {present[0]}",
            )  # fmt: skip
        return np.ones(len(publishers), dtype=np.bool_)
    kept: NDArray[np.bool_] = publishers == publisher
    if len(publishers) and not kept.any():
        raise InputError(f"no records of publisher {publisher}", where=name, found=f"publishers {listed}")
    if not kept.all():
        counts["other_publishers_dropped"] = int(np.count_nonzero(~kept))
    return kept
