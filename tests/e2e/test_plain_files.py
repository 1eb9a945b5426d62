"""`ctl build`, `certify` and `backtest` on plain files, without a workspace."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

HEADER = "session,contract,open,high,low,close,volume"


def weekdays(first: date, count: int) -> list[date]:
    days = (first + timedelta(days=n) for n in range(count * 2))
    return [day for day in days if day.weekday() < 5][:count]


def contract_rows(name: str, days: list[date], base: float, volumes: list[int]) -> list[str]:
    return [
        f"{day},{name},{base + n},{base + n + 1},{base + n - 1},{base + n},{volume}"
        for n, (day, volume) in enumerate(zip(days, volumes, strict=True))
    ]


@pytest.fixture
def two_contracts(tmp_path: Path) -> tuple[Path, Path, list[date]]:
    """ESH25 at 100, 101, ... and ESM25 ten points above; volume crosses on the 6th session and stays."""
    days = weekdays(date(2025, 1, 6), 10)
    front, back = tmp_path / "ESH25.csv", tmp_path / "ESM25.csv"
    front.write_text("\n".join([HEADER, *contract_rows("ESH25", days, 100.0, [900] * 5 + [100] * 5)]))
    back.write_text("\n".join([HEADER, *contract_rows("ESM25", days, 110.0, [100] * 5 + [900] * 5)]))
    return front, back, days


def test_build_takes_files_as_a_shell_globs_them(ctl, two_contracts, tmp_path):
    front, back, days = two_contracts
    out = tmp_path / "out"
    ran = ctl("build", "--contracts", front, back, "--root", "ES", "--out", out, "--csv", "--json")
    assert ran.code == 0, ran.err
    (roll,) = ran.document["rolls"]
    # Two consecutive sessions: the 6th and the 7th; in force on the 8th; the gap is 10 everywhere.
    assert roll["known_at"] == roll["gap_session"] == str(days[6])
    assert roll["roll_date"] == str(days[7])
    assert (roll["from_contract"], roll["to_contract"], roll["gap"]) == ("ESH25", "ESM25", 10.0)
    frame = pl.read_parquet(out / "ES_continuous.parquet")
    assert frame["close"].to_list() == [110.0 + n for n in range(10)]
    assert frame["adjustment"].to_list() == [10.0] * 7 + [0.0] * 3
    manifest = json.loads((out / "ES_roll_manifest.json").read_bytes())
    assert manifest["rolls"] == ran.document["rolls"]
    assert set(manifest["outputs"]) == {"ES_continuous.parquet", "ES_continuous.csv"}
    again = ctl("build", "--contracts", front, "--contracts", back, "--root", "ES", "--json")
    assert again.document["rolls"] == ran.document["rolls"]


def test_build_counts_on_the_calendar_that_is_named(ctl, two_contracts):
    front, back, days = two_contracts
    base = ("build", "--contracts", front, back, "--root", "ES", "--json")
    # 2025-01-09, the day of mourning: XNYS was shut, CME traded.
    assert days[3] == date(2025, 1, 9)
    counts = {name: ctl(*base, "--calendar", name).document["counts"] for name in ("XNYS", "CMES", "none")}
    assert (counts["XNYS"]["sessions_off_calendar"], counts["CMES"]["sessions_off_calendar"]) == (1, 0)
    assert "sessions_off_calendar" not in counts["none"]


def test_build_options_reach_the_builder(ctl, two_contracts):
    front, back, days = two_contracts
    base = ("build", "--contracts", front, back, "--root", "ES", "--json")
    same = ctl(*base, "--timing", "same_session").document["rolls"][0]
    assert same["roll_date"] == str(days[6])
    one = ctl(*base, "--days", "1").document["rolls"][0]
    assert one["known_at"] == str(days[5])
    assert ctl(*base, "--months", "H").document["rolls"] == []
    assert ctl(*base, "--adjust", "none").document["adjustment"] == "none"


def test_build_refuses_another_root_and_writes_nothing(ctl, two_contracts, tmp_path):
    front, back, _ = two_contracts
    out = tmp_path / "out"
    ran = ctl("build", "--contracts", front, back, "--root", "NQ", "--out", out)
    assert ran.code == 1
    assert "found ES; expected NQ" in ran.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("2025-01-06,ESH25,nan,101,99,100,5", "nan"),
        ("2025-01-06,ESH25,100,101,99,inf,5", "inf"),
        ("2025-01-06,ESH25,100,101,99,100,-5", "-5"),
        ("2025-01-07,ESH25,100,101,99,100,5", "2025-01-07"),
        ("06.01.2025,ESH25,100,101,99,100,5", "06.01.2025"),
        ("2025-01-06,../../etc/passwd,100,101,99,100,5", "passwd"),
    ],
)
def test_bad_rows_are_one_error_and_nothing_is_written(ctl, tmp_path, line, wrong):
    path, out = tmp_path / "bad.csv", tmp_path / "out"
    path.write_text("\n".join([HEADER, "2025-01-07,ESH25,100,101,99,100,5", line]))
    ran = ctl("build", "--contracts", path, "--root", "ES", "--out", out)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "bad.csv" in ran.err
    assert wrong in ran.err
    assert not out.exists()


def series_file(path: Path, days: list[date], closes: list[float]) -> Path:
    rows = [f"{day},{close},{close + 1},{close - 1},{close},100" for day, close in zip(days, closes, strict=True)]
    path.write_text("\n".join(["session,open,high,low,close,volume", *rows]))
    return path


def test_certify_on_plain_files_gives_the_whole_certificate(ctl, two_contracts, tmp_path):
    front, back, days = two_contracts
    unadjusted = series_file(tmp_path / "U.csv", days, [100.0 + n + (10 if n >= 7 else 0) for n in range(10)])
    adjusted = series_file(tmp_path / "A.csv", days, [110.0 + n for n in range(10)])
    ran = ctl(
        "certify", "--contracts", front, back, "--root", "ES", "--tick", "0.25", "--max-day-delta", "3",
        "--adjusted", adjusted, "--unadjusted", unadjusted, "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    document = ran.document
    # Ten sessions are far from the 500 that a certificate needs, and one roll lies within ten sessions of both edges.
    assert document["decision"] == "REJECT"
    assert {reason["code"] for reason in document["reasons"]} >= {"INSUFFICIENT_OVERLAP", "PAIRED_ROLLS"}
    assert document["overlap"]["shared_sessions"] == 10
    assert document["mean_drift"] == 0.0
    assert len(document["canonical_rolls"]) == len(document["reference_rolls"]) == 1


def test_backtest_document_and_parameters(ctl, tmp_path):
    days = weekdays(date(2020, 1, 1), 260)
    path = series_file(tmp_path / "bars.csv", days, [100.0 + 0.5 * n for n in range(260)])
    ran = ctl("backtest", path, "--tick", "0.25", "--slippage", "0.25", "--param", "slope_threshold=6", "--json")
    assert ran.code == 0, ran.err
    assert list(ran.document) == [
        "kind", "schema_version", "parameters", "triggers", "trades", "open", "metrics", "fingerprint", "statistics"
    ]  # fmt: skip
    assert ran.document["statistics"]["expectancy"]["trades"] == 0
    assert ran.document["parameters"]["slope_threshold"] == 6.0
    assert ran.document["triggers"] == []
    refused = ctl("backtest", path, "--param", "slope_threshold=99")
    assert refused.code == 64
    assert "4 to 14" in refused.err
    assert ctl("backtest", path, "--param", "slope_threshold=99", "--unregistered", "--json").code == 0
    assert ctl("backtest", path, "--param", "nonsense=1").code == 64
    assert ctl("backtest", path, "--calendar", "XNOWHERE").code == 64


def test_settlement_only_series_cannot_be_run(ctl, tmp_path):
    path = tmp_path / "settles.csv"
    path.write_text("session,open,high,low,close,volume\n2025-01-06,,,,100,5\n2025-01-07,,,,101,5\n")
    ran = ctl("backtest", path)
    assert ran.code == 1
    assert "settlement-only" in ran.err
