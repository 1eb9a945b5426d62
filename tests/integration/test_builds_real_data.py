"""The build command against the builder written a second time (tests/answers/roll_independent.py).

Rolls and series, field by field, on four real commodities, on the ES roll of December 2013, and on contracts made
without any vendor.
"""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from bisect import bisect_left, bisect_right
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import roll_independent as independent

from ctl.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = ROOT / "tests" / "answers"
CONTRACTS = ROOT / ".." / "shared" / "data" / "contracts"
BLOOMBERG = CONTRACTS / "bloomberg_settles"
LEAN = CONTRACTS / "lean_es_2013"
ALL_MONTHS = "FGHJKMNQUVXZ"

needs_settles = pytest.mark.skipif(
    not BLOOMBERG.is_dir(), reason=f"real settlements are not present at {BLOOMBERG}: they are used in place only"
)
needs_lean = pytest.mark.skipif(not LEAN.is_dir(), reason=f"the ES contracts of 2013 are not present at {LEAN}")


STEMS = {root: stem for stem, root in independent.BLOOMBERG.items()}


@pytest.fixture
def build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `ctl build --contracts FILE --json` in this process: its manifest and the series it wrote."""

    def run(contracts: Path, root: str, *arguments: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        out = tmp_path / "out"
        capsys.readouterr()
        words = ["build", "--contracts", str(contracts), "--root", root, "--policy", "volume", "--out", str(out)]
        words += [] if "--guard" in arguments else ["--guard", "none"]  # the script knows the policy's own rule
        code = main([*words, "--json", *arguments])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        series = pl.read_parquet(out / f"{root}_continuous.parquet").to_dicts()
        return json.loads(captured.out), series

    return run


def _write(rows: list[list[str]], path: Path) -> Path:
    with path.open("w", newline="") as file:
        independent.write_contracts(rows, file)
    return path


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(theirs, float) and isinstance(ours, (int, float)) and not isinstance(ours, bool):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _differences(
    kind: str, keys: tuple[str, ...], ours: list[dict[str, Any]], theirs: list[dict[str, Any]]
) -> Iterator[str]:
    mine, answer = ({" ".join(str(row[key]) for key in keys): row for row in rows} for rows in (ours, theirs))
    if len(mine) != len(ours):
        yield f"{kind}: {len(ours) - len(mine)} doubled"
    for at in sorted(mine.keys() | answer.keys()):
        if at not in mine or at not in answer:
            yield f"{kind} {at}: only {'ctl' if at in mine else 'the independent script'} has it"
            continue
        for name, value in answer[at].items():
            found = mine[at].get(name, "missing")
            found = str(found) if name in keys else found
            if not _same(found, value):
                yield f"{kind} {at}.{name}: {found!r} against {value!r}"


def _found_otherwise(
    manifest: dict[str, Any], series: list[dict[str, Any]], answer: dict[str, Any], adjust: str = "difference"
) -> list[str]:
    """Where the rolls, the series or the pending roll are not those of the answer; the first dozen."""
    theirs = answer["series"]
    if adjust != "difference":  # only the difference has one meaning of the column: a sum of gaps
        theirs = [{name: value for name, value in row.items() if name != "adjustment"} for row in theirs]
    found = [
        *_differences("roll", ("roll_date", "from_contract"), manifest["rolls"], answer["rolls"]),
        *_differences("session", ("session",), series, theirs),
    ]
    if (
        not _same(manifest["pending_roll"], answer["pending_roll"])
        and manifest["pending_roll"] != answer["pending_roll"]
    ):
        found.append(f"pending_roll: {manifest['pending_roll']!r} against {answer['pending_roll']!r}")
    return found[:12]


def _options(case: dict[str, Any]) -> list[str]:
    words = ["--days", str(case["days"]), "--timing", case["timing"], "--adjust", case["adjust"]]
    return [*words, "--months", case["months"] or ALL_MONTHS]


# ---------------------------------------------------------------- real contracts


@needs_settles
@pytest.mark.parametrize("root", ["HG", "C", "HO", "S"])
def test_builds_equal_the_independent_script_on_real_settlements(build: Any, tmp_path: Path, root: str) -> None:
    """Under a root that nobody knows, so that no exchange's rule tells its last trade dates."""
    unknown = f"Q{root}"
    rows = independent.bloomberg_rows(BLOOMBERG / f"{STEMS[root]}.csv", root)
    plain = _write([[row[0], f"Q{row[1]}", *row[2:]] for row in rows], tmp_path / "q.csv")
    contracts = independent.read_contracts(plain, unknown)
    for case in independent.cases_of(root):
        manifest, series = build(plain, unknown, *_options(case))
        answer = independent.build(contracts, unknown, **case)
        assert _found_otherwise(manifest, series, answer, case["adjust"]) == [], independent.case_name(case)


