"""How many variants were tried, and what tells one from another."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ctl.flows.trials import NO_TRIALS, Trials, identity
from ctl.model.bars import AS_DELIVERED
from ctl.model.rolls import RollPolicy
from ctl.store import trials as ledger
from ctl.strategy import registry

POLICY = RollPolicy()


def test_a_variant_is_told_by_its_rules_however_they_were_typed() -> None:
    b1 = registry.find("b1")

    def of(**overrides: str) -> str:
        made = b1.configured(overrides, timeframe="daily") if overrides else b1
        return identity(made, overrides, "daily", POLICY, AS_DELIVERED)

    registered = of()
    assert of(slope_threshold="8") == of(slope_threshold="8.0") == registered
    assert of(slope_threshold="6") != registered
    assert of(slope_threshold="6", min_bars_of_air="6") == of(slope_threshold="6")
    assert identity(b1, {}, "daily", replace(POLICY, consecutive_days=3), AS_DELIVERED) != registered
    assert identity(b1, {}, "weekly", POLICY, AS_DELIVERED) != registered


def test_trials_count_the_variant_at_hand_once() -> None:
    rows = [("ES", trial, "", "research", 9, score, None) for trial, score in (("a", 2.0), ("b", 0.0), ("c", None))]
    found = Trials(pl.DataFrame(rows, schema=ledger.schema(), orient="row"))
    results = [1.0, -1.0, 2.0, 0.5]
    assert found.luck({"ES": ("a", results)}, results).trials == 3
    assert found.luck({"ES": ("d", results)}, results).trials == 4
    assert found.luck({"CL": ("a", results)}, results).trials == 1
    assert NO_TRIALS.luck({"ES": ("a", results)}, results).trials == 1
    assert found.luck({"ES": ("c", results)}, results).variance is not None


def test_a_damaged_ledger_leaves_the_count_unknown() -> None:
    found = Trials(None, "damaged").luck({"ES": ("a", [1.0, 2.0, 0.5])}, [1.0, 2.0, 0.5])
    assert (found.trials, found.deflated_sharpe, found.note) == (None, None, "damaged")
