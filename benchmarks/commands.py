"""What a person waits for: `ctl --help`, and the whole weekly cycle on the demo workspace, from the shell.

The cycle is measured with its kernels compiled before and with none (an empty kernel cache per run).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Figure, Timed, clocked, ratio, rounds

_ROOT = Path(__file__).resolve().parents[1]


def _run(words: Sequence[str], where: Path, **environment: str) -> Timed:
    """The command in a process of its own."""

    def run() -> None:
        # As for whoever installed the package: modules are compiled to bytecode once.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(words, cwd=where, capture_output=True, check=False, env=kept | environment)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.decode()[-300:]}")

    return clocked(run)


def figures(repeats: int) -> list[Figure]:
    """All lines of this section."""
    python = sys.executable
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        seconds = rounds(
            {"ctl": _run([python, "-m", "ctl", "--help"], folder), "python": _run([python, "-c", "pass"], folder)},
            repeats,
        )
        out = [
            Figure(
                job="ctl --help",
                ours="from the shell",
                seconds=statistics.median(seconds["ctl"]),
                peer="python -c pass",
                peer_seconds=statistics.median(seconds["python"]),
                ratio=ratio(seconds["ctl"], seconds["python"]),
                rate=f"{statistics.median(seconds['ctl']) * 1e3:,.0f} ms",
                most=0.15,
            )
        ]
        out += _weekly(python, folder, repeats)
    return out


def _weekly(python: str, folder: Path, repeats: int) -> list[Figure]:
    """The scheduled job of every week, notifications to stdout, in a fresh demo workspace."""
    peer = "python -c 'import polars, numba'"
    script = [python, str(_ROOT / "scripts" / "run_weekly_ops.py"), "--notify", "stdout"]
    demo = [python, "-m", "ctl", "demo", "."]

    def installed(timed: Sequence[str]) -> Timed:
        """`ctl demo`, then the cycle, as the first things after installation: no kernel compiled; the one timed."""

        def run() -> float:
            with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as fresh:
                seconds = _run(demo, Path(fresh), NUMBA_CACHE_DIR=cache)()
                return seconds if timed is demo else _run(script, Path(fresh), NUMBA_CACHE_DIR=cache)()

        return run

    runs = {
        "warm": _run(script, folder),
        "first demo": installed(demo),
        "first cycle": installed(script),
        "imports": _run([python, "-c", "import polars, numba"], folder),
    }
    jobs: dict[str, tuple[str, float | None]] = {
        "warm": ("weekly cycle, demo workspace, warm", 0.8),
        "first demo": ("ctl demo, the first after installation: compiles in two processes", None),
        "first cycle": ("weekly cycle right after it", 4.0),
    }
    try:
        _run(demo, folder)()
        runs["warm"]()
        seconds = rounds(runs, repeats)
    except RuntimeError as why:
        return [Figure(job, "from the shell", 0.0, peer, 0.0, 0.0, note=str(why)) for job, _ in jobs.values()]
    return [
        Figure(
            job=job,
            ours="from the shell",
            seconds=statistics.median(seconds[name]),
            peer=peer,
            peer_seconds=statistics.median(seconds["imports"]),
            ratio=ratio(seconds[name], seconds["imports"]),
            rate=f"{statistics.median(seconds[name]):,.2f} s",
            most=most,
        )
        for name, (job, most) in jobs.items()
    ]