@needs_settles
@pytest.mark.parametrize("root", ["HG", "C", "HO", "S"])
def test_builds_of_the_vendor_file_itself_know_last_trade_dates(build: Any, tmp_path: Path, root: str) -> None:
    source = BLOOMBERG / f"{STEMS[root]}.csv"
    plain = _write(independent.bloomberg_rows(source, root, with_last_trade=True), tmp_path / f"{root}.csv")
    case = {"days": 2, "timing": "next_session", "adjust": "difference", "months": None}
    manifest, series = build(source, root, *_options(case))
    answer = independent.build(independent.read_contracts(plain, root), root, **case)
    assert _found_otherwise(manifest, series, answer) == []


# Sessions that the exchange closed without notice: what was counted in advance comes a session or more late.
CLOSED_UNFORESEEN: dict[str, set[str]] = {"HG": set(), "C": set(), "HO": set(), "S": set()}


@needs_settles
@pytest.mark.parametrize("root", ["HG", "C", "HO", "S"])
def test_no_contract_is_held_into_its_last_days(build: Any, root: str) -> None:
    """With the default guard every roll is in force two sessions before the earlier of the file's own last trade date
    and the last session before the delivery month (heating oil is delivered after its last trade).
    """
    source = BLOOMBERG / f"{STEMS[root]}.csv"
    rows = list(csv.DictReader(source.read_text().splitlines()))
    sessions = sorted({date.fromisoformat(row["date"]) for row in rows})
    ends: dict[str, set[date]] = {}
    for row in rows:
        symbol = re.fullmatch(rf"{root}\s*([{ALL_MONTHS}])(\d+)(?: (\d\d))? Comdty", row["contract"])
        assert symbol is not None
        ends.setdefault(symbol[1], set()).add(date.fromisoformat(row["last_trade"]))
    manifest, _ = build(source, root, "--mapping", "bloomberg_settles", "--guard", "2")
    late, forced = set(), 0
    for roll in manifest["rolls"]:
        code, year = roll["from_contract"][-3], int(roll["from_contract"][-2:])
        month = date((1900 if year > 50 else 2000) + year, ALL_MONTHS.index(code) + 1, 1)
        end = min(ends[code], key=lambda day: abs((day - month).days))
        if root != "HO":
            end = min(end, sessions[bisect_left(sessions, month) - 1])
        limit = sessions[bisect_right(sessions, end) - 1 - 2]
        forced += roll["reason"] == "guard"
        if date.fromisoformat(roll["roll_date"]) > limit:
            late.add(roll["from_contract"])
    assert late == CLOSED_UNFORESEEN[root]
    assert manifest["counts"]["guard_rolls"] == forced > 0
    assert {roll["reason"] for roll in manifest["rolls"]} == {"volume", "guard"}


@needs_settles
@pytest.mark.parametrize("root", ["HG", "C", "HO", "S"])
def test_the_answers_in_the_repository_are_those_of_the_script(tmp_path: Path, root: str) -> None:
    stored = json.loads((ANSWERS / "roll_bloomberg.json").read_bytes())[root]["cases"]
    plain = _write(independent.bloomberg_rows(BLOOMBERG / f"{STEMS[root]}.csv", root), tmp_path / f"{root}.csv")
    contracts = independent.read_contracts(plain, root)
    for case in independent.cases_of(root):
        built = independent.build(contracts, root, **case)
        found = stored[independent.case_name(case)]
        assert independent.digest(built["rolls"]) == found["roll_digest"]
        assert independent.digest(built["series"]) == found["series_digest"]


