"""The newest data wrong on a gating symbol: exit 2, no order, and board and message name the symbol and the cause."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import newest_prices
import numpy as np
import numpy.typing as npt
import pytest
import zstandard
from newest_prices import on_newest, session_late

from ctl.flows import demo

GATING = ("ES", "CL", "PL")
NOON = datetime(2026, 2, 27, 12, tzinfo=UTC)
"""Of the demo's newest session."""


@pytest.mark.parametrize(
    ("cause", "code", "said"),
    [
        ("own-newest-level", "LEVEL_NOW", "our closes lie"),
        ("newest-level", "LEVEL_NOW", "our closes lie"),
        ("newest-labels-late", "DATE_SHIFT", "dates its closes one session later"),
        ("unit-change", "IDENTITY_MISMATCH", "prices are 100 times"),
        ("reference-unit", "UNIT_CHANGED", "100 times larger"),
        ("stale-data", "STALE_INPUT", "ends 2026-01-14, 30 sessions behind (limit 5)"),
    ],
)
def test_wrong_newest_data_stop_the_portfolio(
    tmp_path: Path, ctl: Callable[..., Any], cause: str, code: str, said: str
) -> None:
    demo.fill(tmp_path, [(cause, symbol) for symbol in GATING])
    cycle = ctl("ops", "-w", tmp_path, "--notify", "stdout")
    assert cycle.code == 2
    message, _, board = cycle.out.partition("GATE: MISMATCH   NO-GO   ES: ")
    assert message.startswith("[ALERT] Portfolio run aborted. Gate: MISMATCH.")
    assert "No orders" in message
    for symbol in GATING:
        (line,) = [text for text in message.splitlines() if text.startswith(f"{symbol}: expected ")]
        assert said in line
        row = board[board.index(f"\n{symbol} .... ") :].split("\n")[1:3]
        assert row[0].endswith("MISMATCH")
        assert row[1].strip().startswith((code, "LEVEL_STEP"))
    found = ctl("gate", "-w", tmp_path, "--json")
    assert found.code == 2
    for result in found.document["symbol_results"]:
        assert code in [reason["code"] for reason in result["reasons"]]
    assert ctl("orders", "-w", tmp_path, "--json").code == 2
    left = [
        path.relative_to(tmp_path).as_posix() for path in (tmp_path / "data/processed").rglob("*") if path.is_file()
    ]
    assert not [name for name in left if "/passes/" in name or "/run_summaries/" in name]


LEVEL = ("LEVEL_NOW", "our newest close, of 2026-02-27, lies", "our newest close, of 2026-02-27, lies")
FAULTS = {
    "level, times 1.5": (on_newest(lambda prices, atr: 1.5 * prices), *LEVEL),
    "level, 5 ATR": (on_newest(lambda prices, atr: prices + 5 * atr), *LEVEL),
    "unit, times 100": (on_newest(lambda prices, atr: 100 * prices), *LEVEL),
    "unit, a hundredth": (on_newest(lambda prices, atr: prices / 100), *LEVEL),
    "level of five sessions": (
        on_newest(lambda prices, atr: 1.06 * prices),
        "LEVEL_NOW", " above the reference's", " below the reference's",
    ),
    "a session late": (session_late, "RESTATED_HISTORY", "databento contracts", "tradestation adjusted"),
    "stale": (None, "STALE_INPUT", "(ends 2026-02-1", "(its reference ends 2026-02-1"),
}  # fmt: skip
"""By fault: the change, the code that refuses it, what the message says of it on our side and on the reference's."""


