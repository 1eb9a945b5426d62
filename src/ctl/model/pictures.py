"""Pictures of what the rooms exchange: what a notebook shows beside the numbers, and the report in its sections."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.drawing import (
    Floats,
    Ink,
    Picture,
    Readings,
    Scale,
    day_number,
    means,
    number,
    readable,
    shown_points,
    stretches,
)

if TYPE_CHECKING:
    import polars as pl

    from ctl.model.bars import DailySeries
    from ctl.model.certificate import Certificate, CertifiedPair, CertifiedRoll
    from ctl.model.rolls import ContinuousSeries

GAPS_SHOWN: Final = 5
_CLIPPED: Final = 0.005  # of the points at either end may lie beyond the picture of the drift: single bad closes
_DEEPEST: Final = 3
_BAND_SHOWN: Final = 0.75  # of what the curves span, above and below them
_SHALLOW: Final = 0.1  # of the deepest fall: what is less is not worth a label


# ---------------------------------------------------------------- series


def closes(series: ContinuousSeries, most: int = 400) -> Picture | None:
    """Both closes of a continuous series with a tick at each roll; None without a session."""
    frame = series.frame
    if frame.is_empty():
        return None
    days = _days(frame["session"])
    adjusted, unadjusted = (frame[name].to_numpy().astype(np.float64) for name in ("close", "close_unadjusted"))
    rolls = {roll.roll_date: f"first session on {roll.to_contract}, gap {number(roll.gap)}" for roll in series.rolls}
    at = shown_points(adjusted, most, [int(np.searchsorted(days, day_number(day))) for day in rolls])
    first, last = frame["session"][0], frame["session"][-1]
    total = series.rolls[0].cumulative_adjustment if series.rolls else 0.0
    picture = Picture(
        f"{series.meta.root}: {len(series.rolls)} gaps add up to {number(total, signed=True)}; adjusted "
        f"{number(adjusted[0])} where the contract stood at {number(unadjusted[0])}",
        Scale.of_days(first, last),
        Scale.of(adjusted, unadjusted),
        unit=series.meta.quote_unit,
    )
    picture = picture.line(days[at], unadjusted[at], "reference", dashed=True).line(days[at], adjusted[at], "ours")
    picture = picture.scatter([(day_number(day), picture.y.low) for day in rolls], "tick", "other")
    contracts = frame["contract"].to_list()
    readings = Readings(
        days[at].tolist(),
        {
            "adjusted": np.round(adjusted[at], 4).tolist(),
            "unadjusted": np.round(unadjusted[at], 4).tolist(),
            "contract": [contracts[k] or "" for k in at],
        },
        notes=_notes(days[at], rolls),
    )
    ends: tuple[tuple[float, str, Ink], ...] = (
        (float(adjusted[-1]), "adjusted", "ours"), (float(unadjusted[0]), "unadjusted", "reference"),
    )  # fmt: skip
    return picture.with_dates().with_values().with_ends(*ends).with_readings(readings)


def daily_closes(series: DailySeries, most: int = 400) -> Picture | None:
    """The closes of one series; None of fewer than two."""
    frame = series.frame
    if frame.height < 2:
        return None
    days, values = _days(frame["session"]), frame["close"].to_numpy().astype(np.float64)
    at = shown_points(values, most)
    first, last = frame["session"][0], frame["session"][-1]
    picture = Picture(
        f"{series.meta.root}: {number(values[0])} on {first}, {number(values[-1])} on {last}",
        Scale.of_days(first, last),
        Scale.of(values),
        unit=series.meta.quote_unit,
    )
    readings = Readings(days[at].tolist(), {"close": np.round(values[at], 4).tolist()})
    return picture.line(days[at], values[at], "ours").with_dates().with_values().with_readings(readings)


# ---------------------------------------------------------------- certificates


def drift(certificate: Certificate, window: tuple[date, date] | None = None, most: int = 400) -> Picture | None:
    """The drift with its ledger stacked: basis, the largest gaps, the rest; the total as a line. None without L4.

    Of a long history each point is the mean of some sessions, up to the date it stands at: so the parts still add up.

    window: only sessions from the first to the last (inclusive).
    """
    table = certificate.tables.get("L4_drift.csv")
    if table is None or table.is_empty():
        return None
    table = between(table, "session", window)
    if table.is_empty():
        return None
    days, total = _days(table["session"]), table["drift"].to_numpy().astype(np.float64)
    begins = stretches(days.size, most)
    last = days[np.append(begins[1:], days.size) - 1]
    shown = means(total, begins)
    layers = [(name, ink, means(values, begins)) for name, ink, values in _layers(certificate, table)]
    picture = Picture(
        _drift_title(certificate, table, total),
        Scale.of_days(table["session"][0], table["session"][-1]),
        Scale.of(0.0, np.quantile(shown, (_CLIPPED, 1.0 - _CLIPPED)), room=0.15),
        clipped=True,
        unit=certificate.quote_unit,
    )
    picture = picture.stack(last, [(values, ink) for _, ink, values in layers])
    ends = _middles([values for _, _, values in layers], [(short(name), ink) for name, ink, _ in layers])
    picture = picture.rule(0.0).line(last, shown, "text", width=1.2)
    gaps = {roll.gap_session: _gap_note(roll.from_contract, roll.to_contract) for roll in certificate.canonical_rolls}
    where = np.searchsorted(last, [day_number(day) for day in gaps])
    readings = Readings(
        last.tolist(),
        {
            "contract": contracts_on(certificate, last),
            "total": readable(shown),
            **{name: readable(values, span=float(np.ptp(shown))) for name, _, values in layers},
        },
        notes={int(k): text for k, text in zip(where, gaps.values(), strict=True) if k < last.size},
    )
    return picture.with_dates().with_values().with_ends(*ends).with_readings(readings)


def _middles(layers: Sequence[Floats], names: Sequence[tuple[str, Ink]]) -> list[tuple[float, str, Ink]]:
    """Where the name of each layer of a stack stands: in the middle of what it typically covers."""
    ends: list[tuple[float, str, Ink]] = []
    above = below = 0.0
    for values, (name, ink) in zip(layers, names, strict=True):
        size = float(np.median(values))
        base = above if size >= 0.0 else below
        ends.append((base + size / 2, name, ink))
        above, below = above + max(size, 0.0), below + min(size, 0.0)
    return ends


def _layers(certificate: Certificate, table: pl.DataFrame) -> list[tuple[str, Ink, Floats]]:
    """Name, colour and values of what is stacked; what is nowhere different from zero is left out."""
    if certificate.ledger is None:
        return []
    names = [item.name for item in certificate.ledger.components if item.name in table.columns and item.mean > 0.0]
    gaps = [name for name in names if name.startswith("gap:")][:GAPS_SHOWN]
    shown: list[tuple[str, Ink]] = [("basis", "basis")] if "basis" in names else []
    shown += [(name, "gap") for name in gaps]
    layers = [(name, ink, table[name].to_numpy().astype(np.float64)) for name, ink in shown]
    rest = [name for name in names if name not in {*gaps, "basis"}]
    if rest:
        others = np.sum([table[name].to_numpy() for name in rest], axis=0).astype(np.float64)
        layers.append((f"{len(rest)} others", "other", others))
    return layers


def _drift_title(certificate: Certificate, table: pl.DataFrame, total: Floats) -> str:
    where = int(np.argmax(np.abs(total)))
    text = f"{certificate.symbol}: drift {number(float(np.mean(np.abs(total))))} {certificate.quote_unit} on average"
    largest = certificate.ledger.components[0] if certificate.ledger and len(certificate.ledger.components) else None
    if largest is not None and largest.share:
        text += f", {100 * largest.share:.0f} % of it {short(largest.name)}"
    return f"{text}; most {number(float(total[where]), signed=True)} on {table['session'][where]}"


def short(component: str) -> str:
    """A component's name as people read it beside a curve."""
    return component.removeprefix("gap:").removeprefix("block:").replace(":", " ")


