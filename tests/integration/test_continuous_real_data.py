"""Continuous series of real contracts: one ES roll, and fifteen years of copper, corn, heating oil and soybeans."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import continuous_twin
import polars as pl
import pytest

from ctl import continuous
from ctl.model.bars import CONTRACT_COLUMNS, ContractBars, ContractTerms, SeriesMeta
from ctl.model.contracts import MONTH_CODES, Contract
from ctl.model.rolls import RollPolicy

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "contracts"
LEAN, BLOOMBERG = DATA / "lean_es_2013", DATA / "bloomberg_settles"
CYCLE = {
    "copper": ("HG", "HKNUZ"),
    "corn": ("C", "HKNUZ"),
    "heating_oil": ("HO", MONTH_CODES),
    "soybean": ("S", "FHKNX"),
}

needs_lean = pytest.mark.skipif(not LEAN.is_dir(), reason=f"real data not at {LEAN}")
needs_bloomberg = pytest.mark.skipif(not BLOOMBERG.is_dir(), reason=f"real data not at {BLOOMBERG}")


def lean_bars() -> ContractBars:
    """ESZ13 and ESH14; the evening bars dated on Sundays folded into Monday."""
    frames = []
    for stem, name in (("201312", "ESZ13"), ("201403", "ESH14")):
        bars = pl.read_csv(
            LEAN / f"es_trade_{stem}.csv",
            has_header=False,
            new_columns=["stamp", "open", "high", "low", "close", "volume"],
        )
        day = pl.col("stamp").str.slice(0, 8).str.to_date("%Y%m%d")
        sunday = pl.col("day").dt.weekday() == 7
        folded = (
            bars.with_columns(day=day)
            .with_columns(session=pl.when(sunday).then(pl.col("day").dt.offset_by("1d")).otherwise(pl.col("day")))
            .sort("day")
            .group_by("session", maintain_order=True)
            .agg(
                pl.col("open").first(),
                pl.col("high").max(),
                pl.col("low").min(),
                pl.col("close").last(),
                pl.col("volume").sum(),
            )
        )
        frames.append(
            folded.with_columns(
                pl.col("open", "high", "low", "close").cast(pl.Float64),
                contract=pl.lit(name),
                open_interest=pl.lit(None, dtype=pl.Int64),
            ).select(CONTRACT_COLUMNS)
        )
    return ContractBars(
        frame=pl.concat(frames),
        meta=SeriesMeta("ES", "lean", "exchange_session", "last_trade", "index points"),
        contracts=(Contract(2013, 12, "ES"), Contract(2014, 3, "ES")),
    )


def bloomberg_bars(stem: str) -> ContractBars:
    """Settlements per contract; the delivery year is the first with the file's digits that follows the last trade."""
    root, _ = CYCLE[stem]
    raw = pl.read_csv(BLOOMBERG / f"{stem}.csv", schema_overrides={"volume": pl.Float64, "oi": pl.Float64})
    symbol = re.compile(rf"^{root}\s*([{MONTH_CODES}])(\d+)(?: (\d\d))? Comdty$")
    contracts: dict[tuple[str, str], Contract] = {}
    terms: dict[str, ContractTerms] = {}
    for label, stated in raw.select("contract", "last_trade").unique().sort("last_trade").iter_rows():
        match = symbol.match(label)
        assert match is not None, label
        last_trade, month, digits = date.fromisoformat(stated), MONTH_CODES.index(match[1]) + 1, match[3] or match[2]
        year = next(
            y for y in range(last_trade.year, last_trade.year + 20)
            if str(y).endswith(digits) and 12 * y + month >= 12 * last_trade.year + last_trade.month
        )  # fmt: skip
        contracts[label, stated] = Contract(year, month, root)
        terms[contracts[label, stated].name] = ContractTerms(contracts[label, stated].name, last_trade=last_trade)
    key = pl.struct("contract", "last_trade").map_elements(
        lambda row: contracts[row["contract"], row["last_trade"]].expiry_key, return_dtype=pl.Int64
    )
    name = {contract.expiry_key: contract.name for contract in contracts.values()}
    frame = (
        raw.with_columns(key=key)
        .with_columns(
            contract=pl.col("key").replace_strict(name, return_dtype=pl.String),
            session=pl.col("date").str.to_date(),
            open=pl.lit(None, dtype=pl.Float64),
            high=pl.lit(None, dtype=pl.Float64),
            low=pl.lit(None, dtype=pl.Float64),
            close=pl.col("settle").cast(pl.Float64),
            volume=pl.col("volume").cast(pl.Int64),
            open_interest=pl.col("oi").cast(pl.Int64),
        )
        .sort("key", "session")
        .select(CONTRACT_COLUMNS)
    )
    return ContractBars(
        frame=frame,
        meta=SeriesMeta(root, "bloomberg", "exchange_session", "settlement"),
        contracts=tuple(sorted(set(contracts.values()))),
        terms=terms,
    )


