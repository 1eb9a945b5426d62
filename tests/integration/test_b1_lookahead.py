"""No look-ahead through the whole chain: contracts cut at a session give the triggers that all of them give up to it.

Rolls after the cut shift every earlier price of the full series; percentages must not notice (b1.md, the as-of frame).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import b1_independent as b1
import polars as pl
import pytest

from ctl.cli import main

LEVELS = ("ema", "stop", "swing_high", "tp1", "tp2", "tp3", "tp4", "tp5")
PERCENTAGES_AND_FLAGS = (
    "slope",
    "atr",
    "bars_of_air",
    "wr_divergence",
    "clean_pullback",
    "volume_declining",
    "gap_below",
    "near_high",
    "fib_confluence",
    "single_bar_pullback",
    "weekly_aligned",
    "monthly_aligned",
)


def _contracts(sessions: int) -> list[list[str]]:
    """Quarterly contracts on one trending path, each at its own premium, so that every roll leaves a gap."""
    bars = b1.synthetic_bars(2, sessions=sessions)
    rows = []
    for n, day in enumerate(bars.session):
        path = [column[n] - bars.a[n] for column in (bars.o, bars.h, bars.l, bars.c)]
        for quarter in range(1990 * 4, (bars.session[-1].year + 2) * 4):
            year, month = quarter // 4, quarter % 4 * 3 + 3
            left = (b1.date(year, month, 15) - day).days
            if not 0 <= left <= 200:
                continue
            premium = quarter * 37 % 101 * 0.25 + quarter % 400 * 0.5
            volume = 100 * max(220 - abs(left - 60), 1) + quarter % 7
            rows.append([day.isoformat(), f"ZZ{'HMUZ'[quarter % 4]}{year % 100:02d}"])
            rows[-1] += [repr(price + premium) for price in path] + [str(volume), str(volume * 3)]
    return rows


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    return _contracts(2600)


def _triggers(
    rows: list[list[str]], folder: Path, timeframe: str, capsys: pytest.CaptureFixture[str]
) -> tuple[list[dict[str, Any]], pl.DataFrame]:
    """Build and backtest through the commands; the triggers and the series they were found on."""
    header = ["session", "contract", "open", "high", "low", "close", "volume", "open_interest"]
    folder.mkdir()
    (folder / "ZZ.csv").write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    words = ["--contracts", str(folder / "ZZ.csv"), "--root", "ZZ", "--months", "HMUZ", "--out", str(folder / "out")]
    assert main(["build", *words]) == 0, capsys.readouterr().err
    series = pl.read_parquet(folder / "out" / "ZZ_continuous.parquet")
    names = ("session", "open", "high", "low", "close", "volume", "adjustment")
    series.select(names).write_csv(folder / "bars.csv")
    capsys.readouterr()
    words = [str(folder / "bars.csv"), "--json", "--timeframe", timeframe, "--param", "slope_threshold=4"]
    assert main(["backtest", *words]) == 0
    return json.loads(capsys.readouterr().out)["triggers"], series


@pytest.mark.parametrize("timeframe", ["daily", "weekly"])
def test_contracts_cut_at_a_session_give_the_same_triggers_up_to_it(
    rows: list[list[str]], tmp_path: Path, timeframe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, series = _triggers(rows, tmp_path / "whole", timeframe, capsys)
    carried = dict(series.select("session", "adjustment").iter_rows())
    shifts, compared = set(), 0
    sessions = series["session"].to_list()
    for cut in (1250, 1500, 1811, 2137, 2420):
        # A week ends with its last session: weekly triggers are compared up to a cut that completes one.
        last = next(day for day in sessions[cut:] if timeframe == "daily" or day.weekday() == 4)
        head, _ = _triggers([row for row in rows if row[0] <= last.isoformat()], tmp_path / str(cut), timeframe, capsys)
        expected = [row for row in whole if row["trigger_session"] <= last.isoformat()]
        assert [row["trigger_session"] for row in head] == [row["trigger_session"] for row in expected]
        shift = carried[last]
        shifts.add(shift)
        for ours, full in zip(head, expected, strict=True):
            for name in PERCENTAGES_AND_FLAGS:
                expected_value = pytest.approx(full[name], rel=1e-9) if name in ("slope", "atr") else full[name]
                assert ours[name] == expected_value, (last, ours["trigger_session"], name)
            for name in LEVELS:
                assert ours[name] == pytest.approx(full[name] - shift, rel=1e-9), (last, ours["trigger_session"], name)
            compared += 1
    assert len(shifts) >= 4
    assert compared >= (40 if timeframe == "daily" else 4)