@needs_lean
@pytest.mark.parametrize("timing", ["next_session", "same_session"])
def test_the_es_roll_of_december_2013_confirms_on_the_sixteenth(build: Any, tmp_path: Path, timing: str) -> None:
    plain = _write(independent.lean_rows(LEAN), tmp_path / "ES.csv")
    manifest, series = build(plain, "ES", "--timing", timing)
    (roll,) = manifest["rolls"]
    assert (roll["from_contract"], roll["to_contract"], roll["reason"]) == ("ESZ13", "ESH14", "volume")
    assert (roll["known_at"], roll["gap_session"]) == ("2013-12-16", "2013-12-16")
    assert roll["roll_date"] == {"next_session": "2013-12-17", "same_session": "2013-12-16"}[timing]
    assert (roll["from_close"], roll["to_close"], roll["gap"]) == (1785.25, 1779.0, -6.25)
    assert (roll["from_volume"], roll["to_volume"]) == ([347764, 202043], [868208, 1013308])
    answer = independent.build(independent.read_contracts(plain, "ES"), "ES", timing=timing)
    assert _found_otherwise(manifest, series, answer) == []


# ---------------------------------------------------------------- contracts without a vendor


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_builds_equal_the_independent_script_on_made_contracts(build: Any, tmp_path: Path, seed: int) -> None:
    plain = _write(independent.synthetic_rows(seed), tmp_path / "ZZ.csv")
    contracts = independent.read_contracts(plain, "ZZ")
    for months in (None, "HKNUZ", "HMUZ"):
        for base in independent.CASES:
            case = dict(base, months=months)
            manifest, series = build(plain, "ZZ", *_options(case))
            answer = independent.build(contracts, "ZZ", **case)
            assert _found_otherwise(manifest, series, answer, case["adjust"]) == [], independent.case_name(case)


def test_a_roll_known_at_the_end_of_the_data_is_pending(build: Any, tmp_path: Path) -> None:
    rows = independent.synthetic_rows(1, years=2)
    plain = _write(rows, tmp_path / "whole.csv")
    whole = independent.build(independent.read_contracts(plain, "ZZ"), "ZZ", months="HKNUZ")
    known_at = next(roll["known_at"] for roll in whole["rolls"][2:] if roll["reason"] == "volume")
    head = _write([row for row in rows if row[0] <= known_at], tmp_path / "head.csv")
    answer = independent.build(independent.read_contracts(head, "ZZ"), "ZZ", months="HKNUZ")
    assert answer["pending_roll"] is not None
    manifest, series = build(head, "ZZ", "--months", "HKNUZ")
    assert _found_otherwise(manifest, series, answer) == []


def test_the_made_contracts_hold_what_they_are_for(tmp_path: Path) -> None:
    """Guard against contracts that pass because nothing happens on them."""
    forced = skipped = unconfirmed = weekend = folded = apart = 0
    for seed in (1, 2, 3, 5):
        rows = independent.synthetic_rows(seed)
        contracts = independent.read_contracts(_write(rows, tmp_path / "ZZ.csv"), "ZZ")
        weekend += sum(independent.date.fromisoformat(row[0]).weekday() == 6 for row in rows)
        folded += sum(day.weekday() > 4 for bars in contracts.values() for day in bars)
        for months in (None, "HKNUZ", "HMUZ"):
            built = independent.build(contracts, "ZZ", months=months)
            forced += sum(roll["reason"] == "contract_ended" for roll in built["rolls"])
            apart += sum(not roll["concurrent"] for roll in built["rolls"])
            skipped += built["skipped_sessions"]
            unconfirmed += built["unconfirmed_crossovers"]
    assert folded == 0
    assert min(forced, skipped, unconfirmed, weekend, apart) > 0


def test_the_command_as_a_user_runs_it(tmp_path: Path) -> None:
    plain = _write(independent.synthetic_rows(1), tmp_path / "ZZ.csv")
    words = ["--contracts", str(plain), "--root", "ZZ", "--months", "HKNUZ", "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "ctl", "build", "--guard", "none", *words],
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr.decode()
    series = pl.read_parquet(tmp_path / "out" / "ZZ_continuous.parquet").to_dicts()
    answer = independent.build(independent.read_contracts(plain, "ZZ"), "ZZ", months="HKNUZ")
    assert _found_otherwise(json.loads(done.stdout), series, answer) == []
