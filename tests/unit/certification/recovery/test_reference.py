"""The sources of a reference's rolls and how they are cross-checked, on small hand-made references."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from lean_cattle import META, NAMES, START, TICK, closes_of, day, held_series, market, series

from ctl.certification.contract_closes import ContractCloses
from ctl.certification.recovery.reference import RecoveredReference, recover
from ctl.model.bars import ContractBars
from ctl.model.contracts import Contract
from ctl.model.reference import Reference
from ctl.model.rolls import ReferenceRoll


def summary(found: RecoveredReference) -> list[tuple[int, str | None, str | None, float | None]]:
    return [((r.roll_date - START).days, r.from_contract, r.to_contract, r.gap) for r in found.rolls]


# Both series.


def test_both_series_give_contracts_dates_and_gaps() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [10, 20])
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=TICK)
    assert summary(found) == [(10, "LCM08", "LCQ08", gaps[0]), (20, "LCQ08", "LCV08", gaps[1])]
    assert [roll.gap_session for roll in found.rolls] == [day(9), day(19)]
    assert [roll.source for roll in found.rolls] == ["fingerprint", "fingerprint"]
    assert found.source == "fingerprint"
    assert found.contract_on_day.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    assert found.our_gaps.tolist() == gaps
    assert found.basis_identifiable
    assert found.methods["spread_step"] == {
        "used": False, "n_rolls": 2, "same_session": 2, "within_one_session": 2, "precision": 1.0, "recall": 1.0,
        "only_here": [], "missing_here": [], "other_contract": [],
    }  # fmt: skip


def test_bars_and_closes_give_the_same() -> None:
    prices = market()
    raw, adjusted, _ = held_series(prices, [10, 20])
    reference = Reference("v", series(adjusted.tolist()), series(raw.tolist()))
    frame = pl.DataFrame(
        {
            "session": [day(t) for _ in NAMES for t in range(30)],
            "contract": [name for name in NAMES for _ in range(30)],
            "close": prices.reshape(-1),
        }
    )
    contracts = tuple(Contract(2008, month, "LC") for month in (6, 8, 10))
    bars = ContractBars(frame, META, contracts)
    assert recover(bars, reference, tick=TICK).rolls == recover(closes_of(prices), reference, tick=TICK).rolls


def test_fingerprint_roll_takes_the_date_of_the_step_near_it() -> None:
    # Contracts close alike on sessions 9 to 11, so fingerprinting alone rolls into 9; the spread steps into 11.
    prices = market()[:2]
    prices[1, 9:12] = prices[0, 9:12]
    raw, adjusted, _ = held_series(prices, [11])
    adjusted[:11] += 1.0
    alone = recover(closes_of(prices), Reference("v", None, series(raw.tolist())), tick=TICK)
    assert [row[0] for row in summary(alone)] == [9]
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=TICK)
    assert summary(found) == [(11, "LCM08", "LCQ08", 1.0)]
    assert found.contract_on_day.tolist() == [0] * 11 + [1] * 19


def test_step_far_from_any_roll_is_kept_without_contracts() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [20])
    adjusted[:6] += 2.0
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=TICK)
    assert summary(found) == [(6, None, None, 2.0), (20, "LCM08", "LCQ08", gaps[0])]
    assert found.unattributed == (0,)
    assert found.rolls[0].source == "spread_step"
    assert np.isnan(found.our_gaps[0])
    (step,) = found.record().unattributed_steps
    assert (step.code, step.roll_date, step.gap) == ("UNATTRIBUTED_STEP", date(2008, 1, 7), 2.0)
    assert any("UNATTRIBUTED_STEP" in note for note in found.notes)


def evening_moves(roll: int, early: int, off: float) -> tuple[np.ndarray, Reference]:
    """A pair that rolls into session `roll`, whose closes lie `off` above ours on the `early` sessions before it."""
    prices = market(60)[:2]
    raw, adjusted, _ = held_series(prices, [roll])
    noise = np.where(np.arange(60) % 2, 2.5, -2.5)
    noise[roll - early : roll] = off
    return prices, Reference("v", series((adjusted + noise).tolist()), series((raw + noise).tolist()))


def test_closes_that_lie_farther_off_than_the_contracts_apart_date_no_roll() -> None:
    # 15 sessions off by 9 from contracts 10 + t/4 apart: the new one lies nearer; the spread steps 15 sessions later.
    prices, reference = evening_moves(30, 15, 9.0)
    found = recover(closes_of(prices), reference, tick=TICK)
    assert [(start, gap) for start, _, _, gap in summary(found)] == [(30, 17.25)]
    assert (found.rolls[0].to_contract, found.unattributed) == ("LCQ08", ())


def test_closes_that_say_clearly_when_they_roll_are_believed() -> None:
    # Off by the contracts' distance, the closes are the new contract's: the adjusted file steps on another day.
    prices = market(60)[:2]
    raw, adjusted, _ = held_series(prices, [30])
    raw[15:30] = prices[1, 15:30]
    reference = Reference("v", series((adjusted + 2.5).tolist()), series((raw + 2.5).tolist()))
    found = recover(closes_of(prices), reference, tick=TICK)
    assert [roll.to_contract for roll in found.rolls if roll.to_contract] == ["LCQ08"]
    assert summary(found)[0][0] == 15


def test_after_a_roll_that_noise_hides_the_contract_is_unknown() -> None:
    """The last two closes lie 30 ticks beside the new contract's: holding on costs 2 x 40, rolling 40 + 2 x 30."""
    prices = market()
    raw, adjusted, gaps = held_series(prices, [28])
    raw[28:] += 7.5
    adjusted[28:] += 7.5
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=TICK)
    assert summary(found) == [(28, None, None, gaps[0])]
    assert found.contract_on_day.tolist() == [0] * 28 + [-1] * 2
    # 20 ticks beside, half the cap, are still a match: the step stands without contracts, the contract is held.
    raw[28:], adjusted[28:] = prices[0, 28:] + 5.0, adjusted[28:] + (prices[0, 28:] + 5.0 - raw[28:])
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=TICK)
    assert found.unattributed == (0,)
    assert found.contract_on_day.tolist() == [0] * 30


