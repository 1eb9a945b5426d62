"""A command reads the clock once, and every file that it reads is read for that instant and on the profile's terms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ctl import clock, operating_profile, store
from ctl.flows import inputs, portfolio
from ctl.model.run import PlanEntry

INSTANT = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[inputs.SymbolFiles]:
    """Every set of files that is opened. The clock can be read once."""
    found: list[inputs.SymbolFiles] = []
    times = iter([INSTANT])
    monkeypatch.setattr(clock, "now", lambda: next(times))
    make = inputs.SymbolFiles.__init__

    def kept(self: inputs.SymbolFiles, *arguments: Any, **keys: Any) -> None:
        make(self, *arguments, **keys)
        found.append(self)

    monkeypatch.setattr(inputs.SymbolFiles, "__init__", kept)
    return found


@pytest.mark.parametrize(
    "command",
    [["build", "PA"], ["contracts", "PA"], ["research", "PA"], ["calibrate", "slippage", "PA"], ["certify", "PA"]],
    ids=lambda command: command[0],
)
def test_every_file_is_read_for_the_instant_of_the_command(
    opened: list[inputs.SymbolFiles], command: list[str], ctl: Callable[..., Any], workspace: Path
) -> None:
    ran = ctl(*command, "-w", workspace)
    assert ran.code == 0, ran.err
    told = [files.now for files in opened if files.now is not None]  # what a digest is taken of needs no instant
    assert told
    assert set(told) == {INSTANT}


def test_a_symbol_that_does_not_gate_is_run_on_the_policy_and_the_instant_of_the_run(
    opened: list[inputs.SymbolFiles], filled_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = store.Workspace.load(filled_workspace)
    text = space.profile_path.read_text().replace(
        "symbol_settings:\n",
        "symbol_settings:\n  PA:\n    tick_size: 0.5\n    max_day_delta: 3\n    slippage_per_side: 0.5\n"
        "    quote_unit: USD per troy ounce\n    roll_policy: {policy: volume, eligible_months: MZ}\n",
    )
    profile = operating_profile.load(text.encode(), "p.yaml")
    held: list[inputs.SymbolInputs] = []
    read = inputs.read_symbol

    def kept(*arguments: Any, **keys: Any) -> inputs.SymbolInputs:
        held.append(read(*arguments, **keys))
        return held[-1]

    monkeypatch.setattr(inputs, "read_symbol", kept)
    entry = PlanEntry("PA", "non-gating", "RUN", "", "future", 0.5, 0.5, "profile", None)
    outcome = portfolio.run_symbol(space, entry, None, profile, instant=INSTANT)
    assert outcome.run.status == "EXECUTED"
    assert [each.policy and each.policy.eligible_months for each in held] == ["MZ"]
    assert [files.now for files in opened] == [INSTANT]
