"""What B1 does on both sides of a certification: the input of its functional layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ctl.errors import DataError
from ctl.flows.backtest import calendar_keys, session_days, strategy_bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ctl.certification.functional_input import FunctionalInput, FunctionalSide, TradedBars
    from ctl.flows.terms import CertifyTerms
    from ctl.model.bars import DailySeries
    from ctl.model.reference import Reference
    from ctl.model.rolls import ContinuousSeries
    from ctl.sessions import Days
    from ctl.strategy.b1 import StrategyBars
    from ctl.strategy.b1.signals import Signals
    from ctl.strategy.bars import Floats


def functional_input(
    symbol: str, series: ContinuousSeries | DailySeries | None, reference: Reference | None, terms: CertifyTerms
) -> FunctionalInput | None:
    """What B1 does on both adjusted series over their overlap; None where a side is missing altogether.

    Where B1 cannot run on a side (open, high or low missing, no common session) the input says why.
    """
    import numpy as np

    from ctl.certification.functional_input import FunctionalInput, FunctionalSide

    if series is None or reference is None or reference.adjusted is None:
        return None
    adjusted = reference.adjusted
    own_rows, other_rows = _overlap(session_days(series), session_days(adjusted))
    try:
        own = strategy_bars(series, symbol, terms.calendar, rows=own_rows)
        carried = _carried(adjusted, reference.unadjusted)
        other = strategy_bars(adjusted, symbol, terms.calendar, rows=other_rows, adjustment=carried, like=own)
    except DataError as error:
        nothing = FunctionalSide.empty()
        return FunctionalInput(np.empty(0, "datetime64[D]"), nothing, nothing, absent=str(error))
    from ctl.strategy import b1

    sides, params = (own, other), b1.B1Parameters.registered("daily")
    found = _signals(sides, terms)
    triggered = np.unique(np.concatenate([signals.trigger_session for signals in found]))
    canonical, counterpart = (
        FunctionalSide(
            signals.trigger_session,
            signals.exit_session,
            signals.r_theoretical,
            b1.trigger_margins(bars, params, sessions=triggered),
        )
        for bars, signals in zip(sides, found, strict=True)
    )
    return FunctionalInput(_union(own.session, other.session), canonical, counterpart)


def run_bars(symbol: str, terms: CertifyTerms, series: Sequence[TradedBars]) -> list[FunctionalSide]:
    """What B1 does on series that certification made between both sides."""
    from ctl.certification.functional_input import FunctionalSide
    from ctl.strategy.b1 import StrategyBars

    bars: list[StrategyBars] = []
    for made in series:
        keys = calendar_keys(made.sessions, terms.calendar, bars[-1] if bars else None)
        prices = made.open, made.high, made.low, made.close
        bars.append(StrategyBars(symbol, made.sessions, *prices, adjustment=made.carried, **keys))
    found = _signals(bars, terms)
    return [FunctionalSide(made.trigger_session, made.exit_session, made.r_theoretical) for made in found]


def _signals(bars: Sequence[StrategyBars], terms: CertifyTerms) -> list[Signals]:
    from ctl.strategy import b1

    params, count = b1.B1Parameters.registered("daily"), len(bars)
    return b1.run_signals(bars, params, slippage_per_side=[terms.slippage_per_side] * count, tick=[terms.tick] * count)


def functional_input_on(
    symbol: str,
    series: ContinuousSeries | DailySeries | None,
    reference: Reference | None,
    terms: CertifyTerms,
    sessions_recovered: Days,
    carried: Floats,
) -> FunctionalInput | None:
    """`functional_input` of a reference whose unadjusted closes were recovered: adjusted less `carried`."""
    import polars as pl

    if reference is None or reference.adjusted is None:
        return None
    adjusted = reference.adjusted
    level = pl.DataFrame({"session": sessions_recovered.astype("datetime64[D]"), "carried": carried})
    frame = adjusted.frame.join(level, on="session", how="inner", maintain_order="left")
    prices = [pl.col(name) - pl.col("carried") for name in ("open", "high", "low", "close")]
    recovered = replace(adjusted, frame=frame.with_columns(prices).drop("carried"))
    return functional_input(symbol, series, replace(reference, unadjusted=recovered), terms)


def _carried(adjusted: DailySeries, unadjusted: DailySeries | None) -> Floats | None:
    """What each adjusted bar carries above its unadjusted one, where the vendor ships both.

    Where either has no close, what the next bar with both carries; 0.0 behind the last one.
    """
    import numpy as np

    from ctl.strategy.bars import floats

    if unadjusted is None:
        return None
    days, raw_days = session_days(adjusted), session_days(unadjusted)
    raw = floats(unadjusted.frame["close"])
    if not np.array_equal(days, raw_days):
        place = np.searchsorted(raw_days, days)
        there = np.append(raw_days, np.datetime64("NaT"))[place] == days
        raw = np.where(there, np.append(raw, np.nan)[place], np.nan)
    carried = floats(adjusted.frame["close"]) - raw
    known = np.flatnonzero(~np.isnan(carried))
    if len(known) == len(carried):
        return carried
    return np.append(carried[known], 0.0)[np.searchsorted(known, np.arange(len(carried)))]


def _overlap(left: Days, right: Days) -> tuple[slice, slice]:
    """Rows of each of two ascending lists of days from the later first to the earlier last day, both inclusive."""
    if not (len(left) and len(right)):
        return slice(0, 0), slice(0, 0)
    first, last = max(left[0], right[0]), min(left[-1], right[-1])
    left_rows, right_rows = (
        slice(int(days.searchsorted(first)), int(days.searchsorted(last, side="right"))) for days in (left, right)
    )
    return left_rows, right_rows


def _union(left: Days, right: Days) -> Days:
    """Days of either of two ascending lists, ascending."""
    import numpy as np

    if np.array_equal(left, right):
        return left
    days = np.sort(np.concatenate([left, right]), kind="stable")  # merges two runs
    new = np.append(True, days[1:] != days[:-1])
    union: Days = days[new]
    return union
