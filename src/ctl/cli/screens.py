"""How a screen is drawn: verdict, tables, facts and curves, laid out for the width at hand.

What is laid out is plain text; colour and weight are added to finished lines, by `show` alone. Piped output has no
width: nothing is wrapped and no column leaves.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

ascii_only: Final[ContextVar[bool]] = ContextVar("ascii_only", default=False)  # --ascii
documents: Final[ContextVar[int]] = ContextVar("documents", default=0)  # JSON documents printed by this command
words: Final[ContextVar[tuple[str, ...]]] = ContextVar("words", default=())  # the command's own, as typed
quiet: Final[ContextVar[bool]] = ContextVar("quiet", default=False)  # --quiet
verbose: Final[ContextVar[bool]] = ContextVar("verbose", default=False)  # --verbose
colourless: Final[ContextVar[bool]] = ContextVar("colourless", default=False)  # --no-color

_GAP: Final = "  "
_APART: Final = "   "
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_DIGITS: Final = "0123456789"
_BOLD, _DIM, _END = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_COLOURS: Final = {
    "\x1b[33m": ("CONDITIONAL GO", "WATCH", "DRIFTING", "NEAR_LIMIT", "WARN"),
    "\x1b[31m": ("REJECT", "ERROR", "MISMATCH", "NO-GO", "ALERT"),
    "\x1b[32m": ("PASS", "ACCEPT", "GO", "OK", "DONE", "ok"),
    _DIM: ("NON-GATING",),
}
_COLOUR_OF: Final = {word: colour for colour, words in _COLOURS.items() for word in words}
# Only what is now is coloured: what was expected or locked stays plain.
_WORD: Final = re.compile(rf"(?<!expected )(?<!locked )(?<![\w-])({'|'.join(_COLOUR_OF)})(?![\w-])")


@dataclass(frozen=True, slots=True)
class Terminal:
    """What is drawn on. width: columns, None where output is piped. unicode: whether it shows block characters."""

    width: int | None = None
    unicode: bool = True
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. right: numbers stand to the right. gap: blanks before it.

    least: columns a terminal must have for this one to be shown (0: it never leaves). Where a table is still too
    wide, those that may leave do, the one of the largest `least` first, and of two alike the one further right.
    """

    title: str
    right: bool = False
    least: int = 0
    gap: int = 2


def terminal() -> Terminal:
    """The terminal that stdout is, or the pipe."""
    tty = sys.stdout.isatty()
    dumb = os.environ.get("TERM") == "dumb"
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return Terminal(
        width=shutil.get_terminal_size().columns if tty else None,
        unicode=encoding.startswith("utf") and not (tty and dumb) and not ascii_only.get(),
        colour=tty and not dumb and not colourless.get() and not os.environ.get("NO_COLOR"),
    )


def show(drawn: Callable[[Terminal], Sequence[str]], *, plain: bool = False) -> None:
    """Print a screen, drawn for the terminal at hand: line 1 and the next command stand out, words of a state have its
    colour unless `plain`. `--quiet`: line 1.
    """
    on = terminal()
    lines = drawn(on)
    for number, line in enumerate(lines[:1] if quiet.get() else lines):
        if on.colour and not plain and not line.startswith(_DIM):
            line = _WORD.sub(lambda found: f"{_COLOUR_OF[found[1]]}{found[1]}{_END}", line)  # noqa: PLW2901
            if number == 0 or line.startswith("next: "):
                line = _BOLD + line.replace(_END, _END + _BOLD) + _END  # noqa: PLW2901
        print(line)


def same_command(*added: str) -> str:
    """The command as it was typed, with more options, ready to be pasted."""
    return shlex.join(("ctl", *words.get(), *added))


def parts(texts: Sequence[str], on: Terminal) -> list[str]:
    """Statements side by side, three spaces apart; those that no longer fit begin a line. Empty ones are left out."""
    lines: list[str] = []
    for text in filter(None, texts):
        if lines and (on.width is None or len(lines[-1]) + len(_APART) + len(text) <= on.width):
            lines[-1] += _APART + text
        else:
            lines += wrapped(text, on)
    return lines


