"""`ctl promote`: names what is in the way, proposes what would do it, writes nothing but the ledger of trials."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from certificate_of import certificate_of

from ctl.flows.promote import _proposed
from ctl.model.promotion import Candidate


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_es_reaches_accept_with_two_commands(ctl, workspace: Path) -> None:
    before = files_of(workspace)
    ran = ctl("promote", "ES", "-w", workspace)
    assert ran.code == 0, ran.err
    changed = {name for name, data in files_of(workspace).items() if before.get(name) != data}
    assert all(name.startswith(("data/processed/trials/", "data/processed/cutover_v1/cache")) for name in changed), (
        changed
    )
    command = ran.out.splitlines()[-1].removeprefix("next: ctl ")
    assert "ES.series.closes=settlement" in command
    locked = ctl(*shlex.split(command), "-w", workspace)
    assert locked.code == 0, locked.err
    gate = ctl("gate", "-w", workspace, "--json")
    assert gate.code == 0
    assert {item["symbol"]: item["actual"] for item in gate.document["symbol_results"]}["ES"] == "ACCEPT"


def test_the_document_names_the_roll_that_blocks_and_counts_what_was_tried(ctl, workspace: Path) -> None:
    document: Any = ctl("promote", "PL", "-w", workspace, "--json").document
    (found,) = document["symbols"]
    assert document["kind"] == "promotion"
    assert found["proposed"] is None
    assert found["flip"]["decision"] == "ACCEPT"
    assert all("PL" in unit for unit in found["flip"]["units"])
    keys = {key for item in found["candidates"] for key in item["settings"]}
    assert keys <= {f"PL.series.{key}" for key in ("bars", "closes")} | {
        f"PL.roll_policy.{key}" for key in ("consecutive_days", "timing")
    }
    assert found["tried"] == len(found["candidates"])
    again: Any = ctl("promote", "PL", "-w", workspace, "--json").document
    assert again["symbols"] == document["symbols"]
    run: Any = ctl("run", "-w", workspace, "--json").document
    tried = {
        item["symbol"]: item["statistics"]["luck"]["trials"] for item in run["symbol_run_results"] if item["metrics"]
    }
    assert tried == {"ES": 1, "CL": 1, "PL": found["tried"]}


def test_all_symbols_nearest_first(ctl, workspace: Path) -> None:
    document: Any = ctl("promote", "-w", workspace, "--json").document
    assert [item["symbol"] for item in document["symbols"]] == ["ES", "PL", "CL"]
    assert all(item["split"] is None for item in document["symbols"])


def test_a_symbol_that_cannot_be_certified_leaves_the_others(ctl, workspace: Path) -> None:
    for path in (workspace / "data/raw/databento/CL").iterdir():
        path.unlink()
    ran = ctl("promote", "-w", workspace, "--json")
    assert ran.code == 1
    assert set(ran.document["errors"]) == {"CL"}
    assert len(ran.document["symbols"]) == 2


def candidate(name: str, *, earlier: float | None, **changes: Any) -> Candidate:
    made = Candidate(name=name, settings={"ES.x": name}, decision="ACCEPT", mean_drift=1.0, earlier=earlier, later=1.0)
    return replace(made, **changes)


def test_a_policy_is_proposed_only_where_it_was_best_early_and_held_later() -> None:
    now = certificate_of("ES", "WATCH")
    swept = [candidate("three", earlier=1.0), candidate("four", earlier=0.5)]
    assert _proposed(now, swept, "four", held=False) is None
    assert _proposed(now, swept, None, held=None) is None
    assert _proposed(now, swept, "four", held=True) == swept[1]
    series = candidate("settlement", earlier=None)
    assert _proposed(now, [*swept, series], "four", held=True) == series
    assert _proposed(now, [replace(series, decision="WATCH")], None, held=None) is None
