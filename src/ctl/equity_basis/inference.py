"""Which basis a series is in, from its changes around known actions. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from ctl.equity_basis.conversion import Events, Floats, event_factors, events_within
from ctl.errors import DataError

if TYPE_CHECKING:
    from ctl.model.actions import CorporateActions
    from ctl.model.bars import AdjustmentBasis, DailySeries

SPLIT_SIGMAS: Final = 12.0
"""A split is read off a single change: its factor must be so many deviations of the market's own moves."""
DIVIDEND_ERROR: Final = 0.2
"""Dividends are read off all of them together: their degree is told where its standard error is at most this."""
AROUND: Final = 5
"""Sessions on each side of an event over which two series are compared."""


@dataclass(frozen=True, slots=True)
class EventEvidence:
    """One event. degree: how often its factor stands in the earlier prices; of a pair, the reference's less ours.

    residual: what the degree leaves of the change over the ex-date, in log price. None: the degree is not told.
    """

    session: date
    kind: Literal["split", "dividend"]
    factor: float
    degree: int | None
    residual: float | None


@dataclass(frozen=True, slots=True)
class Inference:
    """The basis a series is in, from its changes around known actions.

    basis None: not told; `text` says why. split_degree, dividend_degree: None where not told. dividend_error: standard
    error of the latter. double_adjusted: some factor stands twice. uneven: some splits are applied, others are not.
    """

    basis: AdjustmentBasis | None
    split_degree: int | None
    dividend_degree: int | None
    dividend_estimate: float | None
    dividend_error: float | None
    double_adjusted: bool
    uneven: bool
    text: str
    events: tuple[EventEvidence, ...]

    @property
    def alike(self) -> bool:
        """Of a pair: whether every event's factor stands as often in both."""
        return all(event.degree == 0 for event in self.events)


def infer(series: DailySeries, actions: CorporateActions) -> Inference:
    """Which basis a series is in, from its own changes around the actions; a residual is the market's own move.

    A split is read off its own change. A dividend is a fraction of a day's move, so that the degree of all of them
    together is estimated, and told only where its standard error allows.
    """
    sessions, close = _closes(series)
    events = events_within(sessions, actions)
    change = np.diff(np.log(close))
    ordinary = np.ones(change.size, dtype=np.bool_)
    ordinary[events.at - 1] = False
    usual = float(np.median(change[ordinary])) if ordinary.any() else 0.0
    sigma = deviation(change[ordinary])
    moved = change[events.at - 1] - usual

    def carried(factor: Floats) -> Floats:
        # All events of a day show in one change: what their factors are together, less what prices moved.
        return np.bincount(events.at, weights=factor)[events.at] - moved if events.at.size else factor

    found = _degrees(events, close, carried, sigma, split_degree=None, least=0)
    basis, text = _described(found)
    return _inference(found, basis, text, sessions)


def compare(canonical: DailySeries, reference: DailySeries, actions: CorporateActions) -> Inference:
    """How much more often than in ours each factor stands in the reference's prices: degrees are differences.

    The market's own move cancels, so that dividends are told from a few of them. basis: the reference's, where ours is
    known. A residual is what the difference in degree does not explain, on the log price.
    """
    sessions, level = levels(canonical, reference)
    days, close = _closes(canonical)
    close = close[np.searchsorted(days, sessions)]
    events = events_within(sessions, actions)
    step = steps(level, events.at)
    held = canonical.meta.adjustment_basis
    carried = infer(canonical, actions).split_degree if held is None else split_degree(held)
    found = _degrees(events, close, lambda factor: step, deviation(np.diff(level)), split_degree=carried or 0, least=-2)
    basis = None if held is None else _above(held, found)
    return _inference(found, basis, _compared(found), sessions)


