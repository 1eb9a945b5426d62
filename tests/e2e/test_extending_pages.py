"""The pages of docs/extending: what they say to add is added to a copy of the package, used, and gone with the copy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ctl

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = REPOSITORY / "docs" / "extending"

Run = Callable[..., subprocess.CompletedProcess[str]]

# Volume/open interest. The next contract leads in volume from the second session on, in both from the third.
CONTRACTS = """session,contract,open,high,low,close,volume,open_interest
2020-01-06,ZZH20,100,100,100,100,9,90
2020-01-07,ZZH20,101,101,101,101,4,80
2020-01-08,ZZH20,102,102,102,102,3,50
2020-01-09,ZZH20,103,103,103,103,2,30
2020-01-10,ZZH20,104,104,104,104,1,20
2020-01-06,ZZM20,110,110,110,110,1,10
2020-01-07,ZZM20,111,111,111,111,6,40
2020-01-08,ZZM20,112,112,112,112,7,60
2020-01-09,ZZM20,113,113,113,113,8,80
2020-01-10,ZZM20,114,114,114,114,9,90
"""


def block(page: str, language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def follow(page: Path, package: Path) -> list[str]:
    """Make the changes that a page names; the files that were touched, by their place in the package."""
    text = page.read_text(encoding="utf-8")
    module, registry = (match[1] for match in re.finditer(r"`src/ctl/(\S+\.py)`", text))
    (package / module).write_text(block(text, "python"), encoding="utf-8")
    lines = block(text, "diff").splitlines()
    old = "".join(line[1:] + "\n" for line in lines if line.startswith("-"))
    new = "".join(line[1:] + "\n" for line in lines if line.startswith("+"))
    before = (package / registry).read_text(encoding="utf-8")
    assert before.count(old) == 1
    (package / registry).write_text(before.replace(old, new), encoding="utf-8")
    return [module, registry]


def differing(package: Path) -> list[str]:
    original = Path(ctl.__file__).parent
    files = (path.relative_to(package) for path in package.rglob("*.py"))
    changed = [
        file
        for file in files
        if not (original / file).exists() or (original / file).read_bytes() != (package / file).read_bytes()
    ]
    return sorted(map(str, changed))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with its compiled code."""
    folder = tmp_path / "src" / "ctl"
    shutil.copytree(Path(ctl.__file__).parent, folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, package: Path) -> Run:
    def command(*arguments: str | Path, copy: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        source = package.parent if copy else Path(ctl.__file__).parents[1]
        return subprocess.run(
            [sys.executable, "-m", "ctl", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(source), **environment},
            check=False,
        )

    return command


def test_a_roll_policy_is_one_module_and_one_word(package: Path, run: Run, tmp_path: Path) -> None:
    contracts = tmp_path / "contracts.csv"
    contracts.write_text(CONTRACTS, encoding="utf-8")
    build = (
        "build",
        "--contracts",
        contracts,
        "--root",
        "ZZ",
        "--months",
        "HM",
        "--out",
        tmp_path,
        "--json",
        "--policy",
    )
    assert run(*build, "both").returncode == 64
    touched = follow(PAGES / "roll_policy.md", package)
    assert differing(package) == sorted(touched)
    assert len(touched) == 2
    built = run(*build, "both")
    assert built.returncode == 0, built.stderr
    (roll,) = json.loads(built.stdout)["rolls"]
    assert (roll["reason"], roll["known_at"], roll["roll_date"]) == ("both", "2020-01-09", "2020-01-10")
    assert (roll["from_volume"], roll["to_volume"], roll["gap"]) == ([3, 2], [7, 8], 10.0)
    (roll,) = json.loads(run(*build, "volume").stdout)["rolls"]
    assert (roll["reason"], roll["known_at"]) == ("volume", "2020-01-08")
    assert run(*build, "both", copy=False).returncode == 64


def test_a_channel_is_one_module_and_one_word(package: Path, run: Run, tmp_path: Path) -> None:
    assert run("demo", "market").returncode == 0
    ops = ("ops", "--dry-run", "--workspace", "market", "--notify")
    assert run(*ops, "file").returncode == 64
    touched = follow(PAGES / "channel.md", package)
    assert differing(package) == sorted(touched)
    assert len(touched) == 2
    done = run(*ops, "file", CTL_OPS_FILE="ops.jsonl")
    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "ops.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["kind"] == "success"
    (log,) = (tmp_path / "market" / "data" / "processed").glob("*/ops_logs/*_ops.json")
    assert json.loads(log.read_bytes())["notification"]["mode"] == "file"
    left = run(*ops, "file")
    assert left.returncode == 0
    assert "CTL_OPS_FILE" in left.stderr
    assert len(list((tmp_path / "market" / ".ctl" / "outbox").iterdir())) == 1
    assert run(*ops, "file", copy=False).returncode == 64
