"""Output that cannot be written, interrupts, and terminals of another encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

# Longer than the warm-up, which would be said on stderr.
DAYS = [date(2024, 1, 1) + timedelta(days=7 * (n // 5) + n % 5) for n in range(210)]
ROWS = "session,open,high,low,close,volume\n" + "".join(f"{day},1,2,1,2,5\n" for day in DAYS)
FULL = Path("/dev/full")


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    path = tmp_path / "données.csv"
    path.write_text(ROWS)
    return path


def run(*arguments: str | Path, **options):
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "ctl", *map(str, arguments)], env=environment, check=False, timeout=300,
        **({"stdout": subprocess.PIPE} | options), stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_output_to_a_full_disk_is_one_error(bars, json_too):
    with FULL.open("w") as full:
        ran = run("backtest", bars, *json_too, stdout=full)
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines() == ["ctl: the output, or the current folder: No space left on device"]


def test_closed_output_is_no_crash(bars):
    ran = run("backtest", bars, preexec_fn=lambda: os.close(1))
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_another_encoding_still_shows_help_and_results(bars, encoding):
    environment = {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = run("--help", env=environment)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"Exit codes: 0 done" in shown.stdout
    ran = run("backtest", bars, env=environment)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"data to 2024-10-18" in ran.stdout
    assert json.loads(run("backtest", bars, "--json", env=environment).stdout)["triggers"] == []


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path):
    path = os.fsencode(tmp_path) + b"/bars\xff.csv"
    try:
        with open(path, "w") as handle:  # noqa: PTH123 - a path of bytes
            handle.write(ROWS)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    ran = run("backtest", os.fsdecode(path))
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_an_interrupt_is_told_and_exits_130(ctl, bars, monkeypatch):
    """Ctrl-C in the middle of the work of a command."""
    from ctl.ingest import source

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(source, "load_all", interrupted)
    ran = ctl("backtest", bars)
    assert (ran.code, ran.out, ran.err.splitlines()) == (130, "", ["ctl: interrupted"])
