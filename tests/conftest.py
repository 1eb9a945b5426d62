"""What many tests share: a filled simulated workspace, and the command line run in this process."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared and noisy: an example's time says nothing, and a failure must come again on the next machine.
# `make test` runs the short profile, `make test-long` (--hypothesis-profile=long) the long one. Tests whose examples
# are dear take the profile's number; cheap ones that need more name their own.
settings.register_profile(
    "short", deadline=None, derandomize=True, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", settings.get_profile("short"), max_examples=300)
settings.load_profile("short")

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        choices=("compare", "write"),
        default="compare",
        help="compare screens with tests/golden, or write them",
    )


@dataclass(frozen=True)
class Ran:
    """One command: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """stdout as the one JSON document that it must be."""
        return json.loads(self.out)


@pytest.fixture(scope="session")
def filled_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated workspace that no test may change; the workers of one run (pytest-xdist) share it."""
    from ctl.flows import demo

    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, filled = base / "simulated", base / "simulated.filled"
    with (base / "simulated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not filled.exists():
            demo.fill(folder)
            filled.touch()
    return folder


@pytest.fixture
def workspace(filled_workspace: Path, tmp_path: Path) -> Path:
    """A simulated workspace of one test's own."""
    folder = tmp_path / "workspace"
    shutil.copytree(filled_workspace, folder)
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], str]:
    """What the golden file of a name holds; the text that was shown, where --golden=write asks for it to be written."""

    def expected(name: str, shown: str) -> str:
        path = REPOSITORY / f"tests/golden/{name}.txt"
        if request.config.getoption("--golden") == "write":
            path.write_text(shown, encoding="utf-8")
        return path.read_text(encoding="utf-8")

    return expected


@pytest.fixture
def ctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run a command in this process. No environment variable of the caller's reaches it."""
    from ctl.cli import main

    for name in ("CTL_WORKSPACE", "CTL_OPS_WEBHOOK_URL", "OPS_WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