@pytest.mark.parametrize("side", ["canonical", "reference"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_order_is_made_of_wrong_newest_prices(
    workspace: Path, ctl: Callable[..., Any], fault: str, side: str
) -> None:
    change, code, ours, theirs = FAULTS[fault]
    for symbol in GATING:
        newest_prices.damage(workspace, symbol, side, change)
    cycle = ctl("ops", "-w", workspace, "--notify", "stdout", "--json")
    assert cycle.code == 2
    message = cycle.document["notification"]["text"]
    assert "No orders" in message
    found = ctl("gate", "-w", workspace, "--json")
    assert found.code == 2
    for result in found.document["symbol_results"]:
        symbol = result["symbol"]
        assert not result["passed"]
        assert code in [reason["code"] for reason in result["reasons"]]
        (line,) = [text for text in message.splitlines() if text.startswith(f"{symbol}: expected ")]
        assert (ours if side == "canonical" else theirs) in line
    assert not list((workspace / "data/processed").rglob("*_portfolio_run.json"))


def exchanged(prices: npt.NDArray[np.float64], atr: float) -> npt.NDArray[np.float64]:
    """Highs and lows stand in each other's column."""
    return prices[:, [0, 2, 1, 3]]


def open_below_low(prices: npt.NDArray[np.float64], atr: float) -> npt.NDArray[np.float64]:
    return np.column_stack([prices[:, 2] - atr, prices[:, 1], prices[:, 2], prices[:, 3]])


@pytest.mark.parametrize("change", [exchanged, open_below_low])
@pytest.mark.parametrize("symbol", GATING)
def test_a_newest_bar_that_cannot_be_stops_the_portfolio(
    workspace: Path, ctl: Callable[..., Any], symbol: str, change: Any
) -> None:
    newest_prices.damage(workspace, symbol, "canonical", on_newest(change))
    cycle = ctl("ops", "-w", workspace, "--notify", "stdout", "--json")
    assert cycle.code == 2
    message = cycle.document["notification"]["text"]
    assert "No orders" in message
    assert f"BAD_BARS: {symbol}, databento: " in message
    assert "2026-02-27" in message
    found = ctl("gate", "-w", workspace, "--json")
    assert (found.code, [problem["code"] for problem in found.document["problems"]]) == (2, ["BAD_BARS"])
    assert f"BAD_BARS: {symbol}" in " ".join(ctl("gate", "-w", workspace).out.split())


@pytest.mark.parametrize("symbol", GATING)
def test_one_symbol_is_enough_and_the_others_are_as_expected(
    tmp_path: Path, ctl: Callable[..., Any], symbol: str
) -> None:
    demo.fill(tmp_path, [("own-newest-level", symbol)])
    ran = ctl("run", "-w", tmp_path)
    assert ran.code == 2
    assert ran.out.startswith(f"GATE: MISMATCH   NO-GO   {symbol}: ")
    found = ctl("gate", "-w", tmp_path, "--json").document
    assert {item["symbol"]: item["passed"] for item in found["symbol_results"]} == {
        name: name != symbol for name in GATING
    }


def bars_of(workspace: Path, symbol: str) -> Path:
    (path,) = (workspace / "data/raw/databento" / symbol).glob("*.ohlcv-1d.*")
    return path


def remake(path: Path, change: Callable[[bytearray], bytes]) -> None:
    content = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    path.write_bytes(zstandard.ZstdCompressor().compress(change(bytearray(content))))


def ended_at_noon(content: bytearray) -> bytes:
    """DBN metadata: 8 bytes, dataset in 16, schema in 2, start, end and limit in 8 each, little-endian."""
    content[34:42] = (int(NOON.timestamp()) * 10**9).to_bytes(8, "little")
    return bytes(content)


def cut_by_limit(content: bytearray) -> bytes:
    body = len(content) - 8 - int.from_bytes(content[4:8], "little")
    content[42:50] = (body // 56 - 1).to_bytes(8, "little")
    return bytes(content[:-56])


def lost_its_newest_day(content: bytearray) -> bytes:
    """All records of the last day, as where a copy of an uncompressed file was cut between two records."""
    head = 8 + int.from_bytes(content[4:8], "little")
    last = content[-56:][8:16]
    while content[-56:][8:16] == last and len(content) > head:
        del content[-56:]
    return bytes(content)


DAMAGE = {
    "UNFINISHED_SESSION": (ended_at_noon, cut_by_limit),
    "LOST_SESSION": (lost_its_newest_day,),
}


@pytest.mark.parametrize("symbol", ["ES", "PL"])  # CL's files are text, which says nothing of its end
@pytest.mark.parametrize(("code", "damage"), [(code, each) for code, all_ in DAMAGE.items() for each in all_])
def test_a_newest_session_that_is_over_and_not_whole_stops_the_portfolio(
    workspace: Path, ctl: Callable[..., Any], code: str, damage: Callable[[bytearray], bytes], symbol: str
) -> None:
    path = bars_of(workspace, symbol)
    remake(path, damage)
    ran = ctl("ops", "-w", workspace, "--notify", "stdout")
    assert ran.code == 2
    assert "No orders" in ran.out
    (line,) = [text for text in ran.out.splitlines() if text.startswith(f"{symbol}: expected ")]
    assert "2026-02-27" in line
    assert path.name in line
    found = ctl("gate", "-w", workspace, "--json")
    assert found.code == 2
    refused = {
        item["symbol"]: [reason["code"] for reason in item["reasons"]] for item in found.document["symbol_results"]
    }
    assert refused[symbol] == [code]
    assert [item["symbol"] for item in found.document["symbol_results"] if not item["passed"]] == [symbol]
    assert ctl("orders", "-w", workspace).code == 2
    told = ctl("doctor", "-w", workspace, "--json").document["findings"]
    assert [(item["subject"], item["code"]) for item in told if item["level"] == "mend"] == [(symbol, code)]
    assert ctl("gate", "-w", workspace, "--as-of", "2026-02-26").code == 0  # the session is not asked for


@pytest.mark.parametrize("symbol", GATING)
@pytest.mark.parametrize(("hour", "code"), [(12, 2), (23, 0)])
def test_a_reference_written_before_its_session_was_over_is_unfinished(
    workspace: Path, ctl: Callable[..., Any], hour: int, code: int, symbol: str
) -> None:
    """Globex closes at 16:00 or 17:00 in Chicago: by 23:00 UTC in February."""
    at = NOON.replace(hour=hour).timestamp()
    for kind in ("ADJ", "UNADJ"):
        (path,) = (workspace / "data/raw/tradestation").glob(f"TS_{symbol}_CUSTOM_{kind}_*.csv")
        os.utime(path, (at, at))
    found = ctl("gate", "-w", workspace, "--json")
    assert found.code == code
    (result,) = [item for item in found.document["symbol_results"] if item["symbol"] == symbol]
    if code:
        assert [reason["code"] for reason in result["reasons"]] == ["UNFINISHED_SESSION"]
        assert "its reference's session 2026-02-27" in result["detail"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("symbol", ["ES", "CL"])
def test_a_flipped_bit_of_the_system_of_record_stops_the_portfolio(
    workspace: Path, ctl: Callable[..., Any], symbol: str, share: float
) -> None:
    path = bars_of(workspace, symbol)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 4
    path.write_bytes(content)
    found = ctl("gate", "-w", workspace, "--json")
    assert found.code == 2
    (result,) = [item for item in found.document["symbol_results"] if not item["passed"]]
    assert (result["symbol"], result["actual"]) == (symbol, "ERROR")
    assert [reason["code"] for reason in result["reasons"]] == ["INPUT_UNREADABLE"]
    assert path.name in result["detail"]


def newest_of_cl(workspace: Path, factor: float) -> None:
    """Every price of the newest session times a factor; 0 takes the session before away."""
    path = bars_of(workspace, "CL")
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()).decode().splitlines()
    days = sorted({line[:10] for line in lines[1:]})
    out = []
    for line in lines:
        fields = line.split(",")
        if factor and fields[0][:10] == days[-1]:
            fields[4:8] = [f"{round(float(value) * factor, 2):.9f}" for value in fields[4:8]]
        if factor or fields[0][:10] != days[-2]:
            out.append(",".join(fields))
    path.write_bytes(zstandard.ZstdCompressor().compress("\n".join([*out, ""]).encode()))


@pytest.mark.parametrize(("factor", "codes"), [(1.0, []), (1.3, ["LEVEL_NOW"])])
def test_closes_that_a_late_reference_does_not_confirm_may_not_jump(
    workspace: Path, ctl: Callable[..., Any], factor: float, codes: list[str]
) -> None:
    for path in (workspace / "data/raw/tradestation").glob("TS_CL_CUSTOM_*.csv"):
        path.write_text("\n".join([*path.read_text().splitlines()[:-1], ""]))
    newest_of_cl(workspace, factor)
    found = ctl("gate", "-w", workspace, "--json")
    assert found.code == (2 if codes else 0)
    (result,) = [item for item in found.document["symbol_results"] if item["symbol"] == "CL"]
    assert [reason["code"] for reason in result["reasons"]][:1] == codes
    assert result["data_to"] == {"canonical": "2026-02-27", "reference": "2026-02-26"}


def test_a_session_that_our_contracts_lost_is_restated_history(workspace: Path, ctl: Callable[..., Any]) -> None:
    newest_of_cl(workspace, 0.0)
    found = ctl("gate", "-w", workspace, "--json")
    assert found.code == 2
    (restated,) = found.document["restatements"]
    assert (restated["symbol"], restated["vendor"], restated["series"]) == ("CL", "databento", "contracts")
    assert "2026-02-26" in restated["refusal"]
