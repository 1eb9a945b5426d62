"""Series as arrays: what layers read of them."""

from __future__ import annotations

import polars as pl
import pytest

from ctl.certification.series_arrays import label_runs


@pytest.mark.parametrize(
    ("labels", "starts", "runs", "names"),
    [
        ([], [], [], []),
        (["A"], [0], [0], ["A"]),
        (["A", "A", "B", "A"], [0, 2, 3], [0, 0, 1, 2], ["A", "B", "A"]),
        ([None, None, "A", None, "B", "B"], [0, 2, 3, 4], [0, 0, 1, 2, 3, 3], [None, "A", None, "B"]),
    ],
)
def test_runs_of_equal_labels(
    labels: list[str | None], starts: list[int], runs: list[int], names: list[str | None]
) -> None:
    found = label_runs(pl.Series(labels, dtype=pl.String))
    assert (found[0].tolist(), found[1].tolist(), found[2]) == (starts, runs, names)
