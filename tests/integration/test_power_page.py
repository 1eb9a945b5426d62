"""`ctl certify --power`: the published page is what the command finds, and the command takes no data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published_schemas import check

from ctl.cli import power_command
from ctl.model.documents import document
from ctl.power import study

PAGE = Path(__file__).resolve().parents[2] / "docs" / "certification_power.md"


@pytest.fixture(scope="module")
def report() -> study.PowerReport:
    return study.measure(power_command.certify)


def test_the_published_page_is_what_is_found(report: study.PowerReport) -> None:
    assert PAGE.read_text() == power_command.markdown(report), (
        "write it again: python -m ctl.cli.power_command > docs/certification_power.md"
    )


def test_every_defect_is_told_by_a_layer_and_clean_pairs_pass(report: study.PowerReport) -> None:
    named = {ladder.kind for ladder in study.LADDERS if ladder.components}
    for power in report.defects:
        assert any(power.layers.values()), power.defect
        assert power.ledger is not None or power.defect not in named, power.defect
    wide, flat = (report.clean[name] for name, _ in study.CLEAN_KINDS)
    assert wide.not_accepted == 0
    # Identical series are ACCEPT on every root: our schedule explains them, before a penalty of switches is asked.
    assert flat.not_accepted == 0
    # Sizes grow along a ladder, and nothing is detected below the first.
    assert all(list(power.sizes) == sorted(power.sizes) for power in report.defects)


def test_the_command_prints_the_same(report: study.PowerReport, ctl: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(study, "measure", lambda certify, track: report)
    ran = ctl("certify", "--power", "--json")
    assert (ran.code, ran.document) == (0, document(report))
    check("power_v1.schema.json", ran.document)
    table = ctl("certify", "--power")
    assert table.code == 0
    assert "clean pairs" in table.out
    assert "inverted_adjustment" in table.out


def test_data_and_power_do_not_go_together(ctl: Callable[..., Any]) -> None:
    for words in (("ES",), ("--explain",), ("--as-of", "2026-02-27")):
        ran = ctl("certify", "--power", *words)
        assert ran.code == 64
        assert "--power reads no data" in ran.err
