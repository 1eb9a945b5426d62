"""Pictures of numbers as SVG, for notebooks and for the report; no script, no style sheet, nothing from elsewhere.

Shapes stretch with the width they are given, while what is written keeps its size: a picture is as readable on a phone
as on a desk. Colours are those of Okabe and Ito, and each has a dash or a hatch beside it, so none is told by colour
alone. What is written takes the text colour of its surroundings, so a picture suits a light page and a dark one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from html import escape
from itertools import pairwise
from math import floor, isfinite, log10
from sys import float_info
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ink = Literal["ours", "reference", "basis", "gap", "other", "loss", "text"]
Mark = Literal["circle", "ring", "triangle", "cross", "tick", "up", "down"]
Value = float | str | None

COLOURS: Final[Mapping[Ink, str]] = {
    "ours": "#0072B2",
    "reference": "#E69F00",
    "basis": "#56B4E9",
    "gap": "#CC79A7",
    "other": "#999999",
    "loss": "#D55E00",
    "text": "currentColor",
}
MOST_POINTS: Final = 400
_MARKS: Final[Mapping[Mark, str]] = {
    "circle": '<circle r="3.5"',
    "ring": '<circle r="3.5" fill="none" stroke-width="1.5"',
    "triangle": '<path d="M0-5L4.6 3.5H-4.6Z"',
    "cross": '<path d="M-4-4L4 4M4-4L-4 4" stroke-width="2.2" fill="none"',
    "tick": '<path d="M0-6V6" stroke-width="2" fill="none"',
    "up": '<path d="M0 2L4.5 11H-4.5Z"',
    "down": '<path d="M0-2L4.5-11H-4.5Z"',
}
PATTERNS: Final = (
    "<defs>"
    + "".join(f'{shape} id="m-{name}"/>' for name, shape in _MARKS.items())
    + '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="6" height="6" fill="{COLOURS["other"]}" fill-opacity=".3"/>'
    f'<path d="M0 0v6" stroke="{COLOURS["other"]}" stroke-width="3"/></pattern>'
    '<pattern id="hatch-loss" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="6" height="6" fill="{COLOURS["loss"]}" fill-opacity=".35"/>'
    f'<path d="M0 0v6" stroke="{COLOURS["loss"]}" stroke-width="3"/></pattern></defs>'
)
_EPOCH: Final = date(1970, 1, 1)
_BOX: Final = 1000  # shapes are drawn in a box of so many steps across
_BOX_UP: Final = 400  # and so many up: few digits keep a page of many symbols small
_FOOT: Final = 18  # height of what is written below a plot
_HEAD: Final = 16  # and of the unit above it
_READ_DIGITS: Final = 2  # of a value read off a curve: a hundredth of a tenth of its span
_EVERY_OTHER: Final = ("", ' class="alt"')  # a narrow page leaves the second of two texts out
_OVERFLOW: Final = ("visible", "hidden")
_LEAST_APART: Final = 13  # of two texts at the right edge


# ---------------------------------------------------------------- scales


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis: `low` stands at 0, `high` at 1."""

    low: float
    high: float

    @classmethod
    def of(cls, *values: Any, room: float = 0.06) -> Scale:
        """From the least to the most of the finite values, with some room; of none or one value a scale around it."""
        known = np.concatenate([np.atleast_1d(np.asarray(item, np.float64)).ravel() for item in values])
        known = known[np.isfinite(known)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        if high - low < float_info.min:
            half = 0.5 * (abs(low) if abs(low) > float_info.min else 1.0)
            low, high = low - half, high + half
        return cls(low - room * (high - low), high + room * (high - low))

    @classmethod
    def of_days(cls, first: date, last: date) -> Scale:
        """From one day to another, both inclusive."""
        low, high = day_number(first), day_number(last)
        return cls(low, high if high > low else low + 1)

    def at(self, value: float) -> float:
        """Where a value stands."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 5) -> tuple[float, ...]:
        """At most `most` round values within the scale."""
        span = self.high - self.low
        step = next(
            (step for step in _steps(span / most) if floor(self.high / step) - -floor(-self.low / step) < most), span
        )
        first = -floor(-self.low / step)
        return tuple((first + k) * step for k in range(floor(self.high / step + 1e-9) - first + 1))


def _steps(least: float) -> list[float]:
    power = 10.0 ** floor(log10(least)) if least > 0 else 1.0
    return [factor * power for factor in (1, 2, 5, 10, 20, 50)]


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - _EPOCH).days


def readable(values: Floats, *, span: float | None = None) -> list[Value]:
    """Values with the digits that their span (by default from the least to the most of them) makes worth reading."""
    known = values[np.isfinite(values)]
    reach = span or (float(np.ptp(known)) if known.size else 0.0)
    digits = max(0, _READ_DIGITS - floor(log10(reach))) if reach > 0 else 6
    return [None if not isfinite(value) else round(value, digits) or 0.0 for value in values.tolist()]


def number(value: float | None, *, signed: bool = False, digits: int | None = None) -> str:
    """A number as people write it: cents up to a thousand, else about three figures, no exponent; `-` for none."""
    if value is None or not isfinite(value):
        return "-"
    if digits is None:
        digits = max(0, min(9, 2 - floor(log10(abs(value))))) if value else 0
        digits = min(digits, 2) if abs(value) >= 0.1 else digits
        digits = 2 if 1 <= abs(value) < 1000 else digits
    rounded = round(value, digits) or 0.0  # nothing is minus zero
    return f"{rounded:{'+' if signed else ''},.{digits}f}"


def _paler(inks: Sequence[Ink]) -> list[str]:
    """The opacity of each of several shapes: of those of one ink each next one has less, the first all of it."""
    before = [inks[:at].count(ink) for at, ink in enumerate(inks)]
    return ["" if not count else f' fill-opacity="{max(0.25, 1 - 0.18 * count):.2f}"' for count in before]


def tick_texts(values: Sequence[float]) -> list[str]:
    """Values at an axis, with as many digits as their step needs."""
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    digits = max(0, -floor(log10(step) + 1e-9)) if step > 0 else 0
    return [number(value, digits=digits) for value in values]


def shown_points(values: Floats, most: int = MOST_POINTS, keep: Sequence[int] = ()) -> npt.NDArray[np.int64]:
    """At most `most` positions of a long curve that show all that stands out: both ends, and of equal stretches the
    least and the greatest value. keep: positions that are wanted too, as far as there is room.
    """
    count = values.size
    if count <= most:
        return np.arange(count)
    wanted = np.unique(np.clip(np.asarray(keep, np.int64), 0, count - 1))[: most // 2]
    stretches = np.array_split(np.arange(count), max(1, (most - 2 - wanted.size) // 2))
    filled = np.where(np.isfinite(values), values, 0.0)
    ends = [at for part in stretches for at in (part[filled[part].argmin()], part[filled[part].argmax()])]
    return np.unique(np.concatenate([[0, count - 1], wanted, ends]).astype(np.int64))


def stretches(count: int, most: int = MOST_POINTS) -> npt.NDArray[np.int64]:
    """Where each of at most `most` equal stretches of a long curve begins: of what is shown by its means."""
    return np.unique(np.linspace(0, count, min(count, most), endpoint=False).astype(np.int64))


def means(values: Floats, begins: npt.NDArray[np.int64]) -> Floats:
    """The mean of each stretch. Means of parts add up to the mean of their sum."""
    counts = np.diff(np.append(begins, values.size))
    averaged: Floats = np.add.reduceat(values, begins) / counts
    return averaged


# ---------------------------------------------------------------- pictures


@dataclass(frozen=True, slots=True)
class Readings:
    """The numbers of a picture, place by place: what a pointer shows, and the table folded beneath.

    days: whether `at` are days since 1970; else `labels` name the places. columns: by name, a value per place. notes:
    what is to be said of single places, by their position in `at`.
    """

    at: Sequence[float]
    columns: Mapping[str, Sequence[Value]]
    days: bool = True
    labels: Sequence[str] = ()
    notes: Mapping[int, str] = field(default_factory=dict)

    def document(self, x: Scale) -> dict[str, Any]:
        """As the page's script reads it: days as differences with their axis, else places in thousandths of it."""
        whole = [round(place) for place in self.at]
        return {
            "d": [b - a for a, b in zip([0, *whole], whole, strict=False)] if self.days else None,
            "x": [x.low, x.high],
            "p": [] if self.days else [round(_BOX * x.at(place)) for place in self.at],
            "l": list(self.labels),
            "c": {name: [_brief(value) for value in values] for name, values in self.columns.items()},
            "n": {str(place): text for place, text in self.notes.items()},
        }


def _brief(value: Value) -> Value:
    if value is None or isinstance(value, str):
        return value
    if not isfinite(value):
        return None
    rounded = float(f"{value:.7g}")
    return int(rounded) if rounded == int(rounded) else rounded


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot with its finding as title, ready to be put on a page.

    height: of the plot in pixels. shapes: SVG in the stretching box; marks: SVG in percent of the width and pixels of
    the height. clipped: shapes beyond the scales are cut off. x_ticks, y_ticks: where (0 to 1) and what. ends: texts
    at the right edge, with their colours. unit: what the y axis counts, written above it.
    """

    title: str
    x: Scale
    y: Scale
    height: int = 180
    shapes: str = ""
    marks: str = ""
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()
    ends: Sequence[tuple[float, str, Ink]] = ()
    readings: Readings | None = None
    clipped: bool = False
    unit: str = ""

    # ------------------------------------------------ what is added to it

    def line(self, xs: Floats, ys: Floats, ink: Ink, *, dashed: bool = False, width: float = 1.6) -> Picture:
        """A curve through the points; a value that is not finite leaves a hole."""
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        return self._shape(
            f'<path d="{self._path(xs, ys)}" fill="none" stroke="{COLOURS[ink]}" stroke-width="{width:g}"{dash} '
            'vector-effect="non-scaling-stroke" stroke-linejoin="round"/>'
        )

    def steps(self, xs: Floats, ys: Floats, ink: Ink, *, dashed: bool = False, width: float = 1.6) -> Picture:
        """A curve that holds each value up to the next point."""
        return self.line(np.repeat(xs, 2)[1:], np.repeat(ys, 2)[:-1], ink, dashed=dashed, width=width)

    def area(self, xs: Floats, low: Floats, high: Floats, ink: Ink, *, opacity: float = 0.25) -> Picture:
        """What lies between two curves, the grid showing through."""
        path = self._path(np.concatenate([xs, xs[::-1]]), np.concatenate([high, low[::-1]]))
        return self._shape(f'<path d="{path}z" fill="{COLOURS[ink]}" fill-opacity="{opacity:g}"/>')

    def stack(self, xs: Floats, layers: Sequence[tuple[Floats, Ink]]) -> Picture:
        """Layers upon each other from zero, what is above it upwards and what is below downwards; `other` is hatched,
        and of several of one ink each next one is paler.

        Each is drawn from zero to its far edge, the outermost first, so that a page holds every edge once.
        """
        picture = self
        pale = _paler([ink for _, ink in layers])
        for sign in (np.maximum, np.minimum):
            edges = np.cumsum([sign(values, 0.0) for values, _ in layers], axis=0)
            for (values, ink), edge, opacity in reversed(list(zip(layers, edges, pale, strict=True))):
                if np.any(sign(values, 0.0) != 0.0):
                    path = self._path(np.concatenate([xs[:1], xs, xs[-1:]]), np.concatenate([[0.0], edge, [0.0]]))
                    fill = "url(#hatch)" if ink == "other" else COLOURS[ink]
                    back = f'<path d="{path}" fill="var(--paper, #fff)"/>' if ink == "other" or opacity else ""
                    picture = picture._shape(
                        f'{back}<path d="{path}" fill="{fill}"{opacity} stroke="var(--paper, #fff)" stroke-width=".6" '
                        'vector-effect="non-scaling-stroke"/>'
                    )
        return picture

    def rule(self, y: float, *, ink: Ink = "text", dashed: bool = False) -> Picture:
        """A line across the whole width."""
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        at = self._y(y)
        opacity = ".45" if ink == "text" else "1"
        return self._mark(
            f'<line x1="0" x2="100%" y1="{at}" y2="{at}" stroke="{COLOURS[ink]}" stroke-opacity="{opacity}"{dash}/>'
        )

    def bar(self, left: float, right: float, low: float, high: float, ink: Ink, *, hatched: bool = False) -> Picture:
        """A rectangle from left to right and from low to high."""
        x, width = 100 * self.x.at(left), 100 * (self.x.at(right) - self.x.at(left))
        top, bottom = sorted((self._y(low), self._y(high)))
        fill = ("url(#hatch-loss)" if ink == "loss" else "url(#hatch)") if hatched else COLOURS[ink]
        return self._mark(
            f'<rect x="{x:.2f}%" width="{max(width, 0.1):.2f}%" y="{top:g}" height="{max(bottom - top, 0.5):.1f}" '
            f'fill="{fill}" stroke="{COLOURS[ink]}"/>'
        )

    def links(self, ends: Sequence[tuple[float, float, float, float]], ink: Ink, *, width: float = 1.2) -> Picture:
        """Straight lines, each from x, y to x, y."""
        path = "".join(
            f"M{self._box_x(x):.0f} {self._box_y(y)}L{self._box_x(to_x):.0f} {self._box_y(to_y)}"
            for x, y, to_x, to_y in ends
        )
        return self._shape(
            f'<path d="{path}" fill="none" stroke="{COLOURS[ink]}" stroke-width="{width:g}" '
            'vector-effect="non-scaling-stroke"/>'
        )

    def mark(self, x: float, y: float, shape: Mark, ink: Ink) -> Picture:
        """A mark at one place."""
        return self.scatter([(x, y)], shape, ink)

    def scatter(self, places: Sequence[tuple[float, float]], shape: Mark, ink: Ink) -> Picture:
        """The same mark at several places. A circle is the round end of a line without length: it takes least room."""
        if shape == "circle":
            path = "".join(f"M{self._box_x(x):.0f} {self._box_y(y)}h0" for x, y in places)
            return self._shape(
                f'<path d="{path}" stroke="{COLOURS[ink]}" stroke-width="7" stroke-linecap="round" '
                'vector-effect="non-scaling-stroke"/>'
            )
        marks = "".join(
            f'<use href="#m-{shape}" x="{100 * self.x.at(x):.1f}%" y="{self._y(y):.0f}"/>' for x, y in places
        )
        return self._mark(f'<g fill="{COLOURS[ink]}" stroke="{COLOURS[ink]}">{marks}</g>') if marks else self

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "start", right: float = 0, above: float = 6
    ) -> Picture:
        """Words beside a place, so many pixels to its right and above it."""
        return self._mark(
            f'<text x="{100 * self.x.at(x):.2f}%" dx="{right:g}" y="{self._y(y) - above:g}" text-anchor="{anchor}" '
            f'fill="currentColor">{escape(text)}</text>'
        )

    def candles(self, xs: Floats, opens: Floats, highs: Floats, lows: Floats, closes: Floats) -> Picture:
        """Bars of a market: hollow where it closed at or above its open."""
        half = 0.35 * float(np.min(np.diff(xs), initial=1.0))
        wicks: list[str] = []
        rising: list[str] = []
        falling: list[str] = []
        for place, first, high, low, last in zip(xs, opens, highs, lows, closes, strict=True):
            if not (isfinite(high) and isfinite(low) and isfinite(last)):
                continue
            begun = first if isfinite(first) else last
            left, right = self._box_x(place - half), self._box_x(place + half)
            wicks.append(f"M{self._box_x(place)} {self._box_y(high)}V{self._box_y(low)}")
            body = f"M{left} {self._box_y(begun)}V{self._box_y(last)}H{right}V{self._box_y(begun)}Z"
            (rising if last >= begun else falling).append(body)
        stroke = 'stroke="currentColor" stroke-width="1" vector-effect="non-scaling-stroke"'
        return self._shape(
            f'<path d="{"".join(wicks)}" {stroke} fill="none"/>'
            f'<path d="{"".join(rising)}" {stroke} fill="var(--paper, #fff)"/>'
            f'<path d="{"".join(falling)}" {stroke} fill="currentColor"/>'
        )

    def with_dates(self, most: int = 9) -> Picture:
        """The x axis as dates: years, months or days, whatever fits."""
        return replace(self, x_ticks=_date_ticks(self.x, most))

    def with_values(self, most: int = 4, *, up_to: float | None = None, down_to: float | None = None) -> Picture:
        """The y axis with round values; up_to, down_to: where its values end and something else is drawn."""
        low, high = (end if given is None else given for given, end in ((down_to, self.y.low), (up_to, self.y.high)))
        values = Scale(low, high).ticks(most)
        ticks = tuple((self.y.at(value), text) for value, text in zip(values, tick_texts(values), strict=True))
        return replace(self, y_ticks=ticks)

    def with_ends(self, *ends: tuple[float, str, Ink]) -> Picture:
        """The legend at the line's end: value, text and colour of each."""
        return replace(self, ends=tuple((self.y.at(value), text, ink) for value, text, ink in ends))

    def with_readings(self, readings: Readings) -> Picture:
        """The numbers behind it."""
        return replace(self, readings=readings)

    def _shape(self, svg: str) -> Picture:
        return replace(self, shapes=self.shapes + svg)

    def _mark(self, svg: str) -> Picture:
        return replace(self, marks=self.marks + svg)

    def _box_x(self, value: float) -> float:
        return round(_BOX * self.x.at(value), 1)

    def _box_y(self, value: float) -> int:
        return round(_BOX_UP * (1.0 - self.y.at(value)))

    def _y(self, value: float) -> float:
        return round(self.height * (1.0 - self.y.at(value)), 1)

    def _path(self, xs: Floats, ys: Floats) -> str:
        """Whole steps from point to point, which is what keeps a page small."""
        across = np.rint(_BOX * (np.asarray(xs, np.float64) - self.x.low) / (self.x.high - self.x.low))
        up = np.rint(_BOX_UP * (1.0 - (np.asarray(ys, np.float64) - self.y.low) / (self.y.high - self.y.low)))
        parts, before = [], None
        for x, y in zip(across.tolist(), up.tolist(), strict=True):
            if not isfinite(y):
                before = None
                continue
            if before is None:
                parts.append(f"M{x:.0f} {y:.0f}l")
            else:
                down = y - before[1]
                parts.append(f"{x - before[0]:.0f}{'' if down < 0 else ' '}{down:.0f} ")
            before = (x, y)
        return "".join(parts).replace(" M", "M").rstrip(" l") or "M0 0"

    # ------------------------------------------------ on a page, in a notebook

    @property
    def total_height(self) -> int:
        """Plot and what is written below it, in pixels."""
        return self.height + (_FOOT if self.x_ticks else 4)

    def _grid(self) -> str:
        return "".join(
            f'<line x1="0" x2="100%" y1="{self.height * (1 - at):.1f}" y2="{self.height * (1 - at):.1f}" '
            'stroke="currentColor" stroke-opacity=".13"/>'
            for at, _ in self.y_ticks
        )

    def _plot(self) -> str:
        below = "".join(
            f'<text x="{100 * at:.2f}%" y="{self.height + 14}" text-anchor="{_anchor(at)}" fill="currentColor"'
            f"{_EVERY_OTHER[k % 2]}>{escape(text)}</text>"
            for k, (at, text) in enumerate(self.x_ticks)
        )
        return (
            f'{self._grid()}<svg width="100%" height="{self.height}" viewBox="0 0 {_BOX} {_BOX_UP}" '
            f'preserveAspectRatio="none" overflow="{_OVERFLOW[self.clipped]}">{self.shapes}</svg>{self.marks}{below}'
        )

    def _left(self) -> str:
        unit = f'<text y="-{_HEAD - 10}" fill="currentColor">{escape(self.unit)}</text>' if self.unit else ""
        return unit + "".join(
            f'<text x="90%" y="{self.height * (1 - at) + 4:.1f}" text-anchor="end" fill="currentColor">{escape(text)}'
            "</text>"
            for at, text in self.y_ticks
        )

    def _right(self) -> str:
        places = _apart([self.height * (1 - at) for at, _, _ in self.ends], self.height)
        pale = _paler([ink for _, _, ink in self.ends])
        return "".join(
            f'<rect x="3" y="{y - 4:.1f}" width="7" height="7" fill="{COLOURS[ink]}"{opacity}/>'
            f'<text x="14" y="{y + 4:.1f}" fill="currentColor">{escape(text)}</text>'
            for y, (_, text, ink), opacity in zip(places, self.ends, pale, strict=True)
        )

    def parts(self) -> tuple[tuple[str, str], ...]:
        """The three drawings that stand side by side on a page: values, plot, legend; each with its class."""
        size = f'height="{self.total_height}" font-size="11" aria-hidden="true"'
        return (
            ("values", f'<svg class="values" width="44" {size}>{self._left()}</svg>'),
            ("plot", f'<svg class="plot" {size}>{self._plot()}<g class="cross"></g></svg>'),
            ("legend", f'<svg class="legend" width="134" {size}>{self._right()}</svg>'),
        )

    def svg(self, width: int = 760) -> str:
        """One drawing of that many pixels, for a notebook or a file."""
        legend, head = 144 if self.ends else 8, _HEAD if self.unit else 0
        height = head + self.total_height
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 -{head} {width} {height}" font-family="system-ui, sans-serif" font-size="11" '
            f'role="img" aria-label="{escape(self.title)}">{PATTERNS}'
            f'<svg width="44" overflow="visible">{self._left()}</svg>'
            f'<svg x="46" width="{width - 46 - legend}" overflow="visible">{self._plot()}</svg>'
            f'<svg x="{width - legend + 2}" width="{legend}">{self._right()}</svg></svg>'
        )

    def readings_json(self) -> str:
        """The numbers behind it as JSON that may stand in a page."""
        if self.readings is None:
            return ""
        text = json.dumps(self.readings.document(self.x), separators=(",", ":"), ensure_ascii=False)
        return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")

    def _repr_html_(self) -> str:
        return f"<div><div>{escape(self.title)}</div>{self.svg()}</div>"

    def __repr__(self) -> str:
        return self.title


