"""A replay as of a week is the gate on files that physically end there."""

from __future__ import annotations

import io
import shutil
import struct
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ctl.flows import replay

NANOSECONDS = 86_400_000_000_000


def cut_dbn(data: bytes, last: date) -> bytes:
    """A DBN stream without the records of days after `last`: header, then records of 4 * their first byte."""
    raw = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    at = 8 + struct.unpack_from("<I", raw, 4)[0]
    kept = [raw[:at]]
    end = ((last - date(1970, 1, 1)).days + 1) * NANOSECONDS
    while at < len(raw):
        size = 4 * raw[at]
        if struct.unpack_from("<Q", raw, at + 8)[0] < end:
            kept.append(raw[at : at + size])
        at += size
    return zstandard.ZstdCompressor().compress(b"".join(kept))


def cut_csv(text: str, last: date, form: str) -> str:
    """Lines of days up to `last`; the day is the first thing that reads as one of `form`."""
    head, *lines = text.splitlines(keepends=True)
    column = 0 if form == "%m/%d/%Y" else head.split(",").index("ts_event")
    days = [datetime.strptime(line.split(",")[column][:10], form).replace(tzinfo=UTC).date() for line in lines]
    return head + "".join(line for line, day in zip(lines, days, strict=True) if day <= last)


def truncate(folder: Path, last: date) -> int:
    """Cut every raw file of the gating symbols after `last`; returns how many became smaller."""
    paths = [path for symbol in ("ES", "CL", "PL") for path in (folder / f"data/raw/databento/{symbol}").iterdir()]
    paths += (folder / "data/raw/tradestation").iterdir()
    smaller = 0
    for path in paths:
        data = path.read_bytes()
        if ".definition." in path.name:
            continue  # what a contract is was published before it traded
        if path.name.endswith(".dbn.zst"):
            cut = cut_dbn(data, last)
        elif path.name.endswith(".csv.zst"):
            text = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read().decode()
            cut = zstandard.ZstdCompressor().compress(cut_csv(text, last, "%Y-%m-%d").encode())
        else:
            cut = cut_csv(data.decode(), last, "%m/%d/%Y").encode()
        path.write_bytes(cut)
        smaller += len(cut) < len(data)
    return smaller


@pytest.mark.parametrize("day", ["2019-06-07", "2022-12-30", "2025-06-13"])
def test_a_replayed_week_is_the_gate_on_files_that_end_there(workspace: Path, ctl: Any, day: str) -> None:
    ran = ctl("replay", "-w", workspace, "--from", day, "--to", day, "--json")
    assert ran.code == 0, ran.err
    (week,) = ran.document["weeks"]
    as_of = ctl("gate", "-w", workspace, "--as-of", day, "--json").document
    assert truncate(workspace, date.fromisoformat(day)) >= 9
    gate = ctl("gate", "-w", workspace, "--json").document
    assert (week["as_of"], week["passed"]) == (day, as_of["passed"])
    # Without the words that it is of a past week, data that end before the locked last session are stale.
    assert [[reason["code"] for reason in item["reasons"]] for item in gate["symbol_results"]] == [["STALE_INPUT"]] * 3
    assert [item["metrics"] for item in as_of["symbol_results"]] == [item["metrics"] for item in gate["symbol_results"]]
    assert [item["certificate_sha256"] for item in week["symbols"]] == [
        item["certificate_sha256"] for item in as_of["symbol_results"]
    ]


def test_early_weeks_are_blocked_and_the_last_one_passes(workspace: Path, ctl: Any) -> None:
    early = ctl("replay", "-w", workspace, "--from", "2018-01-01", "--to", "2018-01-14", "--every", "week", "--json")
    assert [(week["as_of"], week["passed"]) for week in early.document["weeks"]] == [
        ("2018-01-05", False),
        ("2018-01-12", False),
    ]
    # 2018-01-02 to 2018-01-05 are four sessions
    assert "shared sessions 4 < 500" in early.document["weeks"][0]["first_reason"]
    late = ctl("replay", "-w", workspace, "--from", "2026-02-16", "--to", "2026-06-30", "--json").document
    assert [week["as_of"] for week in late["weeks"]] == ["2026-02-20", "2026-02-27"]
    assert (late["passed"], late["blocked"], late["through"], late["to"]) == (2, 0, "2026-02-27", "2026-06-30")
    assert late["weeks"][0]["first_reason"] is None
    assert "back-adjusted" in late["note"]


