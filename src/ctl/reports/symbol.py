"""The section on one symbol: both sides beside each other, and its trades on the bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctl.drawing import Ink, Mark, Picture, Readings, Scale, day_number, number, readable
from ctl.model import pictures
from ctl.model.certificate import DRIFT_LIMIT, Certificate, Counterfactuals
from ctl.model.findings import counted
from ctl.reports import explanation
from ctl.reports.explanation import ALTERNATIVES, layer_text
from ctl.reports.parts import Figure, Gauge, Sparkline, Table, Word, percent, signed, sparkline, table
from ctl.reports.state import SymbolState, Window

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from ctl.model.trades import StrategyResult, Trade

NEWEST: Final = 60
CANDLES: Final = 60
TRADES_DRAWN: Final = 12
_BEFORE_ENTRY: Final = 20  # bars at least, and so many after the exit
_AFTER_EXIT: Final = 5
_COMPONENTS: Final = 8
_WEEKS: Final = 52
_SERIES: Final = {**ALTERNATIVES, "rebuilt": "on the reference's rolls"}
_NEWEST_CHECKS: Final = ("dates", "unit", "level_step", "level_now", "ahead", "ends")  # of L0


@dataclass(frozen=True, slots=True)
class SymbolPage:
    """One symbol as the page shows it. lines: sentences; drawn: its pictures; trades: those on candles."""

    state: SymbolState
    gauge: Gauge | None
    weeks: Sparkline | None
    lines: tuple[str, ...]
    layers: Table | None
    drawn: tuple[Figure, ...]
    tables: tuple[Table, ...]
    trades: tuple[Figure, ...]

    @property
    def word(self) -> Word:
        """Its decision as a status."""
        judged = self.state.judged is not None or self.state.role != "gating"
        return Word(self.state.decision or ("ERROR" if self.state.problem else "not judged" if judged else ""))

    @property
    def summary(self) -> str:
        """What its heading says beside the decision."""
        state = self.state
        parts: list[str] = [] if state.role == "gating" else [state.role]
        if state.certificate is not None and state.certificate.mean_drift is not None:
            parts.append(f"mean drift {number(state.certificate.mean_drift)} {state.certificate.quote_unit}")
        if state.run is not None and state.run.metrics is not None:
            found = state.run.metrics
            parts.append(f"{counted(found['trade_count'], 'trade')}, {signed(found['total_r'])} R")
        return ", ".join([*parts, *([state.note] if state.note else [])])


def symbol_page(
    state: SymbolState, window: Window | None, *, points: int = 400, trades: int = TRADES_DRAWN
) -> SymbolPage:
    """Everything of one symbol. points: the most of a curve; trades: how many are drawn, the newest."""
    certificate = state.certificate
    drawn: list[Picture | None] = []
    tables: list[Table | None] = []
    if certificate is not None:
        drawn = [
            pictures.drift(certificate, window, points),
            pictures.rolls(certificate, window),
            newest(certificate, state.bars),
        ]
        tables = [
            newest_checks(certificate, every=trades > 0), ledger(certificate), alternatives(certificate),
            removals(certificate) if trades else None, unmatched(certificate),
        ]  # fmt: skip
    if state.trades is not None and not state.trades.is_empty():
        tables.append(trades_table(state.trades, window, state.tick, None if trades else TRADES_DRAWN))
    candles = on_candles(state, window, trades) if state.result is not None and state.bars is not None else ()
    return SymbolPage(
        state,
        gauge(state),
        weekly_drift(certificate),
        tuple(_lines(state)),
        None if certificate is None else layers(certificate),
        tuple(Figure(picture, state.symbol) for picture in drawn if picture is not None),
        tuple(item for item in tables if item is not None),
        tuple(candles),
    )


def gauge(state: SymbolState) -> Gauge | None:
    """The drift now and as locked beside the most that passes: of an ACCEPT the limit of acceptance, of a WATCH the
    ratchet's, both aligned as the ratchet aligns them. Without a lock the mean drift beside the limit.
    """
    certificate, judged = state.certificate, state.judged
    if certificate is None or certificate.mean_drift is None:
        return None
    limit = certificate.acceptance.limits.get(DRIFT_LIMIT)
    if judged is None or judged.metrics is None or judged.locked is None:
        return None if limit is None else Gauge(certificate.mean_drift, None, limit)
    if judged.expected == "ACCEPT" or state.ratchet is None:
        return None if limit is None else Gauge(certificate.mean_drift, judged.locked.metrics.mean_drift, limit)
    now, locked = judged.metrics.aligned_drift, judged.locked.metrics.aligned_drift
    return None if now is None or locked is None else Gauge(now, locked, (1.0 + state.ratchet) * locked)


def weekly_drift(certificate: Certificate | None) -> Sparkline | None:
    """The mean |drift| of each of the newest 52 weeks, from zero to the most."""
    series = None if certificate is None else certificate.tables.get("L4_drift.csv")
    if series is None or series.is_empty():
        return None
    import polars as pl

    newest_weeks = series.filter(pl.col("session") > pl.col("session").max() - timedelta(weeks=_WEEKS))
    weeks = newest_weeks.group_by_dynamic("session", every="1w").agg(pl.col("drift").abs().mean())["drift"].to_list()
    return sparkline(weeks, max(weeks))


def _lines(state: SymbolState) -> Iterator[str]:
    if state.problem:
        yield state.problem
    if state.judged is not None and not state.judged.passed:
        reasons = state.judged.telling_first
        shown = reasons[:1] if reasons and reasons[0].code == "IDENTITY_MISMATCH" else reasons
        yield from (f"{reason.code}: {reason.text}" for reason in shown)
        if also := dict.fromkeys(reason.code for reason in reasons[len(shown) :]):
            yield f"therefore also {', '.join(also)}"
    if state.certificate is not None:
        refused = state.judged is not None and not state.judged.passed
        told = {**explanation.cause_and_cure(state.certificate), **explanation.what_changes(state.certificate)}
        yield from () if refused else explanation.reasons(state.certificate)
        yield from (f"{name} {text}" for name, text in told.items() if text)
    if state.pending:
        yield state.pending
    if state.run is not None and state.run.reason:
        yield f"{state.run.status}: {state.run.reason}"


def layers(certificate: Certificate) -> Table:
    """L0 to L5 in a line each."""
    rows = [
        (f"{name} {layer.title}", Word(layer.status), layer_text(certificate, name, layer, brief=False))
        for name, layer in certificate.layers.items()
    ]
    return table("layers", ("layer", "status", "finding"), rows, words=3)


def ledger(certificate: Certificate) -> Table | None:
    """Where the drift comes from: signed points that add up."""
    found = certificate.causes(_COMPONENTS)
    if found.is_empty():
        return None
    rows = [
        (pictures.short(name), explanation.why(certificate, name), percent(share, 1), signed(mean),
         "" if largest is None else number(largest))
        for name, share, mean, largest in found.iter_rows()
    ]  # fmt: skip
    return table("drift by cause", ("drift from", "why", "share", certificate.quote_unit, "largest"), rows, words=2)


def newest_checks(certificate: Certificate, *, every: bool = True) -> Table | None:
    """What was asked of the newest sessions, which orders rest on: their dates, unit and level. every: else only what
    did not pass.
    """
    found = [made for name in _NEWEST_CHECKS if (made := certificate.layers.L0.finding(name)) is not None]
    rows = [
        (made.check.replace("_", " "), Word(made.status), made.text) for made in found if every or made.status != "PASS"
    ]
    return table("the newest sessions", ("check", "status", "finding"), rows, words=3) if rows else None


def removals(certificate: Certificate) -> Table | None:
    """What the decision would be without one of the largest causes."""
    found = certificate.counterfactuals
    if not isinstance(found, Counterfactuals) or not found.removals:
        return None
    rows = [
        (pictures.short(item.unit), Word(item.decision), number(item.mean_drift), number(item.mean_gap_diff),
         str(item.n_paired))
        for item in found.removals
    ]  # fmt: skip
    columns = ("without", "decision", "drift", "gap difference", "rolls paired")
    return table("without one of the causes", columns, rows, words=2)


def alternatives(certificate: Certificate) -> Table | None:
    """What the decision would be on other series of ours."""
    found = certificate.alternatives()
    if found.height < 2:
        return None
    rows = [
        (f"{_SERIES.get(name, name)}: {why}" if why else _SERIES.get(name, name), Word(decision), number(drift),
         signed(total), signed(less))
        for name, decision, drift, total, less, why in found.iter_rows()
    ]  # fmt: skip
    return table("other series of ours", ("series", "decision", "drift", "total R", "minus reference"), rows, words=2)


def unmatched(certificate: Certificate) -> Table | None:
    """The rolls of one side alone."""
    rows = [
        (str(roll.gap_session), side, f"{roll.from_contract}>{roll.to_contract}", number(roll.gap))
        for side, found in (("ours", certificate.unmatched_canonical), ("reference", certificate.unmatched_reference))
        for roll in found
    ]
    return table("rolls of one side alone", ("gap session", "side", "roll", "gap"), rows, words=3) if rows else None


def trades_table(trades: pl.DataFrame, window: Window | None, tick: float | None, most: int | None) -> Table:
    """The closed trades, the worst first; most: how many of them, None for all."""
    price = partial(price_text, tick=tick)
    inside = pictures.between(trades, "exit_session", window).sort("r_theoretical", "exit_session")
    shown = inside.head(most or inside.height)
    left_out = inside.height - shown.height
    rows = [
        (
            str(row["entry_session"]), str(row["exit_session"]), str(row.get("entry_contract") or ""),
            str(row["exit_reason"]), price(row["entry_price"]), price(row.get("stop_price")),
            price(row["exit_price"]), signed(row["r_theoretical"]),
        )
        for row in shown.iter_rows(named=True)
    ]  # fmt: skip
    columns = ("entry", "exit", "contract", "left by", "entry price", "stop", "exit price", "R")
    note = f"{left_out} better ones are left out." if left_out else ""
    return table("closed trades, prices of the adjusted series", columns, rows, words=4, note=note)


def price_text(value: float | None, tick: float | None) -> str:
    """A price on the tick grid, with the digits that the grid needs; without a tick as it is."""
    if value is None:
        return "-"
    if not tick:
        return f"{value:.7g}"
    digits = max(0, -Decimal(repr(tick)).normalize().as_tuple().exponent)  # type: ignore[operator]  # a tick is finite
    return f"{round(value / tick) * tick:.{digits}f}"


# ---------------------------------------------------------------- pictures of the newest and of trades


def newest(certificate: Certificate, bars: pl.DataFrame | None) -> Picture | None:
    """Our close less the reference's on the newest sessions, in average true ranges, with the band of one."""
    series = certificate.tables.get("L4_drift.csv")
    if series is None or series.height < 2 or bars is None or bars.height < 2:
        return None
    shown = series.tail(NEWEST)
    atr = _true_range(bars.tail(NEWEST + 1))
    if not atr > 0.0:
        return None
    apart = (shown["canonical_close"] - shown["reference_close"]).to_numpy().astype(np.float64)
    sessions = shown["session"].to_list()
    days = np.asarray([day_number(day) for day in sessions], np.float64)
    values = apart / atr
    last = float(np.median(values[-5:]))
    typical = number(float(np.median(np.abs(values))), digits=2)
    picture = Picture(
        f"{certificate.symbol}: the newest {shown.height} closes lie {typical} ATR from the reference's, the last five "
        f"{signed(last)}",
        Scale.of_days(sessions[0], sessions[-1]),
        Scale.of(values, -1.2, 1.2),
        height=110,
        unit="average true ranges (ATR)",
    )
    picture = picture.area(days, np.full(days.size, -1.0), np.full(days.size, 1.0), "other")
    picture = picture.rule(0.0).line(days, values, "ours")
    readings = Readings(
        days.tolist(),
        {
            "contract": pictures.contracts_on(certificate, days),
            "ATR": readable(values),
            certificate.quote_unit: readable(apart),
        },
    )
    return picture.with_dates(6).with_values(3).with_ends((1.0, "+1 ATR", "other")).with_readings(readings)


