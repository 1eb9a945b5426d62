"""What a certificate says in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctl.flows import portfolio
from ctl.model.certificate import Certificate
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
