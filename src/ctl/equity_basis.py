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

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from ctl.errors import DataError
from ctl.model.documents import document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ctl.model.actions import CorporateActions
    from ctl.model.bars import AdjustmentBasis, DailySeries

Floats = npt.NDArray[np.float64]
Formula = Literal["ex_close", "prev_close"]

FORMULAS: Final[tuple[Formula, ...]] = ("ex_close", "prev_close")
BASES: Final[tuple[AdjustmentBasis, ...]] = ("raw", "split_adjusted", "total_return")  # each holds the one before
SPLIT_SIGMAS: Final = 12.0
"""A split is read off a single change: its factor must be so many deviations of the market's own moves."""
DIVIDEND_ERROR: Final = 0.2
"""Dividends are read off all of them together: their degree is told where its standard error is at most this."""
LEAST_FACTOR: Final = 0.18
"""In log price: two vendors' closes of one day never lie so far apart, a split of 6 for 5 does."""
LATER_FACTOR: Final = 0.002
"""In log price: closer than this two closes of the last sessions need no constant between them."""
AROUND: Final = 5
"""Sessions on each side of an event over which two series are compared."""


@dataclass(frozen=True, slots=True)
class Events:
    """Actions that fall inside a series, one per kind (n): at, the first session (index) on or after the ex-date.

    split: whether it is a split. ratio: split ratio, 1.0 for a dividend. dividend: cash per share, 0.0 for a split.
    """

    at: npt.NDArray[np.int64]
    split: npt.NDArray[np.bool_]
    ratio: Floats
    dividend: Floats


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


# ---------------------------------------------------------------- conversion


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


# ---------------------------------------------------------------- alignment


@dataclass(frozen=True, slots=True)
class Alignment:
    """Two equity series on a common basis, or why they are on none.

    canonical, reference: on `common` where that is not None, else as they were given. canonical_basis,
    reference_basis: what they were given in; None where it is not told. refusal: code and text of why they cannot be
    compared; None where they can, also where both are adjusted alike and nothing tells in which basis. later: what was
    done about actions after the last session, as it reads behind the text; empty where nothing was. residuals: of each
    action its session, `split` or `dividend`, and the step in log price that it leaves between canonical and reference.
    """

    canonical: DailySeries
    reference: DailySeries
    canonical_basis: AdjustmentBasis | None
    reference_basis: AdjustmentBasis | None
    common: AdjustmentBasis | None
    formula: Formula | None
    refusal: tuple[str, str] | None
    notes: tuple[str, ...]
    own: Inference
    pair: Inference
    later: str = ""
    residuals: tuple[tuple[date, str, float], ...] = ()

    @property
    def text(self) -> str:
        """Both bases, and the one they are compared on."""
        if self.refusal is not None:
            return self.refusal[1]
        if self.common is None:
            return f"canonical and reference are adjusted alike; which basis that is, is not told: {self.own.text}"
        by = f", dividends by {self.formula}" if self.formula else ""
        if self.canonical_basis == self.reference_basis == self.common:
            return f"canonical and reference are {self.common}{self.later}"
        sides = f"canonical is {self.canonical_basis}, reference {self.reference_basis}"
        return f"{sides}: compared as {self.common}{by}{self.later}"

    def document(self) -> dict[str, Any]:
        """JSON-ready. `events`: what is left of each event between the two series as given."""
        return {
            "canonical_basis": self.canonical_basis,
            "reference_basis": self.reference_basis,
            "common_basis": self.common,
            "dividend_formula": self.formula,
            "notes": list(self.notes),
            "canonical_alone": document(self.own),
            "reference_against_canonical": document(self.pair),
        }


