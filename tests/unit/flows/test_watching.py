"""Restated bars of a vendor's adjusted file alone: new in every value after a roll that it does not yet show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from ctl import operating_profile as op
from ctl import store
from ctl.flows import inputs, kept_bars, pipeline, portfolio, watching
from ctl.flows.series import canonical_series
from ctl.model.run import Restatement

INSTANT = datetime(2026, 3, 2, 5, tzinfo=UTC)
PRICES = ("open", "high", "low", "close")
SESSIONS = 5


@pytest.fixture(scope="module")
def whole(filled_workspace: Path) -> pipeline.Certified:
    """CL, whose reference wrote its adjusted and its unadjusted series."""
    space = store.Workspace.load(filled_workspace)
    profile = op.load(space.profile_path.read_bytes(), "profile")
    return portfolio.certify_symbol(space, "CL", profile.symbol_settings["CL"], now=INSTANT)


def as_written(whole: pipeline.Certified, day: date, off: float = 0.0) -> pipeline.Certified:
    """CL on the files as of a day: the adjusted one without what later rolls moved it by, and no other of it.

    off: added to every adjusted price before the newest session.
    """
    held = inputs.inputs_up_to(whole.inputs, day)
    assert held.reference is not None
    adjusted, unadjusted = held.reference.adjusted, held.reference.unadjusted
    assert adjusted is not None
    assert unadjusted is not None
    later = adjusted.frame["close"][-1] - unadjusted.frame["close"][-1]
    moved = pl.lit(-later) + pl.when(pl.col("session") < day).then(off).otherwise(0.0)
    frame = adjusted.frame.with_columns((pl.col(name) + moved).round(2) for name in PRICES)
    reference = replace(held.reference, adjusted=replace(adjusted, frame=frame), unadjusted=None)
    held = replace(held, reference=reference)
    series = canonical_series(held, whole.terms.calendar)
    return pipeline.Certified(held, series, pipeline.certify_symbol(held, series, whole.terms), whole.terms)


def restated(before: pipeline.Certified, now: pipeline.Certified) -> list[Restatement]:
    frames = {table.series: table.frame for table in kept_bars.tables(before.inputs)}
    kept = SimpleNamespace(locked=lambda symbol, series: frames.get(series), last_passed=lambda symbol, table: [])
    assert before.certificate.watched is not None
    return watching.restated_bars(now, before.certificate.watched.symbol, cast(Any, kept), as_of=None)


@pytest.mark.parametrize("nth", [-2, -3])
def test_a_roll_of_the_newest_sessions_is_no_restatement(whole: pipeline.Certified, nth: int) -> None:
    roll = whole.certificate.reference_rolls[nth]
    days = whole.inputs.bars["session"].unique().sort().to_list()
    first = days.index(roll.roll_date)
    locked = as_written(whole, days[first - 1])
    for day in days[first : first + SESSIONS]:
        now = as_written(whole, day)
        seen = now.certificate.reference_rolls[-1].to_contract == roll.to_contract
        assert restated(locked, now) == [], f"{day}, the roll is {'seen' if seen else 'not seen'}"
        # A level that the roll does not account for is one.
        (found,) = restated(locked, as_written(whole, day, off=5.0))
        assert found.refusal
