"""The section on money: what the trades made, how sure that is, and what it hangs on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby, pairwise
from typing import Any, Final

import numpy as np

from ctl.drawing import Ink, Picture, Readings, Scale, number, tick_texts
from ctl.model.documents import document
from ctl.model.findings import counted
from ctl.model.pictures import Band, RCurve, r_curve
from ctl.model.statistics import Expectancy
from ctl.model.trades import StrategyResult
from ctl.reports.parts import Cell, Figure, Lines, Table, instant_text, percent, signed, table
from ctl.reports.state import Report, SymbolState, Window

FLAGS: Final = (
    "wr_divergence", "clean_pullback", "volume_declining", "gap_below", "near_high", "fib_confluence",
    "single_bar_pullback", "weekly_aligned", "monthly_aligned",
)  # fmt: skip
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEP: Final = 0.5
MOST_ROWS: Final = 24  # of a table with a row per symbol


def closed(symbols: Sequence[SymbolState], window: Window | None) -> list[tuple[date, float]]:
    """Exit session and R of the closed trades of the gating symbols."""
    found: list[tuple[date, float]] = []
    for state in symbols:
        trades = state.trades
        if state.role == "gating" and trades is not None and {"exit_session", "r_theoretical"} <= {*trades.columns}:
            found += list(trades.select("exit_session", "r_theoretical").iter_rows())
    return [(day, r) for day, r in found if window is None or window[0] <= day <= window[1]]


def curve(report: Report) -> Figure | None:
    """The R curve, strategy and governed, with the deepest falls dated."""
    trades = closed(report.symbols, report.window)
    curves = [RCurve.of("strategy", trades)]
    risk = None if report.run is None else report.run.risk
    if risk is not None:
        inside = [(point.session, point.r) for point in risk.curve if _inside(point.session, report.window)]
        curves.append(RCurve.of("governed", inside))
    total = float(sum(r for _, r in trades))
    fall = next(iter(curves[0].falls(1)), None)
    deepest = "" if fall is None else f", deepest fall {-fall.depth:.2f} R to {fall.deepest}"
    past = "" if report.run is not None or report.before is None else _recorded(report.before.timestamp)
    title = f"{past}{signed(total)} R over {len(trades)} trades{deepest}"
    picture = r_curve(curves, title, band=_band(report, curves[0]), window=report.window)
    return None if picture is None else Figure(picture, "money")


def falls(report: Report) -> Table | None:
    """The deepest falls of the strategy's curve, dated."""
    found = RCurve.of("strategy", closed(report.symbols, report.window)).falls()
    rows = [
        (
            f"{fall.depth:.2f}",
            str(fall.began),
            str(fall.deepest),
            "not yet" if fall.ended is None else str(fall.ended),
        )
        for fall in found
    ]
    columns = ("fall, R", "from the peak of", "deepest", "made good")
    return table("deepest falls", columns, rows, words=4) if rows else None


def _band(report: Report, curve: RCurve) -> Band | None:
    """Where the curve would run at either end of the 95 % interval of its mean trade; None where there is none."""
    found = None if report.run is None else report.run.statistics
    if found is None or report.window is not None or found.expectancy.low is None or found.expectancy.high is None:
        return None
    days = [point.session for point in found.curve]
    trades = sorted(day for day, _ in closed(report.symbols, None))
    so_far = [bisect_right(trades, day) for day in days]
    edges = ([round(n * each, 3) for n in so_far] for each in (found.expectancy.low, found.expectancy.high))
    low, high = (tuple(edge) for edge in edges)
    return Band(tuple(days), low, high) if len(days) > 1 and days == list(curve.days) else None


