"""Strategies by name: the shipped one, those of packages, and every way in which one is none."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from ctl.errors import ProfileError
from ctl.strategy import registry
from ctl.strategy.b1.strategy import REGISTERED

HEX = "ab" * 32


class Plain:
    """A strategy as small as one can be."""

    name = "plain"

    def run(self, bars, **options):
        return []

    def configured(self, overrides, **options):
        return self


class Misnamed(Plain):
    name = "other"


class Runless(Plain):
    run = None


INSTANCE = Plain()


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch):
    """Have packages offer `name -> object of this module`."""

    def offer(*pairs: tuple[str, str]) -> None:
        entries = tuple(EntryPoint(name, f"{__name__}:{value}", registry.GROUP) for name, value in pairs)
        monkeypatch.setattr(registry, "_offered", lambda: entries)

    return offer


def test_the_shipped_strategy_cannot_be_replaced(offered):
    offered(("b1", "Plain"), ("plain", "Plain"))
    assert registry.find("b1") is REGISTERED
    assert registry.installed() == ("b1", "plain")


def test_a_class_is_made_and_an_instance_taken(offered):
    offered(("plain", "Plain"))
    assert isinstance(registry.find("plain"), Plain)
    offered(("plain", "INSTANCE"))
    assert registry.find("plain") is INSTANCE


@pytest.mark.parametrize(
    ("pairs", "code", "text"),
    [
        ([], "STRATEGY_UNKNOWN", "'plain' is not installed; installed: b1"),
        ([("other", "Misnamed")], "STRATEGY_UNKNOWN", "installed: b1, other"),
        ([("plain", "Plain"), ("plain", "INSTANCE")], "STRATEGY_UNUSABLE", "offered by several packages"),
        ([("plain", "Absent")], "STRATEGY_UNUSABLE", "cannot be used: AttributeError"),
        ([("plain", "Misnamed")], "STRATEGY_UNUSABLE", "must be named 'plain'"),
        ([("plain", "Runless")], "STRATEGY_UNUSABLE", "have run, configured"),
        ([("plain", "HEX")], "STRATEGY_UNUSABLE", "AttributeError"),
    ],
)
def test_whatever_is_no_strategy_is_refused(offered, pairs, code: str, text: str):
    offered(*pairs)
    with pytest.raises(ProfileError, match=text) as refused:
        registry.find("plain")
    assert refused.value.code == code
    assert refused.value.exit_code == 2


class Vouching(Plain):
    """Trades as B1 does at a slippage of its own, and says that it is B1."""

    def __init__(self, ticks: float) -> None:
        self.ticks = ticks

    def fingerprint(self):
        return HEX

    def run(self, bars, *, slippage_per_side, **options):
        return REGISTERED.run(bars, slippage_per_side=[each * self.ticks for each in slippage_per_side], **options)


def test_a_fingerprint_is_of_what_a_strategy_does_and_not_of_what_it_says():
    same = registry.fingerprint(Vouching(1.0))
    assert same == registry.fingerprint(Vouching(1.0)) != HEX
    assert registry.fingerprint(Vouching(0.0)) != same
    assert registry.fingerprint(Plain()) != registry.fingerprint(REGISTERED)


def test_a_strategy_that_fails_on_the_tape_is_refused():
    with pytest.raises(ProfileError, match="ZeroDivisionError"):
        registry.fingerprint(SimpleNamespace(name="plain", run=lambda *_, **__: 1 / 0))


def test_b1_takes_parameters_as_every_strategy_does():
    chosen = REGISTERED.configured({"slope_threshold": "6"}, timeframe="weekly")
    assert chosen.params is not None
    assert (chosen.params.slope_threshold, chosen.params.swing_lookback) == (6.0, 12)
    assert registry.fingerprint(chosen) != registry.fingerprint(REGISTERED)
