"""The median volume that caps a size: of the contract's own 20 newest sessions up to the day, by hand."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from ctl.flows.next_open import _median_volumes

FIRST = date(2026, 1, 1)


def frame(contract: str, volumes: list[int | None]) -> pl.DataFrame:
    days = [FIRST + timedelta(number) for number in range(len(volumes))]
    return pl.DataFrame(
        {"session": days, "contract": contract, "volume": volumes},
        schema={"session": pl.Date, "contract": pl.String, "volume": pl.Int64},
    )


@pytest.mark.parametrize(
    ("volumes", "median"),
    [
        ([*range(1, 21)], 10.5),
        ([9_999, *range(1, 21)], 10.5),  # the 21st before the newest does not count
        ([5, 7], 6.0),  # a young contract: what there is
        ([0] * 20, 0.0),
        ([*range(1, 20), None], 10.0),
        ([9_999] * 30 + [None] * 20, None),  # known once, not of any of the newest: not known
        ([None] * 5, None),
        ([], None),
    ],
)
def test_the_median_is_of_the_contracts_twenty_newest_sessions(volumes: list[int | None], median: float | None) -> None:
    bars = pl.concat([frame("ZZH26", volumes), frame("ZZM26", [77] * 60)])
    day = FIRST + timedelta(len(volumes) - 1)
    later = frame("ZZH26", [None] * len(volumes) + [1_000_000]).tail(1)  # after the day, not known on it
    assert _median_volumes(pl.concat([bars, later]), {day: "ZZH26"}) == {day: median}
