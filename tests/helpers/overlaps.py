"""Overlap windows written out by hand: session number 0 is the first of 2020."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.overlap import Overlap
from ctl.certification.window import Window, WindowRoll
from ctl.model.reference import Reference

START = np.datetime64("2020-01-01")


def overlap_of(
    canonical: list[float],
    other: list[float],
    held: list[int] | None = None,
    other_held: list[int] | None = None,
) -> Overlap:
    count = len(canonical)
    sessions = START + np.arange(count)
    unknown = np.full(count, -1, dtype=np.int64)
    return Overlap(
        first=date(2020, 1, 1),
        last=date(2020, 1, 1) + timedelta(days=count - 1),
        union=sessions,
        sessions=sessions,
        union_index=np.arange(count),
        canonical_adjusted=np.array(canonical, dtype=np.float64),
        canonical_unadjusted=np.array(canonical, dtype=np.float64),
        canonical_contract=unknown if held is None else np.array(held),
        reference_adjusted=np.array(other, dtype=np.float64),
        reference_unadjusted=np.array(other, dtype=np.float64),
        reference_contract=unknown if other_held is None else np.array(other_held),
        contracts=("XXH20", "XXM20", "XXU20"),
        has_reference_adjusted=True,
        has_reference_unadjusted=True,
    )


def roll(index: int) -> WindowRoll:
    """A roll whose first session on the new contract is number `index`."""
    day = date(2020, 1, 1) + timedelta(days=index)
    return WindowRoll(day - timedelta(days=1), day, None, None, 1.0, "canonical", index - 1, index, edge=False)


def window_of(overlap: Overlap, ours: Sequence[WindowRoll] = (), theirs: Sequence[WindowRoll] = ()) -> Window:
    """A window of these closes and rolls; of the request the tick and the policy alone are read."""
    request = SimpleNamespace(tick=0.01, acceptance_policy="v1")
    return Window(
        request, None, None, Reference("other", None, None), ContractCloses.empty(), None, overlap, tuple(ours),
        tuple(theirs), 1.0,
    )  # type: ignore[arg-type]  # fmt: skip
