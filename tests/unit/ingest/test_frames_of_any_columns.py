"""Frames of polars and pandas, Parquet and JSON: held to the rules of files, and the same bars come out."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import polars as pl
import pytest
from ingest_dbn_records import as_csv
from ingest_dbn_writer import dbn_bytes
from ingest_vendor_texts import EVERY, stooq, tape

import ctl
from ctl.errors import InputError
from ctl.ingest import read_contracts, read_reference, read_series

BARS = tape()
ALL = (date(2000, 1, 1), date(2040, 1, 1))
COLUMNS = ["Date", "Open", "High", "Low", "Close", "Volume", "OI"]


def polars() -> pl.DataFrame:
    return pl.DataFrame(BARS, schema=COLUMNS, orient="row")


def pandas() -> pd.DataFrame:
    return pd.DataFrame(BARS, columns=COLUMNS)


def indexed(frame: pd.DataFrame, zone: str | None = None) -> pd.DataFrame:
    frame = frame.assign(Date=pd.to_datetime(frame["Date"]).dt.tz_localize(zone))
    return frame.set_index("Date")


def two_levels() -> pd.DataFrame:
    frame = indexed(pandas())
    return frame.set_axis(pd.MultiIndex.from_product([frame.columns, ["ES=F"]], names=["Price", "Ticker"]), axis=1)


FRAMES = {
    "polars": polars,
    "lazy": lambda: polars().lazy(),
    "polars datetimes": lambda: polars().with_columns(pl.col("Date").cast(pl.Datetime("ns"))),
    "polars instants": lambda: polars().with_columns(
        pl.col("Date").cast(pl.Datetime("us")).dt.replace_time_zone("America/New_York")
    ),
    "polars text": lambda: polars().with_columns(pl.col("Date").cast(pl.String)),
    "pandas dates": pandas,
    "pandas index": lambda: indexed(pandas()),
    "pandas index without a name": lambda: indexed(pandas()).rename_axis(None),
    "pandas index in New York": lambda: indexed(pandas(), "America/New_York"),
    "pandas of two levels": two_levels,
    "pandas of nullable types": lambda: pandas().convert_dtypes(),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_kind_of_frame_is_read(write, instruments, name):
    text = stooq(BARS).replace("Volume", "Volume,OI").splitlines()
    path = write(
        "a.csv", "\n".join([text[0], *(f"{line},{bar[6]}" for line, bar in zip(text[1:], BARS, strict=True))]) + "\n"
    )
    wanted = read_series(path, symbol="ES", instruments=instruments)
    series = ctl.load(FRAMES[name]())
    assert series.frame.equals(wanted.frame)
    assert series.meta.sources[0].name == "frame"
    assert len(series.meta.sources[0].sha256) == 64


def test_missing_values_are_no_numbers_and_a_row_without_prices_is_counted():
    frame = pandas()
    frame.loc[3, ["Open", "High", "Low", "Close"]] = float("nan")
    frame.loc[4, "Volume"] = None
    series = ctl.load(frame)
    assert series.frame.height == len(BARS) - 1
    assert series.frame["volume"].null_count() == 1
    assert dict(series.meta.counts) == {"rows_without_prices_dropped": 1}


def test_contracts_of_a_frame(instruments):
    frame = polars().head(3).with_columns(contract=pl.Series(["ESH5", "ESH5", "ESM5"]))
    bars = ctl.load(frame, root="ES")
    assert [contract.name for contract in bars.contracts] == ["ESH25", "ESM25"]
    again = ctl.load([frame.head(2), frame.tail(1)], root="ES")
    assert again.frame.equals(bars.frame)


def test_references_and_backtests_take_frames(instruments):
    reference = read_reference(symbol="ES", adjusted=polars(), unadjusted=pandas(), instruments=instruments)
    assert reference.adjusted.frame.equals(reference.unadjusted.frame)
    with pytest.warns(UserWarning, match="warm-up"):
        ours = ctl.backtest(polars(), symbol="ES", tick=0.25)
    with pytest.warns(UserWarning, match="warm-up"):
        theirs = ctl.backtest(ctl.load(pandas()), symbol="ES", tick=0.25)
    assert ours.document() == theirs.document()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (polars().drop("Close"), "no known header; found 'Date, Open, High, Low, Volume, OI'"),
        (polars().head(0), "no data rows"),
        (polars().with_columns(Date=pl.lit("soon")), "row 1, column 'Date': not a date; found 'soon'"),
        (polars().with_columns(Close=pl.lit("x")), "row 1, column 'Close': not a number; found 'x'"),
        (polars().with_columns(Close=pl.lit(float("inf"))), "column 'Close': not finite"),
        (
            polars().with_columns(pl.col("Date").cast(pl.Datetime("us")) + pl.duration(hours=9)).head(1),
            None,  # a time of day without a zone is that of the bar's day
        ),
    ],
)
def test_what_is_no_table_of_bars_is_refused(given, message):
    if message is None:
        assert ctl.load(given).frame["session"].to_list() == [BARS[0][0]]
        return
    with pytest.raises(InputError, match=message):
        ctl.load(given)


def test_anything_else_is_refused(instruments):
    with pytest.raises(InputError, match=r"neither a file nor a frame; found builtins.dict"):
        read_series({"a": 1}, symbol="X", instruments=instruments)


def test_parquet_of_any_common_columns(tmp_path, instruments):
    polars().write_parquet(tmp_path / "a.parquet")
    indexed(pandas()).to_parquet(tmp_path / "b.parquet")
    one, two = (
        read_series(tmp_path / name, symbol="ES", instruments=instruments) for name in ("a.parquet", "b.parquet")
    )
    assert one.frame.equals(two.frame)
    assert one.frame.height == len(BARS)


def test_parquet_of_no_bars_names_its_columns(tmp_path, instruments):
    pl.DataFrame({"when": [1], "what": [2]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet: row 1: no known header; found 'when, what'"):
        read_series(tmp_path / "a.parquet", symbol="ES", instruments=instruments)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # the client's own use of pandas
class TestDatabento:
    """The vendor's own client writes the containers."""

    DATA = dbn_bytes(
        [(date(2025, 1, 6 + n), 7, 10**9 * (n + 1), 3 * 10**9 * (n + 1), 10**9, 2 * 10**9, 5) for n in range(3)],
        [("GCG5", *ALL, 7)],
    )

    @pytest.fixture
    def wanted(self, write, instruments):
        return read_contracts([write("gc.dbn", self.DATA)], "GC", instruments=instruments)

    @pytest.mark.parametrize("pretty", [True, False])
    def test_json(self, tmp_path, instruments, wanted, pretty):
        from databento import DBNStore

        path = tmp_path / "gc.json"
        DBNStore.from_bytes(self.DATA).to_json(path, pretty_px=pretty, pretty_ts=pretty, map_symbols=True)
        assert '"hd"' in path.read_text()
        bars = read_contracts([path], "GC", instruments=instruments)
        assert bars.frame.equals(wanted.frame)
        assert (bars.meta.vendor, bars.meta.session_basis) == ("databento", "utc_day")

    def test_parquet(self, tmp_path, instruments, wanted):
        from databento import DBNStore

        path = tmp_path / "gc.parquet"
        DBNStore.from_bytes(self.DATA).to_df().to_parquet(path)
        assert read_contracts([path], "GC", instruments=instruments).frame.equals(wanted.frame)

    def test_a_frame(self, wanted):
        from databento import DBNStore

        bars = ctl.load(DBNStore.from_bytes(self.DATA).to_df(), root="GC")
        assert bars.frame.equals(wanted.frame)
        assert bars.meta.vendor == "databento"

    def test_csv_with_the_row_numbers_of_pandas(self, tmp_path, instruments, wanted):
        from databento import DBNStore

        path = tmp_path / "gc.csv"
        DBNStore.from_bytes(self.DATA).to_df().reset_index().to_csv(path)
        assert read_contracts([path], "GC", instruments=instruments).frame.equals(wanted.frame)
        plain = as_csv(self.DATA, tmp_path / "plain.csv", pretty=True)
        assert read_contracts([plain], "GC", instruments=instruments).frame.equals(wanted.frame)

    def test_the_vendors_other_json_in_a_folder_is_named(self, tmp_path, write, instruments):
        write("gc.dbn", self.DATA)
        write("condition.json", json.dumps([{"date": "2025-01-06", "condition": "available"}]))
        write("manifest.json", json.dumps({"job_id": "x", "files": [{"filename": "a", "size": 1}]}))
        bars = read_contracts([tmp_path], "GC", instruments=instruments)
        assert sorted(note.partition(" ")[0] for note in bars.meta.notes) == ["condition.json", "manifest.json"]


