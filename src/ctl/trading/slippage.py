"""Slippage per side from fills, or from daily bars where there are none; always with its uncertainty. Pure.

Nothing here is random: intervals are Student's, over fills or over calendar months.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from ctl.model.bars import CloseBasis

    Floats = npt.NDArray[np.float64]

Side = Literal["buy", "sell"]
Method = Literal["fills", "proxy"]

CONFIDENCE: Final = 0.95
MONTHS: Final = 36
MIN_FILLS: Final = 10
MIN_MONTHS: Final = 12

_MIN_PAIRS: Final = 10  # of a month that counts
_NORMAL_FROM: Final = 1000  # degrees of freedom from which Student's quantile is the normal one to four digits
_ROUNDING: Final = 1e-9  # ticks: what lies this near a whole one is that one


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution and the price it is measured against, both of the contract traded. quantity above zero."""

    session: date
    side: Side
    quantity: float
    price: float
    reference: float

    @property
    def cost(self) -> float:
        """What the fill cost per unit; below zero where it was better than the reference."""
        return self.price - self.reference if self.side == "buy" else self.reference - self.price


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its standard error and the two-sided interval at CONFIDENCE; None where `count` is too small."""

    value: float
    standard_error: float | None
    low: float | None
    high: float | None
    count: int


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
) -> Calibration:
    """A calibration that proposes its value in whole ticks. interval: value, low, high."""
    value, low, high = interval
    ticks = ticks_up(value, tick)
    return Calibration(
        method=method,
        per_side=value,
        low=low,
        high=high,
        proposed=_ticks_to_price(ticks, tick),
        proposed_ticks=ticks,
        tick=tick,
        parts=parts,
        notes=tuple(notes),
    )


# ---------------------------------------------------------------- fills


def from_fills(fills: Sequence[Fill], *, tick: float) -> Calibration:
    """Slippage per side from executions: the quantity-weighted mean cost, of both sides together and of each."""
    parts = {
        name: weighted_mean([fill.cost for fill in chosen], [fill.quantity for fill in chosen])
        for name, chosen in (
            ("fills", fills),
            ("buys", [fill for fill in fills if fill.side == "buy"]),
            ("sells", [fill for fill in fills if fill.side == "sell"]),
        )
        if chosen
    }
    if not parts:
        return Calibration(method="fills", tick=tick, parts={}, notes=("no fills of it",))
    found = parts["fills"]
    value, low, high = found.value, found.low, found.high
    if len(fills) < MIN_FILLS:
        note = f"{len(fills)} fills are too few to propose a value; expected at least {MIN_FILLS}"
        return Calibration(method="fills", per_side=value, low=low, high=high, tick=tick, parts=parts, notes=(note,))
    notes = ("the fills were better than their references: no slippage is proposed below zero",) if value < 0 else ()
    return _calibration("fills", (value, low, high), tick, parts, notes)


def weighted_mean(values: Sequence[float] | Floats, weights: Sequence[float] | Floats) -> Estimate:
    """Weighted mean, the standard error of a ratio estimator, and Student's interval with n - 1 degrees of freedom.

    se^2 = n/(n-1) * sum(w^2 (x - mean)^2) / sum(w)^2 (Cochran, Sampling Techniques, 3rd ed., 1977, section 6.3);
    with equal weights the usual s/sqrt(n). Values and weights: one each, at least one; weights above zero.
    """
    x, w = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    n = len(x)
    mean = float((w * x).sum() / w.sum())
    if n < 2:
        return Estimate(mean, None, None, None, n)
    error = math.sqrt(n / (n - 1) * float((w**2 * (x - mean) ** 2).sum())) / float(w.sum())
    reach = student_quantile(CONFIDENCE, n - 1) * error
    return Estimate(mean, error, mean - reach, mean + reach, n)


# ---------------------------------------------------------------- daily bars


def from_bars(frame: pl.DataFrame, *, tick: float, lots: int, closes: CloseBasis = "last_trade") -> Calibration:
    """Slippage per side without fills: half the spread that daily bars imply, and the impact of the size.

    frame: columns session, high, low, close, volume, adjustment (what each bar carries above its raw price), of the
    last MONTHS months. lots: contracts or shares traded at once. closes: what the close is.

    half_spread: Abdi and Ranaldo, "A Simple Estimation of Bid-Ask Spreads from Daily Close, High, and Low Prices",
    Review of Financial Studies 30(12), 2017: s^2 = 4 E[(c - m)(c - m')], c the log close, m the log mid-range
    (h + l)/2 of the same session and m' that of the next, on one contract; here averaged over months.
    Where the interval of s^2 reaches zero the bars cannot tell a spread from none, and where the close is a settlement
    it is no trade at the session's end, as the estimator needs it: half a tick is used then, no market quotes closer.
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
    closest = tick / 2.0
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
        parts["half_spread"] = Estimate(value, None, low, high, squared.count)
        spread_low, spread_high = max(low, closest), max(high, closest)
        if low == 0.0:
            notes.append("daily bars cannot tell its spread from none: half a tick stands in for half of it")
        else:
            spread = max(value, closest)
    impact = Estimate(0.0, None, 0.0, 0.0, 0)
    if len(months.volume_weight) >= MIN_MONTHS:
        depth = np.sqrt(months.variance * lots / months.volume) * months.price
        impact = parts["impact"] = weighted_mean(depth, months.volume_weight)
    else:
        notes.append("too few months with volume: the impact of the size is left out")
    total = spread + impact.value
    low, high = spread_low + max(impact.low or 0.0, 0.0), spread_high + (impact.high or 0.0)
    return _calibration("proxy", (total, low, high), tick, parts, notes)


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


def student_quantile(confidence: float, freedom: int) -> float:
    """t with P(|T| <= t) = confidence for `freedom` (at least 1) degrees of freedom.

    Found by bisection of the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    if freedom >= _NORMAL_FROM:
        return NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    low, high = 0.0, math.pi / 2.0
    for _ in range(100):
        middle = (low + high) / 2.0
        if _within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.tan((low + high) / 2.0) * math.sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """P(|T| <= t) at t = tan(angle) * sqrt(freedom)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(1, freedom // 2 + 1):
        total += term
        term *= cosine * cosine * ((2 * k) / (2 * k + 1) if odd else (2 * k - 1) / (2 * k))
    return 2.0 / math.pi * (angle + sine * total) if odd else sine * total


def _ticks_to_price(ticks: int, tick: float) -> float:
    """Whole ticks in price units, without the digits that the multiplication adds: 3 x 0.1 is 0.3."""
    return float(f"{ticks * tick:.12g}")
