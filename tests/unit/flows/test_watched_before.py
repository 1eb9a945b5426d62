"""What a gate found beside its lock: used again on the same files, lock and code alone, and never trusted damaged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctl import digests, store
from ctl.flows import lock, portfolio, watching

INSTANT = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
Gate = Callable[[], portfolio.Gated]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The symbols that were held against the lock anew."""
    asked: list[str] = []
    of_symbol = watching.of_symbol

    def counted(workspace: Any, profile: Any, made: Any, *args: Any, **keys: Any) -> Any:
        asked.append(made.inputs.symbol)
        return of_symbol(workspace, profile, made, *args, **keys)

    monkeypatch.setattr(watching, "of_symbol", counted)
    return asked


@pytest.fixture
def gate(workspace: Path) -> Gate:
    """A gate on the files now; two have been on untouched ones, so that the second found what was certified before."""

    def run(later: int = 0) -> portfolio.Gated:
        space = store.Workspace.load(workspace)
        return portfolio.gate(space, portfolio.read_profile(space), instant=INSTANT + timedelta(days=later))

    run()
    run()
    return run


def codes(gated: portfolio.Gated) -> dict[str, list[str]]:
    return {item.symbol: [reason.code for reason in item.reasons] for item in gated.decision.symbol_results}


def test_what_did_not_change_is_found_again_value_by_value(gate: Gate, watched: list[str], workspace: Path) -> None:
    assert watched == []
    require_the_same_anew(gate, watched, workspace)


def require_the_same_anew(gate: Gate, watched: list[str], workspace: Path) -> None:
    """A gate finds everything again, and without what was kept it finds the same."""
    found = gate()
    assert watched == []
    for path in (workspace / ".ctl/cache/watched").rglob("entry.json"):
        path.unlink()
    anew = gate()
    assert sorted(watched) == ["CL", "ES", "PL"]
    assert found.decision == anew.decision
    for symbol, old in found.watched.items():
        new = anew.watched[symbol]
        assert all(getattr(old, name) == getattr(new, name) for name in old.__slots__ if name != "after")
        assert old.after is not None
        assert new.after is not None
        assert old.after.equals(new.after)
        assert old.after.schema == new.after.schema


def test_the_first_gate_after_a_lock_finds_what_the_lock_found(gate: Gate, watched: list[str], workspace: Path) -> None:
    locked = lock.lock(store.Workspace.load(workspace), reason="closer", settings={"ratchet": "0.5"}, instant=INSTANT)
    assert not locked.entry.was_there
    watched.clear()
    require_the_same_anew(gate, watched, workspace)


def test_time_that_makes_data_stale_is_seen_all_the_same(gate: Gate, watched: list[str], workspace: Path) -> None:
    toml = workspace / "ctl.toml"
    toml.write_text(toml.read_text().replace("simulated = true", "simulated = false"))
    gated = gate(later=60)
    assert {code for found in codes(gated).values() for code in found} >= {"STALE_INPUT"}


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_locked_bars_that_changed_since_are_refused(
    gate: Gate, watched: list[str], workspace: Path, damage: str
) -> None:
    assert gate().decision.passed
    space = store.Workspace.load(workspace)
    path, other = (space.locked_bars(symbol, "contracts") for symbol in ("CL", "PL"))
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(other.read_bytes())
    gated = gate()
    assert watched == ["CL"]
    assert not gated.decision.passed
    assert "LOCKED_BARS_MISSING" in codes(gated)["CL"]


def test_another_lock_is_held_against_anew(gate: Gate, watched: list[str], workspace: Path) -> None:
    path = store.Workspace.load(workspace).profile_path.with_suffix(".lock.json")
    path.write_bytes(path.read_bytes() + b"\n")
    assert not gate().decision.passed
    assert sorted(watched) == ["CL", "ES", "PL"]


@pytest.mark.parametrize("how", ["cut", "forged", "of other fields"])
def test_damage_costs_time_only(gate: Gate, watched: list[str], workspace: Path, how: str) -> None:
    before, path = gate().decision, workspace / ".ctl/cache/watched/ES/entry.json"
    sha256, _, value = path.read_bytes().partition(b"\n")
    other = value.replace(b'"state"', b'"stated"')
    path.write_bytes(
        {
            "cut": sha256 + b"\n" + value[:-9],
            "forged": sha256 + b"\n" + other,
            "of other fields": digests.sha256_bytes(other).encode() + b"\n" + other,
        }[how]
    )
    assert gate().decision == before
    assert watched == ["ES"]