def rolls(certificate: Certificate, window: tuple[date, date] | None = None) -> Picture | None:
    """Both sides' rolls in two lanes, a link per pair, a ring where one side alone rolls; below them how much the gaps
    of each pair differ, where that is known. None where no rolls were compared.
    """
    ours, theirs = (
        [roll for roll in side if _inside(roll.gap_session, window)]
        for side in (certificate.canonical_rolls, certificate.reference_rolls)
    )
    if not ours and not theirs:
        return None
    pairs = [pair for pair in certificate.pairs if _inside(pair.canonical_gap_session, window)]
    differences = [(day_number(pair.canonical_gap_session), pair.gap_diff) for pair in pairs]
    known = [(at, size) for at, size in differences if size is not None]
    sizes = Scale.of([size for _, size in known], 0.0) if known else Scale(0.0, 0.0)
    unit = (sizes.high - sizes.low) / 4 or 1.0
    upper, lower = sizes.high + 2.2 * unit, sizes.high + 1.0 * unit
    picture = Picture(
        _rolls_title(certificate, pairs),
        Scale.of_days(*_span(certificate, window)),
        Scale(sizes.low, upper + 0.5 * unit),
        height=170 if known else 64,
        unit=certificate.quote_unit if known else "",
    )
    picture = picture.links(
        [
            (day_number(pair.canonical_gap_session), upper, day_number(pair.reference_gap_session), lower)
            for pair in pairs
        ],
        "text",
    )
    lanes: tuple[tuple[list[CertifiedRoll], float, Ink], ...] = ((ours, upper, "ours"), (theirs, lower, "reference"))
    for side, lane, ink in lanes:
        alone = [(day_number(roll.gap_session), lane) for roll in side if roll.status == "FAIL"]
        partnered = [(day_number(roll.gap_session), lane) for roll in side if roll.status != "FAIL"]
        picture = picture.scatter(partnered, "circle", ink).scatter(alone, "ring", ink)
    ends: list[tuple[float, str, Ink]] = [(upper, "ours", "ours"), (lower, "reference", "reference")]
    if known:
        picture = picture.rule(0.0).links([(at, 0.0, at, size) for at, size in known], "gap", width=2)
        picture = picture.scatter(known, "circle", "gap").with_values(3, up_to=sizes.high)
        ends.append((0.0, "gap difference", "gap"))
    return picture.with_dates().with_ends(*ends).with_readings(_roll_readings(ours, theirs, pairs))


