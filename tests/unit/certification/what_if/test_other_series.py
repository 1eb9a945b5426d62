"""What our contracts are rebuilt on."""

from __future__ import annotations

from datetime import date

from lean_cattle import NAMES, closes_of, held_series, market, series

from ctl.certification.recovery.reference import recover
from ctl.certification.recovery.schedule import reference_schedule
from ctl.model.reference import Reference
from ctl.model.rolls import ScheduledRoll


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
