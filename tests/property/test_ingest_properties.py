"""Invariants of the readers: whatever the bytes, one InputError or a frame; whatever the format, the same bars."""

from __future__ import annotations

import gzip
import io
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import databento_dbn as dbn
import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ctl.errors import InputError
from ctl.ingest import load_instruments, named_mapping, read_contracts, read_reference, read_series
from ctl.model.bars import CONTRACT_COLUMNS

INSTRUMENTS = load_instruments()
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EPOCH = date(1970, 1, 1)
DAY = 86_400_000_000_000


def misworded(path: Path) -> list[str]:
    """Refusals of any reader on one file that are not one line or do not name it; what else is raised goes through."""
    refusals = []
    for read in (
        lambda: read_contracts([path], "ES", instruments=INSTRUMENTS),
        lambda: read_series(path, symbol="ES", instruments=INSTRUMENTS),
        lambda: read_reference(symbol="ES", adjusted=None, unadjusted=path, instruments=INSTRUMENTS),
        lambda: read_contracts([path], "ES", instruments=INSTRUMENTS, mapping=named_mapping("lean")),
    ):
        try:
            read()
        except InputError as error:
            refusals.append(str(error))
    return [refused for refused in refusals if "\n" in refused or path.name not in refused]


def dbn_file(symbols: list[str], bars: list[tuple[date, int, int, int, int, int, int]]) -> bytes:
    """bars: (day, number of the symbol, open, high, low, close in 1e-9, volume)."""
    always = {"start_date": date(1970, 1, 1), "end_date": date(2199, 1, 1)}
    metadata = dbn.Metadata(
        "GLBX.MDP3", 0, dbn.SType("raw_symbol"), dbn.SType("instrument_id"), dbn.Schema.OHLCV_1D, symbols=symbols,
        partial=[], not_found=[], end=2**64 - 1, limit=None, ts_out=False, version=3,
        mappings=[SimpleNamespace(raw_symbol=symbol, intervals=[SimpleNamespace(**always, symbol=str(at))])
                  for at, symbol in enumerate(symbols)],
    )  # fmt: skip
    messages = (
        dbn.OHLCVMsg(35, 1, number, (day - EPOCH).days * DAY, *prices, volume) for day, number, *prices, volume in bars
    )
    return bytes(metadata) + b"".join(map(bytes, messages))