def _anchor(at: float) -> str:
    return "start" if at < 0.03 else "end" if at > 0.97 else "middle"


def _apart(places: Sequence[float], height: float) -> list[float]:
    """Heights of texts moved so that none covers another, in their order."""
    order = sorted(range(len(places)), key=lambda k: places[k])
    moved = list(places)
    for before, k in pairwise(order):
        moved[k] = max(moved[k], moved[before] + _LEAST_APART)
    lowest = height - 4
    for k in reversed(order):
        moved[k] = min(moved[k], lowest)
        lowest = moved[k] - _LEAST_APART
    return moved


def _date_ticks(x: Scale, most: int) -> tuple[tuple[float, str], ...]:
    first, last = (_EPOCH + timedelta(days=int(value)) for value in (-floor(-x.low), floor(x.high)))
    for step in (1, 2, 3, 6, 12, 24, 60, 120, 240):
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        starts = [date(m // 12, m % 12 + 1, 1) for m in months if m % step == 0]
        starts = [day for day in starts if first <= day <= last]
        if len(starts) <= most and starts:
            form = "%Y" if step >= 12 else "%b %Y" if len(starts) < 5 else "%b %y"
            return tuple((x.at(day_number(day)), day.strftime(form)) for day in starts)
    return tuple((x.at(day_number(day)), day.isoformat()) for day in (first, last))