def evidence(report: Report) -> Lines | None:
    """What the figures are worth: certainty, years, stability, variants tried."""
    found = None if report.run is None else report.run.statistics
    if found is None:
        return None
    sure, beyond, lines = found.expectancy, found.losses_beyond_1r, []
    if sure.low is not None and sure.high is not None:
        shown = "no edge shown" if sure.low <= 0.0 <= sure.high else "an edge either way"
        needed = "" if sure.trades_needed is None else f"; about {sure.trades_needed} trades tell it from zero"
        text = f"{shown}: {signed(sure.mean_r)} R a trade, 95 % interval {signed(sure.low)} to {signed(sure.high)}"
        lines.append(("Evidence", f"{text}, {sure.trades} trades{needed}"))
    elif sure.note:
        lines.append(("Evidence", sure.note))
    if found.best_year is not None and found.worst_year is not None:
        years_text = ", ".join(
            f"{name} {year.year} {signed(year.total_r)} R"
            for name, year in (("best", found.best_year), ("worst", found.worst_year))
        )
        lines.append(("Years", f"{years_text}; {beyond.count} losses beyond 1 R, worst {signed(beyond.worst_r)}"))
    if found.stability is not None:
        lines.append(("Stability", " ".join(filter(None, (found.stability.text, found.stability.rolls_note)))))
    if found.luck is not None:
        tried = (
            "variants unknown" if found.luck.trials is None else f"{counted(found.luck.trials, 'variant')} tried so far"
        )
        skill = found.luck.deflated_sharpe
        odds = "" if skill is None else f"; deflated Sharpe {number(skill, digits=2)}"
        lines.append(("Variants", f"{tried}{odds}{'; ' + found.luck.note if found.luck.note else ''}"))
    return Lines(tuple(lines)) if lines else None


def intervals(report: Report) -> Figure | None:
    """R a trade as dots, with its 95 % interval where there is one: by symbol, roll rule, shifted roll, slippage."""
    rows: list[_Dot] = []
    for state in report.symbols[:MOST_ROWS]:
        found = None if state.run is None else state.run.statistics
        if found is not None and found.expectancy.mean_r is not None:
            rows.append(_dot(state.symbol, found.expectancy))
    rows.sort(key=lambda dot: dot.mean)
    whole = None if report.run is None else report.run.statistics
    if whole is None or whole.expectancy.mean_r is None or not rows:
        return None
    rows.append(_dot("all together", whole.expectancy))
    if whole.stability is not None:
        kinds = {"roll rules": whole.stability.rolls, "shifts of rolls": whole.stability.shifted}
        for kind, changed in (*kinds.items(), ("slippages", whole.stability.slippage)):
            known = [(_brief(item.change), item.mean_r) for item in changed if item.mean_r is not None]
            if len({signed(mean) for _, mean in known}) == 1:  # all alike: one row says so
                known = [(f"{len(known)} {kind}", known[0][1])]
            rows += [_Dot(name, mean, None, None) for name, mean in known]
    values = [value for dot in rows for value in (dot.mean, dot.low, dot.high) if value is not None]
    picture = Picture(
        f"R a trade lies between {signed(min(dot.mean for dot in rows))} and {signed(max(dot.mean for dot in rows))} "
        "by symbol, roll rule and slippage; lines are 95 % intervals",
        Scale.of([*values, 0.0]),
        Scale(-len(rows) + 0.3, 0.7),
        height=_ROW_HEIGHT * len(rows) + 6,
    )
    picture = picture.links([(0.0, picture.y.low, 0.0, picture.y.high)], "other", width=1)
    spans = [(dot.low, -k, dot.high, -k) for k, dot in enumerate(rows) if dot.low is not None and dot.high is not None]
    picture = picture.links([(low, y, high, y2) for low, y, high, y2 in spans], "basis", width=3)
    picture = picture.scatter([(dot.mean, -k) for k, dot in enumerate(rows)], "circle", "ours")
    ends: list[tuple[float, str, Ink]] = [
        (-k, f"{dot.name} {signed(dot.mean)}", "ours" if dot.low is not None else "other") for k, dot in enumerate(rows)
    ]
    ticks = picture.x.ticks(6)
    made = replace(
        picture.with_ends(*ends),
        x_ticks=tuple((picture.x.at(value), f"{text} R") for value, text in zip(ticks, tick_texts(ticks), strict=True)),
    )
    return Figure(made, "intervals")