def parquet_file() -> bytes:
    frame = pl.DataFrame({"session": [date(2025, 1, 6)], "contract": ["ESH25"]}).with_columns(
        *(pl.lit(1.5).alias(name) for name in ("open", "high", "low", "close")), volume=pl.lit(3)
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


VALID = {
    "plain": b"session,contract,open,high,low,close,volume\n2025-01-06,ESH25,1,3,1,2,5\n2025-01-07,ESH25,1,3,1,2,5\n",
    "series": b"session,open,high,low,close,volume,adjustment\n2025-01-06,1,3,1,2,5,0\n2025-01-07,1,3,1,2,5,0\n",
    "databento": b"ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
    b"2025-01-06T00:00:00.000000000Z,35,1,7,1.5,3,1,2,5,ESH5\n1736208000000000000,35,1,7,1.5,3,1,2,5,ESH5\n",
    "units": b"ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
    b"1736208000000000000,35,1,7,1500000000,3000000000,1000000000,2000000000,5,ESH5\n",
    "tradestation": b'"Date","Time","Open","High","Low","Close","Vol","OI"\r\n01/06/2025,16:00,1,3,1,2,5,6\r\n',
    "bloomberg": b"date,rank,contract,last_trade,settle,volume,oi,ttm\n2007-05-01,1,HGJ8 08 Comdty,2008-04-28,3,,5,1\n",
    "quantiacs": b"DATE, OPEN, HIGH, LOW, CLOSE, VOL, OI, P, R, RINFO\n20250106,50,50,50,50,1,1,202506,0,0\n"
    b"20250107,50,50,50,50,1,1,0,0,5\n",
    "norgate": b"Date,Open,High,Low,Close,Volume,Open Interest,Delivery Month\n2025-01-06,1,1,1,1,5,6,202503\n",
    "lean": b"20131006 00:00,1,3,1,2,5\n20131007 00:00,1,3,1,2,5\n",
    "dbn": dbn_file(["ESH5"], [(date(2025, 1, 6), 0, 10**9, 3 * 10**9, 10**9, 2 * 10**9, 5)]),
    "parquet": parquet_file(),
}
VALID["zst"] = zstandard.ZstdCompressor(write_checksum=False).compress(VALID["dbn"])
VALID["gz"] = gzip.compress(VALID["plain"])

CELLS = st.sampled_from(
    [
        *[
            b"",
            b"nan",
            b"-inf",
            b"1e308",
            b"-1",
            b"9223372036854775807",
            b"18446744073709551616",
            b"1_0",
            b"0x10",
            b"-",
        ],
        *[b'"', b'""', b",", b"\n", b"\r", b"\0", b" ", b"<b>", b"../", b"\xff", b"\xef\xbb\xbf", b"ESH5-ESM5"],
        *[b"99999999-01-01", b"0000-00-00", "١٢".encode(), b"+1", b"1e-400", b"T00:00:00Z", b"2025-01-05"],
    ]
)


@QUICK
@given(
    data=st.binary(max_size=300),
    start=st.sampled_from([b"", b"DBN", b"DBN\x03", b"PAR1", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"]),
)
def test_arbitrary_bytes(tmp_path, data, start):
    path = tmp_path / "ESH5.csv"
    path.write_bytes(start + data)
    assert misworded(path) == []


@pytest.mark.parametrize("kind", sorted(set(VALID) - {"parquet"}))
@settings(QUICK, max_examples=80)
@given(data=st.data())
def test_damaged_files(tmp_path, kind, data):
    """Cells replaced, bytes flipped, cut or repeated anywhere in a valid file."""
    path = tmp_path / "ESH5.csv"
    path.write_bytes(damaged(VALID[kind], data))
    assert misworded(path) == []


@settings(QUICK, max_examples=8)
@given(data=st.data())
def test_damaged_parquet(tmp_path, data):
    """Decoded in a process of its own, which costs a second of processor time per file: few examples."""
    path = tmp_path / "ESH5.parquet"
    path.write_bytes(damaged(VALID["parquet"], data))
    refused = ""
    try:
        read_contracts([path], "ES", instruments=INSTRUMENTS)
    except InputError as error:
        refused = str(error)
    assert not refused or refused.startswith("ESH5.parquet")


def damaged(valid: bytes, data: st.DataObject) -> bytes:
    content = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        match data.draw(st.sampled_from(["insert", "flip", "cut", "overwrite", "repeat"])):
            case "insert":
                content[at:at] = data.draw(CELLS)
            case "flip" if at < len(content):
                content[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del content[at : at + data.draw(st.integers(1, 40))]
            case "overwrite":
                piece = data.draw(CELLS)
                content[at : at + len(piece)] = piece
            case "repeat":
                content[at:at] = content[max(0, at - 60) : at]
    return bytes(content)


@pytest.mark.parametrize("kind", sorted(set(VALID) - {"databento"}))
def test_the_undamaged_files_are_read(tmp_path, kind):
    path = tmp_path / "F_ES.txt"
    path.write_bytes(VALID[kind])
    if kind in ("series", "tradestation", "quantiacs", "norgate"):
        assert read_series(path, symbol="ES", instruments=INSTRUMENTS).frame.height
    elif kind == "lean":
        path = path.rename(tmp_path / "es_trade_201312.csv")
        assert read_contracts([path], "ES", instruments=INSTRUMENTS, mapping=named_mapping("lean")).frame.height
    else:
        assert read_contracts([path], "ES", instruments=INSTRUMENTS).frame.height


@st.composite
def tapes(draw):
    """Bars of up to four contracts, weekends included, in any order; prices in 1e-9 on a grid of 0.25."""
    symbols = draw(st.lists(st.sampled_from(["ESH5", "ESM5", "ESU5", "ESZ5"]), min_size=1, max_size=4, unique=True))
    keys = draw(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, len(symbols) - 1)), min_size=1, max_size=40, unique=True)
    )
    price = st.integers(-40_000, 40_000).map(lambda quarters: quarters * 250_000_000)
    bars = [
        (
            date(2025, 2, 18) + timedelta(days=offset),  # up to 40 days without a holiday
            number,
            *(draw(price) for _ in range(4)),
            draw(st.integers(0, 10**9)),
        )
        for offset, number in keys
    ]
    return symbols, bars


@settings(QUICK, max_examples=60)
@given(tape=tapes(), cut=st.integers(0, 40), rotate=st.integers(0, 40))
@example(tape=(["ESH5"], [(date(2025, 1, 3 + at), 0, 0, 0, 0, 0, at) for at in range(4)]), cut=1, rotate=0)
@example(tape=(["ESH5"], [(date(2025, 1, 3), 0, 0, 0, 0, 0, 1), (date(2025, 1, 4), 0, 0, 0, 0, 0, 1)]), cut=1, rotate=0)
def test_every_format_and_every_order_gives_the_same_bars(tmp_path, tape, cut, rotate):
    symbols, bars = tape
    assume(any(with_session(bars)))
    header = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"

    def csv(chosen, *, pretty):
        lines = [header]
        for day, number, *prices, volume in chosen:
            shown = [f"{value / 1e9:.9f}" if pretty else str(value) for value in prices]
            stamp = f"{day}T00:00:00.000000000Z" if pretty else str((day - EPOCH).days * DAY)
            lines.append(f"{stamp},35,1,{number},{','.join(shown)},{volume},{symbols[number]}\n")
        return "".join(lines).encode()

    turned = bars[rotate % len(bars) :] + bars[: rotate % len(bars)]
    parts = [part for part in (turned[:cut], turned[cut:]) if part]
    contents = [[dbn_file(symbols, bars)], [dbn_file(symbols, part) for part in parts],
                [csv(part, pretty=True) for part in parts]]  # fmt: skip
    if any(abs(price) >= 10**6 for bar in bars for price in bar[2:6]):  # zeros alone do not tell the notation
        contents.append([csv(turned, pretty=False)])
    frames = []
    for number, files in enumerate(contents):
        paths = []
        for at, content in enumerate(files):
            paths.append(tmp_path / f"{number}_{at}")
            paths[-1].write_bytes(content)
        found = read_contracts(paths, "ES", instruments=INSTRUMENTS)
        assert tuple(found.frame.columns) == CONTRACT_COLUMNS
        frames.append(found.frame)
    for other in frames[1:]:
        assert other.equals(frames[0])
    kept = [bar for bar, counts in zip(bars, with_session(bars), strict=True) if counts]
    check_folding(frames[0], symbols, kept)


def with_session(bars: list[tuple[date, int, int, int, int, int, int]]) -> list[bool]:
    """Which bars are no stubs: of a weekday, or followed by one within five days."""
    days = {bar[0] for bar in bars if bar[0].weekday() < 5}
    return [bar[0].weekday() < 5 or any(bar[0] + timedelta(days=step) in days for step in range(1, 6)) for bar in bars]


def check_folding(
    frame: pl.DataFrame, symbols: list[str], bars: list[tuple[date, int, int, int, int, int, int]]
) -> None:
    """No weekend remains, no volume is lost, extremes stay, and contracts stand in expiry and session order."""
    assert not any(day.weekday() >= 5 for day in frame["session"])
    order = [(*divmod_name(name), day) for name, day in zip(frame["contract"], frame["session"], strict=True)]
    assert order == sorted(set(order))
    for number, symbol in enumerate(symbols):
        mine = [bar for bar in bars if bar[1] == number]
        part = frame.filter(pl.col("contract") == f"{symbol[:-1]}25")
        assert part["volume"].sum() == sum(bar[6] for bar in mine)
        if mine:
            assert part["high"].max() == max(bar[3] for bar in mine) / 1e9
            assert part["low"].min() == min(bar[4] for bar in mine) / 1e9
            ordered = sorted(mine)
            assert part["open"][0] == ordered[0][2] / 1e9
            assert part["close"][-1] == ordered[-1][5] / 1e9


def divmod_name(name: str) -> tuple[int, str, str]:
    return int(name[-2:]), name[-3], name[:-3]


@settings(QUICK, max_examples=60)
@given(
    prices=st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=20),
    volumes=st.lists(st.integers(0, 2**53), min_size=20, max_size=20),
)
def test_a_plain_series_keeps_every_bit(tmp_path, prices, volumes):
    rows = [
        f"{date(2025, 1, 6) + timedelta(days=at + at // 5 * 2)},{price!r},{price!r},{price!r},{price!r},{volumes[at]}"
        for at, price in enumerate(prices)
    ]
    path = tmp_path / "a.csv"
    path.write_text("session,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    series = read_series(path, symbol="X", instruments=INSTRUMENTS)
    assert np.array_equal(series.frame["close"].to_numpy(), np.array(prices))
    assert series.frame["volume"].to_list() == volumes[: len(prices)]