def weekdays_before(day: date, count: int) -> date:
    for _ in range(count):
        day = continuous_twin.weekday_before(day)
    return day


@needs_lean
def test_the_december_2013_roll_of_es() -> None:
    series = continuous.build(lean_bars(), RollPolicy())
    (roll,) = series.rolls
    assert (roll.from_contract, roll.to_contract) == ("ESZ13", "ESH14")
    assert (roll.gap_session, roll.known_at, roll.roll_date) == (
        date(2013, 12, 16), date(2013, 12, 16), date(2013, 12, 17),
    )  # fmt: skip
    assert (roll.from_volume[0], roll.to_volume[0]) == (347_764, 868_208)
    assert (roll.from_close, roll.to_close, roll.gap) == (1785.25, 1779.0, -6.25)
    at_once = continuous.build(lean_bars(), RollPolicy(timing="same_session"))
    assert at_once.rolls[0].roll_date == date(2013, 12, 16)
    assert at_once.frame["close"].equals(series.frame["close"])


@needs_lean
def test_the_roll_is_not_known_a_session_earlier() -> None:
    bars = lean_bars()
    for last, pending in ((date(2013, 12, 13), None), (date(2013, 12, 16), date(2013, 12, 16))):
        frame = bars.frame.filter(pl.col("session") <= last)
        series = continuous.build(ContractBars(frame, bars.meta, bars.contracts), RollPolicy())
        assert series.rolls == ()
        assert (series.pending_roll.known_at if series.pending_roll else None) == pending


@needs_bloomberg
@pytest.mark.parametrize("stem", sorted(CYCLE))
@pytest.mark.parametrize("kind", ["volume", "open_interest", "calendar", "databento_v"])
def test_real_contracts_keep_the_invariants(stem: str, kind: str) -> None:
    _, months = CYCLE[stem]
    bars = bloomberg_bars(stem)
    policy = RollPolicy(kind=kind, eligible_months=months, offset=25 if kind == "calendar" else 0)  # type: ignore[arg-type]
    series = continuous.build(bars, policy)
    years = 2010 - int(str(bars.frame["session"].min())[:4])
    assert len(series.rolls) > years * 3
    assert [notice.code for notice in series.notices if notice.code not in ("THIN_CONTRACT", "TERMS_UNKNOWN")] == []
    assert ("weekdays" in series.warnings[0]) is (len(bars.terms) > 0)
    assert series.frame["open"].null_count() == series.frame.height

    close = {(n, d): c for n, d, c in bars.frame.select("contract", "session", "close").iter_rows()}
    rolls = {roll.roll_date: roll for roll in series.rolls}
    assert len(rolls) == len(series.rolls)
    for earlier, later in pairwise(series.frame.iter_rows(named=True)):
        change = later["close"] - earlier["close"]
        if earlier["contract"] == later["contract"]:
            own = later["close_unadjusted"] - earlier["close_unadjusted"]
        else:
            roll = rolls[later["session"]]
            assert (roll.from_contract, roll.to_contract) == (earlier["contract"], later["contract"])
            assert roll.concurrent
            old, new, gap = roll.from_contract, roll.to_contract, roll.gap_session
            own = close[old, gap] - close[old, earlier["session"]] + close[new, later["session"]] - close[new, gap]
        assert change == pytest.approx(own, abs=1e-9)
    last = series.frame.filter(pl.col("contract") == series.frame["contract"][-1])
    assert (last["close"] == last["close_unadjusted"]).all()


@needs_bloomberg
@pytest.mark.parametrize("stem", ["copper", "corn"])
def test_real_contracts_agree_with_the_slow_twin(stem: str) -> None:
    _, months = CYCLE[stem]
    bars = bloomberg_bars(stem)
    by_name = {contract.name: contract for contract in bars.contracts}
    told: dict[Contract, dict[date, dict[str, Any]]] = {contract: {} for contract in bars.contracts}
    for row in bars.frame.iter_rows(named=True):
        told[by_name[row["contract"]]][row["session"]] = row
    rule = continuous_twin.Rule(
        eligible={contract for contract in bars.contracts if contract.month_code in months},
        last_trade={by_name[name]: terms.last_trade for name, terms in bars.terms.items()},
        leave={by_name[name]: weekdays_before(terms.last_trade, 3) for name, terms in bars.terms.items()},
    )
    walk, pending = continuous_twin.Walk(told, rule).run()
    series = continuous.build(bars, RollPolicy(eligible_months=months))
    assert [(r.roll_date, r.gap_session, r.known_at, r.to_contract, r.gap, r.reason) for r in series.rolls] == [
        (r["date"], r["gap_session"], r["known"], r["new"].name, r["closes"][1] - r["closes"][0], r["reason"])
        for r in walk.rolls
    ]
    assert (pending is None) == (series.pending_roll is None)
    assert series.counts["skipped_sessions"] == walk.skipped
    assert series.counts["unconfirmed_crossovers"] == walk.unconfirmed
    assert series.frame["session"].to_list() == [day for day, _ in walk.rows]
