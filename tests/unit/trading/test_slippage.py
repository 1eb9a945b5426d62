"""Slippage from fills and from bars: figures by hand, published tables, and markets whose spread is known."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ctl.errors import InputError
from ctl.flows.slippage import Day, read_fills
from ctl.trading.slippage import Fill, from_bars, from_fills, ticks_up


def fills(costs: list[float], *, quantity: float = 1.0) -> list[Fill]:
    """Buys and sells in turn that cost what is asked."""
    return [
        Fill(date(2025, 1, 6) + timedelta(days=n), "buy" if n % 2 == 0 else "sell", quantity,
             100.0 + (cost if n % 2 == 0 else -cost), 100.0)
        for n, cost in enumerate(costs)
    ]  # fmt: skip


def test_fills_cost_what_they_cost_on_either_side():
    found = from_fills(fills([0.25, 0.5] * 6), tick=0.25)
    assert found.per_side == pytest.approx(0.375)
    assert found.parts["buys"].value == pytest.approx(0.25)
    assert found.parts["sells"].value == pytest.approx(0.5)
    assert (found.proposed_ticks, found.proposed) == (2, 0.5)
    assert found.low < 0.375 < found.high


def named(costs: list[float], order_type: str | None, **more: object) -> list[Fill]:
    return [replace(fill, order_type=order_type) for fill in fills(costs, **more)]


def test_few_fills_propose_nothing_and_good_fills_propose_zero():
    few = from_fills(fills([0.25] * 9), tick=0.25)
    assert few.proposed is None
    assert "9 market and stop fills in 9 sessions are too few" in few.notes[0]
    one_day = from_fills([replace(fill, session=date(2025, 1, 6)) for fill in fills([0.25] * 12)], tick=0.25)
    assert (one_day.per_side, one_day.low, one_day.proposed) == (0.25, None, None)
    good = from_fills(named([-0.25] * 10, "market"), tick=0.25, locked=0.5)
    assert good.proposed == 0.0
    assert "better than their references" in good.notes[0]


def test_limit_fills_are_told_apart():
    # Twelve market orders cost 0.50; nine targets were sold 10 above the open.
    found = from_fills(named([0.5] * 6, "market") + named([0.5] * 6, "stop") + named([-10.0] * 9, "limit"), tick=0.25)
    assert (found.per_side, found.proposed_ticks) == (0.5, 2)
    assert (found.parts["fills"].count, found.parts["limits"].count) == (12, 9)
    assert "9 limit fills set apart" in found.notes[0]
    assert from_fills(named([-1.0] * 12, "limit"), tick=0.25).per_side is None


def test_limit_fills_are_told_by_price_and_side_where_the_blotter_does_not_say():
    found = from_fills(named([0.5] * 12, None) + named([-10.0] * 9, None), tick=0.25, locked=0.75)
    assert (found.per_side, found.parts["limits"].count) == (0.5, 9)
    assert "9 of them told by price and side" in found.notes[0]
    assert (found.proposed, found.proposed_ticks) == (0.75, 3)  # a guess lowers nothing
    # An improvement no larger than what others paid is no sign of a limit, but it is told.
    unsure = from_fills(named([0.5] * 12, None) + named([-0.25] * 2, None), tick=0.25, locked=0.75)
    assert unsure.per_side == pytest.approx((12 * 0.5 - 2 * 0.25) / 14)
    assert unsure.proposed == 0.75
    assert any("order_type" in note for note in unsure.notes)


def test_larger_fills_weigh_more():
    mixed = fills([0.0] * 10) + fills([1.0] * 10, quantity=3.0)
    assert from_fills(mixed, tick=0.25).per_side == pytest.approx(0.75)


@pytest.mark.parametrize(("value", "ticks"), [(0.0, 0), (-3.0, 0), (0.25, 1), (0.2500001, 2), (0.75, 3), (0.1, 1)])
def test_proposals_are_whole_ticks_rounded_up(value: float, ticks: int):
    assert ticks_up(value, 0.25) == ticks


def bars(
    months: int, spread: float, *, seed: int = 1, volume: float | None = 10_000.0, daily: float = 0.01
) -> pl.DataFrame:
    """Daily bars of a market quoted `spread` wide around a driftless walk of 390 trades a session, by simulation."""
    draw = np.random.default_rng(seed)
    count = months * 21
    steps = draw.normal(0.0, daily / math.sqrt(390), (count, 390))
    middle = 1000.0 * np.exp(np.cumsum(steps.ravel()).reshape(count, 390))
    traded = middle * (1.0 + spread / 2.0 * draw.choice([-1.0, 1.0], (count, 390)))
    days = [date(2020 + m // 12, m % 12 + 1, d) for m in range(months) for d in range(1, 22)]
    return pl.DataFrame(
        {
            "session": days,
            "high": traded.max(axis=1),
            "low": traded.min(axis=1),
            "close": traded[:, -1],
            "volume": [volume] * count,
            "adjustment": 0.0,
        },
        schema_overrides={"volume": pl.Float64},
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_wide_spread_is_found_within_its_interval(seed: int):
    frame = bars(36, 0.02, seed=seed)
    half = from_bars(frame, tick=0.01, lots=1).parts["half_spread"]
    true = 0.01 * float(frame["close"].tail(20).mean())
    assert half.low <= true <= half.high
    assert half.value == pytest.approx(true, rel=0.1)
    assert half.count == 36


def test_no_spread_is_not_told_from_none():
    found = from_bars(bars(36, 0.0), tick=0.5, lots=1)
    assert found.parts["half_spread"].low == 0.0
    assert "cannot tell the spread from none" in found.notes[0]
    assert found.per_side == pytest.approx(0.25 + found.parts["impact"].value)
    assert found.low == pytest.approx(0.25 + found.parts["impact"].low)


def test_impact_by_hand():
    # Every session from 110 down to 100 and back: ln(1.1)^2/(4 ln 2) is the variance; 4 of 100 lots: times 0.2.
    days = [date(2020 + m // 12, m % 12 + 1, d) for m in range(12) for d in range(1, 22)]
    flat = {"high": 110.0, "low": 100.0, "close": 105.0, "volume": 100.0, "adjustment": 0.0}
    frame = pl.DataFrame({"session": days}).with_columns(**{name: pl.lit(value) for name, value in flat.items()})
    found = from_bars(frame, tick=0.5, lots=4, closes="settlement")
    expected = math.log(1.1) / math.sqrt(4 * math.log(2)) * 0.2 * 105.0
    assert found.parts["impact"].value == pytest.approx(expected)
    assert found.parts["impact"].standard_error == pytest.approx(0.0, abs=1e-12)
    assert found.per_side == pytest.approx(0.25 + expected)
    assert "settlements" in found.notes[0]
    assert "half_spread" not in found.parts


def test_where_bars_cannot_tell_the_spread_nothing_below_the_locked_value_is_proposed():
    blind = from_bars(bars(36, 0.0), tick=0.5, lots=1, locked=40.0)
    assert (blind.proposed, blind.proposed_ticks) == (40.0, 80)
    assert "nothing below the locked value" in blind.notes[-1]
    seen = from_bars(bars(36, 0.02), tick=0.5, lots=1, locked=400.0)
    assert seen.proposed < 40.0


def test_a_roll_does_not_make_a_spread():
    frame = bars(36, 0.02)
    shifted = frame.with_columns(
        adjustment=pl.when(pl.col("session") < date(2021, 6, 10)).then(500.0).otherwise(0.0)
    ).with_columns(pl.col("high", "low", "close") + pl.col("adjustment"))
    plain, rolled = (from_bars(item, tick=0.01, lots=1).parts["half_spread"].value for item in (frame, shifted))
    assert rolled == pytest.approx(plain, rel=0.02)  # one pair of sessions less


def test_thin_evidence_proposes_nothing():
    found = from_bars(bars(11, 0.02), tick=0.01, lots=1)
    assert (found.per_side, found.proposed) == (None, None)
    assert "11 usable months" in found.notes[0]
    assert from_bars(bars(1, 0.02).clear(), tick=0.01, lots=1).proposed is None
    unknown = from_bars(bars(12, 0.02, volume=None), tick=0.01, lots=1)
    assert "impact" not in unknown.parts
    assert "left out" in unknown.notes[-1]


HEADER = "session,symbol,side,quantity,price,reference"


def test_a_file_of_fills_is_read_by_symbol(tmp_path: Path):
    path = tmp_path / "fills.csv"
    path.write_text(
        "\ufeff" + HEADER + ",note,type,contract\n2025-01-06,ES,buy,2,100.25,100,x,MKT,ESH25\n\n"
        "2025-01-07,CL,sell,1,70,,y,,\n"
    )
    found = read_fills(path, known=("ES", "CL"))
    bar = Day("ESH25", 99.0, 101.0, 98.0)
    assert found["ES"][0].fill(bar) == Fill(date(2025, 1, 6), "buy", 2.0, 100.25, 100.0, "market")
    assert found["ES"][0].contract == "ESH25"
    row = found["CL"][0]
    assert (row.reference, row.order_type, row.contract) == (None, None, None)
    assert row.fill(Day("CLG25", 70.5, 71.0, 69.0)).cost == 0.5
    with pytest.raises(InputError, match=r"fills.csv:4: no reference price.*no open of CLG25 on 2025-01-07"):
        row.fill(Day("CLG25", None, None, None))


@pytest.mark.parametrize(("low", "high", "fits"), [(69.0, 71.0, True), (70.0, 70.0, True), (70.01, 71.0, False),
                                                   (68.0, 69.99, False)])  # fmt: skip
def test_a_fill_outside_its_sessions_range_is_refused(tmp_path: Path, low: float, high: float, fits: bool):
    path = tmp_path / "fills.csv"
    path.write_text(HEADER + "\n2025-01-07,CL,sell,1,70,70\n")
    (row,) = read_fills(path, known=("CL",))["CL"]
    if fits:
        assert row.fill(Day("CLG25", 70.0, high, low)).cost == 0.0
        return
    with pytest.raises(InputError, match="CLG25's range on 2025-01-07") as refused:
        row.fill(Day("CLG25", 70.0, high, low))
    assert refused.value.code == "FILL_OUTSIDE_RANGE"


def test_a_fill_of_no_session_is_refused(tmp_path: Path):
    path = tmp_path / "fills.csv"
    path.write_text(HEADER + "\n2025-01-04,CL,sell,1,70,70\n")
    (row,) = read_fills(path, known=("CL",))["CL"]
    with pytest.raises(InputError) as refused:
        row.fill(None)
    assert refused.value.code == "FILL_WITHOUT_BAR"


def test_a_fifo_is_refused_at_once(tmp_path: Path):
    path = tmp_path / "fills.csv"
    os.mkfifo(path)
    with pytest.raises(InputError, match="FIFO"):
        read_fills(path, known=("CL",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has not the columns"),
        ("session,symbol,side,price\n", "expected session,symbol,side,quantity,price"),
        (HEADER + "\n", "holds no fills"),
        (HEADER + "\n2025-01-06,NQ,buy,1,1,1\n", r"fills.csv:2: unknown symbol; found 'NQ'; expected ES"),
        (HEADER + "\n2025-01-06,ES,long,1,1,1\n", "unknown side"),
        (HEADER + "\n06.01.2025,ES,buy,1,1,1\n", "session is no date"),
        (HEADER + "\n2025-01-06,ES,buy,0,1,1\n", "quantity cannot be used"),
        (HEADER + "\n2025-01-06,ES,buy,1,nan,1\n", "price cannot be used"),
        (HEADER + "\n2025-01-06,ES,buy,1,1,x\n", "reference is no number"),
        (HEADER + ",order_type\n2025-01-06,ES,buy,1,1,1,iceberg\n", "unknown order_type.*market, mkt"),
        (HEADER + "\n2025-01-06,ES,buy,1,1\n", "one cell per column"),
        (HEADER + '\n2025-01-06,"ES,buy,1,1,1\n', "no CSV file|one cell per column"),
    ],
)
def test_a_bad_file_of_fills_is_one_clear_error(tmp_path: Path, text: str, said: str):
    path = tmp_path / "fills.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_fills(path, known=("ES",))


def test_text_that_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "fills.csv"
    path.write_bytes(HEADER.encode("utf-16"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_fills(path, known=("ES",))
