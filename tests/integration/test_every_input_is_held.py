"""Every input file of a gating symbol, one value changed: refused, named in a report, or listed in docs/security.md.

A report names the change: contract or symbol, session, column, old and new value.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard

from ctl import operating_profile as op
from ctl import store
from ctl.errors import CtlError
from ctl.flows import portfolio
from ctl.gatekeeper import GateDecision, Unavailable

SECURITY = Path(__file__).resolve().parents[2] / "docs/security.md"
INSTANT = datetime(2026, 3, 2, 5, 0, 7, tzinfo=UTC)
TICKS = {"ES": 0.25, "CL": 0.01, "PL": 0.1}
PERIOD = "20180102-20260227"
OHLCV = np.dtype(
    [("head", "V4"), ("id", "<u4"), ("event", "<u8"), *((name, "<i8") for name in ("open", "high", "low", "close")),
     ("volume", "<u8")]
)  # fmt: skip
DAY = 86_400 * 10**9

Gate = Callable[[str], GateDecision]


@pytest.fixture(scope="module")
def folder(filled_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("inputs") / "workspace"
    shutil.copytree(filled_workspace, copy)
    return copy


@pytest.fixture(scope="module")
def gate(folder: Path) -> Gate:
    """The gate after one symbol's files were read again; the others stand as they were."""
    workspace = store.Workspace.load(folder)
    profile = op.load(workspace.profile_path.read_bytes(), workspace.relative(workspace.profile_path))
    whole = portfolio.certify_gating(workspace, profile, instant=INSTANT)

    def decide(symbol: str) -> GateDecision:
        certified, unavailable = dict(whole.certified), {}
        try:
            certified[symbol] = portfolio.certify_symbol(
                workspace, symbol, profile.symbol_settings[symbol], acceptance=profile.acceptance_policy, now=INSTANT
            )
        except CtlError as error:
            del certified[symbol]
            unavailable[symbol] = Unavailable(error.code, str(error))
        made = portfolio.CertifiedSymbols(certified, unavailable)
        return portfolio.gate(workspace, profile, instant=INSTANT, certified=made).decision

    return decide


def exempt() -> list[str]:
    """The files of the closed list."""
    table = SECURITY.read_text().partition("## Input files that are not held")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read() if path.suffix == ".zst" else data


def judged(gate: Gate, path: Path, symbol: str, data: bytes) -> GateDecision:
    """The gate on other bytes of one file, which is as before afterwards."""
    whole = path.read_bytes()
    path.write_bytes(zstandard.ZstdCompressor().compress(data) if path.suffix == ".zst" else data)
    try:
        return gate(symbol)
    finally:
        path.write_bytes(whole)


def held(decision: GateDecision, symbol: str, session: date | None, column: str) -> str:
    """`refused`, `named` (the session and the column), or nothing."""
    if not decision.passed:
        return "refused"
    for restated in decision.restatements:
        values = {(change.session, change.column) for change in restated.changes}
        if restated.symbol == symbol and (session, column) in values and str(session) in restated.text:
            return "named"
    return ""


# ---------------------------------------------------------------- CSV: the reference, and CL of the system of record


def cells(line: str) -> list[str]:
    return next(csv.reader([line]))


def edits(fields: list[str], at: dict[str, int], tick: float) -> Iterator[tuple[str, str | None]]:
    """(column, the row with that value changed; None: the row dropped), one value at a time, each bar sound."""

    def with_value(name: str, value: str) -> str:
        return ",".join(value if place == at[name] else cell for place, cell in enumerate(fields))

    high, low = fields[at["high"]], fields[at["low"]]
    for name in ("open", "close"):
        yield name, with_value(name, high if float(high) != float(fields[at[name]]) else low)
    yield "high", with_value("high", f"{float(high) + 40 * tick:.9f}")
    yield "low", with_value("low", f"{float(low) - 40 * tick:.9f}")
    for name in ("volume", "open_interest"):
        if name in at:
            yield name, with_value(name, str(3 * int(fields[at[name]]) + 1))
    yield "bar", None


