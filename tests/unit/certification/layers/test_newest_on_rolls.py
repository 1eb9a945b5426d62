"""A wrong newest close at a roll: it can lie near the reference's of a contract that the reference does not hold."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import ctl

COUNT, LIFE, SPREAD = 640, 20, 2.0
MONTHS = "FGHJKMNQUVXZ"
SESSIONS = [day for day in (date(2022, 1, 3) + timedelta(days=n) for n in range(900)) if day.weekday() < 5][:COUNT]


def market(wrong: float) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Contracts that lie 2 below one another, and a reference that rolls on the newest session, after us.

    wrong: added to every close of ours on the newest session.
    """
    level = 200.0 + np.round(np.cumsum(np.random.default_rng(7).normal(0.0, 0.7, COUNT)), 2)
    rows = []
    for k in range(COUNT // LIFE + 3):
        name = f"XYZ{MONTHS[k % 12]}{22 + k // 12}"
        for t in range(max(0, (k - 2) * LIFE), min(COUNT, k * LIFE + LIFE + 6)):
            close = level[t] - SPREAD * k + (wrong if t == COUNT - 1 else 0.0)
            # From three sessions before the last of its twenty on the next contract trades more.
            volume = 1000 if (k * LIFE - 3) <= t < (k + 1) * LIFE - 3 else 100 - k
            rows.append((SESSIONS[t], name, close, close + 0.4, close - 0.4, close, volume))
    names = ["session", "contract", "open", "high", "low", "close", "volume"]
    held = np.minimum((np.arange(COUNT) + 1) // LIFE, COUNT // LIFE)
    sides = []
    for carried in (0.0, SPREAD):
        close = level - SPREAD * held - carried * (held[-1] - held)
        sides.append(
            pl.DataFrame(
                {
                    "session": SESSIONS,
                    "open": close,
                    "high": close + 0.4,
                    "low": close - 0.4,
                    "close": close,
                    "volume": np.full(COUNT, 1000),
                }
            )
        )
    return pl.DataFrame(rows, schema=names, orient="row"), sides[1], sides[0]


@pytest.mark.parametrize(("wrong", "codes"), [(0.0, set()), (4.5, {"LEVEL_NOW"}), (-4.5, {"LEVEL_NOW"})])
def test_a_newest_close_is_held_against_the_adjusted_one_too(wrong: float, codes: set[str]) -> None:
    contracts, adjusted, unadjusted = market(wrong)
    series = ctl.build(contracts, root="XYZ", months=MONTHS)
    made = ctl.certify(
        contracts, series, root="XYZ", adjusted=adjusted, unadjusted=unadjusted, tick=0.01, max_day_delta=3
    )
    assert {reason.code for reason in made.reasons} & {"LEVEL_NOW", "LEVEL_STEP"} == codes
