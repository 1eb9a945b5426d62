"""Generated vendor pairs carry the defects they say, and the smallest size told is the smallest size told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from certificate_of import certificate_of

from ctl.model.certificate import Component, Layers
from ctl.model.documents import Records
from ctl.model.findings import finding
from ctl.power import study, vendor_pairs
from ctl.power.certified_pair import certify_pair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctl.model.bars import DailySeries
    from ctl.model.certificate import Certificate
    from ctl.model.findings import Decision, LayerName, Status

MARKET = vendor_pairs.Market(5)
CLEAN = vendor_pairs.generate(MARKET)
LADDERS = {ladder.kind: ladder for ladder in study.LADDERS}


def closes(series: DailySeries | None) -> np.ndarray:
    assert series is not None
    return series.frame["close"].to_numpy() / MARKET.tick


def own_closes(pair: vendor_pairs.VendorPair) -> np.ndarray:
    return pair.contracts.frame["close"].to_numpy() / MARKET.tick


def test_a_clean_pair_agrees_to_the_tick_and_is_accepted() -> None:
    certificate = certify_pair(CLEAN)
    assert certificate.decision == "ACCEPT"
    assert certificate.n_pass == MARKET.contracts - 1
    assert certificate.max_drift == 0.0
    assert certificate.max_gap_diff == 0.0


def test_generated_bars_are_bars() -> None:
    frame = CLEAN.contracts.frame
    assert frame.filter((pl.col("high") < pl.col("close")) | (pl.col("low") > pl.col("open"))).is_empty()
    assert frame.select((pl.col("close") > 0).all()).item()
    assert frame.equals(frame.unique(["contract", "session"], maintain_order=True))
    assert vendor_pairs.generate(MARKET).contracts.frame.equals(frame)
    assert not vendor_pairs.generate(vendor_pairs.Market(6)).contracts.frame.equals(frame)


def test_one_wrong_gap_moves_all_that_comes_before_its_roll() -> None:
    pair = vendor_pairs.generate(MARKET, {"wrong_gap": 8})
    moved = closes(pair.reference.adjusted) - closes(CLEAN.reference.adjusted)
    assert np.array_equal(closes(pair.reference.unadjusted), closes(CLEAN.reference.unadjusted))
    # The middle roll, of contract 13 to contract 14 (from 0), is decided 8 sessions before contract 13's last.
    gap_session = 63 * 14 - 1 - 8
    assert np.array_equal(moved, np.where(np.arange(moved.size) <= gap_session, 8.0, 0.0))


@pytest.mark.parametrize("kind", sorted(study.BRINGS_GAPS))
def test_what_small_gaps_alone_make_a_layer_say_is_not_put_down_to_the_defect(kind: vendor_pairs.DefectKind) -> None:
    """The control has the same bars and the same gaps, and is adjusted for them."""
    defect: dict[vendor_pairs.DefectKind, float] = {kind: 0.5}
    pair, control = vendor_pairs.generate(MARKET, defect), vendor_pairs.generate(MARKET, defect, adjusted_rightly=True)
    assert pair.contracts.frame.equals(control.contracts.frame)
    assert np.array_equal(closes(pair.reference.unadjusted), closes(control.reference.unadjusted))
    assert not np.array_equal(closes(pair.reference.adjusted), closes(control.reference.adjusted))
    (ladder,) = (replace(ladder, sizes=(0.5,)) for ladder in study.LADDERS if ladder.kind == kind)
    report = study.measure(certify_pair, seed=MARKET.seed, clean_pairs=0, ladders=[ladder])
    told, alone = (study.Reading.of(certify_pair(each)) for each in (pair, control))
    assert (report.defects[0].layers["L2"] is not None) == bool(told.new_codes("L2", alone))


def test_an_unadjusted_roll_leaves_a_step_of_its_gap() -> None:
    pair = vendor_pairs.generate(MARKET, {"unadjusted_roll": 40})
    spread = closes(pair.reference.adjusted) - closes(pair.reference.unadjusted)
    steps = np.flatnonzero(np.diff(spread))
    assert 63 * 14 - 1 - 8 not in steps
    assert steps.size >= MARKET.contracts - 3
    names = [contract.name for contract in pair.contracts.contracts]
    day = pair.sessions[63 * 14 - 1 - 8]
    there = pair.contracts.frame.filter(pl.col("session") == day)
    price = dict(there.select("contract", "close").iter_rows())
    assert price[names[14]] - price[names[13]] == 40 * MARKET.tick


def test_an_inverted_adjustment_has_the_other_sign() -> None:
    pair = vendor_pairs.generate(MARKET, {"inverted_adjustment": 4})
    spread = closes(pair.reference.adjusted) - closes(pair.reference.unadjusted)
    assert spread[0] == -4 * (MARKET.contracts - 1)
    assert spread[-1] == 0.0


def test_rolls_shift_by_the_sessions_asked_for() -> None:
    for shift in (0, 3):
        spread = closes(vendor_pairs.generate(MARKET, {"roll_shift": shift}).reference.adjusted)
        spread = spread - closes(vendor_pairs.generate(MARKET, {"roll_shift": shift}).reference.unadjusted)
        steps = set(np.flatnonzero(np.diff(spread)).tolist())
        assert steps <= {63 * (k + 1) - 1 - 8 + shift for k in range(25)}


@pytest.mark.parametrize(("kind", "size"), [("settlement_noise", 3.0), ("restated_bar", 64), ("finer_grid", 20.0),
                                            ("unit_scale", 2.0), ("wrong_commodity", 0.1)])  # fmt: skip
def test_defects_of_our_side_leave_the_reference_alone(kind: vendor_pairs.DefectKind, size: float) -> None:
    pair = vendor_pairs.generate(MARKET, {kind: size})
    for mine, clean in ((pair.reference.adjusted, CLEAN.reference.adjusted),
                        (pair.reference.unadjusted, CLEAN.reference.unadjusted)):  # fmt: skip
        assert np.array_equal(closes(mine), closes(clean))
    moved = own_closes(pair) - own_closes(CLEAN)
    if kind == "restated_bar":
        assert moved[moved != 0.0].tolist() == [64.0]
    elif kind == "finer_grid":
        assert set(moved.tolist()) == {0.0, 0.5}
        assert (moved > 0).mean() == pytest.approx(0.2, abs=0.01)
    elif kind == "unit_scale":
        assert np.abs(moved / own_closes(CLEAN) - 0.02).max() < 0.001
    elif kind == "settlement_noise":
        assert moved.std() == pytest.approx(3.0, rel=0.05)
        assert np.array_equal(moved, np.rint(moved))
    else:
        changes = np.diff(own_closes(pair)[:190]), np.diff(own_closes(CLEAN)[:190])
        assert float(np.corrcoef(*changes)[0, 1]) == pytest.approx(0.9, abs=0.06)


def test_sessions_are_lost_on_our_side_alone() -> None:
    pair = vendor_pairs.generate(MARKET, {"missing_sessions": 16})
    assert pair.contracts.frame["session"].n_unique() == CLEAN.contracts.frame["session"].n_unique() - 16
    assert closes(pair.reference.unadjusted).size == closes(CLEAN.reference.unadjusted).size


def test_ghosts_are_saturdays_without_volume_that_repeat_the_friday() -> None:
    made = vendor_pairs.generate(MARKET, {"ghost_sessions": 9}).reference.unadjusted
    assert made is not None
    ghosts = made.frame.with_columns(before=pl.col("close").shift()).filter(pl.col("session").dt.weekday() == 6)
    assert (ghosts.height, ghosts["volume"].sum()) == (9, 0)
    assert ghosts["close"].equals(ghosts["before"], check_names=False)
    rest = made.frame.filter(pl.col("session").dt.weekday() < 6)
    assert np.array_equal(closes(replace(made, frame=rest)), closes(CLEAN.reference.unadjusted))


def test_swapped_labels_exchange_the_bars_of_two_contracts() -> None:
    made, clean = (
        pair.contracts.frame.partition_by("contract", as_dict=True, include_key=False)
        for pair in (vendor_pairs.generate(MARKET, {"swapped_labels": 2}), CLEAN)
    )
    names = [contract.name for contract in CLEAN.contracts.contracts]
    for k, name in enumerate(names):
        other = {13: 15, 15: 13}.get(k, k)
        assert made[(name,)].equals(clean[(names[other],)])


def test_a_month_never_held_is_passed_over_and_a_changed_rule_begins_in_the_middle() -> None:
    """Of contracts 0, 4, 8, ... the next is held; the rolls from the middle one on are three sessions later."""
    frame = CLEAN.contracts.frame
    names = [contract.name for contract in CLEAN.contracts.contracts]
    for defect, held in (({"months_never_held": 1}, 5), ({"rule_changed": 3}, 13)):
        made = vendor_pairs.generate(MARKET, defect)  # type: ignore[arg-type]
        # A session of contract 4's term; and the last one on which contract 13 is held, three after the crossover.
        at = 63 * 4 + 20 if held == 5 else 63 * 14 - 1 - 8 + 3
        day = pl.col("session") == made.sessions[at]
        (close,) = frame.filter(day & (pl.col("contract") == names[held]))["close"]
        assert made.reference.unadjusted is not None
        assert made.reference.unadjusted.frame.filter(day)["close"].to_list() == [close]


def test_a_ratio_keeps_changes_in_percent_and_an_unadjusted_file_is_the_unadjusted_one() -> None:
    made = vendor_pairs.generate(MARKET, {"ratio_adjusted": 16}).reference
    ratio = closes(made.adjusted) / closes(made.unadjusted)
    assert np.count_nonzero(np.abs(np.diff(ratio)) > 1e-12) == MARKET.contracts - 1
    assert ratio[-1] == 1.0
    plain = vendor_pairs.generate(MARKET, {"not_adjusted": 16}).reference
    assert np.array_equal(closes(plain.adjusted), closes(plain.unadjusted))


def test_one_defect_does_not_change_what_another_does() -> None:
    alone = own_closes(vendor_pairs.generate(MARKET, {"restated_bar": 64})) - own_closes(CLEAN)
    together = own_closes(vendor_pairs.generate(MARKET, {"restated_bar": 64, "wrong_gap": 8})) - own_closes(CLEAN)
    assert np.array_equal(alone, together)


def test_sizes_told_are_those_that_the_limits_imply() -> None:
    """By hand: 25 rolls, tick 0.25; the middle gap is carried by the first 874 of 1,638 sessions."""
    kinds = ("wrong_gap", "unadjusted_roll", "roll_shift", "missing_sessions", "finer_grid", "restated_bar")
    report = study.measure(certify_pair, seed=5, clean_pairs=0, ladders=[LADDERS[kind] for kind in kinds])
    by_kind = {power.defect: power for power in report.defects}
    for kind in ("wrong_gap", "unadjusted_roll"):
        found = by_kind[kind]  # type: ignore[index]
        # Mean drift = size x 0.25 x 874 / 1,638 > 5 from 37.5 ticks on; mean gap difference = size x 0.25 / 25 > 1
        # from 100 on: the next sizes tried are 64 and 128.
        assert size_of(found.layers["L4"]) == size_of(found.decisions["WATCH"]) == 64
        # A roll left out is named by itself where our spread is 2 ticks or more on every session within 3 of it: a gap
        # of 1 draws 2, 2, 2, 1, 1, 1, 3 with this seed, one of 2 a tick more on each.
        assert size_of(found.layers["L3"]) == {"wrong_gap": 8, "unadjusted_roll": 2}[kind]
        assert size_of(found.ledger) == 1
        assert found.ledger is not None
        assert found.ledger.text == "gap:ZZM11>ZZU11:price"
        assert found.decisions["REJECT"] is None
    # One session apart is a WATCH of L2; beyond three nothing pairs.
    assert size_of(by_kind["roll_shift"].layers["L2"]) == 1
    assert size_of(by_kind["roll_shift"].decisions["REJECT"]) == 4
    assert size_of(by_kind["missing_sessions"].layers["L1"]) == 1
    # More than 1 % of closes off the tick's grid.
    assert size_of(by_kind["finer_grid"].layers["L0"]) == 1.2
    assert size_of(by_kind["restated_bar"].ledger) == 1


def size_of(found: study.Detection | None) -> float | None:
    return None if found is None else found.size


def certificate_saying(decision: Decision, statuses: Mapping[LayerName, Status], component: str | None) -> Certificate:
    plain = certificate_of("ZZ", decision)
    layers = {}
    for name, layer in plain.layers.items():
        status = statuses.get(name, "PASS")
        told = (finding("check", status, "", f"CODE_{name}"),) if status not in ("PASS", "NOT_RUN") else ()
        layers[name] = replace(layer, status=status, findings=told)
    ledger = replace(
        certify_pair(CLEAN).ledger,  # type: ignore[type-var]
        components=Records(Component, [[component], [1.0], [1.0], [1.0], [1.0]] if component else ()),
    )
    return replace(plain, layers=Layers(**layers), ledger=ledger)


def test_a_layer_that_did_not_run_detects_nothing_and_what_the_clean_pair_says_is_no_news() -> None:
    seen: list[float] = []

    def fake(pair: vendor_pairs.VendorPair) -> Certificate:
        step = len(seen)
        seen.append(0.0)
        if step < 2:  # the clean pair, and the first size
            return certificate_saying("ACCEPT", {"L1": "WATCH"}, None)
        if step == 2:
            return certificate_saying("WATCH", {"L1": "WATCH", "L4": "WATCH"}, "gap:A>B:price")
        return certificate_saying("REJECT", {"L0": "FAIL", "L1": "NOT_RUN", "L4": "NOT_RUN"}, "basis")

    ladder = replace(LADDERS["wrong_gap"], sizes=(1, 2, 3))
    (found,) = study.measure(fake, clean_pairs=0, ladders=[ladder]).defects
    assert {name: size_of(cell) for name, cell in found.layers.items()} == {
        "L0": 3, "L1": None, "L2": None, "L3": None, "L4": 2, "L5": None,
    }  # fmt: skip
    assert found.layers["L4"] == study.Detection(2.0, "CODE_L4")
    assert found.ledger == study.Detection(2.0, "gap:A>B:price")
    assert {name: size_of(cell) for name, cell in found.decisions.items()} == {"WATCH": 2, "REJECT": 3, "ERROR": None}
    assert found.smallest == 2


def test_false_alarms_are_clean_pairs_of_which_anything_is_said() -> None:
    def fake(pair: vendor_pairs.VendorPair) -> Certificate:
        quiet = pair.tick in (MARKET.tick, 0.1)
        return certificate_saying("ACCEPT" if quiet else "REJECT", {} if quiet else {"L2": "FAIL"}, None)

    report = study.measure(fake, clean_pairs=12, ladders=[])
    for flat in (False, True):
        loud = [market for market in vendor_pairs.clean_markets(12, flat=flat) if market.tick not in (MARKET.tick, 0.1)]
        clean = report.clean["gaps_of_a_few_ticks" if flat else "gaps_of_16_ticks_or_more"]
        assert [alarm.seed for alarm in clean.told] == [market.seed for market in loud]
        assert clean.alarms == clean.not_accepted == len(loud) > 0
        assert clean.told[0].told == {"L2": ("CODE_L2",)}


def test_clean_markets_with_wide_gaps_are_all_accepted() -> None:
    for market in vendor_pairs.clean_markets(12, seed=77):
        assert certify_pair(vendor_pairs.generate(market)).decision == "ACCEPT", market
