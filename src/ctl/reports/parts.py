"""The parts that every page is made of: words with a shape, tables, and a picture's place on the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final, Literal

from ctl.drawing import Picture, number

Shape = Literal["circle", "triangle", "cross", "dash"]

_SHAPES: Final[dict[str, Shape]] = {
    **dict.fromkeys(("ACCEPT", "PASS", "GO", "OK", "ok", "EXECUTED", "P"), "circle"),
    **dict.fromkeys(("WATCH", "CONDITIONAL GO", "DRIFTING", "NEAR_LIMIT", "WARN", "EDGE"), "triangle"),
    **dict.fromkeys(("REJECT", "ERROR", "MISMATCH", "NO-GO", "FAIL", "blocked", "hit", "M", "E"), "cross"),
}


@dataclass(frozen=True, slots=True)
class Word:
    """A status: its word, and the shape that says the same."""

    text: str

    @property
    def shape(self) -> Shape:
        """circle: all is well; triangle: a known flaw; cross: stop; dash: not judged."""
        return _SHAPES.get(self.text, "dash")


Cell = str | Word


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be sorted and copied. words: how many columns at the left hold words; numbers follow."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: int = 1
    note: str = ""


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, words: int = 1, note: str = ""
) -> Table:
    """A table of whatever rows there are."""
    return Table(caption, tuple(columns), tuple(tuple(row) for row in rows), words, note)


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture on a page. group: pictures of one group share their time axis, and a pointer shows on all of them."""

    picture: Picture
    group: str

    @property
    def title(self) -> str:
        """The finding."""
        return self.picture.title


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences, each with what it is about in front."""

    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A bar from zero to the most that is allowed: now as the bar, locked as a tick, the limit as a dot."""

    now: float
    locked: float | None
    most: float

    @property
    def text(self) -> str:
        """The same in words."""
        locked = "" if self.locked is None else f", locked {number(self.locked)}"
        return f"now {number(self.now)}{locked}, at most {number(self.most)}"

    @property
    def brief(self) -> str:
        """Now, and the limit."""
        return f"{number(self.now)} of {number(self.most)}"

    def at(self, value: float) -> float:
        """In percent of the bar's width."""
        return round(100 * min(max(value / (1.15 * max(self.most, self.now, self.locked or 0.0) or 1.0), 0.0), 1.0), 2)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A small curve between two numbers."""

    path: str
    width: int
    first: str
    last: str


def sparkline(values: Sequence[float], top: float) -> Sparkline | None:
    """Values from zero to `top`, two steps apart in a box 20 high; None of fewer than two."""
    if len(values) < 2 or top <= 0:
        return None
    heights = [20 - round(19 * min(max(value / top, 0.0), 1.0)) for value in values]
    steps = (f"{after - before}" if after < before else f" {after - before}" for before, after in pairwise(heights))
    path = f"M0 {heights[0]}l" + " ".join(f"2{step}" for step in steps)
    return Sparkline(path, 2 * (len(values) - 1), number(values[0]), number(values[-1]))


def day_text(day: date) -> str:
    """`27 Feb 2026`."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day} {months[day.month - 1]} {day.year}"


def instant_text(instant: datetime) -> str:
    """`29 Nov 2026 21:43 UTC`; whole minutes."""
    told = instant.astimezone(UTC)
    return f"{day_text(told.date())} {told:%H:%M} UTC"


def percent(value: float | None, digits: int = 0) -> str:
    """A share as a percentage; `-` for none."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def signed(value: float | None, digits: int = 2) -> str:
    """A number with its sign; `-` for none."""
    return number(value, signed=True, digits=digits)
