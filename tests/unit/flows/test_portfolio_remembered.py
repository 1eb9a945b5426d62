"""Certificates of an earlier command: used on the same files, settings and code alone, and never trusted damaged."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ctl import digests, store
from ctl.errors import DataError
from ctl.flows import bar_cache, pipeline, portfolio
from ctl.flows.portfolio import Remembered

INSTANT = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
Gate = Callable[[], dict[str, Any]]


@pytest.fixture
def certified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The symbols that were certified anew."""
    asked: list[str] = []
    certify = pipeline.certify_symbol

    def counted(held: Any, *args: Any, **keys: Any) -> Any:
        asked.append(held.symbol)
        return certify(held, *args, **keys)

    monkeypatch.setattr(pipeline, "certify_symbol", counted)
    return asked


@pytest.fixture
def gate(workspace: Path) -> Gate:
    """The certificates' digests of a gate on the files now; the first, of untouched files, has been before."""

    def run(**more: Any) -> dict[str, Any]:
        space = store.Workspace.load(workspace)
        gated = portfolio.gate(space, portfolio.read_profile(space), instant=INSTANT, **more)
        return {item.symbol: (item.actual, item.certificate_sha256) for item in gated.decision.symbol_results}

    run()
    return run


def test_what_did_not_change_is_not_certified_again(gate: Gate, certified: list[str]) -> None:
    before = gate()
    assert certified == []
    assert gate(also=lambda made, lock: made.certificate.sha256) == before
    assert sorted(certified) == ["CL", "ES", "PL"]


def test_one_changed_file_is_certified_anew_and_the_others_are_not(
    gate: Gate, certified: list[str], workspace: Path
) -> None:
    before = gate()
    path = next((workspace / "data/raw").rglob("TS_ES_CUSTOM_ADJ*.csv"))
    times, text = path.stat(), path.read_text()
    lines = text.splitlines(keepends=True)
    path.write_text("".join([*lines[:-40], lines[-40].replace(".", "9.", 1), *lines[-39:]]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = gate()
    assert certified == ["ES"]
    assert after["ES"] != before["ES"]
    assert {**after, "ES": None} == {**before, "ES": None}


@pytest.mark.parametrize("other", ["code", "tick"])
def test_other_code_and_other_settings_are_certified_anew(
    gate: Gate, certified: list[str], workspace: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    if other == "code":
        monkeypatch.setattr(portfolio, "package_version", lambda: "newer")
        gate()
        assert sorted(certified) == ["CL", "ES", "PL"]
        return
    path = store.Workspace.load(workspace).profile_path
    path.write_text(path.read_text().replace("tick_size: 0.25", "tick_size: 0.5", 1))
    gate()
    assert certified == ["ES"]


def test_damage_costs_time_only(gate: Gate, certified: list[str], workspace: Path) -> None:
    before = gate()
    for path in sorted((workspace / ".ctl/cache/certificates/ES").iterdir()):
        data = path.read_bytes()
        _, _, value = data.partition(b"\n")
        forged = value.replace(b'"WATCH"', b'"ACCEPT"')
        for bad in (b"", data[:-9], b"null", data[:65] + forged, b"0" * 64 + b"\n" + value):
            path.write_bytes(bad)
            certified.clear()
            assert gate() == before
            assert certified == ["ES"], f"{path.name}: {bad[:20]!r}"


def test_an_entry_of_other_fields_is_made_again(gate: Gate, certified: list[str], workspace: Path) -> None:
    before, path = gate(), workspace / ".ctl/cache/certificates/ES/entry.json"
    value = path.read_bytes().partition(b"\n")[2].replace(b'"decision"', b'"decided"')
    path.write_bytes(digests.sha256_bytes(value).encode() + b"\n" + value)
    assert gate() == before
    assert certified == ["ES"]


def test_files_that_changed_since_they_were_certified_are_not_run_on(workspace: Path) -> None:
    space = store.Workspace.load(workspace)
    profile = portfolio.read_profile(space)
    question = portfolio.Question(space, "CL", profile.symbol_settings["CL"], "v1", None, INSTANT, keep=True)
    made = question.certify()
    found = pickle.loads(pickle.dumps(Remembered.of(question, made)))  # noqa: S301 - as between two of our processes
    assert found.inputs.contracts.frame.equals(made.inputs.contracts.frame)  # type: ignore[union-attr]
    assert found.series.frame.equals(made.series.frame)  # type: ignore[union-attr]
    assert found.whole().certificate.sha256 == made.certificate.sha256
    path = next((workspace / "data/raw").rglob("TS_CL_CUSTOM_ADJ*.csv"))
    path.write_bytes(path.read_bytes() + b"\n")
    for ask in (lambda: found.let_go().inputs, found.whole):
        with pytest.raises(DataError) as raised:
            ask()
        assert raised.value.code == "INPUT_CHANGED"


def test_the_code_is_known_by_its_content() -> None:
    assert bar_cache.package_version() != bar_cache.readers_version()