class TestJson:
    def test_a_list_of_objects(self, write, instruments):
        rows = [
            {"date": str(d), "open": o, "high": h, "low": low, "close": c, "volume": v}
            for d, o, h, low, c, v, _ in BARS
        ]
        series = read_series(write("a.json", json.dumps(rows)), symbol="ES", instruments=instruments)
        assert series.frame["close"].to_list() == [bar[4] for bar in BARS]

    @pytest.mark.parametrize("text", ["{" * 100_000, "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000])
    def test_nested_without_end_is_refused(self, write, instruments, text):
        with pytest.raises(InputError, match=r"nested too deeply|line is too long|not a text table"):
            read_series(write("a.json", text), symbol="ES", instruments=instruments)

    @pytest.mark.parametrize("text", ["{", '{"date": }', "[1, 2", '{"date": "2025-01-06", "close": "x"}'])
    def test_damage_is_one_clear_error(self, write, instruments, text):
        with pytest.raises(InputError, match=r"a\.json"):
            read_series(write("a.json", text), symbol="ES", instruments=instruments)


def test_every_layout_is_a_frame_too(instruments, write):
    """What pandas makes of a vendor's text is read as the text is."""
    path = write("a.csv", EVERY["bloomberg"](BARS))
    assert ctl.load(pd.read_csv(path)).frame.equals(ctl.load(path).frame)
