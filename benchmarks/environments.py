"""The environment in which the peers live, and a process of it that runs one peer on request."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEER_VENV = HERE.parent / ".venv-bench"
_NEEDED = ("vectorbt", "backtesting")


class PeerMissing(Exception):
    """The peer is not installed anywhere we look."""


def peer_python(named: Path | None) -> Path | None:
    """The interpreter that has the peers: the one named, this one, or that of `.venv-bench`; None without any."""
    if named is not None:
        return named
    if all(importlib.util.find_spec(name) for name in _NEEDED):
        return Path(sys.executable)
    python = PEER_VENV / "bin" / "python"
    return python if python.exists() else None


def install_peers() -> Path:
    """Make `.venv-bench` with the pinned peers; returns its interpreter."""
    python = PEER_VENV / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(PEER_VENV)], check=True)
    requirements = str(HERE / "requirements.txt")
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
    return python


class PeerProcess:
    """A peer in its own process: data by .npy files, one line per run, timed inside that process."""

    def __init__(self, python: Path, peer: str, folder: Path, symbols: int | None = None) -> None:
        words = [str(python), str(HERE / "b1_peers.py"), peer, str(folder)]
        self._process = subprocess.Popen(
            words + ([] if symbols is None else [str(symbols)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self.about: dict[str, Any] = json.loads(self._line())
        except (ValueError, PeerMissing):
            self._process.kill()
            raise PeerMissing(f"{peer} does not run in {python}") from None

    def run(self) -> float:
        """Run the peer once; its own seconds."""
        assert self._process.stdin is not None  # noqa: S101 - opened above
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)

    def _line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - opened above
        line = self._process.stdout.readline()
        if not line:
            raise PeerMissing("the peer's process ended")
        return line
