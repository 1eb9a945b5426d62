"""The simulated market as a set of files: the same every time, in the vendors' own formats."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
import tomllib
from collections import Counter
from datetime import UTC, date, datetime
from functools import cache

import databento_dbn
import numpy as np
import pytest
import zstandard

from ctl import demo
from ctl.demo import injection
from ctl.errors import UsageError
from ctl.model.contracts import parse_symbol

LAYOUT = {
    "ctl.toml",
    "data/raw/actions/AAPL.csv",
    "data/raw/actions/XLE.csv",
    "data/raw/databento/AAPL/xnas-itch-20180102-20260227.ohlcv-1d.csv.zst",
    "data/raw/databento/CL/glbx-mdp3-20180102-20260227.ohlcv-1d.csv.zst",
    "data/raw/databento/ES/glbx-mdp3-20180102-20260227.definition.dbn.zst",
    "data/raw/databento/ES/glbx-mdp3-20180102-20260227.ohlcv-1d.dbn.zst",
    "data/raw/databento/PL/glbx-mdp3-20180102-20260227.ohlcv-1d.dbn.zst",
    "data/raw/databento/PA/glbx-mdp3-20180102-20260227.ohlcv-1d.PAH8.csv.zst",
    "data/raw/databento/PA/glbx-mdp3-20180102-20260227.ohlcv-1d.PAM6.csv.zst",
    "data/raw/tradestation/TS_ES_CUSTOM_ADJ_1D_20180102_20260227.csv",
    "data/raw/tradestation/TS_ES_CUSTOM_UNADJ_1D_20180102_20260227.csv",
    "data/raw/tradestation/TS_AAPL_1D_20180102_20260227.csv",
}


@cache
def generated(*inject: tuple[str, str]) -> dict[str, bytes]:
    return demo.generate(inject=inject)


def only(files: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {path.removeprefix(folder): data for path, data in files.items() if path.startswith(folder)}


def unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)


def csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(unzstd(data).decode())))


def dbn_document(data: bytes) -> tuple[databento_dbn.Metadata, list[object]]:
    decoder = databento_dbn.DBNDecoder()
    decoder.write(unzstd(data))
    metadata, *records = decoder.decode()
    return metadata, records


def test_files_lie_where_the_workspace_file_says() -> None:
    files = generated()
    assert set(files) >= LAYOUT
    document = tomllib.loads(files["ctl.toml"].decode())
    assert document["simulated"] is True
    assert set(document["symbols"]) == {"ES", "CL", "PL", "PA", "AAPL", "XLE"}
    for vendor in document["vendors"].values():
        assert only(files, vendor["path"] + "/")
    assert document["symbols"]["PL"]["tick"] == 0.1
    assert document["symbols"]["XLE"]["actions"] in files


def test_all_of_it_is_small() -> None:
    assert sum(len(data) for data in generated().values()) < 15_000_000


def test_another_process_with_another_hash_order_writes_the_same_bytes() -> None:
    code = (
        "import hashlib; from ctl import demo; h = hashlib.sha256()\n"
        "for path, data in demo.generate().items(): h.update(path.encode()); h.update(data)\n"
        "print(h.hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "POLARS_MAX_THREADS": "1"}
    there = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    here = hashlib.sha256()
    for path, data in generated().items():
        here.update(path.encode())
        here.update(data)
    assert there.stdout.strip() == here.hexdigest()


def test_dbn_daily_bars_decode_with_dated_symbols() -> None:
    """Every record's id maps on its own day to exactly one symbol; ids are used by several symbols over time."""
    metadata, records = dbn_document(generated()["data/raw/databento/ES/glbx-mdp3-20180102-20260227.ohlcv-1d.dbn.zst"])
    assert metadata.version == 3
    assert metadata.schema == "ohlcv-1d"
    assert metadata.symbols == ["ES.FUT"]
    names: dict[tuple[int, int], str] = {}
    users: dict[int, set[str]] = {}
    for symbol, intervals in metadata.mappings.items():
        for interval in intervals:
            number = int(interval["symbol"])
            users.setdefault(number, set()).add(symbol)
            for day in range(interval["start_date"].toordinal(), interval["end_date"].toordinal()):
                assert names.setdefault((number, day), symbol) == symbol
    assert max(len(symbols) for symbols in users.values()) > 3
    epoch = date(1970, 1, 1).toordinal()
    seen = Counter(names[r.instrument_id, epoch + r.ts_event // 86_400_000_000_000] for r in records)
    outrights = {symbol for symbol in seen if parse_symbol(symbol)}
    assert {"ESH8", "ESM8", "ESH9", "ESH0", "ESM6", "ESH7"} <= outrights
    assert any("-" in symbol for symbol in seen)
    assert all(r.ts_event % 86_400_000_000_000 == 0 for r in records)
    assert all(r.low <= min(r.open, r.close) and r.high >= max(r.open, r.close) for r in records)
    weekdays = Counter((epoch + r.ts_event // 86_400_000_000_000 - 1) % 7 for r in records)
    assert weekdays[5] == 0
    assert 300 < weekdays[6] < weekdays[0]


def test_definitions_state_tick_and_expiry_of_every_contract() -> None:
    _, records = dbn_document(generated()["data/raw/databento/ES/glbx-mdp3-20180102-20260227.definition.dbn.zst"])
    terms = {r.raw_symbol: r for r in records}
    assert terms["ESH8"].expiration == datetime(2018, 3, 16, 13, 30, tzinfo=UTC).timestamp() * 1e9
    assert terms["ESM4"].expiration == datetime(2024, 6, 21, 13, 30, tzinfo=UTC).timestamp() * 1e9
    assert terms["ESH8"].min_price_increment == 250_000_000
    assert terms["ESH8"].currency == "USD"
    assert terms["ESH8"].asset == "ES"
    assert str(terms["ESH8"].instrument_class) in {"F", "InstrumentClass.FUTURE"}
    assert str(terms["ESH8-ESM8"].instrument_class) in {"S", "InstrumentClass.FUTURE_SPREAD"}


def test_settlement_statistics_end_with_what_the_reference_prints() -> None:
    """The latest settlement published for 2018-01-03 of ESH8 is the unadjusted reference's close."""
    files = generated()
    metadata, records = dbn_document(
        files["data/raw/databento_statistics/ES/glbx-mdp3-20180102-20260227.statistics.dbn.zst"]
    )
    (interval,) = [i for i in metadata.mappings["ESH8"] if i["start_date"] <= date(2018, 1, 3) < i["end_date"]]
    day = 17534 * 86_400_000_000_000
    mine = [r for r in records if r.ts_ref == day and r.instrument_id == int(interval["symbol"])]
    assert {int(r.stat_type) for r in mine} == {3}
    latest = max(mine, key=lambda r: r.ts_event)
    text = files["data/raw/tradestation/TS_ES_CUSTOM_UNADJ_1D_20180102_20260227.csv"].decode()
    (row,) = [line.split(",") for line in text.splitlines() if line.startswith("01/03/2018")]
    assert latest.price == round(float(row[5]) * 1e9)


def test_csv_bars_come_as_decimals_and_as_integers() -> None:
    files = generated()
    pretty = csv_rows(files["data/raw/databento/CL/glbx-mdp3-20180102-20260227.ohlcv-1d.csv.zst"])
    plain = csv_rows(files["data/raw/databento/PA/glbx-mdp3-20180102-20260227.ohlcv-1d.PAH8.csv.zst"])
    assert list(pretty[0]) == list(plain[0])
    assert ",".join(pretty[0]) == "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol"
    assert pretty[0]["ts_event"] == "2018-01-02T00:00:00.000000000Z"
    assert len(pretty[0]["close"].partition(".")[2]) == 9
    assert plain[0]["ts_event"] == str(17533 * 86_400_000_000_000)
    assert all(int(row["close"]) % 500_000_000 == 0 for row in plain)
    assert {row["symbol"] for row in plain} == {"PAH8"}
    assert {row["rtype"] for row in pretty} == {"35"}


@pytest.mark.parametrize(("root", "tick"), [("ES", 0.25), ("CL", 0.01), ("PL", 0.1), ("PA", 0.5)])
def test_reference_text_is_on_the_tick_grid_in_the_vendors_layout(root: str, tick: float) -> None:
    data = generated()[f"data/raw/tradestation/TS_{root}_CUSTOM_UNADJ_1D_20180102_20260227.csv"]
    assert data.startswith(b'"Date","Time","Open","High","Low","Close","Vol","OI"\r\n01/02/2018,')
    rows = [line.split(",") for line in data.decode().split("\r\n")[1:-1]]
    prices = np.array([[float(value) for value in row[2:6]] for row in rows])
    assert np.abs(prices / tick - np.rint(prices / tick)).max() < 1e-6
    assert (prices[:, 1] >= prices.max(axis=1)).all()
    assert (prices[:, 2] <= prices.min(axis=1)).all()


def test_adjusted_and_unadjusted_reference_agree_after_the_last_roll() -> None:
    files = generated()
    both = [files[f"data/raw/tradestation/TS_CL_CUSTOM_{kind}_1D_20180102_20260227.csv"] for kind in ("ADJ", "UNADJ")]
    adjusted, unadjusted = ([line.split(",")[5] for line in data.decode().splitlines()[1:]] for data in both)
    assert adjusted[-1] == unadjusted[-1]
    assert adjusted[0] != unadjusted[0]


def test_unknown_cause_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown cause.*'wrong-comodity'.*wrong-commodity"):
        demo.parse_injection("wrong-comodity:PL")


@pytest.mark.parametrize("text", ["wrong-commodity", "wrong-commodity:", "wrong-commodity:GC", "roll-rule:AAPL"])
def test_a_symbol_that_cannot_have_the_cause_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        demo.parse_injection(text)
    cause, _, symbol = text.partition(":")
    with pytest.raises(UsageError):
        demo.generate(inject=[(cause, symbol)])


def test_every_cause_changes_only_its_symbols_files() -> None:
    base = generated()
    for cause in demo.CAUSES:
        for symbol in demo.symbols_of(cause)[1::3]:
            changed = generated((cause, symbol))
            paths = {p for p in base.keys() | changed.keys() if base.get(p) != changed.get(p)}
            assert paths, (cause, symbol)
            assert all(f"/{symbol}/" in p or f"/TS_{symbol}_" in p for p in paths), (cause, symbol, paths)
        generated.cache_clear()


def test_wrong_commodity_puts_palladiums_own_files_into_platinums_folder() -> None:
    files = generated(("wrong-commodity", "PL"))
    assert only(files, "data/raw/databento/PL/") == only(files, "data/raw/databento/PA/")
    assert only(files, "data/raw/databento/PA/") == only(generated(), "data/raw/databento/PA/")


def test_restated_bar_changes_one_close_by_one_and_a_half_percent() -> None:
    path = "data/raw/databento/CL/glbx-mdp3-20180102-20260227.ohlcv-1d.csv.zst"
    before, after = csv_rows(generated()[path]), csv_rows(generated(("restated-bar", "CL"))[path])
    ((old, new),) = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert "-" not in old["symbol"]
    assert old["ts_event"][:10] == "2024-05-15"
    assert float(new["close"]) / float(old["close"]) == pytest.approx(1.015, abs=2e-4)


def test_missing_session_has_no_bar_at_all() -> None:
    path = "data/raw/databento/CL/glbx-mdp3-20180102-20260227.ohlcv-1d.csv.zst"
    days = {row["ts_event"][:10] for row in csv_rows(generated(("missing-session", "CL"))[path])}
    assert "2023-08-02" not in days
    assert {"2023-08-01", "2023-08-03"} <= days


def test_settlement_closes_remove_the_weekend_bars_and_close_at_the_references_close() -> None:
    files = generated(("settlement-closes", "CL"))
    rows = csv_rows(files["data/raw/databento/CL/glbx-mdp3-20180102-20260227.ohlcv-1d.csv.zst"])
    assert all(date.fromisoformat(row["ts_event"][:10]).weekday() < 5 for row in rows)
    text = files["data/raw/tradestation/TS_CL_CUSTOM_UNADJ_1D_20180102_20260227.csv"].decode()
    reference = text.splitlines()[1].split(",")
    (first,) = [row for row in rows if row["symbol"] == "CLG8" and row["ts_event"].startswith("2018-01-02")]
    assert float(first["close"]) == float(reference[5])


def test_unit_change_multiplies_canonical_prices_by_a_hundred() -> None:
    path = "data/raw/databento/XLE/xnas-itch-20180102-20260227.ohlcv-1d.csv.zst"
    before, after = csv_rows(generated()[path]), csv_rows(generated(("unit-change", "XLE"))[path])
    assert all(
        round(float(b["close"]) * 100) == round(float(a["close"]) * 10_000) for a, b in zip(before, after, strict=True)
    )


def test_every_listed_cause_is_described_in_one_line() -> None:
    assert set(injection.CAUSES) >= {"wrong-commodity", "unadjusted-roll", "restated-bar", "missing-session"}
    assert all(text and "\n" not in text for text in injection.CAUSES.values())