@dataclass(frozen=True, slots=True)
class _Degrees:
    """Per event: log factor, degree (NaN: not told), residual. split, dividend: what all of a kind agree on."""

    events: Events
    factor: Floats
    degree: Floats
    residual: Floats
    split: int | None
    dividend: int | None
    estimate: float | None
    error: float | None

    @property
    def splits(self) -> int:
        return int(np.count_nonzero(self.events.split))

    @property
    def dividends(self) -> int:
        return int(self.events.at.size) - self.splits

    @property
    def uneven(self) -> bool:
        """Whether some splits are applied and others are not."""
        told = self.degree[self.events.split]
        return self.split is None and bool(np.isfinite(told).any())


def _degrees(
    events: Events,
    close: Floats,
    observed: Callable[[Floats], Floats],
    sigma: float,
    *,
    split_degree: int | None,
    least: int,
) -> _Degrees:
    """Degrees from what is `observed` of the log factors: degree times factor, summed over the events of a day, and
    noise of deviation sigma.

    split_degree: how often the closes carry the splits; None: as they turn out to. least: the lowest degree possible.
    """
    factor = np.log(event_factors(events, close, split_degree=split_degree or 0))
    degree = np.full(events.at.size, np.nan)
    clear = events.split & (np.abs(factor) >= SPLIT_SIGMAS * sigma)
    degree[clear] = np.clip(np.rint(observed(factor)[clear] / factor[clear]), least, 2)
    split = _agreed(degree[clear])
    if split_degree is None and split:
        factor = np.log(event_factors(events, close, split_degree=split))
    left = observed(factor).copy()
    for row in np.flatnonzero(clear):
        # A dividend of the same day shows in the same change: the split's share is taken off it.
        left[(events.at == events.at[row]) & ~events.split] -= degree[row] * factor[row]
    paid = ~events.split
    weight = float(np.dot(factor[paid], factor[paid]))
    estimate = error = dividend = None
    if weight > 0.0 and np.isfinite(sigma):
        estimate, error = float(np.dot(left[paid], factor[paid])) / weight, sigma / math.sqrt(weight)
        if error <= DIVIDEND_ERROR:
            dividend = min(max(round(estimate), least), 2)
            degree[paid] = dividend
    return _Degrees(events, factor, degree, left - degree * factor, split, dividend, estimate, error)


def steps(level: Floats, at: npt.NDArray[np.int64]) -> Floats:
    """By how much the median of up to AROUND sessions from each place on exceeds that of as many before it.

    Neither reaches over another event.
    """
    edges = np.unique(np.concatenate([[0], at, [level.size]]))
    steps = np.empty(at.size)
    for row, place in enumerate(at):
        here = int(np.searchsorted(edges, place))
        before = level[max(edges[here - 1], place - AROUND) : place]
        after = level[place : min(edges[here + 1], place + AROUND)]
        steps[row] = np.median(after) - np.median(before)
    return steps


def _closes(series: DailySeries) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """Sessions and closes where there is a close. Raises DataError for one that is not positive."""
    close = series.frame["close"].to_numpy()
    known = np.isfinite(close)
    days, close = series.frame["session"].to_numpy().astype("datetime64[D]")[known], close[known]
    if not (close > 0.0).all():
        raise DataError(
            "a price is not positive",
            where=series.meta.root,
            found=f"{close.min():g} on {days[int(np.argmin(close))]}",
            expected="prices of an equity",
        )
    return days, close


def deviation(moves: Floats) -> float:
    """Standard deviation of moves by their median absolute deviation; infinite without a move."""
    if not moves.size:
        return math.inf
    return float(1.4826 * np.median(np.abs(moves - np.median(moves))))


def _agreed(degrees: Floats) -> int | None:
    """The degree of all events; None where there is none or they disagree."""
    return int(degrees[0]) if degrees.size and (degrees == degrees[0]).all() else None


def split_degree(basis: AdjustmentBasis | None) -> int | None:
    """How often prices of a basis carry the splits: 0 or 1; None where it is not told."""
    return None if basis is None else int(basis != "raw")