def test_before_the_data_every_symbol_is_an_error(workspace: Path, ctl: Any) -> None:
    document = ctl("replay", "-w", workspace, "--from", "2017-12-25", "--to", "2017-12-31", "--json").document
    (week,) = document["weeks"]
    assert {item["actual"] for item in week["symbols"]} == {"ERROR"}
    assert "no bars up to the as-of date" in week["first_reason"]


def test_the_table_shows_each_week_and_says_what_it_rests_on(workspace: Path, ctl: Any) -> None:
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    out = ctl("replay", "-w", workspace, "--from", "2018-01-01", "--to", "2018-01-07").out
    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before
    (row,) = [line for line in out.splitlines() if line.startswith("2018-01-05")]
    assert row.split()[1:3] == ["MISMATCH", "ES:"]
    assert out.startswith("REPLAY: 0 of 1 weeks pass")
    assert out.endswith("next: ctl gate --as-of 2018-01-05\n")
    assert "back-adjusted level" in out
    assert "simulated market" in out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--from", "2025-01-01"], 64, "--to"),
        (["--from", "soon", "--to", "2025-01-01"], 64, "--from is no date"),
        (["--from", "2025-01-02", "--to", "2025-01-01"], 64, "--to lies before --from"),
        (["--from", "2025-01-02", "--to", "2025-02-01", "--every", "day"], 64, "--every"),
        (["--from", "2026-03-02", "--to", "2026-03-31"], 1, "data up to 2026-02-27"),
        (["--from", "2025-01-06", "--to", "2025-01-09"], 1, "no trading week ends in the range"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    filled_workspace: Path, ctl: Any, arguments: list[str], code: int, text: str
) -> None:
    ran = ctl("replay", "-w", filled_workspace, *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert text in ran.err


def test_a_week_ends_with_its_last_session_also_before_a_holiday() -> None:
    # Good Friday 2025-04-18 and Friday 2025-07-04 were holidays of the New York Stock Exchange
    assert replay.last_sessions("XNYS", date(2025, 4, 14), date(2025, 4, 25)) == [date(2025, 4, 17), date(2025, 4, 25)]
    assert replay.last_sessions("XNYS", date(2025, 7, 1), date(2025, 7, 3)) == [date(2025, 7, 3)]
    assert replay.last_sessions("XNYS", date(2025, 7, 1), date(2025, 7, 2)) == []
    assert replay.last_sessions("XNYS", date(2025, 7, 5), date(2025, 7, 6)) == []
    fridays = [date(2025, 1, 3) + timedelta(weeks=week) for week in range(4)]
    assert replay.last_sessions("XNYS", fridays[0], fridays[-1]) == fridays


def test_the_files_are_read_once_for_all_weeks(workspace: Path, ctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ctl import ingest

    real, read = ingest.read_contracts, []

    def counted(*arguments: Any, **options: Any) -> Any:
        ((folder,), root) = arguments
        read.append(f"{folder.parent.name}/{root}")
        return real(*arguments, **options)

    shutil.rmtree(workspace / ".ctl")  # what the workspace was locked on lies in its cache
    monkeypatch.setattr(ingest, "read_contracts", counted)
    ran = ctl("replay", "-w", workspace, "--from", "2025-01-01", "--to", "2025-01-31", "--json")
    assert len(ran.document["weeks"]) == 5
    # The reference ships bars per contract for ES alone.
    assert read == ["databento/ES", "tradestation_contracts/ES", "databento/CL", "databento/PL"]