def wrapped(text: str, on: Terminal, *, first: str = "", indent: str = "") -> list[str]:
    """Prose in lines that begin with `first`, then with `indent`; broken at spaces alone."""
    if on.width is None:
        return [first + text]
    room = max(on.width, len(indent) + 20)  # a terminal of a few columns shows words whole, if in too wide a line
    return textwrap.wrap(
        text, room, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def facts(texts: Mapping[str, str], on: Terminal) -> list[str]:
    """A line per fact: its name, then prose with a hanging indent. Empty ones are left out."""
    texts = {name: text for name, text in texts.items() if text}
    indent = " " * (max(map(len, texts), default=0) + len(_GAP))
    return [
        line for name, text in texts.items() for line in wrapped(text, on, first=name.ljust(len(indent)), indent=indent)
    ]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], on: Terminal, *, prose: str = "") -> list[str]:
    """Rows under their columns, two spaces apart, without boxes or rules; no header where no column has a title.

    prose: the title of a column, the last, whose text is wrapped within its own width instead of being cut.
    """
    cells = [tuple(row) for row in rows]
    widths = [max(len(column.title), *(len(row[at]) for row in cells), 0) for at, column in enumerate(columns)]
    shown = list(range(len(columns)))
    free = shown[-1] if prose and columns[-1].title == prose else -1
    if on.width is not None:
        shown = [at for at in shown if columns[at].least <= on.width]
        while _needed(shown, columns, widths, free) > on.width and any(columns[at].least for at in shown):
            shown.remove(max(shown, key=lambda at: (columns[at].least, at)))
    lines = []
    if any(columns[at].title for at in shown):
        header = _laid([columns[at].title for at in shown], [columns[at] for at in shown], [widths[at] for at in shown])
        lines.append(f"{_DIM}{header}{_END}" if on.colour else header)
    for row in cells:
        fixed = [at for at in shown if at != free]
        line = _laid([row[at] for at in fixed], [columns[at] for at in fixed], [widths[at] for at in fixed])
        if free in shown and row[free]:
            indent = " " * (_needed(fixed, columns, widths, free) + columns[free].gap)
            lines += wrapped(row[free], on, first=line.ljust(len(indent)), indent=indent)
        else:
            lines.append(line)
    return lines


def sparkline(values: Sequence[float | None], low: float, high: float, on: Terminal) -> str:
    """A curve of one character per value on a scale from `low` (lowest) to `high` (full); None leaves a space.

    Without block characters: digits, tenths of the scale.
    """
    signs = _BLOCKS if on.unicode else _DIGITS
    span = high - low

    def sign(value: float) -> str:
        share = (value - low) / span if span > 0.0 else 0.0
        return signs[max(0, min(len(signs) - 1, int(share * len(signs))))]

    return "".join(" " if value is None else sign(value) for value in values)


def in_steps(
    points: Sequence[tuple[date, float]], first: date, last: date, steps: int, start: float | None = None
) -> list[float | None]:
    """A curve known at some days, ascending, at `steps` equal steps of time from `first` to `last`, both inclusive.

    Each value is the last one known on its day; before any, `start`.
    """
    span = (last - first).days
    values: list[float | None] = []
    known, value = 0, start
    for step in range(steps):
        day = first.toordinal() + (span * step) // max(1, steps - 1)
        while known < len(points) and points[known][0].toordinal() <= day:
            value = points[known][1]
            known += 1
        values.append(value)
    return values


def _needed(shown: Sequence[int], columns: Sequence[Column], widths: Sequence[int], free: int) -> int:
    least = [min(widths[at], 20) if at == free else widths[at] for at in shown]
    return sum(least) + sum(columns[at].gap for at in shown[1:])


def _laid(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    line = ""
    for text, column, width in zip(texts, columns, widths, strict=True):
        line += " " * (column.gap if line else 0) + (text.rjust(width) if column.right else text.ljust(width))
    return line.rstrip()