_ROW_HEIGHT: Final = 18


@dataclass(frozen=True, slots=True)
class _Dot:
    """A row of the picture of intervals."""

    name: str
    mean: float
    low: float | None
    high: float | None


def _brief(change: str) -> str:
    """A change of the rules as it fits beside a picture."""
    return change.replace("rolls of ", "roll ").replace(" sessions", "").replace(" session", "")


def _dot(name: str, found: Expectancy) -> _Dot:
    return _Dot(name, found.mean_r or 0.0, found.low, found.high)


def _recorded(instant: datetime) -> str:
    """What is said before figures that the run of today did not come to."""
    return f"recorded run of {instant_text(instant)}: "


def histogram(rs: Sequence[float]) -> Figure | None:
    """How many trades ended where, by half an R; losses beyond 1 R are hatched."""
    if not rs:
        return None
    values = np.asarray(rs, np.float64)
    first, last = np.floor(values.min() / _STEP), np.floor(values.max() / _STEP)
    edges = (np.arange(first, last + 2) * _STEP).tolist()
    counts = [int(np.count_nonzero((values >= low) & (values < high))) for low, high in _pairs(edges)]
    beyond = int(np.count_nonzero(values < -1.0))
    picture = Picture(
        f"{beyond} of {len(rs)} trades lost more than 1 R, the worst {signed(float(values.min()))}; the best "
        f"{signed(float(values.max()))}",
        Scale.of([edges[0], edges[-1], -1.0, 0.0], room=0.02),
        Scale(0.0, 1.1 * max(counts)),
        height=130,
        unit="trades",
    )
    for (low, high), count in zip(_pairs(edges), counts, strict=True):
        if count:
            picture = picture.bar(low, high, 0.0, count, "loss" if high <= 0 else "ours", hatched=high <= -1.0)
    picture = picture.rule(0.0).with_values(3)
    whole = [value for value in Scale(edges[0], edges[-1]).ticks(12) if value == int(value)]
    picture = replace(picture, x_ticks=tuple((picture.x.at(v), f"{v:+.0f} R" if v else "0") for v in whole))
    readings = Readings(
        [(low + high) / 2 for low, high in _pairs(edges)],
        {"trades": [float(count) for count in counts]},
        days=False,
        labels=[f"{low:+.1f} to {high:+.1f} R" for low, high in _pairs(edges)],
    )
    return Figure(picture.with_readings(readings), "histogram")


def years(trades: Sequence[tuple[date, float]]) -> Table | None:
    """R by year and month of the exit."""
    if not trades:
        return None
    rows: list[list[Cell]] = []
    for year, group in groupby(sorted(trades), key=lambda trade: trade[0].year):
        found = list(group)
        months = [[r for day, r in found if day.month == month] for month in range(1, 13)]
        total = sum(r for _, r in found)
        rows.append(
            [str(year), *(signed(sum(rs)) if rs else "" for rs in months), str(len(found)), signed(float(total))]
        )
    return table("R by year and month of the exit", ("year", *_MONTHS, "trades", "total"), rows)


def per_symbol(report: Report) -> Table | None:
    """What each symbol made, the worst first, and all of them together."""
    found = [(state.symbol, metrics) for state in report.symbols if (metrics := _metrics(state)) is not None]
    if not found:
        return None
    rows = sorted(
        ((metrics["total_r"], _metrics_row(symbol, metrics)) for symbol, metrics in found), key=lambda row: row[0]
    )
    made: list[list[Cell]] = [row for _, row in rows[:MOST_ROWS]]
    more = f"The worst {MOST_ROWS} of {len(rows)} symbols." if len(rows) > MOST_ROWS else ""
    if report.run is not None and report.run.portfolio is not None:
        made.append(_metrics_row("all together", report.run.portfolio))
    return table(
        "results by symbol",
        ("symbol", "triggers", "trades", "win", "R/trade", "total R", "profit factor", "max drawdown", "open R"),
        made,
        note=more,
    )