REFERENCE = {"open": 2, "high": 3, "low": 4, "close": 5, "volume": 6, "open_interest": 7}


@pytest.mark.parametrize("symbol", [*TICKS])
@pytest.mark.parametrize("series", ["ADJ", "UNADJ"])
def test_every_value_of_a_reference_file(folder: Path, gate: Gate, symbol: str, series: str) -> None:
    path = folder / f"data/raw/tradestation/TS_{symbol}_CUSTOM_{series}_1D_{PERIOD.replace('-', '_')}.csv"
    lines = path.read_text().splitlines()
    for number in (len(lines) - 1000, len(lines) - 30, len(lines) - 1):
        fields = cells(lines[number])
        session = datetime.strptime(fields[0], "%m/%d/%Y").replace(tzinfo=UTC).date()
        for column, row in edits(fields, REFERENCE, TICKS[symbol]):
            other = [*lines[:number], *filter(None, [row]), *lines[number + 1 :], ""]
            decision = judged(gate, path, symbol, "\n".join(other).encode())
            assert held(decision, symbol, session, column), (session, column)
        twice = [*lines[:number], ",".join([cells(lines[number - 1])[0], *fields[1:]]), *lines[number + 1 :], ""]
        assert not judged(gate, path, symbol, "\n".join(twice).encode()).passed, "a date that repeats"
    assert gate(symbol).passed


