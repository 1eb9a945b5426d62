"""Words for a sign that holds, and for one that does not."""

from __future__ import annotations

from ctl.model.statistics import RUnder
from ctl.statistics import sign_of, stability_text


def under(change: str, mean: float | None) -> RUnder:
    return RUnder(change, 3, 0.0 if mean is None else 3 * mean, mean)


def test_a_sign_that_holds_everywhere() -> None:
    changes = {
        "0-3 ticks of slippage": [under("0 ticks", -0.1), under("3 ticks", -0.2)],
        "rolls of 1-5 days": [under("1 day", -0.3)],
    }
    assert stability_text("negative", changes) == "negative at 0-3 ticks of slippage and at rolls of 1-5 days"


def test_what_turns_it_is_named_with_its_mean() -> None:
    changes = {
        "0-3 ticks of slippage": [under("0 ticks", 0.1), under("3 ticks", -0.02)],
        "rolls of 1-5 days": [under("1 day", 0.2), under("5 days", None)],
    }
    assert stability_text("positive", changes) == (
        "positive; not stable: negative at 3 ticks (-0.02), no trade at 5 days (-)"
    )


def test_without_a_trade_or_a_change_there_is_nothing_to_hold() -> None:
    assert stability_text("none", {}) == "no trade"
    assert stability_text("positive", {"rolls of 1-5 days": []}) == "positive; nothing was varied"
    assert [sign_of(value) for value in (None, 0.0, 1e-15, 0.2, -0.2)] == [
        "none",
        "zero",
        "zero",
        "positive",
        "negative",
    ]
