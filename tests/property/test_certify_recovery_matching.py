"""Order-preserving matching and segment gaps against exhaustive and definitional answers."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification.recovery.spread_steps import match_in_order, segment_gaps

places = st.lists(st.integers(0, 30), max_size=5, unique=True).map(sorted)


def every_matching(left: list[int], right: list[int], within: int) -> list[tuple[tuple[int, int], ...]]:
    out = []
    for size in range(min(len(left), len(right)) + 1):
        for mine in combinations(range(len(left)), size):
            for other in combinations(range(len(right)), size):
                pairs = tuple(zip(mine, other, strict=True))
                if all(abs(left[i] - right[j]) <= within for i, j in pairs):
                    out.append(pairs)
    return out


@settings(deadline=None)
@given(left=places, right=places, within=st.integers(0, 6))
def test_most_pairs_then_least_distance(left: list[int], right: list[int], within: int) -> None:
    found = match_in_order(np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), within=within)
    ranked = [
        (-len(pairs), sum(abs(left[i] - right[j]) for i, j in pairs)) for pairs in every_matching(left, right, within)
    ]
    assert tuple(found) in every_matching(left, right, within)
    assert (-len(found), sum(abs(left[i] - right[j]) for i, j in found)) == min(ranked)


@given(
    spread=st.lists(st.floats(-50, 50), min_size=2, max_size=20),
    cuts=st.sets(st.integers(1, 19), max_size=4),
)
def test_gaps_are_differences_of_medians(spread: list[float], cuts: set[int]) -> None:
    starts = sorted(cut for cut in cuts if cut < len(spread))
    bounds = [0, *starts, len(spread)]
    medians = [float(np.median(spread[a:b])) for a, b in pairwise(bounds)]
    expected = [b - a for a, b in pairwise(medians)]
    assert segment_gaps(np.array(spread), starts) == expected
