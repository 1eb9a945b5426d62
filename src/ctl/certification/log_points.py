"""Ratio-adjusted series compared in logarithms, which makes ratios differences.

Every price p becomes P * log(p), P our last unadjusted close: a ratio of two contracts is then a gap, a product of
ratios their sum, and near P a log point is a price unit. Recovery, L2 to L4 and the ledger need no second measure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ctl.arrays import Days, Floats
from ctl.certification.contract_closes import ContractCloses
from ctl.certification.recovery.parsimony import own_schedule
from ctl.certification.series_arrays import UNKNOWN, canonical_arrays, reference_closes
from ctl.model.rolls import ContinuousSeries

if TYPE_CHECKING:
    from ctl.certification.our_side import OurSide
    from ctl.certification.request import CertifyRequest
    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference


# A spread that moves by 2 ticks on more sessions than this, while the ratio stands still on so many, is a ratio's.
STEP_TICKS: Final = 2.0
MOVING_SHARE: Final = 0.2
STILL_SHARE: Final = 0.9
# Of an adjusted series alone: what a factor for each of our segments leaves, of what an offset leaves.
FACTOR_LEAVES: Final = 0.5
_PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class LogPoints:
    """The scale P, in quote units."""

    scale: float

    def of(self, prices: Floats) -> Floats:
        """Log points of prices; NaN where a price is not above zero."""
        known = prices > 0.0
        out: Floats = np.full(prices.shape, np.nan)
        out[known] = self.scale * np.log(prices[known])
        return out

    def prices(self, points: Floats) -> Floats:
        """Prices of log points."""
        out: Floats = np.exp(points / self.scale)
        return out

    def series(self, series: ContinuousSeries) -> ContinuousSeries:
        """Our series in log points, adjusted by ratios whatever it was adjusted by."""
        frame = series.frame
        raw = frame["close_unadjusted"].to_numpy()
        days = frame["session"].to_numpy().astype("datetime64[D]")
        rolls = tuple(
            replace(roll, gap=self.scale * float(np.log(roll.to_close / roll.from_close))) for roll in series.rolls
        )
        carried = np.zeros(frame.height)
        starts = np.searchsorted(days, np.array([roll.roll_date for roll in rolls], dtype="datetime64[D]"))
        for start, roll in zip(starts.tolist(), rolls, strict=True):
            carried[:start] += roll.gap
        close = frame["close"].to_numpy()
        ratio = series.policy.adjustment == "ratio"
        prices = {}
        for name in _PRICES:
            values = frame[name].to_numpy().astype(np.float64)
            # What a bar's open is above its close, the contract's own open was above its own close.
            own = values * raw / close if ratio else values - (close - raw)
            prices[name] = self.of(own) + carried
        changed = frame.with_columns(**prices, close_unadjusted=self.of(raw), adjustment=carried)
        return replace(series, frame=changed, rolls=rolls)

    def reference(self, reference: Reference) -> Reference:
        """A reference's series in log points."""
        return replace(
            reference, adjusted=self._daily(reference.adjusted), unadjusted=self._daily(reference.unadjusted)
        )

    def _daily(self, series: DailySeries | None) -> DailySeries | None:
        if series is None:
            return None
        points = {name: self.of(series.frame[name].to_numpy().astype(np.float64)) for name in _PRICES}
        return replace(series, frame=series.frame.with_columns(**points, adjustment=pl.lit(0.0)))


def adjusted_by_ratio(request: CertifyRequest, ours: OurSide) -> bool:
    """Whether the reference's adjusted closes are its unadjusted ones, or our contracts', times a factor per roll."""
    if request.reference is None or not isinstance(request.canonical, ContinuousSeries):
        return False
    days, adjusted, unadjusted = reference_closes(request.reference)
    if request.reference.adjusted is None or not days.size or not (adjusted > 0.0).all():
        return False
    if request.reference.unadjusted is not None:
        if not (unadjusted > 0.0).all():
            return False
        limit = STEP_TICKS * request.tick
        moving = float((np.abs(np.diff(unadjusted - adjusted)) >= limit).mean()) if days.size > 1 else 0.0
        if not moving > MOVING_SHARE:
            return False
        ratio = unadjusted / adjusted
        still = np.abs(np.diff(ratio)) * adjusted[1:] < limit
        return float(still.mean()) >= STILL_SHARE
    return _factors_fit(request, ours, days, adjusted)


def _factors_fit(request: CertifyRequest, ours: OurSide, days: Days, adjusted: Floats) -> bool:
    series, closes = ours.canonical, ours.closes
    if not closes.names or not series.sessions.size or not (closes.flat[np.isfinite(closes.flat)] > 0.0).all():
        return False
    before = np.searchsorted(series.sessions, days, side="right") - 1
    inside = (before >= 0) & (days <= series.sessions[-1])
    contract_on_day = np.where(inside, series.contract[before], UNKNOWN)
    at = closes.index_of(days)
    offsets = own_schedule(adjusted, at, contract_on_day, closes, tick=request.tick, adjusted=True)
    if offsets.exact or not offsets.compared.any():
        return False
    scale = LogPoints(float(np.median(adjusted)))
    factors = own_schedule(
        scale.of(adjusted), at, contract_on_day, replace(closes, flat=scale.of(closes.flat)), tick=request.tick,
        adjusted=True,
    )  # fmt: skip
    return factors.total < FACTOR_LEAVES * offsets.total


def in_log_points(request: CertifyRequest, ours: OurSide) -> tuple[CertifyRequest, OurSide, LogPoints] | None:
    """Both sides in log points; None where our prices are not all above zero."""
    series, reference = request.canonical, request.reference
    if not isinstance(series, ContinuousSeries) or reference is None or not series.frame.height:
        return None
    raw = series.frame["close_unadjusted"].to_numpy()
    if not (raw > 0.0).all() or any(roll.from_close <= 0.0 or roll.to_close <= 0.0 for roll in series.rolls):
        return None
    points = LogPoints(float(raw[-1]))
    made = points.series(series)
    closes = replace(ours.closes, flat=points.of(ours.closes.flat))
    changed = replace(request, canonical=made, reference=points.reference(reference))
    return changed, replace(ours, closes=closes, canonical=canonical_arrays(made, closes.names)), points


def priced(closes: ContractCloses, points: LogPoints | None) -> ContractCloses:
    """Our contracts' closes in prices."""
    return closes if points is None else replace(closes, flat=points.prices(closes.flat))