def _rolls_title(certificate: Certificate, pairs: Sequence[CertifiedPair]) -> str:
    same = sum(1 for pair in pairs if pair.day_delta == 0)
    alone = len(certificate.unmatched_canonical) + len(certificate.unmatched_reference)
    text = f"{certificate.symbol}: {len(pairs)} rolls paired, {same} on the same session, {alone} of one side alone"
    known = [(abs(pair.gap_diff), pair) for pair in pairs if pair.gap_diff is not None]
    if not known:
        return text
    _, worst = max(known, key=lambda item: item[0])
    return (
        f"{text}; gaps differ most at {worst.from_contract}>{worst.to_contract} ({number(worst.gap_diff, signed=True)})"
    )


def _roll_readings(
    ours: Sequence[CertifiedRoll], theirs: Sequence[CertifiedRoll], pairs: Sequence[CertifiedPair]
) -> Readings:
    """What each side did on each day, and of a pair, on our day, how much its gaps differ and why."""
    days = sorted({roll.gap_session for roll in (*ours, *theirs)})
    sides = [{roll.gap_session: f"{roll.from_contract}>{roll.to_contract}" for roll in side} for side in (ours, theirs)]
    by_day = {pair.canonical_gap_session: pair for pair in pairs}
    found = [by_day.get(day) for day in days]
    return Readings(
        [day_number(day) for day in days],
        {
            "ours": [sides[0].get(day, "") for day in days],
            "reference": [sides[1].get(day, "") for day in days],
            "gap difference": [None if pair is None else _rounded(pair.gap_diff) for pair in found],
            "by date": [None if pair is None else _rounded(pair.date_effect) for pair in found],
            "by price": [None if pair is None else _rounded(pair.price_effect) for pair in found],
        },
        notes={k: f"{pair.day_delta:+d} days" for k, pair in enumerate(found) if pair is not None and pair.day_delta},
    )


