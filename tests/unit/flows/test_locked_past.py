"""What locked sessions come to: found again for the same bars, terms and code alone, and never trusted damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ctl import store
from ctl.flows import inputs, locked_past, pipeline, portfolio
from ctl.flows.inputs import SymbolInputs
from ctl.flows.terms import CertifyTerms
from ctl.model.locked import LockedSymbol

INSTANT = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
CUT = date(2026, 2, 20)
Again = Callable[..., LockedSymbol]


@pytest.fixture
def past(workspace: Path) -> portfolio.Certified:
    space = store.Workspace.load(workspace)
    profile = portfolio.read_profile(space)
    return portfolio.certify_symbol(space, "ES", profile.symbol_settings["ES"], now=INSTANT)


@pytest.fixture
def asked() -> list[str]:
    """The symbols that were certified again."""
    return []


@pytest.fixture
def again(workspace: Path, asked: list[str]) -> Again:
    def run(held: SymbolInputs, terms: CertifyTerms, *, keep: bool = True) -> LockedSymbol:
        def certify() -> LockedSymbol:
            asked.append(held.symbol)
            return pipeline.watch_symbol(held, terms).symbol

        return locked_past.certified_again(store.Workspace.load(workspace), held, terms, certify, keep=keep)

    return run


def test_later_sessions_change_nothing(past: portfolio.Certified, again: Again, asked: list[str]) -> None:
    first = again(inputs.inputs_up_to(past.inputs, CUT), past.terms)
    meta = replace(past.inputs.meta, sources=(), notes=("read from another file",))
    assert past.inputs.contracts is not None
    grown = replace(past.inputs, contracts=replace(past.inputs.contracts, meta=meta))
    assert again(inputs.inputs_up_to(grown, CUT), past.terms) == first
    assert asked == ["ES"]
    assert pipeline.watch_symbol(inputs.inputs_up_to(past.inputs, CUT), past.terms).symbol == first


def test_a_certificate_says_the_same_of_all_its_sessions(past: portfolio.Certified) -> None:
    assert past.certificate.watched is not None
    assert pipeline.watch_symbol(past.inputs, past.terms).symbol == past.certificate.watched.symbol


def restated(held: SymbolInputs, side: str) -> SymbolInputs:
    later = pl.when(pl.int_range(pl.len()) == 40).then(pl.col("close") + 0.25).otherwise(pl.col("close"))
    if side == "contracts":
        assert held.contracts is not None
        return replace(held, contracts=replace(held.contracts, frame=held.contracts.frame.with_columns(close=later)))
    assert held.reference is not None
    series = getattr(held.reference, side)
    changed = replace(series, frame=series.frame.with_columns(close=later))
    return replace(held, reference=replace(held.reference, **{side: changed}))


@pytest.mark.parametrize(
    "other", ["contracts", "adjusted", "unadjusted", "tick", "max_day_delta", "policy", "terms", "code", "cut"]
)
def test_another_past_is_certified_again(
    past: portfolio.Certified, again: Again, asked: list[str], other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, terms = inputs.inputs_up_to(past.inputs, CUT), past.terms
    again(held, terms)
    assert held.contracts is not None
    assert held.policy is not None
    if other in ("contracts", "adjusted", "unadjusted"):
        held = restated(held, other)
    elif other in ("tick", "max_day_delta"):
        terms = replace(terms, **{other: getattr(terms, other) * 2})
    elif other == "policy":
        held = replace(held, policy=replace(held.policy, consecutive_days=3))
    elif other == "terms":
        held = replace(held, contracts=replace(held.contracts, terms={}))
    elif other == "code":
        monkeypatch.setattr(locked_past, "package_version", lambda: "newer")
    else:
        held = inputs.inputs_up_to(past.inputs, date(2026, 2, 19))
    assert again(held, terms) == pipeline.watch_symbol(held, terms).symbol
    assert asked == ["ES", "ES"]


def damage(path: Path, how: str) -> None:
    sha256, _, value = path.read_bytes().partition(b"\n")
    path.write_bytes({"cut": sha256 + b"\n" + value[:-9], "forged": sha256 + b"\n" + value + b" "}.get(how, b""))


@pytest.mark.parametrize("how", ["cut", "forged", "empty", "not kept"])
def test_damage_costs_time_only(
    past: portfolio.Certified, again: Again, asked: list[str], workspace: Path, how: str
) -> None:
    entry: Any = workspace / ".ctl/cache/locked_past/ES/entry.json"
    entry.unlink(missing_ok=True)
    held = inputs.inputs_up_to(past.inputs, CUT)
    first = again(held, past.terms, keep=how != "not kept")
    assert entry.exists() == (how != "not kept")
    if entry.exists():
        damage(entry, how)
    assert again(held, past.terms) == first
    assert asked == ["ES", "ES"]