def test_every_value_of_a_text_file_of_contracts(folder: Path, gate: Gate) -> None:
    path = folder / f"data/raw/databento/CL/glbx-mdp3-{PERIOD}.ohlcv-1d.csv.zst"
    lines = unpacked(path).decode().splitlines()
    at = {"open": 4, "high": 5, "low": 6, "close": 7, "volume": 8}
    days = [line[:10] for line in lines[1:] if date.fromisoformat(line[:10]).weekday() == 2]
    for day in (days[len(days) // 2], days[-1]):
        traded = sorted(
            (number for number, line in enumerate(lines) if line.startswith(day)),
            key=lambda number: -int(cells(lines[number])[8]),
        )
        for number in (traded[0], traded[2]):
            for column, row in edits(cells(lines[number]), at, TICKS["CL"]):
                other = [*lines[:number], *filter(None, [row]), *lines[number + 1 :], ""]
                decision = judged(gate, path, "CL", "\n".join(other).encode())
                assert held(decision, "CL", date.fromisoformat(day), column), (day, number, column)


# ---------------------------------------------------------------- DBN


def split(data: bytes) -> tuple[bytes, bytes]:
    """Metadata and records of a DBN file."""
    end = 8 + struct.unpack("<I", data[4:8])[0]
    return data[:end], data[end:]


@pytest.mark.parametrize("symbol", ["ES", "PL"])
def test_every_value_of_a_binary_file_of_contracts(folder: Path, gate: Gate, symbol: str) -> None:
    path = folder / f"data/raw/databento/{symbol}/glbx-mdp3-{PERIOD}.ohlcv-1d.dbn.zst"
    head, body = split(unpacked(path))
    bars = np.frombuffer(body, OHLCV)
    days = np.unique(bars["event"])
    days = days[(days // DAY + 3) % 7 == 2]  # Wednesdays: a Sunday's bars belong to Monday's session
    for day in (days[len(days) // 2], days[-1]):
        session = date.fromordinal(date(1970, 1, 1).toordinal() + int(day // DAY))
        of_day = np.flatnonzero(bars["event"] == day)
        number = of_day[np.argmax(bars["volume"][of_day])]
        row, away = bars[number], round(40 * TICKS[symbol] * 1e9)
        inside = {name: row["high"] if row["high"] != row[name] else row["low"] for name in ("open", "close")}
        for column, value in {
            **inside, "high": row["high"] + away, "low": row["low"] - away, "volume": 3 * row["volume"] + 1,
        }.items():  # fmt: skip
            other = bars.copy()
            other[column][number] = value
            assert held(judged(gate, path, symbol, head + other.tobytes()), symbol, session, column), column
        dropped = judged(gate, path, symbol, head + np.delete(bars, number).tobytes())
        assert held(dropped, symbol, session, "bar")
        other = bars.copy()
        other["event"][number] += DAY
        assert not judged(gate, path, symbol, head + other.tobytes()).passed, "two bars of one session"


@pytest.mark.parametrize(("symbol", "contract"), [("ES", b"ESM6"), ("ES", b"ESH0"), ("PL", b"PLJ6")])
def test_the_days_of_a_definition(folder: Path, gate: Gate, symbol: str, contract: bytes) -> None:
    path = folder / f"data/raw/databento/{symbol}/glbx-mdp3-{PERIOD}.definition.dbn.zst"
    head, body = split(unpacked(path))
    size = body[0] * 4
    records = np.frombuffer(body, "u1").reshape(-1, size)
    of_it = [n for n, each in enumerate(records) if contract + b"\0" in bytes(each) and b"-" not in bytes(each)]
    number = of_it[-1]  # the newest of a contract's definitions counts
    for name, offset, by in (
        ("tick", 24, round(TICKS[symbol] * 1e9)), ("last_trade", 40, 2 * DAY), ("last_trade", 40, -2 * DAY),
    ):  # fmt: skip
        other = records.copy()
        other[number, offset : offset + 8].view("<i8")[:] += by
        decision = judged(gate, path, symbol, head + other.tobytes())
        said = [problem.text for problem in decision.problems if problem.code == "TERMS_CHANGED"]
        assert not decision.passed
        assert len(said) == 1
        assert f"{name} " in said[0]
        assert symbol in said[0]
    assert gate(symbol).passed


# ---------------------------------------------------------------- the closed list


def test_what_is_told_beside_the_decision_is_in_the_list(folder: Path, gate: Gate) -> None:
    """These files pass unreported, and the list says so; none of them is money on the settings in force."""
    known = exempt()
    for key, name in {
        "statistics": f"databento_statistics/ES/glbx-mdp3-{PERIOD}.statistics.dbn.zst",
        "intraday": f"databento_hourly/ES/glbx-mdp3-{PERIOD}.ohlcv-1h.dbn.zst",
    }.items():
        path = folder / "data/raw" / name
        head, body = split(unpacked(path))
        assert not said(judged(gate, path, "ES", head + body[: -body[0] * 4])), key
        assert key in known
    path = folder / f"data/raw/tradestation_contracts/ES/TS_ES_CONTRACTS_1D_{PERIOD.replace('-', '_')}.csv.zst"
    assert not said(judged(gate, path, "ES", b"\n".join(unpacked(path).splitlines()[:-1]) + b"\n"))
    assert "reference contracts" in known
    path = folder / f"data/raw/databento/ES/glbx-mdp3-{PERIOD}.definition.dbn.zst"
    head, body = split(unpacked(path))
    records = np.frombuffer(body, "u1").reshape(-1, body[0] * 4).copy()
    records[:, 48:56].view("<i8")[:] += DAY
    assert not said(judged(gate, path, "ES", head + records.tobytes()))
    assert "activation of a definition" in known


def said(decision: GateDecision) -> bool:
    return not decision.passed or bool(decision.notes) or bool(decision.restatements)


def test_a_report_reaches_board_json_ops_log_and_message(workspace: Path, ctl: Any) -> None:
    path = workspace / "data/raw/tradestation" / f"TS_ES_CUSTOM_ADJ_1D_{PERIOD.replace('-', '_')}.csv"
    lines = path.read_text().splitlines()
    fields = cells(lines[-1000])
    session = datetime.strptime(fields[0], "%m/%d/%Y").replace(tzinfo=UTC).date()
    row = dict(edits(fields, REFERENCE, TICKS["ES"]))["close"]
    path.write_text("\n".join([*lines[:-1000], str(row), *lines[-999:], ""]))
    board = ctl("gate", "-w", workspace)
    document = ctl("gate", "-w", workspace, "--json").document
    ops = ctl("ops", "-w", workspace, "--notify", "stdout")
    log = next((workspace / "data/processed/cutover_v1/ops_logs").glob("*_ops.json")).read_text()
    assert (board.code, ops.code) == (0, 0)
    assert document["restatements"][0]["changes"][0]["session"] == session.isoformat()
    for text in (board.out, ops.out, log):
        assert session.isoformat() in text
        assert "tradestation" in text


def test_a_restated_bar_is_told_as_of_its_session_and_not_before(workspace: Path, ctl: Any) -> None:
    """Both readings are cut there. A roll after it moves the adjusted file by one constant, which restates nothing."""
    path = workspace / "data/raw/tradestation" / f"TS_ES_CUSTOM_ADJ_1D_{PERIOD.replace('-', '_')}.csv"
    head, *lines = path.read_text().splitlines()
    names = [name.strip('"').lower() for name in head.split(",")]
    prices = [names.index(name) for name in ("open", "high", "low", "close")]

    def moved(line: str, by: float) -> str:
        fields = line.split(",")
        for at in prices:
            fields[at] = f"{float(fields[at]) + by:.2f}"
        return ",".join(fields)

    def told(as_of: str) -> list[tuple[str, str]]:
        document = ctl("gate", "-w", workspace, "--as-of", as_of, "--json").document
        return [
            (found["vendor"], change["session"]) for found in document["restatements"] for change in found["changes"]
        ]

    before, session = (
        datetime.strptime(line.split(",")[0].strip('"'), "%m/%d/%Y").replace(tzinfo=UTC).date().isoformat()
        for line in (lines[-401], lines[-400])
    )
    path.write_text("\n".join([head, *(moved(line, 37.25) for line in lines), ""]))
    assert told(session) == []
    at = len(lines) - 400
    path.write_text("\n".join([head, *(moved(line, 37.25 + (n == at)) for n, line in enumerate(lines)), ""]))
    assert told(before) == []
    assert set(told(session)) == {("tradestation", session)}


@pytest.mark.parametrize("by", [4.0, 400.0, -40.0])
@pytest.mark.parametrize("as_of", ["2025-11-14", "2026-02-27", ""])
def test_a_whole_file_at_another_level_is_refused_or_named(workspace: Path, ctl: Any, by: float, as_of: str) -> None:
    """Aligned, such a file is the same: the level that was taken away is what is said."""
    path = workspace / "data/raw/tradestation" / f"TS_ES_CUSTOM_ADJ_1D_{PERIOD.replace('-', '_')}.csv"
    head, *lines = path.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[2:6] = [f"{float(value) + by * TICKS['ES']}" for value in row[2:6]]
    path.write_text("\n".join([head, *(",".join(row) for row in rows), ""]))
    for command in (("gate", *(("--as-of", as_of) if as_of else ())), ("plan",)):
        ran = ctl(*command, "-w", workspace, "--json")
        (found,) = ran.document["restatements"]
        assert (found["vendor"], found["series"]) == ("tradestation", "adjusted")
        if command == ("gate",):
            assert ran.code == 2
        if as_of and command != ("plan",):
            assert f"moved by {by * TICKS['ES']:+g}" in found["text"]
            assert found["text"] in ctl(*command, "-w", workspace).out


# ---------------------------------------------------------------- files that other settings read


def relock(ctl: Any, folder: Path, *settings: str) -> None:
    line = [part for each in settings for part in ("--set", each)]
    assert ctl("lock", "-w", folder, *line, "--reason", "another series").code == 0
    assert ctl("gate", "-w", folder).code == 0


def told(ctl: Any, folder: Path) -> tuple[bool, list[tuple[str, str]]]:
    """Whether the gate passes, and symbol and column of the first change of each restatement."""
    document = ctl("gate", "-w", folder, "--json").document
    return document["passed"], [(each["symbol"], each["changes"][0]["column"]) for each in document["restatements"]]


def test_one_value_of_settlements_and_of_session_bars_that_are_traded_on(workspace: Path, ctl: Any) -> None:
    relock(ctl, workspace, "ES.series.closes=settlement", "PL.series.bars=session")
    for name, offset, by, expected in (
        (f"databento_statistics/ES/glbx-mdp3-{PERIOD}.statistics.dbn.zst", 32, 0.25, ("ES", "close")),
        (f"databento_hourly/PL/glbx-mdp3-{PERIOD}.ohlcv-1h.dbn.zst", 24, 50.0, ("PL", "high")),
    ):
        path = workspace / "data/raw" / name
        whole = path.read_bytes()
        head, body = split(unpacked(path))
        records = np.frombuffer(body, "u1").reshape(-1, body[0] * 4).copy()
        records[len(records) // 2, offset : offset + 8].view("<i8")[:] += round(by * 1e9)
        path.write_bytes(zstandard.ZstdCompressor().compress(head + records.tobytes()))
        passed, changes = told(ctl, workspace)
        assert not passed or expected in changes, name
        path.write_bytes(whole)
    assert told(ctl, workspace) == (True, [])


def test_every_value_of_the_actions_of_a_share_that_gates(workspace: Path, ctl: Any) -> None:
    (profile,) = (workspace / "configs").glob("*/operating_profile_v1.yaml")
    text = profile.read_text().replace("  - PL\n\nnon_gating", "  - PL\n  - AAPL\n\nnon_gating")
    text = text.replace("  AAPL:\n    role: equity reference\n    reason: basis-alignment workstream\n", "")
    share = (
        "symbol_settings:\n  AAPL:\n    tick_size: 0.01\n    max_day_delta: 3\n    expected_status: ACCEPT\n"
        "    slippage_per_side: 0.01\n    quote_unit: USD\n    asset_class: equity\n    reference: tradestation\n"
    )
    profile.write_text(text.replace("symbol_settings:\n", share).replace("futures_only", "futures_and_equities"))
    relock(ctl, workspace)
    path = workspace / "data/raw/actions/AAPL.csv"
    whole = path.read_text()
    head, *lines = whole.splitlines()
    for number in (0, len(lines) // 2, len(lines) - 1):
        fields = lines[number].split(",")
        others = [*lines[:number], *lines[number + 1 :]]
        edited = [others]
        for at, value in enumerate(fields[1:], 1):
            try:
                other = f"{float(value) * 1.5 + 0.1:g}"
            except ValueError:
                continue
            row = ",".join([*fields[:at], other, *fields[at + 1 :]])
            edited.append([*lines[:number], row, *lines[number + 1 :]])
        assert len(edited) > 1
        for rows in edited:
            path.write_text("\n".join([head, *rows, ""]))
            assert not told(ctl, workspace)[0], rows[number : number + 1]
    path.write_text(whole)
    assert told(ctl, workspace) == (True, [])


def test_every_value_of_an_own_file_of_instruments(workspace: Path, ctl: Any) -> None:
    config = workspace / "ctl.toml"
    config.write_text(config.read_text().replace("simulated = true", 'simulated = true\ninstruments = "own.toml"', 1))
    own = workspace / "own.toml"
    lines = [
        "schema_version = 1", "[[terms.own]]", 'last_trade = "3rd Friday"', 'first_notice = "none"', 'source = "x"',
        'calendar = "CME_Equity"', "[instruments.ES]", "tick = 0.25", "point_value = 50.0", 'terms = "own"',
    ]  # fmt: skip
    own.write_text("\n".join([*lines, ""]))
    relock(ctl, workspace)
    for number, other in (
        (2, 'last_trade = "2nd Friday"'), (3, 'first_notice = "day 14"'), (5, 'calendar = "XNYS"'), (7, "tick = 0.5"),
        (8, "point_value = 5.0"), (9, ""),
    ):  # fmt: skip
        own.write_text("\n".join([*lines[:number], other, *lines[number + 1 :], ""]))
        assert ctl("gate", "-w", workspace).code != 0, other
    own.unlink()
    assert ctl("gate", "-w", workspace).code != 0
