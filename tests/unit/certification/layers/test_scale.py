"""Contract order, volume scale and holes, by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.certification.contract_bars import ContractBarArrays
from ctl.certification.contract_closes import ContractCloses
from ctl.certification.layers import scale
from ctl.model.bars import ContractBars, SeriesMeta
from ctl.model.contracts import Contract

MONTHS = (3, 6, 9, 12)


def bars(
    volume: float = 1000.0, *, years: int = 4, change=lambda frame: frame
) -> tuple[tuple[Contract, ...], ContractBarArrays]:
    """Quarterly contracts of 200 weekdays that end on the 15th of their month."""
    contracts = tuple(Contract(2015 + y, m, "AA") for y in range(years) for m in MONTHS)
    frames = []
    for contract in contracts:
        end = np.datetime64(f"{contract.year}-{contract.month:02d}-15")
        days = np.arange(end - 300, end + 1)
        days = days[np.is_busday(days)][-200:]
        frames.append(pl.DataFrame({"session": days, "contract": contract.name, "close": 50.0, "volume": volume}))
    frame = change(pl.concat(frames)).with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("open", "high", "low")),
        pl.col("volume").cast(pl.Int64), open_interest=pl.lit(None, dtype=pl.Int64),
    )  # fmt: skip
    columns = ("session", "contract", "open", "high", "low", "close", "volume", "open_interest")
    meta = SeriesMeta("AA", "own", "exchange_session", "settlement")
    return contracts, ContractBarArrays(ContractBars(frame.select(columns), meta, contracts))


def times(where: pl.Expr, factor: float):
    """A change of the frame: volumes times a factor."""
    volume = pl.when(where).then(pl.col("volume") * factor).otherwise(pl.col("volume"))
    return lambda frame: frame.with_columns(volume=volume)


def swapped(a: str, b: str):
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        names = pl.col("contract").replace({a: b, b: a})
        order = {Contract(2015 + y, m, "AA").name: 4 * y + n for y in range(9) for n, m in enumerate(MONTHS)}
        return frame.with_columns(names).sort(pl.col("contract").replace_strict(order), "session")

    return change


def test_ordered_contracts_are_silent() -> None:
    contracts, made = bars()
    assert scale.check_order(contracts, made).status == "PASS"


@pytest.mark.parametrize(("a", "b"), [("AAH16", "AAM16"), ("AAU15", "AAH16")])
def test_swapped_labels_are_out_of_order(a: str, b: str) -> None:
    contracts, made = bars(change=swapped(a, b))
    finding = scale.check_order(contracts, made)
    assert finding.code == "CONTRACT_ORDER"
    assert a in {row["contract"] for row in finding.evidence["contracts"]}


def test_the_month_after_delivery_is_allowed() -> None:
    contracts = (Contract(2015, 3, "AA"), Contract(2015, 6, "AA"))
    end = np.array(["2015-04-30", "2015-06-15"], dtype="datetime64[D]").astype(np.int64)
    assert scale.out_of_order(contracts, end, int(end[1]) + 100) == []
    assert [k for k, _ in scale.out_of_order(contracts, end + np.array([1, 0]), int(end[1]) + 100)] == [0]


def test_a_thin_successor_that_stopped_trading_proves_nothing() -> None:
    contracts = (Contract(2015, 3, "AA"), Contract(2015, 12, "AA"))
    end = np.array(["2015-03-15", "2015-02-01"], dtype="datetime64[D]").astype(np.int64)
    assert scale.out_of_order(contracts, end, int(end[0]) + 400) == []


@pytest.mark.parametrize(("factor", "named"), [(29.0, False), (30.0, True), (1000.0, True)])
def test_a_contracts_volume_is_compared_with_its_neighbours(factor: float, named: bool) -> None:
    contracts, made = bars(change=times(pl.col("contract") == "AAH16", factor))
    found = scale.volume_contracts(contracts, made)
    assert [contracts[k].name for k, _ in found] == (["AAH16"] if named else [])
    if named:
        assert found[0][1] == pytest.approx(factor)


def test_a_first_contract_of_which_only_the_busy_end_is_there_has_no_scale() -> None:
    contracts, whole = bars()
    end = whole.day[np.flatnonzero(whole.first_of_contract)[1] - 1]
    begin = np.datetime64(int(end) - 60, "D")
    busy = times(pl.col("contract") == contracts[0].name, 1000.0)
    contracts, made = bars(change=lambda f: busy(f).filter(pl.col("session") >= pl.lit(begin)))
    assert scale.volume_contracts(contracts, made) == []


def test_a_month_that_is_thin_every_year_is_no_scale() -> None:
    contracts, made = bars(change=lambda f: f.with_columns(
        volume=pl.when(pl.col("contract").str.contains("U")).then(5.0).otherwise(pl.col("volume"))))  # fmt: skip
    assert scale.volume_contracts(contracts, made) == []


@pytest.mark.parametrize(("factor", "steps"), [(19.0, 0), (100.0, 1), (0.01, 1)])
def test_the_roots_volume_steps_on_a_day(factor: float, steps: int) -> None:
    day = np.datetime64("2017-02-01")
    _, made = bars(change=times(pl.col("session") >= pl.lit(day), factor))
    found = scale.volume_steps(made)
    assert len(found) == steps
    if steps:
        assert abs(found[0][0] - day.astype(int)) <= 3
        assert scale.power_words(found[0][1]).startswith("about 100 times")


def test_nulls_are_no_volume() -> None:
    _, made = bars(change=lambda f: f.with_columns(
        volume=pl.when(pl.col("session") < pl.date(2016, 1, 1)).then(None).otherwise(pl.col("volume"))))  # fmt: skip
    assert scale.volume_steps(made) == []


def test_holes_count_sessions() -> None:
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2021-01-01"))
    days = days[np.is_busday(days)]
    assert scale.holes(np.delete(days, range(100, 120))) == []
    ((before, after, sessions),) = scale.holes(np.delete(days, range(100, 121)))
    assert (before, after, sessions) == (days[99], days[121], 21)
    assert scale.holes(np.delete(days, range(100, 121)), np.delete(days, 110)) == []
    assert scale.check_holes(days, np.delete(days, range(100, 121))).code == "DATA_HOLE"


def test_what_the_builder_made_of_a_hole_is_told_in_place_of_it() -> None:
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2021-01-01"))
    days = days[np.is_busday(days)]
    torn = np.delete(days, range(100, 121))
    told = scale.check_holes(torn, torn, built=("the series begins on 2020-06-18",))
    assert told.text.split("; ")[0] == "the series begins on 2020-06-18"
    assert [side in told.text for side in ("our contracts", "the reference")] == [False, True]
    assert scale.check_holes(days, days, built=("a hole",)).status == "WATCH"


def closes_of(prices: np.ndarray) -> ContractCloses:
    """Contracts (K, T) over the same weekdays."""
    count, sessions = prices.shape
    names = tuple(f"ZZ{'HMUZ'[k % 4]}{20 + k // 4}" for k in range(count))
    days = np.tile(np.arange(18_000, 18_000 + sessions), count)
    return ContractCloses.from_arrays(names, days, np.repeat(np.arange(count), sessions), prices.ravel())


@pytest.mark.parametrize(("place", "named"), [(2, [2]), (0, []), (5, []), (None, [])])
def test_a_contract_with_the_prices_of_another_instrument(place: int | None, named: list[int]) -> None:
    draw = np.random.default_rng(3)
    common = np.cumsum(draw.normal(0.0, 1.0, 200))
    prices = 100.0 + common + np.cumsum(draw.normal(0.0, 0.1, (6, 200)), axis=1)
    if place is not None:
        prices[place] = 100.0 + np.cumsum(draw.normal(0.0, 1.0, 200))
    assert [k for k, _ in scale.foreign_contracts(closes_of(prices))] == named


def test_a_misprint_makes_no_contract_foreign() -> None:
    draw = np.random.default_rng(3)
    prices = 100.0 + np.cumsum(draw.normal(0.0, 1.0, 200)) + np.cumsum(draw.normal(0.0, 0.1, (6, 200)), axis=1)
    prices[2, 90] += 40.0
    closes = closes_of(prices)
    beside = scale._neighbours(closes.first, closes.last, closes.start, closes.flat, 60)
    assert beside[1:3].max() < scale.ALONE_CORRELATION
    assert scale.foreign_contracts(closes) == []


def test_neighbours_correlate_as_numpy_says() -> None:
    prices = 100.0 + np.cumsum(np.random.default_rng(4).normal(0.0, 1.0, (3, 90)), axis=1)
    prices[1, 40] = np.nan
    closes = closes_of(prices)
    found = scale._neighbours(closes.first, closes.last, closes.start, closes.flat, 60)
    change = np.diff(prices, axis=1)
    for k in range(2):
        known = np.isfinite(change[k]) & np.isfinite(change[k + 1])
        assert found[k] == pytest.approx(np.corrcoef(change[k][known], change[k + 1][known])[0, 1], abs=1e-12)
    assert np.isnan(scale._neighbours(closes.first, closes.last, closes.start, closes.flat, 90)).all()


@settings(max_examples=60)
@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=30))
def test_neighbours_read_no_close_beyond_the_arrays(bars: set[tuple[int, int]]) -> None:
    """As plain Python, which refuses an index beyond an array: gaps, no overlap, one session, none."""
    rows = np.array(sorted(bars), dtype=np.int64).reshape(-1, 2)
    names = tuple(f"ZZH{20 + k}" for k in range(5))
    closes = ContractCloses.from_arrays(names, 18_000 + rows[:, 1], rows[:, 0], 100.0 + np.arange(len(rows)) % 3)
    plain = getattr(scale._neighbours, "py_func", scale._neighbours)
    arrays = (closes.first, closes.last, closes.start, closes.flat, 2)
    np.testing.assert_allclose(plain(*arrays), scale._neighbours(*arrays), rtol=1e-9, equal_nan=True)
