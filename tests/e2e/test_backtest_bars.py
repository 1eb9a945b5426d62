"""`ctl backtest` on plain files: bars that cannot be, a share's split, parts of a file, files written."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any


def rising(count: int = 320) -> list[list[Any]]:
    """A share that rises 0.4 % a day from 100, on weekdays."""
    day, price, rows = date(2022, 1, 3), 100.0, []
    while len(rows) < count:
        if day.weekday() < 5:
            after = price * 1.004
            rows.append([day, price, after * 1.002, price * 0.998, after, 1_000_000])
            price = after
        day += timedelta(days=1)
    return rows


def written(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["session", "open", "high", "low", "close", "volume"], *rows])
    return path


def test_impossible_bars_are_refused_or_dropped(ctl: Any, tmp_path: Path) -> None:
    rows = rising()
    rows[300][2], rows[300][3] = rows[300][3], rows[300][2]
    path = written(tmp_path / "bars.csv", rows)
    refused = ctl("backtest", path)
    assert refused.code == 1
    assert str(rows[300][0]) in refused.err
    assert "--drop-bad-bars" in refused.err
    dropped = ctl("backtest", path, "--drop-bad-bars", "--json")
    assert dropped.code == 0
    assert "left out" in dropped.err


def test_a_series_within_its_warm_up_says_so(ctl: Any, tmp_path: Path) -> None:
    ran = ctl("backtest", written(tmp_path / "bars.csv", rising(150)))
    assert ran.code == 0
    assert "nothing could trigger" in ran.err
    assert "nothing could trigger" not in ctl("backtest", written(tmp_path / "more.csv", rising())).err


def test_a_split_needs_its_actions(ctl: Any, tmp_path: Path) -> None:
    rows = rising()
    for row in rows[260:]:
        row[1:5] = [value / 4 for value in row[1:5]]
        row[5] *= 4
    path = written(tmp_path / "share.csv", rows)
    refused = ctl("backtest", path)
    assert refused.code == 1
    assert str(rows[260][0]) in refused.err
    assert "--actions" in refused.err
    actions = tmp_path / "actions.csv"
    actions.write_text(f"date,split_ratio,dividend\n{rows[260][0]},4,0\n")
    ran = ctl("backtest", path, "--actions", actions, "--json")
    assert ran.code == 0, ran.err
    smooth = ctl("backtest", written(tmp_path / "smooth.csv", rising()), "--json").document
    assert ran.document["metrics"]["trigger_count"] == smooth["metrics"]["trigger_count"]


def test_a_part_of_a_file_is_run_and_written(ctl: Any, tmp_path: Path) -> None:
    rows = rising()
    path, out = written(tmp_path / "bars.csv", rows), tmp_path / "out"
    ran = ctl("backtest", path, "--from", rows[10][0], "--to", rows[290][0], "--out", out, "--json")
    assert ran.code == 0, ran.err
    part = ctl("backtest", written(tmp_path / "part.csv", rows[10:291]), "--json").document
    assert ran.document["metrics"] == part["metrics"]
    assert json.loads((out / "bars_backtest.json").read_bytes()) == ran.document
    assert sorted(file.name for file in out.iterdir()) == [
        "bars_backtest.json", "bars_trades.csv", "bars_triggers.csv",
    ]  # fmt: skip
    assert ctl("backtest", path, "--from", "2030-01-01").code == 1
    assert ctl("backtest", path, "--to", "yesterday").code == 64


def test_the_page_of_a_backtest_says_what_comes_next(ctl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("b.csv").write_text("session,open,high,low,close,volume\n2025-01-06,1,2,1,2,5\n2025-01-07,2,3,2,3,5\n")
    ran = ctl("backtest", "b.csv", "--html", "b.html")
    assert ran.code == 0
    following = ran.out.splitlines()[-1].removeprefix("next: ")
    assert following.startswith("ctl backtest b.csv --html b.html --table ")
    assert f"<code>{following}</code>" in Path("b.html").read_text()
    assert ctl(*following.split()[1:]).code == 0
