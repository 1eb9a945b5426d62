"""`--table` and `--html`: what other programs read of a backtest and a certificate."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ctl.reports import tables
from ctl.reports.tables import Priced

Command = Callable[..., Any]


@pytest.fixture
def series(filled_workspace: Path) -> Path:
    return next((filled_workspace / "data/raw/tradestation").glob("TS_ES_CUSTOM_ADJ_*"))


def test_prices_stand_on_the_tick_and_dates_are_dates(ctl: Command, series: Path, tmp_path: Path):
    path = tmp_path / "trades.parquet"
    ran = ctl(
        "backtest", series, "--tick", "0.25", "--slippage", "0.25", "--table", path, "--html", tmp_path / "b.html"
    )
    assert ran.code == 0
    frame = pl.read_parquet(path)
    assert frame.height >= 5
    assert frame.schema["entry_session"] == pl.Date
    for name in ("entry_price", "stop_price", "tp1", "tp2"):
        quarters = frame[name] * 4
        assert (quarters - quarters.round()).abs().max() < 1e-6
    page = (tmp_path / "b.html").read_text()
    assert "R by year and month" in page
    assert "trades on candles" in page


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".xlsx"])
def test_a_certificate_gives_all_its_tables(ctl: Command, workspace: Path, tmp_path: Path, ending: str):
    if ending == ".xlsx":
        pytest.importorskip("xlsxwriter", reason="the extra `excel` is not installed")
    path = tmp_path / f"cl{ending}"
    assert ctl("certify", "CL", "-w", workspace, "--table", path, "--html", tmp_path / "cl.html").code == 0
    names = ["checks", "L2_roll_schedule", "L3_roll_gaps", "L4_drift", "L5_trades"]
    if ending == ".xlsx":
        with zipfile.ZipFile(path) as book:
            assert sum(name.startswith("xl/worksheets/sheet") for name in book.namelist()) == len(names)
            assert all(f'name="{name}"' in book.read("xl/workbook.xml").decode() for name in names)
    else:
        assert sorted(found.name for found in tmp_path.glob(f"*{ending}")) == sorted(
            f"cl_{name}{ending}" for name in names
        )
    assert "CL: drift" in (tmp_path / "cl.html").read_text()


def test_orders_are_a_table_too(ctl: Command, workspace: Path, tmp_path: Path):
    path = tmp_path / "orders.csv"
    assert ctl("orders", "-w", workspace, "--table", path).code == 0
    assert pl.read_csv(path).columns[:4] == ["session", "as_of", "symbol", "contract"]


@pytest.mark.parametrize("name", ["trades.txt", "trades", "trades.xls"])
def test_another_ending_is_refused_before_anything_is_read(ctl: Command, series: Path, tmp_path: Path, name: str):
    ran = ctl("backtest", series, "--table", tmp_path / name)
    assert ran.code == 64
    assert "--table" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_text_in_excel_is_never_a_formula_and_the_bytes_are_the_same(tmp_path: Path):
    pytest.importorskip("xlsxwriter", reason="the extra `excel` is not installed")
    frame = pl.DataFrame(
        {
            "name": ["=1+1", "http://x", "7", None],
            "price": [1.004, None, float("nan"), 2.0],
            "day": [date(2026, 1, 2)] * 4,
        }
    )
    made = [tables.files(tmp_path / "x.xlsx", {"sheet": Priced(frame, 0.01)}) for _ in range(2)]
    assert made[0] == made[1]
    (tmp_path / "x.xlsx").write_bytes(made[0][tmp_path / "x.xlsx"])
    with zipfile.ZipFile(tmp_path / "x.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "<v>1</v>" in sheet
        assert "hyperlink" not in sheet
        assert "=1+1" in book.read("xl/sharedStrings.xml").decode()


def test_prices_of_several_symbols_stand_on_the_tick_of_their_row():
    frame = pl.DataFrame({"symbol": ["PL", "ES"], "tp1": [1495.6462, 6880.13], "tick": [0.1, 0.25]})
    assert tables.on_ticks(frame, "tick")["tp1"].to_list() == [1495.6, 6880.25]
