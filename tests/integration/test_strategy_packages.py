"""The example strategy installs as a package of its own, is locked on its own fingerprint and runs behind the gate."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples" / "donchian_breakout"
PROFILE = "configs/cutover/operating_profile_v1.yaml"


def install(source: Path, target: Path) -> None:
    """Install as a person does; where the build backend is not at hand, lay out what the installer would."""
    if importlib.util.find_spec("hatchling") is not None and importlib.util.find_spec("pip") is not None:
        words = ["install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
        copy = target.parent / "source"
        shutil.copytree(source, copy)
        subprocess.run([sys.executable, "-m", "pip", *words, "--target", str(target), str(copy)], check=True)
        return
    shutil.copytree(source / "src" / "ctl_donchian", target / "ctl_donchian")
    info = target / "ctl_example_donchian-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ctl-example-donchian\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[ctl.strategies]\ndonchian = ctl_donchian:Donchian\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("packages") / "site"
    target.mkdir()
    install(EXAMPLE, target)
    return target


def ctl_with(packages: Path | None, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own that sees `packages`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CTL_")}
    environment["PYTHONPATH"] = os.pathsep.join([*([str(packages)] if packages else []), str(REPOSITORY / "src")])
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "ctl", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def locked(filled_workspace: Path, tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Path:
    """A workspace whose profile names the example and is locked on it."""
    folder = tmp_path_factory.mktemp("donchian") / "workspace"
    shutil.copytree(filled_workspace, folder)
    profile = folder / PROFILE
    profile.write_text(
        profile.read_text().replace("acceptance_policy: v1", "acceptance_policy: v1\nstrategy: donchian")
    )
    refused = ctl_with(installed, "gate", "-w", folder)
    assert refused.returncode == 2
    assert "PROFILE_EDITED" in refused.stdout
    assert "STRATEGY_CHANGED" in refused.stdout
    ran = ctl_with(installed, "lock", "-w", folder, "--reason", "the breakout takes over")
    assert ran.returncode == 0, ran.stderr
    return folder


def test_it_runs_behind_the_same_gate(locked: Path, installed: Path):
    ran = ctl_with(installed, "run", "-w", locked, "--json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    executed = {item["symbol"]: item for item in document["symbol_run_results"] if item["status"] == "EXECUTED"}
    assert set(executed) == {"ES", "CL", "PL"}
    for item in executed.values():
        assert item["extra"]["strategy"] == "donchian"
        assert item["metrics"]["trade_count"] > 0
    assert document["portfolio"]["trade_count"] == sum(item["metrics"]["trade_count"] for item in executed.values())
    summary = json.loads((locked / document["summary_path"]).read_bytes())
    assert summary["trades"]["rows"] == document["portfolio"]["trade_count"]
    assert document["orders"] is None
    board = ctl_with(installed, "run", "-w", locked)
    assert board.returncode == 0, board.stderr
    assert "Gate: PASS   CONDITIONAL GO" in board.stdout


def test_research_runs_it_beside_the_shipped_one(filled_workspace: Path, installed: Path):
    words = ["--strategy", "b1", "--strategy", "donchian", "-w", filled_workspace, "--json"]
    ran = ctl_with(installed, "research", "ES", "PA", *words)
    assert ran.returncode == 0, ran.stderr
    found = {item["strategy"]: item for item in json.loads(ran.stdout)["variants"]}
    assert set(found) == {"b1", "donchian"}
    assert found["donchian"]["portfolio"]["trade_count"] > 0
    assert found["donchian"]["fingerprint"] != found["b1"]["fingerprint"]
    refused = ctl_with(installed, "research", "ES", *words, "--param", "exit_bars=15")
    assert refused.returncode == 64
    assert "unknown B1 parameter 'exit_bars'" in refused.stderr


def test_without_its_package_the_gate_refuses_and_names_what_is_installed(locked: Path):
    for command in (["gate"], ["run"], ["ops"], ["plan"]):
        ran = ctl_with(None, *command, "-w", locked)
        assert ran.returncode == 2, (command, ran.stdout, ran.stderr)
        assert "strategy 'donchian' is not installed; installed: b1" in ran.stderr
    ran = ctl_with(None, "gate", "-w", locked, "--json")
    assert json.loads(ran.stdout)["code"] == "STRATEGY_UNKNOWN"


def with_trading(installed: Path, folder: Path, call: str) -> Path:
    """The package once more, its trading rule called as `call` says."""
    site = folder / "site"
    shutil.copytree(installed, site)
    with (site / "ctl_donchian" / "strategy.py").open("a") as file:
        file.write(f"\n\n_rule = _trade\n\n\ndef _trade(bars, entry, exit_, slippage):\n    return {call}\n")
    return site


@pytest.mark.parametrize(
    "call",
    [
        "_rule(bars, entry + 1, exit_, slippage)",
        "_rule(bars, entry, exit_ + 1, slippage)",
        "_rule(bars, entry, exit_, 2 * slippage)",
    ],
)
def test_a_changed_strategy_no_longer_matches_its_lock(locked: Path, installed: Path, tmp_path: Path, call: str):
    changed = with_trading(installed, tmp_path, call)
    before = sorted(locked.rglob("*"))
    ran = ctl_with(changed, "run", "-w", locked)
    assert ran.returncode == 2
    assert "STRATEGY_CHANGED" in ran.stdout
    assert sorted(locked.rglob("*")) == before


def test_a_refactor_is_another_source_with_the_same_behaviour(locked: Path, installed: Path, tmp_path: Path):
    same = with_trading(installed, tmp_path, "_rule(bars, exit_bars=exit_, entry_bars=entry, slippage=slippage)")
    ran = ctl_with(same, "gate", "-w", locked, "--json")
    assert ran.returncode == 2
    (broken,) = [lock for lock in json.loads(ran.stdout)["locks"] if not lock["held"]]
    assert (broken["code"], [change["key"] for change in broken["changes"]]) == ("STRATEGY_CHANGED", ["source"])


def test_a_package_that_fails_to_import_is_a_refusal_in_one_line(locked: Path, installed: Path, tmp_path: Path):
    broken = tmp_path / "site"
    shutil.copytree(installed, broken)
    (broken / "ctl_donchian" / "__init__.py").write_text("raise RuntimeError('two\\nlines')\n")
    ran = ctl_with(broken, "gate", "-w", locked)
    assert ran.returncode == 2
    assert "strategy 'donchian' (ctl_donchian:Donchian) cannot be used: RuntimeError: two lines" in ran.stderr
