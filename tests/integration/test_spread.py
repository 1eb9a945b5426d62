"""The same bytes in this process, in two others and on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.conftest import Ran

WAYS = [
    ["--jobs", "2"],
    pytest.param(
        ["--cluster", "local:2"],
        marks=pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed (extra `cluster`)"),
    ),
]
INSTANTS = ("timestamp", "summary_path")


def _without_instants(document: object) -> object:
    if isinstance(document, dict):
        return {key: _without_instants(value) for key, value in document.items() if key not in INSTANTS}
    return [_without_instants(item) for item in document] if isinstance(document, list) else document


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "words",
    [
        ["gate", "--as-of", "2025-06-27"],
        ["certify", "ES", "PL", "--as-of", "2025-06-27"],
        ["run", "--include-non-gating", "--dry-run"],
        ["replay", "--from", "2025-05-01", "--to", "2025-05-16"],
    ],
    ids=lambda words: words[0],
)
def test_the_same_document(ctl: Callable[..., Ran], filled_workspace: Path, words: list[str], way: list[str]) -> None:
    asked = [*words, "--json", "--workspace", str(filled_workspace)]
    here, there = ctl(*asked, "--jobs", "1"), ctl(*asked, *way)
    assert (there.code, _without_instants(there.document)) == (here.code, _without_instants(here.document))
    assert len(here.document) > 1


@pytest.mark.parametrize("way", WAYS)
def test_a_real_run(ctl: Callable[..., Ran], workspace: Path, way: list[str]) -> None:
    here = ctl("run", "--json", "--workspace", str(workspace), "--jobs", "1")
    again, there = (ctl("run", "--json", "--workspace", str(workspace), *more) for more in (["--jobs", "1"], way))
    assert here.code == 0
    assert _results(there) == _results(again) == _results(here)


def _results(ran: Ran) -> list[object]:
    return [ran.document[key] for key in ("symbol_run_results", "portfolio", "statistics")]
