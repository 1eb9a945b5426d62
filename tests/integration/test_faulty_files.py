"""Damaged files through the real commands: one clear line that says where, exit 1, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

HEAD = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol"
DAYS = [day for day in (date(2024, 1, 1) + timedelta(days=n) for n in range(40)) if day.weekday() < 5]
ROWS = [f"{day}T00:00:00Z,35,1,7,{100 + n},{103 + n},{99 + n},{101 + n},{900 + n},PLJ4" for n, day in enumerate(DAYS)]
NORGATE = ["Date,Open,High,Low,Close,Volume,Open Interest,Delivery Month"] + [
    f"{day},{100 + n},{103 + n},{99 + n},{101 + n},{900 + n},{5000 + n},202404" for n, day in enumerate(DAYS)
]


def text(rows: Sequence[str], head: str = HEAD) -> bytes:
    return "\n".join([head, *rows, ""]).encode()


def with_cell(column: str, value: str, at: int = 9) -> bytes:
    cells = ROWS[at].split(",")
    cells[HEAD.split(",").index(column)] = value
    return text([*ROWS[:at], ",".join(cells), *ROWS[at + 1 :]])


def objects(**changed: str) -> bytes:
    """One JSON object per line; values of the tenth replaced by text that may be no JSON."""
    lines = [dict(zip(HEAD.split(","), row.split(","), strict=True)) for row in ROWS]
    written = [json.dumps(line) for line in lines]
    for name, value in changed.items():
        written[9] = written[9].replace(json.dumps(lines[9][name]), value)
    return "\n".join(written).encode()


FAULTS = {
    "year 1": ("a.csv", with_cell("ts_event", "0001-01-01T00:00:00Z"), "row 11, column 'ts_event': not a plausible"),
    "year 9999": ("a.csv", with_cell("ts_event", "9999-12-31T00:00:00Z"), "row 11, column 'ts_event'"),
    "no close anywhere": (
        "a.csv",
        text([",".join([*row.split(",")[:7], "", *row.split(",")[8:]]) for row in ROWS]),
        "no bar of PL has a close",
    ),
    "blanks alone": ("a.csv", b" \n\n ", "the file is empty"),
    "NaN in JSON": ("a.json", objects(close="NaN"), "no table in JSON; found NaN"),
    "a list that ends early": ("a.json", b"[" + objects().replace(b"\n", b","), "no table in JSON; found line 1"),
    "no object": ("a.json", b"[]", "no bars; found no columns"),
    "instants beyond any": (
        "a.csv",
        text(["99999999999999999999,1,2,1,2,5"] * 2, "time,open,high,low,close,volume"),
        "column 'time'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_file_is_one_clear_line_and_nothing_is_written(
    tmp_path: Path, ctl: Callable[..., Any], fault: str
) -> None:
    name, content, said = FAULTS[fault]
    (tmp_path / name).write_bytes(content)
    ran = ctl("build", "--contracts", tmp_path / name, "--root", "PL", "--out", tmp_path / "out")
    assert ran.code == 1
    (line,) = [each for each in ran.err.splitlines() if each.startswith("ctl:")]
    assert said in line
    assert "unexpected" not in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [3, 12, 25])
def test_a_reference_cut_inside_its_last_row_is_refused(tmp_path: Path, ctl: Callable[..., Any], cut: int) -> None:
    """Rows of this format may lack their last cells; one without a line end that does was cut."""
    (tmp_path / "a.csv").write_bytes(text(ROWS))
    whole = "\n".join(NORGATE)
    (tmp_path / "NG_PL_1D_x.csv").write_text(whole[:-cut])
    ran = ctl(
        "certify", "--contracts", tmp_path / "a.csv", "--root", "PL", "--tick", "0.1", "--max-day-delta", "2",
        "--unadjusted", tmp_path / "NG_PL_1D_x.csv", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 1
    assert f"row {len(NORGATE)}" in ran.err
    assert not (tmp_path / "out").exists()


def test_sessions_that_a_series_lost_are_said(tmp_path: Path, ctl: Callable[..., Any]) -> None:
    """One close missing, and two days of the file gone: 2024-01-22 and 23 are sessions of NYMEX."""
    gone = [row for row in ROWS if row[:10] not in ("2024-01-22", "2024-01-23")]
    empty = gone[5].split(",")
    empty[7] = ""
    (tmp_path / "a.csv").write_bytes(text([*gone[:5], ",".join(empty), *gone[6:]]))
    ran = ctl("build", "--contracts", tmp_path / "a.csv", "--root", "PL", "--out", tmp_path / "out")
    assert ran.code == 0
    (line,) = [each for each in ran.out.splitlines() if each.startswith("Missing")]
    assert line.split(maxsplit=1)[1] == "3 sessions of the calendar without a usable bar"


@pytest.mark.parametrize("close", ["0", "-110", "9999"])
def test_a_close_that_is_no_price_is_named(tmp_path: Path, ctl: Callable[..., Any], close: str) -> None:
    (tmp_path / "a.csv").write_bytes(with_cell("close", close))
    ran = ctl("build", "--contracts", tmp_path / "a.csv", "--root", "PL", "--json")
    assert ran.code == 0
    assert [(bad["contract"], bad["session"], bad["close"]) for bad in ran.document["bad_closes"]] == [
        ("PLJ24", str(DAYS[9]), float(close))
    ]
