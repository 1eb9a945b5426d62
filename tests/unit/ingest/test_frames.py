"""Frames with the columns of plain files are held to the rules of plain files."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import ctl
from ctl.errors import InputError, UsageError
from ctl.ingest import is_frame

EVENING = datetime(2025, 1, 6, 17)  # noqa: DTZ001 - a frame that does not say its zone
CONTRACTS = pl.DataFrame(
    {
        "session": [date(2025, 1, 6), date(2025, 1, 7)] * 2,
        "contract": ["ESH25", "ESH25", "ESM25", "ESM25"],
        "open": [5990.25, 6010.0, 6040.0, None],
        "high": [6020.0, 6015.5, 6070.0, None],
        "low": [5980.0, 5900.1, 6030.0, None],
        "close": [6000.0, 5950.0, 6050.0, 6000.0],
        "volume": [100, 120, 10, None],
        "open_interest": [1000, 1010, 50, 60],
    }
)
SERIES = CONTRACTS.head(2).drop("contract", "open_interest").with_columns(adjustment=pl.Series([1.5, 0.0]))


def in_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """The frame as pandas has it: sessions datetime64, counts with gaps float64."""
    return pd.DataFrame(
        {
            column.name: pd.to_datetime(column.to_list()) if column.name == "session" else column.to_list()
            for column in frame
        }
    )


def variants(frame: pl.DataFrame) -> list[Any]:
    pandas = in_pandas(frame)
    frames = [
        frame,
        frame.with_columns(pl.col("session").cast(pl.Datetime("ns")), pl.col("volume").cast(pl.Float64)),
        frame.with_columns(pl.col("session").cast(pl.String)),
        pandas,
        pandas.set_index("session"),
        pandas.set_index("session").rename_axis("Date"),
        pandas.convert_dtypes(),
    ]
    if "contract" in frame.columns:
        frames += [
            frame.with_columns(pl.col("contract").cast(pl.Categorical)),
            pandas.astype({"contract": "category"}),
            pandas.set_index(["session", "contract"]),
        ]
    return frames


@pytest.mark.parametrize("number", range(10))
def test_contracts_of_a_frame_are_those_of_the_file(tmp_path: Path, number: int) -> None:
    CONTRACTS.write_csv(tmp_path / "frame.csv")
    bars = ctl.load(variants(CONTRACTS)[number], root="ES")
    assert bars.frame.equals(ctl.load(tmp_path / "frame.csv", root="ES").frame)
    assert [source.name for source in bars.meta.sources] == ["frame"]


@pytest.mark.parametrize("number", range(7))
def test_a_series_of_a_frame_is_that_of_the_file(tmp_path: Path, number: int) -> None:
    SERIES.write_csv(tmp_path / "frame.csv")
    series = ctl.load(variants(SERIES)[number])
    assert series.frame.equals(ctl.load(tmp_path / "frame.csv").frame)
    assert series.frame["adjustment"].to_list() == [1.5, 0.0]


def test_an_ordinary_float_comes_through_bit_for_bit() -> None:
    closes = [0.1 + 0.2, 1 / 3, 1e-12 / 7, 1e15 / 3, 123456789.123456789]
    frame = pl.DataFrame(
        {
            "session": pl.date_range(date(2025, 1, 6), date(2025, 1, 10), eager=True),
            **dict.fromkeys(("open", "high", "low", "close"), closes),
            "volume": [1] * 5,
        }
    )
    assert ctl.load(frame).frame["close"].to_list() == closes
    assert ctl.load(in_pandas(frame)).frame["close"].to_list() == closes


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("session", [EVENING, EVENING + timedelta(days=1)], "column 'session': not a date"),
        ("close", [6000.0, float("nan")], "column 'close'"),
        ("volume", [1.5, 2.0], "column 'volume'"),
        ("close", [[1.0], [2.0]], "no known header; found 'session, open, high, low, volume, adjustment'"),
        ("close", [True, False], "column 'close': not a number"),
        ("session", [date(2025, 1, 7), date(2025, 1, 6)], "ascend"),
    ],
)
def test_what_a_file_may_not_hold_a_frame_may_not_hold(column: str, values: list[Any], found: str) -> None:
    with pytest.raises(InputError, match=found) as caught:
        ctl.load(SERIES.with_columns(pl.Series(column, values, strict=False)))
    assert "frame" in str(caught.value)


def test_a_zone_is_refused_because_a_session_is_a_day() -> None:
    zoned = in_pandas(SERIES)
    zoned["session"] = zoned["session"].dt.tz_localize("UTC")
    with pytest.raises(InputError, match="'session': not a date"):
        ctl.load(zoned)
    with pytest.raises(InputError, match="'session': not a date"):
        ctl.load(SERIES.with_columns(pl.col("session").cast(pl.Datetime).dt.replace_time_zone("UTC")))


def test_a_frame_without_columns_of_bars_is_refused() -> None:
    with pytest.raises(InputError, match="no known header"):
        ctl.load(pl.DataFrame({"a": [1]}))
    with pytest.raises(InputError):
        ctl.load(pd.DataFrame())


def test_frames_are_told_without_importing_their_library() -> None:
    assert is_frame(CONTRACTS)
    assert is_frame(in_pandas(CONTRACTS))
    assert not any(is_frame(value) for value in ("x.csv", Path("x.csv"), ["x.csv"], None, CONTRACTS["close"]))


def test_every_public_function_takes_frames(filled_workspace: Path) -> None:
    raw = filled_workspace / "data/raw"
    bars = ctl.load(raw / "databento/ES", root="ES")
    reference, *_ = sorted((raw / "tradestation").glob("TS_ES_CUSTOM_ADJ_1D_*"))
    adjusted = ctl.load(reference).frame.drop("contract", "open_interest")
    for change in (lambda frame: frame, in_pandas):
        contracts = change(bars.frame)
        series = ctl.build(contracts, root="ES", months="HMUZ")
        expected = ctl.build(bars, months="HMUZ")
        assert series.frame.equals(expected.frame)
        certificate = ctl.certify(
            contracts,
            series,
            root="ES",
            tick=0.25,
            max_day_delta=3,
            adjusted=change(adjusted),
            quote_unit="index points",
        )
        assert certificate.decision == "WATCH"
        plain = series.frame.drop("close_unadjusted", "contract")
        result = ctl.backtest(change(plain), tick=0.25)
        assert result.document()["trades"] == ctl.backtest(expected, tick=0.25).document()["trades"]
    with pytest.raises(UsageError, match="root='ES'"):
        ctl.build(bars.frame)
    with pytest.raises(UsageError, match="another root"):
        ctl.build(bars, root="CL")