def contracts_on(certificate: Certificate, days: Floats) -> list[str]:
    """The contract of our series on each day, as its rolls say."""
    rolls_by_date = sorted(certificate.canonical_rolls, key=lambda roll: roll.roll_date)
    starts = [day_number(roll.roll_date) for roll in rolls_by_date]
    names = (
        [rolls_by_date[0].from_contract or "", *(roll.to_contract or "" for roll in rolls_by_date)] if starts else []
    )
    return [names[bisect_right(starts, day)] if names else "" for day in days.tolist()]


# ---------------------------------------------------------------- results


@dataclass(frozen=True, slots=True)
class Fall:
    """A fall of an R curve: from its highest point to its lowest before it was made good, if it was."""

    depth: float
    began: date
    deepest: date
    ended: date | None


@dataclass(frozen=True, slots=True)
class RCurve:
    """Closed trades' R added up by exit session. days ascending, distinct; r of each, total after it."""

    name: str
    days: tuple[date, ...]
    r: tuple[float, ...]

    @classmethod
    def of(cls, name: str, closed: Sequence[tuple[date, float]]) -> RCurve:
        """From exit session and R of each closed trade, in any order."""
        sums: dict[date, float] = {}
        for day, r in sorted(closed):
            sums[day] = sums.get(day, 0.0) + r
        return cls(name, tuple(sums), tuple(sums.values()))

    @property
    def total(self) -> Floats:
        """R so far after each day."""
        return np.cumsum(np.asarray(self.r, np.float64))

    def below_peak(self) -> Floats:
        """How far each day stands below the highest point so far, at most 0."""
        total = self.total
        fallen: Floats = total - np.maximum.accumulate(np.maximum(total, 0.0)) if total.size else total
        return fallen

    def falls(self, most: int = _DEEPEST) -> tuple[Fall, ...]:
        """The deepest falls, deepest first."""
        found, began, deepest = [], None, 0
        below = self.below_peak()
        for k, depth in enumerate(below.tolist()):
            if depth < 0.0:
                if began is None:
                    began = deepest = k
                deepest = k if depth < below[deepest] else deepest
            elif began is not None:
                found.append(self._fall(below, began, deepest, self.days[k]))
                began = None
        if began is not None:
            found.append(self._fall(below, began, deepest, None))
        ranked = sorted(found, key=lambda fall: (fall.depth, fall.began))[:most]
        return tuple(fall for fall in ranked if fall.depth <= _SHALLOW * ranked[0].depth)

    def _fall(self, below: Floats, began: int, deepest: int, ended: date | None) -> Fall:
        return Fall(float(below[deepest]), self.days[max(began - 1, 0)], self.days[deepest], ended)


_CURVE_INKS: Final[tuple[tuple[Ink, bool], ...]] = (("ours", False), ("reference", True), ("gap", True))


