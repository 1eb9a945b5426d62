"""Arguments, exit codes and errors of the command line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

from ctl.cli.app import app

HEAVY = (
    "polars",
    "numpy",
    "numba",
    "pandas",
    "pydantic",
    "databento_dbn",
    "exchange_calendars",
    "httpx",
    "ctl.model.run",
)


@pytest.mark.parametrize(
    "arguments",
    [
        ["gat"], ["gate", "--bogus"], ["gate", "--profile", "nowhere.yaml"], ["gate", "--as-of", "yesterday"],
        ["ops", "--notify", "sms"], ["ops", "--retention-days", "0"], ["run", "--timeframe", "hourly"], ["backtest"],
        ["backtest", "nowhere.csv"], ["demo", "x", "--inject", "gremlins:ES"], ["demo", "x", "--inject", "stale-data"],
        ["build", "--contracts", "x.csv"], ["certify", "ES", "--contracts", "x.csv"],
        ["certify", "--contracts", "x.csv", "--root", "ES"],
    ],
)  # fmt: skip
def test_wrong_arguments_exit_64_with_one_line(ctl, filled_workspace, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CTL_WORKSPACE", str(filled_workspace))
    ran = ctl(*arguments)
    assert ran.code == 64
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_no_workspace_is_one_line_and_exit_1(ctl, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    ran = ctl("gate")
    assert ran.code == 1
    assert "no workspace here or above" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_an_unexpected_error_is_one_line_and_debug_adds_the_traceback(ctl, filled_workspace, monkeypatch):
    from ctl.flows import portfolio

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the disk\nis on fire")

    monkeypatch.setattr(portfolio, "gate", broken)
    ran = ctl("gate", "-w", filled_workspace)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "ctl: unexpected RuntimeError: the disk is on fire; run again with --debug for the traceback"
    ]
    assert "Traceback" in ctl("gate", "-w", filled_workspace, "--debug").err


def test_every_problem_of_a_profile_in_one_go(ctl, workspace):
    path = workspace / "configs/cutover/operating_profile_v1.yaml"
    text = path.read_text().replace("tick_size: 0.25", "tick_size: -1").replace("cycle_id:", "cycel_id:")
    path.write_text(text)
    ran = ctl("gate", "-w", workspace)
    assert ran.code == 2
    assert any("symbol_settings.ES.tick_size: found -1" in line for line in ran.err.splitlines())
    assert any("cycel_id" in line for line in ran.err.splitlines())
    missing = ctl("gate", "-w", workspace, "--json")
    assert (missing.document["kind"], missing.document["code"]) == ("error", "PROFILE_INVALID")
    assert len(missing.document["problems"]) > 1
    path.unlink()
    assert ctl("gate", "-w", workspace).code == 2


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from ctl.cli import main; main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert "Exit codes: 0 done" in done.stdout
    heavy = done.stderr.strip().splitlines()[-1]
    assert heavy in ("[]", "['pydantic']"), "newer typers import pydantic themselves; nothing else may come"


def test_every_command_has_help_that_says_what_it_is_for(ctl):
    listing = ctl("--help").out
    for command in ("demo", "build", "certify", "backtest", "gate", "run", "ops"):
        assert f"\n  {command} " in listing
        ran = ctl(command, "--help")
        assert ran.code == 0
        assert "usage: ctl " + command in ran.out


def test_the_shell_completes_commands_and_options():
    for words, number, expected in (("ctl ga", 1, {"gate"}), ("ctl ops --not", 2, {"--notify"})):
        environment = {
            **os.environ,
            "_CTL_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(number),
        }
        done = subprocess.run(
            [sys.executable, "-m", "ctl"], env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert set(done.stdout.split()) == expected, done.stderr


def test_demo_refuses_a_folder_with_somebodys_workspace(ctl, workspace):
    path = workspace / "ctl.toml"
    path.write_text(path.read_text().replace("simulated = true", "simulated = false"))
    before = sorted(p.stat().st_mtime_ns for p in workspace.rglob("*") if p.is_file())
    ran = ctl("demo", workspace)
    assert ran.code == 64
    assert "not simulated" in ran.err
    assert sorted(p.stat().st_mtime_ns for p in workspace.rglob("*") if p.is_file()) == before


def test_filling_anew_leaves_a_later_profile_in_force(ctl, workspace):
    assert ctl("lock", "-w", workspace, "--set", "ratchet=0.9", "--reason", "a second version").code == 0
    config = (workspace / "ctl.toml").read_bytes()
    assert b"operating_profile_v2.yaml" in config
    ran = ctl("demo", workspace, "--inject", "restated-bar:CL")
    assert ran.code == 0
    assert (workspace / "ctl.toml").read_bytes() == config
    document = ctl("gate", "-w", workspace, "--json").document
    assert document["profile"]["version"] == 2
    assert [found["symbol"] for found in document["restatements"]] == ["CL"]


def test_a_mistyped_flag_is_a_usage_error_that_names_the_nearest(ctl, filled_workspace, monkeypatch):
    monkeypatch.chdir(filled_workspace)
    group = typer.main.get_command(app)
    pairs = [((name,), item) for name, item in group.commands.items() if not hasattr(item, "commands")]
    pairs += [
        ((name, below), found)
        for name, item in group.commands.items()
        for below, found in getattr(item, "commands", {}).items()
    ]
    for words, command in pairs:
        for option in command.params:
            flag = next((name for name in option.opts if name.startswith("--")), None)
            if flag is not None:
                typed = flag[:-1] + "zz"
                ran = ctl(*words, typed)
                assert ran.code == 64, (words, typed)
                assert "; nearest " in ran.err, (words, typed, ran.err)


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("certify CLL", "CL"), ("build CLL", "CL"), ("doctor CLL", "CL"), ("data show CLL", "CL"),
        ("data head CLL", "CL"), ("fetch CLL", "CL"), ("research CLL", "CL"), ("promote PLL", "PL"),
        ("contracts ESS", "ES"), ("calibrate slippage ESS", "ES"), ("report --symbol ESS", "ES"),
        ("revisions ESS", "ES"), ("certify ES --reference norgatt", "norgate"), ("lookahead b2", ""),
        ("research ES --strategy b2", ""), ("research ES --param slope_treshold=6", "slope_threshold"),
        ("backtest BARS --param slope_treshold=6", "slope_threshold"), ("backtest BARS --mapping norgat", "norgate"),
        ("certify ES --as-of 2026-13-01", ""), ("gate --as-of yesterday", ""), ("run --timeframe hourly", ""),
        ("report --from 2026-02-30", ""), ("replay --from 2026-02-02 --to 2025-01-01", ""),
        ("build --contracts nowhere.csv --root ES", ""), ("profile diff a b", ""), ("runs show nosuch", ""),
        ("demo x --inject wrong-comodity:PL", "wrong-commodity"), ("plan --set ES.seris.closes=settlement", "series"),
        ("schedule install --cron --tz America/Chcago", ""), ("gte", "gate"), ("runs lst", "list"),
    ],
)  # fmt: skip
def test_a_mistyped_value_is_a_usage_error(line: str, nearest: str, ctl, filled_workspace, monkeypatch):
    monkeypatch.chdir(filled_workspace)
    ran = ctl(*line.replace("BARS", "data/raw/norgate/NG_CL_1D_20180102_20260227.csv").split())
    assert ran.code == 64
    assert not nearest or f"nearest {nearest}" in ran.err.replace("'", ""), ran.err
