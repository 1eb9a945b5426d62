"""`ctl contracts`: on a workspace and on plain files, as text and as one document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.csv"
    path.write_text(
        "session,contract,open,high,low,close,volume\n"
        "2025-11-24,GCZ25,10,11,9,10,100\n2025-12-30,GCZ25,10,11,9,10,100\n2025-11-24,GCG26,12,13,11,12,50\n"
    )
    return path


def test_plain_files_as_a_document(ctl, gold):
    ran = ctl("contracts", "--contracts", gold, "--root", "GC", "--json")
    assert ran.code == 0, ran.err
    assert (ran.document["kind"], ran.document["schema_version"], ran.document["root"]) == ("contracts", 1, "GC")
    december, february = ran.document["contracts"]
    # COMEX for December 2025: last trade on the third last business day, first notice on the last one of November.
    assert december == {
        "contract": "GCZ25", "first_bar": "2025-11-24", "last_bar": "2025-12-30", "bars": 2,
        "last_trade": "2025-12-29", "last_trade_source": "rule",
        "first_notice": "2025-11-28", "first_notice_source": "rule", "bars_after_last_trade": 1,
    }  # fmt: skip
    assert (february["last_trade"], february["first_notice"]) == ("2026-02-25", "2026-01-30")
    (rule,) = ran.document["rules"]
    assert (rule["since"], rule["calendar"]) == (None, "CMEGlobex_Metals")


def test_text_names_dates_and_sources(ctl, gold):
    ran = ctl("contracts", "--contracts", gold, "--root", "GC")
    assert ran.code == 0
    (line,) = [line for line in ran.out.splitlines() if line.startswith("GCZ25")]
    shown = "GCZ25 2025-11-24 2025-12-30 2 2025-12-29 rule 2025-11-28 rule 1"
    assert " ".join(line.split()) == shown


def test_a_workspaces_root_has_the_definitions_of_its_vendor(ctl, filled_workspace):
    ran = ctl("contracts", "CL", "-w", filled_workspace, "--json")
    assert ran.code == 0, ran.err
    by_name = {each["contract"]: each for each in ran.document["contracts"]}
    assert by_name["CLF20"]["first_notice_source"] == "none"
    ran = ctl("contracts", "PL", "-w", filled_workspace, "--json")
    assert {each["last_trade_source"] for each in ran.document["contracts"]} == {"definition"}
    assert {each["first_notice_source"] for each in ran.document["contracts"]} == {"rule"}


@pytest.mark.parametrize(
    "arguments", [["contracts"], ["contracts", "--contracts", "x.csv"], ["contracts", "ES", "--contracts", "x.csv"]]
)
def test_wrong_arguments(ctl, arguments):
    assert ctl(*arguments).code == 64


def test_an_unknown_future_of_a_workspace(ctl, filled_workspace):
    ran = ctl("contracts", "AAPL", "-w", filled_workspace)
    assert ran.code == 64
    assert "ES" in ran.err


def test_help_imports_no_calendar() -> None:
    code = (
        "import sys; from ctl.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'exchange_calendars', 'pandas_market_calendars', 'polars'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
