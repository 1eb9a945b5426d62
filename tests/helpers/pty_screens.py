"""Commands run in one process whose stdout is a terminal; what each printed, and its exit code.

As a program it reads command lines from stdin; ENDS, the exit code and ENDS follow each screen.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENDS: Final = "\x1e"


@dataclass(frozen=True)
class Screen:
    """One command: its words, what it printed on the terminal (stdout and stderr, in order), and its exit code."""

    command: str
    text: str
    code: int


def printed(folder: Path, commands: Sequence[str], width: int) -> list[Screen]:
    """The commands' screens on a terminal of `width` columns, run one after the other in the workspace `folder`."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    drop = {"COLUMNS", "LINES", "NO_COLOR", "CTL_WORKSPACE", "CTL_OPS_WEBHOOK_URL", "OPS_WEBHOOK_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in drop}
    with subprocess.Popen(
        [sys.executable, __file__], cwd=folder, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs,
        env=environment | {"TERM": "xterm-256color", "PYTHONUTF8": "1", "HOME": str(folder)},
    ) as child:  # fmt: skip
        os.close(theirs)
        assert child.stdin is not None
        child.stdin.write("\n".join(commands).encode())
        child.stdin.close()
        pieces = []
        while piece := _read(ours):
            pieces.append(piece)
        os.close(ours)
    shown = b"".join(pieces).decode().replace("\r\n", "\n").split(ENDS)
    assert len(shown) == 2 * len(commands) + 1, shown[-1]
    return [
        Screen(command, text, int(code)) for command, text, code in zip(commands, shown[::2], shown[1::2], strict=False)
    ]


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:  # Linux says EIO where the last writer of a terminal has closed it
        return b""


def _serve() -> None:
    from ctl.cli import main

    for line in sys.stdin.read().splitlines():
        code = main(shlex.split(line))
        sys.stderr.flush()
        print(f"{ENDS}{code}{ENDS}", end="", flush=True)


if __name__ == "__main__":
    _serve()