def _true_range(bars: pl.DataFrame) -> float:
    high, low, close = (bars[name].to_numpy().astype(np.float64) for name in ("high", "low", "close"))
    before = close[:-1]
    ranges = np.fmax(high[1:], before) - np.fmin(low[1:], before)
    ranges = np.where(np.isfinite(ranges), ranges, np.abs(np.diff(close)))
    known = ranges[np.isfinite(ranges)]
    return float(known.mean()) if known.size else float("nan")


def on_candles(state: SymbolState, window: Window | None, most: int) -> Iterator[Figure]:
    """The newest trades on their bars: what is still held first."""
    result, bars = state.result, state.bars
    if result is None or bars is None or result.timeframe != "daily":
        return
    held: list[Trade] = [*result.open, *sorted(result.trades, key=lambda trade: trade.entry_session, reverse=True)]
    sessions = bars["session"].to_numpy().astype("datetime64[D]")
    shown = [trade for trade in held if window is None or window[0] <= trade.exit_session <= window[1]]
    unit = "price, adjusted" if state.certificate is None else f"{state.certificate.quote_unit}, adjusted"
    for trade in shown[:most]:
        picture = _candles(trade, result, bars, sessions, partial(price_text, tick=state.tick), unit)
        yield Figure(picture, f"{state.symbol} {trade.entry_session}")


