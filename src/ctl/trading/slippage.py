"""Slippage per side from fills, or from daily bars where there are none; always with its uncertainty. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ctl.trading.intervals import Estimate, clustered_mean, weighted_mean

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from ctl.model.bars import CloseBasis

    Floats = npt.NDArray[np.float64]

Side = Literal["buy", "sell"]
Method = Literal["fills", "proxy"]
OrderType = Literal["market", "stop", "limit"]

MONTHS: Final = 36
MIN_FILLS: Final = 10
MIN_SESSIONS: Final = 5
MIN_MONTHS: Final = 12

_MIN_PAIRS: Final = 10  # of a month that counts
_ROUNDING: Final = 1e-9  # ticks: what lies this near a whole one is that one


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution and the price it is measured against, both of the contract traded. quantity above zero.

    order_type: None where the blotter does not say.
    """

    session: date
    side: Side
    quantity: float
    price: float
    reference: float
    order_type: OrderType | None = None

    @property
    def cost(self) -> float:
        """What the fill cost per unit; below zero where it was better than the reference."""
        return self.price - self.reference if self.side == "buy" else self.reference - self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Slippage per side of one symbol, in price units, with its interval at CONFIDENCE.

    proposed: the profile value that follows, whole ticks, rounded up; None where the evidence is too thin to propose
    anything, and `notes` say why. parts: what `per_side` was made from, by name.
    """

    method: Method
    per_side: float | None = None
    low: float | None = None
    high: float | None = None
    proposed: float | None = None
    proposed_ticks: int | None = None
    tick: float
    parts: Mapping[str, Estimate]
    notes: tuple[str, ...]


def _calibration(
    method: Method,
    interval: tuple[float, float | None, float | None],
    tick: float,
    parts: Mapping[str, Estimate],
    notes: Sequence[str],
    *,
    floor: float | None,
) -> Calibration:
    """A calibration that proposes its value in whole ticks, and nothing below `floor`. interval: value, low, high."""
    value, low, high = interval
    ticks = ticks_up(value, tick)
    proposed = _ticks_to_price(ticks, tick)
    if floor is not None and proposed < floor:
        ticks, proposed = ticks_up(floor, tick), floor
        notes = (*notes, "so nothing below the locked value is proposed")
    return Calibration(
        method=method,
        per_side=value,
        low=low,
        high=high,
        proposed=proposed,
        proposed_ticks=ticks,
        tick=tick,
        parts=parts,
        notes=tuple(notes),
    )


# ---------------------------------------------------------------- fills


def from_fills(fills: Sequence[Fill], *, tick: float, locked: float | None = None) -> Calibration:
    """Slippage per side from market and stop fills: their quantity-weighted mean cost, together and of each side.

    The fills of one session met one market and are one piece of evidence. Limit fills are told apart: a target rests
    and fills at its price, which says nothing of what a market order costs. Where a blotter does not say the order
    types, a fill that is better than its reference by more than any fill was worse is taken for one of a limit order,
    and nothing below `locked` is proposed.
    """
    limits, charged, guessed = _told_apart(fills, tick)
    notes = [_limits_note(len(limits), guessed)] if limits else []
    parts = {
        name: clustered_mean(
            [fill.cost for fill in chosen], [fill.quantity for fill in chosen], [fill.session for fill in chosen]
        )
        for name, chosen in (
            ("fills", charged),
            ("buys", [fill for fill in charged if fill.side == "buy"]),
            ("sells", [fill for fill in charged if fill.side == "sell"]),
            ("limits", limits),
        )
        if chosen
    }
    if not charged:
        notes.append("no market or stop fills of it: nothing tells its slippage" if fills else "no fills of it")
        return Calibration(method="fills", tick=tick, parts=parts, notes=tuple(notes))
    found = parts["fills"]
    interval = (found.value, found.low, found.high)
    sessions = found.clusters
    if sessions < len(charged):
        notes.append(f"{len(charged)} fills in {sessions} sessions: those of one session are one piece of evidence")
    if len(charged) < MIN_FILLS or sessions < MIN_SESSIONS:
        notes.append(
            f"{len(charged)} market and stop fills in {sessions} sessions are too few to propose a value; expected at "
            f"least {MIN_FILLS} in {MIN_SESSIONS}"
        )
        value, low, high = interval
        return Calibration(
            method="fills", per_side=value, low=low, high=high, tick=tick, parts=parts, notes=tuple(notes)
        )
    unsure = sum(fill.order_type is None and fill.cost < 0.0 for fill in charged)
    if unsure:
        notes.append(
            f"{unsure} fills without an order type were better than their references: if limit orders, say so in a "
            f"column order_type"
        )
    if found.value < 0:
        notes.append("the fills were better than their references: no slippage is proposed below zero")
    return _calibration("fills", interval, tick, parts, notes, floor=locked if unsure or guessed else None)


def _told_apart(fills: Sequence[Fill], tick: float) -> tuple[list[Fill], list[Fill], int]:
    """Limit fills, the others, and how many of the limit fills no blotter names so."""
    said = [fill for fill in fills if fill.order_type is not None]
    unsaid = [fill for fill in fills if fill.order_type is None]
    worst = max((fill.cost for fill in fills if fill.order_type != "limit"), default=0.0)
    bound = max(worst, tick) * (1.0 + _ROUNDING)
    limits = [fill for fill in said if fill.order_type == "limit"]
    guessed = [fill for fill in unsaid if -fill.cost > bound]
    charged = [fill for fill in said if fill.order_type != "limit"] + [fill for fill in unsaid if -fill.cost <= bound]
    return limits + guessed, charged, len(guessed)


def _limits_note(count: int, guessed: int) -> str:
    told = "" if guessed == 0 else f", {guessed} of them told by price and side (name them in a column order_type)"
    return f"{count} limit fills set apart{told}: they fill at their price or better, at no slippage"


# ---------------------------------------------------------------- daily bars


def from_bars(
    frame: pl.DataFrame,
    *,
    tick: float,
    lots: int,
    closes: CloseBasis = "last_trade",
    locked: float | None = None,
) -> Calibration:
    """Slippage per side without fills: half the spread that daily bars imply, and the impact of the size.

    frame: columns session, high, low, close, volume, adjustment (what each bar carries above its raw price), of the
    last MONTHS months. lots: contracts or shares traded at once. closes: what the close is.

    half_spread: Abdi and Ranaldo, "A Simple Estimation of Bid-Ask Spreads from Daily Close, High, and Low Prices",
    Review of Financial Studies 30(12), 2017: s^2 = 4 E[(c - m)(c - m')], c the log close, m the log mid-range
    (h + l)/2 of the same session and m' that of the next, on one contract; here averaged over months.
    Where the interval of s^2 reaches zero the bars cannot tell a spread from none, and where the close is a settlement
    it is no trade at the session's end, as the estimator needs it: half a tick is used then, no market quotes closer,
    and nothing below `locked` is proposed.
    impact: sigma * sqrt(lots / volume) * price, the square-root law (Almgren, Thum, Hauptmann and Li, "Direct
    Estimation of Equity Market Impact", Risk, 2005; Toth et al., Physical Review X 1, 021006, 2011) with coefficient
    1, volume the month's mean per session and sigma from ranges: mean(ln(h/l)^2) / (4 ln 2) (Parkinson, "The Extreme
    Value Method for Estimating the Variance of the Rate of Return", Journal of Business 53(1), 1980).
    """
    months = _months(frame)
    if months is None or len(months.weight) < MIN_MONTHS:
        found = 0 if months is None else len(months.weight)
        note = f"{found} usable months of bars; expected at least {MIN_MONTHS}"
        return Calibration(method="proxy", tick=tick, parts={}, notes=(note,))
    notes: list[str] = []
    parts: dict[str, Estimate] = {}
    closest, told = tick / 2.0, False
    spread, spread_low, spread_high = closest, closest, closest
    if closes == "settlement":
        notes.append(
            "its closes are settlements, which tell nothing of the spread: half a tick stands in for half of it"
        )
    else:
        squared = weighted_mean(months.squared_spread, months.weight)
        value, low, high = (
            _half_spread(part or 0.0, months.price) for part in (squared.value, squared.low, squared.high)
        )
        parts["half_spread"] = Estimate(value, None, low, high, squared.count, squared.clusters)
        spread_low, spread_high = max(low, closest), max(high, closest)
        if low == 0.0:
            notes.append("daily bars cannot tell the spread from none: half a tick stands in for half of it")
        else:
            spread, told = max(value, closest), True
    impact = Estimate(0.0, None, 0.0, 0.0, 0, 0)
    if len(months.volume_weight) >= MIN_MONTHS:
        depth = np.sqrt(months.variance * lots / months.volume) * months.price
        impact = parts["impact"] = weighted_mean(depth, months.volume_weight)
    else:
        notes.append("too few months with volume: the impact of the size is left out")
    total = spread + impact.value
    low, high = spread_low + max(impact.low or 0.0, 0.0), spread_high + (impact.high or 0.0)
    return _calibration("proxy", (total, low, high), tick, parts, notes, floor=None if told else locked)


@dataclass(frozen=True, slots=True)
class _Months:
    """Monthly means, one entry per usable month; volumes only of months that have them. price: the recent level."""

    price: float
    squared_spread: Floats
    weight: Floats
    variance: Floats
    volume: Floats
    volume_weight: Floats


def _months(frame: pl.DataFrame) -> _Months | None:
    import polars as pl

    raw = {name: pl.col(name) - pl.col("adjustment") for name in ("high", "low", "close")}
    bars = (
        frame.sort("session")
        .select("session", "volume", "adjustment", **raw)
        .filter(pl.all_horizontal(pl.col("high", "low", "close").is_finite()))
        .filter((pl.col("low") > 0) & (pl.col("high") >= pl.col("low")) & (pl.col("close") > 0))
        .with_columns(
            middle=(pl.col("high").log() + pl.col("low").log()) / 2.0,
            range2=(pl.col("high") / pl.col("low")).log() ** 2,
            month=pl.col("session").dt.truncate("1mo"),
        )
        .with_columns(
            # A pair across a roll compares two contracts.
            product=pl.when(pl.col("adjustment") == pl.col("adjustment").shift(-1)).then(
                (pl.col("close").log() - pl.col("middle")) * (pl.col("close").log() - pl.col("middle").shift(-1))
            )
        )
    )
    if bars.is_empty():
        return None
    price = float(bars["close"].tail(20).to_numpy().mean())
    monthly = (
        bars.group_by("month", maintain_order=True)
        .agg(
            squared=4.0 * pl.col("product").mean(),
            pairs=pl.col("product").count(),
            variance=pl.col("range2").mean() / (4.0 * math.log(2.0)),
            volume=pl.col("volume").mean(),
        )
        .filter(pl.col("pairs") >= _MIN_PAIRS)
        .tail(MONTHS)
    )
    traded = monthly.filter(pl.col("volume") > 0)
    return _Months(
        price=price,
        squared_spread=monthly["squared"].to_numpy(),
        weight=monthly["pairs"].cast(pl.Float64).to_numpy(),
        variance=traded["variance"].to_numpy(),
        volume=traded["volume"].to_numpy(),
        volume_weight=traded["pairs"].cast(pl.Float64).to_numpy(),
    )


def _half_spread(squared: float, price: float) -> float:
    """Half the spread in price units from the squared relative one; zero where that is negative."""
    return math.sqrt(max(squared, 0.0)) / 2.0 * price


# ---------------------------------------------------------------- figures


def ticks_up(value: float, tick: float) -> int:
    """The smallest number of whole ticks that is not below `value`, at least 0."""
    return max(0, math.ceil(value / tick - _ROUNDING))


def _ticks_to_price(ticks: int, tick: float) -> float:
    """Whole ticks in price units, without the digits that the multiplication adds: 3 x 0.1 is 0.3."""
    return float(f"{ticks * tick:.12g}")