def test_roll_that_the_vendor_never_adjusted_has_zero_gap() -> None:
    prices = market()
    raw, _, _ = held_series(prices, [10])
    found = recover(closes_of(prices), Reference("v", series(raw.tolist()), series(raw.tolist())), tick=TICK)
    assert summary(found) == [(10, "LCM08", "LCQ08", 0.0)]
    assert found.notes == ("the reference's two series are equal: none of its rolls is adjusted for",)
    assert found.methods["spread_step"]["recall"] == 0.0
    assert found.methods["spread_step"]["missing_here"] == ["2008-01-11"]


def test_sessions_that_we_lack_hold_what_the_one_before_held() -> None:
    # The reference trades on session 10, we do not: its roll is dated by what is shared.
    prices = market()
    raw, _, _ = held_series(prices, [12])
    keep = [t for t in range(30) if t != 10]
    days = (np.datetime64(START, "D") + np.array(keep)).astype(np.int64)
    closes = ContractCloses.from_arrays(NAMES, np.tile(days, 3), np.repeat(np.arange(3), 29), prices[:, keep].ravel())
    found = recover(closes, Reference("v", None, series(raw.tolist())), tick=TICK)
    assert found.contract_on_day.tolist() == [0] * 12 + [1] * 18


# Other sources.


def test_without_contracts_the_steps_date_the_rolls() -> None:
    raw, adjusted, gaps = held_series(market(), [10, 20])
    found = recover(None, Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=TICK)
    assert summary(found) == [(10, None, None, gaps[0]), (20, None, None, gaps[1])]
    assert found.source == "spread_step"
    assert not found.contracts_known
    assert not found.contracts_known
    assert found.notes == ("contracts of the reference are unknown: rolls are dated, not named",)


def test_another_instrument_is_no_match_and_falls_back_to_the_steps() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [10])
    found = recover(closes_of(prices + 500), Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=TICK)
    assert found.source == "spread_step"
    assert found.median_residual_ticks == 40.0
    assert found.methods["fingerprint"]["reason"] == "median residual above half the cap"
    assert summary(found) == [(10, None, None, gaps[0])]


def test_contract_column_is_used_where_closes_do_not_match_and_cross_checked_where_they_do() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [10, 20])
    # The vendor's column changes two sessions late at the second roll.
    column: list[str | None] = [*["LCM08"] * 10, *["LCQ08"] * 12, *["LCV08"] * 8]
    reference = Reference("v", series(adjusted.tolist()), series(raw.tolist(), column))
    matched = recover(closes_of(prices), reference, tick=TICK)
    assert matched.source == "fingerprint"
    check = matched.methods["contract_column"]
    assert (check["n_rolls"], check["same_session"], check["precision"], check["recall"]) == (2, 1, 0.5, 0.5)
    assert check["only_here"] == [day(22).isoformat()]
    assert check["missing_here"] == [day(20).isoformat()]
    apart = recover(closes_of(prices + 500), reference, tick=TICK)
    assert apart.source == "contract_column"
    # Its dates, too, follow the steps of the spread.
    assert summary(apart) == [(10, "LCM08", "LCQ08", gaps[0]), (20, "LCQ08", "LCV08", gaps[1])]


def test_column_naming_another_contract_is_listed() -> None:
    prices = market()
    raw, adjusted, _ = held_series(prices, [10])
    column: list[str | None] = [*["LCM08"] * 10, *["LCV08"] * 20]
    found = recover(
        closes_of(prices), Reference("v", series(adjusted.tolist(), column), series(raw.tolist())), tick=TICK
    )
    assert found.methods["contract_column"]["other_contract"] == [
        {"roll_date": day(10).isoformat(), "contract": "LCV08", "used": "LCQ08"}
    ]


