"""What our contracts are rebuilt on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
from certify_market import Market
from lean_cattle import NAMES, closes_of, held_series, market, series

from ctl.certification import certify
from ctl.certification.recovery.reference import recover
from ctl.certification.recovery.schedule import reference_schedule
from ctl.model.certificate import RebuiltNotComputed, RebuiltSeries
from ctl.model.reference import Reference
from ctl.model.rolls import ContinuousSeries, ScheduledRoll


def test_schedule_of_a_recovered_reference_leaves_out_what_is_no_roll() -> None:
    prices = market()
    raw, adjusted, _ = held_series(prices, [20])
    adjusted[:6] += 2.0
    closes = closes_of(prices)
    found = recover(closes, Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=0.25)
    assert [roll.to_contract for roll in found.rolls] == [None, NAMES[1]]
    assert reference_schedule(found) == (ScheduledRoll(found.rolls[1].roll_date, NAMES[0], NAMES[1]),)
    still = recover(closes, Reference("v", None, series(prices[0].tolist())), tick=0.25)
    assert reference_schedule(still) == (ScheduledRoll(date(2008, 1, 1), NAMES[0], NAMES[0]),)
    unknown = recover(None, Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=0.25)
    assert reference_schedule(unknown) == ()


def test_rolls_on_which_we_drift_more_than_as_built_give_no_verdict() -> None:
    """Rebuilt lies 6 off on the first half, so 3 in the mean; as built the reference's own gap is wrong or right."""
    made_by_hand = Market()

    def rebuilt(_: object) -> ContinuousSeries:
        made = made_by_hand.canonical()
        wrong = np.where(np.arange(made_by_hand.total) < made_by_hand.total // 2, 6.0, 0.0)
        return replace(made, frame=made.frame.with_columns(close=made.frame["close"] + wrong))

    def told(off: float) -> RebuiltSeries | RebuiltNotComputed | None:
        reference = made_by_hand.reference(gap_errors={11: off})
        return certify(made_by_hand.request(reference=reference, rebuild=rebuilt)).rebuilt

    doubtful = told(0.0)
    assert isinstance(doubtful, RebuiltNotComputed)
    assert doubtful.status == "RECOVERY_DOUBTFUL"
    assert "(3)" in doubtful.text
    # The reference's own gap wrong by -6 as well: rebuilt drifts twice as much as built.
    assert isinstance(told(-6.0), RebuiltNotComputed)
    # Wrong by 6 the other way rebuilt explains it.
    assert isinstance(told(6.0), RebuiltSeries)
