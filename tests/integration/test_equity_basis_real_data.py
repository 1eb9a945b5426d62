"""Apple at two vendors, each with raw and adjusted columns of its own: conversion and recognition against them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ctl import equity_basis
from ctl.model.actions import CorporateAction, CorporateActions
from ctl.model.bars import AdjustmentBasis, DailySeries, SeriesMeta

DATA = Path(__file__).resolve().parents[2] / "../shared/data/equities"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="real data is not beside the checkout")


def vendor(name: str) -> tuple[DailySeries, DailySeries, CorporateActions]:
    """(raw, as the vendor adjusted it, actions) of one vendor's file."""
    if name == "wiki":
        frame = pl.read_csv(DATA / "WIKI-AAPL.csv", try_parse_dates=True).rename(str.lower)
        adjusted = {field: f"adj. {field}" for field in ("open", "high", "low", "close", "volume")}
        split, paid = "split ratio", "ex-dividend"
    else:
        frame = pl.read_csv(DATA / "AAPL_tiingo.csv", infer_schema_length=None).with_columns(
            pl.col("date").str.to_date("%d/%m/%Y")
        )
        adjusted = {field: f"adj{field.title()}" for field in ("open", "high", "low", "close", "volume")}
        split, paid = "splitFactor", "divCash"
    frame = frame.sort("date")
    events = frame.filter((pl.col(split) != 1) | (pl.col(paid) != 0))
    actions = CorporateActions(tuple(CorporateAction(*row) for row in events.select("date", split, paid).iter_rows()))
    return series(frame, {field: field for field in adjusted}, "raw"), series(frame, adjusted, None), actions


def series(frame: pl.DataFrame, columns: dict[str, str], basis: AdjustmentBasis | None) -> DailySeries:
    fields = [pl.col(column).cast(pl.Float64).alias(field) for field, column in columns.items() if field != "volume"]
    volume = pl.col(columns["volume"]).cast(pl.Float64).round().cast(pl.Int64).alias("volume")
    rest = {"open_interest": pl.lit(None, pl.Int64), "contract": pl.lit(None, pl.String), "adjustment": pl.lit(0.0)}
    made = frame.select(pl.col("date").alias("session"), *fields, volume).with_columns(**rest)
    return DailySeries(made, SeriesMeta("AAPL", "v", "exchange_session", "settlement", adjustment_basis=basis))


@pytest.mark.parametrize(("name", "within"), [("wiki", 1e-12), ("tiingo", 1e-6)])
def test_our_total_return_is_the_vendors(name: str, within: float) -> None:
    raw, adjusted, actions = vendor(name)
    ours = equity_basis.convert(raw, "total_return", actions)
    for field in ("open", "high", "low", "close"):
        apart = np.abs(ours.frame[field].to_numpy() / adjusted.frame[field].to_numpy() - 1.0)
        assert apart.max() < within
    volume = np.abs(ours.frame["volume"].to_numpy() - adjusted.frame["volume"].to_numpy())
    assert volume.max() <= 1


@pytest.mark.parametrize("name", ["wiki", "tiingo"])
def test_the_vendors_basis_and_formula_are_told(name: str) -> None:
    raw, adjusted, actions = vendor(name)
    found = equity_basis.align(raw, adjusted, actions, declared="total_return")
    assert (found.canonical_basis, found.reference_basis, found.formula) == ("raw", "total_return", "ex_close")
    assert found.notes == ()
    assert max(abs(event.residual or 0.0) for event in found.pair.events) < 1e-6


@pytest.mark.parametrize("name", ["wiki", "tiingo"])
def test_one_column_alone_tells_its_splits_and_that_dividends_are_hidden(name: str) -> None:
    raw, adjusted, actions = vendor(name)
    assert equity_basis.infer(replace(raw, meta=replace(raw.meta, adjustment_basis=None)), actions).basis == "raw"
    found = equity_basis.infer(adjusted, actions)
    assert (found.basis, found.split_degree, found.dividend_degree) == (None, 1, None)


def test_two_vendors_agree_on_their_common_years() -> None:
    wiki, _, actions = vendor("wiki")
    _, tiingo, _ = vendor("tiingo")
    found = equity_basis.align(wiki, tiingo, actions, declared="total_return")
    assert found.reference_basis == "total_return"
    both = found.canonical.frame.join(tiingo.frame, on="session", suffix="_other")
    ratio = (both["close"] / both["close_other"]).to_numpy()
    # Tiingo's file goes on after WIKI ends, and carries the dividends paid since: one constant.
    assert np.abs(ratio / np.median(ratio) - 1.0).mean() < 1e-4


@pytest.mark.parametrize("name", ["wiki", "tiingo"])
def test_the_vendors_splits_are_the_jumps_of_raw_prices_and_adjusted_ones_have_none(name: str) -> None:
    """Apple fell by half on 2000-09-29 as well: no split, and told apart by its volume."""
    raw, adjusted, actions = vendor(name)
    known = [action.ex_date for action in actions.events if action.split_ratio != 1.0]
    known = [day for day in known if day > raw.frame["session"][0]]
    assert [jump.session for jump in equity_basis.split_jumps(raw)] == known
    assert list(equity_basis.split_jumps(adjusted)) == []
    assert equity_basis.traded(raw, actions).frame["close"].to_numpy() == pytest.approx(
        equity_basis.convert(raw, "split_adjusted", actions).frame["close"].to_numpy()
    )


def test_a_fund_without_splits_has_no_jumps() -> None:
    frame = pl.read_csv(DATA / "XLE_yahoo_1999_2017.csv", try_parse_dates=True, infer_schema_length=None).rename(
        str.lower
    )
    found = series(frame, {field: field for field in ("open", "high", "low", "close", "volume")}, None)
    assert list(equity_basis.split_jumps(found)) == []