def align(
    canonical: DailySeries,
    reference: DailySeries,
    actions: CorporateActions,
    *,
    declared: AdjustmentBasis | None = None,
) -> Alignment:
    """Say which basis each series is in, and bring both to a common one.

    Alike: they are left as they are, unless another basis is declared. Different: only on the basis `declared`, which
    names the pair as intended. A basis that a series states is believed unless the actions contradict it.
    """
    own = infer(canonical, actions)
    notes = []
    reference, later = _without_later_actions(canonical, reference, actions)
    held = canonical.meta.adjustment_basis
    if held is None or _contradicts(own, held):
        if held is not None:
            notes.append(f"canonical is stated as {held}, but {own.text}")
        held = own.basis
    first = _as(canonical, held)
    pair = compare(first, reference, actions)
    stated = reference.meta.adjustment_basis
    other = stated if pair.basis is None and not pair.events else pair.basis
    if stated is not None and other is not None and stated != other:
        notes.append(f"reference is stated as {stated}, against ours it is {other}: {pair.text}")
    second = _as(reference, other)
    common, refusal = _common(held, other, declared, own, pair)
    missing = _unexplained_factor(first, reference, actions)
    if missing is not None:
        common, refusal = None, ("ACTION_MISSING", missing)
    formula: Formula | None = None
    if common is not None and (held, other) != (common, common):
        formula, first, second = _nearest_formula(first, second, common, actions)
    left = _residuals(first, second, actions)
    return Alignment(first, second, held, other, common, formula, refusal, tuple(notes), own, pair, later, left)


def _residuals(
    canonical: DailySeries, reference: DailySeries, actions: CorporateActions
) -> tuple[tuple[date, str, float], ...]:
    """What each action leaves between two series: the step of their log ratio over its ex-date."""
    sessions, level = _levels(canonical, reference)
    events = events_within(sessions, actions)
    return tuple(
        (sessions[at].astype(object), "split" if split else "dividend", float(step))
        for at, split, step in zip(
            events.at.tolist(), events.split.tolist(), _steps(level, events.at).tolist(), strict=True
        )
    )


def _without_later_actions(
    canonical: DailySeries, reference: DailySeries, actions: CorporateActions
) -> tuple[DailySeries, str]:
    """The reference at the level of its last session, where its file carries actions that came after it.

    An export made later than the last session looked at has later factors in all its prices: one constant. The text
    says so; empty where nothing was to be done.
    """
    import polars as pl

    last = reference.frame["session"][-1]
    _, level = _levels(canonical, reference)
    if not level.size or not any(action.ex_date > last for action in actions.events):
        return reference, ""
    constant = float(np.median(level[-AROUND:]))
    if abs(constant) < LATER_FACTOR:
        return reference, ""
    text = f"; the reference carries actions after {last}: its prices are taken times {math.exp(constant):.4g}"
    prices = [pl.col(name) * math.exp(constant) for name in ("open", "high", "low", "close")]
    return replace(reference, frame=reference.frame.with_columns(prices)), text


def _unexplained_factor(canonical: DailySeries, reference: DailySeries, actions: CorporateActions) -> str | None:
    """Where the two sides part by a factor that no action explains; None where they nowhere do."""
    sessions, level = _levels(canonical, reference)
    known = events_within(sessions, actions).at
    jumps = np.flatnonzero(np.abs(np.diff(level)) >= LEAST_FACTOR) + 1
    jumps = jumps[~np.isin(jumps, known)]
    for place, step in zip(jumps.tolist(), _steps(level, jumps).tolist(), strict=True):
        if abs(step) >= LEAST_FACTOR:
            return (
                f"canonical and reference part by a factor of {math.exp(abs(step)):.4g} on {sessions[place]}, "
                "which no action explains: the actions file lacks it, or has it on another day"
            )
    return None


def _common(
    held: AdjustmentBasis | None,
    other: AdjustmentBasis | None,
    declared: AdjustmentBasis | None,
    own: Inference,
    pair: Inference,
) -> tuple[AdjustmentBasis | None, tuple[str, str] | None]:
    """The basis to compare on, or the code and text of why there is none."""
    if own.double_adjusted:
        return None, ("DOUBLE_ADJUSTED", f"canonical is {own.text}, or the actions file is wrong")
    if held is None:
        if pair.alike and declared is None:
            return None, None
        return None, ("BASIS_UNKNOWN", f"the basis of canonical is not told: {own.text}")
    if other is None:
        twice = (_split_degree(held) or 0) + (pair.split_degree or 0) > 1
        twice |= int(held == "total_return") + (pair.dividend_degree or 0) > 1
        text = "the reference is adjusted twice" if twice else "the reference is in no basis that follows from it"
        told = f"canonical is {held}, {text}, or the actions file is wrong: {pair.text}"
        return None, ("DOUBLE_ADJUSTED" if twice else "BASIS_UNKNOWN", told)
    most = max(held, other, key=BASES.index)
    if held != other and declared is None:
        return None, (
            "BASIS_DIFFERS",
            f"canonical is {held}, reference {other}; declare common_basis to compare them on one",
        )
    if declared is not None and BASES.index(declared) < BASES.index(most):
        return None, (
            "BASIS_DIFFERS",
            f"canonical is {held}, reference {other}: adjustments cannot be taken out again for {declared}",
        )
    return declared or most, None