def _described(found: _Degrees) -> tuple[AdjustmentBasis | None, str]:
    """The basis that degrees make up, and how they read."""
    if found.uneven:
        return None, "some splits are in the earlier prices and others are not"
    if 2 in (found.split, found.dividend):
        return None, f"adjusted twice for {'splits' if found.split == 2 else 'dividends'}"
    if found.split == 0:
        # No vendor adjusts for dividends and leaves splits in.
        return "raw", "splits are not in the earlier prices"
    if found.dividend == 1:
        return "total_return", "splits and dividends are in the earlier prices"
    if found.split == 1 and (found.dividend == 0 or not found.dividends):
        return "split_adjusted", "splits are in the earlier prices, dividends are not"
    if found.dividend == 0:
        return "raw", "dividends are not in the earlier prices, and there is no split to tell by"
    if found.split == 1:
        return None, "splits are in the earlier prices; one series alone does not tell about dividends"
    return None, "no action that would tell"


def _above(held: AdjustmentBasis, found: _Degrees) -> AdjustmentBasis | None:
    """The basis of a reference that carries so much more than a series that is `held`; None where none fits."""
    if found.uneven or (found.dividends and found.dividend is None):
        return None
    split = split_degree(held) or 0
    if found.split is not None:
        split += found.split
    dividend = int(held == "total_return") + (found.dividend or 0)
    if dividend == 0 and found.split is None:
        return held  # without a split raw and split-adjusted prices are the same
    known: dict[tuple[int, int], AdjustmentBasis] = {(0, 0): "raw", (1, 0): "split_adjusted", (1, 1): "total_return"}
    return known.get((1 if dividend == 1 and found.split is None else split, dividend))


def _compared(found: _Degrees) -> str:
    """How the degrees of a pair read."""
    said = []
    for kind, count, degree in (("splits", found.splits, found.split), ("dividends", found.dividends, found.dividend)):
        if not count:
            said.append(f"no {kind} to compare")
        elif degree is None:
            said.append(f"{kind} are not told")
        elif degree == 0:
            said.append(f"{kind} alike")
        else:
            side, times = ("reference", degree) if degree > 0 else ("canonical", -degree)
            said.append(f"{kind} {'once' if times == 1 else 'twice'} more in the {side}")
    return ", ".join(said)


def _inference(
    found: _Degrees, basis: AdjustmentBasis | None, text: str, sessions: npt.NDArray[np.datetime64]
) -> Inference:
    events = found.events
    degrees = found.degree[np.isfinite(found.degree)]
    return Inference(
        basis=basis,
        split_degree=found.split,
        dividend_degree=found.dividend,
        dividend_estimate=found.estimate,
        dividend_error=found.error,
        double_adjusted=bool((degrees > 1).any()),
        uneven=found.uneven,
        text=text,
        events=tuple(
            EventEvidence(
                session=sessions[place].astype(object),
                kind="split" if split else "dividend",
                factor=math.exp(factor),
                degree=None if math.isnan(degree) else int(degree),
                residual=None if math.isnan(residual) else residual,
            )
            for place, split, factor, degree, residual in zip(
                events.at.tolist(),
                events.split.tolist(),
                found.factor.tolist(),
                found.degree.tolist(),
                found.residual.tolist(),
                strict=True,
            )
        ),
    )


def contradicts(found: Inference, stated: AdjustmentBasis) -> bool:
    """Whether a series' own changes say otherwise than the basis stated of it."""
    splits_differ = found.split_degree not in (None, split_degree(stated))
    dividends_differ = found.dividend_degree not in (None, int(stated == "total_return"))
    return splits_differ or dividends_differ or found.uneven


def levels(canonical: DailySeries, reference: DailySeries) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """Shared sessions, and log of canonical over reference on them."""
    days, close = _closes(canonical)
    other_days, other_close = _closes(reference)
    sessions, ours, theirs = np.intersect1d(days, other_days, assume_unique=True, return_indices=True)
    return sessions, np.log(close[ours] / other_close[theirs])
