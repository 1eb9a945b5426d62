"""The runbook's way from an empty folder to a closed cycle: its own lines in order, and what the documents say."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "ops" / "weekly_ops_runbook.md"
PORT = "8899"


def section() -> str:
    """The section of the walk."""
    return RUNBOOK.read_text().split("## From an empty folder to a closed cycle\n")[1].split("\n## ")[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(), re.DOTALL)


@pytest.fixture
def port() -> str:
    """A port that nobody listens on."""
    return str(free_port())


@pytest.fixture
def hook(tmp_path: Path, port: str) -> Iterator[Path]:
    """The runbook's own webhook on that port; the file that it prints into."""
    (program,) = blocks("python")
    heard = tmp_path / "heard.txt"
    with heard.open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", program.replace(PORT, port)], stdout=out, stderr=out)
    try:
        while process.poll() is None:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.05)
        yield heard
    finally:
        process.kill()
        process.wait()


def rows(document: Path, title: str) -> dict[str, str]:
    """First and second cell of a table of a closeout."""
    table = document.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {row[0]: row[1] for row in cells[1:]}


def test_every_line_works_in_an_empty_folder(
    ctl: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Path, port: str
) -> None:
    empty, home = tmp_path / "empty", tmp_path / "home"
    for folder in (empty, home):
        folder.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):  # no scheduler of this machine hears of the slot
        (home / name).mkdir()
        monkeypatch.setenv(name, str(home / name))
    for name in ("DBUS_SESSION_BUS_ADDRESS", "CTL_OPS_PING_URL", "CTL_OPS_NOTIFY_URLS", "CTL_REGISTRY_URL"):
        monkeypatch.delenv(name, raising=False)
    desk = empty / "desk"
    said: list[tuple[str, str]] = []
    versions: dict[str, tuple[str, dict[str, str]]] = {}
    for line in "".join(blocks("sh")).replace(PORT, port).splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[0] == "export":
            monkeypatch.setenv(*words[1].split("=", 1))
        elif words[0] == "ctl":
            ran = ctl(*words[1:])
            stated = re.search(r"# exit (\d+)", line)
            assert ran.code == (int(stated[1]) if stated else 0), (line, ran.out, ran.err)
            said.append((line, ran.out))
        else:
            subprocess.run(["/bin/sh", "-c", line], check=True)
        if words[:2] == ["ctl", "lock"]:
            gated: Any = ctl("gate", "--json")
            assert gated.code == 0, (line, gated.out, gated.err)
            board = {item["symbol"]: item["actual"] for item in gated.document["symbol_results"]}
            named = re.search(r'^profile = "(.*)"', (desk / "ctl.toml").read_text(), re.MULTILINE)
            assert named is not None
            versions[Path(named[1]).stem.removeprefix("operating_profile_")] = gated.document["recommendation"], board

    futures = {"ES": "ACCEPT", "CL": "ACCEPT"}
    assert versions == {
        "v2": ("CONDITIONAL GO", {**futures, "PL": "WATCH"}),
        "v3": ("GO", {**futures, "PL": "ACCEPT"}),
        "v4": ("GO", {**futures, "PL": "ACCEPT"}),
        "v5": ("GO", {**futures, "PL": "ACCEPT", "AAPL": "ACCEPT"}),
    }

    # What a screen tells to do next is what the runbook then does.
    lines = [line for line, _ in said]
    next_of = {line: out.splitlines()[-1].removeprefix("next: ") for line, out in said}
    assert next_of["ctl calibrate slippage"] in lines
    assert next_of["ctl closeout"] == "ctl closeout --verify"
    promoted = next_of["ctl promote ES"]
    assert "--set ES.series.closes=settlement" in promoted

    # The slot, the messages, the money, the confluence.
    assert len(list((home / ".config" / "systemd" / "user").glob("ctl-*.timer"))) == 1
    heard = [json.loads(line.partition(" ")[2]) for line in hook.read_text().splitlines() if line.startswith("/hook ")]
    assert [(message["level"], message["meta"]["mode"]) for message in heard] == [
        ("info", "dry-run"),
        ("info", "real"),
        ("info", "real"),
    ]
    profile = (desk / "configs/cutover/operating_profile_v5.yaml").read_text()
    assert "slippage_per_side: 0.6" in profile
    assert "cycle_id: cutover_v2" in profile
    run: Any = json.loads(dict(said)["ctl run --json"])
    confluence = {item["symbol"]: item["metrics"]["mtfa"] for item in run["symbol_run_results"] if item["metrics"]}
    assert set(confluence) == {"ES", "CL", "PL", "AAPL"}
    for symbol, both in confluence.items():
        for frame in ("weekly_aligned", "monthly_aligned"):
            assert both[frame]["non_null"] > 0, (symbol, frame)
            assert both[frame]["rate"] == pytest.approx(both[frame]["true"] / both[frame]["non_null"])

    # The closeouts: version 2's, and that of the new cycle, which has nothing left to do.
    first, last = (desk / f"docs/governance/cutover_v{number}_closeout.md" for number in (1, 2))
    assert rows(first, "Status board")["ES"] == "ACCEPT"
    assert set(rows(last, "Go-forward plan").values()) == {"done"}
    assert len(rows(last, "Go-forward plan")) == 7
    assert [out.split()[1] for line, out in said if line == "ctl closeout --verify"] == ["OK", "OK"]