@dataclass(frozen=True, slots=True)
class Band:
    """An interval around a curve on some days: where it may lie by luck alone."""

    days: tuple[date, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def r_curve(
    curves: Sequence[RCurve], title: str, *, band: Band | None = None, window: tuple[date, date] | None = None
) -> Picture | None:
    """Curves of R; below them the falls of the first, the deepest dated. None without a closed trade.

    band: of the first curve. window: where the axis begins and ends, where not with the trades.
    """
    curves = [curve for curve in curves if curve.days]
    if not curves:
        return None
    first = min(curve.days[0] for curve in curves)
    last = max(curve.days[-1] for curve in curves)
    main, falls = curves[0], curves[0].falls()
    begin, end = window or (first, last)
    totals = np.concatenate([[0.0], *(curve.total for curve in curves)])
    low, high, below = float(totals.min()), float(totals.max()), main.below_peak()
    # A band wider than the curve on either side is cut there; the falls hang from a line of their own below it.
    reach = max(high - low, 1.0)
    edges = (
        []
        if band is None
        else [np.clip([*band.low, *band.high], low - _BAND_SHOWN * reach, high + _BAND_SHOWN * reach)]
    )
    upper = Scale.of(totals, *edges)
    hung = upper.low - 0.1 * (upper.high - upper.low) if below.any() else upper.low
    picture = Picture(
        title, Scale.of_days(begin, end), Scale(hung + 1.1 * float(below.min()), upper.high),
        height=280 if below.any() else 220, unit="R",
    )  # fmt: skip
    ends: list[tuple[float, str, Ink]] = []
    if band is not None:
        days, (floor, roof) = _numbers(band.days), np.split(edges[0], 2)
        picture = picture.area(days, floor, roof, "other")
        ends.append((float(roof[-1]), "95 % band", "other"))
    days = _numbers(main.days)
    at = shown_points(below)
    stepped, fallen = np.repeat(days[at], 2)[1:], np.repeat(below[at], 2)[:-1]
    picture = picture.rule(0.0)
    if below.any():
        picture = picture.area(stepped, hung + fallen, np.full(fallen.size, hung), "loss", opacity=0.45).rule(hung)
        ends.append((hung, "below its peak", "loss"))
    for curve, (ink, dashed) in zip(curves, _CURVE_INKS, strict=False):
        days, total = _numbers((begin, *curve.days, end)), np.concatenate([[0.0], curve.total, curve.total[-1:]])
        at = shown_points(total)
        picture = picture.steps(days[at], total[at], ink, dashed=dashed, width=2.0 if curve is main else 1.6)
        ends.append((float(total[-1]), f"{curve.name} {number(float(total[-1]), signed=True, digits=2)}", ink))
    for fall in falls:
        text = f"{fall.depth:.2f} R {fall.deepest}"
        x = day_number(fall.deepest)
        left = picture.x.at(x) > 0.5
        picture = picture.mark(x, hung + fall.depth, "tick", "loss").text(
            x, hung + fall.depth, text, anchor="end" if left else "start", right=-5 if left else 5, above=-4
        )
    places = sorted({day for curve in curves for day in curve.days})
    columns: dict[str, Sequence[Any]] = {}
    for curve in curves:
        totals = curve.total.tolist()
        starts = [bisect_right(curve.days, day) for day in places]
        columns[curve.name] = [round(totals[k - 1], 3) if k else 0.0 for k in starts]
    columns["below peak"] = [
        round(float(main.below_peak()[k - 1]), 3) if k else 0.0
        for k in (bisect_right(main.days, day) for day in places)
    ]
    if len(places) > 2 * 400:
        keep = shown_points(np.asarray(columns[main.name], np.float64))
        places = [places[k] for k in keep]
        columns = {name: [values[k] for k in keep] for name, values in columns.items()}
    readings = Readings([day_number(day) for day in places], columns)
    return replace(picture.with_dates().with_values(5, down_to=upper.low).with_ends(*ends), readings=readings)


# ---------------------------------------------------------------- common


def between(table: pl.DataFrame, column: str, window: tuple[date, date] | None) -> pl.DataFrame:
    """The rows from the first to the last day of the window, both inclusive; all where there is none."""
    return table if window is None else table.filter(table[column].is_between(*window))


def _inside(day: date, window: tuple[date, date] | None) -> bool:
    return window is None or window[0] <= day <= window[1]


def _span(certificate: Certificate, window: tuple[date, date] | None) -> tuple[date, date]:
    """The time axis that all pictures of a symbol share."""
    overlap = certificate.overlap
    if overlap is None:
        days = [roll.gap_session for roll in (*certificate.canonical_rolls, *certificate.reference_rolls)]
        return window or (min(days), max(days))
    first, last = overlap.first_session, overlap.last_session
    return (first, last) if window is None else (max(first, window[0]), min(last, window[1]))


def _gap_note(from_contract: str | None, to_contract: str | None) -> str:
    return f"gap session of {from_contract}>{to_contract}"


def _notes(days: Floats, said: dict[date, str]) -> dict[int, str]:
    """What is said of days, by their position among those that are shown."""
    places = {int(day): k for k, day in enumerate(days.tolist())}
    found = {places.get(day_number(day)): text for day, text in said.items()}
    return {place: text for place, text in found.items() if place is not None}


def _numbers(days: Sequence[date]) -> Floats:
    return np.asarray([day_number(day) for day in days], np.float64)


def _days(sessions: pl.Series) -> Floats:
    return sessions.to_numpy().astype("datetime64[D]").astype(np.int64).astype(np.float64)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