def _metrics(state: SymbolState) -> Any:
    """A symbol's metrics as they are published; None where nothing was executed."""
    if state.run is not None:
        return state.run.metrics
    return None if state.result is None else document(state.result.metrics)


def _metrics_row(name: str, metrics: Any) -> list[Cell]:
    return [
        name, str(metrics["trigger_count"]), str(metrics["trade_count"]), percent(metrics["win_rate"]),
        signed(metrics["expectancy_r"]), signed(metrics["total_r"]), number(metrics["profit_factor"], digits=2),
        number(metrics["max_drawdown_r"], digits=2), signed(metrics["open_r"]) if metrics["open_count"] else "-",
    ]  # fmt: skip


def sensitivity(metrics: Any) -> Figure | None:
    """R a trade at other slippages."""
    levels = (metrics or {}).get("slippage_stress")
    points = [(level["ticks"], level["expectancy_r"]) for level in levels or () if level["expectancy_r"] is not None]
    if len(points) < 2:
        return None
    values = [value for _, value in points]
    signs = {value > 0 for value in values}
    said = "keeps its sign" if len(signs) == 1 else "changes its sign"
    picture = Picture(
        f"R a trade {said} from {points[0][0]} to {points[-1][0]} ticks of slippage a side "
        f"({signed(values[0])} to {signed(values[-1])})",
        Scale(-0.5, points[-1][0] + 0.5),
        Scale.of([*values, 0.0]),
        height=110,
        unit="R a trade",
    ).rule(0.0)
    for ticks, value in points:
        picture = picture.mark(ticks, value, "circle", "ours").text(ticks, value, signed(value), anchor="middle")
    picture = replace(
        picture.with_values(3), x_ticks=tuple((picture.x.at(ticks), f"{ticks} ticks") for ticks, _ in points)
    )
    readings = Readings(
        [ticks for ticks, _ in points],
        {"R a trade": [round(value, 4) for value in values]},
        days=False,
        labels=[f"{ticks} ticks a side" for ticks, _ in points],
    )
    return Figure(picture.with_readings(readings), "slippage")


def flags(results: Sequence[StrategyResult]) -> Table | None:
    """Each flag of a trigger against what became of its trade, beside the base rate of all trades."""
    outcomes: list[tuple[Any, float]] = []
    for result in results:
        by_trigger = {trade.trigger_session: trade.r_theoretical for trade in result.trades}
        outcomes += [(t, by_trigger[t.trigger_session]) for t in result.triggers if t.trigger_session in by_trigger]
    if not outcomes:
        return None
    base = [r for _, r in outcomes]
    rows: list[tuple[float, list[Cell]]] = []
    for flag in FLAGS:
        sides = [[r for trigger, r in outcomes if getattr(trigger, flag) is value] for value in (True, False)]
        apart = float(np.mean(sides[0]) - np.mean(sides[1])) if all(sides) else None
        cells = [text for side in sides for text in _rate(side)]
        rows.append((apart if apart is not None else np.inf, [flag.replace("_", " "), *cells, signed(apart)]))
    made = [row for _, row in sorted(rows, key=lambda row: row[0])]
    made.append(["all trades", *_rate(base), "", "", "", ""])
    return table(
        "flags against outcome",
        ("flag", "with: trades", "win", "R/trade", "without: trades", "win", "R/trade", "difference"),
        made,
        note=f"Base rate: {percent(_wins(base))} of {len(base)} trades won, {signed(float(np.mean(base)))} R each. "
        "With few trades a flag that seems to matter may be luck.",
    )


def _rate(rs: Sequence[float]) -> Iterator[str]:
    yield str(len(rs))
    yield percent(_wins(rs))
    yield signed(float(np.mean(rs)) if rs else None)


def _wins(rs: Sequence[float]) -> float | None:
    return sum(r > 0 for r in rs) / len(rs) if rs else None


def _pairs(edges: Sequence[float]) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def _inside(day: date, window: Window | None) -> bool:
    return window is None or window[0] <= day <= window[1]
