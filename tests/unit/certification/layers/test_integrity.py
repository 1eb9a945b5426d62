"""L1 on bars made wrong by hand, one defect at a time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from certify_market import TICK, Market

from ctl.certification.layers import integrity
from ctl.certification.window import read_our_side
from ctl.errors import InputError
from ctl.model.findings import NotRun
from ctl.model.reference import Reference

if TYPE_CHECKING:
    from ctl.model.bars import ContractBars
    from ctl.model.findings import Finding


@pytest.fixture(scope="module")
def market() -> Market:
    """Eight contracts over 504 sessions."""
    return Market(contracts=8)


def findings(market: Market, bars: ContractBars, **given: object) -> dict[str, Finding]:
    request = market.request(contracts=bars, **given)
    result = integrity.check(request, read_our_side(request), NotRun("no reference"), NotRun("no reference"))
    return {finding.check: finding for finding in result.findings}


def shipping(contracts: ContractBars | InputError) -> Reference:
    """A reference that ships contract bars alone."""
    return Reference("other", None, None, contracts=contracts)


def with_value(bars: ContractBars, row: int, **values: object) -> ContractBars:
    at = pl.int_range(pl.len()) == row
    frame = bars.frame.with_columns(
        pl.when(at).then(pl.lit(value)).otherwise(pl.col(name)).cast(bars.frame.schema[name]).alias(name)
        for name, value in values.items()
    )
    return dataclasses.replace(bars, frame=frame)


def test_clean_bars_pass_every_check_that_ran(market: Market) -> None:
    found = findings(market, market.bars())
    assert {check: finding.status for check, finding in found.items()} == {
        "bars": "PASS",
        "order": "PASS",
        "non_sessions": "PASS",
        "missing_sessions": "PASS",
        "contract_order": "PASS",
        "holes": "PASS",
        "volume_scale": "PASS",
        "day_basis": "PASS",
        "spikes": "PASS",
        "stale": "PASS",
        "raw_parity": "NOT_RUN",
    }


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"high": 1.0}, "high_low_order"),
        ({"low": 9e9}, "high_low_order"),
        ({"close": float("nan")}, "not_finite"),
        ({"close": float("inf")}, "not_finite"),
        ({"high": float("inf")}, "not_finite"),
        ({"open": None}, "partly_missing"),
        ({"volume": -1}, "negative_volume"),
    ],
)
def test_one_malformed_bar_fails_and_is_named(market: Market, values: dict[str, object], reason: str) -> None:
    finding = findings(market, with_value(market.bars(), 10, **values))["bars"]
    assert finding.status == "FAIL"
    assert finding.evidence[reason] == 1
    assert finding.evidence["first"] == [{"contract": "XXH05", "session": str(market.sessions[10])}]


def test_settlements_without_open_high_low_are_well_formed(market: Market) -> None:
    bars = market.bars()
    frame = bars.frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("open", "high", "low"))
    assert findings(market, dataclasses.replace(bars, frame=frame))["bars"].status == "PASS"


def test_repeated_session_fails(market: Market) -> None:
    bars = market.bars()
    finding = findings(market, with_value(bars, 11, session=bars.frame["session"][10]))["order"]
    assert (finding.status, finding.value) == ("FAIL", 1.0)


def test_bars_off_the_calendar_and_sessions_without_the_active_contract(market: Market) -> None:
    bars = market.bars()
    # The exchange was closed on session 20 (a bar of both listed contracts lies there); it was open on a
    # Saturday in between, on which nothing traded.
    saturday = market.sessions[4] + 1
    calendar = np.sort(np.append(np.delete(market.sessions, 20), saturday))
    found = findings(market, bars, calendar_sessions=calendar)
    assert (found["non_sessions"].status, found["non_sessions"].value) == ("WATCH", 2.0)
    assert (found["missing_sessions"].status, found["missing_sessions"].value) == ("WATCH", 1.0)
    assert found["missing_sessions"].evidence["missing"] == [str(saturday)]
    assert found["missing_sessions"].evidence["per_contract"] == {"XXH05": 1}
    assert findings(market, bars, calendar_sessions=None)["non_sessions"].status == "NOT_RUN"


def test_utc_days_and_sunday_bars_are_told(market: Market) -> None:
    bars = market.bars()
    utc = dataclasses.replace(bars, meta=dataclasses.replace(bars.meta, session_basis="utc_day"))
    assert findings(market, utc)["day_basis"].code == "UTC_DAY_BARS"
    sunday = with_value(bars, 4, session=(market.sessions[4] + 2).astype(object))
    finding = findings(market, sunday)["day_basis"]
    assert (finding.code, finding.evidence["sunday_bars"]) == ("UTC_DAY_BARS", 1)


def spiky(closes: list[float]) -> np.ndarray:
    first = np.zeros(len(closes), dtype=np.bool_)
    first[0] = True
    return integrity._spikes(np.array(closes), first, 0.25)


def test_a_jump_that_comes_back_is_a_spike() -> None:
    # Changes of +1 and -1 by turns: median -1 or 1 or 0, deviation about 1; a jump of 30 is beyond ten of them.
    calm = [100.0 + (n % 2) for n in range(70)]
    assert spiky([*calm, 130.0, 100.0, 101.0]).tolist() == [70]
    # It must come back on the next session, by at least half and at most once and a half.
    assert spiky([*calm, 130.0, 129.0, 100.0]).size == 0
    assert spiky([*calm, 130.0, 116.0, 116.0]).size == 0
    assert spiky([*calm, 130.0, 60.0, 60.0]).size == 0
    # Below ten deviations it is none; beyond ten ticks alone it is none either.
    assert spiky([*calm, 109.0, 100.0, 101.0]).size == 0
    # Too little history says nothing.
    assert spiky([*calm[:20], 130.0, 100.0, 101.0]).size == 0


def test_a_spike_of_a_flat_contract_needs_ten_ticks() -> None:
    flat = [100.0] * 70
    assert spiky([*flat, 102.5, 100.0]).size == 0
    assert spiky([*flat, 102.75, 100.0]).tolist() == [70]


def test_a_steady_trend_is_no_spike() -> None:
    trend = [100.0 + 2.0 * n for n in range(70)]
    # A jump of 19 against a median change of 2: less than ten ordinary days.
    assert spiky([*trend, 257.0, 240.0, 242.0]).size == 0
    assert spiky([*trend, 258.5, 240.0, 242.0]).tolist() == [70]


def test_stale_runs_count_on_the_active_contract_only(market: Market) -> None:
    bars = market.bars()
    stale = bars
    for row in range(10, 15):
        stale = with_value(stale, row, close=3000.0, high=3000.25, low=2999.75, open=3000.0, volume=0)
    finding = findings(market, stale)["stale"]
    assert (finding.status, finding.value, finding.evidence["longest"]) == ("FAIL", 1.0, 5)
    assert finding.evidence["first"] == [{"contract": "XXH05", "session": str(market.sessions[10])}]
    # Four in a row are no run.
    four = with_value(stale, 12, close=3001.0, high=3001.25, low=3000.75, open=3001.0)
    assert findings(market, four)["stale"].status == "PASS"
    # The second contract becomes active only after session 55: its first bars may well be stale.
    start = bars.frame["contract"].to_list().index("XXM05")
    idle = bars
    for row in range(start, start + 6):
        idle = with_value(idle, row, close=3000.0, high=3000.25, low=2999.75, open=3000.0, volume=0)
    assert findings(market, idle)["stale"].status == "PASS"


def test_raw_parity_with_the_references_contracts(market: Market) -> None:
    bars = market.bars()
    rows = bars.frame.height
    off = bars
    for row in range(20):
        off = with_value(off, row, close=float(bars.frame["close"][row]) + 1.5 * TICK)
    finding = findings(market, bars, reference=shipping(off))["raw_parity"]
    assert finding.evidence["shared"] == rows
    assert finding.value == pytest.approx(1.0 - 20 / rows)
    assert (finding.status, finding.code) == ("WATCH", "RAW_PARITY")
    # One tick apart and 0.5 % of volume apart is still parity.
    near = with_value(bars, 0, close=float(bars.frame["close"][0]) + TICK, volume=995)
    assert findings(market, bars, reference=shipping(near))["raw_parity"].value == 1.0
    beyond = with_value(bars, 0, volume=994)
    assert findings(market, bars, reference=shipping(beyond))["raw_parity"].value == pytest.approx(1.0 - 1 / rows)


@pytest.mark.parametrize(("code", "status"), [("INPUT_MISSING", "NOT_RUN"), ("INPUT_UNREADABLE", "ERROR")])
def test_contract_bars_of_the_reference_that_cannot_be_read_are_said(market: Market, code: str, status: str) -> None:
    broken = InputError("row 3: damaged", where="TS.csv", code=code)
    finding = findings(market, market.bars(), reference=shipping(broken))["raw_parity"]
    assert (finding.status, finding.code, finding.text) == (status, code, "TS.csv: row 3: damaged")
