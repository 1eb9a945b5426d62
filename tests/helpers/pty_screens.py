"""Commands run in one process whose stdout is a terminal, each screen drawn at several widths of it.

As a program it takes the widths as arguments and reads command lines from stdin. Each command is run once; its screen
is drawn anew after the terminal was made as wide as the next width, as a person would do who drags the window.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ENDS: Final = "\x1e"  # of a command's screens, and of its exit code
BEGINS: Final = "\x1d"  # before a width, after it, and after what was drawn at the last of them


@dataclass(frozen=True)
class Screen:
    """One command: its words, what it printed on the terminal (stdout and stderr, in order), and its exit code.

    texts: by width.
    """

    command: str
    texts: dict[int, str]
    code: int


def printed(folder: Path, commands: Sequence[str], widths: Sequence[int]) -> list[Screen]:
    """The commands' screens on a terminal of each width, run one after the other in the workspace `folder`."""
    ours, theirs = os.openpty()
    drop = {"COLUMNS", "LINES", "NO_COLOR", "CTL_WORKSPACE", "CTL_OPS_WEBHOOK_URL", "OPS_WEBHOOK_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in drop}
    with subprocess.Popen(
        [sys.executable, __file__, *map(str, widths)], cwd=folder, stdin=subprocess.PIPE, stdout=theirs, stderr=theirs,
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
        Screen(command, _by_width(text, widths), int(code))
        for command, text, code in zip(commands, shown[::2], shown[1::2], strict=False)
    ]


def _by_width(text: str, widths: Sequence[int]) -> dict[int, str]:
    """What was drawn at each width, with what was printed around it."""
    parts = re.split(f"{BEGINS}(\\d*){BEGINS}", text)
    texts = dict.fromkeys(widths, parts[0])
    for width, part in zip(parts[1::2], parts[2::2], strict=True):
        for each in [int(width)] if width else widths:
            texts[each] += part
    return texts


def _read(file: int) -> bytes:
    try:
        return os.read(file, 65536)
    except OSError:  # Linux says EIO where the last writer of a terminal has closed it
        return b""


def _serve(widths: Sequence[int]) -> None:
    from ctl.cli import main, screens

    draw = screens.show

    def widen(width: int) -> None:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))

    def at_each_width(drawn: Callable[[Any], Sequence[str]], **options: bool) -> None:
        for width in widths:
            print(f"{BEGINS}{width}{BEGINS}", end="")
            widen(width)
            draw(drawn, **options)
        print(f"{BEGINS}{BEGINS}", end="", flush=True)
        widen(widths[0])

    screens.show = at_each_width
    widen(widths[0])
    for line in sys.stdin.read().splitlines():
        code = main(shlex.split(line))
        sys.stderr.flush()
        print(f"{ENDS}{code}{ENDS}", end="", flush=True)


if __name__ == "__main__":
    _serve([int(word) for word in sys.argv[1:]])
