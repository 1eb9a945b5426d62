"""What L5 is given: B1 on both adjusted series over their overlap, in the frame of each bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from b1_twin_tapes import walk

from ctl import sessions
from ctl.certification.functional_input import FunctionalInput
from ctl.flows.backtest import strategy_bars
from ctl.flows.functional import functional_input
from ctl.flows.terms import CertifyTerms
from ctl.model.bars import DailySeries, SeriesMeta
from ctl.model.reference import Reference
from ctl.strategy import b1

TERMS = CertifyTerms(0.25, 3, "points", None, slippage_per_side=0.25)
META = SeriesMeta("X", "vendor", "exchange_session", "settlement")
BARS = 900


def tape(seed: int = 3) -> pl.DataFrame:
    """A series that carries a little less from session to session."""
    bars = walk(seed, BARS, start=100, noise=14, trend=6, odd=0.0)
    carried = (BARS - np.arange(BARS)) / 64
    prices = {name: getattr(bars, name) + carried for name in ("open", "high", "low", "close")}
    return pl.DataFrame({"session": bars.session, **prices}).with_columns(
        volume=pl.Series(np.arange(BARS)),
        open_interest=pl.lit(None, pl.Int64),
        contract=pl.lit("A"),
        adjustment=pl.Series(carried),
    )


def unadjusted_of(frame: pl.DataFrame) -> pl.DataFrame:
    raw = pl.col("open", "high", "low", "close") - pl.col("adjustment")
    return frame.with_columns(raw).with_columns(adjustment=pl.lit(0.0))


def asked(own: pl.DataFrame, adjusted: pl.DataFrame, unadjusted: pl.DataFrame | None = None) -> FunctionalInput:
    other = None if unadjusted is None else DailySeries(unadjusted, META)
    reference = Reference("vendor", DailySeries(adjusted, META), other)
    given = functional_input("X", DailySeries(own, META), reference, TERMS)
    assert given is not None
    return given


def told(given: FunctionalInput) -> list[Any]:
    """Everything in an input, comparable."""
    sides = [
        [side.triggers.tolist(), side.exits.tolist(), side.results.tolist(), dict(side.margins)]
        for side in (given.canonical, given.reference)
    ]
    return [given.sessions.tolist(), *map(repr, sides), given.absent]


def without(frame: pl.DataFrame, rows: set[int]) -> pl.DataFrame:
    return frame.filter(~pl.int_range(pl.len()).is_in(list(rows)))


def test_each_side_is_b1_on_its_own_bars_of_the_overlap() -> None:
    own = without(tape(), {300, 301, 500}).slice(0, 870)
    adjusted = without(tape(4), {310, 500, 640}).slice(40)
    first, last = adjusted["session"][0], own["session"][-1]
    given = asked(own, adjusted)
    overlap = [frame.filter(pl.col("session").is_between(first, last)) for frame in (own, adjusted)]
    union = sorted({day for frame in overlap for day in frame["session"]})
    assert given.sessions.tolist() == union
    for frame, side in zip(overlap, (given.canonical, given.reference), strict=True):
        days = frame["session"].to_numpy()
        bars = b1.StrategyBars(
            "X",
            days,
            *(frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume", "adjustment")),
            week_key=sessions.week_keys(None, days),
            month_key=sessions.month_keys(days),
        )
        alone = b1.run(bars, slippage_per_side=0.25, tick=0.25)
        assert side.triggers.tolist() == [trigger.trigger_session for trigger in alone.triggers]
        closed = {trade.trigger_session: (trade.exit_session, trade.r_theoretical) for trade in alone.trades}
        mine = zip(side.triggers.tolist(), side.exits.tolist(), side.results.tolist(), strict=True)
        assert {session: (out, r) for session, out, r in mine if out is not None} == closed
        assert len(closed) >= 3
        triggered = {*given.canonical.triggers.tolist(), *given.reference.triggers.tolist()}
        assert set(side.margins) <= triggered
        assert {*side.triggers.tolist()} <= set(side.margins)


@pytest.mark.parametrize(
    ("absent", "closeless"),
    [
        (lambda rows: set(), lambda rows: set()),
        (lambda rows: {*rows[::2], rows[0] + 1}, lambda rows: set()),
        (lambda rows: set(), lambda rows: {*rows[::2], rows[0] + 1}),
        (lambda rows: set(rows[:5]), lambda rows: {rows[0] + 1, *range(rows[-1], BARS)}),
    ],
    ids=["all there", "sessions missing", "closes null", "both, and nothing from the last trigger on"],
)
def test_the_unadjusted_series_says_what_each_bar_carries_and_the_next_one_where_it_is_silent(
    absent: Callable[[list[int]], set[int]], closeless: Callable[[list[int]], set[int]]
) -> None:
    frame = tape()
    triggering = frame["session"].to_numpy().searchsorted(asked(frame, frame).canonical.triggers).tolist()
    missing, null = absent(triggering), closeless(triggering)
    raw = unadjusted_of(frame).with_columns(
        close=pl.when(pl.int_range(pl.len()).is_in(list(null))).then(None).otherwise(pl.col("close"))
    )
    known = frame["adjustment"].to_list()
    for row in reversed(range(BARS)):
        if row in missing | null:
            known[row] = known[row + 1] if row + 1 < BARS else 0.0
    stated = frame.with_columns(adjustment=pl.Series(known))
    silent = frame.with_columns(adjustment=pl.lit(0.0))
    found = asked(frame, silent, without(raw, missing))
    assert told(found) == told(asked(frame, stated))
    assert told(found) != told(asked(frame, silent))
    assert len(found.reference.triggers) > 5


def test_an_unadjusted_series_without_a_session_in_common_says_nothing() -> None:
    frame = tape()
    raw = unadjusted_of(frame)
    for nothing in (raw.clear(), raw.with_columns(pl.col("session") + timedelta(days=9000))):
        given = asked(frame, frame, nothing)
        assert told(given) == told(asked(frame, frame.with_columns(adjustment=pl.lit(0.0))))


def test_bars_outside_the_overlap_need_no_open() -> None:
    frame = tape()
    settled = frame.with_columns(
        pl.when(pl.int_range(pl.len()) < 40).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low")
    )
    assert told(asked(settled, frame.slice(40))) == told(asked(frame, frame.slice(40)))


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize("of_reference", [False, True])
def test_a_price_missing_within_the_overlap_is_not_run_and_names_the_session(name: str, of_reference: bool) -> None:
    frame = tape()
    day = frame["session"][500]
    holed = frame.with_columns(pl.when(pl.col("session") == day).then(None).otherwise(pl.col(name)).alias(name))
    given = asked(frame, holed, unadjusted_of(frame)) if of_reference else asked(holed, frame)
    assert given.absent is not None
    assert given.absent.startswith(f"X: {name} is missing or not finite on 1 of {BARS} bars; found nan on {day}")


def test_series_that_share_no_time_are_not_run() -> None:
    frame = tape()
    later = frame.with_columns(pl.col("session") + timedelta(days=9000))
    for own, other in ((frame, later), (later, frame), (frame.clear(), frame), (frame, frame.clear())):
        assert asked(own, other).absent == "X: no sessions to run on"


def test_nothing_is_asked_of_b1_where_a_side_is_missing() -> None:
    frame = DailySeries(tape(), META)
    assert functional_input("X", None, Reference("vendor", frame, None), TERMS) is None
    assert functional_input("X", frame, None, TERMS) is None
    assert functional_input("X", frame, Reference("vendor", None, frame), TERMS) is None


def test_the_last_week_counts_as_complete_only_on_its_last_session() -> None:
    frame = tape()
    friday = date(2004, 6, 11)
    series = DailySeries(frame.filter(pl.col("session") <= friday), META)
    assert strategy_bars(series, "X", None).week_complete
    thursday = slice(0, series.frame.height - 1)
    assert not strategy_bars(series, "X", None, rows=thursday).week_complete
