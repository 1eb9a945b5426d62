"""Every command and every Python line of the README and of the pages that users read, run in a simulated workspace."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import ctl as package

REPOSITORY = Path(__file__).resolve().parents[2]
README = REPOSITORY / "README.md"
PAGES = (README, *sorted((REPOSITORY / "docs").glob("*.md")), *sorted((REPOSITORY / "docs/ops").glob("*.md")))
PROFILE = "configs/cutover/operating_profile_v1.yaml"
STANDS_FOR = {
    "DIR": "another",
    "FOLDER": "files",
    "FILE": "data/raw/norgate/NG_ES_1D_20180102_20260227.csv",
    "TEXT": "written in the README",
    "SYM": "ES",
    "SYMBOL": "ES",
    "A": PROFILE,
    "B": PROFILE,
    "KEY=VALUE": "ratchet=0.9",
    "RUN": "last",
}
# Everything else ends with 0.
ENDS_WITH = {
    "ctl gate -w DIR": 2,  # after `ctl demo DIR --inject ...`
    "ctl gate -w mixup": 2,
    "ctl fetch": 64,  # the simulated CL has no definitions to go on from: --from is asked for
    "ctl fetch --estimate": 64,
    "ctl fetch SYM": 64,  # no key of the vendor
    "ctl decide --sign": 64,
    "ctl lock --sign": 64,
    "ctl lock --sign KEY": 64,
    "ctl verify --key PUB": 2,  # nobody has signed yet
    "ctl schedule status": 1,  # nothing is installed
    "ctl schedule remove": 1,
    "ctl schedule remove --name NAME": 64,
    "ctl schedule install": 64,  # the command's name in prose: it needs a scheduler
    "ctl ops --scheduled": 1,
    "ctl lock --set": 64,
    "ctl lock": 64,
    "ctl runs": 64,
    "ctl init": 64,  # there is a workspace already
}
NOT_RUN = {
    "ctl serve": "serves until it is stopped; tests/e2e/test_report_served.py",
    "ctl closeout --verify": "there is no closeout yet; tests/integration/test_governance_commands.py",
    "ctl certify --power": "takes minutes; tests/integration/test_power_page.py",
    "ctl --install-completion": "writes to the user's shell files",
}


def documented() -> list[str]:
    """The lines as they stand, each once: code spans that begin with `ctl `, and lines of blocks without a language."""
    found: dict[str, None] = {}
    for page in PAGES:
        text = page.read_text()
        spans = re.findall(r"`(ctl [^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        blocks = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks for line in block.splitlines() if line.startswith("ctl ")]
        found |= dict.fromkeys(line for line in (*spans, *lines) if not re.match(r"ctl [\w ]+\|", line))
    return sorted(found)


def spelled_out(line: str) -> list[str]:
    """The lines that a documented one stands for: parts joined by && apart, optional parts left out and given."""
    lines = []
    for part in re.split(r"\s+&&\s+", line):
        optional = re.search(r"\s*\[([^\]]+)\]", part)
        lines += [part.replace(optional[0], ""), part.replace(optional[0], f" {optional[1]}")] if optional else [part]
    return lines


def arguments(line: str) -> list[str]:
    """The words after `ctl`, placeholders filled in and patterns spread as a shell does."""
    words = [STANDS_FOR.get(word, word) for word in shlex.split(line)[1:]]
    return [name for word in words for name in (spread(word) if "*" in word else [word])]


def spread(pattern: str) -> list[str]:
    """The files of a pattern, relative to the current folder, as a shell gives them."""
    return sorted(str(path) for path in Path().glob(pattern))


@pytest.fixture
def in_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A simulated workspace as the current folder, with a folder of files to begin from."""
    monkeypatch.chdir(workspace)
    for name in ("CTL_OPS_PING_URL", "DATABENTO_API_KEY", "CTL_OPS_NOTIFY_URLS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(workspace))
    files = workspace / "files"
    files.mkdir()
    for file in sorted((workspace / "data/raw").glob("*/*CL*")):
        for part in [file] if file.is_file() else file.iterdir():
            (files / part.name).write_bytes(part.read_bytes())
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (workspace / "KEY").write_bytes(key.private_bytes(*pem))
    (workspace / "PUB").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return workspace


def write_fills() -> None:
    """fills.csv of twelve market orders that paid half a point beyond the open."""
    bars = package.load("data/raw/databento/ES", root="ES")
    frame = package.build(bars, months="HMUZ").frame.head(1000).tail(12)
    raw = frame.select("session", price=pl.col("open") - pl.col("adjustment"))
    rows = [f"{session},ES,buy,1,{price + 0.5}" for session, price in raw.iter_rows()]
    Path("fills.csv").write_text("session,symbol,side,quantity,price\n" + "\n".join(rows) + "\n")


def test_placeholders_and_exceptions_are_still_documented() -> None:
    parts = {part for line in documented() for part in spelled_out(line)}
    assert {*ENDS_WITH, *NOT_RUN} <= parts, {*ENDS_WITH, *NOT_RUN} - parts
    assert len(parts) > 40


@pytest.mark.parametrize("line", [line for line in documented() if line not in NOT_RUN])
def test_a_documented_command_does_what_the_page_says(ctl: Callable[..., Any], in_workspace: Path, line: str) -> None:
    for part in spelled_out(line):
        if "fills.csv" in part:
            write_fills()
        if part.startswith("ctl runs "):
            ctl("ops", "--dry-run")
        ran = ctl(*arguments(part))
        assert ran.code == ENDS_WITH.get(part, 0), (part, ran.code, ran.out, ran.err)


def test_the_python_lines_of_the_readme_run_as_they_stand(in_workspace: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, str(README), "exec"), names)  # noqa: S102 - our own page
    assert names["ctl"] is package
    assert names["decision"].passed
    assert names["certificate"].decision == "WATCH"
    assert names["result"].trades
