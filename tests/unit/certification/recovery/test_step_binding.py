"""A contract that the path skips is put back where the spread's steps are the gaps from and to it."""

from __future__ import annotations

import numpy as np
import pytest
from lean_cattle import NAMES, TICK, closes_of, market

from ctl.certification.recovery.step_binding import SteppedSeries, put_skipped_back

PLACE = {name: k for k, name in enumerate(NAMES)}


def stepped(steps: dict[int, float], off: float) -> SteppedSeries:
    """Closes that lie `off` above the middle contract's on sessions 20 to 39, between its two rolls."""
    prices = market(60)
    raw = prices[np.repeat([0, 1, 2], 20), np.arange(60)]
    raw[20:40] += off
    return SteppedSeries(raw, np.arange(60), closes_of(prices), TICK, 40.0, steps)


# On session 19 LCM08 and LCQ08 lie 14.75 apart, on session 39 LCQ08 and LCV08 24.75.
GAPS = {20: 14.75, 40: 24.75}


@pytest.mark.parametrize(
    ("steps", "off", "put_back"),
    [
        (GAPS, 0.0, True),
        ({20: 16.0, 40: 23.0}, 5.0, True),
        # Steps of other sizes, or closes that are clearly the third contract's, say otherwise.
        ({20: 14.75, 40: 2.0}, 0.0, False),
        ({20: 30.0, 40: 24.75}, 0.0, False),
        (GAPS, 23.0, False),
    ],
)
def test_the_skipped_contract(steps: dict[int, float], off: float, put_back: bool) -> None:
    skipping = [("LCM08", "LCV08"), (None, None)]
    whole = [("LCM08", "LCQ08"), ("LCQ08", "LCV08")]
    assert put_skipped_back([20, 40], skipping, stepped(steps, off), PLACE, NAMES) == (whole if put_back else skipping)


def test_the_step_may_come_before_the_roll() -> None:
    labels = put_skipped_back([20, 40], [(None, None), ("LCM08", "LCV08")], stepped(GAPS, 0.0), PLACE, NAMES)
    assert labels == [("LCM08", "LCQ08"), ("LCQ08", "LCV08")]


def test_a_roll_without_a_step_of_its_own_skips_nothing() -> None:
    skipping = [("LCM08", "LCV08"), (None, None)]
    assert put_skipped_back([20, 40], skipping, stepped({40: 24.75}, 0.0), PLACE, NAMES) == skipping
