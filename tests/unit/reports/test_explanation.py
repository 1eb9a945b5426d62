"""What a certificate says in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctl.flows import portfolio
from ctl.model.certificate import Certificate
from ctl.model.findings import Reason, finding
from ctl.reports import explanation
from ctl.store import Workspace


@pytest.fixture(scope="module")
def certificate(filled_workspace: Path) -> Certificate:
    return portfolio.certify_symbol(Workspace.load(filled_workspace), "ES").certificate


def test_a_basis_is_worded_by_what_is_stated(certificate: Certificate) -> None:
    inputs = certificate.inputs
    assert explanation.basis_words(certificate) == "our closes are last trades, tradestation's are settlements"
    alike = replace(inputs, canonical=replace(inputs.canonical, close_basis="settlement"))
    assert explanation.basis_words(replace(certificate, inputs=alike)) == (
        "our bars are UTC days, tradestation's are exchange sessions"
    )
    unknown = replace(inputs, canonical=replace(inputs.canonical, close_basis="unknown", session_basis="unknown"))
    assert explanation.basis_words(replace(certificate, inputs=unknown)) == "closes differ, reason not stated"


def test_a_refused_identity_says_what_it_is_refused_for_and_counts_the_rest(certificate: Certificate) -> None:
    cause = finding("reference_match", "FAIL", "correlation of daily changes 0.40 < 0.90")
    beside = finding("level_step", "FAIL", "our prices lie 29 points further above", "LEVEL_STEP")
    layer = replace(certificate.layers.L0, status="FAIL", findings=(cause, beside))
    refused = replace(certificate, reasons=(Reason("IDENTITY_MISMATCH", "REJECT", cause.text),))
    brief = explanation.layer_text(refused, "L0", layer, brief=True)
    assert brief.startswith("correlation of daily changes 0.40 < 0.90; 1 further finding (--verbose); ")
    assert beside.text in explanation.layer_text(refused, "L0", layer, brief=False)
