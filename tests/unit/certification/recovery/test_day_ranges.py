"""Adjusted-only references whose closes are of another moment than ours: contracts are read off highs and lows."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from ctl.certification.layers.identity import check_fingerprint
from ctl.certification.recovery.reference import RecoveredReference, recover
from ctl.model.bars import CONTRACT_COLUMNS, SERIES_COLUMNS, ContractBars, DailySeries, SeriesMeta
from ctl.model.contracts import Contract
from ctl.model.reference import Reference

START = date(2012, 1, 2)
TICK = 0.25
SESSIONS = 240
ROLLS = [(60, 1), (120, 2), (180, 3)]
NAMES = ("XXH12", "XXM12", "XXU12", "XXZ12")


def market(seed: int = 1) -> dict[str, np.ndarray]:
    """Highs, lows and our closes of four contracts on the tick grid; spreads move by a tick or two per session."""
    rng = np.random.default_rng(seed)
    path = 4000 + np.cumsum(rng.integers(-12, 13, SESSIONS))
    spread = 80 * np.arange(4)[:, None] + np.cumsum(rng.integers(-2, 3, (4, SESSIONS)), axis=1)
    high = path + spread + rng.integers(20, 40, SESSIONS)
    low = path + spread - rng.integers(20, 40, SESSIONS)
    return {"high": high * TICK, "low": low * TICK, "close": (path + spread) * TICK}


def bars(prices: dict[str, np.ndarray], *, ranges: bool = True) -> ContractBars:
    days = [START + timedelta(days=i) for i in range(SESSIONS)]
    none = pl.lit(None, dtype=pl.Float64)
    frame = pl.concat(
        pl.DataFrame({"session": days, **{kind: prices[kind][k] for kind in prices}}).with_columns(
            contract=pl.lit(name),
            open=none,
            high=pl.col("high") if ranges else none,
            low=pl.col("low") if ranges else none,
            volume=pl.lit(1, dtype=pl.Int64),
            open_interest=pl.lit(None, dtype=pl.Int64),
        )
        for k, name in enumerate(NAMES)
    )
    months = {"H": 3, "M": 6, "U": 9, "Z": 12}
    listed = tuple(Contract(2012, months[name[2]], "XX") for name in NAMES)
    return ContractBars(frame.select(CONTRACT_COLUMNS), SeriesMeta("XX", "ours", "utc_day", "last_trade"), listed)


def adjusted(prices: dict[str, np.ndarray], noise: int, seed: int = 2, *, ranges: bool = True) -> DailySeries:
    """Back-adjusted over ROLLS; closes up to `noise` ticks beside ours, highs and lows the same trades on 4 of 5."""
    rng = np.random.default_rng(seed)
    held, added = np.zeros(SESSIONS, dtype=int), np.zeros(SESSIONS)
    for at, k in ROLLS:
        held[at:] = k
        added[:at] += prices["close"][k, at - 1] - prices["close"][k - 1, at - 1]
    at = np.arange(SESSIONS)
    off = rng.integers(0, 30, (2, SESSIONS)) * (rng.random((2, SESSIONS)) < 0.2)
    none = pl.lit(None, dtype=pl.Float64)
    frame = pl.DataFrame(
        {
            "session": [START + timedelta(days=i) for i in range(SESSIONS)],
            "close": prices["close"][held, at] + added + rng.integers(-noise, noise + 1, SESSIONS) * TICK,
            "high": prices["high"][held, at] + added - off[0] * TICK,
            "low": prices["low"][held, at] + added + off[1] * TICK,
        }
    ).with_columns(
        open=none,
        high=pl.col("high") if ranges else none,
        low=pl.col("low") if ranges else none,
        volume=pl.lit(None, dtype=pl.Int64),
        open_interest=pl.lit(None, dtype=pl.Int64),
        contract=pl.lit(None, dtype=pl.String),
        adjustment=pl.lit(0.0),
    )
    return DailySeries(frame.select(SERIES_COLUMNS), SeriesMeta("XX", "vendor", "exchange_session", "settlement"))


def gaps(found: RecoveredReference) -> list[float | None]:
    return [roll.gap for roll in found.rolls]


@pytest.mark.parametrize("seed", range(6))
def test_noisy_closes_give_back_contracts_and_gaps_by_highs_and_lows(seed: int) -> None:
    prices = market(seed)
    found = recover(bars(prices), Reference("v", adjusted(prices, 20, seed), None), tick=TICK)
    assert found.source == "fingerprint"
    assert found.methods["fingerprint"]["series"] == "adjusted highs and lows"
    assert [(roll.from_contract, roll.to_contract) for roll in found.rolls] == list(pairwise(NAMES))
    for roll, (at, k) in zip(found.rolls, ROLLS, strict=True):
        # A day on which neither high nor low is the same trade says nothing of its contract.
        assert abs((roll.roll_date - START).days - at) <= 2
        assert roll.gap == pytest.approx(prices["close"][k, at - 1] - prices["close"][k - 1, at - 1])
    assert not found.rolls_uncertain
    # What is reported of the closes is the closes' own distance, some ten ticks in the median.
    assert found.median_residual_ticks == pytest.approx(10, abs=3)


def test_closes_that_are_ours_are_read_themselves() -> None:
    prices = market()
    exact = adjusted(prices, 0)
    found = recover(bars(prices), Reference("v", exact, None), tick=TICK)
    assert found.methods["fingerprint"]["series"] == "adjusted"
    assert not found.rolls_uncertain
    # Highs and lows that contradict the closes change nothing then.
    shifted = exact.frame.with_columns(high=pl.col("high") + 3.0, low=pl.col("low") - 3.0)
    other = recover(bars(prices), Reference("v", DailySeries(shifted, exact.meta), None), tick=TICK)
    assert other.rolls == found.rolls


@pytest.mark.parametrize(("ours", "theirs"), [(False, True), (True, False), (False, False)])
def test_without_highs_and_lows_contracts_are_uncertain_and_the_certificate_says_so(ours: bool, theirs: bool) -> None:
    prices = market()
    reference = Reference("v", adjusted(prices, 6, ranges=theirs), None)
    found = recover(bars(prices, ranges=ours), reference, tick=TICK)
    assert found.rolls_uncertain
    assert "can be mistaken for each other" in found.notes[-1]
    finding = check_fingerprint(found)
    assert (finding.status, finding.code) == ("WATCH", "UNCERTAIN_ROLLS")


def test_settlement_files_that_repeat_the_close_have_no_ranges() -> None:
    prices = market()
    flat = adjusted(prices, 6)
    frame = flat.frame.with_columns(high=pl.col("close"), low=pl.col("close"))
    found = recover(bars(prices), Reference("v", DailySeries(frame, flat.meta), None), tick=TICK)
    assert found.methods["fingerprint"]["series"] == "adjusted"


def test_highs_and_lows_of_another_market_are_none_of_ours() -> None:
    found = recover(bars(market(1)), Reference("v", adjusted(market(9), 6), None), tick=TICK)
    assert found.methods["fingerprint"]["series"] == "adjusted"
    assert found.source is None
