"""What a person waits for: `ctl --help`, and the whole weekly cycle on the demo workspace, warm, from the shell."""

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


def _run(words: Sequence[str], where: Path) -> Timed:
    def run() -> None:
        done = subprocess.run(words, cwd=where, capture_output=True, check=False, env=dict(os.environ))
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
                most=0.2,
            )
        ]
        out.append(_weekly(python, folder, repeats))
    return out


def _weekly(python: str, folder: Path, repeats: int) -> Figure:
    """The scheduled job of every week, notifications to stdout, in a fresh demo workspace."""
    job, peer = "weekly cycle, demo workspace, warm", "python -c 'import polars, numba'"
    script = [python, str(_ROOT / "scripts" / "run_weekly_ops.py"), "--notify", "stdout"]
    try:
        _run([python, "-m", "ctl", "demo", "."], folder)()
        seconds = rounds(
            {"ctl": _run(script, folder), "imports": _run([python, "-c", "import polars, numba"], folder)}, repeats
        )
    except RuntimeError as why:
        return Figure(job, "from the shell", 0.0, peer, 0.0, 0.0, note=str(why))
    mine = statistics.median(seconds["ctl"])
    return Figure(
        job=job,
        ours="from the shell",
        seconds=mine,
        peer=peer,
        peer_seconds=statistics.median(seconds["imports"]),
        ratio=ratio(seconds["ctl"], seconds["imports"]),
        rate=f"{mine:,.2f} s",
        most=2.0,
    )