def _nearest_formula(
    canonical: DailySeries, reference: DailySeries, common: AdjustmentBasis, actions: CorporateActions
) -> tuple[Formula | None, DailySeries, DailySeries]:
    """Both on the common basis, by the dividend formula that leaves them closer; None where no dividend is applied."""
    tried: list[tuple[float, Formula, DailySeries, DailySeries]] = []
    for formula in FORMULAS:
        first, second = (convert(side, common, actions, formula=formula) for side in (canonical, reference))
        _, level = _levels(first, second)
        spread = float(np.abs(level - np.median(level)).mean()) if level.size else 0.0
        tried.append((spread, formula, first, second))
    _, nearest, ours, theirs = min(tried, key=lambda one: one[0])
    return (nearest if common == "total_return" else None), ours, theirs


def _levels(canonical: DailySeries, reference: DailySeries) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """Shared sessions, and log of canonical over reference on them."""
    days, close = _closes(canonical)
    other_days, other_close = _closes(reference)
    sessions, ours, theirs = np.intersect1d(days, other_days, assume_unique=True, return_indices=True)
    return sessions, np.log(close[ours] / other_close[theirs])


def _as(series: DailySeries, basis: AdjustmentBasis | None) -> DailySeries:
    return replace(series, meta=replace(series.meta, adjustment_basis=basis))


def _contradicts(found: Inference, stated: AdjustmentBasis) -> bool:
    """Whether a series' own changes say otherwise than the basis stated of it."""
    splits_differ = found.split_degree not in (None, _split_degree(stated))
    dividends_differ = found.dividend_degree not in (None, int(stated == "total_return"))
    return splits_differ or dividends_differ or found.uneven


# ---------------------------------------------------------------- what a strategy trades


@dataclass(frozen=True, slots=True)
class Jump:
    """A session at whose open the price is near `1 / ratio` of the close before, as if shares had been split."""

    session: date
    ratio: float
    before: float
    after: float


def traded(
    series: DailySeries, actions: CorporateActions | None, *, declared: AdjustmentBasis | None = None
) -> DailySeries:
    """The series that a strategy runs on: never raw prices across a split.

    With actions: on the declared basis, else split-adjusted, or as it is where it carries more than that. Without:
    as it is. Raises DataError where prices jump like a split that nothing tells of (UNADJUSTED_SPLIT), where the
    series' own changes contradict the actions (DOUBLE_ADJUSTED, BASIS_UNKNOWN), or where it carries more than declared.
    """
    where, known = series.meta.root, frozenset[date]()
    if actions is not None:
        own = infer(series, actions)
        held = series.meta.adjustment_basis
        if held is None or _contradicts(own, held):
            held = own.basis
        if own.double_adjusted:
            raise DataError("prices were adjusted twice, or the actions file is wrong", where=where, found=own.text,
                            code="DOUBLE_ADJUSTED")  # fmt: skip
        if held is None and any(event.kind == "split" for event in own.events):
            raise DataError("the basis of the prices is not told", where=where, found=own.text,
                            remedy="mend the actions file of the symbol in ctl.toml", code="BASIS_UNKNOWN")  # fmt: skip
        if held is not None:
            wanted = declared if declared is not None else BASES[max(1, BASES.index(held))]
            series = convert(_as(series, held), wanted, actions)
        known = frozenset(action.ex_date for action in actions.events if action.split_ratio == 1.0)
    for jump in split_jumps(series):
        if jump.session in known:
            continue
        raise DataError(
            "prices jump like a split", where=f"{where}, {jump.session}",
            found=f"{jump.before:g} at the close before, {jump.after:g} after it, near 1 to {jump.ratio:g}",
            expected="prices adjusted for splits, or an actions file that states them",
            remedy="add it to the symbol's actions file (a plain file: --actions FILE)", code="UNADJUSTED_SPLIT",
        )  # fmt: skip
    return series


