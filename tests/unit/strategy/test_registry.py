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

    def fingerprint(self):
        return HEX


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
        ([("plain", "Runless")], "STRATEGY_UNUSABLE", "have run, fingerprint, configured"),
        ([("plain", "HEX")], "STRATEGY_UNUSABLE", "AttributeError"),
    ],
)
def test_whatever_is_no_strategy_is_refused(offered, pairs, code: str, text: str):
    offered(*pairs)
    with pytest.raises(ProfileError, match=text) as refused:
        registry.find("plain")
    assert refused.value.code == code
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("found", ["", None, "AB" * 32, "ab" * 31, 1])
def test_a_fingerprint_is_a_digest(found):
    with pytest.raises(ProfileError, match="gives no fingerprint"):
        registry.fingerprint(SimpleNamespace(name="plain", fingerprint=lambda: found))


def test_a_fingerprint_that_fails_is_a_refusal():
    with pytest.raises(ProfileError, match="ZeroDivisionError"):
        registry.fingerprint(SimpleNamespace(name="plain", fingerprint=lambda: 1 / 0))
    assert registry.fingerprint(Plain()) == HEX


def test_b1_takes_parameters_as_every_strategy_does():
    chosen = REGISTERED.configured({"slope_threshold": "6"}, timeframe="weekly")
    assert chosen.params is not None
    assert (chosen.params.slope_threshold, chosen.params.swing_lookback) == (6.0, 12)
    assert chosen.fingerprint() != REGISTERED.fingerprint()