def _candles(
    trade: Trade, result: StrategyResult, bars: pl.DataFrame, sessions: Any, price: Callable[[float], str], unit: str
) -> Picture:
    ends = (np.datetime64(day) for day in (trade.entry_session, trade.exit_session))
    entry, leave = (int(np.searchsorted(sessions, day)) for day in ends)
    first = max(min(entry - _BEFORE_ENTRY, leave + _AFTER_EXIT + 1 - CANDLES), 0)
    rows = bars.slice(first, CANDLES)
    days = rows["session"].to_list()
    xs = np.arange(rows.height, dtype=np.float64)
    opens, highs, lows, closes = (rows[name].to_numpy().astype(np.float64) for name in ("open", "high", "low", "close"))
    reach = float(np.nanmax(highs) - np.nanmin(lows))
    targets = [("TP1", trade.tp1), ("TP2", trade.tp2), ("TP3", trade.tp3)]
    near = [(name, level) for name, level in targets if level <= np.nanmax(highs) + 0.4 * reach]
    levels: list[tuple[str, float, Ink]] = [
        ("stop", trade.stop_price, "loss"), ("entry", trade.entry_price, "ours"),
        *((name, level, "basis") for name, level in near),
    ]  # fmt: skip
    contract = next(iter(rows.slice(entry - first, 1)["contract"].to_list()), None) or result.symbol
    until = "still held" if trade.exit_reason == "Open" else f"{trade.exit_reason} {trade.exit_session}"
    cut = "" if leave - first < CANDLES else f"; its first {CANDLES} bars"
    picture = Picture(
        f"{contract}: bought {trade.entry_session} at {price(trade.entry_price)}, {until}, "
        f"{signed(trade.r_theoretical)} R{cut}",
        Scale(-0.8, rows.height - 0.2),
        Scale.of(highs, lows, [level for _, level, _ in levels]),
        height=200,
        unit=unit,
    )
    begin, right = float(entry - first), float(min(leave - first, rows.height - 1))
    for _, level, ink in levels:
        picture = picture.links([(begin, level, right, level)], ink, width=1.4)
    picture = picture.candles(xs, opens, highs, lows, closes)
    notes: dict[int, str] = {}
    places = {day: k for k, day in enumerate(days)}
    for day, place, shape, ink, text in _events(trade, price):
        k = places.get(day)
        if k is not None:
            at = place if place is not None else float(highs[k] if shape == "down" else lows[k])
            picture = picture.mark(k, at, shape, ink)
            notes[k] = f"{notes[k]}; {text}" if k in notes else text
    readings = Readings(
        xs.tolist(),
        {
            "contract": [name or "" for name in rows["contract"].to_list()],
            **{
                name: np.round(values, 6).tolist()
                for name, values in (("open", opens), ("high", highs), ("low", lows), ("close", closes))
            },
        },
        days=False,
        labels=[day.isoformat() for day in days],
        notes=notes,
    )
    every = max(1, rows.height // 6)
    x_ticks = tuple((picture.x.at(k), days[k].strftime("%d %b %y")) for k in range(0, rows.height, every))
    legend = [(level, f"{name} {price(level)}", ink) for name, level, ink in levels]
    return replace(picture.with_values().with_ends(*legend).with_readings(readings), x_ticks=x_ticks)


def _events(trade: Trade, price: Callable[[float], str]) -> Iterator[tuple[date, float | None, Mark, Ink, str]]:
    """What happened on which day: where it is marked (None: at the bar's end), how, and in words."""
    yield trade.trigger_session, None, "down", "gap", "trigger"
    stop = f"entry at {price(trade.entry_price)}, stop {price(trade.stop_price)}"
    yield trade.entry_session, None, "up", "ours", stop
    for name, day, fill in (
        ("TP1", trade.tp1_session, trade.tp1_fill),
        ("TP2", trade.tp2_session, trade.tp2_fill),
        ("TP3", trade.tp3_session, trade.tp3_fill),
    ):
        if day is not None and fill is not None:
            yield day, fill, "triangle", "basis", f"{name} sold at {price(fill)}"
    if trade.exit_reason == "Stop":
        text = f"left at {price(trade.exit_price)} after a close below the stop"
        yield trade.exit_session, trade.exit_price, "cross", "loss", text