def split_jumps(series: DailySeries) -> Iterator[Jump]:
    """The sessions whose price stands to the close before as after a split, with volume that says the same.

    The price: the open, else the close, within 8 % of 1/n or n (n = 3/2, 2, 3, ..., 50), and the close goes along. The
    volume of the day: that of the 20 sessions before times the ratio, within a factor of 5 below and 2.5 above (halved
    by news, a share trades ten times as much); where volumes are unknown the price must be within 2 %. The step must be
    8 deviations of the changes of the 60 sessions before; with fewer than 20 of those nothing says what is usual.
    """
    frame = series.frame.filter(series.frame["close"].is_finite() & (series.frame["close"] > 0.0))
    if frame.height < 2:
        return
    close = frame["close"].to_numpy()
    opened = frame["open"].fill_null(float("nan")).fill_nan(None).fill_null(frame["close"]).to_numpy()
    log_step = np.log(np.where(opened[1:] > 0.0, opened[1:], close[1:]) / close[:-1])
    log_change = np.diff(np.log(close))
    for row in np.flatnonzero(np.abs(log_step) >= _LOG_RATIOS[0] - _PRICE_NEAR):
        size = abs(float(log_step[row]))
        nearest = int(np.argmin(np.abs(_LOG_RATIOS - size)))
        distance = abs(float(_LOG_RATIOS[nearest]) - size)
        if distance > _PRICE_NEAR:
            continue
        ratio = float(_RATIOS[nearest]) if log_step[row] < 0.0 else 1.0 / float(_RATIOS[nearest])
        if log_change[row] * log_step[row] < 0.5 * size * size:
            continue  # the close did not follow the open
        moves = log_change[max(0, int(row) - _MOVES) : row]
        if moves.size < _LEAST_MOVES or size < _SPLIT_MOVES * _deviation(moves):
            continue  # where prices move so much every day, a difference-adjusted price near zero does
        before = frame["volume"].slice(max(0, int(row) + 1 - _VOLUME_SESSIONS), min(_VOLUME_SESSIONS, int(row) + 1))
        usual, day = before.drop_nulls().median(), frame["volume"][int(row) + 1]
        if isinstance(usual, float) and usual > 0.0 and day:
            if not _VOLUME_LEAST <= day / usual / ratio <= _VOLUME_MOST:
                continue
        elif distance > _PRICE_NEAR_ALONE:
            continue
        yield Jump(frame["session"][int(row) + 1], ratio, float(close[row]), float(opened[row + 1]))


_RATIOS: Final = np.array([1.5, *range(2, 51)])
_LOG_RATIOS: Final = np.log(_RATIOS)
_PRICE_NEAR: Final = 0.08
_PRICE_NEAR_ALONE: Final = 0.02
_VOLUME_SESSIONS: Final = 20
_LEAST_MOVES: Final = 20
_MOVES: Final = 60
_SPLIT_MOVES: Final = 8.0
_VOLUME_LEAST: Final = 0.2
_VOLUME_MOST: Final = 2.5


# ---------------------------------------------------------------- inference


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
    sigma = _deviation(change[ordinary])
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
    sessions, level = _levels(canonical, reference)
    days, close = _closes(canonical)
    close = close[np.searchsorted(days, sessions)]
    events = events_within(sessions, actions)
    step = _steps(level, events.at)
    held = canonical.meta.adjustment_basis
    carried = infer(canonical, actions).split_degree if held is None else _split_degree(held)
    found = _degrees(
        events, close, lambda factor: step, _deviation(np.diff(level)), split_degree=carried or 0, least=-2
    )
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


def _steps(level: Floats, at: npt.NDArray[np.int64]) -> Floats:
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


def _deviation(moves: Floats) -> float:
    """Standard deviation of moves by their median absolute deviation; infinite without a move."""
    if not moves.size:
        return math.inf
    return float(1.4826 * np.median(np.abs(moves - np.median(moves))))


def _agreed(degrees: Floats) -> int | None:
    """The degree of all events; None where there is none or they disagree."""
    return int(degrees[0]) if degrees.size and (degrees == degrees[0]).all() else None


def _split_degree(basis: AdjustmentBasis | None) -> int | None:
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
    split = _split_degree(held) or 0
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