def test_stated_rolls_are_cross_checked() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [10, 20])
    stated = (
        ReferenceRoll(day(10), day(11), None, None, gaps[0], "stated"),
        ReferenceRoll(day(24), day(25), None, None, 1.0, "stated"),
    )
    found = recover(
        closes_of(prices), Reference("v", series(adjusted.tolist()), series(raw.tolist()), stated), tick=TICK
    )
    check = found.methods["stated"]
    assert (check["n_rolls"], check["same_session"], check["within_one_session"]) == (2, 0, 1)
    assert (check["precision"], check["recall"]) == (0.5, 0.5)
    assert check["only_here"] == [day(25).isoformat()]


# One series only.


def test_adjusted_only_recovers_contracts_and_says_what_it_cannot() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [10, 20])
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), None), tick=TICK, cap_ticks=4)
    # Spreads of these contracts move by a tick per session, so a short cap tells them apart.
    assert summary(found) == [(10, "LCM08", "LCQ08", gaps[0]), (20, "LCQ08", "LCV08", gaps[1])]
    assert not found.basis_identifiable
    np.testing.assert_allclose(found.unadjusted, raw, atol=1e-9)
    assert "not identifiable" in found.notes[0]
    assert found.record().basis_identifiable is False


def test_adjusted_only_with_a_stated_adjustment_is_as_good_as_both() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [10, 20])
    stated = series(adjusted.tolist(), adjustment=(adjusted - raw).tolist())
    found = recover(closes_of(prices), Reference("v", stated, None), tick=TICK)
    assert summary(found) == [(10, "LCM08", "LCQ08", gaps[0]), (20, "LCQ08", "LCV08", gaps[1])]
    assert found.basis_identifiable


def test_unadjusted_only_knows_contracts_but_no_gaps() -> None:
    prices = market()
    raw, _, _ = held_series(prices, [10, 20])
    found = recover(closes_of(prices), Reference("v", None, series(raw.tolist())), tick=TICK)
    assert summary(found) == [(10, "LCM08", "LCQ08", None), (20, "LCQ08", "LCV08", None)]
    assert np.isnan(found.adjusted).all()
    assert "no adjusted series to compare" in found.notes[-1]


def test_unadjusted_only_with_stated_gaps_builds_the_adjusted_series() -> None:
    prices = market()
    raw, adjusted, gaps = held_series(prices, [10, 20])
    stated = tuple(
        ReferenceRoll(day(at - 1), day(at), None, None, gap, "stated") for at, gap in zip([10, 20], gaps, strict=True)
    )
    found = recover(closes_of(prices), Reference("v", None, series(raw.tolist()), stated), tick=TICK)
    np.testing.assert_allclose(found.adjusted, adjusted, atol=1e-9)
    assert [roll.gap for roll in found.rolls] == gaps


def test_adjusted_only_step_within_a_contract_is_unattributed() -> None:
    prices = market()[:1]
    adjusted = prices[0] + np.where(np.arange(30) < 12, 20.0, 0.0)
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), None), tick=TICK)
    assert summary(found) == [(12, None, None, 20.0)]
    assert found.unattributed == (0,)
    assert found.rolls[0].source == "fingerprint"


def test_another_instrument_is_no_match_for_free_offsets_either() -> None:
    # Whatever it does, a series can be followed by stepping the offset; the steps give it away.
    prices = market(120)
    other = 50 + np.cumsum(np.where(np.arange(120) % 10 == 0, 30.0, 0.0))
    found = recover(closes_of(prices[:1]), Reference("v", series((other + prices[0]).tolist()), None), tick=TICK)
    assert found.source is None
    assert found.methods["fingerprint"]["reason"] == "11 steps within contracts against 0 changes of contract"


def test_spread_that_moves_all_the_time_is_not_read_as_rolls() -> None:
    # A ratio-adjusted series: 10 % above the raw one before session 20.
    prices = market()
    raw, _, _ = held_series(prices, [20])
    adjusted = np.where(np.arange(30) < 20, raw * 1.1, raw)
    found = recover(closes_of(prices), Reference("v", series(adjusted.tolist()), series(raw.tolist())), tick=0.01)
    assert [row[:3] for row in summary(found)] == [(20, "LCM08", "LCQ08")]
    assert found.unattributed == ()
    assert "not adjusted by differences" in found.notes[0]


def test_adjusted_only_without_contracts_recovers_nothing() -> None:
    _, adjusted, _ = held_series(market(), [10])
    found = recover(None, Reference("v", series(adjusted.tolist()), None), tick=TICK)
    assert found.source is None
    assert found.rolls == ()
