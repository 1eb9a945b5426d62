"""The adjustment basis of an equity's prices: conversion from one to another, and which one a series is in.

A split of `ratio` or a dividend of `D` multiplies the prices before its ex-date by a factor f:

    split       f = 1 / ratio
    dividend    f = C / (C + D)      `ex_close`: C the raw close of the ex-date
                f = 1 - D / C        `prev_close`: C the raw close of the session before

`raw` prices carry none of them, `split_adjusted` those of the splits, `total_return` all. How often an event's factor
stands in the earlier prices is its degree: 0, 1, or 2 where a series was adjusted twice. Over the ex-date prices change
by (1 - degree) log f beside the market's own move. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from ctl.errors import DataError

if TYPE_CHECKING:
    from ctl.model.actions import CorporateActions
    from ctl.model.bars import AdjustmentBasis, DailySeries

Floats = npt.NDArray[np.float64]
Formula = Literal["ex_close", "prev_close"]

FORMULAS: Final[tuple[Formula, ...]] = ("ex_close", "prev_close")
BASES: Final[tuple[AdjustmentBasis, ...]] = ("raw", "split_adjusted", "total_return")  # each holds the one before


@dataclass(frozen=True, slots=True)
class Events:
    """Actions that fall inside a series, one per kind (n): at, the first session (index) on or after the ex-date.

    split: whether it is a split. ratio: split ratio, 1.0 for a dividend. dividend: cash per share, 0.0 for a split.
    """

    at: npt.NDArray[np.int64]
    split: npt.NDArray[np.bool_]
    ratio: Floats
    dividend: Floats


def convert(
    series: DailySeries, to: AdjustmentBasis, actions: CorporateActions | None, *, formula: Formula = "ex_close"
) -> DailySeries:
    """The series on another basis, raw to split_adjusted to total_return: prices times factors, volume times ratios.

    Actions after the last session are not known yet and change nothing. Raises DataError without actions, where the
    series does not state its basis, where it holds more adjustments than asked for, and where a dividend is no
    smaller than the price it is paid on.
    """
    import polars as pl

    held = series.meta.adjustment_basis
    where = series.meta.root
    if held is None:
        raise DataError("the basis of the prices is not known", where=where, expected=f"one of {', '.join(BASES)}")
    if held == to:
        return series
    if BASES.index(held) > BASES.index(to):
        raise DataError(
            "adjustments cannot be taken out again", where=where, found=held, expected=f"{to} or less adjusted prices"
        )
    if actions is None:
        raise DataError(
            "the actions are missing", where=where, found=f"{held} prices", expected=f"splits and dividends for {to}"
        )
    frame = series.frame
    events = events_within(frame["session"].to_numpy().astype("datetime64[D]"), actions)
    factor = event_factors(events, frame["close"].to_numpy(), split_degree=BASES.index(held) and 1, formula=formula)
    splits = _carried(np.where(events.split, factor, 1.0), events.at, frame.height)
    dividends = _carried(np.where(events.split, 1.0, factor), events.at, frame.height)
    if held != "raw":
        splits = np.ones(frame.height)
    prices = pl.Series(splits * dividends if to == "total_return" else splits)
    changed = [pl.col(name) * prices for name in ("open", "high", "low", "close")]
    changed.append((pl.col("volume") / pl.Series(splits)).round().cast(pl.Int64))
    return replace(
        series,
        frame=frame.with_columns(changed, adjustment=pl.lit(0.0)),
        meta=replace(series.meta, adjustment_basis=to),
    )


def events_within(sessions: npt.NDArray[np.datetime64], actions: CorporateActions) -> Events:
    """The actions with an ex-date after the first and up to the last session (datetime64[D], ascending).

    An action of both kinds becomes two events, the split first.
    """
    at, split, ratio, dividend = [], [], [], []
    for action in actions.events:
        place = int(np.searchsorted(sessions, np.datetime64(action.ex_date)))
        if not 0 < place < sessions.size:
            continue
        for is_split, present in ((True, action.split_ratio != 1.0), (False, action.dividend > 0.0)):
            if present:
                at.append(place)
                split.append(is_split)
                ratio.append(action.split_ratio if is_split else 1.0)
                dividend.append(0.0 if is_split else action.dividend)
    return Events(
        np.array(at, dtype=np.int64),
        np.array(split, dtype=np.bool_),
        np.array(ratio, dtype=np.float64),
        np.array(dividend, dtype=np.float64),
    )


def event_factors(events: Events, close: Floats, *, split_degree: int, formula: Formula = "ex_close") -> Floats:
    """What each event multiplies earlier prices by (n). close: the series' closes, which carry splits so many times.

    Raises DataError where a dividend leaves no price.
    """
    later = np.cumprod(events.ratio[::-1])[::-1] / events.ratio if events.at.size else np.empty(0)
    raw = close[events.at] * later**split_degree
    if formula == "prev_close":
        # A split of the same day lies between that close and the dividend, which is paid on the new shares.
        same_day = np.zeros(events.at.size, dtype=np.bool_)
        same_day[1:] = events.split[:-1] & (events.at[1:] == events.at[:-1])
        own = np.ones(events.at.size)
        own[1:][same_day[1:]] = events.ratio[:-1][same_day[1:]]
        raw = close[events.at - 1] * (later * own) ** split_degree / own
        factor = 1.0 - events.dividend / raw
    else:
        factor = raw / (raw + events.dividend)
    factor = np.where(events.split, 1.0 / events.ratio, factor)
    if not (factor > 0.0).all():
        worst = int(np.argmin(factor))
        raise DataError(
            "a dividend is no smaller than the price it is paid on",
            found=f"{events.dividend[worst]:g} on {raw[worst]:g}",
            remedy="mend the actions file",
        )
    return factor


def _carried(factor: Floats, at: npt.NDArray[np.int64], count: int) -> Floats:
    """Per session (count) the product of the factors of later events."""
    steps = np.ones(count + 1)
    np.multiply.at(steps, at, factor)
    return np.cumprod(steps[:0:-1])[::-1].astype(np.float64)


def as_basis(series: DailySeries, basis: AdjustmentBasis | None) -> DailySeries:
    """The series with another basis stated of it, its prices as they are."""
    return replace(series, meta=replace(series.meta, adjustment_basis=basis))
